"""Renders a conversation into prompt text and token ids once, for every local engine.

The text comes from the model's own chat template; the same ids go to transformers and to vLLM, so that two engines
never differ because of a template, a second `<bos>` or a special token. Also turns generated ids back into text, for
the same reason. Knows tokenizers and model cards; knows no model and no pixels.

A request may ask for `second_bos`. lmms-eval's `llava_hf`, with which the TowerVision authors made their figures,
renders the chat template to text, `<bos>` included, and has the processor tokenise that text with special tokens: a
Gemma tokenizer then puts another `<bos>` before it. So it is here, where template and tokenizer each have one.

`card.chat` may set: `system` (a system text for conversations that have none), `system_role: user` (for templates
without a system turn: the text goes before the first question), `image_placement: first` (media moved before the
text), `content: string | parts` (what the template takes; found out by a probe when silent), `template` (Jinja, in
place of the checkpoint's; `none` for a base model that has no turns), `stop_tokens` (more tokens that end an answer).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvbench.checkpoints.hostile import check_files, first_line, whole_numbers
from tvbench.checkpoints.replies import Replies
from tvbench.checkpoints.replies import cut as cut  # where it is looked for
from tvbench.checkpoints.template_trial import problem_of
from tvbench.errors import EngineError, MediaError
from tvbench.registry.thinking import no_switch, switch_in, thinking_of
from tvbench.safety.bounded import read_object
from tvbench.types import Media, Message, ModelCard

TURN_ENDS = ("<end_of_turn>", "<|im_end|>", "<|eot_id|>", "<|end|>", "<|END_OF_TURN_TOKEN|>")
"""Tokens that end an answer in some family, whether or not the checkpoint's configuration lists them."""


ADD_BOS = ("GemmaTokenizer", "LlamaTokenizer", "CodeLlamaTokenizer")
"""Tokenizers that transformers 4.5x lets put `<bos>` before every text, whatever tokenizer.json says."""


@dataclass(frozen=True, slots=True)
class Markers:
    """What stands for one picture and one clip in a text-only template (None: the model takes none)."""

    image: str | None = None
    video: str | None = None

    def of(self, media: Media) -> str:
        """The placeholder of `media`. Raises MediaError when the model takes no such medium."""
        marker = self.image if media.kind == "image" else self.video
        if marker is None:
            raise MediaError(f"this model takes no {media.kind} ({media.name})")
        return marker


class Prompter:
    """Renders and tokenises for one checkpoint folder.

    `tokenizer` is a transformers tokenizer; `markers` are the placeholders of a model whose turns are plain strings.
    """

    def __init__(self, folder: Path, card: ModelCard) -> None:
        self.folder = folder
        self.card = card
        self.tokenizer = load_tokenizer(folder)
        self.thinking = thinking_of(card)
        self.template = tried(_template(folder, self.tokenizer, card), folder)
        self.switches = switches(self.template, card)
        self.replies = Replies(self.tokenizer, self.thinking)
        self.markers = _markers(folder, self.tokenizer)
        self.end_ids = end_token_ids(folder, self.tokenizer, card)
        self.adds_bos = adds_bos(folder, self.tokenizer)

    def render(self, messages: Sequence[Message], *, second_bos: bool = False) -> str:
        """The prompt text, with exactly one `<bos>` where the model has one; with `second_bos` as lmms-eval's llava_hf
        gives it to the model. Raises MediaError for a medium or a text that this model cannot be given."""
        text = render(
            messages, self.tokenizer, self.card, template=self.template, markers=self.markers, **self.switches
        )
        if second_bos and self.template is not None:
            return (self.tokenizer.bos_token if self.adds_bos else "") + text
        return self._one_bos(text)

    def encode(self, messages: Sequence[Message], *, second_bos: bool = False) -> list[int]:
        """Token ids of the prompt, one placeholder token per medium."""
        text = self.render(messages, second_bos=second_bos)
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _one_bos(self, text: str) -> str:
        bos = self.tokenizer.bos_token
        if not bos:
            return text
        bare = text
        while bare.startswith(bos):
            bare = bare[len(bos) :]
        wanted = bare != text or self.tokenizer("")["input_ids"][:1] == [self.tokenizer.bos_token_id]
        return bos + bare if wanted else bare

    def continuation(self, text: str) -> list[int]:
        """Token ids of a text that is scored after the prompt. Raises MediaError when there is nothing to score."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        if not ids:
            raise MediaError("the continuation to be scored is empty")
        return ids

    def answer(self, ids: Sequence[int], stop: Iterable[str]) -> str:
        """The text of generated ids: special tokens left out, cut before the first stop string."""
        return cut(self.replies.text(ids), stop)


def load_tokenizer(folder: Path) -> Any:
    """The checkpoint's tokenizer. Raises EngineError when it cannot be read."""
    from transformers import AutoTokenizer

    try:
        check_files(folder)
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except BaseException as error:  # the tokenizers package raises nothing more special for a file that it cannot read
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":  # Rust's, of no class of ours
            raise
        raise EngineError(
            f"cannot read the tokenizer in {folder}: {first_line(error)}", "is the checkpoint complete?"
        ) from error


