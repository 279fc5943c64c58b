"""Another model behind the same name and address of a real vLLM server is refused; the same one, restarted, goes on."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from continued import count_lines, interrupt, run_words
from served import sentences
from vllm_server import vllm_server

from tvbench.cli.main import main
from tvbench.mini.checkpoint import build_tiny
from tvbench.runs.store import find_runs

_SPEC = find_spec("vllm")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(_SPEC is None or _SPEC.origin is None, reason="vllm is not installed here"),
]
SENTENCES = 60


def test_only_the_model_that_began_a_run_goes_on_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder keeps its name, so that everything that the server tells of itself stays."""
    data, out, served = sentences(tmp_path / "data", SENTENCES), tmp_path / "out", tmp_path / "served"
    first, second = build_tiny(tmp_path / "first", seed=5), build_tiny(tmp_path / "second", seed=6)
    served.symlink_to(first)
    with vllm_server(served, tmp_path / "1.log") as address:
        words = run_words(address, "tiny", data, out, 24)
        kept = interrupt(words, out, 16)
    assert 16 <= kept < SENTENCES
    (run,) = find_runs(out)
    port = int(address.rpartition(":")[2])

    served.unlink()
    served.symlink_to(second)
    with vllm_server(served, tmp_path / "2.log", port=port):
        assert main(words) == 2
    said = capsys.readouterr().err
    assert "stored questions" in said and "--fresh" in said and "--revision" in said
    assert count_lines(out) == kept

    served.unlink()
    served.symlink_to(first)
    with vllm_server(served, tmp_path / "3.log", port=port):
        assert main(words) == 0
    assert len(run.answered_keys()) == SENTENCES
    assert len({str(one.server) for one in run.manifest().sessions or ()}) == 1
