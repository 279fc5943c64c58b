"""What is asked of a local checkpoint before anything is asked of the model. Knows no task and no run."""

from __future__ import annotations

from pathlib import Path

from tvbench.checkpoints.corrections import inspect, read_config
from tvbench.checkpoints.hostile import check_files, one_sentence, own_code
from tvbench.checkpoints.small_files import check_readable
from tvbench.checkpoints.tensors import weight_files
from tvbench.errors import UsageError
from tvbench.registry.thinking import thinking_of
from tvbench.types import ModelCard


def check_folder(card: ModelCard, *, trusted: bool) -> None:
    """Refuse a checkpoint that no engine would load rightly, before a run is begun. `trusted`: it may run programs."""
    if card.kind != "folder":
        return
    folder = Path(card.location)
    with one_sentence(folder):
        check_files(folder)
        check_readable(folder)
        weight_files(folder)
        if not trusted and (programs := own_code(folder, read_config(folder))):
            raise UsageError(
                f"{card.name} runs code of its own ({programs}), which tvbench does not allow by itself",
                "read the code, then add --engine vllm --trust-remote-code",
            )
        inspect(folder, card)
        if thinking_of(card).enabled is False:
            from tvbench.checkpoints.prompt import Prompter

            Prompter(folder, card)  # says where the template knows no such thing
