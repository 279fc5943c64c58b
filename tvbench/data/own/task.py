"""A folder or a table as a Task: what lies there, what is in it, and how it is asked and scored.

The gate asks it as any other. Reads all rows once when it is named and again when they are asked; no picture is opened
but for the digest of the data.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tvbench.data.own.declaration import NAME, Declaration, read_declaration
from tvbench.data.own.findings import Understood, understood
from tvbench.data.own.items import Maker
from tvbench.data.own.kinds import SAID, chosen
from tvbench.data.own.layout import SPLIT_OF, layout_of
from tvbench.data.own.prompts import check_template, wordings
from tvbench.data.own.survey import Sighted, Survey, rows_of, surveyed
from tvbench.types import Ask, HubData, Item, Opened, OwnScorer, Setting, Task

TAKEN_AS_ENGLISH = "nothing names a language: taken as English, unless one is asked for (--languages de)"
FRAMES = 8
"""Of a clip, where task.yaml does not say."""
WHOLE = 256 << 20
"""Up to so many bytes of media, all of them are in the digest of the data; beyond, sizes and beginnings."""
BEGINNING = 4096


@dataclass(slots=True)
class OwnRows:
    """The source of a task of one's own."""

    maker: Maker
    notes: tuple[str, ...] = ()
    data: tuple[HubData, ...] = ()
    digests: dict[str, str] = field(default_factory=dict)

    def __call__(self, ask: Ask) -> Opened:
        """The rows of the split that is asked."""
        split = ask.split
        dataset = f"{self.maker.name}@local:{self._digest(split)}"
        notes = [note for note in self.notes if note != TAKEN_AS_ENGLISH or not ask.languages]
        return Opened(self._rows(split, ask), dataset, tuple(notes))

    def _rows(self, split: str | None, ask: Ask) -> Iterator[Sighted]:
        """Where no row names a language, and one is asked for, that is what they are in."""
        found = self.maker.found
        alone = ask.languages[0] if found.unnamed and len(ask.languages) == 1 else ""
        for row in rows_of(found, split):
            yield row._replace(language=alone) if alone else row

    def item(self, row: Sighted, ask: Ask) -> Item:
        """One row."""
        return self.maker.item(row, ask)

    @property
    def place(self) -> str:
        """Where the data lie, as it is typed from here."""
        return self.maker.shown

    def understood(self) -> Understood:
        """What is understood of the data, for people."""
        return understood(self.maker)

    def _digest(self, split: str | None) -> str:
        """Of the tables and of the media that the rows of a split name: other ones are another benchmark."""
        named = self._media_files(split)
        about = {key: path.stat() for key, path in named.items()}
        state = repr((split, [(key, stat.st_size, stat.st_mtime_ns) for key, stat in sorted(about.items())]))
        if state not in self.digests:
            whole = sum(stat.st_size for stat in about.values()) <= WHOLE
            digest = hashlib.sha256(self.maker.found.digest.encode())
            for key in sorted(named):
                with named[key].open("rb") as file:
                    content = hashlib.sha256(file.read() if whole else file.read(BEGINNING)).hexdigest()
                digest.update(f"{key}:{about[key].st_size}:{content}\0".encode("utf-8", "surrogateescape"))
            self.digests[state] = digest.hexdigest()[:12]
        return self.digests[state]

    def _media_files(self, split: str | None) -> dict[str, Path]:
        """The files that the rows of a split name and that are there, by their paths from the top of the data."""
        maker = self.maker
        named: dict[str, Path] = {}
        for row in rows_of(maker.found, split):
            for entry in maker.album(row).of_row(row.record.cells, maker.kind.roles, ""):
                if entry.key not in named and len(entry.key) < 1000 and entry.problem is None:
                    path = maker.folder / entry.key
                    if path.is_file():
                        named[entry.key] = path
        return named


def own_task(path: Path, metric: str = "", scorers: Mapping[str, OwnScorer] | None = None, code: str = "") -> Task:
    """The task of the folder or table at `path`. `metric` is what was typed, `scorers` are those of scorers.py, `code`
    a digest of both files beside the data. Raises UsageError where it is not clear what is meant."""
    path = path.resolve()
    folder = path if path.is_dir() else path.parent
    said = read_declaration(folder / NAME)
    found = surveyed(layout_of(path, said), said)
    kind = chosen(found, metric)
    found.roles = kind.roles
    name = said.name or _name(path)
    clips = "video" in found.kinds
    ways = wordings(said, kind.kind, asks=bool(kind.roles.question), source=bool(kind.roles.source), clips=clips)
    columns = {column for form in found.forms for column in form.columns}
    for way in ways.values():
        check_template(way.template, columns)
    rows = OwnRows(Maker(name, folder, found, kind, ways, clips, _typed(path)), _notes(found))
    own = dict(scorers or {})
    return Task(
        name=name,
        version=said.version,
        title=said.title or f"{path.name}: {SAID[kind.kind]}",
        source=rows,
        item=rows.item,
        protocols={protocol: way.says for protocol, way in ways.items()},
        primary=kind.primary,
        primaries={protocol: way.metric for protocol, way in ways.items() if way.metric},
        metrics=tuple(dict.fromkeys((*kind.metrics, *said.metrics, *own))),
        languages=() if found.unnamed else found.languages(),
        splits=found.splits,
        split_aliases={alias: split for alias, split in SPLIT_OF.items() if split in found.splits and alias != split},
        split_languages={split: found.languages(split) for split in found.splits if not found.unnamed},
        modality=_modality(found),
        paper=said.paper,
        notes=" ".join(filter(None, (said.notes, said.licence and f"Licence: {said.licence}.", said.source))),
        tokens_per_answer=16 if kind.kind in ("choice", "short") else 64,
        settings=_settings(found, said, clips),
        code=code,
        scorers=own,
    )


def _name(path: Path) -> str:
    """The folder's or the table's name, as it can be typed."""
    stem = path.name if path.is_dir() else path.name.split(".")[0]
    stem = path.parent.name if stem.casefold() == "metadata" else stem
    plain = re.sub(r"[^\w.-]+", "-", stem).strip("-._")
    return plain if plain[:1].isascii() and plain[:1].isalnum() else f"own-{plain}".strip("-")


def _typed(path: Path) -> str:
    """The path as it is typed from here."""
    here = Path.cwd()
    return f"./{path.relative_to(here)}" if path.is_relative_to(here) else str(path)


def _modality(found: Survey) -> Literal["image", "video", "text"]:
    return "video" if "video" in found.kinds else "image" if found.kinds else "text"


def _notes(found: Survey) -> tuple[str, ...]:
    notes = [f"{form.path.name}: {note}" for form in found.forms for note in form.notes]
    if found.unnamed:
        notes.append(TAKEN_AS_ENGLISH)
    return tuple(notes)


def _settings(found: Survey, said: Declaration, clips: bool) -> dict[str, Setting]:
    settings: dict[str, Setting] = {}
    if clips:
        settings["frames"] = Setting("frames that a clip is sampled to", said.frames or FRAMES, least=1, most=1024)
    if found.roles.options and found.answers.way == "place":
        settings["first_option"] = Setting(
            "the number of the first option in the data", said.first_option, choices=(0, 1), kind="whole"
        )
    return settings
