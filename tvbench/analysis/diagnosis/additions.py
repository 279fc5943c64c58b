"""What a translation has that no right one has: an announcement, a note, a second version.

Held against the references and the source: a colon, a line end, a bracket, a slash, a sentence more than any of them
has. What it says is looked up (wording.py) only where the form alone does not tell. Knows texts; no score.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from tvbench.analysis.diagnosis.overlap import lines, sentences, share, size
from tvbench.analysis.diagnosis.texts import FINAL
from tvbench.analysis.diagnosis.wording import said
from tvbench.scoring.normalise import words

STRANGE = 0.5
"""A piece with a smaller share of what the references have is no part of the translation, where its form says so ..."""
VERY_STRANGE = 0.3
"""... and with a smaller share than this where it is only a sentence more."""
LEAST_AROUND = 4
LONGEST_HEAD = 100
"""Characters of an announcement."""
TRANSLATED = 0.25
"""The least share of the reference that is in the rest, where only a strange sentence says that it was added."""
COMPLETE = 0.8
"""The least size of what is a translation without the words at a dash ..."""
ENOUGH = 0.6
"""... and of what is left without another addition, and of each of two versions, in sizes of the reference."""
MOST = 0.75
"""The same where nothing but a blank is between them."""
ALIKE, ANNOUNCED, PLAINLY_ALIKE = 0.3, 0.12, 0.45
"""The least share that a second version has in common with the first, and with one that is called a version."""
_META = ("sure", "here", "output", "note", "closing", "variant")
_COLON = re.compile(r"(?<!\d)[:：]|[:：](?!\d)")
_SLASH = re.compile(r"(?<![\d/:])\s?/\s?(?![\d/])|\s\|\s")
_BRACKET = re.compile(r"[(（\[［]([^()（）\[\]［］]*)[)）\]］]")
_MARKS = re.compile(r"(?:^|[\s。！？.!?(\[])(?:([12１２])\s?[.):：）．、–-]|([a-bA-B])\s?[.):：）])(?!\d)|([①②])")
_QUOTED = re.compile(r"(?<!\w)[\"“„«「『‚'‘](.{8,})[\"”“»」』’'](?!\w)|[“„«「『](.{8,})[”“»」』]", re.DOTALL)
_SPLIT = re.compile(r"\n+|(?<=[.!?。！？।])\s*|\s*[;；:：/|(（［\[]|\s[-–—]\s")
_BLANK = re.compile(r"\s+")
_DASH = re.compile(r"\s[-–—]{1,3}\s|[—–]{2}|\s*(?:→|⇒|->|=>)\s*|```")


@dataclass(frozen=True, slots=True)
class _Beside:
    """A translation beside what it is held against."""

    text: str
    golds: tuple[str, ...]
    source: str
    language: str

    @property
    def right(self) -> str:
        return "\n".join(self.golds)

    @property
    def gold_size(self) -> int:
        return min(map(size, self.golds))

    def more(self, pattern: re.Pattern[str]) -> bool:
        """Whether the text has more matches of `pattern` than any right text and the source."""
        return _count(pattern, self.text) > max(_count(pattern, held) for held in (*self.golds, self.source))

    def strange(self, piece: str, limit: float = STRANGE) -> bool:
        return share(piece, self.right) < limit


def _count(pattern: re.Pattern[str], text: str) -> int:
    return sum(1 for _ in pattern.finditer(text))


def added(text: str, golds: tuple[str, ...], source: str, language: str) -> tuple[bool, bool]:
    """Whether `text` has a second version of itself, and whether it has an announcement or a note around it."""
    if not golds or not any(map(size, golds)):
        return False, False
    beside = _Beside(text.strip(), golds, source, language)
    two = any(_two_versions(beside))
    return two, any(_commented(beside)) and not (two and _is_only_versions(beside))


def added_to_prose(text: str, gold: str, language: str) -> tuple[bool, bool]:
    """The same for an answer in the model's own words, which may well have more lines, brackets and sentences than the
    reference: two versions must be said in other words or be called so, and what is around it must say what it is."""
    if not size(gold):
        return False, False
    beside = _Beside(text.strip(), (gold,), "", language)
    called = bool(said(text, language, ("variant", "or")) - said(gold, language, ("variant", "or")))
    marked = called or any(map(beside.more, (_SLASH, _COLON, _BRACKET))) or _is_numbered(beside)
    two = _says_it_twice(beside, None if marked else PLAINLY_ALIKE)
    return two, any(_says_what_it_is(beside))


def _says_what_it_is(beside: _Beside) -> Iterator[bool]:
    """An announcement before a colon, a line end or a quotation; a note with a mark of its own; a wish at the end."""
    parts = sentences(beside.text)
    yield _is_quoted(beside, called=True)
    yield _is_dashed(beside, called=True)
    heads = [head for head in list(_before_colons(beside.text))[:1] if beside.text.find(head) < LONGEST_HEAD]
    yield any(_is_meta(beside, head, ("sure", "here", "output")) for head in heads)
    notes = [*list(_before_colons(beside.text))[1:], *(found[1] for found in _BRACKET.finditer(beside.text))]
    after = [head for head in heads if size(beside.text[: beside.text.find(head)])]
    yield any(_is_meta(beside, note, ("note",)) for note in (*notes, *after))
    yield len(parts) > 1 and _is_meta(beside, parts[-1], ("closing",))


def _is_meta(beside: _Beside, piece: str, among: tuple[str, ...]) -> bool:
    told = said(piece, beside.language, among) - said(beside.right, beside.language, among)
    return bool(told) and beside.strange(piece)


def _is_only_versions(beside: _Beside) -> bool:
    """Whether two versions say why the text has more lines, colons or sentences than the references."""
    return _says_it_twice(beside) or _is_numbered(beside)


# ── Two versions ──────────────────────────────────────────────────────────────────────────────────


def _two_versions(beside: _Beside) -> Iterator[bool]:
    yield beside.more(_SLASH)
    yield _is_numbered(beside)
    yield _says_or(beside)
    yield _says_it_twice(beside)
    inner = [found[1] for found in _BRACKET.finditer(beside.text) if found.end() < len(beside.text.rstrip(".!?。 "))]
    yield beside.more(_BRACKET) and any(1 <= len(piece.split()) <= 3 for piece in inner)


def _is_numbered(beside: _Beside) -> bool:
    """Two marks such as `1.` and `2.`, or "version 1:" and "version 2:", that nothing else has."""
    held = set().union(*map(_marks, (*beside.golds, beside.source)))
    return len(_marks(beside.text) - held) >= 2


def _marks(text: str) -> set[str]:
    return {unicodedata.normalize("NFKC", found[1] or found[2] or found[3]).upper() for found in _MARKS.finditer(text)}


def _says_or(beside: _Beside) -> bool:
    """An "or" in what is translation, and in no right text."""
    held = (*beside.golds, beside.source)
    if any("or" in said(text, beside.language, ("or",)) for text in held):
        return False
    own = (piece for piece in sentences(_BRACKET.sub(" ", beside.text)) if not beside.strange(piece, VERY_STRANGE))
    return any("or" in said(piece, beside.language, ("or",)) for piece in own)


def _says_it_twice(beside: _Beside, least: float | None = None) -> bool:
    """Two parts, each nearly as long as the reference, that have much in common."""
    called = said(beside.text, beside.language, ("variant",)) - said(beside.right, beside.language, ("variant",))
    least = least or (ANNOUNCED if called else ALIKE)
    return _splits_alike(beside, _SPLIT, ENOUGH, least) or _splits_alike(beside, _BLANK, MOST, PLAINLY_ALIKE)


def _splits_alike(beside: _Beside, pattern: re.Pattern[str], enough: float, least: float) -> bool:
    """Whether a place where `pattern` is leaves two parts of so many sizes of the reference that are so much alike."""
    whole, wanted = size(beside.text), enough * beside.gold_size
    if whole < 2 * wanted:
        return False
    for found in pattern.finditer(beside.text):
        first, second = beside.text[: found.start()], beside.text[found.end() :]
        long = min(size(first), size(second)) >= wanted
        if long and share(second, first) >= least and share(second, beside.right) >= least:
            return True
    return False


# ── Announcements and notes ───────────────────────────────────────────────────────────────────────


def _commented(beside: _Beside) -> Iterator[bool]:
    yield beside.more(_BRACKET)
    yield len(lines(beside.text)) > max(len(lines(held)) for held in (*beside.golds, beside.source))
    yield beside.more(_COLON) and any(map(beside.strange, _before_colons(beside.text)))
    yield _is_quoted(beside)
    yield "```" in beside.text and not any("```" in held for held in beside.golds)
    yield _is_dashed(beside)
    yield _has_a_sentence_more(beside)
    yield _opens_with(beside)


def _before_colons(text: str) -> Iterator[str]:
    """What stands between each colon and the end of the sentence before it."""
    for found in _COLON.finditer(text):
        before = sentences(text[: found.start()])
        if before and size(before[-1]) and len(before[-1]) <= LONGEST_HEAD:
            yield before[-1]


def _is_quoted(beside: _Beside, *, called: bool = False) -> bool:
    """A quotation as long as a reference, with something else around it, which must say what it is if `called`."""
    if any(_QUOTED.search(held) for held in (*beside.golds, beside.source)):
        return False
    found = _QUOTED.search(beside.text)
    if found is None or size(found[1] or found[2]) < ENOUGH * beside.gold_size:
        return False
    around = beside.text[: found.start()] + " " + beside.text[found.end() :]
    if called and not _is_meta(beside, around, ("sure", "here", "output")):
        return False
    return size(around) >= LEAST_AROUND and beside.strange(around)


def _is_dashed(beside: _Beside, *, called: bool = False) -> bool:
    """A few strange words before or after a dash or an arrow, beside all of the rest; `called` ones must say what they
    are."""
    if not beside.more(_DASH):
        return False
    for found in _DASH.finditer(beside.text):
        before, after = beside.text[: found.start()].strip(), beside.text[found.end() :].strip()
        for piece, rest in ((before, after), (after, before)):
            whole = size(rest) >= COMPLETE * beside.gold_size and size(piece) < size(rest)
            if not whole or not size(piece) or not beside.strange(piece, VERY_STRANGE):
                continue
            if said(piece, beside.language, _META) or rest[-1] in FINAL and not called:
                return True
    return False


def _has_a_sentence_more(beside: _Beside) -> bool:
    """A first or last sentence that is none of the reference's, more than the reference and the source have."""
    parts = sentences(beside.text)
    if len(parts) <= max(len(sentences(held)) for held in (*beside.golds, beside.source)):
        return False
    for piece, others in ((parts[0], parts[1:]), (parts[-1], parts[:-1])):
        rest = " ".join(others)
        if size(rest) < ENOUGH * beside.gold_size:
            continue
        translated = max(share(gold, rest) for gold in beside.golds) >= TRANSLATED
        if beside.strange(piece, VERY_STRANGE) and translated:
            return True
        if beside.strange(piece) and said(piece, beside.language, _META):
            return True
    return False


def _opens_with(beside: _Beside) -> bool:
    """ "Sure, ...", and "The translation is ..." without a mark: what only the answer says in its first words."""
    opening = " ".join(beside.text.split()[:8])
    found = said(opening, beside.language, _META)
    if not found or not found - said(beside.right, beside.language, _META) - said(beside.source, "en", _META):
        return False
    first = re.split(r"[,，、!！]", beside.text, maxsplit=1)[0]
    if len(words(first).split()) <= 3 and first != beside.text and beside.strange(first):
        return "sure" in said(first, beside.language, ("sure",))
    return {"here", "output"} <= found - said(beside.right, beside.language, _META)
