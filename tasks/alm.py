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

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from tvbench.building import (
    check_settings,
    choose_languages,
    choose_split,
    lettered,
    logged_prompt,
    made,
    picture_in,
    require_columns,
    shuffled_choice,
    text_of,
    user_message,
)
from tvbench.errors import UsageError, unknown_name
from tvbench.languages import is_language, language
from tvbench.scoring.options import paper_options, parse_options
from tvbench.sources import Rows, available_splits, open_rows
from tvbench.true_false import Answered, Words, learn_words, options_of
from tvbench.types import Build, BuildOptions, Choice, HubData, Item, Open, Sampling, Target, Task

REPO = "MBZUAI/ALM-Bench"
SPLIT_REPO = "sonalsannigrahi/alm-bench-lang-split"
PER_LANGUAGE = "per-language"
LOGGED = frozenset({"de", "en", "es", "fr", "it", "ko", "nl", "pt", "ru"})
"""The languages of the TowerVision authors' code and logs."""
ASK_UNPARSED, LEAVE_OUT = "ask", "leave-out"
COLUMNS = ("ID", "Language", "Question_Type", "Translated_Question", "Translated_Answer")
PICTURE_COLUMNS = ("file_name", "image")
LONGEST_PATH = 200
"""Longer text in a picture's cell is the picture itself, in base64."""

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

QUESTION_TYPES = {
    "Multiple Choice Questions": "multiple-choice",
    "True False Question": "true-false",
    "Long Question": "long",
}
"""Every other value of the column `Question_Type` is a short question."""

CULTURAL = frozenset(
    {"architecture", "customs", "economy", "festivals", "food", "heritage", "lifestyle", "literature", "media",
     "music", "notable_key_figures", "religion", "sports"}
)
"""The 13 cultural categories; the other six are generic pictures."""

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


# ── Rows as questions ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Question:
    """One row of the data. `kind` is a value of QUESTION_TYPES or `short`; texts are as they stand in the data.
    `language_name` is the data's own word for the language, as the official prompts print it."""

    id: str
    code: str
    language_name: str
    kind: str
    question: str
    answer: str
    english_answer: str
    category: str
    cluster: str

    @property
    def answered(self) -> Answered:
        """The right answer as the parser of true and false takes it."""
        return Answered(self.code, self.answer, self.english_answer)


Row: TypeAlias = tuple[Question, Mapping[str, Any], Rows]
"""A question, the row of the data that it was read from, and the table of that row."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as one protocol puts it."""

    prompt: str
    target: Target
    max_new_tokens: int


def question_of(row: Mapping[str, Any]) -> Question:
    """The question in a row of the data, or in the `doc` of a log row. Absent cells count as empty."""
    name = text_of(row.get("Language")).strip()
    code = code_of_name(name)
    category = text_of(row.get("Category")).strip()
    own_id = text_of(row.get("ID")).strip() or "without-id"
    return Question(
        id=f"{code}/{own_id}",
        code=code,
        language_name=name,
        kind=QUESTION_TYPES.get(text_of(row.get("Question_Type")).strip(), "short"),
        question=text_of(row.get("Translated_Question")),
        answer=text_of(row.get("Translated_Answer")),
        english_answer=text_of(row.get("English_Answer")),
        category=category,
        cluster=picture_of(row, code, category) or f"{code}/{own_id}",
    )


def code_of_name(name: str) -> str:
    """The code of a value of the column `Language`; an unknown name is its own code (`Old Norse`: `old-norse`)."""
    return language(name).code if is_language(name) else re.sub(r"\W+", "-", name.casefold()).strip("-") or "unknown"


def picture_of(row: Mapping[str, Any], code: str, category: str) -> str:
    """What rows about one picture share, "" where the row does not say.

    IDs do not tell pictures apart (all but their last number is language and category); the address of the picture
    does. Where that is not an address but a remark, it holds within a language and category.
    """
    address = text_of(row.get("Image_Url")).strip()
    if address.startswith(("http:", "https:", "www.")):
        return address
    if address.casefold() not in ("", "nan", "none", "null", "n/a", "na", "-"):
        return f"{code}/{category}/{address}"
    cell = _picture_cell(row)
    return cell if isinstance(cell, str) and len(cell) < LONGEST_PATH else ""


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
    return Choice(parsed.options, parsed.gold, paper.target, paper.shown)


def ask_official(question: Question, words: Words, seed: int) -> Asked:
    """The ALM-Bench authors' prompts. What they leave to GPT-4o is scored here as far as text alone decides it."""
    text = question.question
    if question.kind == "multiple-choice":
        stem, choices = cut_at_bracket(question.answer)
        parsed = parse_options(question.answer)
        # Their prompt has the options in one line, in the order of the data: `shown` is that order.
        choice = Choice(parsed.options, parsed.gold, stem.strip(), shown=parsed.options)
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


