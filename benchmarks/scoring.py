"""`tvbench score` of large runs: CPU seconds and peak memory of the whole process, by the number of items.

    python benchmarks/scoring.py --items 20000 100000 1000000
    python benchmarks/scoring.py --items 200000 --beside ../older-checkout --rounds 3

Makes a run of three tasks in 20 languages: choice (60 % of the items; four options, two tags, one picture asked about
in every language), exact (30 %) and translations (10 %). Nothing is asked of a model: two answers of three are right,
some have words around them. `--beside` scores the same folder with another checkout, in turns, each on its own copy;
`result.json` and `scores.jsonl` of the two are compared byte by byte. `--mix` takes other shares.
"""

from __future__ import annotations

import argparse
import compileall
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tvbench.types import Item

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = "en de fr es it pt nl pl cs ru uk el tr ar hi ko zh ja vi sv".split()
ALPHABETS = {
    "ru": "абвгдежзиклмнопрстуфхцчшья",
    "uk": "абвгдежзиіклмнопрстуфхцчшья",
    "el": "αβγδεζηθικλμνξοπρστυφχψω",
    "ar": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "hi": "कखगघचछजझटठडढणतथदधनपफबभमयरलवशसह",
    "ko": "가나다라마바사아자차카타파하고노도로모보소",
    "zh": "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年",
    "ja": "あいうえおかきくけこさしすせそたちつてとなにぬねの",
}
AROUND = ("The answer is {}.", "{}.", "**{}**", "Answer: {}", "{} ")
MIX = {"choice": 0.6, "exact": 0.3, "translation": 0.1}
KINDS = ("place", "food", "dress", "music", "history", "art")


def main() -> int:
    """Make each run, score it, print a line. 1 where a process fails, or the two checkouts differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[20_000, 100_000], metavar="N")
    parser.add_argument("--mix", type=float, nargs=3, metavar="SHARE", help="choice, exact, translations")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--beside", type=Path, metavar="DIR", help="another checkout, scored in turns with this one")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make the runs here, and leave them (or take them)")
    args = parser.parse_args()
    mix = dict(zip(MIX, args.mix, strict=True)) if args.mix else MIX
    with tempfile.TemporaryDirectory() as folder:
        place = args.keep or Path(folder)
        return max(measured(place, items, mix, args.beside, args.rounds) for items in args.items)


def measured(place: Path, items: int, mix: Mapping[str, float], beside: Path | None, rounds: int) -> int:
    """One size, in turns; prints a line for each checkout."""
    run = place / f"made-{items}"
    if not run.is_dir():
        make_run(run, items, mix)
    sides = {"here": ROOT, **({"beside": beside.resolve()} if beside else {})}
    copies = {name: copied(run, place / f"{name}-{items}") for name in sides}
    for tree in sides.values():  # as an installed package is, whatever PYTHONDONTWRITEBYTECODE says
        compileall.compile_dir(tree / "tvbench", quiet=1)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, tree in sides.items():
            found[name].append(process(tree, ["score", str(copies[name])]))
    for name, some in found.items():
        cpu = statistics.median(seconds for seconds, _ in some)
        print(
            f"{items:>9,} items, {name:<7} {cpu:8.2f} CPU s, {cpu / items * 1e6:7.1f} µs an item, "
            f"peak {max(peak for _, peak in some):6.0f} MB, {rounds} rounds",
            flush=True,
        )
    if beside:
        ratio = statistics.median(old / new for (new, _), (old, _) in zip(*found.values(), strict=True))
        print(f"{items:>9,} items: beside took {ratio:.2f} times as long", flush=True)
    return int(bool(beside) and not same(*copies.values()))


def copied(run: Path, copy: Path) -> Path:
    """A copy of the run under the run's own name."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run, copy / run.name)
    return copy / run.name


def same(first: Path, second: Path) -> bool:
    """Whether both scored alike, byte by byte."""
    differ = [
        name for name in ("scores.jsonl", "result.json") if (first / name).read_bytes() != (second / name).read_bytes()
    ]
    for name in differ:
        print(f"{first / name} and {second / name} differ", file=sys.stderr)
    return not differ


