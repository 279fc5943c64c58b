"""Chinese: a measure word for each noun, `两` before it, no inflection."""

from __future__ import annotations

from typing import NamedTuple

from tvbench.mini.grammars.base import Grammar
from tvbench.mini.world import Thing


class ChineseNoun(NamedTuple):
    """The noun and its measure word."""

    word: str
    measure: str


NOUNS = {
    "circle": ChineseNoun("圆形", "个"),
    "square": ChineseNoun("正方形", "个"),
    "triangle": ChineseNoun("三角形", "个"),
    "star": ChineseNoun("星星", "颗"),
    "heart": ChineseNoun("爱心", "颗"),
    "house": ChineseNoun("房子", "座"),
    "moon": ChineseNoun("月亮", "个"),
    "fish": ChineseNoun("鱼", "条"),
    "flower": ChineseNoun("花", "朵"),
    "key": ChineseNoun("钥匙", "把"),
    "bat-animal": ChineseNoun("蝙蝠", "只"),
    "bat-club": ChineseNoun("球棒", "根"),
    "bow-ribbon": ChineseNoun("蝴蝶结", "个"),
    "bow-weapon": ChineseNoun("弓", "把"),
    "nut-food": ChineseNoun("坚果", "颗"),
    "nut-metal": ChineseNoun("螺母", "个"),
    "trunk-tree": ChineseNoun("树干", "根"),
    "trunk-chest": ChineseNoun("箱子", "个"),
}
COLOURS = {"red": "红色", "blue": "蓝色", "green": "绿色", "yellow": "黄色", "black": "黑色", "white": "白色"}
SIDES = {"left": "左边", "right": "右边", "up": "上面", "down": "下面"}


class Chinese(Grammar):
    code = "zh"
    colour_names = COLOURS
    places = {"top left": "左上角", "top right": "右上角", "bottom left": "左下角", "bottom right": "右下角"}
    movements = {"left": "向左", "right": "向右", "up": "向上", "down": "向下"}
    true, false, true_or_false = "正确", "错误", "正确还是错误？"
    with_letter = "请用正确选项的字母回答。"
    with_option = "请用以下选项之一回答。"
    briefly = "请简短回答。"
    picture_name = "图{}"
    number_words = ("一", "两", "三", "四")
    ask_first, ask_last = "最先出现的是什么？", "最后出现的是什么？"
    ask_how_many = "一共出现了几样东西？"
    synonyms = {
        "bat-club": ("球拍", "棒球棍"),
        "bow-weapon": ("弓箭",),
        "nut-food": ("橡子", "果仁"),
        "nut-metal": ("螺帽",),
        "trunk-tree": ("树桩",),
        "trunk-chest": ("宝箱", "木箱", "行李箱"),
    }

    def word(self, noun: str) -> str:
        return NOUNS[noun].word

    def the(self, thing: Thing) -> str:
        return f"{COLOURS[thing.colour]}的{NOUNS[thing.noun].word}"

    def a(self, thing: Thing) -> str:
        return f"一{NOUNS[thing.noun].measure}{self.the(thing)}"

    def many(self, thing: Thing, count: int) -> str:
        return f"{self.number_words[count - 1]}{NOUNS[thing.noun].measure}{self.the(thing)}"

    def colour_answers(self, colour: str) -> tuple[str, ...]:
        name = COLOURS[colour]
        return (name, name[0], f"{name}的")

    def count_answers(self, noun: str, count: int) -> tuple[str, ...]:
        measure = NOUNS[noun].measure
        word = self.number_words[count - 1]
        others = ("二",) if count == 2 else ()
        return (str(count), word, f"{word}{measure}", f"{count}{measure}", *others)

    def shows(self, thing: Thing) -> str:
        return f"图中有{self.a(thing)}。"

    def shows_many(self, thing: Thing, count: int) -> str:
        return f"图中有{self.many(thing, count)}。"

    def joins(self, thing: Thing, other: Thing) -> str:
        return f"{self.a(thing)}和{self.a(other)}。"

    def relates(self, thing: Thing, side: str, other: Thing) -> str:
        return f"{self.the(thing)}在{self.the(other)}的{SIDES[side]}。"

    def tells_colour(self, thing: Thing) -> str:
        return f"{NOUNS[thing.noun].word}是{COLOURS[thing.colour]}的。"

    def ask_whether(self, statement: str) -> str:
        return f"{statement}{self.true_or_false}"

    def ask_colour(self, noun: str) -> str:
        return f"{NOUNS[noun].word}是什么颜色的？"

    def ask_thing(self, colour: str) -> str:
        return f"什么东西是{COLOURS[colour]}的？"

    def ask_place(self, thing: Thing) -> str:
        return f"{self.the(thing)}在哪里？"

    def ask_count(self, noun: str) -> str:
        return f"图中有几{NOUNS[noun].measure}{NOUNS[noun].word}？"

    def ask_picture(self, thing: Thing) -> str:
        return f"哪张图中有{self.a(thing)}？"

    def ask_direction(self, thing: Thing) -> str:
        return f"{self.the(thing)}向哪个方向移动？"


GRAMMAR = Chinese()
