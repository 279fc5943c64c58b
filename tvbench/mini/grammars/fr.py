"""French: `le`, `la` and `de` are cut short before a vowel, `de` and `le` become `du`."""

from __future__ import annotations

from tvbench.mini.grammars.romance import Romance, RomanceColour, RomanceNoun
from tvbench.mini.world import Thing

NOUNS = {
    "circle": RomanceNoun("m", "cercle", "cercles"),
    "square": RomanceNoun("m", "carré", "carrés"),
    "triangle": RomanceNoun("m", "triangle", "triangles"),
    "star": RomanceNoun("f", "étoile", "étoiles"),
    "heart": RomanceNoun("m", "cœur", "cœurs"),
    "house": RomanceNoun("f", "maison", "maisons"),
    "moon": RomanceNoun("f", "lune", "lunes"),
    "fish": RomanceNoun("m", "poisson", "poissons"),
    "flower": RomanceNoun("f", "fleur", "fleurs"),
    "key": RomanceNoun("f", "clé", "clés"),
    "bat-animal": RomanceNoun("f", "chauve-souris", "chauves-souris"),
    "bat-club": RomanceNoun("f", "batte", "battes"),
    "bow-ribbon": RomanceNoun("m", "nœud", "nœuds"),
    "bow-weapon": RomanceNoun("m", "arc", "arcs"),
    "nut-food": RomanceNoun("f", "noix", "noix"),
    "nut-metal": RomanceNoun("m", "écrou", "écrous"),
    "trunk-tree": RomanceNoun("m", "tronc", "troncs"),
    "trunk-chest": RomanceNoun("f", "malle", "malles"),
}
COLOURS = {
    "red": RomanceColour("rouge", "rouge", "rouges", "rouges"),
    "blue": RomanceColour("bleu", "bleue", "bleus", "bleues"),
    "green": RomanceColour("vert", "verte", "verts", "vertes"),
    "yellow": RomanceColour("jaune", "jaune", "jaunes", "jaunes"),
    "black": RomanceColour("noir", "noire", "noirs", "noires"),
    "white": RomanceColour("blanc", "blanche", "blancs", "blanches"),
}


class French(Romance):
    code = "fr"
    nouns, colours = NOUNS, COLOURS
    colour_names = {name: colour.m for name, colour in COLOURS.items()}
    sides = {"left": "à gauche", "right": "à droite", "up": "au-dessus", "down": "au-dessous"}
    indefinite = ("un", "une")
    conjunction, is_at, is_coloured = "et", "est", "est"
    there_is = "Il y a {} sur l'image."
    other_numbers = {1: ("une",)}
    places = {
        "top left": "en haut à gauche",
        "top right": "en haut à droite",
        "bottom left": "en bas à gauche",
        "bottom right": "en bas à droite",
    }
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

    def article(self, noun: str) -> str:
        if elides(noun):
            return "l'"
        return "la " if NOUNS[noun].feminine else "le "

    def of(self, thing: Thing) -> str:
        return f"de {self.the(thing)}".replace("de le ", "du ")

    def ask_colour(self, noun: str) -> str:
        return f"De quelle couleur est {self.the_noun(noun)} ?"

    def ask_thing(self, colour: str) -> str:
        return f"Qu'est-ce qui est {COLOURS[colour].m} ?"

    def ask_place(self, thing: Thing) -> str:
        return f"Où est {self.the(thing)} ?"

    def ask_count(self, noun: str) -> str:
        return "Combien " + ("d'" if elides(noun) else "de ") + f"{NOUNS[noun].plural} y a-t-il sur l'image ?"

    def ask_picture(self, thing: Thing) -> str:
        return f"Sur quelle image y a-t-il {self.a(thing)} ?"

    def ask_direction(self, thing: Thing) -> str:
        pronoun = "elle" if NOUNS[thing.noun].feminine else "il"
        return f"Dans quelle direction {self.the(thing)} se déplace-t-{pronoun} ?"


def elides(noun: str) -> bool:
    """Whether an article before the noun loses its vowel."""
    return NOUNS[noun].word[0] in "aeéiou"


GRAMMAR = French()
