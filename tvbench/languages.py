"""Languages by any code or name: `language("deu").code == language("Alemán").code == "de"`.

What we say of a language is in one CSV beside this file: the languages of ALM-Bench, ViMUL-Bench, Multi30K, CoMMuTE
and CC-OCR, those that TowerVision was trained on, and their neighbours. Codes are BCP 47 tags as short as they can be
(`de`, `pt-BR`, `zh-Hans`, `arz`). The other columns, and where they are from (docs/languages.md says what is
uncertain):

- `script`: ISO 15924, of the form that benchmarks print; agrees with CLDR's likely script for every code.
- `family`: top-level family and branch (`Indo-European/Germanic`), common names, set down by hand after Glottolog.
- `speakers`: millions of people who can use the language, first and second language together; Unicode CLDR 40 as
  packaged in `language_data` 1.4.0. Empty where CLDR has no figure worth the name (Esperanto, Latin, Hmong).
- `resource_class`: 0..5 of Joshi et al. 2020 (arXiv 2004.09095), from their list `lang2tax.txt`; empty for varieties
  that the list does not have.
- `towervision`: `core` (the ten languages of Tower and their locales), `added` (the others of the 20 that TowerVision
  supports, arXiv 2510.21849), `unseen` (all others).

What the table does not spell is looked up by `langcodes` (ISO 639-1, -2 and -3, BCP 47, CLDR's names of languages in
every language of the table), which is imported only then. A language that the table lacks has its code, names, script
and speakers from there, and no family and no class. Knows no benchmark and no model.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from os.path import dirname, join
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, cast

from tvbench.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from langcodes import Language as Tag

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
    """The language that `code_or_name` means, whatever its case, blanks, hyphens or underscores: a code (`de`, `deu`,
    `ger`, `deu_Latn`, `zh-CN`), or a name in any of the table's languages.

    Raises UsageError with the nearest known names, and for `all`, which nobody means for Allar.
    """
    if _folded(code_or_name) == "all":
        raise every_language()
    found = _found(code_or_name)
    if found is None:
        hint = "codes (de, deu) and names (German, Deutsch, Alemán) all work"
        raise unknown_name("language", code_or_name, _spellings(), of_country(code_or_name) or hint)
    return found


def every_language() -> UsageError:
    """What is said of `all` where a language is to be named."""
    return UsageError(
        "'all' is not the name of a language", "every language is taken where none is named: leave --languages out"
    )


def code_of(code_or_name: str) -> str:
    """The code alone: `code_of("German") == "de"`. Raises UsageError as `language` does."""
    return language(code_or_name).code


def language_name(code: str) -> str:
    """The English name of a language by the code that items have; of a code that is no language the code itself."""
    return language(code).name if is_language(code) else code


def is_language(code_or_name: str) -> bool:
    """Whether this is a language where it might be another word: a row of the table, or one whose speakers CLDR counts.

    Narrower than `language`: `all`, `art` and `val` are codes of small languages too.
    """
    found = _found(code_or_name)
    return found is not None and (found.speakers is not None or is_listed(found.code))


def is_listed(code: str) -> bool:
    """Whether the table has a row of this code."""
    row = _index().get(_folded(code))
    return row is not None and row.code == code


@lru_cache(maxsize=4096)
def _found(code_or_name: str) -> Language | None:
    if any("\ud800" <= letter <= "\udfff" for letter in code_or_name):  # no text: it cannot be encoded
        return None
    folded = _folded(code_or_name)
    return _index().get(folded) or _by_tag(code_or_name.strip()) or _by_name(folded)


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


# ── What the table does not spell ─────────────────────────────────────────────────────────────────

NO_LANGUAGES = frozenset({"mis", "mul", "und", "zxx"})
"""Codes of ISO 639 for what is no language."""


def _by_tag(text: str) -> Language | None:
    """The language of a BCP 47 tag, in whatever ISO 639 code: the table's row for it, or what CLDR says of it."""
    from langcodes import Language as Tag

    try:
        tag = Tag.get(text.replace("_", "-"))
    except ValueError:  # no tag at all
        return None
    if (
        not tag.is_valid()
        or tag.extlangs
        or tag.language in (None, *NO_LANGUAGES)
        or tag.display_name().startswith("Unknown")
    ):
        return None
    row = next((_index()[_folded(form)] for form in _forms(tag) if _folded(form) in _index()), None)
    return row or _beyond_the_table(tag)


def _forms(tag: Tag) -> Iterator[str]:
    """Ever more general tags of the same language: with its likely script, without, as its macro-language."""
    both = (tag, tag.prefer_macrolanguage())
    yield from (one.to_tag() for one in both)
    if tag.territory:
        yield from (f"{one.language}-{tag.territory}" for one in both)
    yield from (f"{one.language}-{one.maximize().script}" for one in both)
    yield from (str(one.language) for one in both)


