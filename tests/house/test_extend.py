"""docs/extend.md: every box of every page is run, as somebody would who types it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from json_schema import problems
from repository import ROOT
from run_folders import task_result, write_run
from task_data import png, write_parquet

from tvbench.safety.bounded import yaml_value

PAGE = ROOT / "docs" / "extend.md"
SECTIONS = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
COMMANDS = ("sh", "console")


def boxes(title: str, *kinds: str) -> list[str]:
    """The boxes of one page, in order."""
    (section,) = (section for section in SECTIONS if section.startswith(title + "\n"))
    found = re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [text for kind, text in found if kind in kinds]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path


def said(place: Path, *words: str, code: int = 0) -> str:
    """What a program writes on both streams, in `place`."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("TVBENCH_")}
    env |= {"HOME": str(place / "home"), "PYTHONPATH": os.pathsep.join((str(ROOT), str(place / "site")))}
    env |= {"COLUMNS": "200", "HF_HUB_OFFLINE": "1", "XDG_CONFIG_HOME": str(place / "home" / ".config")}
    done = subprocess.run(words, cwd=place, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def typed(place: Path, line: str, **options: int) -> str:
    """What a line of a box says: `tvbench ... [> file]`."""
    command, _, target = line.partition("#")[0].partition(">")
    name, *words = shlex.split(command)
    assert name == "tvbench", line
    text = said(place, sys.executable, "-m", "tvbench", *words, **options)
    if target.strip():
        (place / target.strip()).write_text(text, encoding="utf-8")
    return text


def lines(title: str) -> list[str]:
    return [line for box in boxes(title, *COMMANDS) for line in box.splitlines()]


def installed(place: Path, toml: str, modules: dict[str, str]) -> None:
    """A package with the entry points of a box, as installers leave it."""
    info = place / "site" / "my_package-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my_package\nVersion: 1.0\n")
    group, entry = re.fullmatch(r'\[project\.entry-points\."(.*)"\]\n(.*)\n', toml).groups()  # type: ignore[union-attr]
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry.replace(chr(34), '')}\n")
    for name, text in modules.items():
        (place / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "site" / name).write_text(text, encoding="utf-8")


# ── A benchmark ───────────────────────────────────────────────────────────────────────────────────


def signs(place: Path) -> None:
    (place / "signs.py").write_text(boxes("A benchmark", "python")[0], encoding="utf-8")
    rows = [
        {
            "id": str(number),
            "language": code,
            "question": f"Which number is on sign {number}?",
            "answer": str(number),
            "image": {"bytes": png(number), "path": f"{number}.png"},
            "image_name": f"{number}.png",
        }
        for code in ("de", "fr", "pt", "ja")
        for number in range(1, 5)
    ]
    write_parquet(place / "street-signs" / "data" / "test-00000-of-00001.parquet", rows, ("image",))


@pytest.mark.slow
def test_a_benchmark(place: Path) -> None:
    signs(place)
    check, run = lines("A benchmark")
    report = typed(place, check)
    assert "FAILED" not in report and "signs" in report and "Answer with one word or number." in report
    typed(place, run)
    (folder,) = (place / "results").iterdir()
    (result,) = json.loads((folder / "result.json").read_text())["tasks"]
    assert result["counts"]["expected"] == 8 and set(result["breakdowns"]["language"]) == {"de", "fr"}


def test_pictures_inside_a_text(place: Path) -> None:
    (place / "inside.py").write_text(
        boxes("A benchmark", "python")[3]
        + "from tvbench.data.authoring import HubRows\n"
        + "from tvbench.types import Item, Short, Task\n"
        + "def item(row, ask):\n"
        + "    return Item(row.text('id'), ask.task, 'en', (turn(row, ask),), Short(('both',)))\n"
        + "TASK = Task('inside', '1', 'Inside', source=HubRows('my-org/inside', ('id', 'question')), item=item,"
        + " primary='accuracy', metrics=('accuracy',), languages=('en',), splits=('test',))\n"
    )
    row = {f"image_{number}": {"bytes": png(number), "path": f"{number}.png"} for number in (1, 2)}
    rows = [row | {"id": str(number), "question": f"{number}: is <image 2> left of <image 1>?"} for number in range(3)]
    write_parquet(place / "rows" / "test.parquet", rows, ("image_1", "image_2"))
    report = said(place, sys.executable, "-m", "tvbench", "tasks", "check", "./inside.py", "--data", "rows")
    assert "FAILED" not in report
    assert re.search(r"user: 0: is \s*\| <image: .*2.*>\s*\|  left of \s*\| <image: .*1.*>\s*\| \?", report), report


def test_rows_of_a_function(place: Path) -> None:
    (place / "counting.py").write_text(
        boxes("A benchmark", "python")[1]
        + "from tvbench.data.authoring import user_message\n"
        + "from tvbench.types import Item, Short, Task\n"
        + "def item(row, ask):\n"
        + "    code, number = row\n"
        + "    return Item(f'{code}/{number}', ask.task, code, user_message(f'{number}?'), Short((str(number),)))\n"
        + "TASK = Task('numbers', '1', 'Numbers', source=rows, item=item, protocols={'p': 'asks'},"
        + " primary='accuracy', metrics=('accuracy',), languages=('de', 'fr'), modality='text')\n"
    )
    assert "FAILED" not in said(place, sys.executable, "-m", "tvbench", "tasks", "check", "./counting.py")


