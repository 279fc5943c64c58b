"""Replies taken apart: what is thinking, what is the answer, and what only speaks of tags."""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

import pytest

from tvbench.errors import UsageError
from tvbench.registry.cards import read_card
from tvbench.registry.thinking import TOKENS, asked_to_think, switch_in, thinking_key, thinking_of
from tvbench.registry.thoughts import Tags, split, thinking_opens_at_end, without_thinking
from tvbench.types import ModelCard, Response

REPLIES = [
    ("<think>a</think>\n\nRome", "a", "Rome"),
    ("\ufeff \n<think>\na\n</think>Rome\n", "a", "Rome\n"),
    ("<think>\n\n</think>\n\nRome", "", "Rome"),
    ("a</think>\n\nRome", "a", "Rome"),
    ("<THINK>a</Think>Rome", "a", "Rome"),
    ("<think>a", "a", ""),
    ("<think>", "", ""),
    ("<think>a</think>", "a", ""),
    ("<think>a</think> <think>b</think> Rome", "a\n\nb", "Rome"),
    ("<think>a</think>Let me see.\n<think>b</think>\nRome", "a\n\nb", "Let me see.\nRome"),
    ("a</think>b</think>Rome", "a\n\nb", "Rome"),
    ("<think>a</think>Rome</think>", "a", "Rome"),
    ("<think>a</thinking>Rome", "a", "Rome"),
    ("<think>I must begin with <think> here.</think>Rome", "I must begin with <think> here.", "Rome"),
    ("<think>I must end with `</think>` then.</think>Rome", "I must end with `</think>` then.", "Rome"),
    ("<think>a</think>The tag <think> opens, </think> closes.", "a", "The tag <think> opens, </think> closes."),
    ("<think>it says </think> {10}</think>{2}", "it says\n\n{10}", "{2}"),
    ("<thinking>a</thinking>Rome", "a", "Rome"),
    ("<reasoning>a</reasoning>Rome", "a", "Rome"),
    ("<thought>a</thought>Rome", "a", "Rome"),
    ("<seed:think>a</seed:think>Rome", "a", "Rome"),
    ("[THINK]a[/THINK]Rome", "a", "Rome"),
    ("◁think▷a◁/think▷Rome", "a", "Rome"),
    ("<|channel>thought\na<channel|>Rome", "a", "Rome"),
    ("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>Rome<|END_RESPONSE|>", "a", "Rome"),
    ("<|begin_of_thought|>a<|end_of_thought|>\n<|begin_of_solution|>Rome<|end_of_solution|>", "a", "Rome"),
    ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>Rome", "a", "Rome"),
    ("analysisLet us see.assistantfinalRome", "Let us see.", "Rome"),
    ("<think>a</think><answer>Rome</answer>", "a", "Rome"),
    ("<think>a</think>\n<answer>\nRome", "a", "Rome"),
    ("<think>a</think><answer>R</answer> or not", "a", "<answer>R</answer> or not"),
]
PLAIN = [
    "",
    " \n",
    "Rome",
    "\n\nRome ",
    "The tag <think> opens a thought.",
    "Write <think> and </think> around it.",
    "It ends with `</think>`, as you know.",
    "It ends with “</think>” and no more.",
    "<b>Rome</b>",
    "analysis of the picture",
    "analysis: the final assistantfinal",
    "<answer>Rome</answer>",
    "I <i>think</i> so",
    "[THINKING] Rome",
]


@pytest.mark.parametrize(("text", "reasoning", "answer"), REPLIES)
def test_a_reply_is_taken_apart(text: str, reasoning: str, answer: str) -> None:
    found = split(text)
    assert found is not None
    assert (found.reasoning, found.answer) == (reasoning, answer)
    assert found.closed == (answer != "" or text.endswith("</think>"))


@pytest.mark.parametrize("text", PLAIN)
def test_a_reply_without_thinking_is_left_alone(text: str) -> None:
    assert split(text) is None
    assert split(text, thinks=True) is None
    response = Response("k", text=text, finish="stop")
    assert without_thinking(response) is response


