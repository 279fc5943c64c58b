"""Who answered a run, and when: the sessions of its manifest. A session is added, and none is overwritten.

A session that asked nothing and copied nothing leaves no trace. One that was killed has no count; the next one counts
for it, and of a part (see parts.py) the next one that writes this part, or the whole. Knows manifests; knows no file.
"""

from __future__ import annotations

import platform
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tvbench.registry.addresses import shown_address
from tvbench.runs.manifest import NO_ENGINE, NOBODY, Manifest, Session
from tvbench.runs.spent import Spent, total
from tvbench.types import EngineInfo, ModelCard

NOTHING = Spent()
BATCH = "batch"
"""The `source` of a session whose answers came back in files."""
NOT_STARTED = "not started"
"""The version of an engine that was never opened."""


def sessions_of(manifest: Manifest | None) -> list[Session]:
    """The sessions in a manifest. One of before they were noted tells of its last."""
    if manifest is None:
        return []
    if manifest.sessions is not None:
        return list(manifest.sessions)
    model, engine = manifest.model, manifest.engine
    if model == NOBODY or engine == NO_ENGINE or engine.version == NOT_STARTED:
        return []
    return [
        Session(
            manifest.created or None,
            shown_address(model.url),
            model.name,
            model.revision,
            engine,
            command=manifest.command,
        )
    ]


def engine_label(engine: EngineInfo) -> str:
    """`vllm@0.32.0+dtype=bfloat16`: the engine in a signature, with the settings that may move a score."""
    settings = ",".join(f"{name}={value}" for name, value in sorted(engine.settings.items()) if value not in (None, ""))
    return f"{engine.name}@{engine.version}" + (f"+{settings}" if settings else "")


def as_asked(engine: EngineInfo, sessions: Sequence[Session]) -> EngineInfo:
    """The engine of a signature: where answers came back in a batch, it says so, and whether all of them did."""
    ways = {session.source for session in sessions if session.answered or session.source}
    if BATCH not in ways:
        return engine
    return replace(engine, settings={**engine.settings, "asked": BATCH if ways == {BATCH} else f"{BATCH}+live"})


def begun(
    card: ModelCard,
    engine: EngineInfo,
    facts: Mapping[str, Any],
    command: Sequence[str],
    when: str,
    part: str | None = None,
) -> Session:
    """A session that begins now; `facts` are what a server told of itself, `part` is what it writes, if not all."""
    where = shown_address(card.url) or platform.node()
    own, part = secrets.token_hex(4), part or ""
    return Session(when, where, card.name, card.revision, engine, dict(facts), tuple(command), id=own, part=part)


def settled(sessions: Sequence[Session], stored: int, own: Spent = NOTHING) -> list[Session]:
    """`sessions`, with the count of one that was killed: of the `stored` answers those that no other session counts;
    and of what they took, which is `own`, what no other session knows of."""
    killed = next((session for session in reversed(sessions) if session.answered is None), None)
    if killed is None:
        return list(sessions)
    answered = max(0, stored - sum(session.count for session in sessions))
    others = total(session.spent for session in sessions if session is not killed)
    known = all(session.spent.answers or not session.answered for session in sessions if session is not killed)
    spent = _of_killed(killed, own, others) if known else killed.spent
    return [replace(session, answered=answered, spent=spent) if session is killed else session for session in sessions]


def settled_parts(
    sessions: Sequence[Session], counted: Callable[[str], tuple[int, Spent]], part: str | None = None
) -> list[Session]:
    """`sessions`, with the counts of those that were killed while they wrote a part: this one, or (None) any. What a
    part holds is `counted`: its answers, and what those that were not copied took."""
    found = list(sessions)
    for name in {session.part for session in sessions if session.part and session.answered is None}:
        if part in (None, name):
            places = [place for place, session in enumerate(sessions) if session.part == name]
            for place, session in zip(places, settled([found[n] for n in places], *counted(name)), strict=True):
                found[place] = session
    return found


def joined(mine: Manifest, before: Manifest | None, part: str) -> Manifest:
    """The manifest of who writes one part, with what the writers of other parts have noted by now. Of the sessions only
    those of its own part are its own; of an engine that it has not opened yet the others know more."""
    if before is None:
        return mine
    others = [session for session in sessions_of(before) if session.part != part]
    own = [session for session in mine.sessions or () if session.part == part]
    sessions = sorted((*others, *own), key=lambda session: (session.began or "", session.id))
    prices = mine.model.prices or before.model.prices
    known = before.engine != NO_ENGINE and before.engine.version != NOT_STARTED
    if mine.engine.version == NOT_STARTED and known:
        mine = replace(mine, engine=before.engine, tasks=before.tasks)
    return replace(
        mine, sessions=tuple(sessions), speed=mine.speed or before.speed, model=replace(mine.model, prices=prices)
    )


def _of_killed(killed: Session, own: Spent, others: Spent) -> Spent:
    """What a killed session took: all its answers, and the time that it noted, at its pace for those after that."""
    noted = killed.spent
    left = own.less(others)
    seconds = noted.seconds
    if seconds is not None and noted.answers:
        seconds *= max(1.0, left.answers / noted.answers)
    return replace(left, seconds=seconds)


def who_answered(sessions: Sequence[Session]) -> str:
    """`2026-11-26 10:03, http://127.0.0.1:8000, SmolLM2-135M`; of several sessions the last. "" where none is known."""
    answering = [session for session in sessions if session.answered]
    if not answering:
        return ""
    last = answering[-1]
    when = (last.began or "")[:16].replace("T", " ")
    text = ", ".join(filter(None, (when, last.where, last.model)))
    return text if len(answering) == 1 else f"in {len(answering)} sessions, the last {text}"
