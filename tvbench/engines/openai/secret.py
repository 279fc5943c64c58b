"""The API key, and every text of a server without it.

A server may repeat the key in a complaint, a header, a status line or an answer: as it is, escaped, in base64 or hex,
broken by blanks, or a part of it. Knows the key and text; knows no HTTP.
"""

from __future__ import annotations

import base64
import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator

HIDDEN = "***"
SHORT = 8
"""A key with fewer letters and digits is hidden only where it stands as a word: it may be one (`EMPTY`, `none`)."""
PIECE = 12
"""So many letters and digits of a long key in a row are a part of it; of a shorter key two thirds."""
STRONG = 12
"""A key of so many letters and digits is no word that an answer could hold by chance, wherever they are broken."""
LONGEST_MESSAGE = 400
LONGEST_READ = 1 << 16

ESCAPED = re.compile(
    r"\\u([0-9a-f]{4})|\\x([0-9a-f]{2})|%([0-9a-f]{2})|&(?:#x?[0-9a-f]{1,6}|amp|lt|gt|quot|apos);|.",
    re.IGNORECASE | re.DOTALL,
)


class Secret:
    """A key, perhaps none. Never shows it: neither by `str` nor by `repr`."""

    def __init__(self, key: str | None) -> None:
        self._key = key or ""
        bare = "".join(char for char, _, _ in _bare(self._key))
        self._size = max(SHORT, min(PIECE, -(-2 * len(bare) // 3)))
        self._strong = len(bare) >= STRONG and any(char.isdigit() for char in bare)
        forms = [bare, *_encoded(self._key)] if len(bare) >= SHORT else []
        self._whole = tuple(form for form in forms if len(form) >= SHORT)
        self._pieces = frozenset(piece for form in self._whole for piece in _windows(form, self._size))

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def headers(self) -> dict[str, str]:
        """The header that carries the key; none without one."""
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    def message(self, text: str) -> str:
        """What may be said of a server's words: without the key and parts of it, on one line, of bearable length."""
        # Hidden first: cut first, half of the key would stand at the end, known by nobody.
        plain = self.hide(text[:LONGEST_READ]).encode("utf-8", "replace").decode("utf-8")
        return " ".join(plain.split())[:LONGEST_MESSAGE]

    def hide(self, text: str) -> str:
        """`text` without the key, its encodings, and parts of them."""
        if not self._pieces:
            return self._without_word(text)
        return _blanked(text, lambda bare: _marked(bare, self._pieces, self._size))

    def hide_in_answer(self, text: str) -> str:
        """An answer without the key. Parts stay, and so does a key that is a word: it may be meant."""
        if self._strong:
            return _blanked(text, lambda bare: _found(bare, self._whole))
        return text.replace(self._key, HIDDEN) if len(self._key) >= SHORT and not self._key.isalpha() else text

    def _without_word(self, text: str) -> str:
        return re.sub(rf"(?<!\w){re.escape(self._key)}(?!\w)", HIDDEN, text) if self._key else text


# ── Text as letters and digits ────────────────────────────────────────────────────────────────────


def _bare(text: str) -> Iterator[tuple[str, int, int]]:
    """The letters and digits of `text` in lower case, escapes undone, each with the place that it takes there."""
    for found in ESCAPED.finditer(text):
        char = _meant(found)
        if not char.isascii():
            char = unicodedata.normalize("NFKC", char)
        for letter in char.lower():
            if letter.isalnum():
                yield letter, found.start(), found.end()


def _meant(found: re.Match[str]) -> str:
    digits = found[1] or found[2] or found[3]
    if digits:
        return chr(int(digits, 16))
    return found[0] if len(found[0]) == 1 else html.unescape(found[0])


def _encoded(key: str) -> list[str]:
    """Hex and base64 of the key, the latter at each of the three places where it may begin inside of a longer text."""
    data = key.encode()
    forms = [data.hex()]
    for before in range(3):
        # The first and the last characters depend on what stands around the key.
        code = base64.b64encode(bytes(before) + data).rstrip(b"=")[-(-8 * before // 6) :]
        whole = (8 * (before + len(data))) // 6 - -(-8 * before // 6)
        forms.append("".join(char for char, _, _ in _bare(code[:whole].decode())))
    return forms


def _windows(form: str, size: int) -> Iterator[str]:
    return (form[at : at + size] for at in range(len(form) - size + 1))


def _marked(bare: str, pieces: frozenset[str], size: int) -> Iterator[tuple[int, int]]:
    return ((at, at + size) for at in range(len(bare) - size + 1) if bare[at : at + size] in pieces)


def _found(bare: str, forms: Iterable[str]) -> Iterator[tuple[int, int]]:
    for form in forms:
        at = bare.find(form)
        while at >= 0:
            yield at, at + len(form)
            at = bare.find(form, at + 1)


def _blanked(text: str, search: Callable[[str], Iterable[tuple[int, int]]]) -> str:
    """`text` with every part blanked that `search` finds in its letters and digits."""
    places = list(_bare(text))
    parts: list[str] = []
    done = 0
    for first, end in sorted(search("".join(char for char, _, _ in places))):
        start, stop = places[first][1], places[end - 1][2]
        if stop <= done:
            continue
        if start >= done:
            parts += [text[done:start], HIDDEN]
        done = stop
    return "".join([*parts, text[done:]])
