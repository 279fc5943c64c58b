"""A run that is asked at once in one folder, and in batches in a copy of it elsewhere: `tvbench merge` makes one run of
both, and of what is out nothing is forgotten."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from batch_campaign import Live, Quiet, plan_of, truth
from batches import expired, reply, requests_in, result, write

from tvbench.engines.open import EngineOptions
from tvbench.errors import UsageError
from tvbench.interop.batch_export import WaveOptions, export, give_up
from tvbench.interop.batch_import import import_batch
from tvbench.runs.merge import merge
from tvbench.runs.plan import Plan
from tvbench.runs.session import RunSession, SessionOptions
from tvbench.runs.store import RunFolder
from tvbench.runs.waves import Waves
from tvbench.runs.writer import RunWriter

COUNT, WAVE = 12, 5


class Disks:
    """One run in two folders: `home`, and `away`, a copy that was made when the first wave was out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan: Plan = plan_of(COUNT)
        self.paid: Counter[str] = Counter()
        self.home, self.away, self.all = (folder / name / self.plan.run_name for name in ("home", "away", "all"))
        self.wave = self.export(self.home)
        shutil.copytree(self.home, self.away)

    def options(self) -> SessionOptions:
        return SessionOptions(EngineOptions(), reuse=False, same_model=True)

    def export(self, run: Path, to: Path | None = None) -> Path:
        """One more wave."""
        with RunSession(run, self.plan, "openai", self.options()) as session:
            (wave,) = export(session, "", WaveOptions(WAVE, most=1, to=to)).waves
        return Path(wave.file)

    def ask(self, run: Path) -> None:
        """At once, what is missing and not out."""
        with RunSession(run, self.plan, "openai", self.options()) as session:
            session.answer(Quiet(), lambda: Live(lambda key: self.paid.update([key])))

    def take_in(self, run: Path, keys: list[str], failed: tuple[str, ...] = ()) -> None:
        """What came back."""
        lines = [expired(key) if key in failed else result(key, 200, reply(truth(key))) for key in keys]
        import_batch(RunFolder(run), [write(self.folder / "back.jsonl", lines)], ("test",))

    def merged(self, *sources: Path) -> RunFolder:
        found = merge([RunFolder(path) for path in sources], self.all)
        assert not found.remarks, "a record of waves is nothing that judges said, and is not left behind"
        return found.folder

    def keys(self, wave: Path) -> list[str]:
        return [line["custom_id"] for line in requests_in(wave)]

    def out(self, run: Path) -> set[str]:
        return {*Waves(run).state(RunFolder(run).index().without_failures).out}


@pytest.fixture
def disks(tmp_path: Path) -> Disks:
    return Disks(tmp_path)


@pytest.mark.parametrize("first", ["home", "away"])
def test_answers_given_at_once_and_in_a_batch_are_no_contradiction(disks: Disks, first: str) -> None:
    disks.ask(disks.home)
    disks.take_in(disks.away, disks.keys(disks.wave))
    disks.merged(*sorted((disks.home, disks.away), key=lambda path: path.parent.name != first))
    disks.take_in(disks.home, disks.keys(disks.wave))
    both, together = RunFolder(disks.all).manifest(), RunFolder(disks.home).manifest()
    assert both.engine == together.engine and both.engine.settings["asked"] == "batch+live"
    assert both.tasks == together.tasks
    assert {key: one.text for key, one in RunFolder(disks.all).responses().items()} == {
        planned.key: truth(planned.key) for planned in disks.plan.planned_items()
    }


def test_what_is_out_is_out_for_the_merged_run_too_and_not_paid_twice(disks: Disks) -> None:
    disks.ask(disks.home)
    disks.merged(disks.home, disks.away)
    assert disks.out(disks.all) == {*disks.keys(disks.wave)}
    disks.ask(disks.all)
    assert not disks.paid.keys() & {*disks.keys(disks.wave)} and set(disks.paid.values()) == {1}
    disks.take_in(disks.all, disks.keys(disks.wave))
    assert not disks.out(disks.all) and len(RunFolder(disks.all).responses()) == COUNT


@pytest.mark.parametrize("first", ["home", "away"])
def test_what_came_back_without_an_answer_is_asked_again_and_the_rest_stays_out(disks: Disks, first: str) -> None:
    answered, failed, *rest = disks.keys(disks.wave)
    disks.take_in(disks.away, [answered, failed], (failed,))
    disks.merged(*sorted((disks.home, disks.away), key=lambda path: path.parent.name != first))
    assert disks.out(disks.all) == {*rest}
    disks.ask(disks.all)
    assert disks.paid[failed] == 1 and not disks.paid.keys() & {answered, *rest}


def test_into_the_folder_of_before_the_news_of_its_copy_come(disks: Disks) -> None:
    answered, failed, *rest = disks.keys(disks.wave)
    disks.take_in(disks.away, [answered, failed], (failed,))
    merge([RunFolder(disks.away)], disks.home)
    assert disks.out(disks.home) == {*rest}
    before = {path: path.read_bytes() for path in disks.home.rglob("*") if path.is_file() and path.name != ".lock"}
    assert not merge([RunFolder(disks.away)], disks.home).changed
    assert before == {path: path.read_bytes() for path in before}


def test_two_waves_of_one_number_are_two_waves(disks: Disks) -> None:
    disks.ask(disks.home)  # all but the first wave: so that only the copy has more to write
    second = disks.export(disks.away, disks.folder / "more")
    with RunWriter(disks.home):
        give_up(RunFolder(disks.home), "1")
    third = disks.export(disks.home, disks.folder / "again")
    disks.merged(disks.home, disks.away)
    waves = Waves(disks.all)
    assert [Path(wave.file) for wave in waves.all()] == [disks.wave, third, second] and waves.lost() == {1}
    assert disks.out(disks.all) == {*disks.keys(third)}, "what the second wave holds has an answer"
    again = disks.keys(third)[0]
    disks.take_in(disks.all, [again], (again,))
    assert disks.out(disks.all) == {*disks.keys(third)} - {again}


def test_a_damaged_record_is_said_before_anything_is_written(disks: Disks) -> None:
    (disks.away / "waves" / "0001.keys.jsonl").write_text("{")
    with pytest.raises(UsageError, match="record|damaged|torn|breaks"):
        disks.merged(disks.home, disks.away)
    assert not disks.all.exists()
