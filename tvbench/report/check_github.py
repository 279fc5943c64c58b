"""A check for GitHub Actions: annotations (workflow commands on stdout) and the summary of the step.

GitHub shows ten errors, ten warnings and ten notices of a step: of more, the last says how many are left out. Text is
escaped as the runner undoes it (actions/toolkit, command.ts). Knows a check, and the two files that the runner names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from tvbench.analysis.regression.verdict import Check
from tvbench.report.check_findings import CheckFinding, findings, short, verdict
from tvbench.report.check_markdown import markdown

SHOWN = 10
"""Annotations of a level that GitHub shows of a step."""
MESSAGE = 1000
SUMMARY = "GITHUB_STEP_SUMMARY"


def annotation_lines(check: Check) -> list[str]:
    """Lines for stdout: what fails as errors, what cannot be told as warnings, and the verdict where nothing fails."""
    found = findings(check)
    failed = [one for one in found if one.outcome == "fail" or (check.strict and one.outcome == "cannot tell")]
    untold = [one for one in found if one.outcome == "cannot tell" and not check.strict]
    lines = [*_level("error", failed), *_level("warning", untold)]
    if not check.fails:
        lines.append(_command("notice", f"tvbench check: {short(check.baseline)}", verdict(check)))
    return lines


def annotation_text(check: Check) -> str:
    """All of them, a line each."""
    return "".join(f"{line}\n" for line in annotation_lines(check))


def append_summary(check: Check, environ: Mapping[str, str] | None = None) -> bool:
    """The Markdown of a check behind what the step's summary holds already; False where there is no such file."""
    path = (os.environ if environ is None else environ).get(SUMMARY, "")
    if not path:
        return False
    with open(path, "a", encoding="utf-8") as file:
        file.write(markdown(check, marked=False))
    return True


def _level(level: str, found: Sequence[CheckFinding]) -> Iterator[str]:
    kept = found if len(found) <= SHOWN else found[: SHOWN - 1]
    for one in kept:
        yield _command(level, f"{short(one.task)}: {one.what}", one.said)
    if left := len(found) - len(kept):
        yield _command(level, "tvbench check", f"and {left} more; the summary of the step has all")


def _command(level: str, title: str, message: str) -> str:
    return f"::{level} title={_property(title)}::{_data(short(message, MESSAGE))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
