"""One row of ALM-Bench as a question: its language, its kind, and what it shares with others. Knows no prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tvbench.data.authoring import text_of
from tvbench.data.options import paper_options, parse_options
from tvbench.data.true_false import AnsweredQuestion
from tvbench.languages import is_language, language

PICTURE_COLUMNS = ("file_name", "image")
LONGEST_PATH = 200
"""Longer text in a picture's cell is the picture itself, in base64."""

QUESTION_TYPES = {
    "Multiple Choice Questions": "multiple-choice",
    "True False Question": "true-false",
    "Long Question": "long",
}
"""Every other value of the column `Question_Type` is a short question."""

CULTURAL = frozenset(
    {
        "architecture",
        "customs",
        "economy",
        "festivals",
        "food",
        "heritage",
        "lifestyle",
        "literature",
        "media",
        "music",
        "notable_key_figures",
        "religion",
        "sports",
    }
)
"""The 13 cultural categories; the other six are generic pictures."""


@dataclass(frozen=True, slots=True)
class Question:
    """One row of the data. `kind` is a value of QUESTION_TYPES or `short`; texts are as they stand in the data.
    `language_name` is the data's own word for the language, as the official prompts print it."""

    id: str
    code: str
    language_name: str
    kind: str
    question: str
    answer: str
    english_answer: str
    category: str
    cluster: str

    @property
    def answered(self) -> AnsweredQuestion:
        """The right answer as the parser of true and false takes it."""
        return AnsweredQuestion(self.code, self.answer, self.english_answer)

    @property
    def unparsed(self) -> bool:
        """Whether it has options which the TowerVision authors' pattern does not find."""
        if not paper_options(self.answer).unparsed:
            return False
        try:
            return bool(parse_options(self.answer).options)
        except ValueError:
            return False

    @property
    def tags(self) -> dict[str, str]:
        """The breakdowns."""
        domain = "cultural" if self.category.casefold().replace(" ", "_") in CULTURAL else "generic"
        return {"question_type": self.kind, "category": self.category or "none", "domain": domain}


def question_of(row: Mapping[str, Any]) -> Question:
    """The question in a row of the data, or in the `doc` of a log row. Absent cells count as empty."""
    name = text_of(row.get("Language")).strip()
    code = code_of_name(name)
    category = text_of(row.get("Category")).strip()
    own_id = text_of(row.get("ID")).strip() or "without-id"
    return Question(
        id=f"{code}/{own_id}",
        code=code,
        language_name=name,
        kind=QUESTION_TYPES.get(text_of(row.get("Question_Type")).strip(), "short"),
        question=text_of(row.get("Translated_Question")),
        answer=text_of(row.get("Translated_Answer")),
        english_answer=text_of(row.get("English_Answer")),
        category=category,
        cluster=picture_of(row, code, category) or f"{code}/{own_id}",
    )


def code_of_name(name: str) -> str:
    """The code of a value of the column `Language`; an unknown name is its own code (`Old Norse`: `old-norse`)."""
    return language(name).code if is_language(name) else re.sub(r"\W+", "-", name.casefold()).strip("-") or "unknown"


def picture_of(row: Mapping[str, Any], code: str, category: str) -> str:
    """What rows about one picture share, "" where the row does not say.

    IDs do not tell pictures apart (all but their last number is language and category); the address of the picture
    does. Where that is not an address but a remark, it holds within a language and category.
    """
    address = text_of(row.get("Image_Url")).strip()
    if address.startswith(("http:", "https:", "www.")):
        return address
    if address.casefold() not in ("", "nan", "none", "null", "n/a", "na", "-"):
        return f"{code}/{category}/{address}"
    cell = row.get(picture_column(row))
    return cell if isinstance(cell, str) and len(cell) < LONGEST_PATH else ""


def picture_column(row: Mapping[str, Any]) -> str:
    """The column that holds the picture."""
    return next((column for column in PICTURE_COLUMNS if row.get(column) is not None), PICTURE_COLUMNS[0])
