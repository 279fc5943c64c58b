"""Twenty simulated languages with judges of kappa .2 to .9: how often the intervals of human labels hold the truth.

In a language an answer is right with a known probability, and the judge says so with the kappa and the leaning that the
language has. With several answers to a picture both depend on it, and half of the pictures are the same in every
language. Which answers have a label is drawn as a sheet's are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tvbench.graders.judge.drawing import drawn
from tvbench.scoring.prediction_powered import Band, PoweredMean, Rated, powered, published

Vector = NDArray[np.float64]
SAME = 0.3
"""How much of an answer's fate is its picture's, as a share of the variance."""


@dataclass(frozen=True)
class Simulated:
    """`share` of the answers are right; the judge calls `said` of them so, and agrees with a kappa of `kappa`."""

    code: str
    share: float
    said: float
    kappa: float

    @property
    def chances(self) -> tuple[float, float]:
        """The probability that the judge says right, of a right and of a wrong answer."""
        chance = self.share * self.said + (1 - self.share) * (1 - self.said)
        both = (self.kappa * (1 - chance) + chance - 1 + self.share + self.said) / 2
        return both / self.share, (self.said - both) / (1 - self.share)


def _language(place: int) -> Simulated:
    kappa = round(0.2 + 0.7 * place / 19, 4)
    share = (0.5, 0.62, 0.71, 0.8, 0.88, 0.93, 0.35)[place % 7]
    lean = (0.06, -0.1, 0.0)[place % 3] * (1 - kappa)
    return Simulated(f"l{place:02}", share, min(0.97, share + lean), kappa)


LANGUAGES = [_language(place) for place in range(20)]


@dataclass(frozen=True)
class Coverage:
    """`whole`: how often the mean over languages lies in its interval; `languages`: the same for the languages, all
    together, from the `least` to the `most`; `alone` as `whole` for labels without the judge; `published` as
    `languages` for the authors' package. `width` is the mean's, `language_width` that of the languages, as shares of
    labels alone; `wider` counts intervals that are wider."""

    whole: float
    languages: float
    least: float
    most: float
    alone: float
    published: float
    width: float
    language_width: float
    wider: int


def simulated(
    rng: np.random.Generator, language: Simulated, answers: int, pictures: int, shared: Vector | None = None
) -> tuple[Vector, Vector, NDArray[np.int64]]:
    """Labels, ratings and picture numbers; `pictures` answers to each. `shared` are the pictures' two effects."""
    groups = np.arange(answers) // pictures
    effects = rng.normal(size=(2, groups[-1] + 1)) if shared is None else shared
    same = SAME if pictures > 1 or shared is not None else 0.0
    own = rng.normal(size=(2, answers))
    right, said = np.sqrt(same) * effects[:, groups] + np.sqrt(1 - same) * own
    labels = right < NormalDist().inv_cdf(language.share)
    cuts = [NormalDist().inv_cdf(min(1 - 1e-9, max(1e-9, chance))) for chance in language.chances]
    return labels.astype(float), (said < np.where(labels, *cuts)).astype(float), groups


def coverage(labelled: int, answers: int, pictures: int, samples: int, seed: int) -> Coverage:
    """Draws all languages `samples` times with `labelled` labels of `answers` answers in each."""
    rng = np.random.default_rng(seed)
    truth = float(np.mean([language.share for language in LANGUAGES]))
    held = np.zeros(len(LANGUAGES))
    whole = alone = wider = plain = 0
    widths = np.zeros(4)
    for number in range(samples):
        strata = _sample(rng, labelled, answers, pictures, f"{seed}-{number}")
        single, mean = powered(strata)
        assert mean
        plain += sum(_held_as_published(strata[language.code], language.share) for language in LANGUAGES)
        found = [single[language.code] for language in LANGUAGES]
        held += [
            one.both.low <= language.share <= one.both.high for one, language in zip(found, LANGUAGES, strict=True)
        ]
        whole += mean.both.low <= truth <= mean.both.high
        alone += mean.alone.low <= truth <= mean.alone.high
        wider += sum(one.both.width > one.alone.width + 1e-12 for one in [*found, mean])
        widths += mean.both.width, mean.alone.width, *(sum(band.width for band in bands) for bands in _bands(found))
    held /= samples
    width, language_width = (widths[::2] / widths[1::2]).tolist()
    ends = float(held.min()), float(held.max())
    published_share = plain / samples / len(LANGUAGES)
    return Coverage(
        whole / samples, float(held.mean()), *ends, alone / samples, published_share, width, language_width, wider
    )


def _held_as_published(rated: Sequence[Rated], truth: float) -> bool:
    labels = np.array([answer.label for answer in rated if answer.label is not None])
    ratings = np.array([answer.rating for answer in rated if answer.label is not None])
    others = np.array([answer.rating for answer in rated if answer.label is None])
    _, low, high = published(labels, ratings, others)
    return low <= truth <= high


def _bands(found: Sequence[PoweredMean]) -> tuple[list[Band], list[Band]]:
    return [one.both for one in found], [one.alone for one in found]


def _sample(rng: np.random.Generator, labelled: int, answers: int, pictures: int, seed: str) -> dict[str, list[Rated]]:
    """One run with labels; every second picture is the same in all languages, where pictures have several answers."""
    effects = rng.normal(size=(2, -(-answers // pictures)))
    strata = {}
    for language in LANGUAGES:
        mixed = np.where(np.arange(effects.shape[1]) % 2, rng.normal(size=effects.shape), effects)
        labels, ratings, groups = simulated(rng, language, answers, pictures, mixed if pictures > 1 else None)
        names = [f"p{g}" if g % 2 == 0 and pictures > 1 else f"{language.code}-p{g}" for g in groups]
        order = list(range(answers))  # answers without a common picture are as good as shuffled
        if pictures > 1:
            order = drawn([(str(i), name) for i, name in enumerate(names)], f"{seed}-{language.code}")
        chosen = set(order[:labelled])
        strata[language.code] = [
            Rated(rating, name, label if place in chosen else None)
            for place, (label, rating, name) in enumerate(zip(labels.tolist(), ratings.tolist(), names, strict=True))
        ]
    return strata
