"""The option parser: every pattern that the logs of 2025 taught, in made-up rows, and languages beyond them."""

from __future__ import annotations

import contextlib
import sys
import unicodedata
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from tasks.alm import ask_tvbench, paper_target
from tvbench.data.alm_rows import question_of
from tvbench.data.options import PaperOptions, paper_options, parse_options

FRUIT = ("Apfel", "Birne", "Kirsche", "Dattel")


@pytest.mark.parametrize(
    "answer",
    [
        "Birne (Optionen: Apfel, Birne, Kirsche, Dattel)",
        "  Birne(optionen : Apfel,  Birne,Kirsche , Dattel)  ",
        "Birne (choix\u00a0: Apfel, Birne, Kirsche, Dattel)",
        "Birne （选项：Apfel，Birne，Kirsche，Dattel）",
        "Birne （选项：Apfel、Birne、Kirsche、Dattel)",
        "Birne 【選択肢：Apfel、Birne、Kirsche、Dattel】",
        "Birne（選択肢：Apfel・Birne・Kirsche・Dattel）",
        "Birne (विकल्प: Apfel, Birne, Kirsche, Dattel)",
        "Birne (خيارات: Apfel، Birne، Kirsche، Dattel)",
        "Birne (اختیارات: Apfel؛ Birne؛ Kirsche؛ Dattel)",
        "Birne (አማራጮች፡ Apfel፣ Birne፣ Kirsche፣ Dattel)",
        "Birne (ជម្រើស៖ Apfel, Birne, Kirsche, Dattel)",
        "Birne (ရွေးချယ်စရာများ: Apfel၊ Birne၊ Kirsche၊ Dattel)",
        "Birne (Options: A) Apfel B) Birne C) Kirsche D) Dattel)",
        "B (Options: A) Apfel, B) Birne, C) Kirsche, D) Dattel)",
        "B) Birne (Options: A. Apfel; B. Birne; C. Kirsche; D. Dattel)",
        "Birne (Options: 1. Apfel 2. Birne 3. Kirsche 4. Dattel)",
        "2 (Options: 1. Apfel 2. Birne 3. Kirsche 4. Dattel)",
        "Birne (Варианты: а) Apfel б) Birne в) Kirsche г) Dattel)",
        "Birne (옵션: 가) Apfel 나) Birne 다) Kirsche 라) Dattel)",
        "Birne (선택: ① Apfel ② Birne ③ Kirsche ④ Dattel)",
        "Birne (Options:\n- Apfel\n- Birne\n- Kirsche\n- Dattel)",
        "Birne (Options: Apfel | Birne | Kirsche | Dattel)",
        "Birne (Options: Apfel / Birne / Kirsche / Dattel)",
        "Birne (Options: Apfel, Birne, Kirsche, Dattel",
        "Birne (Options: Apfel, Birne, Kirsche, Dattel).",
        "Birne [Options: Apfel, Birne, Kirsche, Dattel]",
        "Birne (Apfel, Birne, Kirsche, Dattel)",
        "Birne (Options - Apfel, Birne, Kirsche, Dattel)",
        "Birne (Opções de resposta: Apfel, Birne, Kirsche, Dattel)",
        "Birne (Options Apfel, Birne, Kirsche, Dattel)",
        "Birne (विकल्प Apfel, Birne, Kirsche, Dattel)",
        "Birne Options: (Apfel, Birne, Kirsche, Dattel)",
        "Birne. Options: Apfel, Birne, Kirsche, Dattel",
        "(Options: Apfel, Birne, Kirsche, Dattel) Birne",
    ],
)
def test_one_list_in_many_dresses(answer: str) -> None:
    parsed = parse_options(answer)
    assert parsed.options == FRUIT
    assert (parsed.gold, parsed.how) == (1, "equal")


