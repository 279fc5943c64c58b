"""The record of a run's batches: which questions are out, so that none is paid for twice by mistake.

    waves/0001.json         one wave: its file, how many requests and bytes, how the server is spoken to
    waves/0001.keys.jsonl   the keys in it; with a key the notes that belong to its answer
    waves/back.jsonl        in order: what came back without an answer, what waves are lost, what refusals taught
    waves/unasked.jsonl     questions whose media could not be used when a wave was last written, each with the reason

A question without an answer is out while a wave holds it that neither came back without it nor was given up. A wave is
noted before its file gets its name: one whose note says `begun` and whose file is not there was never to be seen, and
counts for nothing. Written under the run's lock. Knows the store's way of writing; knows no request and no engine.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tvbench.errors import UsageError
from tvbench.runs.disk import storage_error, write_atomically
from tvbench.runs.lines import ends_torn, json_line, read_lines
from tvbench.safety.bounded import read_json

FOLDER = "waves"
MOST_WAVES = 1_000_000
BACK, UNASKED, KEYS = "back.jsonl", "unasked.jsonl", ".keys.jsonl"


@dataclass(frozen=True, slots=True)
class Wave:
    """A file of requests. `spoken` is how the server is spoken to in it, `server` what that says it is; `begun`: its
    file has no name yet."""

    wave: int
    file: str
    requests: int = 0
    bytes: int = 0
    written: str = ""
    server: str = ""
    spoken: Mapping[str, Any] = field(default_factory=dict)
    begun: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """How the waves stand: the keys that are `out`, and how many of each wave's are."""

    waves: tuple[Wave, ...] = ()
    out: Collection[str] = frozenset()
    by_wave: Mapping[int, int] = field(default_factory=dict)

    @property
    def open(self) -> list[Wave]:
        """The waves of which something is out."""
        return [wave for wave in self.waves if self.by_wave.get(wave.wave)]

    @property
    def said(self) -> str:
        """`1,000 questions are out in waves 2 and 3`."""
        numbers = [str(wave.wave) for wave in self.open]
        where = f"waves {', '.join(numbers[:-1])} and {numbers[-1]}" if len(numbers) > 1 else f"wave {numbers[0]}"
        many = len(self.out) != 1
        return f"{len(self.out):,} question{'s are' if many else ' is'} out in {where}"


