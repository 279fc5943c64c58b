"""Which judge grades which answers of a run, by which rubric: every decision of `tvbench judge`, before and while it
asks.

Knows the catalog, run folders and judges; prints nothing, and scores nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tvbench.errors import UsageError
from tvbench.runs.listening import Listener, PhaseWatch
from tvbench.types import ModelCard

if TYPE_CHECKING:
    from tvbench.engines.open import Chosen
    from tvbench.graders.judge.rubric import Rubric
    from tvbench.graders.judge.session import Judged, JudgeOptions, Judging
    from tvbench.graders.judge.spend import Spend
    from tvbench.runs.store import RunFolder
    from tvbench.types import Item, Response

Opened = TypeVar("Opened")


@dataclass(frozen=True, slots=True)
class JudgeAsk:
    """Who grades, and how: one field for each option of `tvbench judge`. `check`: exact items of each language that are
    judged too, `all` or a number (None: 20); `planted`: open answers of known worth for each language (None: up to 40,
    and no more than it has open answers); `price`: dollars for a million tokens, in and out; `budget`: dollars;
    `thinking_tokens`: for a judge that thinks, beside its reply's own.
    `arguments` are for the engine; `shared`: with the model that is judged, so that what the judge's engine does not
    have is not its own."""

    judge: str | ModelCard
    rubric: str | None = None
    check: int | str | None = None
    asks: int = 5
    price: str | tuple[float, float] | None = None
    budget: float | None = None
    thinking_tokens: int | None = None
    engine: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    shared: bool = False
    offline: bool = False
    planted: int | None = None

    @property
    def card(self) -> ModelCard:
        """Raises UsageError for a model that is not known."""
        from tvbench.registry.catalog import resolve_model
        from tvbench.registry.thinking import asked_to_think

        card = self.judge if isinstance(self.judge, ModelCard) else resolve_model(self.judge)
        return asked_to_think(card, None, self.thinking_tokens)

    def chosen(self) -> Chosen:
        """The judge's engine and its arguments. Raises UsageError for those that it does not have."""
        from tvbench.engines.open import choose, choose_engine
        from tvbench.engines.registry import engine

        card, given = self.card, dict(self.arguments)
        if self.shared:
            spec = engine(choose_engine(card, self.engine))
            given = {name: value for name, value in given.items() if spec.option(name)}
        return choose(card, self.engine, given)


def check_judge(ask: JudgeAsk) -> None:
    """A judge or a rubric that is not known is found before anything is read. Raises UsageError."""
    from tvbench.graders.judge.rubric import choose_rubric

    ask.chosen()
    judge_options(ask, ask.card)
    choose_rubric(ask.rubric, "", "")


def require_judge(ask: JudgeAsk) -> None:
    """Raises UsageError where the judge's engine is not installed."""
    from tvbench.engines.open import require_engine

    require_engine(ask.chosen().name)


def judge_options(ask: JudgeAsk, card: ModelCard, languages: Iterable[str] = ()) -> JudgeOptions:
    """How judging goes. Raises UsageError."""
    from tvbench.graders.judge.session import JudgeOptions
    from tvbench.graders.judge.spend import prices_of

    price = ask.price if ask.price is None or isinstance(ask.price, str) else ",".join(map(str, ask.price))
    return JudgeOptions(
        checked=_checked(ask.check),
        planted=ask.planted,
        languages=frozenset(languages),
        asks=ask.asks,
        prices=prices_of(price, card),
        budget=ask.budget,
    )


def _checked(given: int | str | None) -> int | None:
    from tvbench.graders.judge.cases import CHECKED

    if given is None or given == "all":
        return CHECKED if given is None else None
    text = str(given).strip()
    if not text.isdecimal() or isinstance(given, bool):
        raise UsageError(
            f"--check {given}: '{text}' is not a whole number", "a number of items of each language, or all"
        )
    return int(text)


