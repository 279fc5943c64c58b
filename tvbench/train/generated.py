"""Generated worlds to learn from, by name: what `generated: mini` in an entry and generated parts of a model stand for.

A world is a module that is named here and imported when it is asked for, so that the trainer knows none, and a world
may know the trainer's samples and stages. No tensor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from tvbench.errors import UsageError
from tvbench.train.data.entries import Entry
from tvbench.train.stages import ModelPlan, Stage

if TYPE_CHECKING:
    from tvbench.train.data.corpus import Corpus

WORLDS = {"mini": "tvbench.mini.training.lessons"}
MINI = "mini"
"""The world of generated parts and of the stage whose objective is `patches`: they name none."""


class GeneratedWorld(Protocol):
    """What a module of WORLDS holds."""

    @property
    def SIZES(self) -> Mapping[str, Any]:
        """The sizes of generated parts where a recipe does not give them."""
        ...

    def canvases(self, level: int) -> Sequence[tuple[int, int]]:
        """(height, width) of the pictures of a level."""
        ...

    def corpus(self, entry: Entry) -> Corpus:
        """The samples of an entry. Raises UsageError for options that the world does not have."""
        ...

    def text_part(self, plan: ModelPlan, folder: Path, seed: int) -> tuple[dict[str, Any], Iterator[tuple[str, Any]]]:
        """Configuration and tensors of a random text model; its tokenizer is written into `folder`."""
        ...

    def vision_part(self, plan: ModelPlan, seed: int) -> tuple[dict[str, Any], Iterator[tuple[str, Any]]]:
        """Configuration and tensors of a random tower."""
        ...

    def patch_trainee(self, model: Any) -> Any:
        """The model whose tower learns what patches show."""
        ...

    def patch_feed(
        self, stage: Stage, tile: int, patch: int, level: int, start: int, steps: int
    ) -> Iterator[list[Any]]:
        """The batches of steps `start` to `steps` - 1 of that."""
        ...


def generated_world(name: str = MINI) -> GeneratedWorld:
    """The world `name`. Raises UsageError where there is none."""
    if name not in WORLDS:
        raise UsageError(f"there is no generated world '{name}'", f"generated: {' or '.join(WORLDS)}")
    return cast(GeneratedWorld, import_module(WORLDS[name]))
