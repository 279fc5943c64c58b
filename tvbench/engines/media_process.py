"""The processes that prepare pictures and clips for vLLM: vLLM's own processor of the model, and nothing else of it.

Run as a module, with the number of a socket. The first process imports vLLM, opens the processor and then only makes
copies of itself (`fork`), so that a new one is there in a moment; it computes nothing, has one thread, and never asks
the GPU's driver. Each copy serves one line of parcels, and ends when the line does. Knows no request and no run.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from tvbench.engines.parcels import LONGEST, receive, send
from tvbench.engines.vllm_prompts import Given, as_pictures

Prepare: TypeAlias = Callable[[Given], Mapping[str, Any]]
COPY = b"copy"


def main(number: int, opened: Callable[[Mapping[str, Any]], Prepare]) -> None:
    """Serve whoever holds the other end of socket `number`: the arguments of vLLM first, then copies as asked for."""
    line = socket.socket(fileno=number)
    with suppress(EOFError):
        try:
            prepare = opened(receive(line))
        except Exception as error:  # noqa: BLE001 - whatever vLLM raises is why there can be no such process
            send(line, {"failed": f"{type(error).__name__}: {error}"[:500]})
            return
        send(line, {"failed": ""})
        while True:
            word, ends, _, _ = socket.recv_fds(line, LONGEST, 1)
            if not word:
                return
            answer = _copied(line, ends[0], prepare) if word == COPY else _ended(int(word))
            line.sendall(json.dumps(answer).encode())


def opened(arguments: Mapping[str, Any]) -> Prepare:
    """What vLLM (0.32) does to the media that its cache lacks, for the model of `arguments`, as `vllm.LLM` takes
    them."""
    import torch

    torch.set_num_threads(1)
    from vllm.engine.arg_utils import EngineArgs
    from vllm.multimodal import MULTIMODAL_REGISTRY

    processor: Any = MULTIMODAL_REGISTRY.create_processor(EngineArgs(**arguments).create_model_config())

    def prepare(media: Given) -> Mapping[str, Any]:
        items = processor.info.parse_mm_data(as_pictures(media), validate=False)
        made: Mapping[str, Any] = processor._apply_hf_processor_main(mm_items=items, hf_kwargs={})
        return made

    if torch.cuda.is_initialized():
        raise RuntimeError("CUDA was started, so that no copies can be made")
    return prepare


def _copied(line: socket.socket, end: int, prepare: Prepare) -> int:
    """The process id of a copy that serves `end`."""
    child = os.fork()
    if child:
        os.close(end)
        return child
    code = 1
    try:
        line.close()
        serve(socket.socket(fileno=end), prepare)
        code = 0
    finally:
        os._exit(code)


def _ended(child: int) -> int:
    """The exit code of a copy whose line has ended; minus the signal, where one ended it."""
    with suppress(OSError):
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return 0


def serve(line: socket.socket, prepare: Prepare) -> None:
    """Prepare what comes, in order, until the line ends. What cannot be prepared here is sent back with the reason."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            job = receive(line)
            try:
                send(line, {"number": job["number"], "made": dict(prepare(job["media"]))})
            except (EOFError, BrokenPipeError):
                return
            except Exception as error:  # noqa: BLE001 - vLLM's thread meets it again, and says it
                send(line, {"number": job["number"], "refused": f"{type(error).__name__}: {error}"[:500]})


if __name__ == "__main__":
    main(int(sys.argv[1]), opened)
