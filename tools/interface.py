"""What other people's code and scripts rely on: public names, entry points, and the options of the command line.

    python tools/interface.py            prints it
    python tools/interface.py --write    writes it to tests/data/interface.txt, where a test holds tvbench to it

Read from the modules and parsers themselves. Knows no more of a module than its names and signatures.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # this checkout's tvbench, whatever is installed

from tvbench.cli.main import COMMANDS, build_parser  # noqa: E402

FROZEN = ROOT / "tests" / "data" / "interface.txt"
MODULES = ("tvbench", "tvbench.api", "tvbench.types")
"""The documented ones; one that is not there has no names."""

# ── Modules ───────────────────────────────────────────────────────────────────────────────────────


def modules() -> Iterator[str]:
    """A block for each documented module: its public names, with what they take."""
    for name in MODULES:
        if find_spec(name) is None:
            continue
        module = importlib.import_module(name)
        yield f"## {name}"
        for public in public_names(module):
            value = getattr(module, public)
            home = getattr(value, "__module__", name)
            yield from [f"{public}: see {home}"] if home != name and home in MODULES else described(public, value)
        yield ""


def public_names(module: ModuleType) -> list[str]:
    """`__all__`, or what the module itself defines and does not begin with `_`."""
    given = getattr(module, "__all__", None)
    names = set(given) if given is not None else set(_defined(Path(inspect.getfile(module))))
    return sorted(name for name in names if not name.startswith("_"))


def _defined(path: Path) -> Iterator[str]:
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef):
            yield statement.name
        elif isinstance(statement, ast.Assign):
            yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id


def described(name: str, value: object) -> Iterator[str]:
    """A function with its signature, a class with its fields and methods, anything else by its name."""
    if inspect.isclass(value):
        yield f"class {name}"
        yield from (f"    {parameter}" for parameter in _parameters(value))
        for method, function in sorted(vars(value).items()):
            if not method.startswith("_") and inspect.isfunction(function):
                yield f"    {method}{_signature(function)}"
            elif not method.startswith("_") and isinstance(function, property):
                yield f"    {method} (property)"
    elif inspect.isfunction(value):
        yield f"def {name} -> {_type_name(inspect.signature(value).return_annotation)}"
        yield from (f"    {parameter}" for parameter in _parameters(value))
    else:
        yield f"{name} = {_shown(value)}" if isinstance(value, bool | int | float | str) else name


def _signature(function: Callable[..., object]) -> str:
    returned = inspect.signature(function).return_annotation
    return f"({', '.join(_parameters(function))}) -> {_type_name(returned)}"


def _parameters(value: Callable[..., object]) -> list[str]:
    try:
        return [_parameter(parameter) for parameter in inspect.signature(value).parameters.values()]
    except (TypeError, ValueError):  # a class that is not called: a protocol, an alias
        return []


def _parameter(parameter: inspect.Parameter) -> str:
    annotation = "" if parameter.annotation is parameter.empty else f": {_type_name(parameter.annotation)}"
    default = "" if parameter.default is parameter.empty else f" = {_shown(parameter.default)}"
    keyword = " (by keyword)" if parameter.kind is parameter.KEYWORD_ONLY else ""
    return f"{_stars(parameter)}{parameter.name}{annotation}{default}{keyword}"


def _stars(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return "*"
    return "**" if parameter.kind is parameter.VAR_KEYWORD else ""


def _shown(value: object) -> str:
    return repr(value) if value is None or isinstance(value, bool | int | float | str | tuple | frozenset) else "..."


def _type_name(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


# ── Entry points ──────────────────────────────────────────────────────────────────────────────────


def entry_point_groups() -> Iterator[str]:
    """The groups in which other packages can offer something: those that tvbench's source asks for."""
    yield "## entry points"
    yield from sorted({group for path in sorted((ROOT / "tvbench").rglob("*.py")) for group in _groups(path)})
    yield ""


def _groups(path: Path) -> Iterator[str]:
    """What is given to `plug_ins` or `entry_points`, by itself or by the name of a constant of the module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {name: node.value for node in tree.body if isinstance(node, ast.Assign) for name in _names(node)}
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and _called(call.func) in ("plug_ins", "entry_points"):
            for value in [*call.args, *(keyword.value for keyword in call.keywords)]:
                meant = constants.get(value.id) if isinstance(value, ast.Name) else value
                if isinstance(meant, ast.Constant):
                    yield str(meant.value)


def _names(assignment: ast.Assign) -> list[str]:
    return [target.id for target in assignment.targets if isinstance(target, ast.Name)]


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


# ── The command line ──────────────────────────────────────────────────────────────────────────────


def command_line() -> Iterator[str]:
    """One line for each argument of each command, with choices and defaults."""
    yield "## command line"
    for command in COMMANDS:
        commands = next(action for action in build_parser(command)._actions if _subcommands(action))
        yield from _arguments(command, _subcommands(commands)[command])


def _arguments(command: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield command
    for action in parser._actions:
        if not _subcommands(action) and not isinstance(action, argparse._HelpAction):
            yield f"    {command} {_argument(action)}"
    for action in parser._actions:
        for name, nested in _subcommands(action).items():
            yield from _arguments(f"{command} {name}", nested)


def _subcommands(action: argparse.Action) -> dict[str, argparse.ArgumentParser]:
    return dict(action.choices) if isinstance(action, argparse._SubParsersAction) else {}


def _argument(action: argparse.Action) -> str:
    words = [", ".join(action.option_strings) or action.dest.upper(), _value(action)]
    if action.option_strings and action.required:
        words.append("(required)")
    if isinstance(action, argparse._AppendAction):
        words.append("(repeatable)")
    elif action.default is not None and action.default is not False and action.default != argparse.SUPPRESS:
        words.append(f"[{action.default}]")
    return " ".join(filter(None, words))


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices is not None:
        word = "{" + ",".join(map(str, action.choices)) + "}"
    else:
        word = str(action.metavar or action.dest.upper()) if action.option_strings else ""
    return f"{word}{'...' if action.nargs in ('+', '*') else ''}{'?' if action.nargs == '?' else ''}"


# ── The file ──────────────────────────────────────────────────────────────────────────────────────


def interface() -> str:
    """All of it, as the frozen file holds it."""
    return "\n".join([*modules(), *entry_point_groups(), *command_line()]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {FROZEN.relative_to(ROOT)}")
    args = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("TVBENCH_")]:
        del os.environ[name]  # defaults come from some of these
    os.chdir(ROOT)
    if args.write:
        FROZEN.parent.mkdir(exist_ok=True)
        FROZEN.write_text(interface(), encoding="utf-8")
    else:
        sys.stdout.write(interface())
    return 0


if __name__ == "__main__":
    sys.exit(main())
