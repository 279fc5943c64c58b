"""transformers 4.5x opens what we write, whole; and a legacy copy gives it the numbers of transformers 5.

The reader runs in an environment of its own, whose Python $TVBENCH_TRANSFORMERS4_PYTHON names (`make test-legacy`).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_requests import ask, card_for, picture
from repository import ROOT
from safetensors.torch import load_file, save_file

from tvbench.checkpoints.corrections import read_config
from tvbench.checkpoints.importing import import_checkpoint
from tvbench.engines.sampling import soft_cap
from tvbench.engines.transformers import TransformersEngine
from tvbench.mini.checkpoint import build_tiny

PYTHON = os.environ.get("TVBENCH_TRANSFORMERS4_PYTHON")
pytestmark = pytest.mark.skipif(PYTHON is None, reason="TVBENCH_TRANSFORMERS4_PYTHON is not set: make test-legacy")

READER = Path(__file__).with_name("reader.py")
TRAINED = ROOT / "models" / "tower-mini"
TOLERANCE = 1e-3
PROMPTS = ("text", "one", "several")

torch.set_num_threads(1)


@dataclass(frozen=True)
class Read:
    """What 4.5x said of the current and the legacy copy of one model, beside what 5.x says of the current one."""

    keys: dict[str, list[list[str]]]
    small: dict[str, dict[str, Any]]
    four: dict[str, dict[str, torch.Tensor]]
    five: dict[str, torch.Tensor]
    ids: list[int]
    version: str


def prompt_tensors(engine: TransformersEngine) -> dict[str, torch.Tensor]:
    asked = [
        ask("text", "Was ist das?"),
        ask("one", "Was?", picture(1, (56, 56))),
        ask("several", "什么颜色?", picture(2, (200, 130))),
    ]
    found: dict[str, torch.Tensor] = {}
    for prepared in asked:
        tensors = engine.inputs.collate([engine.inputs.encode(prepared)]).tensors
        found |= {f"{prepared.request.key}/{name}": held.contiguous() for name, held in tensors.items()}
    return found


def capped(logits: dict[str, torch.Tensor], folder: Path) -> dict[str, torch.Tensor]:
    cap = read_config(folder)["text_config"]["final_logit_softcapping"]
    return {name: soft_cap(held, cap) for name, held in logits.items()}


def by_five(engine: TransformersEngine, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    found = {}
    for prompt in PROMPTS:
        given = {name.partition("/")[2]: held for name, held in inputs.items() if name.startswith(f"{prompt}/")}
        with torch.inference_mode():
            found[prompt] = engine.model(**given, use_cache=False).logits[0]
    return found


def read(current: Path, legacy: Path, work: Path) -> Read:
    engine = TransformersEngine(current, card_for(current), dtype="float32")
    inputs = prompt_tensors(engine)
    save_file(inputs, work / "inputs.safetensors")
    words = [str(PYTHON), str(READER), str(work / "inputs.safetensors"), str(work / "read"), str(current), str(legacy)]
    # A path to our own packages would let the core environment's transformers come first.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads((work / "read" / "report.json").read_text())
    names = ("current", "legacy")
    four = {
        name: capped(load_file(work / "read" / f"{number}.safetensors"), current) for number, name in enumerate(names)
    }
    said = dict(zip(names, report["folders"], strict=True))
    keys = {name: [one["missing_keys"], one["unexpected_keys"], one["mismatched_keys"]] for name, one in said.items()}
    ids = engine.prompter.tokenizer.apply_chat_template(
        [{"role": "user", "content": "<image>\nWas ist das? 红"}], add_generation_prompt=True, return_dict=False
    )
    return Read(keys, said, four, capped(by_five(engine, inputs), current), ids, report["version"])


def sources(work: Path) -> Iterator[tuple[str, Path, Path]]:
    """Name, current copy and legacy copy. The trained model is there where it has been made."""
    for family in ("llava_next", "llava_onevision"):
        legacy = build_tiny(work / f"{family}-legacy", seed=6, architecture=family, vision_scale="unfolded")
        yield f"built {family}", build_tiny(work / f"{family}-current", seed=6, architecture=family), legacy
    for name, source in (("imported", work / "llava_next-current"), ("trained", TRAINED)):
        if (source / "config.json").exists():
            legacy = import_checkpoint(source, card_for(source), work / f"{name}-legacy", target="legacy").folder
            yield name, import_checkpoint(source, card_for(source), work / f"{name}-current").folder, legacy


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Read]:
    work = tmp_path_factory.mktemp("legacy")
    found = {}
    for name, current, legacy in sources(work):
        found[name] = read(current, legacy, tmp_path_factory.mktemp("read"))
    return found


NAMES = ["built llava_next", "built llava_onevision", "imported", "trained"]


@pytest.fixture(params=NAMES)
def one(request: pytest.FixtureRequest, everything: dict[str, Read]) -> Read:
    if request.param not in everything:
        pytest.skip("models/tower-mini has not been trained")
    return everything[request.param]


def test_the_environment_is_that_of_the_older_software(everything: dict[str, Read]) -> None:
    assert {found.version.rpartition(".")[0] for found in everything.values()} == {"4.57"}


def test_every_tensor_has_its_place_in_both_copies(one: Read) -> None:
    assert one.keys == {"current": [[], [], []], "legacy": [[], [], []]}


def test_the_legacy_copy_gives_the_numbers_of_transformers_5(one: Read) -> None:
    for prompt in PROMPTS:
        torch.testing.assert_close(one.four["legacy"][prompt], one.five[prompt], atol=TOLERANCE, rtol=0)


def test_the_current_copy_is_wrong_there_for_pictures_only(one: Read) -> None:
    """Why there are two: it loads, and answers of pictures are off."""
    torch.testing.assert_close(one.four["current"]["text"], one.five["text"], atol=TOLERANCE, rtol=0)
    for prompt in ("one", "several"):
        assert (one.four["current"][prompt] - one.five[prompt]).abs().max() > 100 * TOLERANCE


def test_tokens_are_the_same(one: Read) -> None:
    assert one.small["legacy"]["ids"] == one.small["current"]["ids"] == one.ids


@pytest.mark.parametrize("name", ["imported", "trained"])
def test_the_legacy_copy_names_a_processor_that_is_there(name: str, everything: dict[str, Read]) -> None:
    if name not in everything:
        pytest.skip("models/tower-mini has not been trained")
    assert everything[name].small["legacy"]["processor"] in ("LlavaNextImageProcessor", "LlavaOnevisionImageProcessor")
