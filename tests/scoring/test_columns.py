"""Figures from columns are those of items held as objects, to the last bit, whatever became of the items."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import plain_summary
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from tvbench.runs.codec import result_to_json
from tvbench.scoring import score_items, summarise
from tvbench.scoring.intervals import Observation, cluster_count, macro_stderr, mean
from tvbench.scoring.metric import Metric, Pair
from tvbench.scoring.metrics import always, metric
from tvbench.scoring.ngrams import bleu_counts, chrf_counts
from tvbench.scoring.samples import Samples, renumbered
from tvbench.types import (
    Choice,
    Contrast,
    Figure,
    Item,
    Message,
    OcrText,
    Open,
    Response,
    Score,
    Short,
    SideScores,
    Target,
    Translation,
)

WORDS = "ein rotes Haus steht am blauen See und der alte Mann 日本語 犬 । नमस्ते ( - . , ' %".split(" ")
LANGUAGES = ("en", "de", "ja", "hi", "de-AT")
SEEDS = 20
"""By hand 400."""


class Longest(Metric):
    """A stranger's figure of a corpus, which needs all texts at once."""

    id = "longest"
    unit = "letters"

    def of_corpus(self, language: str, pairs: Sequence[Pair]) -> Figure | None:
        if language == "hi":
            raise RuntimeError("not in Hindi")
        return Figure(float(max(len(text) for _, text in pairs)), len(pairs))


class Length(Metric):
    """A stranger's value of an item, which has no bounds; it fails where nothing was said."""

    id = "length"
    unit = "letters"

    def of_item(self, item: Item, text: str) -> float | None:
        return 1 / 0 if not text else len(text) / 7 if len(text) % 5 else None


def test_figures_are_the_same_to_the_last_bit() -> None:
    """Every kind of target; unanswered and failed items, pictures of several languages, own metrics, judges."""
    for seed in range(SEEDS):
        rng = random.Random(seed)
        items = [made(rng, number) for number in range(rng.choice((0, 1, 2, 7, 60, 250)))]
        answers = {item.id: response for item in items if (response := answered(rng, item)) is not None}
        metrics = [*always(), *rng.sample([metric("ter"), Longest(), Length()], rng.randint(0, 3))]
        sides = [
            SideScores("judge", "d", {item.id: rng.choice((None, 0.25, 1.0)) for item in items if rng.random() < 0.3})
        ]
        scores = score_items(items, answers, sides if seed % 3 else (), metrics, "length" if seed % 2 else "")
        given = ("t", "p", rng.choice(("aligned", "chrfpp", "length")), "s", items, answers, scores, metrics)
        assert repr(summarise(*given)) == repr(plain_summary.summarise(*given)), seed
        result_to_json(summarise(*given))


def made(rng: random.Random, number: int) -> Item:
    language = rng.choice(LANGUAGES)
    kinds: tuple[Target, ...] = (
        choice(rng),
        Choice((), None, "None"),
        replace(choice(rng), letters=True),
        Short((said(rng), said(rng))),
        Translation(said(rng), tuple(said(rng) for _ in range(rng.randint(0, 3))), *[(said(rng),)] * rng.randint(0, 2)),
        OcrText(said(rng) if rng.random() < 0.8 else None),
        Open(said(rng), said(rng)),
        Contrast(f"pair {number // 2}", bool(number % 2)),
    )
    tags = {name: rng.choice("abc") for name in ("kind", "level", "language") if rng.random() < 0.5}
    picture = rng.choice(("", f"picture {rng.randint(0, 9)}", f"picture {number}"))
    problem = "no picture" if rng.random() < 0.03 else None
    message = (Message("user", ("?",)),)
    return Item(
        f"{language}/{number}", "t", language, message, rng.choice(kinds), cluster=picture, tags=tags, problem=problem
    )


