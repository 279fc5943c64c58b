"""`tvbench tasks check`: tvbench's own tasks pass it, and what a task file gets wrong is found and named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from task_copies import COPIES, copy_of
from task_data import png

from tvbench.analysis.conformance import Checked, Circumstances, check
from tvbench.cli.main import main
from tvbench.registry import catalog
from tvbench.types import Task

OWN = sorted(name for name, task in catalog.tasks().items() if not task.code)
NOT_TRIED = {
    "alm": {"right answers (official)", "setting unparsed=leave-out"},  # a judge; rows of which no answer is right
    "vimul": {f"setting column.{role}" for role in ("question", "answer", "options", "video", "id", "category")},
}


def outcomes(found: Checked, outcome: str) -> dict[str, str]:
    return {one.check: f"{one.said}; {one.hint}" for one in found.findings if one.outcome == outcome}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in OWN])
def test_tasks_of_our_own_do_what_they_declare(name: str, tmp_path: Path) -> None:
    assert name.startswith("mini-") or name in COPIES, f"write a small copy of {name} into tests/support/task_copies.py"
    data = copy_of(name, tmp_path)
    found = check(catalog.task(name), Circumstances(data, offline=True, limit=2, named=name))
    assert not outcomes(found, "failed")
    assert set(outcomes(found, "not tried")) == NOT_TRIED.get(name, set())
    assert found.good and set(found.prompts) == set(catalog.task(name).protocols)


# ── What strangers get wrong ──────────────────────────────────────────────────────────────────────

FILE = """
import itertools, os
from tvbench.data.authoring import shuffled_choice, user_message
from tvbench.types import Choice, Item, Media, Message, Opened, Setting, Short, Task, scorer

PICTURE = Media("image", "p.png", lambda: {png!r})
COUNT = itertools.count()

def rate(item, text):
    return abs(len(text) - 2) / 2

def part(item, text):
    return 2 / len(text) if len(text) < 3 else 0

def rows(ask):
    split, settings = ask.split, dict(ask.settings)
    return Opened([(code, n, split, settings) for n in range(3) for code in ("de", "fr")], "data@1")

def item(row, ask):
    code, n, split, settings = row
    picture = PICTURE if ask.with_media else None
    {change}
    messages = user_message(f"What is {{n}} of {{split}}?", picture)
    return Item(f"{{code}}/{{n}}", ask.task, code, messages, Short((f"x{{n}}",)))

TASK = Task("mine", "1", "Mine", source=rows, item=item, languages=("de", "fr"), splits=("test", "train"),
            primary="accuracy", metrics=("accuracy",){more})
