"""Turns a prepared request into what a transformers model takes: token ids, pixels and where they go.

Three kinds. `LlavaInputs` (LLaVA-NeXT and LLaVA-OneVision over SigLIP, so TowerVision) expands placeholders and
prepares clips itself: the video processors of transformers need torchvision, which the core environment does not have.
Every picture is tiled, also among several, as vLLM does it. `TextInputs` is for models without eyes, `ProcessorInputs`
for every other model through its own processor. Batches are padded on the left. Knows no engine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

from tvbench.checkpoints.prompt import Prompter
from tvbench.data.media.anyres import clip_rows, picture_rows
from tvbench.data.media.clips import Clip, Decoded
from tvbench.engines.processors import TORCHVISION, backend_of, open_processor, takes_clips
from tvbench.engines.protocol import Prepared
from tvbench.errors import MediaError

if TYPE_CHECKING:
    import torch

OWN_INPUTS = frozenset({"llava_next", "llava_onevision"})


@dataclass(frozen=True, slots=True)
class EncodedRequest:
    """One request, ready to be put into a batch. Pixels are made only in `collate`, to keep the window small.

    `length` is the number of prompt tokens: exact where `ids` are given, an estimate otherwise. Requests of one batch
    have equal `kind`s (clips of one length, say).
    """

    prepared: Prepared
    length: int
    kind: tuple[int, ...]
    ids: tuple[int, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Collated:
    """A batch: `tensors` are the model's keyword arguments, left-padded; `lengths` the prompt tokens of each row."""

    tensors: dict[str, torch.Tensor]
    lengths: tuple[int, ...]


class Inputs(Protocol):
    """How one model wants to be asked."""

    def encode(self, prepared: Prepared) -> EncodedRequest:
        """Raises MediaError when the request cannot be given to this model."""
        ...

    def collate(self, batch: Sequence[EncodedRequest]) -> Collated: ...


def open_inputs(folder: Path, config: dict[str, Any], prompter: Prompter) -> Inputs:
    """The inputs for the model of a checkpoint folder."""
    vision = (config.get("vision_config") or {}).get("model_type", "")
    if config.get("model_type") in OWN_INPUTS and str(vision).startswith("siglip"):
        return LlavaInputs(folder, config, prompter)
    if has_vision(config):
        return ProcessorInputs(folder, prompter)
    return TextInputs(prompter)


def has_vision(config: dict[str, Any]) -> bool:
    """Whether a configuration is that of a model that takes pictures."""
    return any(name in config for name in ("vision_config", "vision_tower", "img_processor", "embd_layer"))


class TextInputs:
    """For text-only language models."""

    def __init__(self, prompter: Prompter) -> None:
        self.prompter = prompter

    def encode(self, prepared: Prepared) -> EncodedRequest:
        if prepared.media:
            raise MediaError("this model takes text only; run the task with --no-image")
        ids = self.prompter.encode(prepared.request.messages, second_bos=prepared.request.second_bos)
        return EncodedRequest(prepared, len(ids), (), tuple(ids))

    def collate(self, batch: Sequence[EncodedRequest]) -> Collated:
        return pad_left(batch, self.prompter.tokenizer)


