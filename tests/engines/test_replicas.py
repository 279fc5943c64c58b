"""A stranger's engine in several processes by a real Ray: a replica is killed, the driver is killed, the same command
goes on; and on a cluster that is there, with pretended GPUs."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import parrot_engine
import pytest
from repository import ROOT

from tvbench.runs.replicas.running import raylets
from tvbench.runs.replicas.scratch import PREFIX
from tvbench.runs.store import RunFolder, find_runs

_SPEC = find_spec("ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(_SPEC is None or _SPEC.origin is None, reason="Ray is not installed here"),
]

ITEMS = 80
WAIT_S = 200.0
"""A guard against waiting for ever, many times as long as a busy machine needs."""
IN_FLIGHT = 4 + 1
"""What an engine of this file has taken when it is killed, and an answer that is being written."""


def words(folder: Path, *more: str, pause: float = 0.02) -> list[str]:
    engine = ["--engine", parrot_engine.__file__, "--engine-arg", f"pause={pause}", "--engine-arg", f"log={folder}"]
    asked = ["--model", "tower-mini", "--tasks", "mini-alm:de+en", "--protocol", "tvbench"]
    asked += ["--set", f"mini-alm.items={ITEMS // 10}", "--results", str(folder / "results")]
    return [sys.executable, "-m", "tvbench", "run", *asked, *engine, *more]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**kept, "PYTHONPATH": path, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}


@contextmanager
def running(command: list[str], said: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    env = environment() | more
    with (
        said.open("ab") as file,
        subprocess.Popen(command, env=env, stdout=file, stderr=file, start_new_session=True) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def finished(command: list[str], said: Path, **more: str) -> str:
    with running(command, said, **more) as process:
        assert process.wait(WAIT_S) == 0, said.read_text()
    return said.read_text()


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


def until(true: Callable[[], Any], process: subprocess.Popen[bytes] | None = None) -> None:
    ends = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < ends, "it never comes to that"
        assert process is None or process.poll() is None, "it has ended"
        time.sleep(0.02)


def processes(folder: Path) -> list[int]:
    """Those in which the engine was opened."""
    return [int(line.split()[0]) for line in lines(folder / "processes")]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def commands() -> Iterator[str]:
    """The words of every process."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_text(errors="replace")


def below(folder: Path) -> RunFolder:
    (found,) = find_runs(folder / "results")
    return found


def texts(run: RunFolder) -> dict[str, str | None]:
    """What each key was answered with; each stands in one line of all files."""
    written: Counter[str] = Counter()
    for path in run.response_files():
        written.update(json.loads(line)["key"] for line in path.read_text().splitlines())
    assert set(written.values()) == {1}
    return {key: response.text for key, response in run.responses().items()}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_a_replica_is_killed_then_the_driver_and_the_same_command_ends_as_one_process_does(tmp_path: Path) -> None:
    alone, folder = tmp_path / "alone", tmp_path / "replicas"
    alone.mkdir()
    folder.mkdir()
    finished(words(alone, pause=0.0), alone / "said")
    with running(words(folder, "--replicas", "2", pause=0.2), folder / "said") as driver:
        until(lambda: len(processes(folder)) == 2 and len(lines(folder / "asked")) > 8, driver)
        os.kill(processes(folder)[0], signal.SIGKILL)
        until(lambda: "another one takes its place" in (folder / "said").read_text(), driver)
        until(lambda: len(processes(folder)) == 3, driver)
        assert "raylet" not in (folder / "said").read_text(), "Ray speaks on standard output"
        driver.kill()
        driver.wait()
    until(lambda: not any(map(lives, processes(folder))))
    begun = len(below(folder).responses())
    assert begun < ITEMS
    said = finished(words(folder, "--replicas", "2", pause=0.0), folder / "said")
    assert f"{begun} answered before" in said
    asked = Counter(lines(folder / "asked"))
    assert len(asked) == ITEMS and asked.total() - ITEMS <= 3 * IN_FLIGHT
    assert texts(below(folder)) == texts(below(alone))
    mine, whole = below(folder).manifest(), below(alone).manifest()
    assert (mine.run, mine.engine, mine.tasks) == (whole.run, whole.engine, whole.tasks)
    killed, last = mine.sessions or ()
    assert (killed.count, last.count) == (begun, ITEMS - begun)
    assert last.replicas == {"count": 2, "gpus": 0, "hosts": [socket.gethostname()]}
    until(lambda: not any(map(lives, processes(folder))))


