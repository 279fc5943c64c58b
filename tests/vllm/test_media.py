"""How the vLLM engine hands pictures and clips over: each processed once, none lost, whatever is refused.

Runs where vllm is installed. One engine serves the whole file.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pytest
from engine_requests import SIZES, ask, card_for, clip, mixed, picture, serve

from tvbench.data.media.clips import Decoded
from tvbench.engines.media_workers import MediaWorkers
from tvbench.engines.processors import backend_of
from tvbench.engines.protocol import ListFeed, Prepared
from tvbench.engines.vllm import VllmEngine
from tvbench.engines.vllm_settings import arguments, most_tokens, usual_step
from tvbench.mini.checkpoint import build_tiny
from tvbench.types import ModelCard, Response

_SPEC = find_spec("vllm")
pytestmark = [
    pytest.mark.vllm,
    # Without an origin it is only this folder, taken for a package.
    pytest.mark.skipif(_SPEC is None or _SPEC.origin is None, reason="vllm is not installed here"),
]

LENGTH = 1024
WAIT_S = 300.0


def card(folder: Path, **more: object) -> ModelCard:
    limits = {"image": 4, "video": 1}
    return card_for(folder, engine={"vllm": {"max_model_len": LENGTH, "limit_mm_per_prompt": limits, **more}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("tiny"), seed=5)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[VllmEngine]:
    """Pictures are prepared by two processes; `alone` has the engine's own thread do it."""
    engine = VllmEngine(folder, card(folder, media_processes=2), dtype="float32")
    ends = time.monotonic() + WAIT_S
    while not engine.rendering.workers.able() and time.monotonic() < ends:
        time.sleep(0.1)
    assert engine.rendering.workers.able()
    yield engine
    engine.close()


@contextmanager
def alone(engine: VllmEngine) -> Iterator[None]:
    """As with `media_processes: 0`, from empty caches to empty caches."""
    workers = engine.rendering.workers
    empty_caches(engine)
    engine.rendering.workers = MediaWorkers(0, {})
    try:
        yield
    finally:
        engine.rendering.workers = workers
        empty_caches(engine)


@pytest.fixture(autouse=True)
def nothing_known(engine: VllmEngine) -> None:
    """Each test begins with empty caches."""
    empty_caches(engine)


def empty_caches(engine: VllmEngine) -> None:
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


def asked_for(count: int = 24) -> list[Prepared]:
    """Text, pictures, several pictures and clips, answered and scored."""
    asked = mixed(count)
    scored = [
        replace(one, request=replace(one.request, key=f"score {one.request.key}", continuation="rot. étoile 红"))
        for one in asked
    ]
    return asked + scored


def exactly(answers: dict[str, Response]) -> dict[str, tuple[Any, ...]]:
    return {key: (one.text, one.finish, one.tokens_in, one.logprobs, one.error) for key, one in answers.items()}


def test_processes_change_no_answer(engine: VllmEngine) -> None:
    """Not one bit of a log-probability."""
    with alone(engine):
        expected = exactly(serve(engine, asked_for()))
    jobs = engine.rendering.workers._number
    assert exactly(serve(engine, asked_for())) == expected
    assert engine.rendering.workers._number > jobs
    assert not any(one[-1] for one in expected.values())


def test_processes_prepare_the_same_tensors(engine: VllmEngine) -> None:
    """Of pictures of every shape, each alone and four together, and of clips."""
    several: list[list[Decoded]] = [[picture(number, size)] for number, size in enumerate(SIZES)]
    several += [[picture(9 + number, size) for number, size in enumerate(SIZES[:4])], [clip(1, 1)], [clip(2, 32)]]
    asked = [ask(f"q{place}", "Was?", *media) for place, media in enumerate(several)]

    def tensors() -> list[Any]:
        engine._engine.renderer.clear_mm_cache()
        coming = [engine.rendering.begin(engine._prompt(one)[0]) for one in asked]
        while not all(map(engine.rendering.ready, coming)):
            engine.rendering.workers.poll(0.1)
        found = [engine.rendering.render(one) for one in coming]
        for one in coming:
            engine.rendering.forget(one.names)
        return [(one["prompt_token_ids"], one["mm_placeholders"], dict(one["mm_kwargs"].items())) for one in found]

    with alone(engine):
        expected = tensors()
    jobs = engine.rendering.workers._number
    assert tensors() == expected
    assert engine.rendering.workers._number == jobs + len(asked)


