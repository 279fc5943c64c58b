"""tvbench beside its peers: the same model, the same engine, the same questions on pictures, in turns.

    python benchmarks/peers.py --make           # an environment for lmms-eval, over that of tools/vllm_env.py
    python benchmarks/peers.py                  # bare vLLM, tvbench, lmms-eval: vLLM in the process
    python benchmarks/peers.py --served --vlmevalkit CHECKOUT       # tvbench, VLMEvalKit: one vLLM server
    python benchmarks/peers.py --kill           # each side killed half-way, and the same command given again

Every side is a whole process, from its start to its end with figures written. Its own clock, where it has one, tells
the generation alone: from the loaded model to the last answer. The bare side (peers/bare.py) knows nothing of tvbench.
lmms-eval runs at its best flags (`--batch_size` of all questions) and, with `--small-batch`, at its default of 1.
Answers of all sides are compared; what an incremental detokenizer leaves out at a cut character is no difference.

VLMEvalKit is not on the package index: CHECKOUT is a clone of its repository. It has no vLLM path for LLaVA-NeXT
checkpoints, so that it is compared through a server, with 32 requests at a time on both sides. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))  # this checkout's tvbench, whatever is installed

SIZES = ((500, 375), (640, 480), (1024, 768))
CONTEXT, SEQUENCES = 2048, 32
PROCESSOR = {"use_fast": False}
"""All sides prepare pictures by the slow processors, for answers that can be compared."""
PORT = 8765
SETTLED = 0.5
"""Where a side is killed: at this share of its answers, or of its own progress."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything lies: the checkpoint, the questions with their pictures, and a folder for a side's outputs."""

    model: Path
    data: Path
    out: Path
    tokens: int
    python: Mapping[str, Path]
    vlmevalkit: Path | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """A program under test. `answers` and `seconds` are read from what it wrote; `done` is its progress from 0 to 1
    while it runs (None: not yet asking), and `asked` how many questions its last run sent to the engine."""

    name: str
    command: Callable[[Place], list[str]]
    answers: Callable[[Place], dict[str, str]]
    seconds: Callable[[Place], float | None] = lambda place: None
    folder: Callable[[Place], Path] = lambda place: place.out
    variables: Mapping[str, str] = field(default_factory=dict)


# ── The sides ─────────────────────────────────────────────────────────────────────────────────────


def bare(place: Place) -> list[str]:
    """peers/bare.py."""
    words = [place.model, place.data, place.tokens, place.out / "bare.json"]
    return [str(place.python["vllm"]), str(HERE / "peers" / "bare.py"), *map(str, words)]


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
    words += ["--include_path", str(HERE / "peers" / "lmms"), "--output_path", str(place.out / "lmms"), "--log_samples"]
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


# ── Running them ──────────────────────────────────────────────────────────────────────────────────


