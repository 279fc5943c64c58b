"""The JSON schema of `tvbench compare --format json`. Knows no comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tvbench.safety.schema import Schema, document

NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
TEXT: Schema = {"type": "string"}
P: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
TRUTH: Schema = {"type": "boolean"}


def comparison_schema() -> Schema:
    """Of two runs; where more are compared, `more` holds the others in the same form, each against the first."""
    pair = _pair()
    whole = {**pair, "properties": pair["properties"] | {"more": _list(pair)}}
    return document("tvbench compare", {"description": "Runs on the same items (README.md).", **whole})


def _pair() -> Schema:
    return _object(
        {
            "first": TEXT,
            "second": TEXT,
            "resamples": {"type": "integer", "minimum": 1},
            "seed": WHOLE,
            "level": {**NUMBER, "description": "of the intervals: 0.95"},
            "tasks": _list(_task()),
            "damage": _damage(),
        }
    )


def _task() -> Schema:
    language = _object({"language": TEXT, "comparison": _comparison(), "p": P})
    facts = _object({"label": TEXT, "unit": TEXT, "better": {"enum": ["higher", "lower"]}})
    return _object(
        {
            "task": TEXT,
            "metric": TEXT,
            "overall": {**_comparison(), "description": "the mean over languages"},
            "languages": _list(language),
            "left_out": {**WHOLE, "description": "items not answered or not scored in all runs"},
            "same_signature": {**TRUTH, "description": "nothing but who answered differs"},
            "facts": {**facts, "description": "how the metric is shown, and which end is good"},
            "not_resampled": {**TEXT, "description": "why there is no interval and no p; mostly empty"},
        }
    )


def _comparison() -> Schema:
    """`low`, `high`, `p`, `adjusted` and `detectable` are null where there is no interval; `interval` is a key of
    figures that cannot be resampled alone."""
    limit = {"type": ["number", "null"]}
    return _object(
        {
            "first": NUMBER,
            "second": NUMBER,
            "difference": {**NUMBER, "description": "second minus first"},
            "low": limit,
            "high": limit,
            "p": {**P, "description": "of this comparison alone"},
            "items": WHOLE,
            "clusters": {**WHOLE, "description": "pictures or clips"},
            "detectable": {**limit, "description": "the smallest true difference found in 80 % of such data"},
            "adjusted": {**P, "description": "p, adjusted for all that are held together"},
            "together": {"type": "integer", "minimum": 1},
            "identical": {**TRUTH, "description": "no item differs"},
            "needed": {"type": ["integer", "null"], "description": "pictures without which nothing can be certain"},
        },
        {"interval": {"type": "null"}},
    )


def _damage() -> Schema:
    """What is broken in the second run and was not in the first (docs/explain.md)."""
    share = _object({"right": WHOLE, "items": WHOLE})
    share_or_none = {**share, "type": ["object", "null"]}
    named = {"type": "array", "prefixItems": [TEXT, WHOLE], "minItems": 2, "maxItems": 2}
    language = _object(
        {
            "language": TEXT,
            "now": share,
            "before": share_or_none,
            "chance": NUMBER,
            "looks": _list(named),
            "mixed": _list(named),
            "p": P,
            "tasks": _list(TEXT),
        }
    )
    kept = {"type": ["array", "null"], "prefixItems": [TEXT, share], "minItems": 2, "maxItems": 2}
    loss = _object({"languages": _list(language), "scripts": _list(TEXT), "kept": kept})
    word = {"type": "object", "properties": {"language": TEXT, "word": TEXT}, "required": ["language", "word"]}
    return _object({"losses": _list(loss), "words": _list(word), "tested": _list(TEXT)})


def _list(inner: Schema) -> Schema:
    return {"type": "array", "items": inner}


def _object(needed: Mapping[str, Any], others: Mapping[str, Any] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**needed, **(others or {})},
        "required": list(needed),
        "additionalProperties": False,
    }