def tried(template: str | None, folder: Path) -> str | None:
    """`template`, which has come to an end in a trial. Raises EngineError for one that does not."""
    if template is not None and (problem := problem_of(template)):
        raise EngineError(
            f"the chat template of {folder} is not run: {problem}",
            "replace it, or set `chat: {template: ...}` in the model card",
        )
    return template


def render(
    messages: Sequence[Message],
    tokenizer: Any,
    card: ModelCard,
    *,
    template: str | None,
    markers: Markers,
    **switches: bool,
) -> str:
    """The prompt text of a conversation. Without a template the turns' contents simply follow each other; `switches`
    are variables that it is given."""
    turns = arranged(messages, card)
    if markers.image or markers.video:
        _refuse_markers(messages, markers)
        turns = [_one_line_end(turn) for turn in turns]
    if template is None:
        bos = tokenizer.bos_token or ""
        return bos + "\n".join(_string(turn, markers) for turn in turns) + "\n"
    as_parts = _takes_parts(tokenizer, template, card, markers)
    conversation = [
        {"role": turn.role, "content": _parts(turn) if as_parts else _string(turn, markers)} for turn in turns
    ]
    prefilled = turns[-1].role == "assistant"
    try:
        text: str = tokenizer.apply_chat_template(
            conversation,
            chat_template=template,
            tokenize=False,
            add_generation_prompt=not prefilled,
            continue_final_message=prefilled,
            **switches,
        )
    except Exception as error:  # a template may fail in any way, as any program
        raise MediaError(
            f"the model's chat template refuses the conversation: {first_line(error)}",
            "for a system turn, set `chat: {system_role: user}` in the model card",
        ) from error
    return text


def switches(template: str | None, card: ModelCard) -> dict[str, bool]:
    """The variable that tells the template whether to think. Raises UsageError where it knows none, and is told
    to, or not to."""
    thinking = thinking_of(card)
    if thinking.enabled is None:
        return {}
    name = switch_in(template or "", thinking)
    if not name:
        raise no_switch(card.name, thinking)
    return {name: thinking.enabled}


def arranged(messages: Sequence[Message], card: ModelCard) -> list[Message]:
    """The conversation as the card wants it: its system text, and where media stand."""
    return [_ordered(message, card) for message in _with_system(messages, card)]


def _with_system(messages: Sequence[Message], card: ModelCard) -> list[Message]:
    """The conversation with the card's system text, and system turns where the template can take them."""
    turns = list(messages)
    if card.chat.get("system") and (not turns or turns[0].role != "system"):
        turns.insert(0, Message("system", (str(card.chat["system"]),)))
    if card.chat.get("system_role") == "user" and len(turns) > 1 and turns[0].role == "system":
        system, first = turns[0], turns[1]
        turns[:2] = [Message(first.role, (*system.parts, "\n\n", *first.parts))]
    if not turns:
        raise MediaError("the conversation is empty")
    return turns


def _ordered(message: Message, card: ModelCard) -> Message:
    if card.chat.get("image_placement", "as_given") != "first":
        return message
    media = tuple(part for part in message.parts if isinstance(part, Media))
    return Message(message.role, media + tuple(part for part in message.parts if not isinstance(part, Media)))


