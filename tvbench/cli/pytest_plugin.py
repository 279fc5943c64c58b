"""The fixture `tvbench_check`: a model that got worse is a failed test. A plug-in of pytest; a skin, as commands are.

    def test_german_and_hindi(tvbench_check):
        tvbench_check("results/new", against="baselines/main.json", languages=["de", "hi"])

    def test_the_model(tvbench_check):
        tvbench_check.run("./my-vlm", "alm", against="baselines/main.json", languages=["de"])

A regression fails with the screen of `tvbench check`, and so does a run that lacks answers; what cannot be told is
skipped with the reason, and fails with `strict=True` or `--tvbench-strict`. pytest loads this module at every start:
until the fixture is called it imports pytest and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tvbench.analysis.regression.verdict import Check
    from tvbench.api import Run

WIDTH = 100


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tvbench", "regressions of vision-language models (tvbench)")
    group.addoption("--tvbench-results", metavar="DIR", help="folder of runs (default: $TVBENCH_RESULTS, else results)")
    group.addoption("--tvbench-run", metavar="RUN", help="the run of tests that name none: a folder, or a run's name")
    group.addoption("--tvbench-strict", action="store_true", help="what cannot be told fails, instead of being skipped")


@pytest.fixture
def tvbench_check(request: pytest.FixtureRequest) -> RunChecker:
    """Hold a run against a baseline, as `tvbench check RUN --against BASELINE` does: a regression fails the test."""
    return RunChecker(request)


class RunChecker:
    """Called with a run, or with none for that of `--tvbench-run`; `run` asks a model first. Both return the check."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._node, self._config = request.node, request.config

    def __call__(self, run: Run | Path | str | None = None, *, against: Path | str, **options: Any) -> Check:
        """Fail or skip the test, or return what was found. `options` are those of `tvbench.api.check`: tasks,
        languages, policy, margin, resolution, strict, results, resamples, seed."""
        __tracebackhide__ = True
        return self._judged(run, against, options)

    def run(
        self,
        model: Path | str,
        tasks: Sequence[str] | str,
        *,
        against: Path | str,
        languages: Sequence[str] | str = (),
        check: dict[str, Any] | None = None,
        **options: Any,
    ) -> Check:
        """The same of a run that is made first: `options` are those of `tvbench.run`, `check` has those of a check.
        Given again, only what is missing is asked."""
        __tracebackhide__ = True
        from tvbench import api
        from tvbench.errors import TvbenchError

        options.setdefault("results", self._config.getoption("--tvbench-results"))
        try:
            made = api.run(model, tasks, languages=languages, **options)
        except TvbenchError as error:
            pytest.fail(f"tvbench run: {error}", pytrace=False)
        return self._judged(made, against, {"languages": languages, **(check or {})})

    def _judged(self, run: Run | Path | str | None, against: Path | str, options: dict[str, Any]) -> Check:
        __tracebackhide__ = True
        from tvbench import api
        from tvbench.errors import TvbenchError

        if run is None and (run := self._config.getoption("--tvbench-run")) is None:
            pytest.fail("tvbench check: no run is named, here or by --tvbench-run", pytrace=False)
        options.setdefault("results", self._config.getoption("--tvbench-results"))
        if self._config.getoption("--tvbench-strict"):
            options["strict"] = True
        try:
            found = api.check(run, against, **options)
        except TvbenchError as error:
            pytest.fail(f"tvbench check: {error}", pytrace=False)
        self._note(found)
        if found.exit_code:
            pytest.fail(_screen(found), pytrace=False)
        if found.outcome == "cannot tell":
            pytest.skip(_reason(found))
        return found

    def _note(self, found: Check) -> None:
        """What a report of pytest (`--junit-xml`) says of the test, whatever came out."""
        from tvbench.report.check_findings import short, verdict

        told = {"verdict": verdict(found), "run": short(found.run), "baseline": short(found.baseline)}
        self._node.user_properties += [(f"tvbench_{name}", text) for name, text in told.items()]


def _screen(found: Check) -> str:
    from tvbench.report.check import check_lines, command_lines

    return "\n".join([*check_lines(found, WIDTH), *command_lines(found.next)])


def _reason(found: Check) -> str:
    """One line: pytest shows no more of a skipped test."""
    from tvbench.report.check_findings import findings, verdict

    first = next(
        (f"; {one.task}: {one.what}: {one.said}" for one in findings(found) if one.outcome == "cannot tell"), ""
    )
    return verdict(found) + first
