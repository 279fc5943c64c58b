"""Scoring holds neither items nor answers: what it takes grows by little with each."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from repository import ROOT
from run_folders import write_manifest

from tvbench.runs.writer import RunWriter
from tvbench.types import Choice, Item, Message, Response

FEW, MANY = 2_000, 14_000
AN_ITEM = 1_300
"""Bytes that one more item may take; when items were held, with answer, score and observations, it took 4,600."""
SCORE = """
import resource, sys
from pathlib import Path
from tvbench.analysis.assess import assess
from tvbench.runs.store import RunFolder
assess(RunFolder(Path(sys.argv[1])))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


def test_scoring_holds_neither_items_nor_answers(tmp_path: Path) -> None:
    """At a smaller size: a process that scores seven times as many items takes little more."""
    few, many = (peak(written(tmp_path / str(count), count)) for count in (FEW, MANY))
    assert (many - few) / (MANY - FEW) < AN_ITEM


def peak(run: Path) -> int:
    """Bytes."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", SCORE, str(run)], env=env, check=True, capture_output=True, text=True)
    return int(done.stdout)


def written(folder: Path, count: int) -> Path:
    with RunWriter(folder) as writer:
        entry = {"task": "quiz", "protocol": "p", "primary": "aligned", "signature": "task:quiz|data:rows"}
        model, engine = {"name": "m", "revision": "1"}, {"name": "e", "version": "1", "settings": {}}
        write_manifest(writer, {"run": folder.name, "model": model, "engine": engine, "tasks": [entry]})
        writer.write_requests((key(number), question(number), ()) for number in range(count))
        writer.start()
        for number in range(count):
            writer.append(Response(key(number), text="red" if number % 3 else "blue"))
    return folder


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def question(number: int) -> Item:
    target = Choice(("red", "blue"), number % 2, ("red", "blue")[number % 2])
    tags = {"kind": f"kind {number % 7}"}
    messages = (Message("user", ("Which colour has the ball?",)),)
    return Item(f"de/{number}", "quiz", "de", messages, target, cluster=f"picture {number // 2}", tags=tags)
