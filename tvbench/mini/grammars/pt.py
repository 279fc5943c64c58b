"""Portuguese: two genders, adjectives after the noun, `de` joined with the article, numbers with a gender."""

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
# Masculine and feminine singular, masculine and feminine plural.
COLOURS = {
    "red": ("vermelho", "vermelha", "vermelhos", "vermelhas"),
    "blue": ("azul", "azul", "azuis", "azuis"),
    "green": ("verde", "verde", "verdes", "verdes"),
    "yellow": ("amarelo", "amarela", "amarelos", "amarelas"),
    "black": ("preto", "preta", "pretos", "pretas"),
    "white": ("branco", "branca", "brancos", "brancas"),
}
SIDES = {"left": "à esquerda", "right": "à direita", "up": "acima", "down": "abaixo"}
TWO = {"m": "dois", "f": "duas"}


def adjective(colour: str, gender: str, *, plural: bool = False) -> str:
    """The colour as an adjective to a noun of that gender (m, f)."""
    return COLOURS[colour][(gender == "f") + 2 * plural]


class Portuguese(Grammar):
    code = "pt"
    colour_names = {colour: forms[0] for colour, forms in COLOURS.items()}
    places = {"top left": "no canto superior esquerdo", "top right": "no canto superior direito",
              "bottom left": "no canto inferior esquerdo", "bottom right": "no canto inferior direito"}
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

    def word(self, noun: str) -> str:
        return NOUNS[noun].word

    def sense_words(self, noun: str) -> tuple[str, ...]:
        return unique(NOUNS[noun].word, NOUNS[noun].plural, *self.synonyms.get(noun, ()))

    def coloured(self, thing: Thing) -> str:
        """`estrela vermelha`."""
        noun = NOUNS[thing.noun]
        return f"{noun.word} {adjective(thing.colour, noun.gender)}"

    def a(self, thing: Thing) -> str:
        return f"{'uma' if NOUNS[thing.noun].gender == 'f' else 'um'} {self.coloured(thing)}"

    def the(self, thing: Thing) -> str:
        return f"{self.article(thing.noun)} {self.coloured(thing)}"

    def article(self, noun: str) -> str:
        return "a" if NOUNS[noun].gender == "f" else "o"

    def many(self, thing: Thing, count: int) -> str:
        noun = NOUNS[thing.noun]
        number = TWO[noun.gender] if count == 2 else self.number_words[count - 1]
        return f"{number} {noun.plural} {adjective(thing.colour, noun.gender, plural=True)}"

    def colour_answers(self, colour: str) -> tuple[str, ...]:
        return unique(*COLOURS[colour])

    def count_answers(self, noun: str, count: int) -> tuple[str, ...]:
        feminine = {1: ("uma",), 2: ("duas",)}
        return (*super().count_answers(noun, count), *feminine.get(count, ()))

    def shows(self, thing: Thing) -> str:
        return f"Há {self.a(thing)} na imagem."

    def shows_many(self, thing: Thing, count: int) -> str:
        return f"Há {self.many(thing, count)} na imagem."

    def joins(self, thing: Thing, other: Thing) -> str:
        return sentence(f"{self.a(thing)} e {self.a(other)}")

    def relates(self, thing: Thing, side: str, other: Thing) -> str:
        return sentence(f"{self.the(thing)} está {SIDES[side]} d{self.the(other)}")

    def tells_colour(self, thing: Thing) -> str:
        noun = NOUNS[thing.noun]
        return sentence(f"{self.article(thing.noun)} {noun.word} é {adjective(thing.colour, noun.gender)}")

    def ask_colour(self, noun: str) -> str:
        return f"De que cor é {self.article(noun)} {NOUNS[noun].word}?"

    def ask_thing(self, colour: str) -> str:
        return f"Que coisa é {adjective(colour, 'f')}?"

    def ask_place(self, thing: Thing) -> str:
        return f"Onde está {self.the(thing)}?"

    def ask_count(self, noun: str) -> str:
        return f"Quant{'as' if NOUNS[noun].gender == 'f' else 'os'} {NOUNS[noun].plural} há na imagem?"

    def ask_picture(self, thing: Thing) -> str:
        return f"Em que imagem há {self.a(thing)}?"

    def ask_direction(self, thing: Thing) -> str:
        return f"Para onde se move {self.the(thing)}?"


GRAMMAR = Portuguese()
