"""Errors that a person reads: what is wrong, and what to type next.

Knows nobody. The CLI prints `str(error)` and exits with `error.exit_code`; nothing here prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

EXIT_GOOD = 0
EXIT_INCOMPLETE = 1
EXIT_USAGE = 2
EXIT_REGRESSION = 3


class TvbenchError(Exception):
    """Something stopped the work. `hint` says what to type or change next."""

    exit_code = EXIT_INCOMPLETE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message if not hint else f"{message}\n  {hint}")
        self.message = message
        self.hint = hint


class UsageError(TvbenchError):
    """What was asked cannot be done as asked: a wrong name, a missing folder, a locked run."""

    exit_code = EXIT_USAGE


class UnknownOption(UsageError, TypeError):
    """A keyword that a function does not have; for Python, a TypeError."""


class MediaError(TvbenchError):
    """A picture or a clip cannot be used. One bad file is one failed item, never a failed run."""


class EngineError(TvbenchError):
    """The engine as a whole cannot go on (server gone, model does not load). Answers so far are kept."""


def unknown_name(
    kind: str, name: str, known: Iterable[str], hint: str = "", near: Sequence[str] | None = None
) -> UsageError:
    """A UsageError for a misspelt `name`, with the nearest known names as the suggestion (`near` where those are not
    the ones that are spelt alike)."""
    import difflib  # by itself a good part of a quick command's start

    names = sorted(set(known))
    if near is None:
        folded = {candidate.casefold(): candidate for candidate in names}
        near = [folded[match] for match in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)]
    if near:
        suggestion = f"Did you mean {' or '.join(near)}?"
    elif len(names) <= 40:
        suggestion = f"Known: {', '.join(names) or 'none'}."
    else:
        suggestion = f"{len(names)} are known."
    return UsageError(f"unknown {kind} '{name}'. {suggestion}", hint)
