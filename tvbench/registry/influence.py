"""What of a model card can move an answer: the part that is about the prompt, and the engine's arguments.

What is about the prompt changes what the model is shown, so it is part of every key. Engine arguments change how it is
computed: those that can move a score name the run and stand in its signature, those that only say where and how fast
are part of nothing. An argument that nobody has classified counts as one that can move a score. A card that says
nothing leaves no trace. Knows no engine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tvbench.types import ModelCard

NOT_THE_PROMPT = frozenset({"tokens_per_image", "tokens_per_frame", "needs_remote_code"})
"""Entries of `chat` that are estimates, or say who may load the model."""

PARALLELISM = frozenset(
    {
        "tensor_parallel_size",
        "pipeline_parallel_size",
        "data_parallel_size",
        "data_parallel_size_local",
        "data_parallel_rank",
        "data_parallel_start_rank",
        "data_parallel_address",
        "data_parallel_rpc_port",
        "data_parallel_backend",
        "data_parallel_hybrid_lb",
        "data_parallel_external_lb",
        "prefill_context_parallel_size",
        "decode_context_parallel_size",
        "enable_expert_parallel",
        "distributed_executor_backend",
        "distributed_timeout_seconds",
        "master_addr",
        "master_port",
        "nnodes",
        "node_rank",
        "device_ids",
        "numa_bind",
        "numa_bind_nodes",
        "numa_bind_cpus",
        "mm_encoder_tp_mode",
        "max_parallel_loading_workers",
        "disable_custom_all_reduce",
        "ray_workers_use_nsight",
    }
)
"""On which devices the same computation is laid out."""
MEMORY = frozenset(
    {
        "gpu_memory_utilization",
        "swap_space",
        "cpu_offload_gb",
        "kv_cache_memory_bytes",
        "num_gpu_blocks_override",
        "mm_processor_cache_gb",
        "mm_processor_cache_type",
        "mm_shm_cache_max_object_size_mb",
        "skip_mm_profiling",
        "enable_sleep_mode",
        "enable_cumem_allocator",
    }
)
"""How much of which memory may be taken."""
PACE = frozenset(
    {
        "max_num_seqs",
        "max_num_batched_tokens",
        "max_num_scheduled_tokens",
        "scheduling_policy",
        "async_scheduling",
        "stream_interval",
        "enforce_eager",
        "renderer_num_workers",
        "media_processes",
        "safetensors_load_strategy",
        "safetensors_prefetch_num_threads",
        "use_tqdm_on_load",
    }
)
"""How many requests share a step, and how its kernels are launched (`enforce_eager`: one by one instead of as a
recorded graph). As with parallelism, sums may be rounded in another order; nothing else is computed."""
ADMISSION = frozenset({"limit_mm_per_prompt"})
"""What is refused as a failed item, and asked again once the limit is higher."""
WATCHING = frozenset(
    {
        "disable_log_stats",
        "disable_log_requests",
        "aggregate_engine_logging",
        "log_level",
        "logging_config",
        "log_config_file",
        "otlp_traces_endpoint",
        "collect_detailed_traces",
        "show_hidden_metrics_for_version",
        "profiler_config",
        "download_dir",
        "hf_token",
        "served_model_name",
        "kv_events_config",
    }
)
"""What is written down about it, and where files lie."""

PLACEMENT: Mapping[str, frozenset[str]] = {
    "vllm": PARALLELISM | MEMORY | PACE | ADMISSION | WATCHING,
    "transformers": frozenset({"batch_size"}),
    "openai": frozenset({"concurrency", "timeout", "retries"}),
}
"""By engine: arguments that cannot move a score."""


def prompt_settings(card: ModelCard) -> dict[str, Any]:
    """What the card says about the prompt, as checkpoints/prompt.py reads it; empty where that is what goes without
    saying."""
    said = {name: _plain(name, value) for name, value in card.chat.items() if name not in NOT_THE_PROMPT}
    return {name: value for name, value in sorted(said.items()) if value not in (None, [])}


def prompt_label(card: ModelCard) -> str:
    """`system+template-1a2b3c4d5e6f`: what the card says about the prompt, in a word; empty where it says nothing."""
    said = prompt_settings(card)
    return f"{'+'.join(said)}-{_digest(said)}" if said else ""


def score_arguments(card: ModelCard, engine: str) -> dict[str, Any]:
    """The engine's arguments in the card that can move a score, by name."""
    unmoving = PLACEMENT.get(engine, frozenset())
    given = card.engine.get(engine, {})
    return {name: value for name, value in sorted(given.items()) if name not in unmoving and value is not None}


def argument_labels(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as a signature shows them: plain values as they are, nested ones by a digest."""
    return {
        name: value if isinstance(value, str | int | float) else f"#{_digest(value)}"
        for name, value in arguments.items()
    }


def _plain(name: str, value: Any) -> Any:
    """A value in the one form that stands for all that mean the same; None where it means nothing."""
    match name:
        case "system":
            return str(value) if value else None
        case "template":
            return None if value is None else str(value)
        case "image_placement":
            return value if value == "first" else None
        case "system_role":
            return value if value == "user" else None
        case "content":
            return value if value in ("string", "parts") else None
        case "stop_tokens":
            return sorted({str(token) for token in value or ()})
        case _:
            return value


def _digest(value: Any) -> str:
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:12]
