"""ViMUL-Bench: questions on videos in 14 languages (arXiv 2506.07032).

Data: `MBZUAI/ViMUL-Bench`, configs `vimulmcq_<language>` and `vimuloe_<language>`, in the language's English name.

Not known here: the names of the columns, the form of the options, the authors' prompts, their judge and its scale.
Columns are therefore found by common names, or named by settings:

    --set vimul.column.question=Q --set vimul.column.options=opt_1+opt_2+opt_3+opt_4

and every figure is of our own protocol; nothing is claimed to be comparable with a published table. Clips are sampled
to 32 frames of 384 x 384 pixels, as the TowerVision authors do (arXiv 2510.21849): `vimul.frames`, `vimul.size`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tvbench.data.authoring import CONFIGS, Row, lettered, shuffled_choice, text_of, user_message
from tvbench.data.option_columns import COLUMN_NAMES, OptionColumns, find_columns, gold_in, options_in
from tvbench.data.sources import Rows, available_splits, open_rows
from tvbench.errors import UsageError
from tvbench.languages import language
from tvbench.types import Ask, Choice, HubData, Item, Open, Opened, Sampling, Setting, Target, Task

REPO = "MBZUAI/ViMUL-Bench"
LANGUAGES = ("ar", "bn", "zh", "en", "fr", "de", "hi", "ja", "ru", "si", "es", "sv", "ta", "ur")
KINDS = {"mcq": "vimulmcq_", "oe": "vimuloe_"}
QUESTION_TYPES = {"mcq": "multiple-choice", "oe": "open-ended"}
SHOWN = ("question", "options", "id")
"""Columns that stand in the prompts and ids: other ones show there."""
SETTINGS = {
    **{f"column.{role}": Setting(f"the column of the {role}", shown=role in SHOWN) for role in COLUMN_NAMES},
    "frames": Setting("frames that a clip is sampled to", 32, least=1, shown=True),
    "size": Setting("pixels that a frame is wide and high", 384, least=1, shown=True),
    "types": Setting("kinds of questions", tuple(KINDS), tuple(KINDS), several=True, shown=True),
    "first_option": Setting("the number that the data give the first option", None, (0, 1)),
}

ANSWER_WITH_LETTER = "Watch the video and choose the right option. Answer with its letter only."
ANSWER_OPEN = "Watch the video and answer in {language}."
MAX_NEW_TOKENS = {"mcq": 32, "oe": 256}


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one config, and how they are read."""

    code: str
    kind: str
    rows: Rows
    columns: OptionColumns


def tables(ask: Ask) -> Opened:
    """The tables of the wanted languages and types. Raises UsageError for columns that tell nothing, and without
    any."""
    found, absent = _tables(ask)
    if not found:
        raise UsageError(
            f"{ask.data or REPO} has none of the configs {', '.join(absent[:4])}" + (", ..." if absent[4:] else ""),
            CONFIGS,
        )
    warnings = (f"no config {', '.join(absent)}: left out",) if absent else ()
    dataset = "+".join(dict.fromkeys(table.rows.dataset for table in found))
    return Opened(_rows(found), dataset, warnings)


def _tables(ask: Ask) -> tuple[list[Table], list[str]]:
    """The tables, and the names of the configs that are not there. A config without a split `test` has another one."""
    found: list[Table] = []
    absent: list[str] = []
    for code in ask.languages:
        for kind in ask.settings["types"]:
            config = f"{KINDS[kind]}{language(code).name.casefold()}"
            splits = available_splits(REPO, config=config, data=ask.data, offline=ask.offline)
            if not splits:
                absent.append(config)
                continue
            split = ask.split if ask.split in splits or "split" in ask.named else splits[0]
            rows = open_rows(REPO, split=split or "test", config=config, data=ask.data, offline=ask.offline)
            found.append(Table(code, kind, rows, find_columns(ask.task, rows.columns, ask.settings, config)))
    return found, absent


def _rows(found: list[Table]) -> Iterator[tuple[Table, Row]]:
    for table in found:
        for number, cells in enumerate(table.rows):
            yield table, Row(cells, number, table.code, table.rows)


def item(asked: tuple[Table, Row], ask: Ask) -> Item:
    """The item of one row. Nothing is decoded: a damaged clip fails when it is asked."""
    table, row = asked
    own_id = row.text(table.columns.id) if table.columns.id else ""
    item_id = f"{table.code}/{table.kind}/{own_id or row.number}"
    prompt, target, problem = _asked(table, row, item_id, ask)
    frames, size = ask.settings["frames"], ask.settings["size"]
    clip = ask.clip(row, table.columns.video, name=item_id, frames=frames, size=size) if problem is None else None
    return Item(
        id=item_id,
        task=ask.task,
        language=table.code,
        messages=user_message(prompt, clip),
        target=target,
        sampling=Sampling(max_new_tokens=MAX_NEW_TOKENS[table.kind]),
        cluster=_clip_name(row.get(table.columns.video)) or item_id,
        tags={"question_type": QUESTION_TYPES[table.kind], "category": row.text(table.columns.category) or "none"},
        problem=problem,
    )


def _asked(table: Table, row: Row, item_id: str, ask: Ask) -> tuple[str, Target, str | None]:
    """(prompt, target, what is wrong with the row or None)."""
    question, answer = row.text(table.columns.question), row.get(table.columns.answer)
    first_option, shuffle = ask.settings["first_option"], ask.protocol != "unshuffled"
    nothing = Choice((), None, "") if table.kind == "mcq" else Open(question, "")
    if not question or not text_of(answer).strip():
        return question, nothing, "the row has no " + ("answer" if question else "question")
    if table.kind == "oe":
        prompt = f"{question}\n{ANSWER_OPEN.format(language=language(table.code).name)}"
        return prompt, Open(question, text_of(answer).strip()), None
    try:
        stem, texts = options_in(row, table.columns, question)
        gold = gold_in(ask.task, answer, texts, first_option)
    except ValueError as error:
        return question, nothing, str(error)
    if shuffle:
        choice = shuffled_choice(texts, gold, item_id, ask.seed)
    else:
        choice = Choice(texts, gold, target=chr(ord("A") + gold), letters=True)
    return f"{stem}\n{lettered(choice.options)}\n{ANSWER_WITH_LETTER}", choice, None


def _clip_name(cell: Any) -> str:
    """What questions about one clip share: its path. Clips inside a table have none that could be trusted."""
    if isinstance(cell, Mapping):
        cell = cell.get("path")
    return cell.strip() if isinstance(cell, str) and len(cell) < 500 else ""


TASK = Task(
    name="vimul",
    version="1",
    title="ViMUL-Bench: questions on videos in 14 languages",
    source=tables,
    item=item,
    settings=SETTINGS,
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
    notes="Not comparable with published figures: their prompts and judge are not public.",
)
