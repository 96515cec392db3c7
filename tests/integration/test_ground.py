"""Readings become facts: the number is a key, the record must be the customer's own, a second field must agree."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from cs_bot.errors import ConfigError
from cs_bot.ground import fact_keys, ground, refetch_fingerprint
from cs_bot.knowledge.faq import search_column
from cs_bot.records import Customer, Facts, Kind, Policy, Reading, Reason
from cs_bot.store.database import Database
from cs_bot.store.queries import customers, faq, orders
from tests.makers import ACCOUNT, CHANNEL, DAY, faq_in, order_in, person
from tests.readings import CONFIRM, UNREADABLE, look, reading, screen, turn

NUMBER = "4021338819"
OTHER = "7700000001"
SHANGHAI = "Asia/Shanghai"  # DAY is 12:33:20 there
POLICY = Policy()


@dataclass
class Shop:
    """A database with customer c1 and their order NUMBER."""

    database: Database
    me: Customer = field(init=False)

    def __post_init__(self) -> None:
        self.me = self.customer("c1")
        self.order(NUMBER)

    def customer(self, external_id: str, account: str = ACCOUNT, **contacts: Any) -> Customer:
        with self.database.write() as tx:
            row_id = customers.upsert(tx, CHANNEL, account, person(external_id, **contacts), now=tx.now())
            found = customers.get(tx, row_id)
        assert found is not None
        return found

    def order(self, order_id: str, account: str = ACCOUNT, **values: Any) -> None:
        with self.database.write() as tx:
            assert orders.upsert(tx, CHANNEL, account, order_in(order_id, **values))

    def faq(self, *items: Any) -> None:
        with self.database.write() as tx:
            faq.save_many(tx, [(item, search_column(item)) for item in items])

    def ground(self, what: Reading, *by: Customer, policy: Policy = POLICY, **values: Any) -> Facts:
        who = by or (self.me,)
        (facts,) = ground([(turn(*who), what)], database=self.database, policy=policy, timezone=SHANGHAI, **values)
        return facts

    def refetch(self, facts: Facts) -> str:
        keys = json.loads(json.dumps(fact_keys(facts)))
        with self.database.read() as tx:
            return refetch_fingerprint(tx, keys)


@pytest.fixture
def shop(sqlite_database: Database) -> Shop:
    return Shop(sqlite_database)


@pytest.fixture
def any_shop(database: Database) -> Shop:
    return Shop(database)


def discloses_nothing(facts: Facts, *reasons: Reason) -> None:
    assert facts == Facts(reasons=reasons, fingerprint=facts.fingerprint)


PROVEN = [
    (screen(order_id=NUMBER, amount="129.90", currency="CNY"), "amount"),
    (screen(order_id=NUMBER, amount="129.9"), "amount"),
    (screen(order_id="4021 3388-19", amount="129.90"), "amount"),
    (screen(order_id=NUMBER, order_time="2026-05-01T12:33:20"), "time"),
    (screen(order_id=NUMBER, order_time="2026-05-01T12:33"), "time"),
    (screen(order_id=NUMBER, order_time="2026-05-01T12:35:20"), "time"),
    (screen(order_id=NUMBER, order_time="2026-05-01"), "time"),
    (screen(order_id=NUMBER, amount="129.90", order_time="2026-05-01T12:33:20"), "amount"),
    (screen(order_id=NUMBER, amount=("999.90", CONFIRM), order_time="2026-05-01T12:33:20"), "time"),
]


@pytest.mark.parametrize(("picture", "agreed"), PROVEN)
def test_a_number_with_an_agreeing_second_field_is_proof(shop: Shop, picture: Any, agreed: str) -> None:
    facts = shop.ground(reading(picture))
    assert facts.order is not None
    assert facts.order.order_id == NUMBER
    assert (facts.second_field, facts.owned_by, facts.reasons) == (agreed, "customer_id", ())
    assert facts.customer_id == shop.me.customer_id


AGAINST = [
    screen(order_id=NUMBER, amount="129.91"),
    screen(order_id=NUMBER, amount="129.90", currency="JPY"),
    screen(order_id=NUMBER, order_time="2026-05-01T12:30:00"),
    screen(order_id=NUMBER, order_time="2026-05-01T12:37:00"),
    screen(order_id=NUMBER, order_time="2026-05-01T04:33:20"),
    screen(order_id=NUMBER, order_time="2026-05-02"),
    screen(order_id=NUMBER, amount="129.90", order_time="2026-04-01T12:33:20"),
    screen(order_id=NUMBER, amount="12.90", order_time="2026-05-01T12:33:20"),
]


@pytest.mark.parametrize("picture", AGAINST)
def test_one_field_that_contradicts_the_record_is_enough(shop: Shop, picture: Any) -> None:
    facts = shop.ground(reading(picture))
    assert facts.reasons == (Reason.SECOND_FIELD_DISAGREES,)
    assert facts.second_field is None


@pytest.mark.parametrize(
    "picture",
    [
        screen(order_id=NUMBER),
        screen(order_id=NUMBER, amount=("129.90", CONFIRM), order_time=(None, UNREADABLE)),
        screen(order_id=NUMBER, amount="NaN"),
        screen(order_id=NUMBER, amount="about 130", order_time="yesterday"),
        screen(order_id=NUMBER, currency="CNY", status="shipped"),
    ],
)
def test_without_a_readable_second_field_there_is_no_proof(shop: Shop, picture: Any) -> None:
    facts = shop.ground(reading(picture))
    assert facts.reasons == (Reason.NO_SECOND_FIELD,)
    assert facts.second_field is None
    assert facts.order is not None


NO_KEY = [
    ([screen(order_id=(NUMBER, CONFIRM), amount="129.90")], (), Reason.NUMBER_UNSURE),
    ([screen(order_id=(None, CONFIRM))], (), Reason.NUMBER_UNSURE),
    ([screen(order_id=(None, UNREADABLE), amount="129.90")], (), Reason.NUMBER_UNREADABLE),
    ([screen(amount="129.90")], (), Reason.NUMBER_UNREADABLE),
    ([screen(order_id=" - ")], (), Reason.NUMBER_UNREADABLE),
    ([screen("list", order_id=NUMBER, amount="129.90")], (), Reason.ORDER_LIST),
    ([screen(order_id=NUMBER), screen(order_id=OTHER)], (), Reason.SEVERAL_ORDERS),
    ([screen(order_id=NUMBER, amount="129.90")], (OTHER,), Reason.SEVERAL_ORDERS),
    ([], (NUMBER, OTHER), Reason.SEVERAL_ORDERS),
]


@pytest.mark.parametrize(("pictures", "typed", "reason"), NO_KEY)
def test_without_one_sure_number_nothing_is_looked_up(shop: Shop, pictures: Any, typed: Any, reason: Reason) -> None:
    discloses_nothing(shop.ground(reading(*pictures, typed=typed)), reason)


def test_a_typed_number_alone_is_no_proof(shop: Shop) -> None:
    facts = shop.ground(reading(typed=("4021-3388-19", NUMBER)))
    assert facts.order is not None
    assert facts.reasons == (Reason.NO_SECOND_FIELD,)


@pytest.mark.parametrize(
    ("picture", "reasons"),
    [
        (screen(order_id=NUMBER, amount="129.90"), ()),
        (screen(order_id=(NUMBER, CONFIRM), amount="129.90"), ()),
        (screen(amount="129.90"), ()),
        (screen(order_id=(OTHER, CONFIRM), amount="129.90"), (Reason.NUMBER_UNSURE,)),
        (screen(), (Reason.NO_SECOND_FIELD, Reason.NUMBER_UNREADABLE)),
        (screen(amount="1.00"), (Reason.SECOND_FIELD_DISAGREES,)),
    ],
)
def test_a_typed_number_is_proof_when_a_picture_agrees(shop: Shop, picture: Any, reasons: Any) -> None:
    facts = shop.ground(reading(picture, typed=(NUMBER,)))
    assert facts.order is not None
    assert facts.reasons == reasons


def test_every_picture_of_an_order_must_be_tied_to_it(shop: Shop) -> None:
    good = screen(order_id=NUMBER, amount="129.90")
    assert shop.ground(reading(good, screen(order_time="2026-05-01T12:33"))).reasons == ()
    assert shop.ground(reading(good, look(Kind.PRODUCT))).reasons == ()
    assert shop.ground(reading(good, screen())).reasons == (Reason.NUMBER_UNREADABLE,)
    assert shop.ground(reading(good, screen(amount="5"))).reasons == (Reason.SECOND_FIELD_DISAGREES,)


def test_a_question_about_an_order_without_a_number_says_so(shop: Shop) -> None:
    discloses_nothing(shop.ground(reading(kind=Kind.ORDER)), Reason.NO_ORDER_NUMBER)
    discloses_nothing(shop.ground(reading(intent="order_status")), Reason.NO_ORDER_NUMBER)
    discloses_nothing(shop.ground(reading(intent="product")))


def test_a_foreign_and_an_unknown_order_disclose_nothing(shop: Shop) -> None:
    shop.order(OTHER, customer_id="c2")
    discloses_nothing(shop.ground(reading(screen(order_id=OTHER, amount="129.90"))), Reason.FOREIGN_ORDER)
    discloses_nothing(shop.ground(reading(screen(order_id=OTHER, amount="1"))), Reason.FOREIGN_ORDER)
    discloses_nothing(shop.ground(reading(screen(order_id="555", amount="129.90"))), Reason.UNKNOWN_ORDER)
    discloses_nothing(
        shop.ground(reading(screen(order_id=OTHER)), shop.me, shop.customer("c2")), Reason.MIXED_CUSTOMERS
    )
    (nobody,) = ground([(turn(), reading(typed=(NUMBER,)))], database=shop.database, policy=POLICY, timezone=SHANGHAI)
    discloses_nothing(nobody, Reason.UNKNOWN_ORDER)


def test_the_same_platform_id_on_another_account_is_another_person(shop: Shop) -> None:
    stranger = shop.customer("c1", account="west")
    discloses_nothing(shop.ground(reading(screen(order_id=NUMBER, amount="129.90")), stranger), Reason.FOREIGN_ORDER)


@pytest.mark.parametrize(
    ("mine", "on_the_order", "proof"),
    [
        ({"email": "Me@Example.com"}, {"email": "me@example.COM"}, "email"),
        ({"phone": "+86 138 0013 8000"}, {"phone": "13800138000"}, "phone"),
        ({"phone": "138****8000"}, {"phone": "138****8000"}, None),
        ({"email": "m***@example.com"}, {"email": "m***@example.com"}, None),
        ({}, {}, None),
    ],
)
def test_a_contact_proves_an_order_on_any_account(shop: Shop, mine: Any, on_the_order: Any, proof: str | None) -> None:
    shop.order(OTHER, account="west", customer_id=None, **on_the_order)
    facts = shop.ground(reading(screen(order_id=OTHER, amount="129.90")), shop.customer("c9", **mine))
    assert facts.owned_by == proof
    assert (facts.order is None) == (proof is None)


def test_among_equal_numbers_only_the_own_order_counts(shop: Shop) -> None:
    shop.order("4021-338819", account="west", amount="5", customer_id="c1")
    facts = shop.ground(reading(screen(order_id=NUMBER, amount="129.90")))
    assert facts.order is not None
    assert facts.order.account == ACCOUNT


def test_two_own_orders_that_the_number_cannot_tell_apart_are_unknown(shop: Shop) -> None:
    shop.order("402133-8819", amount="5")
    discloses_nothing(shop.ground(reading(screen(order_id=NUMBER, amount="129.90"))), Reason.UNKNOWN_ORDER)


def test_a_record_that_nobody_confirmed_for_too_long_is_not_told(shop: Shop) -> None:
    shop.database.shift(POLICY.order_max_age_s - 60)
    assert shop.ground(reading(screen(order_id=NUMBER, amount="129.90"))).reasons == ()
    shop.database.shift(120)
    discloses_nothing(shop.ground(reading(screen(order_id=NUMBER, amount="129.90"))), Reason.ORDER_RECORD_TOO_OLD)


def test_tolerances_come_from_the_policy(shop: Shop) -> None:
    near = reading(screen(order_id=NUMBER, amount="129.40", order_time="2026-05-01T12:23:20"))
    assert shop.ground(near).reasons == (Reason.SECOND_FIELD_DISAGREES,)
    loose = Policy(amount_tolerance="0.5", time_tolerance_s=600)
    assert shop.ground(near, policy=loose).reasons == ()
    assert (
        shop.ground(
            reading(screen(order_id=NUMBER, order_time="2026-05-01T12:33")), policy=Policy(time_tolerance_s=0)
        ).reasons
        == ()
    )


def test_a_list_of_turns_gives_a_list_of_facts_in_order(shop: Shop) -> None:
    pairs = [
        (turn(shop.me), reading(typed=("555",))),
        (turn(shop.me), reading(screen(order_id=NUMBER, amount="129.90"))),
        (turn(shop.me), reading()),
    ]
    found = ground(pairs, database=shop.database, policy=POLICY, timezone=SHANGHAI)
    assert [facts.order is not None for facts in found] == [False, True, False]
    assert ground([], database=shop.database, policy=POLICY, timezone=SHANGHAI) == []


def test_hostile_words_in_a_number_find_nothing(any_shop: Shop) -> None:
    for text in ("' or 1=1 --", "\x00", "%", "\ud800", "9" * 5000, "٤٠٢١٣٣٨٨١٩"):
        facts = any_shop.ground(reading(screen(order_id=text, amount="129.90")))
        assert facts.order is None


def test_an_unknown_time_zone_is_a_configuration_error(shop: Shop) -> None:
    with pytest.raises(ConfigError, match="unknown time zone"):
        ground([], database=shop.database, policy=POLICY, timezone="Mars/Base")


def test_texts_get_faq_entries_in_the_customers_language(any_shop: Shop) -> None:
    any_shop.faq(faq_in("invoice", "可以开发票吗"), faq_in("invoice", "Can I get an invoice?", language="en"))
    facts = any_shop.ground(reading(question="怎么开发票", language="zh"))
    assert [hit.faq.language for hit in facts.faq] == ["zh"]
    assert any_shop.ground(reading(question="invoice please", language="en")).faq[0].faq.language == "en"
    assert any_shop.ground(reading(question="发票", language="und")).faq == ()
    assert any_shop.ground(reading(question="发票", language="und"), language="zh").faq != ()
    assert any_shop.ground(reading(screen(order_id=NUMBER), question="发票")).faq == ()


def proven(shop: Shop) -> Facts:
    shop.faq(faq_in("invoice", "可以开发票吗", updated_at=DAY))
    facts = shop.ground(reading(typed=(NUMBER,), question="可以开发票吗"))
    assert facts.order is not None
    assert facts.faq
    return facts


def test_the_fingerprint_stays_while_nothing_changes(any_shop: Shop) -> None:
    facts = proven(any_shop)
    assert len(facts.fingerprint) == 64
    any_shop.database.shift(3600)
    with any_shop.database.write() as tx:
        orders.upsert(tx, CHANNEL, ACCOUNT, order_in(NUMBER))  # confirmed again, later
    any_shop.customer("c1", email="new@example.com", name="new name")
    assert any_shop.refetch(facts) == facts.fingerprint
    assert any_shop.ground(reading(typed=(NUMBER,), question="可以开发票吗")).fingerprint == facts.fingerprint
    nothing = any_shop.ground(reading())
    assert fact_keys(nothing) == {}
    assert any_shop.refetch(nothing) == nothing.fingerprint


def _sql(*statements: str) -> Callable[[Shop], None]:
    def run(shop: Shop) -> None:
        with shop.database.write() as tx:
            for statement in statements:
                tx.connection.exec_driver_sql(statement)

    return run


def _later(**values: Any) -> Callable[[Shop], None]:
    return lambda shop: shop.order(NUMBER, updated_at=DAY + timedelta(hours=1), **values)


CHANGES: dict[str, Callable[[Shop], None]] = {
    "status": _later(status="delivered"),
    "amount": _later(amount="129.91"),
    "lines": _later(lines=[]),
    "tracking": _later(tracking_no="T1"),
    "owner": _later(customer_id="c2"),
    "nobody's": _later(customer_id=None),
    "deleted": _sql("delete from order_lines", "delete from orders"),
    "customer gone": _sql("delete from customers"),
    "a second one": lambda shop: shop.order("40213388-19"),
    "too old": lambda shop: shop.database.shift(POLICY.order_max_age_s + 60),
    "faq changed": lambda shop: shop.faq(faq_in("invoice", "可以开发票吗", "新答案")),
    "faq deleted": _sql("delete from faq"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_any_change_changes_what_is_fetched_again(any_shop: Shop, what: str) -> None:
    facts = proven(any_shop)
    CHANGES[what](any_shop)
    assert any_shop.refetch(facts) != facts.fingerprint


def test_progress_is_told_after_each_turn(shop: Shop) -> None:
    told: list[int] = []
    pairs = [(turn(shop.me), reading(screen(order_id=NUMBER))) for _ in range(3)]
    rules = {"database": shop.database, "policy": POLICY, "timezone": SHANGHAI}
    found = ground(pairs, **rules, progress=lambda: told.append(1))
    assert len(told) == len(found) == 3
