"""Numbers on the command line: what no answer, wait or budget can be is refused before anything is read or asked."""

from __future__ import annotations

import argparse
import importlib

import pytest

from tvbench.cli.main import COMMANDS, main

RUN = ("run", "--model", "m", "--tasks", "alm")
JUDGE = ("judge", "r", "--judge", "m")
NOT_NUMBERS = ("nan", "inf", "-inf", "1e999", "x", "", "0x10", "-1")
FROM_0 = (*NOT_NUMBERS, "1.5", "nan1")
FROM_1 = (*FROM_0, "0")
ABOVE_0 = (*NOT_NUMBERS, "0", "-0.0")
SECONDS = (*ABOVE_0, "1e300")

REFUSED: dict[tuple[tuple[str, ...], str], tuple[str, ...]] = {
    (RUN, "--temperature"): NOT_NUMBERS,
    (RUN, "--top-p"): (*ABOVE_0, "1.0001"),
    (RUN, "--timeout"): SECONDS,
    (RUN, "--video-timeout"): SECONDS,
    (RUN, "--budget"): ABOVE_0,
    (JUDGE, "--timeout"): SECONDS,
    (JUDGE, "--budget"): ABOVE_0,
    (("comet", "r"), "--silence"): SECONDS,
    **{
        (RUN, name): FROM_1
        for name in (
            "--limit",
            "--max-new-tokens",
            "--repeats",
            "--batch-size",
            "--max-model-len",
            "--concurrency",
            "--asks",
        )
    },
    **{(RUN, name): FROM_0 for name in ("--top-k", "--sampling-seed", "--seed", "--max-failures")},
    **{(JUDGE, name): FROM_1 for name in ("--max-model-len", "--concurrency", "--asks")},
    (("comet", "r"), "--batch-size"): FROM_1,
    (("compare", "a", "b"), "--seed"): FROM_0,
    (("grounding", "r"), "--seed"): FROM_0,
}
CASES = [(words, name, value) for (words, name), values in REFUSED.items() for value in values]


@pytest.mark.parametrize(("words", "name", "value"), CASES, ids=lambda case: case if isinstance(case, str) else case[0])
def test_what_cannot_be_is_refused(
    words: tuple[str, ...], name: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, f"{name}={value}"])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and f"argument {name}: " in said and "invalid" not in said


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("--temperature", "0", 0.0),
        ("--temperature", "1.5", 1.5),
        ("--top-p", "1", 1.0),
        ("--top-p", "0.001", 0.001),
        ("--timeout", "0.5", 0.5),
        ("--video-timeout", "86400", 86_400.0),
        ("--budget", "0.01", 0.01),
        ("--top-k", "0", 0),
    ],
)
def test_what_can_be_is_taken(name: str, value: str, wanted: float) -> None:
    parser = argparse.ArgumentParser()
    importlib.import_module(COMMANDS["run"][1]).configure(parser)
    args = parser.parse_args(["--model", "m", "--tasks", "alm", name, value])
    assert getattr(args, name.strip("-").replace("-", "_")) == wanted
