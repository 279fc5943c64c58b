"""The same clip asked about in several languages: decoded once, and kept no longer than it is worth."""

from __future__ import annotations

import gc
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clip_files import clip_of

from tvbench.data.media.clips import Clip
from tvbench.data.media.shared_clips import Decoded, SharedClips
from tvbench.data.media.video import ClipJob, Decoder
from tvbench.errors import MediaError


class Counted:
    def __init__(self, size: int = 10) -> None:
        self.count = 0
        self.size = size

    def __call__(self) -> Decoded:
        self.count += 1
        return Clip(np.zeros((1, 1, self.size, 1), np.uint8)), ("a note",)


def test_a_clip_is_decoded_once_while_somebody_has_it_or_just_after() -> None:
    shared, decode = SharedClips(kept_bytes=25), Counted()
    first, notes = shared.get(b"film", "how", decode)
    assert shared.get(b"film", "how", decode) == (first, notes) and decode.count == 1
    shared.get(b"film", "otherwise", decode)
    shared.get(b"other", "how", decode)
    assert decode.count == 3
    assert shared.get(b"film", "how", decode)[0] is first, "it is still held here"
    del first
    shared.get(b"third", "how", decode)
    shared.get(b"fourth", "how", decode)
    gc.collect()
    assert decode.count == 5
    shared.get(b"film", "how", decode)
    assert decode.count == 6, "nobody had it, and two others came after it"
    assert sum(clip.frames.nbytes for clip in shared._kept.values()) <= 25 and len(shared._known) <= 3


def test_what_is_larger_than_the_bound_is_kept_by_its_holder_alone() -> None:
    shared, decode = SharedClips(kept_bytes=25), Counted(100)
    clip, _ = shared.get(b"film", "how", decode)
    assert shared.get(b"film", "how", decode)[0] is clip and not shared._kept
    del clip
    shared.get(b"film", "how", decode)
    assert decode.count == 2


def test_whoever_asks_meanwhile_waits_and_hears_the_same() -> None:
    shared, begun, go = SharedClips(), threading.Event(), threading.Event()
    count = []

    def slow() -> Decoded:
        count.append(1)
        begun.set()
        go.wait(60)
        raise MediaError("broken")

    def ask(decode: Callable[[], Decoded]) -> str:
        with pytest.raises(MediaError) as caught:
            shared.get(b"film", "how", decode)
        return str(caught.value)

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(ask, slow)]
        begun.wait(60)
        answers += [pool.submit(ask, slow) for _ in range(3)]
        go.set()
        assert [answer.result(60) for answer in answers] == ["broken"] * 4
    assert len(count) <= 4, "a failure is not kept: whoever comes later tries again"
    assert shared.get(b"film", "how", Counted())[1] == ("a note",)


def test_a_pool_decodes_a_clip_of_many_languages_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Decoder(timeout_s=120, workers=4)) as decoder:
        asked: list[str] = []
        real = Decoder._ask

        def noting(self: Decoder, process: subprocess.Popen[bytes], data: bytes, job: ClipJob) -> dict[str, Any]:
            asked.append(job.name)
            return real(self, process, data, job)

        monkeypatch.setattr(Decoder, "_ask", noting)
        data = clip_of(20)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: decoder.decode(data, "film", 8, 32), range(24)))
        assert asked == ["film"] and len(decoder._started) == 1
        assert all(clip is found[0][0] for clip, _ in found) and not found[0][0].frames.flags["W"]
        decoder.decode(data, "film", 4, 32)
        assert len(asked) == 2 and len(decoder._started) == 1, "an idle process is used before another is started"
        (process,) = decoder._started
    assert not Path(f"/proc/{process.pid}").exists()
