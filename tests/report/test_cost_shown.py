"""Costs as people see them: a line, a table, a chart that fits, and figures for scripts."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from cost_runs import session, stored_run
from run_folders import task_result

import tvbench
from tvbench.analysis.cost import Cost, Rate, RunCost
from tvbench.analysis.row_costs import RowCost
from tvbench.cli.main import main
from tvbench.registry.prices import Price
from tvbench.report.cost import cost_lines, count_text, dollars_text, time_text
from tvbench.report.cost_table import About, CostRow, cost_chart, cost_notes
from tvbench.report.scatter import ASCII, UNICODE, Point, front, holds, scatter
from tvbench.runs.spent import Spent
from tvbench.types import Response

WIDE = 'ascii "ab", 日本語モデル, ü, \x1b[31m, ' + "long " * 20


def test_a_run_in_a_line() -> None:
    spent = Spent(answers=3214, tokens_in=4_100_000, tokens_out=200_000, tokens_thinking=50_000)
    run = RunCost({"alm": Cost(spent, 3.1, 0, 720.0, 12)}, Price(1, 1), judges={"j": Cost(Spent(1, 0, 10, 5), 0.9)})
    first, second = cost_lines(run)
    assert (
        first
        == "4.1 M tokens in, 200 k out (50.0 k of them thinking), 12 min, $3.10; judge j: 10 tokens in, 5 out, $0.90"
    )
    assert second == "12 answers of other runs cost nothing"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "$0.00"), (3.1, "$3.10"), (1234.5, "$1,234.50"), (0.0412, "$0.041"), (1e-9, "<$0.0005")],
)
def test_dollars(value: float | None, text: str) -> None:
    assert dollars_text(value) == text


def test_counts_and_times() -> None:
    texts = [count_text(number) for number in (0, 999, 1000, 99_400, 999_700, 4_100_000, 2.5e9)]
    assert texts == ["0", "999", "1.0 k", "99.4 k", "1.0 M", "4.1 M", "2.5 G"]
    assert [time_text(seconds) for seconds in (0.12, 40, 720, 12_600)] == ["0.1 s", "40 s", "12 min", "3.5 h"]


# ── The chart ─────────────────────────────────────────────────────────────────────────────────────


def cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


@pytest.mark.parametrize("seed", range(80))
def test_a_chart_fits_and_names_everything(seed: int) -> None:
    luck = random.Random(seed)
    names = [luck.choice([f"model-{n}", WIDE, "é" * n, "日本" * n, "x" * 60]) + str(n) for n in range(1, 30)]
    scale = luck.choice([1, 1000])
    points = [
        Point(name, luck.choice([0.0, 1.0, luck.random() * scale]), luck.choice([50.0, luck.random() * 100]))
        for name in names[: luck.randrange(2, 25)]
    ]
    width, signs = luck.choice([30, 40, 60, 100, 160]), luck.choice([UNICODE, ASCII])
    lines = scatter(
        points, width=width, cost_text=dollars_text, score_text=lambda score: f"{score:.1f}", axis="$", signs=signs
    )
    assert lines and max(map(cells, lines)) <= width
    text = "\n".join(lines)
    if signs is ASCII:
        assert text.isascii()
    assert "\x1b" not in text
    plot = "\n".join(line[line.index(signs.side if signs.side in line else signs.tick) :] for line in lines[:12])
    marks = sum(plot.count(sign) for sign in (signs.front, signs.other))
    assert marks >= len(points) or signs is ASCII


def test_the_front_is_what_nothing_beats() -> None:
    luck = random.Random(3)
    for lower in (False, True):
        points = [Point(str(n), luck.randrange(6), luck.randrange(6)) for n in range(20)]
        sign = -1 if lower else 1
        for number, one in enumerate(points):
            beaten = any(
                other.cost <= one.cost
                and sign * other.score >= sign * one.score
                and (other.cost, other.score) != (one.cost, one.score)
                for other in points
            )
            assert (number in front(points, lower=lower)) == (not beaten)


def test_no_chart_of_one_and_another_alphabet_for_poor_encodings() -> None:
    assert scatter([Point("a", 1, 1)], width=60, cost_text=str, score_text=str) == []
    assert holds("utf-8") and holds(None) and not holds("latin-1") and not holds("ascii") and not holds("nonsense")
    rows = [CostRow(name, RowCost(Rate(1, cost)), 50.0, "50.0") for name, cost in (("a", 1.0), ("b", 2.0))]
    about = About(["alm"], score="alm")
    assert "\n".join(cost_chart(rows, about, width=60, encoding="ascii")).isascii()
    assert "◆" in "\n".join(cost_chart(rows, about, width=60, encoding="utf-8"))


# ── What is said ──────────────────────────────────────────────────────────────────────────────────


def row(name: str, dollars: float | None, first: bool | None, place: str = "vllm on a", **more: Any) -> CostRow:
    rate = Rate(10, dollars, 5.0, priced=0 if dollars is None else 10)
    return CostRow(name, RowCost(rate, where=place, **more), 50.0, "50.0", first)


def test_the_cheapest_that_is_not_certainly_worse() -> None:
    rows = [row("dear", 0.63, True), row("good", 0.41, True), row("cheap", 0.12, False)]
    assert "cheapest that is not certainly worse in alm: good, $0.41 a thousand questions" in cost_notes(
        rows, About(["alm"], score="alm")
    )
    unknown = cost_notes([*rows, row("x", None, True)], About(["alm"]))
    assert any("not known of x" in line for line in unknown) and any("--price IN,OUT" in line for line in unknown)
    assert not any(
        "cheapest" in line for line in cost_notes([row("a", 1.0, None), row("b", 2.0, None)], About(["alm"]))
    )


def test_other_machines_are_not_compared_silently() -> None:
    same = cost_notes([row("a", 1.0, None), row("b", 1.0, None)], About(["alm"]))
    other = cost_notes([row("a", 1.0, None), row("b", 1.0, None, "openai at http://x")], About(["alm"]))
    assert "time: vllm on a" in same and not any("cannot be compared" in line for line in same)
    assert any("cannot be compared: b by openai at http://x; a by vllm on a" in line for line in other)


# ── The command ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two models on one task, one of them with a price."""
    for name, prices, tokens in (("a", {"input": 1.0, "output": 1.0}, 1000), ("b", {}, 3000)):
        answers = {
            ("alm", code, f"{code}{n}"): Response(f"{code}{n}", text="x", tokens_in=tokens, tokens_out=0, seconds=1.0)
            for code in ("de", "en")
            for n in range(5)
        }
        run = stored_run(tmp_path / f"run-{name}", answers, f"model-{name}", prices, [session(10, 5.0, 10.0)])
        run.write_result([task_result("alm", f"model-{name}")], {})
    return tmp_path


