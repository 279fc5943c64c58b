"""tvbench from Python: what it returns, what it raises, what it leaves alone, and what a strict type checker says."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import signal
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from chat_server import ChatServer, chat_server
from judge_server import judge_server
from judged import open_run
from run_folders import task_result, write_run
from sentences_task import sentences

import tvbench
from tvbench.cli.main import main
from tvbench.errors import TvbenchError, UsageError
from tvbench.registry import catalog
from tvbench.report.tidy import TidyTable
from tvbench.runs.run_options import Keywords, Options
from tvbench.scoring.intervals import interval
from tvbench.types import Counts, Response

ROOT = Path(__file__).resolve().parents[1]
Said = pytest.CaptureFixture[str]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sentences(tmp_path_factory.mktemp("data") / "rows", 4)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as running:
        yield running


def ask(server: ChatServer, data: Path, results: Path, **options: Any) -> tvbench.Run:
    return tvbench.run(server.model, "multi30k:de", **{"no_image": True, "data": data, "results": results, **options})


def python(code: str, folder: Path) -> str:
    """What the code prints, run in the folder."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# ── The front door ────────────────────────────────────────────────────────────────────────────────


def test_tvbench_itself_imports_nothing_of_its_own(tmp_path: Path) -> None:
    code = "import sys, time, __future__; before = set(sys.modules); import tvbench; print({*sys.modules} - before)"
    assert python(code, tmp_path).strip() == "{'tvbench'}"


def test_every_public_name_is_there_and_says_what_it_does() -> None:
    assert set(tvbench.__all__) <= set(dir(tvbench))
    api = sys.modules["tvbench.api"]
    for name in set(tvbench.__all__) - {"errors"}:
        assert getattr(tvbench, name) is getattr(api, name) and inspect.getdoc(getattr(tvbench, name)), name
    assert set(tvbench.__all__) - {"errors"} == set(api.__all__) and tvbench.errors.UsageError is UsageError
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tvbench.nothing  # type: ignore[attr-defined]


