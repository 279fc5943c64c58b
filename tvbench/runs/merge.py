"""Several folders of one run, or several parts of one folder, as one: each question with one answer.

One pass finds where the answer to each key lies (60 bytes a key), a second one copies those lines as they are. An
answer beats a failure. Two different answers to one question, or manifests that contradict each other, are named and
nothing is written, unless somebody says which folder to prefer. What was merged already changes nothing. Knows the
store; scores nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import IO

from tvbench.errors import UsageError
from tvbench.runs import codec
from tvbench.runs.answer_index import KEY_AT, KEY_ENDS, key_and_failure
from tvbench.runs.heartbeat import forget_heartbeats
from tvbench.runs.history import settled, settled_parts
from tvbench.runs.key_table import KeyTable
from tvbench.runs.lines import Damage, as_written, in_words, json_line, line_value, placed_lines
from tvbench.runs.manifest import Manifest, now, plain
from tvbench.runs.manifest_json import manifest_to_json
from tvbench.runs.merged_manifest import differences, other_run, packages_differing, together
from tvbench.runs.merged_waves import JoinedWaves
from tvbench.runs.spent import spent_on, total
from tvbench.runs.store import REQUESTS, RESPONSES, RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import Response

SHOWN = 5
SHOWN_TEXT = 40
FAILED = 1
FILE_BITS = 24


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of it: questions with one of the `answers`, such that `failed`, and `missing` ones, with neither; by
    folder how many answers it brought that those before it had not. `twice` counts answers that several had, `remarks`
    are for a person."""

    folder: RunFolder
    answers: int
    failed: int
    missing: int = 0
    brought: dict[str, int] = field(default_factory=dict)
    twice: int = 0
    changed: bool = True
    remarks: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return self.answers > 0 and not self.failed and not self.missing

    @property
    def said(self) -> str:
        """`720 answers from 3 folders (500, 200, 20), 0 failed, 280 missing; in RUN`."""
        of = f" from {len(self.brought)} folders ({', '.join(map('{:,}'.format, self.brought.values()))})"
        twice = f", {self.twice:,} of them twice" if self.twice else ""
        told = f"{self.answers:,} answers{of if len(self.brought) > 1 else ''}{twice}, {self.failed:,} failed"
        same = "" if self.changed else "; nothing was to be done"
        return f"{told}, {self.missing:,} missing; in {self.folder.path}{same}"


def merge(sources: Sequence[RunFolder], target: Path, prefer: RunFolder | None = None) -> Merged:
    """Put `sources`, and what lies in `target` already, together in `target`. The sources stay as they are.

    Raises UsageError for what contradicts each other, for folders that hold other runs, and while somebody writes
    `target`; StoreError.
    """
    made = not target.exists()
    with RunWriter(target) as writer:
        forget_heartbeats(target)
        try:
            return _merged(writer, _distinct([RunFolder(target), *sources]), prefer)
        except BaseException:
            if made:
                writer.withdraw()
            raise


def _distinct(folders: Iterable[RunFolder]) -> list[RunFolder]:
    """Each folder once, of those that hold a run; the first is the one that is written, where it does."""
    found: dict[Path, RunFolder] = {}
    for folder in folders:
        if folder.exists() or folder.response_files():
            found.setdefault(folder.path.resolve(), folder)
    return list(found.values())


def _merged(writer: RunWriter, folders: list[RunFolder], prefer: RunFolder | None) -> Merged:
    preferred = None if prefer is None else _place(folders, prefer)
    manifests = [folder.manifest() for folder in folders]
    said = _check_manifests(folders, manifests, preferred)
    requests = _check_requests(folders, preferred)
    lines = _Lines(folders, preferred)
    lines.read()
    lines.check()
    waves = JoinedWaves(writer.path, [folder.path for folder in folders])
    first = 0 if preferred is None else preferred
    ordered = [manifests[first], *manifests[:first], *manifests[first + 1 :]]
    settled_ones = {
        id(manifest): _settled(folder, manifest) for folder, manifest in zip(folders, manifests, strict=True)
    }
    if waves.changes:
        waves.write()
    changed = _write(writer, folders, together([settled_ones[id(one)] for one in ordered]), requests, lines)
    said += _graded_elsewhere(folders[1:])
    damaged = [f"{text}: left out" for text in in_words(fault for fault in lines.faults if fault.lost)]
    brought = {str(folder.path): count for folder, count in zip(folders, lines.brought, strict=True)}
    return Merged(
        RunFolder(writer.path),
        len(lines.keys) - lines.failures,
        lines.failures,
        0 if requests is None else lines.missing(requests),
        brought,
        lines.twice,
        changed or waves.changes,
        (*said, *damaged),
    )


