"""What a judge has said of a run, read back from `RUN/judges/NAME/`: a run folder of its own.

The requests are made again from the stored rubric and the run's present answers, and found by their content keys. An
answer that was given anew since is simply not judged yet; nothing can go stale. Knows the store; knows no engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tvbench.errors import UsageError
from tvbench.graders.judge.cases import Case, gather, judge_request, nonce_of
from tvbench.graders.judge.reply import ReplyReading, read_reply
from tvbench.graders.judge.rubric import Rubric, rubric_from
from tvbench.registry.influence import prompt_label, score_arguments
from tvbench.registry.thinking import thinking_of
from tvbench.runs.plan import PlannedItem
from tvbench.runs.signature import write_signature
from tvbench.runs.store import RunFolder
from tvbench.types import Item, ModelCard, Response, SideScores

FOLDER = "judges"
METRIC = "judge"
MOST_ATTEMPTS = 20
"""More asks of one answer are never made, so no more are looked for."""


@dataclass(frozen=True, slots=True)
class JudgeVerdict:
    """What became of one case: its reading, the replies that it took, or why there is none yet."""

    case: Case
    reading: ReplyReading
    replies: int
    failure: str | None = None

    @property
    def asked(self) -> bool:
        return self.replies > 0 or self.failure is not None


@dataclass(frozen=True, slots=True)
class Judge:
    """One judge of one run. `checked`, `planted` and `seed` choose what it was asked about as a check."""

    run: RunFolder
    store: RunFolder
    card: ModelCard
    rubric: Rubric
    tasks: tuple[str, ...]
    checked: int | None
    seed: int
    engine: str
    created: str
    planted: int | None = 0

    @property
    def name(self) -> str:
        return self.store.name

    @property
    def definition(self) -> str:
        """The signature of its scores."""
        return write_signature(
            {
                "judge": f"{self.card.name}@{self.card.revision}",
                **({"chat": chat} if (chat := prompt_label(self.card)) else {}),
                "engine": self.engine,
                "rubric": self.rubric.label,
                "scale": f"{self.rubric.lowest:g}-{self.rubric.highest:g}",
                "sampling": f"greedy,max={self.rubric.max_new_tokens}",
                **({"thinking": thinking} if (thinking := thinking_of(self.card).label) else {}),
            }
        )

    def cases(self, answers: Iterable[tuple[Item, Response]]) -> list[Case]:
        """The cases of one task's answers, as they were (or would be) asked."""
        return gather(answers, self.rubric, checked=self.checked, seed=self.seed, planted=self.planted)

    def verdicts(self, answers: Iterable[tuple[Item, Response]], replies: Mapping[str, Response]) -> list[JudgeVerdict]:
        """The verdict on every case of one task; `replies` are the judge's own responses by key."""
        return [settle(case, self.rubric, self.card, replies)[0] for case in self.cases(answers)]


def settle(
    case: Case, rubric: Rubric, card: ModelCard, replies: Mapping[str, Response]
) -> tuple[JudgeVerdict, list[PlannedItem]]:
    """The first readable reply to `case`, and the requests that led to it, the next one to be sent included."""
    requests: list[PlannedItem] = []
    last = ReplyReading(None)
    for attempt in range(MOST_ATTEMPTS):
        planned = judge_request(case, rubric, card, attempt)
        requests.append(planned)
        response = replies.get(planned.key)
        if response is None or response.text is None:
            return JudgeVerdict(case, last, attempt, response.error if response else None), requests
        last = read_reply(response.text, rubric, nonce_of(case, rubric, attempt))
        if last.score is not None:
            return JudgeVerdict(case, last, attempt + 1), requests
    return JudgeVerdict(case, last, MOST_ATTEMPTS), requests


# ── Reading from disk ─────────────────────────────────────────────────────────────────────────────


def find_judges(run: RunFolder) -> list[Judge]:
    """Every judge of the run, the first one that was asked first. Damaged folders raise UsageError."""
    stores = [RunFolder(path) for path in judge_folders(run) if RunFolder(path).exists()]
    return sorted((read_judge(run, store) for store in stores), key=lambda judge: (judge.created, judge.name))


def judge_folders(run: RunFolder) -> list[Path]:
    """What lies where the run's judges are kept, by name."""
    folder = run.path / FOLDER
    return sorted(folder.iterdir()) if folder.is_dir() else []


def read_judge(run: RunFolder, store: RunFolder) -> Judge:
    """The judge in a folder. Raises UsageError where it is not one."""
    manifest = store.manifest()
    asked = manifest.judging
    if asked is None:
        raise UsageError(f"{store.path} is not a judge's folder", "move it away, and ask the judge again")
    # Judgings of before knew nothing of the prompt in their keys.
    card = replace(manifest.model, chat={}) if asked.chat is None else manifest.model
    rubric = rubric_from(asked.rubric, str(store.path))
    return Judge(
        run, store, card, rubric, asked.tasks, asked.checked, asked.seed, asked.engine, manifest.created, asked.planted
    )


def judge_folder(run: RunFolder, card: ModelCard, rubric: Rubric) -> Path:
    """Where a judge's replies lie: one folder for each model and rubric."""
    import hashlib
    import json
    import re

    name = re.sub(r"[^\w.+-]+", "-", card.name).strip("-.")[-60:] or "judge"
    arguments = {engine: moving for engine in card.engine if (moving := score_arguments(card, engine))}
    said = [
        prompt_label(card),
        thinking_of(card).label,
        json.dumps(arguments, sort_keys=True, default=str) if arguments else "",
    ]
    who = "|".join([f"{card.kind}:{card.location}@{card.revision}", rubric.label, *filter(None, said)])
    digest = hashlib.sha256(who.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return run.path / FOLDER / f"{name}--{rubric.name}-{digest}"


def side_scores(run: RunFolder, task: str, answers: Sequence[tuple[Item, Response]]) -> list[SideScores]:
    """The scores of every judge of the run for one task. The first judge's metric is `judge`, so that a second
    opinion changes no figure; the others' are `judge:NAME`."""
    found: list[SideScores] = []
    for judge in find_judges(run):
        if task not in judge.tasks:
            continue
        verdicts = [verdict for verdict in judge.verdicts(answers, judge.store.responses()) if verdict.case.counts]
        if not verdicts:
            continue
        metric = METRIC if not found else f"{METRIC}:{judge.name}"
        values = {verdict.case.item.id: verdict.reading.score for verdict in verdicts}
        found.append(
            SideScores(
                metric,
                judge.definition,
                values,
                {verdict.case.item.id: flags for verdict in verdicts if (flags := _flags(verdict))},
            )
        )
    return found


def _flags(verdict: JudgeVerdict) -> tuple[str, ...]:
    if verdict.reading.score is None:
        return (f"judge_{verdict.reading.problem}",) if verdict.reading.problem else ("not_judged",)
    return ("judge_wrong_language",) if verdict.reading.right_language is False else ()
