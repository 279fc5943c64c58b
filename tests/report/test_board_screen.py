"""The leaderboard's first screen: languages across, who is better in words, what sets runs of one model apart."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ranked_runs import Answer, questions, right_in, write
from run_folders import task_result as result
from run_folders import write_run

from tvbench.analysis.variants import row_words, setting_words
from tvbench.cli.main import main
from tvbench.types import Choice, Counts, Item

Said = pytest.CaptureFixture[str]
WIDTHS = (40, 60, 80, 100, 160)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("TVBENCH_RESULTS", raising=False)


def board(capsys: Said, *words: str, code: int = 0) -> str:
    assert main(["leaderboard", *words]) == code
    return capsys.readouterr().out


def line_of(text: str, *words: str) -> str:
    return next(line for line in text.splitlines() if all(word in line for word in words))


def asked(name: str, **how: Any) -> None:
    """Let the run say how its task was asked for."""
    path = Path("results") / name / "manifest.json"
    data = json.loads(path.read_text())
    data["ask"] = {"tasks": [{"task": "alm", "media": True, "settings": {}} | how]}
    path.write_text(json.dumps(data))


def wrong_in(names: Collection[str]) -> Answer:
    """Right but for these items."""

    def answer(item: Item) -> str:
        assert isinstance(item.target, Choice) and item.target.gold is not None
        return "BA"[item.target.gold] if item.id in names else "AB"[item.target.gold]

    return answer


def three(languages: tuple[str, ...] = ("de", "hi")) -> None:
    for seed, (name, share) in enumerate((("alpha", 0.9), ("beta", 0.88), ("gamma", 0.4))):
        write(Path("results"), name, questions(120, languages), right_in(share, seed))


def test_few_languages_stand_across_with_ranks_and_words(capsys: Said) -> None:
    three()
    out = board(capsys)
    assert re.search(r"German +Hindi +mean", out)
    rows = [line for line in out.splitlines() if re.match(r" *(1|3)", line)]
    assert [row.split()[:2] for row in rows] == [["1–2", "beta"], ["1–2", "alpha"], ["3", "gamma"]]
    assert "cannot be told apart from beta" in rows[1] and "worse than beta and alpha in both" in rows[2]
    assert rows[0].count("★") == rows[1].count("★") == 3 and "★" not in rows[2]
    assert all(row.count("±") + row.count("+") == 3 for row in rows)


def test_what_the_data_are_is_a_reference_and_no_row(capsys: Said) -> None:
    three()
    out = board(capsys)
    assert out.count("chance") == 1 and "chance 50, always option 1 50" in out
    assert "strict ceiling" not in out


def test_it_says_how_many_more_questions_tell_the_first_two_apart(capsys: Said) -> None:
    three()
    said = line_of(board(capsys), "more questions")
    assert said.startswith("to tell beta from alpha in ")
    count = int(re.search(r"about ([\d,]+) more", said)[1].replace(",", ""))  # type: ignore[index]
    assert 300 < count < 10_000
    write(Path("results"), "gamma", questions(120, ("de", "hi")), right_in(1.0, 9))
    assert "worse than" in board(capsys)


def test_more_questions_is_what_it_takes(capsys: Said, tmp_path: Path) -> None:
    """With as many more questions as are named, the two can be told apart."""
    for size in (60, 60 * 12):
        results = tmp_path / str(size)
        items = questions(size, ("de",))
        names = [item.id for item in items]
        for name, wrong in (("alpha", 10), ("beta", 5)):
            bad = {one for place, one in enumerate(names) if place % 60 < wrong}
            write(results, name, items, wrong_in(bad))
        out = board(capsys, "--results", str(results))
        if size == 60:
            more = int(re.search(r"about ([\d,]+) more", out)[1].replace(",", ""))  # type: ignore[index]
            assert more < 60 * 11
        else:
            assert "more questions" not in out and "worse than beta" in out


def test_a_list_of_languages_is_a_filter_and_the_mean_is_theirs(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(languages={"de": 0.8, "hi": 0.4, "fr": 0.1}))
    out = board(capsys, "--languages", "German,hi")
    assert "German" in out and "Hindi" in out and "French" not in out
    assert re.search(r"alpha +80\.0 \S+ +40\.0 \S+ +60\.0", out)
    code = main(["leaderboard", "--languages", "tlh"])
    assert code == 2 and "tlh" in capsys.readouterr().err


def test_one_name_of_several_varieties_is_one_column(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(languages={"arz": 0.8, "ar-SA": 0.4, "de": 0.1}))
    out = board(capsys, "--languages", "ar,de")
    assert "Arabic*" in out and re.search(r"alpha +60\.0", out)
    assert "Arabic*: Egyptian Arabic, Saudi Arabic taken together" in out


def test_csv_and_json_know_the_filter_too(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(languages={"de": 0.8, "hi": 0.4, "fr": 0.1}))
    rows = list(csv.DictReader(io.StringIO(board(capsys, "--languages", "de,hi", "--format", "csv"))))
    assert {row["language"] for row in rows if row["run"]} == {"all", "de", "hi"}
    (row,) = [
        row for row in json.loads(board(capsys, "--languages", "hi", "--format", "json")) if row["source"] == "run"
    ]
    assert set(row["languages"]) == {"hi"}


def test_languages_alone_is_the_table_of_all(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(languages={"de": 0.8, "hi": 0.4}))
    out = board(capsys, "--languages")
    assert "alm by language: aligned" in out and "de German" in out


def test_of_one_task_in_many_languages_the_best_and_worst_are_shown(capsys: Said) -> None:
    codes = ("de", "hi", "ar", "fr", "es", "it", "nl", "pl", "cs", "ru", "zh", "ja", "ko")
    for name, more in (("alpha", 0.0), ("beta", 0.1)):
        figures = {code: more + place / 20 for place, code in enumerate(codes)}
        write_run(Path("results"), name, name, result(value=0.5 + more, model=name, languages=figures))
    out = board(capsys, "--published", "none")
    head = [part for line in out.splitlines()[1:3] for part in line.split()]
    assert all(name in head for name in ("Korean", "Czech", "Spanish", "German")) and "Dutch" not in head
    assert "best 5 and worst 5 of 13 languages" in out
    assert "Dutch" in board(capsys, "--languages", "nl,de")


def test_many_languages_are_means_by_task(capsys: Said) -> None:
    codes = ("de", "hi", "ar", "fr", "es", "it", "nl", "pl", "cs")
    write_run(Path("results"), "a", "alpha", result(languages=dict.fromkeys(codes, 0.5)), result("vimul", value=0.3))
    out = board(capsys, "--published", "none")
    assert "mean over languages" in out and re.search(r"alm +vimul", out) and "German" not in out
    assert "tvbench leaderboard --languages" in out
    assert "alm, without" in board(capsys), "what the paper prints of ALM-Bench"
    assert sum(line.startswith("alpha") for line in out.splitlines()) == 1


# ── What sets runs apart ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"media": False}, "alpha, without pictures"),
        ({"settings": {"pictures": "blank"}}, "alpha, blank pictures"),
        ({"settings": {"level": 2}}, "alpha, level 2"),
        ({"settings": {"few_shot": True}}, "alpha, few shot"),
        ({"limit": 50}, "alpha, first 50"),
        ({"split": "val"}, "alpha, split val"),
        ({"seed": 3}, "alpha, seed 3"),
    ],
)
def test_a_run_is_called_by_what_differs(capsys: Said, how: Mapping[str, Any], words: str) -> None:
    write_run(Path("results"), "plain", "alpha", result(value=0.6))
    write_run(Path("results"), "other", "alpha", result(value=0.5, data="rows@2"))
    asked("plain")
    asked("other", **how)
    out = board(capsys)
    assert line_of(out, words) != line_of(out, "60.0")
    assert "¹" not in out, "its name says it: no footnote"


def test_a_protocol_and_a_sampling_are_said_where_most_have_another(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(value=0.6))
    write_run(Path("results"), "b", "alpha", result(value=0.5, protocol="paper"))
    write_run(Path("results"), "c", "beta", result(value=0.4, model="b"))
    out = board(capsys)
    assert "not ranked: measured otherwise" in line_of(out, "alpha, paper protocol")
    assert "tvbench protocol" not in out
    write_run(Path("results"), "c", "beta", result(value=0.4, model="b", protocol="paper"))
    assert "alpha, tvbench protocol" in board(capsys), "what most have is not said"


def test_what_all_rows_share_is_said_once_above_them(capsys: Said) -> None:
    for name in ("alpha", "beta"):
        write_run(Path("results"), name, name, result(value=0.6, model=name))
        asked(name, limit=50)
    out = board(capsys)
    assert "alm, aligned, first 50" in out and "alpha, first 50" not in out and "beta  " in out


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("sampling:t=0.7,p=0.9,k=0,seed=3,max=16", "alpha, temperature 0.7"),
        ("sampling:greedy,max=512", "alpha, at most 512 tokens"),
        ("sampling:greedy,max=16|thinking:on(4096)", "alpha, thinking 4096 tokens"),
        ("sampling:greedy,max=16|thinking:off", "alpha, without thinking"),
        ("sampling:greedy,max=16|repeats:3", "alpha, asked 3 times"),
        ("sampling:greedy,max=16|bos:two", "alpha, two <bos>"),
    ],
)
def test_how_it_was_asked_is_said_where_others_are_asked_otherwise(capsys: Said, field: str, words: str) -> None:
    for name, signed in (("a", "sampling:greedy,max=16"), ("b", "sampling:greedy,max=16"), ("c", field)):
        made = result(value=0.5, model=name)
        signature = f"{made.signature}|{signed}"
        write_run(Path("results"), name, "alpha" if name != "b" else "beta", replace(made, signature=signature))
    out = board(capsys)
    assert words in out and "¹" not in out and re.search(r"^ *(1\S* +)?alpha  ", out, re.MULTILINE)


def test_what_differs_in_one_task_alone_names_it() -> None:
    assert row_words({"alm": ("paper protocol",), "vimul": ()}) == ("alm paper protocol",)
    assert row_words({"alm": ("level 2",), "vimul": ("level 2",)}) == ("level 2",)
    assert setting_words("pictures", "blank") == "blank pictures"
    assert setting_words("shuffle_options", False) == "without shuffle options"


def test_what_no_word_says_is_a_footnote(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(value=0.6))
    write_run(Path("results"), "b", "beta", result(value=0.5, model="b"))
    write_run(Path("results"), "c", "gamma", result(value=0.7, model="c", data="rows@2"))
    out = board(capsys)
    assert "¹" in line_of(out, "gamma") and "rows@2" in line_of(out, "¹ alm")


def test_runs_of_one_name_are_told_apart(capsys: Said) -> None:
    write_run(Path("results"), "one-11111111", "alpha", result(value=0.6))
    write_run(Path("results"), "two-22222222", "alpha", result(value=0.5))
    out = board(capsys)
    assert "alpha, …11111111" in out and "alpha, …22222222" in out


def test_runs_without_pictures_never_fill_the_row_of_the_model(capsys: Said) -> None:
    codes = dict.fromkeys(("de", "hi", "ar", "fr", "es", "it", "nl", "pl", "cs"), 0.5)
    write_run(Path("results"), "one", "alpha", result(value=0.6, languages=codes))
    write_run(Path("results"), "two", "alpha", result("vimul", value=0.3, languages=codes))
    asked("one", media=False)
    assert line_of(board(capsys), "60.0").startswith("alpha, without pictures")
    assert line_of(board(capsys), "30.0").startswith("alpha  ")


# ── Published rows ────────────────────────────────────────────────────────────────────────────────


def test_published_rows_are_of_tasks_that_were_run(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result("ocrbench", primary="ocrbench", languages={"en": 0.5}))
    for words in ((), ("--all",)):
        out = board(capsys, *words)
        assert "alm" not in out and "multi30k" not in out
    assert "TowerVision" in board(capsys, "--all"), "OCRBench was run, and is printed"
    assert "multi30k" in board(capsys, "--all", "--published", "all")
    assert "TowerVision" not in board(capsys, "--all", "--published", "none")
    assert board(capsys, "--published", "none") == board(capsys, "--no-published")


def test_printed_figures_of_another_metric_are_no_table_of_their_own(capsys: Said) -> None:
    own = {"de": 30.0, "fr": 31.0, "cs": 29.0}
    write_run(Path("results"), "a", "alpha", result("multi30k", primary="bleu", value=30.0, languages=own))
    assert "xCOMET" not in board(capsys) and "multi30k, BLEU" in board(capsys)
    assert "multi30k, xCOMET" in board(capsys, "--published", "all")


def test_a_run_without_its_headline_figure_stays_in_sight(capsys: Said) -> None:
    made = result(value=0.5, model="b")
    parts = {
        code: replace(part, metrics={"strict": part.metrics["strict"]})
        for code, part in made.breakdowns["language"].items()
    }
    bare = replace(made, metrics={"strict": made.metrics["strict"]}, breakdowns={"language": parts})
    write_run(Path("results"), "b", "beta", bare)
    assert "nothing scored yet" in line_of(board(capsys), "beta")
    write_run(Path("results"), "a", "alpha", result(value=0.5))
    assert "nothing scored yet" in line_of(board(capsys), "beta")


def test_a_run_that_lacks_a_language_has_no_mean(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(languages={"de": 0.8, "hi": 0.4}))
    write_run(Path("results"), "b", "beta", result(languages={"de": 0.7}, model="b"))
    line = line_of(board(capsys, "--languages", "de,hi"), "beta")
    assert "70.0" in line and line.count(" none ") == 2 and "not ranked: not asked in all of these" in line


def test_why_ranks_are_no_surer_is_said(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(value=0.5))
    write_run(Path("results"), "b", "beta", result(value=0.6, model="b"))
    assert "stars and ranks by standard errors alone: their items are not at hand" in board(capsys)


def test_languages_of_printed_figures_alone(capsys: Said) -> None:
    assert "TowerVision" in board(capsys, "--published", "all", "--tasks", "alm", "--languages", "de,hi")


def test_without_runs_nothing_is_shown_and_the_next_step_said(capsys: Said) -> None:
    assert main(["leaderboard"]) == 0
    said = capsys.readouterr()
    assert not said.out and "tvbench run" in said.err and "--published all" in said.err


# ── Faults, widths ────────────────────────────────────────────────────────────────────────────────


def test_incomplete_runs_are_not_ranked_and_say_why(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(value=0.5))
    write_run(Path("results"), "b", "beta", result(value=0.6, model="b", counts=Counts(10, 7, 2, 6, 1)))
    write_run(Path("results"), "c", "gamma", result(value=0.4, model="c"))
    out = board(capsys)
    assert "not ranked: incomplete" in line_of(out, "60.0") and "!" in line_of(out, "60.0")
    assert "! beta, alm: 7 of 10 answered, 2 failed" in out


@pytest.mark.parametrize("width", WIDTHS)
def test_every_width_keeps_figures_intervals_and_whole_names_of_runs(
    capsys: Said, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    names = ["qwen2.5-vl-7b-instruct--quiz-0123456789abcdef--tvbench-1", "tower--quiz--tvbench-2"]
    for name, share in zip(names, (0.6, 0.9), strict=True):
        write(Path("results"), name, questions(40, ("de", "hi", "ar", "fr", "es", "it")), right_in(share, 1))
    monkeypatch.setenv("COLUMNS", str(width))
    out = board(capsys)
    assert len(re.findall(r"\d\d\.\d [±+]", out)) == 2 * 7, "six languages and the mean of two models, with intervals"
    assert all(name in out for name in names), "whole, on one line"
    text = out[: out.index("\nruns\n")] if "\nruns\n" in out else out[: out.index("\nwhy")]
    assert all(len(line) <= width or line.removesuffix(":") in names for line in text.splitlines())


def test_what_is_cut_into_blocks_begins_with_the_mean(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    three(("de", "hi", "ar", "fr", "es", "it"))
    assert re.search(r"Spanish.* mean", board(capsys))
    monkeypatch.setenv("COLUMNS", "80")
    blocks = board(capsys).split("\n\n")
    assert re.search(r"mean +Arabic +German", blocks[0]) and all("beta" in block for block in blocks[:2])


def test_columns_of_others_stand_beside(capsys: Said) -> None:
    from tvbench.analysis.board_lines import BoardLine
    from tvbench.api import leaderboard
    from tvbench.report.board_screen import Beside, board_screen
    from tvbench.report.table import Cell, Column

    write_run(Path("results"), "a", "alpha", result(value=0.5))

    def price(line: BoardLine) -> list[Cell]:
        return [Cell("0.41" if line.runs else "–")]

    (sheet,) = leaderboard("results", published=False).sheets()
    for width in (None, 40, 60):
        table = board_screen(sheet, width, [Beside((Column("price", "$/1k"),), price, ("$: of a card",))]).table
        assert any("0.41" in cell.text for row in table.rows for cell in row) and "$: of a card" in table.notes
