"""The doctor's comparison with vLLM: nothing to say of a good model, and of one that was imported."""

from __future__ import annotations

import gc
from importlib.util import find_spec
from pathlib import Path

import pytest
from engine_requests import break_layout, card_for

from tvbench.checkpoints.importing import import_checkpoint
from tvbench.doctor.examine import examine
from tvbench.doctor.numerics import measure, measure_vllm
from tvbench.mini.checkpoint import build_tiny

_SPEC = find_spec("vllm")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(_SPEC is None or _SPEC.origin is None, reason="vllm is not installed here"),
]
LIMITS = {"vllm": {"max_model_len": 1024, "limit_mm_per_prompt": {"image": 1, "video": 1}}}


def test_both_engines_agree_on_an_imported_model(tmp_path: Path) -> None:
    good = build_tiny(tmp_path / "good", seed=5)
    source = break_layout(good, tmp_path / "source")
    folder = import_checkpoint(source, card_for(source), tmp_path / "new").folder
    found = examine(folder, card_for(folder, engine=LIMITS), engine="vllm")
    gc.collect()
    assert found.findings == ()
    assert sum("vLLM" in remark and "differ by up to" in remark for remark in found.remarks) == 3


def test_numbers_that_differ_are_a_finding(tmp_path: Path) -> None:
    """vLLM's own numbers, set beside those of a checkpoint whose image rows are not scaled."""
    good, other = build_tiny(tmp_path / "good", seed=5), build_tiny(tmp_path / "other", seed=5, vision_scale="unfolded")
    lying = card_for(other, numerics={"vision_embed_scale": "folded"})
    ours = measure(other, lying).ours
    found = measure_vllm(good, card_for(good, engine=LIMITS), ours, dtype="float32")
    gc.collect()
    assert [finding.code for finding in found.findings] == ["vllm-picture", "vllm-clip"]
