"""`task.yaml` beside the data: what a person says of a benchmark of their own where names and rows leave it open.

Every key may be left out. Held to these declarations as model cards are (safety/fitting.py), which are its JSON schema
too. Reads one file; knows no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from tvbench.errors import UsageError
from tvbench.safety.bounded import read_yaml
from tvbench.safety.fitting import AT_LEAST_1, Rule, Text, fitted_fields
from tvbench.safety.schema import Schema, document, schema_of

NAME = "task.yaml"
MOST_TOKENS = 10**6

TYPED = Rule(
    lambda text: text[:1].isalnum() and all(letter.isalnum() or letter in "-_." for letter in text),
    "letters, digits, - _ and . only",
    {"pattern": r"^\w[\w.-]*$"},
)
MARK = Rule(lambda text: 0 < len(text) <= 10, "one to ten characters", {"pattern": r"^[\s\S]{1,10}$"})
FIRST = Rule(lambda number: number in (0, 1), "0 or 1", {"enum": [0, 1]})
TOKENS = Rule(lambda count: 1 <= count <= MOST_TOKENS, "a whole number above 0", {"minimum": 1, "maximum": MOST_TOKENS})
Typed = Annotated[str, TYPED]
Columns: TypeAlias = tuple[str, ...] | str
"""One name, or a list of names."""
Kind: TypeAlias = Literal["choice", "short", "text", "open"]


@dataclass(frozen=True, slots=True)
class ColumnFields:
    """Which column is what: a name, or a list of names."""

    question: Columns = ()
    answer: Columns = ()
    options: Columns = ()
    image: Columns = ()
    video: Columns = ()
    language: Columns = ()
    id: Columns = ()
    category: Columns = ()
    source: Columns = ()
    hint: Columns = ()
    split: Columns = ()


@dataclass(frozen=True, slots=True)
class ProtocolFields:
    """One way to ask. What is left out is as in the file as a whole."""

    says: Text = ""
    prompt: Text = ""
    instructions: Mapping[str, str] = field(default_factory=dict)
    shuffle: bool | None = None
    letters: bool | None = None
    max_tokens: Annotated[int, TOKENS] | None = None
    metric: Text = ""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A benchmark of one's own (task.yaml beside its table); every key may be left out."""

    name: Typed = ""
    title: Text = ""
    version: Text = "1"
    licence: Text = ""
    source: Text = ""
    paper: Text = ""
    notes: Text = ""
    files: Columns = ()
    encoding: Text = ""
    columns: ColumnFields = field(default_factory=ColumnFields)
    kind: Kind | None = None
    metric: Text = ""
    metrics: tuple[str, ...] = ()
    language: Text = ""
    languages: Mapping[str, Text] = field(default_factory=dict)
    splits: Mapping[Typed, Columns] = field(default_factory=dict)
    prompt: Text = ""
    instructions: Mapping[str, str] = field(default_factory=dict)
    protocols: Mapping[Typed, ProtocolFields] = field(default_factory=dict)
    options_separator: Annotated[str, MARK] = ""
    answers_separator: Annotated[str, MARK] = ""
    first_option: Annotated[int, FIRST] | None = None
    max_tokens: Annotated[int, TOKENS] | None = None
    frames: Annotated[int, AT_LEAST_1] | None = None


def own_schema() -> Schema:
    """The JSON schema of a task.yaml, for editors."""
    return document("tvbench benchmark of one's own", schema_of(Declaration))


def read_declaration(path: Path) -> Declaration:
    """What task.yaml says; nothing where there is none. Raises UsageError that names the key at fault."""
    try:
        value = read_yaml(path)
    except FileNotFoundError:
        return Declaration()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as YAML: {error}", "an empty file will do, too") from error
    if value is None:
        return Declaration()
    if not isinstance(value, Mapping):
        raise UsageError(f"{path} is no mapping of keys", "for example language: de")
    try:
        made = fitted_fields(Declaration, _listed(value), "")
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", error.hint) from error
    columns = ColumnFields(**made.pop("columns", {}))
    ways = {name: ProtocolFields(**way) for name, way in made.pop("protocols", {}).items()}
    return Declaration(**made, columns=columns, protocols=ways)


def _listed(value: Mapping[Any, Any]) -> dict[Any, Any]:
    """One name as a list of one, wherever a list may stand."""

    def many(entry: Any) -> Any:
        return [entry] if isinstance(entry, str) else entry

    found = dict(value)
    if "files" in found:
        found["files"] = many(found["files"])
    for key in ("columns", "splits"):
        if isinstance(inner := found.get(key), Mapping):
            found[key] = {name: many(entry) for name, entry in inner.items()}
    return found


def names(value: Columns) -> tuple[str, ...]:
    """The names that a key gives."""
    return (value,) if isinstance(value, str) else value
