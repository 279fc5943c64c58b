"""Shared by the training tests: a very small model, stages that fit it, and samples of the generated world."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tvbench.mini.training.generated import GeneratedCorpus
from tvbench.train.assembly import assemble, open_model, vision_scale
from tvbench.train.data.batches import pad, total_weight, weighed
from tvbench.train.data.encode import EncodedSample, Encoder
from tvbench.train.data.entries import Entry
from tvbench.train.model import VisionLanguageTrainee
from tvbench.train.stages import ModelPlan, Recipe, Stage

SIZES = {
    "languages": ["en", "de"],
    "vocabulary": 400,
    "hidden": 32,
    "layers": 2,
    "heads": 2,
    "kv_heads": 1,
    "head_dim": 16,
    "intermediate": 48,
    "sliding_window": 40,
    "vision_hidden": 32,
    "vision_layers": 2,
    "vision_heads": 2,
    "vision_intermediate": 48,
    "tokenizer_count": 4,
}
PLAN = ModelPlan("generated:mini", "generated:mini", "llava_onevision", image_size=56, sizes=SIZES)
RATES = {"text": 1e-3, "projector": 2e-3, "newline": 3e-3, "vision": 4e-4}


def entry(kind: str, *, samples: int = 24, level: int = 2, **options: Any) -> Entry:
    """Generated samples in English and German."""
    return Entry(
        kind,
        generated="mini",
        samples=samples,
        languages=("en", "de"),
        options={"kind": kind, "level": level, **options},
    )


def stage(**fields: Any) -> Stage:
    """A short stage in float32 without workers."""
    given: dict[str, Any] = {
        "name": "vision",
        "number": 2,
        "data": (entry("questions"), entry("told-translation")),
        "rates": RATES,
        "batch": 8,
        "micro_batch": 4,
        "steps": 4,
        "precision": "float32",
        "recompute": "none",
        "workers": 0,
        "max_length": 512,
        "frames": 8,
        "mask": "assistant_only",
        "seed": 3,
    }
    return Stage(**{**given, **fields})


def recipe(*stages: Stage, plan: ModelPlan = PLAN) -> Recipe:
    """The stages as a recipe."""
    return Recipe("test", "", "", plan, stages)


def assembled(folder: Path, **changes: Any) -> Path:
    """The small model's checkpoint."""
    return assemble(replace(PLAN, **changes), folder / "assembled", seed=0)


def trainee(folder: Path, attention: str = "eager") -> VisionLanguageTrainee:
    """The checkpoint as the loop sees it."""
    return VisionLanguageTrainee(open_model(folder, attention=attention), vision_scale(folder))


def encoded(folder: Path, kind: str, count: int, *, using: Stage | None = None, **options: Any) -> list[EncodedSample]:
    """The first samples of one kind."""
    encoder = Encoder(folder, using or stage())
    corpus = GeneratedCorpus(entry(kind, samples=count, **options))
    return [encoder.encode(corpus.sample(index)) for index in range(count)]


def mean_loss(model: VisionLanguageTrainee, samples: list[EncodedSample]) -> torch.Tensor:
    """The mean over all trained tokens of samples that are padded side by side."""
    batch = pad(samples, 0)
    (ready,) = weighed([batch], "global_tokens", everyone=total_weight([batch], "global_tokens"), processes=1)
    return model(ready)


def weights(model: Any) -> dict[str, torch.Tensor]:
    """A copy of every parameter by name."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
