"""What the doctor says: findings and remarks. Knows nobody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong. An `error` makes current transformers or vLLM answer wrongly, or refuse the checkpoint; a
    `warning` concerns older software or a detail. `code` is stable, `fix` says what to type or change."""

    severity: Severity
    code: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Examination:
    """All that was found in one checkpoint. `remarks` are measurements, and what was left out and why."""

    model: str
    folder: Path
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]

    @property
    def wrong(self) -> bool:
        """Whether any finding makes answers wrong."""
        return any(finding.severity == "error" for finding in self.findings)


def importing(folder: Path) -> str:
    """The fix of everything that `tvbench models import` puts right."""
    return f"tvbench models import {folder} --output DIR"
