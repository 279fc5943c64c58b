"""What a judge's reply says: a score on the rubric's scale, or why there is none. Never raises, never guesses.

Where the prompt holds a nonce (cases.py), the JSON object that carries it is the verdict, and nothing else is: a judge
may quote an answer with a verdict in it before it gives its own. Where it holds none, a number is taken where the reply
is one, where a line is `label: number`, or where it is written `8/10` or `8 out of 10`. Two different numbers, a number
outside of the scale, broken JSON or running text are no score: the reply is *unparsable*, and the item stays unscored
when every further ask ends so too.
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

NUMBER = r"[-+]?\d+(?:[.,]\d+)?"
LABEL = r"(?:[^\d\n:=：]{1,40}[:=：]\s*)?"
BARE = re.compile(rf"^{LABEL}({NUMBER})(?:\s*(?:/|out of|von|de|sur|из)\s*({NUMBER}))?[.。]?$", re.IGNORECASE)
OUT_OF = re.compile(rf"(?<![\d.,/])({NUMBER})\s*(?:/|out of)\s*({NUMBER})(?![\d/])", re.IGNORECASE)
FENCE = re.compile(r"```\w*")
LONGEST = 100_000
"""A longer reply is none: reading takes time in proportion to its objects."""
DECORATION = "*_`#> \t\r\n\"'“”«»()[]"


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
    reading = None
    if len(plain) <= LONGEST:
        reading = _signed(plain, rubric, nonce) if nonce else _unsigned(plain, rubric)
    return reading or ReplyReading(None, REFUSAL if REFUSALS.match(plain) else UNPARSABLE)


def _signed(text: str, rubric: Rubric, nonce: str) -> ReplyReading | None:
    """The reading of the objects that carry the nonce, wherever they stand; None where there is none or they differ."""
    return _from_objects(
        [
            value
            for value, _, _ in _objects(text, inner=True)
            if isinstance(said := value.get("nonce"), str) and said.strip().casefold() == nonce
        ],
        rubric,
    )


def _unsigned(text: str, rubric: Rubric) -> ReplyReading | None:
    """The reading of a reply that nothing tells from what it quotes: all that it says must agree."""
    found = list(_objects(text))
    outside = _without(text, found)
    if not found and "{" in text:
        return None
    numbers = _numbers(outside, rubric)
    if not found:
        score = _only(numbers, rubric)
        return None if score is None else ReplyReading(score)
    if rubric.reply == "number" and FENCE.sub("", outside).strip(DECORATION):
        return None
    return _from_objects([value for value, _, _ in found], rubric, numbers)


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
    scored = [(value, score) for value in objects if (score := _number(value.get("score"))) is not None]
    value = _only([*(score for _, score in scored), *others], rubric) if scored else None
    if value is None:
        return None
    first = scored[0][0]
    reason, language = first.get("reason"), first.get("right_language")
    return ReplyReading(
        value,
        reason=reason[:1000] if isinstance(reason, str) else "",
        right_language=language if isinstance(language, bool) else None,
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        found = re.fullmatch(NUMBER, value.strip())
        if found is None:
            return None
        value = value.strip().replace(",", ".")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


# ── Running text ──────────────────────────────────────────────────────────────────────────────────


def _numbers(text: str, rubric: Rubric) -> list[float]:
    """Every number that is given as a score: a line of its own, with or without a label, or `8/10`."""
    found: list[float] = []
    for line in text.splitlines():
        match = BARE.match(line.strip(DECORATION).replace("**", "").replace("__", ""))
        if match is not None and _of_scale(match[2], rubric):
            found.append(float(match[1].replace(",", ".")))
    found.extend(
        float(match[1].replace(",", "."))
        for match in OUT_OF.finditer(text.replace("*", ""))
        if _of_scale(match[2], rubric)
    )
    return found


def _of_scale(bound: str | None, rubric: Rubric) -> bool:
    """Whether what stands behind `/` is this rubric's highest score, or nothing stands there."""
    return bound is None or float(bound.replace(",", ".")) == rubric.highest


def _only(numbers: list[float], rubric: Rubric) -> float | None:
    """The one number that is meant, as a fraction of the scale; None where there are several or it is outside."""
    if len(set(numbers)) != 1 or not rubric.lowest <= numbers[0] <= rubric.highest:
        return None
    return rubric.fraction(numbers[0])
