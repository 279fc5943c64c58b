"""A check for a pull request: the verdict, a table of what fell, and the rest folded, in GitHub's Markdown.

Whatever comes from strangers (task, label, item, answer) stands in `<code>` with every sign of Markdown and HTML
written as a number: there it is no mark-up, no link, no mention and no reference to an issue. The text is never longer
than a comment may be: of a table that does not fit the first rows stand, and how many are left out. Knows a check.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tvbench.analysis.regression.verdict import MEAN, Check, Compared, Outcome
from tvbench.languages import is_language
from tvbench.report.check_findings import (
    ANSWER,
    CheckFinding,
    chance,
    changed_by,
    findings,
    metric_of,
    short,
    spoken,
    verdict,
)

MOST = 65_536
"""Characters of a comment; counted as UTF-16 has them, which is never fewer."""
MARKER = "tvbench check"
MARKUP = re.compile("[^0-9A-Za-z ,/\u0080-\U0010ffff-]")
HEAD = ("task", "language", "metric", "before → after", "change", "p", "fell", "rose", "items")
ALIGN = (*(":--",) * 5, *("--:",) * 4)
FLIPS = ("task", "language", "item", "answer before", "answer now")
OPEN, CLOSE = "<details><summary>{}</summary>", "</details>"


class Section(NamedTuple):
    """`rows` may be cut; `head` and `foot` hold them together, and stand only with at least one of them."""

    head: Sequence[str]
    rows: Sequence[str]
    foot: Sequence[str] = ("",)


def markdown(check: Check, *, key: str = "", marked: bool = True) -> str:
    """The comment. Its first line is hidden and the same for every check of that `key` (the baseline's name unless it
    is given), so that a bot finds the comment that it wrote before."""
    first = [marker(key or check.baseline)] if marked else []
    first += [f"### tvbench check: {verdict(check)}", ""]
    if check.strict and check.outcome == "cannot tell":
        first += ["Strict: what cannot be told fails.", ""]
    first += [f"{code(check.run)} against {code(check.baseline)}{_models(check)}", ""]
    return "\n".join(_fitted(first, _sections(check), MOST)) + "\n"


def marker(key: str) -> str:
    """The hidden line. No key can end the comment that it stands in."""
    kept = re.sub("[^0-9A-Za-z._/ ]+", "-", short(key)).strip("-")
    return f"<!-- {MARKER}: {kept} -->"


def code(text: str, most: int = 0) -> str:
    """A stranger's text, on one line, as it is and as nothing else."""
    shown = short(text, most) if most else short(text)
    if not shown.strip():
        return "–"
    turned = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in shown)
    safe = MARKUP.sub(lambda found: f"&#{ord(found[0])};", shown)
    return f'<code dir="auto">{safe}</code>' if turned else f"<code>{safe}</code>"


def _sections(check: Check) -> Iterator[Section]:
    found = findings(check)
    fell, untold, passed = (_ranked(check, outcome) for outcome in ("fail", "cannot tell", "pass"))
    other = [one for one in found if one.kind != "score"]
    yield _list(map(_said, (one for one in other if one.outcome == "fail")))
    yield _table(HEAD, ALIGN, map(_row, fell))
    yield _table((*HEAD, "would tell"), (*ALIGN, ":--"), map(_untold, untold), f"**Cannot be told** ({len(untold)})")
    yield _list(map(_said, (one for one in other if one.outcome == "cannot tell")))
    yield _folded("Items that fell", _table(FLIPS, (":--",) * len(FLIPS), _flips(fell)))
    yield _folded(f"Comparisons that passed ({len(passed)})", _table(HEAD, ALIGN, map(_row, passed)))
    yield _folded("Also held", _list(map(_said, (one for one in other if one.outcome == "pass"))))
    yield _folded("Notes, and what to type next", _list(code(text, 2 * ANSWER) for text in (*check.notes, *check.next)))


def _ranked(check: Check, outcome: Outcome) -> list[Compared]:
    some = [one for one in check.comparisons if one.outcome == outcome]
    return sorted(some, key=lambda one: (metric_of(one).shown(one.change), one.task, one.language))


# ── Sections ──────────────────────────────────────────────────────────────────────────────────────


def _table(head: Sequence[str], align: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> Section:
    above = [title, ""] if title else []
    return Section([*above, _line(head), _line(align)], [_line(row) for row in rows])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _list(lines: Iterable[str]) -> Section:
    return Section([], [f"- {line}" for line in lines])


def _folded(title: str, section: Section) -> Section:
    return section._replace(head=[OPEN.format(title), "", *section.head], foot=["", CLOSE, ""])


def _fitted(first: Sequence[str], sections: Iterable[Section], most: int) -> list[str]:
    lines = list(first)
    room = most - _size(lines)
    for head, rows, foot in sections:
        around = _size([*head, *_left_out(len(rows)), *foot])
        kept = list(_within(rows, room - around))
        if kept:
            left = _left_out(len(rows) - len(kept)) if len(kept) < len(rows) else []
            lines += [*head, *kept, *left, *foot]
            room = most - _size(lines)
    return lines


def _left_out(number: int) -> list[str]:
    return ["", f"… and {number:,} more, left out here: a comment holds no more."]


def _within(rows: Sequence[str], room: int) -> Iterator[str]:
    for row in rows:
        room -= _size([row])
        if room < 0:
            return
        yield row


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode("utf-16-le")) // 2 + 1 for line in lines)


# ── Lines ─────────────────────────────────────────────────────────────────────────────────────────


def _models(check: Check) -> str:
    before, after = check.models
    return f" (model: {code(before)} → {code(after)})" if any(check.models) and before != after else ""


def _row(one: Compared) -> list[str]:
    shown = metric_of(one)
    return [
        code(one.task),
        _language(one.language),
        code(shown.label),
        f"{shown.text(one.before)} → {shown.text(one.after)}",
        changed_by(one),
        "–" if one.p is None else chance(one.p).removeprefix("p ").removeprefix("= ").replace("<", "&lt;"),
        *(f"{count:,}" for count in (one.fell, one.rose, one.items)),
    ]


def _untold(one: Compared) -> list[str]:
    return [*_row(one), f"about {one.needed:,} items" if one.needed else code(one.why, ANSWER)]


def _language(name: str) -> str:
    return spoken(name) if name == MEAN or is_language(name) else code(name)


def _said(one: CheckFinding) -> str:
    return f"{code(one.task)} {code(one.what)} {code(one.said, 2 * ANSWER)}"


def _flips(fell: Sequence[Compared]) -> Iterator[list[str]]:
    for one in fell:
        for flip in one.flips:
            answers = (code(answer or "", ANSWER) for answer in (flip.answer_before, flip.answer))
            yield [code(one.task), _language(flip.language), code(flip.item), *answers]
