"""Which values a recipe's fields may have, beside being of the right kind. Tables; no file, no tensor."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tvbench.errors import UsageError, unknown_name
from tvbench.train.data.entries import Entry
from tvbench.train.generated import generated_world
from tvbench.train.stages import ModelPlan

FOLDER_NAME = re.compile(r"\w[\w.-]*")
SAMPLING = re.compile(r"all|(first|end|random):\d+(\.\d+)?%?")


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
    "number": AT_LEAST_0,
    "batch": AT_LEAST_1,
    "micro_batch": AT_LEAST_1,
    "epochs": ABOVE_0,
    "steps": AT_LEAST_1,
    "stated_samples": AT_LEAST_1,
    "warmup": PART_BELOW_1,
    "final_rate": PART,
    "betas": PART_BELOW_1,
    "eps": ABOVE_0,
    "weight_decay": AT_LEAST_0,
    "clip": ABOVE_0,
    "max_length": Range(lambda value: value >= 2, "2 or more"),
    "frames": AT_LEAST_1,
    "save_every": ABOVE_0,
    "log_every": AT_LEAST_1,
    "workers": AT_LEAST_0,
    "seed": Range(lambda value: 0 <= value < 2**63, "from 0 to 2**63 - 1"),
    "rates": AT_LEAST_0,
    # a dataset
    "weight": AT_LEAST_0,
    "most_per_language": AT_LEAST_1,
    "samples": AT_LEAST_1,
    "tokens": AT_LEAST_1,
    # a model
    "image_size": AT_LEAST_1,
    "patch_size": AT_LEAST_1,
    "vision_layers": AT_LEAST_1,
    "max_tiles": AT_LEAST_1,
}
"""By field; of a list or a mapping, every value. Every number is finite besides."""

GENERATED_SIZES = generated_world().SIZES
SIZES: Mapping[str, Range] = {
    **dict.fromkeys(GENERATED_SIZES, AT_LEAST_1),
    "head_dim": Range(lambda value: value >= 2 and value % 2 == 0, "an even number of 2 or more"),
    "tokenizer_level": Range(lambda value: 1 <= value <= 4, "a level of the mini world, 1 to 4"),
}
OPTIONS: Mapping[str, Range] = {"level": SIZES["tokenizer_level"], "branches": AT_LEAST_1, "more": AT_LEAST_0}
"""Of generated data. Those of files are their readers' matter."""


def check_ranges(values: Mapping[str, Any], place: str) -> None:
    """Raises UsageError for the first number that cannot be."""
    for name, value in values.items():
        for where, number in _numbers(f"{place}.{name}", value):
            if not math.isfinite(number):
                raise UsageError(f"{where}: {number} is not possible", "it is a finite number")
            known = RANGES.get(name)
            if known is not None and not known.holds(number):
                raise UsageError(f"{where}: {number:g} is not possible", f"it is {known.said}")


def check_entry(entry: Entry, place: str) -> None:
    """Raises UsageError for two places, a sampling that cannot be read, and what the generated world does not have."""
    places = [name for name in ("path", "hub", "generated") if getattr(entry, name)]
    if len(places) > 1:
        raise UsageError(
            f"{place}: both {' and '.join(places)} are named, and data lie in one place",
            f"--set datasets.{entry.name}.{places[-1]}=null",
        )
    if not SAMPLING.fullmatch(entry.sampling):
        raise UsageError(
            f"{place}.sampling: '{entry.sampling}' cannot be read", "all, first:N, end:N or random:N; N may be 10%"
        )
    if entry.generated is not None:
        _check_languages(entry.languages, f"{place}.languages")
        if set(entry.languages) == {"en"} and str(entry.options.get("kind")).endswith("translation"):
            raise UsageError(
                f"{place}.languages: translations are from English, and there is no other language",
                f"--set 'datasets.{entry.name}.languages=[de]'",
            )
        _check_counts(
            {name: value for name, value in entry.options.items() if name in OPTIONS}, OPTIONS, f"{place}.options"
        )


def check_model(model: ModelPlan, place: str) -> None:
    """Raises UsageError for parts without a name, for a tile without a patch, and for a size of generated parts that is
    not known, or not possible."""
    for name in ("text", "vision"):
        if not getattr(model, name):
            raise UsageError(f"{place}.{name} is empty", f"--set model.{name}=ORG/NAME, or a folder")
    if model.patch_size > model.image_size:
        raise UsageError(
            f"{place}: patches of {model.patch_size} pixels do not fit into {model.image_size}",
            "--set model.patch_size=14",
        )
    for name, value in model.sizes.items():
        if name not in SIZES:
            raise unknown_name(f"size in {place}.sizes", str(name), SIZES)
        if name == "languages":
            if not isinstance(value, list | tuple) or not value:
                raise UsageError(
                    f"{place}.sizes.languages: must be a list of languages, not {value!r}", "such as [en, de]"
                )
            _check_languages(value, f"{place}.sizes.languages")
    _check_counts({name: value for name, value in model.sizes.items() if name != "languages"}, SIZES, f"{place}.sizes")


def _check_languages(languages: Sequence[Any], place: str) -> None:
    for language in languages:
        if language not in GENERATED_SIZES["languages"]:
            raise unknown_name(f"language in {place}", str(language), GENERATED_SIZES["languages"])


def _check_counts(values: Mapping[str, Any], ranges: Mapping[str, Range], place: str) -> None:
    for name, value in values.items():
        if type(value) is not int:
            raise UsageError(f"{place}.{name}: must be a whole number, not {value!r}", f"it is {ranges[name].said}")
        if not ranges[name].holds(value):
            raise UsageError(f"{place}.{name}: {value} is not possible", f"it is {ranges[name].said}")


def _numbers(place: str, value: Any) -> list[tuple[str, float]]:
    """Every number of a value with its place."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int | float):
        return [(place, value)]
    if isinstance(value, Mapping):
        return [found for name, inner in value.items() for found in _numbers(f"{place}.{name}", inner)]
    if isinstance(value, list | tuple):
        return [found for inner in value for found in _numbers(place, inner)]
    return []
