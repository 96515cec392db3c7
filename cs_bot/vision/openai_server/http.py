"""One pool of connections to one server: every request ends by its deadline, whatever the server does."""

import functools
import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpcore
import httpx

from cs_bot.errors import EngineError, EngineTimeout
from cs_bot.vision.openai_server.waiting import retry_after

CONNECT_S = 3.0
MAX_BODY = 4_000_000  # bytes of one answer; 512 tokens with 20 likelihoods each take about 1 MB
KEEP_S = 30.0
_now = threading.local()  # each thread makes one request at a time: when it must end


class Answer(NamedTuple):
    """Status, body, and how long the server asks to wait."""

    status: int
    body: bytes
    retry_after_s: float | None


class Unreached(EngineError):
    """The server could not be reached, or the line broke."""


class Pool:
    """Connections to the server at `url`, `most` at once. The key is only ever put into a header."""

    def __init__(self, url: str, key: str | None, most: int) -> None:
        self._url, self._key = url, key
        self._closed = False
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls() if url.startswith("https:") else None,
            max_connections=most,
            max_keepalive_connections=most,
            keepalive_expiry=KEEP_S,
            network_backend=_Clocked(),
        )

    @property
    def host(self) -> str:
        """Where it is, for people."""
        return urlsplit(self._url).netloc

    def request(self, method: str, path: str, body: bytes | None, until: float) -> Answer:
        """Ask once. Raises Unreached, or EngineTimeout when `until` (time.monotonic) is reached first."""
        if self._closed:
            raise EngineError("the engine is closed")
        left = until - time.monotonic()
        if left <= 0:
            raise EngineTimeout("no time was left for the server")
        _now.until = until
        timeouts = {"connect": min(CONNECT_S, left), "read": left, "write": left, "pool": left}
        try:
            with self._pool.stream(
                method, self._url + path, headers=self._headers(body), content=body, extensions={"timeout": timeouts}
            ) as response:
                found = {name.lower(): value for name, value in response.headers}
                wait = retry_after(found.get(b"retry-after", b"").decode("latin-1"))
                return Answer(response.status, _read(response.iter_stream(), until), wait)
        except httpcore.ConnectTimeout:
            raise Unreached("the server did not answer the dial") from None
        except httpcore.TimeoutException:
            raise EngineTimeout("the server gave no answer in time") from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as problem:
            raise Unreached(f"the line to the server broke ({type(problem).__name__})") from None
        finally:
            if self._closed:  # meanwhile: what was opened since would stay open
                self._pool.close()

    def close(self) -> None:
        """Close all connections; those that are being used end with an error."""
        self._closed = True
        self._pool.close()

    def _headers(self, body: bytes | None) -> list[tuple[bytes | str, bytes | str]]:
        said: dict[bytes | str, bytes | str] = {
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "cs-bot",
        }
        said["host"] = httpx.URL(self._url).netloc.decode("ascii")
        if self._key:
            said["authorization"] = f"Bearer {self._key}"
        if body is not None:
            said |= {"content-type": "application/json", "content-length": str(len(body))}
        return list(said.items())


def _read(chunks: Iterable[bytes], until: float) -> bytes:
    kept, size = [], 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_BODY:
            raise EngineError("the server's answer is too long")
        if time.monotonic() > until:
            raise EngineTimeout("the server did not come to an end in time")
        kept.append(chunk)
    return b"".join(kept)


class _Clocked(httpcore.NetworkBackend):
    """Opens sockets whose reads and writes end by the asking thread's moment, so that a drip can't outlast it."""

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._backend.connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    """A kept connection serves one request after the other: the moment is looked up at each read."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None) -> float:
    left = float(_now.until) - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("out of time")
    return left if timeout is None else min(timeout, left)


@functools.lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # certifi's roots, or those of SSL_CERT_FILE
