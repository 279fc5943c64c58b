"""A judge on loopback whose verdict is a function of the answer that it is shown; faults come at a fixed rate.

The answer to be graded ends in a digit, `... worth 4`: the honest judge gives that score. Faults are drawn from a seed
by the number of the call, so that every kind occurs and a repeated call meets other luck.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence

from fault_server import Call, Fault, FaultServer, half, hang, raw, reset, saying, status

WORTH = re.compile(r"worth (\d+)")
NONCE = re.compile(r'"nonce": "(\w+)"')


def nonce_in(prompt: str) -> str:
    """The code that the prompt asks for; "" where it asks for none."""
    found = NONCE.findall(prompt)
    return found[-1] if found else ""


def grading(score: int, reason: str = "r", **more: object) -> Fault:
    """Always that score, in the form that our rubrics ask for."""
    return lambda call: call.answer(
        json.dumps({"reason": reason, **more, "score": score, "nonce": nonce_in(call.text)}, ensure_ascii=False)
    )


FORM = '{{"reason": "r", "score": {}, "nonce": "{}"}}'


class JudgeServer(FaultServer):
    """`rate` of all calls meet one of `kinds`, in turn. `form` is how an honest reply is written."""

    def __init__(self, rate: float = 0.0, kinds: Sequence[Fault] = (), form: str = FORM) -> None:
        super().__init__()
        self.rate = rate
        self.kinds = list(kinds)
        self.form = form
        self.luck = random.Random(0)
        self.faulty = 0
        self.graded: Counter[str] = Counter()
        self.usage = {"prompt_tokens": 7, "completion_tokens": 3}

    def choose(self, call: Call) -> Fault | None:
        if self.kinds and self.luck.random() < self.rate:
            self.faulty += 1
            return self.kinds[self.faulty % len(self.kinds)]
        return super().choose(call) or self.grade

    def grade(self, call: Call) -> None:
        """The honest verdict; what was graded is counted."""
        with self.lock:
            self.graded[call.text] += 1
        found = WORTH.search(call.text)
        call.answer(self.form.format(found[1] if found else 0, nonce_in(call.text)), usage=self.usage)

    @property
    def model(self) -> str:
        """What `--judge` takes."""
        return f"openai:judge@{self.root}/v1"


FAULTS: tuple[Fault, ...] = (
    status(429, "slow down", Retry_After="0"),
    status(500),
    reset,
    hang(10.0),
    half,
    raw(b"<html><body>Bad gateway</body></html>", "text/html"),
    saying("对不起，我用中文回答：这个答案大致正确。"),
    saying('{"reason": "cut in the mid'),
)
"""What goes wrong with real servers; the last two are replies that cost money and say nothing."""


@contextlib.contextmanager
def judge_server(rate: float = 0.0, kinds: Sequence[Fault] = FAULTS, **how: str) -> Iterator[JudgeServer]:
    """A running judge, shut down at the end."""
    server = JudgeServer(rate, kinds, **how)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
