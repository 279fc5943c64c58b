"""What a judge's reply says: a score on the rubric's scale, or why there is none. Never raises, never guesses.

Where the prompt holds a nonce (cases.py), the JSON object that carries it is the verdict, and nothing else is: a judge
may quote an answer with a verdict in it before it gives its own. Where it holds none, an object with a score is one,
and so is what said.py finds stated in running text. Two different numbers, a number outside of the scale or out of
another one, broken JSON or running text are no score: the reply is *unparsable*, and the item stays unscored when every
further ask ends so too. What a judge thinks before it answers is not its answer: `<think>...</think>` at the beginning
is left out, and a reply whose thinking never ends says nothing.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tvbench.graders.judge.rubric import Rubric
from tvbench.graders.judge.said import BOXED, amount, scores_said
from tvbench.registry.thoughts import split

REFUSAL, UNPARSABLE, EMPTY = "refusal", "unparsable", "empty"

REFUSALS = re.compile(
    r"^\W*(?:i['’]?m (?:very )?sorry|i am (?:very )?sorry|sorry,|i can(?:no|')t|i cannot|i can’t"
    r"|i am (?:not able|unable)|i['’]m (?:not able|unable)|as an ai|i (?:must|have to) decline|i won['’]?t"
    r"|unfortunately,? i|es tut mir leid|tut mir leid|leider kann ich|ich kann (?:diese|nicht)|lo siento"
    r"|no puedo|je suis désolée?|désolée?,|je ne peux pas|mi dispiace|non posso|sinto muito|desculpe|não posso"
    r"|het spijt me|ik kan niet|извините|простите|я не могу|抱歉|对不起|對不起|我无法|我不能"
    r"|申し訳|죄송|माफ़ करें|क्षमा करें)",
    re.IGNORECASE,
)
"""Openings of refusals in the languages that judges mostly fall into; in any other a refusal counts as unparsable."""

FENCE = re.compile(r"```\w*")
OPENED = re.compile(r"<think(?:ing)?>|\[THINK\]|◁think▷", re.IGNORECASE)
QUOTE = r"[\"'“”]?"
LOOSE = re.compile(
    rf"\{{\s*{QUOTE}(?P<key>[A-Za-z][A-Za-z _-]{{0,30}}?){QUOTE}\s*[:=]\s*"
    rf"{QUOTE}(?P<value>[^{{}}\"'“”]{{1,40}}?){QUOTE}\s*,?\s*\}}"
)
"""An object of one field that is not JSON: `{'score': 4}`, `{score: 4}`."""
NONCE = "nonce"
SCORES = frozenset(
    (
        "score rating grade points mark final_score overall_score total_score final_rating overall_rating "
        "numeric_score numerical_score"
    ).split()
)
"""Fields that hold a score, however they are cased."""
SCALE_ENDS = frozenset("max maximum max_score maximum_score out_of scale_max".split())
LONGEST = 100_000
"""A longer reply is none: reading takes time in proportion to its objects."""
DECORATION = "*_`#> \t\r\n\"'“”«»()[]"
"""May stand around an object where a number was asked for."""


@dataclass(frozen=True, slots=True)
class ReplyReading:
    """`score` is a fraction of the scale, 0..1; where it is None, `problem` is refusal, unparsable or empty."""

    score: float | None
    problem: str | None = None
    reason: str = ""
    right_language: bool | None = None


def read_reply(text: str, rubric: Rubric, nonce: str = "") -> ReplyReading:
    """The score in `text`; with `nonce` the one that carries it. Never raises."""
    plain = _plain(text[: LONGEST + 1])
    if not plain:
        return ReplyReading(None, EMPTY)
    answer = _without_thinking(plain) if len(plain) <= LONGEST else None
    reading = None
    if answer is not None:
        reading = _signed(answer, rubric, nonce) if nonce else _unsigned(answer, rubric)
    return reading or ReplyReading(None, REFUSAL if REFUSALS.match(answer or plain) else UNPARSABLE)


def _without_thinking(text: str) -> str | None:
    """What follows the thinking that a reply begins with; None where that never ends."""
    found = split(text)
    if found is None:
        return text
    return found.answer.strip() if found.closed else None


def _signed(text: str, rubric: Rubric, nonce: str) -> ReplyReading | None:
    """The reading of the objects that carry the nonce, wherever they stand; None where there is none or they differ."""
    return _from_objects([value for value, _, _ in _objects(text, inner=True) if _carries(value, nonce)], rubric)


def _carries(value: dict[str, Any], nonce: str) -> bool:
    """Whether every field of an object that is called nonce is this one."""
    said = [part for name, part in value.items() if _folded(name) == NONCE]
    return bool(said) and all(isinstance(part, str) and part.strip().casefold() == nonce for part in said)


def _unsigned(text: str, rubric: Rubric) -> ReplyReading | None:
    """The reading of a reply that nothing tells from what it quotes: all that it says must agree."""
    found = list(_objects(text))
    outside = _without(text, found)
    if OPENED.search(outside):
        return None
    if not found:
        return _in_words(text, rubric)
    if rubric.reply == "number" and FENCE.sub("", outside).strip(DECORATION):
        return None
    said = scores_said(outside, rubric.highest)
    return _from_objects([value for value, _, _ in found], rubric, (*said.stated, *said.doubtful))


def _in_words(text: str, rubric: Rubric) -> ReplyReading | None:
    """The reading of a reply without objects; half an object is none."""
    loose = LOOSE.fullmatch(FENCE.sub("", text).strip())
    if loose is not None:
        value = _number(loose["value"], rubric) if _folded(loose["key"]) in SCORES else None
        numbers = [] if value is None else [value]
    elif "{" in BOXED.sub("", text):
        return None
    else:
        numbers = scores_said(text, rubric.highest).all
    score = _only(numbers, rubric)
    return None if score is None else ReplyReading(score)


def _plain(text: str) -> str:
    """NFKC (full-width digits become plain ones), digits of every script as ASCII, outer white space gone."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.decimal(c)) if not c.isascii() and c.isdecimal() else c for c in folded).strip()


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────


