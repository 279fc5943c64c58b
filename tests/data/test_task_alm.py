"""ALM-Bench built from synthetic rows with the traps of the real ones: prompts, targets, problems, selection."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from alm_examples import TRUE_FALSE, alm_row
from task_data import build, choice, items, png, prompt, write_jsonl, write_parquet

from tasks import alm
from tvbench.cli.main import main
from tvbench.data.sources import Rows
from tvbench.data.true_false import AnsweredQuestion, first_words, learn_words
from tvbench.errors import MediaError, UsageError
from tvbench.runs.keys import media_of
from tvbench.runs.plan import Overrides, plan_task
from tvbench.runs.task_ask import ask_of
from tvbench.scoring import score_item
from tvbench.types import BuildOptions, Choice, ModelCard, Open, Response

ALM_ROWS = [
    alm_row("1_1_01_001", " Rock (Optionen: Rock, Hose, Hut, Schal)"),
    alm_row("1_1_01_002", " Brot, Salz (Auswahl: Brot, Salz, Reis, Bohnen, Fisch, Öl, Ei, Milch)"),
    alm_row(
        "1_1_01_003",
        "etwa 20,000 (Optionen: etwa 20,000, etwa 1,500, etwa 10,000, etwa 30,000)",
        url="https://pictures.example/2.jpg",
    ),
    alm_row("1_1_01_004", "Wahr, so ist es.", kind=TRUE_FALSE, english="True, it is."),
    alm_row("1_1_01_005", "Falsch.", kind=TRUE_FALSE, english="False."),
    alm_row("1_1_01_006", "Wer weiß.", kind=TRUE_FALSE, english="Who knows."),
    alm_row("1_1_01_007", "Ein langer Text.", kind="Long Question"),
    alm_row("1_1_01_008", "Ein Hut.", kind="Short Question 1", url=""),
    alm_row("1_1_01_009", "Keine Optionen hier."),
    alm_row(
        "2_2_01_001",
        " Années 20 (choix\u00a0: années 20, années 30, années 40, années 50)",
        language="French",
        question=" Quelle époque\u00a0?",
    ),
    alm_row("2_2_01_002", "Vrai", kind=TRUE_FALSE, language="French", english="True"),
    alm_row("3_3_01_001", "Чай. (Варианты: чай, кофе, сок, вода)", language="Russian"),
    alm_row("4_4_01_001", "茶（选项：茶，咖啡，水，酒）", language="Chinese (Simplified)"),
    alm_row("1_1_01_001", "Hut (Optionen: Rock, Hut, Hose, Schal)"),
]


@pytest.fixture
def alm_data(tmp_path: Path) -> Path:
    write_parquet(tmp_path / "data" / "test-00000-of-00001.parquet", ALM_ROWS, ("file_name",))
    return tmp_path


def test_alm_asks_every_row_and_names_what_cannot_be_asked(alm_data: Path) -> None:
    built = build(alm, alm_data)
    found = list(built.items)
    assert len(found) == len(ALM_ROWS)
    assert Counter(item.language for item in found) == {"de": 10, "fr": 2, "ru": 1, "zh-Hans": 1}
    problems = {item.id: item.problem for item in found if item.problem}
    assert set(problems) == {"de/1_1_01_006", "de/1_1_01_009"}
    assert "neither true nor false" in str(problems["de/1_1_01_006"])
    assert "no options" in str(problems["de/1_1_01_009"])
    assert built.dataset.startswith("MBZUAI/ALM-Bench@local:")


def test_alm_keeps_duplicate_ids_apart_and_says_so(alm_data: Path) -> None:
    built = build(alm, alm_data)
    ids = [item.id for item in built.items]
    assert len(set(ids)) == len(ids) == len(ALM_ROWS)
    assert "de/1_1_01_001#2" in ids
    assert any("occur more than once" in warning and "de/1_1_01_001" in warning for warning in built.warnings)


def test_alm_shuffles_by_item_and_seed_and_shows_letters(alm_data: Path) -> None:
    first = {item.id: item for item in items(alm, alm_data)}
    again = {item.id: item for item in items(alm, alm_data, limit=2)}
    assert all(first[name].messages[0].parts[1] == item.messages[0].parts[1] for name, item in again.items())
    one = first["de/1_1_01_003"]
    lines = prompt(one).split("\n")
    target = choice(one)
    assert lines[0] == "Was ist das?" and "letter only" in lines[-1]
    assert lines[1:-1] == [f"{letter}. {text}" for letter, text in zip("ABCD", target.options, strict=True)]
    assert target.gold is not None and target.options[target.gold] == "etwa 20,000"
    assert target.letters and target.target == "ABCD"[target.gold]
    orders = {
        tuple(choice(item).options)
        for seed in range(8)
        for item in items(alm, alm_data, seed=seed, limit=1)
        if item.language == "de"
    }
    assert len(orders) > 3


def test_alm_shuffling_spreads_the_right_option(tmp_path: Path) -> None:
    rows = [alm_row(f"1_1_01_{n:03}", "Rock (Optionen: Rock, Hose, Hut, Schal)") for n in range(200)]
    write_jsonl(tmp_path / "test.jsonl", [{**row, "file_name": None} for row in rows])
    places = Counter(choice(item).gold for item in items(alm, tmp_path, with_media=False))
    assert set(places) == {0, 1, 2, 3} and min(places.values()) > 25


def test_alm_options_with_commas_stay_whole(alm_data: Path) -> None:
    found = {
        item.id: choice(item)
        for item in items(alm, alm_data, languages=("de", "fr", "ru"))
        if isinstance(item.target, Choice)
    }
    assert set(found["de/1_1_01_002"].options) == {"Brot, Salz", "Reis, Bohnen", "Fisch, Öl", "Ei, Milch"}
    assert found["fr/2_2_01_001"].gold is not None
    assert found["ru/3_3_01_001"].options[found["ru/3_3_01_001"].gold or 0] == "чай"


def test_alm_true_false_is_a_choice_in_the_words_of_the_data(alm_data: Path) -> None:
    found = {item.id: item for item in items(alm, alm_data)}
    yes, no = choice(found["de/1_1_01_004"]), choice(found["de/1_1_01_005"])
    assert yes.options == no.options == ("Wahr", "Falsch")
    assert (yes.gold, no.gold) == (0, 1)
    # French shows only one of the two words, so both are English.
    assert choice(found["fr/2_2_01_002"]).options == ("True", "False")
    reply = Response("k", text="Wahr")
    assert score_item(found["de/1_1_01_004"], reply).values["aligned"] == 1
    assert score_item(found["de/1_1_01_005"], reply).values["aligned"] == 0


def test_alm_open_questions_wait_for_a_judge(alm_data: Path) -> None:
    found = {item.id: item for item in items(alm, alm_data)}
    for name, kind in (("de/1_1_01_007", "long"), ("de/1_1_01_008", "short")):
        assert isinstance(found[name].target, Open)
        assert found[name].tags["question_type"] == kind
        assert "German" in prompt(found[name])
        assert score_item(found[name], Response("k", text="Hut")).unscored


def test_alm_items_of_one_picture_share_a_cluster(alm_data: Path) -> None:
    found = {item.id: item.cluster for item in items(alm, alm_data)}
    assert found["de/1_1_01_001"] == found["de/1_1_01_002"] != found["de/1_1_01_003"]
    assert found["de/1_1_01_008"] not in {cluster for name, cluster in found.items() if name != "de/1_1_01_008"}


def test_alm_paper_shows_what_the_authors_show(alm_data: Path) -> None:
    built = build(alm, alm_data, "paper")
    found = {item.id: item for item in built.items}
    assert all(item.tags["question_type"] == "multiple-choice" for item in found.values())
    assert any("multiple choice only: 6 rows" in warning for warning in built.warnings)
    assert prompt(found["de/1_1_01_001"]) == f"{alm.PAPER_PROMPT} Was ist das?\nRock\nHose\nHut\nSchal"
    assert choice(found["de/1_1_01_001"]).target == "Rock" and not choice(found["de/1_1_01_001"]).letters
    assert choice(found["de/1_1_01_002"]).shown == ("Brot", "Salz", "Reis", "Bohnen", "Fisch", "Öl", "Ei", "Milch")
    french = found["fr/2_2_01_001"]
    assert prompt(french) == f"{alm.PAPER_PROMPT}  Quelle époque\u00a0?\nNone" and choice(french).target == "None"
    assert found["de/1_1_01_001"].sampling.max_new_tokens == 128
    assert found["de/1_1_01_009"].problem


UNREAD = {
    "Czech": "Možnosti",
    "Danish": "Valgmuligheder",
    "Finnish": "Vaihtoehdot",
    "Hindi": "विकल्प",
    "Romanian": "Opțiuni",
    "Hungarian": "Lehetőségek",
    "Icelandic": "Valkostir",
    "Japanese": "選択肢",
    "Swedish": "Alternativ",
    "Chinese (Traditional)": "選項",
}
"""Keywords that the authors' pattern does not know."""


