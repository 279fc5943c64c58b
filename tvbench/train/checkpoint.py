"""Checkpoints of a stage in the middle: weights, optimizer, random states and the place in the data.

    checkpoints/step-000120/   sharded safetensors, written by torch's distributed checkpointing (DCP)
                               progress.json: step, samples, world size, stage digest

Every process writes its own shards, and any number of processes can read them: tensors are cut anew on loading. DCP's
safetensors storage is used, because its default one is read by unpickling. A checkpoint is written beside its place
and renamed when it is whole, so that a full disk or a kill leaves the last good one; the newest two are kept.
Knows tensors by name and folders; no data and no loss.
"""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from safetensors import SafetensorError
from torch import nn
from torch.distributed.checkpoint import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.api import CheckpointException

from tvbench.errors import TvbenchError, UsageError
from tvbench.train.output import is_full
from tvbench.train.parallel import World

KEPT = 2
PROGRESS = "progress.json"
MOMENTS = ("exp_avg", "exp_avg_sq")
_NAME = re.compile(r"step-(\d{6,})")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is: finished optimizer steps, and what must be the same when it is continued. `samples` were
    learned from, `skipped` could not be."""

    step: int
    digest: str
    samples: int = 0
    skipped: int = 0


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint in `folder`, if any. One without readable progress is passed over."""
    whole = [path for path in checkpoints(folder) if _readable(path)]
    return whole[-1] if whole else None


def checkpoints(folder: Path) -> list[Path]:
    """All checkpoint folders, oldest first; unfinished ones have other names."""
    found = [path for path in folder.glob("step-*") if _NAME.fullmatch(path.name)] if folder.is_dir() else []
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))


def read_progress(path: Path) -> Progress:
    """Raises UsageError where the checkpoint's progress cannot be read."""
    try:
        progress = Progress(**json.loads((path / PROGRESS).read_text(encoding="utf-8")))
        if not all(isinstance(number, int) for number in (progress.step, progress.samples, progress.skipped)):
            raise TypeError("its counts are no numbers")
        return progress
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is not a whole checkpoint: {error}", "remove it; an older one is used") from error


def _put(work: Path, target: Path, progress: Progress) -> None:
    (work / PROGRESS).write_text(json.dumps(asdict(progress), indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    work.rename(target)
    for old in checkpoints(target.parent)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def save(folder: Path, trainee: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress, world: World) -> Path:
    """Write a checkpoint, all processes together. Raises TvbenchError where there is no room; older ones stay."""
    target = folder / f"step-{progress.step:06}"
    work = folder / f".{target.name}.partial"
    if world.first:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
    world.wait()
    try:
        writer = HuggingFaceStorageWriter(str(work), save_distributed=True)
        with _quietly():
            dcp.save(_state(trainee, optimizer, world), storage_writer=writer, no_dist=world.size == 1)
        if world.first:
            _put(work, target, progress)
    except (OSError, RuntimeError, CheckpointException) as error:
        shutil.rmtree(work, ignore_errors=True)
        raise _not_saved(target, error) from error
    world.wait()
    return target


def load(path: Path, trainee: nn.Module, optimizer: torch.optim.Optimizer, world: World) -> Progress:
    """Put a checkpoint into `trainee` and `optimizer`. Raises UsageError for a damaged one, or another model's."""
    progress = read_progress(path)
    _allocate_moments(optimizer, progress.step)
    state = _state(trainee, optimizer, world)
    try:
        known = _stored_shapes(path)
        state = {name: tensor for name, tensor in state.items() if name in known or not name.startswith("random.")}
        _check_shapes(path, state, known)
        with torch.no_grad(), _quietly():
            dcp.load(state, storage_reader=HuggingFaceStorageReader(str(path)), no_dist=world.size == 1)
    except (OSError, RuntimeError, SafetensorError, CheckpointException) as error:
        raise UsageError(
            f"{path} is damaged: {str(error).strip().splitlines()[-1]}",
            "remove that folder; the checkpoint before it is used then",
        ) from error
    random_state = state.get(f"random.{world.rank}")
    if random_state is not None:
        torch.set_rng_state(random_state)
    return progress


def _check_shapes(path: Path, state: Mapping[str, Any], known: Mapping[str, tuple[int, ...]]) -> None:
    missing = [name for name in state if name not in known]
    if missing:
        raise UsageError(
            f"{path} is not whole: {len(missing)} tensors are missing, first {missing[0]}",
            "remove that folder; the checkpoint before it is used then",
        )
    wrong = [name for name, tensor in state.items() if known[name] != tuple(tensor.shape)]
    if wrong:
        raise UsageError(
            f"{path} does not fit: {len(wrong)} tensors are of another shape, first {wrong[0]}",
            "it is of another model or stage: use another --output",
        )


# ── State by name ─────────────────────────────────────────────────────────────────────────────────


def _state(trainee: nn.Module, optimizer: torch.optim.Optimizer, world: World) -> dict[str, Any]:
    """Every tensor of the state by a name that does not depend on how it is sharded."""
    state: dict[str, Any] = {}
    moments: Mapping[Any, Mapping[str, Any]] = optimizer.state
    for name, parameter in trainee.named_parameters():
        state[f"weights.{name}"] = parameter.detach()
        for moment in MOMENTS:
            if moment in moments.get(parameter, {}):
                state[f"{moment}.{name}"] = moments[parameter][moment]
    state[f"random.{world.rank}"] = torch.get_rng_state()
    return state


def _allocate_moments(optimizer: torch.optim.Optimizer, step: int) -> None:
    """AdamW's state as after `step` steps, with empty moments to be filled."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            moments = {moment: torch.zeros_like(parameter) for moment in MOMENTS}
            optimizer.state[parameter] = {"step": torch.tensor(float(step)), **moments}


def _stored_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    stored = HuggingFaceStorageReader(str(path)).read_metadata().state_dict_metadata
    return {name: tuple(tensor.size) for name, tensor in stored.items()}


def _readable(path: Path) -> bool:
    try:
        read_progress(path)
    except UsageError:
        return False
    return True


@contextmanager
def _quietly() -> Iterator[None]:
    """Without DCP's warning that there is one process: we know."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def _not_saved(target: Path, error: BaseException) -> TvbenchError:
    kept = newest(target.parent)
    reason = "the disk is full" if is_full(error) else f"{type(error).__name__}: {error}"
    return TvbenchError(
        f"could not save {target}: {reason}",
        f"the last good checkpoint is {kept or 'the start of the stage'}; make room and run the same "
        "command with --resume",
    )
