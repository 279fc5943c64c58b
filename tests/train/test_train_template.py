"""Which tokens are learned: golden masks of both templates, token by token."""

from __future__ import annotations

from pathlib import Path

import pytest
from training import assembled, stage

from tvbench.train.data.encode import Encoder
from tvbench.train.data.sample import BrokenSample, Drawn, TrainSample, Turn
from tvbench.train.data.template import placed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assembled(tmp_path_factory.mktemp("template"))


def grey(kind: str = "image") -> Drawn:
    from PIL import Image

    return Drawn(kind, "grey", lambda: [Image.new("RGB", (56, 56), "grey")] * (8 if kind == "video" else 1))  # type: ignore[arg-type]


TALK = (
    Turn("system", "Be brief."),
    Turn("user", "<image>\nWhat?"),
    Turn("assistant", "A star."),
    Turn("user", "Red?"),
    Turn("assistant", "No."),
)


def shown(folder: Path, sample: TrainSample, **fields: object) -> str:
    """The sample's text with learned stretches in brackets, the picture's rows as one `#`."""
    encoder = Encoder(folder, stage(**fields))
    found = encoder.encode(sample)
    out, inside = "", False
    for token, label in zip(found.input_ids.tolist(), found.labels.tolist(), strict=True):
        learned = label != -100
        assert not learned or label == token
        if learned != inside:
            out += "]" if inside else "["
            inside = learned
        out += "#" if token == encoder.image_id else encoder.tokenizer.decode([token])
    out += "]" if inside else ""
    while "##" in out:
        out = out.replace("##", "#")
    return out


def test_the_papers_mask_trains_the_whole_turn_of_the_model_and_every_mark_and_newline(folder: Path) -> None:
    assert shown(folder, TrainSample("a", TALK, (grey(),)), mask="paper") == (
        "<bos>[<start_of_turn>]system[\n]Be brief.[<end_of_turn>\n"
        "<start_of_turn>]user[\n]#[\n]What?[<end_of_turn>\n"
        "<start_of_turn>model\nA star.<end_of_turn>\n"
        "<start_of_turn>]user[\n]Red?[<end_of_turn>\n"
        "<start_of_turn>model\nNo.<end_of_turn>\n]"
    )


def test_assistant_only_trains_what_a_model_must_say_itself(folder: Path) -> None:
    assert shown(folder, TrainSample("a", TALK, (grey(),)), mask="assistant_only") == (
        "<bos><start_of_turn>system\nBe brief.<end_of_turn>\n"
        "<start_of_turn>user\n#\nWhat?<end_of_turn>\n"
        "<start_of_turn>model\n[A star.<end_of_turn>]\n"
        "<start_of_turn>user\nRed?<end_of_turn>\n"
        "<start_of_turn>model\n[No.<end_of_turn>]\n"
    )


@pytest.mark.parametrize("mask", ["paper", "assistant_only"])
def test_plain_throws_the_human_text_away_and_trains_caption_and_newline(folder: Path, mask: str) -> None:
    turns = (Turn("user", "<image>\nDescribe the picture."), Turn("assistant", " A red star. "))
    found = shown(folder, TrainSample("a", turns, (grey(),)), template="plain", images="square", mask=mask)
    assert found == "<bos>#[A red star.\n]"


def test_the_text_is_that_of_the_chat_template(folder: Path) -> None:
    encoder = Encoder(folder, stage())
    found = encoder.encode(TrainSample("a", (Turn("user", "Hello,  you\n\nthere "), Turn("assistant", "yes"))))
    messages = [{"role": "user", "content": "Hello,  you\n\nthere "}, {"role": "assistant", "content": "yes"}]
    assert encoder.tokenizer.decode(found.input_ids) == encoder.tokenizer.apply_chat_template(messages, tokenize=False)


@pytest.mark.parametrize("said", ["What is it? <image>", "What <image>is it?", "<image>\nWhat is it?"])
def test_a_single_mark_goes_to_the_front(said: str) -> None:
    sample = TrainSample("a", (Turn("user", said), Turn("assistant", "x")), (grey(),))
    text = placed(sample)[0].text
    assert text.startswith("<image>\n")
    assert text.count("<image>") == 1


def test_a_mark_that_is_missing_is_added_and_a_clip_may_be_marked_as_a_picture() -> None:
    without = TrainSample("a", (Turn("user", "What?"), Turn("assistant", "x")), (grey(), grey()))
    assert placed(without)[0].text == "<image>\n<image>\nWhat?"
    clip = TrainSample("a", (Turn("user", "<image>\nWhat?"), Turn("assistant", "x")), (grey("video"),))
    assert placed(clip)[0].text == "<video>\nWhat?"
    alone = TrainSample("a", (Turn("assistant", "x"),), (grey(),))
    assert [turn.role for turn in placed(alone)] == ["user", "assistant"]


@pytest.mark.parametrize(
    ("turns", "media", "reason"),
    [
        ((), (), "empty"),
        ((Turn("user", "What?"),), (), "nobody answers"),
        ((Turn("user", "What?"), Turn("assistant", "  ")), (), "nobody answers"),
        ((Turn("user", "<image><image>"), Turn("assistant", "x")), (grey(),), "2 image marks for 1"),
        ((Turn("user", "<image>"), Turn("assistant", "x")), (), "1 image marks for 0"),
    ],
)
def test_a_conversation_that_cannot_be_learned_says_why(
    turns: tuple[Turn, ...], media: tuple[Drawn, ...], reason: str
) -> None:
    with pytest.raises(BrokenSample, match=reason):
        placed(TrainSample("broken", turns, media))


def test_too_long_is_cut_on_the_right_but_never_through_a_picture(folder: Path) -> None:
    sample = TrainSample("a", (Turn("user", "<image>\nWhat?"), Turn("assistant", "star " * 50)), (grey(),))
    cut = Encoder(folder, stage(too_long="cut", max_length=80)).encode(sample)
    whole = Encoder(folder, stage(too_long="cut", max_length=512)).encode(sample)
    assert len(cut.input_ids) == 80
    assert cut.input_ids.tolist() == whole.input_ids[:80].tolist()
    with pytest.raises(BrokenSample, match="30 fit, and not all of its pictures"):
        Encoder(folder, stage(too_long="cut", max_length=30)).encode(sample)
    with pytest.raises(BrokenSample, match="45 fit, and no answer is among them"):
        Encoder(folder, stage(too_long="cut", max_length=45)).encode(sample)
