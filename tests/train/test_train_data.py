"""Training data from files and from the hub's layout: formats, filters, and rows that are wrong."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from training import assembled, entry, stage

from tvbench.cli.main import main
from tvbench.errors import UsageError
from tvbench.mini import render
from tvbench.mini.training.generated import GeneratedCorpus, place_of
from tvbench.registry.places import cache_root
from tvbench.train.data.captioning import PROMPTS, caption_prompt
from tvbench.train.data.columns import columns_of, joined
from tvbench.train.data.corpora import Mixed, open_corpus, stage_corpus, stage_parts
from tvbench.train.data.encode import Encoder
from tvbench.train.data.entries import Entry
from tvbench.train.data.filters import balanced, sampled, weighted
from tvbench.train.data.llava import braces, files_of
from tvbench.train.data.mixture import read_mixture
from tvbench.train.data.sample import BrokenSample, Outline, TrainSample, Turn
from tvbench.train.data.show import facts
from tvbench.train.data.template import Mask
from tvbench.train.recipe import load_recipe
from tvbench.types import Media


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TVBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))


def png(colour: str = "red", size: tuple[int, int] = (60, 40)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def row(number: int, **fields: Any) -> dict[str, Any]:
    said = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": f"Answer {number}."}]
    return {"id": f"r{number}", "image": "a.png", "conversations": said, **fields}


def written(path: Path, rows: list[Any]) -> Entry:
    """Rows as JSON or JSON lines beside one picture, as an entry."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "a.png").write_bytes(png())
    text = json.dumps(rows, indent=1) if path.suffix == ".json" else "".join(json.dumps(one) + "\n" for one in rows)
    path.write_text(text, encoding="utf-8")
    return Entry("test", path=str(path))


# ── LLaVA files ───────────────────────────────────────────────────────────────────────────────────

ROWS = [
    row(0, language="de", data_source="toy"),
    {
        "id": "text",
        "language": "pt",
        "conversations": [
            {"from": "system", "value": 'Be "brief" {not} [long].'},
            {"from": "human", "value": "Traduza: dog"},
            {"from": "gpt", "value": "cão"},
        ],
    },
    row(
        2,
        image=["a.png", "a.png"],
        conversations=[
            {"role": "user", "content": "<image><image>Which?"},
            {"role": "assistant", "content": "The first."},
        ],
    ),
    {
        "id": "clip",
        "video": "b.mp4",
        "conversations": [{"from": "human", "value": "<image>\nWhat moves?"}, {"from": "gpt", "value": "A ball."}],
    },
    {
        "id": "parts",
        "messages": [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Hm?"}]},
            {"role": "assistant", "content": "Yes"},
        ],
        "images": ["a.png"],
    },
    {"image": "a.png", "caption": "Ein Bild.", "language": "de"},
]


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_every_spelling_of_a_conversation(tmp_path: Path, suffix: str) -> None:
    given = written(tmp_path / f"x{suffix}", ROWS)
    (tmp_path / "b.mp4").write_bytes(b"not read here")
    corpus = open_corpus(given)
    samples = [corpus.sample(index) for index in range(len(corpus))]
    assert [one.id for one in samples] == ["r0", "text", "r2", "clip", "parts", f"x{suffix}#5"]
    assert [one.modality for one in samples] == ["image", "text", "image", "video", "image", "image"]
    assert [one.language for one in samples] == ["de", "pt", "en", "en", "en", "de"]
    assert (samples[0].source, samples[1].source) == ("toy", "test")
    assert samples[1].turns[0] == Turn("system", 'Be "brief" {not} [long].')
    assert samples[4].turns[0] == Turn("user", "<image>\nHm?")
    assert len(samples[2].media) == 2
    assert samples[5].turns[0].text in PROMPTS["de"]
    columns = corpus.columns()
    assert [columns.outline(index).modality for index in range(6)] == [one.modality for one in samples]
    assert columns.words[0] == len("<image> What? Answer 0.".split())


def test_the_index_is_kept_and_made_again_when_the_file_changes(tmp_path: Path) -> None:
    given = written(tmp_path / "x.jsonl", [row(0)])
    assert len(open_corpus(given)) == 1
    assert open_corpus(given).sample(0).id == "r0"
    written(tmp_path / "x.jsonl", [row(1), row(2)])
    assert [open_corpus(given).sample(index).id for index in (0, 1)] == ["r1", "r2"]


