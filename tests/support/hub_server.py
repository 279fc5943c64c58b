"""A stand-in for the Hugging Face hub on loopback: the few addresses that a download needs, over local folders.

The hub itself cannot be reached where the tests run; everything on this side of HTTP is the real library.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


class HubServer(ThreadingHTTPServer):
    """Repositories by name (`org/m`, `datasets/org/d`): their folder and the commit that `main` names."""

    daemon_threads = True

    def __init__(self, folders: Mapping[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folders = dict(folders)
        self.commits = {name: hashlib.sha1(name.encode()).hexdigest() for name in folders}
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.server.paths.append(path)
        if path.startswith("api/"):
            self._information(path.removeprefix("api/").removeprefix("models/"))
        else:
            self._file(path)

    def _information(self, path: str) -> None:
        """`org/m/revision/main`: the commit and the names of the files; `org/m/tree/main`: the files alone."""
        tree = "/tree/" in path
        name, _, revision = path.partition("/tree/" if tree else "/revision/")
        folder = self.server.folders.get(name)
        if folder is None:
            self._refuse("RepoNotFound")
        elif revision not in ("", "main", self.server.commits[name]):
            self._refuse("RevisionNotFound")
        else:
            files = [one for one in sorted(folder.rglob("*")) if one.is_file()]
            names = [str(one.relative_to(folder)) for one in files]
            listed = [
                {
                    "type": "file",
                    "path": path,
                    "size": one.stat().st_size,
                    "oid": hashlib.sha1(one.read_bytes()).hexdigest(),
                }
                for path, one in zip(names, files, strict=True)
            ]
            about = {
                "id": name.removeprefix("datasets/"),
                "sha": self.server.commits[name],
                "private": False,
                "siblings": [{"rfilename": one} for one in names],
            }
            self._send(json.dumps(listed if tree else about).encode())

    def _file(self, path: str) -> None:
        """`org/m/resolve/COMMIT/config.json`."""
        name, _, rest = path.partition("/resolve/")
        file = self.server.folders.get(name, Path("/nowhere")) / rest.partition("/")[2]
        if file.is_file():
            self._send(file.read_bytes(), self.server.commits[name])
        else:
            self._refuse("EntryNotFound")

    def _refuse(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, data: bytes, commit: str | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        if commit is not None:
            self.send_header("X-Repo-Commit", commit)
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@contextlib.contextmanager
def hub_server(folders: Mapping[str, Path]) -> Iterator[HubServer]:
    """A running server, shut down at the end."""
    server = HubServer(folders)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
