"""A model's own processor, as transformers has it; without its part for clips where torchvision is missing.

The video processors of transformers need torchvision, and AutoProcessor opens all parts or none: a model that takes
clips too (Qwen2.5-VL, InternVL) could not be asked about a picture. Knows transformers; no request and no prompt.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tvbench.errors import EngineError

CLIPS = "video_processor"
TORCHVISION = "install the torchvision that fits your torch (`pip install torchvision`), or use --engine vllm"


def open_processor(folder: Path) -> Any:
    """The processor of a checkpoint folder; `takes_clips` tells whether its part for clips could be opened.

    Raises EngineError, with what to install.
    """
    from transformers import AutoProcessor

    try:
        return AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ImportError, OSError, ValueError) as error:
        kind = None if find_spec("torchvision") else _kind(folder)
        if kind is None or kind.get_attributes()[-1] != CLIPS:
            raise _refused(error) from error
    try:
        return pictures_only(kind).from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ImportError, OSError, ValueError) as error:
        raise _refused(error) from error


def takes_clips(processor: Any) -> bool:
    """Whether its part for clips could be opened. A family that has none says so itself when it is given one."""
    return not getattr(type(processor), "lacks_clips", False)


def backend_of(processor: Any) -> str:
    """What prepares the pictures: transformers takes torchvision where it is installed, else PIL. "" where it cannot be
    told."""
    kinds = {kind.__name__ for kind in type(getattr(processor, "image_processor", None)).__mro__}
    return "torchvision" if "TorchvisionBackend" in kinds else "pil" if "PilBackend" in kinds else ""


def pictures_only(kind: Any) -> Any:
    """A processor class of that name whose last part, the one for clips, is left out."""
    parts = [name for name in kind.get_attributes() if name != CLIPS]
    return type(kind.__name__, (kind,), {"get_attributes": classmethod(lambda _: parts), "lacks_clips": True})


def _kind(folder: Path) -> Any:
    """The processor class of transformers for the folder's kind of model. None: it has none, or cannot import it."""
    import transformers
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES

    model = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    try:
        return getattr(transformers, str(PROCESSOR_MAPPING_NAMES.get(model)), None)
    except ImportError:
        return None


def _refused(error: Exception) -> EngineError:
    missing = find_spec("torchvision") is None and isinstance(error, ImportError)
    return EngineError(
        f"cannot open the model's processor: {' '.join(str(error).split())}",
        TORCHVISION if missing else "use --engine vllm, or install what it asks for",
    )
