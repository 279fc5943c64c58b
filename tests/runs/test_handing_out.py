"""Several processes of an engine, as one: what each is handed, what is stored where, who dies, and what is refused.

The replicas are threads here; tests/engines/test_replicas.py has processes, kills and a real Ray.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from feeds import picture, question, questions
from PIL.Image import Image
from thread_cluster import ThreadCluster

from tvbench import __version__
from tvbench.cli.main import main
from tvbench.cli.typed import stop_cleanly
from tvbench.engines import registry
from tvbench.engines.built_in import OPENAI, TRANSFORMERS, VLLM
from tvbench.engines.conformance import broken_contracts
from tvbench.engines.protocol import EngineInfo, Feed, ListFeed, Prepared, StoredResponse
from tvbench.engines.spec import EngineSpec, Opening, Option
from tvbench.errors import EngineError, UsageError
from tvbench.runs.driver_token import TOKEN, token_name
from tvbench.runs.replicas import crew, patience, placement
from tvbench.runs.replicas import engine as driving
from tvbench.runs.replicas.actor import Replica
from tvbench.runs.replicas.cluster import TRIES, Cluster, Died, look, refusal
from tvbench.runs.replicas.engine import Replicas
from tvbench.runs.replicas.parcels import Chunk, EngineOrder, PartPlace, Report, packed
from tvbench.runs.replicas.placement import Placement, check_cluster, check_placement, gpu_arguments, gpus_of_one
from tvbench.runs.replicas.rest import CHUNK
from tvbench.runs.replicas.scratch import Scratch
from tvbench.runs.replicas.written import as_stored
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import Media, Message, ModelCard, Request, Response

CARD = ModelCard("mine", "folder", "x")
SERVED = ModelCard("far", "server", "x", url="http://127.0.0.1:9")


class Parrot:
    """Answers with the prompt's text. `held` is how many it takes before it answers; what is `cursed`
    (keys with spaces between) ends it."""

    def __init__(self, opening: Opening) -> None:
        said = opening.arguments
        self.held, self.cursed, self.silent = said["held"], said["cursed"], said["silent"]
        self.pause = said["pause"]
        if said["broken"]:
            raise EngineError("there is no such parrot", "look in the tree")
        self.info = EngineInfo("parrot", "1")

    def serve(self, feed: Feed) -> Iterator[Response]:
        while window := self.window(feed):
            for prepared in window:
                if prepared.request.key in self.cursed.split():
                    raise EngineError("it fell from its perch")
                if prepared.request.key != self.silent:
                    yield self.answer(prepared)

    def window(self, feed: Feed) -> list[Prepared]:
        """As many as it wants, however long that takes: an engine may wait for a batch to be full."""
        window: list[Prepared] = []
        while len(window) < self.held and (taken := feed.take(self.held - len(window), wait=True)):
            window += taken
        return window

    def answer(self, prepared: Prepared) -> Response:
        request = prepared.request
        time.sleep(self.pause)
        if request.continuation is not None:
            return Response(request.key, error="no log-probabilities")
        text = " ".join(part for message in request.messages for part in message.parts if isinstance(part, str))
        text += "".join(f" {medium.width}x{medium.height}" for medium in prepared.media if isinstance(medium, Image))
        notes = (*prepared.notes, "é\udc80")
        return Response(request.key, text=text, finish="stop", tokens_out=1, seconds=0.1, notes=notes)

    def close(self) -> None:
        """Nothing is held."""


PARROT = EngineSpec(
    "parrot",
    "repeats",
    Parrot,
    options=(
        Option("held", int, 4, moves=False),
        Option("pause", float, 0.0, moves=False),
        Option("cursed", str, "", moves=False),
        Option("silent", str, "", moves=False),
        Option("broken", bool, False, moves=False),
    ),
)


@pytest.fixture(autouse=True)
def parrot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(registry._given, "parrot", PARROT)


def order(**arguments: Any) -> EngineOrder:
    return EngineOrder("parrot", CARD, arguments, True, 60.0, __version__, ".")


def opened(cluster: ThreadCluster, replicas: int, said: list[str] | None = None, **arguments: Any) -> Replicas:
    listener = said if said is not None else []
    return Replicas(cluster, order(**arguments), Placement(replicas=replicas), 0, listener.append)  # type: ignore[arg-type]


def answered(engine: Replicas, asked: Sequence[Prepared], folder: Path | None = None) -> dict[str, Response]:
    """Each key once."""
    if folder is None:
        came = list(engine.serve(ListFeed(asked)))
    else:
        with engine.storing(folder, len(asked)):
            came = list(engine.serve(ListFeed(asked)))
    assert not [key for key, times in Counter(response.key for response in came).items() if times > 1]
    return {response.key: response for response in came}


# ── Who gets what ─────────────────────────────────────────────────────────────────────────────────


def test_replicas_keep_the_protocol_of_an_engine() -> None:
    found = broken_contracts(lambda: opened(ThreadCluster(), 2))
    # Notes are made where media are decoded, and that is in the replica.
    assert not [line for line in found if not line.endswith("notes of the prepared request are lost")]


@pytest.mark.parametrize("held", [1, 7, 500])
def test_each_replica_has_its_share_however_many_an_engine_waits_for(tmp_path: Path, held: int) -> None:
    cluster = ThreadCluster()
    engine = opened(cluster, 3, held=held)
    came = answered(engine, questions(100), tmp_path)
    engine.close()
    assert came.keys() == {f"q{number}" for number in range(100)} and cluster.closed
    handed = [len(chunk.requests) for actor in cluster.started for chunk in actor.chunks]
    assert sum(handed) == 100 and max(handed) <= CHUNK
    assert all(actor.chunks for actor in cluster.started)


def test_answers_are_stored_before_they_are_told_and_told_as_stored(tmp_path: Path) -> None:
    engine = opened(ThreadCluster(), 2)
    image, data = picture()
    asked = [*questions(20), question("p", Media("image", "a.png", lambda: b""), "seen", encoded=[data])]
    came = answered(engine, asked, tmp_path)
    assert came["p"].text == "seen 5x4" and all(type(response) is StoredResponse for response in came.values())
    stored = RunFolder(tmp_path).responses()
    assert {key: as_stored(response) for key, response in stored.items()} == came
    assert not (tmp_path / TOKEN).exists() and {path.name for path in RunFolder(tmp_path).response_files()} <= {
        "responses.r1.jsonl",
        "responses.r2.jsonl",
    }
    more = answered(engine, questions(3), tmp_path)
    assert {type(response) for response in more.values()} == {StoredResponse}
    names = {path.name for path in RunFolder(tmp_path).response_files()}
    assert len(names) > 2 and all("responses.r" in name for name in names), "nobody writes where another has written"
    again = answered(engine, questions(3))
    engine.close()
    assert {type(response) for response in again.values()} == {Response}, "a probe is nobody's answer"
    assert RunFolder(tmp_path).responses().keys() == stored.keys()


def test_where_the_folder_is_not_seen_answers_come_back(tmp_path: Path) -> None:
    replica = Replica(order())
    place = PartPlace(str(tmp_path), "another's", "responses.r1.jsonl")
    (tmp_path / TOKEN).write_text("mine")
    replica.put(Chunk(1, (packed(question("a").request, ()),), place))
    replica.finish()
    answers: list[tuple[str, bool]] = []
    while not answers:
        answers += replica.poll(True, 10).answers
    assert not answers[0][1] and not RunFolder(tmp_path).response_files()
    assert replica.stop(10)


@pytest.mark.parametrize(
    ("of", "next_one"), [(None, None), (None, "1of2"), ("1of2", None), ("1of2", "1of2"), ("1of2", "1of3")]
)
def test_replicas_of_a_driver_that_was_killed_store_and_ask_no_more_when_another_writer_begins(
    tmp_path: Path, of: str | None, next_one: str | None
) -> None:
    """Between what the next one reads and what it asks, an answer would be paid for, and paid for again."""
    asked: list[str] = []
    replica, go_on = stepping(asked)
    place = PartPlace(str(tmp_path), "the word", "responses.r1.jsonl", token_name(of))
    (tmp_path / place.token_file).write_text(place.token)
    replica.put(Chunk(1, tuple(packed(question(f"q{n}").request, ()) for n in range(9)), place))
    go_on.release(2)
    heard(replica, 2)
    with RunWriter(tmp_path, next_one) as writer:
        known = set(writer.start())
        go_on.release(9)
        assert heard(replica, 1) == [False], "what was under way is paid for, and not stored"
        assert set(RunFolder(tmp_path).responses()) == known == {"q0", "q1"}
    replica.finish()
    assert replica.stop(10) and asked == ["q0", "q1", "q2"]


def test_replicas_of_another_shard_go_on(tmp_path: Path) -> None:
    with RunWriter(tmp_path, "2of2"):
        (tmp_path / token_name("2of2")).write_text("the word")
        with RunWriter(tmp_path, "1of2"):
            assert (tmp_path / token_name("2of2")).read_text() == "the word"


def stepping(asked: list[str]) -> tuple[Replica, threading.Semaphore]:
    """A replica whose engine takes and answers a question each time it may."""
    go_on = threading.Semaphore(0)

    class Stepping(Parrot):
        def answer(self, prepared: Prepared) -> Response:
            go_on.acquire()
            asked.append(prepared.request.key)
            return super().answer(prepared)

    registry._given["parrot"] = replace(PARROT, open=Stepping)
    return Replica(order(held=1)), go_on


def heard(replica: Replica, count: int) -> list[bool]:
    """Of so many answers that it tells, whether they are stored."""
    stored: list[bool] = []
    while len(stored) < count:
        stored += [one for _, one in replica.poll(True, 10).answers]
    return stored


def test_a_failure_is_left_to_the_driver_to_write_down(tmp_path: Path) -> None:
    engine = opened(ThreadCluster(), 1)
    bad = question("bad", Media("image", "a.png", lambda: b""), "What?", encoded=[b"no picture"])
    never = replace(question("scored"), request=replace(question("scored").request, continuation="x"))
    came = answered(engine, [bad, never, *questions(2)], tmp_path)
    engine.close()
    assert type(came["bad"]) is Response and "a.png" in (came["bad"].error or "")
    assert came["scored"].error == "no log-probabilities"
    assert RunFolder(tmp_path).responses().keys() == {"q0", "q1"}


def test_what_an_engine_leaves_out_stays_missing() -> None:
    engine = opened(ThreadCluster(), 2, silent="q3")
    assert answered(engine, questions(8)).keys() == {f"q{number}" for number in range(8)} - {"q3"}
    engine.close()


def test_what_was_stored_when_the_asker_gave_up_is_told_once(tmp_path: Path) -> None:
    engine = opened(ThreadCluster(), 2)
    serving = cast(Generator[Response], engine.serve(ListFeed(questions(60))))
    with engine.storing(tmp_path, 60), closing(serving):
        told = {next(serving).key, next(serving).key}
        time.sleep(0.1)  # what is answered meanwhile is not heard
    engine.close()
    untold = {response.key for response in engine.untold()}
    assert told | untold == RunFolder(tmp_path).responses().keys() and not told & untold
    assert engine.untold() == []


# ── Who dies ──────────────────────────────────────────────────────────────────────────────────────


class Mortal(Replica):
    """Dies after so many answers were stored, without telling the last of them."""

    lives: list[int] = []

    def __init__(self, given: EngineOrder) -> None:
        self.left = self.lives.pop(0) if self.lives else 10**9
        super().__init__(given)

    def _answered(self, response: Response) -> None:
        self.left -= 1
        super()._answered(response)
        if self.left == 0:
            actor = next(actor for actor in self.cluster.started if actor.replica is self)
            actor.kill()
            raise SystemExit

    cluster: ThreadCluster


@pytest.mark.parametrize("lives", [[5], [1, 3, 2, 9], [3] * 12])
def test_what_a_dead_replica_stored_counts_and_the_rest_is_asked_again(tmp_path: Path, lives: list[int]) -> None:
    Mortal.cluster = cluster = ThreadCluster(Mortal)
    Mortal.lives = list(lives)
    said: list[str] = []
    engine = opened(cluster, 2, said)
    came = answered(engine, questions(120), tmp_path)
    placed = engine.placed()
    engine.close()
    assert came.keys() == {f"q{number}" for number in range(120)}
    assert all(response.error is None for response in came.values())
    deaths = [line for line in said if "died" in line]
    assert len(deaths) == len(lives) == placed["died"] and all("takes its place" in line for line in deaths)
    written: Counter[str] = Counter()
    for path in RunFolder(tmp_path).response_files():
        written.update(line.split('"')[3] for line in path.read_text(errors="replace").splitlines())
    assert written.keys() == came.keys() and set(written.values()) == {1}, "nothing was asked twice that was stored"


def test_a_question_that_kills_its_replica_fails_and_takes_no_other_with_it(tmp_path: Path) -> None:
    said: list[str] = []
    engine = opened(ThreadCluster(), 2, said, cursed="q5")
    came = answered(engine, questions(60), tmp_path)
    engine.close()
    failed = {key: response.error for key, response in came.items() if response.error is not None}
    assert failed == {"q5": "3 replicas died while they had it; the last: it fell from its perch"}
    assert came.keys() == {f"q{number}" for number in range(60)}


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize(
    ("count", "cursed"),
    [
        (16, [0]),
        (60, [0, 16]),
        (60, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (60, [0, 20, 40, 59]),
        (2, [0, 1]),
        (300, [0, 16, 32]),
    ],
)
def test_however_such_questions_lie_all_others_are_answered(
    tmp_path: Path, replicas: int, count: int, cursed: list[int]
) -> None:
    keys = {f"q{number}" for number in cursed}
    engine = opened(ThreadCluster(), replicas, held=16, cursed=" ".join(keys))
    came = answered(engine, questions(count), tmp_path)
    died = engine.placed()["died"]
    engine.close()
    assert {key for key, response in came.items() if response.error is not None} == keys
    assert came.keys() == {f"q{number}" for number in range(count)} and died <= 3 * len(keys)


def test_what_becomes_of_the_questions_of_a_dead_replica_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    engine = opened(ThreadCluster(), 1, said, cursed="q0")
    answered(engine, questions(1), tmp_path)
    engine.close()
    deaths = [line.partition("; ")[2] for line in said]
    again = "another one takes its place, and 1 of its questions is asked again"
    assert deaths == [again, again, "another one takes its place; 1 of its questions is given up, after several deaths"]


def test_an_engine_that_cannot_open_is_one_error_as_ever() -> None:
    cluster = ThreadCluster()
    said: list[str] = []
    with pytest.raises(EngineError) as raised:
        opened(cluster, 3, said, broken=True)
    assert (raised.value.message, raised.value.hint) == ("there is no such parrot", "look in the tree")
    assert cluster.closed and len(cluster.started) <= 3 and not said
    with pytest.raises(UsageError, match="has no|unknown"):
        opened(ThreadCluster(), 2, nonsense=1)


def test_when_all_have_died_too_often_the_run_stops_and_can_go_on(tmp_path: Path) -> None:
    class Doomed(Replica):
        def put(self, chunk: Chunk) -> None:
            actor = next(actor for actor in cluster.started if actor.replica is self)
            actor.kill()

    cluster = ThreadCluster(Doomed)
    said: list[str] = []
    engine = opened(cluster, 2, said)
    with pytest.raises(EngineError, match="no replica is left"):
        answered(engine, questions(100), tmp_path)
    engine.close()
    assert len(cluster.started) <= 2 * 3 and sum("not replaced" in line for line in said) == 2


def test_where_every_process_dies_before_it_is_open_it_is_said_what_to_try() -> None:
    class Crashing(Replica):
        def poll(self, want: bool, wait_s: float) -> Report:
            raise Died("its process was killed, or crashed")

    cluster = ThreadCluster(Crashing)
    with pytest.raises(EngineError, match="no replica can be opened: its process was killed") as raised:
        opened(cluster, 2)
    assert "lacks memory" in raised.value.hint and len(cluster.started) == 2 * 3 and cluster.closed


@pytest.mark.parametrize(
    ("raised", "message", "hint"),
    [(ValueError("bad value"), "ValueError: bad value", ""), (MemoryError("20 GiB"), "MemoryError: 20 GiB", "fewer")],
)
def test_whatever_an_engine_raises_while_it_is_opened_is_one_error(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, message: str, hint: str
) -> None:
    def failing(opening: Opening) -> Parrot:
        raise raised

    monkeypatch.setitem(registry._given, "parrot", replace(PARROT, open=failing))
    with pytest.raises(EngineError, match=f"the engine cannot be opened: {message}") as told:
        opened(ThreadCluster(), 2)
    assert told.value.hint.startswith(hint) and bool(told.value.hint) == bool(hint)


# ── Who is waited for ─────────────────────────────────────────────────────────────────────────────


class Placeless(Replica):
    """Only the first of them finds a place before `freed`."""

    freed: threading.Event
    first = True

    def __init__(self, given: EngineOrder) -> None:
        self.placed, Placeless.first = Placeless.first, False
        super().__init__(given)

    def poll(self, want: bool, wait_s: float) -> Report:
        assert self.placed or self.freed.wait(60)
        return super().poll(want, wait_s)


@pytest.mark.parametrize(
    ("lacks", "said_of_it"),
    [
        ("it needs 1 GPU, and 0 of the cluster's 2 are free", "it needs 1 GPU, and 0 of the cluster's 2 are free"),
        ("", "starts it slowly"),
    ],
)
def test_replicas_without_a_place_are_said_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, lacks: str, said_of_it: str
) -> None:
    Placeless.freed, Placeless.first = threading.Event(), True
    cluster = ThreadCluster(Placeless)
    cluster.lacks = lacks
    said: list[str] = []
    engine = opened(cluster, 3, said, pause=0.01)
    monkeypatch.setattr(patience, "EVERY_S", 0.0)
    monkeypatch.setattr(patience, "PLACE_S", 0.05)
    monkeypatch.setattr(patience, "START_S", 0.1)
    monkeypatch.setattr(driving, "SLOW_S", 0.05)
    came = answered(engine, questions(100))
    Placeless.freed.set()
    engine.close()
    assert len(came) == 100
    (line,) = said
    assert line.startswith("note: replicas 2 and 3 wait for a place: ") and said_of_it in line
    assert line.endswith("the others go on meanwhile")


@pytest.mark.parametrize("whole", [True, False])
def test_a_hung_replica_is_said_and_one_that_reacts_to_nothing_counts_as_dead(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, whole: bool
) -> None:
    """`whole`: its whole process hangs, not its engine alone."""
    monkeypatch.setattr(patience, "EVERY_S", 0.0)
    monkeypatch.setattr(patience, "HUNG_S", 4.0)
    monkeypatch.setattr(crew, "POLL_S", 0.1)
    monkeypatch.setattr(patience, "SILENT_S", 10**9 if whole else 2.0)
    monkeypatch.setattr(driving, "SLOW_S", 0.05)
    go_on = threading.Event()
    hangs = threading.Semaphore(1)

    class Hanging(Replica):
        hung = False

        def poll(self, want: bool, wait_s: float) -> Report:
            assert not (self.hung and whole) or go_on.wait(60)
            return super().poll(want, wait_s)

        def _answered(self, response: Response) -> None:
            if hangs.acquire(blocking=False):
                self.hung = True
                assert go_on.wait(60)
            super()._answered(response)

    said = Said(go_on if not whole else threading.Event(), "if it hangs")
    engine = opened(ThreadCluster(Hanging), 2, said)
    came = answered(engine, questions(40), tmp_path)
    go_on.set()
    engine.close()
    assert len(came) == 40 and all(response.error is None for response in came.values())
    (line,) = [line for line in said if "replica" in line]
    assert ("has not reacted" in line and "takes its place" in line) if whole else "`kill -9 " in line


class Said(list[str]):
    """What was said. `heard` is set when `words` are in it."""

    def __init__(self, heard: threading.Event, words: str) -> None:
        super().__init__()
        self.heard, self.words = heard, words

    def append(self, line: str) -> None:
        super().append(line)
        if self.words in line:
            self.heard.set()


def test_where_nobody_listens_is_said_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"ray://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(EngineError, match=f"there is no Ray at {address}: nobody listens there") as raised:
        look(address)
    assert "10001" in raised.value.hint
    with pytest.raises(EngineError, match="nobody listens there"):
        look("ray://nowhere.invalid:10001")
    with pytest.raises(EngineError, match="nobody listens there") as raised:
        look(address.removeprefix("ray://"), "unset it")
    assert raised.value.hint == "unset it"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        look(f"ray://127.0.0.1:{listening.getsockname()[1]}")


def test_what_a_killed_driver_left_of_its_ray_is_removed_by_the_next(tmp_path: Path) -> None:
    lives = Scratch(tmp_path)
    gone = Scratch(tmp_path)
    gone._lock.close()  # as by kill -9
    (gone.path / "session").mkdir()
    others = tmp_path / "tvb-ray-strange"
    others.mkdir()
    (tmp_path / "tvb-ray-link").symlink_to(gone.path)
    mine = Scratch(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *(lives.path.name, mine.path.name, "tvb-ray-strange", "tvb-ray-link")
    }
    mine.remove()
    assert lives.path.is_dir() and not mine.path.exists()


FROM_THE_SERVER = """Initialization failure from server:
Traceback (most recent call last):
  File "proxier.py", line 765, in Datapath
    if not self.proxy_manager.start_specific_server(
AttributeError: 'JobConfig' object has no attribute 'another_version'
"""


@pytest.mark.parametrize(
    ("raised", "message", "hint"),
    [
        ("ray client connection timeout", "what listens there is no Ray for clients", "10001"),
        (FROM_THE_SERVER, "AttributeError: 'JobConfig' object", "here is Ray 2.60.0 on Python 3"),
        ("Initialization failure from server:\nStarting Ray client server failed. See x.err", "See x.err", "too busy"),
        ("Version mismatch: the cluster was started with:\n  Ray: 2.58.0", "Version mismatch", "here is Ray 2.60.0"),
    ],
)
def test_a_cluster_that_refuses_is_told_in_its_last_words(raised: str, message: str, hint: str) -> None:
    told = refusal(SimpleNamespace(__version__="2.60.0"), "ray://head:10001", ConnectionError(raised))
    assert "ray://head:10001" in told.message and message in told.message and hint in told.hint


@pytest.mark.parametrize(
    ("raised", "tried"),
    [
        ("Initialization failure from server:\nStarting Ray client server failed. See x.err", TRIES),
        ("Initialization failure from server:\nProxy failed to Connect to backend! Check x.err", TRIES),
        ("ray client connection timeout", 1),
        (FROM_THE_SERVER, 1),
    ],
)
def test_a_cluster_is_asked_again_only_where_its_server_for_this_client_has_died(raised: str, tried: int) -> None:
    asked = []

    def init(**how: Any) -> None:
        asked.append(how["address"])
        raise ConnectionAbortedError(raised)

    cluster = object.__new__(Cluster)
    cluster._ray = SimpleNamespace(__version__="2.60.0", init=init)
    with pytest.raises(EngineError, match="ray://head:10001"):
        cluster._init("ray://head:10001")
    assert asked == ["ray://head:10001"] * tried


def test_a_sigterm_that_comes_while_ray_has_it_goes_to_whoever_had_it_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**how: Any) -> None:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(number))  # as Ray does
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    ray = SimpleNamespace(is_initialized=lambda: False, init=init, shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr("tvbench.runs.replicas.cluster.QUIET", {})
    before = signal.signal(signal.SIGTERM, stop_cleanly)
    try:
        with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
            Cluster(None, 1)
        assert signal.getsignal(signal.SIGTERM) is stop_cleanly
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_replica_of_another_version_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter(("1", "2"))
    lock = threading.Lock()

    def another(opening: Opening) -> Parrot:
        engine = Parrot(opening)
        with lock:
            engine.info = EngineInfo("parrot", next(made))
        return engine

    monkeypatch.setitem(registry._given, "parrot", replace(PARROT, open=another))
    said: list[str] = []
    engine = opened(ThreadCluster(), 2, said)
    came = answered(engine, questions(50))
    engine.close()
    assert len(came) == 50
    assert not said or "is left out: it is parrot" in said[0]


# ── What is refused, and what is passed on ────────────────────────────────────────────────────────


def test_gpus_say_to_vllm_how_many_share_the_model_and_to_others_that_they_cannot() -> None:
    assert gpu_arguments(VLLM, 4, {}) == {"tensor_parallel_size": 4}
    assert gpu_arguments(VLLM, 1, {}) == gpu_arguments(VLLM, None, {}) == gpu_arguments(TRANSFORMERS, 1, {}) == {}
    with pytest.raises(UsageError, match="say it once"):
        gpu_arguments(VLLM, 2, {"tensor_parallel_size": 2})
    for spec, said in ((TRANSFORMERS, "--replicas 2"), (PARROT, "computes on one GPU"), (OPENAI, "has its own GPUs")):
        with pytest.raises(UsageError, match=said):
            gpu_arguments(spec, 2, {})
    for wrong in ("x", 0, -2, 1.5, True):
        with pytest.raises(UsageError, match="it is a number of GPUs"):
            gpu_arguments(VLLM, None, {"tensor_parallel_size": wrong})
    assert gpu_arguments(VLLM, None, {"pipeline_parallel_size": 2}) == {}
    assert gpus_of_one(Placement(), {"tensor_parallel_size": 2, "pipeline_parallel_size": 2}) == 4
    assert gpus_of_one(Placement(gpus=0), {}) == 0


def test_replicas_of_a_client_are_refused() -> None:
    with pytest.raises(UsageError, match="--concurrency"):
        check_placement(OPENAI, SERVED, Placement(replicas=2))
    with pytest.raises(UsageError, match="leave --on out"):
        check_placement(OPENAI, SERVED, Placement(on="ray"))
    check_placement(VLLM, CARD, Placement(replicas=2, on="ray"))


@pytest.mark.parametrize(
    "on",
    ["", "rays", "ray:6379", "ray://", "ray://host", "ray://a b:1", "http://host:1", "auto"]
    + ["ray://host:0", "ray://host:65536", "ray://[::1]:99999"],
)
def test_a_cluster_has_an_address(on: str) -> None:
    with pytest.raises(UsageError, match="ray://HOST:PORT"):
        check_cluster(on)
    for right in (None, "ray", "ray://head-1.example:10001", "ray://[::1]:10001"):
        check_cluster(right)


def test_without_ray_it_is_said_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for found in (None, ModuleSpec("ray", None)):
        monkeypatch.setattr(placement, "find_spec", lambda name, found=found: found)
        words = ["run", "--model", "tower-mini", "--tasks", "mini-alm:de", "--limit", "1", "--replicas", "2"]
        assert main([*words, "--engine", "parrot", "--results", "results"]) == 2
        assert "pip install 'tvbench[ray]'" in capsys.readouterr().err


def test_requests_travel_whole() -> None:
    asked = Request(
        "k",
        (
            Message(
                "user",
                (Media("video", "c.mp4", lambda: b"", frames=8, size=9), "What?", Media("image", "a", lambda: b"")),
            ),
        ),
        question("k").request.sampling,
        second_bos=True,
    )
    carried = packed(asked, [b"clip", b"picture"])
    media = [part for part in carried.messages[0].parts if isinstance(part, Media)]
    assert [part.load() for part in media] == [b"clip", b"picture"] and carried == asked
