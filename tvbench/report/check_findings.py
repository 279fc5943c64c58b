"""What a check found, one finding each and the worst first, in the words that JUnit, GitHub and Markdown share.

All of it is text of one line: labels, ids and answers are shown visibly and cut, for they come from strangers' files.
Knows a check; no format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tvbench.analysis.regression.standing import DIAGNOSES
from tvbench.analysis.regression.verdict import MEAN, Absent, Changed, Check, Compared, Flip, Outcome, Rise
from tvbench.languages import is_language, language
from tvbench.safety.visible import visible
from tvbench.scoring.metric import Named, from_facts, percent

Kind: TypeAlias = Literal["score", "diagnosis", "missing", "signature"]

LABEL, ANSWER, SENTENCE = 80, 160, 400
"""Characters of a label, of an answer, and of a reason that are shown."""
VERDICTS: Mapping[Outcome, str] = {"pass": "PASS", "fail": "FAIL", "cannot tell": "CANNOT TELL"}
ORDER: Mapping[Outcome, int] = {"fail": 0, "cannot tell": 1, "pass": 2}
KINDS: Mapping[Kind, int] = {"missing": 0, "signature": 1, "score": 2, "diagnosis": 3}
"""What lets a figure fail to exist comes before a figure that fell."""


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """`what` names the thing ("Hindi, aligned"), `said` tells of it in one line. `language` is a code, MEAN, or ""
    for the whole task. `weight` orders findings of one kind, the largest first."""

    kind: Kind
    outcome: Outcome
    task: str
    language: str
    what: str
    said: str
    weight: float = 0.0
    flips: tuple[Flip, ...] = ()


def findings(check: Check) -> list[CheckFinding]:
    """All of a check, failures first, then what it cannot tell; within these what is missing, and the largest drop."""
    found = [
        *map(_absent, check.absent),
        *map(_changed, check.changed),
        *map(compared, check.comparisons),
        *map(_rise, check.rises),
    ]
    return sorted(found, key=lambda one: (ORDER[one.outcome], KINDS[one.kind], -one.weight, one.task, one.what))


def verdict(check: Check) -> str:
    """`FAIL: 2 of 36 comparisons got worse; 1 language is missing`, whatever the labels are."""
    return f"{VERDICTS[check.outcome]}: {'; '.join(_told(check))}"


def _told(check: Check) -> Iterator[str]:
    of = f"of {_counted(len(check.comparisons), 'comparison')}"
    fell, untold = (_of(check, outcome) for outcome in ("fail", "cannot tell"))
    if fell:
        yield f"{fell} {of} got worse"
    if rose := sum(rise.outcome == "fail" for rise in check.rises):
        yield f"{_counted(rose, 'diagnosis', 'diagnoses')} rose"
    if check.absent:
        yield f"missing: {_missing(check)}"
    if other := sum(one.fatal for one in check.changed):
        yield f"{_counted(other, 'field')} of the signatures differ{'s' if other == 1 else ''}"
    if check.outcome == "pass":
        yield f"none {of} got worse"
    if untold:
        yield f"{untold} {of} cannot be told"


def _missing(check: Check) -> str:
    tasks = sum(not one.language for one in check.absent)
    languages = sum(bool(one.language) and not one.items for one in check.absent)
    items = sum(one.items for one in check.absent if one.language)
    counts = ((tasks, "task"), (languages, "language"), (items, "item"))
    return ", ".join(_counted(number, word) for number, word in counts if number)


def _of(check: Check, outcome: Outcome) -> int:
    return sum(one.outcome == outcome for one in check.comparisons)


def _counted(number: int, word: str, many: str = "") -> str:
    return f"{number:,} {word if number == 1 else many or word + 's'}"


# ── Words ─────────────────────────────────────────────────────────────────────────────────────────


def short(text: str, most: int = LABEL) -> str:
    """`text` on one visible line of at most `most` characters."""
    shown = visible(text[: 4 * most])
    return shown if len(shown) <= most and len(text) <= 4 * most else f"{shown[: most - 1]}…"


def spoken(code: str) -> str:
    """A language in words, "mean of the languages", or what it is called in the run."""
    if code == MEAN:
        return "mean of the languages"
    return language(code).name if is_language(code) else short(code)


def metric_of(one: Compared) -> Named:
    """The metric, with its label and unit."""
    return from_facts(one.metric, one.facts)


def _absent(one: Absent) -> CheckFinding:
    if not one.language:
        what, said, weight = "whole task", "the baseline has this task, the run has not", 2.0
    elif not one.items:
        what, said, weight = spoken(one.language), "the baseline has this language, the run has not", 1.0
    else:
        what, said = spoken(one.language), f"{_counted(one.items, 'item')} of the baseline are not in the run"
        weight = 1 - 1 / one.items
    return CheckFinding("missing", "fail", one.task, one.language, f"{what}, missing", said, weight)


def _changed(one: Changed) -> CheckFinding:
    said = f"{short(one.before) or 'nothing'} → {short(one.after) or 'nothing'}"
    if one.fatal:
        said += ": the figures may not be held against each other"
    return CheckFinding(
        "signature", "fail" if one.fatal else "pass", one.task, "", f"signature, {short(one.what)}", said, one.fatal
    )


def _rise(one: Rise) -> CheckFinding:
    before, after = (
        count / of if of else 0.0 for count, of in ((one.before, one.of_before), (one.after, one.of_after))
    )
    said = f"{_share(before)} → {_share(after)} of the answers ({one.after} of {one.of_after})"
    if one.p is not None:
        said += f", {chance(one.p)}"
    what = f"{spoken(one.language)}, {short(DIAGNOSES.get(one.diagnosis, one.diagnosis))}"
    return CheckFinding("diagnosis", one.outcome, one.task, one.language, what, said, after - before)


def _share(share: float) -> str:
    return f"{percent(share, decimals=0)} %"


def compared(one: Compared) -> CheckFinding:
    """A figure of both runs."""
    shown = metric_of(one)
    said = f"{shown.text(one.before)} → {shown.text(one.after)}, {changed_by(one)}{certainty(one)}"
    if one.items:
        said += f"; {one.fell} of {_counted(one.items, 'item')} fell, {one.rose} rose"
    if one.outcome == "cannot tell" and one.needed:
        said += f"; about {one.needed:,} items would tell"
    if one.why:
        said += f"; {short(one.why, SENTENCE)}"
    what = f"{spoken(one.language)}, {short(shown.label)}"
    return CheckFinding("score", one.outcome, one.task, one.language, what, said, -shown.shown(one.change), one.flips)


def changed_by(one: Compared) -> str:
    """`-6.3 [-9.0, -3.6]`; better is up, whatever the metric."""
    shown = metric_of(one)
    if one.low is None or one.high is None:
        return shown.text(one.change, sign=True)
    return f"{shown.text(one.change, sign=True)} [{shown.text(one.low, sign=True)}, {shown.text(one.high, sign=True)}]"


def certainty(one: Compared) -> str:
    """` (margin 1.0, p = 0.003)`."""
    words = [f"margin {metric_of(one).text(one.margin)}"] * bool(one.margin)
    words += [chance(one.p)] if one.p is not None else []
    return f" ({', '.join(words)})" if words else ""


def chance(p: float) -> str:
    """`p = 0.012`."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def flipped(one: Flip) -> str:
    """An item that fell, with its answers."""
    answers = [] if one.answer_before is None else [f"was '{short(one.answer_before, ANSWER)}'"]
    answers += [f"is '{short(one.answer, ANSWER)}'"] if one.answer or answers else []
    return f"{short(one.item)}: {one.before:g} → {one.after:g}" + (f" ({', '.join(answers)})" if answers else "")
