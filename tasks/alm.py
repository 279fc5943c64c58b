"""ALM-Bench: questions on culturally diverse pictures in 100 languages (arXiv 2411.16508).

Data: `MBZUAI/ALM-Bench`, one split `test`, language in the column `Language`, four question types. With
`--split per-language` the multiple-choice copy of the TowerVision authors, one split per language (`German`, ...);
protocol `paper` takes that one where no split is named.

Protocols:
- `tvbench`: options shuffled by item and seed, shown with letters. As published, the right option stands first in
  97 % of the rows that the TowerVision authors asked, so an unshuffled run rewards the habit of taking the first.
- `paper`: prompt and target of the TowerVision authors (arXiv 2510.21849), wrong splits at commas included. Where their
  pattern knows no keyword (`Možnosti: ...`), their prompt shows `None` instead of options, and no answer can be right.
  Such rows are asked in the languages of their logs, as they did, and left out in others, or as `alm.unparsed` says.
- `official`: prompts of the ALM-Bench authors. They cut at the first bracket: the right answer is what stands before
  it, and the options are what stands in it, which is wrong where the answer itself has brackets.

Not known here: how open answers are judged (they wait for `--judge`). LANGUAGES was compiled without access to the
data and has 101 entries, so at least one of them has no rows; rows in any other language are asked too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tvbench.data.alm_rows import Question, picture_column, question_of
from tvbench.data.authoring import Row, lettered, logged_prompt, require_columns, shuffled_choice, user_message
from tvbench.data.options import paper_options, parse_options
from tvbench.data.sources import Rows, available_splits, open_rows
from tvbench.data.true_false import Words, learn_words, options_of
from tvbench.errors import UsageError, unknown_name
from tvbench.languages import is_language, language
from tvbench.types import Ask, Choice, HubData, Item, Message, Open, Opened, Sampling, Setting, Target, Task

REPO = "MBZUAI/ALM-Bench"
SPLIT_REPO = "sonalsannigrahi/alm-bench-lang-split"
PER_LANGUAGE = "per-language"
LOGGED = frozenset({"de", "en", "es", "fr", "it", "ko", "nl", "pt", "ru"})
"""The languages of the TowerVision authors' code and logs."""
ASK_UNPARSED, LEAVE_OUT = "ask", "leave-out"
COLUMNS = ("ID", "Language", "Question_Type", "Translated_Question", "Translated_Answer")
SETTINGS = {
    "variant": Setting(
        "which copy of the data (default: per-language in protocol paper)", None, ("full", PER_LANGUAGE), shown=True
    ),
    "unparsed": Setting(
        "rows whose options the authors' pattern does not find, in protocol paper",
        None,
        (ASK_UNPARSED, LEAVE_OUT),
        shown=True,
    ),
}

# fmt: off
LANGUAGES = (
    "af", "sq", "am", "hy", "as", "az", "eu", "be", "bn", "bho", "bs", "bg", "ca", "ceb", "zh-Hans", "zh-Hant", "hr",
    "cs", "da", "nl", "arz", "ar-AE", "en", "eo", "et", "tl", "fi", "fr", "gl", "ka", "de", "el", "gu", "ha", "haw",
    "he", "hi", "hu", "is", "ig", "id", "ga", "it", "ja", "jv", "kn", "kk", "rw", "ko", "ku", "ky", "lo", "la", "lv",
    "lt", "lb", "mk", "mg", "ms", "ml", "mt", "mr", "mn", "my", "ne", "no", "or", "ps", "fa", "pl", "pt", "pa", "ro",
    "ru", "sa", "ar-SA", "gd", "sr", "sn", "sd", "si", "sk", "sl", "so", "es", "su", "sw", "sv", "tg", "ta", "te", "th",
    "tr", "uk", "ur", "ug", "uz", "vi", "cy", "yi", "yo",
)
# fmt: on

# ── Prompts ───────────────────────────────────────────────────────────────────────────────────────

ANSWER_WITH_LETTER = "Look at the picture and choose the right option. Answer with its letter only."
ANSWER_SHORT = "Look at the picture and answer briefly, in {language}."
ANSWER_LONG = "Look at the picture and answer in detail, in {language}."

