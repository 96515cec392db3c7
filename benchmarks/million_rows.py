"""What a shop's database feels like after a million turns: the queries of every scrape, claim and page, with plans.

    python benchmarks/million_rows.py --turns 1000000
    python benchmarks/million_rows.py --turns 20000 --database sqlite --plans

Fills both databases with turns of ninety days (five turns a conversation, messages, drafts kept small, outbox, reviews,
stages) and measures beside the same on a hundredth of it. Each figure is the median of five runs after one to warm up.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _common import ExitStack, database, show, tempfile
from sqlalchemy import text

from cs_bot import review, turns
from cs_bot.records import Policy
from cs_bot.settings import Settings
from cs_bot.store import migrate
from cs_bot.store.database import Database
from cs_bot.store.queries import conversations, inbox, metrics, outbound
from cs_bot.web.metrics import exposition
from tests.plans import plans

RUNS = 5
OPEN = 200  # conversations that wait, reviews that are open: the same at every size
SLOW_S = 0.1  # plans of slower ones are printed with --plans


@dataclass(frozen=True)
class Dialect:
    """What differs between the databases in the statements that fill them."""

    series: str  # a table `n` with one column n, 1 .. :rows
    moment: str  # a time `:days` days' share before now for n


SQLITE = Dialect(
    "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < :rows) SELECT n FROM c) AS s",
    "strftime('%Y-%m-%d %H:%M:%S.000000', 'now', '-' || ((:rows - n) * 7776000 / :rows) || ' seconds')",
)
POSTGRESQL = Dialect(
    "generate_series(1, :rows) AS s(n)", "now() - make_interval(secs => ((:rows - n)::bigint * 7776000 / :rows))"
)

FILL = {
    "events": "INSERT INTO events (channel, account, external_id, received_at, body_sha256, type, state, conflicts) "
    "SELECT 'generic', 'shop', 'd' || n, {moment}, 'x', 'message.created', 'parsed', 0 FROM {series}",
    "customers": "INSERT INTO customers (channel, account, external_id, emails, phones, created_at, updated_at) "
    "SELECT 'generic', 'shop', 'u' || n, '[]', '[]', {moment}, {moment} FROM {series} WHERE n <= :rows / 5",
    "conversations": "INSERT INTO conversations (channel, account, external_id, next_seq, due_at, owner, created_at, "
    "updated_at) SELECT 'generic', 'shop', 'c' || n, 6, CASE WHEN n <= {open} THEN {moment} END, 'bot', {moment}, "
    "{moment} FROM {series} WHERE n <= :rows / 5",
    "turns": "INSERT INTO turns (conversation_id, origin, state, first_seq, last_seq, started_at, deadline_at, "
    "finished_at, kind, route, outcome) SELECT (n - 1) / 5 + 1, 'customer', 'finished', (n - 1) % 5 + 1, "
    "(n - 1) % 5 + 1, {moment}, {moment}, {moment}, CASE n % 3 WHEN 0 THEN 'order' WHEN 1 THEN 'text' ELSE 'product' "
    "END, CASE n % 3 WHEN 0 THEN 'proof' WHEN 1 THEN 'faq' ELSE 'catalog' END, CASE n % 2 WHEN 0 THEN 'send' ELSE "
    "'review' END FROM {series}",
    "reviews": "INSERT INTO reviews (conversation_id, state, outcome, kind, reasons, suggestion, opened_at, due_at, "
    "closed_at) SELECT (n - 1) / 5 + 1, CASE WHEN n > :rows - {open} * 5 AND n % 5 = 0 THEN 'open' ELSE 'closed' END, "
    "'approved', 'text', '[]', '', {moment}, {moment}, {moment} FROM {series} WHERE n % 5 = 0",
    "messages": "INSERT INTO messages (conversation_id, customer_id, event_id, turn_id, review_id, channel, account, "
    "external_id, seq, sender, text, sent_at, received_at, body_sha256, conflicts, {end}, ended_at) SELECT "
    "(n - 1) / 5 + 1, (n - 1) / 5 + 1, n, CASE WHEN n <= {open} * 5 AND n % 5 = 0 THEN NULL ELSE n END, "
    "CASE WHEN n % 5 = 0 AND n > :rows - {open} * 5 THEN n / 5 END, 'generic', 'shop', 'm' || n, (n - 1) % 5 + 1, "
    "'customer', 'where is it?', {moment}, {moment}, 'x', 0, CASE WHEN n % 5 = 0 AND (n <= {open} * 5 OR n > :rows - "
    "{open} * 5) THEN NULL ELSE 'bot' END, {moment} FROM {series}",
    "outbound": "INSERT INTO outbound (outbound_id, conversation_id, turn_id, origin, kind, text, extra, facts, epoch, "
    "state, due_at, created_at, sent_at) SELECT 'out_' || n, (n - 1) / 5 + 1, n, 'turn:' || n, 'reply', 'it is on its "
    "way', '{{}}', '{{}}', 0, 'sent', {moment}, {moment}, {moment} FROM {series} WHERE n % 2 = 0",
    "stages": "INSERT INTO stages (turn_id, stage, seconds, outcome, at) SELECT n, 'see', 0.4, 'ok', {moment} "
    "FROM {series}",
}


def fill(db: Database, rows: int) -> float:
    """Fill the tables; seconds taken."""
    began = time.perf_counter()
    dialect = SQLITE if db.dialect == "sqlite" else POSTGRESQL
    limits = "SET LOCAL statement_timeout = 0" if db.dialect == "postgresql" else "SELECT 1"
    for name, statement in FILL.items():
        written = statement.format(series=dialect.series, moment=dialect.moment, open=OPEN, end='"end"')
        with db.write() as tx:
            tx.execute(text(limits))
            tx.execute(text(written), {"rows": rows})
        print(f"  {name} filled after {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    return time.perf_counter() - began


@contextmanager
def _undone(db: Database) -> Any:
    """A write transaction whose work is taken back."""

    class Back(Exception):
        pass

    try:
        with db.write() as tx:
            yield tx
            raise Back
    except Back:
        pass


def cases(db: Database) -> dict[str, Callable[[], object]]:
    """Name -> what to measure."""

    def read(query: Callable[[Any], object]) -> Callable[[], object]:
        def run() -> object:
            with db.read() as tx:
                return query(tx)

        return run

    def claim() -> object:
        with _undone(db) as tx:
            return conversations.due(tx, 8)

    def arrive() -> object:
        with _undone(db) as tx:
            return inbox.arrive(tx, "generic", "shop", [inbox.Arriving("c17", "m-new", "u17")])

    def load() -> object:
        return turns.stored(db, 17, settings=Settings(), policy=Policy())

    names = (
        "unaccounted",
        "messages_by_end",
        "turns_by_outcome",
        "outbound_by_state",
        "events_by_state",
        "conflicting_ids",
        "open_reviews",
        "oldest_unanswered_s",
        "waiting_conversations",
        "recent_stages",
    )
    return {
        "claim 8 turns": claim,
        "load a turn": load,
        "a message arrives": arrive,
        "is a turn due?": read(conversations.any_due),
        "next row to send": read(lambda tx: outbound.candidates(tx, limit=1)),
        "review queue": lambda: review.list_open(db),
        **{f"metrics: {name}": read(getattr(metrics, name)) for name in names},
        "/metrics, whole": lambda: exposition(db),
    }


def measure(db: Database, *, with_plans: bool) -> dict[str, float]:
    """Seconds by case, the median of some runs."""
    found = {}
    for name, run in cases(db).items():
        run()
        took = []
        for _ in range(RUNS):
            began = time.perf_counter()
            run()
            took.append(time.perf_counter() - began)
        found[name] = statistics.median(took)
        if with_plans and found[name] > SLOW_S:
            with plans(db) as told:
                run()
            print(f"\n{name}: {found[name]:.3f} s\n" + "\n".join(told), file=sys.stderr)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=1_000_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--plans", action="store_true", help="print the plans of what takes longer than 0.1 s")
    given = parser.parse_args()
    rows: list[dict[str, object]] = []
    for kind in given.database or ["sqlite", "postgresql"]:
        took: dict[int, dict[str, float]] = {}
        for size in (given.turns // 100, given.turns):
            with ExitStack() as stack:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cs-bot-bench-")))
                db = Database(stack.enter_context(database(kind, folder)))
                stack.callback(db.close)
                migrate.upgrade(db)
                print(f"{kind}: {size} turns", file=sys.stderr, flush=True)
                fill(db, size)
                took[size] = measure(db, with_plans=given.plans and size == given.turns)
        small, large = took[given.turns // 100], took[given.turns]
        rows += [
            {
                "database": kind,
                "what": name,
                f"ms at {given.turns // 100:,}": 1e3 * small[name],
                f"ms at {given.turns:,}": 1e3 * large[name],
                "ratio": large[name] / small[name],
            }
            for name in large
        ]
    show(f"{given.turns:,} turns beside a hundredth of them", rows)


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[1])
    main()