class LlavaInputs:
    """For LLaVA-NeXT and LLaVA-OneVision with a SigLIP tower.

    Tokens of a picture: one thumbnail of n patches, then the tiles' grid without its padding, and one newline a row.
    Tokens of a clip: each frame's patches pooled 2x2, and one newline at the end.
    """

    def __init__(self, folder: Path, config: dict[str, Any], prompter: Prompter) -> None:
        from transformers import AutoImageProcessor

        self.prompter = prompter
        self.tile = int(config["vision_config"]["image_size"])
        self.side = self.tile // int(config["vision_config"]["patch_size"])
        self.grids: list[list[int]] = config["image_grid_pinpoints"]
        self.image_id, self.video_id = config.get("image_token_index"), config.get("video_token_index")
        onevision = config["model_type"] == "llava_onevision"
        ratio = str(config.get("vision_aspect_ratio", "anyres_max_9"))
        self.most_tiles = int(ratio.removeprefix("anyres_max_")) if onevision else None
        self.images = AutoImageProcessor.from_pretrained(
            folder, backend="pil", local_files_only=True, trust_remote_code=False
        )
        self.clips = ClipProcessor(folder, self.tile)

    def encode(self, prepared: Prepared) -> EncodedRequest:
        ids = self.prompter.encode(prepared.request.messages, second_bos=prepared.request.second_bos)
        images = [medium for medium in prepared.media if not isinstance(medium, Clip)]
        clips = [medium for medium in prepared.media if isinstance(medium, Clip)]
        counts = {
            self.image_id: [self.image_tokens(image.height, image.width) for image in images],
            self.video_id: [self.clip_tokens(len(clip.frames)) for clip in clips],
        }
        expanded = expand(ids, {token: sizes for token, sizes in counts.items() if token is not None})
        return EncodedRequest(prepared, len(expanded), (clip_length(prepared),), tuple(expanded))

    def collate(self, batch: Sequence[EncodedRequest]) -> Collated:
        import torch

        padded = pad_left(batch, self.prompter.tokenizer)
        media: list[Decoded] = [medium for item in batch for medium in item.prepared.media]
        images = [as_rgb(medium) for medium in media if not isinstance(medium, Clip)]
        clips = [self.clips(medium.frames) for medium in media if isinstance(medium, Clip)]
        if images:
            # A flat list: the processor then tiles every picture, as vLLM does.
            pixels = self.images(images, return_tensors="pt", do_pad=True)
            padded.tensors["pixel_values"] = pixels["pixel_values"]
            padded.tensors["image_sizes"] = pixels["image_sizes"]
        if clips:
            padded.tensors["pixel_values_videos"] = torch.from_numpy(np.stack(clips))
        return padded

    def image_tokens(self, height: int, width: int) -> int:
        """Tokens of one picture of that size in pixels."""
        return picture_rows((height, width), self.grids, self.tile, self.side, self.most_tiles)

    def clip_tokens(self, frames: int) -> int:
        """Tokens of one clip of that many frames."""
        return clip_rows(frames, self.side)


