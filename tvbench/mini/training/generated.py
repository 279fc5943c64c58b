"""The mini world as training data: samples made on demand from (seed, index), split `train` only.

An entry with `generated: mini` has these options:
    kind       captions | questions | translation | video      what is asked, with the picture
               told-questions | told-translation               the same without: the picture is told in words, or absent
               letters                                           options with letters; the letter of each is asked
               scene | told-scene | clip                        many kinds of questions and captions on one picture
    level      1..4, how hard the world is
    protocols  [tvbench, text]: with letters, or without, in turn
    makers     only these kinds of question; with scenes, how often each comes: {place-choice: 2, caption: 1}
    more       so many further questions on the same picture, with short answers, and its caption last
    branches   with `scene` and `clip`: so many conversations, each of which sees the picture and itself only

Prompts are those of the tasks (mini/prompts.py). Knows the mini world; no tensor.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from tvbench.errors import UsageError, unknown_name
from tvbench.mini import clip_exchanges, exchanges, prompts
from tvbench.mini.grammars import LANGUAGES, grammar
from tvbench.mini.grammars.base import Grammar
from tvbench.mini.puzzles import OPPOSITE
from tvbench.mini.render import paint
from tvbench.mini.samples import Sample, Task, makers, one
from tvbench.mini.world import PLACES, Film, Placed, Scene, Thing, level_of, seen_colours
from tvbench.train.data.columns import Columns, columns_of
from tvbench.train.data.entries import Entry
from tvbench.train.data.sample import Drawn, Medium, Outline, TrainSample, Turn, outlined

KINDS: dict[str, Task] = {
    "captions": "mini-multi30k",
    "questions": "mini-alm",
    "translation": "mini-multi30k",
    "video": "mini-vimul",
    "told-questions": "mini-alm",
    "told-translation": "mini-multi30k",
    "letters": "mini-alm",
    "scene": "mini-alm",
    "told-scene": "mini-alm",
    "clip": "mini-vimul",
}
SHARED: dict[str, tuple[str, ...]] = {
    "scene": tuple(exchanges.KINDS),
    "told-scene": tuple(exchanges.KINDS),
    "clip": tuple(clip_exchanges.KINDS),
}
"""Kinds with many conversations on one picture, and what these are about."""
ASIDE = {"scene": tuple(exchanges.ASIDE)}
"""What some of them may also ask, though not about the picture: where it is named."""
OPTIONS = ("kind", "level", "protocols", "makers", "more", "branches")
ROUND = 4
"""The place of the right option goes round with the number, four numbers a round; the protocol changes after one."""
DESCRIBE = {
    "en": "Describe the picture.",
    "de": "Beschreibe das Bild.",
    "es": "Describe la imagen.",
    "fr": "Décris l'image.",
    "pt": "Descreve a imagem.",
    "ru": "Опиши картинку.",
    "hi": "तस्वीर का वर्णन करो।",
    "zh": "描述这张图片。",
    "ja": "この絵を説明してください。",
    "ko": "그림을 설명하세요.",
}


class GeneratedCorpus:
    """`entry.samples` samples; languages and makers take turns. Raises UsageError for unknown options."""

    def __init__(self, entry: Entry) -> None:
        for name in entry.options:
            if name not in OPTIONS:
                raise unknown_name(f"option of the generated data '{entry.name}'", name, OPTIONS)
        if entry.samples is None:
            raise UsageError(f"the generated data '{entry.name}' have no end", f"set {entry.name}'s samples: N")
        options = entry.options
        self.entry = entry
        self.kind = str(options.get("kind", "questions"))
        if self.kind not in KINDS:
            raise unknown_name("kind of generated data", self.kind, KINDS)
        self.task = KINDS[self.kind]
        self.level = int(options.get("level", 1))
        self.protocols = tuple(options.get("protocols", prompts.PROTOCOLS))
        self.more = int(options.get("more", 0))
        self.branches = int(options.get("branches", 1))
        self.makers = self._makers(options.get("makers") or ())
        self.languages = self._languages()

    def __len__(self) -> int:
        return self.entry.samples or 0

    def columns(self) -> Columns:
        """Every sample is made once: for few samples, or an entry that is grouped by length."""
        return columns_of((self.outline(index), None) for index in range(len(self)))

    def outline(self, index: int) -> Outline:
        return outlined(self.sample(index))

    def sample(self, index: int) -> TrainSample:
        """The sample of that index: its language, its maker and its number follow from it."""
        if self.kind in SHARED:
            return self._on_one_picture(index)
        rest, place = divmod(index, len(self.languages))
        names = tuple(self.makers)
        number, maker = divmod(rest, len(names))
        language = self.languages[place]
        drawn = one(self.task, names[maker], language, number, split="train", seed=self.entry.seed, level=self.level)
        protocol = self.protocols[number // ROUND % len(self.protocols)]
        turns, media = self._conversation(drawn, protocol, random.Random(f"{self.entry.seed}/{index}"))
        return TrainSample(f"{self.entry.name}/{index}", turns, media, language, self.entry.name)

    def _makers(self, asked: Mapping[str, float] | Sequence[str]) -> dict[str, float]:
        """Kinds of questions and how often each comes: all of them, once, where none is asked for."""
        known = SHARED.get(self.kind) or makers(self.task, self.level)
        if self.kind == "letters":
            known = tuple(maker for maker in known if maker.endswith("-choice"))
        allowed = (*known, *ASIDE.get(self.kind, ()))
        for maker in asked:
            if maker not in allowed:
                raise unknown_name(f"kind of question for '{self.entry.name}'", maker, allowed)
        shares = dict(asked) if isinstance(asked, Mapping) else dict.fromkeys(asked or known, 1.0)
        if not all(isinstance(share, int | float) and share > 0 for share in shares.values()):
            raise UsageError(f"a share of {self.entry.name}'s makers is not above 0", "makers: {place-choice: 2}")
        return shares

    def _languages(self) -> tuple[str, ...]:
        asked = self.entry.languages or LANGUAGES
        for code in asked:
            if code not in LANGUAGES:
                raise unknown_name("language of the mini world", code, LANGUAGES)
        translated = tuple(code for code in asked if code != "en")
        return translated if self.kind in ("translation", "told-translation") else tuple(asked)

    # ── Conversations ─────────────────────────────────────────────────────────────────────────────

    def _conversation(
        self, drawn: Sample, protocol: str, rng: random.Random
    ) -> tuple[tuple[Turn, ...], tuple[Medium, ...]]:
        say = grammar(drawn.language)
        if self.kind == "letters":
            return letters(drawn, rng), ()
        if self.kind == "captions":
            question, answer = DESCRIBE[drawn.language], drawn.answers[0]
        else:
            question, answer = prompts.asked(drawn, protocol), prompts.right_answer(drawn, protocol)
        if self.kind == "told-questions":
            question = f"{told(drawn.scenes, say)}\n{question}"
        media = () if self.kind.startswith("told-") else _media(drawn)
        asked = [(question, answer), *self._further(drawn, say, rng)]
        marks = "".join(f"<{medium.kind}>\n" for medium in media)
        turns = []
        for number, (question, answer) in enumerate(asked):
            turns += [Turn("user", question if number else marks + question), Turn("assistant", answer)]
        return tuple(turns), media

    def _on_one_picture(self, index: int) -> TrainSample:
        """A picture, a clip, or a picture told in words, and `branches` conversations on it, in all languages."""
        rng = random.Random(f"tvbench scenes/{self.entry.seed}/{self.entry.name}/{index}")
        code, level = self.languages[index % len(self.languages)], level_of(self.level)
        name, wanted = f"{self.entry.name}/{index}", (self.branches, self.protocols, self.makers)
        media: tuple[Medium, ...] = ()
        if self.kind == "clip":
            clip = clip_exchanges.draw(rng, level)
            media, shared = (Drawn("video", f"{name}.mp4", _painter(clip.film)),), "<video>\n"
            asked = clip_exchanges.exchanges(rng, clip, self.languages, *wanted)
        elif self.kind == "scene":
            sight = exchanges.draw(rng, level)
            media, shared = (Drawn("image", f"{name}.png", _painter((sight.scene(rng),))),), "<image>\n"
            asked = exchanges.exchanges(rng, sight, self.languages, *wanted)
        else:
            sight = exchanges.draw(rng, level)
            shared = f"{exchanges.told(rng, sight, code)}\n"
            languages = (code, code, *self.languages)  # mostly in the language in which the picture is told
            asked = exchanges.exchanges(rng, sight, languages, *wanted)
        first, *rest = [(Turn("user", shared + question), Turn("assistant", answer)) for question, answer in asked]
        return TrainSample(name, first, media, code, self.entry.name, shared if rest else "", tuple(rest))

    def _further(self, drawn: Sample, say: Grammar, rng: random.Random) -> list[tuple[str, str]]:
        """More questions on a single picture, in any order."""
        if not self.more or len(drawn.scenes) != 1 or self.kind == "told-translation":
            return []
        scene = drawn.scenes[0]
        known = [*probes(scene, say), *statements(scene, say, rng)]
        return rng.sample(known, min(self.more, len(known)))


def probes(scene: Scene, say: Grammar) -> Iterator[tuple[str, str]]:
    """Short questions on everything in a picture, with their answers: colours, things, places, numbers."""
    nouns = [thing.noun for thing in scene.things]
    colours = [thing.colour for thing in scene.things]
    for placed in dict.fromkeys(scene.placed):
        thing = placed.thing
        if nouns.count(thing.noun) == 1:
            yield f"{say.ask_colour(thing.noun)}\n{say.briefly}", say.colour_names[thing.colour]
        if colours.count(thing.colour) == 1:
            yield f"{say.ask_thing(thing.colour)}\n{say.briefly}", say.word(thing.noun)
        if scene.things.count(thing) == 1 and in_a_cell(placed, scene):
            yield f"{say.ask_place(thing)}\n{say.briefly}", say.places[place_of(placed, scene)]
    for noun in dict.fromkeys(nouns):
        yield f"{say.ask_count(noun)}\n{say.briefly}", str(nouns.count(noun))


def letters(drawn: Sample, rng: random.Random) -> tuple[Turn, ...]:
    """The options of a question with letters, and then each option's letter: how to answer by a letter, undiluted."""
    order = rng.sample(range(len(drawn.options)), len(drawn.options))
    asked = [prompts.with_letters(drawn), *([""] * (len(order) - 1))]
    turns = []
    for said, place in zip(asked, order, strict=True):
        question = f"{said}\n{drawn.options[place]}".strip()
        turns += [Turn("user", question), Turn("assistant", chr(ord("A") + place))]
    return tuple(turns)


