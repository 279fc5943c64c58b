"""The embedded engine: any local transformers checkpoint, batched, on a CPU or one GPU.

Requests of about the same length are computed together, padded on the left; an answer does not depend on its batch.
Puts right what transformers leaves out for Gemma2 inside LLaVA: the final soft-cap (log-probabilities, penalties and
sampling need it) and the attention soft-cap (so no sdpa). Weights are those of the corrected checkpoint. Knows no task
and no file of a run. torchvision is not needed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvbench.checkpoints.corrections import choose_dtype, corrected, corrections_of, read_config
from tvbench.checkpoints.prompt import Prompter
from tvbench.checkpoints.replies import TAIL
from tvbench.data.media.clips import Clip
from tvbench.engines.batches import append_right, take_alike
from tvbench.engines.inputs import Collated, EncodedRequest, LlavaInputs, ProcessorInputs, open_inputs
from tvbench.engines.protocol import EngineInfo, Feed, Prepared, Sight
from tvbench.engines.transformers_model import choose_attention, context_length, dropped_cap, load_model
from tvbench.errors import MediaError
from tvbench.registry.influence import argument_labels, score_arguments
from tvbench.types import ModelCard, Response

if TYPE_CHECKING:
    import torch

BATCH_SIZE = 8
WINDOW_BATCHES = 4
"""Of how many batches' requests the alike are chosen. More wastes less padding and holds more pictures in memory."""

WINDOW_BYTES = 192 << 20
"""Of media: of large pictures fewer are held."""


