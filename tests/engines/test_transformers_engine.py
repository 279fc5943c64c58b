"""The embedded engine on the small random model: batches, soft-caps, sampling, ends, failures, log-probabilities."""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_requests import SIZES, ask, card_for, clip, mixed, picture, serve

from tvbench.checkpoints.files import Family
from tvbench.checkpoints.prompt import Prompter, cut
from tvbench.checkpoints.replies import Generated
from tvbench.engines.inputs import LlavaInputs, expand
from tvbench.engines.protocol import ListFeed
from tvbench.engines.sampling import draw, penalised, soft_cap
from tvbench.engines.transformers import TransformersEngine
from tvbench.engines.transformers_model import choose_attention
from tvbench.errors import EngineError, MediaError
from tvbench.mini.checkpoint import build_tiny
from tvbench.types import Media, Message, Sampling


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("tiny"), seed=3)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[TransformersEngine]:
    engine = TransformersEngine(folder, card_for(folder), dtype="float32", batch_size=8)
    yield engine
    engine.close()


@pytest.fixture
def single(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> TransformersEngine:
    monkeypatch.setattr(engine, "batch_size", 1)
    return engine


def test_answers_do_not_depend_on_the_batch(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    sampled = Sampling(max_new_tokens=12, temperature=1.0, top_p=0.9, top_k=50, repetition_penalty=1.2)
    requests = mixed(12)
    requests += [
        replace(item, request=replace(item.request, key=f"s-{item.request.key}", sampling=sampled)) for item in requests
    ]
    together = serve(engine, requests)
    monkeypatch.setattr(engine, "batch_size", 1)
    alone = serve(engine, requests)
    assert {key: (one.text, one.tokens_in, one.tokens_out, one.finish) for key, one in together.items()} == {
        key: (one.text, one.tokens_in, one.tokens_out, one.finish) for key, one in alone.items()
    }
    assert all(response.error is None for response in together.values())
    assert len({response.text for response in together.values()}) > 12


def test_log_probabilities_do_not_depend_on_the_batch(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [
        replace(item, request=replace(item.request, continuation="rouge " * (1 + number)))
        for number, item in enumerate(mixed(8))
    ]
    together = serve(engine, requests)
    monkeypatch.setattr(engine, "batch_size", 1)
    for key, response in serve(engine, requests).items():
        assert response.logprobs == pytest.approx(together[key].logprobs, abs=1e-4)
        assert response.logprobs and max(response.logprobs) < 0


def test_log_probabilities_are_those_of_the_capped_model(engine: TransformersEngine, folder: Path) -> None:
    """Against the plain model, one prompt at a time, with the soft-cap put on by hand."""
    prompter = Prompter(folder, card_for(folder))
    item = ask("x", "Quelle couleur ?", continuation="rouge.")
    ids = prompter.encode(item.request.messages)
    wanted = prompter.continuation("rouge.")
    with torch.inference_mode():
        logits = engine.model(input_ids=torch.tensor([ids + wanted])).logits[0, len(ids) - 1 : -1]
    assert logits.abs().max() > 20, "the small model's logits must be large enough for the cap to matter"
    expected = (30 * torch.tanh(logits / 30)).log_softmax(-1)
    got = serve(engine, [item])["x"].logprobs or ()
    assert got == pytest.approx([float(expected[place, token]) for place, token in enumerate(wanted)], abs=1e-4)
    uncapped = logits.log_softmax(-1)
    assert abs(sum(got) - sum(float(uncapped[place, token]) for place, token in enumerate(wanted))) > 0.05


def test_pictures_and_clips_matter(single: TransformersEngine) -> None:
    asked = [
        ask("none", "Was?"),
        ask("one", "Was?", picture(1, (60, 60)), continuation="Kreis"),
        ask("other", "Was?", picture(2, (60, 60)), continuation="Kreis"),
        ask("order", "Was?", picture(2, (60, 60)), picture(1, (60, 60)), continuation="Kreis"),
        ask("redro", "Was?", picture(1, (60, 60)), picture(2, (60, 60)), continuation="Kreis"),
        ask("film", "Was?", clip(1, 4), continuation="Kreis"),
        ask("mlif", "Was?", replace(clip(1, 4), frames=clip(1, 4).frames[::-1]), continuation="Kreis"),
    ]
    answers = serve(single, asked)
    logs = [answers[name].logprobs for name in ("one", "other", "order", "redro", "film", "mlif")]
    assert len(set(logs)) == len(logs)
    assert (answers["film"].tokens_in or 0) - (answers["none"].tokens_in or 10**9) > 4 * 4


@pytest.mark.parametrize("size", SIZES)
def test_our_count_of_image_tokens_is_the_models(engine: TransformersEngine, size: tuple[int, int]) -> None:
    """The model counts its image rows itself and refuses another number of placeholders."""
    inputs = engine.inputs
    assert isinstance(inputs, LlavaInputs)
    pixels = inputs.images([picture(0, size)], return_tensors="pt")
    with torch.inference_mode():
        features = engine.model.model.get_image_features(pixels["pixel_values"], pixels["image_sizes"])
    assert features.pooler_output[0].shape[0] == inputs.image_tokens(size[1], size[0])


def test_a_checkpoints_generation_config_does_not_slip_in(folder: Path, tmp_path: Path) -> None:
    build_tiny(tmp_path, seed=3)
    hostile = {"repetition_penalty": 5.0, "do_sample": True, "temperature": 3.0, "top_k": 3, "max_length": 4}
    (tmp_path / "generation_config.json").write_text(json.dumps(hostile | {"eos_token_id": 1}))
    requests = mixed(4)
    plain = serve(TransformersEngine(folder, card_for(folder)), requests)
    other = serve(TransformersEngine(tmp_path, card_for(tmp_path)), requests)
    assert {key: one.text for key, one in plain.items()} == {key: one.text for key, one in other.items()}


def test_stop_strings_are_cut_and_end_the_answer(engine: TransformersEngine) -> None:
    free = serve(engine, [ask("x", "Was ist das?")])["x"]
    assert free.text and free.finish == "length" and free.tokens_out == 12
    mark = free.text[2:4]
    sampling = Sampling(max_new_tokens=12, stop=("never in it", mark))
    stopped = serve(engine, [ask("x", "Was ist das?", sampling=sampling), ask("y", "Und das?")])
    assert stopped["x"].text == free.text[: free.text.index(mark)]
    assert stopped["x"].finish == "stop" and (stopped["x"].tokens_out or 12) < 12
    assert stopped["y"].finish == "length"


def test_an_end_token_ends_the_answer(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    prompter = engine.prompter
    produced: list[int] = []
    monkeypatch.setattr(engine, "prompter", prompter)
    real = prompter.replies.read

    def noting(ids: Sequence[int], prompt: Sequence[int], sampling: Sampling, finish: str) -> Generated:
        produced.extend(ids)
        return real(ids, prompt, sampling, finish)

    monkeypatch.setattr(prompter.replies, "read", noting)
    serve(engine, [ask("x", "Was ist das?")])
    third = produced[2]
    monkeypatch.setattr(prompter, "end_ids", (third,))
    response = serve(engine, [ask("x", "Was ist das?")])["x"]
    assert response.finish == "stop" and response.tokens_out == produced.index(third) + 1


def test_ends_of_a_turn_are_known(folder: Path) -> None:
    prompter = Prompter(folder, card_for(folder, chat={"stop_tokens": ["<unk>"]}))
    names = set(prompter.tokenizer.convert_ids_to_tokens(list(prompter.end_ids)))
    assert names == {"<eos>", "<end_of_turn>", "<unk>"}


def test_a_prompt_that_is_too_long_fails_alone(folder: Path) -> None:
    engine = TransformersEngine(folder, card_for(folder), max_model_len=200, batch_size=4)
    tight = max(
        (ask("tight", "ab " * count) for count in range(1, 80)),
        key=lambda item: length if (length := engine.inputs.encode(item).length) < 200 else 0,
    )
    answers = serve(engine, [ask("long", "ab " * 400), ask("short", "ab"), tight])
    assert answers["long"].error and "context of 200" in answers["long"].error
    assert answers["short"].error is None
    last = answers["tight"]
    assert last.error is None and last.tokens_in and last.tokens_out
    assert last.tokens_in + last.tokens_out == 200 and last.tokens_out < 12


def test_one_bad_item_does_not_take_its_batch_along(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = engine.inputs.collate

    def collate(batch: Any) -> Any:
        if any("poison" in str(item.prepared.request.messages) for item in batch):
            raise RuntimeError("boom")
        return real(batch)

    monkeypatch.setattr(engine.inputs, "collate", collate)
    answers = serve(engine, [ask("a", "eins"), ask("b", "poison"), ask("c", "drei")])
    assert answers["b"].error == "RuntimeError: boom" and answers["b"].text is None
    assert answers["a"].error is None and answers["c"].error is None


def test_too_little_memory_halves_the_batch(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    real, sizes = engine.inputs.collate, []

    def collate(batch: Any) -> Any:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(batch)

    monkeypatch.setattr(engine.inputs, "collate", collate)
    monkeypatch.setattr(engine, "batch_size", 8)
    answers = serve(engine, [ask(str(number), f"text {number}") for number in range(8)])
    assert len(answers) == 8 and all(response.error is None for response in answers.values())
    assert sizes == [8, 4, 2, 2, 4, 2, 2] and engine.batch_size == 2


def test_answers_come_as_soon_as_a_batch_is_done(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "batch_size", 2)
    feed = ListFeed([ask(str(number), f"text {number}") for number in range(40)])
    answers = engine.serve(feed)
    next(answers)
    assert len(feed.rest) == 40 - 2 * 4
    assert isinstance(answers, Generator)
    answers.close()


def test_media_that_the_model_cannot_take(engine: TransformersEngine, tmp_path: Path) -> None:
    quoted = serve(engine, [ask("x", "What does <image> mean?", picture(1, (60, 60)))])["x"]
    assert quoted.error and "placeholder" in quoted.error
    images_only = build_tiny(tmp_path, architecture="llava_next")
    answers = serve(
        TransformersEngine(images_only, card_for(images_only)),
        [ask("clip", "Was?", clip(1, 4)), ask("picture", "Was?", picture(1, (200, 90)))],
    )
    assert answers["clip"].error and "takes no video" in answers["clip"].error
    assert answers["picture"].error is None


def test_both_classes_see_a_picture_alike(tmp_path: Path) -> None:
    """One set of weights as LLaVA-NeXT and as LLaVA-OneVision: with at most six tiles they compute the same."""
    requests = [ask(str(size), "Was?", picture(1, size), continuation="Kreis") for size in SIZES]
    answers = []
    architectures: tuple[Family, ...] = ("llava_next", "llava_onevision")
    for name in architectures:
        folder = build_tiny(tmp_path / name, architecture=name)
        answers.append(serve(TransformersEngine(folder, card_for(folder)), requests))
    for key in answers[0]:
        assert answers[0][key].logprobs == pytest.approx(answers[1][key].logprobs, abs=1e-4)
        assert answers[0][key].tokens_in == answers[1][key].tokens_in


def test_missing_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    build_tiny(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight"]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineError, match="1 weights of the model are not in"):
        TransformersEngine(tmp_path, card_for(tmp_path))


def test_sdpa_is_refused_for_gemma2() -> None:
    capped = {"text_config": {"model_type": "gemma2", "attn_logit_softcapping": 50.0}}
    assert choose_attention(capped, None) in ("eager", "flash_attention_2")
    assert choose_attention({"model_type": "qwen2"}, "sdpa") == "sdpa"
    with pytest.raises(EngineError, match="soft-cap"):
        choose_attention(capped, "sdpa")


def test_a_text_only_model(tmp_path: Path) -> None:
    """Any causal language model works; pictures are refused item by item."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    build_tiny(tmp_path)
    for name in ("model.safetensors", "preprocessor_config.json", "processor_config.json", "config.json"):
        (tmp_path / name).unlink()
    torch.manual_seed(0)
    Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=768,
            hidden_size=64,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=512,
            initializer_range=0.3,
            eos_token_id=1,
            bos_token_id=2,
        )
    ).save_pretrained(tmp_path)
    requests = [ask(str(number), "wort " * (1 + 3 * number)) for number in range(6)]
    together = serve(TransformersEngine(tmp_path, card_for(tmp_path), dtype="float32"), requests)
    alone = serve(TransformersEngine(tmp_path, card_for(tmp_path), dtype="float32", batch_size=1), requests)
    assert [together[str(n)].text for n in range(6)] == [alone[str(n)].text for n in range(6)]
    refused = serve(TransformersEngine(tmp_path, card_for(tmp_path)), [ask("x", "Was?", picture(1, (60, 60)))])
    assert refused["x"].error and "text only" in refused["x"].error


# ── Prompts ───────────────────────────────────────────────────────────────────────────────────────


def media(kind: str = "image") -> Media:
    return Media(kind, "a.png", lambda: b"")  # type: ignore[arg-type]


def test_the_published_prompt(folder: Path) -> None:
    prompter = Prompter(folder, card_for(folder))
    text = prompter.render([Message("user", (media(), "Was ist das? "))])
    assert text == ("<bos><start_of_turn>user\n<image>\nWas ist das?<end_of_turn>\n<start_of_turn>model\n")
    ids = prompter.encode([Message("user", (media(), "Was ist das? "))])
    assert ids.count(prompter.tokenizer.bos_token_id) == 1 and prompter.tokenizer.decode(ids) == text


def test_string_and_parts_give_the_same_bytes(folder: Path) -> None:
    turns = [
        Message("system", ("Kurz.",)),
        Message("user", (media(), media("video"), "Was?")),
        Message("assistant", ("Ein Kreis.",)),
        Message("user", ("Und?",)),
    ]
    texts = [Prompter(folder, card_for(folder, chat={"content": name})).render(turns) for name in ("string", "parts")]
    assert texts[0] == texts[1]
    opening = "<bos><start_of_turn>system\nKurz.<end_of_turn>\n<start_of_turn>user\n<image>\n<video>\n"
    assert texts[0].startswith(opening)


@pytest.mark.parametrize("content", ["string", "parts"])
def test_a_picture_inside_a_text_has_one_line_end_behind_it(folder: Path, content: str) -> None:
    prompter = Prompter(folder, card_for(folder, chat={"content": content}))
    inside = prompter.render([Message("user", ("Kyk:\n", media(), "\n\n(A) son\n", media(), "(B) wind"))])
    assert "user\nKyk:\n<image>\n\n(A) son\n<image>\n(B) wind<end" in inside
    assert "user\nKyk:\n\n(A) son<end" in prompter.render([Message("user", ("Kyk:\n", "\n(A) son"))])


def test_what_a_card_may_say_of_a_chat(folder: Path) -> None:
    turn = Message("user", ("Was? ", media()))

    def text(**chat: object) -> str:
        return Prompter(folder, card_for(folder, chat=chat)).render([turn])

    assert "user\nWas? <image>" in text()
    assert "user\n<image>\nWas?" in text(image_placement="first")
    assert text(system="Kurz.").startswith("<bos><start_of_turn>system\nKurz.<end_of_turn>")
    assert "user\nKurz.\n\nWas?" in text(system="Kurz.", system_role="user")
    assert text(template="none") == "<bos>Was? <image>\n\n"
    assert text(template="{{bos_token}}{{bos_token}}{{messages[0].content}}") == "<bos>Was? <image>\n"
    with pytest.raises(MediaError, match="refuses"):
        text(template="{{ raise_exception('no such role') }}")


def test_an_answer_begun_for_the_model_is_continued(folder: Path) -> None:
    turns = [Message("user", ("Was?",)), Message("assistant", ("Ein",))]
    assert Prompter(folder, card_for(folder)).render(turns).endswith("<start_of_turn>model\nEin")


def test_every_script_survives(folder: Path) -> None:
    prompter = Prompter(folder, card_for(folder))
    for text in ("naïve Straße", "什么颜色", "क्या", "ما لون", "なに", "무엇", "רוצה", "ไทย", "🙂"):
        assert prompter.answer(prompter.continuation(text), ()) == text
    with pytest.raises(MediaError, match="empty"):
        prompter.continuation("")


def test_placeholders_must_match_the_media() -> None:
    assert expand([1, 9, 2, 9], {9: [3, 1]}) == [1, 9, 9, 9, 2, 9]
    with pytest.raises(MediaError, match="1 placeholders for 2"):
        expand([1, 9], {9: [3, 1]})


# ── Drawing a token ───────────────────────────────────────────────────────────────────────────────


def test_drawing_follows_the_settings() -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0])
    stream = torch.Generator().manual_seed(0)

    def drawn(**changes: Any) -> list[int]:
        return [draw(logits, Sampling(temperature=1.0, **changes), stream) for _ in range(2000)]

    counts = [drawn().count(token) / 2000 for token in range(4)]
    assert counts == pytest.approx(logits.softmax(0).tolist(), abs=0.04)
    assert set(drawn(top_k=2)) == {0, 1}
    assert set(drawn(top_p=0.5)) == {0}
    assert set(drawn(top_p=0.7)) == {0, 1}
    assert draw(logits, Sampling(), stream) == 0


def test_penalty_cap_and_cut() -> None:
    logits = torch.tensor([2.0, -2.0, 1.0])
    assert penalised(logits, torch.tensor([0, 1, 1]), 2.0).tolist() == [1.0, -4.0, 1.0]
    assert penalised(logits, torch.tensor([0]), 1.0) is logits
    assert soft_cap(torch.tensor([100.0]), 30.0).item() == pytest.approx(30 * math.tanh(100 / 30))
    assert soft_cap(torch.tensor([100.0]), None).item() == 100.0
    assert cut("eins zwei drei", ("drei", "zwei", "")) == "eins "
