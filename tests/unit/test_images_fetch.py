"""Rules of a fetch, on a network in memory: no socket is opened here."""

import base64
import contextlib
import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cs_bot.errors import PictureError, PictureRefused, PictureUnreachable, PictureUnreadable
from cs_bot.images import FetchRules, decode_data_url, fetch_picture

PUBLIC = "93.184.216.34"
BODY = b"\x89PNG-like bytes"


def answer(status: int = 200, body: bytes = BODY, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Stream(httpcore.NetworkStream):
    def __init__(self, network: "Network", data: bytes) -> None:
        self.network, self.data = network, data

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        chunk, self.data = self.data[:max_bytes], self.data[max_bytes:]
        return chunk

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.network.sent += buffer

    def close(self) -> None:
        pass

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        self.network.tls_names.append(server_hostname)
        return self


class Network(httpcore.NetworkBackend):
    """A network in memory: `names` resolve, `answers` are given one a connection."""

    def __init__(self, *answers: bytes, names: dict[str, list[str]] | None = None, dead: Iterable[str] = ()) -> None:
        self.answers, self.dead = list(answers), set(dead)
        self.names = {"cdn.test": [PUBLIC]} if names is None else names
        self.asked: list[str] = []
        self.dialled: list[tuple[str, int]] = []
        self.tls_names: list[str | None] = []
        self.sent = b""

    def resolve(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        if host not in self.names:
            raise OSError("no such name")
        return [(2, 1, 6, "", (address, port)) for address in self.names[host]]

    def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.NetworkStream:
        self.dialled.append((host, port))
        if host in self.dead:
            raise httpcore.ConnectError("refused")
        return Stream(self, self.answers.pop(0) if self.answers else b"")


def fetch(network: Network, url: str = "https://cdn.test/a.png", **rules: Any) -> bytes:
    return fetch_picture(url, rules=FetchRules(**rules), resolver=network.resolve, backend=network)


def test_a_picture_of_a_public_host_is_fetched_from_the_address_that_was_checked() -> None:
    network = Network(answer())
    assert fetch(network) == BODY
    assert network.asked == ["cdn.test"]
    assert network.dialled == [(PUBLIC, 443)]
    assert network.tls_names == ["cdn.test"]


def test_the_request_carries_no_cookie_token_or_referrer() -> None:
    network = Network(answer(302, b"", Location="/b.png?x=1", Set_Cookie="a=b"), answer())
    assert fetch(network) == BODY
    requests = network.sent.decode().strip().split("\r\n\r\n")
    assert [r.splitlines()[0] for r in requests] == ["GET /a.png HTTP/1.1", "GET /b.png?x=1 HTTP/1.1"]
    for request in requests:
        names = sorted(line.split(":")[0] for line in request.splitlines()[1:])
        assert names == ["Accept", "Accept-Encoding", "Connection", "Host", "User-Agent"]
    assert network.asked == ["cdn.test"], "a host is resolved once, redirects included"


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.test/a.png",
        "file:///etc/passwd",
        "ftp://cdn.test/a.png",
        "gopher://cdn.test:6379/_x",
        "data:image/png;base64,AAAA",
        "//cdn.test/a.png",
        "/a.png",
        "",
        "https:///a.png",
        "https://user@cdn.test/a.png",
        "https://user:word@cdn.test/a.png",
        "https://cdn.test\\@cdn.test/a.png",
        "https://cdn.test:8443/a.png",
        "https://cdn.test:0/a.png",
        "https://cdn.test:99999/a.png",
        "https://cdn.test:port/a.png",
        "https://cdn\x00.test/",
        "https://１２７.０.０.１/",
        "https://[::1",
    ],
)
def test_an_address_outside_the_rules_is_refused_before_anything_is_resolved(url: str) -> None:
    network = Network(answer())
    with pytest.raises(PictureRefused):
        fetch(network, url)
    assert network.asked == []
    assert network.dialled == []


@pytest.mark.parametrize("bad", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "64:ff9b::7f00:1", "224.0.0.1"])
def test_one_bad_address_among_the_answers_refuses_them_all(bad: str) -> None:
    network = Network(answer(), names={"cdn.test": [PUBLIC, bad]})
    with pytest.raises(PictureRefused, match=r"host cdn\.test leads to an address that is not public"):
        fetch(network)
    assert network.dialled == []


def test_a_redirect_is_checked_like_the_first_address() -> None:
    names = {"cdn.test": [PUBLIC], "inside.test": ["127.0.0.1"]}
    for target in (
        "https://inside.test/",
        "http://cdn.test/",
        "file:///etc/passwd",
        "https://cdn.test:22/",
    ):
        network = Network(answer(302, b"", Location=target), answer(), names=names)
        with pytest.raises(PictureRefused):
            fetch(network)
        assert network.dialled == [(PUBLIC, 443)]


