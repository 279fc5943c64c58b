"""Ours beside the published tables: synthetic runs through the command line, and the two real logs with their gaps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from repository import ROOT, SHARED
from run_folders import task_result, write_run

from tvbench.analysis.published import published_files, read_guide, read_published
from tvbench.cli.main import main
from tvbench.registry import catalog
from tvbench.types import Counts, Figure, Slice, TaskResult

LOGS = SHARED / "data" / "tvision_results"

PUBLISHED = """
format: 1
source: {title: T, reference: R, short: S}
unit: percent
tables:
  t: {number: "9", caption: c, headline: true}
rows:
  Row-A: {models: [alpha], note: "found by name"}
scored:
  alm/accuracy: {metric: strict, others: [aligned], protocol: paper}
  vimul/accuracy: {metric: judge, protocol: paper}
coverage:
  alm/all: {languages: 2}
not_comparable:
  vimul: "not public"
cells:
  - [t, Row-A, alm, all, accuracy, %s]
  - [t, Row-A, alm, de, accuracy, %s]
  - [t, Row-B, alm, all, accuracy, 60.0]
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "published").mkdir()
    return tmp_path


def publish(results: Path, of_all: float, of_german: float) -> None:
    # A nearer file of the same name hides the one that is shipped.
    (results / "published" / "towervision.yaml").write_text(PUBLISHED % (of_all, of_german))


def paper_result(
    strict: float, aligned: float, n: int = 40, ceiling: float = 1.0, protocol: str = "paper", **changed: Any
) -> TaskResult:
    metrics = {
        "strict": Figure(strict, n, 0.02, 20),
        "aligned": Figure(aligned, n, 0.02, 20),
        "strict_ceiling": Figure(ceiling, n, 0.0, 20),
    }
    result = task_result("alm", "alpha", protocol, "strict")
    part = Slice(Counts(n, n, 0, n), metrics)
    return replace(result, metrics=metrics, breakdowns={"language": {"de": part, "en": part}}, **changed)