def test_several_files_are_one_corpus(tmp_path: Path) -> None:
    written(tmp_path / "a.json", [row(0), row(1)])
    written(tmp_path / "b.jsonl", [row(2)])
    for path in (f"{tmp_path}/{{a.json,b.jsonl}}", str(tmp_path), f"{tmp_path}/*.json*"):
        corpus = open_corpus(Entry("x", path=path))
        assert [corpus.sample(index).id for index in range(len(corpus))] == ["r0", "r1", "r2"]
    assert braces("x{a,b}y{1,2}") == ["xay1", "xay2", "xby1", "xby2"]
    with pytest.raises(UsageError, match="there is no"):
        files_of(f"{tmp_path}/{{a,nothing}}.json")


ASKED = [{"from": "human", "value": "a?"}]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{broken", "not a JSON object"),
        ("[1]", "not a JSON object"),
        (json.dumps(row(1, image="gone.png")), "gone.png is not in"),
        (json.dumps(row(1, image="../../etc/passwd")), "outside the data folder"),
        (json.dumps(row(1, conversations=[{"from": "robot", "value": "x"}])), "unknown role 'robot'"),
        (json.dumps(row(1, conversations="hello")), "not a list of turns"),
        (json.dumps(row(1, conversations=[])), "empty"),
        (json.dumps(row(1, image="broken.png")), "not a picture"),
        (json.dumps(row(1, image="torn.png")), "broken or truncated"),
        (json.dumps(row(1, image=None)), "1 image marks for 0"),
        (json.dumps(row(1, video="broken.png", image=None)), "broken.png"),
        (
            json.dumps(row(1, conversations=[{"from": "gpt", "value": "long " * 9000}], image=None)),
            r"longer than the context: 36,\d+ tokens, 512 fit",
        ),
        (
            json.dumps(
                row(1, conversations=[*ASKED, {"from": "gpt", "value": ""}, *ASKED, {"from": "gpt", "value": "b"}])
            ),
            "an answer before the last one is empty",
        ),
        (json.dumps(row(1, conversations=[*ASKED, {"from": "gpt", "value": "<image> b"}])), "stands in an answer"),
        (json.dumps(row(1, conversations=[*ASKED, {"from": "gpt", "value": "b \ud800"}])), "not valid Unicode"),
        (json.dumps(row(1, conversations=[{"from": "human", "value": [{"type": "audio"}]}])), "unknown type 'audio'"),
    ],
)
def test_a_row_that_cannot_be_used_says_why_and_the_others_stay(tmp_path: Path, bad: str, reason: str) -> None:
    given = written(tmp_path / "x.jsonl", [row(0)])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "torn.png").write_bytes(png(size=(300, 300))[:200])
    with (tmp_path / "x.jsonl").open("a") as file:
        file.write(f"{bad}\n{json.dumps(row(2))}\n")
    corpus = open_corpus(given)
    encoder = Encoder(assembled(tmp_path), stage())
    assert len(corpus) == 3
    assert [encoder.encode(corpus.sample(index)).id for index in (0, 2)] == ["r0", "r2"]
    assert len(corpus.columns()) == 3
    with pytest.raises(BrokenSample, match=reason):
        encoder.encode(corpus.sample(1))


@pytest.mark.parametrize("mask", ["paper", "assistant_only"])
def test_what_is_longer_than_the_context_is_cut_only_where_the_recipe_says_so(tmp_path: Path, mask: Mask) -> None:
    """Under the mask `paper` marks and newlines are trained everywhere: they are no answer."""
    cutting = Encoder(assembled(tmp_path), stage(too_long="cut", mask=mask))
    question, answer = Turn("user", "why? " * 400), Turn("assistant", "long " * 9000)
    assert len(cutting.encode(TrainSample("a", (Turn("user", "Hm?"), answer))).input_ids) == 512
    with pytest.raises(BrokenSample, match=r"longer than the context: .* and no answer is among them"):
        cutting.encode(TrainSample("b", (question, answer)))
    picture = Media("image", "a.png", png)
    with pytest.raises(BrokenSample, match="not all of its pictures"):
        cutting.encode(TrainSample("c", (Turn("user", "<image>" * 60), answer), (picture,) * 60))