def test_options_to_choose_from(place: Path) -> None:
    made, item = boxes("A benchmark", "python")[1:3]
    (place / "parity.py").write_text(
        f"{made}\n{item}\n"
        "from tvbench.types import Task\n"
        "TASK = Task('parity', '1', 'Even or odd?', source=rows, item=item, primary='strict', metrics=('strict',),"
        " languages=('de', 'fr'), modality='text')\n"
    )
    report = said(place, sys.executable, "-m", "tvbench", "tasks", "check", "./parity.py")
    assert "FAILED" not in report and "strict 1 for" in report and "| B. " in report


# ── A metric ──────────────────────────────────────────────────────────────────────────────────────


def test_a_function_in_the_task_file(place: Path) -> None:
    (place / "houses.py").write_text(boxes("A metric", "python")[0], encoding="utf-8")
    report = said(place, sys.executable, "-m", "tvbench", "tasks", "check", "./houses.py")
    assert "FAILED" not in report and "houses" in report


def test_a_metric_for_everybody(place: Path) -> None:
    (toml,) = boxes("A metric", "toml")
    installed(place, toml, {"my_package.py": boxes("A metric", "python")[1]})
    task = boxes("A metric", "python")[0]
    for name in ('primary="', 'metrics=("'):
        task = task.replace(f'{name}names_it"', f'{name}missing_words"')
    (place / "houses.py").write_text(task, encoding="utf-8")
    report = said(place, sys.executable, "-m", "tvbench", "tasks", "check", "./houses.py")
    assert "FAILED" not in report and task.count("missing_words") == 2
    assert "missing_words 0 for 2 answers" in report
    (place / "my.py").write_text(
        "from tvbench.scoring.metrics import computable\nfrom tvbench.types import Item, Short\n"
        "item = Item('1', 't', 'en', (), Short(('a red house',)))\n"
        "found = computable('missing_words')\nprint(found.of_item(item, 'a house'), found.better)\n"
    )
    assert said(place, sys.executable, "my.py").split() == [str(1 / 3), "lower"]


# ── An engine ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_an_engine(place: Path) -> None:
    (place / "engines").mkdir()
    engine, trial = boxes("An engine", "python")
    (place / "engines" / "echo.py").write_text(engine, encoding="utf-8")
    shown = [typed(place, line) for line in lines("An engine")]
    assert "echo" in shown[0] and "shout" in shown[1]
    texts = {
        json.loads(line.rpartition("\t")[0] or line)["text"]
        for responses in (place / "results").glob("*/responses.jsonl")
        for line in responses.read_text(encoding="utf-8").splitlines()
    }
    assert any(text.isupper() for text in texts) and not all(text.isupper() for text in texts)
    (place / "test_echo.py").write_text(trial, encoding="utf-8")
    assert "1 passed" in said(place, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_echo.py")


def test_an_engine_of_a_package(place: Path) -> None:
    (toml,) = boxes("An engine", "toml")
    installed(place, toml, {"my_package/__init__.py": "", "my_package/echo.py": boxes("An engine", "python")[0]})
    assert "answers with the prompt" in said(place, sys.executable, "-m", "tvbench", "engines", "show", "echo")


# ── A model card ──────────────────────────────────────────────────────────────────────────────────


def test_a_model_card(place: Path) -> None:
    (place / "models").mkdir()
    card, server = boxes("A model card", "yaml")
    (place / "models" / "my-vlm.yaml").write_text(card, encoding="utf-8")
    (place / "models" / "my-server.yaml").write_text(server, encoding="utf-8")
    show, _run, schema = lines("A model card")
    assert "My VLM 7B" in typed(place, show)
    typed(place, schema)
    rules = json.loads((place / "models" / "card.schema.json").read_text(encoding="utf-8"))
    for text in (card, server):
        assert not list(problems(yaml_value(text), rules))
    assert "my-vlm-large" in said(place, sys.executable, "-m", "tvbench", "models", "show", "my-server")


def test_what_a_wrong_card_is_told(place: Path) -> None:
    (place / "models").mkdir()
    card = boxes("A model card", "yaml")[0]
    (text,) = boxes("A model card", "text")
    first, second = re.split(r"\n(?=model card)", text.strip())
    for wrong, expected in ((card.replace("licence:", "license:"), first), (card.replace("'no'", "no"), second)):
        (place / "models" / "my-vlm.yaml").write_text(wrong, encoding="utf-8")
        told = said(place, sys.executable, "-m", "tvbench", "models", "show", "my-vlm", code=2)
        for part in expected.splitlines():
            assert part.strip().removeprefix("model card models/my-vlm.yaml: ") in told, told


def test_cards_of_a_package(place: Path) -> None:
    (toml,) = boxes("A model card", "toml")
    (module,) = boxes("A model card", "python")
    installed(place, toml, {"my_package/__init__.py": "", "my_package/cards.py": module})
    assert "My VLM 7B" in said(place, sys.executable, "-m", "tvbench", "models", "show", "my-vlm")


# ── The leaderboard's look ────────────────────────────────────────────────────────────────────────


def test_a_page_of_ones_own(place: Path) -> None:
    (place / "results").mkdir()
    for name, value in (("good", 30.0), ("better", 40.0)):
        write_run(place / "results", name, f"{name}-model", task_result("multi30k", primary="bleu", value=value))
    (code,) = boxes("The leaderboard's look", "python")
    (place / "look.py").write_text(code, encoding="utf-8")
    said(place, sys.executable, "look.py")
    page = (place / "leaderboard.html").read_text(encoding="utf-8")
    assert page.index("better-model") < page.index("good-model") and 'font-weight: bold">40.0' in page


def test_no_page_is_left_out() -> None:
    tried = {"A benchmark", "A metric", "An engine", "A model card", "The leaderboard's look"}
    assert {section.partition("\n")[0] for section in SECTIONS} == tried
