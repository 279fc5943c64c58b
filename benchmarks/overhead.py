"""What tvbench adds to the engine below it: a run's wall time beside the bare engine's, on the same questions.

    python benchmarks/overhead.py --engine transformers --threads 1
    PYTHONPATH=. $(python tools/vllm_env.py) benchmarks/overhead.py --engine vllm --threads 1

Both sides answer the mini tasks with one loaded model, in turns, after one round each to warm up; how many questions
there are is printed. Loading is in neither. tvbench: everything else that `tvbench run` does, from building the tasks
and hashing their media to the last stored answer. Bare: what a careful person writes around the library, with our
decoder and our prompts, so that only the way of asking differs (peers.py has a side that knows nothing of tvbench).
Pictures and clips are opened one after the other, then

- vllm: all prompts in one `LLM.generate`;
- transformers: batches of the same size, all prompts sorted by length, `model.generate`, greedy.

vLLM's caches of prompts and pictures are off, or the second round would find the first one's work done. Answers of both
sides are compared. A last round says where tvbench's time goes besides waiting for the engine.

The ratio depends on the threads that torch computes with: where it takes every core, what tvbench does beside the
engine competes with it, and the ratio may pass 1; with one thread it has a core of its own. `--threads` sets them, and
the figure is printed with them: one without its threads says nothing. Seconds of processors are compared too: they move
less with whatever else the machine does.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from tvbench.data.media.video import Decoder
from tvbench.engines.open import EngineOptions, open_engine
from tvbench.engines.protocol import Engine, Prepared
from tvbench.engines.transformers import TransformersEngine
from tvbench.engines.vllm import VllmEngine
from tvbench.engines.vllm_answers import sampling_params
from tvbench.registry.catalog import resolve_model, task
from tvbench.registry.selection import parse_selection
from tvbench.runs.plan import Overrides, Plan, make_ask, plan_task
from tvbench.runs.preparing import prepare
from tvbench.runs.session import RunSession, SessionOptions
from tvbench.runs.session_record import SessionRecord
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import BuildOptions, ModelCard, Request, Response

Answers = dict[str, str | None]
WITHOUT_CACHES = {"enable_prefix_caching": False, "mm_processor_cache_gb": 0}


class Silent:
    """A Watch (runs/runner.py) that looks away."""

    def begin(self, total: int, kept: int) -> None:
        """See Watch."""

    def answered(self, response: Response) -> None:
        """See Watch."""


def main() -> int:
    """Time both sides in turns and print ratios. 1 when an answer differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("transformers", "vllm"), default="transformers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", default="mini")
    parser.add_argument("--threads", type=int, help="that torch computes with (default: as they come)")
    args = parser.parse_args()
    card = resolve_model("tower-mini")
    if args.engine == "vllm":
        card = replace(card, engine={**card.engine, "vllm": {**card.engine.get("vllm", {}), **WITHOUT_CACHES}})
    plan = planned(card, args.tasks)
    if args.threads is not None:  # before torch is imported: vLLM on a CPU lets nobody say it later
        os.environ["OMP_NUM_THREADS"] = str(args.threads)
    engine = open_engine(args.engine, card, options=EngineOptions({"dtype": "float32"}))
    threads = torch_threads(args.threads)  # transformers' engine sets its own when it is opened
    sides: dict[str, Callable[[], Answers]] = {
        "bare": lambda: bare(engine, plan.requests()),
        "tvbench": lambda: through_tvbench(engine, planned(card, args.tasks), args.engine),
    }
    expected, got = (side() for side in sides.values())
    ratios = [one_round(sides, number) for number in range(args.rounds)]
    equal = sum(got[key] == text for key, text in expected.items())
    print(f"{len(expected)} requests, {equal} answers equal; torch computes with {threads} thread(s)")
    for title, column in zip(("tvbench / bare", "processors"), zip(*ratios, strict=True), strict=True):
        print(f"{title}: median {statistics.median(column):.3f}, from {min(column):.3f} to {max(column):.3f}")
    where_it_goes(engine, card, args)
    engine.close()
    return 0 if got == expected else 1


def torch_threads(wanted: int | None) -> int:
    """Sees to it that torch computes with so many threads, where that is wanted; returns how many there are."""
    import torch

    if wanted is not None and torch.get_num_threads() != wanted:
        torch.set_num_threads(wanted)
    threads = int(torch.get_num_threads())
    if wanted not in (None, threads):
        raise SystemExit(f"torch computes with {threads} threads, whatever is said")
    return threads


def planned(card: ModelCard, tasks: str) -> Plan:
    """What `tvbench run` makes of the selection."""
    chosen = [
        plan_task(task(name), BuildOptions(task(name).default_protocol, languages=languages), card, Overrides())
        for name, languages in parse_selection(tasks)
    ]
    return Plan(card, tuple(chosen), make_ask(card, chosen, Overrides(), {"name": "benchmark"}))


