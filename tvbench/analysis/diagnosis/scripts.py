"""Letters and the scripts they are of; and whether a text is in other letters than the right one.

`Latin` for a Russian page is a transliteration, or a reading of look-alikes; whether it is another language instead is
told elsewhere (foreign.py). What is held against is the right text's own script: where a right text is a brand name in
Latin letters, or a number, nothing is wrong with Latin letters. Only where there is no right text, and for
translations beside it, the scripts that the language is written in count: Serbian, Uzbek, Kazakh, Azerbaijani, Punjabi
and others have two. Chinese of one kind for the other is not seen here, the characters are of one script.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from tvbench.analysis.diagnosis.overlap import word_list
from tvbench.languages import is_language
from tvbench.languages import language as language_named

_NAMES = {
    "Latn": "latin", "Cyrl": "cyrillic", "Arab": "arabic", "Deva": "devanagari", "Grek": "greek", "Hebr": "hebrew",
    "Thai": "thai", "Laoo": "lao", "Khmr": "khmer", "Mymr": "myanmar", "Beng": "bengali", "Taml": "tamil",
    "Telu": "telugu", "Knda": "kannada", "Mlym": "malayalam", "Gujr": "gujarati", "Guru": "gurmukhi", "Orya": "oriya",
    "Sinh": "sinhala", "Ethi": "ethiopic", "Geor": "georgian", "Armn": "armenian", "Tibt": "tibetan",
    "Hans": "cjk", "Hant": "cjk", "Thaa": "thaana", "Olck": "ol",
}  # fmt: skip
"""ISO 15924 to the first word of the Unicode names of a script's letters."""
_SEVERAL = {"Jpan": ("cjk", "kana"), "Kore": ("hangul", "cjk")}
_ALSO = {
    "sr": "Cyrl Latn", "bs": "Cyrl", "cnr": "Cyrl Latn", "sh": "Cyrl Latn", "uz": "Cyrl Latn Arab",
    "kk": "Cyrl Latn Arab", "az": "Latn Cyrl Arab", "pa": "Guru Arab", "tk": "Latn Cyrl", "tt": "Cyrl Latn",
    "ky": "Cyrl Latn", "tg": "Cyrl Latn", "mn": "Cyrl", "ku": "Latn Arab", "sd": "Arab Deva", "ks": "Arab Deva",
    "ug": "Arab Latn Cyrl", "ha": "Latn Arab", "ms": "Latn Arab", "crh": "Latn Cyrl",
}  # fmt: skip
"""Other scripts that a language is written in, whatever the benchmarks print."""

LEAST_LETTERS = 4
"""A text with fewer letters has no script: an option's letter, a unit, a chemical formula."""
MUCH, SOME = 0.75, 0.25
"""Wrong: so much more of the letters in another script than in the right text, counted in words that it has not. The
second is for pages that are read."""
_FORMULA = re.compile(r"\\[a-zA-Z]+|\$[^$\n]*\$")
_WEIGHT = {"cjk": 3.0, "kana": 2.0, "hangul": 2.0}
"""Letters of an alphabet that one character stands for."""


@lru_cache(maxsize=65536)
def script_of(character: str) -> str:
    """The script of a letter, in small letters (`latin`, `cjk`, `kana`); "" for what is no letter, or of none."""
    if not character.isalpha():
        return ""
    first = unicodedata.name(unicodedata.normalize("NFKC", character)[0], "").replace("-", " ").partition(" ")[0]
    script = first.lower()
    if script in ("hiragana", "katakana"):
        return "kana"
    return "" if script in ("modifier", "feminine", "masculine", "micro", "ideographic") else script


def scripts_in(text: str) -> Counter[str]:
    """How much of `text` is in each script: letters, with those that stand for more counted as more."""
    found = Counter(filter(None, map(script_of, text)))
    return Counter({script: round(count * _WEIGHT.get(script, 1.0)) for script, count in found.items()})


@lru_cache(maxsize=512)
def scripts_of(language: str) -> frozenset[str]:
    """The scripts that `language` (a code) is written in; empty for one that is not in our table."""
    base = language.partition("-")[0].lower()
    codes = _ALSO.get(base, "").split()
    if is_language(language):
        codes.append(language_named(language).script)
    return frozenset(name for code in codes for name in _SEVERAL.get(code, (_NAMES.get(code, code.lower()),)))


def own_scripts(golds: Iterable[str], language: str, *, free: bool) -> frozenset[str]:
    """The scripts that an answer may be in. `free`: the language's own as well, where the right text does not bind the
    letters (a translation does not, a page that is read does)."""
    gold = scripts_in(" ".join(golds))
    spoken = scripts_of(language)
    if not gold:
        return spoken
    (main, _), *_ = gold.most_common(1)
    shown = {"latin"} if main == "latin" else {script for script in gold if script != "latin"}
    return frozenset(shown | (spoken if free else spoken & gold.keys()))


def foreign_letters(text: str, golds: Iterable[str], own: frozenset[str]) -> Counter[str]:
    """The letters of `text` by script, for those scripts that are not `own`, in words that no right text has."""
    known = {word for gold in golds for word in word_list(gold)}
    found: Counter[str] = Counter()
    for word in word_list(text):
        if word not in known:
            found.update(scripts_in(word))
    return Counter({script: count for script, count in found.items() if script not in own})


def wrong_script(text: str, golds: tuple[str, ...], language: str, *, free: bool) -> str:
    """The script of `text` where it is not the right one, else "". Nothing is said where the right text has no letters,
    or where nothing is known of the language."""
    text = _FORMULA.sub(" ", text)
    written = scripts_in(text)
    total = sum(written.values())
    own = own_scripts(golds, language, free=free)
    if total < LEAST_LETTERS or not own or (golds and not scripts_in(" ".join(golds))):
        return ""
    foreign = foreign_letters(text, golds, own)
    gold = scripts_in(" ".join(golds))
    expected = sum(count for script, count in gold.items() if script not in own) / max(1, sum(gold.values()))
    if sum(foreign.values()) / total - expected < (MUCH if free else SOME):
        return ""
    return foreign.most_common(1)[0][0]
