"""The vocabulary: what a task asks, what a model answers, what a scorer says.

    Item ──key──▶ Request ──engine──▶ Response ──scorer──▶ Score ──summary──▶ TaskResult

Frozen dataclasses over the standard library. This module knows nobody: no file, no engine, no metric.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

# ── What is shown to the model ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Media:
    """One picture or clip, not yet read: `load()` returns its encoded bytes (PNG, JPEG, mp4, ...).

    Reading is lazy so that 20,000 pictures never sit in memory together. `name` is how a person finds
    the file again (a file name, or `data.parquet#17`). `frames` is the number of frames that a clip is
    sampled to, uniformly over its length; `size` resizes frames to that many pixels square (None: as is).
    `decoder` is what a clip is decoded by (None: PyAV).
    """

    kind: Literal["image", "video"]
    name: str
    load: Callable[[], bytes] = field(repr=False, compare=False)
    frames: int | None = None
    size: int | None = None
    decoder: str | None = None


Part: TypeAlias = str | Media


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `parts` are texts and media in the order in which the model sees them."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn. Every field is sent to every engine, so no model default can slip in.

    `temperature` 0 is greedy. `top_k` 0 means all tokens. `stop` strings are cut off the answer.
    """

    max_new_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0


# ── What the answer is held against ───────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several options is right.

    `options` are in the order in which they were shown; `gold` indexes them (None: the gold answer is not
    among them). `target` is the string that the strict metric compares with. `shown` are the lines that
    the prompt really displayed (a careless splitter may show more lines than there are options);
    `letters` says whether the prompt put `A.`, `B.`, ... before them. `question` is what was asked, without options and
    instructions, where the task knows it: a judge is shown that.
    """

    options: tuple[str, ...]
    gold: int | None
    target: str
    shown: tuple[str, ...] = ()
    letters: bool = False
    question: str = ""


@dataclass(frozen=True, slots=True)
class Exam(Choice):
    """A Choice with letters whose replies M3Exam's parser reads too (scoring/m3exam.py). `raw` are the options as the
    data have them, which that parser reads. Where it finds no letter it draws one of the first `coins` letters (0: one
    of the options); `drawn` is the letter that a published log drew for its reply."""

    raw: tuple[str, ...] = ()
    coins: int = 0
    drawn: str = ""


@dataclass(frozen=True, slots=True)
class Short:
    """A short free answer that is right when it equals one of `answers` after normalisation."""

    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Voted(Short):
    """A short free answer held against one answer of each annotator: as right as many of them agree (TextVQA)."""


@dataclass(frozen=True, slots=True)
class Translation:
    """`source` put into the item's language. `sense`: words that only the right reading uses (or none),
    `wrong_sense`: words that only the wrong reading uses."""

    source: str
    references: tuple[str, ...]
    sense: tuple[str, ...] = ()
    wrong_sense: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Open:
    """An open-ended answer: unscored until a judge is given."""

    question: str
    reference: str


@dataclass(frozen=True, slots=True)
class OcrText:
    """A page of text, compared as a bag of words (or of characters). None: the data has no answer."""

    text: str | None
    unit: Literal["word", "character"] = "word"


@dataclass(frozen=True, slots=True)
class Contains:
    """Right when any of `answers` is a substring of the reply (OCRBench). `formula`: blanks do not count."""

    answers: tuple[str, ...]
    formula: bool = False


@dataclass(frozen=True, slots=True)
class Contrast:
    """One of two continuations of one prompt: the right one (`correct`) should be the more probable.

    The two items of a comparison share `pair`; neither means anything without the other.
    """

    pair: str
    correct: bool


Target: TypeAlias = Choice | Exam | Short | Voted | Translation | Open | OcrText | Contains | Contrast


# ── Items, requests, responses ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a task, with everything that is needed to score its answer later, without the data.

    `id` is unique within the task. `cluster` names the picture or clip that items share: items of one
    cluster are not independent. `tags` are the breakdowns (`question_type`, `category`, `split`, ...).
    `problem` says why the row cannot be asked (no options, no picture): it is counted as failed, never
    dropped. With `continuation` the engine returns log-probabilities of that text instead of an answer. `reply_schema`
    is a JSON schema, as text, that the engine holds the answer to where it can (openai, vllm). `second_bos`: the prompt
    begins as lmms-eval's `llava_hf` makes it begin (see checkpoints/prompt.py), with two `<bos>` where others have one.
    """

    id: str
    task: str
    language: str
    messages: tuple[Message, ...]
    target: Target
    sampling: Sampling = Sampling()
    cluster: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    continuation: str | None = None
    reply_schema: str = ""
    repeat: int = 0
    problem: str | None = None
    second_bos: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What an engine is given: the content `key` (see runs/keys.py) and the messages that it stands for."""

    key: str
    messages: tuple[Message, ...]
    sampling: Sampling
    continuation: str | None = None
    reply_schema: str = ""
    second_bos: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """What came back for one key. Exactly one of `text` and `error` is set (an empty answer is `""`).

    `text` is the answer alone; what the model thought aloud before it is `reasoning` (None: it did not), and took
    `tokens_thinking` of the `tokens_out`, where that is known. `finish` is `stop` or `length`. `logprobs` are natural
    logs, one per token of `Request.continuation`. `seconds` is the time from hand-over to answer as the engine saw it.
    `notes` say what was not as asked ("19 of 32 frames decoded"). `extra` keeps what a log brought along (its own
    metric, say). `reused_from` is the run that asked, where it was not this one. `tokens_cached` of the `tokens_in`
    came from a server's cache, and `dollars` is what it says that the answer cost, where it says so.
    """

    key: str
    text: str | None = None
    finish: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    seconds: float | None = None
    error: str | None = None
    logprobs: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    reused_from: str | None = None
    reasoning: str | None = None
    tokens_thinking: int | None = None
    tokens_cached: int | None = None
    dollars: float | None = None

    @property
    def ran_out_thinking(self) -> bool:
        """Whether the token limit came before the answer did."""
        thought = self.reasoning is not None or bool(self.tokens_thinking)
        return thought and self.finish == "length" and self.error is None and not (self.text or "").strip()


# ── Scores and results ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Score:
    """What the scorers say of one item. A metric that could not be computed is None, never 0.

    `flags` name what was seen on the way (`unparsed`, `ambiguous`, `empty`); `unscored` says why no
    metric applies ("open-ended: needs --judge"). `answer` is a digest of the text that was scored, where a metric was
    used whose code may not be at hand again; `failures` say why a metric of somebody's own has no value.
    """

    item: str
    values: Mapping[str, float | None] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    unscored: str | None = None
    answer: str | None = None
    failures: Mapping[str, str] = field(default_factory=dict)


NEEDS_JUDGE = "open-ended: needs a judge"
NO_GOLD = "no gold: the data has no right answer"
"""Reasons of `Score.unscored` that reports know apart."""


@dataclass(frozen=True, slots=True)
class SideScores:
    """One metric of one task by a scorer that costs something (an LLM judge, COMET), read back from the run folder.

    `values` by item id (None: asked and not scored); `flags` by item id (`judge_refusal`); `definition` is the metric's
    signature: who judged, with what prompt or checkpoint, in which versions.
    """

    metric: str
    definition: str
    values: Mapping[str, float | None]
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: `value` in its own unit (accuracies and F1 are fractions, BLEU and chrF++ 0..100).

    `low` and `high` are the ends of its 95 % interval, which need not lie equally far from it; None where there is none
    (corpus BLEU, a single picture). `stderr` is clustered where items share a picture; it is for who combines figures:
    the interval is more than a multiple of it. `n` items entered it, from `clusters` clusters.
    """

    value: float
    n: int
    stderr: float | None = None
    clusters: int | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items were asked, and what became of them. Complete means expected == answered == scored, and not that
    nothing was asked. `damaged` lines of the run folder are not as they were written; `reasons` say why answers are
    unscored, each with its number."""

    expected: int = 0
    answered: int = 0
    failed: int = 0
    scored: int = 0
    unscored: int = 0
    flags: Mapping[str, int] = field(default_factory=dict)
    damaged: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return self.all_answered and self.answered == self.scored

    @property
    def all_answered(self) -> bool:
        """Whether nothing failed or is missing; open answers may still wait for a judge."""
        return 0 < self.expected == self.answered and not self.failed and not self.damaged


@dataclass(frozen=True, slots=True)
class Slice:
    """The figures of a part of a task: one language, one question type, one category."""

    counts: Counts
    metrics: Mapping[str, Figure]


LOGGED = "logged"
"""The protocol of a task whose figures were only copied from a log."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """All figures of one task in one run.

    `metrics` are the headline figures: the unweighted mean over languages (macro). `micro` pools all items;
    `macro_without_english` leaves English out. `breakdowns["language"]["de"]`, `breakdowns["category"][...]`
    hold the parts. `logged` are figures that an imported log brought along, kept beside ours. `declared` are the facts
    (unit, direction, label) of metrics that are not tvbench's own.
    """

    task: str
    protocol: str
    signature: str
    primary: str
    counts: Counts
    metrics: Mapping[str, Figure]
    micro: Mapping[str, Figure]
    macro_without_english: Mapping[str, Figure]
    breakdowns: Mapping[str, Mapping[str, Slice]]
    metric_signatures: Mapping[str, str] = field(default_factory=dict)
    logged: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    declared: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def copied(self) -> bool:
        """Whether its figures were only copied from a foreign log: nothing was asked or scored here."""
        return self.protocol == LOGGED


# ── Tasks ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What was asked of a task, as it was typed. The gate (runs/gate.py) holds it against what the task declares.

    `languages` empty means all. `limit` keeps the first N items of each language. `data` is a local copy in
    hub layout (None: the hub, or generated). `settings` are `--set task.key=value` pairs without the prefix.
    """

    protocol: str
    languages: tuple[str, ...] = ()
    limit: int | None = None
    split: str | None = None
    data: Path | None = None
    with_media: bool = True
    seed: int = 0
    offline: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


