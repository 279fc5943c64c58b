"""docs/cluster.md: every recipe is tried as far as that goes without its scheduler, with its variables set by hand.
tools/slurm_trial.sh tries Slurm's with a real sbatch."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from repository import ROOT

from tvbench.cli.main import build_parser
from tvbench.cli.metrics import RunMeter
from tvbench.runs.listening import EngineState
from tvbench.runs.store import find_runs
from tvbench.types import Response

PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
BOXES = [(str(kind), str(text)) for kind, text in re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
YAML = {
    data["name"] if "name" in data else data["kind"]: data
    for data in (yaml.safe_load(text) for kind, text in BOXES if kind == "yaml")
}
SAYS = '#!/bin/bash\nprintf "%s\\n" "$(basename "$0")" "$@" >>"$SAID"; printf "%s\\n" -- >>"$SAID"\nexit ${ENDS:-0}\n'
"""A command that writes down how it was called."""


def box(kind: str, holds: str) -> str:
    (text,) = (text for found, text in BOXES if found == kind and holds in text)
    return text


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def called(folder: Path, script: str, *words: str, code: int = 0, **variables: str) -> list[list[str]]:
    """How `tvbench`, `hf` and the like are called by a script that ends with exit code `code`."""
    for name in ("tvbench", "hf"):
        program(folder / "bin", name, SAYS)
    (folder / "script").write_text(script)
    env = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "SAID": str(folder / "said"), "HOME": str(folder)}
    done = subprocess.run(
        ["/bin/bash", str(folder / "script"), *words],
        env=env | variables,
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    calls = (folder / "said").read_text().split("--\n")
    (folder / "said").unlink()
    return [call.splitlines() for call in calls if call]


def option(call: list[str], name: str) -> str:
    return call[call.index(name) + 1]


@pytest.mark.parametrize("number", range(len(BOXES)))
def test_every_box_can_be_read(number: int, tmp_path: Path) -> None:
    kind, text = BOXES[number]
    if kind in ("sh", "bash"):
        assert subprocess.run(["/bin/bash", "-n"], input=text, text=True, check=False).returncode == 0
    elif kind == "python":
        compile(text, "box", "exec")
    else:
        assert kind == "yaml" and isinstance(yaml.safe_load(text), dict)


# ── Slurm ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_slurm_recipe_passes_its_shard_and_what_a_person_adds(tmp_path: Path) -> None:
    script = box("bash", "#SBATCH --array")
    own: dict[str, Any] = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "8"}
    (call,) = called(tmp_path, script, "--limit", "50", **own)
    assert call[:2] == ["tvbench", "run"] and option(call, "--shard") == "3/8" and call[-2:] == ["--limit", "50"]
    assert option(call, "--results") == str(tmp_path / "results") and option(call, "--tasks") == "alm,multi30k"
    (call,) = called(tmp_path, script, **own, MODEL="m", TASKS="mini", RESULTS="r", ENDS="1", code=1)
    assert [option(call, name) for name in ("--model", "--tasks", "--results")] == ["m", "mini", "r"]
    called_without = subprocess.run(["/bin/bash", "-c", script], check=False, capture_output=True, cwd=tmp_path)
    assert called_without.returncode != 0, "outside of an array it asks nothing"


def test_the_slurm_recipe_answers_a_run_half_by_half_and_is_taken_up_by_three(tmp_path: Path) -> None:
    """The real command, an engine of two lines, no Slurm: the first of two jobs, then all three of three."""
    program(tmp_path / ".venv" / "bin", "tvbench", f'#!/bin/bash\nexec "{sys.executable}" -m tvbench "$@"\n')
    (tmp_path / "echo.py").write_text((ROOT / "tests" / "support" / "echo_engine.py").read_text())
    (tmp_path / "tvbench.sbatch").write_text(box("bash", "#SBATCH --array"))
    env = os.environ | {"PYTHONPATH": str(ROOT), "MODEL": "tower-mini", "TASKS": "mini-multi30k"}
    for number, count in ((1, 2), (1, 3), (2, 3), (3, 3)):
        place = {"SLURM_ARRAY_TASK_ID": str(number), "SLURM_ARRAY_TASK_COUNT": str(count)}
        words = ["/bin/bash", "tvbench.sbatch", "--limit", "2", "--engine", "./echo.py"]
        done = subprocess.run(words, cwd=tmp_path, env=env | place, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    (run,) = find_runs(tmp_path / "results")
    keys = [json.loads(line)["key"] for path in run.response_files() for line in path.open()]
    assert sorted(keys) == sorted({key for key, _ in run.requests()}) and run.result()
    assert len(run.response_files()) >= 3


def test_the_submitit_recipe_hands_out_every_shard(tmp_path: Path) -> None:
    """Its own module stands for submitit's: the calls are those of its documentation."""
    stub = tmp_path / "submitit.py"
    stub.write_text(SUBMITIT)
    (tmp_path / "recipe.py").write_text(box("python", "submitit"))
    asked = called(tmp_path, f'exec "{sys.executable}" recipe.py', PYTHONPATH=str(tmp_path))
    assert [option(call, "--shard") for call in asked] == [f"{number}/8" for number in range(1, 9)]


