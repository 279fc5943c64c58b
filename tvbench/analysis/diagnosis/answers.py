"""What can be seen of one answer: the causes (causes.py) that apply to it, and what it lost.

Knows targets and scores. Does not know other answers, so nothing here is calibrated: the wrong language, which needs
the references of a whole language, is brought in by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tvbench.analysis.diagnosis import endings, texts
from tvbench.analysis.diagnosis.additions import added, added_to_prose
from tvbench.analysis.diagnosis.causes import CAUSES
from tvbench.analysis.diagnosis.endings import is_cut, is_cut_prose
from tvbench.analysis.diagnosis.foreign import foreign_part, speaks_another
from tvbench.analysis.diagnosis.language_id import Identifiers
from tvbench.analysis.diagnosis.overlap import share
from tvbench.analysis.diagnosis.refusals import is_refusal
from tvbench.analysis.diagnosis.scripts import wrong_script
from tvbench.scoring.choice import Verdict, judge
from tvbench.scoring.guards import loss_of
from tvbench.scoring.metric import Metric
from tvbench.scoring.metrics import BUILTIN
from tvbench.scoring.normalise import contains_words, is_blank, words, written_without_blanks
from tvbench.types import Choice, Contains, Contrast, Item, OcrText, Open, Response, Score, Short, Translation

PROSE = 2
"""Words beside the option that was read, from which on an answer is chatty ..."""
LONG_PROSE = 6
"""... and beside the longest option, where none was read."""
SHORT_FACTOR, SHORT_WORDS = 2.5, 5
"""A short answer is chatty with more words than this many times the longest right one's and this many more."""
_NO_TEXT = frozenset({"empty", "repetition", "stuck", "copied", "refusal"})
"""Causes beside which no other language and no missing end is looked for."""
SHORT_TALK, UNLIKE = 250, 0.3
"""Characters of a short open answer, and the share of it that one with something of the reference has."""
RIGHT = 0.5
"""An answer that lost no more than this is no refusal."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered item. `lost` is between 0 and 1 (None: the metric is not defined for it); `seen` are causes in the
    order of CAUSES, `explaining` those of them that a loss may be put down to; `thinking` came before the answer."""

    item: Item
    text: str
    score: Score
    lost: float | None
    seen: tuple[str, ...]
    explaining: tuple[str, ...]
    thinking: str = ""


def loss_metric(primary: Metric) -> Metric:
    """The metric that losses are counted in: the headline metric, or what it names for one item's loss (sentence chrF++
    for BLEU, F1 of the picture for pooled OCR figures)."""
    return BUILTIN[primary.loss_by] if primary.loss_by else primary


def lost(item: Item, text: str, score: Score, metric: Metric) -> float | None:
    """What the item lost of the most that can be lost, 0 to 1; None where that is not known (unscored, no
    reference)."""
    return None if score.unscored is not None else loss_of(metric, item, text, score.values.get(metric.id))


def diagnose(
    item: Item,
    response: Response,
    score: Score,
    metric: Metric,
    identifiers: Identifiers | None = None,
    *,
    unmarked: bool = False,
) -> Answer:
    """Everything that is seen of an answer that came back (`response.text` is set), the language of the whole apart.
    `identifiers` sharpen what is seen of a part in another language; `unmarked` answers are by a model that leaves out
    final marks (leaves_out_marks)."""
    text = response.text or ""
    loss = lost(item, text, score, metric)
    verdict = judge(item.target, text, item.language) if isinstance(item.target, Choice) else None
    seen = {name for name, found in _signs(item, response, text, score, loss, verdict, metric) if found}
    signs = _letters_and_ends(item, text, identifiers, seen, lost=loss, unmarked=unmarked)
    seen |= {name for name, found in signs if found}
    ordered = tuple(cause for cause in CAUSES if cause in seen)
    explaining = tuple(cause for cause in ordered if CAUSES[cause].explains and _explains(cause, item, text, verdict))
    return Answer(item, text, score, loss, ordered, explaining, response.reasoning or "")


