"""`tvbench train`: trains a recipe, or says what that would take."""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvbench.cli.arguments import add_format, not_negative
from tvbench.cli.output import print_json, remark, say
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, UsageError
from tvbench.safety.visible import visible

if TYPE_CHECKING:
    from tvbench.train.plan import StagePlan, TrainingPlan
    from tvbench.train.stages import Recipe

SECONDS_BETWEEN_LINES = 15.0
WORTH_SAYING = 0.05
"""A share of a step's time from which on the wait for its data is told."""
SKIPPED = "skipped.jsonl"
UNKNOWN = "unknown"


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of `tvbench train` and of `tvbench train data`."""
    parser.add_argument(
        "action", nargs="?", metavar="data", default="run", help="show what a recipe is trained on, and examples of it"
    )
    parser.add_argument("named", nargs="?", metavar="RECIPE", help="with `data`: the same as --recipe")
    _add_recipe(parser)
    _add_output(parser)
    _add_plan(parser.add_argument_group("the plan"))
    parser.add_argument(
        "--examples", type=not_negative, default=3, metavar="N", help="with `data`: so many of each dataset"
    )
    parser.add_argument(
        "--schema", choices=("recipe", "mixture"), help="print the JSON schema of such files, for editors"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_format(parser)


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", metavar="NAME|FILE", help="mini, paper, paper-packed, or a YAML file")
    parser.add_argument("--size", help="where the recipe has several: 2b, 9b")
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="KIND=CHOICE",
        help="a row of the paper's ablations, such as encoder=siglip1; may be repeated",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="settings",
        help="stageN.KEY, model.KEY, datasets.NAME.KEY, or a field of every stage; may be repeated",
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a mixture file that gives the recipe's datasets a place, or adds some; may be repeated",
    )
    parser.add_argument("--seed", type=int, help="the same as --set seed=N")
    parser.add_argument("--stage", type=int, metavar="N", help="this stage only")
    parser.add_argument("--until", type=int, metavar="N", help="leave out the stages after this one")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reuse",
        type=Path,
        metavar="DIR",
        help="another run's output: stages that it has trained in the same way are taken from there",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="default ./training/RECIPE[-SIZE]")
    parser.add_argument(
        "--target",
        choices=("current", "legacy"),
        default="current",
        help="legacy: an export for transformers before 5.4 and vLLM of that time",
    )
    parser.add_argument("--resume", action="store_true", help="go on with what is in the output folder")
    parser.add_argument("--wandb", metavar="PROJECT", help="send the curves to Weights & Biases as well")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads for torch (default: all cores)")


def _add_plan(plan: argparse._ArgumentGroup) -> None:
    plan.add_argument("--dry-run", action="store_true", help="say what would be done and what it takes, and stop")
    plan.add_argument("--gpus", type=int, metavar="N", help="default 8, or as many as share the batches evenly")
    plan.add_argument(
        "--gpu-peak",
        type=float,
        default=989e12,
        metavar="FLOPS",
        help="of one GPU in bfloat16; default an H100's %(default)g; the MFU is measured against it too",
    )
    plan.add_argument(
        "--mfu", type=float, default=0.40, metavar="PART", help="utilisation, 0 to 1; default %(default)s"
    )
    plan.add_argument("--price", type=float, metavar="DOLLARS", help="of one GPU for an hour")


def main(args: argparse.Namespace) -> int:
    from tvbench.train.recipe import load_recipe, recipe_names

    if args.schema:
        from tvbench.train.schemas import SCHEMAS

        print_json(SCHEMAS[args.schema]())
        return EXIT_GOOD
    if args.action not in ("run", "data") or (args.action == "run" and args.named):
        word = args.named if args.action == "run" else args.action
        raise UsageError(
            f"what is '{word}'? Training a recipe is `tvbench train --recipe {word}`",
            f"`tvbench train data {word}` shows what it is trained on",
        )
    if args.named and args.recipe and args.named != args.recipe:
        raise UsageError(f"two recipes are named: {args.named} and {args.recipe}", "leave out one of them")
    args.recipe = args.recipe or args.named
    if not args.recipe:
        raise UsageError("say what to train: --recipe NAME", f"recipes: {', '.join(recipe_names())}, or a YAML file")
    settings = [*args.settings, *([f"seed={args.seed}"] if args.seed is not None else [])]
    recipe = load_recipe(args.recipe, size=args.size, variants=args.variant, settings=settings, mixtures=args.data)
    _remark_unused(recipe, args.data)
    for number in (args.stage, args.until):
        if number is not None and number not in {stage.number for stage in recipe.stages}:
            numbers = ", ".join(f"{stage.number} {stage.name}" for stage in recipe.stages)
            raise UsageError(f"recipe {recipe.name} has no stage {number}", f"its stages: {numbers}")
    if args.stage is not None and args.until is not None and args.stage > args.until:
        raise UsageError(f"--until {args.until} leaves stage {args.stage} out", "leave out --until, or --stage")
    if args.until is not None:
        recipe = replace(recipe, stages=tuple(stage for stage in recipe.stages if stage.number <= args.until))
    if args.threads is not None and args.threads < 1:
        raise UsageError(f"--threads {args.threads} is not possible", "1 or more; leave it out for all cores")
    output = args.output or Path("training") / "-".join(filter(None, (recipe.name, recipe.size)))
    if args.action == "data":
        return show_data(recipe, args)
    if args.dry_run:
        return show_plan(recipe, output, args)
    return run(recipe, output, args)


def _remark_unused(recipe: Recipe, mixtures: Sequence[Path]) -> None:
    """Say which datasets of mixture files no stage learns from: they may be misspelt, or for another recipe."""
    from tvbench.train.data.mixture import read_mixture

    used = {entry.name for stage in recipe.stages for entry in stage.data}
    for path in mixtures:
        left = [name for name in read_mixture(path) if name not in used]
        if left:
            remark(
                f"no stage learns from {', '.join(left)} of {path}; --set "
                f"stage{recipe.stages[-1].number}.data={left[0]} would (train data shows what each stage has)"
            )


def run(recipe: Recipe, output: Path, args: argparse.Namespace) -> int:
    """Train, and say where the model lies."""
    import torch

    from tvbench.train.session import train

    if args.threads:
        torch.set_num_threads(args.threads)
    peak = args.gpu_peak * processes() if torch.cuda.is_available() else None
    with TrainingProgress(quiet=args.quiet) as progress:
        whole = train(
            recipe,
            output,
            resume=args.resume,
            only=args.stage,
            reuse=args.reuse,
            wandb=args.wandb,
            peak=peak,
            target=args.target,
            on_event=progress.show,
        )
    if not whole and os.environ.get("RANK", "0") == "0":  # torchrun starts several of us
        remark(f"stopped; the state is saved, and the same command with --resume goes on in {output}")
    return EXIT_GOOD if whole else EXIT_INCOMPLETE


def processes() -> int:
    """How many train together, on all machines: each has one GPU, however many this machine has."""
    return int(os.environ.get("WORLD_SIZE", "1"))  # as torchrun says it


# ── While it trains ───────────────────────────────────────────────────────────────────────────────


class TrainingProgress:
    """Shows a session's events: a bar for each stage on a terminal, a line now and then in a log."""

    def __init__(self, *, quiet: bool) -> None:
        import sys

        self.quiet = quiet
        self.live = sys.stderr.isatty() and not quiet
        self._bars: Any = None
        self._bar: Any = None
        self._last_line = 0.0

    def __enter__(self) -> TrainingProgress:
        if self.live:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            from tvbench.cli.output import console

            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[said]}", markup=False),
                console=console(stderr=True),
            )
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def show(self, event: Any) -> None:
        """One event of `tvbench.train.session`."""
        kind = type(event).__name__
        if self.quiet:
            if kind == "Written":
                say(str(event.folder))
            return
        getattr(self, f"_{kind.lower()}")(event)

    def _begun(self, event: Any) -> None:
        stage = event.stage
        parts = ", ".join(f"{part} {rate:g}" for part, rate in stage.rates.items())
        remark(
            f"stage {stage.number} {stage.name}: {event.steps:,} steps of {stage.batch} samples; trains {parts} "
            f"({event.parameters:,} of {event.of:,} weights)" + (f"; goes on at {event.step:,}" * bool(event.step))
        )
        if self._bars is not None:
            self._bar = self._bars.add_task(visible(stage.name), total=event.steps, completed=event.step, said="")

    def _stepdone(self, event: Any) -> None:
        said = step_text(event)
        if self._bars is not None:
            self._bars.update(self._bar, completed=event.step, said=said)
        elif time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            remark(f"{event.step}/{event.steps}, {said}")

    def _ended(self, event: Any) -> None:
        lost = (
            (
                f"; {event.skipped:,} of {event.samples + event.skipped:,} samples skipped ({event.folder / SKIPPED} "
                "says why)"
            )
            if event.skipped
            else ""
        )
        picture = f"; loss: {event.picture}" if event.picture else ""
        remark(f"stage {event.stage.number} {event.stage.name} {'done' if event.whole else 'stopped'}{lost}{picture}")

    def _remarked(self, event: Any) -> None:
        remark(event.text)

    def _written(self, event: Any) -> None:
        remark(f"written: {event.folder}\n  try it: tvbench run --model {event.folder} --tasks mini")


