"""From combinations to runs that are ready to be asked, all of them before the first question.

What is misspelt (a model, a task, a language, a protocol, a setting) is found without reading data; then everything is
planned. Whatever is wrong with names and data ends the suite; a server that is away is its own model's failure. Knows
the plan of one run; opens no engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tvbench.errors import EngineError, UsageError
from tvbench.languages import code_of
from tvbench.registry.declared import codes_in
from tvbench.runs.asking import Ready, Say, asked_of, selected
from tvbench.runs.run_options import Options, listed
from tvbench.suites.combining import Combination, Leaving, flat_settings
from tvbench.suites.declaration import Suite
from tvbench.types import BuildOptions, ModelCard, Task

Asked = list[tuple[Task, BuildOptions]]
MakeReady = Callable[[ModelCard, Asked, Options], Ready]


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """A combination that is ready; `card` is its model as it was found, `problem` why its model cannot be asked."""

    combination: Combination
    card: ModelCard
    asked: tuple[tuple[Task, BuildOptions], ...]
    ready: Ready | None = None
    problem: str = ""


def check_names(suite: Suite, runs: Sequence[Combination], say: Say) -> list[SuiteRun]:
    """The combinations with their models and tasks found, held against what is declared; what an earlier one of the
    same model asks in the same way is left out. Reads no data. Raises UsageError."""
    cards: dict[str, ModelCard] = {}
    found: list[SuiteRun] = []
    seen: set[tuple[Any, ...]] = set()
    once = _Once(say)
    for run in runs:
        if run.model not in cards:
            cards[run.model] = _card(run.model, suite)
        asked, options = asked_tasks(run, once)
        new = [pair for pair in asked if _key(run, options, pair) not in seen]
        seen.update(_key(run, options, pair) for pair in asked)
        if new:
            found.append(SuiteRun(replace(run, options=_judged(options, suite)), cards[run.model], tuple(new)))
    if not found:
        raise UsageError(f"suite {suite.name} asks nothing: no task is left", "look at its `exclude` and languages")
    return found


def plan_all(runs: Iterable[SuiteRun], make_ready: MakeReady) -> list[SuiteRun]:
    """Every run with everything that it will ask, each once. Raises UsageError, naming the run."""
    planned: dict[str, SuiteRun] = {}
    for run in runs:
        called = run.combination.called
        try:
            ready = make_ready(run.card, list(run.asked), run.combination.options)
            planned.setdefault(ready.plan.run_name, replace(run, ready=ready))
        except EngineError as error:
            planned.setdefault(called, replace(run, problem=str(error)))
        except UsageError as error:
            raise UsageError(f"{called}: {error.message}", error.hint) from error
    return list(planned.values())


class _Once:
    """Says a line the first time only: many runs have the same to say."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.said: set[str] = set()

    def __call__(self, line: str) -> None:
        if line not in self.said:
            self.said.add(line)
            self.say(line)


def _card(model: str, suite: Suite) -> ModelCard:
    from tvbench.registry.catalog import resolve_model

    card = resolve_model(model)
    return replace(card, nearby=True) if suite.nearby and card.kind == "server" else card


def _judged(options: Options, suite: Suite) -> Options:
    """A judge that only a file of the working directory names gets no key either."""
    if not (suite.nearby and isinstance(options.judge, str)):
        return options
    return replace(options, judge=_card(options.judge, suite))


def _key(run: Combination, options: Options, pair: tuple[Task, BuildOptions]) -> tuple[Any, ...]:
    """What tells a task that is asked in another way from one that is asked again."""
    how = replace(options, settings=(), protocol=None, languages=())
    return run.number, repr(how), pair[0].name, repr(replace(pair[1], languages=tuple(sorted(pair[1].languages))))


# ── Tasks and languages of one run ────────────────────────────────────────────────────────────────


def asked_tasks(run: Combination, say: Say) -> tuple[Asked, Options]:
    """What is asked of which tasks, and the options with what concerns these tasks alone. Raises UsageError."""
    selection = selected(list(run.tasks), run.options.metric or "")
    gone = {name for leaving in run.leaving if not leaving.languages for name in _members(leaving.tasks, run.tasks)}
    selection = [(task, codes) for task, codes in selection if task.name not in gone]
    selection = _with_protocol(selection, run.options.protocol, say)
    if not selection:
        return [], run.options
    options = replace(run.options, settings=_settings(run.options, [task.name for task, _ in selection]))
    options = replace(options, languages=_measurable(listed(options.languages), [task for task, _ in selection], say))
    if run.options.languages and not options.languages and not any(codes for _, codes in selection):
        return [], options
    if run.options.languages and not options.languages:
        selection = [(task, codes) for task, codes in selection if codes]
    asked = asked_of(selection, options, say)
    for leaving in run.leaving:
        if leaving.languages:
            asked = [kept for pair in asked if (kept := _without(pair, leaving, run.tasks)) is not None]
    return asked, options


def _with_protocol(
    selection: list[tuple[Task, tuple[str, ...]]], protocol: str | None, say: Say
) -> list[tuple[Task, tuple[str, ...]]]:
    """Tasks with this protocol; where none has it, all of them, so that the error names what there is."""
    having = [pair for pair in selection if protocol is None or protocol in pair[0].protocols]
    if having and len(having) < len(selection):
        names = ", ".join(task.name for task, _ in selection if protocol not in task.protocols)
        say(f"note: no protocol {protocol} in {names}: left out of these runs")
    return having or selection


def _settings(options: Options, chosen: Sequence[str]) -> Mapping[str, Any]:
    """The settings of the tasks of this run; those of other tasks that there are do not concern it."""
    from tvbench.registry.catalog import groups, tasks

    flat = flat_settings(options.settings)
    members = {name: groups().get(name, (name,)) for name in {key.partition(".")[0] for key in flat}}
    elsewhere = {
        name for name, some in members.items() if not set(some) & set(chosen) and (name in groups() or name in tasks())
    }
    return {key: value for key, value in flat.items() if key.partition(".")[0] not in elsewhere}


def _measurable(names: Sequence[str], tasks: Sequence[Task], say: Say) -> tuple[str, ...]:
    """The languages that at least one of the tasks has. Raises UsageError for what is no language."""
    found = []
    for name in names:
        if any(_has(task, name) for task in tasks):
            found.append(name)
            continue
        code_of(name)
        say(f"note: {name}: no task of the suite has it")
    return tuple(found)


def _has(task: Task, name: str) -> bool:
    try:
        return bool(codes_in(task, name))
    except UsageError:
        return False


def _members(names: Sequence[str], texts: Sequence[str]) -> set[str]:
    """The tasks that an entry of `exclude` names: by name, by group, or as the run itself does. Raises UsageError."""
    return {task.name for name in names or texts for task, _ in selected(name)}


def _without(
    pair: tuple[Task, BuildOptions], leaving: Leaving, texts: Sequence[str]
) -> tuple[Task, BuildOptions] | None:
    """The task without the languages that are left out; None where none is left."""
    task, asked = pair
    if task.name not in _members(leaving.tasks, texts):
        return pair
    gone = {code for name in leaving.languages if _has(task, name) for code in codes_in(task, name)}
    named = {code for name in asked.languages for code in codes_in(task, name)} or set(task.languages)
    left = tuple(code for code in (asked.languages and sorted(named)) or task.languages if code not in gone)
    return (task, replace(asked, languages=left)) if left else None
