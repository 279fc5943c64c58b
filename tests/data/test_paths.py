"""What data name is read below their own folder and nowhere else: one check, whoever names the path, and for each
refused one a failed item that says where it was named."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_server import chat_server
from task_data import png, write_jsonl, write_parquet

from tasks import multi30k
from tvbench.cli.main import main
from tvbench.data.sources import media_from, open_rows, read_text_lines
from tvbench.data.sources.paths import read_media
from tvbench.errors import MediaError, UsageError
from tvbench.runs.gate import gated
from tvbench.runs.keys import media_of
from tvbench.runs.store import find_runs
from tvbench.train.data.entries import Entry
from tvbench.train.data.llava import LlavaCorpus
from tvbench.types import BuildOptions

SECRET = b"-----BEGIN PRIVATE KEY-----"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder beside a secret, with every trap in it, and one good picture."""
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "x.png").write_bytes(SECRET)
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "good.png").write_bytes(png())
    (folder / "images" / "link.png").symlink_to(tmp_path / "secret")
    (folder / "images" / "far").symlink_to(tmp_path / "private")
    (folder / "images" / "loop.png").symlink_to("loop.png")
    os.mkfifo(folder / "images" / "pipe.png")
    (folder / "images" / "device.png").symlink_to("/dev/zero")
    (folder / "images" / "folder.png").mkdir()
    return folder


NAMED = (
    "{outside}/secret",
    "../secret",
    "images/../../secret",
    "link.png",
    "far/x.png",
    "loop.png",
    "pipe.png",
    "device.png",
    "folder.png",
    "a\0b.png",
    "n-" * 2500,
    "./" * 90 + "../secret",
    "/proc/self/environ",
    "file:///etc/passwd",
    "~/.ssh/id_rsa",
    "images/link.png",
    "\udcff.png",
)


def in_the_list(folder: Path, name: str) -> str:
    """What is wrong with the picture that Multi30K's list names in its second line."""
    for code in ("en", "de"):
        (folder / f"test_2016_flickr.{code}").write_text("A dog.\nA cat.\n")
    (folder / "test_2016_flickr.txt").write_bytes(f"good.png\n{name}\n".encode("utf-8", "surrogatepass"))
    options = BuildOptions(protocol="tvbench", data=folder, offline=True, languages=("de",))
    good, bad = gated(multi30k.TASK, options).items
    assert good.problem is None and media_of(good.messages)[0].load() == png()
    assert not media_of(bad.messages) and bad.problem
    return bad.problem


def in_a_row(folder: Path, name: str) -> str:
    write_jsonl(folder / "test.jsonl", [{"image": "good.png"}])
    with pytest.raises(MediaError) as raised:
        media_from(name, "image", open_rows("org/name", split="test", data=folder), name="test.jsonl:2")
    return str(raised.value)


def in_a_parquet_cell(folder: Path, name: str) -> str:
    rows = [{"image": {"bytes": None, "path": "good.png"}}, {"image": {"bytes": None, "path": name}}]
    write_parquet(folder / "data" / "test.parquet", rows, ("image",))
    good, bad = open_rows("org/name", split="test", data=folder)
    assert good["image"].load() == png()
    with pytest.raises(MediaError) as raised:
        bad["image"].load()
    return str(raised.value)


def in_training_data(folder: Path, name: str) -> str:
    talk = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "That."}]
    write_jsonl(folder / "train.jsonl", [{"image": "good.png", "conversations": talk}])
    (folder / "train.jsonl").open("a").write(json.dumps({"image": name, "conversations": talk}) + "\n")
    corpus = LlavaCorpus(Entry("own", path=str(folder / "train.jsonl")))
    with pytest.raises(Exception, match=r"train.jsonl#1") as raised:
        corpus.sample(1)
    return str(raised.value)


@pytest.mark.parametrize("name", NAMED, ids=lambda name: ascii(name[:30]))
@pytest.mark.parametrize(
    ("carrier", "where"),
    [
        (in_the_list, "test_2016_flickr.txt:2"),
        (in_a_row, "test.jsonl:2"),
        (in_a_parquet_cell, "test.parquet, row 1"),
        (in_training_data, "train.jsonl#1"),
    ],
    ids=["list", "row", "parquet", "training"],
)
def test_nothing_outside_is_read_whoever_names_it(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    carrier: Callable[[Path, str], str],
    where: str,
    name: str,
) -> None:
    monkeypatch.setenv("TVBENCH_CACHE", str(tmp_path / "cache"))
    if carrier is in_a_parquet_cell and "\udcff" in name:
        pytest.skip("parquet holds UTF-8 only")
    if carrier is in_the_list and "\udcff" in name:
        with pytest.raises(UsageError, match=r"test_2016_flickr.txt cannot be read as text"):
            carrier(data, name)
        return
    said = carrier(data, name.format(outside=tmp_path))
    assert where in said and len(said) < 700


