"""Every metric there is, through score, rank, compare, explain and export: the same figure and the right star."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from every_metric import BAD, GOOD, items_of, write_runs

from tvbench.analysis import task_scores
from tvbench.cli.main import main
from tvbench.languages import language
from tvbench.registry import catalog
from tvbench.runs.answered import Answered
from tvbench.runs.store import RunFolder
from tvbench.scoring import metrics
from tvbench.scoring.metric import Metric
from tvbench.scoring.task_metrics import declared_facts
from tvbench.types import Contrast, Open, SideScores, Task, Translation, scorer

Said = pytest.CaptureFixture[str]
BEST = "★"
HERE = importlib.util.find_spec("evaluate") is not None
needs_evaluate = pytest.mark.skipif(not HERE, reason="pip install 'tvbench[evaluate]'")

PLUGIN = '''
"""Metrics of another package, lower is better for all."""

from sacrebleu.metrics import TER

from tvbench.scoring.metric import Metric
from tvbench.types import Figure


class Misses(Metric):
    """The share of the reference's words that the answer lacks."""

    id = "misses"
    better = "lower"
    definition = "misses|version:1"

    def of_item(self, item, text):
        words = set(item.target.references[0].split())
        return len(words - set(text.split())) / len(words)


class Rate(Misses):
    """Points that may pass a hundred."""

    id = "rate"
    unit = "points"
    definition = "rate|version:1"

    def of_item(self, item, text):
        return 250 * super().of_item(item, text)


class Edits(Metric):
    """sacreBLEU's TER, without statistics of segments."""

    id = "edits"
    label = "TER of theirs"
    unit = "points"
    better = "lower"
    definition = "ter-of-theirs"

    def of_corpus(self, language, pairs):
        references = [[item.target.references[0] for item, _ in pairs]]
        return Figure(TER().corpus_score([text for _, text in pairs], references).score, len(pairs))


class Letters(Metric):
    """How many letters the answers have for each of the references', resampled by sums."""

    id = "letters"
    unit = "letters a letter"
    better = "lower"
    definition = "letters|version:1"

    def of_corpus(self, language, pairs):
        rows = self.statistics(language, pairs)
        return sum(row[0] for row in rows) / sum(row[1] for row in rows)

    def statistics(self, language, pairs):
        return [(abs(len(item.target.references[0]) - len(text)), len(text)) for item, text in pairs]

    def of_sums(self, sums):
        return sums[..., 0] / sums[..., 1]


class Odd(Letters):
    """Statistics that are not those of its figure."""

    id = "odd"

    def of_sums(self, sums):
        return sums[..., 0] / (1 + sums[..., 1])


class Broken(Letters):
    """Fails wherever it can."""

    id = "broken"

    def applies(self, item):
        raise KeyError("no")

    def of_corpus(self, language, pairs):
        raise RuntimeError("out of paper")
'''
EVALUATE = """
import datasets
import evaluate


class ter(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description="d", citation="c", inputs_description="i",
            features=datasets.Features({"predictions": datasets.Value("string"),
                                        "references": datasets.Value("string")}))

    def _compute(self, predictions, references):
        wrong = sum(len(set(one.split()) ^ set(other.split())) for one, other in zip(predictions, references))
        return {"ter": 1.5 * wrong / len(references)}
"""
TASK_FILE = '''
from tvbench.types import Task, scorer


def missing(item, text):
    """Letters that the answer lacks."""
    return abs(len(item.target.references[0]) - len(text)) / 7


def has_house(item, text):
    return float("Haus" in text)


def nothing(options):
    raise RuntimeError("never built")


TASK = Task(name="mine", version="1", title="Mine", build=nothing, protocols={"p": "asks."}, primary="missing",
            metrics=("missing", "has_house"),
            scorers={"missing": scorer(missing, better="lower", unit="letters"), "has_house": has_house})
