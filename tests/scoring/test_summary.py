"""From scores to figures: means, standard errors, what is left out of them, and the smaller scorers."""

from __future__ import annotations

import math
import statistics as reference
import subprocess
import sys
from collections.abc import Sequence

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from tvbench.errors import UsageError
from tvbench.report.run_table import run_table
from tvbench.runs import codec
from tvbench.scoring import score_item, summarise
from tvbench.scoring.intervals import Observation, clustered_stderr, macro_stderr
from tvbench.scoring.metrics import label, metric, metric_id
from tvbench.scoring.translation import tokenizer
from tvbench.types import (
    NEEDS_JUDGE,
    NO_GOLD,
    Choice,
    Contains,
    Item,
    Message,
    OcrText,
    Open,
    Response,
    Short,
    Target,
    TaskResult,
    Translation,
)

COLOURS = Choice(("red", "blue", "green", "white"), 0, "red", ("red", "blue", "green", "white"))


def item(name: str, language: str, target: Target = COLOURS, cluster: str = "", **tags: str) -> Item:
    return Item(name, "t", language, (Message("user", ("?",)),), target, cluster=cluster, tags=tags)


def result(pairs: Sequence[tuple[Item, str | None]], primary: str = "aligned") -> TaskResult:
    """`None` is an item without a response."""
    responses = {one.id: Response(one.id, text=text) for one, text in pairs if text is not None}
    scores = [score_item(one, responses[one.id]) for one, _ in pairs if one.id in responses]
    return summarise("t", "tvbench", primary, "sig", [one for one, _ in pairs], responses, scores)


def value(target: Target, text: str, metric: str) -> float | None:
    return score_item(item("1", "de", target), Response("k", text=text)).values[metric]


# ── What has no answer, and answers that say nothing ─────────────────────────────────────────────

NO_GOLD_TARGETS = [OcrText(None), Contains(()), Short(()), Choice((), None, "None"), Translation("dog", ())]


@pytest.mark.parametrize("target", NO_GOLD_TARGETS, ids=lambda target: type(target).__name__)
def test_a_row_without_gold_says_so_and_waits_for_nobody(target: Target) -> None:
    given = result([(item("1", "pt", target), "um texto")])
    assert given.counts.unscored == 1 and given.counts.reasons == {NO_GOLD: 1}
    notes = " ".join(run_table([given]).notes)
    assert "1 answer is unscored (1 no gold" in notes and "judge" not in notes


def test_open_answers_wait_for_a_judge_and_rows_without_gold_do_not() -> None:
    given = result(
        [
            (item("1", "pt", OcrText(None)), "x"),
            (item("2", "pt", Open("?", "!")), "y"),
            (item("3", "pt", Open("?", "!")), "z"),
        ]
    )
    assert given.counts.reasons == {NEEDS_JUDGE: 2, NO_GOLD: 1}
    notes = run_table([given]).notes
    assert any("3 answers are unscored (2 open-ended" in note and "1 no gold" in note for note in notes)
    assert any("wait for a judge" in note for note in notes)
    assert codec.result_from_json(codec.result_to_json(given)) == given


def test_results_of_an_older_version_are_still_read() -> None:
    written = codec.result_to_json(result([(item("1", "pt"), "red")]))
    del written["counts"]["reasons"]
    assert codec.result_from_json(written).counts.reasons == {}


TARGETS = [
    *NO_GOLD_TARGETS,
    COLOURS,
    OcrText("red"),
    Contains(("red",)),
    Short(("red",)),
    Open("?", "!"),
    Translation("dog", ("Hund",)),
]


@pytest.mark.parametrize("text", ["", " ", "\n \n\t", "\u00a0\u3000", "\u200b\ufeff", "\u00ad \x00"], ids=ascii)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: type(target).__name__)
def test_an_answer_without_a_visible_character_is_empty(target: Target, text: str) -> None:
    assert score_item(item("1", "de", target), Response("k", text=text)).flags == ("empty",)
    assert "empty" not in score_item(item("1", "de", target), Response("k", text=f"{text}.")).flags


# ── Standard errors ───────────────────────────────────────────────────────────────────────────────


@examples(50)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_without_clusters_it_is_the_plain_standard_error(values: list[float]) -> None:
    found = clustered_stderr([Observation(x, str(i)) for i, x in enumerate(values)])
    assert found == pytest.approx(reference.stdev(values) / math.sqrt(len(values)), abs=1e-9)


