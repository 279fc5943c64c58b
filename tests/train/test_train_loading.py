"""What workers send: bytes, a micro-batch at a time, no more of it than shared memory holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training import assembled, encoded, entry, recipe, stage
from training import trainee as opened_trainee

from tvbench.mini.training.patches import as_seen
from tvbench.train.data import loading as loading_module
from tvbench.train.data.corpora import Mixed
from tvbench.train.data.encode import Encoder
from tvbench.train.data.loading import AHEAD, planned
from tvbench.train.data.parcels import opened, sealed
from tvbench.train.data.pixels import Levels
from tvbench.train.data.sample import BrokenSample
from tvbench.train.data.steps import Parcels, Steps, feed, loading, make_order
from tvbench.train.parallel import World
from tvbench.train.record import read_metrics
from tvbench.train.session import Event, Remarked, train
from tvbench.train.vision import visual_rows

HERE = World(0, 1, torch.device("cpu"))
MB = 1_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assembled(tmp_path_factory.mktemp("loading"))


@pytest.mark.parametrize(
    ("mean", "deviation"),
    [((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))],
)
def test_bytes_become_the_very_numbers_that_numpy_made(mean: Any, deviation: Any) -> None:
    """Every byte in every channel, bit for bit."""
    gain = np.float32(1 / 255) / np.asarray(deviation, dtype=np.float32)
    shift = np.asarray(mean, dtype=np.float32) / np.asarray(deviation, dtype=np.float32)
    raw = np.tile(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), (1, 1, 1, 3))
    before = (raw.astype(np.float32) * gain - shift).transpose(0, 3, 1, 2)
    found = Levels(tuple(gain.tolist()), tuple(shift.tolist())).of(torch.from_numpy(raw.transpose(0, 3, 1, 2)))
    assert np.array_equal(before, found.numpy())
    assert np.array_equal(raw.astype(np.float32) / 127.5 - 1, as_seen(torch.from_numpy(raw)).numpy())


@pytest.mark.parametrize("kind", ["questions", "clip"])
def test_a_picture_travels_as_bytes_and_gives_the_same_rows(folder: Path, kind: str) -> None:
    samples = encoded(folder, kind, 3)
    parcel = sealed(samples, [BrokenSample("x", "damaged")])
    area = sum(visual.pixels[:, 0].numel() for one in samples for visual in one.visuals)
    assert parcel.pixels.dtype == torch.uint8 and parcel.pixels.numel() == 3 * area
    again, broken = opened(parcel)
    assert [(one.sample, one.reason) for one in broken] == [("x", "damaged")]
    model = opened_trainee(folder).model.model
    for before, after in zip(samples, again, strict=True):
        for name in ("input_ids", "labels", "branches", "positions"):
            assert torch.equal(getattr(before, name), getattr(after, name))
        assert (before.id, before.modality) == (after.id, after.modality)
        with torch.no_grad():
            assert torch.equal(visual_rows(model, before.visuals, 2.0), visual_rows(model, after.visuals, 2.0))


def test_nothing_travels_where_there_is_nothing() -> None:
    assert opened(sealed([], [])) == ([], [])


@pytest.mark.parametrize("fields", [{}, {"packing": True}, {"grouping": "within_step", "loss_norm": "global_tokens"}])
def test_an_item_is_a_micro_batch_and_workers_change_nothing(folder: Path, fields: dict[str, Any]) -> None:
    """13 samples: a step of 8 and one of 5."""
    one, many = (
        stage(data=(entry("questions", samples=13),), micro_batch=2, workers=workers, **fields) for workers in (0, 2)
    )
    corpus = Mixed(one.data)
    encoder, order = Encoder(folder, one), make_order(corpus, one)
    parcels = Parcels(Steps(corpus, encoder, one, order, 0, 1))
    assert len(parcels[0, 3].samples) == 2 and len(parcels[1, 2].samples) == 1
    assert [order.size(step) for step in range(4)] == [len(order.step(step)) for step in range(4)] == [8, 5, 8, 5]
    runs = [list(feed(corpus, encoder, using, HERE, 1, 4)) for using in (one, many)]
    for first, second in zip(*runs, strict=True):
        for left, right in zip(first, second, strict=True):
            assert torch.equal(left.input_ids, right.input_ids) and torch.equal(left.weights, right.weights)
            assert all(torch.equal(a.pixels, b.pixels) for a, b in zip(left.visuals, right.visuals, strict=True))


@pytest.mark.parametrize(
    ("item", "room", "workers", "ahead"),
    [
        (1 * MB, None, 8, 2),  # as much as is useful
        (25 * MB, 16_000 * MB, 8, 2),
        (150 * MB, 6_000 * MB, 8, 2),  # 19 under way
        (150 * MB, 3_000 * MB, 8, 1),
        (150 * MB, 1_000 * MB, 2, 1),  # fewer workers
        (25 * MB, 64 * MB, 0, 1),  # a container's
        (1 * MB, 64 * MB, 8, 2),
        (1 * MB, 0, 0, 1),
        (AHEAD, None, 0, 1),  # nobody's memory
    ],
)
def test_no_more_is_under_way_than_shared_memory_holds(item: int, room: int | None, workers: int, ahead: int) -> None:
    found = planned(8, item, 2, room)
    assert (found.workers, found.ahead) == (workers, ahead)
    assert not workers or (workers * ahead + 1) * item <= (AHEAD if room is None else room / 2)
    assert bool(found.remark) == (workers < 8)
    assert planned(0, item, 2, room).remark == ""


def test_steps_of_many_micro_batches_are_prepared_further_ahead() -> None:
    assert planned(2, MB, 16, None).ahead == 16  # two steps of 16, by two workers


def test_the_bytes_of_a_sample_are_no_fewer_than_it_has(folder: Path) -> None:
    for kinds in (("questions",), ("video", "questions"), ("told-translation",)):
        data = tuple(replace(entry(kind), modality="video" if kind == "video" else "mixed") for kind in kinds)
        most = Encoder(folder, stage(data=data)).most_bytes()
        for kind in kinds:
            for one in encoded(folder, kind, 4):
                parcel = sealed([one], [])
                assert parcel.numbers.nbytes + parcel.pixels.nbytes <= most


def test_a_small_shared_memory_is_told_and_the_run_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    assert train(recipe(stage(steps=2, workers=0)), tmp_path / "plenty")
    monkeypatch.setattr(loading_module, "AHEAD", 1000)
    assert loading(Encoder(assembled(tmp_path), stage()), stage(workers=2), HERE).workers == 0
    assert train(recipe(stage(steps=2, workers=2)), tmp_path / "small", on_event=events.append)
    (said,) = [event.text for event in events if isinstance(event, Remarked)]
    assert "no worker: the training process itself will prepare the data" in said
    losses = [[step["loss"] for step in read_metrics(tmp_path / name / "2-vision")] for name in ("plenty", "small")]
    assert losses[0] == losses[1]
