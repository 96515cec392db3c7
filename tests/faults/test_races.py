"""Two transactions at once on PostgreSQL: whoever waits for the conversation's lock sees what the other one did."""

import contextlib
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from cs_bot import retention, review
from cs_bot.errors import Conflict, LeaseLost
from cs_bot.records import Action, Reason
from cs_bot.schemas import MessageCreated
from cs_bot.store.database import Database, Transaction
from cs_bot.store.queries import conversations, reviews
from cs_bot.store.queries import messages as message_queries
from cs_bot.store.tables import messages, turns
from cs_bot.testing import shop_message
from cs_bot.turns import Incoming, Leases, arrive, claim
from cs_bot.turns import finish as finish_turn
from tests.faults.desk import Desk
from tests.faults.outside import CHANNEL, HERE
from tests.faults.scenarios import asked, held
from tests.faults.world import World
from tests.forgetting import a_shop, event, message, rows
from tests.forgetting import answered as answered_by_a_person


@pytest.fixture
def world(postgres: Database) -> World:
    return World(postgres)


def while_another_waits(database: Database, first: Callable[[Transaction], None], second: Callable[[], None]) -> None:
    """`first` holds its locks until `second` waits for them; then it commits."""
    problems: list[BaseException] = []

    def run() -> None:
        try:
            second()
        except BaseException as problem:  # handed to the test
            problems.append(problem)

    thread = threading.Thread(target=run)
    with database.write() as tx:
        first(tx)
        thread.start()
        _until_somebody_waits(database)
    thread.join(10)
    assert not thread.is_alive()
    if problems:
        raise problems[0]


def _until_somebody_waits(database: Database, at_most_s: float = 2.0) -> None:
    waiting = text("select count(*) from pg_locks where not granted")
    end = time.monotonic() + at_most_s
    while time.monotonic() < end:
        with database.read() as tx:
            if tx.value(waiting):
                return
        time.sleep(0.01)
    raise TimeoutError("nobody waits for the lock")


def end_of(world: World, message_id: str) -> str | None:
    with world.database.read() as tx:
        found = tx.row(select(messages.c.end).where(messages.c.external_id == message_id))
        assert found is not None
        return found["end"]


def test_a_message_that_waits_for_its_own_revoke_is_revoked(world: World) -> None:
    world.customer_writes()

    def revoke(tx: Transaction) -> None:
        conversations.open_and_lock(tx, CHANNEL, HERE, "c0")
        message_queries.revoke(tx, CHANNEL, HERE, "m3")
        world.memory.revoke("m3")

    world.numbers = 2  # the next message is m3
    while_another_waits(world.database, revoke, world.customer_writes)
    assert end_of(world, "m3") == "revoked"


def test_a_message_that_waits_for_a_review_to_open_joins_it(world: World) -> None:
    world.customer_writes()

    def open_a_review(tx: Transaction) -> None:
        row = conversations.open_and_lock(tx, CHANNEL, HERE, "c0")
        nothing: dict[str, Any] = {"kind": None, "draft_id": None, "decision_id": None}
        reviews.open_or_join(tx, row["id"], reasons=[Reason.NO_ANSWER], suggestion="", due_s=60, **nothing)

    while_another_waits(world.database, open_a_review, world.customer_writes)
    with world.database.read() as tx:
        joined = tx.rows(select(messages.c.external_id).where(messages.c.review_id.is_not(None)))
    assert "m3" in [row["external_id"] for row in joined]


def test_an_approval_that_waits_for_a_new_message_is_refused(world: World) -> None:
    desk = Desk(world)
    held(world, desk)
    card = desk.take()
    assert card is not None
    answers: list[bool] = []

    def write(tx: Transaction) -> None:
        conversations.open_and_lock(tx, CHANNEL, HERE, "c0")
        reviews.bump(tx, card.review_id)

    while_another_waits(world.database, write, lambda: answers.append(desk.act(card, "approve")))
    assert answers == [False]


