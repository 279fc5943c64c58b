"""What is understood of data of one's own, in words: `tvbench run --dry-run`. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tvbench.languages import language
from tvbench.runs.plan import Plan, PlannedTask
from tvbench.types import Item

LONGEST = 300
"""Characters of a prompt that are shown of each language."""
MOST_LANGUAGES = 8


def understood_lines(plan: Plan) -> Iterator[str]:
    """The lines of every task of the plan that is made of a folder or a table."""
    for planned in plan.tasks:
        tell = getattr(planned.task.source, "understood", None)
        if tell is not None:
            yield from _lines(planned, tell())
            yield ""


def _lines(planned: PlannedTask, told: Any) -> Iterator[str]:
    languages = _languages(planned, told.languages)
    counts = ", ".join(f"{code} {count:,}" for code, count in languages.items())
    media = f", {told.media:,} {told.noun}" if told.media else ""
    noun = "language" if len(languages) == 1 else "languages"
    files = ", ".join((*told.files[:4], *(["..."] if len(told.files) > 4 else [])))
    yield f"{told.name} ({files}): {told.rows:,} {'row' if told.rows == 1 else 'rows'}{media}"
    yield f"  {len(languages)} {noun}: {counts}"
    yield f"  columns: {', '.join(_columns(told))}"
    if told.unused:
        yield f"  not used: {', '.join(told.unused)}"
    yield from _prompts(planned)
    for sentence in (*planned.warnings, *told.odd):
        yield f"  found: {sentence}"
    yield f"  scored as {told.kind} ({planned.task.primary}), for {told.why}; another way: --metric NAME, or task.yaml"
    yield f"  what else is odd in the data:  tvbench audit {told.shown}"


def _languages(planned: PlannedTask, told: Mapping[str, int]) -> Mapping[str, int]:
    """Rows by language; where the table names none, by the one that was asked for."""
    asked = {entry.item.language for entry in planned.items}
    return dict(zip(asked, told.values(), strict=True)) if len(asked) == len(told) == 1 else told


def _columns(told: Any) -> Iterator[str]:
    """Each role with its columns."""
    roles: dict[str, list[str]] = {}
    for column, role in told.columns:
        roles.setdefault(role, []).append(column)
    for role, columns in roles.items():
        yield _role(", ".join(columns) if len(columns) <= 6 else f"{columns[0]}, ..., {columns[-1]}", role, told)


def _role(column: str, role: str, told: Any) -> str:
    more = ""
    if role == "options" and told.options:
        low, high = told.options
        more = f" ({low})" if low == high else f" ({low} to {high})"
    if role == "answer" and told.answers:
        more = f" ({told.answers})"
    return f"{column}{'' if column.casefold() == role else '→' + role}{more}"


def _prompts(planned: PlannedTask) -> Iterator[str]:
    """The first prompt of each language."""
    first: dict[str, Item] = {}
    for entry in planned.items:
        if entry.item.problem is None:
            first.setdefault(entry.item.language, entry.item)
    for code, item in list(first.items())[:MOST_LANGUAGES]:
        yield f"  first prompt ({language(code).name}):  {_prompt(item)}"
    if len(first) > MOST_LANGUAGES:
        yield f"  and {len(first) - MOST_LANGUAGES} languages more"


def _prompt(item: Item) -> str:
    """A prompt on one line."""
    parts = [
        part if isinstance(part, str) else f"[{part.kind} {part.name}]" for one in item.messages for part in one.parts
    ]
    text = "  ".join(" ".join(line.split()) for part in parts for line in part.split("\n") if line.strip())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
