"""Opens the replicas of an engine: finds or starts Ray, and says to each which engine it is and what to know.

Knows engines by the names that other processes can find them by.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tvbench import __version__
from tvbench.engines.open import EngineOptions
from tvbench.engines.registry import source_of
from tvbench.registry.places import included
from tvbench.runs.replicas.cluster import Cluster
from tvbench.runs.replicas.engine import Replicas
from tvbench.runs.replicas.parcels import EngineOrder
from tvbench.runs.replicas.placement import Placement, gpus_of_one
from tvbench.types import ModelCard

FORWARDED = ("TVBENCH_", "VLLM_", "HF_", "TRANSFORMERS_", "TOKENIZERS_", "PYTORCH_", "NCCL_", "OMP_", "MKL_")
SECRET = ("TOKEN", "KEY", "SECRET", "PASSWORD")


def open_replicas(
    engine: str,
    card: ModelCard,
    options: EngineOptions,
    placement: Placement,
    say: Callable[[str], None],
    video_timeout_s: float = 60.0,
) -> Replicas:
    """Replicas of `engine`, of which one at least is open. Raises UsageError, EngineError."""
    cluster = Cluster(placement.on, placement.count)
    try:
        gpus = cluster.check_room(placement.count, gpus_of_one(placement, options.arguments))
        order = EngineOrder(
            source_of(engine),
            card,
            dict(options.arguments),
            options.offline,
            video_timeout_s,
            __version__,
            str(Path.cwd()),
            included(),
            {} if cluster.own else _environment(),
            _threads(placement.count) if cluster.own and not gpus else None,
        )
        return Replicas(cluster, order, placement, gpus, say)
    except BaseException:
        cluster.close()
        raise


def _environment() -> dict[str, str]:
    """What a machine of a cluster should know of this one's environment. A secret is set there by whoever keeps it."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(FORWARDED) and not any(word in name for word in SECRET)
    }


def _threads(replicas: int) -> int | None:
    """Cores for each of so many engines that compute on this machine's; None where somebody has said how many."""
    if os.environ.get("OMP_NUM_THREADS"):
        return int(os.environ["OMP_NUM_THREADS"]) if os.environ["OMP_NUM_THREADS"].isdecimal() else None
    return max(1, (os.cpu_count() or 1) // replicas)
