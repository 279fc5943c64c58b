"""Writes a trained model as a checkpoint that transformers 4.5x, transformers 5.x and vLLM read alike.

The rule (docs/train.md): canonical names, no head (it must equal the embedding), no pooling head, sqrt(hidden)
folded into the image path in float32 before anything is rounded, and a marker that says so. `legacy` leaves the factor
out, for transformers before 5.4 and vLLM of that time: one set of weights cannot be right on both sides. So does what a
stage leaves for the next one.
Nothing is called written before it was opened again and gave the logits of the model in memory.
"""

from __future__ import annotations

import gc
import json
import shutil
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch

from tvbench.checkpoints.corrections import read_config
from tvbench.checkpoints.files import write_json
from tvbench.checkpoints.small_files import name_dtype_as_before, readable_by_4
from tvbench.checkpoints.tensors import EMBEDDING, HEAD, SCALED, Weights, canonical, write_tensors
from tvbench.errors import EngineError, TvbenchError
from tvbench.train.assembly import open_model, vision_scale
from tvbench.train.loss import capped
from tvbench.train.parallel import World, own, whole
from tvbench.train.vision import visual_rows

Target = Literal["current", "legacy"]
DType = Literal["float32", "bfloat16"]
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.2}
"""How far logits (soft-capped, so below 30) may differ after writing: bfloat16 keeps 8 bits of each weight."""


def export(
    model: Any,
    folder: Path,
    *,
    like: Path,
    scale: float,
    dtype: DType = "bfloat16",
    target: Target = "current",
    note: Mapping[str, Any] | None = None,
) -> Path:
    """Write `model` into `folder`, whole or not at all; what was there before is replaced only then.

    `like` is the assembled folder whose tokenizer, processors and configuration it keeps. `scale` is what the
    trainer multiplies projected rows by (1.0: folded already). `note` goes into config.json under `tvbench`.
    Raises EngineError when the written checkpoint is not the model in memory, TvbenchError when there is no room.
    """
    named = exported(model, fold=_fold(scale, target), dtype=getattr(torch, dtype))
    return _export(named, logits(model, scale), folder, like, scale, dtype, target, note or {})


def export_stage(
    source: Path,
    folder: Path,
    *,
    dtype: DType = "bfloat16",
    target: Target = "current",
    note: Mapping[str, Any] | None = None,
) -> Path:
    """As `export`, of what `write_stage` left in `source`: tensor by tensor, so that no more than one model is ever in
    memory, and that only for its logits."""
    scale = vision_scale(source)
    expected = logits(open_model(source), scale)
    gc.collect()  # a model holds itself in circles
    with Weights(source) as weights:
        named = _stored(weights, fold=_fold(scale, target), dtype=getattr(torch, dtype))
        return _export(named, expected, folder, source, scale, dtype, target, note or {})


def _as_before(work: Path) -> None:
    readable_by_4(work)
    config = read_config(work)
    name_dtype_as_before(config)
    write_json(work / "config.json", config)


def _export(
    named: Iterable[tuple[str, torch.Tensor]],
    expected: Sequence[torch.Tensor],
    folder: Path,
    like: Path,
    scale: float,
    dtype: DType,
    target: Target,
    note: Mapping[str, Any],
) -> Path:
    with _room(folder) as work:
        work.mkdir(parents=True)
        _copy_small_files(like, work)
        marker = "unfolded" if target != "current" and scale != 1.0 else "folded"
        write_json(work / "config.json", _config(like, dtype, marker, note))
        write_tensors(named, work)
        verify(expected, work, tolerance=TOLERANCE[dtype])
        if target == "legacy":
            _as_before(work)
        _put_in_place(work, folder)
    return folder


def _fold(scale: float, target: Target) -> float:
    return scale if target == "current" else 1.0


