"""The pytest fixture `tvbench_check`, in a pytest of its own, on runs that were written by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pupils import Pupil, serving
from quiz_runs import write_quiz
from repository import ROOT

pytestmark = pytest.mark.slow

PLUGIN = "tvbench.cli.pytest_plugin"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("repository")
    results = made / "results"
    write_quiz(results, "base", {"de": 12, "hi": 12})
    write_quiz(results, "same", {"de": 12, "hi": 12})
    write_quiz(results, "worse", {"de": 12, "hi": 50})
    write_quiz(results, "unsure", {"de": 12, "hi": 15})
    write_quiz(results, "broken", {"de": 12, "hi": 12}, failed=30)
    return made


Outcome = tuple[str, str]


def played(folder: Path, bodies: Mapping[str, str], *words: str) -> dict[str, Outcome]:
    """Tests with these bodies in one pytest: by name `passed`, `skipped` or `failed`, with what is said of it."""
    tests = [f"def test_{name}(tvbench_check):\n    {body}\n" for name, body in bodies.items()]
    (folder / "test_model.py").write_text("\n".join(tests), encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider", "--junit-xml=report.xml", *words]
    done = subprocess.run([*command, "test_model.py"], cwd=folder, env=env, check=False, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    cases = ElementTree.parse(folder / "report.xml").iter("testcase")
    return {str(case.get("name")).removeprefix("test_"): outcome(case) for case in cases}


def outcome(case: ElementTree.Element) -> Outcome:
    for child in case:
        if child.tag in ("failure", "skipped"):
            return {"failure": "failed", "skipped": "skipped"}[child.tag], f"{child.get('message')}\n{child.text}"
    return "passed", " ".join(str(one.get("value")) for one in case.iter("property"))


BODIES = {
    "good": "found = tvbench_check('same', against='base'); assert found.outcome == 'pass' and found.run == 'same'",
    "worse": "tvbench_check('worse', against='base')",
    "german": "tvbench_check('worse', against='base', languages=['de'])",
    "margin": "tvbench_check('worse', against='base', margin=60)",
    "unsure": "tvbench_check('unsure', against='base')",
    "strict": "tvbench_check('unsure', against='base', strict=True)",
    "no_run": "tvbench_check(against='base')",
    "unknown_run": "tvbench_check('none', against='base')",
    "unknown_baseline": "tvbench_check('same', against='nowhere.json')",
    "unknown_language": "tvbench_check('same', against='base', languages='tlh')",
    "incomplete": "tvbench_check('broken', against='base')",
}


@pytest.fixture(scope="module")
def plain(folder: Path) -> dict[str, Outcome]:
    return played(folder, BODIES)


def test_a_run_as_good_passes_and_gives_the_check(plain: dict[str, Outcome]) -> None:
    assert plain["good"][0] == "passed" and plain["good"][1].startswith("PASS: none of"), plain["good"]


def test_a_regression_fails_with_the_screen(plain: dict[str, Outcome]) -> None:
    came, said = plain["worse"]
    assert came == "failed" and "FAIL" in said and "Hindi" in said, said
    assert "tvbench explain worse --languages hi" in said and "pytest_plugin.py" not in said, said


def test_languages_and_margin_are_those_of_a_check(plain: dict[str, Outcome]) -> None:
    assert plain["german"][0] == "passed", plain["german"]
    assert plain["margin"][0] in ("passed", "skipped"), plain["margin"]


def test_what_cannot_be_told_is_skipped_with_the_reason_or_fails(plain: dict[str, Outcome]) -> None:
    came, said = plain["unsure"]
    assert came == "skipped" and "CANNOT TELL" in said and "quiz: Hindi" in said, said
    assert plain["strict"][0] == "failed", plain["strict"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no_run", "no run is named"),
        ("unknown_run", "none"),
        ("unknown_baseline", "nowhere.json"),
        ("unknown_language", "tlh"),
        ("incomplete", "failed"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(plain: dict[str, Outcome], name: str, told: str) -> None:
    came, said = plain[name]
    assert came == "failed" and told in said and "pytest_plugin.py" not in said, said


def test_the_command_line_names_run_results_and_strictness(folder: Path) -> None:
    bodies = {name: BODIES[name] for name in ("no_run", "unsure")}
    (folder / "results").rename(folder / "elsewhere")
    try:
        words = ("--tvbench-results=elsewhere", "--tvbench-run=worse", "--tvbench-strict")
        found = played(folder, bodies, *words)
    finally:
        (folder / "elsewhere").rename(folder / "results")
    assert found["no_run"][0] == "failed" and "Hindi" in found["no_run"][1], found
    assert found["unsure"][0] == "failed" and "CANNOT TELL" in found["unsure"][1], found


def test_a_model_is_run_first(folder: Path) -> None:
    (folder / "bench").mkdir()
    answers = {f"What is number {number:03}?": ("one", "two", "three")[number % 3] for number in range(60)}
    rows = [f'en,{asked},"one; two; three",{answer}' for asked, answer in answers.items()]
    (folder / "bench" / "metadata.csv").write_text("\n".join(["language,question,options,answer", *rows]))
    with serving(Pupil("good", answers, 0.95), Pupil("bad", answers, 0.3)) as pupils:
        words = "'./bench', against={!r}, languages=['en'], results='made'"
        good, bad = (f"tvbench_check.run('{pupil.model}', {words})" for pupil in pupils)
        first = played(folder, {"first": good.format("nowhere.json")})["first"]
        assert first[0] == "failed" and "nowhere.json" in first[1], first
        [made] = (path for path in (folder / "made").iterdir() if (path / "manifest.json").is_file())
        found = played(folder, {"again": good.format(str(made)), "bad": bad.format(str(made))})
        assert set(pupils[0].asked.values()) == {1}, "what is there is not asked again"
    assert found["again"][0] == "passed", found
    assert found["bad"][0] == "failed" and "English" in found["bad"][1], found


def test_pytest_loads_nothing_else_for_it() -> None:
    probe = f"import pytest, sys; before = set(sys.modules); import {PLUGIN}; print(*set(sys.modules) - before)"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", probe], env=env, check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert loaded == {"tvbench", "tvbench.cli", PLUGIN}
