"""Which answers of a run a judge is shown, and the request for each.

Open answers are judged because nothing else can score them. Items with an exact answer (multiple choice, true/false,
short) are judged too, a sample of each language, only to learn how far the judge can be believed, and so are answers of
known worth that are planted among the open ones. Under a rubric that judges `every` answer exact items are judged all.
Knows no engine and no file.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from tvbench.graders.judge.planted import Kind, Plant, plant
from tvbench.graders.judge.rubric import Rubric
from tvbench.languages import is_language, language
from tvbench.runs.plan import PlannedItem, key_of
from tvbench.scoring import score_item
from tvbench.scoring.choice import usable_target
from tvbench.scoring.metrics import headlines
from tvbench.types import Choice, Item, Message, ModelCard, Open, Response, Sampling, Short

CHECKED = 20
"""Exact items of each language that are judged as a check, where nothing else is asked for."""
NONCE_SALT = "tvbench judge"
NONCE_LENGTH = 12
"""Letters and digits of five bits each: too many to be found by trying, few enough to be copied."""
AGAIN_TEMPERATURE = 0.5
"""How a question is put again after an unreadable reply: greedily it would bring the same reply."""


@dataclass(frozen=True, slots=True)
class Case:
    """One answer to be judged. `truth` is what the answer is worth where that is known exactly (0 or 1), else None.
    `counts`: the judge's score is the item's score, not only a check of the judge. `planted`: nobody gave this answer,
    and what kind it is; `rule` is how it was made."""

    item: Item
    answer: str
    kind: str
    question: str
    reference: str
    truth: float | None
    counts: bool
    planted: Kind | None = None
    rule: str = ""

    @property
    def open(self) -> bool:
        """Whether it is a real answer whose worth nobody knows."""
        return self.truth is None and self.planted is None


def gather(
    answers: Iterable[tuple[Item, Response]],
    rubric: Rubric,
    *,
    checked: int | None = CHECKED,
    seed: int = 0,
    planted: int | None = 0,
    languages: Collection[str] = (),
) -> list[Case]:
    """The cases of one task: every open answer, of the exact ones `checked` a language (None: all), and `planted` more
    (None: see planted.py), which stand anywhere among the others. `languages` are those that are wanted (none: all);
    `answers` are always all there are, since planted ones borrow from other languages.

    Failed and unasked items are left out: there is nothing to judge.
    """
    pairs = list(answers)
    cases = [case for item, response in pairs if (case := _case(item, response, rubric)) is not None]
    extra = [case for case in cases if not case.counts]
    kept = {id(case) for case in _sample(extra, checked, seed)}
    cases = [case for case in cases if case.counts or id(case) in kept]
    plants = _plants([item for item, _ in pairs], cases, planted, seed)
    if plants:
        cases = sorted([*cases, *plants], key=lambda case: _place(case, seed))
    return [case for case in cases if not languages or case.item.language in languages]


def _plants(items: Sequence[Item], cases: Sequence[Case], most: int | None, seed: int) -> list[Case]:
    """The planted cases, where there are open answers that they can stand among."""
    answers = Counter(case.item.language for case in cases if case.open)
    wanted = [item for item in items if isinstance(item.target, Open)] if answers and most != 0 else []
    return [_planted(made) for made in plant(wanted, most, answers=answers, seed=seed) if made.item.language in answers]


def _planted(made: Plant) -> Case:
    target = made.item.target
    assert isinstance(target, Open)
    kind = made.item.tags.get("question_type", "open")
    return Case(made.item, made.answer, kind, target.question, target.reference, None, False, made.kind, made.rule)


def _place(case: Case, seed: int) -> bytes:
    """Where a case stands: by a hash, so that its neighbours say nothing of it."""
    told = f"{seed}:{case.planted}:{case.item.task}:{case.item.id}"
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()


def _case(item: Item, response: Response, rubric: Rubric) -> Case | None:
    if item.problem is not None or response.text is None:
        return None
    target = item.target
    truth: float | None = None
    if isinstance(target, Open):
        question, reference, kind = target.question, target.reference, "open"
    elif isinstance(target, Choice | Short):
        question = (target.question if isinstance(target, Choice) else "") or prompt_text(item)
        kind = "multiple-choice" if isinstance(target, Choice) else "short"
        reference = _choice_reference(target) if isinstance(target, Choice) else " / ".join(target.answers)
        values = score_item(item, response).values
        truth = next((value for metric in headlines(item) if (value := values.get(metric.id)) is not None), None)
        if truth is None:
            return None
    else:
        return None
    counts = isinstance(target, Open) or rubric.judges == "every"
    return Case(item, response.text, item.tags.get("question_type", kind), question, reference, truth, counts)


def prompt_text(item: Item) -> str:
    """The texts of the item's messages, as the model saw them."""
    return "\n".join(part for message in item.messages for part in message.parts if isinstance(part, str)).strip()


