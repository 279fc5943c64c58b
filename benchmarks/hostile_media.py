"""What damaged and hostile pictures and clips do to a real run: `tvbench run` of tower-mini over freshly mutated files.

    python benchmarks/hostile_media.py --pictures 1000 --clips 100 --seed 1 --trace

Pictures are of every format that PIL writes, and texts and headers of others; clips of every container that is read,
and playlists that name another file. Each is changed at random, from --seed on. Every item has to be answered or
reported as failed, with no traceback, and the bait that playlists name must stay closed. --trace (strace) lists every
file outside of Python, the system and the run's own folders that any process opened, and every address connected to.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import av  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from tvbench.data.media.kinds import BEGINNINGS  # noqa: E402
from tvbench.runs.store import find_runs  # noqa: E402

BAIT = "bait.mp4"
STUBS = (
    b"SIMPLE  =                    T\nBITPIX  = 8\n",
    b"8BPS\0\1" + bytes(6) + b"\0\3\0\0\0\x10\0\0\0\x10\0\x08\0\3",
    b"\xd7\xcd\xc6\x9a\0\0",
    b"\x59\xa6\x6a\x95\0\0\0\x10\0\0\0\x10\0\0\0\x18",
    b"/* XPM */\nstatic char *x[] = {\n",
    b"GRIB\0\0\0\1",
    b"BUFR\0\0\0\1",
    b"\x89HDF\r\n\x1a\n",
    b"\x01\xda\1\1\0\3\0\x10\0\x10\0\3",
    b"<svg/>",
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(bait.mp4) run\n",
    b"%PDF-1.4\n",
    b"P7 332\n9 9\n",
)
CONTAINERS = (
    ("mp4", "libx264"),
    ("mov", "mpeg4"),
    ("matroska", "libx264"),
    ("webm", "libvpx"),
    ("mpegts", "libx264"),
    ("flv", "flv"),
    ("avi", "mjpeg"),
    ("avi", "mpeg4"),
    ("mpeg", "mpeg1video"),
    ("ogg", "libvpx"),
    ("gif", "gif"),
)
LISTS = (
    "ffconcat version 1.0\nfile {bait}\n",
    "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{bait}\n#EXT-X-ENDLIST\n",
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 40404 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "<?xml version='1.0'?><MPD><Period><AdaptationSet><Representation><BaseURL>{bait}</BaseURL></Representation>"
    "</AdaptationSet></Period></MPD>",
)
EXTREMES = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\xff\xff", b"\x80\0\0\0", b"\0\1\0\0")


@dataclass(slots=True)
class Found:
    """What came of the items of some runs."""

    asked: int = 0
    answered: int = 0
    failed: int = 0
    lost: int = 0
    codes: list[int] = field(default_factory=list)
    tracebacks: int = 0
    peak: int = 0
    """Bytes: resident memory of all processes of a run together, the largest seen."""
    opened: Counter[str] = field(default_factory=Counter)
    connected: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> bool:
        return not (self.lost or self.tracebacks or self.opened or self.connected or set(self.codes) - {0, 1})


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────


def pictures() -> list[bytes]:
    """A small picture in every format and mode that PIL writes, and beginnings of those that it only reads."""
    Image.init()
    rgb = Image.fromarray(np.random.default_rng(0).integers(0, 256, (18, 24, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x011A] = 6, "maker", 72.0
    found = [stub + bytes(400) for stub in STUBS]
    for form in sorted(set(Image.SAVE) - {"PDF", "PALM", "XVTHUMB"}):
        for mode in ("RGB", "RGBA", "L", "P", "1", "CMYK", "I;16", "LA"):
            for extra in ({}, {"exif": exif}, {"compression": "tiff_lzw"}, {"progressive": True}):
                buffer = io.BytesIO()
                try:
                    rgb.convert("L" if mode == "I;16" else mode).convert(mode).save(buffer, form, **extra)
                except Exception:  # noqa: BLE001 - formats differ in what they can write, and in how they say so
                    continue
                found.append(buffer.getvalue())
    return sorted({data for data in found if data})


def clips(folder: Path) -> list[bytes]:
    """A short clip in every container, and lists that name the bait."""
    found = [text.format(bait=bait).encode() for text in LISTS for bait in (BAIT, str(folder / BAIT))]
    rng = np.random.default_rng(0)
    for form, codec in CONTAINERS:
        buffer = io.BytesIO()
        with av.open(buffer, "w", format=form) as file:
            stream: Any = file.add_stream(codec, rate=25)
            stream.width = stream.height = 48
            stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
            for _ in range(12):
                file.mux(stream.encode(av.VideoFrame.from_ndarray(rng.integers(0, 256, (48, 48, 3), np.uint8))))
            file.mux(stream.encode(None))
        found.append(buffer.getvalue())
    return found


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Changed in one of many ways; one in twenty stays whole."""
    if rng.random() < 0.05:
        return data
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        # Half of the changes hit the header, where sizes and kinds stand.
        place = rng.randrange(len(changed) if rng.random() < 0.5 else min(len(changed), 200))
        way = rng.randrange(6)
        if way == 0:
            changed[place] ^= 1 << rng.randrange(8)
        elif way == 1:
            changed[place] = rng.randrange(256)
        elif way == 2:
            extreme = rng.choice(EXTREMES)
            changed[place : place + 4] = extreme if rng.random() < 0.5 else extreme[::-1]
        elif way == 3:
            changed[place:place] = changed[place : place + rng.randrange(1, 64)]
        elif way == 4:
            del changed[place : place + rng.randrange(1, 32)]
        elif rng.random() < 0.2:
            del changed[place:]
        changed = changed or bytearray(b"\0")
    return bytes(changed)


