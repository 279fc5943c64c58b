"""Texts that mean the same in a language, made equal: digits and numbers, vowel marks, variants of letters, articles.

Three forms of one text, each further from what was written: `exact` (case and Unicode form alone, as the language has
case), `plain` (what every reader takes for the same: native digits, separators of numbers, vowel marks, Arabic alef,
kaf and yeh) and `loose` (what is the same unless another option says otherwise: a leading article, `20,000` where the
language writes `20.000`, nukta). Two options are never merged by a form: see scoring/matching.py.
Knows scripts and languages; no task and no metric.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from tvbench.scoring.normalise import normalise, trim_edges, without_markdown
from tvbench.scoring.wording import wording

TURKIC = ("tr", "az", "tt", "crh", "kk-Latn")
"""Languages in which I is the capital of \u0131, and \u0130 that of i."""
_TURKIC_CASE = str.maketrans({"I": "\u0131", "\u0130": "i"})


@lru_cache(maxsize=512)
def exact(text: str, language: str) -> str:
    """`text` in normal form, with case as the language has it."""
    plain = without_markdown(text)
    if language.partition("-")[0] in TURKIC:
        plain = unicodedata.normalize("NFC", plain).translate(_TURKIC_CASE)
    return normalise(plain)


@lru_cache(maxsize=512)
def plain(text: str, language: str) -> str:
    """`text`, in its exact form, without what nobody counts as a difference."""
    return _folded(text, language, loose=False)


@lru_cache(maxsize=512)
def loose(text: str, language: str) -> str:
    """`text`, in its exact form, without what is seldom a difference."""
    folded = _folded(text, language, loose=True)
    for fold in _LOOSE.get(language.partition("-")[0], ()):
        folded = fold(folded)
    return _without_article(folded, language)


FORMS: tuple[Callable[[str, str], str], ...] = (lambda text, language: text, plain, loose)
"""From what was written to what is furthest from it."""


def _folded(text: str, language: str, *, loose: bool) -> str:
    letters = text.replace(" ", "").isalpha()
    if not text.isascii():
        text = _marks(text if letters else _digits(text), language)
    if not letters and (any(c.isdigit() for c in text) or "%" in text):
        words = wording(language)
        text = _POWER.sub(r"\1", text.replace("{", "").replace("}", "") if "^{" in text else text)
        text = _NUMBER.sub(lambda match: _number(match[0], words.decimal, loose), text)
        text = _percent(text, language)
    return text


# ── Digits and numbers ────────────────────────────────────────────────────────────────────────────

_POWER = re.compile(r"(?<=[^\W\d_])[\^\u02cd](?=[0-9])()")
"""A power or index behind a letter: m^2 is typed m2, and H\u2082O H2O."""
_NUMBER = re.compile(
    r"(?<![0-9.,\u066b\u066c\u060c])[0-9]+(?:[.,' \u066b\u066c\u060c][0-9]+)+(?![.,\u066b\u066c\u060c]?[0-9])"
)
_ETHIOPIC = re.compile("[\u1369-\u137c]+")
_DECIMAL_MARK, _THOUSANDS_MARK = "\u066b", "\u066c"


def _digits(text: str) -> str:
    """Digits of all scripts as 0 to 9."""
    text = _ETHIOPIC.sub(lambda match: str(_ethiopic(match[0])), text)
    digits = (str(unicodedata.decimal(c)) if c.isdecimal() and not c.isascii() else c for c in text)
    return "".join(digits)


def _ethiopic(text: str) -> int:
    """The value of Ethiopic numerals, which have signs for tens, a hundred and ten thousand."""
    total = group = part = 0
    for value in map(int, map(unicodedata.numeric, text)):
        if value == 100:
            group, part = group + (part or 1) * 100, 0
        elif value == 10000:
            total, group, part = (total + group + part or 1) * 10000, 0, 0
        else:
            part += value
    return total + group + part


def _number(text: str, decimal: str, loose: bool) -> str:
    """`text` without separators of thousands, and with a full stop before its decimals; as it is where it is none."""
    groups = re.split(r"[^0-9]", text)
    marks = re.findall(r"[^0-9]", text)
    last = marks[-1]
    if len(set(marks)) == 1 and last != _DECIMAL_MARK:
        if _grouped(groups) and (len(marks) > 1 or last in "' \u066c" or _thousands(last, decimal, loose)):
            return "".join(groups)
        return f"{groups[0]}.{groups[1]}" if len(marks) == 1 and last in ".,\u060c" else text
    whole = groups[:-1]
    if last in ".,\u066b" and marks.count(last) == 1 and len(set(marks)) <= 2 and (len(whole) == 1 or _grouped(whole)):
        return "".join(whole) + "." + groups[-1]
    return text


def _grouped(groups: list[str]) -> bool:
    """Whether digits stand in groups of three, or as in India: three at the end, twos before."""
    first, *others = groups
    if first.startswith("0") or not 1 <= len(first) <= 3 or len(groups[-1]) != 3:
        return False
    return all(len(group) == 3 for group in others) or (
        len(first) <= 2 and all(len(group) == 2 for group in others[:-1])
    )


def _thousands(mark: str, decimal: str, loose: bool) -> bool:
    """Whether a single mark before three digits separates thousands."""
    if mark in ",\u060c":
        return decimal != "," or loose
    return decimal == ","


def _percent(text: str, language: str) -> str:
    """`27 percent`, `27 %` and `%27` as `27%`."""
    text = re.sub(r"(?<=[0-9]) +(?=%)", "", text)
    text = re.sub(r"^% ?([0-9.]+)$", r"\1%", text)
    words = wording(language).percent
    if not words.longest:
        return text
    match = re.match(r"[0-9.]+", text)
    if match and words.first(rest := text[match.end() :].strip()) == len(rest) > 0:
        return match[0] + "%"
    end = words.first(text)
    rest = text[end:].strip()
    return rest + "%" if end and re.fullmatch(r"[0-9.]+", rest) else text


# ── Marks and variants of letters ─────────────────────────────────────────────────────────────────

_SEMITIC_MARKS = re.compile(
    "[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]"
)
_VARIANTS = str.maketrans(
    {
        **dict.fromkeys("\u0622\u0623\u0625\u0671", "\u0627"),  # alef
        **dict.fromkeys("\u0643", "\u06a9"),  # kaf
        **dict.fromkeys("\u0649\u064a\u06d2\u06cc", "\u06cc"),  # yeh
        **dict.fromkeys("\u06c1\u06d5", "\u0647"),  # heh
        "\u05be": "-",
        "\u05f3": "'",
        "\u05f4": '"',
        "\u1361": " ",
        "\u066a": "%",
        "\u2030": "\u2030",
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\u30fc"[:6], "-"),
        # Malayalam chillu, as base and virama
        **{chr(0x0D7A + at): base + "\u0d4d" for at, base in enumerate("ണനരലളക")},
        "\u015f": "\u015f",
    }
)
_OWN_VARIANTS: dict[str, dict[int, str]] = {
    "ro": str.maketrans({"\u015f": "\u0219", "\u0163": "\u021b"}),
    "ru": str.maketrans({"\u0451": "\u0435"}),
}
_GREEK_LETTER = re.compile("[\u0370-\u03ff\u1f00-\u1fff]")
_GREEK = re.compile("[\u0300\u0301\u0313\u0314\u0342\u0308]")
_TONE = re.compile("([ou])([aey])([\u0300\u0301\u0303\u0309\u0323])(?![a-z\u0300-\u036f])")
"""Vietnamese: the tone mark stands on either vowel of a final oa, oe, uy."""
_SARA_AM = re.compile("([\u0e4d\u0ecd])([\u0e48-\u0e4b\u0ec8-\u0ecb])(?=[\u0e32\u0eb2])")
"""Thai and Lao: the tone mark and the ring of am, in either order."""
_BETWEEN_CJK = re.compile("(?<=[\u3040-\u30ff\u3400-\u9fff]) +(?=[\u3040-\u30ff\u3400-\u9fff])")


def _marks(text: str, language: str) -> str:
    text = _SEMITIC_MARKS.sub("", text).translate(_VARIANTS)
    code = language.partition("-")[0]
    if code in _OWN_VARIANTS:
        text = text.translate(_OWN_VARIANTS[code])
    if code == "vi":
        text = unicodedata.normalize("NFC", _TONE.sub(r"\1\3\2", unicodedata.normalize("NFD", text)))
    if _GREEK_LETTER.search(text):
        text = unicodedata.normalize("NFC", _GREEK.sub("", unicodedata.normalize("NFD", text)))
    text = _SARA_AM.sub(r"\2\1", text)
    return _BETWEEN_CJK.sub("", text).strip() or text


# ── What is seldom a difference ───────────────────────────────────────────────────────────────────


def _replacer(pairs: dict[str, str]) -> Callable[[str], str]:
    table = str.maketrans(pairs)
    return lambda text: text.translate(table)


def _no_accents(text: str) -> str:
    """English: `cafe` is `caf\u00e9`."""
    if text.isascii():
        return text
    letters = unicodedata.normalize("NFD", text)
    return "".join(c for at, c in enumerate(letters) if not (_is_accent(c) and letters[at - 1 : at].isascii()))


def _is_accent(character: str) -> bool:
    return "\u0300" <= character <= "\u036f"


def _no_blanks(text: str) -> str:
    return text.replace(" ", "")


_HAMZA = _replacer({"\u0624": "\u0648", "\u0626": "\u06cc"})
_TEH_MARBUTA = _replacer({"\u0629": "\u0647"})
_INDIC = _replacer({"\u093c": "", "\u0901": "\u0902"})
_ETHIOPIC_SOUNDS = _replacer(
    {
        chr(odd + order): chr(usual + order)
        for odd, usual in ((0x1210, 0x1200), (0x1280, 0x1200), (0x1220, 0x1230), (0x12D0, 0x12A0), (0x1340, 0x1338))
        for order in range(7)
    }
)
_SERBIAN = _replacer(
    dict(
        zip(
            "абвгдђежзијклљмнњопрстћуфхцчџш",
            "a b v g d đ e ž z i j k l lj m n nj o p r s t ć u f h c č dž š".split(),
            strict=True,
        )
    )
)
_LIGATURES = _replacer({"\u0153": "oe", "\u00e6": "ae"})
_UMLAUTS = _replacer({"\u00e4": "ae", "\u00f6": "oe", "\u00fc": "ue"})
_ARABIC = (_HAMZA, _TEH_MARBUTA)
_LOOSE: dict[str, tuple[Callable[[str], str], ...]] = {
    "ar": _ARABIC,
    "arz": _ARABIC,
    "fa": (*_ARABIC, _no_blanks),
    "ur": (*_ARABIC, _no_blanks),
    "ckb": (_no_blanks,),
    "hi": (_INDIC,),
    "mr": (_INDIC,),
    "ne": (_INDIC,),
    "bho": (_INDIC,),
    "am": (_ETHIOPIC_SOUNDS,),
    "ti": (_ETHIOPIC_SOUNDS,),
    "sr": (_SERBIAN,),
    "en": (_LIGATURES, _no_accents),
    "fr": (_LIGATURES,),
    "de": (_UMLAUTS,),
}
_PREFIXED_ARTICLE = {"ar": "\u0627\u0644", "arz": "\u0627\u0644", "he": "\u05d4"}
"""Articles that are one with their word. Words of less than three letters keep them."""
_SHORTEST_STEM = 3


def _without_article(text: str, language: str) -> str:
    end = wording(language).article.first(text)
    rest = trim_edges(text[end:]) if end else ""
    if rest and not (end == 1 and (len(rest) == 1 or text[1:2] in (")", ".", ":", "]"))):
        return rest
    prefix = _PREFIXED_ARTICLE.get(language.partition("-")[0], "")
    stem = text[len(prefix) :]
    return stem if prefix and text.startswith(prefix) and len(stem.partition(" ")[0]) >= _SHORTEST_STEM else text
