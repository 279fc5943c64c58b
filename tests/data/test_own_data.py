"""Benchmarks without Python: which layouts are read, what columns mean, and what is said where it is not clear."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from own_folders import asked, delimited, in_base64, made, pictures, shown, write_csv, write_jsonl, write_parquet

from tvbench.errors import MediaError, UsageError
from tvbench.runs.keys import media_of
from tvbench.types import Choice, Open, Short, Translation

COLOURS = [
    {"file_name": "0.png", "question": "Welche Farbe?", "options": ["rot", "blau"], "answer": "rot", "language": "de"},
    {"file_name": "1.png", "question": "Quelle couleur ?", "options": ["bleu", "rouge"], "answer": "rouge",
     "language": "fr"},
]  # fmt: skip


def folder(place: Path, rows: list[dict[str, Any]] = COLOURS, **more: Any) -> Path:
    pictures(place, *(f"{number}.png" for number in range(4)))
    return write_csv(place, rows, **more)


def table(place: Path, text: str, name: str = "metadata.csv") -> Path:
    pictures(place, "0.png", "1.png", "2.png")
    (place / name).write_text(text, encoding="utf-8")
    return place


def texts(path: Path, **options: Any) -> list[str]:
    """The words of each prompt, pictures as their names."""
    return [
        "|".join(part if isinstance(part, str) else f"[{part.name}]" for one in item.messages for part in one.parts)
        for item in asked(path, **options).items
    ]


# ── The same data, however they are written ───────────────────────────────────────────────────────

WORD = st.text(
    st.sampled_from("abcxyz äöüßéñ我你好مرحبанеткя'\"-.:!؟?\n"), min_size=1, max_size=12
).map(str.strip).filter(lambda word: bool(word) and any(letter.isalpha() for letter in word))  # fmt: skip
QUESTION = st.lists(WORD, min_size=1, max_size=4).map(" ".join)
ROW = st.fixed_dictionaries(
    {
        "question": QUESTION,
        "options": st.lists(WORD, min_size=2, max_size=5, unique_by=lambda word: word.casefold().strip(" .:!?'\"-؟")),
        "right": st.integers(0, 4),
        "language": st.sampled_from(["de", "German", "hi", "ar", "pt-BR", "zh"]),
        "category": st.sampled_from(["", "art", "Tiere & Pflanzen"]),
        "hint": st.sampled_from(["", "Look closely.", "Zwei\nZeilen"]),
    }
)


@examples(20)
@given(rows=st.lists(ROW, min_size=1, max_size=5))
def test_the_same_rows_in_every_form_are_the_same_items(
    rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("forms")
    made_rows = [
        {
            "index": number,
            "image": f"pics/{number}.png",
            "question": row["question"],
            "hint": row["hint"],
            "answer": "ABCDE"[row["right"] % len(row["options"])],
            "language": row["language"],
            "category": row["category"],
            "options": row["options"],
        }
        for number, row in enumerate(rows)
    ]
    lettered = [
        {key: value for key, value in row.items() if key != "options"}
        | dict(zip("ABCDE", row["options"], strict=False))
        for row in made_rows
    ]
    forms = {"csv": write_csv(place / "csv", made_rows), "tsv": write_csv(place / "tsv", lettered, "metadata.tsv")}
    forms |= {"jsonl": write_jsonl(place / "jsonl", made_rows), "parquet": write_parquet(place / "parquet", made_rows)}
    for form in forms.values():
        pictures(form, *(f"pics/{number}.png" for number in range(len(rows))))
    coded = [row | {"image": in_base64(forms["csv"] / row["image"])} for row in lettered]
    (place / "kit.tsv").write_text(delimited(coded, "\t"), encoding="utf-8")
    (place / "kit16.tsv").write_text(delimited(coded, "\t"), encoding="utf-16")
    forms |= {"VLMEvalKit": place / "kit.tsv", "VLMEvalKit in UTF-16": place / "kit16.tsv"}
    first = shown(asked(forms["csv"]).items)
    assert all(isinstance(item[3], Choice) and item[4] is None for item in first)
    for name, form in forms.items():
        assert [entry[1:] for entry in shown(asked(form).items)] == [entry[1:] for entry in first], name
        assert [entry[0] for entry in shown(asked(form).items)] == [entry[0] for entry in first], name


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_letters_and_separators_are_told(tmp_path: Path, encoding: str, delimiter: str) -> None:
    rows = [{"file_name": "0.png", "question": 'Größe, "Farbe"; Zahl?\nUnd dann: é', "answer": "grün", "lang": "de"}]
    pictures(tmp_path, "0.png")
    (tmp_path / "metadata.csv").write_bytes(delimited(rows, delimiter).replace("\n", "\r\n").encode(encoding))
    found = asked(tmp_path)
    assert [item.problem for item in found.items] == [None]
    assert 'Größe, "Farbe"; Zahl?' in texts(tmp_path)[0] and "Und dann: é" in texts(tmp_path)[0]
    assert any("Windows" in said for said in found.warnings) == (encoding == "cp1252")


# ── Layouts ───────────────────────────────────────────────────────────────────────────────────────


def test_folders_of_hugging_face(tmp_path: Path) -> None:
    for split in ("train", "test"):
        folder(tmp_path / split)
    assert made(tmp_path).splits == ("test", "train")
    assert texts(tmp_path)[0].startswith("[test/0.png]")
    for name in ("train", "training"):
        assert texts(tmp_path, split=name)[0].startswith("[train/0.png]")


def test_paths_are_from_the_table_first_and_then_from_the_top(tmp_path: Path) -> None:
    pictures(tmp_path, "0.png", "part/0.png", "images/1.png")
    row = COLOURS[0]
    write_csv(tmp_path / "part", [row, row | {"file_name": "1.png"}, row | {"file_name": "part\\0.png"}])
    assert [text.partition("]")[0] for text in texts(tmp_path)] == ["[part/0.png", "[images/1.png", "[part/0.png"]


def test_several_columns_of_files(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png", "c.png")
    row = {"left_file_name": "a.png", "right_file_name": "b.png", "question": "Same?", "answer": "no", "lang": "en"}
    write_csv(tmp_path / "one", [row])
    pictures(tmp_path / "one", "a.png", "b.png")
    assert texts(tmp_path / "one")[0].startswith("[a.png]|[b.png]|Same?")
    write_jsonl(
        tmp_path / "two", [{"file_names": ["a.png", "b.png"], "question": "Same?", "answer": "no", "lang": "en"}]
    )
    pictures(tmp_path / "two", "a.png", "b.png")
    assert texts(tmp_path / "two")[0].startswith("[a.png]|[b.png]|Same?")
    write_csv(tmp_path, [{"image_2": "b.png", "image_10": "c.png", "image_1": "a.png", "question": "?", "answer": "x"}],
              name="x.csv")  # fmt: skip
    assert texts(tmp_path / "x.csv")[0].startswith("[a.png]|[b.png]|[c.png]|?")


@pytest.mark.parametrize(
    "cell", ['["a.png", "b.png"]', "['a.png', 'b.png']", "a.png;b.png", "a.png | b.png", "a.png, b.png"]
)
def test_several_files_in_one_cell(tmp_path: Path, cell: str) -> None:
    pictures(tmp_path, "a.png", "b.png")
    write_csv(tmp_path, [{"image": cell, "question": "Same?", "answer": "no"}])
    assert texts(tmp_path)[0].startswith("[a.png]|[b.png]|Same?")


def test_places_for_pictures_in_the_text(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    rows = [
        {"image": "['a.png','b.png']", "question": "First <image>, then <image>.", "answer": "x", "id": 1},
        {"image": "['a.png','b.png']", "question": "Of <image 2> and <image 1>, <image 2>?", "answer": "x", "id": 2},
        {"image": "['a.png','b.png']", "question": "Only <image_2> here", "answer": "x", "id": 3},
        {"image": "a.png", "question": "Where is <image 2>?", "answer": "x", "id": 4},
    ]
    write_csv(tmp_path, rows)
    said = "\nAnswer with a single word, number or phrase."
    assert texts(tmp_path)[:3] == [
        f"First |[a.png]|, then |[b.png]|.{said}",
        f"Of |[b.png]| and |[a.png]|, |?{said}",
        f"[a.png]|Only |[b.png]| here{said}",
    ]
    assert "has a place <image 2>" in (asked(tmp_path).items[3].problem or "")


def test_one_table_a_language(tmp_path: Path) -> None:
    rows = [{"file_name": "0.png", "question": "?", "answer": "x"}]
    for code in ("de", "pt-BR", "Hindi"):
        folder(tmp_path, rows, name=f"metadata.{code}.csv")
    assert set(made(tmp_path).languages) == {"de", "pt-BR", "hi"}
    assert [item.language for item in asked(tmp_path, languages=("hi",)).items] == ["hi"]
    for code in ("de", "fr"):
        folder(tmp_path / "folders" / code, rows)
    assert set(made(tmp_path / "folders").languages) == {"de", "fr"}


def test_folders_as_labels(tmp_path: Path) -> None:
    pictures(tmp_path, "cat/1.png", "cat/2.png", "golden_retriever/1.png", "owl/x.png")
    items = asked(tmp_path).items
    assert [item.target.options[item.target.gold or 0] for item in items if isinstance(item.target, Choice)] == [
        "cat", "cat", "golden retriever", "owl",
    ]  # fmt: skip
    assert len({item.id for item in items}) == 4
    pictures(tmp_path / "split", "test/a/1.png", "test/b/1.png", "train/a/2.png", "train/b/2.png")
    assert made(tmp_path / "split").splits == ("test", "train")
    assert len(asked(tmp_path / "split").items) == 2


@pytest.mark.parametrize(
    "names", [("1.png", "2.png"), ("cat/1.png",), ("cat/1.png", "2.png"), ("a/cat/1.png", "dog/2.png")]
)
def test_pictures_without_labels_and_tables(tmp_path: Path, names: tuple[str, ...]) -> None:
    pictures(tmp_path, *names)
    with pytest.raises(UsageError, match=r"no table that says(.|\n)*metadata\.csv"):
        made(tmp_path)


def test_tables_that_are_not_called_metadata(tmp_path: Path) -> None:
    assert len(asked(folder(tmp_path / "alone", name="questions.csv")).items) == 2
    folder(tmp_path / "two", name="questions.csv")
    folder(tmp_path / "two", name="answers.csv")
    with pytest.raises(UsageError, match="several tables"):
        made(tmp_path / "two")
    folder(tmp_path / "splits", name="test.csv")
    folder(tmp_path / "splits", name="train.csv")
    assert made(tmp_path / "splits").splits == ("test", "train")
    folder(tmp_path / "twice")
    write_jsonl(tmp_path / "twice", COLOURS)
    with pytest.raises(UsageError, match="two forms"):
        made(tmp_path / "twice")


def test_parquet_with_pictures_in_it(tmp_path: Path) -> None:
    folder(tmp_path)
    bytes_of = (tmp_path / "0.png").read_bytes()
    rows = [{"image": {"bytes": bytes_of, "path": None}, "question": "?", "answer": "x", "lang": "de"}]
    write_parquet(tmp_path / "embedded", rows, "test-00000-of-00001.parquet")
    assert made(tmp_path / "embedded").splits == ("test",)
    assert media_of(asked(tmp_path / "embedded").items[0].messages)[0].load() == bytes_of
    write_parquet(tmp_path / "lists", [rows[0] | {"image": [rows[0]["image"]] * 2}])
    assert [one.load() for one in media_of(asked(tmp_path / "lists").items[0].messages)] == [bytes_of] * 2


# ── VLMEvalKit ────────────────────────────────────────────────────────────────────────────────────


def kit(place: Path, rows: list[dict[str, Any]]) -> Path:
    (place / "kit.tsv").write_text(delimited(rows, "\t"), encoding="utf-8")
    return place / "kit.tsv"


def test_pictures_of_other_rows_and_lists_of_them(tmp_path: Path) -> None:
    pictures(tmp_path, "0.png", "1.png")
    two = in_base64(tmp_path / "1.png")
    long = base64.b64encode(b"\x89PNG\r\n\x1a\n" + os.urandom(400)).decode()
    rows = [
        {"index": 7, "image": long, "question": "Q", "A": "x", "B": "y", "answer": "A"},
        {"index": 8, "image": "7", "question": "R", "A": "x", "B": "y", "answer": "B"},
        {"index": 9, "image": str([long, long]), "question": "S", "A": "x", "B": "y", "answer": "B"},
        {"index": 10, "image": f"data:image/png;base64,{two}", "question": "T", "A": "x", "B": "y", "answer": "B"},
    ]
    found = asked(kit(tmp_path, rows))
    assert [len(media_of(item.messages)) for item in found.items] == [1, 1, 2, 1]
    contents = [[media.load() for media in media_of(item.messages)] for item in found.items]
    assert contents == [[base64.b64decode(long)], [base64.b64decode(long)], [base64.b64decode(long)] * 2,
                        [(tmp_path / "1.png").read_bytes()]]  # fmt: skip
    assert found.items[0].cluster == found.items[1].cluster != found.items[3].cluster
    assert [item.id for item in found.items] == ["en/7", "en/8", "en/9", "en/10"]


def test_rows_of_a_kit_that_lack_something(tmp_path: Path) -> None:
    pictures(tmp_path, "0.png", "1.png")
    base = {"image_path": "0.png", "hint": "nan", "C": "", "D": "", "category": "a", "l2-category": "b"}
    rows = [
        base | {"index": 1, "question": "Q", "A": "x", "B": "y", "answer": "A"},
        base | {"index": 2, "question": "Q2", "A": "x", "B": "y", "C": "z", "answer": "C"},
        base | {"index": 3, "question": "Q3", "A": "x", "B": "y", "answer": "D"},
        base | {"index": 4, "question": "Q4", "A": "x", "B": "y", "answer": ""},
        base | {"index": 5, "question": "Open?", "answer": "seven"},
        base | {"index": 6, "question": "Gone", "A": "x", "B": "y", "answer": "A", "image_path": "gone.png"},
    ]
    items = asked(kit(tmp_path, rows)).items
    assert [item.problem and item.problem.split()[0] for item in items] == [
        None,
        None,
        "the",
        "the",
        None,
        "kit.tsv#6.image_path:",
    ]
    assert isinstance(items[4].target, Short) and items[4].target.answers == ("seven",)
    assert not any("nan" in part for part in items[0].messages[0].parts if isinstance(part, str))


# ── What columns and rows mean ────────────────────────────────────────────────────────────────────


def right_ones(path: Path, **options: Any) -> list[str | None]:
    """The text of each right option, in the order of the rows."""
    found = []
    for item in asked(path, **options).items:
        target = item.target
        found.append(target.options[target.gold] if isinstance(target, Choice) and target.gold is not None else None)
    return found


@pytest.mark.parametrize(
    ("answers", "right"),
    [
        (["red", "Blue.", "green"], ["red", "blue", "green"]),
        (["A", "b", "(C)"], ["red", "blue", "green"]),
        (["A. red", "B) blue", "C"], ["red", "blue", "green"]),
        (["а", "Б", "В)"], ["red", "blue", "green"]),
        (["가", "(나)", "다"], ["red", "blue", "green"]),
        (["0", "1", "2"], ["red", "blue", "green"]),
        (["1", "2", "3"], ["red", "blue", "green"]),
        (["0.0", "1.0", "2.0"], ["red", "blue", "green"]),
        (["1", "3", "2"], ["red", "green", "blue"]),
        (["0", "1", "4"], ["red", "blue", None]),
        (["red", "B", "violet"], ["red", "blue", None]),
        (["", "B", "C"], [None, "blue", "green"]),
    ],
)
@pytest.mark.parametrize("form", ["list", "semicolons", "columns", "labels"])
def test_the_right_option_is_found_however_it_is_named(
    tmp_path: Path, answers: list[str], right: list[str | None], form: str
) -> None:
    options = ["red", "blue", "green"]
    forms: dict[str, dict[str, Any]] = {
        "list": {"choices": options}, "semicolons": {"options": "red; blue;green"},
        "columns": dict(zip(("option_1", "option_2", "option_3"), options, strict=True)),
        "labels": {"options": "A) red B) blue C) green"},
    }  # fmt: skip
    write_csv(tmp_path, [{"question": f"Q{n}", "answer": answer, **forms[form]} for n, answer in enumerate(answers)])
    assert right_ones(tmp_path) == right
    assert right_ones(tmp_path, seed=3) == right
    assert right_ones(tmp_path, limit=2) == right[:2]


def test_numbers_that_may_be_counted_from_0_or_from_1(tmp_path: Path) -> None:
    rows = [{"question": f"Q{n}", "options": ["x", "y", "z"], "answer": answer} for n, answer in enumerate([1, 2, 1])]
    write_csv(tmp_path, rows)
    name = tmp_path.name
    with pytest.raises(UsageError, match=f"0 or 1(.|\n)*{name}.first_option=0"):
        asked(tmp_path)
    assert right_ones(tmp_path, settings={"first_option": "1"}) == ["x", "y", "x"]
    assert right_ones(tmp_path, settings={"first_option": "0"}) == ["y", "z", "y"]
    (tmp_path / "task.yaml").write_text("first_option: 0")
    assert right_ones(tmp_path) == ["y", "z", "y"]


def test_rows_that_contradict_each_other(tmp_path: Path) -> None:
    rows = [{"question": f"Q{n}", "options": ["x", "y", "z"], "answer": answer} for n, answer in enumerate([0, 3, 1])]
    write_csv(tmp_path, rows)
    with pytest.raises(UsageError, match="1 rows count the options from 0, 1 from 1"):
        asked(tmp_path)
    assert right_ones(tmp_path, settings={"first_option": "1"}) == [None, "z", "x"]


def test_options_that_are_numbers_are_meant_by_their_text(tmp_path: Path) -> None:
    rows = [{"question": f"Q{n}", "options": ["3", "1", "2"], "answer": answer} for n, answer in enumerate("312")]
    write_csv(tmp_path, rows)
    assert right_ones(tmp_path) == ["3", "1", "2"]


@pytest.mark.parametrize(
    ("cells", "options"),
    [
        (["rot, hell; blau; grün", "gelb; lila, dunkel; weiß"], ["rot, hell", "blau", "grün"]),
        (["rot|blau|grün", "a|b|c"], ["rot", "blau", "grün"]),
        (["1,000, 2,000", "3,000, 4,000"], ["1", "000", "2", "000"]),
        (["rot / blau", "an/aus / aus"], ["rot", "blau"]),
        (["赤、青、緑", "白、黒、灰"], ["赤", "青", "緑"]),
        (["أحمر، أزرق", "أخضر، أبيض"], ["أحمر", "أزرق"]),
        (["AC/DC, Queen, ABBA", "Kiss, Abba, Yes"], ["AC/DC", "Queen", "ABBA"]),
        (["rot\nblau", "a\nb"], ["rot", "blau"]),
        (["{'A': 'rot', 'B': 'blau'}", '{"A": "x", "B": "y"}'], ["rot", "blau"]),
    ],
)  # fmt: skip
def test_one_kind_of_separator_is_found_over_all_rows(tmp_path: Path, cells: list[str], options: list[str]) -> None:
    write_csv(tmp_path, [{"question": "Q", "options": cell, "answer": "A"} for cell in cells])
    target = asked(tmp_path).items[0].target
    assert isinstance(target, Choice) and sorted(target.options) == sorted(options)


def test_a_separator_that_is_said(tmp_path: Path) -> None:
    write_csv(tmp_path, [{"question": "Q", "options": "1,000 ~ 2,000", "answer": "2,000"}])
    (tmp_path / "task.yaml").write_text('options_separator: "~"')
    assert right_ones(tmp_path) == ["2,000"]


def test_options_that_speak_of_others_keep_their_order(tmp_path: Path) -> None:
    tricky = [["x", "y", "none of the above"], ["x", "y", "A and B"], ["banana, apple", "a pear and b", "c"]]
    write_csv(tmp_path, [{"question": f"Q{n}", "options": options, "answer": "C", "id": n}
                         for n, options in enumerate(tricky * 8)])  # fmt: skip
    items = [item.target for item in asked(tmp_path).items]
    kept = [isinstance(target, Choice) and list(target.options) == tricky[n % 3] for n, target in enumerate(items)]
    assert all(kept[0::3]) and all(kept[1::3]) and not all(kept[2::3])


@pytest.mark.parametrize(
    ("row", "target"),
    [
        ({"question": "How many?", "answer": 3}, Short(("3",))),
        ({"question": "Where?", "answers": ["in Rome", "Rome"]}, Short(("in Rome", "Rome"))),
        ({"prompt": "Where?", "gold": "['Rome', 'Roma']"}, Short(("Rome", "Roma"))),
        ({"text": "Where?", "target": "Rome"}, Short(("Rome",))),
        ({"text": "A dog."}, Translation("", ("A dog.",))),
        ({"text": "Which dog is it?"}, Open("Which dog is it?", "")),
        ({"caption_1": "A dog.", "caption_2": "Dogs."}, Translation("", ("A dog.", "Dogs."))),
        ({"source": "A dog.", "reference": "Ein Hund."}, Translation("A dog.", ("Ein Hund.",))),
        ({"src": "A dog.", "references": ["Ein Hund.", "Hund."]}, Translation("A dog.", ("Ein Hund.", "Hund."))),
        ({"question": "Why?", "answer": "because " * 12}, Open("Why?", ("because " * 12).strip())),
        ({"question": "Why?"}, Open("Why?", "")),
    ],
)
def test_the_kind_follows_from_the_columns(tmp_path: Path, row: dict[str, Any], target: Any) -> None:
    pictures(tmp_path, "0.png")
    write_csv(tmp_path, [{"file_name": "0.png", **row}])
    (item,) = asked(tmp_path).items
    assert item.target == target and item.problem is None
    assert made(tmp_path).primary == {Short: "accuracy", Translation: "chrfpp", Open: "judge"}[type(target)]


def test_what_is_not_clear_says_what_to_type(tmp_path: Path) -> None:
    between = [{"question": "Why?", "answer": "because of the big dog"}]
    for place, rows, said in (
        ("between", between, r"--metric accuracy .*--metric chrfpp .*--metric judge"),
        ("nothing", [{"file_name": "0.png", "foo": "x"}], r"call a column question"),
        (
            "no question",
            [{"Frage": "Was ist das?", "A": "x", "B": "y", "answer": "A"}],
            r"columns: \{question: Frage\}",
        ),
        ("no answer", [{"question": "?", "options": ["a", "b"]}], r"columns: \{answer: NAME\}"),
    ):
        write_csv(tmp_path / place, rows)
        with pytest.raises(UsageError, match=said):
            asked(tmp_path / place)
    path = tmp_path / "between"
    assert isinstance(asked(path, "accuracy").items[0].target, Short)
    assert isinstance(asked(path, "chrF++").items[0].target, Translation)
    assert isinstance(asked(path, "judge").items[0].target, Open)
    with pytest.raises(UsageError, match="no options for multiple choice"):
        asked(path, "aligned")
    with pytest.raises(UsageError, match="accurasy'?. Did you mean"):
        asked(path, "accurasy")
    assert asked(path, "accuracy").dataset == asked(path, "judge").dataset
    assert made(path, "accuracy").code != made(path, "judge").code


def test_numbers_and_pairs_as_answers(tmp_path: Path) -> None:
    write_jsonl(tmp_path, [{"question": "Q", "answer": 2.0}, {"question": "R", "answer": "(1, 2)"}])
    assert [item.target for item in asked(tmp_path).items] == [Short(("2.0", "2")), Short(("(1, 2)",))]


def test_options_asked_for_as_short_answers(tmp_path: Path) -> None:
    write_csv(tmp_path, [{"question": "Q", "A": "red", "B": "blue", "answer": "B"}])
    assert asked(tmp_path, "accuracy").items[0].target == Short(("blue",))
    assert asked(tmp_path, "judge").items[0].target == Open("Q", "blue")


def test_classes_in_a_column(tmp_path: Path) -> None:
    rows = [{"file_name": f"{n}.png", "label": "cat" if n % 2 else "dog"} for n in range(4)]
    target = asked(folder(tmp_path, rows)).items[0].target
    assert (
        isinstance(target, Choice)
        and sorted(target.options) == ["cat", "dog"]
        and target.options[target.gold or 0] == "dog"
    )


# ── Languages ─────────────────────────────────────────────────────────────────────────────────────


def test_folders_as_labels_in_a_language_that_is_asked_for(tmp_path: Path) -> None:
    pictures(tmp_path, "Hund/1.png", "Katze/1.png")
    for item in asked(tmp_path, languages=("de",)).items:
        assert isinstance(item.target, Choice) and item.language == "de"
    assert not asked(tmp_path, languages=("de",)).warnings and asked(tmp_path).warnings


def test_languages_by_name_code_and_declaration(tmp_path: Path) -> None:
    names = ["de", "German", "deu_Latn", "pt_BR", "हिन्दी", "Foobarish 2"]
    write_csv(tmp_path, [{"question": f"Q{n}", "answer": "x", "locale": name} for n, name in enumerate(names)])
    with pytest.raises(UsageError, match=r"row 6: (.|\n)*languages: \{Foobarish 2: CODE\}"):
        made(tmp_path)
    (tmp_path / "task.yaml").write_text('languages: {"Foobarish 2": fr}')
    assert [item.language for item in asked(tmp_path).items] == ["de", "de", "de", "pt-BR", "hi", "fr"]
    assert [item.language for item in asked(tmp_path, languages=("French",)).items] == ["fr"]
    with pytest.raises(UsageError, match="unknown language of"):
        asked(tmp_path, languages=("it",))


def test_no_language_at_all_is_english_unless_another_is_asked_for(tmp_path: Path) -> None:
    write_csv(tmp_path, [{"question": "Q", "answer": "x"}])
    found = asked(tmp_path)
    assert found.items[0].language == "en" and any("taken as English" in said for said in found.warnings)
    assert asked(tmp_path, languages=("de",)).items[0].language == "de"
    (tmp_path / "task.yaml").write_text("language: German")
    assert asked(tmp_path).items[0].language == "de" and not asked(tmp_path).warnings
    write_csv(
        tmp_path / "some",
        [{"question": "Q", "answer": "x", "lang": "de"}, {"question": "R", "answer": "x", "lang": ""}],
    )
    with pytest.raises(UsageError, match="1 of 2 rows have no language"):
        made(tmp_path / "some")


# ── Files of strangers ────────────────────────────────────────────────────────────────────────────


def problems(path: Path) -> list[str | None]:
    return [item.problem for item in asked(path).items]


def test_nothing_outside_the_folder_is_read(tmp_path: Path) -> None:
    pictures(tmp_path, "outside.png", "bench/0.png")
    bench = tmp_path / "bench"
    (bench / "link.png").symlink_to(tmp_path / "outside.png")
    (bench / "inside.png").symlink_to("0.png")
    (bench / "folder").symlink_to(tmp_path)
    names = ["../outside.png", str(tmp_path / "outside.png"), "link.png", "folder/outside.png", "/etc/hostname",
             "..\\outside.png", "bench/../../outside.png", "http://127.0.0.1/x.png", "file:///etc/hostname", "a\0b",
             "x" * 5000 + ".png", "."]  # fmt: skip
    write_csv(bench, [{"file_name": name, "question": f"Q{n}", "answer": "x"} for n, name in enumerate(names)])
    found = problems(bench)
    assert [names[n][:20] for n, problem in enumerate(found) if not problem] == []
    assert "is an address" in (found[7] or "") and "outside the data folder" in (found[0] or "")
    write_csv(bench, [{"file_name": "inside.png", "question": "Q", "answer": "x"}])
    assert problems(bench) == [None]


def test_a_table_that_leads_out_is_refused(tmp_path: Path) -> None:
    folder(tmp_path / "elsewhere")
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "metadata.csv").symlink_to(tmp_path / "elsewhere" / "metadata.csv")
    with pytest.raises(UsageError, match="leads out of the data folder"):
        made(tmp_path / "bench")


def test_missing_pictures_are_counted_and_the_rest_is_asked(tmp_path: Path) -> None:
    folder(tmp_path, [*COLOURS, COLOURS[0] | {"file_name": "gone.png"}, COLOURS[0] | {"file_name": ""}])
    found = problems(tmp_path)
    assert found[:2] == [None, None] and "gone.png is not in" in (found[2] or "")
    assert found[3] is None or "no picture" in found[3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("file_name,question,answer\n", "has no rows"),
        ("\n\n,,\n", "has no rows|is empty"),
        ("question,answer,question\na,b,c\n", "two columns are called question"),
        ('question,answer\n"a,b\n', "about line 2"),
        ("question,answer\na,b,c\n", "line 2: 3 cells, and the header names 2"),
    ],
)
def test_tables_that_cannot_be_read_say_where(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asked(table(tmp_path, text))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("metadata.jsonl", b'{"question": "Q", "answer": "x"}\n{"question": \n', "metadata.jsonl:2 is not JSON"),
        ("metadata.jsonl", b'["a"]\n', "is not a JSON object"),
        ("metadata.jsonl", b"", "has no rows"),
        ("metadata.parquet", b"PAR1", "is not a readable parquet file"),
        ("metadata.csv", b"question,answer\n\x81\x8d,\x90\n", "neither UTF-8 nor UTF-16"),
    ],
)
def test_files_that_are_damaged(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=said):
        asked(tmp_path)


def test_empty_rows_and_ids_given_twice(tmp_path: Path) -> None:
    text = "id,question,answer\n\n1,Q,x\n,,\n1,R,y\n  ,  ,\n2,S,z\n"
    found = asked(table(tmp_path, text))
    assert [item.id for item in found.items] == ["en/1", "en/1#2", "en/2"]
    assert any("1 ids occur more than once" in said for said in found.warnings)


def test_quotation_marks_in_tabs(tmp_path: Path) -> None:
    text = 'question\tanswer\n"Quote" at the beginning\tx\n"never closed\ty\nsaid "so"\tz\n'
    assert [said.split("\n")[0] for said in texts(table(tmp_path, text, "metadata.tsv"))] == [
        '"Quote" at the beginning', '"never closed', 'said "so"',
    ]  # fmt: skip


def test_another_encoding_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_bytes("question,answer\n色は？,赤\n".encode("shift_jis"))
    (tmp_path / "task.yaml").write_text("encoding: shift_jis\nlanguage: ja")
    assert texts(tmp_path)[0].startswith("色は？")
    (tmp_path / "task.yaml").write_text("encoding: shift_jisx")
    with pytest.raises(UsageError, match="is no encoding"):
        made(tmp_path)


# ── What stays, and what makes another benchmark ──────────────────────────────────────────────────


def test_a_rows_id_stays_whatever_its_place(tmp_path: Path) -> None:
    rows = [*COLOURS, COLOURS[0] | {"question": "Noch eine?"}]
    first = {item.messages: item.id for item in asked(folder(tmp_path / "one", rows)).items}
    second = {item.messages: item.id for item in asked(folder(tmp_path / "two", [rows[2], rows[1], rows[0]])).items}
    assert sorted(first.values()) == sorted(second.values()) and len(set(first.values())) == 3


def test_a_row_without_an_id_has_the_same_one_in_every_form(tmp_path: Path) -> None:
    rows = [
        {
            "file_name": f"{n}.png",
            "question": "Q",
            "options": [f"x{n}", "y"],
            "answer": f"x{n}",
            "language": "de",
            "mass": n,
        }
        for n in range(3)
    ]
    forms = [
        write_csv(tmp_path / "csv", rows),
        write_jsonl(tmp_path / "jsonl", rows),
        write_parquet(tmp_path / "parquet", rows),
    ]
    for form in forms:
        pictures(form, "0.png", "1.png", "2.png")
    assert len({tuple(item.id for item in asked(form).items) for form in forms}) == 1
    assert len({item.id for item in asked(forms[0]).items}) == 3


def test_everything_that_changes_makes_another_benchmark(tmp_path: Path) -> None:
    def state() -> tuple[str, str]:
        return asked(tmp_path).dataset, made(tmp_path).code

    folder(tmp_path)
    seen = [state()]
    assert state() == seen[0]
    (tmp_path / "0.png").write_bytes((tmp_path / "1.png").read_bytes() + b"other")
    seen.append(state())
    write_csv(tmp_path, [COLOURS[0] | {"answer": "blau"}, COLOURS[1]])
    seen.append(state())
    (tmp_path / "task.yaml").write_text("max_tokens: 7")
    seen.append(state())
    (tmp_path / "scorers.py").write_text("def mine(item, text):\n    return 1.0\n")
    seen.append(state())
    (tmp_path / "scorers.py").write_text("def mine(item, text):\n    return 0.0\n")
    seen.append(state())
    assert len(set(seen)) == len(seen)
    (tmp_path / "notes.txt").write_text("not of the data")
    (tmp_path / "9.png").write_bytes(b"of no row")
    assert state() == seen[-1]


# ── task.yaml ─────────────────────────────────────────────────────────────────────────────────────


def test_everything_may_be_declared(tmp_path: Path) -> None:
    rows = [
        {
            "Bild": "0.png",
            "Frage": "Welche Farbe?",
            "Wahl": "rot+blau",
            "Antwort": "blau",
            "Thema": "Kunst",
            "X": "bitte",
        }
    ]
    folder(tmp_path, rows, name="fragen.csv")
    (tmp_path / "task.yaml").write_text(
        """
