"""A task's own functions as metrics, other people's metrics that fail, and names that nobody knows."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from every_metric import BAD, COUNT, GOOD, items_of, write_runs

from tvbench.analysis.assess import assess
from tvbench.cli.main import main
from tvbench.registry import catalog, places
from tvbench.registry.task_files import tasks_in
from tvbench.runs.store import RunFolder
from tvbench.scoring import metrics, score_item
from tvbench.scoring.metric import Metric, checked
from tvbench.scoring.metrics.python import PythonScorer, source_digest
from tvbench.scoring.task_metrics import declared_facts, metric_faults, own_metrics
from tvbench.types import Item, Open, OwnScorer, Response, Short, Task, TaskResult, Translation, scorer

Said = pytest.CaptureFixture[str]
TASK_FILE = """
from tvbench.types import Task, scorer


def mine(item, text):
    return {body}


def never(ask):
    raise RuntimeError("never asked")


TASK = Task(name="mine", version="1", title="Mine", source=never, languages=("de", "fr"), protocols={{"p": "asks."}},
            primary="mine", metrics=("mine", "chrfpp"), scorers={{"mine": mine}})
"""
GOOD_BODY = 'float("Haus" in text)'


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    catalog._tasks.cache_clear()
    metrics.forget_plugins()
    yield tmp_path
    catalog._tasks.cache_clear()
    metrics.forget_plugins()


def load(folder: Path, body: str = GOOD_BODY) -> Task:
    path = folder / "tasks" / "mine.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(TASK_FILE.format(body=body))
    catalog._tasks.cache_clear()
    return catalog.task("mine")


def task_of(scorers: Any, **more: Any) -> Task:
    name = next(iter(scorers), "aligned")
    made: dict[str, Any] = {"primary": name, "metrics": (name,), **more}
    return Task("t", "1", "T", languages=("de",), source=lambda ask: None, scorers=scorers, **made)  # type: ignore[arg-type,return-value]


def letters(item: Item, text: str) -> float:
    return float(len(text))


def item(target: Any = Short(("seven",))) -> Item:
    return Item("1", "t", "de", (), target)


def scored(function: Callable[[Item, str], Any], target: Any = Short(("seven",)), primary: str = "mine") -> Any:
    own = own_metrics({"mine": function})
    return score_item(item(target), Response("k", text="seven"), [*metrics.always(), *own.values()], primary)


# ── What a function may return ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (True, "return 1.0"),
        ("0.5", "a str"),
        ([1.0], "a list"),
        (1.5, "0 to 1"),
        (-0.1, "0 to 1"),
        (10**400, "too large"),
        (1j, "a complex"),
    ],
)
def test_what_is_no_figure_is_a_reason_and_no_crash(value: Any, said: str) -> None:
    score = scored(lambda item, text: value)
    assert score.values["mine"] is None and score.unscored is not None and said in score.unscored
    assert "mine_failed" in score.flags
    beside = scored(lambda item, text: value, primary="accuracy")
    assert beside.unscored is None and beside.values == {"accuracy": 1.0, "mine": None}
    assert said in beside.failures["mine"]


def test_numbers_of_other_libraries_count_and_none_is_no_value() -> None:
    import numpy as np

    assert scored(lambda item, text: np.float32(0.5)).values["mine"] == 0.5
    assert scored(lambda item, text: 1).values["mine"] == 1.0
    nothing = scored(lambda item, text: None)
    assert nothing.values["mine"] is None and not nothing.failures and nothing.unscored is None
    assert "return 1.0" in str(scored(lambda item, text: np.bool_(True)).unscored)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("odd\nlines"),
        KeyError("x"),
        RecursionError(),
        SystemExit(3),
        AssertionError(),
        ZeroDivisionError("division by zero"),
    ],
)
def test_whatever_a_function_raises_is_the_items_reason(error: BaseException) -> None:
    def raises(item: Item, text: str) -> float:
        raise error

    score = scored(raises)
    assert score.unscored is not None and type(error).__name__ in score.unscored and "\n" not in score.unscored


def test_an_interrupt_is_nobodys_reason() -> None:
    def raises(item: Item, text: str) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scored(raises)


def test_an_open_answer_needs_no_judge_where_a_function_scores_it() -> None:
    score = scored(lambda item, text: 0.25, Open("Why?", "Because."))
    assert score.values == {"mine": 0.25} and score.unscored is None
    assert scored(lambda item, text: None, Open("Why?", "Because.")).unscored == "open-ended: needs a judge"


# ── In a run ──────────────────────────────────────────────────────────────────────────────────────


def run_of(folder: Path, task: Task) -> RunFolder:
    write_runs(
        folder / "results",
        task.name,
        "mine",
        items_of(Translation, task.name),
        {"declared": declared_facts(task), "metrics": ["mine", "chrfpp"]},
    )
    return RunFolder(folder / "results" / GOOD)


def result_of(run: RunFolder) -> TaskResult:
    (result,) = assess(run)
    return result


def test_the_catalogues_function_scores_and_its_source_is_in_the_signature(tmp_path: Path) -> None:
    run = run_of(tmp_path, load(tmp_path))
    before = result_of(run)
    assert before.metrics["mine"].value == 1.0 - 1 / COUNT and before.counts.complete
    assert re.fullmatch(r"python:mine\|source:[0-9a-f]{12}", before.metric_signatures["mine"])
    load(tmp_path, "0.5")
    after = result_of(run)
    assert after.metrics["mine"].value == 0.5
    assert after.metric_signatures["mine"] != before.metric_signatures["mine"]


def test_without_its_file_the_values_of_unchanged_answers_are_kept(tmp_path: Path, capsys: Said) -> None:
    run = run_of(tmp_path, load(tmp_path))
    before = result_of(run)
    (tmp_path / "tasks" / "mine.py").unlink()
    catalog._tasks.cache_clear()
    for _ in range(2):  # what was kept is stored, and kept again
        kept = result_of(run)
        assert kept.metrics["mine"] == before.metrics["mine"] and kept.counts == before.counts
        assert kept.metric_signatures["mine"] == before.metric_signatures["mine"]
        assert any(f"stored values of {2 * COUNT} unchanged answers are kept" in text for text in kept.warnings)
    answers = (run.path / "responses.jsonl").read_text().splitlines()
    changed = json.loads(answers[0]) | {"text": "Etwas anderes."}
    changed.pop("sum", None)
    changed.pop("crc", None)
    (run.path / "responses.jsonl").write_text("\n".join([json.dumps(changed), *answers[1:]]) + "\n")
    other = result_of(run)
    assert other.counts.unscored == 1 and not other.counts.complete
    assert other.metrics["mine"].n == 2 * COUNT - 1
    assert any("no value for 1 of" in text for text in other.warnings)
    assert main(["score", GOOD, "--results", "results"]) == 0
    assert "unchanged answers are kept" in capsys.readouterr().out


def test_a_task_file_of_another_folder_scores_again_where_its_folder_is_named(tmp_path: Path, capsys: Said) -> None:
    """A run that took its task by a path: the file is neither tvbench's nor in the working directory."""
    run = run_of(tmp_path, load(tmp_path))
    before = result_of(run)
    (tmp_path / "house").mkdir()
    (tmp_path / "tasks" / "mine.py").rename(tmp_path / "house" / "mine.py")
    catalog._tasks.cache_clear()
    words = ["score", GOOD, "--results", "results"]
    assert main(words) == 0 and "--include-path DIR" in " ".join(capsys.readouterr().out.split())
    assert main([*words, "--include-path", str(tmp_path / "house")]) == 0
    assert "not at hand" not in capsys.readouterr().out
    (again,) = run.result() or []
    assert again.metrics == before.metrics and again.metric_signatures == before.metric_signatures
    places.include(())


