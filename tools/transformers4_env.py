"""Makes the transformers 4.5x environment in a cached folder of its own, and prints its Python.

    python tools/transformers4_env.py            builds it where it is missing, then prints the path
    python tools/transformers4_env.py --path     prints the path only

It holds only what must differ from the core environment; torch and the rest are found there, so it is small. Its
folder is named after the core environment too, because it works with that one only.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import sysconfig
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # this checkout's tvbench, whatever is installed

from tvbench.errors import TvbenchError  # noqa: E402
from tvbench.registry.environments import Environment, build  # noqa: E402

VERSIONS = ROOT / "constraints" / "transformers4.txt"


def legacy_environment(core: str) -> Environment:
    """The environment over `core`, the folder of the core environment's packages."""
    name = f"transformers4-{hashlib.sha256(core.encode()).hexdigest()[:8]}"
    return Environment(
        name,
        VERSIONS,
        ("--no-deps", "--requirement", str(VERSIONS)),
        "about 60 MB",
        ("torch", "transformers"),
        behind=core,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", action="store_true", help="print where it is (or would be), build nothing")
    args = parser.parse_args()
    core = sysconfig.get_paths()["purelib"]
    environment = legacy_environment(core)
    if not args.path:
        if not environment.whole:
            print(f"building the transformers 4 environment in {environment.folder}", file=sys.stderr)
        try:
            build(environment, partial(print, file=sys.stderr))
        except TvbenchError as error:
            print(error, file=sys.stderr)
            return error.exit_code
    print(environment.python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