def process(tree: Path, words: Sequence[str]) -> tuple[float, float]:
    """(CPU seconds, peak MB) of one `tvbench` process of a checkout. Raises CalledProcessError."""
    env = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tvbench", *words]
    child = subprocess.Popen(command, env=env, cwd=tree, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        raise subprocess.CalledProcessError(child.returncode, command)
    return used.ru_utime + used.ru_stime, peak_megabytes(used)


def peak_megabytes(used: resource.struct_rusage) -> float:
    """macOS counts bytes, Linux kilobytes."""
    return used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


# ── A run without a model ─────────────────────────────────────────────────────────────────────────


def make_run(folder: Path, items: int, mix: Mapping[str, float] = MIX, *, wrong_lines: bool = False) -> None:
    """A whole run folder, written without holding its items. `wrong_lines`: some answers failed, some are missing."""
    from tvbench.runs.manifest_json import manifest_from_json
    from tvbench.runs.writer import RunWriter
    from tvbench.types import Response

    counts = {task: round(items * share) for task, share in mix.items() if share > 0}
    with RunWriter(folder) as writer:
        entries = [entry(task, count) for task, count in counts.items()]
        engine, model = {"name": "made", "version": "1", "settings": {}}, {"name": "made", "revision": "1"}
        about = {"run": folder.name, "model": model, "engine": engine, "tasks": entries}
        writer.write_manifest(manifest_from_json(about))
        every = [(task, code, number) for task, count in counts.items() for code, number in places(count)]
        asked = (made(*place) for place in every)
        writer.write_requests((key_of(item.task, item.id), item, digests) for item, _, digests in asked)
        writer.start()
        for at, place in enumerate(every):
            item, text, _ = made(*place)
            key = key_of(item.task, item.id)
            if wrong_lines and at % 97 == 3:
                continue
            failed = wrong_lines and at % 89 == 5
            writer.append(Response(key, error="no") if failed else Response(key, text, "stop", 300, 8, 0.5))


def places(count: int) -> Iterator[tuple[str, int]]:
    """Languages and numbers of a task's items, language by language."""
    each = [count // len(LANGUAGES) + (at < count % len(LANGUAGES)) for at in range(len(LANGUAGES))]
    for code, size in zip(LANGUAGES, each, strict=True):
        yield from ((code, number) for number in range(size))


def entry(task: str, count: int) -> dict[str, object]:
    """The task in the manifest, signed with the hash of its prompts."""
    import json

    from tvbench.runs.signature import PROMPTS_FORMAT, short_hash

    names = sorted((code, f"{code}/{number}", number) for code, number in places(count))
    items = (made(task, code, number)[0] for code, _, number in names)
    texts = (json.dumps((item.language, item.id, "<image:None:None>", *item.messages[0].parts[1:])) for item in items)
    signature = f"task:{task}@1|protocol:made|data:made|items:{count}|prompts:{PROMPTS_FORMAT}{short_hash(texts)}"
    primary = {"choice": "aligned", "exact": "accuracy", "translation": "chrfpp"}[task]
    return {"task": task, "protocol": "made", "primary": primary, "signature": signature, "items": count}


def key_of(task: str, name: str) -> str:
    """As long as a content key."""
    import hashlib

    return hashlib.sha256(f"{task} {name}".encode()).hexdigest()


def made(task: str, code: str, number: int) -> tuple[Item, str, tuple[str, ...]]:
    """(The item of that number, the text that answers it, its pictures' digests), always the same."""
    from tvbench.types import Choice, Item, Media, Message, Sampling, Short, Target, Translation

    target: Target
    rng = random.Random(f"{task} {code} {number}")
    question = sentence(code, rng, 12)
    tags: dict[str, str] = {}
    if task == "choice":
        options = tuple(sentence(code, rng, rng.randint(1, 3)) for _ in range(4))
        gold = rng.randrange(4)
        target, right = Choice(options, gold, options[gold], options, question=question), options[gold]
        wrong = options[(gold + 1) % 4]
        tags = {"category": KINDS[number % len(KINDS)], "question_type": "choice" if number % 5 else "true or false"}
        question = "\n".join([question, *options, "Answer with the option's text."])
    elif task == "exact":
        right, wrong = (sentence(code, rng, rng.randint(1, 2)) for _ in range(2))
        target = Short((right, sentence(code, rng, 2)))
    else:
        right = sentence(code, rng, 11)
        target, wrong = Translation(sentence("en", rng, 11), (right,)), right.rpartition(" ")[0]
    text = right if rng.random() < 2 / 3 else wrong
    if rng.random() < 0.2:
        text = rng.choice(AROUND).format(text)
    picture = f"{task}-{number}.jpg"
    media = Media("image", picture, bytes)
    messages = (Message("user", (media, question)),)
    item = Item(f"{code}/{number}", task, code, messages, target, Sampling(), cluster=picture, tags=tags)
    return item, text, (f"{number:064x}",)


@cache
def words_of(code: str) -> tuple[str, ...]:
    """3,000 words of a language that has no meaning."""
    rng = random.Random(code)
    letters = ALPHABETS.get(code, "etaoinsrhldcumfpgwybv")
    longest = 3 if code in ("zh", "ja", "ko") else 9
    return tuple("".join(rng.choices(letters, k=rng.randint(1, longest))) for _ in range(3000))


def sentence(code: str, rng: random.Random, size: int) -> str:
    """So many words."""
    text = ("" if code in ("zh", "ja") else " ").join(rng.choices(words_of(code), k=size))
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    sys.exit(main())
