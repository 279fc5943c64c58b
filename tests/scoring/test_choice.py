"""Multiple choice: the four depths, letters, and what must never be counted as right."""

from __future__ import annotations

import unicodedata

import pytest
from examples import examples
from hypothesis import assume, given
from hypothesis import strategies as st

from tvbench.scoring import score_item
from tvbench.scoring.choice import judge
from tvbench.scoring.normalise import normalise
from tvbench.types import Choice, Item, Message, Response

ANIMALS = Choice(("Black cat", "Dog", "Cathedral bat", "Owl"), 1, "Dog", ("Black cat", "Dog", "Cathedral bat", "Owl"))
LETTERED = Choice(ANIMALS.options, 1, "Dog", ANIMALS.shown, letters=True)
DEPTHS = ("strict", "casefold", "aligned", "fragment")


def depths(choice: Choice, text: str) -> str:
    """The depths that hold, as a string of digits: `1111` strict ... `0001` fragment only."""
    verdict = judge(choice, text)
    return "".join(str(int(getattr(verdict, name))) for name in DEPTHS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dog", "1111"),
        ("dog", "0111"),
        (" Dog", "0011"),
        ("**Dog.**", "0011"),
        ("\u201eDOG\u201c", "0011"),
        ("Ｄｏｇ", "0011"),
        ("It is a dog, I think.", "0001"),
        ("Owl", "0000"),
        ("hotdog", "0000"),
        ("Dogs", "0000"),
        ("Dog or owl", "0000"),
        ("B", "0000"),
        ("cat", "0000"),
        ("", "0000"),
        (" \n", "0000"),
        ("None", "0000"),
    ],
)
def test_depths(text: str, expected: str) -> None:
    assert depths(ANIMALS, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "B",
        "b",
        "B.",
        "(B)",
        "B)",
        " B ",
        "**B**",
        "**B.**",
        "`B`",
        "B) Dog",
        "B. Dog",
        "B: Dog",
        "B Dog",
        "(B) Dog",
        "B - Dog",
        "B\n\nA dog is sitting there.",
        "Answer: B",
        "Answer: **B**",
        "Answer: B. Dog",
        "Antwort: (B)",
        "答案：B",
        "答案是B。",
        "정답은 B입니다.",
        "正解はBです",
        "Ответ: B",
        "Правильный ответ — B.",
        "الإجابة: B",
        "उत्तर B है",
        "The answer is B.",
        "The correct option is (B).",
        "La respuesta correcta es B.",
        "Die Antwort ist B",
        "Đáp án B",
        "I see a picture.\nAnswer: B",
        r"$\boxed{B}$",
        r"\boxed{\text{B}}",
        "Ｂ",
        "选B",
        "b) Dog",
        "answer: b",
        "\u0412",
        "\u0392.",
        "B、Dog",
        "คำตอบคือ B",
    ],
)
def test_letters_count_where_letters_were_shown(text: str) -> None:
    assert depths(LETTERED, text) == "0011"
    assert not judge(ANIMALS, text).aligned


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "A.",
        "C) Cathedral bat",
        "A or B",
        "A, B",
        "(A) (B)",
        "B) Owl",
        "Answer: B. Owl",
        "E",
        "Z.",
        "A cathedral",
        "Plan B",
        "B-52",
        "Vitamin B",
        "B's",
        "The answer is A cathedral",
        "Bone",
        "b and more words",
        "Hepatitis B is a disease",
        "AB",
    ],
)
def test_other_letters_articles_and_contradictions_are_not_right(text: str) -> None:
    assert depths(LETTERED, text) == "0000"


def test_an_article_is_not_the_letter() -> None:
    choice = Choice(("A mosque", "A church", "A cathedral"), 0, "A mosque", letters=True)
    assert not judge(choice, "A cathedral").fragment
    assert not judge(choice, "A building of stone").fragment
    assert judge(choice, "A").aligned
    assert judge(choice, "A) A mosque").aligned
    assert judge(Choice(choice.options, 2, "A cathedral", letters=True), "A cathedral").aligned


def test_the_reply_that_is_an_option_wins_over_a_letter_in_it() -> None:
    choice = Choice(("Vitamin C", "Vitamin A", "Iron"), 0, "Vitamin C", letters=True)
    assert judge(choice, "Vitamin C").aligned
    assert not judge(choice, "Vitamin A").fragment


def test_a_gold_answer_in_other_words_is_right_by_the_option_it_was_aligned_to() -> None:
    choice = Choice(("Church of Gerona", "Chapel"), 0, "Church of Girona.", ("Church of Gerona", "Chapel"))
    assert depths(choice, "Church of Gerona") == "0011"
    assert depths(choice, "church of girona.") == "0111"


