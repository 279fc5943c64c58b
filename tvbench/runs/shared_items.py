"""What the plans of several models have in common: a task's items, opened once for each way of asking it, and the
digests of their media. Knows the gate; knows no model and no key."""

from __future__ import annotations

from collections.abc import Callable

from tvbench.runs.gate import Gated, gated
from tvbench.runs.media_digests import MediaDigests
from tvbench.runs.streamed import Streamed
from tvbench.types import BuildOptions, Media, Task


class SharedItems:
    """Holds them as long as it lives: the plans of a suite, no longer."""

    def __init__(self) -> None:
        self._gated: dict[tuple[int, str], tuple[Task, Gated]] = {}
        self._digests = MediaDigests()

    def gated(self, task: Task, options: BuildOptions) -> Gated:
        """As gate.gated has it. Raises UsageError."""
        key = id(task), repr(options)
        if key not in self._gated:
            self._gated[key] = task, gated(task, options)  # the task too, so that no other one gets its id
        return self._gated[key][1]

    def digest(self, found: Gated) -> Callable[[Media], str]:
        """As keys.media_digest has it, of media of items that were given here. Raises what `media.load` raises."""
        return self._digests.digest if isinstance(found.items, Streamed) else self._digests.of_held
