"""Faults planted into items at known rates: garbled texts, give-aways, lists of options. Clean items have none."""

from __future__ import annotations

import gzip
import html
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tvbench.analysis.audit import LanguageAudit, audit
from tvbench.analysis.give_aways import at_least
from tvbench.analysis.mojibake import CODE_PAGES, garbled
from tvbench.report.audit import audit_records, audit_tables
from tvbench.types import Choice, Item, Message, Translation

MULTI30K = Path(__file__).parents[2] / "../shared/data/multi30k"

CLEAN = {
    "de": "Wie heißt das größte Gebäude hier?", "fr": "Où est l'élève à côté du garçon ?", "pt": "Não há razão à mão",
    "es": "¿Qué animal está aquí?", "it": "Perché è così?", "vi": "Con chó đang chạy trên bãi cỏ xanh",
    "cs": "Příliš žluťoučký kůň úpěl", "pl": "Zażółć gęślą jaźń", "hu": "Árvíztűrő tükörfúrógép",
    "ro": "Ce mănâncă băiatul în față?", "tr": "Hangi renk şapka giyiyor, ağ mı?", "az": "Bu şəkildə nə var?",
    "lt": "Kokios spalvos ąžuolas?", "is": "Hvaða litur þú?", "yo": "Àwọ̀ wo ni ọkọ̀?", "ca": "De quin color és això?",
    "ru": "Какого цвета машина?", "uk": "Який колір має їжак?", "bg": "Какъв е цветът?", "sr": "Које је боје џемпер?",
    "kk": "Бұл қандай түс?", "el": "Τι χρώμα είναι το σπίτι;", "he": "מה הצבע של הבית?", "ar": "ما لون السيارة؟",
    "fa": "رنگ ماشین چیست؟", "ur": "گاڑی کا رنگ کیا ہے؟", "hi": "कार का रंग क्या है?", "bn": "গাড়ির রঙ কী?",
    "ta": "காரின் நிறம் என்ன?", "te": "కారు రంగు ఏమిటి?", "ml": "കാറിന്റെ നിറം", "kn": "ಕಾರಿನ ಬಣ್ಣ", "gu": "કારનો રંગ",
    "pa": "ਕਾਰ ਦਾ ਰੰਗ", "si": "මෝටර් රථයේ වර්ණය", "th": "รถสีอะไร", "lo": "ລົດສີຫຍັງ", "km": "ឡានពណ៌អ្វី", "my": "ကားအရောင်",
    "ka": "რა ფერისაა მანქანა?", "hy": "Ինչ գույն է մեքենան", "am": "መኪናው ምን ዓይነት ቀለም", "zh": "汽车是什么颜色？",
    "ja": "車は何色ですか？", "ko": "차는 무슨 색입니까?",
}  # fmt: skip


def misread(text: str, page: str) -> str:
    """UTF-8 read as another code page, as browsers read it."""
    return "".join(
        chr(byte) if byte < 128 else bytes([byte]).decode(page, "ignore") or chr(byte) for byte in text.encode()
    )


# ── Texts ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", CLEAN)
def test_clean_texts_are_not_garbled_however_they_are_quoted(language: str) -> None:
    text = CLEAN[language]
    for clean in (text, text.upper(), text.lower(), f"«{text.upper()}»… “{text}” — ‘{text.upper()}’", f"„{text}“™ 25°"):
        assert garbled(clean, language) == "", clean


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("CAFÉ” und „Spaß“… GROß»", "fr"), ("NESTLÉ® ÉTÉ’S", "fr"), ("IRMÃ… MAÇÃ”", "pt"), ("ЕЁ ВСЁ Её Ні", "ru"),
        ("$2√π + 3√π$", "en"), (r"$\neq \nabla$ \times", "en"), ("무엇입니까???", "ko"), ("R&D; AT&T", "en"),
        ("https://a.b/?q=%E0%A4%95", "hi"), ("so what?? really?", "en"), ("2 m³, 3 °C, ½", "de"), ("50% 20% 30%", "en"),
        ("Â", "vi"), ("« Â »", "fr"), ("UMA CRIANÇÃ", "pt"), ("عکعک", "fa"),
    ],
)  # fmt: skip
def test_what_looks_like_it_and_is_not(text: str, language: str) -> None:
    assert garbled(text, language) == ""


