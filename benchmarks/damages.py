"""Copies of tower-mini with one thing wrong in each: do `explain` and `compare` name the language and the cause?

    python benchmarks/damages.py --seeds 1-10 --output training/damages

A seed draws one damage of every kind, and one sound change:

- languages: the embeddings of two languages' tokens are shuffled among themselves (tokens that others use stay);
- script: the tokens of one script have one another's embeddings, or those of another script's tokens;
- colour: a language's word for a colour has no embedding any more, neither to read nor to write;
- sound: noise on all weights, another precision, other pictures, another split.

Each copy answers mini-alm and mini-multi30k, in six languages and as many pictures of each kind as `--items`, and is
held against the shipped model, which answers the same. A damage is found by a command that prints the names of all its
languages and its cause: that these languages' tokens are wrong, that their script is mapped wrong, or the word that is
gone. A false alarm is anything of the kind about a sound model: for `compare` any line, for `explain` what it does not
say of the shipped model, which has its own gaps in pt and ru. What was printed is kept in the output folder.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import shutil
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path

SEEN = ("en", "de", "es", "zh")
"""Languages that tower-mini has learned pictures in; what it does in others is weak for reasons of its own."""
LANGUAGES = (*SEEN, "pt", "ru")
KINDS = ("languages", "script", "colour", "sound")
TASKS = "mini-alm,mini-multi30k"
EMBEDDINGS = "language_model.model.embed_tokens.weight"
TEXTS = 80
"""Samples of each kind, by which the tokens of a language are told."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One copy: what was done in words, and the `languages` that it was done to. `rows` maps a token to the token whose
    embedding it gets, or to None for none; `more` are words for `tvbench run` of both runs or of the copy's alone."""

    kind: str
    seed: int
    told: str
    languages: tuple[str, ...] = ()
    rows: tuple[tuple[int, int | None], ...] = ()
    noise: float = 0.0
    both: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    word: str = ""


def damage(kind: str, seed: int) -> Damage:
    """The damage of this kind that `seed` draws."""
    rng = random.Random(f"{kind}/{seed}")
    return {"languages": _languages, "script": _script, "colour": _colour, "sound": _sound}[kind](seed, rng)


def _languages(seed: int, rng: random.Random) -> Damage:
    pair = rng.choice(list(combinations(LANGUAGES, 2)))
    tokens = sorted(own_tokens(pair))
    return Damage("languages", seed, f"{' and '.join(pair)} shuffled", pair, tuple(_shuffled(tokens, rng)))


def _script(seed: int, rng: random.Random) -> Damage:
    script = rng.choice(["LATIN", "CJK", "CYRILLIC"])
    tokens = sorted(script_tokens(script))
    written = {"LATIN": ("en", "de", "es", "pt"), "CJK": ("zh",), "CYRILLIC": ("ru",)}[script]
    other = rng.choice([None, *({"LATIN", "CJK", "CYRILLIC"} - {script})])
    if other is None or script == "LATIN":
        return Damage("script", seed, f"{script} shuffled", written, tuple(_shuffled(tokens, rng)))
    others = sorted(script_tokens(other))
    rows = tuple((token, rng.choice(others)) for token in tokens)
    return Damage("script", seed, f"{script} read and written as {other}", written, rows)


def _colour(seed: int, rng: random.Random) -> Damage:
    code = rng.choice(SEEN)
    word = rng.choice(sorted(_grammar(code).colour_names.values()))
    tokens = _encoded(word) | _encoded(f" {word}")
    rows = tuple((token, None) for token in sorted(tokens & own_tokens(LANGUAGES, of=code)))
    return Damage("colour", seed, f"{code} without {word}", (code,), rows, word=word)


def _sound(seed: int, rng: random.Random) -> Damage:
    return [
        Damage("sound", seed, "noise of 0.2 % on every weight", noise=2e-3),
        Damage("sound", seed, "noise of 0.5 %, other pictures", noise=5e-3, both=("--seed", str(seed))),
        Damage("sound", seed, "bfloat16 for float32", own=("--dtype", "bfloat16")),
        Damage("sound", seed, "noise of 1 %", noise=1e-2),
        Damage("sound", seed, "noise of 0.5 %, split validation", noise=5e-3, both=("--split", "validation")),
    ][seed % 5]


