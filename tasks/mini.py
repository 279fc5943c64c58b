"""Three small tasks of a generated world, shaped like ALM-Bench, Multi30K and ViMUL-Bench. Nothing is downloaded.

Coloured shapes and icons (tvbench/mini): questions on pictures, captions to be translated, clips of eight frames, in
ten languages and six scripts. The questions of split `test` are on compositions (a noun in a colour) that split `train`
never shows or names; those of `validation` are on other pictures of compositions that it does. Languages share the
pictures, so that items of one picture form a cluster.

Protocols of the questions: `text` shows no letters and asks for the option itself, which is what the embedded model has
learned; `tvbench` shows letters, as `alm` and `vimul` do. Settings: `level` (1 to 4, how hard the world is), `items`
(how many of each kind in each language), and `pictures=blank`, which shows the ground only: habits told from sight.
"""

from __future__ import annotations

from typing import cast

from tvbench.mini import prompts, samples
from tvbench.mini.grammars import LANGUAGES
from tvbench.mini.samples import DEFAULT_COUNT, DEFAULT_LEVEL, Sample
from tvbench.mini.world import SPLITS, Split, level_of
from tvbench.types import Ask, Choice, Item, Message, Opened, Sampling, Setting, Short, Target, Task, Translation

SETTINGS = {
    "level": Setting("how hard the world is, 1 to 4", DEFAULT_LEVEL, least=1, shown=True),
    "items": Setting("items of each kind in each language", DEFAULT_COUNT, least=1, shown=True),
    "pictures": Setting("blank: the ground only, to tell habits", "drawn", ("drawn", "blank"), shown=True),
}
SHORT_ANSWER = Sampling(max_new_tokens=16)
LONG_ANSWER = Sampling(max_new_tokens=64)


def world(ask: Ask) -> Opened:
    """The samples of one task. Raises UsageError for a level that there is not."""
    level, count, blank = ask.settings["level"], ask.settings["items"], ask.settings["pictures"] == "blank"
    level_of(level)
    drawn = samples.samples(
        cast(samples.Task, ask.task),
        split=cast(Split, ask.split),
        seed=ask.seed,
        level=level,
        languages=ask.languages,
        count=count,
    )
    dataset = f"tvbench-mini@1:{ask.split}:level{level}:seed{ask.seed}:{count}" + ":blank" * blank
    return Opened((samples.blank(sample) if blank else sample for sample in drawn), dataset)


def item(sample: Sample, ask: Ask) -> Item:
    """The item of one sample."""
    text, target = _asked(sample, ask.protocol)
    return Item(
        id=sample.id,
        task=sample.task,
        language=sample.language,
        messages=(Message("user", (*sample.media, text)),),
        target=target,
        sampling=LONG_ANSWER if isinstance(target, Translation) else SHORT_ANSWER,
        cluster=sample.cluster,
        tags={"question_type": sample.kind, "category": sample.category},
    )


def _asked(sample: Sample, protocol: str) -> tuple[str, Target]:
    """The prompt, and what its answer is held against."""
    prompt = prompts.asked(sample, protocol)
    if sample.kind == "translation":
        return prompt, Translation(sample.source, sample.answers, sample.sense, sample.wrong_sense)
    if sample.gold is None:
        return prompt, Short(sample.answers)
    right = prompts.right_answer(sample, protocol)
    if protocol == "text":
        return prompt, Choice(sample.options, sample.gold, right, shown=sample.options)
    return prompt, Choice(sample.options, sample.gold, right, letters=True)


TARGETS = tuple(code for code in LANGUAGES if code != "en")
QUESTIONS = {
    "text": "options without letters, answered by the option itself; short questions answered freely",
    "tvbench": "options with letters, answered by the letter",
}

TASKS = [
    Task(
        name="mini-alm",
        version="1",
        title="generated: questions on pictures of coloured shapes and icons, 10 languages",
        source=world,
        item=item,
        settings=SETTINGS,
        protocols=QUESTIONS,
        primary="aligned",
        metrics=("aligned", "strict", "casefold", "fragment", "accuracy"),
        languages=LANGUAGES,
        splits=SPLITS,
        split_shown=True,
        group="mini",
    ),
    Task(
        name="mini-multi30k",
        version="1",
        title="generated: captions translated from English, half of them ambiguous without their picture",
        source=world,
        item=item,
        settings=SETTINGS,
        protocols={
            "text": "asks for the translation and nothing else",
            "tvbench": "the same: a translation has no letters",
        },
        primary="chrfpp",
        metrics=("chrfpp", "bleu", "sense"),
        languages=TARGETS,
        splits=SPLITS,
        split_shown=True,
        group="mini",
        notes="`sense` is the share of ambiguous captions that were read rightly.",
        tokens_per_answer=24,
    ),
    Task(
        name="mini-vimul",
        version="1",
        title="generated: questions on clips of moving shapes, 10 languages",
        source=world,
        item=item,
        settings=SETTINGS,
        protocols=QUESTIONS,
        primary="aligned",
        metrics=("aligned", "strict", "casefold", "fragment"),
        languages=LANGUAGES,
        splits=SPLITS,
        split_shown=True,
        modality="video",
        group="mini",
    ),
]
