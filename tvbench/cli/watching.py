"""`tvbench status --watch`: the same again and again, until everything is complete.

On a terminal one screen is drawn over the last one; in a log there is a line for each run whenever it has changed; as
JSON one line a look.
"""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, TextIO, TypeAlias

from tvbench.cli.output import print_json_line, room, say
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE

if TYPE_CHECKING:
    from tvbench.suites.states import SuiteState

Look: TypeAlias = Callable[[], "list[SuiteState]"]
Show: TypeAlias = Callable[["Sequence[SuiteState]"], None]
STYLE = re.compile(r"\x1b\[[0-9;]*m")


def watch(
    look: Look, show: Show, seconds: float, form: str = "table", pause: Callable[[float], None] = time.sleep
) -> int:
    """Look every so many seconds. `show` prints a whole page. Raises UsageError. Returns the exit code; Ctrl-C ends the
    watching alone."""
    from tvbench.suites.states import all_complete

    draw = _json_line if form == "json" else Drawing(sys.stdout, show) if sys.stdout.isatty() else Lines(show)
    try:
        while True:
            states = look()
            draw(states)
            if any(state.runs for state in states) and all_complete(states):
                return EXIT_GOOD
            pause(seconds)
    except KeyboardInterrupt:
        return EXIT_INCOMPLETE


def _json_line(states: Sequence[SuiteState]) -> None:
    print_json_line([state.as_json() for state in states])


class Lines:
    """A line for each run that has changed since it had one; where there is none yet, that is said once."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._said: dict[str, str] = {}

    def __call__(self, states: Sequence[SuiteState]) -> None:
        from tvbench.report.live import progress_line
        from tvbench.report.suites import words

        if not any(state.runs for state in states) and not self._said:
            self._show(states)
            self._said[""] = "none"
        for run in (run for state in states for run in state.runs):
            name = words(run.model, run.variation)
            line = progress_line(name, run)
            if self._said.get(run.run or name) != line:
                self._said[run.run or name] = line
                say(line)
        sys.stdout.flush()


class Drawing:
    """What `status` shows, each time over what was shown before."""

    def __init__(self, out: TextIO, show: Show) -> None:
        self._out = out
        self._show = show
        self._rows = 0

    def __call__(self, states: Sequence[SuiteState]) -> None:
        page = _Page(self._out)
        with redirect_stdout(page):
            self._show(states)
        text = page.getvalue()
        back = f"\x1b[{self._rows}F\x1b[J" if self._rows else ""
        self._out.write(back + text)
        self._out.flush()
        self._rows = rows_of(text, room(self._out) or 80)


def rows_of(text: str, width: int) -> int:
    """How many rows of a terminal a text takes."""
    from tvbench.report.table import text_width

    lines = (text_width(STYLE.sub("", line)) for line in text.split("\n")[:-1])
    return sum(max(1, -(-line // max(width, 1))) for line in lines)


class _Page(io.StringIO):
    """Text for a terminal, kept until it is whole."""

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self._out = out

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._out.encoding

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._out.fileno()
