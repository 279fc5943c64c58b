"""Inspects a local checkpoint and, where current engines would read it wrongly, makes a corrected copy.

Concerns LLaVA-type models with a Gemma2 text model (TowerVision). Published ones were written for transformers 4.51,
and newer software reads them without an error and wrongly: since transformers 5.4 and the matching vLLM, Gemma2
multiplies text rows by sqrt(hidden) in the embedding, no longer all rows, so image rows arrive sqrt(hidden) too small
unless that factor is folded into the projector; and vLLM refuses several layouts of tensor names. One corrected copy
on disk, right for both engines, gives both the same weights. Every other model is left as it is.

Whether the factor is folded already is decided by, in this order: the card (`numerics: {vision_embed_scale: folded |
unfolded}`, which `--image-scale` sets), the checkpoint's own marker (`"tvbench": {"vision_embed_scale": ...}` in
config.json), and the `transformers_version` that saved it (before 5.4: unfolded). Without any of them nothing is
guessed: UnknownScale. The doctor can measure it (doctor/scale.py).

Knows no engine. The soft-cap that transformers drops is no matter of weights: see engines/transformers.py.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shlex
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvbench.checkpoints.hostile import DTYPES, check_config, check_llava_config
from tvbench.checkpoints.tensors import EMBEDDING, HEAD, Weights, check_head, rewrite, weight_files
from tvbench.errors import EngineError
from tvbench.registry.places import cache_root
from tvbench.safety.bounded import read_object
from tvbench.types import ModelCard

CORRECTION_FORMAT = 1
"""Raise when corrections change: older corrected copies are then not used again."""

LLAVA_TYPES = frozenset({"llava", "llava_next", "llava_next_video", "llava_onevision"})
FOLDED_SINCE = (5, 4)


class UnknownScale(EngineError):
    """Nobody said whether a checkpoint's image rows are scaled. `folder` is the checkpoint."""

    def __init__(self, folder: Path) -> None:
        where = shlex.quote(str(folder))
        super().__init__(
            f"the checkpoint in {folder} does not say whether its image rows are scaled by sqrt(hidden), and a guess "
            "could be wrong",
            f"`tvbench doctor {where}` measures it; then say it: --image-scale unfolded (as before transformers 5.4), "
            "or folded",
        )
        self.folder = folder


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is to be put right in a checkpoint. `family` is False for a model that is none of our business."""

    family: bool
    needs: tuple[str, ...] = ()


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a checkpoint. Raises EngineError where it is missing, broken, or describes what cannot be."""
    path = folder / "config.json"
    config = _read_json(path)
    check_config(path, config)
    if is_gemma2_llava(config):
        check_llava_config(path, config)
    return config


def is_gemma2_llava(config: dict[str, Any]) -> bool:
    """Whether a configuration is that of a LLaVA-type model around a Gemma2 text model."""
    text = config.get("text_config") or {}
    names = " ".join([str(text.get("model_type", "")), *(text.get("architectures") or [])]).casefold()
    return config.get("model_type") in LLAVA_TYPES and "gemma2" in names


def choose_dtype(config: dict[str, Any], asked: str | None) -> str:
    """The dtype to compute in: the one asked for, else the stored one. Gemma2 overflows in float16, so it gets
    bfloat16 instead."""
    named = (part.get(key) for part in (config, config.get("text_config") or {}) for key in ("dtype", "torch_dtype"))
    stored = next(filter(None, named), None)
    if stored is not None and stored not in DTYPES:
        raise EngineError(
            f"config.json names the dtype {stored!r}, which is none to compute in", "write bfloat16 or float32 there"
        )
    gemma2 = is_gemma2_llava(config) or config.get("model_type") == "gemma2"
    chosen = asked or stored or "bfloat16"
    if chosen == "float16" and gemma2:
        if asked:
            raise EngineError("Gemma2 overflows in float16", "use --dtype bfloat16 or float32")
        return "bfloat16"
    return str(chosen)


def asks_float16(config: dict[str, Any]) -> bool:
    """Whether a configuration, or its text or vision part, names float16."""
    parts = (config, config.get("text_config") or {}, config.get("vision_config") or {})
    return any("float16" in (part.get("dtype"), part.get("torch_dtype")) for part in parts)


