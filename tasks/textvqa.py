"""TextVQA: questions about the text in a picture (arXiv 1904.08920), with the answers of ten people each.

Data: `lmms-lab/textvqa`; 5,000 rows of `validation` are scored, the answers of `test` are not published. OCR tokens
that the data bring along are not shown.

Quirk kept: the `paper` protocol capitalises the question as lmms-eval does, which lower-cases the rest of it. The
published log has no samples: its figures can be copied, not computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tvbench.data.authoring import HubRows, Row, logged_prompt, text_of, user_message
from tvbench.languages import ENGLISH
from tvbench.types import Ask, Item, Message, Sampling, Task, Voted

SPLITS = ("validation", "test", "train")
ALIASES = {"val": "validation", "textvqa_val": "validation", "textvqa_test": "test"}
SUFFIX = "\nAnswer the question using a single word or phrase."
SAMPLING = Sampling(max_new_tokens=128)


def prompt_of(question: str, protocol: str) -> str:
    """The prompt of one protocol."""
    return (question.capitalize() if protocol == "paper" else question) + SUFFIX


def item(row: Row, ask: Ask) -> Item:
    """The item of one row."""
    split = ask.split or SPLITS[0]
    picture = ask.picture(row, name=f"{split}/{row.text('question_id')}")
    return _item(row, split, user_message(prompt_of(text_of(row["question"]), ask.protocol), picture))


def _item(doc: Mapping[str, Any], split: str, messages: tuple[Message, ...]) -> Item:
    answers = doc.get("answers")
    return Item(
        id=f"{split}/{text_of(doc['question_id'])}",
        task="textvqa",
        language=ENGLISH,
        messages=messages,
        target=Voted(tuple(map(text_of, [answers] if isinstance(answers, str) else answers or ()))),
        sampling=SAMPLING,
        cluster=f"{split}/{text_of(doc['image_id'])}",
    )


def from_log(log_name: str, row: Mapping[str, Any], config: Mapping[str, Any]) -> Item:
    """The item of one logged row (`textvqa_val`). Raises KeyError for a `doc` that lacks a column."""
    return _item(row["doc"], ALIASES.get(log_name, SPLITS[0]), logged_prompt(row))


TASK = Task(
    name="textvqa",
    version="1",
    title="TextVQA: questions about text in pictures, with ten answers each",
    source=HubRows(
        "lmms-lab/textvqa",
        ("question_id", "image_id", "question"),
        media=("image",),
        note="split validation, 5,000 rows",
    ),
    item=item,
    second_bos=("paper",),
    protocols={
        "tvbench": "the question as it is, and a request for a single word or phrase",
        "paper": "the same request; the question capitalised, the rest of it in lower case, as lmms-eval does it",
    },
    primary="vqa_accuracy",
    metrics=("vqa_accuracy", "accuracy"),
    languages=(ENGLISH,),
    splits=SPLITS,
    split_aliases=ALIASES,
    group="ocr",
    paper="arXiv 1904.08920",
    log_names=("textvqa_val", "textvqa_test"),
    from_log=from_log,
    tokens_per_answer=8,
)
