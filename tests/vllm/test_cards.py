"""What the cards say of engines, held against the engines that are installed: nothing of it is guessed."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tvbench.registry.catalog import models
from tvbench.types import ModelCard

_SPEC = find_spec("vllm")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(_SPEC is None or _SPEC.origin is None, reason="vllm is not installed here"),
]
CARDS = {name: card for name, card in models().items() if {"vllm", "transformers"} & set(card.engine)}


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_its_architecture_is_known_to_each_engine_that_it_names_and_to_no_other(card: ModelCard) -> None:
    import transformers
    from vllm import ModelRegistry

    assert card.architecture, "which class is it?"
    assert ("vllm" in card.engine) == (card.architecture in ModelRegistry.get_supported_archs())
    assert ("transformers" in card.engine) == hasattr(transformers, card.architecture)


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_several_pictures_and_clips_are_offered_where_vllm_is_told_of_them(card: ModelCard) -> None:
    if "vllm" not in card.engine:
        pytest.skip("not vLLM's")
    limits = card.engine["vllm"]["limit_mm_per_prompt"]
    assert ("multi-image" in card.modalities) == (limits["image"] > 1)
    assert ("video" in card.modalities) == bool(limits.get("video"))