def test_a_redirect_outside_the_allow_list_is_refused() -> None:
    names = {"cdn.test": [PUBLIC], "other.test": [PUBLIC]}
    network = Network(answer(302, b"", Location="https://other.test/"), answer(), names=names)
    with pytest.raises(PictureRefused, match=r"other\.test is not on"):
        fetch(network, hosts=("cdn.test",))


def test_two_redirects_are_followed_and_a_third_is_not() -> None:
    hop = answer(302, b"", Location="/next")
    assert fetch(Network(hop, hop, answer())) == BODY
    with pytest.raises(PictureRefused, match="more than 2 redirects"):
        fetch(Network(hop, hop, hop, answer()))
    with pytest.raises(PictureRefused, match="redirects to nowhere"):
        fetch(Network(answer(302, b"")))


def test_the_allow_list_takes_a_host_and_its_subdomains_and_nothing_that_only_ends_alike() -> None:
    rules = FetchRules(hosts=(" CDN.Test. ", "例え.test"))
    assert rules.hosts == ("cdn.test", "xn--r8jz45g.test")
    names = {host: [PUBLIC] for host in ("cdn.test", "a.b.cdn.test", "evilcdn.test", "cdn.test.evil")}
    for host in ("cdn.test", "a.b.cdn.test", "CDN.TEST"):
        network = Network(answer(), names=names)
        assert fetch(network, f"https://{host}/a", hosts=("cdn.test",)) == BODY
    for host in ("evilcdn.test", "cdn.test.evil", "test"):
        with pytest.raises(PictureRefused, match="list of picture hosts"):
            fetch(Network(answer(), names=names), f"https://{host}/a", hosts=("cdn.test",))


@pytest.mark.parametrize("entry", ["", "https://cdn.test", "*.cdn.test", "cdn.test:9000", "cdn.test/x", "a b", "a@b"])
def test_an_allow_list_entry_that_is_no_host_name_is_an_error_when_the_rules_are_made(entry: str) -> None:
    with pytest.raises(ValidationError, match="bare host name"):
        FetchRules(hosts=(entry,))


def test_http_needs_the_accounts_word_and_private_networks_need_another() -> None:
    names = {"shop.test": ["172.18.0.4"], "meta.test": ["169.254.169.254"]}
    with pytest.raises(PictureRefused):
        fetch(Network(answer(), names=names), "http://shop.test/a", allow_http=True)
    network = Network(answer(), names=names)
    assert fetch(network, "http://shop.test:9000/a", allow_http=True, allow_private=True) == BODY
    assert network.dialled == [("172.18.0.4", 9000)]
    with pytest.raises(PictureRefused):
        fetch(Network(answer(), names=names), "http://meta.test/a", allow_http=True, allow_private=True)
    with pytest.raises(PictureRefused, match="port"):
        fetch(Network(names=names), "http://shop.test:9000/a", allow_http=True, allow_private=True, ports=(80,))


@pytest.mark.parametrize("status", [204, 206, 401, 403, 404, 408, 410, 418, 425, 429, 500, 502, 503, 504])
def test_a_status_says_whether_trying_again_helps(status: int) -> None:
    again = status >= 500 or status in (408, 425, 429)
    with pytest.raises(PictureUnreachable, match=rf"cdn\.test answered {status}") as caught:
        fetch(Network(answer(status, b"")))
    assert caught.value.retryable is again
    assert PictureUnreachable.retryable is True


