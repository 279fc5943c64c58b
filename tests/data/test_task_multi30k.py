"""Multi30K built from the hub's layout and from raw files: prompts, pictures, splits, and files that do not fit."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest
from task_data import DATA, build, items, png, prompt, write_parquet

from tasks import multi30k
from tvbench.errors import UsageError
from tvbench.runs.keys import media_of
from tvbench.types import Translation

CAPTIONS = {
    "en": ["A dog runs.", "A cat sleeps."],
    "de": ["Ein Hund rennt.", "Eine Katze schläft."],
    "fr": ["Un chien court.", "Un chat dort\u00a0."],
    "cs": ["Pes běží.", "Kočka spí."],
}


def write_raw(folder: Path, split: str, texts: dict[str, list[str]], pictures: list[str] | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for code, lines in texts.items():
        (folder / f"{split}.{code}.gz").write_bytes(gzip.compress("".join(f"{x}\n" for x in lines).encode()))
    if pictures is not None:
        (folder / f"{split}.txt").write_text("".join(f"{name}\n" for name in pictures), encoding="utf-8")


@pytest.fixture
def multi30k_hub(tmp_path: Path) -> Path:
    rows = [
        {"image": {"bytes": png(n), "path": None}, **{code: CAPTIONS[code][n] for code in CAPTIONS}} for n in range(2)
    ]
    write_parquet(tmp_path / "data" / "test-00000-of-00001.parquet", rows, ("image",))
    return tmp_path


def test_multi30k_from_the_hub_layout(multi30k_hub: Path) -> None:
    found = items(multi30k, multi30k_hub, "paper")
    assert [item.id for item in found] == ["de/0", "de/1", "fr/0", "fr/1", "cs/0", "cs/1"]
    assert prompt(found[4]) == "Translate the following source text from English to Czech:\nA dog runs."
    assert found[0].target == Translation("A dog runs.", ("Ein Hund rennt.",))
    assert found[3].target == Translation("A cat sleeps.", ("Un chat dort\u00a0.",))
    assert media_of(found[1].messages)[0].load() == png(1)
    assert found[0].cluster == found[2].cluster != found[1].cluster
    assert found[0].sampling.max_new_tokens == 128


def test_multi30k_text_only_asks_the_same_words(multi30k_hub: Path) -> None:
    for protocol in multi30k.TASK.protocols:
        with_picture, without = (items(multi30k, multi30k_hub, protocol, with_media=flag) for flag in (True, False))
        assert [prompt(item) for item in with_picture] == [prompt(item) for item in without]
        assert all(len(media_of(item.messages)) == 1 for item in with_picture)
        assert not any(media_of(item.messages) for item in without)


def test_multi30k_raw_files_equal_the_hub(multi30k_hub: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    write_raw(raw, "test_2016_flickr", CAPTIONS)
    hub = items(multi30k, multi30k_hub, with_media=False)
    assert items(multi30k, raw, with_media=False) == hub
    plain = tmp_path / "plain"
    write_raw(plain, "test_2016_flickr", CAPTIONS)
    for path in list(plain.glob("*.gz")):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert items(multi30k, plain, with_media=False) == hub
    assert build(multi30k, plain, with_media=False).dataset == build(multi30k, raw, with_media=False).dataset


def test_multi30k_raw_pictures(tmp_path: Path) -> None:
    write_raw(
        tmp_path,
        "test_2017_mscoco",
        {code: CAPTIONS[code] for code in ("en", "de", "fr")},
        ["COCO_1.jpg#77", "COCO_2.jpg#78"],
    )
    with pytest.raises(UsageError, match=r"no pictures of test_2017_mscoco \(COCO_1.jpg(.|\n)*images(.|\n)*--no-image"):
        items(multi30k, tmp_path, split="mscoco")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "COCO_1.jpg").write_bytes(png(5))
    here, gone = items(multi30k, tmp_path, split="mscoco", languages=("de",))
    assert media_of(here.messages)[0].load() == png(5)
    assert gone.problem and "COCO_2.jpg" in gone.problem


def test_multi30k_without_a_list_of_pictures_says_what_to_do(tmp_path: Path) -> None:
    write_raw(tmp_path, "test_2016_flickr", CAPTIONS)
    with pytest.raises(UsageError, match=r"test_2016_flickr.txt(.|\n)*--no-image"):
        items(multi30k, tmp_path)


@pytest.mark.parametrize(
    ("alias", "split"),
    [
        ("2016", "test_2016_flickr"),
        ("test", "test_2016_flickr"),
        ("2018", "test_2018_flickr"),
        ("2017_mscoco", "test_2017_mscoco"),
        ("test_2017_flickr", "test_2017_flickr"),
    ],
)
def test_multi30k_split_aliases(tmp_path: Path, alias: str, split: str) -> None:
    write_raw(tmp_path, split, CAPTIONS)
    found = items(multi30k, tmp_path, split=alias, languages=("de",), with_media=False)
    assert {item.tags["split"] for item in found} == {split}


def test_multi30k_czech_is_missing_in_2017(tmp_path: Path) -> None:
    write_raw(tmp_path, "test_2017_flickr", CAPTIONS)
    with pytest.raises(UsageError, match=r"no Czech for test_2017_flickr(.|\n)*test_2016_flickr, test_2018_flickr"):
        items(multi30k, tmp_path, split="2017", languages=("cs",), with_media=False)
    assert {item.language for item in items(multi30k, tmp_path, split="2017", with_media=False)} == {"de", "fr"}


def test_multi30k_unequal_files_are_an_error(tmp_path: Path) -> None:
    write_raw(tmp_path, "test_2016_flickr", {**CAPTIONS, "fr": CAPTIONS["fr"][:1]})
    with pytest.raises(UsageError, match=r"test_2016_flickr.fr has 1 lines, but test_2016_flickr.en has 2"):
        items(multi30k, tmp_path, with_media=False)
    assert len(items(multi30k, tmp_path, languages=("de",), with_media=False)) == 2


def test_multi30k_line_separators_inside_a_sentence_do_not_cut_it(tmp_path: Path) -> None:
    write_raw(tmp_path, "test_2016_flickr", {**CAPTIONS, "de": ["Ein\u2028Hund\x0crennt.", "Eine Katze."]})
    first = items(multi30k, tmp_path, languages=("de",), with_media=False)[0]
    assert first.target == Translation("A dog runs.", ("Ein\u2028Hund\x0crennt.",))


def test_multi30k_errors_name_what_is_missing(multi30k_hub: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no test_2018_flickr(.|\n)*--data DIR"):
        items(multi30k, multi30k_hub, split="2018")
    with pytest.raises(UsageError, match="language of multi30k 'es'"):
        items(multi30k, multi30k_hub, languages=("es",))
    raw = tmp_path / "raw"
    write_raw(raw, "test_2016_flickr", {"en": CAPTIONS["en"]})
    with pytest.raises(UsageError, match="neither test_2016_flickr.de nor"):
        items(multi30k, raw, with_media=False)
    with pytest.raises(UsageError, match="here are: test_2016_flickr"):
        items(multi30k, raw, split="2018", with_media=False)


def test_multi30k_empty_sentence_is_a_problem(tmp_path: Path) -> None:
    write_raw(tmp_path, "test_2016_flickr", {**CAPTIONS, "cs": ["Pes.", " "]})
    good, empty = items(multi30k, tmp_path, languages=("cs",), with_media=False)
    assert good.problem is None and empty.problem == "sentence 2 of test_2016_flickr is empty in cs"


@pytest.mark.skipif(not (DATA / "multi30k").is_dir(), reason="the official Multi30K files are not here")
@pytest.mark.parametrize(
    ("split", "sizes"),
    [
        ("2016", {"de": 1000, "fr": 1000, "cs": 1000}),
        ("2017", {"de": 1000, "fr": 1000}),
        ("2018", {"de": 1071, "fr": 1071, "cs": 1071}),
        ("mscoco", {"de": 461, "fr": 461}),
    ],
)
def test_multi30k_official_files(split: str, sizes: dict[str, int]) -> None:
    found = items(multi30k, DATA / "multi30k", split=split, with_media=False)
    assert Counter(item.language for item in found) == sizes
    assert not any(item.problem for item in found)
