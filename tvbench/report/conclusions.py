"""The first screen of `explain`: what costs most and where, what is broken, what languages and pictures owe; what next.

At most LINES lines of WIDTH characters, in words, without colour. Knows explanations as data; no run folder.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from statistics import mean

from tvbench.analysis.conclusions import Explanation
from tvbench.analysis.diagnosis.causes import CAUSES, WRONG, label
from tvbench.analysis.explain import LanguageExplanation, TaskExplanation
from tvbench.analysis.parallel import Consistency, Gap, Parallel
from tvbench.report.damage import damage_lines, listed, named
from tvbench.report.explanation import bias_lines, nothing_to_explain
from tvbench.scoring.metric import percent

LINES, WIDTH = 25, 80
NARROW, LEAST = 40, 2
"""Characters that a line has, however narrow the terminal is; and lines that a section keeps."""
TASKS, WORST = 4, 3
"""Tasks that are shown, and languages that are named of each."""
NOTED = 0.05
"""A cause is named from this share of a task's loss on."""


def conclusions(found: Explanation, *, width: int = WIDTH, whole: bool = False, where: str = "") -> list[str]:
    """The screen, line by line; with `whole` all that it would leave out. `where` is the option that commands need to
    find the run."""
    sections = [
        _section("What is broken", damage_lines(found.damage), 9, width, whole=whole),
        _section("Where the points went", _costs(found.tasks), 2 * TASKS + 1, width, whole=whole),
        _section("Places of the options", _places(found.tasks), 3, width, whole=whole),
        _section("One question in all languages (95 % intervals)", _parallels(found), 5, width, whole=whole),
    ]
    kept = [section for section in sections if section]
    last = _wrapped(_next(found, where), width - 6)
    last = [("next  " if not number else "      ") + line for number, line in enumerate(last)]
    while not whole and sum(map(len, kept)) + len(last) + 1 > LINES:
        longest = max(kept[1:] or kept, key=len)
        if len(longest) <= LEAST:
            break
        del longest[-2 if longest[-1] == MORE else -1]
        if longest[-1] != MORE:
            longest[-1] = MORE
    return [_head(found, width), *(line for section in kept for line in section), *last]


MORE = "  … more with --all"


def _section(title: str, lines: Iterator[str], most: int, width: int, *, whole: bool) -> list[str]:
    wrapped = _wrapped(lines, width - 2)
    if not wrapped:
        return []
    kept = wrapped if whole or len(wrapped) <= most else [*wrapped[: most - 1], MORE[2:]]
    shown = title if len(title) <= width else title.replace(" intervals", "")
    return [shown, *(f"  {line}" for line in kept)]


def _wrapped(lines: Iterator[str] | Sequence[str], width: int) -> list[str]:
    found: list[str] = []
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        found += textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return found


def _head(found: Explanation, width: int) -> str:
    answered = sum(part.answered for task in found.tasks for part in task.languages)
    failed = sum(part.failed for task in found.tasks for part in task.languages)
    counts = f": {answered:,} answer{'' if answered == 1 else 's'}, {failed:,} failed"
    name = found.run if len(found.run) + len(counts) <= width else f"{found.run[: width - len(counts) - 1]}…"
    return name + counts


# ── Where the points went ─────────────────────────────────────────────────────────────────────────


def _costs(tasks: Sequence[TaskExplanation]) -> Iterator[str]:
    """Tasks by what they lost, each with its worst languages and its causes."""
    told = sorted((task for task in tasks if _lost(task)), key=lambda task: (-_mean_loss(task), task.task))
    for task in told[:TASKS]:
        parts = _lost(task)
        worst = [part for part in parts if (part.losses.mean or 0.0) > 0][:WORST]
        where = ", ".join(f"{named(part.language)} {percent(part.losses.mean or 0.0)}" for part in worst)
        most = f", most in {where}" if len(parts) > 1 and worst else f" ({where})" if worst else ""
        yield (
            f"{task.task}: {percent(_mean_loss(task))} points lost{most}" if worst else f"{task.task}: nothing was lost"
        )
        if worst:
            yield f"  {_causes(parts)}"
    if len(told) > TASKS:
        yield f"and {len(told) - TASKS} more tasks"
    for task in tasks:
        if not any(part.answered for part in task.languages):
            yield f"{task.task}: {nothing_to_explain(task)}"
        elif not _lost(task):
            yield f"{task.task}: {task.no_loss or 'no answer is scored yet (open answers need a judge)'}"


