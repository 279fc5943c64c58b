"""The gate: whatever a task's own code does, what is asked is what a person asked for, or it is refused and said
why."""

from __future__ import annotations

import atexit
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from task_copies import copy_of
from task_data import png, write_jsonl, write_parquet

from tvbench.analysis.conformance import worth_trying
from tvbench.cli.main import main
from tvbench.data.authoring import HubRows, Row, user_message
from tvbench.errors import UsageError
from tvbench.languages import language
from tvbench.registry import catalog
from tvbench.registry.task_files import tasks_in
from tvbench.runs.codec import item_to_json
from tvbench.runs.gate import Gated, gated
from tvbench.runs.keys import media_of
from tvbench.runs.plan import Overrides, PlannedItem, PlannedTask, plan_task
from tvbench.runs.signature import prompts_hash, read_signature
from tvbench.runs.streamed import unique_ids
from tvbench.types import (
    Ask,
    Build,
    BuildOptions,
    Choice,
    Contrast,
    Item,
    Media,
    Message,
    ModelCard,
    OcrText,
    Opened,
    Sampling,
    Setting,
    Short,
    Task,
    Translation,
)

CARD = ModelCard("m", "folder", "m", revision="r")
PICTURE = Media("image", "p.png", png)

# ── The naive task: written from the docstrings alone, it looks at nothing that it is asked ───────

NAIVE = """
from tvbench.types import Build, Item, Media, Message, Short, Task

def build(options):
    picture = Media("image", "p.png", lambda: {png!r})
    return Build([Item(f"{{code}}/{{n}}", "naive", code, (Message("user", (picture, f"What {{n}}?")),), Short(("x",)))
                  for code in ("de", "en") for n in range(3)], "naive@1")

TASK = Task("naive", "1", "Naive", build, {{"tvbench": "asks"}}, "accuracy", ("accuracy",), languages=("de", "en"))
"""
NAIVE_ROWS = """
from tvbench.data.authoring import HubRows, user_message
from tvbench.types import Item, Short, Task

def item(row, ask):
    picture = row.media("image", "image")
    return Item(f"{{row['language']}}/{{row.number}}", "naive", row["language"], user_message(row["question"], picture),
                Short(("x",)))

TASK = Task("naive", "1", "Naive", source=HubRows("org/naive"), item=item, languages=("de", "en"), splits=("test",),
            primary="accuracy", metrics=("accuracy",))
"""


@pytest.fixture(params=["build", "rows"])
def naive(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The words of a dry run of the naive task, by the earlier contract and by today's."""
    path = tmp_path / "naive.py"
    path.write_text((NAIVE if request.param == "build" else NAIVE_ROWS).format(png=png()))
    rows = [
        {"language": code, "question": f"What is {n}?", "image": {"bytes": png(), "path": None}}
        for n in range(3)
        for code in ("de", "en")
    ]
    write_parquet(tmp_path / "data" / "test.parquet", rows, ("image",))
    return [
        "run",
        "--model",
        "tower-mini",
        "--dry-run",
        "--format",
        "json",
        "--results",
        str(tmp_path / "results"),
        "--data",
        str(tmp_path / "data"),
        "--tasks",
        str(path),
    ]


def shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(words) == 0
    (task,) = json.loads(capsys.readouterr().out)["tasks"]
    return dict(task)


def test_the_naive_task_obeys(naive: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(naive, capsys)["items"] == 6
    assert shown([*naive[:-1], f"{naive[-1]}:de"], capsys)["items"] == 3
    assert shown([*naive, "--languages", "English"], capsys)["items"] == 3
    assert shown([*naive, "--limit", "1"], capsys)["items"] == 2
    blind = shown([*naive[:-1], f"{naive[-1]}:en", "--limit", "2", "--no-image"], capsys)
    assert (blind["items"], blind["media"]) == (2, 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--split", "banana"], "split"),
        (["--set", "naive.nonsense=3"], "no settings"),
        (["--protocol", "papre"], "protocol"),
        (["--languages", "fr"], "language"),
    ],
)
def test_or_the_naive_task_is_refused(
    naive: list[str], words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*naive, *words]) == 2
    assert said in capsys.readouterr().err


