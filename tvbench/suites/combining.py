"""From a suite to its combinations: each model with each combination of the matrix's values, what `include` adds, and
what `exclude` leaves out. Pure; asks no catalog and reads no data.

An option is taken from where it is said last: the suite's `options`, the model, the matrix, the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from tvbench.errors import UsageError
from tvbench.runs.run_options import Options, listed
from tvbench.suites.declaration import RENAMED, Suite

OWN = {typed: name for name, typed in RENAMED.items()}
MOST_RUNS = 10_000
GRADERS = {
    "judge": {"judge", "rubric", "check", "planted", "asks", "price", "budget", "judge_thinking_tokens"},
    "comet": {"comet"},
}
"""Who grades a run as a whole, which no shard is, with what is said of it."""


@dataclass(frozen=True, slots=True)
class Given:
    """What was typed next to a suite: `models`, `tasks` and `languages` in place of its own, and options that go before
    all others."""

    models: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leaving:
    """What is left out of a run: these tasks (none: all of them) in these languages (none: all of them)."""

    tasks: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Combination:
    """A run of a suite: `number` is its model's, by which runs share an engine; `variation` are the values of the
    matrix (or of an included run), `given` whether the model was typed and is not the suite's; `later`: who grades it
    (judge, comet) when all shards are done."""

    number: int
    model: str
    tasks: tuple[str, ...]
    options: Options
    variation: Mapping[str, Any] = field(default_factory=dict)
    leaving: tuple[Leaving, ...] = ()
    given: bool = False
    later: tuple[str, ...] = ()

    @property
    def called(self) -> str:
        """`tower-mini, protocol paper`: which run it is, for a person."""
        return ", ".join([self.options.label or self.model, *variation_words(self.variation)])


def variation_words(variation: Mapping[str, Any]) -> list[str]:
    """`["protocol paper", "mini.level 2"]`."""
    flat: dict[str, Any] = {}
    for name, value in variation.items():
        flat |= flat_settings(value) if name == "set" else {name: value}
    return [_words(name, value) for name, value in flat.items()]


def _words(name: str, value: Any) -> str:
    if name == "no_image" and value is not None:
        return "no image" if value else "with image"
    return f"{name.replace('_', ' ')} {_said(value)}"


def _said(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "default", True: "yes", False: "no"}[value]
    return str(value)


def combinations(suite: Suite, given: Given = Given()) -> list[Combination]:
    """The runs of `suite`, model by model. Raises UsageError where there is no model or no task, and for options that
    cannot be."""
    models = [{"model": name} for name in given.models] or [dict(model) for model in suite.models]
    models, more = _with_included(models, suite, given)
    if not models:
        raise UsageError(f"suite {suite.name} names no model", f"--model a,b: `tvbench run {suite.name} --model NAME`")
    count = len(models)
    for values in suite.matrix.values():
        count *= len(values)
    if count > MOST_RUNS:
        raise UsageError(f"suite {suite.name} has {count:,} runs", f"at most {MOST_RUNS:,}: split it")
    found = [run for number, model in enumerate(models) for run in _of_model(suite, given, number, model, more)]
    if not found:
        raise UsageError(f"suite {suite.name}: `exclude` leaves nothing", "leave one of its entries out")
    return found


def _with_included(
    models: list[dict[str, Any]], suite: Suite, given: Given
) -> tuple[list[dict[str, Any]], list[tuple[str | None, Mapping[str, Any]]]]:
    """The models with those that only `include` names, and its entries with their models; of typed models, only what
    is meant for all."""
    more: list[tuple[str | None, Mapping[str, Any]]] = []
    for entry in suite.include:
        name = entry.get("model")
        if name is not None and not any(_is(model, name) for model in models):
            if given.models:
                continue
            models = [*models, {"model": name, "only_included": True}]
        more.append((name, entry))
    return models, more


def _is(model: Mapping[str, Any], name: str) -> bool:
    return name in (model["model"], model.get("label"))


def _of_model(
    suite: Suite,
    given: Given,
    number: int,
    model: Mapping[str, Any],
    more: Sequence[tuple[str | None, Mapping[str, Any]]],
) -> Iterator[Combination]:
    """The runs of one model: those of the matrix, then the included ones."""
    variations = [dict(zip(suite.matrix, values, strict=True)) for values in product(*suite.matrix.values())]
    for variation in [] if model.get("only_included") else variations:
        run = _run(suite, given, number, model, variation, suite.tasks, suite.languages)
        if run is not None:
            yield run
    for name, entry in more:
        if name is None or _is(model, name):
            own = {key: value for key, value in entry.items() if key not in ("model", "tasks", "languages")}
            tasks, languages = entry.get("tasks") or suite.tasks, entry.get("languages") or suite.languages
            run = _run(suite, given, number, model, own, tasks, languages)
            if run is not None:
                yield run


def _run(
    suite: Suite,
    given: Given,
    number: int,
    model: Mapping[str, Any],
    variation: Mapping[str, Any],
    tasks: Sequence[str],
    languages: Sequence[str],
) -> Combination | None:
    """One run; None where `exclude` leaves out all of it. Raises UsageError."""
    leaving = [entry for entry in suite.exclude if _meant(entry, model, variation)]
    if any(not entry.get("tasks") and not entry.get("languages") for entry in leaving):
        return None
    asked = given.tasks or tuple(tasks)
    if not asked:
        raise UsageError(f"suite {suite.name} names no task", "add `tasks: [alm]` to it, or --tasks alm")
    own = {key: value for key, value in model.items() if key not in ("model", "only_included")}
    layers = [dict(suite.options), own, dict(variation), dict(given.options)]
    found = merged(layers)
    later = tuple(name for name in GRADERS if name in found and name not in given.options and "shard" in found)
    for name in later:
        found = {option: value for option, value in found.items() if option not in GRADERS[name]}
    try:
        options = Options(**found, languages=given.languages or tuple(languages))
    except UsageError as error:
        raise UsageError(f"suite {suite.name}, {model['model']}: {error.message}", error.hint) from error
    left = tuple(Leaving(tuple(e.get("tasks") or ()), tuple(e.get("languages") or ())) for e in leaving)
    typed = bool(given.models)
    return Combination(number, str(model["model"]), asked, options, dict(variation), left, typed, later)


def _meant(entry: Mapping[str, Any], model: Mapping[str, Any], variation: Mapping[str, Any]) -> bool:
    """Whether an entry of `exclude` is about the run of this model and these values."""
    values = {key: value for key, value in entry.items() if key not in ("model", "tasks", "languages")}
    if "model" in entry and not _is(model, entry["model"]):
        return False
    return all(key in variation and same(variation[key], value) for key, value in values.items())


def same(one: Any, other: Any) -> bool:
    """Whether two values of an option are one; of settings, however they are written."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return flat_settings(one) == flat_settings(other)
    return type(one) is type(other) and bool(one == other)


def merged(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Options by the names that Options has: the last layer that says one counts, settings are joined. None leaves an
    option to its default."""
    found: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for layer in layers:
        for typed, value in layer.items():
            if OWN.get(typed, typed) == "settings":
                settings |= flat_settings(value)
            else:
                found[typed] = value
    given = {name: value for name, value in found.items() if value is not None}
    return given | ({"settings": settings} if settings else {})


def flat_settings(value: Any) -> dict[str, Any]:
    """Settings as {"task.key": value}, from either form of YAML, or as they were typed. Raises UsageError."""
    if isinstance(value, Mapping):
        return {
            f"{task}.{key}" if key else task: inner
            for task, of_task in value.items()
            for key, inner in (of_task.items() if isinstance(of_task, Mapping) else [("", of_task)])
        }
    pairs = listed(value, "set") if isinstance(value, str) else tuple(value or ())
    for pair in pairs:
        if "=" not in pair:
            raise UsageError(f"--set {pair} is not of the form task.key=value", "for example --set vimul.frames=16")
    return {name: text for name, _, text in (pair.partition("=") for pair in pairs)}
