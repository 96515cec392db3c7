"""From a webhook's arrival to the reply at the platform, with no engine in the way, beside the least it could cost.

    python benchmarks/received_to_delivered.py --messages 200

Ours: post a question that the FAQ answers (mode auto for this run, no quiet time), wait for the reply's POST. The
baseline: one RQ round trip to a worker that makes five bare commits on the same kind of database and one HTTP POST.
Messages go one at a time. RSS of every process of ours is printed too.
"""

import argparse
import http.client
import json
import os
import statistics
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from _common import (
    ExitStack,
    database,
    process,
    request,
    rss_mb,
    services,
    settings_file,
    show,
    tempfile,
    wait_for_port,
)
from redis import Redis
from rq import Queue

WORKERS = ("answer", "deliver", "upkeep")


class Sink:
    """Takes posts and says when one has arrived."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()
                sink.arrived.release()

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self) -> None:
        """Until one has arrived."""
        if not self.arrived.acquire(timeout=20):
            raise TimeoutError("no reply within 20 s")


def _ours(stack: ExitStack, kind: str, folder: Path, sink: Sink, redis_url: str) -> tuple[int, dict[str, object]]:
    url = stack.enter_context(database(kind, folder))
    port = services.free_port()
    config = settings_file(
        folder, url, port=port, redis_url=redis_url, reply_url=f"http://127.0.0.1:{sink.port}/replies", quiet_s=0
    )
    faq = folder / "faq.jsonl"
    entry = {"faq_id": "f1", "language": "zh", "question": "运费多少？", "answer": "满九十九元包邮。"}
    faq.write_text(json.dumps(entry) + "\n", encoding="utf-8")
    for args in (("migrate",), ("faq", "import", str(faq))):
        with process("-m", "cs_bot.cli", *args, CSBOT_CONFIG=str(config)) as once:
            once.wait(60)
    children = {"web": stack.enter_context(process("-m", "cs_bot.cli", "web", "--quiet", CSBOT_CONFIG=str(config)))}
    for name in WORKERS:
        children[name] = stack.enter_context(process("-m", f"workers.{name}", CSBOT_CONFIG=str(config)))
    wait_for_port(port)
    return port, dict(children)


def _post(port: int, n: int) -> None:
    head, _, body = request("/webhooks/generic/bench", n).partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/webhooks/generic/bench", body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"webhook answered {answer.status}")


def measure(kind: str, messages: int) -> list[dict[str, object]]:
    """Rows of ours and the baseline, taken in turns."""
    took: dict[str, list[float]] = {"cs-bot": [], "bare": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cs-bot-bench-")))
        redis = services.RedisServer(folder).start()
        stack.callback(redis.kill)
        sink = Sink()
        port, children = _ours(stack, kind, folder, sink, redis.url)
        (folder / "bare").mkdir()
        bare_url = stack.enter_context(database(kind, folder / "bare"))
        stack.enter_context(
            process("benchmarks/_bare_worker.py", redis.url, BARE_DATABASE=bare_url, BARE_PORT=str(sink.port))
        )
        queue = Queue("bare", connection=Redis.from_url(redis.url), serializer="json")
        for n in range(messages + 10):
            for name in took:
                started = time.perf_counter()
                if name == "cs-bot":
                    _post(port, n)
                else:
                    queue.enqueue("_bare_worker.job", result_ttl=0)
                sink.wait()
                if n >= 10:  # the first ones warm up
                    took[name].append(time.perf_counter() - started)
        rss = {name: rss_mb(child) for name, child in children.items()}
    medians = {name: statistics.median(found) for name, found in took.items()}
    rows: list[dict[str, object]] = [
        {
            "database": kind,
            "what": name,
            "p50 ms": 1e3 * medians[name],
            "p95 ms": 1e3 * sorted(took[name])[int(len(took[name]) * 0.95) - 1],
            "ratio": medians[name] / medians["bare"],
            "RSS MB": "",
        }
        for name in ("bare", "cs-bot")
    ]
    rows[1]["RSS MB"] = ", ".join(f"{name} {mb:.0f}" for name, mb in rss.items())
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    given = parser.parse_args()
    rows = []
    for kind in given.database or ["sqlite", "postgresql"]:
        rows += measure(kind, given.messages)
    show(f"received to delivered, {given.messages} messages one at a time", rows)


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[1])
    main()
