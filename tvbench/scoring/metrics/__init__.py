"""The registry: every metric by name. Those of MODULES, those of other packages (entry points of the group
`tvbench.metrics`), and those that are made on the fly: `evaluate:NAME`, a second judge, and what a run has kept the
facts of.

To add one to tvbench: a module here that defines `METRICS`, and its name in MODULES. No table elsewhere needs it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from tvbench.errors import UsageError, unknown_name
from tvbench.scoring.metric import Metric, Named, checked, from_facts, unknown
from tvbench.types import Item

log = logging.getLogger(__name__)

MODULES = (
    "choice",
    "m3exam",
    "short",
    "vqa",
    "sense",
    "bleu",
    "chrf",
    "ter",
    "ocr",
    "ocrbench",
    "judge",
    "comet",
    "contrast",
    "baselines",
    "printed",
)
GROUP = "tvbench.metrics"
EVALUATE = "evaluate:"

Declared = Mapping[str, Mapping[str, Any]]
"""The facts of metrics that are not tvbench's own, by id, as a run keeps them."""

BUILTIN: dict[str, Metric] = {
    metric.id: metric for name in MODULES for metric in import_module(f"{__name__}.{name}").METRICS
}
NOTHING: Declared = {}


def metric(name: str, declared: Declared = NOTHING) -> Metric:
    """The metric called `name`, to show and rank its figures. `declared` are facts that were kept beside them: other
    packages are not asked. Never raises: what nobody knows is shown as it stands, higher taken for better."""
    if name in BUILTIN:
        return BUILTIN[name]
    if name in declared:
        return from_facts(name, declared[name])
    return _variant(name) or unknown(name)


def computable(name: str) -> Metric | None:
    """The metric called `name`, to compute it; None where nobody here can. Raises UsageError for a broken plug-in."""
    found = BUILTIN.get(name) or _variant(name) or plugins().metrics.get(name)
    if found is None and name in plugins().problems:
        raise UsageError(plugins().problems[name])
    return found


@cache
def _variant(name: str) -> Metric | None:
    """A metric that is made on the fly: one of `evaluate`'s, a second judge, a local COMET checkpoint."""
    if name.startswith(EVALUATE):
        from tvbench.scoring.metrics.hugging_face import Evaluated

        return Evaluated(name)
    ours, _, variant = name.partition(":")
    if not variant or ours not in BUILTIN or not BUILTIN[ours].next_step:
        return None
    first = BUILTIN[ours]
    label = f"{first.label} ({variant})"
    return Named(**{**first.facts, "id": name, "label": label, "family": name, "next_step": first.next_step})


class Plugins:
    """The metrics of other packages by id, and what is wrong with the rest."""

    def __init__(self) -> None:
        self.metrics: dict[str, Metric] = {}
        self.problems: dict[str, str] = {}

    def add(self, name: str, value: object) -> None:
        """What an entry point called `name` gave: a metric, its class, or several. Raises ValueError."""
        for given in value if isinstance(value, list | tuple) else (value,):
            found = checked(given)
            if found.id in BUILTIN:
                raise ValueError(f"tvbench has a metric {found.id} of its own")
            self.metrics.setdefault(found.id, found)


@cache
def plugins() -> Plugins:
    """Loaded once, when a name is asked for that tvbench does not know. A broken one is warned of."""
    from importlib.metadata import entry_points  # slow to import, and seldom needed

    found = Plugins()
    for point in entry_points(group=GROUP):
        try:
            found.add(point.name, point.load())
        except Exception as error:  # noqa: BLE001 - a plug-in may fail in any way; it is reported
            found.problems[point.name] = f"metric plug-in {point.value} cannot be used: {error}"
            log.warning("warning: %s", found.problems[point.name])
    return found


def forget_plugins() -> None:
    """What was found in other packages is looked for again."""
    plugins.cache_clear()


# ── Which there are ───────────────────────────────────────────────────────────────────────────────


def known() -> Iterator[Metric]:
    """All that a task may name, those of other packages included."""
    yield from (one for one in BUILTIN.values() if type(one) is not Named)
    yield from plugins().metrics.values()


@cache
def always() -> tuple[Metric, ...]:
    """Those that are computed for every item of their kind."""
    return tuple(one for one in BUILTIN.values() if one.always)


def of_family(name: str) -> Metric:
    """What stands for a family of metrics: the one of its name, else the first of its members."""
    members = [one for one in BUILTIN.values() if one.family == name]
    return BUILTIN.get(name) or next(iter(members), None) or metric(name)


def family_label(name: str) -> str:
    """What people call a family; by its own name where it is no metric's."""
    return metric(name).label


def headlines(item: Item) -> tuple[Metric, ...]:
    """The metrics to believe for an item of its kind; none for what only a judge can grade."""
    return tuple(one for one in BUILTIN.values() if one.leads(item))


def metric_id(name: str) -> str:
    """The id that a person means by `name`: `chrF++` is `chrfpp`. Raises UsageError with the nearest names."""
    plain = name.strip()
    folded = plain.casefold()
    if ":" in plain and plain.partition(":")[0] in (*BUILTIN, EVALUATE[:-1]):
        return plain  # one of several judges, a local checkpoint, another package's metric: named in full
    if folded in BUILTIN:
        return folded
    everything = list(known())
    for one in everything:
        if folded in (one.id.casefold(), one.label.casefold(), *one.aliases):
            return one.id
    raise unknown_name(
        "metric",
        name,
        [other for one in everything for other in (one.id, *one.aliases)],
        "tvbench tasks TASK lists a task's metrics.",
    )


def label(name: str, declared: Declared = NOTHING) -> str:
    """What people call the metric."""
    return metric(name, declared).label
