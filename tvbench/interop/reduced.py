"""Items for log rows that lost their document (lmms-eval 0.7 drops `doc`): only the prompt and the target are left.

What follows from them is scored, and each rule says what does not: the option list is what the prompt displayed (an
option that was cut at a comma stays cut), nothing is known of question type, category, or of rows that share a
picture, so standard errors are not clustered.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from tvbench.data.interleaved import exam_target
from tvbench.interop.lmms_logs import LogRow
from tvbench.types import Choice, Contains, Item, Message, OcrText, Target, Translation

CHARACTER_LANGUAGES = frozenset({"ar", "ja", "ko", "zh"})
"""CC-OCR counts characters, not words, for these (the list of its official evaluation)."""

PAPER_COINS = 4
"""M3Exam's parser draws one of so many letters, whatever the options."""
_LETTERED = re.compile(r"^\([A-J]\) ", re.MULTILINE)


def has_rule(task: str) -> bool:
    """Whether rows of `task` can be scored from prompt and target alone."""
    return task in RULES


def item_without_document(task: str, language: str, item_id: str, row: LogRow) -> Item:
    """The item for a row of `task`. Raises ValueError where prompt and target do not give one."""
    if not row.prompt:
        raise ValueError("neither `doc` nor `input` was logged")
    target = RULES[task](row, language)
    return Item(
        id=item_id,
        task=task,
        language=language,
        messages=(Message("user", (row.prompt,)),),
        target=target,
        tags={"source": "prompt and target only"},
    )


def _choice(row: LogRow, language: str) -> Target:
    """The prompt of the authors is one line with the question, then one line an option."""
    options = tuple(line for line in (line.strip() for line in row.prompt.split("\n")[1:]) if line)
    target = _text(row)
    folded = [option.casefold().rstrip(" .") for option in options]
    wanted = target.strip().casefold().rstrip(" .")
    gold = folded.index(wanted) if folded.count(wanted) == 1 else None
    return Choice(options=options, gold=gold, target=target, shown=options)


def _translation(row: LogRow, language: str) -> Target:
    """The prompt is one line of instruction, then the source."""
    _, _, source = row.prompt.partition("\n")
    return Translation(source=source.strip(), references=(_text(row),))


def _ocr_text(row: LogRow, language: str) -> Target:
    return OcrText(_text(row), "character" if language in CHARACTER_LANGUAGES else "word")


def _contains(row: LogRow, language: str) -> Target:
    """The target is a Python list in a string. Formulas cannot be told from words without the question type."""
    target = row.target
    if isinstance(target, str) and target.startswith("["):
        try:
            target = ast.literal_eval(target)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
            raise ValueError("the target is a damaged list") from error
    answers = tuple(str(answer) for answer in target) if isinstance(target, list) else (_text(row),)
    if not answers:
        raise ValueError("the target is an empty list")
    return Contains(answers)


def _exam(row: LogRow, language: str) -> Target:
    """Options stand behind `(A)`, `(B)`, ... at the beginning of a line; the last line is the word for "answer"."""
    sheet, _, _ = row.prompt.rpartition("\n")
    _, *pieces = _LETTERED.split(sheet[max(sheet.rfind("\n(A) "), 0) :])
    logged = row.raw.get("m3exam")
    drawn = logged.get("answer_text") if isinstance(logged, dict) else None
    options = tuple(piece.strip() for piece in pieces)
    target = exam_target(options, _text(row), coins=PAPER_COINS, drawn=drawn if isinstance(drawn, str) else "")
    if not options or not target.target:
        raise ValueError("prompt and target give no options with a right one")
    return target


def _text(row: LogRow) -> str:
    if not isinstance(row.target, str) or not row.target.strip():
        raise ValueError("neither `doc` nor a target text was logged")
    return row.target


RULES: dict[str, Callable[[LogRow, str], Target]] = {
    "alm": _choice,
    "multi30k": _translation,
    "cc-ocr": _ocr_text,
    "ocrbench": _contains,
    "m3exam": _exam,
}
