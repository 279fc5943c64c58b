"""Which files a benchmark of one's own consists of, by the names of its files and folders. Reads none of them.

As Hugging Face's ImageFolder and VideoFolder have it: `metadata.csv` (or .tsv, .jsonl, .json, .parquet) beside the
media, in the folder itself or in folders below it; a folder `test` or `train` is a split; without any table, the folder
of a picture is its label. Beyond that: `metadata.de.csv`, or a folder `de`, is of one language.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tvbench.data.own.declaration import Declaration, names
from tvbench.data.sources.paths import check_data_file, is_inside
from tvbench.errors import UsageError
from tvbench.languages import code_of, is_language

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp")
CLIPS = (".mp4", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".flv", ".mpeg", ".mpg", ".ts", ".ogv", ".m4v")
SPLITS = {
    "test": ("test", "testing", "eval", "evaluation"),
    "validation": ("validation", "valid", "val", "dev", "devtest"),
    "train": ("train", "training"),
}
SPLIT_OF = {name: split for split, known in SPLITS.items() for name in known}
SHARD = re.compile(r"-\d{5}-of-\d{5}(-[0-9a-f]+)?$")
TABLE = "metadata"
MOST_FILES = 2_000_000


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file of rows: where it lies, the split and the language of its rows ("" where neither name says it)."""

    path: Path
    split: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class InFolder:
    """A picture or clip whose folder is its label."""

    path: str
    label: str
    split: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """What lies in `folder`: tables, or else labelled media."""

    folder: Path
    tables: tuple[TableFile, ...] = ()
    labelled: tuple[InFolder, ...] = ()


def is_own(path: Path) -> bool:
    """Whether `path` is a table, or a folder that looks like a benchmark of one's own rather than one of task files."""
    if path.is_file():
        return path.suffix.lower() in ENDINGS
    if not path.is_dir():
        return False
    return (path / "task.yaml").is_file() or any(
        _is_table(file) or _is_medium(file) for file in _files(path, deepest=3)
    )


def layout_of(path: Path, said: Declaration) -> Layout:
    """What `path`, a folder or one table, consists of. Raises UsageError where that is not to be told."""
    if path.is_file():
        return Layout(path.parent, (TableFile(path),))
    files = sorted(_files(path))
    if len(files) >= MOST_FILES:
        raise UsageError(f"{path} holds more than {MOST_FILES:,} files", "give the folder of the benchmark alone")
    tables = _declared(path, said, files) or _tables(path, files, said)
    for table in tables:
        check_data_file(path, table.path)
    return Layout(path, tuple(tables)) if tables else Layout(path, labelled=tuple(_labelled(path, files)))


def _files(folder: Path, deepest: int = 20) -> Iterator[PurePosixPath]:
    """Files below `folder`, as paths from it; hidden ones are left out, and links to folders are not followed."""
    count = 0
    for place, below, here in os.walk(folder):
        relative = PurePosixPath(Path(place).relative_to(folder).as_posix())
        below[:] = (
            sorted(name for name in below if not name.startswith((".", "__"))) if deepest > len(relative.parts) else []
        )
        for name in here:
            count += 1
            if count > MOST_FILES:
                return
            if not name.startswith((".", "~$")):
                yield relative / name


def _is_table(file: PurePosixPath) -> bool:
    return file.suffix.lower() in ENDINGS and file.name.split(".")[0].casefold() == TABLE


def _is_medium(file: PurePosixPath) -> bool:
    return file.suffix.lower() in (*PICTURES, *CLIPS)


# ── Tables ────────────────────────────────────────────────────────────────────────────────────────


def _declared(folder: Path, said: Declaration, files: Sequence[PurePosixPath]) -> list[TableFile]:
    """The tables that task.yaml names, by `splits` or `files`."""
    named = [(split, pattern) for split, patterns in said.splits.items() for pattern in names(patterns)]
    named += [("", pattern) for pattern in names(said.files)]
    found: list[TableFile] = []
    for split, pattern in named:
        matching = [file for file in files if file.match(pattern) or file.as_posix() == pattern]
        if not matching:
            raise UsageError(f"task.yaml names {pattern}, and {folder} has no such file", "paths are from that folder")
        found += [
            TableFile(folder / file, split or _split(file), _language(file, by_folder=False)) for file in matching
        ]
    return found


