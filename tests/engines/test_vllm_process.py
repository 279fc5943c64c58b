"""The death of vLLM's engine process, with a process of our own in its place: whoever waits hears of it, and why."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import time
from types import SimpleNamespace
from typing import Any

import pytest

from tvbench.engines.vllm_process import death_of, interruptible, watch


def core_of(process: Any) -> Any:
    """As much of LLMEngine.engine_core as is looked at."""
    manager = SimpleNamespace(processes=[process])
    return SimpleNamespace(outputs_queue=queue.Queue(), resources=SimpleNamespace(engine_manager=manager))


@pytest.mark.parametrize(
    ("seconds", "number", "said"),
    [
        (600, signal.SIGKILL, "ended by SIGKILL; out of memory?"),
        (600, signal.SIGTERM, "ended by SIGTERM"),
        (0, None, "ended by itself, with exit code 0"),
    ],
)
def test_whoever_waits_for_answers_hears_of_the_death(seconds: int, number: int | None, said: str) -> None:
    process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(seconds,))
    process.start()
    core = core_of(process)
    watch(core)
    if number is not None:
        assert death_of(core) is None and process.pid is not None
        os.kill(process.pid, number)
    assert isinstance(core.outputs_queue.get(timeout=300), Exception)
    reason = death_of(core, wait_s=300)
    assert reason is not None and reason.endswith(said)


def test_an_engine_in_this_process_is_not_watched() -> None:
    core = SimpleNamespace()
    watch(core)
    assert death_of(core, wait_s=300) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_library_that_swallows_ctrl_c_is_ended_all_the_same(number: int) -> None:
    # Both as a terminal has them: a shell's background jobs inherit an ignored SIGINT.
    before = {which: signal.signal(which, signal.default_int_handler) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        with pytest.raises(KeyboardInterrupt), interruptible():
            try:
                signal.raise_signal(number)
            except KeyboardInterrupt:
                pytest.fail("vLLM would have gone on")
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
