"""A suite of tower-mini variants and small servers over four tasks in ten languages, killed at random moments and
continued by the same command; and what has to hold then.

By hand at full size (6 models x 4 tasks x 10 languages, several seeds):

    python tests/support/killed_suites.py --limit 10 --local 3 --servers 3 --seeds 1,2,3
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chat_server import ChatServer, chat_server, digest_of
from repository import ROOT

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGKILL)
CONCURRENCY = 4
LANGUAGES = ("en", "de", "es", "fr", "pt", "ru", "hi", "zh", "ja", "ko")
TASK = '''
"""Numbers: even or odd, in ten languages."""

from tvbench.data.authoring import lettered, shuffled_choice, user_message
from tvbench.types import Ask, Item, Opened, Task


def rows(ask: Ask) -> Opened:
    return Opened(((code, number) for code in ask.languages for number in range(1, 101)), "numbers@1")


def item(row, ask: Ask) -> Item:
    code, number = row
    name = f"{code}/{number}"
    target = shuffled_choice(("even", "odd"), number % 2, name, ask.seed)
    prompt = f"[{code}] Is {number} even or odd?\\n{lettered(target.options)}"
    return Item(id=name, task=ask.task, language=code, messages=user_message(prompt), target=target)


TASK = Task(
    name="numbers", version="1", title="even or odd", source=rows, item=item, protocols={"tvbench": "asks"},
    primary="strict", metrics=("strict",), languages=ALL, modality="text",
)
'''


def noisy_copy(folder: Path, seed: int, scale: float = 0.02) -> Path:
    """tower-mini's checkpoint with a little noise on every matrix."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(ROOT / "models" / "tower-mini", folder)
    weights = load_file(folder / "model.safetensors")
    torch.manual_seed(seed)
    noisy = {
        name: value + scale * value.std() * torch.randn_like(value) if value.ndim > 1 else value
        for name, value in weights.items()
    }
    save_file(noisy, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def write_suite(folder: Path, servers: Sequence[ChatServer], local: int, limit: int) -> Path:
    """The suite's file, with its task and its checkpoints beside it."""
    (folder / "evens.py").write_text(TASK.replace("ALL", repr(LANGUAGES)))
    models: list[Any] = [{"model": server.model, "label": f"served-{n}"} for n, server in enumerate(servers)]
    for number in range(local):
        name = f"noisy-{number}"
        noisy_copy(folder / name, number)
        models.insert(2 * number, {"model": f"./{name}", "label": name, "batch_size": 8, "engine": "transformers"})
    for model in models:
        model |= {"concurrency": CONCURRENCY} if model["model"].startswith("openai:") else {}
    suite = {
        "models": models,
        "tasks": ["mini-alm", "mini-multi30k", "mini-vimul", "./evens.py"],
        "languages": list(LANGUAGES),
        "options": {"limit": limit, "max_new_tokens": 8, "same_model": True, "reuse": False},
    }
    path = folder / "killed.yaml"
    path.write_text(json.dumps(suite))
    return path


@dataclass
class Killing:
    """What came of it: `killed` by signal, `again` are questions that were asked although their answer was stored,
    `in_flight` those that were asked twice in all."""

    killed: list[str] = field(default_factory=list)
    moments: list[int] = field(default_factory=list)
    again: int = 0
    in_flight: int = 0
    sent: int = 0
    wrong: list[str] = field(default_factory=list)


def words(suite: Path, results: Path) -> list[str]:
    return [sys.executable, "-m", "tvbench", "run", str(suite), "--results", str(results), "--quiet"]


def kill_often(suite: Path, results: Path, servers: Sequence[ChatServer], total: int, seed: int) -> Killing:
    """Start the suite and end it at five random numbers of stored answers, then let it end by itself."""
    moments = random.Random(seed)
    found = Killing()
    for kind in SIGNALS:
        done = count_lines(results)
        target = done + moments.randint(0, max(1, (total - done) // 3))
        known = stored_texts(results)
        before = [server.asked.copy() for server in servers]
        with started(suite, results) as process:
            while count_lines(results) < target and process.poll() is None:
                time.sleep(0.01)
            try:
                process.wait(moments.uniform(0.0, 0.4))
            except subprocess.TimeoutExpired:
                process.send_signal(kind)
                found.killed.append(kind.name)
                found.moments.append(count_lines(results))
            said = process.communicate(timeout=120)[1]
        if kind is not signal.SIGKILL and process.returncode not in (0, 1):
            found.wrong.append(f"{kind.name} ended it with {process.returncode}: {said[-500:]}")
        found.again += asked_again(servers, before, known)
    known, before = stored_texts(results), [server.asked.copy() for server in servers]
    done_now = subprocess.run(words(suite, results), capture_output=True, text=True, check=False)
    if done_now.returncode != 0:
        found.wrong.append(f"the last one ended with {done_now.returncode}: {done_now.stderr[-2000:]}")
    found.again += asked_again(servers, before, known)
    found.sent = sum(server.asked.total() for server in servers)
    found.in_flight = sum(server.asked.total() - len(server.asked) for server in servers)
    return found


@contextmanager
def started(suite: Path, results: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        words(suite, results),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    with process:
        yield process


def count_lines(results: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in results.glob("*/responses.jsonl"))


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a store: a torn last one is no answer."""
    whole = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in whole]


def stored_texts(results: Path) -> dict[str, set[str]]:
    """The stored answers by run."""
    return {
        path.parent.name: {str(line.get("text")) for line in lines_of(path) if line.get("error") is None}
        for path in results.glob("*/responses.jsonl")
    }


def asked_again(servers: Sequence[ChatServer], before: Sequence[Counter[str]], known: dict[str, set[str]]) -> int:
    """How many questions were asked since `before` whose answers had been stored by then."""
    again = 0
    for number, (server, asked) in enumerate(zip(servers, before, strict=True)):
        texts = set().union(*(texts for run, texts in known.items() if run.startswith(f"served-{number}--")))
        new = server.asked - asked
        again += sum(count for question, count in new.items() if digest_of(question) in texts)
    return again


def answers(results: Path) -> dict[str, dict[str, str]]:
    """By run: key to text. Raises AssertionError where a key stands twice, or a line is a failure."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(results.glob("*/responses.jsonl")):
        lines = lines_of(path)
        assert len({line["key"] for line in lines}) == len(lines), f"a key stands twice in {path}"
        assert all(line.get("error") is None for line in lines), path
        found[path.parent.name] = {line["key"]: line["text"] for line in lines}
    return found


def figures(results: Path) -> dict[str, Any]:
    """By run: every figure."""
    return {path.parent.name: json.loads(path.read_text())["tasks"] for path in sorted(results.glob("*/result.json"))}


def campaign(
    folder: Path, *, local: int, servers: int, limit: int, seeds: Sequence[int], delay: float
) -> list[Killing]:
    """An unkilled suite, and one that is killed for each seed; raises AssertionError where they differ."""
    with ExitStack() as stack:
        serving = [stack.enter_context(chat_server(delay, digest=True)) for _ in range(servers)]
        suite = write_suite(folder, serving, local, limit)
        whole = subprocess.run(words(suite, folder / "whole"), capture_output=True, text=True, check=False)
        assert whole.returncode == 0, whole.stderr
        expected, total = answers(folder / "whole"), count_lines(folder / "whole")
        assert len(expected) == local + servers
        found = []
        for seed in seeds:
            for server in serving:
                server.asked.clear()
            killing = kill_often(suite, folder / f"killed-{seed}", serving, total, seed)
            assert not killing.wrong, killing.wrong
            assert answers(folder / f"killed-{seed}") == expected
            assert figures(folder / f"killed-{seed}") == figures(folder / "whole")
            found.append(killing)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("limit", 10), ("local", 3), ("servers", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--delay", type=float, default=0.02)
    args = parser.parse_args()
    seeds = [int(seed) for seed in args.seeds.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        for killing in campaign(
            Path(folder), local=args.local, servers=args.servers, limit=args.limit, seeds=seeds, delay=args.delay
        ):
            print(killing, flush=True)


if __name__ == "__main__":
    main()