def test_a_finish_that_waits_for_a_takeover_is_thrown_away(world: World) -> None:
    turn = asked(world)

    def take_over(tx: Transaction) -> None:
        from cs_bot.turns.people import take_over_locked

        take_over_locked(tx, conversations.open_and_lock(tx, CHANNEL, HERE, "c0"), tx.now())
        world.memory.owner_event("c0", tx.now(), "outside")

    def finish() -> None:
        with pytest.raises(LeaseLost):
            finish_turn(world.database, turn, world.work(turn, Action.SEND, ()), settings=world.settings)

    while_another_waits(world.database, take_over, finish)
    with world.database.read() as tx:
        assert (tx.value(select(messages.c.end)), tx.value(select(turns.c.outcome))) == ("handed_over", "handed_over")


def test_a_claim_that_upkeep_meets_is_not_taken_away(world: World) -> None:
    desk = Desk(world)
    held(world, desk)
    assert desk.take() is not None
    world.tick(world.settings.review.claim_s + 1)
    [(review_id, version)] = desk.open_reviews()
    swept = threading.Thread(target=lambda: review.sweep(world.database))
    with world.database.write() as tx:  # the first agent's claim has run out, the second one takes it
        until = tx.now() + timedelta(seconds=60)
        assert reviews.claim(tx, review_id, version, desk.agents[1], until)
        swept.start()
        with contextlib.suppress(TimeoutError):
            _until_somebody_waits(world.database, 1.0)
    swept.join(10)
    with world.database.read() as tx:
        row = reviews.get(tx, review_id)
    assert row is not None
    assert row["claimed_by"] == desk.agents[1]


def test_a_deletion_waits_for_a_first_message_elsewhere_and_is_refused(world: World, tmp_path: Path) -> None:
    shop = a_shop(world.database, tmp_path)
    answered_by_a_person(shop)
    other = {"conversation_id": "conv-9", "message_id": "m-9", "customer": {"id": "u9"}}
    event(shop, "message.created", shop_message("hello", **other))  # its delivery has the message below, too
    elsewhere = MessageCreated.model_validate(message("m-2", conversation_id="conv-2"))

    def arrives(tx: Transaction) -> None:
        one = Incoming(elsewhere, event_id=2, sent_at=tx.now())
        arrive(tx, [one], channel="generic", account="shop", settings=shop.settings.turns)

    def delete() -> None:
        with pytest.raises(Conflict, match="wrote again"):
            retention.delete(world.database, 1, media=shop.media, actor="mei")

    while_another_waits(world.database, arrives, delete)
    assert rows(shop, "customers")[0]["external_id"] == "u1"
    shop.close()


def test_two_workers_at_once_never_have_the_same_turn(world: World) -> None:
    for name in ("c0", "c1", "c2"):
        world.customer_writes(name)
    world.tick(4.0)
    claimed: list[int] = []
    lock = threading.Lock()

    def work() -> None:
        for _ in range(5):
            for turn in claim(world.database, settings=world.settings, policy=world.policy, limit=2):
                with lock:
                    claimed.append(turn.turn_id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(claimed) == sorted(set(claimed))
    assert len(claimed) == 3


def test_leases_are_renewed_beside_webhooks_that_share_a_commit(world: World) -> None:
    for name in ("c1", "c0"):
        world.customer_writes(name)
        world.tick(1.0)
    world.tick(4.0)
    jobs = world.claim()
    assert [turn.messages[0].external_id for turn in jobs] == ["m1", "m3"], "first the one that webhooks lock last"
    renewing = threading.Thread(target=Leases(world.database, jobs, lease_s=0.0).progress)
    with world.database.write() as tx:
        conversations.open_and_lock(tx, CHANNEL, HERE, "c0")
        renewing.start()
        _until_somebody_waits(world.database)
        conversations.open_and_lock(tx, CHANNEL, HERE, "c1")  # a deadlock when a renewal held it while it waits
    renewing.join(10)
    assert not renewing.is_alive()
