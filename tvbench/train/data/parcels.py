"""A micro-batch's samples on their way from a worker process: two tensors, however many samples and pictures.

Each tensor that a worker sends is a file of shared memory of its own, so whole numbers go as one and pixels, as bytes,
as another. What is opened is a copy: the shared memory is free again. Knows encoded samples and no loader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from tvbench.train.data.encode import EncodedSample
from tvbench.train.data.sample import BrokenSample

COLUMNS = ("input_ids", "labels", "branches", "positions")
_NONE = torch.zeros(0, dtype=torch.int64)


@dataclass(frozen=True, slots=True)
class Parcel:
    """`samples` without their tensors; `numbers` int64 [4, all tokens], `pixels` uint8 [all bytes]; `broken` could not
    be used."""

    samples: tuple[EncodedSample, ...]
    lengths: tuple[int, ...]
    shapes: tuple[tuple[torch.Size, ...], ...]
    numbers: torch.Tensor
    pixels: torch.Tensor
    broken: tuple[BrokenSample, ...]


def sealed(samples: Sequence[EncodedSample], broken: Sequence[BrokenSample]) -> Parcel:
    """Samples, ready to be sent."""
    bare = tuple(
        replace(
            sample, **dict.fromkeys(COLUMNS, _NONE), visuals=tuple(replace(v, pixels=_NONE) for v in sample.visuals)
        )
        for sample in samples
    )
    numbers = [torch.cat([getattr(sample, name) for sample in samples]) for name in COLUMNS] if samples else [_NONE] * 4
    pixels = [visual.pixels.flatten() for sample in samples for visual in sample.visuals]
    return Parcel(
        bare,
        tuple(len(sample.input_ids) for sample in samples),
        tuple(tuple(visual.pixels.shape for visual in sample.visuals) for sample in samples),
        torch.stack(numbers),
        torch.cat(pixels) if pixels else torch.zeros(0, dtype=torch.uint8),
        tuple(broken),
    )


def opened(parcel: Parcel) -> tuple[list[EncodedSample], list[BrokenSample]]:
    """The samples that were sealed, and those that could not be used."""
    columns = parcel.numbers.clone().split(parcel.lengths, dim=1)
    sizes = [shape.numel() for shapes in parcel.shapes for shape in shapes]
    pixels = iter(parcel.pixels.clone().split(sizes))
    found = []
    for sample, numbers, shapes in zip(parcel.samples, columns, parcel.shapes, strict=True):
        visuals = tuple(
            replace(visual, pixels=next(pixels).view(shape))
            for visual, shape in zip(sample.visuals, shapes, strict=True)
        )
        found.append(replace(sample, **dict(zip(COLUMNS, numbers, strict=True)), visuals=visuals))
    return found, list(parcel.broken)
