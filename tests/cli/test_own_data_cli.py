"""Data of one's own by the command line: from a folder to a leaderboard, and what is said on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from json_schema import problems
from own_folders import in_base64, pictures, write_csv, write_jsonl
from repository import ROOT, SHARED

from tvbench.cli.main import main
from tvbench.registry import places
from tvbench.registry.own_data import own_schema
from tvbench.runs.signature import read_signature
from tvbench.runs.store import RunFolder, find_runs
from tvbench.safety.bounded import yaml_value

SCORERS = '''
LIMIT = 3

def brief(item, text):
    """Whether the answer has no more than three words."""
    return float(len(text.split()) <= LIMIT)

def _helper(item, text):
    return 1 / 0

def words(text):
    return text.split()
'''


class Shell:
    """Commands typed in the working directory, in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
        self.capsys, self.caplog = capsys, caplog

    def __call__(self, *words: str, code: int = 0) -> str:
        """What a command writes on both streams."""
        self.capsys.readouterr()
        self.caplog.clear()
        found = main(words)
        written = "".join((*self.capsys.readouterr(), self.caplog.text))
        assert found == code, f"{words}\n{written}"
        return written


@pytest.fixture
def tvbench(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("TVBENCH_RESULTS", raising=False)
    yield Shell(capsys, caplog)
    places.include(())


def elsewhere(place: Path, *words: str) -> str:
    """What a command writes on both streams, in a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    env.pop("TVBENCH_RESULTS", None)
    done = subprocess.run(
        [sys.executable, "-m", "tvbench", *words], cwd=place, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def bench(place: Path) -> Path:
    names = {"de": ("rot", "blau", "Welche Farbe hat das Bild?"), "fr": ("rouge", "bleu", "Quelle couleur a l'image ?")}
    rows = [
        {
            "file_name": f"{n}.png",
            "question": question,
            "options": f"{red}; {blue}",
            "answer": red,
            "language": code,
            "id": n,
        }
        for n in range(4)
        for code, (red, blue, question) in names.items()
    ]
    pictures(place, *(f"{n}.png" for n in range(4)))
    return write_csv(place, rows)


def test_from_a_table_to_a_leaderboard_and_then_a_metric_of_ones_own(tmp_path: Path, tvbench: Shell) -> None:
    bench(tmp_path / "mybench")
    said = elsewhere(tmp_path, "run", "--model", "tower-mini", "--tasks", "./mybench", "--dry-run")
    assert "mybench (metadata.csv): 8 rows, 4 pictures" in said and "2 languages: de 4, fr 4" in said
    assert "file_name→picture, question, options (2), answer (answers are the options' texts), language, id" in said
    assert "first prompt (French):  [image 0.png]  Quelle couleur a l'image ?  A. " in said
    assert "the right option is the first in 8 of 8" in said and "tvbench audit ./mybench" in said
    tvbench("run", "--model", "tower-mini", "--tasks", "./mybench", "--quiet")
    board = tvbench("leaderboard", "--format", "csv")
    assert "mybench" in board and "aligned" in board
    (tmp_path / "mybench" / "scorers.py").write_text(SCORERS)
    said = tvbench("run", "--model", "tower-mini", "--tasks", "./mybench:de", "--metric", "brief", "--quiet")
    assert "runs the scorers next to the data as Python" in said and "brief" in said
    assert ",brief," in tvbench("leaderboard", "--format", "csv")
    (run,) = (run for run in find_runs(tmp_path / "results") if run.manifest().tasks[0].primary == "brief")
    assert set((run.result() or [])[0].declared) == {"brief"}
    again = tvbench("score", run.name, "--include-path", "mybench")
    assert "brief" in again and "kept" not in again


def test_audit_check_and_show_work_at_once(tmp_path: Path, tvbench: Shell) -> None:
    bench(tmp_path / "mybench")
    assert "the right option stands first" in tvbench("audit", "./mybench")
    assert "nothing failed" in tvbench("tasks", "check", "./mybench")
    assert "de German, fr French" in tvbench("tasks", "show", "./mybench")
    assert "write ./mybench" in tvbench("run", "--model", "tower-mini", "--tasks", "mybench", code=2)


def test_a_name_of_tvbenchs_own_is_refused(tmp_path: Path, tvbench: Shell) -> None:
    bench(tmp_path / "alm")
    said = tvbench("run", "--model", "tower-mini", "--tasks", "./alm", "--dry-run", code=2)
    assert "name: in task.yaml" in said
    (tmp_path / "alm" / "task.yaml").write_text("name: mine")
    assert "mine (metadata.csv)" in tvbench("run", "--model", "tower-mini", "--tasks", "./alm", "--dry-run")


def test_a_start_runs_at_once_and_overwrites_nothing(tmp_path: Path, tvbench: Shell) -> None:
    said = tvbench("new", "task", "mine")
    assert "tvbench run --model tower-mini --tasks ./mine" in said
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == [
        "README.md", "blue.png", "metadata.csv", "red.png", "scorers.py", "task.yaml",
    ]  # fmt: skip
    before = {path: path.read_bytes() for path in (tmp_path / "mine").iterdir()}
    tvbench("run", "--model", "tower-mini", "--tasks", "./mine", "--quiet")
    assert "nothing failed" in tvbench("tasks", "check", "./mine")
    assert "nothing is overwritten" in tvbench("new", "task", "mine", code=2)
    assert before == {path: path.read_bytes() for path in (tmp_path / "mine").iterdir()}
    tvbench("new", "task", "other", "--python")
    assert "nothing failed" in tvbench("tasks", "check", "./other.py")
    assert "nothing is overwritten" in tvbench("new", "task", "other", "--python", code=2)
    assert "cannot be typed" in tvbench("new", "task", "a b", code=2)


def test_everything_that_the_start_offers_is_true(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every commented key of its task.yaml is one, with a value that it may have."""
    main(["new", "task", str(tmp_path / "mine")])
    lines = (tmp_path / "mine" / "task.yaml").read_text().split("\n")
    keys = [line[2:] for line in lines if line.startswith("# ") and not line.startswith(("# ──", "# What", "# In an"))]
    value = yaml_value("\n".join(keys))
    assert not list(problems(value, own_schema()))
    assert set(value) == set(own_schema()["properties"]) - {"paper", "notes", "files"}
    uncommented = (tmp_path / "mine" / "scorers.py").read_text().replace("# def", "def").replace("#     ", "    ")
    (tmp_path / "mine" / "scorers.py").write_text(uncommented)
    capsys.readouterr()
    assert main(["tasks", "show", str(tmp_path / "mine")]) == 0
    assert "brief" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["gif", "mp4"])
