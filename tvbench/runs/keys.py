"""The content key: one SHA-256 that is the resume, the cache, the de-duplication and the merge of shards.

It covers what determines an answer (model and revision, what its card says about the prompt, messages, media bytes,
sampling, continuation, repeat index) and nothing of how it was computed: not the engine, the rank, the batch or the
task. Which frames of a clip are shown depends on its decoder: one that is not the default is a part of the key. Two
runs of one model through two engines have equal keys, and can be compared item by item.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from tvbench.types import Item, Media, Message, Sampling

KEY_FORMAT = 1
"""Raise when the meaning of a key changes; old stores then never match by accident."""
SAMPLING = tuple(field.name for field in fields(Sampling))
_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str).encode


def media_digest(media: Media) -> str:
    """SHA-256 of the encoded bytes. Raises what `media.load` raises (OSError, MediaError)."""
    return hashlib.sha256(media.load()).hexdigest()


def media_of(messages: Sequence[Message]) -> list[Media]:
    """All media of a conversation in the order in which they stand."""
    return [part for message in messages for part in message.parts if isinstance(part, Media)]


def describe_messages(messages: Sequence[Message], digests: Sequence[str]) -> list[dict[str, object]]:
    """The messages as plain JSON, each medium as its digest. `digests` follow `media_of(messages)`."""
    following = iter(digests)
    described: list[dict[str, object]] = []
    for message in messages:
        parts: list[object] = []
        for part in message.parts:
            if isinstance(part, Media):
                entry: dict[str, object] = {"type": part.kind, "sha256": next(following, "unread")}
                if part.kind == "video":
                    entry.update(frames=part.frames, size=part.size)
                    if part.decoder is not None:
                        entry.update(decoder=part.decoder)
                parts.append(entry)
            else:
                parts.append({"type": "text", "text": part})
        described.append({"role": message.role, "parts": parts})
    return described


def content_key(
    item: Item, model: str, revision: str, digests: Sequence[str], chat: Mapping[str, Any] | None = None
) -> str:
    """The key of `item` for `model` at `revision`; `digests` are those of its media, in order. `chat` is what the
    model's card says about the prompt (registry/influence.py), if anything.

    An item that cannot be asked (`item.problem`) gets a key of its own, so that its failure is stored too.
    """
    content = {
        "format": KEY_FORMAT,
        "model": model,
        "revision": revision,
        "messages": describe_messages(item.messages, digests),
        "sampling": {name: getattr(item.sampling, name) for name in SAMPLING},
        "continuation": item.continuation,
        "repeat": item.repeat,
    }
    if chat:
        content["chat"] = dict(chat)
    if item.reply_schema:
        content["reply_schema"] = item.reply_schema
    if item.second_bos:
        content["second_bos"] = True
    if item.problem is not None:
        content["unasked"] = [item.task, item.id]
    return hashlib.sha256(_canonical(content).encode("utf-8", "surrogatepass")).hexdigest()
