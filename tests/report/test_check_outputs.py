"""What CI systems read of a check: JUnit XML, GitHub's annotations and summary, Markdown; hostile and huge ones too."""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from checks import CANNOT_TELL, EVIL, FAILED, FELL, HOSTILE, PASSED, RTL, STRICT, compared, huge
from lxml import etree
from markdown_it import MarkdownIt

from tvbench.analysis.regression.verdict import Check
from tvbench.report.check_findings import findings, short, verdict
from tvbench.report.check_github import SHOWN, annotation_lines, append_summary
from tvbench.report.check_junit import junit_xml
from tvbench.report.check_markdown import MOST, code, markdown, marker

RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
CHECKS = {
    "failed": FAILED,
    "passed": PASSED,
    "cannot tell": CANNOT_TELL,
    "strict": STRICT,
    "hostile": HOSTILE,
    "huge": huge(300),
    "empty": Check("pass", "", ""),
}
every = pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())


# ── Findings ──────────────────────────────────────────────────────────────────────────────────────


def test_the_worst_comes_first() -> None:
    found = [(one.outcome, one.kind, one.what) for one in findings(FAILED)]
    assert found[:6] == [
        ("fail", "missing", "whole task, missing"),
        ("fail", "missing", "French, missing"),
        ("fail", "missing", "Russian, missing"),
        ("fail", "signature", "signature, protocol"),
        ("fail", "score", "Hindi, aligned"),
        ("fail", "diagnosis", "Arabic, wrong language"),
    ]
    assert found[6][0] == "cannot tell" and all(outcome == "pass" for outcome, *_ in found[7:])


def test_a_finding_says_what_changed_by_how_much_and_how_sure() -> None:
    said = {one.what: one.said for one in findings(FAILED)}
    assert said["Hindi, aligned"] == (
        "72.4 → 66.1, -6.3 [-9.0, -3.6] (margin 1.0, p < 0.001); 88 of 532 items fell, 12 rose"
    )
    assert said["Arabic, wrong language"].startswith("2 % → 31 % of the answers (155 of 500)")
    assert "about 900 items would tell" in said["Czech, aligned"]
    assert said["Russian, missing"] == "3 items of the baseline are not in the run"


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (
            FAILED,
            "FAIL: 1 of 4 comparisons got worse; 1 diagnosis rose; missing: 1 task, 1 language, 3 items; "
            "1 field of the signatures differs; 1 of 4 comparisons cannot be told",
        ),
        (PASSED, "PASS: none of 2 comparisons got worse"),
        (CANNOT_TELL, "CANNOT TELL: 1 of 2 comparisons cannot be told"),
    ],
)
def test_the_verdict_in_a_line(check: Check, said: str) -> None:
    assert verdict(check) == said


def test_a_metric_that_is_better_when_lower_keeps_its_sign_and_unit() -> None:
    one = compared(metric="ter", outcome="fail", before=40.0, after=52.5, change=-12.5, low=None, high=None, p=None)
    one = replace(one, facts={"label": "TER", "unit": "points", "better": "lower"})
    [found] = findings(replace(PASSED, comparisons=(one,)))
    assert "40.0 → 52.5, -12.5" in found.said and found.weight == 12.5


# ── JUnit ─────────────────────────────────────────────────────────────────────────────────────────

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SCHEMA = """
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:element name="testsuites"><xs:complexType><xs:sequence>
    <xs:element name="testsuite" minOccurs="1" maxOccurs="unbounded"><xs:complexType>
      <xs:sequence>
        <xs:element name="properties"><xs:complexType><xs:sequence>
          <xs:element name="property" maxOccurs="unbounded"><xs:complexType>
            <xs:attribute name="name" type="xs:token" use="required"/>
            <xs:attribute name="value" type="xs:string" use="required"/>
          </xs:complexType></xs:element>
        </xs:sequence></xs:complexType></xs:element>
        <xs:element name="testcase" minOccurs="0" maxOccurs="unbounded"><xs:complexType>
          <xs:choice minOccurs="0">
            <xs:element name="skipped"><xs:complexType mixed="true">
              <xs:attribute name="message" type="xs:string"/></xs:complexType></xs:element>
            <xs:element name="failure"><xs:complexType mixed="true">
              <xs:attribute name="message" type="xs:string"/>
              <xs:attribute name="type" type="xs:string" use="required"/></xs:complexType></xs:element>
          </xs:choice>
          <xs:attribute name="name" type="xs:token" use="required"/>
          <xs:attribute name="classname" type="xs:token" use="required"/>
          <xs:attribute name="time" type="xs:decimal" use="required"/>
        </xs:complexType></xs:element>
        <xs:element name="system-out" type="xs:string"/>
        <xs:element name="system-err" type="xs:string"/>
      </xs:sequence>
      <xs:attribute name="name" use="required"><xs:simpleType><xs:restriction base="xs:token">
        <xs:minLength value="1"/></xs:restriction></xs:simpleType></xs:attribute>
      <xs:attribute name="package" type="xs:token" use="required"/>
      <xs:attribute name="hostname" type="xs:token" use="required"/>
      <xs:attribute name="id" type="xs:int" use="required"/>
      <xs:attribute name="timestamp" use="required"><xs:simpleType><xs:restriction base="xs:dateTime">
        <xs:pattern value="[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"/>
      </xs:restriction></xs:simpleType></xs:attribute>
      <xs:attribute name="tests" type="xs:int" use="required"/>
      <xs:attribute name="failures" type="xs:int" use="required"/>
      <xs:attribute name="errors" type="xs:int" use="required"/>
      <xs:attribute name="skipped" type="xs:int" use="required"/>
      <xs:attribute name="time" type="xs:decimal" use="required"/>
    </xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>
"""
"""What both schemas in use allow (Jenkins' and Ant's): a file that holds to it holds to either."""


