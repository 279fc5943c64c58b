"""Puts a published TowerVision-type checkpoint right, once and on disk, so that any current software reads it rightly.

The corrections are those of corrections.py (which makes a copy on the fly for our own engines), and besides the
small files that other software reads: bicubic resizing, a chat template that takes strings and lists alike. A
`legacy` copy is for transformers before 5.4 and vLLM of that time: the same, but image rows not scaled, because one set
of weights cannot be right on both sides. `onevision` gives a LLaVA-NeXT checkpoint the class that also takes clips.

The copy is written beside its place, compared with its configuration, and renamed when it is whole.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tvbench.checkpoints.corrections import (
    copy_small_files,
    corrected_config,
    corrections_of,
    inspect,
    is_gemma2_llava,
    read_config,
    scale_state,
)
from tvbench.checkpoints.files import write_json
from tvbench.checkpoints.hostile import one_sentence
from tvbench.checkpoints.layout import misfit
from tvbench.checkpoints.small_files import (
    as_onevision,
    check_readable,
    correct_small_files,
    name_dtype_as_before,
    picture_settings,
    readable_by_4,
    tower_sides,
)
from tvbench.checkpoints.tensors import EMBEDDING, HEAD, SCALED, Weights, check_head, weight_files, write_tensors
from tvbench.errors import EngineError, TvbenchError, UsageError
from tvbench.types import ModelCard

if TYPE_CHECKING:
    import torch

Target = Literal["current", "legacy"]
FOLDED, UNFOLDED = "folded-image-scale", "unfolded-image-scale"

MEANING = {
    "dropped-head": "the output head is left out: it equals the embedding, and vLLM has no place for it",
    FOLDED: "image rows are scaled by sqrt(hidden), which Gemma2 no longer does by itself since transformers 5.4",
    UNFOLDED: "image rows are no longer scaled by sqrt(hidden): transformers before 5.4 does that by itself",
    "image-token": "the configuration names the tokenizer's <image>, by one name",
    "tensor-names": "tensors have the names that transformers 4.5x, 5.x and vLLM all read",
    "text-architecture": "the text model is Gemma2ForCausalLM, not the training class, which vLLM does not know",
    "tied-embeddings": "head and embedding are marked as tied, at both places",
    "vision-head-off": "the vision tower's pooling head, which nobody uses, is switched off",
    "dtype": "bfloat16 instead of float16, in which Gemma2 overflows",
    "resample": "pictures are resized by bicubic interpolation, as in training",
    "convert-rgb": "pictures are converted to RGB",
    "chat-template": "the chat template takes a string or a list of parts, with the same bytes",
    "stop-tokens": "<end_of_turn> ends an answer",
    "legacy-classes": "processor, tokenizer and chat template are named and stored as transformers 4.5x does it",
    "onevision": "LLaVA-OneVision instead of LLaVA-NeXT: the same weights, clips as well, <video> added",
}
"""What each correction means, for the person who asked."""


@dataclass(frozen=True, slots=True)
class ImportedCheckpoint:
    """A checkpoint that was put right. `corrections` are names, to be looked up in MEANING."""

    folder: Path
    corrections: tuple[str, ...]
    target: Target
    family: str


def import_checkpoint(
    source: Path, card: ModelCard, output: Path, *, target: Target = "current", onevision: bool = False
) -> ImportedCheckpoint:
    """Write the corrected copy of `source` into `output`, whole or not at all.

    `card` may say whether image rows are scaled (see corrections.py). Raises UsageError when `output` holds
    something or the model is of another family, EngineError for a checkpoint that cannot be put right, TvbenchError
    when there is no room.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"{output} is not an empty folder", "choose another --output, or remove it first")
    with one_sentence(source):
        config = read_config(source)
        check_readable(source)
        _check_family(source, config, onevision=onevision)
        factor, planned = _plan(source, card, config, target)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        _check_room(source, output)
        work = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
        try:
            work.chmod(0o755)  # a temporary folder is private; this one becomes the checkpoint
            with one_sentence(source, but=OSError):
                family, corrections = _write(source, work, factor, planned, target, onevision=onevision)
            work.rename(output)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise _not_written(output, error.strerror or str(error)) from error
    return ImportedCheckpoint(output, corrections, target, family)


def _check_family(source: Path, config: dict[str, Any], *, onevision: bool) -> None:
    kind = config.get("model_type")
    if not is_gemma2_llava(config):
        raise UsageError(
            f"{source} holds a {kind} model; only LLaVA-type models around Gemma2 need correction", "use it as it is"
        )
    if onevision and kind not in ("llava_next", "llava_next_video"):
        raise UsageError(f"--as onevision is for llava_next and llava_next_video, and this is {kind}", "leave --as out")


