"""No stranger's text steers a terminal, breaks a line or a table, or is computed by a spreadsheet: every command over a
results folder in which every text is hostile, on streams of every encoding."""

from __future__ import annotations

import ast
import csv
import io
import json
import logging
import math
import os
import random
import re
import sys
from pathlib import Path
from signal import Signals
from typing import Any

import pytest
from chat_server import chat_server
from repository import ROOT
from rich.text import Text
from run_folders import write_manifest

from tvbench.cli.logs import VisibleFormatter
from tvbench.cli.main import main
from tvbench.report.table import Cell, Column, Table, show
from tvbench.runs.store import find_runs
from tvbench.runs.writer import RunWriter
from tvbench.safety.visible import csv_cell, json_text, visible, visible_lines
from tvbench.types import Choice, Counts, Item, Message, Open, Response, Target, Translation

EVIL = (
    "evil\x1b]8;;http://x\x07link\x1b]52;c;cm0=\x1b\\\x1b[2J\x9b31m\x00\x08\x7f\u202eabc\u2066\ud83d|<img src=x>"
    "[red]b[/red]\r\nnext\u2028line\u0085=cmd\x0b\x0c![a](javascript:x)"
)
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
KEPT = "می‌خواهم 👩‍👩‍👧 e\u0301 क्‍ष ไทย\u200bไทย \u200eabc\u200f"
"""Joiners, marks, zero-width spaces and direction marks, which languages need."""


# ── One text ──────────────────────────────────────────────────────────────────────────────────────


def test_what_languages_need_stays() -> None:
    assert visible(KEPT) == KEPT and json.loads(json_text(KEPT)) == KEPT and csv_cell(KEPT) == KEPT


@pytest.mark.parametrize(
    "code",
    [
        *range(0x20),
        *range(0x7F, 0xA0),
        0x2028,
        0x2029,
        *range(0x202A, 0x202F),
        *range(0x2066, 0x2070),
        0xD800,
        0xDBFF,
        0xDC00,
        0xDC80,
        0xDFFF,
    ],
)
def test_what_steers_is_shown_and_what_breaks_lines_is_a_blank(code: int) -> None:
    text = f"a{chr(code)}b"
    assert visible(text) in ("a b", f"a\\x{code:02x}b", f"a\\u{code:04x}b")
    said = json_text({"x": [text]})
    assert not RAW.search(said) and json.loads(said) == {"x": [text]}


def anything(chance: random.Random, depth: int) -> Any:
    """A value as records hold them, and what records do not."""
    if depth and chance.random() < 0.6:
        some = [anything(chance, depth - 1) for _ in range(chance.randrange(4))]
        keys: list[Any] = [chance.choice(["a", KEPT, EVIL, "", 1, None, True, 1.5]) for _ in some]
        texts = map(str, keys)
        return chance.choice(
            [some, tuple(some), dict(zip(keys, some, strict=True)), dict(zip(texts, some, strict=True))]
        )
    odd = [Path("x"), Signals.SIGINT, Counts(1), math.nan, -math.inf, [], {}, (), True, None, 10**30]
    return chance.choice([*odd, chance.random(), -0.0, 1e300, 3, EVIL, KEPT])


@pytest.mark.parametrize("ascii_only", [False, True])
def test_json_is_laid_out_as_the_library_does(ascii_only: bool) -> None:
    chance = random.Random(5)
    for number in range(400):
        value = anything(chance, 5)
        plain = json.loads(json.dumps(value, default=str), parse_constant=lambda name: None)
        for indent in (2, 1, 0, None):
            text = json_text(value, ascii_only=ascii_only, indent=indent)
            assert json.loads(text) == plain, number
            assert text == json_text(plain, ascii_only=ascii_only, indent=indent)
            if not RAW.search(json.dumps(plain, ensure_ascii=False, indent=None)):
                assert text == json.dumps(plain, ensure_ascii=ascii_only, indent=indent)


