"""How many planted faults does `tvbench explain` find, and how often is it wrong about a clean answer?

    python benchmarks/diagnosis.py --data ../shared/data

Faults of known kinds are planted in sentences of 27 languages (benchmarks/planted/, our own) and, where the published
logs and Multi30K are at hand, in references of Multi30K and in good translations of real models. The phrases of
refusals, announcements, notes and pairs of versions have four splits: `tune` stood beside the detectors, `held` was
written before them and is what the table shows, `late` and `fresh` came after them; nothing was mended on `fresh`.
False alarms: real answers that score well (CLEAN), references taken for answers, our own sentences held against their
their other version. Both with the language identifiers (the extra `langid`) and without.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import random
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

from tvbench.analysis.diagnosis import language_id
from tvbench.analysis.diagnosis.answers import diagnose, gold_texts, loss_metric, lost
from tvbench.analysis.diagnosis.language_id import Identifiers
from tvbench.cli.main import main as tvbench
from tvbench.runs.store import RunFolder, find_runs
from tvbench.scoring import score_item
from tvbench.scoring.metrics import metric
from tvbench.types import Choice, Contains, Exam, Item, Message, OcrText, Open, Response, Sampling, Target, Translation

PLANTED = Path(__file__).parent / "planted"
FOUND_BY = {
    "half foreign": {"foreign", "wrong_script", "wrong_language"},
    "refusal": {"refusal"},
    "preamble": {"chatty"},
    "note": {"chatty"},
    "cut": {"truncated"},
    "two versions": {"alternatives", "ambiguous"},
    "transliterated": {"wrong_script"},
}
"""The causes that are right for a fault."""
ALARMS = ("foreign", "wrong_script", "refusal", "chatty", "truncated", "alternatives")
CLEAN = {"multi30k": 0.35, "cc-ocr": 0.35, "alm": 0.0, "m3exam": 0.0, "ocrbench": 0.0}
"""A real answer is clean if it lost no more than this: chrF++ of 65, F1 of .65, everything right elsewhere."""
SPARSE = 20
"""Faults are planted in one of so many captions; alarms are counted on all of them."""
SEED = 20261126


@dataclass(frozen=True, slots=True)
class Sentence:
    """What faults are planted in: a text, another version of it, the source, and the right text it is held against."""

    language: str
    text: str
    variant: str
    source: str
    right: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A planted fault, and the right text that it is held against."""

    kind: str
    split: str
    language: str
    answer: str
    right: str
    source: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Plant, diagnose, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder with `tvision_results` and `multi30k` (default: none)")
    parser.add_argument("--without-identifiers", action="store_true", help="as if the extra `langid` were missing")
    parser.add_argument("--missed", type=int, default=0, metavar="N", help="show N missed faults of each kind")
    args = parser.parse_args(arguments)
    identifiers = None if args.without_identifiers else language_id.load()
    print(f"identifiers: {'cld2 and py3langid' if identifiers else 'none, scripts and word tables only'}")
    faults = list(planted(sentences()))
    print_recall("our sentences", faults, identifiers, args.missed)
    print_recall("our sentences as open answers", faults, identifiers, args.missed, "open")
    print_recall("our sentences as options", list(planted(options())), identifiers, args.missed, "choice")
    print_alarms("our sentences, other version", list(variants()), identifiers, args.missed)
    if args.data is None or not args.data.is_dir():
        print("no --data: real logs and Multi30K are left out")
        return 0
    captions = list(multi30k(args.data / "multi30k"))
    print_recall("Multi30K references", list(planted(captions[::SPARSE])), identifiers, args.missed)
    print_alarms("Multi30K references", [as_reference(caption) for caption in captions], identifiers, args.missed)
    with tempfile.TemporaryDirectory() as folder:
        runs = imported(args.data / "tvision_results", Path(folder))
        translations = list(real_translations(runs))
        faults = list(planted(translations[::SPARSE]))
        print_recall("real translations of Multi30K, both models", faults, identifiers, args.missed)
        for name, answers in {**real_answers(runs), "right texts of the logs": right_texts(runs)}.items():
            print_alarms(name, answers, identifiers, args.missed)
    return 0


