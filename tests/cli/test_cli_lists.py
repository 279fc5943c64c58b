"""`tvbench tasks`, `models` and `leaderboard` as they are typed: every format, wrong names, pipes, narrow terminals."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from repository import ROOT
from run_folders import task_result, write_run

from tvbench import __version__
from tvbench.analysis.tidy import FigureRow
from tvbench.cli.main import COMMANDS, GROUPS, build_parser, main
from tvbench.registry.catalog import groups, models, tasks
from tvbench.scoring.intervals import interval

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "TVBENCH_RESULTS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def said(capsys: Said, *words: str, code: int = 0) -> tuple[str, str]:
    """(stdout, stderr) of a command that has to end with `code`, an argparse error counting like any other."""
    try:
        ended = main(words)
    except SystemExit as done:
        ended = int(done.code or 0)
    captured = capsys.readouterr()
    assert ended == code, captured.err
    return captured.out, captured.err


def shown(capsys: Said, *words: str) -> Any:
    """What a command prints with `--format json`, and nothing beside it."""
    out, err = said(capsys, *words, "--format", "json")
    assert not err
    return json.loads(out)


# ── Tasks ─────────────────────────────────────────────────────────────────────────────────────────


def test_every_task_has_one_line_that_names_its_group_protocols_and_metric(capsys: Said) -> None:
    lines = said(capsys, "tasks")[0].splitlines()
    for task in tasks().values():
        (line,) = (line for line in lines if line.split()[:1] == [task.name])
        for text in (task.group, task.title, task.primary, ", ".join(task.protocols)):
            assert text in line


def test_tasks_as_json_say_what_show_says(capsys: Said) -> None:
    records = {record["name"]: record for record in shown(capsys, "tasks")}
    assert list(records) == list(tasks())
    for name, record in records.items():
        assert shown(capsys, "tasks", "show", name) == record
        assert record["languages"] == list(tasks()[name].languages)
        assert record["default_protocol"] in record["protocols"] and record["primary"] in record["metrics"]


def test_show_explains_a_task_to_a_person(capsys: Said) -> None:
    text = " ".join(said(capsys, "tasks", "show", "alm")[0].split())
    task = tasks()["alm"]
    for protocol, sentence in task.protocols.items():
        assert f"protocol {protocol}" in text and sentence in text
    assert f"languages ({len(task.languages)})" in text and "de German" in text
    assert task.data[0].repo in text and task.data[0].licence in text
    assert "tvbench run --model MODEL --tasks alm:" in text


def test_show_takes_a_group(capsys: Said) -> None:
    members = groups()["mini"]
    text = said(capsys, "tasks", "show", "mini")[0]
    assert [line.split()[0] for line in text.splitlines() if line and not line.startswith(" ")] == list(members)
    assert [record["name"] for record in shown(capsys, "tasks", "show", "mini")] == list(members)


def test_format_may_stand_before_show(capsys: Said) -> None:
    before = json.loads(said(capsys, "tasks", "--format", "json", "show", "alm")[0])
    assert before == shown(capsys, "tasks", "show", "alm")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("tasks", "alm"),
        ("tasks", "mini"),
        ("tasks", "./mybench"),
        ("models", "tower-mini"),
        ("models", "org/name"),
        ("models", "openai:m@http://127.0.0.1:9/v1"),
        ("engines", "vllm"),
        ("engines", "./echoing.py"),
    ],
)
@pytest.mark.parametrize("form", ["table", "json"])
def test_show_may_be_left_out(capsys: Said, command: str, name: str, form: str) -> None:
    if name.startswith("./my"):
        said(capsys, "new", "task", name)
    if name == "./echoing.py":
        source = ROOT.joinpath("tests/support/echo_engine.py").read_text(encoding="utf-8")
        Path(name).write_text(source, encoding="utf-8")

    def told(*words: str) -> object:
        """In a process of its own where a file of ours is loaded: an engine would stay in this one."""
        return piped(*words).stdout if name.startswith("./") else said(capsys, *words)

    shown = told(command, "show", name, "--format", form)
    assert shown and told(command, name, "--format", form) == shown
    assert told(command, "--format", form, name) == shown
    assert told(command, "--format", form, "show", name) == shown


def test_an_include_path_may_stand_on_either_side() -> None:
    piped("new", "task", "shelf/mybench", "--python")
    before = piped("tasks", "--include-path", "shelf", "mybench").stdout
    assert before == piped("tasks", "mybench", "--include-path", "shelf").stdout and "mybench" in before


def test_a_label_is_never_glued_to_its_text(capsys: Said) -> None:
    for name in [*tasks(), "mini"]:
        for line in said(capsys, "tasks", "show", name)[0].splitlines():
            label = re.match(r"  \w[^:]*:(.*)", line)
            assert label is None or label[1] == "" or label[1].startswith(" "), line


def test_a_broken_task_file_is_a_warning_and_stdout_stays_json(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "broken.py").write_text("from tvbench.types import Task\nTASK = Task(1 / 0)\n")
    done = piped("tasks", "--format", "json")
    assert "alm" in {record["name"] for record in json.loads(done.stdout)}
    assert "broken.py" in done.stderr and "ZeroDivisionError" in done.stderr and "Traceback" not in done.stderr


# ── Models ────────────────────────────────────────────────────────────────────────────────────────


def test_every_model_has_one_line(capsys: Said) -> None:
    lines = said(capsys, "models")[0].splitlines()
    for card in models().values():
        (line,) = (line for line in lines if line.split()[:1] == [card.name])
        assert card.location in line and card.licence in line


def test_models_as_json_are_whole_cards(capsys: Said) -> None:
    records = {record["name"]: record for record in shown(capsys, "models")}
    assert list(records) == list(models())
    for name, card in models().items():
        assert records[name]["languages"] == list(card.languages) and records[name]["engine"] == dict(card.engine)
        if card.kind == "hub":
            assert shown(capsys, "models", "show", name) == records[name]


def test_show_explains_a_model_to_a_person(capsys: Said) -> None:
    card = models()["towervision-9b"]
    out, _ = said(capsys, "models", "show", card.name)
    text = " ".join(out.split())
    for piece in (card.location, card.licence, card.paper, f"{card.parameters:,}", ", ".join(card.languages)):
        assert piece in text
    assert out.splitlines()[-1].split(maxsplit=2)[2] == "tvbench run --model towervision-9b --tasks mini"


@pytest.mark.parametrize(
    "name",
    [
        "towervision-2b",
        "TowerVision-2B@v1.0",
        "utter-project/TowerVision-2B",
        "somebody/some-model@0123abc",
        "openai:m@http://127.0.0.1:9/v1",
        "openai:a b@http://127.0.0.1:9/v1",
    ],
)
def test_the_proposed_command_leads_to_the_same_model(capsys: Said, name: str) -> None:
    import shlex

    card = shown(capsys, "models", "show", name)
    line = " ".join(said(capsys, "models", "show", name)[0].split("run it:")[1].split())
    words = shlex.split(line)
    assert words[:3] == ["tvbench", "run", "--model"]
    assert shown(capsys, "models", "show", words[3]) == card


def test_a_model_that_has_to_be_served_is_not_said_to_run_here(capsys: Said) -> None:
    served = next(card for card in models().values() if card.engine and not {"vllm", "transformers"} & set(card.engine))
    assert "--model openai:NAME@URL" in said(capsys, "models", "show", served.name)[0]


# ── Wrong words ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("task", "unknown command 'task'. Did you mean tasks"),
        ("leaderbord", "Did you mean leaderboard"),
        ("tasks show ocrbnch", "unknown task 'ocrbnch'. Did you mean ocrbench"),
        ("tasks show mni", "Did you mean mini"),
        ("models show towervison-9b", "unknown model 'towervison-9b'. Did you mean towervision-9b"),
        ("models show tower+it-9", "Did you mean Tower+it-9B"),
        ("models show ./no/such/folder", "no model folder ./no/such/folder"),
        ("models show openai:m", "openai:NAME@URL"),
        ("tasks shwo alm", "invalid choice: 'shwo'"),
        ("tasks --format csv", "choose from 'table', 'json'"),
        ("models --format yaml", "choose from 'table', 'json'"),
        ("leaderboard --format yaml", "choose from 'table', 'markdown', 'csv', 'json'"),
        ("tasks ocrbnch", "unknown task 'ocrbnch'. Did you mean ocrbench"),
        ("tasks --format json mni", "Did you mean mini"),
        ("tasks ./nowhere", "no file or folder"),
        ("models towervison-9b", "unknown model 'towervison-9b'. Did you mean towervision-9b"),
        ("models ./no/such/folder", "no model folder ./no/such/folder"),
        ("engines vlm", "unknown engine 'vlm'. Did you mean vllm"),
        ("languages Germna", "unknown language 'Germna'. Did you mean German"),
        ("models tower-mini towervision-9b", "give one name"),
        ("tasks show", "required: task"),
        ("models show", "required: model"),
    ],
)
def test_wrong_words_exit_2_and_print_nothing_to_stdout(capsys: Said, words: str, message: str) -> None:
    out, err = said(capsys, *words.split(), code=2)
    assert not out
    assert message in err and "Traceback" not in err


@pytest.mark.parametrize("words", ["--help", *(f"{name} --help" for name in COMMANDS)])
def test_every_command_has_help(capsys: Said, words: str) -> None:
    out, err = said(capsys, *words.split())
    assert out.startswith(f"usage: tvbench {words.split()[0] if words != '--help' else ''}".rstrip()) and not err


def test_help_lists_every_command_and_the_version_is_said(capsys: Said) -> None:
    text = said(capsys, "--help")[0]
    assert all(name in text and summary in " ".join(text.split()) for name, (_, _, summary) in COMMANDS.items())
    assert said(capsys, "--version")[0].strip() == f"tvbench {__version__}"


def test_help_lists_the_commands_in_four_groups(capsys: Said) -> None:
    blocks = said(capsys, "--help")[0].split("\n\n")
    for group, heading in GROUPS.items():
        lines = next(block for block in blocks if block.startswith(heading)).splitlines()
        listed = [line.split()[0] for line in lines[1:] if line.startswith("  ") and line[2] != " "]
        assert listed == [name for name, (of, _, _) in COMMANDS.items() if of == group] and listed


def test_every_command_belongs_to_a_group() -> None:
    assert {group for group, _, _ in COMMANDS.values()} == set(GROUPS)


def test_tvbench_alone_shows_first_steps_that_can_be_typed(capsys: Said, tmp_path: Path) -> None:
    out, err = said(capsys)
    steps = [line.split()[1:] for line in out.splitlines() if line.startswith("  tvbench")]
    assert [words[0] for words in steps] == ["run", "leaderboard", "explain"] and not err
    assert "tvbench --help" in out and len(out.splitlines()) <= 12 and max(map(len, out.splitlines())) <= 80
    for words in steps:
        build_parser(words[0]).parse_args(words)


# ── The leaderboard ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three models: alpha and beta by protocol tvbench on two tasks, gamma by protocol paper on one."""
    results = tmp_path / "results"
    for model, alm, bleu in (
        ("alpha", {"de": 0.4, "en": 0.6}, {"de": 31.0, "fr": 29.0}),
        ("beta", {"de": 0.7, "en": 0.5}, {"de": 24.0, "fr": 34.0}),
    ):
        write_run(
            results,
            f"run-{model}",
            model,
            task_result(model=model, value=sum(alm.values()) / 2, languages=alm),
            task_result("multi30k", model=model, primary="bleu", value=sum(bleu.values()) / 2, languages=bleu),
        )
    paper = task_result(model="gamma", protocol="paper", primary="strict", value=0.3, languages={"de": 0.2, "en": 0.4})
    write_run(results, "run-gamma", "gamma", paper)
    return results


