"""A run that is refused while its engine opens leaves nothing; one that lay there before is not touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvbench.cli.main import main

WORDS = "run --model tower-mini --tasks mini-alm --limit 1 --languages de --quiet --results".split()


def refused(place: Path, word: str) -> int:
    return main([*WORDS, str(place), word])


@pytest.mark.parametrize("word", ["--thinking", "--no-thinking"])
def test_a_refused_run_leaves_no_folder(word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(tmp_path, word) == 2
    assert f"{word}: the chat template of tower-mini knows no enable_thinking" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_lay_there_stays(tmp_path: Path) -> None:
    assert main([*WORDS, str(tmp_path), "--thinking-tokens", "5", "--dry-run"]) == 0
    assert refused(tmp_path, "--no-thinking") == 2
    assert main([*WORDS, str(tmp_path)]) == 0
    (run,) = tmp_path.iterdir()
    answers = (run / "responses.jsonl").read_bytes()
    assert answers and refused(tmp_path, "--no-thinking") == 2
    assert list(tmp_path.iterdir()) == [run] and (run / "responses.jsonl").read_bytes() == answers


def test_a_folder_made_by_hand_stays(tmp_path: Path) -> None:
    assert main([*WORDS, str(tmp_path), "--label", "mine", "--no-thinking"]) == 2
    assert not list(tmp_path.iterdir())
    assert main([*WORDS, str(tmp_path), "--label", "mine"]) == 0
    (run,) = tmp_path.iterdir()
    for path in run.iterdir():
        path.unlink()
    (run / "note.txt").write_text("mine")
    assert main([*WORDS, str(tmp_path), "--label", "mine", "--no-thinking"]) == 2
    assert (run / "note.txt").read_text() == "mine"


@pytest.mark.parametrize("more", [[], ["--all"], ["--by", "family"]])
def test_of_a_damaged_sole_run_only_the_damage_is_said(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, str(tmp_path)]) == 0
    (run,) = tmp_path.iterdir()
    (run / "result.json").write_text('{"format":')
    capsys.readouterr()
    assert main(["leaderboard", "--results", str(tmp_path), *more]) == 0
    said = capsys.readouterr()
    assert "result.json is damaged" in said.err and "tvbench score" in said.err
    assert "no scored runs" not in said.err and "nothing to show" not in said.err and not said.out
