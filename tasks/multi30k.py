"""Multi30K: captions translated from English, with the picture or without (arXiv 1605.00459).

Data: `romrawinjp/multi30k`, whose split `test` is the official `test_2016_flickr`; or the official raw files, a folder
with `test_2016_flickr.en.gz`, `.de.gz`, ... (plain files do too), the list of pictures `test_2016_flickr.txt` and the
pictures in `images/`. Only the raw files have the other test sets. Czech exists for 2016 and 2018 alone.

Protocols differ in the prompt: `paper` is that of the TowerVision authors (arXiv 2510.21849), who report XCOMET-XL;
BLEU and chrF++ are given for both. `--no-image` asks the same prompt without the picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tvbench.building import (
    check_settings,
    choose_languages,
    choose_split,
    logged_prompt,
    made,
    picture_in,
    require_columns,
    text_of,
    user_message,
)
from tvbench.errors import MediaError, UsageError
from tvbench.languages import ENGLISH, language
from tvbench.sources import available_splits, local_folder, open_rows, picture_file, read_text_lines
from tvbench.types import Build, BuildOptions, HubData, Item, Media, Message, Sampling, Task, Translation

REPO = "romrawinjp/multi30k"
RAW_REPO = "multi30k/dataset"
LANGUAGES = ("de", "fr", "cs")
FLICKR_2016 = "test_2016_flickr"
SPLIT_LANGUAGES = {
    FLICKR_2016: ("de", "fr", "cs"),
    "test_2017_flickr": ("de", "fr"),
    "test_2018_flickr": ("de", "fr", "cs"),
    "test_2017_mscoco": ("de", "fr"),
}
SPLIT_ALIASES = {
    "test": FLICKR_2016,
    "2016": FLICKR_2016,
    "2016_flickr": FLICKR_2016,
    "2017": "test_2017_flickr",
    "2017_flickr": "test_2017_flickr",
    "2018": "test_2018_flickr",
    "2018_flickr": "test_2018_flickr",
    "mscoco": "test_2017_mscoco",
    "2017_mscoco": "test_2017_mscoco",
}

PROMPTS = {
    "tvbench": "Translate this picture's caption from English to {language}. Reply with the translation only.\n"
    "{source}",
    "paper": "Translate the following source text from English to {language}:\n{source}",
}
SAMPLING = Sampling(max_new_tokens=128)

TEXT_FOLDERS = (".", "raw", "data/task1/raw")
"""Where the raw texts lie below --data: beside each other, or as in a clone of the official repository."""
LIST_FOLDERS = (".", "image_splits", "data/task1/image_splits")
PICTURE_FOLDERS = ("images", "flickr30k-images", ".")
SHOWN_MISSING = 3


@dataclass(frozen=True, slots=True)
class Sentence:
    """One line of a test set: its number, the source, the reference of each language, and the picture's name."""

    number: int
    source: str
    references: Mapping[str, str]
    picture: str = ""


# ── Building ──────────────────────────────────────────────────────────────────────────────────────


def build(options: BuildOptions) -> Build:
    """All sentences of a split in all chosen languages, language by language.

    Raises UsageError for unknown names, a language that the split has not, and missing or unequal files.
    """
    check_settings("multi30k", options.settings, ())
    split = choose_split("multi30k", options.split, tuple(SPLIT_LANGUAGES), SPLIT_ALIASES)
    wanted = choose_languages("multi30k", options.languages, LANGUAGES)
    missing = [code for code in wanted if code not in SPLIT_LANGUAGES[split]]
    if missing and options.languages:
        raise UsageError(
            f"multi30k has no {language(missing[0]).name} for {split}",
            f"languages of {split}: {', '.join(SPLIT_LANGUAGES[split])}; splits with it: "
            + ", ".join(name for name, codes in SPLIT_LANGUAGES.items() if missing[0] in codes),
        )
    codes = [code for code in wanted if code not in missing]
    data = local_folder(options.data, REPO) if options.data is not None else None
    texts = _raw_folder(data, split) if data is not None else None
    if data is not None and texts is not None:
        return _from_raw(options, data, texts, split, codes)
    return _from_hub(options, split, codes)


