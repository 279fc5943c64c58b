"""`--engine`, its options and `--engine-arg KEY=VALUE`, as commands share them that open an engine. Knows no command.

A flag is left out (None) where it was not given, so that one that the chosen engine does not have can be refused.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tvbench.cli.arguments import not_negative, positive, seconds
from tvbench.errors import UsageError

NAME = re.compile(r"[A-Za-z_][\w.-]*")
FLAGS: Mapping[str, Mapping[str, Any]] = {
    "dtype": {"choices": ("bfloat16", "float16", "float32"), "help": "default: the model card's"},
    "batch_size": {"type": positive, "metavar": "N", "help": "transformers only"},
    "max_model_len": {"type": positive, "metavar": "TOKENS", "help": "transformers and vllm"},
    "concurrency": {"type": positive, "metavar": "N", "help": "openai only: requests under way (default 16)"},
    "timeout": {"type": seconds, "metavar": "SECONDS", "help": "openai only: for one request (default 120)"},
    "send_video": {
        "choices": ("frames", "video_url"),
        "help": "openai only, how a server gets a clip: pictures of its "
        "frames (default), or the file, which the server samples in its own way",
    },
    "trust_remote_code": {"action": "store_true", "default": None, "help": "vllm only: let a model run its own code"},
}
PLACES: Mapping[str, Mapping[str, Any]] = {
    "gpus": {
        "type": not_negative,
        "metavar": "K",
        "help": "GPUs that one engine uses together (vllm; default 1 where there are any)",
    },
    "replicas": {
        "type": positive,
        "metavar": "N",
        "help": "N processes of the engine, each on GPUs of its own (needs Ray: pip install 'tvbench[ray]')",
    },
    "on": {
        "metavar": "ray[://HOST:PORT]",
        "help": "run them on that Ray cluster; ray alone: the one that runs on this machine, or a new one",
    },
}
"""Where an engine computes: none of it is an option of an engine, and none moves a score."""
OPTIONS = {"send_video": "video"}
"""Flags whose option has another name."""


def add_engine(group: argparse._ActionsContainer, flags: Sequence[str] = tuple(FLAGS)) -> None:
    """`--engine`, `--engine-arg` and the `flags`."""
    group.add_argument(
        "--engine",
        metavar="NAME",
        help="transformers, vllm, openai, one of your own or its file "
        "(`tvbench engines` lists them; default: chosen by what is here)",
    )
    add_engine_arg(group)
    for name in flags:
        group.add_argument(f"--{name.replace('_', '-')}", **FLAGS[name])


def add_placement(group: argparse._ActionsContainer) -> None:
    """`--gpus`, `--replicas` and `--on`."""
    for name, words in PLACES.items():
        group.add_argument(f"--{name}", **words)


def add_engine_arg(group: argparse._ActionsContainer) -> None:
    """`--engine-arg` alone."""
    group.add_argument(
        "--engine-arg",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an argument of the engine, in YAML, such as quantization=fp8 (`tvbench engines NAME`); may be repeated",
    )


def given_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """What was typed for the engine, by the names of its options; flags that the command does not have are none.

    Raises UsageError for what is not KEY=VALUE, and for what is said twice.
    """
    found = {OPTIONS.get(flag, flag): value for flag in FLAGS if (value := getattr(args, flag, None)) is not None}
    for name, value in parsed(args.engine_arg).items():
        if name in found:
            raise UsageError(f"{name} is given by its own flag and by --engine-arg", "say it once")
        found[name] = value
    return found


def parsed(pairs: Sequence[str]) -> dict[str, Any]:
    """`["quantization=fp8", "limit_mm_per_prompt={image: 4}"]` with the values that YAML reads. Raises UsageError."""
    from tvbench.safety.bounded import yaml_value

    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip()
        if not equals or not NAME.fullmatch(name) or not text.strip():
            raise UsageError(
                f"--engine-arg {pair} is not of the form KEY=VALUE",
                "for example --engine-arg quantization=fp8 --engine-arg 'limit_mm_per_prompt={image: 4}'",
            )
        name = name.replace("-", "_")
        if name in found:
            raise UsageError(f"--engine-arg {name} is given twice", "say it once")
        try:
            found[name] = yaml_value(text)
        except ValueError as error:
            raise UsageError(
                f"--engine-arg {name}: the value is not valid YAML: {error}",
                "put it in quotes, such as --engine-arg 'name=\"a: text\"'",
            ) from error
    return found
