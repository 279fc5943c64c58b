"""Reads model cards: YAML files that say what a model is, where it lies and what engines must be told.

    name: towervision-9b            # the file's name where absent
    hub: utter-project/TowerVision-9B      (or  folder: PATH  |  server: NAME + url: URL  |  builtin: NAME)
    revision: main
    title, licence, paper, notes: text
    parameters: 9656441888
    languages, modalities, aliases: [...]
    chat: {...}                     # prompt rendering (engines/prompt.py), token estimates, needs_remote_code
    numerics: {...}                 # what is put right on loading (engines/checkpoint.py)
    engine: {vllm: {...}, transformers: {}}
    prices: {input: 2.5, output: 10}       # US dollars for a million tokens, where a model is paid for

The keys of `engine` are the engines that can load the model, each with constructor arguments; where `engine` is absent,
all are tried. What is said about the prompt is part of every key, and arguments that can move a score name the run
(influence.py). A YAML file without one of the four locations is not a card and is passed over. Knows no engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from tvbench.errors import UsageError, unknown_name
from tvbench.types import ModelCard

Kind = Literal["hub", "folder", "server", "builtin"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MODALITIES = ("image", "multi-image", "video")


@dataclass(frozen=True, slots=True)
class CardFile:
    """A file that means to be a card: `card`, or the `problem` with it. `name` is what one asks for."""

    path: Path
    name: str
    card: ModelCard | None = None
    problem: str | None = None


def find_cards(folder: Path) -> Iterator[CardFile]:
    """The cards directly in `folder`, by file name."""
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")], key=lambda path: path.stem):
        found = read_card_file(path)
        if found is not None:
            yield found


def read_card_file(path: Path) -> CardFile | None:
    """The card in `path`; None when the file is not a card."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        means_to = any(line.startswith(tuple(f"{kind}:" for kind in KINDS)) for line in text.splitlines())
        return CardFile(path, path.stem, problem=f"not valid YAML: {_first_lines(error)}") if means_to else None
    if not isinstance(value, dict) or not any(kind in value for kind in KINDS):
        return None
    name = value.get("name", path.stem)
    try:
        return CardFile(path, str(name), read_card(value, default_name=path.stem, folder=path.parent))
    except UsageError as error:
        return CardFile(path, str(name), problem=str(error))


def read_card(value: dict[str, Any], *, default_name: str, folder: Path) -> ModelCard:
    """A card from parsed YAML; a `folder:` is relative to `folder`. Raises UsageError naming the key at fault."""
    for key in value:
        if key not in READERS:
            raise unknown_name("key", str(key), READERS)
    given = {key: READERS[key](key, entry) for key, entry in value.items()}
    kinds = [kind for kind in KINDS if kind in given]
    if len(kinds) != 1:
        raise UsageError(f"give one of {', '.join(KINDS)}, not {' and '.join(kinds)}")
    kind = kinds[0]
    location = given.pop(kind)
    if kind == "folder":
        location = str((folder / Path(location).expanduser()).resolve())
    if kind == "server" and not given.get("url"):
        raise UsageError("url: a model on a server needs one", "for example url: http://127.0.0.1:8000/v1")
    return ModelCard(name=given.pop("name", default_name), kind=kind, location=location, **given)


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{key}: must be text, not {value!r}")
    return value.strip()


def _revision(key: str, value: Any) -> str:
    """YAML reads a revision such as 1234567 or 1e10 as a number."""
    if not isinstance(value, str):
        raise UsageError(f"{key}: must be text, not {value!r}", f'put it in quotes: {key}: "{value}"')
    return _text(key, value)


def _count(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{key}: must be a whole number above 0, not {value!r}")
    return value


def _names(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise UsageError(f"{key}: must be a list, not {value!r}", f"for example {key}: [en, de]")
    for one in value:
        if not isinstance(one, str):
            raise UsageError(f"{key}: {one!r} is not text", "YAML reads the unquoted word no as false: write 'no'")
    return tuple(value)


def _modalities(key: str, value: Any) -> tuple[str, ...]:
    for one in _names(key, value):
        if one not in MODALITIES:
            raise unknown_name(key, one, MODALITIES)
    return tuple(value)


def _mapping(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise UsageError(f"{key}: must be a mapping, not {value!r}")
    return value


def _prices(key: str, value: Any) -> dict[str, float]:
    amounts = _mapping(key, value)
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) and one >= 0 for one in amounts.values())
    if set(amounts) != {"input", "output"} or not numbers:
        raise UsageError(f"{key}: must be dollars for a million tokens, not {value!r}",
                         f"for example {key}: {{input: 2.5, output: 10}}")
    return {name: float(amount) for name, amount in amounts.items()}


def _engines(key: str, value: Any) -> dict[str, dict[str, Any]]:
    known = ("vllm", "transformers", "openai")
    for name, arguments in _mapping(key, value).items():
        if name not in known:
            raise unknown_name(key, name, known)
        for argument in _mapping(f"{key}.{name}", arguments):
            if argument == "trust_remote_code":
                raise UsageError(
                    f"{key}.{name}.{argument}: a card cannot allow a model to run code of its own",
                    "say `chat: {needs_remote_code: true}`; whoever runs it decides with --trust-remote-code",
                )
    return value  # type: ignore[no-any-return]


READERS: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys((*KINDS, "name", "url", "title", "licence", "paper", "notes"), _text),
    "revision": _revision,
    "parameters": _count,
    "languages": _names,
    "aliases": _names,
    "modalities": _modalities,
    "chat": _mapping,
    "numerics": _mapping,
    "engine": _engines,
    "prices": _prices,
}


def _first_lines(error: yaml.YAMLError) -> str:
    return "; ".join(line.strip() for line in str(error).splitlines()[:4])
