"""Refuses in one sentence what would crash, hang or fill the memory of whoever opens a checkpoint.

Types of what everybody reads in config.json, bounds far beyond any model that there is, and files that are none. Knows
names and numbers; no transformers.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tvbench.errors import EngineError, TvbenchError
from tvbench.registry.local_models import MODEL_TYPE

OBJECTS = frozenset({"text_config", "vision_config", "tvbench"})
DTYPE_NAMES = frozenset({"dtype", "torch_dtype"})
DTYPES = frozenset({"float16", "bfloat16", "float32", "float64"})
LISTS = frozenset({"architectures", "corrections"})
"""What everybody reads, of any family."""
MORE_OBJECTS = frozenset({"rope_parameters", "rope_scaling"})
MORE_TEXTS = frozenset(
    {
        "hidden_act",
        "hidden_activation",
        "projector_hidden_act",
        "vision_aspect_ratio",
        "vision_feature_select_strategy",
        "transformers_version",
        "_attn_implementation",
        "attn_implementation",
    }
)
TOKENS = frozenset({"image_token_index", "image_token_id", "video_token_index", "video_token_id"})
LARGEST = {
    "num_hidden_layers": 1000,
    "num_attention_heads": 10_000,
    "num_key_value_heads": 10_000,
    "head_dim": 100_000,
    "hidden_size": 1_000_000,
    "intermediate_size": 10_000_000,
    "vocab_size": 100_000_000,
    "image_size": 16_384,
    "patch_size": 16_384,
    "num_channels": 64,
    "max_position_embeddings": 1 << 40,
    "sliding_window": 1 << 40,
    "query_pre_attn_scalar": 1e9,
    "attn_logit_softcapping": 1e9,
    "final_logit_softcapping": 1e9,
    "layer_norm_eps": 1.0,
    "rms_norm_eps": 1.0,
    "rope_theta": 1e18,
}
"""Numbers that are above zero and at most this, where they are given."""
REAL = frozenset(
    {
        "query_pre_attn_scalar",
        "attn_logit_softcapping",
        "final_logit_softcapping",
        "layer_norm_eps",
        "rms_norm_eps",
        "rope_theta",
    }
)
MOST_PARAMETERS = 4e12
"""Of embedding, layers and tower together: above any model that there is."""
MOST_GRIDS = 10_000
OPENED = frozenset({".json", ".safetensors", ".jinja", ".model", ".txt", ".tiktoken"})
COMPARE = "compare it with the published config.json"


def check_config(path: Path, config: Mapping[str, Any]) -> None:
    """Raise EngineError, naming `path`, for a configuration that nothing should be built from, of whatever family."""
    _check(path, config, _any_family)


def check_llava_config(path: Path, config: Mapping[str, Any]) -> None:
    """The same for what a LLaVA-type model around Gemma2 is built from. Other families may name things otherwise."""
    _check(path, config, _own_family)
    _check_grids(path, config)


def _check(path: Path, config: Mapping[str, Any], problem_of: Callable[[str, Any], str]) -> None:
    for place, part in _parts(config):
        for name, value in part.items():
            if value is not None and (problem := problem_of(name, value)):
                raise EngineError(f"{path}: {place}{name} {problem}", COMPARE)
        if _parameters(part) > MOST_PARAMETERS:
            raise EngineError(f"{path}: {place or 'it '}describes a model larger than any that there is", COMPARE)


def _parts(config: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    named = [(f"{name}.", part) for name in sorted(OBJECTS) if isinstance(part := config.get(name), dict)]
    return [("", config), *named]


def _any_family(name: str, value: Any) -> str:
    """What is wrong with a value, to be read behind its name."""
    if name in OBJECTS:
        return "" if isinstance(value, dict) else "is not an object"
    if name == "model_type":
        return "" if isinstance(value, str) and MODEL_TYPE.fullmatch(value) else "is not the name of a type"
    if name in DTYPE_NAMES:
        return "" if isinstance(value, str) else "is not a text"
    if name in LISTS:
        return "" if _is_list(value, str) else "is not a list of texts"
    if name in LARGEST and isinstance(value, int | float) and value > LARGEST[name]:
        return f"is {_short(value)}, which no model has"
    return ""


def _own_family(name: str, value: Any) -> str:
    if name in MORE_OBJECTS:
        return "" if isinstance(value, dict) else "is not an object"
    if name in DTYPE_NAMES:
        return "" if value in DTYPES else f"is {value!r}, which is none to compute in"
    if name in MORE_TEXTS:
        return "" if isinstance(value, str) else "is not a text"
    if name in TOKENS:
        return "" if _is_whole(value) and abs(value) < 1 << 31 else "is not a token's number"
    if name == "vision_feature_layer":
        return "" if _is_whole(value) or _is_list(value, int) else "is not a layer's number"
    if name not in LARGEST:
        return ""
    if not (_is_whole(value) or (name in REAL and isinstance(value, float))):
        return "is not a number" if name in REAL else "is not a whole number"
    return "" if 0 < value <= LARGEST[name] else f"is {_short(value)}, which no model has"


def _short(value: float) -> str:
    return "a number of many digits" if isinstance(value, int) and abs(value) > 10**30 else str(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(element, kind) for element in value)


def _parameters(part: Mapping[str, Any]) -> float:
    """How many numbers a part would have, roughly; what is not said counts as one."""

    def number(name: str) -> float:
        value = part.get(name)
        return float(value) if isinstance(value, int | float) and abs(value) < math.inf else 1.0

    size, inner = number("hidden_size"), number("intermediate_size")
    heads = number("num_attention_heads") * number("head_dim")
    layers = number("num_hidden_layers") * size * (3 * inner + 4 * heads)
    return layers + number("vocab_size") * size + (number("image_size") / max(number("patch_size"), 1)) ** 2 * size


def _check_grids(path: Path, config: Mapping[str, Any]) -> None:
    grids = config.get("image_grid_pinpoints")
    if grids is None:
        return
    pairs = (
        isinstance(grids, list)
        and len(grids) <= MOST_GRIDS
        and all(_is_list(grid, int) and len(grid) == 2 for grid in grids)
    )
    if not pairs or not all(0 < side <= LARGEST["image_size"] for grid in grids for side in grid):
        raise EngineError(
            f"{path}: image_grid_pinpoints is not a list of pairs of pixels", "a pair is such as [768, 384]"
        )


def check_files(folder: Path) -> None:
    """Raise EngineError where a file that loaders open by its ending is a pipe or a device: they would wait."""
    for path in sorted(folder.iterdir()):
        if path.suffix in OPENED and path.exists() and not path.is_file() and not path.is_dir():
            raise EngineError(f"{path} is not an ordinary file", "take it away, or copy it again")


def own_code(folder: Path, config: Mapping[str, Any]) -> str:
    """The programs that a checkpoint brings along, where transformers knows no model of its type; else nothing."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    if "auto_map" not in config or config.get("model_type") in CONFIG_MAPPING_NAMES:
        return ""
    return ", ".join(sorted(path.name for path in folder.glob("*.py"))[:3]) or "from elsewhere"


def whole_numbers(value: Any) -> set[int]:
    """The token ids that a setting holds, one or a list. Raises EngineError for anything else."""
    numbers = value if isinstance(value, list) else [value]
    if not all(_is_whole(number) and abs(number) < 1 << 31 for number in numbers):
        raise EngineError(
            f"eos_token_id is {str(value)[:60]}, which names no tokens",
            "write the numbers of tokens into generation_config.json",
        )
    return set(numbers)


@contextmanager
def one_sentence(folder: Path, but: type[Exception] = TvbenchError) -> Iterator[None]:
    """Whatever the libraries raise inside for a checkpoint's files becomes an EngineError: they promise no classes.
    Our own errors pass, and those of the class `but`."""
    try:
        yield
    except (TvbenchError, but):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise EngineError(
            f"the checkpoint in {folder} cannot be used: {reason}",
            f"`tvbench doctor {shlex.quote(str(folder))}` may say more; or copy it again",
        ) from error


def first_line(error: BaseException) -> str:
    """What an error says, in a line of bearable length."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[0][:300]