@contextmanager
def cluster(folder: Path, gpus: int, home: Path | None = None, **more: str) -> Iterator[str]:
    """The address of a Ray with pretended GPUs. `more` is for its environment."""
    ports = [free_port() for _ in range(2)]
    home = home or Path("/tmp") / f"tvb-{os.getpid()}"  # the paths of Ray's sockets must be short
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--include-dashboard=false"]
    command += [f"--port={ports[0]}", f"--ray-client-server-port={ports[1]}", f"--num-gpus={gpus}", "--num-cpus=4"]
    with running([*command, f"--temp-dir={home}"], folder / "ray", **more) as head:
        until(lambda: "Ray runtime started" in (folder / "ray").read_text(), head)
        try:
            yield f"ray://127.0.0.1:{ports[1]}"
        finally:
            head.send_signal(signal.SIGTERM)
            head.wait(WAIT_S)
            shutil.rmtree(home, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def test_on_a_cluster_each_replica_has_a_gpu_of_its_own_and_too_many_are_refused(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as address:
        placed = ["--on", address, "--gpus", "1"]
        finished(words(tmp_path, *placed, "--replicas", "2"), tmp_path / "said")
        assert len(texts(below(tmp_path))) == ITEMS
        assert {line.split()[1] for line in lines(tmp_path / "processes")} == {"0", "1"}
        (session,) = below(tmp_path).manifest().sessions or ()
        assert session.replicas == {"count": 2, "gpus": 1, "hosts": [socket.gethostname()], "on": address}
        until(lambda: not any(map(lives, processes(tmp_path))))
        with running(
            words(tmp_path, "--limit", "3", "--no-reuse", *placed, "--replicas", "3"), tmp_path / "refused"
        ) as many:
            assert many.wait(WAIT_S) == 2
        assert "do not fit on the 2 GPUs there are" in (tmp_path / "refused").read_text()


DYING = """
import os, pathlib, sys
if "--mode=specific-server" in sys.orig_argv and not os.path.exists(os.environ.get("DEATH", "/")):
    pathlib.Path(os.environ["DEATH"]).touch()
    os._exit(1)
"""
"""As on a busy machine: the process that Ray forks for a client is gone before its first line."""


def test_a_cluster_whose_server_for_a_client_dies_at_its_start_is_asked_again(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(DYING)
    path = os.pathsep.join((str(tmp_path), environment()["PYTHONPATH"]))
    with cluster(tmp_path, 0, PYTHONPATH=path, DEATH=str(tmp_path / "death")) as address:
        finished(words(tmp_path, "--on", address, "--replicas", "1"), tmp_path / "said")
    assert (tmp_path / "death").exists()
    assert len(texts(below(tmp_path))) == ITEMS


def killed_and_gone_on(folder: Path, **more: str) -> dict[str, Any]:
    """A run by `--on ray` whose driver is killed, and the same command again. Where the last session computed."""
    with running(words(folder, "--on", "ray", pause=0.3), folder / "said", **more) as driver:
        until(lambda: len(lines(folder / "asked")) > 4, driver)
        driver.kill()
        driver.wait()
    until(lambda: not any(map(lives, processes(folder))))
    begun = len(below(folder).responses())
    assert 0 < begun < ITEMS
    assert f"{begun} answered before" in finished(words(folder, "--on", "ray", pause=0.0), folder / "said", **more)
    assert len(texts(below(folder))) == ITEMS
    asked = Counter(lines(folder / "asked"))
    assert len(asked) == ITEMS and asked.total() - ITEMS <= IN_FLIGHT
    until(lambda: not any(map(lives, processes(folder))))
    return dict((below(folder).manifest().sessions or ())[-1].replicas)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_on_ray_where_none_runs_starts_one_that_is_offered_to_nobody_else(tmp_path: Path) -> None:
    with running(words(tmp_path, "--on", "ray"), tmp_path / "said", RAY_ADDRESS="local") as driver:
        until(lambda: processes(tmp_path), driver)
        ours = re.compile(rf"\S+/raylet\0.*--temp_dir=/tmp/{PREFIX}.*_{driver.pid}/")
        (raylet,) = filter(ours.match, commands())
        address = raylet.rpartition("--gcs-address=")[2].partition("\0")[0]
        assert ":" in address and address not in set(raylets(Path("/proc")))
        assert driver.wait(WAIT_S) == 0
    assert len(texts(below(tmp_path))) == ITEMS


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_on_ray_is_killed_and_goes_on_with_a_ray_of_its_own(tmp_path: Path) -> None:
    assert killed_and_gone_on(tmp_path, RAY_ADDRESS="local")["on"] == "ray"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_on_ray_finds_the_one_that_runs_here(tmp_path: Path) -> None:
    place = Path("/tmp") / f"tvb-here-{os.getpid()}"
    with cluster(tmp_path, 1, place / "ray"):
        placed = killed_and_gone_on(tmp_path, RAY_TMPDIR=str(place))
        assert (placed["on"], placed["gpus"]) == ("ray", 1), "the pretended GPU is that one's"
    shutil.rmtree(place, ignore_errors=True)
