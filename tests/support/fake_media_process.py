"""A process that prepares media without vLLM: sums their values. Some values end it, or cannot be prepared."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from tvbench.engines.media_process import Prepare, main

DEADLY, REFUSED, UNSENDABLE, SLOW, PIXELS = 13, 14, 15, 16, 17


def prepare(media: Mapping[str, Any]) -> Mapping[str, Any]:
    for value in (int(array.reshape(-1)[0]) for array in media["image"]):
        if value == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        if value == REFUSED:
            raise ValueError("not this one")
        if value == UNSENDABLE:
            return {"made": object()}
        if value == SLOW:
            time.sleep(0.01)
        if value == PIXELS:
            return {"sums": media["image"]}
    return {"sums": [int(array.sum()) for array in media["image"]]}


def opened(arguments: Mapping[str, Any]) -> Prepare:
    if arguments.get("fails"):
        raise RuntimeError("there is no such model")
    return prepare


if __name__ == "__main__":
    main(int(sys.argv[1]), opened)