def statements(scene: Scene, say: Grammar, rng: random.Random) -> Iterator[tuple[str, str]]:
    """For each thing a statement on its colour, and on where two things are, each once right and once wrong. Wrong ones
    name no held-out composition either."""
    nouns = [thing.noun for thing in scene.things]
    for thing in dict.fromkeys(scene.things):
        if nouns.count(thing.noun) == 1:
            yield say.ask_whether(say.tells_colour(thing)), say.true
            wrong = Thing(thing.noun, rng.choice(seen_colours(thing.noun, {thing.colour})))
            yield say.ask_whether(say.tells_colour(wrong)), say.false
    if len(set(nouns)) == 2 == len(nouns):
        first, other = scene.placed
        for side in side_of(first, other, scene):
            yield say.ask_whether(say.relates(first.thing, side, other.thing)), say.true
            yield say.ask_whether(say.relates(first.thing, OPPOSITE[side], other.thing)), say.false


def side_of(first: Placed, other: Placed, scene: Scene) -> tuple[str, ...]:
    """On which sides of `other` the first thing is: none for cells of the same row and column, one where they share a
    row or a column, as relations are asked for; else none."""
    here, there = (PLACES.index(place_of(placed, scene)) for placed in (first, other))
    across, down = here % 2 - there % 2, here // 2 - there // 2
    if across and not down:
        return ("right",) if across > 0 else ("left",)
    if down and not across:
        return ("down",) if down > 0 else ("up",)
    return ()


