"""A product's picture on its whole way: looked up, put into words or a template, held; stopped when a price moves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from fakeredis import FakeRedis
from sqlalchemy import select

from cs_bot import fetch, pipeline
from cs_bot.bootstrap import Services
from cs_bot.cache import DraftCache
from cs_bot.errors import EngineError
from cs_bot.ground import fact_keys, refetch_fingerprint
from cs_bot.receive import receive
from cs_bot.records import Facts, Kind, Likeness, LookupOutcome, ProductHit, ProductLookup, Reading, Turn
from cs_bot.store import tables
from cs_bot.store.database import Database, Transaction
from cs_bot.store.queries import products
from cs_bot.testing import ScriptedVision, a_look, shop_event, shop_message, shop_request, some_words
from cs_bot.vision.base import Ask, Words
from tests.desk import a_picture
from tests.web import services_on

PRICED = {
    "product_id": "P1",
    "title": "Linen shirt",
    "price": "129.00",
    "stock": 3,
    "url": "https://shop.example/P1",
    "updated_at": "2026-05-01T00:00:00Z",
}


@dataclass
class OneProduct:
    """A catalog that finds P1 on every picture that it is given."""

    asked: list[Mapping[str, bytes]]

    def lookup(
        self, tx: Transaction, turn: Turn, reading: Reading, pictures: Mapping[str, bytes]
    ) -> tuple[ProductLookup, ...]:
        self.asked.append(pictures)
        found = products.by_ids(tx, turn.channel, turn.account, ["P1"])
        hits = tuple(ProductHit(product=p, likeness=Likeness.SAME_PICTURE, score=0.9, margin=0.6) for p in found)
        outcome = LookupOutcome.CLEAR if hits else LookupOutcome.NONE
        return (ProductLookup(number=1, outcome=outcome, hits=hits),)


@pytest.fixture
def shop(sqlite_database: Database, tmp_path: Path) -> Iterator[Services]:
    services = services_on(sqlite_database, tmp_path, turns={"quiet_s": 0.0, "batch": 8})
    services._vision = ScriptedVision(default=a_look(kind=Kind.PRODUCT))
    yield services
    services.close()


def tell(shop: Services, kind: str, data: Mapping[str, Any]) -> None:
    body = shop_request(shop_event(kind, data))
    known = {"channel": "generic", "account": "shop", "channels": shop.channels, "database": shop.database}
    receive(body, **known, ring=shop.ring, settings=shop.settings)  # type: ignore[arg-type]


def answered(shop: Services, catalog: OneProduct, text: str = "Do you have this one?", **data: Any) -> dict[str, Any]:
    """The draft's row after a customer has sent a product's picture."""
    tell(shop, "message.created", shop_message(text, attachments=[{"url": a_picture()}], **data))
    while fetch.fetch_next(shop.database, media=shop.media, settings=shop.settings, ring=shop.ring):
        pass
    assert pipeline.answer_due(replace(shop.parts(), catalog=catalog), ring=shop.ring)
    with shop.database.read() as tx:
        row = tx.rows(select(tables.drafts).order_by(tables.drafts.c.id.desc()))[0]
        return dict(row)


def test_a_products_picture_is_answered_from_its_record_and_waits_for_approval(shop: Services) -> None:
    tell(shop, "product.upserted", PRICED)
    catalog = OneProduct([])
    row = answered(shop, catalog)
    assert "129.00 CNY" in row["draft"]["text"]
    assert (row["draft"]["template_id"], row["draft"]["route"]) == ("goods", "catalog")
    assert [len(pictures) for pictures in catalog.asked] == [1]
    with shop.database.read() as tx:
        [review] = tx.rows(select(tables.reviews))
    assert review["reasons"] == ["mode_assist"]


def test_an_engine_puts_the_record_into_words(shop: Services) -> None:
    asked: list[Ask] = []

    def words(ask: Ask) -> Words:
        asked.append(ask)
        return some_words("That looks like our {p1.name}, for {p1.price}.", likelihood=0.7)

    shop._vision = ScriptedVision(default=a_look(kind=Kind.PRODUCT), words=words)
    tell(shop, "product.upserted", PRICED)
    draft = answered(shop, OneProduct([]))["draft"]
    assert draft["text"] == "That looks like our Linen shirt, for 129.00 CNY."
    assert (draft["engine"], draft["signals"]) == ("scripted", {"likelihood": 0.7})
    assert [len(ask.pictures) for ask in asked] == [1]


@pytest.mark.parametrize("said", ["It is in stock!", "Only 99 yuan", "Yes: {p1.discount}", EngineError("away")])
def test_where_an_engine_says_too_much_or_nothing_the_template_stands(shop: Services, said: str | EngineError) -> None:
    def words(_: Ask) -> Words | EngineError:
        return said if isinstance(said, EngineError) else some_words(said)

    shop._vision = ScriptedVision(default=a_look(kind=Kind.PRODUCT), words=words)
    tell(shop, "product.upserted", PRICED)
    draft = answered(shop, OneProduct([]))["draft"]
    assert draft["template_id"] == "goods"
    assert "129.00 CNY" in draft["text"]


def test_a_price_that_moved_is_another_fingerprint_when_it_is_fetched_again(shop: Services) -> None:
    tell(shop, "product.upserted", PRICED)
    facts = Facts.model_validate({k: v for k, v in answered(shop, OneProduct([]))["facts"].items() if k != "schema"})
    keys = fact_keys(facts)
    with shop.database.read() as tx:
        assert refetch_fingerprint(tx, keys) == facts.fingerprint
    tell(shop, "product.upserted", {**PRICED, "price": "149.00", "updated_at": "2026-05-02T00:00:00Z"})
    with shop.database.read() as tx:
        assert refetch_fingerprint(tx, keys) != facts.fingerprint


def test_words_are_written_once_and_the_price_in_them_is_always_the_present_one(shop: Services) -> None:
    asked: list[Ask] = []

    def words(ask: Ask) -> Words:
        asked.append(ask)
        return some_words("That is our {p1.name}, for {p1.price}.")

    shop._vision = ScriptedVision(default=a_look(kind=Kind.PRODUCT), words=words)
    shop.words = DraftCache(FakeRedis(), record=Words, ttl_s=60, wait_s=5)
    tell(shop, "product.upserted", PRICED)
    texts = [answered(shop, OneProduct([]), conversation_id=name)["draft"]["text"] for name in ("c1", "c2")]
    assert texts == ["That is our Linen shirt, for 129.00 CNY."] * 2
    assert len(asked) == 1
    tell(shop, "product.upserted", {**PRICED, "price": "149.00", "updated_at": "2026-05-02T00:00:00Z"})
    assert answered(shop, OneProduct([]), conversation_id="c3")["draft"]["text"].endswith("for 149.00 CNY.")
    assert len(asked) == 2


def test_a_record_that_grew_too_old_is_another_fingerprint_too(shop: Services) -> None:
    tell(shop, "product.upserted", PRICED)
    facts = Facts.model_validate({k: v for k, v in answered(shop, OneProduct([]))["facts"].items() if k != "schema"})
    shop.database.shift((facts.product_max_age_s or 0) + 1)
    with shop.database.read() as tx:
        assert refetch_fingerprint(tx, fact_keys(facts)) != facts.fingerprint


def test_a_record_that_is_too_old_is_not_told(shop: Services) -> None:
    tell(shop, "product.upserted", PRICED)
    shop.database.shift(200_000)
    draft = answered(shop, OneProduct([]))
    assert draft["draft"]["template_id"] == "checking"
    assert draft["facts"]["products"][0]["stale"]
