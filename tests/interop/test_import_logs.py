"""`tvbench import lmms-eval`: published logs give the published figures, and damaged logs lose nothing silently.

The published logs are licensed and stay outside of this repository: their tests are skipped where they are not at hand.
All other logs are written here, in the layouts of 2025 and of lmms-eval 0.7.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from task_data import DATA, write_jsonl, write_parquet
from written_logs import HASH, MODEL, Row, alm_rows, write_log

from tasks import textvqa
from tasks.m3exam import prompt_of
from tvbench.cli.main import main
from tvbench.languages import code_of
from tvbench.registry import places
from tvbench.runs import codec
from tvbench.runs.store import RunFolder, find_runs
from tvbench.types import Response, TaskResult

needs_logs = pytest.mark.skipif(not (DATA / "gold.json").exists(), reason="the published logs are not here")

Said = pytest.CaptureFixture[str]

# ── The published logs ────────────────────────────────────────────────────────────────────────────

MODELS = ("towerp_2b_instruct", "towerp_9b_base")
GOLD_TASKS = {"alm": "alm", "multi30k": "multi30k", "ccocr": "cc-ocr", "ocrbench": "ocrbench", "m3exam": "m3exam"}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder after importing all published logs through the command line."""
    results = tmp_path_factory.mktemp("published")
    assert main(["import", "lmms-eval", str(DATA / "tvision_results"), "--results", str(results)]) == 0
    return results


def facts() -> Iterator[tuple[list[str], dict[str, Any]]]:
    for fact in json.loads((DATA / "gold.json").read_text(encoding="utf-8"))["facts"]:
        yield fact["id"].split("."), fact


def results_of(results: Path, model: str) -> dict[str, TaskResult]:
    """A model's results by task, from its only run."""
    (run,) = (run for run in find_runs(results) if run.manifest().label == model)
    return {result.task: result for result in run.result() or []}


def close(value: float, fact: Mapping[str, Any]) -> bool:
    return bool(abs(value - fact["value"]) <= fact["tol"] + 1e-12)


@needs_logs
@pytest.mark.parametrize("model", MODELS)
def test_every_gold_figure_of_our_metrics_comes_out(published: Path, model: str) -> None:
    ours = results_of(published, model)
    checked = 0
    for parts, fact in facts():
        family, about, *_, metric = parts
        if family not in GOLD_TASKS or family == "m3exam" or about != model or metric.endswith("logged"):
            continue
        result = ours[GOLD_TASKS[family]]
        if family == "ocrbench":
            name = {"total": "ocrbench", "total_upstream_hme": "ocrbench_hme"}[metric]
            assert round(1000 * result.metrics[name].value) == fact["value"], fact["id"]
        else:
            assert close(result.breakdowns["language"][parts[2]].metrics[metric].value, fact), fact["id"]
        checked += 1
    assert checked == 9 * 2 + 3 * 2 + 7 * 2 + 2


@needs_logs
@pytest.mark.parametrize("model", MODELS)
def test_gold_facts_about_the_alm_data_come_out(published: Path, model: str) -> None:
    languages = results_of(published, model)["alm"].breakdowns["language"]
    about_data = [(parts[2], parts[3], fact) for parts, fact in facts() if parts[:2] == ["alm", "data"]]
    assert len(about_data) == 27
    for language, name, fact in about_data:
        part = languages[language]
        if name == "n":
            assert part.counts.expected == part.counts.scored == fact["value"]
        else:
            metric = {"first_option_strict": "always_first", "strict_ceiling": "strict_ceiling"}[name]
            assert close(part.metrics[metric].value, fact), fact["id"]


@needs_logs
@pytest.mark.parametrize("model", MODELS)
def test_what_the_logs_say_themselves_stands_beside(published: Path, model: str) -> None:
    ours = results_of(published, model)
    checked = 0
    for parts, fact in facts():
        if parts[1] != model:
            continue
        if "logged" in fact and parts[0] == "alm":
            log = ours["alm"].logged[f"alm-bench-{parts[2]}"]
            assert log["metrics"]["exact_match"] == pytest.approx(fact["logged"], abs=1e-9)
        elif parts[-1] == "xcomet_xl_logged":
            log = ours["multi30k"].logged[f"multi30k-{parts[2]}"]
            assert close(log["metrics"]["results.avg_XCOMET-XL_score"], fact)
        elif parts[-1] == "val_logged":
            assert close(ours["textvqa"].logged["textvqa_val"]["metrics"]["exact_match"], fact)
            assert ours["textvqa"].copied
        elif parts[0] == "m3exam" and parts[-1] == "acc":
            assert close(ours["m3exam"].logged[f"m3exam_{parts[2]}"]["metrics"]["m3exam"], fact)
        elif parts[0] == "m3exam" and parts[-1] == "empty":
            assert ours["m3exam"].logged[f"m3exam_{parts[2]}"].get("empty", 0) == fact["value"], fact["id"]
        else:
            continue
        checked += 1
    assert checked == 9 + 3 + 1 + 7 + 7


