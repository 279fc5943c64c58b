"""`tvbench check --format` and `--write`: the reports that CI systems read, as files and on stdout."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from quiz_runs import write_quiz

from tvbench.cli.main import main

Said = pytest.CaptureFixture[str]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    write_quiz(tmp_path / "results", "base", {"de": 12, "hi": 12})
    write_quiz(tmp_path / "results", "worse", {"de": 12, "hi": 50})
    return tmp_path / "results"


def check(results: Path, *words: str) -> int:
    return main(["check", "worse", "--against", "base", "--results", str(results), "--resamples", "500", *words])


def test_reports_are_written_next_to_the_screen_and_their_folder_is_made(
    results: Path, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    reports = tmp_path / "new" / "reports"
    forms = {"junit": "a.xml", "markdown": "a.md", "json": "a = b.json", "github": "a.txt", "table": "table.txt"}
    assert check(results, *(f"--write={form}={reports / name}" for form, name in forms.items())) == 3
    assert capsys.readouterr().out == (reports / "table.txt").read_text(encoding="utf-8")
    assert ElementTree.parse(reports / "a.xml").findall(".//failure")
    assert json.loads((reports / "a = b.json").read_text(encoding="utf-8"))["outcome"] == "fail"
    markdown = (reports / "a.md").read_text(encoding="utf-8")
    assert markdown.startswith("<!-- tvbench check: base -->\n### tvbench check: FAIL")
    assert (reports / "a.txt").read_text(encoding="utf-8").startswith("::error title=quiz%3A Hindi")
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == markdown.partition("\n")[2], "appended once"


@pytest.mark.parametrize(
    ("form", "begins"), [("junit", "<?xml"), ("github", "::error title="), ("markdown", "<!-- tvbench check")]
)
def test_a_report_is_printed_alone(results: Path, capsys: Said, form: str, begins: str) -> None:
    assert check(results, "--format", form) == 3
    assert capsys.readouterr().out.startswith(begins)


def test_no_summary_is_written_where_none_is_named_or_other_forms_are_asked_for(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check(results, "--format", "github") == 3
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert check(results, "--format", "markdown") == 3
    assert not (tmp_path / "summary.md").exists()


@pytest.mark.parametrize("given", ["report.xml", "junit", "junit=", "pdf=report.pdf", "=x"])
def test_a_report_of_no_form_or_file_is_refused(results: Path, capsys: Said, given: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        check(results, "--write", given)
    assert stopped.value.code == 2 and "FORMAT=FILE" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_said(results: Path, tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "file").write_text("")
    assert check(results, "--write", f"junit={tmp_path / 'file' / 'report.xml'}") == 1
    said = capsys.readouterr().err
    assert "report.xml" in said and "Traceback" not in said


def test_a_baseline_makes_its_folder(results: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "baselines" / "main.json"
    assert main(["baseline", "write", "base", str(file), "--results", str(results)]) == 0
    assert file.is_file()