def test_what_the_network_does_wrong_may_work_later() -> None:
    for network in (
        Network(names={}),
        Network(names={"cdn.test": []}),
        Network(answer(), dead=[PUBLIC]),
        Network(b""),
        Network(b"SSH-2.0-OpenSSH\r\n"),
        Network(answer()[:-3]),
        Network(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nabcdefg"),
        Network(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000),
    ):
        with pytest.raises(PictureUnreachable) as caught:
            fetch(network)
        assert caught.value.retryable is True


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    network = Network(answer(), names={"cdn.test": ["2606:2800:220:1::1", PUBLIC]}, dead=["2606:2800:220:1::1"])
    assert fetch(network) == BODY
    assert [address for address, _ in network.dialled] == ["2606:2800:220:1::1", PUBLIC]


def test_a_body_over_the_limit_is_refused_whether_it_was_declared_or_not() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n"
    until_close = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000
    for network in (Network(answer(200, b"x" * 1001)), Network(chunked * 1), Network(until_close)):
        with pytest.raises(PictureRefused, match="larger than 1000 bytes"):
            fetch(network, max_bytes=1000)
    assert len(fetch(Network(answer(200, b"x" * 1000)), max_bytes=1000)) == 1000


def test_a_huge_declared_length_is_refused_before_the_body_is_read() -> None:
    network = Network(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999\r\n\r\n")
    with pytest.raises(PictureRefused, match="larger than"):
        fetch(network)


def test_a_compressed_body_is_refused() -> None:
    for encoding in ("gzip", "br", "deflate, gzip"):
        with pytest.raises(PictureRefused, match="compressed"):
            fetch(Network(answer(Content_Encoding=encoding)))
    assert fetch(Network(answer(Content_Encoding="identity"))) == BODY


def test_the_declared_content_type_is_not_believed_either_way() -> None:
    for kind in ("text/html", "image/png", "application/octet-stream", "nonsense"):
        assert fetch(Network(answer(Content_Type=kind))) == BODY


def test_a_name_server_that_never_answers_ends_at_the_deadline() -> None:
    network = Network(answer())

    def drip(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        time.sleep(1.0)
        return []

    began = time.monotonic()
    with pytest.raises(PictureUnreachable, match="too long to resolve"):
        fetch_picture("https://cdn.test/", rules=FetchRules(total_s=0.1), resolver=drip, backend=network)
    assert time.monotonic() - began < 0.8


def test_no_error_text_names_path_query_or_user() -> None:
    secret = "s3cr3t"
    url = f"https://cdn.test/{secret}?token={secret}"
    names = {"cdn.test": [PUBLIC], "in.test": ["10.0.0.1"]}
    networks = [
        Network(names={}),
        Network(answer(404, b"")),
        Network(answer(500, b"")),
        Network(b"junk"),
        Network(answer(302, b"", Location=f"https://in.test/{secret}"), names=names),
        Network(answer(302, b"", Location=f"https://{secret}:{secret}@cdn.test/")),
        Network(answer(302, b"", Location=f"file:///{secret}")),
        Network(answer(200, b"x" * 20)),
    ]
    for network in networks:
        with pytest.raises(PictureError) as caught:
            fetch(network, url, max_bytes=10)
        assert secret not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    for bad in (f"https://{secret}@cdn.test/{secret}", f"https://cdn.test:{secret}/", f"http://cdn.test/{secret}"):
        with pytest.raises(PictureRefused) as refused:
            fetch(Network(), bad)
        assert secret not in str(refused.value)


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60) | st.text(max_size=40).map(lambda rest: "https://" + rest))
@example("https://[fe80::1%25eth0]/")
@example("https://a%2eb/")
@example("https://" + "a" * 300 + "/")
@example("https://.cdn.test/")
@example("https://xn--/")
@example("https://\ud800/")
def test_no_text_makes_a_fetch_fail_with_anything_but_a_picture_error(url: str) -> None:
    network = Network(answer(), names={})
    with pytest.raises(PictureError):
        fetch(network, url)
    assert network.dialled == []


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda rest: b"HTTP/1.1 302 Found\r\nLocation: " + rest))
def test_no_answer_makes_a_fetch_fail_with_anything_but_a_picture_error(raw: bytes) -> None:
    try:
        body = fetch(Network(raw, answer(), answer()))
    except PictureError:
        return
    assert isinstance(body, bytes)


def test_a_data_address_gives_its_bytes() -> None:
    encoded = base64.b64encode(BODY).decode()
    for head in ("data:image/png;base64,", "DATA:;BASE64,", "data:image/svg+xml;charset=utf-8;base64,"):
        assert decode_data_url(head + encoded) == BODY
    assert decode_data_url("data:;base64,") == b""


@pytest.mark.parametrize(
    "text", ["", "data:", "data:image/png,abc", "image/png;base64,AAAA", " data:;base64,AAAA", "https://x"]
)
def test_what_is_no_base64_data_address_is_refused(text: str) -> None:
    with pytest.raises(PictureRefused):
        decode_data_url(text)


@pytest.mark.parametrize(
    "text", ["A", "AAA", "AA==AAAA", "AAAA=", "AA A", "AAAA\n", "AA%3D%3D", "A-_A", "ＡＡＡＡ", "é===", "=AAA"]
)
def test_loose_base64_is_unreadable(text: str) -> None:
    with pytest.raises(PictureUnreadable):
        decode_data_url("data:image/png;base64," + text)


def test_a_data_address_over_the_limit_is_refused_without_decoding_it() -> None:
    def encode(size: int) -> str:
        return "data:;base64," + base64.b64encode(b"x" * size).decode()

    assert len(decode_data_url(encode(1000), max_bytes=1000)) == 1000
    for size in (1001, 1002, 5000):
        with pytest.raises(PictureRefused, match="larger than 1000 bytes"):
            decode_data_url(encode(size), max_bytes=1000)
    with pytest.raises(PictureRefused, match="larger than 1000 bytes"):
        decode_data_url("data:;base64," + "!" * 5000, max_bytes=1000)


@given(st.text(max_size=80) | st.text(max_size=60).map(lambda rest: "data:image/png;base64," + rest))
def test_no_text_makes_a_data_address_fail_with_anything_but_a_picture_error(text: str) -> None:
    with contextlib.suppress(PictureError):
        assert isinstance(decode_data_url(text), bytes)
