"""Reads model cards: YAML files that say what a model is, where it lies and what engines must be told.

    name: towervision-9b            # the file's name where absent
    hub: utter-project/TowerVision-9B      (or  folder: PATH  |  server: NAME + url: URL  |  builtin: NAME)
    revision: main
    title, licence, paper, notes: text
    parameters: 9656441888
    languages, modalities, aliases: [...]
    chat: {...}                     # prompt rendering (checkpoints/prompt.py), token estimates, needs_remote_code
    numerics: {...}                 # what is put right on loading (checkpoints/corrections.py)
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

from tvbench.errors import UsageError, unknown_name
from tvbench.registry.engine_names import BUILT_IN, engine_names
from tvbench.safety.bounded import MOST_YAML, is_plain, read_text, yaml_value
from tvbench.types import ModelCard

Kind = Literal["hub", "folder", "server", "builtin"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MODALITIES = ("image", "multi-image", "video")
MOST_PARAMETERS = 10**15
LONGEST = 20_000
"""Characters of a text."""
SHOWN = 80
"""Characters of a wrong value in a message."""
RUNS_CODE = (
    "worker_cls",
    "worker_extension_cls",
    "logits_processors",
    "tool_parser_plugin",
    "allowed_local_media_path",
)
"""Arguments of vLLM that name code to be imported, or open folders of this machine to what is asked."""


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
        text = read_text(path, MOST_YAML)
    except (OSError, ValueError):
        return None
    try:
        value = yaml_value(text)
    except ValueError as error:
        means_to = any(line.startswith(tuple(f"{kind}:" for kind in KINDS)) for line in text.splitlines())
        return CardFile(path, path.stem, problem=f"not valid YAML: {error}") if means_to else None
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
        try:
            location = str((folder / Path(location).expanduser()).resolve())
        except (OSError, RuntimeError) as error:  # no such user, a loop of links
            raise UsageError(f"folder: {location[:SHOWN]} is no path ({error})") from error
    if kind == "server" and not given.get("url"):
        raise UsageError("url: a model on a server needs one", "for example url: http://127.0.0.1:8000/v1")
    return ModelCard(name=given.pop("name", default_name), kind=kind, location=location, **given)


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise UsageError(f"{key}: must be text, not {_shown(value)}")
    if len(value) > LONGEST:
        raise UsageError(f"{key}: has {len(value):,} characters, more than {LONGEST:,}")
    return value.strip()


def _revision(key: str, value: Any) -> str:
    """YAML reads a revision such as 1234567 or 1e10 as a number."""
    if not isinstance(value, str):
        raise UsageError(
            f"{key}: must be text, not {_shown(value)}", f'put it in quotes: {key}: "{str(value)[:SHOWN]}"'
        )
    return _text(key, value)


def _count(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_PARAMETERS:
        raise UsageError(f"{key}: must be a whole number above 0, not {_shown(value)}")
    return value


def _names(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise UsageError(f"{key}: must be a list, not {_shown(value)}", f"for example {key}: [en, de]")
    for name in value:
        if not isinstance(name, str):
            raise UsageError(
                f"{key}: {_shown(name)} is not text", "YAML reads the unquoted word no as false: write 'no'"
            )
    return tuple(value)


def _modalities(key: str, value: Any) -> tuple[str, ...]:
    for name in _names(key, value):
        if name not in MODALITIES:
            raise unknown_name(key, name, MODALITIES)
    return tuple(value)


def _mapping(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise UsageError(f"{key}: must be a mapping, not {_shown(value)}")
    for name, inner in value.items():
        if not is_plain(inner):
            raise UsageError(f"{key}.{name}: must be text, a number, a list or a mapping, not {_shown(inner)}")
    return value


def _shown(value: Any) -> str:
    """A value as a message repeats it: its beginning."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _prices(key: str, value: Any) -> dict[str, float]:
    amounts = _mapping(key, value)
    numbers = all(
        isinstance(price, int | float) and not isinstance(price, bool) and 0 <= price <= 1e9
        for price in amounts.values()
    )
    if set(amounts) != {"input", "output"} or not numbers:
        raise UsageError(
            f"{key}: must be dollars for a million tokens, not {_shown(value)}",
            f"for example {key}: {{input: 2.5, output: 10}}",
        )
    return {name: float(amount) for name, amount in amounts.items()}


def _engines(key: str, value: Any) -> dict[str, dict[str, Any]]:
    for name, arguments in _mapping(key, value).items():
        if name not in BUILT_IN and name not in (known := engine_names()):
            raise unknown_name(key, name, known)
        for argument in _mapping(f"{key}.{name}", arguments):
            if argument in RUNS_CODE:
                raise UsageError(f"{key}.{name}.{argument}: a card cannot name code to be run or folders to be opened")
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
