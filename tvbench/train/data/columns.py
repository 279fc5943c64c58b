"""What is known of every sample of a corpus without reading it, as columns: a few bytes a sample.

Filters and grouping work on these. Knows numpy and the vocabulary; no file format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tvbench.train.data.sample import Modality, Outline

MODALITIES: tuple[Modality, ...] = ("text", "image", "video")


@dataclass(frozen=True, slots=True)
class Columns:
    """`words` int32, `modality` int8 (a place in MODALITIES), `language` and `source` int32 (places in the names beside
    them), `score` float32 (NaN where there is none): all [n]."""

    words: np.ndarray
    modality: np.ndarray
    language: np.ndarray
    languages: tuple[str, ...]
    source: np.ndarray
    sources: tuple[str, ...]
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.words)

    def outline(self, index: int) -> Outline:
        """One sample's."""
        return Outline(
            int(self.words[index]),
            MODALITIES[self.modality[index]],
            self.languages[self.language[index]],
            self.sources[self.source[index]],
        )

    def take(self, indices: np.ndarray) -> Columns:
        """Those of some samples."""
        return Columns(
            self.words[indices],
            self.modality[indices],
            self.language[indices],
            self.languages,
            self.source[indices],
            self.sources,
            self.score[indices],
        )


def columns_of(rows: Iterable[tuple[Outline, float | None]]) -> Columns:
    """Columns of outlines and scores, in order."""
    words, modality, language, source, score = [], [], [], [], []
    languages: dict[str, int] = {}
    sources: dict[str, int] = {}
    for outline, value in rows:
        words.append(outline.words)
        modality.append(MODALITIES.index(outline.modality))
        language.append(languages.setdefault(outline.language, len(languages)))
        source.append(sources.setdefault(outline.source, len(sources)))
        score.append(np.nan if value is None else value)
    return Columns(
        np.asarray(words, dtype=np.int32),
        np.asarray(modality, dtype=np.int8),
        np.asarray(language, dtype=np.int32),
        tuple(languages),
        np.asarray(source, dtype=np.int32),
        tuple(sources),
        np.asarray(score, dtype=np.float32),
    )


def joined(parts: Sequence[Columns]) -> Columns:
    """Several corpora's columns, one after the other."""
    languages = tuple(dict.fromkeys(name for part in parts for name in part.languages))
    sources = tuple(dict.fromkeys(name for part in parts for name in part.sources))
    empty = np.zeros(0, dtype=np.int32)
    return Columns(
        np.concatenate([empty, *(part.words for part in parts)]),
        np.concatenate([empty.astype(np.int8), *(part.modality for part in parts)]),
        _renamed([(part.language, part.languages) for part in parts], languages),
        languages,
        _renamed([(part.source, part.sources) for part in parts], sources),
        sources,
        np.concatenate([empty.astype(np.float32), *(part.score for part in parts)]),
    )


def _renamed(parts: Sequence[tuple[np.ndarray, tuple[str, ...]]], names: tuple[str, ...]) -> np.ndarray:
    place = {name: number for number, name in enumerate(names)}
    mapped = [np.asarray([place[name] for name in known] or [0], dtype=np.int32)[codes] for codes, known in parts]
    return np.concatenate([np.zeros(0, dtype=np.int32), *mapped])
