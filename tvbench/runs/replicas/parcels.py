"""What travels between the driver of a run and its replicas, and where a replica stores an answer before it tells it.

A request travels with its media's encoded bytes, an answer as the line that is stored. A replica writes only where it
sees the token of the driver that asks: on a machine that has the run's folder, and only while that driver writes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from tvbench.engines.protocol import EngineInfo, Prepared
from tvbench.errors import MediaError
from tvbench.runs import codec
from tvbench.runs.driver_token import TOKEN, holding
from tvbench.runs.lines import json_line
from tvbench.types import Media, ModelCard, Request, Response


@dataclass(frozen=True, slots=True)
class EngineOrder:
    """Which engine a replica opens, and how. `engine` is its name or its file; `folder` and `included` are where files
    of engines are looked for; `environment` holds where the machine's own says nothing."""

    engine: str
    card: ModelCard
    arguments: Mapping[str, Any]
    offline: bool
    video_timeout_s: float
    version: str
    folder: str
    included: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class PartPlace:
    """A run's folder with the driver's token, and the names of the replica's own file and the token's file in it."""

    folder: str
    token: str
    file: str
    token_file: str = TOKEN


@dataclass(frozen=True, slots=True)
class Chunk:
    """Requests for one replica. `turn` counts the driver's calls of serve; `place` None: nothing is stored there."""

    turn: int
    requests: tuple[Request, ...]
    place: PartPlace | None = None


@dataclass(frozen=True, slots=True)
class OpenedEngine:
    """An engine that is open: what it says of itself, and where it runs."""

    info: EngineInfo
    host: str
    pid: int
    devices: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a replica cannot go on. `usage`: what was asked is wrong; `died`: its process is gone, and told nothing."""

    message: str
    hint: str = ""
    usage: bool = False
    died: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What a replica tells: `answers` as lines, each with whether it is stored; `lost` are keys that its engine took
    and ended without; `hungry`: the engine waits for more; `backlog`: requests that it has not taken."""

    opened: OpenedEngine | None = None
    answers: tuple[tuple[str, bool], ...] = ()
    lost: tuple[str, ...] = ()
    hungry: bool = False
    backlog: int = 0
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """A medium's bytes, as what loads them; None: they were not there."""

    data: bytes | None = field(repr=False)

    def __call__(self) -> bytes:
        if self.data is None:
            raise MediaError("its bytes did not come along")
        return self.data


def packed(request: Request, encoded: Sequence[bytes]) -> Request:
    """`request` with its media's bytes in it, so that it can travel."""
    following = iter(encoded)
    messages = tuple(
        replace(
            message,
            parts=tuple(
                replace(part, load=Carried(next(following, None))) if isinstance(part, Media) else part
                for part in message.parts
            ),
        )
        for message in request.messages
    )
    return replace(request, messages=messages)


def weight(prepared: Prepared) -> int:
    """Bytes that travel."""
    return sum(map(len, prepared.encoded))


def as_line(response: Response) -> str:
    """An answer as it is stored."""
    return json_line(codec.response_to_json(response))


def from_line(line: str) -> Response:
    """The answer again."""
    return codec.response_from_json(json.loads(line))


def sees(place: PartPlace) -> bool:
    """Whether the token is there, on this machine."""
    try:
        with holding(Path(place.folder) / place.token_file, place.token) as seen:
            return seen
    except OSError:
        return False


class PartFile:
    """A replica's own file in a run's folder, opened with the first line."""

    def __init__(self, place: PartPlace, seen: bool = False) -> None:
        self._place = place
        self._file: IO[str] | None = None
        self._seen = seen
        self.taken_back = False
        """Whether the token was seen here, and is not any more: somebody else writes the folder."""

    def add(self, line: str) -> bool:
        """Store a line and hand it to the operating system; False where this is not the place (any more)."""
        folder = Path(self._place.folder)
        try:
            with holding(folder / self._place.token_file, self._place.token) as seen:
                self.taken_back = self._seen and not seen
                self._seen = self._seen or seen
                if not seen:
                    return False
                if self._file is None:
                    self._file = (folder / self._place.file).open("a", encoding="utf-8", errors="surrogatepass")
                self._file.write(line)
                self._file.flush()
        except (OSError, UnicodeError):
            return False
        return True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
