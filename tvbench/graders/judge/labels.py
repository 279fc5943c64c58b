"""Labels that people wrote into a sheet: read from CSV of any spreadsheet, kept in `RUN/labels/labels.json`.

Read are commas, semicolons and tabs, UTF-8 and UTF-16 with or without a mark, and what Windows writes (cp1252). Of a
row only key and labels count, so whatever a spreadsheet did to the texts does no harm. `label`, `label_2`, ... are
different people, and so are different files; an empty label is none. A label is right or wrong (yes, no, true, 1, 0, ✓,
...) or a number of the rubric's scale: the numbers of one person are shares, 0 to 1, where none is above 1, and of the
scale else.

Knows sheets and scales; no verdict, no statistics.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tvbench.errors import UsageError
from tvbench.graders.judge.sheet import FOLDER
from tvbench.runs.disk import write_atomically
from tvbench.runs.store import RunFolder
from tvbench.safety.bounded import read_json

FILE = "labels.json"
MOST_BYTES = 256 << 20
SHOWN_PROBLEMS = 5
RIGHT_WORDS = frozenset(
    "yes y right correct true t ✓ ✔ ✅ ☑ 👍 ja richtig wahr oui vrai sí si correcto verdadero sim certo verdadeiro vero"
    " да верно 是 对 對 正确 正確 はい 正しい 예 맞음 हाँ सही نعم صحيح".split()
)
WRONG_WORDS = frozenset(
    "no n wrong incorrect false f ✗ ✘ ❌ ☒ 👎 nein falsch non faux incorrecto falso não nao errado нет неверно 否 不 错"
    " 錯 错误 錯誤 いいえ 誤り 아니요 틀림 नहीं गलत لا خطأ".split()
)
Scale = tuple[float, float]


@dataclass(frozen=True, slots=True)
class WrittenLabel:
    """What one person wrote into one row: `number`, or `share` of right where it was a word."""

    line: int
    key: str
    text: str
    number: float | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class LabelFile:
    """One file: the labels of each person in it, by column, and the keys of rows without a label."""

    path: Path
    columns: Mapping[str, Sequence[WrittenLabel]]
    empty: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HumanLabels:
    """Labels as shares of the scale, one for each person, and as they were written, by key. `unlabelled` are keys of
    rows that were left empty; `notes` say how the files were read, and what was left out."""

    shares: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unlabelled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


# ── One file ──────────────────────────────────────────────────────────────────────────────────────


def read_label_file(path: Path) -> LabelFile:
    """The labels in a CSV file. Raises UsageError, with line numbers, for what is no label and for keys given twice."""
    rows = list(_rows(path))
    head = [name.strip().casefold().replace(" ", "_") for name in rows[0][1]] if rows else []
    columns = [place for place, name in enumerate(head) if re.fullmatch(r"label[_-]?\d*", name)]
    if "key" not in head or not columns:
        said = f"{path} has no columns `key` and `label`"
        raise UsageError(said, "keep the first line of the sheet as it was, and save as CSV")
    problems: list[str] = []
    first: dict[str, int] = {}
    found: dict[str, list[WrittenLabel]] = {head[place]: [] for place in columns}
    empty: list[str] = []
    for line, row in rows[1:]:
        cells = [row[place].strip() if place < len(row) else "" for place in (head.index("key"), *columns)]
        key, texts = cells[0].lstrip("'").casefold(), dict(zip(found, cells[1:], strict=True))
        if not any(cells):
            continue
        problems.extend(_key_problems(line, key, first))
        for name, text in texts.items():
            if text:
                found[name].append(written := _written(line, key, text))
                problems.extend(_label_problems(written))
        if not any(texts.values()):
            empty.append(key)
    _refuse(path, problems)
    return LabelFile(path, found, tuple(empty))


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(number of its first line, cells) of every row. Raises UsageError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} is too large for a sheet of labels", "give the CSV file that --label-sheet wrote")
        text = _decoded(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}", "--labels FILE.csv") from error
    start = 1
    if (first := re.match(r"sep=(.)\r?\n", text)) is not None:
        text, start = text[first.end() :], 2
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=first[1] if first else _delimiter(text))
    try:
        while True:
            line = reader.line_num + start
            if (row := next(reader, None)) is None:
                return
            yield line, row
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num + start - 1}: {error}", "save the sheet as CSV") from error


def _decoded(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _delimiter(text: str) -> str:
    """The one that stands most often in the first line."""
    line = text.split("\n", 1)[0]
    return max(",;\t", key=line.count)


def _key_problems(line: int, key: str, first: dict[str, int]) -> Iterator[str]:
    if not key:
        yield f"line {line}: a label without a key"
    elif first.setdefault(key, line) != line:
        yield f"line {line}: the same answer as in line {first[key]}"


def _label_problems(label: WrittenLabel) -> Iterator[str]:
    if label.number is None and label.share is None:
        yield f"line {label.line}: '{label.text}' is no label"


def _written(line: int, key: str, text: str) -> WrittenLabel:
    word = text.lstrip("'").strip().casefold().rstrip(".!")
    if word in RIGHT_WORDS or word in WRONG_WORDS:
        return WrittenLabel(line, key, text, share=float(word in RIGHT_WORDS))
    try:
        number = float(word.replace(",", "."))
    except ValueError:
        return WrittenLabel(line, key, text)
    return WrittenLabel(line, key, text, number=number if math.isfinite(number) else None)


LABELS = "a label is yes or no, right or wrong, 1 or 0, or a number of the sheet's scale"
ONE_EACH = "give each answer one line; what another person says goes into a sheet of its own: --labels FILE2"


def _refuse(path: Path, problems: Sequence[str]) -> None:
    if problems:
        more = f"; and {len(problems) - SHOWN_PROBLEMS} more" if len(problems) > SHOWN_PROBLEMS else ""
        said = f"{path}: {'; '.join(problems[:SHOWN_PROBLEMS])}{more}"
        raise UsageError(said, ONE_EACH if any("same answer" in problem for problem in problems) else LABELS)


# ── Several files, as shares of the scales ────────────────────────────────────────────────────────


def joined(files: Sequence[LabelFile], scales: Mapping[str, Scale]) -> HumanLabels:
    """The labels of all people; `scales` by key of every answer that the run has. Raises UsageError for numbers off the
    scale."""
    shares: dict[str, list[float]] = {}
    texts: dict[str, list[str]] = {}
    notes: list[str] = []
    lost: list[str] = []
    for file in files:
        for name, labels in file.columns.items():
            known = [label for label in labels if label.key in scales]
            lost.extend(f"{file.path.name} line {label.line}" for label in labels if label.key not in scales)
            notes.extend(_as_read(file, name, known, scales))
            for label, share in zip(known, _shares(file, known, scales), strict=True):
                shares.setdefault(label.key, []).append(share)
                texts.setdefault(label.key, []).append(label.text)
    empty = dict.fromkeys(key for file in files for key in file.empty if key in scales and key not in shares)
    return HumanLabels(
        {key: tuple(values) for key, values in shares.items()},
        {key: tuple(values) for key, values in texts.items()},
        tuple(empty),
        (*notes, *_lost_note(lost)),
    )


def _by_scale(labels: Iterable[WrittenLabel]) -> bool:
    """Whether a person's numbers are of the scale: one of them is above 1."""
    return any(label.number is not None and label.number > 1 for label in labels)


