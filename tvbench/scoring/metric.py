"""What a metric is: its name, unit and direction, how it is computed, and how its figures are shown and ranked.

A metric is one object. It says everything that tables, exports and comparisons need, so that none of them knows a
metric by name. To write one, subclass `Metric` and set its facts; give it `of_item` (a value for each answer) or
`of_corpus` (one figure for all answers in a language). Knows types; no file, no task and no table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from tvbench.scoring.intervals import ends
from tvbench.types import Figure, Item, Open, Response, Short, Translation

if TYPE_CHECKING:
    import numpy as np

Better: TypeAlias = Literal["higher", "lower"]
Pair: TypeAlias = tuple[Item, str]
"""An item and the text that answered it."""

FRACTION, POINTS, NATS, OWN = "fraction", "points", "nats", "own"
"""Units. A fraction is 0 to 1 and shown in percent; points are 0 to 100 as they stand; nats are natural logarithms of
probabilities. Any other word is the metric's own unit, as OWN is, and shown as it stands."""
CORPUS = "of_corpora"
"""The fact that a kept metric is one of corpora."""
PERCENT = 100
DECIMALS = 1
OWN_DECIMALS = 3
MOST_DECIMALS = 9
ALIKE = 0.1
"""Halves of an interval that differ by no more than this part of the larger one are shown as one, the larger."""
TINY = 1e-9
INTERVALS = "±: 95 % interval, clustered by picture; +1.0/-2.0: the same, where its halves differ"
"""Stands once below every table that has `Metric.halves`."""
SHOWN_FACTS = ("label", "unit", "better", "family", "baseline", "definition", "meaning")
"""What a run keeps of a metric that is not tvbench's own, so that it can be shown without its code."""
NAME = re.compile(r"[\w.+-]+")


@dataclass(frozen=True, slots=True)
class CorpusFigure(Figure):
    """A figure with what exactly was computed, where that depends on the corpus, and what a reader must be told."""

    definition: str = ""
    warnings: tuple[str, ...] = ()

    def plain(self) -> Figure:
        """The figure alone, as it is stored."""
        return Figure(*(getattr(self, field.name) for field in fields(Figure)))


