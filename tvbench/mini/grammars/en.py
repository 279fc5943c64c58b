"""English. The words of the translation sources: both senses of an ambiguous noun have the same."""

from __future__ import annotations

from tvbench.mini.grammars.base import Grammar, sentence
from tvbench.mini.world import COLOURS, PLACES, Thing, english_word

SIDES = {"left": "to the left of", "right": "to the right of", "up": "above", "down": "below"}
PLURALS = {"fish": "fish"}


class English(Grammar):
    code = "en"
    colour_names = {colour: colour for colour in COLOURS}
    places = {place: place for place in PLACES}
    movements = {"left": "to the left", "right": "to the right", "up": "up", "down": "down"}
    true, false, true_or_false = "True", "False", "True or false?"
    with_letter = "Answer with the letter of the right option."
    with_option = "Answer with one of these options."
    briefly = "Answer briefly."
    picture_name = "picture {}"
    number_words = ("one", "two", "three", "four")
    ask_first, ask_last = "What appears first?", "What appears last?"
    ask_how_many = "How many things appear?"

    def word(self, noun: str) -> str:
        return english_word(noun)

    def plural(self, noun: str) -> str:
        return PLURALS.get(noun, f"{self.word(noun)}s")

    def a(self, thing: Thing) -> str:
        return f"a {thing.colour} {self.word(thing.noun)}"

    def the(self, thing: Thing) -> str:
        return f"the {thing.colour} {self.word(thing.noun)}"

    def many(self, thing: Thing, count: int) -> str:
        return f"{self.number_words[count - 1]} {thing.colour} {self.plural(thing.noun)}"

    def shows(self, thing: Thing) -> str:
        return f"There is {self.a(thing)} in the picture."

    def shows_many(self, thing: Thing, count: int) -> str:
        return f"There are {self.many(thing, count)} in the picture."

    def joins(self, thing: Thing, other: Thing) -> str:
        return sentence(f"{self.a(thing)} and {self.a(other)}")

    def relates(self, thing: Thing, side: str, other: Thing) -> str:
        return sentence(f"{self.the(thing)} is {SIDES[side]} {self.the(other)}")

    def tells_colour(self, thing: Thing) -> str:
        return f"The {self.word(thing.noun)} is {thing.colour}."

    def ask_colour(self, noun: str) -> str:
        return f"What colour is the {self.word(noun)}?"

    def ask_thing(self, colour: str) -> str:
        return f"Which thing is {colour}?"

    def ask_place(self, thing: Thing) -> str:
        return f"Where is {self.the(thing)}?"

    def ask_count(self, noun: str) -> str:
        return f"How many {self.plural(noun)} are there in the picture?"

    def ask_picture(self, thing: Thing) -> str:
        return f"In which picture is there {self.a(thing)}?"

    def ask_direction(self, thing: Thing) -> str:
        return f"In which direction does {self.the(thing)} move?"


GRAMMAR = English()