def environment(place: Place, side: Side) -> dict[str, str]:
    """The same for every side: one thread, vLLM in the process, byte code kept."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "COLUMNS")}
    here = {"PYTHONPATH": str(ROOT)} if side.name == "tvbench" else {}
    kept.pop("PYTHONPATH", None)
    return kept | here | {
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(place.out / "datasets"),
        "LMUData": str(place.data),
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_NO_USAGE_STATS": "1",
        **side.variables,
    }  # fmt: skip


def started(place: Place, side: Side, log: Path) -> subprocess.Popen[bytes]:
    """The side as a process of its own group, its words in `log`."""
    with log.open("wb") as file:
        return subprocess.Popen(
            side.command(place),
            cwd=side.folder(place),
            env=environment(place, side),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def whole(place: Place, side: Side) -> float:
    """Seconds of the whole process, into empty folders. Raises SystemExit with its last words where it fails."""
    for name in ("tvbench", "lmms", "vlmevalkit", "bare.json"):
        path = place.out / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    log = place.out / "log"
    began = time.perf_counter()
    code = started(place, side, log).wait()
    seconds = time.perf_counter() - began
    if code != 0:
        raise SystemExit(f"{side.name} ended with {code}:\n{log.read_text(errors='replace')[-2000:]}")
    return seconds


def compare(place: Place, all_sides: Sequence[Side], rounds: int) -> int:
    """Every side once to warm up, then in turns; prints seconds and ratios to the first side. 1: answers differ."""
    expected: dict[str, str] = {}
    differing = 0
    for side in all_sides:
        whole(place, side)
        said = {name: _plain(text) for name, text in side.answers(place).items()}
        expected = expected or said
        same = sum(said.get(name) == text for name, text in expected.items())
        differing += same != len(expected)
        print(f"{side.name}: {len(said)} answers, {same} of {len(expected)} as {all_sides[0].name}", flush=True)
    process: dict[str, list[float]] = {side.name: [] for side in all_sides}
    serving: dict[str, list[float]] = {side.name: [] for side in all_sides}
    for number in range(rounds):
        for side in all_sides[number % len(all_sides) :] + all_sides[: number % len(all_sides)]:
            process[side.name].append(whole(place, side))
            if (seconds := side.seconds(place)) is not None:
                serving[side.name].append(seconds)
        print(f"round {number + 1}: " + ", ".join(f"{name} {times[-1]:.1f} s" for name, times in process.items()))
    for title, table in (("whole process", process), ("generation", serving)):
        show(title, table)
    return int(differing > 0)


def show(title: str, table: Mapping[str, Sequence[float]]) -> None:
    """Medians, and ratios to the first side: of each round, and minimum against minimum."""
    first = next(iter(table.values()))
    for name, times in table.items():
        if not times:
            continue
        line = f"{title}: {name} median {statistics.median(times):.2f} s, {min(times):.2f} to {max(times):.2f}"
        if first and len(first) == len(times):
            ratios = [mine / other for mine, other in zip(times, first, strict=True)]
            line += f"; of the first {statistics.median(ratios):.2f}, minima {min(times) / min(first):.2f}"
        print(line)


# ── Killed half-way ───────────────────────────────────────────────────────────────────────────────


def killed(place: Place, side: Side, prompts: int) -> None:
    """Kill the side when half of its questions are answered, give the same command again, and say what was kept."""
    whole(place, side)  # byte code and caches warm
    for name in ("tvbench", "lmms", "vlmevalkit"):
        shutil.rmtree(place.out / name, ignore_errors=True)
    log = place.out / "log"
    process = started(place, side, log)
    while process.poll() is None and progress(place, side, log, prompts) < SETTLED:
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    at = progress(place, side, log, prompts)
    code = started(place, side, log).wait()
    again = asked_again(place, side, log, prompts)
    kept = f"asked {again} of {prompts} (exit code {code}): kept {prompts - again}"
    print(f"{side.name}: killed at {at:.0%}; the same command {kept}", flush=True)


def progress(place: Place, side: Side, log: Path, prompts: int) -> float:
    """The share that is answered: our stored lines, or the bar that vLLM draws in the log."""
    if side.name == "tvbench":
        paths = list(place.out.glob("tvbench/*/responses*.jsonl"))
        return sum(path.read_bytes().count(b"\n") for path in paths) / prompts
    return max((done / total for done, total in bars(log)), default=0.0)


def bars(log: Path) -> Iterator[tuple[int, int]]:
    """(done, total) of each bar of answers that was drawn."""
    for part in log.read_text(errors="replace").replace("\r", "\n").splitlines():
        if "Processed prompts" in part and "|" in part:
            numbers = part.rpartition("|")[2].split()[0].split("/")
            if len(numbers) == 2 and all(number.isdigit() for number in numbers):
                yield int(numbers[0]), int(numbers[1])


def asked_again(place: Place, side: Side, log: Path, prompts: int) -> int:
    """Questions of the second run that the engine was given."""
    if side.name == "tvbench":
        from tvbench.runs.store import find_runs

        (run,) = find_runs(place.out / "tvbench")
        return int((run.manifest().sessions or ())[-1].answered or 0)
    return max((total for _, total in bars(log)), default=0)


# ── What they need ────────────────────────────────────────────────────────────────────────────────


def write_questions(folder: Path, prompts: int, tokens: int) -> None:
    """Pictures of coloured patches in three sizes, a question on each; as a table for us, and for VLMEvalKit."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = []
    for number in range(prompts):
        width, height = SIZES[number % len(SIZES)]
        patches = rng.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
        name = f"{number}.jpg"
        Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC).save(folder / name, quality=90)
        rows.append({"id": number, "file_name": name, "question": f"What is in picture {number}?", "answer": "patches"})
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    columns = "columns: {question: question, answer: answer}"
    said = ["language: en", columns, 'prompt: "<image>{question}"', f"max_tokens: {tokens}", ""]
    (folder / "task.yaml").write_text("\n".join(said), encoding="utf-8")
    with (folder / "peers.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t")
        table.writerow(["index", "image", "question", "answer"])
        for row in rows:
            picture = b64encode((folder / str(row["file_name"])).read_bytes()).decode()
            table.writerow([row["id"], picture, row["question"], row["answer"]])


