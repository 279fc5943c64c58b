"""Whether a checkpoint's tensors are the ones that its configuration asks for: names and shapes, no values.

transformers fills a tensor that is missing with random numbers and only warns. Here the model is built without memory
(on torch's meta device) and compared with the files, so that a 20 GB checkpoint is judged in a second. Knows the
canonical names of tensors.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tvbench.checkpoints.hostile import first_line
from tvbench.checkpoints.tensors import HEAD, Weights, canonical
from tvbench.errors import EngineError


@dataclass(frozen=True, slots=True)
class Misfit:
    """Canonical names, sorted. `left_over` are tensors that the model has no place for."""

    missing: tuple[str, ...]
    left_over: tuple[str, ...]
    misshaped: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.left_over or self.misshaped)

    def __str__(self) -> str:
        kinds = (("missing", self.missing), ("left over", self.left_over), ("of another shape", self.misshaped))
        return "; ".join(f"{len(names)} {kind} (first {names[0]})" for kind, names in kinds if names)


def expected_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Canonical name and shape of every tensor of the model that `folder`'s configuration describes, without the head.

    Raises EngineError when transformers cannot make sense of the configuration.
    """
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):
            model = AutoModelForImageTextToText.from_config(config)
    except Exception as error:  # a configuration may be wrong in any way, and transformers promises no classes
        raise EngineError(
            f"transformers cannot build the model of {folder / 'config.json'}: {first_line(error)}"
        ) from error
    named = {canonical(name): tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    return {name: shape for name, shape in named.items() if name not in (None, HEAD)}


def misfit(folder: Path) -> Misfit:
    """What does not fit between the tensors and the configuration of `folder`. Falsy when all is well.

    The head is no matter: it is the embedding. Raises EngineError for unreadable files.
    """
    expected = expected_shapes(folder)
    with Weights(folder) as weights:
        stored = {name: weights.shape(name) for name in weights.original if name != HEAD}
    return Misfit(
        tuple(sorted(expected.keys() - stored.keys())),
        tuple(sorted(stored.keys() - expected.keys())),
        tuple(sorted(name for name in expected.keys() & stored.keys() if expected[name] != stored[name])),
    )