def test_lines_stay_lines_but_none_can_pose_as_another_message() -> None:
    assert visible_lines("a\n  b\x1b\nc\r\u2028", "  ") == "a\n  b\\x1b\n  c "


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1+1", "'+1+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "' =1"),
        ("\r=1", "' =1"),
        (" =1", "' =1"),
        ("＝1", "'＝1"),
        ("-abc", "'-abc"),
        ("-0.5", "-0.5"),
        ("+3", "+3"),
        ("-", "-"),
        ("-1.5 %", "-1.5 %"),
        ("-1e-3", "-1e-3"),
        (-0.5, -0.5),
        (True, True),
        ("a=b", "a=b"),
        ("", ""),
        ("a\nb", "a b"),
    ],
)
def test_a_cell_of_csv_is_never_a_formula(value: Any, cell: Any) -> None:
    assert csv_cell(value) == cell


def evil_table() -> Table:
    columns = (Column(f"key{EVIL}", f"title{EVIL}", "left"), Column("=n", "n"))
    rows = ((Cell(EVIL), Cell("-1", value=-1.0)), (Cell(f"={EVIL}", bold=True), Cell("x", wide=EVIL)))
    return Table(columns, rows, f"table{EVIL}", (f"note{EVIL}",))


@pytest.mark.parametrize("form", ["table", "markdown", "csv", "json", "latex"])
def test_tables_of_hostile_text(form: str) -> None:
    out = io.StringIO()
    show([evil_table()], form, file=out)
    assert not RAW.search(out.getvalue())
    if form == "csv":
        head, *rows = list(csv.reader(io.StringIO(out.getvalue())))
        assert len(rows) == 2 and head[1] == "'=n" and rows[0][1] == "-1.0" and rows[1][0].startswith("'=evil")
    elif form == "markdown":
        lines = out.getvalue().splitlines()
        assert "<img" not in out.getvalue() and "](" not in out.getvalue()
        assert [len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("|")] == [3, 3, 3, 3]
        assert len([line for line in lines if line.strip()]) == 6
    elif form == "latex":
        assert len(out.getvalue().splitlines()) == 10
    elif form == "table":
        assert "[red]b[/red]" in out.getvalue()


def test_log_messages_too() -> None:
    record = logging.LogRecord("x", logging.WARNING, "f", 1, "warning: %s", (EVIL,), None)
    said = VisibleFormatter().format(record)
    assert not RAW.search(said) and said.split("\n")[1].startswith("  ")


# ── Every exit ────────────────────────────────────────────────────────────────────────────────────


def test_commands_print_through_one_module() -> None:
    """`print`, `sys.stdout` and `sys.stderr` are written to in cli/output.py and report/table.py alone; workers and
    guards are processes of their own, whose streams nobody reads as text."""
    allowed = {"cli/output.py", "report/table.py", "engines/vllm_guard.py"}
    found = []
    for path in sorted((ROOT / "tvbench").rglob("*.py")):
        name = path.relative_to(ROOT / "tvbench").as_posix()
        if name in allowed or name.startswith("workers/"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "print",
                "sys.stdout.write",
                "sys.stderr.write",
                "json.dump",
            ):
                found.append(f"{name}:{node.lineno}")
    assert not found


def target(kind: int) -> Target:
    if kind == 0:
        return Choice((EVIL, "b", "c", "d"), 0, target="A", letters=True)
    return Translation(EVIL, (f"Ein Haus {EVIL}",)) if kind == 1 else Open(EVIL, EVIL)


