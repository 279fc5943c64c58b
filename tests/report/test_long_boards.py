"""Leaderboards of very many runs: the first rows stand there as they would among all, and the others are counted."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from run_folders import task_result, write_run

from tvbench.analysis import board_sheet, crowds, ranks
from tvbench.analysis.board_lines import BoardSheet
from tvbench.analysis.board_sheet import board_sheets
from tvbench.analysis.entries import RunEntry
from tvbench.analysis.leaderboard import View
from tvbench.cli.main import main
from tvbench.types import Counts

Said = pytest.CaptureFixture[str]
INCOMPLETE = Counts(10, 8, 2, 8)


def entries(seed: int, count: int, data: Sequence[str]) -> list[RunEntry]:
    """Runs of models of their own; `data` are the data that their signatures name, the first ones more often."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        value = chance.uniform(0.1, 0.9)
        counts = INCOMPLETE if chance.random() < 0.1 else None
        result = task_result(value=value, data=data[int(chance.random() ** 2 * len(data))], counts=counts)
        made.append(RunEntry(f"m{number}", "1", "fake", f"run-{number}", "2026-01-01", result))
    return made


def sheet(some: Sequence[RunEntry], rows: int, monkeypatch: pytest.MonkeyPatch) -> BoardSheet:
    monkeypatch.setattr(board_sheet, "MOST_ROWS", rows)
    (found,) = board_sheets(some, [], View())
    return found


@pytest.mark.parametrize("data", [["a@1"], ["a@1", "b@1"], ["a@1", "b@1", "c@1", "d@1"]], ids=len)
@pytest.mark.parametrize("most", [4, 200])
def test_the_first_rows_are_what_they_are_among_all(
    data: Sequence[str], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "MOST", most)
    monkeypatch.setattr(crowds, "MOST", most)
    for seed in range(20):
        some = entries(seed, 14, data)
        whole, cut = sheet(some, 14, monkeypatch), sheet(some, 5, monkeypatch)

        for line, expected in zip(cut.lines, whole.lines, strict=False):
            fields = [replace(field, number=bool(field.number)) for field in line.fields]
            assert fields == [replace(field, number=bool(field.number)) for field in expected.fields]
            assert (line.name, line.rank, line.words) == (expected.name, expected.rank, expected.words)
        assert len(cut.lines) == 5
        assert (whole.more, cut.more) == (0, 9)
        assert (cut.title, cut.columns) == (whole.title, whole.columns)


def test_a_long_table_says_how_to_see_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.setattr(board_sheet, "MOST_ROWS", 2)
    for number in range(5):
        write_run(tmp_path, f"run-{number}", f"m{number}", task_result(model=f"m{number}", value=0.2 + number / 10))

    def said(*words: str) -> str:
        assert main(["leaderboard", "--results", str(tmp_path), "--published", "none", *words]) == 0
        return capsys.readouterr().out

    screen = said()
    assert "first 2 of 5 rows (all of them: --all)" in screen
    assert [name for name in ("m0", "m1", "m2", "m3", "m4") if name in screen] == ["m3", "m4"]
    assert all(f"m{number}" in said("--all") for number in range(5))
    assert {row["run"] for row in csv.DictReader(io.StringIO(said("--format", "csv")))} == {
        f"run-{number}" for number in range(5)
    }
    assert len(json.loads(said("--format", "json"))) == 5
