"""Models that lie on this machine: a checkpoint folder, and the small model that tvbench builds itself.

A folder's revision is a digest of its content, so that answers of yesterday's weights are never taken for those of
today's, and a folder may be moved or copied without losing its answers. Reads configuration and bytes; loads nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from tvbench.errors import UsageError
from tvbench.registry.places import search_folders
from tvbench.safety.bounded import read_object
from tvbench.types import RANDOM_WEIGHTS, ModelCard

FULL_LIMIT = 1 << 30
"""Up to this many bytes every byte of a folder is hashed (about a second); above it, large files are sampled."""
CHUNK = 1 << 20
CHUNKS = 64
CONTENT_SUFFIXES = frozenset({".json", ".safetensors", ".bin", ".model", ".txt", ".jinja", ".tiktoken", ".py"})
"""What can move an answer; a README or a picture beside the weights cannot."""

MODEL_TYPE = re.compile(r"[\w.+-]{0,100}")
BUILDER = "tvbench.mini.checkpoint"
"""The module whose `build_tiny(folder, seed=...)` writes the random model. It is named here, so that nobody on the way
from a name to a model imports it; whoever builds the model does."""
VIDEO_TYPES = frozenset(
    {"llava_onevision", "llava_next_video", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "video_llava", "video_llama_3"}
)


def folder_card(folder: Path) -> ModelCard:
    """The card of a checkpoint folder. Raises UsageError where there is no readable config.json."""
    folder = folder.resolve()
    config = read_config(folder)
    try:
        revision = content_digest(folder)
    except OSError as error:
        raise UsageError(f"cannot read all files of {folder}: {error}") from error
    return ModelCard(
        name=folder.name,
        kind="folder",
        location=str(folder),
        revision=revision,
        title=f"{folder.name} ({config.get('model_type', 'unknown architecture')})",
        modalities=modalities_of(config),
    )


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a checkpoint. Raises UsageError, naming checkpoints below `folder` where there are some."""
    path = folder / "config.json"
    if not path.is_file():
        below = sorted(config.parent.name for config in folder.glob("*/config.json"))
        raise UsageError(
            f"{folder} is not a checkpoint: it has no config.json",
            f"it holds {', '.join(below[:5])}: name one of them"
            if below
            else "give the folder that save_pretrained or `tvbench fetch` wrote",
        )
    try:
        config = read_object(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    kind = config.get("model_type") or ""
    if not isinstance(kind, str) or not MODEL_TYPE.fullmatch(kind):
        raise UsageError(f"{path}: model_type is not the name of a type", "compare it with the published config.json")
    return config


def modalities_of(config: dict[str, Any]) -> tuple[str, ...]:
    """What a model takes besides text, as far as its configuration tells."""
    sees = any(key in config for key in ("vision_config", "mm_vision_tower", "vision_tower", "embd_layer"))
    if not sees:
        return ()
    takes_video = config.get("model_type") in VIDEO_TYPES or any(key.startswith("video_token") for key in config)
    return ("image", "multi-image", "video") if takes_video else ("image", "multi-image")


def content_digest(folder: Path, suffixes: frozenset[str] = CONTENT_SUFFIXES) -> str:
    """`sha256-<16 hex>` over names, sizes and all bytes of the files that can move an answer, by their `suffixes`.

    Above FULL_LIMIT bytes in all it is `sampled-<16 hex>`: of each file larger than CHUNKS chunks, CHUNKS evenly
    spaced chunks (the first and the last among them) stand for the whole. Training moves every weight, so a sample
    sees it; a change of a few bytes by hand it may miss.
    """
    files = list(_content_files(folder, suffixes))
    whole = sum(path.stat().st_size for path in files) <= FULL_LIMIT
    digest = hashlib.sha256()
    for path in files:
        size = path.stat().st_size
        digest.update(os.fsencode(path.relative_to(folder).as_posix()) + f"\0{size}\0".encode())
        with path.open("rb") as file:
            for chunk in _chunks(file, size, whole=whole):
                digest.update(chunk)
    return f"{'sha256' if whole else 'sampled'}-{digest.hexdigest()[:16]}"


def _content_files(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix in suffixes and not hidden and path.is_file():
            yield path


def _chunks(file: BinaryIO, size: int, *, whole: bool) -> Iterator[bytes]:
    if whole or size <= CHUNK * CHUNKS:
        while chunk := file.read(CHUNK):
            yield chunk
        return
    for number in range(CHUNKS):
        file.seek((size - CHUNK) * number // (CHUNKS - 1))
        yield file.read(CHUNK)


# ── Built in ──────────────────────────────────────────────────────────────────────────────────────


def trained_folder(name: str) -> Path | None:
    """The trained weights of a built-in model, `models/NAME/`, where there are some."""
    folders = (folder / name for folder in search_folders("models"))
    return next((folder for folder in folders if (folder / "config.json").is_file()), None)


def builtin_card(card: ModelCard) -> ModelCard:
    """`card` with what it stands for now: the trained weights, or random ones that are built when they are needed.

    A random model's revision covers the program that builds it: another builder is another model.
    """
    trained = trained_folder(card.location)
    if trained is not None:
        modalities = modalities_of(read_config(trained))
        return replace(card, revision=f"trained-{content_digest(trained)}", modalities=modalities)
    return replace(
        card,
        revision=f"{RANDOM_WEIGHTS}{builder_digest()}",
        title="random TowerVision-shaped model built locally; scores are at chance",
    )


def builder_digest() -> str:
    """8 hex digits of the source that builds the random model."""
    found = find_spec(BUILDER)
    source = Path(found.origin if found and found.origin else "")
    return hashlib.sha256(source.read_bytes()).hexdigest()[:8]
