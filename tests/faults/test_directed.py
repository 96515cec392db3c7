"""Faults that need their own stage: the breaker, a platform that asks to wait, a store that is locked or full."""

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event, select, text

from cs_bot import deliver, testing
from cs_bot.errors import StoreUnavailable
from cs_bot.store.database import Database, Transaction
from cs_bot.store.queries import conversations, metrics, outbound
from cs_bot.store.tables import accounts_seen, messages
from cs_bot.turns.arrival import ECHO_WINDOW_S
from tests import web
from tests.faults.desk import Desk
from tests.faults.scenarios import answered, asked, shown
from tests.faults.world import World

ROOT = Path(__file__).resolve().parents[2]


# --- the platform


def test_failures_in_a_row_pause_the_account_until_one_trial_works(each: Database) -> None:
    world = World(each)
    for name in ("c0", "c1"):
        answered(world, name)
    for _ in range(world.settings.deliver.breaker_failures):
        flight = world.claim_send()
        assert flight is not None
        world.send(flight, "refused")
        world.tick(8.0)
    assert world.claim_send() is None, "the account pauses"
    world.tick(world.settings.deliver.breaker_pause_s)
    trial = world.claim_send()
    assert trial is not None
    assert world.claim_send() is None, "one trial at a time"
    world.send(trial)
    second = world.claim_send()
    assert second is not None, "the breaker has closed"
    world.send(second)
    with each.read() as tx:
        row = tx.row(select(accounts_seen))
    assert row is not None
    assert (row["send_failures"], row["paused_until"]) == (0, None)


def test_a_refusal_for_good_does_not_count_against_the_account(each: Database) -> None:
    world = World(each)
    for _ in range(world.settings.deliver.breaker_failures + 2):
        answered(world, "c2")
        flight = world.claim_send()
        assert flight is not None
        world.send(flight, "forbidden")
        world.release("c2")
        handoff = world.claim_send()
        if handoff is not None:
            world.send(handoff)
    with each.read() as tx:
        assert not tx.value(select(accounts_seen.c.paused_until))


def test_a_platform_that_asks_to_wait_is_waited_for(each: Database) -> None:
    world = World(each)
    answered(world)
    flight = world.claim_send()
    assert flight is not None
    world.send(flight, "refused")  # 429 with Retry-After: 7
    world.tick(6.9)
    assert world.claim_send() is None
    world.tick(0.2)
    again = world.claim_send()
    assert again is not None
    world.send(again)
    assert shown(world) == 1


def test_refused_too_often_a_person_is_asked(each: Database) -> None:
    world = World(each)
    answered(world)
    for _ in range(40):
        flight = world.claim_send()
        if flight is not None:
            world.send(flight, "refused")
        world.tick(31.0)
    [row] = world.rows()
    assert (row["state"], row["attempts"]) == ("failed", world.settings.deliver.max_attempts)
    world.drain()
    assert shown(world) == 0


def test_a_row_that_breaks_its_own_claim_holds_up_no_other_and_a_person_is_asked(each: Database) -> None:
    world = World(each)
    rules = world.settings.deliver.model_copy(update={"backoff_at_most_s": 30.0})
    world.settings = world.settings.model_copy(update={"deliver": rules})
    desk = Desk(world)
    for name in ("c0", "c1"):
        answered(world, name)

    def breaks(tx: Transaction, keys: dict[str, Any]) -> str:
        if keys["conversation"] == 1:
            tx.execute(text("select 1 / 0"))  # on PostgreSQL the statement, and with it all after it, fails
            raise ZeroDivisionError
        return world.refetch(tx, keys)

    def claim() -> deliver.Claimed | None:
        return deliver.claim(each, settings=world.settings, policy=world.policy, refetch=breaks)

    found = claim()
    assert found is not None
    assert found.outbound.conversation_id == 2
    for attempt in range(2, rules.max_attempts + 1):
        assert world.rows()[0]["state"] == "pending", attempt
        world.tick(31.0)
        assert claim() is None
    broken = world.rows()[0]
    assert (broken["state"], broken["attempts"]) == ("failed", rules.max_attempts)
    assert broken["detail"] == ("ZeroDivisionError" if each.dialect == "sqlite" else "DataError")
    assert len(desk.open_reviews()) == 1
    with each.read() as tx:
        assert metrics.unaccounted(tx) == 0


def test_a_broken_row_does_not_fail_the_finish_that_would_send_it(each: Database) -> None:
    world = World(each)

    def breaks(_tx: Transaction, _keys: dict[str, Any]) -> str:
        raise ZeroDivisionError

    world.refetch = breaks  # type: ignore[method-assign]
    assert world.finish(asked(world), at_once=True) == "send"
    [row] = world.rows()
    assert (row["state"], row["attempts"]) == ("pending", 1)


# --- echoes


def test_an_echo_is_known_for_some_time_after_the_send_however_long_the_row_had_waited(each: Database) -> None:
    echoed = a_row(World(each), waits_s=2000.0)
    with each.write() as tx:
        token = outbound.start_sending(tx, echoed)
        assert outbound.settle(tx, echoed, token, state="sent", sent_at=tx.now())
    assert is_ours(each)
    each.shift(1000.0)
    assert not is_ours(each), "so late it may be a person's own"


