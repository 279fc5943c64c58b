"""Which item a log row belongs to: by its document, by local data, or by its prompt and target alone.

Local data are joined on (task, doc_id), and the join is only believed when the prompt that was logged holds the
question text that the data give. Knows tasks and logs; scores nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tvbench.errors import UsageError
from tvbench.interop.lmms_logs import LogRow, TaskLog
from tvbench.interop.reduced import has_rule, item_without_document
from tvbench.runs.gate import gated
from tvbench.types import BuildOptions, Item, Task

IMAGE_TOKENS = re.compile(r"<(?:image|video)>")


class Joiner:
    """Finds the item of a row; builds a task's local data once a language."""

    def __init__(self, data: Path | None) -> None:
        self.data = data
        self._built: dict[tuple[str, str], list[Item]] = {}

    def nothing_to_score(self, task: Task, logs: Sequence[TaskLog]) -> str:
        """Why nothing of these logs can be scored, so that only their figures are left; "" where something can."""
        if all(log.samples is None for log in logs):
            return f"the log has no samples of {task.name}"
        rows = [row for log in logs for row in log.rows]
        if rows and self.data is None and not has_rule(task.name) and all(row.doc is None for row in rows):
            return f"the samples of {task.name} have no `doc` (--data DIR joins them with the data)"
        return ""

    def item(self, task: Task, log: TaskLog, row: LogRow) -> tuple[Item, str]:
        """The item, and a remark ("" for none) on how it was found.

        Raises ValueError, LookupError, TypeError or a TvbenchError where the row fits no item.
        """
        if row.doc is not None:
            assert task.from_log is not None
            return task.from_log(log.name, row.raw, log.config), ""
        if self.data is not None:
            return self._from_data(task, log, row), "rows without `doc` were joined with the local data by doc_id"
        if not has_rule(task.name):
            raise ValueError("`doc` was not logged; give the data with --data DIR")
        remark = (
            "`doc` was not logged: scored from prompt and target alone, without categories and without knowing "
            "which rows share a picture (--data DIR joins them with the data)"
        )
        return item_without_document(task.name, language_of(log.name), f"{log.name}/{row.doc_id}", row), remark

    def _from_data(self, task: Task, log: TaskLog, row: LogRow) -> Item:
        items = self._items(task, language_of(log.name))
        if not 0 <= row.doc_id < len(items):
            raise LookupError(f"the data have {len(items)} rows")
        item = items[row.doc_id]
        if not row.prompt:
            raise ValueError("no `input` was logged, so the join cannot be checked")
        if _squeezed(prompt_text(item)) != _squeezed(row.prompt):
            raise ValueError("the logged `input` is not the prompt that the data give")
        return item

    def _items(self, task: Task, language: str) -> list[Item]:
        if (task.name, language) not in self._built:
            protocol = "paper" if "paper" in task.protocols else task.default_protocol
            languages = (language,) if language and language in (task.languages or (language,)) else ()
            # The answers are there already: a picture that is missing now must not make them failures.
            options = BuildOptions(protocol, languages, data=self.data, with_media=False, offline=True)
            try:
                self._built[task.name, language] = list(gated(task, options).items)
            except OSError as error:
                raise UsageError(f"{self.data} cannot be read: {error}") from error
        return self._built[task.name, language]


def prompt_text(item: Item) -> str:
    """All text parts of an item, in order."""
    return "\n".join(part for message in item.messages for part in message.parts if isinstance(part, str))


def language_of(log_name: str) -> str:
    """The language code at the end of a log's name (`alm-bench-de`, `m3exam_thai`); "en" where there is none."""
    from tvbench.languages import code_of, is_language, is_listed

    for piece in (log_name.rpartition("-")[2], log_name.rpartition("_")[2]):
        if is_language(piece) and is_listed(code_of(piece)):
            return code_of(piece)
    return "en"


def _squeezed(text: str) -> str:
    return " ".join(IMAGE_TOKENS.sub(" ", text).split())