COPIED = {"xcomet_xl_logged": "needs a GPU", "val_logged": "no samples were published"}
"""Gold figures that are the log's own, and why they are not computed here. All others are."""


def figure(results: Mapping[str, TaskResult], parts: Sequence[str]) -> float:
    """The figure that a gold fact is about, computed here or copied from the log; alm.data facts hold for any model."""
    family, *middle, metric = parts
    if metric == "val_logged":
        return float(results["textvqa"].logged["textvqa_val"]["metrics"]["exact_match"])
    if metric == "xcomet_xl_logged":
        log = results["multi30k"].logged[f"multi30k-{middle[-1]}"]
        return float(log["metrics"]["results.avg_XCOMET-XL_score"])
    if family == "ocrbench":
        name = {"total": "ocrbench", "total_upstream_hme": "ocrbench_hme"}[metric]
        return round(1000 * results[family].metrics[name].value)
    part = results[GOLD_TASKS[family]].breakdowns["language"][code_of(middle[-1])]
    if metric in ("random_fallbacks", "empty"):
        return part.counts.flags.get({"random_fallbacks": "coin_flip"}.get(metric, metric), 0)
    if metric == "n":
        return part.counts.scored
    renamed = {"first_option_strict": "always_first", "acc": "m3exam"}
    return part.metrics[renamed.get(metric, metric)].value


@needs_logs
def test_every_gold_figure_has_a_home(published: Path) -> None:
    ours = {model: results_of(published, model) for model in MODELS}
    found: Counter[str] = Counter()
    for parts, fact in facts():
        assert close(figure(ours[parts[1] if parts[1] != "data" else MODELS[0]], parts), fact), fact["id"]
        found["copied" if parts[-1] in COPIED else "computed"] += 1
        found[parts[0]] += 1
    assert found["computed"] == 149 and found["copied"] == 8
    assert {family: found[family] for family in (*GOLD_TASKS, "textvqa")} == {
        "alm": 63,
        "multi30k": 18,
        "ccocr": 28,
        "ocrbench": 4,
        "m3exam": 42,
        "textvqa": 2,
    }


@needs_logs
@pytest.mark.parametrize("model", MODELS)
def test_the_draws_of_a_logged_exam_are_bounded_and_taken_as_they_fell(published: Path, model: str) -> None:
    exams = results_of(published, model)["m3exam"]
    assert exams.primary == "m3exam" and exams.counts.complete
    for part in exams.breakdowns["language"].values():
        low, logged, high = (part.metrics[name].value for name in ("m3exam_low", "m3exam", "m3exam_high"))
        assert low <= logged <= high <= low + part.counts.flags.get("coin_flip", 0) / part.counts.scored + 1e-12


@needs_logs
def test_every_answer_is_kept_as_it_was_logged(published: Path) -> None:
    for model in MODELS:
        (run,) = (run for run in find_runs(published) if run.manifest().label == model)
        answers = sorted(str(response.text) for response in run.responses().values())
        logged = [
            json.loads(line)["filtered_resps"][0]
            for folder in ("alm_bench-all", "multi30k-all", "ocrbench", "cc-ocr-multi-lan", "m3exam")
            for path in (DATA / "tvision_results" / folder).glob(f"*{model}*/*_samples_*.jsonl")
            for line in path.read_text(encoding="utf-8").split("\n")
            if line
        ]
        assert answers == sorted(logged) and len(answers) == 532 + 3000 + 1000 + 1050 + 2753


