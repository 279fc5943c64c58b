"""Is a part of a text, a line, a sentence or a half of it, in another language?

Three signs, the first that speaks: letters of a script that neither the language nor a right text has; a run of the
source's own words in a translation; and the stretch of words that is likelier in some other language than in the asked
one, summed word by word. A word counts by the frequent words of the languages (wording.csv) and, where py3langid is
installed, by its letters; a word that a right text has counts for the asked language. Languages that are easily taken
for each other (language_id.GROUPS) are one. Without py3langid only the frequent words of 27 languages are known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from tvbench.analysis.diagnosis.language_id import Likelihoods, base_of, group_of
from tvbench.analysis.diagnosis.overlap import word_list
from tvbench.analysis.diagnosis.scripts import foreign_letters, own_scripts, scripts_in, scripts_of
from tvbench.analysis.diagnosis.wording import table, wording_of
from tvbench.languages import is_language
from tvbench.languages import language as language_named
from tvbench.scoring.normalise import is_number, written_without_blanks

SHARE, LEAST_LETTERS = 0.15, 8
"""The least part of a text in a strange script, and its letters."""
COPIED_WORDS, COPIED_SHARE = 3, 0.25
"""The least run of words of the source that no right text has, and the part of the answer."""
_CLAUSE = re.compile(r"[\s、。，,.!?！？「」『』（）()：:;；]+")
_CHINESE = re.compile("[的在了是着著他她它们們这這那吗嗎呢把被和与與个個没沒]")
LEAST_CHINESE = 15
"""As scripts_in counts: five characters."""
SCATTERED, PLAINLY = 0.28, 2.0
"""The least part of words that are the source's, or plainly of one other language, wherever they stand; and what a word
says that is plainly of it."""
FREQUENT, STEM = 3.0, 4
BOUND = 4.0
"""What one word may say at the most for and against a language."""
CERTAIN = 9.0
CERTAIN_BY_WORDS = 8.0
LEAST_WORDS = 3
LEAST_SPOKEN, SPOKEN = 3, 0.15
"""Different frequent words of a language, and their part of a text, from which on it is in that language."""


def foreign_part(
    text: str, golds: tuple[str, ...], source: str, language: str, likelihoods: Likelihoods | None, *, free: bool = True
) -> str:
    """The language (or the script) of a part of `text` that is not in `language`, "" where there is none."""
    if script := _strange_script(text, golds, language, free=free):
        return script
    if language.partition("-")[0] == "ja" and _has_chinese(text, golds):
        return "zh"
    found = [word for word in word_list(text.replace("-", "")) if not is_number(word)]
    if source and _copies(found, golds, source):
        return "source"
    return _strange_stretch(found, golds, language, likelihoods)


def speaks_another(text: str, golds: tuple[str, ...], language: str) -> bool:
    """Whether a text is in another language and no transliteration or misreading: by the frequent words of languages of
    other branches, as those of one share words such as `na`, `ne` and `v`. Words of a right text do not count."""
    found = [word for word in word_list(text) if not is_number(word)]
    known = {word for gold in golds for word in word_list(gold)}
    branch, row = _branch(language), wording_of(language)
    for code, other in table().items():
        if code not in group_of(language) and (not branch or _branch(code) != branch):
            strange = other.frequent - known - (frozenset() if row is None else row.frequent)
            hits = [word for word in found if len(word) > 1 and word in strange]
            if len(set(hits)) >= LEAST_SPOKEN and len(hits) >= SPOKEN * len(found):
                return True
    return False


@lru_cache(maxsize=256)
def _branch(code: str) -> str:
    return language_named(code).branch if is_language(code) else ""


def _strange_script(text: str, golds: tuple[str, ...], language: str, *, free: bool) -> str:
    own = own_scripts(golds, language, free=free)
    if not own:
        return ""
    found = foreign_letters(text, golds, own)
    total, strange = sum(scripts_in(text).values()), sum(found.values())
    if strange >= LEAST_LETTERS and strange >= SHARE * total:
        return found.most_common(1)[0][0]
    return ""


def _has_chinese(text: str, golds: tuple[str, ...]) -> bool:
    """Whether a clause of a Japanese text has no kana and a sign of Chinese grammar."""
    for clause in _CLAUSE.split(text):
        characters = scripts_in(clause)
        plain = "kana" not in characters and characters["cjk"] >= LEAST_CHINESE
        if plain and _CHINESE.search(clause) and not any(clause in gold for gold in golds):
            return True
    return False


def _copies(found: list[str], golds: tuple[str, ...], source: str) -> bool:
    """Whether the answer has a run of the source's words of which no right text has a single one, or many of them here
    and there."""
    known = _words_of(golds)
    plain = f" {' '.join(word_list(source.replace('-', '')))} "
    run = best = copied = 0
    for at, word in enumerate(found):
        if word in known or f" {word} " not in plain:
            run = 0
            continue
        copied += 1
        run = run + 1 if run and f" {' '.join(found[at - run : at + 1])} " in plain else 1
        best = max(best, run)
    enough = COPIED_SHARE * len(found)
    return best >= COPIED_WORDS and best >= enough or copied >= COPIED_WORDS and copied >= SCATTERED * len(found)


def _words_of(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in word_list(text)}


@dataclass(slots=True)
class _Stretch:
    """What has been seen of one language on the way through a text: the sum and the words of the stretch that goes on,
    those of the best one, and how many words were plainly of it."""

    total: float = 0.0
    length: int = 0
    best: float = 0.0
    longest: int = 0
    plain: int = 0

    def step(self, value: float) -> None:
        """The next word, with what it says for the language."""
        self.plain += value >= PLAINLY
        self.total, self.length = (self.total + value, self.length + 1) if self.total + value > 0 else (0.0, 0)
        if self.total > self.best:
            self.best, self.longest = self.total, self.length


def _strange_stretch(found: list[str], golds: tuple[str, ...], language: str, likelihoods: Likelihoods | None) -> str:
    if len(found) < LEAST_WORDS or written_without_blanks("".join(found)) and len(found) < 2 * LEAST_WORDS:
        return ""
    known = _words_of(golds)
    stems = {word[:STEM] for word in known if len(word) >= STEM}
    ours = [word in known or len(word) > STEM and word[:STEM] in stems for word in found]
    if len(found) - sum(ours) < LEAST_WORDS:
        return ""
    seen: dict[str, _Stretch] = {}
    for word, is_ours in zip(found, ours, strict=True):
        told = _told(word, base_of(language), likelihoods)
        for code in {*seen, *told}:
            value = told.get(code, 0.0)
            seen.setdefault(code, _Stretch()).step(min(value, -1.0) if is_ours else value)
    certain = CERTAIN if likelihoods is not None else CERTAIN_BY_WORDS
    clear = {
        code: stretch.best
        for code, stretch in seen.items()
        if stretch.best >= certain and stretch.longest >= LEAST_WORDS
        or stretch.plain >= LEAST_WORDS and stretch.plain >= SCATTERED * len(found)
    }  # fmt: skip
    return max(clear, key=lambda code: (clear[code], code), default="")


@lru_cache(maxsize=65536)
def _told(word: str, language: str, likelihoods: Likelihoods | None) -> Mapping[str, float]:
    """How much more a word says for each other language than for the asked one."""
    own = group_of(language)
    row = wording_of(language)
    ours = row is not None and word in row.frequent
    said = {
        code: FREQUENT * ((word in other.frequent) - ours)
        for code, other in table().items()
        if code not in own and scripts_of(code) & scripts_of(language)
    }
    if likelihoods is not None:
        for code, value in _by_letters(word, own, likelihoods):
            said[code] = said.get(code, -FREQUENT * ours) + value
    return {code: value for code, value in said.items() if value}


def _by_letters(word: str, own: frozenset[str], likelihoods: Likelihoods) -> Iterable[tuple[str, float]]:
    known = likelihoods(word)
    ours = max((known[code] for code in own if code in known), default=None)
    if ours is None:
        return
    for code in table().keys() - own:
        if code in known:
            yield code, max(-BOUND, min(BOUND, known[code] - ours))
