"""Small copies of the data of every task, in the form in which they are published: a few rows in some languages."""

from __future__ import annotations

import base64
import gzip
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from task_data import png, write_jsonl, write_parquet

KEYWORDS = {"German": "Optionen", "French": "choix ", "Czech": "Možnosti"}
CAPTIONS = {
    "en": ["A dog runs.", "A cat sleeps.", "Two men talk."],
    "de": ["Ein Hund rennt.", "Eine Katze schläft.", "Zwei Männer reden."],
    "fr": ["Un chien court.", "Un chat dort.", "Deux hommes parlent."],
    "cs": ["Pes běží.", "Kočka spí.", "Dva muži mluví."],
}
SPLITS_OF_MULTI30K = {
    "test_2016_flickr": ("de", "fr", "cs"),
    "test_2017_flickr": ("de", "fr"),
    "test_2018_flickr": ("de", "fr", "cs"),
    "test_2017_mscoco": ("de", "fr"),
}


def clip() -> bytes:
    """Eight frames of a clip that can be decoded."""
    import av
    import numpy as np

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for shade in range(8):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 20 * shade, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def alm_rows() -> Iterator[dict[str, Any]]:
    for place, (language, keyword) in enumerate(KEYWORDS.items(), 1):
        rows = [
            ("Multiple Choice Questions", f"Rock ({keyword}: Rock, Hose, Hut, Schal)", ""),
            ("Multiple Choice Questions", "Hut (Options: Rock, Hose, Hut, Schal)", ""),
            ("True False Question", "Wahr.", "True."),
            ("True False Question", "Falsch.", "False."),
            ("Short Question 1", "Ein Hut.", ""),
        ]
        for number, (kind, answer, english) in enumerate(rows):
            yield {
                "file_name": {"bytes": png(10 * number), "path": "1.jpg"}, "ID": f"{place}_1_01_{number:03}",
                "Language": language, "Category": "Food", "Question_Type": kind, "English_Answer": english,
                "Translated_Question": f"Was ist {number}?", "Translated_Answer": answer,
                "Image_Url": f"https://pictures.example/{number}.jpg",
            }  # fmt: skip


def alm(folder: Path) -> None:
    rows = list(alm_rows())
    write_parquet(folder / "MBZUAI" / "ALM-Bench" / "data" / "test-00000-of-00001.parquet", rows, ("file_name",))
    for language in KEYWORDS:
        own = [row for row in rows if row["Language"] == language and row["Question_Type"].startswith("Multiple")]
        path = folder / "sonalsannigrahi" / "alm-bench-lang-split" / "data" / f"{language}-00000-of-00001.parquet"
        write_parquet(path, own, ("file_name",))


def cc_ocr(folder: Path) -> None:
    rows = [
        {"index": number, "question": "Read it.", "l2-category": language, "answer": f"tea milk {number}",
         "image": base64.b64encode(png(9 * number) * 4).decode(), "image_name": f"{language}_{number}.jpg"}
        for language in ("German", "Korean", "Japanese") for number in range(3)
    ]  # fmt: skip
    write_jsonl(folder / "CC-OCR" / "multi_lan_ocr" / "test.jsonl", rows)


def commute(folder: Path) -> None:
    for code in ("de", "fr", "ru"):
        rows = [
            {"source": "He went to the bank.", "correct_translation": f"{right} {code}", "incorrect_translation":
             f"{wrong} {code}", "image": {"bytes": png(shade), "path": None}, "image_name": f"{shade}.png"}
            for right, wrong, shade in (("Geld", "Ufer", 50), ("Ufer", "Geld", 200))
        ]  # fmt: skip
        path = folder / "commute_multimodal_mt" / "data" / f"{code}-00000-of-00001.parquet"
        write_parquet(path, rows, ("image",))


def multi30k(folder: Path) -> None:
    """The official raw files, with all splits."""
    place = folder / "multi30k"
    (place / "images").mkdir(parents=True)
    for number, (split, codes) in enumerate(SPLITS_OF_MULTI30K.items()):
        names = [f"{number}-{line}.png" for line in range(3)]
        (place / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
        for shade, name in enumerate(names):
            (place / "images" / name).write_bytes(png(40 * number + shade))
        for code in ("en", *codes):
            lines = "".join(f"{line} {number}\n" for line in CAPTIONS[code])
            (place / f"{split}.{code}.gz").write_bytes(gzip.compress(lines.encode()))


def ocrbench(folder: Path) -> None:
    rows = [
        {"dataset": name, "question": f"What is {number}?", "question_type": "Text", "answer": [f"tea {number}"],
         "image": {"bytes": png(30 * number), "path": None}}
        for number, name in enumerate(("IIIT5K", "HME100k", "IIIT5K"))
    ]  # fmt: skip
    write_parquet(folder / "OCRBench" / "data" / "test-00000-of-00001.parquet", rows, ("image",))


def vimul(folder: Path) -> None:
    place = folder / "ViMUL-Bench"
    (place / "videos").mkdir(parents=True)
    (place / "videos" / "a.mp4").write_bytes(clip())
    for language in ("english", "german"):
        choices = [
            {"question": f"What {number}?", "options": ["tea", "milk", "rain"], "answer": "1", "video": "a.mp4"}
            | ({} if number else {"answer": "milk"})
            for number in range(3)
        ]
        write_jsonl(place / f"vimulmcq_{language}" / "test.jsonl", choices)
        write_jsonl(place / f"vimuloe_{language}" / "test.jsonl",
                    [{"question": "Why?", "answer": "Tea.", "video": "a.mp4"}])  # fmt: skip


def textvqa(folder: Path) -> None:
    for place, split in enumerate(("train", "validation", "test")):
        rows = [
            {
                "question_id": 100 * place + number,
                "image_id": f"{place}{number}",
                "question": f"what BRAND is {number}?",
                "answers": [f"nokia {number}"] * 10 if split != "test" else [""] * 10,
                "image": {"bytes": png(9 * number + place), "path": None},
            }
            for number in range(3)
        ]
        write_parquet(folder / "textvqa" / "data" / f"{split}-00000-of-00001.parquet", rows, ("image",))


def m3exam(folder: Path) -> None:
    for language in ("afrikaans", "english"):
        rows = [
            {
                "question_text": f"Kyk: (image)[image-{number}.png]\nWat is dit?",
                "background_description": [],
                "answer_text": "ABC"[number],
                "options": ["A. reën", "B. sneeu", "C. son", "D. wind"],
                "language": language,
                "level": "low",
                "subject": language,
                "subject_category": "language",
                "id": number,
                "image_0": base64.b64encode(png(number) * 4).decode(),
                **{f"image_{place}": "None" for place in range(1, 10)},
            }
            for number in range(3)
        ]
        write_jsonl(folder / "PangeaBench-m3exam" / f"{language}.jsonl", rows)


COPIES: dict[str, Callable[[Path], None]] = {
    "alm": alm, "cc-ocr": cc_ocr, "commute": commute, "multi30k": multi30k, "ocrbench": ocrbench, "vimul": vimul,
    "m3exam": m3exam, "textvqa": textvqa,
}  # fmt: skip
"""By task; generated tasks need none. A new task of tvbench's own gets a copy here, and is then checked in CI."""


def copy_of(task: str, folder: Path) -> Path | None:
    """The folder with the task's copy, for `--data`; None for a task that is generated."""
    if task.startswith("mini-"):
        return None
    COPIES[task](folder)
    return folder
