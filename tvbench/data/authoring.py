"""What task files are made of: where rows come from (`HubRows`), one row (`Row`), and helpers for items and prompts.

Knows the vocabulary, the languages and what a cell with a picture is; no benchmark, no prompt, no metric. What was
asked is seen to by the gate, not here; `check_settings`, `choose_languages` and the like serve task files of before.
"""

from __future__ import annotations

import ast
import json
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tvbench.data.sources import Rows, available_splits, media_from, open_rows
from tvbench.errors import MediaError, UsageError, unknown_name
from tvbench.languages import code_of, is_language, lacking, language
from tvbench.types import Ask, Build, BuildOptions, Choice, HubData, Item, Media, Message, Opened

LANGUAGE_COLUMNS = ("language", "lang", "language_code", "lang_code", "locale")
"""Where the language of a row stands, unless a source says it. Case does not count."""

CONFIGS = "a config is a folder with files test.parquet or test.jsonl, or a file CONFIG.parquet or CONFIG.jsonl"

# ── Rows ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Missing:
    """Stands for the bytes of a picture or clip that is not there. The gate makes it the problem of its item."""

    problem: str

    def __call__(self) -> bytes:
        raise MediaError(self.problem)


class Row(Mapping[str, Any]):
    """One row of a table: its cells by column, its `number` in the split, and its `language` where the source knows
    it."""

    __slots__ = ("cells", "number", "language", "table")

    def __init__(self, cells: Mapping[str, Any], number: int, language: str = "", table: Rows | None = None) -> None:
        self.cells = cells
        self.number = number
        self.language = language
        self.table = table

    def __getitem__(self, column: str) -> Any:
        return self.cells[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self.cells)

    def text(self, column: str) -> str:
        """A cell as text, without blanks at its ends; "" for an empty or absent one."""
        return text_of(self.cells.get(column)).strip()

    def media(self, kind: Literal["image", "video"], column: str, name: str = "") -> Media:
        """The picture or clip in a cell, not yet read. Where there is none, loading it says so."""
        return media_of_cell(self.cells.get(column), kind, self.table, name or f"row {self.number}")


def media_of_cell(cell: Any, kind: Literal["image", "video"], table: Rows | None, name: str) -> Media:
    """The picture or clip that a cell of `table` holds or names; a `Missing` one where there is none."""
    noun = "picture" if kind == "image" else "clip"
    try:
        if table is None:
            raise MediaError(f"{name}: the row is of no table, so that there is no folder to look in")
        return media_from(cell, kind, table, name=name)
    except MediaError as error:
        return Media(kind, name, Missing(f"no {noun}: {error}"))


@dataclass(frozen=True, slots=True)
class _Again(Iterable[Row]):
    """Rows that are read again by whoever goes over them."""

    rows: Callable[[], Iterator[Row]]

    def __iter__(self) -> Iterator[Row]:
        return self.rows()


