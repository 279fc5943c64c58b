"""The loss: soft-cap, supervised positions, weights; packed samples against padded ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from training import assembled, encoded, entry, mean_loss, stage, trainee

from tvbench.errors import UsageError
from tvbench.mini.training.generated import GeneratedCorpus
from tvbench.train.attention import additive_mask, attention_arguments
from tvbench.train.by_sample import sample_places, side_by_side
from tvbench.train.data.batches import pack, pad, token_weights, total_weight, weighed
from tvbench.train.data.encode import Encoder, alone
from tvbench.train.loss import soft_capped_loss, supervised


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assembled(tmp_path_factory.mktemp("loss"))


@pytest.mark.parametrize("cap", [30.0, 3.0, None])
@pytest.mark.parametrize("chunk", [2, 1000])
def test_the_loss_is_that_of_full_logits(cap: float | None, chunk: int) -> None:
    torch.manual_seed(0)
    hidden = torch.randn(3, 7, 16, dtype=torch.float64, requires_grad=True)
    head = (5 * torch.randn(50, 16, dtype=torch.float64)).requires_grad_()
    labels = torch.randint(0, 50, (3, 7))
    labels[0, 2:5] = labels[2] = -100
    weights = torch.rand(3, 7, dtype=torch.float64)
    ours = soft_capped_loss(hidden, head, labels, weights, cap, chunk=chunk)
    gradients = torch.autograd.grad(ours, (hidden, head))

    logits = hidden @ head.T
    logits = logits if cap is None else cap * torch.tanh(logits / cap)
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="none", ignore_index=-100
    )
    expected = (losses * weights[:, 1:].flatten()).sum()
    torch.testing.assert_close(ours.double(), expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(gradients, torch.autograd.grad(expected, (hidden, head)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_without_the_cap_the_loss_is_another_number(folder: Path) -> None:
    """What transformers' own `.loss` would give: the trap that the loss of our own is there for."""
    model = trainee(folder)
    model.model.lm_head.weight.data *= 20
    samples = encoded(folder, "questions", 3)
    batch = pad(samples, 0)
    with torch.no_grad():
        ours = mean_loss(model, samples)
        states = model.hidden(batch)
        logits = model.model.lm_head(states)[:, :-1]
        uncapped = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch.labels[:, 1:].flatten())
    assert abs(float(ours - uncapped)) > 0.1


def test_no_supervised_position_gives_zero_with_a_gradient() -> None:
    hidden = torch.randn(1, 3, 4, requires_grad=True)
    loss = soft_capped_loss(hidden, torch.randn(5, 4), torch.full((1, 3), -100), torch.ones(1, 3), 30.0)
    loss.backward()
    assert loss.item() == 0
    assert hidden.grad is not None


def test_the_first_position_of_a_sample_is_never_predicted() -> None:
    assert supervised(torch.tensor([[7, 7, -100, 7]])).tolist() == [[False, True, False, True]]


# ── Packing ───────────────────────────────────────────────────────────────────────────────────────


def mixture(folder: Path) -> list:  # type: ignore[type-arg]
    """Samples with one picture, with three, with a clip, and without."""
    return [
        *encoded(folder, "questions", 6),
        *encoded(folder, "questions", 2, makers=["picture-choice"]),
        *encoded(folder, "video", 2),
        *encoded(folder, "told-questions", 5),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["microbatch", "global_tokens", "square_root"])
@pytest.mark.parametrize("passes", [1, 3])
@pytest.mark.parametrize("attention", ["eager", "eager_by_sample"])
def test_packed_samples_have_the_loss_and_gradients_of_padded_ones(
    folder: Path, norm: str, passes: int, attention: str
) -> None:
    """Rows longer than the sliding window of 40, so that its mask is tested too."""
    samples = mixture(folder)
    groups = [samples[:5], samples[5:9], samples[9:]]
    padded = [pad(group, 0, number) for number, group in enumerate(groups)]
    packed = pack(groups, 0, 512, passes)
    assert len(packed) == passes and sum(len(batch.input_ids) for batch in packed) < len(samples) / 2
    found = {}
    for name, batches in (("padded", padded), ("packed", packed)):
        model = trainee(folder, attention if name == "packed" else "eager")
        everyone = total_weight(batches, norm)  # type: ignore[arg-type]
        losses = [model(batch) for batch in weighed(batches, norm, everyone=everyone, processes=1)]  # type: ignore[arg-type]
        sum(losses).backward()
        found[name] = (float(sum(losses)), {key: one.grad for key, one in model.named_parameters()})
    assert found["packed"][0] == pytest.approx(found["padded"][0], rel=1e-5)
    for key, gradient in found["padded"][1].items():
        if gradient is not None:
            torch.testing.assert_close(found["packed"][1][key], gradient, rtol=1e-3, atol=1e-6, msg=key)


def test_micro_batches_weigh_the_same_however_many_tokens_they_have(folder: Path) -> None:
    short, long = encoded(folder, "told-questions", 2), encoded(folder, "captions", 6)
    batches = weighed([pad(short, 0, 0), pad(long, 0, 1)], "microbatch", everyone=2, processes=1)
    totals = [float(batch.weights[supervised(batch.labels)].sum()) for batch in batches]
    assert totals == pytest.approx([0.5, 0.5])


