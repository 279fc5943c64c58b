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

from collections.abc import Iterator

from tvbench.data.authoring import HubRows, Row, text_of, user_message
from tvbench.languages import language
from tvbench.types import Ask, Contrast, Item, Sampling, Task

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


def items(row: Row, ask: Ask) -> Iterator[Item]:
    """The two items of one row. Either side's problem is the problem of both: half a comparison is none."""
    pair = f"{row.language}/{row.number}"
    prompt = PROMPTS[ask.protocol].format(language=language(row.language).name, source=text_of(row.get("source")))
    for side, column in SIDES.items():
        yield Item(
            id=f"{pair}/{side}",
            task=ask.task,
            language=row.language,
            messages=user_message(prompt, ask.picture(row, name=pair)),
            target=Contrast(pair, side == "correct"),
            sampling=SAMPLING,
            cluster=row.text("image_name") or pair,
            continuation=row.text(column),
            problem=_empty(row, pair),
        )


def _empty(row: Row, pair: str) -> str | None:
    empty = [column for column in COLUMNS if not row.text(column)]
    return f"row {pair} has an empty {' and '.join(empty)}" if empty else None


TASK = Task(
    name="commute",
    version="1",
    title="CoMMuTE: ambiguous sentences, of which the picture decides the translation",
    source=HubRows(REPO, COLUMNS, ("image",), split="{code}", note="one split a language; needs a token of the hub"),
    item=items,
    second_bos=("paper",),
    protocols={
        "tvbench": "how probable each translation is as the answer to our own prompt",
        "paper": "the same, with the prompt of the TowerVision authors; their scoring is not repeated",
    },
    primary="contrastive_sum",
    metrics=("contrastive_sum", "contrastive_mean", "logprob_sum", "logprob_mean"),
    languages=LANGUAGES,
    group="translation",
    paper="arXiv 2212.10140",
    notes="Needs an engine that returns log-probabilities of a given text: the local ones, or a vLLM server. Chance is"
    " 50 %, and so is any model that does not look at the picture. --limit N keeps N rows, which are 2 N items. Not"
    " comparable with published figures.",
    tokens_per_answer=1,
)
