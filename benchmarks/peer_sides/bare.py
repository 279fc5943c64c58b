"""The bare side of benchmarks/peers.py: what a careful person writes around vLLM in thirty lines. Knows no tvbench.

    python bare.py CHECKPOINT DATA TOKENS ANSWERS.json

DATA holds metadata.csv (id, file_name, question) with its pictures. Writes {"answers": {id: text}, "seconds": ...}; the
seconds begin when the model is loaded and end with the last answer.
"""

import csv
import json
import sys
import time
from pathlib import Path

from PIL import Image
from vllm import LLM, SamplingParams


def main(checkpoint: str, data: str, tokens: str, answers: str) -> None:
    """All questions in one `LLM.chat`, each picture opened by Pillow."""
    with (Path(data) / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    llm = LLM(
        checkpoint, dtype="float32", enforce_eager=True, max_model_len=2048, max_num_seqs=32,
        mm_processor_kwargs={"use_fast": False}, skip_mm_profiling=True,
    )  # fmt: skip
    started = time.perf_counter()
    asked = [
        [{"role": "user", "content": [
            {"type": "image_pil", "image_pil": Image.open(Path(data) / row["file_name"]).convert("RGB")},
            {"type": "text", "text": row["question"]},
        ]}]
        for row in rows
    ]  # fmt: skip
    outputs = llm.chat(asked, SamplingParams(temperature=0.0, max_tokens=int(tokens)))
    said = {row["id"]: output.outputs[0].text for row, output in zip(rows, outputs, strict=True)}
    done = {"answers": said, "seconds": time.perf_counter() - started}
    Path(answers).write_text(json.dumps(done, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
