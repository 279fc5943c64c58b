"""The paper's findings in miniature: the recipe `mini` in variants, each by several seeds, on held-out pictures.

    tvbench train --recipe mini --until 0 --output training/mini
    python benchmarks/miniature.py vision --base training/mini --seeds 1,2,3

A comparison trains the stages that differ, and takes those before from `--base`, which is a run of the same recipe (and
of the same `--variant text=...`). Every model answers the same questions; the table gives the mean over seeds and the
lowest and the highest, for each group of languages. docs/miniature.md says what is compared, and what came out.
Training that was interrupted goes on with the same command.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

SIX, TEN = "en,de,es,zh,pt,ru", "en,de,es,zh,pt,ru,fr,hi,ja,ko"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`arms` are choices of the variant `kind`, all else as in the recipe with this `text`; languages are shown in
    `groups`."""

    kind: str
    arms: tuple[str, ...]
    languages: str
    groups: dict[str, tuple[str, ...]]
    text: str = "six"

    def variants(self, arm: str) -> dict[str, str]:
        """Every kind of variant with its choice."""
        return {"text": self.text, "projector": "four", "vision": "four", self.kind: arm}


SIX_GROUPS = {"en": ("en",), "de es zh": ("de", "es", "zh"), "pt ru": ("pt", "ru")}
COMPARISONS = {
    "vision": Comparison("vision", ("four", "english"), SIX, SIX_GROUPS),
    "projector": Comparison("projector", ("four", "english"), SIX, SIX_GROUPS),
    "ten": Comparison(
        "vision",
        ("ten", "four"),
        TEN,
        {"en": ("en",), "de es zh": ("de", "es", "zh"), "pt ru fr hi ja ko": ("pt", "ru", "fr", "hi", "ja", "ko")},
        text="ten",
    ),
}


def main() -> int:
    """Train and run what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("comparison", choices=COMPARISONS)
    parser.add_argument("--base", type=Path, required=True, help="the output of a run that has trained stage 0")
    parser.add_argument("--output", type=Path, default=Path("training/miniature"))
    parser.add_argument("--seeds", default="1,2,3", help="of stages 1 and 2")
    parser.add_argument("--steps", type=int, default=500, help="of stage 2, in every arm")
    parser.add_argument("--items", type=int, default=40, help="of each kind of question and language")
    parser.add_argument("--at-once", type=int, default=2, help="trainings beside each other, a thread each")
    args = parser.parse_args()
    chosen = COMPARISONS[args.comparison]
    seeds = [int(seed) for seed in args.seeds.split(",")]
    with ThreadPoolExecutor(args.at_once) as pool:
        pending = {(arm, seed): pool.submit(scores, chosen, arm, seed, args) for seed in seeds for arm in chosen.arms}
        found = {key: run.result() for key, run in pending.items()}
    print("\n".join(table(chosen, found, seeds)))
    return 0


Scores = dict[tuple[str, str, str], float]
"""By task and metric (`mini-alm aligned`), question type and language."""


def scores(chosen: Comparison, arm: str, seed: int, args: argparse.Namespace) -> Scores:
    """Train one arm by one seed, where that has not been done, and run it on the held-out pictures."""
    variants = chosen.variants(arm)
    folder = args.output / f"{'-'.join(variants.values())}-{seed}"
    if not (folder / "export" / "config.json").is_file():
        words = [word for kind, choice in variants.items() for word in ("--variant", f"{kind}={choice}")]
        for setting in (f"projector.seed={seed}", f"vision.seed={seed}", f"vision.steps={args.steps}"):
            words += ["--set", setting]
        resume = ["--resume"] if (folder / "recipe.json").is_file() else []
        tvbench(
            "train",
            "--recipe",
            "mini",
            *words,
            "--until",
            "2",
            "--reuse",
            str(args.base),
            "--output",
            str(folder),
            "--threads",
            "1",
            "--quiet",
            *resume,
        )
    tvbench(
        "run",
        "--model",
        str(folder / "export"),
        "--tasks",
        "mini-alm,mini-multi30k",
        "--languages",
        chosen.languages,
        "--set",
        f"mini.items={args.items}",
        "--results",
        str(folder / "results"),
        "--quiet",
    )
    [run] = (folder / "results").iterdir()
    return read(run)


def tvbench(*words: str) -> None:
    """Run a command; what it says goes to the terminal. Raises CalledProcessError where it fails."""
    subprocess.run([sys.executable, "-m", "tvbench", *words], check=True, stdout=subprocess.DEVNULL)


def read(run: Path) -> Scores:
    """Means of item scores: choices and short answers together, and the senses of ambiguous captions."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for line in (run / "scores.jsonl").read_text(encoding="utf-8").splitlines():
        score = json.loads(line)
        language, _, name = score["item"].partition("/")
        kind = name.rpartition("-")[0]
        for metric in ("aligned", "accuracy", "sense"):
            if (value := score["values"].get(metric)) is not None:
                values.setdefault((score["task"], kind, language), []).append(value)
    return {key: mean(figures) for key, figures in values.items()}


def table(chosen: Comparison, found: dict[tuple[str, int], Scores], seeds: Sequence[int]) -> list[str]:
    """Markdown: a line a kind of question and arm, a column a group of languages."""
    kinds = list(dict.fromkeys((task, kind) for task, kind, _ in next(iter(found.values()))))
    lines = [f"| | {chosen.kind} | " + " | ".join(chosen.groups) + " |", "|:--|:--|" + "--:|" * len(chosen.groups)]
    rows = [(f"{task} {kind}", [(task, kind)]) for task, kind in kinds]
    questions = [key for key in kinds if key[0] == "mini-alm"]
    for name, parts in [("questions, mean of kinds", questions), *rows]:
        for arm in chosen.arms:
            cells = [
                cell([mean_of(found[arm, seed], parts, group) for seed in seeds]) for group in chosen.groups.values()
            ]
            lines.append(f"| {name} | {arm} | " + " | ".join(cells) + " |")
    return lines


def mean_of(one: Scores, kinds: Sequence[tuple[str, str]], languages: Sequence[str]) -> float | None:
    """The macro average over kinds and languages; None where none of them was asked."""
    values = [one[task, kind, code] for task, kind in kinds for code in languages if (task, kind, code) in one]
    return mean(values) if values else None


def cell(values: Sequence[float | None]) -> str:
    """`97 (95 to 99)`, in percent."""
    known = [100 * value for value in values if value is not None]
    if not known:
        return "–"
    return f"{mean(known):.0f}" + (f" ({min(known):.0f} to {max(known):.0f})" if len(known) > 1 else "")


if __name__ == "__main__":
    sys.exit(main())