def _from_hub(options: BuildOptions, split: str, codes: Sequence[str]) -> Build:
    own_splits = available_splits(REPO, data=options.data, offline=options.offline)
    own = split if split in own_splits else "test" if split == FLICKR_2016 else None
    if own is None:
        where = options.data or REPO
        raise UsageError(
            f"{where} has no {split}: its splits are {', '.join(own_splits) or 'none'}",
            f"give a folder with the official raw files ({split}.en.gz, ...) with --data DIR: {RAW_REPO} on GitHub",
        )
    rows = open_rows(REPO, split=own, data=options.data, offline=options.offline)
    require_columns("multi30k", rows.columns, (ENGLISH, *codes), rows.dataset)

    def items() -> Iterator[Item]:
        table = list(rows)
        for code in codes:
            for number, row in enumerate(table):
                sentence = Sentence(number, text_of(row[ENGLISH]), {code: text_of(row[code])})
                media, problem = None, None
                if options.with_media:
                    media, problem = picture_in(row.get("image"), rows, f"{split}/{number}")
                yield _item(sentence, code, split, options.protocol, media, problem)

    return made(items(), options, rows.dataset)


def _item(
    sentence: Sentence, code: str, split: str, protocol: str, media: Media | None, problem: str | None
) -> Item:
    for name, text in ((ENGLISH, sentence.source), *sentence.references.items()):
        if not text.strip():
            problem = f"sentence {sentence.number + 1} of {split} is empty in {name}"
    prompt = PROMPTS[protocol].format(language=language(code).name, source=sentence.source)
    return _translation(sentence, code, split, user_message(prompt, media), problem)


def _translation(
    sentence: Sentence, code: str, split: str, messages: tuple[Message, ...], problem: str | None = None
) -> Item:
    return Item(
        id=f"{code}/{sentence.number}",
        task="multi30k",
        language=code,
        messages=messages,
        target=Translation(sentence.source, (sentence.references[code],)),
        sampling=SAMPLING,
        cluster=f"{split}/{sentence.number}",
        tags={"split": split},
        problem=problem,
    )


# ── The official raw files ────────────────────────────────────────────────────────────────────────


def _raw_folder(data: Path, split: str) -> Path | None:
    """The folder below `data` with the raw texts, or None where `data` is in hub layout.

    Raises UsageError where there are raw texts, but of other splits.
    """
    for folder in (data / name for name in TEXT_FOLDERS):
        if _text_file(folder, split, ENGLISH) is not None:
            return folder
    others = [s for s in SPLIT_LANGUAGES if any(_text_file(data / name, s, ENGLISH) for name in TEXT_FOLDERS)]
    if others:
        raise UsageError(
            f"{data} has neither {split}.en nor {split}.en.gz", f"copy {split}.* there; here are: {', '.join(others)}"
        )
    return None


def _text_file(folder: Path, split: str, code: str) -> Path | None:
    paths = (folder / f"{split}.{code}{ending}" for ending in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)


def _from_raw(options: BuildOptions, data: Path, folder: Path, split: str, codes: Sequence[str]) -> Build:
    texts = {code: _lines(data, folder, split, code) for code in (ENGLISH, *codes)}
    for code in codes:
        if len(texts[code]) != len(texts[ENGLISH]):
            raise UsageError(
                f"{split}.{code} has {len(texts[code])} lines, but {split}.en has {len(texts[ENGLISH])}",
                f"the files in {folder} must belong together, line by line",
            )
    pictures = _pictures(data, split, len(texts[ENGLISH])) if options.with_media else None

    def items() -> Iterator[Item]:
        for code in codes:
            for number, (source, reference) in enumerate(zip(texts[ENGLISH], texts[code], strict=True)):
                media, problem = pictures[number] if pictures is not None else (None, None)
                yield _item(Sentence(number, source, {code: reference}), code, split, options.protocol, media, problem)

    return made(items(), options, f"{RAW_REPO}/{split}@local:{_digest(data, folder, split)}")


