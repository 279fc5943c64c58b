"""What is wrong with a checkpoint's numbers, whatever they are asked: NaN, nothing but zeros, copies, random numbers.

Random numbers are told from trained ones by their largest singular value. That of independent numbers ends at
spread * (sqrt(rows) + sqrt(columns)), the edge of Marchenko and Pastur, whatever their distribution; training drives
some directions beyond it in nearly every matrix. Streams: one tensor is in memory at a time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from tvbench.checkpoints.tensors import HEAD, Weights
from tvbench.doctor.findings import Finding

EDGE = 1.03
"""A layer none of whose matrices goes further beyond the edge holds random numbers."""
BLOCK = 512
"""Rows and columns of a matrix that are looked at: a part of random numbers is random, too."""
LEAST = 32
"""Rows and columns below which the edge is too blurred."""
LAYER = re.compile(r"(.*\.layers\.\d+)\.")
TEXT, TOWER, PROJECTOR = "language_model.", "vision_tower.", "multi_modal_projector."
SHOWN = 3
AGAIN = "download the checkpoint again, or export it again from where it was right"


@dataclass(slots=True)
class Numbers:
    """What was seen. `beyond` holds, by layer, how far the largest singular values go, in edges of random numbers."""

    broken: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    beyond: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def random(self, part: str) -> list[str]:
        """The layers of a part of the model that hold random numbers."""
        return [name for name in self.layers(part) if max(self.beyond[name]) <= EDGE]

    def layers(self, part: str) -> list[str]:
        """The layers of a part of the model that could be judged."""
        return [name for name in self.beyond if name.startswith(part)]

    @property
    def untrained(self) -> bool:
        """Whether the whole text model holds random numbers."""
        layers = self.layers(TEXT)
        return bool(layers) and len(self.random(TEXT)) == len(layers)


def look_through(folder: Path) -> Numbers:
    """All tensors but the head, once. Raises EngineError for files that cannot be read."""
    numbers = Numbers()
    seen: dict[bytes, str] = {}
    with Weights(folder) as weights:
        for name in sorted(weights.original):
            if name != HEAD:
                _look(name, weights.original[name], weights.load(name), numbers, seen)
    return numbers


def check_numbers(numbers: Numbers) -> Iterator[Finding]:
    """Findings in what was seen."""
    if numbers.broken:
        yield Finding("error", "not-finite", f"{_listed(numbers.broken)}: every answer would be garbage", AGAIN)
    if numbers.empty:
        yield Finding("error", "zeros", f"{_listed(numbers.empty)} nothing but one number: what goes in is lost", AGAIN)
    if numbers.copies:
        yield Finding("error", "copies", f"{_listed(numbers.copies)}: no training makes two matrices equal", AGAIN)
    if not numbers.untrained:
        yield from _random_parts(numbers)


def _random_parts(numbers: Numbers) -> Iterator[Finding]:
    for part, code, what in (
        (TOWER, "random-tower", "the vision tower"),
        (TEXT, "random-text", "the text model"),
        (PROJECTOR, "random-projector", "the projector"),
    ):
        layers = numbers.random(part)
        if layers:
            share = f"{len(layers)} of {len(numbers.layers(part))} layers of {what} hold"
            count = share if part != PROJECTOR else f"{what} holds"
            yield Finding(
                "error",
                code,
                f"{count} random numbers, as if never trained (first {layers[0]})",
                "a loader that misses a tensor's name fills it so: " + AGAIN,
            )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _look(name: str, original: str, tensor: torch.Tensor, numbers: Numbers, seen: dict[bytes, str]) -> None:
    if not tensor.is_floating_point():
        return
    if problem := not_finite(tensor):
        numbers.broken.append(f"{original} holds {problem}")
        return
    if tensor.ndim < 2:
        return
    matrix = tensor.flatten(1)
    if bool((matrix == matrix[0, 0]).all()):
        numbers.empty.append(original)
        return
    mark = _mark(matrix)
    if mark in seen:
        numbers.copies.append(f"{original} equals {seen[mark]}")
    seen[mark] = original
    layer = LAYER.match(name)
    group = layer[1] if layer else PROJECTOR if name.startswith(PROJECTOR) else None
    if group is not None and min(matrix.shape) >= LEAST:
        numbers.beyond[group].append(beyond_edge(matrix))


def not_finite(tensor: torch.Tensor) -> str:
    """`3 NaN and 1 infinite numbers`, or nothing."""
    if bool(torch.isfinite(tensor).all()):
        return ""
    counts = {"NaN": int(torch.isnan(tensor).sum()), "infinite": int(torch.isinf(tensor).sum())}
    return " and ".join(f"{count} {kind}" for kind, count in counts.items() if count) + " numbers"


def _mark(matrix: torch.Tensor) -> bytes:
    """Equal for equal matrices, and hardly ever otherwise."""
    shape = ",".join(map(str, matrix.shape)).encode()
    block = matrix[:: max(1, len(matrix) // 64), :256].float()
    return shape + bytes(block.contiguous().numpy().data)


def beyond_edge(matrix: torch.Tensor) -> float:
    """The largest singular value of a matrix (a block of it), in those that independent numbers of its spread have."""
    block = matrix[:BLOCK, :BLOCK].float()
    block = block - block.mean()
    rows, columns = block.shape
    edge = float(block.std()) * (rows**0.5 + columns**0.5)
    return float(torch.linalg.matrix_norm(block, 2)) / edge if edge > 0 else 0.0