def hostile_run(results: Path, name: str, model: str, answer: str) -> None:
    kinds = ("alm", "multi30k", f"own{EVIL}")
    items = [
        Item(
            f"de/{number}{EVIL}",
            kinds[kind],
            "de",
            (Message("user", (f"Frage {number} {EVIL}",)),),
            target(kind),
            cluster=f"{number // 2}{EVIL}",
            tags={"category": EVIL, "question_type": EVIL},
        )
        for kind in range(3)
        for number in range(6)
    ]
    signature = f"task:x@1|protocol:p|data:{EVIL}|items:10|model:{model}@1|engine:e@1|tvbench:0"
    with RunWriter(results / name) as writer:
        write_manifest(
            writer,
            {
                "run": name,
                "updated": "2026-01-01",
                "model": {"name": model, "revision": f"1{EVIL}"},
                "engine": {"name": EVIL, "version": EVIL, "settings": {EVIL: EVIL}},
                "tasks": [
                    {
                        "task": task,
                        "protocol": "tvbench",
                        "dataset": EVIL,
                        "signature": signature,
                        "warnings": [EVIL],
                        "primary": ("aligned", "chrfpp", "judge")[number],
                    }
                    for number, task in enumerate(kinds)
                ],
            },
        )
        writer.write_requests((f"{name}/{item.task}/{item.id}", item, ()) for item in items)
        writer.start()
        for number, item in enumerate(items):
            key = f"{name}/{item.task}/{item.id}"
            writer.append(
                Response(key, error=f"server said {EVIL}")
                if number % 5 == 4
                else Response(key, text=f"{answer} {EVIL}", finish="stop", notes=(EVIL,))
            )


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory in which every text is hostile: runs, cards, logs, data."""
    folder = tmp_path_factory.mktemp("hostile")
    results = folder / "results"
    hostile_run(results, "one", f"model-one{EVIL}", "A")
    hostile_run(results, "evil\x1b[2J\x9b\u202e", f"=model{EVIL}", "b")
    hostile_run(results, "blind", f"model-one{EVIL}", "c")
    (folder / "models").mkdir()
    escaped = json.dumps(
        {
            "hub": "org/x",
            "title": EVIL.replace("\ud83d", ""),
            "notes": EVIL.replace("\ud83d", ""),
            "aliases": [EVIL.replace("\ud83d", "")],
            "name": "x\x1b[2Jy",
        }
    )
    (folder / "models" / "evil\x1b[2J.yaml").write_text(escaped)
    (folder / "models" / "broken\x1b[2J.yaml").write_text("hub: org/x\nrevision: 7\n")
    (folder / "tasks").mkdir()
    (folder / "tasks" / "bad\x1b[2J.py").write_text("import tvbench\nTASK = 1\nraise ValueError('\x1b[2J\\x9b')\n")
    logs = folder / "logs\x1b[2J"
    logs.mkdir()
    (logs / "20250101_000000_samples_alm\x1b[2J.jsonl").write_text(json.dumps({"doc_id": EVIL}) + "\n")
    logged = {"results": {EVIL: {EVIL: EVIL}}, "model_name": EVIL}
    (logs / "20250101_000000_results.json").write_text(json.dumps(logged))
    data = folder / "data\x1b[2J"
    data.mkdir()
    (data / "test.jsonl").write_text(json.dumps({"a\x1b[2J": 1}) + "\n")
    return folder


COMMANDS = [
    ["score", "one"],
    ["score", "evil"],
    ["score", "one", "--format", "json"],
    ["score", "none\x1b[2J"],
    *(
        ["leaderboard", "--format", form, *more]
        for form in ("table", "markdown", "csv", "json")
        for more in ([], ["--languages"], ["--by", "family"])
    ),
    *(["explain", "one", "--format", form] for form in ("table", "markdown", "csv", "json", "latex")),
    *(["audit", "one", "--format", form] for form in ("table", "markdown", "json")),
    *(["compare", "one", "evil\x1b[2J\x9b\u202e", "--format", form] for form in ("table", "markdown", "latex", "json")),
    ["grounding", "one"],
    ["grounding", "one", "blind", "--format", "json"],
    ["reproduce"],
    ["reproduce", "--format", "json"],
    ["judge", "one"],
    ["judge", "one", "--judge", "openai:x\x1b[2J@http://127.0.0.1:9", "--dry-run"],
    ["comet", "one", "--checkpoint", "x\x1b[2J"],
    ["models"],
    ["models", "--format", "json"],
    ["models", "show", "x\x1b[2Jy"],
    ["models", "show", "broken\x1b[2J"],
    ["models", "show", "none\x1b[2J"],
    ["tasks"],
    ["tasks", "show", "none\x1b[2J"],
    ["languages", "\x1b[2J"],
    ["import", "lmms-eval", "logs\x1b[2J"],
    ["import", "lmms-eval", "none\x1b[2J"],
    ["doctor", "data\x1b[2J"],
    ["doctor", "./none\x1b[2J"],
    ["run", "--model", "tower-mini", "--tasks", "alm", "--data", "data\x1b[2J", "--dry-run"],
    ["run", "--model", "x\x1b[2Jy", "--tasks", "none\x1b[2J", "--dry-run"],
    ["run", "--model", "tower-mini", "--tasks", "mini", "--set", "mini.\x1b[2J=1", "--dry-run"],
    ["train", "--recipe", "none\x1b[2J", "--dry-run"],
    ["train", "--recipe", "mini", "--set", "x\x1b[2J=1", "--dry-run"],
    ["fetch", "--model", "x\x1b[2J", "--offline"],
    ["no\x1b[2Jsuch"],
    ["score", "one", "--no\x1b[2Jsuch"],
    ["leaderboard", "--format", "\x1b[2J"],
    ["leaderboard", "--results", "none\x1b[2J"],
]


def said_by(words: list[str], monkeypatch: pytest.MonkeyPatch, encoding: str) -> tuple[str, str]:
    """Both streams of a command, which must end of itself."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", write_through=True) for _ in "oe")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        try:
            code = main(words)
        except SystemExit as done:
            code = int(done.code or 0)
        assert code in (0, 1, 2, 3)
    first, second = (stream.buffer.getvalue().decode(encoding) for stream in (out, err))
    return first, second


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: ascii(" ".join(words))[:50])
def test_every_command_over_hostile_texts(
    hostile: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], encoding: str
) -> None:
    monkeypatch.chdir(hostile)
    monkeypatch.setenv("COLUMNS", "200")
    out, err = said_by(words, monkeypatch, encoding)
    assert out + err and not RAW.search(out) and not RAW.search(err)
    assert "Traceback" not in err
    if "json" in words and out:
        assert json.loads(out) is not None


