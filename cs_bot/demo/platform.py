"""A shop platform to talk to: serves pictures, posts signed webhooks, takes signed replies, keeps transcripts."""

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import standardwebhooks

from cs_bot.demo.faults import TAKEN, Fault, FaultPlan, no_faults
from cs_bot.demo.transcript import Line, Reply, Transcript
from cs_bot.errors import BadSignature

MAX_BODY = 1_000_000
MAX_THREADS = 64
SOCKET_TIMEOUT_S = 20.0
TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}


class ShopPlatform:
    """A platform on 127.0.0.1. `webhook_url` is where its events go, the whole address of one account.

    start() before use, stop() after; or as a context manager. Thread-safe.
    """

    def __init__(
        self,
        webhook_url: str,
        secret: str,
        *,
        pictures: Mapping[str, Path] | None = None,
        faults: FaultPlan = no_faults,
        hang_s: float = 15.0,
        port: int = 0,
        on_line: Callable[[Line], None] | None = None,
    ) -> None:
        self.webhook_url, self.faults, self.hang_s = webhook_url, faults, hang_s
        self.pictures = dict(pictures or {})
        self._signer = standardwebhooks.Webhook(secret)
        self.book = Transcript(on_line)
        self.forged = 0  # posts whose signature was wrong
        self.stopping = threading.Event()
        self._server = _Server(("127.0.0.1", port), _Handler, self)
        self._thread: threading.Thread | None = None
        self._client = httpx.Client(timeout=10, trust_env=False)

    @property
    def url(self) -> str:
        """The platform's own address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def reply_url(self) -> str:
        """Where replies are posted to."""
        return f"{self.url}/replies"

    @property
    def lookup_url(self) -> str:
        """GET {lookup_url}/{outbound id}: 200 when it is here, else 404."""
        return f"{self.url}/sent"

    def picture_url(self, name: str) -> str:
        """The address of a picture; one that does not exist answers 404."""
        return f"{self.url}/pictures/{name}"

    def start(self) -> "ShopPlatform":
        """Listen; returns at once."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="shop-platform")
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening; hanging answers end at once."""
        self.stopping.set()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join(10)
            self._thread = None
        self._server.server_close()
        self._client.close()

    def __enter__(self) -> "ShopPlatform":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def post_event(
        self,
        kind: str,
        data: Mapping[str, Any],
        *,
        delivery_id: str | None = None,
        forged: bool = False,
        attempts: int = 1,
        copies: int = 1,
    ) -> int:
        """Post one signed event; the last HTTP status, 0 when the receiver could not be reached.

        Equal `delivery_id`s are retries of one delivery; `copies` > 1 posts the very same delivery again. With
        `attempts` > 1 it is posted again after 0.5, 1, 2 ... (at most 8) seconds while it is not accepted for a reason
        that may pass, as a real platform does.
        """
        now = datetime.now(UTC)
        body = json.dumps({"type": kind, "timestamp": now.isoformat(), "data": data}, ensure_ascii=False)
        if kind == "message.created" and not forged:
            self.book.say(data, now)
        delivery_id = delivery_id or new_delivery_id()
        statuses = [
            self.post_raw(body.encode(), delivery_id=delivery_id, forged=forged, attempts=attempts)
            for _ in range(copies)
        ]
        return statuses[-1]

    def post_raw(self, body: bytes, *, delivery_id: str | None = None, forged: bool = False, attempts: int = 1) -> int:
        """Post any bytes, signed (or with a signature that is wrong)."""
        delivery_id = delivery_id or new_delivery_id()
        status = 0
        for attempt in range(attempts):
            if attempt:
                self.stopping.wait(min(8.0, 0.5 * 2 ** (attempt - 1)))
            headers = self._sign(delivery_id, body if not forged else body + b" ")
            try:
                status = self._client.post(self.webhook_url, content=body, headers=headers).status_code
            except httpx.TransportError:
                status = 0
            if status not in (0, 429, 500, 502, 503) or self.stopping.is_set():
                break
        return status

    def _sign(self, delivery_id: str, body: bytes) -> dict[str, str]:
        now = datetime.now(UTC)
        return {
            "content-type": "application/json",
            "webhook-id": delivery_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(delivery_id, now, body.decode("utf-8", "surrogateescape")),
        }

    def transcript(self, conversation_id: str) -> list[Line]:
        """The conversation's lines as they came in."""
        return self.book.lines(conversation_id)

    def replies(self, conversation_id: str | None = None) -> list[Reply]:
        """Every reply that was taken, once each, in the order of arrival."""
        return self.book.replies(conversation_id)

    def check(self, headers: Mapping[str, str], body: bytes) -> str:
        """The webhook-id of a rightly signed request; raises BadSignature."""
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        given = {name: headers.get(name, "") for name in names}
        try:
            self._signer.verify(body, given, json_parse=False)
        except (standardwebhooks.WebhookVerificationError, ValueError):  # it leaks ValueErrors on odd input
            self.forged += 1
            raise BadSignature from None
        return given["webhook-id"]


