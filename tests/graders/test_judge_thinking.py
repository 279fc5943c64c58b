"""Judges that think aloud: their verdict is read, paid once, and what they only thought moves no score."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from judge_server import FORM, judge_server, nonce_in
from judged import figures, judge, open_run

from tvbench.graders.judge.record import find_judges
from tvbench.runs.lines import json_line
from tvbench.runs.store import RunFolder

DOUBTS = '{{"reason": "at first sight", "score": 5, "nonce": "{1}"}} or 3/5?\nScore: 4'
VERDICT = FORM.replace("{}", "{0}", 1).replace("{}", "{1}", 1)
FORMS = {
    "tags": f"<think>\n{DOUBTS}\n</think>\n\n{VERDICT}",
    "closing tag only": f"{DOUBTS}</think>{VERDICT}",
    "capitals": f"[THINK]{DOUBTS}[/THINK]{VERDICT}",
    "twice": f"<think>{DOUBTS}</think>\n<think>{DOUBTS}</think>\n{VERDICT}",
    "quotes an answer that closes": f"<think>It reads: </think> {DOUBTS} Well.</think>{VERDICT}",
    "quotes an answer that opens": f"<think>It reads: <think> {DOUBTS} Well.</think>{VERDICT}",
}


def verdicts(folder: Path) -> float:
    return float(figures(folder)["metrics"]["judge"]["value"])


def plain(results: Path) -> float:
    open_run(results)
    with judge_server() as server:
        assert judge(results, server.model) == 0
    return verdicts(results / "run")


@pytest.mark.parametrize("form", FORMS)
def test_a_judge_that_thinks_aloud_is_read_and_paid_once(tmp_path: Path, form: str) -> None:
    expected = plain(tmp_path / "plain")
    results = tmp_path / "aloud"
    open_run(results)
    with judge_server(form=FORMS[form]) as server:
        assert judge(results, server.model) == 0
        asked = sum(server.graded.values())
        assert asked == 12 == len(server.graded)
        assert judge(results, server.model) == 0
        assert sum(server.graded.values()) == asked
    assert verdicts(results / "run") == expected


def test_a_server_that_sets_the_thinking_apart(tmp_path: Path) -> None:
    expected = plain(tmp_path / "plain")
    results = tmp_path / "apart"
    open_run(results)
    with judge_server() as server:
        grade = server.grade

        def apart(call: Any) -> None:
            real = call.reply

            def with_thinking(value: dict[str, Any]) -> None:
                value["choices"][0]["message"]["reasoning"] = DOUBTS.format("", nonce_in(call.text))
                real(value)

            call.reply = with_thinking
            grade(call)

        server.grade = apart  # type: ignore[method-assign]
        assert judge(results, server.model, "--judge-thinking-tokens", "99") == 0
        assert all(body["max_tokens"] > 99 and "response_format" not in body for body in server.bodies)
    assert verdicts(results / "run") == expected
    (judged,) = find_judges(RunFolder(results / "run"))
    assert "|thinking:on(99)" in judged.definition
    assert all(reply.reasoning for reply in judged.store.responses().values())


def test_replies_that_were_stored_with_their_thinking_are_read(tmp_path: Path) -> None:
    folder = open_run(tmp_path)
    with judge_server() as server:
        assert judge(tmp_path, server.model) == 0
        expected, asked = verdicts(folder), sum(server.graded.values())
        (judged,) = find_judges(RunFolder(folder))
        with_thinking(judged.store.path, "5/5 perhaps?")
        assert judge(tmp_path, server.model) == 0
        assert sum(server.graded.values()) == asked
    assert verdicts(folder) == expected


def test_the_answer_is_judged_without_its_thinking(tmp_path: Path) -> None:
    folder = open_run(tmp_path)
    with_thinking(folder, "I am perfect")
    with judge_server() as server:
        assert judge(tmp_path, server.model) == 0
        assert server.graded and not any("perfect" in prompt.partition("answer-")[2] for prompt in server.graded)
    assert verdicts(folder) == plain(tmp_path / "plain")


def with_thinking(folder: Path, thought: str) -> None:
    """Put thinking before every stored answer, as a version before would have stored it."""
    path = folder / "responses.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line.pop("sum")
        line["text"] = f"<think>{thought}</think>\n{line['text']}"
    path.write_text("".join(map(json_line, lines)))
