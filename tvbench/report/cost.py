"""What a run cost, in a line for people: `4.1 M tokens in, 0.2 M out, 12 min, $3.10`. Computes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from tvbench.analysis.cost import Cost, RunCost

LEAST = 0.0005
"""Dollars; less is not told apart."""


def cost_lines(cost: RunCost) -> list[str]:
    """The run in a line, and what else a person should know of it."""
    whole = cost.whole
    line = ", ".join(_parts(whole, cost))
    judged = [f"judge {name}: {', '.join(_parts(one))}" for name, one in cost.judges.items()]
    scored = [f"{name}: {count:,} segments in {time_text(seconds)}" for name, (count, seconds) in cost.comet.items()]
    return ["; ".join([line, *judged, *scored]), *_remarks(whole, cost)]


def dollars_text(dollars: float | None) -> str:
    """`$3.10`; of less than ten cents two digits that say something; a dash where nothing is known."""
    if dollars is None:
        return "–"
    if dollars == 0 or dollars >= 0.1:
        return f"${dollars:,.2f}"
    return f"${dollars:.2g}" if dollars >= LEAST else f"<${LEAST:g}"


def count_text(count: float) -> str:
    """`4.1 M`, `12 k`, `740`."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= 0.9995 * size:
            return f"{count / size:.{0 if count >= 99.5 * size else 1}f}{unit}"
    return f"{count:.0f}"


def time_text(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _parts(cost: Cost, run: RunCost | None = None) -> Iterator[str]:
    spent = cost.spent
    if spent.counted or not spent.answers:
        thinking = f" ({count_text(spent.tokens_thinking)} of them thinking)" if spent.tokens_thinking else ""
        yield f"{count_text(spent.tokens_in)} tokens in, {count_text(spent.tokens_out)} out{thinking}"
    else:
        yield "tokens not known"
    if run is not None and spent.answers:
        yield "time not known" if cost.seconds is None else time_text(cost.seconds)
    if cost.dollars is not None:
        yield dollars_text(cost.dollars)


def _remarks(whole: Cost, cost: RunCost) -> Iterator[str]:
    spent = whole.spent
    if whole.reused:
        yield f"{whole.reused:,} answers of other runs cost nothing"
    if spent.uncounted:
        yield f"{spent.uncounted:,} of {spent.answers:,} answers came without a number of tokens"
    if whole.dollars is not None and whole.unpriced:
        yield f"{whole.unpriced:,} of {spent.answers:,} answers are not in the {dollars_text(whole.dollars)}"
    if whole.seconds is not None and cost.untimed:
        yield f"the time of {cost.untimed} of {cost.sessions} sessions is not known, and not counted"
    if cost.again.spent.answers and whole.spent.answers:
        again = ", ".join(_parts(cost.again))
        yield f"{cost.again.spent.answers} stored questions asked again, to see that the model is the same: {again}"
    yield from cost.problems
