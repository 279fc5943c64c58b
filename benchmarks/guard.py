"""Copies of tower-mini, each wrong in one way, and sound ones: does `tvbench check` stop those and pass these?

    python benchmarks/guard.py --seeds 1-10 --output training/guard

Each copy answers the mini tasks as `results/baselines/tower-mini.json` was made, and is checked against that file. A
seed draws one of every kind:

- projector: noise twice as large as the projector's own weights; the languages are all that learned pictures;
- languages: the embeddings of two languages' tokens are shuffled among themselves;
- letters: the chat template swaps two letters of the Latin alphabet in what it renders;
- sound: nothing is wrong, and one thing is other than it was (batch, precision, threads, noise of 0.2 %).

A damage counts as stopped where the exit code is 3 and each of its languages is named as failed in the JSON; a false
alarm is any other exit code than 0 of a sound copy. benchmarks/damages.py has the copies, tests/guard a small sample.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import random
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BASELINE = ROOT / "results" / "baselines" / "tower-mini.json"
KINDS = ("projector", "languages", "letters", "sound")
LANGUAGES = ("en", "de", "es", "zh", "pt", "ru")
SEEN, LATIN = ("en", "de", "es", "zh"), ("en", "de", "es", "pt")
ITEMS = 20
"""Of each kind of question in each language."""
ASKED = ["--tasks", "mini", "--languages", ",".join(LANGUAGES), "--set", f"mini.items={ITEMS}"]
RUN = [*ASKED, "--engine", "transformers", "--dtype", "float32", "--quiet", "--no-reuse"]
SWAPPED = "clnrstu"
"""Letters that every Latin language is full of, and none of `<image>` and `<video>`."""
PROJECTOR = "multi_modal_projector."
TEXT = "content | trim"
SOUND: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("batches of 1", ("--batch-size", "1")),
    ("batches of 7", ("--batch-size", "7")),
    ("bfloat16 for float32", ("--dtype", "bfloat16")),
    ("two threads", ()),
    ("noise of 0.2 % on every weight", ()),
)


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy: what was done in words, to which languages, with which words of `tvbench run`; `edit` does it to the
    folder of the weights."""

    kind: str
    seed: int
    told: str
    languages: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    threads: int = 1
    edit: Callable[[Path], object] = field(default=lambda folder: None, compare=False)


def drawn(kind: str, seed: int) -> Copy:
    """The copy of this kind that `seed` draws."""
    rng = random.Random(f"guard/{kind}/{seed}")
    return {"projector": _projector, "languages": _languages, "letters": _letters, "sound": _sound}[kind](seed, rng)


def _projector(seed: int, rng: random.Random) -> Copy:
    return Copy(
        "projector", seed, "noise on the projector", SEEN, edit=lambda folder: _noise(folder, seed, PROJECTOR, 2)
    )


def _languages(seed: int, rng: random.Random) -> Copy:
    made = damages().damage("languages", seed)
    return Copy("languages", seed, made.told, made.languages, edit=lambda folder: damages().write(made, folder))


def _letters(seed: int, rng: random.Random) -> Copy:
    one, other = rng.sample(SWAPPED, 2)
    return Copy("letters", seed, f"'{one}' and '{other}' swapped", LATIN, edit=lambda folder: swap(folder, one, other))


def _sound(seed: int, rng: random.Random) -> Copy:
    told, words = SOUND[seed % len(SOUND)]
    if "noise" in told:
        return Copy("sound", seed, told, edit=lambda folder: _noise(folder, seed, "", 2e-3))
    return Copy("sound", seed, told, words=words, threads=2 if "threads" in told else 1)


def swap(folder: Path, one: str, other: str) -> None:
    """Have the chat template write `one` for `other`, and the other way round, in every text."""
    path = folder / "chat_template.jinja"
    text = path.read_text(encoding="utf-8")
    assert text.count(TEXT) == 1, "the template of tower-mini has changed"
    swapped = f"{TEXT} | replace('{one}', '\x01') | replace('{other}', '{one}') | replace('\x01', '{other}')"
    path.write_text(text.replace(TEXT, f"({swapped})"), encoding="utf-8")


