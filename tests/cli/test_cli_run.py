"""`tvbench run` from the command line: bad input gets a clear message, the right exit code, and nothing is lost."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, chat_server
from PIL import Image

from tvbench.cli.main import main
from tvbench.runs.probing import PROBES
from tvbench.runs.store import RunFolder, find_runs

Rows = list[dict[str, Any]]
Said = pytest.CaptureFixture[str]


def png(colour: str = "red", size: tuple[int, int] = (32, 32)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def huge_png(side: int = 20_000) -> bytes:
    """A real 1-bit PNG of side x side pixels, some tens of kB on disk."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"\x00" * ((side // 8 + 1) * side), 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def alm_row(number: int, **changes: Any) -> dict[str, Any]:
    row = {
        "file_name": f"images/{number}.png",
        "ID": f"001_01_03_{number:03d}",
        "Language": "German",
        "Category": "Food",
        "Question_Type": "Multiple Choice Questions",
        "English_Question": f"Which fruit is number {number}?",
        "English_Answer": "Apple (Options: Apple, Pear, Plum, Fig)",
        "Translated_Question": f"Welche Frucht ist Nummer {number}?",
        "Translated_Answer": "Apfel (Optionen: Apfel, Birne, Pflaume, Feige)",
        "Image_Url": "",
    }
    return row | changes


def alm_folder(folder: Path, rows: Rows) -> Path:
    (folder / "images").mkdir(parents=True)
    for row in rows:
        (folder / row["file_name"]).write_bytes(png())
    (folder / "test.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return folder


def run(results: Path, *words: str) -> int:
    return main(["run", "--results", str(results), "--quiet", *words])


def errors(results: Path) -> list[str]:
    (found,) = find_runs(results)
    return [response.error for response in found.responses().values() if response.error is not None]


def answered(results: Path) -> int:
    (found,) = find_runs(results)
    return sum(response.error is None for response in found.responses().values())


def test_a_good_run_scores_and_exits_0(tmp_path: Path, capsys: Said) -> None:
    data = alm_folder(tmp_path / "data", [alm_row(n) for n in range(4)])
    with chat_server() as server:
        code = run(tmp_path / "out", "--model", server.model, "--tasks", "alm", "--data", str(data), "--format", "json")
    shown = json.loads(capsys.readouterr().out)
    assert code == 0 and shown["complete"] is True
    (task,) = shown["tasks"]
    assert task["counts"]["expected"] == task["counts"]["scored"] == 4
    assert "alm@" in task["signature"] and "protocol:tvbench" in task["signature"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "MODEL", "--tasks", "multi3k"], "Did you mean multi30k"),
        (["--model", "towervison-9b", "--tasks", "multi30k"], "Did you mean towervision-9b"),
        (["--model", "MODEL", "--tasks", "multi30k:gemran"], "german|Did you mean"),
        (["--model", "MODEL", "--tasks", "multi30k", "--languages", "xx"], "xx"),
        (["--model", "MODEL", "--tasks", "multi30k", "--protocol", "papre"], "protocol"),
        (["--model", "MODEL", "--tasks", "alm", "--data", "no/such/folder"], "no/such/folder"),
        (["--model", "MODEL", "--tasks", ""], "task"),
        (["--model", "./no-such-checkpoint", "--tasks", "multi30k"], "no-such-checkpoint"),
        (["--model", "MODEL", "--tasks", "multi30k", "--set", "nonsense"], "task.key=value"),
    ],
)
def test_wrong_names_are_usage_errors_with_a_suggestion(
    tmp_path: Path, capsys: Said, words: list[str], message: str
) -> None:
    import re

    given = [word.replace("MODEL", "openai:m@http://127.0.0.1:9/v1") for word in words]
    assert run(tmp_path / "out", *given) == 2
    said = capsys.readouterr().err
    assert re.search(message, said, re.IGNORECASE), said
    assert "Traceback" not in said


def spoil(name: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(
            {
                "empty": b"",
                "text": b"not a picture",
                "cut": png(size=(64, 64))[:60],
                "huge": huge_png() if name == "huge" else b"",
            }[name]
        )

    return write


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "empty|zero"),
        ("text", "picture|image"),
        ("cut", "truncated|broken|damaged|cut"),
        ("huge", r"20[,. _]?000"),
    ],
)
def test_a_bad_picture_is_one_failed_item(tmp_path: Path, capsys: Said, name: str, message: str) -> None:
    import re

    data = alm_folder(tmp_path / "data", [alm_row(n) for n in range(3)])
    spoil(name)(data / "images" / "1.png")
    with chat_server() as server:
        ask = ["--model", server.model, "--tasks", "alm", "--data", str(data)]
        assert run(tmp_path / "out", *ask) == 1
        (error,) = errors(tmp_path / "out")
        assert re.search(message, error, re.IGNORECASE), error
        assert answered(tmp_path / "out") == 2
        assert "INCOMPLETE" in capsys.readouterr().out


