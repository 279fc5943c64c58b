"""All media of a request, loaded and decoded in order."""

from __future__ import annotations

from tvbench.engines.protocol import Decoded, Prepared
from tvbench.errors import MediaError
from tvbench.keys import media_of
from tvbench.media.images import open_image
from tvbench.media.video import Decoder
from tvbench.types import Media, Request


def prepare(request: Request, decoder: Decoder) -> Prepared:
    """Load and decode all media of `request`, in order. Raises MediaError for the first that cannot be used."""
    decoded: list[Decoded] = []
    encoded: list[bytes] = []
    notes: list[str] = []
    for media in media_of(request.messages):
        data = load(media)
        encoded.append(data)
        if media.kind == "image":
            decoded.append(open_image(data, media.name))
        else:
            clip, remarks = decoder.decode(data, media.name, media.frames or 32, media.size)
            decoded.append(clip)
            notes.extend(remarks)
    return Prepared(request, tuple(decoded), tuple(encoded), tuple(notes))


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
