"""What is understood of a benchmark of one's own, and what is odd in it: for `--dry-run`, before anything is asked.

Makes every item once and counts. Knows the maker of items; prints nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tvbench.data.own.columns import Roles
from tvbench.data.own.kinds import SAID
from tvbench.data.own.survey import Sighted, rows_of

if TYPE_CHECKING:
    from tvbench.data.own.items import Maker

SHOWN = 3


@dataclass(slots=True)
class Understood:
    """What is understood: `files` with their rows, `columns` as (column, role), and what is odd, in sentences."""

    name: str
    files: tuple[str, ...]
    rows: int
    media: int
    noun: str
    languages: dict[str, int]
    columns: tuple[tuple[str, str], ...]
    unused: tuple[str, ...]
    kind: str
    why: str
    options: tuple[int, int] | None = None
    answers: str = ""
    shown: str = ""
    odd: list[str] = field(default_factory=list)


def understood(maker: Maker) -> Understood:
    """What is understood of all rows."""
    found = maker.found
    seen = _Counted(maker)
    for row in rows_of(found):
        seen.look_at(row)
    files = tuple(form.path.relative_to(form.folder).as_posix() for form in found.forms)
    counts = [count for count in seen.counts if count]
    return Understood(
        maker.name,
        files or ("folders as labels",),
        found.count,
        len(seen.media),
        "clips" if maker.clips else "pictures",
        dict(seen.languages),
        tuple(_columns(maker.kind.roles)) if found.forms else (("folder", "answer"),),
        maker.kind.roles.unused,
        SAID[maker.kind.kind],
        maker.kind.why,
        (min(counts), max(counts)) if counts else None,
        _named(maker) if counts and not maker.kind.classes else "",
        maker.shown,
        list(seen.odd()),
    )


def _columns(roles: Roles) -> list[tuple[str, str]]:
    """Each column with what it is taken for, in the order of a prompt."""
    found = [(medium.column, "clip" if medium.kind == "video" else "picture") for medium in roles.media]
    found += [(medium.column, "picture, where that is empty") for medium in roles.instead]
    for role in ("question", "hint", "source", "options", "answer", "language", "id", "category", "split"):
        value = getattr(roles, role)
        found += [(column, role) for column in ((value,) if isinstance(value, str) else value) if column]
    return found


def _named(maker: Maker) -> str:
    """How the right options are named."""
    tally = maker.found.answers
    if tally.way != "place":
        return {"text": "answers are the options' texts", "letter": "answers are letters"}[tally.way]
    first = maker.found.said.first_option
    first = tally.first() if first is None else first
    return "answers are numbers" + (f", the first option is {first}" if first is not None else "; which is the first?")


class _Counted:
    """What is counted over the rows."""

    def __init__(self, maker: Maker) -> None:
        self.maker = maker
        self.languages: Counter[str] = Counter()
        self.media: set[str] = set()
        self.counts: Counter[int] = Counter()
        self.places: Counter[int] = Counter()
        self.problems: dict[str, list[str]] = {}
        self.questions: dict[tuple[str, ...], str] = {}
        self.twice: list[tuple[str, str]] = []
        self.without: int = 0

    def look_at(self, row: Sighted) -> None:
        """One row."""
        maker = self.maker
        self.languages[row.language] += 1
        media = maker.album(row).of_row(row.record.cells, maker.kind.roles, "")
        self.media.update(entry.key for entry in media if entry.problem is None)
        name = maker.item_id(row, media)
        for problem in filter(None, (entry.problem for entry in media)):
            self.problem("a picture or clip is not there", f"{name}: {problem.partition(': ')[2] or problem}")
        question = (row.language, *(entry.key for entry in media), maker.text(row))
        if self.questions.setdefault(question, name) != name:
            self.twice.append((self.questions[question], name))
        if maker.kind.kind == "choice":
            self.look_at_options(row, name)
        elif maker.kind.kind != "open" and not maker.found.answers_of(row.record.cells):
            self.problem("the row has no answer", name)

    def look_at_options(self, row: Sighted, name: str) -> None:
        maker = self.maker
        try:
            options = maker.options(row)
            answers = maker.found.answers_of(row.record.cells)
            if not answers:
                raise ValueError("the row has no answer")
            if not options:
                self.without += 1
                return
            self.counts[len(options)] += 1
            self.places[maker.right(options, answers, maker.nobody())] += 1
        except ValueError as error:
            self.problem(str(error).partition(": ")[0], name)

    def problem(self, what: str, name: str) -> None:
        self.problems.setdefault(what, []).append(name)

    def odd(self) -> list[str]:
        """The sentences."""
        return [*self._rows(), *self._texts()]

    def _rows(self) -> list[str]:
        said = [
            f"{_counted(len(rows), 'row')} cannot be asked: {what} ({_some(rows)})"
            for what, rows in self.problems.items()
        ]
        if self.without:
            said.append(f"{self.without} rows have no options, and are short answers (accuracy)")
        return said

    def _texts(self) -> list[str]:
        said = []
        total = sum(self.places.values())
        if total and not self.maker.kind.classes:
            said.append(f"the right option is the first in {self.places[0]} of {total}")
        if self.maker.found.answers.apart and self.counts and not self.maker.kind.classes:
            said.append(
                f"{self.maker.found.answers.apart} answers mean one option by text and another by letter or number"
            )
        if self.twice:
            pairs = [f"{first}, {second}" for first, second in self.twice]
            said.append(f"{_counted(len(pairs), 'question')} asked twice ({_some(pairs)})")
        return said


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def _some(names: list[str]) -> str:
    return "; ".join(names[:SHOWN]) + ("; ..." if len(names) > SHOWN else "")
