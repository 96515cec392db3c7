"""Pictures of new messages: every outcome is a state of the row, and the burst hears of it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from cs_bot import fetch
from cs_bot.bootstrap import Services
from cs_bot.errors import PictureError, PictureRefused, PictureUnreachable, PictureUnreadable, StoreUnavailable
from cs_bot.receive import receive
from cs_bot.records import Reason
from cs_bot.store import tables
from cs_bot.store.database import Database, Row
from cs_bot.store.queries import pictures
from cs_bot.testing import shop_event, shop_message, shop_request
from tests.desk import a_picture
from tests.web import services_on

TEXT = "data:image/png;base64,aGVsbG8="  # says that it is a picture and is none


@pytest.fixture
def shop(sqlite_database: Database, tmp_path: Path) -> Iterator[Services]:
    services = services_on(sqlite_database, tmp_path)
    yield services
    services.close()


class Failing:
    """Stands in for the network: raises what it was told, one a call; then gives the bytes of a real picture."""

    def __init__(self, *problems: PictureError) -> None:
        self.problems = list(problems)
        self.asked = 0

    def __call__(self, _url: str, *, rules: Any) -> bytes:
        self.asked += 1
        if self.problems:
            raise self.problems.pop(0)
        return fetch.decode_data_url(a_picture(), max_bytes=10_000)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Failing]:
    """Replaces the fetch over the network (a unit test opens no socket); tests/integration has the real one."""

    def fail_with(*problems: PictureError) -> Failing:
        failing = Failing(*problems)
        monkeypatch.setattr(fetch, "fetch_picture", failing)
        return failing

    return fail_with


def send(shop: Services, *urls: str, text: str = "when does it ship?", **data: Any) -> None:
    body = shop_event("message.created", shop_message(text, attachments=[{"url": url} for url in urls], **data))
    receive(
        shop_request(body),
        channel="generic",
        account="shop",
        channels=shop.channels,
        database=shop.database,
        ring=shop.ring,
        settings=shop.settings,
    )
    rung(shop).clear()


def rung(shop: Services) -> list[str]:
    return shop.rung  # type: ignore[attr-defined,no-any-return]


def fetch_one(shop: Services) -> bool:
    return fetch.fetch_next(shop.database, media=shop.media, settings=shop.settings, ring=shop.ring)


def uses(shop: Services) -> list[Row]:
    with shop.database.read() as tx:
        return list(tx.rows(select(tables.picture_uses).order_by(tables.picture_uses.c.id)))


def due_in(shop: Services) -> float:
    """Seconds until the conversation's burst is due."""
    with shop.database.read() as tx:
        due_at = tx.value(select(tables.conversations.c.due_at))
        return float((due_at - tx.now()).total_seconds())


def give_up_after(shop: Services) -> int:
    return shop.settings.fetch.max_attempts


def test_nothing_due_is_nothing_done(shop: Services) -> None:
    assert not fetch_one(shop)
    assert fetch.seconds_until_due(shop.database) is None


def test_a_picture_is_stored_and_its_address_forgotten(shop: Services) -> None:
    send(shop, a_picture("teal"))
    assert fetch.seconds_until_due(shop.database) == 0.0
    assert fetch_one(shop)
    [use] = uses(shop)
    assert (use["state"], use["failure"], use["source"], use["due_at"], use["attempts"]) == (
        "ready",
        None,
        None,
        None,
        1,
    )
    with shop.database.read() as tx:
        picture = tx.row(select(tables.pictures))
    assert picture is not None
    assert (picture["width"], picture["height"], picture["format"]) == (64, 48, "png")
    assert shop.media.read(picture["sha256"])
    assert not fetch_one(shop)


def test_the_same_picture_twice_is_one_file(shop: Services) -> None:
    send(shop, a_picture("teal"), a_picture("teal"), a_picture("red"))
    while fetch_one(shop):
        pass
    assert [use["state"] for use in uses(shop)] == ["ready"] * 3
    with shop.database.read() as tx:
        assert len(tx.rows(select(tables.pictures))) == 2


