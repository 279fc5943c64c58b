"""What of a run a check needs, by item: scores or statistics, what became of it, what is seen of its answer.

A standing comes from a run folder (taking.py) or from a baseline file (file.py), and is the same from both: items are
told apart by a short hash of their id, pictures by a number. Arrays of numpy; knows no file and no run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tvbench.scoring.metric import Metric
from tvbench.scoring.metrics import metric

SCORED, UNSCORED, FAILED, MISSING = range(4)
"""What became of an item: it has a value; it was answered and has none (a judge was not asked); its answer failed; it
was asked, and nothing came yet."""
DIAGNOSES = {
    "failed": "failed",
    "empty": "empty",
    "thinking": "ran out while thinking",
    "repetition": "runaway repetition",
    "truncated": "cut off",
    "refusal": "refusal",
    "copied": "source copied",
    "wrong_language": "wrong language",
    "wrong_script": "wrong script",
    "foreign": "partly another language",
    "unparsed": "no option",
}
"""What is counted of answers, and how it is called; `repetition` is that at the end of a shorter answer too."""
MERGED = {"stuck": "repetition"}


@dataclass(frozen=True, slots=True)
class Part:
    """One language of a task, items in the order of their `keys`. `states` say what became of each; `rows` (items, S)
    are a value, or statistics of a corpus, and nan where there are none; `marks` have a bit for each diagnosis that is
    seen. `figure` is None where nothing is scored; `names` are the items' ids, empty where only their hashes are known.
    """

    keys: np.ndarray
    clusters: np.ndarray
    states: np.ndarray
    rows: np.ndarray
    marks: np.ndarray
    figure: float | None = None
    names: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measure:
    """The metric that a task is held by: its id, what it is said to be, how it is shown, and whether its rows are
    statistics (`corpus`) or values. `resampled`: it has either. `metric` is the object where it is at hand."""

    id: str
    definition: str
    facts: Mapping[str, Any]
    corpus: bool = False
    resampled: bool = True
    metric: Metric | None = field(default=None, compare=False)

    @property
    def shown(self) -> Metric:
        """The metric's object, or what can be told of it."""
        return self.metric or metric(self.id, {self.id: self.facts})


@dataclass(frozen=True, slots=True)
class TaskStanding:
    """One task. `signature` has its fields; `parts` are by language."""

    task: str
    signature: Mapping[str, str]
    measure: Measure
    parts: Mapping[str, Part]


@dataclass(frozen=True, slots=True)
class RunStanding:
    """A run, or a baseline. `diagnoses` name the bits of marks in their order; `salt` is that of the items' hashes;
    `source` is what a person typed for it."""

    run: str
    model: str
    version: str
    tasks: Mapping[str, TaskStanding]
    diagnoses: tuple[str, ...] = tuple(DIAGNOSES)
    salt: int = 0
    source: str = ""


def key_of(task: str, item: str, salt: int = 0) -> int:
    """32 bits of a hash: enough within one language of one task, where two that are equal get another salt."""
    data = f"{salt}\0{task}\0{item}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(data).digest()[:4], "big")
