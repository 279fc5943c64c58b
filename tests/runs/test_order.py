"""Order says nothing: tasks, languages, settings and logged rows may come in any order and make the same run."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_server import chat_server
from sentences_task import sentences
from written_logs import alm_doc, alm_rows, write_log

from tvbench.analysis.compare import compare_with_first
from tvbench.analysis.entries import load_entries
from tvbench.cli.main import main
from tvbench.runs import codec
from tvbench.runs.answered import answered
from tvbench.runs.plan import Overrides, Plan, make_ask, plan_task
from tvbench.runs.signature import comparable, ordered_prompts_hash, prompts_hash, read_signature, write_signature
from tvbench.runs.store import MANIFEST, REQUESTS, RunFolder, find_runs
from tvbench.types import Ask, Build, BuildOptions, Item, Media, Message, ModelCard, Setting, Short, Task

Said = pytest.CaptureFixture[str]
CARD = ModelCard("m", "hub", "org/m", revision="r1")


def item(number: str, language: str, text: str = "What?", *parts: str) -> Item:
    clip = Media("video", "c.mp4", lambda: b"clip", frames=4)
    return Item(number, "t", language, (Message("user", (clip, text, *parts)),), Short(("x",)))


def test_any_order_of_the_same_items_has_one_hash() -> None:
    items = [item(str(number), code, f"q{number % 3}") for code in ("pt", "de", "fr") for number in range(7)]
    items.append(replace(items[0], id="continued", continuation="ja"))
    shuffler = random.Random(1)
    hashes = {prompts_hash(shuffler.sample(items, len(items))) for _ in range(50)}
    assert len(hashes) == 1


def test_another_set_has_another_hash() -> None:
    base = [item("1", "de", "a", "b"), item("2", "fr", "c")]
    others = [
        [item("1", "de", "a"), item("2", "fr", "b", "c")],
        [item("1", "de", "ab"), item("2", "fr", "c")],
        [item("2", "de", "a", "b"), item("1", "fr", "c")],
        [item("1", "fr", "a", "b"), item("2", "de", "c")],
        [replace(base[0], continuation="x"), base[1]],
        [*base, base[1]],
        base[:1],
        [],
    ]
    assert len({prompts_hash(one) for one in (base, *others)}) == len(others) + 1


def task_of(name: str, collide: bool) -> Task:
    """Builds language by language in the order that was asked for, as a task file of anyone may."""

    def build(options: Ask) -> Build:
        assert dict(options.settings)
        codes = options.languages or ("en", "de")
        items = [
            replace(item(str(number) if collide else f"{code}/{number}", code, f"{code} {number}"), task=name)
            for code in codes
            for number in range(3)
        ]
        return Build(items, "+".join(f"rows-{code}@1" for code in codes))

    settings = {"x": Setting("moves nothing", 0), "y": Setting("nor does this", 0)}
    return Task(name, "1", name, build, {"tvbench": "ours"}, "accuracy", (), settings=settings)


def planned(*asked: tuple[str, tuple[str, ...]], settings: dict[str, str] | None = None) -> Plan:
    tasks = [
        plan_task(
            task_of(name, collide=name == "a"),
            BuildOptions("tvbench", languages=codes, settings=settings or {}),
            CARD,
            Overrides(),
        )
        for name, codes in asked
    ]
    return Plan(CARD, tuple(tasks), make_ask(CARD, tasks, Overrides(), {"name": "transformers"}))


def signatures(plan: Plan) -> dict[str, str]:
    return {one.task.name: one.entry(CARD, "e@1").signature for one in plan.tasks}


def test_tasks_languages_and_settings_in_any_order_are_one_run() -> None:
    plans = [
        planned(*((name, codes) for name in names), settings=dict(settings))
        for names in itertools.permutations("abc")
        for codes in itertools.permutations(("fr", "de", "pt"))
        for settings in itertools.permutations({"x": "1", "y": "2"}.items())
    ]
    assert len({plan.run_name for plan in plans}) == 1
    assert len({json.dumps(signatures(plan), sort_keys=True) for plan in plans}) == 1
    assert len({frozenset((one.key, one.item.id) for one in plan.planned_items()) for plan in plans}) == 1
    assert planned(("a", ("fr", "de"))).run_name != planned(("a", ("fr", "pt"))).run_name


def asked(results: Path, capsys: Said, *words: str) -> str:
    assert main(["run", "--dry-run", "--format", "json", "--results", str(results), *words]) == 0
    return str(json.loads(capsys.readouterr().out)["run"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("multi30k:de+fr",), ("multi30k:fr+de",)),
        (("multi30k", "--languages", "de,fr"), ("multi30k", "--languages", "French,German,fr")),
        (("mini-alm:de,multi30k:fr,mini-vimul:en",), ("mini-vimul:en,multi30k:fr,mini-alm:de",)),
        (
            ("mini-alm,mini-vimul", "--set", "mini-alm.items=3", "--set", "mini-vimul.items=2"),
            ("mini-vimul,mini-alm", "--set", "mini-vimul.items=2", "--set", "mini-alm.items=3"),
        ),
    ],
)
def test_the_command_line_names_one_folder(
    tmp_path: Path, capsys: Said, one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    data = ["--model", "openai:m@http://127.0.0.1:9/v1", "--no-image", "--data", str(sentences(tmp_path / "data", 3))]
    assert asked(tmp_path, capsys, *data, "--tasks", *one) == asked(tmp_path, capsys, *data, "--tasks", *other)


def test_the_second_order_continues_the_first_and_signs_alike(tmp_path: Path) -> None:
    results, data = tmp_path / "results", sentences(tmp_path / "data", 5)
    with chat_server() as server:
        for languages in ("de+fr", "fr+de"):
            assert (
                main(
                    [
                        "run",
                        "--quiet",
                        "--results",
                        str(results),
                        "--model",
                        server.model,
                        "--no-image",
                        "--data",
                        str(data),
                        "--tasks",
                        f"multi30k:{languages}",
                    ]
                )
                == 0
            )
            (run,) = find_runs(results)
            (result,) = run.result() or []
            if languages == "de+fr":
                first = result.signature
        assert server.asked.total() == 10
    assert result.signature == first


# ── Imported logs ─────────────────────────────────────────────────────────────────────────────────


def logs_of(answers: list[str]) -> dict[str, list[dict[str, Any]]]:
    """One log a language, each with its own questions and data; the ids are the same in all."""
    found = {}
    for code, name in (("de", "German"), ("fr", "French"), ("pt", "Portuguese")):
        rows = alm_rows(answers)
        for number, row in enumerate(rows):
            row["doc"] = alm_doc(number) | {"Language": name, "Translated_Question": f"{code} {number}?"}
            row["input"] = row["input"].replace("Welche Frucht ist Nummer", code)
        found[f"alm-bench-{code}"] = rows
    return found


@pytest.mark.parametrize("order", [("pt", "de", "fr"), ("fr", "pt", "de")])
def test_a_log_that_begins_with_another_language_is_comparable(
    tmp_path: Path, order: tuple[str, ...], capsys: Said
) -> None:
    results = tmp_path / "results"
    for name, codes, answers in (("first", ("de", "fr", "pt"), ["Apfel"] * 4), ("second", order, ["Birne"] * 4)):
        logs = logs_of(answers)
        sets = {f"alm-bench-{code}": {"task": f"alm-bench-{code}", "dataset_path": f"data-{code}"} for code in codes}
        write_log(
            tmp_path / name,
            {f"alm-bench-{code}": logs[f"alm-bench-{code}"] for code in codes},
            model_name=f"/models/{name}",
            configs=sets,
        )
        assert main(["import", "lmms-eval", str(tmp_path / name), "--results", str(results), "--name", name]) == 0
    entries, warnings = load_entries(results)
    assert len(entries) == 2 and not warnings
    assert len({comparable(entry.result.signature) for entry in entries}) == 1
    capsys.readouterr()
    assert main(["leaderboard", "--results", str(results), "--no-published"]) == 0
    assert "others:" not in capsys.readouterr().out
    first, second = find_runs(results)
    assert all(one.same_signature for one in compare_with_first(first, [second], resamples=20)[0])


# ── Runs of before ────────────────────────────────────────────────────────────────────────────────


def as_of_before(run: RunFolder, *, data: str | None = None) -> None:
    """Make the run one of an earlier tvbench: signatures hashed in the order of the items, lines without checksums."""
    path = run.path / REQUESTS
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({"key": line["key"], "item": line["item"]}) + "\n" for line in lines))
    items = [one for _, one in run.requests()]
    manifest = json.loads((run.path / MANIFEST).read_text())
    for entry in manifest["tasks"]:
        old = ordered_prompts_hash(one for one in items if one.task == entry["task"])
        fields = read_signature(entry["signature"]) | {"prompts": old}
        entry["signature"] = write_signature(fields | ({"data": data} if data else {}))
    (run.path / MANIFEST).write_text(json.dumps(manifest))
    before = [
        replace(one, signature=entry["signature"])
        for one, entry in zip(run.result() or [], manifest["tasks"], strict=True)
    ]
    (run.path / "result.json").write_text(
        json.dumps({"format": 1, "run": run.name, "tasks": [codec.result_to_json(one) for one in before]})
    )


@pytest.mark.parametrize("score_again", [False, True])
def test_runs_of_before_are_compared_with_those_of_today(tmp_path: Path, score_again: bool) -> None:
    results = tmp_path / "results"
    for name in ("old", "new"):
        write_log(tmp_path / name, logs_of(["Apfel"] * 3), model_name=f"/models/{name}")
        assert main(["import", "lmms-eval", str(tmp_path / name), "--results", str(results), "--name", name]) == 0
    new, old = find_runs(results)
    as_of_before(old)
    assert "v2." not in (old.path / "result.json").read_text(), "the test's own set-up"
    if score_again:
        assert main(["score", str(old.path)]) == 0
        assert "v2." in (old.path / "result.json").read_text()
    entries, _ = load_entries(results)
    assert len({comparable(entry.result.signature) for entry in entries}) == 1
    assert all(one.same_signature for one in compare_with_first(new, [old], resamples=20)[0])


def test_a_hash_of_before_that_is_not_the_items_stays(tmp_path: Path) -> None:
    write_log(tmp_path / "log", logs_of(["Apfel"] * 3))
    assert main(["import", "lmms-eval", str(tmp_path / "log"), "--results", str(tmp_path / "results")]) == 0
    (run,) = find_runs(tmp_path / "results")
    as_of_before(run)
    path = run.path / "requests.jsonl"
    path.write_text(path.read_text().replace("de 0?", "de 7?"))
    (entry,) = load_entries(tmp_path / "results")[0]
    assert "v2." not in entry.result.signature
    assert "v2." not in answered(run)["alm"].signature


def test_data_of_several_parts_are_the_same_in_any_order() -> None:
    assert comparable("task:t@1|data:a@1+b@2|model:m") == comparable("task:t@1|data:b@2+a@1|model:n")
    assert comparable("task:t@1|data:a@1+b@2") != comparable("task:t@1|data:a@1+b@3")
