"""Japanese: colours as adjectives or as nouns, counters, and another verb for what is alive."""

from __future__ import annotations

from typing import NamedTuple

from tvbench.mini.grammars.base import Grammar, unique
from tvbench.mini.world import Thing


class JapaneseNoun(NamedTuple):
    """The noun, its counter (`つ` goes with the native numbers), and whether it is alive."""

    word: str
    counter: str = "つ"
    alive: bool = False

    @property
    def exists(self) -> str:
        return "います" if self.alive else "あります"


class JapaneseColour(NamedTuple):
    """As a name, before a noun, and before `です`."""

    name: str
    before_noun: str
    before_desu: str


NOUNS = {
    "circle": JapaneseNoun("丸"),
    "square": JapaneseNoun("正方形"),
    "triangle": JapaneseNoun("三角形"),
    "star": JapaneseNoun("星"),
    "heart": JapaneseNoun("ハート"),
    "house": JapaneseNoun("家", "軒"),
    "moon": JapaneseNoun("月"),
    "fish": JapaneseNoun("魚", "匹", alive=True),
    "flower": JapaneseNoun("花", "本"),
    "key": JapaneseNoun("鍵", "本"),
    "bat-animal": JapaneseNoun("コウモリ", "匹", alive=True),
    "bat-club": JapaneseNoun("バット", "本"),
    "bow-ribbon": JapaneseNoun("リボン", "本"),
    "bow-weapon": JapaneseNoun("弓", "本"),
    "nut-food": JapaneseNoun("木の実"),
    "nut-metal": JapaneseNoun("ナット"),
    "trunk-tree": JapaneseNoun("幹", "本"),
    "trunk-chest": JapaneseNoun("トランク"),
}
COLOURS = {
    "red": JapaneseColour("赤", "赤い", "赤い"),
    "blue": JapaneseColour("青", "青い", "青い"),
    "green": JapaneseColour("緑", "緑の", "緑"),
    "yellow": JapaneseColour("黄色", "黄色い", "黄色い"),
    "black": JapaneseColour("黒", "黒い", "黒い"),
    "white": JapaneseColour("白", "白い", "白い"),
}
SIDES = {"left": "左", "right": "右", "up": "上", "down": "下"}
KANJI = "一二三四"


class Japanese(Grammar):
    code = "ja"
    colour_names = {colour: forms.name for colour, forms in COLOURS.items()}
    places = {"top left": "左上", "top right": "右上", "bottom left": "左下", "bottom right": "右下"}
    movements = {"left": "左", "right": "右", "up": "上", "down": "下"}
    true, false, true_or_false = "正しい", "間違い", "正しいですか、間違いですか。"
    with_letter = "正しい選択肢の文字で答えてください。"
    with_option = "次の選択肢のどれかで答えてください。"
    briefly = "短く答えてください。"
    picture_name = "画像{}"
    number_words = ("一つ", "二つ", "三つ", "四つ")
    ask_first, ask_last = "最初に現れるものは何ですか。", "最後に現れるものは何ですか。"
    ask_how_many = "全部でいくつのものが現れますか。"
    synonyms = {
        "bow-ribbon": ("蝶結び",),
        "nut-food": ("ナッツ", "どんぐり"),
        "trunk-tree": ("切り株",),
        "trunk-chest": ("宝箱", "箱"),
    }

    def word(self, noun: str) -> str:
        return NOUNS[noun].word

    def the(self, thing: Thing) -> str:
        return f"{COLOURS[thing.colour].before_noun}{NOUNS[thing.noun].word}"

    def a(self, thing: Thing) -> str:
        return self.the(thing)

    def many(self, thing: Thing, count: int) -> str:
        return f"{KANJI[count - 1]}{NOUNS[thing.noun].counter}の{self.the(thing)}"

    def colour_answers(self, colour: str) -> tuple[str, ...]:
        forms = COLOURS[colour]
        return unique(forms.name, forms.before_desu, f"{forms.name.removesuffix('色')}色", f"{forms.before_desu}です")

    def count_answers(self, noun: str, count: int) -> tuple[str, ...]:
        counter = NOUNS[noun].counter
        kanji = KANJI[count - 1]
        return unique(
            str(count), kanji, f"{kanji}つ", f"{count}つ", f"{kanji}{counter}", f"{count}{counter}", f"{count}個"
        )

    def shows(self, thing: Thing) -> str:
        return f"絵の中に{self.a(thing)}が{NOUNS[thing.noun].exists}。"

    def shows_many(self, thing: Thing, count: int) -> str:
        return f"絵の中に{self.many(thing, count)}が{NOUNS[thing.noun].exists}。"

    def joins(self, thing: Thing, other: Thing) -> str:
        return f"{self.a(thing)}と{self.a(other)}。"

    def relates(self, thing: Thing, side: str, other: Thing) -> str:
        return f"{self.the(thing)}は{self.the(other)}の{SIDES[side]}に{NOUNS[thing.noun].exists}。"

    def tells_colour(self, thing: Thing) -> str:
        return f"{NOUNS[thing.noun].word}は{COLOURS[thing.colour].before_desu}です。"

    def ask_whether(self, statement: str) -> str:
        return f"{statement}{self.true_or_false}"

    def ask_colour(self, noun: str) -> str:
        return f"{NOUNS[noun].word}は何色ですか。"

    def ask_thing(self, colour: str) -> str:
        return f"{COLOURS[colour].before_noun}ものは何ですか。"

    def ask_place(self, thing: Thing) -> str:
        return f"{self.the(thing)}はどこに{NOUNS[thing.noun].exists}か。"

    def ask_count(self, noun: str) -> str:
        counter = NOUNS[noun].counter
        how_many = "いくつ" if counter == "つ" else f"何{counter}"
        return f"{NOUNS[noun].word}は{how_many}{NOUNS[noun].exists}か。"

    def ask_picture(self, thing: Thing) -> str:
        exists = "いる" if NOUNS[thing.noun].alive else "ある"
        return f"{self.a(thing)}が{exists}のはどの画像ですか。"

    def ask_direction(self, thing: Thing) -> str:
        return f"{self.the(thing)}はどの方向に動いていますか。"


GRAMMAR = Japanese()