def test_a_late_echo_is_known_while_the_row_waits_to_be_sent_again(each: Database) -> None:
    echoed = a_row(World(each), waits_s=0.0)
    assert not is_ours(each), "nothing has been sent"
    with each.write() as tx:
        token = outbound.start_sending(tx, echoed)
        assert outbound.settle(tx, echoed, token, state="unknown", maybe_sent=True)
        assert outbound.settle(tx, echoed, token, state="pending", due_at=tx.now())
    assert is_ours(each)


def a_row(world: World, waits_s: float) -> int:
    """A row of the outbox that has waited for so long; its id."""
    with world.database.write() as tx:
        conversation = conversations.open_and_lock(tx, "generic", "here", "c0")
        outbound.add(tx, conversation_id=conversation["id"], origin="agent:1", kind="agent", text="words", epoch=0)
        found = outbound.head(tx, conversation["id"])
    assert found is not None
    world.database.shift(waits_s)
    return int(found["id"])


def is_ours(database: Database) -> bool:
    with database.read() as tx:
        return outbound.is_ours(tx, 1, None, "words", ECHO_WINDOW_S)


# --- the store


@pytest.fixture
def hurried(sqlite_url: str) -> Iterator[Database]:
    """SQLite that gives up on a lock soon."""
    database = Database(sqlite_url)

    def hurry(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA busy_timeout=100")

    event.listen(database.engine, "connect", hurry)
    yield database
    database.close()


def post(site: httpx.Client, message_id: str) -> httpx.Response:
    body = testing.shop_event("message.created", testing.shop_message("hello", message_id=message_id))
    headers, raw = testing.sign_webhook(body, delivery_id=f"evt_{message_id}")
    return site.post("/webhooks/generic/shop", content=raw, headers=headers)


def test_a_webhook_that_meets_a_locked_store_is_asked_to_come_again(
    hurried: Database, sqlite_url: str, tmp_path: Path
) -> None:
    with web.running(web.services_on(hurried, tmp_path)) as address, web.client(address) as site:
        with contextlib.closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            refused = post(site, "m1")
            assert (refused.status_code, refused.headers["retry-after"].isdigit()) == (503, True)
            other.execute("ROLLBACK")
        assert [post(site, "m1").status_code, post(site, "m1").status_code] == [200, 200]
    with hurried.read() as tx:
        assert [row["external_id"] for row in tx.rows(select(messages.c.external_id))] == ["m1"]


def test_a_reader_does_not_stop_a_webhook(hurried: Database, tmp_path: Path) -> None:
    with web.running(web.services_on(hurried, tmp_path)) as address, web.client(address) as site, hurried.read() as tx:
        tx.rows(select(messages))
        assert post(site, "m1").status_code == 200


FILL = """
import json, resource, signal, sys
from cs_bot import bootstrap, testing
from cs_bot.errors import StoreUnavailable
from cs_bot.receive import receive
from cs_bot.settings import AccountSettings, Settings
from cs_bot.store.database import Database
from pathlib import Path

url, home = sys.argv[1:3]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
account = AccountSettings(channel="generic", name="shop", secrets=("unused",), options={"reply_url": "https://x.example"})
settings = Settings(home=Path(home), accounts=(account,))
database, taken, refused = Database(url), [], 0
channels = {("generic", "shop"): testing.RecordingChannel()}
for n in range(400):
    event = testing.shop_event("message.created", testing.shop_message("x" * 9000, message_id=f"m{n}"))
    try:
        receive(testing.shop_request(event), channel="generic", account="shop", channels=channels,
                database=database, ring=lambda queue: None, settings=settings)
        taken.append(f"m{n}")
    except StoreUnavailable:
        refused += 1
        if refused == 3:
            break
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
event = testing.shop_event("message.created", testing.shop_message("again", message_id="last"))
receive(testing.shop_request(event), channel="generic", account="shop", channels=channels,
        database=database, ring=lambda queue: None, settings=settings)
database.close()
print(json.dumps({"taken": [*taken, "last"], "refused": refused}))
"""


def test_a_full_disk_refuses_and_loses_nothing_that_was_taken(sqlite_url: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILL, sqlite_url, str(tmp_path)], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    assert said["refused"] == 3
    database = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    stored = {row[0] for row in database.execute("select external_id from messages")}
    assert stored == set(said["taken"])
    assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    database.close()


def test_a_store_that_can_not_be_reached_says_so_in_its_own_error() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:9/none")
    with pytest.raises(StoreUnavailable), database.write():
        pass
    database.close()


def test_a_frozen_sender_does_not_send(each: Database) -> None:
    """The look at the clock between the claim and the request: what froze longer than a send may take stays silent."""
    world = World(each)
    answered(world)
    channel = testing.RecordingChannel()
    rules = world.settings.deliver.model_copy(update={"timeout_s": 0.0})
    settings = world.settings.model_copy(update={"deliver": rules})
    receipt = deliver.send_next(
        each,
        channels={("generic", "here"): channel},
        settings=settings,
        policy=world.policy,
        refetch=world.refetch,
    )
    assert receipt is not None
    assert (receipt.state, channel.sent) == ("not_sent", [])
    [row] = world.rows()
    assert row["state"] == "pending"
    assert row["due_at"] <= world.now() + timedelta(seconds=rules.backoff_s)
