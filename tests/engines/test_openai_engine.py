"""The OpenAI engine against a real local HTTP server that breaks in every way it is told to."""

from __future__ import annotations

import base64
import io
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import numpy as np
import pytest
from fault_server import Fault, FaultServer, fault_server, half, hang, raw, reset, saying, status
from feeds import ListFeed, medium, picture, question, questions
from PIL import Image

from tvbench.data.media.clips import Clip
from tvbench.engines.openai.dialect import Dialect, request_seed
from tvbench.engines.openai.engine import OpenAIEngine
from tvbench.engines.openai.messages import chat_messages, clip_mime, faithful_mime
from tvbench.engines.openai.retry import Patience, Trouble, retry_after
from tvbench.engines.openai.server import base_url
from tvbench.engines.protocol import Engine, Prepared
from tvbench.errors import EngineError, UsageError
from tvbench.types import Message, Request, Response, Sampling

Make = Callable[..., OpenAIEngine]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server() as running:
        yield running


@pytest.fixture
def make(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """make(...) opens an engine on `server` with waits of milliseconds, closed at the end."""
    monkeypatch.delenv("TVBENCH_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    opened: list[OpenAIEngine] = []

    def open_one(**options: Any) -> OpenAIEngine:
        settings = {"concurrency": 4, "timeout_s": 5.0, "backoff_s": 0.002} | options
        opened.append(OpenAIEngine("my-model", server.root, **settings))
        return opened[-1]

    yield open_one
    for engine in opened:
        engine.close()


def serve(engine: OpenAIEngine, *items: Prepared) -> dict[str, Response]:
    answers = list(engine.serve(ListFeed(items)))
    assert len({answer.key for answer in answers}) == len(answers)
    return {answer.key: answer for answer in answers}


# ── Answers ───────────────────────────────────────────────────────────────────────────────────────


def test_every_request_is_answered_once_with_bounded_concurrency(server: FaultServer, make: Make) -> None:
    server.delay = 0.01
    engine: Engine = make(concurrency=3)
    feed = ListFeed(questions(40))
    answers = {answer.key: answer for answer in engine.serve(feed)}
    assert {key: answer.text for key, answer in answers.items()} == {f"q{n}": f"re: q{n}" for n in range(40)}
    assert set(server.tries.values()) == {1}
    assert server.most_under_way == 3
    assert feed.threads == {threading.get_ident()}
    answer = answers["q7"]
    assert (answer.finish, answer.tokens_in, answer.tokens_out, answer.error) == ("stop", 7, 3, None)
    assert answer.seconds is not None and answer.seconds >= 0.01
    assert answer.extra == {"attempts": 1, "server_model": "served-model"}


def test_a_slow_feed_delays_no_answer_and_an_engine_serves_twice(server: FaultServer, make: Make) -> None:
    engine = make()
    assert len(list(engine.serve(ListFeed(questions(9), slow=True)))) == 9
    assert len(list(engine.serve(ListFeed(questions(5))))) == 5
    assert list(engine.serve(ListFeed([]))) == []


def test_every_sampling_field_is_sent(server: FaultServer, make: Make) -> None:
    asked = Sampling(
        max_new_tokens=9, temperature=0.7, top_p=0.9, top_k=40, repetition_penalty=1.2, stop=("\n",), seed=5
    )
    serve(make(), question("plain"))
    sampled = question("sampled", sampling=asked, system="Be brief.")
    serve(make(), sampled)
    plain, full = server.bodies
    assert plain == {
        "model": "my-model",
        "messages": [{"role": "user", "content": "plain"}],
        "stream": False,
        "max_tokens": 128,
        "temperature": 0.0,
        "top_p": 1.0,
        "seed": 0,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
    }
    assert full["messages"][0] == {"role": "system", "content": "Be brief."}
    wanted = {"max_tokens": 9, "temperature": 0.7, "top_p": 0.9, "top_k": 40, "repetition_penalty": 1.2, "stop": ["\n"]}
    assert {name: full[name] for name in wanted} == wanted
    assert full["seed"] == request_seed(sampled.request) != request_seed(question("again", sampling=asked).request)


def test_the_seed_is_that_of_the_local_engines() -> None:
    sampling = pytest.importorskip("tvbench.engines.sampling", reason="needs torch", exc_type=ImportError)
    request = question("a", sampling=Sampling(seed=3)).request
    assert request_seed(request) == sampling.request_seed(request)


def test_llama_cpp_has_names_of_its_own() -> None:
    request = question("a", sampling=Sampling(repetition_penalty=1.1)).request
    body = Dialect("m", "llamacpp").body(request, [])
    assert body["repeat_penalty"] == 1.1 and body["repeat_last_n"] == -1 and "repetition_penalty" not in body


def test_a_begun_answer_is_continued_by_vllm() -> None:
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "It is"}]
    request = question("a").request
    body = Dialect("m", "vllm").body(request, messages)
    assert body["continue_final_message"] is True and body["add_generation_prompt"] is False
    assert "continue_final_message" not in Dialect("m").body(request, messages)