@pytest.mark.slow
@needs_logs
def test_imported_runs_can_be_scored_again_without_the_logs(published: Path, capsys: Said) -> None:
    for run in find_runs(published):
        before = json.loads(json.dumps([codec.result_to_json(result) for result in run.result() or []]))
        assert main(["score", str(run.path), "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["tasks"] == before


@needs_logs
def test_the_leaderboard_shows_both_beside_the_paper(published: Path, capsys: Said) -> None:
    assert main(["leaderboard", "--results", str(published), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {bool(row["run"]) for row in rows if row["model"] in MODELS} == {True}
    for model in MODELS:
        ours = results_of(published, model)
        for task in ("alm", "cc-ocr", "ocrbench"):
            metric = ours[task].primary
            wanted = (model, task, metric, "all")
            (shown,) = (
                row for row in rows if tuple(row[key] for key in ("model", "task", "metric", "language")) == wanted
            )
            assert float(shown["value"]) == pytest.approx(ours[task].metrics[metric].value)
    (paper,) = (row for row in rows if row["model"] == "TowerVision-9B" and row["task"] == "ocrbench")
    assert not paper["run"] and float(paper["value"]) == 69.7 and paper["signature"].startswith("published: ")
    assert main(["leaderboard", "--results", str(published), "--languages", "--tasks", "alm"]) == 0
    out = capsys.readouterr().out
    german = next(line for line in out.splitlines() if line.startswith("de German"))
    assert "87.9" in german and "84.5" in german, "the 2B model's and the 9B model's strict accuracy"


# ── Logs that are written here ────────────────────────────────────────────────────────────────────


def translation_rows(answers: Sequence[str]) -> list[Row]:
    return [
        {
            "doc_id": number,
            "doc": {"en": f"A dog, {number}.", "de": f"Ein Hund, {number}."},
            "arguments": {},
            "target": f"Ein Hund, {number}.",
            "resps": [[answer]],
            "filtered_resps": [answer],
            "doc_hash": HASH,
            "input": f"Translate the following source text from English to German:\nA dog, {number}.",
        }
        for number, answer in enumerate(answers)
    ]


def as_written_by_0_7(row: Row) -> Row:
    """The same sample without what lmms-eval 0.7 leaves out; the answer is a string there."""
    kept = {name: value for name, value in row.items() if name not in ("doc", "arguments", "resps")}
    return kept | {"filtered_resps": row["filtered_resps"][0], "token_counts": [None], "input_media": ["0.png"]}


def as_written(layout: str, rows: Sequence[Row]) -> list[Row]:
    return list(rows) if layout == "2025" else [as_written_by_0_7(row) for row in rows]


@dataclass(frozen=True)
class Imported:
    """What `tvbench import` said and wrote."""

    code: int
    said: str
    record: dict[str, Any]
    results: Path

    @property
    def run(self) -> RunFolder:
        (run,) = find_runs(self.results)
        return run

    def result(self, task: str = "alm") -> TaskResult:
        (result,) = (result for result in self.run.result() or [] if result.task == task)
        return result

    @property
    def answers(self) -> list[Response]:
        return list(self.run.responses().values())

    @property
    def lost(self) -> list[str]:
        return [f"{one['where']}: {one['what']}" for one in self.record["not_joined"]]

    @property
    def notes(self) -> list[str]:
        return [f"{one['where']}: {one['what']}" for one in self.record["notes"]]


@pytest.fixture
def importing(tmp_path: Path, capsys: Said) -> Any:
    """A function that imports a folder twice, for people and for scripts, and checks that both say the same."""

    def run(folder: Path, *words: str) -> Imported:
        results = tmp_path / "results"
        command = ["import", "lmms-eval", str(folder), "--results", str(results), *words]
        code = main(command)
        said = capsys.readouterr().err
        assert main([*command, "--format", "json"]) == code
        record = json.loads(capsys.readouterr().out)
        assert record["complete"] is (code == 0)
        assert len(find_runs(results)) == len(record["runs"]), "importing twice gives the same folders"
        return Imported(code, said, record, results)

    return run


def values(result: TaskResult) -> dict[str, float]:
    return {name: metric.value for name, metric in result.metrics.items()}


def exam_rows(answers: Sequence[tuple[str, str]]) -> list[Row]:
    """Exams of two options as PangeaBench logs them: the reply, and the letter that its parser read or drew."""
    doc = {
        "question_text": "哪个？",
        "background_description": [],
        "answer_text": "B",
        "options": ["A. 雨", "B. 雪"],
        "language": "chinese",
        "level": "low",
        "subject": "chinese",
        "subject_category": "language",
    }
    prompt = prompt_of(doc, "zh", "paper")
    return [
        {
            "doc_id": number,
            "doc": doc | {"id": number},
            "target": "B",
            "filtered_resps": [answer],
            "resps": [[answer]],
            "m3exam": {"answer_text": letter, "standardized_answer": "B"},
            "input": prompt,
            "arguments": {},
        }
        for number, (answer, letter) in enumerate(answers)
    ]


@pytest.mark.parametrize("layout", ["2025", "0.7"])
def test_exams_count_the_draws_of_the_log(tmp_path: Path, importing: Any, layout: str) -> None:
    rows = exam_rows([("B", "B"), ("(A) 雨", "A"), ("", "B"), ("", "C"), ("雪", "B")])
    write_log(tmp_path / "logs", {"m3exam_chinese": as_written(layout, rows)}, layout=layout)
    done = importing(tmp_path / "logs")
    assert done.code == 0
    result = done.result("m3exam")
    figures = [result.metrics[name].value for name in ("m3exam_low", "m3exam", "m3exam_high", "aligned", "chance")]
    assert figures == pytest.approx([2 / 5, 3 / 5, 4 / 5, 2 / 5, 1 / 2])
    assert result.counts.flags["coin_flip"] == result.counts.flags["empty"] == 2
    assert list(result.breakdowns["language"]) == ["zh"]


READER = """
from tvbench.data.authoring import logged_prompt
from tvbench.types import Item, Short, Task

def from_log(log_name, row, config):
    return Item(str(row["doc_id"]), "houses", "de", logged_prompt(row), Short((row["target"],)))

def rows(ask):
    raise RuntimeError("never asked")

TASK = Task("houses", "1", "Houses", source=rows, languages=("de",), primary="accuracy", metrics=("accuracy",),
            log_names=("houses_*",), from_log=from_log)
"""


def test_a_task_file_of_ones_own_reads_its_logs(tmp_path: Path, importing: Any) -> None:
    rows = [
        {"doc_id": number, "doc": {"id": number}, "target": "Haus", "filtered_resps": [answer], "input": "Was?"}
        for number, answer in enumerate(["Haus.", "Hof"])
    ]
    write_log(tmp_path / "logs", {"houses_de": rows})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "houses.py").write_text(READER)
    copied = importing(tmp_path / "logs")
    assert copied.result("some-group").copied
    scored = importing(tmp_path / "logs", "--include-path", str(tmp_path / "mine"))
    places.include(())
    assert scored.result("houses").metrics["accuracy"].value == 0.5


def test_figures_without_samples_are_copied_and_said_to_be(tmp_path: Path, importing: Any) -> None:
    write_log(tmp_path / "logs", {"textvqa_val": None, "textvqa_test": None}, expected=5000)
    done = importing(tmp_path / "logs")
    assert done.code == 0 and "the log has no samples of textvqa: its logged figures are kept" in done.said
    result = done.result("textvqa")
    assert result.copied and result.logged["textvqa_val"]["metrics"] == {"exact_match": 0.5}
    assert "the log has no samples of textvqa" in result.warnings[0]


def test_samples_that_say_too_little_leave_the_figures(tmp_path: Path, importing: Any) -> None:
    """lmms-eval 0.7 keeps of TextVQA neither the question's own row nor the ten answers."""
    doc = {"question_id": 7, "image_id": "p", "question": "what?", "answers": ["nokia"] * 10}
    rows = [
        {
            "doc_id": 0,
            "doc": doc,
            "target": "answer",
            "filtered_resps": ["Nokia"],
            "resps": [["Nokia"]],
            "arguments": {},
            "input": textvqa.prompt_of("what?", "paper"),
            "exact_match": 1.0,
        }
    ]
    write_log(tmp_path / "old", {"textvqa_val": rows})
    scored = importing(tmp_path / "old").result("textvqa")
    assert scored.metrics["vqa_accuracy"].value == 1 and not scored.copied
    write_log(tmp_path / "new", {"textvqa_val": as_written("0.7", rows)}, layout="0.7")
    done = importing(tmp_path / "new")
    assert done.code == 0 and done.result("textvqa").copied and "--data DIR" in done.said
    write_parquet(tmp_path / "data" / "validation.parquet", [doc | {"image": None}])
    joined = importing(tmp_path / "new", "--data", str(tmp_path / "data"))
    assert joined.code == 0 and joined.result("textvqa").metrics["vqa_accuracy"].value == 1


@pytest.mark.parametrize("layout", ["2025", "0.7"])
def test_both_layouts_are_read_and_score_alike(tmp_path: Path, importing: Any, layout: str) -> None:
    rows = alm_rows(["Apfel", "Apfel.", "Birne", "apfel"])
    translated = translation_rows(["Ein Hund, 0.", "Eine Katze."])
    write_log(
        tmp_path / "logs",
        {"alm-bench-de": as_written(layout, rows), "multi30k-de": as_written(layout, translated)},
        layout=layout,
    )
    done = importing(tmp_path / "logs")
    assert done.code == 0 and not done.lost
    result = done.result()
    assert result.counts.complete and result.counts.expected == 4
    assert (values(result)["strict"], values(result)["casefold"], values(result)["aligned"]) == (0.25, 0.5, 0.75)
    assert set(result.breakdowns["language"]) == {"de"}
    assert result.logged["alm-bench-de"]["metrics"] == {"exact_match": 0.5}, "an N/A is no figure"
    assert 0 < values(done.result("multi30k"))["bleu"] < 100
    assert sorted(str(answer.text) for answer in done.answers) == sorted(
        row["filtered_resps"][0] for row in rows + translated
    )
    assert {answer.extra.get("logged", {}).get("exact_match") for answer in done.answers} == {None, 0.0, 1.0}


def test_a_model_has_the_name_that_really_ran_and_its_signature_says_what_is_unknown(
    tmp_path: Path, importing: Any
) -> None:
    write_log(tmp_path / "logs" / "a_name_that_lies", {"alm-bench-de": alm_rows(["Apfel"])})
    done = importing(tmp_path / "logs")
    assert [run["model"] for run in done.record["runs"]] == ["toy_2b"]
    assert "data:someone/data@unknown" in done.result().signature and "protocol:paper" in done.result().signature
    assert any("stop strings" in warning for warning in done.result().warnings)
    assert done.record["runs"] == importing(tmp_path / "logs").record["runs"]
    assert importing(tmp_path / "logs", "--name", "toy_2b").record["runs"][0]["model"] == "toy_2b"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"model_name": ""}, "toy_2b"),
        ({"model_name": None, "config": {"model": "vllm", "model_args": {"model": "org/toy-9b", "tp": 1}}}, "toy-9b"),
        ({"model_name": None, "config": {"model_args": "tp=1"}}, "the-folder"),
    ],
)
def test_without_a_model_name_the_arguments_and_then_the_folder_tell(
    tmp_path: Path, importing: Any, changes: Row, name: str
) -> None:
    write_log(tmp_path / "logs" / "the-folder", {"alm-bench-de": alm_rows(["Apfel"])}, **changes)
    assert [run["model"] for run in importing(tmp_path / "logs").record["runs"]] == [name]


