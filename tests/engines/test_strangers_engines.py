"""Engines of strangers: found by file and by entry point, chosen by name, and held to the protocol's contracts."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import echo_engine
import pytest
from chat_server import chat_server

from tvbench.cli.main import main
from tvbench.engines import registry
from tvbench.engines.conformance import broken_contracts
from tvbench.engines.open import choose, choose_engine, open_engine
from tvbench.engines.protocol import Engine, EngineInfo, Feed
from tvbench.errors import UsageError
from tvbench.registry import engine_names
from tvbench.registry.catalog import resolve_model
from tvbench.runs.store import find_runs
from tvbench.types import ModelCard, Response

Said = pytest.CaptureFixture[str]
SOURCE = Path(echo_engine.__file__).read_text(encoding="utf-8")
CARD = ModelCard("mine", "folder", "x")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory, and nothing known of earlier ones."""
    monkeypatch.chdir(tmp_path)
    registry._given.clear()
    registry._found.cache_clear()
    yield tmp_path
    registry._given.clear()
    registry._found.cache_clear()


def put(folder: Path, source: str = SOURCE, name: str = "mine.py") -> Path:
    (folder / "engines").mkdir(parents=True, exist_ok=True)
    path = folder / "engines" / name
    path.write_text(source, encoding="utf-8")
    return path


def plugged(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    points = [EntryPoint(value.partition("=")[0], value.partition("=")[2], engine_names.GROUP) for value in values]
    monkeypatch.setattr(engine_names, "plug_ins", lambda group: points)


def run(folder: Path, *words: str) -> int:
    return main(["run", "--model", "tower-mini", "--tasks", "mini-alm:de", "--limit", "2", "--no-image", "--quiet",
                 "--results", str(folder / "results"), *words])  # fmt: skip


def answers(folder: Path) -> list[Response]:
    (found,) = find_runs(folder / "results")
    return list(found.responses().values())


def test_a_file_in_the_engines_folder_is_listed_and_chosen(
    folder: Path, capsys: Said, caplog: pytest.LogCaptureFixture
) -> None:
    path = put(folder)
    assert main(["engines", "--format", "json"]) == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert set(listed) == {"vllm", "transformers", "openai", "echo"} and listed["echo"]["problem"] is None
    assert [option["name"] for option in listed["echo"]["options"]] == ["shout", "threads"]
    assert str(path) in caplog.text, "Python of the working directory is named before it runs"
    run(folder, "--engine", "echo", "--engine-arg", "shout=true", "--engine-arg", "threads=3")
    (found,) = find_runs(folder / "results")
    manifest = json.loads((found.path / "manifest.json").read_text())
    assert manifest["engine"] == {"name": "echo", "version": "1", "settings": {"shout": True}}
    assert manifest["ask"]["engine"]["arguments"] == {"shout": True}
    assert manifest["sessions"][0]["arguments"] == {"shout": True, "threads": 3}
    assert "echo@1+shout=True" in manifest["tasks"][0]["signature"]
    assert all(one.text and one.text == one.text.upper() for one in answers(folder))


def test_a_file_by_its_path(folder: Path, capsys: Said) -> None:
    path = folder / "elsewhere.py"
    path.write_text(SOURCE)
    run(folder, "--engine", str(path))
    assert len(answers(folder)) == 2
    assert main(["engines", "show", str(path)]) == 0
    assert "threads" in capsys.readouterr().out


def test_an_entry_point(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    plugged(monkeypatch, "echo=echo_engine:ENGINE")
    assert choose_engine(CARD, "echo") == "echo"
    run(folder, "--engine", "echo")
    assert len(answers(folder)) == 2
    assert run(folder, "--engine", "echo", "--batch-size", "2") == 2
    assert "the echo engine has no --batch-size" in capsys.readouterr().err
    assert run(folder, "--engine", "echo", "--engine-arg", "shoot=true") == 2
    assert "Did you mean shout" in capsys.readouterr().err


def test_nothing_is_loaded_that_nobody_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, SOURCE + "\nraise RuntimeError('executed')\n")
    plugged(monkeypatch, "other=no_such_module_anywhere:ENGINE")
    assert choose_engine(CARD) == "transformers" and choose_engine(CARD, "vllm") == "vllm"
    assert set(engine_names.engine_names()) == {"vllm", "transformers", "openai", "echo", "other"}
    with pytest.raises(UsageError, match="unknown engine 'ecko'. Did you mean echo"):
        choose_engine(CARD, "ecko")
    assert "no_such_module_anywhere" not in sys.modules


def test_nobody_takes_the_place_of_tvbenchs_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, SOURCE.replace('"echo",\n    "answers', '"transformers",\n    "answers'))
    plugged(monkeypatch, "vllm=echo_engine:ENGINE")
    assert registry.engine("transformers").title.startswith("the embedded")
    assert registry.engine("vllm").title.startswith("for GPUs")
    with pytest.raises(UsageError, match="one of tvbench's own"):
        registry.engine(str(folder / "engines" / "mine.py"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (SOURCE + "\nraise RuntimeError('broken today')\n", "broken today"),
        (SOURCE + "\nimport sys\nsys.exit(3)\n", "SystemExit: 3"),
        (SOURCE.replace("ENGINE = EngineSpec(", "ENGINE = str(EngineSpec(") + ")\n", "neither an EngineSpec"),
    ],
)
def test_a_broken_file_is_one_sentence(folder: Path, source: str, said: str, capsys: Said) -> None:
    path = put(folder, source)
    assert main(["engines"]) == 0, "the others are listed all the same"
    shown = capsys.readouterr()
    assert "transformers" in shown.out and said in shown.err and str(path) in shown.err
    assert run(folder, "--engine", "echo") == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error


