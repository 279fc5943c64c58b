"""A researcher with a checkpoint and three languages: a Gemma 3 and a Qwen2.5-VL, asked in German, Hindi and Arabic."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from alm_examples import alm_row
from installed import User
from task_data import write_parquet
from tiny_baselines import gemma3, qwen

pytestmark = pytest.mark.slow

LANGUAGES = {"German": "Was ist das?", "Hindi": "यह क्या है?", "Egyptian_Arabic": "ما هذا؟"}
OPTIONS = ("Rock", "Hose", "Hut", "Schal")
QUESTIONS = 4


def benchmark(folder: Path) -> None:
    """ALM-Bench in its published layout, a few made-up questions in each language."""
    rows = [
        alm_row(
            f"{place}_1_01_{number:03}",
            f"{OPTIONS[number]} (Options: {', '.join(OPTIONS)})",
            language=language,
            question=question,
            url=f"https://pictures.example/{language}{number}.jpg",
        )
        for place, (language, question) in enumerate(LANGUAGES.items(), 1)
        for number in range(QUESTIONS)
    ]
    write_parquet(folder / "MBZUAI" / "ALM-Bench" / "data" / "test-00000-of-00001.parquet", rows, ("file_name",))


def test_own_checkpoints_in_three_languages(user: User) -> None:
    benchmark(user.folder / "alm")
    for name, checkpoint in (("my-gemma", gemma3), ("my-qwen", qwen)):
        checkpoint(user.folder / f"{name}-parts").rename(user.folder / name)
        asked = ("--model", f"./{name}", "--tasks", "alm", "--data", "./alm", "--languages", "de,hi,ar")
        assert f"{QUESTIONS * len(LANGUAGES)}" in user.types("run", *asked, "--dry-run")
        shown = user.types("run", *asked)
        assert all(language in shown for language in ("German", "Hindi", "Arabic")), shown

    board = user.types("leaderboard", "--languages", "de,hi,ar")
    assert "my-gemma" in board and "my-qwen" in board, board
    rows = json.loads(user.types("leaderboard", "--languages", "de,hi,ar", "--format", "json"))
    text = json.dumps(rows)
    assert '"my-gemma"' in text and '"my-qwen"' in text

    for name in ("my-gemma", "my-qwen"):
        (run,) = (user.folder / "results").glob(f"{name}--*")
        answers = (run / "responses.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(answers) == QUESTIONS * len(LANGUAGES)
        user.types("explain", run.name, "--languages", "hi")
