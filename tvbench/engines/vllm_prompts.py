"""A prepared request as vLLM is told of it: token ids, pictures and clips, and a name for each by which its caches know
it again.

A name stands for what a model is shown: the SHA-256 of the encoded bytes, the size in pixels, and, of a clip, its
frames and their places in time. The same picture in several languages has one name, so that it is processed and encoded
once; what is shown differently has another. Knows no engine and no run.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from tvbench.data.media.clips import Clip, Decoded
from tvbench.engines.inputs import as_rgb, fit_frames, in_time
from tvbench.engines.protocol import Prepared

Given: TypeAlias = dict[str, list[Any]]
"""By kind of medium ("image", "video"): one for each medium, in the order of the prompt."""
PIL, TORCHVISION = "pil", "torchvision"
"""What prepares pictures."""


def media_of(prepared: Prepared, frame_size: int | None) -> Given:
    """The pictures and clips of a request as vLLM takes them. `frame_size`: frames are resized to that square."""
    images = [as_rgb(medium) for medium in prepared.media if not isinstance(medium, Clip)]
    clips = [_clip(medium, frame_size) for medium in prepared.media if isinstance(medium, Clip)]
    return {kind: media for kind, media in (("image", images), ("video", clips)) if media}


def names_of(prepared: Prepared, frame_size: int | None, backend: str) -> Given:
    """The names of the same media, in the same order."""
    names: Given = {}
    for medium, digest in _with_digests(prepared):
        clip = isinstance(medium, Clip)
        shown = _clip_shown(medium, frame_size) if isinstance(medium, Clip) else f"{medium.width}x{medium.height}"
        names.setdefault("video" if clip else "image", []).append(f"{digest}-{shown}-{backend}")
    return names


def _with_digests(prepared: Prepared) -> Iterator[tuple[Decoded, str]]:
    """Each medium with the digest that came with it, or one of its pixels."""
    known = prepared.digests if len(prepared.digests) == len(prepared.media) else ("",) * len(prepared.media)
    for medium, digest in zip(prepared.media, known, strict=True):
        yield medium, digest or f"pixels-{_pixels_digest(medium)}"


def _pixels_digest(medium: Decoded) -> str:
    pixels = medium.frames if isinstance(medium, Clip) else np.asarray(as_rgb(medium))
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()


def _clip_shown(clip: Clip, frame_size: int | None) -> str:
    """What of a clip may differ while its file is the same: how many frames were taken, where, how large, by which
    decoder."""
    frames = np.ascontiguousarray(clip.frames)
    places = zlib.crc32(repr(sorted(in_time(clip).items())).encode())
    size = "x".join(map(str, frames.shape[:3]))
    return f"{size}to{frame_size or 0}-{zlib.crc32(frames.data):08x}{places:08x}"


def _clip(clip: Clip, frame_size: int | None) -> tuple[np.ndarray, dict[str, Any]]:
    """Frames, and what models that place frames in time want to know. We have sampled: vLLM must not again."""
    frames = clip.frames if frame_size is None else fit_frames(clip.frames, frame_size)
    return frames, {**in_time(clip), "do_sample_frames": False}


def as_pictures(media: Given) -> Given:
    """`media` that came as pixels from another process, with their pictures as PIL's again."""
    return {
        kind: [Image.fromarray(medium) if kind == "image" else medium for medium in several]
        for kind, several in media.items()
    }


def as_pixels(media: Given) -> Given:
    """`media` as they are sent to another process."""
    return {
        kind: [np.asarray(medium) if kind == "image" else medium for medium in several]
        for kind, several in media.items()
    }