def one_round(sides: dict[str, Callable[[], Answers]], number: int) -> tuple[float, float]:
    """Both sides once, the first of them changing; tvbench's seconds over the bare one's, wall and processors."""
    seconds: dict[str, float] = {}
    busy: dict[str, float] = {}
    for name in sorted(sides, reverse=bool(number % 2)):
        started, computed = time.perf_counter(), time.process_time()
        sides[name]()
        seconds[name], busy[name] = time.perf_counter() - started, time.process_time() - computed
    ratio, processors = (told["tvbench"] / told["bare"] for told in (seconds, busy))
    said = ", ".join(f"{name} {seconds[name]:.2f} s ({busy[name]:.2f} of processors)" for name in sorted(sides))
    print(f"round {number + 1}: {said}, ratio {ratio:.3f} ({processors:.3f})", flush=True)
    return ratio, processors


# ── tvbench ───────────────────────────────────────────────────────────────────────────────────────


def through_tvbench(engine: Engine, plan: Plan, name: str) -> Answers:
    """A whole run into an empty folder: requests written, media decoded ahead, answers stored one by one."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / plan.run_name
        with RunSession(folder, plan, name, SessionOptions(EngineOptions())) as session:
            session.answer(Silent(), lambda: nullcontext(engine))
        return {key: response.text for key, response in RunFolder(folder).responses().items()}


def where_it_goes(engine: Engine, card: ModelCard, args: argparse.Namespace) -> None:
    """One more run with a clock in each place that is not the engine."""
    spent: dict[str, float] = {}

    @contextmanager
    def clock(place: str, owner: Any, method: str) -> Iterator[None]:
        original = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                spent[place] = spent.get(place, 0.0) + time.perf_counter() - started

        setattr(owner, method, timed)
        try:
            yield
        finally:
            setattr(owner, method, original)

    from tvbench.runs.feed import DecodeAhead

    started = time.perf_counter()
    with (
        clock("answers stored", RunWriter, "append"),
        clock("requests and manifest written", SessionRecord, "take_up"),
        clock("waiting for decoded media", DecodeAhead, "take"),
        clock("decoding (in threads beside)", RunSession, "_prepare"),
    ):
        plan = planned(card, args.tasks)
        spent["planning: tasks built, media hashed"] = time.perf_counter() - started
        through_tvbench(engine, plan, args.engine)
    whole = time.perf_counter() - started
    print(f"where it goes, of {whole:.2f} s:")
    for place, seconds in sorted(spent.items(), key=lambda pair: -pair[1]):
        print(f"  {place:<38}{seconds:7.3f} s {100 * seconds / whole:6.2f} %")


# ── Bare ──────────────────────────────────────────────────────────────────────────────────────────


def bare(engine: Engine, requests: Sequence[Request]) -> Answers:
    """Media opened one by one, then the library."""
    decoder = Decoder()
    prepared = [prepare(request, decoder) for request in requests]
    decoder.close()
    return bare_vllm(engine, prepared) if isinstance(engine, VllmEngine) else bare_transformers(engine, prepared)


def bare_vllm(engine: VllmEngine, prepared: Sequence[Prepared]) -> Answers:
    """All prompts in one `LLM.generate`. Clips all have the same number of frames, which vLLM 0.32 needs."""
    asked = [(engine._prompt(request)[0], sampling_params(engine.prompter, request, None)) for request in prepared]
    outputs = engine._llm.generate([prompt for prompt, _ in asked], [params for _, params in asked], use_tqdm=False)
    return {
        planned.request.key: engine.prompter.answer(output.outputs[0].token_ids, ())
        for planned, output in zip(prepared, outputs, strict=True)
    }


def bare_transformers(engine: Engine, prepared: Sequence[Prepared]) -> Answers:
    """Batches of prompts of like length and equal limit, through `model.generate`."""
    import torch

    assert isinstance(engine, TransformersEngine)
    encoded = sorted(
        (engine.inputs.encode(request) for request in prepared),
        key=lambda item: (item.kind, item.prepared.request.sampling.max_new_tokens, -item.length),
    )
    answers: Answers = {}
    start = 0
    while start < len(encoded):
        first = encoded[start]
        batch = [
            item
            for item in encoded[start : start + engine.batch_size]
            if item.kind == first.kind and item.prepared.request.sampling == first.prepared.request.sampling
        ]
        start += len(batch)
        tensors = engine.inputs.collate(batch).tensors
        with torch.inference_mode():
            output = engine.model.generate(
                **tensors,
                do_sample=False,
                max_new_tokens=first.prepared.request.sampling.max_new_tokens,
                eos_token_id=list(engine.prompter.end_ids),
                pad_token_id=engine.prompter.end_ids[0],
            )
        width = tensors["input_ids"].shape[1]
        for item, tokens in zip(batch, output[:, width:].tolist(), strict=True):
            answers[item.prepared.request.key] = engine.prompter.answer(tokens, ())
    return answers


if __name__ == "__main__":
    sys.exit(main())
