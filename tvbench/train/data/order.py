"""In which order samples come: a function of (seed, epoch), the same for any number of processes.

A stage's place in the data is one integer, the step. Knows counts, words and modalities; no sample.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tvbench.train.data.columns import Columns


class Order:
    """The samples of each step: `batch` of `count` an epoch, the last batch of an epoch smaller or dropped.

    `grouping` makes it the TowerVision authors' scheme: shuffled, then cut into batches of one modality and similar
    length, the batches shuffled; leftovers of both modalities make the last one.
    """

    def __init__(
        self,
        count: int,
        batch: int,
        seed: int,
        *,
        drop_last: bool = False,
        grouping: Callable[[], Columns] | None = None,
    ) -> None:
        self.count, self.batch, self.seed = count, batch, seed
        self.per_epoch = max(1, count // batch if drop_last else -(-count // batch))
        self._grouping = grouping
        self._epoch = -1
        self._order = np.zeros(0, dtype=np.int64)

    def step(self, step: int) -> np.ndarray:
        """Indices of the samples of a step (0-based), int64 [batch] or fewer at an epoch's end."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._order, self._epoch = self._shuffled(epoch), epoch
        return self._order[place * self.batch : (place + 1) * self.batch]

    def size(self, step: int) -> int:
        """How many samples a step has, without looking which."""
        return max(0, min(self.batch, self.count - step % self.per_epoch * self.batch))

    def _shuffled(self, epoch: int) -> np.ndarray:
        rng = np.random.Generator(np.random.PCG64([self.seed, epoch]))
        order = rng.permutation(self.count)
        return order if self._grouping is None else grouped(order, self._grouping(), self.batch, rng)


def grouped(order: np.ndarray, known: Columns, batch: int, rng: np.random.Generator) -> np.ndarray:
    """`order` cut into batches of one modality, longest first within a batch; the mixed leftovers come last."""
    batches, leftovers = [], []
    for code in sorted(set(known.modality.tolist())):
        members = order[known.modality[order] == code]
        whole = len(members) // batch * batch
        batches += np.split(members[:whole], whole // batch) if whole else []
        leftovers.append(members[whole:])
    rng.shuffle(batches)
    rest = np.concatenate(leftovers)
    chunks = [*batches, *(rest[start : start + batch] for start in range(0, len(rest), batch))]
    return np.concatenate([chunk[np.argsort(-known.words[chunk], kind="stable")] for chunk in chunks])
