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
from repository import ROOT
from run_folders import task_result, write_run

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
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(names), *words],
        cwd=folder,
        env=env,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    return set(json.loads(names.read_text()))


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--help",
        "--version",
        *(
            f"{name} --help"
            for name in (
                "run",
                "train",
                "score",
                "import",
                "export",
                "leaderboard",
                "explain",
                "audit",
                "tasks",
                "models",
                "fetch",
                "comet",
                "setup",
                "languages",
                "engines",
                "new",
                "completion",
                "suites",
                "status",
            )
        ),
    ],
)
def test_help_imports_nothing_heavy_and_nothing_that_draws(tmp_path: Path, words: str) -> None:
    assert not imported(tmp_path, *words.split()) & (HEAVY | DRAWING)


@pytest.mark.parametrize(
    "words",
    [
        "tasks",
        "tasks --format json",
        "tasks show alm",
        "tasks alm",
        "tasks show mini",
        "tasks show multi30k --format json",
        "train --recipe paper --size 9b --dry-run",
        "train --recipe mini --dry-run --format json",
        "models",
        "models --format json",
        "models show towervision-9b",
        "models show tower-mini",
        "models tower-mini",
        "models show openai:m@http://127.0.0.1:9/v1",
        "languages",
        "languages de",
        "languages --format json",
        "engines",
        "engines --format json",
        "engines show vllm",
        "engines vllm",
        "engines show openai --format json",
        "suites",
        "suites eu24",
        "suites paper --format json",
    ],
)
def test_lists_import_nothing_heavy(tmp_path: Path, words: str) -> None:
    assert not imported(tmp_path, *words.split()) & HEAVY


@pytest.mark.parametrize("runs", [0, 2])
@pytest.mark.parametrize(
    "words",
    [
        "",
        "--languages",
        "--format json",
        "--format csv",
        "--format markdown",
        "--tasks mini,multi30k",
        "--by support",
        "--by category-kind --format json",
    ],
)
def test_the_leaderboard_imports_nothing_heavy(tmp_path: Path, words: str, runs: int) -> None:
    results = tmp_path / "results"
    results.mkdir()
    for number in range(runs):
        write_run(
            results,
            f"run-{number}",
            f"model-{number}",
            task_result("multi30k", primary="bleu", value=30.0),
            task_result("mini-alm"),
        )
    printed = [] if runs else ["--published", "all"]
    assert not imported(tmp_path, "leaderboard", "--results", "results", *words.split(), *printed) & HEAVY


@pytest.mark.parametrize("words", ["", "--format json", "run-0", "--languages de"])
def test_status_imports_nothing_heavy(tmp_path: Path, words: str) -> None:
    """The runs here have figures, and are complete."""
    (tmp_path / "results").mkdir()
    write_run(tmp_path / "results", "run-0", "model-0", task_result("mini-alm"))
    assert not imported(tmp_path, "status", "--results", "results", *words.split()) & HEAVY


def test_the_probe_sees_what_a_task_file_imports(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "greedy.py").write_text(
        "import numpy\nfrom tvbench.types import Task\n"
        "TASK = Task('greedy', '1', 'Greedy', print, {'tvbench': 'asks.'}, 'strict', ('strict',))\n"
    )
    assert imported(tmp_path, "tasks") & HEAVY == {"numpy"}


# ── Who may know whom ─────────────────────────────────────────────────────────────────────────────

