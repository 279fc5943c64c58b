"""Cultural against generic categories, for the benchmarks that have both.

Sources: ALM-Bench (arXiv 2411.16508) has 13 cultural categories and six generic ones; ViMUL-Bench (arXiv 2506.07032)
has eight and seven. ALM-Bench's generic names were not seen in its data, only that they are none of the 13, so there
everything else is generic; an unknown name of ViMUL-Bench belongs to neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from tvbench.analysis.by_language import Group, difference_of, mean_of
from tvbench.types import Figure, TaskResult

Kind = Literal["cultural", "generic"]
CULTURAL: Kind = "cultural"
GENERIC: Kind = "generic"
DIFFERENCE = "cultural minus generic"
NO_CATEGORY = frozenset({"", "none"})


@dataclass(frozen=True, slots=True)
class Categories:
    """The names of one benchmark, folded. `generic` None: everything that is not cultural."""

    cultural: frozenset[str]
    generic: frozenset[str] | None


def _folded(name: str) -> str:
    """Case, blanks, marks and `and` do not count: `Lifestyle & Customs` is `lifestyle_and_customs`."""
    return " ".join(word for word in re.split(r"[\W_]+", name.casefold()) if word not in ("", "and"))


def _names(*names: str) -> frozenset[str]:
    return frozenset(map(_folded, names))


CATEGORIES: dict[str, Categories] = {
    "alm": Categories(
        _names(
            "Architecture",
            "Customs",
            "Economy",
            "Festivals",
            "Food",
            "Heritage",
            "Lifestyle",
            "Literature",
            "Media",
            "Music",
            "Notable_key_figures",
            "Religion",
            "Sports",
        ),
        None,
    ),
    "vimul": Categories(
        _names(
            "Lifestyle & Customs",
            "Festivals",
            "Food & Cuisine",
            "Sports",
            "Architecture & Landmarks",
            "Notable Public Figures",
            "Media & Entertainment",
            "Art & Literature",
        ),
        _names(
            "Artistic Performance",
            "Digital Content",
            "Knowledge",
            "Life Record",
            "Sports Competition",
            "Surveillance",
            "Others",
        ),
    ),
}


def kind_of(task: str, category: str) -> Kind | None:
    """Whether a category of `task` is about a culture. None: the task has no such division, or not this category."""
    known = CATEGORIES.get(task)
    name = _folded(category)
    if known is None or name in NO_CATEGORY:
        return None
    if name in known.cultural:
        return CULTURAL
    return GENERIC if known.generic is None or name in known.generic else None


def kinds_of_category(result: TaskResult, metric: str) -> tuple[Group, ...]:
    """The unweighted mean over the cultural categories and over the generic ones, and the first minus the second.

    Each category pools its items over languages. A kind without a figure is left out.
    """
    figures: dict[Kind, dict[str, Figure]] = {CULTURAL: {}, GENERIC: {}}
    for name, part in sorted(result.breakdowns.get("category", {}).items()):
        kind = kind_of(result.task, name)
        if kind is not None and metric in part.metrics:
            figures[kind][name] = part.metrics[metric]
    groups = [
        Group(kind, tuple(members), mean_of(list(members.values()))) for kind, members in figures.items() if members
    ]
    if len(groups) == len(figures):
        groups.append(Group(DIFFERENCE, (), difference_of(groups[0].metric, groups[1].metric), gap=True))
    return tuple(groups)