PAPER_PROMPT = (
    "For the given Multiple Choice Question Answer below, analyze the question and answer strictly from one of the"
    " options below. Strictly answer the choice only. No additional text."
)
OFFICIAL_CHOICE = (
    "For the given Multiple Choice Question, analyze the question and answer strictly from one of the options below."
    " Strictly answer the choice only. No additional text.\n{question}\n{choices}"
)
OFFICIAL = {
    "true-false": "{question}\nThe above question is a True/False question. Please provide the answer as one word in"
    " {language}",
    "long": "{question}\nAnswer the question in detail in {language} language.",
    "short": "{question}\nPlease provide brief, clear responses in {language} language.",
}
MAX_NEW_TOKENS = {"multiple-choice": 32, "true-false": 32, "short": 128, "long": 512}
PAPER_MAX_NEW_TOKENS = 128
OFFICIAL_MAX_NEW_TOKENS = 2048


@dataclass(frozen=True, slots=True)
class Posed:
    """A question, the row that it was read from, and the words that all rows have for true and false."""

    question: Question
    row: Row
    words: Words


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as one protocol puts it."""

    prompt: str
    target: Target
    max_new_tokens: int


# ── The three protocols: a question in, prompt and target out. ValueError: the row cannot be asked ────


def ask_tvbench(question: Question, words: Words, seed: int) -> Asked:
    """Shuffled options with letters; True and False likewise; open questions with one sentence of instruction."""
    text = question.question.strip()
    tokens = MAX_NEW_TOKENS[question.kind]
    if question.kind in ("long", "short"):
        line = ANSWER_LONG if question.kind == "long" else ANSWER_SHORT
        prompt = f"{text}\n{line.format(language=question.language_name)}"
        return Asked(prompt, Open(text, question.answer.strip()), tokens)
    if question.kind == "true-false":
        options, gold = options_of(question.answered, words)
        choice = Choice(options, gold, target="AB"[gold], letters=True)
    else:
        parsed = parse_options(question.answer)
        if parsed.gold is None:
            raise ValueError(f"the right answer is not among the options: {parsed.stem[:60]!r}")
        if not parsed.sure:
            raise ValueError(f"the list of options can be read in two ways: {question.answer.strip()[:80]!r}")
        choice = shuffled_choice(parsed.options, parsed.gold, question.id, seed)
    return Asked(f"{text}\n{lettered(choice.options)}\n{ANSWER_WITH_LETTER}", choice, tokens)


def ask_paper(question: Question, words: Words, seed: int) -> Asked:
    """The TowerVision authors' prompt, character for character; only multiple choice."""
    parse_options(question.answer)  # rows without any options cannot be asked
    paper = paper_options(question.answer)
    prompt = "\n".join((f"{PAPER_PROMPT} {question.question}", *paper.shown))
    return Asked(prompt, paper_target(question.answer), PAPER_MAX_NEW_TOKENS)


def paper_target(answer: str) -> Choice:
    """The authors' target and the lines they show, beside the options as they should have been read."""
    paper = paper_options(answer)
    try:
        parsed = parse_options(answer)
    except ValueError:
        return Choice((), None, paper.target, paper.shown)
    return Choice(parsed.options, parsed.gold if parsed.sure else None, paper.target, paper.shown)


def ask_official(question: Question, words: Words, seed: int) -> Asked:
    """The ALM-Bench authors' prompts. What they leave to GPT-4o is scored here as far as text alone decides it."""
    text = question.question
    if question.kind == "multiple-choice":
        stem, choices = cut_at_bracket(question.answer)
        parsed = parse_options(question.answer)
        # Their prompt has the options in one line, in the order of the data: `shown` is that order.
        gold = parsed.gold if parsed.sure else None
        choice = Choice(parsed.options, gold, stem.strip(), shown=parsed.options)
        return Asked(OFFICIAL_CHOICE.format(question=text, choices=choices), choice, OFFICIAL_MAX_NEW_TOKENS)
    prompt = OFFICIAL[question.kind].format(question=text, language=question.language_name)
    if question.kind == "true-false":
        options, gold = options_of(question.answered, words)
        return Asked(prompt, Choice(options, gold, options[gold]), OFFICIAL_MAX_NEW_TOKENS)
    return Asked(prompt, Open(text.strip(), question.answer.strip()), OFFICIAL_MAX_NEW_TOKENS)


def cut_at_bracket(answer: str) -> tuple[str, str]:
    """(right answer, options with their keyword), cut at the first bracket as the authors' scripts do: a full-width
    one wherever there is one. Raises ValueError without a bracket, where their scripts skip the row."""
    opening, closing = ("\uff08", "\uff09") if "\uff08" in answer else ("(", ")")
    if opening not in answer:
        raise ValueError(f"no options in {answer.strip()[:80]!r}")
    return answer.split(opening)[0], answer.split(opening)[1].split(closing)[0]