@every
def test_junit_holds_to_the_schema_and_counts_right(check: Check) -> None:
    text = junit_xml(check, AT)
    etree.XMLSchema(etree.XML(SCHEMA)).assertValid(etree.fromstring(text.encode()))
    suites = ElementTree.fromstring(text).findall("testsuite")
    for suite in suites:
        cases = suite.findall("testcase")
        assert (
            len(cases) == int(suite.get("tests", "")) == len({(one.get("classname"), one.get("name")) for one in cases})
        )
        for tag, count in (("failure", "failures"), ("skipped", "skipped")):
            assert sum(one.find(tag) is not None for one in cases) == int(suite.get(count, ""))
    assert len(text) < 5_000_000
    assert sum(len(suite.findall("testcase")) for suite in suites) == len(findings(check))
    failures = sum(int(suite.get("failures", "")) for suite in suites)
    assert bool(failures) == check.fails


def test_junit_tells_what_failed_and_what_cannot_be_told() -> None:
    root = ElementTree.fromstring(junit_xml(FAILED, AT))
    cases = {one.get("name"): one for one in root.iter("testcase")}
    failure = cases["Hindi, aligned"].find("failure")
    assert failure is not None and failure.get("type") == "Regression"
    assert "-6.3 [-9.0, -3.6]" in failure.get("message", "") and "hi-7: 1 → 0 (was 'नीला', is 'लाल')" in (
        failure.text or ""
    )
    assert cases["Czech, aligned"].find("skipped") is not None and len(cases["German, aligned"]) == 0
    strict = ElementTree.fromstring(junit_xml(STRICT, AT))
    assert [one.get("type") for one in strict.iter("failure")] == ["CannotTell"] and not list(strict.iter("skipped"))
    told = {one.get("name"): one.get("value") for one in root.iter("property")}
    assert told["run"] == "new" and told["outcome"] == "fail" and told["strict"] == "false"


# ── GitHub ────────────────────────────────────────────────────────────────────────────────────────


def command(line: str) -> tuple[str, dict[str, str], str]:
    """A line as the runner reads it (ActionCommand.cs): name, properties, message."""
    assert line.startswith("::")
    said, message = line[2:].split("::", 1)
    name, _, rest = said.partition(" ")
    properties = dict(part.split("=", 1) for part in rest.split(","))
    return name, {key: unescaped(value, property=True) for key, value in properties.items()}, unescaped(message)


def unescaped(text: str, *, property: bool = False) -> str:
    for escaped, mark in (("%0D", "\r"), ("%0A", "\n"), *((("%3A", ":"), ("%2C", ",")) if property else ())):
        text = text.replace(escaped, mark)
    return text.replace("%25", "%")


@every
def test_annotations_are_commands_of_one_line_and_as_many_as_github_shows(check: Check) -> None:
    lines = annotation_lines(check)
    assert not any(RAW.search(line) or "\n" in line for line in lines)
    levels = Counter(command(line)[0] for line in lines)
    assert set(levels) <= {"error", "warning", "notice"} and max(levels.values()) <= SHOWN
    assert bool(levels["error"]) == check.fails == (levels["notice"] == 0)
    assert all(len(line) < 4000 for line in lines)


