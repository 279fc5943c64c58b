"""Who answered a run, and when: the list `sessions` of its manifest. A session is added, and none is overwritten.

A session that asked nothing and copied nothing leaves no trace. One that was killed has no count; the next one counts
for it. Knows plain JSON; knows no file.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from tvbench.addresses import shown_address
from tvbench.engines.protocol import EngineInfo
from tvbench.types import ModelCard

Session: TypeAlias = dict[str, Any]
NOT_STARTED = "not started"
"""The version of an engine that was never opened."""


def sessions_of(manifest: Mapping[str, Any]) -> list[Session]:
    """The sessions in a manifest. One of before they were noted tells of its last."""
    listed = manifest.get("sessions")
    if isinstance(listed, list):
        return [dict(one) for one in listed if isinstance(one, dict)]
    model, engine = manifest.get("model"), manifest.get("engine")
    if not isinstance(model, dict) or not isinstance(engine, dict) or engine.get("version") == NOT_STARTED:
        return []
    return [{
        "began": manifest.get("created"),
        "where": shown_address(str(model.get("url") or "")),
        "model": model.get("name"),
        "revision": model.get("revision"),
        "engine": engine,
        "command": manifest.get("command"),
    }]


def begun(card: ModelCard, engine: EngineInfo, facts: Mapping[str, Any], command: Sequence[str], when: str) -> Session:
    """A session that begins now; `facts` are what a server told of itself."""
    return {
        "began": when,
        "where": shown_address(card.url) or platform.node(),
        "model": card.name,
        "revision": card.revision,
        "engine": asdict(engine),
        "server": dict(facts),
        "command": list(command),
    }


def settled(sessions: Sequence[Session], stored: int) -> list[Session]:
    """`sessions`, with the count of one that was killed: of the `stored` answers those that no other session counts."""
    known = sum(_count(one) for one in sessions)
    missing = [one for one in sessions if "answered" not in one]
    return [one if one is not (missing[-1] if missing else None) else {**one, "answered": max(0, stored - known)}
            for one in sessions]


def who_answered(sessions: Sequence[Session]) -> str:
    """`2026-11-26 10:03, http://127.0.0.1:8000, SmolLM2-135M`; of several sessions the last. "" where none is known."""
    some = [one for one in sessions if one.get("answered")]
    if not some:
        return ""
    last = some[-1]
    when = str(last.get("began") or "")[:16].replace("T", " ")
    text = ", ".join(filter(None, (when, str(last.get("where") or ""), str(last.get("model") or ""))))
    return text if len(some) == 1 else f"in {len(some)} sessions, the last {text}"


def _count(session: Session) -> int:
    reused = session.get("reused")
    counts = [session.get("answered"), *(reused.values() if isinstance(reused, dict) else ())]
    return sum(count for count in counts if isinstance(count, int))
