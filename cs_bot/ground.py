"""4  Reading -> Facts: orders, products and FAQ; what belongs to this customer."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cs_bot.errors import ConfigError
from cs_bot.knowledge import faq
from cs_bot.knowledge.facts import fact_keys, fingerprint, is_fresh, refetch_fingerprint, stated_products
from cs_bot.knowledge.orders import Foreign, Unknown, find_owned, order_lookup_id
from cs_bot.records import (
    Facts,
    FieldState,
    Kind,
    Look,
    Order,
    Policy,
    ProductLookup,
    ReadField,
    Reading,
    Reason,
    Turn,
    ordered,
)
from cs_bot.store.database import Database, Transaction
from cs_bot.store.media import MediaStore

__all__ = ["fact_keys", "ground", "refetch_fingerprint"]

# A text with one of these is about an order of the customer's; the others may be about the shop's rules.
ABOUT_AN_ORDER = frozenset({"order_status", "order_amount", "order_number", "tracking"})
SHOWS_GOODS = frozenset({Kind.PRODUCT, Kind.COMPARISON, Kind.SCENE})
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Finder(Protocol):
    """What ground uses of knowledge.catalog.Catalog."""

    def lookup(
        self, tx: Transaction, turn: Turn, reading: Reading, pictures: Mapping[str, bytes]
    ) -> tuple[ProductLookup, ...]:
        """One lookup for each thing that is meant; `pictures` by SHA-256."""


def ground(
    readings: Sequence[tuple[Turn, Reading]],
    *,
    database: Database,
    policy: Policy,
    timezone: str,
    language: str | None = None,
    catalog: Finder | None = None,
    media: MediaStore | None = None,
    progress: Callable[[], None] | None = None,
) -> list[Facts]:
    """Facts for each turn, in order. `timezone` (IANA) is that of the times on order pages.

    `language` is searched when the customer's can't be told; None: no FAQ entry then. Without a `catalog` no product
    is looked up; `media` holds the pictures that it searches by. Each turn has a transaction of
    its own, and `progress` is told after it; what fails for one is raised, and the pipeline then grounds each alone.
    Raises StoreUnavailable, and ConfigError for an unknown timezone.
    """
    rules = _Rules(policy, _zone(timezone), language, catalog)
    found = []
    for turn, reading in readings:
        shown = [look.picture_sha256 for look in reading.looks if look.kind in SHOWS_GOODS]
        pictures = media.read_all(shown) if catalog is not None and media is not None else {}
        with database.read() as tx:
            found.append(_one(tx, turn, reading, rules, pictures))
        if progress is not None:
            progress()
    return found


@dataclass(frozen=True)
class _Rules:
    policy: Policy
    zone: tzinfo
    language: str | None
    catalog: Finder | None


@dataclass(frozen=True)
class _Number:
    """What pictures and words give as order number, in its lookup form; None: nothing to look up, and why."""

    value: str | None
    reasons: frozenset[Reason] = frozenset()


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"unknown time zone {name!r}") from None


def _one(
    tx: Transaction, turn: Turn, reading: Reading, rules: _Rules, pictures: Mapping[str, bytes] | None = None
) -> Facts:
    facts = _order(tx, turn, reading, rules)
    if reading.aspects or any(look.kind in SHOWS_GOODS for look in reading.looks):
        facts = _with_products(tx, facts, turn, reading, rules, pictures or {})
    language = reading.language if reading.language != "und" else rules.language
    if reading.kind is Kind.TEXT and reading.question.strip() and language is not None:
        facts = facts.model_copy(update={"faq": faq.search(tx, reading.question, language)})
    return facts.model_copy(update={"fingerprint": _fingerprint(facts)})


def _fingerprint(facts: Facts) -> str:
    return fingerprint(facts.order, [hit.faq for hit in facts.faq], stated_products(facts))


def _with_products(
    tx: Transaction, facts: Facts, turn: Turn, reading: Reading, rules: _Rules, pictures: Mapping[str, bytes]
) -> Facts:
    """The facts with what the catalog says; a record that is too old is left out."""
    if rules.catalog is None:
        return facts
    kept: list[ProductLookup] = []
    max_age_s = rules.policy.product_max_age_s
    for lookup in rules.catalog.lookup(tx, turn, reading, pictures):
        fresh = tuple(hit for hit in lookup.hits if is_fresh(tx, hit.product.synced_at, max_age_s))
        kept.append(lookup.model_copy(update={"hits": fresh, "stale": len(fresh) < len(lookup.hits)}))
    return facts.model_copy(update={"products": tuple(kept), "product_max_age_s": max_age_s})


def _order(tx: Transaction, turn: Turn, reading: Reading, rules: _Rules) -> Facts:
    """The order of the turn, or only the reasons why there is none: nothing of somebody else's order leaves here."""
    screens = [look for look in reading.looks if _is_order_screen(look)]
    number = _number(reading, screens)
    if len(turn.customers) > 1:
        return Facts(reasons=(Reason.MIXED_CUSTOMERS,))
    if number.value is None:
        return Facts(reasons=ordered(number.reasons))
    customer = next(iter(turn.customers), None)
    found = Unknown() if customer is None else find_owned(tx, number.value, customer=customer)
    if isinstance(found, Foreign):
        return Facts(reasons=ordered({Reason.FOREIGN_ORDER, *number.reasons}))
    if isinstance(found, Unknown) or customer is None:
        return Facts(reasons=ordered({Reason.UNKNOWN_ORDER, *number.reasons}))
    if not is_fresh(tx, found.order.synced_at, rules.policy.order_max_age_s):
        return Facts(reasons=ordered({Reason.ORDER_RECORD_TOO_OLD, *number.reasons}))
    second_field, reasons = _second_field(found.order, number.value, screens, rules)
    return Facts(
        order=found.order,
        owned_by=found.owned_by,
        customer_id=customer.customer_id,
        order_max_age_s=rules.policy.order_max_age_s,
        second_field=second_field,
        reasons=ordered({*number.reasons, *reasons}),
    )


