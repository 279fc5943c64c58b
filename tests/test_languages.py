"""The table of languages: complete for the benchmarks, unambiguous, and found by any spelling."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from langcodes import Language as Tag

from tvbench.cli.main import main
from tvbench.errors import UsageError
from tvbench.languages import (
    ENGLISH,
    TABLE,
    Language,
    all_languages,
    chosen_among,
    code_of,
    is_language,
    lacking,
    language,
)
from tvbench.registry.catalog import tasks
from tvbench.runs.answered import languages_called

TOWERVISION = "en de nl es fr pt-PT pt-BR uk hi zh-Hans zh-Hant ru cs ko ja it pl ro nn nb".split()
VIMUL = "Arabic Bengali Chinese English French German Hindi Japanese Russian Sinhala Spanish Swedish Tamil Urdu".split()


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("de", "de"),
        ("DE", "de"),
        ("German", "de"),
        ("deutsch", "de"),
        (" german ", "de"),
        ("pt_br", "pt-BR"),
        ("Brazilian Portuguese", "pt-BR"),
        ("Chinese (Simplified)", "zh-Hans"),
        ("chinese_(traditional)", "zh-Hant"),
        ("zh-TW", "zh-Hant"),
        ("Chinese", "zh"),
        ("Egyptian Arabic", "arz"),
        ("Saudi Arabic", "ar-SA"),
        ("Scots Gaelic", "gd"),
        ("Myanmar (Burmese)", "my"),
        ("Odia (Oriya)", "or"),
        ("Filipino", "tl"),
        ("한국어", "ko"),
        (unicodedata.normalize("NFD", "Čeština"), "cs"),
        ("Norwegian", "no"),
        ("Bokmål", "nb"),
        ("es-latam", "es"),
        ("Emirati Arabic", "ar-AE"),
        ("Persian (Farsi)", "fa"),
        ("Filipino (Tagalog)", "tl"),
        ("deu", "de"),
        ("ger", "de"),
        ("deu_Latn", "de"),
        ("zh-CN", "zh-Hans"),
        ("zh_HK", "zh-Hant"),
        ("zh-Hant-HK", "zh-Hant"),
        ("cmn_Hans", "zh-Hans"),
        ("zho", "zh"),
        ("chi", "zh"),
        ("msa", "ms"),
        ("zsm_Latn", "ms"),
        ("pes", "fa"),
        ("swh", "sw"),
        ("khk_Cyrl", "mn"),
        ("arb_Arab", "ar"),
        ("ar-EG", "arz"),
        ("iw", "he"),
        ("nob_Latn", "nb"),
        ("por_Latn", "pt"),
        ("srp_Cyrl", "sr"),
        ("de-AT", "de"),
        ("se", "se"),
        ("sme", "se"),
        ("yue", "yue"),
        ("oci", "oc"),
        ("ory_Orya", "or"),
        ("Alemán", "de"),
        ("allemand", "de"),
        ("НЕМЕЦКИЙ", "de"),
        ("德语", "de"),
        ("ドイツ語", "de"),
        ("chino tradicional", "zh-Hant"),
        ("Cantonese", "yue"),
    ],
)
def test_found_by_code_name_own_name_and_alias(typed: str, code: str) -> None:
    assert code_of(typed) == code
    assert is_language(typed)


def test_a_language_has_all_its_names() -> None:
    assert language("ja") == Language(
        "ja", "Japanese", "日本語", "Jpan", ("jp", "ja-JP"), "Japonic", "", 118.0, 5, "added"
    )
    assert language(ENGLISH).name == "English"


def test_unknown_language_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean .*German"):
        language("Gernam")
    assert not is_language("Gernam")


@pytest.mark.parametrize(
    "text", ["", " ", "und", "mul", "zxx", "xx", "x-foo", "qaa", "test", "1", "a", "de la", "<b>", "\ud83d"]
)
def test_what_is_no_language_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="unknown language"):
        language(text)
    assert not is_language(text)


@pytest.mark.parametrize("word", ["all", "val", "art", "car", "dog", "dev", "lan", "multi"])
def test_a_word_is_not_taken_for_a_small_language(word: str) -> None:
    assert not is_language(word)


def test_the_code_of_a_country_is_told_from_that_of_a_language() -> None:
    with pytest.raises(UsageError, match="DK is a country's code; Danish is da"):
        language("dk")
    assert language("kr").name == "Kanuri"


def test_every_code_and_alias_that_is_a_tag_means_what_bcp_47_says() -> None:
    """`se` was Swedish here, `MSA` Standard Arabic."""
    slips = {"jp", "ua", "cz", "vn", "zh-chs", "zh-cht", "es-latam"}  # no valid tags, and so nobody else's
    for one in all_languages():
        for text in (one.code, *one.aliases):
            if text in slips or not re.fullmatch(r"[A-Za-z]{2,3}(-\w+)*", text):
                continue
            same = {Tag.get(form).prefer_macrolanguage().language for form in (text, one.code)}
            assert len(same) == 1 or text in {"afb", "ars", "ar-EG", "fil"}, (text, one.code)


def test_every_name_of_a_language_in_every_language_is_found() -> None:
    """And none means two of the table."""
    owners: dict[str, set[str]] = {}
    for one in all_languages():
        for other in all_languages():
            name = Tag.get(one.code).display_name(other.code)
            if name.casefold() in ("cek", "rao", "tay", "tai", "isi-thai"):  # valid tags, and a tag wins over a name
                continue
            owners.setdefault(name, set()).add(code_of(name))
            assert code_of(name) == one.code, name
    assert all(len(codes) == 1 for codes in owners.values()) and len(owners) > 10_000


def test_a_language_beyond_the_table_has_cldrs_facts_and_none_of_ours() -> None:
    found = language("oc")
    assert found[:4] == ("oc", "Occitan", "occitan", "Latn") and found.speakers and found.family == ""
    assert found.resource_class is None and found.towervision == "unseen"
    assert language("mni-Mtei").script == "Mtei"


ARABICS = ("arz", "ar-AE", "ar-SA")
HERE = (*ARABICS, "zh-Hans", "zh-Hant", "pt", "nb", "sr", "yue")


@pytest.mark.parametrize(
    ("name", "codes", "note"),
    [
        ("ar", ARABICS, "ar is Egyptian Arabic (arz), Emirati Arabic (ar-AE) and Saudi Arabic (ar-SA) here"),
        ("Arabic", ARABICS, "Arabic is"),
        ("zh", ("zh-Hans", "zh-Hant", "yue"), "zh is"),
        ("zh-TW", ("zh-Hant",), ""),
        ("no", ("nb",), "no is Norwegian Bokmål (nb) here"),
        ("pt-BR", ("pt",), "Portuguese (Brazil) (pt-BR) is asked as Portuguese (pt) here"),
        ("sr-Latn", ("sr",), "whatever its script"),
        ("sr-Cyrl", ("sr",), ""),
        ("AR-sa", ("ar-SA",), ""),
        ("nn", (), ""),
        ("ary", (), ""),
        ("fr", (), ""),
    ],
)
def test_a_macro_language_means_its_members_that_are_there(name: str, codes: tuple[str, ...], note: str) -> None:
    found = chosen_among(name, HERE)
    assert found.codes == codes
    assert note in found.note and bool(note) == bool(found.note)


def test_a_form_is_the_language_only_where_they_are_close() -> None:
    known = ("ar", "zh", "pt-BR", "no")
    assert [chosen_among(name, known).codes for name in ("zh-Hans", "nb", "pt")] == [("zh",), ("no",), ("pt-BR",)]
    assert not any(chosen_among(name, known).codes for name in ("zh-Hant", "arz", "yue", "pt-PT", "nn"))
    assert chosen_among("ar", ("ar", "arz")) == (("ar",), "")
    assert chosen_among("de", ("deu_Latn",)).codes == ("deu_Latn",)


def test_the_command_that_measures_can_be_pasted_into_a_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "--languages", "Chinese (Traditional)"]) == 0
    assert "--languages 'Chinese (Traditional)'" in " ".join(capsys.readouterr().out.split())


def test_tasks_says_what_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "--languages", "deu,ar,yue", "--format", "json"]) == 0
    found = {task["name"]: task["asked"] for task in json.loads(capsys.readouterr().out)}
    assert found["alm"] == {"deu": ["de"], "ar": ["arz", "ar-AE", "ar-SA"], "yue": []}
    assert found["multi30k"]["deu"] == ["de"] and "m3exam" not in found
    assert main(["tasks", "--languages", "deu,ar,yue"]) == 0
    shown = capsys.readouterr().out
    flat = " ".join(shown.split())
    assert "Cantonese: no task has it" in flat and "--languages deu,ar" in flat


def test_languages_of_towervision_and_vimul_are_there() -> None:
    assert [code_of(code) for code in TOWERVISION] == TOWERVISION
    assert len({code_of(name) for name in VIMUL}) == 14


def test_no_spelling_means_two_languages() -> None:
    owners: dict[str, set[str]] = {}
    for one in all_languages():
        for spelling in (one.code, one.name, one.own_name, *one.aliases):
            owners.setdefault(spelling.casefold(), set()).add(one.code)
            assert code_of(spelling) == one.code, spelling
    assert {spelling: codes for spelling, codes in owners.items() if len(codes) > 1} == {}


def test_table_is_well_formed() -> None:
    assert len(all_languages()) >= 100
    for one in all_languages():
        assert one.name.strip() and one.own_name.strip()
        assert len(one.script) == 4 and one.script.istitle(), one
        assert unicodedata.is_normalized("NFC", one.own_name), one


SCRIPT_NAMES = {
    "Latn": "LATIN",
    "Cyrl": "CYRILLIC",
    "Arab": "ARABIC",
    "Deva": "DEVANAGARI",
    "Beng": "BENGALI",
    "Ethi": "ETHIOPIC",
    "Armn": "ARMENIAN",
    "Hebr": "HEBREW",
    "Grek": "GREEK",
    "Geor": "GEORGIAN",
    "Gujr": "GUJARATI",
    "Knda": "KANNADA",
    "Mlym": "MALAYALAM",
    "Orya": "ORIYA",
    "Guru": "GURMUKHI",
    "Sinh": "SINHALA",
    "Taml": "TAMIL",
    "Telu": "TELUGU",
    "Thai": "THAI",
    "Laoo": "LAO",
    "Khmr": "KHMER",
    "Mymr": "MYANMAR",
    "Hans": "CJK",
    "Hant": "CJK",
    "Jpan": "CJK",
    "Kore": "HANGUL",
}


def test_own_names_are_written_in_their_script() -> None:
    for one in all_languages():
        letters = [unicodedata.name(c) for c in one.own_name if c.isalpha() and unicodedata.category(c) != "Lm"]
        assert letters and all(name.startswith(SCRIPT_NAMES[one.script]) for name in letters), one


# ── Families, speakers, resources, support ────────────────────────────────────────────────────────

INDO_EUROPEAN = {
    "Germanic": "af da de en fy is lb nb nl nn no sv yi",
    "Romance": "ca co es fr gl it pt pt-BR pt-PT ro",
    "Italic": "la",
    "Slavic": "be bg bs cs hr mk pl ru sk sl sr uk",
    "Baltic": "lt lv",
    "Celtic": "cy ga gd",
    "Hellenic": "el",
    "Albanian": "sq",
    "Armenian": "hy",
    "Indo-Aryan": "as bho bn gu hi mr ne or pa sa sd si ur",
    "Iranian": "ckb fa ku ps tg",
}
FAMILIES = {
    "Afro-Asiatic",
    "Atlantic-Congo",
    "Austroasiatic",
    "Austronesian",
    "Basque",
    "Constructed",
    "Creole",
    "Dravidian",
    "Hmong-Mien",
    "Indo-European",
    "Japonic",
    "Kartvelian",
    "Koreanic",
    "Mongolic",
    "Quechuan",
    "Sino-Tibetan",
    "Tai-Kadai",
    "Tupian",
    "Turkic",
    "Uralic",
}
UNCLASSED = {"ar-AE", "ar-SA"}
UNCOUNTED = {"eo", "la", "hmn"}


def test_every_cell_of_the_table_is_filled_or_known_to_be_empty() -> None:
    with open(TABLE, encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        assert all(value == value.strip() for value in row.values()), row
        empty = {name for name, value in row.items() if not value} - {"aliases"}
        assert ("resource_class" in empty, "speakers" in empty) == (row["code"] in UNCLASSED, row["code"] in UNCOUNTED)
        assert empty <= {"resource_class", "speakers"}, row
    assert max(Counter(row["code"] for row in rows).values()) == 1
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)


def test_scripts_and_families_are_known_ones() -> None:
    assert {one.script for one in all_languages()} == set(SCRIPT_NAMES)
    assert {one.family for one in all_languages()} == FAMILIES
    for branch, codes in INDO_EUROPEAN.items():
        found = {one.code for one in all_languages() if (one.family, one.branch) == ("Indo-European", branch)}
        assert found == set(codes.split()), branch
    assert sum(one.family == "Indo-European" for one in all_languages()) == sum(
        len(codes.split()) for codes in INDO_EUROPEAN.values()
    )


def test_every_language_of_every_task_is_there_with_family_script_and_class() -> None:
    used = {code for task in tasks().values() for code in task.languages}
    assert len({*tasks()["alm"].languages}) >= 100
    for code in used:
        one = language(code)
        assert one.code == code and one.family and one.script
        assert one.resource_class in range(6) or code in UNCLASSED


@pytest.mark.parametrize(
    ("resources", "codes"),
    [
        (5, "ar de en es fr ja zh zh-Hans zh-Hant"),
        (4, "ca cs eu fa fi hi hr hu it ko nl pl pt pt-BR pt-PT ru sr sv tr vi"),
        (2, "am ga ha ht is lo mr mt pa sa sw ti xh yo zu"),
        (0, "hmn"),
    ],
)
def test_resource_classes_of_joshi_et_al(resources: int, codes: str) -> None:
    assert {one.code for one in all_languages() if one.resource_class == resources} == set(codes.split())


def test_support_by_towervision() -> None:
    support = {code: language(code).towervision for code in TOWERVISION}
    assert {code for code, said in support.items() if said == "core"} == {
        "en",
        "de",
        "nl",
        "es",
        "fr",
        "pt-PT",
        "pt-BR",
        "zh-Hans",
        "zh-Hant",
        "ru",
        "ko",
        "it",
    }
    assert {code for code, said in support.items() if said == "added"} == set("uk hi cs ja pl ro nn nb".split())
    others = {one.code for one in all_languages() if one.towervision != "unseen"} - set(TOWERVISION)
    assert others == {"pt", "zh", "no"}, "the languages whose locales and forms are meant"


def test_speakers_are_plausible() -> None:
    known = {one.code: one.speakers for one in all_languages() if one.speakers is not None}
    assert all(0 < value < 2000 for value in known.values())
    assert known["en"] > known["zh"] > known["es"] > known["fr"] > known["de"] > known["nl"] > known["cs"] > known["is"]
    assert known["zh-Hans"] + known["zh-Hant"] == pytest.approx(known["zh"], abs=1)


# ── `tvbench languages` ───────────────────────────────────────────────────────────────────────────


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    assert main(["languages", *words]) == code
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_command_lists_all_in_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys)[0].splitlines()
    records = json.loads(said(capsys, "--format", "json")[0])
    rows = list(csv.DictReader(io.StringIO(said(capsys, "--format", "csv")[0])))
    markdown = said(capsys, "--format", "markdown")[0]
    assert len(records) == len(rows) == len(all_languages())
    for one, record, row in zip(all_languages(), records, rows, strict=True):
        assert any(line.split()[:1] == [one.code] and one.family in line for line in lines)
        assert (record["code"], record["resource_class"], record["speakers"]) == (
            one.code,
            one.resource_class,
            one.speakers,
        )
        assert row["resource_class"] == ("" if one.resource_class is None else str(one.resource_class))
        assert f"| {one.code} |" in markdown


def test_command_explains_one_by_any_name(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "Deutsch")[0]
    for piece in ("de: German (Deutsch)", "Indo-European, Germanic", "class 5", "core", "multi30k"):
        assert piece in text
    assert "not classed" in said(capsys, "Emirati Arabic")[0] and "no figure" in said(capsys, "eo")[0]
    assert json.loads(said(capsys, "hi", "--format", "json")[0])["towervision"] == "added"
    assert said(capsys, "hi", "--format", "csv")[0].count("\n") == 2


def test_command_lists_the_languages_of_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(said(capsys, "--task", "multi30k", "--format", "json")[0])
    assert [one["code"] for one in found] == ["de", "fr", "cs"]


@pytest.mark.parametrize(
    ("words", "error"), [(("Gernam",), "Did you mean German"), (("--task", "multi30"), "multi30k")]
)
def test_command_says_what_is_wrong(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], error: str) -> None:
    assert error in said(capsys, *words, code=2)[1]


def test_command_says_that_a_task_takes_any_language(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "free.py").write_text(
        "from tvbench.types import Task\nTASK = Task('free', '1', 'Free', print, {'tvbench': 'asks.'}, 'strict', ())\n"
    )
    assert "free has no list of languages" in said(capsys, "--task", "free", code=2)[1]


@pytest.mark.parametrize(
    ("name", "said"),
    [("ar", "Known: de, ru, zh."), ("zh-TW", "Did you mean zh?"), ("dee", "Did you mean de?"), ("Arabic", "Known: de")],
)
def test_of_a_language_that_is_lacking_no_other_one_is_suggested(name: str, said: str) -> None:
    """`ar` is spelt like `ru`, and Arabic is not Russian."""
    assert said in str(lacking("language here", name, ["de", "ru", "zh"]))


@pytest.mark.parametrize("words", ["tasks --languages all", "tasks --languages de,ALL", "languages all"])
def test_all_is_not_the_language_allar(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    said = capsys.readouterr()
    assert "leave --languages out" in said.err and "Allar" not in said.out + said.err


def test_all_is_refused_wherever_languages_are_chosen() -> None:
    for known in (("de", "hi"), ("de", "fr", "ja")):
        with pytest.raises(UsageError, match="leave --languages out"):
            chosen_among("all", known)
        with pytest.raises(UsageError, match="leave --languages out"):
            languages_called(["all"], known)
    assert language("Allar").code == "all" and chosen_among("all", ("all", "de")).codes == ("all",)
