"""German: three genders, strong and weak adjectives, a dative after `von`, `über` and `unter`."""

from __future__ import annotations

from typing import NamedTuple

from tvbench.mini.grammars.base import Grammar, sentence, unique
from tvbench.mini.world import Thing


class GermanNoun(NamedTuple):
    """Gender (m, f, n), nominative singular and plural, dative singular where it differs."""

    gender: str
    word: str
    plural: str
    dative: str = ""


NOUNS = {
    "circle": GermanNoun("m", "Kreis", "Kreise"),
    "square": GermanNoun("n", "Quadrat", "Quadrate"),
    "triangle": GermanNoun("n", "Dreieck", "Dreiecke"),
    "star": GermanNoun("m", "Stern", "Sterne"),
    "heart": GermanNoun("n", "Herz", "Herzen", "Herzen"),
    "house": GermanNoun("n", "Haus", "Häuser"),
    "moon": GermanNoun("m", "Mond", "Monde"),
    "fish": GermanNoun("m", "Fisch", "Fische"),
    "flower": GermanNoun("f", "Blume", "Blumen"),
    "key": GermanNoun("m", "Schlüssel", "Schlüssel"),
    "bat-animal": GermanNoun("f", "Fledermaus", "Fledermäuse"),
    "bat-club": GermanNoun("m", "Schläger", "Schläger"),
    "bow-ribbon": GermanNoun("f", "Schleife", "Schleifen"),
    "bow-weapon": GermanNoun("m", "Bogen", "Bögen"),
    "nut-food": GermanNoun("f", "Nuss", "Nüsse"),
    "nut-metal": GermanNoun("f", "Mutter", "Muttern"),
    "trunk-tree": GermanNoun("m", "Stamm", "Stämme"),
    "trunk-chest": GermanNoun("m", "Koffer", "Koffer"),
}
COLOURS = {"red": "rot", "blue": "blau", "green": "grün", "yellow": "gelb", "black": "schwarz", "white": "weiß"}
STRONG = {"m": "er", "f": "e", "n": "es"}
INDEFINITE = {"m": "ein", "f": "eine", "n": "ein"}
DEFINITE = {"m": "der", "f": "die", "n": "das"}
PREPOSITIONS = {"left": "links von", "right": "rechts von", "up": "über", "down": "unter"}


class German(Grammar):
    code = "de"
    colour_names = COLOURS
    places = {
        "top left": "oben links",
        "top right": "oben rechts",
        "bottom left": "unten links",
        "bottom right": "unten rechts",
    }
    movements = {"left": "nach links", "right": "nach rechts", "up": "nach oben", "down": "nach unten"}
    true, false, true_or_false = "Wahr", "Falsch", "Wahr oder falsch?"
    with_letter = "Antworte mit dem Buchstaben der richtigen Antwort."
    with_option = "Antworte mit einer dieser Möglichkeiten."
    briefly = "Antworte kurz."
    picture_name = "Bild {}"
    number_words = ("eins", "zwei", "drei", "vier")
    ask_first, ask_last = "Was erscheint zuerst?", "Was erscheint zuletzt?"
    ask_how_many = "Wie viele Dinge erscheinen?"
    synonyms = {
        "bat-club": ("Baseballschläger",),
        "bow-ribbon": ("Haarschleife", "Masche"),
        "nut-food": ("Eichel",),
        "nut-metal": ("Schraubenmutter", "Schraubenmuttern", "Sechskantmutter"),
        "trunk-tree": ("Baumstamm", "Baumstämme", "Baumstumpf"),
        "trunk-chest": ("Truhe", "Kiste", "Truhen", "Kisten"),
    }

    def word(self, noun: str) -> str:
        return NOUNS[noun].word

    def sense_words(self, noun: str) -> tuple[str, ...]:
        return unique(NOUNS[noun].word, NOUNS[noun].plural, *self.synonyms.get(noun, ()))

    def a(self, thing: Thing) -> str:
        noun = NOUNS[thing.noun]
        return f"{INDEFINITE[noun.gender]} {COLOURS[thing.colour]}{STRONG[noun.gender]} {noun.word}"

    def the(self, thing: Thing) -> str:
        noun = NOUNS[thing.noun]
        return f"{DEFINITE[noun.gender]} {COLOURS[thing.colour]}e {noun.word}"

    def dative(self, thing: Thing) -> str:
        """`dem roten Stern`."""
        noun = NOUNS[thing.noun]
        article = "der" if noun.gender == "f" else "dem"
        return f"{article} {COLOURS[thing.colour]}en {noun.dative or noun.word}"

    def many(self, thing: Thing, count: int) -> str:
        return f"{self.number_words[count - 1]} {COLOURS[thing.colour]}e {NOUNS[thing.noun].plural}"

    def colour_answers(self, colour: str) -> tuple[str, ...]:
        stem = COLOURS[colour]
        return (stem, *(f"{stem}{ending}" for ending in ("e", "er", "es")))

    def count_answers(self, noun: str, count: int) -> tuple[str, ...]:
        return (*super().count_answers(noun, count), *(("ein", "eine", "einer") if count == 1 else ()))

    def shows(self, thing: Thing) -> str:
        return f"Auf dem Bild ist {self.a(thing)}."

    def shows_many(self, thing: Thing, count: int) -> str:
        return f"Auf dem Bild sind {self.many(thing, count)}."

    def joins(self, thing: Thing, other: Thing) -> str:
        return sentence(f"{self.a(thing)} und {self.a(other)}")

    def relates(self, thing: Thing, side: str, other: Thing) -> str:
        where = f"{PREPOSITIONS[side]} {self.dative(other)}".replace("von dem ", "vom ")
        return sentence(f"{self.the(thing)} ist {where}")

    def tells_colour(self, thing: Thing) -> str:
        return sentence(f"{self.with_article(thing.noun)} ist {COLOURS[thing.colour]}")

    def with_article(self, noun: str) -> str:
        """`der Stern`."""
        return f"{DEFINITE[NOUNS[noun].gender]} {NOUNS[noun].word}"

    def ask_colour(self, noun: str) -> str:
        return f"Welche Farbe hat {self.with_article(noun)}?"

    def ask_thing(self, colour: str) -> str:
        return f"Was ist {COLOURS[colour]}?"

    def ask_place(self, thing: Thing) -> str:
        return f"Wo ist {self.the(thing)}?"

    def ask_count(self, noun: str) -> str:
        return f"Wie viele {NOUNS[noun].plural} sind auf dem Bild?"

    def ask_picture(self, thing: Thing) -> str:
        return f"Auf welchem Bild ist {self.a(thing)}?"

    def ask_direction(self, thing: Thing) -> str:
        return f"In welche Richtung bewegt sich {self.the(thing)}?"


GRAMMAR = German()
