"""What tests of metrics share: two runs of one task that is ranked by a given metric, one better than the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from run_folders import write_manifest

from tvbench.runs.writer import RunWriter
from tvbench.types import (
    Choice,
    Contains,
    Contrast,
    Exam,
    Item,
    Message,
    OcrText,
    Open,
    Response,
    Short,
    Target,
    Translation,
    Voted,
)

COUNT = 6
"""Questions a language."""
GOOD, BAD = "good-run", "bad-run"


@dataclass(frozen=True)
class Answers:
    """How one kind of target is asked, and what a good and a bad answer to it are."""

    target: Callable[[int], Target]
    good: str
    bad: str
    extra: Mapping[str, Any] = field(default_factory=dict)


KINDS: dict[type, Answers] = {
    Choice: Answers(lambda n: Choice(("red", "blue", "green"), 0, "red", ("red", "blue", "green")), "red", "blue"),
    Exam: Answers(
        lambda n: Exam(("red", "blue"), 0, "A", letters=True, raw=("A. red", "B. blue")), "(A) red", "(B) blue"
    ),
    Voted: Answers(lambda n: Voted(("seven",) * 9 + ("eight",)), "seven", "nine"),
    Short: Answers(lambda n: Short(("seven",)), "seven", "eight"),
    Translation: Answers(
        lambda n: Translation(
            "A red house stands here.", (f"Heute steht hier ein rotes Haus mit {n} Türen.",), ("Haus",), ("Heim",)
        ),
        "Heute steht hier ein rotes Haus mit Türen.",
        "Ein Heim.",
    ),
    OcrText: Answers(lambda n: OcrText(f"open daily from nine to five {n}"), "open daily from nine to five", "closed"),
    Contains: Answers(lambda n: Contains(("seven",)), "It is seven.", "It is eight."),
    Open: Answers(lambda n: Open("Why?", "Because of the rain."), "The rain.", "The sun."),
}


def items_of(kind: type, task: str) -> list[tuple[Item, Response, Response]]:
    """Each question with its good and its bad answer."""
    found: list[tuple[Item, Response, Response]] = []
    for code in ("de", "fr"):
        for n in range(COUNT):
            if kind is Contrast:
                for right in (True, False):
                    name = f"{code}/{n}/{right}"
                    item = Item(
                        name, task, code, (), Contrast(f"{code}/{n}", right), cluster=f"{code}{n}", continuation="Haus"
                    )
                    found.append((item, _likely(name, -1.0 if right else -3.0), _likely(name, -3.5 if right else -3.0)))
            else:
                how = KINDS[kind]
                item = Item(
                    f"{code}/{n}",
                    task,
                    code,
                    (Message("user", (f"Question {n}?",)),),
                    how.target(n),
                    cluster=f"{code}{n}",
                )
                found.append(
                    (item, Response("", text=how.good, finish="stop"), Response("", text=how.bad, finish="stop"))
                )
    return found


def _likely(name: str, logprob: float) -> Response:
    return Response("", text="", finish="stop", logprobs=(logprob, logprob / 2))


def write_runs(
    results: Path,
    task: str,
    metric: str,
    asked: Sequence[tuple[Item, Response, Response]],
    entry: Mapping[str, Any] | None = None,
) -> None:
    """Two runs: `good-run` has one bad answer, `bad-run` one good one, in each language."""
    for name in (GOOD, BAD):
        with RunWriter(results / name) as writer:
            write_manifest(
                writer,
                {
                    "run": name,
                    "model": {"name": f"model-{name}", "revision": "1"},
                    "updated": "2026-01-01",
                    "engine": {"name": "e", "version": "1", "settings": {}},
                    "tasks": [
                        {
                            "task": task,
                            "protocol": "p",
                            "dataset": "rows@1",
                            "primary": metric,
                            "metrics": [metric],
                            "signature": f"task:{task}@1|protocol:p|data:rows@1|model:{name}@1|engine:e@1",
                            "items": len(asked),
                            **(entry or {}),
                        }
                    ],
                },
            )
            writer.write_requests((f"{name}/{item.id}", item, ()) for item, _, _ in asked)
            writer.start()
            for item, good, bad in asked:
                odd = f"/{0 if name == GOOD else 1}" in item.id
                given = (bad if odd else good) if name == GOOD else (good if odd else bad)
                writer.append(Response(**{**_fields(given), "key": f"{name}/{item.id}"}))


def _fields(response: Response) -> dict[str, Any]:
    return {name: getattr(response, name) for name in ("text", "finish", "logprobs")}
