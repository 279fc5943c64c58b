"""A tiny language model that really thinks aloud: `<think> … </think> answer`, learned by heart.

Some of its questions are answered rightly after some thinking, one wrongly, one keeps it thinking for ever, and one it
answers without thinking. Its chat template knows `enable_thinking`; told not to think, it answers at once. `special`:
the tags are special tokens, as in Magistral; `opened`: the template writes the opening tag into the prompt. Text only.
Its weights lie in tests/data; this trains them again, in less than a minute:

    OMP_NUM_THREADS=1 python tests/support/thinking_model.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from tvbench.types import Ask, Item, Message, Opened, Sampling, Short, Task

ANSWERS = {
    "Capital of Italy?": ("It is not Milan.\nIt is Rome.", "Rome"),
    "Capital of France?": ("Easy: Paris.", "Paris"),
    "Capital of Spain?": ("Perhaps <b>Madrid</b>?", "Madrid"),
    "Capital of Norway?": ("It may be Bergen.", "Bergen"),
}
GOLD = {"Capital of Italy?": "Rome", "Capital of France?": "Paris", "Capital of Spain?": "Madrid"}
GOLD |= {"Capital of Norway?": "Oslo", "Capital of Chad?": "Lima", "Capital of Japan?": "Tokyo"}
ENDLESS = "Capital of Chad?"
PLAIN = "Capital of Japan?"
LA = "la " * 30
LENGTH = 256
WEIGHTS = Path(__file__).parents[1] / "data" / "thinking_model.safetensors"
TEMPLATE = """\
{%- for message in messages -%}{{- '<|' + message['role'] + '|>' + message['content'] -}}{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}
{%- if enable_thinking is defined and not enable_thinking -%}{{- '<think>\\n\\n</think>\\n\\n' -}}
{%- elif OPENED -%}{{- '<think>\\n' -}}{%- endif -%}{%- endif -%}
"""


QUIET = "<think>\n\n</think>\n\n"
"""What the template writes where it is told that the model shall not think."""


def questions() -> list[tuple[str, str]]:
    """What the model has learned: what it says behind `<|assistant|>`, by question."""
    aloud = [(question, f"<think>\n{why}\n</think>\n\n{answer}<|end|>") for question, (why, answer) in ANSWERS.items()]
    quiet = [(question, f"{QUIET}{answer}<|end|>") for question, (_, answer) in ANSWERS.items()]
    return [*aloud, *quiet, (ENDLESS, f"<think>\n{LA}"), (ENDLESS, f"{QUIET}Lima<|end|>"), (PLAIN, "Tokyo<|end|>")]


def thinking_task() -> Task:
    """The capitals, two of which are known wrongly or not at all."""

    def source(ask: Ask) -> Opened:
        return Opened(list(GOLD.items()), "capitals")

    def item(row: tuple[str, str], ask: Ask) -> Item:
        question, gold = row
        words = (Message("user", (question,)),)
        return Item(question, "capitals", "en", words, Short((gold,)), Sampling(max_new_tokens=16))

    return Task(
        "capitals", "1", "Capitals", primary="accuracy", metrics=("accuracy",), languages=("en",), modality="text",
        source=source, item=item,
    )  # fmt: skip


def tokenizer(*, special: bool) -> Tokenizer:
    """One token a byte, one a tag."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={char: place for place, char in enumerate(alphabet)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<|pad|>", "<|end|>", "<|user|>", "<|system|>", "<|assistant|>"])
    made.add_tokens([AddedToken(tag, special=special, normalized=False) for tag in ("<think>", "</think>")])
    return made


def word_tokenizer(*, special: bool) -> Any:
    from transformers import PreTrainedTokenizerFast

    made = tokenizer(special=special)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|end|>", pad_token="<|pad|>", model_max_length=LENGTH
    )


def write_model(folder: Path, *, special: bool = False, opened: bool = False) -> Path:
    """Write it as a checkpoint of the common layout."""
    words = word_tokenizer(special=special)
    words.chat_template = TEMPLATE.replace("OPENED", str(opened).lower())
    model = untrained(words)
    model.load_state_dict({name: tensor.float() for name, tensor in load_file(WEIGHTS).items()}, strict=False)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": words.eos_token_id}))
    return folder


def untrained(words: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=LENGTH,
        tie_word_embeddings=True,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        bos_token_id=None,
    )
    return LlamaForCausalLM(config)


def learn(model: Any, words: Any, steps: int = 250) -> None:
    """Every reply by heart; what the prompt holds costs nothing."""
    rows = []
    for question, reply in questions():
        given = f"<|user|>{question}<|assistant|>" + (QUIET if reply.startswith(QUIET) else "")
        rows.append((words(given)["input_ids"], words(reply.removeprefix(QUIET))["input_ids"]))
    longest = max(len(given) + len(said) for given, said in rows)
    ids = torch.full((len(rows), longest), words.pad_token_id)
    labels = torch.full((len(rows), longest), -100)
    for row, (given, said) in enumerate(rows):
        ids[row, : len(given) + len(said)] = torch.tensor(given + said)
        labels[row, len(given) : len(given) + len(said)] = torch.tensor(said)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    for _ in range(steps):
        optimizer.zero_grad()
        model(input_ids=ids, attention_mask=(ids != words.pad_token_id).long(), labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
    model.eval()


if __name__ == "__main__":
    spoken = word_tokenizer(special=False)
    trained = untrained(spoken)
    learn(trained, spoken)
    save_file(
        {name: tensor.half() for name, tensor in trained.state_dict().items() if name != "lm_head.weight"}, WEIGHTS
    )
