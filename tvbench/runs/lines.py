"""JSON lines with a checksum each, so that a damaged line is told from a whole one and costs nobody else's.

    {"key":"9c2e...","text":"...","sum":"1a2b3c4d"}

`sum` is the CRC-32 of the line without it, written compactly. A line without `sum` is one of before, and is believed;
one whose `sum` differs is left out and reported. Knows no run and no meaning of a line.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvbench.safety.bounded import json_value

SUM = "sum"
BEGINNING = b'{"key":'
"""How every line begins that we write; after a damaged line end it shows where the next one begins."""
SHOWN_LINES = 5
SUM_BEGINS = f',"{SUM}":"'.encode()
TAIL = len(SUM_BEGINS) + len('00000000"}')
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that is not as it was written, and is left out; or that should not be there, where nothing is `lost`."""

    path: Path
    line: int
    reason: str
    lost: bool = True

    def __str__(self) -> str:
        return f"{self.path}:{self.line} is damaged ({self.reason})"


def json_line(value: Mapping[str, Any]) -> str:
    """`value` as one line with its checksum."""
    text = _compact(_without_sum(value))
    return f'{text[:-1]},"{SUM}":"{_crc(_encoded(text))}"}}\n'


def checksum(value: Mapping[str, Any]) -> str:
    """What `value`'s `sum` should be: 8 hex digits. The order of its fields counts."""
    return _crc(_encoded(_compact(_without_sum(value))))


def read_lines(path: Path, damaged: list[Damage], *, appended: bool = True) -> Iterator[tuple[int, Any]]:
    """Every whole line as (number, value); what is damaged is added to `damaged`.

    In a file that is `appended` to, a last line without its end was being written when its writer was killed: it is
    left out, and is no damage.
    """
    return ((number, value) for number, _, value in lines_at(path, damaged, appended=appended))


def lines_at(path: Path, damaged: list[Damage], *, appended: bool = True) -> Iterator[tuple[int, int, Any]]:
    """The same with the offset at which each begins: (number, offset, value)."""
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            size = len(line)
            if not line.endswith(b"\n"):
                if appended:
                    return
                line += b"\n"
            value, reason = _read(line)
            if reason is None:
                yield number, offset, value
            else:
                damaged.append(Damage(path, number, reason))
                for at, part in _parts(line):
                    yield number, offset + at, _read(part)[0]
            offset += size


def placed_lines(path: Path, damaged: list[Damage]) -> Iterator[tuple[int, int, bytes, Any]]:
    """Every whole line of a file that is appended to, as (number, offset, bytes, value), as `read_lines` has it.

    The value is None of a line whose checksum tells that it is as it was written: whoever wants it, has it read.
    """
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            value, reason = (None, None) if as_written(line) else _read(line)
            if reason is None:
                yield number, offset, line, value
            else:
                damaged.append(Damage(path, number, reason))
                for at, part in _parts(line):
                    yield number, offset + at, part, None
            offset += len(line)


def as_written(line: bytes) -> bool:
    """Whether a line has the checksum that we write. Another writer's spaces may make it differ from a whole line's."""
    end = len(line) - TAIL - 1
    if line[end:-11] != SUM_BEGINS or line[:1] != b"{":
        return False
    return line[-11:] == b'%08x"}\n' % zlib.crc32(b"}", zlib.crc32(line[:end]))


def line_value(line: bytes) -> Any:
    """The value of a line that `placed_lines` gave, whatever stands behind it. Raises ValueError for none."""
    value, reason = _read(line)
    if reason is None:
        return value
    for at, part in _parts(line):
        if at == 0:
            return _read(part)[0]
    raise ValueError(reason)


def in_words(faults: Iterable[Damage]) -> list[str]:
    """One sentence for each file with damaged lines, naming the first of them."""
    by_file: dict[Path, list[Damage]] = {}
    for fault in faults:
        by_file.setdefault(fault.path, []).append(fault)
    told: list[str] = []
    for path, damages in by_file.items():
        if len(damages) == 1:
            told.append(str(damages[0]))
            continue
        numbers = [str(damage.line) for damage in damages[:SHOWN_LINES]] + ["..."] * (len(damages) > SHOWN_LINES)
        told.append(f"{path}: {len(damages)} lines are damaged ({', '.join(numbers)})")
    return told


def ends_torn(path: Path) -> bool:
    """Whether the last line has no end."""
    if not path.is_file() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) != b"\n"


def _read(line: bytes) -> tuple[Any, str | None]:
    try:
        value = json_value(line.decode("utf-8", "surrogatepass"))
    except UnicodeDecodeError:
        return None, "not text"
    except ValueError:
        return None, "not JSON"
    if not isinstance(value, dict):
        return None, "not a JSON object"
    if SUM not in value:
        return value, None
    # The bytes as they were written tell without a second rendering; another writer's spaces change nothing.
    if as_written(line) or value[SUM] == _crc(line[: -TAIL - 1] + b"}") or value[SUM] == checksum(value):
        return value, None
    return value, "its checksum differs"


def _parts(line: bytes) -> Iterator[tuple[int, bytes]]:
    """The bytes of whole lines that stand in one because the end of another was damaged, each with the place where it
    begins. Only a checksum is believed here."""
    first, *others = line.split(BEGINNING)
    at = len(first)
    for part in others:
        end = part.rfind(SUM_BEGINS) + TAIL
        whole = BEGINNING + part[:end] + b"\n"
        value, reason = _read(whole)
        if reason is None and SUM in value:
            yield at, whole
        at += len(BEGINNING) + len(part)


def _without_sum(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: part for name, part in value.items() if name != SUM} if SUM in value else value


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _crc(data: bytes) -> str:
    return f"{zlib.crc32(data):08x}"
