"""What a suite's YAML file may say, and nothing else: held to a declaration, which is a JSON schema for editors too.

    about, source: text                    # what it is for, and where the list is from
    models: [tower-mini, openai:NAME@URL, {model: ./checkpoint, label: mine, engine: vllm}]
    tasks: [alm, multi30k:de+fr, ./mine.py]
    languages: [de, fr]
    options: {limit: 50, set: {mini.level: 2}}             # of every run, by the names of `tvbench run`'s options
    matrix: {protocol: [tvbench, paper]}                   # one run for each combination of the values
    include: [{model: tower-mini, tasks: [mini], no_image: true}]     # and these runs
    exclude: [{model: tower-mini, tasks: [alm], protocol: paper}]     # without these

Texts that begin with `./` or `../`, and `data`, are paths from the file's own folder. Knows the options of a run; knows
no task and no model.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union, get_args, get_origin, get_type_hints

from tvbench.errors import UsageError, unknown_name
from tvbench.runs.run_options import Keywords
from tvbench.safety.bounded import MOST_YAML, read_text, yaml_value
from tvbench.safety.fitting import Rule, Text, declared, fitted, fitted_fields, shown
from tvbench.safety.schema import Schema, document, schema_for, schema_of

NOT_IN_SUITES = frozenset({"languages", "fresh", "trust_remote_code", "shard", "on"})
"""Options with a place of their own here, that would begin anew whenever a suite goes on, that only a person may give,
or that are another in each of several jobs."""
OF_ONE_MODEL = frozenset({"label", "revision"})
RENAMED = {"settings": "set"}
"""Options that a person types by another name."""
NAME = Rule(
    lambda text: bool(text.strip(". ")) and not set(text) & set("/\\\0") and text.isprintable() and len(text) <= 100,
    "the name of a file: letters, digits, - and _, such as eu24",
    {"pattern": r"^[^/\\\x00-\x1f]*[^/\\. \x00-\x1f][^/\\\x00-\x1f]*$", "maxLength": 100},
)


def _as_yaml(hint: Any) -> Any:
    """An option's annotation, as a YAML file can hold such a value; Options itself looks closer."""
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    plain = {_plain_kind(kind) for kind in kinds if kind is not type(None)}
    return Optional[plain.pop() if len(plain) == 1 else Any]  # noqa: UP045 - of a value that is known only here


def _plain_kind(kind: Any) -> Any:
    if get_origin(kind) is Literal or kind in (int, float, bool):
        return kind
    return (
        Mapping[str, Any]
        if isinstance(origin := get_origin(kind), type) and issubclass(origin, Mapping)
        else (str if isinstance(kind, type) else Any)
    )


def _option_hints() -> dict[str, Any]:
    hints = get_type_hints(Keywords)
    found = {RENAMED.get(name, name): _as_yaml(hint) for name, hint in hints.items() if name not in NOT_IN_SUITES}
    return found | {"set": Optional[Mapping[str, Any]]}  # noqa: UP045


def _of(name: str, doc: str, hints: Mapping[str, Any]) -> type:
    made = make_dataclass(name, [(key, hint, field(default=None)) for key, hint in hints.items()], frozen=True)
    made.__doc__ = doc
    return made


OPTIONS = _option_hints()
RUN = {name: hint for name, hint in OPTIONS.items() if name not in OF_ONE_MODEL}
NAMES = Optional[tuple[Text, ...]]  # noqa: UP045
RunFields = _of("RunFields", "Options of runs, by the names that `tvbench run` gives them, with _ for -.", RUN)
ModelFields = _of("ModelFields", "A model, with options of its own.", {"model": Text, **OPTIONS})
IncludeFields = _of(
    "IncludeFields",
    "More runs: of this model (or all), with these tasks and languages (or the suite's) and options.",
    {"model": Optional[Text], "tasks": NAMES, "languages": NAMES, **OPTIONS},  # noqa: UP045
)
ExcludeFields = _of(
    "ExcludeFields",
    "What is left out: of this model, these tasks and languages, in runs with these values of the matrix (or all).",
    {"model": Optional[Text], "tasks": NAMES, "languages": NAMES, **RUN},  # noqa: UP045
)


