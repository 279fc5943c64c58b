"""`tvbench tasks check`: whether a task does what it declares, on its own data or a small copy of them.

Each check builds the task through the gate as a run would, in one way after another, and compares. What cannot be tried
here (no data, a judge's score) is said and is no failure. Knows tasks, the gate, scores and media; no engine and no
model.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tvbench.analysis.right_answers import marks_of
from tvbench.data.media.video import Decoder
from tvbench.errors import MediaError, TvbenchError, UsageError
from tvbench.registry.declared import kind_of, settings_text
from tvbench.registry.places import INCLUDE, included
from tvbench.runs.codec import item_to_json
from tvbench.runs.gate import Gated, gated
from tvbench.runs.keys import media_digest, media_of
from tvbench.runs.preparing import prepare
from tvbench.runs.task_faults import TaskFault
from tvbench.scoring.task_metrics import metric_faults
from tvbench.types import BuildOptions, Item, Request, Setting, Task

SHOWN = 3
"""Items that a finding names."""
LONGEST_PROMPT = 2000
STRANGER_TIMEOUT_S = 300

Outcome: TypeAlias = Literal["ok", "failed", "not tried"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One check that was tried. `said` is what was looked at, or what is wrong; `hint` what to change in the task
    file."""

    check: str
    outcome: Outcome
    said: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """All findings about one task, and the first prompt of each protocol."""

    task: str
    findings: tuple[Trial, ...]
    prompts: dict[str, str] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether nothing failed, and something was tried."""
        outcomes = {finding.outcome for finding in self.findings}
        return "failed" not in outcomes and not any(
            finding.check == "data" and finding.outcome == "not tried" for finding in self.findings
        )


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where the data are, and how many items of each language are looked at. `named` is how another process finds the
    task: its name, or the path of its file ("" for a task that only this process has)."""

    data: Path | None = None
    offline: bool = False
    limit: int = 8
    named: str = ""


def check(task: Task, where: Circumstances) -> Checked:
    """Try everything that the task declares."""
    return _Checker(task, where).checked()


