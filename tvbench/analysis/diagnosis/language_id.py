"""Is this text in language L? A vote of two identifiers, with what they cannot tell apart taken for one language.

- A text is accepted when at least one of pycld2 and py3langid takes it for L or a language of L's group. Measured on
  sentences of 102 languages with a third identifier beside the two, "one agrees" accepts 98-100 % of right texts and
  14 % of texts in a sibling language: wrong language is rather missed than imputed.
- Where none agrees, a text of fewer than 8 words is rejected only if both name the same other language, or if it is
  in Latin letters and the language is not, or the other way round.
- Short texts are not judged: fewer than 3 words, or few letters. Names in another language are not told from a text
  in it, which is why callers subtract the share of references that is rejected (language_check.py).

Not told apart at all: the languages of one GROUP, Portuguese of Brazil and Portugal, Arabic dialects. Simplified and
traditional Chinese are one, unless pycld2 is sure that it is the other. The packages are the extra `langid`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tvbench.languages import is_language
from tvbench.languages import language as language_named
from tvbench.scoring.normalise import is_word_character, written_without_blanks

MISSING = "not judged: pip install 'tvbench[langid]'"

GROUPS = (
    frozenset({"bs", "hr", "sr", "cnr"}),
    frozenset({"hi", "bho", "mai"}),
    frozenset({"id", "jv", "su", "ms"}),
    frozenset({"cs", "sk"}),
    frozenset({"no", "nb", "nn", "da"}),
    frozenset({"ar", "arz", "ary"}),
    frozenset({"rw", "rn"}),
    frozenset({"zh", "yue", "wuu"}),
    frozenset({"ku", "ckb", "sdh"}),
    frozenset({"ak", "tw"}),
)
"""Confusable languages, by the first part of their codes. Measured: bs/hr/sr, hi/bho, id/jv/su, cs/sk. The others are
near enough to each other, or one name for several, that a wrong alarm is likelier than a right one."""

_NAMES = {"iw": "he", "jw": "jv", "bh": "bho", "in": "id", "fil": "tl", "sh": "sr", "gug": "gn"}
"""Codes that the identifiers use, to ours."""
_NOTHING = frozenset({"un", "xxx", "zxx", "und"})

SCRIPTS = {"zh-Hans", "zh-Hant"}
LEAST_WORDS, LEAST_LETTERS = 3, 12
LEAST_CHARACTERS = 6
"""What a text needs to be judged: words and letters, or characters in a script without blanks."""
SURE_WORDS = 8
"""Shorter texts need more than two identifiers that disagree with each other to be rejected."""

_NOTHING_KNOWN = -1e30
"""py3langid's value for a text without any piece that it knows."""

