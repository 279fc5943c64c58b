"""`tvbench check` and `tvbench baseline`: what is found, what is passed, what is told apart, and every exit code."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gated import LANGUAGES, write_run
from json_schema import problems

import tvbench
from benchmarks import gate
from tvbench.analysis.regression.check import check_runs
from tvbench.analysis.regression.file import BaselineFile, _checksum, baseline_text, read_file, write_file
from tvbench.analysis.regression.policy import policy_of
from tvbench.analysis.regression.standing import DIAGNOSES, Measure, Part, RunStanding, TaskStanding
from tvbench.analysis.regression.verdict import MEAN, Check
from tvbench.cli.main import main
from tvbench.report.check import check_lines, check_schema

Said = pytest.CaptureFixture[str]
ENGLISH = "The answer to this question is that we cannot know without more information about it."


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that differ from `base` in one thing each."""
    folder = tmp_path_factory.mktemp("runs")
    hindi = {f"hi/{number}": ENGLISH for number in range(60)}
    write_run(folder, "base")
    write_run(folder, "same")
    write_run(folder, "noise", fall={"de": 0.015, "ar": 0.01})
    write_run(folder, "fell", fall={"hi": 0.3})
    write_run(folder, "texts", broken=0.6)
    write_run(folder, "lacks-hi", languages=("ar", "de", "fr"))
    write_run(folder, "lacks-texts", texts=0)
    write_run(folder, "fewer", items=100)
    write_run(folder, "data", signature="task:x|protocol:p|data:z")
    write_run(folder, "asked", signature="task:x|protocol:p|data:y|thinking:on")
    write_run(folder, "english", answers=hindi)
    write_run(folder, "waits", missing=["ar/0", "ar/1"])
    write_run(folder, "failed", answers={"de/3": None})
    write_run(folder, "failed-much", answers={f"de/{number}": None for number in range(80)})
    write_run(folder, "waits-fell", missing=["de/0"], fall={"hi": 0.3})
    write_run(folder, "few-base", items=12, texts=0, answers={"de/0": "A", "de/2": "A"})
    write_run(folder, "few", items=12, texts=0, answers={"de/0": "B", "de/2": "B"})
    return folder


def checked(results: Path, run: str, against: str = "base", *words: str) -> int:
    return main(["check", run, "--against", against, "--results", str(results), *words])


def of(results: Path, run: str, against: str = "base", **policy: Any) -> Check:
    return tvbench.check(run, against, policy=policy or None, results=results)


CODES = [
    ("same", "base", [], 0),
    ("noise", "base", [], 0),
    ("fell", "base", [], 3),
    ("fell", "base", ["--margin", "60", "--resolution", "80"], 0),
    ("fell", "base", ["--languages", "German,French"], 0),
    ("fell", "base", ["--tasks", "texts"], 0),
    ("texts", "base", [], 3),
    ("lacks-hi", "base", [], 3),
    ("lacks-hi", "base", ["--languages", "de"], 0),
    ("lacks-texts", "base", [], 3),
    ("fewer", "base", [], 3),
    ("data", "base", [], 3),
    ("asked", "base", [], 3),
    ("waits", "base", [], 1),
    ("waits", "base", ["--strict"], 1),
    ("failed", "base", [], 1),
    ("failed-much", "base", [], 3),
    ("waits-fell", "base", [], 3),
    ("few", "few-base", [], 0),
    ("few", "few-base", ["--strict"], 3),
    ("nobody", "base", [], 2),
    ("same", "nobody", [], 2),
    ("same", "nothing.json", [], 2),
    ("same", "base", ["--languages", "xx"], 2),
    ("same", "base", ["--languages", "cs"], 2),
    ("same", "base", ["--tasks", "quizz"], 2),
    ("same", "base", ["--policy", "no-such-file.yaml"], 2),
    ("same", "few-base", ["--tasks", "texts"], 2),
]


@pytest.mark.parametrize(("run", "against", "words", "code"), CODES)
def test_every_exit_code(results: Path, run: str, against: str, words: list[str], code: int) -> None:
    assert checked(results, run, against, *words) == code


@pytest.mark.parametrize(("run", "against", "words", "code"), CODES[:20])
def test_a_baseline_file_says_the_same_as_its_run(
    results: Path, tmp_path: Path, run: str, against: str, words: list[str], code: int
) -> None:
    file = tvbench.write_baseline(against, tmp_path / "base.json", results=results)
    assert checked(results, run, str(file), *words) == code
    if code != 2:
        one, other = of(results, run, against), of(results, run, str(file))
        assert [replace(c, flips=()) for c in one.comparisons] == [replace(c, flips=()) for c in other.comparisons]
        assert one.rises == other.rises and one.outcome == other.outcome and one.absent == other.absent


