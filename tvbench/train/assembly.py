"""Puts a text model, a vision tower and a fresh projector together into one LLaVA checkpoint folder.

    text (Gemma2ForCausalLM) + vision (SigLIP) + Linear-GELU-Linear + newline  ──▶  LlavaNext or LlavaOnevision

The folder is what encoders, the loop and the exporter work on: canonical tensor names, no head, an image path that is
not yet scaled by sqrt(hidden) and says so. `generated:mini` parts are small random ones with a tokenizer of their own.
Streams: one shard in memory. Knows folders and tensors; no data and no training.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from tvbench.checkpoints.files import CHAT_TEMPLATE, llava_config, write_json, write_processors
from tvbench.checkpoints.tensors import weight_files, write_tensors
from tvbench.errors import EngineError, UsageError
from tvbench.train.generated import generated_world
from tvbench.train.stages import ModelPlan

GENERATED = "generated:mini"
SMALL_FILES = ("*.json", "*.model", "*.jinja", "*.txt")
PART_FILES = (*SMALL_FILES, "*.safetensors")
Named = Iterator[tuple[str, torch.Tensor]]


def assemble(plan: ModelPlan, folder: Path, *, seed: int) -> Path:
    """Write the checkpoint that `plan` describes into `folder`, whole or not at all, and return it.

    `seed` draws the projector, the newline and generated parts. Raises UsageError for parts that are not there or do
    not fit, EngineError for unreadable ones.
    """
    work = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    write_tensors(_described(plan, work, seed), work)
    shutil.rmtree(folder, ignore_errors=True)
    work.rename(folder)
    return folder


def describe(plan: ModelPlan, folder: Path, *, seed: int) -> Path:
    """Write all of that checkpoint into `folder` but its weights: configuration, tokenizer, processors. Raises as
    `assemble`."""
    folder.mkdir(parents=True)
    _described(plan, folder, seed, files=SMALL_FILES)
    return folder


def _described(plan: ModelPlan, work: Path, seed: int, files: Sequence[str] = PART_FILES) -> Named:
    """Writes what is no weight, and returns the weights, which are read or drawn when they are asked for. `files` are
    fetched of parts that lie on the hub."""
    if plan.text == GENERATED:
        text, text_weights = generated_world().text_part(plan, work, seed)
    else:
        text, text_weights = _text_part(plan, work, files)
    if plan.vision == GENERATED:
        vision, vision_weights = generated_world().vision_part(plan, seed)
    else:
        vision, vision_weights = _vision_part(plan, files)
    ids = {name: token_of(work, name) for name in ("<image>", "<video>") if name == "<image>" or _takes_clips(plan)}
    config = llava_config(
        plan.family,
        text,
        vision,
        image_token=ids["<image>"],
        video_token=ids.get("<video>"),
        most_tiles=plan.max_tiles,
        dtype="float32",
        vision_embed_scale="unfolded" if plan.vision_scale == "sqrt_hidden" else "folded",
    )
    write_json(work / "config.json", config)
    write_json(work / "generation_config.json", _generation(work, text))
    write_processors(
        work, plan.family, tile=int(vision["image_size"]), patch=int(vision["patch_size"]), most_tiles=plan.max_tiles
    )
    return _all(text_weights, vision_weights, _bridge(vision, text, seed))


def token_of(folder: Path, token: str) -> int:
    """The id of an added token in a checkpoint's tokenizer. Raises EngineError."""
    from tvbench.checkpoints.corrections import token_id

    return token_id(folder, token)


def _takes_clips(plan: ModelPlan) -> bool:
    return plan.family == "llava_onevision"


def _all(*parts: Named) -> Named:
    for part in parts:
        yield from part


def _generation(folder: Path, text: dict[str, Any]) -> dict[str, Any]:
    """Ids of the text model's configuration, which may name one end or several, or leave all to Gemma2's own."""
    given = text.get("eos_token_id", 1)
    ends = given if isinstance(given, list) else [given]
    if not all(type(token) is int for token in ends):
        raise EngineError(
            f"the text model's eos_token_id is {given!r}", "a whole number or a list of them, in its config.json"
        )
    stops = list(dict.fromkeys([*ends, token_of(folder, "<end_of_turn>")]))
    return {
        "bos_token_id": text.get("bos_token_id", 2),
        "eos_token_id": stops,
        "pad_token_id": text.get("pad_token_id", 0),
    }


