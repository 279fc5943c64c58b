"""Rows from local copies in the hub's layout: which files, what is in them, pictures on demand, damage, revisions."""

from __future__ import annotations

import base64
import gzip
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from task_data import png, write_jsonl, write_parquet

from tvbench.data.authoring import require_columns
from tvbench.data.sources import Blob, Rows, available_splits, media_from, open_rows, read_text_lines
from tvbench.errors import MediaError, UsageError

REPO = "org/name"
ROWS = [{"id": number, "text": f"Zeile {number} – ไทย", "tags": ["a", "b"][: number % 3]} for number in range(5)]


def rows_of(data: Path, split: str = "test", config: str | None = None) -> Rows:
    return open_rows(REPO, split=split, config=config, data=data)


def ids(data: Path, split: str = "test", config: str | None = None) -> list[int]:
    return [row["id"] for row in rows_of(data, split, config)]


def shard(path: Path, *numbers: int) -> None:
    """A file of rows that hold these ids, by its ending as parquet or as JSON lines."""
    (write_parquet if path.suffix == ".parquet" else write_jsonl)(path, [{"id": number} for number in numbers])


# ── Which files ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    [
        "test.parquet",
        "data/test.parquet",
        "test-00000-of-00001.parquet",
        "data/test-00000-of-00001.parquet",
        "data/test-00000-of-00001-a09b74b3ef9c3b56.parquet",
        "test.jsonl",
        "data/test.jsonl",
        "test.json",
        "any-folder/test-00000-of-00001.parquet",
    ],
)
def test_a_split_is_found_where_the_hub_puts_it(tmp_path: Path, name: str) -> None:
    write = write_parquet if name.endswith("parquet") else write_jsonl
    write(tmp_path / name, ROWS)
    rows = rows_of(tmp_path)
    assert list(rows) == ROWS == list(rows), "the rows can be read twice"
    assert (len(rows), rows.columns, rows.folder) == (5, ("id", "text", "tags"), tmp_path)
    assert available_splits(REPO, data=tmp_path) == ("test",)


def test_a_json_list_is_rows_too(tmp_path: Path) -> None:
    (tmp_path / "test.json").write_text(json.dumps(ROWS, indent=1))
    assert list(rows_of(tmp_path)) == ROWS


@pytest.mark.parametrize("ending", ["", "-0a1b2c3d4e5f6a7b"])
def test_shards_are_read_in_order(tmp_path: Path, ending: str) -> None:
    for number in (2, 0, 1):
        shard(tmp_path / "data" / f"test-{number:05d}-of-00003{ending}.parquet", 2 * number, 2 * number + 1)
    shard(tmp_path / "data" / f"train-00000-of-00001{ending}.parquet", 99)
    assert ids(tmp_path) == [0, 1, 2, 3, 4, 5] and len(rows_of(tmp_path)) == 6
    assert available_splits(REPO, data=tmp_path) == ("test", "train")


def test_a_folder_may_hold_the_repository_by_name(tmp_path: Path) -> None:
    shard(tmp_path / "short" / "name" / "test.jsonl", 1)
    shard(tmp_path / "full" / "org" / "name" / "test.jsonl", 2)
    assert ids(tmp_path / "short") == [1] and ids(tmp_path / "full") == [2]


def test_configurations_are_folders(tmp_path: Path) -> None:
    shard(tmp_path / "german" / "test-00000-of-00001.parquet", 1)
    shard(tmp_path / "data" / "french" / "test.jsonl", 2)
    shard(tmp_path / "czech.jsonl", 3)
    assert [ids(tmp_path, config=name) for name in ("german", "french", "czech")] == [[1], [2], [3]]
    assert available_splits(REPO, data=tmp_path, config="german") == ("test",)
    assert available_splits(REPO, data=tmp_path, config="klingon") == ()


