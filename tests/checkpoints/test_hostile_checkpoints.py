"""Folders that are no checkpoints, or that were made to do harm: every command answers with a sentence, and ends.

Nothing of a folder is unpickled or run, and nothing outside of it is read as its weights. The whole of
`hostile_checkpoints.HOSTILE` is tried, each folder by one command in turn, and a few by all of them.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
import torch
from engine_requests import card_for
from hostile_checkpoints import HOSTILE

from tvbench.checkpoints.prompt import Prompter
from tvbench.checkpoints.template_trial import problem_of
from tvbench.checkpoints.tensors import INDEX, Weights, rewrite, weight_files
from tvbench.cli.main import main
from tvbench.errors import EngineError
from tvbench.mini.checkpoint import build_tiny

torch.set_num_threads(1)
Said = pytest.CaptureFixture[str]
FOR_EVER = 600
"""Seconds after which a command counts as hanging."""

BY_ALL = (
    "config: text part a list",
    "config: a billion layers",
    "config: tiles of 10^9 pixels",
    "tokenizer: nothing",
    "tokenizer: a pipe",
    "weights: a header of 2^63",
    "weights: places that overlap",
    "weights: a pipe",
    "index: outside",
    "index: nothing there",
    "pickled",
    "pickled, of another family",
    "code of its own",
    "stops: lists of lists",
    "template: a long text",
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("good"))


@pytest.fixture(autouse=True)
def bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command that hangs fails; what would be run, would be run here."""

    def too_long(number: int, frame: FrameType | None) -> None:
        raise TimeoutError("the command hangs")

    monkeypatch.setenv("TVBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(FOR_EVER)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    assert not (tmp_path / "owned").exists() and not (tmp_path / "model" / "owned").exists()


def harmed(good: Path, tmp_path: Path, name: str) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(good, folder)
    HOSTILE[name](folder)
    return folder


def commands(folder: Path) -> list[list[str]]:
    return [
        [
            "run",
            "--model",
            str(folder),
            "--tasks",
            "mini-alm",
            "--languages",
            "en",
            "--limit",
            "1",
            "--engine",
            "transformers",
            "--results",
            str(folder.parent / "results"),
            "--quiet",
        ],
        ["doctor", str(folder), "--engine", "transformers"],
        ["models", "import", str(folder), "--output", str(folder.parent / "new"), "--quick"],
        ["models", "show", str(folder)],
    ]


def answered(words: list[str], capsys: Said) -> None:
    """The command ends with a code of ours, and prints no escape; an exception would end the test."""
    assert main(words) in (0, 1, 2)
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err and "Traceback" not in said.err
    assert len([line for line in said.err.splitlines() if line.startswith("tvbench: ")]) <= 1


@pytest.mark.slow
@pytest.mark.parametrize(("number", "name"), list(enumerate(HOSTILE)), ids=list(HOSTILE))
def test_each_folder_is_answered(good: Path, tmp_path: Path, capsys: Said, number: int, name: str) -> None:
    answered(commands(harmed(good, tmp_path, name))[number % 3], capsys)


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_ALL)
def test_by_every_command(good: Path, tmp_path: Path, capsys: Said, name: str) -> None:
    folder = harmed(good, tmp_path, name)
    for words in commands(folder):
        answered(words, capsys)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pickled", "which tvbench does not unpickle"),
        ("pickled, of another family", "which tvbench does not unpickle"),
        ("code of its own", "--trust-remote-code"),
        ("index: outside", "no weight file of this folder"),
        ("index: nothing there", "model-00007-of-00009.safetensors"),
        ("weights: a pipe", "not an ordinary file"),
        ("config: a billion layers", "num_hidden_layers is 1000000000, which no model has"),
        ("config: text part a list", "text_config is not an object"),
        ("tokenizer: a pipe", "tokenizer.json is not an ordinary file"),
    ],
)
def test_the_refusal_says_what_is_wrong(good: Path, tmp_path: Path, capsys: Said, name: str, said: str) -> None:
    assert main(commands(harmed(good, tmp_path, name))[0]) in (1, 2)
    assert said in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


# ── Shards ────────────────────────────────────────────────────────────────────────────────────────


def test_the_files_of_an_index_are_the_weights(good: Path, tmp_path: Path) -> None:
    with Weights(good) as weights:
        rewrite(weights, tmp_path, fold=None, shard_bytes=600_000)
    files = weight_files(tmp_path)
    shutil.copy(files[0], tmp_path / "consolidated.safetensors")
    assert weight_files(tmp_path) == files and len(files) > 1
    files[-1].unlink()
    with pytest.raises(EngineError, match=f"1 of {len(files)} weight files"):
        weight_files(tmp_path)
    (tmp_path / INDEX).unlink()
    assert tmp_path / "consolidated.safetensors" in weight_files(tmp_path)


def test_a_shard_may_be_a_link_to_elsewhere_as_the_hubs_cache_has_it(good: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").symlink_to(good / "model.safetensors")
    with Weights(tmp_path) as weights:
        assert weights.original


# ── Templates ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0]['role'] * 10**10 }}",
        "{{ 'x' * 10**11 }}",
        "{% generation %}{{ 'x' * 10**11 }}{% endgeneration %}",
        "{% for m in messages %}{% for a in m.content %}{% for b in m.content %}{% for c in m.content %}{% endfor %}"
        "{% endfor %}{% endfor %}{% endfor %}",
    ],
)
def test_a_template_without_an_end_is_not_run(good: Path, tmp_path: Path, template: str) -> None:
    shutil.copytree(good, tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").write_text(template)
    with pytest.raises(EngineError, match="is not run: a short conversation takes it more than"):
        Prompter(tmp_path / "model", card_for(tmp_path / "model"))


@pytest.mark.parametrize(
    "template",
    [
        "{% if %}",
        "{{ raise_exception('no') }}",
        "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
        "{{ strftime_now('%d') }}{{ messages | tojson }}",
        "{{ 1 // 0 }}",
    ],
)
def test_a_template_that_ends_in_any_way_passes_the_trial(template: str) -> None:
    assert problem_of(template) == ""
