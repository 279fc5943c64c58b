"""What is shown while a model is trained: a bar for each stage on a terminal, a line now and then in a log.

Knows a session's events by their names; trains nothing.
"""

from __future__ import annotations

import time
from typing import Any

from tvbench.cli.output import remark, say
from tvbench.safety.visible import visible

SECONDS_BETWEEN_LINES = 15.0
WORTH_SAYING = 0.05
"""A share of a step's time from which on the wait for its data is told."""
SKIPPED = "skipped.jsonl"


class TrainingProgress:
    """Shows a session's events: a bar for each stage on a terminal, a line now and then in a log."""

    def __init__(self, *, quiet: bool) -> None:
        import sys

        self.quiet = quiet
        self.live = sys.stderr.isatty() and not quiet
        self._bars: Any = None
        self._bar: Any = None
        self._last_line = 0.0

    def __enter__(self) -> TrainingProgress:
        if self.live:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            from tvbench.cli.output import console

            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[said]}", markup=False),
                console=console(stderr=True),
            )
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def show(self, event: Any) -> None:
        """One event of `tvbench.train.session`."""
        kind = type(event).__name__
        if self.quiet:
            if kind == "Written":
                say(str(event.folder))
            return
        getattr(self, f"_{kind.lower()}")(event)

    def _begun(self, event: Any) -> None:
        stage = event.stage
        parts = ", ".join(f"{part} {rate:g}" for part, rate in stage.rates.items())
        remark(
            f"stage {stage.number} {stage.name}: {event.steps:,} steps of {stage.batch} samples; trains {parts} "
            f"({event.parameters:,} of {event.of:,} weights)" + (f"; goes on at {event.step:,}" * bool(event.step))
        )
        if self._bars is not None:
            self._bar = self._bars.add_task(visible(stage.name), total=event.steps, completed=event.step, said="")

    def _stepdone(self, event: Any) -> None:
        said = step_text(event)
        if self._bars is not None:
            self._bars.update(self._bar, completed=event.step, said=said)
        elif time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            remark(f"{event.step}/{event.steps}, {said}")

    def _ended(self, event: Any) -> None:
        lost = (
            (
                f"; {event.skipped:,} of {event.samples + event.skipped:,} samples skipped ({event.folder / SKIPPED} "
                "says why)"
            )
            if event.skipped
            else ""
        )
        picture = f"; loss: {event.picture}" if event.picture else ""
        remark(f"stage {event.stage.number} {event.stage.name} {'done' if event.whole else 'stopped'}{lost}{picture}")

    def _remarked(self, event: Any) -> None:
        remark(event.text)

    def _written(self, event: Any) -> None:
        remark(f"written: {event.folder}\n  try it: tvbench run --model {event.folder} --tasks mini")


def step_text(event: Any) -> str:
    """`loss 0.4321, 12,345 tokens/s, 63% of the time waiting for data, MFU 41%, 3 skipped, about 12 min left`."""
    waiting = event.data_seconds / (event.data_seconds + event.step_seconds)
    waited = f", {waiting:.0%} of the time waiting for data" if waiting >= WORTH_SAYING else ""
    mfu = f", MFU {event.mfu:.0%}" if event.mfu is not None else ""
    lost = f", {event.skipped} skipped" if event.skipped else ""
    left = time_text(event.seconds_left)
    return f"loss {event.loss:.4f}, {event.tokens_per_second:,.0f} tokens/s{waited}{mfu}{lost}, about {left} left"


def time_text(seconds: float) -> str:
    """`45 s`, `12 min`, `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
