"""Opens the entries of a mixture, and makes one corpus of them. Knows the kinds of sources and no tensor."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from tvbench.errors import UsageError
from tvbench.train.data.columns import MODALITIES, Columns, joined
from tvbench.train.data.corpus import Corpus
from tvbench.train.data.entries import Entry
from tvbench.train.data.filters import chosen, equally_many, in_languages
from tvbench.train.data.sample import Outline, TrainSample
from tvbench.train.generated import WORLDS, generated_world
from tvbench.train.stages import Stage


class Taken:
    """The samples of a corpus that an entry takes."""

    def __init__(self, corpus: Corpus, indices: np.ndarray, columns: Columns) -> None:
        self.corpus, self.indices, self._columns = corpus, indices, columns

    def __len__(self) -> int:
        return len(self.indices)

    def columns(self) -> Columns:
        """Of the samples that are taken."""
        return self._columns

    def outline(self, index: int) -> Outline:
        return self._columns.outline(index)

    def sample(self, index: int) -> TrainSample:
        return self.corpus.sample(int(self.indices[index]))


class Mixed:
    """Several corpora as one: the samples of the first entry, then those of the second, and so on."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self.corpora = [open_corpus(entry) for entry in entries]
        self._ends = list(accumulate(len(corpus) for corpus in self.corpora))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def columns(self) -> Columns:
        """Of all samples."""
        return joined([corpus.columns() for corpus in self.corpora])

    def outline(self, index: int) -> Outline:
        corpus, place = self._find(index)
        return corpus.outline(place)

    def sample(self, index: int) -> TrainSample:
        corpus, place = self._find(index)
        return corpus.sample(place)

    def _find(self, index: int) -> tuple[Corpus, int]:
        number = bisect_right(self._ends, index)
        return self.corpora[number], index - (self._ends[number - 1] if number else 0)


def stage_corpus(stage: Stage) -> Corpus:
    """All samples that a stage learns from. Raises UsageError where a source cannot be opened."""
    mixed = Mixed([entry for entry in stage.data if stage.keep_source in ("all", entry.source_language)])
    if not (stage.keep_languages or stage.equal_size_as):
        return mixed
    columns = mixed.columns()
    kept = _kept(stage, columns)
    return Taken(mixed, kept, columns.take(kept))


def stage_parts(stage: Stage) -> list[tuple[Entry, Corpus]]:
    """The same samples, by the dataset that they come from. Raises UsageError where a source cannot be opened."""
    whole = stage_corpus(stage)
    if isinstance(whole, Mixed):
        return list(zip(whole.entries, whole.corpora, strict=True))
    assert isinstance(whole, Taken)
    mixed = whole.corpus
    assert isinstance(mixed, Mixed)
    parts: list[tuple[Entry, Corpus]] = []
    start = 0
    for entry, corpus in zip(mixed.entries, mixed.corpora, strict=True):
        inside = whole.indices[(whole.indices >= start) & (whole.indices < start + len(corpus))] - start
        parts.append((entry, Taken(corpus, inside, corpus.columns().take(inside))))
        start += len(corpus)
    return parts


def _kept(stage: Stage, columns: Columns) -> np.ndarray:
    kept = np.arange(len(columns))
    if stage.keep_languages:
        kept = in_languages(kept, columns, stage.keep_languages)
    if stage.equal_size_as:
        kept = equally_many(kept, columns, stage.equal_size_as, stage.seed)
    return kept


def has_clips(corpus: Corpus) -> bool:
    """Whether any sample shows a clip."""
    return bool((corpus.columns().modality == MODALITIES.index("video")).any())


def open_corpus(entry: Entry) -> Corpus:
    """The samples of one entry, filtered as it says. Raises UsageError where they cannot be found or read."""
    corpus = _source(entry)
    if entry.generated or not _filters(entry):
        return corpus
    columns = corpus.columns()
    indices = chosen(entry, columns)
    return Taken(corpus, indices, columns.take(indices))


def _source(entry: Entry) -> Corpus:
    places = [name for name in ("path", "hub", "generated") if getattr(entry, name)]
    if len(places) != 1:
        given = f"both {' and '.join(places)}" if places else "no place"
        raise UsageError(
            f"the data '{entry.name}' name {given} where they lie",
            f"--set datasets.{entry.name}.path=FILE.json, or .hub=ORG/NAME",
        )
    if entry.generated:
        if entry.generated not in WORLDS:
            raise UsageError(
                f"the data '{entry.name}': there is no generated world '{entry.generated}'", "generated: mini"
            )
        return generated_world(entry.generated).corpus(entry)
    if entry.hub:
        from tvbench.train.data.blocks import BlocksCorpus

        return BlocksCorpus(entry)
    from tvbench.train.data.llava import LlavaCorpus

    return LlavaCorpus(entry)


def _filters(entry: Entry) -> bool:
    return bool(
        entry.languages
        or entry.min_score is not None
        or entry.sampling != "all"
        or entry.weight != 1.0
        or entry.most_per_language is not None
    )
