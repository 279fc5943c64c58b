"""Puts right the small files beside a checkpoint's weights: chat template, stop tokens, processors, tokenizer.

Works in place, on a copy that importing.py is making. Each function says what it changed by the names that
importing.MEANING explains. Knows files; reads no weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tvbench.checkpoints.corrections import token_id
from tvbench.checkpoints.files import CHAT_TEMPLATE, CLASSES, write_json, write_processors
from tvbench.checkpoints.hostile import whole_numbers
from tvbench.checkpoints.probes import rendered
from tvbench.checkpoints.prompt import Prompter, load_tokenizer
from tvbench.errors import EngineError
from tvbench.safety.bounded import read_object
from tvbench.types import ModelCard

READ = (
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.json",
)
BICUBIC = 3
END_OF_TURN = "<end_of_turn>"
VIDEO = "<video>"
SIGLIP_IMAGE, SIGLIP_PATCH = 224, 16
FAST_TOKENIZER = "PreTrainedTokenizerFast"


def correct_small_files(folder: Path) -> list[str]:
    """Stop tokens, picture processing and chat template of `folder`; the names of what was changed."""
    corrections = [*_stop_tokens(folder), *_pictures(folder)]
    if _one_template(folder):
        corrections.append("chat-template")
    return corrections


def check_readable(folder: Path) -> None:
    """Raise EngineError unless the JSON files of `folder` that engines read can be read."""
    for name in READ:
        _read(folder / name)


def picture_settings(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The file that says how pictures are prepared, and what it says; None where there is none.

    It is preprocessor_config.json, or a part of the processor_config.json that transformers 5 writes; the latter wins
    in transformers 5.
    """
    combined = folder / "processor_config.json"
    inner = _read(combined).get("image_processor")
    if isinstance(inner, dict):
        return combined, inner
    plain = folder / "preprocessor_config.json"
    return (plain, _read(plain)) if plain.exists() else None


def tower_sides(config: dict[str, Any]) -> tuple[int, int]:
    """Pixels of a tile's side and of a patch's. A configuration may leave them to SigLIP's defaults."""
    vision = config.get("vision_config") or {}
    return int(vision.get("image_size", SIGLIP_IMAGE)), int(vision.get("patch_size", SIGLIP_PATCH))


def stop_ids(folder: Path) -> set[int]:
    """The ids that end an answer for other software: of generation_config.json, else of config.json."""
    config = _read(folder / "config.json")
    for source in (_read(folder / "generation_config.json"), config, config.get("text_config") or {}):
        value = source.get("eos_token_id")
        if value is not None:
            return whole_numbers(value)
    return set()


NEXT_VIDEO_ALONE = ("spatial_pool_mode", "spatial_pool_stride", "spatial_pool_out_channels")
"""Settings of LLaVA-NeXT-Video's own pooling, which no other class has."""


def as_onevision(folder: Path, config: dict[str, Any]) -> None:
    """Turn `config` (in place) and the small files of `folder` into those of LLaVA-OneVision, from llava_next or
    llava_next_video.

    `<video>` becomes the next token id; without any change of weights the picture path stays what it was, as long as
    there are at most nine tiles. Raises EngineError for a tokenizer that cannot take the token.
    """
    tile, patch = tower_sides(config)
    grids = config.get("image_grid_pinpoints")
    if not grids:
        raise EngineError("config.json has no image_grid_pinpoints", "copy them from preprocessor_config.json")
    most_tiles = max(height * width for height, width in grids) // tile**2
    config["model_type"] = "llava_onevision"
    config["architectures"] = [CLASSES["llava_onevision"]]
    config["video_token_index"] = _add_token(folder, VIDEO)
    config["vision_aspect_ratio"] = f"anyres_max_{max(9, most_tiles)}"
    for name in ("image_seq_length", "video_seq_length", "video_token_id", *NEXT_VIDEO_ALONE):
        config.pop(name, None)
    write_processors(folder, "llava_onevision", tile=tile, patch=patch, most_tiles=most_tiles)


def name_dtype_as_before(config: dict[str, Any]) -> None:
    """`torch_dtype` in all parts of `config`: transformers before 4.56 and vLLM of that time look for no other name."""
    for part in (config, config["text_config"], config["vision_config"]):
        if "dtype" in part:
            part["torch_dtype"] = part.pop("dtype")


