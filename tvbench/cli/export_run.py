"""Which run `tvbench export batch` writes out: one that begins with what was typed, or one that was begun.

What could only be done by somebody who is asked now is refused. Plans; writes no file.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvbench.cli.output import remark
from tvbench.errors import TvbenchError, UsageError

if TYPE_CHECKING:
    from tvbench.runs.listening import Listener
    from tvbench.runs.manifest import Manifest
    from tvbench.runs.plan import Plan
    from tvbench.runs.run_options import Tasks
    from tvbench.runs.session import SessionOptions
    from tvbench.runs.store import RunFolder
    from tvbench.types import ModelCard, Task

SERVED_LATER = "vllm"
"""What serves a checkpoint that has no address: what run-batch is a part of."""
SAID = (
    *("label", "revision", "languages", "limit", "split", "protocol", "metric", "no_image", "set", "seed", "bos"),
    *("engine", "engine_arg", "dtype", "max_model_len", "send_video", "max_new_tokens", "temperature", "top_p"),
    *("top_k", "sampling_seed", "repeats", "thinking", "thinking_tokens", "image_scale", "price"),
)
"""Options that a run has said already."""


@dataclass(frozen=True)
class ExportedRun:
    """What is exported: a run's folder and plan, and what its server says it is. `checkpoint`: where nobody serves the
    model yet, what is to be served."""

    folder: Path
    plan: Plan
    options: SessionOptions
    server: str
    checkpoint: str = ""


# ── A run that begins ─────────────────────────────────────────────────────────────────────────────


def run_that_begins(args: argparse.Namespace) -> ExportedRun:
    """What was typed."""
    from tvbench import api
    from tvbench.cli.typed import options_of
    from tvbench.interop.batch_export import scores_texts
    from tvbench.runs.asking import session_options
    from tvbench.runs.serving import refuse_another
    from tvbench.runs.store import find_runs

    missing = [name for name in ("model", "tasks") if getattr(args, name) is None]
    if missing:
        raise UsageError(f"--{' and --'.join(missing)}: nothing says what to export", "name a RUN, or give both")
    _check_engine(args)
    card, checkpoint = _card(args)
    options = options_of(args)
    ready = api.plan(card, args.tasks, args.results, options, _saying(), command=("tvbench", *sys.argv[1:]))
    who = ready.who
    if scored := scores_texts(ready.plan.planned_items()):
        raise UsageError(
            f"{', '.join(scored)}: log-probabilities of given texts are asked for, and no batch gives those",
            "leave it out of --tasks; `tvbench run` asks it, of a server of vLLM or by --engine transformers or vllm",
        )
    if who.problem is not None:
        remark(f"note: {who.problem.message}: the model is known by its name and address alone")
    elif not (options.label or options.revision):
        refuse_another(who, ready.plan.ask, (run.path for run in find_runs(args.results)))
    server = str(who.facts.get("server", "")) if card.url else SERVED_LATER
    return ExportedRun(ready.folder, ready.plan, session_options(ready), server, checkpoint)


def _check_engine(args: argparse.Namespace) -> None:
    """Raises UsageError for what only somebody could do who is asked now."""
    if args.engine not in (None, "openai"):
        raise UsageError(
            f"--engine {args.engine}: a batch is answered by a server's software, which renders the prompts itself",
            "leave --engine out (a checkpoint is served by vLLM's run-batch), or ask with `tvbench run`",
        )
    for name in ("concurrency", "timeout", "batch_size", "max_failures"):
        if getattr(args, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')}: nobody is asked here, so it does nothing", "leave it out")


def _card(args: argparse.Namespace) -> tuple[ModelCard, str]:
    """The model; a checkpoint as one that is served without an address, and what is to be served then."""
    from tvbench.registry.catalog import resolve_model
    from tvbench.registry.hub import pinned
    from tvbench.runs.serving import named, without_server

    card = resolve_model(args.model)
    if card.kind == "server":
        return card, ""
    if args.image_scale is not None:
        raise UsageError(
            "--image-scale: the checkpoint is read by other software",
            "write a corrected copy, and name that: tvbench models import MODEL --output DIR --image-scale ...",
        )
    card = pinned(named(card, None, args.revision), offline=args.offline)
    args.revision = None
    return without_server(card), _checkpoint(card)


def _checkpoint(card: ModelCard) -> str:
    """What vLLM is to serve: the corrected copy of a checkpoint that lies here; else where it comes from."""
    from tvbench.checkpoints.corrections import corrected
    from tvbench.engines.open import local_checkpoint

    try:
        folder, _ = corrected(local_checkpoint(card, offline=True), card)
    except TvbenchError:
        return card.location
    return str(folder)


def _saying() -> Listener:
    from tvbench.runs.listening import Listener

    class Saying(Listener):
        def say(self, text: str, *, detail: bool = False) -> None:
            remark(text)

    return Saying()


# ── A run that was begun ──────────────────────────────────────────────────────────────────────────


def run_that_was_begun(args: argparse.Namespace) -> ExportedRun:
    """The plan of a run, made again. Raises UsageError where it cannot be, or its answers are not a server's."""
    from tvbench.engines.open import EngineOptions
    from tvbench.runs.rebuilding import rebuilt
    from tvbench.runs.session import SessionOptions
    from tvbench.runs.store import find_run

    run = find_run(args.results, args.run)
    manifest = run.manifest()
    _check_alone(args)
    _check_served(run, manifest)
    tasks, data = _recorded(args, manifest)
    plan = rebuilt(run, tasks, args.data or data, offline=args.offline)
    facts = _still(manifest)
    told = [session.server for session in manifest.sessions or () if session.server]
    server = str((facts or (told[-1] if told else {})).get("server", ""))
    options = SessionOptions(EngineOptions(offline=args.offline), facts=facts, command=manifest.command)
    if manifest.model.url:
        return ExportedRun(run.path, plan, options, server)
    return ExportedRun(run.path, plan, options, SERVED_LATER, "CHECKPOINT")


