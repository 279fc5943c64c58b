"""A list of options cut into its options: separators, numbering, and commas that belong to an option.

Knows the punctuation and the numbering of many scripts. Does not know where the list stood. Everything is
done on spans of the original text, so an option always reads as it was written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, islice

from tvbench.scoring.normalise import is_word_character, normalise

BRACKETS_OPEN = "([{\uff08\uff3b\u3010\u3014\uff5b"
BRACKETS_CLOSE = ")]}\uff09\uff3d\u3011\u3015\uff5d"

_COMMAS = ",\uff0c\ufe50\u3001\ufe51\uff64\u060c\u1363\u104a\u1802\u07f8"
"""Latin, full-width, ideographic, Arabic, Ethiopic, Myanmar, Mongolian and N'Ko commas."""
_STRONG = ";\uff1b\u061b\u1364|\uff5c"
"""Semicolons of the world and vertical bars: where there is one, commas may belong to the options."""
_NUMERIC_COMMAS = ",\uff0c\u060c"

Span = tuple[int, int]


_BULLET = re.compile(r"^\s*[-*\u2022\u00b7\u2013]\s+")


def texts_of(body: str, spans: list[Span]) -> tuple[str, ...]:
    """The texts of `spans`, without outer blanks and bullets."""
    return tuple(_BULLET.sub("", body[start:end]).strip() for start, end in spans)


_MOST_PIECES = 200
"""A list of more pieces is none."""
_KINDS = (",\uff0c\ufe50", "\u3001\ufe51\uff64", "\u060c", ";\uff1b\u061b\u1364", "|\uff5c", "/\uff0f")
"""Separators that stand for each other. Of different kinds, one separates the options; others are a part of them."""


def splits(body: str, stem: str, expected: int) -> Iterator[tuple[list[Span], bool]]:
    """Ways to cut `body`, the most likely first, and whether each can be trusted: one kind of separator gives as many
    options as expected. `stem` is the right answer, which one of the options equals."""
    whole = (labelled_spans(body), _cut(body, "\n", numbers=False, brackets=False))
    yield from ((spans, len(spans) == expected) for spans in whole if 1 < len(spans) <= _MOST_PIECES)
    one_kind = [_cut(body, kind, numbers=True, brackets=True) for kind in _KINDS]
    gold = normalise(stem)
    yield from ((spans, True) for spans in one_kind if len(spans) == expected and _holds(body, spans, gold))
    for spans in _ways(body):
        if len(spans) <= _MOST_PIECES:
            yield regroup(body, spans, stem, expected), False
    if len(_cut(body, _COMMAS + _STRONG, numbers=True, brackets=True)) == 1:
        for separators in ("/\uff0f", "\u30fb\u00b7", "-\u2013", " "):
            spans = _cut(body, separators, numbers=False, brackets=True)
            if len(spans) <= _MOST_PIECES:
                yield spans, False


def _ways(body: str) -> Iterator[list[Span]]:
    """Cuts at commas and semicolons, which may belong to an option."""
    strong = _cut(body, _STRONG, numbers=False, brackets=True)
    if len(strong) > 1:
        yield strong
    careful = _cut(body, _COMMAS + _STRONG, numbers=True, brackets=True)
    yield careful
    for numbers, brackets in ((False, True), (True, False), (False, False)):
        other = _cut(body, _COMMAS + _STRONG, numbers=numbers, brackets=brackets)
        if other != careful:
            yield other


def _cut(body: str, separators: str, *, numbers: bool, brackets: bool) -> list[Span]:
    """Spans between `separators`, empty ones left out.

    With `numbers` a comma between two digits does not separate, with `brackets` nothing inside brackets does.
    """
    spans: list[Span] = []
    depth = start = 0
    for match in _marks(separators + (BRACKETS_OPEN + BRACKETS_CLOSE if brackets else "")).finditer(body):
        character, at = match[0], match.start()
        if brackets and character in BRACKETS_OPEN:
            depth += 1
        elif brackets and character in BRACKETS_CLOSE:
            depth = max(0, depth - 1)
        elif depth == 0 and not (numbers and _inside_number(body, at)):
            spans.append((start, at))
            start = at + 1
            if len(spans) > 2 * _MOST_PIECES:
                break
    spans.append((start, len(body)))
    return [span for span in spans if body[span[0] : span[1]].strip()]


@lru_cache(maxsize=64)
def _marks(characters: str) -> re.Pattern[str]:
    return re.compile(f"[{re.escape(characters)}]")


def _inside_number(body: str, at: int) -> bool:
    return body[at] in _NUMERIC_COMMAS and body[at - 1 : at].isdigit() and body[at + 1 : at + 2].isdigit()


# ── Commas that belong to an option ───────────────────────────────────────────────────────────────


