"""The questions of benchmarks/peers.py as a task of lmms-eval. The working directory is the folder of the data."""

from __future__ import annotations

from typing import Any

from PIL import Image


def visual(row: dict[str, Any]) -> list[Image.Image]:
    """The row's picture."""
    return [Image.open(row["file_name"]).convert("RGB")]


def text(row: dict[str, Any], lmms_eval_specific_kwargs: Any = None) -> str:
    """The question as it stands."""
    return str(row["question"])


def messages(row: dict[str, Any], lmms_eval_specific_kwargs: Any = None) -> list[dict[str, Any]]:
    """The picture, then the question."""
    parts = [{"type": "image", "url": visual(row)[0]}, {"type": "text", "text": text(row)}]
    return [{"role": "user", "content": parts}]


def scored(row: dict[str, Any], results: list[str]) -> dict[str, float]:
    """Whether there is an answer."""
    return {"answered": float(bool(results[0]))}
