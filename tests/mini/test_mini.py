"""The generated world: the same bytes, right answers, balanced options, held-out compositions, grammar."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tvbench.cli.main import main
from tvbench.data.media.video import Decoder
from tvbench.errors import UsageError
from tvbench.mini.grammars import LANGUAGES, grammar
from tvbench.mini.render import ICONS, PALETTE
from tvbench.mini.samples import Sample, Task, makers, samples
from tvbench.mini.world import (
    COLOURS,
    LEVELS,
    NOUNS,
    PLACES,
    SENSES,
    SPLITS,
    Placed,
    Scene,
    Split,
    Thing,
    english_word,
    held_out_colour,
)
from tvbench.registry import catalog, selection
from tvbench.runs.gate import gated
from tvbench.scoring import score_item
from tvbench.types import Build, BuildOptions, Choice, Item, Media, Response, Short, Translation

TASKS: tuple[Task, ...] = ("mini-alm", "mini-multi30k", "mini-vimul")
ALL_NOUNS = (*NOUNS, *(noun for pair in SENSES.values() for noun in pair))
EVERYTHING = [Thing(noun, colour) for noun in ALL_NOUNS for colour in COLOURS]

# What each language must say, written by hand: agreement, case, elision, counters, particles.
SAID = {
    "en": [
        "There is a red star in the picture.",
        "There are two red stars in the picture.",
        "The red star is to the left of the white heart.",
        "Where is the red fish?",
    ],
    "de": [
        "Auf dem Bild ist ein roter Stern.",
        "Auf dem Bild sind zwei rote Sterne.",
        "Der rote Stern ist links vom weißen Herzen.",
        "Wo ist der rote Fisch?",
    ],
    "es": [
        "Hay una estrella roja en la imagen.",
        "Hay dos estrellas rojas en la imagen.",
        "La estrella roja está a la izquierda del corazón blanco.",
        "¿Dónde está el pez rojo?",
    ],
    "fr": [
        "Il y a une étoile rouge sur l'image.",
        "Il y a deux étoiles rouges sur l'image.",
        "L'étoile rouge est à gauche du cœur blanc.",
        "Où est le poisson rouge ?",
    ],
    "pt": [
        "Há uma estrela vermelha na imagem.",
        "Há duas estrelas vermelhas na imagem.",
        "A estrela vermelha está à esquerda do coração branco.",
        "Onde está o peixe vermelho?",
    ],
    "ru": [
        "На картинке красная звезда.",
        "На картинке две красные звезды.",
        "Красная звезда находится слева от белого сердца.",
        "Где находится красная рыба?",
    ],
    "hi": ["चित्र में एक लाल तारा है।", "चित्र में दो लाल तारे हैं।", "लाल तारा सफ़ेद दिल के बाईं ओर है।", "लाल मछली कहाँ है?"],
    "zh": ["图中有一颗红色的星星。", "图中有两颗红色的星星。", "红色的星星在白色的爱心的左边。", "红色的鱼在哪里？"],
    "ja": [
        "絵の中に赤い星があります。",
        "絵の中に二つの赤い星があります。",
        "赤い星は白いハートの左にあります。",
        "赤い魚はどこにいますか。",
    ],
    "ko": [
        "그림에 빨간 별이 있습니다.",
        "그림에 빨간 별 두 개가 있습니다.",
        "빨간 별은 하얀 하트의 왼쪽에 있습니다.",
        "빨간 물고기는 어디에 있습니까?",
    ],
}


def drawn(task: Task, split: Split = "test", level: int = 3, count: int = 4, **more: object) -> list[Sample]:
    return list(samples(task, split=split, level=level, count=count, **more))  # type: ignore[arg-type]


def everywhere(split: Split, count: int) -> Iterator[Sample]:
    for task in TASKS:
        for level in LEVELS:
            yield from drawn(task, split, level, count)


def text_of(sample: Sample) -> str:
    return "\n".join((sample.question, *sample.options, *sample.answers))


def build(task: str, protocol: str = "tvbench", **options: object) -> Build:
    found = gated(catalog.task(task), BuildOptions(protocol, **options))  # type: ignore[arg-type]
    return Build(found.items, found.dataset, found.warnings)


def media_of(item: Item) -> list[Media]:
    return [part for message in item.messages for part in message.parts if isinstance(part, Media)]


# ── The same seed, the same bytes ─────────────────────────────────────────────────────────────────

DIGEST = """
import hashlib, sys
from tvbench.mini.samples import samples
digest = hashlib.sha256()
for task in ("mini-alm", "mini-multi30k", "mini-vimul"):
    for sample in samples(task, seed=int(sys.argv[1]), count=2, languages=("de", "zh")):
        digest.update(repr((sample.id, sample.question, sample.options, sample.answers, sample.source)).encode())
        for media in sample.media:
            digest.update(media.load())
