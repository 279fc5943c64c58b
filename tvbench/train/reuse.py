"""Stages that another run has already trained in the same way: taken from there instead of trained again.

An ablation changes one stage; those before it are the same work. Two stages are the same when all their settings are,
the model is, and all stages before them are. Knows the folders of runs (session.py); no tensor.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tvbench.errors import UsageError
from tvbench.safety.bounded import read_json

RECIPE = "recipe.json"


def shared_folders(recipe: Mapping[str, Any], earlier: Path) -> list[str]:
    """The model before the first stage, and those after each stage that `earlier` has trained as `recipe` (as its
    recipe.json says it) would: folders below `earlier`.

    Raises UsageError where no stage is the same.
    """
    known = _read(earlier)
    if known.get("model") != recipe["model"]:
        raise UsageError(f"{earlier} was trained from another model", "--reuse takes a run of the same model")
    stages: list[str] = []
    for stage, other in zip(recipe["stages"], known.get("stages", ()), strict=False):
        folder = f"{stage['number']}-{stage['name']}/model"
        if stage != other or not (earlier / folder / "config.json").is_file():
            break
        stages.append(folder)
    if not stages:
        raise UsageError(
            f"{earlier} has trained no stage in the way this recipe does",
            "--reuse takes the stages before the first that differs",
        )
    return ["assembled", *stages]


def take_over(folders: Sequence[str], earlier: Path, output: Path) -> None:
    """Copy `folders` of `earlier` into `output`, those that are not there yet. Raises OSError."""
    for folder in folders:
        source, target = earlier / folder, output / folder
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f"{target.name}.unfinished")  # a folder is there as a whole, or not at all
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(source, unfinished)
        unfinished.rename(target)


def _read(earlier: Path) -> Mapping[str, Any]:
    try:
        known = read_json(earlier / RECIPE)
    except (OSError, ValueError) as error:
        raise UsageError(f"{earlier} holds no training run", "--reuse takes the --output of an earlier run") from error
    if not isinstance(known, dict):
        raise UsageError(f"{earlier / RECIPE} is damaged", "--reuse takes the --output of an earlier run")
    return known
