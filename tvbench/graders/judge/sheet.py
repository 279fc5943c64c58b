"""A sheet of answers for people to label: drawn at random in each language, and told nothing of model and judge.

A row's key is a hash of everything that is labelled, so that a label can never belong to an answer that has changed.
The rows of a language stand in the order in which they were drawn (drawing.py): who labels only the first of them has
labelled a random sample too. Knows a run's answers; no judge's verdict.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tvbench.errors import UsageError
from tvbench.graders.judge.cases import prompt_text
from tvbench.graders.judge.drawing import drawn
from tvbench.runs.disk import storage_error, write_atomically
from tvbench.runs.store import RunFolder
from tvbench.safety.visible import FORMULA, visible
from tvbench.types import Item, Media, Open, Response

FOLDER = "labels"
SHEET = "sheet.json"
COLUMNS = ("key", "task", "language", "picture", "question", "reference", "answer", "label", "note", "scale", "chance")
MOST_SHOWN = 30_000
"""Characters of a cell: a spreadsheet takes 32,767, and puts the rest into other rows."""
KEY_SALT = "tvbench label"
KEY_LENGTH = 20


@dataclass(frozen=True, slots=True)
class OpenAnswer:
    """An open answer that a person can label; `key` is what its label is found by."""

    key: str
    item: Item
    question: str
    reference: str
    text: str

    @property
    def cluster(self) -> str:
        return self.item.cluster or f"item {self.item.id}"


@dataclass(frozen=True, slots=True)
class SheetRow:
    """An answer on the sheet, with the probability that it was drawn with."""

    answer: OpenAnswer
    chance: float


def open_answers(answers: Iterable[tuple[Item, Response]]) -> dict[str, list[OpenAnswer]]:
    """The open answers of one task by language, in the order in which they were asked."""
    found: defaultdict[str, list[OpenAnswer]] = defaultdict(list)
    for item, response in answers:
        if isinstance(item.target, Open) and item.problem is None and response.text is not None:
            question = item.target.question or prompt_text(item)
            told = [KEY_SALT, item.task, item.id, item.language, question, item.target.reference, response.text]
            found[item.language].append(OpenAnswer(_key(told), item, question, item.target.reference, response.text))
    return dict(sorted(found.items()))


def _key(told: Sequence[str]) -> str:
    """Letters first, so that no spreadsheet takes it for a number or a date."""
    digest = hashlib.sha256(json.dumps(told).encode()).digest()
    return "t-" + base64.b32encode(digest).decode().lower()[:KEY_LENGTH]


def sheet_rows(answers: Mapping[str, Iterable[tuple[Item, Response]]], size: int, seed: int) -> list[SheetRow]:
    """`size` open answers of each task and language, or all where there are fewer."""
    return [
        row
        for task, replies in answers.items()
        for language, found in open_answers(replies).items()
        for row in _drawn_rows(found, size, f"{seed}:{task}:{language}")
    ]


def _drawn_rows(found: Sequence[OpenAnswer], size: int, seed: str) -> Iterator[SheetRow]:
    order = drawn([(answer.item.id, answer.item.cluster) for answer in found], seed)[:size]
    return (SheetRow(found[place], len(order) / len(found)) for place in order)


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────


def sheet_text(rows: Sequence[SheetRow], scales: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """The sheet as CSV; `scales` by task say what a label may be, `labels` are those that there are already, by key."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for row in rows:
        answer, item = row.answer, row.answer.item
        texts = (item.task, item.language, _pictures(item), answer.question, answer.reference, answer.text)
        ends = (scales[item.task], f"{row.chance:.12g}")
        writer.writerow([answer.key, *map(sheet_cell, texts), labels.get(answer.key, ""), "", *ends])
    return buffer.getvalue()


def _pictures(item: Item) -> str:
    media = [part.name for message in item.messages for part in message.parts if isinstance(part, Media)]
    return "\n".join(media)


def sheet_cell(text: str) -> str:
    """`text` with its lines, of which a spreadsheet computes nothing."""
    shown = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]} [... {len(text) - MOST_SHOWN:,} characters more]"
    lines = "\n".join(map(visible, shown.replace("\r\n", "\n").split("\n")))
    return f"'{lines}" if re.match(FORMULA, text) else lines


def write_sheet(run: RunFolder, path: Path, text: str, rows: Sequence[SheetRow], seed: int) -> None:
    """The sheet, and next to the run's answers how it was drawn. Raises UsageError where the file is there already."""
    if path.exists():
        raise UsageError(f"{path} is there already, perhaps with labels in it", "--sheet-out ANOTHER.csv")
    record = {"seed": seed, "chances": {row.answer.key: row.chance for row in rows}}
    beside = run.path / FOLDER / SHEET
    for target, chunk in ((beside, json.dumps(record, indent=1) + "\n"), (path, "\ufeff" + text)):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, target) from error
        write_atomically(target, [chunk])