def readable_by_4(folder: Path) -> bool:
    """Processor and tokenizer as transformers 4.5x names and stores them. Whether anything was changed."""
    changed = False
    found = picture_settings(folder)
    if found is not None and str(found[1].get("image_processor_type", "")).endswith("Pil"):
        path, settings = found
        _update(path, settings | {"image_processor_type": settings["image_processor_type"].removesuffix("Pil")})
        changed = True
    path = folder / "tokenizer_config.json"
    settings = _read(path)
    wanted = dict(settings)
    if settings.get("tokenizer_class") == "TokenizersBackend":
        wanted["tokenizer_class"] = FAST_TOKENIZER
    template = folder / "chat_template.jinja"
    if template.exists():  # older versions know no such file
        wanted["chat_template"] = template.read_text(encoding="utf-8")
    if wanted != settings:
        write_json(path, wanted)
    return changed or wanted != settings


# ── Each of them ──────────────────────────────────────────────────────────────────────────────────


def _stop_tokens(folder: Path) -> list[str]:
    try:
        end = token_id(folder, END_OF_TURN)
    except EngineError:
        return []  # a tokenizer without turns
    stops = stop_ids(folder)
    if end in stops:
        return []
    path = folder / "generation_config.json"
    write_json(path, _read(path) | {"eos_token_id": sorted({*stops, end})})
    return ["stop-tokens"]


def _pictures(folder: Path) -> list[str]:
    found = picture_settings(folder)
    if found is None:
        return []
    path, settings = found
    wanted = {"resample": (BICUBIC, "resample"), "do_convert_rgb": (True, "convert-rgb")}
    wrong = {name: value for name, (value, _) in wanted.items() if settings.get(name) != value}
    if wrong:
        _update(path, settings | wrong)
    return [wanted[name][1] for name in wrong]


def _update(path: Path, settings: dict[str, Any]) -> None:
    """Write picture settings back to where `picture_settings` found them."""
    whole = _read(path)
    nested = isinstance(whole.get("image_processor"), dict)
    write_json(path, whole | {"image_processor": settings} if nested else settings)


def _one_template(folder: Path) -> bool:
    """Put the template that takes lists too in place of one that writes the same for strings and fails for lists."""
    tokenizer = load_tokenizer(folder)
    stored = Prompter(folder, ModelCard("copy", "folder", str(folder))).template
    if stored is None:
        return False
    as_strings = rendered(tokenizer, stored, as_parts=False)
    if rendered(tokenizer, stored, as_parts=True) == as_strings:
        return False
    if rendered(tokenizer, CHAT_TEMPLATE, as_parts=False) != as_strings:
        return False  # another model's turns, which are not ours to change
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    (folder / "chat_template.json").unlink(missing_ok=True)
    path = folder / "tokenizer_config.json"
    settings = _read(path)
    if "chat_template" in settings:
        write_json(path, settings | {"chat_template": CHAT_TEMPLATE})
    return True


def _add_token(folder: Path, token: str) -> int:
    """Add a special token to tokenizer.json under the next id, and return the id."""
    path = folder / "tokenizer.json"
    tokenizer = _read(path)
    known = {entry["content"]: int(entry["id"]) for entry in tokenizer.get("added_tokens") or []}
    if token in known:
        return known[token]
    number = len(load_tokenizer(folder))
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    entry = {"id": number, "content": token, **plain, "special": True}
    tokenizer["added_tokens"] = [*(tokenizer.get("added_tokens") or []), entry]
    write_json(path, tokenizer)
    _list_token(folder, number, entry)
    if load_tokenizer(folder).convert_tokens_to_ids([token, "<image>"]) != [number, token_id(folder, "<image>")]:
        raise EngineError(f"the tokenizer of {folder} cannot take {token} as its next token")
    return number


def _list_token(folder: Path, number: int, entry: dict[str, Any]) -> None:
    """The same where tokenizer_config.json lists added tokens by id, as transformers 4 writes it."""
    path = folder / "tokenizer_config.json"
    settings = _read(path)
    listed = settings.get("added_tokens_decoder")
    if isinstance(listed, dict):
        shown = {name: value for name, value in entry.items() if name != "id"}
        write_json(path, settings | {"added_tokens_decoder": {**listed, str(number): shown}})


def _read(path: Path) -> dict[str, Any]:
    """A JSON object, or nothing where there is no file. Raises EngineError for a broken one."""
    if not path.exists() and not path.is_symlink():
        return {}
    try:
        return read_object(path)
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot read {path}: {error}", "copy the file again") from error
