"""The decoding process: `python -m tvbench.data.media.decode_worker [DECODER]`.

Reads jobs (a JSON line, then the clip's bytes) from standard input and answers (a JSON line, then the frames' bytes) on
a duplicate of standard output, so that nothing a library prints can damage the protocol. Before a clip's frames are
kept it says how many bytes they take, and waits for a line. From the first job on the process can open no file and no
socket, whatever a clip asks for, and its memory is limited.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import resource
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np

from tvbench.data.media.decode import decode_clip
from tvbench.data.media.decoders import DEFAULT, LIBRARIES
from tvbench.errors import MediaError

WORKING_MEMORY = 768 << 20
"""Bytes that one clip may take besides its file: canvas.CLIP_BYTES, and a decoder's pictures. A clip that wants more is
a failed item, not a frozen machine."""

NOTHING = memoryview(b"")


GONE = "nobody waits for the frames"


def main() -> None:
    """Answer jobs until standard input ends."""
    decoder = sys.argv[1] if len(sys.argv) > 1 else DEFAULT
    jobs, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    warm_up(decoder)
    gc.freeze()  # so that looking for garbage after each clip takes no time
    mapped = address_space()
    close_off(answers.fileno() + 1)
    while line := jobs.readline():
        job = json.loads(line)
        if mapped:
            limit_memory(mapped + job["bytes"] + WORKING_MEMORY)
        _answer(job, jobs.read(job["bytes"]), decoder, jobs, answers)
        gc.collect()


def warm_up(decoder: str = DEFAULT) -> None:
    """Load everything that would be loaded from a file when it is first needed: decode a clip, and a broken one. Raises
    whatever keeps the decoder from its work."""
    import av

    importlib.import_module(LIBRARIES[decoder].package)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64  # decord takes no smaller ones
        for _ in range(2):
            file.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        file.mux(stream.encode(None))
    clip = buffer.getvalue()
    decode_clip(clip, "a small clip", 2, None, decoder)
    for data, size in ((clip, 8), (clip[: len(clip) // 2], 8), (clip[:40], 8), (b"x", 8)):
        with contextlib.suppress(MediaError):
            decode_clip(data, "warm-up", 2, size, decoder)


def close_off(files: int) -> None:
    """Nothing more is opened than the first `files` descriptors, and no file grows."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def limit_memory(size: int) -> None:
    """`size` bytes of address space, where the system has such a limit."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))


def address_space() -> int:
    """Bytes that are mapped before the first clip; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return 0
    return pages * resource.getpagesize()


def _answer(job: dict[str, Any], data: bytes, decoder: str, jobs: IO[bytes], answers: IO[bytes]) -> None:
    def admit(size: int) -> None:
        answers.write(json.dumps({"needs": size}).encode() + b"\n")
        answers.flush()
        if not jobs.readline():
            raise SystemExit(GONE)

    try:
        clip, notes = decode_clip(data, job["name"], job["frames"], job["size"], decoder, admit)
        head: dict[str, Any] = {
            "shape": clip.frames.shape,
            "times": clip.times,
            "duration": clip.duration,
            "notes": notes,
        }
        body = np.ascontiguousarray(clip.frames).data.cast("B")
    except MediaError as error:
        head, body = {"error": str(error)}, NOTHING
    except MemoryError:
        head, body = {"error": f"{job['name']} takes more than {WORKING_MEMORY >> 20} MB to decode"}, NOTHING
    except Exception as error:  # noqa: BLE001 - the process boundary: whatever a codec raises is this clip's failure
        head, body = {"error": f"{job['name']} cannot be decoded ({type(error).__name__}: {error})"}, NOTHING
    answers.write(json.dumps(head).encode() + b"\n")
    answers.write(body)
    answers.flush()


if __name__ == "__main__":
    main()
