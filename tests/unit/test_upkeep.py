"""Upkeep's round: whatever is away or hangs, the other sweeps run and the bells ring."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from cs_bot import upkeep
from cs_bot.bootstrap import Services
from cs_bot.channels.base import Caps
from cs_bot.deliver.settling import ACCOUNT_S
from cs_bot.errors import MediaUnavailable, StoreUnavailable
from cs_bot.receive import receive
from cs_bot.records import Receipt, SendState
from cs_bot.settings import AccountSettings
from cs_bot.store.database import Database
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import conversations, outbound
from cs_bot.store.tables import conversations as conversation_rows
from cs_bot.store.tables import outbound as outbox
from cs_bot.testing import RecordingChannel, shop_event, shop_message, shop_request
from tests.forgetting import DAY_S, a_shop, answered, rows
from tests.web import upkeep_round


class Asked(RecordingChannel):
    """A platform that only knows a message when asked for it; asking takes `look_up_s`."""

    def __init__(self, look_up_s: float = 0.0, problem: Exception | None = None) -> None:
        super().__init__(caps=Caps(idempotent_send=False, can_look_up=True, hand_off=True))
        self._look_up_s, self._problem, self.asked = look_up_s, problem, 0

    def look_up(self, outbound_id: str) -> Receipt | None:
        self.asked += 1
        time.sleep(self._look_up_s)
        if self._problem is not None:
            raise self._problem
        return None if self._look_up_s else Receipt(state=SendState.SENT)


class Away(MediaStore):
    """A picture store that can't be reached."""

    def remove(self, sha256: str) -> None:
        raise MediaUnavailable


@pytest.fixture
def shop(sqlite_database: Database, tmp_path: Path) -> Iterator[Services]:
    services = a_shop(sqlite_database, tmp_path)
    yield services
    services.close()


def ask(shop: Services) -> None:
    """A question that is due at once."""
    receive(
        shop_request(shop_event("message.created", shop_message("hello?", conversation_id="c-new"))),
        channel="generic",
        account="shop",
        channels=shop.channels,
        database=shop.database,
        ring=lambda _queue: None,
        settings=shop.settings,
    )


def unknown_sends(shop: Services, account: str, number: int) -> None:
    """Sends of which nobody knows what came of them, long enough ago to be settled."""
    with shop.database.write() as tx:
        since = tx.now() - timedelta(seconds=shop.settings.deliver.settle_s + 1)
        for n in range(number):
            row = conversations.open_and_lock(tx, "generic", account, f"{account}-{n}")
            outbound.add(tx, conversation_id=row["id"], origin="agent:1", kind="agent", text="words", epoch=0)
        unsent = outbox.c.state == "pending"
        tx.execute(outbox.update().where(unsent).values(state="unknown", sending_since=since, send_token="t"))


def states(shop: Services, account: str) -> list[str]:
    with shop.database.read() as tx:
        ids = select(conversation_rows.c.id).where(conversation_rows.c.account == account)
        found = tx.rows(select(outbox.c.state).where(outbox.c.conversation_id.in_(ids)))
        return [row["state"] for row in found]


def test_a_picture_store_that_is_away_holds_up_no_bell_and_no_other_rule(shop: Services) -> None:
    answered(shop)
    shop.database.shift(200 * DAY_S)
    ask(shop)
    away = Away(f"file://{shop.settings.home / 'media'}")
    for _ in range(5):  # a rule a round at least
        assert upkeep_round(shop, media=away) == ["answer"]
    assert len(rows(shop, "pictures")) == 1
    progress = {row["rule"] for row in rows(shop, "retention_progress")}
    assert {"revocations", "customers"} <= progress, "the rules behind the pictures"


def test_a_platform_that_hangs_costs_a_round_one_look_up_and_other_accounts_go_on(shop: Services) -> None:
    other = AccountSettings(channel="generic", name="other", secrets=("unused",))
    shop.settings = shop.settings.model_copy(update={"accounts": (*shop.settings.accounts, other)})
    hangs = shop.channels["generic", "shop"] = Asked(look_up_s=ACCOUNT_S + 0.1)
    works = shop.channels["generic", "other"] = Asked()
    unknown_sends(shop, "shop", 25)
    unknown_sends(shop, "other", 5)
    ask(shop)
    began = time.monotonic()
    assert upkeep_round(shop) == ["answer"]
    assert time.monotonic() - began < 2 * ACCOUNT_S
    assert (hangs.asked, works.asked) == (1, 5)
    assert states(shop, "other") == ["sent"] * 5


def test_a_row_that_can_not_be_settled_holds_up_no_other(shop: Services, caplog: pytest.LogCaptureFixture) -> None:
    broken = shop.channels["generic", "shop"] = Asked(problem=ZeroDivisionError())
    unknown_sends(shop, "shop", 2)
    ask(shop)
    assert upkeep_round(shop) == ["answer"]
    assert broken.asked == 2
    assert states(shop, "shop") == ["unknown", "unknown"]
    assert [record.message for record in caplog.records] == ["an unknown send can't be settled"] * 2


def test_a_sweep_that_fails_is_named_and_the_others_go_on(
    shop: Services, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object, **_named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(upkeep.turns, "sweep", broken)  # a fault of the sweep itself, which no data brings about
    unknown_sends(shop, "shop", 1)
    shop.channels["generic", "shop"] = Asked()
    ask(shop)
    assert upkeep_round(shop) == ["answer"]
    assert states(shop, "shop") == ["sent"]
    [said] = [record for record in caplog.records if record.message == "a sweep failed, the others go on"]
    assert said.__dict__["sweep"] == "turns"


def test_a_database_that_is_away_ends_the_round(shop: Services) -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:9/none")
    with pytest.raises(StoreUnavailable):
        upkeep_round(shop, database=away)
    away.close()
