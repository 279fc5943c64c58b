"""The throughput engine: vLLM in this process, fed continuously through a bounded window.

There is no batch size: requests are handed over while others are being answered, until about twice as many wait as
vLLM runs at once. Prompts come as token ids from checkpoints/prompt.py, every sampling field is explicit, and pictures
go through the PIL code path, so that answers can be compared with the transformers engine item by item. Knows no task
and no file of a run. vLLM itself is imported only when the engine is opened, after its environment is set.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvbench.checkpoints.corrections import choose_dtype, corrected, corrections_of, read_config
from tvbench.checkpoints.prompt import Prompter
from tvbench.data.media.anyres import picture_rows
from tvbench.engines.inputs import OWN_INPUTS, clip_length, has_vision
from tvbench.engines.media_workers import MediaWorkers, usual_processes
from tvbench.engines.protocol import EngineInfo, Feed, Prepared, Sight
from tvbench.engines.vllm_guard import Guard
from tvbench.engines.vllm_process import death_of, flight_bytes, interruptible, runs_on_cpu, watch
from tvbench.engines.vllm_prompts import PIL, TORCHVISION, media_of, names_of
from tvbench.engines.vllm_rendering import Coming, Rendering, memory_of
from tvbench.errors import EngineError, MediaError
from tvbench.registry.influence import argument_labels, score_arguments
from tvbench.types import ModelCard, Response

if TYPE_CHECKING:
    from vllm import SamplingParams

CPU_SEQUENCES = 32
PROCESSES, BACKEND = "media_processes", "image_backend"
MANY_IMAGES = 8
"""Pictures a prompt may hold where the card says `multi-image` and no number."""

WAITING_BYTES = 512 << 20
"""Of media that are being prepared, or wait for their turn."""
WAIT_S = 1.0
"""For a process that prepares media, where there is nothing else to do; then it is looked whether any is left."""


@dataclass(slots=True)
class _Flight:
    """A request that vLLM will have or has, and has not answered. `scored` are the ids of a continuation, if one is
    scored; `frames` is the length of its clips (0: none); `memory` are the bytes of media that it waits with."""

    prepared: Prepared
    coming: Coming | None
    params: SamplingParams
    scored: list[int] | None
    frames: int
    started: float
    memory: int = 0


class VllmEngine:
    """See engines/protocol.py. Raises EngineError when vLLM or the model does not start.

    `card.engine["vllm"]` and `extra` are constructor arguments of `vllm.LLM`; `extra` wins, and `dtype` and
    `max_model_len` win over both.
    """

    def __init__(
        self,
        checkpoint: Path,
        card: ModelCard,
        *,
        dtype: str | None = None,
        max_model_len: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        on_cpu = runs_on_cpu()
        self.folder, _ = corrected(checkpoint, card)
        config = read_config(self.folder)
        wanted: dict[str, Any] = {**card.engine.get("vllm", {}), **(extra or {})}
        wanted["dtype"] = choose_dtype(config, dtype or wanted.get("dtype"))
        if max_model_len is not None:
            wanted["max_model_len"] = max_model_len
        processes = wanted.pop(PROCESSES, None)
        usual = usual_backend(config)
        self.backend = wanted.pop(BACKEND, None) or usual
        self.arguments = arguments(self.folder, config, card, wanted, on_cpu=on_cpu, backend=self.backend)
        self.frame_size = int(config["vision_config"]["image_size"]) if is_own(config) else None
        self.sight = Sight(self.frame_size)
        self.prompter = Prompter(self.folder, card)
        self._guard = Guard()
        processes = usual_processes(on_cpu=on_cpu) if processes is None else processes
        workers = MediaWorkers(processes if has_vision(config) else 0, self.arguments)
        try:
            self._llm: Any = start(self.arguments)
        except BaseException:
            workers.close()
            self._guard.stop()
            raise
        self._engine: Any = self._llm.llm_engine
        self.rendering = Rendering(self._engine.renderer, workers)
        watch(self._engine.engine_core)
        self.flight_bytes = flight_bytes()
        self.window = 2 * int(self._engine.vllm_config.scheduler_config.max_num_seqs)
        self._flights: dict[str, _Flight] = {}
        self._held = 0
        self._number = 0
        settings = recorded_settings(card, config, wanted)
        if self.backend != usual:
            settings[BACKEND] = self.backend
        self.info = EngineInfo("vllm", version(), settings)

    def serve(self, feed: Feed) -> Iterator[Response]:
        """See Engine.serve. A step of the engine comes between any two look-ups for new work."""
        try:
            yield from self._answers(feed)
        except GeneratorExit:
            self._drop_all()
            raise

    def _answers(self, feed: Feed) -> Iterator[Response]:
        waiting: deque[_Flight] = deque()
        while True:
            idle = not self._flights and not waiting
            room = self._room(waiting)
            taken = feed.take(room, wait=idle) if room > 0 else []
            if idle and not taken:
                return
            for prepared in taken:
                begun = self._begin(prepared)
                if isinstance(begun, Response):
                    yield begun
                else:
                    waiting.append(begun)
            yield from self._hand_over(waiting)
            if self._flights:
                yield from self._step()

    def _room(self, waiting: Collection[_Flight]) -> int:
        """How many more requests may be taken: few enough to be under way at once, and to be in memory."""
        if sum(flight.coming.memory for flight in waiting if flight.coming) > WAITING_BYTES:
            return 0
        ahead = self.rendering.workers.ahead or self.window
        return min(ahead - len(waiting), self.window - len(self._flights) - len(waiting))

    def _hand_over(self, waiting: deque[_Flight]) -> Iterator[Response]:
        """Give vLLM what is ready of `waiting`, as far as its media fit into memory; failed responses for what it
        refuses. Where it has nothing to do, something to be ready is waited for."""
        busy = self._flights or any(map(self._may_go, waiting))
        self.rendering.workers.poll(0.0 if busy else WAIT_S)
        for _ in range(len(waiting)):
            flight = waiting.popleft()
            if not self._may_go(flight):
                waiting.append(flight)
            elif (refused := self._submit(flight)) is not None:
                yield refused

    def _may_go(self, flight: _Flight) -> bool:
        assert flight.coming is not None
        crowded = bool(self._flights) and self._held > self.flight_bytes
        return not crowded and not self._collides(flight) and self.rendering.ready(flight.coming)

    def _drop_all(self) -> None:
        """Whoever iterated has given up: what vLLM still has is no answer to the next feed."""
        numbers = list(self._flights)
        self._flights.clear()
        self._held = 0
        self.rendering.drop_all()
        if numbers and self._engine is not None:
            self._engine.abort_request(numbers)

    def close(self) -> None:
        """Stop the engine and give its memory back."""
        self.rendering.workers.close()
        if self._llm is not None:
            self._engine.engine_core.shutdown()
        self._llm = self._engine = None
        self._guard.stop()

    def _collides(self, waiting: _Flight) -> bool:
        """Whether a clip must wait. vLLM's LLaVA-OneVision (0.32) dies when it encodes clips of different lengths in
        one step, so that only clips of one length are under way at any time; a task's clips mostly have the same."""
        lengths = {flight.frames for flight in self._flights.values() if flight.frames}
        return bool(waiting.frames) and bool(lengths - {waiting.frames})

    def _begin(self, prepared: Prepared) -> _Flight | Response:
        """Have a request's media prepared; a failed response where no prompt can be made of it."""
        started = time.perf_counter()
        try:
            frames = 0 if self.frame_size is None else clip_length(prepared)
            prompt, scored = self._prompt(prepared)
            params = self._params(prepared, scored, prompt["prompt_token_ids"])
            coming = self.rendering.begin(prompt, prepared.memory)
        except Exception as error:  # noqa: BLE001 - refusals share no class; each is recorded
            return self._refused(prepared, error)
        # The prompt has the media by now.
        kept = replace(prepared, media=(), encoded=())
        return _Flight(kept, coming, params, scored, frames, started)

    def _submit(self, flight: _Flight) -> Response | None:
        """Hand one request over; a failed response when vLLM says no (too long, too many pictures)."""
        from vllm.v1.engine.exceptions import EngineDeadError

        coming, flight.coming = flight.coming, None
        assert coming is not None
        try:
            rendered = self.rendering.render(coming)
            self._number += 1
            number = str(self._number)
            self._engine.add_request(number, rendered, flight.params)
        except EngineDeadError as error:
            raise self._stopped(error) from error
        except Exception as error:  # vLLM's and the processors' refusals share no class; each is recorded
            if death_of(self._engine.engine_core) is not None:
                raise self._stopped(error) from error
            self.rendering.forget(coming.names)
            return self._refused(flight.prepared, error)
        flight.memory = memory_of(rendered)
        self._held += flight.memory
        self._flights[number] = flight
        return None

    def _refused(self, prepared: Prepared, error: Exception) -> Response:
        reason = str(error) if isinstance(error, MediaError) else f"vLLM refused the request: {_first_line(error)}"
        return Response(prepared.request.key, error=reason, notes=prepared.notes)

    def _prompt(self, prepared: Prepared) -> tuple[dict[str, Any], list[int] | None]:
        request = prepared.request
        ids = self.prompter.encode(request.messages, second_bos=request.second_bos)
        scored = None if request.continuation is None else self.prompter.continuation(request.continuation)
        prompt: dict[str, Any] = {"prompt_token_ids": ids + (scored or [])}
        if prepared.media:
            prompt["multi_modal_data"] = media_of(prepared, self.frame_size)
            prompt["multi_modal_uuids"] = names_of(prepared, self.frame_size, self.backend)
        return prompt, scored

    def _params(self, prepared: Prepared, scored: list[int] | None, prompt: Sequence[int] = ()) -> SamplingParams:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        from tvbench.engines.sampling import request_seed

        asked = prepared.request.sampling
        scoring = scored is not None
        replies = self.prompter.replies
        stop = () if scoring else replies.stops(asked, prompt)
        # A schema would forbid the thinking: the reply is read with care anyway.
        thinks = replies.thinking.on or (bool(prepared.request.reply_schema) and replies.opened(prompt))
        return SamplingParams(
            n=1,
            temperature=0.0 if scoring else asked.temperature,
            top_p=asked.top_p,
            top_k=asked.top_k,
            min_p=0.0,
            repetition_penalty=1.0 if scoring else asked.repetition_penalty,
            presence_penalty=0.0,
            frequency_penalty=0.0,
            seed=request_seed(prepared.request) if asked.temperature > 0 else None,
            max_tokens=1 if scoring else replies.limit(asked),
            min_tokens=0,
            stop=None if scoring else list(stop),
            stop_token_ids=list(self.prompter.end_ids),
            include_stop_str_in_output=True,
            detokenize=bool(stop),
            skip_special_tokens=True,
            prompt_logprobs=0 if scoring else None,
            output_kind=RequestOutputKind.FINAL_ONLY,
            **_held_to("" if thinks else prepared.request.reply_schema),
        )

    def _step(self) -> list[Response]:
        try:
            outputs = self._engine.step()
        except Exception as error:
            raise self._stopped(error) from error
        # What was given up in an earlier turn may still report its end.
        return [self._response(output) for output in outputs if output.finished and output.request_id in self._flights]

    def _stopped(self, error: Exception) -> EngineError:
        reason = death_of(self._engine.engine_core, wait_s=2.0) or _first_line(error)
        return EngineError(f"vLLM stopped: {reason}", "the same command goes on where it stopped")

    def _response(self, output: Any) -> Response:
        flight = self._flights.pop(output.request_id)
        self._held -= flight.memory
        request, completion = flight.prepared.request, output.outputs[0]
        seconds = time.perf_counter() - flight.started
        tokens_in = len(output.prompt_token_ids)
        if flight.scored is not None:
            rows = output.prompt_logprobs[-len(flight.scored) :]
            logs = tuple(float(row[token].logprob) for row, token in zip(rows, flight.scored, strict=True))
            return Response(
                request.key,
                text=request.continuation,
                finish="stop",
                tokens_in=tokens_in - len(flight.scored),
                tokens_out=0,
                seconds=seconds,
                logprobs=logs,
                notes=flight.prepared.notes
                + self.prompter.replies.scoring_notes(output.prompt_token_ids[: -len(flight.scored)]),
            )
        if completion.finish_reason not in ("stop", "length"):
            reason = f"vLLM ended the answer with '{completion.finish_reason}'"
            return Response(request.key, error=reason, notes=flight.prepared.notes)
        reply = self.prompter.replies.read(
            completion.token_ids, output.prompt_token_ids, request.sampling, completion.finish_reason
        )
        return Response(
            request.key,
            text=reply.text,
            finish=reply.finish,
            tokens_in=tokens_in,
            tokens_out=len(completion.token_ids),
            seconds=seconds,
            notes=flight.prepared.notes,
            reasoning=reply.reasoning,
            tokens_thinking=reply.tokens_thinking,
        )


