"""Clips on their way to an engine: how long it waits for them, and how much memory they take, by an engine of a given
speed that is fed through the public protocol.

    python benchmarks/clip_feed.py --clips 48 --seconds 0.5 --batch 8

Clips are ten seconds of 854 x 480 H.264, 32 frames are shown at 384 x 384. `--mix huge-first` (`huge-last`): one
clip of 1920 x 1080 before (behind) small ones, `huge`: all are; none is resized, so that nobody knows their size before
they are decoded.
`--languages N` asks each clip N times in a row. Peak memory is the proportional share (PSS) of this process and all
that it started, less what it took before the first clip. `--quick` is what a test runs.

Measured on two cores that six to twenty other jobs shared (so times vary), before and after clips were decoded in one
pass, once for all languages, and waited for room as soon as their size was known (`--seconds 0.05` where not said):

| run | before: seconds, idle, peak MB | after |
|---|---|---|
| `--clips 24 --seconds 0.05`, twice | 18.8 and 26.3; 17.4 and 25.0; 154 | 8.6 and 10.3; 7.2 and 9.0; 184 (16 clips) |
| `--clips 32 --seconds 0.6` | 32.0; 12.6; 150 | 20.4; 1.2, all of it before the first clip |
| `--clips 16 --seconds 1 --batch 1` | 39.8; 23.3; 173 | 19.7; 3.6, all of it before the first clip; 174 |
| `--clips 6 --languages 6 --seconds 0.05` | 29.7; 27.7; 181 | 4.1; 2.2; 102 |
| `--clips 20 --mix huge-first` | 26.7; 25.4; 647 | 16.0; 14.8; 469 |
| `--clips 20 --mix huge-last` | 15.4; 14.2; 502 | 13.8; 12.6; 485 |
| `--clips 8 --workers 8 --mix huge` | 27.3; 25.6; 3,208 | 10 a clip beside 20 jobs; 809 (six: 716) |
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [] if "tvbench" in sys.modules else [str(ROOT)]

import av  # noqa: E402
import numpy as np  # noqa: E402

from tvbench.data.media.video import Decoder  # noqa: E402
from tvbench.engines.protocol import Feed, Prepared, Sight  # noqa: E402
from tvbench.runs import runner  # noqa: E402
from tvbench.runs.feed import DecodeAhead  # noqa: E402
from tvbench.runs.preparing import prepare  # noqa: E402
from tvbench.types import Media, Message, Request, Response, Sampling  # noqa: E402

SMALL, HUGE = (854, 480), (1920, 1080)
FRAMES, SIDE = 32, 384


@dataclass(slots=True)
class Passed:
    """How one run went. Seconds of wall time; `idle` while the engine had nothing to do, `first` until its first clip.
    Megabytes at the peak: of all processes, and of decoded clips that were alive in this one."""

    seconds: float = 0.0
    idle: float = 0.0
    first: float = 0.0
    answered: int = 0
    failed: int = 0
    peak: float = 0.0
    clips: float = 0.0


class Steady:
    """An engine that takes `seconds` for each clip, `batch` at a time, and lets go of them then."""

    def __init__(self, seconds: float, batch: int, found: Passed) -> None:
        self.seconds, self.batch, self.found = seconds, batch, found

    def serve(self, feed: Feed) -> Iterator[Response]:
        """See engines/protocol.py."""
        began = time.monotonic()
        while taken := self._taken(feed):
            self.found.first = self.found.first or time.monotonic() - began
            keys = [prepared.request.key for prepared in taken]
            taken.clear()
            time.sleep(self.seconds * len(keys))
            yield from (Response(key, text="a") for key in keys)

    def _taken(self, feed: Feed) -> list[Prepared]:
        began = time.monotonic()
        taken = feed.take(self.batch, wait=True)
        self.found.idle += time.monotonic() - began
        return taken


def clip(size: tuple[int, int], seconds: float, seed: int) -> bytes:
    """Soft shapes that drift over a little noise, 25 frames a second."""
    rng, buffer = np.random.default_rng(seed), io.BytesIO()
    width, height = size
    ground = np.kron(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), np.ones((60, 90, 1), np.uint8))
    with av.open(buffer, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=25, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        small = av.VideoFrame.from_ndarray(np.ascontiguousarray(ground), "rgb24").reformat(width, height, "rgb24")
        picture = small.to_ndarray()
        for number in range(round(25 * seconds)):
            moved = np.roll(picture, 3 * number, axis=1)
            moved[::2] += rng.integers(0, 6, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(moved), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def requests(films: Sequence[bytes], count: int, languages: int, mix: str, huge: bytes) -> list[Request]:
    """Questions about `count` clips, `languages` about each."""
    found: list[Request] = []
    for number in range(count):
        large = mix == "huge" or (mix == "huge-first" and not number) or (mix == "huge-last" and number == count - 1)
        # A few bytes behind the last box make another file of the same clip.
        data = (huge if large else films[number % len(films)]) + number.to_bytes(8, "big").rjust(16, b"\0")
        found += [_asked(f"{number}.{language}", data) for language in range(languages)]
    return found


def _asked(key: str, data: bytes) -> Request:
    media = Media("video", "clip", lambda: data, frames=FRAMES)
    return Request(key, (Message("user", (media, "What happens?")),), Sampling())


# ── Memory ────────────────────────────────────────────────────────────────────────────────────────


def share() -> int:
    """Bytes of this process and its children, each page divided by those that share it."""
    me, total = str(Path("/proc/self").resolve().name), 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            if me in (entry.name, parent):
                rollup = (entry / "smaps_rollup").read_text()
                total += int(rollup.partition("\nPss:")[2].split()[0]) * 1024
        except (OSError, IndexError, ValueError):
            continue
    return total


class Peak:
    """The largest of what `measure` gives, looked at all the time."""

    def __init__(self, measure: Callable[[], int]) -> None:
        self.most, self._measure, self._ended = 0, measure, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            self.most = max(self.most, self._measure())


# ── The command ───────────────────────────────────────────────────────────────────────────────────


def passed(asked: Sequence[Request], args: argparse.Namespace) -> Passed:
    """Have `asked` answered."""
    found, sight = Passed(), Sight(SIDE if args.mix == "same" else None)
    engine, before = Steady(args.seconds, args.batch, found), share()
    workers = {} if args.workers is None else {"workers": args.workers}
    with closing(Decoder(timeout_s=600, **workers)) as decoder:
        threads = max(runner.DECODE_THREADS, args.workers or 0)
        began = time.monotonic()
        feed = DecodeAhead(asked, lambda one: prepare(one, decoder, sight), threads=threads, window=128)
        with Peak(share) as memory, Peak(lambda: feed._held) as held:
            for _ in engine.serve(feed):
                found.answered += 1
        found.seconds = time.monotonic() - began
        failed = feed.failures()
        feed.close()
    found.failed = len(failed)
    for error in sorted({response.error or "" for response in failed}):
        print(error, file=sys.stderr)
    found.peak, found.clips = (memory.most - before) / 1e6, held.most / 1e6
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Print what came of it; 1 where a clip was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=48, metavar="N")
    parser.add_argument("--languages", type=int, default=1, metavar="N")
    parser.add_argument("--seconds", type=float, default=0.5, metavar="S", help="the engine's, for each clip")
    parser.add_argument("--batch", type=int, default=8, metavar="N")
    parser.add_argument("--workers", type=int, metavar="N", help="decoding processes (default: as in a run)")
    parser.add_argument("--mix", choices=("same", "huge-first", "huge-last", "huge"), default="same")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args(words)
    films = [clip((160, 96) if args.quick else SMALL, 1 if args.quick else 10, seed) for seed in range(4)]
    huge = clip((640, 360) if args.quick else HUGE, 1 if args.quick else 10, 9) if args.mix != "same" else b""
    asked = requests(films, args.clips, args.languages, args.mix, huge)
    found = passed(asked, args)
    print(json.dumps({name: round(value, 2) for name, value in asdict(found).items()}))
    return int(found.answered != len(asked))


if __name__ == "__main__":
    raise SystemExit(main())