@pytest.fixture
def unread_data(tmp_path: Path) -> Path:
    """Two rows that the authors' pattern does not read and one that it reads, in ten languages; German and French."""
    rows = [
        alm_row(f"{number}_1_01_00{place}", f"a ({word}: a, b, c, d)", language=name, file_name=None)
        for number, (name, keyword) in enumerate(UNREAD.items())
        for place, word in enumerate((keyword, keyword, "Options"))
    ]
    rows += [
        alm_row("20_1_01_001", "a (choix\u00a0: a, b, c, d)", language="French", file_name=None),
        alm_row("20_1_01_002", "a (choix : a, b, c, d)", language="French", file_name=None),
        alm_row("21_1_01_001", "a (Optionen: a, b, c, d)", file_name=None),
        alm_row("22_1_01_001", "keine", language="Czech", file_name=None),
    ]
    write_jsonl(tmp_path / "test.jsonl", rows)
    return tmp_path


def test_alm_paper_leaves_out_what_the_authors_pattern_cannot_read_and_counts_it(unread_data: Path) -> None:
    built = build(alm, unread_data, "paper", with_media=False)
    asked = Counter(item.language for item in built.items)
    others = dict.fromkeys(("da", "fi", "hi", "hu", "is", "ja", "ro", "sv", "zh-Hant"), 1)
    assert asked == {"fr": 2, "de": 1, "cs": 2} | others
    shown = [item.id for item in built.items if item.problem is None and prompt(item).endswith("\nNone")]
    assert shown == ["fr/20_1_01_001"]  # asked in French, as in the authors' logs
    (left_out,) = (warning for warning in built.warnings if "left out: " in warning)
    assert "cs 2 of 4, da 2 of 3, fi 2 of 3, hi 2 of 3" in left_out and "zh-Hant 2 of 3" in left_out
    assert "fr" not in left_out and "alm.unparsed=ask" in left_out
    (kept,) = (warning for warning in built.warnings if "in place of the options" in warning)
    assert "fr 1 of 2" in kept and "no answer counts as right" in kept


