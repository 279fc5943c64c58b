"""Finding tasks and models: what wins, what is passed over, what a broken file does, and what a typed name means."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from repository import ROOT

from tvbench.errors import UsageError
from tvbench.registry import cards, catalog, local_models, selection
from tvbench.types import Build, ModelCard, Task

REPOSITORY = ROOT

TASK_SOURCE = """
from tvbench.types import Build, Task

def build(options):
    return Build((), "made up")

TASK = Task(name={name!r}, version="1", title={title!r}, build=build, protocols={{"tvbench": "ours"}}, primary="strict",
            metrics=("strict",), languages={languages!r}, group={group!r})
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory; only its own `tasks/` and `models/` are searched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "tvbench.registry.places.__file__", str(tmp_path / "installed" / "tvbench" / "registry" / "places.py")
    )
    monkeypatch.setattr(catalog, "plug_ins", lambda group: [])
    (tmp_path / "tasks").mkdir()
    (tmp_path / "models").mkdir()
    return tmp_path


def write_task(
    folder: Path, name: str, *, title: str = "", languages: tuple[str, ...] = ("en", "de", "fr", "hi"), group: str = ""
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name.replace('-', '_')}.py"
    path.write_text(TASK_SOURCE.format(name=name, title=title, languages=languages, group=group))
    return path


def write_card(where: Path, name: str, **entries: Any) -> Path:
    where.mkdir(parents=True, exist_ok=True)
    path = where / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": name, "hub": f"org/{name}", **entries}))
    return path


def checkpoint(folder: Path, config: dict[str, Any] | None = None, weights: bytes = b"0123456789") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config or {"model_type": "llava_next", "vision_config": {}}))
    (folder / "model.safetensors").write_bytes(weights)
    return folder


# ── Tasks ─────────────────────────────────────────────────────────────────────────────────────────


def test_nearer_folders_hide_farther_ones_of_the_same_name(here: Path) -> None:
    write_task(here / "tasks", "alm", title="mine")
    write_task(here / "installed" / "tvbench" / "shipped" / "tasks", "alm", title="shipped")
    write_task(here / "installed" / "tvbench" / "shipped" / "tasks", "multi30k", title="shipped")
    assert {name: task.title for name, task in catalog.tasks().items()} == {"alm": "mine", "multi30k": "shipped"}


def test_a_folder_beside_an_installed_package_counts_only_in_a_checkout(here: Path) -> None:
    write_task(here / "installed" / "tasks", "stranger")
    assert catalog.tasks() == {}
    (here / "installed" / "pyproject.toml").touch()
    catalog._tasks.cache_clear()
    assert list(catalog.tasks()) == ["stranger"]


