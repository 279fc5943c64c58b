"""The loop: micro-batches in, optimizer steps, checkpoints out.

Knows a trainee (a module that turns a micro-batch into its weighted loss), an optimizer and a feed of steps; no task,
no file format, no model class. What a person sees is handed out as events.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tvbench.errors import TvbenchError
from tvbench.train import checkpoint
from tvbench.train.checkpoint import Progress
from tvbench.train.optimizer import fill_gradients, set_rates
from tvbench.train.parallel import World, whole
from tvbench.train.record import SKIPPED, Record
from tvbench.train.schedule import rate_factor
from tvbench.train.stages import Stage

HOPELESS_STEPS = 20
"""After so many steps without one sample that can be used, a stage is given up."""

Feed = Callable[[int], Iterator[list[Any]]]
"""From a step (0-based) on, the micro-batches of each step for this process."""


@dataclass(frozen=True, slots=True)
class StepDone:
    """What a finished step tells a person. `data_seconds` it waited for its data, `step_seconds` it learned; the tokens
    a second and the `mfu` are over both. `mfu` is None where the machine's peak is not known."""

    step: int
    steps: int
    loss: float
    tokens_per_second: float
    seconds_left: float
    mfu: float | None
    skipped: int
    data_seconds: float
    step_seconds: float


class Clock:
    """One clock for all that a step takes: each lap begins where the last one ended."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap."""
        before, self._last = self._last, time.perf_counter()
        return self._last - before


@dataclass(slots=True)
class Loop:
    """One stage's training. `operations` of a micro-batch, and `peak` (FLOP/s of all processes), are for the MFU."""

    stage: Stage
    steps: int
    trainee: nn.Module
    optimizer: torch.optim.Optimizer
    feed: Feed
    folder: Path
    digest: str
    world: World
    record: Record | None = None
    on_step: Callable[[StepDone], None] = lambda done: None
    stopping: Callable[[], bool] = lambda: False
    operations: Callable[[Any], float] = lambda batch: 0.0
    peak: float | None = None
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.progress = Progress(0, self.digest)

    def run(self) -> bool:
        """Train from `progress` to the last step. False when `stopping` asked to stop; the state is saved then.

        Raises TvbenchError when the loss is no longer a number, when a checkpoint cannot be written, and when no sample
        of the stage, or of its first steps, can be used.
        """
        began, first = time.perf_counter(), self.progress.step
        every = max(1, round(self.stage.save_every * self.steps))
        self.trainee.train()
        clock = Clock()
        for batches in self.feed(first):
            self._step(batches, clock, began, first)
            done = self.progress.step
            stop = self._asked_to_stop()
            self._check_samples()
            if done == self.steps or stop or done % every == 0:
                self.save()
                clock.lap()  # no step's
            if done == self.steps:
                break
            if stop:
                return False
        return True

    def save(self) -> Path:
        """Write a checkpoint of the present state."""
        return checkpoint.save(self.folder / "checkpoints", self.trainee, self.optimizer, self.progress, self.world)

    def resume(self) -> None:
        """Go on from the newest whole checkpoint, if there is one. Raises UsageError where it does not fit."""
        path = checkpoint.newest(self.folder / "checkpoints")
        if path is not None:
            self.progress = checkpoint.load(path, self.trainee, self.optimizer, self.world)

    # ── One step ──────────────────────────────────────────────────────────────────────────────────

    def _step(self, batches: list[Any], clock: Clock, began: float, first: int) -> None:
        waited = clock.lap()
        factor = rate_factor(self.progress.step, self.steps, self.stage.warmup, self.stage.final_rate)
        rates = set_rates(self.optimizer, factor)
        loss = self._gradients(batches)
        if not math.isfinite(loss):
            raise self._not_a_number(loss)
        norm = self._update()
        skipped = [broken for batch in batches for broken in batch.skipped]
        lost = int(self.world.sum(len(skipped)))
        step = self.progress.step + 1
        tokens = self.world.sum(sum(batch.tokens for batch in batches))
        samples = int(self.world.sum(sum(batch.samples for batch in batches)))
        self.progress = Progress(step, self.digest, self.progress.samples + samples, self.progress.skipped + lost)
        operations = self.world.sum(sum(self.operations(batch) for batch in batches))
        learned = clock.lap()
        seconds = waited + learned
        mfu = operations / seconds / self.peak if self.peak else None
        if self.record is not None:
            self.record.skipped(step, [(broken.sample, broken.reason) for broken in skipped])
            counts = {"samples": samples, "tokens": int(tokens), "data_seconds": waited, "step_seconds": learned}
            speed = {"tokens_per_second": tokens / seconds, "operations": operations, "mfu": mfu, "skipped": lost}
            self.record.step(step, {"loss": loss, "gradient_norm": norm, "rates": rates, **counts, **speed})
        left = (time.perf_counter() - began) / (step - first) * (self.steps - step)
        self.on_step(
            StepDone(step, self.steps, loss, tokens / seconds, left, mfu, self.progress.skipped, waited, learned)
        )

    def _gradients(self, batches: list[Any]) -> float:
        """Forward and backward over this process's share; the loss over everybody's.

        Sharded gradients are reduced with each micro-batch. Waiting for the step's last would save messages, and each
        process would hold the whole model's gradient in float32 meanwhile: 38.6 GB for 9B.
        """
        total = torch.zeros((), device=self.world.device)
        for batch in batches:
            with self._precision():
                loss = self.trainee(batch.to(self.world.device))
            loss.backward()
            total += loss.detach()
        # Weights are made for gradients that are averaged over processes; so is the loss.
        return self.world.sum(float(total)) / self.world.size

    def _update(self) -> float:
        """Clip and step; the norm of the gradient before clipping."""
        fill_gradients(self.optimizer)
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        norm = whole(nn.utils.clip_grad_norm_(parameters, self.stage.clip))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(norm)

    def _precision(self) -> AbstractContextManager[Any]:
        """bfloat16 by autocast in a single process; FSDP casts by itself."""
        if self.stage.precision == "bfloat16" and self.world.size == 1:
            precision: AbstractContextManager[Any] = torch.autocast(self.world.device.type, torch.bfloat16)
            return precision
        return nullcontext()

    def _asked_to_stop(self) -> bool:
        """Whether anybody was asked to: all processes must agree, or the others would wait for ever."""
        return self.world.sum(float(self.stopping())) > 0

    def _check_samples(self) -> None:
        """A model that has learned nothing must not pass for a trained one, nor take its time to become one."""
        step, skipped = self.progress.step, self.progress.skipped
        if not self.progress.samples and step in (self.steps, HOPELESS_STEPS):
            stage = f"stage {self.stage.number} ({self.stage.name})"
            raise TvbenchError(
                f"{stage}: none of {skipped:,} samples can be used", f"{self.folder / SKIPPED} says why for each"
            )

    def _not_a_number(self, loss: float) -> TvbenchError:
        kept = checkpoint.newest(self.folder / "checkpoints")
        return TvbenchError(
            f"the loss of step {self.progress.step + 1} is {loss}; the last good state is {kept or 'the start'}",
            "try a lower learning rate (--set stageN.rates.text=5e-6) or --set stageN.clip=0.5",
        )
