"""What a chat template makes of a few conversations, given as strings and as lists of parts.

The two forms should give the same bytes: servers send lists, the training code and most scripts send strings. Knows
templates and tokenizers; no model.
"""

from __future__ import annotations

from typing import Any

QUESTION = "What is this?"
PICTURE_QUESTION = f"<image>\n{QUESTION}"

CONVERSATIONS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("user", QUESTION),),
    (("user", PICTURE_QUESTION),),
    (("user", PICTURE_QUESTION), ("assistant", "A star."), ("user", "Which colour?")),
    (("system", "Answer briefly."), ("user", PICTURE_QUESTION)),
)
"""Turns as (role, content), content as a string."""


def rendered(tokenizer: Any, template: str, *, as_parts: bool) -> tuple[str | None, ...]:
    """The text of each conversation, ready for an answer; None where the template refuses it."""
    return tuple(_one(tokenizer, template, turns, as_parts) for turns in CONVERSATIONS)


def parts(content: str) -> list[dict[str, str]]:
    """`<image>\\nquestion` as a picture and a text; any other text as itself."""
    text = content.removeprefix("<image>\n")
    picture = [{"type": "image"}] if text != content else []
    return [*picture, {"type": "text", "text": text}]


def _one(tokenizer: Any, template: str, turns: tuple[tuple[str, str], ...], as_parts: bool) -> str | None:
    messages = [{"role": role, "content": parts(content) if as_parts else content} for role, content in turns]
    try:
        text: str = tokenizer.apply_chat_template(
            messages, chat_template=template, tokenize=False, add_generation_prompt=True
        )
    except Exception:  # noqa: BLE001 - a template may fail in any way, as any program
        return None
    return text