# ── A hostile collection ──────────────────────────────────────────────────────────────────────────


def item(number: int = 0, language: str = "de", *parts: Any, **more: Any) -> Item:
    messages = (Message("user", parts or (PICTURE, f"What is {number}?")),)
    return replace(Item(f"{language}/{number}", "t", language, messages, Short(("x",))), **more)


def broken(**more: Any) -> Item:
    """As no type checker would have it."""
    return replace(item(), **more)


def task(source: Callable[[Ask], Opened], **more: Any) -> Task:
    declared: dict[str, Any] = {
        "languages": ("de", "fr"),
        "splits": ("test", "train"),
        "primary": "accuracy",
        "metrics": ("accuracy",),
        **more,
    }
    return Task("t", "1", "T", source=source, **declared)


def of_items(items: Iterable[Any], **more: Any) -> Task:
    return task(lambda ask: Opened(items, "data@1"), **more)


def of_rows(make: Callable[[Any, Ask], Any], count: int = 3, **more: Any) -> Task:
    return task(lambda ask: Opened(range(count), "data@1"), item=make, **more)


def asked(one: Task, protocol: str = "tvbench", **options: Any) -> list[Item]:
    return list(gated(one, BuildOptions(protocol, **options)).items)


MIXED = [item(n, code) for n in range(4) for code in ("fr", "de")]


def broken_rows(ask: Ask) -> Iterator[Item]:
    yield item(0)
    yield item(1)
    raise RuntimeError("the file ends here")


def raising(error: BaseException) -> Callable[[int, Ask], Item]:
    def make(row: int, ask: Ask) -> Item:
        if row == 1:
            raise error
        return item(row)

    return make


