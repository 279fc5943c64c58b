"""Spanish: `de` and `el` become `del`."""

from __future__ import annotations

from tvbench.mini.grammars.romance import Romance, RomanceColour, RomanceNoun
from tvbench.mini.world import Thing

NOUNS = {
    "circle": RomanceNoun("m", "círculo", "círculos"),
    "square": RomanceNoun("m", "cuadrado", "cuadrados"),
    "triangle": RomanceNoun("m", "triángulo", "triángulos"),
    "star": RomanceNoun("f", "estrella", "estrellas"),
    "heart": RomanceNoun("m", "corazón", "corazones"),
    "house": RomanceNoun("f", "casa", "casas"),
    "moon": RomanceNoun("f", "luna", "lunas"),
    "fish": RomanceNoun("m", "pez", "peces"),
    "flower": RomanceNoun("f", "flor", "flores"),
    "key": RomanceNoun("f", "llave", "llaves"),
    "bat-animal": RomanceNoun("m", "murciélago", "murciélagos"),
    "bat-club": RomanceNoun("m", "bate", "bates"),
    "bow-ribbon": RomanceNoun("m", "lazo", "lazos"),
    "bow-weapon": RomanceNoun("m", "arco", "arcos"),
    "nut-food": RomanceNoun("f", "nuez", "nueces"),
    "nut-metal": RomanceNoun("f", "tuerca", "tuercas"),
    "trunk-tree": RomanceNoun("m", "tronco", "troncos"),
    "trunk-chest": RomanceNoun("m", "baúl", "baúles"),
}
COLOURS = {
    "red": RomanceColour("rojo", "roja", "rojos", "rojas"),
    "blue": RomanceColour("azul", "azul", "azules", "azules"),
    "green": RomanceColour("verde", "verde", "verdes", "verdes"),
    "yellow": RomanceColour("amarillo", "amarilla", "amarillos", "amarillas"),
    "black": RomanceColour("negro", "negra", "negros", "negras"),
    "white": RomanceColour("blanco", "blanca", "blancos", "blancas"),
}


class Spanish(Romance):
    code = "es"
    nouns, colours = NOUNS, COLOURS
    colour_names = {name: colour.m for name, colour in COLOURS.items()}
    sides = {"left": "a la izquierda", "right": "a la derecha", "up": "encima", "down": "debajo"}
    indefinite = ("un", "una")
    conjunction, is_at, is_coloured = "y", "está", "es"
    there_is = "Hay {} en la imagen."
    other_numbers = {1: ("un", "una")}
    places = {
        "top left": "arriba a la izquierda",
        "top right": "arriba a la derecha",
        "bottom left": "abajo a la izquierda",
        "bottom right": "abajo a la derecha",
    }
    movements = {"left": "hacia la izquierda", "right": "hacia la derecha", "up": "hacia arriba", "down": "hacia abajo"}
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

    def article(self, noun: str) -> str:
        return "la " if NOUNS[noun].feminine else "el "

    def of(self, thing: Thing) -> str:
        return f"de {self.the(thing)}".replace("de el ", "del ")

    def ask_colour(self, noun: str) -> str:
        return f"¿De qué color es {self.the_noun(noun)}?"

    def ask_thing(self, colour: str) -> str:
        return f"¿Qué cosa es {COLOURS[colour].f}?"

    def ask_place(self, thing: Thing) -> str:
        return f"¿Dónde está {self.the(thing)}?"

    def ask_count(self, noun: str) -> str:
        return f"¿Cuánt{'as' if NOUNS[noun].feminine else 'os'} {NOUNS[noun].plural} hay en la imagen?"

    def ask_picture(self, thing: Thing) -> str:
        return f"¿En qué imagen hay {self.a(thing)}?"

    def ask_direction(self, thing: Thing) -> str:
        return f"¿Hacia dónde se mueve {self.the(thing)}?"


GRAMMAR = Spanish()
