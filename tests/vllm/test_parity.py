"""transformers and vLLM give the same tokens and log-probabilities; the vLLM engine's own behaviour.

Runs where vllm is installed. One vLLM engine serves the whole file: starting one takes several seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from engine_requests import SIZES, ask, break_layout, card_for, clip, mixed, picture, serve

from tvbench.engines.protocol import ListFeed, Prepared
from tvbench.engines.transformers import TransformersEngine
from tvbench.engines.vllm import VllmEngine
from tvbench.errors import EngineError
from tvbench.mini.checkpoint import build_tiny
from tvbench.types import ModelCard, Response, Sampling

_SPEC = find_spec("vllm")
pytestmark = [
    pytest.mark.vllm,
    # Without an origin it is only this folder, taken for a package.
    pytest.mark.skipif(_SPEC is None or _SPEC.origin is None, reason="vllm is not installed here"),
]

TOLERANCE = 1e-3
LENGTH = 1024


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("good"), seed=5)


@pytest.fixture(scope="module")
def broken(good: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return break_layout(good, tmp_path_factory.mktemp("published") / "model")


def card(folder: Path) -> ModelCard:
    return card_for(folder, engine={"vllm": {"max_model_len": LENGTH, "limit_mm_per_prompt": {"image": 4, "video": 1}}})


@pytest.fixture(scope="module")
def vllm_engine(broken: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmEngine]:
    """vLLM on the checkpoint as published: that it loads at all shows that the corrected copy is used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TVBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        engine = VllmEngine(broken, card(broken), dtype="float32")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def embedded(good: Path) -> TransformersEngine:
    """transformers on the checkpoint as it should be."""
    return TransformersEngine(good, card(good), dtype="float32", max_model_len=LENGTH)


def requests() -> list[Prepared]:
    several = [picture(7, (56, 56)), picture(8, (150, 60)), picture(9, (60, 200))]
    question = "Was ist das? 什么颜色?"
    asked = [ask(f"picture-{size}", question, picture(number, size)) for number, size in enumerate(SIZES)]
    asked += [ask("text", "Quelle couleur est la étoile ?"), ask("long text", "wie viele rot " * 60)]
    asked += [ask("two pictures", "Which is red?", *several[:2]), ask("three pictures", "Which?", *several)]
    asked += [ask(f"clip of {frames}", "Wohin?", clip(frames, frames)) for frames in (1, 8, 32)]
    return asked


def scored(asked: list[Prepared]) -> list[Prepared]:
    return [
        replace(item, request=replace(item.request, key=f"score {item.request.key}", continuation="rot. étoile 红"))
        for item in asked
    ]


def shown(answers: dict[str, Response]) -> dict[str, tuple[Any, ...]]:
    return {
        key: (one.text, one.finish, one.tokens_in, one.tokens_out, one.error) for key, one in sorted(answers.items())
    }


def test_the_same_tokens(vllm_engine: VllmEngine, embedded: TransformersEngine) -> None:
    expected = shown(serve(embedded, requests()))
    assert shown(serve(vllm_engine, requests())) == expected
    assert len({text for text, *_ in expected.values()}) > len(expected) // 2