@pytest.mark.parametrize(("unparsed", "count", "shown"), [("ask", 34, 21), ("leave-out", 13, 0)])
def test_alm_paper_asks_unread_rows_as_set(unread_data: Path, unparsed: str, count: int, shown: int) -> None:
    built = build(alm, unread_data, "paper", with_media=False, settings={"unparsed": unparsed})
    texts = [prompt(item) for item in built.items if item.problem is None]
    assert len(list(built.items)) == count and sum(text.endswith("\nNone") for text in texts) == shown
    assert any("cs 2 of 4" in warning and "fr 1 of 2" in warning for warning in built.warnings)


def test_alm_limit_counts_what_is_asked(unread_data: Path) -> None:
    (item,) = items(alm, unread_data, "paper", with_media=False, languages=("ja",), limit=1)
    assert prompt(item).endswith("\na\nb\nc\nd")


def test_alm_paper_of_unread_rows_only_says_what_to_type(tmp_path: Path) -> None:
    row = alm_row("1_1_01_001", "a (Možnosti: a, b)", language="Czech", file_name=None)
    write_jsonl(tmp_path / "test.jsonl", [row])
    with pytest.raises(UsageError, match=r"in no row \(cs 1 of 1\)") as refused:
        build(alm, tmp_path, "paper")
    assert "--protocol tvbench" in str(refused.value) and "--set alm.unparsed=ask" in str(refused.value)
    with pytest.raises(UsageError, match="value of alm.unparsed"):
        build(alm, tmp_path, "paper", settings={"unparsed": "yes"})
    assert len(items(alm, tmp_path, with_media=False)) == 1