@pytest.mark.parametrize(
    ("fault", "text", "finish", "note"),
    [
        (saying(""), "", "stop", None),
        (lambda call: call.answer([], finish="length"), "", "length", None),
        (raw(b'{"choices": [{"message": {"content": null}, "finish_reason": "length"}]}'), "", "length", None),
        (
            raw(b'{"choices": [{"message": {"content": null, "refusal": "I cannot"}, "finish_reason": "stop"}]}'),
            "",
            "stop",
            "refused: I cannot",
        ),
        (saying("part", finish="content_filter"), "part", "stop", "cut by the server's content filter"),
        (saying([{"type": "text", "text": "two "}, {"type": "text", "text": "parts"}]), "two parts", "stop", None),
        (saying("a\nb"), "a", "stop", None),
        (raw(b'{"choices": [{"message": {"content": "x"}}], "usage": null}'), "x", None, None),
    ],
)
def test_empty_refused_and_odd_answers_are_answers(
    server: FaultServer, make: Make, fault: Fault, text: str, finish: str | None, note: str | None
) -> None:
    server.faults = [fault]
    answer = serve(make(), question("q", sampling=Sampling(stop=("\n",))))["q"]
    assert (answer.text, answer.finish, answer.error) == (text, finish, None)
    assert answer.notes == (() if note is None else (note,))
    assert server.tries["q"] == 1


def test_notes_of_the_media_are_kept(make: Make) -> None:
    assert serve(make(), question("noted"))["noted"].notes == ("19 of 32 frames decoded",)


# ── Trying again ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [status(code) for code in (408, 409, 429, 500, 502, 503, 504)]
    + [
        reset,
        half,
        hang(4.0),
        raw(b'{"choices": [{"mess'),
        raw(b"<html>busy</html>", "text/html"),
        raw(b""),
        raw(b"[]"),
        raw(b'{"error": {"message": "upstream"}}'),
        raw(b'{"choices": []}'),
        saying("x", finish="abort"),
    ],
    ids=[
        "408",
        "409",
        "429",
        "500",
        "502",
        "503",
        "504",
        "reset",
        "half",
        "hang",
        "torn",
        "html",
        "nothing",
        "list",
        "error-in-200",
        "no-choices",
        "abort",
    ],
)
def test_passing_faults_are_tried_again(server: FaultServer, make: Make, fault: Fault) -> None:
    server.faults = [fault, fault]
    answer = serve(make(timeout_s=2.0), question("q"))["q"]
    assert answer.text == "re: q" and answer.extra["attempts"] == 3 == server.tries["q"]


@pytest.mark.parametrize("code", [400, 413, 422])
def test_what_the_server_says_is_wrong_is_not_tried_again(server: FaultServer, make: Make, code: int) -> None:
    server.always["q1"] = status(code, "the prompt is longer than 1024 tokens")
    answers = serve(make(), *questions(3))
    assert answers["q1"].text is None and "longer than 1024 tokens" in (answers["q1"].error or "")
    assert str(code) in (answers["q1"].error or "")
    assert answers["q0"].text == "re: q0" and server.tries["q1"] == 1


def test_one_request_that_always_breaks_fails_alone(server: FaultServer, make: Make) -> None:
    server.always["q3"] = reset
    server.always["q11"] = status(500, "cannot do that")
    answers = serve(make(retries=2), *questions(12))
    failed = {key for key, answer in answers.items() if answer.error}
    assert failed == {"q3", "q11"} and len(answers) == 12
    assert server.tries["q3"] == 3 and answers["q3"].extra["attempts"] == 3
    assert "cannot do that" in (answers["q11"].error or "")


def test_a_single_request_that_breaks_fails_when_the_server_is_there(server: FaultServer, make: Make) -> None:
    server.everything = reset
    assert "attempt 2" in (serve(make(retries=1), question("q"))["q"].error or "")


