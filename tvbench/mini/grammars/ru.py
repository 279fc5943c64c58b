"""Russian: three genders, a genitive after `слева от` and `выше`, and a form of its own after two, three and four."""

from __future__ import annotations

from typing import NamedTuple

from tvbench.mini.grammars.base import Grammar, sentence, unique
from tvbench.mini.world import Thing


class RussianNoun(NamedTuple):
    """Gender (m, f, n), nominative, genitive singular and plural; the form after two to four where it differs from
    the genitive singular."""

    gender: str
    word: str
    genitive: str
    genitive_plural: str
    paucal: str = ""


NOUNS = {
    "circle": RussianNoun("m", "круг", "круга", "кругов"),
    "square": RussianNoun("m", "квадрат", "квадрата", "квадратов"),
    "triangle": RussianNoun("m", "треугольник", "треугольника", "треугольников"),
    "star": RussianNoun("f", "звезда", "звезды", "звёзд"),
    "heart": RussianNoun("n", "сердце", "сердца", "сердец"),
    "house": RussianNoun("m", "дом", "дома", "домов"),
    "moon": RussianNoun("f", "луна", "луны", "лун"),
    "fish": RussianNoun("f", "рыба", "рыбы", "рыб"),
    "flower": RussianNoun("m", "цветок", "цветка", "цветков"),
    "key": RussianNoun("m", "ключ", "ключа", "ключей"),
    "bat-animal": RussianNoun("f", "летучая мышь", "летучей мыши", "летучих мышей", "летучие мыши"),
    "bat-club": RussianNoun("f", "бита", "биты", "бит"),
    "bow-ribbon": RussianNoun("m", "бант", "банта", "бантов"),
    "bow-weapon": RussianNoun("m", "лук", "лука", "луков"),
    "nut-food": RussianNoun("m", "орех", "ореха", "орехов"),
    "nut-metal": RussianNoun("f", "гайка", "гайки", "гаек"),
    "trunk-tree": RussianNoun("m", "ствол", "ствола", "стволов"),
    "trunk-chest": RussianNoun("m", "сундук", "сундука", "сундуков"),
}


class RussianColour(NamedTuple):
    """Nominative m, f, n; genitive m and n, f; nominative and genitive plural."""

    m: str
    f: str
    n: str
    genitive: str
    genitive_f: str
    plural: str
    genitive_plural: str


COLOURS = {
    "red": RussianColour("красный", "красная", "красное", "красного", "красной", "красные", "красных"),
    "blue": RussianColour("синий", "синяя", "синее", "синего", "синей", "синие", "синих"),
    "green": RussianColour("зелёный", "зелёная", "зелёное", "зелёного", "зелёной", "зелёные", "зелёных"),
    "yellow": RussianColour("жёлтый", "жёлтая", "жёлтое", "жёлтого", "жёлтой", "жёлтые", "жёлтых"),
    "black": RussianColour("чёрный", "чёрная", "чёрное", "чёрного", "чёрной", "чёрные", "чёрных"),
    "white": RussianColour("белый", "белая", "белое", "белого", "белой", "белые", "белых"),
}
SIDES = {"left": "слева от", "right": "справа от", "up": "выше", "down": "ниже"}


class Russian(Grammar):
    code = "ru"
    colour_names = {colour: forms.m for colour, forms in COLOURS.items()}
    places = {
        "top left": "вверху слева",
        "top right": "вверху справа",
        "bottom left": "внизу слева",
        "bottom right": "внизу справа",
    }
    movements = {"left": "влево", "right": "вправо", "up": "вверх", "down": "вниз"}
    true, false, true_or_false = "Правда", "Ложь", "Правда или ложь?"
    with_letter = "Ответь буквой правильного варианта."
    with_option = "Ответь одним из этих вариантов."
    briefly = "Ответь кратко."
    picture_name = "картинка {}"
    number_words = ("один", "два", "три", "четыре")
    ask_first, ask_last = "Что появляется первым?", "Что появляется последним?"
    ask_how_many = "Сколько предметов появляется?"
    synonyms = {"bow-ribbon": ("бантик", "бантика"), "nut-food": ("жёлудь", "жёлудя"), "trunk-tree": ("пень", "пня")}

    def word(self, noun: str) -> str:
        return NOUNS[noun].word

    def sense_words(self, noun: str) -> tuple[str, ...]:
        forms = NOUNS[noun]
        return unique(forms.word, forms.genitive, *filter(None, [forms.paucal]), *self.synonyms.get(noun, ()))

    def a(self, thing: Thing) -> str:
        noun, colour = NOUNS[thing.noun], COLOURS[thing.colour]
        adjective = {"m": colour.m, "f": colour.f, "n": colour.n}[noun.gender]
        return f"{adjective} {noun.word}"

    def the(self, thing: Thing) -> str:
        return self.a(thing)

    def of(self, thing: Thing) -> str:
        """`красной звезды`."""
        noun, colour = NOUNS[thing.noun], COLOURS[thing.colour]
        return f"{colour.genitive_f if noun.gender == 'f' else colour.genitive} {noun.genitive}"

    def many(self, thing: Thing, count: int) -> str:
        noun, colour = NOUNS[thing.noun], COLOURS[thing.colour]
        feminine = noun.gender == "f"
        number = "две" if feminine and count == 2 else self.number_words[count - 1]
        return f"{number} {colour.plural if feminine else colour.genitive_plural} {noun.paucal or noun.genitive}"

    def colour_answers(self, colour: str) -> tuple[str, ...]:
        forms = COLOURS[colour]
        return (forms.m, forms.f, forms.n, forms.genitive, f"{forms.genitive} цвета")

    def count_answers(self, noun: str, count: int) -> tuple[str, ...]:
        others = {1: ("одна", "одно"), 2: ("две",)}
        return (*super().count_answers(noun, count), *others.get(count, ()))

    def shows(self, thing: Thing) -> str:
        return f"На картинке {self.a(thing)}."

    def shows_many(self, thing: Thing, count: int) -> str:
        return f"На картинке {self.many(thing, count)}."

    def joins(self, thing: Thing, other: Thing) -> str:
        return sentence(f"{self.a(thing)} и {self.a(other)}")

    def relates(self, thing: Thing, side: str, other: Thing) -> str:
        return sentence(f"{self.the(thing)} находится {SIDES[side]} {self.of(other)}")

    def tells_colour(self, thing: Thing) -> str:
        noun, colour = NOUNS[thing.noun], COLOURS[thing.colour]
        return sentence(f"{noun.word} {({'m': colour.m, 'f': colour.f, 'n': colour.n})[noun.gender]}")

    def ask_colour(self, noun: str) -> str:
        return f"Какого цвета {NOUNS[noun].word}?"

    def ask_thing(self, colour: str) -> str:
        return f"Что здесь {COLOURS[colour].genitive} цвета?"

    def ask_place(self, thing: Thing) -> str:
        return f"Где находится {self.the(thing)}?"

    def ask_count(self, noun: str) -> str:
        return f"Сколько {NOUNS[noun].genitive_plural} на картинке?"

    def ask_picture(self, thing: Thing) -> str:
        return f"На какой картинке есть {self.a(thing)}?"

    def ask_direction(self, thing: Thing) -> str:
        return f"Куда движется {self.the(thing)}?"


GRAMMAR = Russian()
