"""Whether two engines answer alike, item by item: `tvbench run` of the mini tasks by each, then the two runs joined.

    PYTHONPATH=. $(python tools/vllm_env.py) benchmarks/agreement.py --dtype float32

The keys of a run do not depend on the engine, so the answers of both stand beside each other. In float32 any difference
would be a fault of one engine. In bfloat16 the engines round at different places, and an untrained model, whose
tokens are all about equally likely, turns that into other texts: what agrees only in float32 is rounding.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tvbench.runs.store import RunFolder, find_runs
from tvbench.types import Item, Media, Response


@dataclass(frozen=True, slots=True)
class Pair:
    """One item with the answers of both engines."""

    key: str
    item: Item
    first: Response
    second: Response

    @property
    def shown(self) -> str:
        """`text`, `picture`, `several pictures` or `clip`."""
        media = [part for message in self.item.messages for part in message.parts if isinstance(part, Media)]
        if not media:
            return "text"
        return "clip" if media[0].kind == "video" else "picture" if len(media) == 1 else "several pictures"

    @property
    def same(self) -> bool:
        return (self.first.text, self.first.error, self.first.tokens_in) == (
            self.second.text,
            self.second.error,
            self.second.tokens_in,
        )


def main() -> int:
    """Run both engines, join, print. 0 when all answers agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tower-mini")
    parser.add_argument("--tasks", default="mini")
    parser.add_argument("--dtype", default="float32", help="of both engines (default: float32)")
    parser.add_argument("--languages", help="such as de,ja (default: all)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the tasks: mini.level=3")
    parser.add_argument("--results", type=Path, help="keep the runs here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        results = args.results or Path(scratch)
        first, second = (run_with(engine, results / engine, args) for engine in ("transformers", "vllm"))
        return report(joined(first, second))


def run_with(engine: str, results: Path, args: argparse.Namespace) -> RunFolder:
    """`tvbench run` as a user would; the run's folder."""
    words = [
        "run",
        "--model",
        args.model,
        "--tasks",
        args.tasks,
        "--engine",
        engine,
        "--dtype",
        args.dtype,
        "--results",
        str(results),
        "--quiet",
        *(["--languages", args.languages] if args.languages else []),
        *(word for setting in args.set for word in ("--set", setting)),
    ]
    done = subprocess.run([sys.executable, "-m", "tvbench", *words], capture_output=True, text=True, check=False)
    if done.returncode > 1:
        raise SystemExit(f"tvbench {' '.join(words)} failed:\n{done.stderr[-2000:]}")
    (run,) = find_runs(results)
    return run


def joined(first: RunFolder, second: RunFolder) -> list[Pair]:
    """The items of both runs with both answers."""
    answers, other = first.responses(), second.responses()
    if answers.keys() != other.keys():
        raise SystemExit(f"the runs asked different things: {len(answers)} and {len(other)} keys")
    return [Pair(key, item, answers[key], other[key]) for key, item in first.requests()]


def report(pairs: Sequence[Pair]) -> int:
    """Agreement by what was shown, then every difference."""
    all_of = Counter(pair.shown for pair in pairs)
    same = Counter(pair.shown for pair in pairs if pair.same)
    print(f"{'shown':<18}{'items':>7}{'equal':>7}")
    for shown in sorted(all_of):
        print(f"{shown:<18}{all_of[shown]:>7}{same[shown]:>7}")
    print(f"{'all':<18}{len(pairs):>7}{sum(same.values()):>7}   different texts: {len({p.first.text for p in pairs})}")
    for pair in (pair for pair in pairs if not pair.same):
        print(
            f"{pair.item.task}/{pair.item.id}:\n"
            f"  transformers {pair.first.text or pair.first.error!r}\n"
            f"  vllm         {pair.second.text or pair.second.error!r}"
        )
    return 0 if sum(same.values()) == len(pairs) else 1


if __name__ == "__main__":
    sys.exit(main())
