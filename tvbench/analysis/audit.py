"""What a benchmark is like before any model sees it: counts, positions, ceilings, and what is wrong with its items.

Works on items as a task builds them or a run folder keeps them. Where pictures are at hand they count by content (two
names of one picture are one picture); in a run folder of an imported log they are known by the cluster that the task
gives them. Knows items and keys; no model, no answer and no table.

Not looked for: leaks in pictures, near duplicates, and wrong gold answers. Garbled texts, lists of options and words
that give the answer away have modules of their own.
"""

from __future__ import annotations

import os.path
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tvbench.analysis.give_aways import GiveAways, PosedQuestion, give_aways
from tvbench.analysis.mojibake import garbled
from tvbench.analysis.option_lists import OptionCounts, list_faults, usual_counts
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
    "empty_option": ("empty option", "an option has no text"),
    "option_count": (
        "number of options",
        "another number than usual for the language and type, or than the same question in other languages: "
        "one may be lost, and chance is another",
    ),
    "shown_count": ("lines shown", "the prompt shows more or fewer lines than there are options"),
    "unsplit": ("unsplit list", "one option is several: what a model is asked is not what the data mean"),
    "letters": ("letters out of order", "the prompt's letters are not A, B, C, .. down the options"),
    "garbled": (
        "garbled text",
        "wrongly decoded or lost characters in question, options or reference: a loss there may be the text's",
    ),
    "leak": ("leak", "the question contains the right option as whole words, and no other option"),
    "partial_leak": (
        "partial give-away",
        "the question has own words of the right option, and of no other: right without the picture; "
        "some are there by chance",
    ),
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
    ones (clusters), each with `least` to `most` items. `gold` are right options by place; `baselines` are fractions.
    `give_aways` says how many of the partial ones are expected by chance."""

    language: str
    items: int
    pictures: int
    least: int
    most: int
    media: Mapping[int, int]
    gold: tuple[int, ...]
    baselines: Mapping[str, float]
    findings: tuple[ItemFinding, ...]
    give_aways: GiveAways

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
    known = _Known(twins, {item.id for item in items}, usual_counts(items))
    languages = tuple(_audit_language(code, items, known) for code, items in sorted(by_language.items()))
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


class _Known(NamedTuple):
    """What is known of the whole task: repeated items, ids, and usual numbers of options."""

    twins: Mapping[str, str]
    ids: set[str]
    counts: OptionCounts


def _audit_language(code: str, items: Sequence[Item], known: _Known) -> LanguageAudit:
    pictures = Counter(item.cluster or item.id for item in items)
    choices = [item.target for item in items if isinstance(item.target, Choice)]
    places = max((len(choice.options) for choice in choices), default=0)
    prefix = _common_words([stem_of(item) for item in items if isinstance(item.target, Choice)])
    findings = [finding for item in items for finding in _findings(item, known, prefix)]
    seen, counted = give_aways([asked for item in items if (asked := _asked(item, prefix)) is not None])
    findings += [ItemFinding("partial_leak", name, detail) for name, detail in seen.items()]
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
        give_aways=counted,
    )


def _media(item: Item) -> int:
    return sum(isinstance(part, Media) for message in item.messages for part in message.parts)


# ── What is wrong with an item ────────────────────────────────────────────────────────────────────


def _findings(item: Item, known: _Known, prefix: str) -> Iterator[ItemFinding]:
    if _RENUMBERED.search(item.id) and _RENUMBERED.sub("", item.id) in known.ids:
        yield ItemFinding("same_id", item.id, f"the id of {_RENUMBERED.sub('', item.id)}")
    if item.id in known.twins:
        yield ItemFinding("duplicate", item.id, f"asks what {known.twins[item.id]} asks")
    if item.problem is not None:
        yield ItemFinding("problem", item.id, item.problem)
        return
    if wrong := _garbled_part(item):
        yield ItemFinding("garbled", item.id, wrong)
    match item.target:
        case Choice() as choice:
            yield from _choice_findings(item, choice, prefix)
            yield from (ItemFinding(kind, item.id, seen) for kind, seen in list_faults(item, choice, known.counts))
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
    question = _question(item, prefix)
    held = {words(option) for option in choice.options if _in_words(words(question), option)}
    gold = choice.options[choice.gold]
    if held == {words(gold)}:
        yield ItemFinding("leak", item.id, f"'{gold}' stands in: {question}")


def _question(item: Item, prefix: str) -> str:
    return stem_of(item)[len(prefix) :].strip()


def _asked(item: Item, prefix: str) -> PosedQuestion | None:
    """An item whose options may be given away, once of its repeats."""
    choice = item.target
    if not isinstance(choice, Choice) or choice.gold is None or len(choice.options) < 2 or item.problem or item.repeat:
        return None
    question = choice.question or _question(item, prefix)
    stem = words(question)
    whole = frozenset(place for place, option in enumerate(choice.options) if _in_words(stem, option))
    return PosedQuestion(item.id, question, choice.options, choice.gold, whole)


def _garbled_part(item: Item) -> str:
    """The first part of an item that was decoded wrongly, and what is wrong with it; "" for none."""
    for part, text in _texts(item):
        if wrong := garbled(text, item.language):
            return f"{part}: {wrong}"
    return ""


def _texts(item: Item) -> Iterator[tuple[str, str]]:
    """The texts of an item, each with what it is."""
    match item.target:
        case Choice(options=options):
            yield from ((f"option {place}", option) for place, option in enumerate(options, 1))
        case Translation(source=source, references=references):
            yield from (("reference", text) for text in references)
            yield "source", source
            return  # the prompt is the source, in another language than the item's
        case Short(answers=texts) | Contains(answers=texts):
            yield from (("answer", text) for text in texts)
        case Open(reference=text) | OcrText(text=text) if text:
            yield "reference", text
        case _:
            pass
    yield from (("asked", part) for message in item.messages for part in message.parts if isinstance(part, str))


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
