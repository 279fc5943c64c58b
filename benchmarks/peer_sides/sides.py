"""The sides: how each program is started on the same questions, and where it leaves its answers and its own clock."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

from benchmarks.peer_sides.place import CONTEXT, PARTS, PORT, PROCESSOR, SEQUENCES, Place, Side


def bare(place: Place) -> list[str]:
    """bare.py."""
    words = [place.model, place.data, place.tokens, place.out / "bare.json"]
    return [str(place.python["vllm"]), str(PARTS / "bare.py"), *map(str, words)]


def bare_answers(place: Place) -> dict[str, str]:
    """What it wrote, by the id of the question."""
    return dict(_json(place.out / "bare.json")["answers"])


def bare_seconds(place: Place) -> float:
    """From the loaded model to the last answer."""
    return float(_json(place.out / "bare.json")["seconds"])


def tvbench(place: Place, *words: str) -> list[str]:
    """`tvbench run` on the folder of questions."""
    asked = ["--tasks", str(place.data), "--metric", "chrfpp", "--max-new-tokens", str(place.tokens)]
    kept = ["--results", str(place.out / "tvbench"), "--quiet"]
    return [str(place.python["vllm"]), "-m", "tvbench", "run", *words, *asked, *kept]


def tvbench_vllm(place: Place) -> list[str]:
    """With vLLM in the process."""
    engine = ["--engine", "vllm", "--dtype", "float32", "--max-model-len", str(CONTEXT)]
    return tvbench(place, "--model", str(place.model), *engine, "--engine-arg", f"max_num_seqs={SEQUENCES}")


def tvbench_served(place: Place) -> list[str]:
    """With the server."""
    return tvbench(place, "--model", f"openai:peers@http://127.0.0.1:{PORT}", "--concurrency", "32")


def tvbench_answers(place: Place) -> dict[str, str]:
    """From the run folder."""
    from tvbench.runs.store import find_runs

    (run,) = find_runs(place.out / "tvbench")
    said = run.responses()
    return {item.id.rpartition("/")[2]: said[key].text or "" for key, item in run.requests() if key in said}


def tvbench_seconds(place: Place) -> float | None:
    """From the first question handed over to the last answer, as the manifest has it."""
    from tvbench.runs.store import find_runs

    (run,) = find_runs(place.out / "tvbench")
    rate = run.manifest().speed.get("requests_per_second")
    return len(run.requests()) / float(rate) if rate else None


def lmms_eval(place: Place, *, batch: int) -> list[str]:
    """lmms-eval's vllm backend. Its cap on new tokens is max(task, 4096) unless the model is told too."""
    engine = f"dtype=float32,enforce_eager=True,max_model_len={CONTEXT},max_num_seqs={SEQUENCES},skip_mm_profiling=True"
    model = f"model={place.model},{engine},max_new_tokens={place.tokens},mm_processor_kwargs={json.dumps(PROCESSOR)}"
    words = ["--model", "vllm", "--model_args", model, "--tasks", "tvbench_peers", "--batch_size", str(batch)]
    words += ["--include_path", str(PARTS / "lmms"), "--output_path", str(place.out / "lmms"), "--log_samples"]
    return [str(place.python["lmms-eval"]), "-m", "lmms_eval", *words]


def lmms_answers(place: Place) -> dict[str, str]:
    """From its newest log of samples."""
    path = max(place.out.glob("lmms/*/*_samples_*.jsonl"))
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    said = {str(row["doc_id"]): row["filtered_resps"] for row in rows}
    return {name: text if isinstance(text, str) else text[0] for name, text in said.items()}


def lmms_seconds(place: Place) -> float | None:
    """Its own clock around the calls of the engine; None where it did not write one."""
    found = _json(max(place.out.glob("lmms/*/*_results.json"))).get("throughput") or {}
    seconds = found.get("total_elapsed_time")
    return None if seconds is None else float(seconds)


def vlmevalkit(place: Place) -> list[str]:
    """Its own pool of requests to a server."""
    assert place.vlmevalkit is not None
    words = ["--data", "peers", "--model", "peers", "--base-url", f"http://127.0.0.1:{PORT}/v1", "--mode", "infer"]
    words += ["--work-dir", str(place.out / "vlmevalkit"), "--api-nproc", "32", "--reuse"]
    words += ["--max-tokens", str(place.tokens), "--temperature", "0"]
    return [str(place.python["vlmevalkit"]), str(place.vlmevalkit / "run.py"), *words]


def vlmevalkit_answers(place: Place) -> dict[str, str]:
    """From its newest table of predictions."""
    path = max(place.out.glob("vlmevalkit/peers/*/peers_peers.tsv"))
    with path.open(encoding="utf-8", newline="") as file:
        return {row["index"]: row["prediction"] for row in csv.DictReader(file, delimiter="\t")}


def sides(args: argparse.Namespace) -> list[Side]:
    """Those that are compared in this run."""
    if args.served:
        found = [Side("tvbench", tvbench_served, tvbench_answers, tvbench_seconds)]
        if args.vlmevalkit:
            there = Side("VLMEvalKit", vlmevalkit, vlmevalkit_answers, variables={"PRED_FORMAT": "tsv"})
            found.append(there)
        return found
    found = [
        Side("bare vLLM", bare, bare_answers, bare_seconds),
        Side("tvbench", tvbench_vllm, tvbench_answers, tvbench_seconds),
        _lmms_side("lmms-eval", args.prompts),
    ]
    return [*found, _lmms_side("lmms-eval, batch 1", 1)] if args.small_batch else found


def _lmms_side(name: str, batch: int) -> Side:
    return Side(name, lambda place: lmms_eval(place, batch=batch), lmms_answers, lmms_seconds, lambda place: place.data)


def _json(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found
