"""How property tests look for examples: the same ones each time, so that what is red stays red until it is fixed; with
`TVBENCH_SEARCH=20` in the environment, new ones, and twenty times as many."""

from __future__ import annotations

import os

from hypothesis import settings

SEARCH = int(os.environ.get("TVBENCH_SEARCH", "0"))


def examples(count: int) -> settings:
    """A decorator: so many examples of a property."""
    return settings(max_examples=count * max(1, SEARCH), derandomize=not SEARCH, deadline=None)
