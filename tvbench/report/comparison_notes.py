"""What is said around a table of comparisons: what came of it, what could not be seen, what to type next.

Knows comparisons and names of runs; no table and no run folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tvbench.analysis.compare import TaskComparison
from tvbench.report.comparison_lines import MEAN, TOO_FEW, Compared, comparison_lines, said
from tvbench.report.damage import named
from tvbench.scoring.paired import Comparison

MOST_NAMED = 4


def summary(pairs: Compared, names: Sequence[str]) -> Iterator[str]:
    """A line a run: in how many languages it is better and worse than the first, and where."""
    lines = [line for task in comparison_lines(pairs).values() for line in task]
    for number, name in enumerate(names[1:]):
        held: dict[str, list[str]] = {"better": [], "worse": [], "equal": []}
        whole = [line for line in lines if line.sides[number] is not None and line.language != MEAN]
        tasks = {line.task for line in whole}
        for line in whole:
            side = line.sides[number]
            words = "" if side is None else said(side, line.metric)
            place = named(line.language) + (f" ({line.task})" if len(tasks) > 1 else "")
            held.setdefault(words if words in held else "cannot tell", []).append(place)
        parts = [f"{word} in {_some(places)}" for word, places in held.items() if places and word != "cannot tell"]
        parts += [f"cannot tell in {len(held['cannot tell'])}"] if held.get("cannot tell") else []
        yield f"{name} against {names[0]}, of {len(whole)}: {'; '.join(parts)}"


def _some(places: Sequence[str]) -> str:
    more = len(places) - MOST_NAMED
    shown = ", ".join(places[:MOST_NAMED])
    return f"{len(places)}: {shown}" + (f" and {more} more" if more > 0 else "")


def next_steps(
    pairs: Compared, runs: Sequence[str], *, whole: bool, chosen: str = "", where: str = ""
) -> Iterator[str]:
    """What to type next: why languages got worse, and every column. `runs` are the names that commands take, `chosen`
    the options that choose what is compared, `where` the one that says where runs lie."""
    for number, run in enumerate(runs[1:]):
        worse = dict.fromkeys(
            line.language
            for task in comparison_lines([pairs[number]]).values()
            for line in task
            if line.language != MEAN and line.sides[0] is not None and said(line.sides[0], line.metric) == "worse"
        )
        if worse:
            yield f"why: tvbench explain {run} --languages {','.join(list(worse)[:MOST_NAMED])}{where}"
    if not whole:
        yield f"p, items, smallest detectable: tvbench compare {' '.join(runs)}{chosen}{where} --all"


def reading_notes(pairs: Compared, names: Sequence[str], resamples: int) -> Iterator[str]:
    """How the figures are to be read."""
    several = len(pairs) > 1
    yield (
        f"difference: less {names[0]}; better, worse: than that, and certainly (p < 0.05, and 0 lies outside of the "
        "95 % interval)"
    )
    of = f", in all {len(pairs)} comparisons with {names[0]}," if several else ""
    yield (
        f"languages of a task{of} are held together: their intervals hold all at once, p is adjusted for all of them; "
        f"means {'are held together likewise' if several else 'stand alone'} "
        f"({resamples:,} exchanges of pictures and clips)"
    )


MOST_UNSEEN = 3


def unseen(pairs: Compared, names: Sequence[str]) -> Iterator[str]:
    """What could not have been seen where nothing can be told: the largest first."""
    lines = [line for task in comparison_lines(pairs).values() for line in task if line.language != MEAN]
    for number, name in enumerate(names[1:]):
        found = [
            (side.detectable, line, side)
            for line in lines
            if isinstance(side := line.sides[number], Comparison)
            and side.detectable is not None
            and said(side, line.metric) == "cannot tell"
        ]
        found.sort(key=lambda one: -one[0] * (1 if one[1].metric.unit == "fraction" else 0.01))
        if found:
            shown = "; ".join(
                f"below {line.metric.text(size)} in {named(line.language)} ({line.task}, {side.items:,} items)"
                for size, line, side in found[:MOST_UNSEEN]
            )
            more = f"; and {len(found) - MOST_UNSEEN} more" if len(found) > MOST_UNSEEN else ""
            yield f"could not have been seen{f' of {name}' if len(names) > 2 else ''}: differences {shown}{more}"


def task_notes(pairs: Compared, names: Sequence[str]) -> Iterator[str]:
    """What a reader must know of single tasks: no interval, lower is better, items left out, other settings. What is
    true of several tasks is said once."""
    said_of: dict[str, dict[str, None]] = {}
    for pair, name in zip(pairs, names[1:], strict=True):
        for task in pair:
            for note in _notes_of(task, name, names[0], several=len(pairs) > 1):
                said_of.setdefault(note, {})[task.task] = None
    yield from (f"{', '.join(tasks)}: {note}" for note, tasks in said_of.items())
    yield from _short_notes(pairs, names)
    all_tasks = dict.fromkeys(task.task for pair in pairs for task in pair)
    for pair, name in zip(pairs, names[1:], strict=True):
        lacking = [task for task in all_tasks if task not in {one.task for one in pair}]
        if lacking:
            yield f"{name} has nothing to compare in {', '.join(lacking)}"
    for lines in comparison_lines(pairs).values():
        if any(line.first is None for line in lines):
            yield f"{lines[0].task}: each run's mean is over the languages that it shares with {names[0]}"


def _short_notes(pairs: Compared, names: Sequence[str]) -> Iterator[str]:
    """What the short verdicts leave out."""
    needed = [
        side.needed
        for task in comparison_lines(pairs).values()
        for line in task
        for side in line.sides
        if side is not None and side.needed is not None
    ]
    if needed:
        yield f"{TOO_FEW} to tell (at least {max(needed)} needed)"


def _notes_of(task: TaskComparison, name: str, first: str, *, several: bool) -> Iterator[str]:
    who = f"{name} and {first}" if several else "the runs"
    if task.not_resampled:
        yield f"no interval and no p: {task.not_resampled}"
    if task.facts.get("better") == "lower":
        yield f"{task.facts['label']}: lower is better"
    if task.left_out:
        yield (
            f"{f'{name}: ' if several else ''}{task.left_out} items left out: not answered or not scored in "
            f"{'all' if several else 'both'} runs"
        )
    if not task.same_signature:
        yield f"{who} differ in more than who answered: the notes of `tvbench leaderboard` say how"
