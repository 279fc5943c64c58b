"""Which languages stand as columns of a screen: all where they are few, else the best and the worst, and a count.

A column is one language, or the several varieties that one name asked for (`ar` of ALM-Bench: three Arabics). Knows
languages and metrics; no run, no table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tvbench.analysis.by_language import mean_of
from tvbench.errors import UsageError
from tvbench.languages import chosen_among, language_name
from tvbench.scoring.metric import Metric
from tvbench.types import Figure

MOST, ENDS = 8, 5
"""More languages than MOST are shown as the ENDS best and the ENDS worst."""
JOINT = "+"
"""What joins the codes of one column."""


@dataclass(frozen=True, slots=True)
class LanguageColumn:
    """`codes` are what items have, `name` is what people read."""

    codes: tuple[str, ...]
    name: str

    @property
    def key(self) -> str:
        return JOINT.join(self.codes)

    @property
    def several(self) -> bool:
        """Whether several varieties are taken together."""
        return len(self.codes) > 1

    @property
    def members(self) -> str:
        """`Egyptian Arabic, Saudi Arabic`."""
        return ", ".join(map(language_name, self.codes))

    def figure(self, figures: Mapping[str, Figure], *, shared: bool = False) -> Figure | None:
        """Its figure, by those of the codes: the mean over the varieties that have one."""
        found = [figures[code] for code in self.codes if code in figures]
        if len(found) < 2:
            return found[0] if found else None
        return mean_of(found, shared=shared)


@dataclass(frozen=True, slots=True)
class ChosenColumns:
    """The columns that are shown, best first where some are left out; `between` are those, and stand after `best`."""

    columns: tuple[LanguageColumn, ...]
    between: tuple[LanguageColumn, ...] = ()
    best: int = 0


def columns_of(sets: Iterable[Collection[str]], named: Sequence[str] = ()) -> tuple[LanguageColumn, ...]:
    """A column a code, in their order; those that one of `named` means, in any of the `sets` (the codes of one task
    each), are one. What `named` does not mean stands after what it does."""
    sets = [tuple(codes) for codes in sets]
    left = dict.fromkeys(code for codes in sets for code in codes)
    found: list[LanguageColumn] = []
    for name in named:
        meant = dict.fromkeys(code for codes in sets for code in meant_by(name, codes) if code in left)
        if meant:
            found.append(LanguageColumn(tuple(meant), language_name(name if len(meant) > 1 else next(iter(meant)))))
            left = {code: None for code in left if code not in meant}
    return tuple(found + [LanguageColumn((code,), language_name(code)) for code in left])


def meant_by(name: str, codes: Collection[str]) -> tuple[str, ...]:
    """The codes that a name means among those of one task; none where it lacks them."""
    try:
        return chosen_among(name, codes).codes
    except UsageError:
        return ()


def chosen(
    columns: Sequence[LanguageColumn],
    figures: Iterable[tuple[Metric, Mapping[str, float]]],
    *,
    most: int = MOST,
    ends: int = ENDS,
) -> ChosenColumns:
    """All columns where they are no more than `most` (or than both ends), else the best and the worst `ends`. `figures`
    are those of each task by column: what counts is how a language stands within each."""
    if len(columns) <= max(most, 2 * ends):
        return ChosenColumns(tuple(columns))
    standing = _standing(figures)
    order = sorted(columns, key=lambda column: (standing.get(column.key, 1.0), column.name))
    return ChosenColumns((*order[:ends], *order[-ends:]), tuple(order[ends:-ends]), ends)


def fewer(choice: ChosenColumns, ends: int, figures: Iterable[tuple[Metric, Mapping[str, float]]]) -> ChosenColumns:
    """The same with at most `ends` at each end."""
    return chosen((*choice.columns, *choice.between), figures, most=0, ends=ends)


def _standing(figures: Iterable[tuple[Metric, Mapping[str, float]]]) -> dict[str, float]:
    """From 0 (the best of its task) to 1 (the worst), the mean over tasks."""
    found: dict[str, list[float]] = {}
    for metric, by_column in figures:
        order = sorted(by_column, key=lambda key: metric.order(by_column[key]))
        for place, key in enumerate(order):
            found.setdefault(key, []).append(place / max(1, len(order) - 1))
    return {key: sum(places) / len(places) for key, places in found.items()}
