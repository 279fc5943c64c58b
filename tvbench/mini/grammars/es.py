"""Spanish: two genders, adjectives after the noun, `de` and `el` joined to `del`."""

from __future__ import annotations

from typing import NamedTuple

from tvbench.mini.grammars.base import Grammar, sentence, unique
from tvbench.mini.world import Thing


class Noun(NamedTuple):
    """Gender (m, f), singular, plural."""

    gender: str
    word: str
    plural: str


NOUNS = {
    "circle": Noun("m", "círculo", "círculos"),
    "square": Noun("m", "cuadrado", "cuadrados"),
    "triangle": Noun("m", "triángulo", "triángulos"),
    "star": Noun("f", "estrella", "estrellas"),
    "heart": Noun("m", "corazón", "corazones"),
    "house": Noun("f", "casa", "casas"),
    "moon": Noun("f", "luna", "lunas"),
    "fish": Noun("m", "pez", "peces"),
    "flower": Noun("f", "flor", "flores"),
    "key": Noun("f", "llave", "llaves"),
    "bat-animal": Noun("m", "murciélago", "murciélagos"),
    "bat-club": Noun("m", "bate", "bates"),
    "bow-ribbon": Noun("m", "lazo", "lazos"),
    "bow-weapon": Noun("m", "arco", "arcos"),
    "nut-food": Noun("f", "nuez", "nueces"),
    "nut-metal": Noun("f", "tuerca", "tuercas"),
    "trunk-tree": Noun("m", "tronco", "troncos"),
    "trunk-chest": Noun("m", "baúl", "baúles"),
}
# Masculine and feminine singular, masculine and feminine plural.
COLOURS = {
    "red": ("rojo", "roja", "rojos", "rojas"),
    "blue": ("azul", "azul", "azules", "azules"),
    "green": ("verde", "verde", "verdes", "verdes"),
    "yellow": ("amarillo", "amarilla", "amarillos", "amarillas"),
    "black": ("negro", "negra", "negros", "negras"),
    "white": ("blanco", "blanca", "blancos", "blancas"),
}
SIDES = {"left": "a la izquierda", "right": "a la derecha", "up": "encima", "down": "debajo"}


def adjective(colour: str, gender: str, *, plural: bool = False) -> str:
    """The colour as an adjective to a noun of that gender (m, f)."""
    return COLOURS[colour][(gender == "f") + 2 * plural]


class Spanish(Grammar):
    code = "es"
    colour_names = {colour: forms[0] for colour, forms in COLOURS.items()}
    places = {"top left": "arriba a la izquierda", "top right": "arriba a la derecha",
              "bottom left": "abajo a la izquierda", "bottom right": "abajo a la derecha"}
    movements = {"left": "hacia la izquierda", "right": "hacia la derecha", "up": "hacia arriba",
                 "down": "hacia abajo"}
    true, false, true_or_false = "Verdadero", "Falso", "¿Verdadero o falso?"
    with_letter = "Responde con la letra de la opción correcta."
    with_option = "Responde con una de estas opciones."
    briefly = "Responde brevemente."
    picture_name = "imagen {}"
    number_words = ("uno", "dos", "tres", "cuatro")
    ask_first, ask_last = "¿Qué aparece primero?", "¿Qué aparece al final?"
    ask_how_many = "¿Cuántas cosas aparecen?"
    synonyms = {
        "bow-ribbon": ("moño", "moños"),
        "nut-food": ("bellota", "bellotas"),
        "trunk-chest": ("cofre", "cofres"),
    }

    def word(self, noun: str) -> str:
        return NOUNS[noun].word

    def sense_words(self, noun: str) -> tuple[str, ...]:
        return unique(NOUNS[noun].word, NOUNS[noun].plural, *self.synonyms.get(noun, ()))

    def coloured(self, thing: Thing) -> str:
        """`estrella roja`."""
        noun = NOUNS[thing.noun]
        return f"{noun.word} {adjective(thing.colour, noun.gender)}"

    def a(self, thing: Thing) -> str:
        return f"{'una' if NOUNS[thing.noun].gender == 'f' else 'un'} {self.coloured(thing)}"

    def the(self, thing: Thing) -> str:
        return f"{self.article(thing.noun)} {self.coloured(thing)}"

    def article(self, noun: str) -> str:
        return "la" if NOUNS[noun].gender == "f" else "el"

    def many(self, thing: Thing, count: int) -> str:
        noun = NOUNS[thing.noun]
        return f"{self.number_words[count - 1]} {noun.plural} {adjective(thing.colour, noun.gender, plural=True)}"

    def colour_answers(self, colour: str) -> tuple[str, ...]:
        return unique(*COLOURS[colour])

    def count_answers(self, noun: str, count: int) -> tuple[str, ...]:
        return (*super().count_answers(noun, count), *(("un", "una") if count == 1 else ()))

    def shows(self, thing: Thing) -> str:
        return f"Hay {self.a(thing)} en la imagen."

    def shows_many(self, thing: Thing, count: int) -> str:
        return f"Hay {self.many(thing, count)} en la imagen."

    def joins(self, thing: Thing, other: Thing) -> str:
        return sentence(f"{self.a(thing)} y {self.a(other)}")

    def relates(self, thing: Thing, side: str, other: Thing) -> str:
        where = f"{SIDES[side]} de {self.the(other)}".replace(" de el ", " del ")
        return sentence(f"{self.the(thing)} está {where}")

    def tells_colour(self, thing: Thing) -> str:
        noun = NOUNS[thing.noun]
        return sentence(f"{self.article(thing.noun)} {noun.word} es {adjective(thing.colour, noun.gender)}")

    def ask_colour(self, noun: str) -> str:
        return f"¿De qué color es {self.article(noun)} {NOUNS[noun].word}?"

    def ask_thing(self, colour: str) -> str:
        return f"¿Qué cosa es {adjective(colour, 'f')}?"

    def ask_place(self, thing: Thing) -> str:
        return f"¿Dónde está {self.the(thing)}?"

    def ask_count(self, noun: str) -> str:
        return f"¿Cuánt{'as' if NOUNS[noun].gender == 'f' else 'os'} {NOUNS[noun].plural} hay en la imagen?"

    def ask_picture(self, thing: Thing) -> str:
        return f"¿En qué imagen hay {self.a(thing)}?"

    def ask_direction(self, thing: Thing) -> str:
        return f"¿Hacia dónde se mueve {self.the(thing)}?"


GRAMMAR = Spanish()
