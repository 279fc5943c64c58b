"""What a stage is trained on, for people: its mixture, and examples with the learned parts marked.

Knows corpora and encoders; how it looks on a terminal is the command's matter.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tvbench.train.data.corpus import Corpus
from tvbench.train.data.encode import EncodedSample, Encoder
from tvbench.train.data.entries import Entry
from tvbench.train.data.sample import BrokenSample
from tvbench.train.loss import IGNORED

PROBED = 64
"""Samples, evenly spread over an entry, from which its tokens and languages are estimated."""


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """One dataset: how many `samples` the stage takes of it; mean `tokens` and `learned` tokens of those probed (none
    where there is no tokenizer), their languages by share, how many of the probed were broken, and why."""

    name: str
    samples: int
    tokens: float | None
    learned: float | None
    languages: dict[str, float]
    broken: int
    probed: int
    reasons: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a conversation that is learned, or not."""

    text: str
    learned: bool


def facts(entry: Entry, corpus: Corpus, encoder: Encoder | None, *, probed: int = PROBED) -> EntryFacts:
    """Probe the samples that a stage takes of an entry; without an encoder, only count them and their languages."""
    if encoder is None:
        columns = corpus.columns()
        codes = Counter(columns.languages[code] for code in columns.language.tolist())
        shares = {code: number / max(1, len(columns)) for code, number in codes.most_common()}
        return EntryFacts(entry.name, len(corpus), None, None, shares, 0, 0)
    good, reasons = [], []
    probed = min(probed, len(corpus))
    places = [spread(number, len(corpus)) for number in range(probed)]
    for index in places:
        try:
            good.append(encoder.encode(corpus.sample(index)))
        except BrokenSample as error:
            reasons.append(str(error))
    count = max(1, len(good))
    languages = Counter(sample.language for sample in good)
    return EntryFacts(
        entry.name,
        len(corpus),
        sum(len(sample.input_ids) for sample in good) / count,
        sum(int((sample.labels != IGNORED).sum()) for sample in good) / count,
        {code: number / count for code, number in languages.most_common()},
        len(reasons),
        len(places),
        tuple(reasons[:5]),
    )


def examples(corpus: Corpus, encoder: Encoder, count: int) -> list[tuple[str, list[Piece]]]:
    """The id and the pieces of `count` samples, spread over a corpus; broken ones with the reason as their text."""
    shown = []
    for number in range(min(count, len(corpus))):
        try:
            encoded = encoder.encode(corpus.sample(spread(number, len(corpus))))
            shown.append((encoded.id, pieces(encoded, encoder)))
        except BrokenSample as error:
            shown.append((error.sample, [Piece(f"skipped: {error.reason}", learned=False)]))
    return shown


def spread(number: int, total: int) -> int:
    """The index of a probe among `total`, by the golden ratio: even steps could meet one language each time where
    languages take turns."""
    return int(number * 0.6180339887 % 1 * total)


def pieces(encoded: EncodedSample, encoder: Encoder) -> list[Piece]:
    """A sample's text in stretches; the rows of a picture are written as `<image x 36>`."""
    found: list[tuple[list[int], bool]] = []
    for token, label in zip(encoded.input_ids.tolist(), encoded.labels.tolist(), strict=True):
        learned = label != IGNORED
        if found and found[-1][1] == learned:
            found[-1][0].append(token)
        else:
            found.append(([token], learned))
    return [Piece(_text(tokens, encoder), learned) for tokens, learned in found]


def _text(tokens: list[int], encoder: Encoder) -> str:
    out, run = "", 0
    ordinary: list[int] = []
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token not in (encoder.image_id, encoder.video_id):
            ordinary.append(token)
            continue
        run += 1
        if following != token:
            name = "image" if token == encoder.image_id else "video"
            out += encoder.tokenizer.decode(ordinary) + f"<{name} x {run}>"
            ordinary, run = [], 0
    return out + str(encoder.tokenizer.decode(ordinary))