def _write(
    writer: RunWriter, folders: Sequence[RunFolder], manifest: Manifest, requests: Path | None, lines: _Lines
) -> bool:
    """Write what is another than it was; whether anything was."""
    folder = RunFolder(writer.path)
    changed = requests is not None and requests != folder.path / REQUESTS
    if changed and requests is not None:
        writer.copy_requests(requests)
    before = folder.earlier_manifest()
    manifest = replace(manifest, run=folder.name)
    if before is None or _as_written(before) != _as_written(manifest):
        writer.replace_manifest(replace(manifest, updated=now()))
        changed = True
    if not lines.as_they_lie(folder):
        writer.replace_responses(lines.chosen())
        changed = True
    return changed


def _as_written(manifest: Manifest) -> object:
    """What lies in the file but for the date: seconds, for one, are rounded there."""
    return plain(manifest_to_json(replace(manifest, updated="")))


# ── What must agree ───────────────────────────────────────────────────────────────────────────────


def _place(folders: Sequence[RunFolder], prefer: RunFolder) -> int:
    for number, folder in enumerate(folders):
        if folder.path.resolve() == prefer.path.resolve():
            return number
    raise UsageError(f"--prefer {prefer.path}: it is none of the runs that are merged", "name it among them")


def _check_manifests(folders: Sequence[RunFolder], manifests: Sequence[Manifest], preferred: int | None) -> list[str]:
    """What a person should know of them. Raises UsageError where they are no parts of one run."""
    said: list[str] = []
    for folder, manifest in list(zip(folders, manifests, strict=True))[1:]:
        names = f"{folders[0].path} and {folder.path}"
        if found := other_run(manifests[0], manifest):
            raise UsageError(f"{names} are two runs: {_some(found)}", "only folders of one run are merged")
        if found := differences(manifests[0], manifest):
            if preferred is None:
                raise UsageError(f"the manifests of {names} differ: {_some(found)}", _prefer(folders))
            said.append(
                f"note: the manifests of {names} differ: {_some(found)}; {folders[preferred].path} is preferred"
            )
        if found := packages_differing(manifests[0], manifest):
            said.append(f"note: {names} were answered by other versions: {_some(found)}")
    return said


def _graded_elsewhere(others: Iterable[RunFolder]) -> list[str]:
    """What judges and COMET said stays where it is."""
    graded = [str(other.path) for other in others if any(other.path.glob("*/**/*.jsonl"))]
    return [f"note: not merged is what judges or COMET said in {', '.join(graded)}: grade the whole"] if graded else []


def _check_requests(folders: Sequence[RunFolder], preferred: int | None) -> Path | None:
    """The file that holds the questions of all. Raises UsageError where they differ, and nothing is preferred."""
    files = [folder.path / REQUESTS for folder in folders]
    there = [file for file in files if file.is_file()]
    if preferred is not None and files[preferred] in there:
        same = there[0] == files[0] and not _first_difference(files[0], files[preferred])
        return files[0] if same else files[preferred]
    for other in there[1:]:
        if place := _first_difference(there[0], other):
            said = f"{there[0]} and {other} hold other questions, from line {place} on"
            raise UsageError(said, _prefer(folders))
    return there[0] if there else None


def _first_difference(first: Path, other: Path) -> int:
    """The number of the first line that differs; 0 where none does."""
    with first.open("rb") as mine, other.open("rb") as yours:
        for number, (one, two) in enumerate(zip_longest(mine, yours), 1):
            if one != two:
                return number
    return 0


def _settled(folder: RunFolder, manifest: Manifest) -> Manifest:
    """With the counts of sessions that were killed, while it can still be told what they brought."""
    if manifest.sessions is None or all(session.answered is not None for session in manifest.sessions):
        return manifest
    sessions = settled_parts(manifest.sessions, folder.counted)
    if any(session.answered is None for session in sessions):
        answers = [response for response in folder.responses([]).values() if response.error is None]
        own = total(spent_on(answer) for answer in answers if not answer.reused_from)
        sessions = settled(sessions, len(answers), own)
    return replace(manifest, sessions=tuple(sessions))


def _some(found: Sequence[str]) -> str:
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more


def _prefer(folders: Sequence[RunFolder]) -> str:
    return f"if one of them is right: --prefer {folders[0].path}, or --prefer {folders[-1].path}"


# ── The answers ───────────────────────────────────────────────────────────────────────────────────


