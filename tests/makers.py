"""Makers of valid records for tests: give what matters, the rest is filled in."""

from datetime import UTC, datetime
from typing import Any

from cs_bot.schemas import FaqIn, OrderIn, Person

CHANNEL, ACCOUNT = "generic", "shop"
DAY = datetime(2026, 5, 1, 4, 33, 20, tzinfo=UTC)


def order_in(order_id: str = "4021338819", **values: Any) -> OrderIn:
    """An order of customer `c1`, shipped, 129.90 CNY."""
    filled: dict[str, Any] = {
        "customer_id": "c1",
        "status": "shipped",
        "amount": "129.90",
        "currency": "CNY",
        "ordered_at": DAY,
        "updated_at": DAY,
        "lines": [{"sku": "S-1", "name": "帆布鞋", "quantity": 2, "price": "64.95"}],
    }
    return OrderIn.model_validate({**filled, **values, "order_id": order_id})


def faq_in(faq_id: str, question: str, answer: str = "答案", **values: Any) -> FaqIn:
    """A FAQ entry, Chinese unless said."""
    return FaqIn.model_validate({"faq_id": faq_id, "question": question, "answer": answer, **values})


def person(customer_id: str = "c1", **values: Any) -> Person:
    """A customer as the platform knows them."""
    return Person.model_validate({"id": customer_id, **values})
