"""Forgetting by age, in small batches: each rule goes through its table, oldest first, and notes how far it came."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile

from cs_bot.errors import Conflict, MediaUnavailable
from cs_bot.retention.customers import delete
from cs_bot.retention.files import remove_picture
from cs_bot.settings import Settings
from cs_bot.store.database import Database
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import retention
from cs_bot.store.queries.retention import Progress, Rule

PAGE = 500  # rows that are looked at in one read
PASS_S = 3600.0  # from the end of one pass to the next
ROUND_S = 0.5  # an upkeep round spends this long here at most, a page more or less
ACTOR = "retention"
log = logging.getLogger("cs_bot.retention")

Step = Callable[[Progress], tuple[int, Progress, bool]]  # rows forgotten, how far, whether the pass is at its end


def sweep(database: Database, *, media: MediaStore, settings: Settings, round_s: float = ROUND_S) -> int:
    """Forget what is due (upkeep); how many rows. What is left comes with the next round; idempotent.

    Never touched: what has no end, is in an open review, of a live turn or with an answer on its way.
    """
    end, total = time.monotonic() + round_s, 0
    with database.read() as tx:
        known, now = retention.progress(tx), tx.now()
    for name, setting, step in _steps(database, media, settings, now):
        if not settings.retention.days(setting):
            continue
        was = known.get(name, Progress(0, 0, None))
        count = 0
        while (was.due_at is None or was.due_at <= now) and time.monotonic() < end:
            try:
                done, reached, over = step(was)
            except MediaUnavailable as problem:  # the rules that need no picture store go on
                log.warning("pictures can't be removed now", extra={"kind": name, "problem": str(problem)})
                break
            count += done
            after = replace(reached, due_at=now + timedelta(seconds=PASS_S) if over else now)
            with database.write() as tx:
                if not retention.save(tx, name, was, after):
                    break  # another upkeep process is at it
            was = after
        if count:
            log.info("forgotten", extra={"kind": name, "count": count})
        total += count
    return total


def _steps(database: Database, media: MediaStore, settings: Settings, now: datetime) -> list[tuple[str, str, Step]]:
    """(name, setting, step) of every rule, in the order in which they run."""
    batch = settings.retention.batch

    def before(setting: str) -> datetime:
        return now - timedelta(days=settings.retention.days(setting))

    def by_rule(rule: Rule) -> Step:
        return lambda was: _rows(database, rule, was, before(rule.setting), batch)

    return [
        *((rule.name, rule.setting, by_rule(rule)) for rule in retention.RULES),
        ("files", "pictures_days", lambda was: _files(database, media, was, before("pictures_days"))),
        ("revocations", "messages_days", lambda was: _revocations(database, was, before("messages_days"), batch)),
        ("customers", "customers_days", lambda was: _customers(database, media, was, before("customers_days"))),
    ]


def _rows(database: Database, rule: Rule, was: Progress, before: datetime, batch: int) -> tuple[int, Progress, bool]:
    with database.read() as tx:  # looking must not take SQLite's only write lock
        rows = retention.page(tx, rule, was.seen_id, PAGE)
    old = list(takewhile(lambda row: row["at"] < before, rows))
    fresh = [int(row["id"]) for row in old if not row["forgotten"]]
    waiting: set[int] = set()
    count = 0
    for start in range(0, len(fresh), batch):
        with database.write() as tx:
            done, live = retention.forget(tx, rule, fresh[start : start + batch])
        count += done
        waiting |= live
    return count, *_reached(was, int(old[-1]["id"]) if old else was.seen_id, waiting, over=len(old) < PAGE)


def _reached(was: Progress, seen_id: int, waiting: set[int], *, over: bool) -> tuple[Progress, bool]:
    """done_id follows seen_id until the first row that must wait; the next pass begins behind it."""
    done_id = was.done_id
    if was.done_id == was.seen_id:
        done_id = min(waiting) - 1 if waiting else seen_id
    return Progress(done_id, done_id if over else seen_id, None), over


def _files(database: Database, media: MediaStore, was: Progress, before: datetime) -> tuple[int, Progress, bool]:
    with database.read() as tx:
        rows = retention.old_pictures(tx, was.seen_id, before, PAGE)
    removed = {int(r["id"]) for r in rows if not r["used"] and remove_picture(database, media, r["id"]) is not None}
    stay = {int(row["id"]) for row in rows} - removed
    return len(removed), *_reached(was, int(rows[-1]["id"]) if rows else was.seen_id, stay, over=len(rows) < PAGE)


def _revocations(database: Database, was: Progress, before: datetime, batch: int) -> tuple[int, Progress, bool]:
    with database.write() as tx:
        done = retention.forget_revocations(tx, before, batch)
    return done, was, done < batch


def _customers(database: Database, media: MediaStore, was: Progress, before: datetime) -> tuple[int, Progress, bool]:
    with database.read() as tx:
        silent, last_id = retention.silent_customers(tx, was.seen_id, before, PAGE)
    count = 0
    for customer_id in silent:
        try:
            delete(database, customer_id, media=media, actor=ACTOR, events=False)
        except Conflict:  # something of theirs is still open: the next pass comes by again
            continue
        count += 1
    return count, Progress(0, last_id or 0, None), last_id is None