@pytest.mark.parametrize(
    ("value", "said"),
    [("echo=no_such_module_anywhere:ENGINE", "ModuleNotFoundError"), ("echo=json:loads", "neither an EngineSpec"),
     ("ekko=echo_engine:ENGINE", "declares echo instead")],
)  # fmt: skip
def test_a_broken_entry_point_is_one_sentence(value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch, value)
    with pytest.raises(UsageError, match=said):
        registry.engine(value.partition("=")[0])


@pytest.mark.parametrize("words", ["no.py", "./engines/none.py", "plain.py"])
def test_a_path_that_is_no_engine_is_refused(folder: Path, words: str, capsys: Said) -> None:
    (folder / "plain.py").write_text("print('hello')\n")
    assert run(folder, "--engine", words) == 2
    assert words.rpartition("/")[2] in capsys.readouterr().err


def test_a_card_may_name_a_strangers_engine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch, "echo=echo_engine:ENGINE")
    (folder / "models").mkdir()
    (folder / "models/mine.yaml").write_text("hub: org/mine\nengine: {echo: {shout: true, threads: 2}}\n")
    card = resolve_model("mine")
    chosen = choose(card)
    assert chosen.name == "echo" and chosen.arguments == {"shout": True, "threads": 2}
    assert chosen.card.engine == {"echo": {"shout": True}}
    only = ModelCard("m", "hub", "org/m", engine={"vllm": {}, "transformers": {}})
    assert choose_engine(only, "echo") == "echo", "a card that does not know it says nothing against it"


def test_an_included_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_engine(CARD) == "transformers"
    with pytest.raises(UsageError, match="unknown engine"):
        choose_engine(CARD, "echo")
    put(folder / "theirs", SOURCE)
    monkeypatch.setenv("TVBENCH_INCLUDE_PATH", str(folder / "theirs"))
    assert choose_engine(CARD, "echo") == "echo"


