"""What a run's judges make of planted answers of known worth, and in which language they are loose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tvbench.graders.judge.looseness import BOUND, PlantedQuality, Proportion, overall
from tvbench.graders.judge.planted import KINDS, Kind
from tvbench.graders.judge.record import Judge
from tvbench.languages import is_language, language
from tvbench.report.table import Cell, Column, Table
from tvbench.scoring.metric import percent

NAMES: dict[Kind, str] = {
    "reference": "the right\nanswer",
    "other": "another\nitem's",
    "changed": "one fact\nchanged",
    "language": "another\nlanguage",
    "truncated": "half\nof it",
}
PLANTED = (
    Column("task", "task", "left"),
    Column("language", "language", "left"),
    Column("n", "planted"),
    Column("false_acceptance", "wrong ones\naccepted, 95 %"),
    Column("false_rejection", "right ones\nrejected, 95 %"),
    *(Column(kind, title) for kind, title in NAMES.items()),
    Column("direction", "the judge is", "left"),
)
MISSING: dict[Kind, str] = {
    "reference": "no right answers",
    "other": "no two right answers that are far enough from each other",
    "changed": "no number, name or negation that could be changed",
    "language": "no question that another language has too",
    "truncated": "no answers that are long enough to be cut",
}


def planted_tables(judge: Judge, found: Sequence[PlantedQuality]) -> list[Table]:
    """How one judge did on planted answers; nothing where it saw none."""
    if not found:
        return []
    notes = (
        *planted_findings(found),
        "planted answers count for no score; under each kind: the judge's mean score",
        "wrong ones: another item's right answer, and the right one with one fact changed",
        "loose, harsh: more wrong ones accepted or right ones rejected than in the other languages (exact test, Holm)",
        *_left_out(found),
    )
    return [Table(PLANTED, tuple(map(_row, found)), title=f"{judge.name}: planted answers", notes=notes, labels=2)]


def planted_findings(found: Sequence[PlantedQuality]) -> list[str]:
    """In which languages the judge is loose or harsh, in sentences; or that none was seen."""
    told = [line for quality in found for line in _sentences(quality)]
    for task, share in overall(found).items():
        if share.interval is not None and share.interval[0] > BOUND:
            told.append(f"{task}: the judge accepts {_shown(share)} of wrong answers: its scores say little")
    if not told and any(quality.loose is not None for quality in found):
        told.append("in no language is the judge seen to be looser or harsher than in the others")
    return told


def _sentences(quality: PlantedQuality) -> list[str]:
    name = language(quality.language).name if is_language(quality.language) else quality.language
    told = []
    if "loose" in quality.direction:
        told.append(
            f"{quality.task}: in {name} the judge accepts {_rounded(quality.false_acceptance)} % of wrong answers "
            f"(others {_rounded(quality.others_acceptance)} %)"
        )
    if "harsh" in quality.direction:
        told.append(
            f"{quality.task}: in {name} the judge rejects {_rounded(quality.false_rejection)} % of right answers "
            f"(others {_rounded(quality.others_rejection)} %)"
        )
    return told


def _left_out(found: Sequence[PlantedQuality]) -> list[str]:
    """Which kinds could not be planted, and why."""
    told = []
    for task in dict.fromkeys(quality.task for quality in found):
        for kind in KINDS:
            lack = [quality.language for quality in found if quality.task == task and kind not in quality.kinds]
            if lack:
                title = NAMES[kind].replace("\n", " ")
                told.append(f"{task}: '{title}' was not planted in {', '.join(lack)}: {MISSING[kind]}")
    return told


def _row(quality: PlantedQuality) -> tuple[Cell, ...]:
    planted = sum(kind.accepted.n for kind in quality.kinds.values())
    return (
        Cell(quality.task),
        Cell(quality.language),
        Cell(str(planted), value=planted),
        _share_cell(quality.false_acceptance),
        _share_cell(quality.false_rejection),
        *(
            Cell(percent(quality.kinds[kind].mean), value=quality.kinds[kind].mean)
            if kind in quality.kinds
            else Cell("–", value="", empty=True)
            for kind in KINDS
        ),
        Cell(quality.direction or "–", bold=bool(quality.direction)),
    )


def _share_cell(share: Proportion) -> Cell:
    return Cell("–", value="", empty=True) if share.value is None else Cell(_shown(share), value=share.value)


def _shown(share: Proportion) -> str:
    low, high = share.interval or (0.0, 1.0)
    return f"{_rounded(share)} % ({100 * low:.0f} to {100 * high:.0f})"


def _rounded(share: Proportion) -> str:
    return "–" if share.value is None else f"{100 * share.value:.0f}"


def planted_json(found: Sequence[PlantedQuality]) -> dict[str, Any]:
    """The same for scripts."""
    return {"planted": [_record(quality) for quality in found], "findings": planted_findings(found)}


def _record(quality: PlantedQuality) -> dict[str, Any]:
    data = asdict(quality) | {"direction": quality.direction or None}
    for name in ("false_acceptance", "false_rejection", "others_acceptance", "others_rejection"):
        data[name] = _share_record(getattr(quality, name))
    for kind, seen in quality.kinds.items():
        data["kinds"][kind] |= {"accepted": _share_record(seen.accepted), "foreign": _share_record(seen.foreign)}
    return data


def _share_record(share: Proportion) -> dict[str, Any]:
    low, high = share.interval or (None, None)
    return {"count": share.hits, "n": share.n, "share": share.value, "low": low, "high": high}