# ── Rows without their document ───────────────────────────────────────────────────────────────────


def test_rows_of_0_7_get_their_document_back_from_local_data(tmp_path: Path, importing: Any) -> None:
    rows = alm_rows(["Apfel", "Birne", "Apfel", "Apfel"])
    write_jsonl(tmp_path / "data" / "test.jsonl", [row["doc"] for row in rows])
    write_log(tmp_path / "logs", {"alm-bench-de": as_written("0.7", rows)}, layout="0.7")
    alone = importing(tmp_path / "logs")
    assert "category" not in alone.result().breakdowns
    assert any("--data DIR" in note for note in alone.notes)
    joined = importing(tmp_path / "logs", "--data", str(tmp_path / "data"))
    assert joined.code == 0 and set(joined.result().breakdowns["category"]) == {"Food", "Music"}
    assert joined.result().metrics["strict"].clusters == 2
    assert values(joined.result())["strict"] == values(alone.result())["strict"] == 0.75


def test_data_that_are_not_those_of_the_log_are_refused_row_by_row(tmp_path: Path, importing: Any) -> None:
    rows = alm_rows(["Apfel"] * 4)
    docs = [dict(row["doc"]) for row in rows]
    docs[1]["Translated_Question"] = "Was ist das?"
    write_jsonl(tmp_path / "data" / "test.jsonl", docs[:3])
    write_log(tmp_path / "logs", {"alm-bench-de": as_written("0.7", rows)}, layout="0.7")
    done = importing(tmp_path / "logs", "--data", str(tmp_path / "data"))
    assert done.code == 1 and len(done.lost) == 2
    assert "doc_id 1" in done.lost[0] and "not the prompt" in done.lost[0]
    assert "doc_id 3" in done.lost[1] and "3 rows" in done.lost[1]
    counts = done.result().counts
    assert (counts.expected, counts.answered, counts.failed) == (4, 2, 2)


