"""Text of strangers (servers, data, file and model names) on its way to a person: nothing in it is obeyed or hidden.

What steers a terminal (escape sequences, C0 and C1), turns the direction of writing or is half a character is shown as
an escape; what breaks a line is a blank. What languages need stays: joiners, marks, zero-width spaces, direction marks.
Every exit of the program goes through here. Knows nobody.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

BLANKS = "[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+"
"""All that ends a line anywhere, and the tab."""
HIDDEN = "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u206f\ud800-\udfff]"
"""C0, DEL, C1, line separators, controls of direction, halves of surrogate pairs."""
IN_JSON = "[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u206f\ud800-\udfff]"
"""What `json` leaves as it is; C0 it escapes itself."""

FORMULA = "[ \u00a0\ufeff]*[=+@\t\r\uff1d\uff0b\uff0d\uff20-]"
"""How a cell begins that a spreadsheet computes, in full width too."""


def visible(text: str) -> str:
    """`text` on one line, with escapes such as `\\x1b` or `\\u202e` for what would steer a terminal."""
    # Nothing of either kind is printable. Patterns are compiled when one is needed: quick commands need none.
    return text if text.isprintable() else re.sub(HIDDEN, _escaped, re.sub(BLANKS, " ", text))


def visible_lines(text: str, indent: str = "") -> str:
    """The same line by line; every line after the first begins with at least `indent`, so that none can pose as
    another message."""
    first, *rest = map(visible, text.split("\n"))
    return "\n".join((first, *(line if line.startswith(indent) else indent + line for line in rest)))


def json_text(value: Any, *, ascii_only: bool = False, indent: int | None = 2) -> str:
    """`value` as indented JSON (`indent` None: on one line) that no terminal obeys and every encoding can hold; a
    reader gets the same value, and null for a number that is not finite, which JSON has not."""
    import json

    def shown(text: str) -> str:
        return re.sub(IN_JSON, lambda found: f"\\u{ord(found[0]):04x}", text)

    def plain(value: Any) -> str:
        return shown(json.dumps(_finite(value), ensure_ascii=ascii_only, indent=indent, default=str))

    if indent is None:
        return plain(value)
    quoted = json.encoder.encode_basestring_ascii if ascii_only else json.encoder.encode_basestring
    return _laid_out(value, "\n", " " * indent, lru_cache(maxsize=4096)(lambda text: shown(quoted(text))), plain)


def _laid_out(value: Any, line: str, step: str, quoted: Callable[[str], str], plain: Callable[[Any], str]) -> str:
    """What `plain` gives, several times faster where it is very much: the library indents without its C code. `line`
    is how a line of the same depth begins; whatever is unusual is left to `plain`."""
    kind = type(value)
    if kind is str:
        return quoted(value)
    if kind is float:
        return repr(value) if math.isfinite(value) else "null"
    if kind is int:
        return repr(value)
    if value is None:
        return "null"
    deeper = line + step
    if kind is dict and value and all(type(name) is str for name in value):
        parts = [f"{quoted(name)}: {_laid_out(part, deeper, step, quoted, plain)}" for name, part in value.items()]
        return f"{{{deeper}{(',' + deeper).join(parts)}{line}}}"
    if (kind is list or kind is tuple) and value:
        parts = [_laid_out(part, deeper, step, quoted, plain) for part in value]
        return f"[{deeper}{(',' + deeper).join(parts)}{line}]"
    return plain(value).replace("\n", line)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value


def csv_cell(value: Any) -> Any:
    """`value` for CSV: numbers as they are, text on one line, and nothing that a spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if re.match(FORMULA, value) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    """Also `-` alone and `-1.5 %`."""
    return re.fullmatch(r"[+-]?(\d+([.,]\d+)*([eE][+-]?\d+)?)?\s*%?", text.strip()) is not None


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
