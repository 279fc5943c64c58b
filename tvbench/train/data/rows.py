"""A row of conversation data, in the spellings that are in use, as a sample. Knows no file.

LLaVA's: {"id", "image": path or [paths], or "video": path, or neither,
"conversations": [{"from": human|gpt|system, "value"}]}; turns may use role/content, and content may be a list of parts.
Optional: language, data_source, a quality score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from tvbench.errors import MediaError
from tvbench.train.data.captioning import caption_prompt
from tvbench.train.data.sample import BrokenSample, Outline, TrainSample, Turn
from tvbench.types import Media

COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id", "uuid", "sample_id"),
    "image": ("image", "images"),
    "video": ("video", "videos"),
    "turns": ("conversations", "messages", "texts"),
    "caption": ("caption", "text"),
    "language": ("language", "lang"),
    "source": ("data_source", "source", "dataset"),
    "score": ("score", "cometkiwi", "quality"),
}
"""What a field may be called, best first."""
ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "system": "system",
}
_PART_KINDS: dict[str, Literal["image", "video"]] = {
    "image": "image",
    "image_url": "image",
    "input_image": "image",
    "video": "video",
    "video_url": "video",
}
"""Types of a message's parts that show something."""
Opened = Callable[[Any, Literal["image", "video"], str], Media]
"""Turns the value of a cell into a Media; raises MediaError."""


def value_of(row: Mapping[str, Any], field: str, renamed: Mapping[str, str]) -> Any:
    """The value of a field under any of its names, or None."""
    names = (renamed[field],) if field in renamed else COLUMNS[field]
    return next((row[name] for name in names if row.get(name) not in (None, "", [])), None)


def sample_of(
    row: Mapping[str, Any], name: str, source: str, opened: Opened, renamed: Mapping[str, str]
) -> TrainSample:
    """The sample of a row. Raises BrokenSample: no turns, an unknown role, a picture that is not there."""
    identity = _text(row, "id", renamed) or name
    language = _text(row, "language", renamed) or "en"
    media = []
    try:
        for kind, value in media_values(row, renamed):
            media.append(opened(value, kind, f"{identity}'s {kind}"))
    except MediaError as error:
        raise BrokenSample(identity, error.message) from error
    turns = turns_of(row, identity, language, renamed)
    return TrainSample(identity, turns, tuple(media), language, _text(row, "source", renamed) or source)


def outline_of(row: Mapping[str, Any], source: str, renamed: Mapping[str, str]) -> tuple[Outline, float | None]:
    """The outline and the score of a row, from its text alone; a broken row has no words."""
    language = _text(row, "language", renamed) or "en"
    try:
        words = sum(len(turn.text.split()) for turn in turns_of(row, "", language, renamed))
    except BrokenSample:
        words = 0
    kinds = {kind for kind, _ in media_values(row, renamed)}
    score = value_of(row, "score", renamed)
    known = float(score) if isinstance(score, int | float) and not isinstance(score, bool) else None
    modality: Literal["video", "image", "text"] = "video" if "video" in kinds else "image" if kinds else "text"
    return Outline(words, modality, language, _text(row, "source", renamed) or source), known


def media_values(row: Mapping[str, Any], renamed: Mapping[str, str]) -> list[tuple[Literal["image", "video"], Any]]:
    """The pictures and clips that a row names, in order."""
    found: list[tuple[Literal["image", "video"], Any]] = []
    kinds: tuple[Literal["image", "video"], ...] = ("image", "video")
    for kind in kinds:
        value = value_of(row, kind, renamed)
        listed = value if isinstance(value, list | tuple) else [value] if value is not None else []
        found += [(kind, medium) for medium in listed if medium is not None]
    return found or _media_in_turns(value_of(row, "turns", renamed))


def _media_in_turns(turns: Any) -> list[tuple[Literal["image", "video"], Any]]:
    """What the parts of messages hold: {"type": "image", "image": path} or {"type": "image_url", "image_url":
    {"url": path or data URI}}, as chat APIs have them."""
    found: list[tuple[Literal["image", "video"], Any]] = []
    for part in _parts(turns):
        said = str(part.get("type"))
        kind = _PART_KINDS.get(said)
        value = next((part[name] for name in (said, kind or said, "url", "path") if name in part), None)
        if isinstance(value, Mapping) and "url" in value:
            value = value["url"]
        if kind is not None and value is not None:
            found.append((kind, value))
    return found


def turns_of(row: Mapping[str, Any], identity: str, language: str, renamed: Mapping[str, str]) -> tuple[Turn, ...]:
    """The turns of a row; a caption alone is asked for in its language. Raises BrokenSample."""
    given = value_of(row, "turns", renamed)
    if given is None:
        caption = value_of(row, "caption", renamed)
        if not isinstance(caption, str):
            return ()
        return (Turn("user", caption_prompt(language, identity)), Turn("assistant", _readable(caption, identity)))
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise BrokenSample(identity, "its conversation is not a list of turns")
    turns: list[Turn] = []
    for turn in given:
        if not isinstance(turn, Mapping):
            raise BrokenSample(identity, f"a turn is not an object: {str(turn)[:40]!r}")
        turns += _turn(turn, identity)
    return tuple(turns)


def _turn(turn: Mapping[str, Any], identity: str) -> list[Turn]:
    if "user" in turn and "assistant" in turn:  # {"user": ..., "assistant": ...}, as The Cauldron has them
        return [
            Turn("user", _readable(str(turn["user"]), identity)),
            Turn("assistant", _readable(str(turn["assistant"]), identity)),
        ]
    said = str(turn.get("from", turn.get("role", "")))
    if said not in ROLES:
        raise BrokenSample(identity, f"unknown role {said!r} in its conversation")
    content = turn.get("value", turn.get("content", ""))
    if isinstance(content, list):
        content = "".join(_part(part, identity) for part in content if isinstance(part, Mapping))
    return [Turn(ROLES[said], _readable(str(content if content is not None else ""), identity))]


def _part(part: Mapping[str, Any], identity: str) -> str:
    """A part's text, or the mark of what it shows."""
    said = str(part.get("type", "text"))
    if said in ("text", "input_text"):
        return str(part.get("text", ""))
    if said not in _PART_KINDS:
        raise BrokenSample(identity, f"a part of unknown type {said!r}")
    return f"<{_PART_KINDS[said]}>\n"


def _parts(turns: Any) -> Iterator[Mapping[str, Any]]:
    for turn in turns if isinstance(turns, list | tuple) else ():
        content = turn.get("value", turn.get("content")) if isinstance(turn, Mapping) else None
        yield from (part for part in (content if isinstance(content, list) else ()) if isinstance(part, Mapping))


def _text(row: Mapping[str, Any], field: str, renamed: Mapping[str, str]) -> str:
    """A name that can be printed and stored: lone surrogates, which JSON can hold, become question marks."""
    value = value_of(row, field, renamed)
    return "" if value is None else str(value).encode("utf-8", "replace").decode("utf-8")


def _readable(text: str, identity: str) -> str:
    """`text`, unless it has lone surrogates: no tokenizer takes those. Raises BrokenSample."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BrokenSample(identity, "its text is not valid Unicode: it has half of a surrogate pair") from error
    return text