'''


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own to work in, with a plug-in on the path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")  # no column is left out, however narrow the terminal
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    add_plugin(
        tmp_path / "site",
        "theirs",
        PLUGIN,
        {name: name.title() for name in ("misses", "rate", "edits", "letters", "odd", "broken")},
    )
    monkeypatch.syspath_prepend(tmp_path / "site")
    metrics.forget_plugins()
    yield tmp_path
    metrics.forget_plugins()
    sys.modules.pop("theirs", None)


def add_plugin(site: Path, name: str, source: str, points: dict[str, str]) -> None:
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{name}.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{point} = {name}:{attribute}" for point, attribute in points.items()]
    (info / "entry_points.txt").write_text("[tvbench.metrics]\n" + "\n".join(lines) + "\n")


def graded(monkeypatch: pytest.MonkeyPatch, metric: str) -> None:
    """Have a judge or COMET say 1 of every good answer and 0.25 of every bad one."""

    def said(run: RunFolder, task: Answered) -> list[SideScores]:
        good = {item.id: good.text for item, good, _ in items_of(Open if metric == "judge" else Translation, "made")}
        values = {item.id: 1.0 if response.text == good[item.id] else 0.25 for item, response in task.replies}
        return [SideScores(metric, "who:said it", values)]

    monkeypatch.setattr(task_scores, "side_scores", said)


def shown(capsys: Said, *words: str) -> str:
    assert main([*words, "--results", "results"]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def check_everywhere(capsys: Said, metric: Metric, task: str) -> None:
    """Score, rank, compare, explain and export the two runs: the same figures everywhere, the star where it belongs."""
    values: dict[str, float] = {}
    for run in (GOOD, BAD):
        text = shown(capsys, "score", run, "--all")
        (result,) = RunFolder(Path("results") / run).result() or []
        values[run] = result.metrics[metric.id].value
        line = next(line for line in text.splitlines() if re.search(rf"\b{re.escape(metric.label)}\s", line))
        assert metric.text(values[run]) in line
        assert (
            json.loads(shown(capsys, "score", run, "--format", "json"))["tasks"][0]["metrics"][metric.id]["value"]
            == values[run]
        )
    best = metric.best(values.values())
    assert metric.baseline or len(set(values.values())) == 2
    check_leaderboard(capsys, metric, task, values, best)
    check_compare(capsys, metric, values, best)
    check_explain(capsys, metric, task)


def check_leaderboard(capsys: Said, metric: Metric, task: str, values: dict[str, float], best: float) -> None:
    asked = ("leaderboard", "--no-published", "--metric", metric.id)
    for form in ("table", "markdown"):
        lines = shown(capsys, *asked, "--format", form).splitlines()
        rows = {run: next(line for line in lines if f"model-{run}" in line and "…" not in line) for run in values}
        for run, value in values.items():
            assert metric.text(value) in rows[run]
            starred = value == best and not metric.baseline and not any("cannot be resampled" in line for line in lines)
            assert (BEST in rows[run]) == starred, (metric.id, rows[run])
        order = sorted(values, key=lambda run: metric.order(values[run]))
        if not metric.baseline:
            assert lines.index(rows[order[0]]) < lines.index(rows[order[1]])
    table = list(csv.DictReader(io.StringIO(shown(capsys, *asked, "--format", "csv"))))
    whole = [row for row in table if row["language"] == "all"]
    assert {row["run"]: float(row["value"]) for row in whole} == pytest.approx(values)
    assert {(row["metric"], row["unit"], row["better"]) for row in table} == {(metric.id, metric.unit, metric.better)}
    if not metric.baseline:
        assert [row["run"] for row in whole] == order
    records = json.loads(shown(capsys, *asked, "--format", "json"))
    assert {one["run"]: one["metrics"][metric.id]["value"] for one in records} == values
    by_language = shown(capsys, *asked, "--languages")
    grouped = shown(capsys, *asked, "--by", "script")
    for value in values.values():
        assert metric.text(value) in by_language and metric.text(value) in grouped
    assert (BEST in by_language) != (metric.baseline or "cannot be resampled" in by_language)


def check_compare(capsys: Said, metric: Metric, values: dict[str, float], best: float) -> None:
    words = ("compare", BAD, GOOD, "--metric", metric.id)
    if metric.baseline:
        assert main([*words, "--results", "results"]) == 2
        assert "figure of the data" in capsys.readouterr().err
        return
    (task,) = json.loads(shown(capsys, *words, "--format", "json"))["tasks"]
    assert task["overall"]["first"] == pytest.approx(values[BAD])
    assert task["overall"]["second"] == pytest.approx(values[GOOD])
    text = shown(capsys, *words)
    line = next(line for line in text.splitlines() if line.lstrip().startswith("mean"))
    assert metric.text(values[BAD]) in line and metric.text(values[GOOD]) in line
    if task["not_resampled"]:
        assert "cannot be resampled" in text and task["overall"]["p"] is None and "cannot tell" in line
    else:
        assert line.rstrip().endswith("better" if values[GOOD] == best else "worse")


def check_explain(capsys: Said, metric: Metric, task: str) -> None:
    (record,) = json.loads(shown(capsys, "explain", BAD, "--format", "json"))
    text = shown(capsys, "explain", BAD, "--all")
    lost = [part["mean_loss"] for part in record["languages"]]
    counted = record["metric"]
    if None in lost:
        assert record["no_loss"] and record["no_loss"] in text or metric.baseline or "no answer has the metric" in text
    else:
        assert counted in (metric.id, metric.loss_by)
        assert all(loss > 0 for loss in lost)
        if counted == metric.id and not metric.loss_label:
            (result,) = RunFolder(Path("results") / BAD).result() or []
            for code, part in result.breakdowns["language"].items():
                rows = text.partition("where the points went")[2].splitlines()
                name = f"{language(code).name} "
                assert metric.text(part.metrics[metric.id].value) in next(line for line in rows if name in line)


BUILTIN = [one for one in metrics.BUILTIN.values() if one in list(metrics.known())]


@pytest.mark.parametrize("metric", BUILTIN, ids=lambda metric: metric.id)
def test_each_of_ours(metric: Metric, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    if not metric.computes and not metric.baseline and Contrast not in metric.targets:
        graded(monkeypatch, metric.id)
    kind = metric.targets[0] if metric.targets else Open if metric.id == "judge" else Translation
    write_runs(Path("results"), "made", metric.id, items_of(kind, "made"))
    check_everywhere(capsys, metric, "made")


@pytest.mark.parametrize("name", ["misses", "rate", "edits", "letters", "odd"])
def test_another_packages(name: str, capsys: Said) -> None:
    write_runs(Path("results"), "made", name, items_of(Translation, "made"))
    theirs = metrics.computable(name)
    assert theirs is not None
    check_everywhere(capsys, theirs, "made")


def test_statistics_that_are_not_the_figures_are_not_resampled(capsys: Said) -> None:
    for name, said in (("odd", "add up to"), ("letters", "")):
        write_runs(Path("results") / name, "made", name, items_of(Translation, "made"))
        assert main(["compare", BAD, GOOD, "--results", f"results/{name}", "--format", "json"]) == 0
        (task,) = json.loads(capsys.readouterr().out)["tasks"]
        assert (said in task["not_resampled"]) and bool(task["not_resampled"]) == bool(said)
        assert (task["overall"]["p"] is None) == bool(said)


def test_a_metric_that_fails_is_a_reason_everywhere(capsys: Said) -> None:
    write_runs(Path("results"), "made", "broken", items_of(Translation, "made"))
    for run in (GOOD, BAD):
        assert "out of paper" in shown(capsys, "score", run)
    shown(capsys, "leaderboard", "--no-published")
    assert "what the answers look like" in shown(capsys, "explain", GOOD, "--all")
    assert main(["compare", GOOD, BAD, "--results", "results"]) == 2
    assert "out of paper" in capsys.readouterr().err


@needs_evaluate
@pytest.mark.parametrize("better", [None, "higher"])
def test_one_of_evaluates(better: Any, capsys: Said, tmp_path: Path) -> None:
    (tmp_path / "ter.py").write_text(EVALUATE)
    name = f"evaluate:{tmp_path / 'ter.py'}"
    task = Task(
        "made",
        "1",
        "Made",
        print,  # type: ignore[arg-type]
        {"p": "asks"},
        name,
        (name,),
        scorers={name: scorer(better=better)} if better else {},
    )
    entry = {"declared": declared_facts(task)}
    write_runs(Path("results"), "made", name, items_of(Translation, "made"), entry)
    check_everywhere(capsys, metrics.metric(name, entry["declared"]), "made")
    assert metrics.metric(name).better == "lower" and entry["declared"][name]["better"] == (better or "lower")


@pytest.mark.parametrize("name", ["missing", "has_house"])
def test_a_tasks_own_function(name: str, capsys: Said, tmp_path: Path) -> None:
    task = load(tmp_path)
    entry = {"declared": declared_facts(task)}
    write_runs(Path("results"), "mine", name, items_of(Translation, "mine"), entry)
    check_everywhere(capsys, metrics.metric(name, entry["declared"]), "mine")


def load(folder: Path, source: str = TASK_FILE) -> Task:
    (folder / "tasks").mkdir(exist_ok=True)
    (folder / "tasks" / "mine.py").write_text(source)
    catalog._tasks.cache_clear()
    return catalog.task("mine")