MAY_KNOW = {
    # The vocabulary. Everybody may know these, so no other row names them.
    "types": "",
    "errors": "",
    "safety": "",
    "safety.fitting": "",
    "safety.misfits": "safety.fitting",
    "safety.schema": "safety.fitting",
    "languages": "",
    # What a number is: no file, no engine, no task, no command.
    "scoring": "",
    "scoring.student": "",
    "scoring.intervals": "scoring.samples scoring.student",
    "scoring.samples": "scoring.beta_binomial scoring.student",
    "scoring.beta_binomial": "",
    # How a name becomes a thing.
    "registry": "languages scoring.task_metrics",
    "registry.catalog": "languages registry.addresses registry.cards registry.declared registry.local_models"
    " registry.own_data registry.places registry.plug_ins registry.task_files",
    "registry.selection": "registry.catalog registry.declared registry.own_data registry.places registry.task_files",
    "registry.environments": "registry.places",
    "registry.prices": "",
    "registry.remembered": "__version__ registry.places",
    # What comes in. Pictures and clips know nobody.
    "data": "languages registry.hub scoring.normalise",
    "data.media": "",
    # Weights on disk, put right.
    "checkpoints": "data.media.anyres registry",
    # The engines know no task, no score, no run, no report, no mini world.
    "engines": "checkpoints data.media registry",
    "engines.protocol": "data.media.clips",
    "engines.batches": "engines.inputs",
    "engines.transformers_model": "checkpoints engines.inputs",
    "engines.openai.messages": "checkpoints.prompt data.media engines.openai.retry engines.protocol",
    "engines.openai.dialect": "engines.openai.messages engines.openai.retry registry.thinking",
    "engines.openai.answers": "engines.openai.dialect engines.openai.retry engines.openai.thinking engines.protocol",
    # A run: a plan, an engine (by its protocol only) and a store. The session and who serves open the real engine.
    "runs": "data.authoring data.media engines.protocol languages registry.addresses registry.declared"
    " registry.influence registry.prices registry.thinking registry.thoughts scoring.intervals scoring.task_metrics",
    "runs.keys": "",
    "runs.lines": "",
    "runs.key_table": "",
    "runs.answer_index": "runs.codec runs.key_table runs.lines",
    "runs.gone_over": "",
    "runs.media_digests": "runs.key_table",
    "runs.planned": "registry.influence registry.thinking runs.gone_over runs.key_table runs.keys runs.listening"
    " runs.signature runs.streamed",
    "runs.questions": "runs.key_table runs.listening runs.planned runs.side_by_side",
    "runs.side_by_side": "runs.planned",
    "runs.sorted_rows": "",
    "runs.streamed": "runs.gone_over runs.key_table",
    "runs.spent": "",
    "runs.signature": "__version__ registry.influence registry.thinking runs.sorted_rows",
    "runs.disk": "",
    "runs.store": "runs.answer_index runs.codec runs.disk runs.lines runs.manifest runs.manifest_json"
    " runs.manifest_shape runs.parts runs.spent",
    "runs.writer": "runs.answer_index runs.codec runs.disk runs.history runs.lines runs.locks runs.manifest"
    " runs.manifest_json runs.parts runs.shards runs.store runs.driver_token",
    "runs.commands": "runs.shards",
    "runs.merge": "registry.places runs.commands runs.heartbeat runs.history runs.lines runs.manifest"
    " runs.manifest_json runs.merge_checks runs.merged_lines runs.merged_manifest runs.merged_waves runs.spent"
    " runs.store runs.waves runs.writer",
    "runs.merge_checks": "runs.manifest runs.merged_manifest runs.store",
    "runs.merged_lines": "runs.answer_index runs.codec runs.key_table runs.lines runs.merge_checks runs.store",
    "runs.merged_waves": "runs.waves",
    "runs.merged_manifest": "runs.history runs.manifest runs.signature",
    "runs.shards": "",
    "runs.locks": "",
    "runs.parts": "runs.locks runs.shards runs.driver_token",
    "runs.driver_token": "runs.locks",
    "runs.history": "registry.addresses runs.manifest runs.spent",
    "runs.run_options": "registry.prices runs.kinds runs.plan runs.replicas.placement runs.shards runs.task_settings",
    "runs.task_settings": "registry.catalog",
    "runs.kept_results": "",
    "runs.run_facts": "runs.kept_results runs.run_index runs.store",
    "runs.run_index": "runs.disk runs.lines runs.store",
    "runs.waves": "runs.disk runs.lines runs.store",
    "runs.kinds": "",
    "runs.asking": "checkpoints.before_runs checkpoints.image_scale data.media.decoders engines.open engines.registry"
    " languages registry runs",
    "runs.listening": "",
    "runs.processes": "",
    "runs.pace": "",
    "runs.gate": "data.authoring runs.gated_item runs.streamed runs.task_ask runs.task_faults",
    "runs.gated_item": "data.authoring languages runs.item_faults runs.keys runs.task_faults",
    "runs.task_ask": "languages registry.declared runs.signature",
    "runs.task_faults": "",
    "runs.machine": "__version__",
    "runs.heartbeat": "runs.listening runs.pace runs.processes",
    "runs.pulses": "runs.heartbeat runs.processes",
    "runs.session_record": "data.media runs.disk runs.history runs.locks runs.machine runs.manifest runs.plan"
    " runs.shards runs.spent runs.store runs.writer",
    "runs.session": "data.media engines.open engines.protocol registry.places registry.prices runs",
    # Replicas of an engine, as one: what opens the real engine in another process, and all that knows Ray.
    "runs.replicas": "__version__ data.media engines.open engines.protocol engines.registry engines.spec"
    " registry.places registry.thoughts runs",
    "runs.serving": "engines.open engines.openai.identity registry.addresses runs.manifest runs.store",
    # Scorers that cost something: a judge is an engine, asked through the runner; COMET's worker runs in an environment
    # of its own, knows nothing of tvbench, and its near side nothing of its work.
    "graders": "languages registry runs scoring",
    "graders.judge.session": "engines.protocol graders.judge registry.influence registry.thinking runs",
    "graders.judge.sent": "engines.protocol graders.judge.spend runs",
    "graders.judge.asking": "engines.open engines.registry graders.judge languages registry runs",
    "graders.comet.process": "",
    "graders.comet.worker": "",
    # Suites: combinations planned and asked through the runs' own doors.
    "suites": "engines.open engines.protocol languages registry runs",
    "suites.declaration": "runs.run_options safety",
    "suites.missing": "__version__ runs.answer_index runs.commands runs.lines runs.manifest runs.pulses runs.run_facts"
    " runs.run_index runs.store runs.waves scoring.sides suites.record suites.states",
    "suites.states": "runs.pulses",
    # What a person asks of runs.
    "analysis": "graders languages runs scoring",
    "analysis.task_scores": "graders registry.catalog runs scoring",
    "analysis.cost": "graders.comet graders.judge registry.prices runs",
    "analysis.row_costs": "analysis.cost analysis.entries registry.addresses registry.prices runs",
    "analysis.diagnosis": "languages scoring",
    "analysis.audit": "analysis.give_aways analysis.mojibake analysis.option_lists scoring",
    "analysis.give_aways": "scoring",
    "analysis.mojibake": "analysis.diagnosis.scripts",
    "analysis.option_lists": "scoring",
    "analysis.run_sheet": "analysis languages registry.places runs scoring",
    "analysis.regression": "__version__ analysis languages registry.places runs scoring",
    "analysis.ranks": "analysis.entries registry.remembered runs scoring",
    "analysis.conformance": "analysis.right_answers data.media registry runs scoring",
    "report": "analysis languages runs scoring",
    "report.cost": "analysis.cost registry.prices report.table",
    "report.cost_table": "analysis.row_costs registry.prices report.cost report.scatter report.table",
    "report.scatter": "",
    "report.estimate": "registry.prices report runs",
    "report.judges": "analysis graders.judge report.planted report.table scoring",
    "report.planted": "graders.judge languages report.table scoring",
    "report.cells": "",
    "report.table": "report.cells report.drawn",
    "report.drawn": "report.cells",
    "report.tidy": "",
    "report.suites": "report.board report.cost report.estimate report.live report.table runs.estimate suites",
    "report.live": "report.cost report.table runs.heartbeat runs.pulses suites.states",
    "report.board_page": "analysis registry.places report",
    "report.board": "analysis registry.catalog registry.prices report scoring",
    "report.board_cost": "analysis registry.catalog registry.prices report.board_screen report.cost_table scoring",
    "interop": "analysis.assess data.interleaved languages runs scoring",
    "interop.batch_export": "engines.openai engines.protocol runs",
    "interop.batch_import": "engines.openai interop.batch_export interop.batch_lines runs",
    "interop.batch_lines": "",
    # The mini world, and what of it is there to be learned from.
    "mini": "data.authoring languages",
    "mini.checkpoint": "checkpoints.files",
    "mini.training": "checkpoints.files mini train.data train.loss train.stages",
    # What is wrong with a checkpoint.
    "doctor": "checkpoints data.media engines mini",
    # Training: the vocabulary and the arithmetic need no torch; the rest is imported when a stage begins.
    "train": "checkpoints data registry",
    "train.stages": "train.data.entries",
    "train.recipe": "train.data.entries train.data.mixture train.ranges train.stages",
    "train.ranges": "train.data.entries train.generated train.stages",
    "train.data.mixture": "",
    "train.schemas": "train.data.entries train.data.mixture train.ranges train.stages",
    "train.plan": "train.data.entries train.estimates train.memory train.operations train.schedule train.shapes"
    " train.stages",
    "train.operations": "train.shapes train.stages",
    "train.memory": "train.estimates train.shapes train.stages",
    "train.estimates": "data.media.anyres train.data train.generated train.stages",
    "train.data.entries": "",
    # On top. The front door knows the rooms; nobody knows the command line but the way in.
    "api": "__version__ analysis checkpoints data doctor.refusals engines graders interop languages registry report"
    " runs scoring suites",
    "cli": "__version__ analysis api checkpoints doctor engines.open engines.registry engines.spec graders"
    " interop languages registry report runs scoring suites train",
    "__main__": "cli.main",
    "__version__": "api errors",
    # Task files, outside of the package.
    "tasks": "data languages mini scoring",
}
"""Module or package of tvbench (the longest name that fits counts): what it may import besides itself."""

