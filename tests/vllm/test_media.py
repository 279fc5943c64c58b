"""How the vLLM engine hands pictures and clips over: each processed once, none lost, whatever is refused.

Runs where vllm is installed. One engine serves the whole file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from engine_requests import SIZES, ask, card_for, clip, mixed, picture, serve

from tvbench.data.media.clips import Decoded
from tvbench.engines.protocol import Prepared
from tvbench.engines.vllm import VllmEngine
from tvbench.mini.checkpoint import build_tiny
from tvbench.types import ModelCard, Response

_SPEC = find_spec("vllm")
pytestmark = [
    pytest.mark.vllm,
    # Without an origin it is only this folder, taken for a package.
    pytest.mark.skipif(_SPEC is None or _SPEC.origin is None, reason="vllm is not installed here"),
]

LENGTH = 1024


def card(folder: Path, **more: object) -> ModelCard:
    limits = {"image": 4, "video": 1}
    return card_for(folder, engine={"vllm": {"max_model_len": LENGTH, "limit_mm_per_prompt": limits, **more}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("tiny"), seed=5)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[VllmEngine]:
    engine = VllmEngine(folder, card(folder), dtype="float32")
    yield engine
    engine.close()


@pytest.fixture(autouse=True)
def nothing_known(engine: VllmEngine) -> None:
    """Each test begins with empty caches."""
    engine._engine.reset_mm_cache()
    engine._engine.reset_prefix_cache()
    engine._engine.reset_encoder_cache()


def shown(answers: dict[str, Response]) -> dict[str, tuple[object, ...]]:
    return {key: (one.text, one.tokens_in, one.tokens_out, one.error) for key, one in answers.items()}


def with_digests(prepared: Prepared) -> Prepared:
    """As a run prepares it: with the digest of what would be its file."""
    return replace(prepared, digests=tuple(hashlib.sha256(repr(one).encode()).hexdigest() for one in prepared.media))


def prompt_length(engine: VllmEngine, text: str) -> int:
    """Tokens of a prompt without its picture."""
    return len(engine.prompter.encode(ask("", text).request.messages))


def hits(engine: VllmEngine) -> tuple[int, int]:
    """Media that were looked for in vLLM's cache so far, and those that were there."""
    told = engine._engine.renderer.mm_processor_cache.make_stats()
    return told.total, told.hits


def test_a_picture_of_a_refused_prompt_is_none_that_vllm_has(engine: VllmEngine) -> None:
    """vLLM notes a picture as sent before it looks at the length of the prompt that the picture is a part of."""
    shown_twice = picture(1, SIZES[3])
    texts = ("rot " * number for number in range(LENGTH, 0, -1))
    fits = next(text for text in texts if prompt_length(engine, text) < LENGTH - 50)
    answers = serve(engine, [ask("long", fits, shown_twice), ask("short", "Was ist das?", shown_twice)])
    assert "refused" in (answers["long"].error or "")
    assert answers["short"].error is None and answers["short"].text


def test_a_picture_in_several_languages_is_processed_once(engine: VllmEngine) -> None:
    same = picture(2, SIZES[2])
    asked = [with_digests(ask(f"q{place}", f"Was ist das? {place}", same)) for place in range(6)]
    before = hits(engine)
    answers = serve(engine, asked)
    assert not any(one.error for one in answers.values())
    assert [now - then for now, then in zip(hits(engine), before, strict=True)] == [6, 5]


def test_equal_files_that_are_shown_differently_are_told_apart(engine: VllmEngine) -> None:
    """One file's digest, but other frames, times, sizes: each answered as if it were alone."""
    several: list[Decoded] = [
        picture(3, SIZES[2]),
        picture(3, SIZES[3]),
        clip(3, 4),
        clip(3, 8),
        replace(clip(3, 4), frames=clip(4, 4).frames),
        clip(3, 4, size=56),
    ]
    asked = [ask(f"q{place}", "Was ist das?", medium) for place, medium in enumerate(several)]
    alone = {key: one for each in asked for key, one in serve(engine, [each]).items()}
    named = [replace(one, digests=("0" * 64,)) for one in asked]
    assert shown(serve(engine, named)) == shown(alone)
    assert not any(one.error for one in alone.values())


def test_no_prompt_is_given_in_a_way_that_vllm_gives_up(engine: VllmEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    from vllm.v1.engine import input_processor

    said: list[str] = []
    monkeypatch.setattr(input_processor.logger, "warning_once", lambda text, *_: said.append(text))
    assert len(serve(engine, mixed(4))) == 4
    assert not said
