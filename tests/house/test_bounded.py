"""Strangers' YAML, JSON, cards, logs and rows: one sentence that names the file, never a traceback, never a bomb."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from task_data import write_jsonl

from tvbench.cli.main import main
from tvbench.data.sources import open_rows
from tvbench.errors import UsageError
from tvbench.graders.judge.rubric import read_rubric
from tvbench.registry import catalog
from tvbench.runs.store import find_runs
from tvbench.safety import bounded
from tvbench.safety.bounded import json_value, read_json, read_yaml, yaml_value

Said = pytest.CaptureFixture[str]
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)

YAML = {
    "laughs": (LAUGHS, "stand for more than"),
    "cycle": ("a: &a [*a]\n", "holds itself"),
    "cycle of a mapping": ("a: &a {b: *a}\n", "holds itself"),
    "merge bomb": ("a: &a {b: 1}\nc: {<<: *c}\n", "alias"),
    "deep flow": ("[" * 100_000, "nested"),
    "deep block": ("- " * 10_000 + "x", "nested"),
    "deep mappings": ("{a: " * 5_000, "nested"),
    "twice": ("a: 1\na: 2\n", "given twice"),
    "huge number": ("a: " + "9" * 10_000, "does not fit"),
    "no date": ("a: 2026-13-45\n", "does not fit"),
    "bad bool": ("a: !!bool x\n", "does not fit"),
    "bad int": ("a: !!int ''\n", "does not fit"),
    "bad time": ("a: !!timestamp x\n", "does not fit"),
    "bad binary": ("a: !!binary a\n", "base64"),
    "code": ("a: !!python/object/apply:os.system [true]\n", "could not determine a constructor"),
    "unhashable": ("? [a]\n: b\n", "unhashable"),
    "unclosed": ("a: [\n", "expected"),
    "nul": ("a: \x00\n", "control"),
    "merge": ("<<: 3\n", "merg"),
    "no anchor": ("a: *b\n", "alias"),
    "two documents": ("a: 1\n---\nb: 2\n", "document"),
}


@pytest.mark.parametrize("name", YAML)
def test_yaml_within_bounds_or_in_one_line(name: str) -> None:
    text, said = YAML[name]
    with pytest.raises(ValueError, match=said) as raised:
        yaml_value(text)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 500


def test_yaml_that_is_good() -> None:
    assert yaml_value("a: &a [1, 2]\nb: *a\nc: {<<: {d: 1}, e: .nan}\n")["b"] == [1, 2]
    assert yaml_value("a: 1\na: 2\n", twice=True) == {"a": 2} and yaml_value("") is None


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 60 + "]" * 60,
        '{"a":' * 60 + "1" + "}" * 60,
        "9" * 10_000,
        "{",
        "",
        "nul",
        "[1,]",
        '"\\u12"',
    ],
)
def test_json_within_bounds(text: str) -> None:
    for given in (text, text.encode()):
        with pytest.raises(ValueError):
            json_value(given)
    assert json_value("[" * 50 + "]" * 50) and json_value(json.dumps([[1]] * 100))


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1]}',
        '{"a":1}\n',
        " 1",
        "1 \n",
        "[1]\r\n",
        "",
        "\n",
        "1 2",
        "1,",
        '{"a"}',
        "nul",
        "\ufeff1",
        "NaN",
        '"\x01"',
    ],
)
def test_a_json_text_is_read_as_json_reads_it(text: str) -> None:
    def read(how: Callable[[str], Any]) -> str:
        try:
            return repr(how(text))
        except ValueError as error:
            return f"{type(error).__name__}: {error}"

    assert read(json_value) == read(json.loads)


def test_files_that_are_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MOST_YAML", 10)
    path = tmp_path / "x"
    for content, said in ((b"\xff\xfe", "UTF-8"), (b"a: 12345678901", "more than")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=said):
            read_yaml(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match="ordinary"):
        read_json(path)


# ── Cards ─────────────────────────────────────────────────────────────────────────────────────────

CARDS: dict[str, str] = {
    **{name: f"hub: org/x\n{text}" for name, (text, _) in YAML.items()},
    "notes list": "hub: org/x\nnotes: [a]\n",
    "hub number": "hub: 3\n",
    "hub null": "hub:\n",
    "hub nul": 'hub: "a\\0b"\n',
    "folder nul": 'folder: "a\\0b"\n',
    "folder user": "folder: ~nobody-of-that-name/x\n",
    "folder device": "folder: /dev\n",
    "folder gone": "folder: nowhere\n",
    "two kinds": "hub: org/x\nserver: y\nurl: http://127.0.0.1:9\n",
    "server alone": "server: x\n",
    "url list": "server: x\nurl: [a]\n",
    "url odd": "server: x\nurl: 'http://[::1'\n",
    "url password": "server: x\nurl: http://a:b@127.0.0.1:9\n",
    "url script": "server: x\nurl: javascript:1\n",
    "parameters": f"hub: org/x\nparameters: {'9' * 4000}\n",
    "parameters nan": "hub: org/x\nparameters: .nan\n",
    "prices": f"hub: org/x\nprices: {{input: {'9' * 4000}, output: 1}}\n",
    "prices nan": "hub: org/x\nprices: {input: .nan, output: .inf}\n",
    "aliases": "hub: org/x\naliases: {a: b}\n",
    "alias null": "hub: org/x\naliases: [null]\n",
    "no": "hub: org/x\nlanguages: [no]\n",
    "chat date": "hub: org/x\nchat: {a: 2026-01-01}\n",
    "chat bytes": "hub: org/x\nchat: {a: !!binary aGk=}\n",
    "chat set": "hub: org/x\nchat: {a: !!set {x}}\n",
    "chat keys": "hub: org/x\nchat: {a: {1: 2}}\n",
    "chat text": "hub: org/x\nchat: text\n",
    "numerics list": "hub: org/x\nnumerics: [1]\n",
    "engine": "hub: org/x\nengine: {vllm: [1]}\n",
    "engine unknown": "hub: org/x\nengine: {rocket: {}}\n",
    "engine code": "hub: org/x\nengine: {vllm: {trust_remote_code: true}}\n",
    "engine class": "hub: org/x\nengine: {vllm: {worker_cls: os.system}}\n",
    "unknown key": "hub: org/x\nrm: -rf\n",
    "long": f"hub: org/x\nnotes: {'x' * 100_000}\n",
    "name list": "hub: org/x\nname: [a]\n",
    "name path": "hub: org/x\nname: ../../x\n",
    "revision": "hub: org/x\nrevision: 1e10\n",
    "hub path": "hub: ../../etc\n",
    "builtin": "builtin: ../../../etc\n",
    "number": "hub\n",
    "list": "- hub: x\n",
}


@pytest.mark.parametrize("name", CARDS)
def test_hostile_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said, name: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "evil.yaml").write_text(CARDS[name])
    monkeypatch.chdir(tmp_path)
    catalog._models.cache_clear()
    for words in (
        ["models"],
        ["models", "--format", "json"],
        ["models", "show", "evil"],
        ["models", "show", "evil", "--format", "json"],
        ["run", "--model", "evil", "--tasks", "mini-alm:de", "--limit", "1", "--dry-run", "--offline"],
    ):
        assert main(words) in (0, 1, 2)
        said = capsys.readouterr().err
        assert len(said) < 2500 and said.count("\n") < 12
    assert main(["models", "show", "qwen2.5-vl-3b"]) == 0, "the others are as they were"
    catalog._models.cache_clear()


def test_a_card_may_be_no_file_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "folder.yaml").mkdir(parents=True)
    os.mkfifo(tmp_path / "models" / "pipe.yaml")
    (tmp_path / "models" / "bytes.yaml").write_bytes(b"hub: org/x\nnotes: \xff\n")
    with (tmp_path / "models" / "large.yaml").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "models" / "loop.yaml").symlink_to("loop.yaml")
    monkeypatch.chdir(tmp_path)
    assert main(["models"]) == 0


# ── Logs of lmms-eval ─────────────────────────────────────────────────────────────────────────────

DOC = {"en": "A dog.", "de": "Ein Hund."}
ROW = {"doc_id": 0, "doc": DOC, "filtered_resps": ["Ein Hund."], "target": "Ein Hund.", "input": "Translate\nA dog."}
RESULTS: dict[str, Any] = {
    "results": {"multi30k-de": {"bleu,none": 1.0}},
    "model_name": "org/model",
    "n-samples": {"multi30k-de": {"effective": 2}},
}


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def with_results(**changes: Any) -> tuple[Any, Any]:
    return {**RESULTS, **changes}, [ROW, {**ROW, "doc_id": 1}]


def with_row(**changes: Any) -> tuple[Any, Any]:
    return RESULTS, [ROW, {**ROW, "doc_id": 1, **changes}]


LOGS: dict[str, tuple[Any, Any]] = {
    "results list": with_results(results=[]),
    "results null": with_results(results=None),
    "results of lists": with_results(results={"multi30k-de": [1]}),
    "results deep": with_results(extra=deep(60)),
    "metric huge": with_results(results={"multi30k-de": {"bleu": 10**400, "x": float("nan"), "y": float("inf")}}),
    "groups number": with_results(group_subtasks={"g": 7}),
    "groups odd": with_results(group_subtasks={"g": [[1], {}, 2]}),
    "groups list": with_results(group_subtasks=[1]),
    "configs": with_results(configs={"multi30k-de": [1]}),
    "data path": with_results(configs={"multi30k-de": {"dataset_path": {"a": [1]}}}),
    "samples huge": with_results(**{"n-samples": {"multi30k-de": {"effective": 10**18}}}),
    "samples negative": with_results(**{"n-samples": {"multi30k-de": {"effective": -5}}}),
    "samples true": with_results(**{"n-samples": {"multi30k-de": {"effective": True}}}),
    "samples text": with_results(**{"n-samples": {"multi30k-de": "two"}}),
    "samples more": with_results(**{"n-samples": {"multi30k-de": {"effective": 9}}}),
    "model list": with_results(model_name=["a"]),
    "model path": with_results(model_name="../../../etc/x"),
    "model long": with_results(model_name="x" * 5000),
    "model half": with_results(model_name="a\ud83d"),
    "model arguments": with_results(model_name=None, config={"model_args": {"pretrained": [1]}}),
    "task path": with_results(results={"../../x": {}, "/etc/passwd": {}, "a\0b": {}, "x" * 5000: {}, "": {}}),
    "version": with_results(lmms_eval_version={"a": 1}, git_hash=[2]),
    "row id text": with_row(doc_id="1"),
    "row id huge": with_row(doc_id=10**30),
    "row id null": with_row(doc_id=None),
    "row id twice": with_row(doc_id=0),
    "row id negative": with_row(doc_id=-1),
    "row doc list": with_row(doc=[1]),
    "row doc numbers": with_row(doc={"en": 1, "de": {"a": [2]}}),
    "row doc null": with_row(doc={"en": None, "de": None}),
    "row doc of another task": with_row(doc={"question": "x"}),
    "row answer object": with_row(filtered_resps={"a": 1}),
    "row answer deep": with_row(filtered_resps=deep(40)),
    "row deep": with_row(extra=deep(5000 // 100)),
    "row answer null": with_row(filtered_resps=None),
    "row answer half": with_row(filtered_resps=["\ud83d"]),
    "row metrics": with_row(bleu={"a": 10**400, "b": {"c": "d"}}),
    "row input list": with_row(input=[1], doc=None),
    "row target object": with_row(target={"a": 1}, doc=None),
    "rows lists": (RESULTS, [[1], 2, None, "x"]),
    "rows empty": (RESULTS, []),
    "rows bytes": (RESULTS, b"\xff\xfe\n"),
    "rows cut": (RESULTS, b'{"doc_id": 0, "do'),
    "rows deep": (RESULTS, b"[" * 100_000 + b"\n"),
    "rows gzip": (RESULTS, b"\x1f\x8b\x08\x00"),
    "results cut": (b'{"results": {', [ROW]),
    "results bytes": (b"\xff", [ROW]),
    "results empty": (b"", [ROW]),
    "results nested": (b"[" * 100_000, [ROW]),
    "results number": (b"9" * 10_000, [ROW]),
}


def write_log(folder: Path, results: Any, rows: Any, task: str = "multi30k-de") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = results if isinstance(results, bytes) else json.dumps(results).encode()
    (folder / "20250101_000000_results.json").write_bytes(content)
    lines = rows if isinstance(rows, bytes) else "".join(json.dumps(row) + "\n" for row in rows).encode()
    (folder / f"20250101_000000_samples_{task}.jsonl").write_bytes(lines)


@pytest.mark.parametrize("name", LOGS)
def test_hostile_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_log(tmp_path / "logs" / "evil", *LOGS[name])
    write_log(tmp_path / "logs" / "good", {**RESULTS, "model_name": "org/good"}, [ROW, {**ROW, "doc_id": 1}])
    assert main(["import", "lmms-eval", "logs"]) in (0, 1)
    said = capsys.readouterr()
    assert "good" in said.out, "the other log is read"
    assert len(said.err) < 20_000
    for run in find_runs(tmp_path / "results"):
        assert main(["score", str(run.path)]) in (0, 1)
    assert main(["leaderboard"]) == 0
    assert not [path for path in tmp_path.parent.iterdir() if path.name == "x"]


def test_a_bad_row_is_named_by_its_own_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("one", "two", "three")):
        rows = [ROW, ROW, ROW]
        rows[number] = {**ROW, "doc_id": f"bad {name}"}
        write_log(tmp_path / "logs" / name, {**RESULTS, "model_name": name}, rows)
    assert main(["import", "lmms-eval", "logs"]) == 1
    lost = [line for line in capsys.readouterr().err.splitlines() if "bad " in line]
    for number, name in enumerate(("one", "two", "three"), 1):
        assert [
            line
            for line in lost
            if f"bad {name}" in line and f"{name}/20250101_000000_samples_multi30k-de.jsonl:{number}" in line
        ], lost


# ── Rows, mixtures, recipes, rubrics, figures ─────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '{"a": ' * 60 + "1" + "}" * 60, '{"a": ' + "9" * 5000 + "}", "[1]", "null", '{"a"']
)
def test_a_bad_row_of_data_is_named(tmp_path: Path, line: str) -> None:
    write_jsonl(tmp_path / "test.jsonl", [{"a": 1}])
    (tmp_path / "test.jsonl").open("a").write(line + "\n")
    with pytest.raises(UsageError, match=r"test.jsonl:2 is not"):
        open_rows("org/name", split="test", data=tmp_path)


def test_odd_values_in_rows_are_items_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd: list[Any] = [None, [], {}, [None], 7, float("nan"), True, "", "\ud83d", {"bytes": [1]}, [[1]], "x" * 100_000]
    good = {"en": "A dog.", "de": "Ein Hund.", "image": None}
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "data" / "test.jsonl", [])
    rows = [good, *({**good, column: value} for column in good for value in odd)]
    (tmp_path / "data" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["run", "--model", "tower-mini", "--tasks", "multi30k:de", "--data", "data", "--dry-run"]) == 0


def as_recipe(path: Path) -> list[str]:
    return ["train", "--recipe", str(path), "--dry-run"]


def as_mixture(path: Path) -> list[str]:
    return ["train", "--recipe", "mini", "--data", str(path), "--dry-run"]


def as_suite(path: Path) -> list[str]:
    return ["run", str(path), "--dry-run"]


@pytest.mark.parametrize("name", [*YAML, "number", "list", "empty"])
@pytest.mark.parametrize("use", [as_recipe, as_mixture, as_suite])
def test_hostile_yaml_elsewhere(tmp_path: Path, capsys: Said, use: Callable[[Path], list[str]], name: str) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text(YAML[name][0] if name in YAML else {"number": "3", "list": "[1]", "empty": ""}[name])
    assert main(use(path)) == 2
    assert "evil.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("name", YAML)
def test_hostile_published_figures_are_warned_of(tmp_path: Path, capsys: Said, name: str) -> None:
    (tmp_path / "results" / "published").mkdir(parents=True)
    (tmp_path / "results" / "published" / "evil.yaml").write_text(YAML[name][0])
    assert main(["leaderboard", "--results", str(tmp_path / "results")]) in (0, 1, 2)
    assert "evil.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("name", YAML)
def test_hostile_rubrics(tmp_path: Path, name: str) -> None:
    (tmp_path / "evil.yaml").write_text(YAML[name][0])
    with pytest.raises(UsageError, match=r"evil.yaml"):
        read_rubric(tmp_path / "evil.yaml")