def _noise(folder: Path, seed: int, prefix: str, share: float) -> None:
    """Noise of `share` of its own spread on every weight whose name begins with `prefix`."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    weights = folder / "model.safetensors"
    with safe_open(weights, "pt") as file:
        metadata = file.metadata()
    tensors, generator = load_file(weights), torch.Generator().manual_seed(seed)
    for name in sorted(tensors):
        if name.startswith(prefix):
            tensor = tensors[name].float()
            spread = tensor.std() if tensor.numel() > 1 else tensor.abs()
            tensors[name] = (tensor + torch.randn(tensor.shape, generator=generator) * share * spread).bfloat16()
    save_file(tensors, weights, metadata=metadata)


def damages() -> ModuleType:
    """benchmarks/damages.py, which has the shuffled embeddings."""
    if "damages" not in sys.modules:
        spec = importlib.util.spec_from_file_location("damages", Path(__file__).with_name("damages.py"))
        assert spec is not None and spec.loader is not None
        sys.modules["damages"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["damages"])
    return sys.modules["damages"]


# ── Runs and checks ───────────────────────────────────────────────────────────────────────────────


def run(copy: Copy, folder: Path) -> Path:
    """Ask a copy the mini tasks; the run's folder. The weights are removed afterwards."""
    import torch

    weights, results = folder / f"{copy.kind}-{copy.seed}", folder / "results" / f"{copy.kind}-{copy.seed}"
    shutil.copytree(damages().shipped(), weights)
    copy.edit(weights)
    threads = torch.get_num_threads()
    torch.set_num_threads(copy.threads)
    try:
        code, said = tvbench("run", "--model", str(weights), *RUN, *copy.words, "--results", str(results))
    finally:
        torch.set_num_threads(threads)
        shutil.rmtree(weights)
    assert code == 0, said
    [made] = (path for path in results.iterdir() if (path / "manifest.json").is_file())
    return made


def tvbench(*words: str) -> tuple[int, str]:
    """The exit code of a command and all that it prints, run in this process."""
    from tvbench.cli.main import main as command

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = command(list(words))
    return code, out.getvalue()


def checked(made: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """A run against the committed baseline: the exit code, and the check as JSON."""
    words = ("check", str(made), "--against", str(BASELINE), "--format", "json", *more)
    code, said = tvbench(*words)
    return code, json.loads(said[said.index("{") :]) if "{" in said else {"said": said}


def named(check: dict[str, Any]) -> set[str]:
    """The languages of which something fails."""
    some = [*check.get("comparisons", ()), *check.get("rises", ())]
    return {one["language"] for one in some if one["outcome"] == "fail"} - {"mean"}


def tried(copy: Copy, folder: Path) -> dict[str, object]:
    """One copy through the gate."""
    made = run(copy, folder)
    code, check = checked(made)
    hit = code == 3 and set(copy.languages) <= named(check) if copy.languages else code == 0
    return {
        "kind": copy.kind,
        "seed": copy.seed,
        "done": copy.told,
        "good": hit,
        "exit": code,
        "named": sorted(named(check)),
    }


def main() -> int:
    """Print a row a copy and the counts; 1 where one of them was judged wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1-10", help="first and last")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--output", type=Path, default=Path("training/guard"), help="emptied first")
    args = parser.parse_args()
    first, _, last = args.seeds.partition("-")
    shutil.rmtree(args.output, ignore_errors=True)
    rows = []
    for kind in args.kinds.split(","):
        for seed in range(int(first), int(last or first) + 1):
            rows.append(tried(drawn(kind, seed), args.output))
            print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
    return int(not counted(rows))


def counted(rows: Sequence[dict[str, object]]) -> bool:
    """Print how many of each kind were judged right; whether all were."""
    for kind in dict.fromkeys(str(row["kind"]) for row in rows):
        some = [row for row in rows if row["kind"] == kind]
        good = sum(bool(row["good"]) for row in some)
        print(f"{kind}: {good} of {len(some)} {'passed' if kind == 'sound' else 'stopped, all languages named'}")
    return all(bool(row["good"]) for row in rows)


if __name__ == "__main__":
    sys.exit(main())