def test_retry_after_holds_back_every_request(server: FaultServer, make: Make) -> None:
    server.faults = [status(429, "slow down", Retry_After="0.4")]
    serve(make(concurrency=1), *questions(3))
    assert server.tries["q0"] == 2
    assert server.times[1] - server.times[0] >= 0.4


def test_a_rate_limit_is_borne_longer_than_a_fault(server: FaultServer, make: Make) -> None:
    server.faults = [status(429)] * 7
    assert serve(make(retries=2), question("q"))["q"].text == "re: q"


def test_retry_after_as_number_and_as_date() -> None:
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert retry_after("7", now.timestamp()) == 7 and retry_after("0.5", 0) == 0.5
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert retry_after(later, now.timestamp()) == 90
    assert retry_after(format_datetime(now - timedelta(hours=1), usegmt=True), now.timestamp()) == 0
    assert [retry_after(text, 0) for text in (None, "", "soon", "-3")] == [None] * 4


def test_waits_double_up_to_a_limit() -> None:
    patience = Patience(retries=9, backoff_s=1.0)
    for failures, longest in ((1, 1), (2, 2), (4, 8), (6, 30), (9, 30)):
        waits = [patience.wait(failures) for _ in range(50)]
        assert longest / 2 <= min(waits) < max(waits) <= longest


# ── The server as a whole ─────────────────────────────────────────────────────────────────────────


def collect(engine: OpenAIEngine, items: list[Prepared]) -> tuple[dict[str, Response], EngineError | None]:
    """What came before the end, and the error that ended it."""
    answers: dict[str, Response] = {}
    try:
        for answer in engine.serve(ListFeed(items)):
            answers[answer.key] = answer
    except EngineError as error:
        return answers, error
    return answers, None


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [reset, status(502, "bad gateway"), raw(b"<html>gone</html>", "text/html"), hang(4.0)],
    ids=["reset", "gateway", "page", "hang"],
)
def test_a_server_that_dies_behind_its_front_fails_nothing(server: FaultServer, make: Make, fault: Fault) -> None:
    """GET still works, as behind a proxy; every POST breaks after ten answers."""
    engine = make(retries=1, timeout_s=2.0)
    first, error = collect(engine, questions(10))
    assert len(first) == 10 and error is None
    server.everything = fault
    answers, error = collect(engine, questions(30))
    assert error is not None and "stopped answering" in str(error) and "same command" in error.hint
    assert answers == {}
    server.everything = None
    assert len(serve(engine, *questions(30))) == 30


def test_a_server_that_closes_its_port(make: Make, server: FaultServer) -> None:
    engine = make(retries=2, concurrency=1)  # one by one, so that nothing good is under way when it happens
    server.always = {f"q{number}": reset for number in range(3, 50)}
    server.pages = {"/v1/models": reset}
    answers, error = collect(engine, questions(50))
    assert set(answers) == {"q0", "q1", "q2"} and not any(answer.error for answer in answers.values())
    assert error is not None and engine.url in str(error)


def test_nobody_there_at_all() -> None:
    with pytest.raises(EngineError, match="no server answers at http://127.0.0.1:9/v1") as raised:
        OpenAIEngine("m", "http://127.0.0.1:9", backoff_s=0.001)
    assert "start it" in raised.value.hint


@pytest.mark.parametrize(
    ("code", "said"), [(401, "TVBENCH_API_KEY"), (403, "served-model"), (404, "served-model"), (308, "served-model")]
)
def test_a_refusal_of_the_first_request_ends_the_run(server: FaultServer, make: Make, code: int, said: str) -> None:
    server.everything = status(code, "the model does not exist", Location="https://elsewhere.example/v1")
    answers, error = collect(make(), questions(8))
    assert not answers and error is not None and said in error.hint
    assert all(count == 1 for count in server.tries.values())


def test_a_later_403_or_404_is_one_failed_item(server: FaultServer, make: Make) -> None:
    server.always = {"q2": status(403, "not this text"), "q3": status(404, "no such picture")}
    answers = serve(make(concurrency=1), *questions(5))
    assert "not this text" in (answers["q2"].error or "") and "no such picture" in (answers["q3"].error or "")
    assert sum(answer.error is None for answer in answers.values()) == 3


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (status(429, "daily limit", Retry_After="7200"), "120 minutes"),
        (status(429, "You exceeded your quota", error={"code": "insufficient_quota"}), "used up"),
        (status(401, "key expired"), "refuses the key"),
    ],
)
def test_what_no_waiting_mends_ends_the_run_with_the_rest_unanswered(
    server: FaultServer, make: Make, fault: Fault, said: str
) -> None:
    server.always["q4"] = fault
    answers, error = collect(make(concurrency=1), questions(9))
    assert error is not None and said in str(error)
    assert set(answers) <= {"q0", "q1", "q2", "q3"} and not any(answer.error for answer in answers.values())


