"""`--image-scale`: a person's word on whether a checkpoint's image rows are scaled by sqrt(hidden) already.

The word goes into the card's numerics, where corrections.py reads it, and into the revision: the same files,
read in another way, are another model, with answers and a run of their own. Knows cards and configurations; no weights.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tvbench.checkpoints.corrections import UnknownScale, corrections_of, is_gemma2_llava, read_config, scale_state
from tvbench.errors import UsageError
from tvbench.registry.hub import SCALE_SAID
from tvbench.registry.local_models import trained_folder
from tvbench.types import ModelCard


def with_image_scale(card: ModelCard, said: str | None) -> ModelCard:
    """`card` with a person's word `said` (None: none was given); `card` itself where it says the same already.

    Raises UsageError where the word means nothing: a server, another family, a copy that tvbench itself has folded.
    """
    if said is None:
        return card
    if card.kind == "server":
        raise UsageError(f"{card.name} is served elsewhere: --image-scale is for checkpoints", "leave it out")
    folder = _folder(card)
    known = card.numerics.get("vision_embed_scale") if folder is None else _known(folder, card, said)
    if known == said:
        return card
    numerics = {**card.numerics, "vision_embed_scale": said}
    return replace(card, numerics=numerics, revision=f"{card.revision}{SCALE_SAID}{said}")


def with_assumed_scale(folder: Path, card: ModelCard) -> ModelCard:
    """`card`, taken to say `folded` where neither it nor the checkpoint says anything: for measuring, not for runs."""
    try:
        scale_state(folder, read_config(folder), card)
    except UnknownScale:
        return replace(card, numerics={**card.numerics, "vision_embed_scale": "folded"})
    return card


def _folder(card: ModelCard) -> Path | None:
    """Where a model's files lie that nobody has to download or build first."""
    if card.kind == "builtin":
        return trained_folder(card.location)
    return Path(card.location) if card.kind == "folder" else None


def _known(folder: Path, card: ModelCard, said: str) -> str | None:
    """What card and files say by themselves."""
    config = read_config(folder)
    if not is_gemma2_llava(config):
        raise UsageError(
            f"--image-scale is for LLaVA-type models around Gemma2, and {card.name} is none", "leave it out"
        )
    if "folded-image-scale" in corrections_of(config) and said != "folded":
        raise UsageError(
            f"{folder} is a copy whose image rows tvbench has scaled itself",
            "say --image-scale of the checkpoint that it was made from",
        )
    try:
        return scale_state(folder, config, card)
    except UnknownScale:
        return None
