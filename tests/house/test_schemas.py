"""The schemas for editors are those that the readers' own declarations give, fit every file that ships, and agree with
the readers on what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from json_schema import problems

from tvbench.cli.main import main
from tvbench.data.own.declaration import own_schema, read_declaration
from tvbench.errors import UsageError
from tvbench.registry.cards import card_schema, read_card
from tvbench.report.comparison_schema import comparison_schema
from tvbench.safety.bounded import read_yaml
from tvbench.safety.visible import json_text
from tvbench.suites.declaration import suite_schema
from tvbench.train.data.mixture import read_mixture
from tvbench.train.recipe import FOLDER, MAPPINGS, TOP, load_recipe
from tvbench.train.schemas import mixture_schema, recipe_schema

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = {
    "card": card_schema,
    "task": own_schema,
    "suite": suite_schema,
    "recipe": recipe_schema,
    "mixture": mixture_schema,
}
COMMANDS = {
    "card": "models --schema",
    "task": "new task --schema",
    "suite": "suites --schema",
    "recipe": "train --schema recipe",
    "mixture": "train --schema mixture",
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_committed_schema_is_what_the_command_prints(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(COMMANDS[name].split()) == 0
    printed = capsys.readouterr().out
    path = ROOT / "docs" / "schemas" / f"{name}.json"
    assert path.read_text(encoding="utf-8") == printed, f"tvbench {COMMANDS[name]} > docs/schemas/{name}.json"
    assert json.loads(printed) == SCHEMAS[name]()


def test_the_committed_schema_of_comparisons_is_the_one_that_output_is_held_against() -> None:
    path = ROOT / "docs" / "schemas" / "compare.json"
    written = json_text(comparison_schema()) + "\n"
    assert path.read_text(encoding="utf-8") == written, f"{path}: write json_text(comparison_schema())"


@pytest.mark.parametrize("path", sorted((ROOT / "models").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_card_that_ships_fits(path: Path) -> None:
    assert not list(problems(read_yaml(path), card_schema()))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_that_ships_fits(path: Path) -> None:
    assert not list(problems(read_yaml(path), recipe_schema()))


def test_the_schema_of_recipes_has_the_keys_that_are_read() -> None:
    properties = recipe_schema()["properties"]
    assert set(properties) == set(TOP)
    assert {name for name, one in properties.items() if one["type"] == ["object", "null"]} == set(MAPPINGS)


CARDS = [
    ("hub: a/b", True),
    ("hub: a/b\nparameters: 3", True),
    ("server: m\nurl: http://x/v1", True),
    ("hub: a/b\nprices: {input: 2.5, output: 10}", True),
    ("hub: a/b\nengine: {vllm: {dtype: x}, openai: {}}", True),
    ("hub: a/b\nchat: {content: string}", True),
    ("hub: a/b\nlicense: MIT", False),
    ("hub: a/b\nhub2: x", False),
    ("hub: a/b\nfolder: x", False),
    ("title: x", False),
    ("hub: a/b\nparameters: 9B", False),
    ("hub: a/b\nparameters: 0", False),
    ("hub: a/b\nparameters: true", False),
    ("hub: a/b\nlanguages: en", False),
    ("hub: a/b\nlanguages: [en, no]", False),
    ("hub: a/b\nmodalities: [images]", False),
    ("hub: ''", False),
    ("hub: a/b\nrevision: 1234567", False),
    ("hub: a/b\nprices: {input: 2}", False),
    ("hub: a/b\nprices: {input: -1, output: 2}", False),
    ("hub: a/b\nprices: {in: 1, output: 2}", False),
    ("hub: a/b\nengine: {vllm: 3}", False),
    ("hub: a/b\nchat: 3", False),
    ("hub: a/b\nchat: {sytem: x}", False),
    ("hub: a/b\nnumerics: {x: 1}", False),
    (f"hub: a/b\nnotes: {'x' * 20_001}", False),
]


@pytest.mark.parametrize(("text", "good"), CARDS)
def test_schema_and_reader_of_cards_agree(text: str, good: bool) -> None:
    value = yaml.safe_load(text)
    assert (not list(problems(value, card_schema()))) is good
    if good:
        read_card(value, default_name="x", folder=Path())
    else:
        with pytest.raises(UsageError):
            read_card(value, default_name="x", folder=Path())


OWN = [
    ("{}", True),
    ("columns: {answer: [a, b], question: q}", True),
    ("splits: {test: a.csv, train: [b.csv]}", True),
    ("first_option: 1", True),
    ("protocols: {tvbench: {}, plain: {letters: false}}", True),
    ("instructions: {de: x, all: y}", True),
    ("first_option: 2", False),
    ("colums: {}", False),
    ("columns: {anser: x}", False),
    ("max_tokens: 0", False),
    ("kind: multiple", False),
    ("name: a b", False),
    ("options_separator: ''", False),
    ("protocols: {plain: {letter: false}}", False),
]


@pytest.mark.parametrize(("text", "good"), OWN)
def test_schema_and_reader_of_own_data_agree(text: str, good: bool, tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text(text)
    assert (not list(problems(yaml.safe_load(text), own_schema()))) is good
    if good:
        read_declaration(tmp_path / "task.yaml")
    else:
        with pytest.raises(UsageError):
            read_declaration(tmp_path / "task.yaml")


STAGES = [
    ("batch: 64", True),
    ("rates: {text: 1e-3}", True),
    ("betas: [0.9, 0.98]", True),
    ("steps: null", True),
    ("data: 'dvqa, chartqa'", True),
    ("data: [dvqa]", True),
    ("keep_languages: [de, fr]", True),
    ("warmup: 0", True),
    ("ours: {batch: why}", True),
    ("batch: many", False),
    ("batch: 0", False),
    ("batch: 6.5", False),
    ("packing: 1", False),
    ("betas: [0.9]", False),
    ("betas: 0.9", False),
    ("betas: [0.9, 1.5]", False),
    ("template: gemma", False),
    ("rates: {txt: 1}", False),
    ("rates: {text: -1}", False),
    ("rates: {text: fast}", False),
    ("bacth: 3", False),
    ("warmup: 3", False),
    ("warmup: 1", False),
    ("epochs: 0", False),
    ("max_length: '8'", False),
    ("max_length: 1", False),
    ("keep_languages: [en, no]", False),
    ("steps: true", False),
    ("seed: -1", False),
    ("ours: {batch: 3}", False),
    ("name: [a]", False),
]


@pytest.mark.parametrize(("text", "good"), STAGES)
def test_schema_and_reader_of_stages_agree(tmp_path: Path, text: str, good: bool) -> None:
    recipe = {"extends": "paper", "stages": [{"number": 2, **yaml.safe_load(text)}]}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(recipe))
    assert (not list(problems(recipe, recipe_schema()))) is good
    if good:
        load_recipe(str(path), size="2b")
    else:
        with pytest.raises(UsageError):
            load_recipe(str(path), size="2b")


@pytest.mark.parametrize(
    ("recipe", "good"),
    [
        ({"model": None, "datasets": {"a": None}, "variants": {"kind": {"one": {"batch": 3}, "two": None}}}, True),
        ({"model": {"max_tiles": 0}}, False),
        ({"model": {"famly": "x"}}, False),
        ({"colour": "red"}, False),
        ({"datasets": {"a": {"weight": -1}}}, False),
        ({"datasets": [1]}, False),
        ({"stages": {}}, False),
        ({"name": "a/b"}, False),
        ({"sizes": {"2b": 3}}, False),
    ],
)
def test_the_rest_of_a_recipe(recipe: dict[str, Any], good: bool) -> None:
    assert (not list(problems(recipe, recipe_schema()))) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("datasets: [{json_path: x.json, sampling_strategy: 'random:10%', source_language: multilingual}]", True),
        ("datasets: [{name: blocks, hub: a/b, config: dvqa, split: train, weight: 0.5, languages: [de, fr]}]", True),
        ("datasets: []", False),
        ("datasets: {a: b}", False),
        ("{}", False),
        ("datasets: [{weight: -1}]", False),
    ],
)
def test_mixtures(tmp_path: Path, text: str, good: bool) -> None:
    assert (not list(problems(yaml.safe_load(text), mixture_schema()))) is good
    (tmp_path / "mix.yaml").write_text(text)
    if good:
        assert read_mixture(tmp_path / "mix.yaml")
