"""What came of a campaign, held against its promises: nothing lost, nothing paid twice, the answers of one process."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.campaigns.camp import Camp
from benchmarks.campaigns.given import DIVISIONS


def held(camp: Camp, seconds: float) -> int:
    """Hold it against its promises, and say it."""
    mine, whole = answers(camp.run), answers(camp.folder / "alone" / camp.run.name)
    lost = sum(key not in mine for key in whole)
    other = sum(mine[key] != whole[key] for key in mine.keys() & whole.keys())
    strangers = len(mine.keys() - whole.keys())
    paid, in_flight = payments(camp.folder / "paid")
    again = Counter({key: count - 1 for key, count in paid.items() if count > 1})
    twice = again - in_flight
    excused = again.total() - twice.total()
    equal = figures(camp.run) == figures(camp.folder / "alone" / camp.run.name)
    kills = ", ".join(f"{count} {name}s" for name, count in sorted(camp.tally.kills.items()))
    print(f"{len(whole):,} questions, seed {camp.args.seed}, {seconds:,.0f} s; divisions {DIVISIONS}")
    print(f"killed: {camp.tally.kills.total()} ({kills}); second writers refused: {camp.tally.refused}")
    print(f"paid: {paid.total():,}; in flight at a kill and paid again: {excused} (could be: {in_flight.total()})")
    print(f"lost: {lost}; paid twice: {twice.total()}; other answers than one process: {other + strangers}")
    print(f"figures {'equal' if equal else 'NOT EQUAL'} to those of one process")
    for name, took, peak in camp.tally.merges:
        print(f"merge {name:<16}{took:>8.1f} s{peak:>8.0f} MB")
    for key in twice:
        print(f"PAID TWICE: {key[:16]} in {', '.join(sorted(where(camp.folder / 'paid', key)))}")
    for fault in camp.tally.faults:
        print(f"FAULT: {fault}")
    good = not (lost or twice or other or strangers or camp.tally.faults) and equal and len(whole) > 0
    return 0 if good else 1


def payments(logs: Path) -> tuple[Counter[str], Counter[str]]:
    """How often each question was paid for; and the last ones of engines that were not closed, which may not be
    stored."""
    paid, in_flight = Counter[str](), Counter[str]()
    for path in logs.iterdir():
        keys = path.read_text().splitlines()
        if not path.name.startswith("service") and keys and keys[-1] != "closed":
            in_flight[keys[-1]] += 1
        paid.update(key for key in keys if key != "closed")
    return paid, in_flight


def where(logs: Path, key: str) -> list[str]:
    """The logs that hold a key."""
    return [path.name for path in logs.iterdir() if f"{key}\n" in path.read_text()]


def answers(run: Path) -> dict[str, str]:
    """The answer to each key, where it has one."""
    from tvbench.runs.store import RunFolder

    index = RunFolder(run).index()
    return {key: index[key].text or "" for key in index.without_failures}


def figures(run: Path) -> list[tuple[Any, ...]]:
    """What scoring says, but for who answered."""
    data = json.loads((run / "result.json").read_text())
    return [(task["task"], json.dumps(task.get("metrics"), sort_keys=True)) for task in data["tasks"]]
