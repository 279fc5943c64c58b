"""Where an engine computes: on how many GPUs, in how many processes, on which machines. None of it moves a score.

Refuses what an engine cannot do, in a sentence, before anything is opened. Knows declarations of engines; imports
no Ray.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from math import prod
from typing import Any

from tvbench.engines.spec import SERVED, EngineSpec
from tvbench.errors import UsageError
from tvbench.types import ModelCard

CLUSTER = re.compile(r"ray(://[^\s/:@]+:\d{1,5}|://\[[0-9A-Fa-f:.]+\]:\d{1,5})?")
PARALLEL = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
"""Arguments of an engine whose product is the number of GPUs that it uses."""
INSTALL = "pip install 'tvbench[ray]'"


@dataclass(frozen=True, slots=True)
class Placement:
    """`gpus`: those that one engine uses (None: what its arguments say, else one where there are any). `replicas`: so
    many processes of it; `on`: on that cluster. None of the last two: one engine, in this process."""

    gpus: int | None = None
    replicas: int | None = None
    on: str | None = None

    @property
    def apart(self) -> bool:
        """Whether the engine runs in processes of their own."""
        return self.replicas is not None or self.on is not None

    @property
    def count(self) -> int:
        return self.replicas or 1


def check_cluster(on: str | None) -> None:
    """Raises UsageError for an address that is none."""
    if on is None:
        return
    port = on.rpartition(":")[2] if "://" in on else ""
    if not CLUSTER.fullmatch(on) or (port and not 0 < int(port) <= 65535):
        raise UsageError(
            f"--on {on} is no cluster",
            "ray (one that runs on this machine, or a new one), or ray://HOST:PORT (10001 is Ray's usual port for it)",
        )


def check_placement(spec: EngineSpec, card: ModelCard, placement: Placement) -> None:
    """Raises UsageError where the engine cannot be placed so, whatever is installed."""
    if placement.apart and spec.kinds <= SERVED:
        flag = "--replicas" if placement.replicas is not None else "--on"
        raise UsageError(
            f"{card.name} is served at {card.url}: more processes that ask one server answer nothing sooner",
            f"leave {flag} out; --concurrency N has more requests under way",
        )


def require_ray(placement: Placement) -> None:
    """Raises UsageError where Ray is needed and not installed."""
    if not placement.apart:
        return
    found = find_spec("ray")
    if found is None or found.origin is None:  # a folder of that name is no package
        flag = "--replicas" if placement.replicas is not None else "--on ray"
        raise UsageError(f"{flag} needs Ray, which is not installed", INSTALL)


def gpu_arguments(spec: EngineSpec, gpus: int | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """What `--gpus` says to an engine: how many it computes on together. Raises UsageError where it cannot, and where
    arguments that say so are no numbers."""
    for size in PARALLEL:
        if size in given and (type(given[size]) is not int or given[size] < 1):
            raise UsageError(f"--engine-arg {size}={given[size]}: it is a number of GPUs", f"--engine-arg {size}=2")
    if gpus is None:
        return {}
    if spec.kinds <= SERVED:
        raise UsageError(
            f"the {spec.name} engine asks a server, which has its own GPUs",
            "leave --gpus out, and start the server with them",
        )
    said = next((name for name in PARALLEL if name in given), None)
    if said is not None:
        raise UsageError(f"--gpus and --engine-arg {said} both say how many GPUs an engine uses", "say it once")
    if gpus < 2:
        return {}
    name = next((name for name in ("tensor_parallel_size", "gpus") if _has(spec, name)), None)
    if name is None:
        raise UsageError(
            f"the {spec.name} engine computes on one GPU",
            f"--replicas {gpus} opens it {gpus} times, on a GPU each; --engine vllm shares one model among several",
        )
    return {name: gpus}


def gpus_of_one(placement: Placement, arguments: Mapping[str, Any]) -> int:
    """The GPUs that one replica is given, where there are any."""
    if placement.gpus is not None:
        return placement.gpus
    sizes = [arguments.get(name) for name in PARALLEL]
    return prod(size for size in sizes if isinstance(size, int) and size > 0)


def _has(spec: EngineSpec, name: str) -> bool:
    return spec.option(name) is not None or name in spec.placement