def test_pictures_inside_of_messages_as_chat_apis_have_them(tmp_path: Path) -> None:
    uri = "data:image/png;base64," + base64.b64encode(png()).decode()
    parts = [
        {"type": "text", "text": "Both?"},
        {"type": "image_url", "image_url": {"url": uri}},
        {"type": "image", "image": "a.png"},
    ]
    messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": "Red."}]
    corpus = open_corpus(written(tmp_path / "x.jsonl", [{"messages": messages}]))
    sample = corpus.sample(0)
    assert [len(medium.load()) for medium in sample.media if isinstance(medium, Media)] == [len(png())] * 2
    assert sample.turns[0].text == "Both?<image>\n<image>\n"
    assert corpus.columns().outline(0).modality == "image"
    assert Encoder(assembled(tmp_path), stage()).encode(sample).modality == "image"


def test_names_that_cannot_be_printed_are_put_right(tmp_path: Path) -> None:
    given = written(tmp_path / "x.jsonl", [row(0, id="a\ud800", language="d\udfff", data_source="\ud800")])
    sample = open_corpus(given).sample(0)
    assert (sample.id, sample.language, sample.source) == ("a?", "d?", "?")


def test_no_part_of_a_list_is_lost_unseen(tmp_path: Path) -> None:
    whole = json.dumps([row(0), row(1)])
    broken = (
        (whole[:-1], 2, "does not end"),
        (whole[:-9], 1, "does not end"),
        (whole + ", {}]", 2, "more behind"),
        (whole.replace('"}]}', '"}]}}', 1), 1, "more behind"),
    )
    for text, count, said in broken:
        written(tmp_path / "x.json", [])
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(UsageError, match=rf"{count} samples(.|\n)*{said}|{said}(.|\n)*{count} samples"):
            open_corpus(Entry("x", path=str(tmp_path / "x.json")))
    (tmp_path / "x.json").write_text('[7, {"id": "a"}, "lost", null, {"id": "b"}, 8]')
    corpus = open_corpus(Entry("x", path=str(tmp_path / "x.json")))
    assert len(corpus) == 5
    for place, name in ((0, None), (1, "a"), (2, None), (3, "b"), (4, None)):
        if name is None:
            with pytest.raises(BrokenSample, match="not a JSON object"):
                corpus.sample(place)
        else:
            assert corpus.sample(place).id == name


def test_a_single_object_over_many_lines_is_no_data_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"data": [row(0)]}, indent=1))
    with pytest.raises(UsageError, match="neither a JSON list nor JSON lines"):
        open_corpus(Entry("x", path=str(tmp_path / "x.json")))


