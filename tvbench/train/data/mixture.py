"""Mixture files: the fork's `datasets: [{json_path, sampling_strategy, source_language}]`, and more fields of ours.

    datasets:
      - {json_path: "/data/{a,b}.json", sampling_strategy: "random:10%", source_language: multilingual}
      - {name: blocks, hub: utter-project/VisionBlocks, config: dvqa, split: train, weight: 0.5, languages: [de, fr]}

Knows entries; opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tvbench.errors import UsageError
from tvbench.safety.bounded import read_yaml

FORK_NAMES = {"json_path": "path", "sampling_strategy": "sampling"}


def read_mixture(path: Path) -> dict[str, dict[str, Any]]:
    """The datasets of a mixture file by name, as a recipe's `datasets` are written; relative paths (`path`,
    `options.images`) are the file's.

    A dataset without a name is called after its file. Raises UsageError.
    """
    try:
        raw = read_yaml(path)
    except OSError as error:
        raise UsageError(f"cannot read the mixture {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(raw, Mapping) or not isinstance(raw.get("datasets"), list) or not raw["datasets"]:
        raise UsageError(f"{path} is not a mixture: it has no list `datasets`")
    found: dict[str, dict[str, Any]] = {}
    for number, given in enumerate(raw["datasets"], 1):
        if not isinstance(given, Mapping):
            raise UsageError(f"{path}: dataset {number} is not a mapping")
        entry = {FORK_NAMES.get(str(name), str(name)): value for name, value in given.items()}
        if "path" in entry:
            entry["path"] = str(path.parent / str(entry["path"]))
        options = entry.get("options")
        if isinstance(options, Mapping) and "images" in options:
            entry["options"] = {**options, "images": str(path.parent / str(options["images"]))}
        name = str(entry.pop("name", None) or Path(str(entry.get("path", entry.get("hub", number)))).stem)
        if name in found:
            raise UsageError(f"{path}: two datasets are called {name}", "give one of them another name")
        found[name] = entry
    return found
