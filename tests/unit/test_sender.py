"""The worker that has finished a reply sends it itself: after the commit, one at a time, and never twice."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from cs_bot import calibration, pipeline, review
from cs_bot.bootstrap import Services
from cs_bot.errors import LeaseLost
from cs_bot.knowledge.faq import search_column
from cs_bot.receive import receive
from cs_bot.records import Kind, Mode, Outbound, Reason, Receipt, Route, SendState
from cs_bot.schemas import FaqIn
from cs_bot.sender import Sender
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.store.queries import faq, outbound
from cs_bot.testing import RecordingChannel, shop_event, shop_message, shop_request
from tests.services import wait_for
from tests.web import services_on

FIT = {
    "version": 1,
    "weights": {"faq.score": 1.0},
    "bias": 0.0,
    "engines": ("templates",),
    "threshold": 0.5,
    "target": 0.02,
    "n": 300,
    "wrong": 0,
    "bound": 0.01,
    **dict.fromkeys(("data_from", "data_to", "created_at"), datetime(2026, 11, 1, tzinfo=UTC)),
}


class SlowChannel(RecordingChannel):
    """Answers a send only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answer = threading.Event(), threading.Event()

    def send(self, outbound: Outbound) -> Receipt:
        self.asked.set()
        assert self.answer.wait(10)
        return super().send(outbound)


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[Services]:
    """FAQ answers go out by themselves; what is asked is due at once."""
    policy = {"modes": {"*/*": "assist", "text/faq": "auto"}, "fits": {"text/faq": FIT}}
    services = services_on(database, tmp_path, turns={"quiet_s": 0.0}, policy=policy)
    services.channels["generic", "shop"] = RecordingChannel()
    entry = FaqIn(faq_id="f1", language="zh", question="运费多少？", answer="满九十九元包邮。")
    with database.write() as tx:
        faq.save_many(tx, [(entry, search_column(entry))])
    yield services
    services.close()


def ask(shop: Services, conversation: str = "c1") -> None:
    receive(
        shop_request(shop_event("message.created", shop_message("运费多少？", conversation_id=conversation))),
        channel="generic",
        account="shop",
        channels=shop.channels,
        database=shop.database,
        ring=lambda _queue: None,
        settings=shop.settings,
    )


def answer(shop: Services) -> bool:
    return pipeline.answer_due(shop.parts(), ring=shop.ring, sender=shop.sender)


def rung(shop: Services) -> list[str]:
    return shop.rung  # type: ignore[attr-defined,no-any-return]


def states(shop: Services) -> list[str]:
    with shop.database.read() as tx:
        return [row["state"] for row in tx.rows(select(tables.outbound.c.state).order_by(tables.outbound.c.id))]


def sent(shop: Services) -> list[Outbound]:
    channel = shop.channels["generic", "shop"]
    assert isinstance(channel, RecordingChannel)
    return channel.sent


def test_a_reply_is_sent_without_a_bell_and_its_message_ends(shop: Services) -> None:
    ask(shop)
    assert answer(shop)
    wait_for(lambda: states(shop) == ["sent"], "the send", 5)
    assert [reply.text for reply in sent(shop)] == ["您好！满九十九元包邮。"]
    assert rung(shop) == []
    with shop.database.read() as tx:
        assert tx.value(select(tables.messages.c.end)) == "bot"


def test_a_slow_platform_holds_up_no_answer_the_next_reply_is_left_to_the_deliver_workers(shop: Services) -> None:
    channel = shop.channels["generic", "shop"] = SlowChannel()
    ask(shop, "c1")
    answer(shop)
    assert channel.asked.wait(5)
    ask(shop, "c2")
    began = time.monotonic()
    assert answer(shop)
    assert time.monotonic() - began < 5, "it did not wait for the platform"
    assert states(shop) == ["sending", "pending"]
    assert rung(shop) == ["deliver"]
    channel.answer.set()
    wait_for(lambda: states(shop) == ["sent", "pending"], "the first send", 5)
    ask(shop, "c3")
    answer(shop)
    wait_for(lambda: states(shop) == ["sent", "pending", "sent"], "the third send", 5)


