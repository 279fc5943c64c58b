"""Loads a checkpoint with transformers, whole or not at all, and says what its configuration means for answers.

Knows checkpoints; no request and no batch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tvbench.checkpoints.corrections import LLAVA_TYPES, is_gemma2_llava, read_config
from tvbench.checkpoints.hostile import first_line
from tvbench.checkpoints.tensors import weight_files
from tvbench.engines.inputs import has_vision
from tvbench.errors import EngineError


def load_model(folder: Path, config: dict[str, Any], dtype: str, attention: str) -> Any:
    """The model on its device, in eval mode, with an empty generation configuration.

    Raises EngineError when the model does not load, or when weights are missing: transformers would fill them with
    random numbers and only warn.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, GenerationConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    kind = AutoModelForImageTextToText if has_vision(config) else AutoModelForCausalLM
    weight_files(folder)  # says what is wrong with them; without any, pickled ones would be looked for
    said = logging.get_verbosity()
    logging.set_verbosity_error()  # what it warns of is said below, in a sentence
    try:
        model, info = kind.from_pretrained(
            folder,
            dtype=getattr(torch, dtype),
            attn_implementation=attention,
            local_files_only=True,
            output_loading_info=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except Exception as error:  # a checkpoint may be wrong in any way, and transformers promises no classes
        raise EngineError(f"transformers cannot load {folder}: {_unfit(folder, error)}", "try --engine vllm") from error
    finally:
        logging.set_verbosity(said)
    missing = sorted({*info["missing_keys"], *(entry[0] for entry in info["mismatched_keys"])})
    if missing:
        shown = ", ".join(missing[:3])
        raise EngineError(f"{len(missing)} weights of the model are not in {folder} (or of another shape): {shown}")
    # Replaced, because generate() fills whatever is not set from the checkpoint's own.
    model.generation_config = GenerationConfig()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device).eval()


def _unfit(folder: Path, error: Exception) -> str:
    """Why a model did not load: what does not fit between tensors and configuration says more than most errors."""
    from tvbench.checkpoints.layout import misfit

    try:
        found = str(misfit(folder)) if is_gemma2_llava(read_config(folder)) else ""
    except EngineError:
        found = ""
    if not found and "ignore_mismatched_sizes" not in str(error):
        return first_line(error)
    return f"tensors and configuration do not fit: {found or 'some are of another shape'}"


def choose_attention(config: dict[str, Any], asked: str | None) -> str:
    """The attention implementation. Raises EngineError for sdpa with Gemma2: it ignores the attention soft-cap."""
    import importlib.util

    import torch

    capped = _text(config).get("attn_logit_softcapping") is not None or "gemma2" in str(_text(config).get("model_type"))
    if asked == "sdpa" and capped:
        raise EngineError("sdpa ignores Gemma2's attention soft-cap", "set attention to eager or flash_attention_2")
    if asked:
        return str(asked)
    if torch.cuda.is_available() and importlib.util.find_spec("flash_attn") is not None:
        return "flash_attention_2"
    return "eager" if capped else "sdpa"


def dropped_cap(config: dict[str, Any]) -> float | None:
    """The final soft-cap that the model class does not apply itself.

    The LLaVA classes hold a bare Gemma2Model beside a plain head (since transformers 4.52), so it is lost there.
    """
    cap = _text(config).get("final_logit_softcapping", 30.0 if _text(config).get("model_type") == "gemma2" else None)
    return float(cap) if cap is not None and config.get("model_type") in LLAVA_TYPES else None


def context_length(config: dict[str, Any], asked: int | None) -> int:
    """Tokens that prompt and answer may have together."""
    known = _text(config).get("max_position_embeddings") or (8192 if _text(config).get("model_type") else None)
    limits = [int(limit) for limit in (known, asked) if limit]
    return min(limits) if limits else 1 << 30


def _text(config: dict[str, Any]) -> dict[str, Any]:
    text = config.get("text_config")
    return text if isinstance(text, dict) else config