Value: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a task (`--set task.key=value`): what it does, its default, and what else it may be.

    What is typed is read as what the default is: a whole number, a number, yes or no, or text; `kind` says it where the
    default is None (not set). `choices` are all that it may be, `least` and `most` bound a number. With `several`, the
    value is a tuple of choices, typed as `a+b`. `shown`: the prompts or the data's name tell the value already, so that
    a signature need not.
    """

    help: str
    default: Value | tuple[str, ...] = None
    choices: tuple[Value, ...] = ()
    least: float | None = None
    most: float | None = None
    kind: Literal["text", "whole", "number", "yes-no"] | None = None
    several: bool = False
    shown: bool = False


class Cells(Protocol):
    """A row of the data, as far as `Ask` has to know it: it finds the picture or clip in one of its cells."""

    def media(self, kind: Literal["image", "video"], column: str, name: str) -> Media: ...


class Ask:
    """What the task's own code is told of what was asked; limits, languages and media are seen to by the gate as well.

    `split` is one of the task's own (None: it declares none). `languages` are the wanted codes in the order in which
    the task declares them; empty where all are wanted of a task that may have more than it declares. `settings` are
    parsed, with their defaults. `named` says what of `split` and the settings a person typed. What is read of it is
    noted in `read`: an option that the task never looks at cannot have been obeyed.
    """

    limit: int | None = None
    """Always: the gate counts. Here for task files that were written for BuildOptions."""

    def __init__(
        self,
        task: str,
        protocol: str = "tvbench",
        *,
        split: str | None = None,
        languages: tuple[str, ...] = (),
        settings: Mapping[str, Any] | None = None,
        seed: int = 0,
        data: Path | None = None,
        offline: bool = False,
        with_media: bool = True,
        named: Iterable[str] = (),
    ) -> None:
        self.task = task
        self.languages = languages
        self.data = data
        self.offline = offline
        self.named = frozenset(named)
        self.read: set[str] = set()
        self._protocol = protocol
        self._split = split
        self._seed = seed
        self._with_media = with_media
        self._settings = _Noted(settings or {}, self.read)

    @property
    def protocol(self) -> str:
        self.read.add("protocol")
        return self._protocol

    @property
    def split(self) -> str | None:
        self.read.add("split")
        return self._split

    @property
    def seed(self) -> int:
        self.read.add("seed")
        return self._seed

    @property
    def settings(self) -> Mapping[str, Any]:
        return self._settings

    @property
    def with_media(self) -> bool:
        return self._with_media

    def rng(self, item_id: str) -> random.Random:
        """A generator that depends on the item and the seed only: the same on every machine and at every limit."""
        return random.Random(f"{self.seed}/{item_id}")

    def picture(self, row: Cells, column: str = "image", *, name: str = "") -> Media | None:
        """The picture in a cell; None where nobody shall see it. One that is not there becomes its item's problem."""
        return row.media("image", column, name) if self._with_media else None

    def clip(
        self, row: Cells, column: str = "video", *, frames: int | None = None, size: int | None = None, name: str = ""
    ) -> Media | None:
        """The clip in a cell, sampled to `frames` of `size` pixels square, or None where nobody shall see it."""
        return replace(row.media("video", column, name), frames=frames, size=size) if self._with_media else None


