"""What the engine tests share: pictures and clips from a seed, requests, a broken checkpoint."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tvbench.data.media.clips import Clip, Decoded
from tvbench.engines.protocol import Engine, ListFeed, Prepared
from tvbench.types import Media, Message, ModelCard, Request, Response, Sampling

SIZES = ((56, 56), (40, 120), (150, 60), (200, 130), (33, 34), (300, 50), (64, 240))
"""Width and height of test pictures: one tile to six, wide and tall, and sizes where unpadding cuts rows off."""


def card_for(folder: Path, **changes: object) -> ModelCard:
    fields: dict[str, object] = {"modalities": ("image", "multi-image", "video")}
    return ModelCard("tiny", "folder", str(folder), **{**fields, **changes})  # type: ignore[arg-type]


def picture(seed: int, size: tuple[int, int]) -> Image.Image:
    width, height = size
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def clip(seed: int, frames: int, size: int = 70) -> Clip:
    stack = [np.asarray(picture(seed * 100 + place, (size, size))) for place in range(frames)]
    return Clip(np.stack(stack), tuple(place / 4 for place in range(frames)), frames / 4)


def ask(
    key: str,
    text: str,
    *media: Decoded,
    sampling: Sampling = Sampling(max_new_tokens=12),
    continuation: str | None = None,
) -> Prepared:
    """A prepared request: the media, then the text, in one user turn."""
    shown = tuple(
        Media("video" if isinstance(medium, Clip) else "image", f"{key}-{place}", lambda: b"")
        for place, medium in enumerate(media)
    )
    messages = (Message("user", (*shown, text)),)
    return Prepared(Request(key, messages, sampling, continuation), tuple(media))


def mixed(count: int = 12) -> list[Prepared]:
    """Text, one picture, several pictures and clips, of very different lengths."""
    requests = []
    for number in range(count):
        text = "Was ist das? 什么颜色 " * (1 + number % 4) + str(number)
        several: list[list[Decoded]] = [
            [],
            [picture(number, SIZES[number % len(SIZES)])],
            [picture(number, SIZES[0]), picture(number + 50, SIZES[3])],
            [clip(number, 8)],
        ]
        requests.append(ask(f"k{number}", text, *several[number % 4]))
    return requests


def serve(engine: Engine, prepared: Sequence[Prepared]) -> dict[str, Response]:
    return {response.key: response for response in engine.serve(ListFeed(prepared))}


def break_layout(good: Path, broken: Path) -> Path:
    """The same model as a published checkpoint might hold it: image rows unscaled, head present, raw 5.x names, the
    training class named, both image token names with different values, a version before 5.4 and no marker."""
    broken.mkdir(parents=True)
    for path in good.iterdir():
        if path.name not in ("config.json", "model.safetensors"):
            (broken / path.name).write_bytes(path.read_bytes())
    config = json.loads((good / "config.json").read_text())
    hidden = config["text_config"]["hidden_size"]
    del config["tvbench"], config["vision_config"]["vision_use_head"]
    config |= {"transformers_version": "4.51.3", "tie_word_embeddings": False, "image_token_index": 32000}
    config |= {"image_token_id": 6, "mm_projector_lr": 1e-3, "torch_dtype": config.pop("dtype")}
    config["text_config"]["architectures"] = ["LlavaGemma2ForCausalLM"]
    (broken / "config.json").write_text(json.dumps(config))
    tensors = {}
    for name, tensor in load_file(good / "model.safetensors").items():
        if name.startswith("multi_modal_projector.linear_2") or name == "image_newline":
            tensor = tensor / math.sqrt(hidden)
        tensors[name.replace("vision_tower.vision_model.", "vision_tower.")] = tensor.contiguous()
    tensors["language_model.lm_head.weight"] = tensors["language_model.model.embed_tokens.weight"].clone()
    tensors["vision_tower.head.probe"] = torch.ones(1, 1, 4)
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    return broken