def _choice_reference(choice: Choice) -> str:
    """The right answer in words: with its letter where letters were shown, else as the data has it."""
    if choice.gold is None or (not choice.letters and usable_target(choice)):
        return choice.target
    text = choice.options[choice.gold]
    return f"{chr(ord('A') + choice.gold)}. {text}" if choice.letters else text


def _sample(cases: Sequence[Case], size: int | None, seed: int) -> list[Case]:
    """`size` cases of each language, chosen by a hash of seed and item: more items never change the order."""
    if size is None:
        return list(cases)
    groups: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.item.language].append(case)

    def rank(case: Case) -> bytes:
        named = f"{seed}:{case.item.task}:{case.item.id}"
        return hashlib.sha256(named.encode("utf-8", "surrogatepass")).digest()

    return [case for group in groups.values() for case in sorted(group, key=rank)[:size]]


# ── Requests ──────────────────────────────────────────────────────────────────────────────────────


def nonce_of(case: Case, rubric: Rubric, attempt: int = 0) -> str:
    """The code that marks this request's tags and its reply; "" where the rubric's prompt has no place for one.

    A hash of all that is judged, the answer included: the same again for the same case, so that a reply is found again,
    and unknown to whoever wrote the answer, since no text can hold its own hash.
    """
    if not rubric.signed:
        return ""
    told = [NONCE_SALT, rubric.label, case.item.language, case.question, case.reference, case.answer, str(attempt)]
    digest = hashlib.sha256(json.dumps(told).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:NONCE_LENGTH]


def judge_request(case: Case, rubric: Rubric, card: ModelCard, attempt: int = 0) -> PlannedItem:
    """The judge's item for one case, with its key. Every `attempt` has a key of its own, so a reply that could not be
    read is kept, paid once, and asked again."""
    code = case.item.language
    nonce = nonce_of(case, rubric, attempt)
    places = {
        "question": case.question,
        "reference": case.reference,
        "answer": case.answer,
        "language": language(code).name if is_language(code) else code,
        "nonce": nonce,
    }
    messages = [Message("user", (rubric.prompt(case.kind, places),))]
    if rubric.system:
        messages.insert(0, Message("system", (rubric.system,)))
    sampling = Sampling(
        max_new_tokens=rubric.max_new_tokens, temperature=AGAIN_TEMPERATURE if attempt else 0.0, seed=attempt
    )
    item = Item(
        id=case.item.id if not attempt else f"{case.item.id}@{attempt}",
        task=case.item.task,
        language=code,
        messages=tuple(messages),
        target=Open(case.question, case.reference),
        sampling=sampling,
        cluster=case.item.cluster,
        tags={"judged_as": "score" if case.counts else case.planted or "check"},
        reply_schema=rubric.schema(nonce),
        repeat=attempt,
    )
    return PlannedItem(key_of(item, card), item, ())