# ── The bridge ────────────────────────────────────────────────────────────────────────────────────


def _bridge(vision: dict[str, Any], text: dict[str, Any], seed: int) -> Named:
    """Projector as torch initialises linears, newline N(0, 1 / sqrt(hidden)), both by `seed`."""
    wide, hidden = int(vision["hidden_size"]), int(text["hidden_size"])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for number, inner in ((1, wide), (2, hidden)):
            linear = torch.nn.Linear(inner, hidden)
            yield f"multi_modal_projector.linear_{number}.weight", linear.weight.detach()
            yield f"multi_modal_projector.linear_{number}.bias", linear.bias.detach()
        yield "image_newline", torch.randn(hidden) / math.sqrt(hidden)


# ── Published parts ───────────────────────────────────────────────────────────────────────────────


def _text_part(plan: ModelPlan, work: Path, files: Sequence[str]) -> tuple[dict[str, Any], Named]:
    """Configuration and tensors of a Gemma2 checkpoint; its tokenizer, with our tokens added, goes to `work`."""
    from transformers import AutoTokenizer

    folder = part_folder(plan.text, plan.text_revision, files)
    config = _config(folder)
    if config.get("model_type") != "gemma2":
        raise UsageError(
            f"{plan.text} is a {config.get('model_type')} model; Gemma2 is what this assembly is for",
            "for example --set model.text=Unbabel/Tower-Plus-2B",
        )
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    added = ["<image>", "<video>"] if _takes_clips(plan) else ["<image>"]
    tokenizer.add_special_tokens({"extra_special_tokens": added})
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.padding_side = "left"
    tokenizer.save_pretrained(work)
    known = int(config["vocab_size"])
    vocabulary = max(known, len(tokenizer))
    text = {**config, "architectures": ["Gemma2ForCausalLM"], "vocab_size": vocabulary}
    text = {name: value for name, value in text.items() if name not in ("torch_dtype", "transformers_version")}
    return text, _text_tensors(folder, vocabulary - known)


def _text_tensors(folder: Path, more: int) -> Named:
    for name, tensor in _tensors(folder):
        if name == "lm_head.weight":
            continue  # tied to the embedding, as in every Gemma2
        if name == "model.embed_tokens.weight" and more:
            # Rows of the new tokens are replaced by pictures; as outputs they should be nothing special: the mean.
            mean = tensor.float().mean(0, keepdim=True).expand(more, -1)
            tensor = torch.cat((tensor, mean.to(tensor.dtype)))
        yield f"language_model.{name}", tensor.float()


KEPT_OF_SIGLIP = (
    *("hidden_size", "intermediate_size", "num_attention_heads", "image_size", "patch_size", "hidden_act"),
    *("layer_norm_eps", "num_channels", "attention_dropout"),
)


def _vision_part(plan: ModelPlan, files: Sequence[str]) -> tuple[dict[str, Any], Named]:
    """Configuration and tensors of a SigLIP tower, without its pooling head and with `vision_layers` layers."""
    folder = part_folder(plan.vision, plan.vision_revision, files)
    whole = _config(folder)
    config = dict(whole.get("vision_config") or whole)
    # The hub's configurations leave out what equals the class's default.
    from transformers import SiglipVisionConfig

    given = SiglipVisionConfig(**{name: value for name, value in config.items() if name != "model_type"}).to_dict()
    layers = plan.vision_layers or int(given["num_hidden_layers"])
    if layers > int(given["num_hidden_layers"]):
        raise UsageError(
            f"{plan.vision} has {given['num_hidden_layers']} layers, not {layers}", "--set model.vision_layers=N"
        )
    for name, value in (("image_size", plan.image_size), ("patch_size", plan.patch_size)):
        if int(given[name]) != value:
            raise UsageError(
                f"{plan.vision} has {name} {given[name]}, the recipe says {value}",
                f"--set model.{name}={given[name]}, or another tower",
            )
    vision = {name: given[name] for name in KEPT_OF_SIGLIP if name in given}
    vision |= {"model_type": "siglip_vision_model", "num_hidden_layers": layers, "vision_use_head": False}
    return vision, _vision_tensors(folder, layers)