@pytest.mark.parametrize(
    "source",
    [
        "open('executed', 'w').close()\n",
        "TASK = 'celery'\nopen('executed', 'w').close()\n",
        "import tvbench\nopen('executed', 'w').close()\n",
        "from tvbench.types import Task\ndef f():\n    TASK = 1\nopen('executed', 'w').close()\n",
        "this is not Python\n",
        "TASK = (\n",
    ],
)
def test_unrelated_files_are_neither_executed_nor_fatal(
    here: Path, caplog: pytest.LogCaptureFixture, source: str
) -> None:
    (here / "tasks" / "invoke.py").write_text(source)
    write_task(here / "tasks", "alm")
    assert list(catalog.tasks()) == ["alm"]
    assert not (here / "executed").exists()
    (said,) = caplog.messages
    assert said == f"note: runs the task files of the working directory as Python: alm.py in {here / 'tasks'}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import no_such_module", "no_such_module"),
        ("1 / 0", "division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("TASK = 'a string'", "str is neither a task"),
        ("TASKS = [TASK, 5]", "int, which is not a tvbench.types.Task"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_a_broken_file_is_warned_of_and_raised_when_asked_for(
    here: Path, caplog: pytest.LogCaptureFixture, line: str, said: str
) -> None:
    path = write_task(here / "tasks", "alm")
    path.write_text(path.read_text() + line + "\n")
    write_task(here / "tasks", "multi30k")
    with caplog.at_level(logging.WARNING):
        assert list(catalog.tasks()) == ["multi30k"]
    assert str(path) in caplog.text and said in caplog.text
    with pytest.raises(UsageError, match="alm.py cannot be used") as raised:
        catalog.task("alm")
    assert said in str(raised.value)


def test_a_broken_near_file_is_not_replaced_by_a_far_one(here: Path) -> None:
    (here / "tasks" / "alm.py").write_text("from tvbench.types import Task\nimport nothing_here\nTASK = Task('alm')\n")
    write_task(here / "installed" / "tvbench" / "shipped" / "tasks", "alm")
    with pytest.raises(UsageError, match="nothing_here"):
        catalog.task("alm")


def made_up_task(name: str) -> Task:
    return Task(name, "1", "", lambda options: Build((), ""), {"tvbench": ""}, "strict", ("strict",))


def test_plug_ins_come_last_and_may_fail(
    here: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing() -> None:
        raise RuntimeError("plug-in is out of order")

    points = [
        SimpleNamespace(name="one", value="a:b", load=lambda: [made_up_task("alm"), made_up_task("extra")]),
        SimpleNamespace(name="two", value="c:d", load=failing),
    ]
    monkeypatch.setattr(catalog, "plug_ins", lambda group: points if group == "tvbench.tasks" else [])
    write_task(here / "tasks", "alm", title="mine")
    assert catalog.task("alm").title == "mine"
    assert catalog.task("extra").version == "1"
    with pytest.raises(UsageError, match="out of order"):
        catalog.task("two")


# ── Selection ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def stocked(here: Path) -> Path:
    for name in ("alm", "multi30k", "vimul"):
        write_task(here / "tasks", name)
    for name in ("mini-alm", "mini-vimul"):
        write_task(here / "tasks", name, group="mini", languages=("en", "de"))
    return here


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("alm", [("alm", ())]),
        ("vimul, alm", [("vimul", ()), ("alm", ())]),
        ("multi30k:de+fr", [("multi30k", ("de", "fr"))]),
        ("mini", [("mini-alm", ()), ("mini-vimul", ())]),
        ("mini:de,alm", [("mini-alm", ("de",)), ("mini-vimul", ("de",)), ("alm", ())]),
        ("alm:de,vimul,alm:hi+de", [("alm", ("de", "hi")), ("vimul", ())]),
        ("alm:de,alm", [("alm", ())]),
        ("alm,alm:de", [("alm", ())]),
        ("alm:DE", [("alm", ("de",))]),
    ],
)
def test_selections(stocked: Path, text: str, chosen: list[tuple[str, tuple[str, ...]]]) -> None:
    assert selection.parse_selection(text) == chosen


def test_languages_may_be_named(stocked: Path) -> None:
    assert selection.parse_selection("alm:German+hindi") == [("alm", ("de", "hi"))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no task is selected"),
        (" , ", "no task is selected"),
        ("alm:", "names no language"),
        ("amm", "Did you mean alm"),
        ("mni", "Did you mean mini"),
        ("alm:ja", "unknown language of alm 'ja'"),
        ("alm:xq", "xq"),
    ],
)
def test_wrong_selections_say_what_is_meant(stocked: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        selection.parse_selection(text)


# ── Cards ─────────────────────────────────────────────────────────────────────────────────────────


def test_unrelated_yaml_is_passed_over(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    (here / "models" / "users.yaml").write_text("models:\n  - User\n")
    (here / "models" / "list.yaml").write_text("- a\n- b\n")
    (here / "models" / "template.yaml").write_text("{{ not yaml }: ]\n")
    (here / "models" / "latin.yaml").write_bytes(b"name: \xff\n")
    assert catalog.models() == {} and caplog.text == ""


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"revison": "main"}, "unknown key 'revison'. Did you mean revision"),
        ({"parameters": "9B"}, "parameters: must be a whole number, not '9B'\n  it is a whole number above 0"),
        ({"parameters": True}, "parameters: must be a whole number"),
        ({"languages": ["de", False]}, "languages: must be text, not False\n  YAML reads no, yes"),
        ({"languages": "de"}, "languages: must be a list"),
        ({"modalities": ["image", "vidoe"]}, "unknown modalities 'vidoe'. Did you mean video"),
        ({"revision": 1234567}, 'revision: "1234567"'),
        ({"title": ""}, "title: '' is not possible\n  it is text that is not empty"),
        ({"chat": ["a"]}, "chat: must be a mapping"),
        ({"engine": {"vlm": {}}}, "unknown engine 'vlm'. Did you mean vllm"),
        ({"engine": {"vllm": None}}, "engine.vllm: must be a mapping"),
        ({"engine": {"vllm": {"trust_remote_code": True}}}, "--trust-remote-code"),
        ({"folder": "./weights"}, "give one of"),
        ({"parameters": 0}, "parameters: 0 is not possible\n  it is a whole number above 0"),
        (
            {"prices": {"input": 2}},
            "prices: {'input': 2.0} is not possible\n  it is dollars for a million tokens, both",
        ),
        ({"prices": {"input": -1, "output": 2}}, "prices.input: -1 is not possible\n  it is dollars"),
        ({"prices": {"input": "much", "output": 2}}, "prices.input: must be a number, not 'much'\n  it is dollars"),
        ({"prices": {"in": 1, "out": 2}}, "unknown key of prices 'in'. Did you mean input"),
        ({"prices": 3}, "prices: must be a mapping, not 3\n  it is dollars for a million tokens, both ways"),
        ({"engine": {"vllm": {"worker_cls": "x.Y"}}}, "engine.vllm.worker_cls: a card cannot name code"),
        ({"engine": {"vllm": {"a": float("inf")}}}, "engine.vllm.a: inf is not possible"),
        ({"chat": {"sytem": "x"}}, "unknown key of chat 'sytem'. Did you mean system"),
        ({"chat": {"content": "strings"}}, "unknown chat.content 'strings'. Did you mean string"),
        ({"chat": {"tokens_per_image": 0}}, "chat.tokens_per_image: 0 is not possible"),
        ({"numerics": {"vision_embed_scale": "halfway"}}, "unknown numerics.vision_embed_scale 'halfway'"),
        ({"numerics": {"scale": 1}}, "unknown key of numerics 'scale'"),
        ({"aliases": [7]}, 'aliases: must be text, not 7\n  put it in quotes: aliases: "7"'),
    ],
)
def test_a_broken_card_names_file_and_key_when_asked_for(
    here: Path, caplog: pytest.LogCaptureFixture, entries: dict[str, Any], said: str
) -> None:
    path = write_card(here / "models", "mine", **entries)
    write_card(here / "models", "other")
    with caplog.at_level(logging.WARNING):
        assert list(catalog.models()) == ["other"]
    assert str(path) in caplog.text
    with pytest.raises(UsageError) as raised:
        catalog.resolve_model("Mine")
    assert str(path) in str(raised.value) and said in str(raised.value)