def test_a_fall_is_named_with_its_items_and_the_next_command(results: Path, capsys: Said) -> None:
    found = of(results, "fell")
    failed = {(one.task, one.language) for one in found.comparisons if one.outcome == "fail"}
    assert failed == {("quiz", "hi"), ("quiz", MEAN)} and found.exit_code == 3
    hindi = next(one for one in found.comparisons if one.language == "hi")
    assert hindi.high is not None and hindi.high < -hindi.margin and hindi.p is not None and hindi.p < 0.05
    assert hindi.fell > 20 and hindi.rose == 0 and 0 < len(hindi.flips) <= 20
    assert all((one.detectable or 0) > one.margin for one in found.comparisons if one.task == "quiz")
    checked(results, "same")
    assert "Could not have been seen: drops below" in capsys.readouterr().out


def test_what_few_items_cannot_tell_is_said_with_how_many_would_do(results: Path, capsys: Said) -> None:
    found = of(results, "few", "few-base")
    assert found.outcome == "cannot tell" and found.exit_code == 0
    unclear = [one for one in found.comparisons if one.outcome == "cannot tell"]
    assert unclear and all(one.needed is not None and one.needed > one.items for one in unclear)
    checked(results, "few", "few-base")
    out = capsys.readouterr().out
    assert out.startswith("CANNOT TELL") and "would do" in out


def test_failures_are_no_zeros_and_not_left_out_in_silence(results: Path) -> None:
    found = of(results, "failed-much")
    german = next(one for one in found.comparisons if one.language == "de" and one.task == "quiz")
    assert german.change == 0 and german.items == 120 and german.outcome != "fail"
    assert {one.language for one in found.rises if one.outcome == "fail" and one.diagnosis == "failed"} >= {"de"}
    assert found.waiting == 80


def test_answers_in_the_wrong_language_are_found_where_they_are(results: Path) -> None:
    found = of(results, "english", margin=90, resolution=95)
    named = {(one.language, one.diagnosis) for one in found.rises if one.outcome == "fail" and one.language != MEAN}
    assert ("hi", "wrong_language") in named and {language for language, _ in named} == {"hi"}
    lenient = of(results, "english", margin=90, resolution=95, diagnoses=dict.fromkeys(DIAGNOSES, 90))
    assert not [one for one in lenient.rises if one.outcome == "fail"]


def test_what_was_asked_otherwise_is_named(results: Path) -> None:
    fatal = [(one.what, one.before, one.after) for one in of(results, "data").changed if one.fatal]
    assert fatal == [("data", "y", "z"), ("data", "y", "z")]
    assert {one.what for one in of(results, "same").changed} == {"model"}
    assert of(results, "data", may_differ=["data"]).outcome == "pass"


def test_what_is_not_there_is_told_apart_from_what_waits(results: Path, capsys: Said) -> None:
    assert [(one.task, one.language, one.items) for one in of(results, "lacks-hi").absent] == [("quiz", "hi", 200)]
    assert [(one.task, one.language) for one in of(results, "lacks-texts").absent] == [("texts", "")]
    assert {(one.language, one.items) for one in of(results, "fewer").absent} == {(code, 100) for code in LANGUAGES}
    waits = of(results, "waits")
    assert not waits.absent and waits.waiting == 2 and waits.outcome == "pass"
    checked(results, "waits")
    assert "tvbench run --model waits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("policy", "outcome"),
    [
        ({"tasks": {"quiz": {"margin": 40, "resolution": 60}}}, "pass"),
        ({"tasks": {"quiz": {"languages": {"Hindi": {"margin": 40}}, "margin": 40, "resolution": 60}}}, "pass"),
        ({"languages": {"hi": {"margin": 40, "resolution": 60}}, "tasks": {"quiz": {"margin": 30}}}, "pass"),
        ({"languages": {"hi": {"margin": 40, "resolution": 60}}}, "fail"),  # the mean fell too
        ({"metrics": {"aligned": {"margin": 40, "resolution": 60}}}, "pass"),
        ({"metrics": {"aligned": {"margin": 40, "resolution": 60}}, "must_not_fall": ["hin"]}, "fail"),
        ({"margin": 40, "resolution": 60, "tasks": {"quiz": {"languages": {"hi": {"margin": 0}}}}}, "fail"),
        ({"ignore": ["hi"]}, "pass"),
        ({"ignore": ["quiz/hi"]}, "pass"),
        ({"ignore": ["quiz"]}, "pass"),
        ({"margin": 40, "resolution": 60, "min_items": 500}, "cannot tell"),
    ],
)
def test_policies(results: Path, policy: dict[str, Any], outcome: str) -> None:
    assert of(results, "fell", **policy).outcome == outcome


