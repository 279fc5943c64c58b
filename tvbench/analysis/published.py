"""Figures printed in papers, read from results/published/*.yaml (the format is explained in the files).

They are shown beside ours and never mixed with them: nobody can check how they were made. Values stay in the unit
of the paper (percent).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvbench.errors import UsageError
from tvbench.safety.bounded import read_yaml

FORMAT = 1


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """One table of a paper. `headline` tables stand in the leaderboard, ablations only in its JSON."""

    id: str
    number: str
    caption: str
    source: str
    headline: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class PublishedFigure:
    """One printed cell. `part` is a language code, `all`, or a group such as `multi` (all but English).
    `computed`: not printed itself, but the mean of printed cells."""

    model: str
    task: str
    part: str
    metric: str
    value: float
    unit: str
    table: PublishedTable
    computed: bool = False


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """Which models (names of cards and of log folders) a row of a table is about; `note`: how sure that is."""

    models: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class PrintedMetric:
    """What a printed metric is of ours: `metric`, asked by `protocol`; `others` are scorers that it may have been
    instead, `logged` the family of a foreign log's figure that stands for it."""

    metric: str
    protocol: str
    others: tuple[str, ...] = ()
    logged: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many languages a printed mean covers."""

    languages: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Guide:
    """How to set runs beside a paper: rows by name, scorers and coverage by `task/metric` and `task/part`, and why
    some tasks cannot be compared at all. `second_bos`: what to say of runs whose prompts begin with one `<bos>`, where
    those of the paper began with two."""

    rows: Mapping[str, PublishedRow]
    scored: Mapping[str, PrintedMetric]
    coverage: Mapping[str, Coverage]
    not_comparable: Mapping[str, str]
    second_bos: str = ""


def published_folders(results: Path) -> tuple[Path, ...]:
    """Where published figures may lie, nearest first: with the results, in the working folder, in the package."""
    package = Path(__file__).resolve().parents[1]
    return (
        results / "published",
        Path("results") / "published",
        package / "shipped" / "published",
        package.parent / "results" / "published",
    )


def published_files(results: Path) -> list[Path]:
    """The files that count: a nearer one hides one of the same name."""
    files: dict[str, Path] = {}
    for folder in published_folders(results):
        if folder.is_dir():
            for path in sorted(folder.glob("*.yaml")):
                files.setdefault(path.name, path)
    return list(files.values())


def published_figures(results: Path) -> tuple[list[PublishedFigure], list[str]]:
    """All figures, and a warning for each file that cannot be used. A nearer file hides one of the same name."""
    figures: list[PublishedFigure] = []
    warnings: list[str] = []
    for path in published_files(results):
        try:
            figures.extend(read_published(path))
        except UsageError as error:
            warnings.append(str(error))
    return figures, warnings


def read_published(path: Path) -> list[PublishedFigure]:
    """The figures of one file. Raises UsageError with the cell that is wrong."""
    data = _load(path)
    try:
        if data["format"] != FORMAT:
            raise UsageError(f"{path}: format {data['format']} is not known here (expected {FORMAT})")
        source, unit = str(data["source"]["short"]), str(data["unit"])
        tables = {name: _table(name, entry, source) for name, entry in data["tables"].items()}
        cells = data["cells"]
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is not a file of published figures ({type(error).__name__}: {error})") from error
    figures: list[PublishedFigure] = []
    for number, cell in enumerate(cells, 1):
        try:
            table, model, task, part, metric, value = cell
            figures.append(
                PublishedFigure(str(model), str(task), str(part), str(metric), float(value), unit, tables[table])
            )
        except (ValueError, TypeError, KeyError) as error:
            raise UsageError(
                f"{path}: cell {number} ({cell!r}) is not [table, model, task, part, metric, value]"
            ) from error
    return figures


def read_guide(path: Path) -> Guide:
    """How runs are set beside the figures of one file; empty where the file does not say. Raises UsageError."""
    data = _load(path)
    try:
        return Guide(
            {
                str(name): PublishedRow(tuple(map(str, row["models"])), str(row.get("note", "")))
                for name, row in (data.get("rows") or {}).items()
            },
            {
                str(name): PrintedMetric(
                    str(entry["metric"]),
                    str(entry["protocol"]),
                    tuple(map(str, entry.get("others", ()))),
                    str(entry.get("logged", "")),
                )
                for name, entry in (data.get("scored") or {}).items()
            },
            {
                str(name): Coverage(int(entry["languages"]), str(entry.get("note", "")))
                for name, entry in (data.get("coverage") or {}).items()
            },
            {str(task): str(why) for task, why in (data.get("not_comparable") or {}).items()},
            str(data.get("second_bos") or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{path}: rows, scored, coverage or not_comparable are not as they should be "
            f"({type(error).__name__}: {error})"
        ) from error


def _load(path: Path) -> Mapping[str, Any]:
    try:
        data = read_yaml(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not isinstance(data, Mapping):
        raise UsageError(f"{path} is not a file of published figures")
    return data


def _table(name: str, entry: Mapping[str, Any], source: str) -> PublishedTable:
    return PublishedTable(
        name, str(entry["number"]), str(entry["caption"]), source, bool(entry["headline"]), str(entry.get("note", ""))
    )