def _beyond_the_table(tag: Tag) -> Language:
    """A language of which we have no facts of our own: names, script and speakers as CLDR has them."""
    plain = tag.make(language=tag.language, script=tag.script).simplify_script()
    people = plain.speaking_population()
    script = plain.maximize().script or "Zyyy"
    return Language(
        plain.to_tag(), plain.display_name(), plain.autonym(), script, speakers=round(people / 1e6, 3) or None
    )


def _by_name(folded: str) -> Language | None:
    """The language of a name in any of the table's languages, or of one that CLDR has in another."""
    if len(folded) < 2 or folded.isascii() and len(folded) < 4:
        return None  # `car` and `dog` are codes, if anything
    code = _translated().get(folded)
    if code is not None:
        return _index()[_folded(code)]
    from langcodes import find

    try:
        tag = find(folded)
    except LookupError:
        return None
    return _by_tag(tag.to_tag())


@lru_cache(maxsize=1)
def _translated() -> dict[str, str]:
    """The names of the table's languages in each other (CLDR), folded, with their codes. No name means two of them
    (tests/test_languages.py)."""
    from langcodes import Language as Tag

    return {
        _folded(Tag.get(known.code).display_name(other.code)): known.code
        for known in all_languages()
        for other in all_languages()
    }


def of_country(text: str) -> str:
    """A hint where `text` is a country's code rather than a language's: `dk` for Danish."""
    if not re.fullmatch("[A-Za-z]{2}", text) or is_listed(text):
        return ""
    from langcodes import Language as Tag

    spoken = Tag.make(territory=text.upper()).maximize().language
    row = _index().get(spoken or "")
    return f"{text.upper()} is a country's code; {row.name} is {row.code}" if row is not None else ""


# ── Among the languages that a task or a run has ──────────────────────────────────────────────────


class Meant(NamedTuple):
    """The codes that a name means among others, and how that is to be understood where it is not plain."""

    codes: tuple[str, ...]
    note: str = ""


def chosen_among(name: str, known: Collection[str]) -> Meant:
    """The codes of `known` that `name` means; none where they lack it.

    A code that is there stands for itself. A macro-language (`ar`, `zh`, `pt`, `no`) that is not stands for its
    members that are there, and a form of a language (`zh-CN`, `nb`, `pt-BR`) for the language, where that is what is
    there: CLDR sets them at most as far apart as two locales. Raises UsageError for what is no language.
    """
    own = {code.casefold(): code for code in known}
    if name.casefold() in own:
        return Meant((own[name.casefold()],))
    wanted = language(name)
    if wanted.code in known:
        return Meant((wanted.code,), _other_script(name, wanted))
    same = [code for code in known if is_language(code) and code_of(code) == wanted.code]
    if same:
        return Meant((same[0],))
    members = tuple(code for code in known if wanted.code in _wider(code))
    if members:
        return Meant(members, f"{name} is {_listed(members)} here")
    near = _nearest_form(wanted.code, known)
    return Meant((near,), f"{wanted.name} ({name}) is asked as {_listed((near,))} here") if near else Meant(())


def lacking(kind: str, name: str, known: Collection[str], hint: str = "") -> UsageError:
    """The error for a language that is not among the `known` ones. Of one that there is, what is spelt like its code
    is another language: only its own forms are worth a thought (`zh` for `zh-TW`)."""
    if _folded(name) == "all":
        return every_language()
    if not is_language(name):
        return unknown_name(kind, name, known, hint)
    code = code_of(name)
    forms = [other for other in known if other.split("-")[0] == code.split("-")[0]]
    return unknown_name(kind, name, known, hint, forms)


def _other_script(name: str, wanted: Language) -> str:
    """A note where the tag `name` asks for another script than the language is mostly written in."""
    script = re.search(r"[-_]([A-Za-z]{4})(?:[-_]|$)", name)
    asked = script[1].title() if script else wanted.script
    return "" if asked == wanted.script else f"{name} is asked as {_listed((wanted.code,))} here, whatever its script"


def _wider(code: str) -> set[str]:
    """The macro-language of a code (ISO 639-3), and the language without its script and region."""
    from langcodes.data_dicts import MACROLANGUAGES

    plain = code.partition("-")[0]
    return {plain, MACROLANGUAGES.get(plain, plain)} - {code}


def _nearest_form(code: str, known: Collection[str]) -> str | None:
    """The code of `known` that is the same language in another or in no form, such as `zh` for `zh-Hans`."""
    from langcodes import closest_supported_match

    forms = [other for other in known if other in _wider(code)]
    return closest_supported_match(code, forms, max_distance=CLOSE) if forms else None


CLOSE = 5
"""Of CLDR's distances: 5 lies between locales of one language, 10 between Egyptian and Standard Arabic."""


def _listed(codes: Iterable[str]) -> str:
    """`Egyptian Arabic (arz) and Saudi Arabic (ar-SA)`."""
    *others, last = [f"{language(code).name} ({code})" for code in codes]
    return f"{', '.join(others)} and {last}" if others else last


def _folded(text: str) -> str:
    """Case, Unicode form, brackets, and the way in which words are joined do not count: `pt_br` is `pt-BR`."""
    composed = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(part for part in re.split(r"[\s_\-()]+", composed) if part)
