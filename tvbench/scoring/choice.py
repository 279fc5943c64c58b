"""Multiple choice, scored at four depths side by side, so that format and knowledge can be told apart.

- `strict`: the reply is the target, character for character. What the TowerVision authors report.
- `casefold`: the same, without regard to case.
- `aligned`: after normalisation the reply equals the target or the option to which the gold text was aligned, with
  nothing but words around it that change nothing (`The answer is ...`), by the rules of the item's
  language; or names its letter, where the prompt showed letters. The figure to believe.
- `fragment`: or the reply contains exactly one option as whole words, or is a piece of exactly one option, and that
  one is right. An upper bound: it credits `RTVE` for `RTVE e RTP`.

Each depth includes the ones before it. Knows texts only: neither prompts nor data files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tvbench.scoring.dressing import readings
from tvbench.scoring.folding import exact
from tvbench.scoring.letters import Letters, label_of, named_letter
from tvbench.scoring.matching import NO_MATCH, Match, match
from tvbench.scoring.normalise import contains_words, is_blank, is_number, normalise, words, written_without_blanks
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


def choice_reading(choice: Choice, text: str, language: str = "") -> Seen:
    """Without a right option the target alone decides; without either the reply is unscored."""
    if choice.gold is None and not usable_target(choice):
        return Seen(empty_flag(text), NO_GOLD)
    return Seen(verdict_of(choice, text, language).flags)


class _Judged(NamedTuple):
    choice: Choice
    text: str
    language: str
    verdict: Verdict


_last: list[_Judged] = []
"""The reply that was judged last: each of several metrics asks for its verdict."""


def verdict_of(choice: Choice, text: str, language: str = "") -> Verdict:
    """`judge`, once for all metrics of one reply."""
    last = _last[0] if _last else None
    if last is not None and last.choice is choice and last.text is text and last.language == language:
        return last.verdict
    verdict = judge(choice, text, language)
    _last[:] = [_Judged(choice, text, language, verdict)]
    return verdict


def judge(choice: Choice, text: str, language: str = "") -> Verdict:
    """Read `text` as an answer to `choice`, which is asked in `language` (a code, "" where it is not known). Never
    raises."""
    if is_blank(text):
        return Verdict(False, False, False, False, False, None, ("empty",))
    target = usable_target(choice)
    strict = target is not None and text == target
    casefold = strict or (target is not None and text.casefold() == target.casefold())
    normalised = casefold or normalise(text) == normalise(_gold_text(choice) if target is None else target)
    option, ambiguous = _read_whole(choice, text, language)
    aligned = normalised or (option is not None and option == choice.gold)
    if not normalised and option is None and not ambiguous:
        option, ambiguous = _read_fragment(choice.options, text)
    fragment = aligned or (option is not None and option == choice.gold)
    flags = ("ambiguous",) if ambiguous else ("unparsed",) if option is None and not normalised else ()
    return Verdict(strict, casefold, normalised, aligned, fragment, option, flags)


def is_answer(answers: tuple[str, ...], text: str, language: str) -> bool:
    """Whether `text` is one of several answers to one question, all of them right."""
    if is_blank(text):
        return False
    longest = max(map(len, answers), default=0) + _ROOM
    return any(match(said, answers, language) != NO_MATCH for said in readings(text, language, longest))


def usable_target(choice: Choice) -> str | None:
    """The target of the strict metrics; None where it is the authors' sign for "no options found"."""
    return None if choice.target == NO_TARGET and _gold_text(choice) != NO_TARGET else choice.target


def _gold_text(choice: Choice) -> str:
    """The right option as text, "" where it is not known."""
    return choice.options[choice.gold] if choice.gold is not None and choice.gold < len(choice.options) else ""


# ── The whole reply is an option ──────────────────────────────────────────────────────────────────


_ROOM = 12
"""So many letters longer than the longest option may a reply be that is one in another form (`20 per cent`)."""


def _read_whole(choice: Choice, text: str, language: str) -> tuple[int | None, bool]:
    """(the option that the whole reply is, or names by its letter; whether it names several)."""
    if choice.letters:
        return _read_letter(choice.options, text, language)
    return _read_text(choice.options, text, language)


def _read_text(options: tuple[str, ...], text: str, language: str, *, labels: bool = False) -> tuple[int | None, bool]:
    """The option that the reply is, the words around it aside, and its own label, where options were shown with
    `labels`. Two different ones are none."""
    longest = max(map(len, options), default=0) + _ROOM
    found: dict[int, str] = {}
    for at, said in enumerate(readings(text, language, longest)):
        place, several = match(said, options, language)
        if labels and place is None and not several:
            place, several = _labelled(options, said, language)
        if several:
            return None, True
        if place is not None and not at:
            return place, False
        if place is not None:
            found.setdefault(place, said)
    if len(found) != 1:
        return None, bool(found)
    place, said = found.popitem()
    return (
        (None, True) if _beside(options, place, exact(text, language).replace(said, " "), language) else (place, False)
    )


def _beside(options: tuple[str, ...], place: int, rest: str, language: str) -> bool:
    """Whether another option was taken for words around the one at `place`: `True, false`."""
    bare = normalise(rest.strip(" /|,")) if rest.strip() else ""
    others = [exact(option, language) for at, option in enumerate(options) if at != place]
    return any(other == bare or (bare.startswith(other) and _starts(bare, other)) for other in others if other and bare)


def _labelled(options: tuple[str, ...], said: str, language: str) -> Match:
    """The option behind its own label: `b) kimono`, `2. kimono`."""
    label, rest = label_of(said, language)
    if label is None:
        return NO_MATCH
    found = match(exact(rest, language), options, language)
    return found if found.place == label else NO_MATCH


def _read_letter(options: tuple[str, ...], text: str, language: str) -> tuple[int | None, bool]:
    """The option that the reply names by its letter, or is. A letter and the text of another option are none."""
    named = named_letter(text, options, language)
    if named.place is not None and len(exact(text, language)) == 1:
        return named.place, False
    whole = match(exact(text, language), options, language)
    if whole.place is not None:
        return whole.place, False
    if named.place is None and not named.several:
        return _read_text(options, text, language, labels=True)
    if named.place is not None and _contradicted(options, named, language):
        return None, True
    return named.place, named.several


def _contradicted(options: tuple[str, ...], named: Letters, language: str) -> bool:
    """Whether the text behind a letter is another option: `B) Dirndl` where Dirndl is A."""
    said = exact(named.rest, language)
    if not said:
        return False
    place, several = match(said, options, language)
    if place is None and not several:
        place = _begins(options, said, language)
    return place is not None and place != named.place


def _begins(options: tuple[str, ...], said: str, language: str) -> int | None:
    """The longest option with which a text begins, as whole words; None for numbers and single letters."""
    written = [exact(option, language) for option in options]
    held = [i for i, option in enumerate(written) if _counts(option) and _starts(said, option)]
    return max(held, key=lambda place: len(written[place]), default=None)


def _starts(text: str, part: str) -> bool:
    return text.startswith(part) and contains_words(text[: len(part) + 1], part)


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
