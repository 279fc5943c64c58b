"""The Slurm recipe as it stands in docs/cluster.md, and whether what it left is what one process leaves.

python tools/slurm_recipe.py                     prints the recipe's text
python tools/slurm_recipe.py --compare RUN RUN   every key once, equal answers, equal figures; else exit code 1
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "cluster.md"
sys.path.insert(0, str(ROOT))

from tvbench.runs.store import RunFolder  # noqa: E402


def recipe() -> str:
    """The one box of the page that Slurm would read."""
    boxes = re.findall(r"^```bash\n(#!.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (text,) = (str(box) for box in boxes if "#SBATCH --array" in box)
    return text


def differences(one: Path, other: Path) -> list[str]:
    """What of two runs is not equal, in words."""
    found = []
    texts = []
    for path in (one, other):
        keys = [json.loads(line)["key"] for file in RunFolder(path).response_files() for line in file.open("rb")]
        if len(keys) != len(set(keys)):
            found.append(f"{path}: {len(keys) - len(set(keys))} keys stand twice")
        texts.append({key: (answer.text, answer.error) for key, answer in RunFolder(path).responses().items()})
        asked = {key for key, _ in RunFolder(path).requests()}
        if asked != texts[-1].keys():
            found.append(f"{path}: {len(asked ^ texts[-1].keys())} keys are missing or were never asked")
    if texts[0] != texts[1]:
        found.append("the answers are not equal")
    figures = [{task.task: task.metrics for task in RunFolder(path).result() or ()} for path in (one, other)]
    if not figures[0] or figures[0] != figures[1]:
        found.append("the figures are not equal")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compare", nargs=2, type=Path, metavar="RUN")
    args = parser.parse_args()
    if args.compare is None:
        print(recipe(), end="")
        return 0
    found = differences(*args.compare)
    print(
        "\n".join(found)
        or f"{len(RunFolder(args.compare[0]).responses())} keys, each once; answers and figures are equal"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
