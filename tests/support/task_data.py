"""What tests of task files share: writing local data in hub layout, and building a task from it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from PIL import Image
from repository import SHARED

from tvbench.runs.gate import gated
from tvbench.types import Build, BuildOptions, Choice, Item

DATA = SHARED if (SHARED / "gold.json").exists() else SHARED / "data"


def png(shade: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def write_parquet(path: Path, rows: list[dict[str, Any]], media: tuple[str, ...] = ()) -> None:
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist(rows)
    for name in media:
        kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
        column = pyarrow.array([row.get(name) for row in rows], type=kind)
        table = table.set_column(table.schema.get_field_index(name), name, column)
    pyarrow.parquet.write_table(table, path)


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def build(module: ModuleType, data: Path | None, protocol: str = "tvbench", **options: Any) -> Build:
    """The task as a run sees it: through the gate."""
    found = gated(module.TASK, BuildOptions(protocol=protocol, data=data, offline=True, **options))
    return Build(found.items, found.dataset, found.warnings)


def items(module: ModuleType, data: Path | None, protocol: str = "tvbench", **options: Any) -> list[Item]:
    return list(build(module, data, protocol, **options).items)


def prompt(item: Item) -> str:
    (text,) = (part for message in item.messages for part in message.parts if isinstance(part, str))
    return text


def choice(item: Item) -> Choice:
    assert isinstance(item.target, Choice)
    return item.target