def build(options: BuildOptions) -> Build:
    """All questions of the chosen languages. Raises UsageError for unknown names and data of another shape."""
    check_settings("alm", options.settings, ("variant", "unparsed"))
    wanted = choose_languages("alm", options.languages, LANGUAGES) if options.languages else ()
    variant = _variant(options)
    tables = _per_language(options, wanted) if variant == PER_LANGUAGE else [_whole(options)]
    asked: list[Row] = [
        (question, row, rows)
        for rows in tables
        for row in rows
        if (question := question_of(row)).code in wanted or not wanted
    ]
    # Words for true and false come from all rows, before any limit: the prompts must not depend on the limit.
    words = learn_words(question.answered for question, _, _ in asked if question.kind == "true-false")
    warnings = _unknown_languages(question for question, _, _ in asked)
    if options.protocol == "paper":
        asked, more = _paper_rows(asked, options)
        warnings += more
        if variant != PER_LANGUAGE:
            warnings.append(f"asked of {tables[0].dataset}; the TowerVision authors asked {SPLIT_REPO}")
    items = (_item(question, row, rows, options, words) for question, row, rows in asked)
    return made(items, options, "+".join(dict.fromkeys(rows.dataset for rows in tables)), warnings)


def _variant(options: BuildOptions) -> str:
    """`full` or `per-language`, from `--split` or `--set alm.variant=`, else what the protocol was made for."""
    known = {"full": "test", PER_LANGUAGE: PER_LANGUAGE}
    variant = options.settings.get("variant")
    if variant is None and options.split is None and options.protocol == "paper":
        return PER_LANGUAGE if options.data is None or _has_languages(options) else "full"
    if variant is not None and variant not in known:
        raise unknown_name("variant of alm", variant, known)
    split = choose_split("alm", options.split or known.get(variant or ""), ("test", PER_LANGUAGE))
    if variant is not None and known[variant] != split:
        raise UsageError(f"--split {split} and --set alm.variant={variant} contradict each other", "give only one")
    return PER_LANGUAGE if split == PER_LANGUAGE else "full"


def _has_languages(options: BuildOptions) -> bool:
    """Whether the local data have splits that are named after languages."""
    return any(map(is_language, available_splits(SPLIT_REPO, data=options.data, offline=options.offline)))


def _whole(options: BuildOptions) -> Rows:
    rows = open_rows(REPO, split="test", data=options.data, offline=options.offline)
    require_columns("alm", rows.columns, COLUMNS, rows.dataset)
    return rows


def _per_language(options: BuildOptions, wanted: Sequence[str]) -> list[Rows]:
    """The splits of the wanted languages, in their order. Raises UsageError for a language that has no split."""
    found = available_splits(SPLIT_REPO, data=options.data, offline=options.offline)
    splits = {language(split).code: split for split in found if is_language(split)}
    if not splits:
        raise UsageError(
            f"{options.data or SPLIT_REPO} has no split named after a language", f"splits found: {', '.join(found)}"
        )
    for code in wanted:
        if code not in splits:
            raise unknown_name(f"language in {SPLIT_REPO}", code, splits, "`--split test` has all languages")
    chosen = [splits[code] for code in wanted or splits]
    tables = [open_rows(SPLIT_REPO, split=split, data=options.data, offline=options.offline) for split in chosen]
    for rows in tables:
        require_columns("alm", rows.columns, COLUMNS, rows.dataset)
    return tables


def _paper_rows(rows: list[Row], options: BuildOptions) -> tuple[list[Row], list[str]]:
    """The rows that protocol paper asks, and what is to be said of the others. Raises UsageError for an unknown value
    of `unparsed`, and where it leaves out every row."""
    asked = [row for row in rows if row[0].kind == "multiple-choice"]
    said = []
    if others := len(rows) - len(asked):
        said.append(f"protocol paper asks multiple choice only: {others} rows of other types are left out")
    unparsed = [row[0] for row in asked if _unparsed(row[0])]
    left_out = _left_out(options, {question.code for question in unparsed})
    dropped = {question for question in unparsed if question.code in left_out}
    kept = [row for row in asked if row[0] not in dropped]
    lost = _counted((question for question in unparsed if question.code in left_out), asked)
    shown = _counted((question for question in unparsed if question.code not in left_out), asked)
    if asked and not kept:
        raise UsageError(
            f"protocol paper: the authors' pattern finds the options in no row ({lost})",
            "--protocol tvbench reads them; --set alm.unparsed=ask asks them with `None` in place of the options",
        )
    start = "the authors' pattern does not find the options in some rows"
    if lost:
        said.append(f"{start}, which are left out: {lost} (--set alm.unparsed=ask asks them)")
    if shown:
        said.append(f"{start}, which are asked with `None` in place of the options, so that no answer counts as right: "
                    f"{shown} (--set alm.unparsed=leave-out leaves them out)")
    return kept, said


def _unparsed(question: Question) -> bool:
    """Whether the row has options which the authors' pattern does not find."""
    if not paper_options(question.answer).unparsed:
        return False
    try:
        return bool(parse_options(question.answer).options)
    except ValueError:
        return False


