"""What is seen of an answer: each cause where it is due, and not where something only looks like it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from tvbench.analysis.diagnosis import language_check, language_id
from tvbench.analysis.diagnosis.answers import Answer, diagnose, loss_metric
from tvbench.analysis.diagnosis.causes import CAUSES, WRONG
from tvbench.analysis.diagnosis.language_check import LanguageCheck, check_languages
from tvbench.analysis.diagnosis.language_id import Identifiers, Judgement, group_of, long_enough
from tvbench.analysis.diagnosis.loss import attribute, causes_of
from tvbench.analysis.diagnosis.position import positions
from tvbench.analysis.diagnosis.texts import (
    ends_in_loop,
    is_copy,
    is_incomplete,
    is_loop,
    is_overlong,
    opens_like_refusal,
)
from tvbench.scoring import score_item
from tvbench.scoring.metrics import metric
from tvbench.types import (
    Choice,
    Contains,
    Contrast,
    Item,
    Message,
    OcrText,
    Open,
    Response,
    Sampling,
    Score,
    Short,
    Target,
    Translation,
)

COLOURS = ("dark red", "light blue", "green", "yellow")
COLOUR = Choice(COLOURS, 0, "dark red", shown=COLOURS)
LETTER = Choice(COLOURS, 1, "B", letters=True)
SENTENCE = Translation("Two men stand near a small red house.", ("Zwei Männer stehen neben einem kleinen roten Haus.",))
RUSSIAN_PAGE = OcrText("ВХОД ЗАПРЕЩЁН ПОСТОРОННИМ")
OPEN = Open("Who stands where?", "Two men stand near a small red house.")
PAGE = OcrText("Open daily from nine to five, closed on Sundays and public holidays")
WORDS = [f"word{number}" for number in range(200)]


def item(target: Target, *, language: str = "de", number: int = 0, limit: int = 128) -> Item:
    return Item(
        f"{language}/{number}",
        "made",
        language,
        (Message("user", ("What is it?",)),),
        target,
        Sampling(max_new_tokens=limit),
    )


def spoken_in(target: Target) -> str:
    """The language of an item: German, but where the right text is in another one."""
    if isinstance(target, Open):
        return "en"
    return "ru" if target is RUSSIAN_PAGE or isinstance(target, Choice) and "водка" in target.options else "de"


def seen(
    target: Target,
    text: str,
    counted: str = "aligned",
    finish: str | None = "stop",
    limit: int = 128,
    tokens: int | None = None,
) -> Answer:
    asked = item(target, limit=limit, language=spoken_in(target))
    response = Response("k", text=text, finish=finish, tokens_out=tokens)
    return diagnose(asked, response, score_item(asked, response), metric(counted))


# ── One answer ────────────────────────────────────────────────────────────────────────────────────

POSITIVE = [
    ("empty", COLOUR, " \n", "aligned"),
    ("empty", SENTENCE, "", "chrfpp"),
    ("repetition", PAGE, "open daily " * 60, "macro_f1"),
    ("stuck", SENTENCE, "Zwei " + "Männer und " * 12, "chrfpp"),
    ("stuck", PAGE, "哈" * 60, "macro_f1"),
    ("refusal", COLOUR, "I'm sorry, but I can't help with that.", "aligned"),
    ("refusal", SENTENCE, "Es tut mir leid, das kann ich nicht übersetzen.", "chrfpp"),
    ("refusal", LETTER, "죄송합니다. 이미지를 볼 수 없습니다.", "aligned"),
    ("copied", SENTENCE, "Two men stand near a small red house", "chrfpp"),
    ("ambiguous", COLOUR, "It is dark red or light blue", "aligned"),
    ("unparsed", COLOUR, "purple", "aligned"),
    ("form", COLOUR, "Dark red.", "strict"),
    ("piece", Choice(("noon, at sea", "midnight", "dawn"), 0, "noon, at sea"), "at sea", "strict"),
    ("chatty", COLOUR, "The house in the picture is dark red", "aligned"),
    ("chatty", LETTER, "The right answer must be B.", "aligned"),
    ("chatty", SENTENCE, f"Hier ist die Übersetzung: {SENTENCE.references[0]}", "chrfpp"),
    ("chatty", SENTENCE, SENTENCE.references[0] * 3, "chrfpp"),
    ("chatty", Short(("Paris",)), "It seems to me that the right answer here is Paris", "accuracy"),
    ("overlong", PAGE, " ".join(WORDS[:80]), "macro_f1"),
    ("incomplete", PAGE, "Open daily", "macro_f1"),
    ("incomplete", SENTENCE, "Zwei Männer", "chrfpp"),
    ("inside_word", Contains(("art",)), "a party", "ocrbench"),
    ("wrong_script", RUSSIAN_PAGE, "VHOD ZAPRESHCHEN POSTORONNIM", "macro_f1"),
    ("wrong_script", RUSSIAN_PAGE, "ВХОД ЗАПРЕЩЁН POSTORONNIM", "macro_f1"),
    ("wrong_script", Choice(("водка", "вино"), 0, "водка", shown=("водка", "вино")), "vodka", "aligned"),
    ("wrong_script", SENTENCE, "Два человека стоят у небольшого красного дома.", "chrfpp"),
    ("foreign", RUSSIAN_PAGE, "The picture shows a sign that is on the wall of a house", "macro_f1"),
    ("foreign", SENTENCE, "Zwei Männer stehen neben einem small red house.", "chrfpp"),
    ("foreign", SENTENCE, "Zwei Männer stehen 在一座红色的小房子旁边。", "chrfpp"),
    ("alternatives", SENTENCE, "Zwei Männer stehen neben einem kleinen roten Haus / Häuschen.", "chrfpp"),
    ("alternatives", SENTENCE, "Zwei Männer oder Herren stehen neben einem kleinen roten Haus.", "chrfpp"),
    ("alternatives", SENTENCE, "Zwei Männer stehen bei einem roten Haus. Zwei Herren stehen am roten Haus.", "chrfpp"),
    ("alternatives", SENTENCE, "1. Zwei Männer stehen am Haus. 2. Zwei Herren stehen vor dem Häuschen.", "chrfpp"),
    ("chatty", SENTENCE, "Zwei Männer stehen neben einem kleinen roten Haus. (Der Ton ist neutral.)", "chrfpp"),
    ("chatty", SENTENCE, "Zwei Männer stehen neben einem kleinen roten Haus.\nIch hoffe, das hilft!", "chrfpp"),
    ("chatty", SENTENCE, "Gerne! Zwei Männer stehen neben einem kleinen roten Haus.", "chrfpp"),
    ("chatty", SENTENCE, "Translation - Zwei Männer stehen neben einem kleinen roten Haus.", "chrfpp"),
    ("chatty", OPEN, "Sure, here is the answer: a small red house with two men in front of it", "accuracy"),
    ("alternatives", OPEN, "Option 1: Two men stand near a house. Option 2: Two men are near a house.", "accuracy"),
    ("refusal", SENTENCE, "Das weiß ich nicht.", "chrfpp"),
    ("refusal", SENTENCE, "This content is against my guidelines.", "chrfpp"),
    ("refusal", OPEN, "Als Sprachmodell bin ich nicht in der Lage, Bilder zu betrachten.", "accuracy"),
]

NEAR_MISSES = [
    ("empty", COLOUR, "?", "aligned"),
    ("repetition", PAGE, "open daily " * 40, "macro_f1"),
    ("repetition", PAGE, " ".join(WORDS[:85]), "macro_f1"),
    ("repetition", OcrText("open daily " * 60), "open daily " * 60, "macro_f1"),
    ("stuck", SENTENCE, "Männer und " * 7, "chrfpp"),
    ("stuck", SENTENCE, "ha " * 8, "chrfpp"),
    ("stuck", PAGE, "- - " * 40, "macro_f1"),
    ("stuck", SENTENCE, "Zwei Männer stehen neben einem kleinen roten Haus in der Stadt " + "so " * 18, "chrfpp"),
    ("refusal", COLOUR, "dark red", "aligned"),
    ("refusal", Choice(("I'm sorry", "Thanks"), 0, "I'm sorry", shown=("I'm sorry", "Thanks")), "Thanks", "aligned"),
    ("refusal", COLOUR, "Cannot-be-red", "aligned"),
    ("refusal", COLOUR, "I cannoli", "aligned"),
    ("refusal", Translation("Sorry, I am late.", ("Tut mir leid, ich bin zu spät.",)), "Tut mir leid!", "chrfpp"),
    ("copied", SENTENCE, SENTENCE.references[0], "chrfpp"),
    ("copied", Translation("Angela Merkel", ("Angela Merkel",)), "Angela Merkel", "chrfpp"),
    ("ambiguous", COLOUR, "light blue", "aligned"),
    ("unparsed", COLOUR, "Dark Red!", "aligned"),
    ("form", COLOUR, "light blue", "strict"),
    ("form", COLOUR, "Dark red.", "aligned"),
    ("piece", COLOUR, "dark red", "strict"),
    ("chatty", COLOUR, "dark red.", "aligned"),
    ("chatty", COLOUR, "Answer: dark red", "aligned"),
    ("chatty", LETTER, "B. light blue", "aligned"),
    ("chatty", LETTER, "Answer: B", "aligned"),
    ("chatty", Choice(("noon, at sea by night", "midnight"), 0, "noon, at sea by night"), "at sea by night", "strict"),
    ("chatty", SENTENCE, SENTENCE.references[0] * 2, "chrfpp"),
    ("chatty", SENTENCE, "Zwei Männer: einer steht, einer sitzt.", "chrfpp"),
    ("chatty", Short(("Paris",)), "The city of Paris", "accuracy"),
    ("overlong", PAGE, " ".join(WORDS[:70]), "macro_f1"),
    ("incomplete", PAGE, "Open daily from nine to five", "macro_f1"),
    ("incomplete", OcrText("Open daily"), "", "macro_f1"),
    ("inside_word", Contains(("art", "party")), "a party", "ocrbench"),
    ("inside_word", Contains(("art",)), "modern art", "ocrbench"),
    ("wrong_script", OcrText("ЗАО Samsung Galaxy"), "Samsung Galaxy", "macro_f1"),
    ("wrong_script", OcrText("Samsung 2024"), "SAMSUNG 2024 Galaxy", "macro_f1"),
    ("wrong_script", OcrText("1 234,50"), "summa 1 234,50", "macro_f1"),
    ("wrong_script", RUSSIAN_PAGE, "ВХОД ЗАПРЕЩЁН посторонным", "macro_f1"),
    ("wrong_script", Choice(("водка", "вино"), 0, "A", letters=True), "A", "aligned"),
    ("foreign", SENTENCE, "Zwei Männer stehen nahe einem kleinen roten Haus.", "chrfpp"),
    ("foreign", SENTENCE, "Die beiden Herren befinden sich vor einem winzigen Gebäude.", "chrfpp"),
    ("foreign", Translation("He loves Lord of the Rings.", ("Er liebt Lord of the Rings.",)),
     "Er mag Lord of the Rings.", "chrfpp"),
    ("foreign", RUSSIAN_PAGE, "VHOD ZAPRESHCHEN NE NA V I", "macro_f1"),
    ("alternatives", SENTENCE, SENTENCE.references[0], "chrfpp"),
    ("alternatives", Translation("Red or blue?", ("Rot oder blau?",)), "Rot oder blau?", "chrfpp"),
    ("alternatives", SENTENCE, "2 Männer stehen neben 1 kleinen roten Haus.", "chrfpp"),
    ("alternatives", OPEN, "There are 2 men. They stand near a house, or a shed.", "accuracy"),
    ("chatty", SENTENCE, "Zwei Männer stehen in der Nähe eines kleinen roten Hauses.", "chrfpp"),
    ("chatty", OPEN, "Two men stand near a house. It is red (or brown). The text above it is not legible.", "accuracy"),
    ("refusal", OPEN, "The second man cannot be seen in full, he stands near the small red house.", "accuracy"),
    ("refusal", Translation("I do not know.", ("Ich weiß es nicht.",)), "Ich kenne es nicht.", "chrfpp"),
]  # fmt: skip


@pytest.mark.parametrize(("cause", "target", "text", "metric"), POSITIVE)
def test_a_cause_is_seen_where_it_is_due(cause: str, target: Target, text: str, metric: str) -> None:
    assert cause in seen(target, text, metric).seen


@pytest.mark.parametrize(("cause", "target", "text", "metric"), NEAR_MISSES)
def test_what_only_looks_like_a_cause_is_none(cause: str, target: Target, text: str, metric: str) -> None:
    assert cause not in seen(target, text, metric).seen


def test_every_cause_of_the_list_is_tested_both_ways() -> None:
    elsewhere = {"truncated", "wrong_language", "thinking"}  # the last in tests/engines/test_thinking.py
    assert {row[0] for row in POSITIVE} == {row[0] for row in NEAR_MISSES} == set(CAUSES) - elsewhere


@pytest.mark.parametrize(
    ("finish", "tokens", "text", "cut"),
    [
        ("length", None, "Zwei", True),
        ("stop", 128, " ".join(WORDS[:120]), False),
        (None, 128, "Zwei", True),
        (None, 90, " ".join(WORDS[:120]), False),
        (None, None, " ".join(WORDS[:80]), True),
        (None, None, " ".join(WORDS[:80]) + ".", False),
        (None, None, " ".join(WORDS[:76]), False),
        (None, None, "二" * 80, True),
        (None, None, "二" * 80 + "。", False),
    ],
)
def test_an_answer_is_cut_off_by_the_engines_word_or_by_its_length(
    finish: str | None, tokens: int | None, text: str, cut: bool
) -> None:
    assert ("truncated" in seen(SENTENCE, text, "chrfpp", finish=finish, tokens=tokens).seen) is cut


def test_prose_explains_a_loss_only_around_the_right_option() -> None:
    right, wrong = (seen(COLOUR, f"The house in the picture is {colour}", "strict") for colour in COLOURS[:2])
    assert "chatty" in right.seen and "chatty" in right.explaining
    assert "chatty" in wrong.seen and "chatty" not in wrong.explaining
    assert wrong.lost == right.lost == 1


def test_a_contrast_has_no_text_to_look_at() -> None:
    asked = item(Contrast("p", True))
    score = Score(asked.id, {"contrastive_sum": 0.0})
    assert diagnose(asked, Response("k", logprobs=(-1.0,)), score, metric("contrastive_sum")).seen == ()


def test_losses_are_fractions_in_every_unit() -> None:
    assert seen(COLOUR, "dark red", "strict").lost == 0
    assert seen(SENTENCE, SENTENCE.references[0], loss_metric(metric("bleu")).id).lost == pytest.approx(0, abs=1e-9)
    assert 0.2 < (seen(SENTENCE, "Zwei Männer stehen an einem Haus.", "chrfpp").lost or 0) < 0.8
    assert seen(PAGE, PAGE.text or "", loss_metric(metric("micro_f1")).id).lost == 0
    assert seen(Open("Why?", "So."), "So.", "aligned").lost is None
    assert seen(Translation("x", ()), "y", "chrfpp").lost is None


def test_signs_in_texts_at_their_borders() -> None:
    assert is_loop("a b c d " * 21) and not is_loop("a b c d " * 20)
    assert not is_loop(" ".join(WORDS[:20] * 5)) and is_loop(" ".join(WORDS[:20] * 5 + ["word1"]))
    assert is_overlong("w " * 55, "a b") and not is_overlong("w " * 54, "a b")
    assert is_overlong("가" * 55, "가 나", "character") and not is_overlong("가" * 54, "가 나", "character")
    assert is_incomplete("a b c", "a b c d e f g h") and not is_incomplete("a b c d", "a b c d e f g h")
    assert ends_in_loop("x" * 48) and not ends_in_loop("x" * 47)
    assert is_copy("A man rides a red bike.", "A man rides a red bike", ("Ein Mann fährt Rad",))
    assert not is_copy("A man", "A man", ())
    assert opens_like_refusal("**I'm sorry**, but") and not opens_like_refusal("Unable")


# ── Language ──────────────────────────────────────────────────────────────────────────────────────


def spoken(one: str, other: str) -> Identifiers:
    """Two identifiers, one for each word: a text is in the language that its first or second word names."""
    known = frozenset({"de", "en", "cs", "sk", "fr", "pt", "gl", "zh", "zh-Hans", "zh-Hant", "ru"})
    place = {one: 0, other: 1}

    def word(at: int) -> Callable[[str], str]:
        return lambda text: text.split()[at]

    return Identifiers({name: word(at) for name, at in place.items()}, dict.fromkeys(place, known))


VOTE = spoken("first", "second")


@pytest.mark.parametrize(
    ("named", "language", "expected"),
    [
        ("de de", "de", Judgement(True, "de")),
        ("de en", "de", Judgement(True, "de")),
        ("en de", "de", Judgement(True, "de")),
        ("en en", "de", Judgement(False, "en")),
        ("sk sk", "cs", Judgement(True, "cs")),
        ("pt gl", "pt-BR", Judgement(True, "pt")),
        ("zh-Hant zh", "zh-Hans", Judgement(False, "zh-Hant")),
        ("zh zh-Hant", "zh-Hans", Judgement(False, "zh-Hant")),
        ("zh zh", "zh-Hant", Judgement(True, "zh")),
        ("zh-Hant zh", "zh", Judgement(True, "zh")),
        ("un xxx", "de", None),
        ("en en", "tlh", None),
    ],
)
def test_the_vote(named: str, language: str, expected: Judgement | None) -> None:
    assert VOTE.judge(f"{named} Donaudampfschifffahrt nebenbei", language) == expected


def test_short_texts_need_more_than_disagreement() -> None:
    short, long = "en fr Hauptstadt Dampfer", "en fr Hauptstadt Dampfer im alten Hafen der Stadt"
    assert VOTE.judge(short, "de") == Judgement(True)
    assert VOTE.judge(long, "de") == Judgement(False)
    assert VOTE.judge(short, "ru") == Judgement(False), "Latin letters are no Russian, however short"
    assert VOTE.judge("en en", "de") is None


def test_what_is_long_enough_to_be_judged() -> None:
    assert long_enough("ein kleines Haus") and long_enough("两个年轻人在") and long_enough("ชายหนุ่มสองคน")
    assert not long_enough("Donaudampfschifffahrtsgesellschaft") and not long_enough("a b c d")
    assert not long_enough("1789 1790 1791 1792") and not long_enough("两个年轻人")


def test_groups_hold_what_is_confused_and_nothing_else() -> None:
    for one, other in (
        ("bs", "sr"),
        ("hi", "bho"),
        ("id", "su"),
        ("cs", "sk"),
        ("no", "nn"),
        ("pt-BR", "pt-PT"),
        ("zh-Hans", "zh-Hant"),
        ("arz", "ar-SA"),
        ("he", "iw"),
        ("jv", "jw"),
    ):
        assert group_of(one) == group_of(other)
    for one, other in (("de", "nl"), ("ru", "uk"), ("es", "pt"), ("hr", "sl"), ("cs", "pl")):
        assert group_of(one) != group_of(other)


def translations(texts: Mapping[int, str], references: Mapping[int, str]) -> tuple[list[Answer], list[Item]]:
    items = [item(Translation("x", (reference,)), number=n) for n, reference in references.items()]
    answers = [
        diagnose(one, Response("k", text=texts[n], finish="stop"), Score(one.id, {}), metric("chrfpp"))
        for n, one in enumerate(items)
        if n in texts
    ]
    return answers, items


GOOD, BAD = "de de ein langes deutsches Wort", "en en a rather English sentence"


def test_false_alarms_are_taken_off() -> None:
    answers, items = translations(
        {n: BAD if n < 3 else GOOD for n in range(20)}, {n: BAD if n < 2 else GOOD for n in range(20)}
    )
    check = check_languages(answers, items, VOTE)
    assert (check.judged, len(check.alarms), check.references, check.false_alarms) == (20, 3, 20, 2)
    assert check.estimate == pytest.approx(0.05) and check.weight == pytest.approx(1 / 3)
    assert check.mostly == "en" and not check.clear


def test_as_many_alarms_as_the_references_give_are_none() -> None:
    answers, items = translations(
        {n: BAD if n < 2 else GOOD for n in range(20)}, {n: BAD if n < 4 else GOOD for n in range(20)}
    )
    check = check_languages(answers, items, VOTE)
    assert len(check.alarms) == 2 and check.estimate == 0 == check.weight and not check.clear


def test_many_alarms_over_clean_references_are_clear() -> None:
    answers, items = translations({n: BAD if n < 8 else GOOD for n in range(20)}, dict.fromkeys(range(20), GOOD))
    check = check_languages(answers, items, VOTE)
    assert check.clear and check.estimate == pytest.approx(0.4)


def test_alarms_without_any_reference_are_not_clear() -> None:
    answers, items = translations(dict.fromkeys(range(20), BAD), dict.fromkeys(range(20), "de de"))
    check = check_languages(answers, items, VOTE)
    assert len(check.alarms) == 20 and check.references == 0 and not check.clear


def test_words_of_the_prompt_and_loops_are_not_judged() -> None:
    options = ("en en a rather English option", "en en another English option")
    asked = item(Choice(options, 0, options[0], shown=options))
    said = ["en en a rather English option.", "a rather English option", BAD, "en en stuck " * 12]
    answers = [
        diagnose(replace(asked, id=text), Response("k", text=text, finish="stop"), Score(text, {}), metric("strict"))
        for text in said
    ]
    check = check_languages(answers, [asked], VOTE)
    assert list(check.alarms) == [BAD]
    assert (check.references, check.false_alarms) == (2, 2), "the options themselves are what it is calibrated on"
    page = item(OcrText("ein Schild"))
    read = diagnose(page, Response("k", text=BAD), Score(page.id, {}), metric("macro_f1"))
    assert check_languages([read], [page], VOTE) == LanguageCheck()


@pytest.mark.skipif(language_id.load() is None, reason="needs the extra `langid`")
def test_the_real_identifiers_on_plain_sentences() -> None:
    identifiers = language_id.load()
    assert identifiers is not None
    sentences = {
        "de": "Zwei junge Männer stehen draußen neben ein paar Büschen.",
        "fr": "Deux jeunes hommes sont dehors près de quelques buissons.",
        "cs": "Dva mladí muži stojí venku poblíž několika keřů.",
        "ru": "Двое молодых людей стоят на улице возле кустов.",
        "ko": "두 명의 젊은 남자가 덤불 근처에 서 있습니다.",
        "ja": "二人の若い男性が茂みの近くに立っています。",
        "hi": "दो युवक कुछ झाड़ियों के पास बाहर खड़े हैं।",
        "he": "שני צעירים עומדים בחוץ ליד כמה שיחים.",
        "en": "Two young men are standing outside near some bushes.",
    }
    for code, sentence in sentences.items():
        for wanted in sentences:
            judgement = identifiers.judge(sentence, wanted)
            assert judgement is not None and judgement.accepted is (code == wanted), (code, wanted)
    traditional = "兩個年輕人站在灌木叢附近的戶外，這裡還有很多學生。"
    assert identifiers.judge(traditional, "zh-Hans") == Judgement(False, "zh-Hant")
    assert identifiers.judge(traditional, "zh-Hant") == Judgement(True, "zh")
    assert identifiers.judge("\x00\ud800 zwei\u202e junge Männer stehen draußen", "de") is not None


# ── Loss ──────────────────────────────────────────────────────────────────────────────────────────


def answer(name: str, lost: float | None, *causes: str) -> Answer:
    return Answer(replace(item(COLOUR), id=name), "", Score(name), lost, causes, causes)


def test_each_loss_goes_to_the_first_cause() -> None:
    losses = attribute(
        [
            answer("a", 1.0, "chatty", "repetition"),
            answer("b", 0.5, "unparsed"),
            answer("c", 0.25),
            answer("d", 0.0, "chatty"),
            answer("e", None, "empty"),
        ],
        None,
    )
    assert dict(losses.by) == {"repetition": 1.0, "unparsed": 0.5, WRONG: 0.25}
    assert losses.items == 4 and losses.total == 1.75 and losses.mean == pytest.approx(1.75 / 4)
    assert math.fsum(losses.share(cause) for cause in losses.by) == pytest.approx(1)


def test_a_doubtful_alarm_takes_only_its_part() -> None:
    check = LanguageCheck(10, {"a": "en", "b": "en"}, 10, 1)
    assert check.weight == pytest.approx(0.5)
    losses = attribute([answer("a", 1.0, "chatty"), answer("b", 1.0), answer("c", 1.0)], check)
    assert dict(losses.by) == pytest.approx({"wrong_language": 1.0, "chatty": 0.5, WRONG: 1.5})
    assert causes_of(answer("a", 1.0, "empty", "chatty"), check) == ("empty", "wrong_language", "chatty", WRONG)


def test_nothing_lost_is_nothing_shared() -> None:
    losses = attribute([answer("a", 0.0, "chatty")], None)
    assert losses.mean == 0 and not losses.by and losses.share("chatty") == 0
    assert attribute([], None).mean is None


# ── Position ──────────────────────────────────────────────────────────────────────────────────────


def test_positions_count_what_was_right_and_what_was_chosen() -> None:
    options = ("red", "blue", "green")
    golds, replies = (0, 0, 1, 2), ("A", "B", "A", "?")
    items = [item(Choice(options, gold, "ABC"[gold], letters=True), number=n) for n, gold in enumerate(golds)]
    answers = [
        diagnose(one, (response := Response("k", text=reply)), score_item(one, response), metric("aligned"))
        for one, reply in zip(items, replies, strict=True)
    ]
    place = positions(items, answers)
    assert place is not None
    assert (place.gold, place.chosen, place.unread) == ((2, 1, 1), (2, 1, 0), 1)
    assert place.score == (0.5, 0.0, 0.0) and place.always_first == 0.5 and place.strict_ceiling is None
    assert place.chance == pytest.approx(1 / 3) and place.aligned == 0.25
    assert not place.one_sided


def test_a_gold_that_never_moves_hides_the_bias() -> None:
    shown = ("red", "blue")
    items = [item(Choice(shown, 0, "Red" if n else "red", shown=shown), number=n) for n in range(4)]
    place = positions(items, [])
    assert place is not None and place.one_sided
    assert place.always_first == place.strict_ceiling == 0.25
    assert positions([item(SENTENCE)], []) is None


def test_the_estimate_of_a_check_without_answers_is_nothing() -> None:
    check = language_check.LanguageCheck()
    assert check.estimate == check.observed == check.false_alarm_rate == 0 and check.mostly == "" and not check.clear


# ── Anything a model may say ──────────────────────────────────────────────────────────────────────

TARGETS = (
    COLOUR,
    LETTER,
    Choice((), None, "None", shown=("None",)),
    SENTENCE,
    Translation("", ()),
    PAGE,
    OcrText(None),
    Short(("Paris",)),
    Short(()),
    Contains(("art",)),
    Contains(()),
    Open("Why?", ""),
)


@examples(60)
@given(text=st.text(st.characters(), max_size=60), times=st.integers(1, 40), finish=st.sampled_from([None, "length"]))
def test_no_text_is_too_odd_for_a_diagnosis(text: str, times: int, finish: str | None) -> None:
    for target in TARGETS:
        found = seen(target, text * times, finish=finish)
        assert set(found.explaining) <= set(found.seen) <= set(CAUSES)
        assert found.lost is None or 0 <= found.lost <= 1
        assert ("empty" in found.seen) == (not (text * times).strip())
    identifiers = language_id.load()
    if identifiers is not None:
        identifiers.judge(text * times, "de")
