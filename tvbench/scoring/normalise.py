"""Text made comparable: Unicode form, case, blanks, quotes and edge punctuation; and words found inside a text.

Knows scripts and Unicode, but no task, no target and no metric. No language gets rules of its own here (folding.py has
those): the same steps run over the right answer, the options and the reply, so they only have to be the same on both
sides. What means another thing when it is written plainly is not: `10\u00b2` is 10^2 and not 102, `1\u00bd` is 1 1/2
and not 11/2, and `\u2461` stays as it is.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_QUOTES = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4\u02bc\u02bb`", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
    }
)
_QUOTED = re.compile(f"[{''.join(map(chr, _QUOTES))}]")
_DASHES = "-\u2010\u2011\u2012\u2013\u2212"
"""What may stand before a number as its sign."""
_CIRCLED = re.compile("([\u2460-\u249b\u24ea-\u24ff]+)")
_SUPERSCRIPT = {**dict(zip("\u2070\u00b9\u00b2\u00b3", "0123", strict=True)), "\u2071": "i", "\u207f": "n"} | {
    chr(0x2070 + at): sign for at, sign in zip(range(4, 15), "456789+-=()", strict=True)
}
_SUBSCRIPT = {chr(0x2080 + at): sign for at, sign in enumerate("0123456789+-=()")}
_RAISED = re.compile(rf"(?:(?<=\w)|\A)(?:([{''.join(_SUPERSCRIPT)}]+)|([{''.join(_SUBSCRIPT)}]+))")
_FRACTION = re.compile(r"(?<=\d)(?=[\u00bc-\u00be\u2150-\u215e\u2189])")
_UNITS = {mark: unicodedata.decomposition(mark) for mark in map(chr, range(0x3371, 0x33E0))}
_POWERS = str.maketrans(
    {
        mark: "".join(chr(int(code, 16)) for code in parts.split()[1:])
        for mark, parts in _UNITS.items()
        if "00B2" in parts or "00B3" in parts
    }
)
"""Signs for units with a power in them: \u33a1 is m\u00b2 and not m2."""
_SPECIAL = re.compile(
    "[\u2460-\u249b\u24ea-\u24ff\u3371-\u33df\u00bc-\u00be\u2150-\u215e\u2189"
    f"{''.join({**_SUPERSCRIPT, **_SUBSCRIPT})}]"
)
_PLAIN = re.compile("[A-Za-z0-9]+(?: [A-Za-z0-9]+)*")
"""Words of which nothing but the case is to be made comparable."""
_KEPT_PUNCTUATION = frozenset("%\u2030\u066a#@&\u00a7")
"""Marks that carry meaning at the edge of an answer: `50%` is not `50`, `C#` is not `C`."""

_WITHOUT_BLANKS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x109F),  # Tibetan, Myanmar
    (0x1100, 0x11FF),  # Hangul: words are separated, but particles stick to them
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3130, 0x318F),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7AF),
    (0x20000, 0x2FA1F),
)
_UNDIVIDED = re.compile(f"[{''.join(f'{chr(low)}-{chr(high)}' for low, high in _WITHOUT_BLANKS)}]")


def is_blank(text: str) -> bool:
    """Whether `text` shows nothing: blanks, line ends and invisible characters only. Such an answer is empty."""
    if text[:1].isalnum():
        return False
    return not any(_visible(character) and not character.isspace() for character in text)


@lru_cache(maxsize=512)
def normalise(text: str) -> str:
    """NFKC, case folded, quotes unified, invisible characters dropped, blanks collapsed, edges trimmed.

    Returns "" only for text without any visible character. Canonically equal texts (NFC, NFD) give equal results.
    """
    if text.isascii():
        if _PLAIN.fullmatch(text):
            return text.lower()
        folded = text.casefold()
    else:
        folded = compatible(compatible(text).casefold())
    if "\u0307" in folded:
        folded = folded.replace("i\u0307", "i")  # the Turkish capital with its dot
    if _QUOTED.search(folded):
        folded = folded.translate(_QUOTES)
    if not folded.isprintable():  # what can be printed is visible, or a plain blank
        folded = "".join(" " if c.isspace() else c for c in folded if c.isspace() or _visible(c))
    collapsed = " ".join(folded.split())
    trimmed = trim_edges(collapsed) or collapsed
    return "-" + trimmed[1:] if _is_sign(trimmed, 0) else trimmed


def compatible(text: str) -> str:
    """`text` in NFKC; powers, indices and fractions behind a digit, and circled numbers, are kept apart from digits."""
    if not _SPECIAL.search(text):
        return unicodedata.normalize("NFKC", text).replace("\u2044", "/")
    text = _FRACTION.sub(" ", unicodedata.normalize("NFC", text).translate(_POWERS))
    text = _RAISED.sub(lambda match: "^" + match[1] if match[1] else "\u02cd" + match[2], text)
    parts = (part if at % 2 else unicodedata.normalize("NFKC", part) for at, part in enumerate(_CIRCLED.split(text)))
    return unicodedata.normalize("NFC", "".join(parts)).replace("\u2044", "/")


def trim_edges(text: str) -> str:
    """`text` without punctuation, Markdown marks and blanks at both ends; a sign before a number is kept."""
    if text[:1].isalnum() and text[-1:].isalnum():
        return text
    start, end = 0, len(text)
    while start < end and _is_edge(text[start]) and not _is_sign(text, start):
        start += 1
    while end > start and _is_edge(text[end - 1]):
        end -= 1
    return text[start:end]


def words(text: str) -> str:
    """`normalise(text)` without any punctuation: the words with single blanks between, `20,000` as `20000`."""
    plain = normalise(text)
    kept = [c if not _is_edge(c) else "" if _between_digits(plain, i) else " " for i, c in enumerate(plain)]
    return " ".join("".join(kept).split()) or plain


def _between_digits(text: str, at: int) -> bool:
    return text[at - 1 : at].isdigit() and text[at + 1 : at + 2].isdigit() and not text[at].isspace()


def _visible(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs")


def _is_edge(character: str) -> bool:
    if character in _KEPT_PUNCTUATION:
        return False
    return character.isspace() or unicodedata.category(character)[0] == "P"


def _is_sign(text: str, at: int) -> bool:
    return text[at : at + 1] in _DASHES and text[at : at + 1] != "" and text[at + 1 : at + 2].isdigit()


def is_word_character(character: str) -> bool:
    """Letters, digits and the marks that belong to them (Indic vowel signs, accents)."""
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def written_without_blanks(text: str) -> bool:
    """Whether word boundaries cannot be trusted in `text`: Chinese, Japanese, Thai, ..., and Korean (particles)."""
    return not text.isascii() and _UNDIVIDED.search(text) is not None


def contains_words(text: str, part: str) -> bool:
    """Whether `part` stands in `text` as whole words. Both are taken as they are: normalise them before.

    A part in a script without word boundaries is looked for as a plain substring, from two characters on.
    """
    if not part:
        return False
    if written_without_blanks(part):
        return len(part) > 1 and part in text
    at = text.find(part)
    while at >= 0:
        if _boundary(text, at) and _boundary(text, at + len(part)):
            return True
        at = text.find(part, at + 1)
    return False


def _boundary(text: str, at: int) -> bool:
    """Whether a word begins or ends between `at - 1` and `at`, or the two characters differ in script kind."""
    if at <= 0 or at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    if not (is_word_character(before) and is_word_character(after)):
        return True
    return written_without_blanks(before) != written_without_blanks(after)


def is_number(text: str) -> bool:
    """Whether `text` is only digits and their separators, in any script."""
    return bool(text) and all(c.isnumeric() or c in ".,:/-\u066b\u066c " for c in text)


_FORMULA = re.compile(r"\\(?:text|mathrm|mathbf|textbf|mathit|textit|mathsf|operatorname)\s*\{([^{}]*)\}")
_MARKED = re.compile(r"[\\$~*_`]")
_MARKDOWN = re.compile(r"\\f?boxed\s*\{([^{}]*)\}|\${1,2}([^$\n]+)\${1,2}|(?<!\d)\$+(?!\d)|~~[^~\n]+~~|[*_`]+|~~+")


def without_markdown(text: str) -> str:
    """`text` without emphasis, code and formula marks, and without what is struck out: `**B**` and `\\boxed{B}` become
    `B`."""
    if _MARKED.search(text) is None:
        return text
    return _MARKDOWN.sub(lambda match: match[1] or match[2] or "", _FORMULA.sub(r"\1", text) if "\\" in text else text)