class Metric:
    """One metric. Set the facts in a subclass, or give them to the constructor where a class has several variants.

    `id` is what tasks and the command line call it; `label` heads a column (the id, unless given); `better` says which
    end is good; figures of one `family` (the id, unless given) may share a column. `baseline` marks figures of the
    data, not of the model. `definition` is its part of the signature: change it with the formula. `targets` are the
    kinds of target that it is for (none: all). `always`: computed for every such item, named by the task or not.
    """

    id: str = ""
    label: str = ""
    unit: str = FRACTION
    better: Better = "higher"
    family: str = ""
    baseline: bool = False
    definition: str = ""
    meaning: str = ""
    targets: tuple[type, ...] = ()
    always: bool = False
    aliases: tuple[str, ...] = ()
    counterpart: str = ""
    """What logs of lmms-eval call the same figure."""
    logged: tuple[str, ...] = ()
    """What logs call figures that may stand in a column of its family where there is none of ours."""
    headline: bool = False
    """Whether it is the one to believe for the items that it applies to."""
    next_step: str = ""
    """What a person types to get it, where scoring alone does not give it."""
    loss_by: str = ""
    """The metric in which the loss of one item is counted, where this one has no value of an item."""
    loss_label: str = ""
    """What the loss of one item is counted in, in words, where that is not the label."""
    ceiling: str = ""
    """The baseline that is the most it can reach."""
    form: bool = False
    """Whether the form of the reply counts beside its sense."""
    remark: str = ""
    """What a reader of its figures must be told."""

    def __init__(self, **facts: Any) -> None:
        for name, value in facts.items():
            if not hasattr(type(self), name):
                raise TypeError(f"a metric has no fact {name!r}")
            setattr(self, name, value)
        self.label = self.label or self.id
        self.family = self.family or self.id

    # ── How it is computed ────────────────────────────────────────────────────────────────────────

    def of_item(self, item: Item, text: str) -> float | None:
        """The value of one answer; None where the item has none."""
        return None

    def of_response(self, item: Item, response: Response) -> float | None:
        """The same of what an engine returned. Override it for what needs more than the text (log-probabilities)."""
        return None if response.text is None else self.of_item(item, response.text)

    def of_corpus(self, language: str, pairs: Sequence[Pair]) -> Figure | None:
        """The figure of all answers of one language; None where there is none."""
        return None

    def statistics(self, language: str, pairs: Sequence[Pair]) -> np.ndarray | None:
        """Numbers of each pair (pairs, S) whose sum `of_sums` turns into the figure of a corpus, for resampling. None:
        the figure cannot be resampled."""
        return None

    def of_sums(self, sums: np.ndarray) -> np.ndarray:
        """Figures (...) of summed statistics (..., S)."""
        raise NotImplementedError(f"{self.id} has no figure of summed statistics")

    def loss(self, item: Item, text: str, value: float | None) -> float | None:
        """How much of the worst that can be lost one answer has lost, 0 to 1, by its value. None: not known."""
        if value is None or self.unit not in (FRACTION, POINTS):
            return None
        share = min(1.0, max(0.0, value / (PERCENT if self.unit == POINTS else 1)))
        return share if self.better == "lower" else 1 - share

    def of_loss(self, lost: float) -> float:
        """The value of an answer that has lost such a part: the way back from `loss`."""
        share = lost if self.better == "lower" else 1 - lost
        return share * PERCENT if self.unit == POINTS else share

    def applies(self, item: Item) -> bool:
        """Whether the metric is for items of this kind."""
        return not self.targets or isinstance(item.target, self.targets)

    def leads(self, item: Item) -> bool:
        """Whether it is the one to believe for `item`."""
        return self.headline and self.applies(item)

    @property
    def of_corpora(self) -> bool:
        """Whether its figures are those of a corpus, and not means over items."""
        return type(self).of_corpus is not Metric.of_corpus

    @property
    def computes(self) -> bool:
        """Whether scoring alone gives it: a judge's score and a paper's figure come from elsewhere."""
        kind = type(self)
        return self.of_corpora or any(
            getattr(kind, name) is not getattr(Metric, name) for name in ("of_item", "of_response")
        )

    # ── How its figures are shown and ranked ──────────────────────────────────────────────────────

    def shown(self, value: float) -> float:
        """`value` in the unit that people read: fractions in percent, everything else as it stands."""
        return value * PERCENT if self.unit == FRACTION else value

    def stored(self, shown: float) -> float:
        """The value of a shown figure: the way back from `shown`."""
        return shown / PERCENT if self.unit == FRACTION else shown

    def text(self, value: float, *, sign: bool = False, decimals: int | None = None) -> str:
        """`value` as it stands in a table."""
        if decimals is None:
            decimals = self._decimals
        return f"{self.shown(value):{'+' if sign else ''}.{decimals}f}"

    def halves(self, figure: Figure) -> str:
        """The 95 % interval of `figure` as it stands behind it: `±1.9`, or `+1.2/-3.9` where the halves differ by more
        than ALIKE; "" where it has none."""
        found = ends(figure)
        if found is None:
            return ""
        below, above = figure.value - found[0], found[1] - figure.value
        if max(below, above) <= 0:
            return ""
        if abs(below - above) <= ALIKE * max(below, above):
            return f"±{self._half(max(below, above))}"
        texts = [f"{sign}{self._half(half)}" for sign, half in (("+", above), ("-", below)) if half > TINY]
        return "/".join(texts)

    def _half(self, half: float) -> str:
        """A half of an interval with as many decimals as it needs not to be nothing."""
        texts = (self.text(half, decimals=number) for number in range(self._decimals, MOST_DECIMALS))
        return next((text for text in texts if float(text)), self.text(half, decimals=MOST_DECIMALS))

    @property
    def _decimals(self) -> int:
        return DECIMALS if self.unit in (FRACTION, POINTS, NATS) else OWN_DECIMALS

    def best(self, values: Iterable[float]) -> float:
        """The best of `values`. Raises ValueError for none."""
        return max(values) if self.better == "higher" else min(values)

    def order(self, value: float) -> float:
        """A sort key: the best first."""
        return -value if self.better == "higher" else value

    def improves(self, difference: float) -> bool:
        """Whether a figure that grows by `difference` gets better."""
        return self.order(difference) < 0

    @property
    def span(self) -> float:
        """The most by which two of its figures can differ; 0 where that is not known (error rates know no end)."""
        return {FRACTION: 1.0, POINTS: float(PERCENT)}.get(self.unit, 0.0) if self.better == "higher" else 0.0

    @property
    def facts(self) -> dict[str, Any]:
        """What is kept of it beside figures (SHOWN_FACTS), without what says nothing."""
        facts = {name: value for name in SHOWN_FACTS if (value := getattr(self, name))}
        return facts | ({CORPUS: True} if self.of_corpora else {})


