"""Log messages on their way to a person: visible like all other text. Apart from `output`, because `logging` alone is a
good part of a quick command's start. Knows no command."""

from __future__ import annotations

import logging

from tvbench.safety.visible import visible_lines


class VisibleFormatter(logging.Formatter):
    """Log messages, for a person."""

    def format(self, record: logging.LogRecord) -> str:
        return visible_lines(super().format(record), "  ")


def prepare_logging() -> None:
    """Make what nobody else handles visible: the warnings of tvbench and of every library."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(VisibleFormatter())
