"""Which column is what, by its name, unless task.yaml says so. Knows names; sees no row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from tvbench.data.own.declaration import ColumnFields, names
from tvbench.data.own.lettering import folded
from tvbench.errors import UsageError, unknown_name

GUESSES: Mapping[str, tuple[str, ...]] = {
    "question": ("question", "prompt", "query", "instruction", "question_text", "input", "q"),
    "answer": (
        *("answer", "answers", "gold", "label", "labels", "target", "targets", "reference", "references"),
        *("ground_truth", "gt", "correct_answer", "correct", "correct_option", "answer_key", "gold_answer", "solution"),
        *("caption", "captions", "translation", "translations", "expected", "expected_answer", "output", "response"),
        *("class", "class_name", "a"),
    ),
    "options": ("options", "choices", "option", "choice", "candidates", "answer_options", "mc_options", "alternatives"),
    "language": ("language", "lang", "locale", "language_code", "lang_code", "target_language", "tgt_lang"),
    "id": ("id", "index", "idx", "question_id", "qid", "uid", "item_id", "sample_id", "example_id", "row_id"),
    "category": ("category", "categories", "topic", "domain", "subject", "question_type", "type"),
    "source": ("source", "src", "source_text", "source_sentence", "src_text"),
    "hint": ("hint", "context", "passage", "background", "background_description"),
    "split": ("split",),
}
"""Names of each role, in the order in which they are tried; case, blanks and hyphens do not count."""
TEXT = "text"
"""The question where there is no other, or a caption: the rows decide (survey.py)."""
REFERENCES = ("reference", "references", "caption", "captions", "translation", "translations")
"""Answers of these names are texts to come near to, not to hit."""
LABELS = ("label", "labels", "class", "class_name")
"""Answers of these names are classes where nothing else is asked."""
IMAGES = ("image", "images", "picture", "pictures", "photo", "photos", "img", "imgs", "file", "files", "filename")
IMAGE_PATHS = ("image_path", "image_paths", "img_path", "picture_path")
CLIPS = ("video", "videos", "clip", "clips", "video_path", "video_file", "video_name", "clip_path")
NUMBERED = re.compile(r"(image|img|picture|photo|video|clip)_?(path_?)?(\d+)")
FILE_NAME = re.compile(r"(?:(?P<what>.+)_)?(file_names?|filenames?)")
LETTER = re.compile(r"(?:(?P<word>option|choice|answer|opt)_?)?(?P<sign>[a-z]|\d{1,2})")
ANOTHER = re.compile(r"(reference|ref|caption|answer|translation)s?_?\d+")


@dataclass(frozen=True, slots=True)
class Medium:
    """A column with pictures or clips. `kind` "" : the ending of each file decides."""

    column: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns of each role, "" or () where there is none. `instead` are columns that are looked at where the
    media's own are empty, `unused` those that nothing is made of; `text` may be the question or a caption."""

    question: str = ""
    answer: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    media: tuple[Medium, ...] = ()
    instead: tuple[Medium, ...] = ()
    language: str = ""
    id: str = ""
    category: str = ""
    source: str = ""
    hint: str = ""
    split: str = ""
    text: str = ""
    unused: tuple[str, ...] = ()

    @property
    def named_as_references(self) -> bool:
        """Whether the answer's column is called what texts to come near to are called."""
        return any(ANOTHER.fullmatch(folded(name)) or folded(name) in REFERENCES for name in self.answer)

    @property
    def named_as_class(self) -> bool:
        """Whether the answer's column is called what classes are called."""
        return len(self.answer) == 1 and folded(self.answer[0]) in LABELS

    @property
    def lettered(self) -> bool:
        """Whether each option has a column of its own."""
        return len(self.options) > 1


def roles_of(columns: Sequence[str], said: ColumnFields, where: str) -> Roles:
    """Which of `columns` is what. Raises UsageError for a column that task.yaml names and that is not there."""
    given = {entry.name: names(getattr(said, entry.name)) for entry in fields(said)}
    for role, wanted in given.items():
        for name in wanted:
            if name not in columns:
                raise unknown_name(f"column for {role} in task.yaml", name, columns, f"of {where}")
    taken = {name for wanted in given.values() for name in wanted}
    free = {folded(name): name for name in reversed(columns) if name not in taken}
    roles = _with_options(_single(given, free), given, free)
    roles = _with_answers(roles, given, free)
    roles = _with_media(roles, given, free, columns)
    used = set(_used(roles))
    return replace(roles, unused=tuple(name for name in columns if name not in used))


