"""Webhooks that share a commit come out as if one came after the other, however much of them meets."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from cs_bot.bootstrap import Services
from cs_bot.channels.base import RawRequest
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.testing import shop_event, shop_request
from tests.shared_commit import DAY, PICTURE, deliver, shop_on, together


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[Services]:
    with shop_on(database, tmp_path) as services:
        yield services


def anything(dice: random.Random) -> RawRequest:
    """One delivery of few conversations, customers and ids, so that much of it meets."""
    conversation, message = f"c{dice.randrange(4)}", f"m{dice.randrange(12)}"
    kind = dice.choices(
        ["message.created", "message.revoked", "conversation.taken_by_human", "conversation.released", "unheard.of"],
        [12, 1, 1, 1, 1],
    )[0]
    data: dict[str, Any] = {"conversation_id": conversation, "message_id": message}
    if kind == "message.created":
        data |= {
            "customer": {"id": f"u{dice.randrange(5)}", "name": dice.choice([None, "Mei", "Lu"])},
            "text": dice.choice(["", "hello", "where is it?"]),
            "sender": dice.choices(["customer", "agent", "bot"], [10, 1, 1])[0],
            "attachments": [{"url": PICTURE}] * dice.choice([0, 0, 1, 2]),
        }
    return shop_request(shop_event(kind, data, now=DAY), delivery_id=f"d{dice.randrange(25)}")


def everything(shop: Services) -> dict[str, Any]:
    """What is stored, without row ids and our own times."""
    m, e, u, c, p = (tables.messages, tables.events, tables.customers, tables.conversations, tables.picture_uses)
    of_message = (
        (m.c.external_id, m.c.seq, m.c.sender, m.c.text, m.c.sent_at, m.c.body_sha256, m.c.conflicts),
        (m.c.end, m.c.end_reason, m.c.revoked_at.is_not(None), e.c.external_id, u.c.external_id, c.c.external_id),
    )
    joined = select(*of_message[0], *of_message[1]).join(e).join(u).join(c).order_by(m.c.external_id)
    queries = {
        "events": select(e.c.external_id, e.c.body_sha256, e.c.type, e.c.state, e.c.problem, e.c.conflicts),
        "messages": joined,
        "customers": select(u.c.external_id, u.c.name),
        "conversations": select(
            c.c.external_id, c.c.next_seq, c.c.owner, c.c.owner_changed_at, c.c.epoch, c.c.due_at.is_not(None)
        ),
        "pictures": select(m.c.external_id, func.count()).join(p).group_by(m.c.external_id),
    }
    with shop.database.read() as tx:
        return {name: sorted(tuple(map(str, row)) for row in tx.execute(query)) for name, query in queries.items()}


@pytest.mark.parametrize("seed", range(4))
def test_together_is_the_same_as_one_after_the_other(
    shop: Services, sqlite_template: Path, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    requests = [anything(dice) for _ in range(60)]
    (tmp_path / "one.db").write_bytes(sqlite_template.read_bytes())
    undone: list[object] = []
    event.listen(shop.database.engine, "rollback", undone.append)
    at_once = [outcome for n in range(0, 60, 20) for outcome in together(shop, requests[n : n + 20])]
    assert undone == []  # each would have been written alone
    with shop_on(Database(f"sqlite:///{tmp_path / 'one.db'}"), tmp_path) as other:
        assert [deliver(other, request) for request in requests] == at_once
        assert everything(other) == everything(shop)
