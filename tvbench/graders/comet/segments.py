"""From a run's answers to what COMET scores: source, translation, reference, and the content key of the three.

An empty answer is scored as the empty text that it is. Of several references the first is used, as COMET reads one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from tvbench.types import Item, Response, Translation

KEY_FORMAT = 1
NO_REFERENCE = "comet_no_reference"
NOT_TEXT = "comet_not_text"


@dataclass(frozen=True, slots=True)
class Segment:
    """One translation. `reference` is None for a model that reads none."""

    source: str
    translation: str
    reference: str | None

    def key(self, identity: str, precision: str) -> str:
        """SHA-256 over the model (`identity`), its precision and the texts."""
        content = [KEY_FORMAT, identity, precision, self.source, self.translation, self.reference]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def message(self, key: str) -> dict[str, str]:
        """As the worker reads it."""
        texts = {"id": key, "src": _clean(self.source), "mt": _clean(self.translation)}
        return texts if self.reference is None else {**texts, "ref": _clean(self.reference)}


@dataclass(frozen=True, slots=True)
class Asked:
    """One item with its segment, or the flag that says why it has none. `references` is how many the item has."""

    item: Item
    segment: Segment | None
    flag: str = ""
    references: int = 0


def asked_of(answers: Iterable[tuple[Item, Response]], *, reads_reference: bool) -> list[Asked]:
    """Every translation that was answered. An item without what the model needs is kept, with a flag."""
    return [
        _asked(item, item.target, response.text, reads_reference)
        for item, response in answers
        if isinstance(item.target, Translation) and response.text is not None and item.problem is None
    ]


def _asked(item: Item, target: Translation, text: str, reads_reference: bool) -> Asked:
    references = len(target.references)
    if reads_reference and not references:
        return Asked(item, None, NO_REFERENCE)
    reference = target.references[0] if reads_reference else None
    # A damaged or hand-made row may hold null or a number, at which COMET would break off.
    texts = (target.source, text) if reference is None and not reads_reference else (target.source, text, reference)
    if not all(isinstance(text, str) for text in texts):
        return Asked(item, None, NOT_TEXT)
    return Asked(item, Segment(target.source, text, reference), references=references)


def _clean(text: str) -> str:
    """Lone surrogates, which tokenizers refuse, as replacement characters."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
