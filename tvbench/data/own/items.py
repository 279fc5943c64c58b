"""One row, one item: its prompt, its target, its media and a name that stays.

What is wrong with a row is its item's `problem`. Knows the survey's decisions; decides nothing over rows itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tvbench.data.authoring import lettered, shuffled
from tvbench.data.own.answers import right_place
from tvbench.data.own.cells import NOTHING, text_in
from tvbench.data.own.kinds import Purpose
from tvbench.data.own.pictures import Album, Found
from tvbench.data.own.prompts import WHAT, WHAT_CLIP, Wording, fields_in, filled, with_media
from tvbench.data.own.survey import Sighted, Survey
from tvbench.languages import ENGLISH, language
from tvbench.types import Ask, Choice, Item, Message, Open, Sampling, Short, Target, Translation

MOST_LETTERS = 26
WHOLE = re.compile(r"-?\d+\.0")
"""A whole number as tables with gaps write it: the number itself is right as well."""
ABOVE = re.compile(r"\b(all|none|both|neither|any|some)\b.{0,20}\b(above|below|these|those|options)\b", re.IGNORECASE)
LETTERS = re.compile(r"((both|either|neither|only)\s+)?\(?[A-J]\)?(\s*(,|and|or|nor|&|\+)\s*\(?[A-J]\)?)+\.?")
"""Options that speak of others by their place: they stay in their order."""


@dataclass(slots=True)
class Maker:
    """Makes the items of one benchmark."""

    name: str
    folder: Path
    found: Survey
    kind: Purpose
    wordings: Mapping[str, Wording]
    clips: bool = False
    shown: str = ""

    def item(self, row: Sighted, ask: Ask) -> Item:
        """The item of a row; one with a `problem` where it cannot be asked."""
        wording = self.wordings[ask.protocol]
        media = self.media(row, ask)
        item_id = self.item_id(row, media)
        target: Target = Open("", "")
        messages: tuple[Message, ...] = ()
        problem = None
        try:
            target, values = self._asked(row, item_id, wording, ask)
            parts = with_media(filled(wording.template, values), [entry.media for entry in media])
            messages = (Message("user", parts),)
        except ValueError as error:
            problem = str(error)
        return Item(
            id=item_id,
            task=self.name,
            language=row.language,
            messages=messages,
            target=target,
            sampling=Sampling(max_new_tokens=wording.max_tokens),
            cluster="+".join(entry.key for entry in media) or item_id,
            tags=self._tags(row),
            problem=problem,
        )

    def media(self, row: Sighted, ask: Ask) -> list[Found]:
        """The pictures and clips of a row."""
        frames = ask.settings["frames"] if self.clips else None
        return self.album(row, frames).of_row(row.record.cells, self.kind.roles, self._where(row))

    def album(self, row: Sighted, frames: int | None = None) -> Album:
        """Where the media of the row's table are looked for."""
        return Album(self.folder, row.form.beside if row.form else "", frames, self.found.by_index)

    def _where(self, row: Sighted) -> str:
        return f"{row.form.path.name if row.form else self.name}#{row.record.number}"

    def _tags(self, row: Sighted) -> dict[str, str]:
        category = self._text(row, self.kind.roles.category)
        return {name: text for name, text in (("category", category), ("split", row.split)) if text}

    def _text(self, row: Sighted, column: str) -> str:
        text = text_in(row.record.cells.get(column)) if column else ""
        return "" if text in NOTHING else text

    def item_id(self, row: Sighted, media: Sequence[Found]) -> str:
        """The language and the row's own id; else its first file's name and a digest of what the row says."""
        own = self._text(row, self.kind.roles.id)
        if own:
            return f"{row.language}/{own}"
        content = "\0".join((*self._says(row), *(entry.key for entry in media)))
        digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        file = Path(media[0].key).stem[:60] if media and "/" not in media[0].key[-1:] else ""
        return f"{row.language}/{file}-{digest}" if file else f"{row.language}/{digest}"

    def _says(self, row: Sighted) -> Iterator[str]:
        """What a row says, in whatever form its table has it: what is asked and answered, and what prompts show."""
        roles = self.kind.roles
        yield from (self._text(row, column) for column in (roles.question, roles.hint, roles.source, roles.category))
        yield from self.found.answers_of(row.record.cells)
        yield from self.found.options_of(row.record.cells)
        shown = {name for wording in self.wordings.values() for name in fields_in(wording.template)}
        yield from (text_in(row.record.cells[name]) for name in sorted(shown & row.record.cells.keys()))

    def text(self, row: Sighted) -> str:
        """What tells a question from others with the same media."""
        return "\0".join(self._text(row, column) for column in (self.kind.roles.question, self.kind.roles.source))

    def nobody(self) -> Ask:
        """An ask of which nothing was typed."""
        first = self.found.said.first_option
        return Ask(self.name, settings={"first_option": first, "frames": None})

    # ── Prompt and target ─────────────────────────────────────────────────────────────────────────

    def _asked(self, row: Sighted, item_id: str, wording: Wording, ask: Ask) -> tuple[Target, dict[str, str]]:
        """The target of a row, and the fields of its prompt. Raises ValueError for a row that cannot be asked."""
        roles = self.kind.roles
        values = {
            name: text_in(value) for name, value in row.record.cells.items() if isinstance(value, str | int | float)
        }
        values |= {name: self._text(row, getattr(roles, name)) for name in ("hint", "source", "category")}
        values |= {"question": self._question(row), "language": language(row.language).name, "options": ""}
        target, letters = self._target(row, values, item_id, wording, ask)
        values["instruction"] = wording.instruction(row.language, letters=letters)
        if not values["question"] and roles.question and "question" in wording.template:
            raise ValueError("the row has no question")
        return target, values

    def _question(self, row: Sighted) -> str:
        """The row's question; where no column has any, what a picture shows."""
        if self.kind.roles.question:
            return self._text(row, self.kind.roles.question)
        if self.kind.kind in ("choice", "short"):
            return WHAT_CLIP if self.clips else WHAT
        return ""

    def _target(
        self, row: Sighted, values: dict[str, str], item_id: str, wording: Wording, ask: Ask
    ) -> tuple[Target, bool]:
        """(the target, whether letters are shown); the options go into `values`."""
        cells = row.record.cells
        answers = self.found.answers_of(cells)
        if self.kind.kind != "choice" and answers and (options := self.options(row)):
            answers = [options[self.right(options, answers, ask)]]  # a letter would say nothing without them
        if self.kind.kind == "open":
            return Open(values["question"], answers[0] if answers else ""), False
        if not answers:
            raise ValueError("the row has no answer")
        if self.kind.kind == "text":
            return Translation(values["source"], tuple(answers)), False
        if self.kind.kind == "choice" and (options := self.options(row)):
            place = self.right(options, answers, ask)
            choice = shown_choice(options, place, item_id, wording, ask)
            values["options"] = lettered(choice.options) if choice.letters else "\n".join(choice.options)
            return _with_question(choice, values["question"]), choice.letters
        whole = (text.removesuffix(".0") for text in answers if WHOLE.fullmatch(text))
        return Short(tuple(dict.fromkeys((*answers, *whole)))), False

    def options(self, row: Sighted) -> list[str]:
        """The options of a row; none where it has none and others have. Raises ValueError for one that is alone."""
        if self.kind.classes:
            return sorted(self.found.classes.get(ENGLISH if self.found.unnamed else row.language, ()))
        options = self.found.options_of(row.record.cells)
        if len(options) == 1:
            raise ValueError(f"there is one option only: {options[0][:60]!r}")
        return options

    def right(self, options: Sequence[str], answers: Sequence[str], ask: Ask) -> int:
        """The place of the right option. Raises ValueError."""
        if len(answers) > 1:
            raise ValueError(f"{len(answers)} answers are right, and tvbench scores one of several options")
        if self.kind.classes:
            return list(options).index(answers[0])
        tally = self.found.answers
        first = ask.settings.get("first_option")
        first = tally.first() if first is None else first
        hint = f"--set {self.name}.first_option=0 or =1, or first_option: in task.yaml"
        return right_place(options, answers[0], tally.way, first, tally.why_not(), hint)


def _with_question(choice: Choice, question: str) -> Choice:
    return Choice(choice.options, choice.gold, choice.target, choice.shown, choice.letters, question)


def shown_choice(options: Sequence[str], right: int, item_id: str, wording: Wording, ask: Ask) -> Choice:
    """The options as a protocol shows them: in a seeded order, with letters where there are enough."""
    stays = not wording.shuffle or any(ABOVE.search(option) or LETTERS.fullmatch(option) for option in options)
    order = list(range(len(options))) if stays else shuffled(len(options), item_id, ask.seed)
    shown = tuple(options[place] for place in order)
    place = order.index(right)
    letters = wording.letters and len(options) <= MOST_LETTERS
    target = chr(ord("A") + place) if letters else shown[place]
    return Choice(shown, place, target, () if letters else shown, letters)