def test_an_absolute_path_in_the_list_of_pictures_does_not_reach_the_server(data: Path, tmp_path: Path) -> None:
    in_the_list(data, str(tmp_path / "secret"))
    (tmp_path / "secret.png").write_bytes(png(77))
    (data / "test_2016_flickr.txt").write_text(f"good.png\n{tmp_path}/secret.png\n")
    with chat_server() as server:
        code = main(
            [
                "run",
                "--model",
                server.model,
                "--tasks",
                "multi30k:de",
                "--data",
                str(data),
                "--results",
                str(tmp_path / "results"),
                "--quiet",
                "--offline",
            ]
        )
        assert len(server.asked) == 1
    (found,) = find_runs(tmp_path / "results")
    (error,) = (one.error for one in found.responses().values() if one.error is not None)
    assert code == 1 and "test_2016_flickr.txt:2" in error and "outside the data folder" in error


@pytest.mark.parametrize("name", ["test.jsonl", "test.json", "test.parquet", "data/test-00000-of-00001.parquet"])
def test_a_file_of_rows_that_is_a_link_out_of_the_data_is_refused(tmp_path: Path, name: str) -> None:
    outside = tmp_path / f"outside{Path(name).suffix}"
    rows: list[dict[str, Any]] = [{"text": "secret"}]
    (write_parquet if name.endswith("parquet") else write_jsonl)(outside, rows)
    link = tmp_path / "data" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    with pytest.raises(UsageError, match="is a link that leads out of the data folder"):
        open_rows("org/name", split="test", data=tmp_path / "data")


def test_a_data_folder_may_itself_be_a_link(data: Path, tmp_path: Path) -> None:
    write_jsonl(data / "test.jsonl", [{"image": "good.png"}])
    (tmp_path / "elsewhere").symlink_to(data)
    rows = open_rows("org/name", split="test", data=tmp_path / "elsewhere")
    assert media_from("good.png", "image", rows, name="x").load() == png()


def test_texts_that_lead_out_or_swell_are_refused(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "test_2016_flickr.en").symlink_to(tmp_path / "secret")
    with pytest.raises(UsageError, match="leads out of the data folder"):
        read_text_lines(data / "test_2016_flickr.en", data)
    monkeypatch.setattr("tvbench.data.sources.files.MOST_TEXT", 1000)
    (data / "bomb.de.gz").write_bytes(gzip.compress(b"\n" * 100_000))
    with pytest.raises(UsageError, match=r"bomb.de.gz holds more than 1,000 bytes"):
        read_text_lines(data / "bomb.de.gz", data)


def test_clips_of_a_hub_snapshot_may_be_named_from_their_configs_folder(tmp_path: Path) -> None:
    snapshot = tmp_path / "datasets--org--name" / "snapshots" / ("0123456789" * 4)
    blobs = tmp_path / "datasets--org--name" / "blobs"
    (snapshot / "german").mkdir(parents=True)
    blobs.mkdir()
    (blobs / "aa").write_bytes(b"clip")
    (blobs / "bb").write_text('{"video": "a.mp4"}\n')
    (snapshot / "german" / "a.mp4").symlink_to("../../../blobs/aa")
    (snapshot / "german" / "test.jsonl").symlink_to("../../../blobs/bb")
    rows = open_rows("org/name", split="test", config="german", data=snapshot)
    assert media_from("a.mp4", "video", rows, name="x").load() == b"clip"


def test_a_link_anywhere_above_does_not_open_the_folder_around_it(tmp_path: Path) -> None:
    """Only a repository of the hub's cache has blobs that its snapshots may lead to."""
    folder = tmp_path / "backups" / "snapshots" / "monday"
    (folder / "images").mkdir(parents=True)
    (tmp_path / "backups" / "private.png").write_bytes(SECRET)
    (folder / "a.png").symlink_to("../../private.png")
    write_jsonl(folder / "test.jsonl", [{"image": "a.png"}])
    with pytest.raises(MediaError, match="lies outside"):
        media_from("a.png", "image", open_rows("org/name", split="test", data=folder), name="x")


def test_a_file_is_looked_at_again_when_it_is_read(data: Path, tmp_path: Path) -> None:
    write_jsonl(data / "test.jsonl", [{"image": "good.png"}])
    media = media_from("good.png", "image", open_rows("org/name", split="test", data=data), name="x")
    path = data / "images" / "good.png"
    changes: list[tuple[Callable[[], None], str]] = [
        (lambda: path.symlink_to(tmp_path / "secret"), "leads out"),
        (lambda: None, "cannot be read"),
        (lambda: os.mkfifo(path), "not an ordinary file"),
    ]
    for change, said in changes:
        path.unlink(missing_ok=True)
        change()
        with pytest.raises(MediaError, match=said):
            media.load()


def test_a_file_may_be_too_large(data: Path) -> None:
    with (data / "images" / "large.png").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(MediaError, match=r"large.png has 1,099,511,627,776 bytes, more than"):
        read_media(data, data / "images" / "large.png", "x")
