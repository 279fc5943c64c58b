"""What a recipe would do, before anything is loaded: steps, tokens, operations, memory, hours, dollars, files.

Plain arithmetic on what the recipe states; every estimate says what it assumes. Imports no torch and touches no hub.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from tvbench.errors import UsageError
from tvbench.media.anyres import clip_rows
from tvbench.train.data.entries import Entry
from tvbench.train.schedule import steps_of
from tvbench.train.shapes import Parameters, forward_operations, parameters
from tvbench.train.stages import ModelPlan, Recipe, Stage

MEAN_TEXT = {"image": 240, "text": 700, "video": 347, "mixed": 240}
"""Text rows of a sample where the recipe does not state its `tokens`: the paper's mix. With pictures of up to 6 tiles
of 729 rows that makes 3,952 rows a picture, and with 32 frames 6,620 a clip."""
TILES_USED = 0.682
"""The share of a tile budget that pictures of the paper's mix use, without the thumbnail."""
TRAINED_SHARE = 0.05
"""Rows that are supervised, and go through the head."""
BYTES_PER_WEIGHT = 16
"""Mixed-precision AdamW: master weight, gradient and two moments in float32, shared over all processes."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the plan assumes: `gpus` of `peak` FLOP/s in bfloat16, used to `mfu`, at `price` dollars an hour each."""

    gpus: int = 8
    peak: float = 989e12
    mfu: float = 0.40
    price: float | None = None


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage, estimated. `operations` are floating-point operations of all processes together; hours are GPU hours.
    `rows_add_up_to` and `steps_by_rows` are set where the stated total is not the sum of the datasets."""

    number: int
    name: str
    samples: int
    steps: int
    batch: int
    micro_batch: int
    accumulation: int
    tokens: int
    trained_parameters: int
    operations: float
    gpu_hours: float
    wall_hours: float
    dollars: float | None
    memory_gb: float
    rows_add_up_to: int | None = None
    steps_by_rows: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe, estimated."""

    recipe: str
    size: str
    variants: tuple[str, ...]
    machine: Machine
    parameters: Parameters
    stages: tuple[StagePlan, ...]
    files: tuple[str, ...]

    @property
    def gpu_hours(self) -> float:
        return sum(stage.gpu_hours for stage in self.stages)


def make_plan(recipe: Recipe, machine: Machine, output: Path, *, only: int | None = None) -> Plan:
    """The plan of a recipe, or of its stage `only`. Raises UsageError where sizes or counts are missing."""
    chosen = [stage for stage in recipe.stages if only is None or stage.number == only]
    counted = parameters(recipe.model)
    stages = tuple(plan_stage(recipe.model, counted, stage, machine) for stage in chosen)
    return Plan(recipe.name, recipe.size, recipe.variants, machine, counted, stages, tuple(files(recipe, output, only)))


def plan_stage(model: ModelPlan, counted: Parameters, stage: Stage, machine: Machine) -> StagePlan:
    """One stage's figures."""
    if not _even(stage, machine.gpus):
        raise UsageError(f"stage {stage.number} ({stage.name}): a batch of {stage.batch} samples does not divide into "
                         f"{machine.gpus} GPUs with micro-batches of {stage.micro_batch}",
                         f"--set stage{stage.number}.batch=N with N a multiple of {stage.micro_batch * machine.gpus}, "
                         "another micro_batch, or other --gpus")
    entries = [entry for entry in stage.data if stage.keep_source in ("all", entry.source_language)]
    rows = sum(taken(entry) for entry in entries)
    samples = stage.stated_samples if stage.stated_samples is not None else rows
    steps = steps_of(stage, samples)
    share = steps * stage.batch / max(1, rows)
    tokens = share * sum(taken(entry) * sample_tokens(entry, stage, model) for entry in entries)
    operations = share * sum(taken(entry) * sample_operations(entry, stage, model) for entry in entries)
    hours = operations / (machine.peak * machine.mfu) / 3600
    differs = stage.stated_samples is not None and stage.stated_samples != rows
    return StagePlan(
        number=stage.number,
        name=stage.name,
        samples=samples,
        steps=steps,
        batch=stage.batch,
        micro_batch=stage.micro_batch,
        accumulation=stage.batch // (stage.micro_batch * machine.gpus),
        tokens=round(tokens),
        trained_parameters=sum(getattr(counted, part) for part in stage.rates),
        operations=operations,
        gpu_hours=hours,
        wall_hours=hours / machine.gpus,
        dollars=None if machine.price is None else hours * machine.price,
        memory_gb=memory(model, counted, stage, machine) / 1e9,
        rows_add_up_to=rows if differs else None,
        steps_by_rows=steps_of(stage, rows) if differs else None,
        notes=tuple(f"{field}: {reason}" for field, reason in stage.ours.items()) + _unknown(stage),
    )


