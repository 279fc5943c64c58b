"""Spanish: `de` and `el` become `del`."""

from __future__ import annotations

from tvbench.mini.grammars.romance import Colour, Noun, Romance
from tvbench.mini.world import Thing

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
COLOURS = {
    "red": Colour("rojo", "roja", "rojos", "rojas"),
    "blue": Colour("azul", "azul", "azules", "azules"),
    "green": Colour("verde", "verde", "verdes", "verdes"),
    "yellow": Colour("amarillo", "amarilla", "amarillos", "amarillas"),
    "black": Colour("negro", "negra", "negros", "negras"),
    "white": Colour("blanco", "blanca", "blancos", "blancas"),
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
