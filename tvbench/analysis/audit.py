"""What a benchmark is like before any model sees it: counts, positions, ceilings, and what is wrong with its items.

Works on items as a task builds them or a run folder keeps them. Where pictures are at hand they count by content (two
names of one picture are one picture); in a run folder of an imported log they are known by the cluster that the task
gives them. Knows items and keys; no model, no answer and no table.

Not looked for: leaks in pictures, near duplicates, and wrong gold answers.
"""

from __future__ import annotations

import os.path
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tvbench.scoring import summarise
from tvbench.scoring.choice import usable_target
from tvbench.scoring.normalise import contains_words, normalise, words
from tvbench.types import Choice, Contains, Figure, Item, Media, OcrText, Open, Short, Translation

KINDS: dict[str, tuple[str, str]] = {
    "problem": ("cannot be asked", "the row has no picture, no options, or the like"),
    "unparsed": ("unparsed", "the options, or which of them is right, could not be read"),
    "no_answer": ("no answer", "the data has no right answer: the item stays unscored"),
    "unreachable": ("strictly unreachable", "no shown line is the strict target, letter for letter"),
    "equal_options": ("equal options", "two options are equal after normalisation"),
    "leak": ("leak", "the question contains the right option as whole words, and no other option"),
    "same_id": ("same id", "an id that an earlier item of the task has"),
    "duplicate": ("duplicate", "the question and picture of an earlier item"),
    "untranslated": ("untranslated", "the reference is the source"),
}
"""What is looked for: the head of its column, and what is counted."""

BASELINES = ("always_first", "strict_ceiling", "chance")
_RENUMBERED = re.compile(r"#\d+$")
_LABEL = re.compile(r"^\s*(?:[A-Za-z]|\d{1,2})\s*[.):]\s+")
PREFIX_OF = 3
"""From so many items on, the words that all of them begin with are the prompt's, not the question's."""


@dataclass(frozen=True, slots=True)
class ItemFinding:
    """One item of one kind of KINDS; `detail` says what was seen."""

    kind: str
    item: str
    detail: str


@dataclass(frozen=True, slots=True)
class LanguageAudit:
    """One language of a task. `media` counts items by their number of pictures and clips; `pictures` are different
    ones (clusters), each with `least` to `most` items. `gold` are right options by place; `baselines` are fractions."""

    language: str
    items: int
    pictures: int
    least: int
    most: int
    media: Mapping[int, int]
    gold: tuple[int, ...]
    baselines: Mapping[str, float]
    findings: tuple[ItemFinding, ...]

    def count(self, kind: str) -> int:
        """How many findings of one kind."""
        return sum(finding.kind == kind for finding in self.findings)


@dataclass(frozen=True, slots=True)
class TaskAudit:
    """One task. `macro` are the baselines averaged over languages, `macro_without_english` the same without English."""

    task: str
    protocol: str
    dataset: str
    languages: tuple[LanguageAudit, ...]
    macro: Mapping[str, float]
    macro_without_english: Mapping[str, float]
    warnings: tuple[str, ...] = ()


def audit(
    task: str, protocol: str, dataset: str, pairs: Sequence[tuple[str, Item]], warnings: Iterable[str] = ()
) -> TaskAudit:
    """Audit the items of one task. `pairs` are (content key, item): equal keys are equal questions."""
    twins = _duplicates(pairs)
    by_language: defaultdict[str, list[Item]] = defaultdict(list)
    for _, item in pairs:
        by_language[item.language].append(item)
    items = [item for _, item in pairs]
    result = summarise(task, protocol, "", "", items, {}, [])
    ids = {item.id for item in items}
    languages = tuple(_audit_language(code, pairs, twins, ids) for code, pairs in sorted(by_language.items()))
    return TaskAudit(
        task,
        protocol,
        dataset,
        languages,
        _baselines(result.metrics),
        _baselines(result.macro_without_english),
        tuple(warnings),
    )


def _baselines(metrics: Mapping[str, Figure]) -> dict[str, float]:
    return {name: metrics[name].value for name in BASELINES if name in metrics}


def _audit_language(code: str, items: Sequence[Item], twins: Mapping[str, str], ids: set[str]) -> LanguageAudit:
    pictures = Counter(item.cluster or item.id for item in items)
    choices = [item.target for item in items if isinstance(item.target, Choice)]
    places = max((len(choice.options) for choice in choices), default=0)
    prefix = _common_words([stem_of(item) for item in items if isinstance(item.target, Choice)])
    findings = [finding for item in items for finding in _findings(item, twins, ids, prefix)]
    order = list(KINDS)
    return LanguageAudit(
        language=code,
        items=len(items),
        pictures=len(pictures),
        least=min(pictures.values(), default=0),
        most=max(pictures.values(), default=0),
        media=dict(sorted(Counter(_media(item) for item in items).items())),
        gold=tuple(sum(choice.gold == place for choice in choices) for place in range(places)),
        baselines=_baselines(summarise("", "", "", "", items, {}, []).micro),
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.kind))),
    )