def test_a_target_of_none_never_matches_but_the_option_does() -> None:
    choice = Choice(("red", "blue"), 0, "None", ("None",))
    assert depths(choice, "None") == "0000"
    assert depths(choice, "Red") == "0011"
    genuine = Choice(("One", "None"), 1, "None", ("One", "None"))
    assert depths(genuine, "None") == "1111"


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        (("한복", "기모노"), "이 옷은 한복입니다", "0001"),
        (("김", "상추잎"), "김치입니다", "0000"),
        (("7", "10"), "There are 7 of them", "0000"),
        (("寺院", "神社"), "これは寺院です", "0001"),
        (("เจดีย์", "บ้าน"), "นี่คือเจดีย์ครับ", "0001"),
        (("Ulm, Bavaria", "Rome, Italy"), "Ulm", "0001"),
        (("Ulm, Germany", "Köln, Germany"), "Germany", "0000"),
        (("Around 20,000", "Around 1,500"), "Around 20000", "0001"),
        (("Around 20,000", "Around 1,500"), "000", "0000"),
        (("flat cap", "cap"), "the flat cap", "0000"),
        (("isle of man", "crete"), "of", "0000"),
    ],
)
def test_fragments(options: tuple[str, ...], text: str, expected: str) -> None:
    assert depths(Choice(options, 0, options[0], options), text) == expected


@pytest.mark.parametrize(
    ("choice", "text", "flags"),
    [
        (ANIMALS, "Dog", ()),
        (ANIMALS, "Owl", ()),
        (ANIMALS, "", ("empty",)),
        (ANIMALS, "no idea", ("unparsed",)),
        (ANIMALS, "dog or owl", ("ambiguous",)),
        (LETTERED, "A or B", ("ambiguous",)),
        (LETTERED, "B) Owl", ("ambiguous",)),
        (LETTERED, "C", ()),
    ],
)
def test_flags(choice: Choice, text: str, flags: tuple[str, ...]) -> None:
    assert judge(choice, text).flags == flags


def test_a_failed_response_is_unscored_not_wrong() -> None:
    item = Item("1", "t", "de", (Message("user", ("?",)),), ANIMALS)
    score = score_item(item, Response("k", error="server gone"))
    assert score.values == {}
    assert "server gone" in (score.unscored or "")
    assert score_item(item, Response("k", text="")).values == dict.fromkeys(DEPTHS, 0.0)


def test_without_any_right_answer_the_item_is_unscored() -> None:
    item = Item("1", "t", "de", (Message("user", ("?",)),), Choice(("a", "b"), None, "None", ("None",)))
    assert score_item(item, Response("k", text="a")).unscored


OPTIONS = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6).map(tuple)


@examples(200)
@given(OPTIONS, st.integers(0, 7) | st.none(), st.text(max_size=12), st.text(max_size=40), st.booleans())
def test_scoring_never_raises(
    options: tuple[str, ...], gold: int | None, target: str, text: str, letters: bool
) -> None:
    verdict = judge(Choice(options, gold, target, options, letters), text)
    assert verdict.strict <= verdict.casefold <= verdict.normalised <= verdict.aligned <= verdict.fragment


LOWER = st.text(alphabet="fghijklmnop ", min_size=1, max_size=30)
UPPER = st.lists(st.text(alphabet="qrstuvwxyz", min_size=3, max_size=8), min_size=2, max_size=4, unique=True)


@examples(200)
@given(UPPER, LOWER, st.booleans())
def test_a_reply_without_any_option_is_never_right(options: list[str], text: str, letters: bool) -> None:
    for gold in range(len(options)):
        assert "1" not in depths(Choice(tuple(options), gold, options[gold], tuple(options), letters), text)


@examples(200)
@given(OPTIONS, st.text(max_size=20), st.data(), st.booleans())
def test_unicode_form_and_outer_blanks_change_nothing(
    options: tuple[str, ...], free: str, data: st.DataObject, letters: bool
) -> None:
    gold = data.draw(st.integers(0, len(options) - 1))
    text = data.draw(st.just(free) | st.sampled_from(options))
    assume(normalise(text))
    choice = Choice(options, gold, options[gold], options, letters)
    plain = judge(choice, text)
    for form in ("NFC", "NFD"):
        other = judge(choice, f" \n{unicodedata.normalize(form, text)}\t ")
        assert (other.aligned, other.fragment, other.option) == (plain.aligned, plain.fragment, plain.option)
