"""Open questions in five languages of made-up words, and judges that are loose or harsh on what is planted there."""

from __future__ import annotations

import random
from collections.abc import Mapping

from tvbench.graders.judge.cases import Case
from tvbench.graders.judge.looseness import planted_qualities
from tvbench.graders.judge.planted import WRONG, Plant
from tvbench.graders.judge.record import JudgeVerdict
from tvbench.graders.judge.reply import ReplyReading
from tvbench.types import Item, Message, Open

LANGUAGES = ("de", "fr", "hi", "ko", "sw")
LETTERS = {
    "de": "abdefghiklmnorstu",
    "fr": "aceilmnoprstu",
    "hi": "कखगचजटडतदनपबमरलसह",
    "ko": "가나다라마바사아자차카타파하",
    "sw": "abehikmnostuwyz",
}


def word(rng: random.Random, code: str) -> str:
    return "".join(rng.choice(LETTERS[code]) for _ in range(rng.randint(3, 9)))


def items(count: int = 60, codes: tuple[str, ...] = LANGUAGES, seed: int = 0, task: str = "alm") -> list[Item]:
    """Open questions on the same pictures in every language, answered in made-up words; half of them have a number."""
    rng = random.Random(seed)
    made = []
    for place in range(count):
        for code in codes:
            said = [word(rng, code) for _ in range(7)]
            if place % 2:
                said[2] = str(rng.randint(2, 2000))
            target = Open(f"{word(rng, code)} {word(rng, code)}?", " ".join(said))
            made.append(
                Item(f"{code}/oe/{place}", task, code, (Message("user", ("?",)),), target, cluster=f"clip {place}")
            )
    return made


def verdicts(chances: Mapping[str, tuple[float, float]], rng: random.Random, plants: list[Plant]) -> list[JudgeVerdict]:
    """Verdicts of a judge by language: the chance that it accepts a wrong answer, and that it rejects a right one."""
    found = []
    for made in plants:
        accepts, rejects = chances[made.item.language]
        right = rng.random() < (accepts if made.kind in WRONG else 1 - rejects if made.kind == "reference" else 0.5)
        case = Case(made.item, made.answer, "open", "?", "!", None, False, made.kind, made.rule)
        found.append(JudgeVerdict(case, ReplyReading(float(right)), 1))
    return found


def named(chances: Mapping[str, tuple[float, float]], rng: random.Random, plants: list[Plant]) -> dict[str, str]:
    """The languages that such a judge is found to be loose or harsh in."""
    found = planted_qualities({"alm": verdicts(chances, rng, plants)})
    return {quality.language: quality.direction for quality in found if quality.direction}
