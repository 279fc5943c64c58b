"""Opens the entries of a mixture, and makes one corpus of them. Knows the kinds of sources and no tensor."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from tvbench.errors import UsageError
from tvbench.train.data.entries import Entry
from tvbench.train.data.sample import Corpus, Outline, TrainSample


class Mixed:
    """Several corpora as one: the samples of the first entry, then those of the second, and so on."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self.corpora = [open_corpus(entry) for entry in entries]
        self._ends = list(accumulate(len(corpus) for corpus in self.corpora))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def outline(self, index: int) -> Outline:
        corpus, place = self._find(index)
        return corpus.outline(place)

    def sample(self, index: int) -> TrainSample:
        corpus, place = self._find(index)
        return corpus.sample(place)

    def _find(self, index: int) -> tuple[Corpus, int]:
        number = bisect_right(self._ends, index)
        return self.corpora[number], index - (self._ends[number - 1] if number else 0)


def open_corpus(entry: Entry) -> Corpus:
    """The samples of one entry. Raises UsageError where they cannot be found."""
    if entry.generated == "mini":
        from tvbench.train.data.generated import GeneratedCorpus

        return GeneratedCorpus(entry)
    raise UsageError(f"the data '{entry.name}' name no place where they lie",
                     "give them a path, a hub repository or generated: mini")
