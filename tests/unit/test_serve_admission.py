"""The door of `cs-bot serve`: what is read at once, and each key's share of it."""

from contextlib import ExitStack

import pytest

from cs_bot.errors import TooManyRequests
from cs_bot.web.service.admission import DOOR, Admission


def test_one_key_has_the_whole_door() -> None:
    admission = Admission(1, 0, 1.0)
    with ExitStack() as inside:
        for _ in range(DOOR):
            inside.enter_context(admission.door("a"))
        with pytest.raises(TooManyRequests):
            inside.enter_context(admission.door("a"))
    with admission.door("a"):
        pass


@pytest.mark.parametrize(("clients", "share"), [(2, 8), (3, 5), (100, 4)])
def test_of_several_keys_none_fills_the_door(clients: int, share: int) -> None:
    admission = Admission(1, 0, 1.0, clients=clients)
    with ExitStack() as inside:
        for _ in range(share):
            inside.enter_context(admission.door("a"))
        with pytest.raises(TooManyRequests):
            inside.enter_context(admission.door("a"))
        inside.enter_context(admission.door("b"))


def test_clients_that_come_and_go_are_forgotten() -> None:
    admission = Admission(1, 0, 1.0)
    for client in range(50):
        with admission.door(f"client {client}"):
            pass
    assert not admission._reading
