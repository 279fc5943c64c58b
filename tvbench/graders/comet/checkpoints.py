"""Which COMET checkpoint is meant by a name or a path, where it lies, and what exactly it is.

Downloads through `tvbench.registry.hub`, so that the commit is known before anything is scored. Reads hparams.yaml,
loads no weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvbench.errors import EngineError, UsageError, unknown_name
from tvbench.registry import hub
from tvbench.registry.local_models import content_digest
from tvbench.safety.bounded import read_yaml
from tvbench.scoring.metrics.comet import METRICS

KNOWN = {metric.checkpoint: (metric.repo, metric.id) for metric in METRICS if metric.checkpoint}
"""What `--checkpoint` may say: the repository on the hub, and the metric's id."""

CHECKPOINT_FILE = "checkpoints/model.ckpt"
SETTINGS_FILE = "hparams.yaml"
CONTENT = frozenset({".ckpt", ".yaml", ".json", ".model"})
ENCODER_FILES = ("*.json", "*.model", "*.txt")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
IN_HUB_CACHE = re.compile(r"models--(?P<org>.+?)--(?P<name>.+)")
REFERENCE_FREE = "referenceless_regression_metric"
UNIFIED = "unified_metric"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`metric` is the id of its figures; `name` and `revision` say what it is (a commit, or a digest of the content).

    `identity` is what the scores' keys cover: a local folder may be moved without losing its scores. `path` is the
    .ckpt file; `reads_reference` says whether a reference moves its score.
    """

    metric: str
    name: str
    revision: str
    identity: str
    path: Path
    reads_reference: bool


def find_checkpoint(text: str, *, offline: bool = False) -> Checkpoint:
    """The checkpoint meant by `text`: a known name, a hub id, a .ckpt file or the folder that holds one.

    Raises UsageError for what is not one, and what `hub.snapshot` raises; UsageError offline where it is not here.
    """
    path = Path(text).expanduser()
    if path.exists():
        return _local(path)
    repo = next((repo for name, (repo, _) in KNOWN.items() if text.casefold() in (name, repo.casefold())), None)
    if repo is None and (text.endswith(".ckpt") or text.startswith((".", "/", "~")) or text.count("/") > 1):
        raise UsageError(f"there is no file or folder {text}", f"or a name: {', '.join(KNOWN)}")
    if repo is None and not HUB_ID.fullmatch(text):
        raise unknown_name("COMET checkpoint", text, KNOWN, "or give the path of a .ckpt file, or of its folder")
    return _from_hub(repo or text, offline=offline)


def _from_hub(repo: str, *, offline: bool) -> Checkpoint:
    try:
        folder = hub.snapshot(repo, kind="model", files=(SETTINGS_FILE, CHECKPOINT_FILE), offline=offline)
        settings = _settings(folder)
        encoder = str(settings.get("pretrained_model", ""))
        if not Path(encoder).is_dir():
            hub.snapshot(encoder, kind="model", files=ENCODER_FILES, offline=offline)
    except EngineError as error:
        raise UsageError(
            error.message,
            f"`tvbench fetch --comet {repo}` where there is a network (cache: HF_HOME), or name a local "
            "copy: --checkpoint PATH",
        ) from error
    return _named(repo, folder.name, folder, settings)


def _local(path: Path) -> Checkpoint:
    file = (path / CHECKPOINT_FILE if path.is_dir() else path).absolute()
    # COMET finds the settings from the file: two levels up.
    root = file.parent.parent
    if not file.is_file():
        raise UsageError(
            f"{path} is not a COMET checkpoint: it has no {CHECKPOINT_FILE}",
            "give the .ckpt file, or the folder that holds hparams.yaml and checkpoints/",
        )
    settings = _settings(root)
    cached = IN_HUB_CACHE.fullmatch(root.parent.parent.name) if root.parent.name == "snapshots" else None
    if cached:
        return _named(f"{cached['org']}/{cached['name']}", root.name, root, settings)
    digest = content_digest(root, CONTENT)
    if file != root / CHECKPOINT_FILE:
        digest += f"/{file.name}"
    name = re.sub(r"[^\w.-]+", "-", root.name) or "checkpoint"
    metric = f"comet:{name}-{digest.partition('-')[2][:8]}"
    return Checkpoint(metric, name, digest, digest, file, _reads_reference(settings))


def _named(repo: str, revision: str, folder: Path, settings: Mapping[str, Any]) -> Checkpoint:
    metric = next((metric for known, metric in KNOWN.values() if known.casefold() == repo.casefold()), None)
    metric = metric or f"comet:{repo.partition('/')[2]}"
    path = folder / CHECKPOINT_FILE
    return Checkpoint(metric, repo, revision, f"{repo}@{revision}", path, _reads_reference(settings))


def _settings(root: Path) -> dict[str, Any]:
    """hparams.yaml. Raises UsageError where it is missing or not readable."""
    path = root / SETTINGS_FILE
    try:
        settings = read_yaml(path)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read: {str(error).splitlines()[0]}",
            "a COMET checkpoint is hparams.yaml next to checkpoints/model.ckpt",
        ) from error
    if not isinstance(settings, dict) or "class_identifier" not in settings:
        raise UsageError(f"{path} does not name a COMET model class (class_identifier)")
    return settings


def _reads_reference(settings: Mapping[str, Any]) -> bool:
    kind = settings["class_identifier"]
    if kind == UNIFIED:
        return "ref" in settings.get("input_segments", ("mt", "src", "ref"))
    return bool(kind != REFERENCE_FREE)
