"""What a person asks of one task, held against what the task declares: split, languages, settings, protocol.

    BuildOptions ──ask_of──▶ Ask, which the task's own code is told

And what a signature says of it. Knows the declaration; opens no data and sees no item.
"""

from __future__ import annotations

from collections.abc import Iterable

from tvbench.errors import UsageError, unknown_name
from tvbench.registry.declared import codes_in, read_settings, settings_word
from tvbench.runs.signature import ItemFacts
from tvbench.types import Ask, BuildOptions, Task


def ask_of(task: Task, options: BuildOptions) -> Ask:
    """What the task's own code is told. Raises UsageError, with the nearest names, for what the task does not declare;
    no data are read."""
    if options.protocol not in task.protocols:
        raise unknown_name("protocol", options.protocol, task.protocols, f"`tvbench tasks {task.name}` explains")
    if options.limit is not None and options.limit < 1:
        raise UsageError(f"a limit of {options.limit} asks nothing", "give 1 or more")
    split = chosen_split(task, options.split)
    languages = wanted_languages(task, options.languages, split)
    settings = read_settings(task, options.settings)
    named = {f"settings.{key}" for key in options.settings}
    named |= {name for name, given in (("split", options.split), ("languages", options.languages)) if given}
    return Ask(
        task.name,
        options.protocol,
        split=split,
        languages=languages,
        settings=settings,
        seed=options.seed,
        data=options.data,
        offline=options.offline,
        with_media=options.with_media,
        named=named,
    )


def chosen_split(task: Task, wanted: str | None) -> str | None:
    """The split that is meant, by its name or an alias; the first one where none is wanted."""
    if wanted is None:
        return task.splits[0] if task.splits else None
    if not task.splits:
        languages = f", or choose languages, as in --tasks {task.name}:{'+'.join(task.languages[:2])}"
        raise UsageError(
            f"task {task.name} has no splits to choose from, and cannot be asked for '{wanted}'",
            "leave --split out" + (languages if task.languages else ""),
        )
    split = task.split_aliases.get(wanted, wanted)
    if split not in task.splits:
        raise unknown_name(
            f"split of {task.name}",
            wanted,
            (*task.splits, *task.split_aliases),
            f"`tvbench tasks {task.name}` lists them",
        )
    return split


def wanted_languages(task: Task, wanted: Iterable[str], split: str | None) -> tuple[str, ...]:
    """The codes that are asked, in the order in which the task declares them. Empty: all, whatever they are."""
    codes = dict.fromkeys(code for name in wanted for code in codes_in(task, name))
    known = task.split_languages.get(split or "", task.languages)
    missing = [code for code in codes if known and code not in known]
    if missing:
        others = [name for name in task.splits if missing[0] in task.split_languages.get(name, task.languages)]
        from tvbench.languages import language

        raise UsageError(
            f"{task.name} has no {language(missing[0]).name} for {split}",
            f"languages of {split}: {', '.join(known)}; splits with it: {', '.join(others)}",
        )
    if not known or (task.more_languages and not codes):
        return tuple(codes)
    return tuple(code for code in known if not codes or code in codes)


def asked_words(task: Task, options: BuildOptions) -> dict[str, str]:
    """The fields `split`, `settings` and `code` of a signature, as far as nothing else in it tells them. What a
    stranger's task says of that is not believed."""
    split = chosen_split(task, options.split)
    told = len(task.splits) < 2 or (task.split_shown and not task.code)
    settings = settings_word(task, read_settings(task, options.settings))
    words = {"split": "" if told else split or "", "settings": settings, "code": task.code}
    return {name: word for name, word in words.items() if word}


def media_left_out(task: Task, facts: ItemFacts, with_media: bool) -> bool:
    """Whether a signature says `media:none`: no item that is asked shows a picture or clip, in a task of such."""
    if task.modality == "text":
        return False
    return not facts.shown if facts.asked else not with_media
