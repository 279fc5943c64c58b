"""Folders of the version before: what it wrote is read, scored, compared and shown today, with the figures of then."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from repository import ROOT

from tvbench.cli.main import main
from tvbench.runs.store import RunFolder, find_runs

BEFORE = ROOT / "tests" / "runs" / "before"
RUNS = sorted(folder.name for folder in (BEFORE / "results").iterdir())
SAID = json.loads((BEFORE / "said.json").read_text(encoding="utf-8"))
Said = pytest.CaptureFixture[str]
REDEFINED = tuple(f".metric_signatures.{name}" for name in ("aligned", "fragment", "accuracy"))
"""Metrics that read replies by more rules today, and say so: the figures of these folders are the same by them."""
CHECKSUM = ".sum"
UNCERTAINTY = (".low", ".high", ".interval", ".detectable")
TOGETHER = re.compile(r"\.languages\[\d+\]\.p$")
"""How sure a figure is, or several together, is computed otherwise today: tests/scoring holds it to its promise."""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A copy, for what is read may also be locked and written to."""
    return Path(shutil.copytree(BEFORE / "results", tmp_path / "results"))


def differences(before: Any, now: Any, place: str = "") -> list[str]:
    """Where `now` lacks what was said before, or says it otherwise; more may be said."""
    if place.endswith((*REDEFINED, *UNCERTAINTY)) or place == CHECKSUM or TOGETHER.search(place):
        return []
    if isinstance(before, dict) and isinstance(now, dict):
        return [line for key, value in before.items() for line in differences(value, now.get(key), f"{place}.{key}")]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = enumerate(zip(before, now, strict=True))
        return [line for number, (one, other) in pairs for line in differences(one, other, f"{place}[{number}]")]
    if isinstance(before, float) and isinstance(now, float | int):
        return [] if now == pytest.approx(before, abs=1e-9) else [f"{place}: {before} and now {now}"]
    return [] if before == now else [f"{place}: {before!r} and now {now!r}"]


def test_the_folders_are_those_of_before() -> None:
    assert len(RUNS) == 5
    manifests = [json.loads((BEFORE / "results" / name / "manifest.json").read_text()) for name in RUNS]
    assert all("tasks" in manifest for manifest in manifests)


def test_all_are_found_and_whole(results: Path) -> None:
    found = find_runs(results)
    assert sorted(run.path.name for run in found) == RUNS
    for run in found:
        keys = {key for key, _ in run.requests()}
        assert keys and set(run.responses()) == keys


@pytest.mark.parametrize("name", RUNS)
def test_scored_again_every_figure_is_the_same(results: Path, name: str, capsys: Said) -> None:
    stored = json.loads((results / name / "result.json").read_text(encoding="utf-8"))
    assert main(["score", name, "--results", str(results), "--format", "json"]) == 0
    capsys.readouterr()
    scored = json.loads((results / name / "result.json").read_text(encoding="utf-8"))
    assert not differences(stored, scored)
    assert RunFolder(results / name).result(), "and it is still a run"


@pytest.mark.parametrize("said", SAID, ids=lambda said: " ".join(said["words"])[:40])
def test_every_command_says_the_same(results: Path, said: dict[str, Any], capsys: Said) -> None:
    assert main([*said["words"], "--results", str(results), "--format", "json"]) == said["code"]
    assert not differences(said["said"], json.loads(capsys.readouterr().out))


def test_lines_without_sums_are_believed(results: Path, capsys: Said) -> None:
    name = next(name for name in RUNS if name.endswith("af6050f0"))
    stored = json.loads((results / name / "result.json").read_text(encoding="utf-8"))
    for path in (results / name).glob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert any("sum" in line for line in lines)
        bare = [json.dumps({key: value for key, value in line.items() if key != "sum"}) for line in lines]
        path.write_text("\n".join(bare) + "\n", encoding="utf-8")
    assert main(["score", name, "--results", str(results), "--format", "json"]) == 0
    capsys.readouterr()
    assert not differences(stored, json.loads((results / name / "result.json").read_text(encoding="utf-8")))


def test_the_same_command_asks_nothing_again(results: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.chdir(results.parent)
    name = next(name for name in RUNS if name.endswith("af6050f0"))
    before = (results / name / "responses.jsonl").read_bytes()
    command = json.loads((results / name / "manifest.json").read_text())["command"][1:]
    assert main(command) == 0
    assert sorted(folder.name for folder in results.iterdir() if folder.is_dir()) == RUNS
    assert (results / name / "responses.jsonl").read_bytes() == before