def test_the_key_is_sent_and_shown_nowhere(
    server: FaultServer, make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "sk-very-secret-9"
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    monkeypatch.setenv("TVBENCH_API_KEY", secret + "\n")
    server.always["q1"] = status(400, f"Incorrect API key provided: {secret}")
    engine = make(concurrency=1)
    answers = serve(engine, *questions(2))
    assert {headers["Authorization"] for headers in map(dict, server.headers)} == {f"Bearer {secret}"}
    shown = f"{answers} {engine.info} {vars(engine)} {caplog.text} {server.bodies}"
    assert secret not in shown and "***" in (answers["q1"].error or "")
    server.everything = status(401, f"bad key {secret}")
    _, error = collect(engine, questions(1))
    assert error is not None and secret not in str(error)


@pytest.mark.parametrize("key", ["schlüssel", "a\nb"])
def test_a_key_that_cannot_be_sent(make: Make, key: str) -> None:
    with pytest.raises(UsageError, match="TVBENCH_API_KEY"):
        make(api_key=key)


def test_a_refused_key_is_seen_at_the_start(server: FaultServer, make: Make) -> None:
    server.pages["/v1/models"] = status(401, "no key sk-abc")
    with pytest.raises(EngineError, match="refuses the key"):
        make(api_key="sk-abc")


def test_a_web_page_in_the_place_of_a_server(server: FaultServer, make: Make) -> None:
    server.pages["/v1/models"] = raw(b"<!doctype html>hello", "text/html")
    with pytest.raises(EngineError, match="web page"):
        make()


def test_what_the_server_says_of_itself(make: Make, server: FaultServer) -> None:
    info = make().info
    assert (info.name, info.version) == ("openai", "unknown")
    assert info.settings == {"model": "my-model", "served": "served-model"}
    with fault_server("vllm") as other:
        other.pages["/version"] = {"version": "0.32.0"}
        engine = OpenAIEngine("served-model", other.root + "/v1/", video="video_url")
        engine.close()
    assert engine.info.version == "vllm-0.32.0"
    assert engine.info.settings == {"model": "served-model", "video": "video_url"}
    server.pages.clear()
    assert make().info.settings == {"model": "my-model"}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://host:8000", "http://host:8000/v1"),
        (" http://host:8000/ ", "http://host:8000/v1"),
        ("host:8000", "http://host:8000/v1"),
        ("http://host:8000/v1/", "http://host:8000/v1"),
        ("https://host/api/v1/chat/completions", "https://host/api/v1"),
        ("https://host/v1beta/openai", "https://host/v1beta/openai"),
        ("http://host/proxy", "http://host/proxy/v1"),
        ("http://[::1]:80", "http://[::1]:80/v1"),
    ],
)
def test_addresses(given: str, meant: str) -> None:
    assert base_url(given) == meant == base_url(meant)


@pytest.mark.parametrize("given", ["", "http://", "ftp://host", "http://host:port", "http://me:pass@host"])
def test_bad_addresses(given: str) -> None:
    with pytest.raises(UsageError) as raised:
        base_url(given)
    assert "pass@" not in str(raised.value)


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert serve(make(), question("q"))["q"].text == "re: q"


# ── What a server does not take ───────────────────────────────────────────────────────────────────


def picky(*fields: str, message: str = "Unrecognized request argument supplied: {}") -> Fault:
    """Refuses a body with any of `fields`, as hosted APIs do."""

    def fault(call: Any) -> None:
        unknown = next((name for name in fields if name in call.body), None)
        if unknown is None:
            call.answer()
        else:
            status(400, message.format(unknown), error={"param": unknown})(call)

    return fault


