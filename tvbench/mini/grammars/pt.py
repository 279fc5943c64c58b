"""Portuguese: `de` grows together with the article, and two has a gender."""

from __future__ import annotations

from tvbench.mini.grammars.romance import Colour, Noun, Romance
from tvbench.mini.world import Thing

NOUNS = {
    "circle": Noun("m", "círculo", "círculos"),
    "square": Noun("m", "quadrado", "quadrados"),
    "triangle": Noun("m", "triângulo", "triângulos"),
    "star": Noun("f", "estrela", "estrelas"),
    "heart": Noun("m", "coração", "corações"),
    "house": Noun("f", "casa", "casas"),
    "moon": Noun("f", "lua", "luas"),
    "fish": Noun("m", "peixe", "peixes"),
    "flower": Noun("f", "flor", "flores"),
    "key": Noun("f", "chave", "chaves"),
    "bat-animal": Noun("m", "morcego", "morcegos"),
    "bat-club": Noun("m", "taco", "tacos"),
    "bow-ribbon": Noun("m", "laço", "laços"),
    "bow-weapon": Noun("m", "arco", "arcos"),
    "nut-food": Noun("f", "noz", "nozes"),
    "nut-metal": Noun("f", "porca", "porcas"),
    "trunk-tree": Noun("m", "tronco", "troncos"),
    "trunk-chest": Noun("m", "baú", "baús"),
}
COLOURS = {
    "red": Colour("vermelho", "vermelha", "vermelhos", "vermelhas"),
    "blue": Colour("azul", "azul", "azuis", "azuis"),
    "green": Colour("verde", "verde", "verdes", "verdes"),
    "yellow": Colour("amarelo", "amarela", "amarelos", "amarelas"),
    "black": Colour("preto", "preta", "pretos", "pretas"),
    "white": Colour("branco", "branca", "brancos", "brancas"),
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

    def number(self, count: int, noun: Noun) -> str:
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
