"""`tvbench engines`: what can answer here; `engines NAME`: an engine's options."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tvbench.cli.actions import add_actions
from tvbench.cli.arguments import add_format
from tvbench.cli.fields import field
from tvbench.cli.output import fitted, print_json, remark, say
from tvbench.errors import EXIT_GOOD

if TYPE_CHECKING:
    from tvbench.engines.spec import EngineSpec

EXAMPLES = """examples:
  tvbench engines
  tvbench engines vllm
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    add_format(parser)
    actions = add_actions(parser)
    show = actions.add_parser("show", help="explain one engine and its options; `show` may be left out")
    show.add_argument("name", help="an engine's name, or the file that declares it, such as ./mine.py")
    # No default here: it would overwrite a --format that was given before `show`.
    show.add_argument("--format", choices=("table", "json"), default=argparse.SUPPRESS, help="how to print")


def main(args: argparse.Namespace) -> int:
    from tvbench.engines.registry import engine, engines

    found, problems = engines() if args.action is None else ([engine(args.name)], [])
    for problem in problems:
        remark(f"warning: {problem}")
    if args.format == "json":
        print_json(record(found[0]) if args.action == "show" else [record(spec) for spec in found])
    elif args.action == "show":
        title, *facts = explained(found[0])
        say(*fitted([title]), *facts)
    else:
        say(*(line for spec in found for line in field(spec.name, f"{spec.title} ({spec.available() or 'ready'})")))
    return EXIT_GOOD


def record(spec: EngineSpec) -> dict[str, Any]:
    """An engine as JSON; `problem` says why it cannot be used here."""
    options = [
        {
            "name": option.name,
            "flag": option.flag or None,
            "values": option.meaning,
            "default": option.default,
            "moves_scores": option.moves,
            "help": option.help,
        }
        for option in spec.options
    ]
    others = spec.others() if spec.others is not None else None
    return {
        "name": spec.name,
        "title": spec.title,
        "models": sorted(spec.kinds),
        "media": sorted(spec.modalities),
        "problem": spec.available() or None,
        "options": options,
        "others": sorted(others or ()),
    }


def explained(spec: EngineSpec) -> Iterator[str]:
    """An engine for people."""
    yield f"{spec.name}: {spec.title}"
    yield from field("here", f"{reason}: {spec.install}" if (reason := spec.available()) else "ready")
    yield from field("models", ", ".join(sorted(spec.kinds)))
    yield from field("media", ", ".join(sorted(spec.modalities)) or "none")
    for option in spec.options:
        words = [
            option.meaning,
            *([f"default {option.default}"] if option.default is not None else []),
            "names the run" if option.moves else "moves no score",
        ]
        yield from field(option.flag or option.name, f"{'; '.join(words)}. {option.help}".rstrip(". "))
    if spec.others is not None:
        known = spec.others()
        text = "for what the package itself takes; what may move a score names the run"
        yield from field("others", f"--engine-arg KEY=VALUE, {text if known is None else ', '.join(sorted(known))}")
