"""Items, responses, scores and results as plain JSON and back. Knows types, and no file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, NoReturn

from tvbench.errors import MediaError
from tvbench.registry.thoughts import without_thinking
from tvbench.scoring.intervals import ends
from tvbench.types import (
    Choice,
    Contains,
    Contrast,
    Counts,
    Exam,
    Figure,
    Item,
    Media,
    Message,
    OcrText,
    Open,
    Response,
    Sampling,
    Score,
    Short,
    Slice,
    Target,
    TaskResult,
    Translation,
    Voted,
)

TARGETS: dict[str, type[Any]] = {
    kind.__name__.lower(): kind for kind in (Choice, Exam, Short, Voted, Translation, Open, OcrText, Contains, Contrast)
}
RESPONSE_FIELDS = frozenset(field.name for field in fields(Response))
Json = dict[str, Any]


def item_to_json(item: Item, digests: Sequence[str] = ()) -> Json:
    """An item with each medium as its name and digest; `digests` are those of its media, in order."""
    following = iter(digests)
    return _without_defaults(
        {
            "id": item.id,
            "task": item.task,
            "language": item.language,
            "messages": [
                {"role": message.role, "parts": [_part_to_json(part, following) for part in message.parts]}
                for message in item.messages
            ],
            "target": {"kind": type(item.target).__name__.lower(), **asdict(item.target)},
            "sampling": asdict(item.sampling),
            "cluster": item.cluster,
            "tags": dict(item.tags),
            "continuation": item.continuation,
            "reply_schema": item.reply_schema or None,
            "repeat": item.repeat,
            "problem": item.problem,
            "second_bos": item.second_bos or None,
        }
    )


def item_from_json(data: Json) -> Item:
    """The item again; its media can be named but not loaded (the store keeps digests, not pictures)."""
    return Item(
        id=data["id"],
        task=data["task"],
        language=data["language"],
        messages=tuple(
            [
                Message(message["role"], tuple(map(_part_from_json, message["parts"])))
                for message in data.get("messages", ())
            ]
        ),
        target=_target_from_json(data["target"]),
        sampling=_sampling(**_tuples(data["sampling"])),
        cluster=data.get("cluster", ""),
        tags=data.get("tags", {}),
        continuation=data.get("continuation"),
        reply_schema=data.get("reply_schema", ""),
        repeat=data.get("repeat", 0),
        problem=data.get("problem"),
        second_bos=data.get("second_bos", False),
    )


def response_to_json(response: Response) -> Json:
    """A response without the fields that say nothing."""
    return _without_defaults(asdict(response))


def response_from_json(data: Json) -> Response:
    """Raises KeyError or TypeError where `data` is not a response. Fields of a later format are ignored; a text that
    was stored with the thinking in it is taken apart."""
    if not isinstance(data["key"], str):
        raise TypeError("key is not a string")
    values: Json = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in data.items()
        if name in RESPONSE_FIELDS
    }
    response = Response(**values)
    return without_thinking(response) if isinstance(response.text, str) else response


def score_to_json(score: Score) -> Json:
    """A score as it is; None stays null ("unscored")."""
    data: Json = {
        "item": score.item,
        "values": dict(score.values),
        "flags": list(score.flags),
        "unscored": score.unscored,
    }
    if score.answer is not None:
        data["answer"] = score.answer
    if score.failures:
        data["failures"] = dict(score.failures)
    return data


def score_from_json(data: Json) -> Score:
    """A score that was written; what is not as it should be is left out."""
    values = {
        name: value
        for name, value in _mapping(data.get("values")).items()
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    }
    flags = tuple(flag for flag in data.get("flags") or () if isinstance(flag, str))
    return Score(
        str(data["item"]), values, flags, data.get("unscored"), data.get("answer"), dict(_mapping(data.get("failures")))
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def result_to_json(result: TaskResult) -> Json:
    """A task's figures; `complete` is written out so that `jq` can filter on it."""
    data: Json = _plain(result)
    data["complete"] = result.counts.complete
    if not result.declared:
        del data["declared"]
    for metrics in _metric_tables(data):
        for metric in metrics.values():
            metric["interval"] = _interval(metric)
    return data


def _plain(value: Any) -> Any:
    """As `asdict`, also of mappings that are no dictionaries."""
    if value is None or isinstance(value, str | int | float):
        return value
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _metric_tables(data: Json) -> Iterator[Json]:
    yield from (data["metrics"], data["micro"], data["macro_without_english"])
    for parts in data["breakdowns"].values():
        yield from (part["metrics"] for part in parts.values())


def _interval(metric: Json) -> list[float] | None:
    """The 95 % interval of a figure that has one, for readers of the file."""
    found = ends(Figure(**metric))
    return None if found is None else list(found)


def result_from_json(data: Json) -> TaskResult:
    """Raises KeyError or TypeError where `data` is not a result."""
    return TaskResult(
        task=data["task"],
        protocol=data["protocol"],
        signature=data["signature"],
        primary=data["primary"],
        counts=Counts(**data["counts"]),
        metrics=_figures(data["metrics"]),
        micro=_figures(data["micro"]),
        macro_without_english=_figures(data["macro_without_english"]),
        breakdowns={
            tag: {value: Slice(Counts(**part["counts"]), _figures(part["metrics"])) for value, part in parts.items()}
            for tag, parts in data["breakdowns"].items()
        },
        metric_signatures=data.get("metric_signatures", {}),
        logged=data.get("logged", {}),
        warnings=tuple(data.get("warnings", ())),
        declared=data.get("declared", {}),
    )


def _figures(data: Mapping[str, Json]) -> dict[str, Figure]:
    known = [field.name for field in fields(Figure)]
    figures = {name: Figure(**{key: metric[key] for key in known if key in metric}) for name, metric in data.items()}
    return {name: _with_ends(figure) for name, figure in figures.items()}


def _with_ends(figure: Figure) -> Figure:
    """Figures of earlier versions have a standard error and no interval."""
    low, high = ends(figure) or (None, None)
    return replace(figure, low=low, high=high)


def _part_to_json(part: str | Media, digests: Iterator[str]) -> Json:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    told = {"type": part.kind, "name": part.name, "sha256": next(digests, None), "frames": part.frames}
    return _without_defaults({**told, "size": part.size, "decoder": part.decoder})


def _part_from_json(data: Json) -> str | Media:
    if data["type"] == "text":
        return str(data["text"])
    name = data["name"]

    def not_here() -> NoReturn:
        raise MediaError(f"{name} is not kept in the run folder, only its digest")

    return Media(data["type"], name, not_here, data.get("frames"), data.get("size"), data.get("decoder"))


@lru_cache(maxsize=64, typed=True)
def _sampling(**fields: Any) -> Sampling:
    """Most items of a run are sampled alike, and share one."""
    return Sampling(**fields)


def _target_from_json(data: Json) -> Target:
    values = _tuples(data)
    kind = TARGETS[values.pop("kind")]
    target: Target = kind(**values)
    return target


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _without_defaults(values: Json) -> Json:
    """Drop what a reader fills in again, so that lines stay short and readable."""
    return {name: value for name, value in values.items() if value is not None and value not in ((), [], {})}
