"""Languages by code, English name, own name or alias: `language("Deutsch").code == "de"`.

One CSV beside this file is the whole knowledge: the languages of ALM-Bench, ViMUL-Bench, Multi30K, CoMMuTE and CC-OCR,
those that TowerVision was trained on, and their neighbours. Codes are BCP 47 tags as short as they can be (`de`,
`pt-BR`, `zh-Hans`, `arz`). The other columns, and where they are from (docs/languages.md says what is uncertain):

- `script`: ISO 15924, of the form that benchmarks print; agrees with CLDR's likely script for every code.
- `family`: top-level family and branch (`Indo-European/Germanic`), common names, set down by hand after Glottolog.
- `speakers`: millions of people who can use the language, first and second language together; Unicode CLDR 40 as
  packaged in `language_data` 1.4.0. Empty where CLDR has no figure worth the name (Esperanto, Latin, Hmong).
- `resource_class`: 0..5 of Joshi et al. 2020 (arXiv 2004.09095), from their list `lang2tax.txt`; empty for varieties
  that the list does not have.
- `towervision`: `core` (the ten languages of Tower and their locales), `added` (the others of the 20 that TowerVision
  supports, arXiv 2510.21849), `unseen` (all others).

Knows no benchmark, no model and no locale data: a name that is not in the table is an error.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from os.path import dirname, join
from typing import Literal, NamedTuple, TypeAlias, cast

from tvbench.errors import unknown_name

ENGLISH = "en"
TABLE = join(dirname(__file__), "languages.csv")  # noqa: PTH118, PTH120 - quick commands do without pathlib

Support: TypeAlias = Literal["core", "added", "unseen"]


class Language(NamedTuple):
    """One row of the table. `script` is an ISO 15924 code (`Latn`), `aliases` are other names people type.

    `branch` is "" for a family that is not divided here. `speakers` are millions, `resource_class` is 0..5; None
    where nobody says. `towervision` is how TowerVision supports the language.
    """

    code: str
    name: str
    own_name: str
    script: str
    aliases: tuple[str, ...] = ()
    family: str = ""
    branch: str = ""
    speakers: float | None = None
    resource_class: int | None = None
    towervision: Support = "unseen"


@lru_cache(maxsize=1)
def all_languages() -> tuple[Language, ...]:
    """Every language of the table, in the order of the table (by English name)."""
    with open(TABLE, encoding="utf-8", newline="") as lines:
        return tuple(_language(row) for row in csv.DictReader(lines))


def _language(row: Mapping[str, str]) -> Language:
    family, _, branch = row["family"].partition("/")
    return Language(
        row["code"],
        row["name"],
        row["own_name"],
        row["script"],
        tuple(alias for alias in row["aliases"].split("|") if alias),
        family,
        branch,
        float(row["speakers"]) if row["speakers"] else None,
        int(row["resource_class"]) if row["resource_class"] else None,
        cast(Support, row["towervision"]),
    )


def language(code_or_name: str) -> Language:
    """The language that `code_or_name` means, whatever its case, blanks, hyphens or underscores.

    Raises UsageError with the nearest known names.
    """
    found = _index().get(_folded(code_or_name))
    if found is None:
        raise unknown_name("language", code_or_name, _spellings(), "codes (de) and English names (German) both work")
    return found


def code_of(code_or_name: str) -> str:
    """The code alone: `code_of("German") == "de"`. Raises UsageError as `language` does."""
    return language(code_or_name).code


def is_language(code_or_name: str) -> bool:
    """Whether the table has this code, name or alias."""
    return _folded(code_or_name) in _index()


@lru_cache(maxsize=1)
def _index() -> dict[str, Language]:
    """Folded spelling to language. A code wins over a name, and a name over an alias."""
    index: dict[str, Language] = {}
    for spelling in ("code", "name", "own_name"):
        for known in all_languages():
            index.setdefault(_folded(getattr(known, spelling)), known)
    for known in all_languages():
        for alias in known.aliases:
            index.setdefault(_folded(alias), known)
    return index


def _spellings() -> Iterator[str]:
    for known in all_languages():
        yield from (known.code, known.name, known.own_name, *known.aliases)


def _folded(text: str) -> str:
    """Case, Unicode form, and the way in which words are joined do not count: `pt_br` is `pt-BR`."""
    composed = unicodedata.normalize("NFC", text).casefold()
    return " ".join(part for part in re.split(r"[\s_\-]+", composed) if part)
