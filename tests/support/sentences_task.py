"""A task of many sentences, for tests of runs that are interrupted."""

from __future__ import annotations

from pathlib import Path


def sentences(folder: Path, count: int) -> Path:
    """A Multi30K test set of made-up sentences."""
    folder.mkdir()
    for code, word in (("en", "dog"), ("de", "Hund"), ("fr", "chien"), ("cs", "pes")):
        lines = (f"{word} number {number}\n" for number in range(count))
        (folder / f"test_2016_flickr.{code}").write_text("".join(lines), encoding="utf-8")
    return folder
