"""Measures whether a checkpoint's image rows are scaled by sqrt(hidden) already, from its weights alone.

Two sizes speak of it. Projected picture rows beside text rows: as stored, and multiplied by sqrt(hidden) (48 to 60 in
published models). And what the rows are linear in, the projector's last layer and image_newline, beside the size at
which training begins with them: 1/sqrt(3 hidden) and 1/sqrt(hidden), which training changes by far less than
sqrt(hidden). Rows alone do not decide: a tower's features have a size of their own. Reads the tower, the projector
and a sample of the embedding; no text layer.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch

from tvbench.checkpoints.corrections import UnknownScale, read_config, scale_state
from tvbench.checkpoints.small_files import tower_sides
from tvbench.checkpoints.tensors import EMBEDDING, SCALED, Weights
from tvbench.doctor.findings import Finding
from tvbench.doctor.pictures import captioned
from tvbench.doctor.sight import PictureLosses
from tvbench.errors import EngineError
from tvbench.types import ModelCard

State = Literal["unfolded", "folded", "folded twice"]
STATES: dict[int, State] = {-1: "unfolded", 0: "folded", 1: "folded twice"}
"""By the power of sqrt(hidden) that image rows have too much, for software that expects scaled ones."""

NEAR = 0.4
"""How far from a whole power a size may be and still speak for it."""
SAMPLED_ROWS = 4096
PICTURES = 4
PROJECTOR = "multi_modal_projector."
TOWER = "vision_tower.vision_model."


@dataclass(frozen=True, slots=True)
class Sizes:
    """`root` is sqrt(hidden), `rows` the size of projected picture rows in that of text rows (None: not measured),
    `parts` the sizes of what they are linear in, in those that training begins with; all as stored, were it scaled."""

    root: float
    rows: float | None
    parts: Mapping[str, float]

    @property
    def state(self) -> State | None:
        """What the sizes speak for; None where they speak for nothing."""
        if not self.parts or min(self.parts.values()) <= 0:
            return None
        power = median(math.log(size) / math.log(self.root) for size in self.parts.values())
        nearest = round(power)
        return STATES.get(nearest) if abs(power - nearest) <= NEAR else None

    def told(self) -> Iterator[str]:
        """The measurements, in sentences."""
        if self.rows is not None:
            yield (
                f"projected picture rows are {_figure(self.rows)} times as large as text rows if they are stored "
                f"scaled (folded), {_figure(self.rows * self.root)} times if sqrt(hidden) = {self.root:.1f} is "
                "still to come (unfolded)"
            )
        if self.parts:
            names = ", ".join(name.removeprefix(PROJECTOR) for name in self.parts)
            folded, unfolded = (
                ", ".join(_figure(size * factor) for size in self.parts.values()) for factor in (1.0, self.root)
            )
            yield (
                f"{names} are {folded} times as large as training begins with if folded, {unfolded} times if "
                f"unfolded: this speaks for {self.state or 'neither'}"
            )


def measure_sizes(folder: Path) -> Sizes:
    """The sizes in the checkpoint `folder`. Raises EngineError for files that cannot be read."""
    config = read_config(folder)
    with Weights(folder) as weights:
        root = math.sqrt(weights.hidden)
        # linear_2's weight and bias begin uniform up to 1/sqrt(hidden), image_newline normal with that spread.
        begins = {name: 1.0 if name == "image_newline" else 1 / math.sqrt(3) for name in SCALED}
        parts = {name: _rms(weights.load(name)) / begin for name, begin in begins.items() if name in weights.original}
        rows = _picture_rows(weights, config)
        return Sizes(root, None if rows is None else rows / (_text_rows(weights) * root), parts)


def refusal(error: UnknownScale) -> EngineError:
    """`error` with what the weights say, and what to type."""
    try:
        sizes = measure_sizes(error.folder)
    except EngineError:
        return error
    said = sizes.state if sizes.state in ("folded", "unfolded") else None
    where = shlex.quote(str(error.folder))
    add = f"if you agree, add --image-scale {said}" if said else "add --image-scale folded or unfolded"
    return EngineError(
        f"{error.message}; measured: {'; '.join(sizes.told())}",
        f"{add} (`tvbench doctor {where}` measures the loss on pictures, too)",
    )


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"


def check_scale(
    folder: Path, config: dict[str, Any], card: ModelCard, sizes: Sizes, sight: PictureLosses | None
) -> tuple[Finding | None, list[str]]:
    """What is wrong with what the checkpoint says of its scale, and the measurements that were not told with it.

    `sight` was measured at the scale that is said (folded where none is).
    """
    told = [*sizes.told(), *([] if sight is None else sight.told())]
    try:
        declared: State | None = "folded" if scale_state(folder, config, card) == "folded" else "unfolded"
    except UnknownScale:
        declared = None
    measured = _verdict(declared or "folded", sizes, sight)
    if declared is None:
        return _unknown(folder, measured, told), []
    if measured is None or measured == declared:
        return None, told
    fix = f"tvbench models import {shlex.quote(str(folder))} --output DIR --image-scale {measured}"
    if measured == "folded twice":
        fix = "import the checkpoint again from where it was not yet scaled, once"
    message = f"image rows are said to be {declared}, and measured to be {measured}: {'; '.join(told)}"
    return Finding("error", "image-scale-measured", message, fix), []


def _verdict(declared: State, sizes: Sizes, sight: PictureLosses | None) -> State | None:
    """What was measured; None where the two measurements contradict each other, or say nothing."""
    power = next(power for power, state in STATES.items() if state == declared)
    moved = {"as it is": 0, "larger": -1, "smaller": 1}
    by_sight = STATES.get(power + moved[sight.best]) if sight is not None and sight.best is not None else None
    verdicts = {verdict for verdict in (sizes.state, by_sight) if verdict is not None}
    return verdicts.pop() if len(verdicts) == 1 else None


def _unknown(folder: Path, measured: State | None, told: list[str]) -> Finding:
    command = f"tvbench models import {shlex.quote(str(folder))} --output DIR --image-scale"
    said = measured if measured in ("folded", "unfolded") else None
    fix = f"if you agree: {command} {said}" if said else f"{command} folded, or unfolded (before transformers 5.4)"
    return Finding(
        "error",
        "image-scale-unknown",
        "the checkpoint does not say whether its image rows are scaled by "
        f"sqrt(hidden). Measured: {'; '.join(told)}. Together: {measured or 'undecided'}",
        fix,
    )


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────────


def _rms(tensor: torch.Tensor) -> float:
    return float(tensor.float().square().mean().sqrt())


def _median_row(rows: torch.Tensor) -> float:
    return float(rows.float().square().mean(-1).sqrt().median())


def _text_rows(weights: Weights) -> float:
    """The usual size of a row of the embedding: of a sample in even steps."""
    count = weights.shape(EMBEDDING)[0]
    return _median_row(weights.rows(EMBEDDING, range(0, count, max(1, count // SAMPLED_ROWS)))) or math.nan


def _picture_rows(weights: Weights, config: dict[str, Any]) -> float | None:
    """The usual size of a projected picture row; None for a tower that is no SigLIP or does not fit its settings."""
    vision = config.get("vision_config") or {}
    if not str(vision.get("model_type", "")).startswith("siglip"):
        return None
    side, _ = tower_sides(config)
    try:
        with torch.inference_mode():
            return _median_row(_projected(weights, config, _features(weights, config, vision, _pixels(side))))
    except (RuntimeError, KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None  # what does not fit is a finding of check_tensors


def _pixels(side: int) -> torch.Tensor:
    """Pictures as SigLIP takes them: from -1 to 1."""
    pictures = [caption.picture.convert("RGB") for caption in captioned(PICTURES, side)]
    stacked = torch.stack([torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8) for picture in pictures])
    return stacked.view(len(pictures), side, side, 3).permute(0, 3, 1, 2).float() / 127.5 - 1


def _features(weights: Weights, config: dict[str, Any], vision: dict[str, Any], pixels: torch.Tensor) -> torch.Tensor:
    from transformers import SiglipVisionConfig, SiglipVisionModel

    settings = SiglipVisionConfig.from_dict({**vision, "vision_use_head": False, "dtype": "float32"})
    with torch.device("meta"):
        tower = SiglipVisionModel(settings)
    names = [name for name in weights.original if name.startswith(TOWER)]
    # transformers 5 has dropped `vision_model.` from the tower's own names.
    prefix = "" if "post_layernorm.weight" in tower.state_dict() else "vision_model."
    held = {prefix + name.removeprefix(TOWER): weights.load(name).float() for name in names}
    tower.load_state_dict(held, assign=True)
    tower.embeddings.position_ids = torch.arange(tower.embeddings.num_positions).expand((1, -1))
    given = tower.eval()(pixels, output_hidden_states=True).hidden_states
    layers = config.get("vision_feature_layer", -2)
    layers = layers if isinstance(layers, list) else [layers]
    return torch.cat([given[layer] for layer in layers], dim=-1)


def _projected(weights: Weights, config: dict[str, Any], features: torch.Tensor) -> torch.Tensor:
    from transformers.activations import ACT2FN

    first, second = (weights.load(f"{PROJECTOR}linear_{number}.weight").float() for number in (1, 2))
    biases = [
        weights.load(name).float() if name in weights.original else None
        for name in (f"{PROJECTOR}linear_1.bias", f"{PROJECTOR}linear_2.bias")
    ]
    bent = ACT2FN[config.get("projector_hidden_act", "gelu")](torch.nn.functional.linear(features, first, biases[0]))
    return torch.nn.functional.linear(bent, second, biases[1]).flatten(0, -2)
