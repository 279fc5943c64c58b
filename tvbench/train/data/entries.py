"""One entry of a data mixture: where its samples lie, and which of them are taken. Knows no file format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from tvbench.safety.fitting import AT_LEAST_0, AT_LEAST_1, Rule

SEED = Rule(lambda value: 0 <= value < 2**63, "from 0 to 2**63 - 1", {"minimum": 0, "exclusiveMaximum": 2**63})


@dataclass(frozen=True, slots=True)
class Entry:
    """One dataset of a mixture.

    Exactly one of `path` (LLaVA JSON or JSONL, braces and globs join files; or a folder of them), `hub` (a dataset
    repository, with `config` and `split`) and `generated` (`mini`: the built-in world) says where it lies; a recipe's
    plan may leave all three out and state `samples` alone. `sampling` is `all`, `first:N`, `end:N` or `random:N`, N a
    number or a percentage. `weight` repeats or thins the entry (2.0: every sample twice an epoch). `languages` keeps
    these only. `min_score` drops samples whose translation quality field is lower. `most_per_language` keeps at most so
    many of each, at random (the paper's cultural filter: 50,000). `options` are the source's own.
    `samples` and `tokens` are what is stated of it (for plans): a count, and a mean length after image expansion.
    """

    name: str
    path: str | None = None
    hub: str | None = None
    config: str | None = None
    split: str = "train"
    generated: str | None = None
    modality: Literal["image", "video", "text", "mixed"] = "image"
    sampling: str = "all"
    source_language: Literal["english", "multilingual"] = "english"
    weight: Annotated[float, AT_LEAST_0] = 1.0
    seed: Annotated[int, SEED] = 0
    languages: tuple[str, ...] = ()
    min_score: float | None = None
    most_per_language: Annotated[int, AT_LEAST_1] | None = None
    samples: Annotated[int, AT_LEAST_1] | None = None
    tokens: Annotated[int, AT_LEAST_1] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
