"""Signs in a text: loops, an answer that goes on too long, a preamble, a refusal, a copy, an end that is missing.

Each function looks at texts alone and says what it counts; none of them knows a score. The lists of refusals and
preambles are short and cover English and a dozen of its neighbours: what is not in them is not seen, so their counts
are lower bounds.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from tvbench.scoring.normalise import is_word_character, normalise, words, written_without_blanks
from tvbench.scoring.ocr import tokens

# ── Runaway answers ───────────────────────────────────────────────────────────────────────────────

LOOP_WORDS = 80
LOOP_DISTINCT = 0.2
"""A loop has more words than the one and a smaller share of different words than the other. On the published CC-OCR
logs this gives the published counts of loops (towerp_2b_instruct 130, towerp_9b_base 127 of 1,050)."""
EXCESS_FACTOR = 2
EXCESS_TOKENS = 50
"""An overlong answer has more tokens than this many times the right text's and this many more: the other definition of
"runaway" in use for CC-OCR, with the metric's own tokens (characters in Korean)."""

LEAST_GOLD = 8

LEAST_REPEATS, LONGEST_PIECE = 8, 60
LEAST_TAIL, TAIL_SHARE = 48, 0.5
"""A tail is a piece of up to 60 characters, eight times or more; together 48 characters and half of the text."""


def is_loop(text: str) -> bool:
    """More than 80 words (at blanks), fewer than 20 % of them different."""
    found = text.split()
    return len(found) > LOOP_WORDS and len(set(found)) < LOOP_DISTINCT * len(found)


def ends_in_loop(text: str) -> bool:
    """A piece of up to 60 characters repeated eight times or more up to the end, over at least half of the text: what
    `is_loop` does not count because the answer is too short, or has no blanks."""
    plain = text.strip()
    for period in range(1, LONGEST_PIECE + 1):
        length = _periodic_end(plain, period)
        if length >= max(LEAST_TAIL, LEAST_REPEATS * period, TAIL_SHARE * len(plain)):
            return any(is_word_character(character) for character in plain[-period:])
    return False


def _periodic_end(text: str, period: int) -> int:
    """How many characters at the end of `text` repeat with `period`; the last piece may be cut."""
    at = len(text) - period
    while at > 0 and text[at - 1] == text[at - 1 + period]:
        at -= 1
    return len(text) - at if at < len(text) - period else 0


def is_overlong(text: str, gold: str, unit: str = "word") -> bool:
    """More than twice the tokens of `gold` and 50; `unit` as in the OCR metric (`word` or `character`)."""
    return len(tokens(text, unit)) > EXCESS_FACTOR * len(tokens(gold, unit)) + EXCESS_TOKENS


def is_incomplete(text: str, gold: str, unit: str = "word") -> bool:
    """Fewer than half of the tokens of `gold`, which has at least 8: below that one word makes the difference."""
    wanted = len(tokens(gold, unit))
    return wanted >= LEAST_GOLD and 2 * len(tokens(text, unit)) < wanted


# ── An end that is missing ────────────────────────────────────────────────────────────────────────

LEAST_PER_TOKEN = 0.6
"""Words (characters, where a script has no blanks) that a token gives at the least in plain text."""
SENTENCE_ENDS = frozenset(".!?\u2026\u3002\uff01\uff1f\u061f\u06d4\u0964\u0965\u1362\u104b\u17d4\u0589")
FINAL = SENTENCE_ENDS | frozenset("\"'\u201d\u2019\u00bb)]}`*|")
"""Final marks of many scripts; and with them closing quotes, brackets and Markdown."""


def seems_cut_off(text: str, limit: int) -> bool:
    """Whether an answer whose end is not known may have met a limit of `limit` tokens: at least 0.6 words (or
    characters) a token, and no final mark. A guess: a table or a list ends without a mark too."""
    plain = text.rstrip()
    size = sum(map(is_word_character, plain)) if written_without_blanks(plain) else len(plain.split())
    return bool(plain) and size >= LEAST_PER_TOKEN * limit and plain[-1] not in FINAL


# ── Openings ──────────────────────────────────────────────────────────────────────────────────────

