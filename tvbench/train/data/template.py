"""A conversation as text, and which characters of it are learned.

Two templates. `gemma2_instruct` gives the bytes of the checkpoint's chat template; `plain` (the projector's stage)
throws the human text away: picture, caption, newline. Two masks. `paper` is the TowerVision authors': the assistant's
whole turn with its header, and every turn mark and single newline anywhere; `assistant_only` is what a model must say
itself: the answer and its end of turn. (LLaVA-NeXT fork of the authors: `preprocess_gemma2`, `preprocess_plain`.)
Knows no tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tvbench.train.data.sample import IMAGE_MARK, VIDEO_MARK, BrokenSample, TrainSample, Turn

START, END = "<start_of_turn>", "<end_of_turn>"
MARKS = (START, END, "\n")
"""Tokens that the mask `paper` trains wherever they stand."""
_ROLES = {"system": "system", "user": "user", "assistant": "model"}
Mask = Literal["paper", "assistant_only"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """`text` without the leading bos; `learned` are the spans (start, end) of its characters that are trained;
    `marks_too`: so is every token of MARKS; `answers` are the spans of what is said, without headers and marks."""

    text: str
    learned: tuple[tuple[int, int], ...]
    marks_too: bool
    answers: tuple[tuple[int, int], ...] = ()


def instruct(turns: Sequence[Turn], mask: Mask) -> Rendered:
    """Gemma's turns, as the checkpoint's chat template writes them."""
    text, learned, answers = "", [], []
    for turn in turns:
        header = f"{START}{_ROLES[turn.role]}\n"
        content = turn.text.strip()
        start = len(text)
        text += f"{header}{content}{END}\n"
        if turn.role == "assistant":
            said = start + len(header)
            answers.append((said, said + len(content)))
            learned.append((start, len(text)) if mask == "paper" else (said, said + len(content) + len(END)))
    return Rendered(text, tuple(learned), marks_too=mask == "paper", answers=tuple(answers))


def plain(turns: Sequence[Turn]) -> Rendered:
    """The picture's mark, the caption and a newline; the caption and the newline are trained, under either mask."""
    marks = "".join(mark * turn.text.count(mark) for turn in turns for mark in (IMAGE_MARK, VIDEO_MARK))
    caption = next(turn.text.strip() for turn in turns if turn.role == "assistant")
    end = len(marks) + len(caption)
    return Rendered(f"{marks}{caption}\n", ((len(marks), end + 1),), marks_too=False, answers=((len(marks), end),))


def placed(sample: TrainSample) -> tuple[Turn, ...]:
    """The turns with a mark for each medium: one picture's mark goes to the front of the first human turn.

    A clip may be marked `<image>`, as LLaVA-Video's data do. Raises BrokenSample: no turns, no answer, empty answers,
    or another number of marks than of media.
    """
    turns = [turn for turn in sample.turns if turn.text.strip() or turn.role == "user"]
    if not sample.turns:
        raise BrokenSample(sample.id, "the conversation is empty")
    if not any(turn.role == "assistant" for turn in turns):
        raise BrokenSample(sample.id, "nobody answers in the conversation")
    if any(turn.role == "assistant" and not turn.text.strip() for turn in sample.turns[:-1]):
        raise BrokenSample(sample.id, "an answer before the last one is empty")
    if any(turn.role == "assistant" and mark in turn.text for turn in turns for mark in (IMAGE_MARK, VIDEO_MARK)):
        raise BrokenSample(sample.id, "an image mark stands in an answer")
    turns = _marked_as_kind(turns, sample)
    found = sum(turn.text.count(mark) for turn in turns for mark in (IMAGE_MARK, VIDEO_MARK))
    if found == 0 and sample.media:
        turns = _with_marks(turns, sample)
    elif found != len(sample.media):
        raise BrokenSample(sample.id, f"{found} image marks for {len(sample.media)} pictures or clips")
    return tuple(_fronted(turns) if len(sample.media) == 1 else turns)


def _marked_as_kind(turns: list[Turn], sample: TrainSample) -> list[Turn]:
    if [medium.kind for medium in sample.media] != ["video"]:
        return turns
    return [Turn(turn.role, turn.text.replace(IMAGE_MARK, VIDEO_MARK)) for turn in turns]


def _with_marks(turns: list[Turn], sample: TrainSample) -> list[Turn]:
    """Marks for all media at the front of the first human turn, or as a turn of their own before the answer."""
    marks = "".join(f"<{medium.kind}>\n" for medium in sample.media)
    first = next((place for place, turn in enumerate(turns) if turn.role == "user"), None)
    if first is None:
        return [Turn("user", marks), *turns]
    return [*turns[:first], Turn("user", marks + turns[first].text), *turns[first + 1 :]]


def _fronted(turns: Sequence[Turn]) -> list[Turn]:
    """A single mark that does not stand at the start of its turn is moved there."""
    moved = []
    for turn in turns:
        mark = next((mark for mark in (IMAGE_MARK, VIDEO_MARK) if mark in turn.text), None)
        if mark is not None and not turn.text.strip().startswith(mark):
            turn = Turn(turn.role, f"{mark}\n{turn.text.replace(mark, '').strip()}")
        moved.append(turn)
    return moved
