"""Very many items are gone over again instead of held: the same is asked, stored and signed, and memory stays small."""

from __future__ import annotations

import gc
import hashlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from own_folders import write_jsonl
from repository import benchmark
from small_plans import item
from task_data import png, write_parquet

import tvbench
from tvbench.analysis import assess
from tvbench.analysis.replies import replies_of
from tvbench.cli.progress import Showing
from tvbench.data.authoring import HubRows, Row, user_message
from tvbench.errors import UsageError
from tvbench.registry import catalog
from tvbench.registry.own_data import own_task
from tvbench.runs import planned, probing, streamed
from tvbench.runs.answer_index import AnswerIndex
from tvbench.runs.gate import gated
from tvbench.runs.key_table import KeyTable
from tvbench.runs.media_digests import MediaDigests
from tvbench.runs.plan import Overrides, Plan, make_ask, plan_task
from tvbench.runs.planned import ManyPlanned, PlannedItem
from tvbench.runs.probing import PROBES
from tvbench.runs.questions import Questions
from tvbench.runs.shared_items import SharedItems
from tvbench.runs.signature import prompts_hash
from tvbench.runs.sorted_rows import SortedRows
from tvbench.runs.store import REQUESTS
from tvbench.runs.streamed import ChangedError, Streamed
from tvbench.runs.writer import RunWriter
from tvbench.safety.fitting import declared
from tvbench.safety.misfits import fits, misfits
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
    Opened,
    Response,
    Sampling,
    Short,
    Target,
    Task,
)

CARD = ModelCard("m", "folder", "anywhere", revision="r1")
GOLDEN = {"run": "m--mini-alm+mini-multi30k+mini-vimul--text-2f6b9210", "keys": "b00a37a68ce6a7c8"}


class Again:
    """Rows that begin from the start each time."""

    def __init__(self, make: Callable[[], Iterator[Any]]) -> None:
        self.make = make

    def __iter__(self) -> Iterator[Any]:
        return self.make()


def few(monkeypatch: pytest.MonkeyPatch, held: int = 3) -> None:
    monkeypatch.setattr(streamed, "HELD", held)
    monkeypatch.setattr(planned, "HELD", held)


def planned_for(tasks: list[Task], overrides: Overrides, **options: Any) -> Plan:
    found = [plan_task(task, BuildOptions(task.default_protocol, **options), CARD, overrides) for task in tasks]
    return Plan(CARD, tuple(found), make_ask(CARD, found, overrides, {"name": "e"}))


def everything(plan: Plan, folder: Path) -> dict[str, Any]:
    """All that a plan leads to."""
    with RunWriter(folder) as writer:
        writer.write_requests((one.key, one.item, one.digests) for one in plan.planned_items())
    without = {one.key for number, one in enumerate(plan.planned_items()) if number % 3 == 0}
    questions = plan.questions
    return {
        "name": plan.run_name,
        "requests.jsonl": (folder / REQUESTS).read_bytes(),
        "entries": [task.entry(CARD, "e@1") for task in plan.tasks],
        "warnings": [task.warnings for task in plan.tasks],
        "counts": [len(task.items) for task in plan.tasks],
        "requests": plan.requests(without=without),
        "missing": list(questions.missing(without).requests),
        "left": list(questions.missing(without)),
        "number": len(questions.missing(without)),
        "keys": list(questions),
        "problems": dict(questions.problems()),
        "places": {key: list(places) for key, places in questions.places.items()},
        "share": list(plan.share(lambda key: key[0] < "8").questions),
    }


def minis() -> list[Task]:
    return [task for name, task in catalog.tasks().items() if name.startswith("mini")]


@pytest.mark.parametrize(
    ("overrides", "options"),
    [
        (Overrides(), {}),
        (Overrides(), {"languages": ("de", "fr"), "limit": 3}),
        (Overrides(), {"with_media": False}),
        (Overrides(repeats=3, temperature=0.5), {"limit": 4}),
    ],
)
def test_the_same_is_asked_whether_items_are_held_or_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: Overrides, options: dict[str, Any]
) -> None:
    held = everything(planned_for(minis(), overrides, **options), tmp_path / "held")
    few(monkeypatch)
    many = planned_for(minis(), overrides, **options)
    assert all(isinstance(task.items, ManyPlanned) for task in many.tasks)
    made = everything(many, tmp_path / "made")
    for name, value in held.items():
        assert made[name] == value, name
    asked, wanted = ({one.key: one for one in made[name]} for name in ("missing", "requests"))
    assert asked == wanted and len(made["missing"]) == len(wanted), "in whatever order"