def test_broken_yaml_of_a_card_is_reported(here: Path) -> None:
    (here / "models" / "mine.yaml").write_text("hub: org/mine\nnotes: [unclosed\n")
    with pytest.raises(UsageError, match="not valid YAML"):
        catalog.resolve_model("mine")


def test_names_aliases_hub_ids_and_revisions_lead_to_the_card(here: Path) -> None:
    write_card(here / "models", "tower-9b", aliases=["Tower+it-9B"], numerics={"vision_embed_scale": "unfolded"})
    for text in ("tower-9b", "TOWER-9B", "tower+it-9b", "org/tower-9b", "Org/Tower-9B"):
        card = catalog.resolve_model(text)
        assert (card.name, card.kind, card.revision) == ("tower-9b", "hub", "main")
    for text in ("tower-9b@v1.5", "org/tower-9b@v1.5"):
        card = catalog.resolve_model(text)
        assert card.revision == "v1.5" and card.numerics == {"vision_embed_scale": "unfolded"}


def test_a_name_wins_over_an_alias(here: Path) -> None:
    write_card(here / "models", "a", aliases=["b"])
    write_card(here / "models", "b")
    assert catalog.resolve_model("b").location == "org/b"


def test_other_hub_ids(here: Path) -> None:
    card = catalog.resolve_model("some-org/Some.Model_2@refs/pr/7")
    assert (card.name, card.kind, card.location) == ("Some.Model_2", "hub", "some-org/Some.Model_2")
    assert card.revision == "refs/pr/7"
    assert catalog.resolve_model("some-org/Model").revision == "main"