class _Checker:
    def __init__(self, task: Task, where: Circumstances) -> None:
        self.task = task
        self.where = where
        self.findings: list[Trial] = []

    # ── Building ──────────────────────────────────────────────────────────────────────────────────

    def build(self, protocol: str | None = None, **options: Any) -> Gated:
        """The task as a run would ask it; `limit` items of each language unless `options` say otherwise."""
        given: dict[str, Any] = {"limit": self.where.limit, "data": self.where.data, "offline": self.where.offline}
        return gated(self.task, BuildOptions(protocol or self.task.default_protocol, **{**given, **options}))

    def note(self, check: str, outcome: Outcome, said: str = "", hint: str = "") -> None:
        self.findings.append(Trial(check, outcome, said, hint))

    def tried(self, check: str, try_it: Callable[[], str | None]) -> None:
        """Note what `try_it` says is wrong (None: nothing). What the task file does wrong is a failure; what is not
        there is not tried."""
        try:
            wrong = try_it()
        except TaskFault as error:
            self.note(check, "failed", error.message, error.hint)
        except TvbenchError as error:
            self.note(check, "not tried", error.message, error.hint)
        else:
            said, _, hint = (wrong or "").partition("\n")
            self.note(check, "failed" if wrong else "ok", said, hint)

    def checked(self) -> Checked:
        """Every check in turn; without data, only what needs none."""
        self.tried("metrics", self.metrics_known)
        try:
            whole = self.build(limit=None)
            first = self.build()
        except TvbenchError as error:
            self.note("data", "failed" if isinstance(error, TaskFault) else "not tried", error.message, error.hint)
            return Checked(self.task.name, tuple(self.findings))
        count = len(whole.items)
        self.note("data", "ok", f"{whole.dataset}: {count} items in {', '.join(_languages(whole.items))}")
        self.tried("ids", lambda: _repeated(whole))
        self.tried("problems", lambda: _problems(whole))
        prompts = dict(self.protocols())
        self.tried("languages", lambda: self.each_language(first))
        self.tried("limit", lambda: self.limits(whole))
        self.tried("without media", lambda: self.blind(first))
        for split in self.task.splits[1:]:
            self.tried(f"split {split}", partial(self.split, split, first))
        for key, setting in self.task.settings.items():
            self.setting(key, setting)
        self.tried("same again", lambda: self.same_again(first))
        self.tried("media", lambda: _media(first.items))
        return Checked(self.task.name, tuple(self.findings), prompts)

    # ── One check each: what is wrong, and after a line end what to change ────────────────────────

    def metrics_known(self) -> str | None:
        if not self.task.primary:
            return "no primary metric is declared\nname the one that a leaderboard shows first: primary=..."
        return next(metric_faults(self.task), None)

    def protocols(self) -> Iterator[tuple[str, str]]:
        """Try each protocol with right answers. (protocol, its first prompt)."""
        for protocol in self.task.protocols:
            found: list[Item] = []
            self.tried(f"protocol {protocol}", partial(self.protocol, protocol, found))
            if found:
                self.right_answers(protocol, found)
                yield protocol, _shown(found)

    def protocol(self, protocol: str, found: list[Item]) -> None:
        found.extend(self.build(protocol).items)

    def right_answers(self, protocol: str, items: Sequence[Item]) -> None:
        """Whether the right answers, given as replies, get full marks."""
        marks = marks_of(self.task, protocol, items)
        said, _, hint = (marks.failed or marks.said).partition("\n")
        outcome: Outcome = "failed" if marks.failed else "ok" if marks.tried else "not tried"
        self.note(f"right answers ({protocol})", outcome, said, hint)

    def each_language(self, first: Gated) -> str | None:
        for code in _languages(first.items):
            alone = self.build(languages=(code,)).items
            among = [item for item in first.items if item.language == code]
            if _digests(alone) != _digests(among):
                return (
                    f"asked alone, {code} has other items than among all languages: {_difference(alone, among)}\n"
                    "let items depend on their own row alone"
                )
        return None

    def limits(self, whole: Gated) -> str | None:
        for limit in (1, 2):
            few = _digests(self.build(limit=limit).items)
            wanted = {item.id: digest for item, digest in zip(whole.items, _digests(whole.items), strict=True)}
            if not set(few) <= set(wanted.values()):
                return (
                    f"with a limit of {limit}, an item is another one than without\n"
                    "let items depend on their own row and on ask.rng(id), not on what came before"
                )
        return None

    def blind(self, first: Gated) -> str | None:
        if not any(media_of(item.messages) for item in first.items):
            if self.task.modality == "text":
                return None
            return f'no item shows anything, but the modality is "{self.task.modality}"\ndeclare modality="text"'
        without = {item.id: item for item in self.build(with_media=False).items}
        for item in first.items:
            other = without.get(item.id)
            if other is None:
                return f"item {item.id} is not asked without its picture\nlet the same rows be asked"
            if item.problem is None and other.problem is None and _text(item) != _text(other):
                return f"the words of item {item.id} are others without its picture\nlet the prompt be the same"
        return None

    def split(self, split: str, first: Gated) -> str | None:
        codes = self.task.split_languages.get(split, self.task.languages)
        found = self.build(split=split)
        if found.dataset == first.dataset and _digests(found.items) == _digests(first.items) and codes:
            return f"it asks the same items as {self.task.splits[0]}\nopen ask.split"
        return None

    def setting(self, key: str, setting: Setting) -> None:
        """Try each value of one setting, in the first protocol in which it changes anything."""
        values = [value for value in worth_trying(setting) if value != setting.default]
        if not values:
            self.note(f"setting {key}", "not tried", "no value but the default is known here")
        for value in values:
            self.tried(f"setting {key}={value}", partial(self.setting_as, key, value))

    def setting_as(self, key: str, value: str) -> str | None:
        said = None
        for protocol in self.task.protocols:
            try:
                found = self.build(protocol, settings={key: value})
            except UsageError as error:
                if isinstance(error, TaskFault):
                    raise
                said = said or error
                continue
            plain = self.build(protocol)
            if _digests(found.items) != _digests(plain.items) or found.dataset != plain.dataset:
                return None
            said = said or UsageError("it changes nothing in the items that were looked at")
        assert said is not None
        raise said

    def same_again(self, first: Gated) -> str | None:
        if _digest(self.build()) != _digest(first):
            return "built twice, it asks something else\ndraw with ask.rng(id), and sort what has no order of its own"
        if not self.where.named:
            return None
        other = _elsewhere(self.task, self.where)
        if other != _digest(first):
            return (
                "in another process, it asks something else\nnothing may depend on hash(), on the order of a set, or on "  # noqa: E501
                "the time"
            )
        return None


# ── Items compared ────────────────────────────────────────────────────────────────────────────────


def _digests(items: Iterable[Item]) -> list[str]:
    """A digest of each item: everything that is stored of it, but not its picture's bytes."""
    return [json.dumps(item_to_json(item), sort_keys=True, ensure_ascii=True, default=str) for item in items]


