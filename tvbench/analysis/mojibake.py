"""Texts that were decoded wrongly: UTF-8 read in another code page (once or twice), one code page read in another,
characters that were lost, and escapes that nobody took back.

The test for the first is strict: characters are put back into the bytes that they were read from, and these must be
UTF-8. Two characters of a clean text may be that by chance (`CAFÉ”`), so one pair counts only where no clean text has
it: a capital in the middle of a word (`fÃ¼r`), a sign that follows no letter; three pairs in a row always count. What
comes out must be letters that the language may have. Knows texts and languages' scripts; no item and no score.

Not seen: one code page of Latin letters read in another one of them where only letters come out (`pøíli` for `příli`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from html import unescape
from typing import NamedTuple

from tvbench.analysis.diagnosis.scripts import scripts_of

CODE_PAGES = (
    "cp1252", "cp1250", "cp1251", "koi8-r", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258",
    "mac_roman", "cp437", "cp850", "cp866",
)  # fmt: skip
_PAIRS_COUNT = frozenset({"cp1252", "cp1250", "cp1254", "cp1257", "cp1258", "mac_roman"})
"""Code pages whose readers see Latin letters: a single pair may be told from clean text by what is around it."""
IN_A_ROW, ALL, ALL_OF_FEW = 3, 2, 3
"""So many characters in a row that are UTF-8 count, or so many where nothing else of a text is beyond ASCII; the last
for code pages that clean words of their script come out of more often."""
_FEW = frozenset({"cp1253", "cp1255", "cp1256"})
_UTF8 = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}"
)
_NO_SURE_SIGN = frozenset("®™©°ªº¹²³")
"""Signs that a clean word may end with."""
_LATIN = frozenset({"latin", "greek"})


class _Piece(NamedTuple):
    """Characters `start` to `end` of a text that are the bytes of one character in UTF-8."""

    start: int
    end: int
    meant: str


def garbled(text: str, language: str) -> str:
    """What is wrong in `text`, in words; "" for nothing. `language` is a code."""
    if text.isascii() and not set("&\\?%") & set(text):
        return ""
    return next(_signs(text, language), "")


def _signs(text: str, language: str) -> Iterator[str]:
    if not text.isascii():
        for page in CODE_PAGES:
            if (piece := _misread(text, language, page)) is not None:
                yield f"'{text[piece.start : piece.end]}' for '{piece.meant}': UTF-8 read as {page}"
        yield from _other_page(text, language)
    yield from _lost(text, language)
    yield from _escaped(text)


# ── UTF-8 in another code page ────────────────────────────────────────────────────────────────────


@cache
def _bytes_of(page: str) -> dict[str, int]:
    """The characters of a code page beyond ASCII, to their bytes; bytes that stand for nothing are control characters,
    as browsers read them, and so do control characters that are in no code page (Latin-1)."""
    shown = {bytes([byte]).decode(page, "ignore") or chr(byte): byte for byte in range(0x80, 0x100)}
    return {chr(byte): byte for byte in range(0x80, 0xA0)} | shown


def _pieces(text: str, page: str) -> Iterator[list[_Piece]]:
    """The pieces of each run of characters beyond ASCII that the code page has."""
    known = _bytes_of(page)
    at = 0
    while at < len(text):
        end = at
        while end < len(text) and text[end] in known:
            end += 1
        if end - at > 1:
            coded = bytes(known[character] for character in text[at:end])
            yield [_Piece(at + m.start(), at + m.end(), m[0].decode()) for m in _UTF8.finditer(coded)]
        at = max(end, at + 1)


def _misread(text: str, language: str, page: str) -> _Piece | None:
    """A piece that shows that `text` is UTF-8 read as `page`, or None."""
    pieces = [piece for run in _pieces(text, page) for piece in run]
    if not pieces:
        return None
    if (found := _in_a_row(pieces)) is not None:
        return found
    pieces = [piece for piece in pieces if _may_be_meant(piece.meant, language)]
    if page in _PAIRS_COUNT:
        sure = next((piece for piece in pieces if _no_clean_text_has(text, piece)), None)
        if sure is not None or page == "mac_roman":
            return sure
    covered = sum(piece.end - piece.start for piece in pieces)
    latin = page in _PAIRS_COUNT
    own = all(latin or _script(piece.meant) in scripts_of(language) for piece in pieces)
    least = ALL_OF_FEW if page in _FEW else ALL
    return pieces[0] if len(pieces) >= least and own and covered == sum(not c.isascii() for c in text) else None


def _in_a_row(pieces: list[_Piece]) -> _Piece | None:
    """The first of three letters of one script that follow each other without a gap."""
    for at in range(len(pieces) - IN_A_ROW + 1):
        row = pieces[at : at + IN_A_ROW]
        joined = all(one.end == other.start for one, other in zip(row, row[1:], strict=False))
        if joined and len({_script(piece.meant) for piece in row} - {""}) == 1 and _script(row[0].meant):
            return row[0]
    return None


def _script(character: str) -> str:
    """The script of a letter or a mark, as diagnosis/scripts.py names it."""
    if unicodedata.category(character)[0] not in "LM":
        return ""
    name = unicodedata.name(character, "").replace("-", " ").partition(" ")[0].lower()
    return {"hiragana": "kana", "katakana": "kana", "combining": "", "modifier": ""}.get(name, name)


def _may_be_meant(character: str, language: str) -> bool:
    """Whether a text in `language` may have the character: its letters, Latin and Greek ones, marks, signs."""
    if script := _script(character):
        return script in _LATIN or script in scripts_of(language)
    code = ord(character)
    kind = unicodedata.category(character)[0]
    in_use = 0xA0 <= code < 0xC0 or 0x2010 <= code < 0x2800 or 0x3000 <= code < 0x3040 or 0xFF00 <= code < 0xFFF0
    return (in_use and kind in "PSZN") or 0x300 <= code < 0x330 or code >= 0x1F300 or code == 0xFEFF


def _no_clean_text_has(text: str, piece: _Piece) -> bool:
    """Whether the characters of a piece, where they stand, are in no text that was read rightly."""
    before, after = text[piece.start - 1 : piece.start], text[piece.end : piece.end + 1]
    lead, rest = text[piece.start], text[piece.start + 1 : piece.end]
    kinds = [unicodedata.category(character) for character in rest]
    if len(rest) > 1:
        return any(kind[0] in "SC" or kind in ("Lm", "No") for kind in kinds) or (before.islower() and after.islower())
    (kind,) = kinds
    if before.islower() and lead.isupper():
        return True
    if lead in "√├┬" and before.isalpha():
        return after.isalpha() or unicodedata.category(piece.meant)[0] == "L"
    if lead == "Â":
        return kind[0] in "PSN" and kind not in ("Pf", "Pi", "Pe", "Pd") and (before.isdigit() or after.isalnum())
    if kind[0] in "SC" or kind in ("Lm", "No"):
        return lead.isupper() and (rest not in _NO_SURE_SIGN or after.islower())
    return lead.isupper() and after.islower() and rest in "¡§¶·¿ªº"


# ── One code page in another ──────────────────────────────────────────────────────────────────────

_LATIN_RUN = re.compile(
    "[\u00a1-\u00aa\u00ac-\u00b6\u00b8-\u00ba\u00bc-\u00ff\u0152\u0153\u0160\u0161\u017d\u017e\u0178\u0192]{4,}"
)
_IN_A_WORD = re.compile("(?<=[a-z])[\u00a3\u00a5\u00a6\u00b1\u00b3\u00b6\u00b9\u00bc\u00be](?=[a-z])")
_BOXES = re.compile("[^\\W\\d_][\u2500-\u259f]|[\u2500-\u259f][^\\W\\d_]")
_FREQUENT = frozenset("оаеинтсрвл")
LEAST_LETTERS, MOST_BEFORE, LEAST_AFTER = 10, 0.3, 0.5
"""Of so many Cyrillic letters at least, the shares of frequent ones before and after they are read the other way."""


def _other_page(text: str, language: str) -> Iterator[str]:
    own = scripts_of(language)
    run = _LATIN_RUN.search(text) if own and "latin" not in own else None
    if run and sum(character.isalpha() for character in run[0]) > 2:
        yield f"'{run[0][:12]}': letters of a Western code page in {language}"
    if found := _IN_A_WORD.search(text):
        yield f"'{text[max(0, found.start() - 3) : found.end() + 3]}': a sign in a word, read in the wrong code page"
    if len(found_boxes := _BOXES.findall(text)) > 1:
        yield f"'{found_boxes[0]}': lines of boxes at letters, read in the wrong code page"
    if "cyrillic" in own:
        for one, other in (("cp1251", "koi8-r"), ("koi8-r", "cp1251"), ("cp1251", "cp866"), ("cp866", "cp1251")):
            if _reads_better(text, one, other):
                yield f"{other} read as {one}"


def _reads_better(text: str, one: str, other: str) -> bool:
    """Whether the letters of `text`, read as `one`, are a plain text as `other`."""
    meant = text.encode(one, "ignore").decode(other, "ignore")
    before, after = (_frequent(part) for part in (text, meant))
    return after > LEAST_AFTER and before < MOST_BEFORE


def _frequent(text: str) -> float:
    letters = [character for character in text.casefold() if character.isalpha() and not character.isascii()]
    return sum(letter in _FREQUENT for letter in letters) / len(letters) if len(letters) >= LEAST_LETTERS else 0.4


# ── What was lost, and what was never taken back ──────────────────────────────────────────────────

_LOST = re.compile("[\ufffd\u0080-\u0084\u0086-\u009f]|\u951f\u65a4\u62f7")
_HALF = re.compile("[a-z\u00df-\u00ff][\u00c2\u00c3](?=[\\s.,;:!?]|$)|\u00e2\u20ac|\u00ef\u00bb\u00bf")
_MARKS = re.compile(r"\?+")
_MARK_IN_WORD = re.compile(r"(?<![\w/=?&.])[^\W\d_A-Z]*[a-z]\?[a-z]+(?![\w/=])")
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{2,7}|#[xX][0-9a-fA-F]{2,6});")
_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{4}|\\U000[0-9a-fA-F]{5}|\\x[0-9a-fA-F]{2}(?![a-zA-Z])")
_LINE_END = re.compile(r"(?<!\\)\\[nrt](?=\\[nrt]|[^a-zA-Z]|(?!Rightarrow|Leftarrow|Vdash|Vert|Re|Im)[A-Z]|$)")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2}){3,}")
_COMMAND = re.compile(r"\$|\\[a-mo-zA-Z]|\\[nrt][a-z]|://")
LEAST_MARKS = 4


def _lost(text: str, language: str) -> Iterator[str]:
    if found := _LOST.search(text):
        yield f"U+{ord(found[0][0]):04X}: a character that could not be decoded"
    if found := _HALF.search(text):
        yield f"'{text[found.start() : found.end() + 4]}': half of a character in UTF-8, read as cp1252"
    runs = [len(run) for run in _MARKS.findall(text)]
    own = scripts_of(language)
    if own and "latin" not in own and sum(runs) >= LEAST_MARKS and _only_marks(text, own, sum(runs)):
        yield "question marks for letters"
    elif len(runs) > 1 and re.search(r"\?{2,} \?{2,}", text):
        yield "question marks for words"
    elif (found := _MARK_IN_WORD.search(text)) and "://" not in text:
        yield f"'{found[0]}': a question mark for a letter"


def _only_marks(text: str, own: frozenset[str], marks: int) -> bool:
    return sum(_script(character) in own for character in text) < marks


def _escaped(text: str) -> Iterator[str]:
    for entity in _ENTITY.findall(text):
        if unescape(entity) != entity:
            yield f"'{entity}' for '{unescape(entity)}': an entity of HTML"
    if found := _ESCAPE.search(text):
        yield f"'{found[0]}': an escape that was not taken back"
    if (found := _LINE_END.search(text)) and not _COMMAND.search(text):
        yield f"'{found[0]}': a line end or tab as two characters"
    if (found := _PERCENT.search(text)) and "://" not in text:
        yield f"'{found[0][:12]}': percent signs of an address"