def percent(share: float, *, sign: bool = False, decimals: int = DECIMALS) -> str:
    """A share that is no metric's, in percent."""
    return f"{share * PERCENT:{'+' if sign else ''}.{decimals}f}"


def stated(definition: str, unit: str, better: str) -> str:
    """The definition of a metric that is not tvbench's own, with its unit and direction where they are not the usual
    ones: whoever changes them has another metric. What is stated already stays."""
    said = [f"unit:{unit}"] * (unit != FRACTION) + [f"better:{better}"] * (better != "higher")
    return "|".join([*filter(None, [definition]), *(part for part in said if part not in definition.split("|"))])


class NotAtHand(Exception):
    """An answer has no value because the metric's code is not at hand. The message is the reason."""


class Named(Metric):
    """A metric of which only the facts are at hand: its figures come from a folder, a log or a paper."""


def from_facts(name: str, facts: Mapping[str, Any]) -> Named:
    """The metric that a run has kept the `facts` of. What is not as it should be is left out."""
    good = {
        key: value
        for key, value in facts.items()
        if key in SHOWN_FACTS and isinstance(value, bool if key == "baseline" else str)
    }
    if good.get("better") not in get_args(Better):
        good.pop("better", None)
    return Named(**{"unit": OWN, **good, "id": name})


def unknown(name: str) -> Named:
    """A metric that nobody here knows anything about."""
    return Named(id=name, unit=OWN)


def checked(metric: object) -> Metric:
    """`metric`, if it is a usable one; ValueError says what is wrong with it."""
    if isinstance(metric, type) and issubclass(metric, Metric):
        metric = metric()
    if not isinstance(metric, Metric):
        raise ValueError(f"{type(metric).__name__} is not a tvbench.scoring.metric.Metric")
    if not isinstance(metric.id, str) or not NAME.fullmatch(metric.id):
        raise ValueError(f"a metric's id is letters, digits and -_.+ without blanks, not {metric.id!r}")
    if metric.better not in get_args(Better):
        raise ValueError(f"{metric.id}: better is 'higher' or 'lower', not {metric.better!r}")
    if not isinstance(metric.unit, str) or not metric.unit:
        raise ValueError(f"{metric.id}: unit is {FRACTION}, {POINTS}, {NATS} or a word of its own")
    metric.label, metric.family = metric.label or metric.id, metric.family or metric.id
    metric.definition = stated(metric.definition, metric.unit, metric.better)
    return metric


class Counting(Metric):
    """A metric of corpora that counts each pair in whole numbers: its figure needs the sums of these, and no text any
    more. Such sums are the same in any order, so that `of_counts` gives what `of_corpus` does, to the last bit."""

    def counts_of(self, item: Item, text: str) -> Sequence[int]:
        """Whole numbers of one pair, always as many."""
        raise NotImplementedError

    def of_counts(self, language: str, counts: np.ndarray) -> Figure | None:
        """The figure of the pairs of one language from their counts: (pairs, numbers), at least one pair."""
        raise NotImplementedError


def references_of(item: Item) -> tuple[str, ...]:
    """The texts that an answer is held against; none for choices and pages of text."""
    target = item.target
    if isinstance(target, Translation):
        return target.references
    if isinstance(target, Open):
        return (target.reference,) if target.reference else ()
    return target.answers if isinstance(target, Short) else ()
