"""Portuguese: `de` grows together with the article, and two has a gender."""

from __future__ import annotations

from tvbench.mini.grammars.romance import Romance, RomanceColour, RomanceNoun
from tvbench.mini.world import Thing

NOUNS = {
    "circle": RomanceNoun("m", "círculo", "círculos"),
    "square": RomanceNoun("m", "quadrado", "quadrados"),
    "triangle": RomanceNoun("m", "triângulo", "triângulos"),
    "star": RomanceNoun("f", "estrela", "estrelas"),
    "heart": RomanceNoun("m", "coração", "corações"),
    "house": RomanceNoun("f", "casa", "casas"),
    "moon": RomanceNoun("f", "lua", "luas"),
    "fish": RomanceNoun("m", "peixe", "peixes"),
    "flower": RomanceNoun("f", "flor", "flores"),
    "key": RomanceNoun("f", "chave", "chaves"),
    "bat-animal": RomanceNoun("m", "morcego", "morcegos"),
    "bat-club": RomanceNoun("m", "taco", "tacos"),
    "bow-ribbon": RomanceNoun("m", "laço", "laços"),
    "bow-weapon": RomanceNoun("m", "arco", "arcos"),
    "nut-food": RomanceNoun("f", "noz", "nozes"),
    "nut-metal": RomanceNoun("f", "porca", "porcas"),
    "trunk-tree": RomanceNoun("m", "tronco", "troncos"),
    "trunk-chest": RomanceNoun("m", "baú", "baús"),
}
COLOURS = {
    "red": RomanceColour("vermelho", "vermelha", "vermelhos", "vermelhas"),
    "blue": RomanceColour("azul", "azul", "azuis", "azuis"),
    "green": RomanceColour("verde", "verde", "verdes", "verdes"),
    "yellow": RomanceColour("amarelo", "amarela", "amarelos", "amarelas"),
    "black": RomanceColour("preto", "preta", "pretos", "pretas"),
    "white": RomanceColour("branco", "branca", "brancos", "brancas"),
}


class Portuguese(Romance):
    code = "pt"
    nouns, colours = NOUNS, COLOURS
    colour_names = {name: colour.m for name, colour in COLOURS.items()}
    sides = {"left": "à esquerda", "right": "à direita", "up": "acima", "down": "abaixo"}
    indefinite = ("um", "uma")
    conjunction, is_at, is_coloured = "e", "está", "é"
    there_is = "Há {} na imagem."
    other_numbers = {1: ("uma",), 2: ("duas",)}
    places = {
        "top left": "no canto superior esquerdo",
        "top right": "no canto superior direito",
        "bottom left": "no canto inferior esquerdo",
        "bottom right": "no canto inferior direito",
    }
    movements = {"left": "para a esquerda", "right": "para a direita", "up": "para cima", "down": "para baixo"}
    true, false, true_or_false = "Verdadeiro", "Falso", "Verdadeiro ou falso?"
    with_letter = "Responda com a letra da opção correta."
    with_option = "Responda com uma destas opções."
    briefly = "Responda brevemente."
    picture_name = "imagem {}"
    number_words = ("um", "dois", "três", "quatro")
    ask_first, ask_last = "O que aparece primeiro?", "O que aparece por último?"
    ask_how_many = "Quantas coisas aparecem?"
    synonyms = {
        "bat-club": ("bastão", "bastões"),
        "bow-ribbon": ("fita", "fitas"),
        "nut-food": ("bolota", "bolotas"),
        "trunk-chest": ("arca", "arcas"),
    }

    def article(self, noun: str) -> str:
        return "a " if NOUNS[noun].feminine else "o "

    def of(self, thing: Thing) -> str:
        return f"d{self.the(thing)}"

    def number(self, count: int, noun: RomanceNoun) -> str:
        return "duas" if count == 2 and noun.feminine else self.number_words[count - 1]

    def ask_colour(self, noun: str) -> str:
        return f"De que cor é {self.the_noun(noun)}?"

    def ask_thing(self, colour: str) -> str:
        return f"Que coisa é {COLOURS[colour].f}?"

    def ask_place(self, thing: Thing) -> str:
        return f"Onde está {self.the(thing)}?"

    def ask_count(self, noun: str) -> str:
        return f"Quant{'as' if NOUNS[noun].feminine else 'os'} {NOUNS[noun].plural} há na imagem?"

    def ask_picture(self, thing: Thing) -> str:
        return f"Em que imagem há {self.a(thing)}?"

    def ask_direction(self, thing: Thing) -> str:
        return f"Para onde se move {self.the(thing)}?"


GRAMMAR = Portuguese()
