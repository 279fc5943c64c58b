"""Text read from pictures: CC-OCR's bag of words, and OCRBench's "does the reply contain it".

Sources: the evaluators of CC-OCR (arXiv 2412.02210) and OCRBench (arXiv 2305.07895), as the TowerVision authors
run them; their quirks are kept and named. Knows no data set.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from tvbench.types import Contains, OcrText

_MASKS = ("###", "***")
"""How CC-OCR marks text that nobody can read; neither side is held to it."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Bags of tokens held against each other: how many are common, wanted and given."""

    common: int
    wanted: int
    given: int

    @property
    def precision(self) -> float:
        return self.common / self.given if self.given else 0.0

    @property
    def recall(self) -> float:
        return self.common / self.wanted if self.wanted else 0.0

    @property
    def f1(self) -> float:
        total = self.wanted + self.given
        return 2 * self.common / total if total else 0.0


def tokens(text: str, unit: str) -> list[str]:
    """Lower-cased words, or characters without blanks (`unit` "character"), masks removed."""
    for mask in _MASKS:
        text = text.replace(mask, "")
    lowered = text.lower()
    return lowered.split() if unit == "word" else list(re.sub(r"\s+", "", lowered))


def overlap(target: OcrText, text: str) -> Overlap:
    """The bags of `target` (which must have a text) and of the reply."""
    wanted = Counter(tokens(target.text or "", target.unit))
    given = Counter(tokens(text, target.unit))
    return Overlap((wanted & given).total(), wanted.total(), given.total())


@lru_cache(maxsize=4)
def overlap_of(target: OcrText, text: str) -> Overlap:
    """`overlap`, once for all metrics of one page."""
    return overlap(target, text)


def contains_answer(target: Contains, text: str, *, as_run: bool) -> bool:
    """Whether a gold answer is a substring of the reply, both lower-cased.

    For formulas (HME100k) blanks do not count, and the authors lower-case the reply alone, so that no answer with
    a capital can be right: `as_run` keeps that.
    """
    reply = _one_line(text.lower(), target.formula)
    kept = as_run and target.formula
    return any(_one_line(answer if kept else answer.lower(), target.formula) in reply for answer in target.answers)


def _one_line(text: str, formula: bool) -> str:
    line = text.strip().replace("\n", " ")
    return line.replace(" ", "") if formula else line
