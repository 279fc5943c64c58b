"""A right answer made wrong in one known way: another number, another name, a negation; or cut off in the middle.

What holds for every language is digits of any script, and names by their capitals or quotation marks; negations are
those of a table. Every change is a function of the text and a seed. Where no rule fits there is no change: an answer
that may still be right is worth nothing as a check. Knows texts; no item, no judge.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from tvbench.scoring.normalise import normalise, words, written_without_blanks

SHORT = 3
"""Words of an answer in which any rare word is the point of it."""
LEAST_CUT = 12
"""Characters of an answer that can be cut in the middle so that something is missing."""
NUMBERS = re.compile(r"(?<![^\W\d_])(?<!\d)\d+")
LIST_MARK = re.compile(r"\s*[.)\u3001](?:\s|$)")
QUOTED = re.compile(
    r"「([^「」]{2,40})」|『([^『』]{2,40})』|《([^《》]{2,40})》|“([^“”]{2,40})”|«([^«»]{2,40})»|\"([^\"]{2,40})\""
)
WORD = re.compile(r"[^\W\d_][\w\u0300-\u036f'’-]*")
SENTENCE_END = re.compile(r"[.!?:;。！？।\n\"“«(]\s*$")

NEGATIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "af": ((" is ", " is nie "),),
    "ar": ((" هو ", " ليس "), (" هي ", " ليست ")),
    "bg": ((" е ", " не е "), (" са ", " не са ")),
    "ca": ((" és ", " no és "), (" són ", " no són ")),
    "cs": ((" je ", " není "), (" jsou ", " nejsou ")),
    "da": ((" er ", " er ikke "),),
    "de": ((" ist ", " ist nicht "), (" sind ", " sind nicht "), (" wird ", " wird nicht "), (" hat ", " hat nicht ")),
    "el": ((" είναι ", " δεν είναι "),),
    "en": ((" is ", " is not "), (" are ", " are not "), (" was ", " was not "), (" were ", " were not ")),
    "es": ((" es ", " no es "), (" son ", " no son "), (" está ", " no está "), (" están ", " no están ")),
    "et": ((" on ", " ei ole "),),
    "fa": ((" است", " نیست"), (" هستند", " نیستند")),
    "fi": ((" on ", " ei ole "), (" ovat ", " eivät ole ")),
    "fr": ((" est ", " n'est pas "), (" sont ", " ne sont pas ")),
    "he": ((" הוא ", " אינו "), (" היא ", " אינה ")),
    "hi": ((" है", " नहीं है"), (" हैं", " नहीं हैं")),
    "id": ((" adalah ", " bukan "), (" merupakan ", " bukan merupakan ")),
    "it": ((" è ", " non è "), (" sono ", " non sono ")),
    "ja": (("です", "ではありません"), ("います", "いません"), ("である", "ではない")),
    "ko": (("입니다", "이 아닙니다"), ("있습니다", "없습니다")),
    "mr": ((" आहे", " नाही"), (" आहेत", " नाहीत")),
    "ms": ((" adalah ", " bukan "), (" ialah ", " bukan ")),
    "ne": ((" छ", " छैन"), (" हो", " होइन")),
    "nl": ((" is ", " is niet "), (" zijn ", " zijn niet ")),
    "no": ((" er ", " er ikke "),),
    "pl": ((" jest ", " nie jest "), (" są ", " nie są ")),
    "pt": ((" é ", " não é "), (" são ", " não são "), (" está ", " não está ")),
    "ro": ((" este ", " nu este "), (" sunt ", " nu sunt ")),
    "ru": ((" является ", " не является "), (" являются ", " не являются "), (" это ", " это не ")),
    "sk": ((" je ", " nie je "), (" sú ", " nie sú ")),
    "sr": ((" је ", " није "), (" je ", " nije ")),
    "sv": ((" är ", " är inte "),),
    "sw": ((" ni ", " si "),),
    "th": (("เป็น", "ไม่เป็น"), ("คือ", "ไม่ใช่")),
    "uk": ((" є ", " не є "), (" це ", " це не ")),
    "ur": ((" ہے", " نہیں ہے"), (" ہیں", " نہیں ہیں")),
    "vi": ((" là ", " không phải là "),),
    "zh": (("(?<![但还還于於可只要总總或不])是", "不是"),),
}
"""What says that something is (a pattern), and that it is not: the first that an answer has is changed once."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The right answers of one language, of which words are borrowed. `common` counts the answers that a word is in."""

    references: tuple[str, ...]
    common: Counter[str] = field(default_factory=Counter)

    @staticmethod
    def of(references: Sequence[str]) -> Neighbours:
        counted = Counter(word for text in references for word in set(words(text).split()))
        return Neighbours(tuple(references), counted)


@dataclass(frozen=True, slots=True)
class _Place:
    """What is to be changed: a right answer, its question and language, and what others say."""

    reference: str
    question: str
    language: str
    others: Neighbours
    rng: Random


