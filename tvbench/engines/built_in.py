"""tvbench's own engines, declared as a stranger's is: transformers, vLLM, and any OpenAI-compatible server.

Each engine's own module is imported when it is opened, and no sooner. Knows the three engines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvbench.engines.spec import SERVED, EngineSpec, Opening, Option
from tvbench.registry.influence import PLACEMENT

if TYPE_CHECKING:
    from tvbench.engines.protocol import Engine
    from tvbench.types import ModelCard

YEAR = 365 * 24 * 3600
DTYPE = Option("dtype", str, choices=("bfloat16", "float16", "float32"), help="default: the checkpoint's own")
MAX_MODEL_LEN = Option("max_model_len", int, least=1, help="tokens that prompt and answer may have together")
NO_CODE = (
    "the {} engine never runs a model's own code\nleave --trust-remote-code out, use --engine vllm, or serve "
    "the model and use --model openai:NAME@URL"
)


def open_transformers(opening: Opening) -> Engine:
    """The embedded engine."""
    with _corrected(opening) as checkpoint:
        from tvbench.engines.transformers import TransformersEngine

        return TransformersEngine(checkpoint, opening.card)


def open_vllm(opening: Opening) -> Engine:
    """vLLM in this process, its environment set before anything imports torch."""
    from tvbench.engines.vllm_process import set_environment

    set_environment()  # before the checkpoint is looked at, which imports torch
    with _corrected(opening) as checkpoint:
        from tvbench.engines.vllm import VllmEngine

        return VllmEngine(checkpoint, opening.card)


def open_openai(opening: Opening) -> Engine:
    """A client of the card's server."""
    from tvbench.engines.openai.engine import OpenAIEngine
    from tvbench.registry.influence import prompt_settings

    card, given = opening.card, opening.arguments
    shaping: dict[str, Any] = {"card": card} if prompt_settings(card) or card.reasoning else {}
    return OpenAIEngine(
        card.location,
        card.url,
        concurrency=given["concurrency"],
        timeout_s=given["timeout"],
        retries=given["retries"],
        video=given["video"],
        **shaping,
        **key_argument(card),
    )


def key_argument(card: ModelCard) -> dict[str, Any]:
    """Nothing: the server gets the key of the environment. {"api_key": ""}: a server that only a card of the working
    directory names gets none."""
    return {"api_key": ""} if card.nearby else {}


@contextmanager
def _corrected(opening: Opening) -> Iterator[Path]:
    """The model's files, put right. What a library raises over them meanwhile becomes one sentence."""
    from tvbench.checkpoints.corrections import corrected
    from tvbench.checkpoints.hostile import one_sentence
    from tvbench.engines.local import local_checkpoint

    folder = local_checkpoint(opening.card, offline=opening.offline)
    with one_sentence(folder):
        checkpoint, _ = corrected(folder, opening.card)
        yield checkpoint


def _vllm_takes() -> frozenset[str] | None:
    from tvbench.engines.vllm_arguments import installed_arguments

    return installed_arguments()


TRANSFORMERS = EngineSpec(
    "transformers",
    "the embedded default: batched, on a CPU or one GPU",
    open_transformers,
    options=(
        DTYPE,
        Option(
            "batch_size",
            int,
            8,
            "requests that are answered together; answers do not depend on it",
            moves=False,
            least=1,
        ),
        MAX_MODEL_LEN,
        Option(
            "attention",
            str,
            choices=("eager", "flash_attention_2", "sdpa"),
            help="default: the best that is right for the model",
        ),
    ),
    needs=("torch", "transformers", "safetensors", "jinja2"),
    install="pip install 'tvbench[transformers]'",
    refused={"trust_remote_code": NO_CODE.format("transformers")},
)
VLLM = EngineSpec(
    "vllm",
    "for GPUs: vLLM in this process, with continuous batching and no batch size",
    open_vllm,
    options=(
        DTYPE,
        MAX_MODEL_LEN,
        Option("trust_remote_code", bool, help="let a model run code of its own", moves=False),
        Option(
            "image_backend",
            str,
            choices=("pil", "torchvision"),
            help="what prepares pictures; default: PIL for TowerVision and its family, torchvision for others; "
            "torchvision is four times as fast, and answers can differ",
        ),
        Option(
            "media_processes",
            int,
            help="processes that prepare pictures and clips; 0: the engine's own thread; default: one for four cores, "
            "8 at most; none where the model runs on the CPU",
            moves=False,
            least=0,
            most=64,
        ),
    ),
    needs=("vllm",),
    install="pip install 'tvbench[vllm]'",
    others=_vllm_takes,
    placement=PLACEMENT["vllm"],
    refused={
        "model": "model: --model says which model it is\nleave it out",
        "hf_token": "hf_token: arguments are written down, and a token must not be\nset HF_TOKEN in the environment",
    },
)
OPENAI = EngineSpec(
    "openai",
    "any OpenAI-compatible server, local or hosted",
    open_openai,
    kinds=SERVED,
    options=(
        Option("concurrency", int, 16, "requests under way", moves=False, least=1),
        Option("timeout", float, 120.0, "seconds for one request", moves=False, least=0.001, most=YEAR),
        Option("retries", int, 5, "tries after the first one", moves=False, least=0),
        Option(
            "video",
            str,
            "frames",
            "how a server gets a clip: pictures of its frames, or the file, which the server samples in its own way",
            choices=("frames", "video_url"),
        ),
    ),
    needs=("httpx",),
    install="pip install httpx",
    refused={"trust_remote_code": NO_CODE.format("openai")},
)
ENGINES: Mapping[str, EngineSpec] = {spec.name: spec for spec in (VLLM, TRANSFORMERS, OPENAI)}
