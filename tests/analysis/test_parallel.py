"""One question in several languages: how alike the answers are, and what a language loses against English."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from tvbench.analysis.assess import Scored
from tvbench.analysis.diagnosed import Diagnosed
from tvbench.analysis.diagnosis.answers import Answer, diagnose
from tvbench.analysis.parallel import Parallel, parallel, question_of
from tvbench.runs.manifest import TaskEntry
from tvbench.scoring import score_item
from tvbench.scoring.metrics import metric
from tvbench.types import Choice, Item, Response

OPTIONS = ("w", "x", "y", "z")


def answer(code: str, number: int, place: int, *, cluster: str | None = None) -> Answer:
    gold = number % 4
    item = Item(
        f"{code}/{number}",
        "made",
        code,
        (),
        Choice(OPTIONS, gold, "ABCD"[gold], letters=True),
        cluster=f"picture {number}" if cluster is None else cluster,
    )
    response = Response("k", text="ABCD"[place])
    return diagnose(item, response, score_item(item, response), metric("aligned"))


def found(answers: dict[str, list[Answer]]) -> Diagnosed:
    entry = TaskEntry("made", "p", "d", "s", "aligned")
    task = Scored(entry=entry, items={}, keys={}, answers={}, expected=0, scores={})
    return Diagnosed(
        task, metric("aligned"), {code: [one.item for one in part] for code, part in answers.items()}, answers
    )


def told(answers: dict[str, list[Answer]], blind: dict[str, list[Answer]] | None = None) -> Parallel:
    made = parallel(found(answers), None if blind is None else found(blind), resamples=400)
    assert made is not None
    return made


def by_share(code: str, share: float, count: int = 60) -> list[Answer]:
    """Right in `share` of the questions, else the next option; languages err independently."""
    random = Random(code)
    return [answer(code, n, n % 4 if random.random() < share else (n + 1) % 4) for n in range(count)]


def test_gaps_are_paired_and_against_english() -> None:
    made = told({"en": by_share("en", 0.9), "hi": by_share("hi", 0.3), "de": by_share("de", 0.9)})
    gaps = {gap.language: gap for gap in made.gaps}
    assert made.reference == "en" and set(gaps) == {"de", "hi"}
    hindi = gaps["hi"].comparison
    assert hindi.difference == pytest.approx(hindi.second - hindi.first) and hindi.difference < -0.4
    assert hindi.high is not None and hindi.high < 0 and gaps["hi"].p < 0.01 < gaps["de"].p


def test_without_english_the_best_language_is_the_measure() -> None:
    made = told({"de": by_share("de", 0.9), "hi": by_share("hi", 0.4)})
    assert made.reference == "de" and [gap.language for gap in made.gaps] == ["hi"]


def test_consistency_is_held_against_independent_errors() -> None:
    alike = {
        code: [answer(code, n, n % 4 if n < 30 else (n + 1) % 4) for n in range(60)] for code in ("de", "en", "hi")
    }
    same = told(alike).consistency
    assert same is not None and same.questions == 60
    assert same.right == same.wrong == 0.5 and same.same_wrong == 0.5
    assert same.right_expected == pytest.approx(0.125) and (same.same_wrong_expected or 0) < 0.3
    apart = told({code: by_share(code, 0.6, 400) for code in ("de", "en", "hi")}).consistency
    assert apart is not None and apart.right == pytest.approx(apart.right_expected, abs=0.08)


def test_a_wrong_option_in_another_order_is_not_compared() -> None:
    english = by_share("en", 0.5)
    shuffled = [
        replace(
            one,
            item=replace(one.item, id=f"de/{n}", language="de", target=Choice(OPTIONS, (n + 2) % 4, "", letters=True)),
        )
        for n, one in enumerate(english)
    ]
    held = told({"en": english, "de": shuffled}).consistency
    assert held is not None and held.same_wrong is None


def test_equal_numbers_of_other_pictures_are_no_parallel_questions() -> None:
    apart = {code: [answer(code, n, 0, cluster=f"{code}/{n}") for n in range(20)] for code in ("de", "en")}
    assert parallel(found(apart)) is None


def test_a_tag_says_which_questions_are_one() -> None:
    one, other = answer("de", 1, 0, cluster="a").item, answer("en", 9, 0, cluster="b").item
    assert question_of(one) != question_of(other)
    tags = {"parallel": "q7"}
    assert question_of(replace(one, tags=tags)) == question_of(replace(other, tags=tags))


def test_what_the_picture_adds_is_paired_by_item() -> None:
    seeing = {code: by_share(code, 0.9) for code in ("de", "en")}
    blind = {code: by_share(f"blind {code}", 0.2) for code in ("de", "en")}
    blind = {
        code: [replace(one, item=seeing[code][n].item) for n, one in enumerate(part)] for code, part in blind.items()
    }
    made = told(seeing, blind)
    assert [gap.language for gap in made.pictures] == ["all", "de", "en"]
    together = made.pictures[0].comparison
    assert together.difference > 0.5 and together.low is not None and together.low > 0.4