def test_a_damaged_index_is_made_again(tmp_path: Path) -> None:
    given = written(tmp_path / "x.jsonl", [row(0), row(1)])
    assert len(open_corpus(given)) == 2
    (index,) = cache_root().rglob("*.npz")
    whole = index.read_bytes()
    for damaged in (b"", b"nothing", whole[: len(whole) // 2], whole[:200] + b"x" * 50 + whole[250:]):
        index.write_bytes(damaged)
        assert open_corpus(given).sample(1).id == "r1"


def test_a_folder_of_folders_gives_their_files(tmp_path: Path) -> None:
    written(tmp_path / "one" / "a.json", [row(0)])
    written(tmp_path / "two" / "b.jsonl", [row(1)])
    assert [path.name for path in files_of(str(tmp_path))] == ["a.json", "b.jsonl"]


def test_more_sources_than_sixteen_bits_count() -> None:
    known = columns_of((Outline(1, "text", "en", f"s{number}"), None) for number in range(40_000))
    assert known.outline(39_999).source == "s39999"
    assert joined([known, known]).outline(79_999).source == "s39999"


@pytest.mark.parametrize(("text", "said"), [("", "is empty"), ("[]", "holds no sample"), ("\n\n", "holds no sample")])
def test_a_file_without_samples_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UsageError, match=said):
        open_corpus(Entry("x", path=str(tmp_path / "x.json")))


def test_a_real_clip_is_sampled_to_the_stages_frames(tmp_path: Path) -> None:
    film = GeneratedCorpus(entry("video")).sample(0)
    drawn = film.media[0]
    from tvbench.mini.samples import one

    sample = one("mini-vimul", "direction", "en", 0, split="train", level=2)
    (tmp_path / "b.mp4").write_bytes(render.clip(sample.scenes))
    given = written(tmp_path / "x.jsonl", [ROWS[3]])
    encoded = Encoder(assembled(tmp_path), stage(frames=8)).encode(open_corpus(given).sample(0))
    assert encoded.visuals[0].pixels.shape == (8, 3, 56, 56)
    assert encoded.visuals[0].rows == 8 * 4 + 1
    assert drawn.kind == "video"


# ── Hub rows ──────────────────────────────────────────────────────────────────────────────────────


def blocks(folder: Path, table: dict[str, list[Any]], **options: Any) -> Entry:
    """A parquet file in the hub's layout, as an entry."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = folder / "org" / "name" / "data"
    place.mkdir(parents=True)
    pq.write_table(pa.table(table), place / "train-00000-of-00001.parquet", row_group_size=2)
    return Entry("blocks", hub="org/name", options={"data": str(folder), **options})


def test_rows_of_the_hub_with_pictures_inside(tmp_path: Path) -> None:
    turns = [[{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": f"Answer {n}."}] for n in range(5)]
    pictures = [{"bytes": png(colour), "path": None} for colour in ("red", "green", "blue", "white", "black")]
    corpus = open_corpus(blocks(tmp_path, {"image": pictures, "conversations": turns, "lang": ["de"] * 5}))
    assert len(corpus) == 5
    sample = corpus.sample(3)
    assert (sample.language, sample.turns[1].text) == ("de", "Answer 3.")
    encoded = Encoder(assembled(tmp_path), stage()).encode(sample)
    assert encoded.visuals[0].size == (40, 60)
    assert int(encoded.visuals[0].pixels[0].min()) == 255  # white


def test_an_unknown_schema_names_its_columns_and_what_to_set(tmp_path: Path) -> None:
    chat = [[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]]
    with pytest.raises(UsageError, match=r"chat, number.*(.|\n)*options.columns.turns=COLUMN"):
        open_corpus(blocks(tmp_path / "a", {"chat": chat, "number": [1]}))
    corpus = open_corpus(blocks(tmp_path / "b", {"chat": chat, "number": [1]}, columns={"turns": "chat"}))
    assert corpus.sample(0).turns == (Turn("user", "a"), Turn("assistant", "b"))
    with pytest.raises(UsageError, match="no column 'chatt'"):
        open_corpus(blocks(tmp_path / "c", {"chat": chat}, columns={"turns": "chatt"}))


# ── Filters ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        ("all", list(range(10))),
        ("first:3", [0, 1, 2]),
        ("end:2", [8, 9]),
        ("first:25%", [0, 1, 2]),
        ("random:100%", None),
        ("first:99", list(range(10))),
        ("first:0", []),
    ],
)
def test_sampling(sampling: str, expected: list[int] | None) -> None:
    found = sampled(np.arange(10), sampling, 0).tolist()
    assert found == (list(range(10)) if expected is None else expected)


def test_random_sampling_is_by_seed_and_keeps_the_order() -> None:
    one, again, other = (sampled(np.arange(100), "random:30%", seed).tolist() for seed in (1, 1, 2))
    assert one == again != other
    assert len(set(one)) == 30
    assert one == sorted(one)


@pytest.mark.parametrize("sampling", ["some", "first", "first:x", "random:-1", "last:3", "all:3"])
def test_a_sampling_that_cannot_be_read(sampling: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        sampled(np.arange(10), sampling, 0)


def test_weights_repeat_and_thin() -> None:
    assert sorted(weighted(np.arange(4), 2.0, 0).tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len(weighted(np.arange(100), 0.25, 0)) == 25
    assert len(weighted(np.arange(100), 1.5, 0)) == 150
    assert len(weighted(np.arange(100), 0.0, 0)) == 0
    with pytest.raises(UsageError, match="weight"):
        weighted(np.arange(3), -1.0, 0)


def test_the_cultural_filter_takes_at_most_so_many_of_each_language() -> None:
    language = np.array([0] * 10 + [1] * 2 + [2] * 5)
    kept = balanced(np.arange(17), language, 3, seed=0)
    assert np.bincount(language[kept]).tolist() == [3, 2, 3]


def many(tmp_path: Path) -> Entry:
    rows = [row(n, language=("de", "fr", "zh-Hans", "sv")[n % 4], score=n / 40, image="a.png") for n in range(40)]
    return written(tmp_path / "many.jsonl", rows)


def taken(given: Entry, **fields: Any) -> list[str]:
    from dataclasses import replace

    corpus = open_corpus(replace(given, **fields))
    return [corpus.sample(index).id for index in range(len(corpus))]


def test_entries_are_filtered_by_language_and_by_quality(tmp_path: Path) -> None:
    given = many(tmp_path)
    assert taken(given, languages=("zh",)) == [f"r{n}" for n in range(2, 40, 4)]
    assert taken(given, min_score=0.85) == [f"r{n}" for n in range(34, 40)]
    assert taken(given, min_score=0.85, languages=("de",)) == ["r36"]
    assert taken(given, sampling="first:2", languages=("sv",)) == ["r3", "r7"]
    assert len(taken(given, most_per_language=3)) == 12
    with pytest.raises(UsageError, match="test: min_score is set, and no sample has a quality score"):
        taken(written(tmp_path / "plain.jsonl", [row(0)]), min_score=0.85)


def test_a_stage_may_drop_languages_at_equal_size(tmp_path: Path) -> None:
    given = many(tmp_path)
    few = stage_corpus(stage(data=(given,), keep_languages=("de", "fr")))
    assert {few.sample(index).language for index in range(len(few))} == {"de", "fr"}
    equal = stage_corpus(stage(data=(given,), equal_size_as=("de", "fr")))
    assert len(equal) == len(few) == 20
    assert {equal.sample(index).language for index in range(20)} == {"de", "fr", "zh-Hans", "sv"}
    assert stage_corpus(stage(data=(given,), keep_source="multilingual")).columns().words.size == 0


def test_what_is_shown_of_a_stage_is_what_it_takes(tmp_path: Path) -> None:
    first, second = many(tmp_path), written(tmp_path / "more.jsonl", [row(0, language="de"), row(1, language="en")])
    chosen = stage(data=(first, replace(second, name="more")), keep_languages=("de",))
    parts = stage_parts(chosen)
    assert [(one.name, len(corpus)) for one, corpus in parts] == [("test", 10), ("more", 1)]
    together = stage_corpus(chosen)
    assert [together.sample(index).id for index in range(11)] == [
        corpus.sample(index).id for _, corpus in parts for index in range(len(corpus))
    ]
    bare = stage(data=(first,))
    assert [facts(one, corpus, None).languages for one, corpus in stage_parts(bare)] == [
        dict.fromkeys(("de", "fr", "zh-Hans", "sv"), 0.25)
    ]
    other = stage(data=(first,), keep_source="multilingual")
    assert stage_parts(other) == []


def test_columns_of_several_corpora_keep_their_names() -> None:
    one = columns_of([(Outline(1, "text", "de", "a"), 0.5), (Outline(2, "image", "fr", "a"), None)])
    other = columns_of([(Outline(3, "video", "fr", "b"), None)])
    both = joined([one, other])
    assert [both.outline(index) for index in range(3)] == [
        Outline(1, "text", "de", "a"),
        Outline(2, "image", "fr", "a"),
        Outline(3, "video", "fr", "b"),
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Entry("x"), "name no place"),
        (Entry("x", path="a.json", hub="b/c"), "both path and hub"),
        (Entry("x", generated="maxi", samples=3), "no generated world 'maxi'"),
        (Entry("x", generated="mini"), "have no end"),
        (Entry("x", generated="mini", samples=3, options={"kind": "captoins"}), "Did you mean captions"),
        (Entry("x", generated="mini", samples=3, options={"knid": "x"}), "unknown option"),
        (Entry("x", generated="mini", samples=3, languages=("tlh",)), "unknown language"),
    ],
)
def test_an_entry_that_cannot_be_opened_says_what_to_set(given: Entry, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_corpus(given)


# ── Mixture files ─────────────────────────────────────────────────────────────────────────────────


def test_the_forks_mixture_files_and_ours(tmp_path: Path) -> None:
    written(tmp_path / "a.json", [row(0), row(1)])
    (tmp_path / "mix.yaml").write_text(
        "datasets:\n  - {json_path: a.json, sampling_strategy: 'first:1', source_language: multilingual}\n"
        "  - {name: blocks, hub: org/name, weight: 0.5, languages: [de]}\n"
    )
    found = read_mixture(tmp_path / "mix.yaml")
    assert found == {
        "a": {"path": str(tmp_path / "a.json"), "sampling": "first:1", "source_language": "multilingual"},
        "blocks": {"hub": "org/name", "weight": 0.5, "languages": ["de"]},
    }
    recipe = load_recipe("paper", size="2b", mixtures=[tmp_path / "mix.yaml"], settings=["stage1.data=[a]"])
    assert len(stage_corpus(recipe.stages[0])) == 1


def test_a_mixture_file_gives_the_papers_datasets_a_place(tmp_path: Path) -> None:
    written(tmp_path / "caps.json", [row(0), row(1)])
    (tmp_path / "mix.yaml").write_text("datasets: [{name: pixmo-cap, json_path: caps.json}]")
    stages = load_recipe("paper", size="2b", mixtures=[tmp_path / "mix.yaml"]).stages
    assert stages[0].data[0].samples == 702_205
    assert len(stage_corpus(stages[0])) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("datasets: {}", "no list"),
        ("datasets: [3]", "dataset 1 is not a mapping"),
        ("a: [", "not valid YAML"),
        ("datasets: [{name: a, path: x}, {name: a, path: y}]", "two datasets are called a"),
    ],
)
def test_a_broken_mixture_file(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mix.yaml").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_mixture(tmp_path / "mix.yaml")


# ── The generated world, and what people see ──────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "kind",
    [
        "captions",
        "questions",
        "translation",
        "video",
        "told-questions",
        "told-translation",
        "letters",
        "scene",
        "told-scene",
    ],
)
def test_generated_samples_are_the_same_every_time_and_hold_nothing_back_for_the_test(kind: str) -> None:
    one, again = (GeneratedCorpus(entry(kind, samples=60, more=2)) for _ in range(2))
    for index in (0, 17, 59):
        assert one.sample(index).turns == again.sample(index).turns
    assert {one.sample(index).language for index in range(10)} <= {"en", "de"}
    assert len({one.sample(index).turns for index in range(60)}) > 40


def test_every_place_of_the_right_answer_is_met_in_both_protocols() -> None:
    corpus = GeneratedCorpus(
        Entry(
            "x",
            generated="mini",
            samples=64,
            languages=("en",),
            options={"kind": "questions", "makers": ["colour-choice"]},
        )
    )
    answers = [corpus.sample(index).turns[1].text for index in range(64)]
    assert {answers.count(letter) for letter in "ABCD"} == {8}
    assert sum(len(answer) > 1 for answer in answers) == 32


def test_a_scene_asks_everything_and_names_no_held_out_composition() -> None:
    """The picture, every option and every sentence: checked in English, where all words are plain."""
    from tvbench.mini.grammars import grammar
    from tvbench.mini.world import COLOURS, NOUNS, SENSES, Thing

    say = grammar("en")
    held_out = [
        say.a(thing).partition(" ")[2]
        for noun in (*NOUNS, *(one for pair in SENSES.values() for one in pair))
        for thing in (Thing(noun, colour) for colour in COLOURS)
        if thing.held_out
    ]
    asked = {
        "scene": {"What", "Where", "How", "Describe"},
        "told-scene": {"What", "Where", "How", "Describe"},
        "clip": {"In", "How", "What"},
    }
    for kind, words in asked.items():
        corpus = GeneratedCorpus(
            Entry(
                "x", generated="mini", samples=150, languages=("en",), options={"kind": kind, "level": 2, "branches": 6}
            )
        )
        samples = [corpus.sample(index) for index in range(150)]
        said = [turns for sample in samples for turns in (sample.turns, *sample.branches)]
        text = "\n".join(turn.text for turns in said for turn in turns)
        assert not [phrase for phrase in held_out if phrase in text]
        questions = {
            turns[0].text.removeprefix(sample.shared).split("\n")[0].split(" ")[0]
            for sample in samples
            for turns in (sample.turns, *sample.branches)
        }
        assert words <= questions
        answers = {"A", "B", "down", "3"} if kind == "clip" else {"A", "B", "True", "False"}
        assert answers <= {turns[1].text for turns in said}


def test_another_caption_to_translate_is_not_of_the_picture_and_names_no_held_out_composition() -> None:
    import random

    from tvbench.mini.exchanges import draw, exchanges
    from tvbench.mini.grammars import grammar
    from tvbench.mini.world import COLOURS, NOUNS, Thing, level_of

    things = [Thing(noun, colour) for noun in NOUNS for colour in COLOURS]
    shown = {code: {grammar(code).shows(thing): thing for thing in things} for code in ("en", "de")}
    for number in range(100):
        rng = random.Random(number)
        sight = draw(rng, level_of(1))
        ((question, answer),) = exchanges(rng, sight, ("de",), 1, ("text",), {"other-translation": 1})
        told = shown["en"][question.splitlines()[-1]]
        assert told == shown["de"][answer] and not told.held_out and told.noun != sight.things[0].noun
    assert exchanges(rng, sight, ("en",), 1, ("text",), {"other-translation": 1}) == []


def test_the_pictures_of_a_clip_are_what_is_told_of_it() -> None:
    import random

    from tvbench.mini.clip_exchanges import draw, exchanges
    from tvbench.mini.grammars import grammar
    from tvbench.mini.world import level_of

    say, lengths = grammar("en"), set()
    for number in range(60):
        rng = random.Random(number)
        clip = draw(rng, level_of(1))
        first = clip.film[0].placed[0], clip.film[-1].placed[0]
        ((_, told),) = exchanges(rng, clip, ("en",), 1, ("text",), {"telling": 1})
        if clip.side:
            moved = {
                "left": first[0].x - first[1].x,
                "right": first[1].x - first[0].x,
                "up": first[0].y - first[1].y,
                "down": first[1].y - first[0].y,
            }
            assert max(moved, key=lambda side: moved[side]) == clip.side
            assert told == f"{say.a(clip.things[0])}, {say.movements[clip.side]}"
        else:
            seen = list(dict.fromkeys(scene.things[0] for scene in clip.film))
            assert told.split(", ") == [say.a(thing) for thing in seen]
            lengths.add(len(seen))
    assert lengths == {1, 2, 3, 4}


def test_a_told_picture_says_where_things_are() -> None:
    from tvbench.mini.samples import one

    sample = one("mini-alm", "place-choice", "en", 0, split="train", level=2)
    assert sample.gold is not None
    placed = sample.scenes[0].placed[0]
    assert place_of(placed, sample.scenes[0]) == sample.options[sample.gold]
    corpus = GeneratedCorpus(
        Entry(
            "x",
            generated="mini",
            samples=8,
            languages=("en",),
            options={"kind": "told-questions", "makers": ["place-choice"], "level": 2},
        )
    )
    turns = corpus.sample(0).turns
    assert sample.options[sample.gold] in turns[0].text.splitlines()[0]


def test_caption_prompts_are_by_lot_and_in_the_language() -> None:
    assert caption_prompt("pt-BR", "a") in PROMPTS["pt"]
    assert caption_prompt("xx", "a") in PROMPTS["en"]
    assert len({caption_prompt("de", str(number)) for number in range(20)}) == 3


def test_the_mixture_is_shown_with_what_is_learned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "data", "--recipe", "mini", "--stage", "2", "--examples", "1", "--format", "json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    scenes = shown["datasets"][0]
    assert scenes["name"] == "scenes"
    assert set(scenes["languages"]) <= {"en", "de", "es", "zh"}
    pieces = shown["examples"][0]["pieces"]
    assert any("<image x 36>" in piece["text"] and not piece["learned"] for piece in pieces)
    assert pieces[1]["learned"] and pieces[1]["text"].endswith("<end_of_turn>")
    assert main(["train", "data", "--recipe", "mini", "--stage", "2", "--examples", "1"]) == 0
    assert "⟦" in capsys.readouterr().out


def test_a_mixture_is_as_long_as_its_parts(tmp_path: Path) -> None:
    mixed = Mixed([entry("captions", samples=5), entry("video", samples=3)])
    assert len(mixed) == 8
    assert [mixed.sample(index).modality for index in (0, 4, 5, 7)] == ["image", "image", "video", "video"]
