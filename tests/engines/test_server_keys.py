"""The API key, sent back by a server in any form and at any place: it stands in no message and in no file of a run."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from fault_server import Fault, FaultServer, chat_reply, fault_server, raw, status, wire
from feeds import ListFeed, question

from tvbench.cli.main import main
from tvbench.engines.openai.engine import OpenAIEngine
from tvbench.engines.openai.secret import Secret
from tvbench.errors import EngineError

KEY = "sk-proj-A1b2C3/d4+E5_f6G7h8I9j0KlMn"
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a sentence": lambda key: f"Incorrect API key provided: {key}. You can find it in your account.",
    "with Bearer": lambda key: f"authorization=[Bearer {key}]",
    "in a URL": lambda key: f"https://host/?api_key={quote(key, safe='')}&x=1",
    "every letter in percent": lambda key: "".join(f"%{ord(char):02x}" for char in key),
    "every letter in JSON": lambda key: "".join(f"\\u{ord(char):04X}" for char in key),
    "every letter in HTML": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "every letter in hex HTML": lambda key: "".join(f"&#x{ord(char):x};" for char in key),
    "in HTML": lambda key: html.escape(f'"{key}"'),
    "in a JSON string": lambda key: json.dumps(key).replace("/", "\\/"),
    "in base64": lambda key: base64.b64encode(key.encode()).decode(),
    "in base64 with Bearer": lambda key: base64.b64encode(f"Bearer {key}".encode()).decode(),
    "in base64 as Basic": lambda key: base64.b64encode(f"u:{key}:x".encode()).decode(),
    "in base64 for URLs": lambda key: base64.urlsafe_b64encode(f"?{key}".encode()).decode().rstrip("="),
    "in hex": lambda key: key.encode().hex(),
    "in capitals": str.upper,
    "with blanks": " ".join,
    "on two lines": lambda key: f"{key[:15]}\n  {key[15:]}",
    "in pieces": lambda key: json.dumps([key[n : n + 5] for n in range(0, len(key), 5)]),
    "with invisible letters": "\u200b".join,
    "full width": lambda key: "".join(chr(ord(char) + 0xFEE0) for char in key),
    "its first two thirds": lambda key: f"{key[:24]}...",
    "its end": lambda key: f"...{key[-20:]}",
    "at the cut": lambda key: "x" * 385 + key,
    "twice": lambda key: key + key,
}


def complaint(text: str) -> Fault:
    return status(400, text)


def line(text: str) -> str:
    """What may stand in a header or a status line."""
    return " ".join(text.split()).encode("ascii", "replace").decode()


PLACES: dict[str, Callable[[str], Fault]] = {
    "an error": complaint,
    "an error of another shape": lambda text: raw(json.dumps({"detail": [{"msg": text}]}).encode(), code=422),
    "an error without JSON": lambda text: raw(text.encode(), "text/plain", 500),
    "an error in 200": lambda text: raw(json.dumps({"error": {"message": text}}).encode()),
    "the reason": lambda text: wire(f"HTTP/1.1 400 {line(text)}\r\nContent-Length: 0\r\n\r\n".encode()),
    "a broken status line": lambda text: wire(f"HTTP/{line(text)}\r\n\r\n".encode()),
    "a redirect": lambda text: status(302, Location=f"http://127.0.0.2:9/{line(text)}"),
    "a header": lambda text: status(400, "no", X_Key=line(text), WWW_Authenticate=line(text)),
    "a retry": lambda text: status(429, text, Retry_After="9999"),
    "a refused key": lambda text: status(401, text),
    "the reason for breaking off": lambda text: chat_reply("x", finish="error", error=text),
    "a refusal": lambda text: raw(json.dumps({"choices": [{"message": {"refusal": text}}]}).encode()),
    "the model": lambda text: chat_reply("good", model=text),
    "a bad content type": lambda text: raw(b"[]", line(text)),
    "names in the reply": lambda text: raw(json.dumps({text: 1}).encode()),
}


def bare(text: str) -> str:
    """Letters and digits, every escape undone: an own reading of the text, apart from that under test."""
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), html.unescape(unquote(text)))
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKC", plain).lower())


def leaks(text: str, key: str = KEY) -> bool:
    """Whether a run of 14 letters and digits of the key, or of its encodings, is in `text`."""
    codes = [key, key.encode().hex(), *(base64.b64encode(b"x" * n + key.encode()).decode()[4:-4] for n in range(3))]
    found = bare(text)
    return any(code[at : at + 14] in found for code in map(bare, codes) for at in range(len(code) - 13))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server() as running:
        yield running


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_seen_and_hidden(form: str) -> None:
    text = FORMS[form](KEY)
    assert leaks(text), "the check itself sees it"
    for long in (text, f"before {text} after", f"[{text}]\n" * 3):
        said = Secret(KEY).message(long)
        assert not leaks(said) and "***" in said
    nothing = "nothing of it: required api key, sk-proj-"
    assert Secret(KEY).message(nothing) == nothing


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_the_key_is_hidden_at_every_place(server: FaultServer, place: str, caplog: pytest.LogCaptureFixture) -> None:
    """All forms at one place, one request each; the first is answered so that no refusal ends the run at once."""
    caplog.set_level(logging.DEBUG)
    server.always = {form: PLACES[place](write(KEY)) for form, write in FORMS.items()}
    engine = OpenAIEngine("m", server.root, api_key=KEY, concurrency=1, retries=0, timeout_s=60.0)
    said = [repr(vars(engine)), repr(engine.info)]
    for form in FORMS:
        try:
            said += [str(answer) for answer in engine.serve(ListFeed([question("fine"), question(form)]))]
        except EngineError as error:
            said.append(str(error))
    engine.close()
    assert server.tries.keys() >= FORMS.keys(), "all were asked"
    assert not [text for text in said if leaks(text)]
    assert not leaks(caplog.text)


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_with_the_whole_key_is_stored_without_it(server: FaultServer, form: str) -> None:
    server.always["q"] = chat_reply(f"Your key is {FORMS[form](KEY)}, is it not?")
    engine = OpenAIEngine("m", server.root, api_key=KEY, timeout_s=60.0)
    (answer,) = engine.serve(ListFeed([question("q")]))
    engine.close()
    assert answer.text is not None and answer.text.startswith("Your key is ") and answer.text.endswith("is it not?")
    if form not in ("its first two thirds", "its end"):
        assert not leaks(answer.text) and "***" in answer.text
        assert any("hidden" in note for note in answer.notes)


@pytest.mark.parametrize("key", ["EMPTY", "none", "x", "password", "token"])
def test_a_key_that_is_a_word_changes_no_answer(server: FaultServer, key: str) -> None:
    said = f"The {key} is {key}ty, says the {key.upper()}."
    server.always["q"] = chat_reply(said)
    engine = OpenAIEngine("m", server.root, api_key=key, timeout_s=60.0)
    (answer,) = engine.serve(ListFeed([question("q")]))
    engine.close()
    assert (answer.text, answer.notes) == (said, ())
    assert f" {key} " not in Secret(key).message(f"the key {key} is wrong")


def test_what_the_server_says_of_itself_is_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_server() as server:
        server.pages["/v1/models"] = {"data": [{"id": f"m-{KEY}", "owned_by": "vllm", "root": f"/models/{KEY}"}]}
        server.pages["/version"] = {"version": f"1.0+{KEY}"}
        engine = OpenAIEngine("m", server.root, api_key=KEY)
        engine.close()
        assert engine.info.version.startswith("vllm-1.0") and not leaks(f"{engine.info}")
        server.pages["/v1/models"] = wire(f"HTTP/9 {KEY}\r\n\r\n".encode())
        with pytest.raises(EngineError) as raised:
            OpenAIEngine("m", server.root, api_key=KEY, backoff_s=0.001)
        assert not leaks(str(raised.value))


def everything(folder: Path) -> str:
    return "\n".join(
        path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.rglob("*")) if path.is_file()
    )


def test_no_file_of_a_run_and_of_its_judge_holds_the_key(
    tmp_path: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """By the command line: a server that repeats the header it was sent in whatever it says."""
    from judged import open_run

    monkeypatch.setenv("TVBENCH_API_KEY", KEY)
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    kinds = [PLACES[place](write(KEY)) for place in ("an error", "the model", "a refusal") for write in FORMS.values()]
    kinds += [chat_reply(f"good {KEY}"), chat_reply(f'{{"score": 1}} {KEY}')]
    for code, word in (("en", "dog"), ("de", "Hund")):
        (data / f"test_2016_flickr.{code}").write_text("".join(f"{word} number {n}\n" for n in range(len(kinds))))
    server.pages["/v1/models"] = {"data": [{"id": "m", "owned_by": "vllm", "root": KEY}, {"id": KEY}]}
    server.pages["/version"] = {"version": KEY}
    model = f"openai:m@{server.root}"
    server.faults = list(kinds)
    run = ["run", "--model", model, "--tasks", "multi30k:de", "--no-image", "--data", str(data), "--results", str(out)]
    assert main(run) == 1
    assert len(server.bodies) >= len(kinds)
    folder = open_run(tmp_path / "judged", 10)
    server.faults = kinds[::8] + kinds[-2:]
    assert main(["judge", str(folder), "--judge", model, "--asks", "1"]) == 1
    said = capfd.readouterr()
    assert not leaks(said.out + said.err) and "Traceback" not in said.err
    assert not leaks(everything(out)) and not leaks(everything(folder)) and KEY not in everything(tmp_path)