@pytest.mark.parametrize(
    ("answer", "options", "gold"),
    [
        (
            "About 20,000 (Options: About 20,000, About 1,500, About 10,000, About 30,000)",
            ("About 20,000", "About 1,500", "About 10,000", "About 30,000"),
            0,
        ),
        ("2018 (Options: 2018,2020,2016,2014)", ("2018", "2020", "2016", "2014"), 0),
        (
            "Ulm, Bavaria (Options: Ulm, Bavaria, Rome, Italy, Minsk, Belarus, Lviv, Ukraine)",
            ("Ulm, Bavaria", "Rome, Italy", "Minsk, Belarus", "Lviv, Ukraine"),
            0,
        ),
        (
            "rice, beans, fish (Options: soup, bread, salt, rice, beans, fish, tea, milk, nuts, figs, plums, eggs)",
            ("soup, bread, salt", "rice, beans, fish", "tea, milk, nuts", "figs, plums, eggs"),
            1,
        ),
        (
            "Faith, hope, and love (Options: Faith, hope, and love, Wine, Sports, Music)",
            ("Faith, hope, and love", "Wine", "Sports", "Music"),
            0,
        ),
        (
            "Wine (Options: Faith, hope, and love, Wine, Sports, Music)",
            ("Faith, hope, and love", "Wine", "Sports", "Music"),
            1,
        ),
        (
            "He was wise, known as painter, poet. (Options: He was wise, known as painter, poet., He sang., He ran., "
            "He slept.)",
            ("He was wise, known as painter, poet.", "He sang.", "He ran.", "He slept."),
            0,
        ),
        (
            "Trousers (short ones) for men. (Options: Trousers (short ones) for men., Kilts., Saris., Togas.)",
            ("Trousers (short ones) for men.", "Kilts.", "Saris.", "Togas."),
            0,
        ),
        (
            "Soup (thick, hot) (Options: Soup (thick, hot), Bread, Tea, Milk)",
            ("Soup (thick, hot)", "Bread", "Tea", "Milk"),
            0,
        ),
        ("red, blue (Options: red, blue; red; blue; green)", ("red, blue", "red", "blue", "green"), 0),
        ("Red (Options: red, blue, green, white)", ("red", "blue", "green", "white"), 0),
        (
            "King of Spain. (Options: King of Spain, Pope, Poet, Painter)",
            ("King of Spain", "Pope", "Poet", "Painter"),
            0,
        ),
        ("1.5 (Options: 1.5, 2.5, 3.5, 4.5)", ("1.5", "2.5", "3.5", "4.5"), 0),
        ("10:30 (Options: 9:15, 10:30, 11:45, 12:00)", ("9:15", "10:30", "11:45", "12:00"), 1),
        ("Yes (Options: Yes, No)", ("Yes", "No"), 0),
    ],
)
def test_commas_numbers_and_brackets_inside_options(answer: str, options: tuple[str, ...], gold: int) -> None:
    parsed = parse_options(answer)
    assert parsed.options == options
    assert (parsed.gold, parsed.how) == (gold, "equal")


@pytest.mark.parametrize(
    ("answer", "gold", "how"),
    [
        ("betrothed lovers (Options: Moby, The betrothed lovers, War, Peace)", 1, "contained"),
        (
            "He wears a striped shirt. (Options: Plain shirt, Striped shirt, Checked shirt, Dotted shirt)",
            1,
            "contained",
        ),
        ("그녀는 한복을 입고 있다. (옵션: 기모노, 한복, 사리, 치파오)", 1, "contained"),
        ("Cathedral of Girona. (Options: Cathedral of Gerona, Holy Family, Cathedral of Burgos, Chapel)", 0, "similar"),
        ("Elephant (Options: red, blue, green, white)", None, "none"),
        ("Cathedral of Lugo (Options: Cathedral of Vigo, Cathedral of Sevo, Cathedral of Lemo, Chapel)", None, "none"),
    ],
)
def test_gold_that_is_no_option_is_aligned_or_left_open(answer: str, gold: int | None, how: str) -> None:
    parsed = parse_options(answer)
    assert (parsed.gold, parsed.how) == (gold, how)
    assert len(parsed.options) == 4


