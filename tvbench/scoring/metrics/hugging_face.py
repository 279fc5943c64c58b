"""Metrics of the package Hugging Face `evaluate`, named in a task as `evaluate:rouge` or `evaluate:rouge#rougeL`.

What follows the colon is what `evaluate.load` takes: a metric's name, or the path of a folder or file with one; behind
`#` the key of its result that is meant (else the metric's own name, else its first number). `evaluate` runs the
metric's code, downloaded unless it is local: whoever writes the name into a task trusts it.

Corpus figures: computed within a language, in the metric's own unit, and not to be resampled. Which end is good is
known for common ones; of any other metric higher is taken for better and that is said, unless the task declares it:
`scorers={"evaluate:mine": scorer(better="lower")}`. The package is imported only where a task names one.
"""

from __future__ import annotations

import hashlib
import numbers
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from tvbench.errors import UsageError
from tvbench.scoring.metric import OWN, CorpusFigure, Metric, Pair, references_of
from tvbench.types import Figure, Item

PREFIX = "evaluate:"
LOADING_ERRORS = (OSError, ImportError, ValueError, LookupError, TypeError, AttributeError, NotImplementedError)
LOWER = frozenset(
    "wer cer ter mer wil character perplexity mse rmse mae mape smape mase brier_score log_loss "
    "hamming_loss toxicity num_edits".split()
)
"""Metrics whose lower end is the good one, by their own name or the key of their result."""
HIGHER = frozenset(
    "accuracy bleu sacrebleu google_bleu rouge rouge1 rouge2 rougel rougelsum chrf meteor bertscore "
    "bleurt comet exact_match f1 precision recall squad squad_v2 nist_mt sari wip".split()
)


class Evaluated(Metric):
    """One metric of the package, by the name that a task gives it."""

    unit = OWN
    stands = True
    """Whether it is known which end is good."""

    def __init__(self, name: str, **facts: Any) -> None:
        path, _, key = name.removeprefix(PREFIX).partition("#")
        known = {_own_name(path).casefold(), key.casefold()}
        lower = bool(known & LOWER)
        super().__init__(**{"better": "lower" if lower else "higher", **facts, "id": name})
        self.stands = lower or bool(known & HIGHER) or "better" in facts
        self.remark = (
            ""
            if self.stands
            else (
                f"{name}: higher is taken for better; a task says otherwise by "
                f'scorers={{"{name}": scorer(better="lower")}}'
            )
        )

    def applies(self, item: Item) -> bool:
        """What has a text to be held against."""
        return bool(references_of(item))

    def of_corpus(self, language: str, pairs: Sequence[Pair]) -> Figure | None:
        """Raises UsageError where it cannot be computed, with the reason."""
        if not pairs:
            return None
        references = [references_of(item) for item, _ in pairs]
        value, definition = corpus_figure(self.id, [text for _, text in pairs], references)
        return CorpusFigure(value, len(pairs), definition=definition, warnings=(self.remark,) if self.remark else ())


def corpus_figure(name: str, texts: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, str]:
    """The figure of one language and its signature. Raises UsageError where it cannot be computed, with the reason."""
    path, _, key = name.removeprefix(PREFIX).partition("#")
    digest = _local_digest(path)
    metric, version = _load(path, digest)
    flat = [given[0] for given in references]
    several = any(len(given) > 1 for given in references)
    result: Mapping[str, Any] | None = None
    problem: Exception | None = None
    # Some metrics take one reference a text, some a list of them, some either.
    for form in (
        ([list(given) for given in references], flat) if several else (flat, [[reference] for reference in flat])
    ):
        try:
            result = metric.compute(predictions=list(texts), references=form)
            break
        except LOADING_ERRORS as error:
            problem = error
    if result is None:
        raise UsageError(f"{name} could not be computed: {_first_line(problem)}")
    value = _chosen(name, path, key, result)
    code = f"|code:{digest}" if digest else ""
    return value, f"{PREFIX}{path}|key:{_key(path, key, result)}{code}|evaluate:{version}"


def _local_digest(path: str) -> str:
    """Twelve hex digits over the Python files of a local metric: changed, it is another one. "" for one of the hub."""
    place = Path(path)
    files = [place] if place.is_file() else sorted(place.glob("*.py")) if place.is_dir() else []
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode("utf-8", "surrogatepass") + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12] if files else ""


def _chosen(name: str, path: str, key: str, result: Mapping[str, Any]) -> float:
    chosen = _key(path, key, result)
    value = result.get(chosen)
    if not _is_number(value):
        figures = ", ".join(name for name, value in result.items() if _is_number(value)) or "no number"
        raise UsageError(f"{name} gives no {chosen or 'figure'}", f"it gives {figures}: name one, {PREFIX}{path}#KEY")
    return float(value)  # type: ignore[arg-type]


def _key(path: str, key: str, result: Mapping[str, Any]) -> str:
    own = _own_name(path)
    if key or _is_number(result.get(own)):
        return key or own
    return next((name for name, value in result.items() if _is_number(value)), "")


def _own_name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2].removesuffix(".py")


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


@lru_cache(maxsize=16)
def _load(path: str, digest: str) -> tuple[Any, str]:
    """The metric and the package's version; each state of a local one, by its `digest`, is loaded anew."""
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
