"""What kind of benchmark it is, and the metric that comes first: by the columns and the rows, or as somebody says.

What is not clear is an error that says what to type. Knows the survey; makes no item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tvbench.data.own.columns import Roles
from tvbench.data.own.declaration import Kind
from tvbench.data.own.survey import MOST_CLASSES, Survey
from tvbench.errors import UsageError

PRIMARY: Mapping[Kind, str] = {"choice": "aligned", "short": "accuracy", "text": "chrfpp", "open": "judge"}
METRICS: Mapping[Kind, tuple[str, ...]] = {
    "choice": ("aligned", "strict", "fragment"),
    "short": ("accuracy",),
    "text": ("chrfpp", "bleu"),
    "open": ("judge",),
}
KIND_OF: Mapping[str, Kind] = {
    **dict.fromkeys(("aligned", "strict", "casefold", "fragment"), "choice"),
    "accuracy": "short",
    **dict.fromkeys(("chrfpp", "bleu", "ter", "comet", "xcomet"), "text"),
    "judge": "open",
}
"""What a metric is for; others leave the kind to the rows."""
SAID: Mapping[Kind, str] = {
    "choice": "multiple choice",
    "short": "short answers",
    "text": "texts held against references",
    "open": "open questions, for a judge",
}
SPELT = {"chrf++": "chrfpp", "chrf": "chrfpp", "acc": "accuracy"}
SHORT, SHORT_MOST, LONG = 4, 8, 8
"""Words: a median of SHORT and a 90th percentile of SHORT_MOST make short answers, a median of LONG makes long ones."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """The kind, the metric that comes first, and `roles` as they are for that kind; `classes`: all answers are the
    options of each row. `why` is what tells it."""

    kind: Kind
    primary: str
    roles: Roles
    why: str
    classes: bool = False

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.primary, *METRICS[self.kind])))


def chosen(found: Survey, metric: str = "") -> Purpose:
    """What is asked, and how it is scored; `metric` is what was typed. Raises UsageError where that is not clear."""
    metric = SPELT.get((metric or found.said.metric).casefold(), metric or found.said.metric)
    said = KIND_OF.get(metric) or found.said.kind
    roles, why = _roles(found, said)
    classes = said in (None, "choice") and not roles.options and _are_classes(found, roles)
    kind = said or ("choice" if classes else _kind(found, roles, metric))
    why = why or _why(found, kind, said, classes, metric)
    _check(found, kind, roles, classes)
    return Purpose(kind, metric or PRIMARY[kind], roles, why, classes)


def _roles(found: Survey, said: Kind | None) -> tuple[Roles, str]:
    """A column `text` as the question, or as the caption that Hugging Face's folders call so."""
    roles = found.roles
    if not roles.text or roles.question and roles.answer:
        return roles, ""
    if roles.answer or roles.options:
        return (roles if roles.question else replace(roles, question=roles.text)), ""
    asks = found.asking * 2 > found.questions
    if said == "open" or roles.question or (asks and said is None):
        return (roles if roles.question else replace(roles, question=roles.text)), ""
    return replace(
        roles, answer=(roles.text,)
    ), f"{roles.text} is read as the caption, as Hugging Face's folders have it"


def _are_classes(found: Survey, roles: Roles) -> bool:
    """Whether all answers together are the options: labels in folders, or a column of that name and no question."""
    most = max((len(classes) for classes in found.classes.values()), default=0)
    if found.labelled:
        return True
    if roles.question or not roles.named_as_class or not roles.media:
        return False
    return 2 <= most <= MOST_CLASSES and most * 2 <= found.with_answer


def _kind(found: Survey, roles: Roles, metric: str) -> Kind:
    if roles.options and found.with_options:
        return "choice"
    if not roles.answer:
        return "open"
    if roles.source or roles.named_as_references or (not roles.question and roles.text in roles.answer):
        return "text"
    median, most = _quantile(found.words, 0.5), _quantile(found.words, 0.9)
    if median <= SHORT and most <= SHORT_MOST:
        return "short"
    if median >= LONG:
        return "open" if roles.question else "text"
    if metric:
        return "short"
    raise UsageError(
        f"the answers in {' and '.join(roles.answer)} have {min(found.words)} to {max(found.words)} words (median "
        f"{median}): it is not clear how they are to be scored",
        "--metric accuracy (short answers), --metric chrfpp (texts held against references) or --metric judge (open "
        "questions), or metric: in task.yaml",
    )


def _quantile(words: Counter[int], share: float) -> int:
    total = sum(words.values())
    seen = 0
    for count in sorted(words):
        seen += words[count]
        if seen >= share * total:
            return count
    return 0


def _why(found: Survey, kind: Kind, said: Kind | None, classes: bool, metric: str) -> str:
    if said is not None:
        return f"{metric or 'task.yaml'} says so"
    if classes:
        return f"the {max(len(classes) for classes in found.classes.values())} labels are the options"
    return {
        "choice": "there are options",
        "short": "answers are short",
        "text": "the answers are references",
        "open": "answers are long" if found.with_answer else "there is no answer to hold replies against",
    }[kind]


def _check(found: Survey, kind: Kind, roles: Roles, classes: bool) -> None:
    """Raises UsageError where a column is missing without which nothing could be asked or scored."""
    columns = [name for form in found.forms for name in form.columns]
    seen = f"columns found: {', '.join(dict.fromkeys(columns))}"
    if kind != "open" and (not roles.answer or not _answered(found, roles)):
        raise UsageError(
            f"no column holds the right answers, so that nothing can be scored; {seen}",
            "call it answer, or name it in task.yaml, as in columns: {answer: NAME}; without any, --metric judge",
        )
    if kind == "choice" and not classes and not (roles.options and found.with_options):
        raise UsageError(
            f"there are no options for multiple choice; {seen}",
            "give them in columns A, B, C, ... or in one called options, or in task.yaml: columns: {options: NAME}",
        )
    wordy = [name for name, rows in found.wordy.items() if 2 * rows > found.count]
    if kind in ("choice", "short") and not roles.question and wordy and not (found.said.prompt or found.said.protocols):
        raise UsageError(
            f"no column is called question, and {' and '.join(wordy)} may hold it; {seen}",
            f"name it in task.yaml: columns: {{question: {wordy[0]}}}, or say there what is asked: prompt: ...",
        )
    if kind == "open" and not roles.question and not found.said.prompt:
        raise UsageError(
            f"it is not clear what is to be asked; {seen}",
            "call a column question, or name it in task.yaml: columns: {question: NAME}; or give a prompt: there",
        )


def _answered(found: Survey, roles: Roles) -> bool:
    return bool(found.with_answer or (roles.text and roles.answer == (roles.text,) and found.questions))
