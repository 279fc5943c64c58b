"""Somebody with a CSV and pictures: a table without any Python, then a metric of one's own."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from installed import User
from PIL import Image

pytestmark = pytest.mark.slow

COLOURS = {"red": (200, 30, 30), "green": (30, 160, 40), "blue": (30, 60, 200)}
WORDS = {
    "de": ("Welche Farbe hat das Bild?", {"red": "rot", "green": "grün", "blue": "blau"}),
    "es": ("¿De qué color es la imagen?", {"red": "rojo", "green": "verde", "blue": "azul"}),
}


def own_data(folder: Path) -> None:
    """metadata.csv and the pictures that it names."""
    (folder / "pictures").mkdir(parents=True)
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file_name", "language", "question", "options", "answer"])
        for colour, shade in COLOURS.items():
            for size in (48, 64):
                name = f"pictures/{colour}{size}.png"
                Image.new("RGB", (size, size), shade).save(folder / name)
                for language, (question, words) in WORDS.items():
                    table.writerow([name, language, question, "; ".join(words.values()), words[colour]])


def test_a_table_without_python_then_an_own_metric(user: User) -> None:
    own_data(user.folder / "mybench")
    asked = ("--model", "tower-mini", "--tasks", "./mybench")

    understood = user.types("run", *asked, "--dry-run")
    for said in ("metadata.csv", "12 rows", "6 pictures", "Welche Farbe hat das Bild?", "picture"):
        assert said in understood, understood
    assert "mybench" in user.types("audit", "./mybench")

    shown = user.types("run", *asked)
    assert "German" in shown and "Spanish" in shown, shown
    board = user.types("leaderboard")
    assert "mybench" in board and "tower-mini" in board, board

    (user.folder / "mybench" / "scorers.py").write_text(
        'def short(item, text):\n    "Is the answer one word?"\n    return float(len(text.split()) == 1)\n'
    )
    user.types("run", *asked, "--metric", "short")
    board = user.types("leaderboard", "--all")
    assert "short" in board, board
