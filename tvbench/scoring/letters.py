"""The letter in a reply to a lettered question: `B`, `(B)`, `B) Kimono`, `Answer: B`, `**B**`, `정답은 B입니다`.

Used only where the prompt showed letters: without them a bare `A` is as likely to be an article as an answer.
Knows how a letter is set off in running text, and what denies it. Does not know which option is right.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from os.path import commonprefix
from typing import NamedTuple

from tvbench.scoring.dressing import inside
from tvbench.scoring.folding import exact
from tvbench.scoring.normalise import normalise, without_markdown, written_without_blanks
from tvbench.scoring.wording import Wording, Words, word_edge, wording


class Letters(NamedTuple):
    """`place` is the option that the reply names by its letter (None: none, or more than one: `several`).

    `rest` is the text that follows the letter, which may contradict it.
    """

    place: int | None
    several: bool
    rest: str


class LoneLetter(NamedTuple):
    """A letter that stands alone, at `start` to `end` of a text. `sure`: capital, and of Latin script."""

    place: int
    start: int
    end: int
    sure: bool


NO_LETTER = Letters(None, False, "")
SEVERAL = Letters(None, True, "")
_LOOK_ALIKES = str.maketrans("\u0410\u0412\u0421\u0415\u0391\u0392\u0395", "ABCEABE")
"""Cyrillic and Greek capitals of Latin shape: what a Russian or Greek keyboard gives for the letter shown."""
_ORDERS = {
    **dict.fromkeys(
        ("ar", "arz", "fa", "ur", "ps", "sd", "ckb"), ("\u0623\u0628\u062c\u062f", "\u0627\u0628\u062c\u062f")
    ),
    **dict.fromkeys(("he", "yi"), ("\u05d0\u05d1\u05d2\u05d3",)),
    **dict.fromkeys(("hi", "mr", "ne", "bho", "sa"), ("\u0915\u0916\u0917\u0918",)),
    **dict.fromkeys(("bn", "as"), ("\u0995\u0996\u0997\u0998",)),
    "th": ("\u0e01\u0e02\u0e04\u0e07",),
    "zh": ("\u7532\u4e59\u4e19\u4e01",),
    **dict.fromkeys(("ru", "uk", "bg", "be", "sr", "mk"), ("-\u0411--",)),
}
"""Letters with which a language numbers what Latin numbers A, B, C, D; none that looks like another Latin letter."""
_LIST_OF_LETTERS = 5
"""A reply of at most so many words that names two letters (`A or B`) takes no decision."""
_NEAR = 6
"""So many words around a letter may deny it."""
_NEAR_LETTERS = 60
_NEAR_UNDIVIDED = 14
"""So many letters, in scripts that do not divide words."""
_SHORT = 400
"""A longer reply is more than a letter with words around it."""
_SHORT_FOREIGN = 40
"""In a reply of so many letters in another script any Latin letter is the answer; not so in a longer text."""
_LONGEST = 4000
"""Of a longer reply the beginning and the end are read, so many letters of each."""

_BARE = re.compile(r"\s*[(*]{0,3}([A-Za-z])[).*]{0,3}\s*\Z")
_LABEL_END = re.compile(r"\s*(?:[)\]\uff09.:\u3001]|\s[-\u2013\u2014]\s|\n)\s*(?=\S)")
_BOUNDARY = re.compile(
    r"[.,;!?\n\u3002\uff0c\uff1b\uff01\uff1f\u0964\u060c\u061b\u061f\u06d4()\[\]\u2026]|\s[-\u2013\u2014]\s"
)
_VOWELS = "AEIOUY"
"""Letters that are words of their own in some language."""
_PAIRS = ("()", "[]", "\uff08\uff09", "\u3010\u3011")
_OPENING = " \t\n([{\"'\u201c\u201e\u00ab\u300c\u300e\u2018*:=\uff1a-\u2013\u2014>"
_CLOSING = " \t)]}\"'\u201d\u00bb\u300d\u300f\u2019*"
_SPLIT = re.compile(r"[\s,;/&+\uff0c\u3001\u060c|\u30fb()\[\]{}\"'*:.\u2013\u2014-]+")


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
    found = list(_standing(text, len(options), language))
    found = [one for one in found if not _is_article(text, one, found, words)]
    listed = [one for one in found if _own_text(text, one, options, language)]
    if len(found) == 1 and not listed and _behind_its_text(text, found[0], options, language):
        return Letters(found[0].place, False, "")
    if listed:
        return _of_list(text, found, listed, options, words) or _read(text, found, words)
    return _read(text, found, words)


def _of_list(
    text: str, found: list[LoneLetter], listed: list[LoneLetter], options: tuple[str, ...], words: Wording
) -> Letters | None:
    """What a reply says in which letters stand before the texts of their options: one of them, or a list of several."""
    first = listed[0]
    end = first.end + len(options[first.place]) + 4
    others = [one for one in listed if one.place != first.place]
    if not others:
        alone = all(one.place == first.place or first.end < one.start < end for one in found)
        said = _opens(text, first, words) or (alone and not _denied_before(text, first.start, words))
        return Letters(first.place, False, "") if said else None
    between = text[min(end, others[0].start) : others[0].start]
    if _opens(text, first, words) and "\n" in between and any(c.isalnum() for c in between):
        return Letters(first.place, False, "")  # the answer first, then a word on each option
    stated = _stated(text, [one for one in found if one.start > listed[-1].start], words)
    return stated if stated.place is not None else SEVERAL


def _read(text: str, found: list[LoneLetter], words: Wording) -> Letters:
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


_ALIKE = 0.6
"""The text behind a letter is that of its option where so much of the shorter one is the same from the beginning."""


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
    before, after = text[: one.start].rstrip(_OPENING + ","), text[one.end :].strip(_CLOSING + ".")
    return not after and bool(before) and exact(before, language) == exact(options[one.place], language)


def _opens(text: str, one: LoneLetter, words: Wording) -> bool:
    """Whether nothing but words around an answer stands before a letter."""
    return _consumed(text[: one.start], words.letter_around, frozenset(), words)


def label_of(text: str, language: str) -> tuple[int | None, str]:
    """(the place that the label of `text` means, the text behind it): `B) Kimono` is (1, "Kimono"), also `2. Kimono`
    and `Б) Кимоно`; (None, text) without a label."""
    match = re.match(r"\s*[(\[]?\s*(\w)\s*(?:[)\]\uff09.:\u3001]|\s[-\u2013\u2014](?=\s)|(?=\s))\s*(?=\S)", text)
    if match is None:
        return None, text
    sign = match[1]
    place = int(sign) - 1 if sign.isdecimal() else _latin(sign.upper().translate(_LOOK_ALIKES))
    if place is None:
        place = _native(sign, language)
    return (place if place is None or place >= 0 else None), text[match.end() :]


# ── Letters that stand alone ──────────────────────────────────────────────────────────────────────


def _bold(text: str) -> str:
    """`text` in which letters set in bold are set in brackets, that the mark is not lost with the stars."""
    return re.sub(r"\*\*\s*\(?([A-Z])[).]?\s*\*\*", r"(\1)", text) if "**" in text else text


def _standing(text: str, count: int, language: str) -> Iterable[LoneLetter]:
    """Letters without a Latin neighbour: the `B` of `답은 B입니다`, not that of `Bar`, `B-52` or `B's`."""
    words = wording(language)
    for at, character in enumerate(text):
        if not character.isalpha() or not _free(text, at, words):
            continue
        wide = unicodedata.normalize("NFKC", character)
        place, sure = _latin(wide), True
        if place is None:
            sure = False
            place = _latin(wide.upper().translate(_LOOK_ALIKES) if wide.isupper() else wide.upper())
        if place is None or (not sure and not wide.isascii() and not wide.isupper()):
            place = _native(character, language)
        if place is not None and place < count:
            yield LoneLetter(place, at, at + 1, sure)


def _free(text: str, at: int, words: Wording) -> bool:
    """Whether no letter of the same kind, and no sign that makes a name of it, stands next to the letter at `at`."""
    for near, beyond in ((at - 1, at - 2), (at + 1, at + 2)):
        if not 0 <= near < len(text):
            continue
        other = text[near]
        if unicodedata.category(other)[0] == "M" or other.isdigit():
            return False
        if other.isalpha() and (_is_latin(other) or not _is_latin(text[at])):
            return False
        if near > at and other in "'\u2019" and words.ending.first(normalise(text[beyond : beyond + 5])):
            continue  # Turkish: B'dir
        if other in "'\u2019&+-" and 0 <= beyond < len(text) and text[beyond].isalnum() and text[beyond].isascii():
            return False
        if other in "&+-" and not (0 <= beyond < len(text)):
            return False
    return True


def _latin(character: str) -> int | None:
    return ord(character) - ord("A") if len(character) == 1 and "A" <= character <= "Z" else None


def _native(character: str, language: str) -> int | None:
    orders = () if character.isascii() else _ORDERS.get(language.partition("-")[0], ())
    return next((order.index(character) for order in orders if character in order), None)


def _is_latin(character: str) -> bool:
    return character.isascii() or unicodedata.name(character, "").startswith(("LATIN", "FULLWIDTH LATIN"))


# ── The whole reply is a letter ───────────────────────────────────────────────────────────────────


def _alone(text: str, found: list[LoneLetter], words: Wording) -> Letters | None:
    """What a reply says that holds letters and words around an answer, and nothing else; None for any other."""
    letters = found
    if not letters or len(text) > _SHORT:
        return None
    bounds = [0, *(edge for one in letters for edge in (one.start, one.end)), len(text)]
    parts = [text[start:end] for start, end in zip(bounds[::2], bounds[1::2], strict=True)]
    bare = not any(part.strip(_OPENING + _CLOSING + ".,;!?\u3002") for part in parts)
    joined = words.letter_around.words | words.letter_join.words
    if not all(
        _consumed(part, words.letter_around, joined if 0 < at < len(parts) - 1 else frozenset(), words)
        for at, part in enumerate(parts)
    ):
        return None
    if any(not one.sure for one in letters) and not bare and not _announced_small(text, letters, words):
        return None
    return _one(letters)


def _is_article(text: str, one: LoneLetter, found: list[LoneLetter], words: Wording) -> bool:
    """Whether a letter is an article: Portuguese `a B`, `A letra B`, `A resposta correta`, `A casa ...`."""
    word = normalise(text[one.start])
    if not re.match(r" \w", text[one.end :]):
        return False
    if text[one.start].islower() and len(found) > 1 and (word in words.article.words or word in words.own_join.words):
        return True
    if word not in words.article.words:
        return False
    if any(other.start == one.end + 1 for other in found):
        return False
    rest = normalise(text[one.end : one.end + 40])
    noun = words.letter_option.first(rest) or words.answer.first(rest)
    return bool(noun and words.an_article) or (
        len(found) > 1 and bool(words.letter_sure.first(rest) or noun or _an_article(text, one, words))
    )


def _announced_small(text: str, letters: list[LoneLetter], words: Wording) -> bool:
    """Whether a small letter, or one of another script, is announced: `option b`, `Ответ: В`, `b) is correct`."""
    one = letters[0]
    before, after = text[: one.start].rstrip(), text[one.end :].lstrip()
    if before[-1:] in (":", "\uff1a", "=", "(", "\u2014", "\u2013", "-") or after[:1] == ")":
        return True
    plain = normalise(before)
    return words.letter_sure.last(plain) < len(plain) or words.letter_option.last(plain) < len(plain)


def _consumed(part: str, around: Words, joined: frozenset[str], words: Wording) -> bool:
    """Whether `part` is made of words around an answer alone."""
    text = normalise(part) if any(c.isalnum() for c in part) else ""
    every = Words(joined) if joined else around
    at = 0
    while at < len(text):
        match = _SPLIT.match(text, at)
        if match:
            at = match.end()
            continue
        if not text[at].isalnum() and text[at] not in "'\u0301":
            at += 1
            continue
        end = every.first(text, at)
        if end == at:
            return False
        at = end
    return True


# ── A letter with more behind it ──────────────────────────────────────────────────────────────────


def _label(text: str, found: list[LoneLetter], words: Wording) -> Letters:
    """The letter with which the reply begins as with a label: `B) Kimono`, `B. It is ...`."""
    first = found[0] if found else None
    if first is None or text[: first.start].strip(_OPENING + "\u2022") or not (first.sure or text[first.end] == ")"):
        return NO_LETTER
    match = _LABEL_END.match(text, first.end)
    if match is None:
        return Letters(first.place, False, "") if _reason_follows(text, first, words) else NO_LETTER
    rest = text[match.end() :]
    follows = [one for one in found[1:] if one.place != first.place and _LABEL_END.match(text, one.end)]
    if follows and follows[0].place == first.place + 1 and first.place == 0 and len(follows) > 1:
        return SEVERAL
    if _joined(text, first, found, words) or _joins(rest, words):
        return SEVERAL
    closed = text[first.end : match.end()].strip() in (")", "]", "\uff09")
    if (closed or rest[:1].islower()) and _denied_after(rest, words):
        return Letters(None, False, rest)
    return Letters(first.place, False, rest)


def _stated(text: str, found: list[LoneLetter], words: Wording) -> Letters:
    """The letter that is said to be the answer: `the answer is B`, `Answer: B`, `B is correct`."""
    stated = [one for one in found if _sure_before(text, one, words) or (one.sure and _sure_after(text, one, words))]
    return _decision(text, [one for one in stated if not _an_article(text, one, words)], found, words)


def _mentioned(text: str, found: list[LoneLetter], words: Wording) -> Letters:
    """The only letter that is set off in any way: in brackets, behind a colon or `is`, among foreign letters."""
    capitals = [one for one in found if one.sure]
    foreign = len(text) <= _SHORT_FOREIGN and _foreign(text)
    set_off = [one for one in capitals if foreign or _set_off(text, one, words)]
    bracketed = [one for one in capitals if one.start and text[one.start - 1] + text[one.end : one.end + 1] in _PAIRS]
    for some in (bracketed, [one for one in set_off if foreign or not _an_article(text, one, words)]):
        decision = _decision(text, some, found, words)
        if decision != NO_LETTER:
            return decision
    if len(text.split()) > _LIST_OF_LETTERS:
        return NO_LETTER
    decision = _decision(text, [one for one in capitals if not _an_article(text, one, words)], found, words)
    return decision if _one(capitals).several else NO_LETTER


def _decision(text: str, some: list[LoneLetter], found: list[LoneLetter], words: Wording) -> Letters:
    """The only one of `some` letters that is not denied, with the letters joined to it by `or` and the like."""
    held = [one for one in some if not denied(text, one.start, one.end, words)]
    if any(_joined(text, one, found, words) for one in held):
        return SEVERAL
    decision = _one(held)
    if decision.place is not None and len(held) == 1:
        rest = text[held[0].end :].partition("\n")[0]
        return decision._replace(rest=rest if _LABEL_END.match(rest) or rest[:1] == " " else "")
    return decision


def _one(letters: Iterable[LoneLetter]) -> Letters:
    places = {one.place for one in letters}
    return Letters(places.pop(), False, "") if len(places) == 1 else (SEVERAL if places else NO_LETTER)


def _joined(text: str, one: LoneLetter, found: list[LoneLetter], words: Wording) -> bool:
    """Whether `one` is joined to a neighbouring letter by `or`, `and`, a comma or the like, or by blanks alone."""
    for left, right in pairwise(found):
        if one not in (left, right) or left.place == right.place:
            continue
        between = text[left.end : right.start]
        if "\n" in between or len(between) > 40:
            continue
        plain = [part for part in _SPLIT.split(normalise(between)) if part]
        marks = between.strip(" ()[]\"'*")
        if plain and all(part in words.letter_join.words or part in words.article.words for part in plain):
            if any(part in words.letter_join.words for part in plain):
                return True
        elif not plain and (
            marks in (",", "/", "&", "+", "\uff0c", "\u3001", "\u060c", "|", "\u30fb")
            or (not marks and left.sure and right.sure)
        ):
            return True
    return False


def _reason_follows(text: str, one: LoneLetter, words: Wording) -> bool:
    """Whether a reason stands behind a letter: `B, because it barks`. A vowel without a comma may be an article."""
    match = re.match(r"\s*,\s*" if text[one.start] in _VOWELS else r"\s*,?\s+", text[one.end :])
    if match is None:
        return False
    said = normalise(text[one.end + match.end() :][:_NEAR_LETTERS])
    return words.letter_turn.first(said) > 0 and words.letter_denial.first(said) == 0


def _joins(rest: str, words: Wording) -> bool:
    """Whether what stands behind a label joins another letter to it: `B. or C`."""
    said = normalise(rest[:20])
    end = words.letter_join.first(said)
    return end > 0 and re.match(r"\W+[a-z](?!\w)", said[end:]) is not None


# ── What is said of a letter ──────────────────────────────────────────────────────────────────────


def _before(text: str, start: int) -> str:
    """The text before a letter, in normal form, from where its clause begins."""
    part = text[max(0, start - _NEAR_LETTERS) : start].rstrip(_OPENING.replace("\n", ""))
    if part.endswith("\n"):
        part = part.rstrip()
        part = part.rstrip(_OPENING) if part.endswith((":", "\uff1a", "=")) else ""
    edges = [match.end() for match in _BOUNDARY.finditer(part)]
    return normalise(part[edges[-1] :] if edges else part) if part.strip() else ""


def _after(text: str, end: int) -> str:
    """The text behind a letter, in normal form, to where its clause ends."""
    part = text[end : end + _NEAR_LETTERS].lstrip(_CLOSING)
    edge = _BOUNDARY.search(part)
    part = part[: edge.start()] if edge else part
    return normalise(part) if part.strip() else ""


def _sure_before(text: str, one: LoneLetter, words: Wording) -> bool:
    """Whether the words before a letter say that it is the answer."""
    before = _before(text, one.start)
    sure = False
    for _ in range(_NEAR):
        start = words.letter_around.last(before)
        if start == len(before):
            break
        sure = sure or before[start:] in words.letter_sure.words
        before = before[:start].rstrip(_OPENING + ",.")
    return sure


def _sure_after(text: str, one: LoneLetter, words: Wording) -> bool:
    """Whether the words behind a letter say that it is right."""
    after = _after(text, one.end)
    for _ in range(_NEAR):
        end = words.letter_around.first(after)
        if not end:
            return False
        if after[:end] in words.letter_sure.words:
            return True
        after = after[end:].lstrip(" '\"-")
    return False


def _set_off(text: str, one: LoneLetter, words: Wording) -> bool:
    """Whether a letter follows a colon, at the end of its line, or a word that announces an answer."""
    before = text[: one.start].rstrip(" ([\"'")
    if before[-1:] in (":", "=", "\uff1a"):
        return re.match(r"\W*(?:$|\n)|[)\].]\s*\S", text[one.end :]) is not None
    plain = normalise(before[-_NEAR_LETTERS:]) if before.strip() else ""
    if plain and words.letter_join.last(plain) < len(plain):
        return False
    return bool(plain) and words.letter_around.last(plain) < len(plain) and " " in text[one.start - 1 : one.start]


def _an_article(text: str, one: LoneLetter, words: Wording) -> bool:
    """Whether a vowel with a word behind it may be an article: `The answer is A cathedral`."""
    match = re.match(r"\s+(?=\w)", text[one.end :])
    if match is None or text[one.start] not in _VOWELS:
        return False
    after = _after(text, one.end)
    return not (words.letter_turn.first(after) or words.letter_around.first(after) or words.letter_join.first(after))


def denied(text: str, start: int, end: int, words: Wording) -> bool:
    """Whether a word of denial stands near the letter at `start` to `end`, in its clause."""
    return _denied_before(text, start, words) or _denied_after(text[end:], words)


def _denied_before(text: str, start: int, words: Wording) -> bool:
    before = _before(text, start)
    at = turned = 0
    while at < len(before):
        turn, denial = words.letter_turn.first(before, at), words.letter_denial.first(before, at)
        if not word_edge(before, at) or max(turn, denial) == at:
            at += 1
            continue
        turned = turn if turn >= denial else turned
        at = max(turn, denial)
    before = before[turned:]
    near = " ".join(before.split()[-_NEAR:])
    if near and written_without_blanks(near[-1]):
        near = near[-_NEAR_UNDIVIDED:]
    return _denies(near, words)


def _denied_after(text: str, words: Wording) -> bool:
    after = _after(text, 0)
    for at in range(len(after)):
        if not word_edge(after, at) or words.letter_denial.first(after, at) > at:
            continue
        if words.letter_turn.first(after, at) > at or words.letter_join.first(after, at) > at:
            after = after[:at]
            break
    near = " ".join(after.split()[:_NEAR])
    return _denies(near[:_NEAR_UNDIVIDED] if near and written_without_blanks(near[0]) else near, words)


def _denies(text: str, words: Wording) -> bool:
    return words.letter_denial.within(text)


def _foreign(text: str) -> bool:
    """Whether nearly all letters of `text` are of another script than Latin (the answer letter itself aside)."""
    latin = sum(1 for c in text if c.isalpha() and _is_latin(c))
    other = sum(1 for c in text if c.isalpha() and not _is_latin(c))
    return other > 0 and latin <= 2
