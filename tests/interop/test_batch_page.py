"""docs/batch.md: every box is tried, as if it were typed; of vLLM's run-batch in tests/vllm/test_server.py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from batches import Json, batch_service, reply
from repository import ROOT
from served import sentences

from tvbench.runs.store import find_runs

PAGE = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
BOXES = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="the boxes need curl and jq")
def test_the_boxes_of_a_hosted_batch(tmp_path: Path) -> None:
    begin, send, take_in, again = BOXES[:4]
    sentences(tmp_path / "data")
    (tmp_path / "bin").mkdir()
    tvbench = tmp_path / "bin" / "tvbench"
    tvbench.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tvbench "$@"\n')
    tvbench.chmod(0o755)
    overloaded = True

    def answer(request: Json) -> tuple[int, Json]:
        if overloaded and "number 3" in str(request["body"]["messages"]):
            return 500, {"error": {"message": "overloaded"}}
        return 200, reply("Hund")

    with batch_service(answer) as service:
        begin = begin.replace("alm:de", "multi30k:de --data data --no-image --limit 6")

        def typed(box: str) -> subprocess.CompletedProcess[str]:
            name = next((run.name for run in find_runs(tmp_path / "results-of-runs")), "RUN")
            script = box.replace("https://api.openai.com/v1", service.url).replace("RUN", name)
            env = {
                **os.environ,
                "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "OPENAI_API_KEY": "sk-none",
                "TVBENCH_RESULTS": "results-of-runs",
                "no_proxy": "127.0.0.1",
            }
            return subprocess.run(["bash", "-c", script], cwd=tmp_path, env=env, text=True, capture_output=True)

        assert typed(begin).returncode == 0
        first = typed(f"{send}\n{take_in}")
        assert first.returncode == 1 and "5 answers taken in" in first.stderr, first.stderr
        overloaded = False
        assert typed(again).returncode == 0
        (wave,) = (tmp_path / "waves").glob("*.jsonl")
        assert len(wave.read_text().splitlines()) == 1
        last = typed(f"{send}\n{take_in}")
        assert last.returncode == 0 and "1 answer taken in" in last.stderr, last.stderr
    (run,) = find_runs(tmp_path / "results-of-runs")
    assert len(run.answered_keys()) == 6


def test_every_box_is_tried_somewhere() -> None:
    assert len(BOXES) == 5 and "vllm run-batch" in BOXES[4]