def _digest(found: Gated) -> str:
    """One digest of all items, pictures and the data's name."""
    digest = hashlib.sha256(found.dataset.encode())
    for item, text in zip(found.items, _digests(found.items), strict=True):
        digest.update(text.encode())
        for media in media_of(item.messages):
            try:
                digest.update(media_digest(media).encode())
            except (TvbenchError, OSError) as error:
                digest.update(type(error).__name__.encode())
    return digest.hexdigest()


def _difference(ones: Iterable[Item], others: Iterable[Item]) -> str:
    left, right = {item.id: item for item in ones}, {item.id: item for item in others}
    odd = [name for name in {**left, **right} if left.get(name) != right.get(name)]
    return ", ".join(odd[:SHOWN]) or "in another order"


def _languages(items: Iterable[Item]) -> list[str]:
    return list(dict.fromkeys(item.language for item in items))


def _text(item: Item) -> list[str]:
    return [part for message in item.messages for part in message.parts if isinstance(part, str)]


def _shown(items: Sequence[Item]) -> str:
    """The first prompt that can be asked, media as `<image: name>`."""
    item = next((item for item in items if item.problem is None), items[0])
    lines = []
    for message in item.messages:
        parts = [part if isinstance(part, str) else f"<{part.kind}: {part.name}>" for part in message.parts]
        lines.append(f"{message.role}: " + "\n".join(parts))
    if item.continuation is not None:
        lines.append(f"assistant, scored: {item.continuation}")
    return "\n".join(lines)[:LONGEST_PROMPT]


def _repeated(whole: Gated) -> str | None:
    said = next((text for text in whole.warnings if "occur more than once" in text), None)
    return f"{said}\nmake ids of what tells rows apart: a row's own id, or its number" if said else None


def _problems(whole: Gated) -> str | None:
    wrong = [item for item in whole.items if item.problem is not None]
    if len(wrong) < len(whole.items):
        return None
    return f"no item can be asked: {wrong[0].id}: {wrong[0].problem}\nare the columns the right ones?"


def _media(items: Iterable[Item]) -> str | None:
    """Decode what the items show, each thing once."""
    wrong = []
    with closing(Decoder()) as decoder:
        for item in items:
            if item.problem is not None or not media_of(item.messages):
                continue
            try:
                prepare(Request(item.id, item.messages, item.sampling), decoder)
            except (MediaError, OSError) as error:
                wrong.append(f"{item.id}: {error}")
    return "; ".join(wrong[:SHOWN]) + "\nfix the data, or how the task reads it" if wrong else None


def worth_trying(setting: Setting) -> list[str]:
    """Values worth trying: every choice, the neighbours of a number, the other of yes and no."""
    if setting.choices:
        return [
            settings_text((choice,) if setting.several else choice)
            for choice in setting.choices
            if choice != setting.default
        ]
    kind = setting.kind or kind_of(setting.default)
    if kind == "yes-no":
        return ["no" if setting.default else "yes"]
    if kind in ("whole", "number"):
        base = setting.default if isinstance(setting.default, int | float) else setting.least or 0
        near = [base + 1, base - 1]
        fits = [
            value
            for value in near
            if (setting.least is None or value >= setting.least) and (setting.most is None or value <= setting.most)
        ]
        return [f"{value:g}" for value in fits[:1]]
    return []


# ── Another process ───────────────────────────────────────────────────────────────────────────────


def _elsewhere(task: Task, where: Circumstances) -> str:
    """The digest of the same items, built by another Python. Raises UsageError where that fails."""
    paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    env = {
        **os.environ,
        "PYTHONHASHSEED": "3",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        INCLUDE: os.pathsep.join(included()),
    }
    words = [where.named, task.name, str(where.data or ""), "offline" if where.offline else "", str(where.limit)]
    command = [sys.executable, "-c", f"from {__name__} import digest_of_words; print(digest_of_words())", *words]
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=STRANGER_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise UsageError(f"another process did not end in {STRANGER_TIMEOUT_S} s") from None
    lines = done.stdout.split()
    if done.returncode or not lines:
        raise UsageError(f"another process could not build it: {done.stderr.strip()[-500:]}")
    return lines[-1]


def digest_of_words() -> str:
    """What the other process does: build the task of sys.argv. Its digest."""
    from tvbench.registry.selection import named_tasks

    named, name, data, offline, limit = sys.argv[1:]
    task = next(task_found for task_found in named_tasks(named) if task_found.name == name)
    where = Circumstances(Path(data) if data else None, bool(offline), int(limit))
    return _digest(_Checker(task, where).build())
