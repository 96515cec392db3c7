"""Facts as a fingerprint, as keys, and fetched again: what was true for the draft must be true when it is sent."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from cs_bot.knowledge.orders import OwnedOrder, find_owned
from cs_bot.records import Facts, Faq, Order, Product
from cs_bot.store.database import Transaction
from cs_bot.store.queries import customers, faq, products

GONE = "gone"  # stands for a record that may not be told any more; no record looks like it


def fingerprint(order: Order | None, entries: Iterable[Faq], goods: Iterable[Product] = ()) -> str:
    """SHA-256 over the canonical JSON of the records; when they were last confirmed does not matter."""
    return _hash(_said(order), [entry.model_dump(mode="json") for entry in entries], [_said(one) for one in goods])


def stated_products(facts: Facts) -> tuple[Product, ...]:
    """Every product of the facts once, in order."""
    found = {hit.product.product_id: hit.product for lookup in facts.products for hit in lookup.hits}
    return tuple(found.values())


def fact_keys(facts: Facts) -> dict[str, Any]:
    """What refetch_fingerprint needs, as JSON; {} when there are no records."""
    keys: dict[str, Any] = {}
    if facts.order is not None:
        keys["order"] = {
            "channel": facts.order.channel,
            "account": facts.order.account,
            "order_id": facts.order.order_id,
            "customer_id": facts.customer_id,
            "max_age_s": facts.order_max_age_s,
        }
    if goods := stated_products(facts):
        keys["products"] = {
            "channel": goods[0].channel,
            "account": goods[0].account,
            "ids": [one.product_id for one in goods],
            "max_age_s": facts.product_max_age_s,
        }
    if facts.faq:
        keys["faq"] = [[hit.faq.faq_id, hit.faq.language] for hit in facts.faq]
    return keys


def refetch_fingerprint(tx: Transaction, keys: dict[str, Any]) -> str:
    """The fingerprint of the same records as they are now.

    Equal to the facts' own when nothing changed: the order is still there, still the only one of this customer with
    that number, still fresh enough, and says the same; every FAQ entry is still there and says the same.
    """
    order = keys.get("order")
    stored = {(entry.faq_id, entry.language): entry for entry in faq.by_ids(tx, [i for i, _ in keys.get("faq", ())])}
    entries = [stored.get((faq_id, language)) for faq_id, language in keys.get("faq", ())]
    return _hash(
        None if order is None else _order_now(tx, order),
        [GONE if entry is None else entry.model_dump(mode="json") for entry in entries],
        _products_now(tx, keys["products"]) if "products" in keys else [],
    )


def is_fresh(tx: Transaction, synced_at: datetime, max_age_s: float) -> bool:
    """Whether we heard of a record within that time."""
    return tx.now() - synced_at <= timedelta(seconds=max_age_s)


def _order_now(tx: Transaction, key: dict[str, Any]) -> Any:
    customer = None if key["customer_id"] is None else customers.get(tx, key["customer_id"])
    if customer is None:
        return GONE
    found = find_owned(tx, key["order_id"], customer=customer)
    if (
        not isinstance(found, OwnedOrder)
        or key["max_age_s"] is None
        or not is_fresh(tx, found.order.synced_at, key["max_age_s"])
    ):
        return GONE
    return _said(found.order)


def _products_now(tx: Transaction, key: dict[str, Any]) -> list[Any]:
    stored = {one.product_id: one for one in products.by_ids(tx, key["channel"], key["account"], key["ids"])}
    now = [stored.get(product_id) for product_id in key["ids"]]
    return [
        GONE
        if one is None or key["max_age_s"] is None or not is_fresh(tx, one.synced_at, key["max_age_s"])
        else _said(one)
        for one in now
    ]


def _said(record: Order | Product | None) -> Any:
    """What a record says, whenever it was last confirmed."""
    return None if record is None else record.model_dump(mode="json", exclude={"synced_at"})


def _hash(order: Any, entries: list[Any], goods: list[Any]) -> str:
    body = {"order": order, "faq": entries, "products": goods}
    return hashlib.sha256(
        json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()
