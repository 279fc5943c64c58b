"""What answers cost: it adds up, nothing counts twice, and rows are compared by the questions that they share."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cost_runs import session, stored_run
from run_folders import task_result

from tvbench.analysis.cost import Cost, Rate, Spending, added, added_rates, cost_of, run_cost
from tvbench.analysis.entries import load_entries
from tvbench.analysis.row_costs import Costs, RowCost, cheapest, where
from tvbench.analysis.rows import own_rows
from tvbench.errors import UsageError
from tvbench.registry.prices import Price, price_in, price_typed, prices_typed
from tvbench.runs.manifest import Manifest
from tvbench.runs.manifest_json import manifest_from_json
from tvbench.runs.store import RunFolder
from tvbench.types import Response

Json = dict[str, Any]
BY_TOKENS, BY_TIME = Price(2.5, 10.0), Price(hour=3.6)


def some_answers(luck: random.Random) -> dict[tuple[str, str, str], Response]:
    """Of several tasks and languages, with shared keys, failures, reused ones, and such without counts."""
    found = {}
    for number in range(luck.randrange(1, 40)):
        place = (luck.choice("abc"), luck.choice(("de", "hi")), f"i{number}")
        known = luck.random() < 0.8
        found[place] = Response(
            f"k{luck.randrange(30)}",
            text=None if (failed := luck.random() < 0.1) else "x",
            error="no" if failed else None,
            tokens_in=luck.randrange(5000) if known else None,
            tokens_out=luck.randrange(300) if known else None,
            tokens_cached=luck.choice([None, 0, 100]),
            seconds=luck.choice([None, 0.5, 2.0]),
            dollars=luck.choice([None, None, 0.01]),
            reused_from=luck.choice([None, None, None, "other"]),
        )
    return found


# ── It adds up ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(60))
def test_tasks_add_up_to_the_run_and_no_key_counts_twice(tmp_path: Path, seed: int) -> None:
    luck = random.Random(seed)
    answers = some_answers(luck)
    either: list[Json] = [{}, {"input": 2.5, "output": 10}, {"hour": 3.6}, {"input": 1, "output": 1, "hour": 2}]
    prices = luck.choice(either)
    if "hour" in prices:  # what a server named a price for takes no time that is paid for
        answers = {place: replace(answer, dollars=None) for place, answer in answers.items()}
    run = stored_run(tmp_path / "run", answers, prices=prices, sessions=[session(3, 7.0), session(2, 5.0)])
    cost = run_cost(run)
    stored = [one for one in run.responses().values() if one.error is None]
    own = [one for one in stored if not one.reused_from]
    whole = cost.whole
    assert whole.spent.answers == len(own) and whole.reused == len(stored) - len(own)
    counted = [one for one in own if one.tokens_in is not None]
    assert whole.spent.tokens_in == sum(one.tokens_in or 0 for one in counted)
    assert whole.seconds == pytest.approx(12.0 if own else 0.0)
    straight = cost_of(own, whole.seconds, price_in(prices))
    assert whole.unpriced == straight.unpriced
    if whole.unpriced < len(own) or (prices and not own):
        assert whole.dollars == pytest.approx(straight.dollars)
    else:
        assert whole.dollars in (None, 0.0)
    assert added(list(cost.tasks.values())[::-1]).dollars == pytest.approx(whole.dollars)
    assert json.loads(json.dumps(cost.as_json()))["tokens_in"] == whole.spent.tokens_in


def test_costs_are_added_in_any_order() -> None:
    luck = random.Random(5)
    costs = [cost_of(list(some_answers(luck).values()), 1.0, BY_TOKENS) for _ in range(6)]
    one, other = added(costs), added(costs[::-1])
    assert one.spent.tokens_in == other.spent.tokens_in and one.dollars == pytest.approx(other.dollars)
    assert added([]) == Cost()


def test_cached_tokens_have_their_price() -> None:
    answer = Response("k", text="x", tokens_in=1_000_000, tokens_out=0, tokens_cached=400_000)
    assert cost_of([answer], None, Price(10, 0)).dollars == 10
    assert cost_of([answer], None, Price(10, 0, cached=1)).dollars == pytest.approx(6.4)


def test_what_a_server_says_counts_before_a_price_unless_one_is_typed() -> None:
    told = Response("k", text="x", tokens_in=10**6, tokens_out=0, dollars=0.5)
    assert cost_of([told], None, Price(10, 0)).dollars == 0.5
    assert cost_of([told], None, Price(10, 0), told=False).dollars == 10
    assert cost_of([told], 3600.0, Price(hour=7)).dollars == 0.5


# ── A thousand questions ──────────────────────────────────────────────────────────────────────────


def answered(count: int, tokens: int = 1000, task: str = "a", **more: Any) -> dict[tuple[str, str, str], Response]:
    return {
        (task, "de" if number % 2 else "hi", f"{task}{number}"): Response(
            f"{task}{number}", text="x", tokens_in=tokens, tokens_out=0, seconds=1.0, **more
        )
        for number in range(count)
    }


def test_a_rate_is_of_a_thousand_and_of_answers_of_other_runs_too(tmp_path: Path) -> None:
    first = stored_run(tmp_path / "first", answered(10), sessions=[session(10, 5.0, 10.0)], prices={"hour": 3.6})
    rate = Spending(first).rate()
    assert rate.questions == 10 and rate.seconds == pytest.approx(500) and rate.answers_per_second == pytest.approx(2)
    assert rate.dollars == pytest.approx(0.5)
    copied = stored_run(tmp_path / "second", answered(4, reused_from="first"), sessions=[session(0, None)])
    again = Spending(copied, BY_TOKENS).rate()
    assert again.seconds == pytest.approx(500), "at the pace of the run that answered"
    assert again.dollars == pytest.approx(2.5) and run_cost(copied).whole.dollars is None
    assert Spending(stored_run(tmp_path / "third", answered(4, reused_from="../first"))).rate().seconds is None


def test_rows_are_compared_by_the_questions_that_all_have_answered(tmp_path: Path) -> None:
    long = {**answered(4), ("a", "de", "long"): Response("long", text="x", tokens_in=10**6, tokens_out=0, seconds=50.0)}
    stored_run(tmp_path / "one", long, model="one", prices={"input": 1, "output": 1}, sessions=[session(5, 9, 54.0)])
    stored_run(tmp_path / "two", answered(4), model="two", prices={"input": 2, "output": 2})
    for name in ("one", "two"):
        RunFolder(tmp_path / name).write_result([task_result("a", name, languages={"de": 0.5, "hi": 0.5})], {})
    entries, warnings = load_entries(tmp_path)
    assert not warnings
    rows = [row.entries for row in own_rows(entries)]
    costs = dict(zip([row.model for row in own_rows(entries)], Costs().of_rows(rows), strict=True))
    assert costs["one"].rate.questions == costs["two"].rate.questions == 4
    assert costs["two"].rate.dollars == pytest.approx(2 * (costs["one"].rate.dollars or 0))
    assert costs["two"].rate.seconds is None and costs["one"].rate.seconds is not None
    german = Costs().of_rows(rows, languages=("de",))
    assert {cost.rate.questions for cost in german} == {2}
    typed = Costs(prices_typed(["two=3600/h", "5,5"])).of_rows(rows)
    assert {cost.price for cost in typed} == {Price(1.0, 1.0), Price(hour=3600.0)}, "a named price before the run's own"
    with pytest.raises(UsageError, match="unknown model 'thre'"):
        Costs(prices_typed(["thre=1,1"])).check(entries)


def test_a_damaged_run_is_said_and_the_others_are_counted(tmp_path: Path) -> None:
    for name in ("one", "two"):
        stored_run(tmp_path / name, answered(4), model=name, prices={"input": 1, "output": 1})
        RunFolder(tmp_path / name).write_result([task_result("a", name, languages={"de": 0.5, "hi": 0.5})], {})
    entries, _ = load_entries(tmp_path)
    (tmp_path / "one" / "requests.jsonl").write_bytes(b"\xff\x00 no\n")
    costs = Costs({"": BY_TOKENS})
    found = costs.of_rows([row.entries for row in own_rows(entries)])
    assert sorted(cost.rate.questions for cost in found) == [0, 4]
    (tmp_path / "two" / "manifest.json").write_text("{")
    again = Costs()
    assert again.of_entry(next(entry for entry in entries if entry.run == "two")) == RowCost() and again.problems


def test_rates_are_added_by_their_questions() -> None:
    one, two = Rate(10, 1.0, 4.0, 5.0, 6.0, 10), Rate(30, 2.0, None, 5.0, 6.0, 30)
    both = added_rates([one, two, Rate()])
    assert (both.questions, both.seconds, both.priced) == (40, None, 40) and both.dollars == pytest.approx(1.75)
    assert added_rates([]) == Rate()


def test_the_cheapest_is_looked_for_among_the_best() -> None:
    costs = [RowCost(Rate(1, dollars)) for dollars in (3.0, 2.0, 1.0, None)]
    assert cheapest(costs, [True, True, False, True]) == [1]
    assert cheapest(costs, [False, False, False, True]) == [] and cheapest([], []) == []
    assert cheapest([RowCost(Rate(1, 2.0))] * 2, [True, True]) == [0, 1]


def test_machines_and_engines_are_named() -> None:
    served = {"name": "m", "revision": "1", "kind": "server", "location": "m", "url": "http://127.0.0.1:8000/v1"}
    engine = {"name": "openai", "version": "1", "settings": {}}
    assert where(manifest_from_json({"tasks": [], "model": served, "engine": engine})).startswith(
        "openai at http://127"
    )
    hardware: Json = {"machine": "x86_64", "cores": 8, "gpus": ["NVIDIA H100"]}
    local = {"tasks": [], "engine": {**engine, "name": "vllm"}, "hardware": hardware}
    assert where(manifest_from_json(local)) == "vllm on x86_64, 8 cores, NVIDIA H100"
    assert where(manifest_from_json({**local, "hardware": {"cores": "many", "gpus": 3}})) == "vllm"
    assert where(Manifest()) == ""


# ── Prices ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("2.5,10", Price(2.5, 10)),
        ("2.5/10", Price(2.5, 10)),
        ("2.5,10,0.25", Price(2.5, 10, 0.25)),
        ("2/h", Price(hour=2)),
        (" 2.0 / hour", Price(hour=2)),
        ("0,0", Price(0, 0)),
    ],
)
def test_prices_as_they_are_typed(text: str, price: Price) -> None:
    assert price_typed(text) == price == price_typed(price.typed) == price_in(price.as_card())
    assert prices_typed([f"a b={text}", text]) == {"a b": price, "": price}


@pytest.mark.parametrize("text", ["", "2", "h", "/h", "2/d", "1,2,3,4", "-1,2", "nan,1", "inf/h", "1e400,1", "a=b"])
def test_what_is_no_price(text: str) -> None:
    with pytest.raises(UsageError, match="is not two amounts"):
        price_typed(text)


@pytest.mark.parametrize("texts", [["1,2", "3,4"], ["a=1,2", "a=1,2"], ["=1,2"]])
def test_prices_that_say_too_much_or_nothing(texts: list[str]) -> None:
    with pytest.raises(UsageError, match="given twice|names no model"):
        prices_typed(texts)


@pytest.mark.parametrize(
    "prices",
    [
        {"input": 1},
        {"output": 1},
        {"cached": 1},
        {"cached": 1, "hour": 1},
        {"input": 1, "output": "x"},
        {"hour": True},
        {"hour": 10**400},
        {"per_day": 1},
    ],
)
def test_a_card_or_manifest_that_holds_no_price(prices: Json) -> None:
    with pytest.raises(ValueError, match=r"it has no|it is empty|no amount"):
        price_in(prices)
