"""Language confusion under its published names: line-level and word-level pass rate.

Marchisio et al. 2024, "Understanding and Mitigating Language Confusion in LLMs" (arXiv 2406.20052), as their program
counts: lines of fewer than five words are left out, and answers without any other; an answer fails by its lines if one
of them is not in the asked language; of those that pass, it fails by its words if an English one stands in a script
that is not Latin. Different from theirs: the identifiers (cld2 and py3langid together, for fastText's lid.176); two
characters are a word where a script has no blanks (for jieba and MeCab); and any Latin word in small letters with four
or more of them is English (for a word list), so that names stay out and a French word does not.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tvbench.analysis.diagnosis.answers import Answer
from tvbench.analysis.diagnosis.language_check import is_judged
from tvbench.analysis.diagnosis.language_id import Identifiers
from tvbench.analysis.diagnosis.scripts import scripts_of
from tvbench.scoring.normalise import written_without_blanks

LEAST_WORDS = 5
IDENTIFIER = "cld2 and py3langid"
_DROPPED = str.maketrans({**dict.fromkeys(string.punctuation + "\u060c", ""), "\u2014": " "})
_ENGLISH = re.compile(r"(?<![^\W_])[a-z]{4,}(?![^\W_])", re.ASCII)
"""A Latin word between anything that is no ASCII letter or digit: Chinese does not put blanks around it."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """`judged` answers had a line that is long enough; `failed_lines` of them one in another language; of the rest
    `failed_words` an English word (None: the language is written in Latin letters, where that cannot be told)."""

    judged: int
    failed_lines: int
    failed_words: int | None

    @property
    def line_pass_rate(self) -> float:
        """LPR: the share of judged answers all of whose lines are in the asked language."""
        return 1 - self.failed_lines / self.judged if self.judged else 1.0

    @property
    def word_pass_rate(self) -> float | None:
        """WPR: of the answers that pass by their lines, the share without an English word."""
        if self.failed_words is None:
            return None
        passed = self.judged - self.failed_lines
        return 1 - self.failed_words / passed if passed else 1.0


def confusion(answers: Iterable[Answer], language: str, identifiers: Identifiers) -> Confusion | None:
    """Both rates over the answers in one language that are running text of the model's own; None without any."""
    judged = failed_lines = failed_words = 0
    for answer in answers:
        if not is_judged(answer) or not (lines := _lines(answer.text)):
            continue
        told = [judgement for line in lines if (judgement := identifiers.judge(line, language)) is not None]
        judged += bool(told)
        if any(not judgement.accepted for judgement in told):
            failed_lines += 1
        elif told and any(map(_ENGLISH.search, lines)):
            failed_words += 1
    latin = "latin" in scripts_of(language)
    return Confusion(judged, failed_lines, None if latin else failed_words) if judged else None


def _lines(text: str) -> list[str]:
    """The lines that are long enough, without punctuation."""
    plain = text.partition("\nQ:")[0].strip().translate(_DROPPED)
    return [line for line in plain.split("\n") if _words(line) >= LEAST_WORDS]


def _words(line: str) -> int:
    return len("".join(line.split())) // 2 if written_without_blanks(line) else len(line.split())


def in_words(by_language: Mapping[str, Confusion]) -> str:
    """One line for people: both rates of each language; "" where nothing was judged."""
    rates = [
        f"{code} {100 * found.line_pass_rate:.1f}"
        + ("" if found.word_pass_rate is None else f"/{100 * found.word_pass_rate:.1f}")
        + f" of {found.judged}"
        for code, found in by_language.items()
    ]
    if not rates:
        return ""
    return (
        "language confusion (Marchisio et al. 2024, arXiv 2406.20052), line-level/word-level pass rate, %, identified "
        f"by {IDENTIFIER}: {', '.join(rates)}"
    )
