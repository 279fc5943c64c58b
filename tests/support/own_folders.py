"""Benchmarks without Python, as people would put them into a folder: one set of rows, written in every form."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from task_data import png

from tvbench.registry.own_data import own_task
from tvbench.runs.gate import Gated, gated
from tvbench.types import BuildOptions, Item, Task

Rows = Sequence[Mapping[str, Any]]


def pictures(folder: Path, *names: str) -> None:
    """PNG files, each another one."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(number))


def columns_of(rows: Rows) -> list[str]:
    return list(dict.fromkeys(column for row in rows for column in row))


def delimited(rows: Rows, delimiter: str = ",", columns: Sequence[str] | None = None) -> str:
    """Rows as a program for tables saves them; lists and numbers as text."""
    text = io.StringIO(newline="")
    names = list(columns or columns_of(rows))
    writer = csv.DictWriter(text, names, delimiter=delimiter, lineterminator="\n", restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def _cell(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def write_csv(folder: Path, rows: Rows, name: str = "metadata.csv", encoding: str = "utf-8") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    delimiter = "\t" if name.endswith(".tsv") else ","
    (folder / name).write_bytes(delimited(rows, delimiter).encode(encoding))
    return folder


def write_jsonl(folder: Path, rows: Rows, name: str = "metadata.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return folder


def write_parquet(folder: Path, rows: Rows, name: str = "metadata.parquet") -> Path:
    import pyarrow
    import pyarrow.parquet

    folder.mkdir(parents=True, exist_ok=True)
    columns = {column: [row.get(column) for row in rows] for column in columns_of(rows)}
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / name)
    return folder


def in_base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def asked(path: Path, metric: str = "", **options: Any) -> Gated:
    """What a run would ask of the benchmark at `path`."""
    task = own_task(path, metric)
    return gated(task, BuildOptions(options.pop("protocol", task.default_protocol), **options))


def made(path: Path, metric: str = "") -> Task:
    return own_task(path, metric)


def shown(items: Iterable[Item]) -> list[tuple[Any, ...]]:
    """What tells items apart, but for what their media are called."""
    return [
        (
            item.id,
            item.language,
            [part if isinstance(part, str) else part.load() for message in item.messages for part in message.parts],
            item.target,
            item.problem,
            dict(item.tags),
        )
        for item in items
    ]
