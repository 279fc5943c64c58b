"""What is wrong with the answers of one language of a task, in words: for the screen at the end of a run.

Cheap by design: shares that scoring has counted already, replies that ran into their limit, and the language of at most
SAMPLED answers (replies.py; 0.04 ms each). `explain` looks closer. Knows runs and the diagnosis; no table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tvbench.analysis.diagnosis import texts
from tvbench.analysis.diagnosis.answers import Answer
from tvbench.analysis.diagnosis.language_check import LanguageCheck, check_languages
from tvbench.analysis.diagnosis.language_id import Identifiers
from tvbench.analysis.replies import LanguageReplies, RunReplies
from tvbench.languages import language_name
from tvbench.types import Choice, Counts, Item, Open, Response, Score, Short, TaskResult, Translation

MUCH = 0.1
"""The share of answers from which on something is wrong with a language."""
FLAGS = {"empty": "are empty", "unparsed": "are not one of the options"}
"""What scoring counts, in the words that follow `61 % of the answers`."""
CUT_OFF = "are cut off at the limit of tokens"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong in one language of a task: a `share` of its answers (`all_items`: of its items, answered
    or not) of which `words` say what."""

    task: str
    language: str
    share: float
    words: str
    all_items: bool = False


def alarms(results: Iterable[TaskResult], replies: RunReplies, identifiers: Identifiers | None) -> tuple[Alarm, ...]:
    """By task and language, in the order of the results. A task without `replies` is judged by its counts alone."""
    found: list[Alarm] = []
    for result in results:
        by_language = replies.tasks.get(result.task, {})
        for code, part in result.breakdowns.get("language", {}).items():
            found += [Alarm(result.task, code, share, words, all_items=True) for share, words in _missing(part.counts)]
            seen = [*_counted(part.counts), *_seen(replies, by_language.get(code), identifiers)]
            found += [Alarm(result.task, code, share, words) for share, words in seen if share >= MUCH]
    return tuple(found)


Shares = Iterator[tuple[float, str]]


def _missing(counts: Counts) -> Shares:
    """However few."""
    missing = counts.expected - counts.answered - counts.failed
    for count, words in ((counts.failed, "failed"), (missing, "were not answered")):
        if count > 0:
            yield count / counts.expected, words


def _counted(counts: Counts) -> Shares:
    """What scoring has counted."""
    for flag, words in FLAGS.items():
        yield counts.flags.get(flag, 0) / max(1, counts.answered), words


def _seen(replies: RunReplies, language: LanguageReplies | None, identifiers: Identifiers | None) -> Shares:
    """What the answers themselves show: cut off at the limit of tokens, or in another language."""
    if language is None:
        return
    yield language.cut / language.texted, CUT_OFF
    if identifiers is None:
        return
    some = replies.sampled(language)
    check = _check(some, identifiers)
    if check.clear:
        where = f"in {language_name(check.mostly)}" if check.mostly else "in another language"
        yield len(check.alarms) * check.weight / len(some), f"are {where}"


def _check(replies: Sequence[tuple[Item, Response]], identifiers: Identifiers) -> LanguageCheck:
    answers = [
        Answer(item, response.text or "", Score(item.id), None, tuple(_left_out(item, response.text or "")), ())
        for item, response in replies
        if isinstance(item.target, Choice | Translation | Open | Short)
    ]
    return check_languages(answers, [item for item, _ in replies], identifiers)


def _left_out(item: Item, text: str) -> Iterator[str]:
    """Why the language of a text is not the model's choice."""
    if texts.is_loop(text):
        yield "repetition"
    if isinstance(item.target, Translation) and texts.is_copy(text, item.target.source, item.target.references):
        yield "copied"
