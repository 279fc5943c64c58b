"""One run over three ways at once, with processes killed all the time: is anything lost, or paid for twice?

    python benchmarks/campaign.py                                                 # a small one, a minute or two
    python benchmarks/campaign.py --requests 1000000 --kills 100 --pause 0 --folder DIR     # at size: 4 GB of disk

What is tried. N questions of one model, asked in one run:

  shards   processes of `--shard I/N` write one folder together, each a part of its own
  actors   one of these shards has its questions answered by `--replicas R`: actors of Ray, each with a file of its own
  batches  a wave (`tvbench export batch`) is out while shards and actors answer the rest; what comes back, in pieces,
           shuffled, doubled and torn, is taken in by `tvbench import batch` in a copy of the folder, as on another
           machine, for an import needs a folder for itself; `tvbench merge` brings the copy's answers home

There are three divisions, of 4, 3 and 2 shards: the first gives way to the second the moment all its processes were
killed, with nothing in between, so that its actors may live on for a moment; before the last one everything is merged
into a folder of another place, where the run goes on, while half of a wave is out, and a second wave is written. K
processes are killed by SIGKILL when so many answers were paid for, at seeded counts: shards, actors, the drivers of
actors; imports and merges besides. What was killed is started again at once. Now and then a second writer begins the
same shard, or the whole run: one of the two has to be refused, and pays nothing.

What is made up. The engine (ENGINE below, through the public protocol) and the service of batches answer by the key
alone, so that equal questions get equal answers. By the command line no run could go all three ways: a batch is
answered by a server, and a server's client is opened once. So sessions begin one layer below `tvbench run`
(`api.plan`, then RunSession, as `api.ask` does), and are lent the engine, or its replicas. `export`, `import`, `merge`
and `score` are the commands themselves.

How it is counted. Each engine appends a key to a log of its own before it hands the answer over, and goes on when that
is stored; the service logs what it answers, and fails without pay. Of an engine that was killed, only the last line can
be in flight: paid for, and not stored. These are counted apart, where the question had to be paid for again. Any other
second payment is one too many, and any question without its answer is lost. At the end the answers, and the figures of
`tvbench score`, must be those of one process that asked everything. Exit code 1 where anything is otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from tvbench.engines.protocol import Engine
    from tvbench.types import ModelCard

MODEL = "openai:m@http://127.0.0.1:9/v1"
"""Nobody answers there: who answers is lent."""
DIVISIONS = (4, 3, 2)
REPLICAS = 2
REFUSED = 2
"""The exit code of who may not write."""
LINE = 65
"""Bytes of a key with its end."""
GUARD_S = 1800.0
"""Seconds without an answer after which the campaign is stuck."""
TASK = '''
from collections.abc import Iterator

from tvbench.types import Ask, Item, Message, Opened, Sampling, Setting, Short, Task

LANGUAGES = ("en", "de", "fr")


class Questions:
    """They are made anew whenever somebody goes over them."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.count))


def opened(ask: Ask) -> Opened:
    return Opened(Questions(ask.settings["items"]), f"generated@{ask.settings['items']}")


def item(number: int, ask: Ask) -> Item:
    language = LANGUAGES[number % len(LANGUAGES)]
    messages = (Message("user", (f"({language}) What is {number} modulo 7? Answer with the number alone.",)),)
    return Item(f"{language}/{number}", ask.task, language, messages, Short((str(number % 7),)), Sampling(8))


TASK = Task(
    "rests",
    "1",
    "Rests",
    source=opened,
    item=item,
    primary="accuracy",
    metrics=("accuracy",),
    languages=LANGUAGES,
    modality="text",
    settings={"items": Setting("how many", 1000, least=1)},
)
'''
ENGINE = '''
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tvbench.engines.protocol import EngineInfo, Feed
from tvbench.engines.spec import EngineSpec, Opening, Option
from tvbench.types import Response


