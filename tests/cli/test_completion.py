"""What a shell is answered while somebody types: by argcomplete's protocol in a process, and in a real bash."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT
from run_folders import task_result, write_run

from tvbench.cli.completing import BY_NAME, BY_PLACE
from tvbench.cli.main import COMMANDS, build_parser, main
from tvbench.registry.catalog import models, tasks

SEPARATOR = "\v"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "TVBENCH_RESULTS", "TVBENCH_INCLUDE_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))))
    for folder, names in (("results", ("first-run", "second-run")), ("elsewhere", ("far-run",))):
        for name in names:
            write_run(tmp_path / folder, name, "model", task_result("mini-alm"))


def asked(line: str, point: int | None = None, **more: str) -> tuple[list[str], subprocess.CompletedProcess[str]]:
    """What fits at the end of `line` (or at `point`), and the process that said so."""
    said = Path("said.txt")
    said.write_text("")
    place = str(len(line) if point is None else point)
    protocol = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": place, "_ARGCOMPLETE_STDOUT_FILENAME": str(said)}
    done = subprocess.run(
        [sys.executable, "-m", "tvbench.cli.main"],
        env=os.environ | protocol | more,
        check=False,
        capture_output=True,
        text=True,
    )
    return [found.strip() for found in said.read_text().split(SEPARATOR) if found], done


@pytest.mark.parametrize(
    ("line", "fitting"),
    [
        ("tvbench leader", ["leaderboard"]),
        ("tvbench ", list(COMMANDS)),
        ("tvbench run --mod", ["--model", "--model-price"]),
        ("tvbench run --tasks al", ["alm"]),
        ("tvbench run --tasks alm,mini-v", ["alm,mini-vimul"]),
        ("tvbench run --tasks multi30k:de+", ["multi30k:de+cs", "multi30k:de+fr"]),
        ("tvbench run --model tower-m", ["tower-mini"]),
        ("tvbench run --model=tower-m", ["--model=tower-mini"]),
        ("tvbench run eu", ["eu24"]),
        ("tvbench run --engine vl", ["vllm"]),
        ("tvbench tasks al", ["alm"]),
        ("tvbench tasks che", ["check"]),
        ("tvbench tasks alm --for", ["--format"]),
        ("tvbench tasks show multi", ["multi30k"]),
        ("tvbench models towervision-9b-", ["towervision-9b-pt"]),
        ("tvbench engines vl", ["vllm"]),
        ("tvbench engines show vl", ["vllm"]),
        ("tvbench languages pt-B", ["pt-BR"]),
        ("tvbench explain first-run --languages de,pt-B", ["de,pt-BR"]),
        ("tvbench explain ", ["first-run", "second-run"]),
        ("tvbench explain --results elsewhere ", ["far-run"]),
        ("tvbench compare --results=elsewhere far-run f", ["far-run"]),
        ("tvbench compare first-run s", ["second-run"]),
        ("tvbench check first-run --against s", ["second-run"]),
        ("tvbench baseline write s", ["second-run"]),
        ("tvbench status e", ["eu24"]),
        ("tvbench status s", ["second-run"]),
        ("tvbench audit mini-v", ["mini-vimul"]),
        ("tvbench score ./res", ["./results/"]),
        ("tvbench score res", ["results/"]),
        ("tvbench leaderboard --by fam", ["family"]),
        ("tvbench completion ", ["bash", "zsh", "fish"]),
        ("tvbench nothing ", []),
    ],
)
def test_what_fits_is_said(line: str, fitting: list[str]) -> None:
    found, done = asked(line)
    assert (sorted(found), done.returncode) == (sorted(fitting), 0), done.stderr
    assert not done.stdout


def test_options_come_where_nothing_else_fits() -> None:
    found, _ = asked("tvbench leaderboard ")
    assert "--tasks" in found and "-h" not in found
    assert "first-run" not in asked("tvbench explain first-run --")[0]


def test_every_task_and_card_can_be_chosen() -> None:
    assert set(tasks()) <= set(asked("tvbench run --tasks ")[0])
    assert set(models()) <= set(asked("tvbench models ")[0])


def test_the_results_folder_of_the_environment_counts() -> None:
    assert asked("tvbench explain ", TVBENCH_RESULTS="elsewhere")[0] == ["far-run"]


def test_the_cursor_may_stand_within_the_line() -> None:
    line = "tvbench explain fir --format json"
    assert asked(line, line.index(" --format"))[0] == ["first-run"]


def test_tasks_of_ones_own_are_completed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "task", "shelf/mybench", "--python"]) == 0
    assert asked("tvbench run --include-path shelf --tasks myb")[0] == ["mybench"]


def test_no_file_of_the_working_directory_is_run_by_a_key() -> None:
    """Task files of `./tasks` are named before they run, which a shell that completes shows to nobody."""
    for folder in ("tasks", "engines", "models"):
        Path(folder).mkdir()
        Path(folder, "stranger.py").write_text("open('has-run', 'w').close()\nENGINE = 1\n")
    assert asked("tvbench run --tasks strang")[0] == ["stranger"]
    assert "alm" in asked("tvbench tasks ")[0] and asked("tvbench run --tasks multi30k:f")[0] == ["multi30k:fr"]
    for line in ("run --engine s", "run --model s", "engines s", "tasks s", "languages --task s", "audit s"):
        asked(f"tvbench {line}")
    assert not Path("has-run").exists()


def test_where_argcomplete_is_missing_only_completion_is() -> None:
    Path("argcomplete.py").write_text("raise ImportError('not installed')\n")
    path = os.pathsep.join((".", os.environ["PYTHONPATH"]))
    found, done = asked("tvbench le", PYTHONPATH=path)
    assert (found, done.returncode, done.stderr) == ([], 1, "")
    for words, code in (("tasks alm", 0), ("completion bash", 2)):
        command = [sys.executable, "-m", "tvbench.cli.main", *words.split()]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": path}, check=False, capture_output=True, text=True
        )
        assert done.returncode == code and "Traceback" not in done.stderr


def test_argcomplete_is_not_imported_unless_a_shell_asks() -> None:
    probe = (
        "import json, sys\nfrom tvbench.cli.main import main\nmain(['tasks', 'alm'])\nprint(json.dumps([*sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    assert not [name for name in json.loads(done.stdout.splitlines()[-1]) if name.startswith("argcomplete")]


def places(parser: argparse.ArgumentParser, place: str) -> set[tuple[str, str]]:
    """(command, dest) of every argument below `parser`."""
    found = {(place, action.dest) for action in parser._actions}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name in list(action.choices):
                found |= places(action.choices[name], f"{place} {name}".strip())
    return found


def test_every_rule_is_about_an_argument_that_exists() -> None:
    known = {pair for name in COMMANDS for pair in places(build_parser(name), "")}
    assert set(BY_NAME) <= {dest for _, dest in known}
    assert set(BY_PLACE) <= known


# ── The shells ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("shell", "part"), [("bash", "complete "), ("zsh", "compdef "), ("fish", "complete --command tvbench")]
)
def test_a_shell_is_told(capsys: pytest.CaptureFixture[str], shell: str, part: str) -> None:
    assert main(["completion", shell]) == 0
    said = capsys.readouterr()
    assert part in said.out and "tvbench" in said.out and not said.err


def test_the_shell_is_known_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for shell, part in (("/usr/bin/fish", "commandline"), ("/bin/strange", "COMPREPLY"), ("", "COMPREPLY")):
        monkeypatch.setenv("SHELL", shell)
        assert main(["completion"]) == 0
        assert part in capsys.readouterr().out


BASH = r"""
eval "$(tvbench completion bash)"
COMP_LINE="$1" COMP_POINT=${#1} COMP_TYPE=9
function=$(complete -p tvbench | sed 's/.*-F \([^ ]*\).*/\1/')
"$function" tvbench "" ""
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("line", "fitting"),
    [
        ("tvbench leader", ["leaderboard"]),
        ("tvbench explain ", ["first-run", "second-run"]),
        ("tvbench run --tasks al", ["alm"]),
        ("tvbench run --tasks multi30k:f", ["fr"]),  # bash itself breaks words at a colon
    ],
)
def test_a_real_bash_completes(line: str, fitting: list[str]) -> None:
    command = Path("bin/tvbench")
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tvbench.cli.main "$@"\n')
    command.chmod(0o755)
    path = os.pathsep.join((str(command.parent.resolve()), os.environ["PATH"]))
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH, "bash", line],
        env=os.environ | {"PATH": path},
        check=True,
        capture_output=True,
        text=True,
    )
    assert sorted(word.strip() for word in done.stdout.splitlines() if word) == fitting, done.stderr