def test_a_missing_data_folder_is_a_usage_error_and_nothing_is_written(tmp_path: Path, capsys: Said) -> None:
    write_log(tmp_path / "logs", {"alm-bench-de": as_written("0.7", alm_rows(["Apfel"]))}, layout="0.7")
    command = ["import", "lmms-eval", str(tmp_path / "logs"), "--results", str(tmp_path / "results")]
    assert main([*command, "--data", str(tmp_path / "nowhere")]) == 2
    assert "nowhere does not exist" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


# ── Damage ────────────────────────────────────────────────────────────────────────────────────────


def spoilt(name: str) -> list[Row]:
    """Three rows, the second of which cannot be used."""
    rows = alm_rows(["Apfel", "Apfel", "Birne"])
    if name == "a column is missing":
        del rows[1]["doc"]["Translated_Answer"]
    elif name == "the doc is no object":
        rows[1]["doc"] = ["Apfel"]
        del rows[1]["input"]
    elif name == "no answer":
        rows[1]["filtered_resps"] = []
    elif name == "no doc_id":
        del rows[1]["doc_id"]
    elif name == "no answer field":
        del rows[1]["filtered_resps"], rows[1]["resps"]
    return rows


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a column is missing", "doc_id 1 could not be joined (missing field 'Translated_Answer')"),
        ("the doc is no object", "neither `doc` nor `input` was logged"),
        ("no answer", "doc_id 1 has no answer"),
        ("no doc_id", "not a sample (doc_id is None)"),
        ("no answer field", "it has no answer"),
    ],
)
def test_a_row_that_cannot_be_used_is_reported_and_counts_as_failed(
    tmp_path: Path, importing: Any, name: str, said: str
) -> None:
    write_log(tmp_path / "logs", {"alm-bench-de": spoilt(name)})
    done = importing(tmp_path / "logs")
    assert done.code == 1
    (lost,) = done.lost
    assert said in lost and "_samples_alm-bench-de.jsonl:2" in lost
    assert f"not joined: {lost}" in done.said
    counts = done.result().counts
    assert (counts.expected, counts.answered, counts.failed, counts.scored) == (3, 2, 1, 2)
    assert not counts.complete
    assert sorted(str(answer.text) for answer in done.answers if answer.error is None) == ["Apfel", "Birne"]


