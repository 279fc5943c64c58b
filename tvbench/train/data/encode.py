"""A sample as tensors: token ids with room for image rows, labels, pixels.

Reads what it needs from the checkpoint that is trained: its tokenizer, its token ids, its image processor. A picture is
tiled as both engines tile it when the model answers, also among several pictures (`images: anyres`); `square` is the
projector's stage: one resized tile, no newline. Knows no order and no batch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from PIL import Image

from tvbench.data.media.anyres import clip_rows, picture_rows
from tvbench.data.media.images import open_image
from tvbench.errors import MediaError
from tvbench.train.data.pixels import Levels, Pixels
from tvbench.train.data.sample import VIDEO_MARK, BrokenSample, Drawn, Medium, TrainSample, Turn
from tvbench.train.data.template import MARKS, START, Rendered, instruct, placed, plain
from tvbench.train.loss import IGNORED
from tvbench.train.stages import Stage

if TYPE_CHECKING:
    from tvbench.data.media.video import Decoder

Layout = Literal["flat", "anyres", "clip"]


@dataclass(frozen=True, slots=True)
class Visual:
    """A picture or a clip: `pixels` [tiles or frames, 3, tile, tile], `size` (height, width) of the original, and the
    number of input `rows` that it takes. Pixels are bytes, of which `levels` say what they stand for, or without
    `levels` the tower's own numbers."""

    layout: Layout
    pixels: torch.Tensor
    size: tuple[int, int]
    rows: int
    levels: Levels | None = None

    def on(self, device: torch.device) -> torch.Tensor:
        """The pixels as the tower takes them, made on `device` of what was sent there."""
        pixels = self.pixels.to(device)
        return pixels if self.levels is None else self.levels.of(pixels)


@dataclass(frozen=True, slots=True)
class EncodedSample:
    """One sample. `input_ids` and `labels` are int64 [n], not shifted; labels are IGNORED where nothing is trained.
    Each visual's placeholder is repeated `rows` times. `branches` [n] numbers the conversations of a sample that has
    several from 1; 0 is what they share, and all there is in other samples. `positions` [n] go on from what is shared.
    """

    id: str
    input_ids: torch.Tensor
    labels: torch.Tensor
    branches: torch.Tensor
    positions: torch.Tensor
    visuals: tuple[Visual, ...]
    modality: str
    language: str
    source: str


class Token(NamedTuple):
    """A token with its label and its branch; `said`: it is part of an answer's text, and trained."""

    id: int
    label: int
    branch: int
    said: bool = False


