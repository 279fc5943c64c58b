"""`tvbench audit` as tables: a benchmark by language, then what is wrong with its items. Knows audits as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tvbench.analysis.audit import BASELINES, KINDS, LanguageAudit, TaskAudit
from tvbench.report.table import Cell, Column, Table
from tvbench.scoring.metric import percent
from tvbench.scoring.metrics import metric

LONGEST = 200
"""Characters of a finding's detail that a table shows."""
SURE = 0.01
"""Below this probability give-aways are said to be more than chance gives."""
ONE_SIDED = 0.5
"""From this share of right options in the first place on (and twice what chance gives), it is said."""


def audit_tables(found: Sequence[TaskAudit], examples: int) -> list[Table]:
    """One table a task, and one of up to `examples` findings of each kind and language where there are any."""
    tables: list[Table] = []
    for task in found:
        tables.append(_languages_table(task))
        if examples and any(part.findings for part in task.languages):
            tables.append(_findings_table(task, examples))
    return tables


def audit_records(found: Sequence[TaskAudit]) -> list[dict[str, Any]]:
    """Everything as plain data, all findings included."""
    records = []
    for task in found:
        record = asdict(task)
        for part, data in zip(task.languages, record["languages"], strict=True):
            data["counts"] = {kind: part.count(kind) for kind in KINDS}
            data["give_aways"]["excess"] = part.give_aways.excess
        records.append(record)
    return records


LANGUAGE_COLUMNS = (
    Column("language", "language", "left"),
    Column("items", "items"),
    Column("pictures", "pictures"),
    Column("items_per_picture", "items a\npicture"),
    Column("media", "pictures\nan item"),
)
CHOICE_COLUMNS = (
    Column("gold", "right option\nis 1/2/3/.."),
    Column("always_first", "always\noption 1"),
    Column("strict_ceiling", "strict\nceiling"),
    Column("chance", "chance"),
)


def _languages_table(task: TaskAudit) -> Table:
    choice = any(part.gold for part in task.languages)
    kinds = [kind for kind in KINDS if any(part.count(kind) for part in task.languages)]
    columns = [*LANGUAGE_COLUMNS, *(CHOICE_COLUMNS if choice else ())]
    columns += [Column(kind, KINDS[kind][0]) for kind in kinds]
    rows = [_row(part, kinds, choice) for part in task.languages]
    rules: tuple[int, ...] = ()
    if choice and len(rows) > 1:
        rules = (len(rows),)
        rows.append(_macro_row("mean over languages", task.macro, len(columns)))
        if {part.language for part in task.languages} - {"en"} != {part.language for part in task.languages}:
            rows.append(_macro_row("mean without English", task.macro_without_english, len(columns)))
    title = f"{task.task} (protocol {task.protocol}, {task.dataset})"
    return Table(tuple(columns), tuple(rows), title, tuple(_notes(task, kinds)), rules=rules)


def _row(part: LanguageAudit, kinds: Sequence[str], choice: bool) -> tuple[Cell, ...]:
    held = f"{part.least}" if part.least == part.most else f"{part.least} to {part.most}"
    media = (
        "none"
        if set(part.media) == {0}
        else ", ".join(
            str(number) if len(part.media) == 1 else f"{number}: {count}" for number, count in part.media.items()
        )
    )
    cells = [
        Cell(part.language),
        Cell(str(part.items), value=part.items),
        Cell(str(part.pictures), value=part.pictures),
        Cell(held),
        Cell(media),
    ]
    if choice:
        cells += [Cell("/".join(map(str, part.gold)) or "–"), *_figures(part.baselines)]
    counts = [part.count(kind) for kind in kinds]
    return (*cells, *(Cell(str(count), value=count, faint=count == 0) for count in counts))


def _macro_row(name: str, figures: Mapping[str, float], width: int) -> tuple[Cell, ...]:
    cells = [Cell(name, bold=True), *[Cell(empty=True)] * 5, *_figures(figures)]
    return (*cells, *[Cell(empty=True)] * (width - len(cells)))


def _figures(baselines: Mapping[str, float]) -> Iterator[Cell]:
    for name in BASELINES:
        value = baselines.get(name)
        yield Cell("–", value="", empty=True) if value is None else Cell(metric(name).text(value), value=value)


def _notes(task: TaskAudit, kinds: Sequence[str]) -> Iterator[str]:
    items = sum(part.items for part in task.languages)
    yield f"{items} items in {len(task.languages)} language{'s' if len(task.languages) > 1 else ''}"
    total = sum(sum(part.gold) for part in task.languages)
    if total:
        first = sum(part.gold[0] for part in task.languages if part.gold)
        yield f"the right option stands first in {first} of {total} items ({first / total:.1%})"
        if first / total >= max(ONE_SIDED, 2 * task.macro.get("chance", 0)):
            yield "a model that always takes the first option looks good here: ask with shuffled options"
    ceiling = task.macro.get("strict_ceiling")
    if ceiling is not None and ceiling < 1:
        yield (
            f"strict scores end at {percent(ceiling)} (mean over languages): read `aligned`, or hold strict scores "
            "against the ceiling"
        )
    if all(set(part.media) == {0} for part in task.languages):
        yield "no pictures are kept with these items: pictures are told apart by what the task says of them"
    for kind in kinds:
        yield f"{KINDS[kind][0]}: {KINDS[kind][1]}"
    if "partial_leak" in kinds:
        yield f"partial give-aways by chance, as wrong options tell: {'; '.join(map(_by_chance, _given_away(task)))}"
    clean = [KINDS[kind][0] for kind in KINDS if kind not in kinds]
    if clean:
        yield f"none found of: {', '.join(clean)}"
    yield from task.warnings


def _given_away(task: TaskAudit) -> list[LanguageAudit]:
    return [part for part in task.languages if part.give_aways.found]


def _by_chance(part: LanguageAudit) -> str:
    given = part.give_aways
    sure = f", more than chance gives (p {given.p:.2g})" if given.p < SURE else ""
    return f"{part.language} {given.expected:.1f} of {given.found}{sure}"


FINDINGS_COLUMNS = (
    Column("language", "language", "left"),
    Column("kind", "what", "left"),
    Column("item", "item", "left"),
    Column("detail", "seen", "left"),
)


def _findings_table(task: TaskAudit, examples: int) -> Table:
    rows: list[tuple[Cell, ...]] = []
    rules: list[int] = []
    for part in task.languages:
        rules.append(len(rows))
        for kind in KINDS:
            findings = [finding for finding in part.findings if finding.kind == kind]
            rows.extend(
                (Cell(part.language), Cell(KINDS[kind][0]), Cell(finding.item), Cell(_clipped(finding.detail)))
                for finding in findings[:examples]
            )
            if len(findings) > examples:
                more = Cell(f"and {len(findings) - examples} more")
                rows.append((Cell(part.language), Cell(KINDS[kind][0]), more, Cell()))
    return Table(
        FINDINGS_COLUMNS,
        tuple(rows),
        f"{task.task}: what was found",
        labels=3,
        rules=tuple(rule for rule in dict.fromkeys(rules[1:]) if 0 < rule < len(rows)),
    )


def _clipped(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"
