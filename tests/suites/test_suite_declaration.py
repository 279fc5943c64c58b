"""What a suite's file may say: held to its declaration, its schema agrees, and errors name the nearest key."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from json_schema import problems
from repository import ROOT

from tvbench.errors import UsageError
from tvbench.runs.run_options import Keywords
from tvbench.safety.bounded import read_yaml
from tvbench.suites.combining import Given, combinations
from tvbench.suites.coverage import coverage
from tvbench.suites.declaration import NOT_IN_SUITES, OPTIONS, RENAMED, Suite, read_suite, suite_schema
from tvbench.suites.planning import check_names
from tvbench.suites.shelf import find_suite, suite_files
from tvbench.types import ModelCard

SHIPPED = sorted((ROOT / "suites").glob("*.yaml"))


def suite_of(text: str, folder: Path = Path("/here")) -> Suite:
    return read_suite(yaml.safe_load(text), folder / "mine.yaml")


FILES = [
    ("tasks: [alm]", True),
    ("tasks: ['multi30k:de+fr', ./mine.py]\nmodels: [tower-mini, 'openai:m@http://127.0.0.1:1/v1']", True),
    ("models: [{model: tower-mini, label: one, engine: vllm, engine_args: {dtype: float16}}]", True),
    ("options: {limit: 5, set: {mini.level: 2}, temperature: 1e-1, no_image: true, check: all, price: '1,2'}", True),
    ("matrix: {protocol: [tvbench, paper], set: [{mini.level: 1}, {mini: {level: 2}}], limit: [1, null]}", True),
    ("include: [{model: tower-mini, tasks: [alm], languages: [de], limit: 3}]\nexclude: [{model: a}]", True),
    ("task: [alm]", False),
    ("tasks: alm", False),
    ("tasks: [1]", False),
    ("languages: [no]", False),
    ("models: [{label: x}]", False),
    ("models: [{model: a, lable: x}]", False),
    ("models: [3]", False),
    ("options: {limt: 5}", False),
    ("options: {limit: many}", False),
    ("options: {fresh: true}", False),
    ("options: {trust_remote_code: true}", False),
    ("options: {bos: three}", False),
    ("options: [limit]", False),
    ("matrix: {protocl: [paper]}", False),
    ("matrix: {protocol: paper}", False),
    ("matrix: {protocol: []}", False),
    ("matrix: {limit: [a]}", False),
    ("include: [{modell: a}]", False),
    ("exclude: [{}]", False),
    ("exclude: [{label: a}]", False),
]


@pytest.mark.parametrize(("text", "good"), FILES)
def test_schema_and_reader_agree(text: str, good: bool) -> None:
    assert (not list(problems(yaml.safe_load(text), suite_schema()))) is good
    if good:
        suite_of(text)
    else:
        with pytest.raises(UsageError):
            suite_of(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("taks: [alm]", "unknown key 'taks'. Did you mean tasks?"),
        ("options: {max-new-tokens: 5}", "Did you mean max_new_tokens"),
        ("models: [{model: a, lable: x}]", r"unknown key of models\[0\] 'lable'. Did you mean label"),
        ("matrix: {protocl: [paper]}", "unknown key of matrix 'protocl'. Did you mean protocol"),
        ("languages: [de, no]", "languages: must be text, not False"),
        ("tasks: alm", "tasks: must be a list"),
        ("name: a/b", "name: 'a/b' is not possible"),
    ],
)
def test_errors_name_the_place_and_the_nearest_key(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        suite_of(text)


def test_every_option_of_a_run_can_be_given_in_a_suite() -> None:
    """Options are taken from the run's own declaration: a new one needs nothing here."""
    assert set(OPTIONS) == {RENAMED.get(name, name) for name in Keywords.__annotations__} - NOT_IN_SUITES


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_suite_that_ships_fits_and_says_where_it_is_from(path: Path) -> None:
    assert not list(problems(read_yaml(path), suite_schema()))
    assert path.read_text(encoding="utf-8").startswith("# ")
    suite = find_suite(path.stem)
    found = coverage(suite)
    assert suite.about and suite.source and found.tasks and all(found.tasks.values())
    assert combinations(suite, Given(("tower-mini",)))


