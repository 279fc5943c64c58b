"""Arguments that several commands share, and how their texts become values. Knows no command."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tvbench.registry.places import DEFAULT_RESULTS, results_name

if TYPE_CHECKING:
    from pathlib import Path

YEAR = 365 * 24 * 3600


def add_results(parser: argparse.ArgumentParser) -> None:
    """`--results DIR`: where runs lie."""
    parser.add_argument(
        "--results",
        type=path,
        default=results_name(),
        metavar="DIR",
        help=f"where runs are kept (default {DEFAULT_RESULTS}, or $TVBENCH_RESULTS)",
    )


def results_option(args: argparse.Namespace) -> str:
    """` --results DIR` for a command that somebody may type next; "" where runs lie where they are looked for."""
    from shlex import join

    from tvbench.registry.places import default_results

    elsewhere = args.results.absolute() != default_results().absolute()
    return f" {join(('--results', str(args.results)))}" if elsewhere else ""


def add_naming(parser: argparse.ArgumentParser) -> None:
    """What the person knows of the model that no file or server tells."""
    parser.add_argument("--label", metavar="NAME", help="what runs and tables call the model (default: its own name)")
    parser.add_argument(
        "--revision",
        metavar="TEXT",
        help="which version of the model it is: a hub revision; for a "
        "server your own word, which then stands in for its software's version",
    )


def add_include(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """`--include-path DIR`: task files and model cards of one's own."""
    parser.add_argument(
        "--include-path",
        type=path,
        action="append",
        default=default,
        metavar="DIR",
        help="search this folder for task files and model cards first (more than once; also $TVBENCH_INCLUDE_PATH)",
    )


def add_format(parser: argparse.ArgumentParser, formats: Sequence[str] = ("table", "json")) -> None:
    """`--format`: a table for people, or something for scripts."""
    parser.add_argument("--format", choices=formats, default=formats[0], help="how to print (default %(default)s)")


def add_shown(parser: argparse.ArgumentParser) -> None:
    """`--all`: everything that there is, below what is shown first."""
    parser.add_argument("--all", action="store_true", help="show all languages and every metric too")


def add_image_scale(parser: argparse._ActionsContainer) -> None:
    """`--image-scale`: a person's word on what a checkpoint does not say."""
    parser.add_argument(
        "--image-scale",
        choices=("folded", "unfolded"),
        help="whether a TowerVision-type checkpoint's image rows are scaled by sqrt(hidden) already "
        "(`tvbench doctor` measures it; default: what card and checkpoint say)",
    )


def names(text: str | None) -> tuple[str, ...]:
    """`a,b, c` as a tuple; nothing as an empty one."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def path(text: str) -> Path:
    """An argparse type: a file or folder. `pathlib` is imported where a path is given."""
    from pathlib import Path

    return Path(text)


def positive(text: str) -> int:
    """An argparse type: a whole number above 0."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def not_negative(text: str) -> int:
    """An argparse type: a whole number, 0 or above."""
    return 0 if text.strip() == "0" else positive(text)


def temperature(text: str) -> float:
    """An argparse type: a finite number, 0 (greedy) or above."""
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 (greedy) or more")
    return value


def top_p(text: str) -> float:
    """An argparse type: a share of the probability, above 0 and at most 1 (all tokens)."""
    value = number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1")
    return value


def seconds(text: str) -> float:
    """An argparse type: a time to wait, above 0; more than a year is longer than clocks here can count."""
    value = number(text)
    if not 0 < value <= YEAR:
        raise argparse.ArgumentTypeError(f"must be above 0 seconds, and at most a year ({YEAR:,})")
    return value


def dollars(text: str) -> float:
    """An argparse type: an amount above 0."""
    value = number(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def number(text: str) -> float:
    """An argparse type: a finite number."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"'{text}' is not a finite number")
    return value
