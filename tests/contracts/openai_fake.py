"""An OpenAI-compatible server on loopback that answers as it is told, and fails in every way that servers fail.

`says` gets each request as an Asked and gives the answer's text. `behaviours` are taken one a request, then all is
well: slow:S, empty, truncated, prose, html, no-choices, drop, drop-half, drip, drip-headers, huge, bad-utf8, or a
status such as 400, 429:0.1, 503:2 (with Retry-After).
"""

import json
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHECKPOINT = "fake/vision-1"
ORDER = {
    "order_id": "112-1234567-7654321",
    "amount": "55.38",
    "currency": "USD",
    "status": "shipped",
    "status_text": "Shipped",
    "order_time": "2026-11-03",
    "several_orders": False,
}
DRESS = {
    "where": "whole",
    "category": "dress",
    "brand": "unreadable",
    "colour": "red",
    "material": "unreadable",
    "style": "long, floral",
    "code": "unreadable",
}


@dataclass(frozen=True)
class Asked:
    """One chat request. `task` is classify, read or answer; `form` the type of its response_format."""

    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def system(self) -> str:
        """The system text."""
        return str(self.body["messages"][0]["content"])

    @property
    def text(self) -> str:
        """The user's text, without the pictures."""
        content = self.body["messages"][1]["content"]
        return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)

    @property
    def pictures(self) -> list[str]:
        """Data URLs in order; fails unless they stand before the text."""
        content = self.body["messages"][1]["content"]
        parts = [] if isinstance(content, str) else content
        kinds = [part["type"] for part in parts]
        assert kinds == sorted(kinds), "pictures come before the text"
        return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]

    @property
    def task(self) -> str:
        """What is asked."""
        first = self.text.partition("\n")[0]
        if "what kind of picture" in first:
            return "classify"
        return "answer" if "write the shop's reply" in first else "read"

    @property
    def form(self) -> str:
        """How the shape of the answer is asked for."""
        return str(self.body.get("response_format", {}).get("type", ""))


def sensible(asked: Asked) -> str:
    """What a good checkpoint would say: a red dress, the order above, a reply with the first slot."""
    if asked.task == "classify":
        return "product"
    if asked.task == "read":
        return json.dumps(ORDER if "order_id" in asked.text else {"items": [DRESS]})
    slots = re.findall(r"^\| (\{[a-z0-9_.]+\}) = ", asked.text, re.MULTILINE)
    return json.dumps(
        {"reply": f"您好，{slots[0]} 请您看看。" if slots else "您好，我先核实一下。"}, ensure_ascii=False
    )


def of_kind(kind: str, read: dict[str, Any] | None = None) -> Callable[[Asked], str]:
    """Sensible answers about a picture of one kind; `read` is what every reading gives."""

    def says(asked: Asked) -> str:
        if asked.task == "classify":
            return kind
        return json.dumps(read) if read is not None and asked.task == "read" else sensible(asked)

    return says


@dataclass
class FakeServer:
    """The server. `refuses` holds what it answers 400 to: json_schema, json_object, logprobs, top20."""

    says: Callable[[Asked], str] = sensible
    behaviours: list[str] = field(default_factory=list)
    always: str = ""
    refuses: set[str] = field(default_factory=set)
    logprobs: bool = True
    certainty: float = 0.97  # likelihood of each token, where the server tells it
    key: str = ""
    served: tuple[str, ...] = (CHECKPOINT,)
    asked: list[Asked] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    most_at_once: int = 0
    port: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """The address for CSBOT_ENGINE__URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def take(self) -> str:
        """The behaviour for the next request."""
        with self._lock:
            return self.behaviours.pop(0) if self.behaviours else self.always

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Counts how many requests are worked on at once."""
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1

    def refused(self, asked: Asked) -> bool:
        """Whether something in the request is not understood."""
        body = asked.body
        has = {asked.form} | ({"logprobs"} if body.get("logprobs") else set())
        has |= {"top20"} if body.get("top_logprobs", 0) > 5 else set()
        return bool(has & self.refuses)

    def completion(self, asked: Asked, text: str, finish: str = "stop") -> dict[str, Any]:
        """A chat completion."""
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": finish,
            "logprobs": None,
        }
        if self.logprobs and asked.body.get("logprobs"):
            choice["logprobs"] = {"content": self._likelihoods(asked, text)}
        return {"object": "chat.completion", "model": asked.body["model"], "choices": [choice]}

    def _likelihoods(self, asked: Asked, text: str) -> list[dict[str, Any]]:
        rows = []
        for at in range(0, len(text), 3):
            row: dict[str, Any] = {"token": text[at : at + 3], "logprob": math.log(self.certainty)}
            others = ["com", "pro", "order", " scene", "oth", "The"]
            rest = (1 - self.certainty) / len(others)
            likely = [(row["token"], self.certainty), *((t, rest) for t in others if t[:2] != text[:2])]
            most = asked.body.get("top_logprobs", 0)
            row["top_logprobs"] = [{"token": t, "logprob": math.log(max(p, 1e-9))} for t, p in likely[:most]]
            rows.append(row)
        return rows