def test_a_label_in_the_gold_text_needs_numbered_options() -> None:
    assert parse_options("B (Options: Apfel, Birne, Kirsche, Dattel)").gold is None


def test_pieces_are_what_a_naive_split_shows() -> None:
    parsed = parse_options("About 20,000 (Options: About 20,000, About 1,500, Ten, Six)")
    assert parsed.pieces == ("About 20", "000", "About 1", "500", "Ten", "Six")
    assert len(parsed.options) == 4


@pytest.mark.parametrize("answer", ["", "  ", "Birne", "Birne ()", "Birne (Optionen:)", "(:", "Birne (eine Frucht)"])
def test_no_options_is_an_error(answer: str) -> None:
    with pytest.raises(ValueError, match="no options"):
        parse_options(answer)


def test_paper_options_fail_where_the_authors_failed() -> None:
    failed = PaperOptions("None", ("None",))
    assert paper_options(" Rot (choix : Rot, Blau)") == PaperOptions("Rot", ("Rot", "Blau"))
    assert paper_options("Rot (choix\u00a0: Rot, Blau)") == failed
    assert paper_options("Rot (choix: Rot, Blau)") == failed
    assert paper_options("Rot (विकल्प: Rot, Blau)") == failed
    assert paper_options("20,000 (OPTIONS: 20,000, 3)") == PaperOptions("20,000", ("20", "000", "3"))
    for korean in ("떡(선택사항: 떡, 밥)", "떡 (선택 : 떡, 밥)"):
        assert paper_options(korean) == PaperOptions("떡", ("떡", "밥"))


WORDS = st.text(alphabet=st.characters(categories=("Lu", "Ll", "Lo")), min_size=3, max_size=12)


@examples(150)
@given(st.text(max_size=80) | st.builds("{} ({}: {})".format, st.text(max_size=20), WORDS, st.text(max_size=60)))
def test_any_text_gives_options_or_a_value_error(answer: str) -> None:
    try:
        parsed = parse_options(answer)
    except ValueError:
        return
    assert len(parsed.options) >= 2
    assert parsed.gold is None or 0 <= parsed.gold < len(parsed.options)
    paper_options(answer)


@examples(150)
@given(
    st.lists(WORDS, min_size=4, max_size=4, unique_by=lambda word: unicodedata.normalize("NFKC", word).casefold()),
    st.integers(0, 3),
    st.sampled_from([", ", ",", "，", "、", "، ", "؛ ", "; "]),
    st.sampled_from([("(", ": ", ")"), ("（", "：", "）"), ("[", " : ", "]")]),
)
def test_four_words_come_back_in_any_form(words: list[str], gold: int, comma: str, frame: tuple[str, str, str]) -> None:
    opening, colon, closing = frame
    answer = f"{words[gold]} {opening}Auswahl{colon}{comma.join(words)}{closing}"
    parsed = parse_options(answer)
    assert parsed.options == tuple(unicodedata.normalize("NFC", word) for word in words)
    assert parsed.gold == gold
    decomposed = parse_options(f"\n {unicodedata.normalize('NFD', answer)} ")
    assert (decomposed.gold, len(decomposed.options)) == (gold, 4)


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        ("Tee / Kaffee (Optionen: Tee / Kaffee, Wasser, Saft, Milch)", ("Tee / Kaffee", "Wasser", "Saft", "Milch")),
        ("Wasser (Optionen: Tee / Kaffee, Wasser, Saft, Milch)", ("Tee / Kaffee", "Wasser", "Saft", "Milch")),
        ("Grün (Optionen: Rot; Blau, Grün, Weiß, Gelb)", ("Rot; Blau", "Grün", "Weiß", "Gelb")),
        ("Rot; Blau (Optionen: Rot; Blau, Grün, Weiß, Gelb)", ("Rot; Blau", "Grün", "Weiß", "Gelb")),
        ("Blau, Rot (Optionen: Blau, Rot; Grün; Weiß; Gelb, Rot)", ("Blau, Rot", "Grün", "Weiß", "Gelb, Rot")),
        ("鸟 (选项：猫、狗，鸟，鱼，虎)", ("猫、狗", "鸟", "鱼", "虎")),
        ("猫、狗 (选项：猫、狗，鸟，鱼，虎)", ("猫、狗", "鸟", "鱼", "虎")),
        ("お茶、水（選択肢：お茶、水／コーヒー／牛乳／ジュース）", ("お茶、水", "コーヒー", "牛乳", "ジュース")),
        ("طائر (خيارات: قطة، كلب; طائر; سمكة; نمر)", ("قطة، كلب", "طائر", "سمكة", "نمر")),
        ("Rome (Options: Ulm, Bavaria / Rome / Minsk / Lviv)", ("Ulm, Bavaria", "Rome", "Minsk", "Lviv")),
        ("A, C (Options: A und B; A, C; B, C; alle)", ("A und B", "A, C", "B, C", "alle")),
        ("Ja; nein (Optionen:\nJa; nein\nNein\nBeides, oft\nKeins)", ("Ja; nein", "Nein", "Beides, oft", "Keins")),
    ],
)
def test_one_kind_of_separator_cuts_and_the_others_belong_to_the_options(answer: str, options: tuple[str, ...]) -> None:
    parsed = parse_options(answer)
    assert parsed.options == options
    assert (parsed.how, parsed.sure) == ("equal", True)
    assert parsed.gold is not None
    assert answer.startswith(options[parsed.gold])