# ── Branches ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["scene", "told-scene", "clip"])
@pytest.mark.parametrize(
    ("packed", "attention"), [(False, "eager"), (True, "eager"), (False, "eager_by_sample"), (True, "eager_by_sample")]
)
def test_conversations_on_one_picture_have_the_loss_and_gradients_of_separate_samples(
    folder: Path, kind: str, packed: bool, attention: str
) -> None:
    encoder = Encoder(folder, stage())
    corpus = GeneratedCorpus(entry(kind, samples=3, branches=4))
    samples = [corpus.sample(index) for index in range(3)]
    together = [encoder.encode(sample) for sample in samples]
    apart = [encoder.encode(one) for sample in samples for one in alone(sample)]
    assert len(apart) > len(together)
    assert sum(len(one.input_ids) for one in together) < sum(len(one.input_ids) for one in apart)
    found = {}
    for name, encoded_samples in (("together", together), ("apart", apart)):
        model = trainee(folder, attention if name == "together" else "eager")
        batch = pack([encoded_samples], 0, 512, 1)[0] if packed else pad(encoded_samples, 0)
        everyone = total_weight([batch], "global_tokens")
        (ready,) = weighed([batch], "global_tokens", everyone=everyone, processes=1)
        loss = model(ready)
        loss.backward()
        found[name] = (loss.item(), {key: one.grad for key, one in model.named_parameters()})
    assert found["together"][0] == pytest.approx(found["apart"][0], rel=1e-5)
    for key, gradient in found["apart"][1].items():
        if gradient is not None:
            torch.testing.assert_close(found["together"][1][key], gradient, rtol=1e-3, atol=1e-6, msg=key)


def test_samples_are_found_in_packed_rows() -> None:
    places = sample_places(torch.tensor([[1, 1, 2, 2, 2, 0], [2, 2, 2, 2, 0, 0], [1, 1, 1, 1, 1, 1]]))
    none = -1
    assert places.tolist() == [
        [0, 1, none, none, none, none],
        [2, 3, 4, none, none, none],
        [6, 7, 8, 9, none, none],
        [12, 13, 14, 15, 16, 17],
    ]
    column = torch.arange(18).view(3, 6)
    assert side_by_side(column + 1, places)[1].tolist() == [3, 4, 5, 0, 0, 0]
    assert sample_places(torch.zeros(2, 3, dtype=torch.long)).shape == (0, 0)


def test_flash_attention_refuses_branches() -> None:
    class Config:
        _attn_implementation = "flash_attention_2"

    ones = torch.ones(1, 3, dtype=torch.long)
    with pytest.raises(UsageError, match="branches"):
        attention_arguments(Config(), ones, ones, torch.arange(3)[None], torch.bfloat16)


def test_under_square_root_an_answer_weighs_the_root_of_its_length() -> None:
    no, yes = -100, 7
    labels = torch.tensor([[no, yes, yes, yes, yes, no, yes, no], [no, no, yes, yes, yes, yes, yes, yes]])
    found = token_weights(labels, "square_root")
    assert found[0, 1:5].tolist() == [0.5] * 4
    assert found[0, 6].item() == 1.0
    torch.testing.assert_close(found[1, 2:], torch.full((6,), 6**-0.5))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="flex attention is compiled, and there is no C++ compiler")
def test_flex_attention_sees_the_same_as_eager(folder: Path) -> None:
    encoder, corpus = Encoder(folder, stage()), GeneratedCorpus(entry("scene", samples=2, branches=4))
    samples = [*mixture(folder), *(encoder.encode(corpus.sample(index)) for index in range(2))]
    (batch,) = pack([samples], 0, 512, 1)
    eager, flex = trainee(folder), trainee(folder)
    flex.model.model.language_model.set_attn_implementation("flex_attention")
    with torch.no_grad():
        expected, found = eager.hidden(batch), flex.hidden(batch)
    real = batch.segments > 0
    torch.testing.assert_close(found[real], expected[real], atol=2e-4, rtol=1e-3)


def test_sdpa_is_refused(folder: Path) -> None:
    model = trainee(folder)
    config = model.model.model.language_model.config
    config._attn_implementation = "sdpa"
    ones = torch.ones(1, 3, dtype=torch.long)
    with pytest.raises(UsageError, match="soft-cap"):
        attention_arguments(config, ones, 0 * ones, torch.arange(3)[None], torch.float32)


def test_a_mask_lets_a_sample_see_itself_only() -> None:
    segments = torch.tensor([[1, 1, 2, 2, 2, 0]])
    positions = torch.tensor([[0, 1, 0, 1, 2, 0]])
    seen = (additive_mask(segments, 0 * segments, positions, None, torch.float32)[0, 0] == 0).int().tolist()
    assert seen == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 0, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]
    near = (additive_mask(segments, 0 * segments, positions, 2, torch.float32)[0, 0] == 0).int().tolist()
    assert near[4] == [0, 0, 0, 1, 1, 0]


def test_flash_attention_is_told_where_samples_begin() -> None:
    class Config:
        _attn_implementation = "flash_attention_2"
        layer_types = ("sliding_attention", "full_attention")
        sliding_window = 8

    segments = torch.tensor([[1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 0, 0]])
    positions = torch.tensor([[0, 1, 0, 1, 2, 0], [0, 1, 2, 3, 0, 0]])
    told = attention_arguments(Config(), segments, 0 * segments, positions, torch.bfloat16)
    assert told["cu_seq_lens_q"].tolist() == [0, 2, 5, 6, 10, 11, 12]
    assert told["max_length_q"] == 4


def test_the_samples_of_a_step_are_the_same_in_any_order_of_lengths(folder: Path) -> None:
    samples = encoded(folder, "captions", 4, using=stage())
    both = mean_loss(trainee(folder), samples), mean_loss(trainee(folder), samples[::-1])
    assert float(both[0]) == pytest.approx(float(both[1]), rel=1e-5)
