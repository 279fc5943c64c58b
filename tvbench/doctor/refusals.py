"""The refusal of a checkpoint that says nothing of the scale of its image rows, with what was measured of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def measured_refusals() -> Iterator[None]:
    """The refusal of a checkpoint that says nothing of its scale says what was measured of it."""
    from tvbench.checkpoints.corrections import UnknownScale

    try:
        yield
    except UnknownScale as error:
        from tvbench.doctor.scale import refusal

        raise refusal(error) from error
