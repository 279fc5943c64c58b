"""How a run looks to the person watching: a live line on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from tvbench.cli.output import remark
from tvbench.runs.listening import Listener, Phase
from tvbench.safety.visible import visible_lines
from tvbench.types import Response

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SECONDS_BETWEEN_LINES = 15.0


def rate_text(answers: int, tokens: int, seconds: float) -> str:
    """`12.3 items/s, 456 tokens/s`."""
    seconds = max(seconds, 1e-9)
    return f"{answers / seconds:.1f} items/s, {tokens / seconds:.0f} tokens/s"


def _bar_with(field: str) -> Progress:
    """A live line with a bar, counts, the text of `field`, and the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{{task.fields[{field}]}}", markup=False),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


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
        self._progress = _bar_with("rate")
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


class Scoring:
    """A Watch (graders/comet/session.py) on stderr: a live line on a terminal, a plain line now and then in a log."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._total = self._done = self._kept = 0
        self._doing = "starting"
        self._started = self._last_line = time.monotonic()
        self._progress: Progress | None = None
        self._bar: TaskID | None = None

    def begin(self, total: int, kept: int) -> None:
        """See Watch."""
        self._total, self._kept = total, kept
        self._started = self._last_line = time.monotonic()
        if self.quiet:
            return
        remark(f"{total} segments" + (f", {kept} scored before" if kept else ""))
        if sys.stderr.isatty() and kept < total:
            self._start_bar()

    def scored(self) -> None:
        """See Watch."""
        self._done += 1
        if self._progress is not None and self._bar is not None:
            self._progress.update(self._bar, completed=self._kept + self._done)

    def doing(self, text: str) -> None:
        """See Watch."""
        self._doing = text
        if self._progress is not None and self._bar is not None:
            self._progress.update(self._bar, doing=text)
        elif not self.quiet and time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            remark(f"{self._kept + self._done}/{self._total}, {self._last_line - self._started:.0f} s, {text}")

    def note(self, text: str) -> None:
        """See Watch. Said even when quiet: something went wrong."""
        if self._progress is not None:
            self._progress.console.print(visible_lines(text), highlight=False, markup=False)
        else:
            remark(text)

    def __enter__(self) -> Scoring:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _start_bar(self) -> None:
        self._progress = _bar_with("doing")
        self._bar = self._progress.add_task("", total=self._total, completed=self._kept, doing=self._doing)
        self._progress.start()


class Showing(Listener):
    """Shows a whole run on stderr, phase by phase. `asked` counts what the model was asked."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.asked = Progressing(quiet=quiet)
        self._watch: Progressing | Scoring | None = None

    def say(self, text: str, *, detail: bool = False) -> None:
        """See Listener."""
        if isinstance(self._watch, Scoring):
            self._watch.note(text)
        elif not (detail and self.quiet):
            remark(text)

    def begin(self, phase: Phase, total: int, kept: int, before: str) -> None:
        """See Listener."""
        watch = Scoring(quiet=self.quiet) if phase == "comet" else Progressing(quiet=self.quiet)
        if isinstance(watch, Progressing):
            watch.answered_before = lambda: before
            self.asked = watch if phase == "run" else self.asked
        self._watch = watch
        watch.begin(total, kept)

    def answered(self, response: Response) -> None:
        """See Listener."""
        if isinstance(self._watch, Progressing):
            self._watch.answered(response)

    def scored(self) -> None:
        """See Listener."""
        if isinstance(self._watch, Scoring):
            self._watch.scored()

    def doing(self, text: str) -> None:
        """See Listener."""
        if isinstance(self._watch, Scoring):
            self._watch.doing(text)

    def end(self, phase: Phase) -> None:
        """See Listener."""
        if self._watch is not None:
            self._watch.__exit__(None, None, None)
        self._watch = None
