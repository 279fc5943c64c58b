"""The task files: OCRBench and CC-OCR from synthetic rows, and what every declaration has to keep to."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from task_data import items, png, prompt, write_jsonl, write_parquet

from tasks import alm, cc_ocr, m3exam, multi30k, ocrbench, textvqa, vimul
from tvbench.errors import UsageError
from tvbench.runs.keys import media_of
from tvbench.scoring import score_item
from tvbench.types import Contains, OcrText, Response


def test_ocrbench(tmp_path: Path) -> None:
    rows = [
        {
            "dataset": "IIIT5K",
            "question": "what is written?",
            "question_type": "Regular Text Recognition",
            "answer": ["TEA", "TEE"],
            "image": {"bytes": png(), "path": None},
        },
        {
            "dataset": "HME100k",
            "question": "which formula?",
            "question_type": "Handwritten Mathematical Expression",
            "answer": ["a + b"],
            "image": {"bytes": png(), "path": None},
        },
    ]
    write_parquet(tmp_path / "data" / "test-00000-of-00001.parquet", rows, ("image",))
    word, formula = items(ocrbench, tmp_path, "paper")
    assert word.target == Contains(("TEA", "TEE")) and formula.target == Contains(("a + b",), formula=True)
    assert prompt(word) == "what is written?" and word.sampling.max_new_tokens == 128
    assert score_item(formula, Response("k", text="It is a+b.")).values["ocrbench"] == 1
    assert len(items(ocrbench, tmp_path, limit=1)) == 1
    with pytest.raises(UsageError, match="language of ocrbench 'de'"):
        items(ocrbench, tmp_path, languages=("de",))


def cc_ocr_rows() -> Iterator[dict[str, Any]]:
    for language in ("German", "Korean", "Portuguese", "Japanese"):
        for index in range(2):
            yield {
                "index": index,
                "question": "Read it.",
                "category": "multi_lan_ocr",
                "l2-category": language,
                "answer": None if (language, index) == ("Portuguese", 1) else "tea *** milk",
                "split": language,
                "image": base64.b64encode(png(index) * 4).decode(),
                "image_name": f"{language}_{index}.jpg",
            }


def test_cc_ocr(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "multi_lan_ocr" / "test.jsonl", list(cc_ocr_rows()))
    found = {item.id: item for item in items(cc_ocr, tmp_path, "paper")}
    assert len(found) == 8
    assert prompt(found["de/0"]) == "Read it.\nAnswer by providing the text in the image directly."
    assert prompt(found["ko/0"]) == "Read it.\nAnswer by providing the text directly."
    assert [found[name].target for name in ("de/0", "ko/0", "ja/0")] == [
        OcrText("tea *** milk"),
        OcrText("tea *** milk", "character"),
        OcrText("tea *** milk", "character"),
    ]
    assert found["pt/1"].target == OcrText(None) and score_item(found["pt/1"], Response("k", text="tea")).unscored
    assert media_of(found["de/1"].messages)[0].load() == png(1) * 4
    assert found["de/0"].sampling.max_new_tokens == 1024
    assert {prompt(item) for item in items(cc_ocr, tmp_path)} == {"Read it.\nAnswer by providing the text directly."}
    assert {prompt(item) for item in items(cc_ocr, tmp_path, "official")} == {"Read it."}
    assert {item.language for item in items(cc_ocr, tmp_path, languages=("ko", "Japanese"))} == {"ko", "ja"}


def test_missing_data_folder_is_a_usage_error(tmp_path: Path) -> None:
    for module in (alm, multi30k, ocrbench, cc_ocr, vimul, textvqa, m3exam):
        with pytest.raises(UsageError, match="does not exist"):
            items(module, tmp_path / "nowhere")


def test_log_names_belong_to_one_task_each() -> None:
    from fnmatch import fnmatchcase

    modules = (alm, multi30k, ocrbench, cc_ocr, textvqa, m3exam)
    for name in ("alm-bench-de", "multi30k-cs", "ocrbench", "cc-ocr-multi-lan-ko", "textvqa_val", "m3exam_thai"):
        owners = [m.TASK.name for m in modules if any(fnmatchcase(name, one) for one in m.TASK.log_names)]
        assert len(owners) == 1


@pytest.mark.parametrize(
    "module", [alm, multi30k, vimul, ocrbench, cc_ocr, textvqa, m3exam], ids=lambda module: module.TASK.name
)
def test_declarations_hold_together(module: ModuleType) -> None:
    from tvbench.languages import code_of
    from tvbench.scoring.metrics import BUILTIN

    task = module.TASK
    assert task.default_protocol == "tvbench" and task.primary in task.metrics
    assert set(task.metrics) <= set(BUILTIN)
    assert [code_of(code) for code in task.languages] == list(task.languages)
    assert len(set(task.languages)) == len(task.languages)
