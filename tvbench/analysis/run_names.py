"""What tables call runs: the model's name, and in words what tells two runs of one model apart.

Knows manifests; no figure and no table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from tvbench.analysis.grounding import is_blind
from tvbench.runs.manifest import Manifest
from tvbench.runs.store import RunFolder

BLANK, WITHOUT = "blank pictures", "without pictures"


def run_names(runs: Sequence[RunFolder]) -> list[str]:
    """A name for each run, all of them different: `tower-mini` and `tower-mini, blank pictures`."""
    manifests = [run.manifest() for run in runs]
    names = [", ".join(filter(None, (one.label, _pictures(one)))) for one in manifests]
    for told_apart in WAYS:
        names = _longer(names, [told_apart(one) for one in manifests])
    names = [run.name if names.count(name) > 1 else name for run, name in zip(runs, names, strict=True)]
    seen: Counter[str] = Counter()
    for number, name in enumerate(names):
        seen[name] += 1
        names[number] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return names


def _longer(names: Sequence[str], words: Sequence[str]) -> list[str]:
    """Names that occur twice with a word more, where that tells some of their runs apart."""
    said: dict[str, set[str]] = {}
    for name, word in zip(names, words, strict=True):
        said.setdefault(name, set()).add(word)
    return [
        f"{name}, {word}" if len(said[name]) > 1 and word else name for name, word in zip(names, words, strict=True)
    ]


def _pictures(manifest: Manifest) -> str:
    """How the pictures were taken away from a model that saw none in any task."""
    asked = manifest.ask.tasks
    if not asked or not all(map(is_blind, asked)):
        return ""
    return WITHOUT if any(not task.media for task in asked) else BLANK


def _protocols(manifest: Manifest) -> str:
    return ", ".join(dict.fromkeys(f"protocol {task.protocol}" for task in manifest.tasks))


def _engine(manifest: Manifest) -> str:
    return manifest.engine.name


def _revision(manifest: Manifest) -> str:
    return manifest.model.revision[:12]


WAYS: tuple[Callable[[Manifest], str], ...] = (_engine, _revision, _protocols)
