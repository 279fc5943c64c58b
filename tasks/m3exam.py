"""M3Exam: school exams with pictures in seven languages (arXiv 2306.05179), in the selection of PangeaBench.

Data: `neulab/PangeaBench-m3exam`, one split a language, up to ten pictures a row. A text names its pictures as
`(image)[image-3.png]`, by numbers that run through the language; they are taken in the order of their columns.

Quirks of protocol `paper`: four letters are asked for, however many options there are; only the first picture of the
question stands where it is named; options with pictures are left out. Rows with one place for several pictures failed
in the authors' run and were logged as empty; here all pictures stand at that place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tvbench.data.authoring import HubRows, Row, logged_prompt, text_of
from tvbench.data.interleaved import PLACE, exam_target, interleaved, placed, without_label
from tvbench.languages import code_of
from tvbench.types import Ask, Item, Message, Sampling, Task

PICTURES = tuple(f"image_{number}" for number in range(10))
COLUMNS = ("question_text", "background_description", "answer_text", "options", "subject_category", "id")
SUBJECTS = ("language", "math", "social-science", "natural-science")
WORDS = {  # the subjects | what stands before the last letter | the word for "answer" | what is asked
    "en": "English|Math|Social Science|Natural Science|, or |Answer:|The following is a multiple choice question about "
    "{subject}. Please only respond with the letter ({letters}) corresponding to the correct answer, without any "
    "additional explanation.",
    "zh": "语文|数学|社会科学|自然科学|, 或 |答案：|以下是关于{subject}的单项选择题。 "
    "请仅给出正确选项对应的选项序号（{letters}） 而非其他细节。",
    "th": "ภาษาไทย|คณิตศาสตร์|สังคมศึกษา|วิทยาศาสตร์| หรือ |คำตอบ:|ต่อไปนี้เป็นคำถามแบบปรนัย วิชา{subject} "
    "โปรดตอบเพียงตัวอักษร ({letters}) ที่ตรงกับคำตอบที่ถูกต้อง โดยไม่ต้องมีคำอธิบายเพิ่มเติม",
    "vi": "Tiếng Việt|Toán|Khoa học xã hội|Khoa học tự nhiên| hoặc |Câu trả lời:|Sau đây là câu hỏi trắc nghiệm về "
    "{subject}. Vui lòng chỉ trả lời bằng chữ cái ({letters}) tương ứng với câu trả lời đúng, không cần giải thích "
    "thêm.",
    "it": "Italiano|Matematica|Scienze sociali|Scienze naturali| o |La risposta:|La seguente è una domanda a scelta "
    "multipla su {subject}. Si prega di rispondere solo con la lettera ({letters}) corrispondente alla risposta "
    "corretta, senza alcuna spiegazione aggiuntiva.",
    "af": "Afrikaans Huistaal|Wiskunde|Sosiale Wetenskappe|Natuurwetenskap| of |Antwoord:|Die volgende is 'n "
    "meervoudige keuse vraag oor {subject}. Antwoord asseblief slegs met die letter ({letters}) wat ooreenstem met die "
    "korrekte antwoord, sonder enige bykomende verduideliking.",
    "pt": "Linguagens|Matemática|Ciências Humanas|Ciências da Natureza| ou |Responder:|A seguir está uma questão de "
    "múltipla escolha sobre {subject}. Por favor, responda apenas com a letra ({letters}) correspondente à resposta "
    "correta, sem qualquer explicação adicional.",
}
NAMED = re.compile(r"\(image\)\[[^\]]+\]")
PAPER_LABEL = re.compile(r"[(（]?[A-Da-d\d][)）.\s]+\s*")


def prompt_of(doc: Mapping[str, Any], code: str, protocol: str) -> str:
    """The prompt of one row, with PLACE where a picture stands."""
    paper, raw = protocol == "paper", [text_of(option) for option in doc["options"] or ()]
    *subjects, before_last, answer, hint = WORDS[code].split("|")
    subject = dict(zip(SUBJECTS, subjects, strict=True)).get(text_of(doc["subject_category"]), "")
    letters = "ABCDEFGHIJ"[: 4 if paper else len(raw)]
    hint = hint.format(subject=subject, letters=", ".join(letters[:-1]) + before_last + letters[-1])
    texts = [*map(text_of, doc["background_description"] or ()), text_of(doc["question_text"])]
    if paper:
        texts[-1] = NAMED.sub("", NAMED.sub(PLACE, texts[-1], count=1))
        options = [PAPER_LABEL.sub("", option, count=1) if PAPER_LABEL.match(option) else option for option in raw]
        options = [] if any(map(NAMED.search, raw)) else options
    else:
        options = [without_label(option, place) for place, option in enumerate(raw)]
    lines = [f"({chr(ord('A') + place)}) {option.strip()}" for place, option in enumerate(options)]
    prompt = f"{hint}\n\n\n" + "\n".join((*texts, "\n".join(lines), answer))
    return prompt if paper else placed(prompt, NAMED)


def item(row: Row, ask: Ask) -> Item:
    """The item of one row. Raises ValueError for a row without options."""
    if not row["options"]:
        raise ValueError("no options")
    columns = [column for column in PICTURES if row.get(column) not in (None, "", "None")]
    pictures = [ask.picture(row, column, name=f"{row.text('id')}/{column}") for column in columns]
    shown = interleaved(prompt_of(row, row.language, ask.protocol), pictures)
    return _item(row.language, row, (Message("user", shown),), ask.protocol)


def _item(code: str, doc: Mapping[str, Any], messages: tuple[Message, ...], protocol: str, drawn: str = "") -> Item:
    raw, question, paper = tuple(map(text_of, doc["options"] or ())), text_of(doc["question_text"]), protocol == "paper"
    named = NAMED.search("\n".join((*map(text_of, doc["background_description"] or ()), question, *raw)))
    return Item(
        id=f"{code}/{text_of(doc['id'])}",
        task="m3exam",
        language=code,
        messages=messages,
        target=exam_target(raw, text_of(doc["answer_text"]), question=question, coins=4 if paper else 0, drawn=drawn),
        sampling=Sampling(max_new_tokens=16 if paper and code != "zh" else 32),
        cluster=f"{code}/{named[0] if named else doc['id']}",
        tags={"category": text_of(doc["subject_category"]), "level": text_of(doc.get("level"))},
    )


def from_log(log_name: str, row: Mapping[str, Any], config: Mapping[str, Any]) -> Item:
    """The item of one logged row (`m3exam_thai`). Raises KeyError for a `doc` that lacks a column."""
    logged = row.get("m3exam")
    drawn = text_of(logged.get("answer_text")) if isinstance(logged, Mapping) else ""
    return _item(code_of(text_of(row["doc"]["language"])), row["doc"], logged_prompt(row), "paper", drawn=drawn)


TASK = Task(
    name="m3exam",
    version="1",
    title="M3Exam: school exams with pictures in seven languages",
    source=HubRows("neulab/PangeaBench-m3exam", COLUMNS, split="{name}", note="one split a language, 2,753 rows"),
    item=item,
    second_bos=("paper",),
    protocols={
        "tvbench": "every picture at its place, as many letters asked for as there are options; read without guessing",
        "paper": "prompts and parser of the TowerVision authors, whose draws count what they give on average",
    },
    primary="aligned",
    primaries={"paper": "m3exam"},
    metrics=("aligned", "m3exam", "m3exam_low", "m3exam_high"),
    languages=tuple(WORDS),
    group="exams",
    paper="arXiv 2306.05179",
    log_names=("m3exam_*",),
    from_log=from_log,
)
