"""Facts as a fingerprint, as keys, and fetched again: what was true for the draft must be true when it is sent."""

import hashlib
import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from cs_bot.knowledge.orders import OwnedOrder, find_owned
from cs_bot.records import Facts, Faq, Order
from cs_bot.store.database import Transaction
from cs_bot.store.queries import customers, faq

GONE = "gone"  # stands for a record that may not be told any more; no record looks like it


def fingerprint(order: Order | None, entries: Iterable[Faq]) -> str:
    """SHA-256 over the canonical JSON of the records; when they were last confirmed does not matter."""
    order_body = None if order is None else order.model_dump(mode="json", exclude={"synced_at"})
    return _hash(order_body, [entry.model_dump(mode="json") for entry in entries])


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
    )


def is_fresh(tx: Transaction, order: Order, max_age_s: float) -> bool:
    """Whether we heard of the order within that time."""
    return tx.now() - order.synced_at <= timedelta(seconds=max_age_s)


def _order_now(tx: Transaction, key: dict[str, Any]) -> Any:
    customer = None if key["customer_id"] is None else customers.get(tx, key["customer_id"])
    if customer is None:
        return GONE
    found = find_owned(tx, key["order_id"], customer=customer)
    if not isinstance(found, OwnedOrder) or key["max_age_s"] is None or not is_fresh(tx, found.order, key["max_age_s"]):
        return GONE
    return found.order.model_dump(mode="json", exclude={"synced_at"})


def _hash(order: Any, entries: list[Any]) -> str:
    body = {"order": order, "faq": entries}
    return hashlib.sha256(
        json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()
