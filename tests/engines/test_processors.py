"""Models of other families where torchvision is missing: pictures are asked, clips say what they need."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from engine_requests import ask, card_for, clip, picture, serve
from tiny_baselines import gemma3, qwen

from tvbench.engines import processors
from tvbench.engines.transformers import TransformersEngine
from tvbench.errors import EngineError

pytestmark = pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed here")


def test_a_picture_task_needs_no_torchvision(tmp_path: Path) -> None:
    folder = qwen(tmp_path)
    engine = TransformersEngine(folder, card_for(folder), dtype="float32", max_model_len=1024)
    answers = serve(
        engine, [ask("text", "Was?"), ask("seen", "Was?", picture(1, (80, 60))), ask("clip", "W?", clip(1, 8))]
    )
    assert {key: answer.error for key, answer in answers.items() if key != "clip"} == {"text": None, "seen": None}
    assert "pip install torchvision" in str(answers["clip"].error)
    without, seen = answers["text"].tokens_in, answers["seen"].tokens_in
    assert without and seen and seen > without


def test_a_family_without_clips_is_opened_as_it_is(tmp_path: Path) -> None:
    assert processors.takes_clips(processors.open_processor(gemma3(tmp_path)))


def test_a_processor_that_cannot_do_without_names_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Gemma 4, whose module itself imports it."""
    folder = qwen(tmp_path)
    monkeypatch.setattr(processors, "_kind", lambda _: None)
    with pytest.raises(EngineError, match="processor") as refused:
        processors.open_processor(folder)
    assert "pip install torchvision" in str(refused.value)


def test_what_prepares_pictures_is_told() -> None:
    """By transformers' own classes; a processor without pictures tells nothing."""
    from transformers import LlavaNextImageProcessorPil
    from transformers.image_processing_backends import TorchvisionBackend

    class Processor:
        image_processor: object = LlavaNextImageProcessorPil()

    class Quick(TorchvisionBackend):  # type: ignore[misc]
        def __init__(self) -> None:
            """Without torchvision there is no other."""

    class QuickProcessor:
        image_processor: object = Quick()

    assert processors.backend_of(Processor()) == "pil"
    assert processors.backend_of(QuickProcessor()) == "torchvision"
    assert processors.backend_of(object()) == ""
