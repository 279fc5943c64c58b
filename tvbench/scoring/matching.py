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


@lru_cache(maxsize=4096)
def option_forms(options: tuple[str, ...], language: str) -> tuple[dict[str, tuple[int, ...]], ...]:
    """The places of options by their text, for each form."""
    written = [exact(option, language) for option in options]
    found = []
    for form in FORMS:
        places: dict[str, tuple[int, ...]] = {}
        for place, text in enumerate(written):
            key = form(text, language) if text else ""
            if key:
                places[key] = (*places.get(key, ()), place)
        found.append(places)
    return tuple(found)


def match(text: str, options: tuple[str, ...], language: str) -> Match:
    """The option that `text`, in its exact form, is."""
    forms = option_forms(options, language)
    for form, places in zip(FORMS if language else FORMS[:1], forms, strict=False):
        if equal := places.get(form(text, language)):
            same = len({exact(options[place], language) for place in equal}) == 1
            return Match(equal[0], False) if same else Match(None, True)
    return NO_MATCH
