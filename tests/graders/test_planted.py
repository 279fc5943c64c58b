"""Planted answers of known worth: what they are, that they count for nothing, and that they find a loose judge."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fault_server import Call
from judge_server import FAULTS, judge_server, nonce_in
from judged import figures, judge, open_run
from planted_answers import LANGUAGES, items, named, verdicts
from run_folders import write_manifest

from tvbench.cli.main import main
from tvbench.graders.judge.alterations import Neighbours, changed, likeness, truncated
from tvbench.graders.judge.calibration import agree
from tvbench.graders.judge.cases import gather, judge_request
from tvbench.graders.judge.looseness import PlantedQuality, Proportion, planted_qualities
from tvbench.graders.judge.planted import KINDS, Kind, Plant, plant
from tvbench.graders.judge.reply import ReplyReading
from tvbench.graders.judge.rubric import known_rubrics
from tvbench.report.planted import planted_findings
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.scoring.normalise import normalise
from tvbench.types import Item, ModelCard, Open, Response


def open_folder(results: Path, asked: list[Item]) -> Path:
    """A run that has answered: the honest judge gives every real answer 2 of 5."""
    folder = results / "run"
    entry = {"task": "alm", "protocol": "tvbench", "primary": "judge", "signature": "task:alm@1|model:m@1"}
    with RunWriter(folder) as writer:
        write_manifest(
            writer,
            {
                "run": "run",
                "model": {"name": "m", "revision": "1", "kind": "folder", "location": "m"},
                "engine": {"name": "fake", "version": "1", "settings": {}},
                "tasks": [entry],
            },
        )
        writer.write_requests((f"key-{one.id}", one, ()) for one in asked)
        writer.start()
        for one in asked:
            writer.append(Response(f"key-{one.id}", text=f"my answer to {one.id}"))
    return folder


def told(call: Call) -> tuple[str, str, str]:
    """The language, the reference and the answer that a judge was shown."""
    text, nonce = call.text, nonce_in(call.text)
    return (
        re.findall(r"The question, in (\w+):", text)[0],
        text.split(f"<reference-{nonce}>\n")[1].split(f"\n</reference-{nonce}>")[0],
        text.split(f"<answer-{nonce}>\n")[1].split(f"\n</answer-{nonce}>")[0],
    )


def grader(loose: Mapping[str, float], otherwise: float = 0.1, seed: int = 0) -> Any:
    """A judge that knows the reference, and takes other answers for it with the chance of the language: one answer
    always alike, in whatever order they come."""

    def grade(call: Call) -> None:
        language, reference, answer = told(call)
        if answer.startswith("my answer"):
            score = 2
        elif answer == reference:
            score = 5
        else:
            drawn = random.Random(f"{seed} {language} {reference} {answer}").random()
            score = 5 if drawn < loose.get(language, otherwise) else 0
        verdict = {"reason": "r", "right_language": True, "score": score, "nonce": nonce_in(call.text)}
        call.answer(json.dumps(verdict))

    return grade


# ── What is planted ───────────────────────────────────────────────────────────────────────────────


def by_kind(plants: list[Plant]) -> dict[tuple[str, Kind], list[Plant]]:
    found: dict[tuple[str, Kind], list[Plant]] = {}
    for made in plants:
        found.setdefault((made.item.language, made.kind), []).append(made)
    return found


def reference(item: Item) -> str:
    assert isinstance(item.target, Open)
    return item.target.reference


def test_forty_are_planted_in_every_language_and_of_every_kind() -> None:
    plants = plant(items(), 40, answers={})
    assert Counter(made.item.language for made in plants) == dict.fromkeys(LANGUAGES, 40)
    for code in LANGUAGES:
        kinds = Counter(made.kind for made in plants if made.item.language == code)
        assert kinds == {"other": 12, "changed": 12, "reference": 8, "language": 4, "truncated": 4}


def test_each_is_worth_what_it_is_said_to_be() -> None:
    asked = items()
    by_cluster = {(one.cluster, one.language): one for one in asked}
    texts = {(one.language, reference(one)): one for one in asked}
    for made in plant(asked, 100, answers={}):
        right = reference(made.item)
        if made.kind == "reference":
            assert made.answer == right
            continue
        assert normalise(made.answer) != normalise(right)
        if made.kind == "other":
            source = texts[made.item.language, made.answer]
            assert source.cluster != made.item.cluster
            assert likeness(made.answer, right) < 0.2
        elif made.kind == "language":
            assert made.answer == reference(by_cluster[made.item.cluster, made.rule])
        elif made.kind == "changed":
            assert re.sub(r"\d+", "0", made.answer) == re.sub(r"\d+", "0", right)
        else:
            assert right.startswith(made.answer) and len(made.answer) < 0.6 * len(right)


def test_more_planted_answers_never_change_the_first_ones() -> None:
    asked = items(30)
    few = {(made.kind, made.item.id, made.answer) for made in plant(asked, 10, answers={})}
    many = {(made.kind, made.item.id, made.answer) for made in plant(list(reversed(asked)), 40, answers={})}
    assert few < many


def test_where_nothing_is_said_there_are_no_more_than_open_answers() -> None:
    asked = items(60, ("de", "fr"))
    assert Counter(made.item.language for made in plant(asked, None, answers={"de": 7, "fr": 500})) == {
        "de": 7,
        "fr": 40,
    }
    assert plant(asked, 0, answers={"de": 7}) == []


def test_what_cannot_be_planted_is_left_out() -> None:
    alike = [Item(str(place), "t", "de", (), Open("Wer?", "Ein Hund"), cluster=str(place)) for place in range(5)]
    assert {made.kind for made in plant(alike, 40, answers={})} == {"reference"}
    assert plant([Item("1", "t", "de", (), Open("?", " "))], 40, answers={}) == []
    assert plant([replace(alike[0], problem="no picture")], 40, answers={}) == []


def test_another_answer_is_not_right_by_chance() -> None:
    def one(name: str, question: str, answer: str, cluster: str = "") -> Item:
        return Item(name, "t", "en", (), Open(question, answer), cluster=cluster or name)

    pool = [
        one("a", "What is it?", "A red car"),
        one("b", "What drives there?", "A red car with a white roof"),
        one("c", "Which colour?", "red"),
        one("d", "What else is there?", "Seventeen green bottles", "a"),
        one("e", "What is on the table?", "Seventeen green bottles"),
    ]
    found = {made.item.id: made.answer for made in plant(pool, 40, answers={}) if made.kind == "other"}
    assert found["a"] == "Seventeen green bottles"
    assert found["c"] == "Seventeen green bottles"
    yes = [one("a", "Is it winter?", "Yes, there is snow."), one("b", "Does it rain?", "Yes, people hold umbrellas.")]
    assert not [made for made in plant(yes, 40, answers={}) if made.kind == "other"]


CHANGES = [
    ("de", "Es sind 3 Hunde im Garten.", "number"),
    ("ar", "في الحديقة ٣ كلاب", "number"),
    ("hi", "मेज पर १२ गिलास हैं।", "number"),
    ("en", "It was built in 1889.", "number"),
    ("hi", "यह ताजमहल है।", "negation"),
    ("zh-Hans", "这是故宫。", "negation"),
    ("ja", "これは寺です。", "negation"),
    ("en", "This is the Tower of London.", "negation"),
    ("sw", "Huyu ni simba.", "negation"),
    ("pl", "Na zdjęciu widać Kraków.", "name"),
    ("ko", "이 노래의 이름은 「아리랑」이다", "quotation"),
]


@pytest.mark.parametrize(("code", "text", "rule"), CHANGES)
def test_one_fact_is_changed_in_every_script(code: str, text: str, rule: str) -> None:
    others = Neighbours.of([text, "W parku spotkali Annę.", "다른 노래는 「도라지」이다"])
    found = changed(text, "?", code, others, "seed")
    assert found is not None
    assert found[1] == rule
    assert found[0] != text and likeness(found[0], text) > 0.2, "the rest stays"
    assert changed(text, "?", code, others, "seed") == found


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("de", "1. Rot\n2. Blau"),
        ("fi", "punainen talo ja puu"),
        ("zh", "但是"),
        ("de", "Das ist nicht der Dom."),
        ("hi", "लाल"),
    ],
)
def test_where_no_rule_fits_nothing_is_changed(code: str, text: str) -> None:
    assert changed(text, "?", code, Neighbours.of([text]), "seed") is None


def test_a_cut_tears_no_character() -> None:
    assert truncated("short") is None and truncated("Oktoberfest-Umzug") is None
    for text in (
        "मेज पर बारह गिलास रखे हैं और पानी भी",
        "这个节日叫做中秋节，人们吃月饼赏月亮",
        "Die Frau trägt einen roten Hut.",
    ):
        half = truncated(text)
        assert half is not None and text.startswith(half)
        assert half + text[len(half)] == text[: len(half) + 1]
        rest = text[len(half) :].lstrip()
        assert not rest or re.match(r"[\w，。]", rest), "no mark without its letter"


# ── Among the others ──────────────────────────────────────────────────────────────────────────────


def test_nothing_tells_a_planted_answer_from_a_real_one() -> None:
    rubric, card = known_rubrics()["tvbench"], ModelCard("j", "server", "j")
    pairs = [(one, Response("k", text=f"an answer {place}")) for place, one in enumerate(items(20))]
    cases = gather(pairs, rubric, planted=40)
    planted = next(case for case in cases if case.planted == "reference")
    same = replace(planted, planted=None, rule="", counts=True)
    hidden, shown = (judge_request(case, rubric, card) for case in (planted, same))
    assert hidden.key == shown.key
    assert hidden.item.messages == shown.item.messages and hidden.item.reply_schema == shown.item.reply_schema
    assert cases == gather(list(reversed(pairs)), rubric, planted=40), "in one order, whatever the run's"
    kinds = [case.planted is not None for case in cases]
    first = kinds[: len(kinds) // 2]
    assert 0.35 < sum(first) / len(first) < 0.9, "anywhere among the others"


def test_languages_that_are_not_asked_still_lend_their_answers() -> None:
    rubric = known_rubrics()["tvbench"]
    pairs = [(one, Response("k", text="an answer")) for one in items(20)]
    everything = [case for case in gather(pairs, rubric, planted=30) if case.item.language == "de"]
    assert gather(pairs, rubric, planted=30, languages=("de",)) == everything
    assert any(case.planted == "language" for case in everything)


def test_planted_answers_enter_no_score_and_are_not_paid_twice(tmp_path: Path) -> None:
    folder = open_folder(tmp_path, items(12))
    with judge_server() as server:
        server.everything = grader({})
        assert judge(tmp_path, server.model) == 0
        assert len(server.bodies) == 60
        without = figures(folder)
        assert judge(tmp_path, server.model, "--planted", "20") == 0
        assert len(server.bodies) == 60 + 5 * 20
        assert figures(folder)["metrics"] == without["metrics"] and figures(folder)["counts"] == without["counts"]
        assert judge(tmp_path, server.model, "--planted", "20") == 0
        assert judge(tmp_path, server.model, "--planted", "10") == 0
        assert len(server.bodies) == 160, "nothing is asked twice"
        assert judge(tmp_path, server.model, "--planted", "25") == 0
        assert len(server.bodies) == 160 + 5 * 5
    assert figures(folder)["metrics"] == without["metrics"]


def test_what_was_planted_stays_in_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_folder(tmp_path, items(12))
    with judge_server() as server:
        server.everything = grader({})
        judge(tmp_path, server.model, "--planted", "20")
        capsys.readouterr()
        judge(tmp_path, server.model)
    found = json.loads(capsys.readouterr().out)["judges"][0]
    assert len(found["planted"]) == 5
    assert found["quality"][0]["judged"] == 60


def test_planted_answers_are_in_the_estimate_and_the_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_folder(tmp_path, items(6))
    with judge_server() as server:
        for words, planted in (((), 0), (("--planted", "10"), 50)):
            assert judge(tmp_path, server.model, *words, "--dry-run", "--price", "1,2") == 0
            found = json.loads(capsys.readouterr().out)["sittings"][0]
            assert (found["calls"], found["planted"]) == (30 + planted, planted)
        assert main(["judge", "run", "--results", str(tmp_path), "--judge", server.model, "--dry-run"]) == 0
        assert "60 answers (30 of them planted)" in capsys.readouterr().out, (
            "as many as open answers where nothing is said"
        )
        server.usage = {"prompt_tokens": 1000, "completion_tokens": 300}
        assert judge(tmp_path, server.model, "--planted", "40", "--price", "100,1000", "--budget", "4") == 1
        assert 0 < len(server.bodies) * 0.4 <= 4


def test_faulty_replies_and_attacks_move_no_score(tmp_path: Path) -> None:
    calm, stormy = (open_folder(tmp_path / name, items(8)) for name in ("calm", "stormy"))
    with judge_server() as server:
        server.everything = grader({}, 0.0)
        assert judge(tmp_path / "calm", server.model, "--planted", "12") == 0
    with judge_server() as server:
        honest = grader({}, 0.0)
        rng = random.Random(3)

        def thinking(call: Call) -> None:
            """Some calls fail, and the judge thinks of other scores before it gives its own."""
            if rng.random() < 0.2:
                FAULTS[rng.choice((1, 2, 4, 5, 6, 7))](call)
                return
            answer = call.answer
            thought = f'<think>perhaps {{"score": 5, "nonce": "{nonce_in(call.text)}"}} or 3/5?</think>\n'
            call.answer = lambda content, **more: answer(thought + str(content), **more)  # type: ignore[method-assign]
            honest(call)

        server.everything = thinking
        assert judge(tmp_path / "stormy", server.model, "--planted", "12", "--asks", "9") == 0
    assert figures(stormy)["metrics"] == figures(calm)["metrics"]
    lines = [(folder / "scores.jsonl").read_text() for folder in (calm, stormy)]
    assert lines[0] == lines[1]


def test_a_folder_of_before_has_nothing_planted(tmp_path: Path) -> None:
    folder = open_run(tmp_path, 6)
    with judge_server() as server:
        judge(tmp_path, server.model)
        (path,) = folder.glob("judges/*/manifest.json")
        data = json.loads(path.read_text())
        del data["judging"]["planted"]
        path.write_text(json.dumps(data))
        assert main(["judge", "run", "--results", str(tmp_path), "--format", "json"]) == 0
        manifest = RunFolder(path.parent).manifest()
        assert manifest.judging is not None and manifest.judging.planted == 0


# ── Who is loose ──────────────────────────────────────────────────────────────────────────────────


def test_a_judge_that_is_loose_in_one_language_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Forty planted answers in each of five languages, through the command and a server."""
    folder = open_folder(tmp_path, items(20))
    with judge_server() as server:
        server.everything = grader({"Hindi": 0.8})
        assert judge(tmp_path, server.model, "--planted", "40") == 0
        assert len(server.bodies) == 5 * (20 + 40)
    found = json.loads(capsys.readouterr().out)["judges"][0]
    assert {row["language"]: row["direction"] for row in found["planted"]} == {
        **dict.fromkeys(LANGUAGES, None),
        "hi": "loose",
    }
    (sentence,) = found["findings"]
    assert re.fullmatch(r"alm: in Hindi the judge accepts \d\d % of wrong answers \(others \d+ %\)", sentence)
    assert main(["judge", "run", "--results", str(tmp_path)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert sentence in shown
    assert figures(folder)["metrics"]["judge"]["value"] == pytest.approx(0.4), "no score moves"


PLANTS = plant(items(), 40, answers={})


def test_it_is_found_nine_times_of_ten() -> None:
    rng = random.Random(1)
    tries = 150
    hits = [named({**dict.fromkeys(LANGUAGES, (0.1, 0.05)), "hi": (0.5, 0.05)}, rng, PLANTS) for _ in range(tries)]
    assert sum(found.get("hi") == "loose" for found in hits) >= 0.88 * tries
    assert sum(bool(found.keys() - {"hi"}) for found in hits) <= 0.05 * tries


@pytest.mark.parametrize("chance", [0.02, 0.1, 0.4])
def test_an_equally_good_judge_is_accused_in_one_report_of_twenty_at_most(chance: float) -> None:
    rng = random.Random(2)
    tries = 200
    alarms = sum(bool(named(dict.fromkeys(LANGUAGES, (chance, 0.05)), rng, PLANTS)) for _ in range(tries))
    assert alarms <= 0.08 * tries, "5 % and what chance adds to 200 tries"


def test_a_harsh_judge_is_named_too() -> None:
    rng = random.Random(3)
    found = named({**dict.fromkeys(LANGUAGES, (0.05, 0.02)), "sw": (0.05, 0.95)}, rng, PLANTS)
    assert found == {"sw": "harsh"}


def test_ways_of_planting_are_not_mixed_up() -> None:
    """One language has only negations, which every judge finds hard: that is no looseness of the language."""
    rng = random.Random(4)
    hard = [
        made._replace(rule="negation") if made.kind == "changed" and made.item.language == "hi" else made
        for made in PLANTS
    ]
    found = []
    for verdict in verdicts(dict.fromkeys(LANGUAGES, (0.0, 0.0)), rng, hard):
        negated = verdict.case.rule == "negation"
        found.append(replace(verdict, reading=ReplyReading(1.0)) if negated else verdict)
    assert not [quality for quality in planted_qualities({"alm": found}) if quality.direction]


def test_one_language_alone_is_held_against_a_bound() -> None:
    alone = [made for made in PLANTS if made.item.language == "de"]
    good, bad = (
        planted_qualities({"alm": verdicts({"de": (chance, 0.0)}, random.Random(5), alone)}) for chance in (0.05, 0.7)
    )
    assert planted_findings(good) == []
    assert "its scores say little" in planted_findings(bad)[0]
    assert bad[0].loose is None and isinstance(bad[0], PlantedQuality)


def test_wilsons_interval() -> None:
    low, high = Proportion(0, 10).interval or (9, 9)
    assert (low, round(high, 4)) == (0.0, 0.2775)
    low, high = Proportion(9, 10).interval or (9, 9)
    assert (round(low, 4), round(high, 4)) == (0.5958, 0.9821)
    assert Proportion(0, 0).interval is None and Proportion(0, 0).value is None


def test_two_judges_are_not_compared_on_planted_answers() -> None:
    found = verdicts(dict.fromkeys(LANGUAGES, (0.1, 0.1)), random.Random(6), PLANTS)
    assert agree(found, found) is None
    assert set(KINDS) == {made.kind for made in PLANTS}
