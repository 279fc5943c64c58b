"""A real vLLM server (its CPU build) of a checkpoint folder, for tests that run in vLLM's environment."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

READY_TIMEOUT_S = 900.0


@contextlib.contextmanager
def vllm_server(
    folder: Path, log: Path, *, name: str = "tiny", port: int = 0, length: int = 1024, more: Sequence[str] = ()
) -> Iterator[str]:
    """Serve `folder` as `name` on `port` (0: a free one) of loopback, and give the address when it answers. `more` are
    arguments of the server."""
    port = port or _free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    words = [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        str(folder),
        "--served-model-name",
        name,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--dtype",
        "float32",
        "--max-model-len",
        str(length),
        "--enforce-eager",
        "--limit-mm-per-prompt",
        '{"image": 3, "video": 1}',
        "--max-num-seqs",
        "8",
        "--mm-processor-kwargs",
        '{"use_fast": false}',
        *more,
    ]
    with log.open("w") as said, subprocess.Popen(words, env=environment, stdout=said, stderr=said) as server:
        try:
            _wait(server, address, log)
            yield address
        finally:
            server.terminate()


def _wait(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    started = time.monotonic()
    while not _is_up(address):
        if server.poll() is not None or time.monotonic() - started > READY_TIMEOUT_S:
            server.kill()
            raise RuntimeError(f"the server did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.5)


def _is_up(address: str) -> bool:
    try:
        return httpx.get(f"{address}/v1/models", timeout=2.0, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