def test_what_is_asked_is_what_earlier_versions_asked() -> None:
    """Keys and hashes as they were before items were made again; without pictures, whose bytes a library writes."""
    for held in (streamed.HELD, 3):
        with pytest.MonkeyPatch.context() as patch:
            few(patch, held)
            plan = planned_for(minis(), Overrides(), with_media=False)
            digest = hashlib.sha256("".join(one.key for one in plan.planned_items()).encode()).hexdigest()[:16]
            assert (plan.run_name, digest) == (GOLDEN["run"], GOLDEN["keys"])


def test_rows_of_a_folder_and_of_the_hub_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"question": f"What is {n}?", "answer": str(n), "language": "de" if n % 2 else "fr"} for n in range(9)]
    write_jsonl(tmp_path / "own", rows)
    hub = [{"text": f"Say {n}", "language": "de", "image": {"bytes": png(n), "path": None}} for n in range(9)]
    write_parquet(tmp_path / "hub" / "data" / "test.parquet", hub, ("image",))

    def asked(row: Row, ask: Ask) -> Item:
        messages = user_message(row["text"], ask.picture(row))
        return Item(f"de/{row.number}", ask.task, "de", messages, Short(("x",)))

    source = HubRows("org/name", columns=("text",), media=("image",))
    of_hub = Task("hub", "1", "H", source=source, item=asked, primary="accuracy", languages=("de",))
    found = []
    for held in (streamed.HELD, 3):
        few(monkeypatch, held)
        own = planned_for([own_task(tmp_path / "own")], Overrides())
        other = planned_for([of_hub], Overrides(), data=tmp_path / "hub", offline=True)
        found.append([everything(plan, tmp_path / str(held) / plan.run_name) for plan in (own, other)])
    assert found[0] == found[1]
    assert isinstance(gated(of_hub, BuildOptions("tvbench", data=tmp_path / "hub", offline=True)).items, Streamed)


def of_rows(make: Callable[[], Any], dataset: str = "data@1") -> Task:
    return Task("t", "1", "T", source=lambda ask: Opened(make(), dataset), languages=("de", "fr"), primary="accuracy")


def test_ids_that_occur_again_get_the_same_names(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["a", "b", "a", "a#2", "a", "c", "b", "b#2", "b#3", "a", "c"]
    some = [item(name, f"text {number}", ()) for number, name in enumerate(names)]
    held = gated(of_rows(lambda: list(some)), BuildOptions("tvbench"))
    few(monkeypatch)
    made = gated(of_rows(lambda: list(some)), BuildOptions("tvbench"))
    assert isinstance(made.items, Streamed) and not isinstance(held.items, Streamed)
    assert list(made.items) == list(made.items) == list(held.items)
    assert made.warnings == held.warnings and "a, b, c" in made.warnings[0]


@pytest.mark.parametrize(
    "rows", [lambda some: iter(some), lambda some: (one for one in some), lambda some: map(id, some)]
)
def test_what_can_be_gone_over_once_is_held(monkeypatch: pytest.MonkeyPatch, rows: Callable[[Any], Any]) -> None:
    few(monkeypatch)
    some = [item(str(number), f"text {number}", ()) for number in range(9)]
    by_id = {id(one): one for one in some}
    task = replace(of_rows(lambda: rows(some)), item=lambda row, ask: by_id[row] if isinstance(row, int) else row)
    found = gated(task, BuildOptions("tvbench"))
    assert isinstance(found.items, tuple) and list(found.items) == some
    plan = planned_for([task], Overrides())
    assert [one.item.id for one in plan.planned_items()] == [one.item.id for one in plan.planned_items()]


def drawn(change: Callable[[list[Item], int], list[Item]]) -> Task:
    """A task whose rows are changed from the second time on."""
    times = iter(range(100))
    some = [item(str(number), f"text {number}", ()) for number in range(9)]
    return of_rows(lambda: Again(lambda: iter(change(list(some), next(times)))))


@pytest.mark.parametrize(
    "change",
    [
        lambda some, time: some if time < 4 else some[::-1],
        lambda some, time: some if time < 4 else some[:-1],
        lambda some, time: some if time < 4 else [*some, item("9", "more", ())],
        lambda some, time: some if time < 4 else [*some[:-1], item("8", "another text", ())],
        lambda some, time: some if time < 4 else [*some[:-1], replace(some[-1], id="other")],
        lambda some, time: some if time < 4 else [*some[:-1], replace(some[-1], language="fr")],
    ],
)
def test_other_items_the_next_time_are_refused(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[list[Item], int], list[Item]]
) -> None:
    few(monkeypatch)
    plan = planned_for([drawn(change)], Overrides())
    with pytest.raises(ChangedError, match="the items of t were others") as caught:
        list(plan.planned_items())
    assert "ask.rng" in caught.value.hint


