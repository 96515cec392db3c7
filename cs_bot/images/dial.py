"""Dial only addresses that were resolved and checked here, and end every read and write by one deadline."""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from cs_bot.errors import PictureRefused, PictureUnreachable

Resolver = Callable[..., Iterable[tuple[Any, ...]]]  # shaped like socket.getaddrinfo

_CONNECT_S = 3.0
_MOST_ADDRESSES = 4


def shown(host: str) -> str:
    """A host as an error text may name it."""
    return host if len(host) <= 80 else host[:77] + "..."


class Deadline(httpcore.NetworkStream):
    """A stream whose every read and write ends by `end`, so that dripping headers or bodies can't outlast it."""

    def __init__(self, stream: httpcore.NetworkStream, end: float) -> None:
        self._stream, self._end = stream, end

    def _left(self, timeout: float | None) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("out of time")
        return left if timeout is None else min(timeout, left)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return Deadline(self._stream.start_tls(ssl_context, server_hostname, self._left(timeout)), self._end)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class Guard(httpcore.NetworkBackend):
    """Opens sockets only to addresses that it has resolved and checked itself: nothing to rebind in between."""

    def __init__(
        self, allows: Callable[[str], bool], end: float, resolver: Resolver, backend: httpcore.NetworkBackend
    ) -> None:
        self._allows, self._end, self._resolver, self._backend = allows, end, resolver, backend
        self._known: dict[tuple[str, int], list[str]] = {}

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        last: Exception = httpcore.ConnectTimeout("out of time")
        for address in self._addresses(host, port)[:_MOST_ADDRESSES]:
            left = self._end - time.monotonic()
            if left <= 0:
                break
            try:
                stream = self._backend.connect_tcp(address, port, min(_CONNECT_S, left), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as problem:
                last = problem
            else:
                return Deadline(stream, self._end)
        raise last

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise PictureRefused("pictures are not fetched from unix sockets")

    def _addresses(self, host: str, port: int) -> list[str]:
        if (host, port) not in self._known:
            answers = _resolve(self._resolver, host, port, self._end - time.monotonic())
            if not all(self._allows(address) for address in answers):
                raise PictureRefused(f"host {shown(host)} leads to an address that is not public")
            self._known[host, port] = answers
        return self._known[host, port]


def _resolve(resolver: Resolver, host: str, port: int, left_s: float) -> list[str]:
    """The host's addresses without repeats. In a thread: a name server that drips can't outlast the deadline."""
    answers: queue.Queue[list[str] | Exception] = queue.Queue()

    def ask() -> None:
        try:
            infos = resolver(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(info[4][0]) for info in infos)))
        except Exception as problem:  # handed to the asking thread, which decides
            answers.put(problem)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=max(0.01, left_s))
    except queue.Empty:
        raise PictureUnreachable(f"the name of {shown(host)} took too long to resolve") from None
    if isinstance(answer, ValueError):
        raise PictureRefused("the picture address is malformed")
    if isinstance(answer, OSError) or answer == []:
        raise PictureUnreachable(f"the name of {shown(host)} can't be resolved")
    if isinstance(answer, Exception):
        raise answer
    return answer