def _check_alone(args: argparse.Namespace) -> None:
    """Raises UsageError for what a run that was begun says itself."""
    given = [
        *(name for name in ("model", "tasks") if getattr(args, name) is not None),
        *(name for name in SAID if getattr(args, name) not in (None, False, [])),
    ]
    if given:
        raise UsageError(
            f"--{given[0].replace('_', '-')}: {args.run} says that itself",
            "leave it out; or leave the run's name out, and give --model and --tasks",
        )


def _check_served(run: RunFolder, manifest: Manifest) -> None:
    if manifest.ask.engine_name != "openai" or manifest.model.kind != "server":
        name = manifest.ask.engine_name or manifest.source or "another harness"
        raise UsageError(
            f"{run.name} was asked by {name}, which renders the prompts itself; in a batch the server does, and its "
            "answers are those of another setting",
            f"begin a run of its own: tvbench export batch --model {manifest.model.location} --tasks TASKS",
        )


def _recorded(args: argparse.Namespace, manifest: Manifest) -> tuple[list[Task], Path | None]:
    """The tasks of a run as its command named them, and where their data lay. Raises UsageError."""
    from tvbench.registry.places import include
    from tvbench.runs.asking import selected

    typed = _typed(manifest.command)
    include((*(args.include_path or ()), *(getattr(typed, "include_path", None) or ())))
    names: Tasks = getattr(typed, "tasks", None) or [entry.task for entry in manifest.tasks]
    try:
        chosen = selected(names, getattr(typed, "metric", None) or "")
    except TvbenchError as error:
        raise UsageError(
            f"the tasks of {manifest.run} are not found: {error.message}",
            "go to the folder where the run was begun, or name theirs with --include-path DIR",
        ) from error
    return [task for task, _ in chosen], getattr(typed, "data", None)


def _typed(command: Sequence[str]) -> argparse.Namespace:
    """The options of a command that was typed; none of one that came from Python, or from another version."""
    from tvbench.cli.main import build_parser

    words = list(command[1:])
    if command[:1] != ("tvbench",) or words[:1] not in (["run"], ["export"]):
        return argparse.Namespace()
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            return build_parser(words[0], alone=True).parse_args(words)
        except SystemExit:
            return argparse.Namespace()


def _still(manifest: Manifest) -> Mapping[str, Any]:
    """What the run's server tells now. Raises UsageError where that is another model; nothing where it is away."""
    from tvbench.runs.serving import still_served

    who = still_served(manifest.model)
    if who.problem is not None and manifest.model.url:
        remark(f"note: {who.problem.message}: taken for the model that the run was begun with")
    return who.facts
