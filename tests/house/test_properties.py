"""What holds for every text: the option parser, answer extraction and the reading of judges' replies never raise, never
make a wrong answer right, and do not care about Unicode forms and outer white space."""

from __future__ import annotations

import json
import unicodedata
from typing import Literal

from examples import examples
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tvbench.data.options import parse_options
from tvbench.graders.judge.reply import ReplyReading, read_reply
from tvbench.graders.judge.rubric import known_rubrics
from tvbench.scoring import score_item
from tvbench.scoring.choice import judge
from tvbench.scoring.normalise import normalise, without_markdown, words
from tvbench.types import Choice, Item, Message, Response, Short

BLANKS = st.text(alphabet=" \n\t\r\u00a0\u3000", max_size=4)
Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
FORMS: st.SearchStrategy[Form] = st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"])
SCRIPTS = (
    "abcdefgh ABCéüñçß.,:;()!?'\"",
    "абвгдежзАБВ ё",
    "가나다라마바사 한국",
    "東京中国文化、。（）：",
    "अआइईकखगघ ािी",
    "ابتثجح",
    "กขคงจ",
    "0123456789 .,/-",
)
TEXT = st.sampled_from(SCRIPTS).flatmap(lambda letters: st.text(alphabet=letters, max_size=40)) | st.text(max_size=40)
"""One script at a time, as answers are; and anything at all."""
OPTIONS = st.lists(TEXT.filter(lambda text: bool(normalise(text))), min_size=2, max_size=5, unique_by=normalise)
RUBRICS = st.sampled_from(sorted(known_rubrics().values(), key=lambda rubric: rubric.name))


# ── Multiple choice ───────────────────────────────────────────────────────────────────────────────


@examples(400)
@given(OPTIONS, TEXT, st.booleans(), st.data())
def test_what_is_counted_as_right_holds_the_right_option(
    options: list[str], reply: str, letters: bool, data: st.DataObject
) -> None:
    gold = data.draw(st.integers(0, len(options) - 1))
    verdict = judge(Choice(tuple(options), gold, options[gold], tuple(options), letters), reply)
    if not verdict.fragment:
        return
    said, right = normalise(without_markdown(reply)), normalise(without_markdown(options[gold]))
    # A letter may be typed on another keyboard: Cyrillic В for B.
    typed = ("a\u0430\u03b1", "b\u0432\u03b2", "c\u0441", "d", "e\u0435\u03b5")[gold]
    by_letter = letters and any(letter in said for letter in typed)
    by_words = set(words(reply)) & set(words(options[gold]))
    assert right in said or said in right or by_letter or by_words


@examples(300)
@given(OPTIONS, TEXT, FORMS, BLANKS, BLANKS, st.booleans(), st.data())
def test_form_and_blanks_do_not_move_a_verdict(
    options: list[str], free: str, form: Form, before: str, after: str, letters: bool, data: st.DataObject
) -> None:
    gold = data.draw(st.integers(0, len(options) - 1))
    reply = data.draw(st.just(free) | st.sampled_from(options) | st.just("ABCDE"[gold]))
    assume(normalise(reply))
    # The compatible form of 10² is 102, another number: that may move a verdict.
    assume(normalise(unicodedata.normalize(form, reply)) == normalise(reply))
    choice = Choice(tuple(options), gold, options[gold], tuple(options), letters)
    one, other = judge(choice, reply), judge(choice, before + unicodedata.normalize(form, reply) + after)
    assert (one.aligned, one.fragment, one.option) == (other.aligned, other.fragment, other.option)


@examples(200)
@given(st.lists(TEXT, max_size=3), TEXT, FORMS, BLANKS)
def test_short_answers_likewise(answers: list[str], reply: str, form: Form, blanks: str) -> None:
    item = Item("1", "t", "de", (Message("user", ("?",)),), Short(tuple(answers)))
    one = score_item(item, Response("k", text=reply))
    other = score_item(item, Response("k", text=blanks + unicodedata.normalize(form, reply) + blanks))
    if normalise(reply):
        assert one.values == other.values
    if one.values.get("accuracy"):
        assert normalise(without_markdown(reply)) in {normalise(without_markdown(answer)) for answer in answers}


@examples(300)
@given(TEXT, TEXT, OPTIONS, st.sampled_from(["NFC", "NFD"]), BLANKS)
def test_the_option_parser_gives_the_same_for_every_form(
    stem: str, keyword: str, options: list[str], form: Form, blanks: str
) -> None:
    # Compatibility forms are other texts to a parser (¼ becomes three characters); canonical ones are the same.
    answer = f"{stem} ({keyword}: {', '.join(options)})"
    assert parsed(answer) == parsed(blanks + unicodedata.normalize(form, answer) + blanks)


def parsed(answer: str) -> tuple[int | None, tuple[str, ...]] | None:
    try:
        found = parse_options(answer)
    except ValueError:
        return None
    return found.gold, tuple(normalise(option) for option in found.options)


# ── Judges ────────────────────────────────────────────────────────────────────────────────────────


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["score", "reason", "x"]), inner),
    max_leaves=6,
)
REPLIES = TEXT | JSON_VALUES.map(json.dumps) | st.builds("{} {} {}".format, TEXT, JSON_VALUES.map(json.dumps), TEXT)


@examples(600)
@given(REPLIES, RUBRICS)
@example("{" * 3000, known_rubrics()["tvbench"])
@example('{"score": 1e999}', known_rubrics()["tvbench"])
@example('{"score": true}', known_rubrics()["tvbench"])
@example("²", known_rubrics()["alm-official"])
def test_any_reply_can_be_read(reply: str, rubric: object) -> None:
    reading = read_reply(reply, rubric)  # type: ignore[arg-type]
    assert isinstance(reading, ReplyReading)
    assert (reading.score is None) == (reading.problem is not None)
    assert reading.score is None or 0 <= reading.score <= 1


@examples(400)
@given(TEXT, RUBRICS)
def test_a_reply_without_a_digit_is_no_score(reply: str, rubric: object) -> None:
    assume(not any(c.isnumeric() for c in unicodedata.normalize("NFKC", reply)))
    assert read_reply(reply, rubric).score is None  # type: ignore[arg-type]


@examples(400)
@given(REPLIES, RUBRICS, FORMS, BLANKS, BLANKS)
def test_form_and_blanks_do_not_move_a_score(reply: str, rubric: object, form: Form, before: str, after: str) -> None:
    one = read_reply(reply, rubric)  # type: ignore[arg-type]
    other = read_reply(before + unicodedata.normalize(form, reply) + after, rubric)  # type: ignore[arg-type]
    assert one.score == other.score


@examples(200)
@given(st.integers(0, 5), st.text(max_size=60), BLANKS, st.sampled_from(["{}", "```json\n{}\n```", "Here it is:\n{}"]))
def test_an_honest_reply_is_always_read(score: int, reason: str, blanks: str, frame: str) -> None:
    reply = frame.format(json.dumps({"reason": reason, "score": score, "nonce": "abc"}, ensure_ascii=False))
    assert read_reply(blanks + reply + blanks, known_rubrics()["tvbench"], "abc").score == score / 5
    assert read_reply(blanks + reply + blanks, known_rubrics()["tvbench"], "abd").score is None


@examples(200)
@given(st.integers(11, 10**6) | st.integers(-(10**6), -1), RUBRICS)
def test_a_number_outside_of_the_scale_is_no_score(number: int, rubric: object) -> None:
    for reply in (str(number), f"Score: {number}", json.dumps({"reason": "", "score": number})):
        assert read_reply(reply, rubric).score is None  # type: ignore[arg-type]