def _left_out(options: BuildOptions, codes: Collection[str]) -> frozenset[str]:
    """The languages whose unparsed rows are not asked."""
    value = options.settings.get("unparsed")
    if value not in (None, ASK_UNPARSED, LEAVE_OUT):
        raise unknown_name("value of alm.unparsed", value, (ASK_UNPARSED, LEAVE_OUT))
    return frozenset(codes) - LOGGED if value is None else frozenset(codes if value == LEAVE_OUT else ())


def _counted(questions: Iterable[Question], rows: Sequence[Row]) -> str:
    """`cs 70 of 70, ro 3 of 56`: how many of a language's rows."""
    part = Counter(question.code for question in questions)
    whole = Counter(question.code for question, _, _ in rows)
    return ", ".join(f"{code} {part[code]} of {whole[code]}" for code in sorted(part))


def _unknown_languages(questions: Iterable[Question]) -> list[str]:
    names = sorted({question.language_name for question in questions if not is_language(question.language_name)})
    return [f"languages without an entry in tvbench's table keep their names: {', '.join(names)}"] if names else []


def _item(question: Question, row: Mapping[str, Any], rows: Rows, options: BuildOptions, words: Words) -> Item:
    """One item; what stands in its way becomes its `problem`."""
    problem, media = None, None
    try:
        if not question.question.strip():
            raise ValueError("the row has no question")
        asked = ASK[options.protocol](question, words, options.seed)
    except ValueError as error:
        problem = str(error)
        asked = Asked(question.question, Choice((), None, ""), MAX_NEW_TOKENS[question.kind])
    if options.with_media and problem is None:
        media, problem = picture_in(_picture_cell(row), rows, question.id)
    return Item(
        id=question.id,
        task="alm",
        language=question.code,
        messages=user_message(asked.prompt, media),
        target=_with_question(asked.target, question),
        sampling=Sampling(max_new_tokens=asked.max_new_tokens),
        cluster=question.cluster,
        tags=_tags(question),
        problem=problem,
    )


def _with_question(target: Target, question: Question) -> Target:
    """A judge is shown the bare question, as in the ALM-Bench authors' script."""
    return replace(target, question=question.question.strip()) if isinstance(target, Choice) else target


def _picture_cell(row: Mapping[str, Any]) -> Any:
    return next((row[column] for column in PICTURE_COLUMNS if row.get(column) is not None), None)


def _tags(question: Question) -> dict[str, str]:
    domain = "cultural" if question.category.casefold().replace(" ", "_") in CULTURAL else "generic"
    return {"question_type": question.kind, "category": question.category or "none", "domain": domain}


def from_log(log_name: str, row: Mapping[str, Any], config: Mapping[str, Any]) -> Item:
    """The item of one logged row (`alm-bench-de`, ...), with the target that protocol `paper` has.

    Raises KeyError for a row whose `doc` lacks a column.
    """
    doc = {column: row["doc"][column] for column in COLUMNS} | dict(row["doc"])
    question = question_of(doc)
    return Item(
        id=question.id,
        task="alm",
        language=question.code,
        messages=logged_prompt(row),
        target=_with_question(paper_target(question.answer), question),
        sampling=Sampling(max_new_tokens=PAPER_MAX_NEW_TOKENS),
        cluster=question.cluster,
        tags=_tags(question),
    )


TASK = Task(
    name="alm",
    version="1",
    title="ALM-Bench: questions on pictures from many cultures, 100 languages",
    build=build,
    second_bos=("paper",),
    protocols={
        "tvbench": "options shuffled by item and seed, letters shown; true/false likewise; open questions for a judge",
        "paper": "prompt and strict target of the TowerVision authors: multiple choice, options unshuffled, no letters",
        "official": "prompts of the ALM-Bench authors; a judge scores every answer, choices are matched as text too",
    },
    primary="aligned",
    metrics=("aligned", "strict", "casefold", "fragment", "judge"),
    languages=LANGUAGES,
    splits=("test", PER_LANGUAGE),
    data=(
        HubData(REPO, licence="CC-BY-NC-4.0; pictures for academic research only", note="split test, 22,763 rows"),
        HubData(SPLIT_REPO, note="protocol paper, or --split per-language: multiple choice, one split a language; no "
                "licence stated"),
    ),
    group="image",
    paper="arXiv 2411.16508",
    notes=(
        "Protocol paper is reported by its strict accuracy, official by a judge (`tvbench judge`). "
        "Settings: alm.variant=full or per-language (default in paper: per-language); alm.unparsed=ask or leave-out, "
        "for rows whose options the TowerVision authors' pattern does not find, so that their prompt shows `None` and "
        "no answer is right (default: asked in the nine languages of their logs, left out in others; a run says how "
        "many in each language)."
    ),
    primaries={"paper": "strict", "official": "judge"},
    log_names=("alm-bench-*", "alm_bench-*"),
    from_log=from_log,
)
