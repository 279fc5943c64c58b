"""Several folders of one run, or several parts of one folder, as one: each question with one answer.

What must agree is looked at first (merge_checks.py), then which line holds for each question (merged_lines.py). Two
different answers to one question, or manifests that contradict each other, are named and nothing is written, unless
somebody says which folder to prefer. What was merged already changes nothing. Knows the store; scores nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from tvbench.registry.places import default_results
from tvbench.runs.commands import at_results, going_on
from tvbench.runs.heartbeat import forget_heartbeats
from tvbench.runs.history import settled, settled_parts
from tvbench.runs.lines import in_words
from tvbench.runs.manifest import Manifest, now, plain
from tvbench.runs.manifest_json import manifest_to_json
from tvbench.runs.merge_checks import check_manifests, check_requests, place_of
from tvbench.runs.merged_lines import MergedLines
from tvbench.runs.merged_manifest import together
from tvbench.runs.merged_waves import JoinedWaves
from tvbench.runs.spent import spent_on, total
from tvbench.runs.store import REQUESTS, RunFolder
from tvbench.runs.waves import FOLDER as WAVES
from tvbench.runs.writer import RunWriter


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
    made = [folder for folder in (target, *target.parents) if not folder.exists()]
    with RunWriter(target) as writer:
        forget_heartbeats(target)
        try:
            return _merged(writer, _distinct([RunFolder(target), *sources]), prefer)
        except BaseException:
            if made:
                writer.withdraw()
                _remove_empty(made[1:])
            raise


def _remove_empty(folders: Iterable[Path]) -> None:
    """Take away folders, each in the next one, as far as nothing lies there."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _distinct(folders: Iterable[RunFolder]) -> list[RunFolder]:
    """Each folder once, of those that hold a run; the first is the one that is written, where it does."""
    found: dict[Path, RunFolder] = {}
    for folder in folders:
        if folder.exists() or folder.response_files():
            found.setdefault(folder.path.resolve(), folder)
    return list(found.values())


def _merged(writer: RunWriter, folders: list[RunFolder], prefer: RunFolder | None) -> Merged:
    preferred = None if prefer is None else place_of(folders, prefer)
    manifests = [folder.manifest() for folder in folders]
    said = check_manifests(folders, manifests, preferred)
    requests = check_requests(folders, preferred)
    lines = MergedLines(folders, preferred)
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
    said += _graded_elsewhere(folders[1:]) + _renamed(manifests[0], writer.path)
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
    writer: RunWriter, folders: Sequence[RunFolder], manifest: Manifest, requests: Path | None, lines: MergedLines
) -> bool:
    """Write what is another than it was; whether anything was."""
    folder = RunFolder(writer.path)
    changed = requests is not None and requests != folder.path / REQUESTS
    if changed and requests is not None:
        writer.copy_requests(requests)
    before = folder.earlier_manifest()
    manifest = replace(manifest, run=folder.name, command=_command(manifest, before, folder))
    if before is None or _as_written(before) != _as_written(manifest):
        writer.replace_manifest(replace(manifest, updated=now()))
        changed = True
    if not lines.as_they_lie(folder):
        writer.replace_responses(lines.chosen())
        changed = True
    return changed


def _command(manifest: Manifest, before: Manifest | None, folder: RunFolder) -> tuple[str, ...]:
    """What goes on with the merged run, and not with one of those that it came from."""
    if before is not None and before.command:
        return before.command
    return at_results(going_on(manifest.command), folder.path.parent, default_results())


def _as_written(manifest: Manifest) -> object:
    """What lies in the file but for the date: seconds, for one, are rounded there."""
    return plain(manifest_to_json(replace(manifest, updated="")))


def _graded_elsewhere(others: Iterable[RunFolder]) -> list[str]:
    """What judges and COMET said stays where it is."""
    said = ((other, file.relative_to(other.path)) for other in others for file in other.path.glob("*/**/*.jsonl"))
    graded = list(dict.fromkeys(str(other.path) for other, file in said if file.parts[0] != WAVES))
    return [f"note: not merged is what judges or COMET said in {', '.join(graded)}: grade the whole"] if graded else []


def _renamed(manifest: Manifest, target: Path) -> list[str]:
    """`tvbench run` looks for a run by the name that follows from what is asked."""
    if manifest.run in ("", target.name):
        return []
    return [
        f"note: `tvbench run` goes on in a folder called {manifest.run}, and takes answers from this one, "
        f"which is called {target.name}"
    ]


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