def test_rows_without_options_and_without_pictures_fail_alone(tmp_path: Path) -> None:
    rows = [alm_row(0), alm_row(1, Translated_Answer="Apfel"), alm_row(2)]
    data = alm_folder(tmp_path / "data", rows)
    (data / "images" / "2.png").unlink()
    with chat_server() as server:
        assert run(tmp_path / "out", "--model", server.model, "--tasks", "alm", "--data", str(data)) == 1
    assert answered(tmp_path / "out") == 1
    assert any("option" in error for error in errors(tmp_path / "out"))
    assert any("2.png" in error for error in errors(tmp_path / "out"))


def test_duplicate_ids_are_kept_and_said(tmp_path: Path, capsys: Said) -> None:
    rows = [alm_row(0), alm_row(0, Translated_Question="Und diese?"), alm_row(1)]
    data = alm_folder(tmp_path / "data", rows)
    with chat_server() as server:
        assert run(tmp_path / "out", "--model", server.model, "--tasks", "alm", "--data", str(data)) == 0
    said = capsys.readouterr()
    assert rows[0]["ID"] in said.err + said.out
    assert answered(tmp_path / "out") == 3


def clip(frames: int = 30, *, audio_only: bool = False) -> bytes:
    import av
    import numpy as np

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        if audio_only:
            stream = file.add_stream("aac", rate=16000)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
            frame.sample_rate = 16000
            file.mux(stream.encode(frame))
        else:
            stream = file.add_stream("mpeg4", rate=10)
            stream.width = stream.height = 64
            for number in range(frames):
                picture = np.full((64, 64, 3), number * 8 % 255, dtype=np.uint8)
                file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def test_bad_clips_fail_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "videos").mkdir(parents=True)
    good = clip()
    clips = {"good": good, "empty": b"", "cut": good[: len(good) // 3], "audio": clip(audio_only=True)}
    rows = []
    for number, (name, content) in enumerate(clips.items()):
        (data / "videos" / f"{name}.mp4").write_bytes(content)
        rows.append(
            {
                "id": str(number),
                "video": f"videos/{name}.mp4",
                "question": f"Was passiert {number}?",
                "options": ["links", "rechts", "oben", "unten"],
                "answer": "links",
                "category": "Sports",
            }
        )
    (data / "vimulmcq_german").mkdir()
    (data / "vimulmcq_german" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in clips:
        (data / "vimulmcq_german" / f"{name}.mp4").write_bytes(clips[name])
    with chat_server() as server:
        ask = ["--model", server.model, "--tasks", "vimul:de", "--data", str(data)]
        assert run(tmp_path / "out", *ask) == 1
    assert answered(tmp_path / "out") >= 1
    assert len(errors(tmp_path / "out")) >= 2
    assert answered(tmp_path / "out") + len(errors(tmp_path / "out")) == 4


def multi30k_folder(folder: Path, count: int = 12) -> Path:
    folder.mkdir()
    for code, word in (("en", "dog"), ("de", "Hund"), ("fr", "chien"), ("cs", "pes")):
        with gzip.open(folder / f"test_2016_flickr.{code}.gz", "wt", encoding="utf-8") as file:
            file.writelines(f"{word} {number}\n" for number in range(count))
    return folder


@pytest.mark.slow
def test_a_server_that_dies_keeps_the_answers_and_the_run_goes_on(tmp_path: Path, capsys: Said) -> None:
    data = multi30k_folder(tmp_path / "data", 40)
    ask = ["--tasks", "multi30k:de", "--no-image", "--data", str(data), "--concurrency", "2"]
    with chat_server(die_after=10) as server:
        assert run(tmp_path / "out", "--model", server.model, *ask) == 1
        assert "same command" in capsys.readouterr().err
        kept = answered(tmp_path / "out")
        assert kept == 10
        server.die_after = None
        before = server.asked.copy()
        assert run(tmp_path / "out", "--model", server.model, *ask) == 0
        assert len(server.asked) == 40 > len(before)
        assert server.asked.total() == 40 + PROBES and max(server.asked.values()) == 2
    assert answered(tmp_path / "out") == 40


def test_a_results_path_that_is_a_file(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "out").write_text("")
    data = multi30k_folder(tmp_path / "data")
    words = ["--model", "openai:m@http://127.0.0.1:9/v1", "--tasks", "multi30k", "--no-image", "--data", str(data)]
    assert run(tmp_path / "out", *words) == 2
    assert "--results" in capsys.readouterr().err


def as_a_user(words: list[str]) -> list[str]:
    """The command under file permissions, which root otherwise walks through."""
    if os.geteuid() != 0:
        return words
    if shutil.which("setpriv") is None:
        pytest.skip("root needs setpriv (util-linux) to put file permissions on itself")
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *words]


def command(server: ChatServer, data: Path, results: Path, *more: str) -> list[str]:
    """`tvbench run` of German Multi30K, without pictures, as a process of its own."""
    asked = ["--model", server.model, "--tasks", "multi30k:de", "--no-image", "--data", str(data)]
    return [sys.executable, "-m", "tvbench", "run", *asked, "--results", str(results), *more]


def test_a_read_only_results_folder(tmp_path: Path) -> None:
    data = multi30k_folder(tmp_path / "data")
    out = tmp_path / "out"
    out.mkdir(mode=0o555)
    with chat_server() as server:
        words = command(server, data, out)
        done = subprocess.run(as_a_user(words), capture_output=True, text=True, check=False)
        assert not server.asked
    assert done.returncode == 1
    assert "cannot be written" in done.stderr and "--results" in done.stderr
    assert not list(out.iterdir())


FULL_DISK = """
import resource, signal, sys
from tvbench.cli.main import main
from tvbench.runs.probing import PROBES
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""


def test_a_disk_that_fills_up_keeps_the_answers_and_the_run_goes_on(tmp_path: Path, capsys: Said) -> None:
    """The limit on file size stands in for a full disk: `requests.jsonl` fits, `responses.jsonl` soon does not."""
    data = multi30k_folder(tmp_path / "data")
    with chat_server(length=2000) as server:
        words = [
            "run",
            "--model",
            server.model,
            "--tasks",
            "multi30k:de",
            "--no-image",
            "--data",
            str(data),
            "--results",
            str(tmp_path / "out"),
        ]
        done = subprocess.run(
            [sys.executable, "-c", FULL_DISK, "12000", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1, done.stderr
        assert "no space left" in done.stderr and "same command again" in done.stderr
        (found,) = find_runs(tmp_path / "out")
        kept = found.responses()
        assert 0 < len(kept) < 12
        asked = server.asked.total()
        assert main([*words, "--quiet"]) == 0
        probes = min(PROBES, len(kept))
        assert server.asked.total() - asked == 12 - len(kept) + probes, "what was stored is not asked again"
    assert found.responses().items() >= kept.items() and len(found.responses()) == 12


@pytest.mark.slow
def test_ctrl_c_ends_cleanly_and_the_run_goes_on(tmp_path: Path) -> None:
    data = multi30k_folder(tmp_path / "data")
    with chat_server(delay=0.2) as server:
        words = command(server, data, tmp_path / "out", "--concurrency", "2")
        with subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell starts its background jobs with SIGINT ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as running:
            while server.asked.total() < 4:
                assert running.poll() is None
                time.sleep(0.02)
            running.send_signal(signal.SIGINT)
            said = running.communicate(timeout=300)[1]
        assert running.returncode == 1
        assert "Traceback" not in said and "same command" in said
        (found,) = find_runs(tmp_path / "out")
        assert 0 < len(found.responses()) < 12
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(found.responses()) == 12


def test_dry_run_asks_nothing_and_writes_nothing(tmp_path: Path, capsys: Said) -> None:
    data = multi30k_folder(tmp_path / "data")
    with chat_server() as server:
        words = ["--model", server.model, "--tasks", "multi30k", "--no-image", "--data", str(data), "--dry-run"]
        assert run(tmp_path / "out", *words, "--format", "json") == 0
        assert not server.asked
    shown = json.loads(capsys.readouterr().out)
    assert shown["requests"] == 36 and shown["tasks"][0]["items"] == 36
    assert not (tmp_path / "out").exists()


def test_score_needs_neither_data_nor_server(tmp_path: Path, capsys: Said) -> None:
    data = multi30k_folder(tmp_path / "data")
    with chat_server() as server:
        words = ["--model", server.model, "--tasks", "multi30k:de", "--no-image", "--data", str(data)]
        assert run(tmp_path / "out", *words, "--format", "json") == 0
    first = json.loads(capsys.readouterr().out)["tasks"]
    for path in data.iterdir():
        path.unlink()
    (found,) = find_runs(tmp_path / "out")
    (found.path / "result.json").unlink()
    assert main(["score", found.name[:12], "--results", str(tmp_path / "out"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] == first
    assert RunFolder(found.path).result() is not None
