"""What vLLM's caches have of a picture that is asked about in several languages, by the order of asking.

    PYTHONPATH=. $(python tools/vllm_env.py) benchmarks/order.py [--pictures 96] [--languages 7]

The same questions are asked twice from empty caches: in the data set's order, language after language, so that a
picture's questions lie `--pictures` apart; and in the order of a run, which puts questions about one picture next to
each other (runs/side_by_side.py). Caches hold as little of this set as a GPU's hold of a real one: keys and values of
about 40 pictures (TowerVision-9B on 80 GB: 150,000 tokens, 3,700 a picture), processed pictures of 64 (4 GB: some
hundreds), encoded ones of 4 (one step of 16,384 tokens). `--roomy` leaves them as large as vLLM makes them.

Columns: `processed` and `prefix` are vLLM's own counters (mm_cache_hits of mm_cache_queries, in pictures;
prefix_cache_hits of prefix_cache_queries, in tokens). vLLM (0.32) has no counter of encoded pictures: `encoded` counts
how often its scheduler made room for one, for each picture. Of all questions but
the first about a picture, 6 of 7, vLLM can share the tokens up to the last whole block before the texts part. Blocks
are `--blocks` tokens: vLLM's default is 128 on a CPU, which a prompt of tower-mini hardly fills, and 16 on a GPU.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.preparation import empty
from tvbench.data.media.video import Decoder
from tvbench.engines.local import local_checkpoint
from tvbench.engines.protocol import ListFeed, Prepared
from tvbench.engines.vllm import VllmEngine
from tvbench.registry.catalog import resolve_model
from tvbench.runs.planned import Keys, PlannedItem
from tvbench.runs.preparing import prepare
from tvbench.runs.side_by_side import side_by_side
from tvbench.types import Item, Media, Message, ModelCard, Sampling, Short

SIZE = (168, 112)
"""Six tiles and a thumbnail of tower-mini: 110 tokens."""
PICTURES_HELD, PROCESSED_HELD, ENCODED_HELD = 40, 64, 4
TOKENS = 110
PIXELS = 7 * 3 * 56 * 56 * 4
COUNTERS = ("vllm:mm_cache_queries", "vllm:mm_cache_hits", "vllm:prefix_cache_queries", "vllm:prefix_cache_hits")


def main() -> int:
    """Ask in both orders, for each size of blocks; print. 1 where an answer depends on the order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--languages", type=int, default=7)
    parser.add_argument("--blocks", default="128,32", help="tokens of a block: vLLM's default on a CPU is 128")
    parser.add_argument("--roomy", action="store_true", help="caches as large as vLLM makes them")
    args = parser.parse_args()
    card = resolve_model("tower-mini")
    planned = [Keys(card).planned(item) for item in questions(args.pictures, args.languages)]
    print(f"{len(planned)} questions about {args.pictures} pictures in {args.languages} languages")
    print(f"{'block':>5}  {'order':<24}{'processed':>10}{'encoded':>9}{'prefix':>8}{'answers':>9}")
    different = 0
    for block in map(int, args.blocks.split(",")):
        engine = opened(card, block, roomy=args.roomy)
        texts = [row(engine, name, block, order) for name, order in orders(planned)]
        different += texts[0] != texts[1]
        engine.close()
    print("answers: equal" if not different else "answers: DIFFERENT")
    return int(bool(different))


def orders(planned: Sequence[PlannedItem]) -> list[tuple[str, list[PlannedItem]]]:
    """The data set's and a run's."""
    return [("language after language", list(planned)), ("side by side", list(side_by_side(planned)))]


def questions(pictures: int, languages: int) -> list[Item]:
    """One about each picture in each language, language after language."""
    files = [drawn(number) for number in range(pictures)]
    return [
        Item(
            f"{language}-{number}",
            "order",
            "de",
            (Message("user", (file, f"Frage in Sprache {language}: welche Farbe?")),),
            Short(("rot",)),
            Sampling(max_new_tokens=4),
        )
        for language in range(languages)
        for number, file in enumerate(files)
    ]


def drawn(number: int) -> Media:
    """A picture of noise."""
    pixels = np.random.default_rng(number).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return Media("image", f"{number}.png", file.getvalue)


def opened(card: ModelCard, block: int, *, roomy: bool) -> VllmEngine:
    """vLLM that counts, with small caches."""
    settings: dict[str, Any] = {"max_model_len": 512, "limit_mm_per_prompt": {"image": 1}}
    settings |= {"block_size": block, "disable_log_stats": False, "media_processes": 0, "max_num_seqs": 8}
    if not roomy:
        held = PICTURES_HELD * -(-(TOKENS + 40) // block)
        settings |= {
            "num_gpu_blocks_override": max(held, 8 * -(-512 // block)),
            "max_num_batched_tokens": 4 * TOKENS + 80,
        }
        settings |= {"mm_processor_cache_gb": PROCESSED_HELD * PIXELS / 2**30}
    return VllmEngine(local_checkpoint(card, offline=True), replace(card, engine={"vllm": settings}), dtype="float32")


def row(engine: VllmEngine, name: str, block: int, order: Sequence[PlannedItem]) -> dict[str, str]:
    """Ask in that order from empty caches, print what they had; the answers by key."""
    asked = prepared(engine, order)
    empty(engine)
    encoder = engine._engine.engine_core.engine_core.scheduler.encoder_cache_manager
    encoded = Calls(encoder, "allocate")
    before = counted(engine)
    answers = {one.key: f"{one.text}{one.error or ''}" for one in engine.serve(ListFeed(asked))}
    pictures, had, tokens, shared = (now - then for now, then in zip(counted(engine), before, strict=True))
    different = len({planned.digests for planned in order})
    print(
        f"{block:>5}  {name:<24}{had / max(1, pictures):>10.1%}{encoded.stop() / different:>9.2f}"
        f"{shared / max(1, tokens):>8.1%}{len(answers):>9}"
    )
    return answers


def prepared(engine: VllmEngine, order: Sequence[PlannedItem]) -> list[Prepared]:
    """Each with its picture, as a run prepares it."""
    decoder = Decoder()
    try:
        return [prepare(planned.request, decoder, engine.sight) for planned in order]
    finally:
        decoder.close()


def counted(engine: VllmEngine) -> list[float]:
    """vLLM's counters so far."""
    sums = dict.fromkeys(COUNTERS, 0.0)
    for metric in engine._llm.get_metrics():
        if metric.name in sums:
            sums[metric.name] += float(metric.value)
    return list(sums.values())


class Calls:
    """Counts the calls of a method of one object."""

    def __init__(self, owner: Any, name: str) -> None:
        self._owner, self._name, self._count = owner, name, 0
        self._original = getattr(owner, name)
        setattr(owner, name, self._counted)

    def _counted(self, *args: Any, **more: Any) -> Any:
        self._count += 1
        return self._original(*args, **more)

    def stop(self) -> int:
        """How many there were."""
        delattr(self._owner, self._name)
        return self._count


if __name__ == "__main__":
    sys.exit(main())