@pytest.mark.parametrize("half", ["\ud83d", "\udc00", "\udcff", "a\ud83d\ud83d"])
def test_half_an_emoji_in_everything_that_is_asked_and_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half: str
) -> None:
    row: dict[str, Any] = {
        "file_name": "x.png",
        "ID": f"001{half}",
        "Language": "German",
        "Category": f"Food{half}",
        "Question_Type": "Multiple Choice Questions",
        "English_Question": f"Which{half}?",
        "English_Answer": f"Apple (Options: Apple, Pear{half}, Plum, Fig)",
        "Translated_Question": f"Welche{half}?",
        "Translated_Answer": f"Apfel{half} (Optionen: Apfel{half}, Birne, Pflaume, Feige)",
        "Image_Url": "",
    }
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test.jsonl").write_text(json.dumps(row) + "\n")
    monkeypatch.chdir(tmp_path)
    with chat_server() as server:
        run = [
            "run",
            "--model",
            server.model.replace("counter", f"counter{half}"),
            "--tasks",
            "alm",
            "--data",
            "data",
            "--no-image",
            "--quiet",
        ]
        out, err = said_by(run, monkeypatch, "utf-8")
    assert not RAW.search(out + err) and "Traceback" not in err
    (found,) = find_runs(tmp_path / "results")
    for words in (
        ["score", found.name],
        ["leaderboard"],
        ["explain", found.name, "--format", "json"],
        ["audit", found.name],
        ["leaderboard", "--format", "csv"],
    ):
        for encoding in ("utf-8", "ascii"):
            out, err = said_by(words, monkeypatch, encoding)
            assert out, (words, err)
            assert not RAW.search(out + err)


def test_markup_of_rich_in_a_title_is_text() -> None:
    out = io.StringIO()
    show([Table((Column("a", "[red]a"),), ((Cell("[/]b"),),), "[bold]t", ("[link=x]n",))], "table", file=out)
    assert all(text in out.getvalue() for text in ("[red]a", "[/]b", "[bold]t", "[link=x]n"))
    assert Text.from_markup("[red]a").plain == "a", "which rich would have obeyed"


def test_files_named_by_bytes_that_are_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    hostile_run(tmp_path / "results", os.fsdecode(b"r\xff\x1b"), "m", "A")
    for words in (["leaderboard"], ["score", os.fsdecode(b"r\xff\x1b")], ["score", os.fsdecode(b"q\xff")]):
        out, err = said_by(words, monkeypatch, "utf-8")
        assert out + err and not RAW.search(out + err)
