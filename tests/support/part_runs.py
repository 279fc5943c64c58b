"""Small runs through the real session and store, by one process or by shards, with an engine whose answers, failures
and sudden deaths are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from small_plans import task_of

from tvbench.engines.open import EngineOptions
from tvbench.engines.protocol import EngineInfo, Feed, Prepared
from tvbench.runs.plan import Overrides, Plan, make_ask, plan_task
from tvbench.runs.runner import Outcome
from tvbench.runs.session import RunSession, SessionOptions
from tvbench.runs.shards import Shard
from tvbench.types import BuildOptions, Item, Message, ModelCard, Response, Short


class KilledError(BaseException):
    """Ends a session at once: nothing more is written, and its locks are gone."""


@dataclass
class Known:
    """An engine that answers each key by `text`; those in `bad` fail; it is killed after `kill_after` answers, of which
    those to `free` keys do not count. `asked` counts every question that it was handed."""

    text: Callable[[str], str] = lambda key: f"answer {key[:6]}"
    bad: Collection[str] = ()
    kill_after: int | None = None
    version: str = "1"
    free: Collection[str] = ()
    asked: Counter[str] = field(default_factory=Counter)
    served: int = 0

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("known", self.version)

    def serve(self, feed: Feed) -> Iterator[Response]:
        while batch := feed.take(1, wait=True):
            for prepared in batch:
                key = prepared.request.key
                if key not in self.free:
                    if self.kill_after is not None and self.served >= self.kill_after:
                        raise KilledError
                    self.served += 1
                self.asked[key] += 1
                if key in self.bad:
                    yield Response(key, error="it failed")
                else:
                    yield Response(key, text=self.text(key), finish="stop", tokens_in=1, tokens_out=1, seconds=0.01)

    def close(self) -> None:
        """Nothing is held."""


class Nobody:
    """A watch that looks away."""

    def begin(self, total: int, kept: int) -> None: ...

    def answered(self, response: Response) -> None: ...


def plan_of(count: int, *, twins: int = 0, label: str = "m", kind: str = "folder", problem: bool = False) -> Plan:
    """A plan of `count` questions, of which the first `twins` are asked by two items each (one key); with `problem`
    one more that cannot be asked."""
    card = ModelCard(label, kind, "x", revision="1")  # type: ignore[arg-type]
    items = [_item(str(number), f"text {number}") for number in range(count)]
    items += [_item(f"twin {number}", f"text {number}") for number in range(twins)]
    items += [_item("broken", "broken", "no picture")] if problem else []
    task = plan_task(task_of(items), BuildOptions("tvbench"), card, Overrides())
    return Plan(card, (task,), make_ask(card, [task], Overrides(), {"name": "known"}))


def _item(name: str, text: str, problem: str | None = None) -> Item:
    return Item(name, "t", "de", (Message("user", (text,)),), Short(("x",)), problem=problem)


def sit(results: Path, plan: Plan, engine: Known, shard: Shard | None = None, **options: bool) -> Outcome:
    """One session on `plan` in its folder below `results`. Raises KilledError where the engine was killed."""
    made = SessionOptions(EngineOptions({}), shard=shard, command=("tvbench", "run"), **options)  # type: ignore[arg-type]
    with RunSession(results / plan.run_name, plan, "known", made) as session:
        session._prepare = lambda request: Prepared(request)  # type: ignore[method-assign]
        try:
            return session.answer(Nobody(), lambda: nullcontext(engine))
        except KilledError:
            session._made = False
            raise


def dies(session: type[RunSession]) -> Callable[..., None]:
    """What a session does at its end, but not when it was killed."""
    end = session._end

    def ending(self: RunSession, counting: object) -> None:
        import sys

        if not isinstance(sys.exception(), KilledError):
            end(self, counting)  # type: ignore[arg-type]

    return ending