def test_a_picture_that_settles_makes_the_waiting_question_due(shop: Services) -> None:
    send(shop, a_picture())
    assert due_in(shop) > 5
    fetch_one(shop)
    assert due_in(shop) <= 0
    assert rung(shop) == ["answer"]


def test_the_last_of_several_pictures_settles_the_burst(shop: Services) -> None:
    send(shop, a_picture("teal"), a_picture("red"))
    fetch_one(shop)
    assert due_in(shop) > 5
    fetch_one(shop)
    assert due_in(shop) <= 0


def test_a_picture_that_can_not_be_had_settles_the_burst_too(shop: Services) -> None:
    send(shop, TEXT)
    fetch_one(shop)
    assert due_in(shop) <= 0
    assert rung(shop) == ["answer"]


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (PictureRefused(), Reason.PICTURE_REFUSED),
        (PictureUnreadable(), Reason.PICTURE_UNREADABLE),
        (PictureUnreachable(), Reason.PICTURE_UNREACHABLE),
        (PictureError(), Reason.PICTURE_UNREACHABLE),
    ],
)
def test_every_failure_has_a_reason_an_agent_can_read(problem: PictureError, reason: Reason) -> None:
    assert fetch.reason_of(problem) is reason


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (TEXT, Reason.PICTURE_UNREADABLE),
        ("data:image/png;base64,####", Reason.PICTURE_UNREADABLE),
        ("DATA:nonsense", Reason.PICTURE_REFUSED),
        ("http://pictures.example/1.png", Reason.PICTURE_REFUSED),
        ("https://127.0.0.1/1.png", Reason.PICTURE_REFUSED),
        ("ftp://pictures.example/1.png", Reason.PICTURE_REFUSED),
        ("no address at all", Reason.PICTURE_REFUSED),
    ],
)
def test_what_can_never_work_is_given_up_at_once(shop: Services, source: str, reason: Reason) -> None:
    send(shop, source)
    assert fetch_one(shop)
    [use] = uses(shop)
    assert (use["state"], use["failure"], use["attempts"], use["source"]) == ("failed", reason, 1, None)


def test_a_data_address_above_the_limit_is_refused(shop: Services) -> None:
    web = shop.settings.web.model_copy(update={"max_data_url_bytes": 10})
    shop.settings = shop.settings.model_copy(update={"web": web})
    send(shop, a_picture())
    fetch_one(shop)
    assert uses(shop)[0]["failure"] == Reason.PICTURE_REFUSED


def test_an_unreachable_picture_is_tried_again_later(shop: Services, network: Callable[..., Failing]) -> None:
    failing = network(PictureUnreachable())
    send(shop, "https://pictures.example/1.png")
    assert fetch_one(shop)
    [use] = uses(shop)
    assert (use["state"], use["attempts"], use["lease_until"]) == ("waiting", 1, None)
    assert rung(shop) == [], "nothing has settled yet"
    shop.database.shift(2.0)
    assert fetch_one(shop)
    assert uses(shop)[0]["state"] == "ready"
    assert failing.asked == 2


def test_a_picture_that_stays_unreachable_is_given_up_with_its_reason(
    shop: Services, network: Callable[..., Failing]
) -> None:
    failing = network(*[PictureUnreachable() for _ in range(10)])
    send(shop, "https://pictures.example/1.png")
    for _ in range(10):
        fetch_one(shop)
        shop.database.shift(2.0 ** give_up_after(shop))
    [use] = uses(shop)
    assert (use["state"], use["failure"], use["source"]) == ("failed", Reason.PICTURE_UNREACHABLE, None)
    assert failing.asked == use["attempts"] == give_up_after(shop)
    assert rung(shop) == ["answer"]


def test_a_picture_of_an_account_that_is_gone_is_refused(shop: Services, network: Callable[..., Failing]) -> None:
    failing = network()
    send(shop, "https://pictures.example/1.png")
    shop.settings = shop.settings.model_copy(update={"accounts": ()})
    fetch_one(shop)
    assert uses(shop)[0]["failure"] == Reason.PICTURE_REFUSED
    assert failing.asked == 0