@contextlib.contextmanager
def server(place: Place) -> Iterator[None]:
    """One vLLM server for all sides."""
    words = ["--model", place.model, "--served-model-name", "peers", "--dtype", "float32", "--enforce-eager"]
    words += ["--max-model-len", CONTEXT, "--max-num-seqs", SEQUENCES, "--skip-mm-profiling", "--port", PORT]
    words += ["--mm-processor-kwargs", json.dumps(PROCESSOR), "--generation-config", "vllm", "--host", "127.0.0.1"]
    command = [str(place.python["vllm"]), "-m", "vllm.entrypoints.openai.api_server", *map(str, words)]
    env = environment(place, Side("server", bare, bare_answers))
    env.pop("VLLM_ENABLE_V1_MULTIPROCESSING")
    with (place.out / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        while not _answers(f"http://127.0.0.1:{PORT}/health"):
            if process.poll() is not None:
                raise SystemExit(f"the server did not start: {(place.out / 'server.log').read_text()[-2000:]}")
            time.sleep(0.5)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def _plain(text: str) -> str:
    return text.replace("\ufffd", "").strip()


def _json(path: Path) -> dict[str, object]:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def made(name: str, module: str) -> Path:
    """The Python of a peer's environment: its own packages over vLLM's, made where it is missing."""
    from tvbench.registry.environments import Environment, build

    versions = ROOT / "constraints" / f"{name}.txt"
    (behind,) = vllm_python().parents[1].glob("lib/python*/site-packages")
    install = ("--no-deps", "--requirement", str(versions))
    found = Environment(name, versions, install, "about 500 MB", (module,), behind=str(behind))
    build(found, lambda line: print(line, file=sys.stderr))
    return found.python


def vllm_python() -> Path:
    """The Python of the vLLM environment, made where it is missing."""
    command = [sys.executable, str(ROOT / "tools" / "vllm_env.py")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip())


def main() -> int:
    """Compare, or kill. 1 when an answer differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", action="store_true", help="make the environments, and stop")
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small-batch", action="store_true", help="lmms-eval at its default batch of 1 too")
    parser.add_argument("--served", action="store_true", help="through one vLLM server")
    parser.add_argument("--vlmevalkit", type=Path, metavar="CHECKOUT", help="a clone of VLMEvalKit")
    parser.add_argument("--kill", action="store_true", help="kill each side half-way, and give its command again")
    args = parser.parse_args()
    python = {"vllm": vllm_python(), "lmms-eval": made("lmms-eval", "lmms_eval")}
    if args.vlmevalkit:
        python["vlmevalkit"] = made("vlmevalkit", "Levenshtein")
    if args.make:
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        place = Place(checkpoint(), Path(scratch) / "data", Path(scratch), args.tokens, python, args.vlmevalkit)
        write_questions(place.data, args.prompts, args.tokens)
        with server(place) if args.served else contextlib.nullcontext():
            if not args.kill:
                return compare(place, sides(args), args.rounds)
            for side in sides(args):
                killed(place, side, args.prompts)
    return 0


def checkpoint() -> Path:
    """tower-mini as every engine reads it."""
    from tvbench.checkpoints.corrections import corrected
    from tvbench.engines.local import local_checkpoint
    from tvbench.registry.catalog import resolve_model

    card = resolve_model("tower-mini")
    folder, _ = corrected(local_checkpoint(card), card)
    return folder


if __name__ == "__main__":
    sys.exit(main())
