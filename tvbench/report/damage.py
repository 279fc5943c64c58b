"""What is broken, in lines for people: languages that are lost, scripts, words; and what to do about it.

Knows damages as data, and the names of languages; no run folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tvbench.analysis.damage import Breakage, Loss, LostLanguage
from tvbench.analysis.lost_words import LostWord
from tvbench.analysis.marks import RightCount
from tvbench.languages import is_language, language

SCRIPTS = {
    "Latn": "Latin letters",
    "Cyrl": "Cyrillic letters",
    "Hani": "Chinese characters",
    "Jpan": "Japanese script",
    "Kore": "Korean script",
    "Arab": "Arabic letters",
    "Deva": "Devanagari",
    "Grek": "Greek letters",
    "Hebr": "Hebrew letters",
    "Beng": "Bengali script",
    "Thai": "Thai script",
    "Ethi": "Ethiopic script",
}
MOST_WORDS = 4
"""Words of one language that are named."""


def damage_lines(found: Breakage, first: str = "", second: str = "") -> Iterator[str]:
    """A line for what is broken, then lines that begin with blanks: why, and what to do. `first` and `second` are the
    names of two runs that were compared."""
    for loss in found.losses:
        yield from _loss_lines(loss, first, second)
    by_language: dict[str, list[LostWord]] = {}
    for word in found.words:
        by_language.setdefault(word.language, []).append(word)
    for code, words in by_language.items():
        for word in words[:MOST_WORDS]:
            yield from _word_lines(word)
        if len(words) > MOST_WORDS:
            yield f"  and {len(words) - MOST_WORDS} more words of {named(code)}"


def _loss_lines(loss: Loss, first: str, second: str) -> Iterator[str]:
    names = listed([named(one.language) for one in loss.languages])
    verb = "is" if len(loss.languages) == 1 else "are"
    counts = listed([_counts(one) for one in loss.languages])
    held = f"; {named(loss.kept[0])} keeps {_share(loss.kept[1])}" if loss.kept and loss.kept[1].right else ""
    tasks = loss.languages[0].tasks
    where = f" in {listed(tasks)}" if tasks else ""
    yield f"{names} {verb} lost{where}: right in {counts}{held}"
    if not tasks:
        yield f"  {_why(loss)}"
    yield from (f"  {text}" for one in loss.languages if (text := _looks(one)))
    if tasks:
        yield f"  next: tvbench explain {second or 'RUN'} --languages {loss.languages[0].language} --examples 5"
        return
    yield "  next: tvbench doctor MODEL" + (f"; tvbench explain {second}" if second else "")


def _why(loss: Loss) -> str:
    whose = "these languages' tokens" if len(loss.languages) > 1 else "this language's tokens"
    broken = f"tokenizer or embeddings of {whose} (or never learned)"
    if not loss.scripts:
        return f"cause: whole languages, whatever is asked: {broken}"
    scripts = listed([SCRIPTS.get(script, script) for script in loss.scripts])
    return f"cause: all that is in {scripts}, and nothing else: script mapped wrong, or {broken}"


def _counts(one: LostLanguage) -> str:
    return _share(one.now) + ("" if one.before is None else f" (before {one.before.right})")


def _looks(one: LostLanguage) -> str:
    parts = [f"{count} '{name}'" for name, count in one.looks[:1]]
    parts += [f"{count} with words of {named(code)}" for code, count in one.mixed[:1]]
    wrong = one.now.items - one.now.right
    return f"of {wrong} wrong answers in {named(one.language)} {', '.join(parts)}" if parts else ""


def _word_lines(word: LostWord) -> Iterator[str]:
    others = f"its other questions: {_share(word.others)}"
    if word.before is None:
        yield f"{named(word.language)}: the word '{word.word}' is never answered"
        yield f"  the right answer of {word.now.items} questions has it, {_right(word.now)} right; {others}"
        return
    yield (
        f"{named(word.language)}: the word '{word.word}' is lost: its questions are right in {_share(word.now)} "
        f"(before {word.before.right})"
    )
    before = "" if word.others_before is None else f" (before {word.others_before.right})"
    yield f"  {others}{before}; answers that have it: {word.said or 'none'} (before {word.said_before})"


def _share(share: RightCount) -> str:
    return f"{share.right} of {share.items}"


def _right(share: RightCount) -> str:
    return str(share.right) if share.right else "none"


def named(code: str) -> str:
    """The name of a language in words, or what it is called in the run."""
    return language(code).name if is_language(code) else code


def listed(names: Sequence[str]) -> str:
    """`German, Hindi and Arabic`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