ASK = {"tvbench": ask_tvbench, "paper": ask_paper, "official": ask_official}


# ── Building ──────────────────────────────────────────────────────────────────────────────────────


def questions(ask: Ask) -> Opened:
    """All questions of the wanted languages. Raises UsageError for data of another shape."""
    per_language = _per_language_meant(ask)
    tables = _per_language(ask) if per_language else [_whole(ask)]
    rows = [Row(cells, number, table=table) for table in tables for number, cells in enumerate(table)]
    asked = [
        (question, row) for row in rows if (question := question_of(row)).code in ask.languages or not ask.languages
    ]
    # Words for true and false come from all rows, before any limit: the prompts must not depend on the limit.
    words = learn_words(question.answered for question, _ in asked if question.kind == "true-false")
    warnings = _unknown_languages(question for question, _ in asked)
    if ask.protocol == "paper":
        asked, more = _paper_rows(asked, ask.settings["unparsed"])
        warnings += more
        if not per_language:
            warnings.append(f"asked of {tables[0].dataset}; the TowerVision authors asked {SPLIT_REPO}")
    dataset = "+".join(dict.fromkeys(table.dataset for table in tables))
    return Opened([Posed(question, row, words) for question, row in asked], dataset, tuple(warnings))


def _per_language_meant(ask: Ask) -> bool:
    """Whether `--split` or `--set alm.variant=` says the split per language, or else the protocol was made for it."""
    variant, split = ask.settings["variant"], ask.split if "split" in ask.named else None
    if variant is None and split is None:
        return ask.protocol == "paper" and (ask.data is None or _has_languages(ask))
    if variant is not None and split is not None and (variant == PER_LANGUAGE) != (split == PER_LANGUAGE):
        raise UsageError(f"--split {split} and --set alm.variant={variant} contradict each other", "give only one")
    return PER_LANGUAGE in (variant, split)


def _has_languages(ask: Ask) -> bool:
    """Whether the local data have splits that are named after languages."""
    return any(map(is_language, available_splits(SPLIT_REPO, data=ask.data, offline=ask.offline)))


def _whole(ask: Ask) -> Rows:
    rows = open_rows(REPO, split="test", data=ask.data, offline=ask.offline)
    require_columns("alm", rows.columns, COLUMNS, rows.dataset)
    return rows


def _per_language(ask: Ask) -> list[Rows]:
    """The splits of the wanted languages, in their order. Raises UsageError for a language that has no split."""
    found = available_splits(SPLIT_REPO, data=ask.data, offline=ask.offline)
    splits = {language(split).code: split for split in found if is_language(split)}
    if not splits:
        raise UsageError(
            f"{ask.data or SPLIT_REPO} has no split named after a language", f"splits found: {', '.join(found)}"
        )
    for code in ask.languages:
        if code not in splits:
            raise unknown_name(f"language in {SPLIT_REPO}", code, splits, "`--split test` has all languages")
    chosen = [splits[code] for code in ask.languages or splits]
    tables = [open_rows(SPLIT_REPO, split=split, data=ask.data, offline=ask.offline) for split in chosen]
    for rows in tables:
        require_columns("alm", rows.columns, COLUMNS, rows.dataset)
    return tables


def _paper_rows(rows: list[tuple[Question, Row]], unparsed: str | None) -> tuple[list[tuple[Question, Row]], list[str]]:
    """The rows that protocol paper asks, and what is to be said of the others. Raises UsageError where it leaves out
    every row."""
    asked = [(question, row) for question, row in rows if question.kind == "multiple-choice"]
    said = []
    if others := len(rows) - len(asked):
        said.append(f"protocol paper asks multiple choice only: {others} rows of other types are left out")
    codes = {question.code for question, _ in asked if question.unparsed}
    left_out = codes - LOGGED if unparsed is None else codes if unparsed == LEAVE_OUT else frozenset()
    kept = [(question, row) for question, row in asked if not (question.unparsed and question.code in left_out)]
    lost = _counted((question for question, _ in asked if question.unparsed and question.code in left_out), asked)
    shown = _counted((question for question, _ in kept if question.unparsed), asked)
    if asked and not kept:
        raise UsageError(
            f"protocol paper: the authors' pattern finds the options in no row ({lost})",
            "--protocol tvbench reads them; --set alm.unparsed=ask asks them with `None` in place of the options",
        )
    start = "the authors' pattern does not find the options in some rows"
    if lost:
        said.append(f"{start}, which are left out: {lost} (--set alm.unparsed=ask asks them)")
    if shown:
        said.append(
            f"{start}, which are asked with `None` in place of the options, so that no answer counts as right: "
            f"{shown} (--set alm.unparsed=leave-out leaves them out)"
        )
    return kept, said