def board(capsys: Said, *words: str) -> str:
    return said(capsys, "leaderboard", "--no-published", *words)[0]


def tidy(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def figures(text: str, metric: str = "aligned", task: str = "alm") -> dict[tuple[str, str], float]:
    """The figures of CSV by model and language."""
    return {
        (row["model"], row["language"]): float(row["value"])
        for row in tidy(text)
        if (row["metric"], row["task"]) == (metric, task)
    }


def test_by_language_every_figure_stands_at_its_place(capsys: Said, runs: Path) -> None:
    out = board(capsys, "--tasks", "alm", "--format", "csv")
    found = figures(out)
    assert [found[model, "de"] for model in ("alpha", "beta")] == [0.4, 0.7]
    assert [found[model, "multi"] for model in ("alpha", "beta")] == [0.4, 0.7]
    assert figures(out, "strict")["gamma", "en"] == 0.2
    assert board(capsys, "--tasks", "alm", "--languages", "--format", "csv").count("\n") == out.count("\n")


def test_csv_has_one_figure_a_row_with_its_interval(capsys: Said, runs: Path) -> None:
    rows = tidy(board(capsys, "--format", "csv"))
    assert list(rows[0]) == [one.name for one in fields(FigureRow)]
    (row,) = (one for one in rows if (one["model"], one["language"], one["metric"]) == ("beta", "all", "aligned"))
    low, high = interval(0.6, 0.0123, 8) or (0.0, 0.0)
    assert (row["run"], row["protocol"], row["n"], row["unit"], row["better"]) == (
        "run-beta",
        "tvbench",
        "10",
        "fraction",
        "higher",
    )
    assert [float(row[name]) for name in ("value", "low", "high")] == [0.6, low, high]
    assert row["signature"].startswith("task:alm@1|") and not any(None in one.values() for one in rows)
    printed = tidy(said(capsys, "leaderboard", "--tasks", "alm", "--format", "csv")[0])
    assert {row["unit"] for row in printed if not row["run"]} == {"percent"}
    assert all(row["signature"].startswith("published: TowerVision") for row in printed if not row["run"])


@pytest.mark.parametrize(
    ("form", "german"),
    [
        ("table", r"^de German +70\.0 ±6\.4★ +40\.0 ±6\.4"),
        ("markdown", r"^\| de German \| \*\*70\.0 ±6\.4★\*\* \| 40\.0 ±6\.4 \|"),
    ],
)
def test_by_language_in_every_format(capsys: Said, runs: Path, form: str, german: str) -> None:
    out = board(capsys, "--languages", "--protocol", "tvbench", "--format", form)
    assert re.search(german, out, re.MULTILINE), out
    assert "multi30k by language: BLEU" in out and "gamma" not in out


def test_json_does_not_depend_on_the_view(capsys: Said, runs: Path) -> None:
    whole = json.loads(board(capsys, "--format", "json"))
    assert len(whole) == 5
    for words in (["--languages"], ["--metric", "strict"], ["--sort", "model"]):
        assert json.loads(board(capsys, *words, "--format", "json")) == whole
    paper = json.loads(board(capsys, "--protocol", "paper", "--format", "json"))
    assert paper == [record for record in whole if record["protocol"] == "paper"] != []


def test_a_protocol_selects_runs_and_leaves_the_published_rows(capsys: Said, runs: Path) -> None:
    out, _ = said(capsys, "leaderboard", "--protocol", "paper", "--tasks", "alm")
    assert "gamma" in out and "TowerVision-9B" in out
    assert "alpha" not in out and "beta" not in out


def test_a_known_protocol_without_runs_says_so(capsys: Said, runs: Path) -> None:
    out, err = said(capsys, "leaderboard", "--no-published", "--protocol", "official")
    assert not out and "nothing to show" in err
    assert json.loads(board(capsys, "--protocol", "official", "--format", "json")) == []


@pytest.mark.parametrize("spelling", ["strict", "exact_match", "Exact", "STRICT"])
def test_a_metric_may_be_called_by_its_other_names(capsys: Said, runs: Path, spelling: str) -> None:
    found = figures(board(capsys, "--metric", spelling, "--tasks", "alm", "--format", "csv"), "strict")
    assert {name: found[name, "all"] for name, _ in found} == {"alpha": 0.25, "beta": 0.3, "gamma": 0.15}


def test_a_metric_by_language(capsys: Said, runs: Path) -> None:
    out = board(capsys, "--metric", "strict", "--tasks", "alm", "--format", "csv")
    assert figures(out, "strict")["beta", "de"] == 0.35 and not figures(out)
    assert ("beta", "multi") not in figures(out, "strict"), "the mean without English was not computed for this metric"


def test_a_metric_that_no_result_has(capsys: Said, runs: Path) -> None:
    out, err = said(capsys, "leaderboard", "--no-published", "--metric", "chrF++")
    assert not out and "nothing to show" in err


@pytest.mark.parametrize(
    ("words", "order"),
    [
        ([], ["beta", "alpha", "gamma"]),
        (["--sort", "model"], ["alpha", "beta", "gamma"]),
        (["--sort", "alm"], ["beta", "alpha", "gamma"]),
        (["--sort", "multi30k.bleu"], ["alpha", "beta", "gamma"]),
        (["--sort", "alm:multi", "--published"], ["beta", "alpha", "gamma"]),
        (["--sort", "alm:en", "--published"], ["alpha", "beta", "gamma"]),
    ],
)
def test_sort(capsys: Said, runs: Path, words: list[str], order: list[str]) -> None:
    apart = [] if "--published" in words else ["--no-published"]
    words = [word for word in words if word != "--published"]
    out, _ = said(capsys, "leaderboard", *apart, *words, "--format", "csv")
    assert list(dict.fromkeys(row["model"] for row in tidy(out) if row["run"])) == order


@pytest.mark.parametrize(
    ("column", "first"), [("de", "beta"), ("alm:en", "alpha"), ("model", "alpha"), ("all", "beta")]
)
def test_sort_by_language(capsys: Said, runs: Path, column: str, first: str) -> None:
    out = board(capsys, "--languages", "--tasks", "alm", "--protocol", "tvbench", "--sort", column, "--format", "csv")
    assert tidy(out)[0]["model"] == first


def test_a_language_column_is_only_there_by_language(capsys: Said, runs: Path) -> None:
    _, err = said(capsys, "leaderboard", "--all", "--no-published", "--sort", "alm:de", code=2)
    assert "unknown column 'alm:de'" in err and "--languages" in err


def test_a_group_of_tasks(capsys: Said, runs: Path) -> None:
    write_run(runs, "run-mini", "delta", task_result("mini-alm"), task_result("mini-vimul"))
    rows = tidy(board(capsys, "--tasks", "mini", "--format", "csv"))
    assert {row["model"] for row in rows} == {"delta"} and {row["task"] for row in rows} == {"mini-alm", "mini-vimul"}


def test_the_results_folder_may_come_from_the_environment(
    capsys: Said, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.rename(tmp_path / "elsewhere")
    assert "no scored runs" in said(capsys, "leaderboard", "--no-published")[1]
    monkeypatch.setenv("TVBENCH_RESULTS", str(tmp_path / "elsewhere"))
    assert "alpha" in board(capsys)


# ── Pipes and terminals ───────────────────────────────────────────────────────────────────────────


def piped(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`tvbench words` with its output in a pipe, in a process of its own that thinks well of colours."""
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **environment}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    env.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "tvbench", *words]
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "tasks",
        "tasks show mini",
        "models",
        "models show tower-mini",
        "leaderboard",
        "leaderboard --languages",
        "leaderboard --format markdown",
        "leaderboard --format csv",
    ],
)
def test_piped_output_is_plain_and_uncut(runs: Path, words: str) -> None:
    out = piped(*words.split()).stdout
    assert out.strip() and "\x1b" not in out and "…" not in out and "\r" not in out


@pytest.mark.parametrize("width", [72, 80, 120])
@pytest.mark.parametrize("command", ["tasks", "models"])
def test_narrow_terminals_lose_nothing(capsys: Said, monkeypatch: pytest.MonkeyPatch, command: str, width: int) -> None:
    wide = said(capsys, command)[0]
    monkeypatch.setenv("COLUMNS", str(width))
    narrow = said(capsys, command)[0]
    assert max(len(line.rstrip()) for line in narrow.splitlines()) <= width
    lost = [word for word in set(wide.split()) - set(narrow.split()) if "─" not in word]
    assert not lost


def test_a_reader_that_goes_away_is_no_error_message() -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tvbench", "models", "--format", "json"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert said == ""


def test_ctrl_c_in_code_that_is_executed_from_a_text_has_the_exit_code_of_any_other(tmp_path: Path) -> None:
    """As dataclasses are made; `python -m` then ends by the signal, unless it is told otherwise."""
    (tmp_path / "pressed.py").write_text(
        "import sys\nfrom tvbench.cli import main as front\n"
        "def pressed(*_, **__):\n    exec('raise KeyboardInterrupt')\n"
        "front.build_parser = pressed\nsys.exit(front.main(['tasks']))\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path)))}
    done = subprocess.run([sys.executable, "-m", "pressed"], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, "stopped by Ctrl-C" in done.stderr) == (1, True), done.stderr


def test_ctrl_c_ends_the_process_though_a_thread_is_left_that_nobody_ends(tmp_path: Path) -> None:
    (tmp_path / "left.py").write_text(
        "import sys, threading\nfrom tvbench.cli import main as front\n"
        "def pressed(*_, **__):\n"
        "    threading.Thread(target=threading.Event().wait).start()\n    raise KeyboardInterrupt\n"
        "front.build_parser, front.LAST_S = pressed, 0.1\nsys.exit(front.main(['tasks']))\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path)))}
    words = [sys.executable, "-m", "left"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, "stopped by Ctrl-C" in done.stderr) == (1, True), done.stderr
