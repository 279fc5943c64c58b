"""Which way on Ray: `ray.data.llm`, or plain actors (tvbench's replicas), with the same engine, prompts and pictures?

    pip install --no-deps --target DIR pandas python-dateutil six      # for ray.data; nothing else here needs them
    PYTHONPATH=.:DIR $(python tools/vllm_env.py) benchmarks/ray_ways.py --replicas 1 --items 40 --rounds 3

Both ways answer questions with one picture each from `mini-alm` (five kinds, so five times `--items`) by vLLM on a
Ray with pretended GPUs, in turns, vLLM's caches being off. `ray.data.llm` gets the prompts as token ids and the
pictures encoded, so that its own templates, tokenizer and downloads take no part; the actors are handed encoded
pictures, decode them themselves and store every answer. Each pass opens its engines anew. `whole` is from nothing to
the last answer; `serving` is from the first question that an open engine gets to the last answer: `ray.data.llm`
decodes pictures while the engines are opened, and is not charged for it there. Answers are compared.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answers = dict[str, str]
ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
}
WITHOUT_CACHES = {"enable_prefix_caching": False, "mm_processor_cache_gb": 0}


def main() -> int:
    """Time both ways in turns. 1 when an answer differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--items", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    # More cores than there are, or the reader of rows waits for the engines for ever.
    ray.init(address="local", num_cpus=8 + 2 * args.replicas, num_gpus=args.replicas, log_to_driver=False)
    questions = asked(args.items)
    ways: dict[str, Callable[[], tuple[Answers, float, float]]] = {
        "actors": lambda: by_actors(questions, args.replicas),
        "ray.data.llm": lambda: by_ray_data(questions, args.replicas),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    given: list[Answers] = []
    for number in range(args.rounds):
        for name in sorted(ways, reverse=bool(number % 2)):
            answers, whole, serving = ways[name]()
            given.append(answers)
            times[name].append((whole, serving))
            print(f"round {number + 1}, {name}: whole {whole:.1f} s, serving {serving:.2f} s", flush=True)
    for name, seconds in times.items():
        whole, serving = (statistics.median(column) for column in zip(*seconds, strict=True))
        print(f"{name}: median whole {whole:.1f} s, serving {serving:.2f} s")
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    equal = sum(all(answers.get(key) == text for answers in given) for key, text in given[0].items())
    print(f"{len(given[0])} questions, {equal} answered alike in all rounds")
    return 0 if equal == len(given[0]) else 1


def asked(items: int) -> list[Any]:
    """The requests, each with one picture."""
    from tvbench.registry.catalog import resolve_model, task
    from tvbench.runs.plan import Overrides, plan_task
    from tvbench.types import BuildOptions

    mini = task("mini-alm")
    how = BuildOptions("tvbench", languages=("de",), settings={"items": str(items)})
    planned = plan_task(mini, how, resolve_model("tower-mini"), Overrides(max_new_tokens=16))
    return [item.request for item in planned.items if item.item.problem is None]


def by_actors(requests: list[Any], replicas: int) -> tuple[Answers, float, float]:
    """tvbench's replicas: opened, asked, closed."""
    from tvbench.engines.open import EngineOptions
    from tvbench.engines.protocol import ListFeed, Prepared
    from tvbench.registry.catalog import resolve_model
    from tvbench.runs.keys import media_of
    from tvbench.runs.replicas.opening import open_replicas
    from tvbench.runs.replicas.placement import Placement

    options = EngineOptions({"dtype": "float32", **WITHOUT_CACHES})
    started = time.perf_counter()
    engine = open_replicas("vllm", resolve_model("tower-mini"), options, Placement(1, replicas), print)
    try:
        while sum(counts["open"] for counts in engine.replica_counts().values()) < replicas:
            engine._hear(0.1)
        began = time.perf_counter()
        feed = ListFeed(
            [Prepared(one, encoded=tuple(media.load() for media in media_of(one.messages))) for one in requests]
        )
        with tempfile.TemporaryDirectory() as folder, engine.storing(Path(folder), len(requests)):
            answers = {response.key: response.text or response.error or "" for response in engine.serve(feed)}
        ended = time.perf_counter()
        return answers, ended - started, ended - began
    finally:
        engine.close()


def by_ray_data(requests: list[Any], replicas: int) -> tuple[Answers, float, float]:
    """`ray.data.llm`. Its rows say when they were answered, and how long that took."""
    began = time.perf_counter()
    rows = through_ray_data(requests, replicas)
    whole = time.perf_counter() - began
    first = min(row["at"] - row["took"] for row in rows)
    return {row["key"]: row["text"] for row in rows}, whole, max(row["at"] for row in rows) - first


def through_ray_data(requests: list[Any], replicas: int) -> list[dict[str, Any]]:
    """The answers."""
    import ray.data
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    from tvbench.checkpoints.corrections import corrected, read_config
    from tvbench.checkpoints.prompt import Prompter
    from tvbench.engines.local import local_checkpoint
    from tvbench.engines.vllm_settings import arguments
    from tvbench.registry.catalog import resolve_model
    from tvbench.runs.keys import media_of

    card = resolve_model("tower-mini")
    folder, _ = corrected(local_checkpoint(card, offline=True), card)
    prompter = Prompter(folder, card)
    wanted = {"dtype": "float32", **WITHOUT_CACHES}
    given = arguments(folder, read_config(folder), card, wanted, on_cpu=True)
    given = {name: value for name, value in given.items() if name not in ("model", "disable_log_stats")}
    config = vLLMEngineProcessorConfig(
        model_source=str(folder),
        engine_kwargs={**given, "distributed_executor_backend": "uni"},
        batch_size=16,
        concurrency=replicas,
        log_engine_metrics=False,
        prepare_multimodal_stage=False,
        chat_template_stage=False,
        tokenize_stage=False,
        detokenize_stage=False,
    )
    ends = list(prompter.end_ids)

    def row_of(row: dict[str, Any]) -> dict[str, Any]:
        from PIL import Image

        pictures = [Image.open(io.BytesIO(data)).convert("RGB") for data in row["pictures"]]
        return {
            "key": row["key"],
            "prompt": "",
            "tokenized_prompt": list(row["ids"]),
            "multimodal_data": {"image": pictures},
            "sampling_params": {"temperature": 0.0, "max_tokens": 16, "stop_token_ids": ends, "detokenize": False},
        }

    def answer_of(row: dict[str, Any]) -> dict[str, Any]:
        answered = {"at": time.time(), "took": float(row["time_taken_llm"])}
        return {"key": row["key"], "generated": list(row["generated_tokens"]), **answered}

    rows = [
        {
            "key": one.key,
            "ids": prompter.encode(one.messages),
            "pictures": [media.load() for media in media_of(one.messages)],
        }
        for one in requests
    ]
    processor = build_processor(config, preprocess=row_of, postprocess=answer_of)
    tokenizer = prompter.replies
    read = {one.key: one.sampling for one in requests}
    return [
        {**row, "text": tokenizer.read(list(row["generated"]), (), read[row["key"]], "stop").text}
        for row in processor(ray.data.from_items(rows)).take_all()
    ]


if __name__ == "__main__":
    raise SystemExit(main())