@dataclass(frozen=True, slots=True)
class HubRows:
    """The rows of a data set of the hub, or of a local copy: `Task(source=HubRows("org/name", columns=(...)))`.

    `columns` are needed, `media` as well unless pictures are left out; data without them are refused. Where each
    language has a split or config of its own, `split` and `config` hold `{code}` or `{name}` (the language's English
    name in small letters); else `language` is the column that holds a row's code or name of its language, so that
    other rows are passed over. `split` None: the one that was asked for.
    """

    repo: str
    columns: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    config: str | None = None
    split: str | None = None
    language: str = ""
    revision: str | None = None
    licence: str = ""
    note: str = ""

    @property
    def data(self) -> tuple[HubData, ...]:
        """For `tvbench fetch` and `tvbench tasks show`."""
        return (HubData(self.repo, self.revision, self.licence, self.note),)

    @property
    def per_language(self) -> bool:
        return any("{" in (text or "") for text in (self.split, self.config))

    def __call__(self, ask: Ask) -> Opened:
        """Raises UsageError for a split, a config or columns that the data do not have."""
        if not self.per_language:
            rows = self._open(ask, "")
            return Opened(_Again(lambda: self._rows(rows, "", ask)), rows.dataset)
        tables, absent = self._tables(ask)
        if absent and (len(absent) == len(ask.languages) or "languages" in ask.named):
            raise UsageError(f"{ask.data or self.repo} has no split {', '.join(absent)}", self._found(ask))
        warnings = (f"no split {', '.join(absent)}: left out",) if absent else ()
        dataset = "+".join(dict.fromkeys(rows.dataset for rows in tables.values()))
        again = _Again(lambda: (row for code, rows in tables.items() for row in self._rows(rows, code, ask)))
        return Opened(again, dataset, warnings)

    def _tables(self, ask: Ask) -> tuple[dict[str, Rows], list[str]]:
        """The table of each language, and the splits or configs that are not there."""
        tables: dict[str, Rows] = {}
        absent: list[str] = []
        for code in ask.languages:
            splits = available_splits(
                self.repo, data=ask.data, config=_filled(self.config, code), revision=self.revision, offline=ask.offline
            )
            wanted = self._split(ask, code)
            if wanted in splits:
                tables[code] = self._open(ask, code)
            else:
                absent.append(f"{wanted} of {_filled(self.config, code)}" if self.config else wanted)
        return tables, absent

    def _split(self, ask: Ask, code: str) -> str:
        return _filled(self.split, code) or ask.split or "test"

    def _open(self, ask: Ask, code: str) -> Rows:
        split, config = self._split(ask, code), _filled(self.config, code)
        rows = open_rows(
            self.repo, split=split, config=config, data=ask.data, revision=self.revision, offline=ask.offline
        )
        where = f"{rows.dataset}, split {split}" if self.per_language else rows.dataset
        require_columns(ask.task, rows.columns, (*self.columns, *(self.media if ask.with_media else ())), where)
        return rows

    def _rows(self, rows: Rows, code: str, ask: Ask) -> Iterator[Row]:
        column = self.language or next((name for name in rows.columns if name.casefold() in LANGUAGE_COLUMNS), "")
        for number, cells in enumerate(rows):
            own = code or code_of_cell(cells.get(column))
            if not self.language or not ask.languages or own in ask.languages:
                yield Row(cells, number, own, rows)

    def _found(self, ask: Ask) -> str:
        if self.config:
            return CONFIGS
        found = available_splits(self.repo, data=ask.data, revision=self.revision, offline=ask.offline)
        return f"splits found: {', '.join(found) or 'none'}"


def _filled(template: str | None, code: str) -> str | None:
    """`vimul_{name}` as `vimul_english`."""
    if template is None or "{" not in template:
        return template
    return template.format(code=code, name=language(code).name.casefold() if is_language(code) else code)


def code_of_cell(cell: object) -> str:
    """The code of the language that a cell holds, by code or name; "" where it holds none."""
    name = text_of(cell).strip()
    return code_of(name) if name and is_language(name) else ""


# ── Items ─────────────────────────────────────────────────────────────────────────────────────────


def check_settings(task: str, settings: Mapping[str, str], known: Collection[str]) -> None:
    """Raises UsageError, with the nearest known one, for a `--set task.key=value` that the task does not have."""
    for key in settings:
        if key not in known:
            hint = f"as in --set {task}.KEY=VALUE" if known else f"{task} has no settings"
            raise unknown_name(f"setting of {task}", key, known, hint)


def whole_number(task: str, settings: Mapping[str, str], key: str, default: int) -> int:
    """The setting `key` as a number of at least 1. Raises UsageError for anything else."""
    text = settings.get(key, str(default)).strip()
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise UsageError(f"--set {task}.{key}={text}: not a whole number above 0", f"such as {task}.{key}={default}")
    return int(text)


