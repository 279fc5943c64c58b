"""Checks of the small files: tokenizer, chat template, stop tokens, and how pictures are prepared.

Knows what TowerVision was trained with; reads no weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tvbench.checkpoints.corrections import token_id
from tvbench.checkpoints.probes import CONVERSATIONS, rendered
from tvbench.checkpoints.prompt import Prompter
from tvbench.checkpoints.small_files import BICUBIC, END_OF_TURN, picture_settings, stop_ids, tower_sides
from tvbench.data.media.anyres import pinpoints
from tvbench.doctor.findings import Finding, importing
from tvbench.errors import EngineError
from tvbench.types import ModelCard

INTERPOLATIONS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""By PIL's numbers."""


def check_text(folder: Path) -> Iterator[Finding]:
    """Findings in tokenizer, chat template and stop tokens. Raises EngineError for a tokenizer that does not open."""
    prompter = Prompter(folder, ModelCard("checked", "folder", str(folder)))
    yield from _image_is_one_token(folder, prompter.tokenizer)
    yield from _stops(folder)
    if prompter.template is None:
        yield Finding(
            "warning",
            "no-template",
            "there is no chat template: prompts are plain text, as for a base model",
            "for a chat model, add chat_template.jinja",
        )
        return
    yield from _template(folder, prompter.tokenizer, prompter.template)


def check_pictures(folder: Path, config: dict[str, Any]) -> Iterator[Finding]:
    """Findings in how pictures are resized, cut into tiles and normalised."""
    found = picture_settings(folder)
    if found is None:
        yield Finding(
            "error",
            "no-processor",
            "there is no preprocessor_config.json: pictures cannot be prepared",
            "copy it from the model it was trained from",
        )
        return
    path, settings = found
    yield from _resampling(folder, settings)
    yield from _grids(path, settings, config)
    yield from _normalisation(path, settings)
    yield from _tile_size(path, settings, tower_sides(config)[0])


def _normalisation(path: Path, settings: dict[str, Any]) -> Iterator[Finding]:
    # Both classes default to CLIP's numbers where the file is silent.
    for name, wanted in (("image_mean", [0.5] * 3), ("image_std", [0.5] * 3)):
        if settings.get(name) != wanted:
            yield Finding(
                "error",
                "normalisation",
                f"{name} is {settings.get(name)}; SigLIP is trained with 0.5",
                f"set it to {wanted} in {path.name}",
            )


def _tile_size(path: Path, settings: dict[str, Any], tile: int) -> Iterator[Finding]:
    sides = {value for name in ("size", "crop_size") for value in (settings.get(name) or {}).values()}
    if sides and sides != {tile}:
        shown = ", ".join(map(str, sorted(sides)))
        yield Finding(
            "error",
            "tile-size",
            f"pictures are resized to {shown} pixels; the vision tower takes {tile}",
            f"set size and crop_size to {tile} in {path.name}",
        )


# ── Text ──────────────────────────────────────────────────────────────────────────────────────────


def _image_is_one_token(folder: Path, tokenizer: Any) -> Iterator[Finding]:
    try:
        image = token_id(folder, "<image>")
    except EngineError:
        return  # check_configuration has said so
    found = tokenizer("<image>", add_special_tokens=False)["input_ids"]
    if found != [image]:
        yield Finding(
            "error",
            "image-token-split",
            f"the tokenizer splits <image> into {found}, not {[image]}",
            "make it a special token in tokenizer.json",
        )


def _stops(folder: Path) -> Iterator[Finding]:
    stops = stop_ids(folder)
    try:
        end = token_id(folder, END_OF_TURN)
    except EngineError:
        end = None
    if end is not None and end not in stops:
        yield Finding(
            "error",
            "stop-tokens",
            f"{END_OF_TURN} ({end}) does not end an answer in generation_config.json:"
            " other software runs on into another turn",
            importing(folder),
        )
    elif not stops:
        yield Finding("error", "stop-tokens", "no token ends an answer", "add eos_token_id to generation_config.json")


def _template(folder: Path, tokenizer: Any, template: str) -> Iterator[Finding]:
    strings = rendered(tokenizer, template, as_parts=False)
    lists = rendered(tokenizer, template, as_parts=True)
    refused = {turns[0][0] for turns, text in zip(CONVERSATIONS, strings, strict=True) if text is None}
    if "user" in refused:
        said = "the chat template refuses a plain question"
        yield Finding("error", "template-refuses", said, "correct chat_template.jinja")
        return
    if "system" in refused:
        said = "the chat template refuses a system turn"
        yield Finding("warning", "template-refuses", said, "set `chat: {system_role: user}` in the model card")
    if strings != lists:
        yield Finding(
            "warning",
            "template-parts",
            "the chat template writes other text for a list of parts, as servers send it, than for a string",
            importing(folder),
        )
    yield from _beginning(tokenizer, next((text for text in strings if text is not None), None))


def _beginning(tokenizer: Any, first: str | None) -> Iterator[Finding]:
    if first is not None and tokenizer.bos_token_id is not None:
        count = tokenizer(first, add_special_tokens=False)["input_ids"].count(tokenizer.bos_token_id)
        if count != 1:
            yield Finding(
                "error",
                "bos",
                f"the chat template writes {count} {tokenizer.bos_token} tokens; Gemma needs exactly one",
                "correct chat_template.jinja",
            )


# ── Pictures ──────────────────────────────────────────────────────────────────────────────────────


def _resampling(folder: Path, settings: dict[str, Any]) -> Iterator[Finding]:
    number = settings.get("resample", BICUBIC)
    if number != BICUBIC:
        name = INTERPOLATIONS[number] if number in range(len(INTERPOLATIONS)) else str(number)
        yield Finding(
            "error",
            "resample",
            f"pictures are resized by {name} interpolation; training used bicubic",
            importing(folder),
        )
    if settings.get("do_convert_rgb", True) is not True:
        yield Finding(
            "warning",
            "convert-rgb",
            "pictures with transparency or a palette are not converted to RGB",
            importing(folder),
        )


def _grids(path: Path, settings: dict[str, Any], config: dict[str, Any]) -> Iterator[Finding]:
    tile, _ = tower_sides(config)
    grids = [list(map(int, grid)) for grid in config.get("image_grid_pinpoints") or []]
    stored = settings.get("image_grid_pinpoints")
    if stored is not None and [list(map(int, grid)) for grid in stored] != grids:
        yield Finding(
            "error",
            "grids-differ",
            f"{path.name} cuts pictures into other grids than config.json says: the "
            "number of image tokens does not fit",
            "give both the same image_grid_pinpoints",
        )
    yield from _tiled(path, grids, tile)


def _tiled(path: Path, grids: list[list[int]], tile: int) -> Iterator[Finding]:
    if not grids:
        yield Finding(
            "error",
            "no-grids",
            "config.json has no image_grid_pinpoints: the class's own are of another tile",
            "copy those of preprocessor_config.json",
        )
        return
    if any(side % tile for grid in grids for side in grid):
        said = f"image_grid_pinpoints are not multiples of the tower's {tile} pixels"
        yield Finding("error", "grids", said, f"write {pinpoints(6, tile)[:3]}, ... in {path.name} and config.json")
        return
    most = max(height * width for height, width in grids) // tile**2
    if sorted(grids) != sorted(pinpoints(most, tile)):
        yield Finding(
            "warning",
            "grids",
            f"image_grid_pinpoints are not all grids of up to {most} tiles, with which TowerVision is trained",
            f"the whole list begins {pinpoints(most, tile)[:3]}",
        )
