"""What `tvbench run` asks of a local checkpoint before anything is asked of the model. Knows no task and no run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tvbench.errors import UsageError
from tvbench.types import ModelCard


def check_folder(card: ModelCard, *, trusted: bool) -> None:
    """Refuse a checkpoint that no engine would load rightly, before a run is begun. `trusted`: it may run programs."""
    from tvbench.checkpoints.corrections import inspect, read_config
    from tvbench.checkpoints.hostile import check_files, one_sentence, own_code
    from tvbench.checkpoints.small_files import check_readable
    from tvbench.checkpoints.tensors import weight_files

    if card.kind != "folder":
        return
    folder = Path(card.location)
    with measured_refusals(), one_sentence(folder):
        check_files(folder)
        check_readable(folder)
        weight_files(folder)
        if not trusted and (programs := own_code(folder, read_config(folder))):
            raise UsageError(
                f"{card.name} runs code of its own ({programs}), which tvbench does not allow by itself",
                "read the code, then add --engine vllm --trust-remote-code",
            )
        inspect(folder, card)


@contextmanager
def measured_refusals() -> Iterator[None]:
    """The refusal of a checkpoint that says nothing of its scale says what was measured of it."""
    from tvbench.checkpoints.corrections import UnknownScale

    try:
        yield
    except UnknownScale as error:
        from tvbench.doctor.scale import refusal

        raise refusal(error) from error
