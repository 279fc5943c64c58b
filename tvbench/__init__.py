"""tvbench: how good is a multilingual vision-language model, in your language, and how sure can one be."""

from __future__ import annotations

import time as _time

__version__ = "0.1.0"
_LOADED = _time.time_ns()
"""When this process began to read tvbench: what is younger on the disk is not what runs here
(registry/remembered.py)."""

TYPE_CHECKING = False  # as typing's, which quick commands do without
if TYPE_CHECKING:
    from tvbench import errors
    from tvbench.api import (
        Listener,
        Run,
        RunComparison,
        check,
        compare,
        estimate,
        explain,
        leaderboard,
        load,
        merge,
        run,
        score,
        suite,
        write_baseline,
    )

__all__ = [
    "RunComparison",
    "Listener",
    "Run",
    "check",
    "compare",
    "errors",
    "estimate",
    "explain",
    "leaderboard",
    "load",
    "merge",
    "run",
    "score",
    "suite",
    "write_baseline",
]


if not TYPE_CHECKING:  # a type checker would take it for any name there may be

    def __getattr__(name: str) -> object:
        """The names of `__all__` live in tvbench.api, which is imported when the first of them is used."""
        if name not in __all__:
            raise AttributeError(f"module 'tvbench' has no attribute {name!r}")
        from importlib import import_module

        return import_module("tvbench.errors") if name == "errors" else getattr(import_module("tvbench.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
