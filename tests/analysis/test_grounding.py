"""`tvbench grounding`: the same items seeing and blind, through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from run_folders import write_manifest

from tvbench.cli.main import main
from tvbench.runs.writer import RunWriter
from tvbench.types import Choice, Item, Message, Response, Short, Target, Translation

Said = pytest.CaptureFixture[str]
LANGUAGES = ("de", "en")
ITEMS = 40


def items() -> list[Item]:
    """Choices among four, short answers, ambiguous captions and plain ones, in two languages on the same pictures."""
    found = []
    for language in LANGUAGES:
        for number in range(ITEMS):
            targets: dict[str, Target] = {
                "multiple-choice": Choice(tuple("wxyz"), number % 4, "ABCD"[number % 4], letters=True),
                "short": Short(("red",)),
                "ambiguous": Translation("A bat.", ("Eine Fledermaus.",), ("fledermaus",), ("keule",)),
                "plain": Translation("A red house.", ("Ein rotes Haus steht hier.",)),
            }
            found += [
                Item(
                    f"{language}/{kind}-{number}",
                    "quiz" if number_of < 2 else "texts",
                    language,
                    (Message("user", ("?",)),),
                    target,
                    cluster=f"picture {number}",
                    tags={"question_type": kind, "category": "even" if number % 2 == 0 else "odd"},
                )
                for number_of, (kind, target) in enumerate(targets.items())
            ]
    return found


def answer(item: Item, seeing: bool) -> str | None:
    """Seeing, all is right; blind, always the first option, one colour, the wrong sense every second time."""
    number = int(item.id.rpartition("-")[2])
    match item.target:
        case Choice(target=right):
            return right if seeing else "A"
        case Short():
            return "red" if seeing else "blue"
        case Translation(sense=sense) if sense:
            return "Eine Fledermaus." if seeing or number % 2 else "Eine Keule."
        case _:
            return "Ein rotes Haus steht hier."


def write(
    results: Path,
    name: str,
    *,
    seeing: bool,
    blank: bool = False,
    model: str = "m",
    updated: str = "1",
    missing: int = 0,
    ask: bool = True,
) -> None:
    asked = [
        {
            "task": task,
            "protocol": "p",
            "split": "test",
            "seed": 0,
            "media": seeing or blank,
            "settings": {"pictures": "blank"} if blank else {},
        }
        for task in ("quiz", "texts")
    ]
    with RunWriter(results / name) as writer:
        write_manifest(
            writer,
            {
                "run": name,
                "model": {"name": model, "revision": "1"},
                "updated": updated,
                "engine": {"name": "e", "version": "1", "settings": {}},
                "tasks": [
                    {"task": task, "protocol": "p", "primary": primary, "signature": "task:x"}
                    for task, primary in (("quiz", "aligned"), ("texts", "chrfpp"))
                ],
                **({"ask": {"model": ["folder", model, "1"], "tasks": asked}} if ask else {}),
            },
        )
        writer.write_requests((f"{name}/{item.task}/{item.id}", item, ()) for item in items())
        writer.start()
        for item in items()[missing:]:
            writer.append(Response(f"{name}/{item.task}/{item.id}", text=answer(item, seeing)))


def grounded(results: Path, capsys: Said, *words: str) -> list[dict[str, Any]]:
    assert main(["grounding", *words, "--results", str(results), "--format", "json", "--resamples", "500"]) == 0
    return list(json.loads(capsys.readouterr().out))


def test_sight_blindness_and_chance_by_type_and_language(tmp_path: Path, capsys: Said) -> None:
    write(tmp_path, "seeing", seeing=True)
    write(tmp_path, "blind", seeing=False)
    rows = {(row["kind"], row["language"]): row for row in grounded(tmp_path, capsys, "seeing")}
    for language in (None, *LANGUAGES):
        expected = {"multiple-choice": (1.0, 0.25, 0.25), "short": (1.0, 0.0, None), "ambiguous": (1.0, 0.5, 0.5)}
        for kind, (seeing, blind, chance) in expected.items():
            row = rows[kind, language]
            assert (row["seeing"], row["blind"], row["chance"]) == (seeing, blind, chance)
            assert row["difference"] == pytest.approx(seeing - blind) and row["low"] > 0
            assert row["items"] == ITEMS * (2 if language is None else 1)
        plain = rows["plain", language]
        assert plain["metric"] == "chrfpp" and plain["seeing"] == plain["blind"] == pytest.approx(100)
        assert plain["chance"] is None and plain["difference"] == 0


def test_the_newest_blind_run_of_the_same_model_and_tasks_is_taken(tmp_path: Path, capsys: Said) -> None:
    write(tmp_path, "seeing", seeing=True, updated="5")
    write(tmp_path, "other-model", seeing=False, model="n", updated="9")
    write(tmp_path, "older", seeing=False, updated="2", missing=8)
    write(tmp_path, "newer", seeing=False, blank=True, updated="3")
    assert grounded(tmp_path, capsys, "seeing") == grounded(tmp_path, capsys, "seeing", "newer")
    older = grounded(tmp_path, capsys, "seeing", "older")
    assert older[0]["items"] == 2 * ITEMS - 2
    assert main(["grounding", "seeing", "older", "--results", str(tmp_path)]) == 0
    assert "4 items left out" in capsys.readouterr().out


def test_of_several_runs_the_newest_that_saw_is_taken(tmp_path: Path, capsys: Said) -> None:
    write(tmp_path, "m--1", seeing=True, updated="1", missing=8)
    write(tmp_path, "m--2", seeing=True, updated="4")
    write(tmp_path, "m--3", seeing=False, updated="3")
    write(tmp_path, "m--4", seeing=False, blank=True, updated="5")
    assert grounded(tmp_path, capsys, "m") == grounded(tmp_path, capsys, "m--2", "m--4")


def test_by_category(tmp_path: Path, capsys: Said) -> None:
    write(tmp_path, "seeing", seeing=True)
    write(tmp_path, "blind", seeing=False)
    rows = grounded(tmp_path, capsys, "seeing", "--by", "category")
    assert {row["kind"] for row in rows} == {"even", "odd"}
    senses = {row["kind"]: row["blind"] for row in rows if row["metric"] == "sense" and row["language"] == "de"}
    assert senses == {"even": 0.0, "odd": 1.0}


def test_languages_that_the_card_does_not_list_are_marked(
    tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "m.yaml").write_text("folder: nowhere\nlanguages: [en]\n")
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "seeing", seeing=True)
    write(tmp_path, "blind", seeing=False)
    assert all(row["left_out"] == (row["language"] == "de") for row in grounded(tmp_path, capsys, "seeing"))
    assert main(["grounding", "seeing", "--results", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "de*" in shown and "100 / 25" in shown and "does not list: de" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["seeing"], "--no-image"),
        (["blind"], "has no pictures itself"),
        (["imported"], "name the run without pictures"),
        (["nothing"], "seeing"),
        (["seeing", "sighted"], "sighted saw its pictures"),
        (["blind", "seeing"], "seeing saw its pictures"),
    ],
)
def test_what_cannot_be_told_says_what_to_do(tmp_path: Path, capsys: Said, words: list[str], said: str) -> None:
    write(tmp_path, "seeing", seeing=True)
    write(tmp_path, "blind", seeing=False, model="other")
    write(tmp_path, "imported", seeing=True, ask=False)
    write(tmp_path, "sighted", seeing=True, model="third")
    assert main(["grounding", *words, "--results", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_tasks_and_languages_can_be_chosen(tmp_path: Path, capsys: Said) -> None:
    """The mean is then over the chosen languages, and what is left out is counted in them alone."""
    write(tmp_path, "seeing", seeing=True)
    write(tmp_path, "blind", seeing=False, missing=8)
    rows = grounded(tmp_path, capsys, "seeing", "--tasks", "quiz", "--languages", "German")
    assert {row["task"] for row in rows} == {"quiz"} and {row["language"] for row in rows} == {None, "de"}
    assert all(row["items"] == ITEMS - 2 for row in rows)
    command = ["grounding", "seeing", "--results", str(tmp_path), "--languages"]
    assert main([*command, "en"]) == 0
    assert "left out" not in capsys.readouterr().out
    assert main([*command, "ja"]) == 2
    assert "unknown language in these runs 'ja'. Known: de, en" in capsys.readouterr().err
    assert main(["grounding", "seeing", "--results", str(tmp_path), "--tasks", "quizz"]) == 2
    assert "unknown task in both runs 'quizz'" in capsys.readouterr().err