def _plan(source: Path, card: ModelCard, config: dict[str, Any], target: Target) -> tuple[float, list[str]]:
    """What image rows are multiplied by, and the corrections that `inspect` knows of."""
    needs = [need for need in inspect(source, card).needs if need != FOLDED]
    state = scale_state(source, config, card)
    with Weights(source) as weights:
        root = math.sqrt(weights.hidden)
    if target == "current" and state == "unfolded":
        return root, [*needs, FOLDED]
    if target == "legacy" and state == "folded":
        return 1 / root, [*needs, UNFOLDED]
    return 1.0, needs


def _write_weights(source: Path, work: Path, factor: float, copied_row: int | None, config: dict[str, Any]) -> None:
    from safetensors import SafetensorError

    try:
        with Weights(source) as weights:
            if HEAD in weights.original:
                check_head(weights)
            if copied_row is not None:
                _give_room(config, weights)
            write_tensors(_tensors(weights, factor, copied_row, config), work)
    except SafetensorError as error:
        raise OSError(str(error)) from error


def _write(
    source: Path, work: Path, factor: float, corrections: list[str], target: Target, *, onevision: bool
) -> tuple[str, tuple[str, ...]]:
    """Everything into `work`; the model's type and all corrections."""
    copy_small_files(source, work)
    config, _ = corrected_config(source, read_config(source))
    corrections = [*corrections, *correct_small_files(work)]
    if target == "legacy":
        name_dtype_as_before(config)
    _complete(config, source)
    copied_row = int(config["image_token_index"]) if onevision else None
    if onevision:
        as_onevision(work, config)
        corrections.append("onevision")
    if target == "legacy" and readable_by_4(work):
        corrections.append("legacy-classes")
    _write_weights(source, work, factor, copied_row, config)
    _mark(config, corrections, target)
    write_json(work / "config.json", config)
    if found := misfit(work):
        said = f"the tensors of {source} are not those of its configuration: {found}"
        raise EngineError(said, "compare config.json with the weights; the download may be incomplete")
    return str(config["model_type"]), tuple(sorted(corrections))


def _tensors(
    weights: Weights, factor: float, copied_row: int | None, config: dict[str, Any]
) -> Iterator[tuple[str, torch.Tensor]]:
    """All tensors but the head. What is scaled stays in float32, so that nothing is rounded twice."""
    import torch

    for name in sorted(weights.original):
        if name == HEAD:
            continue
        tensor = weights.load(name)
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise EngineError(
                f"the tensor {weights.original[name]} holds NaN or infinite numbers: every answer would be garbage",
                "download the checkpoint again, or export it again from where it was right",
            )
        if name in SCALED and factor != 1.0:
            tensor = tensor.float() * factor
        elif tensor.dtype == torch.float16:
            tensor = tensor.to(torch.bfloat16)
        if name == EMBEDDING and copied_row is not None:
            tensor = _with_row(tensor, copied_row, int(config["text_config"]["vocab_size"]))
        yield name, tensor


def _complete(config: dict[str, Any], source: Path) -> None:
    """Write out what a configuration may leave to the class's defaults, and what others ask it for."""
    with Weights(source) as weights:
        config["text_config"].setdefault("hidden_size", weights.hidden)
    tile, patch = tower_sides(config)
    config["vision_config"] |= {"image_size": tile, "patch_size": patch}
    settings = picture_settings(source)
    if settings is not None and "image_grid_pinpoints" in settings[1]:
        # The number of image tokens follows from the configuration, the tiles from the processor: they must agree.
        config.setdefault("image_grid_pinpoints", settings[1]["image_grid_pinpoints"])


def _give_room(config: dict[str, Any], weights: Weights) -> None:
    """Let the vocabulary cover <video>; an embedding with rows to spare stays as it is."""
    text = config["text_config"]
    text["vocab_size"] = max(weights.shape(EMBEDDING)[0], int(config["video_token_index"]) + 1)


def _with_row(embedding: torch.Tensor, copied: int, rows: int) -> torch.Tensor:
    """`embedding` with its row `copied` repeated up to `rows`: <video> is as unlikely an answer as <image> is."""
    import torch

    return torch.cat((embedding, embedding[copied].expand(rows - len(embedding), -1)))


def _mark(config: dict[str, Any], corrections: list[str], target: Target) -> None:
    """The marker in `config`. Earlier corrections stay, but for the one that this copy undoes."""
    undone = UNFOLDED if target == "current" else FOLDED
    earlier = [name for name in corrections_of(config) if name != undone]
    config["tvbench"] = {
        **(config.get("tvbench") or {}),
        "vision_embed_scale": "folded" if target == "current" else "unfolded",
        "corrections": sorted({*earlier, *corrections}),
    }


def _check_room(source: Path, output: Path) -> None:
    needed = int(sum(path.stat().st_size for path in weight_files(source)) * 1.05)
    free = shutil.disk_usage(output.parent).free
    if free < needed:
        raise _not_written(output, f"it needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free")


def _not_written(output: Path, reason: str) -> TvbenchError:
    return TvbenchError(f"cannot write {output}: {reason}", "nothing was left behind; choose an --output with room")
