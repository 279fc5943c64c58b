"""A model that thinks aloud, in vLLM and behind its server: with the server's own parser of thinking, and without."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from engine_requests import ask, card_for, serve
from thinking_model import ENDLESS, GOLD, PLAIN, thinking_task, write_model
from vllm_server import vllm_server

import tvbench
from tvbench.engines.transformers import TransformersEngine
from tvbench.engines.vllm import VllmEngine
from tvbench.types import Response, Sampling

_SPEC = find_spec("vllm")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(_SPEC is None or _SPEC.origin is None, reason="vllm is not installed here"),
]
BUDGET = 50


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("thinks") / "thinker")


def told(response: Response) -> tuple[object, ...]:
    return response.text, response.reasoning, response.finish, response.tokens_out, response.tokens_thinking


def test_vllm_and_transformers_tell_the_same(folder: Path, tmp_path: Path) -> None:
    special = write_model(tmp_path / "special", special=True, opened=True)
    asked = [ask(name, name, sampling=Sampling(max_new_tokens=16, stop=("x",))) for name in GOLD]
    for place in (folder, special):
        card = card_for(place, reasoning={"max_tokens": BUDGET}, modalities=())
        ours = serve(TransformersEngine(place, card, dtype="float32"), asked)
        engine = VllmEngine(place, card, dtype="float32", max_model_len=200)
        try:
            theirs = serve(engine, asked)
        finally:
            engine.close()
        assert {name: told(answer) for name, answer in theirs.items()} == {
            name: told(answer) for name, answer in ours.items()
        }
        assert theirs[ENDLESS].ran_out_thinking and theirs["Capital of Italy?"].text == "Rome"


@pytest.fixture(scope="module", params=["", "qwen3"])
def url(request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    more = ("--reasoning-parser", request.param) if request.param else ()
    log = tmp_path_factory.mktemp("log") / "server.log"
    with vllm_server(folder, log, name="thinker", length=200, more=more) as address:
        yield address


def test_a_real_server_of_a_model_that_thinks(url: str, tmp_path: Path) -> None:
    """Scored right, the budget kept, and what ran out while thinking told apart from what is wrong."""
    run = tvbench.run(f"openai:thinker@{url}", thinking_task(), results=tmp_path, thinking_tokens=BUDGET)
    result = run.results["capitals"]
    answers = run.answered()["capitals"].answers
    # The server's parser takes for thinking what nothing closes: the one reply without any is lost to it, and says so.
    lost = any("whole reply into its reasoning" in note for note in answers[PLAIN].notes)
    assert (answers[PLAIN].text, answers[PLAIN].reasoning) == (("", "Tokyo") if lost else ("Tokyo", None))
    assert result.metrics["accuracy"].value == pytest.approx((3 if lost else 4) / 6)
    assert "|thinking:on(50)|" in result.signature
    assert answers["Capital of Italy?"].text == "Rome"
    assert answers["Capital of Italy?"].reasoning == "It is not Milan.\nIt is Rome."
    assert all((answer.tokens_out or 0) <= BUDGET + 16 for answer in answers.values())
    assert answers[ENDLESS].ran_out_thinking
    (told,) = tvbench.explain(run)
    causes = {example.item: example.cause for example in told.languages[0].examples if example.item != PLAIN}
    assert causes == {ENDLESS: "thinking", "Capital of Norway?": "wrong"}


def test_a_real_server_told_not_to_think(url: str, tmp_path: Path) -> None:
    run = tvbench.run(f"openai:thinker@{url}", thinking_task(), results=tmp_path, thinking=False)
    answers = run.answered()["capitals"].answers
    assert [answers[name].text for name in ("Capital of Italy?", ENDLESS)] == ["Rome", "Lima"]
    assert "|thinking:off|" in run.results["capitals"].signature
    assert not any(answer.reasoning for answer in answers.values())
