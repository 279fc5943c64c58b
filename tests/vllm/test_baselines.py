"""The baselines' families on both engines, through small random checkpoints: their own processors and templates.

These run in vLLM's environment because Qwen's video processor needs torchvision, which it has.
"""

from __future__ import annotations

import gc
from importlib.util import find_spec
from pathlib import Path

import pytest
from engine_requests import ask, card_for, clip, picture, serve
from tiny_baselines import FAMILIES
from tiny_newer import NEWER, aya

from tvbench.engines.protocol import Prepared
from tvbench.engines.transformers import TransformersEngine
from tvbench.engines.vllm import VllmEngine
from tvbench.types import Response

_SPEC = find_spec("vllm")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(_SPEC is None or _SPEC.origin is None, reason="vllm is not installed here"),
]


def requests(video: bool) -> list[Prepared]:
    small, wide, tall = picture(1, (80, 60)), picture(2, (120, 40)), picture(3, (40, 120))
    asked = [
        ask("text", "Was ist das?"),
        ask("small", "Was?", small),
        ask("wide", "Was?", wide),
        ask("tall", "什么颜色?", tall),
        ask("two", "Was?", small, tall),
    ]
    return asked + ([ask("clip", "Wohin?", clip(1, 8))] if video else [])


def shown(answers: dict[str, Response]) -> dict[str, tuple[str | None, int | None, str | None]]:
    return {key: (one.text, one.tokens_in, one.error) for key, one in sorted(answers.items())}


@pytest.mark.parametrize("family", [*FAMILIES, *NEWER])
def test_both_engines_answer_alike(family: str, tmp_path: Path) -> None:
    video = family in ("qwen2.5-vl", "qwen3-vl")
    folder = (FAMILIES | NEWER)[family](tmp_path)
    limits = {"image": 2, "video": 1} if video else {"image": 2}
    card = card_for(folder, engine={"vllm": {"max_model_len": 1024, "limit_mm_per_prompt": limits}})
    transformers = TransformersEngine(folder, card, dtype="float32", max_model_len=1024)
    expected = shown(serve(transformers, requests(video)))
    vllm = VllmEngine(folder, card, dtype="float32")
    got = shown(serve(vllm, requests(video)))
    vllm.close()
    gc.collect()
    if family == "qwen3-vl":  # one prompt, with the same times in it; the answers differ, and its card says so
        clips = expected.pop("clip"), got.pop("clip")
        assert clips[0][1:] == clips[1][1:] == (90, None)
    assert got == expected
    assert not any(error for _, _, error in expected.values())
    assert len({text for text, _, _ in expected.values()}) > 1, "the pictures must matter"


def test_aya_vision_answers_through_transformers_alone(tmp_path: Path) -> None:
    folder = aya(tmp_path)
    engine = TransformersEngine(folder, card_for(folder), dtype="float32", max_model_len=1024)
    found = shown(serve(engine, requests(video=False)))
    assert not any(error for _, _, error in found.values())
    assert len({text for text, _, _ in found.values()}) > 1, "the pictures must matter"
