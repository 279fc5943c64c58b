"""How far a phase is, as lines of a given width: what is counted, and which parts of a line a narrow terminal loses.

Knows no terminal and no clock: whoever asks for lines says how wide they may be, and what time it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tvbench.runs.listening import TaskLanguage

BAR = 20
SHOWN_LANGUAGES = 4
SHOWN_TASKS = 6
Count = list[int]
"""Done, of so many."""


class ProgressTally:
    """Counts by task and language. `name` is what is counted where nobody told of tasks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.loading = self.note = ""
        self.tokens = self.done = self.kept = self.total = 0
        self.began = 0.0
        self.failed: dict[str, int] = {}
        self._parts: Mapping[str, Sequence[TaskLanguage]] = {}
        self._tasks: dict[str, dict[str, Count]] = {}

    def plan(self, parts: Mapping[str, Sequence[TaskLanguage]], kept: Collection[str]) -> None:
        """What is asked, and what of it is answered already."""
        self._parts = parts
        for key, some in parts.items():
            for part in some:
                count = self._tasks.setdefault(part.task, {}).setdefault(part.language, [0, 0])
                count[0] += key in kept
                count[1] += 1

    def begin(self, total: int, kept: int, now: float) -> None:
        """It begins, for the clock too."""
        self.total, self.kept, self.began = total, kept, now

    def count(self, key: str = "", *, failed: bool = False) -> None:
        """One more is done."""
        self.loading = ""
        self.done += 1
        some = self._parts.get(key, ())
        for part in some:
            self._tasks[part.task][part.language][0] += 1
        for name in dict.fromkeys(part.task for part in some) if some else [self.name]:
            self.failed[name] = self.failed.get(name, 0) + failed

    def over(self) -> None:
        """Nothing more is done: where each question belongs is let go."""
        self._parts = {}

    def lines(self, now: float, width: int | None = None) -> list[str]:
        """A line for each task that is being asked; with several, one for all of them. `width` None: a log, which
        has room and no bars."""
        if self.loading:
            return [_cut(f"loading {self.loading} ({now - self.began:.0f} s)", width)]
        pace = self._pace(now)
        if len(self._tasks) < 2:
            name = next(iter(self._tasks), self.name)
            return [self._line(name, width, [self.kept + self.done, self.total], pace)]
        shown = [name for name in self._tasks if _going(self._sum(name))] or list(self._tasks)
        some = [self._line(name, width, self._sum(name), ("", "")) for name in shown[:SHOWN_TASKS]]
        failed = sum(self.failed.values())
        return [*some, _fitted("all", [self.kept + self.done, self.total], [], failed, pace, self.note, width)]

    def _line(self, name: str, width: int | None, count: Count, pace: tuple[str, str]) -> str:
        texts = _languages(self._tasks.get(name, {}))
        return _fitted(name or self.name, count, texts, self.failed.get(name, 0), pace, self.note, width)

    def _sum(self, name: str) -> Count:
        counts = self._tasks[name].values()
        return [sum(count[0] for count in counts), sum(count[1] for count in counts)]

    def _pace(self, now: float) -> tuple[str, str]:
        """The rate and the time left, both of what is done now: not of what was kept, nor of the loading."""
        seconds = now - self.began
        left = self.total - self.kept - self.done
        if not self.done or seconds <= 0:
            return "", ""
        return f"{self.done / seconds:.1f}/s", f"about {time_text(left * seconds / self.done)} left" if left > 0 else ""


def time_text(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _going(count: Count) -> bool:
    return 0 < count[0] < count[1]


def _languages(counts: Mapping[str, Count]) -> list[str]:
    """The longest text and shorter ones: all languages, or those that are being asked and how many others."""
    if len(counts) < 2:
        return []
    whole = "  ".join(_counted(*pair) for pair in counts.items())
    todo = sorted(
        ((name, count) for name, count in counts.items() if count[0] < count[1]), key=lambda pair: not pair[1][0]
    )
    finished = len(counts) - len(todo)
    texts = [whole] if len(counts) <= SHOWN_LANGUAGES else []
    for number in range(min(len(todo), SHOWN_LANGUAGES), -1, -1):
        more = f"{len(todo) - number} {'more' if number else 'languages'}" if len(todo) > number else ""
        done = f"{finished} of {len(counts)} languages done" if finished else ""
        texts.append("  ".join(filter(None, [*(_counted(*pair) for pair in todo[:number]), more, done])))
    return texts


def _counted(name: str, count: Count) -> str:
    return f"{name} {count[0]:,}/{count[1]:,}"


def _fitted(
    name: str, count: Count, languages: list[str], failed: int, pace: tuple[str, str], note: str, width: int | None
) -> str:
    """The fullest line that fits: first the languages get shorter, then bar, languages, note, rate and time go."""
    numbers = f"{count[0]:,}/{count[1]:,}"
    failures = f"{failed:,} failed" if failed else ""
    rate, left = pace
    if width is None:
        return "  ".join(filter(None, (name, numbers, *languages[:1], failures, rate, left, note)))
    bar = _bar(*count)
    shortest = languages[-1] if languages else ""
    some = [(name, bar, numbers, text, failures, rate, left, note) for text in languages or [""]]
    some += [
        (name, "", numbers, shortest, failures, rate, left, note),
        (name, "", numbers, "", failures, rate, left, note),
        (name, bar, numbers, "", failures, rate, left, ""),
        (name, "", numbers, "", failures, rate, left, ""),
        (name, "", numbers, "", failures, "", left, ""),
        ("", "", numbers, "", failures, "", left, ""),
        ("", "", numbers, "", failures, "", "", ""),
    ]
    lines = ["  ".join(filter(None, parts)) for parts in some]
    return _cut(next((line for line in lines if len(line) <= width), lines[-1]), width)


def _bar(done: int, total: int) -> str:
    filled = BAR * done // max(total, 1)
    return "━" * filled + "─" * (BAR - filled)


def _cut(line: str, width: int | None) -> str:
    return line if width is None or len(line) <= width else line[: max(width - 1, 0)] + "…"
