"""Lines of text are as wide as the terminal; names and commands in them stay whole; a pipe is left alone."""

from __future__ import annotations

import pytest
from run_folders import task_result, write_run

from tvbench.cli.fields import field
from tvbench.cli.main import main
from tvbench.cli.output import fitted

WIDTHS = (40, 60, 80, 100, 160)
WORDS = (
    "a sentence of some ordinary words that goes on and on until it is wider than any terminal that people have " * 2
)


@pytest.mark.parametrize("width", WIDTHS)
def test_fields_are_as_wide_as_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = list(field("note", WORDS))
    assert max(map(len, lines)) <= min(width, 100)
    assert " ".join(" ".join(lines).split()) == f"note: {' '.join(WORDS.split())}"


def test_fields_in_a_pipe_are_a_hundred_wide(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    widest = max(map(len, field("note", WORDS)))
    assert 90 < widest <= 100


@pytest.mark.parametrize("width", WIDTHS)
def test_commands_are_not_broken(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    command = "tvbench run --model qwen2.5-vl-7b --tasks alm,multi30k --languages de,hi"
    lines = fitted([f"{WORDS}: `{command}` goes on; or by hand: {command}"])
    assert sum(command in line for line in lines) == 2
    assert all(len(line) <= width for line in lines if command not in line)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("words", ["fetch --tasks alm --model towervision-9b --dry-run", "models show towervision-9b"])
def test_no_line_of_text_is_wider(
    words: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(words.split()) == 0
    wide = [line for line in capsys.readouterr().out.splitlines() if len(line) > width]
    assert all(len(line.split()) <= 2 or "tvbench " in line for line in wide), wide


@pytest.mark.parametrize("width", WIDTHS)
def test_runs_that_may_be_meant_are_named_whole(
    width: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    place = tmp_path_factory.mktemp("runs")
    names = [f"qwen2.5-vl-7b--alm+multi30k--text-{number}" for number in range(5)]
    for name in names:
        write_run(place, name, "m", task_result("alm", "m", value=0.5))
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["score", "qwen", "--results", str(place)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert all(any(name in line for line in said) for name in names)
    assert all(len(line) <= width or len(line.split()) == 1 for line in said)
    monkeypatch.delenv("COLUMNS")
    assert main(["score", "qwen", "--results", str(place)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("name", ["vllm", "openai", "transformers"])
def test_an_engine_is_explained_as_wide_as_the_terminal(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["engines", name]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{name}: ") and max(map(len, said.splitlines())) <= 60
