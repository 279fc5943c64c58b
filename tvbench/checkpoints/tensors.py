"""The weights of a LLaVA-type Gemma2 checkpoint on disk: their names in every known layout, read and rewritten.

Streams: at most one output shard is in memory. Knows tensor names and safetensors files, no configuration and no
engine. Weights in pickle-based formats are refused.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tvbench.errors import EngineError
from tvbench.safety.bounded import check_ordinary, read_object

if TYPE_CHECKING:
    import torch

HEAD = "language_model.lm_head.weight"
EMBEDDING = "language_model.model.embed_tokens.weight"
SCALED = ("multi_modal_projector.linear_2.weight", "multi_modal_projector.linear_2.bias", "image_newline")
"""What sqrt(hidden) is folded into: everything that a projected image row is linear in."""

SHARD_BYTES = 2 * 1024**3
_PARTS = ("language_model.", "vision_tower.", "multi_modal_projector.", "image_newline")


def canonical(name: str) -> str | None:
    """The exported name of a tensor, or None for one that nobody uses (SigLIP's pooling head).

    Understands the layouts of transformers 4.51 (`language_model.model.*`, `vision_tower.vision_model.*`), of 4.52 and
    later in memory (`model.language_model.*`, `lm_head.weight`), and of 5.x on disk (`vision_tower.*`).
    """
    if name.startswith("model.") and name[6:].startswith(_PARTS):
        name = name[6:]
    if name == "lm_head.weight":
        return HEAD
    if name.startswith("language_model.") and name != HEAD and not name.startswith("language_model.model."):
        return "language_model.model." + name.removeprefix("language_model.")
    if name.startswith("vision_tower."):
        inner = name.removeprefix("vision_tower.").removeprefix("vision_model.")
        return None if inner.startswith("head.") else f"vision_tower.vision_model.{inner}"
    return name


INDEX = "model.safetensors.index.json"


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint, sorted: those of its index where it has one and no model.safetensors, as
    transformers reads them. Raises EngineError where there is none, and for one that is no file of this folder."""
    indexed = os.path.lexists(folder / INDEX) and not os.path.lexists(folder / "model.safetensors")
    files = _indexed(folder) if indexed else sorted(folder.glob("*.safetensors"))
    for path in files:
        try:
            check_ordinary(path)
        except OSError as error:
            raise EngineError(f"cannot read {path}: {error}", "copy it again") from error
    if not files:
        other = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern))
        found = f" (only {', '.join(other[:3])}, which tvbench does not unpickle)" if other else ""
        raise EngineError(f"no safetensors weights in {folder}{found}", "save the model with safe_serialization=True")
    return files


def _indexed(folder: Path) -> list[Path]:
    path = folder / INDEX
    try:
        named = read_object(path).get("weight_map")
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot read {path}: {error}", "copy it again") from error
    if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
        raise EngineError(f"{path}: weight_map does not say in which file each tensor is", "copy it again")
    for name in named.values():
        if name in ("", ".", "..") or "/" in name or "\\" in name or not name.endswith(".safetensors"):
            raise EngineError(f"{path} names {name!r}, which is no weight file of this folder", "copy it again")
    files = sorted({folder / name for name in named.values()})
    missing = [file.name for file in files if not os.path.lexists(file)]
    if missing:
        raise EngineError(
            f"{len(missing)} of {len(files)} weight files are not in {folder} (first {missing[0]})",
            "download the checkpoint again",
        )
    return files


