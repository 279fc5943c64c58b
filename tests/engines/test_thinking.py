"""Models that think aloud, by a real one in this process and by servers that say it in every way that servers do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_requests import ask, card_for
from engine_requests import serve as serve_all
from fault_server import FaultServer, fault_server, status
from feeds import ListFeed, question
from thinking_model import ENDLESS, GOLD, PLAIN, thinking_task, write_model

import tvbench
from tvbench.analysis.assess import assess
from tvbench.engines.openai.engine import OpenAIEngine
from tvbench.engines.transformers import TransformersEngine
from tvbench.errors import EngineError, UsageError
from tvbench.runs.signature import comparable
from tvbench.runs.store import RunFolder
from tvbench.types import ModelCard, Response, Sampling

ROME, NORWAY = "Capital of Italy?", "Capital of Norway?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("thinks") / "thinker")


def answers(folder: Path, sampling: Sampling = Sampling(max_new_tokens=16), **reasoning: object) -> dict[str, Response]:
    engine = TransformersEngine(folder, card_for(folder, reasoning=reasoning), dtype="float32")
    return serve_all(engine, [ask(name, name, sampling=sampling) for name in GOLD])


def test_a_real_model_answers_after_its_thinking(folder: Path) -> None:
    came = answers(folder, max_tokens=50)
    rome = came[ROME]
    assert (rome.text, rome.reasoning, rome.finish) == ("Rome", "It is not Milan.\nIt is Rome.", "stop")
    assert rome.tokens_thinking == len("It is not Milan.\nIt is Rome.") + len("\n\n\n\n") + 2
    assert rome.tokens_out == rome.tokens_thinking + len("Rome") + 1
    assert came[NORWAY].text == "Bergen" and came[PLAIN].text == "Tokyo" and came[PLAIN].reasoning is None
    endless = came[ENDLESS]
    assert (endless.text, endless.finish, endless.tokens_thinking) == ("", "length", 50) and endless.ran_out_thinking
    assert endless.tokens_out == 50 + 16 and (endless.reasoning or "").startswith("la la la")


def test_the_budget_holds_for_the_thinking_and_the_answer_each(folder: Path) -> None:
    scarce = answers(folder, max_tokens=20)
    assert scarce[ROME].ran_out_thinking and scarce[ROME].tokens_thinking == 20
    assert scarce["Capital of France?"].text == "Paris"  # its thinking takes 18
    short = answers(folder, Sampling(max_new_tokens=3), max_tokens=50)
    assert (short[ROME].text, short[ROME].finish) == ("Rom", "length")
    assert (short[PLAIN].text, short[PLAIN].finish) == ("Tok", "length")


def test_stop_strings_count_in_the_answer_only(folder: Path) -> None:
    stopped = answers(folder, Sampling(max_new_tokens=16, stop=("o", "is")), max_tokens=50)
    assert (stopped[ROME].text, stopped[ROME].finish) == ("R", "stop")
    assert stopped[ROME].reasoning == "It is not Milan.\nIt is Rome."
    assert stopped["Capital of France?"].text == "Par"


@pytest.mark.parametrize("how", [{"special": True}, {"opened": True}, {"special": True, "opened": True}])
def test_special_tokens_and_a_template_that_opens_change_nothing(
    folder: Path, tmp_path: Path, how: dict[str, bool]
) -> None:
    other = write_model(tmp_path / "other", **how)
    expected, came = answers(folder, max_tokens=50), answers(other, max_tokens=50)
    names = [name for name in GOLD if name not in (PLAIN, ENDLESS)]
    assert [(came[name].text, came[name].reasoning) for name in names] == [
        (expected[name].text, expected[name].reasoning) for name in names
    ]
    assert came[ENDLESS].ran_out_thinking
    undeclared = answers(other)
    assert undeclared[ROME].text == "" and undeclared[ROME].ran_out_thinking


def test_a_text_that_is_scored_inside_the_thinking_says_so(folder: Path, tmp_path: Path) -> None:
    opened = write_model(tmp_path / "opened", opened=True)
    notes = []
    for place, reasoning in ((folder, {}), (opened, {}), (opened, {"enabled": False})):
        engine = TransformersEngine(place, card_for(place, reasoning=reasoning), dtype="float32")
        (came,) = serve_all(engine, [ask("q", ROME, continuation="Rome")]).values()
        assert came.text == "Rome" and came.reasoning is None
        notes.append(came.notes)
    assert notes[0] == notes[2] == () and "inside the model's thinking" in notes[1][0]


def test_told_not_to_think_it_answers_at_once(folder: Path) -> None:
    came = answers(folder, enabled=False)
    assert [came[name].text for name in (ROME, NORWAY, ENDLESS)] == ["Rome", "Bergen", "Lima"]
    assert all(answer.reasoning is None for answer in came.values())
    assert answers(folder, enabled=True, max_tokens=50)[ROME].reasoning


def test_a_template_without_a_switch_refuses_no_thinking(folder: Path, tmp_path: Path) -> None:
    plain = write_model(tmp_path / "plain")
    (plain / "chat_template.jinja").write_text(
        "{% for m in messages %}<|user|>{{ m.content }}{% endfor %}<|assistant|>"
    )
    with pytest.raises(UsageError, match="knows no enable_thinking"):
        tvbench.run(plain, thinking_task(), results=tmp_path / "results", thinking=False)
    assert not list((tmp_path / "results").glob("*"))
    with pytest.raises(UsageError, match="--thinking: the chat template .* knows no enable_thinking"):
        tvbench.run(plain, thinking_task(), results=tmp_path / "results", thinking=True)
    assert not list((tmp_path / "results").glob("*"))
    with pytest.raises(UsageError, match="--no-thinking turns it off"):
        tvbench.run(plain, thinking_task(), results=tmp_path / "results", thinking=False, thinking_tokens=5)


def test_a_run_scores_the_answers_and_explains_the_rest(folder: Path, tmp_path: Path) -> None:
    runs = {
        name: tvbench.run(folder, thinking_task(), results=tmp_path, **options)  # type: ignore[arg-type]
        for name, options in {"on": {"thinking_tokens": 50}, "off": {"thinking": False}, "silent": {}}.items()
    }
    results = {name: run.results["capitals"] for name, run in runs.items()}
    assert [round(results[name].metrics["accuracy"].value * 6) for name in runs] == [4, 4, 1]
    assert "|thinking:on(50)|" in results["on"].signature and "|thinking:off|" in results["off"].signature
    assert "thinking" not in results["silent"].signature
    assert len({comparable(result.signature) for result in results.values()}) == 3
    assert any("1 of 6 replies ran out while thinking" in text for text in results["on"].warnings)
    assert any("5 of 6 replies begin with thinking" in text for text in results["silent"].warnings)
    (told,) = tvbench.explain(runs["on"])
    losses = {name: counts for name, counts in told.languages[0].counts.items() if counts}
    assert losses == {"thinking": 1}
    assert {example.item: example.cause for example in told.languages[0].examples} == {
        ENDLESS: "thinking",
        NORWAY: "wrong",
    }
    stored = [json.loads(line) for line in (runs["on"].path / "responses.jsonl").read_text().splitlines()]
    assert {line["text"]: line.get("reasoning") for line in stored}["Paris"] == "Easy: Paris."
    assert "reasoning" not in next(line for line in stored if line["text"] == "Tokyo")


def test_answers_of_before_are_taken_apart_when_they_are_read(folder: Path, tmp_path: Path) -> None:
    """A folder whose answers hold the thinking scores as one that has it apart, and goes on."""
    run = tvbench.run(folder, thinking_task(), results=tmp_path, thinking_tokens=50)
    path = run.path / "responses.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        del line["sum"]
        if thought := line.pop("reasoning", None):
            closed = "" if line["text"] == "" else "\n</think>\n\n"
            line["text"] = f"<think>\n{thought}{closed}{line['text']}"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (scored,) = assess(RunFolder(run.path), [thinking_task()])
    assert scored.metrics == run.results["capitals"].metrics
    assert scored.counts == run.results["capitals"].counts


# ── Servers ───────────────────────────────────────────────────────────────────────────────────────

Make = Callable[..., OpenAIEngine]
Json = dict[str, Any]
ASKED = Sampling(max_new_tokens=8)
TEXT = {"type": "text", "text": "Rome"}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server() as running:
        yield running


def told(
    server: FaultServer,
    message: Json,
    finish: str = "stop",
    sampling: Sampling = ASKED,
    usage: Json | None = None,
    **said: Any,
) -> Response:
    """What becomes of a reply with that `message`; `said` is what the card says of thinking."""
    reply = {
        "model": "m",
        "usage": usage or {},
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
    }
    server.everything = lambda call: call.reply(reply)
    card = ModelCard("m", "server", "m", url=server.root, reasoning=said)
    engine = OpenAIEngine("m", server.root, api_key="", backoff_s=0.002, card=card)
    try:
        (response,) = engine.serve(ListFeed([question("q", sampling=sampling)]))
    finally:
        engine.close()
    return response


@pytest.mark.parametrize("said", [{}, {"max_tokens": 50}])
@pytest.mark.parametrize(
    "message",
    [
        {"content": "<think>hm</think>\n\nRome"},
        {"content": "hm</think>\n\nRome"},
        {"content": "Rome", "reasoning_content": "hm"},
        {"content": "Rome", "reasoning": "hm"},
        {"content": "Rome", "reasoning": "hm", "reasoning_content": "hm"},
        {"content": "\n\nRome", "reasoning_content": "\nhm\n"},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                {"type": "text", "text": "Rome"},
            ]
        },
        {"content": [{"type": "reasoning", "text": "hm"}, TEXT]},
    ],
)
def test_a_server_says_it_in_many_ways(server: FaultServer, message: Json, said: Json) -> None:
    response = told(server, message, **said)
    assert (response.text, response.reasoning, response.finish, response.error) == ("Rome", "hm", "stop", None)


def test_a_reply_without_thinking_stays_as_it_is(server: FaultServer) -> None:
    silent: Json = {}
    for said in (silent, {"max_tokens": 50}):
        response = told(server, {"content": "\n Rome \n", "reasoning_content": None, "reasoning": ""}, **said)
        assert (response.text, response.reasoning) == ("\n Rome \n", None)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"content": None, "reasoning_content": "hm"}, {}),
        ({"content": "", "reasoning": "hm"}, {"max_tokens": 50}),
        ({"content": "<think>hm"}, {}),
        ({"content": "hm"}, {"max_tokens": 50}),
        ({"content": "hm"}, {"opened": True}),
    ],
)
def test_a_server_that_runs_out_while_thinking(server: FaultServer, message: Json, said: Json) -> None:
    response = told(server, message, "length", **said)
    assert (response.text, response.reasoning, response.finish) == ("", "hm", "length") and response.ran_out_thinking


def test_thinking_that_is_only_counted_can_run_out_too(server: FaultServer) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 58, "completion_tokens_details": {"reasoning_tokens": 58}}
    response = told(server, {"content": ""}, "length", usage=usage, max_tokens=50)
    assert response.ran_out_thinking and response.tokens_thinking == 58


def test_a_server_is_held_to_both_budgets(server: FaultServer) -> None:
    def usage(thought: int | None, all_in_all: int) -> Json:
        details = {} if thought is None else {"completion_tokens_details": {"reasoning_tokens": thought}}
        return {"prompt_tokens": 3, "completion_tokens": all_in_all, **details}

    long = {"content": "Rome is the capital of Italy", "reasoning": "h" * 28}
    assert told(server, long, usage=usage(50, 58), max_tokens=50).text == long["content"]
    cut = told(server, long, usage=usage(42, 58), max_tokens=50)
    assert (cut.text, cut.finish, cut.tokens_thinking) == (long["content"][:14], "length", 42)
    beyond = told(server, long, usage=usage(51, 58), max_tokens=50)
    assert (beyond.text, beyond.finish) == ("", "length") and beyond.ran_out_thinking
    guessed = told(server, long, usage=usage(None, 32), max_tokens=50)
    assert guessed.text == long["content"][:14] and guessed.finish == "length"
    assert any("share of the bytes" in note for note in guessed.notes)
    assert told(server, {"content": "Rome", "reasoning": "hm"}, usage=usage(None, 58), max_tokens=50).notes == ()


def test_what_a_server_is_sent(server: FaultServer) -> None:
    stopping = Sampling(max_new_tokens=8, stop=("\n", "e"))
    spoken = told(server, {"content": "<think>a\nb</think>Rome\nor"}, sampling=stopping, max_tokens=50)
    assert (spoken.text, spoken.reasoning, spoken.finish) == ("Rom", "a\nb", "stop")
    body = server.bodies[-1]
    assert body["max_tokens"] == 58 and "stop" not in body and "chat_template_kwargs" not in body
    told(server, {"content": "Rome"}, sampling=stopping)
    assert server.bodies[-1]["max_tokens"] == 8 and server.bodies[-1]["stop"] == ["\n", "e"]
    told(server, {"content": "Rome"}, enabled=False)
    assert server.bodies[-1]["max_tokens"] == 8
    assert server.bodies[-1]["chat_template_kwargs"] == {"enable_thinking": False}
    told(server, {"content": "Rome"}, enabled=True, switch="thinking", max_tokens=50)
    assert server.bodies[-1]["chat_template_kwargs"] == {"thinking": True}


def test_a_server_that_thinks_although_it_was_told_not_to(server: FaultServer) -> None:
    response = told(server, {"content": "Rome", "reasoning": "hm"}, enabled=False)
    assert response.text == "Rome" and any("told not to" in note for note in response.notes)


def test_a_server_that_takes_an_answer_for_thinking(server: FaultServer) -> None:
    """vLLM's parsers do where nothing closes what they believe to be open."""
    misfiled = {"content": None, "reasoning": "Rome"}
    quiet = told(server, misfiled, enabled=False)
    assert (quiet.text, quiet.reasoning, quiet.notes) == ("Rome", None, ())
    silent = told(server, misfiled)
    assert (silent.text, silent.reasoning) == ("", "Rome") and not silent.ran_out_thinking
    assert any("no answer" in note for note in silent.notes)


def test_a_server_that_takes_no_switch_ends_the_run(server: FaultServer) -> None:
    server.everything = status(400, "Unrecognized request argument supplied: chat_template_kwargs")
    card = ModelCard("m", "server", "m", url=server.root, reasoning={"enabled": False})
    engine = OpenAIEngine("m", server.root, api_key="", backoff_s=0.002, card=card)
    with pytest.raises(EngineError, match="whether to think"):
        list(engine.serve(ListFeed([question("q")])))
    engine.close()


def test_a_server_that_shows_its_template_is_refused_before_it_is_asked(server: FaultServer) -> None:
    server.pages["/v1/models"] = {"object": "list", "data": [{"id": "m", "owned_by": "llamacpp"}]}
    server.pages["/props"] = {"chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}"}
    card = ModelCard("m", "server", "m", url=server.root, reasoning={"enabled": False})
    with pytest.raises(UsageError, match="knows no enable_thinking"):
        OpenAIEngine("m", server.root, api_key="", backoff_s=0.002, card=card)
    server.pages["/props"] = {"chat_template": "{% if enable_thinking %}<think>{% endif %}"}
    OpenAIEngine("m", server.root, api_key="", backoff_s=0.002, card=card).close()
    assert not server.bodies
