"""A maintainer who wants a regression check: a repository of its own, a committed baseline, the steps of action.yml."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from action_steps import Job, play
from installed import User, build_wheel
from PIL import Image
from pupils import Pupil, serving
from repository import ROOT

pytestmark = pytest.mark.slow

ACTION = ROOT / "action.yml"
QUESTIONS = 80
OPTIONS = {"de": ("Rock", "Hose", "Hut", "Schal"), "hi": ("स्कर्ट", "पतलून", "टोपी", "दुपट्टा")}
ASKED = {"de": "Was ist Nummer {:03}?", "hi": "संख्या {:03} क्या है?"}


def answers() -> dict[str, str]:
    """Question by question, its answer."""
    return {ASKED[code].format(n): OPTIONS[code][n * 7 % 4] for code in ASKED for n in range(QUESTIONS)}


def bench(folder: Path) -> None:
    """The maintainer's own questions: a table and pictures."""
    (folder / "pictures").mkdir(parents=True)
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file_name", "language", "question", "options", "answer"])
        for number in range(QUESTIONS):
            name = f"pictures/{number}.png"
            Image.new("RGB", (16, 16), (number, 3 * number, 255 - number)).save(folder / name)
            for code, question in ASKED.items():
                asked = question.format(number)
                table.writerow([name, code, asked, "; ".join(OPTIONS[code]), answers()[asked]])


@dataclass
class Gate:
    """The repository, the server of the model, and what every play of the action is given."""

    user: User
    pupil: Pupil
    wheel: Path
    played: int = 0

    @property
    def folder(self) -> Path:
        return self.user.folder / "repository"

    def play(self, **given: str) -> Job:
        """The action as a workflow's `with:` has it, in an environment that has tvbench's dependencies alone. tvbench
        is installed once; then it is on the path."""
        self.played += 1
        inputs = {"baseline": "baselines/main.json", "install": f"--no-index --no-deps {self.wheel}"}
        environ = self.user.environment | {"PYTHONPATH": sysconfig.get_path("purelib")}
        if self.played > 1:
            inputs["install"] = "none"
            environ["PATH"] = f"{self.user.folder / 'runner-1' / 'tvbench' / 'bin'}:{environ['PATH']}"
        inputs |= {name.replace("_", "-"): text for name, text in given.items()}
        return play(ACTION, self.folder, inputs, environ, self.user.folder / f"runner-{self.played}")


@pytest.fixture
def gate(user: User) -> Iterator[Gate]:
    folder = user.folder / "repository"
    bench(folder / "bench")
    wheel = build_wheel(user.folder / "wheel")
    with serving(Pupil("vlm", answers(), 0.9)) as (pupil,):
        made = Gate(user, pupil, wheel)
        words = ("--model", pupil.model, "--tasks", "./repository/bench", "--results", "first", "--format", "json")
        made_run = json.loads(user.types("run", *words, "--quiet"))["path"]
        user.types("baseline", "write", made_run, "repository/baselines/main.json")
        for command in (
            ["init", "-q"],
            ["add", "."],
            ["-c", "user.name=m", "-c", "user.email=m@m", "commit", "-qm", "gate"],
        ):
            subprocess.run(["git", *command], cwd=folder, check=True)
        yield made


def test_the_gate_says_yes_no_and_cannot_tell(gate: Gate) -> None:
    asked = {"model": gate.pupil.model, "tasks": "./bench"}

    good = gate.play(**asked, results="good")
    assert (good.code, good.outputs["verdict"], good.outputs["exit-code"]) == (0, "pass", "0"), good.log
    assert good.ran == ["Install", "Run", "Check"]
    assert "### tvbench check: PASS" in good.summary and "::notice title=tvbench check" in good.log

    gate.pupil.knows = 0.5
    bad = gate.play(**asked, results="bad")
    assert (bad.code, bad.outputs["verdict"], bad.outputs["exit-code"]) == (3, "fail", "3"), bad.log
    titles = re.findall(r"^::error title=(.*?)::", bad.log, re.MULTILINE)
    assert any("German" in title for title in titles) and any("Hindi" in title for title in titles), bad.log
    failed = ElementTree.parse(gate.folder / bad.outputs["junit"]).findall(".//failure")
    assert len(failed) >= 3
    comment = (gate.folder / bad.outputs["markdown"]).read_text(encoding="utf-8")
    assert comment.startswith("<!-- tvbench check") and "FAIL" in comment.splitlines()[1]
    assert json.loads((gate.folder / bad.outputs["json"]).read_text(encoding="utf-8"))["outcome"] == "fail"
    between = re.findall(r"^::stop-commands::(\w{32})$(.*?)^::\1::$", bad.log, re.MULTILINE | re.DOTALL)
    assert any("FAIL" in text for _, text in between), "the screen is shown where nothing is a command"

    gate.pupil.knows = 0.87
    unsure = gate.play(**asked, results="unsure")
    assert (unsure.code, unsure.outputs["verdict"]) == (0, "cannot tell"), unsure.log
    assert "::warning title=" in unsure.log and "::error" not in unsure.log
    strict = gate.play(run=unsure.outputs["run"], strict="true")
    assert (strict.code, strict.outputs["verdict"], strict.ran) == (3, "cannot tell", ["Install", "Check"]), strict.log

    rules = "{margin: 60, resolution: 100, diagnoses: {unparsed: null, wrong_script: null}}"
    (gate.folder / "policy.yaml").write_text(rules, encoding="utf-8")
    wide = gate.play(run=bad.outputs["run"], policy="policy.yaml", reports="wide reports")
    assert wide.code == 0 and wide.outputs["junit"].startswith("wide reports/"), wide.log
    lost = gate.play(run=bad.outputs["run"], baseline="baselines/lost.json")
    assert (lost.code, lost.outputs["verdict"], lost.outputs["exit-code"]) == (2, "", "2"), lost.log