def _lines(data: Path, folder: Path, split: str, code: str) -> list[str]:
    path = _text_file(folder, split, code)
    if path is None:
        raise UsageError(f"{folder} has neither {split}.{code} nor {split}.{code}.gz", f"copy it there: {RAW_REPO}")
    return read_text_lines(path, data)


def _digest(data: Path, folder: Path, split: str) -> str:
    """Twelve hex digits over all texts of the split, whichever languages are asked: one data set, one name."""
    digest = hashlib.sha256()
    for code in (ENGLISH, *SPLIT_LANGUAGES[split]):
        path = _text_file(folder, split, code)
        if path is not None:
            digest.update(f"{code}\n".encode())
            digest.update("\n".join(read_text_lines(path, data)).encode())
    return digest.hexdigest()[:12]


Picture: TypeAlias = tuple[Media | None, str | None]


def _pictures(data: Path, split: str, count: int) -> list[Picture]:
    """Each line's (picture, None), or (None, what is wrong with it). Raises UsageError where there is no list, or none
    of its pictures."""
    hint = "or leave the pictures out: --no-image"
    names = next((path for path in (data / name / f"{split}.txt" for name in LIST_FOLDERS) if path.is_file()), None)
    if names is None:
        raise UsageError(f"{data} has no list of pictures {split}.txt", f"copy it there, {hint}")
    listed = [line.strip().partition("#")[0] for line in read_text_lines(names, data)]
    if len(listed) != count:
        raise UsageError(f"{names.name} lists {len(listed)} pictures for {count} sentences", f"mend it, {hint}")
    folders = (f"images/{split}", *PICTURE_FOLDERS)
    for folder in folders:
        found = [_picture(data, folder, name, f"{names.name}:{number}") for number, name in enumerate(listed, 1)]
        if any(media is not None for media, _ in found):
            return found
    looked = ", ".join(str(data / folder) for folder in folders)
    examples = ", ".join(listed[:SHOWN_MISSING])
    raise UsageError(f"no pictures of {split} ({examples}, ...); looked in {looked}", f"put them there, {hint}")


def _picture(data: Path, folder: str, name: str, where: str) -> Picture:
    try:
        return picture_file(data, str(Path(folder) / name), where), None
    except MediaError as error:
        return None, f"no picture: {error}"


# ── Logs ──────────────────────────────────────────────────────────────────────────────────────────


def from_log(log_name: str, row: Mapping[str, Any], config: Mapping[str, Any]) -> Item:
    """The item of one logged row (`multi30k-de`, ...): line `doc_id` of test_2016_flickr, which the logs show to be
    what the authors ran. Raises KeyError for a `doc` that lacks the language, UsageError for an unknown language."""
    (code,) = choose_languages("multi30k", (log_name.rpartition("-")[2],), LANGUAGES)
    doc = row["doc"]
    sentence = Sentence(int(row["doc_id"]), text_of(doc[ENGLISH]), {code: text_of(doc[code])})
    return _translation(sentence, code, FLICKR_2016, logged_prompt(row))


TASK = Task(
    name="multi30k",
    version="1",
    title="Multi30K: captions of pictures translated from English",
    build=build,
    second_bos=("paper",),
    protocols={
        "tvbench": "asks for the translation and nothing else",
        "paper": "prompt of the TowerVision authors",
    },
    primary="chrfpp",
    metrics=("chrfpp", "bleu"),
    languages=LANGUAGES,
    splits=tuple(SPLIT_LANGUAGES),
    data=(
        HubData(
            REPO,
            licence="Flickr terms: non-commercial research or education",
            note="split test is test_2016_flickr, 1,000 rows",
        ),
    ),
    group="translation",
    paper="arXiv 1605.00459",
    notes="Czech exists for 2016 and 2018. Splits after 2016 need the official raw files (github.com/multi30k/dataset)"
    " with --data DIR. --no-image is the text-only ablation. XCOMET-XL is not computed here.",
    log_names=("multi30k-*",),
    from_log=from_log,
    tokens_per_answer=24,
)
