"""The sizes of generated parts where a recipe does not give them."""

from __future__ import annotations

from typing import Any

from tvbench.mini.grammars import LANGUAGES

DEFAULTS: dict[str, Any] = {
    "hidden": 128,
    "layers": 4,
    "heads": 4,
    "kv_heads": 2,
    "head_dim": 32,
    "intermediate": 384,
    "vocabulary": 2048,
    "sliding_window": 1024,
    "context": 2048,
    "vision_hidden": 96,
    "vision_layers": 3,
    "vision_heads": 4,
    "vision_intermediate": 192,
    "languages": LANGUAGES,
    "tokenizer_level": 2,
    "tokenizer_count": 40,
}
