"""A check as JUnit XML: a test case for everything that was held, for Jenkins, GitLab, and what reads such files.

Common ground of two schemas (Jenkins' junit-10.xsd and Ant's of Windy Road): `testsuites` bare, a suite a task with its
properties first, a case failed, skipped ("cannot tell") or neither. GitLab tells cases apart by class and name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from tvbench.analysis.regression.verdict import Check
from tvbench.report.check_findings import CheckFinding, findings, flipped, short, verdict

ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write, not even escaped."""
TYPES = {"score": "Regression", "diagnosis": "Rise", "missing": "Missing", "signature": "Signature"}
FLIPS = 10


def junit_xml(check: Check, at: datetime | None = None) -> str:
    """The whole file. `at` is when the check was made, now unless it is given."""
    root = Element("testsuites")
    when = (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S")
    found = sorted(findings(check), key=lambda one: one.task)
    suites = [(task, list(some)) for task, some in groupby(found, key=lambda one: one.task)]
    for number, (task, some) in enumerate(suites or [("check", [])]):
        _suite(root, check, task, some, {"timestamp": when, "id": str(number)})
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, check: Check, task: str, some: Sequence[CheckFinding], told: dict[str, str]) -> None:
    failed = sum(_fails(one, check) for one in some)
    skipped = sum(one.outcome != "pass" for one in some) - failed
    counts = {"tests": len(some), "failures": failed, "errors": 0, "skipped": skipped, "time": 0}
    named = {"name": _legal(short(task)) or "task", "package": "tvbench", "hostname": "localhost", **told}
    suite = SubElement(root, "testsuite", {**named, **{name: str(count) for name, count in counts.items()}})
    properties = SubElement(suite, "properties")
    for name, value in _properties(check):
        SubElement(properties, "property", {"name": name, "value": _legal(value)})
    seen: Counter[str] = Counter()
    for one in some:
        _case(suite, one, check, seen)
    SubElement(suite, "system-out").text = _legal("\n".join(map(short, (*check.notes, *check.next))))
    SubElement(suite, "system-err").text = ""


def _properties(check: Check) -> Iterator[tuple[str, str]]:
    yield "verdict", verdict(check)
    yield "outcome", check.outcome
    yield "run", short(check.run)
    yield "baseline", short(check.baseline)
    yield "level", f"{check.level:g}"
    yield "strict", str(check.strict).lower()
    for name, model in zip(("baseline model", "run model"), check.models, strict=True):
        yield name, short(model)


def _fails(one: CheckFinding, check: Check) -> bool:
    return one.outcome == "fail" or (check.strict and one.outcome == "cannot tell")


def _case(suite: Element, one: CheckFinding, check: Check, seen: Counter[str]) -> None:
    seen[one.what] += 1
    name = one.what if seen[one.what] == 1 else f"{one.what} ({seen[one.what]})"
    case = SubElement(
        suite, "testcase", {"classname": _legal(f"tvbench.{short(one.task)}"), "name": _legal(name), "time": "0"}
    )
    if one.outcome == "pass":
        return
    fails = _fails(one, check)
    kind = TYPES[one.kind] if one.outcome == "fail" else "CannotTell"
    said = SubElement(
        case, "failure" if fails else "skipped", {"message": _legal(one.said), **({"type": kind} if fails else {})}
    )
    said.text = _legal("\n".join((one.said, *map(flipped, one.flips[:FLIPS]))))


def _legal(text: str) -> str:
    return ILLEGAL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