def test_fewer_items_the_second_time_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch)
    with pytest.raises(UsageError, match="others when"):
        planned_for([drawn(lambda some, time: some[: 9 if time < 3 else 8])], Overrides())


def test_a_picture_that_cannot_be_read_stays_its_items_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> bytes:
        raise OSError("no such disk")

    media = [Media("image", f"{n}.png", broken if n % 4 == 1 else lambda n=n: png(n)) for n in range(9)]  # type: ignore[misc]
    some = [item(str(number), f"text {number}", (one,)) for number, one in enumerate(media)]
    found = []
    for held in (streamed.HELD, 3):
        few(monkeypatch, held)
        plan = planned_for([of_rows(lambda: list(some))], Overrides())
        found.append(everything(plan, tmp_path / str(held)))
    assert found[0] == found[1] and len(found[0]["problems"]) == 2
    assert set(found[0]["problems"].values()) == {"no such disk"}


def test_one_question_of_several_tasks_and_rows_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    some = [item(str(number), "the same" if number < 4 else f"text {number}", ()) for number in range(8)]
    tasks = [of_rows(lambda: list(some)), replace(of_rows(lambda: [replace(one, task="u") for one in some]), name="u")]
    found = []
    for held in (streamed.HELD, 3):
        few(monkeypatch, held)
        questions = planned_for(tasks, Overrides()).questions
        first = next(iter(questions))
        assert len(questions) == 5 and len(list(questions.items())) == 5
        assert [tuple(place) for place in questions.places[first]] == [("t", "de")] * 4 + [("u", "de")] * 4
        half = questions.only(lambda key: key == first)
        assert list(half) == [first] and [one.key for one in half.missing().requests] == [first]
        assert not half.missing({first}) and questions.known({first, "other"}) == 1
        found.append(list(questions))
    assert found[0] == found[1]


# ── Pictures are read and hashed once ─────────────────────────────────────────────────────────────


