"""Makers of turns, looks and readings for tests: give what matters, the rest is filled in."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from cs_bot.records import Customer, FieldState, Kind, Look, ReadField, Reading, Turn
from tests.makers import ACCOUNT, CHANNEL

READ, CONFIRM, UNREADABLE = FieldState.READ, FieldState.CONFIRM, FieldState.UNREADABLE
_ids = count(1)


def customer(external_id: str = "c1", **values: Any) -> Customer:
    """A customer of the usual account."""
    filled = {"customer_id": next(_ids), "channel": CHANNEL, "account": ACCOUNT, "external_id": external_id}
    return Customer.model_validate({**filled, **values})


def turn(*customers: Customer, **values: Any) -> Turn:
    """A turn on its first attempt, without messages."""
    number = next(_ids)
    filled: dict[str, Any] = {
        "turn_id": number,
        "conversation_id": number,
        "channel": CHANNEL,
        "account": ACCOUNT,
        "fence": 1,
        "attempts": 1,
        "restarts": 0,
        "round": 1,
        "origin": "customer",
        "deadline_at": datetime(2100, 1, 1, tzinfo=UTC),
        "messages": (),
        "customers": customers,
    }
    return Turn(**{**filled, **values})


def screen(*notes: str, **fields: str | tuple[str | None, FieldState]) -> Look:
    """An order page; a bare string is a field that was read."""
    read = {
        name: ReadField(value=value, state=READ)
        if isinstance(value, str)
        else ReadField(value=value[0], state=value[1])
        for name, value in fields.items()
    }
    return look(Kind.ORDER, fields=read, notes=notes)


def look(kind: Kind, **values: Any) -> Look:
    """A look that is sure of its kind."""
    filled: dict[str, Any] = {"picture_sha256": f"{next(_ids):064x}", "kinds": {kind: 1.0}}
    filled |= {"engine": "test", "engine_version": "1", "prompt_version": "1", "seconds": 0.1}
    return Look(**{**filled, **values})


def reading(*looks: Look, typed: tuple[str, ...] = (), **values: Any) -> Reading:
    """A reading of kind order when there is an order page, else text."""
    kind = values.pop("kind", Kind.ORDER if looks else Kind.TEXT)
    return Reading(kind=kind, kinds={kind: 1.0}, looks=looks, typed_order_ids=typed, **values)
