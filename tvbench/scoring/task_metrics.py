"""What a task declares about its metrics: whether they exist, and its own functions made into metrics.

Knows metrics and the declaration of a task; no file and no run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tvbench.errors import UsageError, unknown_name
from tvbench.scoring.metric import NAME, Metric, Named
from tvbench.scoring.metrics import BUILTIN, EVALUATE, Declared, always, computable, known
from tvbench.scoring.metrics.python import PythonScorer
from tvbench.types import OwnScorer, Task


def as_scorer(value: object) -> OwnScorer:
    """A declared scorer: as it is, or around a plain function. Raises ValueError for anything else."""
    if isinstance(value, OwnScorer):
        return value
    if callable(value) and not isinstance(value, type):
        return OwnScorer(value)
    raise ValueError(f"a scorer is a function of (item, text), not {value!r:.60}")


def own_metrics(scorers: Mapping[str, Any]) -> dict[str, Metric]:
    """The metrics that a task brings along, by name. Raises ValueError for what is none."""
    return {name: _made(name, as_scorer(value)) for name, value in scorers.items()}


def _made(name: str, scorer: OwnScorer) -> Metric:
    if scorer.better not in (None, "higher", "lower"):
        raise ValueError(f"scorer {name}: better is 'higher' or 'lower', not {scorer.better!r}")
    if not isinstance(name, str) or not isinstance(scorer.unit, str):
        raise ValueError(f"scorer {name!r:.60}: its name and its unit are texts")
    if name.startswith(EVALUATE):
        from tvbench.scoring.metrics.hugging_face import Evaluated

        if scorer.function is not None:
            raise ValueError(f"{name} is computed by the package evaluate: write scorer(better=...), without function")
        facts = {"better": scorer.better, "unit": scorer.unit, "label": scorer.label, "meaning": scorer.meaning}
        return Evaluated(name, **{key: value for key, value in facts.items() if value})
    if not NAME.fullmatch(name):
        raise ValueError(f"a scorer's name is letters, digits and -_.+ without blanks, not {name!r}")
    if name in BUILTIN:
        raise ValueError(f"tvbench has a metric {name} of its own: give the scorer another name")
    if scorer.function is None:
        raise ValueError(f"scorer {name} has no function")
    return PythonScorer(name, scorer)


def metric_faults(task: Task) -> Iterator[str]:
    """What is wrong with the metrics of a declaration: an unusable scorer, or a name that nobody can compute, with the
    nearest names."""
    if not isinstance(task.scorers, Mapping) or not isinstance(task.primaries, Mapping):
        field = "primaries" if isinstance(task.scorers, Mapping) else "scorers"
        yield f'`{field}` maps names: write {{"name": ...}}'
        return
    try:
        own = own_metrics(task.scorers)
    except ValueError as error:
        yield str(error)
        return
    named = [
        ("primary", task.primary),
        *(("primaries", name) for name in task.primaries.values()),
        *(("metrics", name) for name in task.metrics),
    ]
    faults: dict[str, list[str]] = {}
    for where, name in named:
        if problem := _name_fault(name, own):
            faults.setdefault(problem, []).append(f"`{where}`")
    for problem, places in faults.items():
        yield f"{' and '.join(dict.fromkeys(places))}: {problem}"


def _name_fault(name: object, own: Iterable[str]) -> str | None:
    """Why a task may not name it. Other packages are asked last: that takes longer than a list may."""
    if not isinstance(name, str):
        return f"a metric's name is a text, not {name!r:.60}"
    if name in own:
        return None
    if name in BUILTIN and type(BUILTIN[name]) is not Named or name.removeprefix(EVALUATE) not in (name, ""):
        return None
    try:
        if name not in BUILTIN and computable(name) is not None and not name.startswith(EVALUATE):
            return None
    except UsageError as error:
        return error.message
    said = unknown_name("metric", name, [*own, *(metric.id for metric in known())]).message
    return said if "Did you mean" in said else f"{said} Is the package that brings it installed here?"


def declared_facts(task: Task) -> dict[str, dict[str, Any]]:
    """The facts of the task's metrics that are not tvbench's own: what a run keeps of them. Raises UsageError for what
    `metric_faults` finds."""
    for fault in metric_faults(task):
        raise UsageError(f"task {task.name}: {fault}")
    own = own_metrics(task.scorers)
    return facts_of(
        [
            *own.values(),
            *(found for name in named_metrics(task) if name not in own and (found := computable(name)) is not None),
        ]
    )


def named_metrics(task: Task) -> tuple[str, ...]:
    """Every metric that the task names anywhere."""
    return tuple(dict.fromkeys((task.primary, *task.primaries.values(), *task.metrics, *task.scorers)))


def facts_of(metrics: Iterable[Metric]) -> dict[str, dict[str, Any]]:
    """The facts of those that are not tvbench's own, by id."""
    return {metric.id: metric.facts for metric in metrics if metric.id not in BUILTIN}


def chosen(names: Iterable[str], own: Mapping[str, Metric], declared: Declared) -> Iterator[Metric]:
    """What is computed for a task that names `names`: what always is, then those of its own, other packages' and
    `evaluate`'s. What nobody here can compute is left out."""
    yield from always()
    for name in dict.fromkeys(names):
        found = own.get(name) or to_compute(name, declared)
        if found is not None and found.computes and not found.always:
            yield found


def to_compute(name: str, declared: Declared) -> Metric | None:
    """A metric that needs no task file, with what a task has declared of it; None where nobody here can compute it."""
    if name.startswith(EVALUATE) and name in declared:
        from tvbench.scoring.metrics.hugging_face import Evaluated

        return Evaluated(
            name,
            **{key: declared[name][key] for key in ("better", "unit", "label", "meaning") if key in declared[name]},
        )
    try:
        return computable(name)
    except UsageError:
        return None
