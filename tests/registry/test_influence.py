"""What a card says: about the prompt it makes other keys, of the engine another run; where it says nothing, nothing."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_server import chat_server
from judge_server import judge_server
from judged import open_run
from sentences_task import sentences
from small_plans import item, task_of

from tvbench.checkpoints.prompt import Prompter
from tvbench.cli.main import main
from tvbench.engines.vllm_settings import recorded_settings
from tvbench.errors import MediaError
from tvbench.graders.judge.record import find_judges, judge_folder
from tvbench.graders.judge.rubric import choose_rubric
from tvbench.registry import catalog
from tvbench.registry.influence import PLACEMENT, argument_labels, prompt_settings, score_arguments
from tvbench.registry.local_models import trained_folder
from tvbench.runs.keys import content_key
from tvbench.runs.plan import Overrides, Plan, engine_ask, make_ask, plan_task
from tvbench.runs.signature import comparable
from tvbench.runs.store import RunFolder, find_runs
from tvbench.types import BuildOptions, Message, ModelCard

Said = pytest.CaptureFixture[str]
CARD = ModelCard("m", "hub", "org/m", revision="r1")


def planned(card: ModelCard, engine: str = "transformers", **options: Any) -> Plan:
    task = plan_task(task_of([item("1"), item("2", "Else?")]), BuildOptions("tvbench"), card, Overrides())
    return Plan(card, (task,), make_ask(card, [task], Overrides(), engine_ask(card, engine, **options)))


def key(card: ModelCard) -> str:
    return next(planned(card).planned_items()).key


def signature(card: ModelCard) -> str:
    return planned(card).tasks[0].entry(card, "e@1").signature


def chat(**said: Any) -> ModelCard:
    return replace(CARD, chat=said)


# ── The prompt ────────────────────────────────────────────────────────────────────────────────────

PROMPTS: list[dict[str, Any]] = [
    {"system": "Be brief."},
    {"system": "Be brief"},
    {"system_role": "user"},
    {"system": "Be brief.", "system_role": "user"},
    {"image_placement": "first"},
    {"content": "string"},
    {"content": "parts"},
    {"template": "{{ messages }}"},
    {"template": "none"},
    {"template": ""},
    {"stop_tokens": ["<end>"]},
    {"stop_tokens": ["<end>", "</s>"]},
    {"something_of_tomorrow": 1},
]
SILENT: list[dict[str, Any]] = [
    {},
    {"tokens_per_image": 3700},
    {"tokens_per_frame": 196, "needs_remote_code": True},
    {"system": ""},
    {"system": None},
    {"image_placement": "as_given"},
    {"stop_tokens": []},
    {"template": None},
    {"system_role": "system"},
    {"content": "auto"},
]


def test_whatever_a_card_says_about_the_prompt_makes_another_run() -> None:
    cards = [CARD, *(chat(**said) for said in PROMPTS)]
    assert len({key(card) for card in cards}) == len(cards)
    assert len({planned(card).run_name for card in cards}) == len(cards)
    assert len({signature(card) for card in cards}) == len(cards)
    assert len({comparable(signature(card)) for card in cards}) == 1, "it is part of who answered"


@pytest.mark.parametrize("said", SILENT)
def test_a_card_that_says_nothing_leaves_no_trace(said: dict[str, Any]) -> None:
    card = chat(**said)
    assert (key(card), planned(card).run_name, signature(card)) == (key(CARD), planned(CARD).run_name, signature(CARD))


def test_keys_of_before_are_those_of_today() -> None:
    assert content_key(item(), "hub:org/m", "r1", ["d1"]) == (
        "82d944ad2a5760f48fdb74ca8af8d30a5217a2436eae8358c56fc2c3f19190e4"
    )


def test_the_order_of_stop_tokens_says_nothing() -> None:
    assert key(chat(stop_tokens=["a", "b"])) == key(chat(stop_tokens=["b", "a", "a"]))
    assert key(chat(system="s", content="parts")) == key(chat(content="parts", system="s"))


def test_equal_settings_are_equal_prompts() -> None:
    """Cards whose settings are equal make one prompt: what the renderer reads and the key leaves out would show."""
    folder = trained_folder("tower-mini")
    assert folder is not None
    choices: dict[str, list[Any]] = {
        "system": [None, "", "Be brief."],
        "system_role": [None, "user", "system"],
        "image_placement": [None, "as_given", "first"],
        "content": [None, "string", "parts", "auto"],
        "stop_tokens": [None, [], ["<eos>", "de"], ["de", "<eos>"]],
        "tokens_per_image": [None, 7],
    }
    prompter = Prompter(folder, CARD)
    asked = [
        item().messages,
        (Message("system", ("Speak.",)), *item().messages),
        (Message("user", ("What?", *item().messages[0].parts)),),
    ]
    found: defaultdict[str, set[Any]] = defaultdict(set)
    for number, values in enumerate(itertools.product(*choices.values())):
        if number % 19 and any(values[:4]):
            continue
        said = {name: value for name, value in zip(choices, values, strict=True) if value is not None}
        prompter.card = chat(**said)
        ends = Prompter(folder, prompter.card).end_ids if said.get("stop_tokens") else prompter.end_ids
        shown = tuple(rendered(prompter, messages) for messages in asked)
        found[json.dumps(prompt_settings(prompter.card))].add((shown, ends))
    assert len(found) > 20 and all(len(prompts) == 1 for prompts in found.values())


def rendered(prompter: Prompter, messages: tuple[Message, ...]) -> str:
    try:
        return prompter.render(messages)
    except MediaError as error:
        return f"refused: {type(error).__name__}"


def write_card(below: Path, **card: Any) -> None:
    """The card `mine`, in models/."""
    (below / "models").mkdir(exist_ok=True)
    (below / "models" / "mine.yaml").write_text(json.dumps(card))
    catalog._models.cache_clear()


def test_a_system_prompt_that_is_added_is_asked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.chdir(tmp_path)
    data = sentences(tmp_path / "data", 4)
    words = ["run", "--model", "mine", "--tasks", "multi30k:de", "--no-image", "--data", str(data)]
    with chat_server() as server:
        write_card(tmp_path, server="counter", url=server.url)
        assert main(words) == 0
        write_card(tmp_path, server="counter", url=server.url, chat={"tokens_per_image": 5}, notes="better described")
        assert main(words) == 0 and server.asked.total() == 4
        write_card(tmp_path, server="counter", url=server.url, chat={"system": "Translate well."})
        assert main(words) == 0
        assert server.asked.total() == 8
        systems = [json.loads(asked)[0] for asked in server.asked]
    assert systems.count({"role": "system", "content": "Translate well."}) == 4
    runs = find_runs(tmp_path / "results")
    signed = {result.signature for run in runs for result in run.result() or []}
    assert len(runs) == len(signed) == 2
    assert not runs[0].responses().keys() & runs[1].responses().keys()


def test_the_embedded_model_sees_the_system_prompt_and_the_key_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        "run",
        "--tasks",
        "mini-alm:en",
        "--set",
        "mini-alm.items=2",
        "--no-image",
        "--quiet",
        "--engine",
        "transformers",
    ]
    folder = trained_folder("tower-mini")
    for number, said in enumerate(({}, {"system": "red green blue " * 5, "system_role": "user"})):
        write_card(tmp_path, folder=str(folder), chat=said)
        assert main([*words, "--model", "mine"]) == 0
        assert len(find_runs(tmp_path / "results")) == number + 1
    counts = [sum(one.tokens_in or 0 for one in run.responses().values()) for run in find_runs(tmp_path / "results")]
    keys = [set(run.responses()) for run in find_runs(tmp_path / "results")]
    assert counts[0] != counts[1] and not keys[0] & keys[1]


# ── The engine ────────────────────────────────────────────────────────────────────────────────────

MOVING: list[tuple[str, str, Any, Any]] = [
    ("vllm", name, one, other)
    for name, one, other in [
        ("quantization", "fp8", "awq"),
        ("kv_cache_dtype", "fp8", "auto"),
        ("dtype", "bfloat16", "float32"),
        ("mm_processor_kwargs", {"max_pixels": 1000}, {"max_pixels": 2000}),
        ("attention_backend", "A", "B"),
        ("hf_overrides", {"rope_scaling": {"factor": 2}}, {"rope_scaling": {"factor": 4}}),
        ("max_model_len", 1, 2),
        ("model_impl", "vllm", "transformers"),
        ("enable_prefix_caching", True, False),
        ("an_argument_of_tomorrow", 1, 2),
        ("load_format", "auto", "dummy"),
        ("compilation_config", 3, 0),
        ("seed", 0, 1),
    ]
] + [
    ("transformers", "attention", "eager", "sdpa"),
    ("transformers", "dtype", "bfloat16", "float32"),
    ("transformers", "max_model_len", 100, 200),
]


@pytest.mark.parametrize(("engine", "name", "one", "other"), MOVING)
def test_an_argument_that_can_move_a_score_makes_another_run(engine: str, name: str, one: Any, other: Any) -> None:
    cards = [CARD, *(replace(CARD, engine={engine: {name: value}}) for value in (one, other))]
    assert len({planned(card, engine).run_name for card in cards}) == 3
    assert len({json.dumps(argument_labels(score_arguments(card, engine))) for card in cards}) == 3
    assert len({key(card) for card in cards}) == 1, "a key says nothing of how it is computed"
    elsewhere = "transformers" if engine == "vllm" else "vllm"
    assert len({planned(card, elsewhere).run_name for card in cards}) == 1, "only the engine that is used counts"


@pytest.mark.parametrize(
    ("engine", "name"), [(engine, name) for engine in PLACEMENT for name in sorted(PLACEMENT[engine])]
)
def test_an_argument_that_only_places_makes_the_same_run(engine: str, name: str) -> None:
    card = replace(CARD, engine={engine: {name: 2}})
    assert planned(card, engine).run_name == planned(CARD, engine).run_name
    assert not score_arguments(card, engine)


def test_the_command_line_goes_before_the_card() -> None:
    card = replace(CARD, engine={"vllm": {"dtype": "bfloat16", "max_model_len": 8192}})
    given = replace(CARD, engine={"vllm": {}})
    assert planned(card, "vllm").run_name == planned(given, "vllm", dtype="bfloat16", max_model_len=8192).run_name
    assert planned(card, "vllm", dtype="float32").run_name != planned(card, "vllm").run_name
    assert planned(CARD, "vllm").ask["engine"] == {"name": "vllm", "dtype": None, "max_model_len": None}


def test_what_is_put_right_on_loading_makes_another_run() -> None:
    names = {
        planned(replace(CARD, numerics=said)).run_name
        for said in ({}, {"vision_embed_scale": "folded"}, {"vision_embed_scale": "unfolded"})
    }
    assert len(names) == 3


def test_vllm_signs_what_can_move_a_score() -> None:
    wanted = {
        "dtype": "bfloat16",
        "quantization": "fp8",
        "tensor_parallel_size": 8,
        "trust_remote_code": True,
        "hf_overrides": {"a": 1},
        "max_model_len": 4096,
        "gpu_memory_utilization": 0.5,
        "revision": None,
    }
    settings = recorded_settings(CARD, {"tvbench": {"corrections": ["folded-image-scale"]}}, wanted)
    assert settings.pop("hf_overrides").startswith("#")
    assert settings == {
        "dtype": "bfloat16",
        "quantization": "fp8",
        "max_model_len": 4096,
        "corrections": "folded-image-scale",
    }


# ── Judges ────────────────────────────────────────────────────────────────────────────────────────


def test_a_judges_card_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.chdir(tmp_path)
    run = RunFolder(open_run(tmp_path / "results", 3))
    rubric = choose_rubric(None, "alm", "tvbench")
    cards = [
        CARD,
        chat(system="Be strict."),
        replace(CARD, engine={"vllm": {"quantization": "fp8"}}),
        replace(CARD, engine={"vllm": {"tensor_parallel_size": 2}}),
    ]
    folders = [judge_folder(run, card, rubric) for card in cards]
    assert len(set(folders)) == 3 and folders[0] == folders[3]
    with judge_server() as server:
        words = ["judge", "run", "--judge", "mine", "--quiet", "--planted", "0"]
        card = {"server": "judge", "url": server.model.partition("@")[2]}
        write_card(tmp_path, **card)
        assert main(words) == 0 and len(server.bodies) == 3
        write_card(tmp_path, **card, chat={"system": "Be strict.", "image_placement": "first"})
        assert main(words) == 0 and len(server.bodies) == 6
    assert len(find_judges(run)) == 2


def test_a_judging_of_before_is_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.chdir(tmp_path)
    run = RunFolder(open_run(tmp_path / "results", 3))
    with judge_server() as server:
        card = {"server": "judge", "url": server.model.partition("@")[2]}
        write_card(tmp_path, **card)
        assert main(["judge", "run", "--judge", "mine", "--quiet"]) == 0
    (path,) = run.path.glob("judges/*/manifest.json")
    manifest = json.loads(path.read_text())
    del manifest["judging"]["chat"]
    manifest["model"]["chat"] = {"image_placement": "first"}
    path.write_text(json.dumps(manifest))
    assert main(["score", "run"]) == 0
    (result,) = run.result() or []
    assert result.metrics["judge"].n == 3