def test_refused_extensions_are_left_out_once_and_for_all(server: FaultServer, make: Make) -> None:
    server.everything = picky("top_k", "min_p", "repetition_penalty")
    engine = make(concurrency=1)
    answers = serve(engine, *questions(4))
    assert [answer.error for answer in answers.values()] == [None] * 4
    assert len(server.bodies) == 3 + 4
    assert all(answer.notes == () for answer in answers.values()), "they were neutral: nothing was lost"
    asked = question("warm", sampling=Sampling(temperature=1.0, top_k=5, repetition_penalty=1.3))
    assert serve(engine, asked)["warm"].notes == (
        "top_k=5 was not sent: the server refuses it",
        "repetition_penalty=1.3 was not sent: the server refuses it",
    )


def test_many_at_once_meet_the_same_refusal(server: FaultServer, make: Make) -> None:
    server.delay = 0.02
    server.everything = picky("top_k", "min_p", "repetition_penalty", "seed")
    answers = serve(make(concurrency=8), *questions(24))
    assert len(answers) == 24 and not any(answer.error for answer in answers.values())


def test_max_completion_tokens_only_where_it_is_demanded(server: FaultServer, make: Make) -> None:
    server.everything = picky(
        "max_tokens",
        "temperature",
        message="Unsupported parameter: '{}' is not supported with this model. Use 'max_completion_tokens' instead.",
    )
    answer = serve(make(), question("q"))["q"]
    assert answer.text == "re: q"
    assert server.bodies[0]["max_tokens"] == server.bodies[-1]["max_completion_tokens"] == 128
    assert "max_tokens" not in server.bodies[-1] and "temperature" not in server.bodies[-1]
    assert answer.notes == ("temperature=0.0 was not sent: the server refuses it",)


def test_a_server_that_does_not_say_what_it_dislikes_gets_the_standard_fields(server: FaultServer, make: Make) -> None:
    def fault(call: Any) -> None:
        status(400, "Invalid request body")(call) if "min_p" in call.body else call.answer()

    server.everything = fault
    assert serve(make(), question("q"))["q"].text == "re: q"


def test_a_complaint_about_the_text_is_no_complaint_about_a_field() -> None:
    body = Dialect("m", "vllm").body(question("q", sampling=Sampling(stop=("\n",))).request, [])
    for message in (
        "The seed of the invalid picture must be cut to stop",
        "'max_tokens' or 'max_completion_tokens' is too large: 5000; unsupported",
        "This model's maximum context length is 1024 tokens",
    ):
        dialect = Dialect("m", "vllm")
        assert not dialect.adapt(Trouble(message, 400), body)
        assert not dialect.refused and dialect.limit_name == "max_tokens"


# ── Media ─────────────────────────────────────────────────────────────────────────────────────────


def decoded(part: dict[str, Any]) -> tuple[str, bytes]:
    head, data = part["image_url"]["url"].split(";base64,")
    return head.removeprefix("data:"), base64.b64decode(data)


def test_pictures_go_as_they_are_and_in_order(server: FaultServer, make: Make) -> None:
    red, blue = picture(colour="red"), picture(kind="JPEG", colour="blue")
    asked = question(
        "q", "first ", medium(), " then ", medium(), "which is red?", media=(red[0], blue[0]), encoded=(red[1], blue[1])
    )
    serve(make(), asked)
    parts = server.bodies[0]["messages"][0]["content"]
    assert [part.get("text", "PIC") for part in parts] == ["first ", "PIC", " then ", "PIC", "which is red?"]
    assert decoded(parts[1]) == ("image/png", red[1]) and decoded(parts[3]) == ("image/jpeg", blue[1])


ROTATED = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


@pytest.mark.parametrize(
    ("encoded", "mime"),
    [
        (picture()[1], "image/png"),
        (picture("L")[1], "image/png"),
        (picture(kind="JPEG")[1], "image/jpeg"),
        (picture(kind="WEBP")[1], "image/webp"),
        (picture("RGBA")[1], None),
        (picture("CMYK", "JPEG")[1], None),
        (picture("I;16")[1], None),
        (picture(kind="BMP")[1], None),
        (picture(kind="TIFF")[1], None),
        (picture(kind="JPEG", exif=ROTATED)[1], None),
        (b"", None),
    ],
    ids=["png", "grey", "jpeg", "webp", "alpha", "cmyk", "16-bit", "bmp", "tiff", "rotated", "none"],
)
def test_bytes_that_servers_may_read_otherwise_are_not_sent(encoded: bytes, mime: str | None) -> None:
    assert faithful_mime(encoded) == mime