# ── Nothing that is typed is run ──────────────────────────────────────────────────────────────────

EVIL = "$(touch pwned) `touch pwned` \"; touch pwned; ' && touch pwned # * \\ --x=${HOME}"
TOLD = """#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word"; done >> words
printf '\\n' >> words
echo '{"path": "results/made"}'
"""


def test_inputs_reach_commands_as_single_words_and_no_shell(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tvbench").write_text(TOLD)
    (tmp_path / "bin" / "tvbench").chmod(0o755)
    workspace = tmp_path / "work space"
    workspace.mkdir()
    given = dict.fromkeys(("model", "baseline", "tasks", "languages", "policy", "margin", "results"), EVIL)
    given |= {"install": "none", "run-args": "--limit 5 'a b' \"$(touch pwned)\"", "check-args": "* $HOME"}
    environ = {"PATH": f"{tmp_path / 'bin'}:/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    job = play(ACTION, workspace, given, environ, tmp_path / "temp")
    assert job.code == 0, job.log
    assert not list(tmp_path.rglob("pwned"))
    asked, checked = (line.split("\0")[:-1] for line in (workspace / "words").read_text().splitlines())
    assert asked[:4] == ["run", f"--model={EVIL}", f"--tasks={EVIL}", f"--results={EVIL}"]
    assert asked[-4:] == ["--limit", "5", "a b", "$(touch pwned)"] and f"--languages={EVIL}" in asked
    assert checked[:3] == ["check", f"--against={EVIL}", f"--results={EVIL}"]
    assert checked[-4:] == ["*", "$HOME", "--", "results/made"]
    assert job.outputs["run"] == "results/made"


def test_a_name_cannot_add_an_output(tmp_path: Path) -> None:
    (tmp_path / "tvbench").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "tvbench").chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/local/bin:/usr/bin:/bin"}
    given = {"install": "none", "run": "a\nverdict=pass\nb", "baseline": "x"}
    job = play(ACTION, tmp_path, given, environ, tmp_path / "temp")
    assert (job.code, job.outputs["run"], job.outputs["verdict"]) == (3, "a\nverdict=pass\nb", "")


def test_words_that_cannot_be_split_stop_the_step(tmp_path: Path) -> None:
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    given = {"install": "none", "model": "m", "baseline": "x", "run-args": "'unclosed"}
    job = play(ACTION, tmp_path, given, environ, tmp_path / "temp")
    assert job.code and job.ran == ["Install", "Run"] and "No closing quotation" in job.log


# ── The file itself ───────────────────────────────────────────────────────────────────────────────


def action() -> dict[str, dict[str, object]]:
    read: dict[str, dict[str, object]] = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    return read


def test_no_input_stands_in_a_script() -> None:
    steps = action()["runs"]["steps"]
    assert isinstance(steps, list)
    for step in steps:
        assert "${{" not in step.get("run", "")
        assert "run" not in step or step["shell"] == "bash"


def test_every_input_and_output_is_described_and_used() -> None:
    text = ACTION.read_text(encoding="utf-8")
    for name, told in action()["inputs"].items():
        assert isinstance(told, dict) and told["description"], name
        assert f"inputs.{name}" in text, f"{name} is never used"
        assert isinstance(told.get("default", ""), str), f"{name}: defaults are strings"
    outputs = action()["outputs"]
    assert all(isinstance(told, dict) and told["description"] and told["value"] for told in outputs.values())


def test_the_page_shows_inputs_that_there_are() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    uses = [step for block in blocks for step in _steps(block) if "tvbench" in step.get("uses", "")]
    assert uses
    assert all(set(step["with"]) <= action()["inputs"].keys() for step in uses)
    assert all(f"`{name}`" in page for name in (*action()["inputs"], *action()["outputs"]))


def _steps(block: object) -> list[dict[str, dict[str, str]]]:
    if isinstance(block, list):
        return block
    assert isinstance(block, dict)
    return [step for job in block.get("jobs", {}).values() for step in job["steps"]]