SUBMITIT = """
import types

class Checkpointable:
    pass

class Job:
    def __init__(self, value):
        self.value = value
    def result(self):
        return self.value

class AutoExecutor:
    def __init__(self, folder):
        pass
    def update_parameters(self, *, name, timeout_min, gpus_per_node, cpus_per_task, slurm_array_parallelism):
        pass
    def map_array(self, call, *columns):
        return [Job(call(*row)) for row in zip(*columns, strict=True)]

helpers = types.SimpleNamespace(Checkpointable=Checkpointable)
"""


# ── Elsewhere ─────────────────────────────────────────────────────────────────────────────────────


def test_the_kubernetes_job_counts_its_shards_from_one(tmp_path: Path) -> None:
    job = YAML["Job"]
    spec = job["spec"]
    assert job["apiVersion"] == "batch/v1" and spec["completionMode"] == "Indexed"
    (container,) = spec["template"]["spec"]["containers"]
    variables = {one["name"]: one["value"] for one in container["env"]}
    places = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert variables == {"SHARDS": str(spec["completions"]), "HF_HOME": places["cache"]}
    assert spec["parallelism"] <= spec["completions"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never", "an index's own backoff asks for that"
    (rule, _) = spec["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["containerName"] == container["name"]
    assert places.keys() == {one["name"] for one in spec["template"]["spec"]["volumes"]}
    assert container["command"] == ["/bin/sh", "-c"]
    for index in (0, 7):
        (call,) = called(tmp_path, container["args"][0], JOB_COMPLETION_INDEX=str(index), **variables)
        assert option(call, "--shard") == f"{index + 1}/8"


@pytest.mark.parametrize("code", [0, 1])
def test_skypilots_nodes_keep_a_folder_each_and_go_on_from_it(tmp_path: Path, code: int) -> None:
    task = YAML["tvbench"]
    assert set(task["file_mounts"]) == {"/outputs"} and task["num_nodes"] == 8
    script = task["run"].replace("/outputs", str(tmp_path / "outputs"))
    before = tmp_path / "outputs" / "shard-4-of-8"
    before.mkdir(parents=True)
    (before / "answers").write_text("of before")
    place = {"SKYPILOT_NODE_RANK": "3", "SKYPILOT_NUM_NODES": str(task["num_nodes"])}
    (call,) = called(tmp_path, f"set -e\n{script}", code=code, **place, **task["envs"], ENDS=str(code))
    assert option(call, "--shard") == "4/8" and option(call, "--results") == str(tmp_path / "results")
    assert (tmp_path / "results" / "answers").read_text() == "of before"


def test_hugging_faces_jobs_are_eight_with_a_folder_each(tmp_path: Path) -> None:
    script = box("bash", "hf jobs run")
    calls = called(tmp_path, script)
    assert len(calls) == 8 and all(call[:3] == ["hf", "jobs", "run"] for call in calls)
    assert [f"SHARD={number}/8" in calls[number - 1] for number in range(1, 9)] == [True] * 8
    assert option(calls[2], "--volume") == "hf://buckets/USER/tvbench:/outputs"
    inner = "\n".join(calls[2][calls[2].index("-c") + 1 :]).replace("$HOME/results", str(tmp_path / "local"))
    place = {"SHARD": "3/8", "OUT": str(tmp_path / "outputs" / "shard-3-of-8")}
    (call,) = called(tmp_path, inner, code=1, ENDS="1", **place)
    assert option(call, "--shard") == "3/8" and (tmp_path / "outputs" / "shard-3-of-8").is_dir()


def test_the_options_of_hf_jobs_are_those_of_its_package() -> None:
    words = set(re.findall(r"(--[a-z]+)\b", box("bash", "hf jobs run").partition("IMAGE")[0]))
    spec = pytest.importorskip("huggingface_hub.cli.jobs")
    source = Path(str(spec.__file__)).read_text(encoding="utf-8")
    flags = set(re.findall(r'"(--[a-z]+)"', source)) | {
        f"--{name}" for name in re.findall(r"^    (\w+): ", source, re.M)
    }
    assert words <= flags, words - flags


COMMANDS = [
    line.partition("#")[0]
    for kind, text in BOXES
    if kind == "sh"
    for line in text.splitlines()
    if line.startswith("tvbench ")
]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_page_is_one(line: str) -> None:
    words = shlex.split(line)[1:]
    assert build_parser(words[0], alone=True).parse_args(words).command == words[0]


def test_the_metrics_on_the_page_are_those_that_are_told() -> None:
    pytest.importorskip("prometheus_client")
    meter = RunMeter()
    meter.begin("run", 2, 0, "")
    meter.serving(lambda: EngineState(1, {"0": {"done": 1}}))
    meter.answered(Response("a"))
    told = {sample.name for family in meter.collect() for sample in family.samples}
    assert told == set(re.findall(r"`(tvbench_\w+)", PAGE.partition("## Prometheus")[2]))