def test_other_pictures_go_as_the_pixels_that_we_decoded() -> None:
    image, encoded = picture(kind="BMP", colour="green")
    (message,) = chat_messages(question("q", medium(), media=(image,), encoded=(encoded,)))
    mime, data = decoded(message["content"][0])
    assert mime == "image/png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(image))


def test_a_clip_goes_as_frames_or_as_a_file() -> None:
    frames = np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3)
    mp4 = b"\x00\x00\x00\x18ftypmp42"
    asked = question("q", medium("video", "a.mp4"), "what moves?", media=(Clip(frames),), encoded=(mp4,))
    (message,) = chat_messages(asked)
    sent = [np.asarray(Image.open(io.BytesIO(decoded(part)[1]))) for part in message["content"][:3]]
    assert np.array_equal(np.stack(sent), frames) and message["content"][3]["text"] == "what moves?"
    (message,) = chat_messages(asked, "video_url")
    assert message["content"][0]["video_url"]["url"] == "data:video/mp4;base64," + base64.b64encode(mp4).decode()
    assert clip_mime(b"\x1a\x45\xdf\xa3....") == "video/webm"


# ── Log-probabilities ─────────────────────────────────────────────────────────────────────────────


def test_log_probabilities_need_a_server_that_gives_them(make: Make) -> None:
    answers = serve(make(), question("q", continuation="Ja"), question("plain"))
    assert "no log-probabilities" in (answers["q"].error or "") and "vLLM" in (answers["q"].error or "")
    assert answers["plain"].text == "re: plain"


def test_log_probabilities_of_the_continuation_only() -> None:
    prompt = [1, 5, 6, 9]

    def answer(call: Any) -> None:
        if "prompt" in call.body:
            call.reply({"tokens": [8, 4, 2] if call.body["prompt"] == "Ja." else [7, 8, 4, 2]})
            return
        whole = [*prompt, 8, 4, 2] if call.body["messages"][-1]["role"] == "assistant" else prompt
        if call.path == "/tokenize":
            call.reply({"tokens": whole})
            return
        rows: list[Any] = [None] + [{str(token): {"logprob": -float(token)}} for token in whole[1:]]
        call.answer(prompt_logprobs=rows)

    with fault_server("vllm") as server:
        server.everything = answer
        engine = OpenAIEngine("served-model", server.root, backoff_s=0.002, retries=0)
        scored = serve(engine, question("q", continuation="Ja."))["q"]
        sent = server.bodies[-1]
        trimmed = serve(engine, question("q", continuation=" Ja."))["q"]
        engine.close()
    assert "changes the text" in (trimmed.error or ""), "the template trims: another text would be scored"
    assert scored.logprobs == (-8.0, -4.0, -2.0) and scored.text == "Ja." and scored.error is None
    assert sent["messages"][-1] == {"role": "assistant", "content": "Ja."}
    assert (sent["prompt_logprobs"], sent["max_tokens"], sent["continue_final_message"]) == (0, 1, True)


# ── Ending ────────────────────────────────────────────────────────────────────────────────────────


def test_closing_drops_what_is_under_way(server: FaultServer, make: Make) -> None:
    server.always = {f"q{number}": hang(30) for number in range(1, 9)}
    engine = make(timeout_s=60)
    answers = engine.serve(ListFeed(questions(9)))
    assert next(answers).key == "q0"
    begun = time.monotonic()
    engine.close()
    engine.close()
    assert list(answers) == []
    assert time.monotonic() - begun < 20, "it waited for the server"
    assert not any(thread.name == "openai" and thread is engine._thread for thread in threading.enumerate())


def test_ctrl_c_in_the_consumer_leaves_no_request_behind(server: FaultServer, make: Make) -> None:
    server.delay = 0.05
    engine = make(concurrency=2)
    with pytest.raises(KeyboardInterrupt):
        for answer in engine.serve(ListFeed(questions(50))):
            raise KeyboardInterrupt
    engine.close()
    seen = len(server.bodies)
    time.sleep(0.2)
    assert len(server.bodies) == seen < 50


def test_a_request_of_an_odd_shape_fails_alone(make: Make) -> None:
    lone = Prepared(Request("odd", (Message("user", ("lone \ud800 surrogate",)),), Sampling()))
    assert serve(make(), lone, question("q"))["odd"].text is not None


def test_bad_settings(make: Make) -> None:
    for wrong in ({"concurrency": 0}, {"retries": -1}, {"timeout_s": 0}):
        with pytest.raises(UsageError):
            make(**wrong)
