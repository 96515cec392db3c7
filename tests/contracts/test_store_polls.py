"""The polls of every worker find their rows by small indexes: a shop's past never makes them slow."""

from collections.abc import Callable

import pytest

from cs_bot.store.database import Database, Transaction
from cs_bot.store.queries import conversations, outbound, pictures
from tests.plans import plans

POLLS: dict[str, tuple[Callable[[Transaction], object], tuple[str, ...]]] = {
    "a turn is due": (conversations.any_due, ("ix_conversations_leased", "ix_conversations_due")),
    "turns to claim": (lambda tx: conversations.due(tx, 8), ("ix_conversations_leased", "ix_conversations_due")),
    "when a turn will be due": (conversations.next_due_at, ("ix_conversations_due",)),
    "a row to send": (lambda tx: outbound.candidates(tx, limit=1), ("ix_outbound_pending",)),
    "whether a row is due": (outbound.any_due, ("ix_outbound_pending",)),
    "when a row will be due": (outbound.next_due_at, ("ix_outbound_pending",)),
    "pictures whose worker died": (lambda tx: pictures.exhausted(tx, 5), ("ix_picture_uses_due",)),
    "unknown sends": (lambda tx: outbound.unknown(tx, older_than_s=1), ("ix_outbound_undelivered",)),
}


@pytest.mark.parametrize("poll", sorted(POLLS))
def test_a_poll_uses_its_small_index_on_sqlite(sqlite_database: Database, poll: str) -> None:
    run, indexes = POLLS[poll]
    with plans(sqlite_database) as told, sqlite_database.read() as tx:
        run(tx)
    plan = "\n".join(told)
    for index in indexes:
        assert index in plan, plan
    assert "'SCAN outbound'" not in plan, "all of the table"
    assert "'SCAN conversations'" not in plan, "all of the table"
    assert "'SCAN picture_uses'" not in plan, "all of the table"
