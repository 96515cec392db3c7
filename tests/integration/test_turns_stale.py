"""What no worker has claimed for longer than a reply may be late goes to people: upkeep needs no engine for that."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cs_bot import bootstrap, turns
from cs_bot.records import Owner, Reason, Turn
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.store.queries import conversations
from cs_bot.turns import ending, people
from tests.desk import say
from tests.services import PostgresServer
from tests.web import services_on, upkeep_round

JUST = 890.0
TOO_LONG = 901.0


def claim(shop: bootstrap.Services) -> list[Turn]:
    return turns.claim(shop.database, settings=shop.settings, policy=shop.policy(), limit=8)


def sweep(shop: bootstrap.Services) -> int:
    return turns.sweep(shop.database, settings=shop.settings, policy=shop.policy())


def rows(shop: bootstrap.Services, *columns: Any) -> list[tuple[Any, ...]]:
    with shop.database.read() as tx:
        return [tuple(row) for row in tx.execute(select(*columns))]


def reviews(shop: bootstrap.Services) -> list[tuple[Any, ...]]:
    return rows(shop, tables.reviews.c.state, tables.reviews.c.reasons)


def ends(shop: bootstrap.Services) -> list[tuple[Any, ...]]:
    return rows(shop, tables.messages.c.end, tables.messages.c.review_id)


@pytest.fixture
def postgres_services(
    postgres_server: PostgresServer, postgres_template: str, tmp_path: Path
) -> Iterator[bootstrap.Services]:
    """As `services`, on PostgreSQL: SQLite has one writer, who waits for nobody's row."""
    database = Database(postgres_server.create_database(postgres_template))
    services = services_on(database, tmp_path, turns={"quiet_s": 0, "wait_at_most_s": 0})
    yield services
    services.close()


def test_what_nobody_claims_goes_to_people_when_no_reply_may_go_out_any_more(services: bootstrap.Services) -> None:
    say(services)
    services.database.shift(JUST)
    assert sweep(services) == 0
    assert reviews(services) == []
    services.database.shift(TOO_LONG - JUST)
    assert sweep(services) == 1
    assert reviews(services) == [("open", [Reason.STALE])]
    assert rows(services, tables.turns.c.state, tables.turns.c.outcome) == [("finished", "review")]
    assert rows(services, tables.conversations.c.due_at, tables.conversations.c.lease_until) == [(None, None)]
    assert claim(services) == []
    assert sweep(services) == 0


def test_upkeep_does_it_without_an_engine(services: bootstrap.Services) -> None:
    say(services)
    services.database.shift(TOO_LONG)
    upkeep_round(services)
    assert reviews(services) == [("open", [Reason.STALE])]
    assert services._vision is None


def test_the_policy_says_how_long(services: bootstrap.Services) -> None:
    say(services)
    patient = services.policy().model_copy(update={"stale_after_s": 3600.0})
    services.database.shift(TOO_LONG)
    assert turns.sweep(services.database, settings=services.settings, policy=patient) == 0
    services.database.shift(3600)
    assert turns.sweep(services.database, settings=services.settings, policy=patient) == 1


def test_a_worker_that_is_merely_slow_keeps_its_turn(services: bootstrap.Services) -> None:
    say(services)
    [turn] = claim(services)
    for _ in range(40):
        services.database.shift(25)
        turns.renew(services.database, turn, services.settings.turns.lease_s)
        assert sweep(services) == 0
    assert reviews(services) == []


def test_a_round_takes_a_few_of_many_and_those_that_wait_longest(services: bootstrap.Services) -> None:
    for number in range(25):
        say(services, conversation_id=f"c{number}")
        services.database.shift(1)
    services.database.shift(TOO_LONG)
    assert sweep(services) == 20
    left = rows(services, tables.conversations.c.external_id, tables.conversations.c.due_at)
    assert sorted(name for name, due_at in left if due_at is not None) == ["c20", "c21", "c22", "c23", "c24"]
    assert sweep(services) == 5


def test_what_is_claimed_between_the_look_and_the_lock_stays_with_its_worker(services: bootstrap.Services) -> None:
    say(services)
    services.database.shift(TOO_LONG)
    [turn] = claim(services)
    assert not ending._given_up(services.database, turn.conversation_id, services.settings, services.policy())
    assert reviews(services) == []
    assert rows(services, tables.conversations.c.fence) == [(turn.fence,)]


