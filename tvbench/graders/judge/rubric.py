"""Rubrics: versioned prompt files for judges. YAML in, one frozen object out.

    name: tvbench
    version: 1
    scale: [0, 5]           # lowest and highest score
    reply: json             # json: {"reason", "score"} held to a schema; number: a bare number
    judges: open            # open: open-ended answers (exact items only as a check of the judge); every: all answers
    default_for: [alm/official]
    max_new_tokens: 400
    system: text            # optional
    prompts:                # by question type; `default` must be there
      default: "... {question} ... {reference} ... {answer} ... {language} ... {nonce} ..."

`{nonce}` is a code of each request, in the tags around the answer and in the reply: see cases.py.

Knows no engine and no run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from tvbench.errors import UsageError, unknown_name
from tvbench.runs.signature import short_hash
from tvbench.safety.bounded import read_yaml

FOLDER = Path(__file__).with_name("rubrics")
PLACES = ("question", "reference", "answer", "language", "nonce")
FALLBACK = "tvbench"

ReplyForm = Literal["json", "number"]
Judged = Literal["open", "every"]


@dataclass(frozen=True, slots=True)
class Rubric:
    """One prompt file. `lowest` and `highest` bound the judge's own scale; scores are kept as fractions of it."""

    name: str
    version: int
    prompts: Mapping[str, str]
    lowest: float
    highest: float
    reply: ReplyForm
    judges: Judged
    max_new_tokens: int = 256
    system: str = ""
    title: str = ""
    source: str = ""
    default_for: tuple[str, ...] = field(default=())

    @property
    def digest(self) -> str:
        """Twelve hex digits over everything that a judge is told and how it is read."""
        told = [self.system, self.reply, f"{self.lowest}:{self.highest}", str(self.max_new_tokens)]
        return short_hash([*told, *(part for pair in sorted(self.prompts.items()) for part in pair)])

    @property
    def label(self) -> str:
        """`tvbench@1`, with the digest: two files of one name never pass for each other."""
        return f"{self.name}@{self.version}-{self.digest}"

    @property
    def signed(self) -> bool:
        """Whether a reply counts only with the request's nonce in it."""
        return any("{nonce}" in prompt for prompt in self.prompts.values())

    def schema(self, nonce: str = "") -> str:
        """The JSON schema of a reply, as text; "" where a number is asked for."""
        if self.reply == "number":
            return ""
        whole = self.lowest == int(self.lowest) and self.highest == int(self.highest)
        score: dict[str, Any] = {"type": "number"}
        if whole:
            score = {"type": "integer", "enum": list(range(int(self.lowest), int(self.highest) + 1))}
        fields: dict[str, Any] = {"reason": {"type": "string"}}
        if any("right_language" in prompt for prompt in self.prompts.values()):
            fields["right_language"] = {"type": "boolean"}
        fields["score"] = score
        if nonce:
            fields["nonce"] = {"type": "string", "enum": [nonce]}
        return json.dumps(
            {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
        )

    def prompt(self, kind: str, places: Mapping[str, str]) -> str:
        """The user message for a question of type `kind`; braces inside the filled-in texts mean nothing."""
        template = self.prompts.get(kind, self.prompts["default"])
        return re.sub(r"\{(" + "|".join(PLACES) + r")\}", lambda found: places[found[1]], template)

    def fraction(self, score: float) -> float:
        """A score on the judge's scale as 0..1."""
        return (score - self.lowest) / (self.highest - self.lowest)

    def as_json(self) -> dict[str, Any]:
        """What `rubric_from` reads again."""
        data = asdict(self)
        data["scale"] = [data.pop("lowest"), data.pop("highest")]
        data["default_for"] = list(self.default_for)
        return data


def rubric_from(data: object, where: str) -> Rubric:
    """A rubric of parsed YAML or JSON. Raises UsageError that names `where` and what is wrong."""
    if not isinstance(data, Mapping):
        said = f"{where} is not a rubric: it must hold name, version, scale, reply, judges and prompts"
        raise UsageError(said, f"see the files in {FOLDER.name}/ of tvbench/graders/judge, or docs/judges.md")
    problem = next(_problems(data), None)
    if problem is not None:
        raise UsageError(f"{where}: {problem}", "docs/judges.md describes the file")
    lowest, highest = data["scale"]
    return Rubric(
        name=str(data["name"]),
        version=int(data["version"]),
        prompts={str(kind): str(text) for kind, text in data["prompts"].items()},
        lowest=float(lowest),
        highest=float(highest),
        reply=data["reply"],
        judges=data["judges"],
        max_new_tokens=int(data.get("max_new_tokens", 256)),
        system=str(data.get("system") or ""),
        title=str(data.get("title") or ""),
        source=str(data.get("source") or ""),
        default_for=tuple(str(name) for name in data.get("default_for") or ()),
    )


def _problems(data: Mapping[str, Any]) -> Iterator[str]:
    missing = [name for name in ("name", "version", "scale", "reply", "judges", "prompts") if name not in data]
    if missing:
        yield f"{', '.join(missing)} missing"
        return
    scale = data["scale"]
    numbers = isinstance(scale, list) and len(scale) == 2 and all(_is_number(end) for end in scale)
    if not numbers or scale[0] >= scale[1]:
        yield f"scale must be two numbers, the lower one first, not {scale!r}"
    for name in ("version", "max_new_tokens"):
        if name in data and (not isinstance(data[name], int) or data[name] < 1):
            yield f"{name} must be a whole number above 0, not {data[name]!r}"
    for name, allowed in (("reply", get_args(ReplyForm)), ("judges", get_args(Judged))):
        if data[name] not in allowed:
            yield f"{name} must be one of {', '.join(allowed)}, not {data[name]!r}"
    prompts = data["prompts"]
    if not isinstance(prompts, Mapping) or "default" not in prompts:
        yield "prompts must have one named default"
        return
    for kind, text in prompts.items():
        if "{answer}" not in str(text):
            yield f"the prompt {kind} never shows the {{answer}}"
    signed = ["{nonce}" in str(text) for text in prompts.values()]
    if any(signed) and (data["reply"] != "json" or not all(signed)):
        yield "{nonce} must stand in every prompt or in none, and needs reply: json"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@lru_cache(maxsize=1)
def known_rubrics() -> dict[str, Rubric]:
    """The rubrics that tvbench brings, by name."""
    found = [read_rubric(path) for path in sorted(FOLDER.glob("*.yaml"))]
    return {rubric.name: rubric for rubric in found}


def read_rubric(path: Path) -> Rubric:
    """The rubric in a file. Raises UsageError where it cannot be read."""
    try:
        read = read_yaml(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a rubric: {error}") from error
    return rubric_from(read, str(path))


def choose_rubric(asked: str | None, task: str, protocol: str) -> Rubric:
    """`asked` by name or as a file; else the one that is made for the task and protocol; else ours."""
    known = known_rubrics()
    if asked is None:
        wanted = f"{task}/{protocol}"
        return next((rubric for rubric in known.values() if wanted in rubric.default_for), known[FALLBACK])
    if asked in known:
        return known[asked]
    if Path(asked).is_file():
        return read_rubric(Path(asked))
    raise unknown_name("rubric", asked, known, "or give a YAML file of your own: docs/judges.md")