def _counted(questions: Iterable[Question], rows: Sequence[tuple[Question, Row]]) -> str:
    """`cs 70 of 70, ro 3 of 56`: how many of a language's rows."""
    part = Counter(question.code for question in questions)
    whole = Counter(question.code for question, _ in rows)
    return ", ".join(f"{code} {part[code]} of {whole[code]}" for code in sorted(part))


def _unknown_languages(questions: Iterable[Question]) -> list[str]:
    names = sorted({question.language_name for question in questions if not is_language(question.language_name)})
    return [f"languages without an entry in tvbench's table keep their names: {', '.join(names)}"] if names else []


def item(posed: Posed, ask: Ask) -> Item:
    """One item; what stands in its way becomes its `problem`."""
    question, problem, picture = posed.question, None, None
    try:
        if not question.question.strip():
            raise ValueError("the row has no question")
        asked = ASK[ask.protocol](question, posed.words, ask.seed)
        picture = ask.picture(posed.row, picture_column(posed.row), name=question.id)
    except ValueError as error:
        problem = str(error)
        asked = Asked(question.question, Choice((), None, ""), MAX_NEW_TOKENS[question.kind])
    return _item(question, user_message(asked.prompt, picture), asked.target, asked.max_new_tokens, problem)


def _item(
    question: Question, messages: tuple[Message, ...], target: Target, tokens: int, problem: str | None = None
) -> Item:
    # A judge is shown the bare question, as in the ALM-Bench authors' script.
    bare = replace(target, question=question.question.strip()) if isinstance(target, Choice) else target
    return Item(
        id=question.id,
        task="alm",
        language=question.code,
        messages=messages,
        target=bare,
        sampling=Sampling(max_new_tokens=tokens),
        cluster=question.cluster,
        tags=question.tags,
        problem=problem,
    )


def from_log(log_name: str, row: Mapping[str, Any], config: Mapping[str, Any]) -> Item:
    """The item of one logged row (`alm-bench-de`, ...), with the target that protocol `paper` has.

    Raises KeyError for a row whose `doc` lacks a column.
    """
    question = question_of({column: row["doc"][column] for column in COLUMNS} | dict(row["doc"]))
    return _item(question, logged_prompt(row), paper_target(question.answer), PAPER_MAX_NEW_TOKENS)


TASK = Task(
    name="alm",
    version="1",
    title="ALM-Bench: questions on pictures from many cultures, 100 languages",
    source=questions,
    item=item,
    settings=SETTINGS,
    second_bos=("paper",),
    protocols={
        "tvbench": "options shuffled by item and seed, letters shown; true/false likewise; open questions for a judge",
        "paper": "prompt and strict target of the TowerVision authors: multiple choice, options unshuffled, no letters",
        "official": "prompts of the ALM-Bench authors; a judge scores every answer, choices are matched as text too",
    },
    primary="aligned",
    metrics=("aligned", "strict", "casefold", "fragment", "judge"),
    languages=LANGUAGES,
    more_languages=True,
    splits=("test", PER_LANGUAGE),
    split_shown=True,
    data=(
        HubData(REPO, licence="CC-BY-NC-4.0; pictures for academic research only", note="split test, 22,763 rows"),
        HubData(
            SPLIT_REPO,
            note="protocol paper, or --split per-language: multiple choice, one split a language; no licence stated",
        ),
    ),
    group="image",
    paper="arXiv 2411.16508",
    notes=(
        "Protocol paper is reported by its strict accuracy, official by a judge (`tvbench judge`). "
        "Where the TowerVision authors' pattern does not find the options, their prompt shows `None` and no answer is "
        "right; such rows are asked in the nine languages of their logs and left out in others, unless alm.unparsed "
        "says otherwise (a run says how many in each language)."
    ),
    primaries={"paper": "strict", "official": "judge"},
    log_names=("alm-bench-*", "alm_bench-*"),
    from_log=from_log,
)
