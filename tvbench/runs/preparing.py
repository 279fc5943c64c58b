"""All media of a request, loaded and decoded in order, in as much memory as there is room for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tvbench.data.media.clips import Decoded
from tvbench.data.media.images import open_image, plain_format, read_header, unread
from tvbench.data.media.room import Room
from tvbench.data.media.video import Decoder
from tvbench.engines.protocol import ALL_OF_IT, Prepared, Sight
from tvbench.errors import MediaError
from tvbench.runs.keys import media_of
from tvbench.types import Media, Request

DECODING = Room(256 << 20)
"""Of all pictures that are being decoded in this process. A larger one is decoded alone."""
DEFAULT_FRAMES = 32


def prepare(request: Request, decoder: Decoder, sight: Sight = ALL_OF_IT) -> Prepared:
    """Load and decode all media of `request`, in order, for an engine that takes what `sight` says.

    Raises MediaError for the first that cannot be used.
    """
    if sight.encoded:
        return Prepared(request, encoded=tuple(map(load, media_of(request.messages))))
    decoded: list[Decoded] = []
    encoded: list[bytes] = []
    notes: list[str] = []
    pixels = 0
    for media in media_of(request.messages):
        data = load(media)
        encoded.append(data)
        medium, size, remarks = (
            _picture(data, media, sight) if media.kind == "image" else _clip(data, media, sight, decoder)
        )
        decoded.append(medium)
        pixels += size
        notes.extend(remarks)
    digests = tuple(hashlib.sha256(data).hexdigest() for data in encoded)
    return Prepared(request, tuple(decoded), tuple(encoded), tuple(notes), pixels, digests)


Made = tuple[Decoded, int, Sequence[str]]
"""A medium, the bytes that it takes decoded, and notes."""


def _picture(data: bytes, media: Media, sight: Sight) -> Made:
    """Decoded in any case, to know that it can be. A note says where the model is shown fewer pixels than there are."""
    name = media.name
    header = read_header(data, name)
    with DECODING.of(header.memory):
        picture = open_image(data, name)
    if sight.files and plain_format(data) in sight.files:
        return unread(data, name), 0, ()
    size = f"{header.width} x {header.height}"
    notes = (f"{name}: {size} pixels were resized to {picture.width} x {picture.height}",) if header.shrunk else ()
    return picture, 4 * picture.width * picture.height, notes


def _clip(data: bytes, media: Media, sight: Sight, decoder: Decoder) -> Made:
    size = media.size or sight.frame_size
    clip, notes = decoder.decode(data, media.name, media.frames or DEFAULT_FRAMES, size, media.decoder)
    return clip, clip.frames.nbytes, notes


def load(media: Media) -> bytes:
    """The encoded bytes. Raises MediaError where there are none."""
    try:
        data = media.load()
    except MediaError:
        raise
    except OSError as error:
        raise MediaError(f"{media.name} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # whatever a reader raises is this medium's failure
        raise MediaError(f"{media.name} cannot be read ({type(error).__name__}: {error})") from error
    if not data:
        raise MediaError(f"{media.name} is empty (zero bytes)")
    return data
