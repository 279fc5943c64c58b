"""One of several jobs that answer a run together: which questions are its own, and how its part of the folder is named.

A question belongs to a shard by a hash of its key, so that every job tells its own without asking the others, and N may
be another one at the next start. Knows no file and no plan.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tvbench.errors import UsageError

EXAMPLE = "the first of eight jobs: --shard 1/8, the last: --shard 8/8"
MOST = 100_000
WRITTEN = re.compile(r"([0-9]+)/([0-9]+)", re.ASCII)
PART = re.compile(r"([0-9]+)of([0-9]+)", re.ASCII)
FLAG = "--shard"
IN_PYTHON = re.compile(r", shard=('[^']*'|\"[^\"]*\"|None)")


@dataclass(frozen=True, slots=True)
class Shard:
    """The `number`th of `count` jobs, from 1."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def part(self) -> str:
        """What its files are called by: `2of8`."""
        return f"{self.number}of{self.count}"

    def owns(self, key: str) -> bool:
        """Whether the question of this key is its own. Each key is exactly one shard's, whoever shares it."""
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1


@dataclass(frozen=True, slots=True)
class ShardEnd:
    """How a job ended: `asked` questions are its own, of which `missing` have no answer; of the whole run `left` have
    none, `failed` of them because they failed."""

    shard: str
    asked: int
    missing: int
    left: int
    failed: int = 0

    @property
    def done(self) -> bool:
        """Whether it has an answer to each of its own questions."""
        return self.missing == 0

    @property
    def said(self) -> str:
        """`shard 2/8 is done: 125 questions; 3 of the whole run are still missing, 3 of them failed`."""
        own = f"is done: {self.asked:,} questions" if self.done else f"lacks {self.missing:,} of {self.asked:,} answers"
        failed = f", {self.failed:,} of them failed" if self.failed else ""
        last = "; the shard that ends last writes the scores" if self.left > self.failed else ""
        missing = f"{self.left:,} of the whole run are still missing{failed}{last}"
        left = missing if self.left else "the whole run is answered"
        return f"shard {self.shard} {own}; {left}"


def read_shard(text: str) -> Shard:
    """`2/8` as a shard. Raises UsageError for anything else."""
    found = WRITTEN.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"--shard {text}: must be I/N, two whole numbers", EXAMPLE)
    number, count = (int(digits[:9]) for digits in found.groups())
    if not 1 <= count <= MOST:
        raise UsageError(f"--shard {text}: N must be from 1 to {MOST:,}", EXAMPLE)
    if not 1 <= number <= count:
        raise UsageError(f"--shard {text}: I counts from 1 to N", EXAMPLE)
    return Shard(number, count)


def count_of(part: str) -> int | None:
    """The N of a part that a shard wrote; None for another kind of part."""
    found = PART.fullmatch(part)
    return int(found[2]) if found else None


def in_words(parts: Sequence[str]) -> str:
    """`shards 2/8 and 5/8`: parts as a person typed them."""
    names = [part.replace("of", "/") if count_of(part) else part for part in parts]
    some = names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more"]
    listed = some[0] if len(some) == 1 else f"{', '.join(some[:-1])} and {some[-1]}"
    return f"shard{'s' if len(names) > 1 else ''} {listed}"


def without_shard(command: Sequence[str]) -> tuple[str, ...]:
    """The command that asks the whole run: typed in a shell, or called from Python."""
    words = without(command, FLAG, 4)
    return (IN_PYTHON.sub("", words[0]), *words[1:]) if words and "(" in words[0] else words


def without(command: Sequence[str], option: str, letters: int) -> tuple[str, ...]:
    """A command less an option that takes a value."""
    words: list[str] = []
    skip = False
    for word in command:
        if skip:
            skip = False
        elif is_option(word, option, letters):
            skip = "=" not in word
        else:
            words.append(word)
    return tuple(words)


def is_option(word: str, option: str, letters: int) -> bool:
    """Whether a word is this option, written out or cut short: argparse takes what tells it from others."""
    name = word.partition("=")[0]
    return len(name) >= letters and option.startswith(name)
