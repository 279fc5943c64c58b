"""What people and models say about a task instead of doing it: one table by language, and whether a text says it.

`wording.csv` holds words by language and concept: an apology, "cannot", the speaker and "not", words about the task,
the picture, a model, its rules; "sure", "here is", "translation", "note", "hope this helps", "or", "variant"; and
frequent words, `open` those that no sentence ends with. `x-` stands for every word that begins with x, `-x-` for every
word with x in it; Chinese, Japanese and Korean are looked up without regard to blanks. All are our own, in plain use,
and short of complete: what matters is two concepts together, or one where a text's form says the rest. Knows no task,
no target and no score.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from os.path import dirname, join

from tvbench.analysis.diagnosis.overlap import word_list
from tvbench.analysis.diagnosis.scripts import script_of, scripts_of
from tvbench.scoring.normalise import normalise

TABLE = join(dirname(__file__), "wording.csv")  # noqa: PTH118, PTH120 - as the languages' table
UNSPACED = frozenset({"zh", "ja", "ko", "th"})
"""Languages whose entries are looked up without blanks."""
FREQUENT = ("open", "common")


@dataclass(frozen=True, slots=True)
class PhraseBook:
    """One language: by concept what to look for in a folded text, and the frequent words."""

    language: str
    entries: Mapping[str, tuple[str, ...]]
    frequent: frozenset[str]
    ends_nothing: frozenset[str]


@lru_cache(maxsize=1)
def table() -> Mapping[str, PhraseBook]:
    """All languages of the table by code."""
    with open(TABLE, encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    said: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        said.setdefault(row["language"], {})[row["concept"]] = row["words"].split("|")
    return {code: _wording(code, concepts) for code, concepts in said.items()}


def _wording(code: str, concepts: Mapping[str, list[str]]) -> PhraseBook:
    entries = {concept: tuple(_needle(entry, code) for entry in found) for concept, found in concepts.items()}
    single = {concept: frozenset(" ".join(_plain(entry)) for entry in concepts[concept]) for concept in FREQUENT}
    return PhraseBook(code, entries, single["open"] | single["common"], single["open"])


def _needle(entry: str, code: str) -> str:
    """What stands in a padded text where the entry is said."""
    if code in UNSPACED:
        return "".join(normalise(entry).split()) or entry
    plain = " ".join(_plain(entry.strip("-")))
    return ("" if entry.startswith("-") else " ") + plain + ("" if entry.endswith("-") else " ")


def _plain(text: str) -> list[str]:
    return [word.replace("i\u0307", "i") for word in word_list(text)]


@lru_cache(maxsize=8192)
def _folded(text: str) -> tuple[str, str, frozenset[str]]:
    """`text` with blanks around each word, without any blank, and the scripts that are in it."""
    plain = _plain(text)
    return f" {' '.join(plain)} ", "".join(normalise(text).split()), frozenset(map(script_of, "".join(plain)))


def wording_of(language: str) -> PhraseBook | None:
    """The row of a language (a code such as `pt-BR`), None where the table has none."""
    base = language.partition("-")[0].lower()
    return table().get({"no": "nb"}.get(base, base))


def concepts(text: str, code: str, among: Iterable[str]) -> frozenset[str]:
    """Which concepts `among` those of language `code` are said in `text`."""
    row, where = table()[code], _place(text, code)
    return frozenset(concept for concept in among if any(entry in where for entry in row.entries.get(concept, ())))


def times(text: str, code: str, concept: str) -> int:
    """How many entries of a concept stand in `text`."""
    where = _place(text, code)
    return sum(entry in where for entry in table()[code].entries.get(concept, ()))


def _place(text: str, code: str) -> str:
    padded, joined, _ = _folded(text)
    return joined if code in UNSPACED else padded


def spoken_by(text: str, language: str) -> tuple[str, ...]:
    """The languages of the table that a text may talk in: those with a script that is in it, the asked one first."""
    _, _, scripts = _folded(text)
    asked = wording_of(language)
    fitting = [code for code in table() if scripts_of(code) & scripts]
    return tuple(sorted(fitting, key=lambda code: (asked is None or code != asked.language, code != "en")))


def said(text: str, language: str, among: Iterable[str]) -> frozenset[str]:
    """The concepts that `text` says in `language` or in English."""
    wanted = tuple(among)
    return frozenset().union(*(concepts(text, code, wanted) for code in asked_and_english(language)))


def asked_and_english(language: str) -> frozenset[str]:
    """The codes of the table's languages that an answer in `language` is likely to comment itself in."""
    row = wording_of(language)
    return frozenset({"en"} if row is None else {"en", row.language})
