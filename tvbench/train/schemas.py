"""JSON schemas of recipes and mixture files, from what a model, a stage and a dataset declare. Knows no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tvbench.safety.schema import Schema, document, schema_of
from tvbench.train.data.entries import Entry
from tvbench.train.data.mixture import FORK_NAMES
from tvbench.train.ranges import FOLDER_NAME
from tvbench.train.stages import ModelPlan, Stage

TEXT: Schema = {"type": "string"}
OVERRIDES: Schema = {"type": ["object", "null"], "description": "overrides by dots: {stage2.batch: 64}"}


def recipe_schema() -> Schema:
    """Of a recipe. A recipe may extend another one, so that no key has to be there."""
    stage = _stage()
    return document(
        "tvbench recipe",
        {
            "description": "What is trained on what, in which stages, at which rates (docs/train.md).",
            "type": "object",
            "properties": {
                "name": {**TEXT, "pattern": f"^{FOLDER_NAME.pattern}$"},
                "about": TEXT,
                "extends": {**TEXT, "description": "begin with another recipe, and override"},
                "sizes": _open(OVERRIDES),
                "model": _or_null(schema_of(ModelPlan, partial=True)),
                "datasets": _open(_or_null(schema_of(Entry, partial=True))),
                "defaults": _or_null(stage),
                "stages": {"type": ["array", "null"], "items": stage},
                "variants": _open(_open(OVERRIDES)),
            },
            "additionalProperties": False,
        },
    )


def mixture_schema() -> Schema:
    """Of a mixture file, which takes the names of the authors' fork as well."""
    entry = schema_of(Entry, partial=True)
    entry["properties"] |= {name: entry["properties"][ours] for name, ours in FORK_NAMES.items()}
    return document(
        "tvbench mixture",
        {
            "description": "Datasets that a recipe learns from, and where they lie (docs/train.md).",
            "type": "object",
            "properties": {"datasets": {"type": "array", "items": entry, "minItems": 1}},
            "required": ["datasets"],
        },
    )


SCHEMAS: Mapping[str, Callable[[], Schema]] = {"recipe": recipe_schema, "mixture": mixture_schema}


def _stage() -> Schema:
    """Of a stage as it is written: its data are names of datasets."""
    stage = schema_of(Stage, partial=True, without=("data",))
    named = [{"type": "array", "items": TEXT}, {**TEXT, "description": "names with commas"}, {"type": "null"}]
    stage["properties"]["data"] = {"anyOf": named}
    return stage


def _open(inner: Schema) -> Schema:
    return {"type": ["object", "null"], "additionalProperties": inner}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": ["object", "null"]}
