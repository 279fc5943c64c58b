"""`tvbench explain` as tables: what the answers look like, where the points went, positions, examples; and in words.

Knows explanations as data, and the names of causes; no run folder and no scorer's inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from tvbench.analysis.diagnosis import confusion
from tvbench.analysis.diagnosis.causes import CAUSES, WRONG, label
from tvbench.analysis.diagnosis.language_id import MISSING
from tvbench.analysis.diagnosis.position import Position
from tvbench.analysis.explain import LanguageExplanation, TaskExplanation
from tvbench.languages import is_language, language
from tvbench.report.table import Cell, Column, Table
from tvbench.scoring.metric import Metric, from_facts, percent
from tvbench.scoring.places import LAST, MIDDLE, Habit

SAID_SHARE = 0.05
"""A cause is named in words from this share of a language's loss on."""
SAID = 8
"""Sentences a task."""


def explanation_tables(found: Sequence[TaskExplanation], *, identified: bool, stacked: bool = False) -> list[Table]:
    """The tables of all tasks. `identified`: whether language identifiers were there; `stacked` examples have their
    texts below each other, for narrow terminals."""
    tables: list[Table] = []
    for task in found:
        if not any(part.answered for part in task.languages):
            tables.append(_empty_table(task))
            continue
        tables += [_answers_table(task, identified), _loss_table(task)]
        tables += [_position_table(task)] if any(part.position for part in task.languages) else []
        tables += example_tables([task], stacked=stacked)
    return tables


def example_tables(found: Sequence[TaskExplanation], *, stacked: bool) -> list[Table]:
    """The examples alone."""
    shape = _stacked_examples if stacked else _examples_table
    return [shape(task) for task in found if any(part.examples for part in task.languages)]


def _empty_table(task: TaskExplanation) -> Table:
    columns = (Column("task", "task", "left"), Column("why", "why", "left"))
    row = (Cell(task.task), Cell(nothing_to_explain(task)))
    return Table(columns, (row,), f"{task.task}: nothing to explain")


def nothing_to_explain(task: TaskExplanation) -> str:
    """Why a task has no answers, and what to do."""
    items = sum(part.items for part in task.languages)
    if not items:
        return "the run holds no items of this task: its figures were copied from a log, or none were selected"
    failed = sum(part.failed for part in task.languages)
    return f"none of {items} items is answered ({failed} failed): the same `tvbench run` command again asks them"


def explanation_records(found: Sequence[TaskExplanation], *, identified: bool) -> list[dict[str, Any]]:
    """Everything as plain data; shares and estimates are fractions."""
    records = []
    for task in found:
        record = asdict(task)
        for part, data in zip(task.languages, record["languages"], strict=True):
            data["loss_shares"] = {cause: part.losses.share(cause) for cause in part.losses.by}
            data["mean_loss"] = part.losses.mean
            if part.confusion is not None:
                data["confusion"] |= {
                    "line_pass_rate": part.confusion.line_pass_rate,
                    "word_pass_rate": part.confusion.word_pass_rate,
                    "identifier": confusion.IDENTIFIER,
                }
            if part.check is not None:
                data["check"] |= {
                    "observed": part.check.observed,
                    "false_alarm_rate": part.check.false_alarm_rate,
                    "estimate": part.check.estimate,
                    "clear": part.check.clear,
                }
        answered = any(part.answered for part in task.languages)
        record["findings"] = list(findings(task)) if answered else [nothing_to_explain(task)]
        record["language_identification"] = "cld2 and py3langid" if identified else MISSING
        records.append(record)
    return records


# ── What the answers look like ────────────────────────────────────────────────────────────────────


