"""A small task, and servers of real models for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fault_server import FaultServer

Json = dict[str, Any]
LLAMA: Json = {
    "id": "served-model",
    "owned_by": "llamacpp",
    "created": 1,
    "meta": {
        "vocab_type": 2,
        "n_vocab": 49152,
        "n_ctx": 1024,
        "n_ctx_train": 8192,
        "n_embd": 576,
        "n_params": 134515008,
        "size": 96576768,
        "ftype": "Q4_1",
    },
}
PROPS: Json = {
    "model_path": "/models/a.gguf",
    "chat_template": "{{ a }}",
    "build_info": "b1",
    "total_slots": 4,
    "media_marker": "<__media_1__>",
    "default_generation_settings": {"n_ctx": 1024, "params": {"lora": []}},
}


def sentences(folder: Path, count: int = 12) -> Path:
    folder.mkdir(exist_ok=True)
    for code, word in (("en", "dog"), ("de", "Hund"), ("fr", "chien"), ("cs", "pes")):
        (folder / f"test_2016_flickr.{code}").write_text("".join(f"{word} number {n}\n" for n in range(count)))
    return folder


def serve_llama(server: FaultServer) -> None:
    server.pages |= {"/v1/models": {"data": [json.loads(json.dumps(LLAMA))]}, "/props": json.loads(json.dumps(PROPS))}