class _Noted(Mapping[str, Any]):
    """Settings that note which of them are read, as `settings.KEY`."""

    def __init__(self, values: Mapping[str, Any], read: set[str]) -> None:
        self._values = dict(values)
        self._read = read

    def __getitem__(self, key: str) -> Any:
        value = self._values[key]
        self._read.add(f"settings.{key}")
        return value

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class Opened:
    """A source, opened: its rows (or items, where the task has no `item`), `dataset`, the data's name and revision for
    the signature, and what a person should know."""

    rows: Iterable[Any]
    dataset: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Build:
    """A task made ready: its items, and `dataset`, the data's name and revision for the signature."""

    items: Iterable[Item]
    dataset: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HubData:
    """Where a task's rows live: used by `tvbench fetch` and shown by `tvbench tasks show`."""

    repo: str
    revision: str | None = None
    licence: str = ""
    note: str = ""


OWN_PROMPT: Mapping[str, str] = {"tvbench": "the task's own prompt"}


@dataclass(frozen=True, slots=True)
class OwnScorer:
    """A function of one's own as a metric, with what is to be known of it: see `scorer`."""

    function: Callable[[Item, str], float | None] | None = None
    better: Literal["higher", "lower"] | None = None
    unit: str = ""
    label: str = ""
    meaning: str = ""


