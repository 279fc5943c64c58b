"""What a stage keeps on each GPU at most, in bytes: counted from dimensions, never measured, without fragmentation.

Follows what the loop does. Several processes share weights, gradients and moments, and reduce gradients with every
micro-batch: nobody holds the whole model's. Plain arithmetic; imports no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tvbench.train.estimates import sample_rows, tower_patches
from tvbench.train.shapes import Parameters, dimensions, layer_parameters
from tvbench.train.stages import ModelPlan, Stage

WEIGHT = GRADIENT = 4
MOMENTS = 8
"""Bytes a weight of AdamW's states, in float32 under every precision."""
INSIDE = 16
"""What a layer keeps of its inside, in rows of the width of its input."""
CHUNK = 2048
"""Supervised rows whose logits are there together (loss.py)."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on one GPU. `states`: its share of weights, gradients and moments. `gathered`: the units that are put
    together to compute with. `reduced`: the gradient of the largest unit before it is shared out. `kept`: rows kept for
    the backward pass. `logits`: those of a chunk."""

    states: float
    gathered: float
    reduced: float
    kept: float
    logits: float

    @property
    def total(self) -> float:
        """The sum, as if all were at their largest together."""
        return self.states + self.gathered + self.reduced + self.kept + self.logits


def memory(model: ModelPlan, counted: Parameters, stage: Stage, gpus: int) -> Memory:
    """Of a stage on one of `gpus`."""
    trained = sum(getattr(counted, part) for part in stage.rates)
    states = ((WEIGHT + GRADIENT + MOMENTS) * trained + WEIGHT * (counted.total - trained)) / gpus
    vocabulary = 0 if stage.objective == "patches" else dimensions(model)["vocabulary"]
    return Memory(
        states,
        _gathered(model, counted, stage, gpus),
        _reduced(model, counted, stage, gpus),
        _kept(model, stage),
        float(3 * 4 * CHUNK * vocabulary),
    )


def _width(stage: Stage) -> int:
    return 2 if stage.precision == "bfloat16" else 4


def _gathered(model: ModelPlan, counted: Parameters, stage: Stage, gpus: int) -> float:
    """The root unit, which has the embedding, a layer and the next one; alone, autocast's copies of what is trained."""
    if gpus == 1:
        return float(2 * sum(getattr(counted, part) for part in stage.rates) if stage.precision == "bfloat16" else 0)
    return float(_width(stage) * (counted.embedding + counted.projector + 2 * max(layer_parameters(model))))


def _reduced(model: ModelPlan, counted: Parameters, stage: Stage, gpus: int) -> float:
    """A unit's whole gradient as it was computed, and once more in float32 on its way to the shards."""
    if gpus == 1:
        return 0.0
    text, vision = layer_parameters(model)
    root = counted.embedding * ("text" in stage.rates) + counted.projector * ("projector" in stage.rates)
    unit = max(root, text * ("text" in stage.rates), vision * ("vision" in stage.rates))
    return float((_width(stage) + GRADIENT) * unit)


def _kept(model: ModelPlan, stage: Stage) -> float:
    """The inputs of all layers and the inside of one of them where layers are recomputed, else of every layer. A
    frozen tower keeps nothing."""
    of = dimensions(model)
    text = 0.0 if stage.objective == "patches" else _layers(stage, _rows(model, stage), of["hidden"], of["layers"])
    if "vision" not in stage.rates:
        return text
    patches = max((tower_patches(entry, stage, model) for entry in stage.data), default=0)
    return text + _layers(stage, stage.micro_batch * patches, of["vision_hidden"], of["vision_layers"])


def _layers(stage: Stage, rows: float, hidden: int, layers: int) -> float:
    times = layers + INSIDE if stage.recompute == "full" else layers * INSIDE
    return float(rows * hidden * _width(stage) * times)


def _rows(model: ModelPlan, stage: Stage) -> float:
    """Of a micro-batch, its samples twice as long as the longest dataset's mean, within the context; packed ones fill
    whole rows."""
    longest = max((sample_rows(entry, stage, model) for entry in stage.data), default=0)
    rows = stage.micro_batch * min(stage.max_length, (1 if stage.packing else 2) * longest)
    return math.ceil(rows / stage.max_length) * stage.max_length if stage.packing else rows
