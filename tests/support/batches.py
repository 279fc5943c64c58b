"""A service of batches, as far as a test needs one: it answers the files of requests that `tvbench export batch` wrote.

Each body is posted as it stands to a chat server, so that what comes back is what a live run would have got.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
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


Answer: TypeAlias = Callable[[Json], Json]