def regroup(body: str, spans: list[Span], stem: str, expected: int) -> list[Span]:
    """Join pieces until there are `expected` options, one of them equal to `stem`; else `spans` as they are."""
    if len(spans) == expected or len(spans) < 2:
        return spans
    gold = normalise(stem)
    if len(spans) % expected == 0:
        groups = _equal_groups(spans, len(spans) // expected)
        if _holds(body, groups, gold):
            return groups
    merged = _merge_run(body, spans, gold)
    if merged is None:
        return spans
    at, joined = merged
    before, after = joined[:at], joined[at + 1 :]
    size, left_over = divmod(len(before) + len(after), expected - 1)
    if len(joined) > expected and not left_over and len(before) % size == 0:
        return [*_equal_groups(before, size), joined[at], *_equal_groups(after, size)]
    glued = [*_glue_lower_case(body, before), joined[at], *_glue_lower_case(body, after)]
    return glued if len(glued) == expected else joined


def _equal_groups(spans: list[Span], size: int) -> list[Span]:
    return [(spans[i][0], spans[i + size - 1][1]) for i in range(0, len(spans), size)]


def _holds(body: str, spans: list[Span], gold: str) -> bool:
    return bool(gold) and any(normalise(body[start:end]) == gold for start, end in spans)


_MOST_RUNS = 50
"""So many runs of pieces that have the right letters are looked at closely."""


def _merge_run(body: str, spans: list[Span], gold: str) -> tuple[int, list[Span]] | None:
    """The first run of neighbouring pieces that reads like `gold`, made one: (its index, all spans)."""
    for first, last in islice(_runs([_letters(normalise(body[start:end])) for start, end in spans], gold), _MOST_RUNS):
        joined = (spans[first][0], spans[last][1])
        if normalise(body[joined[0] : joined[1]]) == gold:
            return first, [*spans[:first], joined, *spans[last + 1 :]]
    return None


def _runs(pieces: list[str], gold: str) -> Iterator[tuple[int, int]]:
    """(first, last) of the runs of pieces whose letters are those of `gold`; without letters each piece is one."""
    letters = _letters(gold)
    if not letters:
        yield from ((at, at) for at in range(len(pieces)))
        return
    ends = list(accumulate(map(len, pieces)))
    starts = [0, *ends[:-1]]
    first_at, text = {start: at for at, start in reversed(list(enumerate(starts)))}, "".join(pieces)
    at = text.find(letters)
    for _ in range(len(pieces) * 4):
        if at < 0:
            return
        if at in first_at and at + len(letters) in ends:
            yield first_at[at], ends.index(at + len(letters))
        at = text.find(letters, at + 1)


def _letters(text: str) -> str:
    """`text` without anything that is no letter and no digit."""
    return "".join(character for character in text if is_word_character(character))


def _glue_lower_case(body: str, spans: list[Span]) -> list[Span]:
    """Join a piece that begins with a small letter to the one before, where options begin with capitals."""
    glued: list[Span] = []
    capitals = bool(spans) and body[spans[0][0] : spans[0][1]].strip()[0].isupper()
    for start, end in spans:
        if glued and capitals and body[start:end].strip()[0].islower():
            glued[-1] = (glued[-1][0], end)
        else:
            glued.append((start, end))
    return glued


# ── Numbered options ──────────────────────────────────────────────────────────────────────────────

_SEQUENCES = (
    "abcdefghijkl",
    "абвгдежз",
    "αβγδεζηθ",
    "أبجدهوز",
    "ابجدهوز",
    "אבגדהוזח",
    "कखगघङ",
    "अबसद",
    "কখগঘঙ",
    "กขคงจ",
    "가나다라마바",
    "ㄱㄴㄷㄹㅁㅂ",
    "アイウエオ",
    "甲乙丙丁戊",
)
"""What people number options with, besides digits. NFKC makes circled and full-width labels into these."""

_LABEL = re.compile(
    r"(?:(?<=^)|(?<=[\s,;|\uff0c\u3001\uff1b\u060c\u061b]))"
    r"(?:[(\uff08\[](?P<inner>\w{1,2})[)\uff09\]]"
    r"|(?P<open>\w{1,2})\s?(?:[)\uff09\]:\uff1a\uff0e\u3001]|\.(?!\d))"
    r"|(?P<circled>[\u2460-\u2473\u24b6-\u24e9]))"
)


@lru_cache(maxsize=4)
def labelled_spans(body: str) -> list[Span]:
    """The options of `A) x B) y`, `1. x 2. y`, `(가) x (나) y`, ...; empty where the numbering does not hold.

    The numbering must begin the list and run on without a gap from its first sign.
    """
    found: list[re.Match[str]] = []
    for match in _LABEL.finditer(body):
        label = match["inner"] or match["open"] or match["circled"]
        if len(found) in _places(label):
            found.append(match)
        if len(found) > _MOST_PIECES:
            return []
    if len(found) < 2 or body[: found[0].start()].strip():
        return []
    ends = [match.start() for match in found[1:]] + [len(body)]
    edges = _COMMAS + _STRONG + " \t\n\u00a0"
    spans = [
        (match.end(), match.end() + len(body[match.end() : end].rstrip(edges)))
        for match, end in zip(found, ends, strict=True)
    ]
    return spans if all(body[start:end].strip() for start, end in spans) else []


def split_label(text: str) -> tuple[int | None, str]:
    """(the place that the label of `text` means, the text behind it): `B) Kimono` is (1, "Kimono"), `B` (1, "").

    The place is None where there is no label, or one that stands at different places in different numberings.
    """
    text = text.strip()
    match = _LABEL.match(text) or _LABEL.match(text + ".")
    if match is None:
        return None, text
    places = set(_places(match["inner"] or match["open"] or match["circled"]))
    return (places.pop() if len(places) == 1 else None), text[match.end() :].strip()


def _places(label: str) -> list[int]:
    """The places that `label` can mean in any numbering: `b` and `2` are 1. Several are possible; none for `0`."""
    folded = unicodedata.normalize("NFKC", label).casefold()
    if folded.isdecimal():
        return [int(folded) - 1] if int(folded) else []
    return [sequence.index(folded) for sequence in _SEQUENCES if len(folded) == 1 and folded in sequence]
