"""How often a client may come."""

import pytest

from cs_bot.errors import TooManyRequests
from cs_bot.web.boundary import headers_of
from cs_bot.web.limits import Rates


class Clock:
    """A clock that is moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_worth_may_come_at_once_then_one_by_one() -> None:
    clock = Clock()
    rates = Rates(3, clock)
    for _ in range(3):
        rates.take("a")
    with pytest.raises(TooManyRequests) as refused:
        rates.take("a")
    assert refused.value.wait_s == pytest.approx(20.0)
    clock.now += 20.0
    rates.take("a")
    with pytest.raises(TooManyRequests):
        rates.take("a")


def test_clients_do_not_use_up_each_others_share() -> None:
    rates = Rates(1, Clock())
    rates.take("a")
    rates.take("b")


def test_no_rate_is_no_limit() -> None:
    rates = Rates(0, Clock())
    for _ in range(1000):
        rates.take("a")


def test_a_pause_saves_up_no_more_than_a_minutes_worth() -> None:
    clock = Clock()
    rates = Rates(2, clock)
    rates.take("a")
    clock.now += 3600
    rates.take("a")
    rates.take("a")
    with pytest.raises(TooManyRequests):
        rates.take("a")


def test_clients_that_come_and_go_are_forgotten() -> None:
    rates = Rates(1, Clock())
    rates.MOST_CLIENTS = 10
    for n in range(50):
        rates.take(f"client {n}")
    assert len(rates._buckets) == 10


def test_nobody_is_told_to_come_back_too_early() -> None:
    assert headers_of(TooManyRequests(2.4), 429)["retry-after"] == "3"
    assert headers_of(TooManyRequests(0.0), 429)["retry-after"] == "1"
