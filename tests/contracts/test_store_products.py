"""Products in the store: guarded upserts, codes, pictures that follow what the product names, on each database."""

from datetime import timedelta
from random import Random

import pytest

from cs_bot.records import Variant
from cs_bot.schemas import ProductIn
from cs_bot.store.database import Database
from cs_bot.store.queries import product_pictures, products
from cs_bot.store.queries.saved import Saved
from tests.goods import product_in, put
from tests.makers import ACCOUNT, CHANNEL, DAY

LATER = DAY + timedelta(hours=1)


def stored(database: Database, product_id: str = "P1") -> ProductIn | None:
    with database.read() as tx:
        return products.get(tx, CHANNEL, ACCOUNT, product_id)


def pictures(database: Database, product_id: str = "P1") -> list[tuple[str, str, list[str]]]:
    with database.read() as tx:
        rows = product_pictures.of_product(tx, CHANNEL, ACCOUNT, product_id)
    return [(row["url"], row["state"], row["skus"]) for row in rows]


def finish(database: Database, features: bytes = b"f") -> int:
    """Index the next picture; its id."""
    with database.write() as tx:
        row = product_pictures.claim(tx, lease_s=30, local=True)
        assert row is not None
        assert product_pictures.ready(tx, row["id"], row["fence"], sha256="0" * 64, features=features, version=1)
        return int(row["id"])


def stamp(database: Database) -> tuple[object, ...]:
    with database.read() as tx:
        return product_pictures.index_stamp(tx, CHANNEL, ACCOUNT)


def test_an_older_record_never_overwrites_a_newer_one(database: Database) -> None:
    assert put(database, [product_in()]) == [Saved.CREATED]
    assert put(database, [product_in()]) == [Saved.UNCHANGED]
    assert put(database, [product_in(stock=3, updated_at=LATER)]) == [Saved.UPDATED]
    assert put(database, [product_in(stock=9)]) == [Saved.STALE]
    assert stored(database) == product_in(stock=3, updated_at=LATER)
    assert stored(database, "P2") is None


def test_a_record_carries_price_variants_and_when_it_was_heard_of(database: Database) -> None:
    put(database, [product_in(price="59.90", variants=[{"sku": "S", "attributes": {"颜色": "黑色"}, "stock": 2}])])
    database.shift(60)
    put(database, [product_in(price="59.90", variants=[{"sku": "S", "attributes": {"颜色": "黑色"}, "stock": 2}])])
    with database.read() as tx:
        (found,) = products.by_ids(tx, CHANNEL, ACCOUNT, ["P1", "nothing"])
        assert (tx.now() - found.synced_at).total_seconds() < 30
    assert (str(found.price), found.currency) == ("59.90", "CNY")
    assert found.variants == (Variant(sku="S", attributes={"颜色": "黑色"}, stock=2),)


def test_a_product_that_is_no_longer_sold_is_found_by_nothing(database: Database) -> None:
    put(database, [product_in(pictures=["https://cdn.example/1.jpg"])])
    finish(database)
    put(database, [product_in(pictures=["https://cdn.example/1.jpg"], active=False, updated_at=LATER)])
    with database.read() as tx:
        assert products.by_ids(tx, CHANNEL, ACCOUNT, ["P1"]) == []
        assert products.by_codes(tx, CHANNEL, ACCOUNT, ["P1"]) == []
        assert products.candidates(tx, CHANNEL, ACCOUNT, [("帆布", False)]) == []
        assert products.count(tx, CHANNEL, ACCOUNT) == 0
    assert pictures(database) == []


@pytest.mark.parametrize(
    ("written", "code"), [("cup-350 w", "CUP350W"), ("ＣＵＰ－３５０", "CUP350"), ("款号：A/1", "款号A1"), ("--", "")]
)
def test_codes_are_compared_without_what_people_write_differently(written: str, code: str) -> None:
    assert products.product_code(written) == code


def test_codes_are_found_exactly_by_their_start_and_on_their_account_only(database: Database) -> None:
    put(database, [product_in("P1", variants=[{"sku": "CUP-350-W"}, {"sku": "CUP-350-B"}])])
    put(database, [product_in("P2", variants=[{"sku": "CUP-350-W"}])], account="other")
    with database.read() as tx:
        exact = products.by_codes(tx, CHANNEL, ACCOUNT, ["CUP350W", "P1"])
        assert [(hit.code, hit.product_id, hit.sku) for hit in exact] == [
            ("CUP350W", "P1", "CUP-350-W"),
            ("P1", "P1", None),
        ]
        starts = products.by_code_prefix(tx, CHANNEL, ACCOUNT, "CUP35")
        assert [hit.sku for hit in starts] == ["CUP-350-B", "CUP-350-W"]
        assert products.by_code_prefix(tx, CHANNEL, ACCOUNT, "CUP350W") == []


