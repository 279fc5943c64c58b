"""The constructor arguments of `vllm.LLM` for a model, and which of them are recorded with a run.

Every argument that is given wins over the defaults here, which suit the machine and the model: as many pictures as the
card says, steps as long as one prompt's pictures need, pictures through PIL where the transformers engine has them so.
Knows a card and a checkpoint's configuration; knows no request. Imports vLLM only to ask it for a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tvbench.checkpoints.corrections import corrections_of
from tvbench.data.media.anyres import picture_rows
from tvbench.engines.inputs import OWN_INPUTS, has_vision
from tvbench.engines.vllm_prompts import PIL, TORCHVISION
from tvbench.registry.influence import argument_labels, score_arguments
from tvbench.types import ModelCard

CPU_SEQUENCES = 32
PROCESSES, BACKEND = "media_processes", "image_backend"
"""Arguments of our own, which vLLM is not given."""
MANY_IMAGES = 8
"""Pictures a prompt may hold where the card says `multi-image` and no number."""


def arguments(
    folder: Path,
    config: dict[str, Any],
    card: ModelCard,
    wanted: Mapping[str, Any],
    *,
    on_cpu: bool,
    backend: str | None = None,
) -> dict[str, Any]:
    """Constructor arguments for `vllm.LLM`: `wanted`, over defaults that suit the machine and the model. `backend`
    prepares the pictures."""
    chosen: dict[str, Any] = {
        "model": str(folder),
        # Otherwise the checkpoint's generation_config.json would change sampling behind our back.
        "generation_config": "vllm",
        "seed": 0,
        "disable_log_stats": True,
        # A reply that is held to a schema must not run through its tokens in blanks.
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
    }
    if has_vision(config):
        chosen["limit_mm_per_prompt"] = media_limits(config, card)
    if has_vision(config) and (backend or usual_backend(config)) == PIL:
        # torchvision's bicubic differs from PIL's. This is the older spelling of `backend="pil"`, which would reach
        # OneVision's video processor too, and that has no PIL backend.
        chosen["mm_processor_kwargs"] = {"use_fast": False}
    length = wanted.get("max_model_len") or (config.get("text_config") or config).get("max_position_embeddings")
    if is_own(config) and length:
        # A prompt's pictures are encoded in one go, so that all of them must fit into one step.
        needed = min(int(length), chosen["limit_mm_per_prompt"]["image"] * most_tokens(config))
        if needed > usual_step():
            chosen["max_num_batched_tokens"] = needed
    if on_cpu:
        chosen |= {"enforce_eager": True, "max_num_seqs": CPU_SEQUENCES, "skip_mm_profiling": has_vision(config)}
    return chosen | {name: value for name, value in wanted.items() if value is not None}


def recorded_settings(card: ModelCard, config: dict[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What of `wanted` can move a score: the card's arguments that can, the dtype and the context as they are used."""
    used = score_arguments(replace(card, engine={"vllm": wanted}), "vllm")
    settings = argument_labels({name: value for name, value in used.items() if name != "trust_remote_code"})
    if corrections_of(config):
        settings["corrections"] = "+".join(corrections_of(config))
    return settings


def usual_backend(config: Mapping[str, Any]) -> str:
    """What prepares pictures where nobody says: other families get what transformers chooses where torchvision is,
    without which there is no vLLM."""
    return PIL if is_own(config) else TORCHVISION


def most_tokens(config: Mapping[str, Any]) -> int:
    """Of one picture, in a family of our own."""
    tile, patch = int(config["vision_config"]["image_size"]), int(config["vision_config"]["patch_size"])
    grids = [list(map(int, grid)) for grid in config["image_grid_pinpoints"]]
    return max(picture_rows((grid[0], grid[1]), grids, tile, tile // patch, None) for grid in grids)


def usual_step() -> int:
    """Tokens that vLLM computes in one step here, where nobody says how many."""
    from vllm.engine.arg_utils import EngineArgs
    from vllm.usage.usage_lib import UsageContext

    return int(EngineArgs.get_batch_defaults(1)[0].get(UsageContext.LLM_CLASS, 0))


def is_own(config: Mapping[str, Any]) -> bool:
    """Whether it is of a family whose media tvbench prepares alike for both local engines (TowerVision's)."""
    return config.get("model_type") in OWN_INPUTS


def media_limits(config: Mapping[str, Any], card: ModelCard) -> dict[str, int]:
    """How many pictures and clips one prompt may hold, from the card's modalities."""
    limits = {"image": MANY_IMAGES if "multi-image" in card.modalities else int("image" in card.modalities)}
    if "video_token_index" in config or "video_token_id" in config:
        limits["video"] = int("video" in card.modalities)
    return limits
