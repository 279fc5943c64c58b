"""TextVQA: VQA accuracy as lmms-eval computes it, its prompts and its splits. The rows are written here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from task_data import items, png, prompt, write_parquet

from tasks import textvqa
from tvbench.scoring import score_item
from tvbench.scoring.vqa import normalise_answer, vqa_accuracy
from tvbench.types import NO_GOLD, Item, Message, Response, Voted


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The Cat", "cat"), ("a  dog ", "dog"), ("Two", "2"), ("none", "0"), ("ten apples", "10 apples"),
        ("dont", "don't"), ("DON'T", "don't"), ("couldnt've", "couldn't've"), ("couldn'tve", "couldn't've"),
        ("somebody'd", "somebodyd"), ("'ows'at", "'ow's'at"), ("yall'd've", "y'all'd've"), ("mightve", "might've"),
        ("1,000", "1000"), ("3.5", "3.5"), ("5.", "5"), (".5", ".5"), ("p.m.", "pm"), ("U.S.A", "usa"),
        ("dog's", "dog 's"), ("what's", "what 's"), ("who?", "who"), ("coca-cola", "coca cola"),
        ("coca-cola - light", "cocacola light"), ("a/b", "b"), ("[x]", "x"), ("line\nbreak", "line break"),
        ("." * 40 + "x", "." * 8 + "x"), ("", ""), ("the", ""), ("日本", "日本"),
    ],
)  # fmt: skip
def test_answers_are_compared_as_evalai_does(text: str, plain: str) -> None:
    assert normalise_answer(text) == plain


@pytest.mark.parametrize(
    ("answers", "score"), [("x" * 10, 0), ("y" + "x" * 9, 0.3), ("yy" + "x" * 8, 0.6), ("yyy" + "x" * 7, 0.9),
                           ("yyyyxxxxxx", 1), ("y" * 10, 1), ("y", 0), ("yy", 1 / 3), ("yyyy", 1)]
)  # fmt: skip
def test_each_annotator_is_left_out_once(answers: str, score: float) -> None:
    assert vqa_accuracy(list(answers), "Y.") == pytest.approx(score, abs=1e-12)


def item(*answers: str) -> Item:
    return Item("validation/1", "textvqa", "en", (Message("user", ("?",)),), Voted(answers))


def test_a_reply_is_scored_by_votes_and_by_equality() -> None:
    score = score_item(item("nokia", "nokia", *"abcdefgh"), Response("k", text="Nokia."))
    assert score.values == {"vqa_accuracy": pytest.approx(0.6), "accuracy": 1.0}
    empty = score_item(item(*"bcdefghijk"), Response("k", text=""))
    assert empty.values["vqa_accuracy"] == 0 and "empty" in empty.flags
    article = score_item(item("a", *"bcdefghij"), Response("k", text=""))
    assert article.values == {"vqa_accuracy": pytest.approx(0.3), "accuracy": 0.0}  # quirk: an article is no word


def test_without_answers_nothing_is_scored() -> None:
    for answers in ((), ("",) * 10):
        score = score_item(item(*answers), Response("k", text="x"))
        assert score.unscored == NO_GOLD and not score.values


def rows() -> list[dict[str, Any]]:
    return [
        {"question_id": 34602 + number, "image_id": "003a8ae2ef43b901", "question": "what BRAND is this?",
         "answers": ["nokia"] * 10, "ocr_tokens": ["NOKIA"], "image": {"bytes": png(number), "path": None}}
        for number in range(2)
    ]  # fmt: skip


def test_prompts_and_splits(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data" / "validation-00000-of-00001.parquet", rows(), ("image",))
    write_parquet(tmp_path / "data" / "test-00000-of-00001.parquet", [{**rows()[0], "answers": [""] * 10}], ("image",))
    first, second = items(textvqa, tmp_path, "paper")
    assert prompt(first) == "What brand is this?\nAnswer the question using a single word or phrase."
    assert first.target == Voted(("nokia",) * 10) and first.id == "validation/34602" and first.cluster == second.cluster
    assert prompt(items(textvqa, tmp_path)[0]).startswith("what BRAND is this?\n")
    (unlabelled,) = items(textvqa, tmp_path, split="test")
    assert score_item(unlabelled, Response("k", text="x")).unscored == NO_GOLD
    assert len(items(textvqa, tmp_path, split="val", limit=1)) == 1


def test_a_logged_row_is_the_row_of_the_data(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data" / "validation-00000-of-00001.parquet", rows(), ("image",))
    asked = items(textvqa, tmp_path, "paper", with_media=False)
    for number, (built, doc) in enumerate(zip(asked, rows(), strict=True)):
        logged = textvqa.from_log("textvqa_val", {"doc_id": number, "doc": doc, "input": prompt(built)}, {})
        assert (logged.id, logged.target, logged.cluster, prompt(logged)) == (
            built.id, built.target, built.cluster, prompt(built))  # fmt: skip
