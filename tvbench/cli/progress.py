"""How a phase looks to the person watching: live lines on a terminal, plain lines now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from tvbench.cli.output import remark
from tvbench.cli.tally import ProgressTally
from tvbench.runs.listening import Listener, Phase, TaskLanguage
from tvbench.safety.visible import visible, visible_lines
from tvbench.types import Response

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

SECONDS_BETWEEN_LINES = 15.0
NAMES: Mapping[Phase, str] = {"run": "answers", "judge": "judged", "comet": "segments"}


def rate_text(answers: int, tokens: int, seconds: float) -> str:
    """`12.3 items/s, 456 tokens/s`."""
    seconds = max(seconds, 1e-9)
    return f"{answers / seconds:.1f} items/s, {tokens / seconds:.0f} tokens/s"


class Progressing:
    """One phase on stderr: what a model or a judge is asked, or what COMET scores. `quiet` shows nothing."""

    def __init__(self, *, quiet: bool = False, phase: Phase = "run") -> None:
        self.quiet = quiet
        self.tally = ProgressTally(NAMES[phase])
        self.failures: dict[str, int] = {}
        self._last_line = self._ready = time.monotonic()
        self._live: Live | None = None

    def begin(self, total: int, kept: int, before: str = "", unit: str = "requests") -> None:
        """So much is to be done, of which some was done before."""
        self.tally.begin(total, kept, time.monotonic())
        if self.quiet:
            return
        done = "scored before" if unit == "segments" else "answered before"
        self.note(
            f"{total} {unit}" + (f", {kept} {done}" if kept else "") + (f" ({before})" if kept and before else "")
        )
        if sys.stderr.isatty() and kept < total:
            self._start()

    def opening(self, name: str) -> None:
        """The engine is being opened."""
        self.tally.loading, self.tally.began = visible(name), time.monotonic()
        if not self.quiet and self._live is None:
            remark(f"loading {name}")

    def opened(self) -> None:
        """It is open: from now on the answers count for the rate. The line stays until the first of them."""
        if not self.quiet and self._live is None:
            remark(f"loaded in {time.monotonic() - self.tally.began:.0f} s")
        self._ready = time.monotonic()

    def answered(self, response: Response) -> None:
        """One more answer, or one more failure."""
        if self.tally.loading:
            self.tally.began = self._ready
        self.tally.count(response.key, failed=response.error is not None)
        self.tally.tokens += response.tokens_out or 0
        if response.error is not None:
            reason = response.error.splitlines()[0]
            self.failures[reason] = self.failures.get(reason, 0) + 1
        self._log()

    def scored(self) -> None:
        """One more segment is scored."""
        self.tally.count()

    def doing(self, text: str) -> None:
        """What COMET's worker does."""
        self.tally.note = visible(text)
        self._log()

    def note(self, text: str) -> None:
        """A line for a person, above the live ones."""
        if self._live is not None:
            self._live.console.print(visible_lines(text), highlight=False, markup=False)
        else:
            remark(text)

    def summary(self) -> str:
        """One line on what was answered in this session, and how fast."""
        tally = self.tally
        rate = rate_text(tally.done, tally.tokens, time.monotonic() - tally.began)
        failed = sum(self.failures.values())
        return f"answered {tally.done - failed} ({rate}" + (f", {failed} failed)" if failed else ")")

    def stop(self) -> None:
        """The last state stays on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        self.tally.over()

    def _log(self) -> None:
        if not self.quiet and self._live is None and time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            remark("\n".join(self.tally.lines(self._last_line)))

    def _start(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(stderr=True), get_renderable=self._drawn, refresh_per_second=4)
        self._live.start()

    def _drawn(self) -> Text:
        from rich.text import Text

        width = self._live.console.width - 1 if self._live is not None else 79
        return Text("\n".join(self.tally.lines(time.monotonic(), width)), no_wrap=True, overflow="crop")


class Showing(Listener):
    """Shows a whole run on stderr, phase by phase. `asked` counts what the model was asked."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.asked = Progressing(quiet=quiet)
        self._watch: Progressing | None = None
        self._parts: tuple[Mapping[str, Sequence[TaskLanguage]], Collection[str]] = {}, ()

    def say(self, text: str, *, detail: bool = False) -> None:
        """See Listener."""
        if not (detail and self.quiet):
            (remark if self._watch is None else self._watch.note)(text)

    def questions(self, parts: Mapping[str, Sequence[TaskLanguage]], kept: Collection[str]) -> None:
        """See Listener."""
        self._parts = parts, kept

    def begin(self, phase: Phase, total: int, kept: int, before: str) -> None:
        """See Listener."""
        watch = Progressing(quiet=self.quiet, phase=phase)
        watch.tally.plan(*self._parts)
        self._parts = {}, ()
        self.asked = watch if phase == "run" else self.asked
        self._watch = watch
        watch.begin(total, kept, before, "segments" if phase == "comet" else "requests")

    def opening(self, name: str) -> None:
        """See Listener."""
        if self._watch is not None:
            self._watch.opening(name)

    def opened(self) -> None:
        """See Listener."""
        if self._watch is not None:
            self._watch.opened()

    def answered(self, response: Response) -> None:
        """See Listener."""
        if self._watch is not None:
            self._watch.answered(response)

    def scored(self) -> None:
        """See Listener."""
        if self._watch is not None:
            self._watch.scored()

    def doing(self, text: str) -> None:
        """See Listener."""
        if self._watch is not None:
            self._watch.doing(text)

    def end(self, phase: Phase) -> None:
        """See Listener."""
        if self._watch is not None:
            self._watch.stop()
        self._watch = None
