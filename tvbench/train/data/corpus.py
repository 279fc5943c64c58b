"""What every source of training samples gives: samples by index, and what is known of them without reading them."""

from __future__ import annotations

from typing import Protocol

from tvbench.train.data.columns import Columns
from tvbench.train.data.sample import Outline, TrainSample


class Corpus(Protocol):
    """Samples by index. The same index is the same sample, in every process and on every day."""

    def __len__(self) -> int: ...

    def columns(self) -> Columns:
        """What is known of every sample without reading it."""
        ...

    def outline(self, index: int) -> Outline:
        """One sample's. Raises BrokenSample."""
        ...

    def sample(self, index: int) -> TrainSample:
        """Raises BrokenSample."""
        ...
