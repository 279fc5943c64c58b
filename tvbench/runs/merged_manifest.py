"""One manifest out of several of the same run, answered on several machines; and where they contradict each other.

What was asked must be equal. Sessions are put together, each once; what belongs to a machine (packages, hardware) is
the first one's. Knows manifests; knows no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from tvbench.runs.history import BATCH, NOT_STARTED, as_asked, engine_label, sessions_of
from tvbench.runs.manifest import NO_ENGINE, Manifest, Session, plain
from tvbench.runs.signature import read_signature, write_signature

WHERE_IT_LIES = frozenset({"prices", "url", "title", "aliases"})
"""What of a model's card moves no answer."""
SAID_BY_READERS = frozenset({"warnings", "rest"})


def differences(first: Manifest, other: Manifest) -> list[str]:
    """Where two manifests contradict each other, in words: `engine.version 0.32.0 and 0.33.0`."""
    mine, yours = _facts(first), _facts(other)
    if not (started(first) and started(other)):
        for facts in (mine, yours):
            facts.pop("engine")
            for entry in facts["tasks"].values():
                entry.pop("signature")
    return [f"{place} {_short(one)} and {_short(two)}" for place, one, two in _differing(mine, yours)]


def other_run(first: Manifest, other: Manifest) -> list[str]:
    """Where they were asked something else, so that they are no parts of one run."""
    found = _differing({"ask": plain(first.ask.data)}, {"ask": plain(other.ask.data)})
    return [f"{place} {_short(one)} and {_short(two)}" for place, one, two in found]


def started(manifest: Manifest) -> bool:
    """Whether an engine was opened for it."""
    return manifest.engine != NO_ENGINE and manifest.engine.version != NOT_STARTED


def packages_differing(first: Manifest, other: Manifest) -> list[str]:
    """`torch 2.9.0 and 2.10.0`: what both name, and in another version."""
    both = first.packages.keys() & other.packages.keys()
    return [
        f"{name} {first.packages[name]} and {other.packages[name]}"
        for name in sorted(both)
        if first.packages[name] != other.packages[name]
    ]


def together(manifests: Sequence[Manifest]) -> Manifest:
    """The manifest of all. Where they contradict each other the first one's word holds; of one for which no engine was
    opened yet, another's."""
    base = next((manifest for manifest in manifests if started(manifest)), manifests[0])
    noted = any(manifest.sessions is not None for manifest in manifests)
    sessions = _sessions(manifests)
    return replace(
        _asked_by(base, sessions),
        created=min((one.created for one in manifests if one.created), default=""),
        updated=max(one.updated for one in manifests),
        model=replace(base.model, prices=next((m.model.prices for m in manifests if m.model.prices), {})),
        speed=next((one.speed for one in manifests if one.speed), {}),
        sessions=tuple(sessions) if noted else None,
        rest={name: value for one in reversed(manifests) for name, value in one.rest.items()},
    )


def _asked_by(manifest: Manifest, sessions: Sequence[Session]) -> Manifest:
    """`manifest` with an engine that says how all these sessions asked: at once, in a batch, or both."""
    if "asked" not in manifest.engine.settings and all(session.source != BATCH for session in sessions):
        return manifest
    settings = {name: value for name, value in manifest.engine.settings.items() if name != "asked"}
    engine = as_asked(replace(manifest.engine, settings=settings), sessions)
    label = engine_label(engine)
    tasks = tuple(
        replace(entry, signature=write_signature({**read_signature(entry.signature), "engine": label}))
        for entry in manifest.tasks
    )
    return replace(manifest, engine=engine, tasks=tasks)


def _sessions(manifests: Sequence[Manifest]) -> list[Session]:
    """Each once, as it was when it was furthest."""
    found: dict[Any, Session] = {}
    for manifest in manifests:
        for session in sessions_of(manifest):
            name = session.id or (session.began, session.where, session.model, session.command)
            before = found.setdefault(name, session)
            found[name] = max(before, session, key=_how_far)
    return sorted(found.values(), key=lambda session: (session.began or "", session.id))


def _how_far(session: Session) -> tuple[str, int, int]:
    return session.ended or "", -1 if session.answered is None else session.answered, session.spent.answers


def _facts(manifest: Manifest) -> dict[str, Any]:
    """What two machines must agree on, as plain data: not whether one asked at once, and one in a batch."""
    manifest = _asked_by(manifest, ())
    model = {name: value for name, value in asdict(manifest.model).items() if name not in WHERE_IT_LIES}
    if manifest.model.kind == "folder":
        model.pop("location")
    tasks = {
        entry.task: {name: value for name, value in asdict(entry).items() if name not in SAID_BY_READERS}
        for entry in manifest.tasks
    }
    judging = None if manifest.judging is None else asdict(manifest.judging)
    engine, decoder = asdict(manifest.engine), dict(manifest.decoder)
    found: dict[str, Any] = plain(
        {"source": manifest.source, "model": model, "engine": engine, "tasks": tasks, "decoder": decoder}
        | {"judging": judging}
    )
    return found


def _differing(mine: Any, yours: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every value that is another, with the names that lead to it."""
    if isinstance(mine, Mapping) and isinstance(yours, Mapping):
        for name in dict.fromkeys((*mine, *yours)):
            yield from _differing(mine.get(name), yours.get(name), f"{place}.{name}" if place else name)
    elif isinstance(mine, list) and isinstance(yours, list) and len(mine) == len(yours):
        for number, (one, two) in enumerate(zip(mine, yours, strict=True)):
            yield from _differing(one, two, f"{place}[{number}]")
    elif mine != yours:
        yield place, mine, yours


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:40]}...{text[-16:]}"
