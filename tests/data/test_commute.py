"""CoMMuTE: two items a row, the words of both protocols, data that does not fit, and which side of a pair wins."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from chat_server import chat_server
from task_data import build, items, png, prompt, write_parquet

from tasks import commute
from tvbench.cli.main import main
from tvbench.errors import UsageError
from tvbench.runs.keys import media_of
from tvbench.runs.plan import PlannedItem, requests_of
from tvbench.runs.planned import Keys
from tvbench.runs.store import find_runs
from tvbench.scoring import score_item, score_items, summarise
from tvbench.scoring.contrast import settle_pairs
from tvbench.scoring.metrics import BUILTIN, metric, metric_id
from tvbench.types import Contrast, Item, Message, ModelCard, Response, Score

BANKS = {"de": ("Er ging zur Bank.", "Er ging zum Ufer."), "fr": ("Il va à la banque.", "Il va à la rive.")}


def rows_of(code: str) -> list[dict[str, Any]]:
    """One English sentence under two pictures, which ask for the one translation or the other."""
    money, river = BANKS[code]
    return [
        {
            "source": "He went to the bank.",
            "correct_translation": right,
            "incorrect_translation": wrong,
            "image": {"bytes": png(shade), "path": None},
            "image_name": name,
        }
        for right, wrong, shade, name in ((money, river, 50, "money.png"), (river, money, 200, "river.png"))
    ]


def write_split(folder: Path, code: str, rows: list[dict[str, Any]]) -> None:
    write_parquet(folder / "data" / f"{code}-00000-of-00001.parquet", rows, ("image",))


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    for code in BANKS:
        write_split(tmp_path / "hub", code, rows_of(code))
    return tmp_path / "hub"


# ── The adapter ───────────────────────────────────────────────────────────────────────────────────


def test_each_row_is_two_items_with_one_prompt(hub: Path) -> None:
    found = items(commute, hub, languages=("fr",))
    assert [item.id for item in found] == ["fr/0/correct", "fr/0/incorrect", "fr/1/correct", "fr/1/incorrect"]
    assert [item.continuation for item in found] == [
        "Il va à la banque.",
        "Il va à la rive.",
        "Il va à la rive.",
        "Il va à la banque.",
    ]
    assert [item.target for item in found] == [
        Contrast("fr/0", True),
        Contrast("fr/0", False),
        Contrast("fr/1", True),
        Contrast("fr/1", False),
    ]
    assert len({prompt(item) for item in found}) == 1
    assert [media_of(item.messages)[0].load() for item in found] == [png(50), png(50), png(200), png(200)]
    assert [item.cluster for item in found] == ["money.png", "money.png", "river.png", "river.png"]
    assert {item.language for item in found} == {"fr"} and not any(item.problem for item in found)


def test_the_translation_is_in_no_prompt(hub: Path) -> None:
    for protocol in commute.TASK.protocols:
        for item in items(commute, hub, protocol):
            (message,) = item.messages
            assert message.role == "user" and item.continuation and item.continuation not in prompt(item)


def test_words_of_the_protocols(hub: Path) -> None:
    assert prompt(items(commute, hub, "paper", languages=("de",))[0]) == (
        "Translate the following source text from English to German:\nHe went to the bank."
    )
    assert prompt(items(commute, hub, languages=("fr",))[0]) == (
        "Translate this sentence from English to French. Reply with the translation only.\nHe went to the bank."
    )


def test_without_pictures_the_words_are_the_same(hub: Path) -> None:
    for protocol in commute.TASK.protocols:
        with_picture, without = (items(commute, hub, protocol, with_media=flag) for flag in (True, False))
        assert [prompt(item) for item in with_picture] == [prompt(item) for item in without]
        assert all(len(media_of(item.messages)) == 1 for item in with_picture)
        assert not any(media_of(item.messages) for item in without)


def test_languages_without_a_split_are_left_out_or_refused(hub: Path) -> None:
    made = build(commute, hub)
    assert {item.language for item in made.items} == {"de", "fr"}
    assert made.warnings == ("no split ar, cs, ru, zh, es: left out",)
    assert not build(commute, hub, languages=("de",)).warnings
    with pytest.raises(UsageError, match=r"no split ru(.|\n)*splits found: de, fr"):
        items(commute, hub, languages=("de", "ru"))
    with pytest.raises(UsageError, match="language of commute 'it'"):
        items(commute, hub, languages=("it",))
    with pytest.raises(UsageError, match=r"no splits to choose from(.|\n)*commute:de\+ar"):
        items(commute, hub, split="de")
    with pytest.raises(UsageError, match="has no settings"):
        items(commute, hub, settings={"colour": "red"})


def test_data_without_any_known_split(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data" / "test-00000-of-00001.parquet", rows_of("de"), ("image",))
    with pytest.raises(UsageError, match="splits found: test"):
        items(commute, tmp_path)


def test_spanish_where_it_is_there(hub: Path) -> None:
    write_split(hub, "es", rows_of("fr"))
    assert "to Spanish." in prompt(items(commute, hub, languages=("es",))[0])


@pytest.mark.parametrize("column", ["source", "correct_translation", "incorrect_translation", "image"])
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    rows = [{name: value for name, value in row.items() if name != column} for row in rows_of("de")]
    write_parquet(tmp_path / "data" / "de-00000-of-00001.parquet", rows, ("image",) if column != "image" else ())
    with pytest.raises(UsageError, match=rf"split de(.|\n)*no column {column}(.|\n)*columns found: .*image_name"):
        items(commute, tmp_path, languages=("de",))
    if column == "image":
        assert len(items(commute, tmp_path, languages=("de",), with_media=False)) == 4


def test_without_names_each_row_is_a_picture_of_its_own(tmp_path: Path) -> None:
    write_split(tmp_path, "de", [{k: v for k, v in row.items() if k != "image_name"} for row in rows_of("de")])
    assert [item.cluster for item in items(commute, tmp_path)] == ["de/0", "de/0", "de/1", "de/1"]


@pytest.mark.parametrize("column", ["source", "correct_translation", "incorrect_translation"])
def test_an_empty_cell_is_the_problem_of_both_sides(tmp_path: Path, column: str) -> None:
    broken, good = rows_of("de")
    write_split(tmp_path, "de", [broken | {column: " "}, good])
    found = items(commute, tmp_path)
    assert [item.problem for item in found] == [f"row de/0 has an empty {column}"] * 2 + [None, None]


def test_a_missing_picture_is_a_problem(tmp_path: Path) -> None:
    gone, good = rows_of("de")
    write_split(tmp_path, "de", [gone | {"image": None}, good])
    planned = [Keys(ModelCard("m", "server", "m")).planned(item).item for item in items(commute, tmp_path)]
    assert [bool(item.problem) for item in planned] == [True, True, False, False]
    assert not requests_of(PlannedItem("key", item, ()) for item in planned[:2])


def test_a_limit_keeps_whole_pairs(hub: Path) -> None:
    assert [item.id for item in items(commute, hub, limit=1)] == [
        "de/0/correct",
        "de/0/incorrect",
        "fr/0/correct",
        "fr/0/incorrect",
    ]


def test_translations_are_scored_without_blanks_at_their_ends(tmp_path: Path) -> None:
    first, _ = rows_of("de")
    write_split(tmp_path, "de", [first | {"correct_translation": " Er ging.\n"}])
    assert items(commute, tmp_path)[0].continuation == "Er ging."


# ── Scoring ───────────────────────────────────────────────────────────────────────────────────────


def side(pair: str, correct: bool, repeat: int = 0, problem: str | None = None, language: str = "de") -> Item:
    name = f"{pair}/{'correct' if correct else 'incorrect'}" + (f"@{repeat}" if repeat else "")
    return Item(
        name,
        "commute",
        language,
        (Message("user", ("x",)),),
        Contrast(pair, correct),
        continuation="y",
        repeat=repeat,
        problem=problem,
        cluster=pair,
    )


def settled(asked: Iterable[tuple[Item, tuple[float, ...] | None]]) -> dict[str, Score]:
    """Scores by item id of items and the log-probabilities that came for them; None: no answer at all."""
    asked = list(asked)
    answers = {item.id: Response(item.id, text="y", logprobs=logs) for item, logs in asked if logs is not None}
    return {score.item: score for score in score_items([item for item, _ in asked], answers)}


def test_sum_and_mean_worked_out_by_hand() -> None:
    scores = settled([(side("a", True), (-1.0, -2.0, -3.0)), (side("a", False), (-2.5, -3.0))])
    assert scores["a/correct"].values == {
        "logprob_sum": -6.0,
        "logprob_mean": -2.0,
        "contrastive_sum": 0.0,
        "contrastive_mean": 1.0,
    }
    assert scores["a/incorrect"].values == {"logprob_sum": -5.5, "logprob_mean": -2.75}
    assert not any(score.unscored for score in scores.values())


def test_the_right_side_wins_wherever_it_stands() -> None:
    for turned in (1, -1):
        pair = [(side("a", True), (-1.0, -1.0)), (side("a", False), (-1.5, -1.5))]
        values = settled(pair[::turned])["a/correct"].values
        assert (values["contrastive_sum"], values["contrastive_mean"]) == (1.0, 1.0)


def test_ties_are_half() -> None:
    values = settled([(side("a", True), (-1.0, -2.0)), (side("a", False), (-2.0, -1.0))])["a/correct"].values
    assert (values["contrastive_sum"], values["contrastive_mean"]) == (0.5, 0.5)
    values = settled([(side("b", True), (-2.0,)), (side("b", False), (-1.0, -1.0))])["b/correct"].values
    assert (values["contrastive_sum"], values["contrastive_mean"]) == (0.5, 0.0)
    near = settled([(side("c", True), (-1.0,)), (side("c", False), (math.nextafter(-1.0, -2.0),))])
    assert near["c/correct"].values["contrastive_sum"] == 1.0, "only what is equal is a tie"


@pytest.mark.parametrize(
    ("logs", "reason"),
    [
        (None, "the wrong translation is not answered"),
        ((), "the wrong translation has no score: no log-probabilities came"),
        ((-1.0, math.nan), "the wrong translation has no score: a log-probability is not a finite number"),
        ((-math.inf,), "the wrong translation has no score: a log-probability is not a finite number"),
    ],
)
def test_a_side_alone_is_never_right(logs: tuple[float, ...] | None, reason: str) -> None:
    score = settled([(side("a", True), (-1.0,)), (side("a", False), logs)])["a/correct"]
    assert score.unscored == reason
    assert score.values == {"logprob_sum": -1.0, "logprob_mean": -1.0}


def test_a_partner_that_was_not_asked_or_is_there_twice() -> None:
    assert settled([(side("a", True), (-1.0,))])["a/correct"].unscored == "the wrong translation is not among the items"
    first = side("a", False)
    twice = Item("again", *(getattr(first, name) for name in ("task", "language", "messages", "target")))
    scores = settled([(side("a", True), (-1.0,)), (first, (-2.0,)), (twice, (-0.5,))])
    assert scores["a/correct"].unscored == "the wrong translation is there twice"


def test_an_unscored_right_side_keeps_its_own_reason() -> None:
    scores = settled([(side("a", True), ()), (side("a", False), (-1.0,))])
    assert scores["a/correct"].unscored == "no log-probabilities came" and not scores["a/correct"].values
    assert scores["a/incorrect"].values["logprob_sum"] == -1.0


def test_failures_are_reasons_too() -> None:
    item = side("a", False)
    failed = score_item(item, Response(item.id, error="out of memory"))
    (right, _) = settle_pairs([side("a", True), item], [Score("a/correct", {"logprob_sum": -1.0}), failed])
    assert right.unscored == "the wrong translation has no score: failed: out of memory"


def test_repeats_are_compared_with_their_own_kind() -> None:
    scores = settled(
        [
            (side("a", True), (-1.0,)),
            (side("a", False), (-2.0,)),
            (side("a", True, repeat=1), (-1.0,)),
            (side("a", False, repeat=1), (-0.5,)),
        ]
    )
    assert [scores[name].values["contrastive_sum"] for name in ("a/correct", "a/correct@1")] == [1.0, 0.0]


def test_other_scores_pass_through() -> None:
    scores = [Score("elsewhere", {"strict": 1.0})]
    assert settle_pairs([], scores) == scores
    assert settle_pairs([side("a", True)], scores) == scores


def test_summary_counts_pairs_and_knows_chance() -> None:
    logs = {"a": (-1.0, -2.0), "b": (-3.0, -1.0), "c": (-2.0, -2.0), "d": (-1.0, -4.0)}
    asked = [side(pair, correct) for pair in logs for correct in (True, False)]
    answers = {
        item.id: Response(item.id, text="y", logprobs=(logs[item.id[0]][not item.id.endswith("/correct")],))
        for item in asked
    }
    scores = score_items(asked, answers)
    result = summarise("commute", "tvbench", "contrastive_sum", "s", asked, answers, scores)
    figure = result.metrics["contrastive_sum"]
    assert figure.value == pytest.approx(2.5 / 4) and (figure.n, figure.clusters) == (4, 4)
    assert figure.stderr == pytest.approx(math.sqrt(sum((x - 0.625) ** 2 for x in (1, 0, 0.5, 1)) / 3 / 4))
    assert result.metrics["chance"].value == 0.5 and result.metrics["chance"].n == 4
    assert result.metrics["logprob_sum"].n == 8 and result.counts.complete
    assert "tie:0.5" in result.metric_signatures["contrastive_sum"]


def test_names_of_the_metrics() -> None:
    assert set(commute.TASK.metrics) <= set(BUILTIN)
    assert metric_id("CoMMuTE accuracy (sum)") == "contrastive_sum" and metric("contrastive_mean").shown(1) == 100
    assert metric("logprob_sum").unit == "nats" and metric("logprob_sum").shown(-3) == -3


# ── A whole run ───────────────────────────────────────────────────────────────────────────────────


def test_the_embedded_model_is_at_chance_without_the_picture(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    code = main(
        [
            "run",
            "--model",
            "tower-mini",
            "--tasks",
            "commute:de+fr",
            "--data",
            str(hub),
            "--no-image",
            "--quiet",
            "--results",
            str(tmp_path / "out"),
            "--format",
            "json",
        ]
    )
    shown = json.loads(capsys.readouterr().out)
    (task,) = shown["tasks"]
    assert code == 0 and task["counts"]["scored"] == 8
    (run,) = find_runs(tmp_path / "out")
    (result,) = run.result() or []
    # Both pictures' rows are one question then, once with the one answer right and once with the other.
    assert {code: part.metrics["contrastive_sum"].value for code, part in result.breakdowns["language"].items()} == {
        "de": 0.5,
        "fr": 0.5,
    }
    assert result.metrics["logprob_sum"].value < 0 and result.metrics["contrastive_mean"].value == 0.5
    main(["leaderboard", "--results", str(tmp_path / "out"), "--no-published", "--metric", "logprob_sum"])
    assert f"{result.metrics['logprob_sum'].value:.1f}" in capsys.readouterr().out, "nats are no percentage"


def test_the_embedded_model_sees_the_picture(hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    assert (
        main(
            [
                "run",
                "--model",
                "tower-mini",
                "--tasks",
                "commute:de",
                "--data",
                str(hub),
                "--quiet",
                "--protocol",
                "paper",
                "--results",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
    (run,) = find_runs(tmp_path / "out")
    answers = run.responses()
    logs = {item.id: answers[key].logprobs or () for key, item in run.requests()}
    assert len(logs) == 4 and len(logs["de/0/correct"]) == len(logs["de/1/incorrect"]) > 1
    assert logs["de/0/correct"] != logs["de/1/incorrect"], "the same words after another picture"


def test_a_server_without_log_probabilities_fails_and_says_so(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with chat_server() as server:
        code = main(
            [
                "run",
                "--model",
                server.model,
                "--tasks",
                "commute:de",
                "--data",
                str(hub),
                "--quiet",
                "--results",
                str(tmp_path / "out"),
                "--format",
                "json",
            ]
        )
    (task,) = json.loads(capsys.readouterr().out)["tasks"]
    assert code == 1 and task["counts"]["failed"] == 4 and task["counts"]["scored"] == 0
    (run,) = find_runs(tmp_path / "out")
    assert all("log-prob" in (response.error or "") for response in run.responses().values())
    (result,) = run.result() or []
    assert "contrastive_sum" not in result.metrics
