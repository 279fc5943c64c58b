"""Questions with options in tables of unknown shape: which column is what, the options in a cell, and the right one.

Parses rows; knows no benchmark and no prompt.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tvbench.data.authoring import literal, text_of
from tvbench.errors import UsageError, unknown_name

COLUMN_NAMES: dict[str, tuple[str, ...]] = {
    "question": ("question", "translated_question", "query", "prompt", "question_text", "q"),
    "answer": (
        "answer",
        "correct_answer",
        "translated_answer",
        "ground_truth",
        "gt",
        "answer_text",
        "correct_option",
        "label",
        "correct",
        "a",
    ),
    "options": ("options", "choices", "candidates", "option", "answer_options", "mc_options"),
    "video": ("video", "video_path", "video_file", "video_name", "file_name", "filename", "video_id", "clip", "path"),
    "id": ("id", "question_id", "qid", "q_id", "index", "idx", "uid", "sample_id"),
    "category": ("category", "domain", "topic", "categories", "video_category"),
}
"""Guesses for each role, in the order in which they are tried; case and blanks do not count."""

OPTION_COLUMNS = (
    ("option_a", "option_b", "option_c", "option_d", "option_e", "option_f"),
    ("optiona", "optionb", "optionc", "optiond", "optione", "optionf"),
    ("choice_a", "choice_b", "choice_c", "choice_d", "choice_e", "choice_f"),
    ("option_1", "option_2", "option_3", "option_4", "option_5", "option_6"),
    ("option1", "option2", "option3", "option4", "option5", "option6"),
    ("option_0", "option_1", "option_2", "option_3", "option_4", "option_5"),
    ("a0", "a1", "a2", "a3", "a4", "a5"),
    ("a", "b", "c", "d", "e", "f"),
)

# ── Which column is what ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class OptionColumns:
    """The data's column of each role, "" where there is none; `options` are one column or several."""

    question: str
    answer: str
    video: str
    options: tuple[str, ...] = ()
    id: str = ""
    category: str = ""


def find_columns(task: str, columns: Collection[str], settings: Mapping[str, Any], where: str) -> OptionColumns:
    """The columns by the settings `column.ROLE` of `task`, else by common names.

    Raises UsageError that names the columns found and the settings to give.
    """
    folded = {_plain(column): column for column in columns}
    chosen: dict[str, str] = {}
    for role, guesses in COLUMN_NAMES.items():
        given = settings[f"column.{role}"]
        if given is None:
            chosen[role] = next((folded[guess] for guess in guesses if guess in folded), "")
            continue
        chosen[role] = given
        for name in given.split("+") if role == "options" else (given,):
            if name not in columns:
                raise unknown_name(f"column for {task}.column.{role}", name, columns, f"in {where}")
    options = tuple(chosen["options"].split("+")) if chosen["options"] else _option_columns(folded)
    missing = [role for role in ("question", "answer", "video") if not chosen[role]]
    if missing:
        raise UsageError(
            f"{where}: cannot tell which column is the {' and the '.join(missing)};"
            f" columns found: {', '.join(columns)}",
            "say it with " + " ".join(f"--set {task}.column.{role}=NAME" for role in missing),
        )
    return OptionColumns(
        chosen["question"], chosen["answer"], chosen["video"], options, chosen["id"], chosen["category"]
    )


def _plain(column: str) -> str:
    return re.sub(r"[\s_\-]+", "_", column.strip()).casefold()


def _option_columns(folded: Mapping[str, str]) -> tuple[str, ...]:
    """Columns such as option_a, option_b, ...: the first family of which there are two or more."""
    for family in OPTION_COLUMNS:
        found = tuple(folded[name] for name in family if name in folded)
        if len(found) >= 2:
            return found
    return ()


# ── Options and the right one ─────────────────────────────────────────────────────────────────────

LABEL = re.compile(r"\s*[(\[]?([A-Ja-j])\s*[).:\]\uff0e\u3001\uff09\uff1a]\s*")
ANSWER_LETTER = re.compile(r"\s*[(\[]?([A-Ja-j])\s*(?:[).:\]\uff0e\u3001\uff09\uff1a].*)?", re.DOTALL)


def options_in(row: Mapping[str, Any], columns: OptionColumns, question: str) -> tuple[str, tuple[str, ...]]:
    """(the question without its options, the options without their letters). Raises ValueError without options."""
    if len(columns.options) > 1:
        found = [text_of(row.get(column)).strip() for column in columns.options]
        texts = [text for text in found if text]
    else:
        texts = _listed(row.get(columns.options[0])) if columns.options else []
    stem = question
    if not texts:
        stem, texts = _options_of_question(question)
    if len(texts) < 2:
        raise ValueError("no options, neither in a column of their own nor in the question")
    return stem.strip(), _without_labels(texts)


def _listed(cell: Any) -> list[str]:
    """A cell as a list of options: a list, {"A": ...}, its text in JSON or Python, or one option a line."""
    if isinstance(cell, str):
        text = cell.strip()
        cell = literal(text) if text[:1] in ("[", "{") else text.split("\n")
    if isinstance(cell, Mapping):
        cell = list(cell.values())
    return [text_of(value).strip() for value in cell if text_of(value).strip()] if isinstance(cell, Sequence) else []


def _options_of_question(question: str) -> tuple[str, list[str]]:
    """The lines `A. x`, `B. y`, ... at the end of a question, and what stands before them."""
    lines = question.split("\n")
    for start, line in enumerate(lines):
        labelled = [option for option in lines[start:] if option.strip()]
        if LABEL.match(line) and len(labelled) >= 2 and _labels(labelled) == list(range(len(labelled))):
            return "\n".join(lines[:start]), labelled
    return question, []


def _labels(options: Sequence[str]) -> list[int]:
    return [ord(match[1].upper()) - ord("A") if (match := LABEL.match(option)) else -1 for option in options]


def _without_labels(options: Sequence[str]) -> tuple[str, ...]:
    """Options without `A.`, `(B)`, ..., where all have them in order: we show letters of our own."""
    if _labels(options) != list(range(len(options))):
        return tuple(options)
    return tuple(option[match.end() :].strip() if (match := LABEL.match(option)) else option for option in options)


def gold_in(task: str, answer: Any, options: Sequence[str], first_option: int | None) -> int:
    """The index of the right option: by its text, its letter, or its number (counted from `first_option`).

    Raises ValueError where `answer` fits none.
    """
    text = text_of(answer).strip()
    folded = [option.casefold().strip(" .") for option in options]
    if text.casefold().strip(" .") in folded:
        return folded.index(text.casefold().strip(" ."))
    letter = ANSWER_LETTER.fullmatch(text)
    if letter and ord(letter[1].upper()) - ord("A") < len(options):
        return ord(letter[1].upper()) - ord("A")
    if text.isascii() and text.isdigit():
        if first_option is None:
            raise ValueError(f"the answer is a number ({text}): set {task}.first_option to the first option's (0 or 1)")
        place = int(text) - first_option
        if 0 <= place < len(options):
            return place
    raise ValueError(f"the answer is not among the options: {text[:60]!r}")