@dataclass(frozen=True, slots=True)
class SuiteFields:
    """A suite of tvbench: models, tasks, languages and settings, and one run for each combination of them."""

    name: Annotated[str, NAME] = ""
    about: str = ""
    source: str = ""
    models: tuple[Any, ...] = ()
    tasks: tuple[Text, ...] = ()
    languages: tuple[Text, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    matrix: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    include: tuple[Any, ...] = ()
    exclude: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite as its file has it; every model and every entry of `include` and `exclude` is a mapping of what it
    says."""

    name: str
    path: Path
    about: str = ""
    source: str = ""
    models: tuple[Mapping[str, Any], ...] = ()
    tasks: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    matrix: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    include: tuple[Mapping[str, Any], ...] = ()
    exclude: tuple[Mapping[str, Any], ...] = ()
    nearby: bool = False
    """Found by its name in a folder that may be somebody else's: its servers get no key."""


def suite_schema() -> Schema:
    """The JSON schema of a suite, for editors."""
    schema = schema_of(SuiteFields)
    model = {"anyOf": [schema_for(Text), schema_of(ModelFields, partial=True) | {"required": ["model"]}]}
    schema["properties"] |= {
        "models": {"type": "array", "items": model},
        "options": schema_of(RunFields, partial=True),
        "matrix": {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: {"type": "array", "minItems": 1, "items": schema_for(h)} for name, h in RUN.items()},
        },
        "include": {"type": "array", "items": schema_of(IncludeFields, partial=True)},
        "exclude": {"type": "array", "items": {**schema_of(ExcludeFields, partial=True), "minProperties": 1}},
    }
    return document("tvbench suite", schema)


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────


def read_suite_file(path: Path) -> Suite:
    """The suite in a file. Raises UsageError that names the file, the key and what to write."""
    try:
        value = yaml_value(read_text(path, MOST_YAML))
    except OSError as error:
        said = f"there is no suite {path}: {error.strerror or error}"
        raise UsageError(said, "`tvbench suites` lists those that are known by name") from error
    except ValueError as error:
        raise UsageError(f"suite {path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"suite {path} is no mapping", "begin with `tasks: [alm]` and `models: [tower-mini]`")
    try:
        return read_suite(value, path)
    except UsageError as error:
        raise UsageError(f"suite {path}: {error.message}", error.hint) from error


def read_suite(value: Mapping[Any, Any], path: Path) -> Suite:
    """A suite from parsed YAML. Raises UsageError naming the key at fault."""
    made = fitted_fields(SuiteFields, value, "")
    NAME.check(name := made.get("name", path.stem), "name")
    made["name"] = name.strip()
    made["models"] = tuple(_model(entry, f"models[{n}]") for n, entry in enumerate(made.get("models", ())))
    made["options"] = _fields(RunFields, made.get("options", {}), "options")
    made["matrix"] = {name: _values(name, values) for name, values in made.get("matrix", {}).items()}
    made["include"] = tuple(_fields(IncludeFields, e, f"include[{n}]") for n, e in enumerate(made.get("include", ())))
    made["exclude"] = tuple(_exclude(e, f"exclude[{n}]") for n, e in enumerate(made.get("exclude", ())))
    return Suite(path=path, **_from_here(made, path.parent))


def _fields(kind: type, value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{place}: must be a mapping, not {shown(value)}", "for example {limit: 50}")
    return fitted_fields(kind, value, place)


def _model(entry: Any, place: str) -> dict[str, Any]:
    """A model by its name alone, or a mapping with `model`."""
    if isinstance(entry, str):
        return {"model": fitted(entry, Text, place)}
    if not isinstance(entry, Mapping):
        raise UsageError(f"{place}: must be a model's name or a mapping, not {shown(entry)}", "{model: NAME, limit: 5}")
    if entry.get("model") is None:
        raise UsageError(f"{place}: says no model", "for example {model: tower-mini, label: mine}")
    return _fields(ModelFields, entry, place)


def _values(name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values of one axis, each as the option takes it."""
    hints = declared(RunFields)
    if name not in hints:
        raise unknown_name("key of matrix", name, hints)
    if not values:
        raise UsageError(f"matrix.{name}: has no values", f"for example {name}: [A, B], or leave it out")
    return tuple(fitted(value, hints[name], f"matrix.{name}[{number}]") for number, value in enumerate(values))


def _exclude(entry: Any, place: str) -> dict[str, Any]:
    found = {name: value for name, value in _fields(ExcludeFields, entry, place).items() if value is not None}
    if not found:
        raise UsageError(f"{place}: would leave out everything", "for example {model: NAME, tasks: [alm]}")
    return found


def _from_here(value: Any, folder: Path, key: str = "") -> Any:
    """Texts that are paths, from `folder`."""
    if isinstance(value, Mapping):
        return {name: _from_here(inner, folder, name) for name, inner in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_from_here(inner, folder, key) for inner in value)
    is_path = isinstance(value, str) and key not in ("about", "source", "name", "label")
    if is_path and (value.startswith(("./", "../")) or (key == "data" and not value.startswith(("/", "~")))):
        return f"{folder / value}"
    return value