# ── Texts ─────────────────────────────────────────────────────────────────────────────────────────


def rows(name: str) -> list[dict[str, str]]:
    """A table of benchmarks/planted/."""
    with (PLANTED / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def sentences() -> list[Sentence]:
    """Ours, in 27 languages; what is planted in is not the right text word for word, but its other version."""
    found = rows("sentences.csv")
    said = {(row["language"], row["number"]): row["text"] for row in found}
    return [
        Sentence(language, row["variant"], row["text"], said[source_of(language), row["number"]], row["text"])
        for row in found
        for language in (row["language"],)
    ]


def options() -> list[Sentence]:
    """Ours as options: what is planted in is the right one, the other version another one."""
    found = sentences()
    return [
        replace(sentence, text=sentence.right, variant=other.right)
        for sentence, other in zip(found, found[1:] + found[:1], strict=True)
        if sentence.language == other.language
    ]


def source_of(language: str) -> str:
    """The language that is translated from."""
    return "de" if language == "en" else "en"


def multi30k(folder: Path) -> Iterator[Sentence]:
    """All captions of each language and test set."""
    for path in sorted(folder.glob("*.gz")):
        language = path.suffixes[-2][1:]
        if language != "en":
            sources = read_gzip(path.with_name(path.name.replace(f".{language}.", ".en.")))
            for text, source in zip(map(str.strip, read_gzip(path)), map(str.strip, sources), strict=True):
                yield Sentence(language, text, "", source, text)


def read_gzip(path: Path) -> list[str]:
    """Its lines."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()


# ── Faults ────────────────────────────────────────────────────────────────────────────────────────


def planted(texts: Sequence[Sentence]) -> Iterator[Fault]:
    """Every fault in every sentence, at random places that SEED fixes."""
    rng = random.Random(SEED)
    phrases = defaultdict(list)
    for row in rows("phrases.csv"):
        phrases[row["language"]].append((row["kind"], row["split"], row["text"].replace("\\n", "\n")))
    ours = {(s.language, s.source): s for s in sentences()}
    others = {s.language: [o for o in sentences() if o.language == s.language] for s in sentences()}
    for sentence in texts:
        language = sentence.language
        meta = phrases[language] + ([] if language == "en" else [p for p in phrases["en"] if p[0] != "either"])
        for kind, split, phrase in meta:
            if "{y}" in phrase and not sentence.variant:
                continue
            name = {"either": "two versions"}.get(kind, kind)
            answer = phrase.replace("{x}", sentence.text).replace("{y}", sentence.variant)
            yield Fault(name, split, language, answer, sentence.right, sentence.source)
        yield from mechanical(sentence, ours, others, rng)


def mechanical(
    sentence: Sentence, ours: dict[tuple[str, str], Sentence], others: dict[str, list[Sentence]], rng: random.Random
) -> Iterator[Fault]:
    """Faults without phrases: cut, half in another language (the source's, or a third one), one word in two ways."""

    def fault(kind: str, answer: str) -> Fault:
        return Fault(kind, "held", sentence.language, answer, sentence.right, sentence.source)

    for part in (rng.uniform(0.4, 0.6), rng.uniform(0.6, 0.8), rng.uniform(0.8, 0.9)):
        yield fault("cut", cut(sentence.text, part))
    middle = rng.uniform(0.4, 0.6)
    yield fault("half foreign", joined(cut(sentence.text, middle), rest(sentence.source, middle)))
    yield fault("half foreign", joined(cut(sentence.source, middle), rest(sentence.text, middle)))
    third = rng.choice([code for code in others if kin(code) != kin(sentence.language) and code != "en"])
    strange = rng.choice(others[third])
    yield fault("half foreign", joined(cut(sentence.text, middle), rest(strange.text, middle)))
    yield fault("half foreign", sentence.text + " " + sentence.source)


def kin(language: str) -> frozenset[str]:
    """Languages that nobody tells apart in half a sentence."""
    return language_id.group_of(language) | ({"sv"} if language in ("nb", "nn", "da", "sv") else set())


def cut(text: str, part: float) -> str:
    """The first `part` of a text, whole words where it has words."""
    if " " not in text.strip():
        return text[: max(2, round(part * len(text)))]
    found = text.split()
    return " ".join(found[: max(2, min(len(found) - 1, round(part * len(found))))])


def rest(text: str, part: float) -> str:
    """What `cut` leaves away."""
    return text[len(cut(text, part)) :].strip()


def joined(first: str, second: str) -> str:
    """Both with a blank between."""
    return f"{first} {second}"


# ── Diagnosis ─────────────────────────────────────────────────────────────────────────────────────


def seen(fault: Fault, form: str, identifiers: Identifiers | None) -> set[str]:
    """The causes that are seen of one answer; what the identifiers say of the whole is among them."""
    target, counted = asked(fault, form)
    message = (Message("user", (fault.source,)),)
    item = Item("one", "planted", fault.language, message, target, Sampling(max_new_tokens=256))
    response = Response("one", text=fault.answer)
    score = score_item(item, response)
    found = set(diagnose(item, response, score, loss_metric(metric(counted)), identifiers).seen)
    judged = identifiers.judge(fault.answer, fault.language) if identifiers is not None else None
    return found | ({"wrong_language"} if judged is not None and not judged.accepted else set())


def asked(fault: Fault, form: str) -> tuple[Target, str]:
    """The right text as a translation's reference, an open answer's, or one of four options."""
    if form == "open":
        return Open(fault.source, fault.right), "accuracy"
    if form == "choice":
        others = [s.right for s in sentences() if s.language == fault.language and s.right != fault.right]
        options = (fault.right, *others[:3])
        return Choice(options, 0, fault.right, shown=options), "strict"
    return Translation(fault.source, (fault.right,)), "chrfpp"


def print_recall(
    name: str, faults: list[Fault], identifiers: Identifiers | None, missed: int, form: str = "translation"
) -> None:
    """A table: faults by language, what of the held-out half was found; below it the tuned half in all."""
    found: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
    shown: Counter[str] = Counter()
    faults = [fault for fault in faults if form != "choice" or fault.kind not in ("cut", "half foreign")]
    for fault in faults:
        causes = seen(fault, form, identifiers)
        hit = bool(causes & FOUND_BY[fault.kind])
        found[fault.kind, fault.split, fault.language].append(hit)
        if not hit and shown[fault.kind] < missed:
            shown[fault.kind] += 1
            print(f"  missed {fault.kind} ({fault.split}, {fault.language}): {fault.answer!r} {sorted(causes)}")
    kinds = list(dict.fromkeys(fault.kind for fault in faults))
    print(f"\n{name}: recall, per cent (held-out phrases)\n" + "".join(f"{kind:>14}" for kind in ["", *kinds]))
    languages = sorted({fault.language for fault in faults})
    for language in languages:
        cells = [percent(found[kind, "held", language]) for kind in kinds]
        print(f"{language:>14}" + "".join(f"{cell:>14}" for cell in cells))
    for split in ("fresh", "held", "late", "tune"):
        cells = [percent(sum((found[kind, split, code] for code in languages), [])) for kind in kinds]
        print(f"{'all, ' + split:>14}" + "".join(f"{cell:>14}" for cell in cells))


def percent(hits: list[bool]) -> str:
    """The share of what was found."""
    return f"{100 * sum(hits) / len(hits):.0f}" if hits else "–"


@dataclass(frozen=True, slots=True)
class Clean:
    """An answer with nothing wrong: an item, and what it was answered. The logs do not say how it ended (`finish`)."""

    item: Item
    answer: str
    finish: str | None = None


def print_alarms(name: str, answers: list[Clean], identifiers: Identifiers | None, missed: int) -> None:
    """One line: false alarms by cause, of all clean answers."""
    alarms: Counter[str] = Counter()
    some = 0
    for answer in answers:
        response = Response("one", text=answer.answer, finish=answer.finish)
        primary = "chrfpp" if isinstance(answer.item.target, Translation) else "accuracy"
        primary = "macro_f1" if isinstance(answer.item.target, OcrText) else primary
        score = score_item(answer.item, response)
        causes = set(diagnose(answer.item, response, score, metric(primary), identifiers).seen) & alarming(answer.item)
        alarms.update(causes)
        some += bool(causes)
        if causes and some <= missed:
            print(f"  false alarm {sorted(causes)} ({answer.item.language}): {answer.answer[:200]!r}")
    listed = ", ".join(f"{cause} {count}" for cause, count in sorted(alarms.items())) or "none"
    print(f"\n{name}: false alarms on {some} of {len(answers)} ({100 * some / max(1, len(answers)):.2f} %): {listed}")


def alarming(item: Item) -> set[str]:
    """The causes that are false of a clean answer. Prose around a right option or word is truly chatty, and where it
    ran into the limit it is truly cut off."""
    prose = isinstance(item.target, Exam | Contains)
    return set(ALARMS) - ({"chatty", "truncated"} if prose else set())


def as_reference(sentence: Sentence) -> Clean:
    """A right text taken for an answer."""
    return Clean(item_of(sentence, sentence.text), sentence.text, "stop")


def item_of(sentence: Sentence, right: str) -> Item:
    """A translation that is held against `right`."""
    target = Translation(sentence.source, (right,))
    return Item("one", "planted", sentence.language, (Message("user", (sentence.source,)),), target)


def variants() -> Iterator[Clean]:
    """Each version of our sentences held against the other one."""
    for sentence in sentences():
        yield Clean(item_of(sentence, sentence.text), sentence.variant)
        yield Clean(item_of(sentence, sentence.variant), sentence.text)


# ── Published logs ────────────────────────────────────────────────────────────────────────────────


def imported(logs: Path, folder: Path) -> list[RunFolder]:
    """The logged runs, imported; none where there are no logs."""
    if not logs.is_dir():
        return []
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        tvbench(["import", "lmms-eval", str(logs), "--results", str(folder)])
    return find_runs(folder)


def clean(run: RunFolder) -> Iterator[Clean]:
    """The answers of a run that lost no more than CLEAN."""
    answers = run.responses()
    for key, item in run.requests():
        response = answers.get(key)
        if response is None or not response.text or item.problem is not None:
            continue
        primary = {"multi30k": "chrfpp", "cc-ocr": "macro_f1", "ocrbench": "ocrbench"}.get(item.task, "aligned")
        lost_by_it = lost(item, response.text, score_item(item, response), loss_metric(metric(primary)))
        if lost_by_it is not None and lost_by_it <= CLEAN[item.task]:
            yield Clean(item, response.text)


def real_answers(runs: Sequence[RunFolder]) -> dict[str, list[Clean]]:
    """Clean answers by task."""
    found: dict[str, list[Clean]] = defaultdict(list)
    for run in runs:
        for answer in clean(run):
            found[f"real answers, {answer.item.task}"].append(answer)
    return found


def right_texts(runs: Sequence[RunFolder]) -> list[Clean]:
    """The right texts of the logged items, as answers: references, pages, the right option."""
    found = {}
    for run in runs:
        for _, item in run.requests():
            target = item.target
            right = target.options[target.gold or 0] if isinstance(target, Choice) and target.options else ""
            for text in (right,) if right else gold_texts(item):
                found[item.task, item.id, text] = Clean(item, text, "stop")
    return list(found.values())


def real_translations(runs: Sequence[RunFolder]) -> Iterator[Sentence]:
    """Clean translations of each model; the other version is another model's."""
    said: dict[str, dict[str, str]] = defaultdict(dict)
    for run in runs:
        for answer in clean(run):
            target = answer.item.target
            if isinstance(target, Translation):
                others = said[answer.item.id]
                variant = next((text for text in others.values() if text != answer.answer), "")
                others[run.name] = answer.answer
                yield Sentence(answer.item.language, answer.answer, variant, target.source, target.references[0])


if __name__ == "__main__":
    sys.exit(main())
