"""docs/own_data.md: its table, its task.yaml, its scorers.py and every command are tried, as somebody would who types
them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from own_folders import pictures
from repository import ROOT

from tvbench.cli.main import main
from tvbench.data.own.columns import roles_of
from tvbench.data.own.declaration import ColumnFields
from tvbench.registry import places
from tvbench.runs.store import find_runs

PAGE = (ROOT / "docs" / "own_data.md").read_text(encoding="utf-8")
BOXES = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def box(kind: str) -> str:
    (text,) = (str(text) for found, text in BOXES if found == kind)
    return text


def test_every_box_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TVBENCH_RESULTS", raising=False)
    pictures(tmp_path / "mybench", "1.png", "2.png")
    (tmp_path / "mybench" / "metadata.csv").write_text(box("csv"), encoding="utf-8")
    first, second = ([line.partition("#")[0] for line in text.splitlines()] for kind, text in BOXES if kind == "sh")
    for line in first:
        assert main(shlex.split(line)[1:]) == 0, line
    said = capsys.readouterr().out
    assert "2 languages: de 2, fr 2" in said and "scored as multiple choice (aligned)" in said
    assert (tmp_path / "yours" / "task.yaml").is_file()
    (tmp_path / "mybench" / "task.yaml").write_text(box("yaml"), encoding="utf-8")
    (tmp_path / "mybench" / "scorers.py").write_text(box("python"), encoding="utf-8")
    for protocol in ("tvbench", "text"):
        assert main(["run", "--model", "tower-mini", "--tasks", "./mybench", "--dry-run", "--protocol", protocol]) == 0
        assert ("A. " in capsys.readouterr().out) == (protocol == "tvbench")
    assert main(shlex.split(second[0])[1:]) == 0
    (run,) = (run.name for run in find_runs(Path("results")) if run.manifest().tasks[0].primary == "brief")
    assert main([word.replace("RUN", run) for word in shlex.split(second[1])[1:]]) == 0
    assert "brief" in capsys.readouterr().out
    places.include(())


def test_the_names_of_columns_on_the_page_are_those_that_are_read() -> None:
    table = PAGE.partition("## What columns mean")[2].partition("\n## ")[0].partition("An answer to")[0]
    rows = re.findall(r"^\| (question|answer|options|picture, clip|language) \| (.*) \|$", table, re.MULTILINE)
    roles = {
        "question": "question",
        "answer": "answer",
        "options": "options",
        "picture, clip": "media",
        "language": "language",
    }
    assert len(rows) == len(roles)
    for role, told in rows:
        for name in re.findall(r"`([a-z_*]+)`", told.partition(":")[0]):
            column = name.replace("*", "left")
            found = roles_of([column, "index"], ColumnFields(), "a table")
            value = getattr(found, roles[role]) or (found.text if role == "question" else "")
            assert column in str(value), name
