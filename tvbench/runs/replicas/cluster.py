"""The Ray that replicas run on: one that is there, or one of our own that ends with us.

The only module that imports Ray. What it prints is kept quiet; signals stay with whoever handled them. A Ray of our own
dies with this process, however that ends (the kernel sees to it), and its files are removed when it is closed, or by
the next one.
"""

from __future__ import annotations

import logging
import os
import platform
import re
import signal
import socket
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from tvbench.errors import EngineError, UsageError
from tvbench.runs.replicas.actor import Replica
from tvbench.runs.replicas.parcels import Chunk, EngineOrder, Report
from tvbench.runs.replicas.running import running_ray
from tvbench.runs.replicas.scratch import Scratch

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "GLOG_minloglevel": "3",
}
STORE_BYTES = 512 << 20
"""Of a Ray of our own, for requests on their way."""
THREADS = 4
"""Calls that one replica takes at the same time."""
LOCAL = "local"
LOOK_S = 15.0
PORT_HINT = (
    "the port is that of Ray's clients: 10001, unless `ray start --head --ray-client-server-port` said another "
    "(6379 is the cluster's own)"
)
ADDRESS_HINT = "RAY_ADDRESS names it, where it is set; `unset RAY_ADDRESS` takes the Ray that runs on this machine"
TRIES = 3
"""Of a client at a cluster whose own server for it dies as it starts. Ray forks that server from a process with gRPC's
threads, and on a busy machine the child is now and then gone before its first line."""
DIED_HINT = "the machine of its head may be too busy or too full; the log lies in Ray's folder there"
TOKEN_HINT = (
    "`ray status` on its machines says how it is; one that wants a token gets it by RAY_AUTH_MODE=token and "
    "RAY_AUTH_TOKEN (or ~/.ray/auth_token); both sides need the same versions of Ray and Python"
)


class Died(Exception):
    """A replica's process is gone. The text is how."""


class Cluster:
    """`on` None: a Ray of our own on this machine; `ray`: one that runs here, else the same; `ray://HOST:PORT`: that.
    `room` is how many replicas it is made for. Raises EngineError where there is none."""

    def __init__(self, on: str | None, room: int) -> None:
        os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
        import ray

        self._ray: Any = ray
        self._scratch: Scratch | None = None
        self.borrowed = bool(ray.is_initialized())
        self.own = False
        if not self.borrowed:
            _hush(ray)
            with _signals_kept():
                self._connect(on, room)

    def check_room(self, count: int, gpus: int) -> int:
        """The GPUs for each of `count` replicas that want `gpus`: none where the machines have none. Raises UsageError
        where they have too few."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        there = int(sum(node.get("GPU", 0) for node in nodes))
        if not gpus or not there:
            cores = int(sum(node.get("CPU", 0) for node in nodes))
            if not self.own and cores < count:
                raise UsageError(
                    f"{count} replicas need a CPU each, and the cluster has {cores}", f"--replicas {cores}"
                )
            return 0
        fitting = sum(int(node.get("GPU", 0) // gpus) for node in nodes)
        if fitting < count:
            needed = f"{count} {'replica' if count == 1 else 'replicas'} with {gpus} GPU{'s' * (gpus > 1)} each"
            more = f" (room for {fitting})" if fitting else ""
            hint = f"--replicas {fitting}" if fitting else f"--gpus {there}"
            raise UsageError(f"{needed} do not fit on the {there} GPU{'s' * (there > 1)} there are{more}", hint)
        return gpus

    def start(self, order: EngineOrder, gpus: int) -> Actor:
        """A new replica. It may wait for devices before it begins."""
        made = self._ray.remote(Replica).options(
            num_cpus=0 if self.own else 1,
            num_gpus=gpus,
            max_concurrency=THREADS,
            max_restarts=0,
            scheduling_strategy="SPREAD",
        )
        return Actor(self._ray, made.remote(order))

    def wait(self, actors: Sequence[Actor], seconds: float) -> Actor | None:
        """One of `actors` whose poll is over, within so many seconds."""
        asked = {actor.polled: actor for actor in actors if actor.polled is not None}
        done, _ = self._ray.wait(list(asked), num_returns=1, timeout=seconds) if asked else ([], [])
        return asked[done[0]] if done else None

    def end(self, actor: Actor | None, pid: int | None) -> None:
        """End a process that lives and reacts to nothing, on this machine in whatever state it is."""
        if actor is not None:
            actor.kill()
        if self.own and pid is not None:
            with suppress(OSError):  # gone already
                os.kill(pid, signal.SIGKILL)

    def missing(self, gpus: int) -> str:
        """What is not free now of what one more replica needs; nothing where it has room, as far as Ray tells."""
        with suppress(Exception):  # whoever cannot be asked says nothing
            free, there = self._ray.available_resources(), self._ray.cluster_resources()
            needed = {"CPU": 0 if self.own else 1, "GPU": gpus}
            return "; ".join(
                f"it needs {count} {name}{'s' * (count > 1)}, and {free.get(name, 0):g} of the cluster's "
                f"{there.get(name, 0):g} {'is' if free.get(name, 0) == 1 else 'are'} free"
                for name, count in needed.items()
                if free.get(name, 0) < count
            )
        return ""

    def close(self) -> None:
        """End a Ray of our own, and leave another one. Safe to call twice."""
        if not self.borrowed:
            with _signals_kept(), suppress(Exception):
                self._ray.shutdown()
        self.borrowed = True
        if self._scratch is not None:
            self._scratch.remove()

    def _connect(self, on: str | None, room: int) -> None:
        address = running_ray() if on == "ray" else on
        if address is not None:
            if ":" in address:
                look(address, PORT_HINT if on == address else ADDRESS_HINT)
            self._init(address)
            return
        self._scratch = scratch = Scratch()
        self.own = True
        cores = max(room, os.cpu_count() or 1)
        try:
            self._init(
                LOCAL,
                num_cpus=cores,
                include_dashboard=False,
                object_store_memory=STORE_BYTES,
                _temp_dir=str(scratch.path),
            )
        except BaseException:
            self.close()
            raise

    def _init(self, address: str, **more: Any) -> None:
        for left in reversed(range(TRIES)):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # the error says it
                    self._ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **more)
                return
            except Exception as error:  # Ray's refusals share no class
                if left and _died_starting(error):
                    continue
                if address == LOCAL:
                    raise EngineError(f"Ray does not start: {_first_line(error)}") from error
                raise refusal(self._ray, address, error) from error


class Actor:
    """One replica, from the driver's side. `polled` is the poll under way."""

    def __init__(self, ray: Any, handle: Any) -> None:
        self._ray = ray
        self._handle = handle
        self.polled: Any = None

    def poll(self, *, want: bool, wait_s: float) -> None:
        """Ask for news."""
        self.polled = self._handle.poll.remote(want, wait_s)

    def report(self) -> Report:
        """The news, when `Cluster.wait` has named this actor. Raises Died."""
        polled, self.polled = self.polled, None
        try:
            report: Report = self._ray.get(polled)
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            raise Died(_how(error)) from error
        return report

    def put(self, chunk: Chunk) -> None:
        self._handle.put.remote(chunk)

    def finish(self) -> None:
        self._handle.finish.remote()

    def drop(self, turn: int) -> None:
        self._handle.drop.remote(turn)

    def stopping(self, wait_s: float) -> Any:
        """Have the engine closed; what to hand to `stopped`."""
        return self._handle.stop.remote(wait_s)

    def stopped(self, asked: Any, wait_s: float) -> None:
        """Wait for it, as long as that."""
        with suppress(Exception):  # it is killed anyway
            self._ray.get(asked, timeout=wait_s)

    def kill(self) -> None:
        with suppress(Exception):  # gone already
            self._ray.kill(self._handle)