def test_a_prompt_that_opens_the_thinking() -> None:
    assert thinking_opens_at_end("<|im_start|>assistant\n<think>\n")
    assert thinking_opens_at_end("[THINK]")
    assert not thinking_opens_at_end("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert not thinking_opens_at_end("What does <think> mean?\nassistant\n")
    for text, reasoning, answer in (("a</think>Rome", "a", "Rome"), ("a", "a", ""), ("<think>a</think>R", "a", "R")):
        found = split(text, opened=True)
        assert found is not None and (found.reasoning, found.answer) == (reasoning, answer)


def test_a_model_that_is_known_to_think_may_say_something_first() -> None:
    text = "Sure.\n<think>a</think>\nRome"
    assert split(text) is None
    found = split(text, thinks=True)
    assert found is not None and (found.reasoning, found.answer) == ("a", "Sure.\nRome")


def test_tags_of_a_card_are_taken_as_they_are_written() -> None:
    own = (Tags(re.escape("(hm*"), re.escape("*)")),)
    found = split("(hm* a *) Rome", own)
    assert found is not None and (found.reasoning, found.answer) == ("a", "Rome")
    assert split("(hm* a *) Rome") is None


def test_what_was_cut_while_thinking_says_so() -> None:
    cut = without_thinking(Response("k", text="<think>a"))
    assert (cut.text, cut.reasoning, cut.finish) == ("", "a", "length") and cut.ran_out_thinking
    ended = without_thinking(Response("k", text="<think>a", finish="stop"))
    assert (ended.text, ended.finish) == ("", "stop") and not ended.ran_out_thinking
    whole = without_thinking(Response("k", text="<think>a</think>Rome"))
    assert (whole.text, whole.finish) == ("Rome", None) and not whole.ran_out_thinking
    assert without_thinking(cut) is cut


def test_what_was_scored_or_failed_is_no_reply() -> None:
    for response in (
        Response("k", error="gone"),
        Response("k", text="<think>a</think>b", logprobs=(-1.0,)),
        Response("k", text="<think>a</think>b", reasoning="of before"),
    ):
        assert without_thinking(response) is response


def samples(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    pieces = [
        "<think>",
        "</think>",
        "[THINK]",
        "[/THINK]",
        "<|channel>",
        "<channel|>",
        "`",
        '"',
        "\n",
        " ",
        "Rome",
        "é",
        "<",
    ]
    pieces += ["<answer>", "</answer>", "analysis", "assistantfinal", "\ufeff", "\udc80", "<thinking>", "</thinking>"]
    return ["".join(rng.choices(pieces, k=rng.randrange(12))) for _ in range(count)]


def test_whatever_a_reply_is_nothing_is_raised_and_nothing_added() -> None:
    for text in samples(20_000, seed=1):
        for opened in (False, True):
            found = split(text, opened=opened, thinks=opened)
            if found is None:
                continue
            letters = [char for char in text if not char.isspace()]
            told = [char for char in found.reasoning + found.answer if not char.isspace()]
            rest = iter(letters)
            assert all(char in rest for char in found.answer if not char.isspace()), text
            assert len(told) <= len(letters) and 0 <= found.start <= len(text)


def test_one_block_and_an_answer_are_found_again_to_the_letter() -> None:
    rng = random.Random(2)
    letters = "aé 的\n.`'<>/[]{}1"
    tags = [("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<thinking>", "</thinking>"), ("", "</think>")]
    for _ in range(5_000):
        open_tag, close = rng.choice(tags)
        thought, answer = ("".join(rng.choices(letters, k=rng.randrange(30))) for _ in range(2))
        if {thought[-1:], answer[:1]} & set("`'"):
            continue
        found = split(f"{open_tag}{thought}{close}{answer}")
        assert found is not None
        assert (found.reasoning, found.answer) == (thought.strip(), answer.lstrip())


@pytest.mark.parametrize(
    "unit", ["x <think>", "x </think>", " <think>\n", "<think></think>", "\n", "`<think>`", "</think> "]
)
@pytest.mark.parametrize("before", ["", "<think>a</think>"])
def test_the_time_grows_with_the_text_only(unit: str, before: str) -> None:
    """Counted in steps of the interpreter, not in seconds."""

    def steps(times: int) -> int:
        counted = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal counted
            counted += 1

        text = before + unit * times
        sys.setprofile(count)
        try:
            split(text)
            split(text, opened=True)
        finally:
            sys.setprofile(None)
        return counted

    steps(1)
    assert steps(4_000) <= 12 * steps(400) + 2_000


# ── What a card or a person says ──────────────────────────────────────────────────────────────────


def card(**reasoning: object) -> ModelCard:
    return ModelCard("m", "folder", "/m", reasoning=reasoning)


def test_a_card_that_says_nothing_leaves_no_trace() -> None:
    assert thinking_of(card()).label == "" and thinking_key(card()) == {} and thinking_of(None).tokens == 0


def test_what_a_person_asks_for() -> None:
    said = {
        (None, None): "",
        (True, None): f"on({TOKENS})",
        (None, 64): "on(64)",
        (True, 64): "on(64)",
        (False, None): "off",
    }
    for (thinking, tokens), label in said.items():
        assert thinking_of(asked_to_think(card(), thinking, tokens)).label == label
    quiet = card(enabled=False, max_tokens=9)
    assert thinking_of(quiet).label == "off"
    assert thinking_of(asked_to_think(quiet, True, None)).label == "on(9)"
    assert thinking_of(asked_to_think(card(max_tokens=9), False, None)).label == "off"
    with pytest.raises(UsageError, match="--no-thinking"):
        asked_to_think(card(), False, 64)


def test_a_card_names_tags_and_tokens(tmp_path: Path) -> None:
    def read(reasoning: object) -> ModelCard:
        from pathlib import Path

        return read_card(
            {"server": "m", "url": "http://127.0.0.1:1", "reasoning": reasoning}, default_name="m", folder=Path()
        )

    found = thinking_of(
        read({"open": "<hm>", "close": "</hm>", "max_tokens": 99, "switch": "thinking", "enabled": False})
    )
    assert found.literal == ("<hm>", "</hm>") and found.label == "off" and found.switch == "thinking"
    for wrong, said in (
        ({"open": "<hm>"}, "closing tag is missing"),
        ({"close": "</hm>"}, "opening tag is missing"),
        ({"max_tokens": 0}, "reasoning.max_tokens"),
        ({"switch": "a b"}, "reasoning.switch"),
        ({"opne": "<hm>"}, "opne"),
    ):
        with pytest.raises(UsageError, match=said):
            read(wrong)


@pytest.mark.parametrize(
    ("template", "switch"),
    [
        ("{%- if enable_thinking is defined and enable_thinking is false %}x{% endif %}", "enable_thinking"),
        ("{% if thinking %}<think>{% endif %}", "thinking"),
        ("{{ 'enable_thinking' }} thinking {# enable_thinking #}", ""),
        ("{% for m in messages %}{{ m.thinking }}{% endfor %}", ""),
        ("", ""),
    ],
)
def test_the_switch_is_found_in_the_template(template: str, switch: str) -> None:
    assert switch_in(template, thinking_of(card(enabled=False))) == switch