print(digest.hexdigest())
"""


def digest(seed: int, hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", DIGEST, str(seed)], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.strip()


def test_the_same_seed_gives_the_same_bytes_in_any_process() -> None:
    assert digest(7, "1") == digest(7, "2") != digest(8, "1")


CLIPS = """
import hashlib
from tvbench.mini.samples import samples
for sample in samples("mini-vimul", seed=1, count=24, languages=("de",)):
    print(sample.id, hashlib.sha256(sample.media[0].load()).hexdigest())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="another C library")
def test_the_bytes_of_a_clip_do_not_depend_on_what_lies_in_memory() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", CLIPS],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "MALLOC_PERTURB_": filled},
        ).stdout
        for filled in ("85", "170", "0")
    ]
    assert said[0] == said[1] == said[2] and len(said[0].splitlines()) >= 24


def test_a_sample_does_not_depend_on_how_many_are_drawn_or_in_which_languages() -> None:
    for task in TASKS:
        few = {s.id: (text_of(s), s.source, s.scenes) for s in drawn(task, count=2, languages=("ja", "de"))}
        many = {s.id: (text_of(s), s.source, s.scenes) for s in drawn(task, count=6)}
        assert few and all(many[name] == sample for name, sample in few.items())
        later = {s.id: (text_of(s), s.source, s.scenes) for s in drawn(task, count=2, start=4)}
        assert later and all(many[name] == sample for name, sample in later.items())


def test_languages_share_pictures_in_a_benchmark_and_not_in_training() -> None:
    for task in TASKS:
        for split in SPLITS:
            german, korean = ([s.scenes for s in drawn(task, split, languages=(code,))] for code in ("de", "ko"))
            assert (german == korean) == (split != "train")
            clusters = Counter(s.cluster for s in drawn(task, split, languages=("de", "ko")))
            assert set(clusters.values()) == ({1} if split == "train" else {2})


def test_splits_and_levels_are_different_worlds() -> None:
    seen: set[object] = set()
    for task in TASKS:
        for split in SPLITS:
            for level in LEVELS:
                scenes = {s.scenes for s in drawn(task, split, level, languages=("de",))}
                assert not scenes & seen
                seen |= scenes


# ── Held-out compositions ─────────────────────────────────────────────────────────────────────────


@cache
def phrases(thing: Thing, language: str) -> set[str]:
    """What a text that names the thing has in it: noun phrases of every form that a sentence uses."""
    say = grammar(language)
    other = Thing("circle" if thing.noun != "circle" else "house", "yellow")
    related = say.relates(other, "left", thing)
    names = {say.the(thing), *(say.many(thing, count) for count in (2, 3, 4))}
    for form in ("dative", "of", "oblique", "coloured"):
        if hasattr(say, form):
            names.add(getattr(say, form)(thing))
    if language == "de":
        names |= {name.partition(" ")[2] for name in names}  # `vom roten Stern` has no `dem`
    assert any(name.casefold() in related.casefold() for name in names), (language, related, names)
    return {name.casefold() for name in (*names, say.tells_colour(thing))}


def named(text: str, language: str) -> set[Thing]:
    """The compositions whose words stand in a text, found without any knowledge of how it was made."""
    folded = text.casefold()
    return {thing for thing in EVERYTHING if any(_stands_in(one, folded) for one in phrases(thing, language))}


def _stands_in(phrase: str, text: str) -> bool:
    """Whole words at the start (`red key` does not stand in `coloured keys`); endings may follow."""
    at = text.find(phrase)
    while at >= 0:
        if at == 0 or not text[at - 1].isalpha() or not phrase[0].isascii():
            return True
        at = text.find(phrase, at + 1)
    return False


@pytest.mark.parametrize("split", ["train", "validation"])
def test_no_picture_and_no_words_of_training_have_a_held_out_composition(split: Split) -> None:
    for sample in everywhere(split, 6):
        shown = {thing for scene in sample.scenes for thing in scene.things}
        assert shown and not any(thing.held_out for thing in (*shown, *sample.mentions)), sample.id


