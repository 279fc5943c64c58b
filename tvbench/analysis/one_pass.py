"""One task of a run scored item by item, in one pass over it: columns for its figures, lines for scores.jsonl, counts
for what must be said. Neither items nor answers are held, but those whose score waits for another item's.

Knows run folders and metrics; no engine and no table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from tvbench.analysis import task_scores
from tvbench.analysis.task_scores import Replied, facts_kept, metrics_of, named_in
from tvbench.runs.checking import CheckedTask
from tvbench.runs.manifest import TaskEntry
from tvbench.runs.signature import read_signature
from tvbench.runs.spool import Spool
from tvbench.runs.store import RunFolder, score_line
from tvbench.scoring import score_item
from tvbench.scoring.contrast import settle_pairs
from tvbench.scoring.guards import is_for
from tvbench.scoring.metric import Metric
from tvbench.scoring.sides import with_sides
from tvbench.scoring.tally import FigureTally
from tvbench.scoring.task_metrics import to_compute
from tvbench.types import Contrast, Item, Open, Response, Score, Task, TaskResult


class TaskPass:
    """Takes the items of one task with their answers. `tasks` are at hand already, with functions of their own. Raises
    UsageError for a damaged folder of a judge or COMET, StoreError where there is no room."""

    def __init__(self, run: RunFolder, task: Replied, tasks: Iterable[Task]) -> None:
        self.entry = task.entry
        self.sides = task_scores.side_scores(run, task)
        self.metrics, self.kept = metrics_of(run, self.entry, tasks)
        self.lines = Spool(run.path)
        self.said = _Said(self.entry, self.metrics, self.kept)
        self._tally = FigureTally(self.metrics)
        self._waiting: list[tuple[Item, Response | None, Score | None]] = []

    def add(self, item: Item, response: Response | None) -> None:
        """The next item."""
        score = None if response is None else score_item(item, response, self.metrics, self.entry.primary)
        if self._waiting or isinstance(item.target, Contrast):
            self._waiting.append((item, response, score))
        else:
            self._take(item, response, score)

    def _take(self, item: Item, response: Response | None, score: Score | None) -> None:
        if score is not None:
            score = with_sides(score, self.sides)
            self.lines.add(score_line(self.entry.task, score))
        self.said.add(item, response, score)
        self._tally.add(item, response, score)

    def end(self) -> None:
        """The last item was added: what waited is settled."""
        scores = settle_pairs(
            [item for item, _, _ in self._waiting], [score for _, _, score in self._waiting if score is not None]
        )
        by_item = {score.item: score for score in scores}
        for item, response, _ in self._waiting:
            self._take(item, response, by_item.get(item.id))
        self._waiting.clear()

    def result(self, checked: CheckedTask) -> TaskResult:
        """The figures, with what the folder should hold of the task, and what is wrong with that."""
        entry = self.entry
        result = self._tally.result(entry.task, entry.protocol, entry.primary, checked.signature)
        said = self.said
        warnings = (
            *entry.warnings,
            *result.warnings,
            *said.of_kept(),
            *said.of_failures(),
            *said.of_thinking(),
            *said.of_the_missing(result),
            *checked.warnings,
        )
        counts = replace(
            result.counts,
            expected=max(checked.expected, result.counts.expected),
            damaged=result.counts.damaged + checked.damaged,
        )
        graded = {side.metric: side.definition for side in self.sides}
        return replace(
            result,
            counts=counts,
            warnings=warnings,
            logged=entry.logged,
            declared=facts_kept(entry, self.metrics),
            metric_signatures={**result.metric_signatures, **graded},
        )


class _Said:
    """What a reader must be told of one task's scores, counted as they come."""

    def __init__(self, entry: TaskEntry, metrics: Iterable[Metric], kept: Iterable[Metric]) -> None:
        self.entry = entry
        self.metrics = tuple(metrics)
        self.kept = {metric.id: 0 for metric in kept}
        self.failed: dict[str, tuple[int, str, str]] = {}
        """By metric: how many answers it failed on, the first of them, and why."""
        self.scores = self.answers = self.thought = self.cut = 0
        self.named: Mapping[str, Metric | None] = {name: to_compute(name, entry.declared) for name in named_in(entry)}
        self.unseen = {name: metric for name, metric in self.named.items() if metric is not None}
        """The metrics of which no item has been seen yet."""

    def add(self, item: Item, response: Response | None, score: Score | None) -> None:
        for name in [name for name, metric in self.unseen.items() if is_for(metric, item)]:
            del self.unseen[name]
        if response is not None:
            self.answers += 1
            self.thought += bool(response.reasoning)
            self.cut += response.ran_out_thinking
        if score is None:
            return
        self.scores += 1
        for name, why in score.failures.items():
            count, first, reason = self.failed.get(name, (0, score.item, why))
            self.failed[name] = count + 1, first, reason
        for name in self.kept:
            self.kept[name] += score.values.get(name) is not None

    def of_kept(self) -> Iterator[str]:
        """Whose values are those of an earlier scoring."""
        for name, have in self.kept.items():
            yield (
                f"{name}: its task file or package is not at hand (`tvbench score RUN --include-path DIR`): "
                f"the stored values of {have} unchanged answers are kept, others are not scored by it"
            )

    def of_failures(self) -> Iterator[str]:
        """Which metrics failed on answers, how often, and why at the first."""
        for metric in self.metrics:
            if metric.id in self.failed:
                count, first, why = self.failed[metric.id]
                yield f"{metric.id}: no value for {count} of {self.scores} answers, such as {first}: {why}"

    def of_thinking(self) -> Iterator[str]:
        """What a reader must know of replies that hold thinking: it is not scored, and may have left no room to
        answer."""
        if self.cut:
            yield (
                f"{self.cut} of {self.answers} replies ran out while thinking: "
                "--thinking-tokens N gives that N of its own"
            )
        if self.thought and "thinking" not in read_signature(self.entry.signature):
            yield (
                f"{self.thought} of {self.answers} replies begin with thinking, which is not scored; the signature "
                "does not say so, because neither the model card nor --thinking-tokens does"
            )

    def of_the_missing(self, result: TaskResult) -> Iterator[str]:
        """What the task declares and the result lacks, with the reason; one that failed has told its own."""
        if not result.counts.answered:
            return
        for name, metric in self.named.items():
            if name in result.metrics or name in self.failed or any(name in warning for warning in result.warnings):
                continue
            if metric is None:
                yield f"no {name}: nothing here computes it; its package is not installed, or its task file not at hand"
            elif name in self.unseen:
                yield f"no {metric.label}: no item of its kind"
            elif not metric.next_step:
                yield f"no {metric.label}: no scored answer has it"
            elif name != self.entry.primary and Open not in metric.targets:  # of those the tables tell
                yield f"no {metric.label} yet: {metric.next_step}"