@pytest.mark.parametrize("layout", ["2025", "0.7"])
def test_a_line_that_was_cut_off_is_one_lost_row(tmp_path: Path, importing: Any, layout: str) -> None:
    write_log(
        tmp_path / "logs", {"alm-bench-de": as_written(layout, alm_rows(["Apfel", "Birne", "Apfel"]))}, layout=layout
    )
    (samples,) = (tmp_path / "logs").glob("*_samples_*")
    samples.write_bytes(samples.read_bytes()[:-40])
    done = importing(tmp_path / "logs")
    assert done.code == 1
    (lost,) = done.lost
    assert f"{samples}:3" in lost and "not a sample" in lost
    counts = done.result().counts
    assert (counts.expected, counts.answered, counts.failed) == (3, 2, 1)


def test_bytes_that_are_no_text_are_one_lost_row(tmp_path: Path, importing: Any) -> None:
    write_log(tmp_path / "logs", {"alm-bench-de": alm_rows(["Apfel", "Birne"])})
    (samples,) = (tmp_path / "logs").glob("*_samples_*")
    samples.write_bytes(samples.read_bytes() + b'{"doc_id": 2, "input": "\xff\xfe"}\n\n')
    done = importing(tmp_path / "logs")
    assert done.code == 1 and len(done.lost) == 1 and ":3" in done.lost[0]
    assert done.result().counts.expected == 3


def test_samples_that_the_harness_ran_and_did_not_write_are_missed(tmp_path: Path, importing: Any) -> None:
    write_log(tmp_path / "logs", {"alm-bench-de": alm_rows(["Apfel", "Apfel"])}, expected=5)
    done = importing(tmp_path / "logs")
    assert done.code == 1 and "3 of 5 samples are not there" in done.lost[0]
    counts = done.result().counts
    assert (counts.expected, counts.answered, counts.failed) == (5, 2, 3)


def test_without_a_samples_file_the_logged_figures_stay(tmp_path: Path, importing: Any) -> None:
    write_log(tmp_path / "logs", {"alm-bench-de": None, "alm-bench-fr": alm_rows(["Apfel"])}, expected=1)
    done = importing(tmp_path / "logs")
    assert done.code == 1 and "no samples file for alm-bench-de: 1 of 1 samples are not there" in done.lost[0]
    assert done.result().logged["alm-bench-de"]["metrics"] == {"exact_match": 0.5}
    assert (done.result().counts.expected, done.result().counts.answered) == (2, 1)