def inspect(folder: Path, card: ModelCard) -> Inspection:
    """What `corrected` would do. Reads configuration and tensor names only. Raises EngineError."""
    config = read_config(folder)
    if not is_gemma2_llava(config):
        return Inspection(family=False)
    _, needs = corrected_config(folder, config)
    with Weights(folder) as weights:
        needs += _weight_needs(weights)
    if scale_state(folder, config, card) == "unfolded":
        needs.append("folded-image-scale")
    return Inspection(family=True, needs=tuple(sorted(needs)))


def corrected(folder: Path, card: ModelCard, cache_dir: Path | None = None) -> tuple[Path, tuple[str, ...]]:
    """A folder that both engines read rightly, and the corrections applied (empty: `folder` itself).

    The copy lies under `cache_dir` (default $TVBENCH_CACHE/checkpoints), named after the content it was made from, and
    is made once. Raises EngineError: unknown layout, a head that differs from the embedding, no room on the disk.
    """
    found = inspect(folder, card)
    if not found.needs:
        return folder, ()
    root = cache_dir if cache_dir is not None else default_cache()
    target = root / f"{_safe_name(folder)}-{_digest(folder, found.needs)}"
    if not target.exists():
        try:
            root.mkdir(parents=True, exist_ok=True)
            _make(folder, target, found.needs)
        except OSError as error:
            raise _no_room(folder, root, error) from error
    return target, found.needs


def default_cache() -> Path:
    """Where corrected copies lie: $TVBENCH_CACHE/checkpoints, or ~/.cache/tvbench/checkpoints."""
    return cache_root() / "checkpoints"


def corrections_of(config: dict[str, Any]) -> tuple[str, ...]:
    """The corrections that a copy made by `corrected` says it carries (goes into the signature)."""
    return tuple((config.get("tvbench") or {}).get("corrections", ()))


def scale_state(folder: Path, config: dict[str, Any], card: ModelCard) -> str:
    """`folded` or `unfolded`: see the module's docstring for what decides. Raises UnknownScale when nothing does."""
    if "folded-image-scale" in corrections_of(config):
        return "folded"  # a copy that `corrected` made: a card that speaks of the original must not fold it twice
    marked = card.numerics.get("vision_embed_scale") or (config.get("tvbench") or {}).get("vision_embed_scale")
    if marked in ("folded", "unfolded"):
        return str(marked)
    if marked is not None:
        raise EngineError(f"vision_embed_scale is '{marked}'", "it must be `folded` or `unfolded`")
    version = re.match(r"(\d+)\.(\d+)", str(config.get("transformers_version", "")))
    if version is None:
        raise UnknownScale(folder)
    return "folded" if (int(version[1]), int(version[2])) >= FOLDED_SINCE else "unfolded"


# ── What is needed ────────────────────────────────────────────────────────────────────────────────


def _weight_needs(weights: Weights) -> list[str]:
    if EMBEDDING not in weights.original:
        known = ", ".join(sorted(weights.original.values())[:4])
        raise EngineError(f"unknown layout of tensor names: no embedding found among {known}, ...")
    needs = ["tensor-names"] if weights.renamed else []
    return [*needs, "dropped-head"] if HEAD in weights.original else needs