def test_a_picture_of_many_languages_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ALM-Bench's layout: rows by language, each naming the picture's file."""
    languages = ("de", "fr", "es", "it", "nl", "pt", "en")
    (tmp_path / "images").mkdir()
    for number in range(5):
        (tmp_path / "images" / f"{number}.png").write_bytes(png(number))
    rows = [
        {"question": f"({code}) What is it?", "answer": "x", "language": code, "image": f"images/{number}.png"}
        for code in languages
        for number in range(5)
    ]
    write_jsonl(tmp_path, rows)
    read: list[str] = []
    from tvbench.data.sources import paths

    reading = paths.read_media

    def noted(folder: Path, path: Path, name: str) -> bytes:
        read.append(path.name)
        return reading(folder, path, name)

    monkeypatch.setattr(paths, "read_media", noted)
    for held in (streamed.HELD, 3):
        few(monkeypatch, held)
        read.clear()
        plan = planned_for([own_task(tmp_path)], Overrides())
        assert len(list(plan.planned_items())) == 35
        assert {digest for one in plan.planned_items() for digest in one.digests} == {
            hashlib.sha256(png(number)).hexdigest() for number in range(5)
        }
        assert len(read) < 10, "several threads may begin at once with one picture"


def test_a_file_that_was_written_again_is_hashed_again(tmp_path: Path) -> None:
    from tvbench.data.sources.paths import FileBytes

    path = tmp_path / "a.png"
    digests = MediaDigests()
    for content in (b"one", b"another", b"one"):
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        media = Media("image", "a", FileBytes(tmp_path, path, "a"))
        assert digests.digest(media) == digests.digest(media) == hashlib.sha256(content).hexdigest()


def test_media_that_come_and_go_never_get_the_digest_of_others() -> None:
    """A Media object, and the bytes that it loads, may get the address of one that is gone."""
    digests = MediaDigests()
    for number in range(300):
        data = str(number).encode() * 50
        assert digests.digest(Media("image", "x", lambda data=data: bytes(data))) == hashlib.sha256(data).hexdigest()  # type: ignore[misc]
    same = b"held" * 1000
    assert {digests.digest(Media("image", "x", lambda: same)) for _ in range(3)} == {hashlib.sha256(same).hexdigest()}


# ── The parts ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("held", [0, 700, 1 << 30])
def test_rows_are_sorted_as_python_sorts_them(held: int) -> None:
    rng = random.Random(held)
    rows = [
        tuple(rng.choice(["", "a", "B", "é", "\ud800", "\n", "de/10", "de/2"]) for _ in range(rng.randint(1, 4)))
        for _ in range(300)
    ]
    found = SortedRows(held)
    for row in rows:
        found.add(row)
    assert list(found.lines()) == [json.dumps(row) for row in sorted(rows)]


def test_the_hash_of_prompts_is_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    some = [item(f"{number}", f"text {number % 7}\u2028", ()) for number in range(50)]
    whole = prompts_hash(some)
    monkeypatch.setattr(SortedRows.__init__, "__defaults__", (500,))
    assert prompts_hash(some[::-1]) == whole


def test_probes_are_the_first_of_all_as_sorting_gives_them() -> None:
    rng = random.Random(3)
    some = [
        PlannedItem(
            f"key {number % 90}", replace(item(str(number), "t", ()), language=rng.choice(["de", "fr", "es"])), ()
        )
        for number in range(120)
    ]
    kept = {one.key: Response(one.key, text="x") for one in some if rng.random() < 0.8}
    for seed in range(5):
        groups: dict[tuple[str, str], dict[str, PlannedItem]] = {}
        for one in some:
            if one.key in kept:
                groups.setdefault((one.item.task, one.item.language), {})[one.key] = one

        def order(text: str, seed: int = seed) -> str:
            return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()

        rows = [sorted(group.values(), key=lambda one: order(one.key)) for _, group in sorted(groups.items())]
        rows.sort(key=lambda row: order(row[0].key))
        turns = {one.key: one for turn in zip_longest(*rows) for one in turn if one is not None}
        assert probing.choose(some, kept, seed) == list(turns.values())[: 2 * PROBES]


def test_what_fits_is_what_has_no_misfits() -> None:
    rng = random.Random(1)
    made_of: Any = Message  # whatever strangers put into it
    odd: list[Any] = [None, 3, True, 1.5, "x", ("x",), ["x"], [1], {"a": "b"}, {"a": 1}, {1: "a"}, (), b"x", object()]
    odd += [
        made_of("user", ("a",)),
        (made_of("robot", ("a",)),),
        (made_of("user", ("a", 3)),),
        [made_of("user", ["a"])],
    ]
    odd += [Short("a"), Short((1,)), Choice(("a",), 0, "a"), Choice(("a",), None, None), Contrast("a", 1)]  # type: ignore[arg-type]
    samplings: list[Any] = [Sampling(), Sampling(stop=("x",)), replace(Sampling(), stop=(1,)), Sampling(top_k=True)]  # type: ignore[arg-type]
    base = item("1", "a", (Media("image", "n", bytes),))
    agreed = {True: 0, False: 0}
    for _ in range(3000):
        fields = rng.sample(["id", "messages", "target", "sampling", "tags", "continuation", "repeat", "problem"], 2)
        values = {name: rng.choice(samplings if name == "sampling" else odd) for name in fields}
        made = replace(base, **values)
        try:
            wrong = any(misfits(made, Item, ""))
        except TypeError:  # the gate looks at these before
            wrong = True
        assert fits(made, Item) is not wrong, made
        agreed[fits(made, Item)] += 1
    assert min(agreed.values()) > 30


class Text(str):
    """A text of a class of somebody's own."""


