"""For every test: texts are as wide as they are in a pipe, whatever terminal the tests were started from (pytest-xdist
tells its workers the width of its own)."""

from __future__ import annotations

import os


def pytest_configure() -> None:
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