def test_clusters_of_equal_answers_count_once() -> None:
    values = [1.0, 0.0, 1.0, 1.0, 0.0]
    doubled = [Observation(x, str(i)) for i, x in enumerate(values) for _ in range(2)]
    single = [Observation(x, str(i)) for i, x in enumerate(values)]
    assert clustered_stderr(doubled) == pytest.approx(clustered_stderr(single))
    assert clustered_stderr(single) is not None


def test_clustered_against_the_double_sum_of_the_source() -> None:
    values = [("a", 1.0), ("a", 0.0), ("a", 1.0), ("b", 0.0), ("c", 1.0), ("c", 1.0)]
    centre = sum(x for _, x in values) / len(values)
    total = sum((x - centre) * (y - centre) for c, x in values for d, y in values if c == d)
    expected = math.sqrt(3 / 2 * total / len(values) ** 2)
    assert clustered_stderr([Observation(x, c) for c, x in values]) == pytest.approx(expected)


def test_one_cluster_has_no_standard_error() -> None:
    assert clustered_stderr([Observation(1.0, "a"), Observation(0.0, "a")]) is None
    assert clustered_stderr([]) is None


def test_macro_adds_independent_languages_and_knows_shared_pictures() -> None:
    german = [Observation(x, f"de{i}") for i, x in enumerate((1.0, 0.0, 1.0, 1.0))]
    korean = [Observation(x, f"ko{i}") for i, x in enumerate((0.0, 0.0, 1.0))]
    errors = [clustered_stderr(german) or 0.0, clustered_stderr(korean) or 0.0]
    assert macro_stderr([german, korean]) == pytest.approx(math.hypot(*errors) / 2)
    same = macro_stderr([german, german])
    assert same == pytest.approx(errors[0])


# ── Counts, means, slices ─────────────────────────────────────────────────────────────────────────


def test_macro_micro_and_without_english() -> None:
    pairs = [(item(f"en{i}", "en"), "red") for i in range(4)]
    pairs += [(item("de1", "de"), "red"), (item("de2", "de"), "blue")]
    pairs += [(item("fr1", "fr"), "green")]
    found = result(pairs)
    assert found.metrics["aligned"].value == pytest.approx((1 + 0.5 + 0) / 3)
    assert found.micro["aligned"].value == pytest.approx(5 / 7)
    assert found.macro_without_english["aligned"].value == pytest.approx(0.25)
    assert found.breakdowns["language"]["de"].metrics["aligned"].value == 0.5
    assert found.counts.complete
    assert found.metrics["chance"].value == 0.25
    assert found.metric_signatures["strict"] == "norm:none"


def test_failed_missing_and_unscored_items_enter_no_figure() -> None:
    items = [item(str(i), "de") for i in range(4)] + [item("open", "de", Open("?", "long"))]
    answers = {
        "0": Response("a", text="red"),
        "1": Response("b", error="no such picture"),
        "2": Response("c", text="blue"),
        "open": Response("d", text="a long story"),
    }
    scores = [score_item(one, answers[one.id]) for one in items if one.id in answers]
    found = summarise("t", "p", "aligned", "s", items, answers, scores)
    assert (found.counts.expected, found.counts.answered, found.counts.failed) == (5, 3, 1)
    assert (found.counts.scored, found.counts.unscored) == (2, 1)
    assert not found.counts.complete
    assert found.metrics["aligned"].value == 0.5
    assert found.metrics["aligned"].n == 2
    assert found.metrics["always_first"].n == 4
    assert any("1 failed and 1 have no answer" in warning for warning in found.warnings)


def test_an_item_that_could_not_be_asked_is_failed() -> None:
    broken = Item("1", "t", "de", (), Choice((), None, "x"), problem="no options")
    found = summarise("t", "p", "aligned", "s", [broken], {}, [])
    assert (found.counts.expected, found.counts.failed) == (1, 1)
    assert found.metrics == {}


def test_open_questions_alone_have_counts_and_no_figures() -> None:
    found = result([(item("1", "de", Open("?", "x")), "y"), (item("2", "en", Open("?", "x")), "")])
    assert found.metrics == {}
    assert found.counts.unscored == 2
    assert found.counts.flags == {"empty": 1}