def test_alm_warnings_reach_the_screen_and_the_manifest(unread_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "run",
        "--model",
        "tower-mini",
        "--tasks",
        "alm:cs",
        "--protocol",
        "paper",
        "--data",
        str(unread_data),
        "--no-image",
        "--dry-run",
    ]
    assert main(words) == 0
    assert "cs 2 of 4" in capsys.readouterr().err
    options = BuildOptions(protocol="paper", data=unread_data, languages=("cs",), with_media=False)
    card = ModelCard("m", "folder", "m")
    entry = plan_task(alm.TASK, options, card, Overrides()).entry(card, "transformers@5")
    assert any("cs 2 of 4" in warning for warning in entry.warnings)


def test_alm_paper_asks_the_split_that_the_authors_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def open_rows(repo: str, split: str, **_: Any) -> Rows:
        asked.append((repo, split))
        return Rows((), Path(), alm.COLUMNS, "local", 0)

    monkeypatch.setattr(alm, "available_splits", lambda repo, **_: ("German", "Korean"))
    monkeypatch.setattr(alm, "open_rows", open_rows)

    def opened(**options: Any) -> None:
        alm.questions(ask_of(alm.TASK, BuildOptions(**options)))

    opened(protocol="paper")
    assert asked == [(alm.SPLIT_REPO, "German"), (alm.SPLIT_REPO, "Korean")]
    asked.clear()
    opened(protocol="tvbench")
    opened(protocol="paper", split="test")
    opened(protocol="paper", settings={"variant": "full"})
    assert asked == [(alm.REPO, "test")] * 3


def test_alm_paper_of_local_data_says_that_they_are_not_the_authors(tmp_path: Path) -> None:
    row = alm_row("1_1_01_001", "a (Options: a, b, c, d)", file_name=None)
    write_jsonl(tmp_path / "whole" / "test.jsonl", [row])
    write_jsonl(tmp_path / "split" / "German.jsonl", [row])
    whole = build(alm, tmp_path / "whole", "paper", with_media=False)
    split = build(alm, tmp_path / "split", "paper", with_media=False)
    assert len(list(whole.items)) == len(list(split.items)) == 1
    assert any(alm.SPLIT_REPO in warning for warning in whole.warnings) and not split.warnings
    assert split.dataset.startswith(alm.SPLIT_REPO)


def test_alm_official_cuts_at_the_first_bracket(alm_data: Path) -> None:
    found = {item.id: item for item in items(alm, alm_data, "official")}
    assert prompt(found["de/1_1_01_001"]).endswith("Was ist das?\nOptionen: Rock, Hose, Hut, Schal")
    assert prompt(found["zh-Hans/4_4_01_001"]).endswith("Was ist das?\n选项：茶，咖啡，水，酒")
    assert choice(found["zh-Hans/4_4_01_001"]).target == "茶"
    assert prompt(found["de/1_1_01_004"]).endswith("Please provide the answer as one word in German")
    assert choice(found["de/1_1_01_004"]).target == "Wahr"
    assert prompt(found["de/1_1_01_007"]).endswith("\nAnswer the question in detail in German language.")
    assert prompt(found["de/1_1_01_008"]).endswith("\nPlease provide brief, clear responses in German language.")
    assert found["de/1_1_01_001"].sampling.max_new_tokens == 2048


def test_official_quirk_of_brackets_in_the_answer() -> None:
    assert alm.cut_at_bracket("Hose (kurze) (Optionen: a, b)") == ("Hose ", "kurze")
    with pytest.raises(ValueError, match="no options"):
        alm.cut_at_bracket("Hose")


def test_alm_language_and_limit(alm_data: Path) -> None:
    assert Counter(item.language for item in items(alm, alm_data, limit=2)) == {"de": 2, "fr": 2, "ru": 1, "zh-Hans": 1}
    assert {item.language for item in items(alm, alm_data, languages=("Russian", "fr"))} == {"ru", "fr"}
    with pytest.raises(UsageError, match="Did you mean .*German"):
        items(alm, alm_data, languages=("Gernam",))
    with pytest.raises(UsageError, match="unknown setting of alm 'varian'.*variant"):
        items(alm, alm_data, settings={"varian": "x"})
    with pytest.raises(UsageError, match="split of alm 'tset'.*test"):
        items(alm, alm_data, split="tset")


