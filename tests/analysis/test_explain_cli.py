"""`tvbench explain` and `tvbench audit` on made-up runs and tasks: formats, wrong names, runs with nothing in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_folders import write_manifest

from tvbench.analysis import audit as auditing
from tvbench.analysis.audit import audit
from tvbench.analysis.diagnosis import language_id
from tvbench.cli.main import main
from tvbench.runs.writer import RunWriter
from tvbench.types import Choice, Item, Media, Message, OcrText, Response, Target, Translation

Said = pytest.CaptureFixture[str]
COLOURS = ("red", "blue", "green", "yellow")


def question(number: int, text: str = "Which colour has the wall?", language: str = "de", **target: Any) -> Item:
    gold = number % 4
    choice = Choice(**{"options": COLOURS, "gold": gold, "target": "ABCD"[gold], "letters": True, **target})
    lines = [f"{letter}. {option}" for letter, option in zip("ABCD", choice.options, strict=False)]
    prompt = "\n".join([f"{text} (number {number})", *(lines if choice.letters else choice.shown)])
    return Item(
        f"{language}/{number}",
        "quiz",
        language,
        (Message("user", (prompt,)),),
        choice,
        cluster=f"picture {number // 2}",
    )


def sentence(number: int) -> Item:
    target = Translation("A red house stands here today.", (f"Heute steht hier ein rotes Haus mit {number} Türen.",))
    return Item(f"fr/{number}", "texts", "fr", (Message("user", ("Translate",)),), target)


def write(results: Path, name: str, answers: Sequence[tuple[Item, str | None]], tasks: Sequence[str] = ()) -> None:
    named = list(dict.fromkeys([*(item.task for item, _ in answers), *tasks]))
    with RunWriter(results / name) as writer:
        write_manifest(
            writer,
            {
                "run": name,
                "model": {"name": name, "revision": "1"},
                "engine": {"name": "e", "version": "1", "settings": {}},
                "tasks": [
                    {
                        "task": task,
                        "protocol": "p",
                        "dataset": "rows@1",
                        "signature": "s",
                        "primary": "chrfpp" if task == "texts" else "aligned",
                    }
                    for task in named
                ],
            },
        )
        writer.write_requests((f"{name}/{item.task}/{item.id}", item, ()) for item, _ in answers)
        writer.start()
        for item, text in answers:
            key = f"{name}/{item.task}/{item.id}"
            if text != "never asked":
                writer.append(
                    Response(key, text=text, finish="stop")
                    if text is not None
                    else Response(key, error="the server went away")
                )


def filled(results: Path) -> None:
    """A run that always says A, but for a refusal, an empty answer, a failure and one never asked."""
    replies: dict[int, str | None] = {1: "I'm sorry, I cannot see it.", 2: "", 3: None, 4: "never asked"}
    write(
        results,
        "the-run",
        [
            *((question(n), replies.get(n, "A")) for n in range(24)),
            *((question(n, language="en"), "ABCD"[n % 4]) for n in range(8)),
            *((sentence(n), "A red house stands here today.") for n in range(6)),
        ],
    )


def explained(results: Path, capsys: Said, *more: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["explain", "the-run", "--results", str(results), "--format", "json", *more]) == 0
    return {record["task"]: record for record in json.loads(capsys.readouterr().out)}


# ── explain ───────────────────────────────────────────────────────────────────────────────────────


def test_json_has_every_figure(tmp_path: Path, capsys: Said) -> None:
    filled(tmp_path)
    tasks = explained(tmp_path, capsys)
    assert [part["language"] for part in tasks["quiz"]["languages"]] == ["de", "en"], "the worst first"
    german, english = tasks["quiz"]["languages"]
    assert (german["items"], german["answered"], german["failed"]) == (24, 22, 1)
    assert german["counts"]["refusal"] == german["counts"]["empty"] == 1
    assert german["loss_shares"]["refusal"] == pytest.approx(1 / german["losses"]["total"])
    assert german["position"]["gold"] == [6, 6, 6, 6] and german["position"]["chosen"] == [20, 0, 0, 0]
    assert german["position"]["score"][0] == 1 and german["position"]["always_first"] == 0.25
    assert english["mean_loss"] == 0 and english["examples"] == [] and english["losses"]["by"] == {}
    assert len(german["examples"]) == 10
    assert {one["cause"] for one in german["examples"]} == {"wrong", "refusal", "empty"}
    assert all(one["gold"].split(". ")[1] in COLOURS and one["lost"] == 1 for one in german["examples"])
    assert any("position bias in German (de)" in line for line in tasks["quiz"]["findings"])
    (french,) = tasks["texts"]["languages"]
    assert tasks["texts"]["metric"] == "chrfpp" and french["counts"]["copied"] == 6
    assert french["loss_shares"] == {"copied": 1}


def test_the_same_examples_every_time_and_as_many_as_wanted(tmp_path: Path, capsys: Said) -> None:
    filled(tmp_path)
    first = explained(tmp_path, capsys, "--examples", "4")
    assert first == explained(tmp_path, capsys, "--examples", "4")
    assert [len(part["examples"]) for part in first["quiz"]["languages"]] == [4, 0]
    assert not explained(tmp_path, capsys, "--examples", "0")["quiz"]["languages"][0]["examples"]


def test_tasks_and_languages_are_chosen(tmp_path: Path, capsys: Said) -> None:
    filled(tmp_path)
    assert list(explained(tmp_path, capsys, "--tasks", "texts")) == ["texts"]
    chosen = explained(tmp_path, capsys, "--languages", "English")
    assert list(chosen) == ["quiz"] and [part["language"] for part in chosen["quiz"]["languages"]] == ["en"]


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_people_read_causes_losses_positions_and_examples(tmp_path: Path, capsys: Said, form: str) -> None:
    filled(tmp_path)
    assert main(["explain", "the-run", "--results", str(tmp_path), "--format", form, "--all", "--examples"]) == 0
    shown = capsys.readouterr().out
    titles = ["what the answers look like", "where the points went", "positions and ceilings", "examples of answers"]
    places = [shown.index(title) for title in titles]
    assert places == sorted(places)
    assert "100 % of the loss in French (fr) is 'source copied': 6 of 6 answers" in shown
    assert "I'm sorry, I cannot see it." in shown and "6/6/6/6" in shown
    if form == "markdown":
        body = [line for line in shown.splitlines() if line.startswith("|")]
        assert shown.startswith("### the-run") and all(line.endswith("|") for line in body)


def test_without_identifiers_nothing_is_claimed_about_languages(
    tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path)
    monkeypatch.setattr(language_id, "load", lambda: None)
    assert main(["explain", "the-run", "--results", str(tmp_path), "--all"]) == 0
    assert "not judged: pip install 'tvbench[langid]'" in capsys.readouterr().out
    record = explained(tmp_path, capsys)["texts"]
    assert record["languages"][0]["check"] is None and "pip install" in record["language_identification"]


def test_missing_packages_are_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pycld2", None)
    language_id.load.cache_clear()
    try:
        assert language_id.load() is None
    finally:
        language_id.load.cache_clear()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["explain", "the-rum"], "the-run"),
        (["explain", "the-run", "--tasks", "quizz"], "Did you mean quiz?"),
        (["explain", "the-run", "--languages", "dee"], "Did you mean"),
        (["explain", "the-run", "--languages", "ko"], "unknown language in this run 'ko'"),
        (["audit", "mini-alms"], "Did you mean mini-alm"),
        (["audit", "the-rum"], "the-run"),
        (["audit", "the-run", "--languages", "ko"], "unknown language in this run 'ko'"),
        (["audit", "the-run", "--protocol", "paper"], "--protocol is for a task"),
        (["audit", "mini-alm", "--protocol", "papr"], "unknown protocol 'papr'"),
        (["audit", "mini-alm:xx"], "unknown language 'xx'"),
        (["audit", "empty-run"], "holds no items"),
        (["audit", ""], "unknown task or run"),
    ],
)
def test_wrong_names_are_answered_with_the_right_ones(
    tmp_path: Path, capsys: Said, words: list[str], said: str
) -> None:
    filled(tmp_path)
    write(tmp_path, "empty-run", [], ["quiz"])
    assert main([*words, "--results", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert said in shown.err and not shown.out


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_runs_with_nothing_in_them(tmp_path: Path, capsys: Said, form: str) -> None:
    write(tmp_path, "no-tasks", [])
    write(tmp_path, "no-items", [], ["quiz"])
    write(tmp_path, "no-answers", [(question(n), "never asked") for n in range(3)])
    write(tmp_path, "all-failed", [(question(n), None) for n in range(3)])
    for name, expected in (
        ("no-items", "the run holds no items of this task"),
        ("no-answers", "none of 3 items is answered (0 failed"),
        ("all-failed", "none of 3 items is answered (3 failed"),
    ):
        assert main(["explain", name, "--results", str(tmp_path), "--format", form]) == 0
        shown = capsys.readouterr().out
        assert expected in shown
        if form == "json":
            assert json.loads(shown)[0]["task"] == "quiz"
    assert main(["explain", "no-tasks", "--results", str(tmp_path), "--format", form]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == ("[]" if form == "json" else "") and (form == "json") != ("no tasks" in said.err)


def test_everything_right_is_said_so(tmp_path: Path, capsys: Said) -> None:
    write(tmp_path, "the-run", [(question(n), "ABCD"[n % 4]) for n in range(8)])
    assert main(["explain", "the-run", "--results", str(tmp_path), "--examples"]) == 0
    shown = capsys.readouterr().out
    assert "nothing was lost" in shown and "examples of answers" not in shown


# ── audit ─────────────────────────────────────────────────────────────────────────────────────────


def kinds(*items: Item, keys: Sequence[str] = ()) -> list[tuple[str, str]]:
    pairs = [(keys[n] if keys else f"key {n}", item) for n, item in enumerate(items)]
    report = audit("quiz", "p", "rows", pairs)
    return [(finding.kind, finding.item) for part in report.languages for finding in part.findings]


def test_leaks_are_whole_words_of_the_right_option_alone() -> None:
    def asked(text: str, number: int = 0) -> list[tuple[str, str]]:
        return kinds(question(number, text))

    assert asked("Which colour has the red wall?") == [("leak", "de/0")]
    assert asked("Which colour has the redder wall?") == []
    assert asked("Is the wall red or blue?") == []
    assert asked("Which colour has the blue wall?") == []
    assert asked("Which colour has the Blue, blue wall?", 1) == [("leak", "de/1")]
    shown = replace(
        question(0),
        target=Choice(COLOURS, 0, "red", shown=COLOURS),
        messages=(Message("user", ("Which colour?\nred\nblue\ngreen\nyellow",)),),
    )
    assert kinds(shown) == [], "the options below the question are no leak"
    one_line = replace(shown, messages=(Message("user", ("Which colour?\nred, blue, green, yellow",)),))
    assert kinds(one_line) == []


def test_words_that_begin_every_prompt_are_not_the_question() -> None:
    items = [question(0, f"Choose the red answer. {what}") for what in ("Which wall?", "Whose wall?", "What wall?")]
    items = [replace(item, id=f"de/{n}") for n, item in enumerate(items)]
    assert kinds(*items) == []
    assert ("leak", "de/0") in kinds(*items[:2]), "two are too few to tell"


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (Choice((), None, "None", shown=("None",)), "unparsed"),
        (Choice(COLOURS, None, "purple"), "unparsed"),
        (Choice(COLOURS, 0, "Red", shown=COLOURS), "unreachable"),
        (Choice(("red", "Red.", "blue"), 2, "C", letters=True), "equal_options"),
        (OcrText(None), "no_answer"),
        (Translation("A house", ()), "no_answer"),
        (Translation("A house", ("a house.",)), "untranslated"),
    ],
)
def test_what_is_wrong_with_a_target(target: Target, kind: str) -> None:
    assert kinds(replace(question(0), target=target)) == [(kind, "de/0")]


def test_sound_items_are_left_alone() -> None:
    assert kinds(*(question(n) for n in range(8))) == []
    assert kinds(sentence(0), sentence(1)) == []
    assert kinds(replace(question(0), target=Choice(COLOURS, 0, "red", shown=COLOURS))) == []


def test_every_kind_of_finding_is_known() -> None:
    bad = replace(question(0), problem="no picture")
    assert kinds(bad) == [("problem", "de/0")]
    assert set(auditing.KINDS) >= {"problem", "same_id", "duplicate"}


def test_duplicates_share_question_and_picture() -> None:
    one = replace(question(0), cluster="p1")
    assert kinds(one, replace(one, id="de/x")) == [("duplicate", "de/x")]
    assert kinds(one, replace(one, id="de/x", cluster="p2")) == []
    assert kinds(one, replace(question(1), cluster="p1")) == []
    assert kinds(one, replace(one, id="de/0@1", repeat=1)) == []
    assert kinds(one, replace(question(1), id="de/0#2")) == [("same_id", "de/0#2")]
    picture = Media("image", "a.png", bytes)
    seen = replace(one, messages=(Message("user", (picture, "Which?")),))
    again = replace(seen, id="de/x", messages=(Message("user", (Media("image", "b.png", bytes), "Which?")),))
    assert kinds(seen, again, keys=("same", "same")) == [("duplicate", "de/x")]
    assert kinds(seen, again, keys=("one", "other")) == []


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_a_run_is_audited_without_its_answers(tmp_path: Path, capsys: Said, form: str) -> None:
    write(tmp_path, "the-run", [(question(n), None) for n in range(8)])
    assert main(["audit", "the-run", "--results", str(tmp_path), "--format", form]) == 0
    shown = capsys.readouterr().out
    if form == "json":
        ((part,),) = [record["languages"] for record in json.loads(shown)]
        assert part["gold"] == [2, 2, 2, 2] and part["pictures"] == 4 and part["least"] == part["most"] == 2
        assert part["media"] == {"0": 8} and part["baselines"]["always_first"] == 0.25
    else:
        assert "2/2/2/2" in shown and "25.0" in shown and "stands first in 2 of 8 items" in shown
        assert "always takes the first" not in shown


def test_a_task_is_built_as_a_run_builds_it(tmp_path: Path, capsys: Said) -> None:
    command = ["audit", "mini-alm:de+fr", "--limit", "12", "--results", str(tmp_path), "--format", "json"]
    assert main(command) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert [part["language"] for part in record["languages"]] == ["de", "fr"]
    assert all(part["items"] == 12 and not part["findings"] for part in record["languages"])
    assert record["dataset"].startswith("tvbench-mini")
    assert main(["audit", "mini-alm", "--languages", "German", "--limit", "4", "--results", str(tmp_path)]) == 0
    assert "4 items in 1 language\n" in capsys.readouterr().out
