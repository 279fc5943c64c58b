"""Whether a model sees, and at which scale of image rows it sees best: the loss on a few captioned pictures.

The loss of each caption is taken with its own picture, with the next one's, and with its own at image rows sqrt(hidden)
times as large and as small. A model that was never trained knows neither captions nor pictures: of that only a remark
is made. Knows the engines' protocol and the classes of LLaVA in transformers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any, Literal

from tvbench.doctor.asking import prepared_prompt, scores
from tvbench.doctor.findings import Finding
from tvbench.doctor.pictures import QUESTION, Captioned, captioned
from tvbench.engines.transformers import TransformersEngine

PICTURES = 8
KNOWN = 0.6
"""A model knows its language when captions cost it less than this part of what chance costs."""
CLEAR = 3.0
"""A difference of means is clear from this many standard errors on,"""
LEAST, SHARE = 0.05, 0.2
"""and when it is that large, in nats and as a part of the larger loss: a model that was trained at one scale may prefer
another a little, by accident."""

Scale = Literal["as it is", "larger", "smaller"]


@dataclass(frozen=True, slots=True)
class PictureLosses:
    """Losses a token, by picture: with its `own`, with `another`, with its own `larger` and `smaller` by sqrt(hidden).
    `chance` is the loss of one who knows nothing."""

    own: tuple[float, ...]
    another: tuple[float, ...]
    larger: tuple[float, ...]
    smaller: tuple[float, ...]
    chance: float

    @property
    def known(self) -> bool:
        """Whether the model knows how captions are written, at any scale."""
        return min(map(mean, (self.own, self.larger, self.smaller))) < KNOWN * self.chance

    @property
    def best(self) -> Scale | None:
        """The scale at which the loss is clearly lower than at both others; None where none is."""
        by_scale: dict[Scale, tuple[float, ...]] = {
            "as it is": self.own,
            "larger": self.larger,
            "smaller": self.smaller,
        }
        for scale, losses in by_scale.items():
            if all(clearly_lower(losses, others) for other, others in by_scale.items() if other != scale):
                return scale
        return None

    @property
    def blind(self) -> bool:
        """Whether a caption costs no less with its own picture than with another's, though the model knows captions."""
        return self.known and not clearly_lower(self.own, self.another)

    def told(self) -> Iterator[str]:
        """The losses, in a sentence."""
        yield (
            f"loss on {len(self.own)} captioned pictures: {mean(self.own):.3g} as they are read now, "
            f"{mean(self.larger):.3g} with image rows sqrt(hidden) times as large, {mean(self.smaller):.3g} with "
            f"rows as much smaller, {mean(self.another):.3g} with another's picture; {self.chance:.3g} is chance"
        )


def clearly_lower(losses: Sequence[float], others: Sequence[float]) -> bool:
    """Whether `losses` are lower than `others`, pair by pair, by more than accident."""
    apart = [other - loss for loss, other in zip(losses, others, strict=True)]
    error = stdev(apart) / math.sqrt(len(apart))
    return mean(apart) > max(LEAST, SHARE * mean(others), CLEAR * error)


def measure_sight(engine: TransformersEngine, tile: int) -> PictureLosses:
    """The losses of an opened model. Raises EngineError when a prompt fails."""
    pictures = captioned(PICTURES, tile)
    root = math.sqrt(engine.model.config.text_config.hidden_size)
    own = _losses(engine, pictures)
    shifted = [
        Captioned(after.picture, picture.caption)
        for picture, after in zip(pictures, pictures[1:] + pictures[:1], strict=True)
    ]
    with scaled(engine.model, root):
        larger = _losses(engine, pictures)
    with scaled(engine.model, 1 / root):
        smaller = _losses(engine, pictures)
    chance = math.log(engine.model.config.text_config.vocab_size)
    return PictureLosses(own, _losses(engine, shifted), larger, smaller, chance)


def findings_of(sight: PictureLosses, untrained: bool) -> Iterator[Finding]:
    """What the losses say is wrong, but for the scale. `untrained`: the text model holds random numbers."""
    if untrained:
        return
    if not sight.known:
        yield Finding(
            "error",
            "text-lost",
            f"captions cost {mean(sight.own):.3g} a token, {sight.chance:.3g} is "
            "chance: the text model does not know its language; weights, their order or config.json are not "
            "those that it was trained with",
            "compare config.json and weights with the original, or download again",
        )
    elif sight.blind:
        yield Finding(
            "error",
            "blind",
            f"captions cost {mean(sight.own):.3g} a token with their own picture and "
            f"{mean(sight.another):.3g} with another: the model does not see",
            "compare vision tower and projector with the original, or download again",
        )


@contextmanager
def scaled(model: Any, factor: float) -> Iterator[None]:
    """Image rows multiplied by `factor`: what the projector gives, and image_newline."""
    inner = model.model
    hook = inner.multi_modal_projector.register_forward_hook(lambda module, given, rows: rows * factor)
    newline = getattr(inner, "image_newline", None)
    kept = None if newline is None else newline.data
    try:
        if newline is not None:
            newline.data = newline.data * factor
        yield
    finally:
        hook.remove()
        if newline is not None:
            newline.data = kept


def _losses(engine: TransformersEngine, pictures: Sequence[Captioned]) -> tuple[float, ...]:
    asked = [
        prepared_prompt(str(number), QUESTION, picture.caption, picture.picture)
        for number, picture in enumerate(pictures)
    ]
    found = scores(engine, asked)
    losses = [-mean(found[str(number)]) for number in range(len(pictures))]
    return tuple(loss if math.isfinite(loss) else math.inf for loss in losses)