def test_alm_pictures_are_not_read_while_building(alm_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> bytes:
        raise AssertionError("a picture was read")

    (media,) = media_of(items(alm, alm_data)[0].messages)
    assert media.kind == "image" and media.load() == png()
    monkeypatch.setattr("tvbench.data.sources.tables.MediaCells._read", forbidden)
    (media,) = media_of(items(alm, alm_data)[0].messages)
    with pytest.raises(AssertionError):
        media.load()


def test_alm_missing_picture_is_the_items_problem(tmp_path: Path) -> None:
    rows = [
        {**alm_row("1_1_01_001", "Rock (Optionen: Rock, Hose)"), "file_name": None},
        {**alm_row("1_1_01_002", "Rock (Optionen: Rock, Hose)"), "file_name": "gone.jpg"},
        {**alm_row("1_1_01_003", "Rock (Optionen: Rock, Hose)"), "file_name": "here.png"},
    ]
    write_jsonl(tmp_path / "test.jsonl", rows)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "here.png").write_bytes(png(9))
    nothing, gone, here = items(alm, tmp_path)
    assert nothing.problem and "picture" in nothing.problem
    assert gone.problem and "gone.jpg" in gone.problem
    assert here.problem is None and media_of(here.messages)[0].load() == png(9)
    assert all(item.problem is None and not media_of(item.messages) for item in items(alm, tmp_path, with_media=False))


def test_alm_empty_parquet_cell_fails_when_it_is_read(tmp_path: Path) -> None:
    row = {**alm_row("1_1_01_001", "Rock (Optionen: Rock, Hose)"), "file_name": None}
    write_parquet(tmp_path / "test.parquet", [row, alm_row("2_2_01_001", "a (Options: a, b)")], ("file_name",))
    empty = items(alm, tmp_path)[0]
    with pytest.raises(MediaError):
        media_of(empty.messages)[0].load()


def test_alm_per_language_splits(tmp_path: Path) -> None:
    for name, code in (("German", "1"), ("French", "2")):
        rows = [alm_row(f"{code}_1_01_{n:03}", "a (Options: a, b, c, d)", language=name) for n in range(3)]
        write_parquet(tmp_path / f"{name}-00000-of-00001.parquet", rows, ("file_name",))
    assert Counter(item.language for item in items(alm, tmp_path, split="per-language")) == {"de": 3, "fr": 3}
    asked = items(alm, tmp_path, "paper", settings={"variant": "per-language"}, languages=("fr",), limit=2)
    assert [item.id for item in asked] == ["fr/2_1_01_000", "fr/2_1_01_001"]
    with pytest.raises(UsageError, match="language in .* 'ko'"):
        items(alm, tmp_path, split="per-language", languages=("ko",))
    with pytest.raises(UsageError, match="contradict"):
        items(alm, tmp_path, split="test", settings={"variant": "per-language"})


def test_alm_per_language_needs_splits_of_languages(alm_data: Path) -> None:
    with pytest.raises(UsageError, match="no split named after a language"):
        items(alm, alm_data, split="per-language")


def test_alm_language_outside_of_the_table_is_kept_and_named(tmp_path: Path) -> None:
    write_jsonl(
        tmp_path / "test.jsonl", [alm_row("9_9_01_001", "a (Options: a, b)", language="Old Norse", file_name=None)]
    )
    built = build(alm, tmp_path, with_media=False)
    assert [item.language for item in built.items] == ["old-norse"]
    assert any("Old Norse" in warning for warning in built.warnings)


def test_alm_names_columns_of_other_data(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "test.jsonl", [{"frage": "Was?", "antwort": "Rock"}])
    with pytest.raises(UsageError, match=r"no column ID, Language(.|\n)*columns found: frage, antwort"):
        items(alm, tmp_path)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("Wahr, so ist es.", "Wahr"),
        ("¡Verdadero!", "Verdadero"),
        ("正确，图中是茶。", "正确"),
        ("صحيح، نعم", "صحيح"),
        ("C'est vrai.", "C'est vrai"),
        ("सही।", "सही"),
        ("Das hier ist ein ganzer Satz", ""),
        ("", ""),
    ],
)
def test_first_words(answer: str, words: str) -> None:
    assert first_words(answer) == words


def test_words_for_true_and_false_do_not_depend_on_the_order_of_rows() -> None:
    answers = [
        AnsweredQuestion("de", "Wahr.", "True"),
        AnsweredQuestion("de", "Richtig.", "True"),
        AnsweredQuestion("de", "Falsch", "False"),
        AnsweredQuestion("it", "Vero", "True"),
        AnsweredQuestion("it", "Vero", "False"),
    ]
    assert learn_words(answers) == learn_words(reversed(answers)) == {("de", True): "Richtig", ("de", False): "Falsch"}