def test_no_sentence_of_training_names_a_held_out_composition() -> None:
    found: set[Thing] = set()
    for task in TASKS:
        for sample in drawn(task, "train", 4, count=8):
            there = named(f"{text_of(sample)}", sample.language)
            # Both senses of an ambiguous word have one English name.
            words = {(english_word(t.noun), t.colour) for t in sample.mentions}
            assert {(english_word(t.noun), t.colour) for t in there} <= words, (sample.id, text_of(sample))
            assert not any(thing.held_out for thing in there)
            found |= there
    assert len(found) > 60, "the search finds what is there"


def test_every_question_of_the_test_split_is_about_a_held_out_composition() -> None:
    for sample in everywhere("test", 4):
        shown = {thing for scene in sample.scenes for thing in scene.things}
        assert sample.held_out and any(thing.held_out for thing in (*shown, *sample.mentions)), sample.id
    named_ones = {t for s in drawn("mini-multi30k", count=8, level=4) for t in named(text_of(s), s.language)}
    assert sum(thing.held_out for thing in named_ones) > 8


def test_each_colour_is_held_out_for_a_noun_of_every_level() -> None:
    for level in LEVELS.values():
        assert {held_out_colour(noun) for noun in NOUNS[: level.nouns]} == set(COLOURS)
    for senses in SENSES.values():
        assert len({held_out_colour(noun) for noun in senses}) == 1


# ── Answers are right, and cannot be had by habit ─────────────────────────────────────────────────


def quadrant(placed: Placed, scene: Scene) -> str:
    return PLACES[2 * (placed.y > scene.height / 2) + (placed.x > scene.width / 2)]


def right_in_the_scene(sample: Sample) -> bool:
    """Judges an English sample anew from what stands where."""
    scene, words = sample.scenes[0], sample.question.rstrip("?.").split()
    by_noun = {placed.thing.noun: placed for placed in scene.placed}
    said = sample.options[sample.gold] if sample.gold is not None else ""
    if sample.maker in ("colour-choice", "colour-short"):
        return by_noun[words[-1]].thing.colour == (said or sample.answers[0])
    if sample.maker == "thing-choice":
        return [placed.thing.noun for placed in scene.placed if placed.thing.colour == words[-1]] == [said]
    if sample.maker == "place-choice":
        return quadrant(by_noun[words[-1]], scene) == said
    if sample.maker == "colour-truth":
        return (by_noun[words[1]].thing.colour == words[-1]) == (said == "True")
    if sample.maker == "count-short":
        plural = {f"{noun}s": noun for noun in NOUNS} | {"fish": "fish"}
        count = sum(placed.thing.noun == plural[words[2]] for placed in scene.placed)
        return sample.answers[0] == str(count)
    if sample.maker == "picture-choice":
        at = [number for number, one in enumerate(sample.scenes) if Thing(words[-1], words[-2]) in one.things]
        return at == [sample.gold]
    first, other = by_noun[words[2]], by_noun[words[-1]]
    true = {
        "left": first.x < other.x,
        "right": first.x > other.x,
        "above": first.y < other.y,
        "below": first.y > other.y,
    }[next(word for word in words if word in ("left", "right", "above", "below"))]
    return true == (said == "True")


@pytest.mark.parametrize("split", SPLITS)
def test_answers_are_what_stands_in_the_picture(split: Split) -> None:
    for level in LEVELS:
        for sample in drawn("mini-alm", split, level, count=24, languages=("en",)):
            assert right_in_the_scene(sample), sample


def test_films_show_what_is_answered() -> None:
    for sample in drawn("mini-vimul", "validation", 4, count=24, languages=("en",)):
        assert sample.gold is not None and len(sample.scenes) == 8
        said = sample.options[sample.gold]
        if sample.maker == "direction":
            one, *_, last = (scene.placed[0] for scene in sample.scenes)
            moved = {
                "to the right": last.x - one.x,
                "to the left": one.x - last.x,
                "down": last.y - one.y,
                "up": one.y - last.y,
            }
            assert max(moved, key=lambda side: moved[side]) == said and moved[said] > 20
        elif sample.maker == "count":
            assert str(len({scene.things for scene in sample.scenes})) == said
        else:
            order = list(dict.fromkeys(thing for scene in sample.scenes for thing in scene.things))
            asked = order[0] if "first" in sample.question else order[-1]
            assert said == grammar("en").a(asked)


def test_the_place_of_the_right_option_is_balanced() -> None:
    for task in ("mini-alm", "mini-vimul"):
        for maker in makers(task, 3):
            golds = Counter(s.gold for s in drawn(task, count=12, languages=("fr",)) if s.maker == maker)
            assert len(set(golds.values())) == 1, (maker, golds)


