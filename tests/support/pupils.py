"""Chat servers that know a part of the answers: real HTTP and usage, the model behind it made up (no model could be as
good as a test wants it)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Pupil(ThreadingHTTPServer):
    """Answers a question that holds a key of `answers` by its value, in a share `knows` of them; always the same ones,
    chosen by a hash. Counts how often each question came."""

    daemon_threads = True

    def __init__(self, name: str, answers: Mapping[str, str], knows: float, wrong: str = "No idea.") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name, self.answers, self.knows, self.wrong = name, answers, knows, wrong
        self.asked: Counter[str] = Counter()

    @property
    def model(self) -> str:
        """What `--model` takes."""
        return f"openai:{self.name}@http://127.0.0.1:{self.server_address[1]}/v1"

    def answer(self, question: str) -> str:
        found = next((key for key in self.answers if key in question), None)
        if found is None:
            return self.wrong
        drawn = int(hashlib.sha256(f"{self.name}:{found}".encode()).hexdigest()[:8], 16) / 2**32
        return self.answers[found] if drawn < self.knows else self.wrong

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    server: Pupil
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send({"object": "list", "data": [{"id": self.server.name, "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = " ".join(_texts(body["messages"]))
        self.server.asked[question] += 1
        said = self.server.answer(question)
        self._send(
            {
                "model": self.server.name,
                "usage": {"prompt_tokens": 50 + len(question) // 4, "completion_tokens": max(1, len(said) // 4)},
                "choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}],
            }
        )

    def _send(self, value: object) -> None:
        data = json.dumps(value).encode()
        with contextlib.suppress(ConnectionError):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def _texts(messages: list[dict[str, Any]]) -> Iterator[str]:
    for message in messages:
        content = message["content"]
        if isinstance(content, str):
            yield content
        else:
            yield from (part["text"] for part in content if part["type"] == "text")


@contextlib.contextmanager
def serving(*pupils: Pupil) -> Iterator[tuple[Pupil, ...]]:
    """The servers, at work in threads of their own."""
    threads = [threading.Thread(target=pupil.serve_forever, daemon=True) for pupil in pupils]
    for thread in threads:
        thread.start()
    try:
        yield pupils
    finally:
        for pupil in pupils:
            pupil.shutdown()
            pupil.server_close()