def _signs(
    item: Item, response: Response, text: str, score: Score, loss: float | None, verdict: Verdict | None, metric: Metric
) -> Iterator[tuple[str, bool]]:
    if is_blank(text):
        yield "thinking", response.ran_out_thinking
        yield "empty", not response.ran_out_thinking and not isinstance(item.target, Contrast)
        return
    loops = texts.is_loop(text)
    yield "repetition", loops and not any(map(texts.is_loop, gold_texts(item)))
    stuck = not loops and texts.ends_in_loop(text)
    yield "stuck", stuck and not any(map(texts.ends_in_loop, gold_texts(item)))
    yield "truncated", is_cut_off(response, item.sampling.max_new_tokens)
    refused = loss is None or loss > RIGHT
    yield "refusal", refused and _refuses(item, text, verdict)
    match item.target:
        case Choice() as choice:
            assert verdict is not None
            yield "ambiguous", "ambiguous" in verdict.flags
            yield "unparsed", "unparsed" in verdict.flags
            yield "form", metric.form and verdict.aligned and loss == 1
            prose = _has_prose(choice, text, verdict)
            yield "piece", verdict.fragment and not verdict.aligned and not prose
            yield "chatty", prose
        case Translation() as target:
            yield "copied", texts.is_copy(text, target.source, target.references)
            two, commented = added(text, target.references, target.source, item.language)
            yield "alternatives", two and not loops and not stuck
            yield "chatty", commented or _announces(text, target) or texts.is_long_for(text, target.references)
            shortened = target.references and all(2 * len(text) < len(right) for right in target.references)
            yield "incomplete", bool(shortened)
        case Open() as target:
            two, commented = added_to_prose(text, target.reference, item.language)
            yield "alternatives", two and not loops and not stuck
            yield "chatty", commented
        case OcrText() as ocr if ocr.text is not None:
            yield "overlong", texts.is_overlong(text, ocr.text, ocr.unit)
            yield "incomplete", texts.is_incomplete(text, ocr.text, ocr.unit)
        case Short() | Contains() as short if short.answers:
            yield "chatty", _is_long_for(text, short.answers)
            hit = isinstance(short, Contains) and loss == 0
            yield "inside_word", hit and not any(_has_words(text, answer) for answer in short.answers)
        case _:
            return


def _refuses(item: Item, text: str, verdict: Verdict | None) -> bool:
    talks = _talks(item, text, verdict)
    running = isinstance(item.target, Translation | Open)
    return is_refusal(text, gold_texts(item), _source(item), item.language, talks=talks, running=running)


def _talks(item: Item, text: str, verdict: Verdict | None) -> bool:
    """Whether an answer may talk about the picture and what is seen in it. Short ones with nothing in them of an open
    answer's reference, or of any option, do not."""
    if len(text) > SHORT_TALK or any(share(text, gold) >= UNLIKE for gold in gold_texts(item)):
        return not isinstance(item.target, Translation | OcrText)
    if verdict is not None:
        return verdict.option is not None or text.rstrip()[-1] not in texts.SENTENCE_ENDS
    return isinstance(item.target, Short | Contains)


def _letters_and_ends(
    item: Item, text: str, identifiers: Identifiers | None, seen: set[str], *, lost: float | None, unmarked: bool
) -> Iterator[tuple[str, bool]]:
    """In what letters and languages the answer is, and whether it ends before a sentence does."""
    golds, free, running = gold_texts(item), not isinstance(item.target, OcrText | Contains), not seen & _NO_TEXT
    if wrong_script(text, golds, item.language, free=free):
        speaks = speaks_another(text, golds, item.language)
        yield "foreign", speaks and running
        yield "wrong_script", not speaks
    elif running:
        yield "foreign", _is_partly_foreign(item, text, golds, identifiers, lost)
    match item.target:
        case Translation():
            yield "truncated", running and is_cut(text, golds, item.language, unmarked=unmarked)
        case Open() as target:
            yield "truncated", running and is_cut_prose(text, target.reference, item.language)
        case _:
            return


