"""What an order page says: a number, a sum, a state, a time, printed as the platforms print them."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cs_bot.demo import words
from cs_bot.demo.draw import CREATED, HINTS, PLAIN_TIME
from cs_bot.demo.orders import order_number
from cs_bot.demo.tiny.labels import STATES
from cs_bot.records import OrderStatus
from cs_bot.vision.answers import UNREADABLE, OrderRead

LONGEST = 21  # characters of a number that fits a narrow picture in legible digits
FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
SHORTER = {PLAIN_TIME: ("%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y/%m/%d %H:%M")}


@dataclass(frozen=True)
class Ticket:
    """One order as printed, and as it is to be read."""

    language: str
    currency: str
    number: str
    amount: str
    printed_amount: str
    status: OrderStatus
    state: str
    hint: str
    time: str
    printed_time: str

    def read(self, hidden: frozenset[str] = frozenset(), *, several: bool = False) -> OrderRead:
        """The answer; `hidden` fields can't be read."""
        fields = {
            "order_id": self.number,
            "amount": self.amount,
            "currency": self.currency,
            "status": self.status.value,
            "status_text": self.state,
            "order_time": self.time,
        }
        return OrderRead(
            **{name: UNREADABLE if name in hidden else value for name, value in fields.items()}, several_orders=several
        )


FIELDS = frozenset(OrderRead.model_fields) - {"several_orders"}


def ticket(rng: random.Random, look: str | None = None) -> Ticket:
    """An order of any platform."""
    look = look or rng.choice(list(words.LOOKS))
    language, currency = words.LOOKS[look]
    placed = FIRST_DAY + timedelta(seconds=rng.randrange(2 * 365 * 86_400))
    status = rng.choice(list(STATES[language]))
    amount, printed_amount = _amount(rng, currency)
    time, printed_time = _time(rng, look, placed)
    return Ticket(
        language=language,
        currency=currency,
        number=_number(rng, look, placed),
        amount=amount,
        printed_amount=printed_amount,
        status=status,
        state=rng.choice(STATES[language][status]),
        hint=HINTS[language][status],
        time=time,
        printed_time=printed_time,
    )


def _number(rng: random.Random, look: str, placed: datetime) -> str:
    """As its platform gives it, or a shorter one of a shop that numbers by itself."""
    if rng.random() < 0.45:
        count = rng.choice((8, 8, 9, 10, 10, 11, 12, 12, 13, 14))
        return str(rng.randint(1, 9)) + "".join(rng.choice("0123456789") for _ in range(count - 1))
    number = order_number(look, placed, rng)
    return number if len(number) <= LONGEST else number[:LONGEST].rstrip("-")


def _amount(rng: random.Random, currency: str) -> tuple[str, str]:
    """The sum in digits, and with its currency as printed."""
    if currency == "JPY":
        yen = rng.choice((rng.randint(100, 9999), rng.randint(100, 49_999)))
        return str(yen), rng.choice((f"￥{yen:,}", f"{yen:,}円", f"¥{yen:,}", f"￥{yen}"))
    whole = rng.choice((rng.randint(1, 99), rng.randint(10, 999), rng.randint(10, 999), rng.randint(100, 9999)))
    cents = rng.choice((0, 90, 50, rng.randrange(100), rng.randrange(100), rng.randrange(100)))
    text = f"{whole}.{cents:02d}"
    if currency == "USD":
        return text, f"${whole:,}.{cents:02d}"
    return text, rng.choice(("¥", "¥", "¥ ", "￥")) + text


def _time(rng: random.Random, look: str, placed: datetime) -> tuple[str, str]:
    """The time of the order as it is to be read, and as printed."""
    pattern = CREATED.get(look, PLAIN_TIME)
    if pattern in SHORTER and rng.random() < 0.4:
        pattern = rng.choice(SHORTER[pattern])
    printed = f"{placed:{pattern}}"
    if "%S" in pattern:
        return f"{placed:%Y-%m-%dT%H:%M:%S}", printed
    exact = "%M" in pattern
    return (f"{placed:%Y-%m-%dT%H:%M}" if exact else f"{placed:%Y-%m-%d}"), printed
