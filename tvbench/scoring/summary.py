"""From scores to a TaskResult: macro, micro, without English, by language and by every tag.

- Item figures (accuracies, OCR per picture, sense) are means over answered and scored items. Failed, missing and
  unscored items enter no figure: they are counted, and make the result incomplete.
- `metrics` is the unweighted mean over the languages that have the figure; `micro` pools the items.
- Figures of a corpus (BLEU, chrF++, OCR micro F1) are computed within a language and have no standard error. Over
  several languages they are only ever averaged, and `micro` leaves them out: tokenizers and units differ.
- A slice by a tag (category, question type) pools the item figures of its languages and averages those of a corpus.
- Baselines (always option 1, strict ceiling, chance) are figures of the data, over all choice items, answered or not.

Knows scores and targets; no task, no file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tvbench.errors import UsageError
from tvbench.scoring import hf_metrics, ocr, translation
from tvbench.scoring.choice import usable_target
from tvbench.scoring.intervals import Observation, cluster_count, clustered_stderr, macro_stderr, mean
from tvbench.scoring.names import METRICS
from tvbench.types import (
    Choice,
    Contrast,
    Counts,
    Item,
    Metric,
    OcrText,
    Response,
    Score,
    Slice,
    TaskResult,
    Translation,
)

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

    foreign: Sequence[str] = ()
    done: dict[tuple[str, ...], Mapping[str, Metric]] = field(default_factory=dict)
    signatures: defaultdict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    warnings: dict[str, None] = field(default_factory=dict)

    def figures(self, language: str, records: Sequence[_Record]) -> Mapping[str, Metric]:
        used = [r for r in records if r.scored and isinstance(r.item.target, Translation | OcrText)]
        texts = [r for r in records if r.text is not None and hf_metrics.references_of(r.item)] if self.foreign else []
        key = (language, *(record.item.id for record in used), "", *(record.item.id for record in texts))
        if key not in self.done:
            self.done[key] = {
                **self._translations(language, used),
                **_pooled_ocr(used),
                **self._foreign(language, texts),
            }
        return self.done[key]

    def _foreign(self, language: str, records: Sequence[_Record]) -> dict[str, Metric]:
        """The metrics of other packages that the task names; what cannot be computed is a warning, not a zero."""
        found: dict[str, Metric] = {}
        for name in self.foreign if records else ():
            references = [hf_metrics.references_of(record.item) for record in records]
            try:
                value, signature = hf_metrics.corpus_figure(name, [record.text or "" for record in records], references)
            except UsageError as error:
                self.warnings[f"not computed: {error}"] = None
                continue
            found[name] = Metric(value, len(records))
            self.signatures[name][language] = signature
        return found

    def _translations(self, language: str, records: Sequence[_Record]) -> dict[str, Metric]:
        pairs = [(r.item.target, r.text) for r in records if isinstance(r.item.target, Translation)]
        if not pairs:
            return {}
        figures = translation.corpus_figures(language, [t for t, _ in pairs], [text or "" for _, text in pairs])
        for name, signature in figures.signatures.items():
            self.signatures[name][language] = signature
        self.warnings.update(dict.fromkeys(figures.warnings))
        return {name: Metric(value, len(pairs)) for name, value in figures.values.items()}


def _pooled_ocr(records: Sequence[_Record]) -> dict[str, Metric]:
    pairs = [(r.item.target, r.text or "") for r in records if isinstance(r.item.target, OcrText)]
    figures = ocr.pooled_figures([target for target, _ in pairs], [text for _, text in pairs])
    return {name: Metric(value, len(pairs)) for name, value in figures.items()}


def summarise(
    task: str,
    protocol: str,
    primary: str,
    signature: str,
    items: Sequence[Item],
    responses: Mapping[str, Response],
    scores: Sequence[Score],
    foreign: Sequence[str] = (),
) -> TaskResult:
    """All figures of one task. `responses` and `scores` are found by item id; either may be missing. `foreign` are the
    metrics of other packages (`evaluate:rouge`) that the task names."""
    by_item = {score.item: score for score in scores}
    records = [_record(item, responses.get(item.id), by_item.get(item.id)) for item in items]
    languages = _by_language(records)
    corpora = _Corpora(hf_metrics.named_metrics(foreign))
    by_language = {code: _slice(group, corpora) for code, group in languages.items()}
    others = {code: group for code, group in languages.items() if code != ENGLISH}
    breakdowns = {"language": by_language, **_tag_slices(records, corpora)}
    counts = _counts(records)
    metrics = _macro(languages, by_language)
    return TaskResult(
        task=task,
        protocol=protocol,
        signature=signature,
        primary=primary,
        counts=counts,
        metrics=metrics,
        micro=_pooled(_observed(records)),
        macro_without_english=_macro(others, by_language),
        breakdowns=breakdowns,
        metric_signatures=_signatures(metrics, corpora),
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
    metrics = _pooled(_observed(records))
    languages = _by_language(records)
    corpus = [corpora.figures(code, group) for code, group in languages.items()]
    for name in dict.fromkeys(name for figures in corpus for name in figures):
        metrics[name] = _mean_metric([figures[name] for figures in corpus if name in figures])
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
        for name, value in _baselines(record.item).items():
            observed[name].append(Observation(value, record.cluster))
    return observed


def _baselines(item: Item) -> dict[str, float]:
    """What one choice item gives to a model that looks at nothing.

    `always_first` and `strict_ceiling` copy shown lines and are judged strictly; with letters, always A.
    """
    choice = item.target
    if isinstance(choice, Contrast) and choice.correct and item.problem is None:
        return {"chance": 0.5}
    if not isinstance(choice, Choice) or item.problem is not None or not choice.options:
        return {}
    values = {"chance": 1 / len(choice.options)} if choice.gold is not None else {}
    if choice.letters:
        return values if choice.gold is None else {**values, "always_first": float(choice.gold == 0)}
    if choice.shown:
        target = usable_target(choice)
        values["always_first"] = float(choice.shown[0] == target)
        values["strict_ceiling"] = float(target in choice.shown)
    return values


def _pooled(observed: Observed) -> dict[str, Metric]:
    return {
        name: Metric(mean(values), len(values), clustered_stderr(values), cluster_count(values))
        for name, values in observed.items()
    }


# ── Over languages ────────────────────────────────────────────────────────────────────────────────


def _macro(languages: Mapping[str, Sequence[_Record]], slices: Mapping[str, Slice]) -> dict[str, Metric]:
    """The unweighted mean over the languages that have the figure, with its standard error."""
    observed = {code: _observed(records) for code, records in languages.items()}
    macro: dict[str, Metric] = {}
    for name in dict.fromkeys(name for code in languages for name in slices[code].metrics):
        metric = _mean_metric([slices[code].metrics[name] for code in languages if name in slices[code].metrics])
        groups = [values[name] for values in observed.values() if name in values]
        if groups:
            clusters = len({observation.cluster for group in groups for observation in group})
            metric = Metric(metric.value, metric.n, macro_stderr(groups), clusters)
        macro[name] = metric
    return macro


def _mean_metric(metrics: Sequence[Metric]) -> Metric:
    """The unweighted mean of figures that have no standard error."""
    return Metric(sum(metric.value for metric in metrics) / len(metrics), sum(metric.n for metric in metrics))


def _signatures(metrics: Mapping[str, Metric], corpora: _Corpora) -> dict[str, str]:
    """What exactly was computed, by metric; by language too where sacreBLEU's signature differs."""
    signatures: dict[str, str] = {}
    for name in metrics:
        by_language = corpora.signatures.get(name)
        if by_language and len(set(by_language.values())) == 1:
            signatures[name] = next(iter(by_language.values()))
        elif by_language:
            signatures.update({f"{name}[{code}]": signature for code, signature in by_language.items()})
        elif name in METRICS:
            signatures[name] = METRICS[name].definition
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
