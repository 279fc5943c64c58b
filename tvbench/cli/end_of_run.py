"""The screen that `tvbench run` and `tvbench score` end with. Knows no argument."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tvbench.cli.output import say

if TYPE_CHECKING:
    from tvbench.api import Run


def print_run(run: Run, *, languages: Sequence[str] = (), whole: bool = False, more: Iterable[str] = ()) -> None:
    """Figures by language, what is wrong, and what to type next. `more` are lines of others, such as what it cost."""
    from tvbench.analysis.diagnosis import language_id
    from tvbench.analysis.run_sheet import run_sheet
    from tvbench.report.run_page import print_page

    results = list(run.results.values())
    sheet = run_sheet(
        run.folder, results, run.manifest, language_id.load(), languages=languages, whole=whole, replies=run._replies
    )
    print_page(sheet, results, say, more=more, whole=whole)