def _single(given: Mapping[str, tuple[str, ...]], free: dict[str, str]) -> Roles:
    """The roles that one column has."""
    found: dict[str, Any] = {}
    for role in ("question", "language", "id", "category", "source", "hint", "split"):
        if len(given[role]) > 1:
            raise UsageError(f"task.yaml: columns.{role} is one column, not {len(given[role])}", "name one")
        guess = next((name for name in GUESSES[role] if name in free), None)
        found[role] = given[role][0] if given[role] else free.pop(guess) if guess else ""
    return Roles(**found)


def _with_options(roles: Roles, given: Mapping[str, tuple[str, ...]], free: dict[str, str]) -> Roles:
    if given["options"]:
        return replace(roles, options=given["options"])
    guess = next((name for name in GUESSES["options"] if name in free), None)
    if guess:
        return replace(roles, options=(free.pop(guess),))
    family = _family(free)
    for name in family:
        del free[folded(name)]
    return replace(roles, options=tuple(family))


def _family(free: Mapping[str, str]) -> list[str]:
    """Columns A, B, ... or option_1, option_2, ...: the first family of two or more without a gap. `answer_1, answer_2`
    are options only where another column says which of them is right."""
    families: dict[str, dict[str, str]] = {}
    for plain, name in free.items():
        if match := LETTER.fullmatch(plain):
            families.setdefault(match["word"] or "", {})[match["sign"]] = name
    for word, signs in sorted(families.items(), key=lambda family: family[0] == "answer"):
        if word == "answer" and not any(guess in free for guess in GUESSES["answer"]):
            continue
        for start in ("a", "0", "1"):
            run = list(_run(signs, start))
            if len(run) >= 2 and (word or start == "a"):
                return run
    return []


def _run(signs: Mapping[str, str], start: str) -> Iterator[str]:
    place = start
    while place in signs:
        yield signs[place]
        place = chr(ord(place) + 1) if place.isalpha() else str(int(place) + 1)


def _with_answers(roles: Roles, given: Mapping[str, tuple[str, ...]], free: dict[str, str]) -> Roles:
    text = free.get(TEXT, "")
    if given["answer"]:
        return replace(roles, answer=given["answer"], text=text)
    several = [
        name for plain, name in sorted(free.items(), key=lambda pair: _natural(pair[0])) if ANOTHER.fullmatch(plain)
    ]
    guess = next((name for name in GUESSES["answer"] if name in free), None)
    found = (free.pop(guess),) if guess else ()
    if several and (not guess or guess in REFERENCES):
        found = (*found, *several)
    return replace(roles, answer=found, text=text)


def _natural(name: str) -> list[object]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _with_media(
    roles: Roles, given: Mapping[str, tuple[str, ...]], free: Mapping[str, str], columns: Sequence[str]
) -> Roles:
    if given["image"] or given["video"]:
        chosen = {name: Medium(name, kind) for kind in ("image", "video") for name in given[kind]}
        return replace(roles, media=tuple(chosen[name] for name in (*given["image"], *given["video"])))
    own = [medium for plain, name in free.items() if (medium := _medium(plain, name))]
    paths = [Medium(name, "image") for plain, name in free.items() if plain in IMAGE_PATHS]
    order = {name: (_natural(folded(name)) if NUMBERED.fullmatch(folded(name)) else []) for name in columns}
    own.sort(key=lambda medium: (order[medium.column] != [], order[medium.column], list(columns).index(medium.column)))
    return replace(roles, media=tuple(own or paths), instead=tuple(paths if own else ()))


def _medium(plain: str, name: str) -> Medium | None:
    if match := FILE_NAME.fullmatch(plain):
        what = match["what"] or ""
        return Medium(name, "video" if what in CLIPS else "image" if what in IMAGES else "")
    if match := NUMBERED.fullmatch(plain):
        return Medium(name, "video" if match[1] in CLIPS else "image")
    if plain in CLIPS:
        return Medium(name, "video")
    return Medium(name, "" if plain.startswith("file") else "image") if plain in IMAGES else None


def _used(roles: Roles) -> Iterator[str]:
    yield from (roles.question, roles.language, roles.id, roles.category, roles.source, roles.hint, roles.split)
    yield from (*roles.answer, *roles.options, roles.text)
    yield from (medium.column for medium in (*roles.media, *roles.instead))


KNOWN = frozenset(name for guesses in GUESSES.values() for name in guesses) | {
    TEXT,
    *IMAGES,
    *IMAGE_PATHS,
    *CLIPS,
    *"bcdefgh",
    "file_name",
    "file_names",
}
"""Names by which a delimiter is told."""
