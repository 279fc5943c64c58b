"""The feed of a stage: for each step, this process's micro-batches, prepared ahead by worker processes.

Which samples a step has depends on the order alone; how they are dealt to processes changes nothing. A sample that
cannot be used leaves its place empty. What a worker sends is one micro-batch. Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Dataset

from tvbench.errors import UsageError
from tvbench.train.data.batches import Batch, pack, pad, total_weight, weighed
from tvbench.train.data.corpus import Corpus
from tvbench.train.data.encode import EncodedSample, Encoder
from tvbench.train.data.loading import Loading, loaded, planned, shared_room
from tvbench.train.data.order import Order
from tvbench.train.data.parcels import Parcel, opened, sealed
from tvbench.train.data.sample import BrokenSample
from tvbench.train.parallel import World, shares
from tvbench.train.stages import Stage

Group = tuple[list[EncodedSample], list[BrokenSample]]


class Steps:
    """Item s: the micro-batches of step s for one process, not yet weighed."""

    def __init__(self, corpus: Corpus, encoder: Encoder, stage: Stage, order: Order, rank: int, size: int) -> None:
        self.corpus, self.encoder, self.stage, self.order = corpus, encoder, stage, order
        self.rank, self.size = rank, size

    def __getitem__(self, step: int) -> list[Batch]:
        return self.batches([self.group(step, number) for number in range(self.rounds(step))])

    def group(self, step: int, number: int) -> Group:
        """The samples of one of this process's micro-batches, and those of it that cannot be used."""
        return self._encoded(self._dealt(self.order.step(step))[number])

    def rounds(self, step: int) -> int:
        """Micro-batches of each process in a step."""
        return -(-self.order.size(step) // (self.stage.micro_batch * self.size))

    def batches(self, groups: Sequence[Group]) -> list[Batch]:
        """The micro-batches of a step, of its samples."""
        samples, skipped = [good for good, _ in groups], [lost for _, lost in groups]
        pad_id = int(self.encoder.tokenizer.pad_token_id)
        if self.stage.packing:
            broken = [skip for group in skipped for skip in group]
            return pack(samples, pad_id, self.stage.max_length, len(samples), broken)
        if self.stage.grouping == "within_step":
            samples = _by_length(samples, self.stage.micro_batch)
        return [
            pad(group, pad_id, number, lost) for number, (group, lost) in enumerate(zip(samples, skipped, strict=True))
        ]

    def _dealt(self, indices: np.ndarray) -> list[np.ndarray]:
        """This process's micro-batches of a step. A last step may leave some processes less than others: they get
        empty ones, because all must make the same number of passes (sharded weights are gathered in each)."""
        micro = self.stage.micro_batch
        groups = [indices[start : start + micro] for start in range(0, len(indices), micro)]
        rounds = -(-len(groups) // self.size)
        dealt = groups[self.rank :: self.size]
        return [*dealt, *([indices[:0]] * (rounds - len(dealt)))]

    def _encoded(self, indices: np.ndarray) -> Group:
        good: list[EncodedSample] = []
        broken: list[BrokenSample] = []
        for index in indices.tolist():
            try:
                good.append(self.encoder.encode(self.corpus.sample(index)))
            except BrokenSample as error:
                broken.append(error)
        return good, broken


class Parcels(Dataset[Parcel]):
    """Item (step, number): a micro-batch's samples, as a worker sends them."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps

    def __getitem__(self, place: tuple[int, int]) -> Parcel:
        return sealed(*self.steps.group(*place))


def loading(encoder: Encoder, stage: Stage, world: World) -> Loading:
    """How a stage's data are prepared here."""
    rounds = shares(stage.batch, stage.micro_batch, world.size)
    return planned(stage.workers, stage.micro_batch * encoder.most_bytes(), rounds, shared_room())


def check_shares(stage: Stage, size: int) -> None:
    """Raises UsageError unless the stage's steps can be shared out as it says to `size` processes."""
    shares(stage.batch, stage.micro_batch, size)
    if stage.grouping == "within_step" and stage.loss_norm == "microbatch":
        raise UsageError(
            f"stage {stage.number}: grouping within_step changes what is in a micro-batch",
            "loss_norm: global_tokens or square_root goes with it",
        )


def feed(corpus: Corpus, encoder: Encoder, stage: Stage, world: World, start: int, steps: int) -> Iterator[list[Batch]]:
    """The weighed micro-batches of steps `start` to `steps` - 1 for this process, in order.

    Raises RuntimeError when a worker process is killed.
    """
    made = Steps(corpus, encoder, stage, make_order(corpus, stage), world.rank, world.size)
    places = ((step, number) for step in range(start, steps) for number in range(made.rounds(step)))
    parcels = loaded(Parcels(made), places, loading(encoder, stage, world))
    for step in range(start, steps):
        batches = made.batches([opened(next(parcels)) for _ in range(made.rounds(step))])
        everyone = world.sum(total_weight(batches, stage.loss_norm))
        yield weighed(batches, stage.loss_norm, everyone=everyone, processes=world.size)


def make_order(corpus: Corpus, stage: Stage) -> Order:
    """The order of a stage over a corpus."""
    by_length = stage.grouping == "modality_length"
    return Order(
        len(corpus), stage.batch, stage.seed, drop_last=stage.drop_last, grouping=corpus.columns if by_length else None
    )


def _by_length(groups: list[list[EncodedSample]], micro: int) -> list[list[EncodedSample]]:
    """The same samples in as many micro-batches, alike in length: less padding, and with `global_tokens` the same
    loss."""
    together = sorted((sample for group in groups for sample in group), key=lambda sample: -len(sample.input_ids))
    cut = [together[start : start + micro] for start in range(0, len(together), micro)]
    return [*cut, *([] for _ in range(len(groups) - len(cut)))]
