"""Rows of a data set, from the hub or from a local copy in the hub's layout (parquet or JSON lines).

The hub's files are downloaded as they are and then read like a local copy: one code path to trust. The `datasets`
package is not used: it would put a second copy of all pictures on disk and cost seconds at every start. Pictures and
clips are never decoded here, and parquet cells that hold them are read when they are asked for. Knows no task.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

from tvbench.errors import MediaError, UsageError, unknown_name
from tvbench.types import Media

ENDINGS = (".parquet", ".jsonl", ".json")
SHARD = re.compile(r"-\d{5}-of-\d{5}(-[0-9a-f]+)?$")
"""The end of a shard's name; those that were pushed by older libraries carry a hash as well."""
MEDIA_FOLDERS = ("", "images", "videos", "data", "media")
FULL_HASH_BYTES = 64 << 20
"""Files up to this size are hashed whole for the revision; of larger ones the two ends and the size."""


@dataclass(frozen=True, slots=True)
class Blob:
    """The bytes of one picture or clip, read on demand. `name` is how a person finds it again."""

    name: str
    load: Callable[[], bytes] = field(repr=False, compare=False)


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

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for path in self.files:
            if path.suffix == ".parquet":
                yield from _parquet_rows(path, self.folder)
            else:
                yield from (row for _, row in _json_rows(path))


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
    folder = _folder(repo, data, revision, offline)
    splits = _splits(folder, config)
    if split not in splits:
        where = f"split of {repo}" + (f" ({config})" if config else "")
        raise unknown_name(where, split, splits, f"looked in {folder}")
    files = tuple(splits[split])
    if len({path.suffix for path in files}) > 1:
        found = ", ".join(path.relative_to(folder).as_posix() for path in files)
        raise UsageError(f"split {split} lies in {folder} in two forms: {found}", "remove or rename one of them")
    columns, count = _head(files)
    if count == 0:
        raise UsageError(f"{files[0]} has no rows")
    commit = f"local:{_digest(files)}" if data is not None else _commit(folder, revision)
    return Rows(files, folder, columns, f"{repo}@{commit}", count)


def available_splits(
    repo: str, *, data: Path | None = None, config: str | None = None, revision: str | None = None,
    offline: bool = False,
) -> tuple[str, ...]:
    """The splits that `open_rows` would find, in the order of their names."""
    return tuple(sorted(_splits(_folder(repo, data, revision, offline), config)))


def local_folder(data: Path, repo: str) -> Path:
    """`data` itself, or the folder in it that is named after `repo`. Raises UsageError where there is no folder."""
    if not data.is_dir():
        raise UsageError(f"the data folder {data} does not exist", "--data DIR names a local copy in the hub's layout")
    for candidate in (data / repo, data / repo.rsplit("/", 1)[-1]):
        if candidate.is_dir():
            return candidate
    return data


def media_from(
    value: Any, kind: Literal["image", "video"], rows: Rows, *, name: str, frames: int | None = None,
    size: int | None = None,
) -> Media:
    """A Media for a cell: a Blob, {"bytes", "path"}, bytes, base64, or a path below the data folder.

    Raises MediaError when the cell is empty or names a file that is not there.
    """
    label, load = _loader(value, rows.folder, name)
    return Media(kind, label, load, frames=frames, size=size)


