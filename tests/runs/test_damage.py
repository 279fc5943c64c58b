"""Folders that were shortened, mixed up or damaged: seen, said and corrected, and never taken for what was measured."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, chat_server
from comet_bench import ROWS, Bench
from comet_runs import TASK, answered, write_translations
from judge_server import judge_server
from judged import open_run
from run_folders import write_manifest
from sentences_task import sentences
from written_logs import alm_rows, write_log

from tvbench.cli.main import main
from tvbench.graders.comet.record import CometRecord, side_scores
from tvbench.runs.lines import Damage, json_line, read_lines
from tvbench.runs.store import MANIFEST, REQUESTS, RESPONSES, RESULT, SCORES, RunFolder, find_run, find_runs
from tvbench.runs.writer import RunWriter
from tvbench.types import Counts, Response

Said = pytest.CaptureFixture[str]
Ask = Callable[..., int]
FLIPS = 300
"""Bit flips tried for each kind of file; by hand 20,000."""


class Bed:
    """A run of 60 items, its pristine files, and the command that made it."""

    def __init__(self, folder: Path, server: ChatServer, data: Path) -> None:
        self.server = server
        self.results = folder / "results"
        self.words = [
            "run",
            "--quiet",
            "--results",
            str(self.results),
            "--model",
            server.model,
            "--no-image",
            "--data",
            str(data),
            "--tasks",
            "multi30k",
        ]
        assert self.ask() == 0
        (self.run,) = [RunFolder(path) for path in self.results.iterdir()]
        self.files = {path.name: path.read_bytes() for path in self.run.path.iterdir()}
        self.answers = self.run.responses()
        assert len(self.answers) == len(self.run.requests()) == 60

    def ask(self, *more: str) -> int:
        return main([*self.words, *more])

    def score(self) -> int:
        return main(["score", str(self.run.path)])

    def restore(self) -> None:
        for name, data in self.files.items():
            (self.run.path / name).write_bytes(data)

    def path(self, name: str) -> Path:
        return self.run.path / name

    def lines(self, name: str) -> list[bytes]:
        return self.files[name].splitlines(keepends=True)

    def complete(self) -> list[bool]:
        return [task["complete"] for task in json.loads(self.path(RESULT).read_text())["tasks"]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    folder = tmp_path_factory.mktemp("damage")
    with chat_server() as server:
        yield Bed(folder, server, sentences(folder / "data", 20))


@pytest.fixture
def bed(made: Bed, capsys: Said) -> Bed:
    made.restore()
    capsys.readouterr()
    made.server.asked.clear()
    return made


# ── Requests that are not all there ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kept", [0, 1, 10, 59])
def test_shortened_requests_are_incomplete(bed: Bed, capsys: Said, kept: int) -> None:
    bed.path(REQUESTS).write_bytes(b"".join(bed.lines(REQUESTS)[:kept]))
    assert bed.score() == 1
    out = "".join(capsys.readouterr())
    assert f"INCOMPLETE: of 60 items {kept} were answered" in " ".join(out.split())
    assert f"requests.jsonl holds {kept} of the 60 items that were asked" in " ".join(out.split())
    assert "`tvbench run` command again" in " ".join(out.split())
    assert bed.complete() == [False]
    assert bed.ask() == 0 and not bed.server.asked, "the hint is right: nothing has to be asked again"
    assert bed.complete() == [True]


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[:10],
        lambda lines: [*lines, lines[5]],
        lambda lines: [lines[5], *lines[1:]],
        lambda lines: [*lines, renamed(lines[0], id="from elsewhere")],
    ],
    ids=["shortened", "doubled", "one for another", "longer"],
)
def test_no_command_reads_requests_that_were_not_asked(
    bed: Bed, capsys: Said, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    bed.path(REQUESTS).write_bytes(b"".join(change(bed.lines(REQUESTS))))
    path = str(bed.run.path)
    for words in (
        ["explain", path],
        ["compare", path, path],
        ["judge", path, "--judge", bed.server.model],
        ["audit", path],
    ):
        assert main([*words, "--results", str(bed.results)]) == 2, words
        assert "of the 60 items" in capsys.readouterr().err, words


def test_requests_cut_anywhere_are_incomplete(bed: Bed) -> None:
    whole = bed.files[REQUESTS]
    for place in random.Random(1).sample(range(len(whole) - 1), 12):
        bed.path(REQUESTS).write_bytes(whole[:place])
        assert bed.score() == 1 and bed.complete() == [False], place


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [*lines, lines[3]], "1 items a second time"),
        (lambda lines: [lines[3], *lines[:3], *lines[4:], lines[5]], "1 items a second time"),
        (lambda lines: [lines[0], *lines[:-1]], "59 of the 60 items"),
        (lambda lines: [*lines, renamed(lines[0], id="from elsewhere")], "holds 61 items, and 60 were asked"),
        (lambda lines: [renamed(lines[0], id="from elsewhere"), *lines[1:]], "other prompts than the signature"),
        (
            lambda lines: [
                renamed(lines[0], messages=[{"role": "user", "parts": [{"type": "text", "text": "?"}]}]),
                *lines[1:],
            ],
            "other prompts than the signature",
        ),
        (lambda lines: [*lines, renamed(lines[0], task="alm")], "1 items of alm, which this run did not ask"),
        (lambda lines: [*lines[:7], b"\n", *lines[7:]], "requests.jsonl:8 is damaged"),
        (lambda lines: [*lines, b"[]\n"], "requests.jsonl:61 is damaged"),
        (
            lambda lines: [*lines[:9], lines[9].replace(b"Hund", b"Kund", 1).replace(b"dog", b"cog", 1), *lines[10:]],
            "requests.jsonl:10 is damaged (its checksum differs)",
        ),
    ],
)
def test_lines_that_do_not_belong_are_noticed(
    bed: Bed, capsys: Said, change: Callable[[list[bytes]], list[bytes]], said: str
) -> None:
    bed.path(REQUESTS).write_bytes(b"".join(change(bed.lines(REQUESTS))))
    assert bed.score() == 1
    assert said in " ".join("".join(capsys.readouterr()).split())
    assert bed.complete() == [False]
    assert bed.ask() == 0 and not bed.server.asked and bed.complete() == [True]


def renamed(line: bytes, **changes: Any) -> bytes:
    """The line with other values in its item, whole in itself."""
    data = json.loads(line)
    return json_line(data | {"item": data["item"] | changes}).encode()


def test_requests_in_another_order_are_the_same(bed: Bed) -> None:
    lines = bed.lines(REQUESTS)
    random.Random(2).shuffle(lines)
    bed.path(REQUESTS).write_bytes(b"".join(lines))
    assert bed.score() == 0 and bed.complete() == [True]


def test_an_imported_run_is_imported_again(tmp_path: Path, capsys: Said) -> None:
    write_log(tmp_path / "log", {"alm-bench-de": alm_rows(["Apfel"] * 4)})
    words = ["import", "lmms-eval", str(tmp_path / "log"), "--results", str(tmp_path / "results")]
    assert main(words) == 0
    (run,) = find_runs(tmp_path / "results")
    for name, said in (
        (REQUESTS, "3 of the 4 items"),
        (RESPONSES, "responses.jsonl:4 is damaged"),
        (MANIFEST, "is damaged"),
    ):
        lines = (run.path / name).read_text().splitlines(keepends=True)
        (run.path / name).write_text("".join(lines[:-1]) + ("{\n" if name == RESPONSES else ""))
        assert main(["score", str(run.path)]) == (2 if name == MANIFEST else 1)
        out = " ".join("".join(capsys.readouterr()).split())
        assert said in out and ("tvbench import" in out if name == MANIFEST else "import the logs again" in out)
        assert main(words) == 0 and main(["score", str(run.path)]) == 0


def test_figures_that_were_copied_from_a_log_are_no_failure(tmp_path: Path) -> None:
    write_log(tmp_path / "log", {"a-task-that-nobody-reads": None})
    main(["import", "lmms-eval", str(tmp_path / "log"), "--results", str(tmp_path / "results")])
    (run,) = find_runs(tmp_path / "results")
    assert main(["score", str(run.path)]) == 0
    (result,) = run.result() or []
    assert result.copied and not result.counts.complete


def test_nothing_of_nothing_is_not_complete(tmp_path: Path) -> None:
    assert not Counts().complete and not Counts().all_answered
    assert Counts(2, 2, 0, 2).complete and not Counts(2, 2, 0, 2, damaged=1).complete
    with RunWriter(tmp_path / "run") as writer:
        write_manifest(writer, {"tasks": []})
        writer.write_requests([])
    assert main(["score", str(tmp_path / "run")]) == 1


# ── Bits that flipped ─────────────────────────────────────────────────────────────────────────────


def flipped(data: bytes, moments: random.Random) -> bytes:
    place = moments.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << moments.randrange(8)]) + data[place + 1 :]


def test_a_flipped_bit_costs_one_answer_at_most_and_is_never_believed(bed: Bed) -> None:
    moments = random.Random(3)
    for _ in range(FLIPS):
        data = flipped(bed.files[RESPONSES], moments)
        bed.path(RESPONSES).write_bytes(data)
        faults: list[Damage] = []
        found = bed.run.responses(faults)
        assert all(bed.answers.get(key) == response for key, response in found.items())
        assert len(found) >= 59
        unseen_but_harmless = data.count(b'"sum":') < 60 or not data.endswith(b"\n")
        assert faults or unseen_but_harmless


def test_a_flipped_bit_in_a_request_is_seen(bed: Bed) -> None:
    moments = random.Random(4)
    whole = {item.id: (key, item) for key, item in bed.run.requests()}
    for _ in range(FLIPS // 2):
        bed.path(REQUESTS).write_bytes(flipped(bed.files[REQUESTS], moments))
        faults: list[Damage] = []
        found = bed.run.requests(faults)
        assert all(whole[item.id] == (key, item) for key, item in found), faults
        assert faults or len(found) == 60


def test_score_names_the_line_and_the_next_run_asks_it_again(bed: Bed, capsys: Said) -> None:
    lines = bed.lines(RESPONSES)
    lines[16] = lines[16].replace(b"answer", b"Answer", 1)
    lines[40] = lines[40][: len(lines[40]) // 2] + b"\n"
    bed.path(RESPONSES).write_bytes(b"".join(lines))
    assert bed.score() == 1
    out = " ".join("".join(capsys.readouterr()).split())
    assert "responses.jsonl: 2 lines are damaged (17, 41): counted as missing" in out
    assert "of 60 items 58 were answered" in out
    assert bed.ask("--same-model") == 0
    assert "2 lines are damaged (17, 41): asked again" in capsys.readouterr().err
    assert bed.server.asked.total() == 2
    assert {key: one.text for key, one in bed.run.responses().items()} == {
        key: one.text for key, one in bed.answers.items()
    }
    assert bed.score() == 0


def test_a_second_answer_and_one_to_nothing_are_noticed(bed: Bed, capsys: Said) -> None:
    line = json.loads(bed.lines(RESPONSES)[7])
    more = [json_line(line | {"text": "another"}), json_line(line | {"key": "of elsewhere"})]
    bed.path(RESPONSES).write_bytes(bed.files[RESPONSES] + "".join(more).encode())
    assert bed.score() == 0
    out = " ".join("".join(capsys.readouterr()).split())
    assert "responses.jsonl:61 is damaged (a second answer to one request): the later counts" in out
    assert "1 answers belong to none of the items" in out
    bed.path(RESPONSES).unlink()
    for number, part in enumerate((bed.files[RESPONSES], "".join(more[:1]).encode())):
        bed.path(f"responses.{number}.jsonl").write_bytes(part)
    assert bed.score() == 0 and "second answer" not in "".join(capsys.readouterr()), "shards may overlap"
    assert bed.ask() == 0
    assert not list(bed.run.path.glob("responses.*.jsonl"))


def test_a_lost_line_end_costs_nobody_elses_answer(bed: Bed) -> None:
    for byte in range(256):
        data = bed.files[RESPONSES]
        place = data.index(b"\n", len(data) // 2)
        bed.path(RESPONSES).write_bytes(data[:place] + bytes([byte]) + data[place + 1 :])
        assert bed.run.responses() == bed.answers


def test_a_flipped_bit_in_the_result_leaves_the_leaderboard(bed: Bed, capsys: Said) -> None:
    text = bed.files[RESULT].decode()
    bleu = re.search(r'"value": (\d)', text)
    assert bleu is not None
    changed = text[: bleu.start(1)] + str(9 - int(bleu[1])) + text[bleu.end(1) :]
    bed.path(RESULT).write_text(changed)
    assert main(["leaderboard", "--results", str(bed.results), "--no-published"]) == 0
    assert "is damaged" in (err := capsys.readouterr().err) and "tvbench score" in err
    assert bed.score() == 0
    assert main(["leaderboard", "--results", str(bed.results), "--no-published"]) == 0
    assert "damaged" not in capsys.readouterr().err


# ── Lines ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "value",
    [
        {"key": "k", "text": 'ж\ud800\u2028 "\\ }{', "n": 1e-7, "list": [1.0, -0.0, None, {"sum": "x"}]},
        {"key": "k", "extra": {1: "a", 10: "b", 2: "c"}, "x": (1, 2)},
        {"key": '{"key":"a","sum":"00000000"}'},
    ],
)
def test_a_line_reads_back_and_may_be_rewritten_by_other_tools(tmp_path: Path, value: dict[str, Any]) -> None:
    path = tmp_path / "lines.jsonl"
    text = json_line(value)
    again = json.dumps(json.loads(text))  # spaces and escapes as other programs write them
    path.write_text(text + again + "\n", encoding="utf-8", errors="surrogatepass")
    faults: list[Damage] = []
    (_, first), (_, second) = read_lines(path, faults)
    assert not faults and first == second
    assert {name: part for name, part in first.items() if name != "sum"} == json.loads(json.dumps(value))


def test_every_stored_line_has_a_checksum_and_old_ones_are_read(bed: Bed) -> None:
    for name in (REQUESTS, RESPONSES, SCORES):
        assert all("sum" in json.loads(line) for line in bed.lines(name)), name
        old = [json.loads(line) for line in bed.lines(name)]
        bed.path(name).write_text(
            "".join(json.dumps({k: v for k, v in line.items() if k != "sum"}) + "\n" for line in old)
        )
    result = json.loads(bed.files[RESULT])
    del result["sum"]
    bed.path(RESULT).write_text(json.dumps(result))
    assert bed.run.result() is not None and bed.run.responses() == bed.answers
    assert bed.score() == 0
    assert bed.ask() == 0 and not bed.server.asked
    assert all("sum" in json.loads(line) for line in bed.path(RESPONSES).read_bytes().splitlines())


# ── The manifest ──────────────────────────────────────────────────────────────────────────────────


def with_field(place: str, value: object) -> Callable[[bytes], bytes]:
    """The manifest with another value at `place`, such as `tasks.0.items`; ... leaves the field out."""

    def change(data: bytes) -> bytes:
        manifest = at = json.loads(data)
        *path, last = [int(one) if one.isdigit() else one for one in place.split(".")]
        for one in path:
            at = at[one]
        if value is ...:
            del at[last]
        else:
            at[last] = value
        return json.dumps(manifest).encode()

    return change


MANIFESTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "not JSON": lambda data: b"\x00" + data,
    "not text": lambda data: data.replace(b'"run"', b'"\xff"', 1),
    "a list": lambda data: b"[]",
    "null": lambda data: b"null",
    "deep": lambda data: b"[" * 100_000,
    "empty object": lambda data: b"{}",
    "only a format": lambda data: b'{"format": 1}',
} | {
    f"{place} {value}": with_field(place, value)
    for place, value in [
        ("format", "1"),
        ("format", True),
        ("tasks", ...),
        ("tasks", {}),
        ("tasks", None),
        ("tasks.0", "multi30k"),
        ("tasks.0.task", ...),
        ("tasks.0.task", 7),
        ("tasks.0.items", "60"),
        ("tasks.0.items", -1),
        ("tasks.0.signature", ...),
        ("tasks.0.signature", ["x"]),
        ("tasks.0.warnings", None),
        ("tasks.0.metrics", 3),
        ("model", []),
        ("model.name", 3),
        ("engine", "vllm"),
        ("engine.settings", 1),
        ("engine.version", ...),
        ("ask", "x"),
        ("ask.tasks", {}),
        ("ask.tasks.0", None),
        ("created", 5),
        ("updated", []),
        ("speed", 3),
    ]
}


@pytest.mark.parametrize("damage", MANIFESTS)
def test_a_damaged_manifest_is_named_and_the_same_command_mends_it(bed: Bed, capsys: Said, damage: str) -> None:
    bed.path(MANIFEST).write_bytes(MANIFESTS[damage](bed.files[MANIFEST]))
    assert bed.score() == 2
    err = capsys.readouterr().err
    assert "manifest.json is damaged" in err and "`tvbench run` command again" in err and "answers are kept" in err
    assert bed.ask() == 0 and not bed.server.asked
    assert "manifest.json was damaged" in capsys.readouterr().err
    assert bed.score() == 0


@pytest.mark.parametrize("damage", ["cut", "tasks.0 multi30k", "ask.tasks.0 None"])
def test_no_command_stumbles_over_a_damaged_manifest(bed: Bed, capsys: Said, damage: str) -> None:
    bed.path(MANIFEST).write_bytes(MANIFESTS[damage](bed.files[MANIFEST]))
    path = str(bed.run.path)
    for words in (
        ["leaderboard", "--no-published"],
        ["explain", path],
        ["grounding", path],
        ["compare", path, path],
        ["judge", path, "--judge", bed.server.model],
        ["audit", path],
    ):
        assert main([*words, "--results", str(bed.results)]) in (0, 2), words
        assert "is damaged" in capsys.readouterr().err, words
    assert bed.ask("--dry-run") == 0


def test_a_manifest_that_is_gone(bed: Bed, capsys: Said) -> None:
    bed.path(MANIFEST).unlink()
    assert bed.score() == 2
    assert "`tvbench run` command again" in capsys.readouterr().err
    assert bed.ask() == 0 and not bed.server.asked and bed.score() == 0


def test_a_manifest_of_a_later_format_is_not_overwritten(bed: Bed, capsys: Said) -> None:
    later = with_field("format", 99)(bed.files[MANIFEST])
    bed.path(MANIFEST).write_bytes(later)
    assert bed.ask() == 2 and "newer" in capsys.readouterr().err
    assert bed.path(MANIFEST).read_bytes() == later


def test_cut_at_any_byte_the_manifest_is_never_a_traceback(bed: Bed) -> None:
    data = bed.files[MANIFEST]
    for place in random.Random(5).sample(range(len(data) - 2), 40):
        bed.path(MANIFEST).write_bytes(data[:place])
        assert bed.score() == 2, place


# ── What judges and COMET said ────────────────────────────────────────────────────────────────────


def test_a_judges_damaged_reply_is_missing_and_told(tmp_path: Path, capsys: Said) -> None:
    run = write_translations(tmp_path / "run", ROWS)
    with RunWriter(run.path / "judges" / "j") as writer:
        writer.start()
        for key in "abc":
            writer.append(Response(key, text='{"score": 1}'))
    path = run.path / "judges" / "j" / RESPONSES
    path.write_bytes(path.read_bytes().replace(b"1}", b"0}", 1))
    assert RunFolder(path.parent).responses().keys() == {"b", "c"}
    main(["score", str(run.path)])
    assert "j/responses.jsonl:1 is damaged" in "".join("".join(capsys.readouterr()).split("\n")).replace("  ", "")


def test_a_judges_damaged_manifest_is_written_anew_by_the_same_command(tmp_path: Path, capsys: Said) -> None:
    run = RunFolder(open_run(tmp_path, 3))
    with judge_server() as server:
        words = ["judge", "run", "--results", str(tmp_path), "--judge", server.model, "--quiet"]
        assert main(words) == 0
        asked = len(server.bodies)
        (path,) = run.path.glob("judges/*/manifest.json")
        path.write_bytes(path.read_bytes()[:100])
        assert main(["score", str(run.path)]) == 2
        assert "`tvbench judge`" in capsys.readouterr().err
        assert main(words) == 0 and len(server.bodies) == asked, "nothing is paid twice"
    assert main(["score", str(run.path)]) == 0
    assert (run.result() or [])[0].metrics["judge"].n == 3


def test_a_flipped_bit_in_comets_scores_costs_one_score(tmp_path: Path, capsys: Said) -> None:
    bench = Bench(tmp_path, ROWS)
    bench.score()
    (path,) = (bench.run.path / "comet").glob("*.jsonl")
    record = CometRecord(bench.run, path.stem)
    whole, before = path.read_bytes(), record.results()
    moments = random.Random(6)
    for _ in range(FLIPS // 2):
        path.write_bytes(flipped(whole, moments))
        assert before.items() >= record.results().items() and len(record.results()) >= len(before) - 1
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], lines[4].replace(b'"score":', b'"score":1'), *lines[5:]]))
    main(["score", str(bench.run.path)])
    assert f"{path.name}:5 is damaged" in " ".join("".join(capsys.readouterr()).split())
    assert bench.score().new == 1
    assert len(side_scores(bench.run, TASK, answered(bench.run))[0].values) == len(ROWS)
    faults: list[Damage] = []
    assert len(list(read_lines(path, faults))) == len(ROWS) and not faults


def test_a_run_is_found_by_its_answers_alone(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run") as writer:
        writer.start()
        writer.append(Response("a", text="1"))
    assert find_run(tmp_path, "run").path == tmp_path / "run"
