"""Runs a recipe: assembles the model, trains stage after stage, exports the last one.

    OUTPUT/recipe.json            what was asked, in full (output.py)
    OUTPUT/assembled/             the model before the first stage
    OUTPUT/2-vision/              a stage: metrics.jsonl, skipped.jsonl, loss.png, checkpoints/, and when it is done
    OUTPUT/2-vision/model/        its weights in float32, which the next stage starts from
    OUTPUT/export/                the last stage's weights as one runs them (`tvbench run --model OUTPUT/export`)

A stage that is done is not done again; one that was interrupted goes on from its newest checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tvbench.checkpoints.importing import import_checkpoint
from tvbench.errors import UsageError
from tvbench.train.assembly import assemble, open_model, vision_scale
from tvbench.train.attention_choice import attention_of
from tvbench.train.checkpoint import newest
from tvbench.train.data.corpora import has_clips, stage_corpus
from tvbench.train.data.corpus import Corpus
from tvbench.train.data.encode import Encoder
from tvbench.train.data.steps import check_shares, feed, loading
from tvbench.train.export import Target, export_stage, write_stage
from tvbench.train.generated import generated_world
from tvbench.train.loop import Feed, Loop, StepDone
from tvbench.train.model import VisionLanguageTrainee, freeze_all_but
from tvbench.train.operations import as_built, batch_operations
from tvbench.train.optimizer import make_optimizer
from tvbench.train.output import Output, room_for, stage_folder, stage_model
from tvbench.train.parallel import World, shard, world
from tvbench.train.record import Record, plot
from tvbench.train.schedule import steps_of, steps_without_data
from tvbench.train.sharding import bare_model, fill
from tvbench.train.stages import Recipe, Stage
from tvbench.types import ModelCard


@dataclass(frozen=True, slots=True)
class Begun:
    """A stage begins, at `step` of `steps`; `parameters` of `of` are trained."""

    stage: Stage
    step: int
    steps: int
    samples: int
    parameters: int
    of: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A stage has ended; `whole` is False when it was asked to stop before its last step. `samples` were learned from,
    `skipped` could not be."""

    stage: Stage
    folder: Path
    whole: bool
    samples: int
    skipped: int
    picture: Path | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A checkpoint that can be run lies in `folder`."""

    folder: Path


@dataclass(frozen=True, slots=True)
class Remarked:
    """Something that a person should know, and that nobody asked for."""

    text: str


Event = Begun | StepDone | Ended | Written | Remarked


def train(
    recipe: Recipe,
    output: Path,
    *,
    resume: bool = False,
    only: int | None = None,
    reuse: Path | None = None,
    wandb: str | None = None,
    peak: float | None = None,
    target: Target = "current",
    on_event: Callable[[Event], None] = lambda event: None,
) -> bool:
    """Train `recipe` into `output`. True when all that was asked is done, False when it was asked to stop.

    `only` trains that one stage, from the one before it in `output`; `reuse` is another run's folder, whose stages are
    taken where they are the same. `peak` is the FLOP/s of all processes together, for the MFU; `target` is what the
    export is for. Only the first process of several calls `on_event`.

    The data of all stages are opened before anything is written, so that what is wrong with the last one shows at once.
    Raises UsageError for that, for a folder that holds another recipe, or unfinished work without `resume`;
    TvbenchError when the disk is full, and when no sample of a stage can be used.
    """
    with world() as here, _stoppable() as stopping, room_for(output):
        folder = Output(recipe, output, resume=resume, reuse=reuse)
        work = [(stage, _corpus(stage, here)) for stage in folder.waiting(only)]
        here.wait()  # everybody has looked at the folder before the first changes it
        if here.first:
            folder.begin()
            if not (output / "assembled" / "config.json").is_file():
                assemble(recipe.model, output / "assembled", seed=recipe.stages[0].seed)
        here.wait()
        tell = on_event if here.first else _nobody
        for stage, corpus in work:
            source = _able(corpus, _start(recipe, output, stage), stage_folder(output, stage), here)
            run = _StageRun(
                recipe, stage, corpus, source, stage_folder(output, stage), here, wandb, peak, tell, stopping
            )
            if not run.train():
                return False
        if here.first and (only is None or only == recipe.stages[-1].number):
            name = "export" if target == "current" else f"export-{target}"
            tell(Written(_export_last(recipe, output, output / name, target)))
        here.wait()
    return True


def _nobody(event: Event) -> None:
    """The others of several processes say nothing."""


def _corpus(stage: Stage, here: World) -> Corpus | None:
    """What a stage learns from; None where it draws its own pictures. Raises UsageError where it cannot begin."""
    check_shares(stage, here.size)
    attention_of(stage, here.device)
    if stage.objective == "patches":
        steps_without_data(stage)
        return None
    corpus = stage_corpus(stage)
    if not len(corpus):
        raise UsageError(f"stage {stage.number} ({stage.name}) has no samples", "`tvbench train data` shows its data")
    return corpus


def _start(recipe: Recipe, output: Path, stage: Stage) -> Path:
    """The checkpoint that a stage begins with."""
    place = recipe.stages.index(stage)
    return stage_model(output, recipe.stages[place - 1]) if place else output / "assembled"


def _able(corpus: Corpus | None, source: Path, folder: Path, here: World) -> Path:
    """`source`, or where there are clips and its class takes none, the same weights as LLaVA-OneVision."""
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    if corpus is None or config["model_type"] != "llava_next" or not has_clips(corpus):
        return source
    start = folder / "start"
    if here.first and not (start / "config.json").is_file():
        card = ModelCard(source.name, "folder", str(source))
        import_checkpoint(source, card, start, target="legacy", onevision=True)
    here.wait()
    return start


def _export_last(recipe: Recipe, output: Path, folder: Path, target: Target) -> Path:
    if not (folder / "config.json").is_file():
        source = stage_model(output, recipe.stages[-1])
        note = {"recipe": recipe.name, "size": recipe.size, "variants": list(recipe.variants)}
        export_stage(source, folder, note=note, target=target)
    return folder


# ── One stage ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _StageRun:
    recipe: Recipe
    stage: Stage
    corpus: Corpus | None
    source: Path
    folder: Path
    world: World
    wandb: str | None
    peak: float | None
    on_event: Callable[[Event], None]
    stopping: Callable[[], bool]

    def train(self) -> bool:
        stage, here = self.stage, self.world
        attention = attention_of(stage, here.device)
        opening = open_model if here.size == 1 else bare_model
        model = opening(self.source, attention=attention.text, tower=attention.tower)
        torch.manual_seed(stage.seed)
        trainee, optimizer = self._placed(model)
        make_feed, steps, samples = self._feed()
        loop = self._loop(model, trainee, optimizer, make_feed, steps)
        sizes = [(parameter.numel(), parameter.requires_grad) for parameter in trainee.parameters()]
        learned, whole = sum(size for size, learns in sizes if learns), sum(size for size, _ in sizes)
        self.on_event(Begun(stage, loop.progress.step, steps, samples, learned, whole))
        with self._record(loop.progress.step) as loop.record:
            done = loop.progress.step >= steps or loop.run()
        picture = None
        if done:
            write_stage(
                trainee.model, self.folder / "model", like=self.source, scale=vision_scale(self.source), world=here
            )
            picture = plot(self.folder, f"{stage.number} {stage.name}") if here.first else None
        self.on_event(Ended(stage, self.folder, done, loop.progress.samples, loop.progress.skipped, picture))
        return done

    def _placed(self, model: Any) -> tuple[Any, torch.optim.Optimizer]:
        """What is trained, on its devices, and what moves the parts of it that learn."""
        stage, here = self.stage, self.world
        trainee = self._trainee(model)
        if here.size == 1:
            trainee.to(here.device)
        if stage.recompute == "full":
            model.gradient_checkpointing_enable({"use_reentrant": False})
        freeze_all_but(trainee, stage.rates)
        shard(trainee, here, bfloat16=stage.precision == "bfloat16")
        if here.size > 1:
            fill(model, self.source, here.device)
        return trainee, make_optimizer(stage, freeze_all_but(trainee, stage.rates))

    def _loop(self, model: Any, trainee: Any, optimizer: torch.optim.Optimizer, feed: Feed, steps: int) -> Loop:
        """The loop at its beginning, or where it was left."""
        loop = Loop(
            self.stage,
            steps,
            trainee,
            optimizer,
            feed,
            self.folder,
            self._digest(),
            self.world,
            on_step=self.on_event,
            stopping=self.stopping,
            peak=self.peak,
            operations=partial(batch_operations, as_built(self.recipe.model, model.config), self.stage),
        )
        if newest(self.folder / "checkpoints") is not None:
            loop.resume()
            if loop.progress.digest != loop.digest:
                raise UsageError(f"{self.folder} holds checkpoints of other settings", "start over in another --output")
        return loop

    def _trainee(self, model: Any) -> Any:
        if self.stage.objective == "patches":
            return generated_world().patch_trainee(model)
        return VisionLanguageTrainee(model, vision_scale(self.source))

    def _feed(self) -> tuple[Feed, int, int]:
        """The feed, the number of steps, and the samples of an epoch."""
        stage, here, corpus = self.stage, self.world, self.corpus
        if corpus is None:
            config = json.loads((self.source / "config.json").read_text(encoding="utf-8"))["vision_config"]
            steps = steps_of(stage, 0)
            level = int(stage.data[0].options.get("level", 2)) if stage.data else 2
            tile, patch, patches = config["image_size"], config["patch_size"], generated_world().patch_feed
            return lambda start: patches(stage, tile, patch, level, start, steps), steps, steps * stage.batch
        steps = steps_of(stage, len(corpus))
        encoder = Encoder(self.source, stage)
        remark = loading(encoder, stage, here).remark
        if remark:
            self.on_event(Remarked(remark))
        return lambda start: feed(corpus, encoder, stage, here, start, steps), steps, len(corpus)

    def _digest(self) -> str:
        """What must be the same when the stage is continued."""
        config = (self.source / "config.json").read_text(encoding="utf-8")
        said = json.dumps([asdict(self.stage), config], sort_keys=True, default=list)
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def _record(self, after: int) -> Any:
        if not self.world.first:
            return nullcontext()
        return Record(self.folder, after=after, log_every=self.stage.log_every, wandb=self.wandb)


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM end the step that is running, save, and stop; a second one stops at once."""
    asked = threading.Event()

    def ask(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
