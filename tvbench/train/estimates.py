"""What is known of a stage's data before it is trained: how many samples, and how many input rows each of them takes.

Samples are counted where the files are at hand, else as many as the recipe states; what neither says stays unknown.
Rows of pictures and clips follow from the model's tiles, those of text are means. Imports no torch and asks no hub.
"""

from __future__ import annotations

import math
from functools import lru_cache

from tvbench.data.media.anyres import clip_rows, picture_rows, pinpoints
from tvbench.errors import UsageError
from tvbench.train.data.entries import Entry
from tvbench.train.generated import generated_world
from tvbench.train.stages import ModelPlan, Stage

SMALLEST, LARGEST, PICTURES = 60, 2500, 500
"""Where nothing else is known: so many pictures, their sides spread evenly between these numbers of pixels."""
MEAN_TEXT = {"text": 700, "square": 240, "image": 220, "mixed": 220, "video": 347}
"""Rows of text in a sample. With the paper's tiles and frames that makes 3,950 rows a picture and 6,620 a clip."""
MINI_TEXT = 35
"""The same of one conversation in the mini world."""


def taken(entry: Entry) -> int | None:
    """Samples that an entry gives an epoch, with `sampling` and `weight` applied. None where neither its files nor the
    recipe say how many it has.

    Raises UsageError for files that are there and cannot be read.
    """
    if at_hand(entry):
        from tvbench.train.data.corpora import open_corpus

        return len(open_corpus(entry))
    if entry.samples is None:
        return None
    count = entry.samples
    if entry.sampling != "all":
        amount = entry.sampling.partition(":")[2]
        part = count * float(amount.rstrip("%")) / 100 if amount.endswith("%") else float(amount)
        count = min(count, math.ceil(part))
    return round(count * entry.weight)


def at_hand(entry: Entry) -> bool:
    """Whether an entry's files lie here, to be counted."""
    if entry.path is None:
        return False
    from tvbench.train.data.llava import files_of

    try:
        return bool(files_of(entry.path))
    except UsageError:
        return False


def sample_rows(entry: Entry, stage: Stage, model: ModelPlan) -> int:
    """Mean input rows of a sample in this stage, cut at the context."""
    if stage.objective == "patches":
        return tower_patches(entry, stage, model)
    if entry.tokens is not None:
        return min(entry.tokens, stage.max_length)
    return min(visual_rows(entry, stage, model) + _text_rows(entry, stage), stage.max_length)


def visual_rows(entry: Entry, stage: Stage, model: ModelPlan) -> int:
    """Mean input rows of a sample's picture or clip: 0 of text."""
    side = model.image_size // model.patch_size
    if entry.modality == "text":
        return 0
    if entry.modality == "video":
        return clip_rows(stage.frames, side, newline=stage.newline == "one_token")
    if stage.images == "square":
        return side**2
    if entry.generated:
        canvases = generated_world(entry.generated).canvases(int(entry.options.get("level", 1)))
        return mean_rows(model, tuple(canvases))
    return mean_rows(model, _spread())


def tower_patches(entry: Entry, stage: Stage, model: ModelPlan) -> int:
    """Patches that go through the tower for a sample; of a tiled picture about as many as its rows."""
    side = model.image_size // model.patch_size
    if stage.objective == "patches":
        return side**2
    return stage.frames * side**2 if entry.modality == "video" else visual_rows(entry, stage, model)


def mean_rows(model: ModelPlan, sizes: tuple[tuple[int, int], ...]) -> int:
    """Mean input rows of pictures of these sizes (height, width), tiled."""
    return _mean_rows(model.max_tiles, model.image_size, model.patch_size, sizes)


@lru_cache(maxsize=64)
def _mean_rows(most_tiles: int, tile: int, patch: int, sizes: tuple[tuple[int, int], ...]) -> int:
    resolutions = pinpoints(most_tiles, tile)
    return round(sum(picture_rows(size, resolutions, tile, tile // patch) for size in sizes) / len(sizes))


def _spread() -> tuple[tuple[int, int], ...]:
    """Heights at even steps, widths by the golden ratio: every shape comes up, and always the same ones."""
    wide = LARGEST - SMALLEST
    return tuple(
        (SMALLEST + int((number + 0.5) / PICTURES * wide), SMALLEST + int(number * 0.6180339887 % 1 * wide))
        for number in range(PICTURES)
    )


def _text_rows(entry: Entry, stage: Stage) -> int:
    if entry.generated:
        return MINI_TEXT * int(entry.options.get("branches", 1))
    return MEAN_TEXT["square" if stage.images == "square" and entry.modality == "image" else entry.modality]