def test_the_same_tokens_behind_two_bos(
    vllm_engine: VllmEngine, embedded: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a tokenizer that puts a `<bos>` before the template's own, as Gemma's does."""
    one = serve(embedded, requests())
    for engine in (vllm_engine, embedded):
        monkeypatch.setattr(engine.prompter, "adds_bos", True)
    asked = [replace(item, request=replace(item.request, second_bos=True)) for item in requests()]
    two = serve(embedded, asked)
    assert shown(serve(vllm_engine, asked)) == shown(two)
    assert all(two[key].tokens_in == (one[key].tokens_in or 0) + 1 for key in one)
    assert any(two[key].text != one[key].text for key in one)


def test_the_same_log_probabilities(vllm_engine: VllmEngine, embedded: TransformersEngine) -> None:
    asked = scored(requests())
    expected, got = serve(embedded, asked), serve(vllm_engine, asked)
    assert expected.keys() == got.keys()
    for key, response in expected.items():
        assert response.logprobs is not None and len(response.logprobs) > 3
        assert got[key].logprobs == pytest.approx(response.logprobs, abs=TOLERANCE), key
        assert got[key].tokens_in == response.tokens_in
    assert "corrections" in vllm_engine.info.settings and "corrections" not in embedded.info.settings


def test_the_tolerance_would_notice_an_image_scale_that_is_not_folded(
    good: Path, embedded: TransformersEngine, tmp_path: Path
) -> None:
    unfolded = build_tiny(tmp_path, seed=5, vision_scale="unfolded")
    wrong = TransformersEngine(unfolded, card_for(unfolded, numerics={"vision_embed_scale": "folded"}))
    asked = scored([item for item in requests() if item.media])
    right, off = serve(embedded, asked), serve(wrong, asked)
    for key, response in right.items():
        assert max(abs(a - b) for a, b in zip(response.logprobs or (), off[key].logprobs or (), strict=True)) > 0.01


def test_penalties_and_stop_strings_agree(vllm_engine: VllmEngine, embedded: TransformersEngine) -> None:
    free = serve(embedded, requests())
    penalised = Sampling(max_new_tokens=12, repetition_penalty=1.3)
    asked = []
    for item in requests():
        stop = Sampling(max_new_tokens=12, stop=((free[item.request.key].text or "")[3:5] or "x",))
        for name, sampling in (("penalised", penalised), ("stopped", stop)):
            key = f"{name} {item.request.key}"
            asked.append(replace(item, request=replace(item.request, key=key, sampling=sampling)))
    assert shown(serve(vllm_engine, asked)) == shown(serve(embedded, asked))


def test_sampling_is_reproducible_and_differs_by_key(vllm_engine: VllmEngine) -> None:
    hot = Sampling(max_new_tokens=12, temperature=1.0, top_p=0.95, top_k=40)
    asked = [ask(f"hot {number}", "Was?", sampling=hot) for number in range(6)]
    first, second = serve(vllm_engine, asked), serve(vllm_engine, asked[::-1])
    assert shown(first) == shown(second)
    assert len({response.text for response in first.values()}) > 3


def test_what_vllm_refuses_fails_alone(vllm_engine: VllmEngine) -> None:
    asked = [
        ask("long", "ab " * 2000),
        ask("pictures", "Was?", *[picture(number, (56, 56)) for number in range(5)]),
        ask("placeholder", "<image>?"),
        *mixed(4),
    ]
    answers = serve(vllm_engine, asked)
    assert {key for key, response in answers.items() if response.error} == {"long", "pictures", "placeholder"}
    assert "refused" in (answers["long"].error or "") and str(LENGTH) in (answers["long"].error or "")
    assert len(answers) == len(asked)


def test_new_requests_join_while_others_run(vllm_engine: VllmEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed is asked without waiting while requests are in flight, and never for more than the window."""
    asked: list[tuple[int, bool]] = []

    class Trickle(ListFeed):
        def take(self, limit: int, *, wait: bool) -> list[Prepared]:
            asked.append((limit, wait))
            return super().take(min(limit, 2), wait=wait)

    monkeypatch.setattr(vllm_engine, "window", 6)
    answers = list(vllm_engine.serve(Trickle(mixed(20))))
    assert len({response.key for response in answers}) == 20
    assert asked[0] == (6, True) and max(limit for limit, _ in asked) <= 6
    assert all(not wait for limit, wait in asked if limit < 6)


def test_a_dead_engine_ends_the_run_with_a_reason(vllm_engine: VllmEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def die() -> None:
        raise RuntimeError("core died")

    asked = [ask("x", "Was?")]
    with monkeypatch.context() as patch:
        patch.setattr(vllm_engine._engine, "step", die)
        with pytest.raises(EngineError, match="core died"):
            serve(vllm_engine, asked)
    vllm_engine._flights.clear()
    list(vllm_engine._engine.step())


def test_a_reply_is_held_to_its_schema(vllm_engine: VllmEngine) -> None:
    """A judge's reply: even random weights cannot write anything but the JSON that was asked for."""
    schema = json.dumps(
        {
            "type": "object",
            "properties": {"score": {"type": "integer", "enum": [0, 1, 2]}},
            "required": ["score"],
            "additionalProperties": False,
        }
    )
    asked = ask("judge", "Grade this.", sampling=Sampling(max_new_tokens=60))
    held = replace(asked, request=replace(asked.request, reply_schema=schema))
    response = serve(vllm_engine, [held])["judge"]
    assert response.error is None, response.error
    assert json.loads(response.text or "")["score"] in (0, 1, 2)
