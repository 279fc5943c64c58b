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


@pytest.mark.parametrize("family", FAMILIES)
def test_both_engines_answer_alike(family: str, tmp_path: Path) -> None:
    video = family == "qwen2.5-vl"
    folder = FAMILIES[family](tmp_path)
    limits = {"image": 2, "video": 1} if video else {"image": 2}
    card = card_for(folder, engine={"vllm": {"max_model_len": 1024, "limit_mm_per_prompt": limits}})
    transformers = TransformersEngine(folder, card, dtype="float32", max_model_len=1024)
    expected = shown(serve(transformers, requests(video)))
    vllm = VllmEngine(folder, card, dtype="float32")
    got = shown(serve(vllm, requests(video)))
    vllm.close()
    gc.collect()
    assert got == expected
    assert not any(error for _, _, error in expected.values())
    assert len({text for text, _, _ in expected.values()}) > 1, "the pictures must matter"