def test_slices_by_every_tag() -> None:
    pairs = [
        (item("1", "de", category="food", question_type="mcq"), "red"),
        (item("2", "de", category="art", question_type="mcq"), "blue"),
        (item("3", "fr", category="food", question_type="mcq"), "?!"),
        (item("4", "fr", Short(("ja",)), question_type="short"), "Ja."),
    ]
    found = result(pairs)
    assert found.breakdowns["category"]["food"].metrics["aligned"].value == 0.5
    assert found.breakdowns["category"]["food"].counts.flags == {"unparsed": 1}
    assert found.breakdowns["question_type"]["short"].metrics["accuracy"].value == 1.0
    assert "aligned" not in found.breakdowns["question_type"]["short"].metrics
    assert found.metrics["accuracy"].n == 1


def test_a_language_without_the_primary_figure_is_named() -> None:
    found = result([(item("1", "de"), "red"), (item("2", "sw"), None)])
    assert found.metrics["aligned"].value == 1.0
    assert any("sw" in warning for warning in found.warnings)


def test_items_of_one_picture_widen_the_error() -> None:
    alone = [(item(f"{i}", "de"), "red" if i % 4 < 2 else "blue") for i in range(40)]
    shared = [(item(f"{i}", "de", cluster=f"{i // 2}"), text) for i, (_, text) in enumerate(alone)]
    narrow, wide = (result(pairs).metrics["aligned"] for pairs in (alone, shared))
    assert narrow.value == wide.value
    assert (wide.stderr or 0) > 1.3 * (narrow.stderr or 1)
    assert (narrow.clusters, wide.clusters) == (40, 20)


def test_baselines_of_a_strict_prompt_and_of_a_lettered_one() -> None:
    broken = Choice(("Ulm, Bavaria", "Rome"), 0, "Ulm, Bavaria", ("Ulm", "Bavaria", "Rome"))
    found = result([(item("1", "de"), "x"), (item("2", "de", broken), "x")])
    assert found.metrics["always_first"].value == 0.5
    assert found.metrics["strict_ceiling"].value == 0.5
    lettered = [Choice(("a", "b", "c"), gold, "x", ("A. a", "B. b", "C. c"), letters=True) for gold in (0, 1, 2)]
    shuffled = result([(item(str(i), "de", choice), "x") for i, choice in enumerate(lettered)])
    assert shuffled.metrics["always_first"].value == pytest.approx(1 / 3)
    assert "strict_ceiling" not in shuffled.metrics


# ── Translation ───────────────────────────────────────────────────────────────────────────────────

SENTENCES = {
    "de": "Der Hund läuft über die grüne Wiese.",
    "ja": "犬が緑の草原を走っています。",
    "zh": "一只狗跑过绿色的草地。",
    "ko": "개가 푸른 풀밭을 달리고 있습니다.",
    "th": "สุนัขกำลังวิ่งบนทุ่งหญ้าสีเขียว",
}


def test_every_language_has_its_tokenizer_and_an_exact_copy_scores_100() -> None:
    pairs = [(item(code, code, Translation("A dog", (text,))), text) for code, text in SENTENCES.items()]
    found = result(pairs, "chrfpp")
    assert found.metrics["chrfpp"].value == pytest.approx(100)
    assert found.metrics["bleu"].value == pytest.approx(100)
    names = {code: found.metric_signatures[f"bleu[{code}]"].split("tok:")[1].split("|")[0] for code in SENTENCES}
    assert names["de"] == "13a"
    assert names["th"] == "char"
    assert names["zh"] == "zh"
    assert {names["ja"].split("-")[0], names["ko"].split("-")[0]} == {"ja", "ko"}
    assert found.micro == {}


def test_tokenizer_of_a_language_tag() -> None:
    assert tokenizer("zh-Hant")[0] == "zh"
    assert tokenizer("pt_BR") == ("13a", "")
    assert tokenizer("km")[0] == "char"


