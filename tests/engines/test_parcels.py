"""Parcels: what arrives in the other process is what was sent, and no memory stays behind."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from no_more_files import no_more_files

from tvbench.engines.parcels import CameWithoutMemory, CannotBeSent, bytes_of, possible, receive, send, sockets

pytestmark = pytest.mark.skipif(not possible(), reason="Linux only")

KINDS = (torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.int32, torch.uint8, torch.bool)


def through(content: Any) -> Any:
    ours, theirs = sockets()
    with ours, theirs:
        send(ours, content)
        return receive(theirs)


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        same = isinstance(other, torch.Tensor) and one.dtype == other.dtype and one.shape == other.shape
        return same and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and one == other


shapes = st.lists(st.integers(0, 4), max_size=4)
tensors = st.builds(
    lambda shape, kind, step: (
        (torch.arange(int(np.prod(shape, dtype=int)) * 2) * 3).to(kind)[::2].reshape(shape)[..., :: 1 + step]
        if shape
        else torch.tensor(3).to(kind)
    ),
    shapes,
    st.sampled_from(KINDS),
    st.integers(0, 1),
)
arrays = st.builds(
    lambda shape, kind: np.arange(int(np.prod(shape, dtype=int))).astype(kind).reshape(shape).T,
    shapes,
    st.sampled_from(("u1", "f4", "f8", "i8", "?")),
)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8"))
contents = st.recursive(
    plain | tensors | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(contents)
def test_what_arrives_is_what_was_sent(content: Any) -> None:
    assert equal(content, through(content))


@pytest.mark.parametrize("content", [{1: 2}, {"x": {3}}, [object()], np.array(["a"]), torch.zeros(2, device="meta")])
def test_what_cannot_be_sent_is_said_before_anything_is_sent(content: Any) -> None:
    ours, theirs = sockets()
    theirs.setblocking(False)
    with ours, theirs:
        with pytest.raises(CannotBeSent):
            send(ours, content)
        with pytest.raises(BlockingIOError):
            receive(theirs)


def test_the_end_of_a_line_is_told() -> None:
    ours, theirs = sockets()
    with theirs:
        ours.close()
        with pytest.raises(EOFError):
            receive(theirs)


def test_what_was_sent_before_the_end_arrives() -> None:
    """Also where the one that ends had messages of ours unread."""
    ours, theirs = sockets()
    with theirs:
        send(theirs, "never read")
        send(ours, {"made": torch.ones(3)})
        ours.close()
        assert equal(receive(theirs), {"made": torch.ones(3)})
        with pytest.raises(EOFError):
            receive(theirs)


def test_memory_that_cannot_be_opened_is_no_content() -> None:
    """With no file left, the system delivers the text alone: what its arrays held is not to be made up."""
    ours, theirs = sockets()
    with ours, theirs:
        send(ours, {"pixels": np.ones(1000)})
        send(ours, "plain")
        with no_more_files():
            with pytest.raises(CameWithoutMemory):
                receive(theirs)
            with pytest.raises(CannotBeSent, match="Too many open files"):
                send(ours, {"pixels": np.ones(1000)})
            assert receive(theirs) == "plain"
        send(ours, {"pixels": np.ones(3)})
        assert equal(receive(theirs), {"pixels": np.ones(3)})


def test_no_memory_stays_behind() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        arrived = through({"pixels": torch.ones(1 << 18)})
        assert bytes_of(arrived) == 1 << 20
    del arrived
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert "memfd:tvbench" not in Path("/proc/self/maps").read_text()
