"""The figures of a task as tvbench computed them before columns: an object an item and metric, and each corpus whole.

What columns (scoring/tally.py) give is held against it, to the last bit. Slow, and easy to read.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tvbench.errors import UsageError
from tvbench.scoring.beta_binomial import Clusters, clusters_of, limits
from tvbench.scoring.guards import figure_of, is_for
from tvbench.scoring.intervals import Observation, cluster_count, macro_stderr, mean
from tvbench.scoring.metric import FRACTION, PERCENT, POINTS, CorpusFigure, Metric
from tvbench.scoring.metrics import BUILTIN, always
from tvbench.scoring.metrics import metric as metric_of
from tvbench.scoring.metrics.baselines import baselines_of
from tvbench.scoring.student import LEVEL, t_quantile
from tvbench.types import Counts, Figure, Item, Response, Score, Slice, TaskResult

ENGLISH = "en"

Observed = dict[str, list[Observation]]


@dataclass(frozen=True, slots=True)
class _Record:
    """One item with what became of it; `text` is None unless it was answered."""

    item: Item
    text: str | None
    failed: bool
    score: Score | None

    @property
    def scored(self) -> bool:
        return self.text is not None and self.score is not None and self.score.unscored is None

    @property
    def cluster(self) -> str:
        return self.item.cluster or f"\0{self.item.id}"


@dataclass(slots=True)
class _Corpora:
    """Corpus figures of sets of records of one language, each computed once; gathers signatures and warnings."""

    used: Sequence[Metric] = ()
    metrics: Sequence[Metric] = ()
    done: dict[tuple[str, ...], Mapping[str, Figure]] = field(default_factory=dict)
    signatures: defaultdict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    warnings: dict[str, None] = field(default_factory=dict)

    def named(self, name: str) -> Metric:
        """The metric of that id, as it is computed here."""
        return next((metric for metric in self.used if metric.id == name), None) or metric_of(name)

    def figures(self, language: str, records: Sequence[_Record]) -> Mapping[str, Figure]:
        answered = [record for record in records if record.text is not None]
        key = (language, *(record.item.id for record in answered))
        if key not in self.done:
            self.done[key] = {
                metric.id: figure
                for metric in self.metrics
                if (figure := self._figure(metric, language, answered)) is not None
            }
        return self.done[key]

    def _figure(self, metric: Metric, language: str, records: Sequence[_Record]) -> Figure | None:
        """One metric's figure; what cannot be computed is a warning, not a zero."""
        pairs = [(record.item, record.text or "") for record in records if is_for(metric, record.item)]
        try:
            figure = figure_of(metric, language, pairs)
        except UsageError as error:
            self.warnings[f"not computed: {error}"] = None
            return None
        return None if figure is None else self._noted(metric, language, figure)

    def _noted(self, metric: Metric, language: str, figure: Figure) -> Figure:
        """`figure` as it is stored; what else it says is kept."""
        if not isinstance(figure, CorpusFigure):
            return figure
        if figure.definition:
            self.signatures[metric.id][language] = figure.definition
        self.warnings.update(dict.fromkeys(figure.warnings))
        return figure.plain()


def summarise(
    task: str,
    protocol: str,
    primary: str,
    signature: str,
    items: Sequence[Item],
    responses: Mapping[str, Response],
    scores: Sequence[Score],
    metrics: Sequence[Metric] | None = None,
) -> TaskResult:
    """All figures of one task. `responses` and `scores` are found by item id; either may be missing. `metrics` are
    those that are computed for it (None: those of tvbench)."""
    used = always() if metrics is None else metrics
    by_item = {score.item: score for score in scores}
    records = [_record(item, responses.get(item.id), by_item.get(item.id)) for item in items]
    languages = _by_language(records)
    corpora = _Corpora(used, [metric for metric in used if metric.of_corpora])
    by_language = {code: _slice(group, corpora) for code, group in languages.items()}
    others = {code: group for code, group in languages.items() if code != ENGLISH}
    breakdowns = {"language": by_language, **_tag_slices(records, corpora)}
    counts = _counts(records)
    figures = _macro(languages, by_language, corpora)
    return TaskResult(
        task=task,
        protocol=protocol,
        signature=signature,
        primary=primary,
        counts=counts,
        metrics=figures,
        micro=_pooled(_observed(records), corpora),
        macro_without_english=_macro(others, by_language, corpora),
        breakdowns=breakdowns,
        metric_signatures=_signatures(figures, used, corpora),
        warnings=(*_count_warnings(counts, by_language, primary), *corpora.warnings),
    )


