"""Which model is it that a server serves today, so that no other one's answers are taken for its own?

Gives a server's model a revision as a folder has one: made from its address and what the server tells of itself, or
the person's own word. Where nobody answers, the model that was met there last stands in, so that what is complete can
be read without a server. Knows the engines' door; asks no question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tvbench.engines.open import ask_server
from tvbench.errors import EngineError, TvbenchError, UsageError
from tvbench.store import RunFolder
from tvbench.types import ModelCard

UNSAID = frozenset({"main", "served", ""})
"""Revisions that nobody chose."""


@dataclass(frozen=True, slots=True)
class Identified:
    """A card whose revision stands for one model. `facts` are what a server told; `problem` says why it told nothing,
    and is to be raised where something has to be asked."""

    card: ModelCard
    facts: Mapping[str, Any] = field(default_factory=dict)
    problem: EngineError | None = None

    def require(self) -> None:
        """Raises EngineError where the server did not answer."""
        if self.problem is not None:
            raise self.problem


def named(card: ModelCard, label: str | None, revision: str | None) -> ModelCard:
    """`card` with what the person says of it: a name for runs and tables, and a revision. Raises UsageError."""
    if label is not None:
        if not label.strip() or not label.isprintable():
            raise UsageError("--label needs a name that can be read", "for example --label my-model-v2")
        card = replace(card, name=label.strip())
    if revision is None:
        return card
    if not revision.strip() or not revision.isprintable():
        raise UsageError("--revision needs a text that can be read", "for example --revision 2026-11-26")
    if card.kind in ("folder", "builtin"):
        raise UsageError(f"{card.name} lies on this machine: its revision is its content",
                         "leave --revision out; --label NAME gives it another name")
    return replace(card, revision=revision.strip())


def identified(card: ModelCard, stores: Iterable[Path] = ()) -> Identified:
    """`card` with its server's revision; a card of any other kind as it is. `stores` are folders of earlier runs,
    looked at only when the server does not answer."""
    if card.kind != "server":
        return Identified(card)
    said = None if card.revision in UNSAID else card.revision
    try:
        told = ask_server(card, said)
    except EngineError as error:
        return Identified(_met_before(card, said, stores), problem=error)
    return Identified(replace(card, revision=told.revision), told.facts)


def _met_before(card: ModelCard, said: str | None, stores: Iterable[Path]) -> ModelCard:
    """The card as the newest run of this name and address had it; `card` itself where there is none."""
    found: tuple[str, str] = ("", card.revision)
    for path in stores:
        try:
            manifest = RunFolder(path).manifest()
            model = manifest["model"]
            same = (model["kind"], model["location"], model["url"]) == ("server", card.location, card.url)
            revision, when = str(model["revision"]), str(manifest["updated"])
        except (TvbenchError, LookupError, TypeError):
            continue
        if same and (revision.rpartition("+served-")[0] or None) == said:
            found = max(found, (when, revision))
    return replace(card, revision=found[1])
