"""Text read from pictures: CC-OCR's bag of words, and OCRBench's "does the reply contain it".

Sources: the evaluators of CC-OCR (arXiv 2412.02210) and OCRBench (arXiv 2305.07895), as the TowerVision authors
run them; their quirks are kept and named. Knows no data set.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tvbench.scoring.text import empty_flag
from tvbench.types import NO_GOLD, Contains, Item, OcrText, Score

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


def score_ocr(item: Item, target: OcrText, text: str) -> Score:
    """Precision, recall and F1 of one picture; their means are the macro figures. No gold text: unscored."""
    flags = empty_flag(text)
    if target.text is None:
        return Score(item.id, flags=flags, unscored=NO_GOLD)
    bags = overlap(target, text)
    values = {"macro_f1": bags.f1, "macro_precision": bags.precision, "macro_recall": bags.recall}
    return Score(item.id, values, flags)


def pooled_figures(targets: Sequence[OcrText], texts: Sequence[str]) -> dict[str, float]:
    """The micro figures: all pictures' bags counted together. Targets without a text are left out."""
    bags = [overlap(target, text) for target, text in zip(targets, texts, strict=True) if target.text is not None]
    if not bags:
        return {}
    pooled = Overlap(sum(b.common for b in bags), sum(b.wanted for b in bags), sum(b.given for b in bags))
    return {"micro_f1": pooled.f1, "micro_precision": pooled.precision, "micro_recall": pooled.recall}


def score_contains(item: Item, target: Contains, text: str) -> Score:
    """1 where a gold answer is a substring of the reply, both lower-cased.

    For formulas (HME100k) blanks do not count, and the authors lower-case the reply alone, so that no answer with
    a capital can be right: `ocrbench` keeps that, `ocrbench_hme` puts it right.
    """
    if not target.answers:
        return Score(item.id, flags=empty_flag(text), unscored=NO_GOLD)
    reply = _one_line(text.lower(), target.formula)
    fixed = any(_one_line(answer.lower(), target.formula) in reply for answer in target.answers)
    as_run = fixed
    if target.formula:
        as_run = any(_one_line(answer, formula=True) in reply for answer in target.answers)
    values = {"ocrbench": float(as_run), "ocrbench_hme": float(fixed)}
    return Score(item.id, values, empty_flag(text))


def _one_line(text: str, formula: bool) -> str:
    line = text.strip().replace("\n", " ")
    return line.replace(" ", "") if formula else line
