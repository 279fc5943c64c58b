"""Which samples of an entry are taken: by language, by quality, by number. All at random from a seed, on columns alone.

Knows columns and entries; no file and no sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tvbench.errors import UsageError
from tvbench.train.data.columns import Columns
from tvbench.train.data.entries import Entry


def chosen(entry: Entry, columns: Columns) -> np.ndarray:
    """Indices of an entry's samples that are taken, int64, repeated where its weight says so.

    In this order: languages, `min_score` (samples without a score are dropped then), `most_per_language`, `sampling`,
    `weight`. Raises UsageError for a sampling that cannot be read, and for a `min_score` where no sample has a score.
    """
    kept = np.arange(len(columns))
    if entry.languages:
        kept = kept[_in(columns.language[kept], columns.languages, entry.languages)]
    if entry.min_score is not None:
        if len(columns) and np.isnan(columns.score).all():
            raise UsageError(
                f"{entry.name}: min_score is set, and no sample has a quality score",
                "the field is called score, cometkiwi or quality; options: {columns: {score: NAME}} names "
                "another; or leave min_score out",
            )
        kept = kept[columns.score[kept] >= entry.min_score]
    if entry.most_per_language is not None:
        kept = balanced(kept, columns.language, entry.most_per_language, entry.seed)
    return weighted(sampled(kept, entry.sampling, entry.seed), entry.weight, entry.seed)


def sampled(kept: np.ndarray, sampling: str, seed: int) -> np.ndarray:
    """`all`, `first:N`, `end:N` or `random:N` of them; N is a number, or a percentage such as 10%. As in the fork's
    mixture files; `random` is at random from `seed` and keeps the order."""
    how, _, amount = sampling.partition(":")
    if how == "all" and not amount:
        return kept
    try:
        part = len(kept) * float(amount[:-1]) / 100 if amount.endswith("%") else float(amount)
        count = min(len(kept), math.ceil(part))
        if count < 0 or how not in ("first", "end", "random"):
            raise ValueError
    except ValueError as error:
        raise UsageError(
            f"sampling '{sampling}' cannot be read", "all, first:N, end:N or random:N; N may be 10%"
        ) from error
    if how == "first":
        return kept[:count]
    if how == "end":
        return kept[len(kept) - count :]
    return by_lot(kept, count, seed)


def weighted(kept: np.ndarray, weight: float, seed: int) -> np.ndarray:
    """Each sample `weight` times: whole times all of them, the rest at random."""
    if weight < 0:
        raise UsageError(f"a weight of {weight:g} is not possible", "0 leaves out, 0.5 takes half, 2 takes all twice")
    whole, rest = divmod(weight, 1.0)
    more = by_lot(kept, round(rest * len(kept)), seed)
    return np.concatenate([*([kept] * int(whole)), more])


def balanced(kept: np.ndarray, language: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most so many of each language, at random: the paper's filter of cultural data (50,000 each)."""
    parts = [by_lot(kept[language[kept] == code], most, seed) for code in np.unique(language[kept])]
    return np.sort(np.concatenate([kept[:0], *parts]))


def equally_many(kept: np.ndarray, columns: Columns, languages: Sequence[str], seed: int) -> np.ndarray:
    """All languages of `kept`, but only as many samples as are in `languages`: what a language costs at equal size.

    How the paper held the size equal is not stated; at random over everything is our decision.
    """
    count = int(_in(columns.language[kept], columns.languages, languages).sum())
    return by_lot(kept, count, seed)


def in_languages(kept: np.ndarray, columns: Columns, languages: Sequence[str]) -> np.ndarray:
    """Those of `kept` in one of `languages`; `zh` means zh-Hans and zh-Hant as well."""
    inside: np.ndarray = kept[_in(columns.language[kept], columns.languages, languages)]
    return inside


def by_lot(kept: np.ndarray, count: int, seed: int) -> np.ndarray:
    """`count` of them, in their order; all where there are no more."""
    if count >= len(kept):
        return kept
    rng = np.random.Generator(np.random.PCG64(seed))
    return np.sort(rng.choice(kept, size=count, replace=False))


def _in(codes: np.ndarray, names: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    matching = [place for place, name in enumerate(names) if name in wanted or name.partition("-")[0] in wanted]
    inside: np.ndarray = np.isin(codes, matching)
    return inside
