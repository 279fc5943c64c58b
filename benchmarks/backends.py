"""What changes where torchvision prepares pictures instead of PIL: the pixel values of a picture set, and the answers.

    PYTHONPATH=. $(python tools/vllm_env.py) benchmarks/backends.py pixels
    PYTHONPATH=. $(python tools/vllm_env.py) benchmarks/backends.py answers --items 20

`pixels`: pictures made here (noise, edges, smooth; eleven sizes from 64 to 3000, RGB, L, RGBA, CMYK, palette and each
way of lying in EXIF; PNG, JPEG, WebP) are opened as a run opens them and go through transformers' processors with the
settings of each family. Differences are in grey levels of 255; `differ` is the share of values that differ by more than
a thousandth of a level; `sizes` counts pictures whose tensors have different shapes, which would be other tokens.

`answers`: tower-mini is asked its own test questions by vLLM twice, once by each backend, in all of its languages, and
`tvbench compare` says what it makes of it. Twice: with the pictures as they are drawn, which are as large as the tiles,
so that the thumbnail alone is resized; and with the same pictures in other sizes (64 to 800 pixels, JPEG), where every
tile is. The share of equal answers is over all questions that both runs answered.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import io
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tvbench.data.media.images import open_image
from tvbench.registry.catalog import task
from tvbench.runs.store import RunFolder, find_runs
from tvbench.types import Ask, Item, Media, Task

SIZES = (
    (64, 64),
    (100, 75),
    (384, 384),
    (500, 375),
    (375, 500),
    (640, 480),
    (1024, 768),
    (768, 1024),
    (64, 3000),
    (2000, 1500),
    (3000, 2000),
)
MODES = ("RGB", "L", "RGBA", "CMYK", "P")
TURNS = range(2, 9)
"""Ways of lying that EXIF knows, but the upright one."""
GRIDS = ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (1, 4), (2, 2), (4, 1), (1, 5), (5, 1), (1, 6), (2, 3), (3, 2), (6, 1))
HALVES = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
SIGLIP = {"size": {"height": 384, "width": 384}, "image_grid_pinpoints": [[384 * a, 384 * b] for a, b in GRIDS]}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "TowerVision (LLaVA-NeXT, SigLIP2 384, 6 tiles)": (
        "LlavaNext",
        {**HALVES, **SIGLIP, "size": {"shortest_edge": 384}, "crop_size": {"height": 384, "width": 384}, "resample": 3},
    ),
    "LLaVA-OneVision (SigLIP 384, 6 tiles)": ("LlavaOnevision", {**HALVES, **SIGLIP, "resample": 3}),
    "Qwen2.5-VL": ("Qwen2VL", {"min_pixels": 3136, "max_pixels": 12_845_056, "patch_size": 14, "merge_size": 2}),
    "Gemma 3": ("Gemma3", {**HALVES, "size": {"height": 896, "width": 896}, "resample": 2}),
}
"""The processor's name in transformers, and the settings that the family's checkpoints hold."""
BACKENDS = ("pil", "torchvision")


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one picture in one family, in grey levels: the largest, the mean, and the share of values that differ."""

    most: float
    mean: float
    share: float
    same_shape: bool


def main() -> int:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pixels", "answers"))
    parser.add_argument("--items", type=int, default=20, help="of each kind in each language")
    parser.add_argument("--results", type=Path, help="keep the runs here")
    parser.add_argument("--pictures", default="drawn,resized", help="of `answers`")
    parser.add_argument("--largest", type=int, default=3000, help="leave larger pictures out")
    args = parser.parse_args()
    if args.what == "pixels":
        pixels(args.largest)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        for name in args.pictures.split(","):
            folder = (args.results or Path(scratch)) / name
            report(name, *(asked(folder / backend, backend, name, args.items) for backend in BACKENDS))
    return 0


# ── Pixel values ──────────────────────────────────────────────────────────────────────────────────


