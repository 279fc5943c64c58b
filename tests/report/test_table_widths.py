"""A table on narrow terminals: names stay whole, words too, and every block repeats its row labels."""

from __future__ import annotations

import io
import re

import pytest

from tvbench.report.table import Cell, Column, Table, show

WIDTHS = (40, 60, 80, 100, 160)
RUN = "qwen2.5-vl-7b-instruct__alm-bench_multi30k_vimul__protocol-paper__seed-11"
PATH = "/data/results of today/qwen2.5-vl-7b-instruct/responses.jsonl"
COMMAND = "tvbench run --model qwen2.5-vl-7b-instruct --tasks alm,multi30k --languages de,hi,ja"


def drawn(table: Table, width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    out = io.StringIO()
    monkeypatch.setenv("COLUMNS", str(width))
    show([table], "table", file=out)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def status(label: str, key: str = "model") -> Table:
    columns = (
        Column(key, key, "left"),
        Column("tasks", "tasks", "left"),
        Column("done", "done"),
        Column("failed", "failed"),
        Column("state", "state", "left"),
    )
    texts: tuple[tuple[str, ...], ...] = ((label, "mini-alm mini-multi30k mini-vimul (text)", "174", "0", "complete"),)
    texts += (("small", "mini-alm", "1,174", "12", "incomplete"),)
    return Table(columns, tuple(tuple(map(Cell, row)) for row in texts), notes=(f"the folder is {PATH.split()[-1]}",))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("label", ["tower-mini", RUN[:30], RUN[:38], RUN])
def test_a_run_that_names_a_row_can_be_copied(label: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = drawn(status(label), width, monkeypatch)
    assert any(label in line for line in lines)
    too_wide = [line for line in lines if len(line) > width]
    assert all(re.fullmatch(r"(\[\w\] )?\S+", line) for line in too_wide)
    for word in "mini-alm mini-multi30k mini-vimul complete incomplete 1,174".split():
        assert any(word in re.split(r"\s+", line) for line in lines), word


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("label", ["tower-mini", RUN])
def test_every_block_repeats_the_labels(label: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = drawn(status(label), width, monkeypatch)
    blocks = sum(line.startswith("─") for line in lines)
    shown = label if any(line.startswith(label) for line in lines) else "[a]"
    below = shown == "[a]"
    assert sum(line.startswith("small") for line in lines) == blocks
    assert sum(line.startswith(shown) for line in lines) == blocks + below
    assert not below or f"[a] {label}" in lines


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("key", "text"), [("run", RUN), ("path", PATH), ("command", COMMAND), ("item", RUN)])
def test_what_is_copied_from_a_cell_stays_on_one_line(
    key: str, text: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = (Column("model", "model", "left"), Column("score", "score"), Column(key, key, "left"))
    rows = tuple((Cell(name), Cell("71.5"), Cell(text)) for name in ("large", "small"))
    lines = drawn(Table(columns, rows), width, monkeypatch)
    found = [line for line in lines if text in line]
    assert len(found) in (1, 2)
    assert len(found) == 2 or found == [f"[a] {text}"]
    assert all(len(line) <= width for line in lines if text not in line)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_name_over_a_column_stays_whole(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = (Column("language", "", "left"), Column("first", RUN), Column("second", f"{RUN}-b\nscore, difference"))
    lines = drawn(Table(columns, ((Cell("German"), Cell("71.5"), Cell("+1.5")),)), width, monkeypatch)
    assert any(RUN in line for line in lines) and any(f"{RUN}-b" in line for line in lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_running_text_breaks_between_words(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "the answers are mostly in another language, incomprehensible to whoever asked, and undoubtedly unscored"
    columns = (Column("task", "task", "left"), Column("language", "language", "left"), Column("why", "why", "left"))
    rows = ((Cell("mini-multi30k"), Cell("German"), Cell(text)),)
    lines = drawn(Table(columns, rows, labels=2), width, monkeypatch)
    words = set(" ".join(lines).split())
    assert set(text.split()) <= words
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_text_without_blanks_is_folded_and_not_lost(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "我们今天在这里看到的图片里有一只猫和两只狗" * 4
    columns = (Column("item", "item", "left"), Column("answer", "answer", "left"))
    lines = drawn(Table(columns, ((Cell("a-1"), Cell(text)),)), width, monkeypatch)
    assert "".join("".join(lines[2:]).replace("a-1", "").split()) == text


@pytest.mark.parametrize("width", WIDTHS)
def test_many_labels_leave_room_and_nothing_is_lost(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("Table 3", "towervision-9b-instruct", "multi30k", "English to German")
    columns = tuple(Column(key, key, "left") for key in ("table", "row", "task", "part"))
    columns += tuple(Column(key, key) for key in ("published", "ours", "difference"))
    rows = (tuple(map(Cell, (*names, "71.5", "70.9", "-0.6"))),)
    lines = drawn(Table(columns, rows, labels=4), width, monkeypatch)
    words = " ".join(lines).split()
    assert {"towervision-9b-instruct", "71.5", "70.9", "-0.6"} <= set(words)