@pytest.mark.parametrize("answer", ["b (Options: a, b, c, d; b; x; y)", "b (Options: a; b; c; d, a, b, c)"])
def test_a_list_that_can_be_read_in_two_ways_is_flagged(answer: str) -> None:
    assert not parse_options(answer).sure
    question = question_of({"Translated_Answer": answer, "Question_Type": "Multiple Choice Questions"})
    with pytest.raises(ValueError, match="two ways"):
        ask_tvbench(question, {}, 0)
    assert paper_target(answer).gold is None


HOSTILE: dict[str, Callable[[int], str]] = {
    "commas": lambda n: f"x (Options: {'a,' * (n // 2)})",
    "blanks": lambda n: f"a{' ' * n}b (Options: a, b, c, d)",
    "brackets": lambda n: "(" * n,
    "nested": lambda n: f"{'(' * (n // 2)}a: b, c{')' * (n // 2)}",
    "many lists": lambda n: "(a: b)" * (n // 6),
    "full stops": lambda n: f"{'.' * n} x",
    "no blank": lambda n: "a." * (n // 2),
    "colons": lambda n: f"Options: {'a:' * (n // 2)}",
    "two kinds": lambda n: f"x (Options: {'a;b,' * (n // 4)})",
    "labels": lambda n: f"x (Options: {'A) x B) y ' * (n // 10)})",
    "long texts": lambda n: f"{'x' * n} (Options: {'y' * n}, b, c, d)",
    "the right one everywhere": lambda n: f"{'a,' * (n // 4)}a (Options: {'a,' * (n // 4)})",
    "lines": lambda n: f"x (Options: {'a' + chr(10)}{('a' + chr(10)) * (n // 2)})",
    "keywords": lambda n: f"x{' Options:' * (n // 9)}",
    "blanks before the list": lambda n: f"({' ' * n}Options: a)",
    "open lists": lambda n: f"{'(Options: ' * (n // 10)}{chr(10)})",
}


def steps(text: str) -> int:
    """How many lines of tvbench's own code a parse takes, which no other work on the machine changes."""
    count = 0

    def step(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return step

    sys.settrace(step)
    try:
        with contextlib.suppress(ValueError):
            parse_options(text)
        paper_options(text)
    finally:
        sys.settrace(None)
    return count


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_list_twice_as_long_takes_twice_as_many_steps(kind: str) -> None:
    short, long = (steps(HOSTILE[kind](size)) for size in (2_000, 4_000))
    assert long < 2.5 * short + 2_000