class TransformersEngine:
    """See engines/protocol.py. Raises EngineError when the model cannot be loaded whole.

    `card.engine["transformers"]` may set `batch_size`, `attention` (eager, flash_attention_2, sdpa), `dtype` and
    `max_model_len`; the arguments go before it.
    """

    def __init__(
        self,
        checkpoint: Path,
        card: ModelCard,
        *,
        dtype: str | None = None,
        batch_size: int | None = None,
        max_model_len: int | None = None,
    ) -> None:
        import transformers

        wanted = card.engine.get("transformers", {})
        self.folder, _ = corrected(checkpoint, card)
        config = read_config(self.folder)
        self.dtype = choose_dtype(config, dtype or wanted.get("dtype"))
        self.batch_size = batch_size or int(wanted.get("batch_size", BATCH_SIZE))
        self.attention = choose_attention(config, wanted.get("attention"))
        self.prompter = Prompter(self.folder, card)
        self.inputs = open_inputs(self.folder, config, self.prompter)
        self.sight = Sight(self.inputs.tile if isinstance(self.inputs, LlavaInputs) else None)
        self.model: Any = load_model(self.folder, config, self.dtype, self.attention)
        self.context = context_length(config, max_model_len or wanted.get("max_model_len"))
        self.cap = dropped_cap(config)
        settings: dict[str, Any] = argument_labels(score_arguments(card, "transformers"))
        settings |= {"dtype": self.dtype, "attention": self.attention}
        if corrections_of(config):
            settings["corrections"] = "+".join(corrections_of(config))
        if max_model_len:
            settings["max_model_len"] = max_model_len
        if (backend := getattr(self.inputs, "backend", "pil")) == "torchvision":
            settings["image_backend"] = backend
        self.info = EngineInfo("transformers", transformers.__version__, settings)

    def serve(self, feed: Feed) -> Iterator[Response]:
        """See Engine.serve."""
        pool: list[EncodedRequest] = []
        while (taken := self._taken(feed, pool)) or pool:
            yield from self._encoded(taken, pool)
            if pool:
                yield from self._answer(take_alike(pool, self.batch_size))

    def close(self) -> None:
        """Give the model's memory back."""
        import torch

        self.model = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _taken(self, feed: Feed, pool: Sequence[EncodedRequest]) -> list[Prepared]:
        """What comes to those in the pool: some batches in all, but no more clips than one batch takes."""
        there = [item.prepared for item in pool]
        size = self._most(there)
        held = sum(prepared.memory for prepared in there)
        taken: list[Prepared] = []
        while len(there) + len(taken) < size and held < WINDOW_BYTES:
            new = feed.take(min(self.batch_size, size - len(there) - len(taken)), wait=True)
            if not new:
                break
            taken.extend(new)
            held += sum(prepared.memory for prepared in new)
            size = min(size, self._most(new))
        return taken

    def _most(self, held: Sequence[Prepared]) -> int:
        """How many requests are held at the same time with these."""
        clips = any(isinstance(medium, Clip) for prepared in held for medium in prepared.media)
        return self.batch_size * (1 if clips else WINDOW_BATCHES)

    def _encoded(self, taken: list[Prepared], pool: list[EncodedRequest]) -> Iterator[Response]:
        """Empties `taken` into the pool: nobody else holds their media. What cannot be asked is answered."""
        while taken:
            item = self._encode(taken.pop(0))
            if isinstance(item, Response):
                yield item
            else:
                pool.append(item)

    def _encode(self, prepared: Prepared) -> EncodedRequest | Response:
        try:
            return self.inputs.encode(prepared)
        except (MediaError, ValueError) as error:
            return failed(prepared, str(error))
        except Exception as error:  # noqa: BLE001 - what a processor raises on one picture is that item's failure
            return failed(prepared, _reason(error))

    def _answer(self, batch: list[EncodedRequest]) -> list[Response]:
        """Answer a batch; where it breaks, its items are asked one by one, and only the bad ones fail."""
        import torch

        try:
            return self._run(batch)
        except Exception as error:  # noqa: BLE001 - any failure of a model is recorded in its item's response
            if len(batch) == 1:
                return [failed(batch[0].prepared, _reason(error))]
            out_of_memory = is_out_of_memory(error)
        # Outside the handler, so that the traceback no longer holds the batch's tensors.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        size = (len(batch) + 1) // 2 if out_of_memory else 1
        if out_of_memory:
            self.batch_size = size
        parts = [batch[start : start + size] for start in range(0, len(batch), size)]
        return [response for part in parts for response in self._answer(part)]

    def _run(self, batch: list[EncodedRequest]) -> list[Response]:
        started = time.perf_counter()
        collated = self.inputs.collate(batch)
        room = [self.context - length for length in collated.lengths]
        needed = [self._needed(item) for item in batch]
        fitting = [row for row in range(len(batch)) if room[row] >= needed[row]]
        if len(fitting) < len(batch):
            long = [row for row in range(len(batch)) if room[row] < needed[row]]
            failures = [failed(batch[row].prepared, self._too_long(collated.lengths[row])) for row in long]
            return failures + (self._run([batch[row] for row in fitting]) if fitting else [])
        tensors = {name: self._placed(value) for name, value in collated.tensors.items()}
        moved = Collated(tensors, collated.lengths)
        if batch[0].prepared.request.continuation is not None:
            return self._score(batch, moved, started)
        return self._generate(batch, moved, room, started)

    def _needed(self, item: EncodedRequest) -> int:
        """Tokens that must fit after the prompt."""
        continuation = item.prepared.request.continuation
        return 1 if continuation is None else len(self.prompter.continuation(continuation))

    def _too_long(self, length: int) -> str:
        return f"the prompt of {length} tokens does not fit into the model's context of {self.context}"

    def _generate(
        self, batch: list[EncodedRequest], collated: Collated, room: Sequence[int], started: float
    ) -> list[Response]:
        import torch
        from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

        from tvbench.engines.sampling import RowEnd, RowSampler, is_plain_greedy

        requests = [item.prepared.request for item in batch]
        width = collated.tensors["input_ids"].shape[1]
        replies = self.prompter.replies
        prompts = [
            ids[width - length :]
            for ids, length in zip(collated.tensors["input_ids"].tolist(), collated.lengths, strict=True)
        ]
        limits = [min(replies.limit(request.sampling), free) for request, free in zip(requests, room, strict=True)]
        end = RowEnd(
            width,
            limits,
            self.prompter.end_ids,
            [replies.stops(request.sampling, prompt) for request, prompt in zip(requests, prompts, strict=True)],
            lambda ids: self.prompter.answer(ids, ()),
        )
        processors = LogitsProcessorList()
        if not all(is_plain_greedy(request.sampling) for request in requests):
            processors.append(RowSampler(requests, [width - length for length in collated.lengths], self.cap))
        with torch.inference_mode():
            output = self.model.generate(
                **collated.tensors,
                generation_config=GenerationConfig(max_new_tokens=max(limits), do_sample=False, use_cache=True),
                logits_processor=processors,
                stopping_criteria=StoppingCriteriaList([end]),
            )
        seconds = time.perf_counter() - started
        return [
            self._read(item, prompts[row], tokens[: end.used[row] or None], end.finish[row], seconds)
            for row, (item, tokens) in enumerate(zip(batch, output[:, width:].tolist(), strict=True))
        ]

    def _read(
        self, item: EncodedRequest, prompt: Sequence[int], tokens: Sequence[int], finish: str, seconds: float
    ) -> Response:
        """What was generated for one request."""
        request = item.prepared.request
        reply = self.prompter.replies.read(tokens, prompt, request.sampling, finish)
        return Response(
            request.key,
            text=reply.text,
            finish=reply.finish,
            tokens_in=len(prompt),
            tokens_out=len(tokens),
            seconds=seconds,
            notes=item.prepared.notes,
            reasoning=reply.reasoning,
            tokens_thinking=reply.tokens_thinking,
        )

    def _score(self, batch: list[EncodedRequest], collated: Collated, started: float) -> list[Response]:
        """Log-probabilities of each row's continuation, appended on the right of the left-padded prompts."""
        import torch

        from tvbench.engines.sampling import soft_cap

        wanted = [self.prompter.continuation(item.prepared.request.continuation or "") for item in batch]
        longest = max(map(len, wanted))
        prompts = collated.tensors["input_ids"][:, -TAIL:].tolist()
        tensors = append_right(collated.tensors, wanted, longest)
        if not isinstance(self.inputs, ProcessorInputs):
            # Models with a processor of their own may count positions otherwise (M-RoPE), and do so themselves.
            tensors["position_ids"] = (tensors["attention_mask"].cumsum(1) - 1).clamp(min=0)
        with torch.inference_mode():
            logits = self.model(**tensors, use_cache=False, logits_to_keep=longest + 1).logits[:, :-1]
        logs = soft_cap(logits, self.cap).log_softmax(-1).cpu()
        seconds = time.perf_counter() - started
        return [
            Response(
                item.prepared.request.key,
                text=item.prepared.request.continuation,
                finish="stop",
                tokens_in=collated.lengths[row],
                tokens_out=0,
                seconds=seconds,
                logprobs=tuple(float(logs[row, place, token]) for place, token in enumerate(wanted[row])),
                notes=item.prepared.notes + self.prompter.replies.scoring_notes(prompts[row]),
            )
            for row, item in enumerate(batch)
        ]

    def _placed(self, value: torch.Tensor) -> torch.Tensor:
        """On the model's device; pixels in the model's dtype."""
        moved = value.to(self.model.device)
        return moved.to(self.model.dtype) if moved.is_floating_point() else moved


def failed(prepared: Prepared, reason: str) -> Response:
    """The failed response of one request."""
    return Response(prepared.request.key, error=reason, notes=prepared.notes)


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, on the GPU or on the CPU (where torch raises a plain RuntimeError)."""
    import torch

    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)


def _reason(error: Exception) -> str:
    if is_out_of_memory(error):
        return "out of memory with this one item; use a smaller --max-model-len or fewer frames"
    return f"{type(error).__name__}: {error}"
