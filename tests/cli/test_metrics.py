"""`--metrics-port`: what Prometheus is told while a run goes, and who may ask."""

from __future__ import annotations

import argparse
import socket
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from beating import EchoEngine, session

from tvbench.cli.main import main
from tvbench.cli.metrics import Address, RunMeter, address, metered
from tvbench.engines.protocol import Feed
from tvbench.errors import UsageError
from tvbench.runs.listening import EngineState, Listener
from tvbench.types import Response

Said = pytest.CaptureFixture[str]
ANY = Address("127.0.0.1", 0)


class Hearing(Listener):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str, *, detail: bool = False) -> None:
        self.lines.append(text)

    @property
    def url(self) -> str:
        return self.lines[0].removeprefix("metrics: ")


def figures(url: str) -> dict[str, float]:
    """What a scrape of Prometheus gets."""
    from prometheus_client.parser import text_string_to_metric_families

    with urllib.request.urlopen(url) as reply:
        text = reply.read().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(value for name, value in sorted(sample.labels.items()))
            found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return found


@pytest.fixture
def prometheus() -> None:
    pytest.importorskip("prometheus_client")


# ── Where it listens ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("9464", "127.0.0.1", 9464),
        ("0", "127.0.0.1", 0),
        ("0.0.0.0:1", "0.0.0.0", 1),
        ("[::1]:9464", "::1", 9464),
        ("node-7.local:65535", "node-7.local", 65535),
    ],
)
def test_nobody_else_is_answered_unless_a_host_is_named(text: str, host: str, port: int) -> None:
    assert address(text) == (host, port)


@pytest.mark.parametrize("text", ["", "x", "65536", "-1", "1.5", ":9464", "::1:9464", "a b:1", "9464 ", "٣", "host:"])
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no port"):
        address(text)


def test_off_by_default() -> None:
    listener = Listener()
    with metered(None, listener) as told:
        assert told is listener


@pytest.mark.usefixtures("prometheus")
def test_a_port_that_is_taken_is_said_before_anything_is_asked(tmp_path: Path, capsys: Said) -> None:
    words = ["run", "--model", "tower-mini", "--tasks", "mini", "--results", str(tmp_path / "results")]
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main([*words, "--metrics-port", str(port)]) == 2
        assert main(["run", "eu24", *words[1:3], *words[5:], "--metrics-port", str(port)]) == 2
    said = capsys.readouterr().err
    assert said.count(f"127.0.0.1 port {port} cannot be listened on: Address already in use") == 2
    assert "Traceback" not in said and not (tmp_path / "results").exists()


@pytest.mark.usefixtures("prometheus")
@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a" * 300])
def test_a_host_that_is_not_here_is_a_sentence_too(host: str) -> None:
    with pytest.raises(UsageError, match="cannot be listened on"), metered(Address(host, 0), Listener()):
        pass


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    assert main(["run", "--model", "tower-mini", "--tasks", "mini", "--metrics-port", "9464"]) == 2
    assert "pip install 'tvbench[metrics]'" in capsys.readouterr().err


# ── What it tells ─────────────────────────────────────────────────────────────────────────────────


class Scraped(EchoEngine):
    """Has two replicas, and is looked at after its fourth answer."""

    def __init__(self, url: Any) -> None:
        super().__init__()
        self.url = url
        self.seen: dict[str, float] = {}

    def replica_counts(self) -> Mapping[str, Mapping[str, float]]:
        return {"a": {"done": 3}, "b": {"done": 1}}

    def serve(self, feed: Feed) -> Iterator[Response]:
        for response in super().serve(feed):
            if self.served == 5:
                self.seen = figures(self.url())
            yield Response(response.key, response.text, tokens_in=7, tokens_out=2, seconds=0.5)


@pytest.mark.usefixtures("prometheus")
def test_a_run_is_seen_while_it_goes(tmp_path: Path) -> None:
    listener = Hearing()
    engine = Scraped(lambda: listener.url)
    with metered(ANY, listener) as told:
        session(tmp_path / "run", lambda: engine, 6, told)
        last = figures(listener.url)
    seen = engine.seen
    assert (seen["tvbench_answered_total{run}"], seen["tvbench_tokens_in_total{run}"]) == (4, 28)
    assert (seen["tvbench_questions"], seen["tvbench_questions_done"], seen["tvbench_in_flight"]) == (6, 4, 2)
    assert (seen["tvbench_replicas"], seen["tvbench_replica{done,a}"], seen["tvbench_loading"]) == (2, 3, 0)
    assert seen["tvbench_per_second"] > 0 and seen["tvbench_runs_begun"] == 1
    assert (last["tvbench_answered_total{run}"], last["tvbench_answer_seconds_total{run}"]) == (6, 3)
    with pytest.raises(OSError):
        urllib.request.urlopen(listener.url)


@pytest.mark.usefixtures("prometheus")
def test_a_suite_has_one_port_and_its_sums_go_on() -> None:
    listener = Hearing()
    with metered(ANY, listener) as told:
        for number in (1, 2):
            told.begin("run", 10, 4, "")
            told.opening("m")
            assert figures(listener.url)["tvbench_loading"] == 1
            told.opened()
            told.answered(Response("a", text="x", tokens_out=5))
            told.answered(Response("b", error="gone"))
            told.end("run")
            told.begin("comet", 3, 0, "")
            told.scored()
            told.end("comet")
            seen = figures(listener.url)
            assert (seen["tvbench_answered_total{run}"], seen["tvbench_failed_total{run}"]) == (number, number)
            assert (seen["tvbench_answered_total{comet}"], seen["tvbench_questions"]) == (number, 3)
            assert (seen["tvbench_runs_begun"], seen["tvbench_replicas"]) == (number, 0)


@pytest.mark.usefixtures("prometheus")
def test_an_engine_that_cannot_tell_harms_no_scrape() -> None:
    def broken() -> EngineState:
        raise RuntimeError("an actor has died")

    meter = RunMeter()
    meter.serving(broken)
    assert {family.name for family in meter.collect()} >= {"tvbench_in_flight", "tvbench_answered"}
