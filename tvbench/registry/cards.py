"""Reads model cards: YAML files that say what a model is, where it lies and what engines must be told.

    name: towervision-9b            # the file's name where absent
    hub: utter-project/TowerVision-9B      (or  folder: PATH  |  server: NAME + url: URL  |  builtin: NAME)
    revision: main
    title, licence, paper, notes: text
    parameters: 9656441888
    architecture: LlavaNextForConditionalGeneration      # as config.json names it
    languages, modalities, aliases: [...]
    chat: {...}                     # prompt rendering (checkpoints/prompt.py), token estimates, needs_remote_code
    reasoning: {...}                # how it thinks aloud, where it does (thinking.py)
    numerics: {...}                 # what is put right on loading (checkpoints/corrections.py)
    engine: {vllm: {...}, transformers: {}}
    price: {input: 2.5, output: 10}        # US dollars for a million tokens (prices.py); {hour: 2} for a rented machine

The keys of `engine` are the engines that can load the model, each with constructor arguments; where `engine` is absent,
all are tried. What is said about the prompt is part of every key, and arguments that can move a score name the run
(influence.py). A YAML file without one of the four locations is not a card and is passed over. Knows no engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from tvbench.errors import UsageError, unknown_name
from tvbench.registry.engine_names import BUILT_IN, engine_names
from tvbench.registry.prices import shape_problem
from tvbench.safety.bounded import MOST_YAML, read_text, yaml_value
from tvbench.safety.fitting import AT_LEAST_1, Rule, Text, fitted_fields, shown
from tvbench.safety.schema import Schema, document, schema_of
from tvbench.types import ModelCard

Kind = Literal["hub", "folder", "server", "builtin"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_PARAMETERS = 10**15
MOST_TOKENS = 10**7
RUNS_CODE = (
    "worker_cls",
    "worker_extension_cls",
    "logits_processors",
    "tool_parser_plugin",
    "allowed_local_media_path",
)
"""Arguments of vLLM that name code to be imported, or open folders of this machine to what is asked."""


COUNT = Rule(
    lambda count: 1 <= count <= MOST_PARAMETERS, "a whole number above 0", {"minimum": 1, "maximum": MOST_PARAMETERS}
)
PRICE = Rule(lambda price: 0 <= price <= 1e9, "dollars for a million tokens", {"minimum": 0, "maximum": 10**9})
BOTH = Rule(
    lambda prices: len(prices) == 2,
    "dollars for a million tokens, both ways: {input: 2.5, output: 10}",
    {"required": ["input", "output"]},
)
DOLLARS = Rule(lambda price: 0 <= price <= 1e9, "an amount of dollars", {"minimum": 0, "maximum": 10**9})
WHOLE = Rule(
    lambda price: shape_problem(price) is None,
    "dollars for a million tokens, both ways, {input: 2.5, output: 10}, or for an hour of a machine, {hour: 2}",
    {"anyOf": [{"required": ["input", "output"]}, {"required": ["hour"], "maxProperties": 1}]},
)
TOKENS = Rule(
    lambda count: 1 <= count <= MOST_TOKENS, "a whole number of tokens", {"minimum": 1, "maximum": MOST_TOKENS}
)
NAME = Rule(lambda text: text.isidentifier(), "a variable of the chat template", {"pattern": r"^[A-Za-z_]\w*$"})
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChatFields:
    """How prompts are rendered (checkpoints/prompt.py), what media cost, and whether the model has code of its own."""

    system: str = ""
    system_role: Literal["system", "user"] = "system"
    image_placement: Literal["as_given", "first"] = "as_given"
    content: Literal["string", "parts"] | None = None
    template: str | None = None
    stop_tokens: tuple[str, ...] = ()
    tokens_per_image: Annotated[int, AT_LEAST_1] | None = None
    tokens_per_frame: Annotated[int, AT_LEAST_1] | None = None
    needs_remote_code: bool = False


@dataclass(frozen=True, slots=True)
class ReasoningFields:
    """How the model thinks aloud before it answers (registry/thinking.py)."""

    max_tokens: Annotated[int, TOKENS] | None = None
    open: Text = ""
    close: Text = ""
    opened: bool | None = None
    switch: Annotated[str, NAME] = ""
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class NumericsFields:
    """What is fixed on loading (checkpoints/corrections.py)."""

    vision_embed_scale: Literal["folded", "unfolded"] | None = None


@dataclass(frozen=True, slots=True)
class CardFields:
    """A model card of tvbench: one of hub, folder, server and builtin says where the model lies."""

    hub: Text = ""
    folder: Text = ""
    server: Text = ""
    builtin: Text = ""
    name: Text = ""
    url: Text = ""
    revision: Text = "main"
    title: Text = ""
    licence: Text = ""
    paper: Text = ""
    notes: Text = ""
    parameters: Annotated[int, COUNT] = 1
    architecture: Text = ""
    languages: tuple[str, ...] = ()
    modalities: tuple[Literal["image", "multi-image", "video"], ...] = ()
    aliases: tuple[str, ...] = ()
    chat: ChatFields = field(default_factory=ChatFields)
    reasoning: ReasoningFields = field(default_factory=ReasoningFields)
    numerics: NumericsFields = field(default_factory=NumericsFields)
    engine: Mapping[str, Json] = field(default_factory=dict)
    price: Annotated[Mapping[Literal["input", "output", "cached", "hour"], Annotated[float, DOLLARS]], WHOLE] = field(
        default_factory=dict
    )
    prices: Annotated[Mapping[Literal["input", "output"], Annotated[float, PRICE]], BOTH] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CardFile:
    """A file that means to be a card: `card`, or the `problem` with it. `name` is what one asks for."""

    path: Path
    name: str
    card: ModelCard | None = None
    problem: str | None = None


def card_schema() -> Schema:
    """The JSON schema of a card, for editors."""
    one_place = [{"required": [kind]} for kind in KINDS]
    return document("tvbench model card", {**schema_of(CardFields), "oneOf": one_place})


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
    fitted = fitted_fields(CardFields, value, "")
    given: dict[str, Any] = {key: entry.strip() if isinstance(entry, str) else entry for key, entry in fitted.items()}
    _check_engines(given.get("engine", {}))
    _check_tags(given.get("reasoning", {}))
    given |= _priced(given)
    given.pop("price", None)
    kinds = [kind for kind in KINDS if kind in given]
    if len(kinds) != 1:
        raise UsageError(f"give one of {', '.join(KINDS)}, not {' and '.join(kinds)}")
    kind = kinds[0]
    location = given.pop(kind)
    if kind == "folder":
        try:
            location = str((folder / Path(location).expanduser()).resolve())
        except (OSError, RuntimeError) as error:  # no such user, a loop of links
            raise UsageError(f"folder: {shown(location)} is no path ({error})") from error
    if kind == "server" and not given.get("url"):
        raise UsageError("url: a model on a server needs one", "for example url: http://127.0.0.1:8000/v1")
    return ModelCard(name=given.pop("name", default_name), kind=kind, location=location, **given)


def _priced(given: Mapping[str, Any]) -> dict[str, Any]:
    """`price`, by the name that a ModelCard has for it; `prices` is what it was called first. Raises UsageError."""
    if "price" in given and "prices" in given:
        raise UsageError("price and prices are one thing", "leave prices out")
    return {"prices": given["price"]} if "price" in given else {}


def _check_tags(reasoning: Mapping[str, Any]) -> None:
    """Raises UsageError for one tag without the other."""
    for name, other in (("open", "close"), ("close", "open")):
        if reasoning.get(name) and not reasoning.get(other):
            raise UsageError(
                f"reasoning.{name}: the {'closing' if name == 'open' else 'opening'} tag is missing",
                'give both: reasoning: {open: "<think>", close: "</think>"}',
            )


def _check_engines(engines: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises UsageError for an engine that is not known, and for arguments that a card must not decide."""
    for name, arguments in engines.items():
        if name not in BUILT_IN and name not in (known := engine_names()):
            raise unknown_name("engine", name, known)
        for argument in arguments:
            if argument in RUNS_CODE:
                raise UsageError(f"engine.{name}.{argument}: a card cannot name code to be run or folders to be opened")
            if argument == "trust_remote_code":
                raise UsageError(
                    f"engine.{name}.{argument}: a card cannot allow a model to run code of its own",
                    "say `chat: {needs_remote_code: true}`; whoever runs it decides with --trust-remote-code",
                )