_REFUSALS = tuple(
    normalise(opening)
    for opening in (
        "I'm sorry",
        "I am sorry",
        "Sorry, ",
        "I apologize",
        "I cannot",
        "I can't",
        "I can not",
        "I'm unable",
        "I am unable",
        "I'm not able",
        "I am not able",
        "Unfortunately, I",
        "As an AI",
        "I don't see an image",
        "I do not see",
        "I cannot see",
        "Es tut mir leid",
        "Tut mir leid",
        "Ich kann nicht",
        "Ich kann leider",
        "Ich kann das Bild nicht",
        "Leider kann ich",
        "Entschuldigung",
        "Als KI",
        "Je suis désolé",
        "Désolé",
        "Je ne peux pas",
        "Je ne suis pas en mesure",
        "Malheureusement, je",
        "Lo siento",
        "Lamento",
        "No puedo",
        "No soy capaz",
        "Como modelo de lenguaje",
        "Mi dispiace",
        "Non posso",
        "Non sono in grado",
        "Purtroppo",
        "Desculpe",
        "Sinto muito",
        "Lamento",
        "Não posso",
        "Não consigo",
        "Não sou capaz",
        "Infelizmente",
        "Het spijt me",
        "Sorry, maar",
        "Ik kan niet",
        "Ik kan geen",
        "Helaas",
        "Извините",
        "К сожалению",
        "Простите",
        "Я не могу",
        "Je mi líto",
        "Omlouvám se",
        "Nemohu",
        "Bohužel",
        "Przepraszam",
        "Przykro mi",
        "Nie mogę",
        "Niestety",
        "죄송",
        "미안",
        "申し訳",
        "すみません",
        "ごめんなさい",
        "对不起",
        "抱歉",
        "很抱歉",
        "我无法",
        "我不能",
        "對不起",
        "我無法",
        "मुझे खेद",
        "माफ़ कीजिए",
        "क्षमा करें",
        "मैं असमर्थ",
        "عذرا",
        "آسف",
        "أعتذر",
        "لا أستطيع",
        "لا يمكنني",
        "Maaf",
        "Üzgünüm",
        "Xin lỗi",
        "Tôi không thể",
        "ขออภัย",
        "ขอโทษ",
    )
)
"""How refusals begin. More of them, and those that begin otherwise, are seen by what they talk about (refusals.py)."""
_KNOWN_REFUSALS = tuple((known, written_without_blanks(known)) for known in _REFUSALS)

_PREAMBLE = re.compile(
    r"\s*(?:sure|certainly|of course|okay|here(?:'s| is| are)|the (?:correct )?(?:answer|translation|text)(?: is| in)?|"
    r"translation\b|answer\b|natürlich|gerne|hier ist|die (?:übersetzung|antwort)|übersetzung\b|antwort\b|bien sûr|"
    r"voici|la traduction|traduction\b|la réponse|claro|aquí (?:está|tiene)|la traducción|traducción\b|la respuesta|"
    r"certo|ecco|la traduzione|traduzione\b|la risposta|aqui está|a tradução|tradução\b|a resposta|hier is|"
    r"de vertaling|vertaling\b|jistě|zde je|překlad\b|конечно|вот|перевод\b|ответ\b)[^\n:]{0,60}:\s*\S?",
    re.IGNORECASE,
)
"""A short announcement with a colon. A sentence of the answer itself rarely begins so; see `has_preamble`."""


def opens_like_refusal(text: str) -> bool:
    """Whether `text` begins as refusals do."""
    opening = normalise(text[:200])
    return any(
        opening.startswith(known) and (unspaced or not opening[len(known) : len(known) + 1].isalpha())
        for known, unspaced in _KNOWN_REFUSALS
    )


def has_preamble(text: str, reference: str) -> bool:
    """Whether `text` announces itself with a colon, as `reference` does not."""
    return _PREAMBLE.match(text) is not None and _PREAMBLE.match(reference) is None


# ── Translations ──────────────────────────────────────────────────────────────────────────────────

_COPY = 0.9
"""Least similarity (difflib ratio over words) of a copy to its source."""
_LONGER = 1.25
LONG_FACTOR = 2.5


def is_copy(text: str, source: str, references: tuple[str, ...]) -> bool:
    """Whether `text` is (nearly) the source and no more, though a right translation is not: names stay as they are."""
    plain = words(source)
    if not plain or len(words(text)) > _LONGER * len(plain) or not _alike(words(text), plain):
        return False
    return bool(references) and not any(_alike(words(reference), plain) for reference in references)


def _alike(text: str, other: str) -> bool:
    if text == other:
        return True
    first, second = text.split(), other.split()
    return len(first) > 2 and SequenceMatcher(None, first, second, autojunk=False).ratio() >= _COPY


def is_long_for(text: str, references: tuple[str, ...]) -> bool:
    """More than 2.5 times as many characters as the longest reference."""
    longest = max((len(reference.strip()) for reference in references), default=0)
    return longest > 0 and len(text.strip()) > LONG_FACTOR * longest
