"""An OpenAI-compatible server on loopback that misbehaves as it is told. Its answer is `re: ` and the question."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

import pytest

Json: TypeAlias = dict[str, Any]
Fault: TypeAlias = "Callable[[Call], None]"


class Call(BaseHTTPRequestHandler):
    """One request: `body` is its JSON, `text` the last text in it."""

    server: FaultServer
    protocol_version = "HTTP/1.1"
    body: Json

    def do_GET(self) -> None:
        self.server.gets.append(self.path)
        self.server.headers.append(dict(self.headers))
        reply = self.server.pages.get(self.path)
        if callable(reply):
            reply(self)
        elif reply is None:
            self.reply({"error": {"message": "no such page"}}, 404)
        else:
            self.reply(reply)

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.bodies.append(self.body)
            server.headers.append(dict(self.headers))
            server.times.append(time.monotonic())
            server.tries[self.text] += 1
            server.under_way += 1
            server.most_under_way = max(server.most_under_way, server.under_way)
            fault = server.choose(self)
        try:
            if fault is not None:
                fault(self)
            else:
                time.sleep(server.delay)
                self.answer()
        finally:
            with server.lock:
                server.under_way -= 1

    @property
    def text(self) -> str:
        if "messages" not in self.body:  # /tokenize of a bare text
            return str(self.body.get("prompt"))
        content = self.body["messages"][-1]["content"]
        if isinstance(content, str):
            return content
        return "".join(part.get("text", "") for part in content)

    def answer(self, content: object = None, *, finish: object = "stop", **more: Any) -> None:
        text = f"re: {self.text}" if content is None else content
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
        self.reply(
            {"model": "served-model", "usage": {"prompt_tokens": 7, "completion_tokens": 3}, "choices": [choice]} | more
        )

    def reply(self, value: object, status: int = 200, **headers: str) -> None:
        self.send(json.dumps(value).encode(), status, **{"Content-Type": "application/json", **headers})

    def send(self, data: bytes, status: int = 200, **headers: str) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


class FaultServer(ThreadingHTTPServer):
    """`faults` are used up one a POST; `always` answers those texts for ever; `everything` answers all POSTs."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, owner: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Call)
        self.lock = threading.Lock()
        self.faults: list[Fault] = []
        self.always: dict[str, Fault] = {}
        self.everything: Fault | None = None
        self.at_accept: Callable[[socket.socket], None] | None = None
        self.delay = 0.0
        self.bodies: list[Json] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.gets: list[str] = []
        self.tries: Counter[str] = Counter()
        self.under_way = self.most_under_way = self.sent = 0
        models = {"object": "list", "data": [{"id": "served-model", "owned_by": owner}]}
        self.pages: dict[str, Any] = {"/v1/models": models}

    def choose(self, call: Call) -> Fault | None:
        if self.everything is not None:
            return self.everything
        if call.text in self.always:
            return self.always[call.text]
        return self.faults.pop(0) if self.faults else None

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        """`at_accept` takes a connection before anything is read of it."""
        if self.at_accept is not None:
            self.at_accept(request)
        else:
            super().finish_request(request, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


def status(code: int, message: str = "no", *, error: Json | None = None, **headers: str) -> Fault:
    return lambda call: call.reply({"error": {"message": message, **(error or {})}}, code, **headers)


def saying(content: object, **more: Any) -> Fault:
    return lambda call: call.answer(content, **more)


def chat_reply(content: object, *, finish: str = "stop", model: str = "served-model", **more: Any) -> Fault:
    """A reply whose only choice holds `more` too."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish, **more}
    return lambda call: call.reply({"model": model, "choices": [choice]})


def raw(data: bytes, kind: str = "application/json", code: int = 200) -> Fault:
    return lambda call: call.send(data, code, Content_Type=kind)


def hang(seconds: float) -> Fault:
    def fault(call: Call) -> None:
        time.sleep(seconds)
        call.close_connection = True

    return fault


def reset(call: Call) -> None:
    """Break the connection as a killed process does (RST)."""
    call.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    call.close_connection = True
    call.connection.close()


def half(call: Call) -> None:
    """Promise a long body and hang up in the middle."""
    call.send_response(200)
    call.send_header("Content-Type", "application/json")
    call.send_header("Content-Length", "1000")
    call.end_headers()
    call.wfile.write(b'{"choices": [{"message"')
    call.close_connection = True


def wire(*pieces: bytes) -> Fault:
    """These bytes in the place of a reply, and the end of the connection."""
    return _writing(lambda: iter(pieces))


def drip(head: bytes, piece: bytes = b"x", every: float = 0.02) -> Fault:
    """After `head` a piece now and then, for ever: no single read of it takes long."""

    def pieces() -> Iterator[bytes]:
        yield head
        while True:
            time.sleep(every)
            yield piece

    return _writing(pieces)


def flood(head: bytes, piece: bytes) -> Fault:
    """After `head` the same piece without end, as fast as it is taken."""

    def pieces() -> Iterator[bytes]:
        yield head
        while True:
            yield piece

    return _writing(pieces)


def _writing(pieces: Callable[[], Iterator[bytes]]) -> Fault:
    def fault(call: Call) -> None:
        call.close_connection = True
        with contextlib.suppress(OSError):
            for piece in pieces():
                call.connection.sendall(piece)
                call.server.sent += len(piece)

    return fault


@contextlib.contextmanager
def keyless_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    """As `fault_server`, with no API key in the environment."""
    for name in ("TVBENCH_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with fault_server() as server:
        yield server


@contextlib.contextmanager
def fault_server(owner: str = "") -> Iterator[FaultServer]:
    """A running server, shut down at the end."""
    server = FaultServer(owner)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
