"""How many weights a model has, and how many operations a sample costs, from its dimensions alone. Plain arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tvbench.errors import UsageError
from tvbench.train.generated import generated_world
from tvbench.train.stages import ModelPlan

KEYS = (
    "hidden",
    "layers",
    "heads",
    "kv_heads",
    "head_dim",
    "intermediate",
    "vocabulary",
    "vision_hidden",
    "vision_layers",
    "vision_heads",
    "vision_intermediate",
)


@dataclass(frozen=True, slots=True)
class Parameters:
    """Weights by part; `embedding`, which is the head as well, is counted within `text`."""

    text: int
    embedding: int
    vision: int
    projector: int
    newline: int

    @property
    def total(self) -> int:
        return self.text + self.vision + self.projector + self.newline


def dimensions(plan: ModelPlan) -> Mapping[str, Any]:
    """The sizes of a plan. Raises UsageError where one is missing."""
    sizes = dict(plan.sizes)
    if plan.text.startswith("generated:"):
        sizes = {**generated_world().SIZES, **sizes}
    missing = [key for key in KEYS if key not in sizes]
    if missing:
        raise UsageError(f"the recipe's model.sizes lack {', '.join(missing)}", f"--set model.sizes.{missing[0]}=N")
    return sizes


def parameters(plan: ModelPlan) -> Parameters:
    """Of a Gemma2 text model, a SigLIP tower without pooling head, and a two-layer projector with biases."""
    of = dimensions(plan)
    hidden, wide = of["hidden"], of["vision_hidden"]
    embedding = of["vocabulary"] * hidden
    text_layer, vision_layer = layer_parameters(plan)
    text = embedding + of["layers"] * text_layer + hidden
    patches = (plan.image_size // plan.patch_size) ** 2
    vision = wide * (3 * plan.patch_size**2 + 1) + patches * wide + of["vision_layers"] * vision_layer + 2 * wide
    projector = wide * hidden + hidden + hidden * hidden + hidden
    return Parameters(text, embedding, vision, projector, hidden)


def layer_parameters(plan: ModelPlan) -> tuple[int, int]:
    """Weights of one layer of the text model, and of the tower."""
    of = dimensions(plan)
    hidden, wide, inner = of["hidden"], of["vision_hidden"], of["vision_intermediate"]
    attention = 2 * hidden * of["head_dim"] * (of["heads"] + of["kv_heads"])
    text = attention + 3 * hidden * of["intermediate"] + 4 * hidden
    return text, 4 * (wide * wide + wide) + 2 * wide * inner + inner + wide + 4 * wide


def forward_operations(plan: ModelPlan, tokens: float, patches: float, *, head_tokens: float | None = None) -> float:
    """Floating-point operations of one sample's forward pass: `tokens` input rows, `patches` in the tower.

    Two for each weight and row (Kaplan et al. 2020, arXiv 2001.08361, section 2.1), and attention's own: causal in the
    text model (sliding windows ignored), full within each tile. `head_tokens`: rows that go through the head.
    """
    of, count = dimensions(plan), parameters(plan)
    body = 2 * (count.text - count.embedding) * tokens
    head = 2 * count.embedding * (tokens if head_tokens is None else head_tokens)
    looking = 4 * tokens * (tokens / 2) * of["heads"] * of["head_dim"] * of["layers"]
    per_tile = (plan.image_size // plan.patch_size) ** 2
    seeing = patches * (2 * count.vision + 4 * per_tile * of["vision_hidden"] * of["vision_layers"])
    return float(body + head + looking + seeing + 2 * count.projector * patches)
