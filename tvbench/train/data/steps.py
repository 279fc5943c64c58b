"""The feed of a stage: for each step, this process's micro-batches, prepared ahead by worker processes.

Which samples a step has depends on the order alone; how they are dealt to processes changes nothing. A sample that
cannot be used leaves its place empty. Uses torch's DataLoader, whose item is a whole step. Knows no model.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import numpy as np
from torch.utils.data import DataLoader, Dataset

from tvbench.errors import UsageError
from tvbench.train.data.batches import Batch, pack, pad, total_weight, weighed
from tvbench.train.data.corpus import Corpus
from tvbench.train.data.encode import Encoded, Encoder
from tvbench.train.data.order import Order
from tvbench.train.data.sample import BrokenSample
from tvbench.train.parallel import World, shares
from tvbench.train.stages import Stage


class Steps(Dataset[list[Batch]]):
    """Item s: the micro-batches of step s for one process, not yet weighed."""

    def __init__(self, corpus: Corpus, encoder: Encoder, stage: Stage, order: Order, rank: int, size: int) -> None:
        self.corpus, self.encoder, self.stage, self.order = corpus, encoder, stage, order
        self.rank, self.size = rank, size

    def __getitem__(self, step: int) -> list[Batch]:
        micro = self.stage.micro_batch
        encoded = [self._encoded(one) for one in self._dealt(self.order.step(step))]
        samples, skipped = [good for good, _ in encoded], [lost for _, lost in encoded]
        pad_id = int(self.encoder.tokenizer.pad_token_id)
        if self.stage.packing:
            broken = [one for group in skipped for one in group]
            return pack(samples, pad_id, self.stage.max_length, len(samples), broken)
        if self.stage.grouping == "within_step":
            samples = _by_length(samples, micro)
        return [pad(group, pad_id, number, lost) for number, (group, lost) in
                enumerate(zip(samples, skipped, strict=True))]

    def _dealt(self, indices: np.ndarray) -> list[np.ndarray]:
        """This process's micro-batches of a step. A last step may leave some processes less than others: they get
        empty ones, because all must make the same number of passes (sharded weights are gathered in each)."""
        micro = self.stage.micro_batch
        groups = [indices[start : start + micro] for start in range(0, len(indices), micro)]
        rounds = -(-len(groups) // self.size)
        dealt = groups[self.rank :: self.size]
        return [*dealt, *([indices[:0]] * (rounds - len(dealt)))]

    def _encoded(self, indices: np.ndarray) -> tuple[list[Encoded], list[BrokenSample]]:
        good, broken = [], []
        for index in indices.tolist():
            try:
                good.append(self.encoder.encode(self.corpus.sample(index)))
            except BrokenSample as error:
                broken.append(error)
        return good, broken


def check_shares(stage: Stage, size: int) -> None:
    """Raises UsageError unless the stage's steps can be shared out as it says to `size` processes."""
    shares(stage.batch, stage.micro_batch, size)
    if stage.grouping == "within_step" and stage.loss_norm == "microbatch":
        raise UsageError(f"stage {stage.number}: grouping within_step changes what is in a micro-batch",
                         "loss_norm: global_tokens or square_root goes with it")


def feed(
    corpus: Corpus, encoder: Encoder, stage: Stage, world: World, start: int, steps: int
) -> Iterator[list[Batch]]:
    """The weighed micro-batches of steps `start` to `steps` - 1 for this process, in order.

    Raises RuntimeError when a worker process is killed.
    """
    order = make_order(corpus, stage)
    dataset = Steps(corpus, encoder, stage, order, world.rank, world.size)
    workers = stage.workers
    loader = DataLoader(
        dataset,
        batch_size=None,
        sampler=range(start, steps),
        num_workers=workers,
        prefetch_factor=2 if workers else None,
        collate_fn=None,
        worker_init_fn=unstoppable,
    )
    for batches in loader:
        everyone = world.sum(total_weight(batches, stage.loss_norm))
        yield weighed(batches, stage.loss_norm, everyone=everyone, processes=world.size)


def unstoppable(worker: int) -> None:
    """Ctrl-C and SIGTERM reach every process of a job: the first process decides, and it needs the workers to the end
    of its step. They end with it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def make_order(corpus: Corpus, stage: Stage) -> Order:
    """The order of a stage over a corpus."""
    by_length = stage.grouping == "modality_length"
    return Order(len(corpus), stage.batch, stage.seed, drop_last=stage.drop_last,
                 grouping=corpus.columns if by_length else None)


def _by_length(groups: list[list[Encoded]], micro: int) -> list[list[Encoded]]:
    """The same samples in as many micro-batches, alike in length: less padding, and with `global_tokens` the same
    loss."""
    together = sorted((sample for group in groups for sample in group), key=lambda one: -len(one.input_ids))
    cut = [together[start : start + micro] for start in range(0, len(together), micro)]
    return [*cut, *([] for _ in range(len(groups) - len(cut)))]


