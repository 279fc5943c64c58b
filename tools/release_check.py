"""Is this checkout fit to be released? Builds wheel and source archive, and tries the wheel where nothing else is.

    python tools/release_check.py               the files, and every Python that is found
    python tools/release_check.py --strict      what could not be tried counts as failed
    python tools/release_check.py --no-engine   without torch, which takes several GB in each environment

Each environment is new, holds the wheel and what it asks for, and is used from a folder outside the checkout with an
empty home. Exit codes: 0 fit, 1 not. Needs hatchling and mypy; knows tvbench by its files and its commands.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
CONSTRAINTS = ROOT / "constraints" / "core.txt"
SHIPPED = (
    "tvbench/py.typed",
    "tvbench/shipped/models/tower-mini/model.safetensors",
    "tvbench/shipped/suites/eu24.yaml",
    "tvbench/shipped/constraints/comet.txt",
)
MEGABYTES = 12
QUESTIONS = ("--model", "tower-mini", "--tasks", "mini", "--languages", "en,de", "--limit", "2")
SHOWN = 6
"""Last lines of what a failed command said."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. No `problem`: it is as it should be. `tried` is false where nobody could look."""

    name: str
    problem: str = ""
    tried: bool = True

    def __str__(self) -> str:
        mark = "FAILED" if self.tried and self.problem else "good" if self.tried else "not tried"
        return f"{mark:9}  {self.name}" + (f": {self.problem}" if self.problem else "")


# ── What the files say ────────────────────────────────────────────────────────────────────────────


def version_of(root: Path) -> str:
    """The one that the package gives itself."""
    return _found(r'^__version__ = "(.+)"$', root / "tvbench" / "__init__.py")


def versions(root: Path, tags: Sequence[str]) -> Iterator[Check]:
    """The version is the same in the package, the citation, the changelog and the tag of this commit (`tags`)."""
    version = version_of(root)
    cited = _found(r"^version: (.+)$", root / "CITATION.cff")
    yield Check("CITATION.cff", "" if cited == version else f"has version {cited}, the package {version}")
    heading = _found(r"^## (.+)$", root / "CHANGELOG.md")
    released = [tag for tag in tags if re.match(r"v\d", tag)]
    expected = (version,) if released else (version, "Unreleased")
    yield Check(
        "CHANGELOG.md",
        "" if heading.partition(" ")[0] in expected else f"begins with '{heading}', the version is {version}",
    )
    wrong = [tag for tag in released if tag != f"v{version}"]
    yield Check("tag", f"{', '.join(wrong)} is not v{version}" if wrong else "")


def _found(pattern: str, path: Path) -> str:
    match = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    return match[1].strip().strip('"') if match else "none"