def _answers_table(task: TaskExplanation, identified: bool) -> Table:
    seen = [cause for cause in CAUSES if any(part.counts.get(cause) for part in task.languages)]
    checked = any(part.check is not None and part.check.judged for part in task.languages)
    columns = [
        Column("language", "language", "left"),
        Column("items", "items"),
        Column("answered", "answered"),
        Column("failed", "failed"),
        *(Column(cause, CAUSES[cause].label) for cause in seen),
    ]
    columns += [Column("wrong_language_estimate", "wrong language\nless false alarms")] if checked else []
    rows = tuple(
        (
            Cell(_named(part.language)),
            _number(part.items),
            _number(part.answered),
            _number(part.failed),
            *(_count(part, cause) for cause in seen),
            *((_estimate(part),) if checked else ()),
        )
        for part in task.languages
    )
    notes = [f"{CAUSES[cause].label}: {CAUSES[cause].meaning}" for cause in seen]
    notes += [f"not seen in any answer: {', '.join(cause.label for cause in CAUSES.values() if cause.id not in seen)}"]
    notes += list(_language_notes(task, identified))
    return Table(tuple(columns), rows, f"{task.task}: what the answers look like, worst language first", tuple(notes))


def _language_notes(task: TaskExplanation, identified: bool) -> Iterator[str]:
    if not identified:
        yield f"wrong language: {MISSING}"
        return
    checks = [(part.language, part.check) for part in task.languages if part.check is not None and part.check.judged]
    if not checks:
        yield "wrong language: no answer is running text of the model's own, none is judged"
    rates = {part.language: part.confusion for part in task.languages if part.confusion is not None}
    yield from filter(None, (confusion.in_words(rates),))
    for code, check in checks:
        if check.alarms:
            most = f", mostly taken for {_named(check.mostly)}" if check.mostly else ""
            trust = "" if check.clear else "; not above noise"
            held = (
                f"; of the references {check.false_alarms} of {check.references} are rejected as well{trust}"
                if check.references
                else "; no reference is long enough to hold it against"
            )
            yield f"wrong language, {code}: {len(check.alarms)} of {check.judged} judged answers{most}{held}"


def _count(part: LanguageExplanation, cause: str) -> Cell:
    count = part.counts.get(cause, 0)
    if not count:
        return Cell("0", value=0, faint=True)
    return Cell(str(count), f"{count} ({count / part.answered:.0%})", count)


def _estimate(part: LanguageExplanation) -> Cell:
    if part.check is None or not part.check.judged:
        return Cell("–", value="", empty=True)
    return Cell(f"{part.check.estimate:.1%}", value=part.check.estimate)


def _number(value: int) -> Cell:
    return Cell(str(value), value=value)


# ── Where the points went ─────────────────────────────────────────────────────────────────────────


def _loss_table(task: TaskExplanation) -> Table:
    counted = from_facts(task.metric, task.facts)
    head = "mean\nscore" if counted.better == "higher" else f"mean {counted.label}\n(lower is better)"
    causes = [cause for cause in (*CAUSES, WRONG) if any(part.losses.by.get(cause) for part in task.languages)]
    columns = (
        Column("language", "language", "left"),
        Column("scored", "scored"),
        Column("score", head),
        *(Column(cause, label(cause)) for cause in causes),
    )
    rows = tuple(
        (
            Cell(_named(part.language)),
            _number(part.scored),
            _score(part, counted),
            *(_share(part, cause) for cause in causes),
        )
        for part in task.languages
    )
    notes = [
        f"the loss is {_loss_text(task.counted_in, counted)}; each item's goes to the first of its causes, left to "
        "right",
        *findings(task),
    ]
    if not causes:
        why = task.no_loss or f"no answer has the metric {task.counted_in} (open answers need a judge)"
        lost_nothing = any(part.losses.items for part in task.languages)
        notes = ["no loss to share out: " + ("nothing was lost" if lost_nothing else why)]
    return Table(columns, rows, f"{task.task}: where the points went (shares of the loss)", tuple(notes))


