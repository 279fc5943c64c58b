"""The letter in a reply to a lettered question: `B`, `(B)`, `B) Kimono`, `Answer: B`, `**B**`, `정답은 B입니다`.

Used only where the prompt showed letters: without them a bare `A` is as likely to be an article as an answer.
Knows how a letter is set off in running text, and what denies it. Does not know which option is right.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from os.path import commonprefix
from typing import NamedTuple

from tvbench.scoring.dressing import inside
from tvbench.scoring.folding import exact
from tvbench.scoring.lone_letters import LoneLetter, foreign, label_of, standing
from tvbench.scoring.normalise import normalise, without_markdown
from tvbench.scoring.said_of_letters import (
    CLOSING,
    OPENING,
    denied,
    denied_after,
    denied_before,
    joined_to,
    joins_another,
    may_be_article,
    only_words_around,
    reason_follows,
    set_off,
    sure_after,
    sure_before,
    turned_back,
)
from tvbench.scoring.wording import AnswerWords, wording

__all__ = ["Letters", "label_of", "named_letter"]


class Letters(NamedTuple):
    """`place` is the option that the reply names by its letter (None: none, or more than one: `several`).

    `rest` is the text that follows the letter, which may contradict it.
    """

    place: int | None
    several: bool
    rest: str


NO_LETTER = Letters(None, False, "")
SEVERAL = Letters(None, True, "")
_LIST_OF_LETTERS = 5
"""A reply of at most so many words that names two letters (`A or B`) takes no decision."""
_SHORT = 400
"""A longer reply is more than a letter with words around it."""
_SHORT_FOREIGN = 40
"""In a reply of so many letters in another script any Latin letter is the answer; not so in a longer text."""
_LONGEST = 4000
_SENTENCE = re.compile("[.!?\u3002\uff01\uff1f\u061f\u0964]\\s*(?=\\S)|\\n")
_COLON = re.compile("[:)\uff1a\uff09]")
_QUESTION = ("?", "\uff1f", "\u061f", "\u037e")
"""Of a longer reply the beginning and the end are read, so many letters of each."""
_BARE = re.compile(r"\s*[(*]{0,3}([A-Za-z])[).*]{0,3}\s*\Z")
_LABEL_END = re.compile(r"\s*(?:[)\]\uff09.:\u3001]|\s[-\u2013\u2014]\s|\n)\s*(?=\S)")
_PAIRS = ("()", "[]", "\uff08\uff09", "\u3010\u3011")
_ALIKE = 0.6
"""The text behind a letter is that of its option where so much of the shorter one is the same from the beginning."""


def named_letter(reply: str, options: tuple[str, ...], language: str = "") -> Letters:
    """The letter that `reply` gives, of those that stand before `options`."""
    if (bare := _BARE.match(reply)) is not None:
        place = ord(bare[1].upper()) - ord("A")
        return Letters(place, False, "") if place < len(options) else NO_LETTER
    words = wording(language)
    text = unicodedata.normalize("NFC", inside(reply)).strip()
    if len(text) > 2 * _LONGEST:
        text = text[:_LONGEST] + "\n\n" + text[-_LONGEST:]
    text = without_markdown(_bold(text)).strip()
    found = _without_asked(text, list(standing(text, len(options), language)), language)
    found = [one for one in found if not _is_article(text, one, found, words)]
    listed = [one for one in found if _own_text(text, one, options, language)]
    if len(found) == 1 and not listed and _behind_its_text(text, found[0], options, language):
        return Letters(found[0].place, False, "")
    if listed:
        return _of_list(text, found, listed, options, words) or _read(text, found, words)
    return _read(text, found, words)


def _without_asked(text: str, found: list[LoneLetter], language: str) -> list[LoneLetter]:
    """The letters that no last question holds: `Is it B?` asks. A letter with nothing else, or behind a colon, says."""
    if text.rstrip(CLOSING)[-1:] not in (*_QUESTION, ";" if language == "el" else "?"):
        return found
    start = max((match.end() for match in _SENTENCE.finditer(text)), default=0)
    asked = [one for one in found if one.start >= start]
    letters = sum(one.end - one.start for one in asked)
    says = sum(character.isalnum() for character in text[start:]) == letters or _COLON.search(text, start)
    return found if says else [one for one in found if one.start < start]


def _of_list(
    text: str, found: list[LoneLetter], listed: list[LoneLetter], options: tuple[str, ...], words: AnswerWords
) -> Letters | None:
    """What a reply says in which letters stand before the texts of their options: one of them, or a list of several."""
    first = listed[0]
    end = first.end + len(options[first.place]) + 4
    others = [one for one in listed if one.place != first.place]
    if not others:
        alone = all(one.place == first.place or first.end < one.start < end for one in found)
        said = _opens(text, first, words) or (alone and not denied_before(text, first.start, words))
        return Letters(first.place, False, "") if said else None
    between = text[min(end, others[0].start) : others[0].start]
    if _opens(text, first, words) and "\n" in between and any(c.isalnum() for c in between):
        return Letters(first.place, False, "")  # the answer first, then a word on each option
    stated = _stated(text, [one for one in found if one.start > listed[-1].start], words)
    return stated if stated.place is not None else SEVERAL


def _read(text: str, found: list[LoneLetter], words: AnswerWords) -> Letters:
    """The letter that a reply gives which is no letter with the text of its own option."""
    alone = _alone(text, found, words)
    if alone is not None:
        return alone
    label = _label(text, found, words)
    stated = _stated(text, found, words)
    if stated.several or (stated.place is not None and label.place not in (None, stated.place)):
        return SEVERAL
    if stated.place is not None:
        return stated if label.place is None else label
    return label if label.place is not None or label.several else _mentioned(text, found, words)


def _own_text(text: str, one: LoneLetter, options: tuple[str, ...], language: str) -> bool:
    """Whether the text of its own option stands behind a letter, as a whole or cut off."""
    match = _LABEL_END.match(text, one.end)
    if match is None:
        return False
    own = [exact(option, language) for option in options]
    said = exact(text[match.end() : match.end() + max(map(len, options)) + 20].partition("\n")[0], language)
    alike = [len(commonprefix([said, option])) for option in own]
    here = alike[one.place]
    shorter = min(len(said), len(own[one.place]))
    return 0 < here >= _ALIKE * shorter and all(other < here for at, other in enumerate(alike) if at != one.place)


def _behind_its_text(text: str, one: LoneLetter, options: tuple[str, ...], language: str) -> bool:
    """Whether a reply is the text of an option and then its letter: `Dog - B`."""
    before, after = text[: one.start].rstrip(OPENING + ","), text[one.end :].strip(CLOSING + ".")
    return not after and bool(before) and exact(before, language) == exact(options[one.place], language)


def _opens(text: str, one: LoneLetter, words: AnswerWords) -> bool:
    """Whether nothing but words around an answer stands before a letter."""
    return only_words_around(text[: one.start], words.letter_around, frozenset(), words)


def _bold(text: str) -> str:
    """`text` in which letters set in bold are set in brackets, that the mark is not lost with the stars."""
    return re.sub(r"\*\*\s*\(?([A-Z])[).]?\s*\*\*", r"(\1)", text) if "**" in text else text


def _alone(text: str, found: list[LoneLetter], words: AnswerWords) -> Letters | None:
    """What a reply says that holds letters and words around an answer, and nothing else; None for any other."""
    letters = found
    if not letters or len(text) > _SHORT:
        return None
    bounds = [0, *(edge for one in letters for edge in (one.start, one.end)), len(text)]
    parts = [text[start:end] for start, end in zip(bounds[::2], bounds[1::2], strict=True)]
    bare = not any(part.strip(OPENING + CLOSING + ".,;!?\u3002") for part in parts)
    joined = words.letter_around.words | words.letter_join.words
    if not all(
        only_words_around(part, words.letter_around, joined if 0 < at < len(parts) - 1 else frozenset(), words)
        for at, part in enumerate(parts)
    ):
        return None
    if any(not one.sure for one in letters) and not bare and not _announced_small(text, letters, words):
        return None
    return _one(letters)


def _is_article(text: str, one: LoneLetter, found: list[LoneLetter], words: AnswerWords) -> bool:
    """Whether a letter is an article: Portuguese `a B`, `A letra B`, `A resposta correta`, `A casa ...`."""
    word = normalise(text[one.start])
    if not re.match(r" \w", text[one.end :]):
        return False
    small = text[one.start].islower() and len(found) > 1
    if small and (word in words.article.words or word in words.own_join.words or any(other.sure for other in found)):
        return True
    if word not in words.article.words:
        return False
    if any(other.start == one.end + 1 for other in found):
        return False
    rest = normalise(text[one.end : one.end + 40])
    noun = words.letter_option.first(rest) or words.answer.first(rest)
    return bool(noun and words.an_article) or (
        len(found) > 1 and bool(words.letter_sure.first(rest) or noun or may_be_article(text, one, words))
    )


def _announced_small(text: str, letters: list[LoneLetter], words: AnswerWords) -> bool:
    """Whether a small letter, or one of another script, is announced: `option b`, `Ответ: В`, `b) is correct`."""
    one = letters[0]
    before, after = text[: one.start].rstrip(), text[one.end :].lstrip()
    if before[-1:] in (":", "\uff1a", "=", "(", "\u2014", "\u2013", "-") or after[:1] == ")":
        return True
    plain = normalise(before)
    return words.letter_sure.last(plain) < len(plain) or words.letter_option.last(plain) < len(plain)


def _label(text: str, found: list[LoneLetter], words: AnswerWords) -> Letters:
    """The letter with which the reply begins as with a label: `B) Kimono`, `B. It is ...`."""
    first = found[0] if found else None
    if first is None or text[: first.start].strip(OPENING + "\u2022") or not (first.sure or text[first.end] == ")"):
        return NO_LETTER
    match = _LABEL_END.match(text, first.end)
    if match is None:
        if any(one.place != first.place for one in found[1:]) and turned_back(text[first.end :], words):
            return SEVERAL
        return Letters(first.place, False, "") if reason_follows(text, first, words) else NO_LETTER
    rest = text[match.end() :]
    if any(one.place != first.place for one in found[1:]) and turned_back(text[first.end :], words):
        return SEVERAL
    follows = [one for one in found[1:] if one.place != first.place and _LABEL_END.match(text, one.end)]
    if follows and follows[0].place == first.place + 1 and first.place == 0 and len(follows) > 1:
        return SEVERAL
    if joined_to(text, first, found, words) or joins_another(rest, words):
        return SEVERAL
    closed = text[first.end : match.end()].strip() in (")", "]", "\uff09")
    if (closed or rest[:1].islower()) and denied_after(rest, words):
        return Letters(None, False, rest)
    return Letters(first.place, False, rest)


def _stated(text: str, found: list[LoneLetter], words: AnswerWords) -> Letters:
    """The letter that is said to be the answer: `the answer is B`, `Answer: B`, `B is correct`."""
    stated = [one for one in found if sure_before(text, one, words) or (one.sure and sure_after(text, one, words))]
    return _decision(text, [one for one in stated if not may_be_article(text, one, words)], found, words)


def _mentioned(text: str, found: list[LoneLetter], words: AnswerWords) -> Letters:
    """The only letter that is set off in any way: in brackets, behind a colon or `is`, among foreign letters."""
    capitals = [one for one in found if one.sure]
    other_script = len(text) <= _SHORT_FOREIGN and foreign(text)
    apart = [one for one in capitals if other_script or set_off(text, one, words)]
    bracketed = [one for one in capitals if one.start and text[one.start - 1] + text[one.end : one.end + 1] in _PAIRS]
    for some in (bracketed, [one for one in apart if other_script or not may_be_article(text, one, words)]):
        decision = _decision(text, some, found, words)
        if decision != NO_LETTER:
            return decision
    if len(text.split()) > _LIST_OF_LETTERS:
        return NO_LETTER
    decision = _decision(text, [one for one in capitals if not may_be_article(text, one, words)], found, words)
    return decision if _one(capitals).several else NO_LETTER


def _decision(text: str, some: list[LoneLetter], found: list[LoneLetter], words: AnswerWords) -> Letters:
    """The only one of `some` letters that is not denied, with the letters joined to it by `or` and the like."""
    held = [one for one in some if not denied(text, one.start, one.end, words)]
    if any(joined_to(text, one, found, words) for one in held):
        return SEVERAL
    decision = _one(held)
    if decision.place is not None and len(held) == 1:
        rest = text[held[0].end :].partition("\n")[0]
        return decision._replace(rest=rest if _LABEL_END.match(rest) or rest[:1] == " " else "")
    return decision


def _one(letters: Iterable[LoneLetter]) -> Letters:
    places = {one.place for one in letters}
    return Letters(places.pop(), False, "") if len(places) == 1 else (SEVERAL if places else NO_LETTER)
