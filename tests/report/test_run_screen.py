"""The screen that `run` and `score` end with: languages across, intervals always, what is wrong and what to type."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ranked_runs import questions, right_in, write
from run_folders import write_manifest

from tvbench.analysis.alarms import alarms
from tvbench.analysis.diagnosis import language_id
from tvbench.analysis.language_columns import chosen, columns_of
from tvbench.analysis.replies import SAMPLED, replies_of
from tvbench.cli.main import main
from tvbench.report.run_screen import ranged
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.scoring.metrics import metric
from tvbench.types import Figure, Item, Message, Open, Response, Short

Said = pytest.CaptureFixture[str]
WIDTHS = (40, 60, 80, 100, 160)
MANY = ("de", "hi", "ar", "fr", "es", "it", "nl", "pl", "cs", "ru", "zh", "ja", "ko")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("TVBENCH_RESULTS", raising=False)


def score(capsys: Said, *words: str, code: int = 0) -> str:
    assert main(["score", "run", *words]) == code
    return capsys.readouterr().out


def line_of(text: str, *words: str) -> str:
    return next(line for line in text.splitlines() if all(word in line for word in words))


def typed(*words: str) -> None:
    """Let the run say which command it was made by."""
    path = Path("results/run/manifest.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"command": ["tvbench", "run", *words]}))


def write_answers(items: list[Item], answers: Mapping[str, Response]) -> None:
    with RunWriter(Path("results/run")) as writer:
        tasks = [{"task": items[0].task, "protocol": "p", "primary": "accuracy", "signature": "task:t|model:m"}]
        fields: dict[str, Any] = {"run": "run", "model": {"name": "m", "revision": "1"}, "tasks": tasks}
        write_manifest(writer, fields | {"engine": {"name": "e", "version": "1", "settings": {}}})
        writer.write_requests((item.id, item, ()) for item in items)
        writer.start()
        for response in answers.values():
            writer.append(response)


def test_languages_stand_across_with_intervals_and_the_mean(capsys: Said) -> None:
    write(Path("results"), "run", questions(60, ("de", "hi", "en")), right_in(0.8, 1))
    out = score(capsys)
    assert re.search(r"task +metric +German +English +Hindi +mean", out)
    row = line_of(out, "quiz", "[")
    assert len(re.findall(r"\d\d\.\d \[\d\d–\d\d\]", row)) == 4
    assert row.rstrip().endswith("chance 50, always option 1 50"), "constants of the data stand at the right"
    assert "95 % intervals" in out and "180 answers, 0 failed" in out
    assert sum("quiz" in line for line in out.splitlines()) == 1, "a task is one row"
    assert "tvbench explain run" in out and "tvbench leaderboard --languages de,en,hi" in out


def test_all_shows_every_metric(capsys: Said) -> None:
    write(Path("results"), "run", questions(20), right_in(0.8, 1))
    assert "fragment" not in score(capsys) and "case-insensitive" not in score(capsys)
    out = score(capsys, "--all")
    assert all(words in out for words in ("fragment", "case-insensitive", "strict", "pooled", "without"))


def test_of_many_languages_the_best_and_worst_are_shown_and_the_others_counted(capsys: Said) -> None:
    items = questions(30, MANY)
    share = {code: (place + 1) / len(MANY) for place, code in enumerate(MANY)}

    def answer(item: Item) -> str:
        right = int(item.id.rpartition("/")[2]) < 30 * share[item.language]
        return item.target.target if right else "neither"  # type: ignore[union-attr]

    write(Path("results"), "run", items, answer)
    out = score(capsys)
    head = line_of(out, "Korean", "German")
    order = ["Korean", "Japanese", "Chinese", "Russian", "Czech", "Spanish", "French", "Arabic", "Hindi", "German"]
    assert [name for name in re.findall(r"[A-Z][a-z]+", head) if name in order] == order
    assert "3 in" in out and "best and worst of 13 languages; in between: Polish, Dutch, Italian (--all" in out
    assert "Dutch" in line_of(score(capsys, "--all"), "Korean", "German")
    assert re.search(r"German +Hindi +mean", score(capsys, "--languages", "de,hi"))
    assert "Korean" not in score(capsys, "--languages", "Hindi")
    figures = [float(text) for text in re.findall(r"(\d+\.\d) +\[", score(capsys, "--languages", "de,hi"))]
    assert figures[2] == pytest.approx((figures[0] + figures[1]) / 2, abs=0.1), "the mean is of what is shown"
    assert main(["score", "run", "--languages", "tlh"]) == 2


def test_json_and_csv_of_a_run_know_the_filter_too(capsys: Said) -> None:
    write(Path("results"), "run", questions(10, ("de", "hi", "ar")), right_in(0.8, 1))
    (task,) = json.loads(score(capsys, "--languages", "hi,German", "--format", "json"))["tasks"]
    assert set(task["breakdowns"]["language"]) == {"de", "hi"}
    rows = csv.DictReader(io.StringIO(score(capsys, "--languages", "hi", "--format", "csv")))
    assert {row["language"] for row in rows} == {"all", "hi"}
    assert len(json.loads(Path("results/run/result.json").read_text())["tasks"][0]["breakdowns"]["language"]) == 3


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("codes", [("de", "hi", "ar"), MANY])
def test_every_width_keeps_intervals_and_says_what_is_left_out(
    capsys: Said, monkeypatch: pytest.MonkeyPatch, codes: tuple[str, ...], width: int
) -> None:
    write(Path("results"), "run", questions(30, codes), right_in(0.8, 1))
    monkeypatch.setenv("COLUMNS", str(width))
    out = score(capsys)
    shown, intervals = len(re.findall(r"\d\d\.\d ", out)), len(re.findall(r"\d\d\.\d \[\d\d–\d\d\]", out))
    assert shown == intervals >= 1 + min(4, len(codes))
    left_out = re.search(r"(\d+) in\b", out)
    assert (shown - 1) + (int(left_out[1]) if left_out else 0) == len(codes)
    assert "chance 50" in " ".join(out.split()) and "95 % intervals" in out
    text = out[: out.index("why these scores")]
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert any(line.endswith("tvbench explain run") for line in out.splitlines()), "on one line"


def test_an_interval_has_the_decimals_that_it_needs() -> None:
    accuracy = metric("aligned")
    assert ranged(accuracy, Figure(0.812, 100, 0.02, 90, 0.77, 0.854)) == ("81.2", "[77–85]")
    assert ranged(accuracy, Figure(0.554, 20000, 0.001, 900, 0.551, 0.557)) == ("55.4", "[55.1–55.7]")
    assert ranged(metric("bleu"), Figure(31.25, 100)) == ("31.2", "")


# ── What is wrong ─────────────────────────────────────────────────────────────────────────────────


def test_an_incomplete_run_says_so_first_and_what_to_type(capsys: Said) -> None:
    best = right_in(1.0, 1)
    write(Path("results"), "run", questions(20), lambda item: None if item.id in ("de/3", "de/4") else best(item))
    typed("--model", "my model", "--tasks", "quiz")
    out = score(capsys, code=1)
    first, second = out.splitlines()[:2]
    assert "INCOMPLETE: of 40 items 38 were answered, 2 failed" in first
    assert second == "the same command again asks only what is missing: tvbench run --model 'my model' --tasks quiz"
    assert "!" in line_of(out, "quiz", "[") and "! German, quiz: 10 % of the items failed" in out


def test_answers_that_are_no_option_or_cut_off_are_said(capsys: Said) -> None:
    def answer(item: Item) -> str:
        return "I would rather not say" if item.language == "de" else item.target.target  # type: ignore[union-attr]

    write(Path("results"), "run", questions(30), answer)
    out = score(capsys)
    assert "! German, quiz: 100 % of the answers are not one of the options" in out
    assert "=" in line_of(out, "quiz", "[") and "= no better than chance" in out
    assert "English, quiz" not in out


def test_several_languages_with_the_same_fault_are_one_line(capsys: Said) -> None:
    write(Path("results"), "run", questions(30, MANY[:6]), lambda item: "")
    out = score(capsys)
    (line,) = [line for line in out.splitlines() if line.startswith("!")]
    assert line.startswith("! Arabic, German, Spanish, French and 2 more, quiz: 100 % of the answers are empty")


def english(number: int) -> str:
    return f"There are {number} small houses beside the river and nobody lives in them any more"


def german(number: int) -> str:
    return f"Es stehen {number} kleine Häuser am Fluss, und niemand wohnt mehr darin"


def test_answers_in_the_wrong_language_are_said(capsys: Said) -> None:
    pytest.importorskip("pycld2")
    pytest.importorskip("py3langid")
    items = [
        Item(f"{code}/{number}", "t", code, (Message("user", ("?",)),), Short((german(number),)))
        for code in ("de",)
        for number in range(50)
    ]
    texts = [english(number) if number % 5 < 3 else german(number) for number in range(50)]
    write_answers(items, {item.id: Response(item.id, text=text) for item, text in zip(items, texts, strict=True)})
    assert "! German, t: 60 % of the answers are in English" in score(capsys)


def test_cut_off_answers_are_said_and_few_are_not(capsys: Said) -> None:
    items = [Item(f"de/{n}", "t", "de", (Message("user", ("?",)),), Short(("ja",))) for n in range(40)]
    for cut, said in ((8, True), (2, False)):
        finish = {item.id: "length" if place < cut else "stop" for place, item in enumerate(items)}
        write_answers(items, {name: Response(name, text="ja", finish=how) for name, how in finish.items()})
        assert ("20 % of the answers are cut off" in score(capsys)) == said


def test_only_some_answers_are_looked_at() -> None:
    """However many there are: the end of a run stays quick."""
    count = 20 * SAMPLED
    items = [Item(f"de/{n}", "t", "de", (Message("user", ("?",)),), Short((german(n),))) for n in range(count)]
    write_answers(items, {item.id: Response(item.id, text=english(1)) for item in items})
    asked: list[str] = []

    def identify(text: str) -> str:
        asked.append(text)
        return "en" if text.startswith("There") else "de"

    codes = frozenset({"de", "en"})
    identifiers = language_id.Identifiers({"one": identify}, {"one": codes})
    folder = RunFolder(Path("results/run"))
    assert main(["score", "run"]) == 0
    (alarm,) = alarms(folder.result() or [], replies_of(folder), identifiers)
    assert alarm.share == pytest.approx(1.0) and alarm.words == "are in English"
    assert len(asked) <= 2 * SAMPLED + 2


def test_open_answers_wait_in_one_line_with_the_command(capsys: Said) -> None:
    items = [Item(f"de/{n}", "t", "de", (Message("user", ("?",)),), Open("?", "!")) for n in range(7)]
    write_answers(items, {item.id: Response(item.id, text="x") for item in items})
    out = score(capsys)
    assert "open answers: 7 wait for a judge" in out and "tvbench judge run --judge" in out
    assert "nothing scored" in line_of(out, "t  ")


# ── Varieties ─────────────────────────────────────────────────────────────────────────────────────


def test_varieties_that_one_name_asked_for_are_one_column(capsys: Said) -> None:
    write(Path("results"), "run", questions(30, ("arz", "ar-SA", "de")), right_in(0.8, 1))
    assert re.search(r"Saudi Arabic +Egyptian\s", score(capsys).replace("\n", " ")) or "Saudi" in score(capsys)
    typed("--model", "m", "--tasks", "quiz", "--languages=ar,de")
    out = score(capsys)
    assert re.search(r"Arabic\* +German +mean", out)
    assert "* Arabic: Saudi Arabic, Egyptian Arabic taken together" in out


def test_columns_are_few_best_and_worst_by_their_standing_within_each_task() -> None:
    columns = columns_of([MANY])
    up = {code: float(place) for place, code in enumerate(MANY)}
    errors = {code: float(len(MANY) - place) for place, code in enumerate(MANY)}
    for figures in (
        [(metric("aligned"), up)],
        [(metric("ter"), errors)],
        [(metric("aligned"), up), (metric("ter"), errors)],
    ):
        found = chosen(columns, figures)
        assert [column.key for column in found.columns] == [*MANY[:-6:-1], *MANY[4::-1]]
        assert len(found.between) == 3 and found.best == 5
    assert not chosen(columns[:10], [(metric("aligned"), up)]).between, "nothing lies between five and five"
