"""Human labels from end to end: the sheet drawn, what spreadsheets make of it, and what they say with a judge."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_server import judge_server
from judged import item, judge, open_run
from run_folders import write_manifest

from tvbench.cli.main import main
from tvbench.errors import UsageError
from tvbench.graders.judge.drawing import drawn
from tvbench.graders.judge.labels import joined, read_label_file
from tvbench.graders.judge.sheet import COLUMNS, MOST_SHOWN, sheet_cell
from tvbench.runs.writer import RunWriter
from tvbench.types import Open, Response

Rows = list[dict[str, str]]
ANSWERS = [f"answer {i} worth {i % 6}" for i in range(60)]


# ── What is drawn ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("sizes", "n"), [((1,) * 12, 5), ((4, 1, 1, 3, 2), 4), ((5, 5, 5), 7), ((8, 1), 3)])
def test_every_answer_is_drawn_equally_often(sizes: tuple[int, ...], n: int) -> None:
    items = [(f"{picture}-{i}", f"p{picture}") for picture, size in enumerate(sizes) for i in range(size)]
    seeds = 4000
    counts = Counter(place for seed in range(seeds) for place in drawn(items, str(seed))[:n])
    expected = seeds * n / len(items)
    spread = (seeds * n / len(items) * (1 - n / len(items))) ** 0.5
    assert all(abs(counts[place] - expected) < 4.5 * spread for place in range(len(items)))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=40), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_all_are_drawn_once_and_pictures_are_spread(sizes: list[int], seed: int) -> None:
    items = [(f"{picture}-{i}", f"p{picture}") for picture, size in enumerate(sizes) for i in range(size)]
    order = drawn(items, str(seed))
    assert sorted(order) == list(range(len(items)))
    n = len(items) // (4 * max(sizes))
    assert len({items[place][1] for place in order[:n]}) == n


def test_answers_without_a_picture_are_pictures_of_their_own() -> None:
    assert sorted(drawn([("a", ""), ("b", ""), ("c", "")], "0")) == [0, 1, 2]
    assert drawn([], "0") == []
    assert drawn([(str(i), "") for i in range(50)], "0") != drawn([(str(i), "") for i in range(50)], "1")


# ── The sheet ─────────────────────────────────────────────────────────────────────────────────────


def sheet(tmp_path: Path, size: int, *words: str, name: str = "sheet.csv") -> Rows:
    path = tmp_path / name
    command = ["judge", "run", "--results", str(tmp_path), "--label-sheet", str(size), "--sheet-out", str(path)]
    assert main([*command, *words]) == 0
    return read(path)


def read(path: Path) -> Rows:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))


def filled(rows: Rows, label: Callable[[dict[str, str]], str]) -> Rows:
    return [{**row, "label": label(row)} for row in rows]


def worth(row: dict[str, str]) -> str:
    return row["answer"].split()[-1]


def save(path: Path, rows: Rows, delimiter: str = ",", encoding: str = "utf-8-sig", first: str = "") -> Path:
    buffer = io.StringIO()
    buffer.write(first)
    writer = csv.DictWriter(buffer, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(buffer.getvalue().encode(encoding, "replace"))
    return path


def test_the_sheet_is_drawn_by_language_and_told_nothing_of_model_or_judge(tmp_path: Path) -> None:
    open_run(tmp_path, 60, exact=20)
    with judge_server() as server:
        judge(tmp_path, server.model)
    rows = sheet(tmp_path, 12)
    assert Counter(row["language"] for row in rows) == {"de": 12, "fr": 12}
    assert list(rows[0]) == list(COLUMNS)
    assert {row["chance"] for row in rows} == {"0.4"}
    assert all(row["answer"] in ANSWERS and not row["label"] for row in rows)
    text = (tmp_path / "sheet.csv").read_text(encoding="utf-8-sig")
    assert "judge" not in text and "mcq" not in text
    record = json.loads((tmp_path / "run" / "labels" / "sheet.json").read_text())
    assert record["chances"] == {row["key"]: 0.4 for row in rows} and record["seed"] == 0


def test_a_longer_sheet_begins_with_the_shorter_one_and_another_seed_draws_another(tmp_path: Path) -> None:
    open_run(tmp_path, 60)
    short, long, other = (
        sheet(tmp_path, size, "--seed", seed, name=f"{size}-{seed}.csv")
        for size, seed in ((5, "0"), (15, "0"), (5, "1"))
    )
    for language in ("de", "fr"):
        keys = [[row["key"] for row in rows if row["language"] == language] for rows in (short, long, other)]
        assert keys[1][:5] == keys[0] and keys[2] != keys[0]


def test_labels_that_were_read_stand_in_a_longer_sheet(tmp_path: Path) -> None:
    open_run(tmp_path, 60)
    path = save(tmp_path / "filled.csv", filled(sheet(tmp_path, 5), worth))
    assert main(["judge", "run", "--results", str(tmp_path), "--labels", str(path)]) == 0
    rows = sheet(tmp_path, 8, name="longer.csv")
    assert [bool(row["label"]) for row in rows] == [*[True] * 5, *[False] * 3] * 2
    assert all(row["label"] in ("", worth(row)) for row in rows)


def test_a_sheet_is_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_run(tmp_path, 10)
    before = sheet(tmp_path, 2)
    words = ["--label-sheet", "3", "--sheet-out", str(tmp_path / "sheet.csv")]
    assert main(["judge", "run", "--results", str(tmp_path), *words]) == 2
    assert "is there already, perhaps with labels in it" in capsys.readouterr().err
    assert read(tmp_path / "sheet.csv") == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--label-sheet", "5", "--judge", "openai:m@http://127.0.0.1:9"), "--label-sheet writes a sheet and stops"),
        (("--label-sheet", "5", "--labels", "x.csv"), "--label-sheet writes a sheet and stops"),
        (("--sheet-out", "x.csv"), "--sheet-out needs --label-sheet"),
        (("--seed", "3"), "tvbench judge run --label-sheet 40 --seed 3"),
        (("--labels", "x.csv", "--seed", "0"), "--seed says which sheet is drawn"),
        (("--labels", "nowhere.csv"), "nowhere.csv cannot be read"),
        (("--label-sheet", "5", "--languages", "it"), "unknown language in this run 'it'"),
    ],
)
def test_what_does_not_go_together_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    open_run(tmp_path, 10)
    assert main(["judge", "run", "--results", str(tmp_path), *words]) == 2
    assert said in capsys.readouterr().err


def test_all_answers_where_there_are_fewer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_run(tmp_path, 10)
    assert len(sheet(tmp_path, 50)) == 10
    assert "all of them on the sheet: alm de (5), alm fr (5)" in capsys.readouterr().err


def test_a_run_without_open_answers_has_no_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_run(tmp_path, 0, exact=5)
    assert main(["judge", "run", "--results", str(tmp_path), "--label-sheet", "5"]) == 2
    assert "no open answers" in capsys.readouterr().err


EVIL = ["=1+1", "+49", "-", "@x", "\t=1", " =1", "one\nline\r\nmore", 'quote "this", and; that', "\x1b[2J\u202e", "＝1"]


def test_hostile_answers_stay_in_their_cells(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    cases = [(item(f"i{n}", Open(text, text), "de"), text) for n, text in enumerate([*EVIL, "x" * 40_000])]
    with RunWriter(folder) as writer:
        task = {"task": "alm", "protocol": "tvbench", "primary": "aligned", "signature": "task:alm@1"}
        write_manifest(writer, {"run": "run", "model": {"name": "m", "revision": "1"}, "tasks": [task]})
        writer.write_requests((f"key-{one.id}", one, ()) for one, _ in cases)
        writer.start()
        for one, text in cases:
            writer.append(Response(f"key-{one.id}", text=text))
    rows = sheet(tmp_path, 100)
    assert len(rows) == len(cases)
    for row in rows:
        for cell in row.values():
            assert cell.lstrip()[:1] not in set("=+-@＝") or cell == "-", cell
            assert "\x1b" not in cell and "\u202e" not in cell and len(cell) < 32_767
    path = save(tmp_path / "filled.csv", filled(rows, lambda row: "yes"))
    assert main(["judge", "run", "--results", str(tmp_path), "--labels", str(path)]) == 0


def test_a_long_answer_says_what_is_missing() -> None:
    assert sheet_cell("x" * (MOST_SHOWN + 7)).endswith("[... 7 characters more]")


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────


def labels_of(path: Path, scale: tuple[float, float] = (0, 5)) -> list[float]:
    file = read_label_file(path)
    found = joined([file], {label.key: scale for labels in file.columns.values() for label in labels})
    return [share for shares in found.shares.values() for share in shares]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("first", ["", "sep={}\r\n"])
def test_what_spreadsheets_save_is_read(tmp_path: Path, delimiter: str, encoding: str, first: str) -> None:
    rows = [
        {"Key": f" t-{i} ", "answer": "Größe, ; \t\n„drei“ Zeilen", "Label": label, "note": ""}
        for i, label in enumerate(["yes", "NO", " Right ", "'1", "0", "TRUE", "falsch", "non"])
    ]
    path = save(tmp_path / "x.csv", rows, delimiter, encoding, first.format(delimiter))
    assert labels_of(path) == [1, 0, 1, 1, 0, 1, 0, 0]


def lines(tmp_path: Path, *labels: str, head: str = "key,label") -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("\n".join([head, *(f"t-{i},{label}" for i, label in enumerate(labels))]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("labels", "shares"),
    [
        (("5", "0", "4", "1"), [1, 0, 0.8, 0.2]),
        (("1", "0", "1"), [1, 0, 1]),
        (("0.5", "1"), [0.5, 1]),
        (('"2,5"', "5"), [0.5, 1]),
        (("yes", "4", "1", "no"), [1, 0.8, 0.2, 0]),
        (("✓", "✗", "✔", "صحيح", "错", "はい", "нет"), [1, 0, 1, 1, 0, 1, 0]),
        (("٥", "٠"), [1, 0]),
    ],
)
def test_labels_are_words_shares_or_numbers_of_the_scale(
    tmp_path: Path, labels: tuple[str, ...], shares: list[float]
) -> None:
    assert labels_of(lines(tmp_path, *labels)) == shares


@pytest.mark.parametrize(
    ("labels", "head", "said"),
    [
        (("yes", "maybe"), "key,label", "line 3: 'maybe' is no label"),
        (("nan",), "key,label", "line 2: 'nan' is no label"),
        (("x",), "key,label", "'x' is no label"),
        (("7",), "key,label", "line 2: 7 is not within 0 to 5"),
        (("-1", "1"), "key,label", "line 2: -1 is not within 0 to 1"),
        (("yes", "yes\nt-0,no"), "key,label", "line 4: the same answer as in line 2"),
        (("yes\n,no",), "key,label", "line 3: a label without a key"),
        (("yes",), "key,verdict", "no columns `key` and `label`"),
        (("yes",), "id,label", "no columns `key` and `label`"),
    ],
)
def test_what_is_no_label_is_refused_with_its_line(
    tmp_path: Path, labels: tuple[str, ...], head: str, said: str
) -> None:
    with pytest.raises(UsageError, match="labels.csv") as error:
        labels_of(lines(tmp_path, *labels, head=head))
    assert said in str(error.value)


def test_of_an_answer_that_is_labelled_twice_the_hint_speaks_of_lines(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        labels_of(lines(tmp_path, "yes", "yes\nt-0,no"))
    assert error.value.hint is not None and "one line" in error.value.hint


def test_ones_on_a_scale_that_begins_with_one_are_refused(tmp_path: Path) -> None:
    assert labels_of(lines(tmp_path, "1", "5"), (1, 5)) == [0, 1]
    assert labels_of(lines(tmp_path, "1", "0"), (1, 5)) == [1, 0]
    with pytest.raises(UsageError, match="cannot be told"):
        labels_of(lines(tmp_path, "1", "1"), (1, 5))


@given(st.binary(max_size=300), st.booleans())
@settings(max_examples=200, deadline=None)
def test_no_bytes_end_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: bytes, headed: bool) -> None:
    path = tmp_path_factory.mktemp("bytes") / "x.csv"
    path.write_bytes(b"key;label\n" * headed + data)
    try:
        labels_of(path)
    except UsageError as error:
        assert "x.csv" in str(error)


# ── With a judge ──────────────────────────────────────────────────────────────────────────────────


def reported(tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert main(["judge", "run", "--results", str(tmp_path), "--format", "json", *words]) == 0
    return json.loads(capsys.readouterr().out)["labels"]


def test_labels_and_judge_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_run(tmp_path, 240, exact=20)
    with judge_server() as server:
        assert judge(tmp_path, server.model) == 0
    before = (tmp_path / "run" / "result.json").read_bytes()
    # The judge is generous: a person gives one point less, where there is one to take.
    rows = filled(sheet(tmp_path, 30), lambda row: str(max(0, int(worth(row)) - 1)))
    [found] = reported(tmp_path, capsys, "--labels", str(save(tmp_path / "filled.csv", rows)))
    whole, german, french = found["means"]
    assert [part["language"] for part in found["means"]] == ["all", "de", "fr"]
    truth = sum(max(0, i % 6 - 1) for i in range(240)) / 240 / 5
    for part, labels, answers in ((whole, 60, 240), (german, 30, 120), (french, 30, 120)):
        mean = part["mean"]
        assert (mean["labels"], mean["answers"]) == (labels, answers)
        assert mean["both"]["high"] - mean["both"]["low"] < mean["alone"]["high"] - mean["alone"]["low"]
        assert mean["weight"] > 0.4 and mean["gain"] > 1.3
    assert whole["mean"]["judged"] == pytest.approx(0.5)
    assert whole["mean"]["both"]["low"] < truth < whole["mean"]["both"]["high"] < 0.5
    assert whole["kappa"] > 0.5
    assert (tmp_path / "run" / "result.json").read_bytes() == before, "no figure of the tables moves"
    assert reported(tmp_path, capsys) == [found], "the labels are kept"
    assert main(["judge", "run", "--results", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "human labels with" in out and "whatever the judge's errors" in out


def test_an_answer_that_has_changed_loses_its_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_run(tmp_path / "a", 20)
    rows = filled(sheet(tmp_path / "a", 10), worth)
    changed = open_run(tmp_path / "b", 20) / "responses.jsonl"
    replies = [json.loads(line) for line in changed.read_text().splitlines()]
    text = {"answer 3 worth 3": "answer 3 worth 5"}
    lines_left = [{**reply, "text": text.get(reply["text"], reply["text"])} for reply in replies]
    changed.write_text("".join(json.dumps({k: v for k, v in one.items() if k != "sum"}) + "\n" for one in lines_left))
    path = save(tmp_path / "filled.csv", rows)
    assert main(["judge", "run", "--results", str(tmp_path / "b"), "--labels", str(path)]) == 0
    err = capsys.readouterr().err
    assert "left out, as the run does not have these answers, or has given them again since (1): filled.csv line" in err


def test_rows_left_empty_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_run(tmp_path, 40)
    rows = filled(sheet(tmp_path, 10), lambda row: "" if row["answer"].startswith("answer 1") else worth(row))
    empty = sum(not row["label"] for row in rows)
    assert 0 < empty < 12
    [found] = reported(tmp_path, capsys, "--labels", str(save(tmp_path / "filled.csv", rows)))
    assert found["unlabelled"] == empty and found["judge"] is None and found["means"][0]["mean"]["both"] is None


def test_a_language_with_one_label_is_named_and_not_in_the_mean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_run(tmp_path, 40)
    rows = sheet(tmp_path, 10)
    first = next(row for row in rows if row["language"] == "fr")
    rows = filled(rows, lambda row: worth(row) if row["language"] == "de" or row is first else "")
    [found] = reported(tmp_path, capsys, "--labels", str(save(tmp_path / "filled.csv", rows)))
    assert found["without"] == {"alm": ["fr"]}
    assert found["means"][0]["mean"]["labels"] == 10


def test_several_people_agree_or_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_run(tmp_path, 60)
    rows = sheet(tmp_path, 20)
    one = save(tmp_path / "one.csv", filled(rows, worth))
    other = save(tmp_path / "other.csv", filled(rows, lambda row: str(5 - int(worth(row)))))
    [found] = reported(tmp_path, capsys, "--labels", str(one), "--labels", str(other))
    assert found["means"][0]["people"] == 40 and found["means"][0]["people_kappa"] == pytest.approx(-1, abs=0.1)
    assert all(part["mean"]["alone"]["value"] == pytest.approx(0.5) for part in found["means"])
    both = [{**row, "label_2": row["label"]} for row in filled(rows, worth)]
    [found] = reported(tmp_path, capsys, "--labels", str(save(tmp_path / "both.csv", both)))
    assert found["means"][0]["people_kappa"] == 1


def test_a_judge_that_refuses_moves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_run(tmp_path, 80)
    with judge_server() as server:
        judge(tmp_path, server.model, "--languages", "de")
    rows = filled(sheet(tmp_path, 20), worth)
    [found] = reported(tmp_path, capsys, "--labels", str(save(tmp_path / "filled.csv", rows)))
    french = next(part for part in found["means"] if part["language"] == "fr")
    assert french["mean"]["both"] == french["mean"]["alone"] and french["mean"]["weight"] == 0
    assert french["kappa"] is None


def test_damaged_labels_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = open_run(tmp_path, 10) / "labels"
    folder.mkdir()
    for text in ("{", "[]", '{"labels": [{"key": "a", "shares": [2], "texts": []}], "unlabelled": [], "notes": []}'):
        (folder / "labels.json").write_text(text)
        assert main(["judge", "run", "--results", str(tmp_path)]) == 2
        assert "labels.json is damaged" in capsys.readouterr().err


def test_planted_answers_are_not_taken_for_the_runs_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are planted at the run's items, and have the same names."""
    open_run(tmp_path, 40)
    with judge_server() as server:
        judge(tmp_path, server.model)
        path = save(tmp_path / "filled.csv", filled(sheet(tmp_path, 10), worth))
        [without] = reported(tmp_path, capsys, "--labels", str(path))
        assert judge(tmp_path, server.model, "--planted", "20") == 0
    [found] = reported(tmp_path, capsys)
    assert found == without
