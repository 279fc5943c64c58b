"""The questions of all sides: pictures of coloured patches in three sizes, made anew and the same each time."""

from __future__ import annotations

import csv
from base64 import b64encode
from pathlib import Path

import numpy as np
from PIL import Image

SIZES = ((500, 375), (640, 480), (1024, 768))


def write_questions(folder: Path, prompts: int, tokens: int) -> None:
    """Pictures of coloured patches in three sizes, a question on each; as a table for us, and for VLMEvalKit."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = []
    for number in range(prompts):
        width, height = SIZES[number % len(SIZES)]
        patches = rng.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
        name = f"{number}.jpg"
        Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC).save(folder / name, quality=90)
        rows.append({"id": number, "file_name": name, "question": f"What is in picture {number}?", "answer": "patches"})
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    columns = "columns: {question: question, answer: answer}"
    said = ["language: en", columns, 'prompt: "<image>{question}"', f"max_tokens: {tokens}", ""]
    (folder / "task.yaml").write_text("\n".join(said), encoding="utf-8")
    with (folder / "peers.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t")
        table.writerow(["index", "image", "question", "answer"])
        for row in rows:
            picture = b64encode((folder / str(row["file_name"])).read_bytes()).decode()
            table.writerow([row["id"], picture, row["question"], row["answer"]])
