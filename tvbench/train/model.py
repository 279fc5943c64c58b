"""The model as the loop sees it: a batch in, its weighted loss out.

Wraps a LLaVA class of transformers without changing a weight: embeds, puts projected image rows (times `vision_scale`)
at the placeholders, runs the text model with our masks, and takes our own loss. Names the parts that learn at a rate
of their own. Knows no optimizer, no data and no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tvbench.train.attention import attention_arguments
from tvbench.train.loss import soft_capped_loss
from tvbench.train.stages import PARTS, Part
from tvbench.train.vision import empty_rows, visual_rows

if TYPE_CHECKING:
    from tvbench.train.data.batches import Batch

_MODULES = {"multi_modal_projector": "projector", "image_newline": "newline", "vision_tower": "vision"}


class VisionLanguageTrainee(nn.Module):
    """`model`: a LlavaNext- or LlavaOnevisionForConditionalGeneration. `vision_scale`: see towervision.md, trap 1."""

    def __init__(self, model: Any, vision_scale: float) -> None:
        super().__init__()
        self.model = model
        self.vision_scale = vision_scale

    def forward(self, batch: Batch) -> torch.Tensor:
        """The sum of weight x cross-entropy over the batch's supervised positions: a float32 scalar."""
        inner = self.model.model
        hidden = self.hidden(batch)
        cap = getattr(inner.config.text_config, "final_logit_softcapping", None)
        return soft_capped_loss(hidden, self.model.lm_head.weight, batch.labels, batch.weights, cap)

    def hidden(self, batch: Batch) -> torch.Tensor:
        """The text model's last hidden states, [b, n, h]."""
        inner = self.model.model
        embedded = inner.language_model.embed_tokens(batch.input_ids)
        rows = self._rows(batch)
        if rows.dim():
            places = placeholder_mask(inner.config, batch.input_ids)
            embedded = embedded.masked_scatter(places[..., None], rows.to(embedded.dtype))
        else:
            embedded = embedded + rows.to(embedded.dtype)
        config = inner.language_model.config
        arguments = attention_arguments(config, batch.segments, batch.branches, batch.positions, embedded.dtype)
        output = inner.language_model(
            inputs_embeds=embedded, position_ids=batch.positions, use_cache=False, **arguments
        )
        return output.last_hidden_state

    def _rows(self, batch: Batch) -> torch.Tensor:
        """Rows for the batch's placeholders; without any, a zero that keeps the image path in the graph."""
        if batch.visuals:
            return visual_rows(self.model.model, batch.visuals, self.vision_scale)
        return empty_rows(self.model.model)


def placeholder_mask(config: Any, input_ids: torch.Tensor) -> torch.Tensor:
    """Where image and video rows stand, [b, n]."""
    mask = input_ids == config.image_token_id
    video = getattr(config, "video_token_id", None)
    return mask if video is None else mask | (input_ids == video)


def part_of(name: str) -> Part:
    """The part that a parameter of a trainee belongs to, by its name."""
    for module, part in _MODULES.items():
        if module in name.split("."):
            return part  # type: ignore[return-value]
    return "text"


def freeze_all_but(trainee: nn.Module, rates: Mapping[Part, float]) -> dict[Part, list[tuple[str, nn.Parameter]]]:
    """Set `requires_grad` by part, and return the trained parameters of each part, in the model's order."""
    trained: dict[Part, list[tuple[str, nn.Parameter]]] = {part: [] for part in PARTS if part in rates}
    for name, parameter in trainee.named_parameters():
        part = part_of(name)
        used = part in rates and not _unused(name)
        parameter.requires_grad_(used)
        if used:
            trained[part].append((name, parameter))
    return trained


def _unused(name: str) -> bool:
    """SigLIP's post_layernorm lies behind the layer that is read: no gradient can reach it."""
    return "post_layernorm" in name


def layers_of(trainee: nn.Module) -> Iterator[nn.Module]:
    """The units that are sharded and recomputed one by one: the decoder's and the tower's layers."""
    for name, module in trainee.named_modules():
        parent, _, last = name.rpartition(".")
        if last.isdigit() and parent.rpartition(".")[2] == "layers":
            yield module