def _record(item: Item, response: Response | None, score: Score | None) -> _Record:
    failed = item.problem is not None or (response is not None and response.error is not None)
    text = None if failed or response is None else response.text
    return _Record(item, text, failed, score if text is not None else None)


def _by_language(records: Sequence[_Record]) -> dict[str, list[_Record]]:
    return _grouped((record.item.language, record) for record in records)


def _grouped(named: Iterable[tuple[str, _Record]]) -> dict[str, list[_Record]]:
    groups: defaultdict[str, list[_Record]] = defaultdict(list)
    for name, record in named:
        groups[name].append(record)
    return dict(sorted(groups.items()))


def _counts(records: Sequence[_Record]) -> Counts:
    answered = [record for record in records if record.text is not None]
    flags = Counter(flag for record in answered if record.score for flag in record.score.flags)
    scored = sum(record.scored for record in answered)
    reasons = Counter(record.score.unscored for record in answered if record.score and record.score.unscored)
    return Counts(
        expected=len(records),
        answered=len(answered),
        failed=sum(record.failed for record in records),
        scored=scored,
        unscored=len(answered) - scored,
        flags=dict(sorted(flags.items())),
        reasons=dict(reasons.most_common()),
    )


# ── Slices ────────────────────────────────────────────────────────────────────────────────────────


def _slice(records: Sequence[_Record], corpora: _Corpora) -> Slice:
    """The figures of some records: item figures pooled, corpus figures averaged over their languages."""
    metrics = _pooled(_observed(records), corpora)
    languages = _by_language(records)
    corpus = [corpora.figures(code, group) for code, group in languages.items()]
    for name in dict.fromkeys(name for figures in corpus for name in figures):
        metrics[name] = _mean_figure([figures[name] for figures in corpus if name in figures])
    return Slice(_counts(records), metrics)


def _tag_slices(records: Sequence[_Record], corpora: _Corpora) -> dict[str, dict[str, Slice]]:
    keys = sorted({key for record in records for key in record.item.tags} - {"language"})
    slices: dict[str, dict[str, Slice]] = {}
    for key in keys:
        groups = _grouped((record.item.tags[key], record) for record in records if key in record.item.tags)
        slices[key] = {value: _slice(group, corpora) for value, group in groups.items()}
    return slices


def _observed(records: Sequence[_Record]) -> Observed:
    """Every item figure there is, by metric, with the items' clusters."""
    observed: Observed = defaultdict(list)
    for record in records:
        if record.scored and record.score is not None:
            for name, value in record.score.values.items():
                if value is not None:
                    observed[name].append(Observation(value, record.cluster))
        for name, value in baselines_of(record.item).items():
            observed[name].append(Observation(value, record.cluster))
    return observed


def _pooled(observed: Observed, corpora: _Corpora) -> dict[str, Figure]:
    return {name: _with_interval(corpora.named(name), [values]) for name, values in observed.items()}


BOUNDS = {FRACTION: (0.0, 1.0), POINTS: (0.0, float(PERCENT))}
"""The least and the most that a value can be, by unit."""


def _with_interval(metric: Metric, groups: Sequence[Sequence[Observation]]) -> Figure:
    """The mean of the groups' means, and how sure it is."""
    observations = [observation for group in groups for observation in group]
    low, high = mean_interval(groups, BOUNDS.get(metric.unit)) or (None, None)
    value = sum(map(mean, groups)) / len(groups)
    return Figure(value, len(observations), macro_stderr(groups), cluster_count(observations), low, high)


# ── Over languages ────────────────────────────────────────────────────────────────────────────────


def _macro(
    languages: Mapping[str, Sequence[_Record]], slices: Mapping[str, Slice], corpora: _Corpora
) -> dict[str, Figure]:
    """The unweighted mean over the languages that have the figure, with its standard error and interval."""
    observed = {code: _observed(records) for code, records in languages.items()}
    macro: dict[str, Figure] = {}
    for name in dict.fromkeys(name for code in languages for name in slices[code].metrics):
        metric = _mean_figure([slices[code].metrics[name] for code in languages if name in slices[code].metrics])
        groups = [values[name] for values in observed.values() if name in values]
        if groups:
            metric = replace(_with_interval(corpora.named(name), groups), value=metric.value, n=metric.n)
        macro[name] = metric
    return macro


