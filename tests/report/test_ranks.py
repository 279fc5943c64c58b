"""Stars and rank intervals of a leaderboard: what the data leave open, by the items that runs share."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ranked_runs import questions, right_in, write

from tvbench.analysis.ranks import Rank
from tvbench.cli.main import main
from tvbench.scoring.paired import certain_signs, compare, is_certain, means
from tvbench.types import Item, Message, Translation

Said = pytest.CaptureFixture[str]
Answer = Callable[[Item], str | None]


def sentences(count: int) -> list[Item]:
    return [
        Item(
            f"de/{number}",
            "texts",
            "de",
            (Message("user", ("Translate",)),),
            Translation("A house.", (f"Ein rotes Haus steht an der Straße {number} hier.",)),
        )
        for number in range(count)
    ]


def board(capsys: Said, results: Path, *words: str) -> str:
    assert main(["leaderboard", "--results", str(results), "--all", "--no-published", *words]) == 0
    return capsys.readouterr().out


def lines(text: str) -> dict[str, str]:
    return {line.split()[0]: line for line in text.splitlines() if line.strip()}


def test_what_may_be_best_has_a_star_and_ranks_are_intervals(tmp_path: Path, capsys: Said) -> None:
    for seed, (name, share) in enumerate((("alpha", 0.9), ("beta", 0.88), ("gamma", 0.4))):
        write(tmp_path, name, questions(120), right_in(share, seed))
    found = lines(board(capsys, tmp_path))
    assert "★" in found["alpha"] and "★" in found["beta"] and "★" not in found["gamma"]
    assert [found[name].split()[1] for name in ("alpha", "beta", "gamma")] == ["1–2", "1–2", "3"]
    down = board(capsys, tmp_path, "--languages")
    assert lines(down)["rank"].split() == ["rank", "1–2", "1–2", "3"]
    assert all(
        line.count("★") == 2
        for line in down.splitlines()
        if line.startswith(("all (mean)", "de German", "en English", "multi"))
    )
    records = {row["model"]: row for row in json.loads(board(capsys, tmp_path, "--format", "json"))}
    assert records["gamma"]["ranks"]["aligned"] == {"low": 3, "high": 3, "of": 3, "star": False, "level": 0.95}
    assert records["alpha"]["ranks"]["aligned"]["star"] and records["alpha"]["ranks"]["aligned"]["high"] == 2
    rows = list(csv.DictReader(io.StringIO(board(capsys, tmp_path, "--format", "csv"))))
    ranked = {(row["model"], row["rank_low"], row["rank_high"]) for row in rows if row["rank_low"]}
    assert ranked == {("alpha", "1", "2"), ("beta", "1", "2"), ("gamma", "3", "3")}
    by_language = list(csv.DictReader(io.StringIO(board(capsys, tmp_path, "--format", "csv", "--languages"))))
    assert {row["language"] for row in by_language if row["rank_low"]} == {"all", "multi", "de", "en"}


def test_where_nothing_is_certain_there_is_no_star(tmp_path: Path, capsys: Said) -> None:
    for seed, name in enumerate(("alpha", "beta", "gamma")):
        write(tmp_path, name, questions(30), right_in(0.7, seed))
    shown = board(capsys, tmp_path)
    assert "★" not in "".join(lines(shown)[name] for name in ("alpha", "beta", "gamma"))
    assert "no star in quiz: no two figures can be told apart" in shown
    assert all(lines(shown)[name].split()[1] == "1–3" for name in ("alpha", "beta", "gamma"))


def test_answers_of_both_say_more_than_two_figures(tmp_path: Path, capsys: Said) -> None:
    """Twelve of 100 pictures are right in one run only, and none in the other only: certain, though ± is 9."""
    items = questions(100, ["de"])
    base = right_in(0.5, 1)
    write(tmp_path, "alpha", items, base)
    flipped = [item.id for item in items if base(item) != getattr(item.target, "target", "")][:12]
    write(tmp_path, "beta", items, lambda item: item.target.target if item.id in flipped else base(item))  # type: ignore[union-attr]
    found = lines(board(capsys, tmp_path))
    assert found["beta"].split()[1] == "1" and "★" in found["beta"] and found["alpha"].split()[1] == "2"


def test_the_better_end_is_the_metrics_own(tmp_path: Path, capsys: Said) -> None:
    for primary in ("ter", "chrfpp"):
        results = tmp_path / primary
        items = sentences(40)
        write(results, "good", items, lambda item: f"Ein rotes Haus steht an der Straße {item.id[3:]} hier.", primary)
        write(results, "poor", items, lambda item: "Ein Haus.", primary)
        found = lines(board(capsys, results))
        assert "★" in found["good"] and "★" not in found["poor"], primary
        assert found["good"].split()[1] == "1" and found["poor"].split()[1] == "2"


def test_what_lacks_answers_is_not_ranked(tmp_path: Path, capsys: Said) -> None:
    write(tmp_path, "alpha", questions(60), right_in(0.6, 1))
    write(tmp_path, "beta", questions(60), right_in(0.2, 2))
    best = right_in(1.0, 3)
    write(tmp_path, "gamma", questions(60), lambda item: None if item.id == "de/3" else best(item))
    found = lines(board(capsys, tmp_path))
    assert "★" not in found["gamma"] and "*" in found["gamma"] and found["gamma"].split()[1] == "–"
    assert "★" in found["alpha"] and found["alpha"].split()[1] == "1" and found["beta"].split()[1] == "2"


def test_two_rows_agree_with_compare(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    certain = 0
    for seed in range(60):
        groups = [
            means(one, two, list(range(25))) for one, two in (rng.random((2, 2, 25)) < [[0.6], [0.85]]).astype(float)
        ]
        found = compare(groups, seed=seed)
        (sign,) = certain_signs([groups], seed=seed)
        assert (sign != 0) == is_certain(found) and sign in (0, 1 if found.difference > 0 else -1)
        certain += sign != 0
    assert 10 < certain < 60


def test_rank_intervals_hold_all_at_once() -> None:
    """Where five systems are equal, some pair is called certain in 5 % of all cases at most."""
    rng = np.random.default_rng(1)
    false, rounds = 0, 300
    pictures = list(range(50))
    for seed in range(rounds):
        systems = rng.normal(size=(5, 50)) + rng.normal(size=50)
        pairs = [[means(systems[a], systems[b], pictures)] for a in range(5) for b in range(a + 1, 5)]
        false += any(certain_signs(pairs, resamples=499, seed=seed))
    assert 0.02 <= false / rounds <= 0.08


def test_a_rank_is_one_number_or_two() -> None:
    from tvbench.analysis.ranks import ranks_text

    assert [ranks_text(rank) for rank in ((1, 1), (1, 3), None)] == ["1", "1–3", ""]
    assert Rank(1, 2, 3, True).of == 3