def pixels(largest: int) -> None:
    """A row for each family, and the worst of its rows by size."""
    shown = [(name, open_image(data, name)) for name, data in pictures() if _longest(name) <= largest]
    print(f"{len(shown)} pictures\n{'':<50}{'max':>8}{'mean':>8}{'differ':>8}{'sizes':>7}   largest mean")
    for family, (kind, settings) in FAMILIES.items():
        first, second = (processor(kind, backend, settings) for backend in BACKENDS)
        found = {name: difference(first, second, picture) for name, picture in shown}
        worst = max(found, key=lambda name: found[name].mean)
        several = found.values()
        print(
            f"{family:<50}{max(one.most for one in several):>8.2f}{np.mean([one.mean for one in several]):>8.4f}"
            f"{np.mean([one.share for one in several]):>8.1%}{sum(not one.same_shape for one in several):>7}"
            f"   {found[worst].mean:.3f} ({worst})"
        )
        by_content = defaultdict(list)
        for name, one in found.items():
            by_content[name.split()[0]].append(one)
        for content, those in by_content.items():
            print(
                f"    {content:<46}{max(one.most for one in those):>8.2f}{np.mean([one.mean for one in those]):>8.4f}"
                f"{np.mean([one.share for one in those]):>8.1%}"
            )


def pictures() -> Iterator[tuple[str, bytes]]:
    """Names (`noise 500x375 RGB jpeg`) and files."""
    for place, size in enumerate(SIZES):
        for content in ("noise", "edges", "smooth"):
            yield f"{content} {size[0]}x{size[1]} RGB png", saved(made(content, size, place), "png")
    for place, mode in enumerate(MODES):
        for kind in ("jpeg",) if mode == "CMYK" else ("png", "webp") if mode in ("RGBA", "P") else ("jpeg", "webp"):
            picture = made("edges", (500, 375), 20 + place).convert(mode)
            yield f"edges 500x375 {mode} {kind}", saved(picture, kind)
    for turn in TURNS:
        exif = Image.Exif()
        exif[0x0112] = turn
        picture = made("smooth", (640, 480), 40 + turn)
        yield f"smooth 640x480 turned-{turn} jpeg", saved(picture, "jpeg", exif=exif)


