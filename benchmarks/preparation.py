"""Preparing pictures next to vLLM: pictures a second by number of processes, and what the engine's thread does.

    PYTHONPATH=. $(python tools/vllm_env.py) benchmarks/preparation.py --size 1024x768 --processes 0,1,2

Noise pictures of one size, in one loaded small model, by one backend (`--backend`). In turns, each round in another
order, two things are timed: `prepared` (all pictures through the processor, nothing asked of the model) and `served`
(all pictures asked about, one answer scored). The engine's thread is the one that hands over and steps: its CPU seconds
a picture are what a GPU would wait for. Caches are emptied before each turn. Last, questions in `--languages` about
each picture, language after language and picture by picture: the share of pictures and of prompt tokens that vLLM's
caches had. Answers are compared by exact log-probabilities: 1 where one bit differs between numbers of processes.
Ratios are what to read; seconds belong to the machine.
"""

from __future__ import annotations

import argparse
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
from tvbench.types import Media, Message, ModelCard, Request, Response, Sampling

Answers = dict[str, tuple[Any, ...]]


def main() -> int:
    """Time, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", default="0,1,2")
    parser.add_argument("--size", default="500x375")
    parser.add_argument("--pictures", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--languages", type=int, default=4)
    parser.add_argument("--backend", choices=("pil", "torchvision"), default="pil")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    counts = [int(count) for count in args.processes.split(",")]
    with tempfile.TemporaryDirectory() as scratch:
        engine, pools = opened(Path(scratch), counts, args.backend)
        asked = [question(number, (width, height)) for number in range(args.pictures)]
        equal = timed(engine, pools, asked, args.rounds)
        cached(engine, asked, args.languages)
        for pool in pools.values():
            pool.close()
        engine.close()
    print("answers: bit-equal" if equal else "answers: DIFFERENT")
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
    print("processes  prepared/s  thread ms a picture  served/s  thread ms a picture (share of the time)")
    for count, spent in seconds.items():
        middle = {name: statistics.median(several) / len(asked) for name, several in spent.items()}
        share = middle["served-cpu"] / middle["served"]
        print(
            f"{count:>9}{1 / middle['prepared']:>12.1f}{1000 * middle['prepared-cpu']:>21.2f}"
            f"{1 / middle['served']:>10.1f}{1000 * middle['served-cpu']:>21.2f} ({share:.0%})"
        )
    return all(one == answers[0] for one in answers)


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


def cached(engine: VllmEngine, asked: Sequence[Prepared], languages: int) -> None:
    """Print what the caches had of questions in several languages about the same pictures, in two orders."""
    engine.rendering.workers = MediaWorkers(0, {})
    several = [
        replace(
            one,
            request=replace(
                one.request,
                key=f"{language}-{one.request.key}",
                continuation=None,
                messages=(Message("user", (one.request.messages[0].parts[0], f"Sprache {language}: was ist das?")),),
            ),
        )
        for language in range(languages)
        for one in asked
    ]
    by_picture = sorted(several, key=lambda one: int(one.request.key.partition("-")[2]))
    for name, order in (("language after language", several), ("picture by picture", by_picture)):
        empty(engine)
        prefix = Prefix(engine)
        before = engine._engine.renderer.mm_processor_cache.make_stats()
        answers: list[Response] = list(engine.serve(ListFeed(order)))
        after = engine._engine.renderer.mm_processor_cache.make_stats()
        hits = (after.hits - before.hits) / (after.total - before.total)
        print(
            f"{name}: {hits:.0%} of pictures processed before, {prefix.share():.0%} of prompt tokens "
            f"({sum(one.error is not None for one in answers)} failed)"
        )


class Prefix:
    """Counts the prompt tokens that the engine's prefix cache had, in an engine that runs in this process."""

    def __init__(self, engine: VllmEngine) -> None:
        self._manager = engine._engine.engine_core.engine_core.scheduler.kv_cache_manager
        self._asked = self._had = 0
        self._original = type(self._manager).get_computed_blocks
        self._manager.get_computed_blocks = self._counted

    def _counted(self, request: Any, *args: Any, **more: Any) -> Any:
        found = self._original(self._manager, request, *args, **more)
        self._asked += request.num_prompt_tokens
        self._had += int(found[1])
        return found

    def share(self) -> float:
        """Of all prompt tokens so far; counting ends."""
        del self._manager.get_computed_blocks
        return self._had / max(1, self._asked)


def empty(engine: VllmEngine) -> None:
    """Nothing is known of any picture."""
    engine._engine.reset_mm_cache()
    engine._engine.reset_prefix_cache()
    engine._engine.reset_encoder_cache()


if __name__ == "__main__":
    sys.exit(main())