class Weights:
    """All tensors of a checkpoint by canonical name. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.files = weight_files(folder)
        self.original: dict[str, str] = {}
        self.dropped: list[str] = []
        self._where: dict[str, Any] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Weights:
        from safetensors import SafetensorError, safe_open

        for path in self.files:
            try:
                opened = self._stack.enter_context(safe_open(path, framework="pt"))
            except (SafetensorError, OSError) as error:
                self._stack.close()
                raise EngineError(f"{path} is not a readable safetensors file: {error}", "copy it again") from error
            for name in opened.keys():  # noqa: SIM118 - not a dict
                self._add(name, opened, path)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def _add(self, name: str, opened: Any, path: Path) -> None:
        if not name.isprintable():
            raise EngineError(f"{path} names a tensor {ascii(name)[:80]}", "copy the checkpoint again")
        target = canonical(name)
        if target is None:
            self.dropped.append(name)
            return
        if target in self.original:
            raise EngineError(f"{path.name}: '{name}' and '{self.original[target]}' are the same tensor")
        self.original[target] = name
        self._where[target] = opened

    def load(self, name: str) -> torch.Tensor:
        """The tensor of a canonical name, on the CPU, in its stored dtype. Raises EngineError for a dtype that torch
        does not have."""
        try:
            tensor: torch.Tensor = self._where[name].get_tensor(self.original[name])
        except (AttributeError, TypeError, ValueError, RuntimeError) as error:
            raise EngineError(f"the tensor {self.original[name]} cannot be read: {error}", "copy it again") from error
        return tensor

    def rows(self, name: str, numbers: Iterable[int]) -> torch.Tensor:
        """Some rows of a tensor, the others not read."""
        import torch

        sliced = self._where[name].get_slice(self.original[name])
        return torch.cat([sliced[number : number + 1] for number in numbers])

    def span(self, name: str, first: int, end: int) -> torch.Tensor:
        """Rows of a tensor that stand together, the others not read."""
        from safetensors import SafetensorError

        try:
            part: torch.Tensor = self._where[name].get_slice(self.original[name])[first:end]
        except SafetensorError as error:
            raise EngineError(f"the tensor {self.original[name]} cannot be read: {error}", "copy it again") from error
        return part

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a canonical name's tensor, without reading it."""
        return tuple(self._where[name].get_slice(self.original[name]).get_shape())

    @property
    def hidden(self) -> int:
        """The text model's hidden size, whether or not the configuration writes it out. Raises EngineError for an
        embedding that is no matrix."""
        shape = self.shape(EMBEDDING)
        if len(shape) != 2 or 0 in shape:
            raise EngineError(f"the embedding is of shape {list(shape)}: it is no matrix", "copy the checkpoint again")
        return shape[1]

    @property
    def renamed(self) -> bool:
        """Whether any tensor is stored under another name than the canonical one, or is of no use."""
        return bool(self.dropped) or any(target != source for target, source in self.original.items() if target != HEAD)


def check_head(weights: Weights) -> None:
    """Raise EngineError unless the output head equals the embedding, as it does in every Gemma2."""
    import torch

    if not torch.equal(weights.load(HEAD), weights.load(EMBEDDING)):
        raise EngineError(
            "the checkpoint's lm_head differs from its embedding; Gemma2 ties them and vLLM has no place for a head",
            "export the model again with tied embeddings",
        )


def rewrite(weights: Weights, target: Path, *, fold: int | None, shard_bytes: int = SHARD_BYTES) -> None:
    """Write all tensors but the head into `target` under canonical names.

    With `fold` (the hidden size) the image path is multiplied by sqrt(fold) and kept in float32, so that nothing is
    rounded twice. Raises OSError or SafetensorError when the disk is full.
    """
    write_tensors(_folded(weights, fold), target, shard_bytes=shard_bytes)


def write_tensors(named: Iterable[tuple[str, torch.Tensor]], target: Path, *, shard_bytes: int = SHARD_BYTES) -> None:
    """Write tensors into `target` as one safetensors file, or as several with an index, a shard in memory at a time.

    Raises OSError or SafetensorError when the disk is full.
    """
    located: dict[str, str] = {}
    total = 0
    for number, shard in enumerate(_shards(named, shard_bytes), start=1):
        file = f"model-{number:05d}.safetensors"
        _save(shard, target / file)
        located.update(dict.fromkeys(shard, file))
        total += sum(_bytes(tensor) for tensor in shard.values())
    if len(set(located.values())) == 1:
        (target / "model-00001.safetensors").rename(target / "model.safetensors")
        return
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(located.items()))}
    (target / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _folded(weights: Weights, fold: int | None) -> Iterator[tuple[str, torch.Tensor]]:
    for name in sorted(weights.original):
        if name == HEAD:
            continue
        tensor = weights.load(name)
        yield name, tensor.float() * math.sqrt(fold) if fold is not None and name in SCALED else tensor


def _shards(named: Iterable[tuple[str, torch.Tensor]], shard_bytes: int) -> Iterator[dict[str, torch.Tensor]]:
    shard: dict[str, torch.Tensor] = {}
    size = 0
    for name, tensor in named:
        if shard and size + _bytes(tensor) > shard_bytes:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor.contiguous()
        size += _bytes(tensor)
    yield shard


def _save(shard: dict[str, torch.Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    save_file(shard, path, metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors writes a file for its owner alone; a checkpoint is to be shared


def _bytes(tensor: torch.Tensor) -> int:
    return int(tensor.numel() * tensor.element_size())