def test_a_run_never_scored_says_why_it_has_no_such_figure(tmp_path: Path) -> None:
    run = run_of(tmp_path, load(tmp_path))
    (tmp_path / "tasks" / "mine.py").unlink()
    catalog._tasks.cache_clear()
    result = result_of(run)
    assert "mine" not in result.metrics and result.metrics["chrfpp"].value > 0
    assert result.counts.unscored == 2 * COUNT
    assert any("not at hand" in reason for reason in result.counts.reasons)


def test_a_function_that_fails_leaves_its_items_unscored_and_the_rest_alone(tmp_path: Path, capsys: Said) -> None:
    body = '1 / 0 if item.id.endswith("/3") else 1.0'
    run = run_of(tmp_path, load(tmp_path, body))
    result = result_of(run)
    assert result.counts.unscored == 2 and result.counts.flags == {"mine_failed": 2}
    assert result.metrics["mine"].n == 2 * COUNT - 2 and result.metrics["chrfpp"].n == 2 * COUNT
    assert any("ZeroDivisionError" in text for text in result.warnings)
    always = result_of(run_of(tmp_path / "always", load(tmp_path, "1 / 0")))
    assert any("ZeroDivisionError" in text for text in always.warnings)
    assert not any("nothing here computes it" in text for text in always.warnings)
    assert main(["score", GOOD, "--results", "results"]) == 0
    assert "ZeroDivisionError" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({"better": "lower", "unit": "words"}, "300.000"),
        ({"better": "lower", "unit": "points"}, "300.0"),
        ({"better": "higher", "unit": "points"}, "300.0"),
        ({"better": "higher", "unit": "marks"}, "300.000"),
    ],
)
def test_explain_shows_the_same_mean_as_the_table(
    facts: dict[str, str], shown: str, tmp_path: Path, capsys: Said
) -> None:
    """Beyond the ends of a scale, and where there is none."""
    load(tmp_path, "300.0")
    source = tmp_path / "tasks" / "mine.py"
    words = ", ".join(f'{name}="{value}"' for name, value in facts.items())
    source.write_text(source.read_text().replace('{"mine": mine}', f'{{"mine": scorer(mine, {words})}}'))
    catalog._tasks.cache_clear()
    assert result_of(run_of(tmp_path, catalog.task("mine"))).metrics["mine"].value == 300
    assert main(["explain", GOOD, "--results", "results", "--all"]) == 0
    lines = capsys.readouterr().out.partition("where the points went")[2].splitlines()
    for name in ("German", "French"):
        words_of = next(line.split() for line in lines if line.startswith(f"{name} "))
        assert words_of[2:4] == [str(COUNT), shown]


