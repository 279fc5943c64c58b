"""OCRBench: 1,000 questions on text in pictures (arXiv 2305.07895), as the TowerVision authors ask them.

The prompt is the question and nothing else, under every protocol. A reply is right when one of the answers is a
substring of it; blanks do not count in handwritten formulas (`HME100k`). The questions are in English.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tvbench.data.authoring import HubRows, Row, logged_prompt, text_of, user_message
from tvbench.languages import ENGLISH
from tvbench.types import Ask, Contains, Item, Message, Sampling, Task

REPO = "echo840/OCRBench"
COLUMNS = ("dataset", "question", "question_type", "answer")
FORMULAS = "HME100k"
SAMPLING = Sampling(max_new_tokens=128)


def item(row: Row, ask: Ask) -> Item:
    """The item of one row."""
    return _item(row.number, row, user_message(text_of(row["question"]), ask.picture(row, name=f"{row.number}")))


def _item(number: int, doc: Mapping[str, Any], messages: tuple[Message, ...]) -> Item:
    """The item of row `number`; the data have no ids of their own."""
    answers = doc["answer"]
    source = text_of(doc["dataset"])
    return Item(
        id=f"{ENGLISH}/{number}",
        task="ocrbench",
        language=ENGLISH,
        messages=messages,
        target=Contains(
            tuple(map(text_of, [answers] if isinstance(answers, str) else answers)), formula=source == FORMULAS
        ),
        sampling=SAMPLING,
        cluster=f"{ENGLISH}/{number}",
        tags={"question_type": text_of(doc["question_type"]), "dataset": source},
    )


def from_log(log_name: str, row: Mapping[str, Any], config: Mapping[str, Any]) -> Item:
    """The item of one logged row. Raises KeyError for a row whose `doc` lacks a column."""
    return _item(int(row["doc_id"]), row["doc"], logged_prompt(row))


TASK = Task(
    name="ocrbench",
    version="1",
    title="OCRBench: questions on text in pictures",
    source=HubRows(REPO, COLUMNS, note="split test, 1,000 rows"),
    item=item,
    second_bos=("paper",),
    protocols={
        "tvbench": "the question alone; formulas compared without regard to case (metric ocrbench_hme)",
        "paper": "the same prompt; formulas compared as the TowerVision authors do (metric ocrbench)",
    },
    primary="ocrbench",
    metrics=("ocrbench", "ocrbench_hme"),
    languages=(ENGLISH,),
    splits=("test",),
    group="ocr",
    paper="arXiv 2305.07895",
    log_names=("ocrbench",),
    from_log=from_log,
)