class _Lines:
    """Which line holds for each key, over the files of all folders. The folder that is written comes first; the first
    answer holds, in one file the later failure."""

    def __init__(self, folders: Sequence[RunFolder], preferred: int | None) -> None:
        self.folders = folders
        self.preferred = preferred
        order = sorted(range(len(folders)), key=lambda number: (number != 0, number != preferred))
        self.files = [(number, path) for number in order for path in _in_order(folders[number])]
        self.keys = KeyTable()
        self.faults: list[Damage] = []
        self.conflicts: dict[str, tuple[int, int]] = {}
        self.brought = [0] * len(folders)
        self.failures = self.twice = 0
        self._settled = KeyTable()
        """The keys that the preferred folder answers."""
        self._places = array("Q")
        self._open: dict[int, IO[bytes]] = {}
        self._clean = False

    def read(self) -> None:
        """Look at every line once."""
        for number, (_, path) in enumerate(self.files):
            lines, end, sound = 0, 0, True
            for line_number, offset, line, value in placed_lines(path, self.faults):
                lines, end, sound = lines + 1, offset + len(line), sound and value is None
                try:
                    key, failed = key_and_failure(line, value)
                except (KeyError, TypeError, ValueError) as error:
                    self.faults.append(Damage(path, line_number, f"{type(error).__name__}: {error}"))
                    continue
                self._note(key, offset << FILE_BITS | number << 1 | failed)
            if number == 0:
                self._clean = sound and lines == len(self.keys) and end == path.stat().st_size

    def missing(self, requests: Path) -> int:
        """How many questions have no line."""
        asked = KeyTable()
        for key in _asked(requests):
            if key not in self.keys:
                asked.add(key)
        return len(asked)

    def check(self) -> None:
        """Raises UsageError for two different answers to one question."""
        if not self.conflicts:
            return
        told = [f"{key[:12]} ({self._told(one)}, {self._told(two)})" for key, (one, two) in self.conflicts.items()]
        number = len(self.conflicts)
        many = f"{number} questions have" if number > 1 else "1 question has"
        raise UsageError(f"{many} two different answers: {_some(told)}", _prefer(self.folders))

    def as_they_lie(self, folder: RunFolder) -> bool:
        """Whether the folder's one file holds each of these lines, and nothing else."""
        files = folder.response_files()
        if files != [folder.path / RESPONSES]:
            return not files and not self.keys
        mine = self.files[0][1] == files[0] and all(_file_of(place) == 0 for place in self._places)
        return mine and self._clean

    def chosen(self) -> Iterator[str]:
        """The lines that hold, in the order in which they lie."""
        by_file: dict[int, array[int]] = {}
        for place in self._places:
            by_file.setdefault(_file_of(place), array("Q")).append(place >> FILE_BITS)
        for number in sorted(by_file):
            for offset in sorted(by_file[number]):
                line = self._line(number, offset)
                if as_written(line):
                    yield line.decode("utf-8", "surrogatepass")
                else:
                    yield json_line(codec.response_to_json(codec.response_from_json(line_value(line))))

    def _note(self, key: str, place: int) -> None:
        new = len(self.keys)
        number = self.keys.add(key)
        folder, failed = self.files[_file_of(place)][0], place & FAILED
        if folder == self.preferred and not failed:
            self._settled.add(key)
        if number == new:
            self._places.append(place)
            self.failures += failed
            self.brought[folder] += not failed
            return
        before = self._places[number]
        if not failed and not before & FAILED:
            self._second(key, number, before, place)
        elif before & FAILED and (not failed or _file_of(before) == _file_of(place)):
            self._places[number] = place
            self.failures -= not failed
            self.brought[folder] += not failed

    def _second(self, key: str, number: int, before: int, place: int) -> None:
        """A second answer to a question."""
        self.twice += 1
        if self._equal(before, place):
            return
        first, second = (self.files[_file_of(one)][0] for one in (before, place))
        if second == self.preferred != first:
            self._places[number] = place
        elif second == self.preferred or key not in self._settled:
            self.conflicts[key] = before, place

    def _equal(self, one: int, two: int) -> bool:
        first, second = (self._line(_file_of(place), place >> FILE_BITS) for place in (one, two))
        return first == second or _meaning(first) == _meaning(second)

    def _told(self, place: int) -> str:
        number = _file_of(place)
        text = _response(self._line(number, place >> FILE_BITS)).text
        shown = (
            "log-probabilities"
            if text is None
            else repr(text if len(text) <= SHOWN_TEXT else text[:SHOWN_TEXT] + "...")
        )
        return f"{self.files[number][1]}: {shown}"

    def _line(self, number: int, offset: int) -> bytes:
        if number not in self._open:
            self._open[number] = self.files[number][1].open("rb")
        file = self._open[number]
        file.seek(offset)
        return file.readline()


def _in_order(folder: RunFolder) -> list[Path]:
    """The one file first, then the parts."""
    return sorted(folder.response_files(), key=lambda path: path.name != RESPONSES)


def _file_of(place: int) -> int:
    return (place & ((1 << FILE_BITS) - 1)) >> 1


def _response(line: bytes) -> Response:
    return codec.response_from_json(line_value(line))


def _meaning(line: bytes) -> tuple[object, ...]:
    """What an answer says, whatever it took."""
    answer = _response(line)
    return answer.text, answer.reasoning, answer.logprobs if answer.text is None else None


def _asked(requests: Path) -> Iterator[str]:
    """The keys of the questions, one a line, as they lie."""
    for _, _, line, value in placed_lines(requests, []):
        key = line[KEY_AT:KEY_ENDS]
        if value is None and key.isalnum() and line[KEY_ENDS : KEY_ENDS + 1] == b'"':
            yield key.decode("ascii")
        else:
            yield str((line_value(line) if value is None else value).get("key"))
