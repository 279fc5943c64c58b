"""Task files by their path, folders of one's own, and the digest by which a stranger's file stands in a run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from chat_server import chat_server

from tvbench.cli.main import main
from tvbench.errors import UsageError
from tvbench.registry import catalog, places, selection
from tvbench.runs.signature import read_signature
from tvbench.runs.store import find_runs

FILE = """
from tvbench.data.authoring import user_message
from tvbench.types import Item, Opened, Short, Task

def rows(ask):
    return Opened([(code, n) for code in ask.languages for n in range(2)], "mine@1")

def item(row, ask):
    return Item(f"{{row[0]}}/{{row[1]}}", ask.task, row[0], user_message(f"What {{row[1]}}?"), Short(("x",)))

TASKS = [Task(name, "1", name, source=rows, item=item, languages=("de", "fr"), primary="accuracy",
              metrics=("accuracy",), modality="text") for name in {names}]
"""
CARD = "name: mine\nserver: my-model\nurl: http://127.0.0.1:9/v1\n"


def written(path: Path, *names: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FILE.format(names=list(names)))
    return path


def selected(text: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(task.name, codes) for task, codes in selection.select(text)]


def test_a_path_stands_for_the_tasks_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "some.py", "one", "two")
    monkeypatch.chdir(tmp_path)
    for name in (str(path), "./some.py", "some.py", "../" + tmp_path.name + "/some.py"):
        assert selected(name) == [("one", ()), ("two", ())]
    assert selected("./some.py:de+German+French") == [("one", ("de", "fr")), ("two", ("de", "fr"))]
    assert selected("./some.py:de,./some.py:fr")[0] == ("one", ("de", "fr"))
    assert [name for name, _ in selected("mini,./some.py")][-2:] == ["one", "two"]
    with pytest.raises(UsageError, match="unknown task 'one'"):
        catalog.task("one")


@pytest.mark.parametrize("folder", ["a, b", "a:b", "a b,c:d,", "mini,mini", "ü+ö@v=1"])
def test_commas_and_colons_in_the_path_of_a_file_are_part_of_it(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / folder / "some.py", "one")
    written(tmp_path / "other.py", "two")
    monkeypatch.chdir(tmp_path)
    for name in (f"./{folder}/some.py", str(tmp_path / folder / "some.py")):
        assert selected(name) == [("one", ())]
        assert selected(f"{name}:de+French") == [("one", ("de", "fr"))]
        assert selected(f"./other.py:fr, {name}:de,./other.py:de") == [("two", ("fr", "de")), ("one", ("de",))]


@pytest.mark.parametrize(("text", "said"), [
    ("./gone.py", "there is no task file"), ("./folder/", "is a folder(.|\n)*--include-path"),
    ("./none.py", "is no task file"), ("./broken.py", "cannot be used: ZeroDivisionError"),
    ("./some.py:it", "unknown language of one 'it'"), ("./some.py,./other.py", "two tasks are called one"),
    ("mini-alm,./mine.py", "two tasks are called mini-alm"),
])  # fmt: skip
def test_paths_that_do_not_do(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, task in (("some", "one"), ("other", "one"), ("mine", "mini-alm")):
        written(tmp_path / f"{name}.py", task)
    (tmp_path / "folder").mkdir()
    (tmp_path / "none.py").write_text("x = 1\n")
    (tmp_path / "broken.py").write_text("import tvbench\nTASK = 1 / 0\n")
    with pytest.raises(UsageError, match=said):
        selection.select(text)


@pytest.mark.parametrize("by", ["option", "environment"])
def test_a_folder_of_ones_own_has_tasks_and_cards(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "house"
    written(folder / "some.py", "one")
    written(folder / "tasks" / "more.py", "two")
    (folder / "mine.yaml").write_text(CARD)
    option = ["--include-path", str(folder)]
    if by == "environment":
        monkeypatch.setenv(places.INCLUDE, str(folder))
        option = []
    for name in ("one", "two"):
        assert main(["tasks", "show", name, "--format", "json"] if not option else
                    ["tasks", *option, "show", name, "--format", "json"]) == 0  # fmt: skip
        assert json.loads(capsys.readouterr().out)["name"] == name
    words = [
        "run",
        *option,
        "--model",
        "mine",
        "--tasks",
        "one:de",
        "--dry-run",
        "--results",
        str(tmp_path / "results"),
    ]
    assert main(words) == 0
    assert "m--one" in capsys.readouterr().out.replace("mine--", "m--")
    assert catalog.resolve_model("mine").nearby, "its server gets no key"
    places.include(())


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--model", "tower-mini", "--tasks", "mini", "--dry-run", "--include-path", str(tmp_path / "gone")]
    assert main(words) == 2
    assert "there is no folder" in capsys.readouterr().err
    places.include(())


def test_another_file_of_that_name_is_another_benchmark(tmp_path: Path) -> None:
    path, results = written(tmp_path / "mine.py", "one"), tmp_path / "results"
    with chat_server() as server:
        words = ["run", "--quiet", "--results", str(results), "--model", server.model, "--tasks", str(path)]
        for _ in range(2):
            assert main(words) == 0
        (first,) = find_runs(results)
        path.write_text(path.read_text() + "\n# another\n")
        assert main(words) == 0
        assert len(find_runs(results)) == 2
    codes = {read_signature((run.result() or [])[0].signature)["code"] for run in find_runs(results)}
    assert len(codes) == 2 and all(len(code) == 12 for code in codes) and first.path.exists()
    assert not any(task.code for task in catalog.tasks().values())


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("languages=None", "`languages` is a tuple"),
        ("splits=3", "`splits` is a tuple"),
        ('settings=("x",)', "`settings` maps names"),
        ('split_aliases=("a",)', "split_aliases is no mapping"),
        ('split_languages={"test": "de"}', "split_languages.'test'. is no tuple"),
        ('modality="audio"', "modality is 'audio'"),
        ("title=None", "title is no text"),
        ("group=3", "group is no text"),
        ('data="org/name"', "data is no tuple"),
        ('more_languages="no"', "more_languages is no True or False"),
        ('tokens_per_answer="x"', "tokens_per_answer is no whole number"),
    ],
)
def test_a_declaration_of_another_kind_is_refused_and_hides_nothing(
    field: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = field.partition("=")[0]
    declared = {"languages": '("de",)', "splits": '("test",)', "title": '"t"'} | {name: field.partition("=")[2]}
    words = ", ".join(f"{key}={value}" for key, value in declared.items())
    path = tmp_path / "odd.py"
    path.write_text(
        "from tvbench.types import Task\n"
        f'TASK = Task(name="odd", version="1", source=len, primary="accuracy", {words})\n'
    )
    assert main(["tasks", "check", str(path)]) == 1
    assert re.search(said, capsys.readouterr().out)
    catalog._tasks.cache_clear()
    assert main(["tasks", "--include-path", str(tmp_path)]) == 0
    assert "multi30k" in capsys.readouterr().out
    catalog._tasks.cache_clear()
