"""Every fault of the table through the engine: one failed item with a sentence, in time, without the key."""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from fault_server import Fault, FaultServer, fault_server, reset, status
from feeds import ListFeed, question
from repository import ROOT
from server_faults import FAULTS, LARGE, ODD_BUT_GOOD, SLOW

from tvbench.engines.openai.engine import OpenAIEngine
from tvbench.errors import EngineError
from tvbench.types import Response

pytestmark = pytest.mark.slow

T = TypeVar("T")
KEY = "sk-proj-A1b2C3d4E5f6G7h8I9j0"
WATCHDOG_S = 120.0
"""Far above what any of these takes on a busy machine: what lasts longer hangs."""


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server() as running:
        yield running


def in_time(work: Callable[[], T]) -> T:
    """What `work` gives or raises, in a thread of its own; a failed test where it hangs."""
    found: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(WATCHDOG_S)
    assert not thread.is_alive(), "it hangs"
    if raised:
        raise raised[0]
    return found[0]


USUAL: dict[str, Any] = {"concurrency": 1, "timeout_s": 60.0, "retries": 1, "backoff_s": 0.002, "api_key": KEY}


def ask(server: FaultServer, *keys: str, **options: Any) -> dict[str, Response] | EngineError:
    """The answers to `keys`, or the error that ended the run; both are sentences without the key."""

    def work() -> dict[str, Response] | EngineError:
        try:
            engine = OpenAIEngine("my-model", server.root, **{**USUAL, **options})
        except EngineError as error:
            return error
        try:
            return {answer.key: answer for answer in engine.serve(ListFeed([question(key) for key in keys]))}
        except EngineError as error:
            return error
        finally:
            engine.close()

    return in_time(work)


