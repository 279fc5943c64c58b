"""What a command imports, and who may know whom (docs/design.md): checked on real processes and on the source text."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_folders import task_result, write_run

ROOT = Path(__file__).resolve().parents[1]

# ── What the quick commands import ────────────────────────────────────────────────────────────────

HEAVY = frozenset(
    "torch transformers datasets vllm numpy PIL av pyarrow sacrebleu scipy pandas httpx huggingface_hub safetensors "
    "tokenizers jinja2".split()
)
DRAWING = frozenset({"rich", "yaml"})
"""Not needed to print a help text."""

PROBE = """
import json, sys
from tvbench.cli.main import main
try:
    code = main(sys.argv[2:])
except SystemExit as done:
    code = done.code
with open(sys.argv[1], "w") as file:
    json.dump(sorted({name.partition(".")[0] for name in sys.modules}), file)
sys.exit(code)
"""


def imported(folder: Path, *words: str) -> set[str]:
    """The top-level modules that `tvbench words` has imported when it ends well; it is run in `folder`."""
    names = folder / "imported.json"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
    done = subprocess.run([sys.executable, "-c", PROBE, str(names), *words], cwd=folder, env=env, check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    return set(json.loads(names.read_text()))


@pytest.mark.parametrize("words", ["--help", "--version", *(f"{name} --help" for name in (
    "run", "train", "score", "import", "leaderboard", "explain", "audit", "tasks", "models", "fetch", "comet", "setup",
    "languages"))])
def test_help_imports_nothing_heavy_and_nothing_that_draws(tmp_path: Path, words: str) -> None:
    assert not imported(tmp_path, *words.split()) & (HEAVY | DRAWING)


@pytest.mark.parametrize("words", [
    "tasks", "tasks --format json", "tasks show alm", "tasks show mini", "tasks show multi30k --format json",
    "train --recipe paper --size 9b --dry-run", "train --recipe mini --dry-run --format json",
    "models", "models --format json", "models show towervision-9b", "models show tower-mini",
    "models show openai:m@http://127.0.0.1:9/v1", "languages", "languages de", "languages --format json",
])
def test_lists_import_nothing_heavy(tmp_path: Path, words: str) -> None:
    assert not imported(tmp_path, *words.split()) & HEAVY


@pytest.mark.parametrize("runs", [0, 2])
@pytest.mark.parametrize("words", [
    "", "--languages", "--format json", "--format csv", "--format markdown", "--tasks mini,multi30k",
    "--by support", "--by category-kind --format json",
])
def test_the_leaderboard_imports_nothing_heavy(tmp_path: Path, words: str, runs: int) -> None:
    results = tmp_path / "results"
    results.mkdir()
    for number in range(runs):
        write_run(results, f"run-{number}", f"model-{number}", task_result("multi30k", primary="bleu", value=30.0),
                  task_result("mini-alm"))
    assert not imported(tmp_path, "leaderboard", "--results", "results", *words.split()) & HEAVY


def test_the_probe_sees_what_a_task_file_imports(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "greedy.py").write_text(
        "import numpy\nfrom tvbench.types import Task\n"
        "TASK = Task('greedy', '1', 'Greedy', print, {'tvbench': 'asks.'}, 'strict', ('strict',))\n"
    )
    assert imported(tmp_path, "tasks") & HEAVY == {"numpy"}


# ── Who may know whom ─────────────────────────────────────────────────────────────────────────────

MAY_KNOW = {
    # The vocabulary. Everybody may know these four, so no other row names them.
    "types": "",
    "errors": "",
    "visible": "",
    "bounded": "",
    # What a number is: no file, no engine, no task, no command.
    "scoring": "statistics",
    "statistics": "",
    "paired": "statistics",
    "keys": "",
    "influence": "",
    "signature": "__version__ influence",
    "codec": "statistics",
    "languages": "",
    "true_false": "",
    # Files.
    "addresses": "",
    "places": "",
    "plug_ins": "",
    "lines": "",
    "manifests": "",
    "manifest": "",
    "manifest_json": "manifest manifests",
    "store": "codec lines manifest manifest_json manifests",
    "answered": "manifest signature store",
    "hub": "",
    "sources": "hub",
    # Pictures and clips, into the form that the engines' protocol gives them.
    "media": "",
    "media.preparing": "engines.protocol keys media",
    # The engines know no task, no score, no store, no report.
    "engines": "checkpoint_files influence media hub local_models places",
    "media.anyres": "",
    "media.clips": "",
    "engines.protocol": "media.clips",
    # Tasks and models, and how they are found.
    "building": "languages sources",
    "declared": "languages",
    "alm_rows": "building languages scoring.options true_false",
    "option_columns": "building",
    "multi30k_raw": "building languages sources",
    "gate": "building declared languages",
    "cards": "",
    "local_models": "places",
    "task_files": "declared",
    "catalog": "addresses cards declared local_models places plug_ins task_files",
    "mini": "languages",
    "mini.exchanges": "building languages mini",
    "mini.prompts": "building languages mini",
    "mini.checkpoint": "checkpoint_files",
    # A run: a plan, an engine (by its protocol only) and a store. The session opens the real engine.
    "plan": "declared gate influence keys manifest signature",
    "feed": "engines.protocol keys plan",
    "runner": "engines.protocol feed keys plan store",
    "serving": "addresses engines.open engines.openai_identity manifest store",
    "aside": "store",
    "history": "addresses manifest",
    "probing": "addresses engines.protocol feed plan",
    "reuse": "manifest store",
    "session": "__version__ engines.open engines.protocol history lines manifest media plan probing reuse runner store",
    "assess": "answered checking comet.record judging.record scoring store",
    "checking": "answered lines manifest signature store",
    # A judge is an engine, asked through the runner; only its session knows of one.
    "judging": "influence keys languages plan scoring signature statistics store",
    "judging.session": "engines.protocol influence judging manifest plan runner session store",
    "judging.calibration": "judging.record statistics",
    # Workers run in environments of their own: one side knows nothing of tvbench, the other nothing of its work.
    "workers": "places",
    "workers.comet_worker": "",
    "comet": "answered hub lines local_models signature store workers",
    "comparing": "assess paired scoring signature store",
    "grounding": "assess comparing manifest paired scoring store",
    # Why a score is what it is, and what a benchmark is like.
    "diagnosis": "languages scoring",
    "explaining": "assess diagnosis store",
    "auditing": "scoring",
    # What is wrong with a checkpoint.
    "doctor": "engines media.anyres media.clips mini",
    # Training: the vocabulary and the arithmetic need no torch; the rest is imported when a stage begins.
    "checkpoint_files": "media.anyres",
    "train": "checkpoint_files engines.checkpoint engines.importing engines.small_files engines.tensors hub media mini"
    " places sources",
    "train.stages": "train.data.entries",
    "train.recipe": "train.data.entries train.data.mixture train.fitting train.ranges train.stages",
    "train.fitting": "train.data.entries train.ranges train.stages",
    "train.ranges": "train.data.entries train.small_sizes train.stages",
    "train.data.mixture": "",
    "train.plan": "train.data.entries train.estimates train.memory train.operations train.schedule train.shapes"
    " train.stages",
    "train.operations": "train.shapes train.stages",
    "train.memory": "train.estimates train.shapes train.stages",
    "train.estimates": "media.anyres mini.world train.data train.stages",
    "train.data.entries": "",
    # What is read from runs.
    "report.judges": "judging.calibration judging.record report.table",
    "report": "visible auditing codec comparing diagnosis explaining grounding keys languages manifest paired plan"
    " reuse scoring.names signature statistics store",
    "interop": "assess codec gate keys languages lines manifest scoring.normalise signature store",
    # On top. Nobody knows the command line but the way in.
    "cli": "visible __version__ answered aside assess auditing catalog codec comet comparing declared diagnosis doctor"
    " engines.importing engines.checkpoint engines.hostile engines.image_scale engines.open engines.small_files"
    " engines.tensors explaining grounding hub interop languages manifest plan report scoring"
    " serving session store judging train workers",
    "__main__": "cli.main",
    "__version__": "",
    # Task files, outside of the package.
    "tasks": "alm_rows building languages mini multi30k_raw option_columns scoring sources true_false",
}
"""Module or package of tvbench (the longest name that fits counts): what it may import besides itself."""

MAY_IMPORT = {
    "torch": "cli.train doctor.memory doctor.numerics doctor.scale doctor.weights engines mini.checkpoint"
    " train workers.comet_worker",
    "comet": "workers.comet_worker",
    "transformers": "doctor.scale engines train",
    "safetensors": "engines mini.checkpoint train",
    "tokenizers": "checkpoint_files",
    "matplotlib": "train.record",
    "wandb": "train.record",
    "jinja2": "engines",
    "vllm": "engines.vllm engines.vllm_process",
    "httpx": "engines",
    "datasets": "",
    "evaluate": "scoring.hf_metrics",
    "huggingface_hub": "hub",
    "pyarrow": "sources train.data.blocks",
    "sacrebleu": "scoring",
    "av": "media mini",
    "PIL": "doctor.numerics doctor.pictures engines media mini train",
    "numpy": "doctor.numerics engines media mini report.estimate paired scoring.sums train workers.comet_worker",
    "rich": "cli report",
    "pycld2": "diagnosis.language_id",
    "py3langid": "diagnosis.language_id",
}
"""Package from elsewhere: who may import it, wherever in the file."""


def belongs(module: str, names: str) -> bool:
    """Whether `module` is one of `names`, or lies below one."""
    return any(module == name or module.startswith(name + ".") for name in names.split())


def complaints(module: str, source: str) -> Iterator[str]:
    """What `source`, the text of `module` (named without `tvbench.`), imports against the rules."""
    place = max((name for name in MAY_KNOW if belongs(module, name)), key=len, default=None)
    if place is None:
        yield f"{module} has no row in MAY_KNOW"
        return
    alone = ("types", "errors", "bounded", "visible", "__version__")
    vocabulary = "" if place in alone else "types errors bounded visible"
    for name in imports(source):
        inside = name.removeprefix("tvbench.")
        if name == "tvbench" or inside != name:
            if not belongs(inside, f"{place} {MAY_KNOW[place]} {vocabulary}"):
                yield f"{module} knows {inside}"
        elif name.partition(".")[0] == "tasks":
            yield f"{module} knows the task file {name}"
        elif (package := name.partition(".")[0]) in MAY_IMPORT and not belongs(module, MAY_IMPORT[package]):
            yield f"{module} imports {package}"


def imports(source: str) -> Iterator[str]:
    """Every module that `source` imports, at top level, in functions and for types alone; `tvbench.x` in full."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            if node.module == "tvbench":
                yield from (f"tvbench.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def modules() -> Iterator[tuple[str, Path]]:
    """(name without `tvbench.`, file) of the package's modules and of the task files."""
    for path in sorted((ROOT / "tvbench").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT / "tvbench").with_suffix("").parts).removesuffix("__init__").rstrip(".")
        yield name or "__version__", path
    for path in sorted((ROOT / "tasks").glob("*.py")):
        yield f"tasks.{path.stem}", path