def test_options_are_different_in_every_language_and_the_right_answer_scores_full() -> None:
    for task in TASKS:
        for protocol in catalog.task(task).protocols:
            for item in build(task, protocol, settings={"level": "4"}).items:
                target = item.target
                if isinstance(target, Choice):
                    assert target.gold is not None and len(set(target.options)) == len(target.options)
                    scored = score_item(item, Response(item.id, text=target.target))
                    assert scored.values["aligned"] == scored.values["strict"] == 1, item
                    wrong = target.options[target.gold - 1]
                    assert score_item(item, Response(item.id, text=wrong)).values["aligned"] == 0, item
                elif isinstance(target, Short):
                    for answer in target.answers:
                        assert score_item(item, Response(item.id, text=answer)).values["accuracy"] == 1


def test_an_ambiguous_source_comes_with_both_senses_and_is_right_once_without_the_picture() -> None:
    pairs: dict[tuple[str, str], list[Item]] = {}
    for item in build("mini-multi30k", settings={"items": "16", "level": "4"}).items:
        assert isinstance(item.target, Translation)
        if item.target.sense:
            number = int(item.id.rpartition("-")[2]) // 2
            pairs.setdefault((item.language, str(number)), []).append(item)
    assert len(pairs) == 16 * (len(LANGUAGES) - 1)
    for one, other in pairs.values():
        assert isinstance(one.target, Translation) and isinstance(other.target, Translation)
        assert one.target.source == other.target.source
        assert media_of(one)[0].load() != media_of(other)[0].load()
        for said in (one, other):
            assert isinstance(said.target, Translation)
            reply = said.target.references[0]
            senses = [score_item(item, Response(item.id, text=reply)).values["sense"] for item in (one, other)]
            assert sum(value or 0 for value in senses) == 1 and senses[said is other] == 1, (reply, senses)


# ── Pixels ────────────────────────────────────────────────────────────────────────────────────────


def ink(pixels: np.ndarray, colour: str) -> np.ndarray:
    distance = np.abs(pixels.astype(int) - np.array(PALETTE[colour])).sum(axis=-1)
    return np.asarray(distance <= 6)


def test_things_are_painted_where_they_stand_and_nowhere_else() -> None:
    for sample in drawn("mini-alm", level=4, count=6, languages=("en",)):
        for scene, media in zip(sample.scenes, sample.media, strict=True):
            pixels = np.asarray(Image.open(io.BytesIO(media.load())))
            assert pixels.shape == (scene.height, scene.width, 3)
            free = np.ones(pixels.shape[:2], dtype=bool)
            for one in scene.placed:
                half = one.size / 2
                box = (
                    slice(max(0, int(one.y - half) - 1), int(one.y + half) + 2),
                    slice(max(0, int(one.x - half) - 1), int(one.x + half) + 2),
                )
                assert ink(pixels[box], one.thing.colour).mean() > 0.12, (sample.id, one)
                free[box] = False
            assert not (pixels[free] != scene.ground).any(), sample.id


def test_every_icon_looks_different() -> None:
    assert set(ICONS) == set(ALL_NOUNS)
    seen = set()
    for noun in ICONS:
        from tvbench.mini.render import picture

        seen.add(hashlib.sha256(picture(Scene(56, 56, 150, (Placed(Thing(noun, "red"), 28, 28, 50),)))).digest())
    assert len(seen) == len(ICONS)


def test_decoded_clips_move_as_they_are_said_to() -> None:
    with closing(Decoder()) as decoder:
        for sample in drawn("mini-vimul", "validation", 2, count=8, languages=("en",)):
            if sample.maker != "direction":
                continue
            clip, notes = decoder.decode(sample.media[0].load(), sample.id, 8, None)
            assert not notes and clip.frames.shape == (8, 56, 56, 3)
            colour = sample.scenes[0].placed[0].thing.colour
            centres = []
            for frame in (clip.frames[0], clip.frames[-1]):
                rows, columns = np.nonzero(np.abs(frame.astype(int) - np.array(PALETTE[colour])).sum(axis=-1) < 120)
                centres.append((rows.mean(), columns.mean()))
            down, right = (last - first for first, last in zip(*centres, strict=True))
            moved = {"to the right": right, "to the left": -right, "down": down, "up": -down}
            assert sample.gold is not None
            assert max(moved, key=lambda side: moved[side]) == sample.options[sample.gold]


