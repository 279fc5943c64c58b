"""`tvbench setup comet`: make the environment of a scorer that cannot live beside the rest."""

from __future__ import annotations

import argparse

from tvbench.cli.output import remark, say
from tvbench.errors import EXIT_GOOD


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("environment", choices=["comet"], help="comet: unbabel-comet, for `tvbench comet`")
    parser.add_argument("--path", action="store_true", help="print its Python (or where it would be), make nothing")


def main(args: argparse.Namespace) -> int:
    from tvbench.registry.environments import build, comet_environment

    environment = comet_environment()
    if not args.path:
        if environment.whole:
            remark("the COMET environment is there already; trying it")
        else:
            remark(f"making the COMET environment in {environment.folder}\n({environment.size}; a minute or a few)")
        build(environment, remark)
    say(str(environment.python))
    return EXIT_GOOD
