"""VQA accuracy: a short answer is as right as many of ten annotators agree with it (arXiv 1505.00468; TextVQA).

Both sides are normalised as the EvalAI server does it: lower case, punctuation, articles, number words, contractions.
Then each annotator is left out once, three others who agree count as all, and the mean over the ten is the score: 0.3
for one of ten, 0.6 for two, 0.9 for three, 1 from four on. The server's quirks are kept, so that figures can be
compared: a possessive `'s` is cut off, `none` is 0, only the first 32 full stops go, and an answer of articles alone is
equal to an empty one. Knows English only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tvbench.scoring.normalise import is_blank
from tvbench.types import Voted

ENOUGH = 3
"""So many others who agree make an answer right."""

_PUNCTUATION = ';/[]"{}()=+\\_-><@`!'
_FULL_STOP = re.compile(r"\.(?!\d)")
_FULL_STOPS = 32
_ARTICLES = frozenset({"a", "an", "the"})
_NUMBERS = {"none": "0"} | {
    word: str(number) for number, word in enumerate("zero one two three four five six seven eight nine ten".split())
}


def _contractions() -> dict[str, str]:
    """What people write without an apostrophe, to what they mean. Of two apostrophes either may be missing."""
    single = """ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd
        how'll how's isn't it'd it'll ma'am mightn't might've mustn't must've needn't not've o'clock
        oughtn't shan't should've shouldn't somebody'll somebody's someone'd someone'll someone's
        something'd something'll that's there'd there're there's they'd they'll they're they've 'twas wasn't
        we've weren't what'll what're what's what've when's where'd where's where've who'd who'll who's
        who've why'll why're why's won't would've wouldn't y'all you'd you'll you're you've"""
    stems = """couldn't hadn't he'd it'd mightn't she'd shouldn't somebody'd someone'd something'd there'd they'd we'd
        who'd wouldn't you'd"""
    double = [f"{stem}'ve" for stem in stems.split()] + ["y'all'll"]
    table = {word.replace("'", ""): word for word in single.split()}
    table |= {word.replace("'", "", 1): word for word in double}
    table |= {"'".join(word.split("'")[:2]) + word.split("'")[2]: word for word in double}
    three = {"'ow's'at": ("ow's'at", "'ows'at", "'ow'sat"), "y'all'd've": ("yall'd've", "y'alld've", "y'all'dve")}
    table |= {short: word for word, shorts in three.items() for short in shorts}
    return table | {"somebody'd": "somebodyd"}


_CONTRACTIONS = _contractions()


def normalise_answer(text: str) -> str:
    """`text` as EvalAI compares it."""
    plain = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    plain = _without_punctuation(plain.replace("\n", " ").replace("\t", " ").strip())
    words = (_NUMBERS.get(word, word) for word in plain.lower().split())
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


def _without_punctuation(text: str) -> str:
    """A mark that stands at a blank anywhere in the text goes, everywhere in it; any other becomes a blank."""
    plain = text
    for mark in _PUNCTUATION:
        edge = f"{mark} " in text or f" {mark}" in text
        plain = plain.replace(mark, "" if edge else " ")
    return _FULL_STOP.sub("", plain, count=_FULL_STOPS)


def vqa_accuracy(answers: Sequence[str], reply: str) -> float:
    """The share of `answers` that `reply` is held to have, each annotator left out once. At least one answer."""
    said = normalise_answer(reply)
    agree = [normalise_answer(answer) == said for answer in answers]
    return sum(min(1.0, (sum(agree) - own) / ENOUGH) for own in agree) / len(agree)


def voted(target: Voted) -> bool:
    """Whether anybody gave an answer: those of the test split are not published."""
    return not all(is_blank(answer) for answer in target.answers)
