"""Which files hold a split, and what names their content: a commit, or a digest. Opens only what tells (README.md)."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tvbench.data.sources.paths import check_data_file, is_inside
from tvbench.errors import UsageError
from tvbench.safety.bounded import MOST_YAML, yaml_value

ENDINGS = (".parquet", ".jsonl", ".json")
SHARD = re.compile(r"-\d{5}-of-\d{5}(-[0-9a-f]+)?$")
"""The end of a shard's name; those that were pushed by older libraries carry a hash as well."""
FULL_HASH_BYTES = 64 << 20
"""Files up to this size are hashed whole for the revision; of larger ones the two ends and the size."""

MOST_TEXT = 256 << 20
"""Bytes of a text file, unpacked: a benchmark's are below a megabyte."""


def local_folder(data: Path, repo: str) -> Path:
    """`data` itself, or the folder in it that is named after `repo`. Raises UsageError where there is no folder."""
    if not data.is_dir():
        raise UsageError(f"the data folder {data} does not exist", "--data DIR names a local copy in the hub's layout")
    for candidate in (data / repo, data / repo.rsplit("/", 1)[-1]):
        if candidate.is_dir():
            return candidate
    return data


def folder_of(repo: str, data: Path | None, revision: str | None, offline: bool) -> Path:
    """The local copy that was given, or the hub's snapshot, downloaded if it has to be."""
    if data is not None:
        return local_folder(data, repo)
    from tvbench.registry.hub import snapshot

    return snapshot(repo, kind="dataset", revision=revision, offline=offline)


def splits_of(folder: Path, config: str | None) -> dict[str, list[Path]]:
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


def _matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    files = (path for path in sorted(folder.rglob("*")) if path.suffix in ENDINGS and path.is_file())
    names = ((path, path.relative_to(folder).as_posix()) for path in files)
    return [path for path, name in names if any(fnmatch(name, pattern) for pattern in patterns)]


def _declared(folder: Path, config: str | None) -> dict[str, list[Path]]:
    """What the `configs:` of README.md's front matter say; {} where they say nothing that is here."""
    readme = folder / "README.md"
    if not readme.is_file() or not is_inside(folder, readme):
        return {}
    with readme.open(encoding="utf-8", errors="replace") as file:
        parts = file.read(MOST_YAML).split("---", 2)
    try:
        front = yaml_value(parts[1], twice=True) if len(parts) == 3 and not parts[0].strip() else None
    except ValueError:
        return {}
    configs = front.get("configs") if isinstance(front, Mapping) else None
    found: dict[str, list[Path]] = {}
    for entry in configs if isinstance(configs, list) else ():
        if not isinstance(entry, Mapping) or (config is not None and entry.get("config_name") != config):
            continue
        for split, patterns in _declared_files(entry.get("data_files")):
            if matching := _matching(folder, patterns):
                found.setdefault(split, []).extend(matching)
    return found


def _declared_files(files: Any) -> Iterator[tuple[str, list[str]]]:
    """(split, patterns) of a `data_files:`: a pattern or a list of them (split `train`), or a list of both."""
    for entry in files if isinstance(files, list) else [files]:
        path = entry.get("path") if isinstance(entry, Mapping) else entry
        patterns = [text for text in (path if isinstance(path, list) else [path]) if isinstance(text, str)]
        yield str(entry.get("split", "train")) if isinstance(entry, Mapping) else "train", patterns


def commit_of(folder: Path, revision: str | None) -> str:
    """The hub's cache names a snapshot's folder after its commit."""
    return folder.name[:12] if re.fullmatch(r"[0-9a-f]{40}", folder.name) else (revision or "main")


def digest_of(files: tuple[Path, ...]) -> str:
    """Twelve hex digits over the files' names, sizes and content (see FULL_HASH_BYTES). Media files beside the rows
    are not part of it: each enters the key of the items that show it."""
    digest = hashlib.sha256()
    for path in files:
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}:".encode("utf-8", "surrogateescape"))
        with path.open("rb") as file:
            if size <= FULL_HASH_BYTES:
                digest.update(file.read())
            else:
                digest.update(file.read(1 << 20))
                file.seek(-(1 << 20), 2)
                digest.update(file.read())
    return digest.hexdigest()[:12]


def read_text_lines(path: Path, folder: Path | None = None) -> list[str]:
    """Lines of a text file of the data in `folder`, gzipped or not, without line ends.

    Raises UsageError where it cannot be read, is a link out of `folder` or more than MOST_TEXT bytes.
    """
    if folder is not None:
        check_data_file(folder, path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read(MOST_TEXT + 1)
        if len(raw) > MOST_TEXT:
            raise UsageError(f"{path} holds more than {MOST_TEXT:,} bytes of text", "give the file of the data set")
        text = raw.decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as text: {error}") from error
    lines = text.split("\n")
    return [line.removesuffix("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]