class ClipProcessor:
    """Frames to pixel values, as a checkpoint's video processor configuration says (default: as for pictures)."""

    def __init__(self, folder: Path, tile: int) -> None:
        stored: dict[str, Any] = {}
        for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
            if (folder / name).exists():
                stored |= json.loads((folder / name).read_text(encoding="utf-8"))
        combined = folder / "processor_config.json"
        if combined.exists():
            stored |= json.loads(combined.read_text(encoding="utf-8")).get("video_processor") or {}
        self.mean = np.asarray(stored.get("image_mean", [0.5] * 3), dtype=np.float32)
        self.std = np.asarray(stored.get("image_std", [0.5] * 3), dtype=np.float32)
        self.factor = float(stored.get("rescale_factor", 1 / 255))
        self.tile = tile

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Pixel values, float32 (frames, 3, tile, tile), of uint8 (frames, height, width, 3)."""
        pixels = fit_frames(frames, self.tile).astype(np.float32) * self.factor
        normal: np.ndarray = (pixels - self.mean) / self.std
        return np.ascontiguousarray(normal.transpose(0, 3, 1, 2))


class ProcessorInputs:
    """For any other image-text model, through its own AutoProcessor. Its chat template places the media."""

    def __init__(self, folder: Path, prompter: Prompter) -> None:
        self.prompter = prompter
        self.processor = open_processor(folder)
        self.backend = backend_of(self.processor)

    def encode(self, prepared: Prepared) -> EncodedRequest:
        text = self.prompter.render(prepared.request.messages, second_bos=prepared.request.second_bos)
        clips = sum(isinstance(medium, Clip) for medium in prepared.media)
        if clips and not takes_clips(self.processor):
            raise MediaError(f"this model's video processor needs torchvision, which is not installed: {TORCHVISION}")
        length = len(self.prompter.tokenizer(text, add_special_tokens=False)["input_ids"])
        length += sum(_pixels(medium) for medium in prepared.media) // 784
        return EncodedRequest(prepared, length, (len(prepared.media) - clips > 0, clips > 0), text=text)

    def collate(self, batch: Sequence[EncodedRequest]) -> Collated:
        images = [[medium for medium in item.prepared.media if not isinstance(medium, Clip)] for item in batch]
        clips = [[medium for medium in item.prepared.media if isinstance(medium, Clip)] for item in batch]
        given: dict[str, Any] = {}
        if any(images):
            given["images"] = images
        if any(clips):
            given["videos"] = [[clip.frames for clip in row] for row in clips]
            # We have sampled: the processor must not again.
            given |= {"video_metadata": [[in_time(clip) for clip in row] for row in clips], "do_sample_frames": False}
        tensors = dict(
            self.processor(
                text=[item.text for item in batch],
                padding=True,
                padding_side="left",
                add_special_tokens=False,
                return_tensors="pt",
                **given,
            )
        )
        return Collated(tensors, tuple(int(row) for row in tensors["attention_mask"].sum(1)))


def as_rgb(image: Image.Image) -> Image.Image:
    """The picture itself where it is RGB: a copy of every one in a batch would double what they take."""
    return image if image.mode == "RGB" else image.convert("RGB")


def fit_frames(frames: np.ndarray, size: int) -> np.ndarray:
    """Frames resized to `size` pixels square, bicubic. Both engines are given the same resized frames."""
    if frames.shape[1:3] == (size, size):
        return frames
    resized = [np.asarray(Image.fromarray(frame).resize((size, size), Image.Resampling.BICUBIC)) for frame in frames]
    return np.stack(resized)


def in_time(clip: Clip) -> dict[str, Any]:
    """What models that place frames in time want to know of a clip: its frames are all there are, at the rate at which
    they were taken (frames a second; 1 where nobody knows)."""
    count = len(clip.frames)
    span = clip.times[-1] - clip.times[0] if len(clip.times) == count > 1 else 0.0
    fps = (count - 1) / span if span > 0 else 1.0
    return {
        "fps": fps,
        "duration": clip.duration if clip.duration is not None else count / fps,
        "total_num_frames": count,
        "frames_indices": list(range(count)),
        "video_backend": "tvbench",
    }


def clip_length(prepared: Prepared) -> int:
    """The number of frames of the request's clips (0: no clips). Raises MediaError when they differ."""
    lengths = {len(medium.frames) for medium in prepared.media if isinstance(medium, Clip)}
    if len(lengths) > 1:
        raise MediaError("the clips of one question have different numbers of frames")
    return lengths.pop() if lengths else 0


def expand(ids: Sequence[int], counts: dict[int, list[int]]) -> list[int]:
    """`ids` with the n-th placeholder repeated as often as the n-th medium of its kind has tokens.

    Raises MediaError when placeholders and media differ in number.
    """
    for token, sizes in counts.items():
        if ids.count(token) != len(sizes):
            raise MediaError(f"the prompt has {ids.count(token)} placeholders for {len(sizes)} pictures or clips")
    following = {token: iter(sizes) for token, sizes in counts.items()}
    expanded: list[int] = []
    for token in ids:
        expanded.extend([token] * (next(following[token]) if token in following else 1))
    return expanded


def pad_left(batch: Sequence[EncodedRequest], tokenizer: Any) -> Collated:
    """`input_ids` and `attention_mask` of shape (rows, longest), padded on the left."""
    import torch

    longest = max(item.length for item in batch)
    ids = torch.full((len(batch), longest), int(tokenizer.pad_token_id or 0), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, item in enumerate(batch):
        ids[row, longest - item.length :] = torch.tensor(item.ids)
        mask[row, longest - item.length :] = 1
    tensors = {"input_ids": ids, "attention_mask": mask}
    return Collated(tensors, tuple(item.length for item in batch))


def _pixels(medium: Decoded) -> int:
    return int(np.prod(medium.frames.shape[:3])) if isinstance(medium, Clip) else medium.width * medium.height
