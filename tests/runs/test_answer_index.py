"""The index of answers says what reading all of them says, whatever the files look like, in a few bytes a key."""

from __future__ import annotations

import hashlib
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tvbench.runs import codec
from tvbench.runs.answer_index import AnswerIndex
from tvbench.runs.key_table import KeyTable
from tvbench.runs.lines import Damage, json_line
from tvbench.runs.store import RunFolder
from tvbench.types import Response


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def index_of(folder: Path, damaged: list[Damage] | None = None) -> AnswerIndex:
    return AnswerIndex(RunFolder(folder).response_files(), damaged)


def some_response(rng: random.Random) -> Response:
    key = rng.choice([key_of(rng.randrange(12)), "k", "a key of another kind", key_of(3).upper(), 'q"\\' * 22])
    kinds = [
        Response(key, text=rng.choice(["", "ja", 'says "error": no', "error", "läuft \ud800", "<think>hm</think> 3"])),
        Response(key, error="no such picture"),
        Response(key, logprobs=(-0.5, -1.25), notes=("19 of 32 frames",), extra={"error": 1.0}),
        Response(key, text="x" * rng.randrange(5000), reused_from="other"),
    ]
    return rng.choice(kinds)


def some_line(rng: random.Random) -> bytes:
    """A line as we write it, as others may, or damaged."""
    line = json_line(codec.response_to_json(some_response(rng))).encode("utf-8", "surrogatepass")
    spoiled = bytearray(line)
    spoiled[rng.randrange(len(line))] = rng.choice(b'x"\n }0')
    spaced = line.replace(b'","', b'", "')
    without_sum = line[: line.rindex(b',"sum"')] + b"}\n"
    odd = rng.choice([b"[]\n", b"null\n", b"\n", b'{"text":"no key"}\n', b'{"key":3}\n', b'{"key":"z","text":{}}\n'])
    return rng.choices([line, bytes(spoiled), line[:-1], spaced, without_sum, odd], [12, 2, 1, 1, 1, 1])[0]


@pytest.mark.parametrize("seed", range(60))
def test_it_says_what_reading_all_answers_says(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    for name in rng.sample(["responses.jsonl", "responses.1.jsonl", "responses.2of8.jsonl"], rng.randint(1, 3)):
        torn = some_line(rng)[: rng.randrange(9)]
        (tmp_path / name).write_bytes(b"".join(some_line(rng) for _ in range(rng.randrange(30))) + torn)
    told: list[Damage] = []
    found: list[Damage] = []
    responses, index = RunFolder(tmp_path).responses(told), index_of(tmp_path, found)
    assert found == told
    assert dict(index) == responses and list(index) == list(responses)
    assert {key: index.failed(key) for key in index} == {key: one.error is not None for key, one in responses.items()}
    assert all(index.answered(key) is not index.failed(key) for key in index)
    assert index.failures == sum(one.error is not None for one in responses.values())
    assert list(index.answers()) == [one for one in responses.values() if one.error is None]


def test_what_is_not_there_is_not_there(tmp_path: Path) -> None:
    index = index_of(tmp_path)
    assert not index and "a" not in index and index.get("a") is None
    assert not index.failed("a") and not index.answered("a")
    with pytest.raises(KeyError):
        index["a"]


def test_an_answer_that_came_later_is_read_from_a_new_index_alone(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_text(json_line({"key": key_of(1), "text": "a"}))
    index = index_of(tmp_path)
    with path.open("a") as file:
        file.write(json_line({"key": key_of(2), "text": "b"}))
    assert list(index) == [key_of(1)] and index[key_of(1)].text == "a"
    assert list(index_of(tmp_path)) == [key_of(1), key_of(2)]
    place, offset = index_of(tmp_path).place(key_of(2))
    assert place == path and path.read_bytes()[offset:] == json_line({"key": key_of(2), "text": "b"}).encode()


def test_a_file_that_was_written_anew_gives_no_other_answer(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_text(json_line({"key": key_of(1), "text": "a"}))
    index = index_of(tmp_path)
    path.write_text(json_line({"key": key_of(2), "text": "b"}))
    with pytest.raises(ValueError, match="written again"):
        index[key_of(1)]


def test_a_key_takes_few_bytes(tmp_path: Path) -> None:
    """Longer answers take no more."""
    count = 30_000
    with (tmp_path / "responses.jsonl").open("w") as file:
        for number in range(count):
            file.write(json_line({"key": key_of(number), "text": "a long answer " * 20}))
    tracemalloc.start()
    try:
        index = index_of(tmp_path)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(index) == count and index[key_of(count - 1)].text == "a long answer " * 20
    assert held / count < 72


def test_keys_are_numbered_in_the_order_in_which_they_came() -> None:
    table = KeyTable()
    keys = [*map(key_of, range(5000)), "", "k", key_of(7).upper(), "ключ \ud800", "0" * 64]
    assert [table.add(key) for key in keys] == list(range(len(keys)))
    assert [table.add(key) for key in reversed(keys)] == list(reversed(range(len(keys))))
    assert list(table) == keys and len(table) == len(keys)
    assert all(table.number(key) == number for number, key in enumerate(keys))
    assert key_of(5001) not in table and "K" not in table


class Looked(bytearray):
    """Counts how often somebody looks into it."""

    looks = 0

    def __getitem__(self, at: Any) -> Any:
        self.looks += 1
        return super().__getitem__(at)


@pytest.mark.parametrize(
    "alike",
    [
        pytest.param(lambda number: f"{number:064x}", id="they begin alike"),
        pytest.param(lambda number: f"{number:08x}{0:056x}", id="they end alike"),
        pytest.param(lambda number: f"{number % 7:08x}{number:048x}{number % 3:08x}", id="the middle differs"),
        pytest.param(lambda number: f"key {number}", id="no digests"),
    ],
)
def test_keys_that_look_alike_are_found_in_as_few_steps(alike: Callable[[int], str]) -> None:
    count = 4000
    table = KeyTable()
    table._digests = looked = Looked()
    assert [table.add(alike(number)) for number in range(count)] == list(range(count))
    assert [table.number(alike(number)) for number in range(count)] == list(range(count))
    assert all(alike(number) not in table for number in range(count, 2 * count))
    assert looked.looks < 3 * 5 * count
