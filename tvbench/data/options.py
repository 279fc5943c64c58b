"""The options of a multiple-choice answer such as `Dirndl (Optionen: Dirndl, Lederhosen, Sari, Kimono)`.

Knows how people write lists in a hundred languages (brackets, colons, commas, numbering), and which of the
options is the right one. Does not know tasks, prompts or models. `paper_options` is the splitter of the
TowerVision authors (arXiv 2510.21849), kept with its faults, to show and score exactly what they did.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from tvbench.data.splitting import BRACKETS_CLOSE, BRACKETS_OPEN, Span, labelled_spans, split_label, splits, texts_of
from tvbench.scoring.normalise import contains_words, normalise

How = Literal["equal", "contained", "similar", "none"]
_RANK: dict[How, int] = {"equal": 3, "contained": 2, "similar": 1, "none": 0}

_COLONS = ":\uff1a\ufe55\ufe13\u1361\u1366\u17d6\u055d\u0589"
"""Colons of the world: Latin, full-width, Ethiopic (two), Khmer, Armenian (two)."""

_KEYWORD = re.compile(rf"\s*[^\W\d_][^{_COLONS},;\uff0c\u3001\u060c()\uff08\uff09\n]{{0,40}}?\s*[{_COLONS}]")
_BARE_KEYWORD = re.compile(rf"^(?P<stem>.*?)[\s.;,]+[^\W\d_]\S*\s*[{_COLONS}](?P<body>.+)$", re.DOTALL)
_UNMARKED_KEYWORD = re.compile(
    r"\s*(?:[^\W\d_]\S*\s+[-\u2013\u2014]\s+"
    r"|(?:options?|choices|optionen|auswahl|opties|opciones|opzioni|choix|opções|варианты|варіанти|opcje|možnosti"
    r"|opțiuni|alternativ|valgmuligheder|vaihtoehdot|seçenekler|pilihan|lựa chọn|विकल्प|বিকল্প|خيارات|اختیارات|گزینه‌ها"
    r"|ตัวเลือก|옵션|선택|选项|選項|選択肢)\s+)(?=\S)",
    re.IGNORECASE,
)
"""A keyword without its colon; believed only where one option then equals the gold text."""
_KEYWORD_BEFORE = re.compile(rf"[\s.;,]+[^\W\d_]\S*\s*[{_COLONS}]$")
"""A keyword that stands before the bracket instead of in it."""

_SIMILAR = 0.6
"""Least similarity (difflib ratio) of a gold text to an option that it does not equal or contain ..."""
_MARGIN = 0.1
"""... and by how much that option must be ahead of the next one."""


@dataclass(frozen=True, slots=True)
class ParsedOptions:
    """`stem` is the right answer as written, `options` the choices in their order, `gold` the right one's index.

    `how` says on what ground `gold` was chosen. `pieces` are what a split at every comma shows, which is what
    careless prompts print.
    """

    stem: str
    options: tuple[str, ...]
    gold: int | None
    how: How
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PaperOptions:
    """`target` is the string that the authors compare with, `shown` the lines that their prompt prints."""

    target: str
    shown: tuple[str, ...]

    @property
    def unparsed(self) -> bool:
        """Whether their pattern failed: the model is shown no option, and no answer can equal the target."""
        return self.shown == _UNPARSED


# ── The careful parser ────────────────────────────────────────────────────────────────────────────


def parse_options(answer: str, expected: int = 4) -> ParsedOptions:
    """Take `answer` apart. `expected` is the number of options where commas leave it open.

    Texts are in NFC: how long a Korean word is must not depend on how it was typed. Raises ValueError when there are no
    options in it.
    """
    best: tuple[tuple[int, int, int], ParsedOptions] | None = None
    for stem, body, stated in _groups(unicodedata.normalize("NFC", answer).strip()):
        for order, spans in enumerate(splits(body, stem, expected)):
            parsed = _parsed(stem, body, spans)
            if len(parsed.options) < 2 or (not stated and parsed.how != "equal"):
                continue
            rank = _RANK[parsed.how]
            merit = (rank if len(parsed.options) == expected else rank - 2, rank, -order)
            if best is None or merit > best[0]:
                best = (merit, parsed)
        if best is not None:
            return best[1]
    raise ValueError(f"no options in {answer.strip()[:80]!r}")


def _parsed(stem: str, body: str, spans: list[Span]) -> ParsedOptions:
    options = texts_of(body, spans)
    gold, how = align(stem, options)
    if how != "equal" and labelled_spans(body) == spans:
        label, text = split_label(stem)
        if label is not None and label < len(options) and normalise(text) in ("", normalise(options[label])):
            gold, how = label, "equal"
    pieces = tuple(re.split(r"\s*,\s*", body.strip()))
    return ParsedOptions(stem, options, gold, how, pieces)


def align(stem: str, options: tuple[str, ...]) -> tuple[int | None, How]:
    """The index of the option that `stem` means, and why: equal, contained one in the other, or similar.

    Where two options are as good as each other, none is taken.
    """
    gold = normalise(stem)
    if not gold:
        return None, "none"
    folded = [normalise(option) for option in options]
    if folded.count(gold) >= 1:
        return folded.index(gold), "equal"
    held = [i for i, option in enumerate(folded) if contains_words(gold, option) or contains_words(option, gold)]
    if held:
        longest = max(held, key=lambda i: len(folded[i]))
        inner = all(i == longest or contains_words(folded[longest], folded[i]) for i in held)
        if inner:
            return longest, "contained"
    ratios = [SequenceMatcher(None, gold, option).ratio() for option in folded]
    best, *others = sorted(ratios, reverse=True) or [0.0]
    if best >= _SIMILAR and best - max(others, default=0.0) >= _MARGIN:
        return ratios.index(best), "similar"
    return None, "none"


def _groups(text: str) -> Iterator[tuple[str, str, bool]]:
    """(right answer, list of options, whether a keyword announced the list), the most trustworthy first."""
    brackets = list(_bracket_groups(text))
    last = max((text.rfind(bracket) for bracket in BRACKETS_CLOSE), default=-1)
    for start, end, _ in sorted(brackets, key=lambda group: (group[2], -group[0])):
        inside = text[start + 1 : end]
        keyword = _KEYWORD.match(inside)
        if keyword and inside[keyword.end() :].strip():
            yield _around(text, start, end), inside[keyword.end() :], True
        if keyword and end < last:  # the bracket of a label, as in `(Options: A) x B) y)`, is not the end
            yield _around(text, start, last), text[start + 1 : last][keyword.end() :], True
    for start, end, depth in reversed(brackets):
        inside = text[start + 1 : end]
        if depth == 0 and inside.strip():
            stem = _KEYWORD_BEFORE.sub("", _around(text, start, end))
            keyword = _UNMARKED_KEYWORD.match(inside)
            if keyword:
                yield stem, inside[keyword.end() :], False
            yield stem, inside, False
    bare = _BARE_KEYWORD.match(text)
    if bare:
        yield bare["stem"].strip(), bare["body"], False


def _around(text: str, start: int, end: int) -> str:
    """The text outside of a bracket group: what stands before it, else what follows it."""
    return text[:start].strip() or text[end + 1 :].strip()


def _bracket_groups(text: str) -> Iterator[tuple[int, int, int]]:
    """(opening index, closing index, depth) of every bracket group; one left open ends with the text.

    Any closing bracket closes any opening one: `（选项: a, b)` is common.
    """
    stack: list[int] = []
    for at, character in enumerate(text):
        if character in BRACKETS_OPEN:
            stack.append(at)
        elif character in BRACKETS_CLOSE and stack:
            yield stack.pop(), at, len(stack)
    for depth, start in enumerate(stack):
        yield start, len(text), depth


# ── The authors' splitter ─────────────────────────────────────────────────────────────────────────

_PAPER = re.compile(
    r"^(.*?)\s*\((?:Options|Opties|옵션|选项|Opciones|opzioni|Варианты|choix |Opções|Optionen"
    r"|Auswahl|Zutaten|선택사항|선택 ?):\s*(.*?)\)$",
    re.IGNORECASE,
)
"""The first line is published; the second is proven by the published logs, made with a later version."""
_UNPARSED = ("None",)


def paper_options(answer: str) -> PaperOptions:
    """What the TowerVision authors' code makes of `answer`: the text `None`, twice, where its pattern fails."""
    match = _PAPER.match(answer.strip())
    if match is None:
        return PaperOptions("None", _UNPARSED)
    return PaperOptions(match[1], tuple(re.split(r"\s*,\s*", match[2])))
