"""Writes tests/data/ppi_reference.json: what the authors' package says of small seeded samples.

    pip install ppi_python          (in an environment of its own)
    python tools/ppi_reference.py

The package needs numba, scikit-learn and statsmodels, which nothing else here does: its figures are kept instead.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate  # type: ignore[import-not-found, unused-ignore]

PATH = Path(__file__).parents[1] / "tests" / "data" / "ppi_reference.json"
CASES = ((10, 40, True), (25, 300, True), (40, 40, False), (100, 900, False), (60, 30, True), (3, 5, False))
WEIGHTS = (None, 0.0, 0.3, 1.0)
LEVELS = (0.9, 0.95)


def main() -> None:
    rng = np.random.default_rng(2311)
    cases: list[dict[str, Any]] = []
    for n, rest, graded in CASES:
        labels, ratings = sample(rng, n, graded)
        _, others = sample(rng, rest, graded)
        data = [np.array(part) for part in (labels, ratings, others)]
        figures = [
            {
                "weight": weight,
                "level": level,
                "value": float(np.squeeze(ppi_mean_pointestimate(*data, lam=weight))),
                "interval": [float(np.squeeze(end)) for end in ppi_mean_ci(*data, alpha=1 - level, lam=weight)],
            }
            for weight in WEIGHTS
            for level in LEVELS
        ]
        cases.append({"labels": labels, "ratings": ratings, "others": others, "figures": figures})
    found = {"package": f"ppi_python {version('ppi_python')}", "cases": cases}
    PATH.write_text(json.dumps(found, separators=(",", ":")) + "\n", encoding="utf-8")


def sample(rng: np.random.Generator, n: int, graded: bool) -> tuple[list[float], list[float]]:
    """Labels, and the ratings of a judge who is often right."""
    labels = (rng.random(n) < 0.7).astype(float)
    ratings = np.where(rng.random(n) < 0.8, labels, 1 - labels)
    if graded:
        ratings = np.round(np.clip(ratings + rng.normal(0, 0.3, n), 0, 1) * 5) / 5
    return labels.tolist(), ratings.tolist()


if __name__ == "__main__":
    main()
