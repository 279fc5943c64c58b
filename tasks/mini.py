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

from collections.abc import Iterator
from typing import cast

from tvbench.building import (
    check_settings,
    choose_languages,
    choose_split,
    made,
    whole_number,
)
from tvbench.errors import unknown_name
from tvbench.mini import prompts, samples
from tvbench.mini.grammars import LANGUAGES
from tvbench.mini.samples import DEFAULT_COUNT, DEFAULT_LEVEL, Sample
from tvbench.mini.world import SPLITS, Split, level_of
from tvbench.types import Build, BuildOptions, Choice, Item, Message, Sampling, Short, Target, Task, Translation

SETTINGS = ("level", "items", "pictures")
PICTURES = ("drawn", "blank")
SHORT_ANSWER = Sampling(max_new_tokens=16)
LONG_ANSWER = Sampling(max_new_tokens=64)


def build_alm(options: BuildOptions) -> Build:
    """Choices, true/false and short questions on one to three pictures. Raises UsageError for unknown names."""
    return _build("mini-alm", options, LANGUAGES)


def build_multi30k(options: BuildOptions) -> Build:
    """Captions with their pictures; half of them are ambiguous without. Raises UsageError for unknown names."""
    return _build("mini-multi30k", options, TARGETS)


def build_vimul(options: BuildOptions) -> Build:
    """Choices on clips. Raises UsageError for unknown names."""
    return _build("mini-vimul", options, LANGUAGES)


def _build(task: samples.Task, options: BuildOptions, known: tuple[str, ...]) -> Build:
    check_settings(task, options.settings, SETTINGS)
    level = whole_number(task, options.settings, "level", DEFAULT_LEVEL)
    level_of(level)
    count = whole_number(task, options.settings, "items", DEFAULT_COUNT)
    pictures = options.settings.get("pictures", PICTURES[0])
    if pictures not in PICTURES:
        raise unknown_name(f"kind of pictures of {task}", pictures, PICTURES)
    split = cast(Split, choose_split(task, options.split, SPLITS))
    languages = choose_languages(task, options.languages, known)

    def items() -> Iterator[Item]:
        for sample in samples.samples(
            task, split=split, seed=options.seed, level=level, languages=languages, count=count
        ):
            shown = samples.blank(sample) if pictures == "blank" else sample
            yield _item(shown, options)

    dataset = f"tvbench-mini@1:{split}:level{level}:seed{options.seed}:{count}" + (":blank" * (pictures == "blank"))
    return made(items(), options, dataset)


def _item(sample: Sample, options: BuildOptions) -> Item:
    media = sample.media if options.with_media else ()
    text, target = _asked(sample, options.protocol)
    return Item(
        id=sample.id,
        task=sample.task,
        language=sample.language,
        messages=(Message("user", (*media, text)),),
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
NOTES = "Settings: {0}.level=1 to 4, {0}.items=N of each kind in each language, {0}.pictures=drawn or blank."

TASKS = [
    Task(
        name="mini-alm",
        version="1",
        title="generated: questions on pictures of coloured shapes and icons, 10 languages",
        build=build_alm,
        protocols=QUESTIONS,
        primary="aligned",
        metrics=("aligned", "strict", "casefold", "fragment", "accuracy"),
        languages=LANGUAGES,
        splits=SPLITS,
        group="mini",
        notes=NOTES.format("mini-alm"),
    ),
    Task(
        name="mini-multi30k",
        version="1",
        title="generated: captions translated from English, half of them ambiguous without their picture",
        build=build_multi30k,
        protocols={
            "text": "asks for the translation and nothing else",
            "tvbench": "the same: a translation has no letters",
        },
        primary="chrfpp",
        metrics=("chrfpp", "bleu", "sense"),
        languages=TARGETS,
        splits=SPLITS,
        group="mini",
        notes=NOTES.format("mini-multi30k") + " `sense` is the share of ambiguous captions that were read rightly.",
        tokens_per_answer=24,
    ),
    Task(
        name="mini-vimul",
        version="1",
        title="generated: questions on clips of moving shapes, 10 languages",
        build=build_vimul,
        protocols=QUESTIONS,
        primary="aligned",
        metrics=("aligned", "strict", "casefold", "fragment"),
        languages=LANGUAGES,
        splits=SPLITS,
        modality="video",
        group="mini",
        notes=NOTES.format("mini-vimul"),
    ),
]
