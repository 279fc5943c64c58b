"""Keys stand for content alone; plans keep every row and name runs by what is asked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest
from small_plans import PICTURE, item, task_of

from tvbench.errors import MediaError, UsageError
from tvbench.runs.codec import item_from_json, item_to_json
from tvbench.runs.keys import content_key
from tvbench.runs.plan import Overrides, Plan, make_ask, plan_task
from tvbench.runs.signature import comparable, read_signature
from tvbench.runs.streamed import unique_ids
from tvbench.types import BuildOptions, Item, ModelCard, Sampling

CARD = ModelCard("m", "folder", "anywhere", revision="r1")


def planned(items: Iterable[Item], card: ModelCard = CARD, **options: object) -> Plan:
    task = plan_task(task_of(items), BuildOptions("tvbench", **options), card, Overrides())  # type: ignore[arg-type]
    return Plan(card, (task,), make_ask(card, [task], Overrides(), {"name": "transformers"}))


def test_the_key_covers_what_determines_the_answer_and_nothing_else() -> None:
    base = content_key(item(), "m", "r", ["d1"])
    assert base == content_key(replace(item("other id"), task="u", language="fr", cluster="c"), "m", "r", ["d1"])
    changed = [
        content_key(item(text="What ?"), "m", "r", ["d1"]),
        content_key(item(), "m2", "r", ["d1"]),
        content_key(item(), "m", "r2", ["d1"]),
        content_key(item(), "m", "r", ["d2"]),
        content_key(replace(item(), sampling=Sampling(temperature=0.5)), "m", "r", ["d1"]),
        content_key(replace(item(), repeat=1), "m", "r", ["d1"]),
        content_key(replace(item(), continuation="x"), "m", "r", ["d1"]),
        content_key(item(media=(replace(PICTURE, kind="video", frames=8),)), "m", "r", ["d1"]),
        content_key(item(media=(replace(PICTURE, kind="video", frames=9),)), "m", "r", ["d1"]),
        content_key(item(media=(replace(PICTURE, kind="video", frames=9, decoder="decord"),)), "m", "r", ["d1"]),
    ]
    assert len({base, *changed}) == len(changed) + 1


def test_equal_questions_are_asked_once() -> None:
    plan = planned([item("1"), item("2"), item("3", text="Other?")])
    assert len(plan.requests()) == 2
    assert len(list(plan.planned_items())) == 3


def test_a_folder_is_its_content_wherever_it_lies() -> None:
    elsewhere = replace(CARD, location="/elsewhere", name="renamed")
    assert planned([item()]).requests()[0].key == planned([item()], elsewhere).requests()[0].key


def test_repeated_ids_are_kept_and_said() -> None:
    items, warnings = unique_ids([item("1"), item("1", "b"), item("2"), item("1", "c")])
    assert [one.id for one in items] == ["1", "1#2", "2", "1#3"]
    assert "1 ids occur more than once" in warnings[0]


def test_media_that_cannot_be_read_become_the_items_problem() -> None:
    def broken() -> bytes:
        raise MediaError("p.png is gone")

    plan = planned([item("1", media=(replace(PICTURE, load=broken),)), item("2")])
    problems = [one.item.problem for one in plan.planned_items()]
    assert problems == ["p.png is gone", None]
    assert len(plan.requests()) == 1


def test_the_run_is_named_by_what_is_asked() -> None:
    one, other = planned([item()]), planned([item()], seed=1)
    assert one.run_name == planned([item()]).run_name != other.run_name
    assert one.run_name.startswith("m--t--tvbench-")


def test_signatures_compare_across_models_but_not_across_prompts() -> None:
    first = planned([item()]).tasks[0].entry(CARD, "vllm@1").signature
    second = planned([item()]).tasks[0].entry(replace(CARD, name="other"), "transformers@5").signature
    third = planned([item(text="Else?")]).tasks[0].entry(CARD, "vllm@1").signature
    assert first != second and comparable(first) == comparable(second) != comparable(third)
    assert read_signature(first)["data"] == "data@1"


def test_unknown_protocol_and_empty_task_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="Did you mean tvbench"):
        plan_task(task_of([item()]), BuildOptions("tvbnech"), CARD, Overrides())
    with pytest.raises(UsageError, match="no items"):
        plan_task(task_of([]), BuildOptions("tvbench"), CARD, Overrides())


def test_repeats_are_different_requests() -> None:
    task = plan_task(task_of([item()]), BuildOptions("tvbench"), CARD, Overrides(repeats=3, temperature=0.7))
    plan = Plan(CARD, (task,), {})
    assert len({request.key for request in plan.requests()}) == 3
    assert {request.sampling.temperature for request in plan.requests()} == {0.7}


CLIP = replace(PICTURE, kind="video", frames=8)


def decoded(items: Iterable[Item], decoder: str | None) -> Plan:
    task = plan_task(task_of(items), BuildOptions("tvbench"), CARD, Overrides(), decoder=decoder)
    return Plan(CARD, (task,), make_ask(CARD, [task], Overrides(), {"name": "transformers"}))


def test_a_decoder_makes_another_run_where_a_clip_is_asked_about_and_only_there() -> None:
    clips, pictures = [item("1"), item("2", media=(CLIP,))], [item("1"), item("2", "Else?")]
    plain, other = decoded(clips, None), decoded(clips, "decord")
    assert plain.run_name == planned(clips).run_name != other.run_name
    assert "decoder" not in plain.ask and other.ask["decoder"] == "decord"
    shared = {one.key for one in plain.planned_items()} & {one.key for one in other.planned_items()}
    assert len(shared) == 1, "the picture's answer is worth the same, the clip's is not"
    (line,), (without,) = (
        [read_signature(task.entry(CARD, "t@1").signature) for task in plan.tasks] for plan in (other, plain)
    )
    assert line["decoder"] == "decord" and "decoder" not in without
    assert comparable(other.tasks[0].entry(CARD, "t@1").signature) != comparable(
        plain.tasks[0].entry(CARD, "t@1").signature
    )
    assert decoded(pictures, "decord").run_name == decoded(pictures, None).run_name
    assert [one.key for one in decoded(pictures, "decord").planned_items()] == [
        one.key for one in decoded(pictures, None).planned_items()
    ]


def test_a_stored_clip_knows_its_decoder() -> None:
    (asked,) = decoded([item("2", media=(CLIP,))], "decord").planned_items()
    line = item_to_json(asked.item, asked.digests)
    assert item_from_json(json.loads(json.dumps(line))).messages[0].parts[0] == asked.item.messages[0].parts[0]
    (plain,) = decoded([item("2", media=(CLIP,))], None).planned_items()
    assert "decoder" not in json.dumps(item_to_json(plain.item, plain.digests))
