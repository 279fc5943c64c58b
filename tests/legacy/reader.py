"""Runs in the transformers 4.5x environment: opens checkpoints and says what it found. Imports nothing of tvbench.

    python reader.py INPUTS.safetensors OUTPUT FOLDER...

INPUTS holds the tensors of prompts, named `prompt/argument`. OUTPUT becomes a folder with report.json and, for each
FOLDER by its place in the list, the logits of every prompt.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

torch.set_num_threads(1)


def opened(folder: Path) -> tuple[Any, dict[str, list[str]]]:
    """The model, and keys that were missing, left over or of another shape."""
    model, info = AutoModelForImageTextToText.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True, output_loading_info=True
    )
    names = ("missing_keys", "unexpected_keys", "mismatched_keys")
    return model.eval(), {name: sorted(map(str, info[name])) for name in names}


def small_files(folder: Path) -> dict[str, Any]:
    """Whether processor and tokenizer open, and what the tokenizer makes of a text."""
    try:
        processor = type(AutoImageProcessor.from_pretrained(folder, local_files_only=True, use_fast=False)).__name__
    except (OSError, ValueError, ImportError, AttributeError) as error:
        processor = f"{type(error).__name__}: {error}"
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    turns = [{"role": "user", "content": "<image>\nWas ist das? 红"}]
    return {"processor": processor, "ids": tokenizer.apply_chat_template(turns, add_generation_prompt=True)}


def logits(model: Any, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Of every prompt, float32 [tokens, vocabulary]."""
    found = {}
    for prompt in sorted({name.partition("/")[0] for name in inputs}):
        given = {name.partition("/")[2]: held for name, held in inputs.items() if name.startswith(f"{prompt}/")}
        with torch.inference_mode():
            found[prompt] = model(**given, use_cache=False).logits[0].contiguous()
    return found


def main() -> None:
    inputs, output, folders = load_file(sys.argv[1]), Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]]
    output.mkdir()
    report: dict[str, Any] = {"version": transformers.__version__, "folders": []}
    for number, folder in enumerate(folders):
        model, keys = opened(folder)
        save_file(logits(model, inputs), output / f"{number}.safetensors")
        report["folders"].append({**keys, **small_files(folder)})
    (output / "report.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