def test_a_picture_whose_worker_died_is_fetched_by_the_next(shop: Services) -> None:
    send(shop, a_picture())
    claim(shop)
    assert not fetch_one(shop), "another worker may still have it"
    shop.database.shift(61)
    assert fetch_one(shop)
    assert (uses(shop)[0]["state"], uses(shop)[0]["attempts"]) == ("ready", 2)


def claim(shop: Services) -> Row:
    """A worker claims the next picture and is never heard of again."""
    with shop.database.write() as tx:
        row = pictures.claim(tx, lease_s=60, max_attempts=give_up_after(shop))
    assert row is not None
    return row


def test_a_picture_that_kills_its_workers_is_swept_up_with_a_reason(shop: Services) -> None:
    send(shop, a_picture())
    for _ in range(give_up_after(shop)):
        assert fetch.sweep(shop.database, settings=shop.settings) == 0
        claim(shop)
        shop.database.shift(61)
    assert not fetch_one(shop), "nobody tries a fourth time"
    assert fetch.sweep(shop.database, settings=shop.settings) == 1
    [use] = uses(shop)
    assert (use["state"], use["failure"], use["source"]) == ("failed", Reason.PICTURE_UNREADABLE, None)
    assert due_in(shop) <= 0
    assert fetch.sweep(shop.database, settings=shop.settings) == 0


def test_a_worker_that_comes_back_late_changes_nothing(shop: Services) -> None:
    send(shop, a_picture())
    zombie = claim(shop)
    shop.database.shift(61)
    assert fetch_one(shop)
    with shop.database.write() as tx:
        settled = pictures.settle(tx, zombie["id"], zombie["fence"], picture_id=None, failure=Reason.PICTURE_REFUSED)
        later = pictures.retry_later(tx, zombie["id"], zombie["fence"], 1)
    assert (settled, later) == (False, False)
    assert uses(shop)[0]["state"] == "ready"


class FullMedia:
    """A picture store that takes nothing."""

    def write(self, _sha256: str, _data: bytes) -> None:
        raise StoreUnavailable


def test_a_picture_store_that_is_full_costs_no_picture(shop: Services) -> None:
    send(shop, a_picture())
    with pytest.raises(StoreUnavailable):
        fetch.fetch_next(shop.database, media=FullMedia(), settings=shop.settings, ring=shop.ring)  # type: ignore[arg-type]
    assert not fetch_one(shop), "a moment later: the store may be back"
    shop.database.shift(fetch.STORE_AWAY_S)
    assert fetch_one(shop)
    assert uses(shop)[0]["state"] == "ready"


def test_a_picture_store_that_stays_full_does_not_blame_the_picture(shop: Services) -> None:
    send(shop, a_picture())
    for _ in range(give_up_after(shop) + 2):
        with pytest.raises(StoreUnavailable):
            fetch.fetch_next(shop.database, media=FullMedia(), settings=shop.settings, ring=shop.ring)  # type: ignore[arg-type]
        shop.database.shift(fetch.STORE_AWAY_S)
        fetch.sweep(shop.database, settings=shop.settings)
    assert fetch_one(shop)
    assert (uses(shop)[0]["state"], uses(shop)[0]["attempts"]) == ("ready", 1)


def test_a_picture_that_settles_when_the_burst_was_answered_already_wakes_no_turn(shop: Services) -> None:
    send(shop, a_picture())
    with shop.database.write() as tx:
        tx.execute(update(tables.conversations).values(due_at=None))
    fetch_one(shop)
    with shop.database.read() as tx:
        assert tx.value(select(tables.conversations.c.due_at)) is None


def test_the_next_fetch_is_told_in_seconds(shop: Services, network: Callable[..., Failing]) -> None:
    network(PictureUnreachable())
    send(shop, "https://pictures.example/1.png")
    fetch_one(shop)
    with shop.database.write() as tx:
        tx.execute(update(tables.picture_uses).values(due_at=tx.now() + timedelta(seconds=9)))
    assert fetch.seconds_until_due(shop.database) == pytest.approx(9, abs=1)