def read_text_lines(path: Path) -> list[str]:
    """Lines of a text file, gzipped or not, without line ends. Raises UsageError where it cannot be read."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = raw.decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as text: {error}") from error
    lines = text.split("\n")
    return [line.removesuffix("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]


# ── Which files ───────────────────────────────────────────────────────────────────────────────────


def _folder(repo: str, data: Path | None, revision: str | None, offline: bool) -> Path:
    if data is not None:
        return local_folder(data, repo)
    from tvbench.hub import snapshot

    return snapshot(repo, kind="dataset", revision=revision, offline=offline)


def _splits(folder: Path, config: str | None) -> dict[str, list[Path]]:
    """Files by split: as README.md declares them, else by their names."""
    declared = _declared(folder, config)
    if declared:
        return declared
    roots = [folder / config, folder / "data" / config] if config else [folder, folder / "data"]
    found: dict[str, list[Path]] = {}
    for root in roots:
        for path in sorted(root.iterdir()) if root.is_dir() else ():
            if path.suffix in ENDINGS and path.is_file():
                found.setdefault(_split_name(path), []).append(path)
    if config and not found:
        single = [path for ending in ENDINGS for path in (folder / f"{config}{ending}",) if path.is_file()]
        return {"test": single} if single else {}
    if not found and config is None:
        for path in sorted(folder.glob("*/*")):
            if path.suffix in ENDINGS and path.is_file():
                found.setdefault(_split_name(path), []).append(path)
    return found


def _split_name(path: Path) -> str:
    return SHARD.sub("", path.stem)


def _declared(folder: Path, config: str | None) -> dict[str, list[Path]]:
    """What the `configs:` of README.md's front matter say; {} where they say nothing that is here."""
    import yaml

    readme = folder / "README.md"
    if not readme.is_file():
        return {}
    parts = readme.read_text(encoding="utf-8", errors="replace").split("---", 2)
    try:
        front = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0].strip() else None
    except yaml.YAMLError:
        return {}
    configs = front.get("configs") if isinstance(front, Mapping) else None
    found: dict[str, list[Path]] = {}
    for entry in configs if isinstance(configs, list) else ():
        if not isinstance(entry, Mapping) or (config is not None and entry.get("config_name") != config):
            continue
        for split, patterns in _declared_files(entry.get("data_files")):
            matching = [path for path in sorted(folder.rglob("*")) if path.suffix in ENDINGS
                        and any(fnmatch(path.relative_to(folder).as_posix(), pattern) for pattern in patterns)]
            if matching:
                found.setdefault(split, []).extend(matching)
    return found


def _declared_files(files: Any) -> Iterator[tuple[str, list[str]]]:
    """(split, patterns) of a `data_files:`: a pattern or a list of them (split `train`), or a list of both."""
    for one in files if isinstance(files, list) else [files]:
        path = one.get("path") if isinstance(one, Mapping) else one
        patterns = [text for text in (path if isinstance(path, list) else [path]) if isinstance(text, str)]
        yield str(one.get("split", "train")) if isinstance(one, Mapping) else "train", patterns


# ── What is in them ───────────────────────────────────────────────────────────────────────────────


def _head(files: tuple[Path, ...]) -> tuple[tuple[str, ...], int]:
    """Column names in order of appearance, and the number of rows."""
    columns: dict[str, None] = {}
    count = 0
    for path in files:
        if path.suffix == ".parquet":
            file = _open_parquet(path)
            columns |= dict.fromkeys(file.schema_arrow.names)
            count += file.metadata.num_rows
        else:
            for _, row in _json_rows(path):
                columns |= dict.fromkeys(row)
                count += 1
    return tuple(columns), count


def _open_parquet(path: Path) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise UsageError(f"{path} is not a readable parquet file: {error}", "fetch or copy it again") from error


