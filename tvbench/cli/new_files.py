"""The files of `tvbench new task`: texts and two small pictures. Knows no path and writes nothing."""

from __future__ import annotations

import struct
import zlib

SIDE = 64
RED, BLUE = (200, 30, 40), (30, 60, 200)

TABLE = """\
file_name,language,id,question,A,B,C,answer,category
red.png,en,1,What colour is the picture?,red,green,blue,A,colours
red.png,de,1,Welche Farbe hat das Bild?,rot,grün,blau,A,colours
red.png,hi,1,तस्वीर का रंग क्या है?,लाल,हरा,नीला,A,colours
blue.png,en,2,What colour is the picture?,red,green,blue,C,colours
blue.png,de,2,Welche Farbe hat das Bild?,rot,grün,blau,C,colours
blue.png,hi,2,तस्वीर का रंग क्या है?,लाल,हरा,नीला,C,colours
"""

DECLARED = """\
# What the columns' names leave open. Every key may be left out, and this file, too.
# In an editor: tvbench new task --schema > task.schema.json completes keys and underlines mistakes.
#
# name: {name}                  # what tables call it (default: the folder's name)
# title: Colours of pictures
# version: "1"                  # raise it when the questions change
# licence: CC-BY-4.0
# source: https://example.org
#
# ── The table ──
# columns:                      # where a column's name does not say it
#   question: Frage
#   answer: [gold_1, gold_2]    # several: every one of them is right
#   options: [A, B, C]          # or one column with a list, or with one kind of separator
#   image: [file_name]          # or video:
#   language: locale
# options_separator: ";"        # between options in one cell (default: found out)
# answers_separator: "|"        # between right answers in one cell
# first_option: 0               # where answers are numbers that could be counted from 0 or from 1
# language: de                  # of every row that names none
# languages: {{Deutsch: de}}      # what the data call a language
# splits: {{test: metadata.csv}}  # files of each split; the first is asked unless --split says otherwise
# encoding: cp1252              # of the table, where it is not UTF-8
#
# ── What is asked ──
# prompt: |                     # fields: {{question}}, {{options}}, {{instruction}}, {{hint}}, {{language}}, {{COLUMN}}
#   {{question}}
#   {{options}}
#   {{instruction}}
# instructions:                 # what {{instruction}} is, by language; `all` for every other
#   all: Answer with the letter of the right option only.
#   de: Antworte nur mit dem Buchstaben der richtigen Antwort.
# max_tokens: 32                # of an answer
# frames: 8                     # of a clip
# protocols:                    # several ways to ask; the first is the default
#   tvbench: {{}}
#   text: {{says: options without letters, letters: false, shuffle: false}}
#
# ── How it is scored ──
# kind: choice                  # or short, text (references), open (for a judge); default: what the columns show
# metric: aligned               # what comes first in tables; a function of scorers.py, too
# metrics: [strict]             # what else is worth a line
"""

SCORERS = '''\
"""Metrics of your own, in plain Python. Every function of (item, text) in this file is one.

It gets the item and the model's answer, and gives a number from 0 to 1 (more is better), or None where it has none.
`tvbench run` names this file before it runs it. To rank by one of them, say `--metric brief` or `metric: brief`
in task.yaml. Take the `# ` away from the example to use it.
"""

# def brief(item, text):
#     """Whether the answer has no more than three words."""
#     return float(len(text.split()) <= 3)
'''

README = """\
# {name}

A benchmark for tvbench: `metadata.csv` has one question a row, `task.yaml` says what the columns'
names leave open, `scorers.py` may hold metrics.

```sh
tvbench run --model tower-mini --tasks {path} --dry-run   # what is understood, and the first prompt of each language
tvbench audit {path}                                      # what is odd in the data
tvbench run --model tower-mini --tasks {path}
tvbench leaderboard --tasks {name}
```
"""

PYTHON = '''\
"""{name}: a benchmark in one file. `tvbench tasks check ./{name}.py` tries everything that it declares."""

import struct
import zlib

from tvbench.data.authoring import lettered, shuffled_choice, user_message
from tvbench.types import Item, Media, Opened, Sampling, Task

ROWS = [  # id, language, question, options, place of the right one, colour of the picture
    ("1", "en", "What colour is the picture?", ("red", "green", "blue"), 0, (200, 30, 40)),
    ("1", "de", "Welche Farbe hat das Bild?", ("rot", "grün", "blau"), 0, (200, 30, 40)),
    ("2", "en", "What colour is the picture?", ("red", "green", "blue"), 2, (30, 60, 200)),
    ("2", "de", "Welche Farbe hat das Bild?", ("rot", "grün", "blau"), 2, (30, 60, 200)),
]


def rows(ask):
    """Where the rows come from. Of a data set of the hub: source=HubRows("org/name", columns=(...)) below."""
    return Opened(ROWS, dataset="made-up@1")


def item(row, ask):
    """One row as one item. A ValueError says why a row cannot be asked."""
    number, language, question, options, right, colour = row
    name = f"{{language}}/{{number}}"
    choice = shuffled_choice(options, right, name, ask.seed)
    prompt = f"{{question}}\\n{{lettered(choice.options)}}\\nAnswer with the letter of the right option only."
    picture = Media("image", f"{{number}}.png", lambda: png(colour))
    return Item(
        id=name,
        task=ask.task,
        language=language,
        messages=user_message(prompt, picture),
        target=choice,
        sampling=Sampling(max_new_tokens=16),
        cluster=number,
    )


def png(colour, side=64):
    """A picture of one colour. Yours are read from files: ask.picture(row, "image")."""
    lines = (b"\\0" + bytes(colour) * side) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    blocks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    packed = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in blocks
    )
    return b"\\x89PNG\\r\\n\\x1a\\n" + packed


TASK = Task(
    name="{name}",
    version="1",
    title="{name}",
    languages=("en", "de"),
    source=rows,
    item=item,
    protocols={{"tvbench": "options shuffled by item and seed, letters shown"}},
    primary="aligned",
    metrics=("aligned", "strict"),
    # scorers={{"brief": lambda item, text: float(len(text.split()) <= 3)}},
)
'''


def folder_files(name: str, path: str) -> dict[str, bytes]:
    """The files of a start without Python, by name."""
    texts = {
        "metadata.csv": TABLE,
        "task.yaml": DECLARED.format(name=name),
        "scorers.py": SCORERS,
        "README.md": README.format(name=name, path=path),
    }
    return {**{file: text.encode() for file, text in texts.items()}, "red.png": png(RED), "blue.png": png(BLUE)}


def python_file(name: str) -> str:
    """A start in one Python file."""
    return PYTHON.format(name=name)


def png(colour: tuple[int, int, int]) -> bytes:
    """A picture of one colour."""
    lines = (b"\0" + bytes(colour) * SIDE) * SIDE
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    )
