"""Short free answers and open-ended ones. Knows neither translation nor options."""

from __future__ import annotations

from tvbench.scoring.normalise import is_blank, normalise, without_markdown
from tvbench.types import NEEDS_JUDGE, NO_GOLD, Item, Open, Score, Short


def empty_flag(text: str) -> tuple[str, ...]:
    """`empty` for an answer that shows nothing."""
    return ("empty",) if is_blank(text) else ()


def score_short(item: Item, target: Short, text: str) -> Score:
    """`accuracy` is 1 where the reply equals one of the answers after normalisation. No answers: unscored."""
    flags = empty_flag(text)
    if not target.answers:
        return Score(item.id, flags=flags, unscored=NO_GOLD)
    reply = normalise(without_markdown(text))
    right = not flags and any(reply == normalise(without_markdown(answer)) for answer in target.answers)
    return Score(item.id, {"accuracy": float(right)}, flags)


def score_open(item: Item, target: Open, text: str) -> Score:
    """An open-ended answer is never guessed at: it stays unscored until a judge reads it."""
    return Score(item.id, flags=empty_flag(text), unscored=NEEDS_JUDGE)