def _media(item: Item) -> int:
    return sum(isinstance(part, Media) for message in item.messages for part in message.parts)


# ── What is wrong with an item ────────────────────────────────────────────────────────────────────


def _findings(item: Item, twins: Mapping[str, str], ids: set[str], prefix: str) -> Iterator[ItemFinding]:
    if _RENUMBERED.search(item.id) and _RENUMBERED.sub("", item.id) in ids:
        yield ItemFinding("same_id", item.id, f"the id of {_RENUMBERED.sub('', item.id)}")
    if item.id in twins:
        yield ItemFinding("duplicate", item.id, f"asks what {twins[item.id]} asks")
    if item.problem is not None:
        yield ItemFinding("problem", item.id, item.problem)
        return
    match item.target:
        case Choice() as choice:
            yield from _choice_findings(item, choice, prefix)
        case Translation() as target if not any(target.references):
            yield ItemFinding("no_answer", item.id, "no reference")
        case Translation() as target if any(
            words(reference) == words(target.source) for reference in target.references
        ):
            yield ItemFinding("untranslated", item.id, target.source)
        case OcrText(text=None) | Short(answers=()) | Contains(answers=()) | Open(reference=""):
            yield ItemFinding("no_answer", item.id, "")
        case _:
            return


def _choice_findings(item: Item, choice: Choice, prefix: str) -> Iterator[ItemFinding]:
    if not choice.options or choice.gold is None:
        what = "no options" if not choice.options else f"'{choice.target}' is not among {', '.join(choice.options)}"
        yield ItemFinding("unparsed", item.id, what)
        return
    if choice.shown and not choice.letters and usable_target(choice) not in choice.shown:
        yield ItemFinding(
            "unreachable", item.id, f"'{choice.target}' is not among the lines {' | '.join(choice.shown)}"
        )
    plain = [normalise(option) for option in choice.options]
    equal = {option for option, count in Counter(plain).items() if count > 1}
    if equal:
        yield ItemFinding("equal_options", item.id, ", ".join(choice.options))
    question = stem_of(item)[len(prefix) :].strip()
    held = {words(option) for option in choice.options if _in_words(words(question), option)}
    gold = choice.options[choice.gold]
    if held == {words(gold)}:
        yield ItemFinding("leak", item.id, f"'{gold}' stands in: {question}")


def _in_words(stem: str, option: str) -> bool:
    plain = words(option)
    return len(plain) > 1 and contains_words(stem, plain)


def stem_of(item: Item) -> str:
    """The question as it was put, without its options: the lines before the first one that is an option, or holds
    several of them."""
    asked = "\n".join(part for message in item.messages for part in message.parts if isinstance(part, str))
    if not isinstance(item.target, Choice):
        return asked
    options = {normalise(line) for line in (*item.target.options, *item.target.shown)} - {""}
    kept: list[str] = []
    for line in asked.split("\n"):
        if normalise(_LABEL.sub("", line)) in options or normalise(line) in options:
            break
        if len(item.target.options) > 1 and all(option in line for option in item.target.options):
            break
        kept.append(line)
    return "\n".join(kept)


def _common_words(stems: Sequence[str]) -> str:
    """What all stems begin with, up to the last blank; "" for a few stems, or where nothing else is left of one."""
    if len(stems) < PREFIX_OF:
        return ""
    common = os.path.commonprefix(list(stems))
    end = max(common.rfind(" "), common.rfind("\n")) + 1
    return "" if len(set(stems)) == 1 else common[:end]


def _duplicates(pairs: Sequence[tuple[str, Item]]) -> dict[str, str]:
    """Item id to the id of the first item with the same question and picture. Repeats of an item are none."""
    first: dict[tuple[object, ...], str] = {}
    twins: dict[str, str] = {}
    for key, item in pairs:
        marks: list[tuple[object, ...]] = [("key", key)]
        if not _media(item) and item.cluster:
            texts = tuple(part for message in item.messages for part in message.parts if isinstance(part, str))
            marks.append(("texts", item.cluster, item.repeat, item.continuation, *texts))
        known = next((first[mark] for mark in marks if mark in first), None)
        if known is not None and item.problem is None:
            twins[item.id] = known
        for mark in marks:
            first.setdefault(mark, item.id)
    return twins