def _is_order_screen(look: Look) -> bool:
    return look.kind is Kind.ORDER or _field(look, "order_id").state is not FieldState.UNREADABLE


def _field(look: Look, name: str) -> ReadField:
    return look.fields.get(name, ReadField())


def _read(look: Look, name: str) -> str | None:
    """The value of a field that may be trusted."""
    field = _field(look, name)
    return field.value if field.state is FieldState.READ else None


def _number(reading: Reading, screens: Sequence[Look]) -> _Number:
    """One number for the turn. Pictures and words must mean the same order; a doubtful reading is no key."""
    if any("list" in look.notes for look in screens):
        return _Number(None, frozenset({Reason.ORDER_LIST}))
    fields = [_field(look, "order_id") for look in screens]
    read = {order_lookup_id(f.value or "") for f in fields if f.state is FieldState.READ}
    unsure = {order_lookup_id(f.value or "") for f in fields if f.state is FieldState.CONFIRM}
    numbers = (read | {order_lookup_id(text) for text in reading.typed_order_ids}) - {""}
    if len(numbers) > 1:
        return _Number(None, frozenset({Reason.SEVERAL_ORDERS}))
    doubt = frozenset({Reason.NUMBER_UNSURE}) if unsure - numbers else frozenset()
    if numbers:
        return _Number(next(iter(numbers)), doubt)
    if doubt or not screens:
        asks = reading.kind is Kind.ORDER or reading.intent in ABOUT_AN_ORDER
        return _Number(None, doubt or frozenset({Reason.NO_ORDER_NUMBER} if asks else ()))
    return _Number(None, frozenset({Reason.NUMBER_UNREADABLE}))


def _second_field(order: Order, number: str, screens: Sequence[Look], rules: _Rules) -> tuple[str | None, set[Reason]]:
    """Which field of a picture agrees with the record (amount | time), and what speaks against it.

    Every picture of an order must be tied to this one, by its number or by a field that agrees; one field that was
    read and contradicts is enough to disagree.
    """
    agreed: list[str] = []
    reasons: set[Reason] = set()
    for look in screens:
        verdicts = {
            "amount": _amount_agrees(order, look, rules.policy.amount_tolerance),
            "currency": _currency_agrees(order, look),
            "time": _time_agrees(order, look, rules),
        }
        here = [name for name in ("amount", "time") if verdicts[name]]
        if False in verdicts.values():
            reasons.add(Reason.SECOND_FIELD_DISAGREES)
        elif not here and order_lookup_id(_read(look, "order_id") or "") != number:
            reasons.add(Reason.NUMBER_UNREADABLE)
        agreed += here
    if Reason.SECOND_FIELD_DISAGREES in reasons:
        return None, reasons
    if not agreed:
        return None, reasons | {Reason.NO_SECOND_FIELD}
    return ("amount" if "amount" in agreed else "time"), reasons


def _amount_agrees(order: Order, look: Look, tolerance: Decimal) -> bool | None:
    """None when the picture has no amount that may be trusted."""
    try:
        shown = Decimal(_read(look, "amount") or "")
    except InvalidOperation:
        return None
    return abs(shown - order.amount) <= tolerance if shown.is_finite() else None


def _currency_agrees(order: Order, look: Look) -> bool | None:
    shown = _read(look, "currency")
    return shown == order.currency if shown else None


def _time_agrees(order: Order, look: Look, rules: _Rules) -> bool | None:
    """The picture's local time against ordered_at in the shop's zone; a bare date against the local date."""
    text = _read(look, "order_time") or ""
    try:
        shown = datetime.fromisoformat(text)
    except ValueError:
        return None
    local = order.ordered_at.astimezone(rules.zone).replace(tzinfo=None)
    if _DATE.fullmatch(text):
        return shown.date() == local.date()
    if shown.tzinfo is not None:
        shown = shown.astimezone(rules.zone).replace(tzinfo=None)
    tolerance = timedelta(seconds=rules.policy.time_tolerance_s)
    cut_off = timedelta(minutes=1) if len(text) <= len("2026-05-01T12:33") else timedelta(seconds=1)  # not shown
    return -tolerance <= local - shown < tolerance + cut_off