@pytest.mark.parametrize("language", ["ja", "ko-KR"])
def test_a_tokenizer_that_is_not_installed_is_named_once_with_its_extra(
    language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra `cjk` only Japanese and Korean change, and each says so in one sentence."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    copy = Translation("A dog", (SENTENCES[language[:2]],))
    found = result([(item("1", language, copy), copy.references[0]), (item("2", "de", copy), "x")], "bleu")
    assert [text for text in found.warnings if "cjk" in text] == [
        f"BLEU for {language} counts characters, because its tokenizer {language[:2]}-mecab is not installed: "
        f"pip install 'tvbench[cjk]'"
    ]
    assert "tok:char" in found.metric_signatures[f"bleu[{language}]"]


def test_sentences_may_have_different_numbers_of_references() -> None:
    two = Translation("a", ("Der Hund schläft tief.", "Der Hund schlummert tief."))
    one = Translation("b", ("Die Katze trinkt Milch.",))
    found = result([(item("1", "de", two), two.references[1]), (item("2", "de", one), one.references[0])], "bleu")
    assert found.metrics["bleu"].value == pytest.approx(100)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Die Bank am Fluss", 1.0), ("die BÄNKE", 0.0), ("das Ufer", 0.0), ("Bank oder Geldhaus", 0.0), ("Bankett", 0.0)],
)
def test_sense(text: str, expected: float) -> None:
    bench = Translation("bank", ("Die Bank",), sense=("Bank",), wrong_sense=("Geldhaus",))
    assert value(bench, text, "sense") == expected
    assert value(Translation("bank", ("Die Bank",)), text, "sense") is None


def test_sense_in_a_script_without_blanks() -> None:
    ball = Translation("ball", ("球が飛ぶ",), sense=("球",), wrong_sense=("舞踏会",))
    assert value(ball, "赤い球が飛んでいる", "sense") == 1.0
    assert value(ball, "舞踏会で球を見る", "sense") == 0.0


def test_figures_of_a_corpus_are_averaged_over_languages_in_a_tag_slice() -> None:
    pairs = []
    for code, copy in (("de", True), ("fr", False)):
        text = "Der Hund läuft über die grüne Wiese."
        pairs.append((item(code, code, Translation("a", (text,)), split="2016"), text if copy else "nichts"))
    part = result(pairs, "bleu").breakdowns["split"]["2016"]
    assert part.metrics["bleu"].value == pytest.approx(50, abs=1)
    assert part.metrics["bleu"].stderr is None


# ── Short answers and OCR ─────────────────────────────────────────────────────────────────────────


def test_short_answers() -> None:
    assert value(Short(("Drei", "3")), " **drei.** ", "accuracy") == 1.0
    assert value(Short(("Drei", "3")), "dreizehn", "accuracy") == 0.0
    assert value(Short(("x",)), "", "accuracy") == 0.0
    assert value(Short(("50%",)), "50", "accuracy") == 0.0


def test_ocr_bags() -> None:
    target = OcrText("EIN Haus\n ein *** Baum")
    assert value(target, "ein  Haus, ein ein", "macro_precision") == pytest.approx(2 / 4)
    assert value(target, "ein  Haus, ein ein", "macro_recall") == pytest.approx(2 / 4)
    assert value(OcrText("한국 어", "character"), "한국어", "macro_f1") == 1.0
    assert value(target, "", "macro_f1") == 0.0
    unreadable = score_item(item("1", "pt", OcrText(None)), Response("k", text="x"))
    assert unreadable.unscored is not None
    assert not unreadable.values


def test_micro_ocr_pools_the_words() -> None:
    pairs = [(item("1", "de", OcrText("a b")), "a b"), (item("2", "de", OcrText("c")), "x " * 7)]
    found = result(pairs, "macro_f1")
    assert found.metrics["macro_f1"].value == pytest.approx(0.5)
    assert found.metrics["micro_f1"].value == pytest.approx(2 * 2 / (3 + 9))


def test_contains_keeps_the_formula_quirk_beside_its_repair() -> None:
    formula = Contains((r"\frac{A}{2}",), formula=True)
    assert value(formula, r"It is \frac { A } { 2 }", "ocrbench") == 0.0
    assert value(formula, r"It is \frac { A } { 2 }", "ocrbench_hme") == 1.0
    assert value(Contains(("CENTRE", "center")), "the Centre.", "ocrbench") == 1.0
    assert value(Contains(("CENTRE",)), "", "ocrbench") == 0.0


# ── Names ─────────────────────────────────────────────────────────────────────────────────────────


def test_metric_names() -> None:
    assert metric_id("chrF++") == metric_id("chrfpp") == "chrfpp"
    assert metric_id("BLEU") == "bleu"
    assert label("chrfpp") == "chrF++"
    assert metric("aligned").shown(0.5) == 50 and metric("aligned").text(0.5) == "50.0"
    assert metric("bleu").shown(0.5) == 0.5
    assert label("a_plugin_metric") == "a_plugin_metric"
    with pytest.raises(UsageError, match="Did you mean aligned"):
        metric_id("algined")


def test_scoring_choices_imports_nothing_heavy() -> None:
    probe = "import sys, tvbench.scoring; print([m for m in ('sacrebleu', 'torch', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