@contextmanager
def _room(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to write into, gone at the end. Raises TvbenchError when the disk refuses."""
    work = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(work, ignore_errors=True)
    try:
        yield work
    except OSError as error:
        raise TvbenchError(
            f"cannot write {folder}: {error.strerror or error}", "make room; what was there is as it was"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_stage(model: Any, folder: Path, *, like: Path, scale: float, world: World) -> None:
    """Write a stage's weights in float32, unscaled, for the next stage: whole or not at all, by the first process. The
    others hand over their shards, and nobody ever holds more of others' than one tensor.

    Raises as `export`; what was written is read again, tensor by tensor, and must be what was handed over.
    """
    named = exported(model, fold=1.0, dtype=torch.float32)
    if world.first:
        with _room(folder) as work:
            work.mkdir(parents=True)
            _copy_small_files(like, work)
            write_json(work / "config.json", _config(like, "float32", "unfolded" if scale != 1.0 else "folded", {}))
            sums: dict[str, int] = {}
            write_tensors(_summed(named, sums), work)
            _compare(work, like, sums)
            _put_in_place(work, folder)
    else:
        for _ in named:
            pass
    world.wait()


def _summed(named: Iterable[tuple[str, torch.Tensor]], sums: dict[str, int]) -> Iterator[tuple[str, torch.Tensor]]:
    """`named` as it is, its checksums noted."""
    for name, tensor in named:
        sums[name] = _sum(tensor)
        yield name, tensor


def _sum(tensor: torch.Tensor) -> int:
    return zlib.crc32(tensor.contiguous().numpy().data)


def _compare(folder: Path, like: Path, sums: Mapping[str, int]) -> None:
    """Raises EngineError unless `folder` has the tensors of `like`, with these checksums."""
    with Weights(like) as source, Weights(folder) as written:
        differ = (source.original.keys() - {HEAD}) ^ written.original.keys()
        differ |= {name for name in written.original if _sum(written.load(name)) != sums.get(name)}
    if differ:
        raise EngineError(
            f"{folder}: {len(differ)} tensors are not what was written, first {min(differ)}",
            "is the disk sound? run the same command with --resume",
        )


def exported(model: Any, *, fold: float, dtype: torch.dtype) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor under its canonical name, the image path times `fold`; of a sharded model put together one by one,
    by all processes in the same order. Raises EngineError for an untied head."""
    state = {canonical(name): tensor for name, tensor in model.state_dict().items()}
    head = state.pop(HEAD, None)
    if head is not None and not torch.equal(own(head), own(state[EMBEDDING])):
        raise EngineError("the model's head differs from its embedding; Gemma2 ties them", "train with tied embeddings")
    for name in sorted(name for name in state if name is not None):
        yield name, _cast(name, whole(state[name].detach()).cpu(), fold, dtype)


def _stored(weights: Weights, *, fold: float, dtype: torch.dtype) -> Iterator[tuple[str, torch.Tensor]]:
    """As `exported`, of a folder."""
    for name in sorted(weights.original.keys() - {HEAD}):
        yield name, _cast(name, weights.load(name), fold, dtype)


def _cast(name: str, tensor: torch.Tensor, fold: float, dtype: torch.dtype) -> torch.Tensor:
    tensor = tensor.float()
    return (tensor * fold if name in SCALED else tensor).to(dtype)


def verify(expected: Sequence[torch.Tensor], folder: Path, *, tolerance: float) -> float:
    """Open `folder` and compare its logits with those `expected`; the largest difference.

    Raises EngineError above `tolerance`, and for any key that is missing, left over or of another shape.
    """
    found = logits(open_model(folder), vision_scale(folder))
    worst = max(float((before - now).abs().max()) for before, now in zip(expected, found, strict=True))
    if not worst <= tolerance:
        raise EngineError(
            f"the written checkpoint's logits differ from the model's by {worst:.3g}",
            "this is a bug of the exporter: please report the recipe",
        )
    return worst


def logits(model: Any, scale: float) -> tuple[torch.Tensor, ...]:
    """Of a text alone, and of one with a picture."""
    with torch.no_grad():
        return tuple(probe(model, scale, pictures).cpu() for pictures in (0, 1))


def probe(model: Any, scale: float, pictures: int) -> torch.Tensor:
    """Soft-capped logits of a fixed prompt, with or without a picture of stripes: [tokens, vocabulary]."""
    from tvbench.train.data.encode import Visual

    inner = model.model
    config = inner.config
    device = inner.image_newline.device
    ids = torch.arange(8, 24, device=device) % config.text_config.vocab_size
    embedded = inner.language_model.embed_tokens(ids[None])
    if pictures:
        tile = config.vision_config.image_size
        stripes = torch.sin(torch.arange(3 * tile * tile, dtype=torch.float32) / 7).view(1, 3, tile, tile)
        side = tile // config.vision_config.patch_size
        rows = visual_rows(inner, [Visual("flat", stripes, (tile, tile), side**2)], scale)
        newline = (inner.image_newline * scale)[None]
        embedded = torch.cat((rows[None].to(embedded.dtype), newline[None].to(embedded.dtype), embedded), dim=1)
    hidden = inner.language_model(inputs_embeds=embedded, use_cache=False).last_hidden_state
    return capped(model.lm_head(hidden)[0], getattr(config.text_config, "final_logit_softcapping", None))


def _config(like: Path, dtype: str, marker: str, note: Mapping[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((like / "config.json").read_text(encoding="utf-8"))
    for part in (config, config["text_config"], config["vision_config"]):
        part.pop("torch_dtype", None)
        part["dtype"] = dtype
    config["tvbench"] = {**config.get("tvbench", {}), **note, "vision_embed_scale": marker}
    return config


def _copy_small_files(like: Path, work: Path) -> None:
    for path in sorted(like.iterdir()):
        small = path.suffix in (".json", ".jinja", ".model", ".txt") and not path.name.endswith(".index.json")
        if path.is_file() and small and path.name != "config.json":
            shutil.copyfile(path, work / path.name)


def _put_in_place(work: Path, folder: Path) -> None:
    """Rename `work` to `folder`, keeping what is there until the new one has its place."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    work.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
