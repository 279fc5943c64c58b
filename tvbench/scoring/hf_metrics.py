"""Metrics of the package Hugging Face `evaluate`, named in a task as `evaluate:rouge` or `evaluate:rouge#rougeL`.

What follows the colon is what `evaluate.load` takes: a metric's name, or the path of a folder or file with one; behind
`#` the key of its result that is meant (else the metric's own name, else its first number). `evaluate` runs the
metric's code, downloaded unless it is local: whoever writes the name into a task trusts it.

Corpus figures: computed within a language, in the metric's own unit. Imported only where a task names one.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from tvbench.errors import UsageError
from tvbench.types import Item, Open, Short, Translation

PREFIX = "evaluate:"
LOADING_ERRORS = (OSError, ImportError, ValueError, LookupError, TypeError, AttributeError, NotImplementedError)


def named_metrics(metrics: Sequence[str]) -> tuple[str, ...]:
    """Those of a task's metrics that are of this kind."""
    return tuple(name for name in metrics if name.startswith(PREFIX))


def references_of(item: Item) -> tuple[str, ...]:
    """The texts that an answer is held against; none for choices and pages of text."""
    target = item.target
    if isinstance(target, Translation):
        return target.references
    if isinstance(target, Open):
        return (target.reference,) if target.reference else ()
    return target.answers if isinstance(target, Short) else ()


def corpus_figure(name: str, texts: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, str]:
    """The figure of one language and its signature. Raises UsageError where it cannot be computed, with the reason."""
    path, _, key = name.removeprefix(PREFIX).partition("#")
    metric, version = _load(path)
    flat = [some[0] for some in references]
    several = any(len(some) > 1 for some in references)
    result: Mapping[str, Any] | None = None
    problem: Exception | None = None
    # Some metrics take one reference a text, some a list of them, some either.
    for form in ([list(some) for some in references], flat) if several else (flat, [[one] for one in flat]):
        try:
            result = metric.compute(predictions=list(texts), references=form)
            break
        except LOADING_ERRORS as error:
            problem = error
    if result is None:
        raise UsageError(f"{name} could not be computed: {_first_line(problem)}")
    value = _chosen(name, path, key, result)
    return value, f"{PREFIX}{path}|key:{_key(path, key, result)}|evaluate:{version}"


def _chosen(name: str, path: str, key: str, result: Mapping[str, Any]) -> float:
    chosen = _key(path, key, result)
    value = result.get(chosen)
    if not _is_number(value):
        figures = ", ".join(one for one, value in result.items() if _is_number(value)) or "no number"
        raise UsageError(f"{name} gives no {chosen or 'figure'}", f"it gives {figures}: name one, {PREFIX}{path}#KEY")
    return float(value)  # type: ignore[arg-type]


def _key(path: str, key: str, result: Mapping[str, Any]) -> str:
    own = path.rstrip("/").rpartition("/")[2].removesuffix(".py")
    if key or _is_number(result.get(own)):
        return key or own
    return next((one for one, value in result.items() if _is_number(value)), "")


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


@lru_cache(maxsize=16)
def _load(path: str) -> tuple[Any, str]:
    try:
        import evaluate
    except ImportError:
        raise UsageError(f"{PREFIX}{path} needs the package evaluate", "pip install 'tvbench[evaluate]'") from None
    try:
        return evaluate.load(path), evaluate.__version__
    except LOADING_ERRORS as error:
        raise UsageError(f"{PREFIX}{path} could not be loaded: {_first_line(error)}") from error


def _first_line(error: Exception | None) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:300]
