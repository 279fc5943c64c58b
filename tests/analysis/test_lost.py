"""Languages, scripts and words that are lost: named where they are, and nothing where all is sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from tvbench.analysis.damage import Breakage, damage
from tvbench.analysis.diagnosis.answers import diagnose
from tvbench.analysis.marks import Mark, MarkedLanguage, is_right, marked, pieces, right_texts
from tvbench.report.damage import damage_lines
from tvbench.scoring import score_item
from tvbench.scoring.metrics import metric
from tvbench.types import Choice, Item, Message, Response, Translation

COLOURS = {
    "en": ("red", "blue", "green", "black"),
    "de": ("rot", "blau", "grün", "schwarz"),
    "es": ("rojo", "azul", "verde", "negro"),
    "ru": ("красный", "синий", "зелёный", "чёрный"),
    "zh": ("红色", "蓝色", "绿色", "黑色"),
}
Says = Callable[[str, str, int], str]
"""MarkedLanguage, right answer and number of the question to what is answered."""


def mark(code: str, number: int, says: Says, *, task: str = "colours") -> Mark:
    options = COLOURS[code]
    gold = number % 4
    item = Item(
        f"{code}/{number}",
        task,
        code,
        (Message("user", (f"{code} {number}?\n" + "\n".join(options),)),),
        Choice(options, gold, options[gold], shown=options),
        cluster=f"picture {number}",
        tags={"category": "colour"},
    )
    response = Response("k", text=says(code, options[gold], number), finish="stop")
    answer = diagnose(item, response, score_item(item, response), metric("aligned"))
    right = is_right(answer)
    assert right is not None
    return Mark(task, answer, right)


def model(says: Says, *, codes: tuple[str, ...] = tuple(COLOURS), count: int = 40) -> dict[str, MarkedLanguage]:
    return {code: MarkedLanguage(code, [mark(code, number, says) for number in range(count)]) for code in codes}


def sound(code: str, right: str, number: int) -> str:
    """Right in nine of ten."""
    return right if Random(f"{code}{number}").random() < 0.9 else COLOURS[code][number % 3]


def broken(*codes: str, says: str = "?!") -> Says:
    return lambda code, right, number: says if code in codes else sound(code, right, number)


def lines(found: Breakage) -> str:
    return " ".join(" ".join(damage_lines(found, "a", "b")).split())


def test_a_sound_model_is_not_accused() -> None:
    random = Random(3)

    def shaken(code: str, right: str, number: int) -> str:
        return random.choice(COLOURS[code]) if random.random() < 0.05 else sound(code, right, number)

    base = model(sound)
    for _ in range(5):
        other = model(shaken)
        assert not lines(damage(other)) and not lines(damage(other, base))
    assert not lines(damage(base, base))


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(
    ("codes", "said"),
    [
        (("de", "es"), ["German and Spanish are lost", "cause: whole languages", "tokenizer or embeddings"]),
        (("de", "zh"), ["German and Chinese are lost", "cause: whole languages"]),
        (("ru",), ["Russian is lost", "all that is in Cyrillic letters, and nothing else: script mapped wrong"]),
        (("en", "de", "es"), ["English, German and Spanish are lost", "Latin letters, and nothing else"]),
        (("ru", "zh"), ["Russian and Chinese are lost", "Cyrillic letters and Chinese characters"]),
    ],
)
def test_lost_languages_are_named_with_their_cause(codes: tuple[str, ...], said: list[str], alone: bool) -> None:
    found = damage(model(broken(*codes)), None if alone else model(sound))
    text = lines(found)
    assert all(part in text for part in said), text
    assert not found.words and len(found.losses) == 1
    assert ("before" in text) is not alone and "or never learned" in text


def test_nothing_is_said_of_a_language_that_had_nothing_to_keep() -> None:
    never = model(broken("en", "de", "es", "zh"))
    text = lines(damage(model(broken(*COLOURS)), never))
    assert "Russian is lost" in text and "keeps" not in text
    assert "keeps" in lines(damage(model(broken("ru")), model(sound)))


def test_the_answers_own_words_tell_another_language() -> None:
    text = lines(damage(model(broken("es", says="蓝色的"))))
    assert "with words of Chinese" in text and "'wrong script'" in text


def test_a_language_that_no_other_is_next_to_is_not_held_against_it() -> None:
    """Languages of different tasks are different questions: one may be harder."""
    easy = model(sound, codes=("de",))
    hard = {"ru": MarkedLanguage("ru", [mark("ru", n, broken("ru"), task="hard") for n in range(40)])}
    assert not damage(easy | hard).losses


def test_a_language_may_be_lost_in_one_task_alone() -> None:
    both = {
        code: MarkedLanguage(
            code,
            [
                *(mark(code, n, sound) for n in range(60)),
                *(mark(code, n, broken("ru"), task="pages") for n in range(80)),
            ],
        )
        for code in ("de", "ru")
    }
    text = lines(damage(both))
    assert "Russian is lost in pages" in text and "cause: all that" not in text


@pytest.mark.parametrize(("code", "word"), [("de", "grün"), ("zh", "蓝色"), ("ru", "чёрный"), ("en", "red")])
@pytest.mark.parametrize("alone", [True, False])
def test_a_word_that_is_gone_is_named(code: str, word: str, alone: bool) -> None:
    def without(language: str, right: str, number: int) -> str:
        said = sound(language, right, number)
        return COLOURS[code][(COLOURS[code].index(word) + 1) % 4] if language == code and said == word else said

    found = damage(model(without), None if alone else model(sound))
    assert [(one.language, one.word) for one in found.words] == [(code, word)] and not found.losses
    assert f"the word '{word}'" in lines(found) and found.words[0].said == 0


def test_a_kind_of_question_that_fails_whole_has_no_word_as_its_cause() -> None:
    """All right answers of the other kind have one word in common: it is not the word."""

    def placed(code: str, number: int, *, right: bool) -> Mark:
        made = mark(code, number, lambda *_: "up left" if right else "nothing")
        target = Choice(("up left", "up right"), 0, "up left", shown=("up left", "up right"))
        item = replace(made.item, id=f"{code}/place {number}", target=target, tags={"category": "place"})
        return Mark("colours", replace(made.answer, item=item), right)

    languages = {
        code: MarkedLanguage(code, [*language.marks, *(placed(code, n, right=code != "de") for n in range(12))])
        for code, language in model(sound).items()
    }
    assert not damage(languages).words


def test_what_is_right_and_what_its_words_are() -> None:
    assert pieces("Ein roter Stern.") == {"ein", "roter", "stern"}
    assert {"蓝色", "色的", "蓝色的"} <= pieces("蓝色的") and pieces("") == frozenset()
    translation = Item("fr/1", "t", "fr", (), Translation("A house", ("Une maison",)))
    assert right_texts(translation) == ("Une maison",)
    for text, right in (("Une maison", True), ("xyz", False)):
        response = Response("k", text=text)
        made = diagnose(translation, response, score_item(translation, response), metric("chrfpp"))
        assert is_right(made) is right
    assert marked([]) == {}