def told(scenes: Sequence[Scene], say: Grammar) -> str:
    """Pictures in words: each thing and where it is, one a line; several pictures with their names."""
    texts = ["\n".join(_told(placed, scene, say) for placed in scene.placed) for scene in scenes]
    if len(texts) == 1:
        return texts[0]
    return "\n".join(f"{say.picture_name.format(number)}: {text}" for number, text in enumerate(texts, 1))


def _told(placed: Placed, scene: Scene, say: Grammar) -> str:
    where = f", {say.places[place_of(placed, scene)]}" if in_a_cell(placed, scene) else ""
    return say.a(placed.thing) + where


def in_a_cell(placed: Placed, scene: Scene) -> bool:
    """Whether a thing has one of the PLACES: a single one may have the picture to itself."""
    return placed.size <= min(scene.width, scene.height) / 2


def place_of(placed: Placed, scene: Scene) -> str:
    """The one of PLACES where a thing's centre is."""
    return PLACES[2 * (placed.y > scene.height / 2) + (placed.x > scene.width / 2)]


def _media(drawn: Sample) -> tuple[Medium, ...]:
    if drawn.task == "mini-vimul":
        return (Drawn("video", f"{drawn.id}.mp4", _painter(drawn.scenes)),)
    return tuple(
        Drawn("image", f"{drawn.id}-{number}.png", _painter((scene,))) for number, scene in enumerate(drawn.scenes, 1)
    )


def _painter(film: Film) -> Callable[[], list]:  # type: ignore[type-arg]
    return lambda: [paint(scene) for scene in film]