def _tables(folder: Path, files: Sequence[PurePosixPath], said: Declaration) -> list[TableFile]:
    """Those called metadata, else those whose names are splits or languages, else the only one that there is."""
    found = [file for file in files if _is_table(file)]
    others = [file for file in files if file.suffix.lower() in ENDINGS and file not in found]
    if not found:
        telling = [file for file in others if len(file.parts) < 3 and (_split(file) or _language(file))]
        found = telling or [file for file in others if len(file.parts) == 1]
        if not telling and len(found) > 1:
            raise UsageError(
                f"{folder} holds several tables, and none is called metadata: {_some(found)}",
                "name one (--tasks ./folder/table.csv), rename it to metadata.csv, or write files: in task.yaml",
            )
    by_folder = all(_language(file) for file in found)
    tables = [TableFile(folder / file, _split(file), _language(file, by_folder=by_folder)) for file in found]
    seen: dict[tuple[Path, str, str], Path] = {}
    for table in tables:
        place = (table.path.parent, table.path.name.split(".")[0] if found else "", f"{table.split}/{table.language}")
        other = seen.setdefault(place, table.path)
        if other.suffix.lower() != table.path.suffix.lower():
            raise UsageError(
                f"the same rows seem to lie in two forms: {other.name} and {table.path.name} in {table.path.parent}",
                "remove one of them, or write files: in task.yaml",
            )
    return tables


def _words(file: PurePosixPath, *, folders: bool = True) -> Iterator[str]:
    """The words of a path that may be a split or a language: folders, then the parts of the name."""
    yield from (part for part in file.parts[:-1] if folders)
    stem = SHARD.sub("", file.stem)
    parts = [part for part in stem.split(".") if part.casefold() != TABLE]
    yield from parts
    for part in parts:
        yield from (word for word in re.split(r"[_\s]+", part) if word != part)


def _split(file: PurePosixPath) -> str:
    return next((SPLIT_OF[word.casefold()] for word in _words(file) if word.casefold() in SPLIT_OF), "")


def _language(file: PurePosixPath, *, by_folder: bool = True) -> str:
    """The language that a path names; folders count only where they name one for every table: a folder `cat` among
    others is none."""
    words = [word for word in _words(file, folders=by_folder) if word.casefold() not in SPLIT_OF and _is_code(word)]
    return code_of(words[-1]) if words else ""


NO_CODES = frozenset({"data", "images", "image", "media", "video", "videos", "bench", "task", "qa", "mc", "csv", "all"})


def _is_code(word: str) -> bool:
    """Whether a word of a path is a language: `de`, `pt-BR`, `German`; not `data`, which is one of Africa."""
    return len(word) > 1 and word.casefold() not in NO_CODES and is_language(word)


def _some(files: Sequence[PurePosixPath]) -> str:
    shown = ", ".join(file.as_posix() for file in files[:5])
    return f"{shown} and {len(files) - 5} more" if len(files) > 5 else shown


# ── Folders as labels ─────────────────────────────────────────────────────────────────────────────


def _labelled(folder: Path, files: Sequence[PurePosixPath]) -> Iterator[InFolder]:
    """Media whose folders are labels: at one depth, two labels at least, as Hugging Face has it. Raises UsageError."""
    media = [file for file in files if _is_medium(file) and is_inside(folder, folder / file)]
    if not media:
        raise UsageError(
            f"{folder} holds neither a table nor pictures or clips in folders",
            "put a metadata.csv with the columns file_name, question and answer into it (`tvbench new task NAME` "
            "writes an example)",
        )
    with_split = all(len(file.parts) > 2 and file.parts[0].casefold() in SPLIT_OF for file in media)
    depths = {len(file.parts) for file in media}
    labels = {file.parts[-2] for file in media if len(file.parts) > 1 + with_split}
    if len(depths) > 1 or len(labels) < 2 or depths == {1}:
        raise UsageError(
            f"{folder} holds {len(media)} pictures or clips and no table that says what to ask",
            "put a metadata.csv with the columns file_name, question and answer next to them, or each picture into a "
            "folder that is its label (cat/1.png, dog/2.png)",
        )
    for file in media:
        yield InFolder(file.as_posix(), file.parts[-2], SPLIT_OF[file.parts[0].casefold()] if with_split else "")