def sentence(text: str) -> None:
    assert text and "Traceback" not in text and len(text) < 900
    assert KEY not in text and KEY[8:] not in text


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_failed_item(server: FaultServer, name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.always["bad"] = FAULTS[name]
    options: dict[str, Any] = {"timeout_s": 0.4, "retries": 0} if name in SLOW else {}
    outcome = ask(server, "bad", "good", **options)
    if isinstance(outcome, EngineError):
        # What concerns the first request concerns all: a redirect, a wrong address.
        sentence(str(outcome))
        assert "refuses the first request" in str(outcome) or name in SLOW, "only a wrong address ends the run"
    else:
        assert outcome["bad"].text is None
        sentence(outcome["bad"].error or "")
        assert outcome["good"].text == "re: good" or name in SLOW
    assert KEY not in caplog.text
    assert server.tries["bad"] <= 5


@pytest.mark.parametrize("name", ODD_BUT_GOOD)
def test_what_is_odd_and_still_an_answer(server: FaultServer, name: str) -> None:
    server.always["odd"] = ODD_BUT_GOOD[name]
    outcome = ask(server, "odd", "good")
    assert not isinstance(outcome, EngineError)
    answer = outcome["odd"]
    assert (answer.text, answer.error) == ("good", None)
    assert answer.tokens_in in (None, 7) and answer.tokens_out in (None, 3)
    assert answer.finish in (None, "stop")
    assert len(str(answer)) < 1000


LOOKS = (
    "header lines drip",
    "body drips, blanks",
    "chunks drip",
    "100 Continue floods",
    *LARGE,
    "reset",
    "deep lists",
    "no HTTP",
    "web page",
    "a list",
    "Latin-1",
    "a number of 5,000 digits",
)


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize("path", ["/v1/models", "/version"])
def test_a_fault_in_what_the_server_says_of_itself(name: str, path: str) -> None:
    """Everything but an answer to the first look leaves a sentence or an engine that runs."""
    with fault_server("vllm") as server:
        server.pages[path] = FAULTS[name]
        outcome = ask(server, "q", timeout_s=0.4 if name in SLOW else 60.0)
    if isinstance(outcome, EngineError):
        sentence(str(outcome))
    else:
        assert outcome["q"].text == "re: q" or name in SLOW


def refuse(connection: socket.socket) -> None:
    connection.close()


def greet(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example ESMTP\r\n")
    connection.recv(1)


def drip_at_once(connection: socket.socket) -> None:
    try:
        while True:
            connection.sendall(b"H")
            threading.Event().wait(0.02)
    except OSError:
        connection.close()


def never_read(connection: socket.socket) -> None:
    threading.Event().wait(3.0)


@pytest.mark.parametrize("fault", [refuse, greet, drip_at_once, never_read])
@pytest.mark.parametrize("late", [False, True], ids=["first", "later"])
def test_a_fault_of_the_connection_itself(
    server: FaultServer, fault: Callable[[socket.socket], None], late: bool
) -> None:
    if late:

        def then(call: Any) -> None:
            server.at_accept = fault
            reset(call)

        server.always["q"] = then
    else:
        server.at_accept = fault
    outcome = ask(server, "q", timeout_s=0.4)
    assert isinstance(outcome, EngineError)
    sentence(str(outcome))
    assert server.root in str(outcome)


def test_nobody_accepts() -> None:
    """A full backlog: the kernel answers nothing at all."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        with pytest.raises(EngineError, match="no server answers"):
            in_time(lambda: OpenAIEngine("m", f"http://127.0.0.1:{port}", timeout_s=0.3, backoff_s=0.001))
        for one in waiting:
            one.close()


def test_a_reply_takes_no_more_memory_than_the_limit(server: FaultServer) -> None:
    """Endless and packed bodies, eight at once: what is held stays far below what is sent or unpacked."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    names = ["endless body", "endless chunks", "gzip bomb", "endless error body"]
    server.always = {f"{name} {n}": LARGE[name] for name in names for n in range(2)}
    outcome = ask(server, *server.always, concurrency=8, retries=0)
    assert isinstance(outcome, EngineError | dict)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700 << 10, "KiB"
    assert server.sent < 400 << 20


def test_no_redirect_takes_the_key_elsewhere(server: FaultServer) -> None:
    with fault_server() as other:
        server.pages["/v1/models"] = status(307, Location=f"{other.root}/v1/models")
        server.everything = status(307, Location=f"{other.root}/v1/chat/completions")
        outcome = ask(server, "q")
        assert isinstance(outcome, EngineError) and "redirects" in str(outcome)
        assert not other.gets and not other.bodies


def test_no_cookie_goes_back(server: FaultServer) -> None:
    server.faults = [ODD_BUT_GOOD["a hundred cookies"]]
    server.pages["/v1/models"] = lambda call: call.send(b"{}", Set_Cookie="session=1")
    ask(server, "a", "b")
    assert len(server.bodies) == 2 and not any("Cookie" in headers for headers in server.headers)


@pytest.mark.parametrize("wait", ["601", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_that_is_too_long_ends_the_run(server: FaultServer, wait: str) -> None:
    server.everything = status(429, "later", Retry_After=wait)
    outcome = ask(server, "a", "b")
    assert isinstance(outcome, EngineError) and "asks to wait" in str(outcome)
    sentence(str(outcome))


def test_many_small_waits_without_an_answer_end_it_too(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvbench.engines.openai.retry.LONGEST_RETRY_AFTER_S", 0.3)
    server.everything = status(429, "later", Retry_After="0.1")
    outcome = ask(server, "a", retries=5)
    assert isinstance(outcome, EngineError) and "asks to wait" in str(outcome)
    assert 2 <= server.tries["a"] <= 5


def test_a_rate_limit_without_a_time_or_an_end_is_given_up(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tvbench.engines.openai.retry.LONGEST_QUIET_S", 0.2)
    server.everything = FAULTS["Retry-After: \xb2"]
    outcome = ask(server, "a", retries=1000, backoff_s=0.05)
    assert not isinstance(outcome, EngineError)
    sentence(outcome["a"].error or "")
    assert 1 <= server.tries["a"] <= 20


def test_waits_asked_for_at_once_count_once(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvbench.engines.openai.retry.LONGEST_RETRY_AFTER_S", 0.9)
    server.faults = [status(429, "later", Retry_After="0.3")] * 4
    outcome = ask(server, "a", "b", "c", "d", concurrency=4)
    assert isinstance(outcome, dict) and not any(one.error for one in outcome.values())


# ── Log-probabilities ─────────────────────────────────────────────────────────────────────────────


ROW = {"2": {"logprob": -1.5}}
ROWS: dict[str, Any] = {
    "a number": 5,
    "text": "-1.5",
    "an object": {"2": ROW},
    "none": [],
    "too few": [None],
    "null rows": [None, None, None],
    "lists": [None, [1], [2]],
    "other tokens": [None, ROW, {"9": {"logprob": -1.0}}],
    **{
        f"a value of {value!r:.12}": [None, ROW, {"2": {"logprob": value}}]
        for value in ("-1.5", None, True, [1], 10**400, -(10**400), float("nan"), float("inf"), float("-inf"), 3.0)
    },
}
TOKENS: dict[str, Any] = {
    "a number": 5,
    "text": "12",
    "of text": ["1", "\xb2"],
    "of floats": [1.0, 2.5],
    "of true": [True],
    "of NaN": [float("nan")],
    "of lists": [[1]],
    "of 1e400": [float("inf")],
    "null": None,
}


@pytest.mark.parametrize("rows", ROWS)
def test_odd_log_probabilities_fail_one_item(rows: str) -> None:
    scored_by(lambda call: call.answer(prompt_logprobs=ROWS[rows]), [1])


@pytest.mark.parametrize("tokens", TOKENS)
def test_odd_tokens_fail_one_item(tokens: str) -> None:
    scored_by(lambda call: call.answer(prompt_logprobs=[None, ROW, ROW]), TOKENS[tokens])


@pytest.mark.parametrize(
    "name",
    [
        "deep lists",
        "endless body",
        "gzip bomb",
        "a string",
        "Latin-1",
        "events",
        "400 with an escape sequence",
        "Retry-After: \xb2",
        "a number of 5,000 digits",
    ],
)
def test_a_fault_while_a_text_is_scored(name: str) -> None:
    scored_by(FAULTS[name], [1])


def scored_by(fault: Fault, prompt: Any) -> None:
    """A text of two tokens is scored by a server that counts tokens right unless `prompt` is odd."""

    def reply(call: Any) -> None:
        if call.path != "/tokenize":
            fault(call)
        elif "prompt" in call.body:
            call.reply({"tokens": [2, 2]})
        else:
            call.reply({"tokens": [1, 2, 2] if call.body["continue_final_message"] else prompt})

    def work() -> list[Response]:
        engine = OpenAIEngine("served-model", misbehaving.root, backoff_s=0.002, retries=0, timeout_s=60.0, api_key=KEY)
        try:
            return list(engine.serve(ListFeed([question("q", continuation="Ja.")])))
        finally:
            engine.close()

    with fault_server("vllm") as misbehaving:
        misbehaving.everything = reply
        (answer,) = in_time(work)
    assert answer.text is None and answer.logprobs is None
    sentence(answer.error or "")


# ── Ctrl-C ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["body drips", "100 Continue floods", "no reply", "Retry-After: 60"])
@pytest.mark.parametrize(("stop", "by"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_ends_a_run_while_the_server_misbehaves(
    server: FaultServer, name: str, stop: signal.Signals, by: str, tmp_path: Path
) -> None:
    server.everything = FAULTS.get(name) or status(429, "later", Retry_After="60")
    for code in ("en", "de"):
        (tmp_path / f"test_2016_flickr.{code}").write_text("".join(f"{code} {n}\n" for n in range(8)))
    words = [
        "run",
        "--model",
        f"openai:m@{server.root}",
        "--tasks",
        "multi30k:de",
        "--no-image",
        "--data",
        str(tmp_path),
        "--results",
        str(tmp_path / "out"),
        "--timeout",
        "600",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "tvbench", *words],
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        # A shell starts its background jobs with SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert until(lambda: bool(server.bodies)), "nothing was asked"
        process.send_signal(stop)
        said, _ = process.communicate(timeout=WATCHDOG_S)
    finally:
        process.kill()
    assert process.returncode == 1 and "Traceback" not in said and f"stopped by {by};" in said


def until(found: Callable[[], bool]) -> bool:
    """Whether it comes true before the watchdog."""
    end = time.monotonic() + WATCHDOG_S
    while not found() and time.monotonic() < end:
        time.sleep(0.05)
    return found()
