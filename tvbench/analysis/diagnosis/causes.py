"""The causes by name: what is counted, and what a person can do about it.

CAUSES stands in the order in which a lost point is given away: an answer with several causes loses its points to the
first of them. Knows words only.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """`label` heads a column, `meaning` says what is counted, `advice` what to do. Where not `explains`, the cause is
    counted and shown, and no loss is ever put down to it."""

    id: str
    label: str
    meaning: str
    advice: str = ""
    explains: bool = True


CAUSES: dict[str, Cause] = {
    cause.id: cause
    for cause in (
        Cause(
            "empty",
            "empty",
            "no visible character",
            "look at the answers' `error` and `finish`: some harnesses log a failed generation as an empty answer",
        ),
        Cause(
            "thinking",
            "ran out while thinking",
            "the token limit came before the answer did: all was thinking",
            "ask again with a larger --thinking-tokens, or with --no-thinking",
        ),
        Cause(
            "repetition",
            "runaway repetition",
            "more than 80 words, fewer than 20 % of them different",
            "a model fault, not one of knowledge: compare with another checkpoint, or look at its end-of-turn token",
        ),
        Cause(
            "stuck",
            "stuck at the end",
            "a shorter answer, or one without blanks, that repeats a piece to its end",
            "a model fault, as runaway repetition is: look at its end-of-turn token",
        ),
        Cause(
            "truncated",
            "cut off",
            "stopped by the token limit, or ends in mid-sentence as no right text does; in logs without either sign: "
            "long enough for the limit and without an end",
            "ask again with a larger --max-new-tokens; if it stopped by itself, look at its stop and end tokens",
        ),
        Cause(
            "refusal",
            "refusal",
            "not right, and opens like a refusal, or talks of what it cannot or may not do instead of doing it",
            "check that the picture reached the model, and its system prompt",
        ),
        Cause(
            "copied",
            "source copied",
            "the translation is its source",
            "the model did not translate: check the prompt's language name and the chat template",
        ),
        Cause(
            "wrong_language",
            "wrong language",
            "no identifier takes it for the asked language; less the share of references that they reject as well",
            "name the language in the prompt, or train on it",
        ),
        Cause(
            "wrong_script",
            "wrong script",
            "most of it (a quarter of a page that is read) in letters that the right text is not written in, such as "
            "Latin for Cyrillic: a transliteration, or look-alikes",
            "the model knows the words and writes other letters: name the script in the prompt, or train on it",
        ),
        Cause(
            "foreign",
            "partly another language",
            "a line, a sentence or a half of it is in another language or script, or in the source's own words",
            "name the language in the prompt, lower the temperature, or train on it",
        ),
        Cause("ambiguous", "several options", "it names more than one option", "ask for one letter (protocol tvbench)"),
        Cause(
            "unparsed",
            "no option",
            "none of the options could be read from it",
            "read the examples: prose, or an answer of the model's own",
        ),
        Cause(
            "form",
            "other form",
            "the right option, but not letter for letter",
            "the metric's loss, not the model's: read `aligned`",
        ),
        Cause(
            "piece",
            "piece of option",
            "a piece of the right option and of no other",
            "often an option that the prompt broke at a comma: read the examples, ask with protocol tvbench",
        ),
        Cause(
            "incomplete",
            "incomplete",
            "less than half of the right text's tokens, or of the reference's length",
            "read the examples: text that was not seen, or a summary in place of the whole",
        ),
        Cause(
            "overlong",
            "overlong",
            "more than twice the tokens of the right text, and 50",
            "the model goes on after the text: read the examples",
        ),
        Cause(
            "alternatives",
            "two alternatives",
            'more than one version of the answer: with a slash, an "or", numbers, or said twice in other words',
            "ask for one version only",
        ),
        Cause(
            "chatty",
            "chatty",
            "more than was asked for: prose around an option or a short answer, an announcement or a note around a "
            "translation, or 2.5 times the length of the reference",
            "ask for the answer only, or score with a metric that reads it out of the prose",
        ),
        Cause(
            "inside_word",
            "inside a word",
            "counted as right, but the answer only stands inside a longer word",
            explains=False,
        ),
    )
}
"""The first cause that explains a loss gets it."""

WRONG = "wrong"
"""The remainder: answered in the asked form, and wrong (or partly wrong)."""
WRONG_LABEL = "answered, but wrong"


def label(cause: str) -> str:
    """What people call a cause."""
    return WRONG_LABEL if cause == WRONG else CAUSES[cause].label
