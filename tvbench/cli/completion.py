"""`tvbench completion`: what a shell has to be told to complete commands, options and names (argcomplete's code)."""

from __future__ import annotations

import argparse
import os

from tvbench.cli.output import print_text, remark
from tvbench.errors import EXIT_GOOD, UsageError

EXAMPLES = """examples:
  eval "$(tvbench completion bash)"      # in ~/.bashrc
  eval "$(tvbench completion zsh)"       # in ~/.zshrc, below compinit
  tvbench completion fish | source       # in ~/.config/fish/config.fish
"""
SHELLS = ("bash", "zsh", "fish")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("shell", nargs="?", choices=SHELLS, help="default: what $SHELL names, or bash")


def main(args: argparse.Namespace) -> int:
    try:
        from argcomplete.shell_integration import shellcode
    except ImportError as error:
        raise UsageError("argcomplete is not installed here", "pip install argcomplete") from error
    shell = args.shell or os.environ.get("SHELL", "").rpartition("/")[2]
    print_text(shellcode(["tvbench"], shell=shell if shell in SHELLS else "bash"))
    if os.isatty(1):
        remark("put one of the lines of `tvbench completion --help` into your shell's start-up file")
    return EXIT_GOOD
