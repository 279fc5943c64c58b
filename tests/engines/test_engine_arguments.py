"""Arguments of engines: what is typed reaches the engine, the ask and the manifest, or is refused with what to type."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_server import chat_server

from tvbench.cli.engine_arguments import FLAGS, OPTIONS, parsed
from tvbench.cli.main import main
from tvbench.engines import spec, vllm_arguments
from tvbench.engines.built_in import ENGINES
from tvbench.engines.open import choose
from tvbench.engines.spec import EngineSpec, Option
from tvbench.errors import UsageError
from tvbench.registry.influence import PLACEMENT
from tvbench.runs.plan import engine_ask
from tvbench.runs.store import find_runs
from tvbench.types import ModelCard

Said = pytest.CaptureFixture[str]
HUB = ModelCard("mine", "hub", "org/mine")
VALUES = {"dtype": "float32", "batch_size": "2", "max_model_len": "99", "concurrency": "2", "timeout": "9",
          "send_video": "video_url", "trust_remote_code": ""}  # fmt: skip


@pytest.mark.parametrize(("engine", "flag"), list(itertools.product(ENGINES, FLAGS)))
def test_every_flag_with_every_engine_is_taken_or_refused_never_ignored(
    engine: str, flag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.setattr(spec, "find_spec", lambda name: None)
    words = [f"--{flag.replace('_', '-')}", *filter(None, [VALUES[flag]])]
    model = "openai:m@http://127.0.0.1:9" if engine == "openai" else "tower-mini"
    has = ENGINES[engine].option(OPTIONS.get(flag, flag)) is not None
    ask = ["run", "--model", model, "--engine", engine, "--tasks", "mini-alm:de", "--limit", "1", "--dry-run"]
    code = main([*ask, "--results", str(tmp_path), *words])
    said = capsys.readouterr().err
    assert (code == 0) == has, said
    if not has and flag != "trust_remote_code":
        assert f"the {engine} engine has no {words[0]}" in said and "it has --" in said or "it has" in said
    assert not list(tmp_path.iterdir())


def test_whether_an_option_moves_a_score_is_said_once() -> None:
    for name, declared in ENGINES.items():
        for option in declared.options:
            if option.name != "trust_remote_code":  # who may run code: asked for by the person, and in no card
                assert option.moves == (option.name not in PLACEMENT[name]), (name, option.name)


@pytest.mark.parametrize(
    ("pair", "value"),
    [("a=1", 1), ("a=0.5", 0.5), ("a=fp8", "fp8"), ("a=true", True), ("a=null", None), ("a={image: 4}", {"image": 4}),
     ("a=[1, x]", [1, "x"]), ('a={"k": {"x": 1}}', {"k": {"x": 1}}), ("a=b=c", "b=c"), ("a='1'", "1"),
     (" a =1", 1)],
)  # fmt: skip
def test_values_are_yaml(pair: str, value: Any) -> None:
    assert parsed([pair]) == {"a": value}


@pytest.mark.parametrize("pair", ["a", "=1", "a=", "a= ", "1a=2", "a b=1", "a={x", "a=[1", "a=!!python/object:os.x y",
                                  "a=&x [*x]"])  # fmt: skip
def test_what_is_no_argument_is_one_sentence(pair: str, capsys: Said, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--engine-arg"):
        parsed([pair])
    code = main(["run", "--model", "tower-mini", "--tasks", "mini", "--dry-run", "--engine-arg", pair])
    said = capsys.readouterr().err
    assert code == 2 and "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--engine-arg", "atention=eager"], "Did you mean attention"),
        (["--engine-arg", "attention=eagr"], "attention: must be eager, flash_attention_2 or sdpa, not 'eagr'"),
        (["--engine-arg", "batch_size=0"], "--batch-size: must be a whole number of 1 or more, not 0"),
        (["--engine-arg", "batch_size=true"], "must be a whole number"),
        (["--engine-arg", "batch_size=2.5"], "must be a whole number"),
        (["--engine-arg", "dtype=no"], "--dtype: must be bfloat16, float16 or float32, not False"),
        (["--engine-arg", "dtype=float32", "--dtype", "float32"], "say it once"),
        (["--engine-arg", "attention=eager", "--engine-arg", "attention=sdpa"], "given twice"),
        (["--engine-arg", "attention=2026-11-26"], "not datetime"),
        (["--engine", "vllm", "--engine-arg", "model=x"], "--model says which model"),
        (["--engine", "vllm", "--engine-arg", "hf_token=hf_x"], "set HF_TOKEN in the environment"),
        (["--engine", "vlmm"], "Did you mean vllm"),
    ],
)
def test_wrong_arguments_are_found_before_the_engine_is_looked_for(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: Said, tmp_path: Path
) -> None:
    monkeypatch.setattr(spec, "find_spec", lambda name: None)
    assert main(["run", "--model", "tower-mini", "--tasks", "mini-alm:de", "--results", str(tmp_path), *words]) == 2
    error = capsys.readouterr().err
    assert said in error and "needs torch" not in error and "hf_x" not in error


def test_vllm_names_are_those_of_the_installed_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A package that only looks like vLLM: its source is read, nothing of it runs."""
    (tmp_path / "vllm/engine").mkdir(parents=True)
    (tmp_path / "vllm/entrypoints").mkdir()
    (tmp_path / "vllm/__init__.py").write_text("raise RuntimeError('imported')\n")
    (tmp_path / "vllm/engine/arg_utils.py").write_text(
        "class EngineArgs:\n    dtype: str = 'auto'\n    quantization: str | None = None\n"
        "    tensor_parallel_size: int = 1\n    seed: int = 0\n"
    )
    (tmp_path / "vllm/entrypoints/llm.py").write_text("class LLM:\n    def __init__(self, *, hf_overrides=None): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    vllm_arguments.installed_arguments.cache_clear()
    try:
        assert choose(HUB, "vllm", {"quantization": "fp8", "hf_overrides": {"a": 1}}).arguments
        with pytest.raises(UsageError, match=r"argument of the vllm engine 'quantisation'\. Did you mean quantization"):
            choose(HUB, "vllm", {"quantisation": "fp8"})
        with pytest.raises(UsageError, match="has no --batch-size"):
            choose(HUB, "vllm", {"batch_size": 3})
    finally:
        vllm_arguments.installed_arguments.cache_clear()


def test_what_cannot_be_checked_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(vllm_arguments, "find_spec", lambda name: None)
    vllm_arguments.installed_arguments.cache_clear()
    assert choose(HUB, "vllm", {"quantization": "fp8", "tensor_parallel_size": 2, "dtype": "float32"}).arguments
    assert "nobody can tell whether it knows quantization" in caplog.text
    vllm_arguments.installed_arguments.cache_clear()


# ── What they do ──────────────────────────────────────────────────────────────────────────────────


def test_they_go_before_the_card_and_what_moves_a_score_is_in_the_ask() -> None:
    card = replace(HUB, engine={"transformers": {"attention": "sdpa", "batch_size": 2}, "vllm": {"seed": 1}})
    chosen = choose(card, "transformers", {"attention": "eager", "batch_size": 4, "max_model_len": 99})
    assert chosen.arguments == {"attention": "eager", "batch_size": 4, "max_model_len": 99}
    assert chosen.card.engine == {"transformers": {"attention": "eager", "max_model_len": 99}, "vllm": {"seed": 1}}
    assert engine_ask(chosen.card, "transformers") == {
        "name": "transformers", "dtype": None, "max_model_len": 99, "arguments": {"attention": "eager"}
    }  # fmt: skip
    silent = choose(card, "transformers", {"attention": None})
    assert silent.arguments == {"batch_size": 2}, "null takes the card's word back"


def test_an_argument_that_says_what_goes_without_saying_leaves_no_trace() -> None:
    server = ModelCard("m", "server", "m", url="http://127.0.0.1:9")
    plain = engine_ask(choose(server).card, "openai")
    for given in ({"concurrency": 4}, {"timeout": 9, "retries": 0}, {"video": "frames"}):
        assert engine_ask(choose(server, None, given).card, "openai") == plain
    assert engine_ask(choose(server, None, {"video": "video_url"}).card, "openai") == plain | {"video": "video_url"}


def test_a_cards_own_arguments_are_checked_too() -> None:
    with pytest.raises(UsageError, match="model card mine: unknown argument of the transformers engine 'atention'"):
        choose(replace(HUB, engine={"transformers": {"atention": "eager"}}))


def test_a_run_records_them(tmp_path: Path, capsys: Said) -> None:
    with chat_server() as server:
        ask = ["run", "--model", server.model, "--tasks", "mini-alm:de", "--limit", "2", "--quiet", "--engine-arg",
               "concurrency=3", "--results", str(tmp_path)]  # fmt: skip
        assert main(ask) == 0
        assert main([*ask[:-4], "--engine-arg", "concurrency=1", *ask[-2:]]) == 0
    (run,) = find_runs(tmp_path)
    manifest = json.loads((run.path / "manifest.json").read_text())
    assert manifest["sessions"][0]["arguments"] == {"concurrency": 3}
    assert len(manifest["sessions"]) == 1, "another concurrency is the same run, and nothing was left to ask"


def test_a_judge_shares_what_it_has_and_nothing_else(tmp_path: Path, capsys: Said) -> None:
    words = ["run", "--model", "tower-mini", "--tasks", "mini-alm:de", "--dry-run", "--results", str(tmp_path)]
    judge = ["--judge", "openai:m@http://127.0.0.1:9"]
    assert main([*words, "--concurrency", "4"]) == 2
    assert main([*words, *judge, "--concurrency", "4", "--timeout", "9", "--batch-size", "2"]) == 0
    assert main([*words, "--judge", "tower-mini", "--concurrency", "4"]) == 2
    capsys.readouterr()


@pytest.mark.parametrize(
    ("option", "good", "bad"),
    [
        (Option("x", int), [0, -3, None], ["1", True, 1.0, [1]]),
        (Option("x", int, least=1, most=4), [1, 4], [0, 5]),
        (Option("x", float), [0.5, 2, "1e-3"], ["a", True, [1.0], "inf"]),
        (Option("x", str), ["a", ""], [1, True, ["a"]]),
        (Option("x", bool), [True, False], [0, 1, "true"]),
        (Option("x", list), [[], [1]], ["a", {}]),
        (Option("x", dict), [{}, {"a": 1}], ["a", []]),
        (Option("x"), [1, "a", True, [1], {}], []),
        (Option("x", str, choices=("a", "b")), ["a"], ["c"]),
    ],
)
def test_an_option_takes_its_kind_of_value_only(option: Option, good: list[Any], bad: list[Any]) -> None:
    engine = EngineSpec("mine", "", lambda opening: None, options=(option,))  # type: ignore[arg-type,return-value]
    for value in good:
        engine.checked({"x": value})
    for value in bad:
        with pytest.raises(UsageError, match="x: must be"):
            engine.checked({"x": value})
