"""A small chat server on loopback for tests of the path around a model: its answer is a function of the question."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ChatServer(ThreadingHTTPServer):
    """Counts how often each question is asked. `die_after` N answers it closes every connection unanswered; each
    answer is padded to `length` characters. `digest`: answers tell questions apart (`digest_of`). While `refusing`,
    half of the questions get status 400."""

    daemon_threads = True

    def __init__(
        self, delay: float = 0.0, die_after: int | None = None, length: int = 0, *, digest: bool = False
    ) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.delay = delay
        self.die_after = die_after
        self.length = length
        self.digest = digest
        self.refusing = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def model(self) -> str:
        """What `--model` takes."""
        return f"openai:counter@{self.url}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error of ours."""


class Handler(BaseHTTPRequestHandler):
    server: ChatServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send({"object": "list", "data": [{"id": "counter", "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = json.dumps(body["messages"], sort_keys=True)
        with self.server.lock:
            dead = self.server.die_after is not None and self.server.asked.total() >= self.server.die_after
            if not dead:
                self.server.asked[question] += 1
        if dead:
            self.close_connection = True
            self.connection.close()
            return
        if self.server.refusing and int(digest_of(question)[-1], 16) % 2:
            self._send({"error": {"message": "bad picture", "type": "invalid_request_error"}}, 400)
            return
        time.sleep(self.server.delay)
        answer = digest_of(question) if self.server.digest else f"answer {len(question)}"
        self._send(
            {
                "model": "counter",
                "usage": {"prompt_tokens": 5, "completion_tokens": 2},
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": answer.ljust(self.server.length, "x")},
                        "finish_reason": "stop",
                    }
                ],
            }
        )

    def _send(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


def digest_of(question: str) -> str:
    """What a server with `digest` answers to a question."""
    return f"answer {hashlib.sha256(question.encode()).hexdigest()[:16]}"


@contextlib.contextmanager
def chat_server(
    delay: float = 0.0, die_after: int | None = None, length: int = 0, *, digest: bool = False
) -> Iterator[ChatServer]:
    """A running server, shut down at the end."""
    server = ChatServer(delay, die_after, length, digest=digest)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
