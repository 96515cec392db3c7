"""The transactions in every order, with crashes, zombies and a lying platform: the promises hold, and all ends."""

import pytest

from cs_bot.store.database import Database
from tests.faults import machine


def test_the_promises_hold_in_every_order_of_steps(fast_sqlite: Database) -> None:
    machine.run(fast_sqlite, examples=60, steps=40)


def test_the_promises_hold_on_postgresql(postgres: Database) -> None:
    machine.run(postgres, examples=12, steps=30)


@pytest.mark.full
def test_the_promises_hold_over_many_more_orders(fast_sqlite: Database) -> None:
    machine.run(fast_sqlite, examples=800, steps=60, seeded=False)


@pytest.mark.full
def test_the_promises_hold_over_more_orders_on_postgresql(postgres: Database) -> None:
    machine.run(postgres, examples=200, steps=50, seeded=False)
