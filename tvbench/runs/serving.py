"""Which model is it that a server serves today, so that no other one's answers are taken for its own?

Gives a server's model a revision as a folder has one: made from its address and what the server tells of itself, or
the person's own word. Where nobody answers, the model that was met there last stands in, so that what is complete can
be read without a server. A run that one model began is not taken up by another. Knows the engines' door and the store;
asks no question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tvbench.engines.open import ask_server
from tvbench.engines.openai.identity import differences
from tvbench.errors import EngineError, TvbenchError, UsageError
from tvbench.registry.addresses import shown_address
from tvbench.runs.manifest import RunAsk
from tvbench.runs.store import RunFolder
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
        raise UsageError(
            f"{card.name} lies on this machine: its revision is its content",
            "leave --revision out; --label NAME gives it another name",
        )
    return replace(card, revision=revision.strip())


def without_server(card: ModelCard) -> ModelCard:
    """A checkpoint's card for software that serves it without an address (vLLM's `run-batch`): prompts are rendered
    there, so that its answers are those of a served model, whose revision is the checkpoint's."""
    return card if card.kind == "server" else replace(card, kind="server", location=card.name, url="", engine={})


def identified(card: ModelCard, stores: Iterable[Path] = ()) -> Identified:
    """`card` with its server's revision; one without an address as it is. `stores` are folders of earlier runs,
    looked at only when the server does not answer."""
    if card.kind != "server" or not card.url:
        return Identified(card)
    said = None if card.revision in UNSAID else card.revision
    try:
        told = ask_server(card, said)
    except EngineError as error:
        return Identified(_met_before(card, said, stores), problem=error)
    return Identified(replace(card, revision=told.revision), told.facts)


def still_served(card: ModelCard) -> Identified:
    """Who is served where `card`, as a run has it, was served. Raises UsageError where that is another model now."""
    said, mark, _ = card.revision.rpartition("+served-")
    who = identified(replace(card, revision=said if mark else "served"))
    if who.problem is None and card.url and who.card.revision != card.revision and card.revision not in UNSAID:
        raise UsageError(
            f"{card.name} at {shown_address(card.url)} is not the model that the run was begun with",
            "start the one of before, or begin a run of this one: tvbench export batch --model MODEL --tasks TASKS",
        )
    return replace(who, card=card)


def refuse_another(who: Identified, ask: Mapping[str, Any], stores: Iterable[Path]) -> None:
    """Raises UsageError where the same was asked of this name and address and not finished, and what the server told
    then is not what it tells now: going on would be another model's run, and the person may not know it."""
    card, wanted = who.card, RunAsk(ask).without_model
    for path in stores:
        try:
            run = RunFolder(path)
            manifest = run.manifest()
            if not _same_place(manifest.model, card) or manifest.model.revision == card.revision:
                continue
            if manifest.ask.without_model != wanted:
                continue
            told = next((session.server for session in reversed(manifest.sessions or ())), {})
            answers, asked = run.index().answered_count, sum(entry.items or 0 for entry in manifest.tasks)
        except (TvbenchError, LookupError, TypeError, ValueError, AttributeError):
            continue
        if 0 < answers < asked:
            apart = "; ".join(differences(told, who.facts)) or "another revision"
            raise UsageError(
                f"{card.name} at {shown_address(card.url)} is not the model that answered {answers} of {asked} in "
                f"{run.name} ({apart})",
                "start the model that answered before, and give the same command again\n"
                "  --fresh begins a run of this one; the other is kept\n"
                "  --label NAME gives this one a name of its own in runs and tables; --revision TEXT says what it is",
            )


def _same_place(model: ModelCard, card: ModelCard) -> bool:
    """Whether it is what the server of `card` serves under the same name at the same address."""
    return (model.kind, model.location, model.url) == ("server", card.location, card.url)


def _met_before(card: ModelCard, said: str | None, stores: Iterable[Path]) -> ModelCard:
    """The card as the newest run of this name and address had it; `card` itself where there is none."""
    found: tuple[str, str] = ("", card.revision)
    for path in stores:
        try:
            manifest = RunFolder(path).manifest()
        except TvbenchError:
            continue
        revision = manifest.model.revision
        if _same_place(manifest.model, card) and (revision.rpartition("+served-")[0] or None) == said:
            found = max(found, (manifest.updated, revision))
    return replace(card, revision=found[1])
