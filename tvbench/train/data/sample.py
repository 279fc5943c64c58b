"""One training sample: a conversation, its pictures or clip, and where it came from. Knows no file and no tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tvbench.types import Media

if TYPE_CHECKING:
    from PIL.Image import Image


Modality = Literal["text", "image", "video"]
IMAGE_MARK, VIDEO_MARK = "<image>", "<video>"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture (one frame) or a clip that is painted when it is needed, without a detour through a file format."""

    kind: Literal["image", "video"]
    name: str
    paint: Callable[[], Sequence[Image]] = field(repr=False, compare=False)


Medium = Media | Drawn


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says. `<image>` or `<video>` marks where a medium stands."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class TrainSample:
    """A conversation to learn from. `media` in the order of the marks in `turns`; they are loaded when needed.

    `branches` are more conversations on the same media, which are then looked at once: all of them, and `turns`, begin
    with the text `shared` (the marks among it), and each sees that and itself only.
    """

    id: str
    turns: tuple[Turn, ...]
    media: tuple[Medium, ...] = ()
    language: str = "en"
    source: str = ""
    shared: str = ""
    branches: tuple[tuple[Turn, ...], ...] = ()

    @property
    def modality(self) -> Modality:
        """`video` where there is a clip, `image` where there is a picture, else `text`."""
        kinds = {medium.kind for medium in self.media}
        return "video" if "video" in kinds else "image" if kinds else "text"


@dataclass(frozen=True, slots=True)
class Outline:
    """What the order of samples depends on, known without reading pictures. `words`: of all turns, pictures not
    counted (the fork's grouping length)."""

    words: int
    modality: Modality
    language: str
    source: str


def outlined(sample: TrainSample) -> Outline:
    """The outline of a sample that is at hand."""
    words = sum(len(turn.text.split()) for turns in (sample.turns, *sample.branches) for turn in turns)
    return Outline(words, sample.modality, sample.language, sample.source)


class BrokenSample(Exception):
    """A sample that cannot be learned from: it is skipped, counted and listed with `reason`."""

    def __init__(self, sample: str, reason: str) -> None:
        super().__init__(sample, reason)
        self.sample = sample
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.sample}: {self.reason}"