def _shuffled(tokens: Sequence[int], rng: random.Random) -> Iterator[tuple[int, int]]:
    given = list(tokens)
    rng.shuffle(given)
    return zip(tokens, given, strict=True)


# ── Tokens ────────────────────────────────────────────────────────────────────────────────────────


def shipped() -> Path:
    """The folder of tower-mini's weights."""
    from tvbench.registry.local_models import trained_folder

    folder = trained_folder("tower-mini")
    assert folder is not None, "tower-mini's weights are not at hand"
    return folder


@lru_cache
def _tokenizer():  # type: ignore[no-untyped-def]
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(shipped() / "tokenizer.json"))


def _encoded(text: str) -> set[int]:
    return set(_tokenizer().encode(text, add_special_tokens=False).ids)


def _grammar(code: str):  # type: ignore[no-untyped-def]
    from tvbench.mini.grammars import grammar

    return grammar(code)


@lru_cache
def tokens_of(code: str) -> frozenset[int]:
    """Every token of what is asked and answered in a language."""
    from tvbench.mini import prompts, samples

    found: set[int] = set()
    for task in ("mini-alm", "mini-multi30k", "mini-vimul"):
        for split in ("test", "train"):
            for sample in samples.samples(task, split=split, languages=[code], count=TEXTS, level=1):
                asked = prompts.asked(sample, "text")
                for text in (asked.replace(sample.source, "") if sample.source else asked, *sample.answers):
                    found |= _encoded(text)
    return frozenset(found)


def own_tokens(codes: Sequence[str], of: str = "") -> set[int]:
    """Tokens of `codes` that no other language has; with `of`, those of that language."""
    if of:
        return set(tokens_of(of))
    others = {token for code in LANGUAGES if code not in codes for token in tokens_of(code)}
    return {token for code in codes for token in tokens_of(code)} - others


def script_tokens(script: str) -> set[int]:
    """Tokens with a letter of `script` (the first word of its characters' names), or with a piece of one: a token of
    bytes belongs to the script of the language that has it."""
    found = set()
    for token in {token for code in LANGUAGES for token in tokens_of(code)}:
        letters = [c for c in _tokenizer().decode([token]) if c.isalpha()]
        if any(unicodedata.name(c, "").startswith(script) for c in letters):
            found.add(token)
    return found


# ── Copies and runs ───────────────────────────────────────────────────────────────────────────────


def copy(made: Damage, folder: Path) -> Path:
    """The checkpoint with its damage, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in shipped().iterdir():
        shutil.copy(path, folder / path.name)
    return write(made, folder)


def write(made: Damage, folder: Path) -> Path:
    """Do the damage to the weights that are in `folder`."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    weights = folder / "model.safetensors"
    with safe_open(weights, "pt") as file:
        metadata = file.metadata()
    tensors = load_file(weights)
    before = tensors[EMBEDDINGS].clone()
    for token, given in made.rows:
        tensors[EMBEDDINGS][token] = 0 if given is None else before[given]
    if made.noise:
        random = torch.Generator().manual_seed(made.seed)
        for name, tensor in tensors.items():
            noise = torch.randn(tensor.shape, generator=random) * made.noise
            tensors[name] = (tensor.float() * (1 + noise)).to(tensor.dtype)
    save_file(tensors, weights, metadata=metadata)
    return folder


def run(model: str, results: Path, items: int, words: Sequence[str]) -> str:
    """Ask the mini tasks; the run's name."""
    before = set(results.iterdir()) if results.is_dir() else set()
    command = ["run", "--model", model, "--tasks", TASKS, "--languages", ",".join(LANGUAGES), "--quiet"]
    command += ["--set", f"mini.items={items}", "--engine", "transformers", "--results", str(results), *words]
    tvbench(*command)
    [made] = set(results.iterdir()) - before
    return made.name


