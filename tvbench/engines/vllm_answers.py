"""How vLLM is to answer, and what its answer says: a request's sampling as vLLM's fields, its output as a response.

Every sampling field is explicit, so that answers can be compared with the transformers engine's item by item. Knows
vLLM's sampling parameters and outputs; knows no engine and no window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tvbench.checkpoints.prompt import Prompter
from tvbench.engines.protocol import Prepared
from tvbench.types import Response

if TYPE_CHECKING:
    from vllm import SamplingParams


def sampling_params(
    prompter: Prompter, prepared: Prepared, scored: list[int] | None, prompt: Sequence[int] = ()
) -> SamplingParams:
    """How vLLM is to answer: every field is given, so that nothing of a checkpoint's own is used."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    from tvbench.engines.sampling import request_seed

    asked = prepared.request.sampling
    scoring = scored is not None
    replies = prompter.replies
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
        stop_token_ids=list(prompter.end_ids),
        include_stop_str_in_output=True,
        detokenize=bool(stop),
        skip_special_tokens=True,
        prompt_logprobs=0 if scoring else None,
        output_kind=RequestOutputKind.FINAL_ONLY,
        **held_to("" if thinks else prepared.request.reply_schema),
    )


def held_to(schema: str) -> dict[str, Any]:
    """The argument that makes vLLM write JSON of `schema` only; none where no schema is asked for."""
    if not schema:
        return {}
    from vllm.sampling_params import StructuredOutputsParams

    return {"structured_outputs": StructuredOutputsParams(json=schema)}


def response(
    prompter: Prompter, prepared: Prepared, scored: Sequence[int] | None, output: Any, seconds: float
) -> Response:
    """What vLLM's finished `output` says. `scored`: the ids of a continuation, where one was to be scored."""
    request, completion = prepared.request, output.outputs[0]
    tokens_in = len(output.prompt_token_ids)
    if scored is not None:
        rows = output.prompt_logprobs[-len(scored) :]
        logs = tuple(float(row[token].logprob) for row, token in zip(rows, scored, strict=True))
        return Response(
            request.key,
            text=request.continuation,
            finish="stop",
            tokens_in=tokens_in - len(scored),
            tokens_out=0,
            seconds=seconds,
            logprobs=logs,
            notes=prepared.notes + prompter.replies.scoring_notes(output.prompt_token_ids[: -len(scored)]),
        )
    if completion.finish_reason not in ("stop", "length"):
        reason = f"vLLM ended the answer with '{completion.finish_reason}'"
        return Response(request.key, error=reason, notes=prepared.notes)
    reply = prompter.replies.read(
        completion.token_ids, output.prompt_token_ids, request.sampling, completion.finish_reason
    )
    return Response(
        request.key,
        text=reply.text,
        finish=reply.finish,
        tokens_in=tokens_in,
        tokens_out=len(completion.token_ids),
        seconds=seconds,
        notes=prepared.notes,
        reasoning=reply.reasoning,
        tokens_thinking=reply.tokens_thinking,
    )
