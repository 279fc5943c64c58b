"""`tvbench grounding RUN [BLIND]`: what the scores of a run owe to its pictures, by kind of item and language."""

from __future__ import annotations

import argparse

from tvbench.cli.arguments import add_format, add_results, names, not_negative, positive
from tvbench.errors import EXIT_GOOD

EPILOG = """\
examples:
  tvbench run --model MODEL --tasks multi30k            # once with the pictures,
  tvbench run --model MODEL --tasks multi30k --no-image # once without; for mini: --set mini.pictures=blank
  tvbench grounding MODEL                               # finds its newest run, and the one without pictures
  tvbench grounding MODEL --tasks multi30k --languages de,fr
  tvbench grounding RUN BLIND_RUN --by category --format markdown
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "run",
        help="a run's folder, its name below --results, or the beginning of that name, such as "
        "a model's: of several, the newest for which there is one without pictures, too",
    )
    parser.add_argument("blind", nargs="?", help="the run without pictures (default: the newest one that fits)")
    parser.add_argument("--tasks", metavar="NAMES", help="only these tasks")
    parser.add_argument(
        "--languages", metavar="CODES", help="only these languages, such as de,fr; the mean is then over them"
    )
    parser.add_argument("--by", choices=("type", "category"), default="type", help="of the items; default: type")
    parser.add_argument("--resamples", type=positive, default=2_000, metavar="N", help="default: 2,000")
    parser.add_argument("--seed", type=not_negative, default=0, help="of the resampling")
    add_format(parser, ("table", "markdown", "csv", "json"))
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from tvbench.analysis.grounding import blind_twin, ground, seeing_run
    from tvbench.report.grounding import grounding_records, grounding_tables
    from tvbench.report.table import show
    from tvbench.runs.store import find_run, find_runs

    runs = find_runs(args.results)
    run = (None if args.blind else seeing_run(args.run, runs)) or find_run(args.results, args.run)
    blind = find_run(args.results, args.blind) if args.blind else blind_twin(run, runs)
    found = ground(
        run,
        blind,
        tasks=names(args.tasks),
        languages=names(args.languages),
        by="category" if args.by == "category" else "question_type",
        resamples=args.resamples,
        seed=args.seed,
    )
    trained = languages_of(run.manifest().label)
    show(grounding_tables(found, trained), args.format, grounding_records(found, trained))
    return EXIT_GOOD


def languages_of(model: str) -> tuple[str, ...]:
    """What the card of that name lists; nothing where there is no such card here."""
    from tvbench.registry.catalog import models

    card = models().get(model)
    return card.languages if card else ()
