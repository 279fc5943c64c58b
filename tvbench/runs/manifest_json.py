"""A manifest as plain JSON and back: the only place that knows how manifest.json is written.

What the fields must look like is in manifest_shape.py. Knows no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from tvbench.runs.manifest import NO_ENGINE, NOBODY, JudgeEntry, Manifest, RunAsk, Session, TaskEntry
from tvbench.runs.manifest_shape import shape_problem
from tvbench.runs.spent import spent_from_json, spent_to_json
from tvbench.types import EngineInfo, ModelCard

Json = dict[str, Any]


def manifest_from_json(data: Mapping[str, Any]) -> Manifest:
    """Raises ValueError, in words for a person, where `data` is no manifest."""
    if problem := shape_problem(data):
        raise ValueError(problem)
    known, rest = _sorted_out(Manifest, data)
    rest.pop("format", None)
    _, unknown = _sorted_out(ModelCard, known.get("model") or {})
    rest |= {"model": unknown} if unknown else {}
    _, unknown = _sorted_out(EngineInfo, known.get("engine") or {})
    rest |= {"engine": unknown} if unknown else {}
    values = {name: value for name, value in known.items() if value is not None}
    return Manifest(
        **values
        | {
            "command": tuple(map(str, values.get("command", ()))),
            "ask": RunAsk(values.get("ask", {})),
            "model": card_from_json(values["model"]) if values.get("model") else NOBODY,
            "engine": engine_from_json(values.get("engine")) or NO_ENGINE,
            "judging": _judging_from_json(values["judging"]) if "judging" in values else None,
            "tasks": tuple(map(_entry_from_json, values["tasks"])),
            "sessions": _sessions_from_json(values.get("sessions")),
            "rest": rest,
        }
    )


def manifest_to_json(manifest: Manifest) -> Json:
    """A manifest as it is written, without the fields that say nothing."""
    data: Json = {
        "run": manifest.run,
        "source": manifest.source,
        "created": manifest.created,
        "updated": manifest.updated,
        "command": list(manifest.command),
        "ask": dict(manifest.ask.data),
        "model": _model_to_json(manifest.model) if manifest.model != NOBODY else None,
        "engine": asdict(manifest.engine) if manifest.engine != NO_ENGINE else None,
        "decoder": dict(manifest.decoder),
        "judging": _flat(manifest.judging) if manifest.judging else None,
        "tasks": list(map(_entry_to_json, manifest.tasks)),
        "hardware": dict(manifest.hardware),
        "packages": dict(manifest.packages),
        "speed": dict(manifest.speed),
        "sessions": None if manifest.sessions is None else [session_to_json(session) for session in manifest.sessions],
    }
    kept = {
        name: value
        for name, value in data.items()
        if name in ("tasks", "sessions") and value is not None or value not in (None, "", [], {})
    }
    return _merged(manifest.rest, kept)


def _model_to_json(card: ModelCard) -> Json:
    data = asdict(card)
    return {name: value for name, value in data.items() if name != "reasoning" or value}


def card_from_json(data: Mapping[str, Any]) -> ModelCard:
    """A model card as a manifest holds it; imported logs know no more than a name."""
    values, _ = _sorted_out(ModelCard, data)
    lists = {"languages", "modalities", "aliases"}
    values = {name: tuple(value) if name in lists else value for name, value in values.items()}
    return ModelCard(**{"name": "", "kind": "folder", "location": "", "revision": "", **values})


def engine_from_json(data: Any) -> EngineInfo | None:
    """The engine that a manifest or a session speaks of; None where it names none."""
    if not isinstance(data, Mapping) or not {"name", "version"} <= data.keys():
        return None
    return EngineInfo(data["name"], data["version"], data.get("settings", {}))


def session_to_json(session: Session) -> Json:
    """A session without what it has not come to."""
    data = _flat(session)
    data["engine"] = asdict(session.engine) if session.engine else None
    data |= {name: spent_to_json(getattr(session, name)) for name in SPENT}
    late = (
        "arguments",
        "asked_again",
        "reused",
        "replicas",
        "ended",
        "answered",
        "failed",
        *SPENT,
        *BATCHED,
        "id",
        "part",
    )
    return {name: value for name, value in data.items() if name not in late or value not in (None, {}, "")}


SPENT = ("spent", "spent_again")
BATCHED = ("source", "price_factor")
SESSION_KINDS: dict[str, type] = {
    **dict.fromkeys(("began", "where", "model", "revision", "ended", "id", "part", "source"), str),
    **dict.fromkeys(("engine", "server", "arguments", "reused", "asked_again", "replicas"), dict),
    **dict.fromkeys(("answered", "failed"), int),
    "command": list,
    "price_factor": float,
}


def _sessions_from_json(data: Any) -> tuple[Session, ...] | None:
    if not isinstance(data, list):
        return None
    return tuple(_session_from_json(entry) for entry in data if isinstance(entry, dict))


def _session_from_json(data: Mapping[str, Any]) -> Session:
    """Whatever is of another type than it was written with counts as not there."""
    values, rest = _sorted_out(Session, data)
    spent, again = (spent_from_json(values.pop(name, None)) for name in SPENT)
    values = {name: value for name, value in values.items() if type(value) is SESSION_KINDS[name]}
    values["engine"] = engine_from_json(values.get("engine"))
    values["command"] = tuple(map(str, values.get("command", ())))
    return Session(**values, spent=spent, spent_again=again, rest=rest)


def _entry_from_json(data: Mapping[str, Any]) -> TaskEntry:
    values, rest = _sorted_out(TaskEntry, data)
    values["version"] = str(values.get("version", ""))
    for name in ("metrics", "warnings"):
        values[name] = tuple(map(str, values.get(name, ())))
    return TaskEntry(**values, rest=rest)


def _entry_to_json(entry: TaskEntry) -> Json:
    data = _flat(entry)
    optional = ("metrics", "items", "logged", "declared")
    return {name: value for name, value in data.items() if name not in optional or value not in (None, [], {})}


def _judging_from_json(data: Mapping[str, Any]) -> JudgeEntry:
    values, rest = _sorted_out(JudgeEntry, data)
    values["tasks"] = tuple(values["tasks"])
    return JudgeEntry(**{"run": "", **values}, rest=rest)


def _sorted_out(kind: type[Any], data: Mapping[str, Any]) -> tuple[Json, Json]:
    """The fields of `data` that `kind` has, and the others."""
    names = {field.name for field in fields(kind)} - {"rest"}
    return (
        {name: value for name, value in data.items() if name in names},
        {name: value for name, value in data.items() if name not in names},
    )


def _flat(value: TaskEntry | Session | JudgeEntry) -> Json:
    """The fields as they are, tuples as lists, and those of other versions among them."""
    data = {field.name: getattr(value, field.name) for field in fields(value) if field.name != "rest"}
    return {**value.rest, **{name: list(part) if isinstance(part, tuple) else part for name, part in data.items()}}


def _merged(rest: Mapping[str, Any], data: Json) -> Json:
    """`data`, and of `rest` what it does not have, at any depth."""
    merged = dict(data)
    for name, value in rest.items():
        mine = merged.setdefault(name, value)
        if isinstance(mine, dict) and isinstance(value, Mapping):
            merged[name] = _merged(value, mine)
    return merged