name: farben
title: Farben
version: "3"
licence: CC0
files: fragen.csv
columns: {image: Bild, question: [Frage], options: Wahl, answer: Antwort, category: Thema}
language: de
prompt: |
  {X}: {question}
  {options}
  {instruction}
instructions: {de: Nur der Buchstabe., all: The letter only.}
options_separator: "+"
max_tokens: 5
protocols:
  tvbench: {}
  plain: {says: without letters, letters: false, shuffle: false, instructions: {de: Das Wort.}, metric: strict}
""",
        encoding="utf-8",
    )
    task = made(tmp_path)
    assert (task.name, task.title, task.version, task.primary_of("plain")) == ("farben", "Farben", "3", "strict")
    (item,) = asked(tmp_path).items
    text = item.messages[0].parts[1]
    assert text in (
        "bitte: Welche Farbe?\nA. rot\nB. blau\nNur der Buchstabe.",
        "bitte: Welche Farbe?\nA. blau\nB. rot\nNur der Buchstabe.",
    )
    assert item.sampling.max_new_tokens == 5 and item.tags["category"] == "Kunst"
    (plain,) = asked(tmp_path, protocol="plain").items
    assert plain.messages[0].parts[1] == "bitte: Welche Farbe?\nrot\nblau\nDas Wort."
    assert isinstance(plain.target, Choice) and plain.target.target == "blau" and not plain.target.letters


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("colums: {}", "unknown key 'colums'. Did you mean columns"),
        ("columns: {anser: x}", "unknown key of columns 'anser'. Did you mean answer"),
        ("columns: {answer: Antwrt}", "unknown column for answer in task.yaml 'Antwrt'. Did you mean answer"),
        ("language: Foobarish", "unknown language 'Foobarish'"),
        ("language: no", "YAML reads no, yes, on and off as true or false"),
        ("max_tokens: 0", "max_tokens: 0 is not possible"),
        ("max_tokens: many", "max_tokens: must be a whole number"),
        ("first_option: 2", "it is 0 or 1"),
        ("kind: multiple", "unknown kind 'multiple'"),
        ("metric: aligne", "unknown metric 'aligne'. Did you mean aligned"),
        ("prompt: '{questoin}'", "unknown field of the prompt 'questoin'. Did you mean question"),
        ("files: other.csv", "names other.csv, and(.|\n)*no such file"),
        ("- a", "is no mapping"),
        ("a: [", "cannot be read as YAML"),
        ("name: a b", "letters, digits"),
        ("protocols: {x: {shufle: true}}", "unknown key of protocols.x 'shufle'. Did you mean shuffle"),
    ],
)
def test_what_is_wrong_in_task_yaml_is_said(tmp_path: Path, yaml: str, said: str) -> None:
    folder(tmp_path)
    (tmp_path / "task.yaml").write_text(yaml)
    with pytest.raises(UsageError, match=said):
        made(tmp_path)


def test_splits_of_a_column_and_of_a_declaration(tmp_path: Path) -> None:
    rows = [{"question": f"Q{n}", "answer": "x", "split": split} for n, split in enumerate(["dev", "test", "test"])]
    write_csv(tmp_path / "column", rows)
    assert made(tmp_path / "column").splits == ("test", "validation")
    assert len(asked(tmp_path / "column").items) == 2 and len(asked(tmp_path / "column", split="validation").items) == 1
    for name in ("one", "two"):
        write_csv(tmp_path / "declared", [{"question": name, "answer": "x"}], f"{name}.csv")
    (tmp_path / "declared" / "task.yaml").write_text("splits: {hard: two.csv, easy: [one.csv]}")
    assert made(tmp_path / "declared").splits == ("hard", "easy")
    assert texts(tmp_path / "declared")[0].startswith("two")
    with pytest.raises(UsageError, match="unknown split of"):
        asked(tmp_path / "declared", split="medium")


CELL = st.text(st.sampled_from("ab01 ,;|\t\n\r\"'[]{}()<>:/.\\ä我\0\ufeff?=+-"), max_size=12)
HEADERS = st.sampled_from(
    ["question", "answer", "options", "image", "file_name", "A", "B", "lang", "id", "text", "label", "x"]
)


@examples(60)
@given(
    header=st.lists(HEADERS, min_size=1, max_size=6),
    rows=st.lists(st.lists(CELL, max_size=7), max_size=5),
    separator=st.sampled_from(",;\t|"),
    quote=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-8-sig", "utf-16-be"]),
    yaml=st.sampled_from(["", "metric: accuracy", "kind: choice", "prompt: '{x}'", "kind: open\nprompt: '{answer}'"]),
)
def test_whatever_a_table_holds_there_are_items_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, header: list[str], rows: list[list[str]], separator: str, quote: bool,
    encoding: str, yaml: str,
) -> None:  # fmt: skip
    place = tmp_path_factory.mktemp("any")
    cells = [[f'"{cell}"' if quote and cell else cell for cell in row] for row in rows]
    text = "\n".join(separator.join(row) for row in [header, *cells])
    (place / "metadata.csv").write_bytes(text.encode(encoding))
    (place / "task.yaml").write_text(yaml)
    try:
        task = made(place)
        assert all(item.language for item in asked(place).items)
        understood = task.source.understood()  # type: ignore[union-attr]
        assert understood.rows
    except UsageError as error:
        assert error.message and "Traceback" not in error.message


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | CELL,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELL, inner, max_size=3),
    max_leaves=5,
)


@examples(60)
@given(rows=st.lists(st.dictionaries(HEADERS, VALUE, min_size=1), min_size=1, max_size=4))
def test_whatever_json_holds_there_are_items_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    place = write_jsonl(tmp_path_factory.mktemp("any"), rows)
    try:
        items = asked(place).items
        assert len(items) <= len(rows)
        made(place).source.understood()  # type: ignore[union-attr]
    except UsageError as error:
        assert error.message


# ── Size ──────────────────────────────────────────────────────────────────────────────────────────


def test_large_cells_stay_in_the_file(tmp_path: Path) -> None:
    import tracemalloc

    content = base64.b64encode(os.urandom(1 << 18)).decode()
    with (tmp_path / "kit.tsv").open("w") as file:
        file.write("index\timage\tquestion\tanswer\n")
        for number in range(48):
            file.write(f"{number}\t{content}\tQ{number}\tx\n")
    tracemalloc.start()
    items = asked(tmp_path / "kit.tsv").items
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(items) == 48 and most < 48 * len(content) / 2
    assert media_of(items[47].messages)[0].load() == base64.b64decode(content)


def test_a_picture_that_changes_under_way_is_an_error_of_its_own(tmp_path: Path) -> None:
    write_jsonl(tmp_path, [{"image": base64.b64encode(os.urandom(300)).decode(), "question": "Q", "answer": "x"}])
    (medium,) = media_of(asked(tmp_path).items[0].messages)
    (tmp_path / "metadata.jsonl").write_text(json.dumps({"image": "", "question": "Q", "answer": "x"}) + " " * 500)
    with pytest.raises((MediaError, UsageError)):
        medium.load()
