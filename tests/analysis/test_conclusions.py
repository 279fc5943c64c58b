"""The first screen of `explain`: what it says, in how many lines, and what is behind its options."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path

import pytest
from run_folders import write_manifest

from tvbench.cli.main import main
from tvbench.runs.writer import RunWriter
from tvbench.types import Choice, Item, Media, Message, Response

Said = pytest.CaptureFixture[str]
LANGUAGES = ("en", "de", "fr", "hi", "ar", "zh-Hans", "pt-BR", "ko")
OPTIONS = ("red", "blue", "green", "black")


def question(task: str, code: str, number: int, *, media: bool = True) -> Item:
    gold = (number * 7 + len(code)) % 4
    lettered = "\n".join(f"{letter}. {option}" for letter, option in zip("ABCD", OPTIONS, strict=True))
    picture = (Media("image", "a.png", bytes),) if media else ()
    return Item(
        f"{code}/{number}",
        task,
        code,
        (Message("user", (*picture, f"{task} {number}?\n{lettered}")),),
        Choice(OPTIONS, gold, "ABCD"[gold], letters=True),
        cluster=f"{task} {number}",
    )


def write(results: Path, name: str, tasks: int, *, lost: str = "", habit: bool = False, blind: bool = False) -> None:
    """A model that knows two of three; one language may be lost, and the last option may be its habit."""
    names = [f"quiz-{number}" for number in range(tasks)]
    entries = [
        {"task": task, "protocol": "p", "dataset": "d@1", "signature": "s", "primary": "aligned"} for task in names
    ]
    asked = [{"task": task, "protocol": "p", "media": not blind, "settings": {}} for task in names]
    with RunWriter(results / name) as writer:
        write_manifest(
            writer,
            {
                "run": name,
                "model": {"name": "m", "revision": "1"},
                "engine": {"name": "e", "version": "1", "settings": {}},
                "tasks": entries,
                "ask": {"model": {"name": "m"}, "tasks": asked},
            },
        )
        items = [question(task, code, n) for task in names for code in LANGUAGES for n in range(24)]
        writer.write_requests((f"{name}/{item.task}/{item.id}", item, ()) for item in items)
        writer.start()
        for item in items:
            assert isinstance(item.target, Choice)
            number = int(item.id.partition("/")[2])
            text = item.target.target if (number + len(item.language)) % 3 else "ABCD"[(number // 3) % 4]
            text = "D" if habit and number % 4 == 0 else text
            text = "?" if item.language == lost else "A" if blind else text
            writer.append(Response(f"{name}/{item.task}/{item.id}", text=text, finish="stop"))


def explained(results: Path, capsys: Said, *words: str) -> list[str]:
    """What `explain` prints, asked from the folder itself: a long path is one word, which no screen can hold."""
    capsys.readouterr()
    with chdir(results):
        assert main(["explain", "the-run", "--results", ".", *words]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("tasks", [1, 6])
@pytest.mark.parametrize(("lost", "habit"), [("", False), ("hi", True)])
def test_the_screen_fits_whatever_there_is_to_say(
    tmp_path: Path, capsys: Said, tasks: int, lost: str, habit: bool
) -> None:
    write(tmp_path, "the-run", tasks, lost=lost, habit=habit)
    shown = explained(tmp_path, capsys)
    assert len(shown) <= 25 and max(map(len, shown)) <= 80, "\n".join(shown)
    assert shown[0].startswith("the-run: ") and any(line.lstrip().startswith("next") for line in shown)
    assert any("tvbench explain the-run" in line for line in shown)
    assert ("What is broken" in shown) is bool(lost)


def test_what_is_broken_comes_first_and_names_the_language_in_words(tmp_path: Path, capsys: Said) -> None:
    write(tmp_path, "the-run", 2, lost="hi")
    shown = explained(tmp_path, capsys)
    text = " ".join(" ".join(shown).split())
    assert shown[1] == "What is broken" and "Hindi is lost: right in 0 of 48" in text
    assert "Devanagari, and nothing else: script mapped wrong" in text and "hi/" not in text


def test_a_habit_is_said_in_points_on_the_screen(tmp_path: Path, capsys: Said) -> None:
    write(tmp_path, "the-run", 1, habit=True)
    assert "position bias: option 4 is chosen" in " ".join(" ".join(explained(tmp_path, capsys)).split())


def test_tables_and_examples_are_behind_their_options(tmp_path: Path, capsys: Said) -> None:
    write(tmp_path, "the-run", 1)
    screen = explained(tmp_path, capsys)
    examples = explained(tmp_path, capsys, "--examples", "2")
    assert examples[: len(screen)] == screen and sum("points lost" in line for line in examples[len(screen) :]) > 8
    assert not any("what the answers look like" in line for line in examples)
    whole = "\n".join(explained(tmp_path, capsys, "--all"))
    titles = (
        "what the answers look like",
        "where the points went (",
        "positions and ceilings",
        "one question in several",
    )
    assert all(title in whole for title in titles) and "examples of answers" not in whole


@pytest.mark.parametrize(("columns", "width"), [("10", 40), ("40", 40), ("60", 60), ("300", 80)])
def test_a_narrow_terminal_gets_narrow_lines(
    tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    """Words that are longer than a line stay whole: they may be commands."""
    monkeypatch.setenv("COLUMNS", columns)
    write(tmp_path, "the-run", 4, lost="hi", habit=True)
    main(["explain", "the-run", "--results", str(tmp_path)])
    lines = [line for line in capsys.readouterr().out.splitlines() if str(tmp_path) not in line]
    assert width - 15 < max(map(len, lines)) <= width and "What is broken" in lines


def test_one_language_is_still_held_against_the_others(tmp_path: Path, capsys: Said) -> None:
    write(tmp_path, "the-run", 1, lost="hi")
    text = "\n".join(explained(tmp_path, capsys, "--languages", "Hindi"))
    assert "Hindi is lost" in text and "against English" in text and "German -" not in text
    assert "is lost" not in "\n".join(explained(tmp_path, capsys, "--languages", "de"))


def test_a_run_without_pictures_is_found_and_named(tmp_path: Path, capsys: Said) -> None:
    write(tmp_path, "the-run", 1)
    write(tmp_path, "without", 1, blind=True)
    text = "\n".join(explained(tmp_path, capsys))
    assert "the picture adds +" in text and "over without" in text
    assert "the picture adds +" in "\n".join(explained(tmp_path, capsys, "--without-image", "without"))
    (record,) = json.loads("\n".join(explained(tmp_path, capsys, "--format", "json")))
    assert record["blind"] == "without" and record["parallel"]["reference"] == "en"
    assert record["parallel"]["pictures"][0]["comparison"]["low"] > 0
    assert record["conclusions"] and record["damage"]["losses"] == [] and record["bias"]["p"] > 0


def test_a_run_that_saw_its_pictures_cannot_say_what_they_add(tmp_path: Path, capsys: Said) -> None:
    write(tmp_path, "the-run", 1)
    write(tmp_path, "without", 1, blind=True)
    for named in ("the-run", "without"):
        command = ["explain", named, "--results", str(tmp_path), "--without-image", "the-run"]
        assert main(command) == 2
        said = capsys.readouterr().err
        assert "the-run saw its pictures" in said and "--no-image" in said


@pytest.mark.parametrize("form", ["table", "markdown", "latex", "json"])
def test_compare_says_what_is_broken_in_the_second_run(tmp_path: Path, capsys: Said, form: str) -> None:
    write(tmp_path, "first", 1)
    write(tmp_path, "second", 1, lost="ar")
    words = ["--results", str(tmp_path), "--resamples", "100", "--format", form]
    assert main(["compare", "first", "second", *words]) == 0
    shown = capsys.readouterr().out
    if form == "json":
        (loss,) = json.loads(shown)["damage"]["losses"]
        assert loss["languages"][0]["language"] == "ar" and loss["scripts"] == ["Arab"]
    else:
        assert "Arabic" in shown and "is lost" in shown and "tvbench explain second" in shown
    assert main(["compare", "second", "first", *words]) == 0
    assert "is lost" not in capsys.readouterr().out