def test_stored_results_of_before_read_as_they_did(tmp_path: Path) -> None:
    write_runs(tmp_path / "results", "made", "chrfpp", items_of(Translation, "made"))
    run = RunFolder(tmp_path / "results" / BAD)
    result = result_of(run)
    data = json.loads((run.path / "result.json").read_text())
    assert "declared" not in data["tasks"][0] and set(data["tasks"][0]["metrics"]["chrfpp"]) == {
        "value",
        "n",
        "stderr",
        "clusters",
        "low",
        "high",
        "interval",
    }
    (line, *_) = (run.path / "scores.jsonl").read_text().splitlines()
    assert set(json.loads(line)) == {"task", "item", "values", "flags", "unscored", "sum"}
    assert (run.result() or [])[0] == result


# ── Declarations ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (task_of({}, primary="algined", metrics=()), "Did you mean aligned"),
        (task_of({}, primary="aligned", metrics=("aligned", "blue")), "Did you mean bleu"),
        (task_of({"mine": len}, primary="mien", metrics=("mine",)), "Did you mean mine"),
        (task_of({}, primary="aligned", metrics=(), primaries={"tvbench": "strickt"}), "Did you mean strict"),
        (task_of({}, primary="xcomet", metrics=()), "or xcomet_xl"),
        (task_of({}, primary="", metrics=()), "unknown metric ''"),
        (task_of({"aligned": print}), "of its own"),
        (task_of({"my metric": print}), "without blanks"),
        (task_of({"mine": 3}), "is a function"),
        (task_of({"mine": OwnScorer(print, better="up")}), "'higher' or 'lower'"),  # type: ignore[arg-type]
        (task_of({"mine": scorer()}), "no function"),
        (task_of({"evaluate:ter": print}), "without function"),
        (task_of([print], primary="aligned", metrics=()), "`scorers` maps names"),
        (task_of({3: print}, primary="aligned", metrics=()), "are texts"),
        (task_of({}, primary=["aligned"], metrics=()), "a metric's name is a text"),
        (task_of({}, primary="aligned", metrics=(), primaries=[]), "`primaries` maps names"),
    ],
)
def test_what_cannot_be_is_refused_when_the_file_is_loaded(task: Task, said: str) -> None:
    with pytest.raises(ValueError, match="metric|scorer|evaluate|primaries") as refusal:
        tasks_in(task)
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    "task",
    [
        task_of({}, primary="judge", metrics=("judge", "judge:second", "xcomet_xl", "comet:mine-1234")),
        task_of({}, primary="ter", metrics=("ter", "evaluate:rouge#rougeL")),
        task_of({"mine": scorer(lambda item, text: len(text), better="lower", unit="letters")}),
        task_of({"evaluate:own": scorer(better="lower")}),
    ],
)
def test_what_can_be_is_accepted(task: Task) -> None:
    assert not list(metric_faults(task)) and tasks_in(task) == (task,)


