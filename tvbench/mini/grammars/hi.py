"""Hindi: two genders, an oblique case before a postposition, adjectives in -ā that agree with both."""

from __future__ import annotations

from typing import NamedTuple

from tvbench.mini.grammars.base import Grammar, unique
from tvbench.mini.world import Thing


class HindiNoun(NamedTuple):
    """Gender (m, f), direct singular, oblique singular, direct plural."""

    gender: str
    word: str
    oblique: str
    plural: str


NOUNS = {
    "circle": HindiNoun("m", "वृत्त", "वृत्त", "वृत्त"),
    "square": HindiNoun("m", "वर्ग", "वर्ग", "वर्ग"),
    "triangle": HindiNoun("m", "त्रिभुज", "त्रिभुज", "त्रिभुज"),
    "star": HindiNoun("m", "तारा", "तारे", "तारे"),
    "heart": HindiNoun("m", "दिल", "दिल", "दिल"),
    "house": HindiNoun("m", "घर", "घर", "घर"),
    "moon": HindiNoun("m", "चाँद", "चाँद", "चाँद"),
    "fish": HindiNoun("f", "मछली", "मछली", "मछलियाँ"),
    "flower": HindiNoun("m", "फूल", "फूल", "फूल"),
    "key": HindiNoun("f", "चाबी", "चाबी", "चाबियाँ"),
    "bat-animal": HindiNoun("m", "चमगादड़", "चमगादड़", "चमगादड़"),
    "bat-club": HindiNoun("m", "बल्ला", "बल्ले", "बल्ले"),
    "bow-ribbon": HindiNoun("m", "रिबन", "रिबन", "रिबन"),
    "bow-weapon": HindiNoun("m", "धनुष", "धनुष", "धनुष"),
    "nut-food": HindiNoun("m", "मेवा", "मेवे", "मेवे"),
    "nut-metal": HindiNoun("m", "नट", "नट", "नट"),
    "trunk-tree": HindiNoun("m", "तना", "तने", "तने"),
    "trunk-chest": HindiNoun("m", "संदूक", "संदूक", "संदूक"),
}
# Masculine direct singular; masculine oblique and plural; feminine.
COLOURS = {
    "red": ("लाल", "लाल", "लाल"),
    "blue": ("नीला", "नीले", "नीली"),
    "green": ("हरा", "हरे", "हरी"),
    "yellow": ("पीला", "पीले", "पीली"),
    "black": ("काला", "काले", "काली"),
    "white": ("सफ़ेद", "सफ़ेद", "सफ़ेद"),
}
SIDES = {"left": "के बाईं ओर", "right": "के दाईं ओर", "up": "के ऊपर", "down": "के नीचे"}


class Hindi(Grammar):
    code = "hi"
    colour_names = {colour: forms[0] for colour, forms in COLOURS.items()}
    places = {
        "top left": "ऊपर बाईं ओर",
        "top right": "ऊपर दाईं ओर",
        "bottom left": "नीचे बाईं ओर",
        "bottom right": "नीचे दाईं ओर",
    }
    movements = {"left": "बाईं ओर", "right": "दाईं ओर", "up": "ऊपर की ओर", "down": "नीचे की ओर"}
    true, false, true_or_false = "सही", "गलत", "सही या गलत?"
    with_letter = "सही विकल्प के अक्षर से उत्तर दीजिए।"
    with_option = "इनमें से एक विकल्प से उत्तर दीजिए।"
    briefly = "संक्षेप में उत्तर दीजिए।"
    picture_name = "चित्र {}"
    number_words = ("एक", "दो", "तीन", "चार")
    ask_first, ask_last = "सबसे पहले क्या दिखाई देता है?", "सबसे अंत में क्या दिखाई देता है?"
    ask_how_many = "कितनी चीज़ें दिखाई देती हैं?"
    synonyms = {
        "bat-club": ("बैट",),
        "bow-ribbon": ("बो", "फीता"),
        "nut-food": ("अखरोट",),
        "trunk-chest": ("बक्सा", "बक्से", "पेटी"),
    }

    def word(self, noun: str) -> str:
        return NOUNS[noun].word

    def sense_words(self, noun: str) -> tuple[str, ...]:
        forms = NOUNS[noun]
        return unique(forms.word, forms.oblique, forms.plural, *self.synonyms.get(noun, ()))

    def the(self, thing: Thing) -> str:
        noun, forms = NOUNS[thing.noun], COLOURS[thing.colour]
        return f"{forms[2] if noun.gender == 'f' else forms[0]} {noun.word}"

    def a(self, thing: Thing) -> str:
        return f"एक {self.the(thing)}"

    def oblique(self, thing: Thing) -> str:
        """`नीले तारे`, before a postposition."""
        noun, forms = NOUNS[thing.noun], COLOURS[thing.colour]
        return f"{forms[2] if noun.gender == 'f' else forms[1]} {noun.oblique}"

    def many(self, thing: Thing, count: int) -> str:
        noun, forms = NOUNS[thing.noun], COLOURS[thing.colour]
        return f"{self.number_words[count - 1]} {forms[2] if noun.gender == 'f' else forms[1]} {noun.plural}"

    def colour_answers(self, colour: str) -> tuple[str, ...]:
        return unique(*COLOURS[colour])

    def count_answers(self, noun: str, count: int) -> tuple[str, ...]:
        return (*super().count_answers(noun, count), "१२३४"[count - 1])

    def shows(self, thing: Thing) -> str:
        return f"चित्र में {self.a(thing)} है।"

    def shows_many(self, thing: Thing, count: int) -> str:
        return f"चित्र में {self.many(thing, count)} हैं।"

    def joins(self, thing: Thing, other: Thing) -> str:
        return f"{self.a(thing)} और {self.a(other)}।"

    def relates(self, thing: Thing, side: str, other: Thing) -> str:
        return f"{self.the(thing)} {self.oblique(other)} {SIDES[side]} है।"

    def tells_colour(self, thing: Thing) -> str:
        noun, forms = NOUNS[thing.noun], COLOURS[thing.colour]
        return f"{noun.word} {forms[2] if noun.gender == 'f' else forms[0]} है।"

    def ask_colour(self, noun: str) -> str:
        return f"{NOUNS[noun].oblique} का रंग क्या है?"

    def ask_thing(self, colour: str) -> str:
        return f"कौन सी चीज़ {COLOURS[colour][2]} है?"

    def ask_place(self, thing: Thing) -> str:
        return f"{self.the(thing)} कहाँ है?"

    def ask_count(self, noun: str) -> str:
        how_many = "कितनी" if NOUNS[noun].gender == "f" else "कितने"
        return f"चित्र में {how_many} {NOUNS[noun].plural} हैं?"

    def ask_picture(self, thing: Thing) -> str:
        return f"किस चित्र में {self.a(thing)} है?"

    def ask_direction(self, thing: Thing) -> str:
        goes = "जा रही है" if NOUNS[thing.noun].gender == "f" else "जा रहा है"
        return f"{self.the(thing)} किस दिशा में {goes}?"


GRAMMAR = Hindi()
