"""An engineer who must choose between three served models: one table, with costs and who cannot be told apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from alm_examples import alm_row
from installed import User
from pupils import Pupil, serving
from task_data import write_parquet

pytestmark = pytest.mark.slow

QUESTIONS = 80
OPTIONS = ("Rock", "Hose", "Hut", "Schal")


def questions(language: str) -> dict[str, str]:
    """Question by question, its answer."""
    return {f"{language}: what is number {number:03}?": OPTIONS[number % 4] for number in range(QUESTIONS)}


def benchmark(folder: Path) -> dict[str, str]:
    """ALM-Bench in its published layout, with made-up questions in German and Hindi; the answers by question."""
    answers = {language: questions(language) for language in ("German", "Hindi")}
    rows = [
        alm_row(
            f"{place}_1_01_{number:03}",
            f"{answer} (Options: {', '.join(OPTIONS)})",
            language=language,
            question=question,
            url=f"https://pictures.example/{language}{number}.jpg",
        )
        for place, language in enumerate(answers, 1)
        for number, (question, answer) in enumerate(answers[language].items())
    ]
    write_parquet(folder / "MBZUAI" / "ALM-Bench" / "data" / "test-00000-of-00001.parquet", rows, ("file_name",))
    return answers["German"] | answers["Hindi"]


def test_three_servers_in_one_table(user: User) -> None:
    answers = benchmark(user.folder / "alm")
    trio = (Pupil("dear", answers, 0.9), Pupil("cheap", answers, 0.88), Pupil("small", answers, 0.3))
    with serving(*trio) as pupils:
        for pupil, price in zip(pupils, ("5,20", "1,4", "0.1,0.4"), strict=True):
            asked = ("--model", pupil.model, "--label", pupil.name, "--tasks", "alm", "--data", "./alm")
            estimate = user.types("run", *asked, "--languages", "de,hi", "--price", price, "--dry-run")
            assert "$" in estimate, estimate
            shown = user.types("run", *asked, "--languages", "de,hi", "--price", price)
            assert "$" in shown and "German" in shown, shown
        assert {count for pupil in pupils for count in pupil.asked.values()} == {1}

    board = user.types("leaderboard", "--languages", "de,hi", "--cost")
    lines = {name: next(line for line in board.splitlines() if name in line) for name in ("dear", "cheap", "small")}
    assert all(word in board for word in ("German", "Hindi", "$/1k")), board
    assert "1-2" in lines["dear"].replace("–", "-") and "1-2" in lines["cheap"].replace("–", "-"), board
    assert "3" in lines["small"], board
    assert "cannot be told apart" in board, board
    assert "cheapest that is not certainly worse in alm, mean: cheap," in " ".join(board.split()), board
    rows = json.loads(user.types("leaderboard", "--languages", "de,hi", "--cost", "--format", "json"))
    assert rows