def test_the_policy_in_a_baseline_holds_unless_another_is_given(results: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("margin: 40\nresolution: 60\nmust_not_fall: [Arabic]\n")
    file = tmp_path / "base.json"
    words = ["baseline", "write", "base", str(file), "--policy", str(policy), "--results", str(results)]
    assert main(words) == 0
    assert checked(results, "fell", str(file)) == 0
    assert checked(results, "fell", str(file), "--margin", "1") == 3
    policy.write_text("")
    assert checked(results, "fell", str(file), "--policy", str(policy)) == 3


def test_a_folder_of_runs_is_a_baseline_without_the_run_itself(results: Path, tmp_path: Path) -> None:
    write_run(tmp_path, "old")
    write_run(tmp_path, "new", fall={"hi": 0.3})
    assert tvbench.check("new", tmp_path, results=tmp_path).outcome == "fail"
    assert tvbench.check(tmp_path / "old", str(tmp_path / "old")).outcome == "pass"
    (tmp_path / "empty").mkdir()
    with pytest.raises(tvbench.errors.UsageError, match="no run"):
        tvbench.check(tmp_path / "old", tmp_path / "empty")


def test_json_fits_its_schema(results: Path, capsys: Said) -> None:
    for run, code in (("fell", 3), ("same", 0), ("failed-much", 3), ("waits", 1)):
        assert checked(results, run, "base", "--format", "json") == code
        data = json.loads(capsys.readouterr().out)
        assert not list(problems(data, check_schema())) and data["exit_code"] == code


def test_output_writes_the_file_and_prints_the_screen(results: Path, tmp_path: Path, capsys: Said) -> None:
    assert checked(results, "fell", "base", "--format", "json", "--output", str(tmp_path / "check.json")) == 3
    assert json.loads((tmp_path / "check.json").read_text())["outcome"] == "fail"
    assert capsys.readouterr().out.startswith("FAIL")


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
@pytest.mark.parametrize("run", ["fell", "few", "english", "fewer", "data", "failed-much"])
def test_the_screen_fits(results: Path, width: int, run: str) -> None:
    found = of(results, run, "few-base" if run == "few" else "base")
    lines = check_lines(found, width)
    assert max(map(len, lines)) <= width, max(lines, key=len)
    assert lines[0].startswith(("FAIL", "CANNOT TELL"))


def test_metrics_that_are_better_when_lower(tmp_path: Path) -> None:
    for name, broken in (("a", 0.0), ("b", 0.7)):
        run = write_run(tmp_path, name, items=0, languages=(), texts=60, broken=broken)
        path = run.path / "manifest.json"
        data = json.loads(path.read_text())
        data["tasks"][0]["primary"] = "ter"
        path.write_text(json.dumps(data))
    worse, better = tvbench.check("b", "a", results=tmp_path), tvbench.check("a", "b", results=tmp_path)
    (fell,), (rose,) = worse.comparisons, better.comparisons
    assert fell.metric == "ter" and fell.after > fell.before and fell.change < 0 and fell.outcome == "fail"
    assert rose.change > 0 and rose.outcome == "pass"


def test_check_runs_takes_a_folder_and_a_policy(results: Path) -> None:
    found = check_runs(results / "fell", results / "base", policy_of({"level": 0.01}), results=results)
    assert found.level == 0.01 and found.outcome == "fail"


# ── The file ──────────────────────────────────────────────────────────────────────────────────────


def large(languages: int = 100, items: int = 22_763) -> RunStanding:
    """As large as ALM: several items a picture, right or wrong, some diagnoses."""
    rng = np.random.default_rng(0)
    parts = {}
    for number in range(languages):
        count = items // languages + (number < items % languages)
        keys = np.sort(rng.choice(2**32, count, replace=False)).astype(np.uint32)
        clusters = rng.integers(0, count // 4, count) + number * 10_000
        rows = (rng.random((count, 1)) < 0.7).astype(float)
        marks = (rng.random(count) < 0.03).astype(np.uint16) << 4
        parts[f"l{number}"] = Part(keys, clusters, np.zeros(count, np.uint8), rows, marks, float(rows.mean()))
    measure = Measure("aligned", "", {"label": "aligned", "unit": "fraction", "better": "higher"})
    return RunStanding("run", "model", "0", {"alm": TaskStanding("alm", {"data": "d"}, measure, parts)})


def test_a_benchmark_as_large_as_alm_takes_less_than_200_kb_and_loses_nothing(tmp_path: Path) -> None:
    held = BaselineFile(large())
    write_file(tmp_path / "base.json", held)
    assert (tmp_path / "base.json").stat().st_size < 200_000
    read = read_file(tmp_path / "base.json")
    assert baseline_text(read) == baseline_text(held) == (tmp_path / "base.json").read_text()
    for code, part in held.standing.tasks["alm"].parts.items():
        other = read.standing.tasks["alm"].parts[code]
        assert all((getattr(part, name) == getattr(other, name)).all() for name in ("keys", "rows", "marks", "states"))
        pairs = set(zip(part.clusters.tolist(), other.clusters.tolist(), strict=True))
        assert len(pairs) == len(np.unique(part.clusters)) == len(np.unique(other.clusters))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: "{}",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"run": "base"', '"run": "other"'),
        lambda text: text.replace('"version": 1', '"version": 2'),
        lambda text: "a: b",
        lambda text: "[" * 100_000,
    ],
)
def test_a_damaged_or_foreign_file_is_told(
    results: Path, tmp_path: Path, capsys: Said, change: Callable[[str], str]
) -> None:
    file = tvbench.write_baseline("base", tmp_path / "base.json", results=results)
    file.write_text(change(file.read_text()))
    assert checked(results, "same", str(file)) == 2
    assert "base.json" in capsys.readouterr().err


