"""What is missing of a run, written as files of requests (waves) for a service that answers batches.

Requests are prepared a few at a time and written as they come: however many there are, a handful is held. Equal asks
write equal bytes. What is out in earlier waves is left out; runs/waves.py keeps the record. Knows runs and the lines of
a batch; asks nobody.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from tvbench.engines.openai.batch import Spoken, request_line, spoken_to
from tvbench.engines.openai.messages import SIGHT
from tvbench.engines.protocol import Prepared
from tvbench.errors import MediaError, UsageError
from tvbench.runs.disk import StoreError, storage_error
from tvbench.runs.manifest import now
from tvbench.runs.planned import PlannedItem
from tvbench.runs.questions import Questions
from tvbench.runs.session import RunSession
from tvbench.runs.store import RunFolder
from tvbench.runs.waves import State, Wave, Waves
from tvbench.types import ModelCard, Request

REQUESTS, BYTES = 50_000, 200_000_000
"""What hosted batches take in one file."""
THREADS, WINDOW = 4, 12


@dataclass(frozen=True, slots=True)
class WaveOptions:
    """How waves are cut: at most so many `requests` and `bytes` in each, at most so many waves now (`most`), written to
    the folder `to` (None: the run's own). `again`: what is out is written too."""

    requests: int = REQUESTS
    bytes: int = BYTES
    most: int | None = None
    to: Path | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, what is `out` from before, and what no batch can hold: `unasked` by key with the reason,
    `scored` texts by task. `left` questions are for later waves."""

    waves: tuple[Wave, ...] = ()
    out: State = State()
    answered: int = 0
    unasked: dict[str, str] = field(default_factory=dict)
    scored: dict[str, int] = field(default_factory=dict)
    left: int = 0

    @property
    def requests(self) -> int:
        return sum(wave.requests for wave in self.waves)


def export(session: RunSession, server: str, options: WaveOptions) -> Exported:
    """Write what is missing of an open session's run. `server` is what the server says it is, "" where nobody knows.

    Raises UsageError for a damaged record, StoreError."""
    run, plan = RunFolder(session.folder), session.plan
    waves = Waves(session.folder)
    waves.settle()
    answered = session.take_over()
    state = waves.state(answered)
    if options.again and state.out:
        waves.give_up(wave.wave for wave in state.open)
        state = waves.state(answered)
    _clear(waves.all(), state)
    spoken = learned(waves, plan.card, server)
    work = _Work(plan.card, spoken, session.preparing(SIGHT))
    shelf = _Shelf(waves, options, spoken, server, _mark(run))
    unasked: dict[str, str] = {}
    wanted = Counter[str]()
    requests = missing(plan.questions, answered, state.out, wanted)
    for request, line, notes in work.lines(requests, lambda: shelf.full):
        if isinstance(line, str):
            unasked[request.key] = line
        elif len(line) > options.bytes:
            unasked[request.key] = f"its request has {len(line):,} bytes, more than a wave ({options.bytes:,})"
        else:
            shelf.add(request.key, line, notes)
    shelf.close()
    left = work.abandoned + sum(1 for _ in requests)
    waves.note_unasked(unasked)
    known, left = plan.questions.known(answered), left + shelf.dropped
    return Exported(tuple(shelf.written), state, known, unasked, dict(wanted), left)


def give_up(run: RunFolder, typed: str) -> list[int]:
    """Note that the waves `typed` (`2,3` or `all`) will not come back. Raises UsageError."""
    waves = Waves(run.path)
    known = [wave.wave for wave in waves.all() if wave.wave not in waves.lost()]
    try:
        wanted = known if typed.strip() == "all" else [int(part) for part in typed.split(",") if part.strip()]
    except ValueError:
        raise UsageError(f"--lost {typed}: waves are numbers", "for example --lost 2,3, or --lost all") from None
    if strange := [number for number in wanted if number not in known] or (not wanted and [0]):
        there = f"there are {', '.join(map(str, known))}" if known else "none is out"
        raise UsageError(f"{run.name} has no wave {strange[0]} to give up", there)
    waves.give_up(wanted)
    _clear(waves.all(), waves.state(run.index().without_failures))
    return wanted


def missing(
    questions: Questions, answered: Container[str], out: Container[str], scored: Counter[str]
) -> Iterator[Request]:
    """Each question once that has no answer and is not out; those that no batch takes are counted in `scored`."""
    for planned in questions.items():
        if planned.key in answered or planned.key in out or planned.item.problem is not None:
            continue
        if planned.item.continuation is not None:
            scored[planned.item.task] += 1
        else:
            yield planned.request


def scores_texts(items: Iterable[PlannedItem]) -> dict[str, int]:
    """By task: how many of `items` ask for the log-probabilities of a given text, which no batch gives."""
    return dict(Counter(planned.item.task for planned in items if planned.item.continuation is not None))


def learned(waves: Waves, card: ModelCard, server: str) -> Spoken:
    """How the server is spoken to, with what its refusals taught."""
    said = waves.taught() or next((wave.spoken for wave in reversed(waves.all())), None)
    return spoken_to(card, server, None if said is None else spoken_in(said))


def spoken_in(said: Mapping[str, Any]) -> Spoken:
    """How the server was spoken to, as the record has it. Raises UsageError for one that does not say it."""
    try:
        return Spoken(**{**said, "refused": tuple(said.get("refused", ()))})
    except (TypeError, AttributeError) as error:
        raise UsageError(f"the record of waves is damaged: {error}") from error


def _mark(run: RunFolder) -> str:
    """What tells the waves of one run from another's in one folder."""
    return sha256(run.name.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _clear(waves: Iterable[Wave], state: State) -> None:
    """Take away the files of waves that nobody waits for, so that they are not sent once more."""
    for wave in waves:
        if not state.by_wave.get(wave.wave):
            with suppress(OSError):
                path = Path(wave.file)
                if path.stat().st_size == wave.bytes:
                    path.unlink()


@dataclass(slots=True)
class _Work:
    """Makes lines of requests, a few at a time, in their order."""

    card: ModelCard
    spoken: Spoken
    prepare: Callable[[Request], Prepared]
    abandoned: int = 0

    def lines(
        self, requests: Iterator[Request], full: Callable[[], bool]
    ) -> Iterator[tuple[Request, bytes | str, tuple[str, ...]]]:
        """Each request with its line and the notes for its answer, or with why there is none; until it is `full`."""
        waiting: deque[tuple[Request, Future[tuple[bytes | str, tuple[str, ...]]]]] = deque()
        with ThreadPoolExecutor(THREADS, thread_name_prefix="export") as pool:
            while not full():
                while len(waiting) < WINDOW and (request := next(requests, None)) is not None:
                    waiting.append((request, pool.submit(self.line, request)))
                if not waiting:
                    return
                request, future = waiting.popleft()
                yield request, *future.result()
            self.abandoned = len(waiting)

    def line(self, request: Request) -> tuple[bytes | str, tuple[str, ...]]:
        try:
            prepared = self.prepare(request)
            return request_line(prepared, self.spoken.dialect(self.card), self.card), prepared.notes
        except MediaError as error:
            return str(error), ()
        except Exception as error:  # noqa: BLE001 - whatever one request's media provoke is that question's failure
            return f"{type(error).__name__}: {error}", ()


@dataclass(slots=True)
class _Shelf:
    """Cuts lines into waves, and writes each under its name when it is whole."""

    waves: Waves
    options: WaveOptions
    spoken: Spoken
    server: str
    mark: str
    written: list[Wave] = field(default_factory=list)
    dropped: int = 0
    _file: IO[bytes] | None = None
    _wave: Wave | None = None
    _keys: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    @property
    def full(self) -> bool:
        return self.options.most is not None and len(self.written) >= self.options.most

    def add(self, key: str, line: bytes, notes: tuple[str, ...]) -> None:
        if self._wave is not None and self._wave.bytes + len(line) > self.options.bytes:
            self.close()
        if self.full:
            self.dropped += 1
            return
        wave = self._wave or self._open()
        try:
            assert self._file is not None
            self._file.write(line)
        except OSError as error:
            raise self._refused(error, Path(wave.file)) from error
        self._keys.append((key, notes))
        self._wave = replace(wave, requests=wave.requests + 1, bytes=wave.bytes + len(line))
        if len(self._keys) >= self.options.requests:
            self.close()

    def close(self) -> None:
        """Give the wave its name: noted first, so that nothing that can be sent is without a note."""
        wave, file = self._wave, self._file
        if wave is None or file is None:
            return
        path = Path(wave.file)
        wave = replace(wave, written=now())
        try:
            file.flush()
            os.fsync(file.fileno())
            file.close()
            self.waves.begin(wave, self._keys)
            _beside(path).replace(path)
        except OSError as error:
            raise self._refused(error, path) from error
        self.waves.done(wave)
        self.written.append(wave)
        self._file = self._wave = None
        self._keys = []

    def _refused(self, error: OSError, path: Path) -> StoreError:
        return storage_error(error, path, "--to" if self.options.to else "--results")

    def _open(self) -> Wave:
        number = 1 + max((wave.wave for wave in self.waves.all()), default=0)
        folder = (self.options.to or self.waves.folder).resolve()
        path = folder / f"wave-{number:04}-{self.mark}.jsonl"
        if path.exists():
            raise UsageError(
                f"{path} is there already, and no wave of this run", "move it away, or choose another folder with --to"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _beside(path).open("wb")
        except OSError as error:
            raise self._refused(error, path) from error
        self._wave = Wave(number, str(path), server=self.server, spoken=asdict(self.spoken))
        return self._wave


def _beside(path: Path) -> Path:
    """Where a wave is written before it is whole; one that a killed export left there is written over."""
    return path.with_name(f".{path.name}.part")