def choose_languages(task: str, wanted: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Codes of the `wanted` languages (codes or names), each once, in the order of the `known` ones whatever order they
    were named in; all `known` ones where none is wanted.

    Raises UsageError, with the nearest known ones, for a language that nobody has or that the task has not.
    """
    codes = tuple(dict.fromkeys(code_of(name) for name in wanted)) or tuple(known)
    for code in codes:
        if code not in known:
            raise lacking(f"language of {task}", code, known, f"`tvbench tasks {task}` lists its languages")
    return tuple(code for code in known if code in codes)


def choose_split(task: str, wanted: str | None, known: Sequence[str], aliases: Mapping[str, str] | None = None) -> str:
    """The split that is meant; the first known one where none is wanted. Raises UsageError for an unknown one."""
    if wanted is None:
        return known[0]
    split = (aliases or {}).get(wanted, wanted)
    if split not in known:
        raise unknown_name(f"split of {task}", wanted, (*known, *(aliases or {})))
    return split


def require_columns(task: str, columns: Collection[str], needed: Iterable[str], where: str) -> None:
    """Raises UsageError that names the missing columns and those found."""
    missing = [name for name in needed if name not in columns]
    if missing:
        raise UsageError(
            f"{where} does not look like the data of {task}: no column {', '.join(missing)}",
            f"columns found: {', '.join(columns) or 'none'}",
        )


def made(items: Iterable[Item], options: BuildOptions, dataset: str, warnings: Iterable[str] = ()) -> Build:
    """The finished Build: the first `limit` items of each language."""
    return Build(tuple(_first_of_each(items, options.limit)), dataset, tuple(warnings))


def picture_in(cell: Any, rows: Rows, name: str) -> tuple[Media | None, str | None]:
    """(the picture in a cell, None), or (None, what is wrong with it). Its bytes are not read."""
    try:
        return media_from(cell, "image", rows, name=name), None
    except MediaError as error:
        return None, f"no picture: {error}"


def user_message(text: str, media: Media | None = None) -> tuple[Message, ...]:
    """One turn of the user: the picture or clip, where there is one, and then the text."""
    return (Message("user", (text,) if media is None else (media, text)),)


def shuffled(count: int, item_id: str, seed: int) -> list[int]:
    """An order of 0..count-1 that depends on the item and the seed only: the same on every machine and limit."""
    order = list(range(count))
    random.Random(f"{seed}/{item_id}").shuffle(order)
    return order


def lettered(options: Sequence[str]) -> str:
    """`A. Dirndl`, `B. Kimono`, ... one option a line."""
    return "\n".join(f"{chr(ord('A') + place)}. {option}" for place, option in enumerate(options))


def shuffled_choice(options: Sequence[str], gold: int, item_id: str, seed: int) -> Choice:
    """The options in a seeded order, with letters; the target of the strict metric is the right option's letter. `gold`
    is the place of the right one, from 0. Raises ValueError for one that is not there."""
    if gold not in range(len(options)):
        raise ValueError(f"the right option is given by its place, 0 to {len(options) - 1}, not by {gold!r:.60}")
    order = shuffled(len(options), item_id, seed)
    place = order.index(gold)
    return Choice(tuple(options[i] for i in order), place, target=chr(ord("A") + place), letters=True)


def text_of(value: object) -> str:
    """A cell as text, "" for an empty one. Nothing is stripped: prompts of published protocols keep their blanks."""
    return "" if value is None else str(value)


def literal(text: str) -> Any:
    """The value of a text in JSON or Python; None where it is neither."""
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return None


def logged_prompt(row: Mapping[str, object]) -> tuple[Message, ...]:
    """The prompt as an lmms-eval sample log has it: text only, the picture is not in the log."""
    return user_message(text_of(row.get("input")))


def _first_of_each(items: Iterable[Item], limit: int | None) -> Iterator[Item]:
    taken: Counter[str] = Counter()
    for item in items:
        taken[item.language] += 1
        if limit is None or taken[item.language] <= limit:
            yield item
