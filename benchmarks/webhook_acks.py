"""Webhook acks per second with p50 and p99, on SQLite and PostgreSQL, beside a bare FastAPI with one INSERT.

    python benchmarks/webhook_acks.py --messages 1000 --clients 16

Both servers are one process, write durably (SQLite synchronous=FULL, PostgreSQL fsync) and get the same requests.
"""

import argparse
import os
from pathlib import Path

from _common import (
    ExitStack,
    database,
    flood,
    process,
    request,
    rss_mb,
    services,
    settings_file,
    show,
    tempfile,
    wait_for_port,
)


def measure(kind: str, messages: int, clients: int) -> list[dict[str, object]]:
    """Rows of both servers on one kind of database, alternating three rounds; the medians."""
    rounds: dict[str, list[dict[str, float]]] = {"cs-bot": [], "bare": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cs-bot-bench-")))
        ours = stack.enter_context(database(kind, folder))
        redis = services.RedisServer(folder).start()
        stack.callback(redis.kill)
        ports = {"cs-bot": services.free_port(), "bare": services.free_port()}
        config = settings_file(
            folder, ours, port=ports["cs-bot"], redis_url=redis.url, reply_url="http://127.0.0.1:9/none"
        )
        with process("-m", "cs_bot.cli", "migrate", CSBOT_CONFIG=str(config)) as migrating:
            migrating.wait(60)
        web = stack.enter_context(process("-m", "cs_bot.cli", "web", "--quiet", CSBOT_CONFIG=str(config)))
        bare_url = ours if kind == "postgresql" else f"sqlite:///{folder / 'bare.db'}"
        bare = stack.enter_context(process("benchmarks/_bare_app.py", str(ports["bare"]), BARE_DATABASE=bare_url))
        for port in ports.values():
            wait_for_port(port)
        paths = {"cs-bot": "/webhooks/generic/bench", "bare": "/bare"}
        for name in paths:  # warm up
            flood(ports[name], [request(paths[name], n) for n in range(50)], clients)
        for _ in range(3):
            for name, path in paths.items():
                requests = [request(path, n) for n in range(messages)]
                rounds[name].append(flood(ports[name], requests, clients))
        rss = {"cs-bot": rss_mb(web), "bare": rss_mb(bare)}
    best = {name: sorted(found, key=lambda r: r["per_s"])[1] for name, found in rounds.items()}
    ratio = best["cs-bot"]["per_s"] / best["bare"]["per_s"]
    return [
        {
            "database": kind,
            "what": name,
            "acks/s": round(best[name]["per_s"]),
            "p50 ms": best[name]["p50_ms"],
            "p99 ms": best[name]["p99_ms"],
            "not 200": int(best[name]["not_200"]),
            "RSS MB": round(rss[name]),
            "ratio": ratio if name == "cs-bot" else 1.0,
        }
        for name in ("bare", "cs-bot")
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    given = parser.parse_args()
    rows = []
    for kind in given.database or ["sqlite", "postgresql"]:
        rows += measure(kind, given.messages, given.clients)
    show(f"webhook acks, {given.messages} messages, {given.clients} clients, median of 3 rounds", rows)


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[1])
    main()