def test_blank_pictures_hold_nothing_but_their_ground() -> None:
    items = list(build("mini-alm", settings={"pictures": "blank", "items": "1"}, languages=("de",)).items)
    for item in items:
        for media in media_of(item):
            assert len(Image.open(io.BytesIO(media.load())).getcolors() or ()) == 1
    (clip, *_) = build("mini-vimul", settings={"pictures": "blank", "items": "1"}, languages=("de",)).items
    with closing(Decoder()) as decoder:
        frames = decoder.decode(media_of(clip)[0].load(), "blank", 8, None)[0].frames
    assert frames.std() < 2


# ── Words ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_agree(language: str) -> None:
    say = grammar(language)
    star, heart, fish = Thing("star", "red"), Thing("heart", "white"), Thing("fish", "red")
    said = [say.shows(star), say.shows_many(star, 2), say.relates(star, "left", heart), say.ask_place(fish)]
    assert said == SAID[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_thing_can_be_said_in_every_way(language: str) -> None:
    say = grammar(language)
    texts = [say.a(thing) for thing in EVERYTHING]
    assert len(set(texts)) == (len(EVERYTHING) if language != "en" else (len(NOUNS) + len(SENSES)) * len(COLOURS))
    for thing in EVERYTHING:
        for text in (say.shows(thing), say.shows_many(thing, 3), say.ask_picture(thing), say.ask_direction(thing)):
            assert text.strip() == text and "  " not in text and text[-1] in ".?。？।"


# ── The tasks ─────────────────────────────────────────────────────────────────────────────────────


def test_the_group_is_small_and_whole() -> None:
    assert catalog.groups()["mini"] == TASKS
    sizes = {task: len(list(build(task).items)) for task in TASKS}
    assert 300 < sum(sizes.values()) <= 600
    languages = {item.language for task in TASKS for item in build(task).items}
    assert languages == set(LANGUAGES) and len(LANGUAGES) >= 8
    assert any(len(media_of(item)) == 3 for item in build("mini-alm", settings={"level": "2"}).items)


def test_selection_is_honoured() -> None:
    items = list(build("mini-alm", languages=("ja", "Deutsch"), limit=5).items)
    assert Counter(item.language for item in items) == {"ja": 5, "de": 5}
    for task in TASKS:
        assert not any(media_of(item) for item in build(task, with_media=False, limit=3).items)
    assert build("mini-alm", split="validation").dataset != build("mini-alm").dataset
    assert build("mini-alm", seed=1).dataset != build("mini-alm").dataset


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"settings": {"level": "9"}}, "no level 9"),
        ({"settings": {"level": "one"}}, "whole number"),
        ({"settings": {"levle": "2"}}, "level"),
        ({"settings": {"pictures": "blnak"}}, "blank"),
        ({"languages": ("nl",)}, "nl"),
        ({"split": "tset"}, "test"),
    ],
)
def test_what_is_not_there_is_refused_with_the_nearest_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        build("mini-alm", **options)
    assert message in f"{raised.value} {raised.value.hint}"


def test_a_group_takes_languages_and_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert selection.parse_selection("mini:en+de") == [
        ("mini-alm", ("en", "de")),
        ("mini-multi30k", ("de",)),
        ("mini-vimul", ("en", "de")),
    ]
    assert [name for name, _ in selection.parse_selection("mini:en")] == ["mini-alm", "mini-vimul"]
    with pytest.raises(UsageError, match="'nl'"):
        selection.parse_selection("mini:nl+de")
    words = ["run", "--model", "tower-mini", "--tasks", "mini:de", "--dry-run", "--format", "json"]
    assert main([*words, "--set", "mini.level=3", "--set", "mini.items=1", "--set", "mini-alm.items=2"]) == 0
    shown = json.loads(capsys.readouterr().out)["tasks"]
    assert {task["task"]: task["items"] for task in shown} == {"mini-alm": 16, "mini-multi30k": 3, "mini-vimul": 3}


def test_listing_the_tasks_opens_no_picture_library() -> None:
    code = (
        "import sys; from tvbench.registry import catalog; print(len(catalog.groups()['mini']));"
        "print(sorted({'PIL', 'av', 'numpy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["3", "[]"]


def test_the_main_job_on_the_embedded_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "run",
        "--model",
        "tower-mini",
        "--tasks",
        "mini",
        "--languages",
        "de,ja",
        "--limit",
        "30",
        "--engine",
        "transformers",
        "--results",
        str(tmp_path),
        "--quiet",
    ]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert all(task in shown for task in TASKS) and "random weights" not in shown
    assert main(["leaderboard", "--tasks", "mini", "--results", str(tmp_path)]) == 0
    assert "tower-mini" in capsys.readouterr().out
