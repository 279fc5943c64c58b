"""What must hold of a recipe's fields together, beside what each declares of itself. No file, no tensor."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from tvbench.errors import UsageError, unknown_name
from tvbench.safety.fitting import AT_LEAST_0, AT_LEAST_1, Rule, fitted
from tvbench.train.data.entries import Entry
from tvbench.train.generated import generated_world
from tvbench.train.stages import ModelPlan

FOLDER_NAME = re.compile(r"\w[\w.-]*")
SAMPLING = re.compile(r"all|(first|end|random):\d+(\.\d+)?%?")


GENERATED_SIZES = generated_world().SIZES
SIZES: Mapping[str, Rule] = {
    **dict.fromkeys(GENERATED_SIZES, AT_LEAST_1),
    "head_dim": Rule(lambda value: value >= 2 and value % 2 == 0, "an even number of 2 or more", {"multipleOf": 2}),
    "tokenizer_level": Rule(
        lambda value: 1 <= value <= 4, "a level of the mini world, 1 to 4", {"minimum": 1, "maximum": 4}
    ),
}
OPTIONS: Mapping[str, Rule] = {"level": SIZES["tokenizer_level"], "branches": AT_LEAST_1, "more": AT_LEAST_0}
"""Of generated data. Those of files are their readers' matter."""


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


def _check_counts(values: Mapping[str, Any], rules: Mapping[str, Rule], place: str) -> None:
    for name, value in values.items():
        fitted(value, Annotated[int, rules[name]], f"{place}.{name}")
