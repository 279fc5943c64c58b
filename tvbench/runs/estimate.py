"""What a run would cost, before it is begun: requests, tokens, time, disk. Every figure says where it is from.

Time is taken from an earlier run of the same model on the same kind of engine where there is one; otherwise it is
counted from parameters and tokens at a stated speed, and called rough.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tvbench.errors import UsageError
from tvbench.registry.thinking import thinking_of
from tvbench.runs.keys import media_of
from tvbench.runs.manifest import RunAsk
from tvbench.runs.plan import Plan, PlannedItem, PlannedTask
from tvbench.runs.reuse import reusable
from tvbench.runs.spent import amount
from tvbench.runs.store import RunFolder, find_runs
from tvbench.types import Media, ModelCard

CHARACTERS_PER_TOKEN = 3.0
TOKENS_PER_IMAGE = 2900
"""AnyRes with up to six 384-pixel tiles: a 640 x 480 picture is 2,929 tokens."""
TOKENS_PER_FRAME = 196
BYTES_PER_ANSWER = 400
CPU_EFFICIENCY = 0.25


@dataclass(frozen=True, slots=True)
class TaskEstimate:
    """One task: items, requests that are new, tokens in and out (guessed), pictures and clips."""

    task: str
    protocol: str
    items: int
    media: int
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A whole run. `seconds` is None where nothing is known; `basis` says where it comes from; `reused` are the answers
    that other runs have."""

    run: str
    requests: int
    kept: int
    tasks: tuple[TaskEstimate, ...]
    seconds: float | None
    basis: str
    bytes: int
    reused: int = 0


def estimate(plan: Plan, results: Path, *, fresh: bool = False, reuse: bool = True) -> Estimate:
    """Count `plan`, less what its run folder already holds (unless it is begun `fresh`), and what other runs do."""
    folder = results / plan.run_name
    answered = set() if fresh else RunFolder(folder).answered_keys()
    wanted = {request.key for request in plan.requests(without=answered)}
    others = reusable(folder, plan.ask, wanted).answers if reuse and not fresh else {}
    requests = plan.requests(without=answered | others.keys())
    tasks = tuple(_task(planned, plan.card) for planned in plan.tasks)
    total = sum(task.items for task in tasks)
    share = len(requests) / total if total else 0.0
    tokens = share * sum(task.tokens_in + task.tokens_out for task in tasks)
    seconds, basis = _seconds(plan, results, len(requests), tokens)
    return Estimate(plan.run_name, len(requests), len(answered), tasks, seconds, basis, _disk(plan), len(others))


def _task(planned: PlannedTask, card: ModelCard) -> TaskEstimate:
    items = planned.items
    return TaskEstimate(
        planned.task.name,
        planned.options.protocol,
        len(items),
        sum(len(media_of(planned.item.messages)) for planned in items),
        round(sum(_tokens_in(planned, card) for planned in items)),
        len(items) * (planned.task.tokens_per_answer + thinking_of(card).tokens // 2),
    )


def _tokens_in(planned: PlannedItem, card: ModelCard) -> float:
    texts = [part for message in planned.item.messages for part in message.parts if isinstance(part, str)]
    return sum(map(len, texts)) / CHARACTERS_PER_TOKEN + sum(
        _media_tokens(media, card) for media in media_of(planned.item.messages)
    )


def _media_tokens(media: Media, card: ModelCard) -> int:
    if media.kind == "video":
        return (media.frames or 32) * int(card.chat.get("tokens_per_frame", TOKENS_PER_FRAME))
    return int(card.chat.get("tokens_per_image", TOKENS_PER_IMAGE))


def _disk(plan: Plan) -> int:
    texts = sum(
        len(part)
        for planned in plan.planned_items()
        for message in planned.item.messages
        for part in message.parts
        if isinstance(part, str)
    )
    return 2 * texts + BYTES_PER_ANSWER * 2 * sum(len(task.items) for task in plan.tasks)


def _seconds(plan: Plan, results: Path, requests: int, tokens: float) -> tuple[float | None, str]:
    if requests == 0:
        return 0.0, "everything is answered"
    earlier = _earlier_rate(plan, results)
    if earlier is not None:
        return requests / earlier[0], f"from {earlier[1]}: {earlier[0]:.2f} requests/s"
    if plan.card.parameters is None or plan.card.kind == "server":
        return None, "no earlier run of this model here to go by"
    speed = _cpu_flops() * CPU_EFFICIENCY
    return (
        2.0 * plan.card.parameters * tokens / speed,
        f"rough: 2 FLOP a parameter and token at {speed / 1e9:.0f} GFLOP/s, measured on this CPU; a GPU is far faster",
    )


def _earlier_rate(plan: Plan, results: Path) -> tuple[float, str] | None:
    """Requests a second of the newest earlier run of this model and engine that noted its speed."""
    wanted = RunAsk(plan.ask)
    found: tuple[str, float, str] | None = None
    for run in find_runs(results):
        try:
            manifest = run.manifest()
        except UsageError:
            continue
        ask, speed = manifest.ask, amount(manifest.speed.get("requests_per_second"))
        if (ask.model, ask.engine_name) != (wanted.model, wanted.engine_name) or not speed:
            continue
        stamp = manifest.updated
        if found is None or stamp > found[0]:
            found = (stamp, speed, run.name)
    return None if found is None else (found[1], found[2])


def _cpu_flops() -> float:
    """Floating-point operations a second of a small matrix product: about 0.1 s of work."""
    import numpy as np

    size = 768
    a = np.ones((size, size), dtype=np.float32)
    a @ a
    started = time.perf_counter()
    rounds = 0
    while time.perf_counter() - started < 0.1:
        a @ a
        rounds += 1
    return 2.0 * size**3 * rounds / (time.perf_counter() - started)
