"""What a check lets pass: margins by task, language and metric, diagnoses, what must not fall and what may differ.

A policy is a small YAML or JSON file that a person writes, or the same inside a baseline. It is held to declarations
here, whose schema editors can use; a wrong key is told with the nearest right one. Knows files within bounds; no run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

from tvbench.analysis.regression.standing import DIAGNOSES, Measure
from tvbench.errors import UsageError, unknown_name
from tvbench.languages import code_of, is_language
from tvbench.safety.bounded import read_yaml
from tvbench.safety.fitting import ABOVE_0, AT_LEAST_0, Rule, build, fitted_fields
from tvbench.safety.schema import Schema, document, schema_of
from tvbench.scoring.metric import FRACTION, PERCENT, POINTS

MARGIN, RESOLUTION, LEVEL = 1.0, 5.0, 0.05
LEVELS = Rule(lambda value: 0.0005 <= value <= 0.5, "0.0005 to 0.5", {"minimum": 0.0005, "maximum": 0.5})
RISES: Mapping[str, float] = {"failed": 0.0, **{name: 2.0 for name in DIAGNOSES if name != "failed"}}
"""By how many points the share of answers with a diagnosis may rise."""
NEW_LINE = "a policy is `margin: 1`, `resolution: 5`, ...: docs/gate.md lists the keys"


@dataclass(frozen=True)
class Bounds:
    """`margin`: a fall of so many points passes; `resolution`: a larger one has to be ruled out before it says pass."""

    margin: Annotated[float, AT_LEAST_0] | None = None
    resolution: Annotated[float, ABOVE_0] | None = None


@dataclass(frozen=True)
class TaskBounds(Bounds):
    """The same for one task; `languages` hold it for single languages of the task."""

    languages: Mapping[str, Bounds] = field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """What a check lets pass. Points are those of tables: percent for accuracies, BLEU's own for BLEU; of a metric in a
    unit of its own, `margin` and `resolution` at the top are percent of the baseline's figure."""

    margin: Annotated[float, AT_LEAST_0] = MARGIN
    resolution: Annotated[float, ABOVE_0] = RESOLUTION
    level: Annotated[float, LEVELS] = LEVEL
    strict: bool = False
    tasks: Mapping[str, TaskBounds] = field(default_factory=dict)
    languages: Mapping[str, Bounds] = field(default_factory=dict)
    metrics: Mapping[str, Bounds] = field(default_factory=dict)
    must_not_fall: tuple[str, ...] = ()
    diagnoses: Mapping[str, Annotated[float, AT_LEAST_0] | None] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    may_differ: tuple[str, ...] = ()
    min_items: Annotated[int, AT_LEAST_0] = 0

    def bounds(self, task: str, language: str, measure: Measure, before: float) -> tuple[float, float]:
        """(Margin, resolution) of a figure, in the metric's own unit; the nearest rule that speaks holds."""
        mine = self.tasks.get(task, TaskBounds())
        rules = [mine.languages.get(language), self.languages.get(language), mine, self.metrics.get(measure.id)]
        margin = _first(rules, "margin")
        resolution = _first(rules, "resolution")
        if language in self.must_not_fall:
            margin = 0.0
        unit = str(measure.facts.get("unit", ""))
        single, general = 1 / PERCENT if unit == FRACTION else 1.0, 1 / PERCENT if unit == FRACTION else 1.0
        if unit not in (FRACTION, POINTS):
            general = abs(before) / PERCENT
        found = margin * single if margin is not None else self.margin * general
        limit = resolution * single if resolution is not None else self.resolution * general
        return found, max(limit, found)

    def rise(self, diagnosis: str) -> float | None:
        """By what share a diagnosis may rise; None where it is not looked at."""
        allowed = self.diagnoses.get(diagnosis, RISES[diagnosis])
        return None if allowed is None else allowed / PERCENT

    def ignores(self, task: str, language: str = "") -> bool:
        """Whether a task, a language, or one of a task (`task/language`), is left out of the check."""
        names = {task, f"{task}/{language}", language} if language else {task}
        return not names.isdisjoint(self.ignore)

    def plain(self) -> dict[str, Any]:
        """What differs from the defaults, as a file has it."""
        usual = asdict(Policy())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}


