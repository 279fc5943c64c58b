"""Korean: particles that depend on whether a word ends in a consonant, counters, colours before a noun."""

from __future__ import annotations

from typing import NamedTuple

from tvbench.mini.grammars.base import Grammar
from tvbench.mini.world import Thing


class KoreanNoun(NamedTuple):
    """The noun and its counter."""

    word: str
    counter: str = "개"


class KoreanColour(NamedTuple):
    """As a name, and before a noun."""

    name: str
    before_noun: str


NOUNS = {
    "circle": KoreanNoun("원"),
    "square": KoreanNoun("정사각형"),
    "triangle": KoreanNoun("삼각형"),
    "star": KoreanNoun("별"),
    "heart": KoreanNoun("하트"),
    "house": KoreanNoun("집", "채"),
    "moon": KoreanNoun("달"),
    "fish": KoreanNoun("물고기", "마리"),
    "flower": KoreanNoun("꽃", "송이"),
    "key": KoreanNoun("열쇠"),
    "bat-animal": KoreanNoun("박쥐", "마리"),
    "bat-club": KoreanNoun("방망이"),
    "bow-ribbon": KoreanNoun("리본"),
    "bow-weapon": KoreanNoun("활"),
    "nut-food": KoreanNoun("견과"),
    "nut-metal": KoreanNoun("너트"),
    "trunk-tree": KoreanNoun("나무줄기"),
    "trunk-chest": KoreanNoun("트렁크"),
}
COLOURS = {
    "red": KoreanColour("빨간색", "빨간"),
    "blue": KoreanColour("파란색", "파란"),
    "green": KoreanColour("초록색", "초록색"),
    "yellow": KoreanColour("노란색", "노란"),
    "black": KoreanColour("검은색", "검은"),
    "white": KoreanColour("하얀색", "하얀"),
}
OTHER_NAMES = {
    "red": ("빨강",),
    "blue": ("파랑",),
    "green": ("초록", "녹색"),
    "yellow": ("노랑",),
    "black": ("검정", "검정색"),
    "white": ("하양", "흰색"),
}
SIDES = {"left": "왼쪽", "right": "오른쪽", "up": "위쪽", "down": "아래쪽"}
FIRST_SYLLABLE, FINALS = 0xAC00, 28
"""The Unicode block of Hangul syllables, and how many of them share an initial and a vowel."""


def closed(word: str) -> bool:
    """Whether the word ends in a consonant."""
    return (ord(word[-1]) - FIRST_SYLLABLE) % FINALS != 0


def topic(word: str) -> str:
    """`별은`, `열쇠는`."""
    return f"{word}{'은' if closed(word) else '는'}"


def subject(word: str) -> str:
    """`별이`, `열쇠가`."""
    return f"{word}{'이' if closed(word) else '가'}"


def joined(word: str) -> str:
    """`별과`, `열쇠와`."""
    return f"{word}{'과' if closed(word) else '와'}"


class Korean(Grammar):
    code = "ko"
    colour_names = {colour: forms.name for colour, forms in COLOURS.items()}
    places = {
        "top left": "왼쪽 위",
        "top right": "오른쪽 위",
        "bottom left": "왼쪽 아래",
        "bottom right": "오른쪽 아래",
    }
    movements = SIDES
    true, false, true_or_false = "참", "거짓", "참입니까, 거짓입니까?"
    with_letter = "올바른 선택지의 글자로 답하세요."
    with_option = "다음 선택지 중 하나로 답하세요."
    briefly = "짧게 답하세요."
    picture_name = "그림 {}"
    number_words = ("한", "두", "세", "네")
    ask_first, ask_last = "가장 먼저 나타나는 것은 무엇입니까?", "가장 나중에 나타나는 것은 무엇입니까?"
    ask_how_many = "물건이 모두 몇 개 나타납니까?"
    synonyms = {
        "bat-club": ("배트",),
        "bow-ribbon": ("나비매듭",),
        "nut-food": ("도토리",),
        "trunk-tree": ("그루터기",),
        "trunk-chest": ("상자", "궤짝"),
    }

    def word(self, noun: str) -> str:
        return NOUNS[noun].word

    def the(self, thing: Thing) -> str:
        return f"{COLOURS[thing.colour].before_noun} {NOUNS[thing.noun].word}"

    def a(self, thing: Thing) -> str:
        return self.the(thing)

    def many(self, thing: Thing, count: int) -> str:
        return f"{self.the(thing)} {self.number_words[count - 1]} {NOUNS[thing.noun].counter}"

    def colour_answers(self, colour: str) -> tuple[str, ...]:
        return (COLOURS[colour].name, *OTHER_NAMES[colour], f"{COLOURS[colour].name}입니다")

    def count_answers(self, noun: str, count: int) -> tuple[str, ...]:
        counter = NOUNS[noun].counter
        word = self.number_words[count - 1]
        alone = ("하나", "둘", "셋", "넷")[count - 1]
        return (str(count), alone, word, f"{word} {counter}", f"{count}{counter}", f"{word} 개", f"{count}개")

    def shows(self, thing: Thing) -> str:
        return f"그림에 {subject(self.a(thing))} 있습니다."

    def shows_many(self, thing: Thing, count: int) -> str:
        return f"그림에 {subject(self.many(thing, count))} 있습니다."

    def joins(self, thing: Thing, other: Thing) -> str:
        return f"{joined(self.a(thing))} {self.a(other)}."

    def relates(self, thing: Thing, side: str, other: Thing) -> str:
        return f"{topic(self.the(thing))} {self.the(other)}의 {SIDES[side]}에 있습니다."

    def tells_colour(self, thing: Thing) -> str:
        return f"{topic(NOUNS[thing.noun].word)} {COLOURS[thing.colour].name}입니다."

    def ask_colour(self, noun: str) -> str:
        return f"{topic(NOUNS[noun].word)} 무슨 색입니까?"

    def ask_thing(self, colour: str) -> str:
        return f"{COLOURS[colour].before_noun} 것은 무엇입니까?"

    def ask_place(self, thing: Thing) -> str:
        return f"{topic(self.the(thing))} 어디에 있습니까?"

    def ask_count(self, noun: str) -> str:
        return f"그림에 {subject(NOUNS[noun].word)} 몇 {NOUNS[noun].counter} 있습니까?"

    def ask_picture(self, thing: Thing) -> str:
        return f"{subject(self.a(thing))} 있는 것은 어느 그림입니까?"

    def ask_direction(self, thing: Thing) -> str:
        return f"{topic(self.the(thing))} 어느 방향으로 움직입니까?"


GRAMMAR = Korean()