def step_text(event: Any) -> str:
    """`loss 0.4321, 12,345 tokens/s, 63% of the time waiting for data, MFU 41%, 3 skipped, about 12 min left`."""
    waiting = event.data_seconds / (event.data_seconds + event.step_seconds)
    waited = f", {waiting:.0%} of the time waiting for data" if waiting >= WORTH_SAYING else ""
    mfu = f", MFU {event.mfu:.0%}" if event.mfu is not None else ""
    lost = f", {event.skipped} skipped" if event.skipped else ""
    left = time_text(event.seconds_left)
    return f"loss {event.loss:.4f}, {event.tokens_per_second:,.0f} tokens/s{waited}{mfu}{lost}, about {left} left"


def time_text(seconds: float) -> str:
    """`45 s`, `12 min`, `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# ── The plan ──────────────────────────────────────────────────────────────────────────────────────


def show_plan(recipe: Recipe, output: Path, args: argparse.Namespace) -> int:
    """Print what training would take."""
    from tvbench.train.plan import Machine, even_gpus, make_plan

    for name, value in (
        ("--gpus", args.gpus),
        ("--mfu", args.mfu),
        ("--gpu-peak", args.gpu_peak),
        ("--price", args.price),
    ):
        least = value is None or value > 0 or (name == "--price" and value == 0)
        if not least or (value is not None and not math.isfinite(value)) or (name == "--mfu" and value > 1):
            raise UsageError(f"{name} {value:g} is not possible", "it is above 0, and --mfu at most 1")
    gpus = args.gpus or even_gpus(recipe)
    plan = make_plan(recipe, Machine(gpus, args.gpu_peak, args.mfu, args.price), output, only=args.stage)
    if args.format == "json":
        print_json({**asdict(plan), "gpu_hours": plan.gpu_hours})
        return EXIT_GOOD
    from tvbench.report.table import Cell, Column, Table, show

    heads = (
        "stage",
        "samples",
        "steps",
        "batch",
        "tokens",
        "trains",
        "FLOPs",
        "GPU hours",
        "hours",
        "dollars",
        "memory/GPU",
    )
    columns = tuple(Column(head, head, "left") if head == "stage" else Column(head, head) for head in heads)
    rows = tuple(tuple(map(Cell, _cells(stage))) for stage in plan.stages)
    show([Table(columns, rows, notes=tuple(_notes(plan)))], "table")
    return EXIT_GOOD


def _cells(stage: StagePlan) -> tuple[str, ...]:
    return (
        f"{stage.number} {stage.name}",
        _figure(stage.samples, ",d"),
        _figure(stage.steps, ",d"),
        f"{stage.batch} = {stage.batch // (stage.micro_batch * stage.accumulation)} x {stage.micro_batch} x "
        f"{stage.accumulation}",
        UNKNOWN if stage.tokens is None else _amount(stage.tokens),
        _amount(stage.trained_parameters),
        _figure(stage.operations, ".2g"),
        _figure(stage.gpu_hours, ",.0f"),
        _figure(stage.wall_hours, ",.1f"),
        f"{stage.dollars:,.0f}" if stage.dollars is not None else "",
        f"{stage.memory_gb:.0f} GB",
    )


def _figure(value: float | None, form: str) -> str:
    return UNKNOWN if value is None else format(value, form)


def _amount(count: float) -> str:
    """`15.90 B`, `1.33 M`."""
    return f"{count / 1e9:.2f} B" if count >= 1e9 else f"{count / 1e6:.2f} M"


def _notes(plan: TrainingPlan) -> list[str]:
    machine, count, hours = plan.machine, plan.parameters, plan.gpu_hours
    if hours is None:
        sums = "how many GPU hours in all is not known"
    else:
        dollars = "--price gives dollars" if machine.price is None else f"{hours * machine.price:,.0f} dollars"
        sums = f"{hours:,.0f} GPU hours in all; {dollars}"
    notes = [
        f"{plan.recipe} {plan.size}: {count.total:,} weights (text {count.text:,}, vision {count.vision:,}, projector "
        f"{count.projector:,}); variants: {', '.join(plan.variants) or 'none'}",
        f"estimates for {machine.gpus} GPU{'s' * (machine.gpus > 1)} of {machine.peak:.3g} FLOP/s at "
        f"{machine.mfu:.0%}, counted and not measured: {sums}",
        "batch = GPUs x micro-batch x accumulation; memory is without fragmentation",
    ]
    for stage in plan.stages:
        if stage.rows_add_up_to is not None:
            notes.append(
                f"stage {stage.number}: the stated total is {stage.samples:,}; its datasets add up to "
                f"{stage.rows_add_up_to:,}, which would be {stage.steps_by_rows:,} steps"
            )
        notes += [f"stage {stage.number}: {note}" for note in stage.notes]
        notes += [f"stage {stage.number}, our decision on {note}" for note in stage.ours]
    return [*notes, "writes " + ", ".join(plan.files)]


# ── The data ──────────────────────────────────────────────────────────────────────────────────────


def show_data(recipe: Recipe, args: argparse.Namespace) -> int:
    """Print the mixture of each stage, and examples with what is learned of them."""
    from tvbench.cli.train_data import show_mixtures

    return show_mixtures(recipe, args.stage, args.examples, args.format)
