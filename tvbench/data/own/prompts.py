"""The words around a row: a template with the fields of the row, and places for pictures in the text.

Knows templates and texts; no file, no answer and no score.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tvbench.data.own.declaration import Declaration, Kind, ProtocolFields
from tvbench.errors import UsageError, unknown_name
from tvbench.languages import code_of, language
from tvbench.types import Media, Part

FIELD = re.compile(r"\{([^{}\n]{1,100})\}")
PLACE = re.compile(r"<(?:image|picture|video|clip)(?:[\s_-]?(\d{1,2}))?>", re.IGNORECASE)
FIELDS = ("question", "options", "instruction", "hint", "source", "language", "category")
"""What a template may hold besides the names of columns."""
OPTIONS = "{hint}\n{question}\n{options}\n{instruction}"
PLAIN = "{hint}\n{question}\n{instruction}"
TRANSLATED = "{hint}\n{instruction}\n{source}"
EVERY = "all"
"""The key of `instructions` for every language that has none of its own."""
WITH_LETTER = "Answer with the letter of the right option only."
WITH_OPTION = "Answer with one of these options only, word for word."
INSTRUCTIONS: Mapping[Kind, str] = {
    "choice": WITH_LETTER,
    "short": "Answer with a single word, number or phrase.",
    "text": "",
    "open": "Answer in {language}.",
}
TRANSLATE = "Translate into {language}. Reply with the translation only."
DESCRIBE = "Describe the picture in one sentence in {language}."
DESCRIBE_CLIP = "Describe the clip in one sentence in {language}."
WHAT = "What does the picture show?"
WHAT_CLIP = "What does the clip show?"
SAYS: Mapping[Kind, str] = {
    "choice": "options shuffled by item and seed, letters shown",
    "short": "the question, and a request for a word, a number or a phrase",
    "text": "the text, or the picture alone, and what is wanted of it",
    "open": "the question, to be answered in its language",
}
TOKENS: Mapping[Kind, int] = {"choice": 32, "short": 32, "text": 256, "open": 512}


@dataclass(frozen=True, slots=True)
class Wording:
    """How a protocol asks: a template, instructions by language, and what is done with the options."""

    says: str
    template: str
    instructions: Mapping[str, str]
    shuffle: bool = True
    letters: bool = True
    max_tokens: int = 32
    metric: str = ""

    def instruction(self, code: str, *, letters: bool) -> str:
        """What is asked for in a language."""
        found = self.instructions.get(code, self.instructions.get(EVERY, ""))
        found = WITH_OPTION if found == WITH_LETTER and not letters else found
        return found.replace("{language}", language(code).name)


def wordings(said: Declaration, kind: Kind, *, asks: bool, source: bool, clips: bool) -> dict[str, Wording]:
    """The protocols, the default first. `asks`: rows have questions; `source`: or a text to translate."""
    template = OPTIONS if kind == "choice" else TRANSLATED if kind == "text" and source and not asks else PLAIN
    standard = INSTRUCTIONS[kind]
    if kind == "text" and not asks:
        standard = TRANSLATE if source else DESCRIBE_CLIP if clips else DESCRIBE
    every = ProtocolFields()
    ways = dict(said.protocols) or {"tvbench": every}
    return {
        name: Wording(
            way.says or SAYS[kind],
            way.prompt or said.prompt or template,
            {EVERY: standard, **_by_code(said.instructions), **_by_code(way.instructions)},
            True if way.shuffle is None else way.shuffle,
            True if way.letters is None else way.letters,
            way.max_tokens or said.max_tokens or TOKENS[kind],
            way.metric,
        )
        for name, way in ways.items()
    }


def _by_code(instructions: Mapping[str, str]) -> dict[str, str]:
    """Instructions by code. Raises UsageError for what is no language."""
    return {name if name == EVERY else code_of(name): text for name, text in instructions.items()}


def check_template(template: str, columns: Collection[str]) -> None:
    """Raises UsageError for a field that neither a row nor tvbench has."""
    for name in FIELD.findall(template):
        if name not in columns and name not in FIELDS:
            raise unknown_name(
                "field of the prompt", name, (*columns, *FIELDS), "a prompt holds {question}, or {COLUMN}"
            )


def fields_in(template: str) -> tuple[str, ...]:
    """The names of the fields that a template holds."""
    return tuple(FIELD.findall(template))


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with the values in their places. A line of which nothing is left is left out."""
    lines = list(_lines(template, values))
    if not any(line.strip() for line in lines):
        raise UsageError("the prompt is empty", 'give one in task.yaml, as in prompt: "{question}"')
    return "\n".join(lines)


def _lines(template: str, values: Mapping[str, str]) -> Iterator[str]:
    for line in template.strip("\n").split("\n"):
        names = FIELD.findall(line)
        if not names or any(values.get(name, "") for name in names):
            yield FIELD.sub(lambda match: values.get(match[1], ""), line)


# ── Pictures in the text ──────────────────────────────────────────────────────────────────────────


def with_media(text: str, media: Sequence[Media]) -> tuple[Part, ...]:
    """The media at their places in the text (`<image>`, `<image 2>`), those without one before it. Raises ValueError
    for a place that nothing belongs to."""
    if not media:
        return (text,)
    named = {int(number) for number in PLACE.findall(text) if number}
    waiting = [place for place in range(1, len(media) + 1) if place not in named]
    shown: set[int] = set()
    parts: list[Part] = []
    at = 0
    for match in PLACE.finditer(text):
        number = int(match[1]) if match[1] else (waiting.pop(0) if waiting else 0)
        if number > len(media) or (number == 0 and not shown):
            raise ValueError(f"the text has a place {match[0]}, and the row has {len(media)} pictures or clips")
        parts.append(text[at : match.start()])
        if number and number not in shown:
            parts.append(media[number - 1])
            shown.add(number)
        at = match.end()
    parts.append(text[at:])
    before = [media[place - 1] for place in range(1, len(media) + 1) if place not in shown]
    return (*before, *(part for part in parts if not isinstance(part, str) or part))
