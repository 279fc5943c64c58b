"""The steps of action.yml run by hand as GitHub's runner runs a composite action: bash, files for outputs, `if`, `env`.

Steps that use other actions are left out. Expressions are `inputs.X`, `steps.ID.outputs.NAME`, alone in `${{ }}`, and
`inputs.X != ''`: whatever else stands in one is an error here, so that the action stays as simple as that.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

EXPRESSION = re.compile(r"\$\{\{ (inputs|steps\.(?P<step>[\w-]+)\.outputs)\.(?P<name>[\w-]+) \}\}")


@dataclass
class Job:
    """What came out: the exit code of the step that failed (0), the action's outputs, the log, the summary."""

    code: int = 0
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""
    summary: str = ""
    ran: list[str] = field(default_factory=list)


def read_action(path: Path) -> dict[str, Any]:
    action: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return action


def play(action_file: Path, workspace: Path, given: Mapping[str, str], environ: Mapping[str, str], temp: Path) -> Job:
    """Run the action in `workspace` with the inputs `given`."""
    action = read_action(action_file)
    unknown = given.keys() - action["inputs"].keys()
    assert not unknown, f"GitHub would warn of unexpected inputs: {unknown}"
    inputs = {name: str(given.get(name, told.get("default", ""))) for name, told in action["inputs"].items()}
    outputs: dict[str, dict[str, str]] = {}
    job = Job()
    temp.mkdir(parents=True, exist_ok=True)
    for number, step in enumerate(action["runs"]["steps"]):
        if "run" not in step or not _wanted(step.get("if", ""), inputs):
            continue
        files = {name: temp / f"{name}-{number}" for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.touch()
        env = {name: _evaluated(text, inputs, outputs) for name, text in step.get("env", {}).items()}
        script = temp / f"step-{number}.sh"
        script.write_text(step["run"], encoding="utf-8")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=workspace,
            env={
                **environ,
                **env,
                **{name: str(file) for name, file in files.items()},
                "GITHUB_ACTION_PATH": str(action_file.parent),
                "GITHUB_WORKSPACE": str(workspace),
                "RUNNER_TEMP": str(temp),
            },
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        job.ran.append(step["name"])
        job.log += done.stdout
        job.summary += files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
        outputs[step["id"]] = read_outputs(files["GITHUB_OUTPUT"].read_text(encoding="utf-8"))
        if done.returncode:
            job.code = done.returncode
            break
    job.outputs = {name: _evaluated(told["value"], inputs, outputs) for name, told in action["outputs"].items()}
    return job


def read_outputs(text: str) -> dict[str, str]:
    """A file of outputs as the runner reads it: `name=value`, or `name<<word`, lines, `word`."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if "<<" in line and ("=" not in line or line.index("<<") < line.index("=")):
            name, _, word = line.partition("<<")
            value: list[str] = []
            for part in lines:
                if part == word:
                    break
                value.append(part)
            else:
                raise AssertionError(f"no '{word}' ends the value of {name}")
            found[name] = "\n".join(value)
        else:
            name, sign, only = line.partition("=")
            assert sign, f"not an output: {line}"
            found[name] = only
    return found


def _evaluated(text: str, inputs: Mapping[str, str], outputs: Mapping[str, Mapping[str, str]]) -> str:
    match = EXPRESSION.fullmatch(text)
    assert match, f"an expression that is not plain: {text}"
    return inputs[match["name"]] if match["step"] is None else outputs.get(match["step"], {}).get(match["name"], "")


def _wanted(condition: str, inputs: Mapping[str, str]) -> bool:
    if not condition:
        return True
    match = re.fullmatch(r"inputs\.([\w-]+) != ''", condition)
    assert match, f"a condition that is not plain: {condition}"
    return inputs[match[1]] != ""


def plain_environment() -> dict[str, str]:
    """What a runner's job has: no PYTHONPATH of this checkout and nothing of pytest."""
    left_out = ("PYTHONPATH", "PYTEST_CURRENT_TEST", "COLUMNS")
    return {name: value for name, value in os.environ.items() if name not in left_out}
