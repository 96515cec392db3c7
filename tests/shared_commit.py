"""Webhooks that share a commit for sure, however the threads run."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from cs_bot.bootstrap import Services
from cs_bot.channels.base import Delivery, RawRequest
from cs_bot.receive import Received, receive
from cs_bot.store.database import Database, Transaction
from cs_bot.testing import RecordingChannel
from tests.web import services_on

DAY = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)
PICTURE = "https://pictures.example/1.png"


class OddChannel(RecordingChannel):
    """A platform whose delivery `bad` carries a time that no database takes."""

    def parse(self, request: RawRequest) -> Delivery:
        """As the generic channel does, but for that one."""
        found = super().parse(request)
        return replace(found, timestamp=DAY.replace(tzinfo=None)) if found.delivery_id == "bad" else found


@contextmanager
def shop_on(database: Database, folder: Path) -> Iterator[Services]:
    """A shop with two accounts, shop and other, whose web process has one lane."""
    services = services_on(database, folder)
    services.channels["generic", "shop"] = services.channels["generic", "other"] = OddChannel()
    database._lanes = database._lanes[:1]  # as SQLite has it: what is queued together shares one commit
    yield services
    services.close()


def deliver(shop: Services, request: RawRequest, account: str = "shop") -> Received:
    """One webhook."""
    return receive(
        request,
        channel="generic",
        account=account,
        channels=shop.channels,
        database=shop.database,
        ring=shop.ring,
        settings=shop.settings,
    )


def together(shop: Services, requests: Sequence[RawRequest], accounts: Sequence[str] = ()) -> list[Any]:
    """Deliver from threads of their own, in this order, in one shared commit; what each came back with."""
    outcomes: list[Any] = [None] * len(requests)
    begun, go_on = threading.Event(), threading.Event()
    queued = shop.database._lanes[0].queued

    def hold_up(_tx: Transaction, items: Sequence[None]) -> Sequence[None]:
        begun.set()
        assert go_on.wait(30)
        return items

    def one(n: int) -> None:
        try:
            outcomes[n] = deliver(shop, requests[n], accounts[n] if accounts else "shop")
        except Exception as problem:
            outcomes[n] = problem

    threads = [threading.Thread(target=shop.database.write_together, args=(hold_up, None))]
    threads[0].start()
    assert begun.wait(30)
    for n in range(len(requests)):
        threads.append(threading.Thread(target=one, args=(n,)))
        threads[-1].start()
        while len(queued) <= n:
            time.sleep(0.001)
    go_on.set()
    for thread in threads:
        thread.join(30)
    return outcomes


def rows(shop: Services, table: Table) -> list[dict[str, Any]]:
    """A whole table."""
    with shop.database.read() as tx:
        return [dict(row) for row in tx.rows(select(table).order_by(*table.primary_key.columns))]
