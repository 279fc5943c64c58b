"""Samples of the mini world, in words: what the tasks ask and what a model is trained on.

A sample depends on the seed, the split, the level and its own number, never on how many are drawn or in which
languages. In `test` and `validation` the languages share their pictures, as translations of one benchmark do; in
`train` each has its own.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from tvbench.mini import captions, films, puzzles
from tvbench.mini.grammars import LANGUAGES, grammar
from tvbench.mini.puzzles import Draw, Puzzle
from tvbench.mini.render import clip, picture
from tvbench.mini.world import Film, Scene, Split, Thing, level_of
from tvbench.types import Media

Task = Literal["mini-alm", "mini-multi30k", "mini-vimul"]
DEFAULT_LEVEL = 1
DEFAULT_COUNT = 4
CACHED = 2048
"""Pictures and clips kept, about 3 kB each: ten languages ask about each."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One question or caption in one language.

    `question` is the bare question; `options` and `gold` (an index) belong to a choice, `answers` are right short
    answers or the translation of `source`. `mentions` are the compositions that the words name. `cluster` names the
    pictures: samples that share it are about the same ones. `held_out`: the thing asked about is a composition that
    `train` never shows or names.
    """

    id: str
    task: Task
    maker: str
    category: str
    kind: str
    language: str
    media: tuple[Media, ...]
    scenes: tuple[Scene, ...]
    cluster: str
    held_out: bool
    mentions: tuple[Thing, ...]
    question: str = ""
    options: tuple[str, ...] = ()
    gold: int | None = None
    answers: tuple[str, ...] = ()
    source: str = ""
    sense: tuple[str, ...] = ()
    wrong_sense: tuple[str, ...] = ()


def samples(
    task: Task,
    *,
    split: Split = "test",
    seed: int = 0,
    level: int = DEFAULT_LEVEL,
    languages: Sequence[str] = LANGUAGES,
    count: int = DEFAULT_COUNT,
    start: int = 0,
) -> Iterator[Sample]:
    """`count` samples of each maker in each language, language by language, numbers from `start` on; of ambiguous
    captions `count` sources, each with both its senses.

    English is not translated: `mini-multi30k` leaves it out. Pictures and clips are drawn when they are loaded.
    Raises UsageError for an unknown level.
    """
    for language in languages:
        for maker in makers(task, level):
            copies = 2 if maker == "ambiguous" else 1
            for number in range(start * copies, (start + count) * copies):
                if task != "mini-multi30k" or language != "en":
                    yield one(task, maker, language, number, split=split, seed=seed, level=level)


def one(
    task: Task, maker: str, language: str, number: int, *, split: Split = "test", seed: int = 0, level: int = 3
) -> Sample:
    """The sample of that number; English has no translations."""
    if task == "mini-multi30k":
        return _translation(maker, split, seed, level, language, number)
    return _question(task, maker, split, seed, level, language, number)


def makers(task: Task, level: int) -> tuple[str, ...]:
    """The kinds of samples that a task has at a level. Raises UsageError for an unknown level."""
    level_of(level)
    if task == "mini-multi30k":
        return tuple(captions.MAKERS)
    module = films if task == "mini-vimul" else puzzles
    return module.FOR_ONE_THING if level == 1 else tuple(module.MAKERS)


def blank(sample: Sample) -> Sample:
    """The sample with nothing but the ground in its pictures: what a model gets right by habit."""
    empty = tuple(replace(scene, placed=()) for scene in sample.scenes)
    media = _clip(sample.id, empty) if sample.task == "mini-vimul" else _pictures(sample.id, empty)
    return replace(sample, media=media, scenes=empty, cluster=f"{sample.cluster}/blank")


# ── One sample ────────────────────────────────────────────────────────────────────────────────────


def _draw(task: str, maker: str, split: Split, seed: int, level: int, language: str, number: int) -> Draw:
    shared = language if split == "train" else ""
    lot_number = captions.same_lot(maker, number)
    rng = random.Random(f"tvbench mini/{seed}/{task}/{maker}/{split}/{level}/{shared}/{lot_number}")
    return Draw(rng, split, level_of(level), number)


def _question(task: Task, maker: str, split: Split, seed: int, level: int, language: str, number: int) -> Sample:
    video = task == "mini-vimul"
    draw = _draw(task, maker, split, seed, level, language, number)
    puzzle: Puzzle = (films.MAKERS if video else puzzles.MAKERS)[maker](draw)
    say, name = grammar(language), f"{maker}-{number:04}"
    return Sample(
        id=f"{language}/{name}",
        task=task,
        maker=maker,
        category=puzzle.category,
        kind=puzzle.kind,
        language=language,
        media=_clip(name, puzzle.scenes) if video else _pictures(name, puzzle.scenes),
        scenes=puzzle.scenes,
        cluster=f"{language}/{name}" if split == "train" else name,
        held_out=split == "test",
        mentions=puzzle.mentions,
        question=puzzle.ask(say),
        options=tuple(option(say) for option in puzzle.options),
        gold=puzzle.gold if puzzle.options else None,
        answers=puzzle.answers(say) if puzzle.answers else (),
    )


def _translation(maker: str, split: Split, seed: int, level: int, language: str, number: int) -> Sample:
    draw = _draw("mini-multi30k", maker, split, seed, level, language, number)
    caption = captions.MAKERS[maker](draw)
    say = grammar(language)
    name = f"{maker}-{number:04}"
    return Sample(
        id=f"{language}/{name}",
        task="mini-multi30k",
        maker=maker,
        category=maker,
        kind="translation",
        language=language,
        media=_pictures(name, (caption.scene,)),
        scenes=(caption.scene,),
        cluster=f"{language}/{name}" if split == "train" else name,
        held_out=split == "test",
        mentions=caption.mentions,
        answers=(caption.say(say),),
        source=caption.say(grammar("en")),
        sense=say.sense_words(caption.noun) if caption.noun else (),
        wrong_sense=say.sense_words(caption.other_sense) if caption.other_sense else (),
    )


# ── Media, drawn when they are needed ─────────────────────────────────────────────────────────────


def _pictures(name: str, scenes: tuple[Scene, ...]) -> tuple[Media, ...]:
    return tuple(
        Media("image", f"{name}-{number}.png", lambda scene=scene: _png(scene))  # type: ignore[misc]
        for number, scene in enumerate(scenes, 1)
    )


def _clip(name: str, film: Film) -> tuple[Media, ...]:
    return (Media("video", f"{name}.mp4", lambda: _mp4(film), frames=films.FRAMES),)


@lru_cache(maxsize=CACHED)
def _png(scene: Scene) -> bytes:
    return picture(scene)


@lru_cache(maxsize=CACHED)
def _mp4(film: Film) -> bytes:
    return clip(film)
