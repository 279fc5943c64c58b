"""Which option a text is: by what was written, else by a form of it that means the same (scoring/folding.py).

An option is found by the first form in which any option equals the text. Where two different options are equal in that
form, neither is taken: folding never merges options. Where the language is not known, only what was written counts.
Knows no reply and no letter.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from tvbench.scoring.folding import FORMS, exact


class Match(NamedTuple):
    """`place` is the option that a text equals (None: none, or `several` different ones)."""

    place: int | None
    several: bool


NO_MATCH = Match(None, False)


@lru_cache(maxsize=64)
def _places(options: tuple[str, ...], language: str, depth: int) -> dict[str, tuple[int, ...]]:
    """The places of options by their text, in one of FORMS."""
    places: dict[str, tuple[int, ...]] = {}
    for place, option in enumerate(options):
        written = exact(option, language)
        if written:
            key = FORMS[depth](written, language)
            places[key] = (*places.get(key, ()), place)
    return places


def match(text: str, options: tuple[str, ...], language: str) -> Match:
    """The option that `text`, in its exact form, is."""
    for depth in range(len(FORMS) if language else 1):
        if equal := _places(options, language, depth).get(FORMS[depth](text, language)):
            same = len(equal) == 1 or len({exact(options[place], language) for place in equal}) == 1
            return Match(equal[0], False) if same else Match(None, True)
    return NO_MATCH