def test_refusals_stay_with_their_requests(engine: VllmEngine) -> None:
    bad = [
        ask("long", "ab " * 2000, picture(9, SIZES[2])),
        ask("pictures", "Was?", *[picture(number, SIZES[0]) for number in range(5)]),
        ask("placeholder", "<image>?", picture(8, SIZES[1])),
    ]
    asked = [one for pair in zip(mixed(9)[::3], bad, strict=True) for one in pair] + mixed(9)[1::3]
    with alone(engine):
        expected = shown(serve(engine, asked))
    assert shown(serve(engine, asked)) == expected
    assert {key for key, one in expected.items() if one[-1]} == {"long", "pictures", "placeholder"}


def test_a_process_killed_in_the_middle_loses_nothing(engine: VllmEngine, caplog: pytest.LogCaptureFixture) -> None:
    asked = asked_for()
    with alone(engine):
        expected = exactly(serve(engine, asked))
    answers: dict[str, Response] = {}
    for place, response in enumerate(engine.serve(ListFeed(asked))):
        answers[response.key] = response
        if place in (0, 10):
            os.kill(engine.rendering.workers._running[0].pid, signal.SIGKILL)
    assert exactly(answers) == expected
    assert "another takes its place" in caplog.text
    assert len(serve(engine, mixed(4))) == 4 and len(engine.rendering.workers._running) == 2


def test_what_was_given_up_is_in_nobodys_way(engine: VllmEngine) -> None:
    asked = mixed(24)
    with closing(cast(Generator[Response], engine.serve(ListFeed(asked)))) as serving:
        next(serving)
    assert not engine._flights and not engine._held
    assert not any(one.error for one in serve(engine, asked).values())


def test_media_under_way_are_bounded_in_bytes(engine: VllmEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for one, pictures go one after the other, and none waits for ever."""
    monkeypatch.setattr(engine, "flight_bytes", 1)
    most: list[int] = []
    step = engine._step

    def counted() -> list[Response]:
        most.append(sum(one.memory > 0 for one in engine._flights.values()))
        return step()

    monkeypatch.setattr(engine, "_step", counted)
    asked = [ask(f"q{number}", "Was?", picture(number, SIZES[number % 7])) for number in range(12)]
    answers = serve(engine, asked)
    assert len(answers) == 12 and not any(one.error for one in answers.values())
    assert max(most) == 1 and not engine._held


def truly(engine: VllmEngine) -> str:
    """What prepares pictures, by the class of vLLM's own processor."""
    return backend_of(engine._engine.renderer.mm_processor.info.get_hf_processor())


def test_another_backend_is_recorded_and_the_usual_one_is_not(engine: VllmEngine, folder: Path) -> None:
    assert "image_backend" not in engine.info.settings and "media_processes" not in engine.info.settings
    other = VllmEngine(folder, card(folder, image_backend="torchvision"), dtype="float32")
    try:
        assert other.info.settings == {**engine.info.settings, "image_backend": "torchvision"}
        assert [truly(one) for one in (engine, other)] == ["pil", "torchvision"]
        assert not any(one.error for one in serve(other, mixed(8)).values())
    finally:
        other.close()


def test_a_step_is_as_long_as_vllm_has_it_unless_a_prompts_pictures_need_more(engine: VllmEngine) -> None:
    config = {
        "model_type": "llava_next",
        "vision_config": {"image_size": 384, "patch_size": 14},
        "image_grid_pinpoints": [[384, 384], [768, 1152], [384, 2304]],
        "text_config": {"max_position_embeddings": 8192},
    }
    assert most_tokens(config) >= 729 * 7
    for wanted, modalities, step in (
        ({"max_model_len": 2048}, ("image",), None),
        ({}, ("image",), most_tokens(config)),
        ({}, ("image", "multi-image"), 8192),
    ):
        assert usual_step() == 4096, "vLLM's own on one CPU"
        made = arguments(Path(), config, card_for(Path(), modalities=modalities), wanted, on_cpu=True)
        assert made.get("max_num_batched_tokens") == step
    assert "max_num_batched_tokens" not in engine.arguments