def readme(folder: Path, configs: str) -> None:
    (folder / "README.md").write_text(f"---\nlicense: mit\n{configs}---\n# Data\n")


def test_the_readme_decides_when_it_says_where_splits_lie(tmp_path: Path) -> None:
    shard(tmp_path / "parts" / "one.parquet", 1)
    shard(tmp_path / "parts" / "two.parquet", 2)
    shard(tmp_path / "other" / "x.parquet", 3)
    readme(
        tmp_path,
        (
            "configs:\n- config_name: a\n  data_files:\n  - split: test\n    path: parts/*.parquet\n"
            "- config_name: b\n  data_files:\n  - split: dev\n    path: [other/x.parquet, other/y.parquet]\n"
        ),
    )
    assert ids(tmp_path, config="a") == [1, 2] and ids(tmp_path, "dev", "b") == [3]
    assert available_splits(REPO, data=tmp_path, config="b") == ("dev",)


@pytest.mark.parametrize(
    "configs",
    [
        "configs: everything\n",
        "configs: [a, b]\n",
        "configs:\n- config_name: a\n  data_files: [3]\n",
        "configs:\n- config_name: a\n  data_files:\n  - split: test\n    path: 7\n",
        "configs:\n- config_name: a\n  data_files:\n  - split: test\n    path: gone/*.parquet\n",
        "configs: [unclosed\n",
        "",
    ],
)
def test_a_readme_that_says_nothing_useful_is_passed_over(tmp_path: Path, configs: str) -> None:
    shard(tmp_path / "test.jsonl", 1)
    readme(tmp_path, configs)
    assert ids(tmp_path) == [1]


@pytest.mark.parametrize(
    ("files", "split"),
    [
        ("  data_files: parts/x.jsonl\n", "train"),
        ("  data_files: [parts/x.jsonl]\n", "train"),
        ("  data_files:\n  - path: parts/x.jsonl\n", "train"),
    ],
)
def test_the_readmes_short_forms(tmp_path: Path, files: str, split: str) -> None:
    shard(tmp_path / "parts" / "x.jsonl", 4)
    readme(tmp_path, f"configs:\n- config_name: default\n{files}")
    assert ids(tmp_path, split) == [4]


# ── What is not there ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("function", [rows_of, lambda data: available_splits(REPO, data=data)])
def test_a_missing_folder(tmp_path: Path, function: Any) -> None:
    with pytest.raises(UsageError, match=r"data folder .*nowhere does not exist\n +--data DIR"):
        function(tmp_path / "nowhere")


def test_a_missing_split_names_the_nearest_and_the_place(tmp_path: Path) -> None:
    shard(tmp_path / "validation.jsonl", 1)
    shard(tmp_path / "cs" / "test_2016.jsonl", 1)
    with pytest.raises(UsageError, match="unknown split of org/name 'valid'. Did you mean validation") as raised:
        rows_of(tmp_path, "valid")
    assert str(tmp_path) in raised.value.hint
    with pytest.raises(UsageError, match=r"unknown split of org/name \(cs\) 'test'. Did you mean test_2016"):
        rows_of(tmp_path, config="cs")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="Known: none"):
        rows_of(tmp_path / "empty")


def test_a_split_that_is_there_in_two_forms_is_not_read_twice(tmp_path: Path) -> None:
    shard(tmp_path / "test.jsonl", 1)
    shard(tmp_path / "data" / "test-00000-of-00001.parquet", 1)
    with pytest.raises(UsageError, match="in two forms") as raised:
        rows_of(tmp_path)
    assert "test.jsonl" in str(raised.value) and "test-00000-of-00001.parquet" in str(raised.value)


def test_missing_columns_are_named_beside_those_that_are_there(tmp_path: Path) -> None:
    write_parquet(tmp_path / "test.parquet", ROWS)
    rows = rows_of(tmp_path)
    with pytest.raises(UsageError, match="no column question, answer\n.*columns found: id, text, tags"):
        require_columns("alm", rows.columns, ("id", "question", "answer"), rows.dataset)