def test_annotations_say_it_the_worst_first_and_how_many_more() -> None:
    name, properties, message = command(annotation_lines(FAILED)[4])
    assert (name, properties) == ("error", {"title": "alm: Hindi, aligned"})
    assert message.startswith("72.4 → 66.1")
    lines = [command(line) for line in annotation_lines(CHECKS["huge"]) if line.startswith("::error")]
    left = sum(one.outcome == "fail" for one in findings(CHECKS["huge"])) - 9
    assert len(lines) == 10 and lines[-1][2].startswith(f"and {left} more")


def test_annotations_bring_hostile_text_whole_through_the_runner() -> None:
    titles = [command(line)[1]["title"] for line in annotation_lines(HOSTILE)]
    assert any(title.startswith(short(EVIL)) for title in titles)
    assert all(set(command(line)[1]) == {"title"} for line in annotation_lines(HOSTILE))


def test_the_summary_is_appended_where_the_runner_names_a_file(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    assert append_summary(FAILED, {"GITHUB_STEP_SUMMARY": str(path)})
    assert path.read_text(encoding="utf-8") == "before\n" + markdown(FAILED, marked=False)
    assert not append_summary(FAILED, {}) and not append_summary(FAILED, {"GITHUB_STEP_SUMMARY": ""})


# ── Markdown ──────────────────────────────────────────────────────────────────────────────────────


class Read(HTMLParser):
    """Tags with their attributes, text in and outside of `code`, and rows of tables by their number of cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[tuple[str, str]] = set()
        self.plain, self.codes, self.rows = io.StringIO(), list[str](), list[int]()
        self.comments: list[str] = []
        self.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        self.tags.add((tag, " ".join(f"{name}={value}" for name, value in attrs if name != "style")))
        self.open.append(tag)
        if tag == "code":
            self.codes.append("")
        elif tag == "tr":
            self.rows.append(0)
        elif tag in ("td", "th"):
            self.rows[-1] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "code" in self.open:
            self.codes[-1] += data
        else:
            self.plain.write(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


TAGS = "h3 p code details summary table thead tbody tr th td ul li strong".split()


@every
def test_markdown_is_bounded_whole_and_has_no_mark_up_of_strangers(check: Check) -> None:
    text = markdown(check)
    assert len(text.encode("utf-16-le")) // 2 <= MOST
    assert not RAW.search(text)
    read = Read(text)
    assert {tag for tag, _ in read.tags} <= set(TAGS)
    assert {attributes for _, attributes in read.tags} <= {"", "dir=auto"}
    plain = read.plain.getvalue()
    assert not re.search(r"@|http|www|javascript|#\d|GH-|octocat|:smile:|\$|\|", plain), plain
    assert not re.search(r"@|://|www\.", re.sub("<!--.*?-->", "", text)), "nothing to link, in the text itself"
    assert read.comments == [marker(check.baseline)[4:-3]]


def test_hostile_text_reads_as_it_is() -> None:
    read = Read(markdown(HOSTILE))
    assert short(EVIL) in read.codes and RTL in read.codes
    assert ("code", "dir=auto") in read.tags and 'dir="auto"' not in code("abc ü 中")


def test_a_comment_begins_with_its_marker_and_the_verdict() -> None:
    lines = markdown(FAILED).splitlines()
    assert lines[0] == "<!-- tvbench check: results/baselines/main.json -->"
    assert lines[1] == f"### tvbench check: {verdict(FAILED)}"
    assert markdown(FAILED, key="a --> b").splitlines()[0] == "<!-- tvbench check: a - b -->"
    assert markdown(FAILED, marked=False).splitlines()[0] == lines[1]


def test_tables_hold_what_fell_and_fold_the_rest() -> None:
    text = markdown(FAILED)
    before, _, folded = text.partition("<details>")
    assert "72.4 → 66.1 | -6.3 [-9.0, -3.6] | &lt; 0.001 | 88 | 12 | 532 |" in before
    assert "German" not in before and "German" in folded and "लाल" in folded
    assert "about 900 items" in before
    assert set(Read(text).rows) == {9, 10, 5}


def test_what_does_not_fit_is_counted() -> None:
    text = markdown(CHECKS["huge"])
    shown = sum(
        line.startswith("| <code>") and line.count("|") == 10 for line in text.split("<details>")[0].splitlines()
    )
    [left] = re.findall(r"and ([\d,]+) more", text.split("<details>")[0])
    assert shown > 20 and shown + int(left) == 300
    assert len(text) > 0.9 * MOST
    assert len(Read(markdown(replace(FAILED, comparisons=(FELL,) * 40))).rows) > 40