def _parquet_rows(path: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Rows with media cells as Blobs; only the other columns are read while iterating."""
    import pyarrow

    file = _open_parquet(path)
    schema = file.schema_arrow
    media = [name for name in schema.names if _holds_bytes(schema.field(name).type)]
    plain = [name for name in schema.names if name not in media]
    cells = _Cells(path, folder)
    number = 0
    for group in range(file.num_row_groups):
        try:
            rows = file.read_row_group(group, columns=plain).to_pylist()
        except (OSError, pyarrow.ArrowException) as error:
            raise UsageError(f"{path} is damaged in row group {group}: {error}", "fetch or copy it again") from error
        if not plain:
            rows = [{} for _ in range(file.metadata.row_group(group).num_rows)]
        for index, row in enumerate(rows):
            blobs = {name: Blob(f"{path.name}#{number}.{name}", cells.loader(group, name, index)) for name in media}
            yield {name: blobs[name] if name in blobs else row[name] for name in schema.names}
            number += 1


def _holds_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_struct(kind):
        return any(kind.field(i).name == "bytes" for i in range(kind.num_fields))
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


class _Cells:
    """Media cells of one parquet file. The last row group of a column is kept, for reading in order.

    Files that a cell only names are looked for beside the parquet file, and then as `media_from` does.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        import threading

        self._path = path
        self._folder = folder
        self._lock = threading.Lock()
        self._kept: tuple[int, str, Any] | None = None

    def loader(self, group: int, name: str, index: int) -> Callable[[], bytes]:
        return lambda: self._read(group, name, index)

    def _read(self, group: int, name: str, index: int) -> bytes:
        where = f"{self._path.name}, column {name}"
        with self._lock:
            if self._kept is None or self._kept[:2] != (group, name):
                self._kept = (group, name, self._column(group, name, where))
            value = self._kept[2][index].as_py()
        if isinstance(value, Mapping):
            if value.get("bytes") is None and value.get("path"):
                beside = self._path.parent.relative_to(self._folder) / str(value["path"])
                try:
                    return _safe_path(self._folder, str(beside), where).read_bytes()
                except MediaError:
                    return _safe_path(self._folder, str(value["path"]), where).read_bytes()
            value = value.get("bytes")
        if not value:
            raise MediaError(f"{where}: the cell is empty")
        return bytes(value)

    def _column(self, group: int, name: str, where: str) -> Any:
        import pyarrow

        try:
            return _open_parquet(self._path).read_row_group(group, columns=[name]).column(name)
        except (OSError, pyarrow.ArrowException) as error:
            raise MediaError(f"{where} is damaged: {error}", "fetch or copy the file again") from error


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, row) of a JSON-lines file, or of a JSON list. Raises UsageError naming the bad line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if path.suffix == ".json" and text.lstrip().startswith("["):
        values = list(enumerate(_parse(path, 1, text), 1))
    else:
        values = [(n, _parse(path, n, line)) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    for number, value in values:
        if not isinstance(value, dict):
            raise UsageError(f"{path}:{number} is not a JSON object")
        yield number, value


def _parse(path: Path, number: int, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{path}:{number} is not JSON ({error}): {text[:60]!r}", "mend or remove that line") from error


# ── Media and revisions ───────────────────────────────────────────────────────────────────────────


def _loader(value: Any, folder: Path, name: str) -> tuple[str, Callable[[], bytes]]:
    if isinstance(value, Mapping):
        content = value.get("bytes")
        value = content if content else value.get("path")
    if isinstance(value, Blob):
        return value.name, value.load
    if isinstance(value, bytes | bytearray) and value:
        data = bytes(value)
        return name, lambda: data
    if isinstance(value, str) and value.strip():
        if len(value) > 200 and (decoded := _base64(value)) is not None:
            return name, lambda: decoded
        path = _safe_path(folder, value, name)
        return value, path.read_bytes
    raise MediaError(f"{name}: there is no picture or clip in the data")


def _base64(text: str) -> bytes | None:
    body = text.split(",", 1)[1] if text.startswith("data:") and "," in text else text
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _safe_path(folder: Path, relative: str, name: str) -> Path:
    """A file below `folder` or its media folders. Raises MediaError for one outside, or none.

    The path itself must not lead out of the folder, and no link either. The hub's cache is an exception: the files of a
    snapshot are links into the `blobs` of the same repository.
    """
    root = folder.resolve()
    linked = root.parents[1] if root.parent.name == "snapshots" else root
    for sub in MEDIA_FOLDERS:
        path = Path(os.path.normpath(root / sub / relative))
        try:
            if not path.is_relative_to(root) or not path.resolve().is_relative_to(linked):
                raise MediaError(f"{name}: {relative} lies outside the data folder")
            if path.is_file():
                return path
        except (OSError, ValueError) as error:  # longer than a path may be, or with a zero byte in it
            raise MediaError(f"{name}: {relative[:60]!r} is neither a file nor base64") from error
    raise MediaError(f"{name}: the file {relative} is not in {folder}")


def _commit(folder: Path, revision: str | None) -> str:
    """The hub's cache names a snapshot's folder after its commit."""
    return folder.name[:12] if re.fullmatch(r"[0-9a-f]{40}", folder.name) else (revision or "main")


def _digest(files: tuple[Path, ...]) -> str:
    """Twelve hex digits over the files' names, sizes and content (see FULL_HASH_BYTES). Media files beside the rows
    are not part of it: each enters the key of the items that show it."""
    digest = hashlib.sha256()
    for path in files:
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}:".encode())
        with path.open("rb") as file:
            if size <= FULL_HASH_BYTES:
                digest.update(file.read())
            else:
                digest.update(file.read(1 << 20))
                file.seek(-(1 << 20), 2)
                digest.update(file.read())
    return digest.hexdigest()[:12]
