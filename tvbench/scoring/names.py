"""The metrics by name: what people call them, their unit and direction, and what exactly was computed.

Knows no formula and no result; reports and the command line read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tvbench.errors import unknown_name


@dataclass(frozen=True, slots=True)
class MetricName:
    """One metric. `unit` "fraction" is 0..1 (shown as a percentage), "points" is 0..100 as it stands, "nats" are
    natural logarithms of probabilities, 0 or below.

    `baseline` marks figures of the data, not of the model. `definition` is its part of the signature.
    """

    id: str
    label: str
    unit: Literal["fraction", "points", "nats"]
    meaning: str
    definition: str
    higher_is_better: bool = True
    baseline: bool = False


_NORMALISED = "norm:nfkc+casefold+edge-punctuation"

METRICS: dict[str, MetricName] = {
    metric.id: metric
    for metric in (
        MetricName("strict", "strict", "fraction", "the reply is the target, character for character", "norm:none"),
        MetricName("casefold", "case-insensitive", "fraction", "the same, without regard to case", "norm:casefold"),
        MetricName(
            "aligned",
            "aligned",
            "fraction",
            "the reply is the right option, or its letter where letters were shown",
            f"{_NORMALISED}|letters:shown|version:1",
        ),
        MetricName(
            "fragment",
            "fragment",
            "fraction",
            "exactly one option is found in the reply, or the reply in it: an upper bound",
            f"{_NORMALISED}|words:whole|version:1",
        ),
        MetricName("accuracy", "accuracy", "fraction", "the reply equals an answer", f"{_NORMALISED}|version:1"),
        MetricName("bleu", "BLEU", "points", "BLEU of the corpus, by sacreBLEU", "sacrebleu"),
        MetricName("chrfpp", "chrF++", "points", "chrF++ of the corpus, by sacreBLEU", "sacrebleu"),
        MetricName(
            "sense",
            "sense",
            "fraction",
            "an ambiguous source took the sense of the picture",
            f"{_NORMALISED}|words:whole|version:1",
        ),
        MetricName("macro_f1", "macro F1", "fraction", "F1 of the bag of words, mean over pictures", "cc-ocr"),
        MetricName("macro_precision", "macro precision", "fraction", "precision, mean over pictures", "cc-ocr"),
        MetricName("macro_recall", "macro recall", "fraction", "recall, mean over pictures", "cc-ocr"),
        MetricName("micro_f1", "micro F1", "fraction", "F1 of all pictures' words together", "cc-ocr"),
        MetricName("micro_precision", "micro precision", "fraction", "precision of all words together", "cc-ocr"),
        MetricName("micro_recall", "micro recall", "fraction", "recall of all words together", "cc-ocr"),
        MetricName(
            "ocrbench",
            "OCRBench",
            "fraction",
            "the reply contains an answer; formulas as the TowerVision authors compare them",
            "contains|case:lower|hme:gold-case-kept",
        ),
        MetricName(
            "ocrbench_hme",
            "OCRBench (HME fixed)",
            "fraction",
            "the reply contains an answer, formulas without regard to case",
            "contains|case:lower",
        ),
        MetricName(
            "judge",
            "judge",
            "fraction",
            "a judge's score for an open answer, as a share of its scale",
            "see the judge's own signature",
        ),
        MetricName(
            "xcomet_xl",
            "XCOMET-XL",
            "fraction",
            "COMET: quality by source and reference, errors marked",
            "see COMET's own signature",
        ),
        MetricName("xcomet_xxl", "XCOMET-XXL", "fraction", "the same by the larger model", "see COMET's own signature"),
        MetricName(
            "wmt22_comet_da",
            "COMET-22",
            "fraction",
            "COMET: quality by source and reference",
            "see COMET's own signature",
        ),
        MetricName(
            "cometkiwi",
            "CometKiwi-22",
            "fraction",
            "COMET: quality by the source alone, no reference",
            "see COMET's own signature",
        ),
        MetricName("comet", "COMET", "fraction", "a COMET checkpoint of one's own", "see COMET's own signature"),
        MetricName(
            "contrastive_sum",
            "CoMMuTE accuracy (sum)",
            "fraction",
            "the right translation has the higher log-probability",
            "logprob:sum-of-translation-tokens|tie:0.5|version:1",
        ),
        MetricName(
            "contrastive_mean",
            "CoMMuTE accuracy (mean)",
            "fraction",
            "the right translation has the higher log-probability per token",
            "logprob:mean-of-translation-tokens|tie:0.5|version:1",
        ),
        MetricName(
            "logprob_sum",
            "log-probability",
            "nats",
            "of a translation's tokens, summed",
            "logprob:sum-of-translation-tokens",
        ),
        MetricName(
            "logprob_mean",
            "log-probability per token",
            "nats",
            "of a translation's tokens, their mean",
            "logprob:mean-of-translation-tokens",
        ),
        MetricName(
            "always_first",
            "always option 1",
            "fraction",
            "what copying the first shown option scores",
            "strict; with letters: option A",
            baseline=True,
        ),
        MetricName(
            "strict_ceiling",
            "strict ceiling",
            "fraction",
            "the most that copying one shown line can score",
            "strict",
            baseline=True,
        ),
        MetricName("chance", "chance", "fraction", "what guessing an option scores", "1/options", baseline=True),
    )
}

ALIASES = {
    "chrf++": "chrfpp",
    "chrf": "chrfpp",
    "sacrebleu": "bleu",
    "exact_match": "strict",
    "exact": "strict",
    "acc": "accuracy",
    "f1": "macro_f1",
    "macro-f1": "macro_f1",
    "micro-f1": "micro_f1",
}


def metric_id(name: str) -> str:
    """The id that a person means by `name`: `chrF++` is `chrfpp`. Raises UsageError with the nearest names."""
    folded = name.strip().casefold()
    labels = {metric.label.casefold(): metric.id for metric in METRICS.values()}
    if name.partition(":")[0] in (*METRICS, "evaluate") and ":" in name:
        return name.strip()  # one of several judges, a local checkpoint, another package's metric: named in full
    for table in ({known: known for known in METRICS}, ALIASES, labels):
        if folded in table:
            return table[folded]
    raise unknown_name("metric", name, [*METRICS, *ALIASES], "tvbench tasks show TASK lists a task's metrics.")


def label(identifier: str) -> str:
    """What people call the metric, a second judge's `judge:NAME` too; the id itself where it is not one of
    ours (a plug-in's, a log's)."""
    known = METRICS.get(identifier)
    if known is None and (family := METRICS.get(identifier.partition(":")[0])):
        return f"{family.label} ({identifier.partition(':')[2]})"
    return known.label if known else identifier


def percent_shown(identifier: str) -> bool:
    """Whether people read the metric as a percentage: fractions of ours, not points, and nothing unknown."""
    known = METRICS.get(identifier.partition(":")[0])
    return known is not None and known.unit == "fraction"