def corrected_config(folder: Path, config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The configuration as it should be, and the names of what changed. Raises EngineError: no image token."""
    text = {name: value for name, value in config["text_config"].items() if not name.startswith("mm_")}
    vision = dict(config.get("vision_config") or {})
    fixed = {name: value for name, value in config.items() if not name.startswith("mm_")}
    needs = []
    if text.get("model_type") != "gemma2" or text.get("architectures") not in (None, ["Gemma2ForCausalLM"]):
        needs.append("text-architecture")
    text.update(model_type="gemma2", architectures=["Gemma2ForCausalLM"])
    if not config.get("tie_word_embeddings", False) or not text.get("tie_word_embeddings", True):
        needs.append("tied-embeddings")
    text["tie_word_embeddings"] = fixed["tie_word_embeddings"] = True
    if vision.get("vision_use_head", True):
        needs.append("vision-head-off")
    vision["vision_use_head"] = False
    image_token = token_id(folder, "<image>")
    # Published configs may carry both names with different values; transformers reads one, vLLM the other.
    if {config.get(name, image_token) for name in ("image_token_index", "image_token_id")} != {image_token} or (
        "image_token_index" not in config
    ):
        needs.append("image-token")
    fixed.pop("image_token_id", None)
    fixed["image_token_index"] = image_token
    overflows = asks_float16(config)
    if overflows:
        needs.append("dtype")
    for part in (fixed, text, vision):
        _name_dtype(part, overflows=overflows)
    return fixed | {"text_config": text, "vision_config": vision}, needs


def token_id(folder: Path, token: str) -> int:
    """The id of an added token, from the tokenizer's own files. Raises EngineError where there is none."""
    path = folder / "tokenizer.json"
    tokenizer = _read_json(path)
    added, model = tokenizer.get("added_tokens"), tokenizer.get("model")
    known = (
        {
            entry.get("content"): entry.get("id")
            for entry in added
            if isinstance(entry, dict) and isinstance(entry.get("content"), str)
        }
        if isinstance(added, list)
        else {}
    )
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    for place in (known, vocabulary):
        if isinstance(place, dict) and isinstance(place.get(token), int):
            return int(place[token])
    raise EngineError(f"{path} has no token '{token}'", "the tokenizer does not belong to this vision-language model")


# ── The copy ──────────────────────────────────────────────────────────────────────────────────────


def _name_dtype(part: dict[str, Any], *, overflows: bool) -> None:
    stored = part.pop("torch_dtype", None)  # the name before transformers 4.56
    if overflows:
        part["dtype"] = "bfloat16"
    elif stored is not None:
        part.setdefault("dtype", stored)


def _put(work: Path, target: Path) -> None:
    try:
        work.rename(target)
    except OSError:
        # Another process may have made the same copy meanwhile; any other reason is a real one.
        if not target.exists():
            raise


def _make(folder: Path, target: Path, needs: tuple[str, ...]) -> None:
    """Write the copy beside `target` and rename it there when it is whole."""
    from safetensors import SafetensorError

    size = sum(path.stat().st_size for path in weight_files(folder))
    if shutil.disk_usage(target.parent).free < size * 1.05:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        copy_small_files(folder, work)
        config, _ = corrected_config(folder, read_config(folder))
        config["tvbench"] = {"vision_embed_scale": "folded", "corrections": list(needs)}
        (work / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        with Weights(folder) as weights:
            if HEAD in weights.original:
                check_head(weights)
            rewrite(weights, work, fold=weights.hidden if "folded-image-scale" in needs else None)
        _put(work, target)
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error)) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def copy_small_files(folder: Path, target: Path) -> None:
    """Copy everything but the configuration and the weights: tokenizer, processors, templates. Raises OSError."""
    for path in sorted(folder.iterdir()):
        weights = path.suffix in (".safetensors", ".bin", ".pt", ".pth") or path.name.endswith(".index.json")
        if path.is_file() and not weights and path.name != "config.json":
            shutil.copyfile(path, target / path.name)


def _digest(folder: Path, needs: tuple[str, ...]) -> str:
    """Names a checkpoint's content: small files whole; weights by size, time of change and first megabyte.

    Reading 20 GB through a hash would take longer than loading them; a rewritten file changes its time.
    """
    digest = hashlib.sha256(json.dumps([CORRECTION_FORMAT, needs]).encode())
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            if path.suffix == ".safetensors":
                stat = path.stat()
                digest.update(f"{stat.st_size} {stat.st_mtime_ns}".encode())
                digest.update(file.read(1 << 20))
            elif path.suffix in (".json", ".jinja", ".model"):
                digest.update(file.read())
    return digest.hexdigest()[:16]


def _safe_name(folder: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name)[:60]


def _no_room(folder: Path, root: Path, error: OSError) -> EngineError:
    size = sum(path.stat().st_size for path in weight_files(folder)) / 1e9
    return EngineError(
        f"cannot write the corrected copy of {folder} to {root}: {error.strerror or error}",
        f"it needs {size:.1f} GB; point TVBENCH_CACHE to a folder with room",
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return read_object(path)
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot read {path}: {error}", "is this a checkpoint folder?") from error
