"""One HTTP request to a platform: no proxy, no redirect, no reused connection, one wall clock, a clear outcome."""

import email.utils
import functools
import re
import ssl
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpcore
import httpx

from cs_bot.images.dial import Deadline
from cs_bot.records import Receipt, SendState

LONGEST_RETRY_AFTER_S = 86_400.0


class Clocked(httpcore.NetworkBackend):
    """Opens sockets whose every read and write ends by one moment; `opened` tells whether a byte could have left."""

    def __init__(self, end: float) -> None:
        self._end, self._backend = end, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = self._end - time.monotonic()
        return Deadline(
            self._backend.connect_tcp(host, port, max(0.01, left), local_address, socket_options), self._end
        )


class Answered:
    """The platform's answer: a status and, where it said so, how long to wait."""

    def __init__(self, status: int, retry_after_s: float | None) -> None:
        self.status, self.retry_after_s = status, retry_after_s


def request(
    method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"", timeout_s: float, now: datetime
) -> Answered | httpcore.TimeoutException | httpcore.NetworkError | httpcore.ProtocolError:
    """Ask once; the network's errors are returned, not raised. The answer's body is not read.

    `timeout_s` covers connecting, sending and the answer's headers together (a slow name server comes on top: the
    system's resolver has its own limit). Every request opens its own connection: on a reused one nobody can tell
    whether a reset came before or after the request was taken.
    """
    said = {"accept-encoding": "identity", "user-agent": "cs-bot", "connection": "close"} | dict(headers)
    if body:
        said |= {"content-type": "application/json", "content-length": str(len(body))}
    target = httpx.URL(url)
    said["host"] = target.netloc.decode("ascii")
    backend = Clocked(time.monotonic() + timeout_s)
    address = _core_url(target)
    with httpcore.HTTPConnection(address.origin, ssl_context=_tls(), network_backend=backend) as connection:
        try:
            with connection.stream(method, address, headers=list(said.items()), content=body or None) as response:
                found = {name.lower(): value for name, value in response.headers}
                wait = retry_after(found.get(b"retry-after", b"").decode("latin-1"), now)
                return Answered(response.status, wait)
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as problem:
            return problem


def outcome(answer: Answered | Exception) -> Receipt:
    """What one answer to a send means.

    2xx: sent. 429: surely not sent. Any other status below 500 is a refusal for good. When the connection could not
    even be opened (refused, no such name, no answer to the dial, TLS) nothing has left: surely not sent. Everything
    else (timeout, reset, broken answer, 5xx) may have arrived: unknown.
    """
    if not isinstance(answer, Answered):
        before = isinstance(answer, httpcore.ConnectError | httpcore.ConnectTimeout)
        return Receipt(state=SendState.NOT_SENT if before else SendState.UNKNOWN, detail=type(answer).__name__)
    if 200 <= answer.status < 300:
        state = SendState.SENT
    elif answer.status == 429:
        state = SendState.NOT_SENT
    elif answer.status < 500:
        state = SendState.FAILED
    else:
        state = SendState.UNKNOWN
    return Receipt(state=state, retry_after_s=answer.retry_after_s, detail=str(answer.status))


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds to wait as a Retry-After header says them (a number or a date), 0 .. a day; None when it says nothing."""
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return min(float(value), LONGEST_RETRY_AFTER_S)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return min(max(0.0, (moment - now).total_seconds()), LONGEST_RETRY_AFTER_S)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _core_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


@functools.lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # certifi's roots, or those of SSL_CERT_FILE