def _objects(text: str, *, inner: bool = False) -> Iterator[tuple[dict[str, Any], int, int]]:
    """The JSON objects in `text` with their places, outermost ones in order, or with `inner` every one."""
    decoder = json.JSONDecoder(object_pairs_hook=_each_once)
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield value, at, end
        at = text.find("{", at + 1 if inner else end)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; one with a field twice is none: a quotation that is not escaped makes such."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a field stands twice")
    return value


def _without(text: str, found: list[tuple[dict[str, Any], int, int]]) -> str:
    """What stands around the objects."""
    starts = [0, *(end for _, _, end in found)]
    ends = [*(start for _, start, _ in found), len(text)]
    return "\n".join(text[start:end] for start, end in zip(starts, ends, strict=True))


def _from_objects(objects: list[dict[str, Any]], rubric: Rubric, others: Sequence[float] = ()) -> ReplyReading | None:
    """The reading of the one object with a score, None where there is none or they, or `others`, disagree."""
    scored = [(value, scores) for value in objects if (scores := list(_scores(value, rubric)))]
    value = _only([*(score for _, scores in scored for score in scores), *others], rubric) if scored else None
    if value is None:
        return None
    first = scored[0][0]
    reason, language = first.get("reason"), first.get("right_language")
    return ReplyReading(
        value,
        reason=reason[:1000] if isinstance(reason, str) else "",
        right_language=language if isinstance(language, bool) else None,
    )


def _scores(value: dict[str, Any], rubric: Rubric) -> Iterator[float]:
    """Every score that an object's own fields hold; NaN too where they are of another scale. Where none does, those of
    the objects in it."""
    own = [
        score
        for name, part in value.items()
        if _folded(name) in SCORES and (score := _number(part, rubric)) is not None
    ]
    yield from own
    if not own:
        for part in value.values():
            if isinstance(part, dict):
                yield from _scores(part, rubric)
    elif any(
        _folded(name) in SCALE_ENDS and _number(part, rubric) not in (None, rubric.highest)
        for name, part in value.items()
    ):
        yield math.nan


def _folded(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _number(value: object, rubric: Rubric) -> float | None:
    """A field's score: a number, or text that is one (`4`, `4/5`); NaN where it is out of another number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        return amount(value, rubric.highest)
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _only(numbers: Sequence[float], rubric: Rubric) -> float | None:
    """The one number that is meant, as a fraction of the scale; None where there are several or it is outside."""
    if len(set(numbers)) != 1 or not rubric.lowest <= numbers[0] <= rubric.highest:
        return None
    return rubric.fraction(numbers[0])