def test_codes_of_a_changed_product_are_those_it_has_now(database: Database) -> None:
    put(database, [product_in(variants=[{"sku": "OLD-1"}])])
    put(database, [product_in(variants=[{"sku": "NEW-1"}], updated_at=LATER)])
    with database.read() as tx:
        assert products.by_codes(tx, CHANNEL, ACCOUNT, ["OLD1"]) == []
        assert len(products.by_codes(tx, CHANNEL, ACCOUNT, ["NEW1"])) == 1


def test_pictures_follow_what_the_product_names(database: Database) -> None:
    first = product_in(pictures=["a", "b"], variants=[{"sku": "S1", "picture": "b"}, {"sku": "S2", "picture": "c"}])
    put(database, [first])
    assert pictures(database) == [("a", "waiting", []), ("b", "waiting", ["S1"]), ("c", "waiting", ["S2"])]
    finish(database)
    before = stamp(database)
    put(database, [product_in(pictures=["d", "a"], updated_at=LATER)])
    assert pictures(database) == [("d", "waiting", []), ("a", "ready", [])]
    assert stamp(database) == before
    put(database, [product_in(pictures=["d"], updated_at=LATER)])
    assert pictures(database) == [("d", "waiting", [])]
    assert stamp(database) != before


def test_the_index_has_changed_when_a_picture_shows_other_variants(database: Database) -> None:
    put(database, [product_in(pictures=["a"])])
    finish(database)
    before = stamp(database)
    put(database, [product_in(pictures=["a"], variants=[{"sku": "S1", "picture": "a"}], updated_at=LATER)])
    assert stamp(database) != before
    with database.read() as tx:
        (entry,) = product_pictures.index_entries(tx, CHANNEL, ACCOUNT, version=1, limit=10)
    assert (entry.product_id, entry.skus) == ("P1", ("S1",))


def test_an_older_event_touches_no_picture(database: Database) -> None:
    put(database, [product_in(pictures=["new"], updated_at=LATER)])
    assert put(database, [product_in(pictures=["old"])]) == [Saved.STALE]
    assert [url for url, _, _ in pictures(database)] == ["new"]


def test_one_process_at_a_time_has_a_picture_and_a_lost_one_comes_back(database: Database) -> None:
    put(database, [product_in(pictures=["a"])])
    with database.write() as tx:
        first = product_pictures.claim(tx, lease_s=30, local=True)
    with database.write() as tx:
        assert product_pictures.claim(tx, lease_s=30, local=True) is None
    database.shift(31)
    with database.write() as tx:
        second = product_pictures.claim(tx, lease_s=30, local=True)
        assert first is not None
        assert second is not None
        assert (second["id"], second["attempts"]) == (first["id"], 2)
        late = product_pictures.ready(tx, first["id"], first["fence"], sha256="0" * 64, features=b"", version=1)
        assert late is False
        assert product_pictures.failed(tx, second["id"], second["fence"], "gone") is True
    assert pictures(database) == [("a", "failed", [])]


def test_what_failed_or_is_of_another_version_is_tried_again(database: Database) -> None:
    put(database, [product_in(pictures=["a", "b", "c"])])
    finish(database)
    finish(database)
    with database.write() as tx:
        row = product_pictures.claim(tx, lease_s=30, local=True)
        assert row is not None
        product_pictures.failed(tx, row["id"], row["fence"], "gone")
        assert product_pictures.again(tx, 1) == 1
        assert product_pictures.again(tx, 2) == 2
        assert product_pictures.counts(tx) == {"waiting": 3, "ready": 0, "failed": 0}
        entries = product_pictures.index_entries(tx, CHANNEL, ACCOUNT, version=1, limit=10)
        assert len(entries) == 2  # what was indexed still is, until it is done again


def test_a_worker_leaves_picture_files_to_the_machine_that_has_them(database: Database) -> None:
    put(database, [product_in(pictures=["mug.jpg", "file:///x/mug.jpg", "HTTPS://cdn.example/1.jpg"])])
    with database.write() as tx:
        row = product_pictures.claim(tx, lease_s=30)
        assert row is not None
        assert row["url"] == "HTTPS://cdn.example/1.jpg"
        assert product_pictures.claim(tx, lease_s=30) is None
        assert product_pictures.any_due(tx, local=True) is True
        assert product_pictures.any_due(tx) is False


def test_a_product_with_more_words_than_a_search_index_takes_is_stored_all_the_same(database: Database) -> None:
    letters = Random(1)
    words = lambda n: "".join(chr(letters.randrange(0x4E00, 0x9FA5)) for _ in range(n))  # noqa: E731
    told = product_in("P1", "帆布鞋", attributes={words(20): words(180) for _ in range(3000)})
    assert put(database, [told]) == [Saved.CREATED]
    with database.read() as tx:
        assert [product_id for product_id, _ in products.candidates(tx, CHANNEL, ACCOUNT, [("帆布", False)])] == ["P1"]