def choice(rng: random.Random) -> Choice:
    options = tuple(said(rng) for _ in range(rng.randint(2, 4)))
    gold = rng.randrange(len(options))
    return Choice(options, rng.choice((gold, gold, None)), options[gold], options if rng.random() < 0.8 else ())


def said(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(0, 8)))


def answered(rng: random.Random, item: Item) -> Response | None:
    if rng.random() < 0.06:
        return rng.choice((None, Response("k", error="server gone")))
    if isinstance(item.target, Contrast):
        return Response("k", logprobs=tuple(-rng.random() for _ in range(3)))
    right = {Choice: "target", Short: "answers", Translation: "references", OcrText: "text"}.get(type(item.target))
    held = getattr(item.target, right) if right else ""
    text = held if isinstance(held, str) else (*held, "")[0] if held else ""
    return Response("k", text=text if rng.random() < 0.5 else said(rng))


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(st.floats(-3, 3), st.integers(0, 5)), min_size=1), min_size=1), st.booleans())
def test_samples_are_observations(groups: list[list[tuple[float, int]]], bounded: bool) -> None:
    """Mean, standard error and interval, of the same numbers held in either way."""
    groups = [[(value / 6 + 0.5 if bounded else value, name) for value, name in group] for group in groups]
    held = [[Observation(value, str(name)) for value, name in group] for group in groups]
    places, values = ([np.array([pair[at] for pair in group]) for group in groups] for at in (1, 0))
    figure = Samples(places).figure(values, (0.0, 1.0))
    every = [one for group in held for one in group]
    low, high = plain_summary.mean_interval(held) or (None, None)
    assert figure == Figure(
        sum(map(mean, held)) / len(held), len(every), macro_stderr(held), cluster_count(every), low, high
    )


@settings(deadline=None)
@given(st.lists(st.integers(0, 30)))
def test_clusters_are_numbered_as_they_occur(names: list[int]) -> None:
    place, count = renumbered(np.array(names, np.int32))
    known: dict[int, int] = {}
    assert place.tolist() == [known.setdefault(name, len(known)) for name in names] and count == len(known)


@settings(deadline=None)
@given(st.text(alphabet="ab .,(-日'\u3000\u0301", max_size=30), st.text(alphabet="ab .,(-日'\u3000\u0301", max_size=30))
def test_pairs_are_counted_as_sacrebleu_counts(text: str, reference: str) -> None:
    (counts,) = CHRF(word_order=2)._extract_corpus_statistics([text], [[reference]])
    assert chrf_counts(text, reference) == counts
    (counts,) = BLEU(tokenize="none")._extract_corpus_statistics([text], [[reference]])
    assert bleu_counts(text.rstrip(), reference.rstrip()) == counts


def test_a_strangers_counts_are_not_believed() -> None:
    """A subclass that computes another figure of a corpus under a name of its own is asked for that figure."""

    class Half(type(metric("chrfpp"))):  # type: ignore[misc]
        id = "half"

        def of_corpus(self, language: str, pairs: Sequence[Pair]) -> Figure | None:
            return Figure(0.5, len(pairs))

    target = Translation("dog", ("Hund",))
    asked = [Item("1", "t", "de", (Message("user", ("?",)),), target)]
    found = summarise("t", "p", "half", "s", asked, {"1": Response("k", text="Hund")}, [Score("1")], [Half()])
    assert found.metrics["half"].value == 0.5


@pytest.mark.parametrize("lines", [99, 100])
def test_texts_that_look_tokenized_are_told_of(lines: int, caplog: pytest.LogCaptureFixture) -> None:
    """As sacreBLEU does, from 100 on."""
    target = Translation("dog", ("der Hund .",))
    items = [Item(str(n), "t", "de", (Message("user", ("?",)),), target) for n in range(lines)]
    answers = {item.id: Response(item.id, text="der Hund .") for item in items}
    summarise("t", "p", "bleu", "s", items, answers, score_items(items, answers))
    assert ("tokenized period" in caplog.text) is (lines == 100)
