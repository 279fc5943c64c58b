"""Reads recipes: YAML files that say what is trained on what, in which stages, at which rates.

    name, about: text
    extends: paper                    # begin with another recipe, and override
    sizes: {2b: {model.text: ORG/NAME}, 9b: {...}}                  # --size
    model: {...}                      # stages.ModelPlan
    datasets: {NAME: {...}}           # data/entries.Entry, by name
    defaults: {...}                   # fields that every stage has unless it says otherwise
    stages: [{name, number, data: [NAME, ...], rates: {...}, ...}]  # stages.Stage
    variants: {encoder: {siglip1: {model.vision: ...}, ...}}        # --variant encoder=siglip1

Overrides name what they change by dots: `model.max_tiles`, `stage2.batch`, `stage2.rates.text`, `vision.batch` (a
stage by its name), `datasets.NAME.samples`; a bare field (`seed`, `batch`) is changed in every stage. A mixture file
(data/mixture.py) adds datasets, or gives those of the same name a place. Imports no torch.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tvbench.errors import UsageError, unknown_name
from tvbench.safety.bounded import read_yaml, yaml_value
from tvbench.safety.fitting import QUOTE, build, declared, fitted
from tvbench.train.data.entries import Entry
from tvbench.train.data.mixture import read_mixture
from tvbench.train.ranges import FOLDER_NAME, check_entry, check_model
from tvbench.train.stages import ModelPlan, Recipe, Stage

FOLDER = Path(__file__).resolve().parent / "recipes"
MAPPINGS = {"sizes": 2, "model": 1, "datasets": 2, "defaults": 1, "variants": 3}
"""Keys of a recipe that hold mappings, and how many of them inside of each other."""
TOP = ("name", "about", "extends", "sizes", "model", "datasets", "defaults", "stages", "variants")
Raw = dict[str, Any]


def recipe_names() -> tuple[str, ...]:
    """The recipes that come with tvbench."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load_recipe(
    name: str,
    *,
    size: str | None = None,
    variants: Sequence[str] = (),
    settings: Sequence[str] = (),
    mixtures: Sequence[Path] = (),
) -> Recipe:
    """The recipe of that name or YAML file, with a size, `variants` (KIND=CHOICE), mixture files and `settings`
    (KEY=VALUE) applied in this order. Raises UsageError naming what is wrong and what is known."""
    raw = _read(name)
    where = _named(raw, name)
    known = list(raw.get("datasets", {}))
    _apply_all(raw, _size(raw, size, where), where)
    for variant in variants:
        _apply_all(raw, _variant(raw, variant, size, where), where)
    for path in mixtures:
        for dataset, fields_given in read_mixture(path).items():
            raw["datasets"] = dict(raw.get("datasets", {}))
            raw["datasets"][dataset] = {**raw["datasets"].get(dataset, {}), **fields_given}
            known.append(dataset)
    for setting in settings:
        key, value = _split(setting, "--set", "stage2.batch=64")
        try:
            read = yaml_value(value)
        except ValueError as error:
            raise UsageError(f"--set {setting}: the value is not YAML", "quote it; a list is [a, b]") from error
        _apply_all(raw, {key: read}, where)
    recipe = _recipe(raw, size or "", tuple(variants), where)
    _check_used(raw, recipe, known)
    return recipe


def known_variants(name: str) -> dict[str, tuple[str, ...]]:
    """The kinds of variants of a recipe, and the choices of each."""
    return {kind: tuple(choices) for kind, choices in _read(name).get("variants", {}).items()}


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────


