"""The options of a multiple-choice answer such as `Dirndl (Optionen: Dirndl, Lederhosen, Sari, Kimono)`.

Knows how people write lists in a hundred languages (brackets, colons, commas, numbering), and which of the
options is the right one. Does not know tasks, prompts or models. `paper_options` is the splitter of the
TowerVision authors (arXiv 2510.21849), kept with its faults, to show and score exactly what they did.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Literal

from tvbench.data.splitting import BRACKETS_CLOSE, BRACKETS_OPEN, Span, labelled_spans, split_label, splits, texts_of
from tvbench.scoring.normalise import contains_words, normalise

How = Literal["equal", "contained", "similar", "none"]
_RANK: dict[How, int] = {"equal": 3, "contained": 2, "similar": 1, "none": 0}

_COLONS = ":\uff1a\ufe55\ufe13\u1361\u1366\u17d6\u055d\u0589"
"""Colons of the world: Latin, full-width, Ethiopic (two), Khmer, Armenian (two)."""

_KEYWORD = re.compile(rf"\s*[^\W\d_][^{_COLONS},;\uff0c\u3001\u060c()\uff08\uff09\n]{{0,40}}?\s*[{_COLONS}]")
_LONGEST_KEYWORD = 60
_BARE_KEYWORD = re.compile(rf"[\s.;,][^\W\d_]\S{{0,{_LONGEST_KEYWORD}}}\s{{0,9}}[{_COLONS}](?=.)", re.DOTALL)
"""A keyword that stands in the text, without brackets around the list."""
_UNMARKED_KEYWORD = re.compile(
    r"\s*(?:[^\W\d_]\S*\s+[-\u2013\u2014]\s+"
    r"|(?:options?|choices|optionen|auswahl|opties|opciones|opzioni|choix|opções|варианты|варіанти|opcje|možnosti"
    r"|opțiuni|alternativ|valgmuligheder|vaihtoehdot|seçenekler|pilihan|lựa chọn|विकल्प|বিকল্প|خيارات|اختیارات|گزینه‌ها"
    r"|ตัวเลือก|옵션|선택|选项|選項|選択肢)\s+)(?=\S)",
    re.IGNORECASE,
)
"""A keyword without its colon; believed only where one option then equals the gold text."""
_KEYWORD_BEFORE = re.compile(rf"[\s.;,][^\W\d_]\S{{0,{_LONGEST_KEYWORD}}}\s{{0,9}}[{_COLONS}]$")
"""A keyword that stands before the bracket instead of in it."""

_SIMILAR = 0.6
"""Least similarity (difflib ratio) of a gold text to an option that it does not equal or contain ..."""
_MARGIN = 0.1
"""... and by how much that option must be ahead of the next one."""
_LONGEST_ALIKE = 400
"""Longer texts are not held against each other letter by letter: that takes as long as both multiplied."""
_MOST_GROUPS = 8
"""So many brackets are tried as the place of the list, the most trustworthy first."""


@dataclass(frozen=True, slots=True)
class ParsedOptions:
    """`stem` is the right answer as written, `options` the choices in their order, `gold` the right one's index.

    `how` says on what ground `gold` was chosen. `pieces` are what a split at every comma shows, which is what
    careless prompts print. `sure`: no other way to cut the list is as good.
    """

    stem: str
    options: tuple[str, ...]
    gold: int | None
    how: How
    pieces: tuple[str, ...]
    sure: bool = True


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
    for stem, body, stated in _groups(unicodedata.normalize("NFC", answer).strip()):
        found: list[tuple[ParsedOptions, bool]] = []
        for spans, trusted in splits(body, stem, expected):
            parsed = _parsed(stem, body, spans)
            if len(parsed.options) >= 2 and (stated or parsed.how == "equal"):
                found.append((parsed, trusted))
        if found:
            return _best(found, expected)
    raise ValueError(f"no options in {answer.strip()[:80]!r}")


def _best(found: list[tuple[ParsedOptions, bool]], expected: int) -> ParsedOptions:
    """The best way to cut a list, the first of equals; it is sure where no way that is as good gives other options.
    One that can be trusted is held against its like alone."""

    def merit(parsed: ParsedOptions) -> tuple[int, int]:
        rank = _RANK[parsed.how]
        return (rank if len(parsed.options) == expected else rank - 2, rank)

    best, trusted = max(found, key=lambda way: merit(way[0]))
    rivals = [other for other, as_good in found if merit(other) == merit(best) and as_good >= trusted]
    return replace(best, sure=all(other.options == best.options for other in rivals))


def _parsed(stem: str, body: str, spans: list[Span]) -> ParsedOptions:
    options = texts_of(body, spans)
    gold, how = align(stem, options)
    if how != "equal" and labelled_spans(body) == spans:
        label, text = split_label(stem)
        if label is not None and label < len(options) and normalise(text) in ("", normalise(options[label])):
            gold, how = label, "equal"
    pieces = tuple(piece.strip() for piece in body.split(","))
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
    if max(map(len, (gold, *folded))) > _LONGEST_ALIKE:
        return None, "none"
    ratios = [SequenceMatcher(None, gold, option).ratio() for option in folded]
    best, *others = sorted(ratios, reverse=True) or [0.0]
    if best >= _SIMILAR and best - max(others, default=0.0) >= _MARGIN:
        return ratios.index(best), "similar"
    return None, "none"


def _groups(text: str) -> Iterator[tuple[str, str, bool]]:
    """(right answer, list of options, whether a keyword announced the list), the most trustworthy first."""
    brackets = list(_bracket_groups(text))
    last = max((text.rfind(bracket) for bracket in BRACKETS_CLOSE), default=-1)
    announced = [
        (start, end, keyword.end())
        for start, end, _ in sorted(brackets, key=lambda group: (group[2], -group[0]))
        if (keyword := _KEYWORD.match(text, start + 1, end))
    ]
    for start, end, after in announced[:_MOST_GROUPS]:
        if text[after:end].strip():
            yield _around(text, start, end), text[after:end], True
        if end < last:  # the bracket of a label, as in `(Options: A) x B) y)`, is not the end
            yield _around(text, start, last), text[after:last], True
    outer = [(start, end) for start, end, depth in brackets if depth == 0]
    for start, end in outer[: -_MOST_GROUPS - 1 : -1]:
        inside = text[start + 1 : end]
        if inside.strip():
            stem = _without_keyword(_around(text, start, end))
            keyword = _UNMARKED_KEYWORD.match(inside)
            if keyword:
                yield stem, inside[keyword.end() :], False
            yield stem, inside, False
    bare = _BARE_KEYWORD.search(text)
    if bare:
        yield _before(text, bare.start()), text[bare.end() :], False


def _without_keyword(stem: str) -> str:
    """`stem` without a keyword at its end: `Birne Options:`."""
    tail = max(0, len(stem) - _LONGEST_KEYWORD - 20)
    keyword = _KEYWORD_BEFORE.search(stem, tail)
    return _before(stem, keyword.start()) if keyword else stem


def _before(text: str, end: int) -> str:
    """The text before a keyword, without the blanks and marks between."""
    kept = end
    while kept and (text[kept - 1].isspace() or text[kept - 1] in ".;,"):
        kept -= 1
    return text[:kept].strip()


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
    r"\((?:Options|Opties|옵션|选项|Opciones|opzioni|Варианты|choix |Opções|Optionen"
    r"|Auswahl|Zutaten|선택사항|선택 ?):\s*",
    re.IGNORECASE,
)
"""The first line is published; the second is proven by the published logs, made with a later version. The authors
wrap it as `^(.*?)\\s*` ... `(.*?)\\)$`, which says the same and takes as long as the text is long, squared."""
_UNPARSED = ("None",)


def paper_options(answer: str) -> PaperOptions:
    """What the TowerVision authors' code makes of `answer`: the text `None`, twice, where its pattern fails."""
    text = answer.strip()
    for match in _PAPER.finditer(text) if text.endswith(")") else ():
        stem, body = text[: match.start()].rstrip(), text[match.end() : -1]
        if match.end() < len(text) and "\n" not in stem and "\n" not in body:
            return PaperOptions(stem, _paper_pieces(body))
    return PaperOptions("None", _UNPARSED)


def _paper_pieces(body: str) -> tuple[str, ...]:
    """`body` cut at every comma with the blanks around it; those at its own ends stay."""
    first, *others = body.split(",")
    if not others:
        return (first,)
    return (first.rstrip(), *(piece.strip() for piece in others[:-1]), others[-1].lstrip())
