"""ViMUL-Bench: questions on videos in 14 languages (arXiv 2506.07032).

Data: `MBZUAI/ViMUL-Bench`, configs `vimulmcq_<language>` and `vimuloe_<language>`, in the language's English name.

Not known here: the names of the columns, the form of the options, the authors' prompts, their judge and its scale.
Columns are therefore found by common names, or named by settings:

    --set vimul.column.question=Q --set vimul.column.options=opt_1+opt_2+opt_3+opt_4

and every figure is of our own protocol; nothing is claimed to be comparable with a published table. Clips are sampled
to 32 frames of 384 x 384 pixels, as the TowerVision authors do (arXiv 2510.21849): `vimul.frames`, `vimul.size`.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tvbench.building import (
    check_settings,
    choose_languages,
    lettered,
    made,
    shuffled_choice,
    text_of,
    user_message,
    whole_number,
)
from tvbench.errors import MediaError, UsageError, unknown_name
from tvbench.languages import language
from tvbench.sources import Rows, available_splits, media_from, open_rows
from tvbench.types import Build, BuildOptions, Choice, HubData, Item, Media, Open, Sampling, Target, Task

REPO = "MBZUAI/ViMUL-Bench"
LANGUAGES = ("ar", "bn", "zh", "en", "fr", "de", "hi", "ja", "ru", "si", "es", "sv", "ta", "ur")
KINDS = {"mcq": "vimulmcq_", "oe": "vimuloe_"}
QUESTION_TYPES = {"mcq": "multiple-choice", "oe": "open-ended"}
FRAMES, SIZE = 32, 384

COLUMN_NAMES: dict[str, tuple[str, ...]] = {
    "question": ("question", "translated_question", "query", "prompt", "question_text", "q"),
    "answer": ("answer", "correct_answer", "translated_answer", "ground_truth", "gt", "answer_text", "correct_option",
               "label", "correct", "a"),
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
SETTINGS = (*(f"column.{role}" for role in COLUMN_NAMES), "frames", "size", "types", "first_option")

ANSWER_WITH_LETTER = "Watch the video and choose the right option. Answer with its letter only."
ANSWER_OPEN = "Watch the video and answer in {language}."
MAX_NEW_TOKENS = {"mcq": 32, "oe": 256}


# ── Which column is what ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Columns:
    """The data's column of each role, "" where there is none; `options` are one column or several."""

    question: str
    answer: str
    video: str
    options: tuple[str, ...] = ()
    id: str = ""
    category: str = ""


def find_columns(columns: Collection[str], settings: Mapping[str, str], where: str) -> Columns:
    """The columns by setting, else by common names.

    Raises UsageError that names the columns found and the settings to give.
    """
    folded = {_plain(column): column for column in columns}
    chosen: dict[str, str] = {}
    for role, guesses in COLUMN_NAMES.items():
        given = settings.get(f"column.{role}")
        if given is None:
            chosen[role] = next((folded[guess] for guess in guesses if guess in folded), "")
            continue
        chosen[role] = given
        for name in given.split("+") if role == "options" else (given,):
            if name not in columns:
                raise unknown_name(f"column for vimul.column.{role}", name, columns, f"in {where}")
    options = tuple(chosen["options"].split("+")) if chosen["options"] else _option_columns(folded)
    missing = [role for role in ("question", "answer", "video") if not chosen[role]]
    if missing:
        raise UsageError(
            f"{where}: cannot tell which column is the {' and the '.join(missing)};"
            f" columns found: {', '.join(columns)}",
            "say it with " + " ".join(f"--set vimul.column.{role}=NAME" for role in missing),
        )
    return Columns(chosen["question"], chosen["answer"], chosen["video"], options, chosen["id"], chosen["category"])


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


def options_in(row: Mapping[str, Any], columns: Columns, question: str) -> tuple[str, tuple[str, ...]]:
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
        cell = _literal(text) if text[:1] in ("[", "{") else text.split("\n")
    if isinstance(cell, Mapping):
        cell = list(cell.values())
    return [text_of(value).strip() for value in cell if text_of(value).strip()] if isinstance(cell, Sequence) else []


def _literal(text: str) -> Any:
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return []


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


def gold_in(answer: Any, options: Sequence[str], first_option: str | None) -> int:
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
            raise ValueError(f"the answer is a number ({text}): set vimul.first_option to the first option's (0 or 1)")
        place = int(text) - int(first_option)
        if 0 <= place < len(options):
            return place
    raise ValueError(f"the answer is not among the options: {text[:60]!r}")


# ── Building ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one config, and how they are read."""

    code: str
    kind: str
    rows: Rows
    columns: Columns


def build(options: BuildOptions) -> Build:
    """All questions of the chosen languages. Raises UsageError for unknown names and columns that tell nothing."""
    check_settings("vimul", options.settings, SETTINGS)
    _check_first_option(options)
    frames = whole_number("vimul", options.settings, "frames", FRAMES)
    size = whole_number("vimul", options.settings, "size", SIZE)
    codes = choose_languages("vimul", options.languages, LANGUAGES)
    tables, absent = _tables(options, codes)
    if not tables:
        raise UsageError(
            f"{options.data or REPO} has none of the configs {', '.join(absent[:4])}" + (", ..." if absent[4:] else ""),
            "a config is a folder with files test.parquet or test.jsonl, or a file CONFIG.parquet or CONFIG.jsonl",
        )
    warnings = [f"no config {', '.join(absent)}: left out"] if absent else []
    items = (item for table in tables for item in _items(table, options, frames, size))
    dataset = "+".join(dict.fromkeys(table.rows.dataset for table in tables))
    return made(items, options, dataset, warnings)


