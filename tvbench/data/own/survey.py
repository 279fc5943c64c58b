"""All rows of a benchmark of one's own, looked at once: what they leave open is decided here, for every row alike.

From where options are counted, what separates them, which languages and splits there are, how long answers are. A row
that cannot be asked is counted and stays; what makes the whole unclear is an error that says what to type.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tvbench.data.own.answers import Tally
from tvbench.data.own.cells import LABELS, SEPARATORS, Large, cut, flat, is_empty, listed, text_in, unlabelled
from tvbench.data.own.columns import Roles, roles_of
from tvbench.data.own.declaration import Declaration
from tvbench.data.own.layout import CLIPS, SPLIT_OF, SPLITS, InFolder, Layout, TableFile
from tvbench.data.own.reading import Form, Numbered, form_of, records
from tvbench.errors import UsageError
from tvbench.languages import ENGLISH, code_of

MOST_CLASSES = 200
PATH, LABEL = "file_name", "label"
QUESTION_MARKS = ("?", "\uff1f", "\u061f", "\u037e", "\u055e", "\u1367")


class Sighted(NamedTuple):
    """A row, with the table that it stands in, and its split and language."""

    record: Numbered
    form: Form | None
    split: str
    language: str


@dataclass(slots=True)
class Separator:
    """One way to cut the options: the rows that it cuts, and how answers fit then."""

    rows: int = 0
    counts: Counter[int] = field(default_factory=Counter)
    answers: Tally = field(default_factory=Tally)


@dataclass(slots=True)
class Survey:
    """What was seen. `rows` are counted by split and language, `words` are those of answers."""

    roles: Roles
    said: Declaration
    forms: tuple[Form, ...] = ()
    labelled: tuple[InFolder, ...] = ()
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    with_options: int = 0
    with_answer: int = 0
    questions: int = 0
    asking: int = 0
    kinds: set[str] = field(default_factory=set)
    words: Counter[int] = field(default_factory=Counter)
    listed: Tally = field(default_factory=Tally)
    separators: dict[str, Separator] = field(default_factory=dict)
    classes: dict[str, dict[str, None]] = field(default_factory=dict)
    by_index: dict[str, Large] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    wordy: Counter[str] = field(default_factory=Counter)
    """Rows in which a column that nothing is made of holds several words."""
    unnamed: int = 0
    cut_rows: int = 0

    # ── Splits and languages ──────────────────────────────────────────────────────────────────────

    @property
    def count(self) -> int:
        return sum(self.rows.values())

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits, the one that is asked by default first; none where nothing names any."""
        found = sorted({split for split, _ in self.rows})
        if found == [""]:
            return ()
        order = [*self.said.splits, *SPLITS, *found]
        return tuple(dict.fromkeys(split for split in order if split in found))

    def languages(self, split: str | None = None) -> tuple[str, ...]:
        """The codes in the order in which the rows have them, of one split or of all."""
        found = dict.fromkeys(code for own, code in self.rows if split in (None, own))
        return tuple(found)

    @property
    def digest(self) -> str:
        """Of everything that the tables and task.yaml hold; of labels in folders, their paths."""
        digest = hashlib.sha256()
        for form in sorted(self.forms, key=lambda form: form.path):
            name = form.path.relative_to(form.folder).as_posix()
            digest.update(f"{name}:{form.digest}\0".encode("utf-8", "surrogateescape"))
        for entry in self.labelled:
            digest.update(f"{entry.path}\0".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    # ── Options and answers ───────────────────────────────────────────────────────────────────────

    @property
    def separator(self) -> str:
        """What separates options that share a cell: what cuts most rows and fits most answers."""
        if self.said.options_separator or not self.separators:
            return self.said.options_separator
        order = (LABELS, *SEPARATORS)

        def merit(name: str) -> tuple[int, int, int, int]:
            found = self.separators[name]
            return (found.rows, found.answers.fitting, max(found.counts.values(), default=0), -order.index(name))

        return max(self.separators, key=merit)

    @property
    def answers(self) -> Tally:
        """How the right options are named."""
        cut_ones = self.separators.get(self.separator) if self.cut_rows else None
        return cut_ones.answers if cut_ones and cut_ones.rows >= self.listed.rows else self.listed

    def options_of(self, cells: Mapping[str, Any]) -> list[str]:
        """The options of a row, without their labels."""
        if self.roles.lettered:
            return unlabelled([text for name in self.roles.options if (text := text_in(cells.get(name)))])
        if not self.roles.options:
            return []
        value = cells.get(self.roles.options[0])
        found = listed(value)
        return cut(text_in(value), self.separator) if found is None else unlabelled(found)

    def answers_of(self, cells: Mapping[str, Any]) -> list[str]:
        """All accepted answers, or references, of a row."""
        found: list[str] = []
        for name in self.roles.answer:
            value = cells.get(name)
            several = listed(value)
            if several is None and self.said.answers_separator:
                several = text_in(value).split(self.said.answers_separator)
            found += [text.strip() for text in several] if several is not None else [text_in(value)]
        return list(dict.fromkeys(text for text in found if text))


# ── Looking at the rows ───────────────────────────────────────────────────────────────────────────


def surveyed(layout: Layout, said: Declaration) -> Survey:
    """All rows of `layout`, looked at. Raises UsageError for what cannot be read, or has no rows."""
    for name in filter(None, (said.language, *said.languages.values())):
        code_of(name)
    if layout.labelled:
        found = Survey(Roles(answer=(LABEL,), media=_media()), said, labelled=layout.labelled)
    else:
        forms = tuple(form_of(table, layout.folder, said.encoding) for table in layout.tables)
        columns = tuple(dict.fromkeys(name for form in forms for name in form.columns))
        found = Survey(roles_of(columns, said.columns, _where(layout.tables)), said, forms)
    for row in rows_of(found):
        _look_at(found, row)
    if not found.count:
        raise UsageError(f"{_where(layout.tables)} has no rows", "below the names of the columns stands one row a line")
    if found.unnamed not in (0, found.count):
        raise UsageError(
            f"{found.unnamed} of {found.count} rows have no language",
            "fill the column, or write language: (such as language: de) in task.yaml",
        )
    return found


def _media() -> Any:
    from tvbench.data.own.columns import Medium

    return (Medium(PATH),)


def _where(tables: tuple[TableFile, ...]) -> str:
    return ", ".join(table.path.name for table in tables[:3]) + (", ..." if len(tables) > 3 else "")


def rows_of(found: Survey, split: str | None = None) -> Iterator[Sighted]:
    """Every row of one split, or of all, in the order of the files."""
    for number, entry in enumerate(found.labelled, 1):
        cells = {PATH: entry.path, LABEL: entry.label.replace("_", " ").strip()}
        if split in (None, entry.split):
            yield Sighted(Numbered(number, cells), None, entry.split, _code(found, ""))
    media = [medium.column for medium in (*found.roles.media, *found.roles.instead)]
    for form in found.forms:
        for record in records(form, media):
            own = form.table.split or _split_in(record.cells, found.roles.split)
            if split in (None, own):
                yield Sighted(record, form, own, form.table.language or _language(found, record, form))


def _split_in(cells: Mapping[str, Any], column: str) -> str:
    name = text_in(cells.get(column)) if column else ""
    return SPLIT_OF.get(name.casefold(), name)


def _language(found: Survey, record: Numbered, form: Form) -> str:
    cell = text_in(record.cells.get(found.roles.language)) if found.roles.language else ""
    try:
        return _code(found, cell)
    except UsageError as error:
        raise UsageError(
            f"{form.path.name}, row {record.number}: {error.message}",
            f"correct it, or write languages: {{{cell}: CODE}} in task.yaml",
        ) from error


def _code(found: Survey, cell: str) -> str:
    """The code of a cell's language; English where nothing names one. Raises UsageError for what is no language."""
    if cell not in found.codes:
        named = found.said.languages.get(cell, cell or found.said.language)
        found.codes[cell] = code_of(named) if named else ""
    return found.codes[cell] or ENGLISH


def _look_at(found: Survey, row: Sighted) -> None:
    cells, roles = row.record.cells, found.roles
    found.rows[row.split, row.language] += 1
    named = (row.form and row.form.table.language) or text_in(cells.get(roles.language)) or found.said.language
    found.unnamed += not named
    _look_at_media(found, cells)
    found.wordy.update(name for name in roles.unused if _words(text_in(cells.get(name))) > 1)
    question = text_in(cells.get(roles.question or roles.text))
    found.questions += bool(question)
    found.asking += question.endswith(QUESTION_MARKS)
    answers = found.answers_of(cells)
    found.with_answer += bool(answers)
    if answers:
        found.words[_words(answers[0])] += 1
        classes = found.classes.setdefault(row.language, {})
        if len(classes) <= MOST_CLASSES:
            classes[answers[0]] = None
    _look_at_options(found, cells, answers[0] if answers else "")


def _look_at_media(found: Survey, cells: Mapping[str, Any]) -> None:
    for medium in (*found.roles.media, *found.roles.instead):
        if not is_empty(value := cells.get(medium.column)):
            named = any(isinstance(entry, str) and entry.lower().endswith(CLIPS) for entry in flat(value))
            found.kinds.add("video" if named else medium.kind or "image")
            if found.roles.id and isinstance(value, Large):
                found.by_index.setdefault(text_in(cells.get(found.roles.id)), value)


def _words(text: str) -> int:
    """About how many words a text has; in scripts without blanks, by its letters."""
    return max(len(text.split()), len(text) // 12 if not text.isascii() else 1)


def _look_at_options(found: Survey, cells: Mapping[str, Any], answer: str) -> None:
    roles = found.roles
    if not roles.options:
        return
    value = cells.get(roles.options[0])
    if roles.lettered or listed(value) is not None:
        options = found.options_of(cells)
        found.with_options += len(options) > 1
        if len(options) > 1 and answer:
            found.listed.add(options, answer)
        return
    text = text_in(value)
    ways = [found.said.options_separator] if found.said.options_separator else [LABELS, *SEPARATORS]
    ways = [way for way in ways if way == LABELS or way in text]
    cuts = [(way, pieces) for way in ways if len(pieces := cut(text, way)) > 1]
    found.with_options += bool(cuts)
    found.cut_rows += bool(cuts)
    for way, pieces in cuts:
        tally = found.separators.setdefault(way, Separator())
        tally.rows += 1
        tally.counts[len(pieces)] += 1
        if answer:
            tally.answers.add(pieces, answer)