def test_servers(here: Path) -> None:
    card = catalog.resolve_model("openai:org/name@2:v@http://127.0.0.1:8000/v1")
    assert (card.kind, card.location, card.url) == ("server", "org/name@2:v", "http://127.0.0.1:8000/v1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no model is named"),
        ("openai:name", "openai:NAME@URL"),
        ("openai:name@127.0.0.1:8000", "openai:NAME@URL"),
        ("openai:name@http://user:secret@host/v1", "OPENAI_API_KEY"),
        ("./nothing", "no model folder ./nothing"),
        ("a/b/c", "no model folder a/b/c"),
        ("tower-9c", "Did you mean tower-9b"),
    ],
)
def test_what_is_no_model_is_said(here: Path, text: str, said: str) -> None:
    write_card(here / "models", "tower-9b")
    with pytest.raises(UsageError, match=said) as raised:
        catalog.resolve_model(text)
    assert "secret" not in str(raised.value)


def test_a_builtin_has_no_revisions(here: Path) -> None:
    (here / "models" / "tower-mini.yaml").write_text("builtin: tower-mini\n")
    with pytest.raises(UsageError, match="no revisions"):
        catalog.resolve_model("tower-mini@main")


# ── Folders ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("config", "modalities"),
    [
        ({"model_type": "gemma2"}, ()),
        ({"model_type": "llava_next", "vision_config": {}}, ("image", "multi-image")),
        ({"model_type": "llava_onevision", "vision_config": {}}, ("image", "multi-image", "video")),
        ({"model_type": "new", "vision_config": {}, "video_token_id": 7}, ("image", "multi-image", "video")),
    ],
)
def test_a_folder_tells_what_it_takes(here: Path, config: dict[str, Any], modalities: tuple[str, ...]) -> None:
    card = catalog.resolve_model(str(checkpoint(here / "run" / "final", config)))
    assert (card.kind, card.name, card.modalities) == ("folder", "final", modalities)


def test_a_folders_revision_is_its_content(here: Path) -> None:
    first = checkpoint(here / "a")
    revision = catalog.resolve_model("./a").revision
    (first / "README.md").write_text("about")
    (first / ".cache").mkdir()
    (first / ".cache" / "state.json").write_text("{}")
    assert catalog.resolve_model("a").revision == revision
    first.rename(here / "moved")
    assert catalog.resolve_model("./moved").revision == revision
    (here / "moved" / "model.safetensors").write_bytes(b"0123456780")
    changed = catalog.resolve_model("./moved").revision
    assert changed != revision
    (here / "moved" / "model.safetensors").rename(here / "moved" / "other.safetensors")
    assert catalog.resolve_model("./moved").revision not in (revision, changed)


