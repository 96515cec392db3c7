"""The fetch against real loopback servers, HTTP and HTTPS: what is refused never reaches them."""

import contextlib
import gzip
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpcore
import pytest

from cs_bot.errors import PictureRefused, PictureUnreachable
from cs_bot.images import FetchRules, fetch_picture

TLS = Path(__file__).parents[1] / "data" / "tls"
PUBLIC = "93.184.216.34"  # a public address that the tests' backend leads to the loopback server
PICTURE = b"\x89PNG\r\n\x1a\n" + b"0" * 5000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server.hits.append((self.headers["Host"], self.path))
        with contextlib.suppress(OSError):  # the other side hangs up in the middle: that is what is tested
            getattr(self, "give_" + self.path.strip("/").partition("?")[0])()

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drip(self, piece: bytes) -> None:
        while not self.server.stopping.wait(0.05):
            self.wfile.write(piece)
            self.wfile.flush()

    def give_ok(self) -> None:
        self.send(200, PICTURE, Content_Type="image/png")

    def give_html(self) -> None:
        self.send(200, PICTURE, Content_Type="text/html")

    def give_metadata(self) -> None:
        self.send(302, Location="http://169.254.169.254/latest/meta-data/")

    def give_loopback(self) -> None:
        self.send(302, Location=f"http://127.0.0.1:{self.server.server_port}/ok")

    def give_file(self) -> None:
        self.send(302, Location="file:///etc/passwd")

    def give_loop(self) -> None:
        self.send(302, Location="/loop")

    def give_rebind(self) -> None:
        self.send(302, Location=f"http://rebind.test:{self.server.server_port}/ok")

    def give_gzip(self) -> None:
        self.send(200, gzip.compress(b"0" * 20_000_000), Content_Type="image/png", Content_Encoding="gzip")

    def give_endless(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not self.server.stopping.is_set():
            self.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    def give_slow_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        self.drip(b"X-A: 1\r\n")

    def give_slow_body(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        self.drip(b"x")

    def give_endless_continue(self) -> None:
        self.drip(b"HTTP/1.1 100 Continue\r\n\r\n")

    def give_silence(self) -> None:
        self.server.stopping.wait(5)

    def give_late_silence(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(8):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.1)
        self.server.stopping.wait(5)

    def give_hang_up(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nxxx")
        self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hits: list[tuple[str, str]] = []
        self.stopping = threading.Event()
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, *_: Any) -> None:
        """A refused handshake is expected here."""

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()


class Detour(httpcore.SyncBackend):
    """Real sockets; the one public address of these tests is dialled on loopback, all others as they are."""

    def __init__(self) -> None:
        self.dialled: list[str] = []

    def connect_tcp(self, host: str, *rest: Any, **named: Any) -> httpcore.NetworkStream:
        self.dialled.append(host)
        return super().connect_tcp("127.0.0.1" if host == PUBLIC else host, *rest, **named)


@dataclass
class Names:
    """A resolver with a few names of its own; IP literals and localhost are resolved by the system."""

    asked: list[str] = field(default_factory=list)

    def __call__(self, host: str, port: int, **named: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        own = {
            "pictures.test": [PUBLIC],
            "other.test": [PUBLIC],
            "mixed.test": [PUBLIC, "127.0.0.1"],
            "rebind.test": [PUBLIC] if self.asked.count("rebind.test") == 1 else ["127.0.0.1"],
        }
        if host in own:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in own[host]]
        return list(socket.getaddrinfo(host, port, **named))


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


def fetch(server: Server, url: str, tls: ssl.SSLContext | None = None, **changed: Any) -> bytes:
    rules = FetchRules(**{"allow_http": True, "ports": (server.server_port, 80, 443), "total_s": 5.0, **changed})
    return fetch_picture(url, rules=rules, resolver=Names(), backend=Detour(), tls=tls)


def address(server: Server, path: str, host: str = "pictures.test") -> str:
    return f"http://{host}:{server.server_port}/{path}"


def test_a_picture_is_fetched_and_the_host_is_told_its_own_name(server: Server) -> None:
    assert fetch(server, address(server, "ok?width=80")) == PICTURE
    assert server.hits == [(f"pictures.test:{server.server_port}", "/ok?width=80")]


BAD = [
    "http://127.0.0.1:PORT/ok",
    "http://localhost:PORT/ok",
    "http://2130706433:PORT/ok",
    "http://0x7f000001:PORT/ok",
    "http://0177.0.0.1:PORT/ok",
    "http://127.1:PORT/ok",
    "http://0:PORT/ok",
    "http://0.0.0.0:PORT/ok",
    "http://[::1]:PORT/ok",
    "http://[::]:PORT/ok",
    "http://[::ffff:127.0.0.1]:PORT/ok",
    "http://[::ffff:7f00:1]:PORT/ok",
    "http://[::127.0.0.1]:PORT/ok",
    "http://[64:ff9b::7f00:1]:PORT/ok",
    "http://[64:ff9b:1::7f00:1]:PORT/ok",
    "http://[2002:7f00:1::]:PORT/ok",
    "http://[2001:0:7f00:1::]:PORT/ok",
    "http://[fe80::1%25lo]:PORT/ok",
    "http://[fd00:ec2::254]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.100.100.200/latest/meta-data/",
    "http://224.0.0.1:PORT/ok",
    "http://255.255.255.255:PORT/ok",
    "http://１２７.０.０.１:PORT/ok",
    "http://①②⑦.⓪.⓪.①:PORT/ok",
    "http://127。0。0。1:PORT/ok",
    "http://pictures.test@127.0.0.1:PORT/ok",
    "http://127.0.0.1:PORT\\@pictures.test/ok",
    "http://mixed.test:PORT/ok",
    "http://pictures.test:22/ok",
    "https://127.0.0.1:PORT/ok",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/_x",
    "ftp://127.0.0.1:PORT/ok",
    "http:///ok",
    "//127.0.0.1:PORT/ok",
]


@pytest.mark.parametrize("url", BAD)
def test_a_bad_address_is_refused_and_nothing_reaches_the_server(server: Server, url: str) -> None:
    with pytest.raises(PictureRefused):
        fetch(server, url.replace("PORT", str(server.server_port)))
    assert server.hits == []


def test_the_same_loopback_address_is_reached_when_the_account_opens_private_networks(server: Server) -> None:
    assert fetch(server, address(server, "ok", "127.0.0.1"), allow_private=True) == PICTURE


def test_a_name_that_changes_its_answer_is_asked_once_and_dialled_where_it_was_checked(server: Server) -> None:
    names, detour = Names(), Detour()
    rules = FetchRules(allow_http=True, ports=(server.server_port,))
    url = address(server, "ok", "rebind.test")
    assert fetch_picture(url, rules=rules, resolver=names, backend=detour) == PICTURE
    assert (names.asked, detour.dialled) == (["rebind.test"], [PUBLIC])
    with pytest.raises(PictureRefused):
        fetch_picture(url, rules=rules, resolver=names, backend=detour)
    assert detour.dialled == [PUBLIC]
    assert len(server.hits) == 1


def test_a_redirect_to_a_rebinding_name_dials_the_checked_address_only(server: Server) -> None:
    names, detour = Names(), Detour()
    rules = FetchRules(allow_http=True, ports=(server.server_port,))
    assert fetch_picture(address(server, "rebind"), rules=rules, resolver=names, backend=detour) == PICTURE
    assert (names.asked, detour.dialled) == (["pictures.test", "rebind.test"], [PUBLIC, PUBLIC])


@pytest.mark.parametrize(("path", "hits"), [("metadata", 1), ("loopback", 1), ("file", 1), ("loop", 3)])
def test_a_redirect_to_somewhere_bad_ends_there(server: Server, path: str, hits: int) -> None:
    with pytest.raises(PictureRefused):
        fetch(server, address(server, path))
    assert [seen for _, seen in server.hits] == [f"/{path}"] * hits


@pytest.mark.parametrize("path", ["slow_headers", "slow_body", "endless_continue", "silence"])
def test_a_slow_answer_ends_at_the_deadline(server: Server, path: str) -> None:
    began = time.monotonic()
    with pytest.raises(PictureUnreachable, match=r"pictures\.test took too long") as caught:
        fetch(server, address(server, path), total_s=0.6)
    assert 0.5 < time.monotonic() - began < 2.0
    assert caught.value.retryable


def test_silence_after_a_good_start_ends_at_the_same_deadline(server: Server) -> None:
    began = time.monotonic()
    with pytest.raises(PictureUnreachable, match="took too long"):
        fetch(server, address(server, "late_silence"), total_s=1.0)
    assert time.monotonic() - began < 1.6


def test_an_endless_body_ends_at_the_byte_limit(server: Server) -> None:
    with pytest.raises(PictureRefused, match="larger than 1000000 bytes"):
        fetch(server, address(server, "endless"), max_bytes=1_000_000)


def test_a_compressed_body_is_refused_without_being_read(server: Server) -> None:
    with pytest.raises(PictureRefused, match="compressed"):
        fetch(server, address(server, "gzip"))


def test_a_body_that_breaks_off_may_work_later(server: Server) -> None:
    with pytest.raises(PictureUnreachable) as caught:
        fetch(server, address(server, "hang_up"))
    assert caught.value.retryable


def test_the_declared_type_is_not_believed(server: Server) -> None:
    assert fetch(server, address(server, "html")) == PICTURE


def test_a_host_outside_the_allow_list_is_refused(server: Server) -> None:
    with pytest.raises(PictureRefused):
        fetch(server, address(server, "ok"), hosts=("cdn.test",))
    assert server.hits == []
    assert fetch(server, address(server, "ok"), hosts=("cdn.test", "pictures.test")) == PICTURE


def test_a_port_where_nobody_listens_may_work_later(server: Server) -> None:
    server.stop()
    with pytest.raises(PictureUnreachable) as caught:
        fetch(server, address(server, "ok"))
    assert caught.value.retryable


def test_proxies_of_the_environment_are_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert fetch(server, address(server, "ok")) == PICTURE


@pytest.fixture
def tls_server() -> Iterator[tuple[Server, list[str | None]]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "pictures.test.pem", TLS / "pictures.test.key")
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    server = Server(context)
    yield server, names
    server.stop()


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(TLS / "pictures.test.pem"))


def test_tls_speaks_to_the_name_while_the_checked_address_is_dialled(
    tls_server: tuple[Server, list[str | None]],
) -> None:
    server, names = tls_server
    url = f"https://pictures.test:{server.server_port}/ok"
    assert fetch(server, url, tls=trusting(), allow_http=False) == PICTURE
    assert names == ["pictures.test"]


def test_a_certificate_for_another_name_is_refused(tls_server: tuple[Server, list[str | None]]) -> None:
    server, names = tls_server
    with pytest.raises(PictureRefused, match=r"the certificate of other\.test"):
        fetch(server, f"https://other.test:{server.server_port}/ok", tls=trusting())
    assert names == ["other.test"]
    assert server.hits == []


def test_a_certificate_that_nobody_vouches_for_is_refused(tls_server: tuple[Server, list[str | None]]) -> None:
    server, _ = tls_server
    with pytest.raises(PictureRefused, match="certificate"):
        fetch(server, f"https://pictures.test:{server.server_port}/ok")
    assert server.hits == []


def test_a_server_that_never_shakes_hands_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        rules = FetchRules(ports=(port,), total_s=0.5)
        url = f"https://pictures.test:{port}/"
        with pytest.raises(PictureUnreachable, match="took too long"):
            fetch_picture(url, rules=rules, resolver=Names(), backend=Detour(), tls=trusting())
        assert time.monotonic() - began < 2.0
