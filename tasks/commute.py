"""CoMMuTE: of two translations of an ambiguous English sentence, the picture decides which is right (arXiv 2212.10140).

Data: `Unbabel/commute_multimodal_mt` (a token is needed), one split a target language. Each row is one comparison of
two items that share the prompt: the model never answers, it says how probable each translation is as its answer.
Official sizes, not verified here: fr 308, de 300, ru 324, zh 334, cs 308. A model that does not look at the picture
gets exactly half: every sentence is there twice, with two pictures and the two translations swapped. That is also why
`--no-image` is worth a run.

Scored are the tokens of the translation alone, by their sum (first) and by their mean; ties are half. Protocols differ
in the prompt only: `paper` has the words of the TowerVision authors (arXiv 2510.21849). What they ran cannot be
repeated, and their own notebook leaves it out ("metrics are not well defined"). Read in their code, not run:

- the key `loglikelihood` holds a mean loss, so that lower is better;
- the scored continuation is the literal word "answer", the translation stands inside the user's turn;
- the loss averages over prompt and picture tokens too;
- a tie counts as wrong.

Published figures (table 2: de, fr, ru, zh) are therefore not comparable with ours. Not known here: the rows themselves;
column names are those that the authors' code reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tvbench.building import (
    check_settings,
    choose_languages,
    made,
    picture_in,
    require_columns,
    text_of,
    user_message,
)
from tvbench.errors import UsageError
from tvbench.languages import language
from tvbench.sources import Rows, available_splits, open_rows
from tvbench.types import Build, BuildOptions, Contrast, HubData, Item, Media, Sampling, Task

REPO = "Unbabel/commute_multimodal_mt"
LANGUAGES = ("de", "ar", "cs", "fr", "ru", "zh", "es")
SIDES = {"correct": "correct_translation", "incorrect": "incorrect_translation"}
"""The end of an item's id, and the column of its translation."""
COLUMNS = ("source", *SIDES.values())

PROMPTS = {
    "tvbench": "Translate this sentence from English to {language}. Reply with the translation only.\n{source}",
    "paper": "Translate the following source text from English to {language}:\n{source}",
}
SAMPLING = Sampling(max_new_tokens=1)
"""Nothing is sampled: log-probabilities of a given text are asked for."""


def build(options: BuildOptions) -> Build:
    """Two items a row, language by language; a limit of N keeps N rows of each, so that no pair is torn.

    Raises UsageError for unknown names, a language without a split, and data of another shape.
    """
    check_settings("commute", options.settings, ())
    if options.split is not None:
        raise UsageError("commute has one split a language", "choose languages instead: --tasks commute:de+fr")
    codes, warnings = _chosen(options)
    tables = {code: _open(code, options) for code in codes}
    items = (item for code, rows in tables.items() for item in _items(code, rows, options))
    limit = None if options.limit is None else options.limit * len(SIDES)
    dataset = "+".join(dict.fromkeys(rows.dataset for rows in tables.values()))
    return made(items, replace(options, limit=limit), dataset, warnings)


def _chosen(options: BuildOptions) -> tuple[Sequence[str], list[str]]:
    """The wanted languages; where none is wanted, those that the data has, and a warning for the others."""
    wanted = choose_languages("commute", options.languages, LANGUAGES)
    found = available_splits(REPO, data=options.data, offline=options.offline)
    missing = [code for code in wanted if code not in found]
    if missing and (options.languages or len(missing) == len(wanted)):
        raise UsageError(
            f"{options.data or REPO} has no split {', '.join(missing)}", f"splits found: {', '.join(found) or 'none'}"
        )
    warnings = [f"no split {', '.join(missing)}: left out"] if missing else []
    return [code for code in wanted if code in found], warnings


def _open(code: str, options: BuildOptions) -> Rows:
    rows = open_rows(REPO, split=code, data=options.data, offline=options.offline)
    needed = (*COLUMNS, "image") if options.with_media else COLUMNS
    require_columns("commute", rows.columns, needed, f"{rows.dataset}, split {code}")
    return rows


def _items(code: str, rows: Rows, options: BuildOptions) -> Iterator[Item]:
    for number, row in enumerate(rows):
        pair = f"{code}/{number}"
        media, problem = picture_in(row.get("image"), rows, pair) if options.with_media else (None, None)
        # Either side's problem is the problem of both: half a comparison is none.
        problem = _empty(row, pair) or problem
        for side in SIDES:
            yield _item(row, pair, side, code, options.protocol, media, problem)


def _empty(row: Mapping[str, Any], pair: str) -> str | None:
    empty = [name for name in COLUMNS if not text_of(row.get(name)).strip()]
    return f"row {pair} has an empty {' and '.join(empty)}" if empty else None


def _item(
    row: Mapping[str, Any], pair: str, side: str, code: str, protocol: str, media: Media | None, problem: str | None
) -> Item:
    prompt = PROMPTS[protocol].format(language=language(code).name, source=text_of(row.get("source")))
    return Item(
        id=f"{pair}/{side}",
        task="commute",
        language=code,
        messages=user_message(prompt, media),
        target=Contrast(pair, side == "correct"),
        sampling=SAMPLING,
        cluster=text_of(row.get("image_name")).strip() or pair,
        continuation=text_of(row.get(SIDES[side])).strip(),
        problem=problem,
    )


TASK = Task(
    name="commute",
    version="1",
    title="CoMMuTE: ambiguous sentences, of which the picture decides the translation",
    build=build,
    second_bos=("paper",),
    protocols={
        "tvbench": "how probable each translation is as the answer to our own prompt",
        "paper": "the same, with the prompt of the TowerVision authors; their scoring is not repeated",
    },
    primary="contrastive_sum",
    metrics=("contrastive_sum", "contrastive_mean", "logprob_sum", "logprob_mean"),
    languages=LANGUAGES,
    data=(HubData(REPO, note="one split a language; needs a token of the hub"),),
    group="translation",
    paper="arXiv 2212.10140",
    notes="Needs an engine that returns log-probabilities of a given text: the local ones, or a vLLM server. Chance is"
    " 50 %, and so is any model that does not look at the picture. --limit N keeps N rows, which are 2 N items. Not"
    " comparable with published figures.",
    tokens_per_answer=1,
)
