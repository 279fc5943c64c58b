"""What a task declares: whether it holds together, and what a person's words mean by it.

Knows the vocabulary and the languages; reads no data and calls no task.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from tvbench.errors import UsageError, unknown_name
from tvbench.safety.fitting import declared
from tvbench.safety.misfits import misfits
from tvbench.types import Setting, Task, Value

log = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
KEY = re.compile(r"\w[\w.-]*")
CODE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*|[a-z0-9]+(-[a-z0-9]+)+")
PLAIN = (
    *("title", "group", "paper", "notes", "modality", "data", "tokens_per_answer"),
    *("split_aliases", "split_languages", "split_shown", "more_languages"),
)
"""Fields of a task of which nothing but their kind can be wrong here."""
YES = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def faults(task: Task) -> Iterator[str]:
    """What is wrong with a declaration, each with what to write instead. Nothing is executed."""
    if not isinstance(task.name, str) or not NAME.fullmatch(task.name):
        yield f"the name {task.name!r} cannot be typed: letters, digits, `-`, `_` and `.` only"
    if not isinstance(task.version, str) or not task.version:
        yield 'the version is a text, such as "1"'
    if (task.source is None) == (task.build is None):
        yield (
            "it needs a `source` (HubRows, or a function that gives Opened)"
            if task.source is None
            else "it has `source` and `build`, which is how earlier tasks were written: give only `source`"
        )
    if task.item is not None and (task.source is None or not callable(task.item)):
        yield "`item` is a function of (row, ask), next to a `source`"
    if task.source is not None and not callable(task.source):
        yield f"`source` is a {type(task.source).__name__}: give HubRows(...) or a function of (ask)"
    if not isinstance(task.protocols, Mapping) or not task.protocols:
        yield "`protocols` maps names to a sentence each, the default first"
        return
    for field in ("languages", "splits", "metrics", "second_bos", "log_names"):
        names = getattr(task, field)
        if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
            yield f'`{field}` is a tuple of texts: write ("...",), with the comma'
            return
    yield from (
        f"`languages` holds {code!r}, which is no code such as de or zh-Hans (`tvbench languages` lists them)"
        for code in task.languages
        if not CODE.fullmatch(code)
    )
    for field, names in (("second_bos", task.second_bos), ("primaries", task.primaries)):
        yield from (
            f"`{field}` names the protocol {name}, which is not declared"
            for name in names
            if name not in task.protocols
        )
    if wrong := [text for field in PLAIN for text in misfits(getattr(task, field), declared(Task)[field], field)]:
        yield from wrong
        return
    if not isinstance(task.settings, Mapping):
        yield '`settings` maps names: write {"name": Setting("what it does", default)}'
        return
    yield from _split_faults(task)
    yield from _setting_faults(task.settings)


def _split_faults(task: Task) -> Iterator[str]:
    for alias, split in task.split_aliases.items():
        if split not in task.splits:
            yield f"the alias {alias} stands for the split {split}, which is not declared"
        elif alias in task.splits and alias != split:
            yield f"the alias {alias} is the name of another split"
    for split, codes in task.split_languages.items():
        if split not in task.splits:
            yield f"`split_languages` names the split {split}, which is not declared"
        yield from (
            f"`split_languages` has {code} for {split}, which is not in `languages`"
            for code in codes
            if code not in task.languages
        )


def _setting_faults(settings: Mapping[str, Setting]) -> Iterator[str]:
    for key, setting in settings.items():
        if not isinstance(setting, Setting):
            yield f'the setting {key} is no Setting: write Setting("what it does", default)'
            continue
        if not KEY.fullmatch(key):
            yield f"the setting's name {key!r} cannot be typed"
        default = setting.default
        values = default if isinstance(default, tuple) else () if default is None else (default,)
        if setting.choices and any(value not in setting.choices for value in values):
            yield f"the default of the setting {key} is not among its choices"
        if setting.several and not (setting.choices and isinstance(default, tuple)):
            yield f"the setting {key} takes several values: give `choices`, and a tuple as the default"


# ── Languages ─────────────────────────────────────────────────────────────────────────────────────


def codes_in(task: Task, text: str) -> tuple[str, ...]:
    """The codes by which `task` knows the language `text`, a code or a name in any language: more than one for a
    macro-language (`ar`) of which it has members. Says how that was understood. Raises UsageError."""
    from tvbench.languages import chosen_among, code_of, lacking, of_country

    if not task.languages:
        return (code_of(text),)
    found = chosen_among(text, task.languages)
    if not found.codes:
        kind = f"language of {task.name}"
        hint = f"`tvbench tasks {task.name}` lists them"
        raise lacking(kind, text, task.languages, of_country(text) or hint)
    if found.note:
        _say(f"{task.name}: {found.note}")
    return found.codes


@lru_cache(maxsize=1024)
def _say(note: str) -> None:
    """Once in a process."""
    log.warning("note: %s", note)


# ── Settings ──────────────────────────────────────────────────────────────────────────────────────


def read_settings(task: Task, given: Mapping[str, str]) -> dict[str, Any]:
    """All settings of the task, those that were given read as what they are. Raises UsageError, with the nearest names,
    for one that the task does not have, or a value that it cannot take."""
    for key in given:
        if key not in task.settings:
            none = f"{task.name} has no settings (a task file declares them, as settings={{'{key}': Setting(...)}})"
            hint = f"as in --set {task.name}.KEY=VALUE" if task.settings else none
            raise unknown_name(f"setting of {task.name}", key, task.settings, hint)
    return {
        key: read_setting(f"{task.name}.{key}", setting, given[key]) if key in given else setting.default
        for key, setting in task.settings.items()
    }


def read_setting(name: str, setting: Setting, text: str) -> Any:
    """The value that `text` stands for. Raises UsageError."""
    if setting.several:
        parts = [part.strip() for part in str(text).split("+")]
        return tuple(_chosen(name, setting, part, text) for part in dict.fromkeys(parts))
    return _chosen(name, setting, str(text).strip(), text)


def _chosen(name: str, setting: Setting, text: str, whole: str) -> Value:
    if setting.choices:
        found = {settings_text(choice): choice for choice in setting.choices}
        if text not in found:
            raise unknown_name(f"value of {name}", text, found, f"in --set {name}={whole}")
        return found[text]
    kind = setting.kind or kind_of(setting.default)
    value = _value(kind, text)
    if value is None or not _within(setting, value):
        raise UsageError(f"--set {name}={whole}: not {allowed(setting)}", f"such as {name}={example(setting)}")
    return value


def _within(setting: Setting, value: Value) -> bool:
    """Whether a number lies between the bounds; other values have none."""
    if not isinstance(value, int | float):
        return True
    return (setting.least is None or value >= setting.least) and (setting.most is None or value <= setting.most)


def _value(kind: str, text: str) -> Value:
    """The text as a value of `kind`; None where it is none."""
    if kind == "whole":
        return int(text) if re.fullmatch(r"-?[0-9]{1,12}", text) else None
    if kind == "number":
        try:
            value = float(text)
        except ValueError:
            return None
        return value if abs(value) < float("inf") else None
    return YES.get(text.casefold()) if kind == "yes-no" else text


def kind_of(value: object) -> str:
    """What a value of the type of `value` is called."""
    if isinstance(value, bool):
        return "yes-no"
    return "whole" if isinstance(value, int) else "number" if isinstance(value, float) else "text"


def allowed(setting: Setting) -> str:
    """`one of a, b`, `a whole number from 1 to 4`, ...: what a setting takes, in words."""
    if setting.choices:
        return ("some of " if setting.several else "one of ") + ", ".join(map(settings_text, setting.choices))
    kind = setting.kind or kind_of(setting.default)
    words = {"whole": "a whole number", "number": "a number", "yes-no": "yes or no", "text": "a text"}[kind]
    if setting.least is not None and setting.most is not None:
        return f"{words} from {setting.least:g} to {setting.most:g}"
    if setting.least is not None:
        return f"{words} of {setting.least:g} or more"
    return words if setting.most is None else f"{words} of {setting.most:g} or less"


def example(setting: Setting) -> str:
    """A value that can be typed."""
    if setting.default is not None:
        return settings_text(setting.default)
    return settings_text(setting.choices[0]) if setting.choices else "VALUE"


def settings_text(value: object) -> str:
    """A value as it is typed."""
    if isinstance(value, tuple):
        return "+".join(map(settings_text, value))
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def settings_word(task: Task, values: Mapping[str, Any]) -> str:
    """Settings that are not at their defaults, for the signature: `first_option=1,frames=8`; "" for none. Those of
    which the prompts or the data's name tell are left out for our own tasks; a stranger's word on that is not taken."""
    told = (
        f"{key}={settings_text(values[key])}"
        for key, setting in sorted(task.settings.items())
        if values[key] != setting.default and (task.code or not setting.shown)
    )
    return ",".join(told)
