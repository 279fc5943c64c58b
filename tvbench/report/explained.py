"""All of `explain`: its tables, with those of parallel questions, and everything as plain data.

The tables of single tasks are explanation.py's, the screen is conclusions.py's. Knows explanations as data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from tvbench.analysis.conclusions import Explanation
from tvbench.analysis.parallel import Gap, Parallel
from tvbench.report.conclusions import conclusions, interval
from tvbench.report.damage import named
from tvbench.report.explanation import example_tables, explanation_records, explanation_tables
from tvbench.report.table import Cell, Column, Table
from tvbench.scoring.metric import percent

COLUMNS = (
    Column("language", "language", "left"),
    Column("reference", "against", "left"),
    Column("questions", "questions"),
    Column("first", "there"),
    Column("second", "here"),
    Column("difference", "points\n(95 % interval)"),
    Column("p", "p"),
)


def explained_tables(found: Explanation, *, identified: bool, form: str, whole: bool) -> list[Table]:
    """On a terminal the examples that were asked for, with `whole` all tables; in a file everything, what it comes to
    first."""
    stacked = form == "table"
    if stacked and not whole:
        return example_tables(found.tasks, stacked=True)
    tables = explanation_tables(found.tasks, identified=identified, stacked=stacked)
    tables += [_parallel_table(told, found.blind) for told in found.parallel.values()]
    return tables if stacked or not found.tasks else [_conclusions_table(found), *tables]


def explained_records(found: Explanation, *, identified: bool) -> list[dict[str, Any]]:
    """A record a task; `parallel`, and what is told of the whole run, which is the same in each: `conclusions` in
    words, `damage`, and the run without pictures, `blind`."""
    told = {"conclusions": conclusions(found, whole=True), "damage": asdict(found.damage), "blind": found.blind}
    records = explanation_records(found.tasks, identified=identified)
    for record in records:
        parallel = found.parallel.get(record["task"])
        record |= {"parallel": None if parallel is None else asdict(parallel), **told}
    return records


def _conclusions_table(found: Explanation) -> Table:
    lines = conclusions(found, whole=True)
    return Table((Column("said", lines[0], "left"),), tuple((Cell(line.strip()),) for line in lines[1:]), found.run)


def _parallel_table(told: Parallel, blind: str) -> Table:
    rows = [*_rows(told.gaps, named(told.reference) if told.reference else ""), *_rows(told.pictures, "no picture")]
    notes = [
        "points of what the loss is counted in; paired over pictures; intervals and p of languages hold all at once",
        *_notes(told, blind),
    ]
    return Table(COLUMNS, tuple(rows), f"{told.task}: one question in several languages", tuple(notes), labels=2)


def _notes(told: Parallel, blind: str) -> Iterator[str]:
    if told.pictures:
        yield f"no picture: {blind}"
    if (held := told.consistency) is not None:
        yield (
            f"of {held.questions} questions in all {len(held.languages)} languages: right in all "
            f"{percent(held.right)} % (with independent errors {percent(held.right_expected)} %), wrong in all "
            f"{percent(held.wrong)} % ({percent(held.wrong_expected)} %)"
        )
        if held.same_wrong is not None and held.same_wrong_expected is not None:
            yield (
                f"one wrong option in more than half of the languages: {percent(held.same_wrong)} % "
                f"(with independent errors {percent(held.same_wrong_expected)} %)"
            )


def _rows(gaps: tuple[Gap, ...], against: str) -> Iterator[tuple[Cell, ...]]:
    for gap in gaps:
        held = gap.comparison
        yield (
            Cell(named(gap.language) if gap.language != "all" else "all"),
            Cell(against),
            Cell(str(held.items), value=held.items),
            Cell(percent(held.first), value=held.first),
            Cell(percent(held.second), value=held.second),
            Cell(interval(gap), value=held.difference),
            Cell(f"{gap.p:.4f}" if gap.p >= 0.0001 else "<0.0001", value=gap.p),
        )
