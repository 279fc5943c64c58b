"""The one check of every path that data name, and the one way to read what lies there.

A data set is written by strangers: what it names must lie in its own folder, links included, and be an ordinary file of
a sensible size. The hub's cache is an exception: the files of a snapshot are links into the `blobs` of the same
repository. Knows no format.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tvbench.errors import MediaError, UsageError

MEDIA_FOLDERS = ("", "images", "videos", "data", "media")
LARGEST = 4 << 30
"""Bytes of the largest picture or clip that is read."""
SHOWN = 200


def safe_path(
    folder: Path, relative: str, name: str, beside: str = "", folders: tuple[str, ...] = MEDIA_FOLDERS
) -> Path:
    """A file below `folder`, in one of its media `folders`, or so below its folder `beside`. `name` is who asks.

    Neither the path itself nor a link in it may lead out of `folder`. Raises MediaError for one outside, or none.
    """
    root = Path(os.path.realpath(folder))
    for place in (Path(base) / sub for base in dict.fromkeys(("", beside)) for sub in folders):
        try:
            path = Path(os.path.normpath(root / place / relative))
            if not path.is_relative_to(root) or not is_inside(root, path):
                said = f"{name}: {relative[:SHOWN]} lies outside the data folder {folder}, or is a link that leads out"
                raise MediaError(f"{said} of it; name the folder that it leads to as the data's own")
            if path.is_file():
                return path
            if not path.is_dir() and path.exists():
                raise MediaError(f"{name}: {relative[:SHOWN]} is not an ordinary file")
        except (OSError, ValueError) as error:  # longer than a path may be, or with a zero byte in it
            raise MediaError(f"{name}: {relative[:60]!r} is neither a file nor base64") from error
    raise MediaError(f"{name}: the file {relative[:SHOWN]} is not in {folder}")


def is_inside(root: Path, path: Path) -> bool:
    """Whether `path` lies below `root` when every link is followed, or in the blobs of the hub's cache around it."""
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(home) for home in _homes(Path(os.path.realpath(root))))


def _homes(root: Path) -> Iterator[Path]:
    yield root
    for folder in (root, *root.parents):
        if folder.parent.name == "snapshots" and "--" in folder.parents[1].name:
            yield folder.parents[1] / "blobs"


def check_data_file(folder: Path, path: Path) -> None:
    """Raises UsageError for a file of rows that is none, or a link that leads out of the data folder."""
    if not is_inside(folder, path):
        raise UsageError(
            f"{path} is a link that leads out of the data folder {folder}",
            "give --data the folder that holds the file itself, or copy the file",
        )
    if not path.is_file():
        raise UsageError(f"{path} is not an ordinary file", "copy it again")


@dataclass(frozen=True, slots=True)
class FileBytes:
    """Reads a file that `safe_path` found, as `read_media` does."""

    folder: Path
    path: Path
    name: str

    def __call__(self) -> bytes:
        return read_media(self.folder, self.path, self.name)

    def identity(self) -> tuple[object, ...]:
        """What tells its content from any other, unless somebody takes pains. Raises OSError."""
        return identity_of(self.path)


def identity_of(path: Path) -> tuple[object, ...]:
    """A file, its size, and when it was written. Raises OSError."""
    about = path.stat()
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


def read_media(folder: Path, path: Path, name: str, most: int | None = None) -> bytes:
    """The bytes of a file that `safe_path` found, which is looked at again: much may have happened since.

    Raises MediaError where it cannot be read, is larger than `most` bytes, or is no longer what it was.
    """
    most = LARGEST if most is None else most
    try:
        if not is_inside(folder, path):
            raise MediaError(f"{name}: {path} leads out of the data folder by now")
        # Nothing here waits for the other end of a pipe.
        with open(os.open(os.path.realpath(path), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise MediaError(f"{name}: {path} is not an ordinary file")
            if about.st_size > most:
                raise MediaError(f"{name}: {path} has {about.st_size:,} bytes, more than the {most:,} that are read")
            return file.read(most)
    except OSError as error:
        raise MediaError(f"{name}: {path} cannot be read: {error.strerror or error}") from error