def _held_to(schema: str) -> dict[str, Any]:
    """The argument that makes vLLM write JSON of `schema` only; none where no schema is asked for."""
    if not schema:
        return {}
    from vllm.sampling_params import StructuredOutputsParams

    return {"structured_outputs": StructuredOutputsParams(json=schema)}


def arguments(
    folder: Path,
    config: dict[str, Any],
    card: ModelCard,
    wanted: Mapping[str, Any],
    *,
    on_cpu: bool,
    backend: str | None = None,
) -> dict[str, Any]:
    """Constructor arguments for `vllm.LLM`: `wanted`, over defaults that suit the machine and the model. `backend`
    prepares the pictures."""
    chosen: dict[str, Any] = {
        "model": str(folder),
        # Otherwise the checkpoint's generation_config.json would change sampling behind our back.
        "generation_config": "vllm",
        "seed": 0,
        "disable_log_stats": True,
        # A reply that is held to a schema must not run through its tokens in blanks.
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
    }
    if has_vision(config):
        chosen["limit_mm_per_prompt"] = media_limits(config, card)
    if has_vision(config) and (backend or usual_backend(config)) == PIL:
        # torchvision's bicubic differs from PIL's. This is the older spelling of `backend="pil"`, which would reach
        # OneVision's video processor too, and that has no PIL backend.
        chosen["mm_processor_kwargs"] = {"use_fast": False}
    length = wanted.get("max_model_len") or (config.get("text_config") or config).get("max_position_embeddings")
    if is_own(config) and length:
        # A prompt's pictures are encoded in one go, so that all of them must fit into one step.
        needed = min(int(length), chosen["limit_mm_per_prompt"]["image"] * most_tokens(config))
        if needed > usual_step():
            chosen["max_num_batched_tokens"] = needed
    if on_cpu:
        chosen |= {"enforce_eager": True, "max_num_seqs": CPU_SEQUENCES, "skip_mm_profiling": has_vision(config)}
    return chosen | {name: value for name, value in wanted.items() if value is not None}