def test_the_suites_that_ship_are_those_that_are_promised() -> None:
    assert {path.stem for path in SHIPPED} >= {"eu24", "indic", "arabic", "paper"}
    assert len(find_suite("eu24").languages) == 24 and not coverage(find_suite("eu24")).lacking
    assert "Maithili" in coverage(find_suite("indic")).lacking
    assert set(coverage(find_suite("arabic")).tasks["alm"]) == {"arz", "ar-AE", "ar-SA"}


# ── Where suites are looked for, and whose they are ───────────────────────────────────────────────


def test_paths_in_a_file_are_from_its_own_folder(tmp_path: Path) -> None:
    suite = suite_of(
        "models: [./checkpoint, tower-mini, {model: ../other, label: ./x}]\ntasks: [./mine.py:de, alm]\n"
        "options: {data: flickr, judge: ./judge}",
        tmp_path,
    )
    assert [model["model"] for model in suite.models] == [
        f"{tmp_path}/checkpoint",
        "tower-mini",
        f"{tmp_path}/../other",
    ]
    assert suite.tasks == (f"{tmp_path}/mine.py:de", "alm")
    assert (suite.options["data"], suite.options["judge"]) == (f"{tmp_path}/flickr", f"{tmp_path}/judge")
    assert suite.models[2]["label"] == "./x"


def test_a_nearer_suite_hides_one_that_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "eu24.yaml").write_text("about: mine\ntasks: [alm]\n")
    (tmp_path / "suites" / "broken.yaml").write_text("tasks: alm\n")
    (tmp_path / "suites" / "other.yaml").write_text("colour: red\n")
    monkeypatch.chdir(tmp_path)
    files = suite_files()
    assert find_suite("eu24").about == "mine" and find_suite("eu24").nearby
    assert not find_suite("indic").nearby and "other" not in files
    assert "must be a list" in files["broken"].problem
    with pytest.raises(UsageError, match="must be a list"):
        find_suite("broken")
    with pytest.raises(UsageError, match="unknown suite 'eu42'. Did you mean eu24"):
        find_suite("eu42")


def test_servers_that_a_strange_suite_names_get_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the models nor the judge; a file that is named by its path is the person's own."""
    server = "openai:m@http://127.0.0.1:9/v1"
    (tmp_path / "suites").mkdir()
    text = f"tasks: [mini-alm]\nmodels: ['{server}']\noptions: {{judge: '{server}'}}\n"
    (tmp_path / "suites" / "theirs.yaml").write_text(text)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for folder, name, nearby in (
        (tmp_path, "theirs", True),
        (tmp_path, "suites/theirs.yaml", False),
        (elsewhere, "theirs", True),
    ):
        monkeypatch.chdir(folder)
        monkeypatch.setenv("TVBENCH_INCLUDE_PATH", str(tmp_path) if folder == elsewhere else "")
        suite = find_suite(name)
        (run,) = check_names(suite, combinations(suite), lambda line: None)
        judge = run.combination.options.judge
        assert run.card.nearby is nearby and (isinstance(judge, ModelCard) and judge.nearby) is nearby


# ── Combinations ──────────────────────────────────────────────────────────────────────────────────


def called(text: str, given: Given = Given()) -> list[str]:
    return [run.called for run in combinations(suite_of(text), given)]