def _one_line_end(message: Message) -> Message:
    """A line end behind a picture is the template's own: a text that brings one has no second."""
    before = (None, *message.parts)
    return Message(
        message.role,
        tuple(
            part.removeprefix("\n") if isinstance(part, str) and isinstance(last, Media) else part
            for part, last in zip(message.parts, before, strict=False)
        ),
    )


def _string(message: Message, markers: Markers) -> str:
    """Content as LLaVA's template expects it: `<image>\\n` where each picture stands."""
    return "".join(part if isinstance(part, str) else f"{markers.of(part)}\n" for part in message.parts)


def _parts(message: Message) -> list[dict[str, str]]:
    return [{"type": "text", "text": part} if isinstance(part, str) else {"type": part.kind} for part in message.parts]


def _refuse_markers(messages: Sequence[Message], markers: Markers) -> None:
    """A question that itself contains `<image>` would ask for a picture that is not there."""
    texts = [part for message in messages for part in message.parts if isinstance(part, str)]
    for marker in (markers.image, markers.video):
        if marker and any(marker in text for text in texts):
            raise MediaError(f"the text contains the model's own placeholder {marker}")


def _takes_parts(tokenizer: Any, template: str, card: ModelCard, markers: Markers) -> bool:
    """Whether the template takes a list of parts. LLaVA's placeholders are put by us, so it gets strings."""
    if card.chat.get("content") in ("string", "parts"):
        return bool(card.chat["content"] == "parts")
    if markers.image or markers.video:
        return False
    probe = [{"role": "user", "content": [{"type": "text", "text": "probe"}]}]
    try:
        text = tokenizer.apply_chat_template(probe, chat_template=template, tokenize=False)
    except Exception:  # noqa: BLE001 - a template may fail in any way, as any program
        return False
    return "probe" in text and "'text'" not in text


def _template(folder: Path, tokenizer: Any, card: ModelCard) -> str | None:
    """The chat template: the card's, the tokenizer's, or the processor's own file; None for a base model."""
    given = card.chat.get("template")
    if given is not None:
        return None if given == "none" else str(given)
    if isinstance(tokenizer.chat_template, str):
        return tokenizer.chat_template
    old = folder / "chat_template.json"
    if old.exists():
        stored = _optional_json(old).get("chat_template")
        return stored if isinstance(stored, str) else None
    return None


def _markers(folder: Path, tokenizer: Any) -> Markers:
    """The placeholders of a LLaVA-type model; none for other models, whose templates place their own."""
    config = _optional_json(folder / "config.json")
    if not str(config.get("model_type", "")).startswith("llava"):
        return Markers()

    def token(name: str) -> str | None:
        number = config.get(f"{name}_token_index", config.get(f"{name}_token_id"))
        return None if number is None else tokenizer.convert_ids_to_tokens(int(number))

    return Markers(token("image"), token("video"))


def adds_bos(folder: Path, tokenizer: Any) -> bool:
    """Whether the tokenizer itself puts `<bos>` before a text, as transformers 4.5x (the authors') reads it: one of
    Gemma or Llama does unless `add_bos_token` is false, any other where its file says so. Version 5 asks the file.
    """
    if not tokenizer.bos_token:
        return False
    config = _optional_json(folder / "tokenizer_config.json")
    if str(config.get("tokenizer_class", "")).removesuffix("Fast") in ADD_BOS:
        return config.get("add_bos_token") is not False
    return bool(tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id])


def end_token_ids(folder: Path, tokenizer: Any, card: ModelCard) -> tuple[int, ...]:
    """All ids that end an answer: the checkpoint's, the tokenizer's and the well-known ends of a turn."""
    config = _optional_json(folder / "config.json")
    found: set[int] = set()
    sources = (_optional_json(folder / "generation_config.json"), config, config.get("text_config") or {})
    for value in (source.get("eos_token_id") for source in sources):
        found.update([] if value is None else whole_numbers(value))
    if tokenizer.eos_token_id is not None:
        found.add(tokenizer.eos_token_id)
    vocabulary = tokenizer.get_vocab()
    found.update(vocabulary[token] for token in (*TURN_ENDS, *card.chat.get("stop_tokens", ())) if token in vocabulary)
    return tuple(sorted(found))


def _optional_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return read_object(path)
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot read {path}: {error}", "copy the file again") from error
