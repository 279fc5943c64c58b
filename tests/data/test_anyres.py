"""The tiling: the paper's table of grids and rows, and transformers' own functions on many sizes."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tvbench.data.media.anyres import best_resolution, clip_rows, grids, picture_rows, pinpoints

PAPER = pinpoints(6, 384)


def test_the_grids_of_a_budget_in_the_papers_order() -> None:
    assert grids(6) == [
        (1, 1),
        (1, 2),
        (2, 1),
        (1, 3),
        (3, 1),
        (1, 4),
        (2, 2),
        (4, 1),
        (1, 5),
        (5, 1),
        (1, 6),
        (2, 3),
        (3, 2),
        (6, 1),
    ]
    assert [len(grids(most)) for most in (4, 20, 22)] == [8, 66, 74]
    assert PAPER[:4] == [[384, 384], [384, 768], [768, 384], [384, 1152]]


@pytest.mark.parametrize(
    ("grid", "rows"),
    [
        ((1, 1), 1485),
        ((1, 2), 2214),
        ((2, 1), 2241),
        ((1, 3), 2943),
        ((3, 1), 2997),
        ((2, 2), 3699),
        ((1, 4), 3672),
        ((4, 1), 3753),
        ((1, 5), 4401),
        ((5, 1), 4509),
        ((2, 3), 5157),
        ((3, 2), 5184),
        ((1, 6), 5130),
        ((6, 1), 5265),
    ],
)
def test_rows_of_every_grid(grid: tuple[int, int], rows: int) -> None:
    assert picture_rows((grid[0] * 384, grid[1] * 384), PAPER, 384, 27) == rows


@pytest.mark.parametrize(
    ("size", "rows"), [((480, 640), 2929), ((768, 1024), 4725), ((1024, 1024), 3699), ((1080, 1920), 4501)]
)
def test_rows_after_unpadding(size: tuple[int, int], rows: int) -> None:
    assert picture_rows(size, PAPER, 384, 27) == rows


def test_clips() -> None:
    assert clip_rows(32, 27) == 6273
    assert clip_rows(32, 27, newline=False) == 6272


def test_transformers_chooses_the_same_resolutions_and_counts_the_same_rows() -> None:
    import torch
    from transformers.image_processing_utils import select_best_resolution
    from transformers.models.llava_next.modeling_llava_next import get_anyres_image_grid_shape, unpad_image

    rng = random.Random(0)
    for _ in range(2000):
        size = (rng.randint(20, 2500), rng.randint(20, 2500))
        assert best_resolution(size, PAPER) == tuple(select_best_resolution(size, PAPER))
        high, wide = get_anyres_image_grid_shape(size, PAPER, 384)
        kept = unpad_image(torch.zeros(1, high * 27, wide * 27), size)
        assert picture_rows(size, PAPER, 384, 27) == 729 + kept.shape[1] * (kept.shape[2] + 1)


def test_pixels_are_those_of_transformers(tmp_path: object) -> None:
    from pathlib import Path

    from PIL import Image
    from training import assembled
    from transformers import AutoImageProcessor

    from tvbench.train.data.pixels import Pixels

    assert isinstance(tmp_path, Path)
    folder = assembled(tmp_path)
    theirs = AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True)
    ours = Pixels(folder, 56)
    rng = random.Random(1)
    for _ in range(25):
        size = (rng.randint(20, 400), rng.randint(20, 400))
        noise = np.random.default_rng(size[0]).integers(0, 256, (*size, 3), dtype=np.uint8)
        picture = Image.fromarray(noise)
        expected = theirs(picture, return_tensors="pt")["pixel_values"][0]
        assert torch_close(ours.levels.of(ours.tiles(picture)), expected)


def torch_close(a: object, b: object) -> bool:
    import torch

    torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
    return True
