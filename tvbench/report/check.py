"""A check as a person reads it, from 40 columns on, and as plain values for scripts. Computes nothing.

The verdict first, then what failed (a line a figure), what cannot be told with what it would take, what would not have
been seen, what was asked otherwise, and the commands to type, each on a line of its own that can be copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from tvbench.analysis.regression.standing import DIAGNOSES
from tvbench.analysis.regression.verdict import MEAN, Absent, Changed, Check, Compared, Rise
from tvbench.languages import is_language, language
from tvbench.safety.schema import Schema, document, schema_of
from tvbench.safety.visible import visible
from tvbench.scoring.metric import FRACTION, POINTS, Metric, from_facts

MOST_LINES = 8
"""Figures of one kind that are shown; the rest is counted."""
MOST_ANSWERS = 3
CLIP = 60
GAP = "  "


def check_records(check: Check) -> dict[str, Any]:
    """All of it by name."""
    return {"exit_code": check.exit_code, **asdict(check)}


def check_schema() -> Schema:
    """Of the JSON."""
    schema = schema_of(Check)
    schema["properties"] = {"exit_code": {"enum": [0, 1, 3]}, **schema["properties"]}
    schema["required"] = list(schema["properties"])
    return document("what `tvbench check --format json` prints", schema)


def check_lines(check: Check, width: int) -> list[str]:
    """For a terminal of `width` columns."""
    made: list[str] = []
    for part in (_verdict(check), *_failures(check), *_open(check), _passes(check), *_signature(check), *_rest(check)):
        made += wrapped(part, width)
    return [visible(line) for line in made]


def wrapped(fields: Sequence[str], width: int) -> list[str]:
    """Fields in one line, or in as many as the width needs; the further ones stand in by four more than the first."""
    indent = len(fields[0]) - len(fields[0].lstrip())
    lines: list[str] = []
    line = ""
    for field in fields:
        pieces = [field] if line == "" else [GAP + field]
        if line and len(line) + len(pieces[0]) > width:
            lines.append(line)
            line, pieces = " " * (indent + 4), [field]
        for word in pieces[0].split(" ") if len(line) + len(pieces[0]) > width else pieces:
            glue = "" if not line.strip() or word in pieces else " "
            if line.strip() and len(line) + len(glue) + len(word) > width:
                lines.append(line)
                line, glue = " " * (indent + 4), ""
            line += glue + word
    return [*lines, line]


def language_name(code: str) -> str:
    """What people call a language; a code that nobody knows as it stands."""
    if code == MEAN:
        return MEAN
    return language(code).name if is_language(code) else code


# ── The verdict ───────────────────────────────────────────────────────────────────────────────────


def _verdict(check: Check) -> list[str]:
    falls = [one for one in check.comparisons if one.outcome == "fail"]
    rises = [one for one in check.rises if one.outcome == "fail"]
    said: list[str] = []
    if falls:
        said.append(f"{len(falls)} of {_count(len(check.comparisons), 'figure')} certainly fell beyond the margin")
    if rises:
        said.append(f"{_count(len(rises), 'share')} of faulty answers certainly rose")
    if check.absent:
        said.append(f"{_count(len(check.absent), 'task or language', 'tasks or languages')} not there in full")
    if fatal := [change for change in check.changed if change.fatal]:
        said.append(f"{_count(len(fatal), 'field')} of signatures changed")
    word = {"fail": "FAIL", "pass": "PASS", "cannot tell": "CANNOT TELL"}[check.outcome]
    if check.outcome == "cannot tell":
        said = ["nothing certainly fell, and for some figures a fall cannot be ruled out"]
    if check.outcome == "pass":
        same = all(one.why == "no item differs" for one in check.comparisons)
        said = ["no score differs from the baseline's" if same else "nothing fell by as much as the policy cares for"]
    if check.waiting:
        said.append(f"INCOMPLETE: {_count(check.waiting, 'item')} without an answer or a score")
    level = f"(at most {100 * check.level:g} % false alarms a check)"
    return [f"{word}{GAP}{'; '.join(said)}", level] if check.outcome == "fail" else [f"{word}{GAP}{'; '.join(said)}"]


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"


# ── What failed ───────────────────────────────────────────────────────────────────────────────────


def _failures(check: Check) -> Iterator[list[str]]:
    falls = sorted((one for one in check.comparisons if one.outcome == "fail"), key=lambda one: one.p or 0.0)
    for number, one in enumerate(falls):
        if number == MOST_LINES:
            yield [f"  and {_count(len(falls) - MOST_LINES, 'figure')} more: --format json"]
            break
        yield _fall(one)
        yield from _answers(one)
    rises = [one for one in check.rises if one.outcome == "fail"]
    yield from (_rise(one) for one in rises[:MOST_LINES])
    if len(rises) > MOST_LINES:
        yield [f"  and {_count(len(rises) - MOST_LINES, 'diagnosis', 'diagnoses')} more: --format json"]
    yield from (_absent(one) for one in check.absent[: 2 * MOST_LINES])
    if len(check.absent) > 2 * MOST_LINES:
        yield [f"  and {len(check.absent) - 2 * MOST_LINES} more are not there: --format json"]


def shown_metric(one: Compared) -> Metric:
    """The metric of a comparison, to show its figures."""
    return from_facts(one.metric, one.facts)


def points(one: Compared, value: float) -> str:
    """A difference in words: `4.1 points`, or in the metric's own unit."""
    metric = shown_metric(one)
    text = metric.text(value)
    return f"{text} {'point' if text == '1.0' else 'points'}" if metric.unit in (FRACTION, POINTS) else text


