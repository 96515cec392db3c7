"""What the benchmarks share: servers of their own, a light HTTP client, a table."""

import asyncio
import base64
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from rich.console import Console
from rich.table import Table
from standardwebhooks import Webhook

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests import services  # noqa: E402 - the checkout's own servers for tests

JUDGED = "2026-11-01T00:00:00Z"
SECRET = "whsec_" + base64.b64encode(b"benchmarks-only-secret-32-bytes!").decode()


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """A fresh durable database: sqlite (synchronous FULL) or postgresql (fsync on)."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'bench.db'}"
        return
    server = services.PostgresServer(durable=True)
    try:
        yield server.create_database()
    finally:
        server.close()


@contextmanager
def process(*args: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process of the checkout, ended at the end; its log goes to a file beside it."""
    everything = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    child = subprocess.Popen(
        [sys.executable, *args], cwd=ROOT, env=everything, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def rss_mb(child: subprocess.Popen[bytes]) -> float:
    """Resident memory of a process in MB."""
    return float(psutil.Process(child.pid).memory_info().rss) / 1e6


def event(n: int, text: str = "运费多少？", **more: Any) -> tuple[str, bytes]:
    """(delivery id, body) of a message.created of a conversation of its own."""
    data = {
        "conversation_id": f"c{n}-{uuid4().hex[:6]}",
        "message_id": f"m{n}-{uuid4().hex[:8]}",
        "customer": {"id": f"u{n % 500}"},
        "text": text,
        **more,
    }
    body = {"type": "message.created", "timestamp": datetime.now(UTC).isoformat(), "data": data}
    return f"d{n}-{uuid4().hex}", json.dumps(body, ensure_ascii=False).encode()


def request(path: str, n: int, **more: Any) -> bytes:
    """A whole signed HTTP/1.1 request as bytes."""
    delivery, body = event(n, **more)
    now = datetime.now(UTC)
    head = {
        "host": "127.0.0.1",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "webhook-id": delivery,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(delivery, now, body.decode()),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


async def _client(port: int, todo: list[bytes], took: list[float], statuses: dict[int, int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while todo:
        raw = todo.pop()
        started = time.perf_counter()
        writer.write(raw)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
        )
        if length:
            await reader.readexactly(length)
        took.append(time.perf_counter() - started)
        status = int(head.split()[1])
        statuses[status] = statuses.get(status, 0) + 1
    writer.close()


def flood(port: int, requests: Sequence[bytes], clients: int) -> dict[str, float]:
    """Post all requests over `clients` kept connections: acks/s, p50 and p99 in ms, how many were not 200."""
    todo, took, statuses = list(requests), [], {}
    started = time.perf_counter()

    async def run() -> None:
        await asyncio.gather(*(_client(port, todo, took, statuses) for _ in range(clients)))

    asyncio.run(run())
    seconds = time.perf_counter() - started
    ordered = sorted(took)
    return {
        "per_s": len(took) / seconds,
        "p50_ms": 1e3 * statistics.median(ordered),
        "p99_ms": 1e3 * ordered[int(len(ordered) * 0.99) - 1],
        "not_200": sum(count for status, count in statuses.items() if status != 200),
    }


def wait_for_port(port: int, timeout_s: float = 30.0) -> None:
    """Until something listens."""
    import socket

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    services.wait_for(listens, f"port {port}", timeout_s)


def settings_file(
    folder: Path, database_url: str, *, port: int, redis_url: str, reply_url: str, **turns: float
) -> Path:
    """A settings file for a benchmark's processes."""
    lines = [
        f'home = "{folder}"',
        f'database_url = "{database_url}"',
        f'redis_url = "{redis_url}"',
        'log_level = "WARNING"',
        "[web]",
        f"port = {port}",
        "[turns]",
        *(f"{name} = {value}" for name, value in turns.items()),
        "[policy.modes]",
        '"*/*" = "assist"',
        '"text/faq" = "auto"',
        '[policy.fits."text/faq"]',  # as if the shop's people had judged the answers: without it nothing goes out alone
        'weights = { "faq.score" = 1.0 }',
        'engines = ["templates"]',
        "version = 1\nbias = 0.0\nthreshold = 0.5\ntarget = 0.02\nn = 300\nwrong = 0\nbound = 0.01",
        *(f"{name} = {JUDGED}" for name in ("data_from", "data_to", "created_at")),
        "[[accounts]]",
        'channel = "generic"',
        'name = "bench"',
        f'secrets = ["{SECRET}"]',
        "allow_http = true",
        "allow_private = true",
        f'options = {{ reply_url = "{reply_url}" }}',
    ]
    path = folder / "csbot.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def show(title: str, rows: Sequence[dict[str, Any]], note: str = "") -> None:
    """A table of dictionaries with the same keys."""
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name, justify="right" if name not in ("what", "database") else "left")
    for row in rows:
        table.add_row(*(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row.values()))
    console = Console(width=120)
    console.print(table)
    console.print(note or f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


__all__ = [
    "ROOT",
    "SECRET",
    "ExitStack",
    "database",
    "event",
    "flood",
    "process",
    "request",
    "rss_mb",
    "services",
    "settings_file",
    "show",
    "tempfile",
    "wait_for_port",
]
