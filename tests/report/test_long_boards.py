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
from tvbench.analysis.rows import own_rows
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


def simple_rows(some: Sequence[RunEntry], kinds: dict[str, int]) -> list[tuple[str, str, list[str]]]:
    """The same one by one: each run, newest first, into the first row of its answerer that has room."""
    rows: list[tuple[RunEntry, dict[str, str]]] = []
    runs: dict[str, list[RunEntry]] = {}
    for entry in sorted(some, key=lambda entry: entry.date, reverse=True):
        runs.setdefault(entry.run, []).append(entry)
    for of_run in runs.values():
        first = of_run[0]
        for other, held in rows:
            same = all(getattr(first, name) == getattr(other, name) for name in ("model", "revision", "engine"))
            if same and kinds[other.run] == kinds[first.run] and not held.keys() & {one.result.task for one in of_run}:
                break
        else:
            held = {}
            rows.append((first, held))
        held |= {one.result.task: one.run for one in of_run}
    named = []
    for first, held in rows:
        twins = [other for other, _ in rows if other is not first and other.model == first.model]
        words = ["run"]
        words += [first.engine] * any(other.engine != first.engine for other in twins)
        words += [f"@{first.revision}"] * any(other.revision != first.revision for other in twins)
        equal = any((other.engine, other.revision) == (first.engine, first.revision) for other in twins)
        named.append((first.model, " ".join(words + [f"…{first.run[-8:]}"] * equal), list(held.values())))
    return named


def test_rows_are_shared_and_named_as_one_by_one() -> None:
    chance = random.Random(3)
    for _ in range(200):
        some = []
        for number in range(chance.randrange(1, 25)):
            model, revision, engine = chance.choice("ab"), chance.choice("12"), chance.choice("xy")
            date = f"2026-01-0{chance.randrange(1, 9)}"
            for task in chance.sample(["p", "q", "r", "s"], chance.randrange(1, 4)):
                some.append(RunEntry(model, revision, engine, f"run-{number}", date, task_result(task)))
        kinds = {entry.run: chance.randrange(2) for entry in some}

        found = own_rows(some, kinds)

        rows = [(row.model, row.source, [entry.run for entry in row.entries.values()]) for row in found]
        assert rows == simple_rows(some, kinds)
