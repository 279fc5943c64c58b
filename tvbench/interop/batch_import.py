"""What came back of a run's waves, taken into the run: answers as the openai engine reads the same replies, failures as
failures that are asked again.

Whatever order the lines have, however often a file is read, and whatever is missing: a question has the first answer
that came, another one is named and kept out. Lines of strangers are read within bounds. Knows runs and the lines of a
batch; asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from tvbench.engines.openai.batch import Returned, answer_of, failure_of, returned, software, taught
from tvbench.engines.openai.engine import engine_settings
from tvbench.errors import UsageError
from tvbench.interop.batch_export import learned, spoken_in
from tvbench.interop.batch_lines import lines_of
from tvbench.runs import codec
from tvbench.runs.history import BATCH, as_asked, begun, engine_label, settled, settled_parts
from tvbench.runs.lines import read_lines
from tvbench.runs.manifest import Manifest, now
from tvbench.runs.questions import EitherOf
from tvbench.runs.signature import read_signature, write_signature
from tvbench.runs.spent import PRICE_FACTOR, Spent, spent_on, total
from tvbench.runs.store import REQUESTS, RunFolder
from tvbench.runs.waves import State, Waves
from tvbench.runs.writer import RunWriter
from tvbench.types import EngineInfo, Request, Response, Sampling

HALF = 0.5
"""What hosted batches cost of the price of asking at once."""
NO_WAVE = 0
KEPT = 100
"""Lines of each kind of trouble that are named; the others are counted."""


@dataclass(slots=True)
class Troubles:
    """Lines that were left out: how many, and where and why the first were."""

    count: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, where: str) -> None:
        self.count += 1
        if len(self.named) < KEPT:
            self.named.append(where)


@dataclass(slots=True)
class Imported:
    """What came of it: `answered` and `failed` now, `known` answers that were there already, and lines that were left
    out: `unknown` ids, `conflicts` (another answer to an answered question), `unreadable` ones. `state` is what is out
    still, `missing` how many questions have no answer."""

    answered: int = 0
    failed: int = 0
    known: int = 0
    missing: int = 0
    unknown: Troubles = field(default_factory=Troubles)
    conflicts: Troubles = field(default_factory=Troubles)
    unreadable: Troubles = field(default_factory=Troubles)
    reasons: dict[str, int] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    """Fields that the service turned out to refuse; the next waves leave them out."""
    state: State = State()

    @property
    def complete(self) -> bool:
        return not (self.missing or self.conflicts.count or self.unreadable.count)


def import_batch(
    run: RunFolder, files: Sequence[Path], command: Sequence[str], price_factor: float | None = None
) -> Imported:
    """Take the results in `files` into `run`. `price_factor`: what a batch costs of the usual price (None: half of it,
    and all of it where a checkpoint of one's own was served). Raises UsageError for a run whose answers are not a
    server's, for one that somebody else writes, and for a file that cannot be read; StoreError."""
    manifest = run.manifest()
    if manifest.ask.engine_name != "openai" or manifest.model.kind != "server":
        raise UsageError(
            f"the answers of {run.name} are not a server's, and a batch's would be those of another setting",
            "name the run that `tvbench export batch` made its waves of",
        )
    factor = price_factor if price_factor is not None else HALF if manifest.model.url else 1.0
    with RunWriter(run.path) as writer:
        work = _Import(run, manifest, writer, factor, tuple(command))
        for path in files:
            work.read(path)
        return work.finish(files)


class _Import:
    """One import, under the run's lock."""

    def __init__(
        self, run: RunFolder, manifest: Manifest, writer: RunWriter, factor: float, command: tuple[str, ...]
    ) -> None:
        self.run, self.manifest, self.writer, self.factor, self.command = run, manifest, writer, factor, command
        self._software = ""
        self.waves = Waves(run.path)
        self.done = Imported()
        sessions = settled_parts(manifest.sessions or (), run.counted)
        kept = writer.start()
        self._kept = kept
        self._new: dict[str, bytes] = {}
        """What was taken in now: the digest of each answer by its key."""
        own = total(spent_on(answer) for answer in kept.values() if not answer.reused_from)
        self._sessions = settled(sessions, len(kept), own)
        self._asked = _Asked(run)
        self._waves = {wave.wave: wave for wave in self.waves.all()}
        self._sent = {key: wave for wave in self._waves for key, _ in self.waves.keys(wave)}
        self._notes = {key: notes for wave in self._waves for key, notes in self.waves.keys(wave) if notes}
        self._spoken = learned(self.waves, manifest.model, self._label())
        self._first = self._spoken
        self._dialects = {
            number: spoken_in(wave.spoken).dialect(manifest.model) for number, wave in self._waves.items()
        }
        self._dialects[NO_WAVE] = self._spoken.dialect(manifest.model)
        self._failed: dict[str, Response] = {}
        self._back: set[tuple[str, str]] = set()
        self._spent = Spent()
        self._begun = False

    def read(self, path: Path) -> None:
        """Take in one file's lines."""
        for line in lines_of(path):
            where = f"{path.name}:{line.number}"
            try:
                if line.wrong:
                    raise ValueError(line.wrong)
                result = returned(line.data)
            except (ValueError, RecursionError) as error:
                self.done.unreadable.add(f"{where}: {error}")
                continue
            request = self._asked.request(result.custom_id)
            if request is None:
                self.done.unknown.add(f"{where}: {result.custom_id[:80]}")
            else:
                self._take(where, result, request, line.data)

    def _take(self, where: str, result: Returned, request: Request, line: bytes) -> None:
        notes = self._notes.get(request.key, ())
        if result.body is not None:
            dialect = self._dialects[self._sent.get(request.key, NO_WAVE)]
            response = answer_of(request, result.body, dialect, notes)
            self._software = self._software or software(result.body)
        else:
            assert result.wrong is not None
            self._spoken = taught(self._spoken, result.wrong, request, self.manifest.model)
            response = failure_of(request.key, result.wrong, notes)
        if response.error is not None:
            self._failed[request.key] = response
            self._back.add((request.key, result.name or blake2b(line, digest_size=8).hexdigest()))
            return
        digest = _digest(response)
        before = self._digest_of(request.key)
        if before is None:
            self._new[request.key] = digest
            self._append(response)
        elif before == digest:
            self.done.known += 1
        else:
            self.done.conflicts.add(f"{where}: {request.key[:12]} has another answer already")

    def _digest_of(self, key: str) -> bytes | None:
        """Of the answer that a question has."""
        if key in self._kept:
            return _digest(self._kept[key])
        return self._new.get(key)

    def _append(self, response: Response) -> None:
        if not self._begun:
            self._begin()
        if self.factor != 1.0:
            response = replace(response, extra={**response.extra, PRICE_FACTOR: self.factor})
        self.writer.append(response)
        self._spent += spent_on(response)
        self.done.answered += response.error is None
        self.done.failed += response.error is not None

    def finish(self, files: Sequence[Path]) -> Imported:
        """Store the failures of what has no answer, and write down who answered."""
        known = self.waves.returned()
        self.waves.came_back(sorted(self._back - known))
        if self._spoken != self._first:
            self.waves.teach(asdict(self._spoken))
            self.done.refused = tuple(sorted(set(self._spoken.refused) - set(self._first.refused)))
        for key, reason in {**self._asked.problems, **self.waves.unasked()}.items():
            self._failed.setdefault(key, Response(key, error=reason))
        answers = EitherOf(self._kept, self._new)
        for key, response in self._failed.items():
            if key not in answers and key in self._asked:
                self._append(response)
                reason = response.error or ""
                self.done.reasons[reason] = self.done.reasons.get(reason, 0) + 1
        if self._begun:
            self._note(ended=now(), answered=self.done.answered, failed=self.done.failed, spent=self._spent)
        self.done.missing = sum(key not in answers for key in self._asked)
        self.done.state = self.waves.state(answers)
        return self.done

    # ── Who answered ──────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        self._begun = True
        info = self._engine()
        facts = next((session.server for session in reversed(self._sessions) if session.server), {})
        session = begun(self.manifest.model, info, facts, self.command, now())
        self._sessions.append(replace(session, source=BATCH, price_factor=self.factor))
        self._note()

    def _note(self, **told: Any) -> None:
        self._sessions[-1] = replace(self._sessions[-1], **told)
        engine = as_asked(self._sessions[-1].engine or self._engine(), self._sessions)
        label = engine_label(engine)
        tasks = tuple(
            replace(entry, signature=write_signature({**read_signature(entry.signature), "engine": label}))
            for entry in self.manifest.tasks
        )
        self.writer.write_manifest(
            replace(self.manifest, updated="", engine=engine, tasks=tasks, sessions=tuple(self._sessions))
        )

    def _engine(self) -> EngineInfo:
        """The engine as a signature has it: a server's model, asked in a batch."""
        settings = engine_settings(self.manifest.model.location, (), self._spoken.video)
        return EngineInfo("openai", self._label() or "unknown", settings)

    def _label(self) -> str:
        return self._software or next((wave.server for wave in reversed(self.waves.all()) if wave.server), "")


class _Asked:
    """What a run asked, by key: as much of each question as its answer is read with."""

    def __init__(self, run: RunFolder) -> None:
        self.problems: dict[str, str] = {}
        self._kinds: list[tuple[Sampling, str]] = []
        self._numbers: dict[tuple[Sampling, str], int] = {}
        self._by_key: dict[str, int] = {}
        for _, line in read_lines(run.path / REQUESTS, [], appended=False):
            self._add(str(line["key"]), codec.item_from_json(line["item"]))

    def _add(self, key: str, item: Any) -> None:
        kind = (item.sampling, item.reply_schema)
        number = self._numbers.setdefault(kind, len(self._kinds))
        if number == len(self._kinds):
            self._kinds.append(kind)
        self._by_key[key] = number
        if item.problem is not None:
            self.problems[key] = item.problem

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_key)

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    def request(self, key: str) -> Request | None:
        """The question of that key, without its messages; None where there is none, or none that can be asked."""
        number = self._by_key.get(key)
        if number is None or key in self.problems:
            return None
        sampling, schema = self._kinds[number]
        return Request(key, (), sampling, reply_schema=schema)


def _digest(answer: Response) -> bytes:
    """What two answers share that say the same."""
    said = repr((answer.text, answer.reasoning, answer.finish)).encode("utf-8", "surrogatepass")
    return blake2b(said, digest_size=8).digest()