def _check_first_option(options: BuildOptions) -> None:
    value = options.settings.get("first_option", "0")
    if value not in ("0", "1"):
        raise UsageError(f"--set vimul.first_option={value}: 0 or 1", "the number that the data give the first option")


def _tables(options: BuildOptions, codes: Sequence[str]) -> tuple[list[Table], list[str]]:
    """The tables of the chosen languages and types, and the names of the configs that are not there."""
    tables: list[Table] = []
    absent: list[str] = []
    kinds = options.settings.get("types", "+".join(KINDS)).split("+")
    for kind in kinds:
        if kind not in KINDS:
            raise unknown_name("type for vimul.types", kind, KINDS, "such as --set vimul.types=mcq")
    for code in codes:
        for kind in kinds:
            config = f"{KINDS[kind]}{language(code).name.casefold()}"
            splits = available_splits(REPO, config=config, data=options.data, offline=options.offline)
            if not splits:
                absent.append(config)
                continue
            split = options.split or ("test" if "test" in splits else splits[0])
            rows = open_rows(REPO, split=split, config=config, data=options.data, offline=options.offline)
            tables.append(Table(code, kind, rows, find_columns(rows.columns, options.settings, config)))
    return tables, absent


def _items(table: Table, options: BuildOptions, frames: int, size: int) -> Iterator[Item]:
    for number, row in enumerate(table.rows):
        own_id = text_of(row.get(table.columns.id)).strip() if table.columns.id else ""
        item_id = f"{table.code}/{table.kind}/{own_id or number}"
        prompt, target, problem = _asked(table, row, item_id, options)
        media: Media | None = None
        if options.with_media and problem is None:
            media, problem = _clip(table, row, item_id, frames, size)
        yield Item(
            id=item_id,
            task="vimul",
            language=table.code,
            messages=user_message(prompt, media),
            target=target,
            sampling=Sampling(max_new_tokens=MAX_NEW_TOKENS[table.kind]),
            cluster=_clip_name(row.get(table.columns.video)) or item_id,
            tags={"question_type": QUESTION_TYPES[table.kind], "category": _category(table, row)},
            problem=problem,
        )


def _category(table: Table, row: Mapping[str, Any]) -> str:
    return text_of(row.get(table.columns.category)).strip() or "none" if table.columns.category else "none"


def _asked(
    table: Table, row: Mapping[str, Any], item_id: str, options: BuildOptions
) -> tuple[str, Target, str | None]:
    """(prompt, target, what is wrong with the row or None)."""
    question = text_of(row.get(table.columns.question)).strip()
    answer = row.get(table.columns.answer)
    nothing = Choice((), None, "") if table.kind == "mcq" else Open(question, "")
    if not question or not text_of(answer).strip():
        return question, nothing, "the row has no " + ("answer" if question else "question")
    if table.kind == "oe":
        prompt = f"{question}\n{ANSWER_OPEN.format(language=language(table.code).name)}"
        return prompt, Open(question, text_of(answer).strip()), None
    try:
        stem, texts = options_in(row, table.columns, question)
        gold = gold_in(answer, texts, options.settings.get("first_option"))
    except ValueError as error:
        return question, nothing, str(error)
    if options.protocol == "unshuffled":
        choice = Choice(texts, gold, target=chr(ord("A") + gold), letters=True)
    else:
        choice = shuffled_choice(texts, gold, item_id, options.seed)
    return f"{stem}\n{lettered(choice.options)}\n{ANSWER_WITH_LETTER}", choice, None


def _clip(
    table: Table, row: Mapping[str, Any], name: str, frames: int, size: int
) -> tuple[Media | None, str | None]:
    """(the clip, None), or (None, what is wrong). Nothing is decoded: a damaged clip fails when it is asked."""
    cell = row.get(table.columns.video)
    try:
        return media_from(cell, "video", table.rows, name=name, frames=frames, size=size), None
    except MediaError as error:
        return None, f"no clip: {error}"


def _clip_name(cell: Any) -> str:
    """What questions about one clip share: its path. Clips inside a table have none that could be trusted."""
    if isinstance(cell, Mapping):
        cell = cell.get("path")
    return cell.strip() if isinstance(cell, str) and len(cell) < 500 else ""


TASK = Task(
    name="vimul",
    version="1",
    title="ViMUL-Bench: questions on videos in 14 languages",
    build=build,
    protocols={
        "tvbench": "options shuffled by item and seed, letters shown; open questions for a judge",
        "unshuffled": "the same with options in the order of the data",
    },
    primary="aligned",
    metrics=("aligned", "strict", "casefold", "fragment"),
    languages=LANGUAGES,
    splits=("test",),
    modality="video",
    data=(HubData(REPO, note="configs vimulmcq_<language> and vimuloe_<language>; 8,025 questions on 879 videos"),),
    group="video",
    paper="arXiv 2506.07032",
    notes="Not comparable with published figures: their prompts and judge are not public. Settings: "
    + ", ".join(f"vimul.{name}" for name in SETTINGS),
)