def test_models_by_matrix_with_includes_and_excludes() -> None:
    text = """
models: [a, {model: b, label: bee}]
tasks: [alm, mini]
matrix: {protocol: [tvbench, paper], limit: [1, 2]}
include: [{model: c, no_image: true}, {model: a, tasks: [vimul]}]
exclude: [{model: bee, protocol: paper}, {limit: 2, protocol: tvbench}]
"""
    assert called(text) == [
        "a, protocol tvbench, limit 1",
        "a, protocol paper, limit 1",
        "a, protocol paper, limit 2",
        "a",
        "bee, protocol tvbench, limit 1",
        "c, no image",
    ]
    assert called(text, Given(("x",))) == [
        "x, protocol tvbench, limit 1",
        "x, protocol paper, limit 1",
        "x, protocol paper, limit 2",
    ]


def test_what_is_said_last_counts_and_settings_are_joined() -> None:
    text = """
models: [{model: a, limit: 3, set: {mini.level: 2}}, b]
tasks: [mini]
options: {limit: 5, seed: 7, set: {mini: {level: 1, pictures: blank}}}
matrix: {seed: [8, 9], max_new_tokens: [null, 4]}
"""
    first, *_, last = combinations(suite_of(text), Given(options={"max_new_tokens": 9, "settings": ["mini.level=4"]}))
    assert (first.options.limit, first.options.seed, first.options.max_new_tokens) == (3, 8, 9)
    assert first.options.settings == {"mini.level": "4", "mini.pictures": "blank"}
    assert (last.options.limit, last.options.seed) == (5, 9)
    first = combinations(suite_of(text))[0]
    assert first.options.settings == {"mini.level": 2, "mini.pictures": "blank"}
    assert first.options.max_new_tokens is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tasks: [alm]", "names no model"),
        ("models: [a]", "names no task"),
        ("models: [a]\ntasks: [alm]\noptions: {limit: 0}", "mine, a: --limit 0"),
        ("models: [a]\ntasks: [alm]\nexclude: [{model: a}]", "leaves nothing"),
        ("models: [a]\ntasks: [alm]\noptions: {rubric: x}", "--rubric is for a judge"),
    ],
)
def test_combinations_that_cannot_be(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        called(text)


# ── Whatever stands in a file ─────────────────────────────────────────────────────────────────────

WHOLE = """
{name: x, about: a, source: b, tasks: [alm, 'mini:de'], languages: [de, fr],
 models: [tower-mini, {model: a, label: l, engine_args: {dtype: x}, set: {mini.level: 2}}],
 options: {limit: 5, temperature: 0.5, set: {mini: {level: 2}}, no_image: true, bos: one, check: all, price: '1,2'},
 matrix: {protocol: [a, b], limit: [1, null], set: [{mini.level: 1}]},
 include: [{model: c, tasks: [alm], languages: [de], limit: 3}],
 exclude: [{model: a, tasks: [alm], protocol: a}]}
"""
VALUES: list[Any] = [
    None,
    True,
    0,
    -3,
    2.5,
    "",
    " ",
    "a/b",
    "x" * 30_000,
    "1e3",
    [],
    {},
    [1],
    {"a": 1},
    [[]],
    [None],
    10**30,
]
KEYS = ["limt", "lable", "protocol", "model", "label", "revision", "fresh", "tasks"]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in it."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


@pytest.mark.parametrize("seed", range(4))
def test_any_change_of_a_file_is_refused_in_words_or_read_as_the_schema_has_it(seed: int) -> None:
    rng, accepted = random.Random(seed), 0
    for _ in range(150):
        value = yaml.safe_load(WHOLE)
        for _ in range(rng.choice((1, 1, 2))):
            holder, key = rng.choice(list(places(value)))
            key = rng.choice(KEYS) if isinstance(holder, dict) and rng.random() < 0.2 else key
            holder[key] = copy.deepcopy(rng.choice(VALUES))
        try:
            suite = read_suite(value, Path("/here/mine.yaml"))
        except UsageError:
            assert list(problems(value, suite_schema())), value
            continue
        accepted += 1
        assert not list(problems(value, suite_schema())), value
        with suppress(UsageError):
            combinations(suite)
    assert accepted > 10
