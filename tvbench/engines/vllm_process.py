"""vLLM started, and the processes that it needs: their environment, what machine they are for, whether they still live.

vLLM runs its engine in a process of its own. A forked copy of a process that has touched CUDA cannot use CUDA, so that
the engine is started anew (`spawn`), and nothing here or in torch asks the driver before that. Knows no request and no
model. vLLM is imported only by functions that are called after `set_environment`.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import connection
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Any

from tvbench.errors import EngineError

ENVIRONMENT = {
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    # Without it torch.cuda.is_available(), which many packages call when they are imported, starts the CUDA driver.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
}
CPU_ENVIRONMENT = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_KVCACHE_SPACE": "1"}
"""In-process on a CPU: a sub-process costs half a minute. vLLM reads these when an engine is made."""

LEAST_IN_FLIGHT, MOST_IN_FLIGHT = 256 << 20, 8 << 30


def set_environment(values: Mapping[str, str] = ENVIRONMENT) -> None:
    """What torch and vLLM read, before either is imported. Values that are set already stay."""
    for name, value in values.items():
        os.environ.setdefault(name, value)


def runs_on_cpu() -> bool:
    """Whether vLLM will compute on the CPU, as its own build and the machine's management library say, without CUDA.

    Completes the environment. Raises EngineError where vLLM cannot be imported or its GPUs are hidden from it.
    """
    set_environment()
    try:
        from vllm.platforms import current_platform
    except ImportError as error:
        raise EngineError(f"vLLM cannot be imported: {error}", "install it, or use --engine transformers") from error
    if current_platform.is_cpu():
        set_environment(CPU_ENVIRONMENT)
        return True
    _check_visible(str(current_platform.device_control_env_var))
    return False


def _check_visible(variable: str) -> None:
    """The management library sees every GPU, and vLLM would die of an empty list in a process of its own."""
    if os.environ.get(variable, "0").strip() in ("", "-1"):
        raise EngineError(
            f"{variable}='{os.environ[variable]}' hides every GPU, and this vLLM is built for GPUs",
            f"unset {variable}, or use --engine transformers",
        )


def flight_bytes() -> int:
    """What media of requests under way may take of this machine's memory: a quarter of what is free, 8 GB at most.
    2,048 clips of 32 frames would be 85 GB."""
    free = 0
    with suppress(OSError, ValueError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), 0)
    return min(MOST_IN_FLIGHT, max(LEAST_IN_FLIGHT, free // 4))


def watch(core: Any) -> None:
    """Have the death of vLLM's engine process reach whoever waits for its answers.

    `core` is LLMEngine.engine_core. vLLM (0.32) notices the death too, but then ends only the thread that fills the
    queue of answers, so that the one who waits for the next answer waits for ever. An engine in this process needs none
    of it.
    """
    answers, processes = getattr(core, "outputs_queue", None), _processes(core)
    if answers is not None and processes:
        Thread(target=_tell, args=(processes, answers), name="vllm-watch", daemon=True).start()


def _tell(processes: Sequence[Any], answers: Any) -> None:
    connection.wait([process.sentinel for process in processes])
    answers.put(RuntimeError("its engine process ended"))


def death_of(core: Any, *, wait_s: float = 0.0) -> str | None:
    """How an engine process of vLLM ended, in words; None where none did. Its exit code may come `wait_s` later."""
    ends = time.monotonic() + wait_s
    while (code := _exit_code(core)) is None and _processes(core) and time.monotonic() < ends:
        time.sleep(0.02)
    if code is None:
        return None
    if code < 0:
        memory = "; out of memory?" if -code == signal.SIGKILL else ""
        return f"its engine process was ended by {signal.Signals(-code).name}{memory}"
    return f"its engine process ended by itself, with exit code {code}"


def _exit_code(core: Any) -> int | None:
    return next((process.exitcode for process in _processes(core) if process.exitcode is not None), None)


def _processes(core: Any) -> list[Any]:
    manager = getattr(getattr(core, "resources", None), "engine_manager", None)
    return list(getattr(manager, "processes", ()))


class _Interrupted(BaseException):
    """Ctrl-C or SIGTERM, under a name that vLLM does not know."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the start of an engine. vLLM (0.32) swallows a KeyboardInterrupt while its engine
    process loads the model, and then waits for a process that nobody talks to."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, partial(_renamed, handler))
        yield
    except _Interrupted as interrupt:
        raise KeyboardInterrupt(*interrupt.args) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _renamed(handler: Callable[[int, FrameType | None], Any], number: int, frame: FrameType | None) -> None:
    try:
        handler(number, frame)
    except KeyboardInterrupt as interrupt:
        raise _Interrupted(*interrupt.args) from None


def start(chosen: Mapping[str, Any]) -> Any:
    """A `vllm.LLM`. Raises EngineError when it is not installed or does not start."""
    try:
        from vllm import LLM

        with interruptible():
            return LLM(**chosen)
    except ImportError as error:
        raise EngineError(f"vLLM cannot be imported: {error}", "install it, or use --engine transformers") from error
    except Exception as error:
        hint = "run with VLLM_LOGGING_LEVEL=INFO for its own log, or use --engine transformers"
        raise EngineError(f"vLLM cannot load the model: {first_line(error)}", hint) from error


def version() -> str:
    """vLLM's version."""
    import vllm

    return str(vllm.__version__)


def first_line(error: Exception) -> str:
    """What was wrong, in a line. The first one of pydantic's reports only counts the faults, the next names one."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    wanted = 1 if "validation error" in lines[0] and len(lines) > 1 else 0
    return lines[wanted].strip()[:300]
