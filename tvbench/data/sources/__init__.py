"""Rows of a data set, from the hub or from a local copy in the hub's layout (parquet or JSON lines).

    files.py: which files hold a split ──▶ tables.py: rows of a file ──▶ media.py: the picture or clip in a cell
    paths.py: whether a path that data name may be read

The hub's files are downloaded as they are and then read like a local copy: one code path to trust. The `datasets`
package is not used: it would put a second copy of all pictures on disk and cost seconds at every start. Pictures and
clips are never decoded here, and parquet cells that hold them are read when they are asked for. Knows no task.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tvbench.data.sources.files import commit_of, digest_of, folder_of, local_folder, read_text_lines, splits_of
from tvbench.data.sources.media import Blob, media_in
from tvbench.data.sources.paths import FileBytes, check_data_file, safe_path
from tvbench.data.sources.tables import head, json_rows, parquet_rows
from tvbench.errors import UsageError, unknown_name
from tvbench.types import Media

__all__ = [
    "Blob",
    "Rows",
    "available_splits",
    "check_data_file",
    "local_folder",
    "media_from",
    "open_rows",
    "picture_file",
    "read_text_lines",
]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one split. Iterating opens the files anew each time. Raises UsageError for a damaged file."""

    files: tuple[Path, ...]
    folder: Path
    columns: tuple[str, ...]
    dataset: str
    count: int

    def __len__(self) -> int:
        return self.count

    @property
    def beside(self) -> str:
        """The folder of the files, from the top of the data: paths may be meant from there."""
        parent = self.files[0].parent if self.files else self.folder
        return parent.relative_to(self.folder).as_posix() if parent.is_relative_to(self.folder) else ""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for path in self.files:
            if path.suffix == ".parquet":
                yield from parquet_rows(path, self.folder)
            else:
                yield from (row for _, row in json_rows(path))


def open_rows(
    repo: str,
    *,
    split: str,
    config: str | None = None,
    data: Path | None = None,
    revision: str | None = None,
    offline: bool = False,
) -> Rows:
    """The rows of `repo`'s `split`. `data`: a local copy, or a folder that holds `org/name` or `name` folders.

    Raises UsageError for a missing folder or split (naming those that exist), a split that is there both as parquet and
    as JSON, an empty or damaged file.
    """
    folder = folder_of(repo, data, revision, offline)
    splits = splits_of(folder, config)
    if split not in splits:
        where = f"split of {repo}" + (f" ({config})" if config else "")
        raise unknown_name(where, split, splits, f"looked in {folder}")
    files = tuple(splits[split])
    if len({path.suffix for path in files}) > 1:
        found = ", ".join(path.relative_to(folder).as_posix() for path in files)
        raise UsageError(f"split {split} lies in {folder} in two forms: {found}", "remove or rename one of them")
    for path in files:
        check_data_file(folder, path)
    columns, count = head(files)
    if count == 0:
        raise UsageError(f"{files[0]} has no rows")
    commit = f"local:{digest_of(files)}" if data is not None else commit_of(folder, revision)
    return Rows(files, folder, columns, f"{repo}@{commit}", count)


def available_splits(
    repo: str,
    *,
    data: Path | None = None,
    config: str | None = None,
    revision: str | None = None,
    offline: bool = False,
) -> tuple[str, ...]:
    """The splits that `open_rows` would find, in the order of their names."""
    return tuple(sorted(splits_of(folder_of(repo, data, revision, offline), config)))


def media_from(
    value: Any,
    kind: Literal["image", "video"],
    rows: Rows,
    *,
    name: str,
    frames: int | None = None,
    size: int | None = None,
) -> Media:
    """A Media for a cell: a Blob, {"bytes", "path"}, bytes, base64, or a path from the top of the data folder or from
    the folder of the rows' own file.

    Raises MediaError when the cell is empty or names a file that is not there.
    """
    label, load = media_in(value, rows.folder, name, rows.beside)
    return Media(kind, label, load, frames=frames, size=size)


def picture_file(folder: Path, relative: str, name: str) -> Media:
    """The picture at `relative` below `folder`, as a list beside the data names it; `name` is that list and line.

    Raises MediaError where it is not there or not to be read.
    """
    path = safe_path(folder, relative, name, folders=("",))
    return Media("image", path.name, FileBytes(folder, path, name))