def test_every_task_of_the_suite_declares_metrics_that_exist() -> None:
    for task in catalog.tasks().values():
        assert not list(metric_faults(task)), task.name


def test_a_declared_metric_that_no_item_has_is_said(tmp_path: Path) -> None:
    write_runs(
        tmp_path / "results",
        "made",
        "chrfpp",
        items_of(Translation, "made"),
        {"metrics": ["chrfpp", "aligned", "xcomet_xl"]},
    )
    result = result_of(RunFolder(tmp_path / "results" / GOOD))
    assert "no aligned: no item of its kind" in result.warnings
    assert "no XCOMET-XL yet: tvbench comet RUN" in result.warnings


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"id": ""}, "id"),
        ({"id": "two words"}, "id"),
        ({"id": "x", "better": "up"}, "better"),
        ({"id": "x", "unit": ""}, "unit"),
    ],
)
def test_an_unusable_plug_in_is_named(facts: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        checked(Metric(**facts))


def test_a_class_is_as_good_as_an_object_and_a_stranger_is_refused() -> None:
    class Mine(Metric):
        id = "mine"

    assert checked(Mine).label == "mine"
    with pytest.raises(ValueError, match="is not a"):
        checked(len)


# ── The digest of a function ──────────────────────────────────────────────────────────────────────

MODULE = """
import re
FACTOR = {factor}
WORD = re.compile("{pattern}")

def helper(text):
    return len(WORD.findall(text)) * {inner}

def mine(item, text, weight={weight}):
    return helper(text) * FACTOR * weight
"""


def digest_of(folder: Path, **parts: Any) -> str:
    source = MODULE.format(**{"factor": 1, "pattern": "a+", "inner": 2, "weight": 3} | parts)
    path = folder / f"scorer_{abs(hash(source))}.py"
    path.write_text(source)
    namespace: dict[str, Any] = {"__name__": path.stem}
    exec(compile(source, str(path), "exec"), namespace)
    return source_digest(namespace["mine"])


def test_the_digest_sees_what_the_function_reads(tmp_path: Path) -> None:
    plain = digest_of(tmp_path)
    assert digest_of(tmp_path) == plain
    changes = ({"factor": 2}, {"pattern": "b+"}, {"inner": 3}, {"weight": 4})
    assert len({plain, *(digest_of(tmp_path, **change) for change in changes)}) == 5


def test_functions_made_by_functions_differ_by_what_they_hold() -> None:
    def made(limit: int) -> Callable[[Item, str], float]:
        return lambda item, text: float(len(text) > limit)

    assert source_digest(made(1)) != source_digest(made(2)) and source_digest(made(1)) == source_digest(made(1))
    assert source_digest(len) == source_digest(len)


def test_a_function_says_what_it_is() -> None:
    def mine(item: Item, text: str) -> float:
        """Words of the answer.

        And more.
        """
        return 1.0

    assert PythonScorer("mine", OwnScorer(mine)).meaning == "Words of the answer."


# ── One file and one line ─────────────────────────────────────────────────────────────────────────

NEW = """
from tvbench.scoring.metric import Metric


class Shouting(Metric):
    id, better, meaning, definition = "shouting", "lower", "the share of capitals", "shouting|version:1"

    def of_item(self, item, text):
        return sum(letter.isupper() for letter in text) / max(1, len(text))


METRICS = (Shouting(),)
"""


def test_a_metric_is_one_file_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    """A file, and a line of an entry point: it is scored, ranked and listed, and nothing else was touched."""
    site = tmp_path / "site"
    (site / "shouting-1.0.dist-info").mkdir(parents=True)
    (site / "shouting.py").write_text(NEW)
    (site / "shouting-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
    (site / "shouting-1.0.dist-info" / "entry_points.txt").write_text(
        "[tvbench.metrics]\nshouting = shouting:METRICS\n"
    )
    monkeypatch.syspath_prepend(site)
    metrics.forget_plugins()
    assert tasks_in(task_of({}, primary="shouting", metrics=("shouting",)))
    write_runs(tmp_path / "results", "made", "shouting", items_of(Translation, "made"))
    for run in (GOOD, BAD):
        assert main(["score", run, "--results", "results"]) == 0
    assert "the capitals" not in capsys.readouterr().err
    assert main(["leaderboard", "--results", "results", "--no-published"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (best,) = [line for line in lines if "★" in line and "model-" in line]
    values = {
        run: (RunFolder(tmp_path / "results" / run).result() or [])[0].metrics["shouting"].value for run in (GOOD, BAD)
    }
    assert min(values, key=values.__getitem__) in best
    sys.modules.pop("shouting", None)


def test_a_broken_plug_in_is_warned_of_and_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site = tmp_path / "site"
    (site / "broken-1.0.dist-info").mkdir(parents=True)
    (site / "broken_metric.py").write_text("raise RuntimeError('no')\n")
    (site / "broken-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (site / "broken-1.0.dist-info" / "entry_points.txt").write_text(
        "[tvbench.metrics]\nbroken = broken_metric:X\naligned = tvbench.scoring.metrics.choice:Aligned\n"
    )
    monkeypatch.syspath_prepend(site)
    metrics.forget_plugins()
    (fault,) = metric_faults(task_of({}, primary="broken", metrics=()))
    assert "cannot be used" in fault
    assert "a metric aligned of its own" in caplog.text
    assert not list(metric_faults(task_of({}, primary="aligned", metrics=())))


def test_lines_of_the_registry_are_files_and_files_are_lines() -> None:
    folder = Path(metrics.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "hugging_face", "python"}
    assert files == set(metrics.MODULES)


@pytest.mark.parametrize(
    ("declared", "said"), [({}, ()), ({"unit": "points"}, ("unit:points",)), ({"better": "lower"}, ("better:lower",))]
)
def test_unit_and_direction_are_part_of_a_strange_metrics_definition(
    declared: dict[str, Any], said: tuple[str, ...]
) -> None:
    """The same code in another unit is another figure: one column, and one star, must not hold both."""

    class Rate(Metric):
        id = "rate"
        definition = "rate|version:1"

    for name, value in declared.items():
        setattr(Rate, name, value)
    found = checked(Rate)
    assert found.definition == "|".join(["rate|version:1", *said])
    assert checked(found).definition == found.definition
    own = PythonScorer("mine", scorer(lambda item, text: 1.0, **declared))
    assert set(own.definition.split("|")) >= set(said) and ("unit:" in own.definition) == ("unit" in declared)
