"""What a recipe says, as frozen dataclasses: a model's parts, and the stages that train them.

The vocabulary of the room. Knows no file, no tensor; `recipe.py` reads these from YAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from tvbench.safety.fitting import ABOVE_0, AT_LEAST_0, AT_LEAST_1, PART, PART_BELOW_1, Rule
from tvbench.train.data.entries import SEED, Entry

Part = Literal["text", "vision", "projector", "newline"]
"""What can be trained at a rate of its own. The embedding, tied to the head, belongs to `text`."""
PARTS: tuple[Part, ...] = ("text", "vision", "projector", "newline")

Family = Literal["llava_next", "llava_onevision"]
Norm = Literal["microbatch", "global_tokens", "square_root"]
"""What the loss is a mean of: see `weighed` in data/batches.py."""
Objective = Literal["language", "patches"]
"""`language`: next token. `patches`: what each patch of a generated picture shows (mini's stand-in for SigLIP2)."""


AT_LEAST_2 = Rule(lambda value: value >= 2, "2 or more", {"minimum": 2})


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """Which parts are put together, and how.

    `text` and `vision` are hub ids or folders, or `generated:mini` for small random ones with `sizes`.
    `vision_layers` keeps that many layers of the tower (None: all; the paper drops the last). `max_tiles` is the
    AnyRes budget of tiles of `image_size` pixels. `vision_scale`: the constant by which projected rows are multiplied,
    `sqrt_hidden` for Gemma2 (towervision trap 1), else `none`.
    """

    text: str
    vision: str
    family: Family = "llava_next"
    text_revision: str | None = None
    vision_revision: str | None = None
    image_size: Annotated[int, AT_LEAST_1] = 384
    patch_size: Annotated[int, AT_LEAST_1] = 14
    vision_layers: Annotated[int, AT_LEAST_1] | None = None
    max_tiles: Annotated[int, AT_LEAST_1] = 6
    vision_scale: Literal["sqrt_hidden", "none"] = "sqrt_hidden"
    sizes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of training.

    `rates`: the learning rate of each part that is trained; parts not named are frozen. `batch` is the global batch
    in samples, `micro_batch` the samples in one forward pass of one process. `steps` overrides `epochs`.
    `stated_samples` is the total that the paper states where its rows add up to another (for plans). `warmup` is a
    fraction of all steps; the rate then falls by a cosine to `final_rate` times its top. `max_length` counts tokens
    after image expansion; what is longer is skipped and listed, or under `too_long: cut` cut at the right, as the
    authors' code does, and skipped where no answer is left. `clip` is the norm to which gradients are shortened (1e9
    shortens none; 0 would train nothing, and is refused). `images`: `square` is one resized picture and no newline
    (`flat`), `anyres` tiles. `newline`: where a clip's newline goes (`one_token`: one at its end). `save_every` is a
    fraction of all steps. `keep_source` drops whole datasets (the fork's `drop_multilingual_ratio: 1`),
    `keep_languages` all samples in other languages, and `equal_size_as` keeps all languages but only as many samples as
    those would have, at random. `ours` names fields that the paper does not state, with the reason for our value.
    """

    name: str
    number: Annotated[int, AT_LEAST_0]
    data: tuple[Entry, ...]
    rates: Mapping[Part, Annotated[float, AT_LEAST_0]]
    batch: Annotated[int, AT_LEAST_1]
    micro_batch: Annotated[int, AT_LEAST_1]
    objective: Objective = "language"
    epochs: Annotated[float, ABOVE_0] = 1.0
    steps: Annotated[int, AT_LEAST_1] | None = None
    stated_samples: Annotated[int, AT_LEAST_1] | None = None
    warmup: Annotated[float, PART_BELOW_1] = 0.05
    final_rate: Annotated[float, PART] = 0.0
    betas: tuple[Annotated[float, PART_BELOW_1], Annotated[float, PART_BELOW_1]] = (0.9, 0.999)
    eps: Annotated[float, ABOVE_0] = 1e-8
    weight_decay: Annotated[float, AT_LEAST_0] = 0.0
    keep_source: Literal["all", "english", "multilingual"] = "all"
    keep_languages: tuple[str, ...] = ()
    equal_size_as: tuple[str, ...] = ()
    clip: Annotated[float, ABOVE_0] = 1.0
    max_length: Annotated[int, AT_LEAST_2] = 8192
    too_long: Literal["skip", "cut"] = "skip"
    images: Literal["square", "anyres"] = "anyres"
    frames: Annotated[int, AT_LEAST_1] = 32
    newline: Literal["one_token", "no_token"] = "one_token"
    time_prompt: bool = False
    template: Literal["plain", "gemma2_instruct"] = "gemma2_instruct"
    mask: Literal["paper", "assistant_only"] = "paper"
    loss_norm: Norm = "microbatch"
    grouping: Literal["random", "modality_length", "within_step"] = "random"
    drop_last: bool = False
    packing: bool = False
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    recompute: Literal["none", "full"] = "full"
    attention: Literal["auto", "eager", "eager_by_sample", "flash_attention_2", "flex_attention"] = "auto"
    save_every: Annotated[float, ABOVE_0] = 1.0
    log_every: Annotated[int, AT_LEAST_1] = 10
    workers: Annotated[int, AT_LEAST_0] = 8
    seed: Annotated[int, SEED] = 42
    ours: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A model and its stages in order. `variants` are the named overrides that were applied (`encoder=siglip1`)."""

    name: str
    about: str
    size: str
    model: ModelPlan
    stages: tuple[Stage, ...]
    variants: tuple[str, ...] = ()
