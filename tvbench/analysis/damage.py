"""What is broken rather than hard: languages that are lost whole, a script that is, words that a model has no more.

Of one run alone, or of two (`before` and now), over all tasks together. Everything here is tested: languages are a
family of exact tests, words of theirs (lost_words.py) another; what is not certain is not said. Knows runs and marks;
no table.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tvbench.analysis.assess import scored_tasks
from tvbench.analysis.diagnosed import diagnosed
from tvbench.analysis.diagnosis.causes import WRONG, label
from tvbench.analysis.diagnosis.loss import causes_of
from tvbench.analysis.lost_words import LostWord, lost_words
from tvbench.analysis.marks import SAMPLED, Mark, MarkedLanguage, RightCount, marked
from tvbench.languages import is_language
from tvbench.languages import language as language_named
from tvbench.runs.store import RunFolder
from tvbench.scoring.concentration import LEVEL, at_most
from tvbench.scoring.paired import holm

KEPT = 0.35
"""A language is lost that keeps no more than this share of what it had (or the best language has) above chance."""
WORTH = 0.2
"""What has to be there above chance before it can be lost."""
MIXED = 0.2
"""The share of wrong answers in another language's words from which on it is said."""


@dataclass(frozen=True, slots=True)
class LostLanguage:
    """One language that is lost. `before` is what it had, or None where only one run is looked at. `looks` are the
    commonest causes of its wrong answers with their number; `mixed` other languages whose words these answers have.
    `tasks` are set where it is lost in these alone."""

    language: str
    now: RightCount
    before: RightCount | None
    chance: float
    looks: tuple[tuple[str, int], ...]
    mixed: tuple[tuple[str, int], ...]
    p: float
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Loss:
    """Languages that are lost together. `scripts` (ISO 15924) are set where the languages are all that is written in
    them, and others, in other scripts, are not lost. `kept` is the best of those, None where there is none."""

    languages: tuple[LostLanguage, ...]
    scripts: tuple[str, ...]
    kept: tuple[str, RightCount] | None


@dataclass(frozen=True, slots=True)
class Breakage:
    """All that is broken; `tested` languages."""

    losses: tuple[Loss, ...]
    words: tuple[LostWord, ...]
    tested: tuple[str, ...]


def damage_between(
    first: RunFolder, second: RunFolder, tasks: Sequence[str] = (), languages: Sequence[str] = ()
) -> Breakage:
    """What is broken in the second run and was not in the first, over the items of both; `languages` are codes."""
    sides = [
        {name: task for name, task in scored_tasks(run).items() if not tasks or name in tasks}
        for run in (first, second)
    ]
    before, now = (marked(map(diagnosed, side.values())) for side in sides)
    chosen = {code: language for code, language in now.items() if not languages or code in languages}
    return damage(chosen, before)


def damage(now: Mapping[str, MarkedLanguage], before: Mapping[str, MarkedLanguage] | None = None) -> Breakage:
    """What is broken in `now`; with `before`, what was not broken there."""
    if before is not None:
        now, before = _shared(now, before)
    lost = _lost(now, before)
    gone = {language.language for language in lost}
    rest = {code: language for code, language in now.items() if code not in gone}
    return Breakage(tuple(_together(lost, now)), tuple(lost_words(rest, before)), tuple(now))


def _shared(
    now: Mapping[str, MarkedLanguage], before: Mapping[str, MarkedLanguage]
) -> tuple[dict[str, MarkedLanguage], ...]:
    """Both, with the same items."""
    codes = [code for code in now if code in before]
    keys = {code: {m.key for m in now[code].marks} & {m.key for m in before[code].marks} for code in codes}
    return tuple(
        {
            code: MarkedLanguage(code, [mark for mark in side[code].marks if mark.key in keys[code]])
            for code in codes
            if keys[code]
        }
        for side in (now, before)
    )


# ── Languages ─────────────────────────────────────────────────────────────────────────────────────


def _lost(now: Mapping[str, MarkedLanguage], before: Mapping[str, MarkedLanguage] | None) -> list[LostLanguage]:
    """Languages that keep little of what they had; of one run, of what the best language has in the same tasks."""
    had = _best_by_task(now) if before is None else {code: _by_task(before[code]) for code in now}
    sides = {code: now[code].only(tasks) for code, tasks in had.items() if tasks}
    p = [
        _p_alone(side, _mean(side, had[code])) if before is None else _p_paired(side, before[code])
        for code, side in sides.items()
    ]
    found = []
    for (code, side), adjusted in zip(sides.items(), holm(p), strict=True):
        tasks = _lost_tasks(side, had[code])
        if adjusted < LEVEL and _is_lost(_above(side), _mean(side, had[code])) and tasks:
            whole = len(tasks) == len(had[code])
            part = side if whole else side.only(tasks)
            was = None if before is None else before[code].only(tasks)
            found.append(_lost_language(now, part, was, adjusted, () if whole else tuple(tasks)))
    return found


def _above(language: MarkedLanguage) -> float:
    return language.rate - language.chance


def _is_lost(above: float, had: float) -> bool:
    return had >= WORTH and above <= KEPT * had