def look(address: str, hint: str = PORT_HINT) -> None:
    """Raises EngineError where nobody listens: Ray itself would take half a minute to say so."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), LOOK_S).close()
    except (OSError, OverflowError, ValueError) as error:
        raise EngineError(
            f"there is no Ray at {address}: nobody listens there ({error.__class__.__name__}: {error})", hint
        ) from error


def refusal(ray: Any, address: str, error: Exception) -> EngineError:
    """Why the Ray at `address` cannot be had, in Ray's own last words."""
    hint = f"here is {_here(ray)}; {TOKEN_HINT}"
    if "connection timeout" in str(error):
        return EngineError(f"there is no Ray at {address}: what listens there is no Ray for clients", PORT_HINT)
    if "Initialization failure" in str(error):  # of the server's traceback, the line that was raised
        hint = DIED_HINT if _died_starting(error) else hint
        return EngineError(f"the Ray at {address} cannot be used: {_last_line(error)}", hint)
    return EngineError(f"there is no Ray at {address}: {_first_line(error)}", hint)


def _died_starting(error: Exception) -> bool:
    """Whether the cluster is well, and the process it starts for this client alone has died or is not reached."""
    return any(word in str(error) for word in ("client server failed", "Proxy failed to Connect to backend"))


def _hush(ray: Any) -> None:
    """Ray writes of every process that dies to standard output, whatever it is told, where there may be JSON."""
    with suppress(AttributeError):  # another Ray, which has another way
        if callable(ray._private.worker.print_to_stdstream):
            ray._private.worker.print_to_stdstream = lambda *told, **how: None


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself; it stays with whoever had it, also one that came meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except SystemExit as ended:  # by Ray's handler, with the signal's number
        handler = before[signal.SIGTERM]
        if ended.code != signal.SIGTERM or not callable(handler):
            raise
        handler(signal.SIGTERM, None)
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def _how(error: BaseException) -> str:
    """How a replica's process ended, in a line of Ray's many."""
    text = str(error)
    if "creation task" in text:  # Ray's traceback ends in what was raised: tvbench is not there, say
        return _last_line(error)[:200]
    if "connection error code" in text:  # Ray does not know by which signal
        return "its process was killed, or crashed"
    found = re.search(r"[Ww]orker exit detail: (.+)", text) or re.search(r"The actor died because (.+)", text)
    line = found.group(1) if found else _first_line(error)
    return line.strip().split(". ")[0].rstrip(".")[:200]


def _here(ray: Any) -> str:
    return f"Ray {getattr(ray, '__version__', '?')} on Python {platform.python_version()}"


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