def made(content: str, size: tuple[int, int], seed: int) -> Image.Image:
    """Noise in every pixel, edges of rectangles as in text and charts, or a smooth surface."""
    rng = np.random.default_rng(seed)
    width, height = size
    if content == "noise":
        return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    if content == "smooth":
        small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        return small.resize(size, Image.Resampling.BICUBIC)
    drawn = np.full((height, width, 3), 255, np.uint8)
    for _ in range(60):
        left, top = int(rng.integers(width)), int(rng.integers(height))
        wide, high = int(rng.integers(1, 2 + width // 8)), int(rng.integers(1, 2 + height // 8))
        drawn[top : top + high, left : left + wide] = rng.integers(0, 256, 3)
    return Image.fromarray(drawn)


def saved(picture: Image.Image, kind: str, **more: Any) -> bytes:
    """The file."""
    file = io.BytesIO()
    picture.save(file, kind, **more)
    return file.getvalue()


def _longest(name: str) -> int:
    return max(map(int, name.split()[1].split("x")))


def processor(kind: str, backend: str, settings: dict[str, Any]) -> Any:
    """transformers' class for pictures of that kind of model, by one backend."""
    import transformers

    maker = getattr(transformers, f"{kind}ImageProcessor{'Pil' if backend == 'pil' else ''}")
    return maker(**settings)


def difference(first: Any, second: Any, picture: Image.Image) -> Difference:
    """Between two processors' pixel values, taken back to grey levels."""
    values, others = (np.asarray(one(picture, return_tensors="np")["pixel_values"]) for one in (first, second))
    if values.shape != others.shape:
        return Difference(0.0, 0.0, 0.0, False)
    channels = 255 * float(np.mean(first.image_std))
    apart = np.abs(values.astype(np.float64) - others.astype(np.float64)) * channels
    return Difference(float(apart.max()), float(apart.mean()), float((apart > 1e-3).mean()), True)


# ── Answers ───────────────────────────────────────────────────────────────────────────────────────


def asked(results: Path, backend: str, name: str, items: int) -> RunFolder:
    """`tvbench run`, as a user would; the run's folder."""
    tasks = "mini-alm,mini-multi30k"
    settings = [f"mini.items={items}"]
    if name == "resized":
        file = results / "resized.py"
        results.mkdir(parents=True, exist_ok=True)
        file.write_text(TASK_FILE.format(here=str(Path(__file__).resolve().parent)), encoding="utf-8")
        tasks, settings = str(file), [f"resized-alm.items={items}", f"resized-multi30k.items={items}"]
    words = ["run", "--model", "tower-mini", "--tasks", tasks, "--engine", "vllm", "--dtype", "float32", "--quiet"]
    words += ["--results", str(results), "--engine-arg", f"image_backend={backend}"]
    words += [word for setting in settings for word in ("--set", setting)]
    tvbench(*words)
    (run,) = find_runs(results)
    return run


def report(name: str, first: RunFolder, second: RunFolder) -> None:
    """The share of equal answers, and what `compare` says."""
    one, other = first.responses(), second.responses()
    both = [key for key in one.keys() & other.keys() if one[key].error is None and other[key].error is None]
    same = sum(one[key].text == other[key].text for key in both)
    print(f"\n== {name}: {same} of {len(both)} answers equal ({same / len(both):.2%})")
    print(tvbench("compare", str(first.path), str(second.path)))


def tvbench(*words: str) -> str:
    """Its standard output. Ends the program where it fails."""
    done = subprocess.run([sys.executable, "-m", "tvbench", *words], capture_output=True, text=True, check=False)
    if done.returncode > 1:
        raise SystemExit(f"tvbench {' '.join(words)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


TASK_FILE = '''"""The mini tasks with pictures of other sizes."""

import sys

sys.path.insert(0, {here!r})
from backends import resized_task

from tvbench.types import Task

TASKS: list[Task] = [resized_task("mini-alm"), resized_task("mini-multi30k")]
'''


def resized_task(name: str) -> Task:
    """The same questions about the same pictures, in sizes that no tile has."""
    drawn = task(name)
    source, item = drawn.source, drawn.item
    assert source is not None and item is not None

    def resized(row: Any, ask: Ask) -> Item:
        found = item(row, of(name, ask))
        assert isinstance(found, Item)
        return with_resized(replace(found, task=ask.task))

    return replace(
        drawn, name=name.replace("mini", "resized"), source=lambda ask: source(of(name, ask)), item=resized, group=""
    )


def of(name: str, ask: Ask) -> Ask:
    """The same asked of the task `name`."""
    other = copy.copy(ask)
    other.task = name
    return other


def with_resized(item: Item) -> Item:
    """With its pictures in a size that their names decide, so that a picture has one size in all languages."""
    messages = tuple(
        replace(message, parts=tuple(_resized(part) if isinstance(part, Media) else part for part in message.parts))
        for message in item.messages
    )
    return replace(item, messages=messages)


def _resized(media: Media) -> Media:
    def load() -> bytes:
        picture = Image.open(io.BytesIO(media.load())).convert("RGB")
        seed = int.from_bytes(hashlib.sha256(picture.tobytes()).digest()[:4], "big")
        longest = int(np.random.default_rng(seed).integers(64, 801))
        scale = longest / max(picture.size)
        size = (max(32, round(picture.width * scale)), max(32, round(picture.height * scale)))
        return saved(picture.resize(size, Image.Resampling.LANCZOS), "jpeg", quality=92)

    return replace(media, name=f"resized-{media.name}.jpg", load=load)


if __name__ == "__main__":
    sys.exit(main())