def _lost_tasks(language: MarkedLanguage, had: Mapping[str, float]) -> list[str]:
    """The tasks that it is lost in, and those in which there was nothing to lose."""
    above = _by_task(language)
    lost = [name for name in above if _is_lost(above[name], had[name])]
    return [name for name in above if name in lost or had[name] < WORTH] if lost else []


def _mean(language: MarkedLanguage, had: Mapping[str, float]) -> float:
    """What was above chance in the tasks, over the language's items."""
    return math.fsum(had[mark.task] for mark in language.marks) / len(language.marks)


def _by_task(language: MarkedLanguage) -> dict[str, float]:
    return {name: _above(task) for name, task in language.tasks().items()}


def _best_by_task(languages: Mapping[str, MarkedLanguage]) -> dict[str, dict[str, float]]:
    """By language: its tasks that others have too, and how far above chance the best one is in each."""
    above = {code: _by_task(language) for code, language in languages.items()}
    names = [name for tasks in above.values() for name in tasks]
    best = {name: max(tasks[name] for tasks in above.values() if name in tasks) for name in set(names)}
    return {code: {name: best[name] for name in tasks if names.count(name) > 1} for code, tasks in above.items()}


def _p_alone(language: MarkedLanguage, best: float) -> float:
    """How probable so few right pictures are, were the language half as good above chance as the best one."""
    units: dict[str, list[float]] = {}
    for mark in language.marks:
        units.setdefault(mark.unit, []).append(float(mark.right))
    right = math.fsum(math.fsum(values) / len(values) for values in units.values())
    expected = min(1.0, max(0.0, language.chance + best / 2))
    return at_most(len(units), expected, math.floor(right + 1e-9))


def _p_paired(now: MarkedLanguage, before: MarkedLanguage) -> float:
    """The sign test over pictures (one-sided): how many got worse of those that changed."""
    was = {mark.key: mark.right for mark in before.marks}
    change: Counter[str] = Counter()
    for mark in now.marks:
        change[mark.unit] += int(mark.right) - int(was[mark.key])
    worse, better = sum(value < 0 for value in change.values()), sum(value > 0 for value in change.values())
    return at_most(worse + better, 0.5, better)


def _lost_language(
    now: Mapping[str, MarkedLanguage],
    language: MarkedLanguage,
    before: MarkedLanguage | None,
    p: float,
    tasks: tuple[str, ...],
) -> LostLanguage:
    wrong = [mark for mark in language.marks if not mark.right]
    causes = Counter(cause for mark in wrong if (cause := causes_of(mark.answer, None)[0]) != WRONG)
    looked = wrong[:SAMPLED]
    mixed = Counter(other for mark in looked for other in _words_of(mark, language, now))
    return LostLanguage(
        language.code,
        RightCount(language.right, len(language.marks)),
        None if before is None else RightCount(before.right, len(before.marks)),
        language.chance,
        tuple((label(cause), count) for cause, count in causes.most_common(2)),
        tuple((other, count) for other, count in mixed.most_common(2) if count >= MIXED * len(looked)),
        p,
        tasks,
    )


def _words_of(mark: Mark, own: MarkedLanguage, languages: Mapping[str, MarkedLanguage]) -> list[str]:
    """The languages whose words an answer has, where most of its words are not of its own language."""
    foreign = mark.said - own.vocabulary
    if not foreign or 2 * len(foreign) <= len(mark.said):
        return []
    others = {code: len(foreign & language.vocabulary) for code, language in languages.items() if code != own.code}
    most = max(others.values(), default=0)
    return [code for code, count in others.items() if count == most > 0]


def _together(lost: Sequence[LostLanguage], now: Mapping[str, MarkedLanguage]) -> Iterable[Loss]:
    """Lost languages by their cause: those of each script that is lost with several languages, then all others; those
    that are lost in some tasks each alone."""
    parts = [language for language in lost if language.tasks]
    lost = [language for language in lost if not language.tasks]
    kept = [language for code, language in now.items() if code not in {one.language for one in (*lost, *parts)}]
    held = _best_of(kept)
    scripts: dict[str, list[LostLanguage]] = {}
    for language in lost:
        scripts.setdefault(script_of_language(language.language), []).append(language)
    alive = {script_of_language(language.code) for language in kept}
    whole = [script for script in scripts if script and alive and script not in alive]
    for script in whole:
        if len(scripts[script]) > 1:
            yield Loss(tuple(scripts.pop(script)), (script,), held)
    if scripts:
        left = tuple(language for language in lost if language in sum(scripts.values(), []))
        yield Loss(left, tuple(scripts) if set(scripts) <= set(whole) else (), held)
    yield from (Loss((part,), (), _best_of([language.only(part.tasks) for language in kept])) for part in parts)


def _best_of(languages: Sequence[MarkedLanguage]) -> tuple[str, RightCount] | None:
    best = max((one for one in languages if one.marks), key=lambda language: language.rate, default=None)
    return None if best is None else (best.code, RightCount(best.right, len(best.marks)))


def script_of_language(code: str) -> str:
    """The script that our table has for a language; the Chinese ones are one."""
    script = language_named(code).script if is_language(code) else ""
    return "Hani" if script in ("Hans", "Hant") else script