def _mean_figure(metrics: Sequence[Figure]) -> Figure:
    """The unweighted mean of figures that have no standard error."""
    return Figure(sum(metric.value for metric in metrics) / len(metrics), sum(metric.n for metric in metrics))


def _signatures(figures: Mapping[str, Figure], used: Sequence[Metric], corpora: _Corpora) -> dict[str, str]:
    """What exactly was computed, by metric; by language too where sacreBLEU's signature differs."""
    definitions = {metric.id: metric.definition for metric in (*BUILTIN.values(), *used) if metric.definition}
    signatures: dict[str, str] = {}
    for name in figures:
        by_language = corpora.signatures.get(name)
        if by_language and len(set(by_language.values())) == 1:
            signatures[name] = next(iter(by_language.values()))
        elif by_language:
            signatures.update({f"{name}[{code}]": signature for code, signature in by_language.items()})
        elif name in definitions:
            signatures[name] = definitions[name]
    return signatures


def _count_warnings(counts: Counts, by_language: Mapping[str, Slice], primary: str) -> list[str]:
    """What a reader must know before quoting a figure."""
    warnings: list[str] = []
    missing = counts.expected - counts.answered - counts.failed
    if counts.failed or missing:
        warnings.append(
            f"of {counts.expected} items {counts.failed} failed and {missing} have no answer; "
            "the figures cover the others"
        )
    have = [code for code, part in by_language.items() if primary in part.metrics]
    lack = [code for code, part in by_language.items() if primary not in part.metrics and part.counts.expected]
    if have and lack:
        warnings.append(f"no {primary} for {', '.join(lack)}: left out of the mean over languages")
    return warnings


# ── The interval of a mean ────────────────────────────────────────────────────────────────────────


def mean_interval(
    groups: Sequence[Sequence[Observation]], bounds: tuple[float, float] | None = (0.0, 1.0)
) -> tuple[float, float] | None:
    """The 95 % interval of the unweighted mean of the groups' means. `bounds`: the least and the most that a value can
    be, None where there is no such thing. None for one cluster, and where values without bounds do not vary."""
    observations = [observation for group in groups for observation in group]
    if cluster_count(observations) < 2 or not all(groups):
        return None
    values = [observation.value for observation in observations]
    if bounds is None or min(values) < bounds[0] or max(values) > bounds[1]:
        return _unbounded(groups)
    low, high = bounds
    least, most = limits(_clusters(groups, low, high - low))
    return low + (1 - most) * (high - low), low + (1 - least) * (high - low)


def _clusters(groups: Sequence[Sequence[Observation]], low: float, width: float) -> Clusters:
    """The pictures of all groups, as the model has them: what is missing to the best value is wrong."""
    names: dict[str, int] = {}
    place = np.array([names.setdefault(one.cluster, len(names)) for group in groups for one in group])
    values = np.array([one.value for group in groups for one in group])
    number = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return clusters_of(1 - (values - low) / width, place, number)


def _unbounded(groups: Sequence[Sequence[Observation]]) -> tuple[float, float] | None:
    """t's interval of the mean of the groups' means. A cluster with a great part of a group hides its own deviation in
    the mean: its square is divided by what is left (Bell and McCaffrey 2002); degrees of freedom go by the effective
    number of clusters."""
    deviations: defaultdict[str, float] = defaultdict(float)
    weights: defaultdict[str, float] = defaultdict(float)
    for group in groups:
        centre, parts = mean(group), Counter(observation.cluster for observation in group)
        if len(parts) < 2:
            return None
        for observation in group:
            own = parts[observation.cluster] / len(group)
            each = 1 / (len(group) * len(groups))
            deviations[observation.cluster] += each * (observation.value - centre) / math.sqrt(1 - own)
            weights[observation.cluster] += each
    half = math.sqrt(math.fsum(deviation**2 for deviation in deviations.values()))
    half *= t_quantile((1 + LEVEL) / 2, max(1, round(1 / math.fsum(weight**2 for weight in weights.values()) - 1)))
    value = math.fsum(map(mean, groups)) / len(groups)
    return None if half <= 1e-12 * max(1.0, abs(value)) else (value - half, value + half)
