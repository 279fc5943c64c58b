"""Which answers get another mark than from an earlier version of tvbench, item by item, each with the reason.

    python tools/changed_marks.py RESULTS_OR_LOGS [--before REVISION]

RESULTS_OR_LOGS is a folder of runs, or one of lmms-eval's logs, which is imported first. The same runs are scored by
this checkout and by that revision of the repository (taken from git, in a process of its own), and every item whose
value differs in a metric of single items is printed: metric, old and new value, reply, options, and what the reply is
read as now. The last lines count the changes by kind.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(os.environ.get("TVBENCH_CHECKOUT", Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(ROOT))  # the checkout that is asked for, whatever is installed

from tvbench.cli.main import main as tvbench  # noqa: E402
from tvbench.runs.answered import answered  # noqa: E402
from tvbench.runs.store import RunFolder, find_runs  # noqa: E402
from tvbench.scoring import score_items  # noqa: E402
from tvbench.types import Choice, Item, Short  # noqa: E402

BEFORE = "main"
SHOWN = 160

# ── Marks by one version ──────────────────────────────────────────────────────────────────────────


def marks(results: Path) -> dict[str, dict[str, float | None]]:
    """Every value of every answered item, by run, task and item."""
    found = {}
    for run in find_runs(results):
        for name, task in answered(run).items():
            for score in score_items(list(task.items.values()), task.answers):
                found["\t".join((run.name, name, score.item))] = dict(score.values)
    return found


def marks_before(results: Path, revision: str) -> dict[str, dict[str, float | None]]:
    """The same by an earlier version of the repository."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        done = subprocess.run(
            [sys.executable, __file__, str(results), "--marks"],
            env={**os.environ, "TVBENCH_CHECKOUT": folder, "PYTHONPATH": folder},
            check=True,
            capture_output=True,
            text=True,
        )
    return dict(json.loads(done.stdout))


# ── What changed, and why ─────────────────────────────────────────────────────────────────────────


def reason(item: Item, text: str) -> tuple[str, str]:
    """(the kind of a change, what the reply is read as now)."""
    from tvbench.scoring.choice import judge
    from tvbench.scoring.folding import FORMS
    from tvbench.scoring.letters import named_letter
    from tvbench.scoring.matching import match

    target, names = item.target, ("as written", "digits, numbers, marks", "articles and the like")
    if isinstance(target, Choice) and target.letters:
        named = named_letter(text, target.options, item.language)
        if named.place is not None or named.several:
            verdict = judge(target, text, item.language)
            said = "several letters" if named.several else f"letter {chr(ord('A') + (named.place or 0))}"
            return "letter", f"{said}; option {verdict.option}; {', '.join(verdict.flags) or 'read'}"
    options = target.options if isinstance(target, Choice) else target.answers if isinstance(target, Short) else ()
    for at, said in enumerate(_readings(text, item.language)):
        for form, name in zip(FORMS, names, strict=True):
            held = match(said, options, item.language)
            if held.place is not None and form(said, item.language) in _keys(form, options, item.language):
                return (
                    f"{'words around it' if at else 'the whole reply'}; {name}",
                    f"{said!r} is option {held.place} ({options[held.place]!r})",
                )
    return "not read any more", "no option, or more than one"


def _readings(text: str, language: str) -> Iterator[str]:
    from tvbench.scoring.dressing import readings

    return readings(text, language, len(text) + 1)


def _keys(form: Any, options: tuple[str, ...], language: str) -> set[str]:
    from tvbench.scoring.folding import exact

    return {form(exact(option, language), language) for option in options}


def changes(results: Path, before: str) -> Iterator[tuple[str, str]]:
    """(kind, the lines) of each changed mark."""
    new, old = marks(results), marks_before(results, before)
    items = {
        "\t".join((run.name, name, item_id)): (item, task.text(item_id) or "")
        for run in find_runs(results)
        for name, task in answered(run).items()
        for item_id, item in task.items.items()
    }
    for place, values in new.items():
        for metric, value in values.items():
            if old.get(place, {}).get(metric) == value or metric not in old.get(place, {}):
                continue
            item, text = items[place]
            kind, said = reason(item, text)
            options = getattr(item.target, "options", None) or getattr(item.target, "answers", ())
            yield (
                f"{metric}: {old[place][metric]} to {value}: {kind}",
                f"{place}  {metric} {old[place][metric]} -> {value}\n    reply   {text[:SHOWN]!r}\n"
                f"    options {options} gold {getattr(item.target, 'gold', '')}\n    why     {kind}: {said}",
            )


def main() -> int:
    """Print the changes, or the marks of one version as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--before", default=BEFORE, help=f"a revision of the repository ({BEFORE})")
    parser.add_argument("--marks", action="store_true", help="print the marks of this version as JSON")
    asked = parser.parse_args()
    if asked.marks:
        print(json.dumps(marks(asked.results)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        results = asked.results
        if not any(isinstance(run, RunFolder) for run in find_runs(results)):
            results = Path(folder)
            tvbench(["import", "lmms-eval", str(asked.results), "--results", folder])
        counts: Counter[str] = Counter()
        for kind, lines in changes(results, asked.before):
            counts[kind] += 1
            print(lines)
    print(f"\n{sum(counts.values())} marks changed")
    for kind, number in counts.most_common():
        print(f"{number:6} {kind}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