"""

WRONG: dict[str, tuple[str, str, str, str]] = {
    "nothing": ("pass", "", "", ""),
    "ids": ("n = n % 2", "", "ids", "ids occur more than once"),
    "time": ("n = next(COUNT)", "", "same again", "built twice"),
    "process": ("split = hash('x')", "", "same again", "in another process"),
    "counting": ("split = 'alone' if ask.languages == ('de',) else 'both'", "", "languages", "asked alone, de"),
    "same split": ("split = 'test'", "", "split train", "the same items as test"),
    "dead setting": ("pass", ", settings={'dead': Setting('nothing', 1)}", "setting dead=2", "changes nothing"),
    "other words": ("split = split if ask.with_media else 'blind'", "", "without media", "the words of item"),
    "no pictures": ("picture = None", "", "without media", "declare modality"),
    "broken picture": ("picture = Media('image', 'p.png', lambda: b'no picture')", "", "media", "p.png"),
    "unknown metric": ("pass", ", primaries={'tvbench': 'acuracy'}", "declaration", "acuracy"),
    "wrong target": (
        "return Item(f'{code}/{n}', ask.task, code, user_message('?', picture), Choice(('a', 'b'), 0, 'b'))",
        ", primaries={'tvbench': 'aligned'}", "right answers (tvbench)", "`target` is another option than `gold`",
    ),
    "unreachable": ("return Item(f'{code}/{n}', ask.task, code, user_message('?', picture), Short(('',)))", "",
                    "right answers (tvbench)", "of 1"),
    "another's metric": ("pass", ", primaries={'tvbench': 'bleu'}", "right answers (tvbench)",
                         "bleu has no value for them; metrics of Short: accuracy"),
    "a metric of nobody": ("pass", ", primaries={'tvbench': 'zzz'}", "declaration", "Is the package that brings it"),
    "a text for a tuple": ("return Item(f'{code}/{n}', ask.task, code, user_message('?', picture), Short('x'))", "",
                           "data", "target.answers is no tuple"),
    "past a fraction": ("pass", ", primaries={'tvbench': 'rate'}, scorers={'rate': scorer(rate, better='lower')}",
                        "right answers (tvbench)", "a fraction is 0 to 1: return 1 at most"),
    "nothing answered": ("pass", ", primaries={'tvbench': 'part'}, scorers={'part': part}",
                         "right answers (tvbench)", "part has no value for the reply '' to"),
    "no such option": ("shuffled_choice(('a', 'b'), 'a', 'x', 0)", "", "data", "by its place, 0 to 1, not by 'a'"),
    "a scorer that fails": ("pass", ", scorers={'mine': lambda item, text: 1 / 0}", "right answers (tvbench)",
                            "mine fails on 4 of 4 right answers (de/0, fr/0, de/1, ...): mine failed: Zero"),
    "a scorer of words": ("pass", ", scorers={'mine': lambda item, text: text}", "right answers (tvbench)",
                          "a str: return a number"),
    "undeclared language": ("code = 'cs'", "", "data", "which the task does not declare"),
    "all problems": ("raise ValueError('no answer')", ", ", "data", "nothing says what language"),
}  # fmt: skip


def written(folder: Path, change: str, more: str) -> Path:
    path = folder / "mine.py"
    path.write_text(FILE.format(png=png(), change=change, more=more.rstrip(" ,")))
    return path


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_found_and_said(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, more, where, said = WRONG[kind]
    code = main(["tasks", "check", str(written(tmp_path, change, more)), "--limit", "2", "--format", "json"])
    (found,) = json.loads(capsys.readouterr().out)
    wrong = {one["check"]: f"{one['said']}; {one['hint']}" for one in found["findings"] if one["outcome"] != "ok"}
    if not where:
        assert code == 0 and found["good"] and not wrong
        return
    assert any(part in wrong[where] for part in said.split("|")), wrong
    if kind != "dead setting":
        assert code == 1 and not found["good"]


def test_the_report_shows_prompts_and_what_to_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "check", str(written(tmp_path, "n = n % 2", ""))]) == 1
    shown = capsys.readouterr().out
    assert "FAILED    ids" in shown and "make ids of what tells rows apart" in shown
    assert "| user: <image: p.png>" in shown and "| What is 0 of test?" in shown
    assert shown.rstrip().endswith("checks failed")


@pytest.mark.parametrize(("text", "code", "said"), [
    ("import tvbench\nTASK = 3\n", 1, "cannot be used"), ("import tvbench\nTASK = (\n", 1, "SyntaxError"),
    ("from tvbench.types import Task\nTASK = Task('x', '1', 'X', primary='accuracy')\n", 1, "needs a `source`"),
    ("from tvbench.types import Task\nTASK = Task(\n    nme='x')\n", 1, "nme"), ("x = 1\n", 2, "is no task file"),
    (None, 2, "there is no task file"),
])  # fmt: skip
def test_files_that_are_none(
    text: str | None, code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    assert main(["tasks", "check", str(path)]) == code
    shown = capsys.readouterr()
    assert said in shown.out + shown.err


def test_without_data_nothing_is_called_good(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["tasks", "check", "ocrbench", "--data", str(tmp_path / "nowhere")]) == 1
    assert "not tried data" in capsys.readouterr().out


def test_a_task_of_this_process_alone_is_checked_too() -> None:
    (task,) = (one for one in [catalog.task("mini-alm")])
    found: Any = check(task, Circumstances(limit=1))
    assert isinstance(task, Task) and found.good
