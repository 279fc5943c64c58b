"""Measures log-probabilities of fixed prompts by our engines, and by transformers used plainly, and compares them.

Prompts are a text, a picture and (where the model takes them) a clip, each with an answer that is scored. Plain
transformers loads the checkpoint as it lies; our engine loads a corrected copy where one is needed. That plain
transformers drops the final soft-cap, and sdpa the attention's, is true of every checkpoint: it is measured and told as
a remark, not as a finding.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tvbench.checkpoints.corrections import read_config
from tvbench.checkpoints.small_files import tower_sides
from tvbench.data.media.clips import Clip
from tvbench.doctor.asking import Scores, prepared_prompt, scores
from tvbench.doctor.findings import Finding, importing
from tvbench.doctor.sight import PictureLosses, measure_sight
from tvbench.engines.batches import append_right
from tvbench.engines.protocol import Prepared
from tvbench.engines.sampling import soft_cap
from tvbench.engines.transformers import TransformersEngine
from tvbench.engines.transformers_model import load_model
from tvbench.errors import EngineError
from tvbench.types import ModelCard

TOLERANCE = {"float32": 1e-3, "bfloat16": 0.3}
"""How far log-probabilities of one token may differ between two right ways: bfloat16 keeps 8 bits."""

QUESTION = "What is in the middle?"
ANSWER = "A red star, and a circle on its left."
FRAMES = 4


@dataclass(slots=True)
class Measured:
    """What came out. `ours` are the scores of the transformers engine; `sight` is None where it was not measured."""

    sight: PictureLosses | None = None
    findings: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    ours: Scores = field(default_factory=dict)


def prompts(config: dict[str, Any]) -> list[Prepared]:
    """The prompts for a model: the picture is cut into several tiles."""
    tile, _ = tower_sides(config)
    made = [
        prepared_prompt("text", QUESTION, ANSWER),
        prepared_prompt("picture", QUESTION, ANSWER, _picture(2 * tile, tile + tile // 3, 0)),
    ]
    if config.get("video_token_index") is not None:
        frames = [np.asarray(_picture(tile, tile, shift)) for shift in range(FRAMES)]
        clip = Clip(np.stack(frames), tuple(map(float, range(FRAMES))), float(FRAMES))
        made.append(prepared_prompt("clip", QUESTION, ANSWER, clip))
    return made


def see(folder: Path, card: ModelCard, *, dtype: str | None = None) -> PictureLosses:
    """What the model sees in our transformers engine. Raises EngineError when it cannot load the model."""
    engine = TransformersEngine(folder, card, dtype=dtype)
    sight = measure_sight(engine, tower_sides(read_config(folder))[0])
    engine.close()
    return sight


OURS = "please report this checkpoint: tvbench may be wrong"


def measure(folder: Path, card: ModelCard, *, dtype: str | None = None) -> Measured:
    """Our transformers engine against plain transformers, and what it sees. Raises EngineError when our engine cannot
    load the model."""
    config = read_config(folder)
    engine = TransformersEngine(folder, card, dtype=dtype, batch_size=1)
    asked = prompts(config)
    result = Measured(ours=scores(engine, asked), sight=measure_sight(engine, tower_sides(config)[0]))
    given = [_tensors(engine, prepared) for prepared in asked]
    wanted = engine.prompter.continuation(ANSWER)
    model = engine.model if engine.folder == folder else None
    engine.close()
    try:
        model = model or load_model(folder, config, engine.dtype, "eager")
        capped, raw = _plain(model, asked, given, wanted, engine.cap)
    except (EngineError, ValueError, RuntimeError, IndexError) as error:
        message = f"transformers alone cannot use the checkpoint: {str(error).splitlines()[0]}"
        result.findings.append(Finding("error", "plain-transformers", message, importing(folder)))
        return result
    fix = importing(folder) if engine.folder != folder else OURS
    result.findings += _compared(result.ours, capped, TOLERANCE[engine.dtype], fix)
    result.remarks += _known(result.ours, raw, engine, model, asked, given, wanted)
    return result


def measure_vllm(folder: Path, card: ModelCard, ours: Scores, *, dtype: str) -> Measured:
    """vLLM against `ours`, in this process. Raises EngineError when vLLM does not start."""
    from tvbench.engines.vllm import VllmEngine

    engine = VllmEngine(folder, card, dtype=dtype)
    try:
        theirs = scores(engine, [prompt for prompt in prompts(read_config(folder)) if prompt.request.key in ours])
    finally:
        engine.close()
        gc.collect()
    result = Measured(ours=theirs)
    for key, values in theirs.items():
        apart = _apart(values, ours[key])
        result.remarks.append(f"{key}: vLLM {engine.info.version} and transformers differ by up to {apart:.2g}")
        if not apart <= TOLERANCE[dtype]:
            message = f"vLLM's log-probabilities of the {key} prompt differ from transformers' by up to {apart:.3g}"
            fix = "use one engine for all runs that are compared, and report the versions"
            result.findings.append(Finding("error", f"vllm-{key}", message, fix))
    return result


def vllm_is_installed() -> bool:
    """Whether this Python can import vLLM (and not merely sees a folder of that name)."""
    found = find_spec("vllm")
    return found is not None and found.origin is not None


# ── Prompts ───────────────────────────────────────────────────────────────────────────────────────


def _picture(width: int, height: int, shift: int) -> Image.Image:
    """Waves of three colours, which no resizing leaves as they were."""
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    waves = [np.sin((across * (1 + band) + down * (3 - band)) / 9 + shift + band) for band in range(3)]
    return Image.fromarray((np.stack(waves, axis=-1) * 127 + 128).astype(np.uint8))


# ── Plain transformers ────────────────────────────────────────────────────────────────────────────


def _tensors(engine: TransformersEngine, prepared: Prepared) -> dict[str, torch.Tensor]:
    """The model's arguments for prompt and answer, one row."""
    collated = engine.inputs.collate([engine.inputs.encode(prepared)])
    wanted = engine.prompter.continuation(ANSWER)
    return append_right(collated.tensors, [wanted], len(wanted))


