"""What every command shows, at five widths: docs/screens holds these texts, a test compares, tools/screens.py writes.

The runs are the real thing (planned, asked, scored), except that a small engine with made-up answers stands in for a
model, and what differs between machines and days (times, versions, hosts) is set to fixed values afterwards.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from judged import open_run
from repository import ROOT
from run_folders import task_result, write_run

from tvbench import api
from tvbench.analysis.assess import assess
from tvbench.cli import main as front
from tvbench.engines.protocol import EngineInfo, Feed
from tvbench.registry import places
from tvbench.runs.asking import answer
from tvbench.runs.listening import Noting, PhaseWatch
from tvbench.runs.run_options import Options
from tvbench.runs.store import RunFolder
from tvbench.types import Choice, Item, Response, Translation

SCREENS = ROOT / "docs" / "screens"
WIDTHS = (40, 60, 80, 100, 160)
LEFT_ALONE = ("COLUMNS", "LINES", "TERM", "FORCE_COLOR", "TTY_COMPATIBLE", "TVBENCH_RESULTS", "TVBENCH_INCLUDE_PATH")
WHEN = "2026-01-02T03:04:05+00:00"
FIXED = {"created": WHEN, "updated": "2026-01-02T03:06:05+00:00", "hardware": {}, "packages": {}}
TAKEN = 120.0
SESSION = {"began": WHEN, "ended": "2026-01-02T03:06:05+00:00", "where": "machine"}
NOBODY = "http://127.0.0.1:9/v1"
"""Where no server answers."""
PRICES = "--price small=1,4 --price middle=2,8 --price large=5,20"


class Screen(NamedTuple):
    """`words` follow `tvbench`, in the folder of runs called `results`."""

    name: str
    words: str
    results: str = "results"


ALL = (
    Screen("tvbench", ""),
    Screen("help", "--help"),
    Screen("run", "run --model tower-mini --tasks mini --limit 6"),
    Screen("run-dry-run", "run --model tower-mini --tasks mini --limit 7 --dry-run"),
    Screen("score", "score small"),
    Screen("score-all", "score small --all"),
    Screen("leaderboard", "leaderboard"),
    Screen("leaderboard-cost", f"leaderboard --languages de,hi --cost {PRICES}"),
    Screen("leaderboard-published", "leaderboard", "published"),
    Screen("status", "status"),
    Screen("status-run", "status small"),
    Screen("compare", "compare small large"),
    Screen("compare-three", "compare large small middle --languages de,hi --tasks mini-alm"),
    Screen("check", "check small --against large --resamples 1000"),
    Screen("baseline", "baseline show large.json"),
    Screen("explain", "explain small"),
    Screen("explain-all", "explain small --all"),
    Screen("grounding", "grounding tower-mini"),
    Screen("audit", "audit mini-alm --limit 6"),
    Screen("reproduce", "reproduce", "published"),
    Screen("merge", "merge disk1/large disk2/large --into joined/large"),
    Screen("import-batch", "import batch served answers.jsonl", "batch"),
    Screen("judge-dry-run", f"judge run --judge openai:judge@{NOBODY} --dry-run", "judged"),
    Screen("tasks", "tasks"),
    Screen("tasks-show", "tasks alm"),
    Screen("tasks-languages", "tasks --languages de,sw"),
    Screen("models", "models"),
    Screen("models-show", "models towervision-9b"),
    Screen("engines", "engines"),
    Screen("languages", "languages --task mini-alm"),
    Screen("languages-show", "languages de"),
    Screen("suites", "suites"),
    Screen("new-task", "new task mybench"),
    Screen("fetch-dry-run", "fetch --tasks alm --dry-run --data-only"),
    Screen("train-dry-run", "train --recipe paper --size 2b --dry-run"),
    Screen("usage-error", "leaderbord"),
    *(Screen(f"{name}-help", f"{name} --help") for name in ("export", "doctor", "comet", "setup", "completion")),
)


# ── The runs that are shown ───────────────────────────────────────────────────────────────────────


class Pupil:
    """An engine that is right about `share` of the questions, more seldom in some languages; the same everywhere."""

    info = EngineInfo("transformers", "5.0.0", {"dtype": "bfloat16"})

    def __init__(self, name: str, items: Mapping[str, Item], share: float) -> None:
        self.name, self.items, self.share = name, items, share

    def serve(self, feed: Feed) -> Iterator[Response]:
        while taken := feed.take(8, wait=True):
            for prepared in taken:
                key = prepared.request.key
                text = self.says(self.items[key])
                yield Response(key, text, "stop", tokens_in=100, tokens_out=max(len(text) // 4, 1), seconds=0.25)

    def close(self) -> None:
        """Nothing is held."""

    def says(self, item: Item) -> str:
        """Its answer to one question."""
        weak = {"hi": 0.5, "ja": 0.4, "ko": 0.3}.get(item.language, 1.0)
        right = _draw(self.name, item.id) < self.share * weak
        if isinstance(item.target, Choice):
            options = item.target.options
            return options[((item.target.gold or 0) + (0 if right else 1)) % len(options)]
        if isinstance(item.target, Translation):
            return item.target.references[0] if right else item.target.source
        return "42"


def _draw(*words: str) -> float:
    """A number from 0 to 1 that depends on the words alone."""
    return int(hashlib.sha256("|".join(words).encode()).hexdigest()[:8], 16) / 2**32


def make_runs(place: Path) -> None:
    """The folders of runs that the screens are of."""
    results = place / "results"
    asked = Options(limit=6, reuse=False)
    _ask(results, asked, 0.6, "tower-mini")
    _ask(results, replace(asked, no_image=True), 0.35, "blind")
    _ask(results, replace(asked, limit=30, label="small"), 0.5, "small")
    _ask(results, replace(asked, limit=30, label="middle"), 0.85, "middle")
    _ask(results, replace(asked, limit=30, label="large"), 0.9, "large")
    published = place / "published"
    by_language = {"de": 0.71, "fr": 0.66, "ko": 0.48, "en": 0.83}
    found = task_result("alm", "towervision-9b", value=0.67, languages=by_language)
    write_run(published, "run-9b", "towervision-9b", found)
    found = task_result("multi30k", "my-model", primary="bleu", value=31.0, languages={"de": 33.0, "fr": 29.0})
    write_run(published, "run-mine", "my-model", found)
    open_run(place / "judged", count=12, exact=4)
    freeze(place)
    with _at(place, "results", 80):
        _call(["baseline", "write", "large", "large.json"])
    _take_apart(place)
    _answer_batch(place)


def _take_apart(place: Path) -> None:
    """One run as two machines have it that answered half of it each."""
    (whole,) = (place / "results").glob("large*")
    for disk in (0, 1):
        half = place / f"disk{disk + 1}" / "large"
        shutil.copytree(whole, half, ignore=shutil.ignore_patterns("scores.jsonl", "result.json"))
        lines = (whole / "responses.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        (half / "responses.jsonl").write_text("".join(lines[disk::2]), encoding="utf-8")


def _answer_batch(place: Path) -> None:
    """A run whose questions went out in a batch, and what came back of it: all but one."""
    words = f"export batch --model openai:served@{NOBODY} --tasks mini-alm --limit 6 --label served"
    with _at(place, "batch", 80):
        _call(words.split())
    (folder,) = (place / "batch").iterdir()
    items = dict(RunFolder(folder).requests())
    pupil = Pupil("served", items, 0.8)
    lines = [json.dumps(_came_back(key, pupil.says(item))) + "\n" for key, item in list(items.items())[1:]]
    (place / "answers.jsonl").write_text("".join(lines), encoding="utf-8")
    (place / "batch").rename(place / "batch-out")


def _came_back(key: str, text: str) -> dict[str, Any]:
    """A line of a batch's results."""
    usage = {"prompt_tokens": 100, "completion_tokens": max(len(text) // 4, 1)}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    body = {"model": "served", "choices": [choice], "usage": usage}
    return {"id": key, "custom_id": key, "response": {"status_code": 200, "body": body}, "error": None}


def _ask(results: Path, options: Options, share: float, name: str) -> None:
    listener = Noting(None)
    ready = api.plan("tower-mini", "mini", results, options, listener)
    items = {planned.key: planned.item for planned in ready.plan.planned_items()}
    rescore = partial(assess, tasks=[planned.task for planned in ready.plan.tasks])
    pupil = Pupil(name, items, share)
    answer(ready, partial(PhaseWatch, listener, "run"), rescore, listener.say, lambda: contextlib.nullcontext(pupil))


def freeze(place: Path) -> None:
    """Fixed values for whatever depends on the day and the machine."""
    for path in sorted(place.glob("*/*/manifest.json")):
        told = json.loads(path.read_text(encoding="utf-8")) | FIXED
        told["sessions"] = [_frozen(session) for session in told.get("sessions", ())]
        if told.get("speed"):
            told["speed"] = {"requests_per_second": 4.0}
        path.write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")


def _frozen(session: dict[str, Any]) -> dict[str, Any]:
    spent = {name: TAKEN if name == "seconds" else value for name, value in session.get("spent", {}).items()}
    return session | SESSION | ({"spent": spent} if spent else {})


# ── The screens ───────────────────────────────────────────────────────────────────────────────────


def screen_text(screen: Screen, place: Path) -> str:
    """The file of a screen: the command, and what it shows at each width."""
    parts = [f"$ tvbench {screen.words}".rstrip()]
    for width in WIDTHS:
        parts.append(f"── {width} columns ".ljust(width, "─"))
        parts.append(typed(screen, place, width).rstrip("\n"))
    return "\n\n".join(parts) + "\n"


def typed(screen: Screen, place: Path, width: int) -> str:
    """What stands on a terminal of `width` columns after the command, in a folder where it was not typed before."""
    for made in ("mybench", "joined", "batch"):
        shutil.rmtree(place / made, ignore_errors=True)
    shutil.copytree(place / "batch-out", place / "batch")
    with _at(place, screen.results, width) as said:
        _call(screen.words.split())
    freeze(place)
    return "\n".join(line.rstrip() for line in said.getvalue().splitlines())


@contextlib.contextmanager
def _at(place: Path, results: str, width: int) -> Iterator[io.StringIO]:
    """A terminal in the folder; yields what is said on it. Every engine is taken to be installed."""
    said = io.StringIO()
    kept = {name: os.environ.pop(name, None) for name in LEFT_ALONE}
    os.environ |= {"COLUMNS": str(width), "TVBENCH_RESULTS": results}
    front._width.cache_clear()
    places.include(())  # another test's folders
    installed = patch("tvbench.engines.spec.find_spec")
    try:
        with contextlib.chdir(place), installed, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            yield said
    finally:
        del os.environ["COLUMNS"], os.environ["TVBENCH_RESULTS"]
        os.environ |= {name: value for name, value in kept.items() if value is not None}
        front._width.cache_clear()


def _call(words: list[str]) -> None:
    with contextlib.suppress(SystemExit):
        front.main(words)
