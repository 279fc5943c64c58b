"""`--fresh`: an old run makes room for a new one of the same name. Nothing that was paid for is deleted.

Knows the store.
"""

from __future__ import annotations

from pathlib import Path

from tvbench.runs.disk import storage_error
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter

FOLDER = "aside"
"""Below the results; it holds no manifest, so that what lies in it is no run of any table."""


def set_aside(run: Path, when: str) -> Path | None:
    """Move a run to `aside/NAME--WHEN` beside it, and return where it lies now; None where there is no run.

    `when` is a time in ISO form. Raises UsageError while another process writes the run, StoreError.
    """
    if not RunFolder(run).exists():
        return None
    stamp = "".join(char for char in when[:19] if char not in "-:")
    place = run.parent / FOLDER / f"{run.name}--{stamp}"
    with RunWriter(run):
        try:
            place.parent.mkdir(exist_ok=True)
            number = 1
            while place.exists():
                number += 1
                place = place.with_name(f"{run.name}--{stamp}-{number}")
            run.rename(place)
        except OSError as error:
            raise storage_error(error, place) from error
    return place