def _unknown(stage: Stage) -> tuple[str, ...]:
    """What cannot be told before the data are read."""
    found = []
    if stage.keep_languages or stage.equal_size_as:
        found.append("languages: how many samples are left is known when the data are read; the plan counts all")
    found += [f"{entry.name}: its samples are counted when they are fetched; none of them is in this plan"
              for entry in stage.data if entry.samples is None and not entry.path and not entry.generated]
    return tuple(found)


def taken(entry: Entry) -> int:
    """Samples that an entry gives an epoch: those of its files where it has a path, else what it states, with
    `sampling` and `weight` applied. Raises UsageError for files that cannot be read."""
    if entry.path is not None:
        from tvbench.train.data.corpora import open_corpus

        return len(open_corpus(entry))
    count = entry.samples or 0
    if entry.sampling != "all":
        amount = entry.sampling.partition(":")[2]
        part = count * float(amount.rstrip("%")) / 100 if amount.endswith("%") else float(amount)
        count = min(count, math.ceil(part))
    return round(count * entry.weight)


def sample_tokens(entry: Entry, stage: Stage, model: ModelPlan) -> int:
    """Mean input rows of a sample in this stage."""
    given = entry.tokens if entry.tokens is not None else MEAN_TEXT[entry.modality] + shown_rows(entry, stage, model)
    return min(given, stage.max_length)


def shown_rows(entry: Entry, stage: Stage, model: ModelPlan) -> int:
    """Mean input rows of a sample's picture or clip."""
    side = model.image_size // model.patch_size
    if entry.modality == "text":
        return 0
    if entry.modality == "video":
        return clip_rows(stage.frames, side, newline=stage.newline == "one_token")
    return side**2 if stage.images == "square" else round(side**2 * (1 + TILES_USED * model.max_tiles))


def even_gpus(recipe: Recipe) -> int:
    """The most GPUs, up to 8, that share every stage's batch evenly."""
    return max(count for count in range(1, 9) if all(_even(stage, count) for stage in recipe.stages) or count == 1)


def _even(stage: Stage, gpus: int) -> bool:
    return stage.batch % (stage.micro_batch * gpus) == 0


def sample_operations(entry: Entry, stage: Stage, model: ModelPlan) -> float:
    """Operations of one sample: forward, gradients of rows, gradients of weights, each as much as a forward pass, and
    one more forward where layers are recomputed. A frozen text model needs no gradients of its weights."""
    side = model.image_size // model.patch_size
    patches = stage.frames * side**2 if entry.modality == "video" else shown_rows(entry, stage, model)
    times = 2 + (stage.recompute == "full") + ("text" in stage.rates)
    return times * forward_operations(model, sample_tokens(entry, stage, model), patches)


def memory(model: ModelPlan, counted: Parameters, stage: Stage, machine: Machine) -> float:
    """Bytes on each GPU: sharded states, the largest unit gathered in bfloat16, what is kept of the micro-batch.

    Kept are the inputs of every layer where layers are recomputed, else about 16 times as much, and the logits of
    2,048 supervised rows three times in float32.
    """
    sizes = model.sizes
    trained = sum(getattr(counted, part) for part in stage.rates)
    states = (BYTES_PER_WEIGHT * trained + 4 * (counted.total - trained)) / machine.gpus
    gathered = 2 * counted.embedding
    longest = max((sample_tokens(entry, stage, model) for entry in stage.data), default=0)
    rows = min(stage.max_length, 2 * longest) * (1 if stage.packing else stage.micro_batch)
    kept = rows * sizes.get("hidden", 0) * 2 * sizes.get("layers", 0) * (1 if stage.recompute == "full" else 16)
    logits = 3 * 4 * 2048 * sizes.get("vocabulary", 0)
    return float(states + gathered + kept + logits)


def files(recipe: Recipe, output: Path, only: int | None) -> list[str]:
    """What a run writes, by folder."""
    names = [f"{output}/recipe.json", f"{output}/assembled/"]
    for stage in recipe.stages:
        if only is None or stage.number == only:
            folder = f"{output}/{stage.number}-{stage.name}"
            names += [f"{folder}/metrics.jsonl", f"{folder}/skipped.jsonl", f"{folder}/loss.png",
                      f"{folder}/checkpoints/step-N/", f"{folder}/model/"]
    return [*names, f"{output}/export/"] if only in (None, recipe.stages[-1].number) else names
