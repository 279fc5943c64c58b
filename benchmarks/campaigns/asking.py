"""A process of a campaign that asks: `campaign.py --work`, as one process or as a shard, perhaps with replicas."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.campaigns.given import MODEL, REFUSED

if TYPE_CHECKING:
    from tvbench.engines.protocol import Engine
    from tvbench.types import ModelCard


def work(args: argparse.Namespace) -> int:
    """Ask what is missing of the run below --work: as one process, or as a shard, perhaps with replicas. Runs in the
    campaign's folder. Exit codes as those of `tvbench run`."""
    from tvbench.api import Listener, plan
    from tvbench.errors import TvbenchError
    from tvbench.runs.asking import session_options
    from tvbench.runs.run_options import Options
    from tvbench.runs.session import RunSession

    settings = [f"rests.items={args.requests}"]
    options = Options(settings=settings, shard=args.shard, reuse=False, same_model=True)
    try:
        ready = plan(MODEL, "./rests.py", Path(args.work), options, Listener(), command=asked(args.requests))
        with RunSession(ready.folder, ready.plan, "openai", session_options(ready), say) as session:
            outcome = session.answer(Nobody(), lambda: contextlib.closing(opened(args, ready.plan.card)))
    except TvbenchError as error:
        say(f"{error.message}; {error.hint}")
        return REFUSED
    say(f"{outcome.answered} answered, {outcome.failed} failed")
    return 1 if outcome.failed else 0


def opened(args: argparse.Namespace, card: ModelCard) -> Engine:
    """The made-up engine, or replicas of it."""
    from tvbench.engines.open import EngineOptions, open_engine
    from tvbench.runs.replicas.opening import open_replicas
    from tvbench.runs.replicas.placement import Placement

    who = (args.shard or "alone").replace("/", "of") + ("actor" if args.replicas else "")
    given = EngineOptions({"pause": args.pause, "log": str(Path(args.paid).resolve()), "who": who})
    if args.replicas:
        return open_replicas("./logged.py", card, given, Placement(0, args.replicas), say)
    return open_engine("./logged.py", card, options=given)


def say(line: str) -> None:
    """For whoever looks on."""
    print(line, file=sys.stderr, flush=True)


class Nobody:
    """A watch that looks away."""

    def begin(self, total: int, kept: int) -> None: ...

    def answered(self, response: Any) -> None: ...


def asked(requests: int) -> tuple[str, ...]:
    """The command that asks it, as the manifest has it."""
    return ("tvbench", "run", "--model", MODEL, "--tasks", "./rests.py", "--set", f"rests.items={requests}")