def recorded_settings(card: ModelCard, config: dict[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What of `wanted` can move a score: the card's arguments that can, the dtype and the context as they are used."""
    used = score_arguments(replace(card, engine={"vllm": wanted}), "vllm")
    settings = argument_labels({name: value for name, value in used.items() if name != "trust_remote_code"})
    if corrections_of(config):
        settings["corrections"] = "+".join(corrections_of(config))
    return settings


def usual_backend(config: Mapping[str, Any]) -> str:
    """What prepares pictures where nobody says: other families get what transformers chooses where torchvision is,
    without which there is no vLLM."""
    return PIL if is_own(config) else TORCHVISION


def most_tokens(config: Mapping[str, Any]) -> int:
    """Of one picture, in a family of our own."""
    tile, patch = int(config["vision_config"]["image_size"]), int(config["vision_config"]["patch_size"])
    grids = [list(map(int, grid)) for grid in config["image_grid_pinpoints"]]
    return max(picture_rows((grid[0], grid[1]), grids, tile, tile // patch, None) for grid in grids)


def usual_step() -> int:
    """Tokens that vLLM computes in one step here, where nobody says how many."""
    from vllm.engine.arg_utils import EngineArgs
    from vllm.usage.usage_lib import UsageContext

    return int(EngineArgs.get_batch_defaults(1)[0].get(UsageContext.LLM_CLASS, 0))


def is_own(config: Mapping[str, Any]) -> bool:
    """Whether it is of a family whose media tvbench prepares alike for both local engines (TowerVision's)."""
    return config.get("model_type") in OWN_INPUTS


def media_limits(config: Mapping[str, Any], card: ModelCard) -> dict[str, int]:
    """How many pictures and clips one prompt may hold, from the card's modalities."""
    limits = {"image": MANY_IMAGES if "multi-image" in card.modalities else int("image" in card.modalities)}
    if "video_token_index" in config or "video_token_id" in config:
        limits["video"] = int("video" in card.modalities)
    return limits


def start(chosen: Mapping[str, Any]) -> Any:
    """A `vllm.LLM`. Raises EngineError when it is not installed or does not start."""
    try:
        from vllm import LLM

        with interruptible():
            return LLM(**chosen)
    except ImportError as error:
        raise EngineError(f"vLLM cannot be imported: {error}", "install it, or use --engine transformers") from error
    except Exception as error:
        hint = "run with VLLM_LOGGING_LEVEL=INFO for its own log, or use --engine transformers"
        raise EngineError(f"vLLM cannot load the model: {_first_line(error)}", hint) from error


def version() -> str:
    """vLLM's version."""
    import vllm

    return str(vllm.__version__)


def _first_line(error: Exception) -> str:
    """What was wrong, in a line. The first one of pydantic's reports only counts the faults, the next names one."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    wanted = 1 if "validation error" in lines[0] and len(lines) > 1 else 0
    return lines[wanted].strip()[:300]
