"""Is an answer a refusal? By its opening, or because it talks about the task, the picture or the speaker instead.

Two concepts of one language have to come together (wording.csv): an apology and the task, "cannot" and the picture, a
language model and its rules. What the right text or the source says as well does not count. Knows no score: that a
right answer is no refusal is the caller's to say.
"""

from __future__ import annotations

from collections.abc import Iterable

from tvbench.analysis.diagnosis.overlap import sentences, share
from tvbench.analysis.diagnosis.texts import opens_like_refusal
from tvbench.analysis.diagnosis.wording import asked_and_english, concepts, spoken_by, times

OPENING = 300
"""Characters that are looked at: a refusal comes first."""
LEAST = 5
_CONCEPTS = ("sorry", "cannot", "me", "not", "task", "picture", "self", "policy", "missing")


def _pairs(*pairs: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(pair.split()) for pair in pairs)


_ALWAYS = _pairs(
    "sorry cannot", "sorry task", "sorry picture", "sorry policy", "sorry missing",
    "self cannot", "self policy", "self missing", "cannot policy",
)  # fmt: skip
_INSTEAD = (
    *_pairs("cannot task", "cannot picture", "cannot missing", "task missing", "picture missing", "self picture"),
    *_pairs("self task", "policy task", "sorry me"),
    frozenset({"policy policy"}),
)
"""An exam's answer may well say that something cannot be determined, a description that it cannot be seen in full;
where a text was to be translated or read, it refuses. Two words about rules are a pair as well."""

_STRANGE = _pairs("cannot", "me not")
SHORT, STRANGE = 200, 0.25
"""A short answer with nothing of the right text in it refuses if it says "cannot", or "not" of the speaker."""


def is_refusal(
    text: str, golds: tuple[str, ...], source: str, language: str, *, talks: bool = False, running: bool = True
) -> bool:
    """Whether `text` refuses, as none of the right texts does. `source` is what was to be translated, else "". An
    answer that `talks` is in the model's own words: then one sentence of the first two has to say both things, and
    what cannot be seen or told may be part of it. `running` text is asked for, and not a page, an option or a word."""
    opening = text[:OPENING]
    if opens_like_refusal(opening):
        return not any(map(opens_like_refusal, (*golds, source)))
    parts = sentences(opening)[:2] if talks else [opening]
    strange = bool(golds) and not talks and len(text) < SHORT and all(share(text, gold) < STRANGE for gold in golds)
    pairs = _ALWAYS if talks else (*_ALWAYS, *_INSTEAD)
    held = (*golds, source)
    return any(
        _talks_about_it(part, held, spoken_by(part, language), pairs)
        or strange
        and running
        and _talks_about_it(part, held, asked_and_english(language), _STRANGE)
        for part in parts
        if len(part) >= LEAST
    )


def _talks_about_it(part: str, held: tuple[str, ...], codes: Iterable[str], pairs: tuple[frozenset[str], ...]) -> bool:
    for code in codes:
        found = _told(part, code)
        if any(pair <= found for pair in pairs):
            asked = frozenset().union(*(_told(right, code) for right in held))
            if any(pair <= found - asked for pair in pairs):
                return True
    return False


def _told(text: str, code: str) -> frozenset[str]:
    """The concepts that are said; `policy policy` where two words of rules are."""
    found = concepts(text, code, _CONCEPTS)
    return found | {"policy policy"} if "policy" in found and times(text, code, "policy") > 1 else found
