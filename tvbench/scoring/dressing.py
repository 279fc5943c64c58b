"""A reply undressed: what stands in a box, in tags or in JSON, and what is left without the words around an answer.

`The correct answer is: 20` says `20`, `정답은 한복입니다` says `한복`. Nothing is taken off that changes the meaning: a
reply with a word of denial, or with two answers, stays as it is. Knows the words of languages; no option and no letter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from tvbench.scoring.folding import exact
from tvbench.scoring.normalise import is_number, normalise, trim_edges, written_without_blanks
from tvbench.scoring.wording import AnswerWords, wording

_TAGS = ("answer", "final_answer", "final answer", "ans", "response", "choice", "option")
_BOX = re.compile(r"\\f?boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_FENCE = re.compile(r"\A\s*```[a-z]*\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_LONGEST_OBJECT = 20_000
_MOST_WORDS = 12
"""So many words are taken off at each end, at most."""
_QUESTION = ("?", "\uff1f", "\u061f", "\u037e")
_LINES = 40


def inside(reply: str) -> str:
    """What `reply` puts in a box, in answer tags or in a JSON object; else the reply. Two different ones: the reply."""
    if not ("boxed" in reply or "<" in reply or "{" in reply or "```" in reply):
        return reply  # most replies
    text = match[1] if "```" in reply and (match := _FENCE.match(reply)) else reply
    held = list(dict.fromkeys(part.strip() for part in (_boxed(text) or _tagged(text) or _keyed(text))))
    return held[0] if len(held) == 1 and held[0] else text


def _boxed(text: str) -> list[str]:
    return [match[1] for match in _BOX.finditer(text)] if "boxed" in text else []


def _tagged(text: str) -> list[str]:
    if "<" not in text:
        return []
    lower = text.lower() if len(text.lower()) == len(text) else text
    for tag in _TAGS:
        found, at = [], lower.find(f"<{tag}>")
        while at >= 0:
            start = at + len(tag) + 2
            end = lower.find(f"</{tag}>", start)
            found.append(text[start : end if end >= 0 else len(text)])
            at = lower.find(f"<{tag}>", end) if end >= 0 else -1
        if found:
            return found
    return []


def _keyed(text: str) -> list[str]:
    """The value of the key that is called an answer, in a JSON object that is the whole text."""
    plain = text.strip()
    if not (plain.startswith("{") and plain.endswith("}") and len(plain) < _LONGEST_OBJECT):
        return []
    try:
        found = json.loads(plain)
    except (ValueError, RecursionError):
        return []
    words = wording("")
    names = words.letter_sure.words | words.option.words | set(_TAGS)
    if not isinstance(found, dict):
        return []
    values = [value for key, value in found.items() if normalise(key.replace("_", " ")) in names]
    if not values and len(found) == 1:
        values = list(found.values())
    return [str(value) for value in values if isinstance(value, str | int | float) and not isinstance(value, bool)]


# ── Words around an answer ────────────────────────────────────────────────────────────────────────


def readings(reply: str, language: str, longest: int) -> Iterator[str]:
    """What `reply` may say, in its exact form: as it is first, then with ever more of the words around it taken off.
    Longer texts than `longest` letters are no answers. Where the language is not known, nothing is taken off."""
    text = inside(reply)
    whole = exact(text, language)
    words = wording(language)
    yield whole
    if not language or text.rstrip()[-1:] in _QUESTION:
        return
    lines = [line for line in text.splitlines() if line.strip()] if "\n" in text else []
    if len(lines) <= 1:
        yield from (said for said in _peeled(whole, words, longest) if said != whole)
    for line in lines[-_LINES:] if len(lines) > 1 else ():
        said = exact(line, language)
        if words.answer.first(said):
            yield from _peeled(said, words, longest)


def _peeled(text: str, words: AnswerWords, longest: int) -> Iterator[str]:
    """`text` with the words around an answer taken off, at its beginning and at its end."""
    for _ in range(_MOST_WORDS):
        back = text
        for _ in range(_MOST_WORDS):
            if len(back) <= longest:
                yield back
            shorter = without_last(back, words)
            if shorter == back:
                break
            back = shorter
        shorter = without_first(text, words)
        if shorter == text:
            return
        text = shorter


def without_first(text: str, words: AnswerWords) -> str:
    """`text` without the word around an answer with which it begins."""
    end = words.around.first(text)
    if end == 1 and text[0].isascii() and text[1:2] in (")", ".", ":", "]"):
        return text  # a label
    rest = _trimmed(text[end:]) if end else ""
    if not rest or _too_short(rest, text[:end]) or (is_number(rest) and words.option.first(text) == end):
        return text  # `option 2` may be the second one, whatever it says
    return rest


def without_last(text: str, words: AnswerWords) -> str:
    """`text` without the word around an answer with which it ends, or what is attached to its last word."""
    start = words.around.last(text)
    rest = _trimmed(text[:start]) if start < len(text) else ""
    if rest and not _too_short(rest, text[start:]):
        return rest
    for size in range(min(words.ending.longest, len(text) - 1), 0, -1):
        ending, rest = text[-size:], _trimmed(text[:-size])
        if ending in words.ending.words and rest and not _too_short(rest, ending) and _fits(rest, ending):
            return rest
    return text


def _trimmed(text: str) -> str:
    return trim_edges(text.strip(" =:\uff1a"))


def _too_short(rest: str, taken: str) -> bool:
    """Whether one letter too much may have been taken for a word: in scripts without blanks only a long word, or one
    that leaves a Chinese character or two letters, is one."""
    if not written_without_blanks(taken):
        return False
    return len(taken) == 1 and len(rest) == 1 and not "\u3400" <= rest <= "\u9fff" and written_without_blanks(rest)


_CLOSED_ONLY = frozenset(("\uc740", "\uc774", "\uc744", "\uacfc", "\uc73c\ub85c", "\uc774\ub2e4", "\uc774\uc5d0\uc694"))
_OPEN_ONLY = frozenset(("\ub294", "\uac00", "\ub97c", "\uc640", "\uc608\uc694"))
"""Korean endings that follow a syllable with, or without, a final consonant."""
_SHORTEST = 3


def _fits(stem: str, ending: str) -> bool:
    """Whether `ending` may be attached to `stem`."""
    if not "\uac00" <= ending[-1] <= "\ud7a3":
        return written_without_blanks(ending) or len(stem) >= _SHORTEST
    if not "\uac00" <= stem[-1] <= "\ud7a3":
        return True
    closed = (ord(stem[-1]) - 0xAC00) % 28 != 0
    return not (ending in _CLOSED_ONLY and not closed) and not (ending in _OPEN_ONLY and closed)