def write_data(folder: Path, seed: int, many_pictures: int, many_clips: int) -> None:
    """Multi30K and ViMUL-Bench in the hub's layout, with mutated files below `images` and `videos`, and the bait."""
    rng = random.Random(seed)
    sources, films = pictures(), clips(folder)
    (folder / BAIT).write_bytes(films[-len(CONTAINERS)])
    rng.shuffle(sources)
    rng.shuffle(films)
    read = [data for data in sources if data.startswith(BEGINNINGS)]  # every other one is of a format that is opened
    rows = []
    for number in range(many_pictures):
        group = (read, sources)[number % 2]
        source = group[number // 2 % len(group)]
        rows.append({"image": f"{number}.bin", "en": f"A dog {number}.", "de": "Ein Hund."})
        write(folder / "multi30k" / "images" / f"{number}.bin", mutated(source, rng))
    write(folder / "multi30k" / "test.jsonl", "\n".join(map(json.dumps, rows)).encode())
    rows = []
    for number in range(many_clips):
        row = {"video": f"{number}.bin", "question": f"What {number}?", "options": "['tea', 'milk']", "answer": "A"}
        rows.append(row)
        write(folder / "vimul" / "videos" / f"{number}.bin", mutated(films[number % len(films)], rng))
    write(folder / "vimul" / "vimulmcq_english" / "test.jsonl", "\n".join(map(json.dumps, rows)).encode())


def write(path: Path, data: bytes) -> None:
    """With the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


# ── Runs ──────────────────────────────────────────────────────────────────────────────────────────


def run(folder: Path, task: str, words: Sequence[str], found: Found, *, trace: bool) -> None:
    """One `tvbench run` in the data folder, where the bait lies; adds to `found`."""
    log, results = folder / f"{task}.trace", folder / f"results-{task}"
    command = [
        sys.executable,
        "-m",
        "tvbench.cli.main",
        "run",
        "--model",
        "tower-mini",
        "--engine",
        "transformers",
        "--tasks",
        task,
        "--data",
        str(folder / task.partition(":")[0]),
        "--results",
        str(results),
        "--quiet",
        "--offline",
        "--max-new-tokens",
        "2",
        *words,
    ]
    if trace:
        command = [
            "strace",
            "-f",
            "--seccomp-bpf",
            "-qq",
            "-s",
            "300",
            "-e",
            "trace=open,openat,connect,bind,execve",
            "-o",
            str(log),
            *command,
        ]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with (folder / f"{task}.said").open("w+", encoding="utf-8", errors="replace") as said:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=said, stderr=said, start_new_session=True)
        while process.poll() is None:
            found.peak = max(found.peak, resident(process.pid))
            time.sleep(0.1)
        said.seek(0)
        text = said.read()
    found.codes.append(process.returncode)
    found.tracebacks += text.count("Traceback (most recent call last)")
    if process.returncode not in (0, 1):
        print(text[-2000:], file=sys.stderr)
    count(results, found)
    if trace:
        read_trace(log, folder, found)


def count(results: Path, found: Found) -> None:
    """Items of the runs below `results`: answered, failed with a reason, or lost."""
    for store in find_runs(results):
        keys = {key for key, _ in store.requests()}
        answers = store.responses()
        failed = [answers[key].error or "" for key in keys & answers.keys() if answers[key].error is not None]
        found.asked += len(keys)
        found.failed += len(failed)
        found.answered += len(keys & answers.keys()) - len(failed)
        found.lost += len(keys - answers.keys()) + failed.count("")
        found.reasons.update(re.sub(r"\S*\.bin\S*|\d+|'[^']*'", "·", reason.split("\n")[0])[:60] for reason in failed)


def resident(leader: int) -> int:
    """Resident bytes of a process and all that descend from it. Pages that they share count for each of them."""
    parents, sizes = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        number = int(status.parent.name)
        parents[number], sizes[number] = int(lines["PPid"]), int(lines.get("VmRSS", "0 kB").split()[0]) * 1024
    family = {leader}
    for _ in range(6):  # generations
        family |= {number for number, parent in parents.items() if parent in family}
    return sum(sizes.get(number, 0) for number in family)


def read_trace(log: Path, folder: Path, found: Found) -> None:
    """What was opened besides Python, the system, tvbench's own places and the run's folder; the bait in any case."""
    places = [
        sys.prefix,
        sys.base_prefix,
        os.path.realpath(sys.prefix),
        sysconfig.get_paths()["purelib"],
        str(ROOT),
        str(folder),
        "/usr",
        "/lib",
        "/etc",
        "/proc",
        "/sys",
        "/dev",
        "/bin",
        str(Path.home() / ".cache"),
        *(os.environ[name] for name in ("HF_HOME", "XDG_CACHE_HOME", "TVBENCH_CACHE") if name in os.environ),
    ]
    for line in log.read_text(errors="replace").splitlines():
        opened = re.search(r'open(?:at)?\([^"]*"([^"]*)".* = \d+', line)
        if opened and "O_DIRECTORY" not in line and "O_EXCL" not in line:  # no listing, no temporary file
            path = opened[1]
            outside = path.startswith("/") and not any(path.startswith(place) for place in places)
            if Path(path).name == BAIT or (outside and "/tvbench-" not in path):
                found.opened[path] += 1
        if re.search(r"(connect|bind)\(.*AF_INET6?", line):
            found.connected[line.split("(", 1)[1][:100]] += 1


# ── The command ───────────────────────────────────────────────────────────────────────────────────


def main(words: Sequence[str] | None = None) -> int:
    """Write the files, run, print what came of them. 1 where an item was lost or anything else was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200, metavar="N", help="default %(default)s")
    parser.add_argument("--clips", type=int, default=50, metavar="N", help="default %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trace", action="store_true", help="watch what is opened, by strace")
    parser.add_argument("--decoder", default="pyav", help="of clips")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the files there")
    args = parser.parse_args(words)
    if args.trace and shutil.which("strace") is None:
        parser.error("strace is not installed: leave out --trace, or apt-get install strace")
    with tempfile.TemporaryDirectory(prefix="hostile-") as temporary:
        folder = (args.keep or Path(temporary)).resolve()
        write_data(folder, args.seed, args.pictures, args.clips)
        found = Found()
        if args.pictures:
            run(folder, "multi30k:de", (), found, trace=args.trace)
        if args.clips:
            words = ("--set", "vimul.frames=4", "--set", "vimul.types=mcq", "--decoder", args.decoder)
            run(folder, "vimul:en", words, found, trace=args.trace)
    print(
        f"asked {found.asked}  answered {found.answered}  failed {found.failed}  lost {found.lost}  "
        f"tracebacks {found.tracebacks}  exit codes {found.codes}  peak {found.peak / 1e6:.0f} MB  "
        f"opened elsewhere {dict(found.opened)}  connected {dict(found.connected)}"
    )
    for reason, number in found.reasons.most_common(12):
        print(f"{number:6} {reason}")
    return 0 if found.good and found.asked == args.pictures + args.clips else 1


if __name__ == "__main__":
    raise SystemExit(main())
