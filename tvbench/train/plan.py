"""What a recipe would do, before anything is loaded: steps, tokens, operations, memory, hours, dollars, files.

Plain arithmetic on what the recipe states and what lies at hand (estimates.py); every estimate says what it assumes,
and what cannot be told is None. Imports no torch and touches no hub.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tvbench.errors import UsageError
from tvbench.train.data.entries import Entry
from tvbench.train.estimates import at_hand, sample_rows, taken, tower_patches, visual_rows
from tvbench.train.memory import memory
from tvbench.train.operations import sample_operations
from tvbench.train.schedule import steps_of, steps_without_data
from tvbench.train.shapes import Parameters, parameters
from tvbench.train.stages import ModelPlan, Recipe, Stage


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
    None is what cannot be told before the data are there, `notes` say why. `rows_add_up_to` and `steps_by_rows` are set
    where the stated total is not the sum of the datasets. `ours` are fields that the recipe's source does not state."""

    number: int
    name: str
    samples: int | None
    steps: int | None
    batch: int
    micro_batch: int
    accumulation: int
    tokens: int | None
    trained_parameters: int
    operations: float | None
    gpu_hours: float | None
    wall_hours: float | None
    dollars: float | None
    memory_gb: float
    rows_add_up_to: int | None = None
    steps_by_rows: int | None = None
    ours: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """A recipe, estimated."""

    recipe: str
    size: str
    variants: tuple[str, ...]
    machine: Machine
    parameters: Parameters
    stages: tuple[StagePlan, ...]
    files: tuple[str, ...]

    @property
    def gpu_hours(self) -> float | None:
        """Of all stages; None where one of them is not known."""
        hours = [stage.gpu_hours for stage in self.stages]
        return None if None in hours else sum(hour for hour in hours if hour is not None)


def make_plan(recipe: Recipe, machine: Machine, output: Path, *, only: int | None = None) -> TrainingPlan:
    """The plan of a recipe, or of its stage `only`. Raises UsageError where sizes are missing, or a batch does not
    divide among the GPUs."""
    chosen = [stage for stage in recipe.stages if only is None or stage.number == only]
    counted = parameters(recipe.model)
    stages = tuple(plan_stage(recipe.model, counted, stage, machine) for stage in chosen)
    return TrainingPlan(
        recipe.name, recipe.size, recipe.variants, machine, counted, stages, tuple(files(recipe, output, only))
    )


def even_gpus(recipe: Recipe) -> int:
    """The most GPUs, up to 8, that share every stage's batch evenly."""
    return max(count for count in range(1, 9) if all(_even(stage, count) for stage in recipe.stages) or count == 1)


def _even(stage: Stage, gpus: int) -> bool:
    return stage.batch % (stage.micro_batch * gpus) == 0


def plan_stage(model: ModelPlan, counted: Parameters, stage: Stage, machine: Machine) -> StagePlan:
    """One stage's figures. Raises UsageError where its batch does not divide among the GPUs."""
    if not _even(stage, machine.gpus):
        raise UsageError(
            f"stage {stage.number} ({stage.name}): a batch of {stage.batch} samples does not divide into "
            f"{machine.gpus} GPUs with micro-batches of {stage.micro_batch}",
            f"--set stage{stage.number}.batch=N with N a multiple of {stage.micro_batch * machine.gpus}, "
            "another micro_batch, or other --gpus",
        )
    entries = [entry for entry in stage.data if stage.keep_source in ("all", entry.source_language)]
    counts = [taken(entry) for entry in entries]
    rows, samples, steps = _amounts(stage, entries, counts)
    tokens = _over_all(stage, steps, counts, [sample_rows(entry, stage, model) for entry in entries])
    operations = _over_all(stage, steps, counts, [_each(entry, stage, model) for entry in entries])
    hours = None if operations is None else operations / (machine.peak * machine.mfu) / 3600
    differs = rows is not None and samples != rows and stage.objective == "language"
    return StagePlan(
        number=stage.number,
        name=stage.name,
        samples=samples,
        steps=steps,
        batch=stage.batch,
        micro_batch=stage.micro_batch,
        accumulation=stage.batch // (stage.micro_batch * machine.gpus),
        tokens=None if tokens is None else round(tokens),
        trained_parameters=sum(getattr(counted, part) for part in stage.rates),
        operations=operations,
        gpu_hours=hours,
        wall_hours=None if hours is None else hours / machine.gpus,
        dollars=None if hours is None or machine.price is None else hours * machine.price,
        memory_gb=memory(model, counted, stage, machine.gpus).total / 1e9,
        rows_add_up_to=rows if differs else None,
        steps_by_rows=steps_of(stage, rows) if differs and rows is not None else None,
        ours=tuple(f"{field}: {reason}" for field, reason in stage.ours.items()),
        notes=(*_unknown(stage, entries, counts), *_too_long(stage, entries, model)),
    )