@pytest.mark.parametrize("page", ["latin-1", *CODE_PAGES])
def test_utf8_in_another_code_page(page: str) -> None:
    missed = {code: misread(text, page) for code, text in CLEAN.items() if not garbled(misread(text, page), code)}
    assert len(missed) <= 0.1 * len(CLEAN), missed


def test_twice_and_in_one_word_only() -> None:
    for code, text in CLEAN.items():
        assert garbled(misread(misread(text, "cp1252"), "cp1252"), code), code
    words = [(code, word) for code, text in CLEAN.items() for word in text.split() if sum(c > "\x7f" for c in word) > 1]
    missed = [word for code, word in words if not garbled(f"Plain: {misread(word, 'cp1252')} (1)", code)]
    assert len(words) > 50 and len(missed) <= 0.05 * len(words), missed


@pytest.mark.parametrize("code", [code for code, text in CLEAN.items() if sum(c > "\x7f" for c in text) > 2])
def test_lost_characters_and_escapes(code: str) -> None:
    text = CLEAN[code]
    for broken in (
        text.encode()[:-1].decode("utf-8", "replace") + "\ufffd",
        html.escape(text.encode("ascii", "xmlcharrefreplace").decode()),
        json.dumps(text)[1:-1],
        f"{text}\\n{text}",
        f"{text} &amp; &#39;",
    ):
        assert garbled(broken, code), broken


@pytest.mark.parametrize("code", ["ru", "el", "he", "ar", "hi", "th", "zh", "ja", "ko", "am"])
def test_question_marks_for_letters(code: str) -> None:
    assert garbled(CLEAN[code].encode("ascii", "replace").decode(), code)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Ïðèâåò", "ru"),
        ("лБЛПЗП ГЧЕФБ НБЫЙОБ ОБ ЖПФПЗТБЖЙЙ?", "ru"), ("¾È³çÇÏ¼¼¿ä", "ko"), ("ÄãºÃÊÀ½ç", "zh"), ("f?r M?nchen", "de"),
        ("m³odzie¿", "pl"), ("â€œyesâ€", "en"), ("voilÃ  le", "fr"), ("25Â°C", "en"),
    ],
)  # fmt: skip
def test_other_damage(text: str, code: str) -> None:
    assert garbled(text, code)


