"""The COMET worker: runs in COMET's own environment, loads one checkpoint, scores what it is sent.

    python -I worker.py CHECKPOINT --precision fp16 --batch-size 16

One JSON object a line, both ways; `tvbench` names the kind of message.
    in    {"tvbench": "score", "segments": [{"id", "src", "mt", "ref" (where the model reads one)}, ...], "done": [ids]}
    out   {"tvbench": "beat", "doing"}       every few seconds, from a thread: importing, loading, scoring ...
          {"tvbench": "ready", "versions", "class", "device", "needs_reference"}    once, before anything is read
          {"tvbench": "result", "id", "score", "error_spans" (xCOMET)}   or   {"tvbench": "error", "id", "error"}
          {"tvbench": "note", "text"}, {"tvbench": "done"} after each "score", {"tvbench": "bye"} after the end of input
          {"tvbench": "fatal", "error"}      the checkpoint cannot be loaded
Standard library and comet only: nothing of tvbench can be imported here.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from importlib.metadata import version
from typing import IO, Any

BEAT_SECONDS = 3.0
CHUNK_SECONDS = 5.0
"""About how long one call of the library takes: what is lost when the worker is killed."""
LARGEST_CHUNK = 64
"""Batches."""
PACKAGES = ("unbabel-comet", "torch", "transformers")


class Channel:
    """The protocol's way out: whole lines, from several threads."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._lock = threading.Lock()
        self.doing = "starting"

    def send(self, kind: str, **fields: Any) -> None:
        line = json.dumps({"tvbench": kind, **fields}) + "\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()

    def beat(self) -> None:
        """Says that we live, until nobody listens: then there is nothing left to live for."""
        pause = threading.Event()
        while True:
            try:
                self.send("beat", doing=self.doing)
            except (OSError, ValueError):
                os._exit(1)
            pause.wait(BEAT_SECONDS)


def protocol_channel() -> Channel:
    """A copy of standard output, which from now on leads to standard error: Lightning prints there."""
    file = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return Channel(file)


class CometScorer:
    """One loaded checkpoint. `precision` fp32 is what the library's `predict` does, fp16 what `comet-score` does."""

    def __init__(self, checkpoint: str, precision: str, batch_size: int, channel: Channel) -> None:
        self.channel = channel
        self.batch_size = batch_size
        channel.doing = "importing comet"
        import torch
        from comet import load_from_checkpoint

        # Advice and the list of devices, once a call: they would push real errors out of the tail that is kept.
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.ERROR)
        self.gpus = 1 if torch.cuda.is_available() else 0
        channel.doing = "loading the checkpoint"
        offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
        self.model = load_from_checkpoint(checkpoint, local_files_only=offline)
        self.model.eval()
        if precision == "fp16":
            self.model.half()
        self.out_of_memory = torch.cuda.OutOfMemoryError
        self.free = torch.cuda.empty_cache if self.gpus else lambda: None

    def about(self) -> dict[str, Any]:
        """What the ready message says of the model."""
        import torch

        return {
            "versions": {name: version(name) for name in PACKAGES},
            "class": type(self.model).__name__,
            "device": torch.cuda.get_device_name() if self.gpus else "cpu",
            "needs_reference": bool(self.model.requires_references()),
        }

    def score(self, segments: Sequence[dict[str, Any]], done: Collection[str] = ()) -> Iterator[dict[str, Any]]:
        """A result or an error for every segment that is not `done`, as they are ready.

        All segments, the done ones too, are sorted by length and cut into batches as COMET does it (its `predict` sorts
        by the same call); batches that are done as a whole are left out. So padding, and with it the last digit, is
        that of `comet-score`, after an interruption too.
        """
        import numpy

        order = numpy.argsort([len(segment["src"]) for segment in segments])
        sliced = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        left = [
            batch
            for batch in ([segments[index] for index in indices] for indices in sliced)
            if any(segment["id"] not in done for segment in batch)
        ]
        total, start, batches = sum(map(len, left)), 0, 1
        while left:
            chunk, left = [segment for batch in left[:batches] for segment in batch], left[batches:]
            began = time.monotonic()
            yield from (result for result in self._whole_or_halves(chunk) if result["id"] not in done)
            start += len(chunk)
            self.channel.doing = f"scoring ({start} of {total} segments)"
            fitting = int(batches * CHUNK_SECONDS / max(time.monotonic() - began, 1e-3))
            batches = max(1, min(fitting, 4 * batches, LARGEST_CHUNK))

    def _whole_or_halves(self, segments: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """One bad segment does not spoil its neighbours."""
        try:
            yield from self._results(segments)
            return
        except Exception as error:  # noqa: BLE001  whatever the library raises is the segments' result
            problem = error
        if isinstance(problem, self.out_of_memory) and self.batch_size > 1:
            self.free()
            self.batch_size = (self.batch_size + 1) // 2
            self.channel.send("note", text=f"out of GPU memory: going on with batches of {self.batch_size}")
            yield from self._whole_or_halves(segments)
        elif len(segments) > 1:
            half = len(segments) // 2
            yield from self._whole_or_halves(segments[:half])
            yield from self._whole_or_halves(segments[half:])
        else:
            yield failure(segments[0]["id"], f"{type(problem).__name__}: {problem}")

    def _results(self, segments: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        samples = [{name: text for name, text in segment.items() if name != "id"} for segment in segments]
        # No worker processes for the data: forking beside our thread is unsafe, and tokenising is a small part.
        output = self.model.predict(
            samples,
            batch_size=self.batch_size,
            gpus=self.gpus,
            progress_bar=False,
            num_workers=0,
            length_batching=False,
        )
        spans = output.metadata.get("error_spans") if "metadata" in output else None
        results = []
        for index, (segment, score) in enumerate(zip(segments, output.scores, strict=True)):
            if not math.isfinite(score):
                results.append(failure(segment["id"], f"the score is {score}"))
                continue
            result = {"tvbench": "result", "id": segment["id"], "score": float(score)}
            results.append(result if spans is None else {**result, "error_spans": spans[index]})
        return results


def failure(identifier: str, error: str) -> dict[str, Any]:
    """The message that a segment could not be scored."""
    return {"tvbench": "error", "id": identifier, "error": error}


def serve(scorer: CometScorer, channel: Channel) -> None:
    """Answer until the input ends."""
    channel.doing = "waiting"
    for line in sys.stdin:
        asked = json.loads(line)
        segments, done = asked["segments"], frozenset(asked["done"])
        channel.doing = f"scoring (0 of {len(segments) - len(done)} segments)"
        for result in scorer.score(segments, done):
            channel.send(result.pop("tvbench"), **result)
        channel.doing = "waiting"
        channel.send("done")
    channel.send("bye")


def main() -> int:
    """Load, say `ready`, and serve; exit code 1 where the checkpoint cannot be loaded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("--precision", choices=["fp16", "fp32"], default="fp16")
    parser.add_argument("--batch-size", type=int, default=16)
    args = parser.parse_args()
    # Inside a Slurm job Lightning would take us for one of the job's tasks, and refuse a single device.
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        del os.environ[name]
    channel = protocol_channel()
    threading.Thread(target=channel.beat, daemon=True).start()
    try:
        scorer = CometScorer(args.checkpoint, args.precision, args.batch_size, channel)
    except Exception as error:  # noqa: BLE001  the other side of the pipe tells the person
        channel.send("fatal", error=f"{type(error).__name__}: {error}")
        return 1
    channel.send("ready", **scorer.about())
    serve(scorer, channel)
    return 0


if __name__ == "__main__":
    sys.exit(main())
