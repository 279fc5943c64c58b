"""One vLLM server for the sides that ask one, and how many requests it has answered."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator

from benchmarks.peer_sides.place import CONTEXT, PORT, PROCESSOR, SEQUENCES, Place, Side
from benchmarks.peer_sides.running import environment

SERVER = Side("server", command=lambda place: [], answers=lambda place: {})
DONE = re.compile(r'^vllm:request_success_total\{.*finished_reason="(?:stop|length)".*\} (\S+)$', re.MULTILINE)


@contextlib.contextmanager
def server(place: Place) -> Iterator[None]:
    """One vLLM server for all sides."""
    words = ["--model", place.model, "--served-model-name", "peers", "--dtype", "float32", "--enforce-eager"]
    words += ["--max-model-len", CONTEXT, "--max-num-seqs", SEQUENCES, "--skip-mm-profiling", "--port", PORT]
    words += ["--mm-processor-kwargs", json.dumps(PROCESSOR), "--generation-config", "vllm", "--host", "127.0.0.1"]
    command = [str(place.python["vllm"]), "-m", "vllm.entrypoints.openai.api_server", *map(str, words)]
    env = environment(place, SERVER)
    env.pop("VLLM_ENABLE_V1_MULTIPROCESSING")
    with (place.out / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        while said("health") is None:
            if process.poll() is not None:
                raise SystemExit(f"the server did not start: {(place.out / 'server.log').read_text()[-2000:]}")
            time.sleep(0.5)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def answered() -> int:
    """Requests that came to their end, since the server began."""
    return int(sum(map(float, DONE.findall(said("metrics") or ""))))


def said(path: str) -> str | None:
    """What it says there; None where nothing is said."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/{path}", timeout=10) as reply:
            return str(reply.read().decode(errors="replace")) if reply.status == 200 else None
    except OSError:
        return None