def _plain(
    model: Any,
    asked: Sequence[Prepared],
    given: Sequence[dict[str, torch.Tensor]],
    wanted: Sequence[int],
    cap: float | None,
) -> tuple[Scores, Scores]:
    """Scores by the model class's own forward, with the final soft-cap put on by hand, and without."""
    capped, raw = {}, {}
    for prepared, tensors in zip(asked, given, strict=True):
        placed = {
            name: value.to(model.device, model.dtype) if value.is_floating_point() else value.to(model.device)
            for name, value in tensors.items()
        }
        with torch.inference_mode():
            logits = model(**placed, use_cache=False, logits_to_keep=len(wanted) + 1).logits[0, :-1]
        key = prepared.request.key
        capped[key], raw[key] = _picked(soft_cap(logits, cap), wanted), _picked(logits, wanted)
    return capped, raw


def _picked(logits: torch.Tensor, wanted: Sequence[int]) -> tuple[float, ...]:
    logs = logits.float().log_softmax(-1)
    return tuple(float(logs[place, token]) for place, token in enumerate(wanted))


def _compared(ours: Scores, plain: Scores, tolerance: float, fix: str) -> Iterator[Finding]:
    """Findings where plain transformers, soft-cap put on by hand, still says something else than our engine."""
    text = _apart(ours["text"], plain["text"])
    for key, values in ours.items():
        apart = _apart(values, plain[key])
        if apart <= tolerance:
            continue
        alone = key != "text" and text <= tolerance
        why = "while text agrees: its rows arrive at another scale, or are others" if alone else "pictures or not"
        yield Finding(
            "error",
            f"measured-{key}",
            f"plain transformers' log-probabilities of the {key} prompt are off by up to {apart:.3g}, {why}",
            fix,
        )


def _known(
    ours: Scores,
    raw: Scores,
    engine: TransformersEngine,
    model: Any,
    asked: Sequence[Prepared],
    given: Sequence[dict[str, torch.Tensor]],
    wanted: Sequence[int],
) -> Iterator[str]:
    """What plain transformers leaves out for any checkpoint, as measured on this one."""
    for key, values in raw.items():
        yield (
            f"{key}: transformers {engine.info.version} drops the final soft-cap; its log-probabilities are off by "
            f"up to {_apart(ours[key], values):.2g} (tvbench puts it on)"
        )
    model.set_attn_implementation("sdpa")
    careless, _ = _plain(model, asked, given, wanted, engine.cap)
    worst = max(_apart(ours[key], values) for key, values in careless.items())
    yield (
        f"sdpa attention ignores the attention soft-cap: log-probabilities off by up to {worst:.2g} (tvbench uses "
        f"{engine.attention})"
    )


def _apart(first: Sequence[float], other: Sequence[float]) -> float:
    """The largest difference; a NaN on either side is larger than anything."""
    distances = [abs(a - b) for a, b in zip(first, other, strict=True)]
    return max(distance if distance == distance else float("inf") for distance in distances)
