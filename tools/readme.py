"""The screens in README.md, made again: the commands above them are run on the shipped model.

python tools/readme.py            says whether they are as today's
python tools/readme.py --write    writes them (a minute on two cores)
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]  # this checkout's tvbench, whatever is installed
os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported

import readme_screens  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write them to README.md")
    args = parser.parse_args()
    text = readme_screens.README.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        readme_screens.prepare(place)
        made = {command: readme_screens.typed(command, place) for command in readme_screens.commands(text)}
    now = readme_screens.with_screens(text, made)
    if args.write:
        readme_screens.README.write_text(now, encoding="utf-8")
    print("README.md:", "as it was" if now == text else "changed")
    return 0 if args.write or now == text else 1


if __name__ == "__main__":
    sys.exit(main())