def tags_here(root: Path) -> list[str]:
    """The annotated tags of the commit that is checked out; none outside a repository."""
    done = subprocess.run(
        ["git", "for-each-ref", "--points-at=HEAD", "--format=%(refname:short) %(objecttype)", "refs/tags"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return [line.split()[0] for line in done.stdout.splitlines() if line.endswith(" tag")]


# ── The archives ──────────────────────────────────────────────────────────────────────────────────


def build(root: Path, folder: Path) -> tuple[Path, Path]:
    """The wheel and the source archive of `root`, made in `folder`."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=root, check=True, stdout=subprocess.DEVNULL
    )
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, source


def archives(wheel: Path, source: Path, folder: Path) -> Iterator[Check]:
    """The wheel holds what it must and no more; the source archive is enough to make the same wheel."""
    names = set(zipfile.ZipFile(wheel).namelist())
    missing = [name for name in SHIPPED if name not in names]
    yield Check("wheel: files", f"lacks {', '.join(missing)}" if missing else "")
    foreign = sorted({name.partition("/")[0] for name in names} - {"tvbench"})
    yield Check(
        "wheel: nothing else",
        "" if len(foreign) == 1 and foreign[0].endswith(".dist-info") else f"holds {', '.join(foreign)}",
    )
    large = [path.name for path in (wheel, source) if path.stat().st_size > MEGABYTES * 1_000_000]
    yield Check("sizes", f"{', '.join(large)}: above {MEGABYTES} MB" if large else "")
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    again, _ = build(unpacked, folder / "again")
    different = names ^ set(zipfile.ZipFile(again).namelist())
    yield Check(
        "wheel from the source archive", f"differs in {', '.join(sorted(different)[:SHOWN])}" if different else ""
    )


# ── An empty environment ──────────────────────────────────────────────────────────────────────────


def find_python(version: str) -> str | None:
    """A Python of that version that starts: on the PATH, or one of pyenv's or uv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    managed = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local" / "share" / "uv" / "python")
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    candidates = [folder / f"python{version}" for folder in folders]
    candidates += sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True)
    candidates += sorted(managed.glob(f"cpython-{version}.*/bin/python{version}"), reverse=True)
    return next((str(path) for path in candidates if os.access(path, os.X_OK) and _starts(path, version)), None)


def _starts(path: Path, version: str) -> bool:
    command = [str(path), "-c", "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == version


@dataclass(frozen=True, slots=True)
class Place:
    """An environment with the wheel, and an empty folder to work in."""

    version: str
    python: Path
    folder: Path

    def check(self, name: str, *command: str, code: int = 0, says: str = "") -> Check:
        """Run `command` there; it must end with `code`, and its output hold `says`."""
        done = subprocess.run(
            command, cwd=self.folder, env=self._variables(), capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        problem = (
            ""
            if done.returncode == code and says in said
            else (f"ended with {done.returncode} (not {code}, and '{says}')\n" + _last_lines(said))
        )
        return Check(f"{self.version}: {name}", problem)

    def tvbench(self, *words: str, code: int = 0, says: str = "") -> Check:
        return self.check(
            "tvbench " + " ".join(words), str(self.python.with_name("tvbench")), *words, code=code, says=says
        )

    def runs(self, name: str, program: str, says: str = "") -> Check:
        return self.check(name, str(self.python), "-c", program, says=says)

    def install(self, *packages: str) -> Check:
        """With the person's own home and index; everything else runs without."""
        command = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        problem = _last_lines(done.stderr) if done.returncode else ""
        return Check(f"{self.version}: pip install {Path(packages[-1]).name}", problem)

    def _variables(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
        return {**kept, "HOME": str(self.folder), "HF_HUB_OFFLINE": "1", "COLUMNS": "200", "PYTHONWARNINGS": "default"}


def _last_lines(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-SHOWN:])


def tried(version: str, wheel: Path, folder: Path, engine: bool) -> Iterator[Check]:
    """All that is tried with one Python; what comes after a failed installation is not."""
    base = find_python(version)
    if base is None:
        yield Check(f"{version}", "no such Python here", tried=False)
        return
    subprocess.run([base, "-m", "venv", str(folder / "environment")], check=True)
    (folder / "elsewhere").mkdir()
    place = Place(version, folder / "environment" / "bin" / "python", folder / "elsewhere")
    installed = place.install("--constraint", str(CONSTRAINTS), str(wheel))
    yield installed
    if not installed.problem:
        yield from without_engine(place, version_of(ROOT))
        yield from (
            with_engine(place, wheel)
            if engine
            else [Check(f"{version}: the mini tasks on tower-mini", "--no-engine", tried=False)]
        )


def without_engine(place: Place, version: str) -> Iterator[Check]:
    """What needs no torch: lists, plans, reports; and what is said to who asks for more."""
    yield place.tvbench("--version", says=version)
    yield place.runs(
        "python -m tvbench",
        "import runpy, sys; sys.argv[1:] = ['--version']; runpy.run_module('tvbench', run_name='__main__')",
        says=version,
    )
    yield place.runs(
        "metadata",
        "from importlib.metadata import version as v, entry_points as e; print(v('tvbench'), "
        "*[p.load() for p in e(group='console_scripts') if p.name == 'tvbench'])",
        says=f"{version} <function",
    )
    yield place.runs(
        "byte code",
        "import compileall, tvbench, warnings; warnings.simplefilter('error'); "
        "raise SystemExit(not compileall.compile_dir(tvbench.__path__[0], quiet=1, force=True))",
    )
    yield place.tvbench("tasks", says="mini")
    yield place.tvbench("models", says="tower-mini")
    yield place.tvbench("leaderboard")
    yield place.tvbench("run", *QUESTIONS, code=2, says="tvbench[transformers]")
    yield place.runs("import tvbench.api", API, says="run")
    yield typed(place)


API = "import tvbench; print(*(getattr(tvbench, name) for name in 'run score compare leaderboard load'.split()))"
OUTSIDE = """import tvbench

run = tvbench.run("tower-mini", "mini", languages=["de"], limit=1, results="results")
rows = run.table()
reveal_type(tvbench.run)
"""


def typed(place: Place) -> Check:
    """A strict type checker reads the package's types from outside: none of them is Any."""
    (place.folder / "outside.py").write_text(OUTSIDE, encoding="utf-8")
    return place.check(
        "mypy --strict from outside",
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--python-executable",
        str(place.python),
        "outside.py",
        says='Revealed type is "def (',
    )


def with_engine(place: Place, wheel: Path) -> Iterator[Check]:
    """The embedded model answers, and its run can be read again."""
    installed = place.install("--constraint", str(CONSTRAINTS), f"{wheel}[transformers]")
    yield installed
    if installed.problem:
        return
    yield place.tvbench("run", *QUESTIONS, says="tower-mini")
    yield place.tvbench("run", *QUESTIONS, says="answered before")  # the same command goes on
    yield place.tvbench("leaderboard", "--tasks", "mini", says="tower-mini")
    yield place.runs("tvbench.run from Python", OUTSIDE.partition("reveal")[0] + "print(len(rows) > 0)", says="True")


# ── All of it ─────────────────────────────────────────────────────────────────────────────────────


def checks(pythons: Sequence[str], engine: bool, folder: Path) -> Iterator[Check]:
    """Every check, in the order in which a failure explains the next."""
    yield from versions(ROOT, tags_here(ROOT))
    (folder / "dist").mkdir()
    (folder / "source").mkdir()
    wheel, source = build(ROOT, folder / "dist")
    yield from archives(wheel, source, folder / "source")
    for version in pythons:
        own = folder / version
        own.mkdir()
        yield from tried(version, wheel, own, engine)
        shutil.rmtree(own)  # several GB each


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", action="append", choices=PYTHONS, help="only this one (repeatable; default: all)")
    parser.add_argument("--no-engine", action="store_true", help="do not install torch, do not run the embedded model")
    parser.add_argument("--strict", action="store_true", help="what could not be tried counts as failed")
    args = parser.parse_args()
    done = []
    with tempfile.TemporaryDirectory(prefix="tvbench-release-") as name:
        for check in checks(args.python or PYTHONS, not args.no_engine, Path(name)):
            print(check, flush=True)
            done.append(check)
    failed = [check for check in done if check.problem and (check.tried or args.strict)]
    untried = sum(not check.tried for check in done)
    print(f"{len(done) - len(failed)} of {len(done)} good, {untried} not tried")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
