"""`tvbench compare`: two runs joined item by item, through the command line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from json_schema import problems
from repository import SHARED
from run_folders import write_manifest

from tvbench.cli.main import main
from tvbench.report.comparison_schema import comparison_schema
from tvbench.runs.writer import RunWriter
from tvbench.types import Choice, Item, Message, Response, Translation

LOGS = SHARED / "data" / "tvision_results"
Said = pytest.CaptureFixture[str]


def question(number: int, language: str = "de") -> Item:
    return Item(
        f"{language}/{number}",
        "quiz",
        language,
        (Message("user", ("Which?",)),),
        Choice(("red", "blue"), number % 2, "AB"[number % 2], letters=True),
        cluster=f"picture {number}",
    )


def sentence(number: int) -> Item:
    target = Translation("A red house.", (f"Ein rotes Haus steht an der Straße {number}.",))
    return Item(f"de/{number}", "texts", "de", (Message("user", ("Translate",)),), target)


def write(
    results: Path, name: str, answers: Sequence[tuple[Item, str | None]], signature: str = "task:x|data:y"
) -> None:
    tasks = list(dict.fromkeys(item.task for item, _ in answers))
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
                        "primary": "chrfpp" if task == "texts" else "aligned",
                        "signature": signature if "|model:" in signature else f"{signature}|model:{name}",
                    }
                    for task in tasks
                ],
            },
        )
        writer.write_requests((f"{name}/{item.task}/{item.id}", item, ()) for item, _ in answers)
        writer.start()
        for item, text in answers:
            key = f"{name}/{item.task}/{item.id}"
            writer.append(Response(key, text=text) if text is not None else Response(key, error="no"))


def right(item: Item) -> str:
    assert isinstance(item.target, Choice)
    return item.target.target


def wrong(item: Item) -> str:
    return {"A": "B", "B": "A"}[right(item)]


def compared(results: Path, capsys: Said, *more: str, runs: Sequence[str] = ("a-run", "b-run")) -> dict[str, Any]:
    assert main(["compare", *runs, "--results", str(results), "--format", "json", *more]) == 0
    found = dict(json.loads(capsys.readouterr().out))
    assert not list(problems(found, comparison_schema()))
    return found


def test_a_difference_is_found_where_it_is_and_nowhere_else(tmp_path: Path, capsys: Said) -> None:
    german, french = [question(n) for n in range(60)], [question(n, "fr") for n in range(60)]
    first = [(one, wrong(one) if n < 30 else right(one)) for n, one in enumerate(german)]
    second = [(one, wrong(one) if n < 5 else right(one)) for n, one in enumerate(german)]
    same = [(one, wrong(one) if n % 3 else right(one)) for n, one in enumerate(french)]
    write(tmp_path, "a-run", [*first, *same])
    write(tmp_path, "b-run", [*second, *same])
    (task,) = compared(tmp_path, capsys)["tasks"]
    languages = {one["language"]: one for one in task["languages"]}
    assert languages["de"]["comparison"]["difference"] == pytest.approx(25 / 60)
    assert languages["de"]["p"] < 0.001 and languages["fr"]["p"] == 1.0
    assert languages["fr"]["comparison"]["difference"] == 0
    assert task["overall"]["difference"] == pytest.approx(25 / 120)
    assert main(["compare", "a-run", "b-run", "--results", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "b-run against a-run, of 2: better in 1: German; equal in 1: French"
    assert any(" German " in line and line.rstrip().endswith("better") for line in lines)
    assert any(" French " in line and line.rstrip().endswith("equal") for line in lines)


def test_noise_cannot_be_told_apart(tmp_path: Path, capsys: Said) -> None:
    items = [question(n) for n in range(40)]
    write(tmp_path, "a-run", [(one, right(one) if n % 2 else wrong(one)) for n, one in enumerate(items)])
    other = [(one, right(one) if n % 2 or n == 0 else wrong(one)) for n, one in enumerate(items)]
    write(tmp_path, "b-run", other)
    assert main(["compare", "a-run", "b-run", "--results", str(tmp_path), "--format", "markdown"]) == 0
    assert "cannot tell" in capsys.readouterr().out


def test_what_one_run_lacks_is_left_out_of_both_and_counted(tmp_path: Path, capsys: Said) -> None:
    items = [question(n) for n in range(20)]
    write(tmp_path, "a-run", [(one, right(one)) for one in items])
    other = [(one, None if n < 4 else right(one)) for n, one in enumerate(items[:18])]
    write(tmp_path, "b-run", other, "task:x|data:z")
    (task,) = compared(tmp_path, capsys)["tasks"]
    assert task["overall"]["items"] == 14 and task["left_out"] == 4 and task["same_signature"] is False
    assert main(["compare", "a-run", "b-run", "--results", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "4 items left out" in shown and "leaderboard` say how" in shown


def test_translations_are_compared_by_their_corpus_score(tmp_path: Path, capsys: Said) -> None:
    items = [sentence(n) for n in range(50)]
    write(tmp_path, "a-run", [(one, f"Ein Haus {n}.") for n, one in enumerate(items)])
    write(tmp_path, "b-run", [(one, f"Ein rotes Haus steht an der Straße {n}.") for n, one in enumerate(items)])
    (task,) = compared(tmp_path, capsys)["tasks"]
    assert task["metric"] == "chrfpp" and task["overall"]["second"] == pytest.approx(100)
    assert task["overall"]["low"] > 0 and task["overall"]["p"] < 0.001
    (task,) = compared(tmp_path, capsys, "--metric", "BLEU", "--resamples", "200")["tasks"]
    assert task["metric"] == "bleu" and task["overall"]["second"] == pytest.approx(100)


def test_latex_is_a_table_without_raw_marks(tmp_path: Path, capsys: Said) -> None:
    items = [question(n) for n in range(12)]
    write(tmp_path, "a-run", [(one, right(one)) for one in items])
    write(tmp_path, "b-run", [(one, wrong(one)) for one in items])
    assert main(["compare", "a-run", "b-run", "--results", str(tmp_path), "--format", "latex"]) == 0
    shown = capsys.readouterr().out
    body = [line for line in shown.splitlines() if line.endswith(r"\\")]
    assert shown.startswith("\\begin{tabular}") and shown.count("\\end{tabular}") == 1
    assert len({line.count(" & ") for line in body}) == 1
    assert "95 \\% interval" in shown and "-100.0" in shown


@pytest.mark.parametrize(
    "words",
    [
        ["compare", "a-run", "nope"],
        ["compare", "a-run", "a-run", "--metric", "blue"],
        ["compare", "a-run", "c-run"],
        ["compare", "a-run", "b-run", "--metric", "chrf++"],
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, capsys: Said, words: list[str]) -> None:
    write(tmp_path, "a-run", [(question(n), "A") for n in range(4)])
    write(tmp_path, "b-run", [(question(n), "B") for n in range(4)])
    write(tmp_path, "c-run", [(sentence(n), "Haus") for n in range(4)])
    assert main([*words, "--results", str(tmp_path)]) == 2
    assert "tvbench: " in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not LOGS.is_dir(), reason=f"needs the logs in {LOGS} (set TVBENCH_SHARED)")
def test_the_two_real_checkpoints(tmp_path: Path, capsys: Said) -> None:
    """On 532 questions ALM-Bench cannot tell the two apart; 3,000 captions can."""
    main(["import", "lmms-eval", str(LOGS), "--results", str(tmp_path)])
    capsys.readouterr()
    first, second = sorted(path.name for path in tmp_path.iterdir())
    assert main(["compare", first, second, "--results", str(tmp_path), "--resamples", "1000", "--format", "json"]) == 0
    tasks = {one["task"]: one for one in json.loads(capsys.readouterr().out)["tasks"]}
    alm, multi30k = tasks["alm"], tasks["multi30k"]
    assert alm["metric"] == "strict" and alm["overall"]["p"] > 0.05
    assert alm["overall"]["low"] < 0 < alm["overall"]["high"]
    assert multi30k["overall"]["low"] > 0 and multi30k["overall"]["p"] < 0.01
    assert all(one["same_signature"] for one in tasks.values())


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (
            "v@1+dtype=x",
            "v@1+dtype=x,image_backend=torchvision",
            "a-run has the default, b-run has image_backend=torch",
        ),
        ("v@1+dtype=x", "v@2+dtype=y", "a-run has dtype=x, b-run has dtype=y"),
        ("v@1+dtype=x", "v@1+dtype=x", ""),
        ("v@1+dtype=x", "w@1+dtype=y", ""),
    ],
)
def test_other_settings_of_one_engine_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, first: str, second: str, said: str
) -> None:
    for name, engine in (("a-run", first), ("b-run", second)):
        items = [question(n) for n in range(6)]
        write(tmp_path, name, [(item, right(item)) for item in items], f"task:x|data:y|model:m@1|engine:{engine}")
    assert main(["compare", "a-run", "b-run", "--results", str(tmp_path), "--resamples", "20"]) == 0
    told = caplog.text
    assert (said in told and "one engine with other settings" in told) if said else "settings" not in told


def test_tasks_and_languages_can_be_chosen(tmp_path: Path, capsys: Said) -> None:
    items = [question(n, code) for code in ("de", "fr") for n in range(6)]
    for name in ("a-run", "b-run"):
        write(tmp_path, name, [*((one, right(one)) for one in items), (sentence(1), "Ein Haus")])
    assert [one["task"] for one in compared(tmp_path, capsys)["tasks"]] == ["quiz", "texts"]
    (task,) = compared(tmp_path, capsys, "--tasks", "quiz", "--languages", "French")["tasks"]
    assert [one["language"] for one in task["languages"]] == ["fr"]
    assert task["overall"]["items"] == 6
    assert task["left_out"] == 0
    for words, said in ((["--tasks", "quizz"], "quiz"), (["--languages", "it"], "unknown language in these runs 'it'")):
        assert main(["compare", "a-run", "b-run", "--results", str(tmp_path), *words]) == 2
        assert said in capsys.readouterr().err


def test_two_items_alike_are_too_few_and_not_equal(tmp_path: Path, capsys: Said) -> None:
    for name in ("a-run", "b-run"):
        write(tmp_path, name, [(question(n), right(question(n))) for n in range(2)])
    (task,) = compared(tmp_path, capsys)["tasks"]
    (language,) = task["languages"]
    assert language["comparison"]["low"] is None and language["comparison"]["needed"] == 6
    assert main(["compare", "a-run", "b-run", "--results", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "too few pictures to tell (at least 6 needed)" in shown
    assert not any(line.rstrip().endswith("equal") for line in shown.splitlines())


def test_the_same_score_by_other_answers_is_not_equal(tmp_path: Path, capsys: Said) -> None:
    """As many right answers as before, to other questions."""
    items = [question(n) for n in range(40)]
    write(tmp_path, "a-run", [(one, right(one) if n < 20 else wrong(one)) for n, one in enumerate(items)])
    write(tmp_path, "b-run", [(one, right(one) if n >= 20 else wrong(one)) for n, one in enumerate(items)])
    (task,) = compared(tmp_path, capsys)["tasks"]
    assert task["overall"]["difference"] == 0 and not task["overall"]["identical"]
    assert task["overall"]["low"] < 0 < task["overall"]["high"] and task["overall"]["detectable"] > 0
    assert main(["compare", "a-run", "b-run", "--results", str(tmp_path)]) == 0
    assert "cannot tell" in capsys.readouterr().out


def test_no_row_contradicts_itself(tmp_path: Path, capsys: Said) -> None:
    """Of each language and of the mean: 0 lies outside of the interval exactly where p is below 0.05."""
    items = [question(n, code) for code in ("de", "en", "fr", "hi", "ko") for n in range(30)]
    share = {"de": 0, "en": 4, "fr": 5, "hi": 9, "ko": 14}
    write(tmp_path, "a-run", [(one, wrong(one)) for one in items])
    write(
        tmp_path,
        "b-run",
        [(one, right(one) if n % 30 < share[one.language] else wrong(one)) for n, one in enumerate(items)],
    )
    data = compared(tmp_path, capsys, "--resamples", "5000")
    assert data["level"] == 0.95
    (task,) = data["tasks"]
    rows = [(part["comparison"], part["p"]) for part in task["languages"]]
    assert [row["together"] for row, _ in rows] == [5] * 5 and task["overall"]["together"] == 1
    for row, p in [*rows, (task["overall"], task["overall"]["p"])]:
        assert (row["low"] > 0 or row["high"] < 0) == (p < 0.05)
    assert [p < 0.05 for _, p in rows] == [False, False, False, True, True]
    assert main(["compare", "a-run", "b-run", "--results", str(tmp_path), "--format", "csv"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {(row["language"], row["together"], row["level"]) for row in table} >= {
        ("all", "1", "0.95"),
        ("ko", "5", "0.95"),
    }


# ── Three runs and more ───────────────────────────────────────────────────────────────────────────


def three_runs(results: Path) -> None:
    """b is much better than a in German, c in nothing; c has no French."""
    german, french = [question(n) for n in range(60)], [question(n, "fr") for n in range(60)]
    few = [(one, right(one) if n < 20 else wrong(one)) for n, one in enumerate(german)]
    many = [(one, right(one) if n < 50 else wrong(one)) for n, one in enumerate(german)]
    other = [(one, right(one) if n in range(2, 22) else wrong(one)) for n, one in enumerate(german)]
    same = [(one, right(one) if n % 2 else wrong(one)) for n, one in enumerate(french)]
    write(results, "a-run", [*few, *same])
    write(results, "b-run", [*many, *same])
    write(results, "c-run", other)


def test_every_other_run_is_set_against_the_first(tmp_path: Path, capsys: Said) -> None:
    three_runs(tmp_path)
    assert main(["compare", "a-run", "b-run", "c-run", "--results", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "b-run against a-run, of 2: better in 1: German; equal in 1: French",
        "c-run against a-run, of 1: cannot tell in 1",
    ]
    assert lines[3].split() == ["b-run", "c-run"]
    (german,) = [line for line in lines if line.startswith("  German")]
    assert german.index("better") < german.index("cannot tell")
    (french,) = [line for line in lines if line.startswith("  French")]
    assert french.rstrip().endswith("–") and "equal" in french
    text = "\n".join(lines)
    assert "in all 2 comparisons with a-run" in text and "could not have been seen of c-run: differences below" in text
    assert "each run's mean is over the languages that it shares with a-run" in text


def test_all_pairs_are_corrected_together_and_no_row_contradicts_itself(tmp_path: Path, capsys: Said) -> None:
    """What is certain of two runs alone may not be among three; differences and scores stay what they are."""
    items = [question(n, code) for code in ("de", "fr") for n in range(30)]
    write(tmp_path, "a-run", [(one, wrong(one)) for one in items])
    for name, better in (("b-run", {"de": 7, "fr": 3}), ("c-run", {"de": 6, "fr": 0})):
        answers = [(one, right(one) if n % 30 < better[one.language] else wrong(one)) for n, one in enumerate(items)]
        write(tmp_path, name, answers)
    (alone,) = compared(tmp_path, capsys)["tasks"]
    data = compared(tmp_path, capsys, runs=["a-run", "b-run", "c-run"])
    assert [data["second"], *[pair["second"] for pair in data["more"]]] == ["b-run", "c-run"]
    (both,) = data["tasks"]
    for one, other in zip(alone["languages"], both["languages"], strict=True):
        assert one["comparison"]["together"] == 2 and other["comparison"]["together"] == 4
        for figure in ("first", "second", "difference", "items"):
            assert one["comparison"][figure] == other["comparison"][figure]
        assert one["p"] <= other["p"] and one["comparison"]["low"] >= other["comparison"]["low"]
    assert both["overall"]["together"] == 2 and alone["overall"]["together"] == 1
    tasks = [both, data["more"][0]["tasks"][0]]
    found = [part["comparison"] for task in tasks for part in task["languages"]] + [task["overall"] for task in tasks]
    assert any(row["adjusted"] < 0.05 for row in found) and any(row["adjusted"] >= 0.05 for row in found)
    for row in found:
        assert (row["low"] > 0 or row["high"] < 0) == (row["adjusted"] < 0.05)


def test_an_item_that_one_run_lacks_is_left_out_of_all(tmp_path: Path, capsys: Said) -> None:
    items = [question(n) for n in range(20)]
    for name, missing in (("a-run", 0), ("b-run", 0), ("c-run", 5)):
        write(tmp_path, name, [(one, None if n < missing else right(one)) for n, one in enumerate(items)])
    data = compared(tmp_path, capsys, runs=["a-run", "b-run", "c-run"])
    for pair in (data, data["more"][0]):
        (task,) = pair["tasks"]
        assert task["overall"]["items"] == 15 and task["left_out"] == 5
    assert main(["compare", "a-run", "b-run", "c-run", "--results", str(tmp_path)]) == 0
    assert "quiz: c-run: 5 items left out: not answered or not scored in all runs" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["markdown", "latex", "csv"])
def test_files_have_a_line_a_difference_and_say_of_which_run(tmp_path: Path, capsys: Said, form: str) -> None:
    three_runs(tmp_path)
    assert main(["compare", "a-run", "b-run", "c-run", "--results", str(tmp_path), "--format", form]) == 0
    lines = capsys.readouterr().out.splitlines()
    for run, least in (("b-run", 3), ("c-run", 1)):
        assert sum(run in line and "quiz" in line for line in lines) >= least


def test_a_run_that_shares_nothing_with_the_first_is_named(tmp_path: Path, capsys: Said) -> None:
    three_runs(tmp_path)
    write(tmp_path, "d-run", [(sentence(n), "Haus") for n in range(4)])
    assert main(["compare", "a-run", "b-run", "d-run", "--results", str(tmp_path)]) == 2
    assert "a-run and d-run have no item in common" in capsys.readouterr().err


def test_what_could_not_be_seen_and_what_to_type_next_stand_below(tmp_path: Path, capsys: Said) -> None:
    three_runs(tmp_path)
    assert main(["compare", "b-run", "a-run", "c-run", "--results", str(tmp_path), "--tasks", "quiz"]) == 0
    lines = capsys.readouterr().out.splitlines()
    where = f"--results {tmp_path}"
    assert f"why: tvbench explain a-run --languages de {where}" in lines
    assert lines[-1] == (f"p, items, smallest detectable: tvbench compare b-run a-run c-run --tasks quiz {where} --all")
    assert main(lines[-1].split()[5:]) == 0
    whole = capsys.readouterr().out
    assert "detectable" in whole and "<0.0001" in whole and "--all" not in whole


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_no_width_loses_an_interval_or_a_name(
    tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    three_runs(tmp_path)
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["compare", "a-run", "b-run", "c-run", "--results", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in shown.splitlines() if str(tmp_path) not in line) <= width
    assert "".join(shown.split()).count("+50.0[+") >= 1 and "better" in shown
