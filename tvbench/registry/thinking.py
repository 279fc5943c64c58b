"""What a model card, or a person, says of a model that thinks aloud before it answers.

    reasoning:
      max_tokens: 4096            # for thinking, beside the task's own tokens for the answer
      open: "<think>"             # its tags, where they are not among the known ones (thoughts.py)
      close: "</think>"
      opened: true                # the chat template writes the opening tag into the prompt
      switch: enable_thinking     # the template's variable that turns thinking on and off
      enabled: off                # what the template is told where nobody says anything; silent: nothing

It is part of every key, and of the signature as `thinking:on(4096)` or `thinking:off`; a card that says nothing leaves
no trace. Knows cards; knows no engine and no template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tvbench.errors import UsageError
from tvbench.registry.thoughts import Tags
from tvbench.types import ModelCard

TOKENS = 4096
"""For thinking, where a model thinks and nobody says how long."""
SWITCHES = ("enable_thinking", "thinking")
"""What chat templates call the variable that turns thinking on and off."""
COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
PROGRAM = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)
STRING = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True, slots=True)
class Thinking:
    """`declared`: the card or a person speaks of thinking. `enabled` is what the template is told (None: nothing), by
    the variable `switch` (empty: whichever of SWITCHES the template has). `opened`: the prompt ends inside the thinking
    (None: look)."""

    declared: bool = False
    enabled: bool | None = None
    max_tokens: int = TOKENS
    tags: tuple[Tags, ...] = ()
    opened: bool | None = None
    switch: str = ""
    literal: tuple[str, ...] = ()
    """Its own tags as they are written."""

    @property
    def on(self) -> bool:
        """Whether the model is known to think: it gets tokens for it."""
        return self.declared and self.enabled is not False

    @property
    def tokens(self) -> int:
        """How many tokens it may think, beside those of its answer."""
        return self.max_tokens if self.on else 0

    @property
    def label(self) -> str:
        """`on(4096)`, `off`, or nothing where nothing is said."""
        return "" if not self.declared else f"on({self.max_tokens})" if self.on else "off"


SILENT = Thinking()
"""Nothing is said."""


def thinking_of(card: ModelCard | None) -> Thinking:
    """What the card says."""
    said: Mapping[str, Any] = {} if card is None else card.reasoning
    if not said:
        return SILENT
    literal = tuple(str(said[name]) for name in ("open", "close") if said.get("open") and said.get("close"))
    return Thinking(
        declared=True,
        enabled=said.get("enabled"),
        max_tokens=int(said.get("max_tokens") or TOKENS),
        tags=(Tags(re.escape(literal[0]), re.escape(literal[1])),) if literal else (),
        opened=said.get("opened"),
        switch=said.get("switch") or "",
        literal=literal,
    )


def thinking_key(card: ModelCard) -> dict[str, Any]:
    """What of it can move an answer, for keys; nothing where the card says nothing."""
    thinking = thinking_of(card)
    if not thinking.declared:
        return {}
    said = {name: card.reasoning.get(name) for name in ("enabled", "switch", "open", "close", "opened")}
    return {"max_tokens": thinking.tokens} | {name: value for name, value in said.items() if value not in (None, "")}


def asked_to_think(card: ModelCard, thinking: bool | None, tokens: int | None) -> ModelCard:
    """The card with what a person asks for: `thinking` on or off, `tokens` for it. Raises UsageError."""
    if thinking is False and tokens is not None:
        raise UsageError("--thinking-tokens is for thinking, and --no-thinking turns it off", "leave one of them out")
    if thinking is None and tokens is None:
        return card
    said = dict(card.reasoning)
    if thinking is not None or said.get("enabled") is False:
        said["enabled"] = thinking is not False
    if thinking is not False:
        said["max_tokens"] = tokens or said.get("max_tokens") or TOKENS
    return replace(card, reasoning=said)


def switch_in(template: str, thinking: Thinking) -> str:
    """The variable of a chat template that turns thinking on and off; nothing where it has none."""
    programs = STRING.sub("''", " ".join(PROGRAM.findall(COMMENT.sub("", template))))
    names = (thinking.switch,) if thinking.switch else SWITCHES
    return next((name for name in names if re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", programs)), "")


def no_switch(name: str, thinking: Thinking) -> UsageError:
    """What is said where `--no-thinking` or `--thinking` cannot be obeyed."""
    wanted = thinking.switch or SWITCHES[0]
    if thinking.enabled:
        return UsageError(
            f"--thinking: the chat template of {name} knows no {wanted}, so that nobody can tell it to think",
            "leave it out (room for a model that thinks anyway: --thinking-tokens N); or name the template's own "
            "variable in the model card: `reasoning: {switch: NAME}`",
        )
    return UsageError(
        f"--no-thinking: the chat template of {name} knows no {wanted}, so that nobody can tell it not to think",
        "leave it out; or name the template's own variable in the model card: `reasoning: {switch: NAME}`",
    )
