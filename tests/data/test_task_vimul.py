"""ViMUL-Bench: columns and options in many shapes, settings, and what becomes of rows and clips that are no good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from task_data import build, choice, items, prompt, write_jsonl, write_parquet

from tasks import vimul
from tvbench.errors import UsageError
from tvbench.runs.keys import media_of
from tvbench.types import Open


def vimul_data(folder: Path, rows: list[dict[str, Any]], config: str = "vimulmcq_english") -> Path:
    write_jsonl(folder / config / "test.jsonl", rows)
    (folder / "videos").mkdir(exist_ok=True)
    (folder / "videos" / "a.mp4").write_bytes(b"no real clip")
    return folder


SCHEMAS: dict[str, dict[str, Any]] = {
    "list": {"question": "What?", "options": ["tea", "milk", "rain"], "answer": "milk"},
    "labelled list": {"question": "What?", "choices": ["A. tea", "B. milk", "C. rain"], "answer": "B"},
    "list as text": {"Question": "What?", "Options": "['tea', 'milk', 'rain']", "Answer": "(B) milk"},
    "mapping": {"question": "What?", "options": {"A": "tea", "B": "milk", "C": "rain"}, "answer": "b."},
    "columns": {"question": "What?", "option_a": "tea", "option_b": "milk", "option_c": "rain", "answer": "B"},
    "numbered columns": {"question": "What?", "option1": "tea", "option2": "milk", "option3": "rain", "answer": "milk"},
    "in the question": {"question": "What?\nA. tea\nB. milk\nC. rain", "answer": "B. milk"},
    "lines": {"query": "What?", "candidates": "(A) tea\n(B) milk\n(C) rain", "ground_truth": "B"},
}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_vimul_reads_options_in_many_forms(tmp_path: Path, schema: str) -> None:
    data = vimul_data(tmp_path, [{"video": "a.mp4", **SCHEMAS[schema]}])
    (item,) = items(vimul, data, "unshuffled")
    assert item.problem is None
    assert choice(item).options == ("tea", "milk", "rain") and choice(item).gold == 1
    assert prompt(item) == f"What?\nA. tea\nB. milk\nC. rain\n{vimul.ANSWER_WITH_LETTER}"
    (clip,) = media_of(item.messages)
    assert (clip.kind, clip.frames, clip.size) == ("video", 32, 384)
    assert clip.load() == b"no real clip"


def test_vimul_shuffles_and_takes_settings(tmp_path: Path) -> None:
    row = {"a1": "tea", "a2": "milk", "right": 1, "clip_file": "a.mp4"}
    rows = [{"Q": f"What {n}?", "nr": n, **row} for n in range(40)]
    data = vimul_data(tmp_path, rows)
    settings = {
        "column.question": "Q",
        "column.options": "a1+a2",
        "column.answer": "right",
        "column.id": "nr",
        "column.video": "clip_file",
        "first_option": "0",
        "frames": "8",
        "size": "224",
    }
    found = items(vimul, data, settings=settings)
    assert {choice(item).gold for item in found} == {0, 1}
    assert all(choice(item).options[choice(item).gold or 0] == "milk" for item in found)
    assert found[7].id == "en/mcq/7"
    assert media_of(found[0].messages)[0].frames == 8 and media_of(found[0].messages)[0].size == 224
    without = {name: value for name, value in settings.items() if name != "first_option"}
    assert "vimul.first_option" in str(items(vimul, data, settings=without)[0].problem)


def test_vimul_unknown_columns_say_what_to_set(tmp_path: Path) -> None:
    data = vimul_data(tmp_path, [{"frage": "Was?", "antwort": "Tee", "video": "a.mp4"}])
    with pytest.raises(UsageError) as caught:
        items(vimul, data)
    text = str(caught.value)
    assert "columns found: frage, antwort, video" in text
    assert "--set vimul.column.question=NAME" in text and "--set vimul.column.answer=NAME" in text
    assert "vimul.column.video" not in text
    with pytest.raises(UsageError, match="vimul.column.question 'frago'. Did you mean frage"):
        items(vimul, data, settings={"column.question": "frago"})
    with pytest.raises(UsageError, match="unknown setting of vimul 'colum.question'"):
        items(vimul, data, settings={"colum.question": "frage"})
    with pytest.raises(UsageError, match="vimul.frames=many"):
        items(vimul, data, settings={"frames": "many"})


def test_vimul_open_questions_and_languages(tmp_path: Path) -> None:
    german = {"question": "Was?", "answer": "Tee", "video": "a.mp4", "category": "Food"}
    vimul_data(tmp_path, [german], "vimuloe_german")
    vimul_data(tmp_path, [{"question": "What?", "options": ["a", "b"], "answer": "a", "video": "a.mp4"}])
    built = build(vimul, tmp_path)
    found = {item.id: item for item in built.items}
    assert set(found) == {"de/oe/0", "en/mcq/0"}
    assert found["de/oe/0"].target == Open("Was?", "Tee")
    assert found["de/oe/0"].tags == {"question_type": "open-ended", "category": "Food"}
    assert found["de/oe/0"].cluster == found["en/mcq/0"].cluster == "a.mp4"
    assert any("vimulmcq_german" in warning for warning in built.warnings)
    assert [item.id for item in items(vimul, tmp_path, settings={"types": "oe"})] == ["de/oe/0"]
    with pytest.raises(UsageError, match="vimulmcq_tamil"):
        items(vimul, tmp_path, languages=("ta",))


def test_vimul_bad_rows_and_clips_are_problems_of_their_items(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"question": "What?", "options": ["a", "b"], "answer": "a", "video": "gone.mp4"},
        {"question": "What?", "options": ["a", "b"], "answer": "a", "video": ""},
        {"question": "What?", "options": ["a", "b"], "answer": "c", "video": "a.mp4"},
        {"question": "What?", "options": [], "answer": "a", "video": "a.mp4"},
        {"question": "What?", "options": ["a", "b"], "answer": None, "video": "a.mp4"},
        {"question": "What?", "options": ["a", "b"], "answer": "b", "video": "a.mp4"},
    ]
    found = items(vimul, vimul_data(tmp_path, rows))
    wanted = ["gone.mp4", "no clip", "not among the options", "no options", "no answer", None]
    for item, part in zip(found, wanted, strict=True):
        assert item.problem is None if part is None else part in str(item.problem)


def test_vimul_config_as_a_file_with_clips_in_it(tmp_path: Path) -> None:
    row = {"question": "What?", "options": ["a", "b"], "answer": "a", "video": {"bytes": b"clip", "path": "x.mp4"}}
    write_parquet(tmp_path / "vimulmcq_hindi.parquet", [row], ("video",))
    (item,) = items(vimul, tmp_path, languages=("hi",))
    assert media_of(item.messages)[0].load() == b"clip"


def test_vimul_clips_beside_the_config(tmp_path: Path) -> None:
    write_jsonl(
        tmp_path / "vimulmcq_english" / "test.jsonl",
        [{"question": "What?", "options": ["a", "b"], "answer": "a", "video": "clips/x.mp4"}],
    )
    (tmp_path / "vimulmcq_english" / "clips").mkdir()
    (tmp_path / "vimulmcq_english" / "clips" / "x.mp4").write_bytes(b"clip")
    (item,) = items(vimul, tmp_path)
    assert item.problem is None and media_of(item.messages)[0].load() == b"clip"
