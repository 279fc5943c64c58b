"""How a prompt begins: one `<bos>`, and in protocol `paper` as many as the software of its authors makes of it.

lmms-eval's llava_hf renders the chat template to text and has that text tokenised with special tokens. `as_llava_hf`
does just that, so that what is compared with is not our own reading of it.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alm_examples import alm_row
from engine_requests import ask, card_for, picture, serve
from task_data import write_jsonl

from tasks import alm, multi30k
from tvbench.checkpoints.prompt import Prompter
from tvbench.cli.main import main
from tvbench.engines.transformers import TransformersEngine
from tvbench.errors import UsageError
from tvbench.mini.checkpoint import build_tiny
from tvbench.runs import codec
from tvbench.runs.keys import content_key
from tvbench.runs.plan import Overrides, PlannedTask, plan_task
from tvbench.runs.signature import comparable, read_signature
from tvbench.types import BuildOptions, Media, Message, ModelCard

ADDS = {
    "type": "TemplateProcessing",
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}],
    "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}},
}
"""What tokenizer.json of a published Gemma model says."""
TURN = (Message("user", (Media("image", "a.png", lambda: b""), "Was ist das?")),)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("tiny"), seed=5)


def checkpoint(tiny: Path, folder: Path, kind: str, *, adds: bool, **config: Any) -> Path:
    """The tiny model with a tokenizer of the class `kind`; with `adds` its file says that it puts `<bos>` first."""
    shutil.copytree(tiny, folder)
    said = json.loads((folder / "tokenizer_config.json").read_text()) | {"tokenizer_class": kind} | config
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    tokens = json.loads((folder / "tokenizer.json").read_text()) | ({"post_processor": ADDS} if adds else {})
    (folder / "tokenizer.json").write_text(json.dumps(tokens))
    return folder


def as_llava_hf(tokenizer: Any, template: str | None) -> list[int]:
    turns = [{"role": "user", "content": "<image>\nWas ist das?"}]
    text = tokenizer.apply_chat_template(turns, chat_template=template, tokenize=False, add_generation_prompt=True)
    ids: list[int] = tokenizer(text)["input_ids"]
    return ids


# ── What the model is given ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["GemmaTokenizer", "GemmaTokenizerFast", "PreTrainedTokenizerFast"])
def test_a_tokenizer_that_adds_bos_gives_two_as_in_llava_hf(tiny: Path, tmp_path: Path, kind: str) -> None:
    folder = checkpoint(tiny, tmp_path / "model", kind, adds=True)
    prompter = Prompter(folder, card_for(folder))
    ids = prompter.encode(TURN, second_bos=True)
    assert ids == as_llava_hf(prompter.tokenizer, prompter.template)
    assert ids[:2] == [2, 2] and ids.count(2) == 2
    assert prompter.encode(TURN) == ids[1:]


@pytest.mark.parametrize(
    ("kind", "config", "count"),
    [
        ("PreTrainedTokenizerFast", {}, 1),  # the embedded model's
        ("GemmaTokenizerFast", {}, 2),  # transformers 4.5x adds it whatever the file says
        ("GemmaTokenizer", {"add_bos_token": True}, 2),
        ("GemmaTokenizer", {"add_bos_token": False}, 1),
    ],
)
def test_a_file_that_adds_none(tiny: Path, tmp_path: Path, kind: str, config: dict[str, Any], count: int) -> None:
    folder = checkpoint(tiny, tmp_path / "model", kind, adds=False, **config)
    prompter = Prompter(folder, card_for(folder))
    assert prompter.encode(TURN, second_bos=True).count(2) == count and prompter.encode(TURN).count(2) == 1


def test_a_template_without_bos_and_none_at_all_give_one(tiny: Path, tmp_path: Path) -> None:
    folder = checkpoint(tiny, tmp_path / "model", "GemmaTokenizer", adds=True)
    for template in ("{{messages[0].content}}", "none"):
        prompter = Prompter(folder, card_for(folder, chat={"template": template}))
        assert prompter.encode(TURN, second_bos=True).count(2) == 1, template


def test_the_transformers_engine_asks_as_the_request_says(tiny: Path, tmp_path: Path) -> None:
    folder = checkpoint(tiny, tmp_path / "model", "GemmaTokenizer", adds=True)
    engine = TransformersEngine(folder, card_for(folder), dtype="float32")
    one = ask("one", "Was ist das?", picture(1, (56, 56)))
    two = replace(one, request=replace(one.request, key="two", second_bos=True))
    try:
        answers = serve(engine, [one, two])
    finally:
        engine.close()
    assert answers["two"].tokens_in == (answers["one"].tokens_in or 0) + 1 and answers["two"].error is None


# ── Who asks for it, and where it is written down ─────────────────────────────────────────────────


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "test.jsonl", [alm_row("1_1_01_001", "a (Optionen: a, b, c, d)", file_name=None)])
    return tmp_path


def planned(data: Path, protocol: str = "paper", bos: str | None = None, kind: Any = "folder") -> PlannedTask:
    options = BuildOptions(protocol=protocol, data=data, with_media=False)
    return plan_task(alm.TASK, options, ModelCard("m", kind, "m"), Overrides(), bos)


@pytest.mark.parametrize(
    ("protocol", "bos", "second"),
    [
        ("paper", None, True),
        ("paper", "one", False),
        ("paper", "two", True),
        ("tvbench", None, False),
        ("official", None, False),
        ("tvbench", "two", True),
    ],
)
def test_protocol_paper_asks_for_it_and_the_command_line_overrules(
    data: Path, protocol: str, bos: str | None, second: bool
) -> None:
    task = planned(data, protocol, bos)
    (one,) = task.items
    assert one.item.second_bos == second
    signature = task.entry(ModelCard("m", "folder", "m"), "vllm@1").signature
    assert read_signature(signature).get("bos") == ("two" if second else None)
    assert not task.warnings or "bos" not in " ".join(task.warnings)


def test_keys_and_signatures_tell_the_two_apart_and_ordinary_keys_stay(data: Path) -> None:
    one, two = planned(data, bos="one"), planned(data, bos="two")
    assert one.items[0].key != two.items[0].key
    card = ModelCard("m", "folder", "m")
    assert comparable(one.entry(card, "e").signature) != comparable(two.entry(card, "e").signature)
    item = one.items[0].item
    assert content_key(item, "m", "r", ()) == content_key(replace(item, second_bos=False), "m", "r", ())
    assert "second_bos" not in codec.item_to_json(item)
    assert codec.item_from_json(codec.item_to_json(two.items[0].item)) == two.items[0].item


def test_a_server_is_not_claimed_to_have_had_it(data: Path) -> None:
    task = planned(data, kind="server")
    assert not task.items[0].item.second_bos
    assert any("a server renders them in its own way" in warning for warning in task.warnings)
    assert not planned(data, "tvbench", kind="server").warnings
    with pytest.raises(UsageError, match="--bos two: a server renders the prompt itself"):
        planned(data, bos="two", kind="server")


def test_the_command_line_names_another_run(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = set()
    for words in ([], ["--bos", "one"], ["--bos", "two"]):
        assert (
            main(
                [
                    "run",
                    "--model",
                    "tower-mini",
                    "--tasks",
                    "alm",
                    "--protocol",
                    "paper",
                    "--data",
                    str(data),
                    "--no-image",
                    "--dry-run",
                    "--format",
                    "json",
                    "--results",
                    str(tmp_path / "r"),
                    *words,
                ]
            )
            == 0
        )
        folders.add(json.loads(capsys.readouterr().out)["run"])
    assert len(folders) == 2


def test_every_protocol_of_the_authors_asks_for_it() -> None:
    assert alm.TASK.second_bos == multi30k.TASK.second_bos == ("paper",)
