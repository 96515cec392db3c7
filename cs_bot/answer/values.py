"""What slots are filled with: the values of records, written for people."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from cs_bot.answer.templates import Phrases
from cs_bot.claims import clean_value
from cs_bot.records import Order, OrderStatus, Record
from cs_bot.settings import ShopSettings

MAX_ID = 64
MAX_NAME = 80
MAX_ANSWER = 2000
_NO_CENTS = frozenset({"JPY", "KRW", "VND", "CLP", "IDR"})


class ShopWords(Record):
    """What the shop calls itself and promises. `timezone` is an IANA name, `sign_off` a last line or empty."""

    name: str = Field(min_length=1, max_length=MAX_NAME)
    ship_within_hours: float = Field(default=48.0, gt=0)
    timezone: str = "Asia/Shanghai"
    language: str = "zh"
    sign_off: str = Field(default="", max_length=MAX_NAME)

    @classmethod
    def of(cls, shop: ShopSettings) -> "ShopWords":
        """From the settings."""
        return cls(
            name=shop.name,
            ship_within_hours=shop.ship_within_hours,
            timezone=shop.timezone,
            language=shop.language,
        )

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"unknown time zone {name!r}") from None
        return name


def ship_by(order: Order, shop: ShopWords) -> datetime:
    """When the order should leave at the latest: the record's own time, else the shop's promise."""
    return order.ship_by or (order.paid_at or order.ordered_at) + timedelta(hours=shop.ship_within_hours)


def contradicts_itself(order: Order) -> bool:
    """Whether the record says two things at once: not shipped by its status, shipped by its times."""
    waiting = order.status in (OrderStatus.PENDING_PAYMENT, OrderStatus.PAID)
    return waiting and (order.shipped_at is not None or order.delivered_at is not None)


def is_late(order: Order, shop: ShopWords, now: datetime) -> bool:
    """Whether it is paid, not shipped, and past the time by which it should have left."""
    return order.status is OrderStatus.PAID and _utc(ship_by(order, shop)) < _utc(now)


def order_values(order: Order, shop: ShopWords, phrases: Phrases, now: datetime) -> dict[str, str]:
    """The slots that an order's record can fill; what the record does not have is left out.

    Raises DraftRefused when a value is too long to be what it says it is.
    """
    times = {
        "ordered_at": order.ordered_at,
        "paid_at": order.paid_at,
        "shipped_at": order.shipped_at,
        "delivered_at": order.delivered_at,
        "ship_by": ship_by(order, shop),
    }
    texts = {
        "number": clean_value(order.order_id, max_chars=MAX_ID),
        "amount": money(order.amount, order.currency, phrases),
        "carrier": clean_value(order.carrier or "", max_chars=MAX_NAME),
        "tracking_no": clean_value(order.tracking_no or "", max_chars=MAX_ID),
    }
    texts |= {name: local_time(at, shop, phrases, now) for name, at in times.items() if at is not None}
    return {f"order.{name}": text for name, text in texts.items() if text}


def money(amount: Decimal, currency: str, phrases: Phrases) -> str:
    """An amount as people of that language write it; never rounded."""
    code = clean_value(currency, max_chars=8).upper()
    whole = amount == amount.to_integral_value()
    if code in _NO_CENTS and whole:
        text = f"{int(amount):,}"
    else:
        digits = max(2, -int(amount.normalize().as_tuple().exponent))
        text = f"{amount:,.{digits}f}"
    return phrases.money.get(code, phrases.formats["money"]).format(amount=text, currency=code)


def local_time(at: datetime, shop: ShopWords, phrases: Phrases, now: datetime) -> str:
    """A UTC time on the shop's clock, to the minute; the year only when it is another one."""
    zone = ZoneInfo(shop.timezone)
    local, today = _utc(at).astimezone(zone), _utc(now).astimezone(zone)
    pattern = phrases.formats["this_year" if local.year == today.year else "other_year"]
    month_name = phrases.months[local.month - 1] if phrases.months else ""
    return pattern.format(
        year=local.year,
        month=local.month,
        month_name=month_name,
        day=local.day,
        hour=local.hour,
        minute=local.minute,
    )


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