def _loss_text(counted_in: str, counted: Metric) -> str:
    if counted.better == "higher":
        return f"the part of {counted_in} that is not reached"
    return f"{counted_in} itself, of one answer {counted.text(counted.of_loss(1.0), decimals=0)} at most"


def _score(part: LanguageExplanation, counted: Metric) -> Cell:
    """The mean over items, in the metric's own unit and direction: by their values, else by what they lost."""
    value = part.value
    if value is None and part.losses.mean is not None:
        value = counted.of_loss(part.losses.mean)
    return Cell("–", value="", empty=True) if value is None else Cell(counted.text(value), value=value)


def _share(part: LanguageExplanation, cause: str) -> Cell:
    share = part.losses.share(cause)
    return Cell(f"{share:.0%}", value=share, faint=share == 0, bold=share >= 0.5 and cause != WRONG)


def findings(task: TaskExplanation) -> Iterator[str]:
    """The causes in words, what costs most first, then what to do about each."""
    weighed = [
        (part.losses.by[cause] / part.losses.items, part, cause)
        for part in task.languages
        for cause in part.losses.by
        if cause != WRONG and part.losses.share(cause) >= SAID_SHARE
    ]
    weighed.sort(key=lambda pair: (-pair[0], pair[1].language))
    for points, part, cause in weighed[:SAID]:
        yield (
            f"{percent(part.losses.share(cause), decimals=0)} % of the loss in {_named(part.language)} is "
            f"'{label(cause)}': "
            f"{part.counts.get(cause, 0)} of {part.answered} answers, {percent(points)} points"
        )
    for cause in dict.fromkeys(cause for _, _, cause in weighed[:SAID]):
        yield f"{label(cause)} ({CAUSES[cause].meaning}): {CAUSES[cause].advice}"
    if not weighed and any(part.losses.total for part in task.languages):
        yield "nearly all of the loss: answered in the form that was asked for, and wrong"
    yield from bias_lines(task)


def bias_lines(task: TaskExplanation) -> Iterator[str]:
    """Habits of places that are certain, in points: of all languages together, then of each."""
    bias = task.bias
    if bias is not None and bias.certain:
        if bias.overall is not None:
            yield f"position bias: {_habit(bias.overall)}, over all languages"
        elif not bias.languages:
            yield f"position bias: options are chosen for where they stand (p = {_p(bias.p)}), in no one language alone"
        for code, habit in sorted(bias.languages.items(), key=lambda pair: (pair[1].p, pair[0])):
            yield f"position bias in {_named(code)}: {_habit(habit)}"


def _habit(habit: Habit) -> str:
    excess = habit.excess[habit.place]
    which = {LAST: "the last option", MIDDLE: "an option in the middle"}.get(habit.place, f"option {habit.place}")
    way = "more" if excess > 0 else "less"
    return f"{which} is chosen {percent(abs(excess))} points {way} often than it should be (p = {_p(habit.p)})"


def _p(p: float | None) -> str:
    return "–" if p is None else f"{p:.4f}" if p >= 0.001 else "<0.001"


def _named(code: str) -> str:
    return f"{language(code).name} ({code})" if is_language(code) else code


# ── Positions ─────────────────────────────────────────────────────────────────────────────────────


POSITION_COLUMNS = (
    Column("language", "language", "left"),
    Column("gold", "right option\nis 1/2/3/.."),
    Column("chosen", "chosen\n1/2/3/.."),
    Column("unread", "unread"),
    Column("score_by_place", "score where right\noption is 1/2/3/.."),
    Column("always_first", "always\noption 1"),
    Column("strict", "strict"),
    Column("aligned", "aligned"),
    Column("gap", "strict to\naligned"),
    Column("fragment", "fragment"),
    Column("ceiling", "strict\nceiling"),
    Column("chance", "chance"),
)


