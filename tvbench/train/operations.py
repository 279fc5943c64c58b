"""How many floating-point operations training takes: one count, for plans and for what a step is measured by.

A forward pass is counted in shapes.py; how often it is done or worth as much depends on the stage. Recomputed layers
count, as the machine works them out again. Knows dimensions, no tensor and no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from tvbench.train.shapes import forward_operations
from tvbench.train.stages import ModelPlan, Stage


class CountedBatch(Protocol):
    """What is counted of a micro-batch: rows of each sample, and tiles (or frames) that the tower sees."""

    @property
    def lengths(self) -> Sequence[int]: ...
    @property
    def tiles(self) -> int: ...


def sample_operations(model: ModelPlan, stage: Stage, rows: float, patches: float) -> float:
    """Of one sample of `rows` input rows whose pictures have `patches`: forward, gradients of rows, gradients of
    weights, each as much as a forward pass, and one more forward where layers are recomputed. A frozen text model needs
    no gradients of its weights."""
    again = stage.recompute == "full"
    if stage.objective == "patches":
        return (3 + again) * forward_operations(model, 0, patches)
    return (2 + again + ("text" in stage.rates)) * forward_operations(model, rows, patches)


def batch_operations(model: ModelPlan, stage: Stage, batch: CountedBatch) -> float:
    """Of a micro-batch, padding not counted."""
    patches = batch.tiles * (model.image_size // model.patch_size) ** 2
    return sample_operations(model, stage, 0, patches) + sum(
        sample_operations(model, stage, length, 0) for length in batch.lengths
    )


def as_built(model: ModelPlan, config: Any) -> ModelPlan:
    """The plan with the dimensions of a LLaVA model's configuration, which a recipe need not state."""
    text, vision = config.text_config, config.vision_config
    sizes = {
        "hidden": text.hidden_size,
        "layers": text.num_hidden_layers,
        "heads": text.num_attention_heads,
        "kv_heads": text.num_key_value_heads,
        "head_dim": text.head_dim,
        "intermediate": text.intermediate_size,
        "vocabulary": text.vocab_size,
        "vision_hidden": vision.hidden_size,
        "vision_layers": vision.num_hidden_layers,
        "vision_heads": vision.num_attention_heads,
        "vision_intermediate": vision.intermediate_size,
    }
    return replace(model, image_size=vision.image_size, patch_size=vision.patch_size, sizes={**model.sizes, **sizes})
