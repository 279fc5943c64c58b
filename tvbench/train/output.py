"""The output folder of a training run: what was asked, what is done, and what may go on.

Nothing is written before it is known that all of it can be done: every check here reads only. Knows the folders of runs
(session.py draws them) and the names of stages; no tensor and no data.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tvbench.errors import TvbenchError, UsageError
from tvbench.train.reuse import RECIPE, shared_folders, take_over
from tvbench.train.stages import Recipe, Stage

Said = Mapping[str, Any]
"""A recipe as recipe.json has it."""


def stage_folder(output: Path, stage: Stage) -> Path:
    """`OUTPUT/2-vision`."""
    return output / f"{stage.number}-{stage.name}"


def stage_model(output: Path, stage: Stage) -> Path:
    """The checkpoint that a stage leaves when it is done."""
    return stage_folder(output, stage) / "model"


class Output:
    """The folder that `recipe` is trained into, perhaps begun before, perhaps with stages of `reuse`.

    Raises UsageError for a folder of another recipe, for unfinished work without `resume`, for a folder that holds
    other things, and where `reuse` has nothing to give.
    """

    def __init__(self, recipe: Recipe, path: Path, *, resume: bool, reuse: Path | None) -> None:
        self.recipe, self.path, self._reuse = recipe, path, reuse
        self._said: Said = json.loads(json.dumps(asdict(recipe), ensure_ascii=False, default=list))
        self._begun = self._begun_before(resume)
        self._shared = shared_folders(self._said, reuse) if reuse is not None else []

    def is_done(self, stage: Stage) -> bool:
        """Whether the stage's model is there, or will be taken over."""
        model = stage_model(self.path, stage)
        return (model / "config.json").is_file() or str(model.relative_to(self.path)) in self._shared

    def waiting(self, only: int | None) -> tuple[Stage, ...]:
        """The stages that are to be trained, of those with the number `only` where it is given. Raises UsageError where
        a stage before them is missing."""
        left = [stage for stage in self.recipe.stages if not self.is_done(stage)]
        if only is None:
            return tuple(left)
        chosen = [stage for stage in left if stage.number == only]
        missing = next((stage for stage in left if stage.number < only), None)
        if chosen and missing is not None:
            raise UsageError(
                f"stage {only} goes on from stage {missing.number} ({missing.name}), which is not in {self.path}",
                f"--stage {missing.number} first, or no --stage for all; --reuse DIR takes it from another run",
            )
        return tuple(chosen)

    def begin(self) -> None:
        """Note the recipe, and take over what another run has trained. Raises UsageError where it cannot be written."""
        kept = self._begun[len(self._said["stages"]) :]
        said = {**self._said, "stages": [*self._said["stages"], *kept]}
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            beside = self.path / f".{RECIPE}"
            beside.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            beside.replace(self.path / RECIPE)
            if self._reuse is not None:
                take_over(self._shared, self._reuse, self.path)
        except OSError as error:
            if is_full(error):
                raise
            raise UsageError(f"cannot write to {self.path}: {error.strerror}", "choose another --output") from error

    def _begun_before(self, resume: bool) -> Sequence[Said]:
        """The stages up to the last one that was begun here; they must be those of the recipe."""
        path = self.path / RECIPE
        if not path.is_file():
            if self.path.is_dir() and any(self.path.iterdir()):
                raise UsageError(f"{self.path} is not empty and holds no training run", "choose another --output")
            return ()
        if not resume:
            raise UsageError(
                f"{self.path} holds a training run already", "--resume goes on with it; --output DIR starts over"
            )
        before = _read(path)
        stages = list(before["stages"])
        while stages and not (self.path / f"{stages[-1]['number']}-{stages[-1]['name']}").exists():
            stages.pop()
        differs = _difference(before, self._said, stages)
        if differs:
            hint = "use the same --recipe, --size, --variant and --set, or another --output; --reuse "
            hint += f"{self.path} with a new --output keeps the stages that are the same"
            raise UsageError(f"{self.path} was begun with another recipe: {differs}", hint)
        return stages


def is_full(error: BaseException) -> bool:
    """Whether a write failed because there was no room, as the system, safetensors or torch say it."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return True
    return any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@contextmanager
def room_for(output: Path) -> Iterator[None]:
    """Turns a full disk, wherever it was met, into a TvbenchError that says how to go on."""
    try:
        yield
    except Exception as error:  # tokenizers raises a plain Exception
        if isinstance(error, TvbenchError) or not is_full(error):
            raise
        shutil.rmtree(output / ".assembled.partial", ignore_errors=True)
        raise TvbenchError(
            f"the disk is full: {output} cannot be written",
            "make room and run the same command with --resume: it goes on from what was saved last",
        ) from error


def _read(path: Path) -> Said:
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        if all({"number", "name"} <= stage.keys() for stage in before["stages"]) and "model" in before:
            return dict(before)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    raise UsageError(f"{path} is damaged", "choose another --output; --reuse cannot read it either")


def _difference(before: Said, said: Said, begun: Sequence[Said]) -> str:
    """What of the model or the begun stages differs, or nothing."""
    if before["model"] != said["model"]:
        return f"model ({_keys(before['model'], said['model'])})"
    for old, new in zip(begun, said["stages"], strict=False):
        if old != new:
            return f"stage {old['number']} {old['name']} ({_keys(old, new)})"
    return ""


def _keys(old: Said, new: Said) -> str:
    return ", ".join(key for key in {**old, **new} if old.get(key) != new.get(key))
