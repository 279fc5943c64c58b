"""Is an answer a refusal? By its opening, or because it talks about the task, the picture or the speaker instead.

Two concepts of one language have to come together (wording.csv): an apology and the task, "cannot" and the picture, a
language model and its rules. What the right text or the source says as well does not count. Knows no score: that a
right answer is no refusal is the caller's to say.
"""

from __future__ import annotations

from tvbench.analysis.diagnosis.texts import opens_like_refusal
from tvbench.analysis.diagnosis.wording import concepts, spoken_by

OPENING = 300
"""Characters that are looked at: a refusal comes first."""
LEAST = 8
_CONCEPTS = ("sorry", "cannot", "task", "picture", "self", "policy", "missing")
_PAIRS = tuple(
    frozenset(pair.split())
    for pair in (
        "sorry cannot", "sorry task", "sorry picture", "sorry policy", "sorry missing", "cannot self", "cannot policy",
        "cannot missing", "self policy", "self missing", "task policy", "self task",
    )
)  # fmt: skip
_PAIRS_FOR_TRANSLATIONS = tuple(frozenset(pair.split()) for pair in ("cannot task", "cannot picture", "picture missing",
                                                                     "task missing", "self picture"))  # fmt: skip
"""A description may well say that a picture cannot be seen in full; a translation that says so has refused."""


def is_refusal(text: str, golds: tuple[str, ...], source: str, language: str) -> bool:
    """Whether `text` refuses, as none of the right texts does; `source` is what was to be translated, else ""."""
    opening = text[:OPENING]
    if opens_like_refusal(opening):
        return not any(map(opens_like_refusal, (*golds, source)))
    if len(opening.strip()) < LEAST:
        return False
    pairs = _PAIRS + (_PAIRS_FOR_TRANSLATIONS if source else ())
    for code in spoken_by(opening, language):
        found = concepts(opening, code, _CONCEPTS)
        if any(pair <= found for pair in pairs):
            asked = frozenset().union(*(concepts(right, code, _CONCEPTS) for right in (*golds, source)))
            if any(pair <= found - asked for pair in pairs):
                return True
    return False
