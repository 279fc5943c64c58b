"""M3Exam: its parser with the draws it makes, its prompts with pictures in place, and its logs.

The sheets are written here; none is from the data.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from task_data import items, png, write_jsonl

from tasks import m3exam
from tvbench.data.interleaved import PLACE, answer_place, interleaved, without_label
from tvbench.errors import UsageError
from tvbench.runs import codec
from tvbench.scoring import score_item, summarise
from tvbench.scoring.m3exam import read_letter
from tvbench.types import Exam, Item, Media, Message, Response, Score

OPTIONS = ("A. reën", "B. sneeu", "C. son", "D. wind")


# ── The parser ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("B", "B"), ("(B) sneeu", "B"), ("b.", "B"), (" C: son", "C"), ("Answer: D", "A"),
        ("La risposta: (D)", "A"),  # quirk: the `a:` of `risposta:`
        ("A resposta correta é (E)", "A"), ("นี่คือ B", "B"), ("", None), ("  ", None), ("๑๒", None), ("(E) ลม", None),
        ("sneeu", None), ("sneeuu", None),
    ],
)  # fmt: skip
def test_the_letter_that_the_parser_finds(reply: str, letter: str | None) -> None:
    assert read_letter(reply, ["๑. ฝน", "๒. หิมะ"]) == letter


def test_the_option_most_alike_counts_from_seven_tenths_on_and_the_first_of_equals() -> None:
    assert read_letter("ฝนตกหนัก", ["A. หิมะ", "B. ฝนตกหนักมาก"]) == "B"
    assert read_letter("ฝน", ["A. หิมะตกหนัก", "B. ฝนตกหนักมาก"]) is None
    assert read_letter("๑๒๓๔", ["๑๒๓๔", "๑๒๓๔"]) == "A"
    assert read_letter("(E) ๗", ["(A) ๓", "(B) ๔", "(C) ๕", "(D) ๖", "(E) ๗"]) == "E"  # only by likeness
    assert read_letter("๗" * 200_000, ["๗", "๘"]) is None


def exam(gold: int = 1, count: int = 4, **changes: Any) -> Item:
    target = Exam(OPTIONS[:count], gold, chr(ord("A") + gold), letters=True, raw=OPTIONS[:count])
    return Item("af/1", "m3exam", "af", (Message("user", ("?",)),), replace(target, **changes))


def scored(item: Item, text: str) -> Score:
    return score_item(item, Response("k", text=text))


def figures(score: Score) -> tuple[float | None, ...]:
    return tuple(score.values[name] for name in ("m3exam_low", "m3exam", "m3exam_high"))


def test_a_reply_with_a_letter_has_one_figure_and_no_draw() -> None:
    right, wrong = scored(exam(), "(B) sneeu"), scored(exam(), "C")
    assert figures(right) == (1, 1, 1) and figures(wrong) == (0, 0, 0)
    assert "coin_flip" not in right.flags + wrong.flags
    assert right.values["aligned"] == 1


def test_a_draw_counts_what_it_gives_on_average_and_is_flagged() -> None:
    score = scored(exam(), "")
    assert figures(score) == (0, 0.25, 1) and set(score.flags) == {"empty", "coin_flip"}
    assert figures(scored(exam(count=2), "๑")) == (0, 0.5, 1)
    assert figures(scored(exam(count=2, coins=4), "๑")) == (0, 0.25, 1)
    never = exam(4, raw=(*OPTIONS, "E. mis"), options=(*OPTIONS, "E. mis"), coins=4)
    assert figures(scored(never, "๑")) == (0, 0, 0)


def test_the_draw_of_a_log_is_taken_and_only_where_there_was_one() -> None:
    assert figures(scored(exam(drawn="B"), "")) == (0, 1, 1)
    assert figures(scored(exam(drawn="C"), "")) == (0, 0, 1)
    assert figures(scored(exam(drawn="B"), "C")) == (0, 0, 0)


def test_draws_are_counted_by_language() -> None:
    asked = [replace(exam(), id=f"af/{number}") for number in range(3)]
    texts = {"af/0": "B", "af/1": "", "af/2": "๑"}
    answers = {name: Response(name, text=text) for name, text in texts.items()}
    result = summarise("m3exam", "paper", "m3exam", "s", asked, answers, [scored(one, texts[one.id]) for one in asked])
    part = result.breakdowns["language"]["af"]
    assert part.counts.flags["coin_flip"] == 2 and part.metrics["m3exam"].value == pytest.approx(1.5 / 3)
    assert part.metrics["m3exam_low"].value == pytest.approx(1 / 3) and part.metrics["m3exam_high"].value == 1


def test_an_exam_survives_the_run_folder() -> None:
    item = exam(drawn="C", coins=4)
    assert codec.item_from_json(json.loads(json.dumps(codec.item_to_json(item)))).target == item.target


# ── Sheets ────────────────────────────────────────────────────────────────────────────────────────


def picture(name: str) -> Media:
    return Media("image", name, png)


def test_pictures_stand_where_they_are_named() -> None:
    one, two = picture("1"), picture("2")
    assert interleaved("a", []) == ("a",) and interleaved("a", [one, two]) == (one, two, "a")
    assert interleaved(f"a\n{PLACE}\nb", [one]) == ("a\n", one, "\nb")
    assert interleaved(f"{PLACE}a{PLACE}", [one, two]) == (one, "a", two)
    assert interleaved(f"a{PLACE}b{PLACE}c", [one]) == ("a", one, "bc")
    assert interleaved(f"a{PLACE}b", [one, two]) == ("a", one, two, "b")
    assert interleaved(f"a{PLACE}b{PLACE}", []) == ("a", "b")


@pytest.mark.parametrize("text", ["a", f"{PLACE}a", f"a{PLACE}b", f"a{PLACE}b{PLACE}c", f"{PLACE}{PLACE}"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_words_are_the_same_without_pictures(text: str, count: int) -> None:
    seen = interleaved(text, [picture(str(number)) for number in range(count)])
    assert interleaved(text, [None] * count) == tuple(part for part in seen if isinstance(part, str))
    assert len(seen) - len(interleaved(text, [None] * count)) == count


@pytest.mark.parametrize(
    ("option", "place", "plain"),
    [
        ("A. reën", 0, "reën"), ("(2) 5.10 s", 1, "5.10 s"), ("b) ser", 1, "ser"), ("๓. รองเท้า", 2, "รองเท้า"),
        ("A．①②", 0, "①②"), ("(E) 27", 4, "27"), ("3.19 s", 2, "3.19 s"), ("a dog", 0, "a dog"), ("B. x", 0, "B. x"),
        ("1.\nลด | เพิ่ม", 0, "ลด | เพิ่ม"),
    ],
)  # fmt: skip
def test_an_option_loses_the_label_of_its_place_alone(option: str, place: int, plain: str) -> None:
    assert without_label(option, place) == plain


def test_answers_are_letters_and_digits() -> None:
    assert [answer_place(text) for text in ("A", "e", "(3)", "4", "๓", "2.", "0", "AB", "", "?")] == [
        0, 4, 2, 3, 2, 1, None, None, None, None]  # fmt: skip


def row(language: str, number: int, **changes: Any) -> dict[str, Any]:
    """One row as the hub has it: ten columns of pictures, `None` as a word where there is none."""
    doc = {
        "question_text": f"Kyk: (image)[image-{number}.png]\nWat is dit?", "background_description": [],
        "answer_text": "B", "options": ["A. reën", "B. sneeu", "C. son", "D. wind", "E. mis"][: changes.pop("n", 4)],
        "language": language, "level": "low", "subject": language, "subject_category": "language", "year": "2020",
        "id": number, "image_0": base64.b64encode(png(number) * 4).decode(),
        **{f"image_{place}": "None" for place in range(1, 10)},
    }  # fmt: skip
    return {**doc, **changes}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    second = base64.b64encode(png(99) * 4).decode()
    rows = {
        "afrikaans": [
            row("afrikaans", 0),
            row("afrikaans", 1, n=5, answer_text="E", image_1=second,
                options=["A. (image)[image-8.png]", *"BCDE"]),
            row("afrikaans", 2, background_description=["Sien (image)[image-0.png]"], question_text="Wat?", n=2),
            row("afrikaans", 3, options=[]),
            row("afrikaans", 4, answer_text="E"),
        ],
        "thai": [row("thai", 0, options=["๑. ฝน", "๒. หิมะ", "3. แดด"], answer_text="๓")],
    }  # fmt: skip
    for language, some in rows.items():
        write_jsonl(tmp_path / f"{language}.jsonl", some)
    return tmp_path


def target_of(item: Item) -> Exam:
    assert isinstance(item.target, Exam)
    return item.target


def shown(item: Item) -> list[str]:
    return [part if isinstance(part, str) else "<>" for part in item.messages[0].parts]


def test_every_picture_at_its_place_and_as_many_letters_as_options(data: Path) -> None:
    found = {item.id: item for item in items(m3exam, data, languages=("af", "Thai"))}
    assert list(found) == ["th/0", "af/0", "af/1", "af/2", "af/row-3", "af/4"]
    before, mark, after = shown(found["af/0"])
    assert "(A, B, C of D)" in before and before.endswith("Kyk: ") and mark == "<>"
    assert after.startswith("\nWat is dit?\n(A) reën\n(B) sneeu") and after.endswith("\nAntwoord:")
    assert "(A, B, C, D of E)" in shown(found["af/1"])[0]
    assert shown(found["af/1"])[1:4:2] == ["<>", "<>"] and shown(found["af/1"])[2].endswith("\n(A) ")
    assert "(A of B)" in shown(found["af/2"])[0] and shown(found["af/2"])[0].endswith("Sien ")
    assert "(A, B หรือ C)" in shown(found["th/0"])[0]
    assert found["af/0"].cluster == found["af/2"].cluster != found["af/1"].cluster
    assert found["af/row-3"].problem == "no options" and target_of(found["af/1"]).gold == 4
    target = target_of(found["th/0"])
    assert (target.gold, target.target, target.coins) == (2, "C", 0)
    assert score_item(found["af/4"], Response("k", text="A")).unscored is not None  # its answer is no option


def test_the_paper_protocol_keeps_its_quirks(data: Path) -> None:
    found = {item.id: item for item in items(m3exam, data, "paper", languages=("af",))}
    assert shown(found["af/0"])[2].startswith("\nWat is dit?\n(A) reën")
    one_place = shown(found["af/1"])
    assert one_place[1:3] == ["<>", "<>"] and "(A, B, C of D)" in one_place[0] and "(A)" not in one_place[3]
    assert shown(found["af/2"])[0] == "<>" and "Sien (image)[image-0.png]" in shown(found["af/2"])[1]
    assert target_of(found["af/4"]).target == "E" and target_of(found["af/4"]).gold is None
    assert found["af/0"].sampling.max_new_tokens == 16 and target_of(found["af/0"]).coins == 4


def test_without_pictures_the_text_is_whole(data: Path) -> None:
    for protocol in ("tvbench", "paper"):
        for item in items(m3exam, data, protocol, languages=("af",), with_media=False):
            assert item.problem or PLACE not in "".join(shown(item))


def test_a_damaged_picture_is_the_item_s_problem(data: Path) -> None:
    write_jsonl(data / "afrikaans.jsonl", [row("afrikaans", 0, image_0="gone.png")])
    (item,) = items(m3exam, data, languages=("af",))
    assert item.problem is not None and "gone.png" in item.problem


def test_splits_are_languages(data: Path) -> None:
    with pytest.raises(UsageError, match="split"):
        items(m3exam, data, split="afrikaans")
    with pytest.raises(UsageError, match="chinese"):
        items(m3exam, data, languages=("zh",))
