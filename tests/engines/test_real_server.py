"""Real sentences through a real language model behind a real server, by the engine and by the command line."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from feeds import ListFeed, question
from real_server import MODEL, RealServer, missing_packages, multi30k_command, smollm2_server, start_server
from repository import SHARED

from tvbench.cli.main import main
from tvbench.engines.openai.engine import OpenAIEngine
from tvbench.engines.protocol import Prepared
from tvbench.errors import EngineError
from tvbench.runs.store import find_runs
from tvbench.types import Response, Sampling

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(bool(missing_packages()), reason=f"pip install {' '.join(missing_packages())}"),
]

MULTI30K = SHARED / "data" / "multi30k"
SENTENCES = 50
MADE_UP = (
    "A dog runs over the grass.",
    "Two women drink coffee.",
    "A man paints a red house.",
    "Children play ball.",
    "A boy sleeps on a train.",
    "The old ship is in the harbour.",
)


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    with smollm2_server() as running:
        yield running


def asked(count: int, tokens: int = 24) -> list[Prepared]:
    return [
        question(
            f"q{number}",
            f"Translate into German: {MADE_UP[number % len(MADE_UP)]} ({number})",
            sampling=Sampling(max_new_tokens=tokens),
        )
        for number in range(count)
    ]


def lines(code: str) -> list[str]:
    path = MULTI30K / f"test_2016_flickr.{code}.gz"
    if not path.exists():
        pytest.skip(f"needs the Multi30K sentences in {MULTI30K} (set TVBENCH_SHARED)")
    return gzip.decompress(path.read_bytes()).decode().splitlines()[:SENTENCES]


def test_the_server_is_recognised_and_every_field_arrives(server: RealServer) -> None:
    engine = OpenAIEngine(MODEL, server.url)
    items = [
        question("short", "Say hello.", sampling=Sampling(max_new_tokens=3)),
        question(
            "stopped",
            "Count from one to ten, in digits, with commas.",
            sampling=Sampling(max_new_tokens=48, stop=(",",)),
        ),
        question("long", "word " * 3000),
        question("scored", "Is it?", continuation=" Yes."),
    ]
    answers = {answer.key: answer for answer in engine.serve(ListFeed(items))}
    engine.close()
    assert engine.info.version.startswith("llamacpp") and engine.info.settings == {"model": MODEL}
    assert answers["short"].finish == "length" and answers["short"].tokens_out == 3
    assert answers["stopped"].error is None and "," not in (answers["stopped"].text or ",")
    assert "context size" in (answers["long"].error or "")
    assert "no log-probabilities" in (answers["scored"].error or "")
    assert answers["short"].extra["server_model"] == MODEL


def test_greedy_answers_repeat_and_seeded_ones_too(server: RealServer) -> None:
    """One slot at a time, so that the batch cannot differ."""
    engine = OpenAIEngine(MODEL, server.url, concurrency=1)
    warm = Sampling(max_new_tokens=24, temperature=1.0, seed=3)
    items = [
        question("greedy", "Name a city.", sampling=Sampling(max_new_tokens=24)),
        *(question(f"warm{number}", "Name a city.", sampling=warm) for number in range(4)),
    ]
    first, second = ({answer.key: answer.text for answer in engine.serve(ListFeed(items))} for _ in range(2))
    engine.close()
    assert first == second
    assert len({first[f"warm{number}"] for number in range(4)}) > 1, "repeats must differ"


def test_fifty_real_sentences_through_the_command_line(
    server: RealServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from sacrebleu.metrics import CHRF

    references = lines("de")
    words = multi30k_command(server.url, MULTI30K, tmp_path, limit=SENTENCES)
    assert main([*words, "--quiet", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    (task,) = shown["tasks"]
    assert shown["complete"] is True
    assert task["counts"]["expected"] == task["counts"]["scored"] == SENTENCES
    (run,) = find_runs(tmp_path)
    answers = run.responses()
    assert len(answers) == SENTENCES
    texts = [answers[key].text or "" for key, _ in run.requests()]
    assert sum(bool(text.strip()) for text in texts) >= SENTENCES * 0.9
    own = CHRF(word_order=2).corpus_score(texts, [references]).score
    other = CHRF(word_order=2).corpus_score(texts, [references[1:] + references[:1]]).score
    assert own > other, "the answers do not belong to their questions"
    assert task["metrics"]["chrfpp"]["value"] == pytest.approx(own, abs=0.01)


def test_a_killed_server_ends_the_run_and_a_new_one_goes_on() -> None:
    server = start_server()
    engine = OpenAIEngine(MODEL, server.url, concurrency=4, retries=2, backoff_s=0.1)
    items = asked(40)
    answers: dict[str, Response] = {}
    try:
        with pytest.raises(EngineError, match="stopped answering") as raised:
            for answer in engine.serve(ListFeed(items)):
                answers[answer.key] = answer
                if len(answers) == 10:
                    server.kill()
        assert "same command" in raised.value.hint and server.url in str(raised.value)
        assert 10 <= len(answers) < len(items)
        assert not any(answer.error for answer in answers.values()), "unanswered is not failed"
        server = start_server(server.port)
        rest = [item for item in items if item.request.key not in answers]
        answers |= {answer.key: answer for answer in engine.serve(ListFeed(rest))}
    finally:
        engine.close()
        server.stop()
    assert len(answers) == len(items) and not any(answer.error for answer in answers.values())


def test_a_server_that_is_restarted_in_time_is_not_even_noticed() -> None:
    server = start_server()
    engine = OpenAIEngine(MODEL, server.url, concurrency=2, retries=8, backoff_s=0.5)
    answers: list[Response] = []
    try:
        for answer in engine.serve(ListFeed(asked(12))):
            answers.append(answer)
            if len(answers) == 4:
                server.kill()
                time.sleep(0.2)
                server = start_server(server.port)
    finally:
        engine.close()
        server.stop()
    assert len(answers) == 12 and not any(answer.error for answer in answers)
    assert max(answer.extra["attempts"] for answer in answers) > 1


def test_a_real_judge_answers_in_the_schema_and_is_found_to_be_useless(
    server: RealServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SmolLM2 as a judge: every reply can be read, and the check on exact items shows what its verdicts are worth."""
    from judged import open_run

    open_run(tmp_path, 2, exact=6)
    code = main(
        [
            "judge",
            "run",
            "--results",
            str(tmp_path),
            "--judge",
            f"openai:{MODEL}@{server.url}",
            "--quiet",
            "--format",
            "json",
            "--concurrency",
            "4",
        ]
    )
    quality = json.loads(capsys.readouterr().out)["judges"][0]["quality"][0]
    assert code == 0
    assert quality["judged"] == 2
    assert quality["check"]["n"] == 6
    assert quality["check"]["agreement"] < 1 or quality["check"]["kappa"] is None
