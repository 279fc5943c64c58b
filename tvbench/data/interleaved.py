"""Exam sheets as prompts: pictures that stand inside a text, and options that bring their own labels.

Knows texts and media; no benchmark, no prompt, no data file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tvbench.types import Exam, Media, Part

PLACE = "\ufffc"
"""Stands in a prompt where a picture belongs (Unicode's object replacement character)."""
_LABEL = re.compile(r"\s*[(（]?([A-Ja-j]|\d)[)）.．、:](?!\d)\s*")
_ANSWER = re.compile(r"[(（]?(?:([A-Ja-j])|(\d))[)）.．]?")


def interleaved(text: str, pictures: Sequence[Media | None]) -> tuple[Part, ...]:
    """`text` with each picture at its PLACE: all before it where there is none, all at the first one where there are
    not as many places as pictures. A picture that nobody shall see (None) leaves the words as they are."""
    before, *pieces = text.split(PLACE)
    groups = [[picture] for picture in pictures] if len(pieces) == len(pictures) else [list(pictures)] if pieces else []
    if not groups:
        return tuple(part for part in (*pictures, "".join((before, *pieces))) if part)
    texts = pieces if len(groups) == len(pieces) else ["".join(pieces)]
    parts = [before, *(part for group, piece in zip(groups, texts, strict=True) for part in (*group, piece))]
    return tuple(part for part in parts if part)


def placed(text: str, name: re.Pattern[str]) -> str:
    """`text` with PLACE where a picture is first named (`name` matches any name), and nothing where it is again."""
    seen: set[str] = set()

    def mark(found: re.Match[str]) -> str:
        new = found[0] not in seen
        seen.add(found[0])
        return PLACE if new else ""

    return name.sub(mark, text)


def answer_place(answer: str) -> int | None:
    """0 for `A`, `a`, `1`, `(1)` and `1.`, in the digits of any script; None for anything else."""
    found = _ANSWER.fullmatch(answer.strip())
    if found is None:
        return None
    place = ord(found[1].upper()) - ord("A") if found[1] else int(found[2]) - 1
    return place if place >= 0 else None


def without_label(option: str, place: int) -> str:
    """An option without its label, which must be that of its place: `3.19 s` and `a dog` are left whole."""
    found = _LABEL.match(option)
    return option[found.end() :].strip() if found and answer_place(found[1]) == place else option.strip()


def exam_target(raw: Sequence[str], answer: str, *, question: str = "", coins: int = 0, drawn: str = "") -> Exam:
    """The target of options with labels of their own. An answer that is none of them can only be right where a
    published parser (`coins`) compares letters."""
    place = answer_place(answer)
    gold = place if place is not None and place < len(raw) else None
    letter = "" if place is None or (gold is None and not coins) else chr(ord("A") + place)
    options = tuple(without_label(option, number) for number, option in enumerate(raw))
    return Exam(options, gold, letter, (), True, question, raw=tuple(raw), coins=coins, drawn=drawn)
