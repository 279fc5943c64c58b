"""The graders that a run names (`--judge`, `--comet`): checked before anything is read, asked when it is answered.

Knows judges, COMET and the options of a run; scores nothing itself, but has the run scored again (`rescore`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from tvbench.runs.listening import Listener, PhaseWatch
from tvbench.runs.run_options import SHARED, Options
from tvbench.runs.store import RunFolder
from tvbench.types import ModelCard, TaskResult

if TYPE_CHECKING:
    from tvbench.graders.judge.asking import JudgeAsk

Rescore: TypeAlias = Callable[[RunFolder], list[TaskResult]]


def check_graders(options: Options) -> None:
    """A judge or a rubric that is not known is found before anything is read. Raises UsageError."""
    from tvbench.graders.judge.asking import check_judge

    if options.judge is not None:
        check_judge(_judge_ask(options, options.judge))


def require_graders(options: Options) -> None:
    """A judge's engine or a COMET that is not installed is found before the first answer, not after the last."""
    from tvbench.graders.judge.asking import require_judge

    if options.judge is not None:
        require_judge(_judge_ask(options, options.judge))
    if options.comet is not None:
        from tvbench.registry.environments import comet_python

        comet_python()


def grade(
    folder: RunFolder, options: Options, results: list[TaskResult], listener: Listener, rescore: Rescore
) -> tuple[bool, list[TaskResult]]:
    """Have an answered run graded by whom its options name: whether all of it is, and its figures then."""
    graded = True
    if options.judge is not None:
        graded, results = _judge(folder, _judge_ask(options, options.judge), results, listener, rescore)
    if options.comet is not None:
        scored, results = _comet(folder, options, results, listener, rescore)
        graded = graded and scored
    return graded, results


def _judge_ask(options: Options, judge: str | ModelCard) -> JudgeAsk:
    """The engine's settings are the judged model's; its judge gets its own defaults, and what both share."""
    from tvbench.graders.judge.asking import JudgeAsk

    shared = {name: value for name, value in options.engine_arguments.items() if name in SHARED}
    return JudgeAsk(
        judge,
        options.rubric,
        options.check,
        options.asks,
        options.price,
        options.budget,
        thinking_tokens=options.judge_thinking_tokens,
        arguments=shared,
        shared=True,
        offline=options.offline,
        planted=options.planted,
    )


def _judge(
    folder: RunFolder, asked: JudgeAsk, results: list[TaskResult], listener: Listener, rescore: Rescore
) -> tuple[bool, list[TaskResult]]:
    """Have the open answers graded, where there are any."""
    from tvbench.graders.judge.asking import ask_judge, plan_judging

    sessions = [session for session in plan_judging(folder, asked) if any(case.counts for case in session.cases)]
    if not sessions:
        listener.say("no open answers, so nothing needs a judge (`tvbench judge RUN` checks one on exact items)")
        return True, results
    try:
        outcomes = ask_judge(sessions, asked, listener)
    finally:
        results = rescore(folder)
    return all(outcome.complete for outcome in outcomes), results


def _comet(
    folder: RunFolder, options: Options, results: list[TaskResult], listener: Listener, rescore: Rescore
) -> tuple[bool, list[TaskResult]]:
    """Have the translations scored by COMET, where the run has any."""
    from tvbench.graders.comet.session import score_run, summary_lines
    from tvbench.scoring.metrics import label
    from tvbench.types import Translation

    if not any(isinstance(item.target, Translation) for _, item in folder.requests()):
        listener.say("no translations: nothing for COMET to score")
        return True, results
    with PhaseWatch(listener, "comet") as watch:
        summary = score_run(folder, options.comet or "", offline=options.offline, watch=watch)
    for line, detail in summary_lines(summary, label(summary.metric)):
        listener.say(line, detail=detail)
    return summary.complete, rescore(folder)
