"""The looks of earlier pictures: only of the same customer in the same conversation, not long ago, not taken back."""

from datetime import timedelta

import pytest

from cs_bot.records import End, Kind, Look
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.store.queries import conversations, customers, inbox, messages, pictures, turns
from tests.makers import ACCOUNT, CHANNEL, person
from tests.readings import look


class Talk:
    """One conversation; pictures are seen as they are sent."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.seq = 0

    def conversation(self, name: str = "conv") -> int:
        with self.database.write() as tx:
            return int(conversations.open_and_lock(tx, CHANNEL, ACCOUNT, name)["id"])

    def customer(self, name: str = "c1") -> int:
        with self.database.write() as tx:
            return customers.upsert(tx, CHANNEL, ACCOUNT, person(name), now=tx.now())

    def send(self, *shown: Look, customer: str = "c1", conv: str = "conv", sender: str = "customer") -> str:
        """A message with pictures, in a finished turn of its own; its external id."""
        conversation_id, customer_id = self.conversation(conv), self.customer(customer)
        self.seq += 1
        name = f"m{self.seq}"
        with self.database.write() as tx:
            turn = turns.start(tx, conversation_id, span=(self.seq, self.seq), deadline_s=60)
            known = {"external_id": name, "body_sha256": "0" * 64}
            [event_id] = inbox.add_events(tx, CHANNEL, ACCOUNT, [{**known, "state": "parsed"}])
            row = {
                **known,
                "event_id": event_id,
                "conversation_id": conversation_id,
                "customer_id": customer_id,
                "turn_id": turn["id"],
                "seq": self.seq,
                "sender": sender,
                "sent_at": tx.now(),
                "text": "",
            }
            [message_id] = inbox.add_messages(tx, CHANNEL, ACCOUNT, [row])
            assert message_id is not None
            pictures.add_uses(tx, message_id, ["https://shop.example/p.png"] * len(shown))
            for one in shown:
                use = pictures.claim(tx, lease_s=30, max_attempts=3)
                assert use is not None
                size = {"format": "PNG", "width": 1, "height": 1, "size": 1, "tags": []}
                kept = pictures.store(tx, sha256=one.picture_sha256, pixels_sha256=one.picture_sha256, **size)
                assert pictures.settle(tx, use["id"], use["fence"], picture_id=kept, failure=None)
            turns.add_looks(tx, turn["id"], shown)
            turns.change(tx, turn["id"], state="finished")
        return name

    def earlier(self, customer: str = "c1", conv: str = "conv", within_s: float = 1800.0) -> tuple[Look, ...]:
        conversation_id, customer_id = self.conversation(conv), self.customer(customer)
        with self.database.read() as tx:
            since = tx.now() - timedelta(seconds=within_s)
            return turns.earlier_looks(tx, conversation_id, customer_id, before_seq=self.seq + 1, since=since)


@pytest.fixture
def talk(database: Database) -> Talk:
    return Talk(database)


def test_the_pictures_of_the_last_message_with_pictures_count(talk: Talk) -> None:
    first, second, third = look(Kind.PRODUCT), look(Kind.PRODUCT), look(Kind.SCENE)
    assert talk.earlier() == ()
    talk.send(first)
    talk.send(second, third)
    talk.send()
    assert talk.earlier() == (second, third)


def test_another_customers_pictures_and_those_of_another_conversation_never_count(talk: Talk) -> None:
    talk.send(look(Kind.PRODUCT), customer="c2")
    talk.send(look(Kind.PRODUCT), conv="elsewhere")
    talk.send(look(Kind.PRODUCT), sender="agent")
    assert talk.earlier() == ()
    mine = look(Kind.PRODUCT)
    talk.send(mine)
    talk.send(look(Kind.PRODUCT), customer="c2")
    assert talk.earlier() == (mine,)


def test_old_pictures_and_those_taken_back_do_not_count(talk: Talk) -> None:
    name = talk.send(look(Kind.PRODUCT))
    assert len(talk.earlier()) == 1
    assert talk.earlier(within_s=-1.0) == ()
    with talk.database.write() as tx:
        row = messages.find(tx, CHANNEL, ACCOUNT, name)
        assert row is not None
        messages.end(tx, messages.by_id(row["id"]), End.BOT)  # taken back after it was answered
        messages.revoke(tx, CHANNEL, ACCOUNT, name)
    assert talk.earlier() == ()


def test_a_picture_that_nobody_could_look_at_hides_the_ones_before_it(talk: Talk) -> None:
    talk.send(look(Kind.PRODUCT))
    name = talk.send(look(Kind.PRODUCT))
    with talk.database.write() as tx:
        row = messages.find(tx, CHANNEL, ACCOUNT, name)
        assert row is not None
        tx.execute(tables.looks.delete().where(tables.looks.c.turn_id == row["turn_id"]))
    assert talk.earlier() == ()


def test_a_look_that_a_newer_version_wrote_is_left_out(talk: Talk) -> None:
    ours, theirs = look(Kind.PRODUCT), look(Kind.PRODUCT)
    talk.send(ours, theirs)
    newer = {"schema": 2, **theirs.model_dump(mode="json"), "depth": "a field of tomorrow"}
    with talk.database.write() as tx:
        of_it = tables.looks.c.picture_sha256 == theirs.picture_sha256
        tx.execute(tables.looks.update().where(of_it).values(body=newer))
    assert talk.earlier() == (ours,)