def test_closing_waits_for_what_is_on_its_way(shop: Services) -> None:
    channel = shop.channels["generic", "shop"] = SlowChannel()
    ask(shop)
    answer(shop)
    assert channel.asked.wait(5)
    threading.Timer(0.2, channel.answer.set).start()
    assert isinstance(shop.sender, Sender)
    shop.sender.close()
    assert states(shop) == ["sent"]
    shop._sender = None


def test_what_the_platform_refuses_for_now_is_left_to_the_deliver_workers(shop: Services) -> None:
    refusal = Receipt(state=SendState.NOT_SENT, retry_after_s=60.0, detail="429")
    shop.channels["generic", "shop"] = RecordingChannel(receipts=[refusal])
    ask(shop)
    answer(shop)
    wait_for(lambda: rung(shop) == ["deliver"], "the bell", 5)
    assert states(shop) == ["pending"]


def test_an_earlier_row_of_the_conversation_goes_first(shop: Services) -> None:
    ask(shop)
    with shop.database.write() as tx:
        conversation = tx.value(select(tables.conversations.c.id))
        outbound.add(tx, conversation_id=conversation, origin="review:1:1", kind="notice", text="one", epoch=0)
    answer(shop)
    wait_for(lambda: states(shop) == ["sent", "pending"], "the send of the first row", 5)
    assert [row.text for row in sent(shop)] == ["one"]
    wait_for(lambda: rung(shop) == ["deliver"], "the bell for the turn's own reply", 5)


def test_a_paused_account_is_not_called(shop: Services) -> None:
    rules = shop.settings.deliver
    with shop.database.write() as tx:
        for _ in range(rules.breaker_failures):
            outbound.account_failed(tx, "generic", "shop", failures=rules.breaker_failures, pause_s=60)
    ask(shop)
    answer(shop)
    assert states(shop) == ["pending"]
    assert rung(shop) == ["deliver"]


def test_a_finish_that_is_not_committed_sends_nothing_and_the_next_one_does(shop: Services) -> None:
    ask(shop)
    sender = shop.sender
    assert sender is not None
    with pytest.raises(LeaseLost), sender.taking(1, shop.policy()):
        raise LeaseLost
    assert sent(shop) == []
    answer(shop)
    wait_for(lambda: states(shop) == ["sent"], "the send", 5)


def test_a_send_that_breaks_leaves_its_row_to_upkeep_and_the_sender_free(shop: Services) -> None:
    class Broken(RecordingChannel):
        def send(self, outbound: Outbound) -> Receipt:
            raise RuntimeError(outbound.outbound_id)

    shop.channels["generic", "shop"] = Broken()
    ask(shop, "c1")
    answer(shop)
    assert isinstance(shop.sender, Sender)
    shop.sender.close()
    shop._sender = None
    assert states(shop) == ["sending"]
    shop.channels["generic", "shop"] = RecordingChannel()
    ask(shop, "c2")
    answer(shop)
    wait_for(lambda: states(shop) == ["sending", "sent"], "the next send", 5)


def test_a_reply_in_the_outbox_goes_nowhere_once_its_kind_is_no_longer_sent_alone(shop: Services) -> None:
    at_once = shop.settings.deliver.model_copy(update={"at_once": False})
    shop.settings = shop.settings.model_copy(update={"deliver": at_once})
    ask(shop)
    answer(shop)
    assert states(shop) == ["pending"]
    calibration.set_mode(shop.database, shop.policy(), (Kind.TEXT, Route.FAQ), Mode.ASSIST, share=1.0, by="the owner")
    shop._policy = None  # read again, as every few seconds
    rules = {"database": shop.database, "channels": shop.channels, "settings": shop.settings, "ring": shop.ring}
    assert not pipeline.deliver_due(**rules, policy=shop.policy())  # type: ignore[arg-type]
    assert states(shop) == ["cancelled"]
    assert answer(shop), "it is answered anew"
    assert sent(shop) == []
    [waiting] = review.list_open(shop.database)
    assert waiting.reasons == (Reason.MODE_ASSIST,)


def test_where_answer_workers_do_not_reach_the_platforms_the_bell_is_rung(shop: Services) -> None:
    deliver = shop.settings.deliver.model_copy(update={"at_once": False})
    shop.settings = shop.settings.model_copy(update={"deliver": deliver})
    assert shop.sender is None
    ask(shop)
    answer(shop)
    assert states(shop) == ["pending"]
    assert rung(shop) == ["deliver"]
