"""How many steps a stage has, and the learning rate at each. Plain arithmetic: no torch."""

from __future__ import annotations

import math

from tvbench.errors import UsageError
from tvbench.train.stages import Stage


def steps_of(stage: Stage, samples: int) -> int:
    """Optimizer steps of a stage over `samples` an epoch: `steps` where given, else whole epochs."""
    if stage.steps is not None:
        return stage.steps
    exact = samples * stage.epochs / stage.batch
    return max(1, math.floor(exact) if stage.drop_last else math.ceil(exact))


def rate_factor(step: int, steps: int, warmup: float, final_rate: float) -> float:
    """What the top rate is multiplied by at `step` (0-based): linear warm-up, then a cosine down to `final_rate`.

    As transformers' `get_cosine_schedule_with_warmup` with ceil(warmup * steps) warm-up steps.
    """
    rising = math.ceil(warmup * steps)
    if step < rising:
        return step / max(1, rising)
    way = (step - rising) / max(1, steps - rising)
    return final_rate + (1 - final_rate) * 0.5 * (1 + math.cos(math.pi * min(1.0, way)))


def steps_without_data(stage: Stage) -> int:
    """Of a stage that draws its own pictures. Raises UsageError where nothing says when it ends."""
    if stage.steps is None:
        raise UsageError(
            f"stage {stage.number} ({stage.name}) draws pictures without end",
            f"say when it ends: --set {stage.name}.steps=N",
        )
    return stage.steps
