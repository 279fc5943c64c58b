"""What a text says of a letter that stands in it: that it is the answer, that it is not, or that there is another one.

Looks at the clause around the letter, word by word. Knows the words of languages (wording.py); no option.
"""

from __future__ import annotations

import re
from itertools import pairwise

from tvbench.scoring.lone_letters import LoneLetter
from tvbench.scoring.normalise import normalise, written_without_blanks
from tvbench.scoring.wording import AnswerWords, Words, word_edge, wording

OPENING = " \t\n([{\"'\u201c\u201e\u00ab\u300c\u300e\u2018*:=\uff1a-\u2013\u2014>"
CLOSING = " \t)]}\"'\u201d\u00bb\u300d\u300f\u2019*"
_NEAR = 6
"""So many words around a letter may deny it."""
NEAR_LETTERS = 60
_NEAR_UNDIVIDED = 14
"""So many letters, in scripts that do not divide words."""
_BOUNDARY = re.compile(
    r"[.,;!?\n\u3002\uff0c\uff1b\uff01\uff1f\u0964\u060c\u061b\u061f\u06d4()\[\]\u2026]|\s[-\u2013\u2014]\s"
)
_VOWELS = "AEIOUY"
"""Letters that are words of their own in some language."""
_SPLIT = re.compile(r"[\s,;/&+\uff0c\u3001\u060c|\u30fb()\[\]{}\"'*:.\u2013\u2014-]+")


def _before(text: str, start: int) -> str:
    """The text before a letter, in normal form, from where its clause begins."""
    part = text[max(0, start - NEAR_LETTERS) : start].rstrip(OPENING.replace("\n", ""))
    if part.endswith("\n"):
        part = part.rstrip()
        part = part.rstrip(OPENING) if part.endswith((":", "\uff1a", "=")) else ""
    edges = [match.end() for match in _BOUNDARY.finditer(part) if not _carried(part, match)]
    return normalise(part[edges[-1] :] if edges else part) if part.strip() else ""


def _carried(part: str, edge: re.Match[str]) -> bool:
    """Whether a comma is before a `that`, which belongs to what stands before it."""
    return edge[0] == "," and wording("").letter_that.first(part[edge.end() :].lstrip().casefold()) > 0


def _after(text: str, end: int) -> str:
    """The text behind a letter, in normal form, to where its clause ends."""
    part = text[end : end + NEAR_LETTERS].lstrip(CLOSING)
    edge = _BOUNDARY.search(part)
    part = part[: edge.start()] if edge else part
    return normalise(part) if part.strip() else ""


def sure_before(text: str, one: LoneLetter, words: AnswerWords) -> bool:
    """Whether the words before a letter say that it is the answer."""
    before = _before(text, one.start)
    sure = False
    for _ in range(_NEAR):
        start = words.letter_around.last(before)
        if start == len(before):
            break
        sure = sure or before[start:] in words.letter_sure.words
        before = before[:start].rstrip(OPENING + ",.")
    return sure


def sure_after(text: str, one: LoneLetter, words: AnswerWords) -> bool:
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


def set_off(text: str, one: LoneLetter, words: AnswerWords) -> bool:
    """Whether a letter follows a colon, at the end of its line, or a word that announces an answer."""
    before = text[: one.start].rstrip(" ([\"'")
    if before[-1:] in (":", "=", "\uff1a"):
        return re.match(r"\W*(?:$|\n)|[)\].]\s*\S", text[one.end :]) is not None
    plain = normalise(before[-NEAR_LETTERS:]) if before.strip() else ""
    if plain and words.letter_join.last(plain) < len(plain):
        return False
    return bool(plain) and words.letter_around.last(plain) < len(plain) and " " in text[one.start - 1 : one.start]


def may_be_article(text: str, one: LoneLetter, words: AnswerWords) -> bool:
    """Whether a vowel with a word behind it may be an article: `The answer is A cathedral`."""
    match = re.match(r"\s+(?=\w)", text[one.end :])
    if match is None or text[one.start] not in _VOWELS:
        return False
    after = _after(text, one.end)
    return not (words.letter_turn.first(after) or words.letter_around.first(after) or words.letter_join.first(after))


def denied(text: str, start: int, end: int, words: AnswerWords) -> bool:
    """Whether a word of denial stands near the letter at `start` to `end`, in its clause."""
    return denied_before(text, start, words) or denied_after(text[end:], words)


def denied_before(text: str, start: int, words: AnswerWords) -> bool:
    """Whether a word of denial stands before the letter at `start`, and no turn to another thought between."""
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