def _first(rules: Iterable[Bounds | None], name: str) -> float | None:
    return next((value for rule in rules if rule is not None and (value := getattr(rule, name)) is not None), None)


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────


def read_policy(path: Path) -> Policy:
    """Raises UsageError with the place of what is wrong."""
    try:
        data = read_yaml(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a policy: {error}", NEW_LINE) from error
    if data is None:
        return Policy()
    if not isinstance(data, Mapping):
        raise UsageError(f"{path} is no policy: it must be a mapping", NEW_LINE)
    return policy_of(data, str(path))


def any_policy(given: Policy | Mapping[str, Any] | Path | str | None) -> Policy | None:
    """A policy by whatever names it: a file, its mapping, itself. Raises UsageError."""
    if given is None or isinstance(given, Policy):
        return given
    return policy_of(given) if isinstance(given, Mapping) else read_policy(Path(given))


def policy_of(data: Mapping[str, Any], place: str = "policy") -> Policy:
    """A policy from plain values. Raises UsageError."""
    made = build(Policy, data, place)
    tasks = {
        name: TaskBounds(**{**rule, "languages": _by_code(rule.get("languages", {}), f"{place}.tasks.{name}")})
        for name, rule in _plain(made.tasks).items()
    }
    for name in made.diagnoses:
        if name not in DIAGNOSES:
            raise unknown_name(f"diagnosis of {place}", name, DIAGNOSES)
    return replace(
        made,
        tasks=tasks,
        languages=_by_code(_plain(made.languages), f"{place}.languages"),
        metrics={name: Bounds(**rule) for name, rule in _plain(made.metrics).items()},
        must_not_fall=tuple(_code(name) for name in made.must_not_fall),
        ignore=tuple("/".join(_code(part) for part in name.split("/")) for name in made.ignore),
    )


def changed(policy: Policy, changes: Mapping[str, Any]) -> Policy:
    """With what was typed beside it. A resolution below the margin is the margin. Raises UsageError."""
    return replace(policy, **build_values(changes))


def build_values(changes: Mapping[str, Any]) -> dict[str, Any]:
    """`changes` as fields of a policy have them. Raises UsageError."""
    return fitted_fields(Policy, changes, "")


def _plain(rules: Any) -> dict[str, dict[str, Any]]:
    return dict(rules)


def _by_code(rules: Mapping[str, Any], place: str) -> dict[str, Bounds]:
    found: dict[str, Bounds] = {}
    for name, rule in rules.items():
        if _code(name) in found:
            raise UsageError(f"{place}: {name} is named twice", "one language has one rule")
        found[_code(name)] = Bounds(**rule)
    return found


def _code(name: str) -> str:
    """A language's code where `name` is one's name; else as it stands (a task, or a code of the data's own)."""
    return code_of(name) if is_language(name) else name


def check_names(policy: Policy, tasks: Mapping[str, Iterable[str]], metrics: Iterable[str]) -> None:
    """Hold the names in a policy against a baseline's tasks with their languages, and metrics. Raises UsageError for
    one that is not there: a rule that holds for nothing is a mistake."""
    languages = {code for codes in tasks.values() for code in codes}
    for name in policy.tasks:
        if name not in tasks:
            raise unknown_name("task in the policy", name, tasks)
    inner = [code for name, rule in policy.tasks.items() for code in rule.languages if code not in set(tasks[name])]
    for code in (*inner, *policy.languages, *policy.must_not_fall):
        if code in inner or code not in languages:
            raise unknown_name("language in the policy", code, languages, "no task of the baseline has it")
    for name in policy.metrics:
        if name not in set(metrics):
            raise unknown_name("metric in the policy", name, metrics)
    known = {*tasks, *languages, *(f"{task}/{code}" for task, codes in tasks.items() for code in codes)}
    for name in policy.ignore:
        if name not in known:
            raise unknown_name("task or language to ignore", name, known)


def policy_schema() -> Schema:
    """For editors: `# yaml-language-server: $schema=...`."""
    schema = schema_of(Policy)
    schema["properties"]["diagnoses"]["propertyNames"] = {"enum": sorted(DIAGNOSES)}
    return document("tvbench's policy of a check", schema)


KEYS = tuple(one.name for one in fields(Policy))