def changed(reference: str, question: str, language: str, others: Neighbours, seed: str) -> tuple[str, str] | None:
    """`reference` with one fact changed, and by which rule; None where no rule fits."""
    for name, rule in RULES.items():
        text = rule(_Place(reference, question, language, others, Random(seed)))
        if text is not None and normalise(text) != normalise(reference):
            return text, name
    return None


def truncated(text: str) -> str | None:
    """The first half of `text`, with no character torn; None where half of it may be all of it."""
    if len(text) < LEAST_CUT or (len(text.split()) < 4 and not written_without_blanks(text)):
        return None
    at = len(text) // 2
    while at < len(text) and (unicodedata.category(text[at])[0] == "M" or text[at] in "\u200c\u200d"):
        at += 1
    return text[:at].rstrip() if at < len(text) else None


def likeness(one: str, other: str) -> float:
    """How much of their three-letter pieces two texts share, 0 to 1."""
    first, second = _pieces(one), _pieces(other)
    return len(first & second) / len(first | second) if first | second else 1.0


def _pieces(text: str) -> set[str]:
    plain = f" {words(text)} "
    size = 2 if written_without_blanks(text) else 3
    return {plain[at : at + size] for at in range(max(1, len(plain) - size + 1))}


# ── Rules ─────────────────────────────────────────────────────────────────────────────────────────


def _number(place: _Place) -> str | None:
    """Another number of the same length, in the same digits: not the number of a list's entry."""
    text = place.reference
    found = [
        match
        for match in NUMBERS.finditer(text)
        if not (_begins_line(text, match) and LIST_MARK.match(text, match.end()))
    ]
    if not found:
        return None
    number = place.rng.choice(found)[0]
    at = len(number) - 2 if len(number) > 2 else 0
    digit = unicodedata.decimal(number[at])
    other = (digit - 1 + place.rng.randint(2, 7)) % 9 + 1
    new = number[:at] + chr(ord(number[at]) - digit + other) + number[at + 1 :]
    return re.sub(rf"(?<!\d){number}(?!\d)", new, text)


def _begins_line(text: str, match: re.Match[str]) -> bool:
    return not text[: match.start()].rpartition("\n")[2].strip()


def _negated(place: _Place) -> str | None:
    """The answer denied, where its language's table has the word for it, and it denies nothing yet."""
    pairs = NEGATIONS.get(place.language.partition("-")[0], ())
    padded = f"{place.reference} "
    if any(denied in padded for _, denied in pairs):
        return None
    for said, denied in pairs:
        ends = "" if said.endswith(" ") or not said.startswith(" ") else r"(?![\w\u0900-\u0963])"
        found = re.search(said + ends, padded)
        if found is not None and found.start() > 0:
            return (padded[: found.start()] + denied + padded[found.end() :]).rstrip()
    return None


def _quoted(place: _Place) -> str | None:
    """What stands in quotation marks, for what stands in those of another answer."""
    return _swapped(place, _in_quotes)


def _named(place: _Place) -> str | None:
    """A word with a capital within a sentence, for such a word of another answer."""
    return _swapped(place, _capitals)


def _rare(place: _Place) -> str | None:
    """In a short answer its longest word that no other answer has, for that of another short one."""
    return _swapped(place, lambda text: _rare_words(text, place.others)[:1])


def _swapped(place: _Place, names: Callable[[str], list[str]]) -> str | None:
    """One of the answer's `names` for one of another answer's, that neither answer nor question speaks of."""
    taken = normalise(f"{place.question} {place.reference}")
    mine = [name for name in names(place.reference) if normalise(name) not in normalise(place.question)]
    if not mine:
        return None
    name = place.rng.choice(mine)
    for other in place.rng.sample(place.others.references, min(40, len(place.others.references))):
        new = next((word for word in names(other) if normalise(word) not in taken), None)
        if new is not None and normalise(name) not in normalise(new):
            return _with(place.reference, name, new)
    return None


def _with(text: str, name: str, new: str) -> str:
    """`text` with another name, wherever it stands."""
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", lambda _: new, text)


def _in_quotes(text: str) -> list[str]:
    return [next(filter(None, match.groups())) for match in QUOTED.finditer(text)]


def _capitals(text: str) -> list[str]:
    """Words with a capital that do not begin a sentence, where not all is in capitals."""
    return [
        match[0]
        for match in WORD.finditer(text)
        if match[0][0].isupper() and len(match[0]) > 2 and not _begins(text[: match.start()]) and not text.isupper()
    ]


def _begins(before: str) -> bool:
    return not before.strip() or SENTENCE_END.search(before) is not None


def _rare_words(text: str, others: Neighbours) -> list[str]:
    """The words of a short answer that are in no other one, the longest first."""
    if written_without_blanks(text) or not 1 < len(text.split()) <= SHORT:
        return []
    found = [match[0] for match in WORD.finditer(text) if len(match[0]) > 3 and others.common[words(match[0])] < 2]
    return sorted(found, key=lambda word: (-len(word), word))


RULES: dict[str, Callable[[_Place], str | None]] = {
    "number": _number,
    "negation": _negated,
    "name": _named,
    "quotation": _quoted,
    "word": _rare,
}
"""In the order in which they are tried: what most languages share comes first."""
