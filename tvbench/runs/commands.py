"""Commands as they were typed, kept with a run: what goes on with it, wherever it lies by now. Knows words alone.

A command from Python is one word, a call: `tvbench.run('m', 'mini', limit=2)`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tvbench.runs.shards import is_option, without, without_shard

FRESH_CALL = re.compile(r", fresh=(True|False)")
FRESH, RESULTS = ("--fresh", 4), ("--results", 5)
"""Each with the letters that tell it from others of `tvbench run`: argparse takes those for the whole."""


def going_on(command: Sequence[str]) -> tuple[str, ...]:
    """The command that goes on: the same one, less what would begin anew, and of all shards."""
    words = without_shard(command)
    if is_call(words):
        return (FRESH_CALL.sub("", words[0]), *words[1:])
    return tuple(word for word in words if not is_option(word, *FRESH))


def is_call(command: Sequence[str]) -> bool:
    """Whether it came from Python."""
    return bool(command) and "(" in command[0]


def at_results(command: Sequence[str], folder: Path, usual: Path) -> tuple[str, ...]:
    """The same command for a run that lies in another folder of results; `usual` is where they lie unless said. A call
    from Python does not say where, and stays as it is."""
    if not command or is_call(command):
        return tuple(command)
    return (*without(command, *RESULTS), *(() if folder == usual else (RESULTS[0], str(folder))))
