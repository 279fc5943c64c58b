"""Multiple choice, scored at four depths side by side, so that format and knowledge can be told apart.

- `strict`: the reply is the target, character for character. What the TowerVision authors report.
- `casefold`: the same, without regard to case.
- `aligned`: after normalisation the reply equals the target or the option to which the gold text was aligned; or
  names its letter, where the prompt showed letters. The figure to believe.
- `fragment`: or the reply contains exactly one option as whole words, or is a piece of exactly one option, and that
  one is right. An upper bound: it credits `RTVE` for `RTVE e RTP`.

Each depth includes the ones before it. Knows texts only: neither prompts nor data files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from tvbench.scoring.letters import letter_before, named_letter
from tvbench.scoring.normalise import (
    contains_words,
    is_blank,
    is_number,
    normalise,
    without_markdown,
    words,
    written_without_blanks,
)
from tvbench.scoring.reading import Seen, empty_flag
from tvbench.types import NO_GOLD, Choice

NO_TARGET = "None"
"""What the authors' prompt and target say where their pattern found no options; no reply ever matches it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one reply earns. `normalised` is the step between `casefold` and `aligned`: equality with the target
    after normalisation. `option` is the one that the reply was read as (None: none, or several)."""

    strict: bool
    casefold: bool
    normalised: bool
    aligned: bool
    fragment: bool
    option: int | None
    flags: tuple[str, ...] = ()


def choice_reading(choice: Choice, text: str) -> Seen:
    """Without a right option the target alone decides; without either the reply is unscored."""
    if choice.gold is None and not usable_target(choice):
        return Seen(empty_flag(text), NO_GOLD)
    return Seen(verdict_of(choice, text).flags)


@lru_cache(maxsize=4)
def verdict_of(choice: Choice, text: str) -> Verdict:
    """`judge`, once for all metrics of one reply."""
    return judge(choice, text)


def judge(choice: Choice, text: str) -> Verdict:
    """Read `text` as an answer to `choice`. Never raises."""
    if is_blank(text):
        return Verdict(False, False, False, False, False, None, ("empty",))
    target = usable_target(choice)
    strict = target is not None and text == target
    casefold = strict or (target is not None and text.casefold() == target.casefold())
    normalised = casefold or normalise(text) == normalise(_gold_text(choice) if target is None else target)
    option, ambiguous = _read_whole(choice, text)
    aligned = normalised or (option is not None and option == choice.gold)
    if not normalised and option is None and not ambiguous:
        option, ambiguous = _read_fragment(choice.options, text)
    fragment = aligned or (option is not None and option == choice.gold)
    flags = ("ambiguous",) if ambiguous else ("unparsed",) if option is None and not normalised else ()
    return Verdict(strict, casefold, normalised, aligned, fragment, option, flags)


def usable_target(choice: Choice) -> str | None:
    """The target of the strict metrics; None where it is the authors' sign for "no options found"."""
    return None if choice.target == NO_TARGET and _gold_text(choice) != NO_TARGET else choice.target


def _gold_text(choice: Choice) -> str:
    """The right option as text, "" where it is not known."""
    return choice.options[choice.gold] if choice.gold is not None and choice.gold < len(choice.options) else ""


# ── The whole reply is an option ──────────────────────────────────────────────────────────────────


def _read_whole(choice: Choice, text: str) -> tuple[int | None, bool]:
    """(the option that the whole reply is, or names by its letter; whether it names several)."""
    reply = normalise(without_markdown(text))
    equal = [i for i, option in enumerate(choice.options) if normalise(without_markdown(option)) == reply]
    if not choice.letters:
        return (equal[0], False) if equal and _same(choice.options, equal) else (None, len(equal) > 1)
    named = named_letter(text, len(choice.options))
    if equal and not (len(reply) == 1 and named.place is not None):
        return equal[0], False
    for place, option in enumerate(choice.options):
        if letter_before(text, option, place):
            return place, False
    if named.place is not None and _contradicted(choice.options, named.place, named.rest):
        return None, True
    return named.place, named.several


def _same(options: tuple[str, ...], places: list[int]) -> bool:
    return len({normalise(options[place]) for place in places}) == 1


def _contradicted(options: tuple[str, ...], place: int, rest: str) -> bool:
    """Whether the text behind a letter is another option: `B) Dirndl` where Dirndl is A."""
    said = normalise(rest)
    return bool(said) and said != normalise(options[place]) and any(said == normalise(option) for option in options)


# ── A part of the reply is an option, or the reply a part of one ──────────────────────────────────


_SHORTEST_PIECE = 3
"""A reply of fewer letters is no piece of an option, in scripts with blanks (`de`, `la`, `of` are in many)."""


def _read_fragment(options: tuple[str, ...], text: str) -> tuple[int | None, bool]:
    """(the only option found in the reply, or in which the reply is found; whether there are several)."""
    reply = words(text)
    folded = [words(option) for option in options]
    held = [i for i, option in enumerate(folded) if _counts(option) and contains_words(reply, option)]
    if not held and _counts(reply) and (len(reply) >= _SHORTEST_PIECE or written_without_blanks(reply)):
        held = [i for i, option in enumerate(folded) if contains_words(option, reply)]
    return (held[0], False) if len(held) == 1 else (None, len(held) > 1)


def _counts(part: str) -> bool:
    """Whether `part` is long enough to mean something by itself: no single character, no number."""
    return len(part) > 1 and not is_number(part)
