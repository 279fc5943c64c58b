"""French: two genders, adjectives after the noun, `le`, `la` and `de` cut short before a vowel."""

from __future__ import annotations

from typing import NamedTuple

from tvbench.mini.grammars.base import Grammar, sentence, unique
from tvbench.mini.world import Thing


class Noun(NamedTuple):
    """Gender (m, f), singular, plural."""

    gender: str
    word: str
    plural: str

    @property
    def elides(self) -> bool:
        return self.word[0] in "aeéiou"


NOUNS = {
    "circle": Noun("m", "cercle", "cercles"),
    "square": Noun("m", "carré", "carrés"),
    "triangle": Noun("m", "triangle", "triangles"),
    "star": Noun("f", "étoile", "étoiles"),
    "heart": Noun("m", "cœur", "cœurs"),
    "house": Noun("f", "maison", "maisons"),
    "moon": Noun("f", "lune", "lunes"),
    "fish": Noun("m", "poisson", "poissons"),
    "flower": Noun("f", "fleur", "fleurs"),
    "key": Noun("f", "clé", "clés"),
    "bat-animal": Noun("f", "chauve-souris", "chauves-souris"),
    "bat-club": Noun("f", "batte", "battes"),
    "bow-ribbon": Noun("m", "nœud", "nœuds"),
    "bow-weapon": Noun("m", "arc", "arcs"),
    "nut-food": Noun("f", "noix", "noix"),
    "nut-metal": Noun("m", "écrou", "écrous"),
    "trunk-tree": Noun("m", "tronc", "troncs"),
    "trunk-chest": Noun("f", "malle", "malles"),
}
# Masculine and feminine singular, masculine and feminine plural.
COLOURS = {
    "red": ("rouge", "rouge", "rouges", "rouges"),
    "blue": ("bleu", "bleue", "bleus", "bleues"),
    "green": ("vert", "verte", "verts", "vertes"),
    "yellow": ("jaune", "jaune", "jaunes", "jaunes"),
    "black": ("noir", "noire", "noirs", "noires"),
    "white": ("blanc", "blanche", "blancs", "blanches"),
}
SIDES = {"left": "à gauche", "right": "à droite", "up": "au-dessus", "down": "au-dessous"}


def adjective(colour: str, gender: str, *, plural: bool = False) -> str:
    """The colour as an adjective to a noun of that gender (m, f)."""
    return COLOURS[colour][(gender == "f") + 2 * plural]


class French(Grammar):
    code = "fr"
    colour_names = {colour: forms[0] for colour, forms in COLOURS.items()}
    places = {"top left": "en haut à gauche", "top right": "en haut à droite", "bottom left": "en bas à gauche",
              "bottom right": "en bas à droite"}
    movements = {"left": "vers la gauche", "right": "vers la droite", "up": "vers le haut", "down": "vers le bas"}
    true, false, true_or_false = "Vrai", "Faux", "Vrai ou faux ?"
    with_letter = "Réponds avec la lettre de la bonne réponse."
    with_option = "Réponds avec l'une de ces possibilités."
    briefly = "Réponds brièvement."
    picture_name = "image {}"
    number_words = ("un", "deux", "trois", "quatre")
    ask_first, ask_last = "Qu'est-ce qui apparaît en premier ?", "Qu'est-ce qui apparaît en dernier ?"
    ask_how_many = "Combien de choses apparaissent ?"
    synonyms = {
        "bow-ribbon": ("ruban", "rubans"),
        "nut-food": ("gland", "glands"),
        "trunk-tree": ("souche", "souches"),
        "trunk-chest": ("coffre", "coffres"),
    }

    def word(self, noun: str) -> str:
        return NOUNS[noun].word

    def sense_words(self, noun: str) -> tuple[str, ...]:
        return unique(NOUNS[noun].word, NOUNS[noun].plural, *self.synonyms.get(noun, ()))

    def coloured(self, thing: Thing) -> str:
        """`étoile rouge`."""
        noun = NOUNS[thing.noun]
        return f"{noun.word} {adjective(thing.colour, noun.gender)}"

    def a(self, thing: Thing) -> str:
        return f"{'une' if NOUNS[thing.noun].gender == 'f' else 'un'} {self.coloured(thing)}"

    def the(self, thing: Thing) -> str:
        return f"{self.article(thing.noun)}{self.coloured(thing)}"

    def article(self, noun: str) -> str:
        """`le `, `la ` or `l'`: with its blank, if it has one."""
        if NOUNS[noun].elides:
            return "l'"
        return "la " if NOUNS[noun].gender == "f" else "le "

    def of(self, thing: Thing) -> str:
        """`du cercle bleu`, `de la fleur bleue`, `de l'étoile bleue`."""
        return f"de {self.the(thing)}".replace("de le ", "du ")

    def many(self, thing: Thing, count: int) -> str:
        noun = NOUNS[thing.noun]
        return f"{self.number_words[count - 1]} {noun.plural} {adjective(thing.colour, noun.gender, plural=True)}"

    def colour_answers(self, colour: str) -> tuple[str, ...]:
        return unique(*COLOURS[colour])

    def count_answers(self, noun: str, count: int) -> tuple[str, ...]:
        return (*super().count_answers(noun, count), *(("une",) if count == 1 else ()))

    def shows(self, thing: Thing) -> str:
        return f"Il y a {self.a(thing)} sur l'image."

    def shows_many(self, thing: Thing, count: int) -> str:
        return f"Il y a {self.many(thing, count)} sur l'image."

    def joins(self, thing: Thing, other: Thing) -> str:
        return sentence(f"{self.a(thing)} et {self.a(other)}")

    def relates(self, thing: Thing, side: str, other: Thing) -> str:
        return sentence(f"{self.the(thing)} est {SIDES[side]} {self.of(other)}")

    def tells_colour(self, thing: Thing) -> str:
        noun = NOUNS[thing.noun]
        return sentence(f"{self.article(thing.noun)}{noun.word} est {adjective(thing.colour, noun.gender)}")

    def ask_colour(self, noun: str) -> str:
        return f"De quelle couleur est {self.article(noun)}{NOUNS[noun].word} ?"

    def ask_thing(self, colour: str) -> str:
        return f"Qu'est-ce qui est {adjective(colour, 'm')} ?"

    def ask_place(self, thing: Thing) -> str:
        return f"Où est {self.the(thing)} ?"

    def ask_count(self, noun: str) -> str:
        of = "d'" if NOUNS[noun].elides else "de "
        return f"Combien {of}{NOUNS[noun].plural} y a-t-il sur l'image ?"

    def ask_picture(self, thing: Thing) -> str:
        return f"Sur quelle image y a-t-il {self.a(thing)} ?"

    def ask_direction(self, thing: Thing) -> str:
        pronoun = "elle" if NOUNS[thing.noun].gender == "f" else "il"
        return f"Dans quelle direction {self.the(thing)} se déplace-t-{pronoun} ?"


GRAMMAR = French()