def test_a_torn_results_file_leaves_the_other_models(tmp_path: Path, importing: Any) -> None:
    write_log(tmp_path / "logs" / "a", {"alm-bench-de": alm_rows(["Apfel"])})
    torn = write_log(tmp_path / "logs" / "b", {"alm-bench-de": alm_rows(["Birne"])}, model_name="other")
    torn.write_text(torn.read_text()[:100])
    done = importing(tmp_path / "logs")
    assert done.code == 1 and [run["model"] for run in done.record["runs"]] == ["toy_2b"]
    assert len(done.lost) == 2 and str(torn) in done.lost[0]
    assert "_samples_alm-bench-de.jsonl" in done.lost[1] and "no readable results file" in done.lost[1]


def test_a_long_list_of_losses_is_cut_for_people_and_whole_for_scripts(tmp_path: Path, importing: Any) -> None:
    rows = alm_rows(["Apfel"] * 30)
    for row in rows:
        del row["doc"]["Translated_Question"]
    write_log(tmp_path / "logs", {"alm-bench-de": rows})
    done = importing(tmp_path / "logs")
    assert len(done.lost) == 30 and done.said.count("not joined: ") == 21
    assert "not joined: 10 more (--format json lists them)" in done.said


# ── Not damaged, only odd ─────────────────────────────────────────────────────────────────────────


def test_a_task_that_nobody_here_reads_keeps_its_logged_figures(tmp_path: Path, importing: Any, capsys: Said) -> None:
    rows = [{"doc_id": 0, "doc": {"q": "?"}, "filtered_resps": ["A"], "input": "?", "target": "A"}]
    write_log(tmp_path / "logs", {"never-heard-of-xx": rows}, group_subtasks={})
    done = importing(tmp_path / "logs")
    assert done.code == 0 and not done.lost
    assert any("no task here reads never-heard-of-xx" in note for note in done.notes)
    result = done.result("never-heard-of-xx")
    assert result.protocol == "logged" and not result.metrics
    assert result.logged["never-heard-of-xx"]["metrics"] == {"exact_match": 0.5}
    assert main(["leaderboard", "--results", str(done.results), "--no-published"]) == 0
    assert "50.0°" in capsys.readouterr().out


def test_what_was_thought_aloud_in_a_log_is_not_scored(tmp_path: Path, importing: Any) -> None:
    said = ["<think>Birne? Nein.</think>\n\nApfel", "Birne? Nein.</think>Apfel", "<think>Apfel, oder", "Apfel"]
    write_log(tmp_path / "logs", {"alm-bench-de": alm_rows(said)})
    done = importing(tmp_path / "logs")
    assert done.code == 0 and values(done.result())["strict"] == values(done.result())["aligned"] == 0.75
    assert sorted(str(answer.text) for answer in done.answers) == ["", "Apfel", "Apfel", "Apfel"]
    assert any("1 of 4 replies ran out while thinking" in warning for warning in done.result().warnings)


def test_empty_answers_are_wrong_answers_and_remarked(tmp_path: Path, importing: Any) -> None:
    write_log(tmp_path / "logs", {"alm-bench-de": alm_rows(["Apfel", "", " \n  \n", "\u3000"])})
    done = importing(tmp_path / "logs")
    assert done.code == 0 and values(done.result())["strict"] == 0.25
    assert done.result().counts.flags["empty"] == done.result().logged["alm-bench-de"]["empty"] == 3
    assert any("3 answers are empty" in warning for warning in done.result().warnings)


def test_a_rerun_that_was_appended_counts_once_with_its_last_answer(tmp_path: Path, importing: Any) -> None:
    write_log(
        tmp_path / "logs", {"alm-bench-de": alm_rows(["Birne", "Birne"]) + alm_rows(["Apfel", "Birne"])}, expected=2
    )
    done = importing(tmp_path / "logs")
    assert done.code == 0 and any("2 samples stand there more than once" in note for note in done.notes)
    assert done.result().counts.expected == 2 and values(done.result())["strict"] == 0.5


