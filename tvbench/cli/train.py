"""`tvbench train`: trains a recipe, or says what that would take."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tvbench.cli.arguments import add_format, not_negative
from tvbench.cli.output import print_json, remark
from tvbench.cli.train_plan import show_plan
from tvbench.cli.train_progress import TrainingProgress
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, UsageError

if TYPE_CHECKING:
    from tvbench.train.stages import Recipe


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


def show_data(recipe: Recipe, args: argparse.Namespace) -> int:
    """Print the mixture of each stage, and examples with what is learned of them."""
    from tvbench.cli.train_data import show_mixtures

    return show_mixtures(recipe, args.stage, args.examples, args.format)
