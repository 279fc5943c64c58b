"""The words around a question of the mini world: what a model is shown, and what it should say.

The tasks ask with them and the trainer teaches with them. Protocols: `tvbench` shows options with letters and wants the
letter, `text` shows them without and wants the option itself. Knows samples; no target, no score and no tensor.
"""

from __future__ import annotations

from tvbench.data.authoring import lettered
from tvbench.languages import language
from tvbench.mini.grammars import grammar
from tvbench.mini.samples import Sample

PROTOCOLS = ("tvbench", "text")
TRANSLATE = "Translate this picture's caption from English to {language}. Reply with the translation only.\n{source}"


def asked(sample: Sample, protocol: str) -> str:
    """The prompt of a sample, pictures not counted."""
    if sample.kind == "translation":
        return TRANSLATE.format(language=language(sample.language).name, source=sample.source)
    say = grammar(sample.language)
    question = say.ask_whether(sample.question) if sample.kind == "true-false" else sample.question
    if sample.gold is None:
        return f"{question}\n{say.briefly}"
    if protocol == "text":
        return "\n".join((question, *sample.options, say.with_option))
    return f"{question}\n{with_letters(sample)}"


def with_letters(sample: Sample) -> str:
    """A sample's options with their letters, and the request for one of these."""
    return f"{lettered(sample.options)}\n{grammar(sample.language).with_letter}"


def right_answer(sample: Sample, protocol: str) -> str:
    """What a model that knows would say to `asked`."""
    if sample.gold is None:
        return sample.answers[0]
    return sample.options[sample.gold] if protocol == "text" else chr(ord("A") + sample.gold)