def _position_table(task: TaskExplanation) -> Table:
    rows = tuple(_position_row(part, part.position) for part in task.languages if part.position is not None)
    held = [part.position for part in task.languages if part.position is not None]
    first = sum(place.gold[0] for place in held)
    total = sum(sum(place.gold) for place in held)
    notes = [
        f"the right option stands first in {first} of {total} items",
        "strict ceiling: the most that copying one shown line can score",
        "aligned: without regard to case, edge punctuation and the form of the right answer in the data",
    ]
    notes += list(_bias_notes(task))
    return Table(POSITION_COLUMNS, rows, f"{task.task}: positions and ceilings", tuple(notes))


def _bias_notes(task: TaskExplanation) -> Iterator[str]:
    if (bias := task.bias) is None:
        return
    if bias.untold:
        told = "" if bias.p is None else f" ({', '.join(bias.untold)})"
        yield (
            f"where nearly all right options stand in one place{told}, position bias cannot be told from knowledge: "
            "ask with shuffled options (protocol tvbench)"
        )
    if bias.p is not None:
        yield (
            f"position bias: p = {_p(bias.p)}: one test over all places and languages, adjusted for several tasks; "
            "where the options keep one order, as true and false do, a liking for the word looks the same"
        )


def _position_row(part: LanguageExplanation, place: Position) -> tuple[Cell, ...]:
    return (
        Cell(_named(part.language)),
        Cell("/".join(map(str, place.gold))),
        Cell("/".join(map(str, place.chosen))),
        _number(place.unread),
        Cell("/".join("–" if score is None else percent(score, decimals=0) for score in place.score)),
        _percent(place.always_first),
        _percent(place.strict),
        _percent(place.aligned),
        _percent(None if place.strict is None or place.aligned is None else place.aligned - place.strict, sign=True),
        _percent(place.fragment),
        _percent(place.strict_ceiling),
        _percent(place.chance),
    )


def _percent(value: float | None, *, sign: bool = False) -> Cell:
    return Cell("–", value="", empty=True) if value is None else Cell(percent(value, sign=sign), value=value)


# ── Examples ──────────────────────────────────────────────────────────────────────────────────────


def _examples_table(task: TaskExplanation) -> Table:
    columns = (
        Column("language", "language", "left"),
        Column("cause", "cause", "left"),
        Column("item", "item", "left"),
        Column("lost", "lost"),
        Column("prompt", "end of the prompt", "left"),
        Column("gold", "right", "left"),
        Column("answer", "answer", "left"),
    )
    rows: list[tuple[Cell, ...]] = []
    rules: list[int] = []
    for part in task.languages:
        rules.append(len(rows))
        rows.extend(
            (
                Cell(_named(part.language)),
                Cell(label(example.cause)),
                Cell(example.item),
                Cell("–", value="")
                if example.lost is None
                else Cell(percent(example.lost, decimals=0), value=example.lost),
                Cell(example.prompt),
                Cell(example.gold),
                Cell(example.answer),
            )
            for example in part.examples
        )
    return Table(
        columns,
        tuple(rows),
        f"{task.task}: examples of answers that lost points",
        labels=3,
        rules=tuple(rule for rule in dict.fromkeys(rules[1:]) if rule < len(rows)),
    )


def _stacked_examples(task: TaskExplanation) -> Table:
    rows: list[tuple[Cell, ...]] = []
    rules: list[int] = []
    for part in task.languages:
        for example in part.examples:
            rules.append(len(rows))
            points = "" if example.lost is None else f", {percent(example.lost, decimals=0)} points lost"
            rows.append((Cell(example.item, bold=True), Cell(f"{label(example.cause)}{points}", bold=True)))
            rows += [
                (Cell(name), Cell(text))
                for name, text in (("asked", example.prompt), ("right", example.gold), ("answer", example.answer))
            ]
    columns = (Column("item", "item", "left"), Column("text", "", "left"))
    return Table(columns, tuple(rows), f"{task.task}: examples of answers that lost points", rules=tuple(rules[1:]))
