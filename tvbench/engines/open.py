"""Chooses the engine for a model, and opens it: download or build the checkpoint, put it right, load it.

Chooses without importing torch or vllm, so that a wrong request is refused in a moment. Knows model cards and the
three engines; knows no task.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from tvbench.checkpoints.hostile import one_sentence
from tvbench.engines.protocol import Engine
from tvbench.engines.vllm_process import set_environment
from tvbench.errors import EngineError, UsageError, unknown_name
from tvbench.registry.hub import model_folder, needs_remote_code, stored_revision
from tvbench.registry.influence import prompt_settings
from tvbench.registry.local_models import BUILDER, trained_folder
from tvbench.registry.places import cache_root, config_root
from tvbench.types import ModelCard

log = logging.getLogger(__name__)

PACKAGES = {"vllm": ("vllm",), "transformers": ("torch", "transformers", "safetensors", "jinja2"), "openai": ("httpx",)}
"""What each engine imports."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How an engine runs. None leaves it to the model card or the engine; fields of other engines are ignored.

    For openai only: `timeout_s` is seconds for one request, `concurrency` requests under way, and `video` says whether
    a server gets a clip as pictures of its frames or as the file (`video_url`).
    """

    dtype: str | None = None
    batch_size: int | None = None
    max_model_len: int | None = None
    concurrency: int = 16
    timeout_s: float = 120.0
    video: Literal["frames", "video_url"] = "frames"
    trust_remote_code: bool = False
    offline: bool = False


def choose_engine(card: ModelCard, asked: str | None = None) -> str:
    """The engine's name: `asked`, else openai for a server, vllm where an NVIDIA GPU and vllm are, else transformers.

    Raises UsageError when that engine cannot load the model, or its packages are not installed.
    """
    if asked is not None and asked not in PACKAGES:
        raise unknown_name("engine", asked, PACKAGES)
    if card.kind == "server":
        if asked not in (None, "openai"):
            raise UsageError(
                f"{card.name} is served at {card.url}: only the openai engine talks to servers", "leave --engine out"
            )
        return _installed("openai")
    if asked == "openai":
        raise UsageError(
            f"the openai engine needs a server, and {card.name} is none",
            f"start one, for example `vllm serve {card.location}`, and use --model openai:NAME@URL",
        )
    chosen = asked or _best(card)
    if not _loads(card, chosen):
        raise _cannot_load(card, chosen)
    return _installed(chosen)


def open_engine(name: str, card: ModelCard, *, options: EngineOptions = EngineOptions()) -> Engine:
    """Load the model. Raises UsageError or EngineError; downloads what is not in the cache unless offline."""
    if name == "openai":
        from tvbench.engines.openai.engine import OpenAIEngine

        shaping: dict[str, Any] = {"card": card} if prompt_settings(card) else {}
        return OpenAIEngine(
            card.location,
            card.url,
            concurrency=options.concurrency,
            timeout_s=options.timeout_s,
            video=options.video,
            **shaping,
            **key_argument(card),
        )
    extra = _remote_code_arguments(name, card, options)
    if name == "vllm":
        set_environment()  # before the checkpoint is looked at, which imports torch
    from tvbench.checkpoints.corrections import corrected

    folder = local_checkpoint(card, offline=options.offline)
    with one_sentence(folder):
        checkpoint, _ = corrected(folder, card)
        if name == "vllm":
            from tvbench.engines.vllm import VllmEngine

            return VllmEngine(checkpoint, card, dtype=options.dtype, max_model_len=options.max_model_len, extra=extra)
        from tvbench.engines.transformers import TransformersEngine

        return TransformersEngine(
            checkpoint, card, dtype=options.dtype, batch_size=options.batch_size, max_model_len=options.max_model_len
        )


@dataclass(frozen=True, slots=True)
class Told:
    """What a server says of a model: its revision (engines/openai/identity.py), and the facts behind it."""

    revision: str
    facts: Mapping[str, Any]


def ask_server(card: ModelCard, said: str | None = None) -> Told:
    """Ask the server of `card` which model it serves; `said` is the person's own word for its revision.

    Raises EngineError where nobody answers or the key is refused.
    """
    from tvbench.engines.openai.engine import look
    from tvbench.engines.openai.identity import facts_of, served_revision

    _say_no_key(card)
    server = look(card.url, **key_argument(card))
    facts = facts_of(card.location, server.told)
    revision = served_revision(card.url, facts, server.label(), said)
    return Told(revision, {"server": server.label(), **facts})


def key_argument(card: ModelCard) -> dict[str, Any]:
    """Nothing: the server gets the key of the environment. {"api_key": ""}: a server that only a card of the working
    directory names gets none."""
    return {"api_key": ""} if card.nearby else {}


def _say_no_key(card: ModelCard) -> None:
    from tvbench.engines.openai.engine import own_key

    if card.nearby and own_key() is not None:
        log.warning(
            "note: no API key is sent to %s, which only a card of the working directory names; to send it, "
            "type --model 'openai:%s@%s', or move the card to %s",
            card.url,
            card.location,
            card.url,
            config_root() / "models",
        )


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


def has_nvidia_gpu() -> bool:
    """Whether a process here may use an NVIDIA GPU, as far as device files and CUDA_VISIBLE_DEVICES tell."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    # /dev/dxg is the GPU of a Linux inside Windows (WSL), where only the driver's library tells the maker.
    wsl = Path("/dev/dxg").exists() and Path("/usr/lib/wsl/lib/libcuda.so.1").exists()
    return wsl or any(Path("/dev").glob("nvidia[0-9]*"))


def _best(card: ModelCard) -> str:
    on_gpu = has_nvidia_gpu() and find_spec("vllm") is not None
    order = ("vllm", "transformers") if on_gpu else ("transformers", "vllm")
    return next((name for name in order if _loads(card, name)), order[0])


def _loads(card: ModelCard, engine: str) -> bool:
    return not card.engine or engine in card.engine


def _cannot_load(card: ModelCard, engine: str) -> UsageError:
    able = [name for name in ("vllm", "transformers") if _loads(card, name)]
    hint = (
        f"use --engine {able[0]}"
        if able
        else (
            f"serve it with its own software behind an OpenAI-compatible server and use --model openai:NAME@URL; "
            f"`tvbench models show {card.name}` says more"
        )
    )
    return UsageError(f"the {engine} engine cannot load {card.name}", hint)


def _installed(engine: str) -> str:
    missing = _missing(PACKAGES[engine])
    if missing:
        command = "pip install httpx" if engine == "openai" else f"pip install 'tvbench[{engine}]'"
        raise UsageError(f"the {engine} engine needs {', '.join(missing)}", command)
    return engine


def _missing(packages: Iterable[str]) -> list[str]:
    return [package for package in packages if find_spec(package) is None]


def _remote_code_arguments(engine: str, card: ModelCard, options: EngineOptions) -> dict[str, bool]:
    """Arguments that let a model run code of its own: only where somebody said so on the command line."""
    if not options.trust_remote_code:
        if needs_remote_code(card):
            raise UsageError(
                f"{card.name} runs code from its own repository, which tvbench does not allow by itself",
                f"read the code at https://huggingface.co/{card.location}, then add --trust-remote-code",
            )
        return {}
    if engine != "vllm":
        raise UsageError(
            f"the {engine} engine never runs a model's own code",
            "leave --trust-remote-code out, use --engine vllm, or serve the model and use --model openai:NAME@URL",
        )
    return {"trust_remote_code": True}
