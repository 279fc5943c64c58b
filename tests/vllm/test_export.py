"""What the trainer writes, in both engines: the same log-probabilities for a picture, several, and a clip."""

from __future__ import annotations

import gc
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from engine_requests import ask, card_for, clip, picture, serve
from training import SIZES, assembled

from tvbench.engines.protocol import Prepared
from tvbench.engines.transformers import TransformersEngine
from tvbench.engines.vllm import VllmEngine
from tvbench.registry.local_models import trained_folder
from tvbench.train.assembly import open_model, vision_scale
from tvbench.train.export import export
from tvbench.types import Request

_SPEC = find_spec("vllm")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(_SPEC is None or _SPEC.origin is None, reason="vllm is not installed here"),
]
TOLERANCE = 1e-3
LIMITS = {"vllm": {"max_model_len": 1024, "limit_mm_per_prompt": {"image": 4, "video": 1}}}


def asked() -> list[Prepared]:
    several = [picture(number, (56, 56)) for number in (7, 8, 9)]
    prompts = [
        ask("picture", "What colour is the star?", picture(1, (112, 56))),
        ask("text", "Wie viele Sterne?"),
        ask("pictures", "Which is red?", *several),
        ask("clip", "Where does it move?", clip(8, 8)),
    ]
    return [replace(prompt, request=_continued(prompt.request)) for prompt in prompts]


def _continued(request: Request) -> Request:
    return replace(request, continuation="red. rot 红")


def assert_alike(folder: Path) -> None:
    card = card_for(folder, engine=LIMITS)
    expected = serve(TransformersEngine(folder, card, dtype="float32", max_model_len=1024), asked())
    engine = VllmEngine(folder, card, dtype="float32")
    try:
        found = serve(engine, asked())
    finally:
        engine.close()
        gc.collect()
    for key, response in expected.items():
        assert response.logprobs is not None and len(response.logprobs) > 2, key
        assert found[key].logprobs == pytest.approx(response.logprobs, abs=TOLERANCE), key
        assert found[key].tokens_in == response.tokens_in, key


def test_an_exported_model_is_the_same_in_both_engines(tmp_path: Path) -> None:
    source = assembled(tmp_path, sizes={**SIZES, "head_dim": 32})  # the least that vLLM's CPU attention takes
    model = open_model(source)
    with torch.no_grad():  # pictures must matter in the answers
        model.model.multi_modal_projector.linear_2.weight.mul_(4)
    folder = export(model, tmp_path / "export", like=source, scale=vision_scale(source), dtype="float32")
    assert_alike(folder)


@pytest.mark.skipif(trained_folder("tower-mini") is None, reason="models/tower-mini has no weights")
def test_tower_mini_is_the_same_in_both_engines() -> None:
    folder = trained_folder("tower-mini")
    assert folder is not None
    assert_alike(folder)
