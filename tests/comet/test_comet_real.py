"""COMET itself, in its own environment, on small random checkpoints: our scores are those of its own command."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from comet_runs import TASK, Row, answered, write_translations

from tvbench.errors import UsageError
from tvbench.graders.comet.process import WorkerError
from tvbench.graders.comet.record import side_scores
from tvbench.graders.comet.session import NoWatch, score_run
from tvbench.registry.environments import comet_python
from tvbench.runs.store import RunFolder

HERE = Path(__file__).parent
KINDS = ("regression_metric", "referenceless_regression_metric", "unified_metric", "xcomet_metric")
WORDS = (
    "der die ein eine Hund Katze Haus Baum läuft sitzt steht rot grün blau groß klein the a dog cat house tree "
    "runs sits red green schön нет да дом кот un chien le chat"
).split()
EMPTY = 17
"""The row whose answer is empty."""


@pytest.fixture(scope="session")
def python() -> Path:
    try:
        return comet_python()
    except UsageError as error:
        pytest.skip(str(error))


def sentences(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [f"{' '.join(draw.choices(WORDS, k=draw.randint(1, 14)))} {number}" for number in range(count)]


def rows(count: int) -> list[Row]:
    made = list(zip(sentences(count, 1), sentences(count, 2), sentences(count, 3), strict=True))
    return [(source, "" if n == EMPTY else answer, (reference,)) for n, (source, answer, reference) in enumerate(made)]


@pytest.fixture(scope="session")
def checkpoints(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    (folder / "sentences.txt").write_text("\n".join(sentences(500, 4)), encoding="utf-8")
    run([python, "-I", HERE / "build_checkpoint.py", folder / "built", folder / "sentences.txt", *KINDS])
    return folder / "built"


def run(command: Sequence[object]) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def own_command(program: Sequence[object], checkpoint: Path, some: Sequence[Row], folder: Path) -> list[dict[str, Any]]:
    """What `comet-score` (or `program` in its place) says of every row: "COMET", and "errors" where it marks some."""
    references = "referenceless" not in checkpoint.name
    texts = {"-s": [row[0] for row in some], "-t": [row[1] or "" for row in some], "-r": [row[2][0] for row in some]}
    arguments: list[object] = []
    for option, lines in texts.items():
        if option != "-r" or references:
            path = folder / f"lines{option}.txt"
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            arguments += [option, path]
    run(
        [
            *program,
            *arguments,
            "--gpus",
            0,
            "--quiet",
            "--only_system",
            "--to_json",
            folder / "said.json",
            "--model",
            checkpoint / "checkpoints" / "model.ckpt",
        ]
    )
    (said,) = json.loads((folder / "said.json").read_text(encoding="utf-8")).values()
    return list(said)


@dataclass
class Starts(NoWatch):
    """Wraps the worker so that each start is counted; `after` segments it is sent `blow`, once."""

    python: Path
    folder: Path
    blow: signal.Signals | None = None
    after: int = 1
    seen: int = 0

    def command(self) -> list[str]:
        worker = Path(sys.modules["tvbench.graders.comet.worker"].__file__ or "")
        script = f'echo $$ >> "{self.folder}/pids"; exec "{self.python}" -I -W ignore "{worker}" "$@"'
        return ["/bin/sh", "-c", script, "worker"]

    def pids(self) -> list[int]:
        return [int(pid) for pid in (self.folder / "pids").read_text().split()]

    def scored(self) -> None:
        self.seen += 1
        if self.seen == self.after and self.blow is not None:
            os.kill(self.pids()[-1], self.blow)


def values(run: RunFolder) -> list[float | None]:
    (side,) = side_scores(run, TASK, answered(run))
    return [side.values[str(number)] for number in range(len(side.values))]


def test_3000_segments_in_one_load_are_what_comet_score_says(checkpoints: Path, python: Path, tmp_path: Path) -> None:
    some, watch = rows(3000), Starts(python, tmp_path)
    checkpoint = checkpoints / "regression_metric"
    run_folder = write_translations(tmp_path / "run", some)
    summary = score_run(run_folder, str(checkpoint), watch=watch, worker=watch.command())
    assert (summary.new, summary.complete, len(watch.pids())) == (3000, True, 1)
    said = own_command([python.parent / "comet-score"], checkpoint, some, tmp_path)
    expected = [one["COMET"] for one in said]
    assert len(set(expected)) > 1000
    assert values(run_folder) == pytest.approx(expected, abs=1e-5)
    assert summary.system == pytest.approx(sum(expected) / len(expected), abs=1e-5)


@pytest.mark.parametrize("kind", ["unified_metric", "xcomet_metric"])
def test_scores_and_error_spans_in_full_precision(checkpoints: Path, python: Path, tmp_path: Path, kind: str) -> None:
    some = rows(300)
    run_folder = write_translations(tmp_path / "run", some)
    score_run(run_folder, str(checkpoints / kind), precision="fp32")
    said = own_command([python, HERE / "full_precision.py"], checkpoints / kind, some, tmp_path)
    assert values(run_folder) == pytest.approx([one["COMET"] for one in said], abs=1e-5)
    (path,) = (run_folder.path / "comet").glob("*.jsonl")
    ours = sorted(json.dumps(shape(json.loads(line)["error_spans"])) for line in path.read_text().splitlines())
    theirs = sorted(json.dumps(shape(one.get("errors", []))) for one in said)
    assert any(json.loads(spans) for spans in theirs)
    assert ours == theirs


def shape(spans: list[dict[str, Any]]) -> list[list[Any]]:
    return [[span["text"], span["start"], span["end"], span["severity"]] for span in spans]


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_is_struck_midway(checkpoints: Path, python: Path, tmp_path: Path, blow: signal.Signals) -> None:
    some, watch = rows(1200), Starts(python, tmp_path, blow)
    checkpoint = checkpoints / "referenceless_regression_metric"
    run_folder = write_translations(tmp_path / "run", some)
    summary = score_run(run_folder, str(checkpoint), watch=watch, worker=watch.command(), silence_s=15)
    assert (summary.new, summary.complete, len(watch.pids())) == (1200, True, 2)
    (path,) = (run_folder.path / "comet").glob("*.jsonl")
    keys = [json.loads(line)["key"] for line in path.read_text().splitlines()]
    assert len(keys) == len(set(keys)) == 1200
    said = own_command([python.parent / "comet-score"], checkpoint, some, tmp_path)
    assert values(run_folder) == pytest.approx([one["COMET"] for one in said], abs=1e-5)


def test_a_checkpoint_with_broken_weights_is_said(checkpoints: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    (broken / "checkpoints").mkdir(parents=True)
    (broken / "hparams.yaml").write_bytes((checkpoints / "regression_metric" / "hparams.yaml").read_bytes())
    (broken / "checkpoints" / "model.ckpt").write_bytes(b"half a download")
    run_folder = write_translations(tmp_path / "run", rows(2))
    with pytest.raises(Exception, match="the COMET checkpoint cannot be loaded") as raised:
        score_run(run_folder, str(broken))
    assert not isinstance(raised.value, WorkerError)
