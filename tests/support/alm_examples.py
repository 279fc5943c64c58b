"""A row of ALM-Bench, made up."""

from __future__ import annotations

from typing import Any

from task_data import png

MCQ, TRUE_FALSE = "Multiple Choice Questions", "True False Question"


def alm_row(
    own_id: str,
    answer: str,
    *,
    kind: str = MCQ,
    language: str = "German",
    english: str = "",
    question: str = "Was ist das?",
    url: str = "https://pictures.example/1.jpg",
    **more: Any,
) -> dict[str, Any]:
    return {
        "file_name": {"bytes": png(), "path": "1.jpg"},
        "ID": own_id,
        "Language": language,
        "Category": "Food",
        "Question_Type": kind,
        "English_Question": "What is it?",
        "English_Answer": english,
        "Translated_Question": question,
        "Translated_Answer": answer,
        "Image_Url": url,
        **more,
    }