def _is_partly_foreign(
    item: Item, text: str, golds: tuple[str, ...], identifiers: Identifiers | None, lost: float | None
) -> bool:
    """What stands on a page may well be in several languages: there only frequent words tell, and only of a bad
    reading. Options, letters and short answers are not judged."""
    if isinstance(item.target, OcrText):
        return lost is not None and lost > RIGHT and speaks_another(text, golds, item.language)
    if not isinstance(item.target, Translation | Open):
        return False
    whole = None if identifiers is None else identifiers.judge(text, item.language)
    if whole is not None and not whole.accepted:
        return False  # the whole of it is: language_check.py counts that
    likelihoods = None if identifiers is None else identifiers.likelihoods
    return bool(foreign_part(text, golds, _source(item), item.language, likelihoods))


def leaves_out_marks(items: Iterable[Item], responses: Mapping[str, Response]) -> bool:
    """Whether a model's translations of `items` have no final marks as a habit; `responses` by item id."""
    pairs = ((responses[item.id].text or "", item) for item in items if item.id in responses)
    return endings.leaves_out_marks((text, gold_texts(item)) for text, item in pairs if _source(item))


def _source(item: Item) -> str:
    return item.target.source if isinstance(item.target, Translation) else ""


def _explains(cause: str, item: Item, text: str, verdict: Verdict | None) -> bool:
    """Whether the cause can be why points were lost. Prose around a wrong option is not: the option is wrong."""
    if cause != "chatty":
        return True
    if verdict is not None and isinstance(item.target, Choice):
        return verdict.option is not None and verdict.option == item.target.gold
    if isinstance(item.target, Short):
        return any(_has_words(text, answer) for answer in item.target.answers)
    return isinstance(item.target, Translation)


def gold_texts(item: Item) -> tuple[str, ...]:
    """What a right answer to `item` reads like: what signs in an answer are held against."""
    match item.target:
        case Translation() as target:
            return target.references
        case OcrText() as target:
            return () if target.text is None else (target.text,)
        case Choice() as target:
            return target.options
        case Short() | Contains() as target:
            return target.answers
        case Open() as target:
            return (target.reference,)
        case _:
            return ()


def is_cut_off(response: Response, limit: int) -> bool:
    """Whether the token limit ended the answer: what the engine said, else its count of tokens, else a guess."""
    if response.finish is not None:
        return response.finish == "length"
    if response.tokens_out is not None:
        return response.tokens_out >= limit
    return texts.seems_cut_off(response.text or "", limit)


def _has_prose(choice: Choice, text: str, verdict: Verdict) -> bool:
    """Words beside the option. A letter before it, and one word such as `Answer:`, are no prose."""
    if verdict.aligned and not choice.letters:
        return False
    letter = 1 if choice.letters else 0
    if verdict.option is None:
        asked = letter + max(map(_size, choice.options), default=0)
        return _size(text) >= asked + LONG_PROSE
    option = choice.options[verdict.option]
    if _has_words(option, text):
        return False
    asked = letter + _size(option) if _has_words(text, option) else max(letter, 1)
    return _size(text) >= asked + PROSE


def _size(text: str) -> int:
    """Words; in a text without any blank, where a script has none, pairs of characters."""
    plain = words(text)
    return len(plain) // 2 if written_without_blanks(plain) and " " not in plain else len(plain.split())


def _announces(text: str, target: Translation) -> bool:
    reference = target.references[0] if target.references else ""
    return texts.has_preamble(text, reference or target.source)


def _is_long_for(text: str, answers: tuple[str, ...]) -> bool:
    return len(text.split()) > SHORT_FACTOR * max(len(answer.split()) for answer in answers) + SHORT_WORDS


def _has_words(text: str, part: str) -> bool:
    return contains_words(words(text), words(part))
