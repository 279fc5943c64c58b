"""What was typed after `tvbench run`, as options of one run or of a suite, whose own these go before."""

from __future__ import annotations

import argparse
import signal
from dataclasses import fields
from types import FrameType
from typing import TYPE_CHECKING, Any

from tvbench.cli.arguments import names
from tvbench.cli.engine_arguments import parsed

if TYPE_CHECKING:
    from tvbench.runs.run_options import Options


def options_of(args: argparse.Namespace) -> Options:
    """What was typed, as the options of a run."""
    from tvbench.runs.run_options import Options

    return Options(**{"engine_args": {}, **typed_options(args)}, languages=names(args.languages))


def typed_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options that were typed, but for the languages."""
    from tvbench.runs.run_options import Options

    known = {field.name: field.default for field in fields(Options) if field.name != "languages"}
    given = {name: getattr(args, name, None) for name in known}
    given |= {"settings": args.set or None, "reuse": False if args.no_reuse else None}
    given["engine_args"] = parsed(args.engine_arg) or None
    return {name: value for name, value in given.items() if not (value is None or value is known[name] is False)}


def stop_cleanly(signum: int, frame: FrameType | None) -> None:
    """A job scheduler's SIGTERM ends a command as Ctrl-C does: engine closed, store whole. The interrupt says which it
    was."""
    raise KeyboardInterrupt(signal.Signals(signum).name)