class Waves:
    """The record below a run's folder. Reading writes nothing."""

    def __init__(self, run: Path) -> None:
        self.folder = run / FOLDER

    def exists(self) -> bool:
        return self.folder.is_dir()

    def all(self) -> list[Wave]:
        """Every wave that was written, in order. Raises UsageError for a damaged record: it may be of paid answers."""
        return [wave for path in sorted(self.folder.glob("[0-9]*.json")) if _is_there(wave := _read(path))]

    def keys(self, wave: int) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The keys of a wave, each with the notes for its answer. Raises UsageError for a damaged file."""
        for line in self._lines(f"{wave:04}{KEYS}", appended=False):
            yield str(line["key"]), tuple(map(str, line.get("notes", ())))

    def state(self, answered: Container[str]) -> State:
        """What is out, where `answered` has the keys with an answer."""
        waves = tuple(self.all())
        held = {key: some for key, some in self._held(waves).items() if some and key not in answered}
        by_wave = {wave.wave: sum(some >> wave.wave & 1 for some in held.values()) for wave in waves}
        return State(waves, held.keys(), by_wave)

    def _held(self, waves: Iterable[Wave]) -> dict[str, int]:
        """The waves in which each question may still be answered, as bits. What came back without an answer is taken
        for the oldest of them: of waves that were given up nothing is waited for."""
        held: dict[str, int] = {}
        following = iter([*waves])
        waiting = next(following, None)
        for line in (*self._lines(BACK), {"after": MOST_WAVES}):
            while waiting is not None and waiting.wave <= max([line.get("after", 0), *line.get("lost", ())]):
                for key, _ in self.keys(waiting.wave):
                    held[key] = held.get(key, 0) | 1 << waiting.wave
                waiting = next(following, None)
            if some := held.get(str(line.get("key")), 0):
                held[str(line["key"])] = some & (some - 1)
            for number in line.get("lost", ()):
                for key, _ in self.keys(number):
                    held[key] &= ~(1 << number)
        return held

    def lost(self) -> set[int]:
        """The waves that were given up."""
        return {int(number) for line in self._lines(BACK) for number in line.get("lost", ())}

    def returned(self) -> set[tuple[str, str]]:
        """What came back without an answer: its key, and what tells one such line from another."""
        return {(str(line["key"]), str(line.get("line", ""))) for line in self._lines(BACK) if "key" in line}

    def taught(self) -> Mapping[str, Any] | None:
        """How the server is to be spoken to, after what it last refused; None where it taught nothing."""
        said = [line["spoken"] for line in self._lines(BACK) if isinstance(line.get("spoken"), dict)]
        return said[-1] if said else None

    def back(self) -> Iterator[Mapping[str, Any]]:
        """Every line of what came back, was given up and was taught, in order."""
        return self._lines(BACK)

    def unasked(self) -> dict[str, str]:
        """Questions that no wave could hold, by key, with the reason."""
        return {str(line["key"]): str(line.get("error", "")) for line in self._lines(UNASKED)}

    # ── Writing, under the run's lock ─────────────────────────────────────────────────────────────

    def begin(self, wave: Wave, keys: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        """Note a wave whose file is about to get its name. Raises StoreError."""
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise storage_error(error, self.folder) from error
        lines = ({"key": key} | ({"notes": list(notes)} if notes else {}) for key, notes in keys)
        write_atomically(self.folder / f"{wave.wave:04}{KEYS}", map(json_line, lines))
        self._write(replace(wave, begun=True))

    def done(self, wave: Wave) -> None:
        """The wave's file has its name."""
        self._write(replace(wave, begun=False))

    def settle(self) -> None:
        """Finish the notes of an export that was killed: of a wave whose file has its name, and of one without."""
        for path in sorted(self.folder.glob("[0-9]*.json")):
            wave = _read(path)
            if wave.begun and _is_there(wave):
                self.done(wave)
            elif wave.begun:
                path.unlink()
                (self.folder / f"{wave.wave:04}{KEYS}").unlink(missing_ok=True)

    def give_up(self, waves: Iterable[int]) -> None:
        """These are not waited for any more."""
        self._append([{"lost": sorted(waves)}])

    def came_back(self, lines: Iterable[tuple[str, str]]) -> None:
        """Note what came back without an answer, as `returned` has it."""
        after = max((wave.wave for wave in self.all()), default=0)
        self._append({"key": key, "line": name, "after": after} for key, name in lines)

    def teach(self, spoken: Mapping[str, Any]) -> None:
        """Note how the server is to be spoken to from now on."""
        self._append([{"spoken": dict(spoken)}])

    def replace_back(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Write them in place of those that lie there. Raises StoreError."""
        self.folder.mkdir(exist_ok=True)
        write_atomically(self.folder / BACK, map(json_line, lines))

    def note_unasked(self, reasons: Mapping[str, str]) -> None:
        """Write down what no wave could hold this time."""
        if reasons or (self.folder / UNASKED).is_file():
            self.folder.mkdir(exist_ok=True)
            lines = ({"key": key, "error": reason} for key, reason in reasons.items())
            write_atomically(self.folder / UNASKED, map(json_line, lines))

    def _append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        path = self.folder / BACK
        try:
            self.folder.mkdir(exist_ok=True)
            if ends_torn(path):
                whole = path.read_bytes()
                path.write_bytes(whole[: whole.rfind(b"\n") + 1])
            with path.open("a", encoding="utf-8", errors="surrogatepass") as file:
                file.writelines(map(json_line, lines))
        except OSError as error:
            raise storage_error(error, path) from error

    def _write(self, wave: Wave) -> None:
        text = json.dumps(asdict(wave), ensure_ascii=False, indent=1)
        write_atomically(self.folder / f"{wave.wave:04}.json", [text, "\n"])

    def _lines(self, name: str, *, appended: bool = True) -> Iterator[Any]:
        path = self.folder / name
        if not path.is_file():
            return
        damaged: list[Any] = []
        for _, line in read_lines(path, damaged, appended=appended):
            if isinstance(line, dict):
                yield line
        if damaged:
            raise UsageError(str(damaged[0]), DAMAGED)


DAMAGED = (
    "the record of batches says what is paid for: put a copy of that file in its place; without one, move the folder "
    "`waves` away once nothing is out any more"
)


def _read(path: Path) -> Wave:
    try:
        data = read_json(path)
        known = {one.name for one in fields(Wave)}
        wave = Wave(**{name: value for name, value in data.items() if name in known})
        if type(wave.wave) is not int or not isinstance(wave.file, str):
            raise ValueError("it is no wave")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is damaged: {error}", DAMAGED) from error
    return wave


def _is_there(wave: Wave) -> bool:
    """Whether the wave was ever to be seen."""
    if not wave.begun:
        return True
    with suppress(OSError):
        return Path(wave.file).stat().st_size == wave.bytes
    return False
