"""A shop platform over HTTP that lies: refuses, errs, hangs, drops, takes late; and remembers what it has shown."""

import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LATE_S = 1.4  # longer than a sender waits, shorter than an unknown outcome stays unsettled
FAULTS = (
    # name, share
    ("429", 0.05),
    ("500 before", 0.05),
    ("hang before", 0.03),
    ("late", 0.02),
    ("drop after", 0.03),
    ("500 after", 0.03),
    ("hang after", 0.02),
    ("400", 0.005),
)
TAKES = frozenset({"", "late", "drop after", "500 after", "hang after"})


@dataclass(frozen=True)
class Seen:
    """One thing that a customer saw, and when."""

    outbound_id: str
    conversation: str
    sender: str
    kind: str
    in_reply_to: tuple[str, ...]
    at: float


class LyingPlatform:
    """`mode` key: an id is shown once; lookup and none: shown as often as it comes."""

    def __init__(self, mode: str, seed: int) -> None:
        self.mode, self.faulty = mode, True
        self.counts: Counter[str] = Counter()
        self.seen: list[Seen] = []
        self._dice, self._lock = random.Random(seed), threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.platform = self
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

    def fault(self) -> str:
        """What goes wrong with this request; empty: nothing."""
        with self._lock:
            draw = self._dice.random()
            for name, share in FAULTS if self.faulty else ():
                if draw < share:
                    self.counts[f"platform {name}"] += 1
                    return name
                draw -= share
        return ""

    def has(self, outbound_id: str) -> bool:
        """Whether that id was shown."""
        with self._lock:
            return any(s.outbound_id == outbound_id for s in self.seen)

    def take(self, outbound_id: str, envelope: dict[str, Any]) -> None:
        """Show it."""
        data = envelope["data"]
        with self._lock:
            if self.mode == "key" and any(s.outbound_id == outbound_id for s in self.seen):
                self.counts["platform deduplicated"] += 1
                return
            self.seen.append(
                Seen(
                    outbound_id,
                    data["conversation_id"],
                    data["sender"],
                    envelope["type"],
                    tuple(data["in_reply_to"]),
                    time.monotonic(),
                )
            )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    platform: LyingPlatform

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that was killed is nothing to print about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        self._answer(200 if self.server.platform.has(self.path.rpartition("/")[2]) else 404)

    def do_POST(self) -> None:
        platform = self.server.platform
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        fault = platform.fault()
        if fault == "late":
            time.sleep(LATE_S)
        if fault in TAKES:
            platform.take(self.headers["webhook-id"], body)
        if fault in ("hang before", "hang after"):
            time.sleep(LATE_S)
        if fault in ("hang before", "hang after", "late", "drop after"):
            self.close_connection = True
            return
        self._answer({"429": 429, "500 before": 500, "500 after": 500, "400": 400}.get(fault, 200))

    def _answer(self, status: int) -> None:
        self.send_response(status)
        if status == 429:
            self.send_header("retry-after", "1")
        self.send_header("content-length", "0")
        self.end_headers()
