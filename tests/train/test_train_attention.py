"""Which attention a stage gets, over all that it may need and all that a machine may have."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from training import assembled, encoded, entry, mean_loss, recipe, stage

from tvbench.errors import UsageError
from tvbench.train import attention_choice
from tvbench.train.assembly import open_model, vision_scale
from tvbench.train.attention_choice import Attentions, Hardware, attention_of, chosen, hardware
from tvbench.train.data.batches import pack, total_weight, weighed
from tvbench.train.model import VisionLanguageTrainee
from tvbench.train.recipe import load_recipe, recipe_names
from tvbench.train.session import train

CPU, GPU, FLASH_GPU = Hardware(False, False), Hardware(True, False), Hardware(True, True)
BY_SAMPLE, FLASH, FLEX = "eager_by_sample", "flash_attention_2", "flex_attention"
EXPECTED = {
    # machine, precision: (padded, packed, padded with branches, packed with branches)
    (CPU, "float32"): ("eager", BY_SAMPLE, "eager", BY_SAMPLE),
    (CPU, "bfloat16"): ("eager", BY_SAMPLE, "eager", BY_SAMPLE),
    (GPU, "float32"): ("eager", BY_SAMPLE, "eager", BY_SAMPLE),
    (GPU, "bfloat16"): (FLEX, FLEX, FLEX, FLEX),
    (FLASH_GPU, "float32"): ("eager", BY_SAMPLE, "eager", BY_SAMPLE),
    (FLASH_GPU, "bfloat16"): (FLASH, FLASH, FLEX, FLEX),
}


def needing(*, branches: bool, **fields: Any) -> Any:
    """A stage of captions, and where asked for, of several conversations on one picture."""
    data = (entry("captions"), entry("scene", branches=4)) if branches else (entry("captions"),)
    return stage(data=data, **fields)


@pytest.mark.parametrize("objective", ["language", "patches"])
def test_the_attention_is_chosen_by_what_a_stage_needs_and_a_machine_has(objective: str) -> None:
    found = {}
    for here, precision in product((CPU, GPU, FLASH_GPU), ("float32", "bfloat16")):
        needs = product((False, True), (False, True))
        found[here, precision] = tuple(
            chosen(needing(branches=branches, packing=packing, precision=precision, objective=objective), here).text
            for branches, packing in needs
        )
    assert found == EXPECTED


@pytest.mark.parametrize("here", [CPU, GPU, FLASH_GPU])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("asked", ["auto", "eager", BY_SAMPLE])
def test_a_tower_has_an_attention_that_takes_any_precision(here: Hardware, precision: str, asked: str) -> None:
    assert chosen(stage(precision=precision, attention=asked), here).tower == ("sdpa" if here.gpu else "eager")


@pytest.mark.parametrize("name", recipe_names())
def test_no_stage_of_a_recipe_gets_an_attention_that_refuses_it(name: str) -> None:
    size = None if name == "mini" else "2b"
    for one, here in product(load_recipe(name, size=size).stages, (CPU, GPU, FLASH_GPU)):
        if chosen(one, here).text == FLASH:
            assert one.precision == "bfloat16" and not attention_choice.branched(one), (one.name, here)


@pytest.mark.parametrize(
    ("asked", "here", "fields", "said"),
    [
        (FLASH, CPU, {}, "needs a GPU"),
        (FLEX, CPU, {}, "needs a GPU"),
        (FLASH, GPU, {}, r"needs the package flash-attn 2\.6"),
        (FLASH, FLASH_GPU, {"precision": "float32"}, "has no float32"),
        (FLASH, FLASH_GPU, {"branches": True}, "cannot be told of several"),
    ],
)
def test_an_attention_that_cannot_train_a_stage_is_refused_before_it_begins(
    asked: str, here: Hardware, fields: dict[str, Any], said: str
) -> None:
    asking = needing(**{"branches": False, "precision": "bfloat16", "attention": asked, **fields})
    with pytest.raises(UsageError, match=rf"stage 2: attention {asked} {said}(.|\n)*--set stage2.attention=auto"):
        chosen(asking, here)


@pytest.mark.parametrize("asked", ["eager", BY_SAMPLE, FLEX, FLASH])
def test_what_can_train_a_stage_is_not_replaced(asked: str) -> None:
    assert chosen(needing(branches=False, precision="bfloat16", attention=asked), FLASH_GPU).text == asked


@pytest.mark.parametrize(
    ("installed", "capability", "flash"),
    [
        ("2.8.3", (9, 0), True),
        ("2.6.0.post1", (8, 0), True),
        ("2.5.9", (9, 0), False),
        ("2.8.3", (7, 5), False),
        ("4.0.0b1", (9, 0), False),
        ("unknown", (9, 0), False),
        (None, (9, 0), False),
    ],
)
def test_flash_attention_counts_where_it_has_a_soft_cap_and_runs(
    monkeypatch: pytest.MonkeyPatch, installed: str | None, capability: tuple[int, int], flash: bool
) -> None:
    """A stranger's machine, at the two places where it is asked: which packages, which GPU."""

    def version(name: str) -> str:
        if installed is None:
            raise PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(attention_choice, "version", version)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert hardware(torch.device("cuda")) == Hardware(True, flash)
    assert hardware(torch.device("cpu")) == CPU


def test_packed_rows_are_trained_sample_by_sample_here() -> None:
    assert attention_of(stage(packing=True), torch.device("cpu")) == Attentions(BY_SAMPLE, "eager")


def test_text_and_tower_have_attentions_of_their_own(tmp_path: Path) -> None:
    """As on a GPU in float32; the same loss as with both eager."""
    folder = assembled(tmp_path)
    model = open_model(folder, attention=BY_SAMPLE, tower="sdpa")
    assert model.config.text_config._attn_implementation == BY_SAMPLE
    assert model.config.vision_config._attn_implementation == "sdpa"
    samples = encoded(folder, "captions", 4)
    expected = mean_loss(VisionLanguageTrainee(open_model(folder), vision_scale(folder)), samples)
    (batch,) = pack([samples], 0, 512, 1)
    everyone = total_weight([batch], "global_tokens")
    (ready,) = weighed([batch], "global_tokens", everyone=everyone, processes=1)
    found = VisionLanguageTrainee(model, vision_scale(folder))(ready)
    torch.testing.assert_close(found, expected)


def test_a_stage_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a GPU"):
        train(recipe(stage(steps=1), stage(number=3, name="late", attention=FLEX)), tmp_path / "run")
    assert not (tmp_path / "run").exists()
