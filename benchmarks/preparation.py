"""Preparing pictures next to vLLM: pictures a second by number of processes, and what the engine's thread does.

    PYTHONPATH=. $(python tools/vllm_env.py) benchmarks/preparation.py --size 1024x768 --processes 0,1,2

Noise pictures of one size, in one loaded small model, by one backend (`--backend`). In turns, each round in another
order, two things are timed: `prepared` (all pictures through the processor, nothing asked of the model) and `served`
(all pictures asked about, one answer scored). The engine's thread is the one that hands over and steps: its CPU seconds
a picture are what a GPU would wait for, and `share` is what they are of its time. Caches are emptied before each turn.
Answers are compared by exact log-probabilities: exit code 1 where one bit differs between numbers of processes, in any
round. Ratios, each to the first number of processes in the same round, are what to read; seconds belong to the machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tvbench.engines.media_workers import MediaWorkers
from tvbench.engines.protocol import ListFeed, Prepared
from tvbench.engines.vllm import VllmEngine
from tvbench.mini.checkpoint import build_tiny
from tvbench.types import Media, Message, ModelCard, Request, Sampling

Answers = dict[str, tuple[Any, ...]]


def main() -> int:
    """Time, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", default="0,1,2")
    parser.add_argument("--size", default="500x375")
    parser.add_argument("--pictures", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backend", choices=("pil", "torchvision"), default="pil")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    counts = [int(count) for count in args.processes.split(",")]
    with tempfile.TemporaryDirectory() as scratch:
        engine, pools = opened(Path(scratch), counts, args.backend)
        asked = [question(number, (width, height)) for number in range(args.pictures)]
        equal = timed(engine, pools, asked, args.rounds)
        for pool in pools.values():
            pool.close()
        engine.close()
    cores = len(os.sched_getaffinity(0))
    if any(count > cores for count in counts):
        print(f"there are {cores} cores: more processes than that share them")
    print(f"answers, {args.backend}: {'bit-equal' if equal else 'DIFFERENT'} with {args.processes} processes")
    return 0 if equal else 1


def opened(scratch: Path, counts: Sequence[int], backend: str) -> tuple[VllmEngine, dict[int, MediaWorkers]]:
    """One engine, and its processes in each number."""
    settings: dict[str, Any] = {"max_model_len": 2048, "limit_mm_per_prompt": {"image": 1}, "media_processes": 0}
    if backend != "pil":
        settings["image_backend"] = backend
    card = ModelCard("tiny", "folder", str(build_tiny(scratch / "tiny", seed=5)), modalities=("image",))
    engine = VllmEngine(scratch / "tiny", replace(card, engine={"vllm": settings}), dtype="bfloat16")
    pools = {count: MediaWorkers(count, engine.arguments) for count in counts}
    for count, pool in pools.items():
        while count and not pool.able() and pool._control is not None:
            time.sleep(0.1)
    return engine, pools


def question(number: int, size: tuple[int, int], text: str = "Was ist das?") -> Prepared:
    """One about a picture of noise; the answer is scored, so that every bit of it shows."""
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    media = Media("image", f"{number}.png", lambda: b"")
    request = Request(f"{number}", (Message("user", (media, text)),), Sampling(max_new_tokens=1), continuation="rot")
    return Prepared(request, (Image.fromarray(pixels),), digests=(f"{number:064x}",))


def timed(engine: VllmEngine, pools: dict[int, MediaWorkers], asked: Sequence[Prepared], rounds: int) -> bool:
    """Print medians for each number of processes; whether all answers were equal."""
    seconds: dict[int, dict[str, list[float]]] = {
        count: {"prepared": [], "prepared-cpu": [], "served": [], "served-cpu": []} for count in pools
    }
    answers: list[Answers] = []
    for turn in range(rounds + 1):  # the first warms up
        for count in sorted(pools, reverse=bool(turn % 2)):
            engine.rendering.workers = pools[count]
            for what, function in (("prepared", prepare_all), ("served", serve_all)):
                empty(engine)
                started, cpu = time.perf_counter(), time.thread_time()
                found = function(engine, asked)
                if turn:
                    seconds[count][what].append(time.perf_counter() - started)
                    seconds[count][f"{what}-cpu"].append(time.thread_time() - cpu)
                answers += [found] if found else []
    print("processes  prepared/s (ratio)  thread ms (ratio)  share   served/s (ratio)  thread ms (ratio)  share")
    for count, spent in seconds.items():
        cells = [cell(spent, seconds[min(pools)], what, len(asked)) for what in ("prepared", "served")]
        print(f"{count:>9}{''.join(cells)}")
    return all(one == answers[0] for one in answers)


def cell(spent: dict[str, list[float]], base: dict[str, list[float]], what: str, count: int) -> str:
    """Pictures a second and the thread's milliseconds a picture, medians of rounds, and their ratios to `base`."""
    wall, cpu = spent[what], spent[f"{what}-cpu"]
    faster = statistics.median(there / here for here, there in zip(wall, base[what], strict=True))
    less = statistics.median(here / there for here, there in zip(cpu, base[f"{what}-cpu"], strict=True))
    share = statistics.median(here / there for here, there in zip(cpu, wall, strict=True))
    return (
        f"{count / statistics.median(wall):>12.1f} ({faster:4.2f}){1000 * statistics.median(cpu) / count:>12.2f} "
        f"({less:4.2f}){share:>7.0%}"
    )


def prepare_all(engine: VllmEngine, asked: Sequence[Prepared]) -> Answers:
    """Everything up to what the engine takes, at most so many ahead as it would have."""
    rendering = engine.rendering
    waiting: list[Any] = []
    for one in asked:
        waiting.append(rendering.begin(engine._prompt(one)[0], one.memory))
        while len(waiting) >= max(1, rendering.workers.ahead):
            turn(engine, waiting)
    while waiting:
        turn(engine, waiting)
    return {}


def turn(engine: VllmEngine, waiting: list[Any]) -> None:
    """Render the first of `waiting`, when it is ready."""
    while not engine.rendering.ready(waiting[0]):
        engine.rendering.workers.poll(0.1)
    engine.rendering.render(waiting.pop(0))


def serve_all(engine: VllmEngine, asked: Sequence[Prepared]) -> Answers:
    """Everything, by key."""
    return {one.key: (one.text, one.logprobs, one.error) for one in engine.serve(ListFeed(asked))}


def empty(engine: VllmEngine) -> None:
    """Nothing is known of any picture."""
    engine._engine.reset_mm_cache()
    engine._engine.reset_prefix_cache()
    engine._engine.reset_encoder_cache()


if __name__ == "__main__":
    sys.exit(main())