def _shares(file: LabelFile, labels: Sequence[WrittenLabel], scales: Mapping[str, Scale]) -> list[float]:
    of_scale = _by_scale(labels)
    if (
        not of_scale
        and any(scales[label.key][0] == 1 for label in labels)
        and {1} == {label.number for label in labels}
    ):
        said = f"{file.path}: whether 1 is right or the lowest of the scale cannot be told"
        raise UsageError(said, "write yes and no, or right and wrong")
    ends = [scales[label.key] if of_scale else (0.0, 1.0) for label in labels]
    pairs = list(zip(labels, ends, strict=True))
    _refuse(
        file.path,
        [
            f"line {label.line}: {label.text} is not within {low:g} to {high:g}"
            for label, (low, high) in pairs
            if label.number is not None and not low <= label.number <= high
        ],
    )
    return [
        label.share if label.share is not None else ((label.number or 0.0) - low) / (high - low)
        for label, (low, high) in pairs
    ]


def _as_read(file: LabelFile, name: str, labels: Sequence[WrittenLabel], scales: Mapping[str, Scale]) -> Iterator[str]:
    """How the numbers of one person are taken, where there are any."""
    numbers = [label for label in labels if label.number is not None]
    if numbers:
        low, high = scales[numbers[0].key] if _by_scale(labels) else (0.0, 1.0)
        yield f"{file.path.name}, {name}: numbers are read as {low:g} (wrong) to {high:g} (right)"


def _lost_note(lost: Sequence[str]) -> Iterator[str]:
    if lost:
        named = ", ".join(lost[:SHOWN_PROBLEMS]) + (", ..." if len(lost) > SHOWN_PROBLEMS else "")
        yield f"left out, as the run does not have these answers, or has given them again since ({len(lost)}): {named}"


# ── In the run ────────────────────────────────────────────────────────────────────────────────────


def keep_labels(run: RunFolder, labels: HumanLabels) -> None:
    """In the place of those that were kept before."""
    folder = run.path / FOLDER
    folder.mkdir(exist_ok=True)
    rows = [{"key": key, "shares": shares, "texts": labels.texts[key]} for key, shares in labels.shares.items()]
    record = {"labels": rows, "unlabelled": labels.unlabelled, "notes": labels.notes}
    write_atomically(folder / FILE, [json.dumps(record, indent=1, ensure_ascii=False) + "\n"])


def kept_labels(run: RunFolder) -> HumanLabels | None:
    """The labels of the run; None where it has none. Raises UsageError where their file is damaged."""
    path = run.path / FOLDER / FILE
    if not path.is_file():
        return None
    try:
        record: Any = read_json(path)
        rows = {str(row["key"]): row for row in record["labels"]}
        return HumanLabels(
            {key: tuple(map(_share, row["shares"])) for key, row in rows.items()},
            {key: tuple(map(str, row["texts"])) for key, row in rows.items()},
            tuple(map(str, record["unlabelled"])),
            tuple(map(str, record["notes"])),
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path} is damaged ({error})", "give the sheet again: --labels FILE") from error


def _share(value: Any) -> float:
    share = float(value)
    if not 0 <= share <= 1:
        raise ValueError(f"{value} is not within 0 to 1")
    return share
