"""Another model behind the same name and address of a real server (llama.cpp): refused, or a run of its own."""

from __future__ import annotations

import contextlib
import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from continued import count_lines, interrupt, run_words
from real_server import MODEL, RealServer, missing_packages, start_server, weights
from served import sentences

from tvbench.cli.main import main
from tvbench.runs.store import find_runs

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_packages()), reason=f"pip install {' '.join(missing_packages())}"),
]
SENTENCES = 30
TOKENS = 12


@contextlib.contextmanager
def serving(model: Path, port: int) -> Iterator[RealServer]:
    server = start_server(port, model=model)
    try:
        yield server
    finally:
        server.stop()


def write_other_weights(source: Path, target: Path) -> None:
    """A model of the same size, name, template and architecture that answers otherwise: its positions turn slower."""
    data = bytearray(source.read_bytes())
    place = re.search(rb"llama\.rope\.freq_base\x06\x00\x00\x00", bytes(data[:10_000_000]))
    assert place is not None
    data[place.end() : place.end() + 4] = struct.pack("<f", 300.0)
    target.write_bytes(data)


def test_only_the_model_that_began_a_run_goes_on_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out, model = sentences(tmp_path / "data", SENTENCES), tmp_path / "out", tmp_path / "model.gguf"
    shutil.copyfile(weights(), model)
    with serving(model, 0) as server:
        port = server.port
        words = run_words(server.url, MODEL, data, out, TOKENS)
        kept = interrupt(words, out, 10)
    assert 10 <= kept < SENTENCES
    (run,) = find_runs(out)

    write_other_weights(weights(), model)
    with serving(model, port):
        assert main(words) == 2, "the same facts, other weights: the answers tell"
    said = capsys.readouterr().err
    assert "stored questions" in said and "--fresh" in said and "--revision" in said
    assert count_lines(out) == kept

    other = tmp_path / "other.gguf"
    shutil.copyfile(weights(), other)
    with serving(other, port):
        assert main(words) == 2, "another file is another model, and the run is not its own"
        said = capsys.readouterr().err
        assert "model_path" in said and f"answered {kept} of {SENTENCES}" in said and "--fresh" in said
        assert main([*words, "--limit", "3"]) == 0, "another file is another model, with a run of its own"
    assert len(find_runs(out)) == 2 and len(run.responses()) == kept

    shutil.copyfile(weights(), model)
    with serving(model, port):
        assert main(words) == 0, "the same model, started again, goes on"
    answers = run.responses()
    assert len(answers) == SENTENCES and not any(one.error or one.reused_from for one in answers.values())
    first, second = run.manifest().sessions or ()
    assert (first.answered or 0) + (second.answered or 0) == SENTENCES and first.server == second.server
