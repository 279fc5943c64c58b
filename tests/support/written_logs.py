"""Logs of lmms-eval as it writes them, made up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from task_data import write_jsonl

from tasks.alm import PAPER_PROMPT

Row = dict[str, Any]
MODEL = "/scratch/convert/TextModel.toy_2b/trained_model_dir"
HASH = "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b"
FRUIT = ("Apfel", "Birne", "Pflaume", "Feige")


def alm_doc(number: int) -> Row:
    return {
        "ID": f"001_01_03_{number:03d}",
        "Language": "German",
        "Category": "Food" if number % 2 else "Music",
        "Question_Type": "Multiple Choice Questions",
        "English_Question": "?",
        "English_Answer": "",
        "Translated_Question": f"Welche Frucht ist Nummer {number}?",
        "Image_Url": f"https://pictures/{number // 2}",
        "Translated_Answer": f"Apfel (Optionen: {', '.join(FRUIT)})",
    }


def alm_rows(answers: Sequence[str]) -> list[Row]:
    """Rows of the 2025 layout; every right answer is `Apfel`."""
    return [
        {
            "doc_id": number,
            "doc": alm_doc(number),
            "target": "Apfel",
            "arguments": {"0": "max_new_tokens"},
            "resps": [[answer]],
            "filtered_resps": [answer],
            "doc_hash": HASH,
            "exact_match": float(answer == "Apfel"),
            "input": "\n".join((f"{PAPER_PROMPT} {alm_doc(number)['Translated_Question']}", *FRUIT)),
        }
        for number, answer in enumerate(answers)
    ]


def write_log(
    folder: Path,
    logs: Mapping[str, Sequence[Row] | None],
    *,
    layout: str = "2025",
    stamp: str = "20250829_222614",
    expected: int | None = None,
    **changes: Any,
) -> Path:
    """One results file, and a samples file a task (None: none). `changes` replace entries of the results file."""
    folder.mkdir(parents=True, exist_ok=True)
    results: Row = {"some-group": {" ": " ", "alias": "some-group"}} | {
        name: {"alias": f" - {name}", "exact_match,none": 0.5, "exact_match_stderr,none": "N/A"} for name in logs
    }
    data: Row = {
        "results": results,
        "group_subtasks": {"some-group": list(logs)},
        "configs": {name: {"task": name, "dataset_path": "someone/data"} for name in logs},
        "n-samples": {
            name: {"original": 9, "effective": len(rows or ()) if expected is None else expected}
            for name, rows in logs.items()
        },
        "config": {"model": "llava_hf", "model_args": f"pretrained={MODEL},"},
        "model_source": "llava_hf",
        "model_name": MODEL,
        "git_hash": None,
        "date": stamp,
    }
    if layout == "0.7":
        data |= {"lmms_eval_version": "0.7.2", "total_evaluation_time_seconds": "565.7"}
    path = folder / f"{stamp}_results.json"
    path.write_text(json.dumps(data | changes))
    for name, rows in logs.items():
        if rows is not None:
            write_jsonl(folder / f"{stamp}_samples_{name}.jsonl", list(rows))
    return path
