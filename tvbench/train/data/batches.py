"""Micro-batches: samples padded side by side, or packed end to end, with what each token weighs in the loss.

Packed samples see themselves only: `segments` tell them apart. The weights make a step's loss what the recipe says,
however its samples are laid out. Knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from tvbench.train.data.encode import EncodedSample, Visual
from tvbench.train.data.sample import BrokenSample
from tvbench.train.loss import IGNORED, supervised
from tvbench.train.stages import Norm


@dataclass(frozen=True, slots=True)
class Batch:
    """`input_ids`, `labels`, `positions`, `segments`, `branches`, `groups` int64 [b, n] and `weights` float32 [b, n].

    Positions start at 0 with each sample. Segments number the samples of a row from 1; 0 is padding. Groups number the
    micro-batches that the samples of a step belong to, wherever they are packed. `visuals` in row-major order.
    """

    input_ids: torch.Tensor
    labels: torch.Tensor
    positions: torch.Tensor
    segments: torch.Tensor
    branches: torch.Tensor
    groups: torch.Tensor
    weights: torch.Tensor
    visuals: tuple[Visual, ...]
    samples: int
    skipped: tuple[BrokenSample, ...] = ()

    @property
    def tokens(self) -> int:
        """Positions that hold a token or an image row."""
        return int((self.segments > 0).sum())

    @property
    def lengths(self) -> list[int]:
        """The same for each sample."""
        return [count for row in self.segments for count in torch.bincount(row)[1:].tolist()]

    @property
    def tiles(self) -> int:
        """Tiles and frames of all pictures and clips."""
        return sum(len(visual.pixels) for visual in self.visuals)

    def to(self, device: torch.device) -> Batch:
        """The same batch on `device`; pixels follow when they are used."""
        if self.input_ids.device == device:
            return self
        moved = {
            name: getattr(self, name).to(device, non_blocking=True)
            for name in ("input_ids", "labels", "positions", "segments", "branches", "groups", "weights")
        }
        return replace(self, **moved)


def pad(samples: Sequence[EncodedSample], pad_id: int, group: int = 0, skipped: Sequence[BrokenSample] = ()) -> Batch:
    """One sample a row, padded on the right. No sample at all is a row of padding."""
    return _laid_out([[(sample, group)] for sample in samples], pad_id, skipped)


def pack(
    groups: Sequence[Sequence[EncodedSample]],
    pad_id: int,
    max_length: int,
    passes: int,
    skipped: Sequence[BrokenSample] = (),
) -> list[Batch]:
    """The samples of all `groups` end to end in rows of at most `max_length`, by first fit, longest first; the rows in
    exactly `passes` batches, because all processes make as many."""
    listed = [(sample, number) for number, group in enumerate(groups) for sample in group]
    listed.sort(key=lambda item: -len(item[0].input_ids))
    rows: list[list[tuple[EncodedSample, int]]] = []
    room: list[int] = []
    for sample, number in listed:
        length = len(sample.input_ids)
        row = next((row for row, left in enumerate(room) if left >= length), None)
        if row is None:
            rows.append([])
            room.append(max_length)
            row = len(rows) - 1
        rows[row].append((sample, number))
        room[row] -= length
    return [_laid_out(rows[number::passes], pad_id, () if number else skipped) for number in range(passes)]


def weighed(batches: Sequence[Batch], norm: Norm, *, everyone: float, processes: int) -> list[Batch]:
    """The batches of one process and step with their weights, for gradients that are averaged over processes.

    `microbatch`: the mean over the tokens of each group, then over all groups of all processes (the fork's); a group
    in which nothing is trained counts for none. `global_tokens`: the mean over all trained tokens. `square_root`: as
    that, but an answer of n tokens weighs sqrt(n) and not n, so that captions do not drown one-word answers
    (InternVL 2.5's square averaging, arXiv 2412.05271). `everyone`: the `total_weight` of all processes' batches.
    """
    weight = processes / max(1.0, everyone)
    if norm == "microbatch":
        share = weight / _trained(batches).clamp(min=1).double()
        return [replace(batch, weights=share[batch.groups].float()) for batch in batches]
    return [replace(batch, weights=token_weights(batch.labels, norm) * weight) for batch in batches]


def total_weight(batches: Sequence[Batch], norm: Norm) -> float:
    """What the trained tokens of several batches weigh together, before they are normed; under `microbatch` the number
    of groups that have any."""
    if norm == "microbatch":
        return float((_trained(batches) > 0).sum())
    return sum(float(token_weights(batch.labels, norm)[supervised(batch.labels)].double().sum()) for batch in batches)


def _trained(batches: Sequence[Batch]) -> torch.Tensor:
    """Trained tokens of each group, int64 [highest group + 1]."""
    groups = 1 + max((int(batch.groups.max()) for batch in batches), default=0)
    counts = torch.zeros(groups, dtype=torch.int64)
    for batch in batches:
        counts += torch.bincount(batch.groups[supervised(batch.labels)], minlength=groups)
    return counts


def token_weights(labels: torch.Tensor, norm: Norm) -> torch.Tensor:
    """Of each token beside the others, float32 [b, n]: 1, or under `square_root` 1 / sqrt(tokens of its answer)."""
    if norm != "square_root":
        return torch.ones(labels.shape)
    mask = supervised(labels)
    # An answer is a run of supervised tokens; a sample's first token never is one, so runs end with their sample.
    begins = mask & ~torch.nn.functional.pad(mask, (1, -1))
    number = begins.flatten().cumsum(0)
    lengths = torch.bincount(number[mask.flatten()], minlength=int(number[-1]) + 1).clamp(min=1)
    return lengths.float().rsqrt()[number].view(labels.shape)


def _laid_out(
    rows: Sequence[Sequence[tuple[EncodedSample, int]]], pad_id: int, skipped: Sequence[BrokenSample]
) -> Batch:
    count = max(1, len(rows))
    longest = max((sum(len(sample.input_ids) for sample, _ in row) for row in rows), default=1)
    ids = torch.full((count, longest), pad_id)
    labels = torch.full((count, longest), IGNORED)
    positions, segments, branches, groups = (torch.zeros(count, longest, dtype=torch.int64) for _ in range(4))
    for number, row in enumerate(rows):
        start = 0
        for segment, (sample, group) in enumerate(row, 1):
            span = slice(start, start + len(sample.input_ids))
            ids[number, span], labels[number, span] = sample.input_ids, sample.labels
            labels[number, start] = IGNORED  # nothing comes before a sample's first token
            positions[number, span], branches[number, span] = sample.positions, sample.branches
            segments[number, span], groups[number, span] = segment, group
            start = span.stop
    visuals = tuple(visual for row in rows for sample, _ in row for visual in sample.visuals)
    weights = torch.ones(count, longest)
    samples = sum(map(len, rows))
    return Batch(ids, labels, positions, segments, branches, groups, weights, visuals, samples, tuple(skipped))