REFUSED: dict[str, tuple[Task, dict[str, Any], str]] = {
    "a language that is not declared": (
        of_items([item(0), item(1, "cs")]),
        {},
        "'cs', which the task does not declare",
    ),
    "though only others are asked": (of_items([item(0), item(1, "cs")]), {"languages": ("de",)}, "'cs', which"),
    "no language": (of_items([item(0, "")]), {}, "language is no text"),
    "another task's name": (of_items([replace(item(), task="alm")]), {}, "says that it is of task 'alm'"),
    "a dict for an item": (of_items([{"id": "1"}]), {}, "gives a dict"),
    "a dict of a row": (of_rows(lambda row, ask: {"id": "1"}), {}, "ends in|gives a"),
    "texts for items": (of_rows(lambda row, ask: "What?"), {}, "gives a str"),
    "no id": (of_items([replace(item(), id="")]), {}, "its id is no text"),
    "a number for an id": (of_items([broken(id=3)]), {}, "its id is no text"),
    "a text for messages": (of_items([broken(messages="What?")]), {}, "messages are no tuple"),
    "a text for parts": (of_items([replace(item(), messages=(Message("user", "What?"),))]), {}, "parts of a message"),  # type: ignore[arg-type]
    "no messages": (of_items([replace(item(), messages=())]), {}, "no messages"),
    "a text for a target": (of_items([broken(target="x")]), {}, "target is a str"),
    "a number for sampling": (of_items([broken(sampling=16)]), {}, "sampling is a int"),
    "a text for answers": (of_items([broken(target=Short("red"))]), {}, "target.answers is no tuple, but 'red'"),  # type: ignore[arg-type]
    "a number among answers": (of_items([broken(target=Short((3,)))]), {}, r"target.answers\[0\] is no text, but 3"),  # type: ignore[arg-type]
    "a text for references": (of_items([item(target=Translation("a", "b"))]), {}, "target.references is no tuple"),  # type: ignore[arg-type]
    "a letter for gold": (of_items([item(target=Choice(("a", "b"), "A", "A"))]), {}, "target.gold is no whole number"),  # type: ignore[arg-type]
    "a gold beyond the options": (of_items([item(target=Choice(("a", "b"), 2, "C"))]), {}, "there are 2 options"),
    "a unit that is none": (of_items([item(target=OcrText("x", "page"))]), {}, "target.unit is 'page'"),  # type: ignore[arg-type]
    "a contrast of nothing": (of_items([item(target=Contrast("1", True))]), {}, "no `continuation`"),
    "a role that is none": (of_items([item(messages=(Message("robot", ("What?",)),))]), {}, "role is 'robot'"),  # type: ignore[arg-type]
    "bytes for a reader": (of_items([item(0, "de", Media("image", "p", b"png"))]), {}, "load is no function"),  # type: ignore[arg-type]
    "a text for a length": (
        of_items([item(sampling=Sampling(max_new_tokens="9"))]),  # type: ignore[arg-type]
        {},
        "max_new_tokens is no whole",
    ),
    "a length of nothing": (of_items([item(sampling=Sampling(max_new_tokens=0))]), {}, "nothing could be answered"),
    "no tags": (of_items([broken(tags=None)]), {}, "tags is no mapping"),
    "a number for a tag": (of_items([broken(tags={"year": 2024})]), {}, "tags.'year'. is no text, but 2024"),
    "pictures in a text task": (of_items([item()], modality="text"), {}, 'declares modality "text"'),
    "nothing at all": (of_items([]), {}, "no items"),
    "nothing in the language": (of_items([item()]), {"languages": ("fr",)}, "no items for languages fr"),
    "rows that end in an error": (
        task(lambda ask: Opened(broken_rows(ask), "d@1")),
        {},
        r"after 2 in RuntimeError: the "
        r"file ends here \(test_gate.py, line",
    ),
    "a row that ends in an error": (
        of_rows(raising(KeyError("answer"))),
        {},
        r"row 1 ends in KeyError: 'answer' \(test_",
    ),
    "a row of unknown language": (of_rows(raising(ValueError("no answer"))), {}, "row 1 cannot be asked .no answer."),
    "a source that gives a list": (task(lambda ask: [item()]), {}, "source gives a list"),  # type: ignore[arg-type,return-value]
    "a source that fails": (task(lambda ask: 1 / 0), {}, "ends in ZeroDivisionError"),  # type: ignore[arg-type,return-value]
    "a file that is not there": (task(lambda ask: open("/nowhere/at/all")), {}, "cannot be read"),  # type: ignore[arg-type,return-value] # noqa: SIM115
    "a split that it never looks at": (of_items(MIXED), {"split": "train"}, "never looks at the split"),
    "a split that it does not have": (of_items(MIXED), {"split": "tran"}, "Did you mean train"),
    "a protocol that it never looks at": (
        of_items(MIXED, protocols={"tvbench": "", "paper": ""}),
        {"protocol": "paper"},
        "never looks at the protocol",
    ),
    "a setting that it never looks at": (
        of_items(MIXED, settings={"n": Setting("", 1)}),
        {"settings": {"n": "2"}},
        "changes nothing",
    ),
    "a setting of the wrong type": (
        of_items(MIXED, settings={"n": Setting("", 1)}),
        {"settings": {"n": "many"}},
        "t.n=many: not a whole number",
    ),
    "a setting out of bounds": (
        of_items(MIXED, settings={"n": Setting("", 1, least=1, most=4)}),
        {"settings": {"n": "9"}},
        "not a whole number from 1 to 4",
    ),
    "a setting that is no choice": (
        of_items(MIXED, settings={"n": Setting("", "a", ("a", "bb"))}),
        {"settings": {"n": "b"}},
        "unknown value of t.n 'b'",
    ),
    "a limit of nothing": (of_items(MIXED), {"limit": 0}, "asks nothing"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_a_task_file_gets_wrong_is_refused_and_named(kind: str) -> None:
    one, options, said = REFUSED[kind]
    with pytest.raises(UsageError, match=said) as refused:
        asked(one, **options)
    assert refused.value.hint or "cannot be read" in str(refused.value)


def test_limits_hold_for_each_language_however_they_are_mixed() -> None:
    for limit in (1, 2, 3):
        found = asked(of_items(MIXED), limit=limit)
        assert Counter(one.language for one in found) == {"de": limit, "fr": limit}
        assert [one.id for one in found] == [one.id for one in MIXED][: 2 * limit]
    assert [one.id for one in asked(of_items(MIXED), languages=("de",), limit=2)] == ["de/0", "de/1"]


def test_an_endless_task_ends_at_its_limit() -> None:
    def endless(ask: Ask) -> Opened:
        return Opened((item(n, code) for n in range(10**9) for code in ("de", "fr")), "endless@1")

    assert len(asked(task(endless), limit=2)) == 4


def test_a_pair_is_one_and_stays_together() -> None:
    def side(pair: int, correct: bool) -> Item:
        return item(pair, id=f"{pair}/{correct}", target=Contrast(str(pair), correct), continuation="x")

    apart = [side(n, True) for n in range(3)] + [side(n, False) for n in range(3)]
    assert [one.id for one in asked(of_items(apart), limit=2)] == ["0/True", "1/True", "0/False", "1/False"]
    assert [one.id for one in asked(of_items(apart), limit=2, languages=("de",))] == [
        "0/True",
        "1/True",
        "0/False",
        "1/False",
    ]


@pytest.mark.parametrize(
    "messages",
    [
        (Message("user", (PICTURE, "What?")),),
        (Message("system", ("Look.", PICTURE)), Message("user", ("What?", PICTURE, PICTURE))),
        (Message("user", (PICTURE,)), Message("user", ("What?",))),
    ],
)
def test_without_pictures_none_is_left_in_any_message(messages: tuple[Message, ...]) -> None:
    (one,) = asked(of_items([item(messages=messages)]), with_media=False)
    assert not media_of(one.messages) and one.problem is None
    assert all(message.parts for message in one.messages)
    assert [part for message in one.messages for part in message.parts][-1] == "What?"


def test_nothing_but_a_picture_cannot_be_asked_without() -> None:
    (one,) = asked(of_items([item(0, "de", PICTURE)]), with_media=False)
    assert one.problem == "without its picture or clip there is nothing to ask"


def test_a_value_error_is_the_problem_of_an_item_that_is_counted() -> None:
    found = asked(of_rows(raising(ValueError("no answer")), languages=("de",)))
    assert [one.problem for one in found] == [None, "no answer", None]
    assert found[1].id == "de/row-1"


def test_of_a_row_that_fails_halfway_the_first_items_stay() -> None:
    def make(row: int, ask: Ask) -> Iterator[Item]:
        yield item(row)
        if row == 1:
            raise ValueError("the second half is missing")

    assert [one.problem for one in asked(of_rows(make, languages=("de",)))] == [
        None,
        None,
        "the second half is missing",
        None,
    ]


def test_a_row_may_give_none_or_several() -> None:
    made: Mapping[int, Any] = {0: None, 1: [item(1), item(2)], 2: (item(3),), 3: iter([item(4), None])}
    assert [one.id for one in asked(of_rows(lambda row, ask: made[row], 4))] == ["de/1", "de/2", "de/3", "de/4"]


def test_languages_by_name_are_the_codes() -> None:
    found = asked(of_items([item(0, "German"), item(1, "fr"), item(2, "français")]))
    assert [one.language for one in found] == ["de", "fr", "fr"]
    assert {one.language for one in asked(of_items(MIXED), languages=("German",))} == {"de"}


def test_without_declared_languages_the_data_decide() -> None:
    one = of_items([item(0, "de"), item(1, "sw"), item(2, "x-own")], languages=())
    assert {found.language for found in asked(one)} == {"de", "sw", "x-own"}
    assert {found.language for found in asked(one, languages=("sw",))} == {"sw"}
    with pytest.raises(UsageError, match="no items for languages fr"):
        asked(one, languages=("fr",))


def test_a_wanted_language_without_items_is_said() -> None:
    found = gated(of_items([item()]), BuildOptions("tvbench", languages=("de", "fr")))
    assert found.warnings == ("no items in fr",)


def test_ids_are_told_apart_whatever_they_are() -> None:
    ids = ["a", "a", "a#2", "a", "b", "a#2"]
    found, warnings = unique_ids([item(id=one) for one in ids])
    assert len({one.id for one in found}) == len(ids) and [found[0].id, found[2].id, found[4].id] == ["a", "a#2", "b"]
    assert "2 ids occur more than once" in warnings[0]
    with pytest.raises(UsageError, match="another's repeat"):
        plan_task(of_items([item(id="a"), item(id="a@1")]), BuildOptions("tvbench"), CARD, Overrides(repeats=2))


def test_a_picture_that_is_not_there_is_the_items_problem_and_none_without_pictures(tmp_path: Path) -> None:
    rows = [{"language": "de", "q": "What?", "image": name} for name in ("here.png", "gone.png", None)]
    write_jsonl(tmp_path / "test.jsonl", rows)
    (tmp_path / "here.png").write_bytes(png())

    def make(row: Row, ask: Ask) -> Item:
        return replace(item(row.number), messages=user_message(row["q"], ask.picture(row)))

    one = task(HubRows("org/t", ("q",), ("image",)), item=make)
    problems = [found.problem for found in asked(one, data=tmp_path, offline=True)]
    assert problems[0] is None and "gone.png" in str(problems[1]) and "no picture" in str(problems[2])
    assert not any(found.problem for found in asked(one, data=tmp_path, offline=True, with_media=False))


def test_a_failing_row_has_the_language_that_its_table_says(tmp_path: Path) -> None:
    rows = [
        {"Language": name, "q": q} for name, q in (("German", "a"), ("French", ""), ("French", "b"), ("Klingon", "c"))
    ]
    write_jsonl(tmp_path / "test.jsonl", rows)

    def make(row: Row, ask: Ask) -> Item:
        if not row.text("q"):
            raise ValueError("no question")
        return item(row.number, row.language, row.text("q"))

    one = task(HubRows("org/t", language="Language"), item=make)
    assert [(found.id, found.problem) for found in asked(one, data=tmp_path, offline=True)] == [
        ("de/0", None),
        ("fr/row-1", "no question"),
        ("fr/2", None),
    ]
    assert [found.id for found in asked(one, data=tmp_path, offline=True, languages=("de",))] == ["de/0"]


def test_a_split_with_languages_of_its_own() -> None:
    one = of_items(MIXED, split_languages={"train": ("fr",)}, split_aliases={"t": "train"})
    for split in ("train", "t"):
        with pytest.raises(UsageError, match=r"no German for train(.|\n)*splits with it: test"):
            asked(one, split=split, languages=("de",))


def test_an_option_that_the_first_rows_do_not_need_is_obeyed_all_the_same() -> None:
    def make(row: int, ask: Ask) -> Item:
        return item(row, "de", f"What is {row}?" if row < 2 else f"{ask.protocol} {ask.split} {ask.settings['n']}")

    one = of_rows(make, protocols={"tvbench": "", "paper": ""}, settings={"n": Setting("", 1)}, modality="text")
    found = asked(one, "paper", split="train", settings={"n": "2"}, limit=1)
    assert [entry.id for entry in found] == ["de/0"]


# ── What a declaration gets wrong ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": "a:b"}, "cannot be typed"),
        ({"languages": "de"}, r'tuple of texts: write \("...",\)'),
        ({"languages": ("German",)}, "'German', which is no code"),
        ({"splits": "test"}, "`splits` is a tuple"),
        ({"split_aliases": {"x": "y"}}, "the alias x"),
        ({"split_languages": {"test": ("it",)}}, "it for test"),
        ({"settings": {"n": 3}}, "setting n is no Setting"),
        ({"settings": {"n": Setting("", "c", ("a", "b"))}}, "default of"),
        ({"second_bos": ("paper",)}, "protocol paper, which is not declared"),
        ({"protocols": {}}, "protocols"),
        ({"source": None}, "needs a `source`"),
        ({"source": "org/name"}, "source` is a str"),
        ({"item": "x"}, "`item` is a"),
        ({"version": 1}, "version is a text"),
        ({"build": lambda ask: Build((), "")}, "`source` and `build`"),
    ],
)
def test_a_declaration_that_does_not_hold_together_is_refused_on_loading(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tasks_in(replace(of_items(MIXED), **more))


# ── No signature says what was not asked ──────────────────────────────────────────────────────────


def planned(one: Task, protocol: str = "tvbench", **options: Any) -> tuple[PlannedTask, dict[str, str]]:
    found = plan_task(one, BuildOptions(protocol, **options), CARD, Overrides())
    return found, read_signature(found.entry(CARD, "e@1").signature)


def test_media_none_is_said_of_what_was_asked_and_not_of_the_option() -> None:
    assert planned(of_items([item()]), with_media=False)[1]["media"] == "none"
    assert "media" not in planned(of_items([item()]))[1]
    # A task of pictures that shows none is no other thing than one that was asked without.
    assert planned(of_items([item(0, "de", "What?")]))[1]["media"] == "none"
    text = of_items([item(0, "de", "What?")], modality="text")
    assert planned(text)[1] == planned(text, with_media=False)[1] and "media" not in planned(text)[1]


def test_what_nothing_else_tells_stands_in_the_signature() -> None:
    def source(ask: Ask) -> Opened:
        assert ask.split
        return Opened([item(target=Short((ask.settings["gold"],)))], "data@1")

    one = task(source, settings={"gold": Setting("the answer", "x", shown=True)})
    strange = replace(one, code="123456789abc")
    assert planned(strange)[1]["code"] == "123456789abc"
    assert planned(strange, split="train")[1]["split"] == "train"
    assert "settings" not in planned(strange)[1] and "settings" not in planned(one, settings={"gold": "y"})[1]
    assert planned(strange, settings={"gold": "y"})[1]["settings"] == "gold=y", "a stranger's `shown` is not believed"


OPTIONS = st.fixed_dictionaries(
    {
        "languages": st.lists(st.sampled_from(["de", "fr", "German", "cs"]), max_size=3).map(tuple),
        "limit": st.none() | st.integers(1, 4),
        "with_media": st.booleans(),
        "seed": st.integers(0, 2),
        "split": st.none() | st.sampled_from(["test", "train", "banana"]),
        "settings": st.dictionaries(st.sampled_from(["n", "m"]), st.sampled_from(["1", "2", "x"]), max_size=1),
    }
)
SHAPES = st.lists(
    st.tuples(
        st.sampled_from(["de", "fr", "French", "cs", ""]),
        st.integers(0, 2),
        st.booleans(),
        st.sampled_from(["t", "t", "t", "u"]),
    ),
    max_size=8,
)


@examples(400)
@given(OPTIONS, SHAPES, st.booleans())
def test_any_task_obeys_any_options_or_is_refused(options: dict[str, Any], shapes: list[Any], looks: bool) -> None:
    def source(ask: Ask) -> Opened:
        if looks:
            assert ask.split and dict(ask.settings) is not None
        return Opened(
            [item(number, code, *([PICTURE] * picture), "What?", task=name) for code, number, picture, name in shapes],
            "d@1",
        )

    one = task(source, settings={"n": Setting("", 1)})
    try:
        found, signature = planned(one, **options)
    except UsageError as error:
        assert error.hint
        return
    obeyed([entry.item for entry in found.items], signature, options)
    assert options["split"] != "banana" and not set(options["settings"]) - {"n"} and "cs" not in options["languages"]
    assert looks or (options["split"] or "test") == "test" and options["settings"].get("n", "1") == "1"


def obeyed(items: list[Item], signature: Mapping[str, str], options: Mapping[str, Any]) -> None:
    """What a signature says, and what was asked, is so of the items."""
    wanted = {"de" if name == "German" else name for name in options.get("languages", ())}
    assert not wanted or {one.language for one in items} <= wanted
    assert len({one.id for one in items}) == len(items) == int(signature["items"])
    units = Counter(one.language for one in items if not isinstance(one.target, Contrast) or one.target.correct)
    assert options.get("limit") is None or max(units.values()) <= options["limit"]
    blind = not any(media_of(one.messages) for one in items if one.problem is None)
    if not options.get("with_media", True):
        assert not any(media_of(one.messages) for one in items)
    assert (signature.get("media") == "none") == (
        blind and (any(one.problem is None for one in items) or not options.get("with_media", True))
    )


def test_sampling_is_read_from_the_items() -> None:
    one = of_items([item(sampling=Sampling(max_new_tokens=7))])
    assert planned(one)[1]["sampling"] == "greedy,max=7"


def test_gated_has_what_it_says() -> None:
    found = gated(of_items(MIXED), BuildOptions("tvbench"))
    assert isinstance(found, Gated) and found.dataset == "data@1" and len(found.items) == 8


# ── The same of every task of tvbench's own ───────────────────────────────────────────────────────

OWN = {name: one for name, one in catalog.tasks().items() if not one.code}
FEW = {"mini-alm": {"items": "1"}, "mini-multi30k": {"items": "1"}, "mini-vimul": {"items": "1"}}


@cache
def copy(name: str) -> Path | None:
    folder = Path(mkdtemp(prefix=f"tvbench-{name}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return copy_of(name, folder)


@st.composite
def asks(draw: st.DrawFn, one: Task) -> BuildOptions:
    """Anything that the task declares, and sometimes something that it does not."""
    names = [*one.languages, *(language(code).name for code in one.languages[:3]), "tlh"]
    settings = {key: draw(st.sampled_from(worth_trying(setting) or ["x"])) for key, setting in one.settings.items()}
    kept = draw(st.sets(st.sampled_from(sorted(settings)), max_size=2)) if settings else set()
    return BuildOptions(
        draw(st.sampled_from(sorted(one.protocols))),
        draw(st.just(()) | st.lists(st.sampled_from(names), max_size=3).map(tuple)),
        draw(st.none() | st.integers(1, 3)),
        draw(st.none() | st.sampled_from([*one.splits, *one.split_aliases, "banana"])),
        copy(one.name),
        draw(st.booleans()),
        draw(st.integers(0, 2)),
        offline=True,
        settings={**FEW.get(one.name, {}), **{key: settings[key] for key in kept}},
    )


def neighbours(one: Task, options: BuildOptions) -> Iterator[BuildOptions]:
    """The same but for one thing."""
    yield replace(options, with_media=not options.with_media)
    yield replace(options, seed=options.seed + 1)
    yield from (replace(options, split=split) for split in one.splits)
    yield from (replace(options, protocol=protocol) for protocol in one.protocols)
    for key, setting in one.settings.items():
        for value in worth_trying(setting):
            yield replace(options, settings={**options.settings, key: value})


@pytest.mark.parametrize("name", sorted(OWN))
def test_no_signature_says_what_was_not_asked(name: str) -> None:
    """Of any two asks with one signature, the same was asked: items, targets, media and all."""
    one = OWN[name]
    contents: dict[str, list[Any]] = {}

    @examples(20)
    @given(asks(one))
    def holds(options: BuildOptions) -> None:
        for neighbour in (options, *neighbours(one, options)):
            look_at(neighbour)

    def look_at(options: BuildOptions) -> None:
        try:
            found = gated(one, options)
        except UsageError as error:
            assert error.hint
            return
        items = tuple(PlannedItem("", item, ()) for item in found.items)
        entry = PlannedTask(one, options, found.dataset, items).entry(CARD, "e@1")
        signature = read_signature(entry.signature)
        wanted = tuple(language(code).code for code in options.languages)
        obeyed(list(found.items), signature, {**asdict(options), "languages": wanted})
        assert signature["protocol"] == options.protocol and signature["prompts"] == prompts_hash(found.items)
        assert one.split_aliases.get(options.split or "", options.split) in (None, *one.splits)
        asked = [item_to_json(item) for item in found.items]
        assert contents.setdefault(entry.signature, asked) == asked

    holds()
    assert len(contents) > 5