def test_a_real_clip(tmp_path: Path, tvbench: Shell, form: str) -> None:
    write_clip(tmp_path / f"clip.{form}")
    write_jsonl(
        tmp_path, [{"video": f"clip.{form}", "question": "What moves?", "answer": "a square", "language": "en"}]
    )
    said = tvbench("run", "--model", "tower-mini", "--tasks", "./", "--set", f"{tmp_path.name}.frames=2", "--quiet")
    assert "1 answers, 0 failed" in said or "accuracy" in said
    (run,) = find_runs(tmp_path / "results")
    assert signature(run)["settings"] == "frames=2"


def signature(run: RunFolder) -> dict[str, str]:
    return read_signature((run.result() or [])[0].signature)


def write_clip(path: Path) -> None:
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream("gif" if path.suffix == ".gif" else "mpeg4", rate=5)
        stream.width = stream.height = 64
        stream.pix_fmt = "rgb8" if path.suffix == ".gif" else "yuv420p"
        for step in range(5):
            picture = np.zeros((64, 64, 3), np.uint8)
            picture[8 * step : 8 * step + 16] = 255
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.mark.skipif(not (SHARED / "data" / "hostile_pictures").is_dir(), reason="the pictures are not at hand")
def test_hostile_pictures_are_items_that_failed(tmp_path: Path, tvbench: Shell) -> None:
    hostile = sorted(path for path in (SHARED / "data" / "hostile_pictures").iterdir() if path.is_file())
    (tmp_path / "bench").mkdir()
    for path in hostile:
        (tmp_path / "bench" / path.name).write_bytes(path.read_bytes())
    pictures(tmp_path / "bench", "good.png")
    rows = [{"file_name": path.name, "question": "What is it?", "answer": "x", "language": "en"} for path in hostile]
    write_csv(tmp_path / "bench", [*rows, rows[0] | {"file_name": "good.png"}])
    said = tvbench("run", "--model", "tower-mini", "--tasks", "./bench", "--quiet", code=1)
    assert "Traceback" not in said
    (run,) = find_runs(tmp_path / "results")
    counts = (run.result() or [])[0].counts
    assert counts.expected == len(rows) + 1 and 0 < counts.failed < counts.expected


def test_json_says_what_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(tmp_path, "a.png")
    rows = [{"index": 1, "image": in_base64(tmp_path / "a.png"), "question": "Q", "A": "x", "B": "y", "answer": "A"}]
    write_csv(tmp_path, rows, "kit.tsv")
    assert main(["tasks", "show", str(tmp_path / "kit.tsv"), "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["name"], record["primary"], record["modality"]) == ("kit", "aligned", "image")


def test_the_language_that_was_asked_for_is_that_of_a_table_without_one(tvbench: Shell, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "metadata.csv").write_text("question;answer\nWelche Farbe?;rot\nWelche Form?;rund\n")
    said = tvbench("run", "--model", "tower-mini", "--tasks", "./mine:de", "--dry-run")
    assert "1 language: de 2" in said and "first prompt (German)" in said
    assert "1 language: en 2" in tvbench("run", "--model", "tower-mini", "--tasks", "./mine", "--dry-run")