def _vision_tensors(folder: Path, layers: int) -> Named:
    for name, tensor in _tensors(folder):
        if name.startswith(("text_model.", "logit_")):
            continue
        inner = name.removeprefix("vision_model.")
        parts = inner.split(".")
        dropped = parts[0] == "head" or (parts[:2] == ["encoder", "layers"] and int(parts[2]) >= layers)
        if not dropped:
            yield f"vision_tower.vision_model.{inner}", tensor.float()


def part_folder(name: str, revision: str | None, files: Sequence[str] = PART_FILES) -> Path:
    """The folder of a part: a local one, or a hub repository that is downloaded once. Raises UsageError."""
    local = Path(name).expanduser()
    if local.is_dir():
        return local
    if name.count("/") != 1 or name.startswith((".", "/")):
        raise UsageError(f"there is no folder {name}", "give a checkpoint folder or a hub id such as org/name")
    from tvbench.registry.hub import snapshot

    return snapshot(name, kind="model", revision=revision, files=files)


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot read {folder / 'config.json'}: {error}", "is this a checkpoint folder?") from error
    if not isinstance(config, dict):
        raise EngineError(f"{folder / 'config.json'} is not a JSON object")
    return config


def _tensors(folder: Path) -> Named:
    from safetensors import SafetensorError, safe_open

    for path in weight_files(folder):
        try:
            with safe_open(path, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118 - not a dict
                    yield name, opened.get_tensor(name)
        except SafetensorError as error:
            raise EngineError(f"{path} is not a readable safetensors file: {error}", "copy it again") from error


# ── Opening ───────────────────────────────────────────────────────────────────────────────────────


def vision_scale(folder: Path) -> float:
    """What projected rows of a checkpoint must be multiplied by: sqrt(hidden) where that is not folded in yet."""
    config = _config(folder)
    marker = (config.get("tvbench") or {}).get("vision_embed_scale")
    if marker not in ("folded", "unfolded"):
        raise UsageError(f"{folder} does not say whether its image rows are scaled", "`tvbench models import` first")
    return math.sqrt(int(config["text_config"]["hidden_size"])) if marker == "unfolded" else 1.0


def open_model(
    folder: Path, *, dtype: torch.dtype = torch.float32, attention: str = "eager", tower: str = "eager"
) -> Any:
    """The transformers model of an assembled or exported checkpoint, every key accounted for. `attention` is the text
    model's, `tower` the vision tower's.

    Raises UsageError for an attention that ignores Gemma2's soft-cap, EngineError for missing or unexpected tensors.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()  # ours is the progress that is watched
    model, report = model_class(folder).from_pretrained(
        folder,
        dtype=dtype,
        attn_implementation=attentions(attention, tower),
        local_files_only=True,
        output_loading_info=True,
    )
    for name in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        found = sorted(map(str, report.get(name) or ()))
        if found:
            raise EngineError(
                f"{folder}: {len(found)} {name.replace('_', ' ')}, first {found[0]}",
                "`tvbench doctor` says what is wrong with it",
            )
    return model


def model_class(folder: Path) -> Any:
    """The class of transformers that a checkpoint is of."""
    from transformers import LlavaNextForConditionalGeneration, LlavaOnevisionForConditionalGeneration

    onevision = _config(folder)["model_type"] == "llava_onevision"
    return LlavaOnevisionForConditionalGeneration if onevision else LlavaNextForConditionalGeneration


def attentions(text: str, tower: str) -> dict[str, str]:
    """As transformers wants to be told. Raises UsageError for one that ignores Gemma2's soft-cap."""
    if text == "sdpa":
        raise UsageError(
            "SDPA ignores Gemma2's attention soft-cap and would train another model",
            "attention: eager on a CPU, flash_attention_2 or flex_attention on a GPU",
        )
    return {"": tower, "vision_config": tower, "text_config": text}