def test_of_two_logs_of_one_task_the_later_is_used(tmp_path: Path, importing: Any) -> None:
    write_log(tmp_path / "logs" / "z", {"alm-bench-de": alm_rows(["Birne"])}, stamp="20250101_000000")
    write_log(tmp_path / "logs" / "a", {"alm-bench-de": alm_rows(["Apfel"])}, stamp="20260101_000000")
    done = importing(tmp_path / "logs")
    assert done.code == 0 and values(done.result())["strict"] == 1.0
    (note,) = (note for note in done.notes if "logged twice" in note)
    assert "with other answers" in note
    assert f"{tmp_path / 'logs' / 'z'}" in note and f"{tmp_path / 'logs' / 'a'}" in note.partition("logged twice")[2]


@pytest.mark.parametrize(("backend", "second"), [("llava_hf", True), ("vllm", False), ("qwen2_5_vl", False)])
def test_logs_of_llava_hf_say_that_prompts_began_with_two_bos(
    tmp_path: Path, importing: Any, backend: str, second: bool
) -> None:
    write_log(
        tmp_path / "logs",
        {"alm-bench-de": alm_rows(["Apfel"])},
        model_source=backend,
        config={"model": backend, "model_args": f"pretrained={MODEL},"},
    )
    done = importing(tmp_path / "logs")
    (run,) = find_runs(done.results)
    assert [item.second_bos for _, item in run.requests()] == [second]
    assert ("bos:two" in done.result().signature) == second


def test_equal_ids_are_told_apart(tmp_path: Path, importing: Any) -> None:
    rows = alm_rows(["Apfel", "Birne"])
    rows[1]["doc"]["ID"] = rows[0]["doc"]["ID"]
    write_log(tmp_path / "logs", {"alm-bench-de": rows})
    done = importing(tmp_path / "logs")
    assert done.code == 0 and done.result().counts.expected == 2 and values(done.result())["strict"] == 0.5
    assert len({item.id for _, item in done.run.requests()}) == 2


def test_equal_answers_of_two_models_are_remarked_and_one_name_does_not_fit_both(
    tmp_path: Path, importing: Any, capsys: Said
) -> None:
    for name in ("first", "second"):
        write_log(tmp_path / "logs" / name, {"alm-bench-de": alm_rows(["Apfel", "Birne"])}, model_name=name)
    done = importing(tmp_path / "logs")
    assert done.code == 0 and [run["model"] for run in done.record["runs"]] == ["first", "second"]
    assert any("byte-identical answers" in note and "second" in note for note in done.notes)
    words = ["import", "lmms-eval", str(tmp_path / "logs"), "--results", str(tmp_path / "other"), "--name", "both"]
    assert main(words) == 2
    assert "first, second" in capsys.readouterr().err and not (tmp_path / "other").exists()


# ── Nothing to import ─────────────────────────────────────────────────────────────────────────────


def nothing_there(folder: Path, kind: str) -> None:
    if kind == "a file":
        folder.write_text("{}")
    elif kind != "missing":
        folder.mkdir()
    if kind == "samples only":
        write_jsonl(folder / "20250829_222614_samples_alm-bench-de.jsonl", alm_rows(["Apfel"]))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "is not a folder"),
        ("a file", "is not a folder"),
        ("empty", "no *_results.json"),
        ("samples only", "no *_results.json"),
    ],
)
def test_no_logs_are_a_usage_error_with_a_hint(tmp_path: Path, capsys: Said, kind: str, said: str) -> None:
    nothing_there(tmp_path / "logs", kind)
    words = ["import", "lmms-eval", str(tmp_path / "logs"), "--results", str(tmp_path / "results")]
    assert main(words) == 2
    captured = capsys.readouterr()
    assert not captured.out and said in captured.err and "--output_path" in captured.err
    assert not (tmp_path / "results").exists()


def test_only_torn_results_files_are_incomplete_not_silent(tmp_path: Path, importing: Any) -> None:
    write_log(tmp_path / "logs", {"alm-bench-de": alm_rows(["Apfel"])}).write_text("{")
    done = importing(tmp_path / "logs")
    assert done.code == 1 and len(done.lost) == 2 and not done.record["runs"]


def test_another_harness_is_a_usage_error(tmp_path: Path, capsys: Said) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["import", "lm-eval", str(tmp_path)])
    assert ended.value.code == 2 and "lmms-eval" in capsys.readouterr().err


def test_results_that_cannot_be_written_are_said(tmp_path: Path, capsys: Said) -> None:
    write_log(tmp_path / "logs", {"alm-bench-de": alm_rows(["Apfel"])})
    (tmp_path / "results").write_text("")
    assert main(["import", "lmms-eval", str(tmp_path / "logs"), "--results", str(tmp_path / "results")]) == 2
    assert "--results DIR" in capsys.readouterr().err