def test_nobody_knows_whom_they_may_not() -> None:
    found = [line for name, path in modules() for line in complaints(name, path.read_text(encoding="utf-8"))]
    assert not found, "\n".join(found)


def test_every_row_of_the_rules_is_about_something_that_exists() -> None:
    names = [name for name, _ in modules()]
    for row in [*MAY_KNOW, *" ".join(MAY_KNOW.values()).split(), *" ".join(MAY_IMPORT.values()).split()]:
        assert any(belongs(name, row) for name in names), row


@pytest.mark.parametrize(("module", "source", "said"), [
    ("engines.new", "from tvbench.scoring.options import parse_options", "engines.new knows scoring.options"),
    ("engines.new", "def late():\n    from tvbench import store", "engines.new knows store"),
    ("engines.protocol", "import tvbench.engines.vllm", "engines.protocol knows engines.vllm"),
    ("runner", "from tvbench.engines.open import open_engine", "runner knows engines.open"),
    ("scoring.new", "from tvbench.store import RunFolder", "scoring.new knows store"),
    ("scoring.new", "import tvbench", "scoring.new knows tvbench"),
    ("report.new", "if TYPE_CHECKING:\n    from tvbench.engines.protocol import Engine",
     "report.new knows engines.protocol"),
    ("types", "from tvbench.errors import UsageError", "types knows errors"),
    ("keys", "from tvbench.cli.output import remark", "keys knows cli.output"),
    ("tasks.new", "from tvbench.store import RunFolder", "tasks.new knows store"),
    ("catalog", "from tasks.alm import TASK", "catalog knows the task file tasks.alm"),
    ("mini.render", "import torch.nn as nn", "mini.render imports torch"),
    ("sources", "from datasets import load_dataset", "sources imports datasets"),
    ("newcomer", "", "newcomer has no row in MAY_KNOW"),
])
def test_the_checker_finds_what_is_wrong(module: str, source: str, said: str) -> None:
    assert list(complaints(module, source)) == [said]


@pytest.mark.parametrize(("module", "source"), [
    ("engines.new", "import torch\nfrom tvbench.types import Item\nfrom tvbench.engines.protocol import Engine"),
    ("mini.checkpoint", "def late():\n    import torch"),
    ("tasks.new", "import json\nfrom tvbench.scoring.options import parse_options"),
    ("cli.new", "from tvbench import catalog, codec"),
    ("assess", "from tvbench import store\nfrom tvbench.scoring import score_item"),
])
def test_the_checker_lets_pass_what_is_right(module: str, source: str) -> None:
    assert not list(complaints(module, source))