def test_from_python(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tvbench

    plugged(monkeypatch, "echo=echo_engine:ENGINE")
    ask: dict[str, Any] = {"limit": 2, "no_image": True, "engine": "echo", "results": folder / "results"}
    made = tvbench.run("tower-mini", "mini-alm:de", engine_args={"shout": True, "threads": 2}, **ask)
    assert made.manifest.engine is not None and made.manifest.engine.settings == {"shout": True}
    for wrong in ({"engine_args": {"shoot": 1}}, {"engine_args": {"threads": 0}}, {"batch_size": 2}):
        with pytest.raises(UsageError, match="shout|threads|--batch-size"):
            tvbench.run("tower-mini", "mini-alm:de", **ask, **wrong)


# ── The contracts ─────────────────────────────────────────────────────────────────────────────────


def test_the_documented_engine_keeps_the_contracts(folder: Path) -> None:
    registry.engine(str(put(folder)))
    assert broken_contracts(lambda: open_engine("echo", CARD), pictures=True) == []


def test_a_server_keeps_them(folder: Path) -> None:
    with chat_server() as server:
        card = resolve_model(server.model)
        assert broken_contracts(lambda: open_engine("openai", card), pictures=True) == []


@pytest.mark.slow
def test_the_embedded_engine_keeps_them(folder: Path) -> None:
    logging.getLogger("transformers").setLevel(logging.ERROR)
    card = resolve_model("tower-mini")
    assert broken_contracts(lambda: open_engine("transformers", card), pictures=True) == []


class Broken(echo_engine.EchoEngine):
    """The documented engine with one thing wrong."""

    def __init__(self, wrong: str) -> None:
        self.wrong, self.shout, self.closed = wrong, False, 0
        self.left: list[Response] = []
        self.info = EngineInfo("" if wrong == "name" else "e", "1", {"x": {1}} if wrong == "settings" else {})

    def serve(self, feed: Feed) -> Iterator[Response]:
        if self.wrong == "impatient":
            yield from map(self.answer, feed.take(100, wait=False))
            return
        if self.wrong == "raises" and feed.dry:
            raise ValueError("nothing to do")
        while taken := feed.take(10**6 if self.wrong == "greedy" else 3, wait=True):
            for prepared in taken:
                answer = self.answer(prepared)
                self.left.append(answer)
                yield from self._wrongly(answer)
        if self.wrong == "remembers":
            yield from (one for one in self.left if one.key.startswith("left"))

    def _wrongly(self, answer: Response) -> Iterator[Response]:
        key, text = answer.key, answer.text
        match self.wrong:
            case "skips" if key == "k3":
                return
            case "twice" if key == "k3":
                yield answer
            case "other key" if key == "k3":
                answer = Response("k33", text=text, finish="stop", notes=answer.notes)
            case "both":
                answer = Response(key, text="x", error="y", notes=answer.notes)
            case "neither":
                answer = Response(key, notes=answer.notes)
            case "notes":
                answer = Response(key, text=text or "", finish="stop")
            case "long":
                answer = Response(key, text="x", finish="stop", tokens_out=99, notes=answer.notes)
            case "finish":
                answer = Response(key, text="x", finish="done", notes=answer.notes)
            case "dies" if key == "lost":
                raise RuntimeError("no picture")
            case "continues" if answer.error is not None:
                answer = Response(key, text="green", finish="stop", notes=answer.notes)
            case "positive" if answer.error is not None:
                answer = Response(key, text="blue", logprobs=(0.5,), notes=answer.notes)
            case "silent" if answer.error is not None:
                answer = Response(key, error=" ")
            case "all fail":
                answer = Response(key, error="never")
        yield answer

    def close(self) -> None:
        self.closed += 1
        if self.wrong == "close" and self.closed > 1:
            raise RuntimeError("closed already")


WRONG = (
    "name,settings,impatient,greedy,raises,remembers,skips,twice,other key,both,neither,notes,long,finish,dies,"
    "continues,positive,silent,all fail,close"
)


@pytest.mark.parametrize("wrong", WRONG.split(","))
def test_every_broken_contract_is_found(wrong: str) -> None:
    def open_it() -> Engine:
        made: Engine = Broken(wrong)
        return made

    assert broken_contracts(open_it), wrong
