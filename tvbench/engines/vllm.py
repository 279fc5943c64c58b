"""The throughput engine: vLLM in this process, fed continuously through a bounded window.

There is no batch size: requests are handed over while others are being answered, until about twice as many wait as
vLLM runs at once. Prompts come as token ids from checkpoints/prompt.py. What vLLM is started with is in
vllm_settings.py, what it is asked and what it answers in vllm_answers.py. Knows no task and no file of a run. vLLM
itself is imported only when the engine is opened, after its environment is set.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvbench.checkpoints.corrections import choose_dtype, corrected, read_config
from tvbench.checkpoints.prompt import Prompter
from tvbench.engines.inputs import clip_length, has_vision
from tvbench.engines.media_workers import MediaWorkers, usual_processes
from tvbench.engines.protocol import EngineInfo, Feed, Prepared, Sight
from tvbench.engines.vllm_answers import response, sampling_params
from tvbench.engines.vllm_guard import Guard
from tvbench.engines.vllm_process import death_of, first_line, flight_bytes, runs_on_cpu, start, version, watch
from tvbench.engines.vllm_prompts import media_of, names_of
from tvbench.engines.vllm_rendering import Coming, Rendering, memory_of
from tvbench.engines.vllm_settings import BACKEND, PROCESSES, arguments, is_own, recorded_settings, usual_backend
from tvbench.errors import EngineError, MediaError
from tvbench.types import ModelCard, Response

if TYPE_CHECKING:
    from vllm import SamplingParams

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
            params = sampling_params(self.prompter, prepared, scored, prompt["prompt_token_ids"])
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
        reason = str(error) if isinstance(error, MediaError) else f"vLLM refused the request: {first_line(error)}"
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

    def _step(self) -> list[Response]:
        try:
            outputs = self._engine.step()
        except Exception as error:
            raise self._stopped(error) from error
        # What was given up in an earlier turn may still report its end.
        return [self._landed(output) for output in outputs if output.finished and output.request_id in self._flights]

    def _landed(self, output: Any) -> Response:
        flight = self._flights.pop(output.request_id)
        self._held -= flight.memory
        seconds = time.perf_counter() - flight.started
        return response(self.prompter, flight.prepared, flight.scored, output, seconds)

    def _stopped(self, error: Exception) -> EngineError:
        reason = death_of(self._engine.engine_core, wait_s=2.0) or first_line(error)
        return EngineError(f"vLLM stopped: {reason}", "the same command goes on where it stopped")
