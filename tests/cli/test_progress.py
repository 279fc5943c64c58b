"""What a person sees while a run goes on: on real terminals of several widths, in a log, and nothing when quiet."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from repository import ROOT

from tvbench.cli.tally import ProgressTally, time_text
from tvbench.runs.listening import TaskLanguage

SCRIPT = """
import sys, time
from tvbench.cli.progress import Showing
from tvbench.runs.listening import TaskLanguage
from tvbench.types import Response
show = Showing(quiet="--quiet" in sys.argv)
pairs = [(task, code) for task in ("alm", "vimul") for code in CODES]
parts = {f"{task}-{code}-{n}": [TaskLanguage(task, code)] for task, code in pairs for n in range(20)}
show.questions(parts, ())
show.begin("run", len(parts), 0, "")
show.opening("tower-9b")
time.sleep(0.6)
show.opened()
for number, key in enumerate(parts):
    show.answered(Response(key, error="broken" if number == 3 else None, text=None if number == 3 else "x"))
    time.sleep(0.02)
show.end("run")
"""


def on_terminal(columns: int, codes: str, *words: str) -> str:
    """What a terminal of so many columns is sent."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    script = SCRIPT.replace("CODES", repr(codes.split()))
    done = subprocess.Popen(
        [sys.executable, "-c", script, *words], env=env | {"TERM": "xterm", "PYTHONPATH": str(ROOT)}, stderr=side
    )
    os.close(side)
    said = b""
    try:
        while some := os.read(main, 65536):
            said += some
    except OSError:  # the other end is closed
        pass
    os.close(main)
    assert done.wait() == 0
    return said.decode()


def drawn(said: str) -> list[str]:
    """The lines that were drawn, without what steers the terminal."""
    import re

    return [line for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)) if line.strip()]


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
@pytest.mark.parametrize("codes", ["de hi", "de en fr es it pt ru hi ja ko"])
def test_no_line_wraps_on_a_terminal(columns: int, codes: str) -> None:
    lines = drawn(on_terminal(columns, codes))
    assert max(map(len, lines)) < columns
    assert any(line.startswith("loading tower-9b (") for line in lines)
    assert any("1 failed" in line and "alm" in line for line in lines)
    assert lines[-1].startswith("all") and f"{40 * len(codes.split())}" in lines[-1]


def test_a_quiet_terminal_is_left_alone() -> None:
    assert on_terminal(80, "de", "--quiet") == ""


def made(counts: dict[str, int], kept: int = 0, task: str = "alm") -> ProgressTally:
    """A tally that began at second 100."""
    keys = [f"{code}-{number}" for code, count in counts.items() for number in range(count)]
    tally = ProgressTally("answers")
    tally.plan({key: [TaskLanguage(task, key.split("-")[0])] for key in keys}, set(keys[:kept]))
    tally.begin(len(keys), kept, 100.0)
    return tally


def test_a_line_names_task_languages_failures_rate_and_time_left() -> None:
    tally = made({"de": 10, "hi": 10, "ar": 10})
    for number in range(10):
        tally.count(f"de-{number}")
    for number in range(5):
        tally.count(f"hi-{number}", failed=number == 0)
    assert tally.lines(115.0) == ["alm  15/30  de 10/10  hi 5/10  ar 0/10  1 failed  1.0/s  about 15 s left"]


def test_the_time_left_counts_from_the_first_answer_and_not_what_was_kept() -> None:
    tally = made({"de": 100}, kept=80)
    assert "left" not in tally.lines(105.0)[0]
    tally.count("de-80")
    assert tally.lines(102.0)[0] == "alm  81/100  0.5/s  about 38 s left"


def test_many_languages_are_the_unfinished_ones_and_a_count() -> None:
    tally = made({f"l{number}": 2 for number in range(12)})
    for number in range(3):
        tally.count(f"l{number}-0")
        tally.count(f"l{number}-1")
    tally.count("l3-0")
    (line,) = tally.lines(110.0)
    assert "l3 1/2  l4 0/2  l5 0/2  l6 0/2  5 more  3 of 12 languages done" in line


@pytest.mark.parametrize("width", range(20, 160, 7))
def test_a_narrow_line_keeps_the_count_and_the_failures(width: int) -> None:
    tally = made(dict.fromkeys(("de", "hi", "ar"), 900), task="a-task-of-a-long-name")
    for number in range(400):
        tally.count(f"de-{number}", failed=number < 3)
    (line,) = tally.lines(140.0, width)
    assert len(line) <= width and "400/2,700" in line
    assert width < 36 or "3 failed" in line
    assert width < 40 or "left" in line


def test_loading_is_named_until_the_first_answer() -> None:
    tally = made({"de": 3})
    tally.loading = "tower-9b"
    assert tally.lines(106.0) == ["loading tower-9b (6 s)"]
    tally.count("de-0")
    assert tally.lines(107.0)[0].startswith("alm  1/3")


def test_a_log_gets_plain_lines(tmp_path: Path) -> None:
    script = SCRIPT.replace("CODES", "['de', 'hi']").replace(
        "show.questions", "import tvbench.cli.progress as p; p.SECONDS_BETWEEN_LINES = 0.2; show.questions", 1
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert "loading tower-9b" in lines and "\x1b" not in done.stderr
    assert any(line.strip().startswith("alm  ") and "de " in line and "1 failed" in line for line in lines)


@pytest.mark.parametrize(("seconds", "text"), [(40, "40 s"), (700, "12 min"), (12000, "3 h 20 min")])
def test_times_are_short(seconds: float, text: str) -> None:
    assert time_text(seconds) == text
