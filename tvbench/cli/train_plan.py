"""`tvbench train --dry-run`: what training a recipe would take, as a table. Needs no torch."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tvbench.cli.output import print_json
from tvbench.errors import EXIT_GOOD, UsageError

if TYPE_CHECKING:
    from tvbench.train.plan import StagePlan, TrainingPlan
    from tvbench.train.stages import Recipe

UNKNOWN = "unknown"


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