def test_of_a_claim_and_a_round_at_the_same_moment_only_one_gets_it(services: bootstrap.Services) -> None:
    for number in range(8):
        say(services, conversation_id=f"c{number}")
    services.database.shift(TOO_LONG)
    services.policy()
    start, claimed, given = threading.Barrier(2), [], []

    def work() -> None:
        start.wait()
        while found := turns.claim(services.database, settings=services.settings, policy=services.policy(), limit=1):
            claimed.extend(found)

    def put_right() -> None:
        start.wait()
        given.append(sweep(services))

    threads = [threading.Thread(target=one) for one in (work, put_right)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(claimed) + given[0] == 8
    assert len(reviews(services)) == given[0]
    assert {turn.conversation_id for turn in claimed}.isdisjoint(
        row[0] for row in rows(services, tables.reviews.c.conversation_id)
    )


def test_what_a_claim_holds_right_now_is_left_to_it(postgres_services: bootstrap.Services) -> None:
    services = postgres_services
    say(services)
    services.database.shift(TOO_LONG)
    services.policy()
    with services.database.write() as tx:
        [row] = conversations.due(tx, 1)  # as a claim locks it
        assert sweep(services) == 0, "it does not wait"
        conversations.lease(tx, row["id"], 30.0)
    assert sweep(services) == 0
    assert reviews(services) == []


def test_a_message_that_comes_meanwhile_goes_along_and_a_later_one_joins_the_review(
    services: bootstrap.Services,
) -> None:
    say(services, "first")
    services.database.shift(TOO_LONG)
    say(services, "second")
    assert sweep(services) == 1
    say(services, "third")
    [(review_id,)] = rows(services, tables.reviews.c.id)
    assert ends(services) == [(None, review_id)] * 3
    assert len(reviews(services)) == 1
    assert rows(services, tables.turns.c.first_seq, tables.turns.c.last_seq) == [(1, 2)]
    assert claim(services) == []


def test_a_worker_that_comes_back_from_the_dead_finds_its_turn_gone(services: bootstrap.Services) -> None:
    say(services)
    [zombie] = claim(services)
    services.database.shift(TOO_LONG)  # its lease is lost, and the turn is past its deadline
    assert sweep(services) == 1
    assert reviews(services) == [("open", [Reason.LATE])]
    with services.database.write() as tx:
        assert conversations.give_lease_back(tx, zombie.conversation_id, zombie.fence) is None


def test_a_conversation_that_a_person_took_over_is_left_to_that_person(services: bootstrap.Services) -> None:
    say(services)
    with services.database.write() as tx:
        people.take_over(tx, "generic", "shop", "c1", tx.now())
    services.database.shift(TOO_LONG)
    assert sweep(services) == 0
    assert ends(services) == [("handed_over", None)]
    assert reviews(services) == []


@pytest.mark.parametrize(("owner", "ended"), [(Owner.OUTSIDE, "handed_over"), (Owner.DESK, None)])
def test_whoever_owns_the_conversation_gets_what_waits(
    services: bootstrap.Services, owner: Owner, ended: str | None
) -> None:
    say(services)
    with services.database.write() as tx:
        [row] = conversations.due(tx, 1)
        conversations.set_owner(tx, row, owner)
    services.database.shift(TOO_LONG)
    assert sweep(services) == 1
    assert [end for end, _ in ends(services)] == [ended]
    assert len(reviews(services)) == (owner is Owner.DESK)
    assert rows(services, tables.conversations.c.due_at) == [(None,)]


def test_a_message_taken_back_while_it_waited_is_nobodys_work(services: bootstrap.Services) -> None:
    say(services, message_id="m1")
    with services.database.write() as tx:
        people.revoke(tx, "generic", "shop", "c1", "m1")
    services.database.shift(TOO_LONG)
    assert sweep(services) == 0
    assert reviews(services) == []


def test_one_conversation_that_can_not_be_given_up_stops_no_other(
    services: bootstrap.Services, caplog: pytest.LogCaptureFixture
) -> None:
    say(services, conversation_id="c1")
    say(services, conversation_id="c2")
    odd = services.settings.model_copy(update={"review": None})  # settings that a person can't be asked with
    services.database.shift(TOO_LONG)
    assert turns.sweep(services.database, settings=odd, policy=services.policy()) == 0
    assert caplog.messages.count("a turn can't be given up") == 2
    assert sweep(services) == 2
