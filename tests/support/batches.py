"""A service of batches, as far as a test needs one: it answers the files of requests that `tvbench export batch` wrote.

Each body is posted as it stands to a chat server, so that what comes back is what a live run would have got.
"""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


def requests_in(*files: Path | str) -> list[Json]:
    """The requests of waves, in order."""
    return [json.loads(line) for file in files for line in Path(file).read_bytes().splitlines()]


def posted(url: str, request: Json) -> tuple[int, Json]:
    """Status and body of one request that is posted to the server at `url` (with `/v1`)."""
    address = url.removesuffix("/v1") + request["url"]
    data = json.dumps(request["body"]).encode()
    asked = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=request["method"])
    try:
        with urllib.request.urlopen(asked) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def answered(url: str, requests: Iterable[Json]) -> list[Json]:
    """The result of each request, in OpenAI's form."""
    return [result(request["custom_id"], *posted(url, request)) for request in requests]


def result(custom_id: str, status: int, body: Any) -> Json:
    """One line of an output file (or, with another status than 200, of an error file)."""
    response = {"status_code": status, "request_id": f"req_{custom_id[:8]}", "body": body}
    return {"id": f"batch_req_{custom_id[:8]}", "custom_id": custom_id, "response": response, "error": None}


def reply(text: str, **more: Any) -> Json:
    """A chat completion that says `text`."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 5, "completion_tokens": 2}
    return {"model": "m", "usage": usage, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]} | more


def expired(custom_id: str) -> Json:
    """A request that a hosted batch did not come to."""
    error = {"code": "batch_expired", "message": "This request could not be executed before the completion window."}
    return {"id": f"batch_req_x{custom_id[:8]}", "custom_id": custom_id, "response": None, "error": error}


def write(path: Path, lines: Iterable[Json | bytes]) -> Path:
    """A file of results; bytes are lines as they are."""
    path.write_bytes(b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines))
    return path


class BatchService(ThreadingHTTPServer):
    """A hosted service's files and batches: each batch is done when it is asked about. `answer` gives status and body
    of a request; a status of 400 and more goes into the error file."""

    daemon_threads = True

    def __init__(self, answer: Callable[[Json], tuple[int, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Service)
        self.answer = answer
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, Json] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def keep(self, data: bytes) -> str:
        """Keep a file; its id."""
        name = f"file-{len(self.files)}"
        self.files[name] = data
        return name

    def work(self, file: str) -> Json:
        """Answer a file's requests."""
        lines: dict[bool, list[bytes]] = {True: [], False: []}
        for line in self.files[file].splitlines():
            request = json.loads(line)
            status, body = self.answer(request)
            lines[status < 400].append(json.dumps(result(request["custom_id"], status, body)).encode() + b"\n")
        output, errors = (self.keep(b"".join(some)) if some else None for some in (lines[True], lines[False]))
        name = f"batch-{len(self.batches)}"
        self.batches[name] = {"id": name, "status": "completed", "output_file_id": output, "error_file_id": errors}
        return self.batches[name]


class _Service(BaseHTTPRequestHandler):
    server: BatchService

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/files":
            self._send({"id": self.server.keep(_uploaded(self.headers["Content-Type"], data))})
        else:
            self._send(self.server.work(json.loads(data)["input_file_id"]))

    def do_GET(self) -> None:
        words = self.path.split("/")
        if words[2] == "files":
            self._send(self.server.files[words[3]])
        elif words[2] == "batches":
            self._send(self.server.batches[words[3]])
        else:
            self._send({"data": [{"id": "gpt-4o-mini", "object": "model"}]})

    def _send(self, value: Any) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


def _uploaded(kind: str, data: bytes) -> bytes:
    """The file in a form that was posted."""
    message = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + data)
    (file,) = (part for part in message.walk() if part.get_filename())
    content = file.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


@contextlib.contextmanager
def batch_service(answer: Callable[[Json], tuple[int, Any]]) -> Iterator[BatchService]:
    """A running service, shut down at the end."""
    service = BatchService(answer)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    try:
        yield service
    finally:
        service.shutdown()
        service.server_close()