Identify = Callable[[str], str]
Likelihoods = Callable[[str], Mapping[str, float]]
"""A word to how likely it is in each language, as logarithms; empty for a word that says nothing."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """`found` is the code of the language that the text was taken for, "" where the identifiers disagree about it."""

    accepted: bool
    found: str = ""


@dataclass(frozen=True, slots=True)
class Identifiers:
    """Named identifiers, each a function from a text to a code ("" for none), with the codes that each one knows.
    `likelihoods` of single words, where one of them can say so much (foreign.py)."""

    identify: Mapping[str, Identify]
    knows: Mapping[str, frozenset[str]]
    likelihoods: Likelihoods | None = None

    def judge(self, text: str, language: str) -> Judgement | None:
        """Whether `text` is in `language` (a code such as `pt-BR`). None: too short, or a language nobody knows."""
        wanted = group_of(language)
        if not any(wanted in _groups(self.knows[name]) for name in self.identify) or not long_enough(text):
            return None
        named: dict[str, str] = {}
        for name, identify in self.identify.items():
            named[name] = identify(text)
            if language not in SCRIPTS and base_of(named[name]) not in _NOTHING and group_of(named[name]) == wanted:
                return Judgement(True, base_of(language))  # whatever the others say
        found = [code for code in named.values() if code and base_of(code) not in _NOTHING]
        if not found:
            return None
        if any(_other_script(code, language) for code in found):
            return Judgement(False, next(code for code in found if _other_script(code, language)))
        if any(group_of(code) == wanted for code in found):
            return Judgement(True, base_of(language))
        agreed = len({group_of(code) for code in found}) == 1 and len(found) == len(named)
        if not agreed and len(text.split()) < SURE_WORDS and not _other_alphabet(text, language):
            return Judgement(True)
        return Judgement(False, base_of(found[0]) if agreed else "")


def base_of(code: str) -> str:
    """The language without script and country, by our name: `pt` for `pt-BR`, `he` for `iw`."""
    base = code.partition("-")[0].lower()
    return _NAMES.get(base, base)


@lru_cache(maxsize=4096)
def group_of(code: str) -> frozenset[str]:
    """The languages that `code` is confused with, itself among them."""
    base = base_of(code)
    return next((group for group in GROUPS if base in group), frozenset({base}))


@lru_cache(maxsize=64)
def _groups(codes: frozenset[str]) -> frozenset[frozenset[str]]:
    return frozenset(map(group_of, codes))


def long_enough(text: str) -> bool:
    """Whether a judgement of `text` means anything: single words and bare names are wrong half of the time."""
    letters = [character for character in text if is_word_character(character) and not character.isnumeric()]
    if written_without_blanks("".join(letters)):
        return len(letters) >= LEAST_CHARACTERS
    return len(text.split()) >= LEAST_WORDS and len(letters) >= LEAST_LETTERS


def _other_script(found: str, language: str) -> bool:
    """Whether `found` is written Chinese of the other kind than `language`, which must name its kind."""
    return {found, language} == SCRIPTS


def _other_alphabet(text: str, language: str) -> bool:
    """Whether one of `text` and `language` is Latin and the other is not; False for a language not in our table."""
    letters = [character for character in text if character.isalpha()]
    latin = 2 * sum(unicodedata.name(letter, "").startswith("LATIN") for letter in letters) > len(letters)
    return is_language(language) and latin != (language_named(language).script == "Latn")


@lru_cache(maxsize=1)
def load() -> Identifiers | None:
    """The identifiers that are installed; None without both of them: one alone is wrong too often."""
    try:
        import pycld2
        from py3langid import langid
    except ImportError:
        return None
    model = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)
    return Identifiers(
        {
            "cld2": _kept(lambda text: _cld2(pycld2, text)),
            "py3langid": _kept(lambda text: str(model.classify(text)[0])),
        },
        {"cld2": frozenset(str(code) for _, code in pycld2.LANGUAGES), "py3langid": frozenset(map(str, model.labels))},
        lru_cache(maxsize=65536)(lambda word: _likelihoods(model, word)),
    )


def _kept(identify: Identify) -> Identify:
    """`identify` with its last answers kept: a text is asked for as a whole, and again as its only line."""
    return lru_cache(maxsize=16384)(identify)


def _likelihoods(model: Any, word: str) -> Mapping[str, float]:
    """py3langid's logarithms for one word with blanks around it."""
    ranked = {str(code): float(value) for code, value in model.rank(f" {word} ")}
    return {} if min(ranked.values()) < _NOTHING_KNOWN else ranked


def _cld2(cld: Any, text: str) -> str:
    """CLD2's first guess. Only where it is sure of it is `zh` simplified Chinese; else it is either."""
    printable = "".join(character for character in text if character.isprintable() or character in "\n\t")
    data = printable.encode("utf-8", "ignore")
    try:
        reliable, _, details = cld.detect(data, isPlainText=True, bestEffort=True)
    except cld.error:
        return ""
    code = str(details[0][1])
    if code in ("zh", "zh-Hant"):
        return {"zh": "zh-Hans"}.get(code, code) if reliable else "zh"
    return code