def tvbench(*words: str) -> str:
    """What a command prints, run in this process: importing torch for each would take longer than the answers."""
    from tvbench.cli.main import main as command

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()) as problems:
        code = command(list(words))
    if code:
        raise SystemExit(f"tvbench {' '.join(words)} ended with {code}: {problems.getvalue()}")
    return out.getvalue()


# ── What the commands say ─────────────────────────────────────────────────────────────────────────

CAUSES = {"languages": "tokenizer or embeddings", "script": "script mapped wrong"}
BROKEN = {"compare": "broken in ", "explain": "What is broken"}


def said(command: str, text: str) -> list[str]:
    """What a command says of things that are broken; without the lines of its other sections."""
    lines = text.splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith(BROKEN[command])), len(lines))
    kept = []
    for line in lines[start + 1 :]:
        if command == "explain" and not line.startswith(" "):
            break
        kept.append(line.strip())
    return kept


def is_found(made: Damage, lines: Sequence[str]) -> bool:
    """Whether all languages of a damage are named, and its cause."""
    from tvbench.languages import language

    text = " ".join(" ".join(lines).split())
    cause = f"'{made.word}'" if made.word else CAUSES[made.kind]
    return cause in text and all(language(code).name in text for code in made.languages)


def tried(made: Damage, folder: Path, items: int) -> dict[str, object]:
    """One copy through both commands."""
    results, name = folder / "results", f"{made.kind}-{made.seed}"
    base = shipped_run(results, items, made.both)
    other = run(str(copy(made, folder / name)), results, items, made.both + made.own)
    text = {
        "compare": tvbench("compare", base, other, "--results", str(results), "--resamples", "200"),
        "explain": tvbench("explain", other, "--results", str(results)),
    }
    (folder / f"{name}.txt").write_text("\n".join(text.values()), encoding="utf-8")
    shutil.rmtree(folder / name)
    lines = {command: said(command, text[command]) for command in text}
    if made.kind == "sound":
        known = said("explain", tvbench("explain", base, "--results", str(results)))
        hits = {"compare": bool(lines["compare"]), "explain": any(line not in known for line in lines["explain"])}
    else:
        hits = {command: is_found(made, lines[command]) for command in lines}
    return {"kind": made.kind, "seed": made.seed, "done": made.told, **hits}


@lru_cache
def shipped_run(results: Path, items: int, words: tuple[str, ...]) -> str:
    """The shipped model's run, once for all copies that answer the same."""
    return run("tower-mini", results, items, words)


def main() -> int:
    """Print a row a copy and the table; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1-10", help="first and last")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--items", type=int, default=20, help="of each kind of question in each language")
    parser.add_argument("--output", type=Path, default=Path("training/damages"), help="emptied first")
    args = parser.parse_args()
    first, _, last = args.seeds.partition("-")
    shutil.rmtree(args.output, ignore_errors=True)
    rows = []
    for kind in args.kinds.split(","):
        for seed in range(int(first), int(last or first) + 1):
            rows.append(tried(damage(kind, seed), args.output, args.items))
            print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
    return int(not table(rows))


def table(rows: Sequence[dict[str, object]]) -> bool:
    """Print the counts by kind; whether all goals are met."""
    met = True
    print("| | copies | compare | explain | either |\n|:--|--:|--:|--:|--:|")
    for kind in dict.fromkeys(row["kind"] for row in rows):
        of_kind = [row for row in rows if row["kind"] == kind]
        counts = [sum(bool(row[name]) for row in of_kind) for name in ("compare", "explain")]
        counts.append(sum(bool(row["compare"] or row["explain"]) for row in of_kind))
        name = "sound: false alarms" if kind == "sound" else f"{kind}: found"
        print(f"| {name} | {len(of_kind)} | " + " | ".join(map(str, counts)) + " |")
        met &= counts[-1] <= 0.1 * len(of_kind) if kind == "sound" else counts[-1] >= 0.9 * len(of_kind)
    return met


if __name__ == "__main__":
    sys.exit(main())
