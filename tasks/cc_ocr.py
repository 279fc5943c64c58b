"""CC-OCR, multilingual part: read a picture out, word by word (arXiv 2412.02210).

Data: `wulipc/CC-OCR`, config `multi_lan_ocr`, 150 pictures a language, the language in the column `l2-category`. The
TowerVision authors use seven of the ten languages. The reply and the answer are compared as bags of words, in Arabic,
Japanese and Korean of characters.

Quirk kept: the German prompt of the `paper` protocol has two words more than the others. One Portuguese row has no
answer; it is asked and stays unscored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tvbench.data.authoring import HubRows, Row, logged_prompt, text_of, user_message
from tvbench.languages import code_of
from tvbench.types import Ask, Item, Message, OcrText, Sampling, Task

REPO = "wulipc/CC-OCR"
COLUMNS = ("question", "answer", "l2-category", "image")
PAPER_LANGUAGES = ("de", "fr", "it", "ru", "es", "ko", "pt")
LANGUAGES = (*PAPER_LANGUAGES, "ar", "ja", "vi")
BY_CHARACTER = frozenset({"ar", "ja", "ko", "zh"})

SUFFIX = "\nAnswer by providing the text directly."
PAPER_SUFFIX_GERMAN = "\nAnswer by providing the text in the image directly."
SAMPLING = Sampling(max_new_tokens=1024)


def prompt_of(question: str, code: str, protocol: str) -> str:
    """The prompt of one protocol. `question` is the data's own instruction, equal in all rows."""
    if protocol == "official":
        return question
    return question + (PAPER_SUFFIX_GERMAN if protocol == "paper" and code == "de" else SUFFIX)


def item(row: Row, ask: Ask) -> Item:
    """The item of one row."""
    index = row.get("index")
    own_id = f"{row.language}/{row.number if index is None else index}"
    picture = ask.picture(row, name=text_of(row.get("image_name")) or own_id)
    prompt = prompt_of(text_of(row["question"]), row.language, ask.protocol)
    return _item(own_id, row.language, row, user_message(prompt, picture))


def _item(own_id: str, code: str, doc: Mapping[str, Any], messages: tuple[Message, ...]) -> Item:
    answer = doc["answer"]
    return Item(
        id=own_id,
        task="cc-ocr",
        language=code,
        messages=messages,
        target=OcrText(None if answer is None else text_of(answer), "character" if code in BY_CHARACTER else "word"),
        sampling=SAMPLING,
        cluster=own_id,
    )


def from_log(log_name: str, row: Mapping[str, Any], config: Mapping[str, Any]) -> Item:
    """The item of one logged row (`cc-ocr-multi-lan-de`, ...). Raises KeyError for a `doc` that lacks a column."""
    doc = row["doc"]
    code = code_of(text_of(doc["l2-category"]))
    return _item(f"{code}/{doc['index']}", code, doc, logged_prompt(row))


TASK = Task(
    name="cc-ocr",
    version="1",
    title="CC-OCR: text read from pictures in ten languages",
    source=HubRows(
        REPO,
        COLUMNS,
        config="multi_lan_ocr",
        language="l2-category",
        note="config multi_lan_ocr, split test, 150 rows a language",
    ),
    item=item,
    second_bos=("paper",),
    protocols={
        "tvbench": "one prompt for all languages",
        "paper": "prompts of the TowerVision authors, the German one with its own wording (they use seven languages)",
        "official": "the data's instruction alone",
    },
    primary="macro_f1",
    metrics=("macro_f1", "micro_f1"),
    languages=LANGUAGES,
    splits=("test",),
    group="ocr",
    paper="arXiv 2412.02210",
    notes=f"The figure of the TowerVision paper is the mean over {', '.join(PAPER_LANGUAGES)}: give --languages.",
    log_names=("cc-ocr-multi-lan-*",),
    from_log=from_log,
    tokens_per_answer=120,
)
