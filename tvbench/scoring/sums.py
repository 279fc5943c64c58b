"""BLEU and chrF++ as functions of summed segment statistics, for thousands of resampled corpora at once.

The statistics of a segment are sacreBLEU's own (`translation.segment_statistics`); the formulas are those of its corpus
scores (BLEU with `exp` smoothing, chrF++ with effective order), over arrays of numpy. Knows no resampling.
"""

from __future__ import annotations

import numpy as np

NGRAMS = 4
CHRF_BETA_SQUARED = 4.0


def bleu(sums: np.ndarray) -> np.ndarray:
    """Corpus BLEU, 0..100, of summed statistics (..., 2 + 2 * NGRAMS)."""
    system, reference = sums[..., 0], sums[..., 1]
    correct, total = sums[..., 2 : 2 + NGRAMS], sums[..., 2 + NGRAMS :]
    with np.errstate(divide="ignore", invalid="ignore"):
        # Each order without a match counts as half of what the one before it would have.
        halved = 2.0 ** np.cumsum(correct == 0, axis=-1)
        precisions = np.where(correct == 0, 1 / halved, correct) / total
        brevity = np.where(system < reference, np.exp(1 - reference / system), 1.0)
        score = 100 * brevity * np.exp(np.log(precisions).mean(-1))
    good = (correct > 0).any(-1) & (total > 0).all(-1) & (system > 0)
    return np.where(good, score, 0.0)


def chrfpp(sums: np.ndarray) -> np.ndarray:
    """Corpus chrF++, 0..100, of summed statistics (..., 3 * orders)."""
    hypothesis, reference, match = sums[..., 0::3], sums[..., 1::3], sums[..., 2::3]
    counted = (hypothesis > 0) & (reference > 0)
    orders = np.maximum(counted.sum(-1), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(counted, match / hypothesis, 0.0).sum(-1) / orders
        recall = np.where(counted, match / reference, 0.0).sum(-1) / orders
        score = (1 + CHRF_BETA_SQUARED) * precision * recall / (CHRF_BETA_SQUARED * precision + recall)
    return np.where(precision + recall > 0, 100 * score, 0.0)