def denied_after(text: str, words: AnswerWords) -> bool:
    """Whether a word of denial stands at the beginning of `text`, which follows a letter."""
    after = _after(text, 0)
    for at in range(len(after)):
        if not word_edge(after, at) or words.letter_denial.first(after, at) > at:
            continue
        if words.letter_turn.first(after, at) > at or words.letter_join.first(after, at) > at:
            after = after[:at]
            break
    near = " ".join(after.split()[:_NEAR])
    return _denies(near[:_NEAR_UNDIVIDED] if near and written_without_blanks(near[0]) else near, words)


def _denies(text: str, words: AnswerWords) -> bool:
    return words.letter_denial.within(text)


def joined_to(text: str, one: LoneLetter, found: list[LoneLetter], words: AnswerWords) -> bool:
    """Whether `one` is joined to a neighbouring letter by `or`, `and`, a comma or the like, or by blanks alone."""
    for left, right in pairwise(found):
        if one not in (left, right) or left.place == right.place:
            continue
        between = text[left.end : right.start]
        if "\n" in between or len(between) > 40:
            continue
        if left is found[0] and _opens_a_pair(text, left, right, words):
            return True
        if left.sure and right.sure and normalise(between or "-") in words.letter_span.words:
            return True
        plain = [part for part in _SPLIT.split(normalise(between)) if part]
        marks = between.strip(" ()[]\"'*")
        if plain and all(part in words.letter_join.words or part in words.article.words for part in plain):
            if any(part in words.letter_join.words for part in plain) and not _turns(plain[0], words):
                return True
        elif plain:
            if right.sure and _perhaps(plain, words) and not denied(text, right.start, right.end, words):
                return True
        elif marks in (",", "/", "&", "+", "\uff0c", "\u3001", "\u060c", "|", "\u30fb") or (
            not marks and left.sure and right.sure
        ):
            return True
    return False


_MOST_BETWEEN = 2
_STOPS = tuple(",.;:!\u2026\u3001\u3002\uff0c\u060c\u0964")


def _turns(word: str, words: AnswerWords) -> bool:
    """Whether a word that joins letters in some language is a `but` in this one: Italian `non A ma B`."""
    return word in words.letter_turn.words and word not in words.own_join.words


def _perhaps(plain: list[str], words: AnswerWords) -> bool:
    """Whether the words between two letters join them with a word more: `B or maybe D`."""
    return len(plain) <= _MOST_BETWEEN and plain[0] in words.own_join.words and plain[-1] not in words.letter_sure.words


def _opens_a_pair(text: str, left: LoneLetter, right: LoneLetter, words: AnswerWords) -> bool:
    """Whether a word before the first letter says that two follow: `both A and B`, `sowohl A als auch B`."""
    before = _before(text, left.start)
    start = words.own_join.last(before)
    between = normalise(text[left.end : right.start])
    if len(before) - start <= 1 or not words.letter_join.within(between):
        return False
    return not denied(text, right.start, right.end, words)


def turned_back(rest: str, words: AnswerWords) -> bool:
    """Whether what stands behind a letter takes it back: `A. No, wait: B`."""
    if (stop := re.match(r"[\s)]*[.,;:!\u2026\u2013\u2014\u3002\uff0c\u3001\u060c-]\W*", rest)) is None:
        return False
    said = normalise(rest[stop.end() :][:NEAR_LETTERS])
    if words.letter_back.first(said):
        return True
    end = words.letter_denial.first(said)
    return end > 0 and (said[end : end + 1] in _STOPS or words.letter_back.first(said[end:].lstrip()) > 0)


def joins_another(rest: str, words: AnswerWords) -> bool:
    """Whether what stands behind a label joins another letter to it: `B. or C`."""
    said = normalise(rest[:20])
    end = words.letter_join.first(said)
    return end > 0 and re.match(r"\W+[a-z](?!\w)", said[end:]) is not None


def reason_follows(text: str, one: LoneLetter, words: AnswerWords) -> bool:
    """Whether a reason stands behind a letter: `B, because it barks`. A vowel without a comma may be an article."""
    match = re.match(r"\s*,\s*" if text[one.start] in _VOWELS else r"\s*,?\s+", text[one.end :])
    if match is None:
        return False
    said = normalise(text[one.end + match.end() :][:NEAR_LETTERS])
    return words.letter_turn.first(said) > 0 and words.letter_denial.first(said) == 0


def only_words_around(part: str, around: Words, joined: frozenset[str], words: AnswerWords) -> bool:
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
