"""The messages of a request in the form of the OpenAI chat API, with pictures and clips written into them.

Knows which bytes every server reads alike, and sends pixels where they do not. Knows no network.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from tvbench.checkpoints.prompt import arranged
from tvbench.data.media.clips import Clip, Decoded
from tvbench.data.media.images import as_picture, plain_format, png
from tvbench.engines.openai.retry import Json
from tvbench.engines.protocol import Prepared, Sight
from tvbench.errors import MediaError
from tvbench.types import Media, ModelCard

MIME = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
"""The formats that every server reads. Others are sent as PNG."""
SIGHT = Sight(files=frozenset(MIME))
"""What is taken of media: files as they are, where every server reads them alike."""
VideoAs = Literal["frames", "video_url"]
CLIPS = ((4, b"ftyp", "video/mp4"), (0, b"\x1a\x45\xdf\xa3", "video/webm"), (0, b"RIFF", "video/x-msvideo"))


def messages_of(prepared: Prepared, card: ModelCard | None, video: VideoAs = "frames") -> list[Json]:
    """The messages of a request as they are sent, arranged as the card wants them (None: as they stand)."""
    if card is None:
        return chat_messages(prepared, video)
    request = replace(prepared.request, messages=tuple(arranged(prepared.request.messages, card)))
    return chat_messages(replace(prepared, request=request), video)


def chat_messages(prepared: Prepared, video: VideoAs = "frames") -> list[Json]:
    """The conversation with its media as data: URLs, in order. A turn of text only is a plain string."""
    media = _media(prepared)
    messages: list[Json] = []
    for message in prepared.request.messages:
        if all(isinstance(part, str) for part in message.parts):
            messages.append({"role": message.role, "content": "".join(str(part) for part in message.parts)})
            continue
        parts: list[Json] = []
        for part in message.parts:
            if isinstance(part, Media):
                medium = next(media, None)
                if medium is None:
                    raise MediaError(f"{part.name} is missing")
                parts.extend(_medium(*medium, video))
            elif part:
                parts.append({"type": "text", "text": part})
        messages.append({"role": message.role, "content": parts})
    return messages


def _media(prepared: Prepared) -> Iterator[tuple[Decoded, bytes]]:
    encoded = prepared.encoded or (b"",) * len(prepared.media)
    return zip(prepared.media, encoded, strict=True)


def _medium(decoded: Decoded, encoded: bytes, video: VideoAs) -> list[Json]:
    if isinstance(decoded, Clip):
        if video == "video_url" and encoded:
            return [_data_url("video_url", clip_mime(encoded), encoded)]
        return [_data_url("image_url", "image/png", png(as_picture(frame))) for frame in decoded.frames]
    mime = faithful_mime(encoded)
    if mime is None:
        return [_data_url("image_url", "image/png", png(decoded))]
    return [_data_url("image_url", mime, encoded)]


def faithful_mime(encoded: bytes) -> str | None:
    """The type of picture bytes that any server decodes to what we decoded; None: send our pixels instead.

    Servers differ on transparency, rotation flags, CMYK, 16-bit and animated pictures, and on rarer formats.
    """
    if not encoded:
        return None
    return MIME.get(plain_format(encoded))


def clip_mime(encoded: bytes) -> str:
    """The type of a video file by its first bytes; mp4 where they say nothing."""
    return next((mime for at, mark, mime in CLIPS if encoded[at : at + len(mark)] == mark), "video/mp4")


def _data_url(kind: str, mime: str, data: bytes) -> Json:
    return {"type": kind, kind: {"url": f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"}}
