"""The leaderboard: figures, marks, formats, damaged runs. All runs here are written by the tests themselves."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from repository import ROOT
from run_folders import task_result as result
from run_folders import write_run

from tvbench.analysis.entries import load_entries
from tvbench.analysis.published import published_figures, read_published
from tvbench.cli.main import main
from tvbench.types import Counts

Said = pytest.CaptureFixture[str]
PUBLISHED = ROOT / "results" / "published" / "towervision.yaml"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("TVBENCH_RESULTS", raising=False)


def board(capsys: Said, *words: str, results: Path = Path("results"), published: bool = False) -> tuple[int, str, str]:
    extra = ["--all", "--published", "all"] if published else ["--all", "--published", "none"]
    code = main(["leaderboard", "--results", str(results), *extra, *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def line_of(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


# ── Published figures ─────────────────────────────────────────────────────────────────────────────


def test_published_cells_are_those_of_the_paper() -> None:
    cells = {(f.table.number, f.model, f.task, f.part, f.metric): f.value for f in read_published(PUBLISHED)}
    assert cells["1", "TowerVision-9B", "alm", "multi", "accuracy"] == 85.2
    assert cells["1", "Qwen2.5-VL-7B-Instruct", "ocrbench", "all", "ocrbench"] == 84.5
    assert cells["2", "Aya-Vision-8B", "multi30k", "cs", "xcomet"] == 94.4
    assert cells["3", "VideoLLaMA3-7B", "vimul", "si", "accuracy"] == 25.1
    assert cells["11", "TowerVision-9B (core and added languages)", "alm", "it", "accuracy"] == 98.3
    assert len(cells) == len(read_published(PUBLISHED)), "no cell is given twice"
    assert all(0 <= value <= 100 for value in cells.values())


def test_empty_results_are_friendly_and_still_show_the_published_rows(capsys: Said) -> None:
    code, out, err = board(capsys, published=True)
    assert code == 0
    assert "no scored runs" in err and "tvbench run" in err
    assert "published T1,2,3" in line_of(out, "TowerVision-9B")


def test_published_rows_stand_apart_and_are_marked_apart(capsys: Said) -> None:
    write_run(Path("results"), "a", "ours-a", result(value=0.99))
    write_run(Path("results"), "b", "ours-b", result(value=0.5, model="b"))
    _, out, _ = board(capsys, published=True)
    assert out.index("ours-b") < out.index("TowerVision-9B")
    assert "99.0 ±2.9★" in line_of(out, "ours-a")
    assert "★" not in line_of(out, "TowerVision-9B"), "nobody knows how sure a published figure is"
    assert "published rows: no star and no ranks: their answers are not at hand" in out
    assert "published: as printed" in out


def test_a_damaged_published_file_is_a_warning(capsys: Said, tmp_path: Path) -> None:
    folder = tmp_path / "results" / "published"
    folder.mkdir(parents=True)
    text = PUBLISHED.read_text().splitlines()
    (folder / "mine.yaml").write_text("\n".join([*text, "  - [table99, M, alm, all, accuracy, 1.0]"]))
    (folder / "torn.yaml").write_text("format: 1\nsource: {title: [")
    code, out, err = board(capsys, published=True)
    assert code == 0 and "TowerVision-9B" in out
    assert "mine.yaml: cell 386" in err and "torn.yaml" in err


def test_own_published_files_are_added_to_the_shipped_ones(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "published"
    folder.mkdir(parents=True)
    (folder / "other.yaml").write_text(
        "format: 1\nsource: {short: Other}\nunit: percent\ntables: {t: {number: 9, caption: c, headline: true}}\n"
        "cells:\n  - [t, Their-1B, alm, en, accuracy, 12.5]\n"
    )
    figures, warnings = published_figures(tmp_path / "results")
    assert not warnings
    assert {figure.model for figure in figures} > {"Their-1B", "TowerVision-9B"}


# ── Marks ─────────────────────────────────────────────────────────────────────────────────────────


def test_best_is_marked_once_a_column(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(value=0.5))
    write_run(Path("results"), "b", "beta", result(value=0.61, model="b"))
    _, out, _ = board(capsys)
    assert "61.0 ±2.9★" in line_of(out, "beta")
    assert "★" not in line_of(out, "alpha")
    assert out.index("beta") < out.index("alpha"), "best first"


def test_other_signatures_get_a_number_and_a_line_and_no_rank(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(value=0.5))
    write_run(Path("results"), "b", "beta", result(value=0.6, model="b"))
    write_run(Path("results"), "c", "gamma", result(value=0.9, model="c", protocol="paper", primary="strict"))
    _, out, _ = board(capsys)
    assert "90.0 ±2.9¹" in line_of(out, "gamma") or "45.0 ±4.7¹" in line_of(out, "gamma")
    assert "★" not in line_of(out, "gamma") and "★" in line_of(out, "beta")
    note = line_of(out, "¹")
    assert "protocol paper" in note and "others: protocol tvbench" in note and "metric strict" in note


def test_model_and_engine_do_not_make_figures_incomparable(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(value=0.5, model="a"))
    write_run(Path("results"), "b", "beta", result(value=0.6, model="b"), engine="vllm")
    _, out, _ = board(capsys)
    assert "¹" not in out and "★" in out


def test_incomplete_runs_are_starred_counted_and_never_best(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(value=0.5))
    write_run(Path("results"), "b", "beta", result(value=0.6, model="b", counts=Counts(10, 7, 2, 6, 1)))
    write_run(Path("results"), "c", "gamma", result(value=0.4, model="c"))
    _, out, _ = board(capsys)
    assert "60.0 ±2.9*" in line_of(out, "beta")
    assert "* beta, alm: 7 of 10 answered, 2 failed, 1 unscored" in out
    assert "★" in line_of(out, "alpha")


def test_logged_figures_are_ringed_and_not_ranked(capsys: Said) -> None:
    log = {"results-de": {"metrics": {"results.avg_XCOMET-XL_score": 0.9}, "language": "de", "samples": 3}}
    for number, name in enumerate(("alpha", "beta")):
        write_run(
            Path("results"),
            name,
            name,
            result("multi30k", model=name, primary="bleu", value=30.0 + number, languages={"de": 30.0}, logged=log),
        )
    _, out, _ = board(capsys)
    assert re.search(r"90\.0°\s*$", line_of(out, "alpha"))
    assert "31.0" in line_of(out, "beta"), "BLEU is not multiplied"
    assert "° copied from the log" in out


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────────


def test_runs_of_one_model_share_a_row_until_they_collide(capsys: Said) -> None:
    write_run(Path("results"), "one", "alpha", result("alm"), updated="2026-01-01")
    write_run(Path("results"), "two", "alpha", result("ocrbench", primary="ocrbench"), updated="2026-01-02")
    _, out, _ = board(capsys)
    assert len(re.findall(r"^alpha", out, re.MULTILINE)) == 1
    write_run(Path("results"), "three-12345678", "alpha", result("alm", value=0.7), updated="2026-01-03")
    _, out, _ = board(capsys)
    assert len(re.findall(r"^alpha", out, re.MULTILINE)) == 2
    assert "run …12345678" in out


def test_engines_stay_apart(capsys: Said) -> None:
    write_run(Path("results"), "one", "alpha", result("alm"), engine="vllm")
    write_run(Path("results"), "two", "alpha", result("ocrbench", primary="ocrbench"), engine="transformers")
    _, out, _ = board(capsys)
    assert "run vllm" in out and "run transformers" in out


def test_sort_by_model_and_by_column(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(value=0.5, languages={"de": 0.9, "en": 0.1}))
    write_run(Path("results"), "b", "beta", result(value=0.6, model="b", languages={"de": 0.2, "en": 0.8}))
    for sort, first in (("model", "alpha"), ("alm", "beta")):
        _, out, _ = board(capsys, "--sort", sort)
        assert out.splitlines()[3].startswith(first), sort
    _, out, _ = board(capsys, "--languages", "--sort", "de", "--format", "csv")
    assert next(csv.DictReader(io.StringIO(out)))["model"] == "alpha"


# ── Choices ───────────────────────────────────────────────────────────────────────────────────────


def test_metric_protocol_and_tasks_select(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(value=0.5), result("ocrbench", primary="ocrbench", value=0.3))
    write_run(Path("results"), "b", "beta", result(value=0.8, protocol="paper", model="b"))
    _, out, _ = board(capsys, "--metric", "strict", "--protocol", "tvbench", "--tasks", "alm")
    assert "25.0" in line_of(out, "alpha") and "beta" not in out and "ocrbench" not in out


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["--metric", "alignd"], "aligned"),
        (["--sort", "almm"], "alm"),
        (["--tasks", "almm"], "alm"),
        (["--protocol", "papr"], "paper"),
    ],
)
def test_unknown_names_exit_2_with_a_suggestion(capsys: Said, words: list[str], suggestion: str) -> None:
    write_run(Path("results"), "a", "alpha", result())
    code, out, err = board(capsys, *words)
    assert code == 2 and not out
    assert f"unknown {words[0][2:].rstrip('s').replace('sort', 'column')}" in err and suggestion in err


# ── Damaged runs ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("damage", ["torn", "text for a figure", "no counts", "a list"])
def test_a_damaged_run_is_a_warning_and_the_others_are_shown(capsys: Said, damage: str) -> None:
    write_run(Path("results"), "good", "alpha", result())
    path = write_run(Path("results"), "bad", "beta", result(model="b")) / "result.json"
    data = json.loads(path.read_text())
    if damage == "torn":
        path.write_text(path.read_text()[:200])
    elif damage == "a list":
        path.write_text("[]")
    else:
        if damage == "text for a figure":
            data["tasks"][0]["metrics"]["aligned"]["value"] = "N/A"
        else:
            del data["tasks"][0]["counts"]
        path.write_text(json.dumps(data))
    code, out, err = board(capsys)
    assert code == 0
    assert "alpha" in out and "beta" not in out
    assert "bad" in err


def test_a_run_without_scores_says_what_to_type(capsys: Said) -> None:
    folder = write_run(Path("results"), "a", "alpha", result())
    (folder / "result.json").unlink()
    assert load_entries(Path("results"))[0] == []
    code, _, err = board(capsys)
    assert code == 0 and "tvbench score" in err


# ── Formats ───────────────────────────────────────────────────────────────────────────────────────


def test_json_has_every_figure_of_every_language(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result(value=0.5, languages={"de": 0.4, "fr": 0.6}))
    _, out, _ = board(capsys, "--format", "json")
    (row,) = json.loads(out)
    assert row["model"] == "alpha" and row["source"] == "run" and row["complete"] is True
    assert set(row["languages"]) == {"de", "fr"}
    german = row["languages"]["de"]
    assert german["metrics"]["aligned"] == {
        "value": 0.4,
        "n": 5,
        "stderr": 0.02,
        "clusters": 4,
        "low": pytest.approx(0.4 - 3.18245 * 0.02),
        "high": pytest.approx(0.4 + 3.18245 * 0.02),
        "interval": pytest.approx([0.4 - 3.18245 * 0.02, 0.4 + 3.18245 * 0.02]),
    }
    assert german["metrics"]["strict"]["value"] == pytest.approx(0.2)
    assert german["counts"]["expected"] == 5 and german["signature"] == row["signature"]


def test_json_has_the_published_cells_too(capsys: Said) -> None:
    _, out, _ = board(capsys, "--format", "json", "--tasks", "alm", published=True)
    rows = json.loads(out)
    assert rows and all(row["source"] == "published" and row["task"] == "alm" for row in rows)
    assert {"TowerVision paper, table 1", "TowerVision paper, table 11"} <= {row["reference"] for row in rows}


def test_csv_has_raw_numbers_and_markdown_equal_columns(capsys: Said) -> None:
    translated = result("multi30k", primary="bleu", value=31.234567)
    write_run(Path("results"), "a", "alpha|beta", result(value=0.5), translated)
    _, out, _ = board(capsys, "--format", "csv")
    rows = {(row["task"], row["metric"]): row for row in csv.DictReader(io.StringIO(out)) if row["language"] == "all"}
    assert float(rows["multi30k", "bleu"]["value"]) == 31.234567 and float(rows["alm", "aligned"]["value"]) == 0.5
    assert {row["model"] for row in rows.values()} == {"alpha|beta"}
    _, out, _ = board(capsys, "--format", "markdown")
    table = [re.sub(r"\\\|", "", line) for line in out.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1 and len(table) == 3


def test_several_tables_are_one_csv(capsys: Said) -> None:
    write_run(Path("results"), "a", "alpha", result("alm"), result("vimul", languages={"hi": 0.3, "en": 0.4}))
    _, out, _ = board(capsys, "--languages", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {row["task"] for row in rows} == {"alm", "vimul"}
    assert {row["language"] for row in rows} == {"all", "multi", "de", "en", "hi"}


def test_narrow_terminals_get_blocks_and_lose_nothing(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [result(f"task-number-{number}", value=0.1 + number / 100) for number in range(12)]
    write_run(Path("results"), "a", "a-model-with-quite-a-long-name-2b-instruct", *tasks)
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = board(capsys, "--sort", "model")
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 80
    assert all(f"{10 + number}.0" in out for number in range(12))
    assert "…" not in out


def test_in_a_pipe_each_row_is_one_line(capsys: Said) -> None:
    tasks = [result(f"task-number-{number}", value=0.1 + number / 100) for number in range(12)]
    write_run(Path("results"), "a", "a-model-with-quite-a-long-name-2b-instruct", *tasks)
    _, out, _ = board(capsys)
    line = line_of(out, "a-model-with-quite-a-long-name-2b-instruct")
    assert all(f"{10 + number}.0 ±2.9" in line for number in range(12))
    assert "\x1b" not in out


def test_names_from_files_cannot_drive_the_terminal(capsys: Said) -> None:
    write_run(Path("results"), "a", "evil\x1b[2J[red]name", result())
    _, out, _ = board(capsys)
    assert "\x1b" not in out and "[red]name" in out


def test_random_weights_are_said(capsys: Said) -> None:
    write_run(Path("results"), "one", "trained", result())
    write_run(Path("results"), "two", "untrained", result(), revision="random-1")
    out = board(capsys)[1]
    assert "untrained has random weights: its scores are at chance or below" in out
    assert "\ntrained has random" not in out
    assert "random weights" in board(capsys, "--by", "support")[1]
