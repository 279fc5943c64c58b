"""The run's folder while replicas write it: the driver's word in it, and each replica's own file. Knows no engine."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tvbench.engines.protocol import StoredResponse
from tvbench.runs.codec import response_from_json
from tvbench.runs.driver_token import token_name
from tvbench.runs.lines import read_lines
from tvbench.runs.replicas.parcels import PartPlace
from tvbench.types import Request, Response


@dataclass(frozen=True, slots=True)
class WrittenFolder:
    """The driver's token, how the files of its replicas begin, and the highest number of such a file that lay there
    before."""

    folder: Path
    token: str
    token_file: Path
    start: str
    before: int

    @classmethod
    def of(cls, folder: Path, part: str | None) -> WrittenFolder:
        start = f"responses.{part}-r" if part else "responses.r"
        numbers = [path.name[len(start) : -len(".jsonl")] for path in folder.glob(f"{start}*.jsonl")]
        before = max((int(number) for number in numbers if number.isdecimal()), default=0)
        return cls(folder, secrets.token_hex(16), folder / token_name(part), start, before)

    def path(self, serial: int) -> Path:
        return self.folder / f"{self.start}{self.before + serial}.jsonl"

    def for_actor(self, serial: int) -> PartPlace:
        return PartPlace(str(self.folder), self.token, self.path(serial).name, self.token_file.name)


def take_stored(path: Path, held: dict[str, Request]) -> list[Response]:
    """Answers to what a replica `held` that it stored before it could tell; they are taken out of `held`."""
    found: dict[str, Response] = {}
    for _, data in read_lines(path, []) if path.is_file() else ():
        with suppress(KeyError, TypeError):
            if data["key"] in held:
                found[data["key"]] = as_stored(response_from_json(data))
    for key in found:
        del held[key]
    return list(found.values())


def as_stored(response: Response) -> StoredResponse:
    """The same, known to lie in the run's folder."""
    return StoredResponse(**{name: getattr(response, name) for name in Response.__dataclass_fields__})
