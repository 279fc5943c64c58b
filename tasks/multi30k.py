"""Multi30K: captions translated from English, with the picture or without (arXiv 1605.00459).

Data: `romrawinjp/multi30k`, whose split `test` is the official `test_2016_flickr`; or the official raw files, a folder
with `test_2016_flickr.en.gz`, `.de.gz`, ... (plain files do too), the list of pictures `test_2016_flickr.txt` and the
pictures in `images/`. Only the raw files have the other test sets. Czech exists for 2016 and 2018 alone.

Protocols differ in the prompt: `paper` is that of the TowerVision authors (arXiv 2510.21849), who report XCOMET-XL;
BLEU and chrF++ are given for both. `--no-image` asks the same prompt without the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvbench.data.authoring import Row, logged_prompt, require_columns, text_of, user_message
from tvbench.data.multi30k_raw import RAW_REPO, raw_folder, raw_name, raw_pictures, raw_texts
from tvbench.data.sources import available_splits, local_folder, open_rows
from tvbench.errors import UsageError
from tvbench.languages import ENGLISH, code_of, language
from tvbench.types import Ask, HubData, Item, Media, Message, Opened, Sampling, Task, Translation

REPO = "romrawinjp/multi30k"
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


@dataclass(frozen=True, slots=True)
class Sentence:
    """One line of a test set in one language: its number, the source, the reference, and how to find its picture."""

    split: str
    code: str
    number: int
    source: str
    reference: str
    row: Row | None = None
    picture: Media | None = None


def sentences(ask: Ask) -> Opened:
    """All sentences of a split in all wanted languages, language by language. Raises UsageError for missing or unequal
    files."""
    split = ask.split or FLICKR_2016
    data = local_folder(ask.data, REPO) if ask.data is not None else None
    folder = raw_folder(data, split, tuple(SPLIT_LANGUAGES)) if data is not None else None
    if data is not None and folder is not None:
        return _from_raw(ask, data, folder, split)
    return _from_hub(ask, split)


def _from_hub(ask: Ask, split: str) -> Opened:
    own_splits = available_splits(REPO, data=ask.data, offline=ask.offline)
    own = split if split in own_splits else "test" if split == FLICKR_2016 else None
    if own is None:
        raise UsageError(
            f"{ask.data or REPO} has no {split}: its splits are {', '.join(own_splits) or 'none'}",
            f"give a folder with the official raw files ({split}.en.gz, ...) with --data DIR: {RAW_REPO} on GitHub",
        )
    rows = open_rows(REPO, split=own, data=ask.data, offline=ask.offline)
    require_columns(ask.task, rows.columns, (ENGLISH, *ask.languages), rows.dataset)

    def found() -> Iterator[Sentence]:
        table = list(rows)
        for code in ask.languages:
            for number, cells in enumerate(table):
                row = Row(cells, number, code, rows)
                yield Sentence(split, code, number, text_of(cells[ENGLISH]), text_of(cells[code]), row=row)

    return Opened(found(), rows.dataset)


def _from_raw(ask: Ask, data: Path, folder: Path, split: str) -> Opened:
    texts = raw_texts(data, folder, split, ask.languages)
    pictures = raw_pictures(data, split, len(texts[ENGLISH])) if ask.with_media else None

    def found() -> Iterator[Sentence]:
        for code in ask.languages:
            for number, (source, reference) in enumerate(zip(texts[ENGLISH], texts[code], strict=True)):
                yield Sentence(split, code, number, source, reference, picture=pictures[number] if pictures else None)

    return Opened(found(), raw_name(data, folder, split, SPLIT_LANGUAGES[split]))


def item(sentence: Sentence, ask: Ask) -> Item:
    """The item of one sentence."""
    picture = sentence.picture
    if sentence.row is not None:
        picture = ask.picture(sentence.row, name=f"{sentence.split}/{sentence.number}")
    prompt = PROMPTS[ask.protocol].format(language=language(sentence.code).name, source=sentence.source)
    problem = None
    for name, text in ((ENGLISH, sentence.source), (sentence.code, sentence.reference)):
        if not text.strip():
            problem = f"sentence {sentence.number + 1} of {sentence.split} is empty in {name}"
    return _translation(sentence, user_message(prompt, picture), problem)


def _translation(sentence: Sentence, messages: tuple[Message, ...], problem: str | None = None) -> Item:
    return Item(
        id=f"{sentence.code}/{sentence.number}",
        task="multi30k",
        language=sentence.code,
        messages=messages,
        target=Translation(sentence.source, (sentence.reference,)),
        sampling=SAMPLING,
        cluster=f"{sentence.split}/{sentence.number}",
        tags={"split": sentence.split},
        problem=problem,
    )


def from_log(log_name: str, row: Mapping[str, Any], config: Mapping[str, Any]) -> Item:
    """The item of one logged row (`multi30k-de`, ...): line `doc_id` of test_2016_flickr, which the logs show to be
    what the authors ran. Raises KeyError for a `doc` that lacks the language, UsageError for an unknown language."""
    code = code_of(log_name.rpartition("-")[2])
    doc = row["doc"]
    sentence = Sentence(FLICKR_2016, code, int(row["doc_id"]), text_of(doc[ENGLISH]), text_of(doc[code]))
    return _translation(sentence, logged_prompt(row))


TASK = Task(
    name="multi30k",
    version="1",
    title="Multi30K: captions of pictures translated from English",
    source=sentences,
    item=item,
    second_bos=("paper",),
    protocols={"tvbench": "asks for the translation and nothing else", "paper": "prompt of the TowerVision authors"},
    primary="chrfpp",
    metrics=("chrfpp", "bleu"),
    languages=LANGUAGES,
    splits=tuple(SPLIT_LANGUAGES),
    split_aliases=SPLIT_ALIASES,
    split_languages=SPLIT_LANGUAGES,
    split_shown=True,
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
