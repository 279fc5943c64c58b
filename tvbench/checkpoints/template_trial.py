"""Tries a chat template in a process of its own, with little time and memory, before anything else renders it.

A template is a program that came with the weights. The sandbox keeps it from the machine, not from rounds without end
or a text of ten gigabytes, and no thread can be stopped in the middle of one. What the trial says is right or wrong of
a template is nobody's business here: only that it ends. This module runs as the process, too, and imports no tvbench.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

SECONDS = 3
"""Of a processor's time; a template takes a thousandth."""
MEMORY = 1 << 30
PATIENCE = 300
"""Seconds by the clock, for a machine that has no time."""
LONGEST = 1 << 20
"""Characters of a template."""
WORDS = "What is this? " * 150
BEYOND_BOUNDS = 3


@lru_cache(maxsize=64)
def problem_of(template: str) -> str:
    """Why a template must not be rendered here: it does not come to an end. Nothing for any other."""
    if len(template) > LONGEST:
        return f"it has {len(template):,} characters"
    program = [sys.executable, "-P", str(Path(__file__).resolve())]
    try:
        done = subprocess.run(
            program, input=json.dumps(template), capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return f"it does not end within {PATIENCE} seconds"
    # A negative code is the signal by which the system stopped it.
    stopped = done.returncode < 0 or done.returncode == BEYOND_BOUNDS
    return "" if not stopped else f"a short conversation takes it more than {SECONDS} seconds or {MEMORY >> 30} GB"


def _bound() -> None:
    import resource

    for kind, most in ((resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_AS, MEMORY)):
        with suppress(ValueError, OSError):  # a system that has no such bound
            resource.setrlimit(kind, (most, most))


def _conversations() -> list[list[dict[str, object]]]:
    """Turns as strings and as parts, long enough for rounds over their letters to show."""
    talk = [("system", "Answer briefly."), ("user", WORDS), ("assistant", "A star."), ("user", WORDS)]
    strings: list[dict[str, object]] = [{"role": role, "content": content} for role, content in talk]
    parts: list[dict[str, object]] = [
        {"role": role, "content": [{"type": "image"}, {"type": "text", "text": content}]} for role, content in talk
    ]
    return [strings, parts, strings[1:2], parts[1:2]]


def _render(template: str) -> None:
    """As transformers renders it. Raises what templates raise."""
    tokens = {name: f"<{name}>" for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
    compiled = _environment().from_string(template)
    for messages in _conversations():
        try:
            compiled.render(messages=messages, add_generation_prompt=True, tools=None, documents=None, **tokens)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - any refusal is an end
            continue


def _environment() -> Any:
    """A sandbox with what transformers gives templates."""
    from jinja2 import TemplateError, ext, nodes, parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(ext.Extension):
        """What transformers marks a model's own words with."""

        tags = {"generation"}

        def parse(self, parser: parser.Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True)).set_lineno(line)

    def refuse(message: str) -> None:
        raise TemplateError(message)

    extensions = [Generation, ext.loopcontrols]
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
    environment.filters["tojson"] = lambda value, **options: json.dumps(value)
    environment.globals |= {"raise_exception": refuse, "strftime_now": lambda form: "2026"}
    return environment


def _main() -> int:
    _bound()
    try:
        _render(json.load(sys.stdin))
    except Exception as error:  # noqa: BLE001 - a template that does not compile is refused where it is used
        return BEYOND_BOUNDS if isinstance(error, MemoryError) else 0
    return 0


if __name__ == "__main__":
    sys.exit(_main())