def board(results: Path, *words: str) -> int:
    return main(["leaderboard", "--results", str(results), "--no-published", *words])


def test_a_table_a_note_and_a_chart(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert board(results, "--cost") == 0
    said = capsys.readouterr().out
    assert "questions" in said and "no price is known of model-b: --price IN,OUT" in said
    assert "like the 10 of alm that all rows have answered" in said and "$1.00" in said and "–" in said
    assert "◆" not in said, "one point is no chart"
    assert board(results, "--price", "2,2") == 0
    said = capsys.readouterr().out
    assert "$1.00" in said and "$6.00" in said and "nothing is both cheaper and better" in said
    assert "model-b: $2 in and $2 out a million tokens" in " ".join(said.split())
    assert board(results) == 0 and "cost" not in capsys.readouterr().out
    for words in (["--all"], ["--languages", "de"], ["--languages"], ["--format", "markdown"]):
        assert board(results, "--price", "2,2", *words) == 0
        said = capsys.readouterr().out
        assert "$1.00" in said and "$6.00" in said and ("◆" in said) == ("markdown" not in words)
        assert ("like the 5 of alm, de" in said) == (words == ["--languages", "de"])


def test_prices_by_name_and_wrong_ones(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert board(results, "--price", "model-a=7.2/h", "--price", "model-b=1,1") == 0
    said = capsys.readouterr().out
    assert "model-a: $7.2 an hour" in said and "$3.00" in said
    for words, wrong in (
        (["--price", "model-c=1,1"], "unknown model 'model-c'"),
        (["--price", "cheap"], "not two amounts"),
        (["--price", "1,1", "--price", "2,2"], "given twice"),
        (["--cost", "--by", "support"], "leave --by out"),
    ):
        assert board(results, *words) == 2
        assert wrong in capsys.readouterr().err


def test_scripts_get_the_figures_too(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert board(results, "--cost", "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    of_a = [row for row in rows if row["model"] == "model-a" and row["metric"] == "aligned"]
    assert {row["language"] for row in of_a} >= {"all", "de", "en"}
    assert all(float(row["dollars_per_1000"]) == pytest.approx(1) for row in of_a)
    assert all(float(row["answers_per_second"]) == pytest.approx(2) for row in of_a)
    assert {row["dollars_per_1000"] for row in rows if row["model"] == "model-b"} == {""}
    assert board(results, "--cost", "--format", "json") == 0
    first = next(one for one in json.loads(capsys.readouterr().out) if one["model"] == "model-a")
    assert first["cost"]["dollars_per_1000"] == pytest.approx(1) and first["cost"]["languages"]["de"]["questions"] == 5
    table = tvbench.leaderboard(results, published=False, price={"model-b": (2.0, 2.0)}).table()
    assert all(row.dollars_per_1000 == pytest.approx(6) for row in table if row.model == "model-b")  # type: ignore[attr-defined]
    assert "dollars_per_1000" not in tvbench.leaderboard(results, published=False).table().columns


def test_it_fits_60_columns_and_an_encoding_without_signs(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert board(results, "--price", "2,2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(cells(line) for line in lines if not line.lstrip().startswith(("tvbench ", "run-"))) <= 60
