"""What is said where a task file does not do what it declares: the error, with the place in the file where it arose."""

from __future__ import annotations

import traceback
from pathlib import Path

from tvbench.errors import UsageError
from tvbench.types import Task

PACKAGE = Path(__file__).resolve().parents[1]


class TaskFault(UsageError):
    """A task file does not do what it declares."""


def fault(task: Task, what: str, hint: str) -> TaskFault:
    """The error: what the task file gets wrong, and what to change there."""
    return TaskFault(f"task {task.name} cannot be asked as it is written: {what}", hint)


def in_words(error: BaseException) -> str:
    """`ZeroDivisionError: division by zero (mine.py, line 12)`."""
    return f"{type(error).__name__}: {error}{_place(error)}"


def _place(error: BaseException) -> str:
    """` (mine.py, line 12)`: the last place outside of tvbench where the error passed."""
    places = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not Path(frame.filename).resolve().is_relative_to(PACKAGE)
    ]
    return f" ({Path(places[-1].filename).name}, line {places[-1].lineno})" if places else ""
