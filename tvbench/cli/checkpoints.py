"""What `tvbench run` asks of a local checkpoint before anything is asked of the model. Knows no task and no run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tvbench.types import ModelCard


def check_folder(card: ModelCard) -> None:
    """Refuse a checkpoint that no engine would load rightly, before a run is begun."""
    from tvbench.engines.checkpoint import inspect

    if card.kind == "folder":
        with measured_refusals():
            inspect(Path(card.location), card)


@contextmanager
def measured_refusals() -> Iterator[None]:
    """The refusal of a checkpoint that says nothing of its scale says what was measured of it."""
    from tvbench.engines.checkpoint import UnknownScale

    try:
        yield
    except UnknownScale as error:
        from tvbench.doctor.scale import refusal

        raise refusal(error) from error
