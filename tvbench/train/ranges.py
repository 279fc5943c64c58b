"""Which values a recipe's fields may have, beside being of the right kind. One table; no file, no tensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tvbench.errors import UsageError, unknown_name
from tvbench.train.small_sizes import DEFAULTS


class Range(NamedTuple):
    """What holds of a value, and how that is said."""

    holds: Callable[[float], bool]
    said: str


ABOVE_0 = Range(lambda value: value > 0, "above 0")
AT_LEAST_0 = Range(lambda value: value >= 0, "0 or more")
AT_LEAST_1 = Range(lambda value: value >= 1, "1 or more")
PART = Range(lambda value: 0 <= value <= 1, "0 to 1")
PART_BELOW_1 = Range(lambda value: 0 <= value < 1, "from 0 to below 1")

RANGES: Mapping[str, Range] = {
    # a stage
    "number": AT_LEAST_0, "batch": AT_LEAST_1, "micro_batch": AT_LEAST_1, "epochs": ABOVE_0, "steps": AT_LEAST_1,
    "stated_samples": AT_LEAST_1, "warmup": PART_BELOW_1, "final_rate": PART, "betas": PART_BELOW_1, "eps": ABOVE_0,
    "weight_decay": AT_LEAST_0, "clip": ABOVE_0, "max_length": Range(lambda value: value >= 2, "2 or more"),
    "frames": AT_LEAST_1, "save_every": ABOVE_0, "log_every": AT_LEAST_1, "workers": AT_LEAST_0,
    "seed": AT_LEAST_0, "rates": AT_LEAST_0,
    # a dataset
    "weight": AT_LEAST_0, "most_per_language": AT_LEAST_1, "samples": AT_LEAST_1, "tokens": AT_LEAST_1,
    # a model
    "image_size": AT_LEAST_1, "patch_size": AT_LEAST_1, "vision_layers": AT_LEAST_1, "max_tiles": AT_LEAST_1,
}
"""By field; of a list or a mapping, every value. Every number is finite besides."""


def check_ranges(values: Mapping[str, Any], place: str) -> None:
    """Raises UsageError for the first number that cannot be."""
    for name, value in values.items():
        for where, number in _numbers(f"{place}.{name}", value):
            if not math.isfinite(number):
                raise UsageError(f"{where}: {number} is not possible")
            known = RANGES.get(name)
            if known is not None and not known.holds(number):
                raise UsageError(f"{where}: {number:g} is not possible", f"it is {known.said}")


def check_sizes(sizes: Mapping[str, Any], place: str) -> None:
    """Raises UsageError for a size of a model's parts that is not known, or no count."""
    for name, value in sizes.items():
        if name not in DEFAULTS:
            raise unknown_name(f"size in {place}", str(name), DEFAULTS)
        if name == "languages":
            if not isinstance(value, list | tuple) or not value:
                raise UsageError(f"{place}.languages: must be a list of languages, not {value!r}", "such as [en, de]")
            for language in value:
                if language not in DEFAULTS["languages"]:
                    raise unknown_name(f"language in {place}", str(language), DEFAULTS["languages"])
        elif not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UsageError(f"{place}.{name}: must be a whole number of 1 or more, not {value!r}")


def _numbers(place: str, value: Any) -> list[tuple[str, float]]:
    """Every number of a value with its place."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int | float):
        return [(place, value)]
    if isinstance(value, Mapping):
        return [one for name, inner in value.items() for one in _numbers(f"{place}.{name}", inner)]
    if isinstance(value, list | tuple):
        return [one for inner in value for one in _numbers(place, inner)]
    return []
