"""What every command shows at five widths, as docs/screens holds it.

python tools/screens.py                      says which files of docs/screens are not today's
python tools/screens.py --write [NAME ...]   writes them all, or those named
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]  # this checkout's tvbench, whatever is installed

import screens  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these screens, such as leaderboard")
    parser.add_argument("--write", action="store_true", help="write them to docs/screens")
    args = parser.parse_args()
    chosen = [screen for screen in screens.ALL if not args.names or screen.name in args.names]
    changed = []
    with tempfile.TemporaryDirectory() as folder:
        screens.make_runs(Path(folder))
        for screen in chosen:
            path = screens.SCREENS / f"{screen.name}.txt"
            text = screens.screen_text(screen, Path(folder))
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                changed.append(path.name)
                if args.write:
                    path.parent.mkdir(exist_ok=True)
                    path.write_text(text, encoding="utf-8")
    if args.write and not args.names:
        known = {f"{screen.name}.txt" for screen in screens.ALL}
        for path in screens.SCREENS.glob("*.txt"):
            if path.name not in known:
                path.unlink()
    print("changed:", ", ".join(changed) or "none")
    return 0 if args.write or not changed else 1


if __name__ == "__main__":
    sys.exit(main())
