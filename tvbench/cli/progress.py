"""How a run looks to the person watching: a live line on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from tvbench.cli.output import remark
from tvbench.types import Response

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SECONDS_BETWEEN_LINES = 15.0


def rate_text(answers: int, tokens: int, seconds: float) -> str:
    """`12.3 items/s, 456 tokens/s`."""
    seconds = max(seconds, 1e-9)
    return f"{answers / seconds:.1f} items/s, {tokens / seconds:.0f} tokens/s"


class Progressing:
    """A Watch (runs/runner.py) on stderr. `quiet` shows nothing until the end."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.live = sys.stderr.isatty() and not quiet
        self.failures: dict[str, int] = {}
        self.answered_before: Callable[[], str] = str
        self._total = self._done = self._kept = self._tokens = 0
        self._started = self._last_line = time.monotonic()
        self._progress: Progress | None = None
        self._bar: TaskID | None = None

    def begin(self, total: int, kept: int) -> None:
        """See Watch."""
        self._total, self._kept, self._started = total, kept, time.monotonic()
        self._last_line = self._started
        if self.quiet:
            return
        asked = f"{total} requests"
        if kept:
            by = self.answered_before()
            asked += f", {kept} answered before" + (f" ({by})" if by else "")
        remark(asked)
        if self.live:
            self._start_bar()

    def answered(self, response: Response) -> None:
        """See Watch."""
        self._done += 1
        self._tokens += response.tokens_out or 0
        if response.error is not None:
            reason = response.error.splitlines()[0]
            self.failures[reason] = self.failures.get(reason, 0) + 1
        if self._progress is not None and self._bar is not None:
            self._progress.update(self._bar, completed=self._kept + self._done, rate=self._rate())
        elif not self.quiet and time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            remark(self._line())

    def summary(self) -> str:
        """One line on what was answered in this session, and how fast."""
        return f"answered {self._done - sum(self.failures.values())} ({self._rate()})"

    def __enter__(self) -> Progressing:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _start_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._bar = self._progress.add_task("", total=self._total, completed=self._kept, rate="loading the model")
        self._progress.start()

    def _rate(self) -> str:
        text = rate_text(self._done, self._tokens, time.monotonic() - self._started)
        failed = sum(self.failures.values())
        return text + (f", {failed} failed" if failed else "")

    def _line(self) -> str:
        done = self._kept + self._done
        left = (self._total - done) * (time.monotonic() - self._started) / max(self._done, 1)
        return f"{done}/{self._total}, {self._rate()}, about {left:.0f} s left"