def scorer(
    function: Callable[[Item, str], float | None] | None = None,
    *,
    better: Literal["higher", "lower"] | None = None,
    unit: str = "",
    label: str = "",
    meaning: str = "",
) -> OwnScorer:
    """`function(item, text)` as a metric of a task: a number for each answer, or None where it has none.

    `unit` is "fraction" (0 to 1, shown in percent) unless it says "points" (0 to 100) or a word of its own; `better`
    is "higher" unless it says "lower". Without a function: the same said of a metric `evaluate:NAME`.
    """
    return OwnScorer(function, better, unit, label, meaning)


@dataclass(frozen=True, slots=True)
class Task:
    """One benchmark, as a file in tasks/ declares it (`TASK = Task(...)`, or `TASKS = [...]`). The gate (runs/gate.py)
    sees to it that what is declared here, and what a person asks for, is what a model is asked.

    `source(ask)` opens the rows (`building.HubRows`, or a function that gives `Opened`), and `item(row, ask)` makes one
    item of a row, several, or none (None). A ValueError there says why the row cannot be asked. Without `item`, the
    source gives items. (`build` is the contract of earlier task files: one function for both.)

    `protocols` maps a protocol's name to one sentence on what it does; the first is the default. `languages` are the
    codes that the task knows (empty: whatever the data has); `more_languages`: the data may have others, which are
    asked too. `splits`: the first is the default, `split_aliases` are other names for them, `split_languages` the
    languages of a split that has not all; `split_shown`: the data's name tells the split already. `primary` is the
    metric that a leaderboard shows first, unless `primaries` names another one for the protocol. `second_bos` are the
    protocols whose prompts begin as `Item.second_bos` says. `from_log` turns one row of an lmms-eval sample log into an
    Item. `scorers` are the task's own metrics, by name: plain functions of an item and the answer's text, or
    `scorer(function, better="lower", unit="points")`. `code` is set on loading: a digest of the file, where it is not
    one of ours.
    """

    name: str
    version: str
    title: str
    build: Callable[[Ask], Build] | None = None
    protocols: Mapping[str, str] = field(default_factory=lambda: OWN_PROMPT)
    primary: str = ""
    metrics: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    modality: Literal["image", "video", "text"] = "image"
    data: tuple[HubData, ...] = ()
    group: str = ""
    paper: str = ""
    notes: str = ""
    log_names: tuple[str, ...] = ()
    from_log: Callable[[str, Mapping[str, Any], Mapping[str, Any]], Item] | None = None
    tokens_per_answer: int = 16
    primaries: Mapping[str, str] = field(default_factory=dict)
    second_bos: tuple[str, ...] = ()
    source: Callable[[Ask], Opened] | None = None
    item: Callable[[Any, Ask], Item | Iterable[Item] | None] | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    split_aliases: Mapping[str, str] = field(default_factory=dict)
    split_languages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    split_shown: bool = False
    more_languages: bool = False
    code: str = ""
    scorers: Mapping[str, OwnScorer | Callable[[Item, str], float | None]] = field(default_factory=dict)

    @property
    def default_protocol(self) -> str:
        return next(iter(self.protocols))

    def primary_of(self, protocol: str) -> str:
        """The metric by which runs of `protocol` are ranked."""
        return self.primaries.get(protocol, self.primary)

    @property
    def hub_data(self) -> tuple[HubData, ...]:
        """Where the rows live: as declared, or as the source says."""
        found: tuple[HubData, ...] = self.data or getattr(self.source, "data", ())
        return found


