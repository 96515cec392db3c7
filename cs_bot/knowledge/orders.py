"""Orders by the number a customer gives, and whose they are."""

from dataclasses import dataclass

from cs_bot.records import Customer, Order
from cs_bot.store.database import Transaction
from cs_bot.store.queries import orders
from cs_bot.store.queries.contacts import folded_email, folded_phone
from cs_bot.store.queries.orders import order_lookup_id

__all__ = ["Foreign", "OwnedOrder", "Unknown", "find_owned", "order_lookup_id", "owner_by"]


@dataclass(frozen=True)
class OwnedOrder:
    """The customer's own order; `owned_by` says what proved it: customer_id, email or phone."""

    order: Order
    owned_by: str


@dataclass(frozen=True)
class Foreign:
    """There is such an order and it is somebody else's. Holds nothing of it, on purpose."""


@dataclass(frozen=True)
class Unknown:
    """No such order, or several of the customer's own that the number can't tell apart."""


def find_owned(tx: Transaction, order_id_text: str, *, customer: Customer) -> OwnedOrder | Foreign | Unknown:
    """Look an order up by its number, however it is written, for one customer.

    Orders of every account are looked at, because contacts hold for the whole merchant; others' orders never matter.
    """
    found = orders.find(tx, order_lookup_id(order_id_text))
    own = [OwnedOrder(order, proof) for order in found if (proof := owner_by(order, customer)) is not None]
    if len(own) == 1:
        return own[0]
    return Foreign() if found and not own else Unknown()


def owner_by(order: Order, customer: Customer) -> str | None:
    """What makes this the customer's order: customer_id, email, phone, or None when nothing does.

    A platform's customer id means something on its own account only: the same id elsewhere is another person. Where
    the order names a customer of this very account, that is whose it is: a shared phone or mailbox opens nothing.
    """
    same_account = (order.channel, order.account) == (customer.channel, customer.account)
    if same_account and order.customer_external_id is not None:
        return "customer_id" if order.customer_external_id == customer.external_id else None
    email, phone = folded_email(order.email), folded_phone(order.phone)
    if email is not None and email in {folded_email(known) for known in customer.emails}:
        return "email"
    if phone is not None and phone in {folded_phone(known) for known in customer.phones}:
        return "phone"
    return None
