"""Published logs: protocol `paper` must ask what was asked, and the gold figures must come out of the logged answers.

The rows are licensed and stay outside of this repository: the tests are skipped where they are not at hand.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from task_data import DATA, choice, items, prompt, write_jsonl

from tasks import alm, cc_ocr, m3exam, multi30k, ocrbench
from tvbench.data.interleaved import PLACE
from tvbench.scoring import score_item, summarise
from tvbench.scoring.m3exam import read_letter
from tvbench.types import Exam, Response

needs_logs = pytest.mark.skipif(not (DATA / "gold.json").exists(), reason="the published logs are not here")

LOGGED = {
    alm: ("alm_bench-all", "alm"),
    multi30k: ("multi30k-all", "multi30k"),
    ocrbench: ("ocrbench", "ocrbench"),
    cc_ocr: ("cc-ocr-multi-lan", "ccocr"),
}


def logged(module: ModuleType, model: str) -> Iterator[tuple[str, dict[str, Any]]]:
    return logged_in(LOGGED[module][0], model)


def logged_in(folder: str, model: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((DATA / "tvision_results" / folder).glob(f"*{model}*/*_samples_*.jsonl")):
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line:
                yield path.stem.split("_samples_")[1], json.loads(line)


def as_hub_data(module: ModuleType, rows: list[dict[str, Any]], folder: Path) -> None:
    """The documents of a log as a local copy of the data; ALM-Bench and CC-OCR have all languages in one table."""
    for row in rows:
        row["doc"].setdefault("image", None)
    if module is multi30k:
        rows = rows[: len(rows) // 3]
    write_jsonl(
        folder / "multi_lan_ocr" / "test.jsonl" if module is cc_ocr else folder / "test.jsonl",
        [row["doc"] for row in rows],
    )


@needs_logs
@pytest.mark.parametrize("module", LOGGED, ids=lambda module: module.TASK.name)
def test_paper_protocol_builds_every_logged_prompt_and_target(module: ModuleType, tmp_path: Path) -> None:
    rows = list(logged(module, "towerp_2b_instruct"))
    as_hub_data(module, [row for _, row in rows], tmp_path)
    built = {item.id: item for item in items(module, tmp_path, "paper", with_media=False)}
    from_logs = {item.id: item for item in (module.TASK.from_log(name, row, {}) for name, row in rows)}
    assert len(from_logs) == len(rows) == len(built)
    for name, item in from_logs.items():
        assert prompt(built[name]) == prompt(item)
        assert built[name].target == item.target
        assert built[name].problem is None
    assert {name: item.cluster for name, item in built.items()} == {n: item.cluster for n, item in from_logs.items()}


@needs_logs
@pytest.mark.parametrize("model", ["towerp_2b_instruct", "towerp_9b_base"])
def test_exams_are_asked_as_they_were_logged(model: str, tmp_path: Path) -> None:
    """All 2,753 prompts, letter for letter, a picture being `<image>` in the log."""
    rows = [row for name, row in logged_in("m3exam", model)]
    for language in sorted({row["doc"]["language"] for row in rows}):
        write_jsonl(tmp_path / f"{language}.jsonl", [row["doc"] for row in rows if row["doc"]["language"] == language])
    built = {item.id: item for item in items(m3exam, tmp_path, "paper", with_media=False)}
    assert len(built) == len(rows) == 2753
    for row in rows:
        item = m3exam.from_log(f"m3exam_{row['doc']['language']}", row, {})
        assert m3exam.prompt_of(row["doc"], item.language, "paper").replace(PLACE, "<image>") == row["input"]
        assert isinstance(item.target, Exam)
        assert built[item.id].target == replace(item.target, drawn="") and built[item.id].cluster == item.cluster
        assert item.target.target == row["m3exam"]["standardized_answer"]
        letter = read_letter(row["filtered_resps"][0], item.target.raw)
        assert letter in (None, row["m3exam"]["answer_text"])


@needs_logs
def test_alm_logs_have_as_many_clusters_as_pictures() -> None:
    found = [alm.from_log(name, row, {}) for name, row in logged(alm, "towerp_2b_instruct")]
    assert len(found) == 532 and len({item.cluster for item in found}) == 259


@needs_logs
def test_alm_all_logged_rows_can_be_asked_with_letters(tmp_path: Path) -> None:
    as_hub_data(alm, [row for _, row in logged(alm, "towerp_2b_instruct")], tmp_path)
    found = items(alm, tmp_path, with_media=False)
    assert len(found) == 532 and not any(item.problem for item in found)
    assert all(len(choice(item).options) == 4 for item in found)
    places = Counter(choice(item).gold for item in found)
    assert min(places[place] for place in range(4)) > 100


@needs_logs
@pytest.mark.parametrize("model", ["towerp_2b_instruct", "towerp_9b_base"])
@pytest.mark.parametrize("module", [alm, ocrbench, cc_ocr], ids=lambda module: module.TASK.name)
def test_gold_figures_come_out_of_the_logs(module: ModuleType, model: str) -> None:
    family = LOGGED[module][1]
    gold = {fact["id"]: fact for fact in json.loads((DATA / "gold.json").read_text(encoding="utf-8"))["facts"]}
    asked, answers = [], {}
    for name, row in logged(module, model):
        item = module.TASK.from_log(name, row, {})
        asked.append(item)
        answers[item.id] = Response(item.id, text=row["filtered_resps"][0])
    scores = [score_item(item, answers[item.id]) for item in asked]
    result = summarise(module.TASK.name, "paper", module.TASK.primary, "signature", asked, answers, scores)
    checked = 0
    for language, part in result.breakdowns["language"].items():
        for metric, figure in part.metrics.items():
            fact = gold.get(f"{family}.{model}.{language}.{metric}")
            if fact is not None:
                assert figure.value == pytest.approx(fact["value"], abs=fact["tol"] + 1e-12), fact["id"]
                checked += 1
    if module is ocrbench:
        checked = 1
        assert round(1000 * result.metrics["ocrbench"].value) == gold[f"ocrbench.{model}.total"]["value"]
    assert checked == {alm: 18, ocrbench: 1, cc_ocr: 14}[module]
