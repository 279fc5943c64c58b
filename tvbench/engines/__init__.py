"""Engines answer requests: `transformers` (embedded), `vllm` (in-process), `openai` (any compatible server).

    protocol     what every engine can do; spec, registry, built_in: how one is declared and found; open opens it
    conformance  whether a stranger's engine keeps the protocol
    transformers its model (transformers_model), inputs and processors, batches, sampling; local: a model's files
    vllm         vllm_settings, vllm_arguments, vllm_prompts, vllm_rendering, vllm_answers, vllm_process, vllm_guard
    media        media_workers, media_process, parcels: pictures prepared in processes next to vLLM's
    openai/      what is sent to a server, and what its replies say

Knows checkpoints and media; no task, no score and no run.
"""
