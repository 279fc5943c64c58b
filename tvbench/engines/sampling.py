"""How a token is drawn and when an answer ends, row by row, inside transformers' `generate`.

A row's answer depends on its own request only, never on its neighbours in the batch: each has its own settings and its
own random stream. Nothing is taken from a checkpoint's generation_config. Imports torch; knows no model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import torch
from transformers import LogitsProcessor, StoppingCriteria

from tvbench.types import Request, Sampling

NOTHING = float("-inf")


def request_seed(request: Request) -> int:
    """The seed of a request's random stream (31 bits). The key holds the repeat index, so repeats differ."""
    digest = hashlib.sha256(f"{request.sampling.seed}:{request.key}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def soft_cap(logits: torch.Tensor, cap: float | None) -> torch.Tensor:
    """Gemma2's final soft-cap, `cap * tanh(logits / cap)`, in float32; unchanged without a cap."""
    logits = logits.float()
    return logits if cap is None else torch.tanh(logits / cap) * cap


def is_plain_greedy(sampling: Sampling) -> bool:
    """Whether the likeliest token is taken as it is. `generate` does that itself, and a soft-cap, which keeps the
    order of the logits, changes nothing."""
    return sampling.temperature <= 0 and sampling.repetition_penalty == 1.0


class RowSampler(LogitsProcessor):  # type: ignore[misc]
    """Draws each row's next token and leaves only that one possible, so that greedy `generate` must take it.

    `cap` is a final soft-cap that the model class leaves out; `padding` are the left-padded positions of each row.
    """

    def __init__(self, requests: Sequence[Request], padding: Sequence[int], cap: float | None) -> None:
        self.settings = [request.sampling for request in requests]
        self.streams = [torch.Generator().manual_seed(request_seed(request)) for request in requests]
        self.padding = padding
        self.cap = cap

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.Tensor:
        logits = soft_cap(scores, self.cap)
        chosen = torch.full_like(logits, NOTHING)
        for row, settings in enumerate(self.settings):
            seen = input_ids[row, self.padding[row] :]
            token = draw(penalised(logits[row], seen, settings.repetition_penalty), settings, self.streams[row])
            chosen[row, token] = 0.0
        return chosen


def penalised(logits: torch.Tensor, seen: torch.Tensor, penalty: float) -> torch.Tensor:
    """Logits (vocabulary,) of tokens already in the prompt or answer made less likely (Keskar et al. 2019)."""
    if penalty == 1.0:
        return logits
    tokens = seen.unique()
    values = logits[tokens]
    return logits.scatter(0, tokens, torch.where(values > 0, values / penalty, values * penalty))


def draw(logits: torch.Tensor, settings: Sampling, stream: torch.Generator) -> int:
    """One token id from logits (vocabulary,): temperature, then top-k, then top-p; temperature 0 is greedy."""
    if settings.temperature <= 0:
        return int(logits.argmax())
    # On the CPU, where a stream gives the same numbers on every machine.
    ordered, tokens = (logits.cpu() / settings.temperature).sort(descending=True, stable=True)
    if settings.top_k > 0:
        ordered[settings.top_k :] = NOTHING
    chances = ordered.softmax(0)
    if settings.top_p < 1:
        before = chances.cumsum(0) - chances
        chances = chances.masked_fill(before >= settings.top_p, 0.0)
    return int(tokens[torch.multinomial(chances, 1, generator=stream)])


class RowEnd(StoppingCriteria):  # type: ignore[misc]
    """Ends each row at an end token, a stop string or its own limit; remembers where and why.

    `used[row]` is the number of new tokens, the end token included; `finish[row]` is `stop` or `length`.
    """

    def __init__(
        self,
        prompt_length: int,
        limits: Sequence[int],
        end_ids: Sequence[int],
        stops: Sequence[Sequence[str]],
        decode: Callable[[list[int]], str],
    ) -> None:
        self.prompt_length = prompt_length
        self.limits = limits
        self.end_ids = frozenset(end_ids)
        self.stops = stops
        self.decode = decode
        self.used: list[int | None] = [None] * len(limits)
        self.finish: list[str] = ["length"] * len(limits)

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: object) -> torch.Tensor:
        count = input_ids.shape[1] - self.prompt_length
        for row, last in enumerate(input_ids[:, -1].tolist()):
            if self.used[row] is not None:
                continue
            if last in self.end_ids or self._stopped(row, input_ids):
                self.used[row], self.finish[row] = count, "stop"
            elif count >= self.limits[row]:
                self.used[row] = count
        return torch.tensor([used is not None for used in self.used], device=input_ids.device)

    def _stopped(self, row: int, input_ids: torch.Tensor) -> bool:
        stops = self.stops[row]
        if not stops:
            return False
        # A token has at least one byte, so that this tail holds any stop string that the last token completes.
        tokens = input_ids[row, self.prompt_length :]
        tail = self.decode(tokens[-max(len(stop.encode()) for stop in stops) - 4 :].tolist())
        return any(stop in tail for stop in stops)