SIMPLE = st.sampled_from([None, 0, 1, True, False, 0.0, 1.5, "", "x", Text("y"), b"x", object, int, print])
MADE: Any = st.recursive(
    SIMPLE,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from(["a", 1, None]), inner, max_size=2)
        | st.builds(Message, inner, inner)
        | st.builds(Media, inner, inner, inner, inner, inner)
        | st.builds(Short, inner)
        | st.builds(Choice, inner, inner, inner, inner, inner)
        | st.builds(Sampling, inner, top_p=inner, stop=inner)
    ),
    max_leaves=6,
)


@settings(examples(150), suppress_health_check=[HealthCheck.too_slow])
@given(MADE, st.sampled_from([Item, Message, Media, Target, Sampling, Response, *declared(Item).values()]))
def test_whatever_a_value_is_it_fits_where_nothing_is_wrong_with_it(value: Any, hint: Any) -> None:
    try:
        wrong = any(misfits(value, hint, "it"))
    except TypeError:  # no object with fields stands where one belongs
        wrong = True
    assert fits(value, hint) is not wrong


def test_shared_items_know_a_held_picture_by_itself() -> None:
    loads: list[int] = []

    def load() -> bytes:
        loads.append(1)
        return png(len(loads))

    media = Media("image", "p", load)
    task = Task(
        "t", "1", "T", lambda ask: Build([item("1", "a", (media,))], "d@1"), languages=("de",), primary="accuracy"
    )
    shared = SharedItems()
    keys = {plan_task(task, BuildOptions("tvbench"), CARD, Overrides(), shared=shared).items[0].key for _ in range(3)}
    assert len(keys) == 1 and len(loads) == 1


# ── Memory ────────────────────────────────────────────────────────────────────────────────────────


def test_memory_grows_little_with_the_items(tmp_path: Path) -> None:
    """Whole processes: a dry run, a run that is killed, and what is left of it. Held items took 2,800 bytes each."""
    million = benchmark("million")
    peaks = {}
    for items, steps in ((25_000, ["dry-run"]), (60_000, ["dry-run", "killed", "left"])):
        folder = tmp_path / str(items)
        folder.mkdir()
        found = list(million.measured(million.ROOT, folder, items, steps))
        assert [step.code for step in found] == [-9 if step == "killed" else 0 for step in steps]
        peaks[items] = {step.name: step.memory for step in found}
    for name, peak in peaks[60_000].items():
        assert (peak - peaks[25_000]["dry-run"]) * (1 << 20) / 35_000 < 900, name


def test_scoring_finds_the_room_of_the_questions_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keys nor answers of the asking are held while a run is scored, the first time and when all is kept; and
    what the screen needs of the answers is seen in that pass."""
    million = benchmark("million")
    for name, text in {"sums.py": million.TASK, "quick.py": million.ENGINE}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    few(monkeypatch)
    score = assess.assess_and_see
    held: list[int] = []

    def scored(*given: Any) -> Any:
        held.append(keys_held())
        return score(*given)

    monkeypatch.setattr(assess, "assess_and_see", scored)
    before = keys_held()
    for _ in range(2):
        run = tvbench.run(
            "tower-mini",
            str(tmp_path / "sums.py"),
            engine=str(tmp_path / "quick.py"),
            settings={"sums": {"items": 20}},
            results=tmp_path / "results",
            progress=Showing(),
        )
        assert run.complete and run._replies is not None and run._replies == replies_of(run.folder)
    assert held == [before, before]


def keys_held() -> int:
    """How many keys all that lives holds together."""
    gc.collect()
    return sum(len(thing) for thing in gc.get_objects() if isinstance(thing, KeyTable | Questions | AnswerIndex))
