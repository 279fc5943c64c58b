"""The benchmarks of clips run, and read what they draw."""

from __future__ import annotations

import json

import numpy as np
import pytest
from repository import benchmark


def test_a_frame_tells_its_number_and_decoders_are_compared() -> None:
    decoders = benchmark("decoders")
    assert decoders.numbers(np.stack(list(decoders.pictures((384, 96), 40)))).tolist() == list(range(40))
    data = decoders.clip("mp4", "libx264", "yuv420p", (384, 96), 2)
    plain = decoders.every(data)
    assert len(plain) == 50 and decoders.numbers(plain).tolist() == list(range(50))
    with decoders.closing(decoders.Decoder(timeout_s=300, workers=1)) as decoder:
        row = decoders.compared(decoder, "pyav", "x264", data, plain, 50, 1)
    assert (row.positions, row.same, row.pixels) == ("32 of 32", "32 of 32", "0.00")
    assert "of 32 frames decoded" in row.cut


@pytest.mark.parametrize("words", ["", "--mix huge-first", "--languages 2"])
def test_an_engine_of_a_given_speed_gets_every_clip(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark("clip_feed").main(["--quick", "--clips", "6", "--seconds", "0.01", *words.split()]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["failed"] == 0 and found["answered"] == (12 if "languages" in words else 6) and found["peak"] > 0
