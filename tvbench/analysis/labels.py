"""What people say of a run's open answers, with and without its judge: means by language and over them.

Every open answer counts, also those that the judge could not score: they take the judge's mean, so that a judge who
refuses costs precision and moves nothing. Paints nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tvbench.analysis.judges import ALL
from tvbench.graders.judge.calibration import RIGHT, cohen_kappa
from tvbench.graders.judge.labels import HumanLabels
from tvbench.graders.judge.record import JudgeVerdict
from tvbench.graders.judge.sheet import OpenAnswer
from tvbench.scoring.prediction_powered import PoweredMean, Rated, powered

NO_RATING = 0.5
"""What answers are rated where nobody has judged any: all alike, and so without weight."""


@dataclass(frozen=True, slots=True)
class LabelledMean:
    """One task and language (`all`: the mean over those with labels). `kappa`: of the judge with the labels;
    `people_kappa`: of the first two people, on `people` answers that both labelled."""

    task: str
    language: str
    mean: PoweredMean
    kappa: float | None
    people: int
    people_kappa: float | None


@dataclass(frozen=True, slots=True)
class Labelled:
    """`without`: languages without labels enough for a figure, by task; `unlabelled` rows were drawn and left empty."""

    means: tuple[LabelledMean, ...]
    without: Mapping[str, tuple[str, ...]]
    unlabelled: int


def labelled_means(
    answers: Mapping[str, Mapping[str, Sequence[OpenAnswer]]],
    labels: HumanLabels,
    verdicts: Mapping[str, Sequence[JudgeVerdict]],
) -> Labelled:
    """`answers` and `verdicts` by task. Tasks without any label are left out."""
    found: list[LabelledMean] = []
    without: dict[str, tuple[str, ...]] = {}
    empty = set(labels.unlabelled)
    unlabelled = 0
    for task, languages in answers.items():
        given = (verdict for verdict in verdicts.get(task, ()) if verdict.case.planted is None)
        scores = {verdict.case.item.id: verdict.reading.score for verdict in given}
        means, whole = powered({code: _rated(part, labels, scores) for code, part in languages.items()})
        if whole is None:
            continue
        every = [answer for code in means for answer in languages[code]]
        if len(languages) > 1:
            found.append(_mean(task, ALL, whole, every, labels, scores))
        found.extend(_mean(task, code, mean, languages[code], labels, scores) for code, mean in means.items())
        without[task] = tuple(code for code in languages if code not in means)
        unlabelled += sum(answer.key in empty for part in languages.values() for answer in part)
    return Labelled(tuple(found), {task: codes for task, codes in without.items() if codes}, unlabelled)


def _rated(answers: Sequence[OpenAnswer], labels: HumanLabels, scores: Mapping[str, float | None]) -> list[Rated]:
    """One language's answers with rating and label."""
    ratings = [scores.get(answer.item.id) for answer in answers]
    known = [rating for rating in ratings if rating is not None]
    usual = fmean(known) if known else NO_RATING
    return [
        Rated(usual if rating is None else rating, answer.cluster, _label(answer, labels))
        for answer, rating in zip(answers, ratings, strict=True)
    ]


def _label(answer: OpenAnswer, labels: HumanLabels) -> float | None:
    shares = labels.shares.get(answer.key)
    return fmean(shares) if shares else None


def _mean(
    task: str,
    language: str,
    mean: PoweredMean,
    answers: Sequence[OpenAnswer],
    labels: HumanLabels,
    scores: Mapping[str, float | None],
) -> LabelledMean:
    known = [(scores.get(answer.item.id), _label(answer, labels)) for answer in answers]
    judge = [(rating >= RIGHT, label >= RIGHT) for rating, label in known if rating is not None and label is not None]
    shares = [labels.shares.get(answer.key, ()) for answer in answers]
    people = [(part[0] >= RIGHT, part[1] >= RIGHT) for part in shares if len(part) > 1]
    return LabelledMean(
        task,
        language,
        mean,
        cohen_kappa(judge) if judge else None,
        len(people),
        cohen_kappa(people) if people else None,
    )
