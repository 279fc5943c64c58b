"""A model's files on this machine, as they were published: downloaded, found, or built.

Knows model cards and the hub; knows no engine.
"""

from __future__ import annotations

import shutil
import tempfile
from importlib import import_module
from pathlib import Path

from tvbench.errors import EngineError
from tvbench.registry.hub import model_folder, stored_revision
from tvbench.registry.local_models import BUILDER, trained_folder
from tvbench.registry.places import cache_root
from tvbench.types import ModelCard


def local_checkpoint(card: ModelCard, *, offline: bool = False) -> Path:
    """The model's files on this machine, as they were published: downloaded, found, or built."""
    if card.kind == "hub":
        return model_folder(card, offline=offline)
    if card.kind == "builtin":
        return trained_folder(card.location) or built_checkpoint(card)
    folder = Path(card.location)
    if not (folder / "config.json").is_file():
        raise EngineError(f"there is no checkpoint in {folder} any more", "give the folder with its config.json")
    return folder


def built_checkpoint(card: ModelCard) -> Path:
    """The random model, built once for each revision. Another process may build it at the same time."""
    target = cache_root() / "built" / f"{card.location}-{stored_revision(card)}"
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            import_module(BUILDER).build_tiny(work, seed=0)
            if not target.is_dir():
                work.rename(target)
        except OSError:
            # Whoever was first has made the same files; without them the reason is a real one.
            if not target.is_dir():
                raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise EngineError(
            f"cannot build {card.name} in {target.parent}: {error.strerror or error}",
            "point TVBENCH_CACHE to a folder with room",
        ) from error
    return target