def _read(name: str, seen: tuple[str, ...] = ()) -> Raw:
    path = Path(name).expanduser()
    if path.suffix not in (".yaml", ".yml"):
        if name not in recipe_names():
            raise unknown_name("recipe", name, recipe_names(), "or give a YAML file")
        path = FOLDER / f"{name}.yaml"
    if name in seen:
        raise UsageError(f"recipe {name} extends itself")
    try:
        raw = read_yaml(path)
    except OSError as error:
        raise UsageError(f"cannot read the recipe {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise UsageError(f"{path} is not a recipe: it holds no mapping")
    raw = _shaped(raw, path.name)
    base = raw.pop("extends", None)
    return raw if base is None else _merged(_read(str(base), (*seen, name)), raw)


def _named(raw: Raw, given: str) -> str:
    """The recipe's name, which is its file's where it has none. Raises UsageError unless it can name a folder."""
    name = raw.get("name")
    if name is None:
        return Path(given).stem
    if not isinstance(name, str) or not FOLDER_NAME.fullmatch(name):
        raise UsageError(f"{given}: name: {name!r} cannot name a folder", "letters, digits, `-`, `_` and `.`")
    return name


def _shaped(raw: Raw, where: str) -> Raw:
    """`raw` with a mapping wherever one belongs, empty where it is left open. Raises UsageError for anything else, and
    for a key that is no text."""
    for key in raw:
        if key not in TOP:
            raise unknown_name(f"key of {where}", str(key), TOP)
    shaped = {
        key: _mapping(value, MAPPINGS[key], f"{where}: {key}") if key in MAPPINGS else value
        for key, value in raw.items()
    }
    if "stages" in raw:
        stages = raw["stages"] or []
        if not (isinstance(stages, list) and all(isinstance(stage, dict) for stage in stages)):
            raise UsageError(
                f"{where}: stages must be a list of mappings", "- {name: vision, number: 2, data: [...], ...}"
            )
        shaped["stages"] = [_mapping(stage, 1, f"{where}: stages") for stage in stages]
    return shaped


def _mapping(value: Any, depth: int, place: str) -> Raw:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageError(f"{place} must be a mapping, not {value!r}", "write {KEY: VALUE}")
    for name in value:
        if not isinstance(name, str):
            raise UsageError(
                f"{place}: the key {name!r} is no text", QUOTE if isinstance(name, bool) else f"quote it: '{name}'"
            )
    return (
        value if depth == 1 else {name: _mapping(inner, depth - 1, f"{place}.{name}") for name, inner in value.items()}
    )


def _merged(base: Raw, over: Raw) -> Raw:
    """`over` on top of `base`: mappings are merged, stages by their number, everything else is replaced."""
    out = copy.deepcopy(base)
    for key, value in over.items():
        if key == "stages":
            out["stages"] = _merged_stages(out.get("stages", []), value)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = _merged(out[key], value)
        else:
            out[key] = copy.deepcopy(value)
    return out


def _merged_stages(base: list[Raw], over: list[Raw]) -> list[Raw]:
    """Stages of the same name (or, without one, number) are merged; others are added at the end."""
    out = list(base)
    for stage in over:
        key = "name" if "name" in stage else "number"
        places = [place for place, known in enumerate(out) if known.get(key) == stage.get(key)]
        for place in places:
            out[place] = _merged(out[place], stage)
        if not places:
            out.append(stage)
    return out


# ── Overrides ─────────────────────────────────────────────────────────────────────────────────────


def _size(raw: Raw, size: str | None, where: str) -> Raw:
    sizes = raw.get("sizes", {})
    if not sizes:
        if size:
            raise UsageError(f"recipe {where} has one size only", "leave out --size")
        return {}
    if size is None:
        raise UsageError(f"recipe {where} comes in sizes {', '.join(sizes)}", f"add --size {next(iter(sizes))}")
    if size not in sizes:
        raise unknown_name(f"size of recipe {where}", size, sizes)
    return dict(sizes[size])


def _variant(raw: Raw, variant: str, size: str | None, where: str) -> Raw:
    """The overrides of a choice; one that is another for each size has the sizes' names as its keys."""
    kind, choice = _split(variant, "--variant", "encoder=siglip1")
    kinds = raw.get("variants", {})
    if kind not in kinds:
        raise unknown_name(f"variant of recipe {where}", kind, kinds, f"its variants: {', '.join(kinds) or 'none'}")
    if choice not in kinds[kind]:
        raise unknown_name(f"choice of variant {kind}", choice, kinds[kind], f"its choices: {', '.join(kinds[kind])}")
    given = kinds[kind][choice]
    by_size = bool(given) and set(given) <= set(raw.get("sizes", {}))
    if not by_size:
        return dict(given)
    if size not in given:
        raise UsageError(
            f"recipe {where}: {kind}={choice} comes in sizes {', '.join(given)}", f"--size {next(iter(given))}"
        )
    return _mapping(given[size], 1, f"recipe {where}: {kind}={choice}.{size}")


def _split(text: str, option: str, example: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"{option} {text}: write KEY=VALUE", f"for example {option} {example}")
    return key.strip(), value.strip()


def _apply_all(raw: Raw, overrides: Mapping[str, Any], where: str) -> None:
    for key, value in overrides.items():
        if key == "missing":
            raise UsageError(f"recipe {where}: {value}")
        _apply(raw, str(key).split("."), value, where)


def _apply(raw: Raw, path: list[str], value: Any, where: str) -> None:
    head, *rest = path
    if head in ("model", "datasets", "defaults") and rest:
        _put(raw.setdefault(head, {}), rest, value)
    elif (found := _stages_called(raw, head)) is not None and rest:
        if not found:
            numbers = ", ".join(str(stage.get("number")) for stage in raw.get("stages", []))
            raise UsageError(f"recipe {where} has no stage {head[5:]}", f"its stages: {numbers}")
        for stage in found:
            _put(stage, rest, copy.deepcopy(value))
    elif head == "stages" and not rest:
        raw["stages"] = _kept(raw.get("stages", []), value, where)
    elif head in declared(Stage):
        for stage in raw.get("stages", []):
            _put(stage, path, value)
    else:
        raise unknown_name(
            "setting",
            ".".join(path),
            [*declared(Stage), "model.max_tiles", "stage1.batch", "datasets"],
            "`stageN.KEY`, `model.KEY`, `datasets.NAME.KEY`, or a field of every stage",
        )


def _kept(stages: list[Raw], numbers: Any, where: str) -> list[Raw]:
    """The stages of these numbers. Raises UsageError for what is no list of them."""
    known = [stage.get("number") for stage in stages]
    if (
        not isinstance(numbers, list)
        or not numbers
        or any(type(number) is not int or number not in known for number in numbers)
    ):
        raise UsageError(
            f"recipe {where}: stages: must be a list of stage numbers, not {numbers!r}",
            f"for example stages=[{known[-1] if known else 1}]; there are {', '.join(map(str, known))}",
        )
    return [stage for stage in stages if stage.get("number") in numbers]


def _stages_called(raw: Raw, head: str) -> list[Raw] | None:
    """The stages that `stageN` or a stage's name means; None for anything else."""
    stages = raw.get("stages", [])
    if head.startswith("stage") and head[5:].isdigit():
        return [stage for stage in stages if stage.get("number") == int(head[5:])]
    return [stage for stage in stages if stage.get("name") == head] or None


def _put(target: Raw, path: list[str], value: Any) -> None:
    for name in path[:-1]:
        if not isinstance(target.get(name), dict):
            target[name] = {}
        target = target[name]
    target[path[-1]] = value


# ── Into dataclasses, strictly ────────────────────────────────────────────────────────────────────


def _recipe(raw: Raw, size: str, variants: tuple[str, ...], where: str) -> Recipe:
    datasets = {name: _dataset(name, given, where) for name, given in raw.get("datasets", {}).items()}
    stages = []
    for given in raw.get("stages", []):
        place = f"{where}: stage {given.get('number', given.get('name', '?'))}"
        merged = {**raw.get("defaults", {}), **given}
        names = _listed(merged.get("data"), f"{place}.data")
        merged["data"] = tuple(_entry(datasets, name, place) for name in names)
        stages.append(_checked(build(Stage, merged, place), place))
    if not stages:
        raise UsageError(f"recipe {where} has no stages", "stages: [{name: vision, number: 2, data: [...], ...}]")
    folders = [f"{stage.number}-{stage.name}" for stage in stages]
    if twice := next((folder for folder in folders if folders.count(folder) > 1), None):
        raise UsageError(f"recipe {where} has two stages {twice}", "give one of them another name or number")
    model = build(ModelPlan, raw.get("model", {}), f"{where}: model")
    check_model(model, f"{where}: model")
    return Recipe(where, str(raw.get("about", "")).strip(), size, model, tuple(stages), variants)


def _dataset(name: str, given: Any, where: str) -> Entry:
    place = f"{where}: datasets.{name}"
    entry = build(Entry, {"name": name, **_mapping(given, 1, place)}, place)
    check_entry(entry, place)
    return entry


def _checked(stage: Stage, place: str) -> Stage:
    """Raises UsageError for a stage that has nothing to train, or nothing to train it on."""
    if not stage.rates:
        raise UsageError(f"{place} trains nothing", "rates: {text: 1e-5, ...} says what is trained")
    if not stage.data and stage.objective == "language":
        raise UsageError(f"{place} has no data", f"--set stage{stage.number}.data=NAME,NAME")
    if not FOLDER_NAME.fullmatch(stage.name):
        raise UsageError(f"{place}: name: {stage.name!r} cannot name a folder", "letters, digits, `-`, `_` and `.`")
    return stage


def _check_used(raw: Raw, recipe: Recipe, known: Sequence[str]) -> None:
    """Raises UsageError for a dataset that a variant or --set has added, and no stage learns from: it is misspelt."""
    used = {entry.name for stage in recipe.stages for entry in stage.data}
    for name in raw.get("datasets", {}):
        if name not in used and name not in known:
            last = recipe.stages[-1].number
            raise unknown_name(
                f"dataset of recipe {recipe.name}",
                name,
                {*known, *used},
                f"to learn from a new one: --set stage{last}.data={name}",
            )


def _listed(names: Any, place: str) -> list[str]:
    """Names of datasets: a list, or text with commas."""
    if isinstance(names, str):
        return [name.strip() for name in names.split(",") if name.strip()]
    return list(fitted([] if names is None else names, tuple[str, ...], place))


def _entry(datasets: Mapping[str, Entry], name: str, place: str) -> Entry:
    if name not in datasets:
        raise unknown_name(f"data of {place}", name, datasets)
    return datasets[name]