MAY_IMPORT = {
    "torch": "checkpoints cli.train doctor.memory doctor.numerics doctor.scale doctor.weights engines mini.checkpoint"
    " mini.training train graders.comet.worker",
    "comet": "graders.comet.worker",
    "transformers": "checkpoints doctor.scale engines mini.training train",
    "safetensors": "checkpoints engines mini.checkpoint mini.training train",
    "tokenizers": "checkpoints.files",
    "matplotlib": "train.record",
    "wandb": "train.record",
    "jinja2": "checkpoints",
    "vllm": "engines.media_process engines.vllm engines.vllm_answers engines.vllm_process engines.vllm_rendering"
    " engines.vllm_settings",
    "httpx": "engines.openai",
    "prometheus_client": "cli.metrics",
    "argcomplete": "cli.completing cli.completion",
    "ray": "runs.replicas.cluster",
    "datasets": "",
    "evaluate": "scoring",
    "huggingface_hub": "registry.hub",
    "pyarrow": "data.sources report.tidy train.data.blocks",
    "sacrebleu": "scoring",
    "av": "data.media mini",
    "PIL": "data.media doctor.numerics doctor.pictures engines mini runs.preparing train",
    "numpy": "analysis.regression checkpoints data.media doctor.numerics engines graders.comet.worker mini"
    " runs.estimate runs.preparing scoring train",
    "rich": "cli report",
    "pandas": "report.tidy",
    "polars": "report.tidy",
    "pycld2": "analysis.diagnosis.language_id",
    "py3langid": "analysis.diagnosis.language_id",
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
    alone = ("types", "errors", "safety", "__version__")
    vocabulary = "" if place in alone else "types errors safety"
    for name in imports(source):
        inside = name.removeprefix("tvbench.")
        if name == "tvbench" or inside != name:
            if not belongs(inside, f"{place} {MAY_KNOW[place]} {vocabulary}"):
                yield f"{module} knows {inside}"
        elif name.partition(".")[0] == "tasks":
            yield f"{module} knows the task file {name}"
        elif (package := name.partition(".")[0]) in MAY_IMPORT and not belongs(module, MAY_IMPORT[package]):
            yield f"{module} imports {package}"


def is_module(name: str) -> bool:
    """Whether `name`, in full, is a module or a package here and not something in one."""
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or path.is_dir()


def imports(source: str) -> Iterator[str]:
    """Every module that `source` imports, at top level, in functions and for types alone; `tvbench.x` in full."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            if (node.module or "").partition(".")[0] == "tvbench":
                # What begins with `_` is of the package's own file.
                own = ("__version__" if alias.name.startswith("_") else alias.name for alias in node.names)
                names = [f"{node.module}.{name}" for name in own]
                yield from (
                    name if node.module == "tvbench" or is_module(name) else node.module or "" for name in names
                )
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


@pytest.mark.parametrize(
    ("module", "source", "said"),
    [
        ("engines.new", "from tvbench.data.options import parse_options", "engines.new knows data.options"),
        ("engines.new", "def late():\n    from tvbench.runs import store", "engines.new knows runs.store"),
        ("engines.new", "from tvbench.mini.checkpoint import build_tiny", "engines.new knows mini.checkpoint"),
        ("engines.protocol", "import tvbench.engines.vllm", "engines.protocol knows engines.vllm"),
        ("data.media.new", "from tvbench.engines.protocol import Feed", "data.media.new knows engines.protocol"),
        ("runs.runner", "from tvbench.engines.open import open_engine", "runs.runner knows engines.open"),
        ("scoring.new", "from tvbench.runs.store import RunFolder", "scoring.new knows runs.store"),
        ("scoring.new", "import tvbench", "scoring.new knows tvbench"),
        (
            "report.new",
            "if TYPE_CHECKING:\n    from tvbench.engines.protocol import Engine",
            "report.new knows engines.protocol",
        ),
        ("types", "from tvbench.errors import UsageError", "types knows errors"),
        ("runs.keys", "from tvbench.cli.output import remark", "runs.keys knows cli.output"),
        ("tasks.new", "from tvbench.runs.store import RunFolder", "tasks.new knows runs.store"),
        ("registry.catalog", "from tasks.alm import TASK", "registry.catalog knows the task file tasks.alm"),
        ("mini.render", "import torch.nn as nn", "mini.render imports torch"),
        ("data.sources", "from datasets import load_dataset", "data.sources imports datasets"),
        ("newcomer", "", "newcomer has no row in MAY_KNOW"),
    ],
)
def test_the_checker_finds_what_is_wrong(module: str, source: str, said: str) -> None:
    assert list(complaints(module, source)) == [said]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("engines.new", "import torch\nfrom tvbench.types import Item\nfrom tvbench.engines.protocol import Engine"),
        ("mini.checkpoint", "def late():\n    import torch"),
        ("tasks.new", "import json\nfrom tvbench.data.options import parse_options"),
        ("cli.new", "from tvbench.registry import catalog\nfrom tvbench.runs import codec"),
        ("analysis.assess", "from tvbench.runs import store\nfrom tvbench.scoring import score_item"),
    ],
)
def test_the_checker_lets_pass_what_is_right(module: str, source: str) -> None:
    assert not list(complaints(module, source))
