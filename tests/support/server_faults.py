"""What servers do wrong, by name: a table for tests and for campaigns by hand."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

from fault_server import Fault, drip, flood, half, hang, raw, reset, saying, wire

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GOOD = json.dumps({"choices": [{"message": {"content": "good"}, "finish_reason": "stop"}]}).encode()


def with_length(data: bytes, head: bytes = OK, more: bytes = b"") -> bytes:
    return head + more + b"Content-Length: %d\r\n\r\n" % len(data) + data


def chat(message: Any = None, **more: Any) -> Fault:
    """A reply of the right outline; `more` goes beside `choices`."""
    message = {"content": "good"} if message is None else message
    return lambda call: call.reply({"choices": [{"message": message, "finish_reason": "stop"}], **more})


def head(*lines: bytes, body: bytes = GOOD) -> Fault:
    """A good reply with these header lines."""
    return wire(with_length(body, OK + b"".join(line + b"\r\n" for line in lines)))


def packed(data: bytes, how: bytes, head: bytes = OK) -> Fault:
    return wire(with_length(data, head, b"Content-Encoding: " + how + b"\r\n"))


def bomb(size: int) -> bytes:
    """Gzip of `size` blanks."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    blanks = b" " * (1 << 20)
    return b"".join(packer.compress(blanks) for _ in range(size >> 20)) + packer.flush()


BOMB = bomb(256 << 20)
ERROR = OK.replace(b"200 OK", b"500 No")

SLOW: dict[str, Fault] = {
    "no reply": hang(3.0),
    "status line drips": drip(b"HTTP/1.1 200 "),
    "header line drips": drip(b"HTTP/1.1 200 OK\r\nX-Y: "),
    "header lines drip": drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "half of the headers, then silence": drip(b"HTTP/1.1 200 OK\r\nX-Y:", b"", 0.5),
    "body drips": drip(OK + b"Content-Length: 9999999\r\n\r\n"),
    "body drips, blanks": drip(OK + b"Content-Length: 9999999\r\n\r\n", b" "),
    "body drips, no length": drip(OK + b"\r\n"),
    "body drips, HTTP/1.0": drip(b"HTTP/1.0 200 OK\r\n\r\n"),
    "chunks drip": drip(CHUNKED, b"1\r\nx\r\n"),
    "chunk size drips": drip(CHUNKED, b"0"),
    "trailers drip": drip(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n"),
    "100 Continue drips": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "error body drips": drip(ERROR + b"Content-Length: 9999999\r\n\r\n"),
    "redirect drips": drip(b"HTTP/1.1 302 Found\r\nLocation: /v1/x\r\nContent-Length: 9999\r\n\r\n"),
    "events drip": drip(OK.replace(b"application/json", b"text/event-stream") + b"\r\n", b": wait\r\n\r\n"),
    "100 Continue floods": flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500),
}
"""Ended by the deadline."""

