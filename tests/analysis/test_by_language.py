"""Means by family, script, resources and support, gaps to English, culture against generic: worked out by hand."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from run_folders import task_result, write_run

from tvbench.analysis.by_language import (
    GROUPINGS,
    Group,
    difference_of,
    english_gaps,
    group_of,
    grouped,
    language_figures,
    mean_of,
    share_pictures,
)
from tvbench.analysis.categories import CATEGORIES, kind_of, kinds_of_category
from tvbench.analysis.groups import WAYS
from tvbench.cli import leaderboard
from tvbench.cli.main import main
from tvbench.data.alm_rows import CULTURAL
from tvbench.types import Counts, Figure, Slice, TaskResult

Said = pytest.CaptureFixture[str]
FIGURES = {
    "en": Figure(0.9, 100, 0.03),
    "de": Figure(0.8, 50, 0.04),
    "fr": Figure(0.6, 50, 0.03),
    "hi": Figure(0.5, 40, 0.12),
    "cs": Figure(0.7, 60, 0.05),
    "sw": Figure(0.2, 20, 0.02),
    "xx-own": Figure(0.1, 10, 0.01),
}


def named(groups: tuple[Group, ...]) -> dict[str, Group]:
    return {group.name: group for group in groups}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "TVBENCH_RESULTS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


# ── Arithmetic ────────────────────────────────────────────────────────────────────────────────────


def test_support() -> None:
    groups = grouped(FIGURES, "support")
    assert [(group.name, group.members) for group in groups] == [
        ("core", ("de", "en", "fr")),
        ("added", ("cs", "hi")),
        ("unseen", ("sw",)),
        ("unknown", ("xx-own",)),
    ]
    core, added, unseen, unknown = (group.metric for group in groups)
    assert core.value == pytest.approx(2.3 / 3) and core.n == 200
    assert core.stderr == pytest.approx(sqrt(0.03**2 + 0.04**2 + 0.03**2) / 3)
    assert added.value == pytest.approx(0.6) and added.stderr == pytest.approx(0.13 / 2), "5, 12, 13"
    assert [unseen.value, unseen.stderr, unknown.value] == pytest.approx([0.2, 0.02, 0.1])


def test_families_scripts_and_classes_stand_in_order() -> None:
    assert [group.name for group in grouped(FIGURES, "family")] == ["Indo-European", "Atlantic-Congo", "unknown"]
    assert [group.name for group in grouped(FIGURES, "script")] == ["Latn", "Deva", "unknown"]
    classes = grouped(FIGURES, "resource")
    assert [(group.name, group.members) for group in classes] == [
        ("5", ("de", "en", "fr")),
        ("4", ("cs", "hi")),
        ("2", ("sw",)),
        ("unknown", ("xx-own",)),
    ]
    branches = named(grouped(FIGURES, "branch"))
    assert branches["Indo-European/Germanic"].metric.value == pytest.approx(0.85)
    assert branches["Indo-European/Indo-Aryan"].members == ("hi",)


def test_languages_without_a_class_or_branch() -> None:
    assert group_of("ar-AE", "resource") == "unknown" and group_of("ar-AE", "family") == "Afro-Asiatic"
    assert group_of("ja", "branch") == "Japonic"
    assert all(group_of("nowhere", by) == "unknown" for by in GROUPINGS)


def test_a_missing_standard_error_is_not_made_up() -> None:
    found = mean_of([Figure(0.2, 5, 0.1), Figure(0.4, 5)])
    assert found.value == pytest.approx(0.3) and (found.n, found.stderr) == (10, None)
    assert difference_of(Figure(0.2, 5, 0.1), Figure(0.4, 5)).stderr is None
    with pytest.raises(ValueError, match="mean of nothing"):
        mean_of([])
    assert grouped({}, "family") == ()


def test_shared_pictures_take_the_upper_bound() -> None:
    figures = [Figure(0.2, 5, 0.03), Figure(0.4, 5, 0.04)]
    assert mean_of(figures).stderr == pytest.approx(0.05 / 2)
    assert mean_of(figures, shared=True).stderr == pytest.approx(0.07 / 2)
    sure = [Figure(0.2, 5, 0.03, low=0.16, high=0.26), Figure(0.4, 5, 0.04, low=0.37, high=0.48)]
    apart, together = mean_of(sure), mean_of(sure, shared=True)
    assert (apart.low, apart.high) == pytest.approx((0.3 - 0.05 / 2, 0.3 + 0.1 / 2))
    assert (together.low, together.high) == pytest.approx((0.3 - 0.07 / 2, 0.3 + 0.14 / 2))
    gap = difference_of(sure[1], sure[0])
    assert (gap.low, gap.high) == pytest.approx((0.2 - sqrt(0.03**2 + 0.06**2), 0.2 + sqrt(0.08**2 + 0.04**2)))
    assert named(grouped({"de": figures[0], "en": figures[1]}, "support", shared=True))["core"].metric.stderr == (
        pytest.approx(0.035)
    )
    alone = task_result()
    assert not share_pictures(alone, "aligned"), "4 + 4 pictures are the 8 of the whole"
    common = replace(alone, metrics={"aligned": Figure(0.5, 10, 0.01, 4)})
    assert share_pictures(common, "aligned") and not share_pictures(common, "bleu")


def test_gaps_to_english() -> None:
    gaps = named(english_gaps(FIGURES))
    assert sorted(gaps) == ["cs", "de", "fr", "hi", "sw", "xx-own"]
    assert gaps["de"].metric.value == pytest.approx(-0.1) and gaps["de"].metric.stderr == pytest.approx(0.05), "3, 4, 5"
    assert gaps["de"].gap and gaps["de"].metric.n == 150
    assert english_gaps({"de": FIGURES["de"]}) == ()


def test_figures_of_a_result() -> None:
    result = task_result(languages={"de": 0.4, "en": 0.6})
    assert language_figures(result, "aligned") == {"de": Figure(0.4, 5, 0.02, 4), "en": Figure(0.6, 5, 0.02, 4)}
    assert language_figures(result, "bleu") == {}


# ── Categories ────────────────────────────────────────────────────────────────────────────────────


def with_categories(task: str, figures: Mapping[str, Figure]) -> TaskResult:
    parts = {name: Slice(Counts(9, 9, 0, 9), {"aligned": metric}) for name, metric in figures.items()}
    result = task_result(task)
    return replace(result, breakdowns={**result.breakdowns, "category": parts})


@pytest.mark.parametrize(
    ("task", "category", "kind"),
    [
        ("alm", "Notable_key_figures", "cultural"),
        ("alm", "Notable Key Figures", "cultural"),
        ("alm", "FOOD", "cultural"),
        ("alm", "Food Items", "generic"),
        ("alm", "Indoor", "generic"),
        ("alm", "none", None),
        ("alm", "", None),
        ("vimul", "Lifestyle & Customs", "cultural"),
        ("vimul", "lifestyle_and_customs", "cultural"),
        ("vimul", "Sports", "cultural"),
        ("vimul", "Sports Competition", "generic"),
        ("vimul", "Others", "generic"),
        ("vimul", "Gardening", None),
        ("multi30k", "Food", None),
    ],
)
def test_kind_of_category(task: str, category: str, kind: str | None) -> None:
    assert kind_of(task, category) == kind


def test_numbers_of_categories_are_those_of_the_papers() -> None:
    assert len(CATEGORIES["alm"].cultural) == 13 and CATEGORIES["alm"].generic is None
    assert len(CATEGORIES["vimul"].cultural) == 8 and len(CATEGORIES["vimul"].generic or ()) == 7
    assert not CATEGORIES["vimul"].cultural & (CATEGORIES["vimul"].generic or frozenset())


def test_cultural_categories_are_those_of_the_task_file() -> None:
    assert all(kind_of("alm", name) == "cultural" for name in CULTURAL)
    assert len(CULTURAL) == len(CATEGORIES["alm"].cultural)


def test_culture_against_generic() -> None:
    result = with_categories(
        "alm",
        {
            "Food": Figure(0.4, 9, 0.06),
            "Music": Figure(0.6, 9, 0.08),
            "Indoor": Figure(0.9, 9, 0.12),
            "none": Figure(0.0, 9, 0.5),
        },
    )
    cultural, generic, gap = kinds_of_category(result, "aligned")
    assert cultural.members == ("Food", "Music") and cultural.metric.value == pytest.approx(0.5)
    assert cultural.metric.stderr == pytest.approx(0.05), "6, 8, 10, halved"
    assert generic.metric.value == pytest.approx(0.9) and generic.members == ("Indoor",)
    assert gap.gap and gap.metric.value == pytest.approx(-0.4) and gap.metric.stderr == pytest.approx(0.13), "5, 12, 13"


def test_a_kind_without_figures_has_no_difference() -> None:
    (only,) = kinds_of_category(with_categories("alm", {"Food": Figure(0.4, 9)}), "aligned")
    assert only.name == "cultural"
    assert kinds_of_category(with_categories("multi30k", {"Food": Figure(0.4, 9)}), "aligned") == ()


# ── `tvbench leaderboard --by` ────────────────────────────────────────────────────────────────────

LANGUAGES = {"de": 0.5, "fr": 0.7, "en": 0.9, "hi": 0.4, "cs": 0.6, "sw": 0.2}


def board(capsys: Said, *words: str, code: int = 0) -> tuple[str, str]:
    try:
        ended = main(["leaderboard", "--results", "results", *words])
    except SystemExit as done:
        ended = int(str(done.code))
    captured = capsys.readouterr()
    assert ended == code, captured.err
    return captured.out, captured.err


def records(capsys: Said, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(board(capsys, *words, "--no-published", "--format", "json")[0])
    return found


def own_pictures(result: TaskResult) -> TaskResult:
    """`result`, with four pictures of its own for each language."""
    pictures = 4 * len(result.breakdowns["language"])
    return replace(result, metrics={name: replace(one, clusters=pictures) for name, one in result.metrics.items()})


@pytest.fixture
def results() -> Path:
    folder = Path("results")
    first = task_result("alm", "model-a", value=0.55, languages=LANGUAGES)
    write_run(folder, "a", "model-a", own_pictures(first))
    fewer = {code: figure + 0.05 for code, figure in LANGUAGES.items() if code != "sw"}
    write_run(folder, "b", "model-b", own_pictures(task_result("alm", "model-b", value=0.67, languages=fewer)))
    return folder


def test_the_command_offers_every_way() -> None:
    assert leaderboard.BY == WAYS


def test_table_by_support(capsys: Said, results: Path) -> None:
    out, _ = board(capsys, "--by", "support", "--no-published")
    lines = out.splitlines()
    assert lines[0].strip() == "alm by support: aligned"
    first, second = (next(line for line in lines if line.startswith(name)) for name in ("model-a", "model-b"))
    assert lines.index(second) < lines.index(first), "the better one stands first"
    assert "70.0 ±3.7" in first and "50.0 ±4.5" in first and "20.0 ±6.4" in first
    assert "75.0 ±3.7" in second and "–" in second
    assert "core: de, en, fr" in out and "not comparable" not in out


def test_partial_groups_are_marked(capsys: Said, results: Path) -> None:
    out, _ = board(capsys, "--by", "script", "--no-published")
    rows = {line.split()[0]: line for line in out.splitlines() if line.startswith("model-")}
    assert "72.5 ±3.2†" in rows["model-b"] and "58.0 ±2.8" in rows["model-a"] and "†" not in rows["model-a"]
    assert "† not over all" in out


def test_records(capsys: Said, results: Path) -> None:
    found = {(one["model"], one["group"]): one for one in records(capsys, "--by", "resource")}
    assert found["model-a", "5"]["members"] == ["de", "en", "fr"]
    assert found["model-a", "5"]["value"] == pytest.approx(0.7) and found["model-a", "5"]["n"] == 15
    assert found["model-a", "5"]["stderr"] == pytest.approx(sqrt(3) * 0.02 / 3)
    assert ("model-b", "2") not in found
    strict = {
        one["group"]: one
        for one in records(capsys, "--by", "support", "--metric", "strict")
        if one["model"] == "model-a"
    }
    assert strict["core"]["value"] == pytest.approx(0.35) and strict["core"]["metric"] == "strict"


def test_gap_to_english(capsys: Said, results: Path) -> None:
    out, _ = board(capsys, "--by", "english", "--no-published")
    heads, row = out.splitlines()[1], next(line for line in out.splitlines() if line.startswith("model-a"))
    assert "-50.0 ±9.0" in row and "hi Hindi" in heads and "en English" not in heads
    best = max(records(capsys, "--by", "english"), key=lambda one: one["value"])
    assert best["group"] == "fr" and best["value"] == pytest.approx(-0.2)


def test_category_kinds(capsys: Said) -> None:
    figures = {"Food": Figure(0.4, 9, 0.06, 9, 0.3, 0.52), "Indoor": Figure(0.7, 9)}
    write_run(Path("results"), "c", "m", with_categories("alm", figures))
    out, _ = board(capsys, "--by", "category-kind", "--no-published")
    line = next(line for line in out.splitlines() if line.startswith("m "))
    assert all(text in line for text in ("40.0 +12.0/-10.0", "70.0", "-30.0"))
    assert [one["group"] for one in records(capsys, "--by", "category-kind")] == [
        "cultural",
        "generic",
        "cultural minus generic",
    ]


def test_many_groups_stand_below_each_other(capsys: Said) -> None:
    many = dict.fromkeys("de en fr ja ko th el ka hy he am ta".split(), 0.5)
    write_run(Path("results"), "a", "m", task_result("alm", "m", languages=many))
    lines = board(capsys, "--by", "script", "--no-published")[0].splitlines()
    figures = [line.split() for line in lines if "50.0 ±" in line]
    assert [words[0] for words in figures] == ["all", *"Latn Armn Ethi Geor Grek Hebr Jpan Kore Taml Thai".split()]
    assert figures[1][1:] == ["3", "50.0", "±6.4"] and "are upper bounds" in "".join(lines)


def test_sorting(capsys: Said, results: Path) -> None:
    def order(*words: str) -> list[str]:
        out, _ = board(capsys, "--by", "support", "--no-published", *words)
        return [line.split()[0] for line in out.splitlines() if line.startswith("model-")]

    assert order() == order("--sort", "all") == ["model-b", "model-a"]
    assert order("--sort", "unseen") == order("--sort", "model") == ["model-a", "model-b"]
    assert "Did you mean unseen" in board(capsys, "--by", "support", "--no-published", "--sort", "unsen", code=2)[1]


def test_other_formats(capsys: Said, results: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(board(capsys, "--by", "support", "--no-published", "--format", "csv")[0])))
    assert {row["model"]: float(row["core"]) for row in rows} == {
        "model-a": pytest.approx(70.0),
        "model-b": pytest.approx(75.0),
    }
    assert "| **model-b** |" in board(capsys, "--by", "support", "--no-published", "--format", "markdown")[0]


def test_other_protocols_and_random_weights_are_said(capsys: Said, results: Path) -> None:
    write_run(
        results,
        "p",
        "model-p",
        task_result("alm", "model-p", "paper", languages=LANGUAGES, value=0.1, counts=Counts(10, 8, 2, 7)),
    )
    out, _ = board(capsys, "--by", "support", "--no-published")
    assert "not comparable with the first row: model-p: protocol paper" in out
    assert "model-p: 8 of 10 answered, 7 scored" in out


def test_published_rows_are_grouped_too(capsys: Said) -> None:
    out, err = board(capsys, "--by", "support", "--tasks", "alm", "--published", "all")
    assert "published T11" in out and "means, taken here" in out and "no scored runs" in err
    found = json.loads(board(capsys, "--by", "support", "--tasks", "alm", "--format", "json")[0])
    unseen = next(
        one for one in found if one["group"] == "unseen" and one["model"] == "TowerVision-2B (core and added languages)"
    )
    assert unseen["value"] == pytest.approx((70.9 + 82.0 + 95.3 + 76.5 + 94.8) / 5)
    assert unseen["stderr"] is None and unseen["n"] is None and unseen["unit"].startswith("percent")
    assert not json.loads(board(capsys, "--by", "category-kind", "--tasks", "alm", "--format", "json")[0])


def test_bad_words(capsys: Said, results: Path) -> None:
    assert "invalid choice: 'continent'" in board(capsys, "--by", "continent", code=2)[1]
    assert "give only one" in board(capsys, "--by", "script", "--languages", code=2)[1]
    assert "Did you mean" in board(capsys, "--by", "script", "--metric", "alignd", code=2)[1]
    out, err = board(capsys, "--by", "category-kind", "--no-published")
    assert not out and "nothing to show by category-kind" in err
