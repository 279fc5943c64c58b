"""Checkpoint folders that a stranger, or a bad cable, may have made: each change is done to a small good one."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tvbench.checkpoints.tensors import EMBEDDING, SCALED

Harm = Callable[[Path], None]
DEEP = "[" * 200_000
ESCAPE = "\x1b]0;owned\x07\x1b[31m"


def config(**changes: Any) -> Harm:
    """Values of config.json, by `part__name`."""

    def harm(folder: Path) -> None:
        path = folder / "config.json"
        held = json.loads(path.read_text())
        for name, value in changes.items():
            *parts, last = name.split("__")
            place = held
            for part in parts:
                place = place[part]
            place[last] = value
        path.write_text(json.dumps(held))

    return harm


def without(*names: str) -> Harm:
    """Keys of config.json left out."""

    def harm(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(
            json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key not in names})
        )

    return harm


def text(name: str, content: str | bytes) -> Harm:
    """A file with another content."""
    return lambda folder: (
        None if (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode()) else None
    )


def merged(name: str, **changes: Any) -> Harm:
    """Values of a JSON file."""

    def harm(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return harm


def gone(name: str) -> Harm:
    return lambda folder: (folder / name).unlink()


def a_folder(name: str) -> Harm:
    def harm(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()

    return harm


def a_pipe(name: str) -> Harm:
    def harm(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return harm


def a_loop(name: str) -> Harm:
    def harm(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(name)

    return harm


def header(content: Any, length: int | None = None, body: bytes = b"\0" * 64) -> Harm:
    """A safetensors file with a header of our own."""

    def harm(folder: Path) -> None:
        packed = content if isinstance(content, bytes) else json.dumps(content).encode()
        count = struct.pack("<Q", len(packed) if length is None else length)
        (folder / "model.safetensors").write_bytes(count + packed + body)

    return harm


def one_tensor(**changes: Any) -> Harm:
    return header({EMBEDDING: {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64]} | changes})


def weights(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Harm:
    def harm(folder: Path) -> None:
        path = folder / "model.safetensors"
        save_file(change(load_file(path)), path, metadata={"format": "pt"})

    return harm


def cut(part: float) -> Harm:
    def harm(folder: Path) -> None:
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])

    return harm


def index(weight_map: Any) -> Harm:
    """Shards by an index, as large models have it."""

    def harm(folder: Path) -> None:
        shutil.copy(folder / "model.safetensors", folder.parent / "outside.safetensors")
        (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))

    return harm


def pickled(folder: Path) -> None:
    """Weights that would run a program."""
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")


def foreign_and_pickled(folder: Path) -> None:
    (folder / "config.json").write_text(
        json.dumps(
            {
                "model_type": "llama",
                "architectures": ["LlamaForCausalLM"],
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 16,
                "vocab_size": 768,
            }
        )
    )
    pickled(folder)


def own_code(folder: Path) -> None:
    """A model that brings its program along."""
    config(model_type="evil", auto_map={"AutoConfig": "evil.Config", "AutoModel": "evil.Model"})(folder)
    (folder / "evil.py").write_text("open('owned', 'w').close()\n")


def own_code_in_the_tokenizer(folder: Path) -> None:
    merged("tokenizer_config.json", tokenizer_class="Evil", auto_map={"AutoTokenizer": ["evil.Evil", None]})(folder)
    (folder / "evil.py").write_text("open('owned', 'w').close()\n")


def template(content: str) -> Harm:
    return text("chat_template.jinja", content)


HOSTILE: dict[str, Harm] = {
    "config: empty": text("config.json", ""),
    "config: not UTF-8": text("config.json", b'{"model_type": "\xff\xfe"}'),
    "config: half": text("config.json", '{"model_type": "llava_onevision", "text'),
    "config: a list": text("config.json", "[1]"),
    "config: deep": text("config.json", '{"a": ' + DEEP),
    "config: deep and whole": text("config.json", '{"a": ' + "[" * 50_000 + "]" * 50_000 + "}"),
    "config: a number of 5,000 digits": text("config.json", '{"model_type": "llama", "a": ' + "9" * 5000 + "}"),
    "config: a folder": a_folder("config.json"),
    "config: a pipe": a_pipe("config.json"),
    "config: a link to itself": a_loop("config.json"),
    "config: text part a list": config(text_config=[1, 2]),
    "config: text part missing": without("text_config"),
    "config: text part names itself oddly": config(text_config__architectures=[3, None]),
    "config: vision part a text": config(vision_config="siglip"),
    "config: type a list": config(model_type=["llava_onevision"]),
    "config: type with escapes": config(model_type=f"llava{ESCAPE}"),
    "config: architectures a number": config(architectures=5),
    "config: marker a list": config(tvbench=["folded"]),
    "config: marker halfway": config(tvbench__vision_embed_scale={"a": 1}),
    "config: corrections a number": config(tvbench__corrections=3),
    "config: a billion layers": config(text_config__num_hidden_layers=10**9),
    "config: a billion layers in the tower": config(vision_config__num_hidden_layers=10**9),
    "config: hidden size of 10^15": config(text_config__hidden_size=10**15),
    "config: hidden size negative": config(text_config__hidden_size=-96),
    "config: hidden size a text": config(text_config__hidden_size="96"),
    "config: hidden size infinite": config(text_config__hidden_size=float("inf")),
    "config: vocabulary of 10^12": config(text_config__vocab_size=10**12),
    "config: no heads": config(text_config__num_attention_heads=0),
    "config: context a text": config(text_config__max_position_embeddings="long"),
    "config: patches of nothing": config(vision_config__patch_size=0),
    "config: tiles of 10^9 pixels": config(vision_config__image_size=10**9),
    "config: tiles a list": config(vision_config__image_size=[56, 56]),
    "config: layer a text": config(vision_feature_layer="last"),
    "config: layer far away": config(vision_feature_layer=-77),
    "config: grids a text": config(image_grid_pinpoints="(1x1),...,(6x6)"),
    "config: grids of 10^9": config(image_grid_pinpoints=[[10**9, 10**9]]),
    "config: 50,000 grids": config(image_grid_pinpoints=[[56, 56]] * 50_000),
    "config: ratio a number": config(vision_aspect_ratio=9),
    "config: dtype unknown": config(dtype="float7"),
    "config: dtype an object": config(dtype={"a": 1}),
    "config: dtype a function": config(dtype="load"),
    "config: version a list": config(transformers_version=[5, 19]),
    "config: image token a text": config(image_token_index="<image>"),
    "config: projector's activation unknown": config(projector_hidden_act="magic"),
    "config: cap a text": config(text_config__final_logit_softcapping="high"),
    "config: cap of nothing": config(text_config__final_logit_softcapping=0),
    "config: scalar of nothing": config(text_config__query_pre_attn_scalar=0),
    "config: scalar negative": config(text_config__query_pre_attn_scalar=-1),
    "config: rotation a text": config(text_config__rope_parameters="fast"),
    "config: quantised by nobody": config(quantization_config={"quant_method": "magic"}),
    "code of its own": own_code,
    "code of its own for the tokenizer": own_code_in_the_tokenizer,
    "tokenizer: nothing": text("tokenizer.json", ""),
    "tokenizer: an empty object": text("tokenizer.json", "{}"),
    "tokenizer: gone": gone("tokenizer.json"),
    "tokenizer: a pipe": a_pipe("tokenizer.json"),
    "tokenizer: a folder": a_folder("tokenizer.json"),
    "tokenizer: deep": text("tokenizer.json", '{"added_tokens": ' + DEEP),
    "tokenizer: tokens a number": merged("tokenizer.json", added_tokens=7),
    "tokenizer: tokens of numbers": merged("tokenizer.json", added_tokens=[1, 2]),
    "tokenizer: ids of text": merged("tokenizer.json", added_tokens=[{"id": "six", "content": "<image>"}]),
    "tokenizer: no model": merged("tokenizer.json", model=None),
    "tokenizer settings: a list": text("tokenizer_config.json", "[]"),
    "tokenizer settings: tokens of numbers": merged("tokenizer_config.json", bos_token=5, eos_token=[]),
    "tokenizer settings: length of nothing": merged("tokenizer_config.json", model_max_length="x"),
    "stops: a text": merged("generation_config.json", eos_token_id="end"),
    "stops: lists of lists": merged("generation_config.json", eos_token_id=[[1]]),
    "stops: a list": text("generation_config.json", "[1]"),
    "stops: 10^30": merged("generation_config.json", eos_token_id=10**30),
    "pictures: a list": text("preprocessor_config.json", "[]"),
    "pictures: a text": text("preprocessor_config.json", '"x"'),
    "pictures: sizes of text": merged("preprocessor_config.json", size={"height": "tall", "width": 5}),
    "pictures: sizes a text": merged("preprocessor_config.json", size="large"),
    "pictures: resampled by a text": merged("preprocessor_config.json", resample="best"),
    "pictures: resampled by 99": merged("preprocessor_config.json", resample=99),
    "pictures: mean a text": merged("preprocessor_config.json", image_mean="grey"),
    "pictures: spread of nothing": merged("preprocessor_config.json", image_std=[0, 0, 0]),
    "pictures: another class": merged("preprocessor_config.json", image_processor_type="os.system"),
    "pictures: grids a text": merged("preprocessor_config.json", image_grid_pinpoints="all"),
    "pictures: a pipe": a_pipe("preprocessor_config.json"),
    "clips: a list": text("video_preprocessor_config.json", "[]"),
    "another JSON file: a pipe": a_pipe("zzz.json"),
    "template: a billion rounds": template("{% for i in range(10**9) %}x{% endfor %}"),
    "template: rounds in rounds": template(
        "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}"
        "{% endfor %}x"
    ),
    "template: a long text": template("{{ messages[0]['role'] * 10**10 }}"),
    "template: a long constant": template("{{ 'x' * 10**11 }}"),
    "template: a tower of powers": template("{{ 9 ** 9 ** 9 ** 9 }}"),
    "template: a macro of itself": template("{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}"),
    "template: lorem ipsum": template("{{ lipsum(n=10**8) }}"),
    "template: wide": template("{{ '%9999999999d' % 1 }}"),
    "template: a way out": template("{{ ''.__class__.__mro__[1].__subclasses__() }}"),
    "template: no template": template("{% if %}"),
    "template: not UTF-8": text("chat_template.jinja", b"\xff\xfe{{ 1 }}"),
    "template: a pipe": a_pipe("chat_template.jinja"),
    "weights: nothing": text("model.safetensors", ""),
    "weights: gone": gone("model.safetensors"),
    "weights: half": cut(0.5),
    "weights: a few bytes": cut(0.0001),
    "weights: a header of 2^63": header({}, length=2**63),
    "weights: a header of 10^9": header({}, length=10**9),
    "weights: a header of noise": header(b"\xff" * 100),
    "weights: a deep header": header(DEEP[:100_000].encode()),
    "weights: a header of lists": header([1, 2]),
    "weights: no tensors": header({}, body=b""),
    "weights: dtype unknown": one_tensor(dtype="F7"),
    "weights: negative places": one_tensor(data_offsets=[-64, 0]),
    "weights: places that overlap": header(
        {
            EMBEDDING: {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64]},
            "image_newline": {"dtype": "F32", "shape": [4], "data_offsets": [48, 64]},
        }
    ),
    "weights: places beyond the end": one_tensor(data_offsets=[0, 10**15], shape=[10**15]),
    "weights: shape of 2^62": one_tensor(shape=[2**62, 2**62]),
    "weights: negative shape": one_tensor(shape=[-4, -4]),
    "weights: shape a text": one_tensor(shape="wide"),
    "weights: eight bits": one_tensor(dtype="F8_E5M2", shape=[8, 8]),
    "weights: embedding of one dimension": weights(lambda held: held | {EMBEDDING: held[EMBEDDING].flatten()}),
    "weights: newline of two dimensions": weights(lambda held: held | {"image_newline": held["image_newline"][None]}),
    "weights: newline of nothing": weights(lambda held: held | {"image_newline": torch.zeros(0)}),
    "weights: embedding of whole numbers": weights(lambda held: held | {EMBEDDING: held[EMBEDDING].to(torch.int8)}),
    "weights: projector of another shape": weights(lambda held: held | {SCALED[0]: torch.ones(7, 3)}),
    "weights: names with escapes": weights(lambda held: held | {f"vision_tower.{ESCAPE}": torch.ones(1)}),
    "weights: no embedding": weights(lambda held: {name: one for name, one in held.items() if name != EMBEDDING}),
    "weights: a folder": a_folder("model.safetensors"),
    "weights: a pipe": a_pipe("model.safetensors"),
    "weights: a link to itself": a_loop("model.safetensors"),
    "weights: a second file that is a pipe": a_pipe("model-2.safetensors"),
    "index: outside": index({EMBEDDING: "../outside.safetensors"}),
    "index: far outside": index({EMBEDDING: "/dev/zero"}),
    "index: nothing there": index({EMBEDDING: "model-00007-of-00009.safetensors"}),
    "index: a list": index(["x"]),
    "index: numbers": index({EMBEDDING: 3}),
    "index: noise": lambda folder: (index({})(folder), text("model.safetensors.index.json", "{")(folder))[0],
    "index: a pipe": lambda folder: (index({})(folder), a_pipe("model.safetensors.index.json")(folder))[0],
    "pickled": pickled,
    "pickled, of another family": foreign_and_pickled,
}
"""Folders that must be answered by a sentence, and what was done to them."""