class Encoder:
    """Turns samples into tensors for one stage. `folder` is an assembled checkpoint."""

    def __init__(self, folder: Path, stage: Stage) -> None:
        from transformers import AutoTokenizer

        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        vision = config["vision_config"]
        self.stage = stage
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.tokenizer.model_max_length = sys.maxsize  # too long is our matter: no warning besides
        self.tile = int(vision["image_size"])
        self.side = self.tile // int(vision["patch_size"])
        self.pixels = Pixels(folder, self.tile)
        ratio = str(config.get("vision_aspect_ratio", ""))
        self.downsampled_above = int(ratio.removeprefix("anyres_max_")) if "anyres_max_" in ratio else None
        self.bos = int(self.tokenizer.bos_token_id)
        self.image_id = int(config["image_token_index"])
        self.video_id = int(config.get("video_token_index", -1))
        self.marks = {self._single(mark) for mark in MARKS}
        self._decoder: Decoder | None = None

    def encode(self, sample: TrainSample) -> EncodedSample:
        """Raises BrokenSample: see `placed`; media that cannot be read; longer than the context; nothing trained."""
        conversations = [placed(conversation) for conversation in alone(sample)]
        visuals = tuple(self._visual(sample, medium) for medium in sample.media)
        if self.stage.time_prompt and sample.modality == "video":
            conversations = [with_time(turns, self.stage.frames) for turns in conversations]
        tokens = self._tokens(conversations, sample)
        wide = self._expanded(sample, tokens, visuals)
        kept = self._within_context(sample, wide)
        branches = [token.branch for token in kept]
        return EncodedSample(
            id=sample.id,
            input_ids=torch.tensor([token.id for token in kept]),
            labels=torch.tensor([token.label for token in kept]),
            branches=torch.tensor(branches),
            positions=torch.tensor(positions([token.branch for token in wide])[: len(kept)]),
            visuals=visuals,
            modality=sample.modality,
            language=sample.language,
            source=sample.source,
        )

    def most_bytes(self) -> int:
        """Bytes of a sample at most: its context, and the pixels of a clip, or a picture in most tiles, if its stage
        has such."""
        kinds = {entry.modality for entry in self.stage.data}
        area = self.tile**2
        most = max(high * wide for high, wide in self.pixels.resolutions) // area
        tiles = max(
            (
                self.stage.frames if kind == "video" else 1 + most * (self.stage.images == "anyres")
                for kind in kinds
                if kind != "text"
            ),
            default=0,
        )
        return 4 * 8 * self.stage.max_length + 3 * area * tiles

    def _within_context(self, sample: TrainSample, tokens: list[Token]) -> list[Token]:
        """All tokens, or under `too_long: cut` those of the context. Raises BrokenSample where they do not fit, or
        nothing is left to learn."""
        limit = self.stage.max_length
        long = f"longer than the context: {len(tokens):,} tokens, {limit:,} fit"
        if len(tokens) > limit and self.stage.too_long == "skip":
            raise BrokenSample(sample.id, long)
        if any(self._is_place(token.id) for token in tokens[limit:]):
            raise BrokenSample(sample.id, f"{long}, and not all of its pictures")
        if not any(token.said for token in tokens[:limit]):
            raise BrokenSample(
                sample.id,
                f"{long}, and no answer is among them" if len(tokens) > limit else "nothing of it can be learned",
            )
        return tokens[:limit]

    # ── Text ──────────────────────────────────────────────────────────────────────────────────────

    def _rendered(self, turns: Sequence[Turn]) -> Rendered:
        return plain(turns) if self.stage.template == "plain" else instruct(turns, self.stage.mask)

    def _tokens(self, conversations: Sequence[Sequence[Turn]], sample: TrainSample) -> list[Token]:
        """One bos, then the conversation; or what several share, and then each of them."""
        rendered = [self._rendered(turns) for turns in conversations]
        bos = Token(self.bos, IGNORED, 0)
        if len(rendered) == 1:
            return [bos, *self._learned(rendered[0], 0, 0)]
        head = len(self._head(sample))
        if any(conversation.text[:head] != rendered[0].text[:head] for conversation in rendered):
            raise BrokenSample(sample.id, "its conversations do not begin with what they share")
        common = Rendered(rendered[0].text[:head], (), rendered[0].marks_too)
        found = [bos, *self._learned(common, 0, 0)]
        for number, conversation in enumerate(rendered, 1):
            first, *rest = self._learned(conversation, head, number)
            # What stands before a branch is another branch: its first token cannot be predicted from there.
            found += [Token(first.id, IGNORED, number), *rest]
        return found

    def _head(self, sample: TrainSample) -> str:
        """The text that all conversations of a sample begin with."""
        if self.stage.template == "plain":
            return "".join(f"<{medium.kind}>" for medium in sample.media)
        return f"{START}user\n{sample.shared}"

    def _learned(self, rendered: Rendered, start: int, branch: int) -> list[Token]:
        """The tokens of a text from character `start` on; placeholders are not yet repeated and never trained."""
        text = rendered.text[start:]
        given = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        found = []
        for token, (begin, end) in zip(given["input_ids"], given["offset_mapping"], strict=True):
            span = (start + begin, start + end)
            learned = _inside(span, rendered.learned) or (rendered.marks_too and token in self.marks)
            learned = learned and not self._is_place(token)
            said = learned and any(first < span[1] and span[0] < last for first, last in rendered.answers)
            found.append(Token(token, token if learned else IGNORED, branch, said))
        return found

    def _expanded(self, sample: TrainSample, tokens: Sequence[Token], visuals: tuple[Visual, ...]) -> list[Token]:
        """The tokens, each placeholder repeated for its rows."""
        places = sum(self._is_place(token.id) for token in tokens)
        if places != len(visuals):
            raise BrokenSample(sample.id, f"the text names {places} image tokens for {len(visuals)} pictures or clips")
        rows = iter(visuals)
        return [token for token in tokens for _ in range(next(rows).rows if self._is_place(token.id) else 1)]

    def _is_place(self, token: int) -> bool:
        return token in (self.image_id, self.video_id)

    def _single(self, text: str) -> int:
        (token,) = self.tokenizer.encode(text, add_special_tokens=False)
        return int(token)

    # ── Pictures and clips ────────────────────────────────────────────────────────────────────────

    def _visual(self, sample: TrainSample, medium: Medium) -> Visual:
        try:
            frames = self._painted(medium)
        except (MediaError, OSError) as error:
            raise BrokenSample(sample.id, str(error).replace("\n", ";")) from error
        size = (frames[0].height, frames[0].width)
        if medium.kind == "video":
            newline = self.stage.newline == "one_token"
            rows = clip_rows(len(frames), self.side, newline=newline)
            return Visual("clip", self.pixels.frames(frames), size, rows, self.pixels.levels)
        if self.stage.images == "square":
            return Visual("flat", self.pixels.square(frames[0]), size, self.side**2, self.pixels.levels)
        rows = picture_rows(size, self.pixels.resolutions, self.tile, self.side, self.downsampled_above)
        return Visual("anyres", self.pixels.tiles(frames[0]), size, rows, self.pixels.levels)

    def _painted(self, medium: Medium) -> Sequence[Image.Image]:
        if isinstance(medium, Drawn):
            return medium.paint()
        if medium.kind == "image":
            return [open_image(medium.load(), medium.name)]
        if self._decoder is None:
            from tvbench.data.media.video import Decoder

            self._decoder = Decoder(workers=1)
        clip, notes = self._decoder.decode(medium.load(), medium.name, self.stage.frames)
        if len(clip.frames) < self.stage.frames:
            raise MediaError(f"{medium.name}: {'; '.join(notes) or 'too few frames'}")
        return [Image.fromarray(np.asarray(frame)) for frame in clip.frames]


def _inside(span: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    return any(first <= span[0] and span[1] <= last for first, last in others)


def alone(sample: TrainSample) -> list[TrainSample]:
    """A sample's conversations, as samples of their own."""
    return [replace(sample, turns=turns, branches=()) for turns in (sample.turns, *sample.branches)]


def positions(branches: Sequence[int]) -> list[int]:
    """Of each token: counted from 0, and in each branch on from where what is shared ends."""
    shared = sum(branch == 0 for branch in branches)
    found, before, place = [], 0, 0
    for branch in branches:
        if branch != before:
            before, place = branch, shared
        found.append(place)
        place += 1
    return found


def with_time(turns: Sequence[Turn], frames: int) -> tuple[Turn, ...]:
    """A sentence on the sampling before the first question (LLaVA-Video's idea, our wording)."""
    said = f"The clip is shown as {frames} frames at even distances.\n"
    done = []
    for turn in turns:
        if VIDEO_MARK in turn.text and said not in turn.text:
            turn = Turn(turn.role, turn.text.replace(f"{VIDEO_MARK}\n", f"{VIDEO_MARK}\n{said}", 1))
        done.append(turn)
    return tuple(done)
