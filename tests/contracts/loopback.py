"""A platform on loopback that answers as it is told: any status, hang, reset, drip, or take it and drop the line."""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Request:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Platform:
    """`behaviours` are taken one a request, then everything is `200`. `shown` has each webhook-id once."""

    behaviours: list[str] = field(default_factory=list)
    dedupes: bool = True
    requests: list[Request] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    port: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def serve(self, listener: socket.socket) -> None:
        """Accept until told to stop; a thread a connection."""
        threads = []
        while not self.stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                break
            thread = threading.Thread(target=self._one, args=(connection,), daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join(5)

    def _one(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                request = read_request(connection)
                if request is None:
                    return
                self.requests.append(request)
                self._behave(connection, request, self.behaviours.pop(0) if self.behaviours else "200")
            except OSError:
                return  # the other side has gone: what some behaviours are about

    def _behave(self, connection: socket.socket, request: Request, behaviour: str) -> None:
        if behaviour == "hang":
            self.stop.wait(5)
        elif behaviour == "drip":
            for _ in range(50):
                connection.sendall(b"H")
                if self.stop.wait(0.1):
                    return
        elif behaviour == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif behaviour == "take and drop":
            self._take(request)
        elif behaviour == "nonsense":
            connection.sendall(b"I am no web server\r\n\r\n")
        else:
            status, _, header = behaviour.partition(" ")
            if request.method == "GET":
                status = "200" if request.path.rsplit("/", 1)[-1] in self.shown else "404"
            elif status.startswith("2"):
                self._take(request)
            extra = f"{header}\r\n" if header else ""
            body = b'{"detail": "SECRET-BODY"}'
            connection.sendall(
                f"HTTP/1.1 {status} X\r\n{extra}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body
            )

    def _take(self, request: Request) -> None:
        name = request.headers.get("webhook-id", "")
        if not (self.dedupes and name in self.shown):
            self.shown.append(name)

    def json(self) -> dict[str, object]:
        """The body of the newest request."""
        found: dict[str, object] = json.loads(self.requests[-1].body)
        return found


def read_request(connection: socket.socket) -> Request | None:
    """One HTTP/1.1 request with a content-length; None when the line ends early."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        more = connection.recv(65536)
        if not more:
            return None
        body += more
    method, path, _ = first.split(" ")
    return Request(method, path, headers, body)


@contextmanager
def platform(**values: object) -> Iterator[Platform]:
    """A running platform."""
    one = Platform(**values)  # type: ignore[arg-type]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        one.port = listener.getsockname()[1]
        thread = threading.Thread(target=one.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield one
        finally:
            one.stop.set()
            thread.join(6)
