"""Chooses the engine for a model with its arguments, and opens it.

Chooses without importing torch or vllm and without asking whether they are there, so that a wrong request is refused
in a moment, whatever is installed. Knows model cards and declarations (spec.py); knows no engine and no task.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvbench.engines.built_in import key_argument
from tvbench.engines.local import built_checkpoint, local_checkpoint
from tvbench.engines.registry import engine
from tvbench.engines.spec import LOCAL, EngineSpec, Opening
from tvbench.errors import UsageError
from tvbench.registry.engine_names import BUILT_IN, engine_names
from tvbench.registry.hub import needs_remote_code
from tvbench.registry.places import config_root
from tvbench.types import ModelCard

if TYPE_CHECKING:
    from tvbench.engines.protocol import Engine

__all__ = [
    "Chosen",
    "EngineOptions",
    "Told",
    "ask_server",
    "built_checkpoint",
    "choose",
    "choose_engine",
    "has_nvidia_gpu",
    "local_checkpoint",
    "open_engine",
    "require_engine",
]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How an engine runs: its `arguments` by name, which go before those of the card, and whether the hub may be asked.
    What is not given is left to the card or the engine."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """An engine for a model. `card` holds of the engine's arguments those that can move a score, as its ask and its
    signature do; `arguments` are all of them."""

    name: str
    card: ModelCard
    arguments: Mapping[str, Any] = field(default_factory=dict)


def choose(card: ModelCard, asked: str | None = None, given: Mapping[str, Any] = {}) -> Chosen:
    """The engine for `card` with the arguments `given` by a person, which go before the card's. Raises UsageError."""
    spec = engine(choose_engine(card, asked))
    arguments = _arguments(spec, card, given)
    _check_remote_code(spec, card, arguments)
    if unchecked := spec.unchecked(given):
        log.warning(
            "note: %s is not installed here, so that nobody can tell whether it knows %s",
            spec.name,
            ", ".join(unchecked),
        )
    defaults = {option.name: option.default for option in spec.options if option.default is not None}
    moving = {
        name: value
        for name, value in arguments.items()
        if name not in spec.unmoving and not (name in defaults and defaults[name] == value)
    }
    engines = dict(card.engine)
    if moving or spec.name in engines:
        engines[spec.name] = moving
    return Chosen(spec.name, replace(card, engine=engines), arguments)


def choose_engine(card: ModelCard, asked: str | None = None) -> str:
    """The engine's name: `asked`, else openai for a server, vllm where an NVIDIA GPU and vllm are, else transformers;
    another one where the card names only that.

    Raises UsageError when that engine cannot load the model. Whether it is installed is not asked: `require_engine`.
    """
    spec = engine(asked) if asked is not None else _best(card)
    if card.kind not in spec.kinds:
        raise _of_another_kind(spec, card)
    if card.kind != "server" and not _loads(card, spec.name):
        raise _cannot_load(card, spec.name)
    return spec.name


def require_engine(name: str) -> None:
    """Raises UsageError that says what to type where the engine is not installed."""
    spec = engine(name)
    if reason := spec.available():
        raise UsageError(reason, spec.install)


def open_engine(name: str, card: ModelCard, *, options: EngineOptions = EngineOptions()) -> Engine:
    """Load the model. Raises UsageError or EngineError; downloads what is not in the cache unless offline."""
    spec = engine(name)
    arguments = _arguments(spec, card, options.arguments)
    _check_remote_code(spec, card, arguments)
    require_engine(name)
    card = replace(card, engine={**card.engine, spec.name: arguments})
    return spec.open(Opening(card, spec.with_defaults(arguments), options.offline))


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


def has_nvidia_gpu() -> bool:
    """Whether a process here may use an NVIDIA GPU, as far as device files and CUDA_VISIBLE_DEVICES tell."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    # /dev/dxg is the GPU of a Linux inside Windows (WSL), where only the driver's library tells the maker.
    wsl = Path("/dev/dxg").exists() and Path("/usr/lib/wsl/lib/libcuda.so.1").exists()
    return wsl or any(Path("/dev").glob("nvidia[0-9]*"))


def _arguments(spec: EngineSpec, card: ModelCard, given: Mapping[str, Any]) -> dict[str, Any]:
    """The card's arguments for an engine, and before them those `given`. None leaves the engine its own way."""
    try:
        said = spec.checked(card.engine.get(spec.name, {}))
    except UsageError as error:
        raise UsageError(f"model card {card.name}: {error.message}", error.hint) from error
    return {name: value for name, value in (said | spec.checked(given)).items() if value is not None}


def _best(card: ModelCard) -> EngineSpec:
    """What is taken where nobody asked for an engine; it may not be able to load the model."""
    on_gpu = has_nvidia_gpu() and find_spec("vllm") is not None
    own = ("vllm", "transformers", "openai") if on_gpu else ("transformers", "vllm", "openai")
    fitting = [name for name in own if card.kind in engine(name).kinds]
    named = [name for name in card.engine if name not in BUILT_IN and name in engine_names()]
    if card.kind == "server":
        return engine(fitting[0])
    return engine(next((name for name in (*fitting, *named) if name in card.engine or not card.engine), fitting[0]))


def _loads(card: ModelCard, name: str) -> bool:
    """Whether the card lets this engine load the model. Of a stranger's engine, asked for by name, a card that does not
    know it says nothing."""
    return not card.engine or name in card.engine or name not in BUILT_IN


def _of_another_kind(spec: EngineSpec, card: ModelCard) -> UsageError:
    if card.kind == "server":
        able = [name for name in BUILT_IN if "server" in engine(name).kinds]
        return UsageError(
            f"{card.name} is served at {card.url}: only the {' or '.join(able)} engine talks to servers",
            "leave --engine out",
        )
    if spec.kinds & LOCAL:
        return UsageError(
            f"the {spec.name} engine loads no {card.kind} model, and {card.name} is one",
            f"it loads: {', '.join(sorted(spec.kinds))}",
        )
    return UsageError(
        f"the {spec.name} engine needs a server, and {card.name} is none",
        f"start one, for example `vllm serve {card.location}`, and use --model openai:NAME@URL",
    )


def _cannot_load(card: ModelCard, name: str) -> UsageError:
    able = [other for other in BUILT_IN if card.kind in engine(other).kinds and _loads(card, other)]
    hint = (
        f"use --engine {able[0]}"
        if able
        else (
            f"serve it with its own software behind an OpenAI-compatible server and use --model openai:NAME@URL; "
            f"`tvbench models {card.name}` says more"
        )
    )
    return UsageError(f"the {name} engine cannot load {card.name}", hint)


def _check_remote_code(spec: EngineSpec, card: ModelCard, arguments: Mapping[str, Any]) -> None:
    """A model may run code of its own only where somebody said so on the command line. Raises UsageError."""
    if spec.kinds & LOCAL and needs_remote_code(card) and not arguments.get("trust_remote_code"):
        raise UsageError(
            f"{card.name} runs code from its own repository, which tvbench does not allow by itself",
            f"read the code at https://huggingface.co/{card.location}, then add --trust-remote-code",
        )