def test_a_file_that_unpacks_to_more_than_it_says_is_refused(results: Path, tmp_path: Path) -> None:
    file = tvbench.write_baseline("base", tmp_path / "base.json", results=results)
    data = json.loads(file.read_text())
    data["tasks"][0]["packed"] = [base64.b64encode(zlib.compress(b"\0" * 100_000_000)).decode()]
    data["checksum"] = _checksum({name: value for name, value in data.items() if name != "checksum"})
    file.write_text(json.dumps(data))
    with pytest.raises(tvbench.errors.UsageError, match="more or fewer"):
        read_file(file)


def test_an_incomplete_run_is_no_baseline_unless_told(results: Path, tmp_path: Path) -> None:
    words = ["baseline", "write", "waits", str(tmp_path / "b.json"), "--results", str(results)]
    assert main(words) == 2 and not (tmp_path / "b.json").exists()
    assert main([*words, "--incomplete"]) == 0
    assert main(["baseline", "show", str(tmp_path / "b.json"), "--format", "json"]) == 0


def test_a_metric_that_was_defined_otherwise_is_told(results: Path, tmp_path: Path, capsys: Said) -> None:
    file = tvbench.write_baseline("base", tmp_path / "base.json", results=results)
    data = json.loads(file.read_text())
    data["tasks"][0]["metric"]["definition"] = "earlier"
    data["checksum"] = _checksum({name: value for name, value in data.items() if name != "checksum"})
    file.write_text(json.dumps(data))
    assert checked(results, "same", str(file)) == 2
    said = capsys.readouterr().err
    assert "defined otherwise" in said and "tvbench baseline write" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("margn: 1", "margin"),
        ("margin: -1", "0 or more"),
        ("level: 2", "0.0005 to 0.5"),
        ("tasks: {quizz: {margin: 1}}", "quiz"),
        ("tasks: {quiz: {margn: 1}}", "margin"),
        ("diagnoses: {wrong_langauge: 1}", "wrong_language"),
        ("must_not_fall: [Czech]", "cs"),
        ("- a", "mapping"),
        ("margin: [", "policy"),
    ],
)
def test_a_wrong_policy_is_told(results: Path, tmp_path: Path, capsys: Said, text: str, said: str) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(text)
    assert checked(results, "same", "base", "--policy", str(policy)) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", ["check", "policy"])
def test_the_committed_schemas_are_what_the_command_prints(name: str, capsys: Said) -> None:
    assert main(["check", "--schema", name]) == 0
    path = Path(__file__).resolve().parents[2] / "docs" / "schemas" / f"{name}.json"
    assert path.read_text(encoding="utf-8") == capsys.readouterr().out


# ── The promises, a small sample of benchmarks/gate.py ────────────────────────────────────────────


def test_equal_runs_fail_seldom_and_drops_are_found() -> None:
    cell = gate.Cell("small", items=60, faults=0.03, a_picture=2, together=0.5)
    equal = [gate.checked(cell, gate.NOTHING, seed).outcome for seed in range(60)]
    assert equal.count("fail") <= 6  # 5 % of 60 are 3; more than 6 in one of 30 samples
    stated = gate.first_of(gate.checked(cell, gate.NOTHING, 1000)).detectable
    assert stated is not None
    fall = min(0.65, 2 * stated)
    assert sum(gate.says("fail", cell, gate.Change(fall), seed) for seed in range(20)) >= 18


def test_a_fall_of_the_resolution_is_seldom_passed() -> None:
    cell = gate.Cell("one", items=300, languages=1)
    assert sum(gate.says("pass", cell, gate.Change(0.05), seed) for seed in range(60)) <= 7
    assert sum(gate.says("pass", cell, gate.NOTHING, seed) for seed in range(60)) >= 20
