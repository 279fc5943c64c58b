"""The official raw files of Multi30K: texts line by line, and the list of their pictures (github.com/multi30k/dataset).

A folder with `test_2016_flickr.en.gz`, `.de.gz`, ... (plain files do too), the list `test_2016_flickr.txt` and the
pictures in `images/`; or a clone of the repository. Reads files; knows no task and no prompt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tvbench.data.authoring import Missing
from tvbench.data.sources import picture_file, read_text_lines
from tvbench.errors import MediaError, UsageError
from tvbench.languages import ENGLISH
from tvbench.types import Media

RAW_REPO = "multi30k/dataset"
TEXT_FOLDERS = (".", "raw", "data/task1/raw")
"""Where the raw texts lie below --data: beside each other, or as in a clone of the official repository."""
LIST_FOLDERS = (".", "image_splits", "data/task1/image_splits")
PICTURE_FOLDERS = ("images", "flickr30k-images", ".")
SHOWN_MISSING = 3


def raw_folder(data: Path, split: str, splits: Sequence[str]) -> Path | None:
    """The folder below `data` with the raw texts, or None where `data` is in hub layout.

    Raises UsageError where there are raw texts, but of other splits.
    """
    for folder in (data / name for name in TEXT_FOLDERS):
        if _text_file(folder, split, ENGLISH) is not None:
            return folder
    others = [s for s in splits if any(_text_file(data / name, s, ENGLISH) for name in TEXT_FOLDERS)]
    if others:
        raise UsageError(
            f"{data} has neither {split}.en nor {split}.en.gz", f"copy {split}.* there; here are: {', '.join(others)}"
        )
    return None


def _text_file(folder: Path, split: str, code: str) -> Path | None:
    paths = (folder / f"{split}.{code}{ending}" for ending in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)


def raw_texts(data: Path, folder: Path, split: str, codes: Sequence[str]) -> dict[str, list[str]]:
    """The lines of a split by language, English too. Raises UsageError for a missing file, and for unequal numbers."""
    texts = {code: _lines(data, folder, split, code) for code in (ENGLISH, *codes)}
    for code in codes:
        if len(texts[code]) != len(texts[ENGLISH]):
            raise UsageError(
                f"{split}.{code} has {len(texts[code])} lines, but {split}.en has {len(texts[ENGLISH])}",
                f"the files in {folder} must belong together, line by line",
            )
    return texts


def _lines(data: Path, folder: Path, split: str, code: str) -> list[str]:
    path = _text_file(folder, split, code)
    if path is None:
        raise UsageError(f"{folder} has neither {split}.{code} nor {split}.{code}.gz", f"copy it there: {RAW_REPO}")
    return read_text_lines(path, data)


def raw_name(data: Path, folder: Path, split: str, codes: Sequence[str]) -> str:
    """The data's name, with twelve hex digits over all texts of the split: the same whichever languages are asked."""
    digest = hashlib.sha256()
    for code in (ENGLISH, *codes):
        path = _text_file(folder, split, code)
        if path is not None:
            digest.update(f"{code}\n".encode())
            digest.update("\n".join(read_text_lines(path, data)).encode())
    return f"{RAW_REPO}/{split}@local:{digest.hexdigest()[:12]}"


def raw_pictures(data: Path, split: str, count: int) -> list[Media]:
    """Each line's picture, `Missing` where it is not there. Raises UsageError where there is no list, or none of its
    pictures."""
    hint = "or leave the pictures out: --no-image"
    names = next((path for path in (data / name / f"{split}.txt" for name in LIST_FOLDERS) if path.is_file()), None)
    if names is None:
        raise UsageError(f"{data} has no list of pictures {split}.txt", f"copy it there, {hint}")
    listed = [line.strip().partition("#")[0] for line in read_text_lines(names, data)]
    if len(listed) != count:
        raise UsageError(f"{names.name} lists {len(listed)} pictures for {count} sentences", f"correct it, {hint}")
    folders = (f"images/{split}", *PICTURE_FOLDERS)
    for folder in folders:
        found = [_picture(data, folder, name, f"{names.name}:{number}") for number, name in enumerate(listed, 1)]
        if not all(isinstance(picture.load, Missing) for picture in found):
            return found
    looked = ", ".join(str(data / folder) for folder in folders)
    examples = ", ".join(listed[:SHOWN_MISSING])
    raise UsageError(f"no pictures of {split} ({examples}, ...); looked in {looked}", f"put them there, {hint}")


def _picture(data: Path, folder: str, name: str, where: str) -> Media:
    try:
        return picture_file(data, str(Path(folder) / name), where)
    except MediaError as error:
        return Media("image", name, Missing(f"no picture: {error}"))