# ── Models ────────────────────────────────────────────────────────────────────────────────────────

RANDOM_WEIGHTS = "random-"
"""How the revision of a model begins that nobody trained."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What models/NAME.yaml says of one model, or what `--model` was resolved to.

    `kind` and `location`: a `hub` id, a local checkpoint `folder`, the model name on a `server` (at `url`), or
    the name of a `builtin` that tvbench makes itself. `revision` is a hub revision, or for a folder the digest
    of its content. `modalities` are among `image`, `multi-image`, `video`. `numerics` names what has to be put
    right on loading (see checkpoints/corrections.py); `engine["vllm"]` are constructor arguments for that engine.
    `architecture` is the class that the checkpoint's config.json names.
    `prices` are US dollars (registry/prices.py): for a million tokens by `input` and `output` (`cached`: of those in
    that a cache had), for an `hour` of the machine. `reasoning` says how a model thinks that
    does so aloud (registry/thinking.py), nothing of others. `nearby`: only the working directory names
    it, which may be somebody else's, so its server gets no key.
    """

    name: str
    kind: Literal["hub", "folder", "server", "builtin"]
    location: str
    revision: str = "main"
    url: str = ""
    title: str = ""
    licence: str = ""
    parameters: int | None = None
    languages: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ("image",)
    chat: Mapping[str, Any] = field(default_factory=dict)
    numerics: Mapping[str, Any] = field(default_factory=dict)
    engine: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    paper: str = ""
    notes: str = ""
    architecture: str = ""
    nearby: bool = field(default=False, compare=False)
    reasoning: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What answered: goes into the manifest and the signature. `settings` are the ones that may move a score
    (dtype, attention, server model name, checkpoint corrections)."""

    name: str
    version: str
    settings: Mapping[str, Any] = field(default_factory=dict)
