"""Metrics of Hugging Face `evaluate`, named in a task: a real metric module from a local file, through the scorer."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from run_folders import write_manifest

from tvbench.analysis.assess import assess
from tvbench.analysis.entries import ALL, shown_figure
from tvbench.errors import UsageError
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.scoring.metrics import hugging_face as hf_metrics
from tvbench.types import Item, Message, Response, Translation

HERE = importlib.util.find_spec("evaluate") is not None
needs_evaluate = pytest.mark.skipif(not HERE, reason="pip install 'tvbench[evaluate]'")

MODULE = '''
import datasets
import evaluate


class {name}(evaluate.Metric):
    """The share of reference words that a text holds."""

    def _info(self):
        return evaluate.MetricInfo(
            description="d", citation="c", inputs_description="i",
            features=datasets.Features({{"predictions": datasets.Value("string"), "references": {references}}}),
        )

    def _compute(self, predictions, references):
        found = [{each} for text, reference in zip(predictions, references)]
        return {{"label": "words", "{name}": sum(found) / len(found), "count": len(found)}}
'''
SINGLE = ('datasets.Value("string")', "len(set(text.split()) & set(reference.split())) / len(set(reference.split()))")
LISTS = (
    'datasets.Sequence(datasets.Value("string"))',
    "max(len(set(text.split()) & set(one.split())) / len(set(one.split())) for one in reference)",
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    hf_metrics._load.cache_clear()
    return tmp_path


def write_metric(folder: Path, name: str, form: tuple[str, str]) -> str:
    path = folder / f"{name}.py"
    path.write_text(MODULE.format(name=name, references=form[0], each=form[1]))
    return f"evaluate:{path}"


def write_run(folder: Path, metric: str) -> RunFolder:
    rows = [
        ("1", "de", "ein rotes Haus", ("ein rotes Haus",)),
        ("2", "de", "ein Hund", ("ein alter Hund rennt",)),
        ("3", "fr", "un chien", ("un chat", "un chien")),
    ]
    with RunWriter(folder) as writer:
        write_manifest(
            writer,
            {
                "tasks": [
                    {
                        "task": "t",
                        "protocol": "p",
                        "primary": "chrfpp",
                        "signature": "task:t@1",
                        "metrics": ["chrfpp", metric],
                    }
                ]
            },
        )
        asked = (Message("user", ("?",)),)
        writer.write_requests(
            (f"k{name}", Item(name, "t", code, asked, Translation("s", wanted)), ()) for name, code, _, wanted in rows
        )
        writer.start()
        for name, _, text, _ in rows:
            writer.append(Response(f"k{name}", text=text))
    return RunFolder(folder)


@needs_evaluate
@pytest.mark.parametrize("form", [SINGLE, LISTS])
def test_a_real_metric_is_computed_by_language(cache: Path, form: tuple[str, str]) -> None:
    metric = write_metric(cache, "wordshare", form)
    result = assess(write_run(cache / "run", metric))[0]
    german = result.breakdowns["language"]["de"].metrics[metric]
    assert german.value == pytest.approx((1 + 0.5) / 2)
    assert german.n == 2
    # A metric that takes one reference a text gets the first of two.
    french = 0.5 if form is SINGLE else 1.0
    assert result.metrics[metric].value == pytest.approx((0.75 + french) / 2)
    assert result.metric_signatures[metric].startswith("evaluate:")
    assert "key:wordshare" in result.metric_signatures[metric]


@needs_evaluate
def test_a_key_can_be_chosen_and_a_wrong_one_is_explained(cache: Path) -> None:
    metric = write_metric(cache, "wordshare", LISTS)
    assert hf_metrics.corpus_figure(f"{metric}#count", ["a", "b"], [["a"], ["b"]])[0] == 2
    with pytest.raises(UsageError, match="no label"):
        hf_metrics.corpus_figure(f"{metric}#label", ["a"], [["a"]])


@needs_evaluate
def test_a_local_metric_that_was_changed_is_another_one(cache: Path) -> None:
    metric = write_metric(cache, "wordshare", SINGLE)
    first = hf_metrics.corpus_figure(metric, ["a b"], [["a"]])
    assert first == hf_metrics.corpus_figure(metric, ["a b"], [["a"]])
    write_metric(cache, "wordshare", (SINGLE[0], "0.25"))
    second = hf_metrics.corpus_figure(metric, ["a b"], [["a"]])
    assert (first[0], second[0]) == (1.0, 0.25)
    assert first[1] != second[1] and "|code:" in second[1]


@needs_evaluate
def test_figures_of_a_changed_local_metric_are_not_ranked_against_each_other(cache: Path) -> None:
    groups: list[str] = []
    for each in (SINGLE[1], SINGLE[1], "0.25"):
        metric = write_metric(cache, "wordshare", (SINGLE[0], each))
        result = assess(write_run(cache / f"run-{len(groups)}", metric))[0]
        figure = shown_figure(result, ALL, metric, metric)
        assert figure is not None
        groups.append(figure.group)
    assert groups[0] == groups[1] != groups[2]


@needs_evaluate
def test_a_metric_that_is_not_there_is_a_warning_and_the_rest_is_scored(cache: Path) -> None:
    result = assess(write_run(cache / "run", f"evaluate:{cache / 'nowhere.py'}"))[0]
    assert result.metrics["chrfpp"].value > 0
    assert any("could not be loaded" in warning for warning in result.warnings)


def test_without_the_package_the_command_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evaluate", None)
    result = assess(write_run(cache / "run", "evaluate:rouge"))[0]
    assert any("pip install 'tvbench[evaluate]'" in warning for warning in result.warnings)
    assert "evaluate:rouge" not in result.metrics
