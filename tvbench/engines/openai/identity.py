"""What a server tells of the model behind a name, and the revision that follows from it.

Taken are facts that stay when the same model is started again and that differ between models: paths, sizes, digests,
the chat template. Times, permissions, free slots and context lengths are not. Knows JSON; asks nobody.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]
Facts: TypeAlias = dict[str, Any]

OF_ENTRY = ("root", "parent", "revision", "sha", "digest", "quantization", "hugging_face_id")
"""What an entry of `/v1/models` may say of a model, whoever serves it."""
OF_META = ("vocab_type", "n_vocab", "n_ctx_train", "n_embd", "n_params", "size", "ftype")
"""llama.cpp's `meta` of an entry, less the context of this start."""
OF_PAGES = {
    "/props": ("model_path", "model_ftype", "chat_template", "bos_token", "eos_token"),
    "/get_model_info": ("model_path", "tokenizer_path", "weight_version"),
}
"""What a page of the server says of the model that it serves."""
LONGEST = 200
"""A longer text stands there as its digest."""
SERVED = "served"


def told_of(entry: Json, pages: Mapping[str, Json], clean: Callable[[str], str]) -> Facts:
    """The facts about one model of the list; `pages` are the server's other pages, by path. `clean` hides the key."""
    meta, props = entry.get("meta"), pages.get("/props", {})
    facts = _picked(entry, OF_ENTRY, clean)
    facts |= {f"meta.{name}": value for name, value in _picked(meta, OF_META, clean).items()}
    for path, names in OF_PAGES.items():
        facts |= _picked(pages.get(path), names, clean)
    defaults = props.get("default_generation_settings")
    params = defaults.get("params") if isinstance(defaults, Mapping) else None
    adapters = params.get("lora") if isinstance(params, Mapping) else None
    if isinstance(adapters, list) and adapters:
        facts["lora"] = _digest(clean(json.dumps(adapters, sort_keys=True, default=str)))
    digest = _ollama_digest(entry.get("id"), pages.get("/api/tags", {}))
    return facts | ({"digest": clean(digest)} if digest else {})


def facts_of(name: str, told: Mapping[str, Facts]) -> Facts:
    """What was told of the model called `name`; of the only one there is, where a server takes any name."""
    if name in told:
        return told[name]
    return next(iter(told.values())) if len(told) == 1 else {}


def served_revision(url: str, facts: Facts, software: str, said: str | None) -> str:
    """The revision of a model on a server: `served-<12 hex>` over its address, what was told of it, and the server's
    software. With `said`, the person's own word for it, that word, and the software no longer counts."""
    known: Facts = {"url": url, "facts": facts} | ({} if said else {"software": software})
    digest = _digest(json.dumps(known, sort_keys=True))
    return f"{said}+{SERVED}-{digest}" if said else f"{SERVED}-{digest}"


def differences(before: Json, now: Json) -> list[str]:
    """In words, what is told otherwise than before."""
    names = [name for name in dict.fromkeys([*before, *now]) if before.get(name) != now.get(name)]
    return [f"{name} {before.get(name, 'not told')} before, {now.get(name, 'not told')} now" for name in names]


def _picked(value: Any, names: Iterable[str], clean: Callable[[str], str]) -> Facts:
    """Those of `names` that hold a plain value."""
    if not isinstance(value, Mapping):
        return {}
    found = {name: _plain(value[name], clean) for name in names if name in value}
    return {name: fact for name, fact in found.items() if fact is not None}


def _plain(value: Any, clean: Callable[[str], str]) -> str | int | float | None:
    """A text or a number of bearable size; None for anything else."""
    if isinstance(value, str):
        text = clean(value)
        return (text if len(text) <= LONGEST and text.isprintable() else f"sha256-{_digest(text)}") or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) and abs(value) < 1 << 63 else None


def _ollama_digest(name: Any, tags: Json) -> str | None:
    """Ollama lists the digests of its models on a page of its own."""
    models = tags.get("models")
    for model in models if isinstance(models, list) else []:
        if isinstance(model, Mapping) and model.get("name") == name and isinstance(model.get("digest"), str):
            return str(model["digest"])
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