def test_no_false_alarm_on_captions() -> None:
    if not MULTI30K.is_dir():
        pytest.skip("the captions of Multi30K are not here")
    lines = 0
    for path in sorted(MULTI30K.glob("*.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as captions:
            for line in captions:
                lines += 1
                assert garbled(line.rstrip("\n"), path.suffixes[-2][1:]) == "", line
    assert lines > 10_000


# ── Items ─────────────────────────────────────────────────────────────────────────────────────────

SYLLABLES = {
    "en": "ba co di fu ga he ji lo ma ne po ri su ta ve wo", "ru": "ба ко ди фу га хе жи ло ма не по ри су та ве зо",
    "ko": "가 나 다 라 마 바 사 아 자 차 카 타 파 하 고 노 도 로 모 보 소 오", "ar": "با كو دي فو جا هي لو ما ني بو",
    "zh": "天地人日月山水火木土金石田禾米竹花草鸟鱼马牛羊犬虫贝車門雨雪風雲電池河海江湖波浪石岩沙泥",
    "th": " ".join(one + vowel for one in "กขคงจชซดตถทนบปผพ" for vowel in "าีู"),
}  # fmt: skip


def named(rng: random.Random, code: str) -> str:
    """A word that is in no other text, nearly."""
    parts = SYLLABLES[code].split() if " " in SYLLABLES[code] else list(SYLLABLES[code])
    return "".join(rng.choices(parts, k=4))


def question(rng: random.Random, code: str, number: int, more: str = "") -> Item:
    gap = "" if code in ("zh", "th") else " "
    options = tuple(named(rng, code) + gap + named(rng, code) for _ in range(4))
    gold = rng.randrange(4)
    asked = gap.join(
        [named(rng, code), {"given": options[gold].split(" ")[0], "": ""}.get(more, more), named(rng, code)]
    )
    if more == "given" and not gap:
        asked = named(rng, code) + options[gold][: len(options[gold]) // 2] + named(rng, code)
    target = Choice(options, gold, options[gold], options)
    text = f"{asked}?\n" + "\n".join(options)
    return Item(f"{code}/{number}", "t", code, (Message("user", (text,)),), target, cluster=f"{code}{number}")


def language(items: list[Item]) -> LanguageAudit:
    (found,) = audit("t", "p", "d", [(item.id, item) for item in items]).languages
    return found


@pytest.mark.parametrize("code", SYLLABLES)
def test_partial_give_aways_are_found(code: str) -> None:
    rng = random.Random(f"give {code}")
    planted = {number for number in range(300) if number % 10 == 0}
    items = [question(rng, code, number, "given" if number in planted else "") for number in range(300)]
    found = language(items)
    seen = {int(one.item.split("/")[1]) for one in found.findings if one.kind == "partial_leak"}
    assert len(seen & planted) >= 0.9 * len(planted)
    assert len(seen - planted) <= 0.01 * 270
    assert found.give_aways.found == len(seen) and found.give_aways.p < 1e-6


def test_bacon() -> None:
    options = ("Bacon and eggs", "Pancakes", "Rice and beans", "A salad")
    text = "What does the dish that primarily features bacon consist of?\n" + "\n".join(options)
    item = Item("en/1", "t", "en", (Message("user", (text,)),), Choice(options, 0, options[0], options))
    (finding,) = language([item]).findings
    assert finding.kind == "partial_leak" and "bacon" in finding.detail
    other = replace(item, target=Choice(options, 1, "Pancakes", options))
    found = language([other])
    assert not found.findings and found.give_aways.expected == pytest.approx(1 / 3)


def test_as_many_as_chance_gives_are_no_excess() -> None:
    rng = random.Random("chance")
    items = []
    for number in range(800):
        item = question(rng, "en", number)
        assert isinstance(item.target, Choice)
        held = rng.choice(item.target.options).split()[0]
        text = f"Is it {held}?\n" + "\n".join(item.target.options)
        items.append(replace(item, messages=(Message("user", (text,)),)))
    given = language(items).give_aways
    assert 150 < given.found < 250 and abs(given.excess) < 40 and given.p > 0.001


def test_probability_of_so_many() -> None:
    assert at_least(0, [0.25] * 4) == pytest.approx(1)
    assert at_least(2, [0.5, 0.5]) == pytest.approx(0.25)
    assert at_least(1, [0.25, 0.5]) == pytest.approx(1 - 0.75 * 0.5)


# ── Lists of options ──────────────────────────────────────────────────────────────────────────────


def with_options(item: Item, options: tuple[str, ...], shown: tuple[str, ...] | None = None) -> Item:
    target = Choice(options, 0, options[0], options if shown is None else shown)
    text = "what?\n" + "\n".join(target.shown)
    return replace(item, messages=(Message("user", (text,)),), target=target)


def options_of(item: Item) -> tuple[str, ...]:
    assert isinstance(item.target, Choice)
    return item.target.options


def planted_lists(items: list[Item]) -> Iterator[tuple[str, int, Item]]:
    for number, item in enumerate(items[:30]):
        one, two, three, four = options_of(item)
        match number % 6:
            case 0:
                yield "option_count", number, with_options(item, (one, two, three))
            case 1:
                yield "option_count", number, with_options(item, (one, two, three, four, "five"))
            case 2:
                yield "empty_option", number, with_options(item, (one, two, " ", four))
            case 3:
                yield "unsplit", number, with_options(item, (one, f"{two} / {three}", four))
            case 4:
                yield "unsplit", number, with_options(item, (one, f"{two} B) {three} C) {four}"))
            case _:
                yield "shown_count", number, with_options(item, options_of(item), (one, two, three, *four.split()))


@pytest.mark.parametrize("code", ["en", "ru", "ko", "ar"])
def test_lists_of_options(code: str) -> None:
    rng = random.Random(f"lists {code}")
    items = [question(rng, code, number) for number in range(300)]
    clean = language(items)
    assert not [one for one in clean.findings if one.kind != "partial_leak"]
    faults = list(planted_lists(items))
    for _, number, item in faults:
        items[number] = item
    found = {(one.kind, one.item) for one in language(items).findings}
    assert all((kind, item.id) in found for kind, _, item in faults)
    hurt = {item.id for _, _, item in faults}
    assert all(name in hurt for kind, name in found if kind not in ("partial_leak",))


def test_one_question_with_fewer_options_in_one_language() -> None:
    rng = random.Random(5)
    items = [
        replace(question(rng, code, number), cluster=f"p{number}") for code in ("en", "ru", "ko") for number in range(3)
    ]
    items[4] = with_options(items[4], options_of(items[4])[:3])
    found = audit("t", "p", "d", [(item.id, item) for item in items])
    seen = [(one.kind, one.item, one.detail) for part in found.languages for one in part.findings]
    assert [(kind, name) for kind, name, _ in seen] == [("option_count", "ru/1")]
    assert "4 in 2 of 2 other languages" in seen[0][2]


@pytest.mark.parametrize(("letters", "wrong"), [("ABCD", False), ("ABDC", True), ("BCDE", True), ("AABC", True)])
def test_letters_out_of_order(letters: str, wrong: bool) -> None:
    item = question(random.Random(1), "en", 1)
    lines = [f"{letter}. {option}" for letter, option in zip(letters, options_of(item), strict=True)]
    asked = replace(item, messages=(Message("user", ("what?\n" + "\n".join(lines),)),))
    assert isinstance(item.target, Choice)
    asked = replace(asked, target=replace(item.target, letters=True))
    assert [one.kind for one in language([asked]).findings] == ["letters"] * wrong


@pytest.mark.parametrize(
    "options",
    [
        ("①②", "①③", "②③", "③④"), ("(1) and (2)", "(2) and (3)", "(3)", "all"), ("A / C", "B / D", "C / D", "D / E"),
        ("Vitamin B. And more", "Vitamin C", "none", "all"), ("1, 2", "2, 3", "3, 4", "4, 5"),
    ],
)  # fmt: skip
def test_options_with_marks_in_them_are_whole(options: tuple[str, ...]) -> None:
    items = [with_options(question(random.Random(n), "en", n), options) for n in range(1)]
    assert not [one for one in language(items).findings if one.kind in ("unsplit", "option_count")]


# ── What is said ──────────────────────────────────────────────────────────────────────────────────


def test_a_garbled_reference_is_told_and_said_what_it_means() -> None:
    text = CLEAN["de"]
    items = [
        Item(f"de/{n}", "t", "de", (Message("user", (f"A house {n}.",)),), Translation(f"A house {n}.", (reference,)))
        for n, reference in enumerate((text, misread(text, "cp1252")))
    ]
    found = audit("t", "p", "d", [(item.id, item) for item in items])
    (finding,) = found.languages[0].findings
    assert (finding.kind, finding.item) == ("garbled", "de/1") and "reference" in finding.detail
    tables = audit_tables([found], 5)
    assert any("a loss there may be the text's" in note for note in tables[0].notes)
    (record,) = audit_records([found])
    (part,) = record["languages"]
    assert part["counts"]["garbled"] == 1
    assert part["give_aways"] == {"items": 0, "found": 0, "expected": 0.0, "p": 1.0, "excess": 0.0}