def _amounts(
    stage: Stage, entries: Sequence[Entry], counts: Sequence[int | None]
) -> tuple[int | None, int | None, int | None]:
    """The datasets' sum, the samples of an epoch, and the steps. What the recipe states of the whole stage counts as
    long as none of its data are at hand."""
    if stage.objective == "patches":
        steps = steps_without_data(stage)
        return None, steps * stage.batch, steps
    known = [count for count in counts if count is not None]
    rows = sum(known) if known else None
    stated = None if any(map(at_hand, entries)) else stage.stated_samples
    samples = rows if stated is None else stated
    return rows, samples, stage.steps if samples is None else steps_of(stage, samples)


def _over_all(stage: Stage, steps: int | None, counts: Sequence[int | None], lengths: Sequence[float]) -> float | None:
    """What the samples of all steps come to, when one of each dataset comes to `each`. A single dataset need not be
    counted for that, nor one beside others that are."""
    shares = [1] if len(counts) == 1 else [count or 0 for count in counts]
    if steps is None or not any(shares):
        return None
    return (
        steps * stage.batch * sum(share * length for share, length in zip(shares, lengths, strict=True)) / sum(shares)
    )


def _unknown(stage: Stage, entries: Sequence[Entry], counts: Sequence[int | None]) -> tuple[str, ...]:
    """What cannot be told before the data are read."""
    if stage.objective == "patches":
        return ()
    found = []
    if stage.keep_languages or stage.equal_size_as:
        found.append("languages: how many samples are left is known when the data are read; the plan counts all")
    for entry, count in zip(entries, counts, strict=True):
        if count is None:
            found.append(
                f"{entry.name}: its samples are counted when they are fetched; none of them is in this plan "
                f"(--set datasets.{entry.name}.samples=N states a number)"
            )
    return tuple(found)


def _too_long(stage: Stage, entries: Sequence[Entry], model: ModelPlan) -> tuple[str, ...]:
    """Datasets whose pictures or clips alone fill the context."""
    if stage.objective == "patches":
        return ()
    long = [
        (entry, rows)
        for entry in entries
        if entry.tokens is None and (rows := visual_rows(entry, stage, model)) >= stage.max_length
    ]
    return tuple(
        f"{entry.name}: {rows:,} rows of a picture or clip do not fit into a context of {stage.max_length:,}; "
        "training skips such samples"
        for entry, rows in long
    )


def _each(entry: Entry, stage: Stage, model: ModelPlan) -> float:
    """Operations of a sample of mean size."""
    return sample_operations(model, stage, sample_rows(entry, stage, model), tower_patches(entry, stage, model))


def files(recipe: Recipe, output: Path, only: int | None) -> list[str]:
    """What a run writes, by folder."""
    names = [f"{output}/recipe.json", f"{output}/assembled/"]
    for stage in recipe.stages:
        if only is None or stage.number == only:
            folder = f"{output}/{stage.number}-{stage.name}"
            names += [
                f"{folder}/metrics.jsonl",
                f"{folder}/skipped.jsonl",
                f"{folder}/loss.png",
                f"{folder}/checkpoints/step-N/",
                f"{folder}/model/",
            ]
    return [*names, f"{output}/export/"] if only in (None, recipe.stages[-1].number) else names
