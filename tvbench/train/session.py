"""Runs a recipe: assembles the model, trains stage after stage, exports the last one.

    OUTPUT/recipe.json            what was asked, in full
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
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tvbench.engines.importing import import_checkpoint
from tvbench.errors import UsageError
from tvbench.train.assembly import assemble, open_model, vision_scale
from tvbench.train.checkpoint import newest
from tvbench.train.data.corpora import stage_corpus
from tvbench.train.data.encode import Encoder
from tvbench.train.data.steps import feed, make_order
from tvbench.train.export import Target, export
from tvbench.train.loop import Feed, Loop, StepDone
from tvbench.train.model import VisionLanguageTrainee, freeze_all_but
from tvbench.train.optimizer import make_optimizer
from tvbench.train.parallel import World, shard, shares, whole, world
from tvbench.train.patches import PatchTrainee, patch_feed
from tvbench.train.record import Record, plot
from tvbench.train.reuse import RECIPE, shared_folders, take_over
from tvbench.train.schedule import steps_of
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
    """A stage has ended; `whole` is False when it was asked to stop before its last step."""

    stage: Stage
    folder: Path
    whole: bool
    skipped: int
    picture: Path | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A checkpoint that can be run lies in `folder`."""

    folder: Path


Event = Begun | StepDone | Ended | Written


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
    taken where they are the same. `peak` is the FLOP/s of all processes together,
    for the MFU; `target` is what the export is for. Raises UsageError for a folder that holds another recipe, or
    unfinished work without `resume`.
    """
    with world() as here, _stoppable() as stopping:
        if here.first:
            _prepare(recipe, output, resume=resume, reuse=reuse)
        here.wait()
        source = output / "assembled"
        if not (source / "config.json").is_file():
            if here.first:
                assemble(recipe.model, source, seed=recipe.stages[0].seed)
            here.wait()
        for stage in recipe.stages:
            folder = stage_folder(output, stage)
            chosen = only is None or stage.number == only
            if not (folder / "model" / "config.json").is_file():
                if not chosen:
                    if only is not None and stage.number > only:
                        continue
                    raise UsageError(f"stage {stage.number} ({stage.name}) is not trained yet in {output}",
                                     f"the same command with --stage {stage.number}, or without --stage")
                source = _able(stage, source, folder, here)
                run = _StageRun(stage, source, folder, here, wandb, peak, on_event, stopping)
                if not run.train():
                    return False
            source = folder / "model"
        if here.first and (only is None or only == recipe.stages[-1].number):
            name = "export" if target == "current" else f"export-{target}"
            on_event(Written(_export_last(recipe, source, output / name, target)))
        here.wait()
    return True


def stage_folder(output: Path, stage: Stage) -> Path:
    """`OUTPUT/2-vision`."""
    return output / f"{stage.number}-{stage.name}"


def _prepare(recipe: Recipe, output: Path, *, resume: bool, reuse: Path | None) -> None:
    """Note the recipe, or compare it with what the folder was begun with; take over what `reuse` has trained."""
    path = output / RECIPE
    said = json.dumps(asdict(recipe), indent=2, ensure_ascii=False, default=list) + "\n"
    if path.is_file():
        if not resume:
            raise UsageError(f"{output} holds a training run already",
                             "--resume goes on with it; --output DIR begins anew")
        if path.read_text(encoding="utf-8") != said:
            raise UsageError(f"{output} was begun with another recipe ({path})",
                             "use the same --recipe, --size, --variant and --set, or another --output")
    elif output.is_dir() and any(output.iterdir()):
        raise UsageError(f"{output} is not empty and holds no training run", "choose another --output")
    shared = shared_folders(json.loads(said), reuse) if reuse is not None else []
    try:
        output.mkdir(parents=True, exist_ok=True)
        path.write_text(said, encoding="utf-8")
        if reuse is not None:
            take_over(shared, reuse, output)
    except OSError as error:
        raise UsageError(f"cannot write to {output}: {error.strerror}", "choose another --output") from error


def _able(stage: Stage, source: Path, folder: Path, here: World) -> Path:
    """`source`, or where the stage has clips and its class takes none, the same weights as LLaVA-OneVision."""
    clips = any(entry.modality == "video" for entry in stage.data)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    if not clips or config["model_type"] != "llava_next":
        return source
    start = folder / "start"
    if here.first and not (start / "config.json").is_file():
        card = ModelCard(source.name, "folder", str(source))
        import_checkpoint(source, card, start, target="legacy", onevision=True)
    here.wait()
    return start


def _export_last(recipe: Recipe, source: Path, folder: Path, target: Target) -> Path:
    if not (folder / "config.json").is_file():
        note = {"recipe": recipe.name, "size": recipe.size, "variants": list(recipe.variants)}
        export(open_model(source), folder, like=source, scale=vision_scale(source), note=note,
               target=target)
    return folder


# ── One stage ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _StageRun:
    stage: Stage
    source: Path
    folder: Path
    world: World
    wandb: str | None
    peak: float | None
    on_event: Callable[[Event], None]
    stopping: Callable[[], bool]

    def train(self) -> bool:
        stage, here = self.stage, self.world
        shares(stage.batch, stage.micro_batch, here.size)
        model = open_model(self.source, attention=self._attention())
        torch.manual_seed(stage.seed)
        trainee = self._trainee(model).to(here.device)
        if stage.recompute == "full":
            model.gradient_checkpointing_enable({"use_reentrant": False})
        freeze_all_but(trainee, stage.rates)
        shard(trainee, here, bfloat16=stage.precision == "bfloat16")
        trained = freeze_all_but(trainee, stage.rates)
        make_feed, steps, samples = self._feed()
        loop = Loop(stage, steps, trainee, make_optimizer(stage, trained), make_feed, self.folder, self._digest(), here,
                    on_step=self.on_event, stopping=self.stopping, peak=self.peak,
                    flops_per_token=flops_per_token(trainee))
        if newest(self.folder / "checkpoints") is not None:
            loop.resume()
            if loop.progress.digest != loop.digest:
                raise UsageError(f"{self.folder} holds checkpoints of other settings", "begin anew in another --output")
        counts = [sum(one.numel() for one in trainee.parameters() if one.requires_grad or not kept)
                  for kept in (True, False)]
        self.on_event(Begun(stage, loop.progress.step, steps, samples, *counts))
        with self._record(loop.progress.step) as loop.record:
            done = loop.progress.step >= steps or loop.run()
        picture = None
        if done:
            self._write_model(trainee)
            picture = plot(self.folder, f"{stage.number} {stage.name}") if here.first else None
        self.on_event(Ended(stage, self.folder, done, loop.progress.skipped, picture))
        return done

    def _attention(self) -> str:
        if self.stage.attention != "auto":
            return self.stage.attention
        return "flash_attention_2" if self.world.device.type == "cuda" else "eager"

    def _trainee(self, model: Any) -> Any:
        if self.stage.objective == "patches":
            return PatchTrainee(model)
        return VisionLanguageTrainee(model, vision_scale(self.source))

    def _feed(self) -> tuple[Feed, int, int]:
        """The feed, the number of steps, and the samples of an epoch."""
        stage, here = self.stage, self.world
        if stage.objective == "patches":
            config = json.loads((self.source / "config.json").read_text(encoding="utf-8"))["vision_config"]
            if stage.steps is None:
                raise UsageError(f"stage {stage.number} ({stage.name}) draws pictures without end",
                                 f"say when it ends: --set {stage.name}.steps=N")
            steps = stage.steps
            level = int(stage.data[0].options.get("level", 2)) if stage.data else 2
            return (lambda start: patch_feed(stage, config["image_size"], config["patch_size"], level, start, steps),
                    steps, steps * stage.batch)
        corpus = stage_corpus(stage)
        steps = steps_of(stage, len(corpus))
        if not len(corpus):
            raise UsageError(f"stage {stage.number} ({stage.name}) has no samples",
                             "`tvbench train data` shows its data")
        encoder = Encoder(self.source, stage)
        make_order(corpus, stage)
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

    def _write_model(self, trainee: Any) -> None:
        """The stage's weights in float32, unscaled, for the next stage: everybody's shards, by the first process."""
        state = {name: whole(tensor).cpu() for name, tensor in trainee.model.state_dict().items()}
        if self.world.first:
            copy = open_model(self.source)
            copy.load_state_dict(state)
            export(copy, self.folder / "model", like=self.source, scale=vision_scale(self.source), dtype="float32",
                   target="stage")
        self.world.wait()


def flops_per_token(trainee: nn.Module) -> float:
    """About 6 for each weight that a token meets: 2 forward, 4 backward (Kaplan et al. 2020, arXiv 2001.08361)."""
    return float(6 * sum(parameter.numel() for parameter in trainee.parameters()))


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