def test_columns_that_only_some_rows_have_are_columns(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "test.jsonl", [{"a": 1}, {"b": 2, "a": 1}])
    assert rows_of(tmp_path).columns == ("a", "b")


# ── Damage ────────────────────────────────────────────────────────────────────────────────────────


def no_rows(path: Path) -> None:
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.table({"id": pyarrow.array([], pyarrow.int64())}), path)
    else:
        path.write_text("[]" if path.suffix == ".json" else "\n\n")


@pytest.mark.parametrize("name", ["test.parquet", "test.jsonl", "test.json"])
def test_a_file_without_rows(tmp_path: Path, name: str) -> None:
    no_rows(tmp_path / name)
    with pytest.raises(UsageError, match=f"{name} has no rows"):
        rows_of(tmp_path)


@pytest.mark.parametrize("damage", ["empty", "cut", "text"])
def test_a_broken_parquet_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "test.parquet"
    write_parquet(path, ROWS)
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "text": b"version https://git-lfs"}[damage])
    with pytest.raises(UsageError, match="test.parquet is not a readable parquet file.*\n.*copy it again"):
        rows_of(tmp_path)


def damaged_inside(path: Path, start: int, length: int) -> None:
    content = bytearray(path.read_bytes())
    content[start : start + length] = b"\xff" * length
    path.write_bytes(content)


