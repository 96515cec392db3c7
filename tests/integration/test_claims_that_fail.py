"""A conversation that can't be claimed is put off and ends with a person; all others are answered meanwhile."""

from typing import Any

import pytest
from sqlalchemy import select, text

from cs_bot import bootstrap, turns
from cs_bot.records import Reason, Turn
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.turns import claiming
from tests.desk import say
from tests.services import PostgresServer
from tests.web import services_on

UNREADABLE = {"sqlite": "damaged", "postgresql": "infinity"}  # a time that the driver can't load


def claim(shop: bootstrap.Services) -> list[Turn]:
    return turns.claim(shop.database, settings=shop.settings, policy=shop.policy(), limit=8)


def rows(database: Database, *columns: Any) -> list[tuple[Any, ...]]:
    with database.read() as tx:
        return [tuple(row) for row in tx.execute(select(*columns))]


def damage(database: Database, words: str) -> None:
    with database.write() as tx:
        change = text("update messages set sent_at = :moment where text = :words")
        assert tx.execute(change, {"moment": UNREADABLE[tx.dialect], "words": words}).rowcount == 1


def words_of(claimed: list[Turn]) -> list[str]:
    return [turn.text for turn in claimed]


def test_one_conversation_that_can_not_be_claimed_stops_no_other(
    services: bootstrap.Services, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        say(services, f"question {number}", conversation_id=f"c{number}")
    damage(services.database, "question 0")
    assert words_of(claim(services)) == ["question 1", "question 2"]
    assert "a conversation can't be claimed" in caplog.messages
    assert "question 0" not in caplog.text
    [(attempts, failed)] = rows(services.database, tables.turns.c.attempts, tables.turns.c.failed)[:1]
    assert attempts == 1
    assert failed in {"ValueError", "DataError"}


def test_what_can_not_be_claimed_goes_to_a_person_after_the_last_attempt(services: bootstrap.Services) -> None:
    say(services, "question")
    damage(services.database, "question")
    for _ in range(services.settings.turns.max_attempts):
        assert rows(services.database, tables.reviews.c.id) == []
        assert claim(services) == []
        services.database.shift(31)
    assert claim(services) == []
    assert rows(services.database, tables.reviews.c.state, tables.reviews.c.reasons) == [("open", [Reason.POISON])]
    assert rows(services.database, tables.turns.c.attempts, tables.turns.c.outcome) == [(4, "review")]
    assert all(review is not None for (review,) in rows(services.database, tables.messages.c.review_id))


def test_a_message_that_spoils_a_turn_of_a_further_attempt_goes_with_it(services: bootstrap.Services) -> None:
    say(services, "question")
    [turn] = claim(services)
    turns.fail(services.database, turn, RuntimeError(), settings=services.settings)
    say(services, "another")
    damage(services.database, "another")
    for _ in range(services.settings.turns.max_attempts):
        services.database.shift(31)
        assert claim(services) == []
    assert rows(services.database, tables.reviews.c.reasons) == [([Reason.POISON],)]
    assert None not in [review for (review,) in rows(services.database, tables.messages.c.review_id)]
    assert rows(services.database, tables.turns.c.first_seq, tables.turns.c.last_seq) == [(1, 2)]


def test_what_another_worker_has_claimed_meanwhile_is_not_put_off(services: bootstrap.Services) -> None:
    say(services, "question")
    [turn] = claim(services)
    claiming._put_off(services.database, turn.conversation_id, ValueError(), services.settings)
    assert rows(services.database, tables.turns.c.attempts, tables.turns.c.failed) == [(1, None)]
    assert rows(services.database, tables.conversations.c.fence) == [(turn.fence,)]


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_the_first_and_the_last_day_are_read_on_a_server_of_any_time_zone(
    moment: str, postgres_server: PostgresServer, postgres_template: str, tmp_path: Any
) -> None:
    address = postgres_server.create_database(postgres_template)
    database = Database(address)
    with database.write() as tx:
        name = address.rsplit("/", 1)[1]
        zone = "Asia/Shanghai" if moment.startswith("9") else "America/New_York"
        tx.execute(text(f"alter database \"{name}\" set timezone = '{zone}'"))
    database.close()
    services = services_on(database, tmp_path, turns={"quiet_s": 0, "wait_at_most_s": 0})
    say(services, sent_at=moment)
    [turn] = claim(services)
    assert turn.messages[0].sent_at.year == int(moment[:4])
    services.close()
