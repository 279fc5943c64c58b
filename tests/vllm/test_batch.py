"""docs/batch.md with vLLM's real `run-batch` (its CPU build): the answers of a live server, through files."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from repository import ROOT
from vllm_server import vllm_server

from tvbench.cli.main import main
from tvbench.mini.checkpoint import build_tiny
from tvbench.runs.store import RunFolder, find_runs
from tvbench.types import Response

_SPEC = find_spec("vllm")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(_SPEC is None or _SPEC.origin is None, reason="vllm is not installed here"),
]
PAGE = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
SERVED = ("--dtype", "float32", "--max-model-len", "1024", "--enforce-eager", "--max-num-seqs", "8")
MEDIA = ("--limit-mm-per-prompt", '{"image": 3, "video": 1}', "--mm-processor-kwargs", '{"use_fast": false}')


def run_batch(words: list[str]) -> None:
    """What `vllm run-batch` does; the entry point of that name fails with the CPU build."""
    environment = {
        **os.environ,
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    module = [sys.executable, "-m", "vllm.entrypoints.openai.run_batch"]
    done = subprocess.run([*module, *words, *SERVED, *MEDIA], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def read(results: Path) -> tuple[RunFolder, dict[str, Response]]:
    (run,) = find_runs(results)
    return run, run.responses()


def texts(answers: dict[str, Response]) -> dict[str, tuple[str | None, str | None, int | None, int | None]]:
    return {key: (one.text, one.finish, one.tokens_in, one.tokens_out) for key, one in answers.items()}


def test_run_batch_answers_as_the_live_server_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = build_tiny(tmp_path / "my-checkpoint", seed=5)
    asked = ["--tasks", "mini-alm:de+en,mini-multi30k:de", "--limit", "3", "--max-new-tokens", "8"]
    with vllm_server(folder, tmp_path / "server.log") as url:
        served = ["--model", f"openai:tiny@{url}", *asked]
        assert main(["export", "batch", *served, "--results", "batch", "--to", "waves"]) == 0
        assert main(["run", *served, "--results", "live", "--quiet"]) == 0
    (wave,) = Path("waves").glob("*.jsonl")
    run_batch(["-i", str(wave), "-o", "results.jsonl", "--model", str(folder), "--served-model-name", "tiny"])
    batch, _ = read(Path("batch"))
    assert main(["import", "batch", batch.name, "results.jsonl", "--results", "batch"]) == 0
    _, answers = read(Path("batch"))
    _, live = read(Path("live"))
    assert len(answers) == 9 and texts(answers) == texts(live)
    assert "engine:openai@vllm-" in batch.manifest().tasks[0].signature
    _the_page(folder, capsys)


def _the_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last box, and the line that the export itself says; what was answered above is answered again."""
    box = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[-1]
    export, batch, take_in = (shlex.split(line)[1:] for line in box.splitlines())
    capsys.readouterr()
    assert main([word.replace("waves", "own").replace("mini", "mini-alm:de") for word in export]) == 0
    (said,) = re.findall(r"next: vllm run-batch (.*)", capsys.readouterr().err)
    assert shlex.split(said)[-3:] == batch[-3:] and shlex.split(said)[-4:-3] == ["--model"] or str(folder) in said
    (wave,) = Path("own").glob("*.jsonl")
    run_batch(["-i", str(wave), *batch[batch.index("-o") :]])
    run, _ = read(Path("results"))
    assert main([word.replace("RUN", run.name) for word in take_in]) == 0
    assert len(run.answered_keys()) == 5
