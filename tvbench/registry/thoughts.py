"""A reply taken apart: what the model thought aloud, and what it answered. The one place that knows where the cut is.

Taken for thinking, of any model: what stands between known tags at the beginning of a reply, or before a closing tag
that nothing opened (a chat template often writes the opening one into the prompt). Of a reply that thinks, further
blocks that begin a line are thinking too. A tag inside an answer, or in quotes, is text. A reply without thinking is
left as it is, byte for byte. One pass over the text, and nothing is raised. Knows texts and tags; no card, no engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from tvbench.types import Response

BLANK = " \t\r\n\f\v\u00a0\u3000\ufeff\u200b\u2060"
"""What may stand before thinking, and is no part of an answer behind it."""
SPACES = BLANK.replace("\r", "").replace("\n", "")
QUOTES = frozenset("`'\"“”„‘’«»「」『』")


@dataclass(frozen=True, slots=True)
class Tags:
    """How one family of models writes its thinking, as patterns without repetition. `sure`: an opening tag alone is
    thinking too."""

    open: str
    close: str
    sure: bool = True


def _words(*names: str) -> Iterator[Tags]:
    for name in names:
        yield Tags(f"<{re.escape(name)}>", f"</{re.escape(name)}>")


KNOWN: tuple[Tags, ...] = (
    # DeepSeek-R1, Qwen3, GLM, Kimi K2, InternVL, Hunyuan, Granite, Ernie, SmolLM3 and most others write the first one.
    *_words("think", "thinking", "thought", "thoughts", "reason", "reasoning", "reflection", "analysis"),
    *_words("seed:think", "mm:think", "ifm|think", "ifm|think_fast", "ifm|think_faster"),
    Tags(r"\[THINK\]", r"\[/THINK\]"),  # Magistral
    Tags(r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),  # Cohere
    Tags(r"<\|channel>(?:thought\n?)?", r"<channel\|>"),  # Gemma 4
    Tags("◁think▷", "◁/think▷"),  # Kimi-VL
    Tags(r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),  # Sky-T1, OpenThinker
    Tags(r"<\|plamo:begin_think:plamo\|>", r"<\|plamo:end_think:plamo\|>"),
    Tags(  # gpt-oss (harmony), with its special tokens and without them
        r"(?:<\|start\|>assistant)?<\|channel\|>analysis(?:<\|message\|>)?",
        r"(?:<\|end\|>)?(?:<\|start\|>assistant)?<\|channel\|>final(?:<\|message\|>)?",
    ),
    Tags(r"\Aanalysis(?=[^\W\d_])", "assistantfinal", sure=False),
)
MARKS = ("<", "[", "◁")
"""Each known tag has one of these, but for a last family, which says nothing without its opening tag: BARE."""
BARE = re.compile("analysis", re.IGNORECASE)
SPECIAL = (
    *("<think>", "</think>", "<thinking>", "</thinking>", "<seed:think>", "</seed:think>", "<mm:think>", "</mm:think>"),
    *("[THINK]", "[/THINK]", "<|START_THINKING|>", "<|END_THINKING|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    *("<|channel>", "<channel|>", "◁think▷", "◁/think▷", "<|begin_of_thought|>", "<|end_of_thought|>"),
    *("<|plamo:begin_think:plamo|>", "<|plamo:end_think:plamo|>", "<|channel|>"),
)
"""Tags that are single tokens of some vocabulary: they are kept where other special tokens are left out of a text."""
AROUND = re.compile(
    r"\A(?:<\|(?:START_(?:RESPONSE|TEXT)|begin_of_solution)\|>|<(?P<word>answer|response)>)\s?", re.IGNORECASE
)
"""What some models write around the answer behind their thinking ..."""
ENDS = re.compile(
    r"\s?(?:<\|(?:END_(?:RESPONSE|TEXT)|end_of_solution|return)\|>|</(?P<word>answer|response)>)\s*\Z", re.IGNORECASE
)
"""... to its end."""
LONGEST_END = 200


@dataclass(frozen=True, slots=True)
class Split:
    """`reasoning` and `answer` of one reply. `closed`: the thinking came to an end. `start` is where in the reply the
    answer begins."""

    reasoning: str
    answer: str
    closed: bool
    start: int


@dataclass(frozen=True, slots=True)
class _Tag:
    start: int
    end: int
    family: int
    opens: bool


def split(text: str, own: Sequence[Tags] = (), *, opened: bool = False, thinks: bool = False) -> Split | None:
    """The reply taken apart; None where there is no thinking in it. `own` are the tags of the model's card; `opened`:
    the prompt ended inside the thinking; `thinks`: the model is known to think, so that its first block may stand
    behind a line of text."""
    tags = _tags(text, tuple(own))
    if not opened and not _begins(text, tags, thinks):
        return None
    return _Reader(text, tags, inside=opened).read()


def thinking_opens_at_end(prompt: str, own: Sequence[Tags] = ()) -> bool:
    """Whether a prompt ends with an opening tag: the reply begins inside the thinking."""
    tail = prompt.rstrip(BLANK)[-200:]
    tags = [tag for tag in _tags(tail, tuple(own)) if tag.end == len(tail)]
    return bool(tags) and tags[-1].opens


def without_thinking(response: Response, own: Sequence[Tags] = ()) -> Response:
    """`response` with its answer as text; one that was taken apart already, or has no thinking, as it is."""
    if response.reasoning is not None or not response.text or response.logprobs is not None:
        return response
    found = split(response.text, own)
    if found is None:
        return response
    finish = response.finish if found.closed else response.finish or "length"
    return replace(response, text=found.answer, reasoning=found.reasoning, finish=finish)


class _Reader:
    """Goes over the tags of one reply, once."""

    def __init__(self, text: str, tags: Sequence[_Tag], *, inside: bool) -> None:
        self.text = text
        self.tags = tags
        self.inside = inside
        self.family: int | None = None
        self.thoughts: list[str] = []
        self.answers: list[str] = []
        self.at = 0
        self.start = len(text)
        self.quoted = 0
        self.visible = len(text.rstrip(BLANK))
        self.last = {tag.family: place for place, tag in enumerate(tags) if not tag.opens}

    def read(self) -> Split:
        for place, tag in enumerate(self.tags):
            if self.inside:
                self._thinking(place, tag)
            else:
                self._answering(tag)
        rest = self.text[self.at :]
        (self.thoughts if self.inside else self.answers).append(rest)
        told = self.text[self.start :]
        start = len(self.text) - len(told.lstrip(BLANK))
        return Split(_joined(self.thoughts, "\n\n"), self._answer(), not self.inside, start)

    def _thinking(self, place: int, tag: _Tag) -> None:
        """Inside a block: its own closing tag ends it, or any where its own never comes."""
        if tag.opens:
            if not self._told_before(tag.start):  # it repeats what the prompt ended with
                self.at, self.family = tag.end, tag.family
        elif self.family in (None, tag.family) or self.last.get(self.family or 0, -1) < place:
            self.thoughts.append(self.text[self.at : tag.start])
            self.at, self.inside, self.quoted = tag.end, False, 0
            if not self.answers:
                self.start = tag.end

    def _answering(self, tag: _Tag) -> None:
        """Behind a block: another one that begins a line, a tag that is spoken of, or a closing tag too many."""
        if tag.opens:
            if not _begins_line(self.text, self.at, tag.start):
                self.quoted += 1
                return
            if self._told_before(tag.start):
                self.answers.append(self.text[self.at : tag.start])
            self.at, self.inside, self.family = tag.end, True, tag.family
        elif self.quoted:
            self.quoted -= 1
        elif not self.thoughts or tag.end < self.visible:
            self.thoughts.extend([*self.answers, self.text[self.at : tag.start]])
            self.answers.clear()
            self.at = self.start = tag.end
        else:
            self.answers.append(self.text[self.at : tag.start])
            self.at = len(self.text)

    def _told_before(self, end: int) -> bool:
        """Whether anything stands between here and `end`."""
        return _blank_before(self.text, self.at, end) > self.at

    def _answer(self) -> str:
        *before, last = self.answers or [""]
        told = [piece for piece in (piece.strip(BLANK) for piece in before) if piece]
        last = last.lstrip(BLANK)
        return _unwrapped("\n".join([*told, last] if last else told))


def _unwrapped(answer: str) -> str:
    """An answer without the tags that a model puts around the whole of it."""
    first, last = AROUND.match(answer), ENDS.search(answer, max(0, len(answer) - LONGEST_END))
    if first is not None and first["word"]:
        closed = f"</{first['word']}>".casefold() in answer.casefold()
        if closed and (last is None or not last["word"]):
            return answer
    elif last is not None and last["word"]:
        last = None
    return answer[first.end() if first else 0 : last.start() if last else None]


def _blank_before(text: str, at: int, place: int) -> int:
    """Where the blanks that end at `place` begin, `at` at the earliest."""
    while place > at and text[place - 1] in BLANK:
        place -= 1
    return place


def _begins_line(text: str, at: int, place: int) -> bool:
    while place > at and text[place - 1] in SPACES:
        place -= 1
    return place == at or text[place - 1] in "\r\n"


def _begins(text: str, tags: Sequence[_Tag], thinks: bool) -> bool:
    """Whether the reply thinks: an opening tag at its beginning, or a closing one that nothing opened."""
    if not tags:
        return False
    first = tags[0]
    if not first.opens or _blank_before(text, 0, first.start) == 0:
        return True
    return thinks and _begins_line(text, 0, first.start) and any(not tag.opens for tag in tags)


@lru_cache(maxsize=32)
def _pattern(own: tuple[Tags, ...]) -> re.Pattern[str]:
    """A card's own tags go before those that are known."""
    numbered = list(enumerate((*KNOWN, *own)))[::-1]
    parts = [part for n, tags in numbered for part in (f"(?P<c{n}>{tags.close})", f"(?P<o{n}>{tags.open})")]
    return re.compile("|".join(parts), re.IGNORECASE)


def _may_think(text: str) -> bool:
    """Whether there may be a known tag."""
    first, second, third = MARKS
    return first in text or second in text or third in text or (text[:1] in "aA" and BARE.match(text) is not None)


def _tags(text: str, own: tuple[Tags, ...]) -> list[_Tag]:
    """The tags of a text in order, without those in quotes, and without those that say nothing alone."""
    if not own and not _may_think(text):
        return []  # most answers, in a hundredth of the time
    found = []
    for match in _pattern(own).finditer(text):
        start, end, name = match.start(), match.end(), str(match.lastgroup)
        if not (start > 0 and end < len(text) and text[start - 1] in QUOTES and text[end] in QUOTES):
            found.append(_Tag(start, end, int(name[1:]), name[0] == "o"))
    opened, closed = ({tag.family for tag in found if tag.opens == opens} for opens in (True, False))
    every = (*KNOWN, *own)
    return [tag for tag in found if every[tag.family].sure or tag.family in opened & closed]


def _joined(pieces: Sequence[str], by: str) -> str:
    return by.join(filter(None, (piece.strip(BLANK) for piece in pieces)))