def test_run_has_every_option_that_the_command_has(tmp_path: Path) -> None:
    shown = inspect.signature(tvbench.run).parameters
    assert {one.name for one in fields(Options)} == set(Keywords.__annotations__) < set(shown)
    assert get_type_hints(Keywords) == get_type_hints(Options)
    assert all(shown[one.name].default == one.default for one in fields(Options))
    text = python("from tvbench.cli.main import main; main(['run', '--help'])", tmp_path)
    flags = {flag.replace("-", "_") for flag in re.findall(r"^ +(?:-\w, )?--([a-z-]+)", text, re.MULTILINE)}
    renamed = {"set": "settings", "no_reuse": "reuse", "engine_arg": "engine_args"}
    asked = {renamed.get(flag, flag) for flag in flags}
    elsewhere = {
        "suite",
        "model",
        "tasks",
        "results",
        "include_path",
        "dry_run",
        "quiet",
        "format",
        "help",
        "all",
        "metrics_port",
    }
    assert asked - elsewhere == set(Keywords.__annotations__)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"limit": 0}, "--limit 0: must be 1 or more"),
        ({"limit": 2.5}, "--limit: 2.5 is not a whole number"),
        ({"limit": True}, "--limit: True is not a whole number"),
        ({"temperature": -1}, "--temperature -1: must be 0 or more"),
        ({"temperature": float("nan")}, "--temperature: nan is not a finite number"),
        ({"top_p": 0}, "--top-p 0: must be above 0 and at most 1"),
        ({"timeout": 0}, "--timeout 0: must be above 0"),
        ({"bos": "three"}, "unknown --bos 'three'"),
        ({"dtype": "float64"}, "unknown --dtype 'float64'. Did you mean"),
        ({"languages": ["xx-nothing"]}, "xx-nothing"),
        ({"protocol": "papr"}, "unknown protocol 'papr'"),
        ({"settings": {"alm": {"variant": "x"}}}, "--set alm.variant=x: task alm is not in this run"),
        ({"settings": ["nonsense"]}, "--set nonsense is not of the form"),
        ({"label": " "}, "--label needs a name"),
        ({"judge": "no-such-judge"}, "unknown model 'no-such-judge'"),
        ({"budget": 1.0, "judge": "tower-mini"}, "--budget needs to know what tokens cost"),
        ({"engine": "vlm"}, "unknown engine 'vlm'"),
        ({"timeout": 3.0, "engine_args": {"timeout": 4}}, "timeout is given by its own flag and by --engine-arg"),
        ({"batch_size": 3}, "the openai engine has no --batch-size"),
    ],
)
def test_wrong_options_are_refused_in_the_command_lines_words(
    server: ChatServer, data: Path, tmp_path: Path, options: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        ask(server, data, tmp_path / "out", **options)
    assert not server.asked and not (tmp_path / "out").exists()


def test_wrong_tasks_and_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown task 'mino'. Did you mean mini"):
        tvbench.run("tower-mini", "mino", results=tmp_path)
    with pytest.raises(UsageError, match="no task is selected"):
        tvbench.run("tower-mini", [], results=tmp_path)
    with pytest.raises(UsageError, match="unknown model 'tower-mino'"):
        tvbench.run("tower-mino", "mini", results=tmp_path)
    with pytest.raises(TypeError, match="langauges"):
        tvbench.run("tower-mini", "mini", langauges=["de"])  # type: ignore[call-arg]


@pytest.mark.parametrize("name", sorted(["model", "tasks", "results", "progress", *Keywords.__annotations__]))
def test_a_value_of_another_kind_is_an_error_of_tvbenchs(tmp_path: Path, name: str) -> None:
    """Never an AttributeError from somewhere deep, and never a guess: `no_image="no"` would be yes."""
    wrong: Any
    for wrong in (b"x", object(), ["a", object()], {3: 4}, float("nan"), "a\0b"):
        given = {"model": "tower-mini", "tasks": "mini-alm", "results": tmp_path / "out", name: wrong}
        with pytest.raises(UsageError) as caught:
            tvbench.estimate(**given)
        assert caught.value.hint, (wrong, caught.value.message)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["seed", "repeats", "asks", "video_timeout", "no_image", "fresh", "reuse"])
def test_none_is_no_value_where_there_is_a_default(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')}: None is not"):
        tvbench.estimate("tower-mini", "mini-alm", results=tmp_path, **{name: None})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["rubric", "check", "planted"])
def test_what_only_a_judge_needs_is_not_ignored_without_one(tmp_path: Path, name: str) -> None:
    value: Any = {"rubric": "tvbench", "check": 3, "planted": 2}[name]
    with pytest.raises(UsageError, match=f"--{name} is for a judge, and none is named"):
        tvbench.estimate("tower-mini", "mini-alm", results=tmp_path, **{name: value})


def test_paths_are_taken_for_models_and_task_files(tmp_path: Path) -> None:
    folder = ROOT / "models" / "tower-mini"
    asked: dict[str, Any] = {"languages": {"de"}, "limit": 1, "results": tmp_path}
    assert tvbench.estimate(folder, [ROOT / "tasks" / "mini.py"], **asked).requests
    assert tvbench.estimate(folder, ROOT / "tasks" / "mini.py", **asked).requests


def test_reading_functions_refuse_values_of_another_kind(tmp_path: Path) -> None:
    run: Any = write_run(tmp_path, "a", "m", task_result("mini-alm"))
    calls: list[tuple[Any, dict[str, Any]]] = [
        (tvbench.compare, {"first": run, "second": run, **wrong})
        for wrong in (
            {"tasks": 3}, {"languages": [3]}, {"metric": 3}, {"resamples": None}, {"resamples": 10**12}, {"seed": None}
        )
    ]  # fmt: skip
    calls += [(tvbench.explain, {"run": run, **wrong}) for wrong in ({"examples": -1}, {"examples": "3"}, {"tasks": 3})]
    calls += [(tvbench.leaderboard, {"results": tmp_path, wrong: 3}) for wrong in ("tasks", "metric", "protocol")]
    calls += [(function, {"run": wrong}) for function in (tvbench.load, tvbench.score) for wrong in (None, 3, "", b"x")]
    calls += [(tvbench.score, {"run": run, "tasks": ["mini-alm"]})]
    for function, given in calls:
        with pytest.raises(UsageError) as caught:
            function(**given)
        assert caught.value.hint, given