def _lost(task: TaskExplanation) -> list[LanguageExplanation]:
    return [part for part in task.languages if part.losses.mean is not None]


def _mean_loss(task: TaskExplanation) -> float:
    return mean(part.losses.mean or 0.0 for part in _lost(task))


def _causes(parts: Sequence[LanguageExplanation]) -> str:
    """The causes of a task's loss with their shares of it, the mean over languages; and the languages that one is
    mostly in."""
    total = sum(part.losses.mean or 0.0 for part in parts)
    share = {
        cause: sum(part.losses.by.get(cause, 0.0) / part.losses.items for part in parts) / total
        for cause in (*CAUSES, WRONG)
    }
    told = sorted((cause for cause in share if share[cause] >= NOTED), key=lambda cause: -share[cause])[:WORST]
    return ", ".join(f"{percent(share[cause], decimals=0)} % '{label(cause)}'" for cause in told)


# ── Places, languages, pictures ───────────────────────────────────────────────────────────────────


def _places(tasks: Sequence[TaskExplanation]) -> Iterator[str]:
    for task in tasks:
        yield from (f"{task.task}: {line}" for line in bias_lines(task))
    hidden = [task.task for task in tasks if task.bias is not None and task.bias.p is None and task.bias.untold]
    if hidden:
        yield f"{listed(hidden)}: the right option always stands in one place: bias cannot be told from knowledge"


def _parallels(found: Explanation) -> Iterator[str]:
    for task, told in found.parallel.items():
        if told.consistency is not None:
            yield f"{task}: {_consistency(told.consistency)}"
        if told.gaps:
            yield f"{task}: {_gaps(told)}"
        if told.pictures:
            yield f"{task}: the picture adds {interval(told.pictures[0])} points over {found.blind}"


def _consistency(told: Consistency) -> str:
    every = "both" if len(told.languages) == 2 else f"all {len(told.languages)}"
    alike = f"right in {every} languages {_percent(told.right)} of {told.questions}"
    alike += f" (independent errors: {_percent(told.right_expected)})"
    if told.same_wrong is not None and told.same_wrong_expected is not None:
        alike += f", same wrong option in most {_percent(told.same_wrong)} ({_percent(told.same_wrong_expected)})"
    return alike


def _gaps(told: Parallel) -> str:
    worse = sorted((gap for gap in told.gaps if gap.p < 0.05), key=lambda gap: gap.comparison.difference)
    shown = worse[:WORST]
    against = named(told.reference)
    if not shown:
        return f"no language is certainly apart from {against}"
    text = ", ".join(f"{named(gap.language)} {interval(gap)}" for gap in shown)
    return f"points against {against}: {text}" + (f", and {len(worse) - WORST} more" if len(worse) > WORST else "")


def interval(gap: Gap) -> str:
    """`-12.0 [-20.1, -3.9]`, in points."""
    held = gap.comparison
    shown = f"{percent(held.difference, sign=True)}"
    if held.interval is None:
        return shown
    low, high = (percent(limit, sign=True) for limit in held.interval)
    return f"{shown} [{low}, {high}]"


def _percent(share: float) -> str:
    return f"{percent(share, decimals=0)} %"


# ── What next ─────────────────────────────────────────────────────────────────────────────────────


def _next(found: Explanation, where: str) -> Iterator[str]:
    """What to do about the costliest cause, and what to type."""
    weighed = [
        (part.losses.by[cause] / part.losses.items, cause, part.language, task.task)
        for task in found.tasks
        for part in _lost(task)
        for cause in part.losses.by
        if cause != WRONG
    ]
    if weighed:
        _, cause, code, task = max(weighed)
        yield f"'{label(cause)}' costs most in {named(code)} ({task}): {CAUSES[cause].advice}"
        yield f"tvbench explain {found.run} --examples 5 --languages {code} --tasks {task}{where}"
    yield f"tvbench explain {found.run} --all{where}" + (
        "" if weighed else "  (all tables; --examples N: answers that lost points)"
    )
