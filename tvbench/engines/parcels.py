"""Arrays and tensors handed from one process to another in memory that both see, without copying them on the way back.

A parcel is a short text and a piece of nameless memory (`memfd`), sent together over a socket of whole messages. The
text says what it holds; nothing in it is run when it is opened. The memory is given back when nobody refers to it any
more, also after a process was killed. Linux only. Knows nothing of pictures and models.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
from collections.abc import Mapping
from typing import Any

import numpy as np

LONGEST = 1 << 17
"""Bytes of a parcel's text."""
ALIGNED = 64


class CannotBeSent(Exception):
    """What is to be sent holds something that no parcel can hold, or this process can make no more memory for it."""


class CameWithoutMemory(Exception):
    """A parcel's text has arrived, but this process could not open its memory (too many open files): it is gone."""


def sockets() -> tuple[socket.socket, socket.socket]:
    """Two ends of a line for parcels. Whole messages, and an end when the other end is gone."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * LONGEST)
    return ours, theirs


def possible() -> bool:
    """Whether this system has what parcels need."""
    return hasattr(os, "memfd_create") and hasattr(socket, "SOCK_SEQPACKET")


def send(line: socket.socket, content: Any) -> None:
    """Send plain values, arrays and tensors in lists, tuples and mappings. Raises CannotBeSent, after which nothing was
    sent, or ConnectionError where the other end is gone."""
    arrays: list[np.ndarray] = []
    places: list[int] = []
    described = _described(content, arrays, places)
    text = json.dumps(described, separators=(",", ":")).encode()
    if len(text) > LONGEST:
        raise CannotBeSent(f"{len(text)} bytes of plain values")
    try:
        _send(line, text, arrays, places)
    except ConnectionError:
        raise
    except OSError as error:
        raise CannotBeSent(str(error)) from error


def _send(line: socket.socket, text: bytes, arrays: list[np.ndarray], places: list[int]) -> None:
    size = (places[-1] + arrays[-1].nbytes) if arrays else 0
    if not size:
        line.sendall(text)
        return
    memory = os.memfd_create("tvbench")
    try:
        os.ftruncate(memory, size)
        with mmap.mmap(memory, size) as room:
            for array, place in zip(arrays, places, strict=True):
                if array.nbytes:
                    np.frombuffer(room, np.uint8, array.nbytes, place)[:] = array.reshape(-1).view(np.uint8)
        socket.send_fds(line, [text], [memory])
    finally:
        os.close(memory)


def receive(line: socket.socket) -> Any:
    """The next parcel's content. Raises EOFError where the other end is gone, BlockingIOError where none is there,
    CameWithoutMemory where one came that cannot be opened."""
    try:
        text, memories, flags, _ = socket.recv_fds(line, LONGEST, 1)
    except ConnectionResetError:
        # The other end left messages unread. That is told once, before the messages that it has sent.
        text, memories, flags, _ = socket.recv_fds(line, LONGEST, 1)
    if flags & socket.MSG_CTRUNC:
        raise CameWithoutMemory("too many open files")
    if not text:
        raise EOFError
    if not memories:
        return _made(json.loads(text), None)
    try:
        room = mmap.mmap(memories[0], os.fstat(memories[0]).st_size)
    except OSError as error:
        raise CameWithoutMemory(str(error)) from error
    finally:
        os.close(memories[0])
    return _made(json.loads(text), room)


def bytes_of(content: Any) -> int:
    """Bytes of the arrays and tensors in `content`."""
    if isinstance(content, Mapping):
        content = list(content.values())
    if isinstance(content, list | tuple):
        return sum(map(bytes_of, content))
    return int(getattr(content, "nbytes", 0))


def _described(content: Any, arrays: list[np.ndarray], places: list[int]) -> Any:
    """`content` as JSON, each array a note of where it will lie."""
    match content:
        case None | bool() | int() | float() | str():
            return content
        case list() | tuple():
            kind = "list" if isinstance(content, list) else "tuple"
            return {kind: [_described(part, arrays, places) for part in content]}
        case Mapping():
            if not all(isinstance(name, str) for name in content):
                raise CannotBeSent("a mapping with names that are no text")
            return {"dict": {name: _described(part, arrays, places) for name, part in content.items()}}
        case np.ndarray() if content.dtype.kind in "biuf":
            array = np.ascontiguousarray(content).reshape(content.shape)
            return {"array": [array.dtype.str, list(array.shape), _placed(array, arrays, places)]}
        case _:
            return _tensor_described(content, arrays, places)


def _tensor_described(content: Any, arrays: list[np.ndarray], places: list[int]) -> Any:
    import torch

    if not isinstance(content, torch.Tensor) or content.layout is not torch.strided or content.device.type != "cpu":
        raise CannotBeSent(f"a {type(content).__name__}")
    flat = content.detach().reshape(-1)
    if flat.stride(-1) != 1:  # also where there is but one value, which torch calls contiguous
        flat = flat.clone(memory_format=torch.contiguous_format)
    array = flat.view(torch.uint8).numpy() if flat.numel() else np.empty(0, np.uint8)
    name = str(content.dtype).removeprefix("torch.")
    return {"tensor": [name, list(content.shape), _placed(array, arrays, places)]}


def _placed(array: np.ndarray, arrays: list[np.ndarray], places: list[int]) -> int:
    end = places[-1] + arrays[-1].nbytes if arrays else 0
    place = -(-end // ALIGNED) * ALIGNED
    arrays.append(array)
    places.append(place)
    return place


def _made(described: Any, room: mmap.mmap | None) -> Any:
    if not isinstance(described, dict):
        return described
    ((kind, body),) = described.items()
    match kind:
        case "list":
            return [_made(part, room) for part in body]
        case "tuple":
            return tuple(_made(part, room) for part in body)
        case "dict":
            return {name: _made(part, room) for name, part in body.items()}
        case "array":
            kept, shape, place = body
            count = int(np.prod(shape, dtype=np.int64))
            flat = np.frombuffer(room, kept, count, place) if count and room is not None else np.empty(count, kept)
            return flat.reshape(shape)
        case _:
            return _tensor_made(body[0], body[1], body[2], room)


def _tensor_made(name: str, shape: list[int], place: int, room: mmap.mmap | None) -> Any:
    import torch

    kind = getattr(torch, name)
    count = int(np.prod(shape, dtype=np.int64))
    if not count or room is None:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(room, dtype=kind, count=count, offset=place).reshape(shape)
