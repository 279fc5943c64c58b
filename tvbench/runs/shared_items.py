"""What the plans of several models have in common: a task's items, opened once for each way of asking it, and the
digests of their media. Knows the gate; knows no model and no key."""

from __future__ import annotations

from tvbench.runs.gate import Gated, gated
from tvbench.runs.keys import media_digest
from tvbench.types import BuildOptions, Media, Task


class SharedItems:
    """Holds them as long as it lives: the plans of a suite, no longer."""

    def __init__(self) -> None:
        self._gated: dict[tuple[int, str], tuple[Task, Gated]] = {}
        self._digests: dict[int, str] = {}

    def gated(self, task: Task, options: BuildOptions) -> Gated:
        """As gate.gated has it. Raises UsageError."""
        key = id(task), repr(options)
        if key not in self._gated:
            self._gated[key] = task, gated(task, options)  # the task too, so that no other one gets its id
        return self._gated[key][1]

    def digest(self, media: Media) -> str:
        """As keys.media_digest has it, of media of items that were given here. Raises what `media.load` raises."""
        if id(media) not in self._digests:
            self._digests[id(media)] = media_digest(media)
        return self._digests[id(media)]