def cells(capsys: pytest.CaptureFixture[str], results: Path, *words: str) -> list[dict[str, Any]]:
    assert main(["reproduce", "--results", str(results), "--format", "json", *words]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize(("bos", "named"), [("bos:two|", False), ("", True)])
def test_one_bos_where_the_paper_had_two_is_a_reason(
    results: Path, capsys: pytest.CaptureFixture[str], bos: str, named: bool
) -> None:
    publish(results, 52.0, 50.0)
    path = results / "published" / "towervision.yaml"
    path.write_text(path.read_text() + "second_bos: prompts of the paper begin with two <bos>\n")
    result = paper_result(0.5, 0.6)
    signature = f"task:alm@1|protocol:paper|{bos}model:alpha@main|engine:vllm@1"
    write_run(results, "run", "alpha", replace(result, signature=signature))
    whole, _ = cells(capsys, results)
    assert any("two <bos>" in reason for reason in whole["against"]) == named


def test_the_shipped_figures_say_how_their_prompts_began() -> None:
    (path,) = (path for path in published_files(ROOT / "nowhere") if path.name == "towervision.yaml")
    assert "--bos two" in read_guide(path).second_bos


def test_difference_interval_and_verdict(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(results, 52.0, 50.0)
    write_run(results, "run", "alpha", paper_result(0.5, 0.6))
    whole, german = cells(capsys, results)
    assert (whole["published"], whole["ours"], whole["difference"]) == (52.0, 50.0, -2.0)
    # Student's t with 19 degrees of freedom: 2.093 standard errors of 2 points.
    assert whole["interval"] == pytest.approx([-2 - 4.186, -2 + 4.186], abs=1e-3)
    assert whole["verdict"] == "within our interval"
    assert whole["comparable"]
    assert german["verdict"] == "the same"


def test_a_more_lenient_scorer_is_named_and_the_gap_stays(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(results, 57.5, 50.0)
    write_run(results, "run", "alpha", paper_result(0.5, 0.6))
    whole, _ = cells(capsys, results)
    assert whole["verdict"] == "differs"
    assert whole["others"] == {"aligned": pytest.approx(60.0)}
    assert any("between strict 50.0 and aligned 60.0" in remark for remark in whole["remarks"])


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (paper_result(0.5, 0.6, protocol="tvbench"), "protocol tvbench, not paper"),
        (paper_result(0.5, 0.6, counts=Counts(40, 39, 1, 39)), "39 of 40 items"),
        (paper_result(0.5, 0.6, ceiling=0.55), "above 55.0"),
    ],
)
def test_reasons_against_a_comparison(
    results: Path, capsys: pytest.CaptureFixture[str], result: TaskResult, said: str
) -> None:
    publish(results, 60.0, 60.0)
    write_run(results, "run", "alpha", result)
    whole, german = cells(capsys, results)
    assert not whole["comparable"]
    assert said in " ".join(whole["against"])


def test_other_languages_and_other_items_are_found_out(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(results, 52.0, 51.3)
    result = paper_result(0.5, 0.6)
    only_german = replace(result, breakdowns={"language": {"de": result.breakdowns["language"]["de"]}})
    write_run(results, "run", "alpha", only_german)
    whole, german = cells(capsys, results)
    assert any(reason.startswith("1 languages here, 2 in the paper") for reason in whole["against"])
    assert german["against"] == ["51.3 is no share of our 40 items: the paper counted others"]


def test_a_model_can_be_named_and_the_paper_protocol_comes_first(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(results, 52.0, 50.0)
    write_run(results, "old", "mine", paper_result(0.6, 0.7), updated="2026-01-01")
    write_run(results, "new", "mine", paper_result(0.3, 0.4, protocol="tvbench"), updated="2026-02-01")
    assert cells(capsys, results) == []
    found = cells(capsys, results, "--as", "mine=Row-B")
    assert [(cell["row"], cell["ours"]) for cell in found] == [("Row-B", 60.0)]
    assert [cell["verdict"] for cell in cells(capsys, results, "--all")] == ["no figure of ours"] * 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--as", "mine"], "MODEL=ROW"),
        (["--as", "alhpa=Row-A"], "alpha"),
        (["--as", "alpha=Row-C"], "Row-"),
        (["--tables", "12"], "table"),
        (["--tasks", "almm"], "alm"),
    ],
)
def test_wrong_words_are_explained(
    results: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    publish(results, 52.0, 50.0)
    write_run(results, "run", "alpha", paper_result(0.5, 0.6))
    assert main(["reproduce", "--results", str(results), *words]) == 2
    assert said in capsys.readouterr().err


def test_no_runs_at_all_says_what_to_type(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(results, 52.0, 50.0)
    assert main(["reproduce", "--results", str(results)]) == 0
    assert "--as MODEL=ROW" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["table", "markdown", "latex", "csv"])
def test_every_form_shows_the_gap(results: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    publish(results, 57.5, 50.0)
    write_run(results, "run", "alpha", paper_result(0.5, 0.6))
    assert main(["reproduce", "--results", str(results), "--format", form]) == 0
    assert "-7.5" in capsys.readouterr().out.replace("−", "-").replace("$-$", "-")


def test_the_shipped_guide_names_rows_and_scorers_that_exist() -> None:
    path = ROOT / "results" / "published" / "towervision.yaml"
    assert path.name in {file.name for file in published_files(ROOT / "results")}
    guide, figures = read_guide(path), read_published(path)
    assert set(guide.rows) <= {figure.model for figure in figures}
    assert {f"{figure.task}/{figure.metric}" for figure in figures} == set(guide.scored)
    assert set(guide.not_comparable) <= {figure.task for figure in figures}
    for printed in ("alm/accuracy", "cc-ocr/macro_f1", "ocrbench/ocrbench", "textvqa/accuracy"):
        assert guide.scored[printed].metric == catalog.task(printed.partition("/")[0]).primary_of("paper")
    cards = {card.stem for card in (ROOT / "models").glob("*.yaml")}
    logs = {model for row in guide.rows.values() for model in row.models} - cards
    assert all(name.startswith("towerp_") for name in logs)


# ── The real logs ─────────────────────────────────────────────────────────────────────────────────

GAPS = {
    ("TowerVision-2B", "textvqa", "all"): -1.45,
    ("TowerVision-2B", "ocrbench", "all"): -0.7,
    ("TowerVision-2B", "cc-ocr", "all"): -6.78,
    ("TowerVision-2B", "alm", "en"): -14.6,
    ("TowerVision-2B", "alm", "multi"): 71.96 - 81.1,
    ("TowerVision-2B", "multi30k", "cs"): -0.01,
    ("TowerVision-2B", "multi30k", "de"): -0.06,
    ("TowerVision-2B", "multi30k", "fr"): -0.47,
    ("Tower+pt-9B", "textvqa", "all"): -0.49,
    ("Tower+pt-9B", "ocrbench", "all"): 0.8,
    ("Tower+pt-9B", "cc-ocr", "all"): -7.26,
    ("Tower+pt-9B", "alm", "en"): -9.43,
    ("Tower+pt-9B", "alm", "multi"): 72.04 - 84.4,
}
"""Ours minus published, from the published logs' own figures."""


@pytest.mark.slow
def test_the_gaps_of_the_two_logs_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not LOGS.is_dir():
        pytest.skip(f"needs the logs in {LOGS} (set TVBENCH_SHARED)")
    assert main(["import", "lmms-eval", str(LOGS), "--results", str(tmp_path)]) == 0
    capsys.readouterr()
    found = {(cell["row"], cell["task"], cell["part"]): cell for cell in cells(capsys, tmp_path)}
    for place, gap in GAPS.items():
        assert found[place]["difference"] == pytest.approx(gap, abs=0.02), place
    english = found["TowerVision-2B", "alm", "en"]
    assert english["against"] == ["77.1 is no share of our 64 items: the paper counted others"]
    multi = found["TowerVision-2B", "alm", "multi"]
    assert multi["others"] == {"aligned": pytest.approx(81.18, abs=0.01), "fragment": pytest.approx(83.73, abs=0.01)}
    assert any("between strict 72.0 and aligned 81.2" in remark for remark in multi["remarks"])
    assert found["TowerVision-2B", "cc-ocr", "all"]["verdict"] == "differs"
    assert found["TowerVision-2B", "multi30k", "de"]["logged"]


def test_languages_can_be_chosen(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(results, 52.0, 50.0)
    write_run(results, "run", "alpha", paper_result(0.5, 0.6))
    (german,) = cells(capsys, results, "--languages", "German")
    assert german["verdict"] == "the same"
    assert main(["reproduce", "--results", str(results), "--languages", "xx-nobody"]) == 2
    assert "unknown language in the published figures 'xx-nobody'" in capsys.readouterr().err