def test_what_a_run_would_take_is_told_without_asking(server: ChatServer, data: Path, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"no_image": True, "data": data, "results": tmp_path / "out"}
    found = tvbench.estimate(server.model, "multi30k:de", **asked)
    assert (found.requests, found.kept) == (4, 0) and not server.asked and not (tmp_path / "out").exists()
    run = ask(server, data, tmp_path / "out")
    found = tvbench.estimate(server.model, "multi30k:de", **asked)
    assert (found.requests, found.kept, found.run) == (0, 4, run.name)
    assert tvbench.estimate(server.model, "multi30k:de", fresh=True, **asked).requests == 4


# ── A run ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_and_a_command_are_one_run(server: ChatServer, data: Path, tmp_path: Path, capfd: Said) -> None:
    run = ask(server, data, tmp_path)
    assert capfd.readouterr() == ("", ""), "nothing is printed"
    assert run.complete and run.path.parent == tmp_path and run.model == "counter"
    assert repr(run) == f"<run {run.name}: multi30k>"
    assert run.results["multi30k"].counts == Counts(4, 4, 0, 4) and run.results["multi30k"].metrics["bleu"].n == 4
    asked = server.asked.total()
    words = ["--model", server.model, "--tasks", "multi30k:de", "--no-image", "--data", str(data), "--quiet"]
    assert main(["run", *words, "--results", str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [run.name] and server.asked.total() == asked
    assert ask(server, data, tmp_path).results == run.results == tvbench.load(run.path).results
    (session,) = run.manifest.sessions or ()
    assert session.command == (f"tvbench.run({server.model!r}, 'multi30k:de', no_image=True, data={data!r})",)


def test_cards_tasks_and_lists_are_taken_as_they_are(server: ChatServer, data: Path, tmp_path: Path) -> None:
    run = ask(server, data, tmp_path)
    card, task = catalog.resolve_model(server.model), catalog.task("multi30k")
    for tasks in (["multi30k:de"], [task], task):
        languages = [] if tasks == ["multi30k:de"] else ["German"]
        same = tvbench.run(card, tasks, languages=languages, no_image=True, data=str(data), results=str(tmp_path))
        assert same.path == run.path, tasks


class Heard(tvbench.Listener):
    def __init__(self) -> None:
        self.told: list[object] = []
        self.before = ""

    def begin(self, phase: str, total: int, kept: int, before: str) -> None:
        self.told.append((phase, total, kept))
        self.before = before

    def answered(self, response: Response) -> None:
        self.told.append(response.error)

    def end(self, phase: str) -> None:
        self.told.append(phase)


def test_a_listener_hears_how_it_goes(server: ChatServer, data: Path, tmp_path: Path) -> None:
    heard = Heard()
    run = ask(server, data, tmp_path, progress=heard)
    assert run.remarks == () and heard.told == [("run", 4, 0), None, None, None, None, "run"]
    heard.told.clear()
    ask(server, data, tmp_path, progress=heard)
    assert heard.told == [("run", 4, 4), "run"] and heard.before.endswith("counter")


def test_signal_handlers_stay_and_a_thread_or_a_running_loop_does_not_matter(
    server: ChatServer, data: Path, tmp_path: Path
) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    found: list[tvbench.Run] = []
    thread = threading.Thread(target=lambda: found.append(ask(server, data, tmp_path / "thread")))
    thread.start()
    thread.join()

    async def notebook() -> tvbench.Run:
        return ask(server, data, tmp_path / "loop")

    found.append(asyncio.run(notebook()))
    assert [run.complete for run in found] == [True, True] and found[0].results == found[1].results
    assert {number: signal.getsignal(number) for number in before} == before


class Interrupting(tvbench.Listener):
    """Ctrl-C after the second answer."""

    count = 0

    def answered(self, response: Response) -> None:
        self.count += 1
        if self.count == 2:
            raise KeyboardInterrupt


def test_what_was_answered_is_stored_and_the_same_call_goes_on(server: ChatServer, data: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        ask(server, data, tmp_path, concurrency=1, progress=Interrupting())
    (folder,) = tmp_path.iterdir()
    half = tvbench.load(folder)
    assert not half.complete and half.results["multi30k"].counts.answered == 2, "it is scored, whatever ended it"
    run = ask(server, data, tmp_path)
    assert run.complete and run.results["multi30k"].counts.answered == 4
    fresh = ask(server, data, tmp_path, fresh=True)
    assert fresh.path == run.path and "the earlier run lies in" in fresh.remarks[0]


def test_open_answers_are_graded_by_the_judge_that_was_named(data: Path, tmp_path: Path) -> None:
    with judge_server() as judge:
        folder = open_run(tmp_path, 3)
        assert tvbench.score(folder).results["alm"].metrics == {}
        assert main(["judge", folder.name, "--results", str(tmp_path), "--judge", judge.model, "--quiet"]) == 0
    assert tvbench.load(folder).results["alm"].metrics["judge"].n == 3


# ── Runs of before ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def two(tmp_path: Path) -> Path:
    write_run(tmp_path, "run-a", "alpha", task_result(value=0.4))
    write_run(tmp_path, "run-b", "beta", task_result(value=0.6), task_result("multi30k", primary="bleu", value=30.0))
    return tmp_path


def test_runs_are_named_by_folder_name_beginning_or_run(two: Path) -> None:
    run = tvbench.load("run-b", results=two)
    assert run.name == "run-b" and list(run.results) == ["alm", "multi30k"]
    for named in (two / "run-b", str(two / "run-b"), run, run.folder):
        assert tvbench.load(named, results=two) == run
    assert tvbench.load("run-a", results=two).name == "run-a"
    with pytest.raises(UsageError, match="run-a, run-b"):
        tvbench.load("run", results=two)
    (two / "run-a" / "result.json").unlink()
    with pytest.raises(UsageError, match="run-a is not scored yet"):
        tvbench.load("run-a", results=two)


def test_a_comparison_is_tidy_too(server: ChatServer, data: Path, tmp_path: Path) -> None:
    first, second = ask(server, data, tmp_path), ask(server, data, tmp_path, label="other")
    found = tvbench.compare(first, second, metric="chrF++", resamples=50)
    (row,) = found.table()
    assert (row.task, row.language, row.metric, row.n, row.unit) == ("multi30k", "de", "chrfpp", 4, "points")
    assert row.difference == 0 and row.low is row.high is None and row.first_run == first.name
    assert row.verdict == "too few pictures to tell (at least 6 needed)" and (row.level, row.together) == (0.95, 1)
    with pytest.raises(UsageError, match="--resamples 0: must be 1 or more"):
        tvbench.compare(first, second, resamples=0)
    with pytest.raises(UsageError, match="unknown task 'alm'"):
        tvbench.compare(first, second, tasks=["alm"])


def test_the_leaderboard_is_tidy_printed_and_chosen_from(two: Path) -> None:
    (two / "broken").mkdir()
    (two / "broken" / "manifest.json").write_text("{")
    board = tvbench.leaderboard(two, published=False)
    assert [row.run for row in board.table().where(language="all", metric="aligned")] == ["run-b", "run-a"]
    assert (
        "beta" in str(board) == repr(board) and len(board.warnings) == 1 and "broken is left out" in board.warnings[0]
    )
    only = tvbench.leaderboard(two, published=False, tasks=["alm"], metric="exact_match").table()
    assert {(row.task, row.metric) for row in only} == {("alm", "strict")} and len(only) == 6
    printed = [row for row in tvbench.leaderboard(two, tasks="alm").table() if not row.run]
    assert printed and {row.unit for row in printed} == {"percent"}
    with pytest.raises(UsageError, match="unknown protocol 'papr'"):
        tvbench.leaderboard(two, protocol="papr")
    with pytest.raises(UsageError, match="unknown task 'almm'"):
        tvbench.leaderboard(two, tasks=["almm"])


# ── Tidy tables ───────────────────────────────────────────────────────────────────────────────────


def test_every_figure_has_its_interval_as_everywhere(two: Path) -> None:
    run = tvbench.load("run-b", results=two)
    table = run.table()
    (row,) = table.where(task="alm", language="all", metric="aligned")
    low, high = interval(0.6, 0.0123, 8) or (0.0, 0.0)
    assert (row.value, row.low, row.high, row.n, row.unit, row.better) == (0.6, low, high, 10, "fraction", "higher")
    assert (row.run, row.model, row.protocol) == ("run-b", "beta", "tvbench")
    assert row.signature == run.results["alm"].signature
    assert table[0].metric == "aligned" and {one.language for one in table} == {"all", "multi", "de", "en"}
    assert tvbench.load("run-b", results=two).table() == table and isinstance(table[:2], TidyTable)
    with pytest.raises(UsageError, match="there is no column langauge"):
        table.where(langauge="de")


@dataclass(frozen=True)
class Odd:
    """Rows with everything that a cell may hold."""

    name: str
    value: float
    low: float | None
    n: int | None


def odd_rows() -> TidyTable[Odd]:
    return TidyTable(Odd, [Odd("=1+1|<b>", 0.1 + 0.2, None, None), Odd("ü\n\x1b[2J", float(2**60), -1.5, 2**60)])


def test_a_table_goes_to_pandas_parquet_and_csv_and_back(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow.parquet")
    pandas = pytest.importorskip("pandas")
    for table in (odd_rows(), TidyTable(Odd, ())):
        frame = table.to_pandas()
        assert list(frame.columns) == list(table.columns) and len(frame) == len(table)
        assert [str(kind) for kind in frame.dtypes] == ["object", "float64", "float64", "Int64"]
        read = pyarrow.read_table(table.to_parquet(tmp_path / "table.parquet"))
        assert read.to_pylist() == table.to_dicts() and str(read.schema.field("n").type) == "int64"
        csv = pandas.read_csv(table.to_csv(tmp_path / "table.csv"))
        assert list(csv.columns) == list(table.columns) and len(csv) == len(table)
    assert "'=1+1" in odd_rows().csv() and "\x1b" not in odd_rows().csv()
    with pytest.raises(TvbenchError, match="cannot be written"):
        odd_rows().to_parquet(tmp_path / "nowhere" / "table.parquet")


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(UsageError, match=f"{name} is not installed\n  pip install {name}"):
            getattr(odd_rows(), f"to_{name}")()


def test_polars_where_it_is_installed() -> None:
    polars = pytest.importorskip("polars")
    frame = odd_rows().to_polars()
    assert (
        frame.schema == {"name": polars.String, "value": polars.Float64, "low": polars.Float64, "n": polars.Int64}
        and frame.to_dicts() == odd_rows().to_dicts()
    )


def test_a_printed_table_says_once_what_is_the_same_and_obeys_nobody() -> None:
    text = str(odd_rows())
    assert (
        "\x1b" not in text
        and len(text.splitlines()) == 3
        and text.splitlines()[0].split() == ["name", "value", "low", "n"]
    )
    same = str(TidyTable(Odd, [Odd("same", 1.0, None, 1), Odd("same", 2.0, None, 1)]))
    assert same.splitlines()[0] == "name: same" and same.count("same") == 1
    html = odd_rows()._repr_html_()
    assert "&lt;b&gt;" in html and "<b>" not in html
    many = str(TidyTable(Odd, [Odd(str(number), 1.0, None, 1) for number in range(100)]))
    assert many.endswith("... 40 more rows")


# ── From outside ──────────────────────────────────────────────────────────────────────────────────

OUTSIDE = """
from __future__ import annotations

from typing_extensions import assert_type

import tvbench
from tvbench.types import ModelCard, TaskResult


class Counting(tvbench.Listener):
    def say(self, text: str, *, detail: bool = False) -> None: ...


def best(model: str | ModelCard) -> float:
    run = tvbench.run(model, ["mini", "alm:de"], languages=["de"], limit=5, results="results", seed=1,
                      settings={"mini": {"level": 2}}, progress=Counting(), dtype="float32")
    assert_type(run, tvbench.Run)
    assert_type(run.results["mini-alm"], TaskResult)
    value: float = run.results["mini-alm"].metrics["aligned"].value
    for row in run.table().where(language="de"):
        assert_type(row.low, float | None)
        print(row.run.upper(), row.value + 1, row.signature)
    first = run.table()[0]
    assert_type(first.n, int | None)
    frame = run.table().to_pandas()
    print(frame.shape)
    found = tvbench.compare(run, "other", tasks="mini", resamples=100)
    print([task.task for task in found.tasks], found.table()[0].difference)
    board = tvbench.leaderboard(tasks=["alm"], published=False)
    print(board.table().to_dicts(), board.warnings)
    print([part.language for task in tvbench.explain(run) for part in task.languages])
    print([item.id for task in run.answered().values() for item in task.items.values()])
    try:
        tvbench.load(run.path)
    except tvbench.errors.UsageError as error:
        print(error.hint)
    return value
"""
WRONG = {
    "tvbench.run('m', 'mini', limit='5')": "arg-type",
    "tvbench.run('m', 'mini', langauges=['de'])": "call-arg",
    "tvbench.run('m', 'mini', dtype='float8')": "arg-type",
    "tvbench.run('m', 'mini').resluts": "attr-defined",
    "tvbench.run('m', 'mini').table()[0].hight": "attr-defined",
    "tvbench.nothing": "attr-defined",
}


@pytest.mark.slow
def test_a_strict_type_checker_is_content_from_outside(tmp_path: Path) -> None:
    """A program of somebody else's, against tvbench as it is installed: in an environment that knows it by a `.pth`."""
    venv.create(tmp_path / "venv", with_pip=False)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (site / "tvbench.pth").write_text(f"{ROOT}\n")
    (tmp_path / "outside.py").write_text(OUTSIDE.replace("typing_extensions", "typing"))
    (tmp_path / "wrong.py").write_text("import tvbench\n" + "".join(f"{line}\n" for line in WRONG))
    words = ["--strict", "--python-executable", str(tmp_path / "venv" / "bin" / "python"), "--no-error-summary"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *words, "outside.py", "wrong.py"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MYPYPATH")},
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert not [line for line in found if not line.startswith("wrong.py:")], done.stdout
    assert [re.sub(r".*\[(.*)\]", r"\1", line) for line in found] == list(WRONG.values()), done.stdout


def snippets(path: Path) -> str:
    return "\n".join(re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL))


@pytest.mark.slow
def test_the_readmes_three_lines_run_the_mini_tasks_and_print_a_tidy_table(tmp_path: Path) -> None:
    code = snippets(ROOT / "README.md")
    assert len(list(filter(None, code.splitlines()))) == 3
    out = python(code, tmp_path)
    lines = out.splitlines()
    assert lines[0].startswith("run: tower-mini--mini-alm+mini-multi30k+mini-vimul--text-")
    assert lines[1].split() == ["task", "language", "metric", "value", "low", "high", "n", "unit"]
    tasks = {line.split()[0] for line in lines[2:]}
    assert tasks == {"mini-alm", "mini-multi30k", "mini-vimul"} and len(lines) > 20
    (aligned,) = (line.split() for line in lines if line.split()[:3] == ["mini-alm", "de", "aligned"])
    assert float(aligned[3]) > 0.5 and aligned[-2:] == ["5", "fraction"]


@pytest.mark.slow
def test_the_page_from_python_runs(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    out = python(snippets(ROOT / "docs" / "api.md"), tmp_path)
    assert "3 answered now" in out and "unknown task 'minni'" in out and (tmp_path / "figures.parquet").is_file()
    assert len(list((tmp_path / "results").glob("*/result.json"))) == 4