def test_large_folders_are_sampled_from_end_to_end(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_models, "FULL_LIMIT", 1000)
    monkeypatch.setattr(local_models, "CHUNK", 10)
    monkeypatch.setattr(local_models, "CHUNKS", 4)
    weights = bytes(range(250)) * 10
    folder = checkpoint(here / "large", weights=weights)
    revision = local_models.content_digest(folder)
    assert revision.startswith("sampled-")
    seen = []
    for position in range(len(weights)):
        changed = bytearray(weights)
        changed[position] ^= 1
        (folder / "model.safetensors").write_bytes(changed)
        if local_models.content_digest(folder) != revision:
            seen.append(position)
    assert len(seen) == 40 and seen[0] == 0 and seen[-1] == len(weights) - 1
    assert 800 < seen[10] < 860, "the second chunk begins a third of the way"


def test_folders_that_are_no_checkpoints(here: Path) -> None:
    checkpoint(here / "training" / "checkpoint-500")
    with pytest.raises(UsageError, match="checkpoint-500"):
        catalog.resolve_model("./training")
    (here / "broken").mkdir()
    (here / "broken" / "config.json").write_text("{")
    with pytest.raises(UsageError, match="cannot read"):
        catalog.resolve_model("./broken")


def test_a_card_of_a_folder_is_relative_to_the_card(here: Path) -> None:
    (here / "models" / "mine.yaml").write_text("folder: ../weights\n")
    with pytest.raises(UsageError, match="no checkpoint"):
        catalog.resolve_model("mine")
    folder = checkpoint(here / "weights")
    card = catalog.resolve_model("mine")
    assert card.location == str(folder) and card.revision == local_models.content_digest(folder)


def test_trained_weights_replace_the_random_model(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_models, "builder_digest", lambda: "12345678")
    (here / "models" / "tower-mini.yaml").write_text("builtin: tower-mini\ntitle: small model\n")
    random = catalog.resolve_model("tower-mini")
    assert random.revision == "random-12345678" and "scores are at chance" in random.title
    folder = checkpoint(here / "models" / "tower-mini")
    trained = catalog.resolve_model("tower-mini")
    assert trained.revision == f"trained-{local_models.content_digest(folder)}" and trained.title == "small model"


# ── What is shipped ───────────────────────────────────────────────────────────────────────────────


def shipped_cards() -> list[cards.CardFile]:
    return list(cards.find_cards(REPOSITORY / "models"))


def test_every_shipped_file_is_a_good_card() -> None:
    assert len(shipped_cards()) == len(list((REPOSITORY / "models").glob("*.yaml")))
    assert [(file.path, file.problem) for file in shipped_cards() if file.problem] == []


@pytest.mark.parametrize("file", shipped_cards(), ids=lambda file: file.name)
def test_shipped_cards_say_enough(file: cards.CardFile) -> None:
    card = file.card
    assert isinstance(card, ModelCard)
    assert card.name == file.path.stem and card.title and card.licence and card.notes
    assert card.kind == "builtin" or "/" in card.location
    if card.kind != "builtin":  # what is not known is said, not guessed
        assert card.parameters or "parameter count" in card.notes.casefold()
        assert card.paper or "paper" in card.notes
    if "vllm" in card.engine and card.kind == "hub":
        assert card.engine["vllm"]["dtype"] == "bfloat16"
    if card.name.startswith("tower") and card.kind == "hub":
        assert card.numerics == {"vision_embed_scale": "unfolded"}


def test_every_model_of_the_papers_main_tables_has_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    published = yaml.safe_load((REPOSITORY / "results" / "published" / "towervision.yaml").read_text("utf-8"))
    names = {cell[1] for cell in published["cells"] if cell[0] in ("table1", "table2", "table3")}
    assert names
    resolved = {name: catalog.resolve_model(name) for name in names}
    assert len({card.name for card in resolved.values()}) == len(names)
    assert {card.kind for card in resolved.values()} == {"hub"}