def new_delivery_id() -> str:
    """The id of one delivery, equal on its retries."""
    return f"evt_{uuid.uuid4().hex}"


class _Server(ThreadingHTTPServer):
    """At most MAX_THREADS requests at once; the next one waits at the door."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], shop: ShopPlatform) -> None:
        self.shop = shop
        self._room = threading.BoundedSemaphore(MAX_THREADS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Wait for room, but never so long that stop() is held up."""
        while not self._room.acquire(timeout=0.1):
            if self.shop.stopping.is_set():
                self.shutdown_request(request)
                return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Give the room back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that hangs up is nothing to print about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SOCKET_TIMEOUT_S
    server_version = "demo-shop"
    sys_version = ""

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        shop = self.server.shop
        head, _, name = self.path.lstrip("/").partition("/")
        if head == "pictures" and name in shop.pictures:
            path = shop.pictures[name]
            self._answer(200, path.read_bytes(), TYPES.get(path.suffix, "application/octet-stream"))
        elif head == "sent":
            self._look_up(name)
        else:
            self._json(404, {"error": "not found"})

    def _look_up(self, outbound_id: str) -> None:
        shop = self.server.shop
        try:
            shop.check(self._headers(), b"")
        except BadSignature:
            self._json(401, {"error": "signature"})
            return
        here = shop.book.has(outbound_id)
        self._json(200 if here else 404, {"outbound_id": outbound_id, "sent": here})

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if self.path != "/replies" or not 0 < length <= MAX_BODY:
            self._json(413 if length > MAX_BODY else 404, {"error": "not here"})
            return
        body = self.rfile.read(length)
        try:
            outbound_id = self.server.shop.check(self._headers(), body)
            envelope = json.loads(body)
            self._take(outbound_id, envelope)
        except BadSignature:
            self._json(401, {"error": "signature"})
        except (ValueError, KeyError, TypeError):
            self._json(400, {"error": "shape"})

    def _take(self, outbound_id: str, envelope: Mapping[str, Any]) -> None:
        shop = self.server.shop
        fault = shop.faults(outbound_id, shop.book.begin(outbound_id))
        if fault is None or fault in TAKEN:
            shop.book.take(outbound_id, envelope)
        if fault in (Fault.HANG, Fault.HANG_AFTER):
            shop.stopping.wait(shop.hang_s)
        if fault in (Fault.HANG, Fault.HANG_AFTER, Fault.DROP, Fault.DROP_AFTER):
            self.close_connection = True
            return
        statuses = {Fault.TOO_MANY: 429, Fault.ERROR: 500, Fault.ERROR_AFTER: 500, Fault.REFUSE: 400}
        status = statuses[fault] if fault is not None else 200
        self._json(status, {"id": f"m_{outbound_id}"} if status == 200 else {"error": "busy"})

    def _headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _json(self, status: int, value: Mapping[str, Any]) -> None:
        self._answer(status, json.dumps(value).encode(), "application/json")

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        if status == 429:
            self.send_header("retry-after", "1")
        self.end_headers()
        self.wfile.write(body)