@contextmanager
def serving(**options: Any) -> Iterator[FakeServer]:
    """A server for the length of the block."""
    fake = FakeServer(**options)

    class Handler(_Handler):
        server_of = fake

    with _Server(("127.0.0.1", fake.port), Handler) as server:
        fake.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            fake.stopping.set()
            for connection in list(fake.connections):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            server.shutdown()
            thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Lines that break are what this server is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: FakeServer

    def setup(self) -> None:
        super().setup()
        self.server_of.connections.add(self.connection)

    def finish(self) -> None:
        super().finish()
        self.server_of.connections.discard(self.connection)

    def do_GET(self) -> None:
        """GET /v1/models."""
        if not self._may_enter():
            return
        if self.path != "/v1/models":
            self._send(404, b"{}")
            return
        rows = [{"id": name, "object": "model"} for name in self.server_of.served]
        self._send(200, json.dumps({"object": "list", "data": rows}).encode())

    def do_POST(self) -> None:
        """POST /v1/chat/completions."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if not self._may_enter():
            return
        asked = Asked(json.loads(body), {name.lower(): value for name, value in self.headers.items()})
        self.server_of.asked.append(asked)
        with self.server_of.busy():
            if self.path != "/v1/chat/completions" or asked.body["model"] not in self.server_of.served:
                self._send(404, b'{"error": {"message": "no such checkpoint"}}')
            elif self.server_of.refused(asked):
                self._send(400, b'{"error": {"message": "not supported"}}')
            else:
                self._behave(self.server_of.take(), asked)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _may_enter(self) -> bool:
        key = self.server_of.key
        if key and self.headers.get("authorization") != f"Bearer {key}":
            self._send(401, b"{}")
            return False
        return True

    def _behave(self, behaviour: str, asked: Asked) -> None:
        name, _, rest = behaviour.partition(":")
        if name == "slow":
            self.server_of.stopping.wait(float(rest))
            name = ""
        if name.isdigit():
            self._send(int(name), b'{"error": {"message": "CANARY-BODY"}}', {"retry-after": rest} if rest else {})
        elif name.startswith(("drop", "drip")):
            self._break(name)
        else:
            self._send(200, self._answer(name, asked))

    def _answer(self, name: str, asked: Asked) -> bytes:
        text = self.server_of.says(asked)
        if name == "bad-utf8":
            return b'{"choices": [{"message": {"content": "\xff\xfe\xfa"}}]}'
        if name == "html":
            return b"<html><body>502 from a proxy that says 200</body></html>"
        if name == "no-choices":
            return b'{"choices": []}'
        if name == "huge":
            return b'{"choices": [{"message": {"content": "' + b"7" * 6_000_000 + b'"}}]}'
        text = {"empty": "", "prose": "I am sorry, I see a nice picture.", "truncated": text[: len(text) // 2]}.get(
            name, text
        )
        finish = "length" if name == "truncated" else "stop"
        return json.dumps(self.server_of.completion(asked, text, finish)).encode()

    def _break(self, name: str) -> None:
        """End or starve the connection in the middle of things."""
        self.close_connection = True
        with suppress(OSError):
            if name == "drop-half":
                self.wfile.write(b'HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{"choices": [')
            elif name == "drip":
                self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 90000\r\n\r\n")
                self._drip()
            elif name == "drip-headers":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
                self._drip()
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    def _drip(self) -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end and not self.server_of.stopping.wait(0.02):
            self.wfile.write(b"x")
            self.wfile.flush()

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.server_of.statuses.append(status)
        with suppress(OSError):
            self.send_response(status)
            for name, value in {"content-type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