class Logged:
    """Answers by the key alone; `log` is a folder, `who` begins the name of this engine's file in it."""

    def __init__(self, opening: Opening) -> None:
        told = opening.arguments
        self.pause = told["pause"]
        self.info = EngineInfo("openai", "unknown", {"model": opening.card.location})
        path = Path(told["log"]) / f"{told['who']}-{os.getpid()}-{time.time_ns()}"
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def serve(self, feed: Feed) -> Iterator[Response]:
        while taken := feed.take(1, wait=True):
            for prepared in taken:
                key = prepared.request.key
                if self.pause:
                    time.sleep(self.pause)
                os.write(self.file, f"{key}\\n".encode())
                yield Response(key, text=str(int(key[:6], 16) % 7), finish="stop", tokens_in=9, tokens_out=1)

    def close(self) -> None:
        os.write(self.file, b"closed\\n")
        os.close(self.file)


OPTIONS = [("pause", float, 0.0), ("log", str, "."), ("who", str, "engine")]
ENGINE = EngineSpec(
    "logged",
    "answers by the key alone",
    Logged,
    kinds=frozenset({"server"}),
    options=tuple(Option(name, kind, default, moves=False) for name, kind, default in OPTIONS),
)
'''


def main() -> int:
    """Play a campaign, and say what came of it; or, with --work, be one of its processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=3000, metavar="N")
    parser.add_argument("--kills", type=int, default=12, metavar="K")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.01, metavar="S", help="seconds that an answer takes")
    parser.add_argument("--no-ray", action="store_true", help="shards and batches alone")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to keep all (default: a temporary folder)")
    parser.add_argument("--work", metavar="RESULTS", help=argparse.SUPPRESS)
    parser.add_argument("--paid", default="paid", help=argparse.SUPPRESS)
    parser.add_argument("--shard", help=argparse.SUPPRESS)
    parser.add_argument("--replicas", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        return work(args)
    with contextlib.ExitStack() as stack:
        folder = args.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        campaign = Campaign(folder.resolve(), args)
        try:
            return campaign.play()
        finally:
            campaign.kill_all()


# ── A process that asks ───────────────────────────────────────────────────────────────────────────


def work(args: argparse.Namespace) -> int:
    """Ask what is missing of the run below --work: as one process, or as a shard, perhaps with replicas. Runs in the
    campaign's folder. Exit codes as those of `tvbench run`."""
    from tvbench.api import Listener, plan
    from tvbench.errors import TvbenchError
    from tvbench.runs.asking import session_options
    from tvbench.runs.run_options import Options
    from tvbench.runs.session import RunSession

    settings = [f"rests.items={args.requests}"]
    options = Options(settings=settings, shard=args.shard, reuse=False, same_model=True)
    try:
        ready = plan(MODEL, "./rests.py", Path(args.work), options, Listener(), command=asked(args.requests))
        with RunSession(ready.folder, ready.plan, "openai", session_options(ready), say) as session:
            outcome = session.answer(Nobody(), lambda: contextlib.closing(opened(args, ready.plan.card)))
    except TvbenchError as error:
        say(f"{error.message}; {error.hint}")
        return REFUSED
    say(f"{outcome.answered} answered, {outcome.failed} failed")
    return 1 if outcome.failed else 0


def opened(args: argparse.Namespace, card: ModelCard) -> Engine:
    """The made-up engine, or replicas of it."""
    from tvbench.engines.open import EngineOptions, open_engine
    from tvbench.runs.replicas.opening import open_replicas
    from tvbench.runs.replicas.placement import Placement

    who = (args.shard or "alone").replace("/", "of") + ("actor" if args.replicas else "")
    given = EngineOptions({"pause": args.pause, "log": str(Path(args.paid).resolve()), "who": who})
    if args.replicas:
        return open_replicas("./logged.py", card, given, Placement(0, args.replicas), say)
    return open_engine("./logged.py", card, options=given)


def say(line: str) -> None:
    """For whoever looks on."""
    print(line, file=sys.stderr, flush=True)


class Nobody:
    """A watch that looks away."""

    def begin(self, total: int, kept: int) -> None: ...

    def answered(self, response: Any) -> None: ...


def asked(requests: int) -> tuple[str, ...]:
    """The command that asks it, as the manifest has it."""
    return ("tvbench", "run", "--model", MODEL, "--tasks", "./rests.py", "--set", f"rests.items={requests}")


# ── Who starts and kills them ─────────────────────────────────────────────────────────────────────


@dataclass
class Process:
    """One that was started: as what, by which words, in which process group."""

    name: str
    words: list[str]
    process: subprocess.Popen[bytes]
    actors: bool = False
    done: bool = False


@dataclass
class Tally:
    """What was done to the run."""

    kills: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    imports: int = 0
    merges: list[tuple[str, float, float]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Campaign:
    """One run, from its first wave to its last answer."""

    def __init__(self, folder: Path, args: argparse.Namespace) -> None:
        self.folder, self.args = folder, args
        self.dice = random.Random(args.seed)
        self.home = folder / "home"
        """Results: where shards and actors write now."""
        self.away = folder / "away"
        """Results of the machine that takes batches in."""
        self.tally = Tally()
        self.running: list[Process] = []
        self.seconds: list[subprocess.Popen[bytes]] = []
        self.returned: list[Path] = []
        """Results that the service has given out; the second half of a wave's is `late`, by a division or more."""
        self.late: list[Path] = []
        for name in ("paid", "alone-paid", "waves", "back", "said"):
            (folder / name).mkdir()
        (folder / "rests.py").write_text(TASK, encoding="utf-8")
        (folder / "logged.py").write_text(ENGINE, encoding="utf-8")

    @property
    def run(self) -> Path:
        """The run's folder."""
        (found,) = (path.parent for path in self.home.glob("*/manifest.json"))
        return found

    def play(self) -> int:
        """All of it. 1 where a promise was broken."""
        began = time.monotonic()
        wave = max(1, self.args.requests // 10)
        self.command("export", "batch", "--model", MODEL, "--tasks", "./rests.py", *self.waves(wave), *self.items())
        moments = self.moments()
        for number, count in enumerate(DIVISIONS):
            self.copy_away()
            self.serve()
            last = number == len(DIVISIONS) - 1
            self.divide(count, moments[number], last=last)
            if number == 1:
                self.merge("all")
                self.returned, self.late = [*self.returned, *self.late], []
                self.command("export", "batch", self.run.name, *self.waves(wave), "--results", self.home)
        self.returned += self.late
        self.take_in()
        self.merge("whole")
        self.last()
        return self.check(time.monotonic() - began)

    def moments(self) -> list[list[int]]:
        """How much has to be paid for before each kill, by division; the first two end in a kill of everybody."""
        local = int(self.args.requests * 0.8)
        third = local // len(DIVISIONS)
        share = max(1, self.args.kills // len(DIVISIONS))
        counts = [max(1, share - DIVISIONS[0] + 1), max(1, share - DIVISIONS[1] + 1)]
        counts.append(max(1, self.args.kills - sum(counts) - DIVISIONS[0] - DIVISIONS[1]))
        bounds = [(n * third + third // 20, (n + 1) * third - third // 20) for n in range(len(DIVISIONS))]
        return [
            sorted(self.dice.randint(*bound) for _ in range(many)) + [(n + 1) * third] * (n < 2)
            for n, (bound, many) in enumerate(zip(bounds, counts, strict=True))
        ]

    def divide(self, count: int, moments: Sequence[int], *, last: bool) -> None:
        """So many shards, of which the first has replicas, and begins; kills at `moments`, then all at once, or to the
        end."""
        self.start(f"1/{count}", actors=not self.args.no_ray)
        while not self.args.no_ray and not self.actors() and self.running[0].process.poll() is None:
            time.sleep(0.05)
        for number in range(2, count + 1):
            self.start(f"{number}/{count}", actors=False)
        waiting = [*moments]
        ending = None if last else waiting.pop()
        imports = [self.dice.choice(moments)]
        progress = self.paid(), time.monotonic()
        while self.running or self.seconds:
            self.look()
            paid = self.paid()
            progress = progress if progress[0] == paid else (paid, time.monotonic())
            if time.monotonic() > progress[1] + GUARD_S:
                raise SystemExit(f"nothing was answered for {GUARD_S:.0f} s: see {self.folder / 'said'}")
            if imports and paid >= imports[0]:
                imports.pop()
                self.take_in()
            if waiting and paid >= waiting[0] and self.kill():
                waiting.pop(0)
            elif ending is not None and paid >= ending:
                self.kill_all()
            time.sleep(0.01)

    def start(self, shard: str, *, actors: bool) -> None:
        words = [sys.executable, __file__, "--work", str(self.home), "--shard", shard, *self.asking()]
        words += ["--replicas", str(REPLICAS)] if actors else []
        self.running.append(Process(shard, words, self.begun(words, shard), actors))

    def begun(self, words: Sequence[str], name: str) -> subprocess.Popen[bytes]:
        """A process of its own session, whose words are kept."""
        with (self.folder / "said" / name.replace("/", "of")).open("ab") as said:
            return subprocess.Popen(
                words, cwd=self.folder, env=environment(), stdout=said, stderr=said, start_new_session=True
            )

    def look(self) -> None:
        """Start again what ended without its end, and let go what is done."""
        for one in self.running:
            code = one.process.poll()
            one.done = code == 0
            if code:
                self.tally.refused += code == REFUSED
                one.process = self.begun(one.words, one.name)
        ended = [process.poll() for process in self.seconds]
        self.tally.refused += ended.count(REFUSED)
        self.seconds = [one for one, code in zip(self.seconds, ended, strict=True) if code is None]
        self.running = [one for one in self.running if not one.done]

    def kill(self) -> bool:
        """One of those that live, by SIGKILL; the driver of actors more rarely, or they would never be open. Whether
        there was one."""
        actors = self.actors()
        if actors and self.dice.random() < 0.5:
            os.kill(self.dice.choice(actors), signal.SIGKILL)
            self.tally.kills["actor"] += 1
            return True
        if not self.running:
            return False
        one = self.dice.choices(self.running, [1 if one.actors else 4 for one in self.running])[0]
        if self.dice.random() < 0.6:
            self.second_writer(one)
        self.kill_one(one)
        return True

    def kill_one(self, one: Process, *, again: bool = True) -> None:
        """A shard, or the driver of actors, alone: what it has started is left to itself."""
        one.process.kill()
        one.process.wait()
        self.tally.kills["driver" if one.actors else "shard"] += 1
        if again:
            one.process = self.begun(one.words, one.name)

    def kill_all(self) -> None:
        """Everybody at once, second writers too."""
        for one in self.running:
            self.kill_one(one, again=False)
        for process in self.seconds:
            process.kill()
            process.wait()
        self.running, self.seconds = [], []

    def second_writer(self, one: Process) -> None:
        """Somebody starts the same shard once more, or asks the whole run. Where it comes first, as after a kill, the
        other one is refused."""
        words = [sys.executable, __file__, "--work", str(self.home), *self.asking()]
        words += [] if self.dice.random() < 0.5 else ["--shard", one.name]
        self.seconds.append(self.begun(words, "second"))

    def actors(self) -> list[int]:
        """The processes of actors that live."""
        found = {int(path.name.split("-")[1]) for path in (self.folder / "paid").glob("*actor-*")}
        return sorted(pid for pid in found if is_actor(pid, self.folder))

    def paid(self) -> int:
        """How many answers of shards and actors."""
        logs = (self.folder / "paid").iterdir()
        return sum(path.stat().st_size for path in logs if not path.name.startswith("service")) // LINE

    # ── Batches ───────────────────────────────────────────────────────────────────────────────────

    def copy_away(self) -> None:
        """The folder as it is now, for who takes batches in. Nobody writes it."""
        shutil.rmtree(self.away, ignore_errors=True)
        shutil.copytree(self.home, self.away)

    def serve(self) -> None:
        """The service answers the waves that were sent, each once; some questions fail, and cost nothing."""
        for wave in sorted((self.folder / "waves").glob("*.jsonl")):
            lines = [self.result(json.loads(line)["custom_id"], wave.name) for line in wave.open()]
            wave.rename(wave.with_suffix(".sent"))
            self.dice.shuffle(lines)
            cut = len(lines) // 3
            for number, some in enumerate((lines[: 2 * cut + 1], lines[cut:])):
                path = self.folder / "back" / f"{wave.stem}-{number}.jsonl"
                path.write_text("".join(some) + some[0][:50] * (number == 0), encoding="utf-8")
                (self.returned if number == 0 else self.late).append(path)

    def result(self, key: str, wave: str) -> str:
        """A line of the service's results."""
        failed = self.dice.random() < 0.05
        if not failed:
            with (self.folder / "paid" / "service-0-0").open("a") as log:
                log.write(f"{key}\n")
        error = {"code": "batch_expired", "message": "not in time"} if failed else None
        message = {"role": "assistant", "content": str(int(key[:6], 16) % 7)}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        body = {"model": "m", "usage": {"prompt_tokens": 9, "completion_tokens": 1}, "choices": choices}
        response = None if failed else {"status_code": 200, "request_id": f"req_{key[:8]}", "body": body}
        line = {"id": f"{wave}-{key[:16]}", "custom_id": key, "response": response, "error": error}
        return json.dumps(line) + "\n"

    def take_in(self) -> None:
        """Import what came back into the copy, killed half-way once, and then to its end."""
        if not self.returned:
            return
        words = [*tvbench("import", "batch", self.run.name, *map(str, self.returned)), "--results", str(self.away)]
        first = self.begun(words, "import")
        before = self.stored(self.away)
        until = time.monotonic() + GUARD_S
        while first.poll() is None and self.stored(self.away) == before and time.monotonic() < until:
            time.sleep(0.002)
        if first.poll() is None:
            first.kill()
            self.tally.kills["import"] += 1
        first.wait()
        self.dice.shuffle(self.returned)
        if self.begun(words, "import").wait() not in (0, 1):
            self.tally.faults.append(f"an import failed: see {self.folder / 'said' / 'import'}")
        self.tally.imports += 1

    def stored(self, results: Path) -> int:
        with contextlib.suppress(OSError):  # the import puts parts together meanwhile
            return sum(path.stat().st_size for path in results.glob("*/responses*.jsonl"))
        return -1

    # ── Putting together ──────────────────────────────────────────────────────────────────────────

    def merge(self, name: str) -> None:
        """What is at home and what is away, into a folder of another place, where the run goes on."""
        while self.actors():  # of drivers that were killed: a folder that is left for good has to be still
            time.sleep(0.05)
        run = self.run.name
        words = ("merge", self.run, self.away / run, "--into", self.folder / name / run, "--no-score")
        took = self.kill_merge(words, name)
        self.tally.merges.append((name, *self.command(*words, codes=(0, 1))))
        say(f"merge {name}: killed after {took:.2f} s, then {self.tally.merges[-1][1]:.2f} s")
        self.home = self.folder / name
        self.tally.merges.append((f"{name}, again", *self.command(*words, codes=(0, 1))))

    def kill_merge(self, words: Sequence[object], name: str) -> float:
        """Begin a merge, and kill it at a moment at which it may be anywhere. When that was, in seconds."""
        began = time.monotonic()
        process = self.begun(tvbench(*map(str, words)), "commands")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self.dice.uniform(0.1, 0.3 + self.args.requests / 30_000))
        if process.poll() is None:
            self.tally.kills["merge"] += 1
        process.kill()
        process.wait()
        return time.monotonic() - began

    def last(self) -> None:
        """What failed in a batch is asked as anything else, by one process; and all of it by one, elsewhere."""
        self.start("1/1", actors=False)
        while self.running:
            self.look()
            time.sleep(0.05)
        self.tally.merges.append(("the end", *self.command("merge", self.run, "--no-score", codes=(0, 1))))
        words = [sys.executable, __file__, "--work", str(self.folder / "alone"), "--paid", "alone-paid"]
        if self.begun([*words, *self.asking(pause=0.0)], "alone").wait() != 0:
            self.tally.faults.append("one process did not come to its end")
        for results in (self.home, self.folder / "alone"):
            self.command("score", self.run.name, "--results", results)

    def command(self, *words: object, codes: Sequence[int] = (0,)) -> tuple[float, float]:
        """A command of tvbench: seconds, and megabytes at most. Raises SystemExit where it ends otherwise."""
        began = time.monotonic()
        process = self.begun(tvbench(*map(str, words)), "commands")
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            said = (self.folder / "said" / "commands").read_text(encoding="utf-8")
            raise SystemExit(f"{' '.join(map(str, words))}: exit code {process.returncode}\n{said[-3000:]}")
        return time.monotonic() - began, used.ru_maxrss / 1024

    def waves(self, size: int) -> list[object]:
        return ["--to", self.folder / "waves", "--wave", size, "--most", 1]

    def items(self) -> list[object]:
        return ["--set", f"rests.items={self.args.requests}", "--results", self.home, "--no-reuse"]

    def asking(self, pause: float | None = None) -> list[str]:
        return ["--requests", str(self.args.requests), "--pause", str(self.args.pause if pause is None else pause)]

    # ── What came of it ───────────────────────────────────────────────────────────────────────────

    def check(self, seconds: float) -> int:
        """Hold it against its promises, and say it."""
        mine, whole = answers(self.run), answers(self.folder / "alone" / self.run.name)
        lost = sum(key not in mine for key in whole)
        other = sum(mine[key] != whole[key] for key in mine.keys() & whole.keys())
        strangers = len(mine.keys() - whole.keys())
        paid, in_flight = payments(self.folder / "paid")
        again = Counter({key: count - 1 for key, count in paid.items() if count > 1})
        twice = again - in_flight
        excused = again.total() - twice.total()
        equal = figures(self.run) == figures(self.folder / "alone" / self.run.name)
        kills = ", ".join(f"{count} {name}s" for name, count in sorted(self.tally.kills.items()))
        print(f"{len(whole):,} questions, seed {self.args.seed}, {seconds:,.0f} s; divisions {DIVISIONS}")
        print(f"killed: {self.tally.kills.total()} ({kills}); second writers refused: {self.tally.refused}")
        print(f"paid: {paid.total():,}; in flight at a kill and paid again: {excused} (could be: {in_flight.total()})")
        print(f"lost: {lost}; paid twice: {twice.total()}; other answers than one process: {other + strangers}")
        print(f"figures {'equal' if equal else 'NOT EQUAL'} to those of one process")
        for name, took, peak in self.tally.merges:
            print(f"merge {name:<16}{took:>8.1f} s{peak:>8.0f} MB")
        for key in twice:
            print(f"PAID TWICE: {key[:16]} in {', '.join(sorted(where(self.folder / 'paid', key)))}")
        for fault in self.tally.faults:
            print(f"FAULT: {fault}")
        good = not (lost or twice or other or strangers or self.tally.faults) and equal and len(whole) > 0
        return 0 if good else 1


def tvbench(*words: str) -> list[str]:
    """A command of tvbench."""
    return [sys.executable, "-m", "tvbench", *words]


def environment() -> dict[str, str]:
    """For every process: this checkout, and a Ray of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {**kept, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def is_actor(pid: int, folder: Path) -> bool:
    """Whether the process lives, and is an actor of this campaign: numbers are given out again."""
    place = Path(f"/proc/{pid}")
    try:
        return (
            place.joinpath("cmdline").read_bytes().startswith(b"ray::") and place.joinpath("cwd").readlink() == folder
        )
    except OSError:
        return False


def payments(logs: Path) -> tuple[Counter[str], Counter[str]]:
    """How often each question was paid for; and the last ones of engines that were not closed, which may not be
    stored."""
    paid, in_flight = Counter[str](), Counter[str]()
    for path in logs.iterdir():
        keys = path.read_text().splitlines()
        if not path.name.startswith("service") and keys and keys[-1] != "closed":
            in_flight[keys[-1]] += 1
        paid.update(key for key in keys if key != "closed")
    return paid, in_flight


def where(logs: Path, key: str) -> list[str]:
    """The logs that hold a key."""
    return [path.name for path in logs.iterdir() if f"{key}\n" in path.read_text()]


def answers(run: Path) -> dict[str, str]:
    """The answer to each key, where it has one."""
    from tvbench.runs.store import RunFolder

    index = RunFolder(run).index()
    return {key: index[key].text or "" for key in index.without_failures}


def figures(run: Path) -> list[tuple[Any, ...]]:
    """What scoring says, but for who answered."""
    data = json.loads((run / "result.json").read_text())
    return [(task["task"], json.dumps(task.get("metrics"), sort_keys=True)) for task in data["tasks"]]


if __name__ == "__main__":
    sys.exit(main())