def _fall(one: Compared) -> list[str]:
    metric = shown_metric(one)
    sign = 1 if metric.better == "higher" else -1
    fields = [f"  {one.task}", language_name(one.language), f"{metric.text(one.before)} → {metric.text(one.after)}"]
    change = metric.text(sign * one.change, sign=True)
    if one.low is not None and one.high is not None:
        ends = sorted((sign * one.low, sign * one.high))
        change += f" [{metric.text(ends[0], sign=True)}, {metric.text(ends[1], sign=True)}]"
    fields.append(change)
    if one.fell:
        fields.append(f"{_count(one.fell, 'item')} worse, {one.rose:,} better")
    return fields


def _answers(one: Compared) -> Iterator[list[str]]:
    for flip in one.flips[:MOST_ANSWERS]:
        was = f"“{_clipped(flip.answer_before)}” → " if flip.answer_before is not None else ""
        yield [f"    {flip.item}", f"{was}“{_clipped(flip.answer)}”"]


def _clipped(text: str) -> str:
    plain = " ".join(visible(text).split())
    return plain if len(plain) <= CLIP else f"{plain[: CLIP - 1]}…"


def _rise(one: Rise) -> list[str]:
    shares = f"{_share(one.before, one.of_before)} → {_share(one.after, one.of_after)}"
    return [f"  {one.task}", language_name(one.language), f"{DIAGNOSES.get(one.diagnosis, one.diagnosis)}: {shares}"]


def _share(count: int, of: int) -> str:
    return f"{count:,} of {of:,} ({100 * count / max(1, of):.0f} %)"


def _absent(one: Absent) -> list[str]:
    if one.language:
        return [f"  {one.task}", language_name(one.language), f"{_count(one.items, 'item')} of the baseline not asked"]
    return [f"  {one.task}", f"the task was not asked ({_count(one.items, 'item')} in the baseline)"]


# ── What cannot be told, and what passes ──────────────────────────────────────────────────────────


def _open(check: Check) -> Iterator[list[str]]:
    unclear = [one for one in check.comparisons if one.outcome == "cannot tell"]
    unclear.sort(key=lambda one: -(one.worst or 0.0))
    if unclear:
        yield [f"cannot tell{GAP}{_count(len(unclear), 'figure')}, the least certain first:"]
    for one in unclear[:MOST_LINES]:
        yield _unclear(one)
    if len(unclear) > MOST_LINES:
        yield [f"  and {_count(len(unclear) - MOST_LINES, 'figure')} more: --format json"]


def _unclear(one: Compared) -> list[str]:
    metric = shown_metric(one)
    fields = [f"  {one.task}", language_name(one.language), f"{metric.text(one.before)} → {metric.text(one.after)}"]
    if one.why:
        return [*fields, one.why]
    if one.worst is not None:
        fields.append(f"a fall of up to {points(one, one.worst)} is possible")
    if one.needed is not None:
        fields.append(f"{one.items:,} items, about {one.needed:,} would do")
    return fields


def _passes(check: Check) -> list[str]:
    passed = [one for one in check.comparisons if one.outcome == "pass"]
    rises = sum(one.outcome == "pass" for one in check.rises)
    fields = [
        f"pass{GAP}{_count(len(passed), 'figure')}" + (f", {_count(rises, 'share')} of faulty answers" if rises else "")
    ]
    seen = [one for one in check.comparisons if one.detectable is not None and one.language != MEAN]
    if seen:
        least = max(seen, key=lambda one: shown_metric(one).shown(one.detectable or 0.0))
        place = f"{language_name(least.language)} ({least.task}, {_count(least.items, 'item')})"
        fields.append(f"Could not have been seen: drops below {points(least, least.detectable or 0.0)} in {place}")
    return fields


# ── Signatures, notes, commands ───────────────────────────────────────────────────────────────────


def _signature(check: Check) -> Iterator[list[str]]:
    fatal = [change for change in check.changed if change.fatal]
    for change in fatal[:MOST_LINES]:
        yield [f"  {change.task}", f"{change.what} changed:", f"{change.before or 'none'} → {change.after or 'none'}"]
    others = list(dict.fromkeys(_told(change) for change in check.changed if not change.fatal))
    same = "" if fatal else "asked the same"
    if others or same:
        yield [f"signature:{GAP}" + "; ".join(filter(None, [same, *others[:MOST_LINES]]))]


def _told(change: Changed) -> str:
    return f"{change.what} {change.before or 'none'} → {change.after or 'none'}"


def _rest(check: Check) -> Iterator[list[str]]:
    yield from ([f"note:{GAP}{note}"] for note in check.notes)


def command_lines(commands: Iterable[str]) -> list[str]:
    """Commands to type, never folded."""
    return [visible(f"  {command}") for command in commands]