def test_a_row_group_that_is_damaged_is_named_when_it_is_reached(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    table = pyarrow.table({"text": [f"{number:08d}" * 40 for number in range(400)]})
    pyarrow.parquet.write_table(table, path, row_group_size=200, use_dictionary=False)
    second = pyarrow.parquet.ParquetFile(path).metadata.row_group(1).column(0)
    damaged_inside(path, second.data_page_offset, second.total_compressed_size)
    rows = iter(rows_of(tmp_path))
    assert [next(rows)["text"][:8] for _ in range(200)] == [f"{number:08d}" for number in range(200)]
    with pytest.raises(UsageError, match="test.parquet is damaged in row group 1"):
        next(rows)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": 1, "text": "ab', r"test.jsonl:3 is not JSON .*: '\{\"id\": 1, \"text\": \"ab'"),
        ("[1, 2]", "test.jsonl:3 is not a JSON object"),
        ("NaN?", "test.jsonl:3 is not JSON"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "test.jsonl").write_text('{"id": 0}\n\n' + line + "\n")
    with pytest.raises(UsageError, match=said):
        rows_of(tmp_path)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_bytes(b'{"id": "\xff"}\n')
    with pytest.raises(UsageError, match="test.jsonl cannot be read"):
        rows_of(tmp_path)


# ── Pictures and clips ────────────────────────────────────────────────────────────────────────────


def pictures(folder: Path, cells: list[Any], name: str = "data/test-00000-of-00001.parquet") -> Rows:
    write_parquet(folder / name, [{"id": number, "image": cell} for number, cell in enumerate(cells)], ("image",))
    return rows_of(folder)


def load(cell: Any, rows: Rows, kind: Any = "image") -> bytes:
    return media_from(cell, kind, rows, name="item 7").load()


def test_cells_with_bytes_are_read_on_demand(tmp_path: Path) -> None:
    rows = pictures(tmp_path, [{"bytes": png(shade), "path": f"{shade}.png"} for shade in range(4)])
    blobs = [row["image"] for row in rows]
    assert all(isinstance(blob, Blob) for blob in blobs)
    assert blobs[2].name == "test-00000-of-00001.parquet#2.image"
    media = media_from(blobs[2], "image", rows, name="item 7", size=8)
    assert (media.kind, media.name, media.size, media.frames) == ("image", blobs[2].name, 8, None)
    (tmp_path / "data" / "test-00000-of-00001.parquet").rename(tmp_path / "away")
    with pytest.raises((UsageError, MediaError)):
        media.load()
    (tmp_path / "away").rename(tmp_path / "data" / "test-00000-of-00001.parquet")
    assert [load(blob, rows) for blob in blobs] == [png(shade) for shade in range(4)]


def test_blobs_may_be_loaded_in_any_order_and_from_several_threads(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    table = pyarrow.table({"image": [png(shade) for shade in range(60)], "id": range(60)})
    pyarrow.parquet.write_table(table, path, row_group_size=7)
    blobs = [row["image"] for row in rows_of(tmp_path)]
    order = [(number * 37) % 60 for number in range(60)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda number: blobs[number].load(), order)) == [png(number) for number in order]


def test_a_damaged_picture_column_leaves_the_rows_and_is_a_media_error(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    table = pyarrow.table({"id": range(50), "image": [os.urandom(400) for _ in range(50)]})
    pyarrow.parquet.write_table(table, path, use_dictionary=False)
    column = pyarrow.parquet.ParquetFile(path).metadata.row_group(0).column(1)
    damaged_inside(path, column.data_page_offset, column.total_compressed_size)
    rows = list(rows_of(tmp_path))
    assert [row["id"] for row in rows] == list(range(50))
    with pytest.raises(MediaError, match="test.parquet, column image"):
        rows[3]["image"].load()


@pytest.mark.parametrize("place", ["1.png", "images/1.png", "data/1.png"])
def test_cells_that_only_name_a_file_find_it(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_bytes(png(1))
    rows = pictures(tmp_path, [{"bytes": None, "path": "1.png"}, {"bytes": None, "path": place}])
    assert [load(row["image"], rows) for row in rows] == [png(1), png(1)]


@pytest.mark.parametrize(
    "cell", [None, {"bytes": None, "path": None}, {"bytes": b"", "path": None}, {"bytes": None, "path": "gone.png"}]
)
def test_a_cell_without_a_picture_is_a_media_error_of_that_row_alone(tmp_path: Path, cell: Any) -> None:
    rows = pictures(tmp_path, [cell, {"bytes": png(), "path": None}])
    empty, good = (row["image"] for row in rows)
    with pytest.raises(MediaError, match=r"column image: the cell is empty|gone\.png"):
        load(empty, rows)
    assert load(good, rows) == png()


@pytest.mark.parametrize("folder", ["", "images", "videos", "data", "media", "clips"])
def test_paths_are_relative_to_the_data_or_to_its_media_folders(tmp_path: Path, folder: str) -> None:
    write_jsonl(tmp_path / "test.jsonl", ROWS)
    (tmp_path / folder / "de").mkdir(parents=True)
    (tmp_path / folder / "de" / "a.mp4").write_bytes(b"clip")
    rows = rows_of(tmp_path)
    name = "clips/de/a.mp4" if folder == "clips" else "de/a.mp4"
    media = media_from(name, "video", rows, name="item 7", frames=16)
    assert (media.kind, media.name, media.frames, media.load()) == ("video", name, 16, b"clip")
    assert load({"path": name, "bytes": None}, rows) == b"clip"


@pytest.mark.parametrize("value", ["../secret.png", "images/../../secret.png", "/etc/hostname"])
def test_paths_do_not_lead_out_of_the_data(tmp_path: Path, value: str) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    write_jsonl(tmp_path / "data" / "test.jsonl", ROWS)
    with pytest.raises(MediaError, match="item 7: .* lies outside the data folder"):
        load(value, rows_of(tmp_path / "data"))


def test_links_do_not_lead_out_of_a_local_copy(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    write_jsonl(tmp_path / "data" / "test.jsonl", ROWS)
    (tmp_path / "data" / "innocent.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(MediaError, match="lies outside"):
        load("innocent.png", rows_of(tmp_path / "data"))


def test_files_of_a_hub_snapshot_are_links_into_its_blobs(tmp_path: Path) -> None:
    """The hub's cache: datasets--org--name/snapshots/COMMIT/videos/a.mp4 -> ../../../blobs/HASH."""
    snapshot = tmp_path / "datasets--org--name" / "snapshots" / ("0123456789" * 4)
    (snapshot / "videos").mkdir(parents=True)
    blobs = snapshot.parents[1] / "blobs"
    blobs.mkdir()
    (blobs / "aa").write_bytes(b"clip")
    (blobs / "bb").write_text('{"id": 1, "video": "a.mp4"}\n')
    (snapshot / "videos" / "a.mp4").symlink_to("../../../blobs/aa")
    (snapshot / "test.jsonl").symlink_to("../../blobs/bb")
    (tmp_path / "datasets--org--name-too").write_bytes(b"another")
    (snapshot / "videos" / "far.mp4").symlink_to(tmp_path / "datasets--org--name-too")
    rows = rows_of(snapshot)
    (row,) = rows
    assert load(row["video"], rows, "video") == b"clip"
    for outside in ("far.mp4", "../../blobs/aa"):
        with pytest.raises(MediaError, match="lies outside"):
            load(outside, rows, "video")


def big_png() -> bytes:
    """More than 200 characters in base64: shorter texts are taken for a file's name."""
    return png() + b"\x00" * 300


@pytest.mark.parametrize("form", ["plain", "wrapped", "uri", "bytes", "bytearray", "mapping"])
def test_a_picture_may_stand_in_the_row_itself(tmp_path: Path, form: str) -> None:
    write_jsonl(tmp_path / "test.jsonl", ROWS)
    text = base64.b64encode(big_png()).decode()
    value = {
        "plain": text,
        "wrapped": base64.encodebytes(big_png()).decode(),
        "uri": f"data:image/png;base64,{text}",
        "bytes": big_png(),
        "bytearray": bytearray(big_png()),
        "mapping": {"bytes": big_png(), "path": "x.png"},
    }[form]
    media = media_from(value, "image", rows_of(tmp_path), name="item 7")
    assert media.load() == big_png() and media.name == "item 7"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "no picture or clip"),
        ("", "no picture or clip"),
        ("  ", "no picture or clip"),
        (b"", "no picture or clip"),
        (3, "no picture or clip"),
        ([], "no picture or clip"),
        ({"bytes": None, "path": None}, "no picture or clip"),
        ("gone.png", "the file gone.png is not in"),
        ("https://pictures/1.png", "is not in"),
        ("a\0b", "a.*b"),
        ("not base64! " * 400, "nor base64"),
        ("x" * 300 + ".png", "xxx"),
        (".", "is not in"),
    ],
)
def test_no_picture_is_a_short_media_error(tmp_path: Path, value: Any, said: str) -> None:
    write_jsonl(tmp_path / "test.jsonl", ROWS)
    with pytest.raises(MediaError, match=said) as raised:
        media_from(value, "image", rows_of(tmp_path), name="item 7")
    assert str(raised.value).startswith("item 7: ") and len(str(raised.value)) < 400


# ── The revision of a local copy ──────────────────────────────────────────────────────────────────


def digest(data: Path) -> str:
    name, _, revision = rows_of(data).dataset.partition("@local:")
    assert name == REPO and len(revision) == 12 and int(revision, 16) >= 0
    return revision


def two_shards(folder: Path, order: tuple[int, ...]) -> Path:
    for number in order:
        write_jsonl(folder / "data" / f"test-{number:05d}-of-00002.jsonl", ROWS[number * 2 :])
    return folder


def test_the_revision_is_the_content_not_the_place_or_the_order_of_writing(tmp_path: Path) -> None:
    first = digest(two_shards(tmp_path / "a", (0, 1)))
    assert digest(two_shards(tmp_path / "elsewhere" / "b", (1, 0))) == first == digest(tmp_path / "a")
    (tmp_path / "a" / "data" / "images").mkdir()
    (tmp_path / "a" / "data" / "images" / "1.png").write_bytes(png())
    write_jsonl(tmp_path / "a" / "data" / "train.jsonl", ROWS)
    assert digest(tmp_path / "a") == first, "other splits and media files are not part of it"


def swap(one: Path, other: Path) -> None:
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


@pytest.mark.parametrize("change", ["one letter", "one row less", "a shard more", "shards swapped"])
def test_the_revision_changes_with_the_content(tmp_path: Path, change: str) -> None:
    before = digest(two_shards(tmp_path, (0, 1)))
    one, other = sorted((tmp_path / "data").iterdir())
    if change == "one letter":
        one.write_text(one.read_text().replace("Zeile 3", "Zeile 4"))
    elif change == "one row less":
        one.write_text("".join(one.read_text().splitlines(keepends=True)[:-1]))
    elif change == "a shard more":
        shard(tmp_path / "data" / "test-00002-of-00003.jsonl", 9)
    else:
        swap(one, other)
    assert digest(tmp_path) != before


@pytest.mark.slow
def test_of_large_files_both_ends_and_the_size_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvbench.data.sources.files.FULL_HASH_BYTES", 1 << 20)
    path = tmp_path / "test.jsonl"
    path.write_bytes(b'{"id": 1}\n' * 350_000)
    found = {digest(tmp_path)}
    for place in (6, -4):
        content = bytearray(path.read_bytes())
        content[place] = ord("2")
        path.write_bytes(content)
        found.add(digest(tmp_path))
    path.write_bytes(path.read_bytes() + b"\n")
    found.add(digest(tmp_path))
    assert len(found) == 4


def test_a_hub_snapshot_is_known_by_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "0123456789" * 4
    shard(tmp_path / commit / "test.jsonl", 1)
    shard(tmp_path / "not-a-commit" / "test.jsonl", 1)
    asked: list[dict[str, Any]] = []

    def snapshot(repo: str, **options: Any) -> Path:
        asked.append({"repo": repo, **options})
        return tmp_path / (commit if options["revision"] is None else "not-a-commit")

    monkeypatch.setattr("tvbench.registry.hub.snapshot", snapshot)
    assert open_rows(REPO, split="test", offline=True).dataset == f"{REPO}@{commit[:12]}"
    assert open_rows(REPO, split="test", revision="v1").dataset == f"{REPO}@v1"
    assert asked == [
        {"repo": REPO, "kind": "dataset", "revision": None, "offline": True},
        {"repo": REPO, "kind": "dataset", "revision": "v1", "offline": False},
    ]


# ── Text files ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("content", ["eins\nzwei\n", "eins\nzwei", "eins\r\nzwei\r\n"])
@pytest.mark.parametrize("name", ["lines.txt", "lines.de.gz"])
def test_lines_of_text(tmp_path: Path, name: str, content: str) -> None:
    raw = content.encode()
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    assert read_text_lines(tmp_path / name) == ["eins", "zwei"]


def test_only_line_feeds_end_lines(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("a\u2028b\x0bc\n\nd\n".encode())
    assert read_text_lines(tmp_path / "a.txt") == ["a\u2028b\x0bc", "", "d"]


@pytest.mark.parametrize("damage", ["missing", "cut", "not gzip", "inside", "latin-1"])
def test_a_text_file_that_cannot_be_read_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "lines.gz"
    whole = gzip.compress(bytes(range(97, 123)) * 400)
    if damage != "missing":
        path.write_bytes(
            {
                "cut": whole[:-12],
                "not gzip": b"eins\n",
                "latin-1": gzip.compress(b"\xe4\n"),
                "inside": whole[:12] + b"\xff" * 20 + whole[32:],
            }[damage]
        )
    with pytest.raises(UsageError, match="lines.gz cannot be read as text"):
        read_text_lines(path)