def plan_judging(
    run: RunFolder, ask: JudgeAsk, *, tasks: Sequence[str] = (), languages: Sequence[str] = (), dry: bool = False
) -> list[Judging]:
    """A session for each rubric that the run's tasks need. Raises UsageError where there is nothing to judge."""
    from tvbench.engines.open import require_engine
    from tvbench.graders.judge.record import judge_folders
    from tvbench.graders.judge.rubric import choose_rubric
    from tvbench.graders.judge.session import Judging
    from tvbench.registry.hub import pinned, pinned_if_here
    from tvbench.registry.prices import price_given, priced
    from tvbench.runs.answered import answered, languages_called
    from tvbench.runs.serving import identified

    chosen = ask.chosen()
    card = pinned_if_here(chosen.card) if dry else pinned(chosen.card, offline=ask.offline)
    card = priced(card, price_given(ask.price))
    who = identified(card, judge_folders(run))
    asked = answered(run, tasks)
    codes = languages_called(languages, {item.language for task in asked.values() for item in task.items.values()})
    by_rubric: dict[str, tuple[Rubric, dict[str, list[tuple[Item, Response]]]]] = {}
    for name, task in asked.items():
        rubric = choose_rubric(ask.rubric, name, task.entry.protocol)
        by_rubric.setdefault(rubric.label, (rubric, {}))[1][name] = task.replies
    options = judge_options(ask, card, codes)
    sessions = [
        made
        for rubric, answers in by_rubric.values()
        if (made := Judging(run, answers, who.card, rubric, chosen.name, options, chosen.arguments)).cases
    ]
    if not sessions:
        raise UsageError(
            f"{run.name} has no answers that a judge could grade",
            "open-ended, multiple-choice and short answers can be judged; translations have COMET",
        )
    if not dry and any(session.missing() for session in sessions):
        require_engine(chosen.name)
        who.require()
    return sessions


def ask_judge(sessions: Sequence[Judging], ask: JudgeAsk, listener: Listener) -> list[Judged]:
    """Hold the sessions one after another. What was judged is stored, whatever ends it. Raises EngineError, StoreError."""  # noqa: E501
    from tvbench.engines.open import EngineOptions, open_engine

    outcomes: list[Judged] = []
    for session in sessions:
        session.share_budget(other for other in sessions if other is not session)
        with PhaseWatch(listener, "judge") as watch:
            options = EngineOptions(session.arguments, ask.offline)
            opening = partial(open_engine, session.engine, session.card, options=options)
            outcome = session.ask(partial(_opened, opening, session.card.name, watch), watch)
        outcomes.append(outcome)
        for line, detail in judged_lines(outcome):
            listener.say(line, detail=detail)
    return outcomes


def _opened(open_it: Callable[[], Opened], name: str, watch: PhaseWatch) -> Opened:
    watch.opening(name)
    engine = open_it()
    watch.opened()
    return engine


def judged_lines(outcome: Judged) -> list[tuple[str, bool]]:
    """What became of a session in words, and of each line whether it is a detail."""
    spend = _spend_text(outcome.spend)
    lines = [(f"judged {outcome.scored} of {outcome.cases}; {spend}; stored in {outcome.folder}", True)]
    lines += [
        (f"unscored {count}x: {REASONS.get(reason, reason)}", False)
        for reason, count in sorted(outcome.problems.items(), key=lambda pair: -pair[1])
    ]
    if outcome.too_dear:
        said = "1 answer" if outcome.too_dear == 1 else f"{outcome.too_dear} answers"
        lines.append(
            (
                f"the budget is used up: {said} could cost more than what is left of it; "
                "the same command with a higher --budget goes on",
                False,
            )
        )
    return lines


REASONS = {
    "refusal": "the judge refused",
    "unparsable": "the judge's reply could not be read",
    "empty": "the judge's reply was empty (one that thinks aloud needs --judge-thinking-tokens N)",
    "failed": "no reply came; the same command asks again",
    "not asked": "not asked",
}


def _spend_text(spend: Spend) -> str:
    text = f"{spend.replies} replies in {spend.tries} tries, {spend.tokens_in:,} tokens in, {spend.tokens_out:,} out"
    if spend.guessed:
        text += f" ({spend.guessed} without a count: estimated)"
    if spend.dollars is not None:
        text += f", ${spend.dollars:.4f}"
    if spend.lost:
        most = f", counted as ${spend.reserved:.4f} at most" if spend.dollars is not None else ""
        text += f"; {spend.lost} more were under way when it was stopped{most}"
    return text