LARGE: dict[str, Fault] = {
    "endless body": flood(OK + b"\r\n", b"x" * 65536),
    "endless body of blanks": flood(OK + b"\r\n", b" " * 65536),
    "endless body, HTTP/1.0": flood(b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 65536),
    "endless chunks": flood(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    "endless events": flood(OK + b"\r\n", b'data: {"choices": []}\n\n' * 4096),
    "length of a terabyte": flood(OK + b"Content-Length: 1099511627776\r\n\r\n", b"[" * 65536),
    "endless error body": flood(ERROR + b"\r\n", b"no " * 20000),
    "endless header line": flood(OK + b"X: ", b"y" * 65536),
    "endless header lines": flood(OK, b"X: y\r\n" * 9000),
    "endless status line": flood(b"HTTP/1.1 200 ", b"y" * 65536),
    "endless chunk extension": flood(CHUNKED + b"2;x=", b"y" * 65536),
    "endless trailers": flood(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n" * 9000),
    "gzip bomb": packed(BOMB, b"gzip"),
    "deflate bomb": packed(zlib.compress(bytes(64 << 20), 9), b"deflate"),
    "gzip bomb in an error": packed(BOMB, b"gzip", ERROR),
    "answer of two million characters": saying("x" * 2_000_000),
}
"""Ended by a limit of bytes."""

BROKEN: dict[str, Fault] = {
    "reset": reset,
    "body cut off": half,
    "closed at once": wire(),
    "TLS alert": wire(b"\x15\x03\x01\x00\x02\x02\x28"),
    "no HTTP": wire(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "body only": wire(GOOD),
    "nothing but NUL": wire(bytes(4096)),
    "status 000": wire(with_length(GOOD, b"HTTP/1.1 000 No\r\n")),
    "status 999": wire(with_length(GOOD, b"HTTP/1.1 999 No\r\n")),
    "status of letters": wire(with_length(GOOD, b"HTTP/1.1 2xx OK\r\n")),
    "a blank line first": wire(b"\r\n" + with_length(GOOD)),
    "101": wire(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", GOOD),
    "two lengths": head(b"Content-Length: 3"),
    "length -1": wire(OK + b"Content-Length: -1\r\n\r\n" + GOOD),
    "length of 5,000 digits": wire(OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n" + GOOD),
    "length in words": wire(OK + b"Content-Length: ten\r\n\r\n" + GOOD),
    "chunk size in words": wire(CHUNKED + b"ten\r\nx\r\n"),
    "chunk size without end": wire(CHUNKED + b"f" * 40 + b"\r\nx\r\n"),
    "header without colon": head(b"nothing"),
    "header with NUL": head(b"X: a\x00b"),
    "unknown packing": packed(GOOD, b"br"),
    "packed twice": packed(gzip.compress(gzip.compress(GOOD)), b"gzip, gzip"),
    "broken gzip": packed(b"\x1f\x8b\x08" + bytes(40), b"gzip"),
    "cut gzip": packed(gzip.compress(GOOD)[:-30], b"gzip"),
    "no content": wire(b"HTTP/1.1 204 No Content\r\n\r\n"),
}
"""Not HTTP, or half of it."""

JSON_FAULTS: dict[str, Fault] = {
    "deep lists": raw(b"[" * 200_000),
    "deep objects": raw(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "deep content": raw(b'{"choices": [{"message": {"content": ' + b"[" * 900 + b"]" * 900 + b"}}]}"),
    "deep error in 200": raw(b'{"error": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}"),
    "deep error in 400": raw(b'{"error": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}", code=400),
    "a number of 5,000 digits": raw(b'{"choices": ' + b"9" * 5000 + b"}"),
    "Latin-1": raw(b'{"choices": [{"message": {"content": "Gr\xfc\xdfe"}}]}', "application/json; charset=latin-1"),
    "nothing but NUL": raw(bytes(100)),
    "events": raw(b'data: {"choices": [{"delta": {"content": "good"}}]}\n\ndata: [DONE]\n\n', "text/event-stream"),
    "web page": raw(b"<!doctype html><p>Sign in", "text/html; charset=utf-8"),
    "web page without its type": raw(b"\n <html>busy", "application/json"),
    "empty": raw(b""),
    "null": raw(b"null"),
    "a list": raw(b"[1, 2]"),
    "a string": raw(b'"good"'),
    "NaN": raw(b"NaN"),
    "error in 200": raw(b'{"error": {"message": "upstream"}}'),
    "error as text in 200": raw(b'{"error": "upstream"}'),
    "error null in 200": raw(b'{"error": null}'),
    "choices null": raw(b'{"choices": null}'),
    "choices empty": raw(b'{"choices": []}'),
    "choices an object": raw(b'{"choices": {"0": {}}}'),
    "choices of null": raw(b'{"choices": [null]}'),
    "choices of text": raw(b'{"choices": ["good"]}'),
    "message missing": raw(b'{"choices": [{"text": "good"}]}'),
    "message a string": chat("good"),
    "content a number": chat({"content": 5}),
    "content true": chat({"content": True}),
    "content a list of numbers": chat({"content": [1, 2]}),
    "content a part without text": chat({"content": [{"type": "text", "text": {"value": "good"}}]}),
    "generation broken off": saying("x", finish="abort"),
    "log-probabilities a number": chat(prompt_logprobs=5),
    "403 in an unknown charset": raw(b"\xff\xfe\xfd", "text/plain; charset=klingon", 403),
    "500 in hex": raw(b"zz", "text/plain; charset=hex", 500),
    "500 in idna": raw(b"xn--\xff", "text/plain; charset=idna", 500),
    "500 in utf-7": raw(b"+AGEAYg", "text/plain; charset=utf-7", 500),
    "500 in no charset at all": raw(b"no", "text/plain; charset=\xb2", 500),
    "500 with RFC 2231": raw(b"no", "text/plain; charset*=x''%FF%00", 500),
    "500 with an error of numbers": raw(b'{"error": [1, 2]}', code=500),
    "500 with a message of lists": raw(b'{"error": {"message": [[["x"]]], "code": {"a": 1}, "param": 7}}', code=500),
    "500 with half an emoji": raw(b'{"error": {"message": "\\ud83d"}}', code=500),
    "400 with an escape sequence": raw(b'{"error": {"message": "\\u001b[2J\\u0007"}}', code=400),
}
"""HTTP, but no answer."""


def waiting(value: str, code: int = 429) -> Fault:
    return lambda call: call.send(b"", code, Retry_After=value)


WAITS: dict[str, Fault] = {
    f"Retry-After: {value[:24]}": waiting(value)
    for value in (
        "\xb2",
        "-1",
        "1e400",
        "NaN",
        "inf",
        "0x10",
        "1_0",
        "0.0.1",
        ".",
        "soon",
        "0",
        "\xbd",
        "Thu, 99 Foo 2026 25:61:61 GMT",
        "Fri, 31 Dec 99999 23:59:59 GMT",
        "Mon, 01 Jan 0001",
        "Mon, 01 Jan 0001 00:00:00 +2359",
    )
}
"""Waits that are none."""

REDIRECTS: dict[str, Fault] = {
    f"{code} to {to[:30]}": (lambda code, to: lambda call: call.send(b"", code, Location=to))(code, to)
    for code, to in (
        (301, "http://127.0.0.2:9/v1"),
        (302, "/v1/chat/completions"),
        (303, "//elsewhere.example/"),
        (307, "http://["),
        (308, "\\\\host\\x"),
        (302, "http://\xfc\xdf/"),
        (302, "javascript:alert(1)"),
        (307, "http://a:b@elsewhere.example:99999999/"),
        (302, "x" * 9000),
        (304, ""),
    )
}

ODD_BUT_GOOD: dict[str, Fault] = {
    "usage of 10^400 tokens": chat(usage={"prompt_tokens": 10**400, "completion_tokens": -1}),
    "usage of text": chat(usage={"prompt_tokens": "7", "completion_tokens": [3]}),
    "usage of 1e400": wire(with_length(GOOD[:-1] + b', "usage": {"prompt_tokens": 1e400, "completion_tokens": NaN}}')),
    "usage of true": chat(usage={"prompt_tokens": True}),
    "usage a list": chat(usage=[7]),
    "model a number": chat(model=10**300),
    "model of a megabyte": chat(model="m" * (1 << 20)),
    "finish a list": lambda call: call.answer("good", finish=["stop"]),
    "finish a number": lambda call: call.answer("good", finish=10**400),
    "parts": chat({"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "go"}, "od", None]}),
    "refusal an object": chat({"content": "good", "refusal": {"a": [1]}}),
    "gzip": packed(gzip.compress(GOOD), b"gzip"),
    "deflate": packed(zlib.compress(GOOD), b"deflate"),
    "UTF-16": raw(b"\xff\xfe" + GOOD.decode().encode("utf-16-le")),
    "with a mark": raw(b"\xef\xbb\xbf" + GOOD),
    "a wrong type": raw(GOOD, "image/png; charset=\xb2"),
    "no length, HTTP/1.0": wire(b"HTTP/1.0 200 OK\r\n\r\n" + GOOD),
    "a hundred cookies": head(*(b"Set-Cookie: c%d=v; Max-Age=\xb2; Expires=never; Domain=.com" % n for n in range(99))),
    "header twice": head(b"Content-Type: text/plain", b"Content-Type: application/json"),
    "HTTP/9.9": wire(with_length(GOOD, b"HTTP/9.9 200 OK\r\n")),
    "103 first": wire(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + with_length(GOOD)),
}
"""Answers all the same: the text is `good`."""

FAULTS: dict[str, Fault] = {**SLOW, **LARGE, **BROKEN, **JSON_FAULTS, **WAITS, **REDIRECTS}
